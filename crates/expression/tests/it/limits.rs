//! Whatever the text, the answer is a value or a problem inside the text: no panic, no overflow of the stack.

use trainyard_expression::{Column, ProblemKind, Settings, Type, compile};
use trainyard_random::Key;

use crate::support::constant;

fn check(sql: &str) -> Result<(), Vec<ProblemKind>> {
    let columns =
        [Column { name: "x".to_owned(), kind: Type::Integer }, Column { name: "s".to_owned(), kind: Type::Text }];
    let settings = Settings { columns: &columns, forbidden: &[("y", "it is the target")], fitted: true };
    match compile(sql, &settings) {
        Ok(expression) => {
            assert_eq!(expression.sql(), sql);
            Ok(())
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "{sql}");
            for problem in &problems {
                assert!(sql.get(problem.span.clone()).is_some(), "{:?} of {sql:?}", problem.span);
                let shown = problem.diagnostic(|_| None, "");
                assert!(!shown.title.is_empty() && !shown.help.is_empty(), "{shown:?}");
            }
            Err(problems.into_iter().map(|problem| problem.kind).collect())
        }
    }
}

#[test]
fn deep_nesting_is_a_problem_not_a_crash() {
    let deep = |sql: String| {
        let problems = check(&sql).unwrap_err();
        assert!(matches!(problems[0], ProblemKind::TooDeep { .. } | ProblemKind::TooLong { .. }), "{:?}", problems[0]);
    };
    for count in [110, 1000, 100_000] {
        deep(format!("{}1{}", "(".repeat(count), ")".repeat(count)));
        deep("(".repeat(count));
        deep(format!("{}1", "abs(".repeat(count)));
        deep(format!("{}x > 1", "NOT ".repeat(count)));
        deep(format!("{}x", "- ".repeat(count)));
        deep(format!("{}x", "CASE WHEN ".repeat(count)));
        deep(format!("x{}", "::BIGINT".repeat(count.max(1700))));
        deep(format!("x{}", " IS NULL".repeat(count.max(1700))));
    }
}

#[test]
fn a_hundred_levels_are_fine() {
    for (open, close, count) in [
        ("(", ")", 100),
        ("abs(", ")", 100),
        ("CASE WHEN x > 1 THEN ", " END", 100),
        ("coalesce(x, -(", "))", 33),
        ("CAST(x > 1 OR x > 1 AND NOT 'a' = 'a' || 1 + 2 * 3 ^ (", ") AS BIGINT)", 33),
    ] {
        let sql = format!("{}x{}", open.repeat(count), close.repeat(count));
        assert_eq!(check(&sql), Ok(()), "{open}");
    }
    // Evaluation recurses too, on whatever stack the caller has.
    let nested = format!("{}1{}", "CASE WHEN 1 < 2 THEN ".repeat(100), " END".repeat(100));
    assert_eq!(constant(&nested).unwrap(), trainyard_expression::Value::Integer(1));
    assert!(check(&format!("x > 1 AND {} x > 1", "NOT ".repeat(100))).is_ok());
}

#[test]
fn long_chains_are_fine() {
    let chain = |item: &str, join: &str, count: usize| vec![item; count].join(join);
    assert!(check(&chain("x", " + ", 2000)).is_ok());
    assert!(check(&chain("x > 1", " OR ", 1000)).is_ok());
    assert!(check(&format!("x IN ({})", chain("1", ", ", 4000))).is_ok());
    assert!(matches!(check(&chain("x", " + ", 100_000)).unwrap_err()[0], ProblemKind::TooLong { .. }));
    assert_eq!(constant(&chain("1", " + ", 2000)).unwrap(), trainyard_expression::Value::Integer(2000));
}

#[test]
fn a_text_that_would_take_all_memory_is_a_fault() {
    for sql in [
        "repeat('ab', 134217729)",
        "repeat('x', 9223372036854775807)",
        "lpad('x', 100000000, '\u{1f600}')",
        "rpad('x', 9223372036854775807, 'y')",
        "replace(repeat('a', 1000000), 'a', repeat('b', 1000))",
    ] {
        let error = constant(sql).unwrap_err();
        assert!(error.to_string().contains("longer than 256 MiB"), "{sql}: {error}");
    }
    assert_eq!(constant("length(repeat('ab', 1000))").unwrap(), trainyard_expression::Value::Integer(2000));
}

#[test]
fn random_texts_never_panic() {
    const WORDS: &[&str] = &[
        "x",
        "s",
        "y",
        "z",
        "1",
        "1.5",
        "'a'",
        "'",
        "\"",
        "\"x\"",
        "(",
        ")",
        ",",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "^",
        "||",
        "=",
        "<",
        ">=",
        "<>",
        "AND",
        "OR",
        "NOT",
        "IS",
        "NULL",
        "TRUE",
        "IN",
        "BETWEEN",
        "LIKE",
        "ILIKE",
        "ESCAPE",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "CAST",
        "TRY_CAST",
        "AS",
        "BIGINT",
        "DATE",
        "'2024-02-29'",
        "INTERVAL",
        "DAY",
        "EXTRACT",
        "FROM",
        "year",
        "abs",
        "lower",
        "coalesce",
        "fitted_mean",
        "avg",
        "OVER",
        "SELECT",
        "random",
        "now",
        "substring",
        "FOR",
        "trim",
        "BOTH",
        "position",
        "floor",
        "::",
        ".",
        ";",
        "[",
        "]",
        "{",
        "}",
        "é",
        "日",
        "\n",
        "--",
        "/*",
        "*/",
        "$1",
        "?",
        "@",
        "#",
        "!",
        "~",
        "e'",
        "x'",
        "ARRAY",
        "STRUCT",
        "EXISTS",
        "AT",
        "TIME",
        "ZONE",
        "DISTINCT",
        "regexp_matches",
        "'('",
        "date_part",
        "'dow'",
        "round",
        "if",
        "COLLATE",
        "FILTER",
        "WHERE",
        "->",
        ":",
        "lambda",
    ];
    let mut stream = Key::new(7, "expression: random texts").stream();
    for _ in 0..20_000 {
        let count = 1 + stream.below(14);
        let mut sql = String::new();
        for _ in 0..count {
            sql.push_str(WORDS[stream.below(WORDS.len() as u64) as usize]);
            if stream.below(5) > 0 {
                sql.push(' ');
            }
        }
        let _ = check(&sql);
    }
    let mut bytes = Key::new(7, "expression: random characters").stream();
    for _ in 0..5_000 {
        let text: String = (0..bytes.below(24)).filter_map(|_| char::from_u32(bytes.below(0x250) as u32)).collect();
        let _ = check(&text);
    }
}
