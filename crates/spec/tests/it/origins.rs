//! Values remember where they came from.

use trainyard_spec::{Origin, resolve};

use crate::given::Given;

#[test]
fn every_layer_is_named() {
    let given = Given::default_project()
        .with("environments/staging.yaml", "data:\n  source: staging.csv\nactive: {model: 1}\n")
        .with("versions/splits/v2.yaml", "shares: {train: 0.5, reference_test: 0.5}\n")
        .with_flags(&["--env", "staging", "--set", "data.key=id", "--split", "2"]);
    let resolved = resolve(&given.files()).unwrap();
    let project = &resolved.project;
    assert_eq!(project.data.source.value, "staging.csv");
    assert_eq!(project.data.source.origin.to_string(), "environments/staging.yaml:2:11");
    assert_eq!(project.data.key.as_ref().unwrap().origin, Origin::Flag("--set data.key=id".into()));
    assert_eq!(project.active.split.value, 2);
    assert_eq!(project.active.split.origin, Origin::Flag("--split 2".into()));
    assert_eq!(project.active.model.origin.to_string(), "environments/staging.yaml:3:17");
    assert_eq!(project.name.origin.to_string(), "trainyard.yaml:1:7");
    assert_eq!(project.tracking.uri.origin, Origin::Default);
    assert_eq!(project.model.value, "churn");
    assert_eq!(resolved.split.version, 2);
    assert_eq!(resolved.split.spec.stratify.origin, Origin::Default);
    assert_eq!(resolved.environment.as_deref(), Some("staging"));
}

#[test]
fn parts_of_sql_are_found_inside_yaml() {
    let features = "columns:\n  plain: tenure * Charges\n  quoted: \"Contract = 'a' AND \\\"b c\\\" > 1\"\n  \
                    block: |\n    tenure +\n      Charges\n  folded: >-\n    tenure +\n    Charges\n\
                    groups: [{numeric: [tenure]}]\n";
    for text in [features.to_owned(), features.replace('\n', "\r\n")] {
        let resolved = resolve(&Given::default_project().with("versions/features/v1.yaml", &text).files()).unwrap();
        let spec = &resolved.features.spec;
        for (name, part, written) in [
            ("plain", "Charges", "Charges"),
            ("quoted", "\"b c\"", "\\\"b c\\\""),
            ("quoted", "'a'", "'a'"),
            ("block", "Charges", "Charges"),
            ("folded", "Charges", "Charges"),
        ] {
            let (_, sql) = spec.columns.iter().find(|(column, _)| column.value == name).unwrap();
            let start = sql.find(part).unwrap();
            let place = sql.place_of(start..start + part.len()).unwrap();
            assert_eq!(place.text(), written, "{name}");
            let line = text.lines().nth(place.start().line - 1).unwrap();
            assert!(line.contains(written), "{name}: {line}");
        }
    }
}

#[test]
fn later_layers_win_and_nothing_takes_away() {
    let given = Given::default_project()
        .with("environments/ci.yaml", "data: {missing: [NA]}\ngates: null\ntracking: {tags: {team: growth}}\n")
        .with_flags(&[
            "--env",
            "ci",
            "--set",
            "data.missing=[\"?\"]",
            "--set",
            "tracking.tags.\"a.b\"=1",
            "--set",
            "data.missing=[x, y]",
        ]);
    let resolved = resolve(&given.files()).unwrap();
    assert_eq!(resolved.project.data.missing, ["x", "y"]);
    assert!(resolved.project.gates.is_empty());
    let tags: Vec<(&str, &str)> =
        resolved.project.tracking.tags.iter().map(|(key, value)| (key.as_str(), value.value.as_str())).collect();
    assert_eq!(tags, [("a.b", "1"), ("team", "growth")]);
    assert_eq!(resolved.overrides.len(), 3);
}

#[test]
fn a_path_without_end_is_refused() {
    let path = format!("data.{}b=1", "a.".repeat(60_000));
    let problems = resolve(&Given::default_project().with_flags(&["--set", &path]).files()).unwrap_err();
    assert!(problems.iter().any(|problem| problem.code == "spec/set-path"));
}

#[test]
fn a_bar_is_a_delimiter_on_the_command_line() {
    let given = Given::default_project().with_flags(&["--set", "data.delimiter=|"]);
    assert_eq!(resolve(&given.files()).unwrap().project.data.delimiter.value, '|');
}
