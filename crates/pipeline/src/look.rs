//! Looking without doing: what would run, why, and what runs there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, nearest, one_of, there_are};
use trainyard_files::{Digest, DiskIo};
use trainyard_tracking::{EmbeddedStore, IMPORTED_TAG, MlflowStore, RunRecord, Tracking};

use crate::engine::{Action, Cache, Entry, Event, Failure as StepFailure, Planned, Reporter, plan as plan_graph};
use crate::project::{self, Request};
use crate::session::{Failure, graph_of};
use crate::steps::{Context, ENGINE, Ingest, Mode, Tune, Validate, Version};
use crate::stores::{Stores, server};

/// What `check` found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The project's name.
    pub project: String,
    /// The steps in order.
    pub steps: Vec<String>,
    /// The source.
    pub source: String,
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// What deserves attention.
    #[serde(skip)]
    pub warnings: Vec<Diagnostic>,
}

/// What every step would do.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// The steps in order.
    pub steps: Vec<Planned>,
}

/// Why a step would run, or not.
#[derive(Debug, Clone, Serialize)]
pub struct WhyReport {
    /// The step.
    pub step: String,
    /// What it would do.
    pub action: Action,
    /// Why, a line each.
    pub reasons: Vec<String>,
}

/// The truth about a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunState {
    /// Its id.
    pub run: String,
    /// `running`, `crashed`, `interrupted`, `failed`, `open` (driven step by step), `unreadable` or `ended`.
    pub state: String,
    /// The process that last worked on it.
    pub pid: u32,
    /// That process's host.
    pub host: String,
    /// When it last began, in milliseconds since 1970.
    pub began_ms: i64,
}

fn problems(failure: StepFailure) -> Vec<Diagnostic> {
    match failure {
        StepFailure::Problems(problems) => problems,
        StepFailure::Interrupted => Vec::new(),
    }
}

fn look(request: &Request) -> Result<(Stores, Arc<Context>), Vec<Diagnostic>> {
    let resolved = project::load(&*request.io, request)?;
    let stores = Stores::look(&request.io, &request.root)?;
    let context = stores.context(resolved, "none", Mode::Live, request);
    Ok((stores, context))
}

/// Checks the specs and everything that is knowable without training; writes nothing.
pub fn check(request: &Request) -> Result<CheckReport, Vec<Diagnostic>> {
    let (stores, context) = look(request)?;
    let report = check_specs(&context, &stores.cache())?;
    refuse_engines(&context, true)?;
    Ok(report)
}

/// Checks the specs against each other and against the table.
pub(crate) fn check_specs(context: &Arc<Context>, cache: &Cache) -> Result<CheckReport, Vec<Diagnostic>> {
    let table = Ingest::new(context).read_ahead(cache).map_err(problems)?;
    let mut warnings = context.resolved.warnings.clone();
    warnings.extend(check_table(context, &table)?);
    let steps = graph_of(context)?.steps().iter().map(|step| step.name().to_owned()).collect();
    let data = &context.resolved.project.data;
    let own = trainyard_data::images::without_pixels(&table, &context.resolved.features.spec.pixels()).num_columns();
    Ok(CheckReport {
        project: context.resolved.project.name.value.clone(),
        steps,
        source: data.source.shown(),
        rows: table.num_rows(),
        columns: own,
        warnings,
    })
}

/// Holds data, target, features and optional tests against the table; gives the warnings, or all problems.
fn check_table(context: &Arc<Context>, table: &arrow_array::RecordBatch) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let resolved = &context.resolved;
    let data = &resolved.project.data;
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    match trainyard_data::check(table, data) {
        Ok(checked) => {
            warnings.extend(checked.warnings);
            // Where the spec tells the task, that was refused before the table was read.
            if data.target.known_task().is_none() {
                let misfits = resolved.model.spec.misfits(checked.target.task, &data.target.column.origin);
                found.extend(misfits.iter().map(|error| error.diagnostic()));
            }
        }
        Err(errors) => found.extend(errors.iter().map(|error| error.diagnostic())),
    }
    match trainyard_features::plan(&resolved.features.spec, &table.schema(), data) {
        Ok(plan) => warnings.extend(plan.warnings().iter().cloned()),
        Err(problems) => found.extend(problems.into_vec()),
    }
    if let Err(errors) = trainyard_data::split::check_optional_tests(&resolved.split.spec, &table.schema(), data) {
        found.extend(errors.iter().map(|error| error.diagnostic()));
    }
    if let Err(errors) = trainyard_data::split::check_columns(&resolved.split.spec, table) {
        found.extend(errors.iter().map(|error| error.diagnostic()));
    }
    if let Some(Err(errors)) = context.slices().map(|slices| trainyard_data::slices::check(slices, table)) {
        found.extend(errors.iter().map(|error| error.diagnostic()));
    }
    if let Err(failure) = Validate::check(context) {
        found.extend(problems(failure));
    }
    if let Err(failure) = Tune::check(context) {
        found.extend(problems(failure));
    }
    if let Err(failure) = Version::check(context) {
        found.extend(problems(failure));
    }
    if let Some(drift) = &resolved.project.drift {
        let schema = table.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let unknown = drift.leave_out.iter().filter(|name| !columns.contains(&name.value.as_str()));
        found.extend(unknown.map(|name| {
            let title = format!("there is no column {} to leave out of the comparison", name.value);
            let problem = Diagnostic::error("drift/unknown-column", title);
            let problem = problem.help(there_are("columns", &columns, &name.value));
            name.origin.point(problem, "not a column of the data")
        }));
    }
    if found.is_empty() { Ok(warnings) } else { Err(found) }
}

/// Refuses estimators whose library is not on this machine, or, with `load`, cannot be loaded.
fn refuse_engines(context: &Context, load: bool) -> Result<(), Vec<Diagnostic>> {
    let found = context.engine_problems(load);
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Plans, and checks the table against the specs before anything is written, unless stored results prove it.
pub(crate) fn preflight(
    context: &Arc<Context>,
    cache: &Cache,
    request: &Request,
    reporter: &dyn Reporter,
) -> Result<Vec<Planned>, Failure> {
    context
        .resolved
        .warnings
        .iter()
        .for_each(|warning| reporter.report(&Event::Warning { diagnostic: warning.clone() }));
    refuse_engines(context, false)?;
    let graph = graph_of(context)?;
    let planned = plan_graph(&graph, cache).map_err(problems)?;
    let fits = |step: &Planned| step.inputs.iter().any(|(name, _)| name.starts_with(ENGINE));
    if planned.iter().any(|step| !matches!(step.action, Action::Cached | Action::Skip) && fits(step)) {
        refuse_engines(context, true)?;
    }
    let is_cached = |name: &str| planned.iter().any(|step| step.name == name && step.action == Action::Cached);
    let project = &context.resolved.project;
    let proven = is_cached("features")
        && (context.slices().is_none() || is_cached("evaluate"))
        && (project.validate.is_none() || is_cached("validate"))
        && (project.drift.is_none() || is_cached("drift"));
    if proven {
        Version::check(context).map_err(problems)?;
    } else {
        request.on_threads(|| {
            let table = Ingest::new(context).read_ahead(cache).map_err(problems)?;
            check_table(context, &table)
        })??;
    }
    Ok(planned)
}

/// Says of every step whether it would run and why; writes nothing.
pub fn plan(request: &Request) -> Result<PlanReport, Vec<Diagnostic>> {
    let (stores, context) = look(request)?;
    Ok(PlanReport { steps: planned(&context, &stores.cache())? })
}

pub(crate) fn planned(context: &Arc<Context>, cache: &Cache) -> Result<Vec<Planned>, Vec<Diagnostic>> {
    plan_graph(&graph_of(context)?, cache).map_err(problems)
}

/// Says why one step would run, or not.
pub fn why(request: &Request, step: &str) -> Result<WhyReport, Vec<Diagnostic>> {
    let report = plan(request)?;
    let names: Vec<&str> = report.steps.iter().map(|planned| planned.name.as_str()).collect();
    match report.steps.iter().find(|planned| planned.name == step) {
        Some(found) => Ok(WhyReport { step: step.to_owned(), action: found.action, reasons: found.reasons.clone() }),
        None => {
            let near = nearest(step, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            Err(vec![
                Diagnostic::error("why/unknown-step", format!("this project has no step named {step}")).help(format!(
                    "{}the steps are {}",
                    near.unwrap_or_default(),
                    names.join(", ")
                )),
            ])
        }
    }
}

/// Gives how the project reads its tables; in a folder that was not named and is no project, how any table is read.
pub fn read_options(request: &Request) -> Result<ReadOptions, Vec<Diagnostic>> {
    if request.root == Path::new(".") && !request.io.exists(&request.root.join(project::PROJECT)) {
        return Ok(ReadOptions::default());
    }
    let resolved = project::load(&*request.io, request)?;
    Ok(ReadOptions::of(&resolved.schema.under(&resolved.project.data)))
}

/// Says whether there is a project, or what one has left, in a folder.
pub fn is_project(root: &Path) -> bool {
    root.join(project::PROJECT).exists() || root.join(project::STATE).exists()
}

/// Opens the project's runs and models for looking; writes nothing.
pub fn tracking(root: &Path) -> Result<EmbeddedStore, Vec<Diagnostic>> {
    let stores_at = root.join(project::STATE);
    if !is_project(root) {
        let title = format!("{} is no project: there is no {}", root.display(), project::PROJECT);
        return Err(vec![Diagnostic::error("project/absent", title).help("name the project's folder with --project")]);
    }
    let io: Arc<dyn trainyard_files::Io> = Arc::new(DiskIo);
    let objects = Arc::new(trainyard_files::ObjectStore::open(io, stores_at.join("objects")));
    EmbeddedStore::look(&stores_at.join("tracking"), objects).map_err(|error| vec![error.diagnostic()])
}

/// Opens the project's runs, and the registry that its configuration names, for looking; writes nothing.
///
/// Where the configuration can't be read, it is the registry of the project itself.
pub fn registry(request: &Request) -> Result<Arc<dyn Tracking>, Vec<Diagnostic>> {
    // Whoever is in no project is told so.
    let local = Arc::new(tracking(&request.root)?);
    let resolved = match project::load(&*request.io, request) {
        Ok(resolved) => resolved,
        // Of a project that was on a server nobody knows which registry is meant.
        Err(problems) if local.knows_a_server().map_err(|error| vec![error.diagnostic()])? => return Err(problems),
        Err(_) => return Ok(local),
    };
    let project = &resolved.project;
    Ok(match project.tracking.uri.value.as_str() {
        "" => local,
        uri => Arc::new(MlflowStore::new(local, server(uri, &request.runtime), &project.name.value)),
    })
}

/// Tells the state of every run of the project, oldest first.
pub fn run_states(root: &Path) -> Result<Vec<RunState>, Vec<Diagnostic>> {
    let io: Arc<dyn trainyard_files::Io> = Arc::new(DiskIo);
    Ok(states_of(&Stores::look(&io, root)?))
}

/// Tells the digest of the code that each step of a run was made with, in the order of their names; of a run without a
/// journal there is nothing to tell.
pub fn step_codes(root: &Path, run: &str) -> Result<BTreeMap<String, Digest>, Vec<Diagnostic>> {
    let io: Arc<dyn trainyard_files::Io> = Arc::new(DiskIo);
    let stores = Stores::look_without_tracking(&io, root)?;
    let done = stores.entries(run)?.into_iter().filter_map(|entry| match entry {
        Entry::StepDone { record, .. } => Some((record.step, record.code)),
        _ => None,
    });
    Ok(done.collect())
}

/// Tells the state of every run that has a folder, oldest first.
pub(crate) fn states_of(stores: &Stores) -> Vec<RunState> {
    let holder = stores.holder_of();
    let mut states = Vec::new();
    for folder in stores.io.list(&stores.state().join("runs")).unwrap_or_default() {
        let Some(run) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        // A run begins with its configuration; a folder without one is of a run that died before.
        if !stores.io.exists(&stores.configuration_path(&run)) {
            continue;
        }
        // One journal that can't be read keeps nobody from the other runs.
        let (entries, unreadable) = match stores.entries(&run) {
            Ok(entries) => (entries, false),
            Err(_) => (Vec::new(), true),
        };
        let began = entries.iter().rev().find_map(|entry| match entry {
            Entry::Began { at, pid, host, only, .. } => Some((*at, *pid, host.clone(), only.is_some())),
            _ => None,
        });
        let written = || stores.io.metadata(&stores.configuration_path(&run)).ok()?.modified;
        let (began_ms, pid, host, by_step) = began.unwrap_or_else(|| {
            // It died between its configuration and its journal.
            let since = written().and_then(|written| written.duration_since(std::time::UNIX_EPOCH).ok());
            let began_ms = since.and_then(|since| i64::try_from(since.as_millis()).ok());
            (began_ms.unwrap_or_default(), 0, String::new(), false)
        });
        let held = holder.as_ref().is_some_and(|holder| holder.run == run);
        let state = match entries.last() {
            _ if unreadable => "unreadable",
            Some(Entry::Ended { status, .. }) if status == "FAILED" && !held => "failed",
            Some(Entry::Ended { .. }) => "ended",
            _ if held => "running",
            Some(Entry::Interrupted { .. }) => "interrupted",
            Some(Entry::StepDone { .. }) if by_step => "open",
            _ => "crashed",
        };
        states.push(RunState { run, state: state.to_owned(), pid, host, began_ms });
    }
    states.sort_by(|a, b| (a.began_ms, &a.run).cmp(&(b.began_ms, &b.run)));
    states
}

/// Finds a run by its id or by the beginning of it that no other run has.
pub(crate) fn find_run<'a>(states: &'a [RunState], wanted: &str) -> Result<&'a RunState, Diagnostic> {
    if let Some(exact) = states.iter().find(|state| state.run == wanted) {
        return Ok(exact);
    }
    let begins: Vec<&RunState> =
        states.iter().filter(|state| !wanted.is_empty() && state.run.starts_with(wanted)).collect();
    match begins.as_slice() {
        [one] => Ok(one),
        [] => {
            let near = nearest(wanted, states.iter().map(|state| state.run.as_str()));
            let problem = Diagnostic::error("run/unknown", format!("there is no run {wanted}"));
            Err(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("`trainyard runs list` shows the runs"),
            })
        }
        several => {
            let names: Vec<&str> = several.iter().map(|state| state.run.as_str()).collect();
            let title = format!("{} runs begin with {wanted}", several.len());
            Err(Diagnostic::error("run/ambiguous", title).help(format!("write more of it: {}", one_of(&names, 5))))
        }
    }
}

/// Says so where a run that has no steps here was imported; any other problem stays as it is.
pub(crate) fn or_imported(problem: Diagnostic, tracking: &EmbeddedStore, wanted: &str) -> Diagnostic {
    let page = |run: &RunRecord| run.tags.get(IMPORTED_TAG).cloned();
    let found = tracking.find_run(wanted).ok().filter(|_| problem.code == "run/unknown");
    match found.and_then(|run| Some((page(&run)?, run.run))) {
        Some((page, run)) => {
            Diagnostic::error("run/imported", format!("run {run} was imported, and none of its steps was done here"))
                .note(format!("it is {page}"))
                .help(format!("look at it with `trainyard runs show {run}`; repeat it where it was made"))
        }
        None => problem,
    }
}
