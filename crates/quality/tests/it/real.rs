//! The real Great Expectations, on a real table: it takes our suites, and finds what we find.

use std::fs;

use serde_json::{Value as Json, json};
use trainyard_quality::expectations::{Options, Suite, Table, propose, validate};

const SUITE: &str = r#"{"name": "telco", "expectations": [
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 7000, "max_value": 8000}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "customerID"}},
    {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "customerID", "regex": "^\\d{4}-[A-Z]{5}$"}},
    {"type": "expect_column_values_to_be_between",
      "kwargs": {"column": "tenure", "min_value": 1, "max_value": 70, "mostly": 0.9}},
    {"type": "expect_column_values_to_be_in_set",
      "kwargs": {"column": "Contract", "value_set": ["Two year", "One year"]}},
    {"type": "expect_column_mean_to_be_between",
      "kwargs": {"column": "MonthlyCharges", "min_value": 60, "max_value": 64}},
    {"type": "expect_column_stdev_to_be_between", "kwargs": {"column": "MonthlyCharges", "max_value": 30}},
    {"type": "expect_column_median_to_be_between", "kwargs": {"column": "tenure", "min_value": 29, "max_value": 30}},
    {"type": "expect_column_quantile_values_to_be_between", "kwargs": {"column": "MonthlyCharges",
      "quantile_ranges": {"quantiles": [0.1, 0.5, 0.9], "value_ranges": [[20, 21], [70, 71], [102, null]]}}},
    {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "Contract", "threshold": 0.1,
      "partition_object": {"values": ["Month-to-month", "One year", "Two year"], "weights": [0.5, 0.2, 0.3]}}},
    {"type": "expect_column_value_z_scores_to_be_less_than",
      "kwargs": {"column": "tenure", "threshold": 1.5, "double_sided": true}},
    {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "PaymentMethod", "max_value": 16}},
    {"type": "expect_column_pair_values_a_to_be_greater_than_b",
      "kwargs": {"column_A": "tenure", "column_B": "MonthlyCharges"}},
    {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["tenure", "MonthlyCharges"]}},
    {"type": "expect_column_most_common_value_to_be_in_set",
      "kwargs": {"column": "Contract", "value_set": ["Month-to-month"]}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "tenure", "min_value": 12,
      "row_condition": "Contract == 'Two year' and MonthlyCharges < 100", "condition_parser": "pandas"}}
]}"#;

const SCRIPT: &str = r#"
import logging, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
import pandas as pd, great_expectations as gx
from great_expectations.core.expectation_suite import ExpectationSuite
path, suites = data
frame = pd.read_csv(path, na_values=[" "])
for name in frame.columns:
    if not pd.api.types.is_numeric_dtype(frame[name]):
        frame[name] = frame[name].astype(object)
context = gx.get_context(mode="ephemeral")
source = context.data_sources.add_pandas("source").add_dataframe_asset("table")
batch = source.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
answer = []
for suite in suites:
    suite = json.loads(suite)
    suite = ExpectationSuite(**suite)
    found = batch.validate(suite).to_json_dict()["results"]
    answer.append([
        [r["expectation_config"]["type"], r["expectation_config"]["kwargs"], r["success"], r["result"]] for r in found
    ])
"#;

fn near(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= 1e-9 * left.abs().max(1.0)
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| near(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| near(value, other)))
        }
        _ => left == right,
    }
}

#[test]
fn the_real_tool_takes_our_suites_and_finds_what_we_find() {
    let (Some(path), Some(judge)) =
        (trainyard_judges::shared("data/telco_churn/customers.csv"), trainyard_judges::python("quality"))
    else {
        return;
    };
    let bytes = fs::read(&path).unwrap();
    let batch = trainyard_data::read_csv_bytes(&bytes, "customers.csv", &Default::default()).unwrap();
    let table = Table::of(&batch);
    let suites = [Suite::read(SUITE, "telco.json").unwrap(), propose("customers", &table)];
    let written: Vec<String> = suites.iter().map(Suite::write).collect();
    let answers = judge.run(SCRIPT, &json!([path, written]));
    for (suite, answers) in suites.iter().zip(answers.as_array().unwrap()) {
        let validation = validate(suite, &table, &Options::default());
        let answers = answers.as_array().unwrap();
        assert_eq!(validation.judgements.len(), answers.len());
        for judgement in &validation.judgements {
            let expectation = &judgement.expectation;
            let is_same = |answer: &&Json| {
                // The tool adds the batch and takes integers for doubles.
                let given = expectation.arguments().iter().filter(|(name, _)| name != "row_condition");
                answer[0] == json!(expectation.name())
                    && given.clone().all(|(name, value)| near(&value.to_json(), &answer[1][name]))
                    && (answer[1].get("row_condition").is_some_and(|condition| !condition.is_null()))
                        == expectation.arguments().iter().any(|(name, _)| name == "row_condition")
            };
            let answer = answers.iter().find(is_same).unwrap_or_else(|| panic!("no answer for {}", judgement.told()));
            let told = judgement.told();
            assert_eq!(json!(judgement.success), answer[2], "{told}: {answer}");
            let expected = answer[3].as_object().unwrap();
            for (key, expected) in expected {
                // Where many values are listed, the tool counts those of the list, as we do, but orders ties otherwise.
                let found = judgement.result.get(key).unwrap_or(&Json::Null);
                assert!(near(expected, found), "{told}: {key}: expected {expected}, found {found}");
            }
        }
    }
}
