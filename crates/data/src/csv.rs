//! CSV to a table and back.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, LargeStringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use trainyard_expression::Value;
use trainyard_spec::ColumnType;

use crate::error::Line;
use crate::{Error, ReadOptions};

/// A type is inferred from this many values; a later value that breaks it is an error, not another guess.
const INFERRED_FROM: usize = 1000;

/// All cells of a file, row by row, with the line that each row starts on.
struct Cells<'a> {
    file: &'a str,
    names: Vec<String>,
    rows: Vec<csv::ByteRecord>,
    text: &'a [u8],
}

/// Reads a CSV text into one table.
pub(crate) fn read(bytes: &[u8], file: &str, options: &ReadOptions) -> Result<RecordBatch, Error> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::Empty { file: file.to_owned() });
    }
    if let Err(error) = std::str::from_utf8(text) {
        let valid = error.valid_up_to();
        let line = text[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(Error::Encoding { file: file.to_owned(), line, byte: valid + 1 });
    }
    let cells = split(text, file, options)?;
    if let Some(name) = options.types.keys().find(|name| !cells.names.contains(name)) {
        return Err(Error::UnknownTyped { name: name.clone(), columns: cells.names.clone() });
    }
    let columns: Result<Vec<ArrayRef>, Error> =
        (0..cells.names.len()).into_par_iter().map(|column| build(&cells, column, options)).collect();
    let columns = columns?;
    let fields: Vec<Field> = cells
        .names
        .iter()
        .zip(&columns)
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .collect();
    table(fields, columns, cells.rows.len(), file)
}

fn table(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize, file: &str) -> Result<RecordBatch, Error> {
    let sized = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &sized)
        .map_err(|error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

fn split<'a>(text: &'a [u8], file: &'a str, options: &ReadOptions) -> Result<Cells<'a>, Error> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(options.delimiter).has_headers(false).flexible(true).from_reader(text);
    let mut rows = Vec::new();
    let unreadable = |error: csv::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        rows.push(record.clone());
    }
    if rows.is_empty() {
        return Err(Error::Empty { file: file.to_owned() });
    }
    let header = rows.remove(0);
    let first = line_at(text, &header, file);
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    for (position, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(Error::EmptyName { line: first, position: position + 1 });
        }
        if names[..position].contains(name) {
            let at = first.text.rfind(name.as_str()).unwrap_or(0);
            return Err(Error::DuplicateColumn {
                line: Line { span: at..at + name.len(), ..first },
                name: name.clone(),
            });
        }
    }
    if rows.is_empty() {
        return Err(Error::HeaderOnly { file: file.to_owned() });
    }
    if let Some(last) = rows.last() {
        let start = last.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0)).min(text.len());
        let open = text[start..].iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        // An unclosed quote swallows the rest of the file into one cell, line ends included.
        if open && last.iter().any(|cell| cell.contains(&b'\n')) {
            return Err(Error::UnclosedQuote { line: line_at(text, last, file) });
        }
    }
    if let Some(row) = rows.iter().find(|row| row.len() != names.len()) {
        let (expected, got) = (names.len(), row.len());
        return Err(Error::Ragged { line: line_at(text, row, file), expected, got });
    }
    Ok(Cells { file, names, rows, text })
}

/// Gives the line that a row starts on; its number counts lines, not rows, since a cell may hold line ends.
fn line_at(text: &[u8], row: &csv::ByteRecord, file: &str) -> Line {
    let start = row.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0)).min(text.len());
    // The position of a row may lie on the line end before it.
    let start = start + text[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let number = text[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let end = text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| start + at);
    let line = String::from_utf8_lossy(&text[start..end]).trim_end_matches('\r').to_owned();
    Line { file: file.to_owned(), number, span: 0..line.len(), text: line }
}

fn is_missing(cell: &str, options: &ReadOptions) -> bool {
    cell.trim().is_empty() || options.missing.iter().any(|token| token == cell.trim())
}

fn cell(row: &csv::ByteRecord, column: usize) -> &str {
    std::str::from_utf8(row.get(column).unwrap_or_default()).unwrap_or_default()
}

fn build(cells: &Cells<'_>, column: usize, options: &ReadOptions) -> Result<ArrayRef, Error> {
    let declared = options.types.get(&cells.names[column]).copied();
    let values = || cells.rows.iter().map(|row| Some(cell(row, column)).filter(|cell| !is_missing(cell, options)));
    let mut kind = declared.unwrap_or_else(|| infer(values().flatten().take(INFERRED_FROM)));
    if declared.is_none() && kind == ColumnType::Integer && values().flatten().any(|value| integer(value).is_none()) {
        // A whole-number column may turn out to hold fractions; anything else is said below.
        kind = ColumnType::Float;
    }
    macro_rules! fill {
        ($builder:expr, $parse:expr) => {{
            let mut builder = $builder;
            for (row, value) in values().enumerate() {
                match value {
                    None => builder.append_null(),
                    Some(text) => match $parse(text) {
                        Some(value) => builder.append_value(value),
                        None => return Err(broken(cells, row, column, kind, text, declared.is_some())),
                    },
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    Ok(match kind {
        ColumnType::Boolean => fill!(BooleanBuilder::new(), boolean),
        ColumnType::Integer => fill!(Int64Builder::new(), integer),
        ColumnType::Float => fill!(Float64Builder::new(), float),
        ColumnType::Date => fill!(Date32Builder::new(), date),
        ColumnType::Timestamp => fill!(TimestampMicrosecondBuilder::new(), timestamp),
        ColumnType::Text => fill!(LargeStringBuilder::new(), Some),
    })
}

fn broken(cells: &Cells<'_>, row: usize, column: usize, kind: ColumnType, value: &str, declared: bool) -> Error {
    let mut line = line_at(cells.text, &cells.rows[row], cells.file);
    if let Some(at) = line.text.find(value) {
        line.span = at..at + value.len();
    }
    let kind = kind_name(kind);
    Error::Type { line, column: cells.names[column].clone(), kind, value: value.to_owned(), declared }
}

fn kind_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Boolean => "boolean",
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Text => "text",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
    }
}

fn infer<'a>(values: impl Iterator<Item = &'a str>) -> ColumnType {
    let values: Vec<&str> = values.collect();
    let all = |parses: fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| parses(value));
    if all(|value| boolean(value).is_some()) {
        ColumnType::Boolean
    } else if all(|value| integer(value).is_some()) {
        ColumnType::Integer
    } else if all(|value| float(value).is_some()) {
        ColumnType::Float
    } else if all(|value| date(value).is_some()) {
        ColumnType::Date
    } else if all(|value| timestamp(value).is_some()) {
        ColumnType::Timestamp
    } else {
        ColumnType::Text
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        value if value.eq_ignore_ascii_case("true") => Some(true),
        value if value.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

fn float(text: &str) -> Option<f64> {
    // Rust reads words such as `infinity` as numbers; in a table only `nan` and `inf` are meant so.
    let text = text.trim();
    let word = text.trim_start_matches(['+', '-']);
    let spoken = word.starts_with(|first: char| first.is_ascii_alphabetic());
    if spoken && !["nan", "inf"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return None;
    }
    text.parse().ok()
}

/// Days since 1970-01-01 of an ISO date.
fn date(text: &str) -> Option<i32> {
    let date = chrono::NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

/// Microseconds since 1970-01-01 of an ISO timestamp without zone.
fn timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let moment = formats.iter().find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
    match moment {
        Some(moment) => Some(moment.and_utc().timestamp_micros()),
        None => date(text).map(|days| i64::from(days) * 86_400_000_000),
    }
}

/// Writes a table as CSV: numbers in their shortest form that reads back the same, missing cells empty.
pub fn to_csv(table: &RecordBatch) -> Vec<u8> {
    to_csv_with(table, "")
}

/// Writes a table as CSV with `missing` where a cell has no value.
pub(crate) fn to_csv_with(table: &RecordBatch, missing: &str) -> Vec<u8> {
    let mut text = String::new();
    let schema = table.schema();
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    text.push_str(&names.join(","));
    text.push('\n');
    for row in 0..table.num_rows() {
        for (at, column) in table.columns().iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let cell = cell_text(column.as_ref(), row);
            text.push_str(if column.is_null(row) { missing } else { &cell });
        }
        text.push('\n');
    }
    text.into_bytes()
}

fn cell_text(column: &dyn Array, row: usize) -> String {
    match Value::of_array(column, row).unwrap_or(Value::Null) {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(value) => quoted(&value),
        Value::Date(days) => {
            let date = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(days.into()));
            date.map(|date| date.to_string()).unwrap_or_default()
        }
        Value::Timestamp(micros) => match chrono::DateTime::from_timestamp_micros(micros) {
            Some(moment) => moment.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string(),
            None => String::new(),
        },
    }
}

fn quoted(text: &str) -> String {
    let needs = text.contains([',', '"', '\n', '\r']);
    if needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Says whether an Arrow type is one of those that every table is made of.
pub(crate) fn is_canonical(kind: &DataType) -> bool {
    use arrow_schema::TimeUnit::Microsecond;
    matches!(
        kind,
        DataType::Boolean
            | DataType::Int64
            | DataType::Float64
            | DataType::LargeUtf8
            | DataType::Date32
            | DataType::Timestamp(Microsecond, None)
    )
}
