//! The open form of a folder, loaded by MLflow.

use std::collections::BTreeMap;
use std::fs;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_data::synth;
use trainyard_judges::{number, python};
use trainyard_model::{Judged, OpenRequest, Slice, SliceKind, Trained, card_with};

use crate::given::{CHURN, CHURN_FEATURES, MODELS, Project, churn, fifths};
use crate::onnx::{feed, nasty};

type Folder = BTreeMap<String, Vec<u8>>;

fn open_form(trained: &Trained, train: &RecordBatch, validation: Option<&RecordBatch>) -> Folder {
    let request = OpenRequest {
        weight: None,
        train,
        validation_rows: validation.map(RecordBatch::num_rows),
        baseline: "logistic_regression",
        calibration: None,
    };
    trained.to_open_form(&request).unwrap()
}

fn text<'f>(folder: &'f Folder, path: &str) -> &'f str {
    std::str::from_utf8(&folder[path]).unwrap()
}

const LOAD: &str = "
import json, mlflow
from mlflow.models import Model
mlflow.set_tracking_uri('file:' + data['folder'] + '/none')
loaded = mlflow.pyfunc.load_model(data['folder'])
described = Model.load(data['folder'])
example = described.load_input_example(data['folder'])
found = loaded.predict(example)
# A frame of all rows, and the graph without MLflow.
import numpy, onnxruntime, pandas
session = onnxruntime.InferenceSession(data['folder'] + '/model.onnx', providers=['CPUExecutionProvider'])
kinds = {i.name: object if i.type == 'tensor(string)' else numpy.float64 for i in session.get_inputs()}
frame = pandas.DataFrame({name: numpy.array(data['all'][name], dtype=kind) for name, kind in kinds.items()})
of_all = loaded.predict(frame)
bare = session.run(None, {name: frame[name].to_numpy(kind).reshape(-1, 1) for name, kind in kinds.items()})
for one, other in zip(of_all.values(), bare):
    assert (one == other).all()
answer = {
    'columns': list(example.columns), 'rows': len(example), 'flavors': sorted(described.flavors),
    'inputs': [i.name for i in described.signature.inputs], 'outputs': [o.name for o in described.signature.outputs],
    'all': of_all['probabilities'].tolist(),
    'found': {name: value.tolist() for name, value in found.items()}, 'metadata': described.metadata,
}
";

#[test]
fn mlflow_loads_the_folder_and_predicts_its_example() {
    let Some(judge) = python("onnx") else { return };
    let table = synth::churn(900, 1);
    let features = CHURN_FEATURES.replace("columns:\n", "columns:\n  wordy: \"length(PaymentMethod)\"\n");
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let transforms = "\
groups:
  - {numeric: [tenure, MonthlyCharges], bins: {n_bins: 6}}
  - {categorical: [Contract, InternetService], encode: target}
  - {text: PaymentMethod, tfidf: {ngram_range: [1, 2]}}
";
    let of_words = "lowering `PaymentMethod` and cutting it into words";
    for (features, metadata) in [
        (CHURN_FEATURES.to_owned(), json!(null)),
        (features, json!({"ready_made_inputs": {"wordy": "`length(PaymentMethod)` in `wordy`"}})),
        (transforms.to_owned(), json!({"ready_made_inputs": {"words(PaymentMethod)": of_words}})),
    ] {
        let trained = Project::new(CHURN, &features, MODELS, &table).train(&rows, Some(&validation)).unwrap();
        let mut folder = trained.model.to_folder();
        folder.extend(open_form(&trained, &rows, Some(&validation)));
        let place = tempfile::tempdir().unwrap();
        for (path, bytes) in &folder {
            fs::write(place.path().join(path), bytes).unwrap();
        }
        let graph = trained.model.to_onnx().unwrap();
        let odd = nasty(&table);
        let theirs =
            judge.run(LOAD, &json!({"folder": place.path(), "all": feed(&trained.model, &graph, &odd)["rows"]}));
        for (row, ours) in trained.model.predict(&odd).unwrap().iter().enumerate() {
            let theirs = number(&theirs["all"][row][1]);
            assert!((theirs - ours).abs() <= 1e-12, "row {row}: {ours}, MLflow has {theirs}");
        }
        let inputs: Vec<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!((&theirs["columns"], &theirs["inputs"]), (&json!(inputs), &json!(inputs)));
        assert_eq!(theirs["outputs"], json!(["label", "probabilities"]));
        assert_eq!(theirs["flavors"], json!(["onnx", "python_function", "trainyard"]));
        assert_eq!(theirs["metadata"], metadata);
        let ours = trained.model.predict(&rows.slice(0, 5)).unwrap();
        assert_eq!(theirs["rows"], json!(ours.len()));
        for (row, ours) in ours.iter().enumerate() {
            let found = &theirs["found"];
            assert!((number(&found["probabilities"][row][1]) - ours).abs() <= 1e-9);
            assert_eq!(found["label"][row].as_str(), trained.model.class(&[*ours]));
        }
    }
}

#[test]
fn the_same_training_gives_the_same_bytes_at_any_number_of_threads() {
    let table = synth::churn(700, 2);
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let models = "baseline: {dummy: {}}\ncandidates: {forest: {estimator: random_forest, n_estimators: 10}}\n";
            open_form(&churn(models, &table).train(&table, None).unwrap(), &table, None)
        })
    };
    assert_eq!(with_threads(1), with_threads(4));
}

#[test]
fn nothing_held_out_and_nothing_of_time_is_inside() {
    let table = synth::churn(900, 3);
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let trained = churn(MODELS, &table).train(&rows, Some(&validation)).unwrap();
    let folder = open_form(&trained, &rows, Some(&validation));
    let example: serde_json::Value = serde_json::from_slice(&folder["input_example.json"]).unwrap();
    let place = example["columns"].as_array().unwrap().iter().position(|name| name == "MonthlyCharges").unwrap();
    let charges = |table: &RecordBatch| {
        let array = table.column_by_name("MonthlyCharges").unwrap().slice(0, 5);
        trainyard_features::row_of(&RecordBatch::try_from_iter([("x", array)]).unwrap(), 0)["x"].clone()
    };
    assert_eq!(charges(&rows), trainyard_features::Value::Float(number(&example["data"][0][place])));
    assert_eq!(example["data"].as_array().unwrap().len(), 5);
    for path in ["MLmodel", "model_card.md", "conda.yaml", "python_env.yaml", "requirements.txt"] {
        let text = text(&folder, path);
        for word in ["202", "run_id", "uuid", "utc", "/tmp"] {
            assert!(!text.contains(word), "{path} holds {word}:\n{text}");
        }
    }
    // What is asked for is what judges.
    let judges = fs::read_to_string(trainyard_judges::repository().join("judges/onnx.txt")).unwrap();
    for line in text(&folder, "requirements.txt").lines() {
        assert!(judges.lines().any(|judge| judge.replace("mlflow-skinny", "mlflow") == line), "{line}");
    }
}

#[test]
fn the_card_says_what_a_reader_must_know() {
    let table = synth::churn(900, 4);
    let features = CHURN_FEATURES.replace("columns:\n", "columns:\n  wordy: \"length(PaymentMethod)\"\n");
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let trained = Project::new(CHURN, &features, MODELS, &table).train(&rows, Some(&validation)).unwrap();
    let folder = open_form(&trained, &rows, Some(&validation));
    let card = text(&folder, "model_card.md");
    let auc = trained.report.candidates[0].validation["roc_auc"];
    for words in [
        "# A model of `Churn`\n\nPredicts whether `Churn` is `No` or `Yes`: the probability of `Yes`, which is the prediction from 0.5 on.",
        "540 training rows, 180 validation rows.",
        "| `tenure` | integer |",
        "It was chosen by `roc_auc` on the validation rows. The baseline is `logistic_regression`.",
        "`small` (`gradient_boosting`)",
        &format!("| {} |\n", format!("{auc:.5e}").parse::<f64>().unwrap()),
        "- `model.onnx` takes `wordy` ready-made: `length(PaymentMethod)` in `wordy` has no translation. `trainyard predict` computes it.",
    ] {
        assert!(card.contains(words), "{words}\nis not in\n{card}");
    }
}

#[test]
fn what_has_no_value_is_a_dash_in_the_card() {
    let slice = |name: &str, value: Option<f64>, counts: bool| Slice {
        column: "Con|tract".into(),
        slice: name.into(),
        kind: SliceKind::Value,
        rows: 1_234,
        counts,
        metrics: value.map(|value| ("roc_auc".to_owned(), value)).into_iter().collect(),
        intervals: BTreeMap::new(),
        absent: BTreeMap::new(),
    };
    let judged = |slices: Vec<Slice>| Judged {
        optional: Some("`new`".into()),
        rows: 20_000,
        metrics: BTreeMap::from([("f1".to_owned(), 0.5), ("roc_auc".to_owned(), f64::NAN)]),
        intervals: BTreeMap::from([("f1".to_owned(), [0.41234, 0.6]), ("roc_auc".to_owned(), [f64::NAN, 1.0])]),
        baseline: BTreeMap::from([("f1".to_owned(), 0.25)]),
        slices,
    };
    let card = |slices| card_with("# A model\n", &[judged(slices)], "roc_auc", Some("seen"), 1_000);
    let plain = card(Vec::new());
    for words in [
        "# A model\n\n## Rows that decided nothing\n",
        "95 % of 1,000 draws of the rows. Rows count by their `seen`.",
        "### The optional test `` `new` ``\n\n20,000 rows.",
        "| `f1` | 0.5 | 0.412 to 0.6 | 0.25 |\n| `roc_auc` | – | – | – |\n",
    ] {
        assert!(plain.contains(words), "{words}\nis not in\n{plain}");
    }
    assert!(!plain.contains("lice"), "{plain}");
    // One with few rows may be lower and is not the worst.
    let sliced = card(vec![slice("a", Some(0.7), true), slice("b", Some(0.2), false), slice("c", None, true)]);
    let named = "The worst slice is `Con\\|tract = a`: `roc_auc` 0.7 on 1,234 rows, 95 % interval –.";
    assert!(sliced.contains(named), "{sliced}");
    assert!(sliced.contains("| `Con\\|tract = c` | 1,234 | – |\n"), "{sliced}");
    assert!(card(vec![slice("b", Some(0.2), false)]).contains("No slice has rows enough and a value of `roc_auc`"));
}

#[test]
fn a_model_without_a_graph_says_why() {
    let made = synth::churn(300, 5);
    let names: Vec<String> = made.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns = names.into_iter().zip(made.columns().to_vec());
    let columns = columns.map(|(name, column)| (if name == "tenure" { String::new() } else { name }, column));
    let table = RecordBatch::try_from_iter(columns).unwrap();
    let features = "columns: {months: '\"\" + 1'}\ngroups: [{numeric: [months, MonthlyCharges], impute: mean}]\n";
    let trained = Project::new(CHURN, features, MODELS, &table).train(&table, None).unwrap();
    let folder = open_form(&trained, &table, None);
    assert_eq!(folder.keys().collect::<Vec<_>>(), ["MLmodel", "model_card.md", "training_data.json"]);
    assert!(text(&folder, "model_card.md").contains("There is no `model.onnx`: a column has an empty name"));
    assert!(!text(&folder, "MLmodel").contains("onnx"));
}
