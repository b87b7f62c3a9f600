//! What a table says about itself: its key, its classes, its words for nothing.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, count};
use trainyard_expression::Value;
use trainyard_files::Io;
use trainyard_spec::{ColumnType, Task};

use super::Init;

/// Cells that say in a column of numbers that nothing is known.
const WORDS: [&str; 9] = ["NA", "N/A", "null", "NULL", "NaN", "nan", "None", "?", "-"];
/// A text that never repeats is no key when it is longer than this: it is prose.
const LONGEST_KEY: usize = 64;
/// Classes that a message names at most.
const MOST_SHOWN: usize = 10;
/// The most classes of a first project; more are names, not classes.
const MOST_CLASSES: usize = 100;
/// The fewest rows of a class: five folds of the six tenths that train need one each, and which train is drawn.
const LEAST_OF_CLASS: usize = 20;

/// One column as `init` sees it.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: DataType,
    pub(super) distinct: BTreeMap<String, usize>,
    pub(super) missing: usize,
    rows: usize,
}

impl Column {
    pub(super) fn is_unique(&self) -> bool {
        self.missing == 0 && self.distinct.len() == self.rows && self.kind != DataType::Float64
    }

    pub(super) fn is_named_as_key(&self) -> bool {
        let name = self.name.to_lowercase();
        let before = |ending: &str| self.name.strip_suffix(ending).and_then(|stem| stem.chars().next_back());
        ["id", "key", "index", "instant"].contains(&name.as_str())
            || ["_id", " id", "-id", "_key"].iter().any(|ending| name.ends_with(ending))
            || ["ID", "Id"].iter().filter_map(|ending| before(ending)).any(char::is_lowercase)
    }

    /// Says whether a column without repetition holds 1 to n or 0 to n-1.
    pub(super) fn counts_rows(&self) -> bool {
        if self.kind != DataType::Int64 || !self.is_unique() {
            return false;
        }
        let values: Vec<i64> = self.distinct.keys().filter_map(|text| text.parse().ok()).collect();
        let (least, most) = (values.iter().min().copied(), values.iter().max().copied());
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        matches!(least, Some(0 | 1)) && most.zip(least).is_some_and(|(most, least)| most - least + 1 == rows)
    }
}

/// A cell that counts as missing, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Missing {
    /// The cell.
    pub cell: String,
    /// The columns that made `init` think so, with the number of such cells; empty where `--missing` said it.
    pub found: BTreeMap<String, usize>,
}

impl Missing {
    /// Says why, in words.
    pub fn why(&self) -> String {
        if self.found.is_empty() {
            return "as --missing says".to_owned();
        }
        let cells = |rows: usize| if rows == 1 { "1 cell".to_owned() } else { format!("{rows} cells") };
        let place = |(name, rows): (&String, &usize)| format!("{} of {}", cells(*rows), one_line(name));
        let shown: Vec<String> = self.found.iter().take(3).map(place).collect();
        let more = self.found.len().saturating_sub(3);
        let more = if more > 0 { format!(" and of {more} more columns") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { '\u{fffd}' } else { c }).collect()
}

/// The column that identifies a row, and why it is taken for that.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) column: String,
    pub(super) why: &'static str,
}

/// The class whose probability is predicted, and why that one.
#[derive(Debug, Clone)]
pub(super) struct Positive {
    pub(super) class: String,
    pub(super) why: &'static str,
}

/// Reads the table, and finds the cells that mean that nothing is known.
pub(super) fn read(io: &dyn Io, request: &Init, shown: &str) -> Result<(RecordBatch, Vec<Missing>), Vec<Diagnostic>> {
    let given = request.missing.iter().map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty());
    let mut missing: Vec<Missing> = Vec::new();
    for cell in given {
        if missing.iter().all(|known| known.cell != cell) {
            missing.push(Missing { cell, found: BTreeMap::new() });
        }
    }
    let said: Vec<String> = missing.iter().map(|word| word.cell.clone()).collect();
    let words: Vec<&str> = WORDS.into_iter().filter(|word| !said.iter().any(|said| said == word)).collect();
    let read = |missing: Vec<String>, types| {
        trainyard_data::read(io, &request.from, shown, &ReadOptions { missing, types, ..ReadOptions::default() })
    };
    let is_parquet = request.from.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    // With the words as missing, a column shows the type that it has otherwise; as texts, it shows the words.
    let wordless = said.iter().cloned().chain(words.iter().map(|word| (*word).to_owned())).collect();
    if let (false, Ok(wordless)) = (is_parquet, read(wordless, BTreeMap::new())) {
        let schema = wordless.schema();
        let types = schema.fields().iter().map(|field| (field.name().clone(), ColumnType::Text)).collect();
        let texts = look_at(&read(said.clone(), types).map_err(|error| vec![error.diagnostic()])?);
        missing.extend(proposed(&look_at(&wordless), &texts, &words, &request.target));
    }
    let all = missing.iter().map(|word| word.cell.clone()).collect();
    let table = read(all, BTreeMap::new()).map_err(|error| vec![error.diagnostic()])?;
    Ok((table, missing))
}

fn proposed(otherwise: &[Column], texts: &[Column], words: &[&str], target: &str) -> Vec<Missing> {
    let mut found: Vec<Missing> = Vec::new();
    let mut classes: Vec<String> = Vec::new();
    for (otherwise, texts) in otherwise.iter().zip(texts) {
        let mut cells: BTreeMap<&str, usize> = BTreeMap::new();
        for (text, rows) in &texts.distinct {
            if let Some(word) = words.iter().find(|word| **word == text.trim()) {
                *cells.entry(word).or_insert(0) += rows;
            }
        }
        let is_target = otherwise.name == target;
        let rarer = otherwise.distinct.values().min().copied().unwrap_or(0);
        let is_third = is_target && otherwise.distinct.len() == 2 && cells.values().all(|rows| *rows < rarer);
        if otherwise.kind == DataType::LargeUtf8 && !is_third {
            if is_target {
                classes.extend(cells.keys().map(|word| (*word).to_owned()));
            }
            continue;
        }
        for (word, rows) in cells {
            match found.iter_mut().find(|known| known.cell == word) {
                Some(known) => _ = known.found.insert(otherwise.name.clone(), rows),
                None => found
                    .push(Missing { cell: word.to_owned(), found: BTreeMap::from([(otherwise.name.clone(), rows)]) }),
            }
        }
    }
    // A class of the target stays one, whatever the word means elsewhere.
    found.retain(|word| !classes.contains(&word.cell));
    found
}

pub(super) fn look_at(table: &RecordBatch) -> Vec<Column> {
    let schema = table.schema();
    let columns = schema.fields().iter().zip(table.columns());
    columns
        .map(|(field, array)| {
            let mut distinct = BTreeMap::new();
            for row in 0..array.len() {
                match Value::of_array(array.as_ref(), row).unwrap_or(Value::Null) {
                    Value::Null => {}
                    value => *distinct.entry(text_of(&value)).or_insert(0) += 1,
                }
            }
            Column {
                name: field.name().clone(),
                kind: field.data_type().clone(),
                distinct,
                missing: array.null_count(),
                rows: array.len(),
            }
        })
        .collect()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Date(value) => value.to_string(),
        Value::Timestamp(value) => value.to_string(),
    }
}

/// Refuses a target that some rows do not have.
pub(super) fn check_target(target: &Column, shown: &str, missing: &[Missing]) -> Result<(), Vec<Diagnostic>> {
    if target.missing == 0 || target.distinct.is_empty() {
        return Ok(());
    }
    let have = if target.missing == 1 { "has" } else { "have" };
    let title = format!("{} of the {} rows of {shown} {have} no {}", target.missing, target.rows, target.name);
    let words = missing.iter().filter_map(|word| Some((&word.cell, word.found.get(&target.name)?)));
    let problem = words.fold(Diagnostic::error("init/missing-target", title), |problem, (cell, rows)| {
        problem.note(format!("{cell:?} is taken as missing: {rows} of these rows"))
    });
    Err(vec![problem.note("a model can't learn from a row without its target, so a run refuses the table").help(
        format!("add --drop-missing-target to leave the rows without {} out, or name another target", target.name),
    )])
}

/// The task, and why it is taken for that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) task: Task,
    pub(super) why: &'static str,
}

/// Gives the task that the target's values ask for, or the one that was asked for where they allow it.
pub(super) fn task_of(target: &Column, request: &Init) -> Result<Chosen, Vec<Diagnostic>> {
    let classes = target.distinct.len();
    if classes < 2 {
        let title = match target.distinct.keys().next() {
            Some(class) => format!("{} is {class} in every row: there is nothing to learn", target.name),
            None => format!("{} has no value in any row: there is nothing to learn", target.name),
        };
        return Err(vec![Diagnostic::error("init/constant-target", title).help("name another target")]);
    }
    let is_number = matches!(target.kind, DataType::Int64 | DataType::Float64);
    let chosen = match request.task {
        Some(task) => Chosen { task, why: "as --task says" },
        None if request.positive.is_some() => Chosen { task: Task::Binary, why: "as --positive says" },
        None if classes == 2 => Chosen { task: Task::Binary, why: "it has two values" },
        None if is_number => Chosen { task: Task::Regression, why: "it is a number (for classes: --task multiclass)" },
        None => Chosen { task: Task::Multiclass, why: "it has several labels" },
    };
    let refused = |title: String, help: &str| {
        let problem = Diagnostic::error("init/task", title).note(format!("its values are {}", listed(target)));
        Err(vec![problem.help(help)])
    };
    match chosen.task {
        Task::Regression if !is_number => {
            refused(format!("{} is no number, so regression can't predict it", target.name), "leave --task out")
        }
        Task::Binary if classes > 2 => refused(
            format!("{} has {} values where two are expected", target.name, count(classes as u64)),
            "predict each of them with --task multiclass, or name another target; a value that means that nothing is \
             known is named with --missing VALUE",
        ),
        Task::Multiclass => match target.distinct.iter().find(|(_, rows)| **rows < LEAST_OF_CLASS) {
            _ if classes > MOST_CLASSES => refused(
                format!("{} has {} classes, more than {MOST_CLASSES}", target.name, count(classes as u64)),
                "name another target, or join classes in the data",
            ),
            Some((class, rows)) => {
                let least = format!("a class needs {LEAST_OF_CLASS} to be split and cross-validated");
                let title = format!("the class {class} of {} has {}; {least}", target.name, rows_of(*rows));
                refused(
                    title,
                    "bring more rows of it, join it with another class in the data, or, where it means that nothing \
                     is known, name it with --missing and add --drop-missing-target",
                )
            }
            None => Ok(chosen),
        },
        Task::Binary | Task::Regression => Ok(chosen),
    }
}

fn rows_of(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{} rows", count(rows as u64)) }
}

/// Names the values with their rows, the most frequent first.
fn listed(target: &Column) -> String {
    let mut classes: Vec<(&String, &usize)> = target.distinct.iter().collect();
    classes.sort_by_key(|(label, rows)| (std::cmp::Reverse(**rows), (*label).clone()));
    let shown = classes.iter().take(MOST_SHOWN).map(|(label, rows)| format!("{label} ({})", rows_of(**rows)));
    let more = if classes.len() > MOST_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<String>>().join(", "))
}

/// Gives the positive class of a two-class target, nothing where there is none.
pub(super) fn positive_of(
    target: &Column,
    chosen: &Chosen,
    wanted: Option<&str>,
) -> Result<Option<Positive>, Vec<Diagnostic>> {
    let labels: Vec<&str> = target.distinct.keys().map(String::as_str).collect();
    if let Some(wanted) = wanted.filter(|wanted| !labels.contains(wanted)) {
        let title = format!("{} never is {wanted}", target.name);
        let problem = Diagnostic::error("init/positive", title);
        return Err(vec![problem.help(format!("its values are {}", listed(target)))]);
    }
    match (chosen.task, wanted, labels.as_slice()) {
        (Task::Binary, Some(class), _) => Ok(Some(Positive { class: class.to_owned(), why: "as --positive says" })),
        (Task::Binary, None, [first, second]) => Ok(Some(guess_positive(target, first, second))),
        (_, Some(_), _) => {
            let title = "--positive names one of two classes, and --task asks for something else".to_owned();
            Err(vec![Diagnostic::error("init/positive", title).help("leave one of them out")])
        }
        _ => Ok(None),
    }
}

/// Takes the class of a pair that everybody reads in one way, else the rarer one.
fn guess_positive(target: &Column, first: &str, second: &str) -> Positive {
    const PAIRS: [(&str, &[&str]); 7] = [
        ("yes", &["no"]),
        ("y", &["n"]),
        ("true", &["false"]),
        ("t", &["f"]),
        ("1", &["0", "-1"]),
        ("positive", &["negative"]),
        ("pos", &["neg"]),
    ];
    const SOUGHT: [&str; 8] = ["churned", "spam", "bad", "malignant", "fraud", "fraudulent", "default", "defaulted"];
    let is_sought = |class: &str, other: &str| {
        let (class, other) = (class.trim().to_lowercase(), other.trim().to_lowercase());
        SOUGHT.contains(&class.as_str()) || PAIRS.iter().any(|(yes, no)| *yes == class && no.contains(&other.as_str()))
    };
    let rows = |class: &str| target.distinct.get(class).copied().unwrap_or(0);
    let (class, why) = match (is_sought(first, second), is_sought(second, first)) {
        (true, false) => (first, "the usual name of what is looked for"),
        (false, true) => (second, "the usual name of what is looked for"),
        _ if rows(first) < rows(second) => (first, "the rarer of the two"),
        _ if rows(second) < rows(first) => (second, "the rarer of the two"),
        _ => (second, "the later of two that are as frequent"),
    };
    Positive { class: class.to_owned(), why }
}

/// Takes the first column without repetition that is named like a key, else one that counts, else one of short texts.
pub(super) fn guess_key(columns: &[Column], target: &str) -> Option<Key> {
    let unique = || columns.iter().filter(|column| column.name != target && column.is_unique());
    let is_text = |column: &&Column| {
        column.kind == DataType::LargeUtf8 && column.distinct.keys().all(|text| text.chars().count() <= LONGEST_KEY)
    };
    let key = |column: &Column, why| Key { column: column.name.clone(), why };
    unique()
        .find(|column| column.is_named_as_key())
        .map(|column| key(column, "guessed: by its name, and it never repeats"))
        .or_else(|| {
            unique().find(|column| column.counts_rows()).map(|column| key(column, "guessed: it counts the rows"))
        })
        .or_else(|| unique().find(is_text).map(|column| key(column, "guessed: a text that never repeats")))
}
