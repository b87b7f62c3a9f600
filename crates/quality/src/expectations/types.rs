//! Types by the names that NumPy, pandas and Python have for them.

use super::suite::Expectation;
use super::table::Column;
use super::value::{Cell, Value};

const INTEGERS: [&str; 8] = ["int", "int64", "int_", "long", "longlong", "i8", "Int64Dtype", "Int64"];
const FLOATS: [&str; 6] = ["float", "float64", "double", "f8", "Float64Dtype", "Float64"];
const BOOLS: [&str; 4] = ["bool", "bool_", "BooleanDtype", "?"];
const MOMENTS: [&str; 5] = ["datetime64", "datetime64[us]", "datetime64[ns]", "datetime", "Timestamp"];
const OBJECTS: [&str; 3] = ["object", "object_", "O"];

/// Judges the type of a whole column, where its cells need not be asked: whether it is as expected, and its name.
pub(crate) fn whole(column: &Column, expectation: &Expectation) -> Option<(bool, &'static str)> {
    let type_name = column.type_name();
    let single = expectation.text("type_");
    if type_name == "object_" {
        let is_object = single.is_some_and(|name| OBJECTS.contains(&name));
        let is_unasked = single.is_none() && expectation.argument("type_list").is_none();
        return (is_object || is_unasked).then_some((true, type_name));
    }
    let known: &[&str] = match type_name {
        "int64" => &INTEGERS,
        "float64" => &FLOATS,
        "bool" => &BOOLS,
        _ => &MOMENTS,
    };
    let success = match (single, expectation.argument("type_list").and_then(Value::as_texts)) {
        (Some(name), _) => known.contains(&name),
        (None, Some(names)) => names.iter().any(|name| known.contains(name)),
        (None, None) => true,
    };
    Some((success, type_name))
}

/// Holds the types that a single cell may have.
#[derive(Debug, Default)]
pub(crate) struct Types {
    texts: bool,
    integers: bool,
    floats: bool,
    bools: bool,
    moments: bool,
    dates: bool,
}

/// Takes the names of types of cells.
///
/// # Errors
/// No name of which is known.
pub(crate) fn of_values(names: &[&str]) -> Result<Types, String> {
    let mut types = Types::default();
    let mut is_known = false;
    for name in names {
        is_known |= [&INTEGERS[..], &FLOATS, &BOOLS, &MOMENTS, &OBJECTS].iter().any(|known| known.contains(name));
        match name.to_lowercase().as_str() {
            "str" | "string_types" => types.texts = true,
            "int" | "long" => types.integers = true,
            "float" => types.floats = true,
            "bool" => types.bools = true,
            "timestamp" | "datetime" => types.moments = true,
            "date" => types.dates = true,
            "none" | "bytes" | "complex" | "list" | "dict" => {}
            _ => continue,
        }
        is_known = true;
    }
    match is_known {
        true => Ok(types),
        false => Err(format!("no type has the name {}", names.join(" or "))),
    }
}

impl Types {
    pub(crate) fn has(&self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Missing => false,
            // In Python, True and False are integers.
            Cell::Bool(_) => self.bools || self.integers,
            Cell::Int(_) => self.integers,
            Cell::Float(_) => self.floats,
            Cell::Text(_) => self.texts,
            Cell::Date(_) => self.dates,
            Cell::Moment(_) => self.moments,
        }
    }
}
