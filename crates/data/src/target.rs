//! What is predicted and what identifies a row, held against the table.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{Array, RecordBatch};
use serde::{Deserialize, Serialize};
use trainyard_diagnostics::Diagnostic;
use trainyard_expression::Value;
use trainyard_spec::{DataSpec, Located, TargetSpec, Task};

use crate::Error;
use crate::csv::cell_text as text;

/// Tells what the checks found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Binary classification or regression.
    pub task: Task,
    /// The negative and the positive class, as text; only in classification.
    pub classes: Option<[String; 2]>,
    /// What deserves attention.
    pub warnings: Vec<Diagnostic>,
}

/// Names what is predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The column.
    pub column: String,
    /// Binary classification or regression.
    #[serde(with = "task_name")]
    pub task: Task,
    /// The negative and the positive class, as text; only in classification.
    pub classes: Option<[String; 2]>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.classes {
            Some([_, positive]) => write!(formatter, "{} = {positive}", self.column),
            None => formatter.write_str(&self.column),
        }
    }
}

fn number(column: &dyn Array, row: usize) -> Option<f64> {
    match Value::of_array(column, row).unwrap_or(Value::Null) {
        Value::Integer(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

fn names(table: &RecordBatch) -> Vec<String> {
    table.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Checks target and key against the table.
///
/// # Errors
/// All that is wrong, in one pass.
pub fn check(table: &RecordBatch, data: &DataSpec) -> Result<Checked, Vec<Error>> {
    let mut errors = Vec::new();
    if let Some(key) = &data.key {
        check_key(table, key, &mut errors);
    }
    let target = &data.target;
    let Some(column) = table.column_by_name(&target.column.value) else {
        errors.push(Error::NoColumn {
            what: "target",
            name: target.column.value.clone(),
            columns: names(table),
            place: target.column.place(),
        });
        return Err(errors);
    };
    let column = column.as_ref();
    let name = target.column.value.clone();
    if column.null_count() > 0 {
        let first = (0..column.len()).find(|row| column.is_null(*row)).map_or(0, |row| row + 1);
        errors.push(Error::MissingTarget { column: name.clone(), rows: column.null_count(), first });
    }
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for label in (0..column.len()).filter_map(|row| text(column, row)) {
        *classes.entry(label).or_insert(0) += 1;
    }
    let labels = || classes.keys().cloned().collect::<Vec<String>>();
    let numeric = (0..column.len()).find(|row| column.is_valid(*row)).is_none_or(|row| number(column, row).is_some());
    let task = target.known_task().unwrap_or(if numeric { Task::Regression } else { Task::Binary });
    let mut pair = None;
    match (task, &target.positive) {
        _ if classes.len() == 1 => errors.push(Error::ConstantTarget { column: name, value: labels().remove(0) }),
        (Task::Regression, _) if !numeric => errors.push(Error::TargetNotNumeric { column: name }),
        (Task::Regression, _) => {
            let infinite = (0..column.len()).find(|row| number(column, *row).is_some_and(|value| !value.is_finite()));
            if let Some(row) = infinite {
                errors.push(Error::TargetNotFinite { column: name, row: row + 1 });
            }
        }
        (Task::Binary, None) => {
            errors.push(Error::PositiveNeeded { column: name, classes: labels(), place: target.column.place() });
        }
        (Task::Binary, Some(positive)) => {
            if !classes.contains_key(&positive.value) {
                let (positive, place) = (positive.value.clone(), positive.place());
                errors.push(Error::NoPositive { column: name.clone(), positive, classes: labels(), place });
            }
            if classes.len() > 2 {
                let mut counted: Vec<(String, usize)> = classes.clone().into_iter().collect();
                counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                errors.push(Error::ThirdClass { column: name, classes: counted });
            }
            let negative = classes.keys().find(|label| **label != positive.value);
            pair = negative.map(|negative| [negative.clone(), positive.value.clone()]);
        }
    }
    let mut warnings = Vec::new();
    if target.known_task().is_none() && task == Task::Regression && classes.len() == 2 {
        warnings.push(two_values(target, &labels()));
    }
    if errors.is_empty() { Ok(Checked { task, classes: pair, warnings }) } else { Err(errors) }
}

/// Asks whether a number of two values is a class.
fn two_values(target: &TargetSpec, labels: &[String]) -> Diagnostic {
    let title =
        format!("{} has two values, {}, and is predicted as a number", target.column.value, labels.join(" and "));
    let asked = target.column.origin.point(Diagnostic::warning("data/two-values", title), "the target");
    let positive = labels.last().map_or("1", String::as_str);
    asked.help(format!("if they are classes: `positive: \"{positive}\"`; if not: `task: regression`"))
}

fn check_key(table: &RecordBatch, key: &Located<String>, errors: &mut Vec<Error>) {
    let Some(column) = table.column_by_name(&key.value) else {
        let (name, place) = (key.value.clone(), key.place());
        errors.push(Error::NoColumn { what: "key", name, columns: names(table), place });
        return;
    };
    if column.null_count() > 0 {
        let first = (0..column.len()).find(|row| column.is_null(*row)).map_or(0, |row| row + 1);
        errors.push(Error::MissingKeys { column: key.value.clone(), rows: column.null_count(), first });
    }
    let (mut seen, mut twice) = (std::collections::HashSet::new(), BTreeSet::new());
    for value in (0..column.len()).filter_map(|row| text(column.as_ref(), row)) {
        if let Some(value) = seen.replace(value) {
            twice.insert(value);
        }
    }
    if !twice.is_empty() {
        let examples = twice.iter().take(3).cloned().collect();
        errors.push(Error::DuplicateKeys { column: key.value.clone(), count: twice.len(), examples });
    }
}

/// Gives the target of every row as a number: 1 for the positive class, 0 for the other; the value itself in regression.
///
/// # Errors
/// The column is absent, or a row has no target.
pub fn targets(table: &RecordBatch, target: &TargetSpec, task: Task) -> Result<Vec<f64>, Error> {
    let name = &target.column;
    let Some(column) = table.column_by_name(&name.value) else {
        return Err(Error::NoColumn {
            what: "target",
            name: name.value.clone(),
            columns: names(table),
            place: name.place(),
        });
    };
    let positive = target.positive.as_ref().map(|positive| positive.value.as_str()).unwrap_or_default();
    let values = (0..column.len()).map(|row| {
        let value = match task {
            Task::Binary => text(column.as_ref(), row).map(|label| if label == positive { 1.0 } else { 0.0 }),
            Task::Regression => number(column.as_ref(), row),
        };
        value.ok_or_else(|| Error::MissingTarget {
            column: name.value.clone(),
            rows: column.null_count().max(1),
            first: row + 1,
        })
    });
    values.collect()
}

/// A task in JSON, by its name.
mod task_name {
    use serde::{Deserialize, Deserializer, Serializer};
    use trainyard_spec::Task;

    pub(super) fn serialize<S: Serializer>(task: &Task, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match task {
            Task::Binary => "binary",
            Task::Regression => "regression",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Task, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "binary" => Ok(Task::Binary),
            "regression" => Ok(Task::Regression),
            _ => Err(serde::de::Error::unknown_variant(&name, &["binary", "regression"])),
        }
    }
}
