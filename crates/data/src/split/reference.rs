//! Which rows the reference test is frozen from.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;
use rayon::prelude::*;
use trainyard_random::Key;
use trainyard_spec::Task;

use super::Request;
use super::unit::Unit;
use crate::csv::cell_text as text;

/// The strata of a number to predict.
const QUANTILES: usize = 10;

/// Rows that stay together.
struct Group<'a> {
    /// In order.
    rows: &'a [usize],
    /// The least number of its rows to draw by, whatever their order. The least draw would favour large groups.
    draw: u64,
}

/// The rows of a new reference test.
pub(super) struct Picked {
    pub(super) rows: Vec<usize>,
    /// How many it should have been.
    pub(super) wanted: usize,
}

/// Picks rows for the reference: whole groups in the order of a keyed hash, until each stratum has its share.
pub(super) fn pick(request: &Request<'_>, master: &[Unit]) -> Picked {
    let strata = strata(request);
    let key = Key::new(request.spec.seed.value, "split/reference");
    // Equal rows have one target, hence one stratum; with `by_group` there is one stratum for all. Sorted, they stand
    // together at a word a row.
    let group = |row: &usize| (strata[*row], master[*row].group);
    let mut rows: Vec<usize> = (0..master.len()).collect();
    rows.par_sort_unstable_by_key(|row| (group(row), *row));
    let mut by_stratum: BTreeMap<usize, Vec<Group<'_>>> = BTreeMap::new();
    for rows in rows.chunk_by(|one, other| group(one) == group(other)) {
        let draw = rows.iter().map(|row| master[*row].draw).min().unwrap_or_default();
        by_stratum.entry(strata[rows[0]]).or_default().push(Group { rows, draw });
    }
    let share = request.spec.shares.as_ref().map_or(0.0, |shares| shares.reference_test.value);
    let mut picked = Picked { rows: Vec::new(), wanted: 0 };
    for groups in by_stratum.values_mut() {
        groups.sort_by_cached_key(|group| (key.bytes(&group.draw.to_le_bytes()), group.rows[0]));
        let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
        let wanted = (rows as f64 * share).round() as usize;
        picked.wanted += wanted;
        let mut taken = 0;
        for group in groups.iter() {
            // A group that does not fit is passed over, so that one large group can't burst its stratum's share.
            if taken + group.rows.len() <= wanted {
                taken += group.rows.len();
                picked.rows.extend_from_slice(group.rows);
            }
        }
    }
    picked.rows.sort_unstable();
    picked
}

/// Gives the stratum of every row: its class, its tenth of the target, or one for all.
fn strata(request: &Request<'_>) -> Vec<usize> {
    let rows = request.table.num_rows();
    let target = &request.data.target;
    let Some(column) = request.table.column_by_name(&target.column.value).filter(|_| request.spec.stratify.value)
    else {
        return vec![0; rows];
    };
    let continuous = !target.known_task().is_some_and(Task::has_classes) && column.data_type().is_numeric();
    if !continuous {
        let label = |row| text(column.as_ref(), row);
        let labels: BTreeSet<Option<String>> = (0..rows).map(label).collect();
        let place: BTreeMap<Option<String>, usize> = labels.into_iter().zip(0..).collect();
        return (0..rows).map(|row| place.get(&label(row)).copied().unwrap_or(0)).collect();
    }
    let Some(values) = crate::target::numbers(column.as_ref()) else { return vec![0; rows] };
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..QUANTILES).filter_map(|tenth| sorted.get(tenth * rows / QUANTILES).copied()).collect();
    values.iter().map(|value| edges.partition_point(|edge| edge <= value)).collect()
}
