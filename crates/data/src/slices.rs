//! Slices of a table: its rows by the values of a column, by names and borders that the training rows gave.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use trainyard_spec::SliceSpec;

use crate::Error;
use crate::csv::cell_text;

/// The name of the rows whose value has no slice of its own.
pub const OTHER: &str = "other values";

/// The name of the rows without a value.
pub const MISSING: &str = "missing";

/// How one column cuts rows into slices.
#[derive(Debug, Clone, PartialEq)]
pub struct Slicing {
    /// The column.
    pub column: String,
    /// The names of the slices; the last two are [`OTHER`] and [`MISSING`].
    pub names: Vec<String>,
    by: By,
}

#[derive(Debug, Clone, PartialEq)]
enum By {
    /// The place of each value that has a slice of its own.
    Values(BTreeMap<String, usize>),
    /// The upper borders of the bins but the last.
    Bins(Vec<f64>),
}

/// Refuses columns that are absent, and texts that name single rows.
///
/// # Errors
/// All such columns.
pub fn check(spec: &SliceSpec, table: &RecordBatch) -> Result<(), Vec<Error>> {
    let mut errors = Vec::new();
    for column in &spec.columns {
        let Some(array) = table.column_by_name(&column.value) else {
            let columns = table.schema().fields().iter().map(|field| field.name().clone()).collect();
            let (name, place) = (column.value.clone(), column.place());
            errors.push(Error::NoColumn { what: "slice column", name, columns, place });
            continue;
        };
        let Some(texts) = array.as_string_opt::<i64>() else { continue };
        let mut values: Vec<&str> = texts.iter().flatten().collect();
        let rows = values.len();
        values.sort_unstable();
        values.dedup();
        if values.len() == rows && rows > spec.values as usize {
            errors.push(Error::SliceOfRows { column: column.value.clone(), rows, place: column.place() });
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// What the rows of a slice have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Value,
    /// A range of numbers, days or moments.
    Range,
    /// That their value has no slice of its own, or that they have none.
    Rest,
}

impl Slicing {
    /// Says what the rows of a slice have in common, by its place among the names.
    pub fn kind(&self, slice: usize) -> Kind {
        match &self.by {
            _ if slice + 2 >= self.names.len() => Kind::Rest,
            By::Values(_) => Kind::Value,
            By::Bins(_) => Kind::Range,
        }
    }

    /// Learns from the training rows how each column cuts rows, in the order of the spec.
    ///
    /// A column of at most `values` values has a slice for each, in their order; of texts and truth values of which there
    /// are more, the most frequent ones have, and of equally frequent ones those that come first. Numbers, days and moments
    /// are cut into bins of about as many training rows each: a border is a value, and belongs to the bin below it.
    ///
    /// # Errors
    /// The first column that is absent.
    pub fn learn(spec: &SliceSpec, train: &RecordBatch) -> Result<Vec<Slicing>, Error> {
        let learn = |column: &trainyard_spec::Located<String>| {
            let array = present(train, &column.value)?;
            let by_size = numbers(array);
            let most = spec.values as usize;
            if let Some(numbers) = by_size.as_ref().filter(|numbers| differ(numbers) > most) {
                return Ok(bins(&column.value, array, numbers, spec.bins as usize));
            }
            let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            for row in 0..array.len() {
                if let Some(text) = value_of(array, by_size.as_deref(), row) {
                    counts.entry(text).or_insert((0, row)).0 += 1;
                }
            }
            Ok(of_values(&column.value, counts, by_size.as_deref(), most))
        };
        spec.columns.iter().map(learn).collect()
    }

    /// Gives the slice of each row of a table: its place among the names.
    ///
    /// # Errors
    /// The column is absent.
    pub fn of_rows(&self, table: &RecordBatch) -> Result<Vec<usize>, Error> {
        let array = present(table, &self.column)?;
        let (other, missing) = (self.names.len() - 2, self.names.len() - 1);
        Ok(match &self.by {
            By::Values(places) => {
                let by_size = numbers(array);
                let place = |row| match value_of(array, by_size.as_deref(), row) {
                    Some(text) => places.get(&text).copied().unwrap_or(other),
                    None => missing,
                };
                (0..array.len()).map(place).collect()
            }
            By::Bins(borders) => match numbers(array) {
                Some(numbers) => {
                    let bin = |number: f64| borders.partition_point(|border| *border < number);
                    numbers.into_iter().map(|number| number.map_or(missing, bin)).collect()
                }
                // The column holds no numbers any more.
                None => vec![other; array.len()],
            },
        })
    }
}

fn present<'t>(table: &'t RecordBatch, name: &str) -> Result<&'t dyn Array, Error> {
    table.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| Error::NoColumn {
        what: "slice column",
        name: name.to_owned(),
        columns: table.schema().fields().iter().map(|field| field.name().clone()).collect(),
        place: None,
    })
}

/// Gives the sizes of what has an order: numbers, days and moments. NaN counts as missing.
fn numbers(array: &dyn Array) -> Option<Vec<Option<f64>>> {
    if let Some(values) = array.as_primitive_opt::<Float64Type>() {
        return Some(values.iter().map(|value| value.filter(|value| !value.is_nan())).collect());
    }
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        return Some(values.iter().map(|value| value.map(|value| value as f64)).collect());
    }
    if let Some(values) = array.as_primitive_opt::<Date32Type>() {
        return Some(values.iter().map(|value| value.map(f64::from)).collect());
    }
    let moments = array.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(moments.iter().map(|value| value.map(|value| value as f64)).collect())
}

/// Gives the text of a value; nothing for what is missing, as NaN is.
fn value_of(array: &dyn Array, numbers: Option<&[Option<f64>]>, row: usize) -> Option<String> {
    let is_missing = numbers.is_some_and(|numbers| numbers.get(row).copied().flatten().is_none());
    if is_missing { None } else { cell_text(array, row) }
}

/// Counts the numbers that differ.
fn differ(numbers: &[Option<f64>]) -> usize {
    let mut sorted: Vec<f64> = numbers.iter().copied().flatten().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}

/// Makes a slice of each value, in their order; of more than `most` of the most frequent ones.
fn of_values(
    column: &str,
    counts: BTreeMap<String, (usize, usize)>,
    numbers: Option<&[Option<f64>]>,
    most: usize,
) -> Slicing {
    let mut values: Vec<(String, usize, usize)> =
        counts.into_iter().map(|(text, (count, first))| (text, count, first)).collect();
    if values.len() > most {
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(most);
    }
    let size = |first: usize| numbers.and_then(|numbers| numbers.get(first).copied().flatten()).unwrap_or(0.0);
    values.sort_by(|a, b| size(a.2).total_cmp(&size(b.2)).then_with(|| a.0.cmp(&b.0)));
    let names: Vec<String> = values.into_iter().map(|(text, _, _)| text).collect();
    let places = names.iter().cloned().zip(0..).collect();
    Slicing { column: column.to_owned(), names: with_rest(names), by: By::Values(places) }
}

/// Makes bins of about as many rows each.
fn bins(column: &str, array: &dyn Array, numbers: &[Option<f64>], bins: usize) -> Slicing {
    let mut sorted: Vec<(f64, usize)> =
        numbers.iter().zip(0..).filter_map(|(number, row)| Some(((*number)?, row))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let most = sorted.last().map_or(0.0, |(number, _)| *number);
    let mut borders: Vec<(f64, String)> = Vec::new();
    for bin in 1..bins {
        let Some((border, row)) = sorted.get((bin * sorted.len()).div_ceil(bins).saturating_sub(1)) else { continue };
        // Above the largest value is no bin.
        if *border < most && borders.last().is_none_or(|(last, _)| last < border) {
            borders.push((*border, cell_text(array, *row).unwrap_or_default()));
        }
    }
    let mut names: Vec<String> = Vec::with_capacity(borders.len() + 3);
    names.extend(borders.first().map(|(_, first)| format!("≤ {first}")));
    names.extend(borders.windows(2).map(|pair| format!("{} to {}", pair[0].1, pair[1].1)));
    names.push(borders.last().map_or_else(|| "any".to_owned(), |(_, last)| format!("> {last}")));
    let borders = borders.into_iter().map(|(border, _)| border).collect();
    Slicing { column: column.to_owned(), names: with_rest(names), by: By::Bins(borders) }
}

fn with_rest(mut names: Vec<String>) -> Vec<String> {
    names.extend([OTHER.to_owned(), MISSING.to_owned()]);
    names
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray};
    use trainyard_spec::Located;

    use super::*;

    fn spec(columns: &[&str], values: u32, bins: u32) -> SliceSpec {
        SliceSpec {
            columns: columns.iter().map(|name| Located::of_default((*name).to_owned())).collect(),
            metric: Located::of_default(String::new()),
            values,
            bins,
            least_rows: 1,
        }
    }

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn frequent_values_have_slices_of_their_own() {
        let city: LargeStringArray =
            [Some("b"), Some("b"), Some("c"), Some("a"), None, Some("c"), Some("d")].into_iter().collect();
        let old: BooleanArray = [Some(true), Some(false), None, Some(true), None, None, None].into_iter().collect();
        let table = table(vec![("city", Arc::new(city)), ("old", Arc::new(old))]);
        let learned = Slicing::learn(&spec(&["city", "old"], 2, 4), &table).unwrap();
        assert_eq!(learned[0].names, ["b", "c", OTHER, MISSING]);
        assert_eq!(learned[0].of_rows(&table).unwrap(), [0, 0, 1, 2, 3, 1, 2]);
        assert_eq!(learned[1].names, ["false", "true", OTHER, MISSING]);
        assert_eq!(learned[1].of_rows(&table).unwrap(), [1, 0, 3, 1, 3, 3, 3]);
        // Of equally frequent values the first come first, and all is in their order.
        assert_eq!(Slicing::learn(&spec(&["city"], 3, 4), &table).unwrap()[0].names[..3], ["a", "b", "c"]);
    }

    #[test]
    fn numbers_are_cut_between_training_rows() {
        let train = table(vec![("n", Arc::new(Int64Array::from_iter_values((0..100).map(|row| (row * 37) % 100))))]);
        let learned = Slicing::learn(&spec(&["n"], 10, 4), &train).unwrap().remove(0);
        assert_eq!(learned.names, ["≤ 24", "24 to 49", "49 to 74", "> 74", OTHER, MISSING]);
        let other = table(vec![(
            "n",
            Arc::new(Int64Array::from_iter([Some(-5), Some(24), Some(25), Some(74), Some(1000), None])),
        )]);
        assert_eq!(learned.of_rows(&other).unwrap(), [0, 0, 1, 2, 3, 5]);
        // Few numbers are values, in their order and not in that of their digits.
        let few = table(vec![("n", Arc::new(Int64Array::from_iter_values([10, 9, 10, 100])))]);
        assert_eq!(Slicing::learn(&spec(&["n"], 10, 4), &few).unwrap()[0].names[..3], ["9", "10", "100"]);
    }

    #[test]
    fn ties_and_nothing_make_fewer_bins() {
        let heavy: Vec<f64> = (0..20).map(|row| if row < 15 { 0.0 } else { f64::from(row) }).collect();
        let train = table(vec![("n", Arc::new(Float64Array::from(heavy)))]);
        let learned = Slicing::learn(&spec(&["n"], 2, 4), &train).unwrap().remove(0);
        assert_eq!(learned.names, ["≤ 0", "> 0", OTHER, MISSING]);
        let nan = table(vec![("n", Arc::new(Float64Array::from(vec![f64::NAN, 1.0])))]);
        assert_eq!(learned.of_rows(&nan).unwrap(), [3, 1]);
    }

    #[test]
    fn columns_that_cut_nothing_are_refused() {
        let names: LargeStringArray = (0..30).map(|row| Some(format!("customer {row}"))).collect();
        let table = table(vec![("name", Arc::new(names)), ("n", Arc::new(Int64Array::from_iter_values(0..30)))]);
        let errors = check(&spec(&["nme", "name", "n"], 10, 4), &table).unwrap_err();
        assert!(matches!(&errors[..], [Error::NoColumn { .. }, Error::SliceOfRows { rows: 30, .. }]), "{errors:?}");
        assert!(matches!(Slicing::learn(&spec(&["nme"], 10, 4), &table), Err(Error::NoColumn { .. })));
    }
}
