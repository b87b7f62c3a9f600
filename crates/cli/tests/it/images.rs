//! Images from their files to predictions, through the binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use serde_json::{Value, json};
use trainyard_data::ReadOptions;
use trainyard_files::DiskIo;
use trainyard_spec::{ColorMode, Pixels};

use crate::examples::copy;
use crate::project::run_of;
use crate::{text, trainyard};

/// A copy of the example with images of its own, far fewer than it ships with.
struct Digits {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Digits {
    fn new(rows: u32) -> Digits {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("digits");
        let example = trainyard_judges::repository().join("examples/digits");
        for file in [
            "trainyard.yaml",
            "environments/scanned.yaml",
            "versions/splits/v1.yaml",
            "versions/splits/v2.yaml",
            "versions/features/v1.yaml",
            "versions/features/v2.yaml",
            "versions/models/v1.yaml",
        ] {
            let target = root.join(file);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(example.join(file), target).unwrap();
        }
        let digits = Digits { _folder: folder, root };
        if rows > 0 {
            let raw = digits.path("data/raw");
            digits.json(&["synth", "digits", "--rows", &rows.to_string(), "--output", raw.to_str().unwrap()]);
        }
        digits
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = trainyard(&[arguments, &["--project", self.root.to_str().unwrap(), "--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Which steps would run.
    fn planned(&self) -> Vec<String> {
        let plan = self.json(&["plan"]);
        let steps = plan["steps"].as_array().unwrap().iter().filter(|step| step["action"] == "run");
        steps.map(|step| step["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn an_edited_image_runs_what_is_made_of_it_and_why_says_so() {
    let digits = Digits::new(240);
    let gates = digits.path("trainyard.yaml");
    let text = fs::read_to_string(&gates).unwrap();
    fs::write(&gates, text.replace("{accuracy: 0.85, f1: 0.85}", "{accuracy: 0.5}")).unwrap();
    let first = digits.json(&["run"]);
    assert_eq!(first["decision"], "promoted");
    let schema = fs::read_to_string(digits.path("versions/schema.yaml")).unwrap();
    assert!(schema.contains("path: text") && !schema.contains("path_8x8"), "{schema}");
    let cached = digits.planned();
    assert!(!cached.contains(&"ingest".to_owned()) && !cached.contains(&"train".to_owned()), "{cached:?}");
    // Bytes count, not when they were written.
    let image = digits.path("data/raw/images/000007.png");
    let before = fs::read(&image).unwrap();
    fs::write(&image, &before).unwrap();
    assert_eq!(digits.planned(), cached);
    fs::copy(digits.path("data/raw/images/000008.png"), &image).unwrap();
    let why = digits.json(&["why", "ingest"]);
    let reason = why["reasons"][0].as_str().unwrap();
    assert!(why["action"] == "run" && reason.starts_with("images changed"), "{why}");
    let planned = digits.planned();
    assert!(planned.contains(&"ingest".to_owned()), "{planned:?}");
    let run = first["run"].as_str().unwrap();
    // The table that the run stored stands for images that are no longer what they were.
    let verified = digits.json(&["verify", run]);
    assert_eq!((&verified["identical"], &verified["source_changed"]), (&json!(true), &json!(true)), "{verified}");
    fs::write(&image, &before).unwrap();
    let verified = digits.json(&["verify", run]);
    assert_eq!((&verified["identical"], &verified["source_changed"]), (&json!(true), &json!(false)), "{verified}");
    let again = digits.json(&["run"]);
    assert_eq!(again["decision"], "kept");
}

#[test]
fn a_file_of_paths_is_predicted_from_where_it_lies() {
    let digits = Digits::new(240);
    let lenient = ["--set", "gates.at_least.accuracy=0.5", "--set", "gates.at_least.f1=0.5"];
    assert_eq!(digits.json(&[&["run"], &lenient[..]].concat())["decision"], "promoted");
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let drawn = ["synth", "digits", "--rows", "100", "--seed", "9", "--output", new.to_str().unwrap()];
    assert!(trainyard(&drawn).status.success());
    let labels = fs::read_to_string(new.join("labels.csv")).unwrap();
    let predicted = |file: &Path, form: &[&str]| {
        let (root, file) = (digits.root.to_str().unwrap(), file.to_str().unwrap());
        let arguments = ["predict", "--project", root, "--model", "digit-reader@champion", "--input", file];
        trainyard(&[&arguments[..], form].concat())
    };
    let predict = |file: &Path| predicted(file, &[]);
    let answer = predicted(&new.join("labels.csv"), &["--json"]);
    assert!(answer.status.success(), "{}", text(&answer.stderr));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let said = answer["predictions"].as_array().unwrap().iter().map(|row| row["prediction"].as_str().unwrap());
    let truth = labels.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    let right = said.zip(truth).filter(|(said, truth)| said == truth).count();
    assert!(right > 60, "{right} of 100");
    // A table that holds the pixels needs no images.
    let wide = new.join("pixels.csv");
    let names = Pixels { column: "path".to_owned(), height: 8, width: 8, mode: ColorMode::Gray }.names();
    fs::write(&wide, format!("id,{}\n1,{}\n", names.join(","), vec!["0"; 64].join(","))).unwrap();
    assert!(predict(&wide).status.success());
    let refused = |table: &str| {
        let file = new.join("rows.csv");
        fs::write(&file, table).unwrap();
        let answer = predict(&file);
        assert_eq!(answer.status.code(), Some(1), "{table}");
        text(&answer.stderr)
    };
    let said = refused("id,pth\n1,images/000001.png\n");
    assert!(
        said.contains("the rows lack the column `path`") && said.contains("is `path` called `pth` there?"),
        "{said}"
    );
    let said = refused("id,path\n1,images/000001.png\n2,images/none.png\n");
    assert!(said.contains("row 2: \"images/none.png\" is not there"), "{said}");
    // A row without an image has no pixels, which trees know what to do with.
    let none = new.join("none.csv");
    fs::write(&none, "id,path\n1,\n2,images/000001.png\n").unwrap();
    let answer = predict(&none);
    let said = text(&answer.stderr);
    assert!(answer.status.success() && said.matches("1 row without a value").count() == 1, "{said}");
}

#[test]
fn images_are_versioned_with_the_run_that_learned_from_them() {
    let digits = Digits::new(240);
    let lenient = ["--set", "gates.at_least.accuracy=0.5", "--set", "gates.at_least.f1=0.5"];
    let run = || digits.json(&[&["run"], &lenient[..]].concat());
    let version = |run: &Value| {
        let tags = digits.json(&["runs", "show", run_of(run)])["tags"].take();
        tags["data_version_master"].as_str().unwrap().to_owned()
    };
    let first = run();
    assert_eq!(first["decision"], "promoted");
    let described = || fs::read_to_string(digits.path("data/raw.dvc")).unwrap();
    // 240 images and their labels.
    let before = described();
    assert!(before.contains(&version(&first)) && before.contains("  nfiles: 241\n"), "{before}");

    let image = digits.path("data/raw/images/000007.png");
    let (bytes, other) = (fs::read(&image).unwrap(), fs::read(digits.path("data/raw/images/000008.png")).unwrap());
    fs::write(&image, &other).unwrap();
    let second = run();
    assert!(described().contains(&version(&second)) && version(&second) != version(&first));

    // The first run's images come back, and with them what it learned.
    fs::write(digits.path("data/raw.dvc"), before).unwrap();
    fs::remove_dir_all(digits.path("data/raw/images")).unwrap();
    digits.json(&["data", "checkout"]);
    assert_eq!(fs::read(&image).unwrap(), bytes);
    let again = run();
    assert_eq!((version(&again), &again["candidate"]["digest"]), (version(&first), &first["candidate"]["digest"]));
}

#[test]
fn an_image_that_changed_after_it_was_read_is_in_no_version() {
    let digits = Digits::new(120);
    for step in ["resolve", "ingest", "split"] {
        digits.json(&["step", step, "--run", "nightly"]);
    }
    fs::copy(digits.path("data/raw/images/000008.png"), digits.path("data/raw/images/000007.png")).unwrap();
    let root = digits.root.to_str().unwrap();
    let refused = trainyard(&["step", "version", "--run", "nightly", "--project", root]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("error[versioned/not-read]: an image of the master data is no longer what"), "{said}");
    assert!(!digits.path("data/raw.dvc").exists() && !digits.path(".dvc/cache").exists());
}

const LEARNED: &str = r#"
import numpy as np, os
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
def read(paths):
    images = [Image.open(os.path.join(data["folder"], path)) for path in paths]
    return np.array([np.asarray(image, dtype=float).reshape(-1) for image in images])
train, test = read(data["train"]["paths"]), read(data["test"]["paths"])
model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=5,
                                       early_stopping=False, random_state=0)
model.fit(train, data["train"]["labels"])
same = [(theirs == np.array(data[part]["pixels"])).all() for part, theirs in [("train", train), ("test", test)]]
answer = {"same": bool(all(same)),
          "accuracy": float((model.predict(test) == np.array(data["test"]["labels"])).mean())}
"#;

/// Gives the paths, labels and pixels of a part of the data.
fn part(path: &Path) -> Value {
    let table: RecordBatch = trainyard_data::read(&DiskIo, path, "part", &ReadOptions::default()).unwrap();
    let names = Pixels { column: "file".to_owned(), height: 8, width: 8, mode: ColorMode::Gray }.names();
    let columns: Vec<_> =
        names.iter().map(|name| table.column_by_name(name).unwrap().as_primitive::<Float64Type>()).collect();
    let pixels: Vec<Vec<f64>> =
        (0..table.num_rows()).map(|row| columns.iter().map(|column| column.value(row)).collect()).collect();
    let files: Vec<&str> = table.column_by_name("file").unwrap().as_string::<i64>().iter().flatten().collect();
    // A file's folder is its digit.
    let labels: Vec<&str> = files.iter().map(|file| file.split('/').next().unwrap()).collect();
    json!({ "paths": files, "labels": labels, "pixels": pixels })
}

#[test]
fn scanned_digits_are_the_pixels_of_pillow_and_read_as_well_as_scikit_learn_does() {
    let Some(labels) = trainyard_judges::shared("data/digits_png/labels.csv") else { return };
    let Some(judge) = trainyard_judges::python("images") else { return };
    let digits = Digits::new(0);
    copy(labels.parent().unwrap(), &digits.path("data/scanned"));
    let run = digits.json(&["run", "--env", "scanned"]);
    assert_eq!(run["decision"], "promoted", "{run}");
    let described = fs::read_to_string(digits.path("data/scanned.dvc")).unwrap();
    let files = fs::read_to_string(&labels).unwrap().lines().count();
    assert!(described.contains(&format!("  nfiles: {files}\n")), "{described}");
    let (train, test) = (
        part(&digits.path("data/splits/v2/train.parquet")),
        part(&digits.path("data/reference/tests/v2/test_reference.parquet")),
    );
    let rows = test["paths"].as_array().unwrap().len();
    let data = BTreeMap::from([("folder", json!(labels.parent().unwrap())), ("train", train), ("test", test)]);
    let learned = judge.run(LEARNED, &json!(data));
    assert_eq!(learned["same"], true);
    let (ours, theirs) =
        (run["metrics"]["reference"]["accuracy"].as_f64().unwrap(), learned["accuracy"].as_f64().unwrap());
    // Two models that are equally good differ by less in all but a few of a thousand draws.
    let noise = 3.0 * (2.0 * theirs * (1.0 - theirs) / rows as f64).sqrt();
    assert!((ours - theirs).abs() <= noise.max(0.03), "{ours} and {theirs} of {rows} rows");
}
