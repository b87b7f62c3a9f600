//! Least squares with an L1 penalty: lasso and elastic net.

use super::LinearModel;
use super::descent::{Limits, Loss, ROUNDING, Value};
use super::proximal::{Penalised, proximal_newton};
use super::ridge::ridge;
use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::Symmetric;
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "elastic net";

/// Says how to fit an elastic net; names and defaults are scikit-learn's.
#[derive(Debug, Clone, PartialEq)]
pub struct ElasticNetParameters {
    /// The strength of the penalty; at least 0.
    pub alpha: f64,
    /// The share of the penalty that is L1, the rest being L2; 0 to 1, and 1 for a lasso.
    pub l1_ratio: f64,
    /// The most iterations; at least 1.
    pub max_iter: usize,
    /// The duality gap, as a share of the mean square of the centred targets, at which the fit counts as converged; above 0.
    pub tol: f64,
}

impl Default for ElasticNetParameters {
    fn default() -> ElasticNetParameters {
        ElasticNetParameters { alpha: 1.0, l1_ratio: 0.5, max_iter: 1000, tol: 1e-4 }
    }
}

impl ElasticNetParameters {
    fn check(&self) -> Result<(), Error> {
        let rules = [
            ("alpha", self.alpha, self.alpha.is_finite() && self.alpha >= 0.0, "at least 0"),
            ("l1_ratio", self.l1_ratio, (0.0..=1.0).contains(&self.l1_ratio), "from 0 to 1"),
            ("tol", self.tol, self.tol.is_finite() && self.tol > 0.0, "above 0"),
            ("max_iter", self.max_iter as f64, self.max_iter >= 1, "at least 1"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, allowed)) => Err(Error::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

/// Minimises `½ · weighted mean of squared residuals + alpha · (l1_ratio · Σ |coefficient| + (1 − l1_ratio) · ½
/// ‖coefficients‖²)`; the intercept is not penalised.
///
/// Coordinate descent on the normal equations of the coefficients that are not 0, or would not stay there, until the duality
/// gap is small (Kim, Koh, Lustig, Boyd and Gorinevsky: "An interior-point method for large-scale l1-regularized least
/// squares", 2007, section 3). Without an L1 penalty it is [`ridge`]. A fit that runs out of iterations is given with
/// `converged: false`.
///
/// # Errors
/// No rows, lengths that differ, cells or targets that are not finite, weights that are negative or all zero, parameters
/// outside their range; [`Error::Diverged`] when a number on the way is not finite.
pub fn elastic_net(
    matrix: &Matrix<'_>,
    targets: &[f64],
    weights: Option<&[f64]>,
    parameters: &ElasticNetParameters,
) -> Result<LinearModel, Error> {
    parameters.check()?;
    check_targets(OPERATION, targets, matrix.rows(), None)?;
    check_weights(OPERATION, weights, matrix.rows())?;
    let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    if parameters.alpha * parameters.l1_ratio == 0.0 {
        return ridge(matrix, targets, weights, parameters.alpha * total);
    }
    let columns = Standardized::new(OPERATION, matrix, weights, true)?;
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]) / total;
    let mean: f64 = targets.iter().enumerate().map(|(row, target)| target * weight(row)).sum();
    // Targets of any size become of size 1, and the L1 penalty with them.
    let largest = targets.iter().fold(0.0f64, |largest, target| largest.max((target - mean).abs()));
    let unit = if largest > 1e-100 { largest } else { 1.0 };
    let scaled: Vec<f64> = targets.iter().map(|target| (target - mean) / unit).collect();
    let square: f64 = scaled.iter().enumerate().map(|(row, target)| target * target * weight(row)).sum();
    let (linear, bend) =
        (parameters.alpha * parameters.l1_ratio / unit, parameters.alpha * (1.0 - parameters.l1_ratio));
    let problem = Problem {
        linear: columns.scales.iter().map(|scale| linear / scale).collect(),
        penalties: columns.scales.iter().map(|scale| bend / scale / scale).collect(),
        columns: &columns,
        targets: &scaled,
        weights,
        total,
        square: if square > 0.0 { square } else { 1.0 },
    };
    let limits = Limits { max_iter: parameters.max_iter, tol: parameters.tol };
    let start = vec![0.0; columns.columns()];
    let value = problem.at(&start);
    let course = proximal_newton(&problem, start, value, &limits);
    let solution: Vec<f64> = course.point.iter().map(|value| value * unit).collect();
    let (coefficients, intercept) = columns.restore(&solution, mean);
    let model = LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations };
    if !course.is_nan && model.is_finite() { Ok(model) } else { Err(Error::Diverged { operation: OPERATION }) }
}

/// Half the mean squared residual, with its L2 penalty, as a function of standardized coefficients; targets are centred.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    total: f64,
    /// What multiplies absolute values.
    linear: Vec<f64>,
    /// What multiplies half of squares.
    penalties: Vec<f64>,
    /// The mean square of the targets.
    square: f64,
}

impl Problem<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

impl Loss for Problem<'_> {
    fn at(&self, point: &[f64]) -> Value {
        let start = || Value { loss: 0.0, slope: vec![0.0; point.len()] };
        let parts = self.columns.fold_rows(start, |value, rows| {
            let mut residuals = [0.0; BLOCK_ROWS];
            let residuals = &mut residuals[..rows.len()];
            self.columns.add_terms(rows.clone(), point, residuals);
            for (residual, row) in residuals.iter_mut().zip(rows.clone()) {
                let (weight, over) = (self.weight(row), *residual - self.targets[row]);
                value.loss += 0.5 * over * over * weight;
                *residual = over * weight;
            }
            self.columns.add_products(rows, residuals, &mut value.slope);
        });
        let mut value = start();
        for part in parts {
            value.loss += part.loss;
            value.slope.iter_mut().zip(part.slope).for_each(|(sum, part)| *sum += part);
        }
        value.loss /= self.total;
        value.slope.iter_mut().for_each(|slope| *slope /= self.total);
        for ((slope, value_at), penalty) in value.slope.iter_mut().zip(point).zip(&self.penalties) {
            value.loss += 0.5 * penalty * value_at * value_at;
            *slope += penalty * value_at;
        }
        value
    }

    fn curvature(&self, _point: &[f64], places: &[usize]) -> Symmetric {
        let parts = self.columns.gram(places, self.weights);
        let mut curvature = Symmetric::sum(places.len(), parts);
        curvature.cells.iter_mut().for_each(|cell| *cell /= self.total);
        for (at, place) in places.iter().enumerate() {
            curvature.add_to_diagonal(at, self.penalties[*place]);
        }
        curvature
    }

    fn places(&self) -> Vec<usize> {
        (0..self.columns.columns()).collect()
    }
}

impl Penalised for Problem<'_> {
    fn linear(&self, place: usize) -> f64 {
        self.linear[place]
    }

    /// Gives the duality gap as a share of the targets' mean square.
    fn distance(&self, point: &[f64], value: &Value, worst: f64) -> f64 {
        // Where columns are far larger than others the gap is rounding long before it is small.
        if worst <= ROUNDING * self.square.sqrt() {
            return 0.0;
        }
        let places = || point.iter().zip(&value.slope).zip(self.linear.iter().zip(&self.penalties));
        // What residuals say about each coefficient, penalties aside.
        let says = |at: f64, slope: f64, penalty: f64| penalty * at - slope;
        let has_square = self.penalties.iter().any(|penalty| *penalty > 0.0);
        if has_square {
            let of_place = |((at, slope), (linear, penalty)): ((&f64, &f64), (&f64, &f64))| {
                let says = says(*at, *slope, *penalty);
                let over = (says.abs() - linear).max(0.0);
                linear * at.abs() + 0.5 * penalty * at * at - says * at + over * over / (2.0 * penalty)
            };
            return places().map(of_place).sum::<f64>() / self.square;
        }
        let over =
            |((at, slope), (linear, penalty)): ((&f64, &f64), (&f64, &f64))| says(*at, *slope, *penalty).abs() / linear;
        let share = 1.0 / places().map(over).fold(1.0, f64::max);
        let of_place = |((at, slope), (linear, penalty)): ((&f64, &f64), (&f64, &f64))| {
            linear * at.abs() - share * says(*at, *slope, *penalty) * at
        };
        let gap = value.loss * (1.0 - share) * (1.0 - share) + places().map(of_place).sum::<f64>();
        gap / self.square
    }
}
