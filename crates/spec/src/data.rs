//! The data of a project: where it is, what its columns are, what is to be predicted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::declare::{
    Decoder, Definitions, Named, Section, Shape, bare, character, choice, defaulted, list, named, optional, or_empty,
    quoting, rec, record, required, sorted_map, text, unless_given,
};
use crate::error::Error;
use crate::source::{Source, SourceSpec};
use crate::tree::{Content, Node};
use crate::{Located, Origin};

named! {
    /// The type of a column.
    pub enum ColumnType {
        /// True or false.
        Boolean = "boolean",
        /// A whole number of 64 bits.
        Integer = "integer",
        /// A number in double precision.
        Float = "float",
        /// Text.
        Text = "text",
        /// A day.
        Date = "date",
        /// A moment to the microsecond, without a time zone.
        Timestamp = "timestamp",
    }
}

impl ColumnType {
    /// Gives the type of a name as specs write it.
    pub fn of_name(name: &str) -> Option<ColumnType> {
        ColumnType::ALL.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind)
    }
}

named! {
    /// What is to be predicted.
    pub enum Task {
        /// The probability of one of two classes.
        Binary = "binary",
        /// The probability of each of several classes.
        Multiclass = "multiclass",
        /// A number.
        Regression = "regression",
    }
}

impl Task {
    /// Says whether classes are predicted.
    pub fn has_classes(self) -> bool {
        match self {
            Task::Binary | Task::Multiclass => true,
            Task::Regression => false,
        }
    }
}

named! {
    /// The sign before the fraction of a number in CSV.
    pub enum DecimalMark {
        /// A point: 1.5.
        Point = ".",
        /// A comma: 1,5.
        Comma = ",",
    }
}

/// What stands around cells of CSV that hold a delimiter or a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// This mark, doubled where a cell holds it.
    Mark(char),
    /// Nothing: every mark is a part of its cell.
    None,
}

named! {
    /// What becomes of rows without a target.
    pub enum MissingTarget {
        /// They stop the run.
        Refuse = "refuse",
        /// They are left out, and counted.
        Drop = "drop",
    }
}

record! {
    /// The column to predict.
    pub struct TargetSpec {
        /// The name of the column.
        column: Located<String> = required(text(), "Churn"),
        /// The class whose probability is predicted, as the data writes it. Makes the task binary.
        positive: Option<Located<String>> = optional(text()),
        /// The task; needed only where `positive` is not given and the task is not regression.
        task: Option<Located<Task>> = optional(choice()),
        /// What becomes of rows without a target.
        missing: MissingTarget = unless_given(bare(choice()), MissingTarget::Refuse),
    }
    check check_target
}

impl TargetSpec {
    /// Gives the task as far as the spec alone tells it.
    pub fn known_task(&self) -> Option<Task> {
        match (&self.task, &self.positive) {
            (Some(task), Some(_)) if task.value != Task::Binary => None,
            (Some(task), _) => Some(task.value),
            (None, Some(_)) => Some(Task::Binary),
            (None, None) => None,
        }
    }

    /// Gives the value that says which task it is.
    pub(crate) fn task_origin(&self) -> Origin {
        match (&self.task, &self.positive) {
            (Some(task), _) => task.origin.clone(),
            (None, Some(positive)) => positive.origin.clone(),
            (None, None) => self.column.origin.clone(),
        }
    }
}

fn check_target(target: &mut TargetSpec, _: &Section<'_>, decoder: &mut Decoder) {
    if let (Some(task), Some(positive)) = (&target.task, &target.positive)
        && task.value != Task::Binary
    {
        decoder.errors.push(Error::TargetConflict { positive: positive.clone(), task: task.clone() });
    }
}

/// The target: a section, or the name of the column alone.
pub(crate) struct Target;

impl Shape for Target {
    type Value = TargetSpec;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<TargetSpec> {
        match &node.content {
            Content::Scalar(_) => {
                let column = text().decode(node, decoder)?;
                Some(TargetSpec { column, positive: None, task: None, missing: MissingTarget::Refuse })
            }
            Content::Mapping(_) => rec::<TargetSpec>().decode(node, decoder),
            Content::Sequence(_) => {
                decoder.wrong_type(node, "the name of a column, or a section with `column`");
                None
            }
        }
    }

    fn encode(&self, value: &TargetSpec) -> Value {
        rec().encode(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [rec::<TargetSpec>().schema(definitions), text().schema(definitions)] })
    }
}

record! {
    /// The table to learn from.
    pub struct DataSpec {
        /// Where the table is: a file relative to the project, a pattern of files, `sqlite:///FILE?table=NAME`,
        /// `postgresql://USER@HOST/DATABASE?table=NAME`, `s3://BUCKET/NAME`, `https://HOST/FILE`; or a section with a query,
        /// of a database or, with `sql` and `tables`, over files.
        source: SourceSpec = required(Source, "data/raw/customers.csv"),
        /// The column that identifies a row. It keeps a row on its side of the split as the data grows.
        key: Option<Located<String>> = optional(text()),
        /// The column to predict: `{column: Churn, positive: "Yes"}`, `{column: species, task: multiclass}`,
        /// `{column: price, task: regression}`, or its name.
        target: TargetSpec = required(Target, "{column: Churn, positive: \"Yes\"}"),
        /// The column that says how much a row counts when models are fitted and measured: 0 or more.
        weight: Option<Located<String>> = optional(text()),
        /// The types of columns where they are not to be inferred.
        types: BTreeMap<String, Located<ColumnType>> = or_empty(sorted_map(choice())),
        /// Cells that count as missing; blank cells always do.
        missing: Vec<String> = or_empty(list(bare(text()))),
        /// The character between the cells of a line; a tab for .tsv files.
        delimiter: Located<char> = defaulted(character(), ','),
        /// The mark around cells that hold a delimiter or a line end; `"` where nothing is said, `none` where no cell
        /// is quoted.
        quote: Option<Located<Quote>> = optional(quoting()),
        /// The character that lines begin with that are skipped: `"#"`.
        comment: Option<Located<char>> = optional(character()),
        /// The sign before the fraction of a number; a point where nothing is said.
        decimal: Option<Located<DecimalMark>> = optional(choice()),
        /// Columns to leave out.
        drop: Vec<Located<String>> = or_empty(list(text())),
    }
    check check_data
}

/// Says whether a file's ending is that of cells between tabs.
fn is_of_tabs(source: &str) -> bool {
    let name = source.to_ascii_lowercase();
    let unpacked = [".gz", ".zst"].iter().find_map(|packing| name.strip_suffix(packing)).unwrap_or(&name);
    unpacked.ends_with(".tsv")
}

/// Refuses a character that is to mean two things in one file.
fn check_dialect(data: &DataSpec, decoder: &mut Decoder) {
    let comma = data.decimal.as_ref().filter(|decimal| decimal.value == DecimalMark::Comma);
    let quote = data.quote.as_ref().and_then(|quote| match quote.value {
        Quote::Mark(mark) => Some((mark, quote.origin.clone())),
        Quote::None => None,
    });
    let roles = [
        ("data.delimiter", Some((data.delimiter.value, data.delimiter.origin.clone()))),
        ("data.quote", quote),
        ("data.comment", data.comment.as_ref().map(|comment| (comment.value, comment.origin.clone()))),
        ("data.decimal", comma.map(|decimal| (',', decimal.origin.clone()))),
    ];
    for (at, (key, role)) in roles.iter().enumerate() {
        let Some((character, origin)) = role else { continue };
        let same = roles[..at].iter().find_map(|(before, role)| {
            let (_, first) = role.as_ref().filter(|(other, _)| other == character)?;
            Some((*before, first.clone()))
        });
        if let Some((first_key, first)) = same {
            let (second_key, second) = (*key, origin.clone());
            decoder.errors.push(Error::SameCharacter { character: *character, second_key, second, first_key, first });
        }
    }
}

fn check_data(data: &mut DataSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let written = section.entries.iter().any(|(key, value)| key.value == "delimiter" && !value.is_null());
    if !written && is_of_tabs(data.source.path()) {
        data.delimiter.value = '\t';
    }
    check_dialect(data, decoder);
    let target = &data.target.column;
    let conflict = |name: &Located<String>, first: &Located<String>, second_role, first_role| Error::ColumnConflict {
        name: name.clone(),
        first: first.clone(),
        second_role,
        first_role,
    };
    if let Some(key) = data.key.as_ref().filter(|key| key.value == target.value) {
        decoder.errors.push(conflict(target, key, "the target", "the key"));
    }
    if let Some(weight) = &data.weight {
        if let Some(key) = data.key.as_ref().filter(|key| key.value == weight.value) {
            decoder.errors.push(conflict(weight, key, "the weight", "the key"));
        }
        if weight.value == target.value {
            decoder.errors.push(conflict(weight, target, "the weight", "the target"));
        }
    }
    for (index, name) in data.drop.iter().enumerate() {
        let before = data.drop.iter().take(index).find(|before| before.value == name.value);
        if let Some(first) = before {
            decoder.errors.push(conflict(name, first, "dropped", "dropped"));
        } else if name.value == target.value {
            decoder.errors.push(conflict(name, target, "dropped", "the target"));
        } else if let Some(key) = data.key.as_ref().filter(|key| key.value == name.value) {
            decoder.errors.push(conflict(name, key, "dropped", "the key"));
        } else if let Some(weight) = data.weight.as_ref().filter(|weight| weight.value == name.value) {
            decoder.errors.push(conflict(name, weight, "dropped", "the weight"));
        }
    }
}
