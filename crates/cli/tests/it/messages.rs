//! What commands say: ways out that can be typed as they stand, near names, and one document for each command.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{CUSTOMERS, Project};
use crate::{text, trainyard};

/// A project seen from another folder, by a path that a shell takes apart unless it is quoted.
struct Far {
    project: Project,
    outside: TempDir,
}

impl Far {
    fn new(project: Project) -> Far {
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(project.path(""), outside.path().join("a b")).unwrap();
        Far { project, outside }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.outside.path()).env_remove("TRAINYARD_ENV").env("NO_COLOR", "1").env("COLUMNS", "100");
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_trainyard")).args(arguments).output().unwrap()
    }

    /// Types a command into a shell.
    fn typed(&self, line: &str) -> Output {
        let folder = Path::new(env!("CARGO_BIN_EXE_trainyard")).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        self.command("sh").args(["-c", line]).env("PATH", path).output().unwrap()
    }

    /// Starts a command, interrupts it once this event shows, and gives what it says.
    fn interrupted(&self, arguments: &[&str], event: &str) -> Value {
        let mut command = self.command(env!("CARGO_BIN_EXE_trainyard"));
        let command = command.args(arguments).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut events = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(events.any(|line| line.unwrap().contains(event)), "{arguments:?} never said {event}");
        std::thread::spawn(move || events.for_each(drop));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stdout));
        document(arguments, &output)
    }
}

/// Gives the one document on stdout.
fn document(arguments: &[&str], output: &Output) -> Value {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect();
    match documents.as_deref() {
        Ok([document]) => document.clone(),
        other => panic!("{arguments:?}: {other:?}, {}, {}", text(&output.stdout), text(&output.stderr)),
    }
}

/// What is to be typed after these words of a help.
fn command_after<'a>(document: &'a Value, words: &str) -> &'a str {
    let help = document["error"][0]["help"][0].as_str().unwrap_or_else(|| panic!("no help: {document:#}"));
    help.strip_prefix(words).unwrap_or_else(|| panic!("{help}"))
}

#[test]
fn advised_commands_name_the_project_and_quote_it() {
    let far = Far::new(Project::new());
    let cases: &[(&[&str], &str)] = &[
        (&["check", "a b"], "trainyard run 'a b'\n"),
        (&["check", "--project", "a b/trainyard.yaml", "--features", "1"], "trainyard run 'a b' --features 1\n"),
        (&["runs", "list", "--project", "a b"], "trainyard run --project 'a b'\n"),
        (&["runs", "list", "--status", "failed", "--project", "a b"], "trainyard runs list --project 'a b'\n"),
        (&["models", "list", "--project", "a b"], "trainyard run --project 'a b'\n"),
        (&["runs", "show", "x", "--project", "a b"], "`trainyard run --project 'a b'`"),
        (&["verify", "x", "--project", "a b"], "`trainyard runs list --project 'a b'`"),
    ];
    for (arguments, expected) in cases {
        let output = far.call(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let here = far.project.path("");
    let output = far.project.call(&["check", here.to_str().unwrap()]);
    assert!(text(&output.stdout).contains("  next      trainyard run\n"), "{}", text(&output.stdout));
}

#[test]
fn interrupted_work_says_what_to_type_and_that_works() {
    let far = Far::new(Project::with_rows(20_000));
    let stopped = far.interrupted(&["run", "a b"], "\"step\":\"train\"");
    let resume = command_after(&stopped, "Go on with: ");
    assert!(resume.starts_with("trainyard resume ") && resume.ends_with(" --project 'a b'"), "{resume}");
    let output = far.typed(&format!("{resume} --json"));
    assert!(output.status.success(), "{resume}: {}", text(&output.stderr));
    let run = document(&[resume], &output)["run"].as_str().unwrap().to_owned();

    let stopped = far.interrupted(&["verify", &run, "--project", "a b", "--at", "1,2"], "event");
    let again = command_after(&stopped, "Begin again with: ");
    assert_eq!(again, format!("trainyard verify {run} --at 1,2 --project 'a b'"));
    let output = far.typed(again);
    assert!(output.status.success(), "{again}: {}", text(&output.stderr));
}

#[test]
fn a_failed_run_says_what_to_type_in_words_and_in_the_document() {
    let far = Far::new(Project::new());
    far.project.edit("versions/features/v1.yaml", "tenure * MonthlyCharges", "CAST(Contract AS INTEGER)");
    let said = text(&far.call(&["run", "a b"]).stderr);
    let typed = said.split('`').find(|part| part.starts_with("trainyard resume ")).unwrap_or_else(|| panic!("{said}"));
    assert!(typed.ends_with(" --project 'a b'"), "{said}");
    let arguments = ["run", "a b", "--json"];
    let told = document(&arguments, &far.call(&arguments));
    assert!(told["state"].as_str().is_some_and(|state| state.contains(" --project 'a b'`")), "{told:#}");
}

#[test]
fn names_that_are_not_known_are_answered_with_near_ones() {
    let project = Project::new();
    for run in ["nightly-1", "nightly-2"] {
        project.json(&["step", "resolve", "--run", run]);
    }
    project.run();
    let cases: &[(&[&str], &str)] = &[
        (&["runs", "show", "nightly-"], "nightly-1"),
        (&["runs", "show", "nihgtly-2"], "did you mean nightly-2?"),
        (&["runs", "compare", "nightly-1", "nihgtly-2"], "did you mean nightly-2?"),
        (&["runs", "compare", "nightly-", "nightly-1"], "nightly-2"),
        (&["models", "show", "churn-predicter"], "did you mean `churn-predictor`?"),
        (&["models", "show", "churn-predictor@champoin"], "churn-predictor@"),
        (&["models", "show", "churn-predictor/9"], "its versions: 1"),
        (&["models", "show", "churn-predictor/Stagin"], "`Staging`"),
        (&["models", "history", "churn-predicter"], "did you mean `churn-predictor`?"),
        (&["why", "trian"], "did you mean `train`?"),
    ];
    for (arguments, expected) in cases {
        let output = project.call(arguments);
        let said = text(&output.stderr);
        assert!(
            !output.status.success() && output.stdout.is_empty() && said.contains(expected),
            "{arguments:?}: {said}"
        );
        let told = document(arguments, &project.call(&[arguments, &["--json"][..]].concat()));
        assert!(told["error"].to_string().contains(expected), "{arguments:?}: {told:#}");
    }
}

#[test]
fn every_command_prints_one_document_when_it_succeeds_and_when_it_fails() {
    let project = Project::new();
    let called = |arguments: &[&str], is_right: bool| {
        let output = project.call(&[arguments, &["--json"]].concat());
        let told = document(arguments, &output);
        let said = text(&output.stderr);
        assert_eq!(output.status.success(), is_right, "{arguments:?}: {told:#}, {said}");
        for line in said.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{arguments:?} says on stderr: {line}");
        }
        if !is_right {
            let problem = &told["error"][0];
            assert_eq!(told["exit"].as_i64(), output.status.code().map(i64::from), "{arguments:?}: {told:#}");
            assert!(problem["title"].as_str().is_some_and(|title| !title.ends_with(':')), "{arguments:?}: {told:#}");
            let is_helped = problem["help"].as_array().is_some_and(|help| !help.is_empty());
            assert!(is_helped, "{arguments:?} gives no help: {told:#}");
        }
        told
    };
    let right = |arguments: &[&str]| called(arguments, true);
    let wrong = |arguments: &[&str]| called(arguments, false);

    for empty in [&["runs", "list"][..], &["models", "list"], &["check"], &["plan"], &["why", "train"]] {
        right(empty);
    }
    let first = right(&["run"])["run"].as_str().unwrap().to_owned();
    let second = right(&["run"])["run"].as_str().unwrap().to_owned();
    right(&["synth", "churn", "--rows", "300", "--output", "c.csv"]);
    right(&["init", "new", "--from", "c.csv", "--target", "Churn"]);
    right(&["step", "resolve", "--run", "one"]);
    right(&["resume", "one"]);
    right(&["verify", &first, "--at", "1"]);
    right(&["runs", "show", &first]);
    right(&["runs", "compare", &first, &second]);
    right(&["models", "show", "churn-predictor"]);
    right(&["models", "show", "churn-predictor/1"]);
    right(&["models", "history", "churn-predictor"]);
    right(&["predict", "--model", "churn-predictor/1", "--input", CUSTOMERS]);
    right(&["predict", "--model", "churn-predictor/1", "--input", CUSTOMERS, "--output", "out.csv"]);

    let mistakes: &[&[&str]] = &[
        &["rnu"],
        &["runs"],
        &["models"],
        &["synth"],
        &["init", "new", "--from", "c.csv", "--target", "Churn"],
        &["init", "other", "--from", "nosuch.csv", "--target", "Churn"],
        &["synth", "churn", "--output", "c.xyz"],
        &["check", "nosuch"],
        &["check", "--env", "nosuch"],
        &["plan", "--features", "7"],
        &["plan", "nosuch"],
        &["run", "--model", "7"],
        &["run", "nosuch"],
        &["run", "--set", "gates.at_least.accuracy=high"],
        &["resume"],
        &["resume", "nosuch"],
        &["step", "nosuch", "--run", "one"],
        &["step", "train", "--run", "two"],
        &["why", "nosuch"],
        &["verify", "nosuch"],
        &["verify"],
        &["runs", "list", "--limit", "0"],
        &["runs", "list", "--project", "nosuch"],
        &["runs", "show", "nosuch"],
        &["runs", "show"],
        &["runs", "compare", &first, "nosuch"],
        &["runs", "compare", &first],
        &["models", "list", "--project", "nosuch"],
        &["models", "show", "nosuch"],
        &["models", "show", "churn-predictor/nosuch"],
        &["models", "history", "nosuch"],
        &["predict", "--model", "nosuch", "--input", CUSTOMERS],
        &["predict", "--model", "churn-predictor/1", "--input", "nosuch.csv"],
        &["predict", "--model", "churn-predictor/1", "--input", CUSTOMERS, "--output", "nosuch/out.csv"],
        &["predict", "--model", "churn-predictor/1", "--input", CUSTOMERS, "--output", "out.xls"],
    ];
    for mistake in mistakes {
        wrong(mistake);
    }
}

#[test]
fn what_is_missing_stands_in_the_title() {
    let arguments = ["runs", "compare", "--json"];
    let told = document(&arguments, &trainyard(&arguments));
    let title = "the following required arguments were not provided: <RUN> <RUN>...";
    assert_eq!(told["error"][0]["title"], title);
}

#[test]
fn a_missing_command_is_told_with_the_commands_that_there_are() {
    let arguments = ["runs", "--json"];
    let told = document(&arguments, &trainyard(&arguments));
    let said = told.to_string();
    assert!(["list", "show", "compare"].iter().all(|name| said.contains(name)), "{said}");
}

#[test]
fn an_incumbent_that_has_seen_reference_rows_stands_in_a_block_of_its_own() {
    let project = Project::new();
    let first = text(&project.call(&["run"]).stdout);
    assert!(first.contains("baseline") && !first.contains("rows new to"), "{first}");
    project.write("versions/models/v2.yaml", project.read("versions/models/v1.yaml").replace("100", "60"));
    let same = text(&project.call(&["run", "--model", "2"]).stdout);
    assert!(!same.contains("rows new to") && !same.contains("baseline"), "{same}");

    project.write("versions/splits/v2.yaml", project.read("versions/splits/v1.yaml").replace("seed: 42", "seed: 43"));
    project.write("versions/models/v3.yaml", project.read("versions/models/v1.yaml").replace("100", "40"));
    let mixed = text(&project.call(&["run", "--split", "2", "--model", "3"]).stdout);
    let (whole, new) = mixed.split_once(" rows new to ").unwrap_or_else(|| panic!("{mixed}"));
    assert!(whole.contains("reference test") && whole.contains("baseline"), "{mixed}");
    assert!(new.contains("on these rows, paired 95% interval"), "{mixed}");
}
