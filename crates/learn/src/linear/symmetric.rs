//! Symmetric positive systems.

/// Pivots below this share of the diagonal mean that a column is a combination of others.
const SINGULAR: f64 = 1e-14;

/// Holds the lower triangle of a symmetric matrix, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Symmetric {
    pub(crate) size: usize,
    pub(crate) cells: Vec<f64>,
}

/// Solves `(D M D) x = b`, where `M` has ones on its diagonal.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    size: usize,
    lower: Vec<f64>,
    scales: Vec<f64>,
}

impl Symmetric {
    pub(crate) fn new(size: usize) -> Symmetric {
        Symmetric { size, cells: vec![0.0; size * (size + 1) / 2] }
    }

    /// Gives row `row` up to the diagonal.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        let start = row * (row + 1) / 2;
        &mut self.cells[start..start + row + 1]
    }

    /// Gives the cell of two places, in either order.
    pub(crate) fn cell(&self, one: usize, other: usize) -> f64 {
        let (row, column) = (one.max(other), one.min(other));
        self.cells[row * (row + 1) / 2 + column]
    }

    /// Adds up matrices of one size, in their order.
    pub(crate) fn sum(size: usize, parts: impl IntoIterator<Item = Symmetric>) -> Symmetric {
        let mut sum = Symmetric::new(size);
        for part in parts {
            sum.cells.iter_mut().zip(part.cells).for_each(|(sum, part)| *sum += part);
        }
        sum
    }

    pub(crate) fn diagonal(&self, row: usize) -> f64 {
        self.cells[row * (row + 1) / 2 + row]
    }

    pub(crate) fn add_to_diagonal(&mut self, row: usize, value: f64) {
        self.cells[row * (row + 1) / 2 + row] += value;
    }

    /// Factors the matrix (Cholesky) after scaling its diagonal to one; a singular one with a little added to it.
    pub(crate) fn factor(&self) -> Factor {
        let scale = |row: usize| {
            let diagonal = self.diagonal(row);
            if diagonal > 0.0 && diagonal.is_finite() { 1.0 / diagonal.sqrt() } else { 0.0 }
        };
        let scales: Vec<f64> = (0..self.size).map(scale).collect();
        let mut scaled = Vec::with_capacity(self.cells.len());
        for row in 0..self.size {
            let start = row * (row + 1) / 2;
            let cells = &self.cells[start..start + row];
            scaled.extend(cells.iter().zip(&scales).map(|(cell, scale)| cell * scale * scales[row]));
            // A column without any spread keeps a unit pivot; its solution is 0 because its scale is.
            scaled.push(1.0);
        }
        let mut added = 0.0;
        loop {
            if let Some(lower) = cholesky(&scaled, self.size, added) {
                return Factor { size: self.size, lower, scales };
            }
            added = if added == 0.0 { 1e-12 } else { added * 10.0 };
        }
    }
}

impl Factor {
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution: Vec<f64> = right.iter().zip(&self.scales).map(|(value, scale)| value * scale).collect();
        for row in 0..self.size {
            let cells = &self.lower[row * (row + 1) / 2..];
            let known: f64 = cells[..row].iter().zip(&solution).map(|(cell, value)| cell * value).sum();
            solution[row] = (solution[row] - known) / cells[row];
        }
        for row in (0..self.size).rev() {
            let cells = &self.lower[row * (row + 1) / 2..];
            solution[row] /= cells[row];
            let value = solution[row];
            for (earlier, cell) in solution.iter_mut().zip(&cells[..row]) {
                *earlier -= cell * value;
            }
        }
        solution.iter_mut().zip(&self.scales).for_each(|(value, scale)| *value *= scale);
        solution
    }
}

/// Factors a matrix of unit diagonal with `added` on top; `None` when a pivot vanishes.
fn cholesky(cells: &[f64], size: usize, added: f64) -> Option<Vec<f64>> {
    let mut lower = cells.to_vec();
    for row in 0..size {
        let start = row * (row + 1) / 2;
        let (above, current) = lower.split_at_mut(start);
        for column in 0..row {
            let other = &above[column * (column + 1) / 2..];
            let known = dot(&current[..column], &other[..column]);
            current[column] = (current[column] - known) / other[column];
        }
        let pivot = current[row] + added - dot(&current[..row], &current[..row]);
        // NaN counts as vanished; a huge `added` always ends the search.
        if (pivot.is_nan() || pivot <= SINGULAR) && added < 1e6 {
            return None;
        }
        current[row] = pivot.max(SINGULAR).sqrt();
    }
    Some(lower)
}

/// Adds the products of two lists in a fixed order: eight running sums, then their sum.
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f64 = lefts.remainder().iter().zip(rights.remainder()).map(|(left, right)| left * right).sum();
    for (left, right) in lefts.zip(rights) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest
}

/// Adds the products of `left` with what `right` is beyond `shift`, in the order of [`dot`].
pub(crate) fn shifted_dot(left: &[f64], right: &[f64], shift: f64) -> f64 {
    let mut sums = [0.0; 8];
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rests = lefts.remainder().iter().zip(rights.remainder());
    let rest: f64 = rests.map(|(left, right)| left * (right - shift)).sum();
    for (left, right) in lefts.zip(rights) {
        for lane in 0..8 {
            sums[lane] += left[lane] * (right[lane] - shift);
        }
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves() {
        let size = 20;
        let key = trainyard_random::Key::new(1, "test");
        let vectors: Vec<Vec<f64>> =
            (0..size).map(|row| (0..size).map(|column| key.uniform((row * size + column) as u64)).collect()).collect();
        let mut matrix = Symmetric::new(size);
        for row in 0..size {
            for column in 0..=row {
                matrix.row_mut(row)[column] = dot(&vectors[row], &vectors[column]);
            }
        }
        let truth: Vec<f64> = (0..size).map(|row| row as f64 - 7.0).collect();
        let right: Vec<f64> =
            (0..size).map(|row| (0..size).map(|column| matrix.cell(row, column) * truth[column]).sum()).collect();
        let factor = matrix.factor();
        for (got, wanted) in factor.solve(&right).iter().zip(&truth) {
            assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
        }
    }

    #[test]
    fn a_singular_matrix_is_helped() {
        let mut matrix = Symmetric::new(3);
        matrix.cells.copy_from_slice(&[4.0, 4.0, 4.0, 0.0, 0.0, 0.0]);
        let factor = matrix.factor();
        let solution = factor.solve(&[4.0, 4.0, 0.0]);
        assert!(
            (solution[0] - 0.5).abs() < 1e-3 && (solution[1] - 0.5).abs() < 1e-3 && solution[2] == 0.0,
            "{solution:?}"
        );
    }
}
