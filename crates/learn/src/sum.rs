//! Sums whose bits do not depend on the order of their terms.

/// The number of 32-bit digits that span all doubles, with room for carries.
const DIGITS: usize = 70;

/// Additions after which carries are moved on, long before a digit could overflow.
const CARRY_EVERY: u32 = 1 << 28;

/// Adds doubles exactly, so that neither their order nor their split over threads can change a bit of the result.
///
/// A fixed-point number wide enough for every double (Kulisch: "Computer Arithmetic and Validity", 2008, chapter 8).
#[derive(Debug, Clone)]
pub(crate) struct ExactSum {
    /// Signed digits; digit `k` weighs 2^(32k − 1074).
    digits: [i64; DIGITS],
    since_carry: u32,
    /// The sum of NaN and infinite terms, if there were any.
    special: Option<f64>,
}

impl ExactSum {
    pub(crate) fn new() -> ExactSum {
        ExactSum { digits: [0; DIGITS], since_carry: 0, special: None }
    }

    pub(crate) fn add(&mut self, value: f64) {
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

    /// Gives the sum as a double.
    pub(crate) fn value(mut self) -> f64 {
        if let Some(special) = self.special {
            return special;
        }
        self.carry();
        let negative = self.digits[DIGITS - 1] < 0;
        if negative {
            self.digits.iter_mut().for_each(|digit| *digit = -*digit);
            self.carry();
        }
        let Some(top) = self.digits.iter().rposition(|&digit| digit != 0) else { return 0.0 };
        // The three highest digits hold at least 65 bits: more than a double can.
        let lowest = top.saturating_sub(2);
        let magnitude = self.digits[lowest..=top].iter().rev().fold(0u128, |sum, &digit| sum << 32 | digit as u128);
        let exponent = 32 * lowest as i32 - 1074;
        let half = exponent / 2;
        let value = magnitude as f64 * power_of_two(half) * power_of_two(exponent - half);
        if negative { -value } else { value }
    }

    /// Brings every digit but the highest into 0..2^32.
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

/// Adds all `terms` exactly.
pub(crate) fn exact(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = ExactSum::new();
    terms.into_iter().for_each(|term| sum.add(term));
    sum.value()
}

/// Gives 2^`exponent`, for exponents from −1022 to 1023.
pub(crate) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_in_any_order() {
        assert_eq!(exact([]), 0.0);
        assert_eq!(exact([1e300, 1.0, -1e300, 1e-300, -1.0, -1e-300]), 0.0);
        assert_eq!(exact([0.1; 10]), 1.0);
        assert_eq!(exact([1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(exact([-3.5, 1.25]), -2.25);
        assert_eq!(exact([5e-324, 5e-324]), 1e-323);
        assert_eq!(exact([f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(exact([f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(exact([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn a_sum_does_not_depend_on_order() {
        let key = trainyard_random::Key::new(5, "sum");
        let mut terms: Vec<f64> = (0..5_000)
            .map(|index| (key.uniform(index) - 0.5) * power_of_two((key.at(index + 9_999) % 200) as i32 - 100))
            .collect();
        let forward = exact(terms.iter().copied());
        key.stream().shuffle(&mut terms);
        assert_eq!(forward.to_bits(), exact(terms).to_bits());
    }
}
