//! Kills runs of the example when their journal has grown by a line, and at random moments, and looks at what is left and
//! what becomes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_random::Key;

use crate::campaigns::{copy_folder, target};
use crate::{Outcome, call, root, say};

/// How often a run's journal is looked at: a line is seen long before the next is written.
const GLANCE: Duration = Duration::from_micros(100);

/// Kills and resumes a run at every line of its journal, and `times` times at random moments.
pub(crate) fn run(times: u64) -> Outcome {
    call("cargo", &["build", "--release", "--locked", "--quiet", "--bin", "trainyard"], &[])?;
    let folder = target().join("campaigns/crash");
    let mut project = Project { binary: target().join("release/trainyard"), folder: folder.join("whole") };
    project.fresh()?;
    let started = Instant::now();
    let whole = project.document(&["run"])?;
    let took = started.elapsed();
    let lines = project.journal_lines();
    if lines < 20 {
        return Err(format!("the whole run's journal has {lines} lines"));
    }
    let expected = Expected { digest: whole["candidate"]["digest"].clone(), files: project.files()? };
    if expected.digest.is_null() {
        return Err("the whole run made no candidate".to_owned());
    }
    project.folder = folder.join("killed");
    let random = Key::new(1, "crash");
    // A little beyond the end, so that some runs end before they are killed.
    let pauses = (0..times).map(|time| Moment::After(took.mul_f64(1.1 * random.uniform(time))));
    let mut seen = [0; 3];
    for (number, moment) in (1..=lines).map(Moment::Line).chain(pauses).enumerate() {
        project.fresh()?;
        let told = project.killed_at(moment).and_then(|left| project.recovers(left, &expected).map(|()| left));
        let left = told.map_err(|problem| format!("kill {number}, {moment:?}: {problem}"))?;
        seen[left as usize] += 1;
        if (number + 1) % 100 == 0 {
            say(&format!("  {} kills, no difference", number + 1));
        }
    }
    let [nothing, crashed, ended] = seen;
    say(&format!(
        "{} kills, {lines} of them at a line of the journal: {nothing} before a run began, {crashed} in it, {ended} after \
         its end; no difference",
        nothing + crashed + ended
    ));
    Ok(())
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as its journal has so many lines.
    Line(usize),
    /// So long after its start.
    After(Duration),
}

/// What the uninterrupted run left.
struct Expected {
    digest: Value,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// What a killed process left.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    Crashed,
    Ended,
}

struct Project {
    binary: PathBuf,
    folder: PathBuf,
}

impl Project {
    fn fresh(&self) -> Outcome {
        let _ = fs::remove_dir_all(&self.folder);
        let example = root().join("examples/churn");
        for part in
            ["trainyard.yaml", "environments", "versions/splits", "versions/features", "versions/models", "data/raw"]
        {
            let (from, to) = (example.join(part), self.folder.join(part));
            if from.is_dir() {
                copy_folder(&from, &to)?;
            } else {
                fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
                fs::copy(&from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
            }
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--json").current_dir(&self.folder).env_remove("TRAINYARD_ENV");
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<Output, String> {
        self.command(arguments).output().map_err(|error| format!("{}: {error}", self.binary.display()))
    }

    fn document(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.output(arguments)?;
        let document = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        if output.status.success() { Ok(document) } else { Err(format!("{}: {document}", arguments.join(" "))) }
    }

    /// Counts the whole lines of the only run's journal; none before it has begun.
    fn journal_lines(&self) -> usize {
        let runs = fs::read_dir(self.folder.join(".trainyard/runs")).into_iter().flatten().flatten();
        let journals = runs.filter_map(|run| fs::read(run.path().join("journal.jsonl")).ok());
        journals.map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count()).sum()
    }

    /// Reads every file that is not Trainyard's own, without the lines that name the run.
    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
        let mut found = BTreeMap::new();
        for path in files_below(&self.folder).into_iter().filter(|path| !path.starts_with(".trainyard")) {
            let bytes = fs::read(self.folder.join(&path)).map_err(|error| format!("{}: {error}", path.display()))?;
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii_start().starts_with(b"run:"));
            found.insert(path, lines.collect::<Vec<_>>().join(&b'\n'));
        }
        Ok(found)
    }

    /// Waits for the moment, or for the end of the run.
    fn wait(&self, child: &mut Child, moment: Moment) {
        match moment {
            Moment::After(pause) => sleep(pause),
            Moment::Line(line) => {
                while self.journal_lines() < line && matches!(child.try_wait(), Ok(None)) {
                    sleep(GLANCE);
                }
            }
        }
    }

    /// Kills a run and looks at once at what is told of it.
    fn killed_at(&self, moment: Moment) -> Result<Left, String> {
        let mut child = self
            .command(&["run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        self.wait(&mut child, moment);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().map_err(|error| error.to_string())?;
        orphan(&self.folder)?;
        let listed = self.document(&["runs", "list"])?;
        match listed["runs"].as_array().map(Vec::as_slice) {
            Some([]) => Ok(Left::Nothing),
            // One whose lock was still held would be told as running.
            Some([run]) => match run["state"].as_str() {
                Some("CRASHED") => Ok(Left::Crashed),
                Some("FINISHED") => Ok(Left::Ended),
                other => Err(format!("its state is told as {other:?}")),
            },
            _ => Err(format!("this is told of it: {listed}")),
        }
    }

    /// Goes on and compares what comes out.
    fn recovers(&self, left: Left, expected: &Expected) -> Outcome {
        let mut result = match left {
            Left::Crashed => self.document(&["resume"])?,
            Left::Nothing | Left::Ended => Value::Null,
        };
        if !matches!(left, Left::Crashed) {
            // A run may have begun of which tracking does not know yet.
            let output = self.output(&["resume"])?;
            result = match output.status.success() {
                true => serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?,
                false => self.document(&["run"])?,
            };
        }
        if result["candidate"]["digest"] != expected.digest {
            return Err(format!("another candidate: {}", result["candidate"]["digest"]));
        }
        let history = self.document(&["models", "history", "churn-predictor"])?;
        let actions = history["history"].as_array().into_iter().flatten().map(|entry| entry["action"].clone());
        let actions: Vec<Value> = actions.collect();
        // A run that had ended before it was killed is followed by another, whose candidate is the model in charge.
        if actions != ["promoted"] && actions != ["promoted", "kept"] {
            return Err(format!("the history tells {}", json!(actions)));
        }
        let half_written = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
        if let Some(path) = files_below(&self.folder).into_iter().find(half_written) {
            return Err(format!("{} was left", path.display()));
        }
        let files = self.files()?;
        let same = |(path, bytes): &(&PathBuf, &Vec<u8>)| expected.files.get(*path) == Some(*bytes);
        match files.iter().find(|file| !same(file)) {
            Some((path, _)) => Err(format!("{} is another", path.display())),
            None if files.len() < expected.files.len() => Err("a file is absent".to_owned()),
            None => Ok(()),
        }
    }
}

/// Finds a process that still works in the project.
fn orphan(folder: &Path) -> Outcome {
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder) {
            return Err(format!("process {} was left", process.file_name().display()));
        }
    }
    Ok(())
}

/// Names every file below a folder, by its path from there.
fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(path) = path.strip_prefix(root) {
                found.push(path.to_owned());
            }
        }
    }
    found
}
