//! Whatever the text and the range: no panic, and the caret stays inside the window.

use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Place, Source, Style, nearest, render};

#[test]
fn every_range_of_odd_texts_is_drawn() {
    let texts = [
        "",
        "\n",
        "\r\n\r\n",
        "a\tb\r\n漢字\u{301}\u{200b}🦀\n\n  é",
        "\u{feff}a: b\n",
        "one\ntwo\nthree\nfour\nfive\nsix\nseven",
        "0123456789012345678901234567890123456789 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字\n",
    ];
    for text in texts {
        let source = Source::new("a", text);
        // Ranges outside the text, backwards and through characters are as welcome as others.
        for start in 0..=text.len() + 1 {
            for end in 0..=text.len() + 2 {
                let place = Place { source: Arc::clone(&source), span: start..end };
                for width in [0, 1, 30, 100] {
                    let diagnostic = Diagnostic::error("a/b", "t").at(place.clone(), "label");
                    let drawn = render(&diagnostic, &Style { color: false, width });
                    assert!(drawn.contains('^'), "{text:?} {start}..{end}\n{drawn}");
                    assert!(drawn.lines().all(|line| line == line.trim_end()), "{drawn}");
                }
                let (from, to) = (place.start(), place.end());
                assert!(from <= to, "{text:?} {start}..{end}: {from:?} {to:?}");
            }
        }
    }
}

#[test]
fn positions_count_characters_and_lines_as_editors_do() {
    let source = Arc::new(Source { name: "a".into(), text: "é\r\n漢x\n".into(), first_line: 10 });
    let positions: Vec<(usize, usize)> =
        (0..=9).map(|at| source.position(at)).map(|position| (position.line, position.column)).collect();
    assert_eq!(positions, [(10, 1), (10, 1), (10, 2), (10, 3), (11, 1), (11, 1), (11, 1), (11, 2), (11, 3), (12, 1)]);
}

#[test]
fn near_names_survive_odd_names() {
    for name in ["", " ", "___", "漢字", "\u{301}", &"é".repeat(1000)] {
        assert_eq!(nearest(name, ["alpha", "", "_"]), None, "{name:?}");
    }
}
