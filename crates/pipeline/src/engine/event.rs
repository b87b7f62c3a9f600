//! What happens, as values: libraries report them, only the face draws them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use trainyard_diagnostics::Diagnostic;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// It did its work.
    Ran,
    /// A stored result stood for it.
    Cached,
    /// An earlier step failed.
    Skipped,
    /// It failed.
    Failed,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The specs are sound.
    Checked {
        /// The project file.
        project: String,
        /// How many steps there are.
        steps: usize,
        /// How many of them have a stored result.
        ready: usize,
    },
    /// A run began.
    Started {
        /// Its id.
        run: String,
    },
    /// A step began.
    StepStarted {
        /// Its name.
        step: String,
    },
    /// A step moved on.
    Progress {
        /// Its name.
        step: String,
        /// What it does at the moment.
        text: String,
        /// Units done.
        done: u64,
        /// Units in all, 0 when unknown.
        total: u64,
    },
    /// A step ended.
    StepFinished {
        /// Its name.
        step: String,
        /// How.
        status: StepStatus,
        /// Wall time.
        seconds: f64,
        /// What it worked on.
        subject: String,
        /// What came out.
        result: String,
    },
    /// Something that the user should know.
    Warning {
        /// In full.
        #[serde(serialize_with = "as_json")]
        diagnostic: Diagnostic,
    },
}

fn as_json<S: serde::Serializer>(diagnostic: &Diagnostic, serializer: S) -> Result<S::Ok, S::Error> {
    diagnostic.to_json().serialize(serializer)
}

/// Takes events as they happen, from any thread.
pub trait Reporter: Send + Sync {
    /// Takes one event.
    fn report(&self, event: &Event);
}

/// Takes events and does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: &Event) {}
}

/// Tells all threads of a run to stop.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Says whether the stop was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
