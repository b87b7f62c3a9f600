//! What a search sees of a setting is what cross-validation says of it.

use std::sync::Mutex;

use serde_json::json;
use trainyard_model::{Error, SearchFolds, with_folds};

use crate::given::{bits, churn};

const MODELS: &str = "\
candidates:
  gradient_boosting: {max_iter: 30}
  logistic_regression: {}
  random_forest: {n_estimators: 10}
cross_validation: {folds: 4}
";

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn table() -> arrow_array::RecordBatch {
    trainyard_data::synth::churn(600, 7)
}

#[test]
fn scores_are_those_of_cross_validation() {
    let table = table();
    let project = churn(MODELS, &table);
    let trained = project.train(&table, None).unwrap();
    let request = project.request(&table, None);
    let spec = &project.resolved.model.spec;
    let candidates: Vec<_> = spec.candidates.iter().map(|(name, spec)| (name.value.as_str(), spec, true)).collect();
    let search =
        SearchFolds { folds: 4, holdout: false, metric: "log_loss", threads: &pool(), candidates: &candidates };
    let scores = with_folds(&request, &search, |folds| {
        assert_eq!(folds.folds(), 4);
        let mut all = Vec::new();
        for (name, spec, _) in &candidates {
            let of = |fold| folds.score(name, spec, None, fold, None, &|_| true);
            all.push((0..4).map(of).collect::<Result<Vec<f64>, Error>>()?);
        }
        Ok(all)
    });
    for (report, scores) in trained.report.candidates.iter().zip(scores.unwrap()) {
        let spread = &report.cross_validation["log_loss"];
        assert_eq!(bits(&spread.folds), bits(&scores), "{}", report.name);
    }
    let search = SearchFolds { holdout: true, ..search };
    let holdout = with_folds(&request, &search, |folds| {
        assert_eq!(folds.folds(), 1);
        folds.score("gradient_boosting", candidates[0].1, None, 0, None, &|_| true)
    });
    let first = trained.report.candidates[0].cross_validation["log_loss"].folds[0];
    assert_eq!(holdout.unwrap().to_bits(), first.to_bits());
}

#[test]
fn boosted_trees_tell_how_good_they_are_and_can_be_stopped() {
    let table = table();
    let project = churn(MODELS, &table);
    let request = project.request(&table, None);
    let spec = &project.resolved.model.spec.candidates[0].1;
    let of = |trees: u32| spec.with(&[("max_iter".into(), json!(trees))]).unwrap();
    let candidates = [("gradient_boosting", spec, false)];
    let search = SearchFolds { folds: 4, holdout: true, metric: "roc_auc", threads: &pool(), candidates: &candidates };
    let (told, stopped) = with_folds(&request, &search, |folds| {
        let told = Mutex::new(Vec::new());
        let hear = |iterations: usize, value: f64| {
            told.lock().unwrap().push((iterations, value));
            true
        };
        let whole = folds.score("gradient_boosting", &of(45), None, 0, Some(&hear), &|_| true)?;
        let told = told.into_inner().unwrap();
        for (iterations, value) in &told {
            // The trees up to there are a fit of their own.
            let alone = folds.score("gradient_boosting", &of(*iterations as u32), None, 0, None, &|_| true)?;
            assert_eq!(value.to_bits(), alone.to_bits(), "{iterations}");
        }
        assert_eq!(whole.to_bits(), folds.score("gradient_boosting", &of(45), None, 0, None, &|_| true)?.to_bits());
        let until = |iterations: usize, _: f64| iterations < 20;
        Ok((told, folds.score("gradient_boosting", &of(45), None, 0, Some(&until), &|_| true)))
    })
    .unwrap();
    assert_eq!(told.iter().map(|(iterations, _)| *iterations).collect::<Vec<_>>(), [5, 10, 20, 40]);
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
}

#[test]
fn bins_that_nobody_announced_are_made_when_they_are_asked_for() {
    let table = table();
    let project = churn(MODELS, &table);
    let request = project.request(&table, None);
    let spec = &project.resolved.model.spec.candidates[0].1;
    let coarse = spec.with(&[("max_bins".into(), json!(8))]).unwrap();
    let score = |changes: bool, spec: &trainyard_spec::EstimatorSpec| {
        let candidates = [("gradient_boosting", &project.resolved.model.spec.candidates[0].1, changes)];
        let search =
            SearchFolds { folds: 4, holdout: true, metric: "log_loss", threads: &pool(), candidates: &candidates };
        with_folds(&request, &search, |folds| folds.score("gradient_boosting", spec, None, 0, None, &|_| true))
    };
    let announced = {
        let candidates = [("gradient_boosting", &coarse, false)];
        let search =
            SearchFolds { folds: 4, holdout: true, metric: "log_loss", threads: &pool(), candidates: &candidates };
        with_folds(&request, &search, |folds| folds.score("gradient_boosting", &coarse, None, 0, None, &|_| true))
            .unwrap()
    };
    assert_eq!(score(true, &coarse).unwrap().to_bits(), announced.to_bits());
    assert!(matches!(score(false, &coarse), Err(Error::Learn { .. })), "nothing to make them of");
    assert_ne!(announced.to_bits(), score(false, spec).unwrap().to_bits());
}

#[test]
fn trees_stop_by_the_metric_that_is_asked_for() {
    let table = table();
    let project = churn(MODELS, &table);
    let request = project.request(&table, None);
    let spec = &project.resolved.model.spec.candidates[0].1;
    let stopping = [("max_iter".to_owned(), json!(60)), ("early_stopping".into(), json!(true))];
    let of = |scoring: &str| spec.with(&[&stopping[..], &[("scoring".into(), json!(scoring))][..]].concat()).unwrap();
    let candidates = [("gradient_boosting", spec, false)];
    let values = |metric: &str, spec: &trainyard_spec::EstimatorSpec| {
        let search = SearchFolds { folds: 4, holdout: true, metric, threads: &pool(), candidates: &candidates };
        let told = Mutex::new(0);
        let count = |iterations: usize, _: f64| {
            *told.lock().unwrap() = iterations;
            true
        };
        let score = |folds: &trainyard_model::FoldScorer<'_>| {
            folds.score("gradient_boosting", spec, None, 0, Some(&count), &|_| true)
        };
        (with_folds(&request, &search, score), told.into_inner().unwrap())
    };
    // The best number of trees of all gives the best value, whichever way is better.
    for (metric, is_higher_better) in [("roc_auc", true), ("log_loss", false), ("brier", false)] {
        let (found, told) = values(metric, &of(metric));
        let found = found.unwrap();
        assert!(told < 40, "{metric}: trees were grown to the end");
        for trees in 1..=told as u32 {
            let (value, _) = values(metric, &spec.with(&[("max_iter".into(), json!(trees))]).unwrap());
            let value = value.unwrap();
            assert!(if is_higher_better { found >= value } else { found <= value }, "{metric}, {trees} trees");
        }
    }
    // A trial that does not stop early has nothing to stop by; one of another task's metric is refused.
    let whole = of("roc_auc").with(&[("early_stopping".into(), json!(false))]).unwrap();
    let plain = spec.with(&[("max_iter".into(), json!(60))]).unwrap();
    assert_eq!(values("roc_auc", &whole).0.unwrap().to_bits(), values("roc_auc", &plain).0.unwrap().to_bits());
    let refused = values("roc_auc", &of("rmse")).0.unwrap_err();
    assert!(matches!(&refused, Error::WrongParameter { parameter, .. } if parameter == "scoring: rmse"), "{refused}");
}
