//! `model.json` of a model's folder: of every estimator, transform and calibration, cut, altered, or of another
//! version.

use std::collections::BTreeMap;

use trainyard_features::{Row, Type, Value};
use trainyard_model::{Error, Model};

use crate::places;

/// `seen_rows.bin` of a model that has seen nothing.
const NOTHING_SEEN: &[u8] = b"TYSEEN\x00\x01\x10\0\0\0\0\0\0\0[null,[]]       \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Checks one model.
pub fn check(input: &[u8]) {
    // Bytes that no signature states are refused, whatever they are.
    let files = ["model.json", "seen_rows.bin", "signature.json"];
    let folder: BTreeMap<String, Vec<u8>> = files.map(|file| (file.to_owned(), input.to_vec())).into();
    refused(Model::from_folder(&folder));
    let model = match Model::from_files(input, NOTHING_SEEN) {
        Ok(model) => model,
        Err(error) => return refused(Err(error)),
    };
    let folder = model.to_folder();
    let read = Model::from_folder(&folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.to_folder() == folder, "it came back as another one");
    let outputs = model.estimator.outputs();
    for row in rows(&model) {
        match (model.predict_row(&row), read.predict_row(&row)) {
            (Ok(prediction), Ok(again)) => {
                assert_eq!(prediction.len(), outputs);
                assert_eq!(bits(&prediction), bits(&again));
                assert_eq!(model.class(&prediction).is_some(), model.target.classes.is_some());
            }
            (Err(error), Err(again)) => {
                assert_eq!(error.diagnostic().title, again.diagnostic().title);
                places::check_all([&error.diagnostic()]);
            }
            (one, other) => panic!("{one:?}, then {other:?}"),
        }
    }
    assert_eq!(model.importance().len(), model.features.names().len());
    if let Ok(graph) = model.to_onnx() {
        assert_eq!(read.to_onnx(), Ok(graph));
    }
}

fn refused(read: Result<Model, Error>) {
    let error = read.expect_err("it is refused");
    assert!(matches!(error, Error::Damaged { .. } | Error::Format { .. }), "{error:?}");
    places::check_all([&error.diagnostic()]);
}

/// Gives rows of the columns that a model reads: of nothing, of small values and of odd ones.
fn rows(model: &Model) -> [Row; 3] {
    let of = |value: fn(Type) -> Value| model.inputs().into_iter().map(|(name, kind)| (name, value(kind))).collect();
    [
        of(|_| Value::Null),
        of(|kind| match kind {
            Type::Boolean => Value::Boolean(true),
            Type::Integer => Value::Integer(3),
            Type::Float => Value::Float(0.5),
            Type::Text => Value::Text("yes or no, free of CHARGE".into()),
            Type::Date => Value::Date(19_000),
            Type::Timestamp => Value::Timestamp(1_700_000_000_000_000),
        }),
        of(|kind| match kind {
            Type::Boolean => Value::Boolean(false),
            Type::Integer => Value::Integer(i64::MIN),
            Type::Float => Value::Float(-1e308),
            Type::Text => Value::Text("İ ß e\u{301} \u{0}".into()),
            Type::Date => Value::Date(i32::MAX),
            Type::Timestamp => Value::Timestamp(i64::MIN),
        }),
    ]
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}
