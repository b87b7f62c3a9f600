//! What can be wrong with data.

use std::fmt;
use std::path::PathBuf;

use trainyard_diagnostics::{Diagnostic, Place, Source, count, nearest, one_of};

use crate::format::Packing;
use crate::images::BadImage;
use crate::read::Declared;

/// One line of a file, as far as it helps to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file as the user named it.
    pub file: String,
    /// Its number, from 1.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// The bytes in question.
    pub span: std::ops::Range<usize>,
}

impl Line {
    fn place(&self) -> Place {
        let source = Source { name: self.file.clone(), text: self.text.clone(), first_line: self.number };
        Place::new(source.into(), self.span.clone())
    }
}

/// Why a table can't be read or used.
#[expect(missing_docs, reason = "each variant says what happened; its fields are what its message names")]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// There is no such file; the nearest name in its folder.
    Missing { file: String, near: Option<String> },
    /// A folder stands where a file should.
    Folder { file: String },
    /// The disk said no.
    Unreadable { file: String, cause: String },
    /// The ending names no format.
    UnknownFormat { file: String },
    /// The file holds nothing.
    Empty { file: String },
    /// The file holds names but no row.
    HeaderOnly { file: String },
    /// A row has another number of cells than the header.
    Ragged { line: Line, expected: usize, got: usize },
    /// A table without rows.
    NoRows { file: String },
    /// A quote is opened and never closed.
    UnclosedQuote { line: Line },
    /// A row is longer than any is read.
    LongRow { file: String, line: u64, most: usize },
    /// Two columns share a name.
    DuplicateColumn { file: String, line: Option<Line>, name: String },
    /// A column has no name.
    EmptyName { file: String, line: Option<Line>, position: usize },
    /// Bytes that are no UTF-8.
    Encoding { file: String, line: usize, byte: usize, utf16: bool },
    /// One column whose name and cells another character would cut into several.
    Delimiter { line: Line, delimiter: char, likely: char },
    /// A value breaks the type of its column.
    Type { line: Line, column: String, kind: &'static str, value: String, declared: Declared },
    /// A value of a source without lines breaks the type of its column.
    Value { file: String, row: usize, column: String, kind: &'static str, value: String, declared: Declared },
    /// A declared type names no column.
    UnknownTyped { name: String, columns: Vec<String> },
    /// Columns whose types are kept are not there any more.
    Gone { gone: Vec<String>, places: Vec<Place>, columns: Vec<String> },
    /// A Parquet file that can't be read.
    Parquet { file: String, cause: String },
    /// A Parquet column of a type that no table holds.
    UnsupportedType { file: String, column: String, kind: String },
    /// A file that can't be unpacked.
    Packed { file: String, cause: String },
    /// An Arrow file that can't be read.
    Arrow { file: String, cause: String },
    /// A line of JSON lines is no JSON.
    JsonLine { line: Line, cause: String },
    /// A line of JSON lines is JSON, but no object.
    NotObject { line: Line, found: &'static str },
    /// A key holds a list or an object.
    Nested { line: Line, column: String, found: &'static str },
    /// A key stands twice in one line.
    RepeatedKey { line: Line, name: String },
    /// The lines have more keys than a table has columns.
    TooManyColumns { line: Line, most: usize },
    /// No file matches a pattern.
    NoMatch { pattern: String },
    /// One of several files has other columns than the first.
    OtherColumns { file: String, first: String, absent: Vec<String>, extra: Vec<String> },
    /// A column is of one type in one file and of another in another.
    OtherTypes { file: String, first: String, column: String, kind: &'static str, first_kind: &'static str },
    /// A named column is not there.
    NoColumn { what: &'static str, name: String, columns: Vec<String>, place: Option<Place> },
    /// A column that is to cut the tests into slices has another text in each row.
    SliceOfRows { column: String, rows: usize, place: Option<Place> },
    /// The target is missing in some rows.
    MissingTarget { column: String, rows: usize, first: usize },
    /// The target never changes.
    ConstantTarget { column: String, value: String },
    /// A two-class target has more classes.
    ThirdClass { column: String, classes: Vec<(String, usize)> },
    /// A target has more classes than can be told apart.
    TooManyClasses { column: String, classes: usize, most: usize },
    /// A row is of a class that the data did not have when the model was made.
    UnknownClass { column: String, label: String, classes: Vec<String> },
    /// A weight is missing, no number, negative or infinite.
    BadWeight { column: String, row: usize, value: Option<String>, place: Option<Place> },
    /// Every weight is 0.
    NoWeight { column: String, place: Option<Place> },
    /// The positive label does not occur.
    NoPositive { column: String, positive: String, classes: Vec<String>, place: Option<Place> },
    /// A text target without a positive label.
    PositiveNeeded { column: String, classes: Vec<String>, place: Option<Place> },
    /// A number is wanted as target.
    TargetNotNumeric { column: String },
    /// A target that is no finite number.
    TargetNotFinite { column: String, row: usize },
    /// Keys occur more than once.
    DuplicateKeys { column: String, count: usize, examples: Vec<String> },
    /// Keys are missing.
    MissingKeys { column: String, rows: usize, first: usize },
    /// Rows whose images can't be used; the first of them are named.
    Images { file: String, count: usize, bad: Vec<BadImage> },
    /// A column of the data has the name of a pixel.
    PixelColumn { file: String, name: String },
    /// Writing failed.
    Write { file: PathBuf, cause: String },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}

fn at(diagnostic: Diagnostic, place: &Option<Place>, text: String) -> Diagnostic {
    match place {
        Some(place) => diagnostic.at(place.clone(), text),
        None => diagnostic.note(text),
    }
}

fn at_line(diagnostic: Diagnostic, line: &Option<Line>, text: &str) -> Diagnostic {
    match line {
        Some(line) => diagnostic.at(line.place(), text),
        None => diagnostic,
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Says what to do about a value that is not of the type that its column was found to have.
fn of_kept(column: &str) -> String {
    format!("mend the value; or, to accept it, edit the line of {column} in versions/schema.yaml")
}

/// Points at the line of a kept type, too.
fn at_kept(diagnostic: Diagnostic, declared: &Declared) -> Diagnostic {
    match declared {
        Declared::Kept(Some(place)) => {
            let (place, words) = (place.clone(), "the type that it had so far");
            if diagnostic.primary.is_none() { diagnostic.at(place, words) } else { diagnostic.also(place, words) }
        }
        _ => diagnostic,
    }
}

/// Quotes a value, the beginning of a long one.
fn cited(value: &str) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        None => format!("{value:?}"),
        Some((end, _)) => format!("{:?}…", &value[..end]),
    }
}

/// The lines of a kept schema that a message shows.
const SHOWN_PLACES: usize = 5;

/// The letters of a value that a message shows.
const LONGEST_VALUE: usize = 80;

/// Writes a delimiter as a YAML scalar.
fn delimiter_as_yaml(delimiter: char) -> &'static str {
    match delimiter {
        '\t' => "\"\\t\"",
        ';' => "\";\"",
        '|' => "\"|\"",
        _ => "\",\"",
    }
}

fn listed(names: &[String]) -> String {
    one_of(&names.iter().map(String::as_str).collect::<Vec<_>>(), 10)
}

impl Error {
    /// Tells a file that can't be unpacked from one that can't be read.
    pub(crate) fn of_packed(self, packing: Packing) -> Error {
        match (packing, self) {
            (Packing::Gzip | Packing::Zstandard, Error::Unreadable { file, cause }) => Error::Packed { file, cause },
            (_, error) => error,
        }
    }

    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::Missing { file, near } => {
                let problem = Diagnostic::error("data/missing-file", format!("there is no file {file}"));
                match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("mend `data.source`, or name another file with --set data.source=FILE"),
                }
            }
            Error::Folder { file } => Diagnostic::error("data/folder", format!("{file} is a folder, not a file"))
                .help("name a file in it, or all of a kind: `FOLDER/*.csv`"),
            Error::Unreadable { file, cause } => {
                Diagnostic::error("data/unreadable", format!("{file} can't be read: {cause}"))
                    .help("mend its permissions, or name another file")
            }
            Error::UnknownFormat { file } => {
                Diagnostic::error("data/unknown-format", format!("the ending of {file} names no known format"))
                    .help("name a .csv, .tsv, .txt, .jsonl, .ndjson, .parquet, .arrow or .feather file; all but the last three also .gz or .zst")
            }
            Error::Empty { file } => Diagnostic::error("data/empty", format!("{file} is empty"))
                .help("export the data again; a header line and rows are expected"),
            Error::NoRows { file } => Diagnostic::error("data/no-rows", format!("{file} has columns but no row"))
                .help("export the data again, with its rows"),
            Error::HeaderOnly { file } => {
                Diagnostic::error("data/header-only", format!("{file} has a header line but no row"))
                    .help("export the data again, with its rows")
            }
            Error::Ragged { line, expected, got } => Diagnostic::error(
                "data/ragged-row",
                format!("{}, line {}: a row with {got} cells under a header of {expected}", line.file, line.number),
            )
            .at(line.place(), format!("{got} cells, {expected} expected"))
            .help("quote cells that hold the delimiter, or set `data.delimiter`"),
            Error::LongRow { file, line, most } => Diagnostic::error(
                "data/long-row",
                format!("{file}: the row in line {line} has more than {} MiB", most >> 20),
            )
            .note("a quote that nothing closes makes the rest of a file one cell")
            .help("close the quote, or keep what is so long outside the table and its path in the cell"),
            Error::UnclosedQuote { line } => Diagnostic::error(
                "data/unclosed-quote",
                format!("{}, line {}: a quote is opened and never closed", line.file, line.number),
            )
            .at(line.place(), "everything from here on is one cell")
            .help("close the quote, or double it where it is part of the text"),
            Error::DuplicateColumn { file, line, name } => {
                let problem =
                    Diagnostic::error("data/duplicate-column", format!("{file} has two columns named {name}"));
                at_line(problem, line, "the second one").help("rename one of them in the file")
            }
            Error::EmptyName { file, line, position } => {
                let problem = Diagnostic::error("data/empty-name", format!("column {position} of {file} has no name"));
                at_line(problem, line, "a name is missing here").help("name it in the file")
            }
            Error::Encoding { file, line, byte, utf16 } => {
                Diagnostic::error("data/encoding", format!("{file} is not UTF-8"))
                    .note(format!("the first wrong byte is byte {byte}, in line {line}"))
                    .help(if *utf16 {
                        "it looks like UTF-16: `iconv -f UTF-16 -t UTF-8 IN > OUT`"
                    } else {
                        "find out its encoding and convert it, for instance `iconv -f LATIN1 -t UTF-8 IN > OUT`"
                    })
            }
            Error::Delimiter { line, delimiter, likely } => Diagnostic::error(
                "data/delimiter",
                format!("{} has one column when read with {delimiter:?} between the cells", line.file),
            )
            .at(line.place(), format!("{likely:?} would give more"))
            .help(format!("set `data: {{delimiter: {}}}`", delimiter_as_yaml(*likely))),
            Error::Type { line, column, kind, value, declared } => {
                let said = match declared {
                    Declared::No => format!("is {kind} in its first rows"),
                    Declared::Spec => format!("is declared {kind}"),
                    Declared::Kept(_) => format!("was {kind} so far"),
                };
                let problem = Diagnostic::error(
                    "data/type-change",
                    format!("{}, line {}: column {column} {said} but holds {}", line.file, line.number, cited(value)),
                )
                .at(line.place(), format!("not {kind}"));
                at_kept(problem, declared).help(match declared {
                    Declared::Kept(_) => of_kept(column),
                    Declared::No | Declared::Spec => format!(
                        "if it is text: `data: {{types: {{{column}: text}}}}`; if it means missing: `data: {{missing: [{}]}}`",
                        cited(value)
                    ),
                })
            }
            Error::Value { file, row, column, kind, value, declared } => {
                let said = match declared {
                    Declared::No => format!("is {kind}"),
                    Declared::Spec => format!("is declared {kind}"),
                    Declared::Kept(_) => format!("was {kind} so far"),
                };
                let problem = Diagnostic::error(
                    "data/type-change",
                    format!("{file}, row {row}: column {column} {said} but holds {}", cited(value)),
                );
                at_kept(problem, declared).help(match declared {
                    Declared::No => format!("if it is text: `data: {{types: {{{column}: text}}}}`; else mend the column"),
                    Declared::Spec => {
                        format!("take {column} out of `data.types`, or write the column again as {kind}")
                    }
                    Declared::Kept(_) => of_kept(column),
                })
            }
            Error::UnknownTyped { name, columns } => {
                let problem = Diagnostic::error(
                    "data/unknown-typed-column",
                    format!("`data.types` names {name}, which the data does not have"),
                );
                match nearest(name, columns.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("the columns are {}", listed(columns))),
                }
            }
            Error::Gone { gone, places, columns } => {
                let title = match gone.as_slice() {
                    [one] => format!("column {one} is gone: versions/schema.yaml has it, the data does not"),
                    several => {
                        format!("columns {} are gone: versions/schema.yaml has them, the data does not", listed(several))
                    }
                };
                let near = match gone.as_slice() {
                    [one] => nearest(one, columns.iter().map(String::as_str)),
                    _ => None,
                };
                let problem = Diagnostic::error("data/column-gone", title).help(
                    "bring the data's columns back; or take their lines out of versions/schema.yaml, to go on without",
                );
                let problem = places.iter().take(SHOWN_PLACES).fold(problem, |problem, place| {
                    let (place, words) = (place.clone(), "not in the data");
                    if problem.primary.is_none() { problem.at(place, words) } else { problem.also(place, words) }
                });
                match near {
                    Some(near) => problem.note(format!("the data has {near}: was it renamed?")),
                    None => problem.note(format!("the columns are {}", listed(columns))),
                }
            }
            Error::Parquet { file, cause } => {
                Diagnostic::error("data/damaged-parquet", format!("{file} can't be read as Parquet: {cause}"))
                    .help("write it again")
            }
            Error::UnsupportedType { file, column, kind } => Diagnostic::error(
                "data/unsupported-type",
                format!("column {column} of {file} holds {kind}, which no feature can use"),
            )
            .help("leave the column out when writing the file, or write it as text or numbers"),
            Error::Packed { file, cause } => {
                Diagnostic::error("data/damaged-archive", format!("{file} can't be unpacked: {cause}"))
                    .help("copy it again from where it was made, or pack it again")
            }
            Error::Arrow { file, cause } => {
                Diagnostic::error("data/damaged-arrow", format!("{file} can't be read as Arrow: {cause}"))
                    .help("write it again")
            }
            Error::JsonLine { line, cause } => Diagnostic::error(
                "data/json-line",
                format!("{}, line {}: no JSON: {cause}", line.file, line.number),
            )
            .at(line.place(), "reading stopped here")
            .help("write one whole object on each line; a line end inside a text is written as \\n, a missing value as null"),
            Error::NotObject { line, found } => Diagnostic::error(
                "data/not-an-object",
                format!("{}, line {}: {found} where an object is expected", line.file, line.number),
            )
            .at(line.place(), "a row is an object: {\"column\": value, …}")
            .help("write one object on each line, without a list around them"),
            Error::Nested { line, column, found } => Diagnostic::error(
                "data/nested-value",
                format!("{}, line {}: column {column} holds {found}", line.file, line.number),
            )
            .at(line.place(), "one value is expected")
            .help(format!(
                "keep it as its JSON text with `data: {{types: {{{column}: text}}}}`, leave it out with `data: {{drop: \
                 [{column}]}}`, or write its parts as columns of their own"
            )),
            Error::RepeatedKey { line, name } => Diagnostic::error(
                "data/repeated-key",
                format!("{}, line {}: the key {name} stands twice", line.file, line.number),
            )
            .at(line.place(), "which of the two holds is not said")
            .help("write each key once"),
            Error::TooManyColumns { line, most } => Diagnostic::error(
                "data/too-many-columns",
                format!("{} has more than {} different keys", line.file, count(*most as u64)),
            )
            .at(line.place(), "one more, as late as here")
            .help("a key is the name of a column; where names or ids stand as keys, write them as values"),
            Error::NoMatch { pattern } => {
                Diagnostic::error("data/no-match", format!("no file matches {pattern}"))
                    .help("`*` stands for any letters and `?` for one, in the last part of the path alone")
            }
            Error::OtherColumns { file, first, absent, extra } => {
                let problem =
                    Diagnostic::error("data/other-columns", format!("{file} has other columns than {first}"));
                let notes = [("it lacks", absent), ("only it has", extra)];
                let noted = notes.iter().filter(|(_, names)| !names.is_empty());
                noted
                    .fold(problem, |problem, (what, names)| problem.note(format!("{what} {}", listed(names))))
                    .help("files that are one table have the same columns: write it again, or narrow the pattern")
            }
            Error::OtherTypes { file, first, column, kind, first_kind } => Diagnostic::error(
                "data/other-types",
                format!("column {column} is {kind} in {file} and {first_kind} in {first}"),
            )
            .help(format!("if it is text: `data: {{types: {{{column}: text}}}}`; else mend the file")),
            Error::NoColumn { what, name, columns, place } => {
                let problem =
                    Diagnostic::error("data/unknown-column", format!("the {what} {name} is no column of the data"));
                let problem = at(problem, place, format!("not among the {} columns", columns.len()));
                match nearest(name, columns.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("the columns are {}", listed(columns))),
                }
            }
            Error::SliceOfRows { column, rows, place } => {
                let title = format!(
                    "{column} has a text of its own in each of {} rows: no slice would be of two",
                    count(*rows as u64)
                );
                at(Diagnostic::error("data/slice-of-rows", title), place, "names single rows".to_owned())
                    .help("cut by a column whose values repeat, or by a number, which is cut into bins")
            }
            Error::MissingTarget { column, rows, first } => Diagnostic::error(
                "data/missing-target",
                format!("the target {column} is missing in {}, first in row {first}", counted(*rows, "row")),
            )
            .help("leave them out with `missing: drop` in `data.target`, or take them out of the data"),
            Error::ConstantTarget { column, value } => Diagnostic::error(
                "data/constant-target",
                format!("the target {column} is {value:?} in every row: there is nothing to learn"),
            )
            .help("check that the data holds all classes, or name another target"),
            Error::ThirdClass { column, classes } => {
                let shown: Vec<String> =
                    classes.iter().take(6).map(|(name, count)| format!("{name} ({count})")).collect();
                Diagnostic::error(
                    "data/third-class",
                    format!("the target {column} has {} classes where two are expected", classes.len()),
                )
                .note(format!("they are {}", shown.join(", ")))
                .help(
                    "mend the rows with stray labels, or predict all classes: `task: multiclass` in the place of \
                     `positive`",
                )
            }
            Error::TooManyClasses { column, classes, most } => Diagnostic::error(
                "data/too-many-classes",
                format!(
                    "the target {column} has {} classes, more than {}",
                    count(*classes as u64),
                    count(*most as u64)
                ),
            )
            .help("predict a number with `task: regression`, join classes in the data, or name another target"),
            Error::UnknownClass { column, label, classes } => Diagnostic::error(
                "data/unknown-class",
                format!("a row has the {column} {label}, which is none of the classes of the data"),
            )
            .note(format!("they are {}", listed(classes)))
            .help("bring rows of that class into the data, or write the next split version"),
            Error::BadWeight { column, row, value, place } => {
                let title = match value {
                    Some(value) => format!("the weight {column} is {value} in row {row}"),
                    None => format!("the weight {column} is missing in row {row}"),
                };
                at(Diagnostic::error("data/bad-weight", title), place, "this is the weight".to_owned())
                    .help("a weight is a number, 0 or more: mend the data, or name another column")
            }
            Error::NoWeight { column, place } => {
                let title = format!("the weight {column} is 0 in every row: no row counts");
                at(Diagnostic::error("data/no-weight", title), place, "this is the weight".to_owned())
                    .help("name another column, or leave `weight` out")
            }
            Error::NoPositive { column, positive, classes, place } => {
                let problem = Diagnostic::error(
                    "data/no-positive",
                    format!("{column} never is {positive:?}, the positive class"),
                );
                let problem = at(problem, place, "no row has this label".to_owned());
                match nearest(positive, classes.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("its labels are {}", listed(classes))),
                }
            }
            Error::PositiveNeeded { column, classes, place } => {
                let problem = Diagnostic::error(
                    "data/positive-needed",
                    format!("the target {column} holds labels, but which one is positive is not said"),
                );
                let problem = at(problem, place, "no `positive` here".to_owned());
                problem.help(if classes.len() > 2 {
                    format!("write `target: {{column: {column}, task: multiclass}}` to predict each of its classes")
                } else {
                    format!("write `target: {{column: {column}, positive: LABEL}}` with one of {}", listed(classes))
                })
            }
            Error::TargetNotNumeric { column } => Diagnostic::error(
                "data/target-not-numeric",
                format!("the target {column} is no number, so regression can't predict it"),
            )
            .help("give `positive` for a two-class target, or declare `data.types`"),
            Error::TargetNotFinite { column, row } => Diagnostic::error(
                "data/target-not-finite",
                format!("the target {column} is no finite number in row {row}"),
            )
            .help("take that row out of the data"),
            Error::DuplicateKeys { column, count, examples } => Diagnostic::error(
                "data/duplicate-keys",
                format!(
                    "the key {column} is not unique: {} more than once",
                    if *count == 1 { "1 value occurs".to_owned() } else { format!("{count} values occur") }
                ),
            )
            .note(format!("for instance {}", listed(examples)))
            .help("remove the repeated rows, or name another column as `data.key`"),
            Error::MissingKeys { column, rows, first } => Diagnostic::error(
                "data/missing-keys",
                format!("the key {column} is missing in {}, first in row {first}", counted(*rows, "row")),
            )
            .help("give every row a key, or name another column as `data.key`"),
            Error::Images { file, count, bad } => {
                let title = match count {
                    1 => format!("a row of {file} has an image that can't be used"),
                    count => format!("{count} rows of {file} have images that can't be used"),
                };
                let told = |problem: Diagnostic, bad: &BadImage| {
                    let BadImage { row, path, cause } = bad;
                    problem.note(format!("row {row}: {} {cause}", cited(path)))
                };
                let problem = bad.iter().fold(Diagnostic::error("data/images", title), told);
                let more = count.saturating_sub(bad.len());
                let problem = if more > 0 { problem.note(format!("and {more} more")) } else { problem };
                problem.help(
                    "mend these images or take their rows out; paths start from the table's folder (a database's: \
                     from the project's), and an empty cell is a row without an image",
                )
            }
            Error::PixelColumn { file, name } => {
                Diagnostic::error("data/pixel-column", format!("{file} has a column {name}, as pixels of images are called"))
                    .help("rename the column, or leave it out with `data.drop`")
            }
            Error::Write { file, cause } => {
                Diagnostic::error("data/write", format!("{} can't be written: {cause}", file.display()))
                    .help("name another file")
            }
        }
    }
}
