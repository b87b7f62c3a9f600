//! The log loss of several rows side by side.

/// Rows that are computed together.
pub(crate) const LANES: usize = 8;

/// Beyond this the exponential is no normal number; a row so far from its border counts as if it were here.
const FARTHEST: f64 = 708.0;

/// Added to a small double and taken away again, rounds it to a whole number, whose bits are then the lowest.
const TO_WHOLE: f64 = 6_755_399_441_055_744.0;

/// The natural logarithm of 2 in two parts: products of the first with whole numbers up to 2^20 are exact.
const LN_2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];

/// What the log loss says about each of some rows: its loss is `linear + log(factor)`.
pub(crate) struct Logistic {
    pub(crate) gradients: [f64; LANES],
    pub(crate) hessians: [f64; LANES],
    pub(crate) linear: [f64; LANES],
    /// From 1 to 2.
    pub(crate) factors: [f64; LANES],
}

impl Logistic {
    /// Computes gradients and hessians at `margins` of `targets` in {0, 1}.
    #[inline(always)]
    pub(crate) fn at(margins: &[f64; LANES], targets: &[f64; LANES]) -> Logistic {
        Logistic::of(margins, targets, &exponentials(margins))
    }

    /// Does so where the [`exponentials`] are known.
    #[inline(always)]
    pub(crate) fn of(margins: &[f64; LANES], targets: &[f64; LANES], tails: &[f64; LANES]) -> Logistic {
        let mut rows =
            Logistic { gradients: [0.0; LANES], hessians: [0.0; LANES], linear: [0.0; LANES], factors: [0.0; LANES] };
        // No branch anywhere: two lanes share each instruction.
        for lane in 0..LANES {
            let (margin, tail) = (margins[lane], tails[lane]);
            let sign = 1.0 - 2.0 * targets[lane];
            let wrong = sign * margin;
            let factor = 1.0 + tail;
            let large = 1.0 / factor;
            let share = if wrong > 0.0 { 1.0 } else { tail };
            rows.gradients[lane] = sign * (share * large);
            rows.hessians[lane] = large * (tail * large);
            rows.linear[lane] = if wrong > 0.0 { wrong } else { 0.0 };
            rows.factors[lane] = factor;
        }
        rows
    }
}

/// Gives `exp(-|value|)` of each value, with an error of at most four units in the last place; NaN of NaN.
///
/// Sums, products and roundings alone, so that each lane has the same bits on every machine: `exp(x) = 2^k exp(r)` with
/// `|r| ≤ ln(2) / 2`, and of `exp(r)` the first terms of its power series.
#[inline(always)]
pub(crate) fn exponentials(values: &[f64; LANES]) -> [f64; LANES] {
    let mut results = [0.0; LANES];
    for (result, value) in results.iter_mut().zip(values) {
        let exponent = -value.abs();
        let exponent = if exponent < -FARTHEST { -FARTHEST } else { exponent };
        let shifted = exponent * std::f64::consts::LOG2_E + TO_WHOLE;
        let whole = shifted - TO_WHOLE;
        let rest = exponent - whole * LN_2[0] - whole * LN_2[1];
        let mut series = 1.0 / 6_227_020_800.0;
        for inverse in [
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5_040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
            1.0,
            1.0,
        ] {
            series = series * rest + inverse;
        }
        *result = series * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainyard_random::Key;

    #[test]
    fn exponentials_are_those_of_the_library_but_for_rounding() {
        let key = Key::new(1, "test");
        for start in (0..20_000u64).step_by(LANES) {
            let value =
                |lane: usize| (key.uniform(start + lane as u64) - 0.5) * if start % 3 == 0 { 1416.0 } else { 8.0 };
            let values: [f64; LANES] = std::array::from_fn(value);
            for (found, value) in exponentials(&values).iter().zip(values) {
                let wanted = libm::exp(-value.abs());
                assert!((found - wanted).abs() <= 2.0 * f64::EPSILON * wanted, "{value}: {found} instead of {wanted}");
            }
        }
    }

    #[test]
    fn the_ends_are_what_they_must_be() {
        let least = libm::exp(-FARTHEST);
        let found = exponentials(&[0.0, -0.0, f64::INFINITY, -1e300, 708.0, 709.0, f64::NAN, 5e-324]);
        assert_eq!(found[..2], [1.0, 1.0]);
        for tail in &found[2..6] {
            assert!((tail / least - 1.0).abs() < 1e-15);
        }
        assert!(found[6].is_nan());
        assert_eq!(found[7], 1.0);
    }

    #[test]
    fn a_row_far_on_the_wrong_side_loses_its_margin() {
        let rows = Logistic::at(
            &[800.0, 800.0, -800.0, -800.0, 0.0, 0.0, 3.0, -3.0],
            &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0],
        );
        assert_eq!(rows.linear, [800.0, 0.0, 0.0, 800.0, 0.0, 0.0, 0.0, 3.0]);
        assert_eq!(rows.gradients[0], 1.0);
        assert_eq!(rows.gradients[3], -1.0);
        assert_eq!(rows.gradients[4..6], [0.5, -0.5]);
        assert_eq!(rows.hessians[4], 0.25);
        assert!(rows.gradients[1] <= 0.0 && rows.gradients[1] > -1e-300);
        assert!((rows.gradients[6] + 0.047_425_873_177_566_78).abs() < 1e-16);
        assert!((rows.gradients[7] + 0.952_574_126_822_433_2).abs() < 1e-15);
    }
}
