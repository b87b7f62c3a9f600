//! Logistic regression of several classes.

use super::LinearModel;
use super::descent::{Arrival, Curved, Loss, Value, limited_memory, newton};
use super::logistic::{LogisticParameters, NEWTON_PLACES, OPERATION, Penalties};
use super::preconditioner::Preconditioner;
use super::proximal::{Penalised, proximal_newton};
use super::standardized::{BLOCK_ROWS, Standardized, Wanted};
use super::symmetric::{Symmetric, dot};
use crate::error::{check_targets, check_weights};
use crate::objective::softmax;
use crate::{Error, Matrix};

/// Minimises `c · Σ weight · log loss of the softmax + (1 − l1_ratio) · ½ ‖coefficients‖² + l1_ratio · Σ |coefficient|`;
/// intercepts are not penalised.
///
/// Every class has coefficients of its own, as in scikit-learn; the intercepts, which the loss knows only up to a common
/// constant, sum to 0, and so do the coefficients of a column where there is no penalty. Targets are the classes' numbers,
/// 0 to `classes` − 1. The methods are those of [`super::logistic_regression`]. A fit that runs out of iterations is given
/// with `converged: false`.
///
/// # Errors
/// No rows, lengths that differ, cells that are not finite, targets that are no class, a class without rows, weights that
/// are negative or all zero, parameters outside their range; [`Error::Diverged`] when a number on the way is not finite.
pub fn multinomial_regression(
    matrix: &Matrix<'_>,
    targets: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
    parameters: &LogisticParameters,
) -> Result<Vec<LinearModel>, Error> {
    parameters.check()?;
    check_targets(OPERATION, targets, matrix.rows(), Some(classes))?;
    check_weights(OPERATION, weights, matrix.rows())?;
    let is_sparse = parameters.l1_ratio > 0.0 && parameters.c.is_finite();
    let has_many = !is_sparse && classes * (matrix.columns().len() + 1) > NEWTON_PLACES;
    let sampled = if has_many { Preconditioner::rows_of_sample(matrix.columns().len()) } else { 0 };
    let wanted = Wanted { along: None, sampled };
    let columns = Standardized::gathering(OPERATION, matrix, weights, parameters.fit_intercept, &wanted)?;
    let mut of_class = vec![0.0; classes];
    for (row, target) in targets.iter().enumerate() {
        of_class[*target as usize] += weights.map_or(1.0, |weights| weights[row]);
    }
    if let Some(class) = of_class.iter().position(|weight| *weight <= 0.0) {
        return Err(Error::NoRowsOfClass { operation: OPERATION, class });
    }
    let total: f64 = of_class.iter().sum();
    let has_intercept = parameters.fit_intercept;
    let penalties = parameters.penalties(&columns.scales, total);
    let size = columns.columns() + 1;
    let problem = Problem { columns: &columns, targets, weights, classes, total, penalties, has_intercept };
    let mut start = vec![0.0; classes * size];
    for (point, weight) in start.chunks_exact_mut(size).zip(&of_class).filter(|_| has_intercept) {
        point[size - 1] = libm::log(weight / total);
    }
    let value = problem.at(&start);
    let mut course = if is_sparse {
        proximal_newton(&problem, start, value, &parameters.limits())
    } else if has_many {
        // Every class is taken to be as likely as the others.
        let share = 1.0 / classes as f64;
        let bend = share * (1.0 - share);
        let preconditioner = Preconditioner::new(&columns, bend, &problem.penalties.square, has_intercept);
        let mut shares: Vec<f64> = start.iter().skip(size - 1).step_by(size).copied().collect();
        softmax(&mut shares);
        let bend = mean_bend(&shares);
        let here = Arrival { point: start, value, bend, turned: Vec::new() };
        limited_memory(&problem, &preconditioner, here, &parameters.limits())
    } else {
        newton(&problem, start, value, &parameters.limits())
    };
    let is_free = |place: usize| problem.penalties.linear[place] == 0.0 && problem.penalties.square[place] == 0.0;
    for place in (0..size - 1).filter(|place| is_free(*place)) {
        centre(&mut course.point, place, size);
    }
    let mut models: Vec<LinearModel> = course
        .point
        .chunks_exact(size)
        .map(|point| {
            let (coefficients, intercept) = columns.restore(&point[..size - 1], point[size - 1]);
            LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations }
        })
        .collect();
    let shift = models.iter().map(|model| model.intercept).sum::<f64>() / classes as f64;
    models.iter_mut().filter(|_| has_intercept).for_each(|model| model.intercept -= shift);
    let is_sound = !course.is_nan && models.iter().all(LinearModel::is_finite);
    if is_sound { Ok(models) } else { Err(Error::Diverged { operation: OPERATION }) }
}

/// Takes the mean over the classes from what they have at a place.
fn centre(point: &mut [f64], place: usize, size: usize) {
    let classes = (point.len() / size) as f64;
    let mean = point.iter().skip(place).step_by(size).sum::<f64>() / classes;
    point.iter_mut().skip(place).step_by(size).for_each(|value| *value -= mean);
}

/// Gives by how much a row with these probabilities bends the loss by a margin, on average over the classes.
fn mean_bend(shares: &[f64]) -> f64 {
    shares.iter().map(|share| share * (1.0 - share)).sum::<f64>() / shares.len() as f64
}

/// The mean log loss, with its L2 penalty, as a function of standardized coefficients: class after class, its intercept
/// last.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    classes: usize,
    total: f64,
    /// Those of one class.
    penalties: Penalties,
    has_intercept: bool,
}

impl Problem<'_> {
    fn size(&self) -> usize {
        self.columns.columns() + 1
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Turns the sums of what rows add at a point into loss and slope there.
    fn mean(&self, mut value: Value, point: &[f64]) -> Value {
        let size = self.size();
        value.loss /= self.total;
        value.slope.iter_mut().for_each(|slope| *slope /= self.total);
        let penalties = self.penalties.square.iter().cycle();
        for ((slope, value_at), penalty) in value.slope.iter_mut().zip(point).zip(penalties) {
            value.loss += 0.5 * penalty * value_at * value_at;
            *slope += penalty * value_at;
        }
        if !self.has_intercept {
            value.slope.iter_mut().skip(size - 1).step_by(size).for_each(|slope| *slope = 0.0);
        }
        value
    }

    /// Turns each row's margins into `of_row(row, margins)`, class after class, [`BLOCK_ROWS`] each.
    fn each_row(
        &self,
        point: &[f64],
        rows: std::ops::Range<usize>,
        margins: &mut [f64],
        mut of_row: impl FnMut(usize, &mut [f64]),
    ) {
        let size = self.size();
        for (margins, point) in margins.chunks_exact_mut(BLOCK_ROWS).zip(point.chunks_exact(size)) {
            margins.fill(point[size - 1]);
            self.columns.add_terms(rows.clone(), point, &mut margins[..rows.len()]);
        }
        let mut row_of = vec![0.0; self.classes];
        for (place, row) in rows.enumerate() {
            row_of.iter_mut().enumerate().for_each(|(class, one)| *one = margins[class * BLOCK_ROWS + place]);
            of_row(row, &mut row_of);
            row_of.iter().enumerate().for_each(|(class, one)| margins[class * BLOCK_ROWS + place] = *one);
        }
    }
}

impl Loss for Problem<'_> {
    fn at(&self, point: &[f64]) -> Value {
        let size = self.size();
        let start = || (0.0, vec![0.0; point.len()], vec![0.0; self.classes * BLOCK_ROWS]);
        let parts = self.columns.fold_rows(start, |(loss, slope, margins), rows| {
            self.each_row(point, rows.clone(), margins, |row, margins| {
                let (weight, truth) = (self.weight(row), self.targets[row] as usize);
                let of_truth = margins[truth];
                *loss += (softmax(margins) - of_truth) * weight;
                margins[truth] -= 1.0;
                margins.iter_mut().for_each(|share| *share *= weight);
            });
            for (slope, margins) in slope.chunks_exact_mut(size).zip(margins.chunks_exact(BLOCK_ROWS)) {
                let margins = &margins[..rows.len()];
                self.columns.add_products(rows.clone(), margins, slope);
                slope[size - 1] += margins.iter().sum::<f64>();
            }
        });
        let mut value = Value { loss: 0.0, slope: vec![0.0; point.len()] };
        for (loss, slope, _) in parts {
            value.loss += loss;
            value.slope.iter_mut().zip(slope).for_each(|(sum, part)| *sum += part);
        }
        self.mean(value, point)
    }

    fn curvature(&self, point: &[f64], places: &[usize]) -> Symmetric {
        let size = self.size();
        let mut columns: Vec<usize> = places.iter().map(|place| place % size).collect();
        columns.sort_unstable();
        columns.dedup();
        // Which class and which column of the block a place is.
        let of_place = |place: &usize| (place / size, columns.binary_search(&(place % size)).unwrap_or_default());
        let of_places: Vec<(usize, usize)> = places.iter().map(of_place).collect();
        let start = || (Symmetric::new(places.len()), vec![0.0; self.classes * BLOCK_ROWS]);
        let parts = self.columns.fold(&columns, start, |(curvature, shares), rows, block| {
            self.each_row(point, rows.clone(), shares, |_, margins| {
                softmax(margins);
            });
            let share = |class: usize| &shares[class * BLOCK_ROWS..class * BLOCK_ROWS + rows.len()];
            let cells = |column: usize| &block[column * BLOCK_ROWS..column * BLOCK_ROWS + rows.len()];
            let mut bent = [0.0; BLOCK_ROWS];
            let bent = &mut bent[..rows.len()];
            for (at, (class, column)) in of_places.iter().enumerate() {
                let mut last = usize::MAX;
                for (sum, (other_class, other)) in curvature.row_mut(at).iter_mut().zip(&of_places) {
                    if last != *other_class {
                        last = *other_class;
                        let is_same = f64::from(u8::from(class == other_class));
                        let shares = share(*class).iter().zip(share(last));
                        for (((bent, cell), (share, other)), row) in
                            bent.iter_mut().zip(cells(*column)).zip(shares).zip(rows.clone())
                        {
                            *bent = cell * share * (is_same - other) * self.weight(row);
                        }
                    }
                    *sum += dot(bent, cells(*other));
                }
            }
        });
        let mut curvature = Symmetric::sum(places.len(), parts.into_iter().map(|(curvature, _)| curvature));
        curvature.cells.iter_mut().for_each(|cell| *cell /= self.total);
        for (at, place) in places.iter().enumerate() {
            curvature.add_to_diagonal(at, self.penalties.square[place % size]);
        }
        curvature
    }

    fn places(&self) -> Vec<usize> {
        let size = self.size();
        (0..self.classes * size).filter(|place| self.has_intercept || (place + 1) % size > 0).collect()
    }
}

impl Curved for Problem<'_> {
    fn arrive(&self, point: Vec<f64>, start: Option<&[f64]>) -> Arrival {
        let size = self.size();
        let intercepts = start.unwrap_or(&point).iter().skip(size - 1).step_by(size);
        let intercepts: Vec<f64> = intercepts.copied().collect();
        let cells = || vec![0.0; self.classes * BLOCK_ROWS];
        let nothing = || (Arrival::of_no_rows(point.len()), cells(), cells(), vec![0.0; self.classes]);
        let parts = self.columns.fold_rows(nothing, |(sums, slopes, bends, changes), rows| {
            self.each_row(&point, rows.clone(), slopes, |row, margins| {
                let (weight, truth) = (self.weight(row), self.targets[row] as usize);
                let of_truth = margins[truth];
                changes
                    .iter_mut()
                    .zip(&*margins)
                    .zip(&intercepts)
                    .for_each(|((change, now), then)| *change = now - then);
                sums.value.loss += (softmax(margins) - of_truth) * weight;
                sums.bend += mean_bend(margins) * weight;
                let mean: f64 = changes.iter().zip(&*margins).map(|(change, share)| change * share).sum();
                for ((class, change), share) in changes.iter().enumerate().zip(&*margins) {
                    bends[class * BLOCK_ROWS + row - rows.start] = share * (change - mean) * weight;
                }
                margins[truth] -= 1.0;
                margins.iter_mut().for_each(|share| *share *= weight);
            });
            let of_classes = slopes.chunks_exact(BLOCK_ROWS).zip(bends.chunks_exact(BLOCK_ROWS));
            let places = sums.value.slope.chunks_exact_mut(size).zip(sums.turned.chunks_exact_mut(size));
            for ((slope, turned), (slopes, bends)) in places.zip(of_classes) {
                let (slopes, bends) = (&slopes[..rows.len()], &bends[..rows.len()]);
                slope[size - 1] += slopes.iter().sum::<f64>();
                if start.is_some() {
                    turned[size - 1] += bends.iter().sum::<f64>();
                    self.columns.add_products_of_two(rows.clone(), [slopes, bends], [slope, turned]);
                } else {
                    self.columns.add_products(rows.clone(), slopes, slope);
                }
            }
        });
        let mut all = Arrival::of_no_rows(point.len());
        parts.into_iter().for_each(|(part, ..)| all.add(part));
        all.value = self.mean(all.value, &point);
        all.mean(point, start, self.total, &self.penalties.square)
    }
}

impl Penalised for Problem<'_> {
    fn linear(&self, place: usize) -> f64 {
        self.penalties.linear[place % self.size()]
    }
}
