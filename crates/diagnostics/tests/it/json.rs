//! The form for programs.

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Fault, Place, Problems, Source};

#[test]
fn every_field_is_there() {
    let source = Source::new("a.yaml", "k: é bad\nnext\n");
    let diagnostic = Diagnostic::error("area/name", "a title")
        .at(Place::new(source.clone(), 6..9), "wrong")
        .also(Place::new(source, 10..14), "so")
        .note("fact")
        .help("do");
    let expected = json!({
        "code": "area/name", "severity": "error", "title": "a title",
        "file": "a.yaml", "line": 1, "column": 6, "end_line": 1, "end_column": 9, "label": "wrong",
        "also": [{"file": "a.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 5, "label": "so"}],
        "notes": ["fact"], "help": ["do"],
    });
    assert_eq!(diagnostic.to_json().to_string(), expected.to_string());
    let bare = Diagnostic::warning("area/name", "t").to_json();
    assert_eq!((&bare["severity"], &bare["file"], &bare["line"]), (&json!("warning"), &json!(null), &json!(null)));
}

#[test]
fn problems_fail_only_with_an_error() {
    let warning = Diagnostic::warning("area/name", "w");
    let mut problems = Problems::from(warning.clone());
    assert_eq!(problems.clone().into_result(1), Ok(1));
    problems.push(Diagnostic::error("area/name", "e"));
    assert_eq!((problems.len(), problems.errors()), (2, 1));
    assert_eq!(problems.clone().into_result(1).unwrap_err().into_vec()[0], warning);
    assert_eq!(problems.to_string(), "w; e");
}

#[test]
fn exit_codes_are_fixed() {
    let codes =
        [Fault::User, Fault::CommandLine, Fault::Refused, Fault::Internal, Fault::Interrupted].map(Fault::exit_code);
    assert_eq!(codes, [1, 2, 3, 70, 130]);
}
