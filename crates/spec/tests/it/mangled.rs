//! Whatever stands in the files: no panic, and every place lies inside its text.

use trainyard_diagnostics::{Diagnostic, Place, Style, render};
use trainyard_spec::{Lock, resolve};

use crate::given::{Given, cases};

fn check(place: &Place) {
    let text = &place.source.text;
    assert!(place.span.start <= place.span.end && place.span.end <= text.len(), "{place:?}");
    assert!(text.is_char_boundary(place.span.start) && text.is_char_boundary(place.span.end), "{place:?}");
}

pub(crate) fn check_all<'a>(problems: impl IntoIterator<Item = &'a Diagnostic>) {
    for problem in problems {
        let labels = problem.primary.iter().chain(&problem.secondary);
        labels.for_each(|label| check(&label.place));
        let drawn = render(problem, &Style { color: false, width: 80 });
        assert!(drawn.ends_with('\n'));
    }
}

fn survive(given: &Given) {
    match resolve(&given.files()) {
        Ok(resolved) => check_all(&resolved.warnings),
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a word: {given:?}");
            check_all(&problems);
        }
    }
}

/// Changes one file of a project, and puts it back.
fn mangle(given: &mut Given, path: &str, text: String) {
    let whole = given.texts.insert(path.to_owned(), text).unwrap();
    survive(given);
    given.texts.insert(path.to_owned(), whole);
}

#[test]
fn truncated_anywhere() {
    for (_, case) in cases("valid") {
        let mut given = Given::case(&case);
        let paths: Vec<String> = given.texts.keys().cloned().collect();
        for path in paths {
            let text = given.texts[&path].clone();
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                mangle(&mut given, &path, text[..end].to_owned());
            }
        }
    }
}

#[test]
fn bytes_replaced_anywhere() {
    const STRANGERS: &[&str] =
        &["\0", "\t", "\"", "'", "{", "]", ":", "&a ", "*a", "|", "é", "漢", "\r", "\u{2028}", "!", "-", "\u{feff}"];
    for (_, case) in cases("valid") {
        let mut given = Given::case(&case);
        let paths: Vec<String> = given.texts.keys().cloned().collect();
        for path in paths {
            let text = given.texts[&path].clone();
            for (at, c) in text.char_indices() {
                // One stranger per place, another one at the next, so that all meet all over time.
                let stranger = STRANGERS[at % STRANGERS.len()];
                mangle(&mut given, &path, format!("{}{stranger}{}", &text[..at], &text[at + c.len_utf8()..]));
            }
        }
    }
}

#[test]
fn lines_removed_doubled_and_indented() {
    for (_, case) in cases("valid") {
        let mut given = Given::case(&case);
        let paths: Vec<String> = given.texts.keys().cloned().collect();
        for path in paths {
            let lines: Vec<String> = given.texts[&path].split_inclusive('\n').map(str::to_owned).collect();
            for at in 0..lines.len() {
                let mut without = lines.clone();
                without.remove(at);
                mangle(&mut given, &path, without.concat());
                let mut doubled = lines.clone();
                doubled.insert(at, lines[at].clone());
                mangle(&mut given, &path, doubled.concat());
                let mut indented = lines.clone();
                indented[at].insert_str(0, "   ");
                mangle(&mut given, &path, indented.concat());
            }
        }
    }
}

#[test]
fn mangled_locks_are_survived() {
    let text = "splits:\n  1: {digest: \"aa\", key: id, target: Churn}\nreferences:\n  1:\n    rows: -1\n";
    for end in 0..text.len() {
        if let Err(problems) = Lock::parse(&trainyard_diagnostics::Source::new("versions/lock.yaml", &text[..end])) {
            check_all(&problems);
        }
    }
}
