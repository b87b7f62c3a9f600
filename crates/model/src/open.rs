//! The open form of a model folder: what other programs and people read. All of it follows from the model, its report and
//! its training rows, so that it holds no time, id or path.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch};
use serde_json::{Value as Json, json};
use trainyard_features::{Type, Value, words};

use crate::card;
use crate::mlmodel;
use crate::training_data::{self, TrainingData};
use crate::{CalibrationReport, Error, Input, Source, Trained};

/// The most training rows in the input example.
const EXAMPLE_ROWS: usize = 5;

/// What the open form tells beside the model and its report. Names and numbers of versions are none of it: another version
/// that says the same makes the same model.
#[derive(Debug, Clone, Copy)]
pub struct OpenRequest<'a> {
    /// The training rows, whose first few become the input example.
    pub train: &'a RecordBatch,
    /// The column that weighs rows in fits and metrics, where there is one.
    pub weight: Option<&'a str>,
    /// The number of validation rows, where there are any.
    pub validation_rows: Option<usize>,
    /// The estimator of the baseline.
    pub baseline: &'a str,
    /// How calibration and threshold came about, where the model has them.
    pub calibration: Option<&'a CalibrationReport>,
}

impl Trained {
    /// Writes the open form of the model: further files of its folder, by their path.
    ///
    /// `model.onnx` is the model as a graph ([`crate::Model::to_onnx`]), left out where there is none; `MLmodel`, with
    /// `conda.yaml`, `python_env.yaml`, `requirements.txt` and `input_example.json`, is what MLflow reads;
    /// `training_data.json` says what the training rows held ([`TrainingData`]); `model_card.md` is for people; what an external engine wrote is there as its library reads it, by
    /// [`trainyard_engines::Engine::native_file`]: its columns are the features in their order. Equal models, reports and
    /// requests give equal bytes.
    ///
    /// # Errors
    /// As [`trainyard_features::FittedFeatures::transform`] of the training rows.
    pub fn to_open_form(&self, request: &OpenRequest<'_>) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let graph = self.model.to_onnx();
        let mut files = BTreeMap::new();
        let mut put = |path: &str, bytes: Vec<u8>| files.insert(path.to_owned(), bytes);
        put("MLmodel", mlmodel::mlmodel(graph.as_ref().ok()).into_bytes());
        put("model_card.md", card::card(self, request, graph.as_ref().map_err(|reason| *reason)).into_bytes());
        put(training_data::FILE, TrainingData::of(&self.model, request.train).to_bytes());
        if let Some(native) = &self.native {
            put(native.engine.native_file(), native.bytes.clone());
        }
        if let Ok(graph) = graph {
            put("input_example.json", self.example(&graph.inputs, request.train)?);
            for (path, text) in mlmodel::environment() {
                put(path, text.into_bytes());
            }
            put("model.onnx", graph.bytes);
        }
        Ok(files)
    }

    /// Gives the inputs of the first training rows, as `pandas.DataFrame.to_json(orient="split")` writes them.
    fn example(&self, inputs: &[Input], train: &RecordBatch) -> Result<Vec<u8>, Error> {
        let features = &self.model.features;
        let rows = train.slice(0, train.num_rows().min(EXAMPLE_ROWS));
        let table = features.prepared(&rows)?;
        let cell = |input: &Input, row: usize| match &input.source {
            Source::Words { column, lowercase } => {
                let text = table.column_by_name(column).and_then(|array| Value::of_array(array, row));
                json!(if let Some(Value::Text(text)) = text { words(&text, *lowercase) } else { String::new() })
            }
            Source::Raw | Source::Derived { .. } => {
                table.column_by_name(&input.name).map_or(Json::Null, |array| plain(array, input.kind, row))
            }
        };
        let data = (0..rows.num_rows()).map(|row| inputs.iter().map(|input| cell(input, row)).collect::<Vec<Json>>());
        let columns: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let example = json!({"columns": columns, "data": data.collect::<Vec<_>>()});
        let mut bytes = serde_json::to_vec(&example).unwrap_or_default();
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Gives a cell as the graph takes it; a missing number is null, a missing text empty.
fn plain(array: &dyn Array, kind: Type, row: usize) -> Json {
    match Value::of_array(array, row) {
        Some(Value::Text(text)) => json!(text),
        // JSON has no NaN: it becomes null.
        Some(Value::Float(float)) => json!(float),
        Some(Value::Integer(integer)) => json!(integer as f64),
        Some(Value::Boolean(boolean)) => json!(f64::from(boolean)),
        _ if kind == Type::Text => json!(""),
        _ => Json::Null,
    }
}
