//! The lock is written the same way every time, and read back.

use std::collections::BTreeMap;

use trainyard_diagnostics::Source;
use trainyard_spec::{Lock, Part, ReferenceLock, SplitLock, VersionLock, resolve, resolve_beside};

use crate::given::Given;

fn lock() -> Lock {
    let digest = |digit: &str| digit.repeat(64);
    let used = |digit, run: Option<&str>| VersionLock { digest: digest(digit), first_run: run.map(str::to_owned) };
    Lock {
        splits: BTreeMap::from([
            (
                2,
                SplitLock {
                    digest: digest("2"),
                    key: None,
                    target: "a \"b\"\\\n\u{2028}é: #".into(),
                    positive: None,
                    first_run: None,
                },
            ),
            (
                1,
                SplitLock {
                    digest: digest("e"),
                    key: Some("id".into()),
                    target: "true".into(),
                    positive: Some("1".into()),
                    first_run: Some("7f3a".into()),
                },
            ),
        ]),
        features: BTreeMap::from([(1, used("0", Some("007"))), (10, used("a", None))]),
        models: BTreeMap::new(),
        references: BTreeMap::from([(1, ReferenceLock { digest: digest("f"), rows: u64::MAX, source: "~".into() })]),
    }
}

#[test]
fn what_is_written_is_read_back() {
    for lock in [lock(), Lock::default()] {
        let text = lock.to_yaml();
        let read = Lock::parse(&Source::new("versions/lock.yaml", text.clone())).unwrap();
        assert_eq!(read, lock);
        assert_eq!(read.to_yaml(), text);
    }
}

#[test]
fn the_form_is_fixed() {
    let text = lock().to_yaml();
    let start = "# Which version files and reference tests runs have used. Written by trainyard; commit it, and do not edit it.\n\
                 splits:\n  1:\n    digest: \"eeee";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("    run: \"7f3a\"\n  2:\n"), "{text}");
    assert!(text.contains("  10:\n    digest: \"aaaa"), "{text}");
    assert!(text.ends_with("    rows: 18446744073709551615\n    source: \"~\"\n"), "{text}");
}

/// Resolves the default project and locks what it used.
fn used() -> (Given, Lock) {
    let given = Given::default_project();
    let resolved = resolve(&given.files()).unwrap();
    let mut lock = Lock::default();
    let first_run = Some("7f3a".to_owned());
    lock.splits.insert(
        1,
        SplitLock {
            digest: resolved.split.digest,
            key: Some("customerID".into()),
            target: "Churn".into(),
            positive: Some("Yes".into()),
            first_run: first_run.clone(),
        },
    );
    lock.features.insert(1, VersionLock { digest: resolved.features.digest, first_run: first_run.clone() });
    lock.models.insert(1, VersionLock { digest: resolved.model.digest, first_run });
    (given.with("versions/lock.yaml", &lock.to_yaml()), lock)
}

fn codes(given: &Given) -> Vec<String> {
    match resolve(&given.files()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.code).collect(),
    }
}

#[test]
fn layout_comments_status_and_description_are_no_edits() {
    let (given, lock) = used();
    assert_eq!(resolve(&given.files()).unwrap().lock, lock);
    let text = &given.texts["versions/models/v1.yaml"];
    let same = format!("# A comment.\nstatus: active\ndescription: the first one\n{text}\n\n");
    assert_eq!(codes(&given.clone().with("versions/models/v1.yaml", &same)), [""; 0]);
    let flow = "{seed: 42, \"shares\": {train: 0.6, \n validation: 0.20, 'reference_test': 2e-1}}\n";
    let block = "seed: 42\nshares:\n  train: 0.6\n  validation: 0.2\n  reference_test: 0.2\n";
    let digest = |text: &str| {
        resolve(&Given::default_project().with("versions/splits/v1.yaml", text).files()).unwrap().split.digest
    };
    assert_eq!(digest(flow), digest(block));
    assert_ne!(digest(block), digest(&block.replace("42", "43")));
    assert_ne!(digest(block), digest(&block.replace("42", "\"42x\"").replace("\"42x\"", "4")));
}

#[test]
fn retiring_a_used_version_is_no_edit_but_refused() {
    let (given, _) = used();
    let text = format!("{}status: retired\n", given.texts["versions/features/v1.yaml"]);
    assert_eq!(codes(&given.with("versions/features/v1.yaml", &text)), ["versions/retired"]);
}

#[test]
fn an_edit_after_use_is_told_where_the_run_that_used_it_is_known() {
    let (given, _) = used();
    let path = "versions/splits/v1.yaml";
    let old = given.texts[path].clone();
    let edited = given.with(path, &format!("{}optional_tests: {{}}\n", old.replace("seed: 42", "seed: 7")));
    let told = |text: &str| {
        let problems = resolve_beside(&edited.files(), &|part, run| {
            assert_eq!(run, "7f3a");
            (part == Part::Split).then(|| text.to_owned())
        });
        let problem = problems.unwrap_err().into_vec().remove(0);
        (problem.notes.clone(), problem.primary.map(|label| label.place.start().line))
    };
    let line = old.lines().position(|line| line.contains("seed")).unwrap() + 1;
    let notes = ["`seed` was 42, is 7", "`optional_tests` is new: {}"].map(str::to_owned).to_vec();
    assert_eq!(told(&old), (notes, Some(line)));
    // Another text than the one that was used says nothing of it.
    assert_eq!(told(&old.replace("42", "41")), (vec!["versions/lock.yaml knows what it said".to_owned()], Some(1)));
}

#[test]
fn edits_after_use_are_refused() {
    let (given, _) = used();
    for path in ["versions/splits/v1.yaml", "versions/models/v1.yaml"] {
        let text = format!("{}seed: 7\n", given.texts[path].replace("seed: 42\n", ""));
        assert_eq!(codes(&given.clone().with(path, &text)), ["versions/edited"], "{path}");
    }
    let (given, _) = used();
    assert_eq!(codes(&given.clone().with_flags(&["--set", "data.key="])), ["versions/split-in-use"]);
    assert_eq!(codes(&given.with_flags(&["--set", "data.target.column=Left"])), ["versions/split-in-use"]);
}
