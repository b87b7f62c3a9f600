//! What depends on the order of sizes: medians and quantiles.

/// Gives the value in the middle, of an even number of values the mean of the two; reorders them. `None` without values.
///
/// The two zeros differ here, so that the result does not depend on which comes first; NaN counts as largest.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if count.is_multiple_of(2) => Some(halfway(lower, *upper)),
        _ => Some(*upper),
    }
}

/// Gives the mean of two values without overflow.
#[inline]
pub fn halfway(lower: f64, upper: f64) -> f64 {
    let sum = lower + upper;
    if sum.is_finite() || !lower.is_finite() || !upper.is_finite() { sum / 2.0 } else { lower / 2.0 + upper / 2.0 }
}

/// Gives the quantile at `share`, from 0 to 1, of sorted values: linear between the two nearest, as NumPy's default.
///
/// It interpolates as NumPy does: from the nearer end, so that equal neighbours give exactly their value. `None` without
/// values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor();
    let weight = place - below;
    let low = *sorted.get(below as usize)?;
    let high = *sorted.get(below as usize + 1).unwrap_or(&low);
    let step = high - low;
    if low == high {
        return Some(low);
    }
    Some(if weight < 0.5 { low + step * weight } else { high - step * (1.0 - weight) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), Some(f64::MAX));
        assert_eq!(median(&mut [5e-324, 5e-324]), Some(5e-324));
        assert_eq!(median(&mut [f64::NEG_INFINITY, 1.0]), Some(f64::NEG_INFINITY));
        assert!(median(&mut [f64::NEG_INFINITY, f64::INFINITY]).is_some_and(f64::is_nan));
    }

    #[test]
    fn the_zeros_have_an_order() {
        for mut values in [[0.0, -0.0, -0.0], [-0.0, 0.0, -0.0], [-0.0, -0.0, 0.0]] {
            assert_eq!(median(&mut values).map(f64::to_bits), Some((-0.0f64).to_bits()));
        }
        for mut values in [[-0.0, -0.0, 0.0, 0.0], [0.0, -0.0, 0.0, -0.0]] {
            assert_eq!(median(&mut values).map(f64::to_bits), Some(0));
        }
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        let sorted = [0.0, 1.0, 2.0, 4.0];
        let at = [0.0, 0.25, 0.5, 0.9, 1.0].map(|share| quantile(&sorted, share));
        assert_eq!(at, [Some(0.0), Some(0.75), Some(1.5), Some(3.4000000000000004), Some(4.0)]);
        assert_eq!(quantile(&[0.1, 0.1, 0.1], 0.3), Some(0.1));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0], 1.0), Some(1.0));
    }
}
