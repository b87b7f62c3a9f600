//! What reading holds at its peak, and a system that gives no room.

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use trainyard_judges::peak_memory;
use trainyard_sources::by_key;

use crate::given::{read_from, set, told};

#[test]
fn a_table_is_sorted_without_a_second_one() {
    const ROWS: i64 = 200_000;
    const COLUMNS: usize = 64;
    let peak = peak_memory("limits::a_table_is_sorted_without_a_second_one", "sorted", || {
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).rev()));
        let value = || -> ArrayRef { Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64))) };
        let columns: Vec<ArrayRef> = std::iter::once(key).chain((1..COLUMNS).map(|_| value())).collect();
        let fields: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true))
            .collect();
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let sorted = by_key(table, Some("c0")).unwrap();
        assert_eq!(sorted.column(0).data_type(), &DataType::Int64);
        assert_eq!(sorted.column(0).as_ref(), &Int64Array::from_iter_values(0..ROWS));
    });
    let table = ROWS as u64 * COLUMNS as u64 * 8;
    assert!(peak < table * 3 / 2, "{} MiB at the peak, {} MiB of table", peak >> 20, table >> 20);
}

#[test]
fn a_system_without_room_for_a_connection_is_named() {
    let folder = tempfile::tempdir().unwrap();
    set(&[("PGPASSWORD", "none")]);
    let limited = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), "--nofile=64:"]).status();
    assert!(limited.is_ok_and(|status| status.success()), "util-linux sets limits");
    let section = "  source: postgresql://ada@127.0.0.1:1/shop?table=customers\n  target: tenure";
    let all: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let (code, words) = told(read_from(folder.path(), section));
    assert!(code == "source/runtime" && words.contains("limit of open files"), "{code}: {words}");
    drop(all);
    assert_eq!(told(read_from(folder.path(), section)).0, "source/unreachable", "there is room again");
}
