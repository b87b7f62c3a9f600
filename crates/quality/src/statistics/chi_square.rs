//! Tests of counts: Pearson's chi-square, and two proportions.

use std::f64::consts::SQRT_2;

/// Gives the statistic and the p-value of Pearson's test that `current` counts follow the shares of `reference` counts,
/// with one degree of freedom less than there are categories.
///
/// A category that the reference does not have makes the statistic infinite. `None` where a side counts nothing, or
/// with fewer than two categories, which have nothing to differ in.
pub fn chi_square(reference: &[u64], current: &[u64]) -> Option<(f64, f64)> {
    let (expected, observed): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    let categories = reference.iter().zip(current).filter(|(reference, current)| **reference + **current > 0);
    let freedom = categories.clone().count().checked_sub(1).filter(|freedom| *freedom > 0)?;
    if expected == 0 || observed == 0 {
        return None;
    }
    let scale = observed as f64 / expected as f64;
    let term = |(reference, current): (&u64, &u64)| {
        let expected = *reference as f64 * scale;
        let off = *current as f64 - expected;
        off * off / expected
    };
    let statistic: f64 = categories.map(term).sum();
    Some((statistic, upper_gamma(freedom as f64 / 2.0, statistic / 2.0)))
}

/// Gives the statistic and the two-sided p-value of the test that two proportions are equal, by their pooled variance.
///
/// `first` and `second` count hits among how many. `None` where one of them counts nothing, or where all or none are
/// hits.
pub fn proportions(first: (u64, u64), second: (u64, u64)) -> Option<(f64, f64)> {
    let (m, n) = (first.1 as f64, second.1 as f64);
    let pooled = (first.0 + second.0) as f64 / (m + n);
    let variance = pooled * (1.0 - pooled) * (1.0 / m + 1.0 / n);
    if first.1 == 0 || second.1 == 0 || variance <= 0.0 {
        return None;
    }
    let z = (first.0 as f64 / m - second.0 as f64 / n) / variance.sqrt();
    Some((z, libm::erfc(z.abs() / SQRT_2)))
}

/// The relative size of a term that adds nothing.
const NOTHING: f64 = 1e-17;
/// More terms than any count of categories asks for: they grow with its square root.
const MOST_TERMS: usize = 1_000_000;

/// Gives the regularised upper incomplete gamma function Q(a, x), from 0 to 1, for a > 0 and x ≥ 0.
///
/// By the series of P below a + 1, by Lentz's continued fraction above (Press et al.: "Numerical Recipes", 3rd edition,
/// section 6.2).
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if !x.is_finite() {
        return if x.is_nan() { f64::NAN } else { 0.0 };
    }
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..MOST_TERMS {
            term *= x / (a + step as f64);
            sum += term;
            if term < sum * NOTHING {
                break;
            }
        }
        return (1.0 - sum * front).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / f64::MIN_POSITIVE;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..MOST_TERMS {
        let step = step as f64;
        let numerator = -step * (step - a);
        b += 2.0;
        d = 1.0 / nonzero(numerator * d + b);
        c = nonzero(b + numerator / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

fn nonzero(value: f64) -> f64 {
    if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value }
}
