//! Problems and runtime errors in words: what, where, the nearest name, one thing to do.

use std::ops::Range;

use trainyard_diagnostics::{Diagnostic, Place, one_of};

use crate::problem::{Problem, ProblemKind};
use crate::runtime::{Fault, RuntimeError};
use crate::value::Type;

/// What is said about a problem.
struct Words {
    code: &'static str,
    title: String,
    label: String,
    notes: Vec<String>,
    help: Option<String>,
}

fn words(code: &'static str, title: impl Into<String>, label: impl Into<String>) -> Words {
    Words { code, title: title.into(), label: label.into(), notes: Vec::new(), help: None }
}

impl Words {
    fn help(mut self, help: impl Into<String>) -> Words {
        self.help = Some(help.into());
        self
    }

    fn note(mut self, note: impl Into<String>) -> Words {
        self.notes.push(note.into());
        self
    }

    fn suggest(self, nearest: Option<&String>, otherwise: impl Into<String>) -> Words {
        match nearest {
            Some(nearest) => self.help(format!("did you mean `{nearest}`?")),
            None => self.help(otherwise),
        }
    }

    fn diagnostic(self, place: Option<Place>, span: &Range<usize>, subject: &str) -> Diagnostic {
        let title = if subject.is_empty() { self.title } else { format!("{subject}: {}", self.title) };
        let mut diagnostic = Diagnostic::error(self.code, title);
        match place {
            Some(place) => diagnostic = diagnostic.at(place, self.label),
            None => {
                diagnostic = diagnostic.note(format!("{} (byte {} of the expression)", self.label, span.start + 1));
            }
        }
        for note in self.notes {
            diagnostic = diagnostic.note(note);
        }
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

fn article(kind: Type) -> &'static str {
    if kind == Type::Integer { "an" } else { "a" }
}

fn named(kind: Option<Type>) -> &'static str {
    kind.map_or("NULL", Type::name)
}

fn listed(kinds: &[Option<Type>]) -> String {
    match kinds {
        [one] => named(*one).to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(|kind| named(*kind)).collect();
            format!("{} and {}", first.join(", "), named(*last))
        }
        [] => "nothing".to_owned(),
    }
}

fn cast_help(kinds: &[Option<Type>]) -> String {
    let kinds: Vec<Type> = kinds.iter().flatten().copied().collect();
    match kinds.as_slice() {
        [Type::Text, other] | [other, Type::Text] if *other != Type::Text => {
            format!("convert the text: `CAST(… AS {})`, or `TRY_CAST` for NULL where it cannot be read", other.sql())
        }
        [Type::Boolean, ..] | [_, Type::Boolean] => {
            "convert the boolean: `CAST(… AS BIGINT)` is 1 where it is true".to_owned()
        }
        [Type::Timestamp, Type::Timestamp] => "count a unit of time: `date_diff('second', start, end)`".to_owned(),
        _ => "convert one side: `CAST(… AS …)`".to_owned(),
    }
}

impl Problem {
    /// Says the problem to a user. `place_of` turns bytes of the SQL text into a place of the file that holds it;
    /// `subject` says whose expression it is, such as "column `total_amount`".
    pub fn diagnostic(&self, place_of: impl Fn(Range<usize>) -> Option<Place>, subject: &str) -> Diagnostic {
        self.words().diagnostic(place_of(self.span.clone()), &self.span, subject)
    }

    fn words(&self) -> Words {
        match &self.kind {
            ProblemKind::Empty => words("expression/empty", "the expression is empty", "nothing here")
                .help("write an SQL expression over the columns of a row, such as `tenure * MonthlyCharges`"),
            ProblemKind::Syntax { .. }
            | ProblemKind::Trailing { .. }
            | ProblemKind::Statement
            | ProblemKind::ChainedComparison
            | ProblemKind::TooDeep { .. }
            | ProblemKind::TooLong { .. } => self.syntax_words(),
            ProblemKind::UnknownColumn { .. }
            | ProblemKind::AmbiguousColumn { .. }
            | ProblemKind::ForbiddenColumn { .. }
            | ProblemKind::QualifiedName { .. } => self.column_words(),
            ProblemKind::Aggregate { .. }
            | ProblemKind::Window { .. }
            | ProblemKind::Subquery
            | ProblemKind::Volatile { .. }
            | ProblemKind::FittedNotAllowed { .. }
            | ProblemKind::FittedNested { .. }
            | ProblemKind::Unsupported { .. } => self.refusal_words(),
            _ => self.type_words(),
        }
    }

    fn syntax_words(&self) -> Words {
        match &self.kind {
            ProblemKind::Trailing { found } => words(
                "expression/trailing",
                "something follows the end of the expression",
                format!("the expression is complete before `{found}`"),
            )
            .help("write one expression; put a name with blanks in double quotes: \"Date Egg\""),
            ProblemKind::Statement => words("expression/statement", "an expression is not a statement", "no `;` here")
                .help("remove the `;` and what follows it"),
            ProblemKind::ChainedComparison => words(
                "expression/chained-comparison",
                "comparisons cannot be chained",
                "a second comparison of the first one's result",
            )
            .help("join them with AND, as in `1 < x AND x < 3`, or use BETWEEN"),
            ProblemKind::TooDeep { limit } => {
                words("expression/too-deep", "the expression nests too deeply", format!("more than {limit} levels"))
                    .help("split it into several columns")
            }
            ProblemKind::TooLong { limit } => {
                words("expression/too-long", "the expression is too long", format!("more than {limit} words and signs"))
                    .help("split it into several columns")
            }
            ProblemKind::Syntax { expected, found } => {
                // A sign is quoted, a description is not.
                let expected = match expected.chars().all(|character| character.is_ascii_punctuation()) {
                    true => format!("`{expected}`"),
                    false => expected.clone(),
                };
                let label = match (expected.as_str(), found.as_str()) {
                    (expected, "") => format!("expected {expected}, but the expression ends"),
                    (expected, found) => format!("expected {expected}, found `{found}`"),
                };
                words("expression/syntax", "not an SQL expression", label).help(
                    "write text in single quotes 'like this' and names with blanks in double quotes \"like this\"",
                )
            }
            _ => words("expression/syntax", "not an SQL expression", ""),
        }
    }

    fn column_words(&self) -> Words {
        match &self.kind {
            ProblemKind::UnknownColumn { name, nearest, known } => {
                let count = known.len();
                let label = match count {
                    0 => "there is no column to read".to_owned(),
                    1 => "not the one column there is".to_owned(),
                    _ => format!("not among the {count} columns"),
                };
                let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                let otherwise = match count {
                    0 => "write text in single quotes: 'like this'".to_owned(),
                    _ => format!("use {}; text goes in single quotes", one_of(&quoted, 6)),
                };
                words("expression/unknown-column", format!("unknown column `{name}`"), label)
                    .suggest(nearest.as_ref(), otherwise)
            }
            ProblemKind::AmbiguousColumn { name, candidates } => {
                let quoted: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
                words(
                    "expression/ambiguous-column",
                    format!("`{name}` may be several columns"),
                    format!("{} differ only in case", quoted.join(" and ")),
                )
                .help("write the name exactly as the data has it, in double quotes")
            }
            ProblemKind::ForbiddenColumn { name, why } => {
                words("expression/forbidden-column", format!("the column `{name}` must not be read here"), why.clone())
                    .help("leave it out")
            }
            ProblemKind::QualifiedName { name, last } => {
                words("expression/qualified-name", format!("`{name}` names a table"), "there is only one table")
                    .help(format!("write `{last}`, or put the whole name in double quotes if the dot belongs to it"))
            }
            _ => words("expression/column", "a column cannot be read", ""),
        }
    }

    fn refusal_words(&self) -> Words {
        match &self.kind {
            ProblemKind::Aggregate { name, fitted } => {
                let refused = words(
                    "expression/aggregate",
                    format!("`{name}` looks at other rows"),
                    "an expression sees one row",
                );
                match fitted {
                    Some(fitted) => refused.help(format!("`{fitted}(…)` learns it from the training rows alone")),
                    None => refused.help("compute it before the data comes here, or use a `fitted_` aggregate"),
                }
            }
            ProblemKind::Window { name } => words(
                "expression/window",
                format!("`{name}` is a window function here"),
                "an expression sees one row",
            )
            .help("a `fitted_` aggregate, such as `fitted_mean(x)`, learns one value from the training rows alone"),
            ProblemKind::Subquery => {
                words("expression/subquery", "a subquery has no place in an expression", "an expression sees one row")
                    .help("join the data before it comes here")
            }
            ProblemKind::Volatile { name } => words(
                "expression/volatile",
                format!("`{name}` gives something else in every run"),
                "the same data would give other features",
            )
            .help("write a fixed value, such as DATE '2024-02-29', or put it into the data as a column"),
            ProblemKind::FittedNotAllowed { name } => words(
                "expression/fitted-not-allowed",
                format!("`{name}` has no training rows here"),
                "nothing is fitted here",
            )
            .help("write the value itself"),
            ProblemKind::FittedNested { name } => words(
                "expression/fitted-nested",
                format!("`{name}` stands inside another fitted aggregate"),
                "already inside one",
            )
            .help("make the inner one a column of its own, then fit over that"),
            ProblemKind::Unsupported { what } => {
                words("expression/unsupported", format!("{what} is not supported"), "not supported")
                    .help("see the guide's list of functions and operators for what takes its place")
            }
            _ => words("expression/refused", "not allowed in an expression", ""),
        }
    }

    fn type_words(&self) -> Words {
        match &self.kind {
            ProblemKind::UnknownFunction { name, nearest } => {
                words("expression/unknown-function", format!("unknown function `{name}`"), "no such function")
                    .suggest(nearest.as_ref(), "see the guide's list of functions")
            }
            ProblemKind::ArgumentCount { function, signature, got } => {
                let arguments = if *got == 1 { "1 argument".to_owned() } else { format!("{got} arguments") };
                words(
                    "expression/argument-count",
                    format!("`{function}` got {arguments}"),
                    format!("called with {arguments}"),
                )
                .help(format!("call it as `{signature}`"))
            }
            ProblemKind::ArgumentTypes { function, signature, got } => {
                let got = listed(got);
                words(
                    "expression/argument-types",
                    format!("`{function}` cannot take {got}"),
                    format!("called with {got}"),
                )
                .help(format!("call it as `{signature}`; `CAST(… AS …)` converts"))
            }
            ProblemKind::OperandTypes { operator, got } => {
                let help = cast_help(got);
                let listed = listed(got);
                words("expression/operand-types", format!("`{operator}` cannot take {listed}"), listed).help(help)
            }
            ProblemKind::MixedTypes { construct, first, second } => words(
                "expression/mixed-types",
                format!("`{construct}` mixes {first} and {second}"),
                format!("{second}, but {first} before"),
            )
            .help(cast_help(&[Some(*first), Some(*second)])),
            ProblemKind::NotBoolean { construct, got } => {
                let help = match got {
                    Type::Integer | Type::Float => "compare it: `… <> 0`",
                    _ => "compare it with something: `… = …`",
                };
                words("expression/not-boolean", format!("{construct} needs a condition"), format!("{got}, not boolean"))
                    .help(help)
            }
            ProblemKind::ImpossibleCast { from, to } => {
                let help = match (from, to) {
                    (Type::Date | Type::Timestamp, Type::Integer | Type::Float) => {
                        "take a part of it, such as `date_part('epoch', …)` or `year(…)`"
                    }
                    (Type::Integer | Type::Float, Type::Date) => "`DATE '1970-01-01' + …` counts days",
                    (Type::Integer | Type::Float, Type::Timestamp) => "`make_timestamp(…)` counts microseconds",
                    _ => "use another type",
                };
                words("expression/impossible-cast", format!("{from} cannot become {to}"), "no such cast").help(help)
            }
            ProblemKind::UnknownType { name } => {
                let refused =
                    words("expression/unknown-type", format!("no column has the type `{name}`"), "unknown type");
                let decimal =
                    name.to_ascii_uppercase().starts_with("DEC") || name.to_ascii_uppercase().starts_with("NUM");
                let help = if decimal {
                    "use DOUBLE, and `round(…, 2)` where decimals matter"
                } else {
                    "use BOOLEAN, BIGINT, DOUBLE, VARCHAR, DATE or TIMESTAMP"
                };
                refused.help(help)
            }
            ProblemKind::BadLiteral { text, kind } => {
                let help = match kind {
                    Type::Date => "write it as '2024-02-29'",
                    Type::Timestamp => "write it as '2024-02-29 12:30:00'",
                    Type::Integer => {
                        "whole numbers lie between -9223372036854775808 and 9223372036854775807; a point makes a float"
                    }
                    Type::Float => "write it as 1.5 or 1.5e-3",
                    Type::Boolean => "write TRUE or FALSE",
                    Type::Text => "write it in single quotes",
                };
                words(
                    "expression/bad-literal",
                    format!("`{text}` cannot be read as {kind}"),
                    format!("not {} {kind}", article(*kind)),
                )
                .help(help)
            }
            ProblemKind::BadInterval { text } => words(
                "expression/bad-interval",
                format!("the interval `{text}` is not understood"),
                "not an interval",
            )
            .help("write whole numbers of units: `INTERVAL 3 DAY`, `INTERVAL (n) HOUR`, `INTERVAL '1 month 3 days'`"),
            ProblemKind::NotLiteral { function, argument } => words(
                "expression/not-literal",
                format!("the {argument} of `{function}` must be a literal"),
                "not a literal",
            )
            .help("write it as text in single quotes"),
            ProblemKind::BadPattern { message } => {
                words("expression/bad-pattern", "the regular expression does not compile", message.clone())
                    .help("the syntax is that of Rust's `regex`, without look-around and back-references")
            }
            ProblemKind::UnknownPart { name, nearest } => {
                words("expression/unknown-part", format!("`{name}` is no part of a date"), "unknown part")
                    .suggest(nearest.as_ref(), "use a part such as year, month, day, dow, week or hour")
            }
            ProblemKind::BadFormat { specifier } if specifier.is_empty() => {
                words("expression/bad-format", "the format is empty", "empty").help("write it as '%Y-%m-%d'")
            }
            ProblemKind::BadFormat { specifier } => {
                words("expression/bad-format", format!("the format has an unknown `{specifier}`"), "unknown specifier")
                    .help("write it as '%Y-%m-%d %H:%M:%S'; `%%` is a percent sign")
            }
            ProblemKind::BadEscape { escape, at_end: true } => words(
                "expression/bad-escape",
                format!("the pattern ends with its escape `{escape}`"),
                "nothing follows the escape",
            )
            .help("write the escape twice for the character itself"),
            ProblemKind::BadEscape { escape, .. } => words(
                "expression/bad-escape",
                format!("the escape `{escape}` is not one character"),
                "more than one character",
            )
            .help("write one character: ESCAPE '\\'"),
            ProblemKind::BadArgument { function, argument, expected } => words(
                "expression/bad-argument",
                format!("`{function}` does not take `{argument}`"),
                format!("expected {expected}"),
            )
            .help(format!("use {expected}")),
            ProblemKind::NullType => {
                words("expression/null-type", "the expression is always NULL", "NULL has no type of its own")
                    .help("give it one with a cast, such as `CAST(NULL AS DOUBLE)`, or another value")
            }
            _ => words("expression/problem", "the expression cannot be used", ""),
        }
    }
}

impl RuntimeError {
    /// Says the failure to a user; see [`Problem::diagnostic`] for the arguments.
    pub fn diagnostic(&self, place_of: impl Fn(Range<usize>) -> Option<Place>, subject: &str) -> Diagnostic {
        let fault = self.fault.to_string();
        let found = match &self.fault {
            Fault::Overflow { .. } => {
                words("expression/overflow", fault, "overflows").help("compute with floats: `CAST(… AS DOUBLE)`")
            }
            Fault::DivisionByZero => words("expression/division-by-zero", fault, "divides by zero")
                .help("divide by `nullif(…, 0)` for NULL; `/` gives infinity instead"),
            Fault::Cast { to, .. } => words("expression/cast", fault, format!("not {to}"))
                .help("`TRY_CAST(… AS …)` gives NULL for what cannot be read"),
            Fault::Domain { .. } => {
                words("expression/domain", fault, "outside what it takes").help("sort such rows out with CASE")
            }
            Fault::DateRange => {
                words("expression/date-range", fault, "leaves the calendar").help("sort such rows out with CASE")
            }
            Fault::Format { .. } => words("expression/format", fault, "does not match")
                .help("`try_strptime` gives NULL for what does not match"),
            Fault::MissingColumn { .. } => words("expression/missing-column", fault, "reads it")
                .help("give rows with every column that the expression reads"),
            Fault::ColumnType { .. } => words("expression/column-type", fault, "reads it")
                .help("give rows of the types that the expression was checked for"),
            Fault::Fitted { .. } => {
                words("expression/fitted", fault, "uses it").help("fit the expression again on the training rows")
            }
        };
        let found = match self.row {
            Some(row) => found.note(format!("in row {}", row + 1)),
            None => found,
        };
        found.diagnostic(place_of(self.span.clone()), &self.span, subject)
    }
}
