//! Model folders: exact, checked, and honest about what is wrong with them.

use std::collections::BTreeMap;

use trainyard_data::synth;
use trainyard_features::row_of;
use trainyard_model::{Error, Estimator, Model};

use crate::given::{CHURN, MODELS, Project, bits, churn, fifths};

type Folder = BTreeMap<String, Vec<u8>>;

fn model() -> (Model, arrow_array::RecordBatch) {
    let table = synth::churn(800, 1);
    let project = churn(MODELS, &table);
    (project.train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap().model, fifths(&table, &[4]))
}

#[test]
fn a_folder_gives_the_same_model_and_the_same_bits() {
    let (model, table) = model();
    let folder = model.to_folder();
    assert_eq!(folder.keys().collect::<Vec<_>>(), ["model.json", "seen_rows.bin", "signature.json"]);
    let read = Model::from_folder(&folder).unwrap();
    assert_eq!(read, model);
    assert_eq!(read.to_folder(), folder);
    assert_eq!(Model::digest(&read.to_folder()), Model::digest(&folder));
    let predictions = model.predict(&table).unwrap();
    assert_eq!(bits(&read.predict(&table).unwrap()), bits(&predictions));
    for (row, prediction) in predictions.iter().enumerate() {
        assert_eq!(read.predict_row(&row_of(&table, row)).unwrap(), [*prediction]);
    }
}

#[test]
fn the_baseline_and_a_constant_round_trip_too() {
    let table = synth::churn(600, 2);
    for models in [MODELS, "baseline: {dummy: {}}\ncandidates: {dummy: {}}\n"] {
        let model = churn(models, &table).baseline(&table).unwrap().model;
        let read = Model::from_folder(&model.to_folder()).unwrap();
        assert_eq!(read, model);
        assert_eq!(bits(&read.predict(&table).unwrap()), bits(&model.predict(&table).unwrap()));
    }
}

#[test]
fn another_path_or_byte_is_another_digest() {
    let folder = Folder::from([("a".into(), vec![1, 2]), ("b".into(), vec![3])]);
    let digest = Model::digest(&folder);
    assert_ne!(Model::digest(&Folder::from([("a".into(), vec![1, 2]), ("c".into(), vec![3])])), digest);
    assert_ne!(Model::digest(&Folder::from([("a".into(), vec![1]), ("b".into(), vec![2, 3])])), digest);
    assert_ne!(Model::digest(&Folder::from([("a".into(), vec![1, 2])])), digest);
}

#[test]
fn every_damage_is_a_typed_error() {
    let folder = model().0.to_folder();
    for path in folder.keys() {
        let mut without = folder.clone();
        without.remove(path);
        assert_eq!(Model::from_folder(&without), Err(Error::MissingFile { path: path.clone() }));
        let length = folder[path].len();
        for at in [0, 1, 7, length / 3, length / 2, length - 2, length - 1] {
            let mut cut = folder.clone();
            cut.get_mut(path).unwrap().truncate(at);
            assert!(matches!(Model::from_folder(&cut), Err(Error::Damaged { .. })), "{path} cut to {at}");
            let mut altered = folder.clone();
            altered.get_mut(path).unwrap()[at] ^= 1;
            let read = Model::from_folder(&altered);
            assert!(
                matches!(read, Err(Error::Damaged { .. } | Error::Format { .. })),
                "{path} altered at {at}: {read:?}"
            );
        }
    }
}

#[test]
fn another_format_is_named() {
    let mut folder = model().0.to_folder();
    for (found, help) in
        [(1, "train the model again"), (5, "use the version of trainyard that wrote the model, or a later one")]
    {
        // Other fields may be unknown then: the format is looked at first.
        folder.insert("model.json".into(), format!("{{\"format\": {found}, \"anything\": []}}").into_bytes());
        let expected = Error::Format { path: "model.json".into(), found, known: 4 };
        assert_eq!(Model::from_folder(&folder), Err(expected.clone()));
        let words = format!("model.json has format {found}; this version of trainyard reads format 4");
        assert_eq!((expected.to_string(), expected.diagnostic().help), (words, vec![help.to_owned()]));
    }
}

#[test]
fn an_estimator_that_does_not_fit_its_features_is_refused() {
    let (mut model, _) = model();
    model.estimator = Estimator::Linear {
        models: vec![trainyard_learn::LinearModel {
            coefficients: vec![1.0],
            intercept: 0.0,
            converged: true,
            iterations: 1,
        }],
        fill: vec![0.0],
        link: trainyard_model::Link::Logit,
    };
    assert!(matches!(Model::from_folder(&model.to_folder()), Err(Error::Damaged { .. })));
}

#[test]
fn sets_of_categories_come_back_and_codes_that_a_feature_lacks_are_refused() {
    let table = synth::churn(800, 3);
    let features = "groups: [{categorical: [Contract, PaymentMethod], encode: native}, {numeric: [tenure]}]";
    let models = "candidates: {gradient_boosting: {max_iter: 5}}\ncross_validation: {folds: 0}\n";
    let project = Project::new(CHURN, features, models, &table);
    let model = project.train(&fifths(&table, &[0, 1, 2, 3]), None).unwrap().model;
    let folder = model.to_folder();
    let read = Model::from_folder(&folder).unwrap();
    assert_eq!((&read, read.to_folder()), (&model, folder.clone()));
    assert_eq!(bits(&read.predict(&table).unwrap()), bits(&model.predict(&table).unwrap()));
    let stored: serde_json::Value = serde_json::from_slice(&folder["model.json"]).unwrap();
    assert_eq!((&stored["format"], &stored["features"]["format"]), (&4.into(), &3.into()));
    // Four ways to pay have the codes 0 to 3; tenure is a number.
    let altered = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut estimator = stored["estimator"].clone();
        let trees = estimator["ensembles"][0]["trees"].as_array_mut().unwrap();
        change(trees.iter_mut().find(|tree| tree["sets"].is_array()).unwrap());
        Model { estimator: serde_json::from_value(estimator).unwrap(), ..model.clone() }.to_folder()
    };
    assert!(Model::from_folder(&altered(&|tree| tree["sets"][0]["left"] = serde_json::json!([0, 2]))).is_ok());
    let refused = Model::from_folder(&altered(&|tree| tree["sets"][0]["left"] = serde_json::json!([0, 4])));
    let what = "its estimator does not fit its features and target".to_owned();
    assert_eq!(refused, Err(Error::Damaged { path: "model.json".into(), what }));
}

#[test]
fn the_signature_says_what_goes_in_and_out() {
    let (model, _) = model();
    let signature: serde_json::Value = serde_json::from_slice(&model.to_folder()["signature.json"]).unwrap();
    let tenure = serde_json::json!({"name": "tenure", "type": "integer"});
    assert!(signature["inputs"].as_array().unwrap().contains(&tenure), "{signature}");
    assert_eq!(signature["outputs"], serde_json::json!([{"name": "probability", "type": "float", "of": "Yes"}]));
}

/// A change of the stored model.
type Edit = fn(&mut serde_json::Value);

/// Reads a model whose file was edited by hand; no signature is asked for.
fn edited(model: &Model, edit: impl Fn(&mut serde_json::Value)) -> Result<Model, Error> {
    let folder = model.to_folder();
    let mut stored: serde_json::Value = serde_json::from_slice(&folder["model.json"]).unwrap();
    edit(&mut stored);
    Model::from_files(stored.to_string().as_bytes(), &folder["seen_rows.bin"])
}

#[test]
fn what_contradicts_itself_is_refused_before_it_predicts() {
    use serde_json::json;
    let (model, _) = model();
    assert_eq!(edited(&model, |_| ()).unwrap(), model);
    let edits: [(&str, Edit); 7] = [
        ("three classes of two", |stored| stored["target"]["classes"] = json!(["a", "b", "c"])),
        ("classes that are absent", |stored| stored["target"]["classes"] = json!(null)),
        ("several classes of which there is one", |stored| {
            stored["target"] = json!({"column": "Churn", "task": "multiclass", "classes": ["a"]});
        }),
        ("classes of a number", |stored| stored["target"]["task"] = json!("regression")),
        ("a fitted value of another type", |stored| {
            let derived = stored["features"]["derived"].as_array_mut().unwrap();
            let fitted = derived.iter_mut().find(|column| !column["fitted"].as_array().unwrap().is_empty()).unwrap();
            fitted["fitted"] = json!([{"text": "high"}]);
        }),
        ("a tree that leads nowhere", |stored| {
            stored["estimator"]["ensembles"][0]["trees"][0]["left"][0] = json!(99_999)
        }),
        ("terms that are no words", |stored| {
            stored["features"]["inputs"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "note", "kind": "text", "any_number": false}));
            let text = json!({"column": "note", "lowercase": true, "ngram_range": [1, 1], "sublinear_tf": false, "norm": "l2",
                "terms": ["two words"], "weights": [1.0]});
            stored["features"]["format"] = json!(2);
            stored["features"]["features"].as_array_mut().unwrap().push(json!({"text": text}));
        }),
    ];
    for (what, edit) in edits {
        let read = edited(&model, edit);
        assert!(matches!(&read, Err(Error::Damaged { path, .. }) if path == "model.json"), "{what}: {read:?}");
    }
}
