//! Packed files, Arrow's own form, and several files that are one table.

use std::io::Write;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_data::{Error, ReadOptions, matching, read, to_csv};
use trainyard_files::DiskIo;

use crate::given::{csv, read_bytes, types, values};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn text(rows: usize) -> String {
    let rows: String = (0..rows).map(|row| format!("{row},\"a{}, {}\",{}.5\n", row % 13, row % 7, row % 5)).collect();
    format!("id,note,x\n{rows}")
}

fn read_as(name: &str, bytes: &[u8]) -> RecordBatch {
    read_bytes(name, bytes, &ReadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn packed_files_are_read_as_their_text() {
    let text = text(5000);
    let plain = csv(&text);
    assert_eq!(read_as("rows.csv.gz", &gzip(text.as_bytes())), plain);
    assert_eq!(read_as("ROWS.CSV.GZ", &gzip(text.as_bytes())), plain);
    assert_eq!(read_as("rows.csv.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap()), plain);
    assert_eq!(
        read_as(
            "rows.tsv.gz",
            &gzip(text.replace(",\"a", "\t\"a").replace("\",", "\"\t").replacen(',', "\t", 2).as_bytes())
        ),
        plain
    );
    // One packed file after another is one text.
    let (head, rest) = text.split_at(text.len() / 2);
    assert_eq!(read_as("two.csv.gz", &[gzip(head.as_bytes()), gzip(rest.as_bytes())].concat()), plain);
    let lines = "{\"a\": 1}\n{\"a\": 2}\n";
    assert_eq!(values(&read_as("rows.jsonl.gz", &gzip(lines.as_bytes())), "a"), [json!(1), json!(2)]);
    // The last cell has a line end, for which the reader goes back in the text.
    let marked = format!("\u{feff}id,note\n{}9,\"two\nlines\"\n", "1,x\n".repeat(100_000));
    assert_eq!(read_as("rows.csv.zst", &zstd::encode_all(marked.as_bytes(), 1).unwrap()), csv(&marked));
}

#[test]
fn what_is_wrong_in_a_packed_file_is_told_as_of_its_text() {
    let refused =
        |name: &str, bytes: &[u8]| read_bytes(name, bytes, &ReadOptions::default()).expect_err("it is refused");
    let whole = gzip(text(5000).as_bytes());
    for damaged in [&whole[..whole.len() / 2], b"id,x\n1,2\n"] {
        let error = refused("rows.csv.gz", damaged);
        assert_eq!(error.diagnostic().code, "data/damaged-archive", "{error}");
    }
    assert_eq!(refused("rows.jsonl.zst", b"{\"a\": 1}\n").diagnostic().code, "data/damaged-archive");
    let ragged = refused("rows.csv.gz", &gzip(b"id,x\n1,2\n3\n"));
    assert!(matches!(&ragged, Error::Ragged { line, .. } if line.number == 3), "{ragged:?}");
    let latin = refused("rows.csv.gz", &gzip(b"id,x\n1,M\xfcller\n"));
    assert_eq!(latin.diagnostic().code, "data/encoding");
    assert_eq!(refused("rows.parquet.gz", &whole).diagnostic().code, "data/unknown-format");
}

#[test]
fn arrow_files_and_streams_of_pyarrow_are_read() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let folder = tempfile::tempdir().unwrap();
    judge.run(
        "import pyarrow, pyarrow.feather, pyarrow.ipc, datetime\n\
         n = 2500\n\
         table = pyarrow.table({\n\
             'i': pyarrow.array([None if row % 9 == 0 else row for row in range(n)], pyarrow.int32()),\n\
             'u': pyarrow.array([row % 256 for row in range(n)], pyarrow.uint8()),\n\
             'x': pyarrow.array([row / 4 for row in range(n)], pyarrow.float32()),\n\
             's': pyarrow.array([None if row % 4 == 0 else f'é{row % 3}' for row in range(n)]),\n\
             'c': pyarrow.array([f'k{row % 5}' for row in range(n)]).dictionary_encode(),\n\
             'ok': pyarrow.array([row % 2 == 0 for row in range(n)]),\n\
             'd': pyarrow.array([datetime.date(2024, 1, 1 + row % 28) for row in range(n)]),\n\
             't': pyarrow.array([datetime.datetime(2024, 1, 1, row % 24, tzinfo=datetime.timezone.utc) for row in range(n)],\n\
                                pyarrow.timestamp('ms', 'Europe/Berlin')),\n\
         })\n\
         pyarrow.feather.write_feather(table, data + '/lz4.feather')\n\
         pyarrow.feather.write_feather(table, data + '/zstd.arrow', compression='zstd', chunksize=700)\n\
         pyarrow.feather.write_feather(table, data + '/plain.ipc', compression='uncompressed')\n\
         with pyarrow.ipc.new_stream(data + '/stream.arrow', table.schema) as stream: stream.write_table(table, max_chunksize=600)\n\
         import pyarrow.parquet\n\
         pyarrow.parquet.write_table(table, data + '/same.parquet')\n\
         pyarrow.feather.write_feather(pyarrow.table({'a': [[1], [2]]}), data + '/nested.feather')\n\
         answer = 1",
        &folder.path().to_str().unwrap().into(),
    );
    let read = |name: &str| read(&DiskIo, &folder.path().join(name), name, &ReadOptions::default());
    let expected = read("same.parquet").unwrap();
    assert_eq!(expected.num_rows(), 2500);
    for name in ["lz4.feather", "zstd.arrow", "plain.ipc", "stream.arrow"] {
        let found = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(to_csv(&found), to_csv(&expected), "{name}");
        assert_eq!(types(&found), types(&expected), "{name}");
    }
    assert_eq!(read("nested.feather").unwrap_err().diagnostic().code, "data/unsupported-type");
    // A file that ends too early, or whose bytes are others, is told to be damaged and breaks nothing.
    let whole = std::fs::read(folder.path().join("lz4.feather")).unwrap();
    for at in (8..whole.len()).step_by(whole.len() / 60) {
        std::fs::write(folder.path().join("cut.feather"), &whole[..at]).unwrap();
        assert_eq!(read("cut.feather").unwrap_err().diagnostic().code, "data/damaged-arrow", "cut at {at}");
        let mut other = whole.clone();
        other[at] ^= 0x55;
        std::fs::write(folder.path().join("other.feather"), &other).unwrap();
        if let Err(error) = read("other.feather") {
            assert!(error.diagnostic().code.starts_with("data/"), "{error}");
        }
    }
    let error = read_bytes("old.feather", b"FEA1 and so on", &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("version 1"), "{error}");
}

#[test]
fn files_of_a_pattern_are_one_table_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("part-10.csv", "x,id,day,note\n1.5,c,2024-01-01 10:00,\n");
    write("part-02.csv", "id,x,day,note\na,1,2024-01-01,\nb,2,2024-01-02,\n");
    write("part-11.jsonl", "{\"id\": \"d\", \"x\": null, \"day\": null, \"note\": true}\n");
    write(".part-00.csv", "hidden\n1\n");
    std::fs::create_dir(folder.path().join("part-05.csv")).unwrap();
    let read = |pattern: &str| read(&DiskIo, &folder.path().join(pattern), pattern, &ReadOptions::default());
    let table = read("part-*").unwrap();
    assert_eq!(values(&table, "id"), [json!("a"), json!("b"), json!("c"), json!("d")]);
    assert_eq!(values(&table, "x"), [json!(1.0), json!(2.0), json!(1.5), json!(null)]);
    assert_eq!(values(&table, "day")[2], json!("2024-01-01 10:00:00"));
    assert_eq!(values(&table, "note")[3], json!(true), "a column without a value takes the type of the others");
    assert_eq!(read("part-0?.csv").unwrap().num_rows(), 2);
    assert_eq!(read("part-9*.csv").unwrap_err(), Error::NoMatch { pattern: "part-9*.csv".into() });
    write("part-12.csv", "id,y\ne,1\n");
    let expected = Error::OtherColumns {
        file: "part-12.csv".into(),
        first: "part-02.csv".into(),
        absent: ["x", "day", "note"].map(str::to_owned).into(),
        extra: vec!["y".into()],
    };
    assert_eq!(read("part-*").unwrap_err(), expected);
    write("part-12.csv", "id,x,day,note\ne,many,,\n");
    let error = read("part-*.csv").unwrap_err();
    assert_eq!(error.diagnostic().title, "column x is text in part-12.csv and float in part-02.csv");
    // A file whose own name holds the sign is that file.
    write("what?.csv", "id\nz\n");
    write("whats.csv", "id\ny\n");
    assert_eq!(values(&read("what?.csv").unwrap(), "id"), [json!("z")]);
}

#[test]
fn patterns_match_as_in_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "ab.csv", "aéb.csv", "b.csv", "a.csv.gz"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let found = |pattern: &str| {
        let files = matching(&DiskIo, &folder.path().join(pattern))?;
        Some(files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(found("a*.csv").unwrap(), ["a.csv", "ab.csv", "aéb.csv"]);
    assert_eq!(found("a?b.csv").unwrap(), ["aéb.csv"]);
    assert_eq!(found("?.csv").unwrap(), ["a.csv", "b.csv"]);
    assert_eq!(found("*a*v*").unwrap(), ["a.csv", "a.csv.gz", "ab.csv", "aéb.csv"]);
    assert_eq!(found("**.gz").unwrap(), ["a.csv.gz"]);
    assert_eq!(found("a.csv"), None);
    assert_eq!(found("c*").unwrap(), Vec::<String>::new());
}
