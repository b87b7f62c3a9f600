//! The drawing, line by line.

use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Place, Source, Style, render, render_all};

const PLAIN: Style = Style { color: false, width: 100 };

fn source(text: &str) -> Arc<Source> {
    Source::new("a.yaml", text)
}

/// The place of the first occurrence of a part.
fn place(source: &Arc<Source>, part: &str) -> Place {
    let start = source.text.find(part).unwrap();
    Place::new(source.clone(), start..start + part.len())
}

fn error() -> Diagnostic {
    Diagnostic::error("area/name", "a title")
}

#[track_caller]
fn check(diagnostic: &Diagnostic, expected: &str) {
    let found = render(diagnostic, &PLAIN);
    assert_eq!(found, expected.trim_start_matches('\n'), "\n{found}");
}

#[test]
fn the_look_of_the_house() {
    let text = "\n".repeat(8) + "  categorical: [Contract, PaymentMetod]\n";
    let source = Source::new("versions/features/v1.yaml", text);
    let title = "the features want a column that the data does not have";
    let diagnostic = Diagnostic::error("features/unknown-column", title)
        .at(place(&source, "PaymentMetod"), "not among the 21 columns of customers.csv")
        .help("did you mean `PaymentMethod`?");
    let expected = "\
error[features/unknown-column]: the features want a column that the data does not have
   ┌─ versions/features/v1.yaml:9:27
   │
 9 │   categorical: [Contract, PaymentMetod]
   │                           ^^^^^^^^^^^^ not among the 21 columns of customers.csv
   │
   = help: did you mean `PaymentMethod`?

1 error. Nothing was run and nothing was written.
";
    assert_eq!(render_all(&[diagnostic], &PLAIN, "Nothing was run and nothing was written."), expected);
}

#[test]
fn without_a_place_the_words_stand_alone() {
    let diagnostic = Diagnostic::warning("area/name", "a title").help("do this\nand that").note("a fact");
    check(
        &diagnostic,
        "
warning[area/name]: a title
   = note: a fact
   = help: do this
           and that
",
    );
}

#[test]
fn other_places_stand_in_the_order_of_the_text() {
    let source = source("one\ntwo\nthree\nfour\nfive\nsix\n");
    let diagnostic = error()
        .at(place(&source, "three"), "wrong")
        .also(place(&source, "one"), "makes it wrong")
        .also(place(&source, "six"), "and this")
        .also(place(&source, "hre"), "within");
    check(
        &diagnostic,
        "
error[area/name]: a title
   ┌─ a.yaml:3:1
   │
 1 │ one
   │ --- makes it wrong
 2 │ two
 3 │ three
   │ ^^^^^ wrong
   │  --- within
   ·
 6 │ six
   │ --- and this
   │
",
    );
}

#[test]
fn another_file_has_a_frame_of_its_own_and_numbers_line_up() {
    let long = source(&("x\n".repeat(99) + "here\n"));
    let other = Arc::new(Source { name: "b.sql".into(), text: "SELECT 1".into(), first_line: 7 });
    let diagnostic = error().at(place(&other, "1"), "wrong").also(place(&long, "here"), "asked for here");
    check(
        &diagnostic,
        "
error[area/name]: a title
     ┌─ b.sql:7:8
     │
   7 │ SELECT 1
     │        ^ wrong
     │
     ┌─ a.yaml:100:1
     │
 100 │ here
     │ ---- asked for here
     │
",
    );
}

#[test]
fn wide_combining_and_tabbed_characters_keep_the_caret_in_its_place() {
    let source = source("\tk: 漢字é\u{301}🦀, bad\n");
    check(
        &error().at(place(&source, "bad"), "here").also(place(&source, "字"), "two wide"),
        "
error[area/name]: a title
   ┌─ a.yaml:1:12
   │
 1 │     k: 漢字é\u{301}🦀, bad
   │          -- two wide
   │                 ^^^ here
   │
",
    );
    let tab = self::source("a\tb");
    check(
        &error().at(place(&tab, "\t"), "a tab"),
        "
error[area/name]: a title
   ┌─ a.yaml:1:2
   │
 1 │ a   b
   │  ^^^ a tab
   │
",
    );
}

#[test]
fn carriage_returns_and_control_characters_cannot_reach_the_terminal() {
    let source = source("a: 1\r\nb: \u{1b}[31mx\u{202e}\r\n");
    let diagnostic = Diagnostic::error("area/name", "a \u{1b}[2J title").at(place(&source, "x"), "here\u{7}");
    check(
        &diagnostic,
        "
error[area/name]: a ␛[2J title
   ┌─ a.yaml:2:9
   │
 2 │ b: ␛[31mx\u{fffd}
   │         ^ here␇
   │
",
    );
}

#[test]
fn the_end_of_a_file_is_its_last_character() {
    for (text, span, line, column) in
        [("a: [1\n", 6, 1, 6), ("a: [1\n\n  \n", 10, 1, 6), ("a: [1", 5, 1, 6), ("", 0, 1, 1), ("\n\n", 2, 1, 1)]
    {
        let source = source(text);
        let place = Place::new(source, span..span);
        assert_eq!((place.start().line, place.start().column), (line, column), "{text:?}");
        let drawn = render(&error().at(place, "not closed"), &PLAIN);
        let caret = drawn.lines().nth(4).unwrap();
        assert_eq!(caret, format!("   │ {}^ not closed", " ".repeat(column - 1)), "{text:?}\n{drawn}");
    }
}

#[test]
fn ranges_of_many_lines_are_marked_from_start_to_end() {
    let source = source("a: [\n  1,\n\n  2 ]\nb:\n");
    check(
        &error().at(place(&source, "[\n  1,\n\n  2 ]\n"), "a list"),
        "
error[area/name]: a title
   ┌─ a.yaml:1:4
   │
 1 │ a: [
   │    ^
 2 │   1,
   │   ^^
 3 │
 4 │   2 ]
   │   ^^^ a list
   │
",
    );
    let source = self::source("start\n1\n2\n3\n4\nend here\n");
    check(
        &error().at(place(&source, "start\n1\n2\n3\n4\nend"), "all this"),
        "
error[area/name]: a title
   ┌─ a.yaml:1:1
   │
 1 │ start
   │ ^^^^^
   ·
 6 │ end here
   │ ^^^ all this
   │
",
    );
}

#[test]
fn long_lines_are_cut_around_the_mark() {
    let text = format!("{}BAD{}", "0123456789".repeat(50), "abcdefghij".repeat(50));
    let source = source(&text);
    let drawn = render(&error().at(place(&source, "BAD"), "a label"), &Style { color: false, width: 60 });
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines[1], "   ┌─ a.yaml:1:501");
    assert!(lines[3].starts_with(" 1 │ …") && lines[3].ends_with('…'), "{drawn}");
    assert!(lines.iter().all(|line| line.chars().count() <= 60), "{drawn}");
    let bad = lines[3].chars().position(|c| c == 'B').unwrap();
    assert_eq!(lines[4].chars().position(|c| c == '^').unwrap(), bad, "{drawn}");
    assert!(lines[4].ends_with("^^^ a label"), "{drawn}");
    // Without a limit nothing is cut.
    assert!(render(&error().at(place(&source, "BAD"), ""), &Style { color: false, width: 0 }).contains(&text));
    // A line that fits is never cut, and neither is one whose mark stands at its start.
    let drawn = render(&error().at(Place::new(source, 0..3), ""), &Style { color: false, width: 60 });
    assert!(drawn.contains(" 1 │ 0123456789"), "{drawn}");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let source = source("k: bad\nother\n");
    let diagnostic =
        error().at(place(&source, "bad"), "wrong").also(place(&source, "other"), "so").help("do").note("fact");
    let colored = render(&diagnostic, &Style { color: true, width: 100 });
    assert!(colored.contains("\u{1b}[31m") || colored.contains("\u{1b}[1m\u{1b}[31m"), "{colored:?}");
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, render(&diagnostic, &PLAIN));
}

#[test]
fn counts_are_sentences() {
    let (error, warning) = (error(), Diagnostic::warning("area/name", "w"));
    let last = |problems: &[Diagnostic], state| render_all(problems, &PLAIN, state).lines().last().map(str::to_owned);
    assert_eq!(
        last(&[error.clone(), error.clone(), warning.clone()], "Done."),
        Some("2 errors, 1 warning. Done.".into())
    );
    assert_eq!(last(&[warning.clone(), warning], ""), Some("2 warnings.".into()));
    assert_eq!(last(&[], "Done."), None);
}
