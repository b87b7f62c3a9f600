//! What a boosted fit may be told.

use crate::Error;

/// Says in which order the leaves of a tree are split; it matters where `max_leaf_nodes` ends the growth. The names are
/// XGBoost's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GrowPolicy {
    /// The leaf of greatest gain first.
    #[default]
    Lossguide,
    /// The leaf nearest to the root first; of one depth the oldest.
    Depthwise,
}

/// Says which way predictions may go when a column grows and all others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Monotonic {
    /// Either.
    #[default]
    Free,
    /// Never down.
    Increase,
    /// Never up.
    Decrease,
}

/// Says how a column of categories is split; the names and defaults are LightGBM's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CategoryParameters {
    /// What is added to a category's sum of hessians where categories are ordered, and the fewest rows that a category
    /// of the node must have to be ordered; at least 0.
    pub cat_smooth: f64,
    /// What is added to the L2 penalty where a split was chosen among ordered categories; at least 0.
    pub cat_l2: f64,
    /// The most categories that a split tells from all others; at least 1.
    pub max_cat_threshold: usize,
    /// The fewest rows by which one split of ordered categories differs from the next; at least 1.
    pub min_data_per_group: usize,
    /// The most categories of a node of which each is held against all others, in place of an order; at least 1.
    pub max_cat_to_onehot: usize,
}

impl Default for CategoryParameters {
    fn default() -> CategoryParameters {
        CategoryParameters {
            cat_smooth: 10.0,
            cat_l2: 10.0,
            max_cat_threshold: 32,
            min_data_per_group: 100,
            max_cat_to_onehot: 4,
        }
    }
}

/// Says how to boost; the names and defaults are those of scikit-learn's `HistGradientBoosting*`.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostingParameters {
    /// The share of each tree's values that is added; above 0.
    pub learning_rate: f64,
    /// The number of trees; at least 1.
    pub max_iter: usize,
    /// The most leaves of a tree; at least 2.
    pub max_leaf_nodes: usize,
    /// The most splits above a leaf; at least 1, `None` for no limit.
    pub max_depth: Option<usize>,
    /// The fewest rows of a leaf; at least 1.
    pub min_samples_leaf: usize,
    /// The L2 penalty on leaf values; at least 0.
    pub l2_regularization: f64,
    /// The L1 penalty on leaf values, in units of a gradient (LightGBM's `reg_alpha`); at least 0.
    pub reg_alpha: f64,
    /// The least sum of hessians of a leaf (LightGBM's `min_child_weight`); at least 0.
    pub min_hessian: f64,
    /// The direction of each column; empty where all are free. Not for several classes, nor for the absolute and the
    /// pinball loss, whose refitted leaves would break it.
    pub monotonic_cst: Vec<Monotonic>,
    /// The order of growth.
    pub grow_policy: GrowPolicy,
    /// How splits of categories are found.
    pub categories: CategoryParameters,
    /// The most value bins of a column, 2 to 255: what the caller passes to [`crate::Binning::fit`].
    pub max_bins: usize,
    /// The share of rows that each tree sees; above 0, at most 1.
    pub subsample: f64,
    /// The share of columns that each tree sees; above 0, at most 1.
    pub colsample_bytree: f64,
    /// Whether to stop when the validation loss no longer falls, or the score no longer grows; needs validation rows.
    pub early_stopping: bool,
    /// The iterations without a change by more than `tol` after which to stop; at least 1.
    pub n_iter_no_change: usize,
    /// The least change of the validation loss or score that counts; at least 0.
    pub tol: f64,
    /// The seed of `subsample` and `colsample_bytree`.
    pub seed: u64,
}

impl Default for BoostingParameters {
    fn default() -> BoostingParameters {
        BoostingParameters {
            learning_rate: 0.1,
            max_iter: 100,
            max_leaf_nodes: 31,
            max_depth: None,
            min_samples_leaf: 20,
            l2_regularization: 0.0,
            reg_alpha: 0.0,
            min_hessian: 1e-3,
            monotonic_cst: Vec::new(),
            grow_policy: GrowPolicy::Lossguide,
            categories: CategoryParameters::default(),
            max_bins: 255,
            subsample: 1.0,
            colsample_bytree: 1.0,
            early_stopping: false,
            n_iter_no_change: 10,
            tol: 1e-7,
            seed: 0,
        }
    }
}

impl BoostingParameters {
    /// Refuses values outside their range, and early stopping without the rows that say when to stop.
    pub(crate) fn check(&self, has_validation: bool) -> Result<(), Error> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let finite_from_zero = |value: f64| value.is_finite() && value >= 0.0;
        let CategoryParameters { cat_smooth, cat_l2, .. } = self.categories;
        let counts = [
            ("max_cat_threshold", self.categories.max_cat_threshold),
            ("min_data_per_group", self.categories.min_data_per_group),
            ("max_cat_to_onehot", self.categories.max_cat_to_onehot),
        ];
        let rules = [
            (
                "learning_rate",
                self.learning_rate,
                self.learning_rate.is_finite() && self.learning_rate > 0.0,
                "above 0",
            ),
            ("max_iter", self.max_iter as f64, self.max_iter >= 1, "at least 1"),
            ("max_leaf_nodes", self.max_leaf_nodes as f64, self.max_leaf_nodes >= 2, "at least 2"),
            ("max_depth", self.max_depth.unwrap_or(1) as f64, self.max_depth != Some(0), "at least 1, or none"),
            ("min_samples_leaf", self.min_samples_leaf as f64, self.min_samples_leaf >= 1, "at least 1"),
            ("l2_regularization", self.l2_regularization, finite_from_zero(self.l2_regularization), "at least 0"),
            ("reg_alpha", self.reg_alpha, finite_from_zero(self.reg_alpha), "at least 0"),
            ("min_child_weight", self.min_hessian, finite_from_zero(self.min_hessian), "at least 0"),
            ("max_bins", self.max_bins as f64, (2..=255).contains(&self.max_bins), "from 2 to 255"),
            ("subsample", self.subsample, share(self.subsample), "above 0 and at most 1"),
            ("colsample_bytree", self.colsample_bytree, share(self.colsample_bytree), "above 0 and at most 1"),
            (
                "early_stopping",
                f64::from(self.early_stopping),
                has_validation || !self.early_stopping,
                "0 (false) without validation rows",
            ),
            ("n_iter_no_change", self.n_iter_no_change as f64, self.n_iter_no_change >= 1, "at least 1"),
            ("tol", self.tol, finite_from_zero(self.tol), "at least 0"),
            ("cat_smooth", cat_smooth, finite_from_zero(cat_smooth), "at least 0"),
            ("cat_l2", cat_l2, finite_from_zero(cat_l2), "at least 0"),
        ];
        let counts = counts.map(|(name, count)| (name, count as f64, count >= 1, "at least 1"));
        match rules.into_iter().chain(counts).find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, allowed)) => Err(Error::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }

    /// Says whether any column has a direction.
    pub(crate) fn is_constrained(&self) -> bool {
        self.monotonic_cst.iter().any(|direction| *direction != Monotonic::Free)
    }
}
