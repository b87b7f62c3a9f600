//! Integrals of polynomials over 0..1.

/// Holds the points and weights of a Gauss–Legendre rule on 0..1.
///
/// `n` points integrate polynomials up to degree 2n − 1 exactly (Abramowitz and Stegun: "Handbook of Mathematical
/// Functions", 1964, 25.4.30); all weights are positive, so nothing cancels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// The points.
    pub(super) points: Vec<f64>,
    /// One minus each point, without the rounding of a difference.
    pub(super) complements: Vec<f64>,
    /// The weights; they add up to 1.
    pub(super) weights: Vec<f64>,
}

impl Rule {
    /// Makes the rule of `n` points.
    pub(super) fn new(n: usize) -> Rule {
        let mut rule = Rule { points: Vec::new(), complements: Vec::new(), weights: Vec::new() };
        for place in 0..n {
            let guess = libm::cos(std::f64::consts::PI * (place as f64 + 0.75) / (n as f64 + 0.5));
            // The guess is right to several digits, which each step of Newton's doubles: six reach the last.
            let root = (0..6).fold(guess, |root, _| {
                let (value, slope) = legendre(n, root);
                root - value / slope
            });
            let (_, slope) = legendre(n, root);
            rule.points.push(0.5 * (1.0 - root));
            rule.complements.push(0.5 * (1.0 + root));
            rule.weights.push(1.0 / ((1.0 - root * root) * slope * slope));
        }
        rule
    }
}

/// Gives the Legendre polynomial of degree `n` and its slope at `x`, by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for degree in 0..n {
        let degree = degree as f64;
        let next = ((2.0 * degree + 1.0) * x * value - degree * before) / (degree + 1.0);
        (before, value) = (value, next);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_up_to_the_promised_degree_are_exact() {
        for n in [1, 2, 3, 7, 32, 100] {
            let rule = Rule::new(n);
            for degree in 0..2 * n {
                let terms = rule.points.iter().zip(&rule.weights);
                let sum: f64 = terms.map(|(point, weight)| weight * libm::pow(*point, degree as f64)).sum();
                let wanted = 1.0 / (degree as f64 + 1.0);
                assert!((sum - wanted).abs() <= 1e-13, "{n} points, degree {degree}: {sum} {wanted}");
            }
        }
    }
}
