//! Whether a candidate is promoted: a pure function of what was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trainyard_spec::{PromoteSpec, When, metric_higher_is_better};

use crate::compare::Comparison;

/// A difference by less than this is rounding: 0.80 − 0.75 is more than 0.05 in doubles.
const ROUNDING: f64 = 1e-12;

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It becomes the next version.
    Promoted,
    /// The incumbent stays; nothing is wrong.
    Kept,
    /// A gate or a limit on losses said no.
    Refused,
}

impl Decision {
    /// Gives the name as it is recorded.
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Promoted => "promoted",
            Decision::Kept => "kept",
            Decision::Refused => "refused",
        }
    }
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// Why it fell so.
    pub reason: Reason,
}

/// Why a decision fell as it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// Promoted: there is no incumbent.
    NoIncumbent,
    /// Promoted: strictly better by the metric.
    Better {
        /// The metric.
        metric: String,
        /// By how much, above 0 whichever way the metric points.
        by: f64,
    },
    /// Promoted: nothing that may not be lost was lost.
    NotWorse,
    /// Kept: not strictly better by the metric.
    NotBetter {
        /// The metric.
        metric: String,
        /// By how much it is better: 0 or below.
        by: f64,
    },
    /// Kept: better, but by less than is asked for.
    SmallGain {
        /// The metric.
        metric: String,
        /// By how much it is better.
        by: f64,
        /// By how much it had to be better at least.
        minimum: f64,
    },
    /// Kept: better, but by no more than chance explains.
    NotSignificant {
        /// The metric.
        metric: String,
        /// By how much it is better.
        by: f64,
        /// The two-sided p-value of the difference.
        #[serde(with = "crate::nan")]
        p_value: f64,
        /// What it had to be below.
        limit: f64,
    },
    /// Kept: the incumbent is this very model.
    SameModel,
    /// Kept: too few rows are left that the incumbent has not seen.
    TooFewRows {
        /// The rows left.
        rows: u64,
        /// The rows of the smaller class, in classification.
        smallest_class: Option<u64>,
    },
    /// Kept: which rows the incumbent has seen can't be told.
    SeenUnknown {
        /// The columns that are gone.
        missing: Vec<String>,
    },
    /// Kept: the incumbent predicts something else.
    OtherTarget {
        /// What the candidate predicts.
        candidate: String,
        /// What the incumbent predicts.
        incumbent: String,
    },
    /// Kept: the incumbent cannot predict these rows.
    IncumbentFails {
        /// What it says.
        error: String,
    },
    /// Kept: a metric that decides has no value for one of the models.
    NoValue {
        /// The metric.
        metric: String,
    },
    /// Refused: gates said no.
    Gates {
        /// Those that did.
        failed: Vec<String>,
    },
    /// Refused: more was lost than may be.
    Lost {
        /// Every metric that lost too much.
        losses: Vec<Loss>,
    },
}

/// A metric that lost more than it may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The metric.
    pub metric: String,
    /// What it lost, above 0 whichever way the metric points.
    pub lost: f64,
    /// What it may lose.
    pub limit: f64,
}

/// The rules of a promotion.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The metric that decides.
    pub metric: String,
    /// What it takes.
    pub when: When,
    /// What each metric may lose at most, as an absolute difference.
    pub may_lose: Vec<(String, f64)>,
    /// What the p-value must be below, with [`When::Better`].
    pub significant: Option<f64>,
    /// What the metric must gain at least, with [`When::Better`].
    pub minimum_gain: Option<f64>,
}

impl Rules {
    /// Takes the rules out of a project's `promote` section.
    pub fn of(spec: &PromoteSpec) -> Rules {
        let may_lose = spec.may_lose.iter().map(|(metric, limit)| (metric.value.clone(), limit.value));
        Rules {
            metric: spec.metric.value.clone(),
            when: spec.when,
            may_lose: may_lose.collect(),
            significant: spec.significant.as_ref().map(|limit| limit.value),
            minimum_gain: spec.minimum_gain.as_ref().map(|limit| limit.value),
        }
    }
}

/// Decides on a candidate.
///
/// A gate that failed refuses, whatever else holds. Without an incumbent that can be compared the comparison decides by
/// itself. Then a `may_lose` that does not hold refuses, also where the metric is no better; then `when` decides. With
/// `not_worse` and an empty `may_lose` the metric itself may not be lower.
pub fn decide(rules: &Rules, failed_gates: &[String], comparison: &Comparison) -> Verdict {
    let kept = |reason| Verdict { decision: Decision::Kept, reason };
    if !failed_gates.is_empty() {
        return Verdict { decision: Decision::Refused, reason: Reason::Gates { failed: failed_gates.to_vec() } };
    }
    let measured = match comparison {
        Comparison::NoIncumbent => return Verdict { decision: Decision::Promoted, reason: Reason::NoIncumbent },
        Comparison::SameModel => return kept(Reason::SameModel),
        Comparison::TooFewRows { rows, smallest_class, .. } => {
            return kept(Reason::TooFewRows { rows: *rows, smallest_class: *smallest_class });
        }
        Comparison::SeenUnknown { missing } => return kept(Reason::SeenUnknown { missing: missing.clone() }),
        Comparison::OtherTarget { candidate, incumbent } => {
            return kept(Reason::OtherTarget { candidate: candidate.clone(), incumbent: incumbent.clone() });
        }
        Comparison::IncumbentFails { error } => return kept(Reason::IncumbentFails { error: error.clone() }),
        Comparison::Measured(measured) => measured,
    };
    let gain = |metric: &str| gain(metric, &measured.candidate, &measured.incumbent);
    let mut losses = Vec::new();
    for (metric, limit) in &rules.may_lose {
        match gain(metric) {
            None => return kept(Reason::NoValue { metric: metric.clone() }),
            Some(gain) if -gain > limit + ROUNDING => {
                losses.push(Loss { metric: metric.clone(), lost: -gain, limit: *limit });
            }
            Some(_) => {}
        }
    }
    if !losses.is_empty() {
        return Verdict { decision: Decision::Refused, reason: Reason::Lost { losses } };
    }
    if rules.when == When::NotWorse && !rules.may_lose.is_empty() {
        return Verdict { decision: Decision::Promoted, reason: Reason::NotWorse };
    }
    let metric = rules.metric.clone();
    let Some(by) = gain(&metric) else { return kept(Reason::NoValue { metric }) };
    if rules.when == When::NotWorse && by >= -ROUNDING {
        return Verdict { decision: Decision::Promoted, reason: Reason::NotWorse };
    }
    if rules.when == When::NotWorse || by <= 0.0 {
        return kept(Reason::NotBetter { metric, by });
    }
    if let Some(minimum) = rules.minimum_gain.filter(|minimum| by < minimum - ROUNDING) {
        return kept(Reason::SmallGain { metric, by, minimum });
    }
    match rules.significant {
        // A p-value that is not known is no evidence.
        Some(limit) if measured.p_value >= limit || measured.p_value.is_nan() => {
            kept(Reason::NotSignificant { metric, by, p_value: measured.p_value, limit })
        }
        _ => Verdict { decision: Decision::Promoted, reason: Reason::Better { metric, by } },
    }
}

/// Gives how much better the candidate is; `None` where a value is missing or NaN.
fn gain(metric: &str, candidate: &BTreeMap<String, f64>, incumbent: &BTreeMap<String, f64>) -> Option<f64> {
    let difference = candidate.get(metric)? - incumbent.get(metric)?;
    let gain = if metric_higher_is_better(metric)? { difference } else { -difference };
    (!gain.is_nan()).then_some(gain)
}
