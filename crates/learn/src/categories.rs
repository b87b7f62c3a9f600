//! Sets of categories, by their codes.

use crate::binning::MISSING;

/// Holds categories by their codes, 0 to 254.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CategorySet([u64; 4]);

impl CategorySet {
    /// Adds a code; 255 is none, and stands for missing values where bins are meant.
    pub fn insert(&mut self, code: u8) {
        self.0[usize::from(code / 64)] |= 1 << (code % 64);
    }

    /// Says whether a code is in.
    #[inline]
    pub fn contains(&self, code: u8) -> bool {
        self.0[usize::from(code / 64)] >> (code % 64) & 1 == 1
    }

    /// Says whether the category of a cell is in; `None` where the cell holds no code, which counts as missing.
    #[inline]
    pub fn has(&self, cell: f64) -> Option<bool> {
        code_of(cell).map(|code| self.contains(code))
    }

    /// Gives the codes in increasing order.
    pub fn codes(&self) -> impl Iterator<Item = u8> {
        let set = *self;
        (0..MISSING).filter(move |code| set.contains(*code))
    }

    /// Says whether no code is in.
    pub fn is_empty(&self) -> bool {
        self.codes().next().is_none()
    }

    /// Gives the codes that are not in.
    pub(crate) fn others(self) -> CategorySet {
        CategorySet(self.0.map(|word| !word))
    }

    /// Gives the codes that are in both.
    pub(crate) fn and(self, other: CategorySet) -> CategorySet {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        both
    }
}

impl FromIterator<u8> for CategorySet {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> CategorySet {
        let mut set = CategorySet::default();
        codes.into_iter().for_each(|code| set.insert(code));
        set
    }
}

/// Gives the code that a cell holds: a whole number from 0 to 254.
#[inline]
pub(crate) fn code_of(cell: f64) -> Option<u8> {
    // The cast brings NaN to 0 and cuts at both ends, so that only a code comes back as it was.
    let code = cell as u8;
    (f64::from(code) == cell && code != MISSING).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_from_0_to_254_are_codes() {
        let cells = [0.0, -0.0, 7.0, 254.0, 255.0, 256.0, -1.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let codes = [Some(0), Some(0), Some(7), Some(254), None, None, None, None, None, None, None];
        assert_eq!(cells.map(code_of), codes);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let codes = [0, 63, 64, 127, 128, 200, 254];
        let set: CategorySet = codes.into_iter().collect();
        assert_eq!(set.codes().collect::<Vec<u8>>(), codes);
        assert_eq!((set.has(64.0), set.has(65.0), set.has(64.5)), (Some(true), Some(false), None));
        assert_eq!(set.others().codes().count(), 255 - codes.len());
        assert!(set.and(set.others()).is_empty() && CategorySet::default().is_empty());
        assert_eq!(set.and([63, 65].into_iter().collect()), [63].into_iter().collect());
    }
}
