//! Bad input: what is said, with which exit code, and that nothing is written. Each message is recorded in `tests/refused`,
//! from where `docs/guide/errors.md` takes it; `TRAINYARD_BLESS=1` writes them anew.

mod commands;
mod expectations;
mod expressions;
mod searches;
mod sources;
mod specifications;
mod tables;
mod versioned;
mod versions;

use std::fs;
use std::path::PathBuf;

use trainyard_diagnostics::shell_word;

use crate::project::Project;
use crate::text;

const PROJECT: &str = "trainyard.yaml";
const SPLIT: &str = "versions/splits/v1.yaml";
const FEATURES: &str = "versions/features/v1.yaml";
const SCHEMA: &str = "versions/schema.yaml";
const MODEL: &str = "versions/models/v1.yaml";
const TRACKING: &str = ".trainyard/tracking/tracking.db";
const LABELS: &str = "data/raw/labels.csv";
const HEADER: &str = "customerID,tenure,MonthlyCharges,Churn\n";

/// A name, what is done to a project, and the command that is refused then.
type Case = (&'static str, fn(&Project), &'static [&'static str]);

/// Begins a run of a fixed name.
fn begun(project: &Project, run: &str) {
    project.json(&["step", "resolve", "--run", run]);
}

/// The files of all stored objects, as paths below the project.
fn objects(project: &Project) -> Vec<String> {
    let below = |path: PathBuf| path.strip_prefix(project.path("")).unwrap().to_str().unwrap().to_owned();
    let all = project.files().into_iter().map(|(path, _)| below(path));
    all.filter(|path| path.starts_with(".trainyard/objects/")).collect()
}

/// Every file of the project but those of the tracking store: SQLite tidies up its log when somebody looks into it.
fn files(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let all = project.files().into_iter();
    all.filter(|(path, _)| !path.starts_with(project.path(".trainyard/tracking"))).collect()
}

/// Takes the promotion out of the project.
fn without_promotion(project: &Project) {
    let text = project.read(PROJECT);
    let lines = text.lines().filter(|line| !line.starts_with("promote:"));
    project.write(PROJECT, lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// Makes one expression of the features another one.
fn sql(project: &Project, expression: &str) {
    project.edit(FEATURES, "tenure * MonthlyCharges", expression);
}

/// Writes features of one group, after the columns derived for it.
fn group(project: &Project, columns: &str, group: &str) {
    project.write(FEATURES, format!("columns: {{{columns}}}\ngroups:\n  - {{{group}}}\n"));
}

/// Makes a project that predicts a number.
fn regression(project: &Project, target: &str) {
    let head = "name: churn\ndata:\n  source: data/raw/customers.csv\n  key: customerID";
    project.write(PROJECT, format!("{head}\n  target: {target}\nactive: {{split: 1, features: 1, model: 1}}\n"));
    project.edit(SPLIT, "stratify: true\n", "");
    project.write(MODEL, "candidates: {ridge: {}}\n");
    group(project, "", "numeric: [tenure, MonthlyCharges]");
}

/// Makes the project that of the example of images, with sixty of its own.
fn digits(project: &Project) {
    let example = trainyard_judges::repository().join("examples/digits");
    for file in [PROJECT, SPLIT, FEATURES, MODEL] {
        project.write(file, fs::read(example.join(file)).unwrap());
    }
    let raw = project.path("data/raw");
    let made = crate::trainyard(&["synth", "digits", "--rows", "60", "--output", raw.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made.stderr));
}

/// Uses the versions in a run of a fixed name, as far as the split.
fn used(project: &Project) {
    for step in ["resolve", "ingest", "split", "features", "baseline", "train"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    fs::remove_dir_all(project.path(".trainyard")).unwrap();
}

/// Puts fixed words in the places of the run's own name and of the seconds that steps took.
fn without_the_run(said: &str) -> String {
    let Some(run) = said.lines().find_map(|line| line.strip_prefix("Running   ")) else { return said.to_owned() };
    let timeless = |line: &str| match line.rsplit_once(' ') {
        Some((start, end))
            if line.starts_with("  ") && end.ends_with('s') && end.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            format!("{start} TIME\n")
        }
        _ => format!("{line}\n"),
    };
    said.replace(run, "RUN").lines().map(timeless).collect()
}

fn compare(cases: &[Case]) {
    let folder = trainyard_judges::crate_folder().join("tests/refused");
    let mut wrong = Vec::new();
    for (name, spoil, command) in cases {
        let project = Project::new();
        spoil(&project);
        let before = files(&project);
        let output = project.call(command);
        let errors = without_the_run(&text(&output.stderr));
        let code = output.status.code().unwrap();
        let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
        let said = format!("$ trainyard {}\n{}{errors}(exit code {code})\n", words.join(" "), text(&output.stdout));
        let (says, is_true) = (errors.contains("nothing was written"), files(&project) == before);
        // Nobody asks whether a command that only looks, or that makes something else than a run, wrote into the project.
        let may_write =
            !matches!(command[0], "runs" | "models" | "tune" | "predict" | "synth" | "init" | "explain" | "data")
                && code != 0;
        if says && !is_true || may_write && !says && is_true {
            wrong.push(format!("{name}: what it says of what was written is not true:\n{said}"));
        }
        let path = folder.join(format!("{}.txt", name.replace(' ', "_")));
        if std::env::var_os("TRAINYARD_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nTRAINYARD_BLESS=1 takes what was found", wrong.join("\n"));
}

#[test]
fn a_wrong_table_is_explained() {
    compare(tables::CASES);
}

#[test]
fn a_wrong_source_is_explained() {
    compare(sources::CASES);
}

#[test]
fn a_wrong_expectation_is_explained() {
    compare(expectations::CASES);
}

#[test]
fn a_wrong_specification_is_explained() {
    compare(specifications::CASES);
}

#[test]
fn a_wrong_expression_is_explained() {
    compare(expressions::CASES);
}

#[test]
fn a_wrong_command_is_explained() {
    compare(commands::CASES);
}

#[test]
fn a_wrong_search_is_explained() {
    compare(searches::CASES);
}

#[test]
fn a_wrong_version_is_explained() {
    compare(versions::CASES);
}

#[test]
fn wrong_versioned_data_is_explained() {
    compare(versioned::CASES);
}
