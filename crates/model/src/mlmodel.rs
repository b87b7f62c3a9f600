//! What MLflow reads of a model folder: flavours, signature and environment, in the form of MLflow 3.

use serde_json::{Value as Json, json};
use trainyard_features::Type;

use crate::{Input, OnnxModel, Output};

/// The version of MLflow whose form this is.
const MLFLOW: &str = "3.17.2";
/// What loads the folder in Python, as it was tested.
const REQUIREMENTS: [&str; 4] = ["mlflow==3.17.2", "numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.31.1"];
const PYTHON: &str = "3.11";

/// Writes `MLmodel`. Without a graph only the native flavour is left.
pub(crate) fn mlmodel(graph: Option<&OnnxModel>) -> String {
    let native = "  trainyard:\n    data: model.json\n";
    let Some(graph) = graph else { return format!("flavors:\n{native}mlflow_version: {MLFLOW}\n") };
    let ready_made: serde_json::Map<String, Json> =
        graph.inputs.iter().filter_map(|input| Some((input.name.clone(), json!(input.ready_made()?)))).collect();
    // JSON is YAML.
    let metadata = match ready_made.is_empty() {
        true => String::new(),
        false => format!("metadata: {}\n", json!({"ready_made_inputs": ready_made})),
    };
    let inputs: Vec<Json> = graph.inputs.iter().map(input).collect();
    let outputs: Vec<Json> = graph.outputs.iter().map(output).collect();
    let quoted = |signature: Vec<Json>| Json::from(Json::from(signature).to_string());
    format!(
        "\
flavors:
  onnx:
    data: model.onnx
    providers: [CPUExecutionProvider]
  python_function:
    data: model.onnx
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.onnx
    python_version: \"{PYTHON}\"
{native}{metadata}mlflow_version: {MLFLOW}
saved_input_example_info: {{artifact_path: input_example.json, pandas_orient: split, type: dataframe}}
signature:
  inputs: {}
  outputs: {}
  params: null
",
        quoted(inputs),
        quoted(outputs)
    )
}

/// Writes the files that name what the graph needs in Python, by their path.
pub(crate) fn environment() -> [(&'static str, String); 3] {
    let lines = |before: &str| REQUIREMENTS.map(|requirement| format!("{before}{requirement}\n")).concat();
    let conda = format!(
        "name: mlflow-env\nchannels: [conda-forge]\ndependencies:\n- python={PYTHON}\n- pip\n- pip:\n{}",
        lines("  - ")
    );
    let python = format!(
        "python: \"{PYTHON}\"\nbuild_dependencies: [pip, setuptools, wheel]\ndependencies: [-r requirements.txt]\n"
    );
    [("conda.yaml", conda), ("python_env.yaml", python), ("requirements.txt", lines(""))]
}

fn input(input: &Input) -> Json {
    tensor(&input.name, input.kind, &[-1, 1])
}

fn output(output: &Output) -> Json {
    let shape: Vec<i64> = std::iter::once(-1).chain(output.width.map(|width| width as i64)).collect();
    tensor(&output.name, output.kind, &shape)
}

fn tensor(name: &str, kind: Type, shape: &[i64]) -> Json {
    let dtype = if kind == Type::Text { "object" } else { "float64" };
    json!({"name": name, "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}})
}
