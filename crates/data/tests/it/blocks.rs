//! CSV files of more rows than are cut into cells at a time: where a row stands changes nothing.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use trainyard_data::{Error, ReadOptions, to_parquet};

use crate::given::{csv, read_bytes, values};

/// Rows of some 3 MB, each with a letter of several bytes and a line end in quotes.
fn rows(count: usize) -> String {
    (0..count).map(|row| format!("{row},\"Zoë, {row}\nof \"\"Łódź\"\"\",{}\n", row % 7)).collect()
}

fn error(text: &str) -> Error {
    read_bytes("rows.csv", text.as_bytes(), &ReadOptions::default()).unwrap_err()
}

#[test]
fn every_row_is_read_once_and_in_order_at_any_thread_count() {
    let text = format!("id,name,n\n{}", rows(80_000));
    let table = csv(&text);
    let ids: Vec<String> = values(&table, "id").iter().map(ToString::to_string).collect();
    assert!(ids.iter().enumerate().all(|(row, id)| *id == row.to_string()), "{} rows", ids.len());
    assert_eq!(ids.len(), 80_000);
    assert_eq!(values(&table, "name")[79_999], "Zoë, 79999\nof \"Łódź\"");
    let bytes = to_parquet(&table).unwrap();
    for threads in [1, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| to_parquet(&csv(&text)).unwrap()), bytes, "{threads} threads");
    }
}

#[test]
fn a_column_without_values_for_long_gets_the_type_of_those_it_has() {
    let text = format!("a,b\n{}1,2024-02-29\n", "1,\n".repeat(500_000));
    let table = csv(&text);
    assert_eq!(table.schema().field(1).data_type().to_string(), "Date32");
    assert_eq!(values(&table, "b")[500_000], "2024-02-29");
}

#[test]
fn whole_numbers_that_become_floats_are_the_floats_of_their_texts() {
    let texts = ["-0", "9007199254740993", "-9223372036854775808", "0", "", "+7"];
    let table = csv(&format!("x,y\n{}0.5,z\n", texts.map(|text| format!("{text},z\n")).concat().repeat(300)));
    let read = table.column(0).as_primitive::<Float64Type>();
    for row in 0..1800 {
        let expected: Option<f64> = texts[row % 6].parse().ok();
        let value = read.iter().nth(row).flatten();
        assert_eq!(value.map(f64::to_bits), expected.map(f64::to_bits), "{}", texts[row % 6]);
    }
}

#[test]
fn what_is_wrong_with_the_text_is_said_before_what_is_wrong_with_a_value() {
    let text = format!("id,name,n\n{}x,y,1\n{}", rows(20_000), rows(60_000));
    let Error::Type { line, column, value, .. } = error(&text) else { panic!("{:?}", error(&text)) };
    // Each row before takes two lines.
    assert_eq!((line.number, line.text.as_str(), column.as_str(), value.as_str()), (40_002, "x,y,1", "id", "x"));
    let Error::Ragged { line, expected: 3, got: 2 } = error(&format!("{text}1,2\n")) else { panic!("no row is short") };
    assert_eq!(line.number, 160_003);
    let Error::UnclosedQuote { line } = error(&format!("{text}1,\"2,3\n4,5,6\n")) else { panic!("no quote is open") };
    assert_eq!(line.text, "1,\"2,3");
    let wrong = [text.as_bytes(), b"\xff,1,1\n"].concat();
    let error = read_bytes("rows.csv", &wrong, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Encoding { line: 160_003, utf16: false, .. }), "{error:?}");
}

#[test]
fn the_first_wrong_value_is_shown_row_by_row() {
    let text = format!("a,b\n{}1,x\ny,2\n", "1,2\n".repeat(1000));
    let Error::Type { column, value, .. } = error(&text) else { panic!("{:?}", error(&text)) };
    assert_eq!((column.as_str(), value.as_str()), ("b", "x"));
}

#[test]
fn a_last_row_may_span_lines_and_lack_a_line_end() {
    let text = format!("\u{feff}id,name,n\n{}1,\"a\nb\",2", rows(40_000));
    assert_eq!(values(&csv(&text), "name")[40_000], "a\nb");
}

#[test]
fn a_letter_that_the_file_breaks_off_is_none() {
    let broken = &"a,b\n1,ë".as_bytes()[..7];
    let error = read_bytes("rows.csv", broken, &ReadOptions::default()).unwrap_err();
    assert_eq!(error, Error::Encoding { file: "rows.csv".into(), line: 2, byte: 7, utf16: false });
}

#[test]
fn there_may_be_more_columns_than_rows() {
    let names: Vec<String> = (0..20_000).map(|column| format!("c{column}")).collect();
    let cells: Vec<String> = (0..20_000).map(|column| column.to_string()).collect();
    let table = csv(&format!("{}\n{}\n", names.join(","), cells.join(",")));
    assert_eq!((table.num_columns(), table.num_rows()), (20_000, 1));
    assert_eq!(values(&table, "c19999"), [19_999]);
}
