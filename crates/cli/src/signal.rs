//! Interruption: the first signal asks the work to stop, and the process ends within a second either way.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use trainyard_diagnostics::{Diagnostic, Fault, shell_word};
use trainyard_pipeline::Cancel;

use crate::printer::Printer;
use crate::stop::{Stop, WayOut};

/// How long the work may take to stop by itself.
const PATIENCE: Duration = Duration::from_millis(800);

/// Holds the id of the run that is going on, once it is known, and what goes on with it.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    run: Arc<Mutex<Option<String>>>,
    way: Arc<Way>,
}

/// What a stop leaves of a run, and the command to type then.
#[derive(Debug)]
pub(crate) struct Way {
    /// What is left, with RUN for the run's id.
    pub(crate) kept: &'static str,
    /// What the command does.
    pub(crate) verb: &'static str,
    /// The command's words before the run's id.
    pub(crate) before: &'static str,
    /// Its words after the id, with a blank before them.
    pub(crate) after: String,
}

impl Way {
    /// The way on for a run whose finished steps are kept, with the words that name its project.
    pub(crate) fn resume(project: String) -> Way {
        Way {
            kept: "The finished steps of run RUN are kept.",
            verb: "Go on with",
            before: "trainyard resume",
            after: project,
        }
    }
}

impl Current {
    /// Starts without a run.
    pub(crate) fn new(way: Way) -> Current {
        Current { run: Arc::default(), way: Arc::new(way) }
    }

    /// Says what is kept of the run, what to do, and by which command.
    pub(crate) fn way(&self) -> Option<WayOut> {
        let run = self.get()?;
        let Way { kept, verb, before, after } = &*self.way;
        let command = format!("{before} {}{after}", shell_word(&run));
        Some(WayOut { kept: kept.replace("RUN", &run), verb, command })
    }

    /// Takes the id.
    pub(crate) fn set(&self, run: &str) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.to_owned());
    }

    /// Gives the id.
    pub(crate) fn get(&self) -> Option<String> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Lets SIGINT and SIGTERM cancel the work.
pub(crate) fn watch(cancel: &Cancel, current: &Current, printer: Printer) -> Result<(), Stop> {
    let failed = |error: std::io::Error| {
        // Too many files, threads or processes, or too little memory for one more.
        Stop::from(
            Diagnostic::error("run/signals", format!("signals cannot be watched: {error}"))
                .help("end other programs, or raise the limits of processes and of memory, and repeat the command"),
        )
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let (cancel, current) = (cancel.clone(), current.clone());
    let watcher = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            cancel.cancel();
            thread::sleep(PATIENCE);
            // Whatever is still at work publishes its results atomically, so it may be cut off anywhere.
            printer.interrupted(current.way());
            std::process::exit(i32::from(Fault::Interrupted.exit_code()));
        }
    });
    watcher.map(drop).map_err(failed)
}
