//! Sorting doubles.

use std::ops::Range;

/// Sorts a sample; the two zeros become one, NaN and infinities are left out.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    Room::default().sorted(values)
}

/// Memory that one sample after another is sorted in: asking the system for it takes about as long as the sorting.
#[derive(Debug, Default)]
pub(crate) struct Room {
    free: Vec<Vec<f64>>,
}

impl Room {
    /// Sorts a sample as [`sorted`] does.
    pub(crate) fn sorted(&mut self, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let values = values.into_iter();
        let mut sample = self.free.pop().unwrap_or_default();
        sample.clear();
        sample.reserve(values.size_hint().1.unwrap_or_default());
        // Adding nothing takes the sign from a negative zero.
        sample.extend(values.filter(|value| value.is_finite()).map(|value| value + 0.0));
        if !SORTED_BY_DIGITS.contains(&sample.len()) {
            sample.sort_unstable_by(f64::total_cmp);
        } else {
            let mut other = self.free.pop().unwrap_or_default();
            by_digits(&mut sample, &mut other);
            self.take_back(other);
        }
        sample
    }

    /// Takes back a sample that is no longer needed.
    pub(crate) fn take_back(&mut self, sample: Vec<f64>) {
        self.free.push(sample);
    }
}

/// Gives a number that is ordered as the double is.
#[inline]
pub(crate) fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

/// Gives the double of a key.
#[inline]
pub(crate) fn value(key: u64) -> f64 {
    f64::from_bits(key ^ ((!key as i64 >> 63) as u64 | 1 << 63))
}

/// The most bits of a digit: its counters stay close to the processor.
const BITS: u32 = 13;
/// Below this many values a comparison sort is faster.
const FEW: usize = 1 << 12;
/// How many values are sorted by digits: a counter has 32 bits.
const SORTED_BY_DIGITS: Range<usize> = FEW..1 << 32;

/// Sorts by one digit after the other, from the lowest, of what differs among the values: bits below all of them and
/// the range that they share are no part of a digit.
fn by_digits(values: &mut Vec<f64>, other: &mut Vec<f64>) {
    let (mut bits, mut least, mut most) = (0, u64::MAX, 0);
    for value in &*values {
        let key = key(*value);
        bits |= value.to_bits();
        least = least.min(key);
        most = most.max(key);
    }
    // Where no value is but zero, any number of bits will do.
    let below = bits.trailing_zeros() & 63;
    let least = least >> below;
    let reduced = |value: f64| (key(value) >> below) - least;
    let range = u64::BITS - ((most >> below) - least).leading_zeros();
    let digits = range.div_ceil(BITS);
    if digits == 0 {
        return;
    }
    let width = range.div_ceil(digits);
    let (count, mask) = (1 << width, (1_u64 << width) - 1);
    let mut starts = vec![0_u32; count * digits as usize];
    for value in &*values {
        let mut rest = reduced(*value);
        for starts in starts.chunks_exact_mut(count) {
            starts[(rest & mask) as usize] += 1;
            rest >>= width;
        }
    }
    other.resize(values.len(), 0.0);
    for (place, starts) in (0..).zip(starts.chunks_exact_mut(count)) {
        let mut before = 0;
        for start in starts.iter_mut() {
            before += std::mem::replace(start, before);
        }
        for value in &*values {
            let start = &mut starts[(reduced(*value) >> (place * width) & mask) as usize];
            other[*start as usize] = *value;
            *start += 1;
        }
        std::mem::swap(values, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: Vec<f64>, room: &mut Room) {
        let mut expected = values.clone();
        expected.sort_unstable_by(f64::total_cmp);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let found = room.sorted(values.iter().copied());
        assert_eq!(bits(&found), bits(&expected));
        room.take_back(found);
        assert_eq!(bits(&sorted(values)), bits(&expected));
    }

    #[test]
    fn sorting_keeps_every_finite_value() {
        let odd = [3.5, -0.0, 0.0, f64::MIN, f64::MAX, -5e-324, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let kept = [f64::MIN, -5e-324, 0.0, 0.0, 5e-324, 3.5, f64::MAX];
        assert_eq!(sorted(odd), kept);
        let draw = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let share = |at: usize| (draw(at) >> 11) as f64 / 9.1e15 - 0.5;
        let mut room = Room::default();
        for (count, levels) in [(FEW - 1, 1e9), (FEW, 1e9), (3 * FEW, 7.0), (2 * FEW, 1.0), (FEW, 0.0)] {
            check((0..count).map(|at| (share(at) * levels).round() + 0.0).collect(), &mut room);
            check((0..count).map(|at| 5.0 + (share(at) * levels).round()).collect(), &mut room);
            // All bits, those of single precision, whole numbers of one sign and one value.
            check((0..count).map(share).collect(), &mut room);
            check((0..count).map(|at| f64::from(share(at) as f32)).collect(), &mut room);
            check((0..count).map(|at| -((draw(at) >> 40) as f64 + 1.0)).collect(), &mut room);
            check((0..count).map(|at| f64::from_bits(draw(at)) + 0.0).filter(|v| v.is_finite()).collect(), &mut room);
            check((0..count).map(|at| kept[draw(at) as usize % kept.len()]).collect(), &mut room);
        }
    }
}
