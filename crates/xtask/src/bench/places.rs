//! Where the two sides work: binaries, data, projects.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campaigns::{copy_folder, target};
use crate::{Outcome, call, judges, root};

/// The folder of everything that the benchmarks make, and what was found out about the machine.
pub(super) struct Places {
    folder: PathBuf,
    environment: PathBuf,
    versions: String,
}

impl Places {
    /// Builds our side and installs the peers.
    pub(super) fn ready() -> Result<Places, String> {
        call("cargo", &["build", "--release", "--locked", "--quiet", "--bin", "trainyard"], &[])?;
        let environment = target().join("peers");
        judges::install(&root().join("benches/peers/requirements.txt"), &environment)?;
        let mut places = Places { folder: target().join("bench"), environment, versions: String::new() };
        let said = |mut command: Command| -> Result<String, String> {
            let output = command.arg("--version").output().map_err(|error| format!("{command:?}: {error}"))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let dvc = said(places.peer("dvc"))?;
        places.versions = format!("{}, {}, DVC {dvc}", said(places.trainyard())?, said(places.peer("python"))?);
        Ok(places)
    }

    /// Describes the machine as it is now, in one line.
    pub(super) fn machine(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| -> String {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let processor = field(&read("/proc/cpuinfo"), "model name");
        let kilobytes: u64 = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
        format!(
            "{processor}, {cores} cores, {} GiB, load {load} before; {}; other versions in `benches/peers/requirements.txt`.",
            kilobytes.div_ceil(1 << 20),
            self.versions
        )
    }

    /// Starts a command of our binary.
    pub(super) fn trainyard(&self) -> Command {
        let mut command = Command::new(target().join("release/trainyard"));
        command.env_remove("TRAINYARD_ENV");
        command
    }

    /// Starts a command of the peers' environment.
    pub(super) fn peer(&self, program: &str) -> Command {
        let folder = self.environment.join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
        let mut command = Command::new(folder.join(program));
        command.env("PATH", std::env::join_paths(paths).unwrap_or(path)).env("DVC_NO_ANALYTICS", "1");
        command
    }

    /// Starts the peer's whole run.
    pub(super) fn churn(&self, data: &Path, out: &Path) -> Command {
        let mut command = self.peer("python");
        command.arg(root().join("benches/peers/churn.py")).arg("--data").arg(data).arg("--out").arg(out);
        command
    }

    /// Starts a single stage of the peer.
    pub(super) fn learn(&self) -> Command {
        let mut command = self.peer("python");
        command.arg(root().join("benches/peers/learn.py"));
        command
    }

    /// Starts a single stage of the peers that read and judge tables, which have an environment of their own.
    pub(super) fn data(&self) -> Command {
        let mut command = self.python_of("peers-data");
        command.arg(root().join("benches/peers/data.py"));
        command
    }

    /// Starts a search of the peers.
    pub(super) fn tune(&self) -> Command {
        let mut command = self.python_of("peers-tune");
        command.arg(root().join("benches/peers/tune.py"));
        command
    }

    /// Gives the folder of another environment than that of most peers.
    pub(super) fn environment(&self, name: &str) -> PathBuf {
        target().join(name)
    }

    /// Starts the Python of another environment.
    pub(super) fn python_of(&self, name: &str) -> Command {
        Command::new(self.environment(name).join("bin/python"))
    }

    /// Starts a single stage of our side.
    pub(super) fn stages(&self) -> Command {
        Command::new(target().join("release/stages"))
    }

    /// Finds the real customers.
    pub(super) fn customers(&self) -> Result<PathBuf, String> {
        let path = "data/telco_churn/customers.csv";
        let absent = || format!("{path} is absent; TRAINYARD_SHARED names the folder of shared data");
        self.shared(path).ok_or_else(absent)
    }

    /// Finds a file or a folder among what is shared, if it is there.
    pub(super) fn shared(&self, name: &str) -> Option<PathBuf> {
        let shared = std::env::var_os("TRAINYARD_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
        Some(shared.join(name)).filter(|path| path.exists())
    }

    /// Makes customers, or finds those made before.
    pub(super) fn synthetic(&self, rows: u64) -> Result<PathBuf, String> {
        let path = self.folder.join(format!("customers-{rows}.csv"));
        if !path.is_file() {
            let new = path.with_extension("new.csv");
            let mut command = self.trainyard();
            command.args(["synth", "churn", "--seed", "1", "--rows", &rows.to_string(), "--output"]).arg(&new);
            finish(&mut command)?;
            fs::rename(&new, &path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(path)
    }

    /// Gives a folder whose files stay from one time to the next.
    pub(super) fn kept(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// Makes a folder with nothing in it.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// Makes the example's project anew, of the real customers where no other data is named.
    pub(super) fn project(&self, name: &str, data: Option<&Path>) -> Result<PathBuf, String> {
        let (example, folder) = (root().join("examples/churn"), self.fresh(name)?);
        for part in ["splits", "features", "models"] {
            copy_folder(&example.join("versions").join(part), &folder.join("versions").join(part))?;
        }
        copy(&example.join("trainyard.yaml"), &folder.join("trainyard.yaml"))?;
        let customers = self.customers();
        copy(data.map_or(customers, |data| Ok(data.to_owned()))?.as_path(), &folder.join("data/raw/customers.csv"))?;
        Ok(folder)
    }

    /// Makes a repository of DVC with the same steps, and runs them.
    pub(super) fn dvc_repository(&self, name: &str) -> Result<PathBuf, String> {
        let (peers, folder) = (root().join("benches/peers"), self.fresh(name)?);
        for file in ["dvc.yaml", "churn.py"] {
            copy(&peers.join(file), &folder.join(file))?;
        }
        copy(&self.customers()?, &folder.join("customers.csv"))?;
        finish(Command::new("git").args(["init", "--quiet"]).current_dir(&folder))?;
        for arguments in [&["init", "--quiet"][..], &["config", "core.analytics", "false"], &["repro", "--quiet"]] {
            finish(self.peer("dvc").args(arguments).current_dir(&folder))?;
        }
        Ok(folder)
    }
}

fn copy(from: &Path, to: &Path) -> Outcome {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::copy(from, to).map(drop).map_err(|error| format!("{}: {error}", from.display()))
}

/// Runs a command that only prepares, quietly unless it fails.
pub(super) fn finish(command: &mut Command) -> Outcome {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
