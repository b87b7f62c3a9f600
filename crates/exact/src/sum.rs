//! Exact sums, and what is built on them.

mod block;

use block::{BLOCK, Halves};

/// Digits of 32 bits: they span all doubles, with 78 bits of room for carries.
const DIGITS: usize = 68;

/// The exponent of the lowest digit: that of the least subnormal.
const LOWEST: i32 = -1074;

/// Additions after which carries are moved on, long before a digit could overflow.
const CARRY_EVERY: u32 = 1 << 30;

/// Adds doubles exactly, so that neither their order nor their split over threads can change a bit of the result.
///
/// A fixed-point number wide enough for every double, rounded once at the end (Kulisch: "Computer Arithmetic and
/// Validity", 2008, chapter 8). NaN and infinities are added beside it, with the outcome of ordinary addition.
#[derive(Debug, Clone)]
pub struct ExactSum {
    /// Signed digits; digit `k` weighs 2^(32k − 1074).
    digits: [i64; DIGITS],
    since_carry: u32,
    /// The sum of NaN and infinite terms, if there were any.
    special: Option<f64>,
    count: u64,
}

impl Default for ExactSum {
    fn default() -> ExactSum {
        ExactSum { digits: [0; DIGITS], since_carry: 0, special: None, count: 0 }
    }
}

/// Up to this many terms are added one by one, without room for a block.
const FEW: usize = 24;

impl FromIterator<f64> for ExactSum {
    fn from_iter<T: IntoIterator<Item = f64>>(terms: T) -> ExactSum {
        let mut sum = ExactSum::default();
        let mut terms = terms.into_iter();
        terms.by_ref().take(FEW).for_each(|term| sum.add(term));
        if terms.size_hint().1 != Some(0) {
            sum.add_in_blocks(terms);
        }
        sum
    }
}

impl Extend<f64> for ExactSum {
    fn extend<T: IntoIterator<Item = f64>>(&mut self, terms: T) {
        self.add_in_blocks(terms.into_iter());
    }
}

impl ExactSum {
    /// Adds one term.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        if !value.is_finite() {
            self.special = Some(self.special.unwrap_or(0.0) + value);
            return;
        }
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, position) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let shifted = u128::from(mantissa) << (position % 32);
        let first = position / 32;
        let sign = if bits >> 63 == 1 { -1 } else { 1 };
        for (place, digit) in self.digits[first..first + 3].iter_mut().enumerate() {
            *digit += sign * (shifted >> (32 * place) & 0xffff_ffff) as i64;
        }
        self.since_carry += 1;
        if self.since_carry == CARRY_EVERY {
            self.carry();
        }
    }

    /// Adds the terms block by block.
    fn add_in_blocks(&mut self, mut terms: impl Iterator<Item = f64>) {
        let mut block = [0.0; BLOCK];
        loop {
            let mut filled = 0;
            for (place, term) in block.iter_mut().zip(terms.by_ref()) {
                *place = term;
                filled += 1;
            }
            self.add_block(&block[..filled]);
            if filled < BLOCK {
                return;
            }
        }
    }

    /// Adds what `term` makes of each value: as by [`Extend`], in loops that the processor does several steps of at once.
    fn add_each(&mut self, values: &[f64], term: impl Fn(f64) -> f64) {
        if values.len() <= FEW {
            return values.iter().for_each(|value| self.add(term(*value)));
        }
        let mut block = [0.0; BLOCK];
        for values in values.chunks(BLOCK) {
            block.iter_mut().zip(values).for_each(|(place, value)| *place = term(*value));
            self.add_block(&block[..values.len()]);
        }
    }

    /// Adds at most [`BLOCK`] terms: exactly what adding one after the other gives.
    fn add_block(&mut self, block: &[f64]) {
        let Some(halves) = Halves::of(block) else { return block.iter().for_each(|term| self.add(*term)) };
        let count = self.count + block.len() as u64;
        self.add(halves.high);
        self.add(halves.low);
        if halves.is_rest_left {
            halves.rests(block).for_each(|rest| self.add(rest));
        }
        self.count = count;
    }

    /// Gives the sum, rounded to the nearest double, ties to even; 0 without terms.
    pub fn total(self) -> f64 {
        match self.special {
            Some(special) => special,
            None => {
                let (rounded, exponent) = self.parts();
                scaled(rounded, exponent)
            }
        }
    }

    /// Gives the mean: the rounded sum by the number of terms, and inside the range of doubles even where the sum is
    /// not; `None` without terms.
    pub fn mean(self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = self.count as f64;
        if let Some(special) = self.special {
            return Some(special);
        }
        let (rounded, exponent) = self.parts();
        let total = scaled(rounded, exponent);
        Some(if total.is_finite() { total / count } else { scaled(rounded / count, exponent) })
    }

    /// Gives the sum as a correctly rounded double and the power of two to multiply it with.
    fn parts(mut self) -> (f64, i32) {
        self.carry();
        let negative = self.digits[DIGITS - 1] < 0;
        if negative {
            self.digits.iter_mut().for_each(|digit| *digit = -*digit);
            self.carry();
        }
        let Some(top) = self.digits.iter().rposition(|&digit| digit != 0) else { return (0.0, 0) };
        let digit = |below: usize| top.checked_sub(below).map_or(0, |place| self.digits[place] as u128);
        let mut wide = digit(0) << 64 | digit(1) << 32 | digit(2);
        // Three digits hold at least 65 bits, more than a double can; what lies below only breaks a tie.
        if top > 2 && self.digits[..top - 2].iter().any(|&digit| digit != 0) {
            wide |= 1;
        }
        let rounded = wide as f64;
        (if negative { -rounded } else { rounded }, 32 * (top as i32 - 2) + LOWEST)
    }

    /// Brings every digit but the highest into 0..2^32; the highest keeps the sign.
    fn carry(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            let sum = *digit + carry;
            carry = sum >> 32;
            *digit = sum & 0xffff_ffff;
        }
        self.digits[DIGITS - 1] += carry;
        self.since_carry = 0;
    }
}

/// Multiplies by 2^`exponent` in two steps, either of which is inside the range of doubles.
fn scaled(value: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    value * power_of_two(half) * power_of_two(exponent - half)
}

/// Gives 2^`exponent`, for exponents from −1022 to 1023; others count as the nearer of these.
#[inline]
pub fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// Adds all `terms` exactly and rounds once.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().collect::<ExactSum>().total()
}

/// Gives the mean; `None` without values.
pub fn mean(values: &[f64]) -> Option<f64> {
    let mut sum = ExactSum::default();
    sum.add_each(values, |value| value);
    sum.mean()
}

/// Holds the mean of values and how far they lie from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The number of values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// The sum of squared distances from the mean; infinite where it is beyond the range of doubles, NaN where a value
    /// is NaN or infinite.
    pub squares: f64,
}

impl Spread {
    /// Measures `values` in two passes (Chan, Golub and LeVeque: "Algorithms for computing the sample variance", 1983,
    /// eq. 1.7, whose second term takes away the rounding of the mean); `None` without values.
    pub fn of(values: &[f64]) -> Option<Spread> {
        Some(Spread::around(mean(values)?, [values]))
    }

    /// Measures the values of `parts`, whose `mean` is known, as [`Spread::of`] measures them in one piece.
    pub fn around<'a>(mean: f64, parts: impl IntoIterator<Item = &'a [f64]>) -> Spread {
        let (mut count, mut squares, mut deviation) = (0, ExactSum::default(), ExactSum::default());
        for values in parts {
            count += values.len();
            squares.add_each(values, |value| (value - mean) * (value - mean));
            deviation.add_each(values, |value| value - mean);
        }
        let (squares, deviation) = (squares.total(), deviation.total());
        let corrected = squares - deviation * deviation / count as f64;
        Spread { count, mean, squares: if squares.is_finite() { corrected.max(0.0) } else { squares } }
    }

    /// Gives the variance of the values themselves: by their number.
    pub fn population_variance(&self) -> f64 {
        self.squares / self.count as f64
    }

    /// Gives the estimated variance of what the values were drawn from: by their number less one; `None` for one value.
    pub fn sample_variance(&self) -> Option<f64> {
        if self.count < 2 { None } else { Some(self.squares / (self.count - 1) as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles of all sizes and both signs (splitmix64).
    fn noise(count: u64, exponents: u64) -> Vec<f64> {
        let draw = |index: u64| {
            let mut bits = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^ bits >> 31
        };
        let value = |index: u64| {
            let share = (draw(2 * index) >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
            share * power_of_two((draw(2 * index + 1) % exponents) as i32 - (exponents / 2) as i32)
        };
        (1..=count).map(value).collect()
    }

    /// The values backwards, and with their halves swapped and interleaved.
    fn reordered(values: &[f64]) -> [Vec<f64>; 3] {
        let (left, right) = values.split_at(values.len() / 2);
        let woven: Vec<f64> = right.iter().zip(left).flat_map(|(a, b)| [*a, *b]).collect();
        let rest = &right[left.len().min(right.len())..];
        [values.iter().rev().copied().collect(), [right, left].concat(), [&woven, rest].concat()]
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(sum([]).to_bits(), 0);
        assert_eq!(sum([-0.0]).to_bits(), 0);
        assert_eq!(sum([1e300, 1.0, -1e300, 1e-300, -1.0, -1e-300]), 0.0);
        assert_eq!(sum([1e308, 1.0, -1e308]), 1.0);
        assert_eq!(sum([0.1; 10]), 1.0);
        assert_eq!(sum([1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(sum([-3.5, 1.25]), -2.25);
        assert_eq!(sum([5e-324, 5e-324]), 1e-323);
        assert_eq!(sum([1e-320, -3e-320]), -2e-320);
        assert_eq!(sum([f64::MIN_POSITIVE, -5e-324]), f64::MIN_POSITIVE - 5e-324);
        assert_eq!(sum([f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
    }

    #[test]
    fn rounding_is_to_nearest_and_ties_go_to_even() {
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum([1.0, half]), 1.0);
        assert_eq!(sum([1.0 + f64::EPSILON, half]), 1.0 + 2.0 * f64::EPSILON);
        // However far below, what is left over breaks the tie.
        assert_eq!(sum([1.0, half, 1e-40]), 1.0 + f64::EPSILON);
        assert_eq!(sum([1.0, half, 5e-324]), 1.0 + f64::EPSILON);
        assert_eq!(sum([-1.0, -half, -5e-324]), -1.0 - f64::EPSILON);
        assert_eq!(sum([1.0 + f64::EPSILON, half, -5e-324]), 1.0 + f64::EPSILON);
    }

    #[test]
    fn infinities_and_nan_are_those_of_addition() {
        let (infinity, nan) = (f64::INFINITY, f64::NAN);
        assert_eq!(sum([f64::MAX, f64::MAX]), infinity);
        assert_eq!(sum([-f64::MAX, -f64::MAX]), -infinity);
        assert_eq!(sum([1.0, infinity, -1e308]), infinity);
        assert_eq!(mean(&[-infinity, 1.0]), Some(-infinity));
        for terms in [[infinity, -infinity], [nan, 1.0], [infinity, nan]] {
            assert!(sum(terms).is_nan());
            assert!(mean(&terms).is_some_and(f64::is_nan));
            assert!(Spread::of(&terms).is_some_and(|spread| spread.squares.is_nan()));
        }
    }

    #[test]
    fn a_mean_survives_an_overflowing_sum() {
        assert_eq!(mean(&[f64::MAX; 3]), Some(f64::MAX));
        assert_eq!(mean(&[f64::MAX, f64::MAX, -f64::MAX]), Some(f64::MAX / 3.0));
        assert_eq!(mean(&[5e-324, 5e-324, 5e-324]), Some(5e-324));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn the_order_changes_no_bit() {
        for exponents in [1, 40, 200, 1_900] {
            let values = noise(5_001, exponents);
            let forward = Spread::of(&values).map(|spread| (spread.mean.to_bits(), spread.squares.to_bits()));
            for other in reordered(&values) {
                assert_eq!(other.len(), values.len());
                assert_eq!(sum(other.iter().copied()).to_bits(), sum(values.iter().copied()).to_bits());
                let backward = Spread::of(&other).map(|spread| (spread.mean.to_bits(), spread.squares.to_bits()));
                assert_eq!(backward, forward);
                let median = |values: &[f64]| crate::median(&mut values.to_vec()).map(f64::to_bits);
                assert_eq!(median(&other), median(&values));
            }
        }
    }

    #[test]
    fn a_block_adds_what_its_terms_add() {
        let (infinity, nan) = (f64::INFINITY, f64::NAN);
        let odd = [0.0, -0.0, 5e-324, f64::MAX, -f64::MAX, f64::MIN_POSITIVE, 1e-300, infinity, nan];
        for exponents in [1, 2, 20, 60, 100, 400, 1_900] {
            for count in [FEW as u64, FEW as u64 + 1, 40, 255, 256, 257, 300, 1_000, 5_003] {
                let mut values = noise(count, exponents);
                for with in [None, Some(0), Some(3), Some(4), Some(6), Some(7), Some(8)] {
                    if let Some(at) = with {
                        let place = values.len() / 2 + at;
                        values[place] = odd[at];
                    }
                    let mut one_by_one = ExactSum::default();
                    values.iter().for_each(|value| one_by_one.add(*value));
                    let whole: ExactSum = values.iter().copied().collect();
                    assert_eq!(whole.count, one_by_one.count);
                    let [mean, expected] = [&whole, &one_by_one].map(|sum| sum.clone().mean().map(f64::to_bits));
                    let [whole, expected_sum] = [whole, one_by_one].map(|sum| sum.total());
                    assert!(whole.to_bits() == expected_sum.to_bits() || (whole.is_nan() && expected_sum.is_nan()));
                    assert!(mean == expected || whole.is_nan(), "{exponents} {count} {with:?}");
                }
            }
        }
    }

    #[test]
    fn a_spread_survives_cancellation() {
        let spread = |values: &[f64]| Spread::of(values).expect("values");
        let far = spread(&[1e15, 1e15 + 1.0, 1e15 + 2.0]);
        assert_eq!((far.mean, far.squares, far.population_variance()), (1e15 + 1.0, 2.0, 2.0 / 3.0));
        assert_eq!(far.sample_variance(), Some(1.0));
        // Neighbouring doubles have no mean between them; half a step each way is still right.
        let (low, step) = (1.0, f64::EPSILON);
        assert_eq!(spread(&[low, low + step]).squares, step * step / 2.0);
        let mixed = spread(&[1e16, 1.0, -1e16]);
        assert_eq!((mixed.mean, mixed.squares), (1.0 / 3.0, 2e32));
        assert_eq!(spread(&[0.1; 10]).squares, 0.0);
        assert_eq!(spread(&[f64::MAX, -f64::MAX]).squares, f64::INFINITY);
        assert_eq!(spread(&[f64::MAX, f64::MAX, 0.0]).squares, f64::INFINITY);
        assert_eq!(spread(&[7.0]).sample_variance(), None);
        assert_eq!(Spread::of(&[]), None);
    }
}
