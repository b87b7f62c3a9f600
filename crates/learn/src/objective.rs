//! The losses that boosting minimises.

use serde::{Deserialize, Serialize};

/// Names the loss that is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The mean log loss of targets in {0, 1}; the margin is a log-odds.
    BinaryLogLoss,
    /// The mean squared error; the margin is the value itself.
    SquaredError,
}

/// Maps a log-odds to a probability, without overflow at either end.
pub fn sigmoid(margin: f64) -> f64 {
    let tail = libm::exp(-margin.abs());
    if margin >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) }
}
