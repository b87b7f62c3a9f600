//! The parameters of external engines, named, bounded and preset as in the libraries.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Shape, boolean, choice, defaulted, integer, named, number, optional, record, sorted_map,
};
use crate::error::Error;
use crate::estimator::{ClassWeight, Direction, GrowPolicy, Monotonic, Weights};
use crate::tree::{Content, Kind, Node};

/// Whose bounds messages name.
const XGBOOST: &str = "XGBoost";
const LIGHTGBM: &str = "LightGBM";

record! {
    /// XGBoost's boosted trees; needs the library, which `trainyard engines add xgboost` brings.
    pub struct XgboostSpec {
        /// The number of trees.
        n_estimators or ["num_boost_round"]: Located<u32> = defaulted(integer(1, 1_000_000).of(XGBOOST), 100),
        /// The most splits above a leaf; 0 for no limit.
        max_depth: Located<u32> = defaulted(integer(0, 1_000_000).of(XGBOOST), 6),
        /// The most leaves of a tree; 0 for no limit.
        max_leaves: Located<u32> = defaulted(integer(0, 1_000_000).of(XGBOOST), 0),
        /// The share of each tree's values that is added.
        learning_rate or ["eta"]: Located<f64> = defaulted(number().at_least(0.0).at_most(1.0).of(XGBOOST), 0.3),
        /// The share of rows that each tree sees.
        subsample: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(XGBOOST), 1.0),
        /// The share of columns that each tree sees.
        colsample_bytree: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(XGBOOST), 1.0),
        /// The share of those that each level of a tree sees.
        colsample_bylevel: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(XGBOOST), 1.0),
        /// The share of those that each split sees.
        colsample_bynode: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(XGBOOST), 1.0),
        /// The least sum of the loss's second derivatives of a child.
        min_child_weight: Located<f64> = defaulted(number().at_least(0.0).of(XGBOOST), 1.0),
        /// The least fall of the loss for a split.
        gamma or ["min_split_loss"]: Located<f64> = defaulted(number().at_least(0.0).of(XGBOOST), 0.0),
        /// The L1 penalty on the values of leaves.
        reg_alpha or ["alpha"]: Located<f64> = defaulted(number().at_least(0.0).of(XGBOOST), 0.0),
        /// The L2 penalty on the values of leaves.
        reg_lambda or ["lambda"]: Located<f64> = defaulted(number().at_least(0.0).of(XGBOOST), 1.0),
        /// The most that a leaf may say; 0 for no limit.
        max_delta_step: Located<f64> = defaulted(number().at_least(0.0).of(XGBOOST), 0.0),
        /// The most bins of a column.
        max_bin: Located<u32> = defaulted(integer(2, 1_000_000).of(XGBOOST), 256),
        /// Which leaf of a tree is split next. Default: depthwise.
        grow_policy: Option<Located<GrowPolicy>> = optional(choice()).unlisted(),
        /// How splits are found. Default: hist.
        tree_method: Option<Located<TreeMethod>> = optional(choice()).unlisted(),
        /// The trees without a fall of the loss on a fold's rows after which a fit stops; the number of trees is then the
        /// mean over the folds. Left out, all trees are grown.
        early_stopping_rounds: Option<Located<u32>> = optional(integer(1, 1_000_000).of(XGBOOST)).unlisted(),
        /// Which way predictions may go when a feature grows: 1 or increase, -1 or decrease, 0 for either.
        monotone_constraints or ["monotonic_cst"]: Option<BTreeMap<String, Located<Monotonic>>> =
            optional(sorted_map(Direction)).unlisted(),
        /// How much the rows of a class count: balanced, or a weight for some classes; for classification.
        class_weight: Option<Located<ClassWeight>> = optional(Weights).unlisted(),
        /// What computes; needs a library that was built for it. Default: cpu.
        device: Option<Located<XgboostDevice>> = optional(choice()).unlisted(),
    }
}

named! {
    /// What XGBoost computes with.
    pub enum XgboostDevice {
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA card.
        Cuda = "cuda",
    }
}

named! {
    /// How XGBoost finds splits.
    pub enum TreeMethod {
        /// Over bins that are made once.
        Hist = "hist",
        /// Over bins that are made for each tree.
        Approx = "approx",
        /// Over all values.
        Exact = "exact",
    }
}

record! {
    /// LightGBM's boosted trees; needs the library, which `trainyard engines add lightgbm` brings.
    pub struct LightgbmSpec {
        /// The number of trees.
        n_estimators or ["num_iterations", "num_boost_round"]: Located<u32> =
            defaulted(integer(1, 1_000_000).of(LIGHTGBM), 100),
        /// The most leaves of a tree.
        num_leaves or ["max_leaves"]: Located<u32> = defaulted(integer(2, 131_072).of(LIGHTGBM), 31),
        /// The most splits above a leaf; -1 for no limit.
        max_depth: Located<i32> = defaulted(Depth, -1),
        /// The share of each tree's values that is added.
        learning_rate or ["eta", "shrinkage_rate"]: Located<f64> = defaulted(number().above(0.0).of(LIGHTGBM), 0.1),
        /// The fewest rows of a leaf.
        min_child_samples or ["min_data_in_leaf"]: Located<u32> =
            defaulted(integer(0, 2_147_483_647).of(LIGHTGBM), 20),
        /// The least sum of the loss's second derivatives of a leaf.
        min_child_weight or ["min_sum_hessian_in_leaf"]: Located<f64> =
            defaulted(number().at_least(0.0).of(LIGHTGBM), 1e-3),
        /// The share of rows that trees see; needs `subsample_freq`.
        subsample or ["bagging_fraction"]: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(LIGHTGBM), 1.0),
        /// After how many trees rows are drawn anew; 0 to draw none.
        subsample_freq or ["bagging_freq"]: Located<u32> = defaulted(integer(0, 1_000_000).of(LIGHTGBM), 0),
        /// The share of columns that each tree sees.
        colsample_bytree or ["feature_fraction"]: Located<f64> =
            defaulted(number().above(0.0).at_most(1.0).of(LIGHTGBM), 1.0),
        /// The share of those that each split sees.
        feature_fraction_bynode: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of(LIGHTGBM), 1.0),
        /// The L1 penalty on the values of leaves.
        reg_alpha or ["lambda_l1"]: Located<f64> = defaulted(number().at_least(0.0).of(LIGHTGBM), 0.0),
        /// The L2 penalty on the values of leaves.
        reg_lambda or ["lambda_l2"]: Located<f64> = defaulted(number().at_least(0.0).of(LIGHTGBM), 0.0),
        /// The least gain of a split.
        min_split_gain or ["min_gain_to_split"]: Located<f64> = defaulted(number().at_least(0.0).of(LIGHTGBM), 0.0),
        /// The most bins of a column.
        max_bin: Located<u32> = defaulted(integer(2, 65_535).of(LIGHTGBM), 255),
        /// How much a leaf follows its parent; 0 for not at all.
        path_smooth: Located<f64> = defaulted(number().at_least(0.0).of(LIGHTGBM), 0.0),
        /// Whether to try one threshold by chance for each column, and not all.
        extra_trees: Located<bool> = defaulted(boolean(), false),
        /// The trees without a fall of the loss on a fold's rows after which a fit stops; the number of trees is then the
        /// mean over the folds. Left out, all trees are grown.
        early_stopping_round or ["early_stopping_rounds", "n_iter_no_change"]: Option<Located<u32>> =
            optional(integer(1, 1_000_000).of(LIGHTGBM)).unlisted(),
        /// Which way predictions may go when a feature grows: 1 or increase, -1 or decrease, 0 for either.
        monotone_constraints or ["monotonic_cst"]: Option<BTreeMap<String, Located<Monotonic>>> =
            optional(sorted_map(Direction)).unlisted(),
        /// How much the rows of a class count: balanced, or a weight for some classes; for classification.
        class_weight: Option<Located<ClassWeight>> = optional(Weights).unlisted(),
        /// What computes; needs a library that was built for it. Default: cpu.
        device_type or ["device"]: Option<Located<LightgbmDevice>> = optional(choice()).unlisted(),
    }
}

named! {
    /// What LightGBM computes with.
    pub enum LightgbmDevice {
        /// The processor.
        Cpu = "cpu",
        /// A card, by OpenCL.
        Gpu = "gpu",
        /// An NVIDIA card.
        Cuda = "cuda",
    }
}

/// Takes a whole number from 1, or -1 or 0 for no limit.
struct Depth;

impl Shape for Depth {
    type Value = Located<i32>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<i32>> {
        let scalar = match &node.content {
            Content::Scalar(scalar) => Some((scalar, scalar.kind())),
            Content::Sequence(_) | Content::Mapping(_) => None,
        };
        let Some((scalar, Kind::Integer(value))) = scalar else {
            decoder.wrong_type(node, "a whole number");
            return None;
        };
        let value = i32::try_from(value).ok().filter(|value| *value >= -1);
        if value.is_none() {
            let (spot, value) = (decoder.spot(node), scalar.text.clone());
            let range = "-1, or a whole number from 0".to_owned();
            decoder.errors.push(Error::OutOfRange { spot, value, range, whose: Some(LIGHTGBM) });
        }
        Some(Located::new(value?, node.origin.clone()))
    }

    fn encode(&self, value: &Located<i32>) -> Value {
        value.value.into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "integer", "minimum": -1, "maximum": i32::MAX })
    }
}
