//! Projects to test with, and what their sources hold.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, Source, Style, render};
use trainyard_files::DiskIo;
use trainyard_sources::{Error, Listing, Runtime, fetch, look, read};
use trainyard_spec::{Choice, DataSpec, SpecFiles, resolve};

/// Gives the `data` section of a project.
pub(crate) fn data(section: &str) -> Result<DataSpec, Vec<Diagnostic>> {
    let project = format!("name: given\ndata:\n{section}\nactive: {{split: 1, features: 1, model: 1}}\n");
    let version = |name: &str, text: &str| BTreeMap::from([(1, Source::new(name, text))]);
    let files = SpecFiles {
        project: Source::new("trainyard.yaml", project),
        environment: None,
        known_environments: Vec::new(),
        overrides: Vec::new(),
        splits: version("versions/splits/v1.yaml", "seed: 1\nshares: {train: 0.8, reference_test: 0.2}\n"),
        features: version("versions/features/v1.yaml", "groups: [{numeric: [amount]}]\n"),
        models: version("versions/models/v1.yaml", "seed: 1\nbaseline: {dummy: {}}\ncandidates: {dummy: {}}\n"),
        lock: None,
        choose: Choice::default(),
    };
    resolve(&files).map(|resolved| resolved.project.data).map_err(|problems| problems.into_vec())
}

/// Reads what a `data` section names, below `root`.
pub(crate) fn read_from(root: &Path, section: &str) -> Result<RecordBatch, Error> {
    let data = data(section).unwrap_or_else(|problems| panic!("{problems:?}"));
    read(&DiskIo, root, &Runtime::default(), &data)
}

/// Asks what a source names, and fetches it; nothing of it stays on the disk.
pub(crate) fn fetched(source: &str) -> Result<(RecordBatch, Listing), Error> {
    let data =
        data(&format!("  source: \"{source}\"\n  target: Churn")).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::default());
    let listing = look(&runtime, &data)?;
    let table = fetch(&runtime, &DiskIo, folder.path(), &data, listing, &mut |_, _| true);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "what was fetched stays behind");
    table
}

/// Sets variables of the environment.
#[expect(unsafe_code, reason = "nextest runs each test in a process of its own")]
pub(crate) fn set(variables: &[(&str, &str)]) {
    for (name, value) in variables {
        // SAFETY: the test has started no thread that reads the environment.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Gives the code and the words of what went wrong.
pub(crate) fn told<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    let error = result.expect_err("it is refused");
    (error.diagnostic().code, said(&error))
}

/// Says an error as a terminal shows it.
pub(crate) fn said(error: &Error) -> String {
    render(&error.diagnostic(), &Style { color: false, width: 120 })
}

/// Reads a CSV text.
pub(crate) fn csv(text: &[u8], options: &ReadOptions) -> RecordBatch {
    trainyard_data::read_csv_bytes(text, "expected.csv", options).unwrap_or_else(|error| panic!("{error}"))
}

/// Writes a table as CSV.
pub(crate) fn text(table: &RecordBatch) -> String {
    String::from_utf8(trainyard_data::to_csv(table)).unwrap()
}
