//! Logistic regression.

use super::LinearModel;
use super::descent::{Arrival, Curved, Limits, Loss, Value, limited_memory, newton};
use super::preconditioner::Preconditioner;
use super::proximal::{Penalised, proximal_newton};
use super::standardized::{BLOCK_ROWS, Standardized, Wanted};
use super::symmetric::{Symmetric, dot};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

pub(super) const OPERATION: &str = "logistic regression";

/// The most places for which the whole matrix of second derivatives is built and factored.
pub(super) const NEWTON_PLACES: usize = 257;

/// How often the first step may be gone, at least and at most: a sample may have few rows of a class.
const LENGTHS: (f64, f64) = (0.25, 4.0);

/// How often those are halved, as a ratio, to find the best length.
const HALVINGS: usize = 9;

/// Says how to fit a logistic regression; names and defaults are scikit-learn's.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticParameters {
    /// The inverse of the penalty; above 0, infinite for none.
    pub c: f64,
    /// The share of the penalty that is L1, the rest being L2; 0 to 1.
    pub l1_ratio: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// The most iterations; at least 1.
    pub max_iter: usize,
    /// The largest slope of the mean loss, for columns scaled to within ±1, at which the fit counts as converged; above 0.
    pub tol: f64,
}

impl Default for LogisticParameters {
    fn default() -> LogisticParameters {
        LogisticParameters { c: 1.0, l1_ratio: 0.0, fit_intercept: true, max_iter: 100, tol: 1e-4 }
    }
}

impl LogisticParameters {
    pub(super) fn check(&self) -> Result<(), Error> {
        let rules = [
            ("c", self.c, self.c > 0.0, "above 0"),
            ("l1_ratio", self.l1_ratio, (0.0..=1.0).contains(&self.l1_ratio), "from 0 to 1"),
            ("tol", self.tol, self.tol.is_finite() && self.tol > 0.0, "above 0"),
            ("max_iter", self.max_iter as f64, self.max_iter >= 1, "at least 1"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, allowed)) => Err(Error::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { max_iter: self.max_iter, tol: self.tol }
    }

    /// Gives the penalties of standardized columns beside the mean loss of rows that weigh `total`.
    pub(super) fn penalties(&self, scales: &[f64], total: f64) -> Penalties {
        let strength = 1.0 / (self.c * total);
        let (linear, square) = (strength * self.l1_ratio, strength * (1.0 - self.l1_ratio));
        let mut square: Vec<f64> = scales.iter().map(|scale| square / scale / scale).collect();
        let mut linear: Vec<f64> = scales.iter().map(|scale| linear / scale).collect();
        square.push(0.0);
        linear.push(0.0);
        Penalties { linear, square }
    }
}

/// What multiplies the absolute value and half the square of each coefficient; 0 for the intercept, the last.
pub(super) struct Penalties {
    pub(super) linear: Vec<f64>,
    pub(super) square: Vec<f64>,
}

/// Minimises `c · Σ weight · log loss + (1 − l1_ratio) · ½ ‖coefficients‖² + l1_ratio · Σ |coefficient|`; the intercept
/// is not penalised.
///
/// Without an L1 penalty up to 256 columns by Newton's method, beyond by L-BFGS (Nocedal and Wright: "Numerical
/// Optimization", 2006, chapters 3 and 7), whose first step is as long as a sample of the rows likes best; with one by a
/// proximal Newton's method (Lee, Sun and Saunders: "Proximal Newton-type methods for minimizing composite functions",
/// 2014), whose coefficients are exactly 0 or not. A fit that runs out of iterations is given with `converged: false`.
///
/// # Errors
/// No rows, lengths that differ, cells that are not finite, targets other than 0 and 1, one class, weights that are
/// negative or all zero, parameters outside their range; [`Error::Diverged`] when a number on the way is not finite.
pub fn logistic_regression(
    matrix: &Matrix<'_>,
    targets: &[f64],
    weights: Option<&[f64]>,
    parameters: &LogisticParameters,
) -> Result<LinearModel, Error> {
    parameters.check()?;
    check_targets(OPERATION, targets, matrix.rows(), Some(2))?;
    check_weights(OPERATION, weights, matrix.rows())?;
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..targets.len()).map(weight).sum();
    let positive: f64 = targets.iter().enumerate().map(|(row, target)| target * weight(row)).sum();
    let has_classes = positive > 0.0 && positive < total;
    let has_intercept = parameters.fit_intercept;
    // Where no column has a coefficient every row has the same margin, so that the slope there takes no look of its own.
    let margin = if has_intercept && has_classes { libm::log(positive / (total - positive)) } else { 0.0 };
    let of_class = [0.0, 1.0].map(|target| Row::at(margin, target, 1.0));
    let of_row = |row: usize| &of_class[usize::from(targets[row] > 0.5)];
    let slopes: Vec<f64> = (0..targets.len()).map(|row| of_row(row).slope * weight(row)).collect();
    let is_sparse = parameters.l1_ratio > 0.0 && parameters.c.is_finite();
    let has_many = !is_sparse && matrix.columns().len() + 1 > NEWTON_PLACES;
    let sampled = if has_many { Preconditioner::rows_of_sample(matrix.columns().len()) } else { 0 };
    let wanted = Wanted { along: Some(&slopes), sampled };
    let columns = Standardized::gathering(OPERATION, matrix, weights, has_intercept, &wanted)?;
    if !has_classes {
        return Err(Error::OneClass { operation: OPERATION, class: if positive > 0.0 { 1.0 } else { 0.0 } });
    }
    let penalties = parameters.penalties(&columns.scales, total);
    let problem = Problem { columns: &columns, targets, weights, total, penalties, has_intercept };
    let mut start = vec![0.0; columns.columns()];
    start.push(margin);
    let mut slope = columns.products.clone();
    slope.push(slopes.iter().sum());
    let loss = (0..targets.len()).map(|row| of_row(row).loss * weight(row)).sum();
    let value = problem.mean(Value { loss, slope }, &start);
    let course = if is_sparse {
        proximal_newton(&problem, start, value, &parameters.limits())
    } else if has_many {
        // Every probability is taken to be one half.
        let preconditioner = Preconditioner::new(&columns, 0.25, &problem.penalties.square, has_intercept);
        let (positive, negative) = shares(margin);
        let here = Arrival { point: start, value, bend: positive * negative, turned: Vec::new() };
        limited_memory(&problem, &preconditioner, here, &parameters.limits())
    } else {
        newton(&problem, start, value, &parameters.limits())
    };
    let (solution, intercept) = course.point.split_at(columns.columns());
    let (coefficients, intercept) = columns.restore(solution, intercept.iter().sum());
    let model = LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations };
    if !course.is_nan && model.is_finite() { Ok(model) } else { Err(Error::Diverged { operation: OPERATION }) }
}

/// The mean log loss, with its L2 penalty, as a function of standardized coefficients, the intercept last.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    total: f64,
    penalties: Penalties,
    has_intercept: bool,
}

/// What a row adds to the loss, to the slope of its margin and to how that bends.
struct Row {
    loss: f64,
    slope: f64,
    bend: f64,
}

impl Row {
    fn at(margin: f64, target: f64, weight: f64) -> Row {
        let is_positive = target > 0.5;
        let tail = libm::exp(-margin.abs());
        let (positive, negative) = shares_of(margin, tail);
        let linear = if is_positive { (-margin).max(0.0) } else { margin.max(0.0) };
        Row {
            loss: (linear + libm::log1p(tail)) * weight,
            slope: if is_positive { -negative } else { positive } * weight,
            bend: positive * negative * weight,
        }
    }
}

impl Problem<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Turns the sums of what rows add at a point into loss and slope there.
    fn mean(&self, mut value: Value, point: &[f64]) -> Value {
        value.loss /= self.total;
        value.slope.iter_mut().for_each(|slope| *slope /= self.total);
        for ((slope, value_at), penalty) in value.slope.iter_mut().zip(point).zip(&self.penalties.square) {
            value.loss += 0.5 * penalty * value_at * value_at;
            *slope += penalty * value_at;
        }
        if !self.has_intercept
            && let Some(slope) = value.slope.last_mut()
        {
            *slope = 0.0;
        }
        value
    }
}

impl Loss for Problem<'_> {
    fn at(&self, point: &[f64]) -> Value {
        let size = self.columns.columns();
        let parts = self.columns.fold_rows(
            || Value { loss: 0.0, slope: vec![0.0; size + 1] },
            |value, rows| {
                let mut slopes = [point[size]; BLOCK_ROWS];
                let slopes = &mut slopes[..rows.len()];
                self.columns.add_terms(rows.clone(), point, slopes);
                for (slope, row) in slopes.iter_mut().zip(rows.clone()) {
                    let of_row = Row::at(*slope, self.targets[row], self.weight(row));
                    *slope = of_row.slope;
                    value.loss += of_row.loss;
                }
                self.columns.add_products(rows, slopes, &mut value.slope);
                value.slope[size] += slopes.iter().sum::<f64>();
            },
        );
        let mut value = Value { loss: 0.0, slope: vec![0.0; size + 1] };
        for part in parts {
            value.loss += part.loss;
            value.slope.iter_mut().zip(part.slope).for_each(|(sum, part)| *sum += part);
        }
        self.mean(value, point)
    }

    fn curvature(&self, point: &[f64], places: &[usize]) -> Symmetric {
        let parts = self.columns.fold(
            places,
            || Symmetric::new(places.len()),
            |curvature, rows, block| {
                let mut bends = [point[point.len() - 1]; BLOCK_ROWS];
                let bends = &mut bends[..rows.len()];
                self.columns.add_terms(rows.clone(), point, bends);
                for (bend, row) in bends.iter_mut().zip(rows.clone()) {
                    let (positive, negative) = shares(*bend);
                    *bend = positive * negative * self.weight(row);
                }
                let mut bent = [0.0; BLOCK_ROWS];
                let bent = &mut bent[..rows.len()];
                for (place, cells) in block.chunks_exact(BLOCK_ROWS).enumerate() {
                    bent.iter_mut().zip(cells.iter().zip(&*bends)).for_each(|(bent, (cell, bend))| *bent = cell * bend);
                    for (sum, other) in curvature.row_mut(place).iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                        *sum += dot(bent, &other[..rows.len()]);
                    }
                }
            },
        );
        let mut curvature = Symmetric::sum(places.len(), parts);
        curvature.cells.iter_mut().for_each(|cell| *cell /= self.total);
        for (at, place) in places.iter().enumerate() {
            curvature.add_to_diagonal(at, self.penalties.square[*place]);
        }
        curvature
    }

    fn places(&self) -> Vec<usize> {
        (0..self.columns.columns() + usize::from(self.has_intercept)).collect()
    }
}

impl Curved for Problem<'_> {
    fn arrive(&self, point: Vec<f64>, start: Option<&[f64]>) -> Arrival {
        let size = self.columns.columns();
        let margin = start.map_or(0.0, |start| start[size]);
        let parts = self.columns.fold_rows(
            || Arrival::of_no_rows(size + 1),
            |sums, rows| {
                let (mut slopes, mut bends) = ([point[size]; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
                let (slopes, bends) = (&mut slopes[..rows.len()], &mut bends[..rows.len()]);
                self.columns.add_terms(rows.clone(), &point, slopes);
                for ((slope, bend), row) in slopes.iter_mut().zip(&mut *bends).zip(rows.clone()) {
                    let of_row = Row::at(*slope, self.targets[row], self.weight(row));
                    *bend = of_row.bend * (*slope - margin);
                    *slope = of_row.slope;
                    sums.value.loss += of_row.loss;
                    sums.bend += of_row.bend;
                }
                sums.value.slope[size] += slopes.iter().sum::<f64>();
                if start.is_some() {
                    sums.turned[size] += bends.iter().sum::<f64>();
                    let together = [&mut sums.value.slope[..], &mut sums.turned];
                    self.columns.add_products_of_two(rows, [slopes, bends], together);
                } else {
                    self.columns.add_products(rows, slopes, &mut sums.value.slope);
                }
            },
        );
        let mut all = Arrival::of_no_rows(size + 1);
        parts.into_iter().for_each(|part| all.add(part));
        all.value = self.mean(all.value, &point);
        all.mean(point, start, self.total, &self.penalties.square)
    }

    fn length(&self, point: &[f64], step: &[f64]) -> f64 {
        let sample = &self.columns.sample;
        let terms = |coefficients: &[f64]| {
            let mut sums = vec![coefficients[self.columns.columns()]; sample.rows.len()];
            for (cells, coefficient) in sample.columns.iter().zip(coefficients) {
                sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell * coefficient);
            }
            sums
        };
        let (margins, changes) = (terms(point), terms(step));
        let total: f64 = sample.rows.iter().map(|row| self.weight(*row)).sum();
        let slope = |length: f64| {
            let of_row = |((margin, change), row): ((&f64, &f64), &usize)| {
                Row::at(margin + length * change, self.targets[*row], self.weight(*row)).slope * change
            };
            let of_place = |((at, step), penalty): ((&f64, &f64), &f64)| penalty * (at + length * step) * step;
            margins.iter().zip(&changes).zip(&sample.rows).map(of_row).sum::<f64>() / total
                + point.iter().zip(step).zip(&self.penalties.square).map(of_place).sum::<f64>()
        };
        let (mut short, mut long) = LENGTHS;
        for _ in 0..HALVINGS {
            let between = (short * long).sqrt();
            if slope(between) > 0.0 { long = between } else { short = between }
        }
        (short * long).sqrt()
    }
}

impl Penalised for Problem<'_> {
    fn linear(&self, place: usize) -> f64 {
        self.penalties.linear[place]
    }
}

/// Gives the probabilities of both classes, without overflow; the positive one's first.
fn shares(margin: f64) -> (f64, f64) {
    shares_of(margin, libm::exp(-margin.abs()))
}

/// Gives what [`shares`] does, where `tail` is the exponential of minus the margin's size.
fn shares_of(margin: f64, tail: f64) -> (f64, f64) {
    let (large, small) = (1.0 / (1.0 + tail), tail / (1.0 + tail));
    if margin >= 0.0 { (large, small) } else { (small, large) }
}
