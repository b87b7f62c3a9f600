//! From scores to probabilities, and from a probability to a decision.

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Section, Shape, bare, choice, integer, named, number, optional, rec, record, required,
    unless_given,
};
use crate::error::Error;
use crate::tree::{Content, Kind, Node};

named! {
    /// How scores become probabilities.
    pub enum CalibrationMethod {
        /// Platt's sigmoid: two parameters, for few rows.
        Sigmoid = "sigmoid",
        /// Isotonic regression: any rising function, for a thousand rows and more.
        Isotonic = "isotonic",
    }
}

record! {
    /// How the scores of the chosen candidate become probabilities.
    pub struct CalibrateSpec {
        /// The shape of the map from scores to probabilities.
        method: CalibrationMethod = unless_given(bare(choice()), CalibrationMethod::Sigmoid),
        /// The folds of train whose held-out scores it is fitted to, or `prefit` to fit it to the validation rows.
        folds or ["cv"]: Located<CalibrationRows> = unless_given(FoldsOrPrefit, Located::of_default(CalibrationRows::Folds(5))),
    }
}

/// A calibration, with the place where it is asked for.
pub(crate) struct Calibration;

impl Shape for Calibration {
    type Value = Located<CalibrateSpec>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<CalibrateSpec>> {
        Some(Located::new(rec().decode(node, decoder)?, node.origin.clone()))
    }

    fn encode(&self, spec: &Located<CalibrateSpec>) -> Value {
        rec().encode(&spec.value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        rec::<CalibrateSpec>().schema(definitions)
    }
}

/// The rows that a calibration is fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalibrationRows {
    /// The training rows, each with the score of a fit on so many folds' other rows.
    Folds(u32),
    /// The validation rows.
    Validation,
}

const PREFIT: &str = "prefit";

/// Takes a number of folds or `prefit`.
struct FoldsOrPrefit;

impl Shape for FoldsOrPrefit {
    type Value = Located<CalibrationRows>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<CalibrationRows>> {
        let rows = match &node.content {
            Content::Scalar(scalar) if scalar.text == PREFIT => CalibrationRows::Validation,
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Integer(_)) => {
                CalibrationRows::Folds(bare(integer(2, 100)).decode(node, decoder)?)
            }
            _ => {
                decoder.wrong_type(node, "a number of folds such as 5, or prefit");
                return None;
            }
        };
        Some(Located::new(rows, node.origin.clone()))
    }

    fn encode(&self, rows: &Located<CalibrationRows>) -> Value {
        match rows.value {
            CalibrationRows::Folds(folds) => folds.into(),
            CalibrationRows::Validation => PREFIT.into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "type": "integer", "minimum": 2, "maximum": 100 }, { "const": PREFIT }] })
    }
}

/// The probability from which a row counts as positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdSpec {
    /// This one, 0 to 1.
    Fixed(f64),
    /// That of the highest F1.
    MaxF1,
    /// Of those whose precision is at least this, 0 to 1, that of the highest recall.
    PrecisionAtLeast(f64),
    /// Of those whose recall is at least this, 0 to 1, that of the highest precision.
    RecallAtLeast(f64),
}

impl ThresholdSpec {
    /// Gives the threshold that needs no rows to be known; with a rule the one that stands until rows have spoken.
    pub fn fixed(&self) -> f64 {
        match self {
            ThresholdSpec::Fixed(threshold) => *threshold,
            _ => 0.5,
        }
    }

    /// Says whether rows decide.
    pub fn is_rule(&self) -> bool {
        !matches!(self, ThresholdSpec::Fixed(_))
    }
}

named! {
    /// By what a threshold is chosen.
    pub(crate) enum Rule {
        /// The highest F1.
        MaxF1 = "max_f1",
        /// Of the thresholds whose precision is at least `value`, the one of the highest recall.
        PrecisionAtLeast = "precision_at_least",
        /// Of the thresholds whose recall is at least `value`, the one of the highest precision.
        RecallAtLeast = "recall_at_least",
    }
}

record! {
    /// By what a threshold is chosen.
    pub(crate) struct RuleSpec {
        /// What is sought.
        rule: Rule = required(bare(choice()), "precision_at_least"),
        /// The least that a rule with `_at_least` allows.
        value: Option<Located<f64>> = optional(number().at_least(0.0).at_most(1.0)),
    }
    check check_rule
}

/// Wants a value of the rules that have one, and no other.
fn check_rule(spec: &mut RuleSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let file = decoder.file;
    match (spec.rule, &spec.value) {
        (Rule::MaxF1, Some(value)) => {
            decoder.errors.push(Error::ValueWithoutBound { value: value.origin.clone(), rule: spec.rule.name() });
        }
        (Rule::PrecisionAtLeast | Rule::RecallAtLeast, None) if !section.misspells("value") => {
            let section = decoder.here(section.node);
            decoder.errors.push(Error::MissingKey { section, file, key: "value".to_owned(), example: "0.7" });
        }
        _ => {}
    }
}

/// Takes a probability, `max_f1`, or a section with a rule.
pub(crate) struct ThresholdOrRule;

impl Shape for ThresholdOrRule {
    type Value = Located<ThresholdSpec>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<ThresholdSpec>> {
        let threshold = match &node.content {
            Content::Scalar(scalar) if scalar.text == Rule::MaxF1.name() => ThresholdSpec::MaxF1,
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Integer(_) | Kind::Float(_)) => {
                ThresholdSpec::Fixed(number().at_least(0.0).at_most(1.0).decode(node, decoder)?.value)
            }
            Content::Mapping(_) => {
                let spec = rec::<RuleSpec>().decode(node, decoder)?;
                match (spec.rule, spec.value) {
                    (Rule::PrecisionAtLeast, Some(value)) => ThresholdSpec::PrecisionAtLeast(value.value),
                    (Rule::RecallAtLeast, Some(value)) => ThresholdSpec::RecallAtLeast(value.value),
                    _ => ThresholdSpec::MaxF1,
                }
            }
            _ => {
                decoder.wrong_type(node, "a probability such as 0.5, max_f1, or a section with a rule");
                return None;
            }
        };
        Some(Located::new(threshold, node.origin.clone()))
    }

    fn encode(&self, threshold: &Located<ThresholdSpec>) -> Value {
        match threshold.value {
            ThresholdSpec::Fixed(threshold) => threshold.into(),
            ThresholdSpec::MaxF1 => Rule::MaxF1.name().into(),
            ThresholdSpec::PrecisionAtLeast(value) => json!({ "rule": Rule::PrecisionAtLeast.name(), "value": value }),
            ThresholdSpec::RecallAtLeast(value) => json!({ "rule": Rule::RecallAtLeast.name(), "value": value }),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [
            { "type": "number", "minimum": 0.0, "maximum": 1.0 },
            { "const": Rule::MaxF1.name() },
            rec::<RuleSpec>().schema(definitions),
        ] })
    }
}
