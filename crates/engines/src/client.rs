//! The parent: starts a child for each fit, watches it, and reads what it gives.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;

use trainyard_learn::metrics::Task;
use trainyard_learn::{Matrix, TreeEnsemble};

use crate::protocol::{Frame, Header, read_frame, write_header, write_numbers};
use crate::{Engine, Error, Library, Places, lightgbm, xgboost};

/// The most bytes of a child's stderr that are told, and the most lines.
const WORDS: usize = 4096;
const LINES: usize = 8;

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
    /// The number of trees of each margin.
    pub iterations: usize,
    /// What is predicted; classes are numbered from 0.
    pub task: Task,
    /// The seed of every draw; its lower 31 bits count.
    pub seed: u64,
    /// The threads of the library, from 1.
    pub threads: u32,
    /// The features; a missing cell is NaN.
    pub matrix: &'a Matrix<'a>,
    /// One target a row.
    pub targets: &'a [f64],
    /// How much each row counts.
    pub weights: Option<&'a [f64]>,
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

    /// Finds an engine, and gives the same answer from then on.
    ///
    /// # Errors
    /// As [`Places::find`].
    pub fn library(&self, engine: Engine) -> Result<&Library, Error> {
        let found = self.found[engine as usize].get_or_init(|| self.places.find(engine));
        found.as_ref().map_err(Clone::clone)
    }

    /// Fits in a child process; `progress` hears how many of all iterations are done, and stops the fit by `false`.
    ///
    /// # Errors
    /// Those of [`Engines::library`], [`Error::Start`], [`Error::Refused`], [`Error::Died`], [`Error::Garbled`] and
    /// [`Error::Stopped`].
    pub fn fit(&self, request: &FitRequest<'_>, progress: &dyn Fn(usize, usize) -> bool) -> Result<Fit, Error> {
        let engine = request.engine;
        let library = self.library(engine)?;
        let mut parameters = request.parameters.to_vec();
        parameters.extend(engine.given(request.task, request.seed, request.threads));
        let header = Header {
            engine,
            library: library.path.clone(),
            digest: library.digest,
            parameters,
            iterations: request.iterations,
            rows: request.matrix.rows(),
            columns: request.matrix.columns().len(),
            has_weights: request.weights.is_some(),
        };
        let native = self.converse(&header, request, progress)?;
        let (features, outputs) = (header.columns, request.task.outputs());
        let ensembles = match engine {
            Engine::LightGbm => lightgbm::read(&native, features, outputs),
            Engine::XgBoost => xgboost::read(&native, request.matrix, outputs),
        };
        let ensembles = ensembles.map_err(|what| Error::Garbled { engine, what })?;
        Ok(Fit { ensembles, native })
    }

    /// Starts a child, tells it what to fit, and listens until it has given the model.
    fn converse(
        &self,
        header: &Header,
        request: &FitRequest<'_>,
        progress: &dyn Fn(usize, usize) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let engine = header.engine;
        let start = |what: String| Error::Start { engine, what };
        let mut running = Running(self.start(request.threads).map_err(|error| start(error.to_string()))?);
        let child = &mut running.0;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(start("it has no pipes".to_owned()));
        };
        thread::scope(|scope| {
            let words = scope.spawn(move || last_words(&mut stderr));
            let told = scope.spawn(move || tell(stdin, header, request));
            let mut stdout = BufReader::new(stdout);
            let heard = loop {
                match read_frame(&mut stdout) {
                    Ok(Some(Frame::Done(done))) => {
                        if !progress(done as usize, header.iterations) {
                            break Err(Error::Stopped);
                        }
                    }
                    Ok(Some(Frame::Model(model))) => break Ok(model),
                    Ok(Some(Frame::Refused(words))) => break Err(Error::Refused { engine, words }),
                    Err(error) if error.kind() != ErrorKind::UnexpectedEof => {
                        break Err(Error::Garbled { engine, what: format!("the answer breaks off: {error}") });
                    }
                    // How it ended says more than what is missing.
                    Ok(None) | Err(_) => break Err(Error::Died { engine, how: String::new(), words: String::new() }),
                }
            };
            drop(stdout);
            if !matches!(heard, Err(Error::Died { .. })) {
                // All is said. The library's own clearing up takes time, and may crash.
                let _ = running.0.kill();
            }
            let status = running.0.wait();
            // The pipe to it is closed only now: its end would have ended the child.
            drop(told.join());
            let words = words.join().unwrap_or_default();
            match (heard, status) {
                (Err(Error::Died { .. }), Ok(status)) => Err(Error::Died { engine, how: how(status), words }),
                (Err(Error::Died { .. }), Err(error)) => Err(start(error.to_string())),
                (heard, _) => heard,
            }
        })
    }

    fn start(&self, threads: u32) -> std::io::Result<Child> {
        Command::new(&self.worker.program)
            .args(&self.worker.arguments)
            // Threads that wait for each other must not keep processors busy.
            .env("OMP_WAIT_POLICY", "passive")
            .env("OMP_NUM_THREADS", threads.to_string())
            .env("OMP_DYNAMIC", "false")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// A child that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a fit. One who does not listen has ended, which is seen elsewhere.
fn tell(stdin: ChildStdin, header: &Header, request: &FitRequest<'_>) -> Option<ChildStdin> {
    let mut out = BufWriter::new(stdin);
    let mut send = || -> std::io::Result<()> {
        write_header(&mut out, header)?;
        for column in request.matrix.columns() {
            write_numbers(&mut out, &column[..header.rows])?;
        }
        write_numbers(&mut out, request.targets)?;
        write_numbers(&mut out, request.weights.unwrap_or_default())?;
        out.flush()
    };
    send().ok()?;
    out.into_inner().ok()
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
        (None, Some(9)) => "was killed by signal 9 (by someone, or by the system for want of memory)".to_owned(),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}
