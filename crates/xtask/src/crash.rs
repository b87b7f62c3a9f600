//! Kills runs of the example at random moments, and looks at what is left and what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trainyard_random::Key;

use crate::campaigns::{copy_folder, target};
use crate::{Outcome, call, root, say};

/// Kills and resumes a run `times` times.
pub(crate) fn run(times: u64) -> Outcome {
    call("cargo", &["build", "--release", "--locked", "--quiet", "--bin", "trainyard"], &[])?;
    let folder = target().join("campaigns/crash");
    let mut project = Project { binary: target().join("release/trainyard"), folder: folder.join("whole") };
    project.fresh()?;
    let started = Instant::now();
    let whole = project.document(&["run"])?;
    let took = started.elapsed();
    let expected = whole["candidate"]["digest"].as_str().ok_or("the whole run made no candidate")?.to_owned();
    project.folder = folder.join("killed");
    let moments = Key::new(1, "crash");
    let mut seen = [0; 3];
    for time in 0..times {
        project.fresh()?;
        // A little beyond the end, so that some runs end before they are killed.
        let pause = took.mul_f64(1.1 * moments.uniform(time));
        let state = project.kill_after(pause).map_err(|problem| format!("kill {time}, after {pause:?}: {problem}"))?;
        seen[state as usize] += 1;
        project.recovers(state, &expected).map_err(|problem| format!("kill {time}, after {pause:?}: {problem}"))?;
        if (time + 1) % 100 == 0 {
            say(&format!("  {} kills, no difference", time + 1));
        }
    }
    let [nothing, crashed, ended] = seen;
    say(&format!("{times} kills: {nothing} before a run began, {crashed} in it, {ended} after its end; no difference"));
    Ok(())
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

    /// Kills a run and looks at once at what is told of it.
    fn kill_after(&self, pause: Duration) -> Result<Left, String> {
        let mut child = self
            .command(&["run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        std::thread::sleep(pause);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().map_err(|error| error.to_string())?;
        orphan(&self.folder)?;
        let listed = self.document(&["runs", "list"])?;
        match listed["runs"].as_array().map(Vec::as_slice) {
            Some([]) => Ok(Left::Nothing),
            Some([run]) => match run["state"].as_str() {
                Some("CRASHED") => Ok(Left::Crashed),
                Some("FINISHED") => Ok(Left::Ended),
                other => Err(format!("its state is told as {other:?}")),
            },
            _ => Err(format!("this is told of it: {listed}")),
        }
    }

    /// Goes on and compares what comes out.
    fn recovers(&self, left: Left, expected: &str) -> Outcome {
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
        if result["candidate"]["digest"] != expected {
            return Err(format!("another candidate: {}", result["candidate"]["digest"]));
        }
        let history = self.document(&["models", "history", "churn-predictor"])?;
        let entries = history["history"].as_array().map_or(0, Vec::len);
        if entries != 1 {
            return Err(format!("{entries} entries of history"));
        }
        match half_written(&self.folder.join(".trainyard")) {
            Some(path) => Err(format!("{} was left", path.display())),
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

fn half_written(folder: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = half_written(&path) {
                return Some(found);
            }
        } else if path.extension().is_some_and(|ending| ending == "tmp") {
            return Some(path);
        }
    }
    None
}
