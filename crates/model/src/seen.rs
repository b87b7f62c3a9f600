//! The rows that a model has seen, as digests.

use trainyard_data::rows::RowDigest;

const MAGIC: &[u8; 8] = b"TYSEEN\x00\x01";

/// Knows the digests of all rows that fitted, tuned or thresholded a model, or chose it.
///
/// A row counts as seen when its key or its content was, so that neither a changed cell nor a changed key lets a row that
/// was trained on judge the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenRows {
    keys: Vec<u64>,
    contents: Vec<u64>,
}

impl SeenRows {
    /// Collects rows in any order.
    pub fn new(rows: impl IntoIterator<Item = RowDigest>) -> SeenRows {
        let (keys, contents) = rows.into_iter().map(|row| (row.key, row.content)).unzip();
        SeenRows { keys: sorted(keys), contents: sorted(contents) }
    }

    /// Says whether the model has seen a row with this key or this content.
    pub fn contains(&self, row: &RowDigest) -> bool {
        self.keys.binary_search(&row.key).is_ok() || self.contents.binary_search(&row.content).is_ok()
    }

    /// Gives the number of distinct keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.contents.is_empty()
    }

    /// Writes the digests: a mark, both counts, then both sorted lists, little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let counts = [self.keys.len() as u64, self.contents.len() as u64];
        let numbers = counts.iter().chain(&self.keys).chain(&self.contents);
        bytes.extend(numbers.flat_map(|number| number.to_le_bytes()));
        bytes
    }

    /// Reads what [`SeenRows::to_bytes`] wrote; says what is wrong with anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<SeenRows, &'static str> {
        let numbers = bytes.strip_prefix(MAGIC).ok_or("it does not begin as such a file does")?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let (Some(keys), Some(contents)) = (numbers.next(), numbers.next()) else { return Err("it is cut off") };
        if !rest.is_empty() || keys.checked_add(contents) != Some(numbers.len() as u64) {
            return Err("its length is not the one it states");
        }
        let keys: Vec<u64> = numbers.by_ref().take(keys as usize).collect();
        let contents: Vec<u64> = numbers.collect();
        let is_sorted = |list: &[u64]| list.windows(2).all(|pair| pair[0] < pair[1]);
        if is_sorted(&keys) && is_sorted(&contents) {
            Ok(SeenRows { keys, contents })
        } else {
            Err("its digests are not in order")
        }
    }
}

fn sorted(mut list: Vec<u64>) -> Vec<u64> {
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_or_content_is_enough() {
        let seen = SeenRows::new([RowDigest { key: 1, content: 10 }, RowDigest { key: 2, content: 10 }]);
        assert!(seen.contains(&RowDigest { key: 1, content: 99 }));
        assert!(seen.contains(&RowDigest { key: 99, content: 10 }));
        assert!(!seen.contains(&RowDigest { key: 10, content: 1 }));
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn every_cut_and_flip_is_noticed_or_harmless() {
        let seen = SeenRows::new((0..5).map(|row| RowDigest { key: row * 7, content: row * 1_000_003 }));
        let bytes = seen.to_bytes();
        assert_eq!(SeenRows::from_bytes(&bytes), Ok(seen.clone()));
        for length in 0..bytes.len() {
            assert!(SeenRows::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            assert_ne!(SeenRows::from_bytes(&flipped), Ok(seen.clone()), "flipped {at}");
        }
    }
}
