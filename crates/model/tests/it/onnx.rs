//! Graphs beside the models that they stand for, run by ONNX Runtime.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use serde_json::{Value as Json, json};
use trainyard_data::synth;
use trainyard_features::{Type, Value, row_of};
use trainyard_judges::{json_number, number, python};
use trainyard_model::{Model, NoGraph, OnnxModel};

use crate::given::{CHURN, CHURN_FEATURES, Project, churn, fifths, replaced};

/// How far a graph may be from its model, in the units of a prediction: relative where it is greater than 1.
const TOLERANCE: f64 = 1e-9;

const RUN: &str = "
import numpy as np, onnx, onnxruntime
model = bytes.fromhex(data['model'])
onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
inputs = [(i.name, i.type, i.shape) for i in session.get_inputs()]
outputs = [(o.name, o.type, o.shape) for o in session.get_outputs()]
feed = {}
for name, kind, shape in inputs:
    values = data['rows'][name]
    feed[name] = np.array(values, dtype=object if kind == 'tensor(string)' else np.float64).reshape(-1, 1)
found = dict(zip([o[0] for o in outputs], session.run(None, feed)))
answer = {'inputs': inputs, 'outputs': outputs, 'found': found}
";

/// Gives a column as the graph takes it: text as it is, empty where missing, all others as numbers, NaN where missing.
fn fed(array: &dyn Array, kind: Type) -> Vec<Json> {
    let cell = |row: usize| match Value::of_array(array, row) {
        Some(Value::Text(text)) => json!(text),
        Some(Value::Float(float)) => json_number(float),
        Some(Value::Integer(integer)) => json!(integer as f64),
        Some(Value::Boolean(boolean)) => json!(f64::from(boolean)),
        _ if kind == Type::Text => json!(""),
        _ => json_number(f64::NAN),
    };
    (0..array.len()).map(cell).collect()
}

fn feed(model: &Model, graph: &OnnxModel, table: &RecordBatch) -> Json {
    let mut rows = serde_json::Map::new();
    for input in &graph.inputs {
        let array = table.column_by_name(&input.name).cloned();
        let array = array.unwrap_or_else(|| {
            let derived = model.features.derived().find(|derived| derived.name == input.name).unwrap();
            derived.expression.evaluate(table).unwrap()
        });
        rows.insert(input.name.clone(), Json::from(fed(&array, input.kind)));
    }
    let model: String = graph.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"model": model, "rows": rows})
}

/// Compares every row; gives the graph and the greatest distance.
fn judge(model: &Model, table: &RecordBatch) -> Option<(OnnxModel, f64)> {
    let graph = model.to_onnx().unwrap();
    assert_eq!(model.to_onnx().unwrap(), graph);
    let theirs = python("onnx")?.run(RUN, &feed(model, &graph, table));
    let names: Vec<&str> =
        theirs["inputs"].as_array().unwrap().iter().map(|input| input[0].as_str().unwrap()).collect();
    assert_eq!(names, graph.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>());
    let ours = model.predict(table).unwrap();
    let outputs = model.estimator.outputs();
    let found: Vec<f64> = match &model.target.classes {
        None => theirs["found"]["prediction"].as_array().unwrap().iter().map(number).collect(),
        Some(_) => {
            let rows = theirs["found"]["probabilities"].as_array().unwrap();
            rows.iter().flat_map(|row| row.as_array().unwrap().iter().rev().take(outputs).rev()).map(number).collect()
        }
    };
    assert_eq!(found.len(), ours.len());
    let distance = |(ours, theirs): (&f64, &f64)| (ours - theirs).abs() / ours.abs().max(1.0);
    let worst = ours.iter().zip(&found).map(distance).fold(0.0, f64::max);
    assert!(ours.iter().zip(&found).all(|pair| distance(pair) <= TOLERANCE), "{}: {worst}", model.estimator_name);
    if model.target.classes.is_some() {
        for (row, label) in theirs["found"]["label"].as_array().unwrap().iter().enumerate() {
            let prediction = &ours[row * outputs..(row + 1) * outputs];
            assert_eq!(label.as_str(), model.class(prediction), "row {row}: {prediction:?}");
        }
    }
    println!("{}: {worst:e}", model.estimator_name);
    Some((graph, worst))
}

/// One candidate, and the baseline that a project needs.
fn only(candidate: &str, baseline: &str) -> String {
    format!("baseline: {{{baseline}: {{}}}}\ncandidates: {{only: {candidate}}}\ncross_validation: {{folds: 0}}\n")
}

const OF_CLASSES: [&str; 5] = [
    "{estimator: logistic_regression}",
    "{estimator: gradient_boosting, max_iter: 40, learning_rate: 0.2}",
    "{estimator: random_forest, n_estimators: 20}",
    "{estimator: extra_trees, n_estimators: 20, max_depth: 8}",
    "{estimator: dummy}",
];

fn put(table: &RecordBatch, name: &str, with: impl Fn(usize, Value) -> Value) -> RecordBatch {
    let array = table.column_by_name(name).unwrap();
    let kind = Type::of_arrow(array.data_type()).unwrap();
    let values: Vec<Value> = (0..array.len()).map(|row| with(row, Value::of_array(array, row).unwrap())).collect();
    let array: ArrayRef = match kind {
        Type::Float => Arc::new(Float64Array::from_iter(values.iter().map(|value| match value {
            Value::Float(float) => Some(*float),
            _ => None,
        }))),
        Type::Integer => Arc::new(Int64Array::from_iter(values.iter().map(|value| match value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        }))),
        Type::Boolean => Arc::new(BooleanArray::from_iter(values.iter().map(|value| match value {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }))),
        _ => Arc::new(LargeStringArray::from_iter(values.iter().map(|value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }))),
    };
    replaced(table, name, array)
}

/// Puts what nobody expects into every column but key and target, a different thing in each row.
fn nasty(table: &RecordBatch) -> RecordBatch {
    let floats = [0.0, -0.0, 5e-324, -5e-324, f64::MIN_POSITIVE, 1e15, -1e15, 1e-300, 9_007_199_254_740_993.0];
    let texts = ["", "unseen", "Yes ", "é", "日本", "\u{0}", "no", " "];
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.iter().enumerate().filter(|(_, name)| !["customerID", "Churn"].contains(*name)).fold(
        table.clone(),
        |table, (column, name)| {
            put(&table, name, |row, value| match ((row + column) % 3, value) {
                (0, value) => value,
                (1, _) if (row / 3) % 2 == 0 => Value::Null,
                // An empty text is a missing one in a graph.
                (_, Value::Text(_)) => match texts[row % texts.len()] {
                    "" => Value::Null,
                    text => Value::Text(text.to_owned()),
                },
                (_, Value::Float(_)) => Value::Float(floats[row % floats.len()]),
                (_, Value::Integer(integer)) => Value::Integer([-1, 1 << 50, -(1 << 50), integer][row % 4]),
                (_, other) => other,
            })
        },
    )
}

#[test]
fn two_classes() {
    let table = synth::churn(2000, 5);
    for candidate in OF_CLASSES {
        let project = churn(&only(candidate, "logistic_regression"), &table);
        let model = project.train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap().model;
        let Some((graph, _)) = judge(&model, &table) else { return };
        assert!(graph.inputs.iter().all(|input| input.ready_made.is_none()), "{:?}", graph.inputs);
        judge(&model, &nasty(&table));
    }
}
