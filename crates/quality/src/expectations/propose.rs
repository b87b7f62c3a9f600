//! A first suite, from what a table holds.

use super::facts::Facts;
use super::suite::{Expectation, Severity, Suite};
use super::table::{Column, Table};
use super::value::{Cell, Value};

/// How many different texts a set may have.
const LARGEST_SET: usize = 20;

/// How many rows each text of a set has on average at least, so that a set is no list of single cases.
const ROWS_PER_VALUE: usize = 10;

/// Proposes what the next tables should be like, if this one is as it should be: the same columns and types, no missing
/// cell where there is none, numbers between the bounds and texts of the sets that are there, and about as many rows.
///
/// Bounds of numbers and sets of texts are warnings: a new value is often right. What is left is critical.
pub fn propose(name: &str, table: &Table) -> Suite {
    let mut expectations = Vec::new();
    let mut add = |name: &str, arguments, severity| expectations.extend(Expectation::new(name, arguments, severity));
    let rows = table.rows() as i64;
    let bounds = vec![("min_value", Value::Int(rows / 2)), ("max_value", Value::Int(rows.saturating_mul(2)))];
    add("table_row_count_to_be_between", bounds, Severity::Warning);
    let names = table.names().iter().map(|name| Value::Text(name.clone())).collect();
    let set = vec![("column_set", Value::List(names)), ("exact_match", Value::Bool(false))];
    add("table_columns_to_match_set", set, Severity::Critical);
    for (position, name) in table.names().iter().enumerate() {
        let facts = Facts::new(table.column(position));
        let of_column = |others: Vec<(&'static str, Value)>| {
            std::iter::once(("column", Value::Text(name.clone()))).chain(others).collect::<Vec<_>>()
        };
        let judged = facts.rows() - facts.missing();
        if let Some(kind) = type_of(facts.column) {
            let kind = of_column(vec![("type_", kind.into())]);
            add("column_values_to_be_of_type", kind, Severity::Critical);
        }
        if judged == facts.rows() && judged > 0 {
            add("column_values_to_not_be_null", of_column(Vec::new()), Severity::Critical);
        }
        match facts.column {
            Column::Int(_) | Column::Float(_) => {
                if let Ok(Some((least, greatest))) = facts.extremes() {
                    let bounds = vec![("min_value", value(least)), ("max_value", value(greatest))];
                    add("column_values_to_be_between", of_column(bounds), Severity::Warning);
                }
            }
            Column::Text(_) => {
                let different = facts.groups().counts.len();
                if (1..=LARGEST_SET).contains(&different) && judged >= ROWS_PER_VALUE * different {
                    let values = facts.distinct().iter().map(|(cell, _)| value(*cell)).collect();
                    let set = of_column(vec![("value_set", Value::List(values))]);
                    add("column_values_to_be_in_set", set, Severity::Warning);
                }
            }
            _ => {}
        }
        let is_key = matches!(facts.column, Column::Int(_) | Column::Text(_));
        if is_key && judged == facts.rows() && judged > 1 && facts.groups().counts.len() == judged {
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
