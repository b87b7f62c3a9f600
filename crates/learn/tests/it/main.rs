//! The learners and metrics against scikit-learn and LightGBM, and against their own promises.

mod boosting;
mod calibration;
mod calibration_metrics;
mod categories;
mod data;
mod determinism;
mod folds;
mod forest;
mod growth;
mod lightgbm;
mod linear;
mod metrics;
mod multiclass;
mod objectives;
mod quality;
mod scored;
mod shap;
mod sparse;
mod stored;
mod thresholds;
mod weighted_curves;
mod weighted_scores;
