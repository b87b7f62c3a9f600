//! Where two contents of one artifact first differ, in words for people.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;
use serde_json::Value;

/// The most characters of a value that are shown.
const SHOWN: usize = 80;
/// What stands where one side has nothing.
const ABSENT: &str = "absent";

/// The first place where what a run left and what its replay made differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The first step that differs.
    pub step: String,
    /// The artifact of it that differs first.
    pub artifact: String,
    /// Where in it: `column tenure, row 17`, a path as in `trees[3].nodes[7].threshold`, `line 5`, `byte 100`.
    pub place: String,
    /// What the run left there.
    pub recorded: String,
    /// What the replay made.
    pub replayed: String,
}

/// A place with what stands there on both sides.
pub(crate) type Place = (String, String, String);

/// Finds the first difference; bytes that are the same have none.
pub(crate) fn first(recorded: &[u8], replayed: &[u8]) -> Option<Place> {
    if recorded == replayed {
        return None;
    }
    tables(recorded, replayed)
        .or_else(|| documents(recorded, replayed))
        .or_else(|| lines(recorded, replayed))
        .or_else(|| Some(bytes(recorded, replayed)))
}

fn cut(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", clean.get(..at).unwrap_or_default()),
        None => clean,
    }
}

fn tables(recorded: &[u8], replayed: &[u8]) -> Option<Place> {
    let read = |bytes: &[u8]| {
        let is_table = bytes.starts_with(b"PAR1");
        is_table.then(|| trainyard_data::from_parquet(bytes, "an artifact").ok()).flatten()
    };
    let (then, now) = (read(recorded)?, read(replayed)?);
    let (before, after) = (then.schema(), now.schema());
    for number in 0..before.fields().len().max(after.fields().len()) {
        let told = |fields: &arrow_schema::Fields| {
            let field = fields.get(number);
            field.map_or(ABSENT.to_owned(), |f| format!("{}, {}", f.name(), trainyard_data::type_name(f.data_type())))
        };
        let (one, other) = (told(before.fields()), told(after.fields()));
        if one != other {
            return Some((format!("column {}", number + 1), one, other));
        }
    }
    // The column whose first differing row comes first.
    let first = (0..then.num_columns()).filter_map(|column| Some((differing_row(&then, &now, column)?, column))).min();
    if let Some((row, column)) = first {
        let name = before.fields().get(column).map(|field| field.name().as_str()).unwrap_or_default();
        let value = |table: &RecordBatch| cut(&shown(table.column(column), row));
        return Some((format!("column {name}, row {}", row + 1), value(&then), value(&now)));
    }
    let rows = |table: &RecordBatch| format!("{} rows", trainyard_diagnostics::count(table.num_rows() as u64));
    (then.num_rows() != now.num_rows()).then(|| ("the number of rows".to_owned(), rows(&then), rows(&now)))
}

/// Finds the first row that both tables have in which a column differs.
fn differing_row(then: &RecordBatch, now: &RecordBatch, column: usize) -> Option<usize> {
    let (one, other) = (then.column(column), now.column(column));
    let rows = one.len().min(other.len());
    (0..rows).find(|row| match (one.is_null(*row), other.is_null(*row)) {
        (true, true) => false,
        (false, false) => !is_same(one, other, *row),
        _ => true,
    })
}

fn is_same(one: &dyn Array, other: &dyn Array, row: usize) -> bool {
    match (one.as_primitive_opt::<Float64Type>(), other.as_primitive_opt::<Float64Type>()) {
        // What is no number equals nothing, itself included, but its bits do.
        (Some(one), Some(other)) => one.value(row).to_bits() == other.value(row).to_bits(),
        _ => one.slice(row, 1).to_data() == other.slice(row, 1).to_data(),
    }
}

fn shown(column: &dyn Array, row: usize) -> String {
    if row >= column.len() {
        return ABSENT.to_owned();
    }
    if column.is_null(row) {
        return "missing".to_owned();
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => {
            let date = column.as_primitive::<Date32Type>().value_as_date(row);
            date.map_or_else(|| "a date".to_owned(), |date| date.to_string())
        }
        DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => format!("{:?}", column.as_string::<i64>().value(row)),
        DataType::Utf8View => format!("{:?}", column.as_string_view().value(row)),
        _ => format!("{:?}", column.slice(row, 1)),
    }
}

fn documents(recorded: &[u8], replayed: &[u8]) -> Option<Place> {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let mut path = String::new();
    let (one, other) = values(&read(recorded)?, &read(replayed)?, &mut path)?;
    let place = if path.is_empty() { "the whole document".to_owned() } else { path };
    Some((place, one, other))
}

/// Walks two documents side by side; `path` is where they differ then.
fn values(one: &Value, other: &Value, path: &mut String) -> Option<(String, String)> {
    let before = path.len();
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            for key in keys {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                match (one.get(key), other.get(key)) {
                    (Some(one), Some(other)) => {
                        if let Some(found) = values(one, other, path) {
                            return Some(found);
                        }
                    }
                    (one, other) => return Some((word(one), word(other))),
                }
                path.truncate(before);
            }
            None
        }
        (Value::Array(one), Value::Array(other)) => {
            for number in 0..one.len().max(other.len()) {
                path.push_str(&format!("[{number}]"));
                match (one.get(number), other.get(number)) {
                    (Some(one), Some(other)) => {
                        if let Some(found) = values(one, other, path) {
                            return Some(found);
                        }
                    }
                    (one, other) => return Some((word(one), word(other))),
                }
                path.truncate(before);
            }
            None
        }
        (one, other) if one == other => None,
        (one, other) => Some((word(Some(one)), word(Some(other)))),
    }
}

fn word(value: Option<&Value>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| cut(&value.to_string()))
}

fn lines(recorded: &[u8], replayed: &[u8]) -> Option<Place> {
    let (one, other) = (std::str::from_utf8(recorded).ok()?, std::str::from_utf8(replayed).ok()?);
    let (mut one, mut other) = (one.split('\n'), other.split('\n'));
    for number in 1.. {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => {
                let line = |line: Option<&str>| line.map_or_else(|| ABSENT.to_owned(), cut);
                return Some((format!("line {number}"), line(one), line(other)));
            }
        }
    }
    None
}

fn bytes(recorded: &[u8], replayed: &[u8]) -> Place {
    let same = recorded.iter().zip(replayed).take_while(|(one, other)| one == other).count();
    let byte = |bytes: &[u8]| bytes.get(same).map_or_else(|| "the end".to_owned(), |byte| format!("0x{byte:02x}"));
    (format!("byte {}", same + 1), byte(recorded), byte(replayed))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, RecordBatch, StringArray};

    use super::first;

    fn place(recorded: &[u8], replayed: &[u8]) -> [String; 3] {
        let (place, one, other) = first(recorded, replayed).expect("they differ");
        [place, one, other]
    }

    fn table(names: [&str; 3], values: [f64; 3]) -> Vec<u8> {
        let names: arrow_array::ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        let values: arrow_array::ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let batch = RecordBatch::try_from_iter([("name", names), ("value", values)]).expect("columns of one length");
        trainyard_data::to_parquet(&batch).expect("a table can be written")
    }

    #[test]
    fn the_first_difference_is_named_in_the_terms_of_its_content() {
        let nan = f64::NAN;
        let then = table(["a", "b", "c"], [1.0, nan, 3.0]);
        assert_eq!(first(&then, &then), None);
        let cases: [(&[u8], &[u8], [&str; 3]); 7] = [
            (&then, &table(["a", "x", "y"], [1.0, nan, 3.5]), ["column name, row 2", "\"b\"", "\"x\""]),
            (&then, &table(["a", "b", "c"], [1.0, nan, 3.5]), ["column value, row 3", "3.0", "3.5"]),
            (b"{\"a\": [1, {\"b\": 0.1}]}", b"{\"a\": [1, {\"b\": 0.2}]}", ["a[1].b", "0.1", "0.2"]),
            (b"{\"a\": 1}", b"{\"a\": 1, \"c\": null}", ["c", "absent", "null"]),
            (b"{\"a\": 1}", b"{\"a\":  1}", ["line 1", "{\"a\": 1}", "{\"a\":  1}"]),
            (b"one\ntwo\n", b"one\ntoo\n", ["line 2", "two", "too"]),
            (b"\xff\x01\x02", b"\xff\x01", ["byte 3", "0x02", "the end"]),
        ];
        for (recorded, replayed, expected) in cases {
            assert_eq!(place(recorded, replayed), expected);
        }
    }
}
