//! A split in the order of time: train is the past, the reference test the latest.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use trainyard_spec::{SplitSpec, TimeSpec};

use super::Error;
use super::reference::Picked;
use crate::VALIDATION_FROM;
use crate::csv::{date, timestamp};

/// Gives the moment of every row: days, microseconds, or the number itself; nothing where a row has none or the column
/// holds other things.
pub fn moments(table: &RecordBatch, column: &str) -> Option<Vec<i64>> {
    let array = table.column_by_name(column).filter(|array| array.null_count() == 0)?;
    match array.data_type() {
        DataType::Date32 => Some(array.as_primitive::<Date32Type>().values().iter().map(|day| (*day).into()).collect()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Timestamp(_, _) => Some(array.as_primitive::<TimestampMicrosecondType>().values().to_vec()),
        _ => None,
    }
}

/// Reads a border as a column of this type would hold it.
pub(super) fn moment(text: &str, kind: &DataType) -> Option<i64> {
    match kind {
        DataType::Date32 => date(text).map(i64::from),
        DataType::Int64 => text.trim().parse().ok(),
        DataType::Timestamp(_, _) => timestamp(text),
        _ => None,
    }
}

/// Where the later parts begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Borders {
    pub(super) validation_from: Option<i64>,
    pub(super) reference_test_from: i64,
}

impl Borders {
    /// Finds the borders of a new split.
    pub(super) fn new(table: &RecordBatch, spec: &SplitSpec, time: &TimeSpec) -> Result<Borders, Error> {
        if let Some(borders) = Borders::written(table, time) {
            return Ok(borders);
        }
        let mut order = moments(table, &time.column.value).unwrap_or_default();
        order.sort_unstable();
        let share = |share: f64| (order.len() as f64 * share).round() as usize;
        let (reference, validation) = match &spec.shares {
            Some(shares) => (shares.reference_test.value, shares.validation.as_ref().map(|share| share.value)),
            None => (0.0, None),
        };
        let empty = |part| Error::EmptyPart { part, rows: order.len() };
        let reference_from = border(&order, order.len() - share(reference)).ok_or_else(|| empty("reference test"))?;
        let validation_from = match validation {
            Some(validation) => {
                let before = &order[..reference_from];
                let from = border(before, reference_from.saturating_sub(share(validation)));
                Some(order[from.ok_or_else(|| empty("validation"))?])
            }
            None => None,
        };
        Ok(Borders { validation_from, reference_test_from: order[reference_from] })
    }

    /// Gives the borders that a frozen reference test keeps.
    pub(super) fn frozen(reference: &RecordBatch, spec: &SplitSpec, time: &TimeSpec) -> Result<Borders, Error> {
        if let Some(borders) = Borders::written(reference, time) {
            return Ok(borders);
        }
        let lost = |what: &str| Error::Columns { cause: format!("the reference test does not say {what}") };
        let first = moments(reference, &time.column.value).and_then(|moments| moments.into_iter().min());
        let schema = reference.schema();
        let kept = schema.metadata().get(VALIDATION_FROM).filter(|_| spec.has_validation());
        let validation_from = kept.and_then(|from| from.parse().ok());
        if spec.has_validation() && validation_from.is_none() {
            return Err(lost("where validation begins"));
        }
        Ok(Borders { validation_from, reference_test_from: first.ok_or_else(|| lost("when it begins"))? })
    }

    /// Gives the borders that the spec names.
    fn written(table: &RecordBatch, time: &TimeSpec) -> Option<Borders> {
        let kind = table.column_by_name(&time.column.value)?.data_type().clone();
        let read = |border: &Option<trainyard_spec::Located<String>>| moment(&border.as_ref()?.value, &kind);
        Some(Borders {
            validation_from: read(&time.validation_from),
            reference_test_from: read(&time.reference_test_from)?,
        })
    }

    /// Picks the rows from the last border on.
    pub(super) fn pick(&self, table: &RecordBatch, spec: &SplitSpec, time: &TimeSpec) -> Picked {
        let moments = moments(table, &time.column.value).unwrap_or_default();
        let rows: Vec<usize> = (0..moments.len()).filter(|row| moments[*row] >= self.reference_test_from).collect();
        let share = spec.shares.as_ref().map(|shares| shares.reference_test.value);
        let wanted = share.map_or(rows.len(), |share| (moments.len() as f64 * share).round() as usize);
        Picked { rows, wanted }
    }

    /// Writes the border that no row of the reference test tells into its schema, where its digest covers it.
    pub(super) fn keep(&self, mut reference: RecordBatch) -> RecordBatch {
        // What a source that was itself a reference test said is not ours.
        let metadata = reference.schema_metadata_mut();
        metadata.clear();
        metadata.extend(self.validation_from.map(|from| (VALIDATION_FROM.to_owned(), from.to_string())));
        reference
    }
}

/// Gives the place nearest to `at` where a new moment begins, and rows stand on both sides.
fn border(order: &[i64], at: usize) -> Option<usize> {
    let moment = order.get(at).or(order.last())?;
    let first = order.partition_point(|other| other < moment);
    let next = order.partition_point(|other| other <= moment);
    let places = [first, next].into_iter().filter(|place| (1..order.len()).contains(place));
    places.min_by_key(|place| place.abs_diff(at))
}
