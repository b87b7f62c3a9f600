//! Suites: read, refused, written, judged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{Date32Array, Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray};
use serde_json::{Value as Json, json};
use trainyard_quality::expectations::{
    Column, Detail, Options, ResultFormat, Severity, Stop, Suite, Table, Validation, propose, validate,
};

fn suite(expectations: &str) -> Suite {
    let text = format!("{{\"name\": \"small\", \"expectations\": [{expectations}]}}");
    Suite::read(&text, "small.json").unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn small() -> Table {
    Table::new(small_columns(), 12).unwrap()
}

fn small_columns() -> Vec<(String, Column)> {
    let rows = 12;
    let contract = (0..rows).map(|row| Some(["monthly", "yearly"][row % 2])).collect::<LargeStringArray>();
    let tenure = (0..rows as i64).map(|row| (row != 3).then_some(row)).collect::<Int64Array>();
    let charges = (0..rows).map(|row| Some(row as f64 * 1.5)).collect::<Float64Array>();
    let seen = (0..rows as i64).map(|row| Some(row * 86_400_000_000)).collect::<TimestampMicrosecondArray>();
    vec![
        ("contract".to_owned(), Column::Text(contract)),
        ("tenure".to_owned(), Column::Int(tenure)),
        ("charges".to_owned(), Column::Float(charges)),
        ("seen".to_owned(), Column::Moment(seen)),
    ]
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
    assert_eq!(
        held(r#""row_condition": "charges > 1e-5 and charges < 1.65e+1", "condition_parser": "pandas""#),
        (true, 10)
    );
    assert_eq!(held(r#""row_condition": "charges >= -1E2", "condition_parser": "pandas""#), (true, 12));
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
        let validation = validate(&suite(text), &small(), &Options { result_format, ..Options::default() });
        validation.judgements[0].result.len()
    };
    let counts = [Detail::BooleanOnly, Detail::Basic, Detail::Summary, Detail::Complete].map(keys);
    assert_eq!(counts, [0, 8, 10, 13]);
}

#[test]
fn a_file_that_is_no_plain_utf_8_says_so() {
    for (bytes, why) in [
        (b"\xef\xbb\xbf{}".as_slice(), "it begins with a byte-order mark"),
        (b"\xff\xfe{\0}\0", "it is UTF-16"),
        (b"{\"name\": \"caf\xe9\"}", "the first wrong byte is byte 13"),
    ] {
        let problems = Suite::from_bytes(bytes, "odd.json").unwrap_err().into_vec();
        assert_eq!(problems[0].code, "expectations/encoding");
        assert_eq!(problems[0].title, format!("odd.json is not plain UTF-8: {why}"));
    }
    let text = r#"{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}}]}"#;
    assert!(Suite::from_bytes(text.as_bytes(), "plain.json").is_ok());
}

/// Reads a suite of one JSON schema; gives what is wrong with it.
fn schema_fault(schema: &Json) -> Option<String> {
    let expectation = json!({"type": "expect_column_values_to_match_json_schema",
        "kwargs": {"column": "a", "json_schema": schema}});
    let text = json!({"name": "s", "expectations": [expectation]}).to_string();
    let problem = Suite::read(&text, "s.json").err()?.into_vec().remove(0);
    Some(problem.primary.unwrap().text)
}

#[test]
fn a_schema_that_would_hold_silently_is_refused() {
    for (schema, why) in [
        (json!({"minContain": 2}), "`minContain` is no keyword of JSON Schema; did you mean `minContains`?"),
        (json!({"properties": {"a": {"kind": "integer"}}}), "`kind` is no keyword of JSON Schema"),
        (json!({"$defs": {"unused": {"type": "int"}}}), "no JSON type is \"int\""),
        (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
        (json!({"$ref": "other.json"}), "leads nowhere"),
        (json!({"items": {"$id": "https://example.org/inner"}}), "can't have a name of its own"),
        (json!({"required": true}), "`required` is a list of names"),
        (json!({"minLength": -1}), "`minLength` is a whole number, 0 or more"),
        (json!({"multipleOf": 0}), "`multipleOf` is a number above 0"),
        (json!({"$schema": "http://json-schema.org/draft-03/schema#"}), "draft 3 is not known"),
        (json!({"patternProperties": {"(": {}}}), "`patternProperties`: "),
        (json!({"dependentRequired": {"a": "b"}}), "a list of names"),
    ] {
        let found = schema_fault(&schema).unwrap_or_else(|| panic!("{schema} is taken"));
        assert!(found.contains(why), "{schema}: {found}");
    }
    for schema in [json!({"x-owner": "me"}), json!({"properties": {"kind": {}}}), json!({"const": {"kind": 1}})] {
        assert_eq!(schema_fault(&schema), None);
    }
}

/// Holds one text against a schema.
fn of_schema(schema: &Json, text: &str) -> Result<bool, String> {
    let expectation = json!({"type": "expect_column_values_to_match_json_schema",
        "kwargs": {"column": "a", "json_schema": schema}});
    let column = Column::Text(LargeStringArray::from(vec![Some(text)]));
    let table = Table::new(vec![("a".to_owned(), column)], 1).unwrap();
    let judgement = validate(&suite(&expectation.to_string()), &table, &Options::default()).judgements.remove(0);
    judgement.exception.map_or(Ok(judgement.success), Err)
}

#[test]
fn a_deep_schema_is_no_circle_and_a_circle_and_a_wild_one_end() {
    let mut deep = json!({"type": "integer"});
    for _ in 0..110 {
        deep = json!({"not": deep});
    }
    assert_eq!((of_schema(&deep, "1"), of_schema(&deep, "\"a\"")), (Ok(true), Ok(false)));
    let circle = json!({"allOf": [{"$ref": "#"}]});
    assert!(of_schema(&circle, "1").unwrap_err().contains("circle"));
    // The same schema within itself, for each level of the value.
    let tree = json!({"items": {"$ref": "#"}, "type": ["array", "null"]});
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(of_schema(&tree, &nested(400)), Ok(true));
    assert!(of_schema(&tree, &nested(900)).unwrap_err().contains("deep"));
    // Each level asks twice: without a bound that would take longer than anybody lives.
    let wild = json!({"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]});
    assert!(of_schema(&wild, &nested(60)).unwrap_err().contains("steps"));
}

#[test]
fn integers_are_compared_by_all_their_digits() {
    let large = 9_007_199_254_740_993_i64;
    let numbers = |values: &[i64]| Column::Int(values.iter().copied().map(Some).collect::<Int64Array>());
    let columns = vec![("a".to_owned(), numbers(&[large, large - 1])), ("b".to_owned(), numbers(&[0, 1]))];
    let table = Table::new(columns, 2).unwrap();
    let unexpected = |kind: &str, arguments: Json| {
        let text = json!({"type": kind, "kwargs": arguments}).to_string();
        let judgement = validate(&suite(&text), &table, &Options::default()).judgements.remove(0);
        judgement.result["partial_unexpected_index_list"].clone()
    };
    let between = "expect_column_values_to_be_between";
    assert_eq!(unexpected(between, json!({"column": "a", "max_value": large - 1})), json!([0]));
    assert_eq!(unexpected(between, json!({"column": "a", "max_value": 9_007_199_254_740_992.0})), json!([0]));
    assert_eq!(unexpected(between, json!({"column": "a", "min_value": 9_007_199_254_740_994.0})), json!([0, 1]));
    let condition = json!({"column": "a", "max_value": 0, "row_condition": "a > 9007199254740992.0",
        "condition_parser": "pandas"});
    assert_eq!(unexpected(between, condition), json!([0]));
    let sum = json!({"column_list": ["a", "b"], "sum_total": large});
    assert_eq!(unexpected("expect_multicolumn_sum_to_equal", sum), json!([]));
    let sum = json!({"column_list": ["a", "b"], "sum_total": large - 1});
    assert_eq!(unexpected("expect_multicolumn_sum_to_equal", sum), json!([0, 1]));
}

#[test]
fn a_distribution_is_its_own_whatever_it_is_of_and_however_many_values_it_has() {
    let rows = 30_000;
    let numbers = (0..rows as i64).map(Some).collect::<Int64Array>();
    let days = (0..rows as i32).map(|day| Some(day % 400)).collect::<Date32Array>();
    let columns = vec![("n".to_owned(), Column::Int(numbers)), ("d".to_owned(), Column::Date(days))];
    let table = Table::new(columns, rows).unwrap();
    let of = |column: &str| {
        let kind = "expect_column_kl_divergence_to_be_less_than";
        let arguments = json!({"column": column, "threshold": 0, "bucketize_data": false});
        let text = json!({"type": kind, "kwargs": arguments}).to_string();
        validate(&suite(&text), &table, &Options::default()).judgements.remove(0).result["observed_value"].clone()
    };
    assert_eq!([of("n"), of("d")], [json!(0.0), json!(0.0)]);
}

#[test]
fn what_was_stopped_is_not_met_and_says_so() {
    let texts = (0..200).map(|row| Some(format!("t{row}"))).collect::<LargeStringArray>();
    let table = Table::new(vec![("a".to_owned(), Column::Text(texts))], 200).unwrap();
    let text = r#"{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "^t"}}"#;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // Once before the expectation, then within its cells.
    let stop = Stop::when(move || counted.fetch_add(1, Ordering::Relaxed) >= 2);
    let validation = validate(&suite(text), &table, &Options { stop, ..Options::default() });
    assert_eq!(validation.judgements[0].exception.as_deref(), Some("judging was stopped before this"));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(validate(&suite(text), &table, &Options::default()).met(), 1);
}

#[test]
fn what_was_found_is_said_without_details_too() {
    let between = r#"{"type": "expect_column_values_to_be_between",
        "kwargs": {"column": "tenure", "max_value": 4, "result_format": "BOOLEAN_ONLY"}}"#;
    let exists = r#"{"type": "expect_column_to_exist", "kwargs": {"column": "none"}}"#;
    let unlike = r#"{"type": "expect_column_kl_divergence_to_be_less_than",
        "kwargs": {"column": "contract", "threshold": 1,
        "partition_object": {"values": ["other"], "weights": [1]}}}"#;
    let found: Vec<String> =
        judged(&format!("{between},{exists},{unlike}")).judgements.iter().map(|one| one.found()).collect();
    assert_eq!(found, ["not as expected", "not there", "no finite divergence"]);
    // Nor is anything shown of a whole column or table.
    let plain = |kind: &str, more: &str| {
        format!(r#"{{"type": "expect_{kind}", "kwargs": {{{more} "result_format": "BOOLEAN_ONLY"}}}}"#)
    };
    let kinds = [
        ("column_max_to_be_between", r#""column": "tenure", "max_value": 1,"#),
        ("column_mean_to_be_between", r#""column": "tenure", "max_value": 1,"#),
        ("column_distinct_values_to_be_in_set", r#""column": "tenure", "value_set": [1],"#),
        ("table_row_count_to_be_between", r#""max_value": 1,"#),
        ("table_columns_to_match_set", r#""column_set": ["tenure"],"#),
    ];
    let asked = kinds.map(|(kind, more)| plain(kind, more));
    let results =
        judged(&asked.join(",")).judgements.into_iter().map(|judgement| (judgement.result, judgement.exception));
    assert_eq!(results.collect::<Vec<_>>(), vec![(serde_json::Map::new(), None); 5]);
    let column = Column::Float(Float64Array::from(vec![1.0, f64::INFINITY]));
    let table = Table::new(vec![("a".to_owned(), column)], 2).unwrap();
    let largest = suite(r#"{"type": "expect_column_max_to_be_between", "kwargs": {"column": "a", "max_value": 2}}"#);
    assert_eq!(validate(&largest, &table, &Options::default()).judgements[0].found(), "inf");
}

#[test]
fn a_part_of_a_table_is_enough_where_the_suite_looks_at_no_more() {
    let text = r#"
        {"type": "expect_table_columns_to_match_ordered_list",
         "kwargs": {"column_list": ["contract", "tenure", "charges", "seen"]}},
        {"type": "expect_table_column_count_to_equal", "kwargs": {"value": 4}},
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 12}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "tenure", "max_value": 8,
         "row_condition": "contract == 'yearly'", "condition_parser": "pandas",
         "result_format": {"result_format": "COMPLETE", "unexpected_index_column_names": ["charges"]}}}"#;
    let asked = suite(text);
    assert_eq!(asked.columns().unwrap().iter().collect::<Vec<_>>(), ["charges", "contract", "tenure"]);
    let names = ["contract", "tenure", "charges", "seen"].map(str::to_owned).to_vec();
    let some = Table::new(small_columns().into_iter().filter(|(name, _)| name != "seen").collect(), 12).unwrap();
    let whole = validate(&asked, &small(), &Options::default());
    assert_eq!(whole.met(), 3);
    assert_eq!(validate(&asked, &some.among(names), &Options::default()).to_json(), whole.to_json());
    let sql = r#"{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "contract",
        "row_condition": "charges > 3", "condition_parser": "sql"}}"#;
    assert_eq!(suite(sql).columns(), None);
}
