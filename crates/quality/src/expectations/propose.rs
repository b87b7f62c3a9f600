//! A first suite, from what a table holds.

use super::facts::Facts;
use super::suite::{Expectation, Severity, Suite};
use super::table::{Column, Table};
use super::value::{Cell, Value};
use crate::profile::{ColumnProfile, Kind, Profile, Scalar};

/// How many different texts a set may have.
const LARGEST_SET: usize = 20;

/// How many rows each text of a set has on average at least, so that a set is no list of single cases.
const ROWS_PER_VALUE: usize = 10;

/// A profile cuts texts that are longer than this many bytes, so that they can stand in no set.
const LONGEST: usize = 90;

/// What a proposal has to know of a column.
#[derive(Debug, Default)]
struct Seen {
    name: String,
    /// In the words of the expectations.
    kind: Option<&'static str>,
    has_missing: bool,
    /// How many cells are not missing.
    judged: usize,
    /// Of numbers.
    bounds: Option<(Value, Value)>,
    /// The different texts in their order, where they are few.
    texts: Vec<Value>,
    /// Whether it is of whole numbers or texts, each of which is there once.
    is_unique: bool,
}

/// Proposes what the next tables should be like, if this one is as it should be: the same columns and types, no missing
/// cell where there is none, numbers between the bounds and texts of the sets that are there, and about as many rows.
///
/// Bounds of numbers and sets of texts are warnings: a new value is often right. What is left is critical.
pub fn propose(name: &str, table: &Table) -> Suite {
    let columns = table.names().iter().enumerate().map(|(position, name)| {
        let facts = Facts::new(table.column(position));
        let judged = facts.rows() - facts.missing();
        let different = || facts.groups().counts.len();
        Seen {
            name: name.clone(),
            kind: type_of(facts.column),
            has_missing: facts.missing() > 0,
            judged,
            bounds: match facts.column {
                Column::Int(_) | Column::Float(_) => {
                    facts.extremes().ok().flatten().map(|(least, most)| (value(least), value(most)))
                }
                _ => None,
            },
            texts: match facts.column {
                Column::Text(_) if different() <= LARGEST_SET => {
                    facts.distinct().iter().map(|(cell, _)| value(*cell)).collect()
                }
                _ => Vec::new(),
            },
            is_unique: matches!(facts.column, Column::Int(_) | Column::Text(_)) && different() == judged,
        }
    });
    suite(name, table.rows(), columns)
}

/// Proposes the same from the profile of a table of any size. What the profile only estimates is left out.
pub fn propose_from(name: &str, profile: &Profile) -> Suite {
    suite(name, usize::try_from(profile.rows).unwrap_or(usize::MAX), profile.columns.iter().map(seen))
}

fn seen(column: &ColumnProfile) -> Seen {
    // To an expectation NaN is a missing cell.
    let numbers = column.numbers.as_ref();
    let not_a_number = numbers.map_or(0, |numbers| numbers.not_a_number);
    let judged = usize::try_from(column.values - not_a_number).unwrap_or(usize::MAX);
    let is_finite = numbers.is_some_and(|numbers| numbers.infinite == 0);
    let distinct = column.distinct;
    let mut texts: Vec<&str> = column.top.iter().filter_map(|top| text(&top.value)).collect();
    texts.sort_unstable();
    let is_set =
        distinct.exact && texts.len() as u64 == distinct.count && texts.iter().all(|text| text.len() <= LONGEST);
    Seen {
        name: column.column.clone(),
        kind: match column.kind {
            Kind::Boolean => Some("bool"),
            Kind::Integer => Some("int64"),
            Kind::Float => Some("float64"),
            Kind::Text => Some("str"),
            Kind::Timestamp => Some("datetime64"),
            Kind::Date => None,
        },
        has_missing: column.missing + not_a_number > 0,
        judged,
        bounds: column.least.as_ref().zip(column.most.as_ref()).filter(|_| is_finite).and_then(|(least, most)| {
            let value = |scalar: &Scalar| match scalar {
                Scalar::Integer(value) => Some(Value::Int(*value)),
                Scalar::Float(value) => Some(Value::Float(*value)),
                Scalar::Boolean(_) | Scalar::Text(_) => None,
            };
            value(least).zip(value(most))
        }),
        texts: match column.kind {
            Kind::Text if is_set => texts.into_iter().map(Value::from).collect(),
            _ => Vec::new(),
        },
        is_unique: matches!(column.kind, Kind::Integer | Kind::Text)
            && distinct.exact
            && distinct.count == column.values,
    }
}

fn text(value: &Scalar) -> Option<&str> {
    match value {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

fn suite(name: &str, rows: usize, columns: impl Iterator<Item = Seen>) -> Suite {
    let columns: Vec<Seen> = columns.collect();
    let mut expectations = Vec::new();
    let mut add = |name: &str, arguments, severity| expectations.extend(Expectation::new(name, arguments, severity));
    let number = i64::try_from(rows).unwrap_or(i64::MAX);
    let bounds = vec![("min_value", Value::Int(number / 2)), ("max_value", Value::Int(number.saturating_mul(2)))];
    add("table_row_count_to_be_between", bounds, Severity::Warning);
    let names = columns.iter().map(|column| Value::Text(column.name.clone())).collect();
    let set = vec![("column_set", Value::List(names)), ("exact_match", Value::Bool(false))];
    add("table_columns_to_match_set", set, Severity::Critical);
    for column in columns {
        let of_column = |others: Vec<(&'static str, Value)>| {
            std::iter::once(("column", Value::Text(column.name.clone()))).chain(others).collect::<Vec<_>>()
        };
        match column.kind.filter(|_| column.judged > 0) {
            // Where the next file happens to hold whole numbers alone, they are read as such.
            Some("float64") => {
                let kinds = ["float64", "int64"].map(Value::from).to_vec();
                let kinds = of_column(vec![("type_list", Value::List(kinds))]);
                add("column_values_to_be_in_type_list", kinds, Severity::Critical);
            }
            Some(kind) => {
                add("column_values_to_be_of_type", of_column(vec![("type_", kind.into())]), Severity::Critical);
            }
            None => {}
        }
        if !column.has_missing && column.judged > 0 {
            add("column_values_to_not_be_null", of_column(Vec::new()), Severity::Critical);
        }
        if let Some((least, most)) = column.bounds {
            let bounds = vec![("min_value", least), ("max_value", most)];
            add("column_values_to_be_between", of_column(bounds), Severity::Warning);
        }
        let different = column.texts.len();
        if (1..=LARGEST_SET).contains(&different) && column.judged >= ROWS_PER_VALUE * different {
            let set = of_column(vec![("value_set", Value::List(column.texts))]);
            add("column_values_to_be_in_set", set, Severity::Warning);
        }
        if column.is_unique && !column.has_missing && column.judged > 1 {
            add("column_values_to_be_unique", of_column(Vec::new()), Severity::Critical);
        }
    }
    Suite::new(name, expectations)
}

fn type_of(column: &Column) -> Option<&'static str> {
    match column {
        Column::Bool(_) => Some("bool"),
        Column::Int(_) => Some("int64"),
        Column::Float(_) => Some("float64"),
        Column::Text(_) => Some("str"),
        Column::Moment(_) => Some("datetime64"),
        Column::Date(_) | Column::Mixed(_) => None,
    }
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Int(value) => Value::Int(value),
        Cell::Float(value) => Value::Float(value),
        Cell::Text(text) => text.into(),
        _ => Value::Null,
    }
}
