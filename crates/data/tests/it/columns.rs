//! Files of which only some columns are wanted: those are as in the whole table, the others are not decoded.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use trainyard_data::{Batches, Error, ReadOptions, read, to_csv, to_parquet};
use trainyard_files::{DiskIo, Io};
use trainyard_spec::ColumnType;

use crate::given::{csv, read_bytes, types, values};

fn wanted(columns: &[&str]) -> ReadOptions {
    let columns: BTreeSet<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    ReadOptions { columns: Some(columns), ..ReadOptions::default() }
}

/// The files that hold this table, one of each form.
fn forms(table: &RecordBatch) -> Vec<(&'static str, Vec<u8>)> {
    let mut file = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    let mut stream = StreamWriter::try_new(Vec::new(), &table.schema()).unwrap();
    for start in (0..table.num_rows()).step_by(700) {
        let part = table.slice(start, 700.min(table.num_rows() - start));
        file.write(&part).unwrap();
        stream.write(&part).unwrap();
    }
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns: Vec<Vec<serde_json::Value>> = names.iter().map(|name| values(table, name)).collect();
    let line = |row: usize| {
        let cells = names.iter().zip(&columns).map(|(name, column)| format!("\"{name}\": {}", column[row]));
        format!("{{{}}}\n", cells.collect::<Vec<_>>().join(", "))
    };
    vec![
        ("rows.csv", to_csv(table)),
        ("rows.parquet", to_parquet(table).unwrap()),
        ("rows.arrow", file.into_inner().unwrap()),
        ("rows.ipc", stream.into_inner().unwrap()),
        ("rows.jsonl", (0..table.num_rows()).map(line).collect::<String>().into_bytes()),
    ]
}

fn streamed(path: &Path, options: &ReadOptions) -> RecordBatch {
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let batches = Batches::open(&io, path, "rows", options).unwrap();
    let mut all = Vec::new();
    batches.scan(&mut |batch| all.push(batch.clone())).unwrap();
    arrow_select::concat::concat_batches(&batches.schema(), &all).unwrap()
}

#[test]
fn the_columns_that_are_wanted_are_those_of_the_whole_table() {
    let row = |row: usize| {
        let gap = if row.is_multiple_of(3) { String::new() } else { format!("{row}.5") };
        format!("{row},{gap},\"Zoë, {}\",2024-02-{:02},{}\n", row % 7, row % 28 + 1, row.is_multiple_of(2))
    };
    let text = format!("id,x,name,day,flag\n{}", (0..3000).map(row).collect::<String>());
    let table = csv(&text);
    for (name, bytes) in forms(&table) {
        let whole = read_bytes(name, &bytes, &ReadOptions::default()).unwrap();
        assert_eq!(to_csv(&whole), to_csv(&table), "{name}");
        // The order is that of the file, and a name that it does not have changes nothing.
        for columns in [&["day", "x", "gone"][..], &["name"], &["id", "x", "name", "day", "flag"], &["gone"], &[]] {
            let found = read_bytes(name, &bytes, &wanted(columns)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let kept: Vec<usize> =
                (0..5).filter(|at| columns.contains(&whole.schema().field(*at).name().as_str())).collect();
            assert_eq!(found, whole.project(&kept).unwrap(), "{name}: {columns:?}");
            assert_eq!(found.num_rows(), 3000, "{name}: {columns:?}");
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), &bytes).unwrap();
            assert_eq!(streamed(&folder.path().join(name), &wanted(columns)), found, "{name}: {columns:?}");
        }
    }
}

#[test]
fn what_is_dropped_declared_or_in_several_files_goes_together_with_it() {
    let table = csv("id,x,name\n1,0.5,a\n2,1.5,b\n");
    for (name, bytes) in forms(&table) {
        let options = ReadOptions {
            drop: vec!["name".to_owned()],
            types: [("id".to_owned(), ColumnType::Text), ("x".to_owned(), ColumnType::Text)].into(),
            ..wanted(&["id", "name"])
        };
        let found = read_bytes(name, &bytes, &options).unwrap();
        assert_eq!(types(&found), [("id".to_owned(), "LargeUtf8".to_owned())].into(), "{name}");
        assert_eq!(values(&found, "id"), ["1", "2"]);
        // What is said of columns that are not there is told as ever.
        let dropped = ReadOptions { drop: vec!["gone".to_owned()], ..wanted(&["id"]) };
        let Err(Error::NoColumn { columns, .. }) = read_bytes(name, &bytes, &dropped) else { panic!("{name}") };
        assert_eq!(columns, ["id", "x", "name"]);
        let typed = ReadOptions { types: [("gone".to_owned(), ColumnType::Text)].into(), ..wanted(&["id"]) };
        assert!(
            matches!(read_bytes(name, &bytes, &typed), Err(Error::UnknownTyped { columns, .. }) if columns.len() == 3)
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.csv", "id,x\n1,2\n");
    write("b.csv", "x,id\n3,4.5\n");
    let all = |options: &ReadOptions| read(&DiskIo, &folder.path().join("*.csv"), "*.csv", options);
    assert_eq!(values(&all(&wanted(&["id"])).unwrap(), "id"), [1.0, 4.5]);
    assert_eq!(all(&wanted(&[])).unwrap().num_rows(), 2);
    write("c.csv", "id\n7\n");
    assert!(matches!(all(&wanted(&["id"])), Err(Error::OtherColumns { absent, .. }) if absent == ["x"]));
}

#[test]
fn a_value_of_another_column_goes_unseen_but_never_a_broken_row() {
    let ones = "1,2\n".repeat(1500);
    let text = format!("a,b\n{ones}x,2\n");
    assert!(matches!(read_bytes("rows.csv", text.as_bytes(), &wanted(&["a"])), Err(Error::Type { .. })));
    assert_eq!(read_bytes("rows.csv", text.as_bytes(), &wanted(&["b"])).unwrap().num_rows(), 1501);
    for (row, code) in [("1", "data/ragged-row"), ("1,\"2", "data/unclosed-quote"), ("\u{0},1", "data/encoding")] {
        let broken = format!("{text}{row}\n3,4\n");
        let error = read_bytes("rows.csv", broken.as_bytes(), &wanted(&["b"])).unwrap_err();
        let whole = read_bytes("rows.csv", broken.as_bytes(), &ReadOptions::default()).unwrap_err();
        assert_eq!((error.diagnostic().code.as_str(), &error), (code, &whole));
    }
    let lines = "{\"a\": 1, \"b\": [1, {\"c\": 2}]}\n{\"a\": 2, \"b\": 3}\n";
    assert!(matches!(read_bytes("r.jsonl", lines.as_bytes(), &wanted(&["b"])), Err(Error::Nested { .. })));
    assert_eq!(values(&read_bytes("r.jsonl", lines.as_bytes(), &wanted(&["a"])).unwrap(), "a"), [1, 2]);
    let cases = [("{\"a\": 1, \"b\": }", "data/json-line"), ("{\"b\": 1, \"b\": 2}", "data/repeated-key")];
    for (line, code) in cases {
        let text = format!("{lines}{line}\n");
        let error = read_bytes("r.jsonl", text.as_bytes(), &wanted(&["a"])).unwrap_err();
        assert_eq!(error.diagnostic().code, code);
    }
}

#[test]
fn the_pages_of_other_columns_are_not_read() {
    let rows: String = (0..5000).map(|row| format!("{},text {row}\n", row % 9)).collect();
    let table = csv(&format!("n,text\n{rows}"));
    let mut bytes = to_parquet(&table).unwrap();
    // The pages of the texts, which begin with the first of them, are other bytes now.
    let at = bytes.windows(6).position(|part| part == b"text 0").unwrap();
    bytes[at - 8..at + 4000].fill(0xa5);
    assert!(matches!(read_bytes("rows.parquet", &bytes, &ReadOptions::default()), Err(Error::Parquet { .. })));
    let found = read_bytes("rows.parquet", &bytes, &wanted(&["n"])).unwrap();
    assert_eq!(found, table.project(&[0]).unwrap());
}
