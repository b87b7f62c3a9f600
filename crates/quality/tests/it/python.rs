//! Dates, formats, patterns and JSON schemas as Python's own libraries answer them.

use arrow_array::LargeStringArray;
use serde_json::{Value as Json, json};
use trainyard_quality::expectations::{Column, Detail, Options, ResultFormat, Suite, Table, validate};

/// Gives for each text whether the expectation holds for it.
fn held(kind: &str, arguments: &Json, texts: &[String]) -> Result<Vec<bool>, String> {
    let mut arguments = arguments.clone();
    arguments["column"] = json!("text");
    let suite = json!({"name": "one", "expectations": [{"type": kind, "kwargs": arguments}]}).to_string();
    let suite = Suite::read(&suite, "one.json").map_err(|problems| format!("{problems:?}"))?;
    let column = Column::Text(texts.iter().map(Some).collect::<LargeStringArray>());
    let table = Table::new(vec![("text".to_owned(), column)], texts.len()).unwrap();
    let result_format = ResultFormat { detail: Detail::Complete, ..ResultFormat::default() };
    let validation = validate(&suite, &table, &Options { result_format, ..Options::default() });
    let judgement = &validation.judgements[0];
    if let Some(exception) = &judgement.exception {
        return Err(exception.clone());
    }
    let unexpected = judgement.result["unexpected_index_list"].as_array().unwrap();
    Ok((0..texts.len()).map(|row| !unexpected.contains(&json!(row))).collect())
}

fn compare(judge: &str, script: &str, kind: &str, name: &str, cases: &[(Json, Vec<String>)]) {
    let Some(judge) = trainyard_judges::python(judge) else {
        return;
    };
    let data: Vec<Json> = cases.iter().map(|(argument, texts)| json!([argument, texts])).collect();
    let answers = judge.run(script, &json!(data));
    let mut wrong = Vec::new();
    for ((argument, texts), answer) in cases.iter().zip(answers.as_array().unwrap()) {
        let arguments = if name.is_empty() { json!({}) } else { json!({ name: argument }) };
        let found = held(kind, &arguments, texts).unwrap_or_else(|error| panic!("{argument}: {error}"));
        let expected = answer.as_array().unwrap();
        for ((text, found), expected) in texts.iter().zip(found).zip(expected) {
            if json!(found) != *expected {
                wrong.push(format!("{argument} {text:?}: {found} here, {expected} there"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn dates_are_those_of_dateutil() {
    let script = r#"
from dateutil.parser import parse
def holds(text):
    try:
        parse(text)
        return True
    except (ValueError, OverflowError):
        return False
answer = [[holds(text) for text in texts] for _, texts in data]
"#;
    let mut all = texts(&[
        "2019-04-01",
        "2019-4-1",
        "2019/04/01",
        "01/02/2019",
        "13/02/2019",
        "02/13/2019",
        "13/13/2019",
        "31.12.2019",
        "1.2.2010",
        "20190401",
        "20190401T1230",
        "20190401123000",
        "190401",
        "2019-04-01T12:30:15",
        "2019-04-01 12:30",
        "2019-04-01T12:30:15.123456Z",
        "2019-04-01T12:30:15+02:00",
        "2019-04-01T12:30:15 +0200",
        "12:30",
        "12:30:61",
        "25:00",
        "3pm",
        "3 pm",
        "13 pm",
        "12am Jan 3",
        "Jan 1 1970 12:00:01",
        "1 January 2020",
        "Jan 2020",
        "Sept 3, 2011",
        "Monday",
        "Mon, 2 Jan 2006 15:04:05 GMT",
        "2 Jan 06",
        "January 32",
        "Feb 30 2020",
        "Feb 29 2019",
        "Feb 29 2020",
        "2019-02-30",
        "2019-00-10",
        "cat",
        "dog",
        "",
        " ",
        ",",
        "at",
        "and",
        "10",
        "32",
        "99",
        "100",
        "1234",
        "12345",
        "123456",
        "1234567",
        "12345678",
        "123456789",
        "1.5",
        "10,5",
        "2020-W01",
        "2020-001",
        "10h36m28.5s",
        "10 h 36",
        "2003-09-25T10:49:41.5-03:00",
        "Thu Sep 25 2003",
        "Sep 2003",
        "Sep of 2003",
        "jan of 99",
        "10-09-2003",
        "10 09 03",
        "03 10 09",
        "0:01:02",
        "12h 01m02s am",
        "1976-07-04T00:01:02Z",
        "Tuesday, April 12, 1952 AD 3:30:42pm PST",
        "a.m. 3",
        "3a.m",
        "2019-04-01-05",
        "1-2-3-4",
        "2019--04",
        "//",
        "2019-04-",
        "June 31",
        "4th of July",
        "1st",
        "2nd x",
        "nan",
        "inf",
        "None",
        "null",
        "true",
        "½",
        "2019-04-01T",
        "T12",
        "UTC",
        "12:30 UTC",
        "12:30 EST+3",
        "12:30 GMT+3",
        "2019-04-01 12:30 (UTC)",
        "12:30 -0300 (BRST)",
        "1e5",
        "1_000",
        "12:",
        ":12",
        "12:3:4:5",
    ]);
    for month in ["jan", "February", "DEC", "sept", "octo"] {
        for shape in ["{m} 5 2020", "5 {m} 2020", "2020 {m} 5", "5-{m}-2020", "{m}-05-2020", "{m}/5/20", "{m}2020"] {
            all.push(shape.replace("{m}", month));
        }
    }
    compare("core", script, "expect_column_values_to_be_dateutil_parseable", "", &[(Json::Null, all)]);
}

#[test]
fn formats_are_those_of_strptime() {
    let script = r#"
from datetime import datetime
def holds(text, form):
    try:
        datetime.strptime(text, form)
        return True
    except ValueError:
        return False
answer = [[holds(text, form) for text in texts] for form, texts in data]
"#;
    let all = texts(&[
        "2019-04-01",
        "2019-4-1",
        "2019-13-01",
        "2019-02-30",
        "20190401",
        "01/02/2019",
        "1/2/19",
        "12:30:15",
        "12:30:61",
        "24:00:00",
        "12:30 PM",
        "13:30 PM",
        "Jan 05 2020",
        "january 5 2020",
        "Mon Jan  5 12:00:00 2020",
        " 2019-04-01",
        "2019-04-01 ",
        "2019-04-01T12:30:15.123",
        "2019-04-01T12:30:15.1234567",
        "+0200",
        "Z",
        "-02:30",
        "2020 366",
        "2019 366",
        "2019-04-0١",
        "5%",
        "",
    ]);
    let formats = [
        "%Y-%m-%d",
        "%Y%m%d",
        "%d/%m/%Y",
        "%m/%d/%y",
        "%H:%M:%S",
        "%I:%M %p",
        "%b %d %Y",
        "%B %d %Y",
        "%c",
        "%x",
        "%X",
        "%Y-%m-%dT%H:%M:%S.%f",
        "%z",
        "%Y %j",
        "%d%%",
        "%Y-%m-%d ",
    ];
    let cases: Vec<_> = formats.iter().map(|format| (json!(format), all.clone())).collect();
    compare("core", script, "expect_column_values_to_match_strftime_format", "strftime_format", &cases);
}

#[test]
fn patterns_are_those_of_re() {
    let script = r#"
import re
answer = [[re.search(pattern, text) is not None for text in texts] for pattern, texts in data]
"#;
    let all = texts(&[
        "",
        "a",
        "ab",
        "abc",
        "b\n",
        "a\nb",
        "ab\n",
        "ab\n\n",
        "7590-VHVEG",
        "x@y.org",
        "é",
        "É",
        "١٢",
        "a b",
        "[x]",
        "a-b",
        "aaa",
        "foobar",
        "barfoo",
        "\t",
        "_",
        "a&&b",
    ]);
    let patterns = [
        "^a",
        "b$",
        r"\Aab\Z",
        r"^\w+$",
        r"^\d{4}-[A-Z]{5}$",
        "(?i)^é$",
        r"^(?P<x>a)(?P=x)",
        "foo(?=bar)",
        "(?<!bar)foo",
        "a{,2}b",
        "^.$",
        "(?s)^a.b$",
        "(?m)^b$",
        r"[[x]",
        r"[]x]",
        r"[^]x]+",
        r"[a&&b]",
        r"[a\-z]",
        r"\bb\b",
        r"^\s$",
        "a|b",
        "",
        "(a)(b)?",
        r"(?:ab)+",
        r"a+?b",
        r"[\w-]+@[\w.]+",
        r"^[^\W\d_]+$",
        r"\.",
        "(?x) a b # c",
    ];
    let cases: Vec<_> = patterns.iter().map(|pattern| (json!(pattern), all.clone())).collect();
    compare("core", script, "expect_column_values_to_match_regex", "regex", &cases);
}

#[test]
fn schemas_are_those_of_jsonschema() {
    let script = r#"
import jsonschema
def holds(text, schema):
    try:
        jsonschema.validate(json.loads(text), schema)
        return True
    except jsonschema.ValidationError:
        return False
answer = [[holds(text, schema) for text in texts] for schema, texts in data]
"#;
    let all = texts(&[
        "1",
        "1.0",
        "1.5",
        "-3",
        "\"abc\"",
        "\"\"",
        "null",
        "true",
        "[]",
        "[1, 2, 2]",
        "[1, \"a\"]",
        "{}",
        "{\"a\": 1}",
        "{\"a\": \"x\", \"b\": 2}",
        "{\"b\": [1, {\"a\": null}]}",
        "{\"x-1\": 5}",
        "[1, 1.0]",
        "[[1], [1]]",
        "\"é\"",
        "[1, \"a\", \"a\"]",
        "[\"a\", 1, \"a\", 7]",
        "{\"a\": 1, \"x-1\": 2, \"c\": 3}",
        "{\"a\": 1, \"x-1\": 2}",
        "{\"c\": \"x\"}",
        "9007199254740992",
        "9007199254740993",
        "[9007199254740992, 9007199254740993]",
        "[{\"a\": 1, \"b\": 2}, {\"b\": 2.0, \"a\": 1}]",
        "0.3",
        "1e308",
    ]);
    let four = "http://json-schema.org/draft-04/schema#";
    let seven = "http://json-schema.org/draft-07/schema#";
    let schemas = [
        json!({}),
        json!({"type": "integer"}),
        json!({"type": ["string", "null"]}),
        json!({"minimum": 0, "exclusiveMaximum": 1.5}),
        json!({"multipleOf": 0.5}),
        json!({"enum": [1, "abc", null]}),
        json!({"const": 1}),
        json!({"minLength": 1, "maxLength": 2}),
        json!({"pattern": "^a"}),
        json!({"uniqueItems": true}),
        json!({"items": {"type": "integer"}, "minItems": 1}),
        json!({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}),
        json!({"contains": {"const": "a"}}),
        json!({"required": ["a"]}),
        json!({"properties": {"a": {"type": "integer"}}, "additionalProperties": false}),
        json!({"patternProperties": {"^x-": {"maximum": 3}}}),
        json!({"propertyNames": {"maxLength": 1}}),
        json!({"minProperties": 1, "maxProperties": 1}),
        json!({"anyOf": [{"type": "null"}, {"minimum": 1}]}),
        json!({"allOf": [{"type": "number"}, {"minimum": 1}]}),
        json!({"oneOf": [{"type": "number"}, {"minimum": 1}]}),
        json!({"not": {"type": "object"}}),
        json!({"if": {"type": "object"}, "then": {"required": ["b"]}, "else": {"type": "number"}}),
        json!({"$defs": {"n": {"type": "number"}}, "$ref": "#/$defs/n"}),
        json!({"dependentRequired": {"a": ["b"]}}),
        json!({"dependentSchemas": {"a": {"required": ["b"], "maxProperties": 2}}}),
        json!({"contains": {"const": "a"}, "minContains": 2}),
        json!({"contains": {"type": "integer"}, "maxContains": 1}),
        json!({"contains": {"const": "z"}, "minContains": 0}),
        json!({"properties": {"a": {}}, "unevaluatedProperties": false}),
        json!({"allOf": [{"properties": {"a": {}}}], "patternProperties": {"^x-": {}}, "unevaluatedProperties": false}),
        json!({"anyOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {}}}],
            "unevaluatedProperties": false}),
        json!({"if": {"required": ["x-1"]}, "then": {"properties": {"a": {}, "x-1": {}}},
            "else": {"properties": {"c": {}}}, "unevaluatedProperties": {"type": "integer"}}),
        json!({"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"a": {}, "b": {}}}}, "unevaluatedProperties": false}),
        json!({"prefixItems": [{"type": "integer"}], "unevaluatedItems": false}),
        json!({"prefixItems": [{}], "contains": {"const": "a"}, "unevaluatedItems": false}),
        json!({"$ref": "#/$defs/n", "$defs": {"n": {"prefixItems": [{}, {}]}}, "unevaluatedItems": {"const": "a"}}),
        json!({"$ref": "#whole", "$defs": {"n": {"$anchor": "whole", "type": "integer"}}}),
        json!({"$dynamicRef": "#node", "$defs": {"n": {"$dynamicAnchor": "node", "type": "object"}}}),
        json!({"$id": "https://example.org/s", "$ref": "https://example.org/s#/$defs/a%25b",
            "$defs": {"a%b": {"type": "array"}}}),
        json!({"$defs": {"list": {"type": ["array", "integer"], "items": {"$ref": "#/$defs/list"}}},
            "$ref": "#/$defs/list"}),
        json!({"minimum": 9_007_199_254_740_993_i64}),
        json!({"const": 9_007_199_254_740_993_i64}),
        json!({"multipleOf": 3}),
        json!({"multipleOf": 0.1}),
        json!({"multipleOf": 1e-300}),
        json!({"$schema": seven, "definitions": {"n": {"type": "number"}}, "$ref": "#/definitions/n", "maximum": 0}),
        json!({"$schema": seven, "dependencies": {"a": ["b"], "c": {"minProperties": 2}}}),
        json!({"$schema": four, "minimum": 1, "exclusiveMinimum": true, "type": "integer"}),
        json!({"title": "t", "format": "date", "x-owner": "me", "$comment": "c", "default": 1}),
    ];
    let cases: Vec<_> = schemas.iter().map(|schema| (schema.clone(), all.clone())).collect();
    compare("core", script, "expect_column_values_to_match_json_schema", "json_schema", &cases);
}

#[test]
fn json_is_that_of_json_loads() {
    let script = r#"
def holds(text):
    try:
        json.loads(text)
        return True
    except (ValueError, RecursionError):
        return False
answer = [[holds(text) for text in texts] for _, texts in data]
"#;
    let mut all = texts(&[
        "{\"a\": 1, \"a\": 2}",
        r#""\ud83d""#,
        r#""\ud83d\u0041""#,
        r#""\ud83d\ude00""#,
        r#""\ud83d\u00""#,
        r#""\ud83d\x""#,
        r#""\ude00""#,
        r#""\u12G4""#,
        "\"\t\"",
        "\"a\u{7f}\"",
        "[NaN, -Infinity]",
        "+1",
        "01",
        "-0",
        "1.",
        ".5",
        "1e5",
        "1E+400",
        "[1,]",
        "{\"a\":1,}",
        "{'a': 1}",
        "\u{feff}{}",
        " {} ",
        "\u{a0}1",
        "[]]",
        "nul",
        "True",
        "",
        "12345678901234567890123",
    ]);
    for depth in [500, 200_000] {
        all.push(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    }
    all.extend([4300, 4301].map(|digits| "7".repeat(digits)));
    all.push(format!("-{}", "7".repeat(4300)));
    compare("core", script, "expect_column_values_to_be_json_parseable", "", &[(Json::Null, all)]);
}
