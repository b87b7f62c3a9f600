//! Who delivers: one thread of one process at a time, and whoever waits for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use serde::Serialize;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::FileLock;

use super::client::Client;
use super::delivery::{Delivery, Experiments, Stopped};
use super::error::ServerError;
use crate::{EmbeddedStore, Error};

/// How many refused runs are told of one by one.
const SHOWN: usize = 5;
/// The file whose lock says that somebody delivers.
const LOCK: &str = "delivery.lock";
/// What is waited before a server that could not be told is asked again: the first time, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long the question before a run may take.
const REACH: Duration = Duration::from_secs(5);
/// How often it is looked whether another thread has delivered.
const GLANCE: Duration = Duration::from_millis(20);

/// Is what a server has still to be told.
#[derive(Clone, Debug, Serialize)]
pub struct Undelivered {
    /// The server's address.
    pub server: String,
    /// The runs, in the order in which they began to wait.
    pub runs: Vec<Waiting>,
    /// Why the server was not told.
    #[serde(skip)]
    pub cause: Option<ServerError>,
}

impl Undelivered {
    pub(crate) fn of(server: &str, waiting: Vec<(String, u64, Option<String>)>) -> Self {
        let runs = waiting.into_iter().map(|(run, batches, refused)| Waiting { run, batches, refused });
        Self { server: server.to_owned(), runs: runs.collect(), cause: None }
    }

    /// Tells a user of it.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = match self.runs.as_slice() {
            [one] => format!("all of run {}", one.run),
            more => format!("all of {} runs", more.len()),
        };
        let title = format!("the tracking server {} was not told {what}", self.server);
        let mut diagnostic = Diagnostic::warning("tracking/undelivered", title);
        for waiting in self.runs.iter().filter(|waiting| waiting.refused.is_some()).take(SHOWN) {
            let why = waiting.refused.as_deref().unwrap_or_default();
            diagnostic = diagnostic.note(format!("run {}: {why}", waiting.run));
        }
        if let Some(cause) = &self.cause {
            let told = cause.diagnostic();
            diagnostic = told.notes.iter().fold(diagnostic, |diagnostic, note| diagnostic.note(note.clone()));
        }
        diagnostic.note("it is whole in the project").help("`trainyard runs sync` delivers it")
    }
}

/// Is a run that a server does not know all of.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// The run.
    pub run: String,
    /// How many batches wait.
    pub batches: u64,
    /// Why the server takes no more of it; none where it was not asked, or could not be.
    pub refused: Option<String>,
}

/// Delivers what one server has still to be told.
#[derive(Debug)]
pub(crate) struct Courier {
    client: Arc<Client>,
    store: Arc<EmbeddedStore>,
    lock: PathBuf,
    experiments: Arc<Experiments>,
    certain: Mutex<BTreeSet<String>>,
    /// Held by the thread that delivers.
    delivering: Mutex<()>,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    has_thread: bool,
    is_woken: bool,
    /// Counts what got on, so that who waits knows that the server works.
    progress: u64,
    /// How long until a server that could not be told is asked again.
    again: Option<Duration>,
    cause: Option<ServerError>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Courier {
    pub(crate) fn new(
        client: Arc<Client>,
        experiments: Arc<Experiments>,
        store: Arc<EmbeddedStore>,
        folder: &Path,
    ) -> Self {
        Self {
            client,
            store,
            lock: folder.join(LOCK),
            experiments,
            certain: Mutex::default(),
            delivering: Mutex::default(),
            state: Mutex::default(),
            woken: Condvar::new(),
        }
    }

    /// Lets the thread deliver what was logged; starts it where there is none. It ends with the process, whatever waits
    /// then: that is kept.
    pub(crate) fn wake(self: &Arc<Self>) {
        let mut state = locked(&self.state);
        state.is_woken = true;
        if !state.has_thread {
            let own = Arc::downgrade(self);
            let work = move || {
                while let Some(courier) = own.upgrade() {
                    courier.deliver_once_woken();
                }
            };
            // Where there is no thread to be had, who waits delivers.
            state.has_thread = thread::Builder::new().name("delivery".to_owned()).spawn(work).is_ok();
        }
        drop(state);
        self.woken.notify_all();
    }

    /// Delivers once somebody has logged, or once it is time to try again.
    fn deliver_once_woken(&self) {
        let mut state = locked(&self.state);
        if !state.is_woken {
            // A moment, so that the thread ends once nobody has the courier any more.
            let wait = state.again.unwrap_or(LONGEST_WAIT);
            state = self.woken.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        if !std::mem::take(&mut state.is_woken) && state.again.is_none() {
            return;
        }
        drop(state);
        let Some(guard) = self.try_delivering() else { return };
        let delivered = self.deliver(None);
        drop(guard);
        let mut state = locked(&self.state);
        state.again = match delivered {
            Err(Stopped::Waiting(error)) if error.may_pass() => {
                Some(state.again.map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT)))
            }
            _ => None,
        };
    }

    fn try_delivering(&self) -> Option<MutexGuard<'_, ()>> {
        match self.delivering.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn delivery(&self) -> Delivery<'_> {
        Delivery { client: &self.client, store: &self.store, experiments: &self.experiments, certain: &self.certain }
    }

    /// Delivers all that waits; with `patience` as long as the server answers something within that. While another process
    /// does, there is nothing to do.
    fn deliver(&self, patience: Option<Duration>) -> Result<(), Stopped> {
        let Ok(_lock) = FileLock::take(&self.lock).map_err(Error::from)? else {
            let (server, cause) = (self.client.server().to_owned(), "another process delivers".to_owned());
            return Err(Stopped::Waiting(ServerError::Unreachable { server, cause }));
        };
        let mut outcome = Ok(());
        let told = || locked(&self.state).progress += 1;
        let waited = self.client.wait(async {
            let delivery = self.delivery();
            let work = pin!(delivery.deliver(told));
            outcome = match patience {
                None => work.await,
                Some(patience) => match select(work, pin!(self.silence(patience))).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right(((), _)) => {
                        // Nobody knows how far what was broken off has come.
                        locked(&self.certain).clear();
                        Err(Stopped::Waiting(self.silent(patience)))
                    }
                },
            };
            Ok(())
        });
        let outcome = waited.map_err(Stopped::Waiting).and(outcome);
        locked(&self.state).cause = match &outcome {
            Err(Stopped::Waiting(error)) => Some(error.clone()),
            _ => None,
        };
        outcome
    }

    /// Waits until the server has answered nothing for a while.
    async fn silence(&self, patience: Duration) {
        loop {
            let answers = self.client.answers();
            tokio::time::sleep(patience).await;
            if self.client.answers() == answers {
                return;
            }
        }
    }

    fn silent(&self, patience: Duration) -> ServerError {
        let cause = format!("it did not answer within {} s", patience.as_secs_f64());
        ServerError::Unreachable { server: self.client.server().to_owned(), cause }
    }

    /// Waits until a run, or all, is delivered, as long as the server gets on; gives what is not.
    pub(crate) fn settle(&self, patience: Duration, run: Option<&str>) -> Result<Undelivered, Error> {
        let (mut since, mut seen, mut wait) = (Instant::now(), locked(&self.state).progress, FIRST_WAIT);
        let (mut cause, mut left) = (None, u64::MAX);
        loop {
            let waiting = self.store.waiting(self.client.server())?;
            let is_open = |(name, _, refused): &&(String, u64, Option<String>)| {
                refused.is_none() && run.is_none_or(|run| run == name)
            };
            let progress = locked(&self.state).progress;
            // Another process may be the one that delivers.
            let batches = waiting.iter().map(|(_, batches, _)| batches).sum();
            if progress != seen || batches < left {
                left = batches;
                (since, seen, wait) = (Instant::now(), progress, FIRST_WAIT);
            }
            let is_certain = |error: &ServerError| !error.may_pass();
            if !waiting.iter().any(|one| is_open(&one))
                || since.elapsed() >= patience
                || cause.as_ref().is_some_and(is_certain)
            {
                let cause = cause.or_else(|| locked(&self.state).cause.clone());
                return Ok(Undelivered { cause, ..Undelivered::of(self.client.server(), waiting) });
            }
            let Some(guard) = self.try_delivering() else {
                thread::sleep(GLANCE);
                continue;
            };
            let delivered = self.deliver(Some(patience.max(FIRST_WAIT)));
            drop(guard);
            match delivered {
                Ok(()) => cause = None,
                Err(Stopped::Waiting(error)) => {
                    if error.may_pass() {
                        thread::sleep(wait.min(patience.saturating_sub(since.elapsed())));
                        wait = (wait * 2).min(LONGEST_WAIT);
                    }
                    cause = Some(error);
                }
                Err(Stopped::Ours(error)) => return Err(error),
            }
        }
    }

    /// Asks the server for an experiment, so that what no waiting mends is known before anything runs.
    pub(crate) fn reach(&self, experiment: &str) -> Result<(), ServerError> {
        self.client.wait(async {
            let reached = tokio::time::timeout(REACH, self.delivery().reach(experiment)).await;
            reached.unwrap_or_else(|_| Err(self.silent(REACH)))
        })
    }
}
