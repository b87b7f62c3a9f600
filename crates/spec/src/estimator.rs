//! Estimators with their parameters, named and bounded as in scikit-learn.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, FieldInfo, Record, Section, Shape, bare, boolean, choice, defaulted, integer, named, number,
    optional, rec, record, sorted_map,
};
use crate::error::Error;
use crate::external::{LightgbmSpec, XgboostSpec};
use crate::metric::Metric;
use crate::tree::{Content, Kind, Node, Scalar};

/// Whose bounds messages name.
const LIBRARY: &str = "scikit-learn";

/// An estimator with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum EstimatorSpec {
    /// A logistic regression.
    LogisticRegression(LogisticSpec),
    /// A linear regression with an L2 penalty.
    Ridge {
        /// The strength of the penalty.
        alpha: Located<f64>,
    },
    /// A linear regression with an L1 penalty.
    Lasso(LassoSpec),
    /// A linear regression with both penalties.
    ElasticNet(ElasticNetSpec),
    /// The mean of the target, or the share of each class, whatever the row.
    Dummy {},
    /// Boosted trees.
    GradientBoosting(Box<BoostingSpec>),
    /// Averaged trees of rows drawn with replacement, split at the best threshold of some columns.
    RandomForest(ForestSpec),
    /// Averaged trees that are split at a threshold drawn by chance.
    ExtraTrees(ForestSpec),
    /// XGBoost's boosted trees.
    Xgboost(XgboostSpec),
    /// LightGBM's boosted trees.
    Lightgbm(LightgbmSpec),
}

record! {
    /// A logistic regression; for classification.
    pub struct LogisticSpec {
        /// The inverse of the strength of the penalty.
        c as "C": Located<f64> = defaulted(number().above(0.0).of(LIBRARY), 1.0),
        /// The most iterations.
        max_iter: Located<u32> = defaulted(integer(1, u64::from(u32::MAX)).of(LIBRARY), 100),
        /// The slope at which a fit counts as converged.
        tol: Located<f64> = defaulted(number().above(0.0).of(LIBRARY), 1e-4),
        /// The share of the penalty that is L1, which leaves features out; the rest is L2. Default: 0.
        l1_ratio: Option<Located<f64>> = optional(number().at_least(0.0).at_most(1.0).of(LIBRARY)).unlisted(),
        /// The penalty by its older name: l1 is `l1_ratio: 1`, l2 is `l1_ratio: 0`. Default: l2.
        penalty: Option<Located<Penalty>> = optional(choice()).unlisted(),
        /// Whether there is an intercept. Default: true.
        fit_intercept: Option<Located<bool>> = optional(boolean()).unlisted(),
        /// How much the rows of a class count: balanced, or a weight for some classes.
        class_weight: Option<Located<ClassWeight>> = optional(Weights).unlisted(),
    }
    check check_logistic
}

named! {
    /// What keeps the coefficients of a logistic regression small; the names are scikit-learn's.
    pub enum Penalty {
        /// Their absolute values.
        L1 = "l1",
        /// Their squares.
        L2 = "l2",
        /// Both.
        ElasticNet = "elasticnet",
        /// Nothing.
        None = "none",
    }
}

impl LogisticSpec {
    /// Gives the share of the penalty that is L1, whichever key says it; 0 to 1.
    pub fn l1_share(&self) -> f64 {
        let of_name = match self.penalty.as_ref().map(|penalty| penalty.value) {
            Some(Penalty::L1) => 1.0,
            Some(Penalty::L2 | Penalty::ElasticNet | Penalty::None) | None => 0.0,
        };
        self.l1_ratio.as_ref().map_or(of_name, |ratio| ratio.value)
    }

    /// Gives the inverse of the strength of the penalty; infinite where there is none.
    pub fn inverse_strength(&self) -> f64 {
        let is_free = self.penalty.as_ref().is_some_and(|penalty| penalty.value == Penalty::None);
        if is_free { f64::INFINITY } else { self.c.value }
    }
}

/// Refuses a penalty that says something else than the keys beside it.
fn check_logistic(spec: &mut LogisticSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let key = |name: &str| section.entries.iter().map(|(key, _)| key).find(|key| key.value == name).cloned();
    let (Some(penalty), Some(first)) = (spec.penalty.as_ref().map(|penalty| penalty.value), key("penalty")) else {
        return;
    };
    let ratio = spec.l1_ratio.as_ref().map(|ratio| ratio.value);
    let mut conflict = |second: &str, why, help| {
        let (first, second) = (first.clone(), key(second));
        decoder.errors.extend(second.map(|second| Error::ParameterConflict { first, second, why, help }));
    };
    match (penalty, ratio) {
        (Penalty::ElasticNet, None) => {
            let why = "how much of the penalty is L1 must be said";
            decoder.errors.push(Error::LoneParameter { key: first, needs: "l1_ratio: 0.5", why });
        }
        (Penalty::L1, Some(ratio)) if ratio != 1.0 => {
            conflict("l1_ratio", "`penalty: l1` means `l1_ratio: 1`", "leave `penalty` out");
        }
        (Penalty::L2, Some(ratio)) if ratio != 0.0 => {
            conflict("l1_ratio", "`penalty: l2` means `l1_ratio: 0`", "leave `penalty` out");
        }
        (Penalty::None, _) => {
            // A record of the spec writes the default out.
            for second in ["C", "l1_ratio"].into_iter().filter(|key| *key != "C" || spec.c.value != 1.0) {
                conflict(second, "without a penalty it does nothing", "leave one of them out");
            }
        }
        (Penalty::L1 | Penalty::L2 | Penalty::ElasticNet, _) => {}
    }
}

record! {
    /// A linear regression with an L2 penalty; for regression.
    pub(crate) struct RidgeSpec {
        /// The strength of the penalty.
        alpha: Located<f64> = defaulted(number().at_least(0.0).of(LIBRARY), 1.0),
    }
}

record! {
    /// A linear regression with an L1 penalty, which leaves features out; for regression.
    pub struct LassoSpec {
        /// The strength of the penalty.
        alpha: Located<f64> = defaulted(number().at_least(0.0).of(LIBRARY), 1.0),
        /// The most iterations.
        max_iter: Located<u32> = defaulted(integer(1, u64::from(u32::MAX)).of(LIBRARY), 1000),
        /// The duality gap, as a share of the target's variance, at which a fit counts as converged.
        tol: Located<f64> = defaulted(number().above(0.0).of(LIBRARY), 1e-4),
    }
}

record! {
    /// A linear regression with an L1 and an L2 penalty; for regression.
    pub struct ElasticNetSpec {
        /// The strength of the penalty.
        alpha: Located<f64> = defaulted(number().at_least(0.0).of(LIBRARY), 1.0),
        /// The share of the penalty that is L1; the rest is L2.
        l1_ratio: Located<f64> = defaulted(number().at_least(0.0).at_most(1.0).of(LIBRARY), 0.5),
        /// The most iterations.
        max_iter: Located<u32> = defaulted(integer(1, u64::from(u32::MAX)).of(LIBRARY), 1000),
        /// The duality gap, as a share of the target's variance, at which a fit counts as converged.
        tol: Located<f64> = defaulted(number().above(0.0).of(LIBRARY), 1e-4),
    }
}

/// Parameters of an estimator that has none.
struct NoParameters;

impl Shape for NoParameters {
    type Value = ();

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<()> {
        decoder.section(node, &[]).map(|_| ())
    }

    fn encode(&self, (): &()) -> Value {
        Value::Object(Map::new())
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }
}

record! {
    /// Boosted trees over binned columns; names and defaults are those of scikit-learn's HistGradientBoosting.
    pub struct BoostingSpec {
        /// The share of each tree's values that is added.
        learning_rate: Located<f64> = defaulted(number().above(0.0).of(LIBRARY), 0.1),
        /// The number of trees.
        max_iter or ["n_estimators"]: Located<u32> = defaulted(integer(1, 1_000_000).of(LIBRARY), 100),
        /// The most leaves of a tree.
        max_leaf_nodes or ["num_leaves"]: Located<u32> = defaulted(integer(2, 65_536).of(LIBRARY), 31),
        /// The most splits above a leaf; no limit where it is left out.
        max_depth: Option<Located<u32>> = optional(integer(1, u64::from(u32::MAX)).of(LIBRARY)),
        /// The fewest rows of a leaf.
        min_samples_leaf or ["min_child_samples"]: Located<u32> =
            defaulted(integer(1, u64::from(u32::MAX)).of(LIBRARY), 20),
        /// The L2 penalty on the values of leaves.
        l2_regularization or ["reg_lambda"]: Located<f64> = defaulted(number().at_least(0.0).of(LIBRARY), 0.0),
        /// The most bins of a column of numbers; missing values have one of their own.
        max_bins: Located<u32> = defaulted(integer(2, 255).of(LIBRARY), 255),
        /// Whether to stop when the validation loss no longer falls.
        early_stopping: Located<bool> = defaulted(boolean(), false),
        /// The metric that says when to stop in place of the loss.
        scoring: Option<Located<String>> = optional(Metric).unlisted(),
        /// The trees without a fall of the loss, or a better metric, after which to stop.
        n_iter_no_change: Located<u32> = defaulted(integer(1, 1_000_000).of(LIBRARY), 10),
        /// The least change of the loss or metric that counts.
        tol: Located<f64> = defaulted(number().at_least(0.0).of(LIBRARY), 1e-7),
        /// The share of rows that each tree sees.
        subsample: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of("LightGBM"), 1.0),
        /// The share of columns that each tree sees.
        colsample_bytree: Located<f64> = defaulted(number().above(0.0).at_most(1.0).of("LightGBM"), 1.0),
        /// What the trees make small. Default: squared_error; in classification log_loss, which is all there is.
        loss: Option<Located<Loss>> = optional(choice()).unlisted(),
        /// The share of targets that lie below what is predicted; for `loss: quantile`.
        quantile: Option<Located<f64>> = optional(number().above(0.0).below(1.0).of(LIBRARY)).unlisted(),
        /// The L1 penalty on the values of leaves, 0 where it is left out.
        reg_alpha: Option<Located<f64>> = optional(number().at_least(0.0).of("LightGBM")).unlisted(),
        /// The least sum of the loss's second derivatives of a leaf, 0.001 where it is left out.
        min_child_weight or ["min_sum_hessian_in_leaf"]: Option<Located<f64>> =
            optional(number().at_least(0.0).of("LightGBM")).unlisted(),
        /// Which way predictions may go when a feature grows: 1 or increase, -1 or decrease, 0 for either.
        monotonic_cst: Option<BTreeMap<String, Located<Monotonic>>> = optional(sorted_map(Direction)).unlisted(),
        /// Which leaf is split next, which matters where `max_leaf_nodes` ends the growth. Default: lossguide.
        grow_policy: Option<Located<GrowPolicy>> = optional(choice()).unlisted(),
        /// How much the rows of a class count: balanced, or a weight for some classes; for classification.
        class_weight: Option<Located<ClassWeight>> = optional(Weights).unlisted(),
        /// What a category's second derivatives are taken to have more where `encode: native` orders categories, and
        /// the fewest rows that a category needs for that, 10 where it is left out.
        cat_smooth: Option<Located<f64>> = optional(number().at_least(0.0).of("LightGBM")).unlisted(),
        /// The further L2 penalty on leaves below a split of ordered categories, 10 where it is left out.
        cat_l2: Option<Located<f64>> = optional(number().at_least(0.0).of("LightGBM")).unlisted(),
        /// The most categories that a split tells from all others, 32 where it is left out.
        max_cat_threshold: Option<Located<u32>> =
            optional(integer(1, 2_147_483_647).of("LightGBM")).unlisted(),
        /// The fewest rows by which splits of ordered categories differ, 100 where it is left out.
        min_data_per_group: Option<Located<u32>> =
            optional(integer(1, 2_147_483_647).of("LightGBM")).unlisted(),
        /// The most categories of a node of which each is held against all others, 4 where it is left out.
        max_cat_to_onehot: Option<Located<u32>> =
            optional(integer(1, 2_147_483_647).of("LightGBM")).unlisted(),
    }
    check check_boosting
}

named! {
    /// What boosted trees make small; the names are those of scikit-learn's HistGradientBoosting.
    pub enum Loss {
        /// The mean squared error: predicts means.
        SquaredError = "squared_error",
        /// The mean absolute error: predicts medians.
        AbsoluteError = "absolute_error",
        /// The pinball loss: predicts quantiles.
        Quantile = "quantile",
        /// Half the Poisson deviance, of targets from 0: predicts means, never below 0.
        Poisson = "poisson",
        /// The log loss, of classes.
        LogLoss = "log_loss",
    }
}

named! {
    /// Which leaf of a tree is split next; the names are XGBoost's.
    pub enum GrowPolicy {
        /// The one of greatest gain.
        Lossguide = "lossguide",
        /// The one nearest to the root.
        Depthwise = "depthwise",
    }
}

/// Which way predictions may go when a feature grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monotonic {
    /// Never up.
    Decrease,
    /// Either way.
    Free,
    /// Never down.
    Increase,
}

/// Takes `increase`, `decrease`, 1, 0 or -1.
pub(crate) struct Direction;

impl Shape for Direction {
    type Value = Located<Monotonic>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<Monotonic>> {
        let text = match &node.content {
            Content::Scalar(scalar) => scalar.text.as_str(),
            Content::Sequence(_) | Content::Mapping(_) => "",
        };
        let direction = match text {
            "decrease" | "-1" => Some(Monotonic::Decrease),
            "0" => Some(Monotonic::Free),
            "increase" | "1" => Some(Monotonic::Increase),
            _ => None,
        };
        if direction.is_none() {
            decoder.wrong_type(node, "increase, decrease, 1, -1 or 0");
        }
        Some(Located::new(direction?, node.origin.clone()))
    }

    fn encode(&self, value: &Located<Monotonic>) -> Value {
        match value.value {
            Monotonic::Decrease => (-1).into(),
            Monotonic::Free => 0.into(),
            Monotonic::Increase => 1.into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "enum": [-1, 0, 1, "decrease", "increase", "-1", "0", "1"] })
    }
}

/// How much the rows of a class count.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeight {
    /// So that every class counts the same: the number of rows over that of the classes and that of the class's rows.
    Balanced,
    /// So much for each of these classes, 1 for any other.
    Classes(BTreeMap<String, f64>),
}

/// Takes `balanced`, or classes with a weight each.
pub(crate) struct Weights;

impl Weights {
    fn classes() -> impl Shape<Value = BTreeMap<String, f64>> {
        sorted_map(bare(number().at_least(0.0).of(LIBRARY)))
    }
}

impl Shape for Weights {
    type Value = Located<ClassWeight>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<ClassWeight>> {
        let value = match &node.content {
            Content::Scalar(scalar) if scalar.text == "balanced" => ClassWeight::Balanced,
            Content::Mapping(_) => ClassWeight::Classes(Weights::classes().decode(node, decoder)?),
            Content::Scalar(_) | Content::Sequence(_) => {
                decoder.wrong_type(node, "balanced, or classes with a weight each such as {\"Yes\": 3}");
                return None;
            }
        };
        Some(Located::new(value, node.origin.clone()))
    }

    fn encode(&self, value: &Located<ClassWeight>) -> Value {
        match &value.value {
            ClassWeight::Balanced => "balanced".into(),
            ClassWeight::Classes(weights) => Weights::classes().encode(weights),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "const": "balanced" }, Weights::classes().schema(definitions)] })
    }
}

/// Refuses parameters that do nothing or cannot hold beside the loss.
fn check_boosting(spec: &mut BoostingSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let key = |name: &str| section.entries.iter().map(|(key, _)| key).find(|key| key.value == name).cloned();
    let loss = spec.loss.as_ref().map(|loss| loss.value);
    let mut lone = |name: &str, needs, why| {
        decoder.errors.extend(key(name).map(|key| Error::LoneParameter { key, needs, why }));
    };
    match (loss == Some(Loss::Quantile), spec.quantile.is_some()) {
        (true, false) => lone("loss", "quantile: 0.9", "which quantile must be said"),
        (false, true) => lone("quantile", "loss: quantile", "no other loss has one"),
        (true, true) | (false, false) => {}
    }
    if spec.scoring.is_some() && !spec.early_stopping.value {
        lone("scoring", "early_stopping: true", "without it nothing stops early");
    }
    if let (Some(Loss::AbsoluteError | Loss::Quantile), Some(second), Some(first)) =
        (loss, key("monotonic_cst"), key("loss"))
        && spec.monotonic_cst.as_ref().is_some_and(|columns| columns.values().any(|way| way.value != Monotonic::Free))
    {
        let why = "leaves that are medians or quantiles do not keep to a direction";
        let help = "leave `monotonic_cst` out, or choose the loss squared_error or poisson";
        decoder.errors.push(Error::ParameterConflict { first, second, why, help });
    }
}

record! {
    /// A forest of averaged trees; names and defaults are those of scikit-learn's RandomForest and ExtraTrees.
    pub struct ForestSpec {
        /// The number of trees.
        n_estimators: Located<u32> = defaulted(integer(1, 100_000).of(LIBRARY), 100),
        /// The most splits above a leaf; no limit where it is left out.
        max_depth: Option<Located<u32>> = optional(integer(1, u64::from(u32::MAX)).of(LIBRARY)),
        /// The fewest rows of a node that is split.
        min_samples_split: Located<u32> = defaulted(integer(2, u64::from(u32::MAX)).of(LIBRARY), 2),
        /// The fewest rows of a leaf.
        min_samples_leaf: Located<u32> = defaulted(integer(1, u64::from(u32::MAX)).of(LIBRARY), 1),
        /// The columns that each split looks at; where it is left out, sqrt in classification and all in regression.
        max_features: Option<Located<MaxFeatures>> = optional(SomeColumns),
        /// Whether each tree sees rows drawn with replacement, and not all of them; where it is left out, true in
        /// random_forest and false in extra_trees.
        bootstrap: Option<Located<bool>> = optional(boolean()),
        /// How much the rows of a class count: balanced, or a weight for some classes; for classification.
        class_weight: Option<Located<ClassWeight>> = optional(Weights).unlisted(),
        /// Whether to predict each row by the trees that did not see it, and report the accuracy or R² of that; needs
        /// `bootstrap: true`. Default: false.
        oob_score: Option<Located<bool>> = optional(boolean()).unlisted(),
    }
}

impl ForestSpec {
    /// Decodes a forest, with its own default for `bootstrap`.
    fn with_bootstrap(default: bool, node: &Node, decoder: &mut Decoder) -> Option<ForestSpec> {
        let mut spec: ForestSpec = Record::decode(node, decoder)?;
        let bootstrap = spec.bootstrap.get_or_insert_with(|| Located::of_default(default)).value;
        let entries = match &node.content {
            Content::Mapping(entries) => entries.as_slice(),
            Content::Scalar(_) | Content::Sequence(_) => &[],
        };
        if let (false, Some(true)) = (bootstrap, spec.oob_score.as_ref().map(|score| score.value))
            && let Some((key, _)) = entries.iter().find(|(key, _)| key.value == "oob_score")
        {
            let why = "otherwise every tree sees every row";
            decoder.errors.push(Error::LoneParameter { key: key.clone(), needs: "bootstrap: true", why });
        }
        Some(spec)
    }
}

/// How many columns a split of a forest looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The square root of their number.
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// A share of them, above 0 and at most 1.
    Share(f64),
    /// So many, at least 1.
    Count(u32),
}

/// Takes `sqrt`, `log2`, a share with a point or a whole number.
struct SomeColumns;

impl Shape for SomeColumns {
    type Value = Located<MaxFeatures>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<MaxFeatures>> {
        let kind = match &node.content {
            Content::Scalar(scalar) => Some((scalar.text.as_str(), scalar.kind())),
            Content::Sequence(_) | Content::Mapping(_) => None,
        };
        let value = match kind {
            Some(("sqrt", _)) => MaxFeatures::Sqrt,
            Some(("log2", _)) => MaxFeatures::Log2,
            Some((_, Kind::Float(_))) => {
                MaxFeatures::Share(number().above(0.0).at_most(1.0).of(LIBRARY).decode(node, decoder)?.value)
            }
            Some((_, Kind::Integer(_))) => {
                MaxFeatures::Count(integer(1, u64::from(u32::MAX)).of(LIBRARY).decode(node, decoder)?.value)
            }
            _ => {
                decoder.wrong_type(node, "sqrt, log2, a share such as 0.5 or a whole number");
                return None;
            }
        };
        Some(Located::new(value, node.origin.clone()))
    }

    fn encode(&self, value: &Located<MaxFeatures>) -> Value {
        match value.value {
            MaxFeatures::Sqrt => "sqrt".into(),
            MaxFeatures::Log2 => "log2".into(),
            MaxFeatures::Share(share) => share.into(),
            MaxFeatures::Count(count) => count.into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "anyOf": [
            { "enum": ["sqrt", "log2"] },
            { "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0 },
            { "type": "integer", "minimum": 1 },
        ] })
    }
}

const LOGISTIC: &str = "logistic_regression";
const RIDGE: &str = "ridge";
const LASSO: &str = "lasso";
const ELASTIC: &str = "elastic_net";
const DUMMY: &str = "dummy";
const BOOSTING: &str = "gradient_boosting";
const FOREST: &str = "random_forest";
const EXTRA: &str = "extra_trees";
const XGBOOST: &str = "xgboost";
const LIGHTGBM: &str = "lightgbm";

impl EstimatorSpec {
    /// The names of all estimators.
    pub const NAMES: &'static [&'static str] =
        &[LOGISTIC, RIDGE, LASSO, ELASTIC, DUMMY, BOOSTING, FOREST, EXTRA, XGBOOST, LIGHTGBM];

    /// Gives the name of the estimator.
    pub fn name(&self) -> &'static str {
        match self {
            EstimatorSpec::LogisticRegression(_) => LOGISTIC,
            EstimatorSpec::Ridge { .. } => RIDGE,
            EstimatorSpec::Lasso(_) => LASSO,
            EstimatorSpec::ElasticNet(_) => ELASTIC,
            EstimatorSpec::Dummy {} => DUMMY,
            EstimatorSpec::GradientBoosting(_) => BOOSTING,
            EstimatorSpec::RandomForest(_) => FOREST,
            EstimatorSpec::ExtraTrees(_) => EXTRA,
            EstimatorSpec::Xgboost(_) => XGBOOST,
            EstimatorSpec::Lightgbm(_) => LIGHTGBM,
        }
    }

    /// Says whether an estimator of this name is made for classes, or for numbers.
    pub fn is_for(name: &str, has_classes: bool) -> bool {
        match name {
            LOGISTIC => has_classes,
            RIDGE | LASSO | ELASTIC => !has_classes,
            _ => true,
        }
    }

    /// Says whether categories may be left to it: its trees split them by sets, or it reads no feature.
    pub fn takes_categories(&self) -> bool {
        match self {
            EstimatorSpec::GradientBoosting(_) | EstimatorSpec::Lightgbm(_) | EstimatorSpec::Dummy {} => true,
            EstimatorSpec::LogisticRegression(_)
            | EstimatorSpec::Ridge { .. }
            | EstimatorSpec::Lasso(_)
            | EstimatorSpec::ElasticNet(_)
            | EstimatorSpec::RandomForest(_)
            | EstimatorSpec::ExtraTrees(_)
            | EstimatorSpec::Xgboost(_) => false,
        }
    }

    /// Gives every parameter by its own name, defaults included; `None` for one that sets no limit. Parameters that came
    /// with later versions are there where they are given.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let fields = self.fields();
        let values = self.encode();
        let value = |key: &str| values.get(key).map_or_else(|| "None".to_owned(), Value::to_string);
        let listed = fields.iter().filter(|field| field.listed || values.contains_key(field.key));
        listed.map(|field| (field.key.to_owned(), value(field.key))).collect()
    }

    /// Gives the names of all parameters, each with its other names.
    pub(crate) fn parameter_names(&self) -> Vec<(&'static str, &'static [&'static str])> {
        self.fields().into_iter().map(|field| (field.key, field.aliases)).collect()
    }

    fn fields(&self) -> Vec<FieldInfo> {
        let mut known = Definitions::new();
        match self {
            EstimatorSpec::LogisticRegression(_) => LogisticSpec::fields(&mut known),
            EstimatorSpec::Ridge { .. } => RidgeSpec::fields(&mut known),
            EstimatorSpec::Lasso(_) => LassoSpec::fields(&mut known),
            EstimatorSpec::ElasticNet(_) => ElasticNetSpec::fields(&mut known),
            EstimatorSpec::Dummy {} => Vec::new(),
            EstimatorSpec::GradientBoosting(_) => BoostingSpec::fields(&mut known),
            EstimatorSpec::RandomForest(_) | EstimatorSpec::ExtraTrees(_) => ForestSpec::fields(&mut known),
            EstimatorSpec::Xgboost(_) => XgboostSpec::fields(&mut known),
            EstimatorSpec::Lightgbm(_) => LightgbmSpec::fields(&mut known),
        }
    }

    pub(crate) fn encode(&self) -> Map<String, Value> {
        match self.clone() {
            EstimatorSpec::LogisticRegression(spec) => spec.encode(),
            EstimatorSpec::Ridge { alpha } => RidgeSpec { alpha }.encode(),
            EstimatorSpec::Lasso(spec) => spec.encode(),
            EstimatorSpec::ElasticNet(spec) => spec.encode(),
            EstimatorSpec::Dummy {} => Map::new(),
            EstimatorSpec::GradientBoosting(spec) => spec.encode(),
            EstimatorSpec::RandomForest(spec) | EstimatorSpec::ExtraTrees(spec) => spec.encode(),
            EstimatorSpec::Xgboost(spec) => spec.encode(),
            EstimatorSpec::Lightgbm(spec) => spec.encode(),
        }
    }

    /// Decodes the parameters of a known estimator.
    pub(crate) fn decode(name: &str, node: &Node, decoder: &mut Decoder) -> Option<EstimatorSpec> {
        Some(match name {
            LOGISTIC => EstimatorSpec::LogisticRegression(Record::decode(node, decoder)?),
            RIDGE => {
                let RidgeSpec { alpha } = Record::decode(node, decoder)?;
                EstimatorSpec::Ridge { alpha }
            }
            LASSO => EstimatorSpec::Lasso(Record::decode(node, decoder)?),
            ELASTIC => EstimatorSpec::ElasticNet(Record::decode(node, decoder)?),
            DUMMY => {
                NoParameters.decode(node, decoder)?;
                EstimatorSpec::Dummy {}
            }
            FOREST => EstimatorSpec::RandomForest(ForestSpec::with_bootstrap(true, node, decoder)?),
            EXTRA => EstimatorSpec::ExtraTrees(ForestSpec::with_bootstrap(false, node, decoder)?),
            XGBOOST => EstimatorSpec::Xgboost(Record::decode(node, decoder)?),
            LIGHTGBM => EstimatorSpec::Lightgbm(Record::decode(node, decoder)?),
            _ => EstimatorSpec::GradientBoosting(Box::new(Record::decode(node, decoder)?)),
        })
    }

    fn schema(name: &str, definitions: &mut Definitions) -> Value {
        match name {
            LOGISTIC => rec::<LogisticSpec>().schema(definitions),
            RIDGE => rec::<RidgeSpec>().schema(definitions),
            LASSO => rec::<LassoSpec>().schema(definitions),
            ELASTIC => rec::<ElasticNetSpec>().schema(definitions),
            DUMMY => NoParameters.schema(definitions),
            FOREST | EXTRA => rec::<ForestSpec>().schema(definitions),
            XGBOOST => rec::<XgboostSpec>().schema(definitions),
            LIGHTGBM => rec::<LightgbmSpec>().schema(definitions),
            _ => rec::<BoostingSpec>().schema(definitions),
        }
    }
}

fn unknown(name: &str, node: &Node, decoder: &mut Decoder) {
    let known = EstimatorSpec::NAMES.iter().map(|name| (*name).to_owned()).collect();
    let spot = decoder.here(node);
    decoder.errors.push(Error::UnknownEstimator { spot, name: name.to_owned(), known });
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// The baseline: one estimator by name, with its parameters.
pub(crate) struct Baseline;

impl Shape for Baseline {
    type Value = Located<EstimatorSpec>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<EstimatorSpec>> {
        let entries = match &node.content {
            Content::Mapping(entries) => entries.as_slice(),
            _ => &[],
        };
        let [(name, parameters)] = entries else {
            let expected = "one estimator with its parameters, such as {logistic_regression: {}}";
            let found = match entries.len() {
                0 => node.describe(),
                _ => "several estimators",
            };
            decoder.wrong(node, expected, found);
            return None;
        };
        let spec = decoder.under(name, |decoder| {
            if EstimatorSpec::NAMES.contains(&name.value.as_str()) {
                EstimatorSpec::decode(&name.value, parameters, decoder)
            } else {
                unknown(&name.value, parameters, decoder);
                None
            }
        })?;
        Some(Located::new(spec, name.origin.clone()))
    }

    fn encode(&self, value: &Located<EstimatorSpec>) -> Value {
        json!({ value.name(): value.value.encode() })
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let known = EstimatorSpec::NAMES.iter();
        let properties: Map<String, Value> =
            known.map(|name| ((*name).to_owned(), or_null(EstimatorSpec::schema(name, definitions)))).collect();
        json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

/// The candidates: estimators by their own name, or by another with `estimator` beside the parameters.
pub(crate) struct Candidates;

impl Shape for Candidates {
    type Value = Vec<(Located<String>, EstimatorSpec)>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        let entries = decoder.entries(node, "estimators with their parameters, such as {gradient_boosting: {}}")?;
        if entries.is_empty() {
            let spot = decoder.here(node);
            decoder.errors.push(Error::Empty { spot, needs: "one candidate or more" });
            return None;
        }
        let decoded: Vec<Option<_>> = entries
            .iter()
            .map(|(name, node)| {
                decoder.under(name, |decoder| candidate(name, node, decoder)).map(|spec| (name.clone(), spec))
            })
            .collect();
        decoded.into_iter().collect()
    }

    fn encode(&self, value: &Self::Value) -> Value {
        let entry = |name: &Located<String>, spec: &EstimatorSpec| {
            let mut parameters = spec.encode();
            if name.value != spec.name() {
                parameters.insert("estimator".into(), spec.name().into());
            }
            (name.value.clone(), Value::Object(parameters))
        };
        Value::Object(value.iter().map(|(name, spec)| entry(name, spec)).collect())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut properties = Map::new();
        let mut named = Vec::new();
        for name in EstimatorSpec::NAMES {
            let parameters = EstimatorSpec::schema(name, definitions);
            properties.insert((*name).to_owned(), or_null(parameters));
            // A reference cannot be widened by a key, so that the record's own schema is written out here.
            let mut schema = match *name {
                LOGISTIC => LogisticSpec::schema(definitions),
                RIDGE => RidgeSpec::schema(definitions),
                LASSO => LassoSpec::schema(definitions),
                ELASTIC => ElasticNetSpec::schema(definitions),
                DUMMY => NoParameters.schema(definitions),
                FOREST | EXTRA => ForestSpec::schema(definitions),
                XGBOOST => XgboostSpec::schema(definitions),
                LIGHTGBM => LightgbmSpec::schema(definitions),
                _ => BoostingSpec::schema(definitions),
            };
            schema["properties"]["estimator"] = json!({ "const": name, "description": "The estimator." });
            schema["required"] = json!(["estimator"]);
            named.push(schema);
        }
        json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": { "anyOf": named },
            "minProperties": 1,
        })
    }
}

/// Decodes one candidate: `gradient_boosting: {…}`, or `deep: {estimator: gradient_boosting, …}`.
fn candidate(name: &Located<String>, node: &Node, decoder: &mut Decoder) -> Option<EstimatorSpec> {
    if EstimatorSpec::NAMES.contains(&name.value.as_str()) {
        return EstimatorSpec::decode(&name.value, node, decoder);
    }
    let chosen = match &node.content {
        Content::Mapping(entries) => entries.iter().find(|(key, _)| key.value == "estimator"),
        Content::Scalar(_) | Content::Sequence(_) => None,
    };
    let Some((key, estimator)) = chosen else {
        unknown(&name.value, node, decoder);
        return None;
    };
    let known = match &estimator.content {
        Content::Scalar(Scalar { text, .. }) => EstimatorSpec::NAMES.iter().find(|name| *name == text),
        Content::Sequence(_) | Content::Mapping(_) => None,
    };
    let Some(known) = known else {
        decoder.under(key, |decoder| match &estimator.content {
            Content::Scalar(Scalar { text, .. }) if !text.is_empty() => {
                let spot = decoder.spot(estimator);
                let known = EstimatorSpec::NAMES.iter().map(|name| (*name).to_owned()).collect();
                decoder.errors.push(Error::UnknownEstimator { spot, name: text.clone(), known });
            }
            _ => decoder.wrong_type(estimator, "the name of an estimator"),
        });
        return None;
    };
    let mut parameters = node.clone();
    if let Content::Mapping(entries) = &mut parameters.content {
        entries.retain(|(key, _)| key.value != "estimator");
    }
    EstimatorSpec::decode(known, &parameters, decoder)
}
