//! The losses that boosting minimises.

use serde::{Deserialize, Serialize};

/// Names the loss that is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The mean log loss of targets in {0, 1}; the margin is a log-odds.
    BinaryLogLoss,
    /// The mean log loss of targets in {0, …, classes − 1}; each class has a margin, whose softmax is its probability.
    MulticlassLogLoss {
        /// The number of classes; at least 2.
        classes: usize,
    },
    /// The mean squared error; the margin is the value itself.
    SquaredError,
    /// The mean absolute error; the margin is the value itself, and leaves are medians of residuals.
    AbsoluteError,
    /// The mean pinball loss (Koenker and Bassett: "Regression quantiles", 1978); the margin is the value itself, and
    /// leaves are quantiles of residuals.
    Quantile {
        /// The share of targets that lie below what is predicted; above 0 and below 1.
        quantile: f64,
    },
    /// Half the mean Poisson deviance, but for what depends on the targets alone, of targets from 0; the margin is the
    /// logarithm of the value.
    Poisson,
}

impl Objective {
    /// Gives the number of margins of a row.
    pub fn margins(self) -> usize {
        match self {
            Objective::MulticlassLogLoss { classes } => classes,
            Objective::BinaryLogLoss
            | Objective::SquaredError
            | Objective::AbsoluteError
            | Objective::Quantile { .. }
            | Objective::Poisson => 1,
        }
    }

    /// Gives the number of classes that targets are numbers of; `None` where they are values.
    pub(crate) fn classes(self) -> Option<usize> {
        match self {
            Objective::BinaryLogLoss => Some(2),
            Objective::MulticlassLogLoss { classes } => Some(classes),
            Objective::SquaredError | Objective::AbsoluteError | Objective::Quantile { .. } | Objective::Poisson => {
                None
            }
        }
    }

    /// Gives the quantile of residuals that is the constant of least loss; `None` for a loss that has a curvature, whose
    /// leaves are steps of Newton's.
    pub(crate) fn quantile(self) -> Option<f64> {
        match self {
            Objective::AbsoluteError => Some(0.5),
            Objective::Quantile { quantile } => Some(quantile),
            Objective::BinaryLogLoss
            | Objective::MulticlassLogLoss { .. }
            | Objective::SquaredError
            | Objective::Poisson => None,
        }
    }
}

/// Maps one margin a class to one probability a class, without overflow; gives the logarithm of their common divisor.
pub fn softmax(margins: &mut [f64]) -> f64 {
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for margin in margins.iter_mut() {
        *margin = libm::exp(*margin - largest);
        total += *margin;
    }
    margins.iter_mut().for_each(|margin| *margin /= total);
    largest + libm::log(total)
}

/// Maps the logarithm of a value to the value; infinite beyond the range of doubles.
pub fn exp(margin: f64) -> f64 {
    libm::exp(margin)
}

/// Maps a log-odds to a probability, without overflow at either end.
pub fn sigmoid(margin: f64) -> f64 {
    let tail = libm::exp(-margin.abs());
    if margin >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) }
}
