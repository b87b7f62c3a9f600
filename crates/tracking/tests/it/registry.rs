//! Versions, stages, aliases and promotions.

use std::collections::BTreeMap;
use std::fs;

use trainyard_files::Digest;
use trainyard_spec::Stage;
use trainyard_tracking::{Action, Effect, EmbeddedStore, Error, Field, Tracking, VersionRecord};

use crate::given::{change, new_run, objects, promotion, store, trained};

const MODEL: &str = "churn-predictor";

/// Shows the registry of the model in one line a version.
fn shown(store: &EmbeddedStore) -> Vec<String> {
    let line = |version: &VersionRecord| format!("{} {} {}", version.version, version.stage, version.aliases.join(" "));
    store.versions(MODEL).unwrap().iter().map(|version| line(version).trim_end().to_owned()).collect()
}

fn promote(store: &EmbeddedStore, run: &str, stage: Stage, alias: &str) -> VersionRecord {
    let promoted = store.promote(&promotion(trained(store, run), stage, alias)).unwrap();
    assert!(promoted.newly);
    promoted.version
}

#[test]
fn a_promotion_is_a_version_its_stage_its_alias_and_one_entry() {
    let (_dir, store) = store();
    let version = promote(&store, "a", Stage::Staging, "challenger");
    assert_eq!((version.version, version.stage, version.run.as_str()), (1, Stage::Staging, "a"));
    assert_eq!((version.aliases.as_slice(), version.artifact_path.as_str()), (&["challenger".to_owned()][..], "model"));
    assert_eq!((version.rows["train"], version.created_ms, version.digest), (4225, 2_000, Digest::of(b"a")));
    let history = store.history(MODEL).unwrap();
    let [entry] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!((entry.sequence, entry.version, entry.action), (1, Some(1), Action::Promoted));
    assert_eq!((entry.run.as_deref(), entry.reason.as_str(), entry.at_ms), (Some("a"), "roc_auc is better", 2_000));
    assert_eq!(entry.decision["difference"], 0.005);
    let expected = [
        Effect::Created { version: 1, digest: Digest::of(b"a") },
        Effect::Staged { version: 1, from: Stage::None, to: Stage::Staging },
        Effect::Aliased { alias: "challenger".to_owned(), from: None, to: Some(1) },
    ];
    assert_eq!(entry.effects, expected);
    store.verify_history().unwrap();
}

#[test]
fn the_former_holder_is_archived_and_called_previous() {
    let (_dir, store) = store();
    promote(&store, "a", Stage::Staging, "challenger");
    promote(&store, "b", Stage::Staging, "challenger");
    assert_eq!(shown(&store), ["2 Staging challenger", "1 Archived previous"]);
    promote(&store, "c", Stage::Staging, "challenger");
    assert_eq!(shown(&store), ["3 Staging challenger", "2 Archived previous", "1 Archived"]);
    store.transition(MODEL, 3, Stage::Production, &change()).unwrap();
    store.set_alias(MODEL, "champion", 3, &change()).unwrap();
    assert_eq!(shown(&store), ["3 Production challenger champion", "2 Archived previous", "1 Archived"]);
    // Going back: the champion was 3, so 3 is previous.
    store.set_alias(MODEL, "champion", 2, &change()).unwrap();
    store.transition(MODEL, 2, Stage::Production, &change()).unwrap();
    assert_eq!(shown(&store), ["3 Archived challenger previous", "2 Production champion", "1 Archived"]);
    store.set_alias(MODEL, "previous", 1, &change()).unwrap();
    store.transition(MODEL, 1, Stage::None, &change()).unwrap();
    assert_eq!(shown(&store), ["3 Archived challenger", "2 Production champion", "1 None previous"]);
    store.verify_history().unwrap();
}

#[test]
fn what_is_so_already_is_no_change() {
    let (_dir, store) = store();
    let version = promote(&store, "a", Stage::Staging, "challenger");
    assert_eq!(store.transition(MODEL, 1, Stage::Staging, &change()).unwrap(), version);
    assert_eq!(store.set_alias(MODEL, "challenger", 1, &change()).unwrap(), version);
    assert_eq!(store.history(MODEL).unwrap().len(), 1);
}

#[test]
fn a_promotion_done_before_is_found_done() {
    let (_dir, store) = store();
    let first = promotion(trained(&store, "a"), Stage::Staging, "challenger");
    store.promote(&first).unwrap();
    promote(&store, "b", Stage::Staging, "challenger");
    let (before, head) = (shown(&store), store.head(MODEL).unwrap());
    let mut again = first.clone();
    again.expected_head = Some(Digest::of(b"long gone"));
    let repeated = store.promote(&again).unwrap();
    assert!(!repeated.newly);
    assert_eq!((repeated.version.version, repeated.version.stage), (1, Stage::Archived));
    assert_eq!((shown(&store), store.head(MODEL).unwrap()), (before, head));
    assert_eq!(store.history(MODEL).unwrap().len(), 2);
    let mut other = first;
    other.version.digest = Digest::of(b"another model");
    assert!(matches!(store.promote(&other), Err(Error::VersionConflict { version: 1, .. })));
    assert!(matches!(store.create_version(MODEL, &other.version), Err(Error::VersionConflict { version: 1, .. })));
}

#[test]
fn a_version_may_be_registered_first_and_promoted_later() {
    let (_dir, store) = store();
    let new = trained(&store, "a");
    let registered = store.create_version(MODEL, &new).unwrap();
    assert_eq!((registered.version, registered.stage, registered.aliases.len()), (1, Stage::None, 0));
    assert_eq!(store.create_version(MODEL, &new).unwrap(), registered);
    let promoted = store.promote(&promotion(new, Stage::Production, "champion")).unwrap();
    assert!(promoted.newly);
    assert_eq!(shown(&store), ["1 Production champion"]);
    let actions: Vec<Action> = store.history(MODEL).unwrap().iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::Registered, Action::Promoted]);
}

#[test]
fn a_model_whose_files_are_not_all_there_is_not_visible() {
    let (dir, store) = store();
    let new = trained(&store, "a");
    let object = objects(dir.path()).path(&store.artifacts("a").unwrap()[0].digest);
    let bytes = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    for damage in [None, Some(b"damaged")] {
        if let Some(damage) = damage {
            fs::write(&object, damage).unwrap();
        }
        for outcome in [
            store.create_version(MODEL, &new).map(drop),
            store.promote(&promotion(new.clone(), Stage::Staging, "challenger")).map(drop),
        ] {
            let Err(Error::IncompleteModel { paths, .. }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(paths, ["model/model.json"]);
        }
    }
    assert!(store.versions(MODEL).unwrap().is_empty() && store.models().unwrap().is_empty());
    objects(dir.path()).put(&bytes).unwrap();
    store.create_version(MODEL, &new).unwrap();
    store.start_run(&new_run("empty")).unwrap();
    // `models` is not inside `mode`.
    let mut nothing = new;
    (nothing.run, nothing.artifact_path) = ("empty".to_owned(), "mode".to_owned());
    assert!(matches!(store.create_version(MODEL, &nothing), Err(Error::IncompleteModel { .. })));
    nothing.run = "nobody".to_owned();
    assert!(matches!(store.create_version(MODEL, &nothing), Err(Error::UnknownRun { .. })));
}

#[test]
fn the_head_tells_versions_stages_and_aliases_and_nothing_else() {
    let (_dir, left) = store();
    let (_other, right) = store();
    assert_eq!(left.head(MODEL).unwrap(), right.head(MODEL).unwrap());
    // Another run at another time made the same model.
    let mut theirs = trained(&right, "b");
    (theirs.digest, theirs.created_ms) = (Digest::of(b"a"), 9_999);
    let mut heads = vec![left.head(MODEL).unwrap()];
    promote(&left, "a", Stage::Staging, "challenger");
    right.promote(&promotion(theirs, Stage::Staging, "challenger")).unwrap();
    heads.push(left.head(MODEL).unwrap());
    assert_eq!(left.head(MODEL).unwrap(), right.head(MODEL).unwrap());
    left.transition(MODEL, 1, Stage::Production, &change()).unwrap();
    heads.push(left.head(MODEL).unwrap());
    left.set_alias(MODEL, "champion", 1, &change()).unwrap();
    heads.push(left.head(MODEL).unwrap());
    left.create_version(MODEL, &trained(&left, "c")).unwrap();
    heads.push(left.head(MODEL).unwrap());
    heads.push(left.head("other").unwrap());
    heads.sort();
    heads.dedup();
    assert_eq!(heads.len(), 6);
}

#[test]
fn a_promotion_for_another_head_is_refused_whole() {
    let (_dir, store) = store();
    let decided_on = store.head(MODEL).unwrap();
    let mut late = promotion(trained(&store, "late"), Stage::Staging, "challenger");
    late.expected_head = Some(decided_on);
    promote(&store, "fast", Stage::Staging, "challenger");
    assert!(matches!(store.promote(&late), Err(Error::HeadMoved { .. })));
    assert_eq!(shown(&store), ["1 Staging challenger"]);
    late.expected_head = Some(store.head(MODEL).unwrap());
    assert_eq!(store.promote(&late).unwrap().version.version, 2);
}

#[test]
fn references_find_their_version_or_name_what_there_is() {
    let (_dir, store) = store();
    let find = |text: &str| store.version_by(&text.parse().unwrap());
    assert!(matches!(find(MODEL), Err(Error::UnknownModel { known, .. }) if known.is_empty()));
    for run in ["a", "b", "c"] {
        promote(&store, run, Stage::Staging, "challenger");
    }
    let number = |text: &str| find(text).unwrap().version;
    assert_eq!(number("churn-predictor"), 3);
    store.transition(MODEL, 2, Stage::Production, &change()).unwrap();
    assert_eq!(number("churn-predictor"), 2);
    store.set_alias(MODEL, "champion", 1, &change()).unwrap();
    for (text, version) in [
        ("churn-predictor", 1),
        ("churn-predictor@latest", 3),
        ("churn-predictor@challenger", 3),
        ("churn-predictor/2", 2),
        ("churn-predictor/staging", 3),
        ("churn-predictor/Archived", 1),
        ("models:/churn-predictor/Production", 2),
    ] {
        assert_eq!(number(text), version, "{text}");
    }
    let error = find("churn-predicter").unwrap_err();
    assert!(matches!(&error, Error::UnknownModel { nearest: Some(near), .. } if near == MODEL), "{error:?}");
    for text in ["churn-predictor/9", "churn-predictor@nobody", "churn-predictor/None"] {
        let error = find(text).unwrap_err();
        let Error::UnknownVersion { reference, versions, aliases } = error else { panic!("{error:?}") };
        assert_eq!(reference.to_string(), text);
        assert_eq!(versions, [3, 2, 1]);
        assert_eq!(aliases, ["challenger", "champion", "previous"]);
        assert_eq!(store.find_version(&reference).unwrap(), None);
    }
    assert!(matches!(store.transition(MODEL, 9, Stage::None, &change()), Err(Error::UnknownVersion { .. })));
    assert!(matches!(store.set_alias("other", "champion", 1, &change()), Err(Error::UnknownModel { .. })));
    assert!(matches!(store.set_alias(MODEL, "v7", 1, &change()), Err(Error::Invalid { field: Field::Alias, .. })));
}

#[test]
fn models_are_listed_by_name() {
    let (_dir, store) = store();
    for (model, run) in [("b", "1"), ("a", "2"), ("a", "3")] {
        let mut promotion = promotion(trained(&store, run), Stage::Staging, "challenger");
        model.clone_into(&mut promotion.model);
        store.promote(&promotion).unwrap();
    }
    let models = store.models().unwrap();
    let shown: Vec<_> = models.iter().map(|model| (model.name.as_str(), model.latest, model.aliases.clone())).collect();
    let alias = |name: &str, version| (name.to_owned(), version);
    assert_eq!(
        shown,
        [
            ("a", 2, BTreeMap::from([alias("challenger", 2), alias("previous", 1)])),
            ("b", 1, BTreeMap::from([alias("challenger", 1)])),
        ]
    );
    assert!(store.versions("c").unwrap().is_empty() && store.history("c").unwrap().is_empty());
}

#[test]
fn a_version_is_promoted_by_hand_with_one_entry() {
    let (_dir, store) = store();
    promote(&store, "a", Stage::Production, "champion");
    promote(&store, "b", Stage::Staging, "challenger");
    let promoted = store.promote_version(MODEL, 2, Stage::Production, Some("champion"), &change()).unwrap();
    assert_eq!((promoted.stage, promoted.aliases), (Stage::Production, vec!["challenger".into(), "champion".into()]));
    assert_eq!(shown(&store), ["2 Production challenger champion", "1 Archived previous"]);
    let entry = store.history(MODEL).unwrap().pop().unwrap();
    assert_eq!((entry.sequence, entry.action, entry.version, entry.run), (3, Action::Promoted, Some(2), None));
    assert_eq!(entry.effects.len(), 4);
    // The same again is no change.
    store.promote_version(MODEL, 2, Stage::Production, Some("champion"), &change()).unwrap();
    store.promote_version(MODEL, 2, Stage::Production, None, &change()).unwrap();
    assert_eq!(store.history(MODEL).unwrap().len(), 3);
    let refused = store.promote_version(MODEL, 3, Stage::Production, None, &change());
    assert!(matches!(refused, Err(Error::UnknownVersion { .. })));
    let refused = store.promote_version(MODEL, 2, Stage::Production, Some("v2"), &change());
    assert!(matches!(refused, Err(Error::Invalid { field: Field::Alias, .. })));
    store.verify_history().unwrap();
}

#[test]
fn a_rollback_gives_alias_and_stage_back_one_holder_after_the_other() {
    let (_dir, store) = store();
    for run in ["a", "b", "c"] {
        promote(&store, run, Stage::Production, "champion");
    }
    assert_eq!(store.rollback(MODEL, "champion", &change()).unwrap().version, 2);
    assert_eq!(shown(&store), ["3 Archived previous", "2 Production champion", "1 Archived"]);
    let entry = store.history(MODEL).unwrap().pop().unwrap();
    assert_eq!((entry.sequence, entry.action, entry.version), (4, Action::RolledBack, Some(2)));
    // What was found wrong is not gone back to.
    assert_eq!(store.rollback(MODEL, "champion", &change()).unwrap().version, 1);
    assert_eq!(shown(&store), ["3 Archived", "2 Archived previous", "1 Production champion"]);
    let head = store.head(MODEL).unwrap();
    let none = store.rollback(MODEL, "champion", &change());
    assert!(matches!(none, Err(Error::NothingBefore { .. })), "{none:?}");
    assert!(matches!(store.rollback(MODEL, "nobody", &change()), Err(Error::NothingBefore { .. })));
    assert!(matches!(store.rollback("other", "champion", &change()), Err(Error::UnknownModel { .. })));
    assert_eq!((store.head(MODEL).unwrap(), store.history(MODEL).unwrap().len()), (head, 5));
    promote(&store, "d", Stage::Production, "champion");
    assert_eq!(store.rollback(MODEL, "champion", &change()).unwrap().version, 1);
    store.verify_history().unwrap();
}

#[test]
fn what_was_put_away_is_not_gone_back_to() {
    let (_dir, store) = store();
    for run in ["a", "b", "c"] {
        promote(&store, run, Stage::Production, "champion");
    }
    store.archive(MODEL, 2, &change()).unwrap();
    assert_eq!(shown(&store), ["3 Production champion", "2 Archived", "1 Archived"]);
    assert_eq!(store.rollback(MODEL, "champion", &change()).unwrap().version, 1);
    assert_eq!(shown(&store), ["3 Archived previous", "2 Archived", "1 Production champion"]);
    let entries = store.history(MODEL).unwrap().len();
    store.archive(MODEL, 2, &change()).unwrap();
    assert_eq!(store.history(MODEL).unwrap().len(), entries);
    // A champion that is put away leaves its place; who goes back from there gets the place with the alias.
    promote(&store, "d", Stage::Production, "champion");
    let away = store.archive(MODEL, 4, &change()).unwrap();
    assert_eq!((away.stage, away.aliases.len()), (Stage::Archived, 0));
    assert_eq!(store.rollback(MODEL, "champion", &change()).unwrap().version, 1);
    assert_eq!(shown(&store)[3], "1 Production champion previous");
    store.verify_history().unwrap();
}

#[test]
fn decisions_against_a_candidate_are_in_the_history_once() {
    let (_dir, store) = store();
    let mut decided = change();
    decided.run = Some("r".to_owned());
    for action in [Action::Refused, Action::Refused, Action::Kept, Action::Kept] {
        store.record_decision(MODEL, action, &decided).unwrap();
    }
    decided.run = Some("s".to_owned());
    store.record_decision(MODEL, Action::Kept, &decided).unwrap();
    let history = store.history(MODEL).unwrap();
    let told: Vec<_> = history.iter().map(|entry| (entry.action, entry.run.as_deref(), entry.version)).collect();
    let expected =
        [(Action::Refused, Some("r"), None), (Action::Kept, Some("r"), None), (Action::Kept, Some("s"), None)];
    assert_eq!(told, expected);
    assert!(store.models().unwrap().is_empty());
    store.verify_history().unwrap();
}

#[test]
fn what_stood_then_is_told_whatever_came_after() {
    let (_dir, store) = store();
    let mut told = Vec::new();
    for (number, run) in ["a", "b", "c"].into_iter().enumerate() {
        let mut promotion = promotion(trained(&store, run), Stage::Production, "champion");
        promotion.version.created_ms = 1_000 * (number as i64 + 1);
        store.promote(&promotion).unwrap();
        told.push((promotion.version.created_ms, shown(&store)));
    }
    store.rollback(MODEL, "champion", &change()).unwrap();
    for (at, shown) in told {
        for at in [at, at + 999] {
            let standing = store.standing_at(MODEL, at).unwrap();
            // The rollback is dated like the third promotion.
            if at < 3_000 {
                assert_eq!(standing.versions.len(), shown.len(), "{at}");
                assert_eq!(standing.aliases["champion"], standing.versions.len() as u32, "{at}");
                let last = standing.versions.last_key_value().unwrap();
                assert_eq!(last.1.stage, Stage::Production);
            }
        }
    }
    assert_eq!(store.standing_at(MODEL, 999).unwrap(), trainyard_tracking::Standing::default());
    let now = store.standing_at(MODEL, i64::MAX).unwrap();
    assert_eq!((now.aliases["champion"], now.aliases["previous"], now.versions[&3].stage), (2, 3, Stage::Archived));
    assert_eq!(now.versions[&2].digest, Digest::of(b"b"));
}
