//! Tables that differ from the training rows: what is taken, and what is said about the rest.

use std::sync::Arc;

use arrow_array::{ArrayRef, NullArray, RecordBatch, UInt64Array};
use trainyard_features::{Error, FittedFeatures, Row, Value, row_of};

use crate::given::{EVERYTHING, booleans, customers, floats, integers, planned, table, texts};

const SMALL: &str = "\
columns: {double: code * 2}
groups:
  - {numeric: [x, double, flag], impute: mean, scale: standard}
  - {categorical: [kind], encode: one_hot}
";

fn small() -> RecordBatch {
    table(vec![
        ("x", floats(&[Some(1.0), None, Some(4.0)])),
        ("code", integers(&[Some(1), Some(2), Some(3)])),
        ("flag", booleans(&[Some(true), None, Some(false)])),
        ("kind", texts(&[Some("a"), Some("b"), None])),
    ])
}

fn fitted() -> FittedFeatures {
    planned(SMALL, &small()).fit(&small()).unwrap()
}

fn replaced(name: &str, array: ArrayRef) -> RecordBatch {
    let small = small();
    let schema = small.schema();
    let columns = schema.fields().iter().zip(small.columns()).map(|(field, column)| {
        (field.name().clone(), if field.name() == name { array.clone() } else { column.clone() })
    });
    let columns: Vec<(String, ArrayRef)> = columns.collect();
    table(columns.iter().map(|(name, array)| (name.as_str(), array.clone())).collect())
}

#[test]
fn further_columns_and_their_order_do_not_matter() {
    let customers = customers(100, 7);
    let fitted = planned(EVERYTHING, &customers).fit(&customers).unwrap();
    let names: Vec<String> = customers.schema().fields().iter().rev().map(|field| field.name().clone()).collect();
    let mut columns: Vec<(&str, ArrayRef)> =
        names.iter().map(|name| (name.as_str(), customers.column_by_name(name).unwrap().clone())).collect();
    columns.retain(|(name, _)| !["id", "Churn", "internal"].contains(name));
    columns.push(("something else", floats(&[None; 100])));
    let (a, b) = (fitted.transform(&table(columns)).unwrap(), fitted.transform(&customers).unwrap());
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
}

#[test]
fn numbers_stand_for_one_another_where_nothing_is_lost() {
    let fitted = fitted();
    let expected = format!("{:?}", fitted.transform(&replaced("x", floats(&[Some(1.0), None, Some(4.0)]))).unwrap());
    let same = [
        replaced("x", integers(&[Some(1), None, Some(4)])),
        replaced("code", floats(&[Some(1.0), Some(2.0), Some(3.0)])),
        replaced("flag", integers(&[Some(1), None, Some(0)])),
    ];
    for table in same {
        assert_eq!(format!("{:?}", fitted.transform(&table).unwrap()), expected);
        for row in 0..3 {
            let single = fitted.transform_row(&row_of(&table, row)).unwrap();
            let of_table: Vec<f64> =
                fitted.transform(&table).unwrap().columns.iter().map(|column| column[row]).collect();
            assert_eq!(format!("{single:?}"), format!("{of_table:?}"));
        }
    }
}

#[test]
fn a_column_without_values_may_have_any_type() {
    let fitted = fitted();
    let expected = format!("{:?}", fitted.transform(&replaced("kind", texts(&[None; 3]))).unwrap());
    assert_eq!(format!("{:?}", fitted.transform(&replaced("kind", floats(&[None; 3]))).unwrap()), expected);
    assert_eq!(format!("{:?}", fitted.transform(&replaced("kind", Arc::new(NullArray::new(3)))).unwrap()), expected);
    let missing = fitted.transform(&replaced("x", texts(&[None; 3]))).unwrap();
    // The mean of the training rows, standardised, is 0.
    assert_eq!(missing.columns[0], vec![0.0; 3]);
}

#[test]
fn other_types_and_absent_columns_are_named() {
    let fitted = fitted();
    let say = |table: &RecordBatch| fitted.transform(table).unwrap_err().to_string();
    assert_eq!(
        say(&replaced("x", texts(&[Some("1.0"), None, None]))),
        "the column `x` is text; in the training rows it was float"
    );
    assert_eq!(
        say(&replaced("code", floats(&[Some(1.0), Some(2.5), None]))),
        "the column `code` is float; in the training rows it was integer (row 2)"
    );
    assert_eq!(
        say(&replaced("kind", integers(&[Some(1), None, None]))),
        "the column `kind` is integer; in the training rows it was text"
    );
    let error = fitted.transform(&small().project(&[0, 2]).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the rows lack 2 columns that the features need: `code`, `kind`");
    let renamed = table(vec![
        ("x", floats(&[None])),
        ("Code", integers(&[None])),
        ("flag", booleans(&[None])),
        ("kind", texts(&[None])),
    ]);
    let error = fitted.transform(&renamed).unwrap_err();
    assert_eq!(error.diagnostic().help, ["is `code` called `Code` there?"]);
    let mut row: Row = row_of(&small(), 0);
    row.remove("kind");
    assert_eq!(
        fitted.transform_row(&row).unwrap_err().to_string(),
        "the rows lack the column `kind`, which the features need"
    );
    row.insert("kind".into(), Value::Float(1.5));
    assert!(matches!(fitted.transform_row(&row), Err(Error::WrongType { .. })));
}

#[test]
fn infinities_are_named_with_their_row() {
    let bad = replaced("x", floats(&[Some(1.0), None, Some(f64::NEG_INFINITY)]));
    let expected = Error::Infinite { column: "x".into(), row: Some(2) };
    assert_eq!(fitted().transform(&bad).unwrap_err(), expected);
    assert_eq!(planned(SMALL, &small()).fit(&bad).unwrap_err(), expected);
    assert!(matches!(fitted().transform_row(&row_of(&bad, 2)), Err(Error::Infinite { row: None, .. })));
}

#[test]
fn a_value_too_far_to_be_scaled_is_named() {
    let narrow = table(vec![("x", floats(&[Some(0.0), Some(1e-10), Some(2e-10)]))]);
    let fitted = planned("groups:\n  - {numeric: [x], scale: standard}\n", &narrow).fit(&narrow).unwrap();
    let far = table(vec![("x", floats(&[Some(0.0), Some(1e300)]))]);
    assert_eq!(fitted.transform(&far).unwrap_err(), Error::TooFar { column: "x".into(), row: Some(1) });
    assert_eq!(fitted.transform_row(&row_of(&far, 1)).unwrap_err(), Error::TooFar { column: "x".into(), row: None });
}

#[test]
fn no_rows_have_no_features_but_can_be_transformed() {
    let nothing = small().slice(0, 0);
    assert_eq!(planned(SMALL, &small()).fit(&nothing).unwrap_err(), Error::NoRows);
    let features = fitted().transform(&nothing).unwrap();
    assert_eq!((features.rows, features.columns.len()), (0, fitted().names().len()));
}

#[test]
fn a_failing_expression_names_column_and_row() {
    let features = "columns: {number: CAST(kind AS BIGINT)}\ngroups: [{numeric: [number]}]";
    let kinds: Vec<String> = (0..200_000).map(|row| row.to_string()).collect();
    let mut kinds: Vec<Option<&str>> = kinds.iter().map(|kind| Some(kind.as_str())).collect();
    let good = table(vec![("kind", texts(&kinds))]);
    let fitted = planned(features, &good).fit(&good).unwrap();
    kinds[150_000] = Some("x");
    kinds[180_000] = Some("y");
    let error = fitted.transform(&table(vec![("kind", texts(&kinds))])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the derived column `number` cannot be computed: row 150001: `x` cannot be read as integer"
    );
}

#[test]
fn too_many_categories_are_refused() {
    let ids: Vec<String> = (0..10_001).map(|row| row.to_string()).collect();
    let table = table(vec![("code", texts(&ids.iter().map(|id| Some(id.as_str())).collect::<Vec<_>>()))]);
    let one_hot = planned("groups: [{categorical: [code], encode: one_hot}]", &table);
    assert!(matches!(one_hot.fit(&table), Err(Error::TooManyCategories { found: 10_001, .. })));
    let rare = planned("groups: [{categorical: [code], encode: one_hot, min_frequency: 2}]", &table);
    assert_eq!(rare.fit(&table).unwrap().names(), ["code=(rare)"]);
    assert!(planned("groups: [{categorical: [code], encode: ordinal}]", &table).fit(&table).is_ok());
}

#[test]
fn stored_features_are_checked_when_read() {
    let text = fitted().to_json();
    let say = |text: &str| FittedFeatures::from_json(text).unwrap_err();
    assert_eq!(say(&text.replacen("\"format\":1", "\"format\":4", 1)), Error::Format { found: 4, known: 3 });
    assert!(matches!(say(&text[..text.len() / 2]), Error::Damaged { .. }));
    assert!(matches!(say(&text.replace("code * 2", "code *")), Error::Damaged { .. }));
    assert!(matches!(say(&text.replace("code * 2", "kind")), Error::Damaged { .. }));
    assert!(matches!(say(&text.replace("\"column\":\"x\"", "\"column\":\"y\"")), Error::Damaged { .. }));
    assert!(matches!(say(&text.replacen("[\"a\",\"b\"]", "[\"b\",\"a\"]", 1)), Error::Damaged { .. }));
    assert!(matches!(say("{}"), Error::Damaged { .. }));
}

#[test]
fn an_unseen_category_is_rare_or_nothing() {
    let train = table(vec![("kind", texts(&[Some("a"), Some("a"), Some("b"), Some("b"), Some("c")]))]);
    let new = table(vec![("kind", texts(&[Some("new"), None, Some("c"), Some("a")]))]);
    let one_hot = |features: &str| planned(features, &train).fit(&train).unwrap().transform(&new).unwrap().columns;
    let zeros = one_hot("groups: [{categorical: [kind], encode: one_hot}]");
    assert_eq!(zeros, [[0.0, 0.0, 0.0, 1.0], [0.0; 4], [0.0, 0.0, 1.0, 0.0]]);
    let rare = one_hot("groups: [{categorical: [kind], encode: one_hot, min_frequency: 2}]");
    assert_eq!(rare, [[0.0, 0.0, 0.0, 1.0], [0.0; 4], [1.0, 1.0, 1.0, 0.0]]);
    let ordinal = one_hot("groups: [{categorical: [kind], encode: ordinal}]");
    assert_eq!(format!("{ordinal:?}"), "[[-1.0, NaN, 2.0, 0.0]]");
    let ordinal = one_hot("groups: [{categorical: [kind], encode: ordinal, min_frequency: 2}]");
    assert_eq!(format!("{ordinal:?}"), "[[-1.0, NaN, 2.0, 0.0]]");
}

#[test]
fn native_codes_are_those_of_frequent_categories_and_all_else_is_missing() {
    let train = table(vec![("kind", texts(&[Some("b"), Some("b"), Some("a"), Some("c"), Some("a"), None]))]);
    let new = table(vec![("kind", texts(&[Some("new"), None, Some("c"), Some("a"), Some("b")]))]);
    let fitted = |features: &str| planned(features, &train).fit(&train).unwrap();
    for (group, expected, count) in [
        ("encode: native", "[[NaN, NaN, 2.0, 0.0, 1.0]]", 3),
        ("encode: native, min_frequency: 2", "[[NaN, NaN, NaN, 0.0, 1.0]]", 2),
        ("encode: native, impute: {constant: gone}", "[[NaN, 3.0, 2.0, 0.0, 1.0]]", 4),
        ("encode: native, impute: most_frequent, min_frequency: 2", "[[NaN, 0.0, NaN, 0.0, 1.0]]", 2),
        ("encode: native, min_frequency: 9", "[[NaN, NaN, NaN, NaN, NaN]]", 0),
    ] {
        let fitted = fitted(&format!("groups: [{{categorical: [kind], {group}}}]"));
        assert_eq!(format!("{:?}", fitted.transform(&new).unwrap().columns), expected, "{group}");
        for row in 0..new.num_rows() {
            let single = fitted.transform_row(&row_of(&new, row)).unwrap();
            assert!(expected.trim_matches(['[', ']']).split(", ").nth(row) == Some(&format!("{:?}", single[0])));
        }
        assert_eq!((fitted.names(), fitted.categories()), (&["kind".to_owned()][..], vec![Some(count)]));
        let text = fitted.to_json();
        assert!(text.starts_with("{\"format\":3,"), "{text}");
        assert_eq!(FittedFeatures::from_json(&text).unwrap(), fitted);
        for damage in ["\"has_missing\":true", "\"has_rare\":true"] {
            let text = text.replacen(&damage.replace("true", "false"), damage, 1);
            assert!(matches!(FittedFeatures::from_json(&text), Err(Error::Damaged { .. })), "{damage}");
        }
    }
    let mixed = fitted("groups: [{categorical: [kind], encode: one_hot}, {categorical: [kind], encode: native}]");
    assert_eq!(mixed.categories(), [None, None, None, None, Some(3)]);
}

#[test]
fn of_more_native_categories_than_a_byte_tells_apart_the_most_frequent_are_kept() {
    // 300 categories: the even ones have two rows each, and of the odd ones the first in order have a code.
    let names: Vec<String> = (0..300).map(|category| format!("{category:03}")).collect();
    let rows: Vec<Option<&str>> = names.iter().chain(names.iter().step_by(2)).map(|name| Some(name.as_str())).collect();
    let train = table(vec![("kind", texts(&rows))]);
    let fitted = planned("groups: [{categorical: [kind], encode: native}]", &train).fit(&train).unwrap();
    assert_eq!(fitted.categories(), [Some(255)]);
    let codes = &fitted.transform(&train).unwrap().columns[0];
    let kept: Vec<usize> = (0..300).filter(|category| category % 2 == 0 || *category < 210).collect();
    let expected = |category: usize| kept.binary_search(&category).map_or(f64::NAN, |code| code as f64);
    assert_eq!(kept.len(), 255);
    assert!((0..300).all(|category| codes[category].to_bits() == expected(category).to_bits()));
    // A list that no fit can have made.
    let text = fitted.to_json();
    let longer = text.replacen("\"categories\":[\"000\"", "\"categories\":[\"\",\"000\"", 1);
    assert!(longer != text && matches!(FittedFeatures::from_json(&longer), Err(Error::Damaged { .. })));
}

#[test]
fn integers_too_large_for_a_double_are_categories_all_the_same() {
    let train = table(vec![("code", integers(&[Some(i64::MAX), Some(i64::MAX - 1), Some(i64::MIN)]))]);
    let fitted = planned("groups: [{categorical: [code], encode: ordinal}]", &train).fit(&train).unwrap();
    assert_eq!(fitted.transform(&train).unwrap().columns, [[2.0, 1.0, 0.0]]);
    let backwards: UInt64Array = vec![2, 1, 0].into();
    let turned = arrow_select::take::take_record_batch(&train, &backwards).unwrap();
    assert_eq!(fitted.transform(&turned).unwrap().columns, [[0.0, 1.0, 2.0]]);
}
