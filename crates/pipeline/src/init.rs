//! A new project from a data file: complete, commented, and runnable as it is.

mod guess;
mod place;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use serde::Serialize;
use trainyard_diagnostics::{Diagnostic, Source, nearest};
use trainyard_files::{DiskIo, Io};
use trainyard_spec::{Choice, SpecFiles, Task, resolve};

use guess::{Key, Missing, check_target, guess_key, look_at, positive_of, task_of};
use text::{ENVIRONMENT, Predicted, feature_file, model_file, plain_name, project_file, split_file};

/// What a new project is made from.
#[derive(Debug, Clone)]
pub struct Init {
    /// Where it is made; absent or empty.
    pub folder: PathBuf,
    /// The data file; it is copied into the project.
    pub from: PathBuf,
    /// The column to predict.
    pub target: String,
    /// The column that identifies a row; guessed when absent.
    pub key: Option<String>,
    /// The class whose probability is predicted; guessed when absent.
    pub positive: Option<String>,
    /// What is predicted; guessed when absent.
    pub task: Option<Task>,
    /// Whether rows without a target are left out in every run, instead of refused now.
    pub drop_missing_target: bool,
    /// Cells that count as missing, beside those that are found.
    pub missing: Vec<String>,
    /// The project's name; the folder's when absent.
    pub name: Option<String>,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct InitReport {
    /// The folder.
    pub folder: String,
    /// The files, relative to it.
    pub files: Vec<String>,
    /// Rows of the data.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// `binary`, `multiclass` or `regression`.
    pub task: String,
    /// Why it is.
    pub task_reason: String,
    /// Rows that every run leaves out, because they have no target.
    pub without_target: usize,
    /// The column taken as key.
    pub key: Option<String>,
    /// Why it is.
    pub key_reason: Option<String>,
    /// The class taken as positive.
    pub positive: Option<String>,
    /// Why it is.
    pub positive_reason: Option<String>,
    /// The classes with their rows; empty in regression.
    pub classes: BTreeMap<String, usize>,
    /// Cells that count as missing.
    pub missing: Vec<Missing>,
    /// Columns that the first features leave out, with the reason.
    pub left_out: BTreeMap<String, String>,
}

/// Makes a project, whole and at once; writes nothing when anything is wrong.
///
/// # Errors
/// The folder is occupied, the table can't be read, or no project made from it could run.
pub fn init(request: &Init) -> Result<InitReport, Vec<Diagnostic>> {
    let io = DiskIo;
    let folder = place::free(&io, &request.folder)?;
    let shown = request.from.display().to_string();
    if trainyard_data::matching(&io, &request.from).is_some() {
        let problem = Diagnostic::error("init/several-files", format!("{shown} names several files"));
        let help = "make the project from one of them, then write the pattern into `data.source`";
        return Err(vec![problem.help(help)]);
    }
    let (table, missing) = guess::read(&io, request, &shown)?;
    let columns = look_at(&table);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let unknown = |wanted: &str| {
        let problem = Diagnostic::error("init/unknown-column", format!("{shown} has no column {wanted}"));
        let near = nearest(wanted, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        problem.help(format!("{}the columns are {}", near.unwrap_or_default(), names.join(", ")))
    };
    if let Some(key) = request.key.as_ref().filter(|key| !names.contains(&key.as_str())) {
        return Err(vec![unknown(key)]);
    }
    let Some(target) = columns.iter().find(|column| column.name == request.target) else {
        return Err(vec![unknown(&request.target)]);
    };
    if !request.drop_missing_target {
        check_target(target, &shown, &missing)?;
    }
    let task = task_of(target, request)?;
    let positive = positive_of(target, &task, request.positive.as_deref())?;
    let key = match &request.key {
        Some(key) => Some(Key { column: key.clone(), why: "as --key says" }),
        None => guess_key(&columns, &request.target),
    };
    let key_column = key.as_ref().map(|key| key.column.as_str());
    let class = positive.as_ref().map(|positive| positive.class.as_str());
    let guessed = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = plain_name(request.name.as_deref().or(guessed.as_deref()).unwrap_or("project"));
    let file = request.from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();

    let (features, left_out) = feature_file(&columns, &request.target, key_column);
    let used = columns.iter().filter(|column| {
        column.name != request.target
            && Some(column.name.as_str()) != key_column
            && !left_out.contains_key(&column.name)
    });
    if used.count() == 0 {
        let problem = Diagnostic::error("init/no-features", format!("no column of {shown} is left to predict from"));
        let problem = match &key {
            Some(key) => problem.note(format!("{}: it is the key ({})", key.column, key.why)),
            None => problem,
        };
        let noted = left_out.iter().fold(problem, |problem, (name, why)| problem.note(format!("{name}: {why}")));
        return Err(vec![noted.help("bring a table with columns of numbers or of few categories")]);
    }
    let predicted = Predicted {
        column: &request.target,
        task: task.task,
        positive: class,
        drop_missing: request.drop_missing_target,
    };
    let files = [
        ("trainyard.yaml", project_file(&name, &file, key_column, &predicted, &missing)),
        ("versions/splits/v1.yaml", split_file(task.task.has_classes())),
        ("versions/features/v1.yaml", features),
        ("versions/models/v1.yaml", model_file(task.task.has_classes())),
        ("environments/production.yaml", ENVIRONMENT.to_owned()),
        (".gitignore", "/.trainyard/\n".to_owned()),
    ];
    check_files(&files, &table)?;
    let bytes = io.read(&request.from).map_err(|error| {
        let problem = Diagnostic::error("init/unreadable", format!("{shown} can't be read: {error}"));
        vec![problem.help("mend its permissions, or name another file")]
    })?;
    let mut all = vec![(format!("data/raw/{file}"), bytes)];
    all.extend(files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())));
    place::make(&io, &folder, &all)?;
    Ok(InitReport {
        folder: request.folder.display().to_string(),
        files: all.into_iter().map(|(name, _)| name).collect(),
        rows: table.num_rows(),
        columns: columns.len(),
        task: task.task.name().to_owned(),
        task_reason: task.why.to_owned(),
        without_target: if request.drop_missing_target { target.missing } else { 0 },
        key_reason: key.as_ref().map(|key| key.why.to_owned()),
        key: key.map(|key| key.column),
        positive_reason: positive.as_ref().map(|positive| positive.why.to_owned()),
        classes: if task.task.has_classes() { target.distinct.clone() } else { BTreeMap::new() },
        positive: positive.map(|positive| positive.class),
        missing,
        left_out,
    })
}

/// Holds the files against the specification and the table, before any is written.
fn check_files(files: &[(&str, String)], table: &RecordBatch) -> Result<(), Vec<Diagnostic>> {
    let source = |wanted: &str| {
        let text = files.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone());
        Source::new(wanted, text.unwrap_or_default())
    };
    let version = |name: &str| BTreeMap::from([(1, source(name))]);
    let resolved = resolve(&SpecFiles {
        project: source("trainyard.yaml"),
        environment: None,
        known_environments: Vec::new(),
        overrides: Vec::new(),
        splits: version("versions/splits/v1.yaml"),
        features: version("versions/features/v1.yaml"),
        models: version("versions/models/v1.yaml"),
        lock: None,
        choose: Choice::default(),
    })
    .map_err(|problems| problems.into_vec())?;
    let data = &resolved.project.data;
    // A run leaves the rows without a target out; the check does not mind them where it may.
    trainyard_data::check(table, data)
        .map_err(|errors| errors.iter().map(trainyard_data::Error::diagnostic).collect::<Vec<_>>())?;
    trainyard_features::plan(&resolved.features.spec, &table.schema(), data)
        .map_err(|problems| problems.into_vec())
        .map(|_| ())
}
