//! A fresh copy of the churn example, with a table of its own, to run the binary on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::text;

pub(crate) const REFERENCE: &str = "data/reference/tests/v1/test_reference.parquet";
pub(crate) const CUSTOMERS: &str = "data/raw/customers.csv";

pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    pub(crate) fn new() -> Project {
        Project::with_rows(1500)
    }

    pub(crate) fn with_rows(rows: u32) -> Project {
        let folder = tempfile::tempdir().unwrap();
        let example = trainyard_judges::repository().join("examples/churn");
        for file in [
            "trainyard.yaml",
            "environments/strict.yaml",
            "versions/splits/v1.yaml",
            "versions/features/v1.yaml",
            "versions/models/v1.yaml",
        ] {
            let target = folder.path().join(file);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(example.join(file), target).unwrap();
        }
        let project = Project { folder };
        project.customers(rows, 7, CUSTOMERS);
        project
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Frozen files are read-only: a new file takes the place of an old one.
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).unwrap();
    }

    /// Replaces a text that must occur.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let before = self.read(file);
        assert!(before.contains(from), "{file} does not hold `{from}`");
        self.write(file, before.replacen(from, to, 1));
    }

    /// Flips one bit in the middle of a file.
    pub(crate) fn flip(&self, file: &str) {
        let mut bytes = fs::read(self.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.write(file, bytes);
    }

    /// Writes a synthetic table of customers into the project.
    pub(crate) fn customers(&self, rows: u32, seed: u32, file: &str) {
        synthesise(&self.path(file), rows, seed);
    }

    /// Adds the rows of another file to the source.
    pub(crate) fn grow(&self, file: &str) {
        let more = self.read(file);
        let grown = self.read(CUSTOMERS) + more.split_once('\n').unwrap().1;
        self.write(CUSTOMERS, grown);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainyard"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("TRAINYARD_ENV").env("NO_COLOR", "1").env("COLUMNS", "100");
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Calls, wants success and gives the document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.call(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn run(&self) -> Value {
        self.json(&["run"])
    }

    /// Every file below the project, with its bytes; of a link where it leads.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (_, files) = below(self.folder.path());
        files.into_iter().map(|path| (path.clone(), held(&path))).collect()
    }
}

fn held(path: &Path) -> Vec<u8> {
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    if kind.is_symlink() {
        return fs::read_link(path).unwrap().into_os_string().into_encoded_bytes();
    }
    // To read a pipe would wait for its writer.
    if kind.is_file() { fs::read(path).unwrap() } else { Vec::new() }
}

/// Names every folder at and below one, and every file, both sorted.
pub(crate) fn below(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::new());
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found);
        next += 1;
    }
    folders.sort();
    files.sort();
    (folders, files)
}

pub(crate) fn synthesise(path: &Path, rows: u32, seed: u32) {
    let (rows, seed) = (rows.to_string(), seed.to_string());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let output =
        crate::trainyard(&["synth", "churn", "--rows", &rows, "--seed", &seed, "--output", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The names of the steps with this status, in order.
pub(crate) fn steps(result: &Value, status: &str) -> Vec<String> {
    let all = result["steps"].as_array().unwrap().iter();
    all.filter(|step| step["status"] == status).map(|step| step["name"].as_str().unwrap().to_owned()).collect()
}

/// The digest of the run's candidate.
pub(crate) fn candidate(result: &Value) -> String {
    result["candidate"]["digest"].as_str().unwrap_or_else(|| panic!("no candidate: {result:#}")).to_owned()
}

/// The id of the run that a result is of.
pub(crate) fn run_of(result: &Value) -> &str {
    result["run"].as_str().unwrap()
}
