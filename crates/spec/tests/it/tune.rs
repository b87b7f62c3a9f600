//! A trial's values become an estimator, and the usual ranges are ranges of what an estimator takes.

use serde_json::json;
use trainyard_spec::{EstimatorSpec, Range, Resolved, SearchedCandidate, resolve};

use crate::given::Given;

fn resolved(model: &str) -> Resolved {
    resolve(&Given::default_project().with("versions/models/v1.yaml", model).files()).unwrap()
}

#[test]
fn every_usual_range_is_taken_by_its_estimator_from_end_to_end() {
    for task in [true, false] {
        for name in EstimatorSpec::NAMES.iter().filter(|name| EstimatorSpec::is_for(name, task)) {
            let model = format!("candidates: {{{name}: {{}}}}\ntune: {{}}\n");
            let mut given = Given::default_project().with("versions/models/v1.yaml", &model);
            if !task {
                let project = "name: p\ndata:\n  source: d.csv\n  target: {column: y, task: regression}\n\
                               active: {split: 1, features: 1, model: 1}\n";
                given = given.with("trainyard.yaml", project);
            }
            if *name == "dummy" {
                let problems = resolve(&given.files()).unwrap_err();
                assert!(problems.as_slice()[0].title.contains("no candidate has parameters to search for"));
                continue;
            }
            let resolved = resolve(&given.files()).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            let model = &resolved.model.spec;
            let spaces = model.tune.as_ref().unwrap().spaces(&model.candidates);
            assert_eq!(spaces.len(), 1);
            for SearchedCandidate { name: candidate, spec, ranges } in spaces {
                assert_eq!(candidate, *name);
                for (parameter, range) in ranges {
                    let ends = match range.range.value {
                        Range::Float { low, high, .. } => [json!(low), json!(high)],
                        Range::Int { low, high, .. } => [json!(low), json!(high)],
                        Range::Choice(_) => panic!("{parameter}"),
                    };
                    for end in ends {
                        let with = spec.with(&[(parameter.clone(), end.clone())]).unwrap();
                        let written: f64 = with.parameters()[&parameter].parse().unwrap();
                        assert_eq!(Some(written), end.as_f64(), "{name}.{parameter}");
                    }
                }
            }
        }
    }
}

#[test]
fn values_replace_what_is_written_and_what_cannot_stand_together_is_refused() {
    let resolved = resolved("candidates: {gradient_boosting: {max_depth: 3, subsample: 0.5}}");
    let (_, spec) = &resolved.model.spec.candidates[0];
    let with = spec.with(&[("max_depth".into(), json!(null)), ("learning_rate".into(), json!(0.25))]).unwrap();
    let parameters = with.parameters();
    assert_eq!(parameters["max_depth"], "None");
    assert_eq!(parameters["learning_rate"], "0.25");
    assert_eq!(parameters["subsample"], "0.5");
    let problems = spec.with(&[("quantile".into(), json!(0.5))]).unwrap_err();
    assert!(problems.as_slice()[0].title.contains("quantile"), "{problems:?}");
}

#[test]
fn a_search_names_the_candidates_that_it_is_of() {
    let candidates = "candidates: {gradient_boosting: {}, random_forest: {}, dummy: {}}\n";
    let names = |tune: &str| {
        let resolved = resolved(&format!("{candidates}{tune}"));
        let model = &resolved.model.spec;
        let spaces = model.tune.as_ref().unwrap().spaces(&model.candidates);
        spaces.iter().map(|searched| (searched.name.to_owned(), searched.ranges.len())).collect::<Vec<_>>()
    };
    let of = |name: &str, ranges| (name.to_owned(), ranges);
    assert_eq!(names("tune: {}"), [of("gradient_boosting", 7), of("random_forest", 3)]);
    assert_eq!(names("tune: {space: {random_forest: {max_depth: [2, 3]}}}"), [of("random_forest", 1)]);
    assert_eq!(
        names("tune: {space: {random_forest: {max_depth: [2, 3]}, gradient_boosting: default}}"),
        [of("gradient_boosting", 7), of("random_forest", 1)]
    );
}
