//! What no split cuts: rows equal in all but the key, the rows of one group, the rows of one moment.

use arrow_array::RecordBatch;
use trainyard_spec::{DataSpec, SplitSpec};

use super::time;
use crate::rows::{RowDigest, digests};

/// One row, as a split sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    /// Identifies the row.
    pub(super) key: u64,
    /// Rows of one such number stay together.
    pub(super) group: u64,
    /// What a draw is made of: the group's value where there is one, else the row's key, so that a row keeps its side
    /// while its values change.
    pub(super) draw: u64,
}

/// Gives the unit of every row.
pub(super) fn units(table: &RecordBatch, data: &DataSpec, spec: &SplitSpec) -> Vec<Unit> {
    let rows = digests(table, data.key.as_ref().map(|key| key.value.as_str()));
    let groups = groups(table, &rows, spec);
    let by_group = spec.by_group.is_some();
    let units = rows.iter().zip(groups);
    units.map(|(row, group)| Unit { key: row.key, group, draw: if by_group { group } else { row.key } }).collect()
}

/// Gives every row a number that it shares with the rows which neither a split nor a fold parts from it.
pub fn groups(table: &RecordBatch, rows: &[RowDigest], spec: &SplitSpec) -> Vec<u64> {
    let by_group = spec.by_group.as_ref().and_then(|column| table.schema().index_of(&column.value).ok());
    if let Some(values) = by_group.and_then(|column| table.project(&[column]).ok()) {
        let name = spec.by_group.as_ref().map(|column| column.value.as_str());
        return digests(&values, name).iter().map(|row| row.key).collect();
    }
    match spec.by_time.as_ref().and_then(|time| time::moments(table, &time.column.value)) {
        Some(moments) => moments.into_iter().map(i64::cast_unsigned).collect(),
        None => rows.iter().map(|row| row.content).collect(),
    }
}
