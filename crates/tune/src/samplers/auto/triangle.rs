//! Cholesky factors by columns, whose inner loops run over neighbours in memory.

use libm::sqrt;

/// Factors a covariance in place: columns of `count`, of which the rows from the diagonal on are read and written. Says
/// whether it could be.
pub(super) fn factor(matrix: &mut [f64], count: usize) -> bool {
    for at in 0..count {
        let (done, rest) = matrix.split_at_mut(at * count);
        let column = &mut rest[at..count];
        for earlier in 0..at {
            let other = &done[earlier * count + at..earlier * count + count];
            let by = other[0];
            for (entry, other) in column.iter_mut().zip(other) {
                *entry -= by * other;
            }
        }
        if column[0] <= 1e-12 || column[0].is_nan() {
            return false;
        }
        let root = sqrt(column[0]);
        column[0] = root;
        for entry in &mut column[1..] {
            *entry *= 1.0 / root;
        }
    }
    true
}

/// Divides the first `known` entries of a vector, which are 0 before `from`, by the factor.
pub(super) fn forward(triangle: &[f64], count: usize, from: usize, vector: &mut [f64]) {
    let known = vector.len();
    for at in from..known {
        let column = &triangle[at * count + at..at * count + known];
        let value = vector[at] / column[0];
        vector[at] = value;
        for (entry, other) in vector[at + 1..].iter_mut().zip(&column[1..]) {
            *entry -= value * other;
        }
    }
}

/// Divides a vector, of as many entries as it has, by the factor with rows and columns exchanged.
pub(super) fn backward(triangle: &[f64], count: usize, vector: &mut [f64]) {
    let known = vector.len();
    for at in (0..known).rev() {
        let column = &triangle[at * count + at..at * count + known];
        vector[at] = (vector[at] - dot(&column[1..], &vector[at + 1..])) / column[0];
    }
}

/// Adds products, always in the same order: four sums side by side.
pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    sum(one, other, |one, other| one * other)
}

/// Adds what `term` makes of each pair, always in the same order: four sums side by side.
pub(super) fn sum(one: &[f64], other: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (ones, others) = (one.chunks_exact(4), other.chunks_exact(4));
    let rest: f64 = ones.remainder().iter().zip(others.remainder()).map(|(one, other)| term(*one, *other)).sum();
    let mut sums = [0.0; 4];
    for (one, other) in ones.zip(others) {
        for lane in 0..4 {
            sums[lane] += term(one[lane], other[lane]);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_solves_what_it_was_made_of() {
        let count = 7;
        let entry = |one: usize, other: usize| 1.0 / (1.0 + one.abs_diff(other) as f64) + f64::from(one == other);
        let mut matrix: Vec<f64> = (0..count * count).map(|at| entry(at / count, at % count)).collect();
        assert!(factor(&mut matrix, count));
        for known in [count, 4] {
            let solution: Vec<f64> = (0..known).map(|at| at as f64 - 2.5).collect();
            let mut vector: Vec<f64> =
                (0..known).map(|row| (0..known).map(|at| entry(row, at) * solution[at]).sum()).collect();
            forward(&matrix, count, 0, &mut vector);
            backward(&matrix, count, &mut vector);
            assert!(vector.iter().zip(&solution).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
        }
        let mut singular = vec![1.0; 9];
        assert!(!factor(&mut singular, 3));
    }
}
