//! The split: a reference test frozen once, and a side for every other row that it keeps as the master grows.
//!
//! Rows that are equal in all but the key form one group, which no split cuts. The first split of a version picks the
//! reference; from there on it takes the same path as every later one: the reference's rows are taken out of the master
//! by key, rows equal to one of them stay out of training, and each other group goes to the side that the keyed hash of
//! its first row says.

mod error;
mod optional;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use serde::Serialize;
use trainyard_random::Key;
use trainyard_spec::{DataSpec, SplitSpec};

pub use error::{ColumnChange, Error};
pub use optional::check_optional_tests;

use crate::rows::{RowDigest, digests};

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
    let key = request.data.key.as_ref().map(|key| key.value.as_str());
    let master = digests(request.table, key);
    let (reference, wanted) = match request.reference {
        Some(frozen) => {
            same_columns(request.table, frozen)?;
            (frozen.clone(), None)
        }
        None => {
            let picked = reference::pick(request, &master);
            (pick(request.table, &picked.rows)?, Some(picked.wanted))
        }
    };
    let frozen = digests(&reference, key);
    let keys: BTreeSet<u64> = frozen.iter().map(|row| row.key).collect();
    let contents: BTreeSet<u64> = frozen.iter().map(|row| row.content).collect();
    let found: BTreeSet<u64> = master.iter().map(|row| row.key).filter(|key| keys.contains(key)).collect();
    if found.len() * 2 < keys.len() {
        return Err(Error::OtherData {
            version: request.version,
            frozen_from: request.frozen_from.unwrap_or("other data").to_owned(),
            keys: keys.len(),
            found: found.len(),
        });
    }
    let shares = &request.spec.shares;
    let validation = shares.validation.as_ref().map_or(0.0, |share| share.value);
    let limit = shares.train.value / (shares.train.value + validation);
    let side = Key::new(request.spec.seed.value, "split/side");
    // A group's side is that of its first row in the source's order, so that a row appended later joins it.
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    let mut sides = Vec::with_capacity(master.len());
    let mut counts =
        Counts { master: master.len(), reference: frozen.len(), reference_wanted: wanted, ..Counts::default() };
    for row in &master {
        sides.push(if keys.contains(&row.key) {
            counts.reference_found += 1;
            Side::Reference
        } else if contents.contains(&row.content) {
            counts.excluded_duplicates += 1;
            Side::Excluded
        } else {
            let leader = *first.entry(row.content).or_insert(row.key);
            let draw = trainyard_random::unit(side.bytes(&leader.to_le_bytes()));
            if draw < limit { Side::Train } else { Side::Validation }
        });
    }
    let part = |wanted: Side| -> Result<RecordBatch, Error> {
        let mask: BooleanArray = sides.iter().map(|side| Some(*side == wanted)).collect();
        filter_record_batch(request.table, &mask).map_err(|error| Error::Columns { cause: error.to_string() })
    };
    let train = part(Side::Train)?;
    let held = part(Side::Validation)?;
    (counts.train, counts.validation) = (train.num_rows(), held.num_rows());
    check_overlap(&train, &held, key, &keys, &contents)?;
    for (name, rows, wanted) in [
        ("train", counts.train, true),
        ("validation", counts.validation, shares.validation.is_some()),
        ("reference test", counts.reference, true),
    ] {
        if wanted && rows == 0 {
            return Err(Error::EmptyPart { part: name, rows: counts.master });
        }
    }
    let optional_tests = optional::select(request, &reference)?;
    Ok(Outcome {
        train,
        validation: shares.validation.is_some().then_some(held),
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

/// Looks once more, independently of how the sides were made: no row of the reference is in train or validation.
fn check_overlap(
    train: &RecordBatch,
    validation: &RecordBatch,
    key: Option<&str>,
    keys: &BTreeSet<u64>,
    contents: &BTreeSet<u64>,
) -> Result<(), Error> {
    let held: BTreeSet<u64> = digests(validation, key).iter().map(|row| row.content).collect();
    let touches = |row: &RowDigest| keys.contains(&row.key) || contents.contains(&row.content);
    let in_train = digests(train, key);
    let overlap = in_train.iter().filter(|row| touches(row) || held.contains(&row.content)).count();
    let overlap = overlap + digests(validation, key).iter().filter(|row| touches(row)).count();
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
