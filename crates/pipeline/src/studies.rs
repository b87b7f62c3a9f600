//! Searches that runs left, and those of others.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::DiskIo;
use trainyard_tracking::{RunRecord, Status, Tracking};
use trainyard_tune::journal;

use crate::look::tracking;
use crate::project::STATE;
use crate::steps::{REPORT, STUDIES, search_of};

/// The searches of one run, or of a file.
#[derive(Debug)]
pub struct Studies {
    /// The run; none of a file.
    pub run: Option<String>,
    /// What the run said of its searches: the metric, the baseline, the best trials; null of a file.
    pub report: Value,
    /// The searches by name.
    pub studies: BTreeMap<String, journal::Read>,
    /// How many searches were begun and have not ended; the next run of the same goes on with them.
    pub unfinished: usize,
}

/// Reads the searches of a run: the one that is named, else the latest that has some.
///
/// # Errors
/// No such run, none with a search, or one whose files can't be read.
pub fn studies(root: &Path, run: Option<&str>) -> Result<Studies, Vec<Diagnostic>> {
    let store = tracking(root)?;
    let told = |error: trainyard_tracking::Error| vec![error.diagnostic()];
    let runs = match run {
        Some(run) => vec![store.find_run(run).map_err(told)?],
        None => store.runs(usize::MAX, None).map_err(told)?,
    };
    let begun = trainyard_files::Io::list(&DiskIo, &root.join(STATE).join(STUDIES)).unwrap_or_default();
    let is_open = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        journal::read(&text, None).is_ok_and(|read| read.record.stopped.is_none())
    };
    // Where the latest run has ended, what earlier ones left is of no use to it.
    let latest = store.runs(1, None).map_err(told)?;
    let waits = latest.iter().any(|run| matches!(run.status, Status::Running | Status::Killed | Status::Failed));
    let unfinished = if waits { begun.iter().filter(|path| is_open(path)).count() } else { 0 };
    for record in runs {
        let files = store.folder_digests(&record.run, "tune").map_err(told)?;
        let names: Vec<&str> = files.keys().filter_map(|file| search_of(file)).collect();
        if !names.is_empty() {
            return read(&store, &record, &names, unfinished);
        }
    }
    let title = match run {
        Some(run) => format!("run {run} has no search"),
        None => "no run has a search".to_owned(),
    };
    let diagnostic = Diagnostic::error("tune/no-search", title);
    Err(vec![match unfinished {
        0 => diagnostic.help("write `tune: {}` into the model version, and run it"),
        _ => diagnostic.note("a search was begun and has not ended").help("`trainyard run` goes on with it"),
    }])
}

fn read(
    store: &impl Tracking,
    record: &RunRecord,
    names: &[&str],
    unfinished: usize,
) -> Result<Studies, Vec<Diagnostic>> {
    let bytes = |path: &str| store.read_artifact(&record.run, path).map_err(|error| vec![error.diagnostic()]);
    let mut studies = BTreeMap::new();
    for name in names {
        let text = String::from_utf8_lossy(&bytes(&format!("tune/{name}.journal"))?).into_owned();
        let read = journal::read(&text, None).map_err(|error| vec![error.diagnostic()])?;
        studies.insert((*name).to_owned(), read);
    }
    let report = bytes(REPORT).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    Ok(Studies { run: Some(record.run.clone()), report, studies, unfinished })
}

/// Reads a study of an Optuna journal: the one that is named, else the only one.
///
/// # Errors
/// No such file, or what is wrong with it.
pub fn study_of_file(path: &Path, name: Option<&str>) -> Result<Studies, Vec<Diagnostic>> {
    let bytes = trainyard_files::read(&DiskIo, path).map_err(|error| vec![error.diagnostic()])?;
    let text = String::from_utf8_lossy(&bytes);
    let read = journal::read(&text, name).map_err(|error| {
        let title = format!("{}: ", path.display());
        let mut diagnostic = error.diagnostic();
        diagnostic.title.insert_str(0, &title);
        vec![diagnostic]
    })?;
    let studies = BTreeMap::from([(read.record.study.name.clone(), read)]);
    Ok(Studies { run: None, report: Value::Null, studies, unfinished: 0 })
}
