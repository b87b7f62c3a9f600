//! Tables of text.
//!
//! The first line of an input says how the rest is read: words of `tsv`, `delimiter=C`, `quote=C`, `comment=C`,
//! `decimal=C`, `missing=TEXT`, `drop=COLUMN` and `COLUMN=TYPE`.

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::{Error, ReadOptions, read, rows, to_csv};
use trainyard_expression::Type;
use trainyard_spec::{ColumnType, Quote};

use crate::memory::Memory;
use crate::places;

/// Checks one file.
pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let words = String::from_utf8_lossy(&input[..end]).into_owned();
    let bytes = input.get(end + 1..).unwrap_or_default();
    let name = if words.split(' ').any(|word| word == "tsv") { "rows.tsv" } else { "rows.csv" };
    match read_as(name, bytes, &options(&words)) {
        Ok(table) => {
            assert!(table.num_rows() > 0, "a table without rows");
            assert!(table.schema().fields().iter().all(|field| Type::of_arrow(field.data_type()).is_some()));
            assert_eq!(rows::digests(&table, None).len(), table.num_rows());
            comes_back(&table);
        }
        Err(error) => places::check_all([&error.diagnostic()]),
    }
}

fn read_as(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<RecordBatch, Error> {
    read(&Memory::with(name, bytes), Path::new(name), name, options)
}

fn options(words: &str) -> ReadOptions {
    let mut options = ReadOptions::default();
    for (key, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
        match key {
            // What a project may say: one character of ASCII that is no quote and no line end.
            "delimiter" => {
                let delimiter = value.bytes().next().filter(|byte| byte.is_ascii());
                options.delimiter = delimiter.filter(|byte| !matches!(byte, b'"' | b'\n' | b'\r' | b'\0'));
            }
            "quote" if value == "none" => options.quote = Some(Quote::None),
            "quote" => {
                let mark = value.chars().next().filter(char::is_ascii_punctuation);
                options.quote = mark.map(Quote::Mark);
            }
            "comment" => {
                let comment = value.bytes().next().filter(|byte| byte.is_ascii());
                options.comment = comment.filter(|byte| !matches!(byte, b'"' | b'\n' | b'\r' | b'\0'));
            }
            "decimal" => options.decimal_comma = value == ",",
            "missing" => options.missing.push(value.to_owned()),
            "drop" => options.drop.push(value.to_owned()),
            column => {
                let kind = match value {
                    "boolean" => ColumnType::Boolean,
                    "integer" => ColumnType::Integer,
                    "float" => ColumnType::Float,
                    "text" => ColumnType::Text,
                    "date" => ColumnType::Date,
                    "timestamp" => ColumnType::Timestamp,
                    _ => continue,
                };
                options.types.insert(column.to_owned(), kind);
            }
        }
    }
    // A project gives each its own character.
    let quote = match options.quote {
        None => Some(b'"'),
        Some(Quote::Mark(mark)) => u8::try_from(mark).ok(),
        Some(Quote::None) => None,
    };
    let delimiter = options.delimiter.or(Some(if words.contains("tsv") { b'\t' } else { b',' }));
    if options.comment.is_some() && (options.comment == quote || options.comment == delimiter) {
        options.comment = None;
    }
    if quote == delimiter {
        options.quote = None;
    }
    options
}

/// Checks that a table that is written is read as the same one, given its types.
fn comes_back(table: &RecordBatch) {
    let Some(first) = table.schema().fields().first().map(|field| field.name().clone()) else { return };
    if first.starts_with('\u{feff}') {
        // At the beginning of a file it is the mark of UTF-8, behind a blank line a part of the name.
        return;
    }
    let kind = |field: &arrow_schema::FieldRef| match Type::of_arrow(field.data_type()) {
        Some(Type::Boolean) => ColumnType::Boolean,
        Some(Type::Integer) => ColumnType::Integer,
        Some(Type::Float) => ColumnType::Float,
        Some(Type::Date) => ColumnType::Date,
        Some(Type::Timestamp) => ColumnType::Timestamp,
        Some(Type::Text) | None => ColumnType::Text,
    };
    let types = table.schema().fields().iter().map(|field| (field.name().clone(), kind(field))).collect();
    let text = to_csv(table);
    match read_as("written.csv", &text, &ReadOptions { types, ..ReadOptions::default() }) {
        Ok(read) => {
            assert_eq!(read.schema(), table.schema());
            assert_eq!(to_csv(&read), text, "{}", String::from_utf8_lossy(&text));
        }
        // A name such as `a;b` of an only column is taken for two names.
        Err(Error::Delimiter { .. }) if table.num_columns() == 1 => {}
        Err(error) => panic!("{error:?}: {}", String::from_utf8_lossy(&text)),
    }
}
