//! The ranges that are searched where nobody says.

use super::{Range, SearchRange};
use crate::{EstimatorSpec, Located};

fn float(name: &str, low: f64, high: f64, log: bool) -> (String, SearchRange) {
    ranged(name, Range::Float { low, high, log, step: None })
}

fn int(name: &str, low: i64, high: i64, log: bool) -> (String, SearchRange) {
    ranged(name, Range::Int { low, high, log, step: 1 })
}

fn ranged(name: &str, range: Range) -> (String, SearchRange) {
    (name.to_owned(), SearchRange { range: Located::of_default(range), when: None })
}

/// Gives the usual ranges of an estimator: what matters most, from careful to bold, around the defaults.
pub(super) fn space(spec: &EstimatorSpec) -> Vec<(String, SearchRange)> {
    match spec {
        EstimatorSpec::Dummy {} => Vec::new(),
        EstimatorSpec::LogisticRegression(_) => vec![float("C", 1e-4, 1e3, true)],
        EstimatorSpec::Ridge { .. } => vec![float("alpha", 1e-4, 1e4, true)],
        EstimatorSpec::Lasso(_) => vec![float("alpha", 1e-5, 10.0, true)],
        EstimatorSpec::ElasticNet(_) => vec![float("alpha", 1e-5, 10.0, true), float("l1_ratio", 0.05, 1.0, false)],
        EstimatorSpec::GradientBoosting(_) => vec![
            float("learning_rate", 0.01, 0.3, true),
            int("max_iter", 50, 500, true),
            int("max_leaf_nodes", 4, 128, true),
            int("min_samples_leaf", 2, 100, true),
            float("l2_regularization", 1e-3, 10.0, true),
            float("subsample", 0.5, 1.0, false),
            float("colsample_bytree", 0.4, 1.0, false),
        ],
        EstimatorSpec::RandomForest(_) | EstimatorSpec::ExtraTrees(_) => vec![
            int("max_depth", 3, 30, true),
            int("min_samples_leaf", 1, 50, true),
            float("max_features", 0.1, 1.0, false),
        ],
        EstimatorSpec::Xgboost(_) => vec![
            float("learning_rate", 0.01, 0.3, true),
            int("n_estimators", 50, 500, true),
            int("max_depth", 2, 10, false),
            float("min_child_weight", 0.1, 20.0, true),
            float("reg_lambda", 1e-3, 10.0, true),
            float("subsample", 0.5, 1.0, false),
            float("colsample_bytree", 0.4, 1.0, false),
        ],
        EstimatorSpec::Lightgbm(_) => vec![
            float("learning_rate", 0.01, 0.3, true),
            int("n_estimators", 50, 500, true),
            int("num_leaves", 4, 128, true),
            int("min_child_samples", 2, 100, true),
            float("reg_lambda", 1e-3, 10.0, true),
            float("colsample_bytree", 0.4, 1.0, false),
        ],
    }
}
