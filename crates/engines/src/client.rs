//! The parent: starts a child for fits of the same rows, watches it, and reads what it gives.

use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use trainyard_learn::metrics::Task;
use trainyard_learn::{Matrix, TreeEnsemble};

use crate::protocol::{Ask, Frame, Header, Order, read_frame, write_json, write_numbers};
use crate::{Engine, Error, Library, Places, lightgbm, xgboost};

/// The most bytes of a child's stderr that are told, and the most lines.
const WORDS: usize = 4096;
const LINES: usize = 8;

/// How long a silent child is waited for before the listener is asked again whether to go on.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a child whose pipe is at its end is waited for. A large one needs a while to give its memory back.
const GRACE: Duration = Duration::from_secs(5);

/// The program that a child runs.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The executable.
    pub program: PathBuf,
    /// What makes it call [`crate::work`].
    pub arguments: Vec<String>,
}

/// The engines of this machine, found when they are first asked for.
#[derive(Debug)]
pub struct Engines {
    places: Places,
    worker: Worker,
    found: [OnceLock<Result<Library, Error>>; Engine::ALL.len()],
}

/// One fit.
#[derive(Debug, Clone, Copy)]
pub struct FitRequest<'a> {
    /// The engine.
    pub engine: Engine,
    /// Parameters by the library's own names, but for objective, seed and threads.
    pub parameters: &'a [(String, String)],
    /// The number of trees of each margin; the most where rows that are held out say when to stop.
    pub iterations: usize,
    /// What is predicted; classes are numbered from 0.
    pub task: Task,
    /// The seed of every draw; its lower 31 bits count.
    pub seed: u64,
    /// The threads of the library, from 1.
    pub threads: u32,
    /// The rows of the fit.
    pub rows: FitRows<'a>,
    /// Rows that only watch.
    pub held: Option<Held<'a>>,
    /// The processes that other fits of the same rows have left.
    pub kept: Option<&'a Kept>,
}

/// Rows with their targets.
#[derive(Debug, Clone, Copy)]
pub struct FitRows<'a> {
    /// The features; a missing cell is NaN.
    pub matrix: &'a Matrix<'a>,
    /// One target a row.
    pub targets: &'a [f64],
    /// How much each row counts.
    pub weights: Option<&'a [f64]>,
}

/// Rows that are held out: they may say when to stop, and be predicted on the way. Nothing else of them reaches the fit.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The rows: one or more, with the columns of those of the fit. Without `patience` their weights count for nothing.
    pub rows: FitRows<'a>,
    /// The iterations without a fall of their loss after which to stop, from 1; then the trees up to the lowest loss are
    /// the model.
    pub patience: Option<usize>,
    /// The iterations after which the listener hears what is predicted of them, from 1.
    pub told: &'a [usize],
}

/// What a listener hears of a fit.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// So many iterations are done.
    Done {
        /// Those.
        iterations: usize,
        /// The most there may be.
        of: usize,
    },
    /// What the trees of so many iterations predict of the rows that are held out, where that was asked for. A fit that
    /// is stopped here leaves its process to the next one.
    Predicted {
        /// The iterations.
        iterations: usize,
        /// The margins, row after row.
        margins: Vec<f64>,
    },
    /// The library is at work, and has said nothing for a while.
    Waiting,
}

/// The processes that hold the rows of a fold for further fits, so that the library takes them in once.
///
/// It belongs to one set of rows: matrix, targets and the rows that are held out. A process ends when all fits that
/// were expected of its engine have begun, unless nobody knows how many there will be, and when this value is dropped.
#[derive(Debug, Default)]
pub struct Kept {
    state: Mutex<KeptState>,
}

#[derive(Debug, Default)]
struct KeptState {
    expected: Vec<Engine>,
    /// Whether there may always be another fit.
    lasting: bool,
    idle: Vec<Session>,
}

impl Kept {
    /// Expects a fit by each of `engines`, in any order; of two fits by one engine it is there twice.
    pub fn expecting(engines: impl IntoIterator<Item = Engine>) -> Kept {
        let expected = engines.into_iter().collect();
        Kept { state: Mutex::new(KeptState { expected, lasting: false, idle: Vec::new() }) }
    }

    /// Expects fits without an end: processes stay until this value is dropped.
    pub fn lasting() -> Kept {
        Kept { state: Mutex::new(KeptState { lasting: true, ..KeptState::default() }) }
    }

    /// Takes a process that holds the rows, and so many of those held out, where one is idle; what is in it waits for
    /// nobody else.
    fn take(&self, engine: Engine, held_rows: usize) -> Option<Session> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = state.expected.iter().position(|of| *of == engine) {
            state.expected.swap_remove(at);
        }
        let at = state.idle.iter().position(|idle| idle.engine == engine && idle.held_rows == held_rows)?;
        Some(state.idle.swap_remove(at))
    }

    /// Keeps a process that has fitted, where another fit by its engine is to come; else it ends.
    fn keep(&self, session: Session) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lasting || state.expected.contains(&session.engine) {
            state.idle.push(session);
        }
    }
}

/// What a fit gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The trees of each margin.
    pub ensembles: Vec<TreeEnsemble>,
    /// The model in the library's own format, which [`Engine::native_file`] names.
    pub native: Vec<u8>,
}

impl Engines {
    /// Makes engines that are looked for in `places` and run by `worker`.
    pub fn new(places: Places, worker: Worker) -> Engines {
        Engines { places, worker, found: [const { OnceLock::new() }; Engine::ALL.len()] }
    }

    /// Makes engines of which there are none.
    pub fn none() -> Engines {
        Engines::new(Places::default(), Worker { program: PathBuf::new(), arguments: Vec::new() })
    }

    /// Finds an engine that can be used here, and gives the same answer from then on.
    ///
    /// # Errors
    /// As [`Places::find`], [`Error::NotALibrary`] and [`Error::Version`].
    pub fn library(&self, engine: Engine) -> Result<&Library, Error> {
        let found = self.found[engine as usize].get_or_init(|| {
            let library = self.places.find(engine)?;
            library.refuse_unfit()?;
            Ok(library)
        });
        found.as_ref().map_err(Clone::clone)
    }

    /// Loads an engine in a child process and gives its version, where the library or a file beside it tells.
    ///
    /// # Errors
    /// Those of [`Engines::library`], [`Error::NotLoaded`] and, as with a fit, that of a child that is not well.
    pub fn load(&self, engine: Engine, goes_on: &dyn Fn() -> bool) -> Result<Option<String>, Error> {
        let library = self.library(engine)?;
        let mut session = self.start(engine, 1)?;
        let header = header(library, 0, 0, 0);
        let mut version = None;
        let loading = session.converse(
            |out| write_json(out, &header),
            |frame| {
                Ok(match frame {
                    Some(Frame::Ready(told)) => {
                        version = known_version(library, &told)?;
                        Then::End(())
                    }
                    Some(Frame::Refused(words)) => return Err(Error::NotLoaded { engine, words }),
                    None if !goes_on() => return Err(Error::Stopped),
                    _ => Then::Listen,
                })
            },
        );
        loading.map_err(while_loading)?;
        Ok(version)
    }

    /// Fits in a child process; `progress` hears of every iteration, and several times a second of none, and stops the
    /// fit by `false`.
    ///
    /// # Errors
    /// Those of [`Engines::library`], [`Error::Start`], [`Error::NotLoaded`], [`Error::Refused`], [`Error::Died`], [`Error::Garbled`] and
    /// [`Error::Stopped`].
    pub fn fit(&self, request: &FitRequest<'_>, progress: &dyn Fn(Heard) -> bool) -> Result<Fit, Error> {
        let engine = request.engine;
        let library = self.library(engine)?;
        let held_rows = request.held.map_or(0, |held| held.rows.targets.len());
        let kept = request.kept.and_then(|kept| kept.take(engine, held_rows));
        let is_fresh = kept.is_none();
        let mut session = match kept {
            Some(session) => session,
            None => Session { held_rows, ..self.start(engine, request.threads)? },
        };
        let native = session.fit(library, request, is_fresh, progress)?;
        if let Some(kept) = request.kept {
            kept.keep(session);
        }
        let native = native.ok_or(Error::Stopped)?;
        let (matrix, outputs) = (request.rows.matrix, request.task.outputs());
        let ensembles = match engine {
            Engine::LightGbm => lightgbm::read(&native, matrix.columns().len(), outputs),
            Engine::XgBoost => xgboost::read(&native, matrix, outputs),
        };
        let ensembles = ensembles.map_err(|what| Error::Garbled { engine, what })?;
        Ok(Fit { ensembles, native })
    }

    fn start(&self, engine: Engine, threads: u32) -> Result<Session, Error> {
        let child = Command::new(&self.worker.program)
            .args(&self.worker.arguments)
            // Threads that wait for each other must not keep processors busy.
            .env("OMP_WAIT_POLICY", "passive")
            .env("OMP_NUM_THREADS", threads.to_string())
            .env("OMP_DYNAMIC", "false")
            // What is typed at the terminal is for this process, which ends its children.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let session = child.and_then(|child| Session::new(engine, Running(child)));
        session.map_err(|error| Error::Start { engine, what: error.to_string() })
    }
}

fn header(library: &Library, columns: usize, rows: usize, held_rows: usize) -> Header {
    let Library { engine, path, digest, .. } = library.clone();
    Header { engine, library: path, digest, columns, rows, held_rows }
}

/// Gives the version that a library tells of itself, else the one that stands beside it.
fn known_version(library: &Library, told: &str) -> Result<Option<String>, Error> {
    if told.is_empty() {
        return Ok(library.version.clone());
    }
    let told = Library { version: Some(told.to_owned()), ..library.clone() };
    told.refuse_version()?;
    Ok(told.version)
}

/// Says of a child that died before its library was loaded that it was not.
fn while_loading(error: Error) -> Error {
    match error {
        Error::Died { engine, how, words } => {
            let words = format!("{words}\nthe process that loaded it {how}");
            Error::NotLoaded { engine, words: words.trim_start().to_owned() }
        }
        other => other,
    }
}

/// A child that ends with this value.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What follows from what a child said.
enum Then<T> {
    Listen,
    Say(Order),
    End(T),
}

/// A child with the pipes to it.
#[derive(Debug)]
struct Session {
    engine: Engine,
    /// The rows beside those of the fits that the process holds.
    held_rows: usize,
    // Before the pipes: the child does not see their end.
    child: Running,
    stdin: BufWriter<ChildStdin>,
    frames: Receiver<io::Result<Frame>>,
    words: Option<JoinHandle<String>>,
}

impl Session {
    fn new(engine: Engine, mut child: Running) -> io::Result<Session> {
        let pipes = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        let (Some(stdin), Some(stdout), Some(mut stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        let (sender, frames) = channel();
        let listener = move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(frame) = read_frame(&mut stdout).transpose() {
                let is_last = frame.is_err();
                if sender.send(frame).is_err() || is_last {
                    break;
                }
            }
        };
        thread::Builder::new().name("engine".to_owned()).spawn(listener)?;
        let words = thread::Builder::new().name("engine words".to_owned()).spawn(move || last_words(&mut stderr))?;
        Ok(Session { engine, held_rows: 0, child, stdin: BufWriter::new(stdin), frames, words: Some(words) })
    }

    /// Asks for a fit and listens until the model is there; none where the listener stopped it and the child goes on.
    fn fit(
        &mut self,
        library: &Library,
        request: &FitRequest<'_>,
        is_fresh: bool,
        progress: &dyn Fn(Heard) -> bool,
    ) -> Result<Option<Vec<u8>>, Error> {
        let engine = self.engine;
        let rows = request.rows;
        let held = request.held.map(|held| held.rows);
        let held_rows = held.map_or(0, |held| held.matrix.rows());
        let header = header(library, rows.matrix.columns().len(), rows.matrix.rows(), held_rows);
        let mut parameters = request.parameters.to_vec();
        for given in engine.given(request.task, request.seed, request.threads) {
            // The device is the spec's, where it names one.
            if given.0 != "device" || parameters.iter().all(|(name, _)| name != "device") {
                parameters.push(given);
            }
        }
        let ask = Ask {
            parameters,
            iterations: request.iterations,
            patience: request.held.and_then(|held| held.patience),
            told: request.held.map_or_else(Vec::new, |held| held.told.to_vec()),
            has_weights: rows.weights.is_some(),
            has_held_weights: held.is_some_and(|held| held.weights.is_some()),
        };
        let tell = |out: &mut BufWriter<ChildStdin>| -> io::Result<()> {
            if is_fresh {
                write_json(out, &header)?;
                for rows in [Some(rows), held].into_iter().flatten() {
                    for column in rows.matrix.columns() {
                        write_numbers(out, &column[..rows.matrix.rows()])?;
                    }
                    write_numbers(out, rows.targets)?;
                }
            }
            write_json(out, &Order::Fit(ask))?;
            write_numbers(out, rows.weights.unwrap_or_default())?;
            write_numbers(out, held.and_then(|held| held.weights).unwrap_or_default())
        };
        let mut is_loaded = !is_fresh;
        let fitted = self.converse(tell, |frame| match frame {
            Some(Frame::Ready(told)) => {
                is_loaded = true;
                known_version(library, &told).map(|_| Then::Listen)
            }
            Some(Frame::Done(done)) => {
                let done = Heard::Done { iterations: done as usize, of: request.iterations };
                if progress(done) { Ok(Then::Listen) } else { Err(Error::Stopped) }
            }
            Some(Frame::Predicted { iterations, margins }) => {
                let (rows, outputs) = (held_rows, request.task.outputs());
                if margins.len() != rows * outputs {
                    let what = format!("it has {} predictions of {rows} rows, each with {outputs}", margins.len());
                    return Err(Error::Garbled { engine, what });
                }
                let goes_on = progress(Heard::Predicted { iterations: iterations as usize, margins });
                Ok(Then::Say(if goes_on { Order::GoOn } else { Order::Stop }))
            }
            Some(Frame::Stopped) => Ok(Then::End(None)),
            Some(Frame::Model(model)) => Ok(Then::End(Some(model))),
            Some(Frame::Refused(words)) if is_loaded => Err(Error::Refused { engine, words }),
            Some(Frame::Refused(words)) => Err(Error::NotLoaded { engine, words }),
            None => {
                if progress(Heard::Waiting) {
                    Ok(Then::Listen)
                } else {
                    Err(Error::Stopped)
                }
            }
        });
        fitted.map_err(|error| if is_loaded { error } else { while_loading(error) })
    }

    /// Says something to the child and listens until `hear` has what it wants; it hears every frame, and of none that
    /// nothing was said for a while, and may answer. The child is killed where it does not get what it wants.
    fn converse<T>(
        &mut self,
        tell: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()> + Send,
        mut hear: impl FnMut(Option<Frame>) -> Result<Then<T>, Error>,
    ) -> Result<T, Error> {
        let engine = self.engine;
        let start = |error: io::Error| Error::Start { engine, what: error.to_string() };
        let Session { child, stdin, frames, words, .. } = self;
        thread::scope(|scope| {
            let (answer, answers) = channel();
            let all = move || -> io::Result<()> {
                tell(stdin)?;
                stdin.flush()?;
                for order in answers {
                    write_json(stdin, &order)?;
                    stdin.flush()?;
                }
                Ok(())
            };
            // One who does not listen has ended, which is heard of below.
            let telling = move || drop(all());
            let told = thread::Builder::new().spawn_scoped(scope, telling);
            let heard = match told {
                Err(error) => Err(start(error)),
                Ok(_) => loop {
                    let frame = match frames.recv_timeout(PAUSE) {
                        Ok(Ok(frame)) => Some(frame),
                        Err(RecvTimeoutError::Timeout) => None,
                        Ok(Err(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                            break Err(Error::Garbled { engine, what: format!("the answer breaks off: {error}") });
                        }
                        // How it ended says more than what is missing.
                        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                            break Err(Error::Died { engine, how: String::new(), words: String::new() });
                        }
                    };
                    match hear(frame) {
                        Ok(Then::Listen) => {}
                        // Where nobody takes it the child has ended, too.
                        Ok(Then::Say(order)) => drop(answer.send(order)),
                        Ok(Then::End(wanted)) => break Ok(wanted),
                        Err(error) => break Err(error),
                    }
                },
            };
            match heard {
                Ok(wanted) => Ok(wanted),
                // Its pipe is at its end, so that it is about to end by itself; one that is not is ended.
                Err(Error::Died { .. }) => {
                    let how = match ended_within(GRACE, &mut child.0).map_err(start)? {
                        Some(status) => how(status),
                        None => {
                            let _ = child.0.kill();
                            child.0.wait().map_err(start)?;
                            "stopped answering, went on running and was ended".to_owned()
                        }
                    };
                    let words = words.take().and_then(|words| words.join().ok()).unwrap_or_default();
                    Err(Error::Died { engine, how, words })
                }
                Err(error) => {
                    // Also ends the telling, which may wait for a child that does not listen.
                    let _ = child.0.kill();
                    Err(error)
                }
            }
        })
    }
}

/// Waits for a child that may end at any moment; none where it has not.
pub(crate) fn ended_within(patience: Duration, child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            None if started.elapsed() < patience => thread::sleep(PAUSE / 10),
            ended => return Ok(ended),
        }
    }
}

/// Reads to the end and gives the last lines.
fn last_words(from: &mut impl Read) -> String {
    let (mut last, mut buffer) = (Vec::new(), [0; WORDS]);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        last.extend_from_slice(&buffer[..count]);
        let surplus = last.len().saturating_sub(WORDS);
        last.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&last);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(11)) => "was killed by signal 11 (a segmentation fault)".to_owned(),
        (None, Some(7)) => "was killed by signal 7 (a part of a file or of the memory was not there)".to_owned(),
        (None, Some(9)) => "was killed by signal 9 (by someone, or by the system for want of memory)".to_owned(),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}
