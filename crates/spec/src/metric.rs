//! The metrics that specs may name.

use serde_json::{Value, json};

use crate::declare::{Decoder, Definitions, Number, Shape, number, text};
use crate::error::Error;
use crate::tree::{Content, Node, Scalar};
use crate::{Located, Origin, Spot, Task};

/// What is known of one metric.
#[derive(Debug)]
pub struct MetricInfo {
    pub(crate) name: &'static str,
    /// Names that others give it.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) of: Of,
    pub(crate) higher_is_better: bool,
    /// The least and the most that it can be.
    pub(crate) range: (Option<f64>, Option<f64>),
    /// Whether it is computed only where it is asked for.
    pub(crate) is_further: bool,
    /// What it is, and where the formula is from.
    pub(crate) meaning: &'static str,
}

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Predictions of classes.
    Classes,
    /// Predictions of a number.
    Numbers,
    /// The machine, with a clock.
    Clock,
}

impl MetricInfo {
    /// Gives its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Gives the other names that specs may use.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Says whether more of it is better.
    pub fn higher_is_better(&self) -> bool {
        self.higher_is_better
    }

    /// Gives the least and the most that it can be.
    pub fn range(&self) -> (Option<f64>, Option<f64>) {
        self.range
    }

    /// Says whether it is computed only where a spec names it.
    pub fn is_further(&self) -> bool {
        self.is_further
    }

    /// Says what it is and where its formula is from.
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Gives the tasks whose predictions have it; none where it is measured with a clock.
    pub fn tasks(&self) -> Vec<Task> {
        [Task::Binary, Task::Multiclass, Task::Regression].into_iter().filter(|task| self.is_for(*task)).collect()
    }

    /// Says whether predictions of a task have it.
    pub(crate) fn is_for(&self, task: Task) -> bool {
        match self.of {
            Of::Classes => task.has_classes(),
            Of::Numbers => !task.has_classes(),
            Of::Clock => false,
        }
    }

    /// Says whether it is measured with a clock.
    pub(crate) fn is_clock(&self) -> bool {
        self.of == Of::Clock
    }
}

const fn metric(
    name: &'static str,
    aliases: &'static [&'static str],
    of: Of,
    higher_is_better: bool,
    range: (Option<f64>, Option<f64>),
    meaning: &'static str,
) -> MetricInfo {
    MetricInfo { name, aliases, of, higher_is_better, range, is_further: false, meaning }
}

/// A metric that is computed only where a spec names it.
const fn further(metric: MetricInfo) -> MetricInfo {
    MetricInfo { is_further: true, ..metric }
}

const SHARE: (Option<f64>, Option<f64>) = (Some(0.0), Some(1.0));
const FROM_ZERO: (Option<f64>, Option<f64>) = (Some(0.0), None);
const TO_ONE: (Option<f64>, Option<f64>) = (None, Some(1.0));
const BOTH_SIDES: (Option<f64>, Option<f64>) = (Some(-1.0), Some(1.0));

/// Every metric, in the order in which they are listed.
pub(crate) const METRICS: &[MetricInfo] = &[
    metric(
        "accuracy",
        &["accuracy_score"],
        Of::Classes,
        true,
        SHARE,
        "the share of rows whose class is predicted (`accuracy_score`)",
    ),
    metric(
        "precision",
        &["precision_score"],
        Of::Classes,
        true,
        SHARE,
        "TP / (TP + FP), 0 where nothing is predicted positive (`precision_score`)",
    ),
    metric(
        "recall",
        &["recall_score"],
        Of::Classes,
        true,
        SHARE,
        "TP / (TP + FN), 0 where nothing is positive (`recall_score`)",
    ),
    metric(
        "f1",
        &["f1_score"],
        Of::Classes,
        true,
        SHARE,
        "2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall (`f1_score`)",
    ),
    metric(
        "roc_auc",
        &["auc_roc", "auc", "auc_score", "roc_auc_score"],
        Of::Classes,
        true,
        SHARE,
        "the share of pairs of a positive and a negative that are in order, ties one half (Mann and Whitney, 1947; \
         `roc_auc_score`)",
    ),
    metric(
        "average_precision",
        &["auc_pr", "pr_auc"],
        Of::Classes,
        true,
        SHARE,
        "Σ (Rₙ − Rₙ₋₁) Pₙ over thresholds (`average_precision_score`)",
    ),
    metric(
        "log_loss",
        &["logloss"],
        Of::Classes,
        false,
        FROM_ZERO,
        "the mean of −ln p of the true class, p at least 2⁻⁵² (`log_loss`)",
    ),
    metric(
        "brier",
        &["brier_score"],
        Of::Classes,
        false,
        SHARE,
        "the mean squared distance of probability and truth; of several classes the sum over them, 0 to 2 (Brier, 1950; \
         `brier_score_loss`)",
    ),
    metric(
        "rmse",
        &["root_mean_squared_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the root of the mean squared error (`root_mean_squared_error`)",
    ),
    metric(
        "mae",
        &["mean_absolute_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean absolute error (`mean_absolute_error`)",
    ),
    metric("r2", &["r2_score"], Of::Numbers, true, TO_ONE, "1 − Σ (y − ŷ)² / Σ (y − ȳ)² (`r2_score`)"),
    metric(
        "median_absolute_error",
        &[],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the median of absolute errors (`median_absolute_error`)",
    ),
    further(metric(
        "balanced_accuracy",
        &["balanced_accuracy_score"],
        Of::Classes,
        true,
        SHARE,
        "the mean recall of the classes (`balanced_accuracy_score`)",
    )),
    further(metric(
        "matthews_corrcoef",
        &["mcc"],
        Of::Classes,
        true,
        BOTH_SIDES,
        "the correlation of truth and prediction (Gorodkin, 2004; `matthews_corrcoef`)",
    )),
    further(metric(
        "cohen_kappa",
        &["cohen_kappa_score"],
        Of::Classes,
        true,
        BOTH_SIDES,
        "(observed − expected agreement) / (1 − expected) (Cohen, 1960; `cohen_kappa_score`)",
    )),
    further(metric("jaccard", &["jaccard_score"], Of::Classes, true, SHARE, "TP / (TP + FP + FN) (`jaccard_score`)")),
    further(metric(
        "specificity",
        &[],
        Of::Classes,
        true,
        SHARE,
        "TN / (TN + FP), the recall of the negatives (`recall_score` of the other class)",
    )),
    further(metric(
        "f0_5",
        &[],
        Of::Classes,
        true,
        SHARE,
        "1.25 PR / (0.25 P + R): precision counts more than recall (van Rijsbergen, 1979; `fbeta_score` of 0.5)",
    )),
    further(metric(
        "f2",
        &[],
        Of::Classes,
        true,
        SHARE,
        "5 PR / (4 P + R): recall counts more than precision (`fbeta_score` of 2)",
    )),
    further(metric(
        "f1_macro",
        &[],
        Of::Classes,
        true,
        SHARE,
        "the mean F1 of the classes, the negative one too (`f1_score`, `average=\"macro\"`)",
    )),
    further(metric(
        "f1_weighted",
        &[],
        Of::Classes,
        true,
        SHARE,
        "the mean F1 of the classes by their rows (`f1_score`, `average=\"weighted\"`)",
    )),
    further(metric(
        "precision_weighted",
        &[],
        Of::Classes,
        true,
        SHARE,
        "the mean precision of the classes by their rows (`precision_score`, `average=\"weighted\"`)",
    )),
    further(metric(
        "recall_weighted",
        &[],
        Of::Classes,
        true,
        SHARE,
        "the mean recall of the classes by their rows (`recall_score`, `average=\"weighted\"`)",
    )),
    further(metric(
        "roc_auc_weighted",
        &[],
        Of::Classes,
        true,
        SHARE,
        "the mean `roc_auc` of the classes by their rows (`roc_auc_score`, `average=\"weighted\"`)",
    )),
    further(metric(
        "d2_log_loss",
        &["d2_log_loss_score"],
        Of::Classes,
        true,
        TO_ONE,
        "1 − log loss / that of the shares of the classes; no value for one class (`d2_log_loss_score`)",
    )),
    further(metric(
        "d2_brier",
        &["d2_brier_score", "brier_skill_score"],
        Of::Classes,
        true,
        TO_ONE,
        "1 − Brier score / that of the shares of the classes; no value for one class (`d2_brier_score`)",
    )),
    further(metric(
        "mse",
        &["mean_squared_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean squared error (`mean_squared_error`)",
    )),
    further(metric(
        "mape",
        &["mean_absolute_percentage_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean of |y − ŷ| / |y| as a share, |y| at least 2⁻⁵² (`mean_absolute_percentage_error`)",
    )),
    further(metric(
        "msle",
        &["mean_squared_log_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean squared difference of ln(1 + y) and ln(1 + ŷ); no value from −1 down (`mean_squared_log_error`)",
    )),
    further(metric(
        "rmsle",
        &["root_mean_squared_log_error"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the root of `msle` (`root_mean_squared_log_error`)",
    )),
    further(metric("max_error", &[], Of::Numbers, false, FROM_ZERO, "the largest absolute error (`max_error`)")),
    further(metric(
        "explained_variance",
        &["explained_variance_score"],
        Of::Numbers,
        true,
        TO_ONE,
        "1 − variance of the errors / variance of the targets (`explained_variance_score`)",
    )),
    further(metric(
        "poisson_deviance",
        &["mean_poisson_deviance"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean of 2 (y ln(y / ŷ) − y + ŷ); no value where y < 0 or ŷ ≤ 0 (`mean_poisson_deviance`)",
    )),
    further(metric(
        "gamma_deviance",
        &["mean_gamma_deviance"],
        Of::Numbers,
        false,
        FROM_ZERO,
        "the mean of 2 (ln(ŷ / y) + y / ŷ − 1); no value where y ≤ 0 or ŷ ≤ 0 (`mean_gamma_deviance`)",
    )),
    further(metric(
        "d2_absolute_error",
        &["d2_absolute_error_score"],
        Of::Numbers,
        true,
        TO_ONE,
        "1 − mean absolute error / that of the median of the targets (Koenker and Machado, 1999; \
         `d2_absolute_error_score`)",
    )),
    further(metric(
        "d2_poisson",
        &[],
        Of::Numbers,
        true,
        TO_ONE,
        "1 − Poisson deviance / that of the mean of the targets (`d2_tweedie_score` of power 1)",
    )),
    further(metric(
        "d2_gamma",
        &[],
        Of::Numbers,
        true,
        TO_ONE,
        "1 − gamma deviance / that of the mean of the targets (`d2_tweedie_score` of power 2)",
    )),
    metric(
        "latency_p95_ms",
        &["inference_time_ms"],
        Of::Clock,
        false,
        FROM_ZERO,
        "the 95th percentile of the time that one prediction from raw values takes, in milliseconds; gates alone",
    ),
    metric(
        "training_seconds",
        &["training_time_seconds"],
        Of::Clock,
        false,
        FROM_ZERO,
        "the time that training took, in seconds; gates alone",
    ),
];

/// Finds a metric by its name or an alias of it.
pub(crate) fn find(name: &str) -> Option<&'static MetricInfo> {
    METRICS.iter().find(|metric| metric.name == name || metric.aliases.contains(&name))
}

/// Lists the names of the metrics of a task, or of all: those measured with a clock last.
pub fn metrics(task: Option<Task>) -> impl Iterator<Item = &'static str> {
    METRICS.iter().filter(move |metric| task.is_none_or(|task| metric.is_for(task))).map(|metric| metric.name)
}

/// Gives everything that is known of every metric, in the order in which they are listed.
pub fn metric_reference() -> &'static [MetricInfo] {
    METRICS
}

/// Says whether more of a metric is better; nothing for a name that is not known.
pub fn metric_higher_is_better(name: &str) -> Option<bool> {
    find(name).map(|metric| metric.higher_is_better)
}

/// The metric by which models are chosen where nobody says.
pub(crate) fn default_metric(task: Option<Task>) -> &'static str {
    match task {
        Some(Task::Binary) => "roc_auc",
        Some(Task::Multiclass) => "log_loss",
        Some(Task::Regression) | None => "rmse",
    }
}

/// Refuses a metric of another task than `task`, which is what `because` makes it; `measured` says whether those of the
/// clock would do as well.
pub(crate) fn of_other_task(
    name: &Located<String>,
    path: String,
    task: Task,
    because: &Origin,
    measured: bool,
) -> Option<Error> {
    let of = match find(&name.value)? {
        metric if metric.is_clock() || metric.is_for(task) => return None,
        _ if task.has_classes() => "regression",
        _ => "classification",
    };
    let mut known: Vec<String> = metrics(Some(task)).map(str::to_owned).collect();
    if measured {
        known.extend(METRICS.iter().filter(|metric| metric.is_clock()).map(|metric| metric.name.to_owned()));
    }
    let spot = Spot { path, origin: name.origin.clone() };
    let (name, because) = (name.value.clone(), because.clone());
    Some(Error::OtherTask { spot, name, what: "metric", of, task, because, known })
}

/// Takes the name of a metric that is computed from predictions.
pub(crate) struct Metric;

impl Metric {
    /// Gives the names that are taken.
    fn names() -> impl Iterator<Item = &'static str> {
        METRICS.iter().filter(|metric| !metric.is_clock()).map(|metric| metric.name)
    }
}

impl Shape for Metric {
    type Value = Located<String>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<String>> {
        let name = text().decode(node, decoder)?;
        let spot = decoder.spot(node);
        match find(&name.value) {
            Some(metric) if !metric.is_clock() => Some(Located::new(metric.name.to_owned(), name.origin)),
            Some(metric) => {
                decoder.errors.push(Error::Measured { spot, name: metric.name.to_owned() });
                None
            }
            None => {
                let known = Metric::names().map(str::to_owned).collect();
                decoder.errors.push(Error::UnknownMetric { spot, name: name.value, known });
                None
            }
        }
    }

    fn encode(&self, value: &Located<String>) -> Value {
        value.value.clone().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        let quality = METRICS.iter().filter(|metric| !metric.is_clock());
        let names: Vec<&str> =
            quality.flat_map(|metric| std::iter::once(metric.name).chain(metric.aliases.iter().copied())).collect();
        json!({ "enum": names })
    }
}

/// Takes metrics with what each may lose.
pub(crate) struct Losses;

impl Shape for Losses {
    type Value = Vec<(Located<String>, Located<f64>)>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        let mut losses: Vec<(Located<String>, Located<f64>)> = Vec::new();
        let mut whole = Some(());
        for (key, value) in decoder.entries(node, "metrics with a limit each")? {
            let name = Node {
                content: Content::Scalar(Scalar { text: key.value.clone(), plain: false }),
                origin: key.origin.clone(),
            };
            let read =
                decoder.under(key, |decoder| (Metric.decode(&name, decoder), limit_of_loss().decode(value, decoder)));
            match read {
                (Some(metric), Some(limit)) => match losses.iter().find(|(other, _)| *other == metric) {
                    Some((first, _)) => {
                        let (first, name) = (first.clone(), metric.value.clone());
                        decoder.errors.push(Error::SameThing { key: metric, first, name });
                    }
                    None => losses.push((metric, limit)),
                },
                _ => whole = None,
            }
        }
        whole.map(|()| losses)
    }

    fn encode(&self, value: &Self::Value) -> Value {
        Value::Object(value.iter().map(|(metric, limit)| (metric.value.clone(), limit.value.into())).collect())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let names = Metric.schema(definitions);
        json!({ "type": "object", "propertyNames": names, "additionalProperties": limit_of_loss().schema(definitions) })
    }
}

/// Takes what a metric may lose: an absolute difference.
pub(crate) fn limit_of_loss() -> Number {
    number().at_least(0.0)
}
