//! Runs: begun, filled, ended, found.

use std::collections::BTreeMap;

use trainyard_files::Digest;
use trainyard_tracking::{
    Batch, End, Error, Field, Input, Metric, NewRun, PARAM_VALUE_LIMIT, Reason, Status, TAG_VALUE_LIMIT, Tracking,
};

use crate::given::{map, new_run, objects, open, store};

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), value, step, timestamp_ms: 1_000 + step }
}

#[test]
fn a_run_holds_what_was_logged_after_reopening_too() {
    let (dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    store.log_params("a1", &map([("split_version", "1"), ("learning_rate", "0.1")])).unwrap();
    store
        .log_metrics("a1", &[metric("loss", 0.9, 0), metric("loss", 0.5, 1), metric("reference_roc_auc", 0.846, 0)])
        .unwrap();
    store.set_tags("a1", &map([("team", "core"), ("cached_from", "9f")])).unwrap();
    let input = Input {
        name: "master".to_owned(),
        digest: Digest::of(b"rows"),
        source: "customers.csv".to_owned(),
        rows: 7043,
    };
    store.log_input("a1", &input).unwrap();
    store.log_artifact("a1", "plots/a.png", b"png").unwrap();
    let reason = Reason { code: "gate/missed".to_owned(), message: "precision 0.61 < 0.70".to_owned() };
    store.end_run("a1", Status::Refused, 5_000, Some(&reason)).unwrap();
    drop(store);
    let store = open(dir.path());
    let run = store.run("a1").unwrap().unwrap();
    assert_eq!((run.experiment.as_str(), run.name.as_str()), ("churn", "run a1"));
    assert_eq!((run.status, run.started_ms, run.ended_ms), (Status::Refused, 1_000, Some(5_000)));
    assert_eq!(run.reason, Some(reason));
    assert_eq!(run.params, map([("learning_rate", "0.1"), ("split_version", "1")]));
    assert_eq!(run.metrics, BTreeMap::from([("loss".to_owned(), 0.5), ("reference_roc_auc".to_owned(), 0.846)]));
    assert_eq!(run.tags, map([("cached_from", "9f"), ("team", "core")]));
    assert_eq!(run.inputs, [input]);
    assert_eq!(store.metric_history("a1", "loss").unwrap(), [metric("loss", 0.9, 0), metric("loss", 0.5, 1)]);
    assert_eq!(store.read_artifact("a1", "plots/a.png").unwrap(), b"png");
    assert_eq!(store.run("a").unwrap(), None);
}

#[test]
fn a_batch_is_logged_whole_or_not_at_all() {
    let (dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    store.log_params("a1", &map([("depth", "6")])).unwrap();
    let (picture, rows) = (objects(dir.path()).put(b"png").unwrap(), Digest::of(b"rows"));
    let input = Input { name: "master".to_owned(), digest: rows, source: "customers.csv".to_owned(), rows: 7043 };
    let batch = Batch {
        params: map([("alpha", "1"), ("depth", "7")]),
        metrics: vec![metric("loss", 0.5, 0)],
        tags: map([("team", "core")]),
        inputs: vec![input],
        artifacts: BTreeMap::from([("plots/a.png".to_owned(), picture)]),
        reference_uses: vec![(1, rows), (1, rows)],
        ..Batch::default()
    };
    let before = store.run("a1").unwrap();
    assert!(matches!(store.log_batch("a1", &batch), Err(Error::ParamChanged { .. })));
    let absent = Batch { artifacts: BTreeMap::from([("b.png".to_owned(), rows)]), ..Batch::default() };
    assert!(matches!(store.log_batch("a1", &absent), Err(Error::Files(_))));
    let long = Batch { metrics: vec![metric(&"m".repeat(5_000), 0.5, 0)], ..Batch::default() };
    assert!(store.log_batch("a1", &long).is_err());
    assert_eq!(store.run("a1").unwrap(), before);
    assert_eq!((store.artifacts("a1").unwrap(), store.reference_uses(1, &rows).unwrap()), (Vec::new(), 0));
    let batch = Batch { params: map([("alpha", "1"), ("depth", "6")]), ..batch };
    store.log_batch("a1", &batch).unwrap();
    let run = store.run("a1").unwrap().unwrap();
    assert_eq!((run.params, run.tags, run.inputs), (batch.params, batch.tags, batch.inputs));
    assert_eq!(store.metric_history("a1", "loss").unwrap(), batch.metrics);
    assert_eq!(store.reference_uses(1, &rows).unwrap(), 1);
    assert_eq!(store.read_artifact("a1", "plots/a.png").unwrap(), b"png");
}

#[test]
fn a_parameter_never_changes_and_a_refused_batch_leaves_nothing() {
    let (_dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    store.log_params("a1", &map([("depth", "6")])).unwrap();
    store.log_params("a1", &map([("depth", "6")])).unwrap();
    let error = store.log_params("a1", &map([("alpha", "1"), ("depth", "7")])).unwrap_err();
    let Error::ParamChanged { run, key, stored, offered } = error else { panic!("{error:?}") };
    assert_eq!((run.as_str(), key.as_str(), stored.as_str(), offered.as_str()), ("a1", "depth", "6", "7"));
    assert_eq!(store.run("a1").unwrap().unwrap().params, map([("depth", "6")]));
}

#[test]
fn every_float_survives_bit_by_bit() {
    let (_dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    let values =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1e15 + 0.5, -3.0];
    let logged: Vec<Metric> = (0..).zip(values).map(|(step, value)| metric("m", value, step)).collect();
    store.log_metrics("a1", &logged).unwrap();
    let found: Vec<f64> = store.metric_history("a1", "m").unwrap().iter().map(|metric| metric.value).collect();
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    assert!(found.len() == values.len() && found.iter().zip(values).all(|(a, b)| same(*a, b)), "{found:?}");
    store.log_metrics("a1", &[metric("m", f64::NAN, 99)]).unwrap();
    assert!(store.run("a1").unwrap().unwrap().metrics["m"].is_nan());
}

#[test]
fn a_metric_logged_again_stands_once() {
    let (_dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    for value in [0.4, 0.5] {
        store.log_metrics("a1", &[metric("loss", value, 3), metric("loss", 0.9, -1)]).unwrap();
    }
    assert_eq!(store.metric_history("a1", "loss").unwrap(), [metric("loss", 0.9, -1), metric("loss", 0.5, 3)]);
    assert_eq!(store.run("a1").unwrap().unwrap().metrics["loss"], 0.5);
}

#[test]
fn what_failed_or_was_killed_goes_on_and_what_finished_does_not() {
    let (_dir, store) = store();
    let reason = Reason { code: "pipeline/crashed".to_owned(), message: String::new() };
    for (id, status, resumes) in [
        ("a", Status::Failed, true),
        ("b", Status::Killed, true),
        ("c", Status::Finished, false),
        ("d", Status::Refused, false),
    ] {
        store.start_run(&new_run(id)).unwrap();
        store.log_params(id, &map([("depth", "6")])).unwrap();
        // A step of the same run begins it once more.
        store.start_run(&new_run(id)).unwrap();
        store.end_run(id, status, 9, Some(&reason)).unwrap();
        store.end_run(id, status, 10, None).unwrap();
        let ended = store.run(id).unwrap().unwrap();
        assert_eq!((ended.status, ended.ended_ms, ended.reason.as_ref()), (status, Some(9), Some(&reason)));
        let refused = |outcome: Result<(), Error>| matches!(outcome, Err(Error::RunEnded { status: found, .. }) if found == status);
        assert!(refused(store.log_metrics(id, &[metric("m", 1.0, 0)])));
        assert!(refused(store.log_params(id, &map([("x", "1")]))));
        assert!(refused(store.log_artifact(id, "x", b"x").map(drop)));
        let other = if status == Status::Killed { Status::Failed } else { Status::Killed };
        assert!(refused(store.end_run(id, other, 11, None)));
        store.set_tags(id, &map([("note", "seen")])).unwrap();
        let again = store.start_run(&new_run(id));
        if resumes {
            again.unwrap();
            let run = store.run(id).unwrap().unwrap();
            assert_eq!((run.status, run.ended_ms, run.reason), (Status::Running, None, None));
            assert_eq!((run.params, run.started_ms), (map([("depth", "6")]), 1_000));
        } else {
            assert!(refused(again));
        }
    }
}

#[test]
fn runs_are_found_by_a_beginning_that_no_other_shares() {
    let (_dir, store) = store();
    assert!(matches!(store.find_run("x"), Err(Error::UnknownRun { recent, .. }) if recent.is_empty()));
    for id in ["7f3a11", "7f3b22", "c0ffee", "c0ffee-2"] {
        store.start_run(&new_run(id)).unwrap();
    }
    assert_eq!(store.find_run("7f3a").unwrap().run, "7f3a11");
    assert_eq!(store.find_run("c0ffee").unwrap().run, "c0ffee");
    let error = store.find_run("7f3").unwrap_err();
    assert!(
        matches!(&error, Error::AmbiguousRun { candidates, .. } if candidates == &["7f3b22", "7f3a11"]),
        "{error:?}"
    );
    let error = store.find_run("c0fefe").unwrap_err();
    let Error::UnknownRun { asked, nearest, recent } = error else { panic!("{error:?}") };
    assert_eq!((asked.as_str(), nearest.as_deref(), recent.len()), ("c0fefe", Some("c0ffee"), 4));
    for odd in ["", "%", "_", "*", "é"] {
        assert!(matches!(store.find_run(odd), Err(Error::UnknownRun { .. })), "{odd}");
    }
    assert!(matches!(store.artifacts("nope"), Err(Error::UnknownRun { .. })));
    assert!(matches!(store.log_params("nope", &map([])), Err(Error::UnknownRun { .. })));
}

#[test]
fn runs_are_listed_the_newest_first_even_when_the_clock_went_back() {
    let (_dir, store) = store();
    for (number, id) in ["a", "b", "c"].into_iter().enumerate() {
        let mut run = new_run(id);
        run.started_ms = 1_000 - i64::try_from(number).unwrap();
        store.start_run(&run).unwrap();
    }
    store.end_run("b", Status::Failed, 0, None).unwrap();
    let ids =
        |limit, status| -> Vec<String> { store.runs(limit, status).unwrap().into_iter().map(|run| run.run).collect() };
    assert_eq!(ids(10, None), ["c", "b", "a"]);
    assert_eq!(ids(2, None), ["c", "b"]);
    assert_eq!(ids(10, Some(Status::Running)), ["c", "a"]);
    assert_eq!(ids(10, Some(Status::Failed)), ["b"]);
    assert!(ids(10, Some(Status::Killed)).is_empty() && ids(0, None).is_empty());
    assert_eq!(ids(usize::MAX, None).len(), 3);
}

#[test]
fn artifacts_are_sorted_verified_and_replaced_while_the_run_lasts() {
    let (dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    for (path, bytes) in [("model/b", "2"), ("model/a/c", "1"), ("models", "x"), ("model/b", "3")] {
        store.log_artifact("a1", path, bytes.as_bytes()).unwrap();
    }
    let listed = store.artifacts("a1").unwrap();
    assert_eq!(
        listed.iter().map(|artifact| artifact.path.as_str()).collect::<Vec<_>>(),
        ["model/a/c", "model/b", "models"]
    );
    assert_eq!((listed[1].size, listed[1].digest), (1, Digest::of(b"3")));
    store.start_run(&new_run("b2")).unwrap();
    store.log_artifact("b2", "models", b"y").unwrap();
    let expected = [("b2".to_owned(), Digest::of(b"y")), ("a1".to_owned(), Digest::of(b"x"))];
    assert_eq!(store.artifacts_at("models").unwrap(), expected);
    assert!(store.artifacts_at("model").unwrap().is_empty());
    let folder = store.read_folder("a1", "model").unwrap();
    assert_eq!(folder, BTreeMap::from([("a/c".to_owned(), b"1".to_vec()), ("b".to_owned(), b"3".to_vec())]));
    let error = store.read_artifact("a1", "model/x").unwrap_err();
    assert!(matches!(&error, Error::UnknownArtifact { known, .. } if known.len() == 3), "{error:?}");
    for path in ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "a\0"] {
        assert!(
            matches!(store.log_artifact("a1", path, b""), Err(Error::Invalid { field: Field::ArtifactPath, .. })),
            "{path:?}"
        );
    }
    let object = crate::given::objects(dir.path()).path(&Digest::of(b"3"));
    std::fs::remove_file(&object).unwrap();
    assert!(matches!(store.read_artifact("a1", "model/b"), Err(Error::Files(trainyard_files::Error::Absent { .. }))));
    std::fs::write(&object, b"4").unwrap();
    assert!(matches!(store.read_artifact("a1", "model/b"), Err(Error::Files(trainyard_files::Error::Damaged { .. }))));
}

fn used(split_version: u32, reference: Digest) -> Batch {
    Batch { reference_uses: vec![(split_version, reference)], ..Batch::default() }
}

#[test]
fn a_batch_may_begin_the_run_and_end_it() {
    let (_dir, store) = store();
    let end = |status, ended_ms| Some(End { status, ended_ms, reason: None });
    let whole = Batch {
        start: Some(new_run("a1")),
        metrics: vec![metric("loss", 0.5, 0)],
        end: end(Status::Finished, 7),
        ..Batch::default()
    };
    let absent = BTreeMap::from([("b.png".to_owned(), Digest::of(b"absent"))]);
    assert!(store.log_batch("a1", &Batch { artifacts: absent, ..whole.clone() }).is_err());
    assert_eq!(store.run("a1").unwrap(), None);
    store.log_batch("a1", &whole).unwrap();
    let run = store.run("a1").unwrap().unwrap();
    assert_eq!((run.status, run.ended_ms, run.metrics["loss"]), (Status::Finished, Some(7), 0.5));
    // Once more, after a crash in between; nothing else may come after the end.
    store.log_batch("a1", &whole).unwrap();
    assert_eq!(store.run("a1").unwrap().unwrap(), run);
    for other in [Batch { end: end(Status::Refused, 8), ..Batch::default() }, Batch::default()] {
        assert!(matches!(store.log_batch("a1", &other), Err(Error::RunEnded { .. })));
    }
    // What failed may go on, and fail again for another reason.
    for ended_ms in [8, 9] {
        let failed = Batch { start: Some(new_run("b2")), end: end(Status::Failed, ended_ms), ..Batch::default() };
        store.log_batch("b2", &failed).unwrap();
        assert_eq!(store.run("b2").unwrap().unwrap().ended_ms, Some(ended_ms));
    }
}

#[test]
fn uses_of_a_reference_test_are_counted_once_a_run() {
    let (_dir, store) = store();
    let reference = Digest::of(b"reference");
    for (run, uses) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
        store.start_run(&new_run(run)).unwrap();
        store.log_batch(run, &used(1, reference)).unwrap();
        assert_eq!(store.reference_uses(1, &reference).unwrap(), uses);
    }
    assert_eq!(store.reference_uses(1, &reference).unwrap(), 2);
    assert_eq!(store.reference_uses(2, &reference).unwrap(), 0);
    assert_eq!(store.reference_uses(1, &Digest::of(b"other")).unwrap(), 0);
    assert!(matches!(store.log_batch("nope", &used(1, reference)), Err(Error::UnknownRun { .. })));
}

#[test]
fn names_keep_the_limits_of_mlflow_and_values_are_kept_whole() {
    let (_dir, store) = store();
    store.start_run(&new_run("a1")).unwrap();
    let field = |outcome: Result<(), Error>| match outcome {
        Err(Error::Invalid { field, .. }) => Some(field),
        Ok(()) => None,
        Err(other) => panic!("{other:?}"),
    };
    for (id, allowed) in [("", false), ("-a", false), ("a b", false), ("a/b", false), ("A_1-x", true), ("é", false)] {
        assert_eq!(field(store.start_run(&new_run(id))), (!allowed).then_some(Field::Run), "{id:?}");
    }
    for (key, allowed) in
        [("cv_f1 mean/x:1.0-é", true), ("a//b", false), ("../x", false), ("a%", false), ("", false), ("/a", false)]
    {
        assert_eq!(
            field(store.log_metrics("a1", &[metric(key, 1.0, 0)])),
            (!allowed).then_some(Field::MetricKey),
            "{key:?}"
        );
        assert_eq!(field(store.log_params("a1", &map([(key, "1")]))), (!allowed).then_some(Field::ParamKey), "{key:?}");
        assert_eq!(field(store.set_tags("a1", &map([(key, "1")]))), (!allowed).then_some(Field::TagKey), "{key:?}");
    }
    let (param, tag) = ("é".repeat(PARAM_VALUE_LIMIT + 1), "x".repeat(100 * TAG_VALUE_LIMIT));
    store.log_params("a1", &map([("long", &param)])).unwrap();
    store.set_tags("a1", &map([("long", &tag)])).unwrap();
    let record = store.run("a1").unwrap().unwrap();
    assert_eq!((&record.params["long"], &record.tags["long"]), (&param, &tag));
    let mut run = new_run("b");
    run.experiment = " ".to_owned();
    assert_eq!(field(store.start_run(&run)), Some(Field::Experiment));
}

#[test]
fn the_data_of_the_run_before_is_found_however_many_came_between() {
    let (_dir, store) = store();
    let read = |run: &str, experiment: &str, end: Status| {
        store.start_run(&NewRun { experiment: experiment.to_owned(), ..new_run(run) }).unwrap();
        let digest = Digest::of(run.as_bytes());
        store.log_input(run, &Input { name: "master".to_owned(), digest, source: String::new(), rows: 1 }).unwrap();
        store.end_run(run, end, 9, None).unwrap();
    };
    let before = |run: &str| store.input_before(run, "churn", "master").unwrap().map(|(run, _)| run);
    assert_eq!(before("new"), None);
    read("good", "churn", Status::Refused);
    for number in 0..230 {
        read(&format!("bad{number}"), "churn", Status::Failed);
    }
    read("other", "spam", Status::Finished);
    store.start_run(&new_run("bare")).unwrap();
    store.end_run("bare", Status::Finished, 9, None).unwrap();
    assert_eq!(store.input_before("new", "churn", "master").unwrap(), Some(("good".to_owned(), Digest::of(b"good"))));
    // One that goes on is compared with what was there when it began.
    store.start_run(&new_run("open")).unwrap();
    read("later", "churn", Status::Finished);
    assert_eq!([before("open"), before("new")], [Some("good".to_owned()), Some("later".to_owned())]);
    assert_eq!(before("good"), None);
}
