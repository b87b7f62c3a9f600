//! Digests of rows: what they tell apart, what they do not, and that they never change.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use trainyard_data::rows::digests;
use trainyard_data::{from_parquet, to_parquet};

use crate::given::csv;

const NASTY: &str = "id,n,f,b,t,d,m\n\
    1,1,0.5,true,Zoë,2024-02-29,2024-02-29T12:30:00.25\n\
    2,-9223372036854775808,-0,false,\"a,b\",0001-01-01,1969-12-31 23:59:59.999999\n\
    3,9007199254740993,NaN,,,,\n\
    4,,-inf,true, x ,9999-12-31,\n\
    5,0,1e300,false,\u{1f600},1970-01-01,1970-01-01 00:00:00\n";

fn hexadecimal(table: &RecordBatch, key: Option<&str>) -> Vec<String> {
    digests(table, key).iter().map(|row| format!("{:016x} {:016x}", row.key, row.content)).collect()
}

#[test]
fn they_are_what_they_were() {
    let table = csv(NASTY);
    let recorded = [
        "d3a5f58eb84aba59 593b75c5e066b287",
        "c3e9856e9a5dc6a8 f9ad979471fef15a",
        "775fc125371286a9 0608879e2a6332fe",
        "0d6edc2e0404d02c 7f9cb9401298d6c0",
        "276780833fd2c918 9103b04361ad5790",
    ];
    assert_eq!(hexadecimal(&table, Some("id")), recorded);
    let whole = digests(&table, None);
    assert!(whole.iter().all(|row| row.key == row.content));
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[test]
fn order_of_columns_and_kind_of_file_do_not_matter() {
    let table = csv(NASTY);
    let parquet = from_parquet(&to_parquet(&table).unwrap(), "rows.parquet").unwrap();
    assert_eq!(digests(&parquet, Some("id")), digests(&table, Some("id")));
    let turned: Vec<usize> = (0..table.num_columns()).rev().collect();
    assert_eq!(digests(&table.project(&turned).unwrap(), Some("id")), digests(&table, Some("id")));
}

#[test]
fn a_whole_number_is_the_same_in_a_column_of_floats() {
    let (integers, floats) = (csv("id,n\n1,7\n2,0\n3,-3\n"), csv("id,n\n1,7.0\n2,-0\n3,-3\n4,0.5\n"));
    assert_eq!(digests(&integers, Some("id")), digests(&floats, Some("id"))[..3]);
    // Beyond the doubles' whole numbers they are told apart exactly.
    let near = digests(&csv("n\n9007199254740992\n9007199254740993\n"), None);
    assert_ne!(near[0], near[1]);
}

#[test]
fn nothing_runs_into_its_neighbour() {
    let texts = digests(&csv("a,b\nxy,z\nx,yz\nxyz,\n,xyz\n"), None);
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 4);
    let named = |header: &str| digests(&csv(&format!("{header}\n1,2\n")), None)[0];
    assert_ne!(named("a,b"), named("a,c"));
}

#[test]
fn an_absent_key_column_leaves_the_whole_row() {
    let table = csv(NASTY);
    assert_eq!(digests(&table, Some("absent")), digests(&table, None));
    assert_eq!(digests(&table.slice(0, 0), Some("id")), []);
}
