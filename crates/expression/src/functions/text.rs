//! Functions of text.

use super::{Function, Special, function};
use crate::kernel::text;
use crate::operation::{B, I, S, one, one_text, three_text, two, two_text};
use crate::value::Type::{Boolean, Integer, Text};

pub(super) fn all() -> Vec<Function> {
    let mut all = measuring();
    all.extend(cutting());
    all.extend(making());
    all.extend(regular());
    all
}

fn measuring() -> Vec<Function> {
    let test = |name, signature, summary, example, kernel: fn(&str, &str) -> bool| {
        let operation = two::<S, S, B>(move |a, b| Ok(Some(kernel(a, b))));
        function(name, signature, summary, example).on(&[Text, Text], Boolean, operation)
    };
    vec![
        function("length", "length(text)", "The number of characters (code points).", "length('héllo') → 5")
            .alias(&["len", "char_length", "character_length"])
            .on(&[Text], Integer, one::<S, I>(|a| Ok(Some(text::length(a) as i64)))),
        function("strlen", "strlen(text)", "The number of bytes in UTF-8.", "strlen('héllo') → 6").on(
            &[Text],
            Integer,
            one::<S, I>(|a| Ok(Some(a.len() as i64))),
        ),
        function(
            "strpos",
            "strpos(text, part)",
            "The place of the first occurrence, from 1; 0 where there is none. Also `position(part IN text)`.",
            "strpos('hello', 'l') → 3",
        )
        .alias(&["instr", "position"])
        .on(&[Text, Text], Integer, two::<S, S, I>(|a, b| Ok(Some(text::position(a, b))))),
        test(
            "contains",
            "contains(text, part)",
            "Whether the text contains a part.",
            "contains('hello', 'ell') → TRUE",
            |a, b| a.contains(b),
        ),
        test(
            "starts_with",
            "starts_with(text, part)",
            "Whether the text starts with a part.",
            "starts_with('hello', 'he') → TRUE",
            |a, b| a.starts_with(b),
        )
        .alias(&["prefix"]),
        test(
            "ends_with",
            "ends_with(text, part)",
            "Whether the text ends with a part.",
            "ends_with('hello', 'lo') → TRUE",
            |a, b| a.ends_with(b),
        )
        .alias(&["suffix"]),
        function(
            "ascii",
            "ascii(text)",
            "The code point of the first character; 0 for an empty text.",
            "ascii('A') → 65",
        )
        .alias(&["ord", "unicode"])
        .on(
            &[Text],
            Integer,
            one::<S, I>(|a| Ok(Some(a.chars().next().map_or(0, |first| i64::from(u32::from(first)))))),
        ),
    ]
}

fn cutting() -> Vec<Function> {
    let cut = |name, signature, summary, example, kernel: fn(&str, i64) -> &str| {
        let operation = two_text::<S, I>(move |a, count, out| {
            out.push_str(kernel(a, count));
            Ok(Some(()))
        });
        function(name, signature, summary, example).on(&[Text, Integer], Text, operation)
    };
    let trim = |name, signature, summary, example, start: bool, end: bool| {
        let spaces = one_text::<S>(move |a, out| {
            out.push_str(text::trim(a, None, start, end));
            Ok(Some(()))
        });
        let characters = two_text::<S, S>(move |a, characters, out| {
            out.push_str(text::trim(a, Some(characters), start, end));
            Ok(Some(()))
        });
        function(name, signature, summary, example).on(&[Text], Text, spaces).on(&[Text, Text], Text, characters)
    };
    vec![
        function(
            "substring",
            "substring(text, start[, length])",
            "A part of the text, from 1; a negative start counts from the end. Also `substring(text FROM start FOR length)`.",
            "substring('hello', 2, 3) → 'ell'",
        )
        .alias(&["substr"])
        .on(&[Text, Integer], Text, two_text::<S, I>(|a, start, out| {
            out.push_str(text::substring(a, start, None)?);
            Ok(Some(()))
        }))
        .on(&[Text, Integer, Integer], Text, three_text::<S, I, I>(|a, start, length, out| {
            out.push_str(text::substring(a, start, Some(length))?);
            Ok(Some(()))
        })),
        cut("left", "left(text, count)", "The first characters; a negative count leaves out the last ones.", "left('hello', 2) → 'he'", text::left),
        cut("right", "right(text, count)", "The last characters; a negative count leaves out the first ones.", "right('hello', 2) → 'lo'", text::right),
        trim(
            "trim",
            "trim(text[, characters])",
            "Takes spaces, or any of some characters, away at both ends. Also `trim(BOTH 'x' FROM text)`.",
            "trim('  a ') → 'a'",
            true,
            true,
        ),
        trim("ltrim", "ltrim(text[, characters])", "Like `trim`, at the start.", "ltrim('xxa', 'x') → 'a'", true, false),
        trim("rtrim", "rtrim(text[, characters])", "Like `trim`, at the end.", "rtrim('a  ') → 'a'", false, true),
        function(
            "split_part",
            "split_part(text, separator, index)",
            "The part between separators, from 1, or from the end when negative; empty where there is none.",
            "split_part('a-b-c', '-', 2) → 'b'",
        )
        .on(&[Text, Text, Integer], Text, three_text::<S, S, I>(|a, separator, index, out| {
            out.push_str(text::split_part(a, separator, index));
            Ok(Some(()))
        })),
    ]
}

fn making() -> Vec<Function> {
    let each = |name, signature, summary, example, kernel: fn(char) -> char, ascii: fn(&mut str)| {
        let operation = one_text::<S>(move |a, out| {
            let start = out.len();
            if a.is_ascii() {
                out.push_str(a);
                ascii(out.get_mut(start..).unwrap_or_default());
            } else {
                out.extend(a.chars().map(kernel));
            }
            Ok(Some(()))
        });
        function(name, signature, summary, example).on(&[Text], Text, operation)
    };
    let pad = |name, signature, summary, example, left: bool| {
        let operation = three_text::<S, I, S>(move |a, size, padding, out| text::pad(a, size, padding, left, out));
        function(name, signature, summary, example).on(&[Text, Integer, Text], Text, operation)
    };
    vec![
        each(
            "lower",
            "lower(text)",
            "In lower case, letter by letter.",
            "lower('ÀB') → 'àb'",
            text::lower,
            str::make_ascii_lowercase,
        )
        .alias(&["lcase"]),
        each(
            "upper",
            "upper(text)",
            "In upper case, letter by letter.",
            "upper('àb') → 'ÀB'",
            text::upper,
            str::make_ascii_uppercase,
        )
        .alias(&["ucase"]),
        function(
            "replace",
            "replace(text, from, to)",
            "Replaces every occurrence.",
            "replace('banana', 'an', '-') → 'b--a'",
        )
        .on(&[Text, Text, Text], Text, three_text::<S, S, S>(text::replace)),
        function(
            "concat",
            "concat(value, …)",
            "Joins values of any type as text; skips NULL. See also `||`.",
            "concat('a', 1, NULL) → 'a1'",
        )
        .special(Special::Concat),
        function(
            "concat_ws",
            "concat_ws(separator, value, …)",
            "Joins values as text with a separator between them; skips NULL.",
            "concat_ws('-', 'a', NULL, 'b') → 'a-b'",
        )
        .special(Special::ConcatSeparated),
        function("repeat", "repeat(text, count)", "The text several times.", "repeat('ab', 2) → 'abab'").on(
            &[Text, Integer],
            Text,
            two_text::<S, I>(text::repeat),
        ),
        function(
            "reverse",
            "reverse(text)",
            "From the last character to the first; what is read as one character stays whole.",
            "reverse('abc') → 'cba'",
        )
        .on(
            &[Text],
            Text,
            one_text::<S>(|a, out| {
                text::reverse(a, out);
                Ok(Some(()))
            }),
        ),
        pad(
            "lpad",
            "lpad(text, size, padding)",
            "Padded at the start, or cut at the end, to a size.",
            "lpad('7', 3, '0') → '007'",
            true,
        ),
        pad(
            "rpad",
            "rpad(text, size, padding)",
            "Padded or cut at the end to a size.",
            "rpad('a', 3, '.') → 'a..'",
            false,
        ),
        function("chr", "chr(code)", "The character of a code point.", "chr(65) → 'A'").on(
            &[Integer],
            Text,
            one_text::<I>(text::character),
        ),
    ]
}

fn regular() -> Vec<Function> {
    vec![
        function(
            "regexp_matches",
            "regexp_matches(text, pattern[, options])",
            "Whether a part of the text matches. The pattern is a literal in the syntax of Rust's `regex`, close to RE2; `\\d`, `\\s`, `\\w` and `\\b` mean ASCII. Options are the letters `i` (any case), `s` (`.` matches line ends) and `l` (no pattern but plain text).",
            "regexp_matches('abc', '^a.c$') → TRUE",
        )
        .special(Special::RegexpMatches),
        function(
            "regexp_full_match",
            "regexp_full_match(text, pattern[, options])",
            "Whether the whole text matches.",
            "regexp_full_match('abc', 'b') → FALSE",
        )
        .special(Special::RegexpFullMatch),
        function(
            "regexp_extract",
            "regexp_extract(text, pattern[, group[, options]])",
            "The first match, or a group of it from 1; empty where there is none.",
            "regexp_extract('id-42', '-([0-9]+)', 1) → '42'",
        )
        .special(Special::RegexpExtract),
        function(
            "regexp_replace",
            "regexp_replace(text, pattern, replacement[, options])",
            "Replaces the first match, or every match with the option `g`. `\\1` in the replacement is the first group.",
            "regexp_replace('aXbX', 'X', '-', 'g') → 'a-b-'",
        )
        .special(Special::RegexpReplace),
    ]
}
