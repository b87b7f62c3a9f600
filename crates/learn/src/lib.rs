//! Learning over matrices: binned matrix, tree engine, linear models, metrics, explanations.
//!
//! Everything here sees columns of `f64` and nothing else: no names, no tables, no files. Results are the same bytes at
//! any thread count and on any machine: histograms are sums of integers, floating sums have a fixed order or an exact
//! accumulator, `exp` and `log` come from `libm`, and randomness is keyed. Work runs on the current `rayon` pool.
//!
//! Never: a clock, a file, an unkeyed draw, a floating sum whose order depends on threads.

mod binning;
mod boosting;
mod calibration;
mod categories;
mod ensemble;
mod error;
mod folds;
mod forest;
mod linear;
mod matrix;
pub mod metrics;
mod objective;
mod shap;
mod spread;
mod widest;

pub use binning::{BinnedMatrix, Binning};
pub use boosting::{
    BoostingFit, BoostingParameters, CategoryParameters, GrowPolicy, Iteration, Monotonic, Score, Validation, boost,
};
pub use calibration::{CalibrationMethod, Calibrator, IsotonicCalibrator, MulticlassCalibrator, SigmoidCalibrator};
pub use categories::CategorySet;
pub use ensemble::{Node, Tree, TreeEnsemble};
pub use error::Error;
pub use folds::{forward_blocks, stratified_folds};
pub use forest::{Criterion, ForestFit, ForestParameters, MaxFeatures, OutOfBag, Splitter, grow_forest};
pub use linear::{
    ElasticNetParameters, LinearModel, LogisticParameters, elastic_net, logistic_regression, multinomial_regression,
    ridge,
};
pub use matrix::Matrix;
pub use objective::{Objective, exp, sigmoid, softmax};
pub use shap::{Contributions, LinearExplainer, PermutationImportance, TreeExplainer, permutation_importance};
