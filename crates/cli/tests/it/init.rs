//! Projects from tables of every kind: what is written runs, what can't run is not written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::{text, trainyard};

struct Table {
    folder: TempDir,
    file: PathBuf,
}

impl Table {
    fn new(content: &str) -> Table {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        std::fs::write(&file, content).unwrap();
        Table { folder, file }
    }

    /// Writes 300 rows of a key, a number and a label.
    fn rows(header: &str, row: impl Fn(usize) -> String) -> Table {
        let mut content = format!("{header}\n");
        (0..300).for_each(|at| writeln!(content, "{}", row(at)).unwrap());
        Table::new(&content)
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn init(&self, arguments: &[&str]) -> Output {
        let project = self.project();
        let first = ["init", project.to_str().unwrap(), "--from", self.file.to_str().unwrap()];
        trainyard(&[&first[..], arguments].concat())
    }

    fn made(&self, arguments: &[&str]) -> Value {
        let output = self.init(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let checked = trainyard(&["check", self.project().to_str().unwrap()]);
        assert!(checked.status.success(), "{}", text(&checked.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], expected: &[&str]) {
        let output = self.init(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for expected in expected {
            assert!(said.contains(expected), "no `{expected}` in {said}");
        }
        assert_eq!(self.beside(), ["rows.csv"], "something was written");
    }

    fn beside(&self) -> Vec<String> {
        names(self.folder.path())
    }

    fn spec(&self) -> String {
        std::fs::read_to_string(self.project().join("trainyard.yaml")).unwrap()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn without_a_feature_every_column_is_accounted_for() {
    let table = Table::rows("file,same,label", |at| format!("{at}.png,x,{}", at % 10));
    table.refused(&["--target", "label"], &["init/no-features", "file: it is the key", "same: it never changes"]);
}

#[test]
fn classes_are_listed_with_their_rows() {
    let table = Table::rows("a,label", |at| format!("{at},class {}", at % 12));
    let binary = ["--target", "label", "--task", "binary"];
    table.refused(
        &binary,
        &["init/task", "12 values", "class 3 (25 rows)", "…", "--missing VALUE", "--task multiclass"],
    );
    let rare = Table::rows("a,label", |at| {
        format!("{at},{}", if at < 19 { "rare".into() } else { format!("class {}", at % 3) })
    });
    rare.refused(&["--target", "label"], &["init/task", "the class rare of label has 19 rows"]);
    let names = Table::rows("a,label", |at| format!("{at},name {}", at % 150));
    names.refused(&["--target", "label"], &["init/task", "150 classes, more than 100"]);
    names.refused(&["--target", "label", "--task", "regression"], &["init/task", "is no number"]);
}

#[test]
fn rows_without_a_target_are_counted_at_once() {
    let label = |at: usize| ["yes", "no", "yes", "no", ""][at % 5];
    let table = Table::rows("a,label", |at| format!("{},{}", at * 7 % 31, label(at)));
    table.refused(&["--target", "label"], &["init/missing-target", "60 of the 300 rows", "--drop-missing-target"]);
    let label = |at: usize| if at.is_multiple_of(50) { "NA" } else { ["yes", "no"][at % 2] };
    let table = Table::rows("a,label", |at| format!("{},{}", at * 7 % 31, label(at)));
    table.refused(&["--target", "label"], &["6 of the 300 rows", "\"NA\" is taken as missing: 6"]);
}

#[test]
fn words_for_nothing_in_columns_of_numbers_count_as_missing() {
    let cell = |at: usize| if at % 60 == 7 { "?".to_owned() } else { (at * 7 % 31).to_string() };
    let table = Table::rows("a,b,label", |at| format!("{},{},{}", cell(at), ["u", "-", "v"][at % 3], at % 2));
    let made = table.made(&["--target", "label", "--missing", "-"]);
    assert_eq!((&made["missing"][0]["cell"], &made["missing"][1]["cell"]), (&"-".into(), &"?".into()));
    assert_eq!(made["missing"][1]["found"]["a"], 5);
    assert!(table.spec().contains("missing: [\"-\", \"?\"]"), "{}", table.spec());
    assert!(table.spec().contains("# \"?\" counts as missing in every column: 5 cells of a"), "{}", table.spec());
    let features = std::fs::read_to_string(table.project().join("versions/features/v1.yaml")).unwrap();
    assert!(features.contains("numeric: [a]"), "{features}");
}

#[test]
fn the_positive_class_is_chosen_for_a_reason_that_is_said() {
    for (labels, arguments, positive, reason) in [
        (["1", "2", "1"], &[][..], "2", "rarer"),
        (["1", "0", "1"], &[], "1", "usual"),
        (["Yes", "No", "Yes"], &[], "Yes", "usual"),
        (["yes", "maybe", "yes"], &[], "maybe", "rarer"),
        (["ham", "spam", "spam"], &[], "spam", "usual"),
        (["ham", "spam", "spam"], &["--positive", "ham"], "ham", "--positive"),
        (["0.5", "1.0", "0.5"], &[], "1", "rarer"),
        (["true", "false", "true"], &[], "true", "usual"),
    ] {
        let table = Table::rows("a,label", |at| format!("{},{}", at * 7 % 31, labels[at % 3]));
        let made = table.made(&[&["--target", "label"][..], arguments].concat());
        assert_eq!(made["positive"], positive);
        assert!(made["positive_reason"].as_str().unwrap().contains(reason), "{made:#}");
        assert_eq!(made["classes"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 300);
    }
}

#[test]
fn keys_are_found_and_are_no_features() {
    for (header, key) in [("id", true), ("user_id", true), ("userID", true), ("paid", false), ("instant", true)] {
        let table = Table::rows(&format!("{header},a,label"), |at| format!("{},{},{}", at * 3 + 5, at % 31, at % 2));
        let made = table.made(&["--target", "label"]);
        assert_eq!(made["key"], if key { Value::from(header) } else { Value::Null });
    }
    for first in [0, 1] {
        let table = Table::rows("n,row,a,label", |at| format!("{},{},{},{}", at + first, at + 1, at % 31, at % 2));
        let made = table.made(&["--target", "label"]);
        assert_eq!(made["key"], "n");
        assert!(made["left_out"]["row"].as_str().unwrap().contains("as a key does"), "{made:#}");
    }
}

#[test]
fn names_that_yaml_would_misread_stand_in_quotes() {
    for odd in ["it's", "a: b", "#a", "Größe", "-a", "null", "2024", "on", "_x", "[a]", "{a}", "*a", "a, b", "\u{85}x"]
    {
        let table = Table::rows(&format!("id,\"{odd}\",\"{odd} 2\",\"t {odd}\""), |at| {
            format!("{at},{},\"{odd} {}\",\"{odd}{}\"", at * 7 % 31, at % 3, ["", " or not"][at % 2])
        });
        table.made(&["--target", &format!("t {odd}"), &format!("--name={odd}")]);
    }
}

#[test]
fn a_project_comes_whole_or_not_at_all() {
    let table = Table::rows("id,a,label", |at| format!("{at},{},{}", at * 7 % 31, at % 2));
    // A dead `init` left its folder; no process has this id.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let left = table.folder.path().join(format!(".project.init-{}-2147483646", host.trim()));
    std::fs::create_dir_all(left.join("data")).unwrap();
    std::fs::create_dir(table.project()).unwrap();
    table.made(&["--target", "label"]);
    assert_eq!(table.beside(), ["project", "rows.csv"]);

    // The folder that somebody stands in stays the same folder.
    let here = table.folder.path().join("here");
    std::fs::create_dir(&here).unwrap();
    let init = ["init", ".", "--from", "../rows.csv", "--target", "label"];
    let output = Command::new(env!("CARGO_BIN_EXE_trainyard")).args(init).current_dir(&here).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(&here), names(&table.project()));
    assert_eq!(table.beside(), ["here", "project", "rows.csv"]);
}
