//! The split: a reference test frozen once, and a side for every other row that it keeps as the master grows.
//!
//! Rows that are equal in all but the key form one group, which no split cuts; `by_group` makes groups of a column's
//! values. The first split of a version picks the reference; from there on it takes the same path as every later one: the
//! reference's rows are taken out of the master by key, rows of its groups stay out of training, and each other group goes
//! to the side that the keyed hash of its value, or of its first row, says. `by_time` takes borders in place of draws.

mod columns;
mod error;
mod optional;
mod reference;
mod time;
mod unit;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use serde::Serialize;
use trainyard_random::Key;
use trainyard_spec::{DataSpec, SplitSpec};

pub use columns::check_columns;
pub use error::{ColumnChange, Error};
pub use optional::check_optional_tests;
pub use time::moments;
pub use unit::groups;

use time::Borders;
use unit::{Unit, units};

/// Names what a split needs.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The master data.
    pub table: &'a RecordBatch,
    /// Where key and target are.
    pub data: &'a DataSpec,
    /// The split version, for messages.
    pub version: u32,
    /// Shares, seed, optional tests.
    pub spec: &'a SplitSpec,
    /// The reference test, when it was frozen before.
    pub reference: Option<&'a RecordBatch>,
    /// The data that it was frozen from.
    pub frozen_from: Option<&'a str>,
}

/// Counts the rows of every part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Rows of the master.
    pub master: usize,
    /// Rows for training.
    pub train: usize,
    /// Rows for validation.
    pub validation: usize,
    /// Rows of the reference test.
    pub reference: usize,
    /// Rows that the reference test was to have by its share, when this split froze it; it has fewer where groups of
    /// equal rows did not fit.
    pub reference_wanted: Option<usize>,
    /// Rows of the reference test that the master still holds.
    pub reference_found: usize,
    /// Rows left out because they equal a reference row in all but the key.
    pub excluded_duplicates: usize,
    /// Rows left out because others of their group are in the reference test.
    pub excluded_group_members: usize,
    /// Rows left out because they are no earlier than the reference test begins, which was frozen before they came.
    pub excluded_later: usize,
}

/// Holds the parts of a split.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Rows for training, in the master's order.
    pub train: RecordBatch,
    /// Rows for validation, where there is a share for them.
    pub validation: Option<RecordBatch>,
    /// The reference test.
    pub reference: RecordBatch,
    /// Whether this split froze it.
    pub reference_is_new: bool,
    /// Parts of the reference test, by name.
    pub optional_tests: Vec<(String, RecordBatch)>,
    /// How many rows went where.
    pub counts: Counts,
}

/// Splits the master.
///
/// # Errors
/// See [`Error`].
pub fn split(request: &Request<'_>) -> Result<Outcome, Error> {
    check_columns(request.spec, request.table).map_err(|mut errors| errors.remove(0))?;
    let units = |table: &RecordBatch| units(table, request.data, request.spec);
    let master = units(request.table);
    let time = request.spec.by_time.as_ref();
    let (reference, wanted) = match (request.reference, time) {
        (Some(frozen), _) => {
            same_columns(request.table, frozen)?;
            (frozen.clone(), None)
        }
        (None, Some(time)) => {
            let borders = Borders::new(request.table, request.spec, time)?;
            let picked = borders.pick(request.table, request.spec, time);
            (borders.keep(pick(request.table, &picked.rows)?), Some(picked.wanted))
        }
        (None, None) => {
            let picked = reference::pick(request, &master);
            (pick(request.table, &picked.rows)?, Some(picked.wanted))
        }
    };
    if reference.num_rows() == 0 {
        return Err(Error::EmptyPart { part: "reference test", rows: master.len() });
    }
    let borders = time.map(|time| Borders::frozen(&reference, request.spec, time)).transpose()?;
    let frozen = units(&reference);
    let keys: HashSet<u64> = frozen.iter().map(|row| row.key).collect();
    let groups: HashSet<u64> = frozen.iter().map(|row| row.group).collect();
    let found: HashSet<u64> = master.iter().map(|row| row.key).filter(|key| keys.contains(key)).collect();
    if found.len() * 2 < keys.len() {
        return Err(Error::OtherData {
            version: request.version,
            frozen_from: request.frozen_from.unwrap_or("other data").to_owned(),
            keys: keys.len(),
            found: found.len(),
        });
    }
    let limit = request.spec.shares.as_ref().map_or(1.0, |shares| {
        let validation = shares.validation.as_ref().map_or(0.0, |share| share.value);
        shares.train.value / (shares.train.value + validation)
    });
    let side = Key::new(request.spec.seed.value, "split/side");
    // Equal rows go where the first of them in the source's order goes, so that a row appended later joins them.
    let mut first: HashMap<u64, u64> = HashMap::new();
    let mut drawn = |row: &Unit| {
        let leader = *first.entry(row.group).or_insert(row.draw);
        let draw = trainyard_random::unit(side.bytes(&leader.to_le_bytes()));
        if draw < limit { Side::Train } else { Side::Validation }
    };
    let moments = time.and_then(|time| moments(request.table, &time.column.value)).unwrap_or_default();
    let mut sides = Vec::with_capacity(master.len());
    let mut counts =
        Counts { master: master.len(), reference: frozen.len(), reference_wanted: wanted, ..Counts::default() };
    for (index, row) in master.iter().enumerate() {
        let timed = borders.zip(moments.get(index));
        sides.push(if keys.contains(&row.key) {
            counts.reference_found += 1;
            Side::Reference
        } else if timed.is_some_and(|(borders, moment)| *moment >= borders.reference_test_from) {
            counts.excluded_later += 1;
            Side::Excluded
        } else if groups.contains(&row.group) {
            match request.spec.by_group {
                Some(_) => counts.excluded_group_members += 1,
                None => counts.excluded_duplicates += 1,
            }
            Side::Excluded
        } else {
            match timed {
                Some((Borders { validation_from: Some(from), .. }, moment)) if *moment >= from => Side::Validation,
                Some(_) => Side::Train,
                None => drawn(row),
            }
        });
    }
    let part = |wanted: Side| -> Result<RecordBatch, Error> {
        let mask: BooleanArray = sides.iter().map(|side| Some(*side == wanted)).collect();
        filter_record_batch(request.table, &mask).map_err(|error| Error::Columns { cause: error.to_string() })
    };
    let train = part(Side::Train)?;
    let held = part(Side::Validation)?;
    (counts.train, counts.validation) = (train.num_rows(), held.num_rows());
    check_overlap(&units(&train), &units(&held), &keys, &groups)?;
    for (name, rows, wanted) in
        [("train", counts.train, true), ("validation", counts.validation, request.spec.has_validation())]
    {
        if wanted && rows == 0 {
            return Err(Error::EmptyPart { part: name, rows: counts.master });
        }
    }
    let optional_tests = optional::select(request, &reference)?;
    Ok(Outcome {
        train,
        validation: request.spec.has_validation().then_some(held),
        reference,
        reference_is_new: wanted.is_some(),
        optional_tests,
        counts,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Train,
    Validation,
    Reference,
    Excluded,
}

fn pick(table: &RecordBatch, rows: &[usize]) -> Result<RecordBatch, Error> {
    let rows: UInt64Array = rows.iter().map(|row| Some(*row as u64)).collect();
    take_record_batch(table, &rows).map_err(|error| Error::Columns { cause: error.to_string() })
}

/// Looks once more, independently of how the sides were made: no row and no group of the reference is in train or
/// validation, and no group is in both.
fn check_overlap(train: &[Unit], validation: &[Unit], keys: &HashSet<u64>, groups: &HashSet<u64>) -> Result<(), Error> {
    let held: HashSet<u64> = validation.iter().map(|row| row.group).collect();
    let touches = |row: &&Unit| keys.contains(&row.key) || groups.contains(&row.group);
    let overlap = train.iter().filter(|row| touches(row) || held.contains(&row.group)).count();
    let overlap = overlap + validation.iter().filter(touches).count();
    if overlap == 0 { Ok(()) } else { Err(Error::Overlap { rows: overlap }) }
}

fn same_columns(table: &RecordBatch, reference: &RecordBatch) -> Result<(), Error> {
    // A column of whole numbers becomes one of floats when the master grows by a fraction; the values stay the same.
    let kind = |kind: &DataType| match kind {
        DataType::Int64 | DataType::Float64 => "float",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Timestamp(_, _) => "timestamp",
        _ => "text",
    };
    let columns = |table: &RecordBatch| -> BTreeMap<String, String> {
        let schema = table.schema();
        schema.fields().iter().map(|field| (field.name().clone(), kind(field.data_type()).to_owned())).collect()
    };
    let (now, then) = (columns(table), columns(reference));
    let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    let change = |name: &String| match (then.get(name), now.get(name)) {
        (was, is) if was == is => None,
        (_, None) => Some(ColumnChange::Absent),
        (None, _) => Some(ColumnChange::New),
        (Some(was), Some(is)) => Some(ColumnChange::Type { was: was.clone(), is: is.clone() }),
    };
    let differing: Vec<_> = names.into_iter().filter_map(|name| Some((name.clone(), change(name)?))).collect();
    if differing.is_empty() { Ok(()) } else { Err(Error::OtherColumns { columns: differing }) }
}
