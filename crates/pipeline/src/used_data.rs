//! Which runs used a version of data.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Digest;
use trainyard_tracking::{Status, Tracking};

use crate::look::{is_project, tracking};
use crate::steps::DATA_VERSIONS;

/// Tells of a run that used a version of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedBy {
    /// The run.
    pub run: String,
    /// How it stands.
    pub status: Status,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// What of it the data held: `split`, `reference`, `master`, or paths.
    pub holds: Vec<String>,
}

/// The digest of each thing that a run used, and what it held.
type List = Vec<(String, Vec<String>)>;

/// Names the runs of a project that used versioned data, by the digest that a `.dvc` file has of it, the newest first;
/// none where the folder is no project.
pub fn runs_by_data(root: &Path) -> Result<BTreeMap<String, Vec<UsedBy>>, Vec<Diagnostic>> {
    let mut found: BTreeMap<String, Vec<UsedBy>> = BTreeMap::new();
    if !is_project(root) {
        return Ok(found);
    }
    let store = tracking(root)?;
    let wrong = |error: trainyard_tracking::Error| vec![error.diagnostic()];
    // Runs over the same data have the same list of it.
    let mut lists: BTreeMap<Digest, Option<List>> = BTreeMap::new();
    for (run, digest) in store.artifacts_at(DATA_VERSIONS).map_err(wrong)? {
        let Some(record) = store.run(&run).map_err(wrong)? else { continue };
        let read = || Some(versions(&serde_json::from_slice(&store.read_artifact(&run, DATA_VERSIONS).ok()?).ok()?));
        // A list whose bytes are lost leaves what the run is tagged with.
        let tagged = || {
            ["split", "reference", "master"].into_iter().filter_map(|what| {
                Some((record.tags.get(&format!("data_version_{what}"))?.clone(), vec![what.to_owned()]))
            })
        };
        let list = lists.entry(digest).or_insert_with(read).clone();
        for (md5, holds) in list.unwrap_or_else(|| tagged().collect()) {
            let used = UsedBy { run: run.clone(), status: record.status, started_ms: record.started_ms, holds };
            found.entry(md5).or_default().push(used);
        }
    }
    Ok(found)
}

/// Reads what the step `version` listed: the digest of each thing, and what it held.
fn versions(list: &Value) -> List {
    let words = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let one = |one: &Value| Some((one["md5"].as_str()?.to_owned(), words(&one["holds"])?));
    list.as_array().into_iter().flatten().filter_map(one).collect()
}
