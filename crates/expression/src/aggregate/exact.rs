//! An exact sum of floats: a fixed-point number wide enough for every double, rounded once at the end.
//!
//! The idea is Kulisch's long accumulator (*Advanced Arithmetic for the Digital Computer*, 2002).

/// Digits of 32 bits: 2,046 exponents, 53 bits and room for carries.
const DIGITS: usize = 68;
/// The exponent of the lowest digit: that of the least subnormal.
const LOWEST: i32 = -1074;

/// Sums floats without rounding.
pub(super) struct ExactSum {
    /// Digits that may be negative or carry until they are settled.
    digits: [i64; DIGITS],
    unsettled: u32,
    infinite: f64,
    count: usize,
}

impl ExactSum {
    /// Sums numbers, none of which is NaN.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> ExactSum {
        let mut sum = ExactSum { digits: [0; DIGITS], unsettled: 0, infinite: 0.0, count: 0 };
        numbers.into_iter().for_each(|number| sum.add(number));
        sum
    }

    fn add(&mut self, number: f64) {
        self.count += 1;
        if !number.is_finite() {
            // Infinities of both signs make NaN.
            self.infinite += number;
            return;
        }
        let bits = number.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let mut wide = u128::from(mantissa) << (shift % 32);
        for digit in self.digits.iter_mut().skip(shift / 32).take(3) {
            let part = (wide & 0xffff_ffff) as i64;
            *digit += if number < 0.0 { -part } else { part };
            wide >>= 32;
        }
        self.unsettled += 1;
        if self.unsettled == 1 << 30 {
            self.settle();
        }
    }

    /// Carries until every digit but the last is from 0 to 2³² − 1; the last one keeps the sign.
    fn settle(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            let value = *digit + carry;
            *digit = value & 0xffff_ffff;
            carry = value >> 32;
        }
        self.digits[DIGITS - 1] += carry;
        self.unsettled = 0;
    }

    /// Gives the sum as a correctly rounded float and a power of two to multiply it with.
    fn parts(mut self) -> (f64, i32) {
        self.settle();
        let negative = self.digits[DIGITS - 1] < 0;
        if negative {
            self.digits.iter_mut().for_each(|digit| *digit = -*digit);
            self.settle();
        }
        let Some(top) = self.digits.iter().rposition(|digit| *digit != 0) else { return (0.0, 0) };
        let digit = |below: usize| top.checked_sub(below).map_or(0, |place| self.digits[place] as u128);
        let mut wide = digit(0) << 64 | digit(1) << 32 | digit(2);
        // Anything below the 65 or more bits gathered only matters for breaking a tie.
        if top > 2 && self.digits[..top - 2].iter().any(|digit| *digit != 0) {
            wide |= 1;
        }
        let rounded = wide as f64;
        (if negative { -rounded } else { rounded }, 32 * (top as i32 - 2) + LOWEST)
    }

    /// Gives the sum, rounded to the nearest float.
    pub(super) fn total(self) -> f64 {
        if self.infinite != 0.0 {
            return self.infinite;
        }
        let (rounded, exponent) = self.parts();
        libm::scalbn(rounded, exponent)
    }

    /// Gives the mean; even where the sum is too large for a float. `None` without numbers.
    pub(super) fn mean(self) -> Option<f64> {
        let count = self.count as f64;
        if self.count == 0 {
            return None;
        }
        if self.infinite != 0.0 {
            return Some(self.infinite);
        }
        let (rounded, exponent) = self.parts();
        Some(libm::scalbn(rounded / count, exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::ExactSum;

    fn total(numbers: &[f64]) -> f64 {
        ExactSum::of(numbers.iter().copied()).total()
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(total(&[1e308, 1.0, -1e308]), 1.0);
        assert_eq!(total(&[0.1; 10]), 1.0);
        assert_eq!(total(&[1e-320, -3e-320]), -2e-320);
        assert_eq!(total(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(total(&[1.0, 1.1102230246251565e-16, 1e-40]), 1.0 + f64::EPSILON);
        assert_eq!(total(&[1.0, 1.1102230246251565e-16]), 1.0);
        assert!(total(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(total(&[]), 0.0);
    }

    #[test]
    fn a_mean_survives_an_overflowing_sum() {
        assert_eq!(ExactSum::of([f64::MAX, f64::MAX, f64::MAX]).mean(), Some(f64::MAX));
        assert_eq!(ExactSum::of([]).mean(), None);
    }
}
