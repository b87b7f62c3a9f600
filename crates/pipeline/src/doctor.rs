//! The health of a project: each of its parts looked at by itself, so that one that is broken hides no other.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, access, statvfs};
use serde::Serialize;
use trainyard_diagnostics::{Diagnostic, count, shell_word};
use trainyard_engines::Engine;
use trainyard_files::Holder;
use trainyard_tracking::{Error as TrackingError, Tracking};

use crate::engine::Action;
use crate::look::{RunState, check_specs, planned, states_of};
use crate::project::{self, Request, STATE};
use crate::steps::{Context, Mode};
use crate::stores::Stores;

/// The free bytes below which a run may not end, and below which it is time to make room.
const TOO_LITTLE: u64 = 100_000_000;
const LITTLE: u64 = 1_000_000_000;
/// How long a tracking server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Well,
    /// Not there, and not needed.
    Absent,
    /// To be looked at; runs work.
    Warning,
    /// Runs fail by it.
    Broken,
}

/// What was found of one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The thing: `spec`, `tracking`.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What there is, or what is wrong, in a line.
    pub what: String,
    /// The one thing to do, with commands between backticks.
    pub mend: Option<String>,
}

/// What was found of a project.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Its name, where the specs can be read.
    pub name: Option<String>,
    /// A finding for each of its parts.
    pub findings: Vec<Finding>,
    /// The external engines that its active model version asks for.
    pub engines: BTreeSet<Engine>,
}

impl Finding {
    /// Tells of something that is as it should be.
    pub fn well(name: &str, what: impl Into<String>) -> Finding {
        Finding { name: name.to_owned(), health: Health::Well, what: what.into(), mend: None }
    }

    /// Tells of something that is not.
    pub fn ill(name: &str, health: Health, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { name: name.to_owned(), health, what: what.into(), mend: Some(mend.into()) }
    }

    /// Tells of what an error says.
    pub fn of(name: &str, health: Health, problem: &Diagnostic) -> Finding {
        let mend = problem.help.first().cloned();
        Finding { name: name.to_owned(), health, what: problem.title.clone(), mend }
    }
}

/// Looks at a project; writes nothing.
///
/// The specs, the steps that are done, the tracking store with its history, the models that aliases point at, the disk
/// and what dead processes have left.
pub fn examine(request: &Request) -> Examination {
    let tracked = Stores::look(&request.io, &request.root);
    let stores = match &tracked {
        Ok(_) => None,
        Err(_) => Stores::look_without_tracking(&request.io, &request.root).ok(),
    };
    let stores = tracked.as_ref().ok().or(stores.as_ref());
    let mut examination = Examination { name: None, findings: Vec::new(), engines: BTreeSet::new() };
    let server = stores.and_then(|stores| server(request, stores));
    if let Some(stores) = stores {
        // Who asks what is done asks the registry, and would wait for it.
        let is_answered = server.as_ref().is_none_or(|server| server.health != Health::Broken);
        specs(request, stores, is_answered, &mut examination);
    }
    let findings = &mut examination.findings;
    findings.push(tracking(&request.root, tracked.as_ref()));
    findings.extend(server);
    if let Some(stores) = stores {
        findings.push(objects(stores));
        findings.push(runs(stores));
        findings.push(leftovers(stores));
    }
    findings.push(disk(&request.root));
    examination
}

/// Looks at the specs, and, where they are sound, at the steps.
fn specs(request: &Request, stores: &Stores, is_answered: bool, examination: &mut Examination) {
    let loaded = project::load(&*request.io, request);
    let checked = loaded.and_then(|resolved| {
        let context = stores.context(resolved, "none", Mode::Live, request);
        examination.name = Some(context.resolved.project.name.value.clone());
        examination.engines = context.engines_asked().into_keys().collect();
        check_specs(&context, &stores.cache()).map(|report| (context, report))
    });
    let findings = &mut examination.findings;
    match checked {
        Ok((context, report)) => {
            let what = format!(
                "{} steps over {}, {} rows × {} columns",
                report.steps.len(),
                report.source,
                count(report.rows as u64),
                count(report.columns as u64)
            );
            findings.push(match report.warnings.as_slice() {
                [] => Finding::well("spec", what),
                [first, more @ ..] => {
                    Finding::ill("spec", Health::Warning, among(&first.title, more.len()), "`trainyard check`")
                }
            });
            findings.push(match is_answered {
                true => steps(&context, stores),
                false => Finding::ill("steps", Health::Warning, "unknown without the server", "`trainyard plan`"),
            });
        }
        Err(problems) => findings.push(several("spec", &problems, "`trainyard check`")),
    }
}

/// Tells of the first of several problems, and of the command that shows all.
fn several(name: &str, problems: &[Diagnostic], command: &str) -> Finding {
    match problems {
        [] => Finding::ill(name, Health::Broken, "it cannot be read", command),
        [one] if one.primary.is_none() => Finding::of(name, Health::Broken, one),
        [first, more @ ..] => Finding::ill(name, Health::Broken, among(&first.title, more.len()), command),
    }
}

fn among(first: &str, more: usize) -> String {
    if more == 0 { first.to_owned() } else { format!("{first} (and {more} more)") }
}

/// Looks at what is done already, and at the frozen reference test.
fn steps(context: &Arc<Context>, stores: &Stores) -> Finding {
    match planned(context, &stores.cache()) {
        Ok(steps) => {
            let done = steps.iter().filter(|step| step.action == Action::Cached).count();
            Finding::well("steps", format!("{done} of {} are done", steps.len()))
        }
        Err(problems) => several("steps", &problems, "`trainyard plan`"),
    }
}

/// Looks at the store, whole, and whether it knows the runs that have ended.
fn tracking(root: &Path, stores: Result<&Stores, &Vec<Diagnostic>>) -> Finding {
    let stores = match stores {
        Ok(stores) => stores,
        Err(problems) => return several("tracking", problems, "`trainyard runs list`"),
    };
    let store = &*stores.tracking;
    let is_lost = |run: &&RunState| run.state == "ended" && matches!(store.run(&run.run), Ok(None));
    let counted = || -> Result<(usize, usize), TrackingError> {
        store.check()?;
        Ok((store.runs(usize::MAX, None)?.len(), store.models()?.len()))
    };
    let (runs, models) = match counted() {
        Ok(counts) => counts,
        Err(error) => return Finding::of("tracking", Health::Broken, &error.diagnostic()),
    };
    let states = states_of(stores);
    let mut lost = states.iter().filter(is_lost);
    if let Some(first) = lost.next() {
        let what = among(&format!("run {} is not in the tracking store", first.run), lost.count());
        let mend = "bring .trainyard/tracking back from a copy; what lies beside tracking.db belongs to it";
        return Finding::ill("tracking", Health::Warning, what, mend);
    }
    if !root.join(STATE).join("tracking").exists() {
        return Finding::well("tracking", "none yet: the first run makes it");
    }
    Finding::well("tracking", format!("runs: {}, models: {models}; file and history are whole", count(runs as u64)))
}

/// Asks the tracking server, where one is named, and looks what it has still to be told.
fn server(request: &Request, stores: &Stores) -> Option<Finding> {
    let resolved = project::load(&*request.io, request).ok()?;
    let asked = stores.tracking_of(&resolved, &request.runtime);
    let project = &resolved.project;
    let answered = match asked.call(&project.tracking.experiment.value, ANSWER) {
        Ok(answered) => answered?,
        // Steps go on without it; a decision about a model does not.
        Err(error @ TrackingError::Server(_)) => {
            let waits = matches!(&error, TrackingError::Server(error) if error.may_pass()) && project.promote.is_none();
            let health = if waits { Health::Warning } else { Health::Broken };
            return Some(Finding::of("server", health, &error.diagnostic()));
        }
        Err(error) => return Some(Finding::of("server", Health::Broken, &error.diagnostic())),
    };
    let version = answered.version.unwrap_or_else(|| "of an unknown version".to_owned());
    let what = format!("MLflow {version}, answers in {} ms", count(answered.after.as_millis() as u64));
    Some(match asked.waiting() {
        Ok(Some(waiting)) if !waiting.runs.is_empty() => {
            let runs = waiting.runs.len();
            let more = format!("{what}; {runs} {} to be told", if runs == 1 { "run waits" } else { "runs wait" });
            Finding::ill("server", Health::Warning, more, "`trainyard runs sync`")
        }
        _ => Finding::well("server", what),
    })
}

/// Looks whether the store can be written, and whether the models that aliases point at are in it, whole.
fn objects(stores: &Stores) -> Finding {
    let root = stores.objects.root();
    if !stores.io.exists(root) {
        return Finding::well("objects", "none yet: the first run makes them");
    }
    let folders = match stores.io.list(root) {
        Ok(folders) => folders,
        Err(error) => {
            let what = format!("{} cannot be listed: {error}", root.display());
            return Finding::ill("objects", Health::Broken, what, "give this user the right to read and write it");
        }
    };
    if access(root, Access::WRITE_OK).is_err() {
        let what = format!("this user may not write to {}", root.display());
        return Finding::ill("objects", Health::Broken, what, "give this user the right to read and write it");
    }
    let objects: usize = folders.iter().map(|folder| stores.io.list(folder).map_or(0, |files| files.len())).sum();
    match whole_models(&*stores.tracking) {
        Ok(models) => {
            Finding::well("objects", format!("{}; models that are pointed at: {models}, whole", count(objects as u64)))
        }
        Err(error) => Finding::of("objects", Health::Broken, &error.diagnostic()),
    }
}

/// Counts the versions that aliases point at, each with all its files.
fn whole_models(tracking: &dyn Tracking) -> Result<usize, TrackingError> {
    let mut whole = 0;
    for model in tracking.models()? {
        for version in tracking.versions(&model.name)?.iter().filter(|version| !version.aliases.is_empty()) {
            tracking.folder_digests(&version.run, &version.artifact_path)?;
            whole += 1;
        }
    }
    Ok(whole)
}

/// Looks at who holds the project, and at runs that ended halfway.
fn runs(stores: &Stores) -> Finding {
    let states = states_of(stores);
    let in_state = |state: &str| states.iter().filter(|run| run.state == state).count();
    if let Some(crashed) = states.iter().rev().find(|run| run.state == "crashed") {
        let what = among(&format!("run {} crashed", crashed.run), in_state("crashed") - 1);
        let mend = format!("`trainyard resume {}`", shell_word(&crashed.run));
        return Finding::ill("runs", Health::Warning, what, mend);
    }
    if let Some(unreadable) = states.iter().find(|run| run.state == "unreadable") {
        let what = format!("the journal of run {} cannot be read", unreadable.run);
        let mend = "bring its folder in .trainyard/runs back from a copy, or start another run: `trainyard run`";
        return Finding::ill("runs", Health::Warning, what, mend);
    }
    match stores.holder_of() {
        Some(Holder { pid, host, run, command, .. }) if run.is_empty() => {
            Finding::well("runs", format!("`trainyard {command}` is going on: process {pid} on {host}"))
        }
        Some(Holder { pid, host, run, .. }) => {
            Finding::well("runs", format!("run {run} is going on: process {pid} on {host}"))
        }
        None => Finding::well("runs", "none is going on, none has crashed"),
    }
}

fn leftovers(stores: &Stores) -> Finding {
    match stores.abandoned().len() {
        0 => Finding::well("leftovers", "none"),
        some => Finding::well("leftovers", format!("{some} of dead processes; a run removes them within a day")),
    }
}

fn disk(root: &Path) -> Finding {
    let Ok(known) = statvfs(root) else { return Finding::well("disk", "unknown") };
    let free = known.f_bavail.saturating_mul(known.f_frsize);
    let what = format!("{:.1} GB free", free as f64 / 1e9);
    match free {
        0..TOO_LITTLE => Finding::ill("disk", Health::Broken, what, "make room: a run needs more than its data"),
        TOO_LITTLE..LITTLE => Finding::ill("disk", Health::Warning, what, "make room: a run needs more than its data"),
        _ => Finding::well("disk", what),
    }
}
