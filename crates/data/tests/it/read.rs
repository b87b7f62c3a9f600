//! CSV files: what is read, beside pandas where it is there.

use arrow_array::Array;
use serde_json::{Value, json};
use trainyard_data::{ReadOptions, check, read, targets, to_csv};
use trainyard_files::DiskIo;
use trainyard_spec::{ColumnType, Task};

use crate::given::{csv, data_spec, read_bytes, types, values};

#[test]
fn types_are_inferred() {
    let table = csv(
        "b,i,f,t,d,m,n\ntrue,1,1.5,x,2024-02-29,2024-02-29T12:30:00.25,\nFALSE,-7,2,1,1969-12-31,1970-01-01 00:00, \n",
    );
    let expected = [
        ("b", "Boolean"),
        ("i", "Int64"),
        ("f", "Float64"),
        ("t", "LargeUtf8"),
        ("d", "Date32"),
        ("m", "Timestamp(µs)"),
        ("n", "LargeUtf8"),
    ];
    assert_eq!(types(&table), expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into());
    assert_eq!(values(&table, "d"), ["2024-02-29", "1969-12-31"]);
    assert_eq!(values(&table, "m"), ["2024-02-29 12:30:00.250", "1970-01-01 00:00:00"]);
    assert_eq!(values(&table, "n"), [Value::Null, Value::Null]);
}

#[test]
fn what_only_looks_like_a_type_stays_text() {
    let table = csv("d,e,f,g,h\n1-2-3,2023-02-29,infinity,1_000,0x1f\n4-5-6,2023-02-28,1,2,3\n");
    assert!(types(&table).values().all(|kind| kind == "LargeUtf8"), "{:?}", types(&table));
}

#[test]
fn codes_are_text_and_overflow_is_no_infinity() {
    let table = csv("zip,long,float,plain\n00501,12345678901234560001,0.5,0\n10001,12345678901234560002,-0.25,-7\n");
    let kinds = types(&table);
    assert_eq!(
        ["zip", "long", "float", "plain"].map(|name| kinds[name].as_str()),
        ["LargeUtf8", "LargeUtf8", "Float64", "Int64"]
    );
    assert_eq!(values(&table, "zip"), ["00501", "10001"]);
    assert_eq!(types(&csv("x\n1e400\n2\n"))["x"], "LargeUtf8");
}

#[test]
fn integers_widen_to_floats_over_the_whole_file() {
    let rows: String = (0..1500).map(|row| format!("{row}\n")).collect();
    let table = csv(&format!("x\n{rows}0.5\n"));
    assert_eq!(types(&table)["x"], "Float64");
    assert_eq!(values(&table, "x")[1500], json!(0.5));
    // What no 64 bits hold is a code, not a number.
    assert_eq!(values(&csv("x\n1\n9223372036854775808\n"), "x"), ["1", "9223372036854775808"]);
}

#[test]
fn blanks_and_named_tokens_are_missing_and_text_is_kept() {
    let options = ReadOptions { missing: vec!["NA".into()], ..ReadOptions::default() };
    let table = read_bytes("rows.csv", b"n,t,u\n1, a ,x\nNA,NA, NA \n  ,\"\",\"\n\"\n", &options).unwrap();
    assert_eq!(values(&table, "n"), [json!(1), Value::Null, Value::Null]);
    assert_eq!(values(&table, "t"), [json!(" a "), Value::Null, Value::Null]);
    assert_eq!(values(&table, "u"), [json!("x"), Value::Null, Value::Null]);
}

#[test]
fn marks_line_ends_quotes_and_delimiters_are_understood() {
    let plain = csv("a,b\n\"x, \"\"y\"\"\nz\",1\nw,2\n");
    assert_eq!(values(&plain, "a"), ["x, \"y\"\nz", "w"]);
    let marked = csv("\u{feff}a,b\r\nx,1\r\nw,2");
    assert_eq!(values(&marked, "a"), ["x", "w"]);
    assert_eq!(values(&marked, "b"), [1, 2]);
    let semicolons = ReadOptions { delimiter: Some(b';'), ..ReadOptions::default() };
    let table = read_bytes("rows.txt", b"a;b\n1,5;2\n", &semicolons).unwrap();
    assert_eq!(values(&table, "a"), ["1,5"]);
    let tabs = read_bytes("rows.TSV", b"a\tb\n1\t2\n", &ReadOptions::default()).unwrap();
    assert_eq!(values(&tabs, "b"), [2]);
}

#[test]
fn declared_types_hold_and_dropped_columns_are_gone() {
    let options = ReadOptions {
        types: [("a".to_owned(), ColumnType::Text), ("b".to_owned(), ColumnType::Float)].into(),
        drop: vec!["c".into()],
        ..ReadOptions::default()
    };
    let mut text = "a,b,c\n007,1,1\n".to_owned();
    // A column that is left out is not held to a type.
    text.push_str(&"1,2,3\n".repeat(1000));
    text.push_str("1,2,x\n");
    let table = read_bytes("rows.csv", text.as_bytes(), &options).unwrap();
    let expected = [("a", "LargeUtf8"), ("b", "Float64")];
    assert_eq!(types(&table), expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into());
    assert_eq!(values(&table, "a")[0], "007");
}

#[test]
fn a_table_survives_being_written() {
    let text = "t,f,b,d,m\n\"a,\"\"b\"\"\n\r\",0.1,true,0001-01-01,2024-01-01 00:00:00.000001\n x ,1e300,,9999-12-31,\n,-5e-324,false,,1969-12-31 23:59:59.999999\n,NaN,,,\n,-inf,,,\n";
    let table = csv(text);
    let written = to_csv(&table);
    assert_eq!(String::from_utf8(written.clone()).unwrap(), text);
    let again = csv(std::str::from_utf8(&written).unwrap());
    assert_eq!(types(&again), types(&table));
    for name in ["t", "f", "b", "d", "m"] {
        assert_eq!(values(&again, name), values(&table, name), "{name}");
    }
}

#[test]
fn a_single_column_keeps_its_missing_rows_when_written() {
    let table = csv("x\n1\n\"\"\n2\n");
    assert_eq!(values(&table, "x"), [json!(1), Value::Null, json!(2)]);
    let again = csv(std::str::from_utf8(&to_csv(&table)).unwrap());
    assert_eq!(values(&again, "x"), values(&table, "x"));
}

#[test]
fn tasks_and_targets() {
    let table = csv("id,amount,churn,flag\na,1,no,1\nb,2.5,yes,0\nc,3,no,1\n");
    let data = data_spec("  source: rows.csv\n  key: id\n  target: {column: churn, positive: \"yes\"}");
    let checked = check(&table, &data).unwrap();
    let classes = |labels: &[&str]| Some(labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>());
    assert_eq!((checked.target.task, &checked.target.classes), (Task::Binary, &classes(&["no", "yes"])));
    assert_eq!(checked.target.positive(), Some("yes"));
    assert_eq!(targets(&table, &checked.target).unwrap(), [0.0, 1.0, 0.0]);
    let data = data_spec("  source: rows.csv\n  target: {column: flag, positive: \"1\"}");
    let checked = check(&table, &data).unwrap();
    assert_eq!(checked.target.classes, classes(&["0", "1"]));
    assert_eq!(targets(&table, &checked.target).unwrap(), [1.0, 0.0, 1.0]);
    let data = data_spec("  source: rows.csv\n  target: amount");
    let checked = check(&table, &data).unwrap();
    assert_eq!((checked.target.task, &checked.target.classes), (Task::Regression, &None));
    assert_eq!(checked.warnings, []);
    let asked = check(&table, &data_spec("  source: rows.csv\n  target: flag")).unwrap();
    assert_eq!((asked.target.task, asked.warnings[0].code.as_str()), (Task::Regression, "data/two-values"));
    let said = check(&table, &data_spec("  source: rows.csv\n  target: {column: flag, task: regression}")).unwrap();
    assert_eq!(said.warnings, []);
    assert_eq!(targets(&table, &checked.target).unwrap(), [1.0, 2.5, 3.0]);
}

#[test]
fn the_telco_table_is_what_it_is_known_to_be() {
    let Some(path) = trainyard_judges::shared("data/telco_churn/customers.csv") else { return };
    let table = read(&DiskIo, &path, "customers.csv", &ReadOptions::default()).unwrap();
    assert_eq!((table.num_rows(), table.num_columns()), (7043, 21));
    assert_eq!(types(&table)["TotalCharges"], "Float64");
    assert_eq!(table.column_by_name("TotalCharges").unwrap().null_count(), 11);
}

/// Reads as pandas does, told which tokens are missing and which columns are days.
const PANDAS: &str = r#"
import pandas as pd
tokens = data["missing"]
days = data["days"]
frame = pd.read_csv(data["path"], keep_default_na=False, float_precision="round_trip", low_memory=False,
                    na_values=["", " "] + tokens + [" " + token for token in tokens], parse_dates=days)
answer = {}
for name in frame.columns:
    column = frame[name]
    if name in days:
        column = column.dt.strftime("%Y-%m-%d")
    kind = "text" if column.dtype == object or str(column.dtype).startswith("str") else str(column.dtype)
    answer[name] = {"kind": kind, "values": [None if pd.isna(value) else value for value in column.tolist()]}
"#;

#[test]
fn real_files_read_as_pandas_reads_them() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let files = [
        ("telco_churn/customers.csv", "", ""),
        ("adult/adult.csv", "?", ""),
        ("bike_sharing/day.csv", "", "dteday"),
        ("california_housing/housing.csv", "", ""),
        ("german_credit/german_credit.csv", "", ""),
        ("penguins/penguins.csv", "NA", ""),
        ("penguins/penguins_raw.csv", "NA", "Date Egg"),
        ("sklearn_tables/breast_cancer.csv", "", ""),
        ("sklearn_tables/diabetes.csv", "", ""),
        ("sklearn_tables/wine.csv", "", ""),
    ];
    for (file, missing, days) in files {
        let Some(path) = trainyard_judges::shared(&format!("data/{file}")) else { return };
        let list = |text: &str| -> Vec<String> { (!text.is_empty()).then(|| text.to_owned()).into_iter().collect() };
        let options = ReadOptions { missing: list(missing), ..ReadOptions::default() };
        let table = read(&DiskIo, &path, file, &options).unwrap_or_else(|error| panic!("{error}"));
        let pandas = judge.run(PANDAS, &json!({ "path": path, "missing": list(missing), "days": list(days) }));
        let pandas = pandas.as_object().unwrap();
        assert_eq!(table.num_columns(), pandas.len(), "{file}");
        for (name, judged) in pandas {
            let ours = values(&table, name);
            let theirs = judged["values"].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len(), "{file}: {name}");
            for (row, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                let same = match (ours.as_f64(), theirs.as_f64()) {
                    (Some(ours), Some(theirs)) => ours.to_bits() == theirs.to_bits(),
                    _ => ours == theirs,
                };
                assert!(same, "{file}: {name}, row {row}: {ours} is {theirs} to pandas");
            }
            let kind = match types(&table)[name].as_str() {
                "Int64" => "int64",
                "Float64" => "float64",
                "Boolean" => "bool",
                _ => "text",
            };
            // pandas has no missing whole numbers: it makes such columns floats.
            let widened = kind == "int64" && judged["kind"] == "float64" && ours.contains(&Value::Null);
            assert!(judged["kind"] == kind || widened, "{file}: {name} is {kind}, {} to pandas", judged["kind"]);
        }
    }
}
