//! What a running step sees: the artifacts that it declared, and a way to say how far it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{Digest, ObjectStore};

use super::{Cancel, Event, Failure, Output, Read, Reporter};

/// The world of one running step.
pub struct Scope {
    pub(super) step: &'static str,
    pub(super) reads: Vec<Read>,
    pub(super) outputs: BTreeMap<String, Arc<Output>>,
    pub(super) objects: Arc<ObjectStore>,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) cancel: Cancel,
    pub(super) log: Arc<dyn Fn() -> Result<(), Failure> + Send + Sync>,
    pub(super) pool: Arc<dyn Fn() -> Result<Arc<rayon::ThreadPool>, Failure> + Send + Sync>,
}

impl Scope {
    /// Gives the digest of an artifact that the step declared.
    pub fn digest(&self, step: &'static str, artifact: &str) -> Result<Digest, Failure> {
        let declared = self.reads.iter().any(|read| read.step == step && read.artifact == artifact);
        let found = self.outputs.get(step).and_then(|output| output.artifacts.get(artifact));
        match found {
            Some(digest) if declared => Ok(*digest),
            _ => Err(Diagnostic::error(
                "engine/undeclared",
                format!(
                    "step {} reads {artifact} of {step}, which it did not declare or which is not there",
                    self.step
                ),
            )
            .with_fault(Fault::Internal)
            .into()),
        }
    }

    /// Reads an artifact that the step declared, checked against its digest.
    pub fn read(&self, step: &'static str, artifact: &str) -> Result<Vec<u8>, Failure> {
        let digest = self.digest(step, artifact)?;
        self.objects.get(&digest).map_err(|error| error.diagnostic().into())
    }

    /// Gives what a needed step left.
    pub fn output(&self, step: &'static str) -> Option<&Output> {
        self.outputs.get(step).map(|output| &**output)
    }

    /// Logs the steps before this one, for a step that did not ask for it before it ran ([`Step::logs_first`]).
    ///
    /// [`Step::logs_first`]: super::Step::logs_first
    pub fn log(&self) -> Result<(), Failure> {
        (self.log)()
    }

    /// Gives the threads to compute with, for a step that does not run on them itself ([`Step::computes`]).
    ///
    /// [`Step::computes`]: super::Step::computes
    ///
    /// # Errors
    /// They cannot be started.
    pub fn pool(&self) -> Result<Arc<rayon::ThreadPool>, Failure> {
        (self.pool)()
    }

    /// Stores bytes and gives their digest, for the step's output.
    pub fn store(&self, bytes: &[u8]) -> Result<Digest, Failure> {
        self.objects.put(bytes).map_err(|error| error.diagnostic().into())
    }

    /// Gives the object store.
    pub fn objects(&self) -> &ObjectStore {
        &self.objects
    }

    /// Reports progress and says whether to go on.
    pub fn progress(&self, text: &str, done: u64, total: u64) -> bool {
        self.reporter.report(&Event::Progress { step: self.step.to_owned(), text: text.to_owned(), done, total });
        !self.cancel.is_cancelled()
    }

    /// Passes a warning to the user.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.reporter.report(&Event::Warning { diagnostic });
    }

    /// Gives a question for work that outlives no step: whether the user asked to stop.
    pub fn stop_wish(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let cancel = self.cancel.clone();
        move || cancel.is_cancelled()
    }

    /// Ends the step when the user asked to stop.
    pub fn check(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}
