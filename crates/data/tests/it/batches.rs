//! Files as batches: the same table as in one piece, types of all values, messages of large files.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt64Array};
use trainyard_data::{Batches, Declared, Error, ReadOptions, Stray, read_csv_bytes, to_csv, to_parquet};
use trainyard_files::{DiskIo, Io};
use trainyard_judges::peak_memory;
use trainyard_spec::ColumnType;

use crate::given::{csv, types, values};

/// What came of a file: its batches, and the columns whose first values deceive.
type Streamed = Result<(Vec<RecordBatch>, Vec<Stray>), Error>;

fn streamed_from(path: &Path, options: &ReadOptions) -> Streamed {
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let shown = path.file_name().unwrap().to_string_lossy().into_owned();
    let batches = Batches::open(&io, path, &shown, options)?;
    let mut all = Vec::new();
    batches.scan(&mut |batch| {
        assert_eq!(batch.schema(), batches.schema());
        all.push(batch.clone());
    })?;
    Ok((all, batches.strays().to_vec()))
}

fn streamed_with(name: &str, bytes: &[u8], options: &ReadOptions) -> Streamed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    streamed_from(&path, options)
}

fn streamed(name: &str, bytes: &[u8]) -> Streamed {
    streamed_with(name, bytes, &ReadOptions::default())
}

/// The text of all batches as one CSV file.
fn joined(batches: &[RecordBatch]) -> String {
    let of = |(at, batch): (usize, &RecordBatch)| {
        let text = String::from_utf8(to_csv(batch)).unwrap();
        if at == 0 { text } else { text.split_once('\n').unwrap().1.to_owned() }
    };
    batches.iter().enumerate().map(of).collect()
}

/// Some megabytes of every type, with gaps, line ends in cells and whole numbers that become floats.
fn mixed(rows: usize) -> String {
    let row = |at: usize| {
        let late = if at > 2000 { format!("{at}.5") } else { at.to_string() };
        format!(
            "{at},{late},{}\"Zoë, {at}\nof \"\"Łódź\"\"\",{},2024-02-{:02},-0\n",
            if at.is_multiple_of(3) { "," } else { "1," },
            at.is_multiple_of(2),
            at % 28 + 1
        )
    };
    format!("\u{feff}id,late,gap,name,flag,day,zero\n{}", (0..rows).map(row).collect::<String>())
}

#[test]
fn batches_hold_the_table_that_is_read_in_one_piece() {
    for text in [mixed(60_000), mixed(1), "a\n1\n\n2\n".to_owned(), "a,b\n,\n,x\n".to_owned()] {
        let whole = csv(&text);
        let (batches, strays) = streamed("rows.csv", text.as_bytes()).unwrap();
        assert_eq!(types(&batches[0]), types(&whole));
        assert!(joined(&batches).as_bytes() == to_csv(&whole), "{} batches", batches.len());
        assert_eq!(strays, []);
        let bytes = to_parquet(&whole).unwrap();
        let (batches, _) = streamed("rows.parquet", &bytes).unwrap();
        assert!(joined(&batches).as_bytes() == to_csv(&whole));
        assert_eq!(types(&batches[0]), types(&whole));
    }
    assert!(streamed("rows.csv", mixed(60_000).as_bytes()).unwrap().0.len() > 2);
}

#[test]
fn a_column_has_the_type_of_all_its_values_and_says_where_the_first_ones_deceived() {
    let rows: String = (0..1500)
        .map(|row| match row {
            1200 => "\"1,200\",2024-01-01 10:00,true,0.5,x\n".to_owned(),
            1300 => "n/a,2024-01-02,yes,0.25,7\n".to_owned(),
            _ => format!("{row},2024-01-0{},false,{row},\n", row % 9 + 1),
        })
        .collect();
    let (batches, strays) = streamed("rows.csv", format!("n,day,flag,half,rest\n{rows}").as_bytes()).unwrap();
    let found: Vec<String> = types(&batches[0]).into_iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let expected = ["day Timestamp(µs)", "flag LargeUtf8", "half Float64", "n LargeUtf8", "rest LargeUtf8"];
    assert_eq!(found, expected);
    let stray = |column: &str, first, all, count, row, value: &str| Stray {
        column: column.to_owned(),
        first,
        all,
        count,
        row,
        value: value.to_owned(),
    };
    let expected = [
        stray("n", ColumnType::Integer, ColumnType::Text, 2, 1201, "1,200"),
        stray("day", ColumnType::Date, ColumnType::Timestamp, 1, 1201, "2024-01-01 10:00"),
        stray("flag", ColumnType::Boolean, ColumnType::Text, 1, 1301, "yes"),
    ];
    assert_eq!(strays, expected);
}

#[test]
fn what_is_declared_dropped_or_missing_holds() {
    let options = ReadOptions {
        types: [("code".to_owned(), ColumnType::Text)].into(),
        missing: vec!["?".to_owned()],
        drop: vec!["left".to_owned()],
        ..ReadOptions::default()
    };
    let text = "code,left,n\n007,x,1\n8,y,?\n";
    let bytes = to_parquet(&csv("code,left,n\n7,x,1\n8,y,\n")).unwrap();
    for (name, bytes, first) in [("rows.csv", text.as_bytes(), "007"), ("rows.parquet", &bytes, "7")] {
        let (batches, _) = streamed_with(name, bytes, &options).unwrap();
        assert_eq!(batches[0].num_columns(), 2);
        assert_eq!(values(&batches[0], "code"), [first, "8"]);
        assert_eq!(values(&batches[0], "n"), [1.into(), serde_json::Value::Null]);
        let absent = ReadOptions { drop: vec!["gone".to_owned()], ..ReadOptions::default() };
        assert!(matches!(streamed_with(name, bytes, &absent), Err(Error::NoColumn { .. })));
    }
    let wrong = ReadOptions { types: [("n".to_owned(), ColumnType::Integer)].into(), ..ReadOptions::default() };
    let Err(Error::Type { line, value, .. }) = streamed_with("rows.csv", text.as_bytes(), &wrong) else {
        panic!("a question mark is no number")
    };
    assert_eq!((line.number, value.as_str()), (3, "?"));
}

#[test]
fn an_unsigned_column_has_one_type_in_all_batches() {
    let write = |last: u64| {
        let numbers: UInt64Array = (0..20_000).map(|row| if row == 19_999 { last } else { row }).collect();
        let table = RecordBatch::try_from_iter([("n", Arc::new(numbers) as arrow_array::ArrayRef)]).unwrap();
        streamed("rows.parquet", &to_parquet(&table).unwrap()).unwrap().0
    };
    let (small, large) = (write(7), write(u64::MAX));
    assert_eq!(types(&small[0])["n"], "Int64");
    assert!(large.len() > 1 && large.iter().all(|batch| types(batch)["n"] == "Float64"));
    assert_eq!(values(&large[0], "n")[3], 3.0);
}

#[test]
fn small_files_are_refused_as_in_one_piece() {
    let cases: [&[u8]; 9] = [
        b"",
        b"a,b\n",
        b"a,b\n1,2\n1\n",
        b"a,a\n1,2\n",
        b"a,\n1,2\n",
        b"a;b\n1;2\n",
        b"a,b\n1,\xff\n",
        b"a,b\n1,\"2\n3,4\n",
        b"\xff\xfea\0,\0b\0\n\0",
    ];
    for bytes in cases {
        let whole = read_csv_bytes(bytes, "rows.csv", &ReadOptions::default()).unwrap_err();
        assert_eq!(streamed("rows.csv", bytes).unwrap_err(), whole, "{:?}", String::from_utf8_lossy(bytes));
    }
    assert!(matches!(streamed("rows.parquet", b"PAR1"), Err(Error::Parquet { .. })));
    assert!(matches!(streamed("rows.xlsx", b"x"), Err(Error::UnknownFormat { .. })));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), "a\n1\n").unwrap();
    let absent = streamed_from(&folder.path().join("row.csv"), &ReadOptions::default()).unwrap_err();
    assert_eq!(absent, Error::Missing { file: "row.csv".into(), near: Some("rows.csv".into()) });
    assert!(matches!(streamed_from(folder.path(), &ReadOptions::default()), Err(Error::Folder { .. })));
}

#[test]
fn a_damaged_parquet_file_is_an_error_not_a_panic() {
    let bytes = to_parquet(&csv(&mixed(50))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, &damaged).unwrap();
        refused += usize::from(streamed_from(&path, &ReadOptions::default()).is_err());
        std::fs::write(&path, &bytes[..at]).unwrap();
        assert!(streamed_from(&path, &ReadOptions::default()).is_err(), "cut at {at}");
    }
    assert!(refused > 0);
}

/// What is wrong with a large file, its message, and the most MiB that finding it may take.
#[test]
fn large_files_are_read_and_refused_in_little_memory() {
    type Ending = (&'static str, &'static [u8], Option<Error>);
    let line = |text: &str, span: std::ops::Range<usize>| trainyard_data::Line {
        file: "rows.csv".into(),
        number: 9_000_002,
        text: text.into(),
        span,
    };
    // 9,000,000 rows of nine bytes.
    let endings: [Ending; 4] = [
        ("read", b"1,2\n", None),
        (
            "a byte",
            b"1,\xff\n",
            Some(Error::Encoding { file: "rows.csv".into(), line: 9_000_002, byte: 81_000_007, utf16: false }),
        ),
        ("a short row", b"1\n2,3\n", Some(Error::Ragged { line: line("1", 0..1), expected: 2, got: 1 })),
        ("an open quote", b"1,\"2\n3,4\n", Some(Error::UnclosedQuote { line: line("1,\"2", 0..4) })),
    ];
    for (name, ending, wrong) in endings {
        let peak = peak_memory("batches::large_files_are_read_and_refused_in_little_memory", name, || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("rows.csv");
            let rows = "1234,567\n".repeat(1000);
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
            use std::io::Write;
            file.write_all(b"a,b\n").unwrap();
            (0..9000).for_each(|_| file.write_all(rows.as_bytes()).unwrap());
            file.write_all(ending).unwrap();
            file.flush().unwrap();
            let io: Arc<dyn Io> = Arc::new(DiskIo);
            let mut read = 0;
            let done = Batches::open(&io, &path, "rows.csv", &ReadOptions::default())
                .and_then(|batches| batches.scan(&mut |batch| read += batch.num_rows()));
            assert_eq!(done.err(), wrong);
            assert!(wrong.is_some() || read == 9_000_001, "{read}");
        });
        assert!(peak < 160 << 20, "{name}: {peak} bytes");
    }
}

#[test]
fn a_value_of_a_wrong_type_deep_in_a_large_file_is_shown_with_its_line() {
    let mut text = String::from("a,b\n");
    (0..9000).for_each(|_| text.push_str(&"1234,567\n".repeat(1000)));
    text.push_str("12,\"x, y\"\n");
    let options = ReadOptions { types: [("b".to_owned(), ColumnType::Integer)].into(), ..ReadOptions::default() };
    let Err(Error::Type { line, column, value, kind, declared }) = streamed_with("rows.csv", text.as_bytes(), &options)
    else {
        panic!("the last value is no number")
    };
    assert_eq!((line.number, &line.text[line.span.clone()]), (9_000_002, "\"x, y\""));
    assert_eq!((column.as_str(), value.as_str(), kind, declared), ("b", "x, y", "integer", Declared::Spec));
    let header = text.replacen("a,b", "a,a", 1);
    assert!(matches!(streamed("rows.csv", header.as_bytes()), Err(Error::DuplicateColumn { .. })));
}

#[test]
fn a_field_that_is_too_long_is_refused_before_it_is_held() {
    let peak = peak_memory("batches::a_field_that_is_too_long_is_refused_before_it_is_held", "200 MiB", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut file = std::fs::File::create(&path).unwrap();
        use std::io::Write;
        file.write_all(b"a,b\n1,").unwrap();
        let part = vec![b'x'; 1 << 20];
        (0..200).for_each(|_| file.write_all(&part).unwrap());
        let error = streamed_from(&path, &ReadOptions::default()).unwrap_err();
        assert_eq!(error, Error::LongRow { file: "rows.csv".into(), line: 2, most: 64 << 20 });
    });
    assert!(peak < 320 << 20, "{peak} bytes");
}

#[test]
fn several_files_are_streamed_as_the_table_that_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("part-1.csv", b"id,x,day,note\na,1,2024-01-01,\nb,2,2024-01-02,\n");
    write("part-2.csv", b"x,id,day,note\n1.5,c,2024-01-01 10:00,\n");
    write("part-3.jsonl", b"{\"id\": \"d\", \"x\": null, \"day\": null, \"note\": true}\n");
    write("part-4.parquet", &to_parquet(&csv("id,x,day,note\ne,7,,\n")).unwrap());
    let path = folder.path().join("part-*");
    let whole = trainyard_data::read(&DiskIo, &path, "part-*", &ReadOptions::default()).unwrap();
    let (batches, _) = streamed_from(&path, &ReadOptions::default()).unwrap();
    assert_eq!(batches.len(), 4);
    assert_eq!(arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap(), whole);
    write("part-5.csv", b"id,y\nf,1\n");
    let refused = |options: &ReadOptions| streamed_from(&path, options).unwrap_err();
    let error = trainyard_data::read(&DiskIo, &path, "part-*", &ReadOptions::default()).unwrap_err();
    assert_eq!(refused(&ReadOptions::default()), error);
    write("part-5.csv", b"id,x,day,note\nf,many,,\n");
    let error = trainyard_data::read(&DiskIo, &path, "part-*", &ReadOptions::default()).unwrap_err();
    assert_eq!(refused(&ReadOptions::default()), error);
    // What strays in a later file is counted from the first row of all.
    let ones = format!("id,x,day,note\n{}1,z,,\n", "1,1,,\n".repeat(1000));
    write("late-1.csv", b"id,x,day,note\n1,1,,\n");
    write("late-2.csv", ones.as_bytes());
    let (_, strays) = streamed_from(&folder.path().join("late-2.csv"), &ReadOptions::default()).unwrap();
    assert_eq!((strays[0].row, strays[0].value.as_str()), (1001, "z"));
    write("late-1.csv", ones.as_bytes());
    let (_, strays) = streamed_from(&folder.path().join("late-*.csv"), &ReadOptions::default()).unwrap();
    assert_eq!((strays.len(), strays[0].row, strays[0].count, strays[0].all), (1, 1001, 2, ColumnType::Text));
}

#[test]
fn lines_and_record_batches_are_held_a_few_at_a_time() {
    let rows = 3_000_000;
    for name in ["rows.jsonl", "rows.arrow", "part-*.csv"] {
        let peak = peak_memory("batches::lines_and_record_batches_are_held_a_few_at_a_time", name, || {
            use std::io::Write;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            if name == "rows.jsonl" {
                let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
                (0..rows).for_each(|row| {
                    writeln!(file, "{{\"id\": {row}, \"note\": \"some words of row {row}\"}}").unwrap()
                });
                file.flush().unwrap();
            } else if name == "rows.arrow" {
                let part = csv(&format!("id,note\n{}", "1234567,some words of a row\n".repeat(10_000)));
                let file = std::fs::File::create(&path).unwrap();
                let mut file = arrow_ipc::writer::FileWriter::try_new(file, &part.schema()).unwrap();
                (0..rows / 10_000).for_each(|_| file.write(&part).unwrap());
                file.finish().unwrap();
            } else {
                let text = format!("id,note\n{}", "1234567,some words of a row\n".repeat(rows / 10));
                (0..10).for_each(|part| std::fs::write(folder.path().join(format!("part-{part}.csv")), &text).unwrap());
            }
            let io: Arc<dyn Io> = Arc::new(DiskIo);
            let batches = Batches::open(&io, &path, "rows", &ReadOptions::default()).unwrap();
            let mut read = 0;
            batches.scan(&mut |batch| read += batch.num_rows()).unwrap();
            assert_eq!(read, rows);
        });
        // As one table they are some 150 MiB, and while it grows more.
        assert!(peak < 110 << 20, "{name}: {peak} bytes");
    }
}
