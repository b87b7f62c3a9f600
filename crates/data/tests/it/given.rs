//! Files and projects to test with.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch};
use serde_json::Value;
use trainyard_data::{Error, ReadOptions, read};
use trainyard_diagnostics::Source;
use trainyard_files::DiskIo;
use trainyard_spec::{Choice, DataSpec, Resolved, SpecFiles, resolve};

/// Gives the `data` section of a project, with places in its text.
pub(crate) fn data_spec(section: &str) -> DataSpec {
    project(section, "seed: 1\nshares: {train: 0.8, reference_test: 0.2}\n").project.data
}

/// Gives a project with this `data` section and this split version.
pub(crate) fn project(section: &str, split: &str) -> Resolved {
    let project = format!("name: given\ndata:\n{section}\nactive: {{split: 1, features: 1, model: 1}}\n");
    let version = |name: &str, text: &str| BTreeMap::from([(1, Source::new(name, text))]);
    let files = SpecFiles {
        project: Source::new("trainyard.yaml", project),
        environment: None,
        known_environments: Vec::new(),
        overrides: Vec::new(),
        splits: version("versions/splits/v1.yaml", split),
        features: version("versions/features/v1.yaml", "groups: [{numeric: [amount]}]\n"),
        models: version("versions/models/v1.yaml", "seed: 1\nbaseline: {dummy: {}}\ncandidates: {dummy: {}}\n"),
        lock: None,
        choose: Choice::default(),
    };
    resolve(&files).unwrap_or_else(|problems| panic!("{:?}", problems.into_vec()))
}

/// Writes `bytes` as `name` into a folder of its own and reads them.
pub(crate) fn read_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<RecordBatch, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&DiskIo, &path, name, options)
}

pub(crate) fn csv(text: &str) -> RecordBatch {
    read_bytes("rows.csv", text.as_bytes(), &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Gives the type of each column, by name.
pub(crate) fn types(table: &RecordBatch) -> BTreeMap<String, String> {
    let schema = table.schema();
    schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect()
}

/// Gives the values of a column as JSON: numbers, texts (days and moments in ISO form), null.
pub(crate) fn values(table: &RecordBatch, column: &str) -> Vec<Value> {
    let array = table.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    (0..array.len()).map(|row| value(array.as_ref(), row)).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    use trainyard_expression::Value as Cell;
    match Cell::of_array(array, row).expect("a canonical type") {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => value.into(),
        Cell::Integer(value) => value.into(),
        Cell::Float(value) => trainyard_judges::json_number(value),
        Cell::Text(value) => value.into(),
        Cell::Date(days) => (chrono::NaiveDate::default() + chrono::TimeDelta::days(days.into())).to_string().into(),
        Cell::Timestamp(micros) => {
            chrono::DateTime::from_timestamp_micros(micros).unwrap().naive_utc().to_string().into()
        }
    }
}

/// Holds a text against a recorded file beside the tests; `TRAINYARD_BLESS=1` records it.
pub(crate) fn recorded(name: &str, found: &str) -> Result<(), String> {
    let path = trainyard_judges::crate_folder().join("tests/cases").join(name);
    if std::env::var_os("TRAINYARD_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    Err(format!("{name} changed; expected:\n{expected}\nfound:\n{found}\nTRAINYARD_BLESS=1 takes what was found"))
}
