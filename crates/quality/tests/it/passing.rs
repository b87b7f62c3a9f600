//! Columns that pass by: what is found of them is what is found of the whole table.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch,
};
use arrow_schema::DataType;
use serde_json::Value as Json;
use trainyard_quality::expectations::{Columns, Options, Stop, Suite, Table, Validation, validate, validate_passing};

/// Gives texts as places in a dictionary, which has one more that nobody chooses.
fn chosen(texts: &LargeStringArray) -> ArrayRef {
    let known: BTreeSet<&str> = texts.iter().flatten().collect();
    let known: Vec<&str> = ["no row has this"].into_iter().chain(known).collect();
    let place = |text: &str| known.iter().position(|known| *known == text).map(|at| at as i32);
    let keys: Int32Array = texts.iter().map(|text| text.and_then(place)).collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(LargeStringArray::from_iter_values(known))))
}

/// Holds a table against a suite while it passes by, so many rows in a batch and three batches of one dictionary; gives
/// how often some of it was read whole, too.
pub(super) fn passed(suite: &Suite, table: &RecordBatch, options: &Options, rows: usize) -> (Validation, usize) {
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let kind = |name: &str| match table.column_by_name(name)?.data_type() {
        DataType::LargeUtf8 => Some((chosen(&LargeStringArray::new_null(0)).data_type().clone(), 1)),
        kind => matches!(kind, DataType::Int64 | DataType::Float64).then(|| (kind.clone(), 2)),
    };
    let pass = |name: &str, take: &mut dyn FnMut(&ArrayRef) -> bool| -> bool {
        let column = table.column_by_name(name).unwrap();
        let part = |start: usize, size: usize, of: &ArrayRef| of.slice(start, size.min(of.len() - start));
        (0..column.len()).step_by(3 * rows).all(|start| {
            let group = part(start, 3 * rows, column);
            let group = group.as_string_opt::<i64>().map_or(Arc::clone(&group), chosen);
            (0..group.len()).step_by(rows).all(|start| take(&part(start, rows, &group)))
        })
    };
    let reads = AtomicUsize::new(0);
    let read = |columns: Option<BTreeSet<String>>| -> Result<_, Infallible> {
        reads.fetch_add(1, Ordering::Relaxed);
        let is_wanted = |at: &usize| columns.as_ref().is_none_or(|columns| columns.contains(&names[*at]));
        let wanted: Vec<usize> = (0..names.len()).filter(is_wanted).collect();
        Ok((table.project(&wanted).unwrap(), names.clone()))
    };
    let columns = Columns { names: &names, rows: table.num_rows(), kind: &kind, pass: &pass };
    let Ok(validation) = validate_passing(suite, &columns, &read, options);
    (validation, reads.into_inner())
}

fn table() -> RecordBatch {
    let rows = 2000_i64;
    let contract = (0..rows).map(|row| Some(["monthly", "yearly", "two\nyears"][(row % 3) as usize]));
    let code = (0..rows).map(|row| (row % 17 != 3).then(|| format!("c{:04}", row * 37 % 500)));
    let charges = (0..rows).map(|row| Some((row * 7919 % 1013) as f64 * 1.1e-3 - 0.5));
    let gaps = (0..rows).map(|row| match row % 11 {
        2 => None,
        5 => Some(f64::NAN),
        _ => Some(row as f64 / 3.0),
    });
    let columns: [(&str, ArrayRef); 7] = [
        ("contract", Arc::new(contract.collect::<LargeStringArray>())),
        ("code", Arc::new(code.collect::<LargeStringArray>())),
        ("label", Arc::new((0..rows).map(|row| Some(row % 2)).collect::<Int64Array>())),
        ("tenure", Arc::new((0..rows).map(|row| (row % 13 != 4).then_some(row)).collect::<Int64Array>())),
        ("charges", Arc::new(charges.collect::<Float64Array>())),
        ("gaps", Arc::new(gaps.collect::<Float64Array>())),
        ("flag", Arc::new((0..rows).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// An expectation, whether it is met, and whether its column is read whole.
const CASES: [(&str, &str, bool, bool); 48] = [
    ("table_row_count_to_equal", r#""value": 2000"#, true, false),
    ("table_row_count_to_equal", r#""value": 1999"#, false, false),
    ("table_column_count_to_equal", r#""value": 7"#, true, false),
    ("table_columns_to_match_set", r#""column_set": ["contract", "code"], "exact_match": false"#, true, false),
    ("column_to_exist", r#""column": "code""#, true, false),
    ("column_to_exist", r#""column": "cod""#, false, false),
    ("column_values_to_not_be_null", r#""column": "label""#, true, false),
    ("column_values_to_not_be_null", r#""column": "tenure""#, false, true),
    ("column_values_to_not_be_null", r#""column": "gaps""#, false, true),
    ("column_values_to_not_be_null", r#""column": "gaps", "mostly": 0.5"#, true, true),
    ("column_values_to_not_be_null", r#""column": "contract""#, true, false),
    ("column_values_to_not_be_null", r#""column": "code""#, false, true),
    ("column_values_to_be_null", r#""column": "gaps""#, false, true),
    ("column_values_to_be_in_set", r#""column": "label", "value_set": [0, 1.0]"#, true, false),
    ("column_values_to_be_in_set", r#""column": "label", "value_set": [1]"#, false, true),
    ("column_values_to_be_in_set", r#""column": "label", "value_set": [1], "mostly": 0.5"#, true, true),
    ("column_values_to_not_be_in_set", r#""column": "tenure", "value_set": [4, -1, 2000, 0.5]"#, true, false),
    ("column_values_to_not_be_in_set", r#""column": "gaps", "value_set": [7]"#, false, true),
    ("column_values_to_be_between", r#""column": "tenure", "min_value": 0, "max_value": 1999"#, true, false),
    ("column_values_to_be_between", r#""column": "tenure", "min_value": 0, "strict_min": true"#, false, true),
    ("column_values_to_be_between", r#""column": "gaps", "min_value": 0"#, true, false),
    ("column_values_to_be_between", r#""column": "gaps", "max_value": 600"#, false, true),
    ("column_values_to_be_between", r#""column": "tenure", "min_value": "a""#, false, true),
    ("column_values_to_be_between", r#""column": "contract", "min_value": "m", "max_value": "z""#, true, false),
    ("column_mean_to_be_between", r#""column": "label", "min_value": 0.5, "max_value": 0.5"#, true, false),
    ("column_mean_to_be_between", r#""column": "charges", "max_value": 0"#, false, false),
    ("column_mean_to_be_between", r#""column": "gaps", "min_value": 300"#, true, false),
    ("column_mean_to_be_between", r#""column": "code", "min_value": 300"#, false, true),
    ("column_stdev_to_be_between", r#""column": "charges", "min_value": 0.3, "max_value": 0.4"#, true, false),
    ("column_stdev_to_be_between", r#""column": "gaps", "max_value": 0.1"#, false, false),
    ("column_stdev_to_be_between", r#""column": "tenure", "min_value": 1"#, true, false),
    ("column_median_to_be_between", r#""column": "charges", "min_value": -1"#, true, true),
    ("column_values_to_be_of_type", r#""column": "charges", "type_": "float64""#, true, false),
    ("column_values_to_be_of_type", r#""column": "charges", "type_": "int64""#, false, false),
    ("column_values_to_be_of_type", r#""column": "contract", "type_": "str""#, true, false),
    ("column_values_to_be_in_type_list", r#""column": "contract", "type_list": ["int"]"#, false, true),
    (
        "column_values_to_be_in_set",
        r#""column": "contract", "value_set": ["monthly", "yearly", "two\nyears"]"#,
        true,
        false,
    ),
    ("column_values_to_be_in_set", r#""column": "contract", "value_set": ["monthly", "yearly"]"#, false, true),
    ("column_values_to_match_regex", r#""column": "code", "regex": "^c\\d{4}$""#, true, false),
    ("column_values_to_match_regex", r#""column": "code", "regex": "^c00""#, false, true),
    ("column_values_to_match_regex", r#""column": "tenure", "regex": "^\\d+$""#, true, true),
    ("column_values_to_not_match_regex_list", r#""column": "code", "regex_list": ["x", "has"]"#, true, false),
    ("column_value_lengths_to_equal", r#""column": "code", "value": 5"#, true, false),
    ("column_values_to_be_unique", r#""column": "code""#, false, true),
    ("column_values_to_be_increasing", r#""column": "tenure""#, true, true),
    ("column_values_to_be_in_set", r#""column": "flag", "value_set": [true, false]"#, true, true),
    ("column_values_to_be_between", r#""column": "tenur", "min_value": 0"#, false, true),
    (
        "column_values_to_be_between",
        r#""column": "tenure", "min_value": 0, "row_condition": "label == 1", "condition_parser": "pandas""#,
        true,
        true,
    ),
];

fn suite(cases: &[&(&str, &str, bool, bool)]) -> Suite {
    let entry = |(name, arguments, ..): &&(&str, &str, bool, bool)| {
        format!("{{\"type\": \"expect_{name}\", \"kwargs\": {{{arguments}}}}}")
    };
    let entries: Vec<String> = cases.iter().map(entry).collect();
    Suite::read(&format!("{{\"name\": \"s\", \"expectations\": [{}]}}", entries.join(", ")), "s.json").unwrap()
}

#[test]
fn what_passes_is_judged_as_the_whole_table() {
    let (table, options) = (table(), Options::default());
    for case in &CASES {
        let suite = suite(&[case]);
        let whole = validate(&suite, &Table::of(&table), &options).to_json();
        for rows in [1, 300, 4000] {
            let (validation, reads) = passed(&suite, &table, &options, rows);
            assert_eq!((validation.met() == 1, reads == 1), (case.2, case.3), "{case:?}: {reads}");
            assert_eq!(validation.to_json(), whole, "{case:?}");
        }
    }
}

#[test]
fn a_whole_suite_is_judged_alike_at_any_number_of_threads_and_in_any_form() {
    let table = table();
    let formats = ["\"BOOLEAN_ONLY\"", "\"BASIC\"", "\"COMPLETE\""];
    let formats = formats.map(|format| format!("{{\"result_format\": {format}}}"));
    for format in formats {
        let format = trainyard_quality::expectations::Value::read(&format).unwrap();
        let result_format = trainyard_quality::expectations::ResultFormat::of(&format).unwrap();
        let options = Options { result_format, ..Options::default() };
        let all = suite(&CASES.iter().collect::<Vec<_>>());
        let passing = suite(&CASES.iter().filter(|case| !case.3).collect::<Vec<_>>());
        for (suite, most) in [(all, 2), (passing, 0)] {
            let whole = validate(&suite, &Table::of(&table), &options).to_json();
            for threads in [1, 2, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (validation, reads) = pool.install(|| passed(&suite, &table, &options, 128));
                assert_eq!(validation.to_json(), whole);
                assert!(reads <= most, "{reads}");
            }
        }
    }
}

#[test]
fn a_stop_ends_what_passes() {
    let options = Options { stop: Stop::when(|| true), ..Options::default() };
    let suite = suite(&[&CASES[6]]);
    let (validation, reads) = passed(&suite, &table(), &options, 100);
    let why: Json = validation.to_json()["results"][0]["exception_info"]["exception_message"].clone();
    assert_eq!((validation.met(), reads), (0, 1), "{why}");
}

#[test]
fn what_breaks_off_is_read_whole() {
    let table = table();
    let names = vec!["label".to_owned()];
    let kind = |_: &str| Some((DataType::Int64, 1));
    // Half of a column, and then an end.
    let pass = |_: &str, take: &mut dyn FnMut(&ArrayRef) -> bool| {
        take(&table.column(2).slice(0, 1000));
        false
    };
    let columns = Columns { names: &names, rows: 2000, kind: &kind, pass: &pass };
    let read = |_: Option<BTreeSet<String>>| Err("it is damaged");
    let found = validate_passing(&suite(&[&CASES[6]]), &columns, &read, &Options::default());
    assert_eq!(found.unwrap_err(), "it is damaged");
}
