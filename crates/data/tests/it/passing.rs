//! Columns of Parquet that pass by: they are those of the table that is read of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, UInt32Array, UInt64Array,
};
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use trainyard_data::{Passing, ReadOptions, read, to_parquet};
use trainyard_files::{DiskIo, Io};
use trainyard_spec::ColumnType;

const ROWS: i64 = 30_000;

fn table() -> RecordBatch {
    let rows = || 0..ROWS;
    let some = |row: i64| row % 7 != 3;
    let words = rows().map(|row| some(row).then(|| format!("word {}", row * row % 300)));
    let kind = |row: i64| if row % 2 == 0 { "even" } else { "odd" };
    let columns: [(&str, ArrayRef); 9] = [
        ("integer", Arc::new(rows().map(|row| some(row).then_some(row * 31)).collect::<Int64Array>())),
        ("float", Arc::new(rows().map(|row| Some(row as f64 / 3.0)).collect::<Float64Array>())),
        ("single", Arc::new(rows().map(|row| some(row).then_some(row as f32 / 3.0)).collect::<Float32Array>())),
        ("unsigned", Arc::new(rows().map(|row| Some(row as u32)).collect::<UInt32Array>())),
        ("word", Arc::new(words.collect::<StringArray>())),
        ("key", Arc::new(rows().map(|row| Some(format!("key {row}"))).collect::<StringArray>())),
        ("category", Arc::new(rows().map(|row| some(row).then(|| kind(row))).collect::<DictionaryArray<Int8Type>>())),
        ("wide", Arc::new(rows().map(|row| Some(row as u64)).collect::<UInt64Array>())),
        ("flag", Arc::new(rows().map(|row| Some(some(row))).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn write(table: &RecordBatch, path: &Path, set: impl FnOnce(WriterPropertiesBuilder) -> WriterPropertiesBuilder) {
    let properties = set(WriterProperties::builder()).build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), table.schema(), Some(properties)).unwrap();
    writer.write(table).unwrap();
    writer.close().unwrap();
}

fn open(path: &Path, options: &ReadOptions) -> Option<Passing> {
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    Passing::open(&io, path, options)
}

/// Joins what passes of a column.
fn passed(file: &Passing, column: &str) -> Option<ArrayRef> {
    let mut parts: Vec<ArrayRef> = Vec::new();
    let mut take = |part: &ArrayRef| {
        assert_eq!(*part.data_type(), file.kind(column).unwrap().0);
        parts.push(match part.as_dictionary_opt::<Int32Type>() {
            Some(texts) => {
                Arc::new(texts.downcast_dict::<LargeStringArray>().unwrap().into_iter().collect::<LargeStringArray>())
            }
            None => Arc::clone(part),
        });
        true
    };
    let is_all = file.pass(column, &mut take);
    is_all.then(|| arrow_select::concat::concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>()).unwrap())
}

#[test]
fn what_passes_is_what_the_table_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let numbers = ["integer", "float", "single", "unsigned"];
    let sizes: [Option<usize>; 3] = [None, Some(7000), Some(100)];
    for size in sizes {
        write(&table(), &path, |set| set.set_max_row_group_row_count(size));
        let whole = read(&DiskIo, &path, "rows", &ReadOptions::default()).unwrap();
        let file = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!((file.rows(), file.names().len()), (ROWS as usize, 9));
        for column in numbers.iter().chain(&["word", "category"]) {
            let found = passed(&file, column).unwrap();
            assert_eq!(&found, whole.column_by_name(column).unwrap(), "{column}, {size:?}");
        }
        for (column, kind) in
            [("integer", DataType::Int64), ("unsigned", DataType::Int64), ("single", DataType::Float64)]
        {
            assert_eq!(file.kind(column).unwrap().0, kind);
        }
        // Whether these are integers or floats, all of them say; of truth values there is nothing to save.
        assert!(file.kind("wide").is_none() && file.kind("flag").is_none() && file.kind("none").is_none());
    }
    // Texts without a dictionary, and those whose dictionary became too large on the way.
    write(&table(), &path, |set| set.set_dictionary_enabled(false));
    let plain = open(&path, &ReadOptions::default()).unwrap();
    assert!(plain.kind("word").is_none() && plain.kind("key").is_none() && plain.kind("float").is_some());
    write(&table(), &path, |set| set.set_dictionary_page_size_limit(20_000).set_write_batch_size(500));
    let mixed = open(&path, &ReadOptions::default()).unwrap();
    assert!(mixed.kind("word").is_some() && mixed.kind("key").is_none());
}

#[test]
fn a_column_ends_when_nobody_wants_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&table(), &path, |set| set);
    let file = open(&path, &ReadOptions::default()).unwrap();
    let mut given = 0;
    let is_all = file.pass("float", &mut |_| {
        given += 1;
        given < 2
    });
    assert_eq!((is_all, given), (false, 2));
}

#[test]
fn what_is_declared_or_dropped_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&table(), &path, |set| set);
    let declared = |name: &str| [(name.to_owned(), ColumnType::Text)].into();
    let options = ReadOptions { types: declared("integer"), drop: vec!["float".to_owned()], ..ReadOptions::default() };
    let file = open(&path, &options).unwrap();
    assert!(file.kind("integer").is_none() && file.kind("float").is_none() && file.kind("single").is_some());
    assert!(!file.names().contains(&"float".to_owned()) && file.names().len() == 8);
    // What only the reading of the whole can say is left to it.
    for options in [
        ReadOptions { types: declared("none"), ..ReadOptions::default() },
        ReadOptions { drop: vec!["none".to_owned()], ..ReadOptions::default() },
    ] {
        assert!(open(&path, &options).is_none() && read(&DiskIo, &path, "rows", &options).is_err());
    }
    let empty = folder.path().join("empty.parquet");
    write(&table().slice(0, 0), &empty, |set| set);
    let text = folder.path().join("rows.csv");
    fs::write(&text, "a\n1\n").unwrap();
    for other in [&empty, &text, &folder.path().join("none.parquet"), &folder.path().join("*.parquet")] {
        assert!(open(other, &ReadOptions::default()).is_none(), "{}", other.display());
    }
}

#[test]
fn no_damaged_byte_passes_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let bytes = to_parquet(&table().slice(0, 200)).unwrap();
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        fs::write(&path, &damaged).unwrap();
        // A fault is told by reading the whole; what passes nonetheless is what that gives.
        let whole = read(&DiskIo, &path, "rows", &ReadOptions::default());
        let Some(file) = open(&path, &ReadOptions::default()) else {
            refused += 1;
            continue;
        };
        for column in ["integer", "word"].iter().filter(|column| file.kind(column).is_some()) {
            match (passed(&file, column), &whole) {
                (Some(found), Ok(whole)) => assert_eq!(&found, whole.column_by_name(column).unwrap(), "byte {at}"),
                _ => refused += 1,
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
