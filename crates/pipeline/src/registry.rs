//! The registry by hand: promoting, going back, putting away, and proving that what is recorded is what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Digest;
use trainyard_model::Model;
use trainyard_spec::{Resolved, Stage};
use trainyard_tracking::{Action, Change, HistoryEntry, ModelReference, Standing, Tracking, VersionRecord, Which};

use crate::project::{self, Request};
use crate::session::Failure;
use crate::steps::MODEL_FILES;
use crate::stores::{Stores, now_ms, who};

/// What somebody asks to be promoted.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// The version.
    pub reference: ModelReference,
    /// The stage that it gets.
    pub stage: Stage,
    /// The alias that it gets; that of the stage where none is named.
    pub alias: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether a version is promoted that was refused, archived or never judged.
    pub force: bool,
}

/// What came of a change by hand.
#[derive(Debug)]
pub struct Changed {
    /// The version as it stands now.
    pub version: VersionRecord,
    /// What another changed at the same moment.
    pub warning: Option<Diagnostic>,
}

/// What `audit` found.
#[derive(Debug, Serialize)]
pub struct AuditReport {
    /// The hash of the last entry of the chain; none where nothing was recorded.
    pub head: Option<Digest>,
    /// The entries of the chain.
    pub entries: usize,
    /// The entry that has the hash that was expected.
    pub expected_at: Option<u64>,
    /// The entries that are dated before the one that they follow.
    pub clock_went_back: Vec<u64>,
    /// The versions whose bytes are there, and are what their digests say.
    pub whole: usize,
    /// The versions that this project did not make, whose digests nobody recorded.
    pub foreign: Vec<String>,
    /// What is wrong.
    #[serde(skip)]
    pub problems: Vec<Diagnostic>,
}

fn told(error: trainyard_tracking::Error) -> Vec<Diagnostic> {
    vec![error.diagnostic()]
}

/// Gives the alias that goes with a stage: the project's own where it promotes to that stage.
fn alias_of(resolved: &Resolved, stage: Stage) -> Option<String> {
    match (&resolved.project.promote, stage) {
        (Some(promote), stage) if promote.to == stage => Some(promote.alias.value.clone()),
        (_, Stage::Production) => Some("champion".to_owned()),
        (_, Stage::Staging) => Some("challenger".to_owned()),
        _ => None,
    }
}

/// Changes the registry under the project's lock, which says that `command` holds it. What `look` refuses is refused before anything is written.
fn under_lock(
    request: &Request,
    command: &str,
    look: impl FnOnce(&Resolved, &dyn Tracking) -> Result<(), Vec<Diagnostic>>,
    work: impl FnOnce(&Resolved, &dyn Tracking) -> Result<VersionRecord, Vec<Diagnostic>>,
) -> Result<Changed, Vec<Diagnostic>> {
    let resolved = project::load(&*request.io, request)?;
    look(&resolved, &*crate::look::registry(request)?)?;
    let stores = Stores::open(&request.io, &request.root)?;
    let problems = |failure| match failure {
        Failure::Problems(problems) => problems,
        Failure::Interrupted { .. } => Vec::new(),
    };
    let _lock = stores.lock_for(command, "", false).map_err(problems)?;
    let tracking: Arc<dyn Tracking> = stores.tracking_of(&resolved, &request.runtime);
    let version = work(&resolved, &*tracking)?;
    Ok(Changed { version, warning: tracking.take_meanwhile().map(|meanwhile| meanwhile.diagnostic()) })
}

fn change(reason: &str, decision: serde_json::Value) -> Change {
    Change { at_ms: now_ms(), who: who(), run: None, reason: reason.to_owned(), decision }
}

/// Says why a version is not one that is promoted without force; nothing where it is.
fn doubt(version: &VersionRecord, history: &[HistoryEntry]) -> Option<String> {
    let of_run =
        |action| history.iter().any(|entry| entry.action == action && entry.run.as_ref() == Some(&version.run));
    if version.stage == Stage::Archived {
        Some("it is archived: another was preferred to it, or somebody put it away".to_owned())
    } else if of_run(Action::Refused) {
        Some(format!("run {} was refused", version.run))
    } else if !of_run(Action::Promoted) {
        Some("no run of this project has judged it".to_owned())
    } else {
        None
    }
}

/// Gives a version a stage and the alias that goes with it, and records who did it and why.
pub fn promote_version(request: &Request, asked: &ByHand) -> Result<Changed, Vec<Diagnostic>> {
    let judged = |tracking: &dyn Tracking| {
        let version = tracking.version_by(&asked.reference).map_err(told)?;
        let doubt = doubt(&version, &tracking.history(&version.model).map_err(told)?);
        if let Some(doubt) = doubt.as_ref().filter(|_| !asked.force) {
            let title = format!("{}/{} is not promoted as it is", version.model, version.version);
            return Err(vec![
                Diagnostic::error("tracking/needs-force", title)
                    .note(doubt.clone())
                    .help("to promote it all the same, add --force and say why with --reason"),
            ]);
        }
        Ok((version, doubt))
    };
    let look = |_: &Resolved, tracking: &dyn Tracking| judged(tracking).map(drop);
    under_lock(request, "models promote", look, |resolved, tracking| {
        let (version, doubt) = judged(tracking)?;
        let alias = asked.alias.clone().or_else(|| alias_of(resolved, asked.stage));
        let decision = json!({ "decision": "by_hand", "forced": doubt.is_some(), "doubt": doubt });
        let change = change(&asked.reason, decision);
        let number = version.version;
        tracking.promote_version(&version.model, number, asked.stage, alias.as_deref(), &change).map_err(told)
    })
}

/// Gives an alias back to its holder before, and records who did it and why.
pub fn roll_back(
    request: &Request,
    model: &str,
    alias: Option<&str>,
    reason: &str,
) -> Result<Changed, Vec<Diagnostic>> {
    let alias_in = |resolved: &Resolved| {
        let of_project = resolved.project.promote.as_ref().map(|promote| promote.alias.value.clone());
        alias.map(str::to_owned).or(of_project).unwrap_or_else(|| "champion".to_owned())
    };
    let look = |resolved: &Resolved, tracking: &dyn Tracking| {
        // What broke off has moved some of what is looked at.
        if tracking.broke_off() {
            return Ok(());
        }
        let newest = ModelReference { model: model.to_owned(), which: Which::Latest };
        tracking.version_by(&newest).map_err(told)?;
        let standing = standing(tracking, model)?;
        let history = tracking.history(model).map_err(told)?;
        standing.rollback(model, &alias_in(resolved), &history).map(drop).map_err(told)
    };
    under_lock(request, "models rollback", look, |resolved, tracking| {
        tracking.rollback(model, &alias_in(resolved), &change(reason, serde_json::Value::Null)).map_err(told)
    })
}

/// Archives a version and takes its aliases away, and records who did it and why.
pub fn put_away(request: &Request, reference: &ModelReference, reason: &str) -> Result<Changed, Vec<Diagnostic>> {
    let look = |_: &Resolved, tracking: &dyn Tracking| tracking.version_by(reference).map(drop).map_err(told);
    under_lock(request, "models archive", look, |_, tracking| {
        let version = tracking.version_by(reference).map_err(told)?;
        let change = change(reason, serde_json::Value::Null);
        tracking.archive(&version.model, version.version, &change).map_err(told)
    })
}

/// Checks the store, the chain, the registry against the chain, and the bytes of every version; writes nothing.
pub fn audit(request: &Request, expected: Option<&str>) -> Result<AuditReport, Vec<Diagnostic>> {
    let local = crate::look::tracking(&request.root)?;
    local.check().map_err(told)?;
    let chain = local.chain().map_err(told)?;
    let mut problems = Vec::new();
    let is_expected = |entry: &&HistoryEntry| expected.is_some_and(|hash| is_beginning(hash, &entry.hash));
    let expected_at = chain.iter().find(is_expected).map(|entry| entry.sequence);
    if let (Some(hash), None) = (expected, expected_at) {
        problems.push(
            Diagnostic::error("tracking/unknown-head", format!("no entry of the history has the hash `{hash}`"))
                .note("the history was cut off, or written anew, since that was its head; or it is of another project")
                .help("compare the store with a copy of that time"),
        );
    }
    let clock_went_back = chain.windows(2).filter(|pair| pair[1].at_ms < pair[0].at_ms).map(|pair| pair[1].sequence);
    let mut report = AuditReport {
        head: chain.last().map(|entry| entry.hash),
        entries: chain.len(),
        expected_at,
        clock_went_back: clock_went_back.collect(),
        whole: 0,
        foreign: Vec::new(),
        problems,
    };
    let tracking = crate::look::registry(request)?;
    let names: BTreeSet<&String> = chain.iter().map(|entry| &entry.model).collect();
    for name in names {
        let history = tracking.history(name).map_err(told)?;
        // What is told of another registry is not of this one.
        if history.is_empty() {
            continue;
        }
        let (standing, history) = (standing(&*tracking, name)?, Standing::told(&history));
        let past = history.changes_to(&standing);
        if !past.is_empty() {
            let past = past.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            report.problems.push(
                Diagnostic::error("tracking/registry-differs", format!("`{name}` is not what the history tells"))
                    .note(format!("changed past this project: {past}"))
                    .help("ask who did it; the next change by this project records it"),
            );
        }
        for version in tracking.versions(name).map_err(told)? {
            examine(&*tracking, &version, &history, &mut report);
        }
    }
    Ok(report)
}

/// Gives what the registry holds of a model now.
fn standing(tracking: &dyn Tracking, model: &str) -> Result<Standing, Vec<Diagnostic>> {
    let models = tracking.models().map_err(told)?;
    Ok(match models.iter().find(|one| one.name == model) {
        Some(found) => Standing::of(&tracking.versions(model).map_err(told)?, &found.aliases),
        None => Standing::default(),
    })
}

fn is_beginning(hash: &str, of: &Digest) -> bool {
    hash.len() >= 8 && of.to_string().starts_with(&hash.to_ascii_lowercase())
}

/// Reads the bytes of a version and holds them against its digest.
fn examine(tracking: &dyn Tracking, version: &VersionRecord, history: &Standing, report: &mut AuditReport) {
    let name = format!("{}/{}", version.model, version.version);
    if !matches!(tracking.run(&version.run), Ok(Some(_))) {
        report.foreign.push(name);
        return;
    }
    let recorded = history.versions.get(&version.version).map_or(version.digest, |held| held.digest);
    let wrong = match tracking.version_files(version) {
        Ok(files) => {
            let native = files.into_iter().filter(|(path, _)| MODEL_FILES.contains(&path.as_str()));
            let found = Model::digest(&native.collect::<BTreeMap<_, _>>());
            (found != recorded).then(|| format!("its digest is {}, recorded is {}", found.short(), recorded.short()))
        }
        Err(error) => Some(error.to_string()),
    };
    match wrong {
        None => report.whole += 1,
        Some(wrong) => report.problems.push(
            Diagnostic::error("tracking/model-bytes", format!("the bytes of {name} are not what was registered"))
                .note(wrong)
                .help(format!(
                    "put back .trainyard from a copy, or repeat its run: `trainyard verify {}`",
                    version.run
                )),
        ),
    }
}

/// Lists what stood at a moment, in milliseconds since 1970: of one model, or of all that the registry has.
pub fn as_of(
    request: &Request,
    at_ms: i64,
    model: Option<&str>,
) -> Result<BTreeMap<String, Standing>, Vec<Diagnostic>> {
    let tracking = crate::look::registry(request)?;
    tracking.verify_history().map_err(told)?;
    let names: Vec<String> = match model {
        Some(model) => {
            let reference = ModelReference { model: model.to_owned(), which: Which::Latest };
            vec![tracking.version_by(&reference).map_err(told)?.model]
        }
        None => tracking.models().map_err(told)?.into_iter().map(|model| model.name).collect(),
    };
    let standing = |name: String| Ok((name.clone(), tracking.standing_at(&name, at_ms).map_err(told)?));
    names.into_iter().map(standing).collect()
}
