//! Student's t distribution.

use libm::{exp, lgamma, log, sqrt};

/// Gives the one-sided probability that a mean as far above 0 comes about by chance, the variance of the mean being
/// `share` times that of the `values`; none of fewer than two, or of values that are not finite.
///
/// A `share` of `1 / n` is the plain t test of `n` values. Values without variance give 0 above 0, else 1; no variance
/// and no mean give 0.5.
pub(crate) fn mean_above_zero(values: &[f64], share: f64) -> Option<f64> {
    let count = values.len();
    if count < 2 || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let error = sqrt(squares / (count - 1) as f64 * share);
    if error == 0.0 {
        return Some(if mean > 0.0 { 0.0 } else { 0.5 + 0.5 * f64::from(u8::from(mean < 0.0)) });
    }
    Some(above(mean / error, (count - 1) as f64))
}

/// Gives the probability of a value above `t` with `freedom` degrees of freedom, above 0.
pub(crate) fn above(t: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t));
    if t > 0.0 { tail } else { 1.0 - tail }
}

/// Gives the value that is exceeded with the probability `risk`, above 0 and below 0.5.
pub(crate) fn exceeded(risk: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while above(high, freedom) > risk && high < 1e300 {
        high *= 2.0;
    }
    // Each step halves the range: after so many there is no double left in it.
    for _ in 0..1100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if above(middle, freedom) > risk { low = middle } else { high = middle }
    }
    high
}

/// Gives the regularised incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8), evaluated
/// from the front by the modified Lentz method (Thompson and Barnett, J. Comput. Phys. 64, 1986).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x >= 1.0 { 1.0 } else { 0.0 };
    }
    // The fraction converges fast on the side of the mean where it is used.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x)) / a;
    let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / nonzero(1.0 + even * d);
        c = nonzero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / nonzero(1.0 + odd * d);
        c = nonzero(1.0 + odd / c);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}
