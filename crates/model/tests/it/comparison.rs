//! A candidate beside an incumbent.

use std::sync::Arc;

use arrow_array::{LargeStringArray, RecordBatch};
use trainyard_data::synth;
use trainyard_model::{CompareRequest, Comparison, Incumbent, Model, compare};

use crate::given::{CHURN, CHURN_FEATURES, MODELS, Project, churn, fifths, replaced};

struct Setting {
    table: RecordBatch,
    project: Project,
}

impl Setting {
    fn new() -> Setting {
        let table = synth::churn(2000, 6);
        let project = churn(MODELS, &table);
        Setting { table, project }
    }

    fn model(&self, rows: &[usize]) -> Model {
        self.project.train(&fifths(&self.table, rows), None).unwrap().model
    }

    fn compare(
        &self,
        candidate: &Model,
        incumbent: Option<Result<&Model, String>>,
        reference: &RecordBatch,
    ) -> Comparison {
        let incumbent = incumbent.map(|model| Incumbent {
            digest: match &model {
                Ok(model) => Model::digest(&model.to_folder()),
                Err(_) => trainyard_files::Digest::of(b"unreadable"),
            },
            model,
        });
        compare(&CompareRequest {
            candidate,
            candidate_digest: Model::digest(&candidate.to_folder()),
            incumbent,
            reference,
            data: &self.project.resolved.project.data,
            more: &[],
            metric: "roc_auc",
            resamples: 200,
            seed: 1,
        })
        .unwrap()
    }
}

#[test]
fn rows_that_the_incumbent_saw_are_left_out() {
    let setting = Setting::new();
    let candidate = setting.model(&[0, 1, 2]);
    // The incumbent was trained on one of the two parts that the candidate's reference holds.
    let incumbent = setting.model(&[0, 1, 3]);
    let reference = fifths(&setting.table, &[3, 4]);
    let Comparison::Measured(measured) = setting.compare(&candidate, Some(Ok(&incumbent)), &reference) else {
        panic!("not measured")
    };
    assert_eq!((measured.rows, measured.excluded), (400, 400));
    let rest = fifths(&setting.table, &[4]);
    let targets = setting.project.targets(&rest);
    let metrics = |model: &Model| model.metrics(&targets, &model.predict(&rest).unwrap()).unwrap();
    assert_eq!(measured.candidate, metrics(&candidate));
    assert_eq!(measured.incumbent, metrics(&incumbent));
    assert_eq!(measured.difference, measured.candidate["roc_auc"] - measured.incumbent["roc_auc"]);
    assert!(measured.low <= measured.difference && measured.difference <= measured.high);
}

#[test]
fn rows_are_known_by_content_where_keys_have_changed() {
    let setting = Setting::new();
    let (candidate, incumbent) = (setting.model(&[0, 1, 2]), setting.model(&[0, 1, 3]));
    let reference = fifths(&setting.table, &[3, 4]);
    let ids: LargeStringArray = (0..reference.num_rows()).map(|row| Some(format!("new {row}"))).collect();
    let reference = replaced(&reference, "customerID", Arc::new(ids));
    let Comparison::Measured(measured) = setting.compare(&candidate, Some(Ok(&incumbent)), &reference) else {
        panic!("not measured")
    };
    assert_eq!(measured.rows, 400);
}

#[test]
fn outcomes_without_a_measurement() {
    let setting = Setting::new();
    let candidate = setting.model(&[0, 1, 2]);
    let reference = fifths(&setting.table, &[4]);
    assert_eq!(setting.compare(&candidate, None, &reference), Comparison::NoIncumbent);
    assert_eq!(setting.compare(&candidate, Some(Ok(&candidate)), &reference), Comparison::SameModel);

    let unreadable = setting.compare(&candidate, Some(Err("its folder lacks model.json".into())), &reference);
    assert_eq!(unreadable, Comparison::IncumbentFails { error: "its folder lacks model.json".into() });

    let incumbent = setting.model(&[0, 1, 4]);
    let all_seen = setting.compare(&candidate, Some(Ok(&incumbent)), &reference);
    assert_eq!(all_seen, Comparison::TooFewRows { rows: 0, excluded: 400, smallest_class: Some(0) });
    let few = setting.compare(&candidate, Some(Ok(&setting.model(&[0, 1, 3]))), &reference.slice(0, 99));
    assert!(matches!(few, Comparison::TooFewRows { rows: 99, excluded: 0, .. }), "{few:?}");
    let one_class: LargeStringArray = (0..400).map(|row| Some(if row < 19 { "Yes" } else { "No" })).collect();
    let one_class = replaced(&reference, "Churn", Arc::new(one_class));
    let few = setting.compare(&candidate, Some(Ok(&setting.model(&[0, 1, 3]))), &one_class);
    assert!(matches!(few, Comparison::TooFewRows { smallest_class: Some(19), .. }), "{few:?}");

    let mut other = setting.model(&[0, 1, 3]);
    other.target.classes = Some(vec!["Yes".into(), "No".into()]);
    let outcome = setting.compare(&candidate, Some(Ok(&other)), &reference);
    let [candidate_says, incumbent_says] = ["Churn = Yes (binary)", "Churn = No (binary)"].map(str::to_owned);
    assert_eq!(outcome, Comparison::OtherTarget { candidate: candidate_says, incumbent: incumbent_says });
}

#[test]
fn an_incumbent_that_wants_an_absent_column_fails() {
    let setting = Setting::new();
    let incumbent = setting.model(&[0, 1, 3]);
    let fewer = CHURN_FEATURES.replace("PaperlessBilling, ", "");
    let at = setting.table.schema().index_of("PaperlessBilling").unwrap();
    let columns: Vec<usize> = (0..setting.table.num_columns()).filter(|column| *column != at).collect();
    let table = setting.table.project(&columns).unwrap();
    let setting = Setting { project: Project::new(CHURN, &fewer, MODELS, &table), table };
    let candidate = setting.model(&[0, 1, 2]);
    let outcome = setting.compare(&candidate, Some(Ok(&incumbent)), &fifths(&setting.table, &[4]));
    let error = "the rows lack the column `PaperlessBilling`, which the features need".to_owned();
    assert_eq!(outcome, Comparison::IncumbentFails { error });
}
