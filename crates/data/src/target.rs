//! What is predicted and what identifies a row, held against the table.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use serde::{Deserialize, Serialize};
use trainyard_diagnostics::Diagnostic;
use trainyard_expression::Value;
use trainyard_files::Io;
use trainyard_spec::{DataSpec, Located, MissingTarget, TargetSpec, Task};

use crate::csv::cell_text as text;
use crate::{Error, ReadOptions};

/// Tells what the checks found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What is predicted.
    pub target: Target,
    /// What deserves attention.
    pub warnings: Vec<Diagnostic>,
}

/// Names what is predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The column.
    pub column: String,
    /// What kind of target it is.
    #[serde(with = "task_name")]
    pub task: Task,
    /// The classes as text: the negative and the positive one, or several in order; only in classification.
    pub classes: Option<Vec<String>>,
}

impl Target {
    /// Gives the positive class, where there are two.
    pub fn positive(&self) -> Option<&str> {
        match (self.task, self.classes.as_deref()) {
            (Task::Binary, Some([_, positive])) => Some(positive),
            _ => None,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.positive(), &self.classes) {
            (Some(positive), _) => write!(formatter, "{} = {positive}", self.column),
            (None, Some(classes)) => write!(formatter, "{} of {}", self.column, classes.join(", ")),
            (None, None) => formatter.write_str(&self.column),
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

/// The most that a row may count; sums of more would leave the range of doubles.
const MOST_WEIGHT: f64 = 1e150;

/// The most classes of a target; more are a number, or a name.
const MOST_CLASSES: usize = 1000;

/// The master data of a project.
#[derive(Debug, Clone)]
pub struct Master {
    /// Its rows, in the order of the source.
    pub table: RecordBatch,
    /// How many rows were left out because they have no target.
    pub without_target: usize,
}

impl Master {
    /// Reads the source, called `data.source` in messages; rows without a target are left out where the spec says so.
    ///
    /// # Errors
    /// As [`crate::read`].
    pub fn read(io: &dyn Io, path: &Path, data: &DataSpec) -> Result<Master, Error> {
        Master::of(crate::read(io, path, &data.source.value, &ReadOptions::of(data))?, data)
    }

    /// Takes a table for the master data; rows without a target are left out where the spec says so.
    ///
    /// # Errors
    /// [`Error::Unreadable`] where Arrow can't filter it, which no table of the canonical types meets.
    pub fn of(mut table: RecordBatch, data: &DataSpec) -> Result<Master, Error> {
        // What a file says of itself, such as a reference test of another split, says nothing of master data.
        table.schema_metadata_mut().clear();
        let (table, without_target) = drop_missing_targets(table, data)?;
        Ok(Master { table, without_target })
    }
}

/// Leaves out the rows without a target, where the spec says so; gives what is left and how many were left out.
fn drop_missing_targets(table: RecordBatch, data: &DataSpec) -> Result<(RecordBatch, usize), Error> {
    let column = table.column_by_name(&data.target.column.value);
    let missing = column.map_or(0, |column| column.null_count());
    // Where no row has a target there is nothing to leave out from: the check that follows says so.
    let Some(column) =
        column.filter(|_| data.target.missing == MissingTarget::Drop && missing > 0 && missing < table.num_rows())
    else {
        return Ok((table, 0));
    };
    let has_target: BooleanArray = (0..column.len()).map(|row| Some(column.is_valid(row))).collect();
    let kept = arrow_select::filter::filter_record_batch(&table, &has_target)
        .map_err(|error| Error::Unreadable { file: data.source.shown(), cause: error.to_string() })?;
    Ok((kept, missing))
}

/// Checks target, key and weight against the table.
///
/// # Errors
/// All that is wrong, in one pass.
pub fn check(table: &RecordBatch, data: &DataSpec) -> Result<Checked, Vec<Error>> {
    let mut errors = Vec::new();
    if let Some(key) = &data.key {
        check_key(table, key, &mut errors);
    }
    if let Some(weight) = &data.weight {
        check_weight(table, weight, &mut errors);
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
    let none_left = column.null_count() == column.len();
    if column.null_count() > 0 && (target.missing == MissingTarget::Refuse || none_left) {
        let first = (0..column.len()).find(|row| column.is_null(*row)).map_or(0, |row| row + 1);
        errors.push(Error::MissingTarget { column: name.clone(), rows: column.null_count(), first });
    }
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for label in (0..column.len()).filter_map(|row| text(column, row)) {
        *classes.entry(label).or_insert(0) += 1;
    }
    let labels = || in_order(classes.keys().cloned().collect());
    let numeric = (0..column.len()).find(|row| column.is_valid(*row)).is_none_or(|row| number(column, row).is_some());
    let task = target.known_task().unwrap_or(if numeric { Task::Regression } else { Task::Binary });
    let mut found = None;
    match (task, &target.positive) {
        _ if classes.len() == 1 => errors.push(Error::ConstantTarget { column: name, value: labels().remove(0) }),
        (Task::Regression, _) if !numeric => errors.push(Error::TargetNotNumeric { column: name }),
        (Task::Regression, _) => {
            let infinite = (0..column.len()).find(|row| number(column, *row).is_some_and(|value| !value.is_finite()));
            if let Some(row) = infinite {
                errors.push(Error::TargetNotFinite { column: name, row: row + 1 });
            }
        }
        (Task::Multiclass, _) if classes.len() > MOST_CLASSES => {
            errors.push(Error::TooManyClasses { column: name, classes: classes.len(), most: MOST_CLASSES });
        }
        (Task::Multiclass, _) => found = Some(labels()),
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
            found = negative.map(|negative| vec![negative.clone(), positive.value.clone()]);
        }
    }
    let mut warnings = Vec::new();
    if target.known_task().is_none() && task == Task::Regression && classes.len() == 2 {
        warnings.push(two_values(target, &labels()));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Checked { target: Target { column: target.column.value.clone(), task, classes: found }, warnings })
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
    let twice = match column.as_string_opt::<i64>() {
        Some(texts) => repeated(texts.iter().flatten().map(Cow::Borrowed)),
        None => repeated((0..column.len()).filter_map(|row| text(column.as_ref(), row)).map(Cow::Owned)),
    };
    if !twice.is_empty() {
        let examples = twice.iter().take(3).map(|key| key.clone().into_owned()).collect();
        errors.push(Error::DuplicateKeys { column: key.value.clone(), count: twice.len(), examples });
    }
}

/// Gives the keys that occur more than once.
fn repeated<'a>(keys: impl Iterator<Item = Cow<'a, str>>) -> BTreeSet<Cow<'a, str>> {
    let mut seen = HashSet::new();
    keys.filter_map(|key| seen.replace(key)).collect()
}

/// Puts labels in the order of their numbers, where all are numbers, else of their letters.
fn in_order(labels: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<f64>> = labels.iter().map(|label| label.parse().ok()).collect();
    let Some(numbers) = numbers else { return labels };
    let mut order: Vec<(f64, String)> = numbers.into_iter().zip(labels).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    order.into_iter().map(|(_, label)| label).collect()
}

fn check_weight(table: &RecordBatch, weight: &Located<String>, errors: &mut Vec<Error>) {
    let name = weight.value.clone();
    let Some(column) = table.column_by_name(&name) else {
        errors.push(Error::NoColumn { what: "weight", name, columns: names(table), place: weight.place() });
        return;
    };
    let values: Vec<Option<f64>> = (0..column.len()).map(|row| number(column.as_ref(), row)).collect();
    let is_good = |value: &f64| (0.0..=MOST_WEIGHT).contains(value);
    if let Some(row) = values.iter().position(|value| !value.as_ref().is_some_and(is_good)) {
        let value = text(column.as_ref(), row);
        errors.push(Error::BadWeight { column: name, row: row + 1, value, place: weight.place() });
    } else if values.iter().flatten().all(|value| *value == 0.0) {
        errors.push(Error::NoWeight { column: name, place: weight.place() });
    }
}

/// Gives how much every row counts; nothing where the spec names no weight.
///
/// # Errors
/// The column is absent, or holds what is no weight.
pub fn weights(table: &RecordBatch, data: &DataSpec) -> Result<Option<Vec<f64>>, Error> {
    let Some(weight) = &data.weight else { return Ok(None) };
    let mut errors = Vec::new();
    check_weight(table, weight, &mut errors);
    if let Some(error) = errors.pop() {
        return Err(error);
    }
    let column = table.column_by_name(&weight.value);
    Ok(column.map(|column| (0..column.len()).filter_map(|row| number(column.as_ref(), row)).collect()))
}

/// Gives the target of every row as a number: 1 for the positive class and 0 for the other, the place of the class among
/// several, the value itself in regression.
///
/// # Errors
/// The column is absent, a row has no target, or, of several classes, one that `target` does not know.
pub fn targets(table: &RecordBatch, target: &Target) -> Result<Vec<f64>, Error> {
    let name = &target.column;
    let Some(column) = table.column_by_name(name) else {
        return Err(Error::NoColumn { what: "target", name: name.clone(), columns: names(table), place: None });
    };
    let classes = target.classes.as_deref().unwrap_or_default();
    let place: BTreeMap<&str, usize> = classes.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
    let positive = target.positive().unwrap_or_default();
    let values = (0..column.len()).map(|row| {
        let value = match target.task {
            Task::Binary => text(column.as_ref(), row).map(|label| if label == positive { 1.0 } else { 0.0 }),
            Task::Multiclass => match text(column.as_ref(), row) {
                Some(label) => match place.get(label.as_str()) {
                    Some(at) => Some(*at as f64),
                    None => return Err(Error::UnknownClass { column: name.clone(), label, classes: classes.to_vec() }),
                },
                None => None,
            },
            Task::Regression => number(column.as_ref(), row),
        };
        value.ok_or_else(|| Error::MissingTarget {
            column: name.clone(),
            rows: column.null_count().max(1),
            first: row + 1,
        })
    });
    values.collect()
}

/// Gives a column as numbers; nothing where a row has none.
pub(crate) fn numbers(column: &dyn Array) -> Option<Vec<f64>> {
    (0..column.len()).map(|row| number(column, row)).collect()
}

/// A task in JSON, by its name.
mod task_name {
    use serde::{Deserialize, Deserializer, Serializer};
    use trainyard_spec::Task;

    pub(super) fn serialize<S: Serializer>(task: &Task, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(task.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Task, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "binary" => Ok(Task::Binary),
            "multiclass" => Ok(Task::Multiclass),
            "regression" => Ok(Task::Regression),
            _ => Err(serde::de::Error::unknown_variant(&name, &["binary", "multiclass", "regression"])),
        }
    }
}
