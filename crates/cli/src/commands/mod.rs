//! One module per command: arguments to a call of a library, its answer to text and to a document.

mod check;
mod data;
mod doctor;
mod engines;
mod exchange;
mod explain;
mod export;
mod gate;
mod init;
mod lineage;
mod models;
mod outcome;
mod plan;
mod predict;
mod registry;
mod resume;
mod run;
mod runs;
mod step;
mod sync;
mod synth;
mod tune;
mod verify;
mod why;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use trainyard_diagnostics::{Diagnostic, conceal, shell_word};
use trainyard_files::DiskIo;
use trainyard_pipeline::{Cancel, Failure, Reporter, Request};
use trainyard_spec::Choice;

use crate::arguments::{Arguments, Choose, Command, Global, Project, Runs};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::signal::{Current, Way, watch};
use crate::stop::{NOTHING, Stop};

/// Runs a command and gives the exit code.
pub(crate) fn run(arguments: &Arguments, printer: Printer) -> Result<u8, Stop> {
    let global = &arguments.global;
    if let Command::Init(_)
    | Command::Synth { .. }
    | Command::Check(_)
    | Command::Predict(_)
    | Command::Doctor
    | Command::Data { .. } = &arguments.command
    {
        start_threads(threads(global))?;
    }
    match &arguments.command {
        Command::Init(init) => init::run(init, printer),
        Command::Synth { table } => synth::run(table, printer),
        Command::Check(project) => check::run(&asked(global, project), printer),
        Command::Plan(project) => plan::run(&asked(global, project), printer),
        Command::Run { project, as_of } => run::run(&Request { as_of: *as_of, ..asked(global, project) }, printer),
        Command::Resume { run } => resume::run(&request(global, None, Choose::default()), run.as_deref(), printer),
        Command::Step { name, run, as_of, choose } => {
            step::run(&Request { as_of: *as_of, ..request(global, None, *choose) }, name, run, printer)
        }
        Command::Why { step, choose } => why::run(&request(global, None, *choose), step, printer),
        Command::Verify { run, at } => verify::run(&request(global, None, Choose::default()), run, at, printer),
        Command::Export { run, bundle, whole, to } => {
            let request = request(global, None, Choose::default());
            match to {
                Some(to) if exchange::is_server(to) => exchange::export(&request, to, run.as_deref(), bundle, printer),
                Some(to) => export::folder(&request, to, run.as_deref(), bundle, printer),
                None => export::run(&request, run.as_deref().unwrap_or_default(), bundle, *whole, printer),
            }
        }
        Command::Import(asked) => exchange::import(&request(global, None, Choose::default()), asked, printer),
        Command::Lineage(asked) => lineage::run(&request(global, None, Choose::default()), asked, printer),
        Command::Runs { action: Runs::Sync { patience } } => {
            sync::run(&request(global, None, Choose::default()), *patience, printer)
        }
        Command::Runs { action } => runs::run(&place(arguments), action, printer),
        Command::Tune { action } => tune::run(&place(arguments), action, printer),
        Command::Models { action } => models::run(&request(global, None, Choose::default()), action, printer),
        Command::Gate { action } => gate::run(&request(global, None, Choose::default()), action, printer),
        Command::Doctor => doctor::run(&request(global, None, Choose::default()), global.project.is_some(), printer),
        Command::Data { action } => data::run(action, &request(global, None, Choose::default()), printer),
        Command::Engines { action } => engines::run(*action, printer),
        Command::EngineWorker => Ok(engines::work()),
        Command::Explain { codes } => explain::run(codes, printer),
        Command::Predict(predict) => predict::run(&request(global, None, Choose::default()), predict, printer),
    }
}

fn threads(global: &Global) -> usize {
    global.threads.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from)
}

/// Starts the threads that tables are read, checked and predicted with; a run has its own, when it needs them.
fn start_threads(threads: usize) -> Result<(), Stop> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| {
        Diagnostic::error("engine/threads", format!("no threads could be started: {error}"))
            .help("end other programs, or raise the limits of processes and of memory, and repeat the command")
            .into()
    })
}

fn asked(global: &Global, project: &Project) -> Request {
    request(global, project.folder.as_deref(), project.choose)
}

fn request(global: &Global, folder: Option<&Path>, choose: Choose) -> Request {
    let variable = || std::env::var("TRAINYARD_ENV").ok().filter(|name| !name.is_empty());
    Request {
        root: root(global, folder),
        environment: global.environment.clone().or_else(variable),
        overrides: global.overrides.clone(),
        choose: Choice { split: choose.split, features: choose.features, model: choose.model },
        as_of: None,
        threads: threads(global),
        io: Arc::new(DiskIo),
        engines: Arc::new(engines::found()),
        runtime: Arc::default(),
        data_settings: data::settings(),
    }
}

/// Gives the folder of the project that a command is about.
pub(crate) fn place(arguments: &Arguments) -> PathBuf {
    match &arguments.command {
        Command::Check(project) | Command::Plan(project) | Command::Run { project, .. } => {
            root(&arguments.global, project.folder.as_deref())
        }
        _ => root(&arguments.global, None),
    }
}

/// Gives the project's folder; a spec that is named itself stands for its folder.
fn root(global: &Global, folder: Option<&Path>) -> PathBuf {
    let named = folder.or(global.project.as_deref()).unwrap_or_else(|| Path::new("."));
    match (named.file_name(), named.parent()) {
        (Some(name), Some(parent)) if name == "trainyard.yaml" => {
            if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent.to_path_buf()
            }
        }
        _ => named.to_path_buf(),
    }
}

/// Says where the project is, for a command to type; nothing in the project's own folder.
pub(crate) fn in_project(root: &Path) -> String {
    if is_here(root) { String::new() } else { format!(" --project {}", quoted_path(root)) }
}

/// Says whether a folder is the current one, however it is written.
fn is_here(root: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    root == Path::new(".") || whole(root).is_some_and(|root| Some(root) == whole(Path::new(".")))
}

/// Quotes a path for a POSIX shell where it needs it; what looks like a flag begins with the current folder.
fn quoted_path(path: &Path) -> String {
    let text = conceal(&path.display().to_string()).into_owned();
    shell_word(&if text.starts_with('-') { format!("./{text}") } else { text })
}

/// Gives a call of the engine what it needs to report and to be stopped, and says what its failure means.
fn engaged<T>(
    printer: Printer,
    request: &Request,
    call: impl FnOnce(Arc<dyn Reporter>, &Cancel) -> Result<T, Failure>,
) -> Result<T, Stop> {
    let current = Current::new(Way::resume(in_project(&request.root)));
    engaged_in(printer, current.clone(), call).map_err(|stop| match (stop, current.way()) {
        (Stop::Problems { diagnostics, .. }, Some(way)) => {
            let state = format!("{}: `{}` goes on with it.", way.kept.trim_end_matches('.'), way.command);
            Stop::Problems { diagnostics, state }
        }
        (stop, _) => stop,
    })
}

/// Does the same for a call that leaves nothing to go on with when it fails.
fn engaged_in<T>(
    printer: Printer,
    current: Current,
    call: impl FnOnce(Arc<dyn Reporter>, &Cancel) -> Result<T, Failure>,
) -> Result<T, Stop> {
    let cancel = Cancel::default();
    watch(&cancel, &current, printer)?;
    call(Arc::new(Progress::new(printer, current.clone())), &cancel).map_err(|failure| match failure {
        Failure::Interrupted { run } => {
            current.set(&run);
            Stop::Interrupted { way: current.way() }
        }
        Failure::Problems(diagnostics) => Stop::Problems { diagnostics, state: NOTHING.to_owned() },
    })
}
