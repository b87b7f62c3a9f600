//! Suites: read, refused, written, judged.

use std::collections::BTreeSet;

use arrow_array::{Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray};
use serde_json::json;
use trainyard_quality::expectations::{
    Column, Detail, Options, ResultFormat, Severity, Suite, Table, Validation, propose, validate,
};

fn suite(expectations: &str) -> Suite {
    let text = format!("{{\"name\": \"small\", \"expectations\": [{expectations}]}}");
    Suite::read(&text, "small.json").unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn small() -> Table {
    let rows = 12;
    let contract = (0..rows).map(|row| Some(["monthly", "yearly"][row % 2])).collect::<LargeStringArray>();
    let tenure = (0..rows as i64).map(|row| (row != 3).then_some(row)).collect::<Int64Array>();
    let charges = (0..rows).map(|row| Some(row as f64 * 1.5)).collect::<Float64Array>();
    let seen = (0..rows as i64).map(|row| Some(row * 86_400_000_000)).collect::<TimestampMicrosecondArray>();
    let columns = vec![
        ("contract".to_owned(), Column::Text(contract)),
        ("tenure".to_owned(), Column::Int(tenure)),
        ("charges".to_owned(), Column::Float(charges)),
        ("seen".to_owned(), Column::Moment(seen)),
    ];
    Table::new(columns, rows).unwrap()
}

fn judged(expectations: &str) -> Validation {
    validate(&suite(expectations), &small(), &Options::default())
}

/// Judges one expectation; gives whether it is met and how many rows it was held against.
fn held(condition: &str) -> (bool, u64) {
    let text = format!(
        r#"{{"type": "expect_column_values_to_be_between",
      "kwargs": {{"column": "charges", "min_value": 0, {condition}}}}}"#
    );
    let validation = judged(&text);
    let judgement = &validation.judgements[0];
    assert_eq!(judgement.exception, None, "{condition}");
    (judgement.success, judgement.result["element_count"].as_u64().unwrap())
}

#[test]
fn both_names_of_the_type_are_read_and_one_is_written() {
    let old = r#"{"expectation_suite_name": "old", "expectations": [
        {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "a"}, "meta": {"notes": "x"}}]}"#;
    let written = Suite::read(old, "old.json").unwrap().write();
    let expected = r#"{
  "expectations": [
    {
      "kwargs": {
        "column": "a"
      },
      "meta": {
        "notes": "x"
      },
      "severity": "critical",
      "type": "expect_column_to_exist"
    }
  ],
  "id": null,
  "meta": {
    "great_expectations_version": "1.24.1"
  },
  "name": "old",
  "notes": null
}
"#;
    assert_eq!(written, expected);
    assert_eq!(Suite::read(&written, "new.json").unwrap().write(), written);
}

#[test]
fn numbers_without_end_are_kept() {
    let text = r#"{"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "a", "threshold": 0.1,
        "partition_object": {"bins": [-Infinity, 0.0, Infinity], "weights": [0.5, 0.5]}}}"#;
    let written = suite(text).write();
    assert!(written.contains("-Infinity") && written.contains("0.0"), "{written}");
    assert_eq!(Suite::read(&written, "again.json").unwrap().write(), written);
}

#[test]
fn all_problems_come_in_one_pass_each_at_its_place() {
    let text = r#"{"nme": "x", "expectations": [
        {"type": "expect_column_values_to_be_betwen", "kwargs": {"column": "a"}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"colum": "a"}, "severity": "fatal"},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "(", "mostly": 1.5}},
        {"type": "expect_column_values_to_be_null",
      "kwargs": {"column": "a", "row_condition": "x ==", "condition_parser": "pandas"}}
    ]}"#;
    let problems = Suite::read(text, "wrong.json").unwrap_err().into_vec();
    let found: Vec<(String, String)> = problems
        .iter()
        .map(|problem| (problem.code.clone(), problem.primary.as_ref().unwrap().place.text().to_owned()))
        .collect();
    let expected = [
        ("expectations/unknown-key", "\"nme\""),
        ("expectations/unknown-expectation", "\"expect_column_values_to_be_betwen\""),
        ("expectations/unknown-severity", "\"fatal\""),
        ("expectations/unknown-argument", "\"colum\""),
        ("expectations/missing-argument", "{\"colum\": \"a\"}"),
        ("expectations/wrong-argument", "\"(\""),
        ("expectations/wrong-argument", "1.5"),
        ("expectations/row-condition", "\"x ==\""),
    ];
    let expected: Vec<_> = expected.iter().map(|(code, at)| ((*code).to_owned(), (*at).to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!(problems[1].help, ["did you mean `expect_column_values_to_be_between`?"]);
    assert_eq!(problems[3].help, ["did you mean `column`?"]);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let text = r#"{"name": "é\u00e9\ud83d\ude00", "expectations": [{"type": "expect_column_quantile_values_to_be_between",
        "kwargs": {"column": "a", "quantile_ranges": {"quantiles": [0.5, 1e0], "value_ranges": [[null, -1.5e3], [1, 2]]},
        "row_condition": "`a b` in [1, 'x'] & ~c.isnull()", "condition_parser": "pandas"}}]}"#;
    assert!(Suite::read(text, "whole.json").is_ok());
    let mut codes = BTreeSet::new();
    for (end, _) in text.char_indices() {
        codes.extend(
            Suite::read(&text[..end], "cut.json").unwrap_err().into_vec().into_iter().map(|problem| problem.code),
        );
        let spoiled = format!("{}]{}", &text[..end], &text[end..]);
        let _ = Suite::read(&spoiled, "spoiled.json");
    }
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["expectations/not-json"]);
    let deep = "[".repeat(100_000);
    assert!(Suite::read(&deep, "deep.json").is_err());
    for mark in ["(", "~", "not "] {
        let condition = format!("{}tenure > 4", mark.repeat(100_000));
        let expectation = json!({"type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "n", "row_condition": condition, "condition_parser": "pandas"}});
        let suite = json!({"name": "deep", "expectations": [expectation]}).to_string();
        assert!(Suite::read(&suite, "deep.json").is_err(), "{mark}");
    }
}

#[test]
fn conditions_choose_the_same_rows_in_every_form() {
    for condition in [
        r#""row_condition": "contract == 'yearly' and tenure > 4", "condition_parser": "pandas""#,
        r#""row_condition": "(contract == \"yearly\") & (tenure > 4)", "condition_parser": "pandas""#,
        r#""row_condition": "contract in ['yearly'] and not tenure <= 4 and tenure.notnull()", "condition_parser": "pandas""#,
        r#""row_condition": {"type": "pass_through", "pass_through_filter": "contract != 'monthly' & 4 < tenure"}"#,
        r#""row_condition": "contract = 'yearly' AND tenure > 4", "condition_parser": "sql""#,
        r#""row_condition": {"type": "and", "conditions": [
            {"type": "comparison", "column": {"name": "contract"}, "operator": "==", "parameter": "yearly"},
            {"type": "comparison", "column": {"name": "tenure"}, "operator": ">", "parameter": 4}]}"#,
    ] {
        assert_eq!(held(condition), (true, 4), "{condition}");
    }
    assert_eq!(
        held(r#""row_condition": "col(\"tenure\").notNull()", "condition_parser": "great_expectations""#),
        (true, 11)
    );
    assert_eq!(held(r#""row_condition": "seen >= '1970-01-11'", "condition_parser": "pandas""#), (true, 2));
}

#[test]
fn a_condition_that_can_not_be_held_says_why() {
    for (condition, why) in [
        ("tenur > 4", "there is no column tenur; did you mean tenure?"),
        ("contract > 4", "texts can't be compared with numbers"),
    ] {
        let text = format!(
            r#"{{"type": "expect_column_values_to_be_null", "kwargs": {{"column": "charges",
            "row_condition": "{condition}", "condition_parser": "pandas"}}}}"#
        );
        let exception = judged(&text).judgements[0].exception.clone().unwrap();
        assert!(exception.contains(why), "{exception}");
    }
}

#[test]
fn distinct_values_are_given() {
    let kind = "expect_column_distinct_values_to_be_in_set";
    let text = format!(r#"{{"type": "{kind}", "kwargs": {{"column": "contract", "value_set": ["monthly"]}}}}"#);
    let validation = judged(&text);
    assert_eq!(validation.judgements[0].result["observed_value"], json!(["monthly", "yearly"]));
    assert_eq!(validation.judgements[0].found(), "unexpected \"yearly\"");
}

#[test]
fn the_time_comes_from_outside() {
    let text = r#"{"type": "expect_column_max_to_be_between",
        "kwargs": {"column": "seen", "min_value": {"$PARAMETER": "now() - timedelta(days=2)"}}}"#;
    let fresh = suite(text);
    assert!(fresh.reads_clock());
    let on_day = |day: i64| {
        let options = Options { now: Some(day * 86_400_000_000), ..Options::default() };
        validate(&fresh, &small(), &options).met()
    };
    assert_eq!((on_day(13), on_day(14)), (1, 0));
    let without = validate(&fresh, &small(), &Options::default());
    assert!(without.judgements[0].exception.as_ref().unwrap().contains("no clock"));
}

#[test]
fn a_pattern_that_explodes_is_no_answer_but_an_exception() {
    let values = Column::Text(LargeStringArray::from(vec![Some(format!("{}b", "a".repeat(60)))]));
    let table = Table::new(vec![("a".to_owned(), values)], 1).unwrap();
    let text = r#"{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "^(a|a)*\\1$"}}"#;
    let validation = validate(&suite(text), &table, &Options::default());
    assert!(validation.judgements[0].exception.as_ref().unwrap().contains("explodes"));
}

#[test]
fn the_result_is_the_same_at_any_thread_count() {
    let rows = 5000;
    let numbers = (0..rows as i64).map(|row| Some((row * 7919) % 1009)).collect::<Int64Array>();
    let shares = (0..rows).map(|row| Some((row as f64 * 0.37).fract() - 0.1)).collect::<Float64Array>();
    let columns = vec![("n".to_owned(), Column::Int(numbers)), ("s".to_owned(), Column::Float(shares))];
    let table = Table::new(columns, rows).unwrap();
    let proposed = propose("numbers", &table);
    let more = r#"{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "s", "max_value": 0}},
        {"type": "expect_column_stdev_to_be_between", "kwargs": {"column": "s", "max_value": 0}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "n"}},
        {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "s", "threshold": 0.1}}"#;
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let judged = |suite: &Suite| validate(suite, &table, &Options::default()).to_json();
        pool.install(|| json!([judged(&proposed), judged(&suite(more))]).to_string())
    };
    let one = with_threads(1);
    assert_eq!((with_threads(2), with_threads(8)), (one.clone(), one));
}

#[test]
fn what_is_proposed_holds_for_the_table_that_it_was_proposed_from() {
    let proposed = propose("small", &small());
    let validation = validate(&proposed, &small(), &Options::default());
    let unmet: Vec<String> =
        validation.judgements.iter().filter(|judgement| !judgement.success).map(|judgement| judgement.told()).collect();
    assert_eq!(unmet, Vec::<String>::new());
    assert!(validation.judgements.len() > 8);
    let of_tenure = |name: &str| {
        let named = proposed.expectations().iter().filter(|expectation| expectation.columns() == ["tenure"]);
        named.filter(|expectation| expectation.name() == name).count()
    };
    assert_eq!(of_tenure("expect_column_values_to_not_be_null"), 0, "a cell is missing");
    assert_eq!(of_tenure("expect_column_values_to_be_between"), 1);
    assert!(validation.failed(Severity::Critical).next().is_none());
}

#[test]
fn a_result_holds_what_its_format_asks_for() {
    let text = r#"{"type": "expect_column_values_to_be_between", "kwargs": {"column": "tenure", "max_value": 4}}"#;
    let keys = |detail: Detail| {
        let result_format = ResultFormat { detail, ..ResultFormat::default() };
        let validation = validate(&suite(text), &small(), &Options { result_format, now: None });
        validation.judgements[0].result.len()
    };
    let counts = [Detail::BooleanOnly, Detail::Basic, Detail::Summary, Detail::Complete].map(keys);
    assert_eq!(counts, [0, 8, 10, 13]);
}
