//! Distances of two distributions over the same categories or bins.

/// Gives the share of each count in the whole; `None` where nothing is counted.
pub fn shares(counts: &[u64]) -> Option<Vec<f64>> {
    let all: u64 = counts.iter().sum();
    (all > 0).then(|| counts.iter().map(|count| *count as f64 / all as f64).collect())
}

/// What stands for a share of nothing where the least other share is above [`SMALL`].
const FILL: f64 = 1e-4;
const SMALL: f64 = 1e-4;

/// Replaces shares of nothing, of which logarithms know nothing, as Evidently does: by a millionth of the least other
/// share where that is at most 1e-4, else by 1e-4.
fn filled(shares: &[f64]) -> Vec<f64> {
    let least = shares.iter().copied().filter(|share| *share > 0.0).fold(f64::INFINITY, f64::min);
    let fill = if least <= SMALL { least / 1e6 } else { FILL };
    shares.iter().map(|share| if *share == 0.0 { fill } else { *share }).collect()
}

/// Gives the population stability index Σ (p − q) ln(p / q), from 0; shares of nothing are filled.
pub fn psi(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (filled(reference), filled(current));
    p.iter().zip(&q).map(|(p, q)| (p - q) * libm::log(p / q)).sum()
}

/// Gives the Kullback–Leibler divergence Σ p ln(p / q) of the reference from the current shares, from 0, in nats;
/// shares of nothing are filled, and both sides scaled to a sum of 1 again.
pub fn kl_divergence(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (scaled(&filled(reference)), scaled(&filled(current)));
    p.iter().zip(&q).map(|(p, q)| relative_entropy(*p, *q)).sum()
}

/// Gives the Jensen–Shannon distance, the square root of the divergence in nats: from 0 to √ln 2.
pub fn jensen_shannon(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (scaled(reference), scaled(current));
    let to_middle = |one: &[f64], other: &[f64]| -> f64 {
        one.iter().zip(other).map(|(one, other)| relative_entropy(*one, (one + other) / 2.0)).sum()
    };
    // Rounding may leave less than nothing.
    ((to_middle(&p, &q) + to_middle(&q, &p)) / 2.0).max(0.0).sqrt()
}

/// Gives the Hellinger distance √(1 − Σ √(p q)), from 0 to 1.
pub fn hellinger(reference: &[f64], current: &[f64]) -> f64 {
    let overlap: f64 = reference.iter().zip(current).map(|(p, q)| (p * q).sqrt()).sum();
    (1.0 - overlap.clamp(0.0, 1.0)).sqrt()
}

fn scaled(shares: &[f64]) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

/// Gives p ln(p / q), 0 for a `p` of 0.
fn relative_entropy(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * libm::log(p / q) } else { 0.0 }
}
