//! Types that were found once and hold from then on.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::Field;
use trainyard_data::{Declared, Error, ReadOptions, to_csv, to_parquet, type_name};
use trainyard_spec::{ColumnType, Located, Origin};

use crate::given::{csv, read_bytes, types, values};

/// Gives the types of a table as they are kept.
fn kept(table: &RecordBatch) -> ReadOptions {
    let schema = table.schema();
    let fields = schema.fields().iter();
    let kind = |field: &Field| ColumnType::of_name(type_name(field.data_type())).unwrap();
    let kept = fields.map(|field| (field.name().clone(), Located::new(kind(field), Origin::Kept(None))));
    ReadOptions { kept: kept.collect(), ..ReadOptions::default() }
}

/// Texts that several types could take for theirs, with what widens or spells them in another way.
fn rows() -> String {
    let mut text = "whole,widened,float,flag,day,moment,code,text,mixed\n".to_owned();
    for row in 0..3000_i64 {
        let widened = if row == 2500 { "0.5".to_owned() } else { format!("{}", row - 1500) };
        let negative = if row == 7 { "-0".to_owned() } else { widened };
        let float = ["1e3", "nan", "-inf", "0.1", " 2 ", "-0"][row as usize % 6];
        let flag = ["true", "FALSE", ""][row as usize % 3];
        let moment = ["2024-02-29", "2024-02-29T12:30:00.25", "1969-12-31 23:59"][row as usize % 3];
        let code = format!("0{row}");
        text += &format!("{row},{negative},{float},{flag},1969-12-31,{moment},{code},\"a, {row}\",{}\n", row % 2);
    }
    text
}

#[test]
fn a_table_read_by_the_types_that_it_had_is_the_same_table() {
    let text = rows();
    let found = csv(&text);
    let options = kept(&found);
    let bytes = to_parquet(&found).unwrap();
    assert_eq!(options.kept["widened"].value, ColumnType::Float);
    assert_eq!(options.kept["code"].value, ColumnType::Text);
    assert_eq!(options.kept["moment"].value, ColumnType::Timestamp);
    let again = read_bytes("rows.csv", text.as_bytes(), &options).unwrap();
    assert_eq!(to_parquet(&again).unwrap(), bytes);
    let of_parquet = read_bytes("rows.parquet", &bytes, &options).unwrap();
    assert_eq!(to_parquet(&of_parquet).unwrap(), bytes);
}

#[test]
fn lines_of_json_read_by_the_types_that_they_had_are_the_same_table() {
    let lines: String = (0..3000)
        .map(|row| {
            let widened = if row == 2500 { "0.5".to_owned() } else { format!("-{row}") };
            let day = if row % 3 == 0 { "null".to_owned() } else { "\"2024-02-29\"".to_owned() };
            format!("{{\"n\": {row}, \"w\": {widened}, \"f\": 1e-3, \"b\": true, \"d\": {day}, \"t\": \"{row}\"}}\n")
        })
        .collect();
    let read = |options: &ReadOptions| read_bytes("rows.jsonl", lines.as_bytes(), options).unwrap();
    let found = read(&ReadOptions::default());
    let options = kept(&found);
    assert_eq!((options.kept["w"].value, options.kept["d"].value), (ColumnType::Float, ColumnType::Date));
    assert_eq!(to_parquet(&read(&options)).unwrap(), to_parquet(&found).unwrap());
}

#[test]
fn later_rows_do_not_change_a_type() {
    let options = kept(&csv("zip,n,f\n01234,1,0.5\n"));
    let later = "zip,n,f\n12345,2,3\n";
    let table = read_bytes("rows.csv", later.as_bytes(), &options).unwrap();
    assert_eq!(types(&table), types(&csv("zip,n,f\n01234,1,0.5\n")));
    assert_eq!(values(&table, "zip"), ["12345"]);
    // A file that says its types itself is held to the same.
    let parquet = read_bytes("rows.parquet", &to_parquet(&csv(later)).unwrap(), &options).unwrap();
    assert_eq!(to_csv(&parquet), to_csv(&table));
    let lines = read_bytes("rows.jsonl", b"{\"zip\": 12345, \"n\": 2, \"f\": 3}\n", &options).unwrap();
    assert_eq!(to_parquet(&lines).unwrap(), to_parquet(&table).unwrap());
}

#[test]
fn a_value_of_another_type_is_refused_with_its_row_and_where_the_type_is_kept() {
    let options = kept(&csv("id,n\na,1\n"));
    let refused = |name: &str, bytes: &[u8]| read_bytes(name, bytes, &options).unwrap_err();
    let of_csv = refused("rows.csv", b"id,n\na,1\nb,1.5\n");
    assert!(matches!(&of_csv, Error::Type { declared: Declared::Kept(_), line, .. } if line.number == 3), "{of_csv:?}");
    let of_json = refused("rows.jsonl", b"{\"id\": \"a\", \"n\": 1}\n{\"id\": \"b\", \"n\": 1.5}\n");
    assert!(
        matches!(&of_json, Error::Type { declared: Declared::Kept(_), line, .. } if line.number == 2),
        "{of_json:?}"
    );
    let of_parquet = refused("rows.parquet", &to_parquet(&csv("id,n\na,1\nb,1.5\n")).unwrap());
    assert!(matches!(&of_parquet, Error::Value { declared: Declared::Kept(_), row: 2, .. }), "{of_parquet:?}");
    for error in [of_csv, of_json, of_parquet] {
        let diagnostic = error.diagnostic();
        assert!(diagnostic.title.contains("column n was integer so far but holds"), "{}", diagnostic.title);
        assert!(diagnostic.help[0].contains("the line of n in versions/schema.yaml"), "{:?}", diagnostic.help);
    }
    // What the specification declares comes first.
    let types = BTreeMap::from([("n".to_owned(), ColumnType::Float)]);
    let table = read_bytes("rows.csv", b"id,n\nb,1.5\n", &ReadOptions { types, ..options }).unwrap();
    assert_eq!(types_of(&table), ["text", "float"]);
}

fn types_of(table: &RecordBatch) -> Vec<&'static str> {
    table.schema().fields().iter().map(|field| type_name(field.data_type())).collect()
}

#[test]
fn columns_that_are_gone_are_named_together_and_new_ones_are_read_as_they_are() {
    let options = kept(&csv("id,tenure,churn\na,1,no\n"));
    for (name, bytes) in [
        ("rows.csv", b"id,Tenure,city\na,1,Bern\n".to_vec()),
        ("rows.jsonl", b"{\"id\": \"a\", \"Tenure\": 1, \"city\": \"Bern\"}\n".to_vec()),
        ("rows.parquet", to_parquet(&csv("id,Tenure,city\na,1,Bern\n")).unwrap()),
    ] {
        let error = read_bytes(name, &bytes, &options).unwrap_err();
        assert!(matches!(&error, Error::Gone { gone, .. } if *gone == ["churn", "tenure"]), "{name}: {error:?}");
        assert_eq!(error.diagnostic().code, "data/column-gone");
    }
    let more = read_bytes("rows.csv", b"city,churn,tenure,id\nBern,no,1,a\n", &options).unwrap();
    assert_eq!(types_of(&more), ["text", "text", "integer", "text"]);
    // One that is left out is still there.
    let drop = vec!["tenure".to_owned()];
    let fewer = read_bytes("rows.csv", b"id,tenure,churn\na,x,no\n", &ReadOptions { drop, ..options }).unwrap();
    assert_eq!(types_of(&fewer), ["text", "text"]);
}
