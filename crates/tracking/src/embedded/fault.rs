//! What a transaction fails with, before the store's path is added.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;
use trainyard_files::Digest;

use crate::Error;

/// Is an error of SQLite, or one of ours.
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// A stored text is not what this program writes there.
    Content(String),
    Ours(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    /// Sorts the error by what a user would do about it.
    pub(super) fn at(self, path: &Path) -> Error {
        let path = path.to_path_buf();
        let error = match self {
            Self::Ours(error) => return error,
            Self::Content(detail) => return Error::Damaged { path, detail },
            Self::Sqlite(error) => error,
        };
        let detail = error.to_string();
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => Error::Damaged { path, detail },
            _ => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged { path, detail },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path },
                Some(ErrorCode::DiskFull) => Error::Full { path },
                Some(ErrorCode::ReadOnly) => Error::ReadOnly { path },
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::CannotOpen { path, detail },
                _ => Error::Store { path, detail },
            },
        }
    }
}

/// Reads a digest from a column of a row.
pub(super) fn digest(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let text: String = row.get(column)?;
    let digest: Digest = text.parse().map_err(|error| conversion(column, FromSqlError::other(error)))?;
    // Other digits of the same value are not what was written.
    if digest.to_string() == text { Ok(digest) } else { Err(conversion(column, FromSqlError::InvalidType)) }
}

/// Reads one of a few names from a column of a row.
pub(super) fn named<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| conversion(column, FromSqlError::InvalidType))
}

/// Reads a count from a column of a row.
pub(super) fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| conversion(column, FromSqlError::OutOfRange(number)))
}

fn conversion(column: usize, error: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// Fits a count into SQLite's integers.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
