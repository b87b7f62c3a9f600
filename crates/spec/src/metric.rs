//! The metrics that specs may name.

use serde_json::{Value, json};

use crate::declare::{Decoder, Definitions, Number, Shape, number, text};
use crate::error::Error;
use crate::tree::{Content, Node, Scalar};
use crate::{Located, Task};

/// What is known of one metric.
pub(crate) struct MetricInfo {
    pub(crate) name: &'static str,
    /// Names that others give it.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) of: Of,
    pub(crate) higher_is_better: bool,
    /// The least and the most that it can be.
    pub(crate) range: (Option<f64>, Option<f64>),
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
) -> MetricInfo {
    MetricInfo { name, aliases, of, higher_is_better, range }
}

const SHARE: (Option<f64>, Option<f64>) = (Some(0.0), Some(1.0));
const FROM_ZERO: (Option<f64>, Option<f64>) = (Some(0.0), None);

/// Every metric, in the order in which they are listed.
pub(crate) const METRICS: &[MetricInfo] = &[
    metric("accuracy", &["accuracy_score"], Of::Classes, true, SHARE),
    metric("precision", &["precision_score"], Of::Classes, true, SHARE),
    metric("recall", &["recall_score"], Of::Classes, true, SHARE),
    metric("f1", &["f1_score"], Of::Classes, true, SHARE),
    metric("roc_auc", &["auc_roc", "auc", "auc_score", "roc_auc_score"], Of::Classes, true, SHARE),
    metric("average_precision", &["auc_pr", "pr_auc"], Of::Classes, true, SHARE),
    metric("log_loss", &["logloss"], Of::Classes, false, FROM_ZERO),
    metric("brier", &["brier_score"], Of::Classes, false, SHARE),
    metric("rmse", &["root_mean_squared_error"], Of::Numbers, false, FROM_ZERO),
    metric("mae", &["mean_absolute_error"], Of::Numbers, false, FROM_ZERO),
    metric("r2", &["r2_score"], Of::Numbers, true, (None, Some(1.0))),
    metric("median_absolute_error", &[], Of::Numbers, false, FROM_ZERO),
    metric("latency_p95_ms", &["inference_time_ms"], Of::Clock, false, FROM_ZERO),
    metric("training_seconds", &["training_time_seconds"], Of::Clock, false, FROM_ZERO),
];

/// Finds a metric by its name or an alias of it.
pub(crate) fn find(name: &str) -> Option<&'static MetricInfo> {
    METRICS.iter().find(|metric| metric.name == name || metric.aliases.contains(&name))
}

/// Lists the names of the metrics of a task, or of all: those measured with a clock last.
pub fn metrics(task: Option<Task>) -> impl Iterator<Item = &'static str> {
    METRICS.iter().filter(move |metric| task.is_none_or(|task| metric.is_for(task))).map(|metric| metric.name)
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
