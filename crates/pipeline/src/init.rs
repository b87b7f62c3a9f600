//! A new project from a data file: complete, commented, and runnable as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, Source, nearest};
use trainyard_expression::Value;
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_spec::{Choice, SpecFiles, resolve};

/// A text column with more distinct values than this is left out of the first features.
const MOST_CATEGORIES: usize = 50;

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
    /// `binary` or `regression`.
    pub task: String,
    /// The column taken as key.
    pub key: Option<String>,
    /// The class taken as positive.
    pub positive: Option<String>,
    /// Columns that the first features leave out, with the reason.
    pub left_out: BTreeMap<String, String>,
}

/// One column as `init` sees it.
struct Column {
    name: String,
    kind: DataType,
    distinct: BTreeMap<String, usize>,
    missing: usize,
}

/// Makes a project; writes nothing when anything is wrong.
pub fn init(request: &Init) -> Result<InitReport, Vec<Diagnostic>> {
    let io = DiskIo;
    let occupied = io.list(&request.folder).is_ok_and(|files| !files.is_empty());
    if occupied {
        let title = format!("{} is not empty", request.folder.display());
        return Err(vec![
            Diagnostic::error("init/occupied", title)
                .help("name a new folder: `trainyard init NEW --from CSV --target COLUMN`"),
        ]);
    }
    let shown = request.from.display().to_string();
    let options = ReadOptions::default();
    let table = trainyard_data::read(&io, &request.from, &shown, &options).map_err(|error| vec![error.diagnostic()])?;
    let columns = look_at(&table);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    for wanted in [Some(&request.target), request.key.as_ref()].into_iter().flatten() {
        if !names.contains(&wanted.as_str()) {
            let problem = Diagnostic::error("init/unknown-column", format!("{shown} has no column {wanted}"));
            let near = nearest(wanted, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            return Err(vec![problem.help(format!(
                "{}the columns are {}",
                near.unwrap_or_default(),
                names.join(", ")
            ))]);
        }
    }
    let target = columns.iter().find(|column| column.name == request.target);
    let Some(target) = target else { return Err(Vec::new()) };
    let positive = positive_of(target, request.positive.as_deref())?;
    let key = request.key.clone().or_else(|| guess_key(&columns, &request.target, table.num_rows()));
    let guessed = request.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = plain_name(request.name.as_deref().or(guessed.as_deref()).unwrap_or("project"));
    let file = request.from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();

    let (features, left_out) = feature_file(&columns, &request.target, key.as_deref());
    let files = [
        ("trainyard.yaml", project_file(&name, &file, &request.target, key.as_deref(), positive.as_deref())),
        ("versions/splits/v1.yaml", split_file(positive.is_some())),
        ("versions/features/v1.yaml", features),
        ("versions/models/v1.yaml", model_file(positive.is_some())),
        ("environments/production.yaml", ENVIRONMENT.to_owned()),
        (".gitignore", "/.trainyard/\n".to_owned()),
    ];
    if columns.len() == left_out.len() + 1 + usize::from(key.is_some()) {
        let problem = Diagnostic::error("init/no-features", format!("no column of {shown} is left to predict from"));
        let noted = left_out.iter().fold(problem, |problem, (name, why)| problem.note(format!("{name}: {why}")));
        return Err(vec![noted.help("bring a table with columns of numbers or of few categories")]);
    }
    check_files(&files, &table)?;
    let bytes = io
        .read(&request.from)
        .map_err(|error| vec![Diagnostic::error("init/unreadable", format!("{shown} can't be read: {error}"))])?;
    let data = format!("data/raw/{file}");
    let mut written = Vec::new();
    let write = |name: &str, bytes: &[u8]| {
        write_atomic(&io, &request.folder.join(name), bytes).map_err(|error| vec![error.diagnostic()])
    };
    write(&data, &bytes)?;
    written.push(data);
    for (name, text) in files {
        write(name, text.as_bytes())?;
        written.push(name.to_owned());
    }
    Ok(InitReport {
        folder: request.folder.display().to_string(),
        files: written,
        rows: table.num_rows(),
        columns: columns.len(),
        task: if positive.is_some() { "binary" } else { "regression" }.to_owned(),
        key,
        positive,
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
    trainyard_data::check(table, data)
        .map_err(|errors| errors.iter().map(trainyard_data::Error::diagnostic).collect::<Vec<_>>())?;
    trainyard_features::plan(&resolved.features.spec, &table.schema(), data)
        .map_err(|problems| problems.into_vec())
        .map(|_| ())
}

fn look_at(table: &RecordBatch) -> Vec<Column> {
    let schema = table.schema();
    let columns = schema.fields().iter().zip(table.columns());
    columns
        .map(|(field, array)| {
            let mut distinct = BTreeMap::new();
            for row in 0..array.len() {
                match Value::of_array(array.as_ref(), row).unwrap_or(Value::Null) {
                    Value::Null => {}
                    value => *distinct.entry(text_of(&value)).or_insert(0) += 1,
                }
            }
            Column {
                name: field.name().clone(),
                kind: field.data_type().clone(),
                distinct,
                missing: array.null_count(),
            }
        })
        .collect()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Date(value) => value.to_string(),
        Value::Timestamp(value) => value.to_string(),
    }
}

/// Gives the positive class of a two-class target, nothing for a number to predict.
fn positive_of(target: &Column, wanted: Option<&str>) -> Result<Option<String>, Vec<Diagnostic>> {
    let labels: Vec<&str> = target.distinct.keys().map(String::as_str).collect();
    if let Some(wanted) = wanted {
        if labels.contains(&wanted) {
            return Ok(Some(wanted.to_owned()));
        }
        let title = format!("{} never is {wanted}", target.name);
        let known = labels.iter().take(10).copied().collect::<Vec<_>>().join(", ");
        return Err(vec![Diagnostic::error("init/positive", title).help(format!("its values are {known}"))]);
    }
    let numeric = matches!(target.kind, DataType::Int64 | DataType::Float64);
    match labels.len() {
        2 => {
            let affirmative = ["yes", "true", "1", "y", "positive", "churned", "spam", "bad", "malignant"];
            let spoken = labels.iter().find(|label| affirmative.contains(&label.to_lowercase().as_str()));
            let rarer = target.distinct.iter().min_by_key(|(_, count)| **count).map(|(label, _)| label.as_str());
            Ok(spoken.copied().or(rarer).map(str::to_owned))
        }
        0 | 1 => Err(vec![
            Diagnostic::error(
                "init/constant-target",
                format!("{} has {} distinct values: there is nothing to learn", target.name, labels.len()),
            )
            .help("name another target"),
        ]),
        _ if numeric => Ok(None),
        count => {
            let mut classes: Vec<(&String, &usize)> = target.distinct.iter().collect();
            classes.sort_by_key(|(label, rows)| (std::cmp::Reverse(**rows), (*label).clone()));
            let shown: Vec<String> =
                classes.iter().take(10).map(|(label, rows)| format!("{label} ({rows} rows)")).collect();
            let more = if count > 10 { ", …" } else { "" };
            Err(vec![
                Diagnostic::error("init/many-classes", format!("{} has {count} classes", target.name))
                    .note(format!("they are {}{more}", shown.join(", ")))
                    .note("a target is a number, or has two classes")
                    .help("name another target, or join classes in the data"),
            ])
        }
    }
}

/// Takes the first column without repetition whose name or type looks like an identifier.
fn guess_key(columns: &[Column], target: &str, rows: usize) -> Option<String> {
    let unique = |column: &&Column| column.name != target && column.missing == 0 && column.distinct.len() == rows;
    let named = |column: &&Column| {
        let name = column.name.to_lowercase();
        ["id", "key", "index", "instant"].contains(&name.as_str()) || name.ends_with("id") || name.ends_with("_key")
    };
    let mut candidates = columns.iter().filter(unique).filter(|column| column.kind != DataType::Float64);
    candidates
        .clone()
        .find(named)
        .or_else(|| candidates.find(|column| column.kind == DataType::LargeUtf8))
        .map(|column| column.name.clone())
}

/// Writes the first features, and says which columns they leave out.
fn feature_file(columns: &[Column], target: &str, key: Option<&str>) -> (String, BTreeMap<String, String>) {
    let (mut numeric, mut categorical, mut left_out) = (Vec::new(), Vec::new(), BTreeMap::new());
    for column in columns.iter().filter(|column| column.name != target && Some(column.name.as_str()) != key) {
        let reason = match (&column.kind, column.distinct.len()) {
            (_, 0) => "it is empty",
            (_, 1) if column.missing == 0 => "it never changes",
            (DataType::Int64 | DataType::Float64, _) => {
                numeric.push(yaml(&column.name));
                continue;
            }
            (DataType::Boolean, _) => {
                categorical.push(yaml(&column.name));
                continue;
            }
            (DataType::LargeUtf8, distinct) if distinct <= MOST_CATEGORIES => {
                categorical.push(yaml(&column.name));
                continue;
            }
            (DataType::LargeUtf8, _) => "it has too many distinct values for one feature each",
            _ => "derive features from it under `columns`, such as date_part('month', it)",
        };
        left_out.insert(column.name.clone(), reason.to_owned());
    }
    let mut text = String::from(
        "# Features, version 1. Once a run has used this file, write v2.yaml instead of changing it.\n\
         # columns: new columns in SQL over a row's own values, for instance\n\
         #   total: \"quantity * price\"\n\
         #   is_dear: \"price > fitted_median(price)\"      # fitted on training rows only\n\
         groups:\n",
    );
    if !numeric.is_empty() {
        text.push_str(&format!("  - {{numeric: [{}], impute: median, scale: standard}}\n", numeric.join(", ")));
    }
    if !categorical.is_empty() {
        text.push_str(&format!(
            "  - {{categorical: [{}], encode: one_hot, min_frequency: 10}}\n",
            categorical.join(", ")
        ));
    }
    for (name, reason) in &left_out {
        text.push_str(&format!("# left out: {} ({reason})\n", yaml(name)));
    }
    (text, left_out)
}

fn project_file(name: &str, file: &str, target: &str, key: Option<&str>, positive: Option<&str>) -> String {
    let key = match key {
        Some(key) => format!(
            "  key: {}                     # identifies a row: it keeps its side of the split as the data grows\n",
            yaml(key)
        ),
        None => "  # key: id                   # a column that identifies a row; without one, the whole row does\n"
            .to_owned(),
    };
    let (target, metric, gates) = match positive {
        Some(positive) => {
            (format!("{{column: {}, positive: {}}}", yaml(target), text(positive)), "roc_auc", "{roc_auc: 0.5}")
        }
        None => (format!("{{column: {}, task: regression}}", yaml(target)), "rmse", "{r2: 0.0}"),
    };
    format!(
        "# A Trainyard project. `trainyard check` reads everything, `trainyard run` does everything.\n\
         name: {}\n\
         model: {}                    # the name in the registry\n\
         data:\n\
         \x20 source: {}\n\
         {key}\
         \x20 target: {target}\n\
         \x20 # types: {{zip: text}}        # where the inferred type is not the one you mean\n\
         \x20 # missing: [NA, \"?\"]        # cells that count as missing; blank ones always do\n\
         active: {{split: 1, features: 1, model: 1}}\n\
         gates:                        # what a model must reach on the reference test to be promoted\n\
         \x20 at_least: {gates}\n\
         promote: {{to: Staging, alias: champion, metric: {metric}, when: better}}\n\
         tracking: {{experiment: {}}}\n",
        yaml(name),
        yaml(&format!("{name}-model")),
        yaml(&format!("data/raw/{file}")),
        yaml(name),
    )
}

fn split_file(binary: bool) -> String {
    format!(
        "# Split, version 1. The first run freezes the reference test; later runs never remake it.\n\
         seed: 42\n\
         stratify: true                # the reference test has the {} of the data\n\
         shares: {{train: 0.6, validation: 0.2, reference_test: 0.2}}\n\
         # optional_tests: {{recent: \"year >= 2024\"}}    # parts of the reference test that are judged on their own\n",
        if binary { "classes' shares" } else { "target's spread" }
    )
}

fn model_file(binary: bool) -> String {
    format!(
        "# Models, version 1. The candidate that is best on the validation rows goes on.\n\
         seed: 0\n\
         baseline: {{{}: {{}}}}\n\
         candidates:\n\
         \x20 gradient_boosting: {{n_estimators: 100, learning_rate: 0.1, max_leaf_nodes: 31}}\n\
         cross_validation: {{folds: 5}}\n",
        if binary { "logistic_regression" } else { "ridge" }
    )
}

const ENVIRONMENT: &str = "\
# What differs from trainyard.yaml when `--env production` or TRAINYARD_ENV=production is given.
promote: {to: Production}
";

/// Writes a word for YAML, quoted only where it must be.
fn yaml(word: &str) -> String {
    let reserved: BTreeSet<&str> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"].into();
    let plain = !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c))
        && word.chars().next().is_some_and(char::is_alphabetic)
        && !reserved.contains(word.to_lowercase().as_str());
    if plain { word.to_owned() } else { text(word) }
}

fn text(word: &str) -> String {
    serde_json::Value::from(word).to_string()
}

fn plain_name(name: &str) -> String {
    let cleaned: String = name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let cleaned = cleaned.trim_matches('-').to_owned();
    if cleaned.is_empty() { "project".to_owned() } else { cleaned }
}
