//! Several files that are one table: `data/raw/part-*.csv`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow_schema::{DataType, Field, TimeUnit};
use arrow_select::concat::concat;
use trainyard_files::Io;

use crate::Error;
use crate::canonical::{floats, type_name};
use crate::read::{Found, sized};

/// Gives the files that a path names: those that match where its last part holds `*` or `?`, sorted by name, and
/// nothing where it is the path of one file. A `*` stands for any letters, a `?` for one; neither for the dot that a hidden
/// file begins with.
pub fn matching(io: &dyn Io, path: &Path) -> Option<Vec<PathBuf>> {
    let pattern = path.file_name()?.to_str()?;
    if !pattern.contains(['*', '?']) || io.exists(path) {
        return None;
    }
    let mut files = io.list(folder_of(path)).unwrap_or_default();
    files.retain(|file| {
        // A name that is no text is a file nevertheless.
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        is_match(pattern, &name) && io.metadata(file).is_ok_and(|found| !found.is_dir)
    });
    Some(files)
}

/// Gives the folder that a path lies in, for one without a folder the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Says whether a name is one that a pattern names ([`matching`]).
pub fn is_match(pattern: &str, name: &str) -> bool {
    let hidden = name.starts_with('.') && !pattern.starts_with('.');
    !hidden && matches(pattern.as_bytes(), name.as_bytes())
}

/// Gives the files of a pattern that is called `shown` in messages, each as it is called there.
pub(crate) fn named(io: &dyn Io, path: &Path, shown: &str) -> Option<Vec<(PathBuf, String)>> {
    let files = matching(io, path)?.into_iter().map(|file| {
        let name = file.file_name().map(Path::new).unwrap_or(&file);
        let name = Path::new(shown).with_file_name(name).display().to_string();
        (file, name)
    });
    Some(files.collect())
}

/// Says whether a name is of a pattern, in time of at most their product.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        // A letter of several bytes is one letter to `?`.
        let letter = name[read..].iter().skip(1).take_while(|byte| **byte & 0xc0 == 0x80).count() + 1;
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(b'?') => {
                at += 1;
                read += letter;
            }
            Some(byte) if *byte == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((of, from)) = star else { return false };
                star = Some((of, from + 1));
                (at, read) = (of + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Joins tables of the same columns, each with its name, in their order. The first says the order of the columns. Whole
/// numbers join with floats, days with moments, and a column without any value with all.
///
/// # Errors
/// [`Error::OtherColumns`], [`Error::OtherTypes`].
pub(crate) fn join(files: Vec<(String, Found)>, shown: &str) -> Result<RecordBatch, Error> {
    let [(first, head), rest @ ..] = files.as_slice() else {
        return Err(Error::NoMatch { pattern: shown.to_owned() });
    };
    for (file, found) in rest {
        same_columns((first, &head.names), (file, &found.names))?;
    }
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for field in head.table.schema().fields() {
        let name = field.name();
        let parts: Vec<(&str, &ArrayRef)> =
            files.iter().filter_map(|(file, one)| Some((file.as_str(), one.table.column_by_name(name)?))).collect();
        let column = one_column(name, &parts)?;
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let rows = files.iter().map(|(_, found)| found.table.num_rows()).sum();
    sized(fields, columns, rows).map_err(|error| Error::Unreadable { file: shown.to_owned(), cause: error.to_string() })
}

/// Refuses a file whose columns are others than those of the first.
pub(crate) fn same_columns(first: (&str, &[String]), other: (&str, &[String])) -> Result<(), Error> {
    let lacking = |of: &[String], from: &[String]| -> Vec<String> {
        let known: BTreeSet<&String> = of.iter().collect();
        from.iter().filter(|name| !known.contains(name)).cloned().collect()
    };
    let (absent, extra) = (lacking(other.1, first.1), lacking(first.1, other.1));
    if absent.is_empty() && extra.is_empty() {
        return Ok(());
    }
    Err(Error::OtherColumns { file: other.0.to_owned(), first: first.0.to_owned(), absent, extra })
}

fn one_column(name: &str, parts: &[(&str, &ArrayRef)]) -> Result<ArrayRef, Error> {
    let filled = parts.iter().filter(|(_, part)| part.null_count() < part.len());
    let kind = one_kind(name, filled.map(|(file, part)| (*file, part.data_type())))?;
    let parts: Vec<ArrayRef> = parts.iter().map(|(_, part)| widened(part, &kind)).collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    concat(&parts).map_err(|error| Error::Unreadable { file: name.to_owned(), cause: error.to_string() })
}

/// Gives the type of a column, of which these files have values of these types.
pub(crate) fn one_kind<'a>(
    name: &str,
    parts: impl Iterator<Item = (&'a str, &'a DataType)>,
) -> Result<DataType, Error> {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let mut kind: Option<(DataType, &str)> = None;
    for (file, own) in parts {
        kind = Some(match kind {
            None => (own.clone(), file),
            Some((kind, from)) if kind == *own => (kind, from),
            Some((DataType::Int64, from)) if *own == DataType::Float64 => (DataType::Float64, from),
            Some((DataType::Float64, from)) if *own == DataType::Int64 => (DataType::Float64, from),
            Some((DataType::Date32, from)) if *own == moment => (moment.clone(), from),
            Some((kind, from)) if kind == moment && *own == DataType::Date32 => (kind, from),
            Some((kind, from)) => {
                return Err(Error::OtherTypes {
                    file: file.to_owned(),
                    first: from.to_owned(),
                    column: name.to_owned(),
                    kind: type_name(own),
                    first_kind: type_name(&kind),
                });
            }
        });
    }
    Ok(kind.map_or(DataType::LargeUtf8, |(kind, _)| kind))
}

/// Gives a part of a column in the type of all its values.
pub(crate) fn widened(part: &ArrayRef, kind: &DataType) -> ArrayRef {
    match (part.data_type(), kind) {
        (own, kind) if own == kind => Arc::clone(part),
        (DataType::Int64, DataType::Float64) => floats(part),
        (DataType::Date32, DataType::Timestamp(..)) => {
            let days = part.as_primitive::<Date32Type>().iter();
            // Dates lie up to six million years from 1970, moments three hundred thousand; what is beyond stays outermost.
            let micros = days.map(|day| day.map(|day| i64::from(day).saturating_mul(86_400_000_000)));
            Arc::new(micros.collect::<TimestampMicrosecondArray>())
        }
        // It has no value.
        _ => new_null_array(kind, part.len()),
    }
}
