//! Rows of values as a table for a terminal, CSV, JSON, JSON lines and Parquet.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Map, Value, json};
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{DiskIo, write_atomic};
use trainyard_tracking::{Answer, Cell};

use crate::arguments::Output;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{Side, clean, counted, cut, table};

/// The widest that a text may stand in a table, so that a row stays one to the eye. Every other form holds it whole.
const WIDEST: usize = 60;

/// As what rows are written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    JsonLines,
    Parquet,
}

/// Finds the form of a file by its ending, and refuses one that cannot be written, before any work is done.
fn form(path: &Path) -> Result<Form, Stop> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let form = match ending.as_str() {
        "csv" => Form::Csv,
        "json" => Form::Json,
        "jsonl" | "ndjson" => Form::JsonLines,
        "parquet" => Form::Parquet,
        _ => {
            let title = format!("the ending of {} names no format", path.display());
            let diagnostic = Diagnostic::error("command-line/unknown-format", title).with_fault(Fault::CommandLine);
            return Err(vec![diagnostic.help("end it in .csv, .json, .jsonl or .parquet")].into());
        }
    };
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let title = format!("there is no folder {} to write the rows to", folder.display());
            let diagnostic = Diagnostic::error("output/no-folder", title);
            Err(vec![diagnostic.help("make it, or name another with --output")].into())
        }
        _ => Ok(form),
    }
}

/// Refuses what cannot be written, before any work is done.
pub(crate) fn check(output: &Output) -> Result<(), Stop> {
    output.output.as_deref().map_or(Ok(()), |path| form(path).map(drop))
}

/// Writes rows as it was asked for; gives back false where a table or the one document is wanted, which is another's.
pub(crate) fn written(answer: &Answer, output: &Output, printer: Printer) -> Result<bool, Stop> {
    if output.csv && !printer.json {
        printer.write_out(csv(answer).as_bytes())?;
        return Ok(true);
    }
    let Some(path) = &output.output else { return Ok(false) };
    let bytes = match form(path)? {
        Form::Csv => csv(answer).into_bytes(),
        Form::Json => format!("{}\n", document(answer)["rows"]).into_bytes(),
        Form::JsonLines => records(answer).map(|record| format!("{record}\n")).collect::<String>().into_bytes(),
        Form::Parquet => trainyard_data::to_parquet(&batch(answer)?).map_err(|error| Stop::from(error.diagnostic()))?,
    };
    write_atomic(&DiskIo, path, &bytes)?;
    let (file, rows) = (path.display().to_string(), answer.rows.len());
    printer.result(
        || json!({"output": file, "rows": rows}),
        |_| format!("{}: {}\n", clean(&file), counted(rows, "row")),
    )?;
    Ok(true)
}

/// Gives the columns' names, each of its own: one that came before gets a number.
fn names(answer: &Answer) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(answer.columns.len());
    for column in &answer.columns {
        let numbered = (2..).map(|number| format!("{column}_{number}"));
        let name = std::iter::once(column.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = name.unwrap_or_else(|| column.clone());
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

/// Writes a number with all its digits; what JSON and SQL have no word for, as Python's and Rust's readers take it.
fn real(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    json!(value).to_string()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) => json!(value),
        Cell::Real(value) if value.is_finite() => json!(value),
        Cell::Real(value) => json!(real(*value)),
        Cell::Text(text) => json!(text),
        Cell::Bytes(bytes) => json!(hexadecimal(bytes)),
    }
}

/// Writes a cell as a text; nothing for nothing.
fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Integer(value) => Some(value.to_string()),
        Cell::Real(value) => Some(real(*value)),
        Cell::Text(text) => Some(text.clone()),
        Cell::Bytes(bytes) => Some(hexadecimal(bytes)),
    }
}

fn records(answer: &Answer) -> impl Iterator<Item = Value> {
    let names = names(answer);
    answer.rows.iter().map(move |row| {
        let cells = names.iter().cloned().zip(row.iter().map(value));
        Value::Object(cells.collect::<Map<_, _>>())
    })
}

/// Gives rows as a document.
pub(crate) fn document(answer: &Answer) -> Value {
    json!({"columns": names(answer), "rows": records(answer).collect::<Vec<_>>()})
}

/// Gives rows as CSV (RFC 4180): a text that is empty stands between quotes, what has no value between none.
pub(crate) fn csv(answer: &Answer) -> String {
    let quoted = |text: &str| {
        let plain = !text.is_empty() && !text.contains(['"', ',', '\n', '\r']) && text.trim() == text;
        if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut csv = line(names(answer).iter().map(|name| quoted(name)).collect());
    for row in &answer.rows {
        let cells = row.iter().map(|cell| text(cell).map_or_else(String::new, |text| quoted(&text)));
        csv.push_str(&line(cells.collect()));
    }
    csv
}

/// Draws rows for a terminal; numbers lean to the right, long texts are cut.
pub(crate) fn drawn(answer: &Answer) -> String {
    let is_number = |cell: &Cell| matches!(cell, Cell::Null | Cell::Integer(_) | Cell::Real(_));
    let sides: Vec<Side> = (0..answer.columns.len())
        .map(|column| match answer.rows.iter().all(|row| row.get(column).is_some_and(is_number)) {
            true => Side::Right,
            false => Side::Left,
        })
        .collect();
    let mut lines = vec![answer.columns.clone()];
    for row in &answer.rows {
        let shown = |cell: &Cell| text(cell).map_or_else(|| "–".to_owned(), |text| cut(&clean(&text), WIDEST));
        lines.push(row.iter().map(shown).collect());
    }
    format!("{}\n{}\n", table(&sides, &lines), counted(answer.rows.len(), "row"))
}

/// Gives rows as a table: a column of whole numbers, of numbers, of bytes, or else of texts.
fn batch(answer: &Answer) -> Result<RecordBatch, Stop> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (column, name) in names(answer).into_iter().enumerate() {
        let cells = || answer.rows.iter().filter_map(move |row| row.get(column));
        let all = |fits: fn(&Cell) -> bool| {
            let mut given = cells().filter(|cell| **cell != Cell::Null).peekable();
            given.peek().is_some() && given.all(fits)
        };
        let made: ArrayRef = if all(|cell| matches!(cell, Cell::Integer(_))) {
            let whole = |cell: &Cell| if let Cell::Integer(value) = cell { Some(*value) } else { None };
            Arc::new(cells().map(whole).collect::<Int64Array>())
        } else if all(|cell| matches!(cell, Cell::Integer(_) | Cell::Real(_))) {
            let number = |cell: &Cell| match cell {
                Cell::Integer(value) => Some(*value as f64),
                Cell::Real(value) => Some(*value),
                _ => None,
            };
            Arc::new(cells().map(number).collect::<Float64Array>())
        } else if all(|cell| matches!(cell, Cell::Bytes(_))) {
            let bytes = |cell: &'_ Cell| if let Cell::Bytes(bytes) = cell { Some(bytes.clone()) } else { None };
            Arc::new(cells().map(bytes).collect::<BinaryArray>())
        } else {
            Arc::new(cells().map(text).collect::<LargeStringArray>())
        };
        let kind: DataType = made.data_type().clone();
        fields.push(Field::new(name, kind, true));
        columns.push(made);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Diagnostic::error("output/parquet", format!("the rows cannot be written: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::{Answer, Cell, csv, document, drawn};

    fn odd() -> Answer {
        let columns = ["a", "a", "b"].map(str::to_owned).to_vec();
        let text = |text: &str| Cell::Text(text.to_owned());
        let rows = vec![
            vec![Cell::Integer(1), text("x,\"y\"\nz"), Cell::Real(f64::INFINITY)],
            vec![Cell::Null, text(""), Cell::Real(0.1)],
            vec![Cell::Real(2.0), text("日本"), Cell::Bytes(vec![1, 255])],
        ];
        Answer { columns, rows }
    }

    #[test]
    fn csv_tells_nothing_from_an_empty_text() {
        assert_eq!(csv(&odd()), "a,a_2,b\n1,\"x,\"\"y\"\"\nz\",Infinity\n,\"\",0.1\n2.0,日本,01ff\n");
    }

    #[test]
    fn a_document_has_each_column_once() {
        let document = document(&odd());
        assert_eq!(document["columns"], serde_json::json!(["a", "a_2", "b"]));
        assert_eq!(document["rows"][0], serde_json::json!({"a": 1, "a_2": "x,\"y\"\nz", "b": "Infinity"}));
        assert_eq!(document["rows"][1]["a"], serde_json::Value::Null);
    }

    #[test]
    fn long_texts_are_cut_on_a_terminal_alone() {
        let long = "é".repeat(100);
        let answer = Answer { columns: vec!["t".to_owned()], rows: vec![vec![Cell::Text(long.clone())]] };
        assert!(drawn(&answer).contains(&format!("{}…", "é".repeat(59))), "{}", drawn(&answer));
        assert!(csv(&answer).contains(&long));
    }
}
