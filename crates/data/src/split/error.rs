//! Why a table can't be split.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Fault, count, nearest};
use trainyard_spec::Located;

/// How a column differs from the frozen reference test's.
#[expect(missing_docs, reason = "each variant says what happened")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnChange {
    /// The data does not have it.
    Absent,
    /// The reference test does not have it.
    New,
    /// It has another type.
    Type { was: String, is: String },
}

impl fmt::Display for ColumnChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnChange::Absent => formatter.write_str("is absent now"),
            ColumnChange::New => formatter.write_str("is new"),
            ColumnChange::Type { was, is } => write!(formatter, "was {was} and is {is}"),
        }
    }
}

/// Tells why a table can't be split.
#[expect(missing_docs, reason = "each variant says what happened; its fields are what its message names")]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The reference was frozen from other data.
    OtherData { version: u32, frozen_from: String, keys: usize, found: usize },
    /// The reference has other columns than the master.
    OtherColumns { columns: Vec<(String, ColumnChange)> },
    /// A part would be empty.
    EmptyPart { part: &'static str, rows: usize },
    /// A column that the split goes by is absent.
    UnknownColumn { column: Located<String>, known: Vec<String> },
    /// Rows have no group, or no moment.
    Missing { column: Located<String>, what: &'static str, rows: usize, of: usize },
    /// The column has no order of time.
    NoTime { column: Located<String>, kind: &'static str },
    /// A border is not of the column's type.
    Border { border: Located<String>, column: String, kind: &'static str },
    /// Validation begins where the reference test does, or later.
    BorderOrder { first: Located<String>, second: Located<String> },
    /// Rows of the reference remain in train or validation.
    Overlap { rows: usize },
    /// The SQL of an optional test can't be used.
    Predicate { diagnostic: Box<Diagnostic> },
    /// Rows could not be selected.
    Columns { cause: String },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::OtherData { version, frozen_from, keys, found } => Diagnostic::error(
                "split/other-data",
                format!("this is other data than split v{version} was frozen from"),
            )
            .note(format!(
                "v{version} was frozen from {frozen_from}; of its {keys} reference rows the data holds {found}"
            ))
            .help(format!(
                "write versions/splits/v{}.yaml for the new data and use --split {}",
                version + 1,
                version + 1
            )),
            Error::OtherColumns { columns } => {
                let problem = Diagnostic::error(
                    "split/other-columns",
                    "the data has other columns than the frozen reference test",
                );
                let noted = columns.iter().take(8).map(|(name, change)| format!("{name} {change}"));
                let problem = noted.fold(problem, Diagnostic::note);
                let retyped = columns.iter().find_map(|(name, change)| match change {
                    ColumnChange::Type { was, .. } => Some(format!("{name}: {was}")),
                    _ => None,
                });
                match retyped {
                    Some(retyped) => {
                        problem.help(format!("declare `data: {{types: {{{retyped}}}}}`, or write a new split version"))
                    }
                    None => problem.help(
                        "bring the columns back, leave new ones out with `data.drop`, or write a new split version",
                    ),
                }
            }
            Error::EmptyPart { part, rows } => {
                Diagnostic::error("split/empty-part", format!("of {rows} rows none is left for {part}")).help(
                    "bring more data, or change `shares` or borders; equal rows, groups and moments stay together",
                )
            }
            Error::UnknownColumn { column, known } => {
                let title = format!("the split goes by a column that the data does not have: `{}`", column.value);
                let problem =
                    column.origin.point(Diagnostic::error("split/unknown-column", title), "no such column in the data");
                match nearest(&column.value, known.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("name one of the data's columns"),
                }
            }
            Error::Missing { column, what, rows, of } => {
                let title =
                    format!("`{}` is missing in {} of {} rows", column.value, count(*rows as u64), count(*of as u64));
                let problem = Diagnostic::error("split/missing-value", title);
                let label = format!("every row needs a {what}");
                column.origin.point(problem, label).help("fill the cells in, or leave these rows out of the data")
            }
            Error::NoTime { column, kind } => {
                let title = format!("`{}` has no order of time: it holds {kind}", column.value);
                let problem = Diagnostic::error("split/no-time", title);
                column
                    .origin
                    .point(problem, "days, moments or whole numbers have one")
                    .help("write days as 2012-10-01 and moments as 2012-10-01 06:00:00, or name another column")
            }
            Error::Border { border, column, kind } => {
                let title = format!("the border `{}` can't be compared with `{column}`", border.value);
                let problem = Diagnostic::error("split/border", title);
                border.origin.point(problem, format!("the column holds {kind}")).help("write the border alike")
            }
            Error::BorderOrder { first, second } => {
                let problem = Diagnostic::error("split/border-order", "validation would begin after it ends");
                let problem = first.origin.point(problem, format!("not before {}", second.value));
                problem.help("let `validation_from` be earlier than `reference_test_from`")
            }
            Error::Overlap { rows } => {
                Diagnostic::error("split/overlap", format!("{rows} rows are on two sides of the split"))
                    .with_fault(Fault::Internal)
            }
            Error::Predicate { diagnostic } => (**diagnostic).clone(),
            Error::Columns { cause } => Diagnostic::error("split/internal", format!("rows can't be selected: {cause}"))
                .with_fault(Fault::Internal),
        }
    }
}
