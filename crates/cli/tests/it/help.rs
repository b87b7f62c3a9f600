//! What `--help` says, for every command. `TRAINYARD_BLESS=1` writes the files anew.

use std::fs;

use crate::{text, trainyard};

const COMMANDS: &[&[&str]] = &[
    &[],
    &["init"],
    &["synth"],
    &["synth", "churn"],
    &["synth", "bike"],
    &["synth", "classification"],
    &["synth", "digits"],
    &["synth", "regression"],
    &["check"],
    &["plan"],
    &["run"],
    &["resume"],
    &["step"],
    &["why"],
    &["verify"],
    &["export"],
    &["import"],
    &["lineage"],
    &["runs"],
    &["runs", "list"],
    &["runs", "sql"],
    &["runs", "show"],
    &["runs", "compare"],
    &["runs", "sync"],
    &["tune"],
    &["tune", "show"],
    &["tune", "best"],
    &["tune", "importance"],
    &["tune", "export"],
    &["models"],
    &["models", "list"],
    &["models", "show"],
    &["models", "promote"],
    &["models", "rollback"],
    &["models", "archive"],
    &["models", "history"],
    &["models", "as-of"],
    &["models", "audit"],
    &["models", "export"],
    &["gate"],
    &["gate", "replay"],
    &["predict"],
    &["data"],
    &["data", "add"],
    &["data", "status"],
    &["data", "checkout"],
    &["data", "diff"],
    &["data", "gc"],
    &["data", "push"],
    &["data", "pull"],
    &["data", "fsck"],
    &["data", "drift"],
    &["data", "profile"],
    &["doctor"],
    &["data"],
    &["data", "validate"],
    &["data", "validate", "init"],
    &["engines"],
    &["engines", "list"],
    &["engines", "add"],
    &["explain"],
];

#[test]
fn help_of_every_command_is_as_recorded() {
    let folder = trainyard_judges::crate_folder().join("tests/help");
    let mut wrong = Vec::new();
    for command in COMMANDS {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let output = trainyard(&arguments);
        let shown = text(&output.stdout);
        let name = if command.is_empty() { "trainyard".to_owned() } else { command.join("-") };
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{name}");
        assert!(shown.contains("EXAMPLES:\n  trainyard "), "{name} has no examples");
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("TRAINYARD_BLESS").is_some() {
            fs::write(&path, &shown).expect("the folder of recorded help is writable");
        } else if fs::read_to_string(&path).ok().as_deref() != Some(shown.as_str()) {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nTRAINYARD_BLESS=1 takes what was found", wrong.join("\n"));
}

#[test]
fn every_command_is_recorded() {
    // The top page lists the commands, one a line, indented by two blanks.
    let page = text(&trainyard(&["--help"]).stdout);
    let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{page}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(COMMANDS.iter().any(|command| command.first() == Some(&name)), "{name} is not recorded");
    }
}
