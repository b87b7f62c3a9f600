//! Every code has an explanation, and `trainyard explain` gives it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::project::below;
use crate::{text, trainyard};

/// What stands before a code in the sources.
const BEFORE: [&str; 5] = ["error", "warning", "words", "say", "=>"];

/// The sources of the product, without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = trainyard_judges::repository().join("crates");
    let mut folders: Vec<PathBuf> = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| !folder.ends_with("xtask") && !folder.ends_with("judges"));
    folders.iter_mut().for_each(|folder| folder.push("src"));
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| below(folder).1).collect();
    files.retain(|path| path.file_stem().is_some_and(|name| name != "tests"));
    let product = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())
    };
    files.into_iter().map(product).collect()
}

fn is_code(text: &str) -> bool {
    let is_word =
        |word: &str| word.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()));
    text.split_once('/').is_some_and(|(area, name)| is_word(area) && is_word(name))
}

/// The codes in a source: the literals that begin a diagnostic, or that a typed error is matched to.
fn codes(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(quote) = source[start..].find('"').map(|at| start + at) {
        let rest = &source[quote + 1..];
        let literal = &rest[..rest.find('"').unwrap_or(rest.len())];
        let before = source[..quote].trim_end_matches([' ', '\n', '(', '{']);
        if is_code(literal) && BEFORE.iter().any(|word| before.ends_with(word)) {
            found.push(literal);
        }
        start = quote + 1;
    }
    found
}

fn explained() -> BTreeSet<String> {
    let output = trainyard(&["explain", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = document["explanations"].as_array().unwrap().iter();
    all.map(|explanation| explanation["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_code_of_the_sources_is_explained_and_no_other() {
    let explained = explained();
    let mut known = BTreeSet::new();
    let mut missing = Vec::new();
    for (path, source) in sources() {
        for code in codes(&source) {
            known.insert(code.to_owned());
            if !explained.contains(code) {
                let area = code.split('/').next().unwrap();
                missing.push(format!("{code} in {}: add it to crates/explanations/areas/{area}.md", path.display()));
            }
        }
    }
    assert!(known.len() > 200, "only {} codes were found in the sources", known.len());
    assert!(missing.is_empty(), "not explained:\n{}", missing.join("\n"));
    let idle: Vec<&String> = explained.difference(&known).collect();
    assert!(idle.is_empty(), "explained, but no source has them: {idle:?}");
}

#[test]
fn a_code_is_found_wherever_an_error_takes_it_from() {
    let source = r#"Diagnostic::error(
            "a/b-c", x); match error { A => "d/e", B => { ("f/g", help) } } let path = "h/i"; words("j/k")"#;
    assert_eq!(codes(source), ["a/b-c", "d/e", "f/g", "j/k"]);
}

#[test]
fn a_code_is_explained_with_an_example() {
    let output = trainyard(&["explain", "data/ragged-row"]);
    let said = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(said.starts_with("data/ragged-row\nA row has more or fewer cells than the header.\n\n"), "{said}");
    assert!(said.contains("\n    Ada,\"London, UK\"     # right\n"), "{said}");
}

#[test]
fn an_area_lists_its_codes_and_no_argument_all_of_them() {
    let area = text(&trainyard(&["explain", "split"]).stdout);
    assert!(area.starts_with("The split and its frozen reference test\n  split/other-data "), "{area}");
    assert!(area.lines().skip(1).all(|line| line.starts_with("  split/")), "{area}");
    let all = text(&trainyard(&["explain"]).stdout);
    for code in explained() {
        assert!(all.contains(&format!("\n  {code} ")), "{code} is not listed");
    }
}

#[test]
fn an_unknown_code_gives_the_nearest() {
    for (asked, near) in [("data/raged-row", "did you mean `data/ragged-row`?"), ("dta", "did you mean `data`?")] {
        let output = trainyard(&["explain", asked]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{said}");
        assert!(said.contains(near), "{said}");
    }
    let output = trainyard(&["explain", "E0308", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"][0]["code"], "explain/unknown-code");
    assert_eq!(document["error"][0]["help"][0], "`trainyard explain` lists all codes");
}
