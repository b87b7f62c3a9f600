//! The values of a column in one table.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;

use crate::statistics::{Room, distinct};

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As numbers.
    Numeric,
    /// As categories.
    Categorical,
    /// By the lengths of texts, in characters.
    Text,
}

impl Kind {
    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Numeric => "numeric",
            Kind::Categorical => "categorical",
            Kind::Text => "text",
        }
    }
}

/// Whole numbers of up to this many different values are categories.
const FEW: usize = 10;

/// What a table holds under a name.
pub(super) enum Cells<'a> {
    /// Numbers or truth values, sorted, with whether they were read as whole numbers.
    Numbers { sorted: Vec<f64>, whole: bool, truth: bool },
    /// Texts, counted.
    Texts { counts: HashMap<&'a str, u64>, values: usize },
    /// Anything else.
    Other(&'static str),
}

impl<'a> Cells<'a> {
    pub(super) fn of(table: &'a RecordBatch, name: &str, room: &mut Room) -> Option<Cells<'a>> {
        let column = table.column_by_name(name)?;
        Some(match column.data_type() {
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                let sorted = match values.null_count() {
                    0 => room.sorted(values.values().iter().copied()),
                    _ => room.sorted(values.iter().flatten()),
                };
                Cells::Numbers { sorted, whole: false, truth: false }
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>();
                // As pandas reads them: beside a missing value whole numbers are floats.
                let whole = values.null_count() == 0;
                let numbers = values.iter().flatten().map(|value| value as f64);
                Cells::Numbers { sorted: room.sorted(numbers), whole, truth: false }
            }
            DataType::Boolean => {
                let numbers = column.as_boolean().iter().flatten().map(|value| f64::from(u8::from(value)));
                Cells::Numbers { sorted: room.sorted(numbers), whole: true, truth: true }
            }
            DataType::LargeUtf8 => {
                let texts = column.as_string::<i64>();
                let mut counts = HashMap::new();
                texts.iter().flatten().for_each(|text| *counts.entry(text).or_insert(0) += 1);
                Cells::Texts { counts, values: texts.len() - texts.null_count() }
            }
            DataType::Date32 => Cells::Other("days"),
            DataType::Timestamp(..) => Cells::Other("points in time"),
            _ => Cells::Other("values that have no order and no name"),
        })
    }

    /// Says what it holds.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Cells::Numbers { truth: true, .. } => "truth values",
            Cells::Numbers { .. } => "numbers",
            Cells::Texts { .. } => "texts",
            Cells::Other(noun) => noun,
        }
    }

    pub(super) fn values(&self) -> usize {
        match self {
            Cells::Numbers { sorted, .. } => sorted.len(),
            Cells::Texts { values, .. } => *values,
            Cells::Other(_) => 0,
        }
    }

    /// Says how the column is compared, as Evidently infers it from the current table: whole numbers of few values,
    /// truth values and texts that repeat are categories.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Cells::Numbers { truth: true, .. } => Some(Kind::Categorical),
            Cells::Numbers { sorted, whole: true, .. } if distinct(sorted) <= FEW => Some(Kind::Categorical),
            Cells::Numbers { .. } => Some(Kind::Numeric),
            Cells::Texts { counts, values } if 2 * counts.len() > *values => Some(Kind::Text),
            Cells::Texts { .. } => Some(Kind::Categorical),
            Cells::Other(_) => None,
        }
    }

    /// Gives numbers, or the lengths of texts, with whether they are whole.
    pub(super) fn numbers(self, missing: usize, room: &mut Room) -> (Vec<f64>, bool) {
        match self {
            Cells::Numbers { sorted, whole, .. } => (sorted, whole),
            Cells::Texts { counts, .. } => {
                let length =
                    |(text, count): (&str, u64)| std::iter::repeat_n(text.chars().count() as f64, count as usize);
                (room.sorted(counts.into_iter().flat_map(length)), missing == 0)
            }
            Cells::Other(_) => (Vec::new(), false),
        }
    }
}
