//! Tables of a split or a reference test.

use trainyard_data::{from_parquet, to_parquet};

use crate::places;

/// Checks one file.
pub fn check(input: &[u8]) {
    match from_parquet(input, "rows.parquet") {
        Ok(table) => {
            let written = to_parquet(&table).unwrap_or_else(|error| panic!("{error:?}"));
            let read = from_parquet(&written, "written.parquet").unwrap_or_else(|error| panic!("{error:?}"));
            assert_eq!(to_parquet(&read).ok(), Some(written));
            assert_eq!((read.schema(), read.num_rows()), (table.schema(), table.num_rows()));
        }
        Err(error) => places::check_all([&error.diagnostic()]),
    }
}
