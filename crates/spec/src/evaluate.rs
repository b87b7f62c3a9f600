//! What is measured of a model beside what every report tells.

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Section, Shape, bare, decided, integer, list, optional, or_empty, rec, record, required,
    text, unless_given,
};
use crate::error::Error;
use crate::metric::Metric;
use crate::tree::{Content, Node};

record! {
    /// What is measured of a model beside what every report tells.
    pub struct EvaluateSpec {
        /// Metrics beside those that every report has: `[balanced_accuracy, d2_log_loss]`. Gates and promotion may name any
        /// without this.
        metrics: Vec<Located<String>> = or_empty(list(Metric)),
        /// Columns whose values the test sets are cut by, so that a model that fails some of the rows shows:
        /// `slices: [Contract, tenure]`, or a section with `columns` and bounds.
        slices: Option<SliceSpec> = optional(Slices),
    }
    check check_evaluate
}

record! {
    /// Metrics for each value of some columns.
    pub struct SliceSpec {
        /// The columns, of the data or not used by any feature: text, numbers, days or truth values.
        columns: Vec<Located<String>> = required(list(text()).filled(), "[Contract]"),
        /// The metric whose worst slice is named. Default: that of the promotion, else roc_auc, of several classes
        /// log_loss, in regression rmse.
        metric: Located<String> = decided(Metric),
        /// The most values of a column that become slices of their own: of texts the most frequent ones in train, the rest
        /// is one slice; numbers of more values are cut into bins.
        values: u32 = unless_given(bare(integer(2, 1000)), 10),
        /// The bins of a number, between quantiles of the training rows.
        bins: u32 = unless_given(bare(integer(2, 100)), 4),
        /// The fewest rows of a slice; values with fewer are put together.
        least_rows: u32 = unless_given(bare(integer(1, 1_000_000)), 30),
    }
    check check_slices
}

fn check_evaluate(evaluate: &mut EvaluateSpec, _: &Section<'_>, decoder: &mut Decoder) {
    for (index, name) in evaluate.metrics.iter().enumerate() {
        if let Some(first) = evaluate.metrics.iter().take(index).find(|first| *first == name) {
            let (key, first) = (name.clone(), first.clone());
            decoder.errors.push(Error::SameThing { key, first, name: name.value.clone() });
        }
    }
}

fn check_slices(slices: &mut SliceSpec, _: &Section<'_>, decoder: &mut Decoder) {
    for (index, name) in slices.columns.iter().enumerate() {
        if let Some(first) = slices.columns.iter().take(index).find(|first| *first == name) {
            let (name, first) = (name.clone(), first.clone());
            let roles = ("cut into slices", "cut into slices");
            decoder.errors.push(Error::ColumnConflict { name, first, second_role: roles.0, first_role: roles.1 });
        }
    }
}

/// Slices: a section, or the columns alone.
pub(crate) struct Slices;

impl Shape for Slices {
    type Value = SliceSpec;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<SliceSpec> {
        match &node.content {
            Content::Sequence(_) => {
                let columns = Node {
                    content: Content::Mapping(vec![(
                        Located::new("columns".to_owned(), node.origin.clone()),
                        node.clone(),
                    )]),
                    origin: node.origin.clone(),
                };
                rec::<SliceSpec>().decode(&columns, decoder)
            }
            Content::Mapping(_) => rec::<SliceSpec>().decode(node, decoder),
            Content::Scalar(_) => {
                decoder.wrong_type(node, "a list");
                None
            }
        }
    }

    fn encode(&self, value: &SliceSpec) -> Value {
        rec().encode(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let columns = list(text()).filled().schema(definitions);
        json!({ "anyOf": [rec::<SliceSpec>().schema(definitions), columns] })
    }
}
