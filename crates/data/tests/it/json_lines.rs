//! JSON lines: what becomes of values, what is refused and how that is said.

use serde_json::json;
use trainyard_data::{Error, ReadOptions};
use trainyard_spec::ColumnType;

use crate::given::{read_bytes, types, values};

fn lines(text: &str) -> arrow_array::RecordBatch {
    read_bytes("rows.jsonl", text.as_bytes(), &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &[u8], options: &ReadOptions) -> Error {
    read_bytes("rows.ndjson", text, options).expect_err("it is refused")
}

fn typed(column: &str, kind: ColumnType) -> ReadOptions {
    ReadOptions { types: [(column.to_owned(), kind)].into(), ..ReadOptions::default() }
}

#[test]
fn values_keep_their_types_and_absent_keys_are_missing() {
    let table = lines(
        "\u{feff}{\"id\": \"007\", \"n\": 1, \"x\": 1, \"ok\": true, \"day\": \"2024-02-29\", \"none\": null}\n\
         {\"x\": 0.5, \"id\": \"8\", \"late\": \"2024-01-01 10:00\"}\r\n\
         \n\
         {\"n\": -3, \"ok\": false, \"x\": 1e3, \"day\": \" \", \"id\": \"\"}",
    );
    let expected = [
        ("day", "Date32"),
        ("id", "LargeUtf8"),
        ("late", "Timestamp(µs)"),
        ("n", "Int64"),
        ("none", "LargeUtf8"),
        ("ok", "Boolean"),
        ("x", "Float64"),
    ];
    assert_eq!(types(&table), expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into());
    assert_eq!(values(&table, "id"), [json!("007"), json!("8"), json!(null)]);
    assert_eq!(values(&table, "n"), [json!(1), json!(null), json!(-3)]);
    assert_eq!(values(&table, "x"), [json!(1.0), json!(0.5), json!(1000.0)]);
    assert_eq!(values(&table, "ok"), [json!(true), json!(null), json!(false)]);
    assert_eq!(values(&table, "day"), [json!("2024-02-29"), json!(null), json!(null)]);
    assert_eq!(values(&table, "late"), [json!(null), json!("2024-01-01 10:00:00"), json!(null)]);
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "n", "x", "ok", "day", "none", "late"], "in the order in which they came");
}

#[test]
fn a_line_ends_at_a_line_feed_alone() {
    // What Python's splitlines, and some readers of lines, take for ends of lines.
    let odd = "a\u{2028}b\u{2029}c\u{85}d\u{1c}e\u{b}f\u{c}g";
    let text = format!("{}\n{}\n", json!({ "body": odd }), json!({"body": "x"}));
    let raw = text.replace("\\u001c", "").replace("\\u000b", "").replace("\\f", "");
    assert!(raw.contains('\u{2028}') && raw.contains('\u{85}'));
    assert_eq!(values(&lines(&text), "body"), [json!(odd), json!("x")]);
    assert_eq!(lines(&raw).num_rows(), 2);
}

#[test]
fn dates_are_looked_for_in_all_rows_and_numbers_in_quotes_stay_text() {
    let rows: String =
        (0..1500).map(|row| format!("{{\"d\": \"2024-01-0{}\", \"n\": \"{row}\"}}\n", row % 9 + 1)).collect();
    let table = lines(&format!("{rows}{{\"d\": \"soon\", \"n\": \"1,234.5\"}}\n"));
    assert_eq!(types(&table), [("d", "LargeUtf8"), ("n", "LargeUtf8")].map(|(a, b)| (a.into(), b.into())).into());
    let zones = lines("{\"t\": \"2024-01-01T00:00:00+02:00\"}\n{\"t\": \"2024-01-01T00:00:00Z\"}\n");
    assert_eq!(values(&zones, "t")[0], json!("2024-01-01T00:00:00+02:00"), "no zone is thrown away");
}

#[test]
fn a_declared_type_takes_what_its_text_says() {
    let text = "{\"a\": \"5\", \"b\": {\"x\": [1, 2.50]}}\n{\"a\": 7, \"b\": null}\n{\"a\": 8.0}\n";
    let table = read_bytes(
        "r.jsonl",
        text.as_bytes(),
        &ReadOptions {
            types: [("a".to_owned(), ColumnType::Integer), ("b".to_owned(), ColumnType::Text)].into(),
            ..ReadOptions::default()
        },
    );
    let table = table.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(values(&table, "a"), [json!(5), json!(7), json!(8)]);
    assert_eq!(values(&table, "b")[0], json!("{\"x\":[1,2.5]}"));
    let dropped = ReadOptions { drop: vec!["b".to_owned()], ..typed("a", ColumnType::Text) };
    let table = read_bytes("r.jsonl", text.as_bytes(), &dropped).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(types(&table), [("a".to_owned(), "LargeUtf8".to_owned())].into());
    let missing = ReadOptions { missing: vec!["7".to_owned(), "?".to_owned()], ..ReadOptions::default() };
    let table = read_bytes("r.jsonl", b"{\"a\": 7, \"b\": \"?\"}\n{\"a\": 8, \"b\": \"x\"}\n", &missing);
    let table = table.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (values(&table, "a"), values(&table, "b")),
        (vec![json!(null), json!(8)], vec![json!(null), json!("x")])
    );
}

#[test]
fn what_is_wrong_names_its_line() {
    let options = ReadOptions::default();
    let line = |error: &Error| match error {
        Error::JsonLine { line, .. }
        | Error::NotObject { line, .. }
        | Error::Nested { line, .. }
        | Error::RepeatedKey { line, .. }
        | Error::TooManyColumns { line, .. }
        | Error::Type { line, .. } => (line.number, line.text[line.span.clone()].to_owned()),
        Error::EmptyName { line: Some(line), .. } => (line.number, line.text[line.span.clone()].to_owned()),
        other => panic!("{other:?}"),
    };
    let cases: [(&str, &str, usize, &str); 9] = [
        ("data/json-line", "{\"a\": 1}\n\n{\"a\": }\n", 3, "}"),
        ("data/json-line", "{\"a\": 1}\n{\"a\": NaN}\n", 2, "N"),
        ("data/json-line", "{\"a\": \"half\n", 1, "f"),
        ("data/not-an-object", "{\"a\": 1}\n[1, 2]\n", 2, "[1, 2]"),
        ("data/not-an-object", "3\n", 1, "3"),
        ("data/nested-value", "{\"a\": 1}\n{\"a\": 2, \"b\": [1]}\n", 2, "\"b\""),
        ("data/repeated-key", "{\"a\": 1, \"a\": 2}\n", 1, "\"a\""),
        ("data/type-change", "{\"a\": 1}\n{\"a\": \"x\"}\n", 2, "\"a\""),
        ("data/empty-name", "{\" \": 1}\n", 1, "\" \""),
    ];
    for (code, text, number, span) in cases {
        let error = refused(text.as_bytes(), &options);
        assert_eq!(error.diagnostic().code, code, "{text}");
        assert_eq!(line(&error), (number, span.to_owned()), "{text}");
    }
    let declared = refused(b"{\"a\": 1}\n{\"a\": 1.5}\n", &typed("a", ColumnType::Integer));
    assert_eq!(line(&declared), (2, "\"a\"".to_owned()));
    assert!(declared.to_string().contains("declared integer but holds \"1.5\""), "{declared}");
    assert_eq!(refused(b"{\"a\": 1}\n", &typed("b", ColumnType::Text)).diagnostic().code, "data/unknown-typed-column");
    assert_eq!(refused(b" \n\n", &options).diagnostic().code, "data/empty");
    let broken = refused(b"{\"a\": 1}\n{\"a\": \"M\xfcller\"}\n", &options);
    assert_eq!(broken, Error::Encoding { file: "rows.ndjson".into(), line: 2, byte: 18, utf16: false });
}

#[test]
fn depth_keys_and_length_have_their_limits() {
    let deep = format!("{{\"a\": {}{}}}\n", "[".repeat(200), "]".repeat(200));
    let error = refused(deep.as_bytes(), &typed("a", ColumnType::Text));
    assert!(error.to_string().contains("recursion limit"), "{error}");
    let wide: String = (0..10_001).map(|key| format!("{{\"k{key}\": 1}}\n")).collect();
    assert_eq!(refused(wide.as_bytes(), &ReadOptions::default()).diagnostic().code, "data/too-many-columns");
    let mut long = b"{\"a\": 1}\n{\"a\": \"".to_vec();
    long.resize(65 << 20, b'x');
    long.extend(b"\"}\n");
    let error = refused(&long, &ReadOptions::default());
    assert!(matches!(error, Error::LongRow { line: 2, .. }), "{error:?}");
    // A message shows little of a long line.
    let line = format!("{{\"a\": \"{}\", \"b\": [1]}}\n", "é".repeat(5000));
    let Error::Nested { line, .. } = refused(line.as_bytes(), &ReadOptions::default()) else { panic!("it is nested") };
    assert!(line.text.len() < 400 && line.text[line.span].starts_with("\"b\""));
}

#[test]
fn pandas_reads_the_same() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let rows: Vec<serde_json::Value> = (0..3000)
        .map(|row| {
            let mut value =
                json!({"id": format!("k{row:04}"), "n": row * 7 - 3, "x": f64::from(row) / 8.0, "ok": row % 3 == 0});
            if row % 5 == 0 {
                value["x"] = json!(null);
            }
            if row % 7 == 0 {
                value.as_object_mut().unwrap().remove("id");
            }
            value
        })
        .collect();
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let answer = judge.run(
        "import io, pandas\n\
         table = pandas.read_json(io.StringIO(data), lines=True, convert_dates=False)\n\
         answer = {name: table[name].astype(object).where(table[name].notna(), None).tolist() for name in table.columns}",
        &text.clone().into(),
    );
    let table = lines(&text);
    for name in ["id", "n", "x", "ok"] {
        let expected: Vec<serde_json::Value> = answer[name].as_array().unwrap().clone();
        let float = |value: &serde_json::Value| value.as_f64();
        let same = |a: &serde_json::Value, b: &serde_json::Value| a == b || float(a).is_some() && float(a) == float(b);
        let found = values(&table, name);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| same(a, b)), "{name}");
    }
}
