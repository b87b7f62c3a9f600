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

/// How long the work may take to stop by itself.
const PATIENCE: Duration = Duration::from_millis(800);

/// Holds the id of the run that is going on, once it is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current(Arc<Mutex<Option<String>>>);

impl Current {
    /// Takes the id.
    pub(crate) fn set(&self, run: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.to_owned());
    }

    /// Gives the id.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            printer.interrupted(current.get().as_deref());
            std::process::exit(i32::from(Fault::Interrupted.exit_code()));
        }
    });
    watcher.map(drop).map_err(failed)
}
