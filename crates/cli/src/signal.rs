//! Interruption: the first signal asks the work to stop, and the process ends within a second either way.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_pipeline::Cancel;

use crate::printer::Printer;
use crate::stop::Stop;

/// The command that goes on with a run.
pub(crate) const RESUME: &str = "trainyard resume";

/// How long the work may take to stop by itself.
const PATIENCE: Duration = Duration::from_millis(800);

/// Holds the id of the run that is going on, once it is known, and what goes on with it.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    run: Arc<Mutex<Option<String>>>,
    /// The command and its words before and after the run's id.
    command: [String; 2],
    kept: &'static str,
}

impl Current {
    /// Starts without a run. `kept` says what a stop leaves of it, `before` and `after` its id make the command that goes
    /// on with it.
    pub(crate) fn new(kept: &'static str, before: &str, after: String) -> Current {
        Current { run: Arc::default(), command: [before.to_owned(), after], kept }
    }

    /// Says what is kept of the run, and the command that goes on with it.
    pub(crate) fn way(&self) -> Option<(String, String)> {
        let run = self.get()?;
        let [before, after] = &self.command;
        Some((self.kept.replace("RUN", &run), format!("{before} {run}{after}")))
    }

    /// Says whether a run that failed goes on by that command.
    pub(crate) fn is_resumed(&self) -> bool {
        self.command[0] == RESUME
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
        Stop::from(
            Diagnostic::error("internal/signals", format!("signals cannot be watched: {error}"))
                .with_fault(Fault::Internal),
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
