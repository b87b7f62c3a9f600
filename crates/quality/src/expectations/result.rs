//! What judging a suite gives, in the form of Great Expectations.

use serde_json::{Map, Value as Json, json};

use super::suite::{Expectation, Severity, Suite, VERSION};
use super::value::Value;

/// How many values a list shows at most where not all are asked for.
const PARTIAL: usize = 20;

/// How many unexpected values are listed at most, whatever is asked for.
pub(crate) const MOST_LISTED: usize = 200;

/// Says how much a result tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only whether it is as expected.
    BooleanOnly,
    /// Counts, shares and some values.
    Basic,
    /// How often each of these values occurs, too, and in which rows.
    Summary,
    /// All of it.
    Complete,
}

/// Says what a result holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFormat {
    /// How much it tells.
    pub detail: Detail,
    /// How many values the partial lists show.
    pub partial: usize,
    /// Columns whose values name a row; where there are none, rows are counted from 0.
    pub index_columns: Vec<String>,
    /// Whether unexpected values stay out, as where they are confidential.
    pub without_values: bool,
}

impl Default for ResultFormat {
    fn default() -> ResultFormat {
        ResultFormat { detail: Detail::Summary, partial: PARTIAL, index_columns: Vec::new(), without_values: false }
    }
}

impl ResultFormat {
    /// Reads the argument `result_format`: a name, or an object with one.
    ///
    /// # Errors
    /// Another form, or another name; says what is wanted.
    pub fn of(value: &Value) -> Result<ResultFormat, String> {
        let name = value.get("result_format").unwrap_or(value).as_text().unwrap_or_default();
        let detail = match name {
            "BOOLEAN_ONLY" => Detail::BooleanOnly,
            "BASIC" => Detail::Basic,
            "SUMMARY" => Detail::Summary,
            "COMPLETE" => Detail::Complete,
            _ => return Err("BOOLEAN_ONLY, BASIC, SUMMARY or COMPLETE is expected".to_owned()),
        };
        let partial = value.get("partial_unexpected_count").and_then(Value::as_number).unwrap_or(PARTIAL as f64);
        let index_columns = value.get("unexpected_index_column_names").and_then(Value::as_texts).unwrap_or_default();
        Ok(ResultFormat {
            detail,
            partial: partial.max(0.0) as usize,
            index_columns: index_columns.into_iter().map(str::to_owned).collect(),
            without_values: value.get("exclude_unexpected_values") == Some(&Value::Bool(true)),
        })
    }
}

/// Holds what judging one expectation gave.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// What was expected.
    pub expectation: Expectation,
    /// Whether it is met; a judgement that failed is none.
    pub success: bool,
    /// What was found, in the form of Great Expectations; empty where judging failed.
    pub result: Map<String, Json>,
    /// Why judging failed, if it did.
    pub exception: Option<String>,
}

/// Holds what judging a suite gave.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The suite's name.
    pub suite: String,
    /// The judgements in the order of the suite.
    pub judgements: Vec<Judgement>,
}

impl Validation {
    pub(crate) fn of(suite: &Suite, judgements: Vec<Judgement>) -> Validation {
        Validation { suite: suite.name().to_owned(), judgements }
    }

    /// Counts the expectations that are met.
    pub fn met(&self) -> usize {
        self.judgements.iter().filter(|judgement| judgement.success).count()
    }

    /// Gives the judgements that are not met, of one severity.
    pub fn failed(&self, severity: Severity) -> impl Iterator<Item = &Judgement> {
        let of_severity = move |judgement: &&Judgement| judgement.expectation.severity() == severity;
        self.judgements.iter().filter(|judgement| !judgement.success).filter(of_severity)
    }

    /// Gives the result of Great Expectations, without what differs from run to run: no time, no id, no path.
    pub fn to_json(&self) -> Json {
        let (total, met) = (self.judgements.len(), self.met());
        let percent = if total == 0 { Json::Null } else { json!(met as f64 / total as f64 * 100.0) };
        json!({
            "success": met == total,
            "results": self.judgements.iter().map(Judgement::to_json).collect::<Vec<_>>(),
            "suite_name": self.suite,
            "suite_parameters": {},
            "statistics": {
                "evaluated_expectations": total,
                "successful_expectations": met,
                "unsuccessful_expectations": total - met,
                "success_percent": percent,
            },
            "meta": { "great_expectations_version": VERSION },
            "id": null,
        })
    }
}

impl Judgement {
    /// Gives it in the form of Great Expectations.
    pub fn to_json(&self) -> Json {
        let expectation = &self.expectation;
        let arguments: Map<String, Json> =
            expectation.arguments().iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
        let mut config = json!({
            "type": expectation.name(),
            "kwargs": arguments,
            "meta": expectation.other("meta").map_or_else(|| json!({}), Value::to_json),
            "severity": expectation.severity().name(),
        });
        if let Some(id) = expectation.other("id").filter(|id| **id != Value::Null) {
            config["id"] = id.to_json();
        }
        json!({
            "success": self.success,
            "expectation_config": config,
            "result": self.result,
            "meta": {},
            "exception_info": {
                "raised_exception": self.exception.is_some(),
                "exception_traceback": null,
                "exception_message": self.exception,
            },
        })
    }

    /// Says in one line what is expected and what was found.
    pub fn told(&self) -> String {
        let name = self.expectation.name();
        let hidden = ["batch_id", "result_format", "catch_exceptions", "condition_parser"];
        let arguments = self.expectation.arguments().iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
        let arguments: Vec<String> = arguments.map(|(name, value)| format!("{name} {}", brief(value))).collect();
        let what = name.strip_prefix("expect_").unwrap_or(&name).replace('_', " ");
        format!("{what} ({}): {}", arguments.join(", "), self.found())
    }

    /// Says what was found, in a few words: counts and values, or the observed value.
    pub fn found(&self) -> String {
        if let Some(exception) = &self.exception {
            return exception.clone();
        }
        if let Some(Json::Number(unexpected)) = self.result.get("unexpected_count")
            && let Some(Json::Number(rows)) = self.result.get("element_count")
        {
            let count = |number: &serde_json::Number| trainyard_diagnostics::count(number.as_u64().unwrap_or(0));
            if unexpected.as_u64() == Some(0) {
                return format!("all {} rows", count(rows));
            }
            let rows = format!("{} of {} rows", count(unexpected), count(rows));
            return match self.examples(5) {
                examples if examples.is_empty() => rows,
                examples => format!("{rows}: {examples}"),
            };
        }
        let listed = ["unexpected", "missing"].into_iter().filter_map(|what| {
            let list = self.result.get(&format!("partial_{what}_list"))?.as_array()?;
            if list.is_empty() { None } else { Some(format!("{what} {}", shown(list, 5))) }
        });
        let listed: Vec<_> = listed.collect();
        if !listed.is_empty() {
            return listed.join(", ");
        }
        if let Some(Json::Object(mismatched)) = self.result.get("details").and_then(|details| details.get("mismatched"))
        {
            let parts =
                mismatched.iter().filter_map(|(what, list)| Some(format!("{what} {}", shown(list.as_array()?, 5))));
            return parts.collect::<Vec<_>>().join(", ");
        }
        let is_divergence =
            self.result.get("details").is_some_and(|details| details.get("observed_partition").is_some());
        match self.result.get("observed_value") {
            Some(Json::Array(list)) => shown(list, 5),
            Some(Json::Object(quantiles)) => {
                quantiles.get("values").and_then(Json::as_array).map_or(String::new(), |list| shown(list, 5))
            }
            Some(Json::Null) if is_divergence => "no finite divergence".to_owned(),
            Some(Json::Null) => "no value".to_owned(),
            Some(value) => plain(value),
            None => {
                let words = match self.expectation.definition.name {
                    "column_to_exist" => ["there", "not there"],
                    // The result holds nothing else, as with BOOLEAN_ONLY.
                    _ => ["as expected", "not as expected"],
                };
                words[usize::from(!self.success)].to_owned()
            }
        }
    }

    fn examples(&self, most: usize) -> String {
        let mut examples: Vec<Json> = Vec::new();
        for value in self.result.get("partial_unexpected_list").and_then(Json::as_array).into_iter().flatten() {
            if !examples.contains(value) {
                examples.push(value.clone());
            }
        }
        shown(&examples, most)
    }
}

/// Writes an argument, a long one cut off.
fn brief(value: &Value) -> String {
    let text = value.to_json().to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(59).chain(['…']).collect() }
}

/// Writes a value; an infinite number, which JSON has as a text, without quotes.
fn plain(value: &Json) -> String {
    match value.as_str() {
        Some(infinite @ ("inf" | "-inf")) => infinite.to_owned(),
        _ => value.to_string(),
    }
}

fn shown(list: &[Json], most: usize) -> String {
    let mut text = list.iter().take(most).map(plain).collect::<Vec<_>>().join(", ");
    if list.len() > most {
        text.push_str(", …");
    }
    text
}
