//! Where a part of a YAML scalar's value stands in the file.

use std::ops::Range;

use trainyard_diagnostics::Place;

/// Narrows the place of a whole scalar to the bytes `part` of its value.
///
/// Quotes, escapes, indentation and folded lines make raw text and value differ, but never in their characters other
/// than white space, nor in the order of those; so the two are walked side by side over these. Gives the whole scalar
/// where that does not work out.
pub(crate) fn narrow(scalar: &Place, value: &str, part: &Range<usize>) -> Place {
    let raw = scalar.source.text.get(scalar.span.clone());
    let span = raw.and_then(|raw| locate(raw, value, part));
    let start = scalar.span.start;
    Place {
        source: scalar.source.clone(),
        span: span.map_or(scalar.span.clone(), |span| start + span.start..start + span.end),
    }
}

/// Finds `part` of `value` in its `raw` spelling.
fn locate(raw: &str, value: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let raw_marks = marks(raw)?;
    let marks: Vec<(usize, char)> = value.char_indices().filter(|(_, mark)| !mark.is_whitespace()).collect();
    if raw_marks.len() != marks.len() || raw_marks.iter().zip(&marks).any(|(raw, mark)| raw.1 != mark.1) {
        return None;
    }
    let first = marks.iter().position(|(at, _)| *at >= part.start);
    let last = marks.iter().rposition(|(at, _)| *at < part.end.max(part.start + 1));
    match (first, last) {
        (Some(first), Some(last)) if first <= last => Some(raw_marks.get(first)?.0.start..raw_marks.get(last)?.0.end),
        // White space only, or the end of the text: the point after the mark before it.
        (_, Some(last)) => raw_marks.get(last).map(|(span, _)| span.end..span.end),
        _ => None,
    }
}

/// Gives the characters of a scalar's value other than white space, each with its place in the raw text.
fn marks(raw: &str) -> Option<Vec<(Range<usize>, char)>> {
    let mut characters = raw.char_indices().peekable();
    let mut found = Vec::new();
    let style = raw.chars().next()?;
    match style {
        '\'' | '"' => {
            characters.next();
        }
        // A block scalar's first line is its header.
        '|' | '>' => while characters.next_if(|(_, mark)| *mark != '\n').is_some() {},
        _ => {}
    }
    while let Some((at, mark)) = characters.next() {
        let (value, end) = match (style, mark) {
            ('\'', '\'') => match characters.next_if(|(_, next)| *next == '\'') {
                Some((second, quote)) => (quote, second + 1),
                None => break,
            },
            ('"', '"') => break,
            ('"', '\\') => {
                let (second, escape) = characters.next()?;
                let digits = match escape {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                let mut code = 0;
                let mut end = second + escape.len_utf8();
                for _ in 0..digits {
                    let (at, digit) = characters.next()?;
                    code = code * 16 + digit.to_digit(16)?;
                    end = at + 1;
                }
                let value = match escape {
                    'x' | 'u' | 'U' => char::from_u32(code)?,
                    'n' | 't' | 'r' | 'v' | 'f' | 'N' | '_' | 'L' | 'P' => ' ',
                    '0' => '\0',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'e' => '\u{1b}',
                    other => other,
                };
                (value, end)
            }
            _ => (mark, at + mark.len_utf8()),
        };
        if !value.is_whitespace() {
            found.push((at..end, value));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::locate;

    fn check(raw: &str, value: &str, part: &str, expected: &str) {
        let start = value.find(part).unwrap();
        let span = locate(raw, value, &(start..start + part.len())).unwrap();
        assert_eq!(&raw[span], expected, "{raw}");
    }

    #[test]
    fn finds_parts_in_every_style() {
        check("tenure * Monthly", "tenure * Monthly", "Monthly", "Monthly");
        check("'Contract = ''Two year'' AND x'", "Contract = 'Two year' AND x", "'Two year'", "''Two year''");
        check(r#""a = \"b\" AND \u00e9t\u00e9""#, "a = \"b\" AND été", "été", r"\u00e9t\u00e9");
        check("|\n    tenure\n      + Größe\n", "tenure\n  + Größe\n", "Größe", "Größe");
        check(">-\n  a +\n  b\n\n  + c", "a + b\n+ c", "b\n+ c", "b\n\n  + c");
        check("a +\n    b", "a + b", "b", "b");
    }

    #[test]
    fn an_empty_part_is_a_point() {
        assert_eq!(locate("\"a + \"", "a + ", &(4..4)), Some(4..4));
        assert_eq!(locate("''", "", &(0..0)), None);
    }
}
