//! Every problem as it is shown: the file holds the expressions and what a user sees.
//!
//! `TRAINYARD_BLESS=1` writes the file anew.

use std::fmt::Write;

use trainyard_diagnostics::{Place, Source, Style, render};
use trainyard_expression::{Column, Settings, Type, compile};

const CASES: &str = include_str!("../cases/problems.sql");

#[test]
fn problems_are_shown_as_recorded() {
    let columns = [
        ("tenure", Type::Integer),
        ("MonthlyCharges", Type::Float),
        ("Contract", Type::Text),
        ("PaymentMethod", Type::Text),
        ("Signed Up", Type::Date),
        ("seen", Type::Timestamp),
        ("Senior", Type::Boolean),
        ("id", Type::Integer),
        ("ID", Type::Integer),
        ("Churn", Type::Text),
    ]
    .map(|(name, kind)| Column { name: name.to_owned(), kind });
    let mut shown = String::new();
    for case in CASES.split("\n\n").map(str::trim_end).filter(|case| !case.is_empty()) {
        // A case that begins with this mark may not fit anything.
        let (fitted, sql) = match case.strip_prefix("[row-wise] ") {
            Some(sql) => (false, sql),
            None => (true, case),
        };
        let sql = if sql == "[empty]" { "" } else { sql };
        let settings = Settings { columns: &columns, forbidden: &[("Churn", "it is the target")], fitted };
        let _ = writeln!(shown, "{case}\n");
        match compile(sql, &settings) {
            Ok(expression) => {
                let _ = writeln!(shown, "fine: {}\n", expression.kind());
            }
            Err(problems) => {
                let source = Source::new("v1.yaml", sql);
                for problem in problems {
                    let place = |span| Some(Place::new(source.clone(), span));
                    let diagnostic = problem.diagnostic(place, "column `x`");
                    let _ = writeln!(shown, "{}", render(&diagnostic, &Style { color: false, width: 100 }));
                }
            }
        }
        shown.push_str("────────\n");
    }
    let path = trainyard_judges::crate_folder().join("tests/cases/problems.txt");
    if std::env::var_os("TRAINYARD_BLESS").is_some() {
        std::fs::write(&path, &shown).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(recorded == shown, "differs from {}; TRAINYARD_BLESS=1 records it:\n{shown}", path.display());
}
