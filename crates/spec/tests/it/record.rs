//! A resolved configuration goes into a run's record and comes back the same.

use serde_json::{Value, json};
use trainyard_spec::{Resolved, resolve};

use crate::given::{Given, cases};

#[test]
fn records_come_back_the_same() {
    for (name, text) in cases("valid") {
        let resolved = resolve(&Given::case(&text).files()).unwrap();
        let json = resolved.to_json();
        // Through text, as a run stores it.
        let stored: Value = serde_json::from_str(&json.to_string()).unwrap();
        let mut back = Resolved::from_json(&stored).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert_eq!(back.to_json().to_string(), json.to_string(), "{name}");
        back.warnings.clone_from(&resolved.warnings);
        assert!(back == resolved, "{name} came back as another one");
        for part in ["data", "gates", "promote", "tracking", "active", "split", "features", "model"] {
            let section = Resolved::section_of(&json, part);
            assert_eq!(Resolved::section_of(&back.to_json(), part), section, "{name} {part}");
        }
    }
}

#[test]
fn sections_tell_what_they_hold_and_nothing_else() {
    let plain = resolve(&Given::default_project().files()).unwrap();
    let other = resolve(&Given::default_project().with_flags(&["--set", "gates.at_least.f1=0.5"]).files()).unwrap();
    let (plain, other) = (plain.to_json(), other.to_json());
    let section = Resolved::section_of;
    assert_eq!(section(&plain, "data"), section(&other, "data"));
    assert_ne!(section(&plain, "gates"), section(&other, "gates"));
    assert_eq!(section(&plain, "model"), &plain["model"]["spec"]);
    assert!(section(&plain, "split").is_object());
    assert_eq!(section(&plain, "no such part"), &Value::Null);
    assert_eq!(section(&plain, "promote"), &Value::Null);
}

#[test]
fn records_that_are_none_are_refused() {
    let json = resolve(&Given::default_project().files()).unwrap().to_json();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        Resolved::from_json(&json).unwrap_err().errors()
    };
    assert_eq!(refused(&|json| *json = Value::Null), 1);
    assert_eq!(refused(&|json| json["format"] = json!(2)), 1);
    assert_eq!(refused(&|json| json["project"]["data"]["kye"] = json!(1)), 1);
    assert_eq!(refused(&|json| json["split"]["version"] = json!(-1)), 1);
    assert_eq!(refused(&|json| json["overrides"] = json!([["a"]])), 1);
    assert_eq!(refused(&|json| json["environment"] = json!(3)), 1);
    assert_eq!(refused(&|json| json["model"]["spec"]["candidates"] = json!({})), 1);
}

#[test]
fn a_refit_on_validation_rows_that_are_not_there_is_a_warning() {
    let with = |shares: &str| {
        let given = Given::default_project()
            .with("versions/splits/v1.yaml", &format!("seed: 1\nshares: {shares}\n"))
            .with("versions/models/v1.yaml", "candidates: {gradient_boosting: {}}\nrefit: train_and_validation\n");
        resolve(&given.files()).unwrap().warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
    };
    assert_eq!(with("{train: 0.8, reference_test: 0.2}"), ["spec/refit"]);
    assert_eq!(with("{train: 0.6, validation: 0.2, reference_test: 0.2}"), [""; 0]);
}

#[test]
fn what_lets_somebody_in_is_in_no_record() {
    let source = "data.source=https://h.example/a.csv?part=1&X-Amz-Signature=s3cr3t";
    let resolved = resolve(&Given::default_project().with_flags(&["--set", source]).files()).unwrap();
    assert!(resolved.project.data.source.value.ends_with("s3cr3t"));
    let record = resolved.to_json();
    let shown = "https://h.example/a.csv?part=1&X-Amz-Signature=******";
    assert_eq!(record["project"]["data"]["source"], shown);
    assert_eq!(record["overrides"], json!([["data.source", shown]]));
    assert!(!record.to_string().contains("s3cr3t"));
    // The same source is known again in another signature, and no other is.
    let mut back = Resolved::from_json(&record).unwrap();
    let other = |address: &str| {
        let flag = format!("data.source={address}");
        resolve(&Given::default_project().with_flags(&["--set", &flag]).files()).unwrap().project.data.source
    };
    let recorded = &mut back.project.data.source;
    assert!(!recorded.complete(&other("https://h.example/a.csv?part=2&X-Amz-Signature=an0ther")));
    assert!(!recorded.complete(&other("https://h.example/b.csv?part=1&X-Amz-Signature=an0ther")));
    assert!(recorded.complete(&other("https://h.example/a.csv?part=1&X-Amz-Signature=an0ther")));
    assert!(recorded.value.ends_with("an0ther"));
}
