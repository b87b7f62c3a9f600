//! The dialects of CSV, beside what pandas writes and reads.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_data::{Batches, Error, ReadOptions};
use trainyard_files::{DiskIo, Io};
use trainyard_spec::Quote;

use crate::given::{data_spec, read_bytes, types, values};

/// Gives the options of a project whose `data` section has these lines.
fn said(lines: &str) -> ReadOptions {
    ReadOptions::of(&data_spec(&format!("  source: rows.csv\n  target: y\n{lines}")))
}

fn refused(text: &str, options: &ReadOptions) -> Error {
    read_bytes("rows.csv", text.as_bytes(), options).unwrap_err()
}

/// Writes a table in the dialect, and reads that and each text.
const PANDAS: &str = r##"
import csv, io, random
import pandas as pd
dialect = data["dialect"]
arguments = {"sep": dialect["delimiter"], "decimal": dialect["decimal"]}
if dialect["quote"]:
    arguments["quotechar"] = dialect["quote"]
else:
    arguments["quoting"] = csv.QUOTE_NONE
draw = random.Random(data["seed"])
words = ["a", "b c", "1.5", "2,5", "it's", "say \"so\"", "|", "x\ny", "x\n'", ";", "é", "\"", "''"]
if not dialect["quote"]:
    words = [word for word in words if dialect["delimiter"] not in word and "\n" not in word]
rows = 400
frame = pd.DataFrame({
    "id": range(rows),
    "text": [draw.choice(words) for _ in range(rows)],
    "number": [draw.choice([0.1, -2.5, 1e-7, 1e300, 3.0, None]) for _ in range(rows)],
    "other": [draw.choice(words) + draw.choice(words) for _ in range(rows)],
})
text = frame.to_csv(index=False, **arguments)
if dialect["comment"]:
    # Only where no cell spans lines a line is a row.
    lines = text.split("\n") if not dialect["quote"] else [text]
    between = "\n" + dialect["comment"] + " it's \"so\", ;|\n"
    text = between.join([""] + lines)
    arguments["comment"] = dialect["comment"]
answer = []
for text in [text] + data["texts"]:
    read = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], float_precision="round_trip",
                       low_memory=False, **arguments)
    columns = {}
    for name in read.columns:
        column = read[name]
        kind = "text" if column.dtype == object or str(column.dtype).startswith("str") else str(column.dtype)
        columns[name] = {"kind": kind, "values": [None if pd.isna(value) else value for value in column.tolist()]}
    answer.append({"text": text, "columns": columns})
"##;

fn compare(text: &str, options: &ReadOptions, judged: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    let table = read_bytes("rows.csv", text.as_bytes(), options).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    let judged = judged.as_object().unwrap();
    assert_eq!(table.num_columns(), judged.len(), "{text:?}");
    for (name, judged) in judged {
        let ours = values(&table, name);
        let theirs = judged["values"].as_array().unwrap();
        assert_eq!(ours.len(), theirs.len(), "{name}: {text:?}");
        for (row, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let same = match (ours.as_f64(), theirs.as_f64()) {
                (Some(ours), Some(theirs)) => ours.to_bits() == theirs.to_bits(),
                _ => ours == theirs,
            };
            assert!(same, "{name}, row {row}: {ours} is {theirs} to pandas: {text:?}");
        }
        let kind = match types(&table)[name].as_str() {
            "Int64" => "int64",
            "Float64" => "float64",
            _ => "text",
        };
        assert_eq!(judged["kind"], kind, "{name}: {text:?}");
    }
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let batches = Batches::open(&io, Path::new(&path), "rows.csv", options).unwrap();
    assert_eq!(batches.schema(), table.schema(), "{text:?}");
    let mut given = Vec::new();
    batches.scan(&mut |batch| given.push(batch.clone())).unwrap();
    assert_eq!(given, [table], "{text:?}");
}

#[test]
fn what_pandas_writes_in_a_dialect_reads_as_pandas_reads_it() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let dialects = [
        (";", "\"", "", ","),
        (";", "'", "", ","),
        (",", "'", "", "."),
        ("\t", "|", "%", ","),
        (";", "'", "#", ","),
        ("|", "", "#", ","),
        (",", "", "", "."),
    ];
    for (seed, (delimiter, quote, comment, decimal)) in dialects.into_iter().enumerate() {
        let mut texts = vec![
            format!("a{delimiter}b\n1{decimal}5{delimiter}x\n-0{decimal}25{delimiter}\n\n"),
            format!("a{delimiter}b\r\n3{delimiter}1{decimal}5e3\r\n-2{delimiter}{decimal}5\r\n"),
        ];
        if decimal == "," {
            // A point is no decimal comma, and a code is no number.
            texts.push(format!("a{delimiter}b\n1.5{delimiter}1,5\n2{delimiter}1.234,5\n"));
        }
        if !quote.is_empty() {
            texts.push(format!("a{delimiter}b\n{quote}1{decimal}5{quote}{delimiter}{quote}x{quote}{quote}{quote}\n"));
            texts.push(format!("a{delimiter}b\n1{delimiter}{quote}x\r\n{comment}y\n{quote}\n"));
        }
        if !comment.is_empty() {
            texts.push(format!("{comment}a\na{delimiter}b\n{comment}{quote}\n1{delimiter}2\n{comment}"));
        }
        let quoted = if quote.is_empty() { "none" } else { quote };
        let mut lines = format!("  delimiter: {}\n  quote: {}\n", json!(delimiter), json!(quoted));
        lines.push_str(&format!("  decimal: {}\n", json!(decimal)));
        if !comment.is_empty() {
            lines.push_str(&format!("  comment: {}\n", json!(comment)));
        }
        let dialect = json!({ "delimiter": delimiter, "quote": quote, "comment": comment, "decimal": decimal });
        let answer = judge.run(PANDAS, &json!({ "dialect": dialect, "texts": texts, "seed": seed }));
        for judged in answer.as_array().unwrap() {
            compare(judged["text"].as_str().unwrap(), &said(&lines), &judged["columns"]);
        }
    }
}

#[test]
fn lines_are_counted_with_the_comments_between_them() {
    let options = said("  comment: \"#\"\n  types: {a: integer}\n");
    let text = "# one\n#\na,b\n# \"\n1,\"x\n# no comment\"\n# two\n\n# three\noops,y\n";
    let Error::Type { line, value, .. } = refused(text, &options) else { panic!("it has a value of another type") };
    assert_eq!((line.number, line.text.as_str(), line.span, value.as_str()), (10, "oops,y", 0..4, "oops"));
    let Error::Ragged { line, got, .. } = refused("#\na,b\n1,2\n# a\n# b\n3\n", &options) else {
        panic!("it is ragged")
    };
    assert_eq!((line.number, line.text.as_str(), got), (6, "3", 1));
    let open = refused("#\na,b\n#\n1,\"2\n# a\n3,4\n", &options);
    let Error::UnclosedQuote { line } = open else { panic!("a quote is open: {open:?}") };
    assert_eq!((line.number, line.text.as_str()), (4, "1,\"2"));
    let Error::DuplicateColumn { line: Some(line), .. } = refused("# x\n\n#\nb,b\n1,2\n", &options) else {
        panic!("b, b")
    };
    assert_eq!((line.number, line.span), (4, 2..3));
    assert!(matches!(refused("# a,b\n", &options), Error::Empty { .. }));
    assert!(matches!(refused("# x\na,b\n#1,2\n", &options), Error::HeaderOnly { .. }));
}

#[test]
fn a_quote_in_a_comment_behind_the_last_row_opens_nothing() {
    let options = said("  comment: \"#\"\n");
    let table = read_bytes("rows.csv", b"a,b\n1,\"x\ny\"\n# it is 5\" long\n", &options).unwrap();
    assert_eq!(values(&table, "b"), ["x\ny"]);
}

#[test]
fn a_mark_that_does_not_quote_is_a_part_of_its_cell() {
    let text = "a,b\n\"x,'y\n";
    let none = ReadOptions { quote: Some(Quote::None), ..ReadOptions::default() };
    assert_eq!(values(&read_bytes("rows.csv", text.as_bytes(), &none).unwrap(), "a"), ["\"x"]);
    let other = ReadOptions { quote: Some(Quote::Mark('\'')), ..ReadOptions::default() };
    let Error::UnclosedQuote { line } = refused("a,b\n\"x,'y\nz\n", &other) else { panic!("a quote is open") };
    assert_eq!(line.number, 2);
    // With the usual quote the whole rest is one cell.
    assert!(matches!(refused(text, &ReadOptions::default()), Error::UnclosedQuote { .. } | Error::Ragged { .. }));
}

#[test]
fn a_comma_before_the_fraction_widens_whole_numbers_and_breaks_a_type() {
    let options = said("  delimiter: \";\"\n  decimal: \",\"\n");
    let rows: String = (0..1500).map(|row| format!("{row};1,5\n")).collect();
    let table = read_bytes("rows.csv", format!("a;b\n{rows}0,5;2\n").as_bytes(), &options).unwrap();
    assert_eq!(types(&table).into_values().collect::<Vec<_>>(), ["Float64", "Float64"]);
    assert_eq!(values(&table, "a")[1500], json!(0.5));
    let Error::Type { line, column, kind, value, .. } = refused(&format!("a;b\n{rows}1;1.5\n"), &options) else {
        panic!("a point is no comma")
    };
    assert_eq!((line.number, column.as_str(), kind, value.as_str()), (1502, "b", "float", "1.5"));
}
