//! The two-sample Kolmogorov–Smirnov test, two-sided.
//!
//! Exact while neither sample is larger than 10,000, as `scipy.stats.ks_2samp`; else by the distribution of the
//! one-sample statistic at m n / (m + n) values, by the formulas that Simard and L'Ecuyer choose ("Computing the
//! Two-Sided Kolmogorov–Smirnov Distribution", 2011) in SciPy's version of their choice.

use std::f64::consts::PI;

use super::Walk;

/// The largest size of a sample for which the p-value is exact.
const EXACT: usize = 10_000;

/// Gives the statistic, the largest distance of the two distribution functions, and its p-value.
pub fn kolmogorov_smirnov(walk: &Walk) -> (f64, f64) {
    let [m, n] = walk.sizes;
    let d = walk.distance();
    let p = if m.max(n) <= EXACT {
        exact(m, n, walk.largest)
    } else {
        let (m, n) = (m as f64, n as f64);
        asymptotic((m * n / (m + n)).round_ties_even(), d)
    };
    (d, p.clamp(0.0, 1.0))
}

fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

/// Gives the probability of a distance of `largest / (m n)` or more between samples of one distribution.
fn exact(m: usize, n: usize, largest: u128) -> f64 {
    let divisor = greatest_divisor(m, n);
    let height = (largest / divisor as u128) as usize;
    match height {
        0 => 1.0,
        height if m == n => outside_square(n, height),
        height => outside(m.max(n), m.min(n), divisor, height),
    }
}

/// Gives the share of paths from (0, 0) to (n, n) that leave |x − y| < h: 2 Σ ± C(2n, n − kh) / C(2n, n), as a nested
/// product that does not cancel (Hodges: "The Significance Probability of the Smirnov Two-Sample Test", 1958).
fn outside_square(n: usize, h: usize) -> f64 {
    let mut share = 0.0;
    for k in (0..=n / h).rev() {
        let mut product = 1.0;
        for j in 0..h {
            // Below nothing there are no paths.
            let above = (n as f64) - (k * h + j) as f64;
            product = above * product / (n + k * h + j + 1) as f64;
            if product == 0.0 {
                break;
            }
        }
        share = product * (1.0 - share);
    }
    2.0 * share
}

/// Gives the share of paths from (0, 0) to (m, n) that leave |n x − m y| < h g, for m > n, a column of the grid after
/// the other, each cell as the share of the paths to it that have left (Hodges, 1958, section 5).
fn outside(m: usize, n: usize, divisor: usize, height: usize) -> f64 {
    let (wide, tall) = ((m / divisor) as i128, (n / divisor) as i128);
    let (height, rows) = (height as i128, n as i128);
    let up = |value: i128| (value + wide - 1).div_euclid(wide);
    let (mut low, mut high) = (0, up(height).min(rows + 1));
    let mut left = vec![1.0; (2 * high + 2).min(rows + 1) as usize];
    left[..high as usize].fill(0.0);
    for x in 1..=m as i128 {
        let (low_before, cells_before) = (low, high - low);
        low = ((tall * x - height).div_euclid(wide) + 1).clamp(0, rows);
        high = up(tall * x + height).min(rows + 1);
        if high <= low {
            return 1.0;
        }
        let shift = (low - low_before) as usize;
        let cells = (high - low) as usize;
        let mut below = if low == 0 { 0.0 } else { 1.0 };
        let x = x as f64;
        for at in 0..cells {
            let y = (low + at as i128) as f64;
            below = (left[at + shift] * x + below * y) / (x + y);
            left[at] = below;
        }
        let freed = (cells_before as usize).saturating_sub(cells);
        left[cells..cells + freed].fill(1.0);
    }
    left[(high - low) as usize - 1]
}

/// Up to here the exact formulas are fast.
const SMALL: f64 = 140.0;

/// Gives the probability that the statistic of `n` values is `d` or more.
fn asymptotic(n: f64, d: f64) -> f64 {
    let t = n * d;
    if d >= 1.0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // n! (2 d − 1/n)^n (Ruben and Gambino, 1982).
        return 1.0 - libm::exp(libm::lgamma(n + 1.0) + n * libm::log((2.0 * t - 1.0) / n));
    }
    if t >= n - 1.0 {
        return 2.0 * libm::pow(1.0 - d, n);
    }
    let squared = t * d;
    if d >= 0.5 || squared >= if n <= SMALL { 4.0 } else { 2.2 } {
        return if squared >= 370.0 { 0.0 } else { 2.0 * one_sided(n, d) };
    }
    if n <= SMALL || (n <= 100_000.0 && n * d * d.sqrt() <= 1.4) {
        return 1.0 - matrix_power(n, d);
    }
    1.0 - pelz_good(n, d)
}

/// Beyond this many values the expansion of the one-sided distribution is exact to 1e-9.
const EXPANDED: f64 = 100_000.0;

/// Gives the probability that the largest distance upwards of `n` values is `d` or more (Birnbaum and Tingey, 1951):
/// Σ d C(n, v) (d + v/n)^(v−1) (1 − d − v/n)^(n−v).
fn one_sided(n: f64, d: f64) -> f64 {
    if n > EXPANDED {
        // Its expansion by Smirnov, as in Simard and L'Ecuyer, section 2.4.
        let (z, root) = (n.sqrt() * d, n.sqrt());
        let z2 = z * z;
        let third = 1.0 / 5.0 - 19.0 * z2 / 15.0 + 2.0 * z2 * z2 / 3.0;
        let sum = 1.0 - 2.0 * z / (3.0 * root)
            + 2.0 * z2 / (3.0 * n) * (1.0 - 2.0 * z2 / 3.0)
            + 4.0 * z / (9.0 * n * root) * third;
        return libm::exp(-2.0 * z2) * sum.max(0.0);
    }
    let whole = libm::lgamma(n + 1.0);
    let terms = (n * (1.0 - d)).floor() as u64;
    let term = |v: u64| {
        let v = v as f64;
        let (rises, falls) = (d + v / n, 1.0 - d - v / n);
        if falls <= 0.0 {
            return 0.0;
        }
        let choose = whole - libm::lgamma(v + 1.0) - libm::lgamma(n - v + 1.0);
        libm::exp(choose + (v - 1.0) * libm::log(rises) + (n - v) * libm::log(falls))
    };
    d * (0..=terms).map(term).sum::<f64>()
}

/// Keeps matrices inside the range of doubles: 2^±128.
const LARGE: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;

/// Gives the probability that the statistic of `n` values is below `d`, by Durbin's matrix to the power `n` (Marsaglia,
/// Tsang and Wang: "Evaluating Kolmogorov's Distribution", 2003).
fn matrix_power(n: f64, d: f64) -> f64 {
    let t = n * d;
    let k = t.ceil() as usize;
    let h = k as f64 - t;
    let size = 2 * k - 1;
    let mut factors = vec![1.0; size + 1];
    let mut powers = vec![h; size + 1];
    for at in 1..=size {
        factors[at] = factors[at - 1] / at as f64;
        powers[at] = if at == 1 { h } else { powers[at - 1] * h };
    }
    let mut first: Vec<f64> = (1..=size).map(|at| (1.0 - powers[at]) * factors[at]).collect();
    let over = (0..size).fold(1.0, |product, _| product * (2.0 * h - 1.0).max(0.0));
    first[size - 1] = (1.0 - 2.0 * powers[size] + over) * factors[size];
    let mut base = vec![0.0; size * size];
    for row in 0..size {
        for column in 1..size {
            if row + 1 >= column {
                base[row * size + column] = factors[row + 1 - column];
            }
        }
        base[row * size] = first[row];
    }
    for column in 0..size {
        base[(size - 1) * size + column] = first[size - 1 - column];
    }
    let mut power = vec![0.0; size * size];
    (0..size).for_each(|at| power[at * size + at] = 1.0);
    let (mut left, mut exponent, mut base_exponent) = (n as u64, 0_i64, 0_i64);
    while left > 0 {
        if left % 2 == 1 {
            power = product(&power, &base, size);
            exponent += base_exponent;
        }
        base = product(&base, &base, size);
        base_exponent *= 2;
        if base[(k - 1) * size + k - 1].abs() > LARGE {
            base.iter_mut().for_each(|cell| *cell /= LARGE);
            base_exponent += 1;
        }
        left /= 2;
    }
    let mut p = power[(k - 1) * size + k - 1];
    for at in 1..=n as u64 {
        p *= at as f64 / n;
        if p.abs() < 1.0 / LARGE {
            p *= LARGE;
            exponent -= 1;
        }
    }
    while exponent != 0 && p != 0.0 && p.is_finite() {
        p *= if exponent > 0 { LARGE } else { 1.0 / LARGE };
        exponent -= exponent.signum();
    }
    p.clamp(0.0, 1.0)
}

fn product(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let mut result = vec![0.0; size * size];
    for (row, cells) in a.chunks_exact(size).enumerate() {
        let sums = &mut result[row * size..(row + 1) * size];
        for (cell, line) in cells.iter().zip(b.chunks_exact(size)) {
            sums.iter_mut().zip(line).for_each(|(sum, other)| *sum += cell * other);
        }
    }
    result
}

/// Gives about the probability that the statistic of `n` values is at most `d` (Pelz and Good: "Approximating the Lower
/// Tail-areas of the Kolmogorov–Smirnov One-sample Statistic", 1976): four terms in powers of 1/√n.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let pi2 = PI * PI;
    let (pi4, pi6) = (pi2 * pi2, pi2 * pi2 * pi2);
    let log_q = -pi2 / 8.0 / z2;
    if log_q < -708.0 {
        return 0.0;
    }
    let q = libm::exp(log_q);
    let mut sums = [0.0; 4];
    let most = (16.0 * z / PI).ceil() as u32;
    for k in (1..=most).rev() {
        let m = f64::from(2 * k - 1);
        let m2 = m * m;
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        let terms = [
            1.0,
            -z2 + pi2 / 4.0 * m2,
            6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2 + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4,
            -30.0 * z6 - 90.0 * z4 * z4
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6,
        ];
        let step = libm::pow(q, f64::from(8 * k));
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum = *sum * step + term);
    }
    let root = (2.0 * PI).sqrt();
    let below = [z, 6.0 * z4, 72.0 * z6 * z, 6480.0 * z6 * z4];
    sums.iter_mut().zip(below).for_each(|(sum, below)| *sum *= q * root / below);
    let q = libm::exp(-pi2 / 2.0 / z2);
    let (mut second, mut third) = (0.0, 0.0);
    for k in (1..=most).rev() {
        let k = f64::from(k);
        let weight = k * k * libm::pow(q, k * k);
        second += weight;
        third += (3.0 * z2 - pi2 * k * k) * weight;
    }
    sums[2] += second * pi2 * root / (-36.0 * z2 * z);
    sums[3] += third * pi2 * root / (216.0 * z6);
    (sums[0] + sums[1] / n.sqrt() + sums[2] / n + sums[3] / (n * n.sqrt())).clamp(0.0, 1.0)
}
