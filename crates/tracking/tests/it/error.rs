//! Every error says what, where, and one thing to do.

use std::path::PathBuf;

use trainyard_files::Digest;
use trainyard_tracking::{Error, Field, HistoryFault, ModelReference, Status};

fn shown(error: &Error) -> String {
    let diagnostic = error.diagnostic();
    let mut text = format!("error[{}]: {}\n", diagnostic.code, diagnostic.title);
    diagnostic.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    diagnostic.help.iter().for_each(|help| text.push_str(&format!("  help: {help}\n")));
    text
}

#[test]
fn messages() {
    let path = || PathBuf::from(".trainyard/tracking.db");
    let text = str::to_owned;
    let detail = || text("database disk image is malformed");
    let errors = [
        Error::Files(trainyard_files::Error::Absent { digest: Digest::of(b""), path: "objects/af/13".into() }),
        Error::Damaged { path: path(), detail: detail() },
        Error::Foreign { path: path() },
        Error::Later { path: path(), found: 7, known: 1 },
        Error::Busy { path: path() },
        Error::Full { path: path() },
        Error::ReadOnly { path: path() },
        Error::CannotOpen { path: path(), detail: text("unable to open database file") },
        Error::Store { path: path(), detail: text("disk I/O error") },
        Error::Invalid { field: Field::Alias, value: text("v7\n") },
        Error::Invalid { field: Field::Experiment, value: "x".repeat(7000) },
        Error::UnknownRun { asked: text("7f3c"), nearest: Some(text("7f3a")), recent: vec![text("7f3a")] },
        Error::UnknownRun { asked: text("x"), nearest: None, recent: vec![text("7f3a"), text("c0de")] },
        Error::UnknownRun { asked: text("x"), nearest: None, recent: Vec::new() },
        Error::AmbiguousRun { asked: text("7f"), candidates: vec![text("7f3b"), text("7f3a")] },
        Error::RunEnded { run: text("7f3a"), status: Status::Finished },
        Error::RunEnded { run: text("7f3a"), status: Status::Killed },
        Error::ParamChanged { run: text("7f3a"), key: text("depth"), stored: text("6"), offered: text("7") },
        Error::UnknownArtifact { run: text("7f3a"), path: text("model.jsn"), known: vec![text("model.json")] },
        Error::UnknownArtifact { run: text("7f3a"), path: text("plot"), known: Vec::new() },
        Error::BadReference { text: text("churn/Stagin"), part: text("Stagin") },
        Error::BadReference { text: text("churn/x/y"), part: text("x/y") },
        Error::UnknownModel { asked: text("chrun"), nearest: Some(text("churn")), known: vec![text("churn")] },
        Error::UnknownModel { asked: text("x"), nearest: None, known: vec![text("churn"), text("spam")] },
        Error::UnknownModel { asked: text("x"), nearest: None, known: Vec::new() },
        Error::UnknownVersion {
            reference: ModelReference::alias("churn", "chalenger"),
            versions: vec![2, 1],
            aliases: vec![text("challenger"), text("previous")],
        },
        Error::UnknownVersion {
            reference: ModelReference::version("churn", 11),
            versions: (1..=10).rev().collect(),
            aliases: Vec::new(),
        },
        Error::VersionConflict { version: 3, run: text("7f3a"), stored: Digest::of(b"a"), offered: Digest::of(b"b") },
        Error::IncompleteModel { run: text("7f3a"), paths: vec![text("model/model.json")] },
        Error::HeadMoved { model: text("churn") },
        Error::HistoryBroken { sequence: 4, fault: HistoryFault::Altered },
        Error::HistoryBroken { sequence: 5, fault: HistoryFault::Disagrees },
    ];
    let gallery: String = errors.iter().map(shown).collect();
    for error in &errors {
        assert_eq!(error.diagnostic().help.len(), 1, "{error:?}");
    }
    let snapshot =
        std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/it/errors.txt");
    if std::env::var_os("TRAINYARD_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&snapshot, &gallery).unwrap();
    }
    assert_eq!(gallery, std::fs::read_to_string(snapshot).unwrap());
}
