//! Literals, and the names of types.

use sqlparser::ast::{DataType, TypedString, Value as Literal, ValueWithSpan};

use super::{Checker, Typed};
use crate::kernel::cast;
use crate::problem::ProblemKind;
use crate::value::{Type, Value};

/// Reads a text as a value of a type.
pub(super) fn read(text: &str, kind: Type) -> Option<Value> {
    match kind {
        Type::Boolean => cast::parse_boolean(text).map(Value::Boolean),
        Type::Integer => cast::parse_integer(text).map(Value::Integer),
        Type::Float => cast::parse_float(text).map(Value::Float),
        Type::Text => Some(Value::Text(text.to_owned())),
        Type::Date => cast::parse_date(text).map(Value::Date),
        Type::Timestamp => cast::parse_timestamp(text).map(Value::Timestamp),
    }
}

/// Reads a number as SQL writes it: whole numbers are integers, anything with a point or an exponent is a float.
pub(super) fn number(text: &str, negative: bool) -> Option<Value> {
    let text = text.replace('_', "");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // The sign belongs to the number here: the least integer has no positive counterpart.
        let signed = if negative { format!("-{text}") } else { text };
        return signed.parse().ok().map(Value::Integer);
    }
    let number: f64 = text.parse().ok()?;
    Some(Value::Float(if negative { -number } else { number }))
}

/// Finds the type that a name in a cast means.
pub(super) fn type_of(data_type: &DataType) -> Option<Type> {
    let name = data_type.to_string().to_ascii_uppercase();
    let name = name.split('(').next().unwrap_or_default().trim().to_owned();
    Some(match name.as_str() {
        "BOOLEAN" | "BOOL" | "LOGICAL" => Type::Boolean,
        "BIGINT" | "INT8" | "INT64" | "LONG" | "INTEGER" | "INT" | "INT4" | "SIGNED" => Type::Integer,
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" | "FLOAT64" | "FLOAT" => Type::Float,
        "VARCHAR" | "TEXT" | "STRING" | "CHAR" | "CHARACTER VARYING" | "BPCHAR" | "NVARCHAR" => Type::Text,
        "DATE" => Type::Date,
        "TIMESTAMP" | "DATETIME" | "TIMESTAMP WITHOUT TIME ZONE" => Type::Timestamp,
        _ => return None,
    })
}

impl Checker<'_> {
    /// Checks a literal.
    pub(super) fn value(&mut self, literal: &ValueWithSpan) -> Option<Typed> {
        let run = self.tokens.run_of(literal.span).unwrap_or(self.tokens.all());
        let value = match &literal.value {
            Literal::Number(text, _) => match number(text, false) {
                Some(value) => value,
                None => {
                    let kind = ProblemKind::BadLiteral { text: text.clone(), kind: Type::Integer };
                    return self.report(kind, run);
                }
            },
            Literal::SingleQuotedString(text) => Value::Text(text.clone()),
            Literal::DollarQuotedString(text) => Value::Text(text.value.clone()),
            Literal::Boolean(value) => Value::Boolean(*value),
            Literal::Null => Value::Null,
            Literal::Placeholder(_) => {
                return self.report(ProblemKind::Unsupported { what: "a placeholder".to_owned() }, run);
            }
            _ => {
                return self.report(ProblemKind::Unsupported { what: "this kind of literal".to_owned() }, run);
            }
        };
        Some(self.constant(value, run))
    }

    /// Checks `DATE '2024-02-29'` and the like.
    pub(super) fn typed_string(&mut self, text: &TypedString) -> Option<Typed> {
        let value_run = self.tokens.run_of(text.value.span).unwrap_or(self.tokens.all());
        let mut run = value_run;
        run.first = run.first.saturating_sub(1);
        let Some(kind) = type_of(&text.data_type) else {
            return self.report(ProblemKind::UnknownType { name: text.data_type.to_string() }, run);
        };
        let Some(text) = text.value.value.clone().into_string() else {
            return self.report(ProblemKind::Unsupported { what: "this kind of literal".to_owned() }, run);
        };
        match read(&text, kind) {
            Some(value) => Some(self.constant(value, run)),
            None => self.report(ProblemKind::BadLiteral { text, kind }, value_run),
        }
    }
}
