//! Columns that grow by values whose type the source knows, as JSON and databases do.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, LargeStringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Date32Array, LargeStringArray, TimestampMicrosecondArray};
use trainyard_spec::ColumnType;

use crate::csv::{Column, Decimal, date, kind_name, timestamp};
use crate::{Declared, ReadOptions};

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Missing,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01.
    Timestamp(i64),
}

impl<'a> Cell<'a> {
    /// Gives the cell as a CSV file would write it; nothing for a missing one.
    pub fn text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Cell::Missing => return None,
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Boolean(value) => Cow::Owned(value.to_string()),
            Cell::Integer(value) => Cow::Owned(value.to_string()),
            Cell::Float(value) => Cow::Owned(value.to_string()),
            Cell::Date(days) => {
                let day = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(days.into()))?;
                Cow::Owned(day.to_string())
            }
            Cell::Timestamp(micros) => {
                let moment = chrono::DateTime::from_timestamp_micros(micros)?;
                Cow::Owned(moment.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string())
            }
        })
    }

    fn kind(self) -> Option<ColumnType> {
        Some(match self {
            Cell::Missing => return None,
            Cell::Boolean(_) => ColumnType::Boolean,
            Cell::Integer(_) => ColumnType::Integer,
            Cell::Float(_) => ColumnType::Float,
            Cell::Text(_) => ColumnType::Text,
            Cell::Date(_) => ColumnType::Date,
            Cell::Timestamp(_) => ColumnType::Timestamp,
        })
    }
}

/// Says which type a cell is not of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The type in words.
    pub kind: &'static str,
    /// Who declared it.
    pub declared: Declared,
}

/// A column that grows row by row.
///
/// Its type is the declared one, or else that of its values: whole numbers and others together are floats; texts are
/// days or moments if all are; anything else that is mixed does not fit.
pub struct Cells {
    state: State,
    /// Who says of which type it is.
    declared: Declared,
    /// Rows that it has, the missing ones at its end included.
    rows: usize,
    /// What counts as missing.
    missing: Vec<String>,
    /// Whether texts that are all days or moments become such.
    finds_dates: bool,
    /// What the values were that are forgotten.
    past: Past,
}

/// What is still known of values that are forgotten.
#[derive(Clone, Copy)]
struct Past {
    /// Whether there were any.
    some: bool,
    /// Whether all were days, or all moments.
    days: bool,
    moments: bool,
}

/// Nothing was forgotten.
const NO_PAST: Past = Past { some: false, days: true, moments: true };

enum State {
    Declared(Column),
    /// Nothing but missing cells so far.
    Open,
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(LargeStringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl State {
    fn of(kind: ColumnType) -> State {
        match kind {
            ColumnType::Boolean => State::Boolean(BooleanBuilder::with_capacity(0)),
            ColumnType::Integer => State::Integer(Int64Builder::with_capacity(0)),
            ColumnType::Float => State::Float(Float64Builder::with_capacity(0)),
            ColumnType::Text => State::Text(LargeStringBuilder::with_capacity(0, 0)),
            ColumnType::Date => State::Date(Date32Builder::with_capacity(0)),
            ColumnType::Timestamp => State::Timestamp(TimestampMicrosecondBuilder::with_capacity(0)),
        }
    }

    fn kind(&self) -> Option<ColumnType> {
        Some(match self {
            State::Declared(_) | State::Open => return None,
            State::Boolean(_) => ColumnType::Boolean,
            State::Integer(_) => ColumnType::Integer,
            State::Float(_) => ColumnType::Float,
            State::Text(_) => ColumnType::Text,
            State::Date(_) => ColumnType::Date,
            State::Timestamp(_) => ColumnType::Timestamp,
        })
    }

    fn append_missing(&mut self, count: usize) {
        match self {
            State::Open => {}
            State::Declared(column) => (0..count).for_each(|_| {
                // A missing cell is of every type.
                let _ = column.append(None);
            }),
            State::Boolean(builder) => builder.append_nulls(count),
            State::Integer(builder) => builder.append_nulls(count),
            State::Float(builder) => builder.append_nulls(count),
            State::Text(builder) => (0..count).for_each(|_| builder.append_null()),
            State::Date(builder) => builder.append_nulls(count),
            State::Timestamp(builder) => builder.append_nulls(count),
        }
    }
}

impl Cells {
    /// Starts the column `name` of a source whose texts may stand for days and moments.
    pub fn new(name: &str, options: &ReadOptions) -> Cells {
        let declared = options.declared_by(name);
        let column = |kind| State::Declared(Column::new(Some(kind), Decimal::Point));
        let state = options.declared(name).map_or(State::Open, column);
        Cells { state, declared, rows: 0, missing: options.missing.clone(), finds_dates: true, past: NO_PAST }
    }

    /// Starts a column of which nothing but the rows is counted.
    pub(crate) fn absent() -> Cells {
        Cells {
            state: State::Open,
            declared: Declared::No,
            rows: 0,
            missing: Vec::new(),
            finds_dates: false,
            past: NO_PAST,
        }
    }

    /// Starts a column of which all values are known to be of a type, by [`Cells::kind`] of a column that had them.
    pub fn known(name: &str, kind: ColumnType, options: &ReadOptions) -> Cells {
        match kind {
            // They come as texts.
            ColumnType::Date | ColumnType::Timestamp => {
                let state = State::Declared(Column::new(Some(kind), Decimal::Point));
                Cells { state, ..Cells::new(name, options) }
            }
            _ => Cells::typed(name, kind, options),
        }
    }

    /// Forgets the values, but neither their number nor their type.
    pub fn forget(&mut self) {
        let past = &mut self.past;
        let mut take = |array: &dyn Array| past.some |= array.null_count() < array.len();
        match &mut self.state {
            State::Open => {}
            State::Declared(column) => take(&column.start_again()),
            State::Boolean(builder) => take(&builder.finish()),
            State::Integer(builder) => take(&builder.finish()),
            State::Float(builder) => take(&builder.finish()),
            State::Date(builder) => take(&builder.finish()),
            State::Timestamp(builder) => take(&builder.finish()),
            State::Text(builder) => {
                let texts = builder.finish();
                take(&texts);
                let (mut days, mut moments) = (past.days, past.moments);
                for text in texts.iter().flatten().filter(|_| self.finds_dates) {
                    days = days && date(text).is_some();
                    moments = moments && timestamp(text).is_some();
                }
                (past.days, past.moments) = (days, moments);
            }
        }
    }

    /// Says of which type the values are that were forgotten, and whether there were any.
    pub fn kind(&self) -> (ColumnType, bool) {
        let Past { some, days, moments } = self.past;
        let kind = match &self.state {
            State::Declared(column) => column.kind(),
            State::Text(_) if self.finds_dates && some && days => Some(ColumnType::Date),
            State::Text(_) if self.finds_dates && some && moments => Some(ColumnType::Timestamp),
            state => state.kind(),
        };
        (kind.unwrap_or(ColumnType::Text), some)
    }

    /// Starts a column of a source that says of which type it is; a declared type comes first.
    pub fn typed(name: &str, kind: ColumnType, options: &ReadOptions) -> Cells {
        let cells = Cells::new(name, options);
        let state = match cells.state {
            State::Open => State::of(kind),
            declared => declared,
        };
        Cells { state, finds_dates: false, ..cells }
    }

    /// Says whether the values are floats.
    pub fn is_float(&self) -> bool {
        match &self.state {
            State::Declared(column) => column.kind() == Some(ColumnType::Float),
            state => matches!(state, State::Float(_)),
        }
    }

    /// Gives the number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Puts missing cells at the end until there are `rows`.
    pub fn pad(&mut self, rows: usize) {
        let more = rows.saturating_sub(self.rows);
        self.state.append_missing(more);
        self.rows += more;
    }

    /// Takes the next cell. Blank texts and what `data.missing` lists count as missing.
    ///
    /// # Errors
    /// The column's type, where the cell is not of it.
    pub fn append(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        let is_missing = match cell {
            Cell::Missing => true,
            Cell::Text(text) => text.trim().is_empty() || self.missing.iter().any(|token| token == text.trim()),
            other => {
                !self.missing.is_empty() && other.text().is_some_and(|text| self.missing.contains(&text.into_owned()))
            }
        };
        if is_missing {
            self.pad(self.rows + 1);
            return Ok(());
        }
        if let (State::Open, Some(kind)) = (&self.state, cell.kind()) {
            self.state = State::of(kind);
            self.state.append_missing(self.rows);
        }
        if let (State::Integer(values), Cell::Float(_)) = (&mut self.state, cell) {
            let mut floats = Float64Builder::with_capacity(values.len());
            values.finish().iter().for_each(|value| floats.append_option(value.map(|value| value as f64)));
            self.state = State::Float(floats);
        }
        match (&mut self.state, cell) {
            (State::Declared(column), cell) => {
                let is_taken = match cell {
                    Cell::Boolean(value) => column.takes_boolean(value),
                    Cell::Integer(value) => column.takes_integer(value),
                    Cell::Float(value) => column.takes_float(value),
                    Cell::Date(days) => column.takes_date(days),
                    Cell::Timestamp(micros) => column.takes_timestamp(micros),
                    Cell::Missing | Cell::Text(_) => false,
                };
                if !is_taken {
                    let misfit = |kind| Misfit { kind: kind_name(kind), declared: self.declared.clone() };
                    column.append(cell.text().as_deref()).map_err(misfit)?;
                }
            }
            (State::Boolean(builder), Cell::Boolean(value)) => builder.append_value(value),
            (State::Integer(builder), Cell::Integer(value)) => builder.append_value(value),
            (State::Float(builder), Cell::Float(value)) => builder.append_value(value),
            (State::Float(builder), Cell::Integer(value)) => builder.append_value(value as f64),
            (State::Text(builder), Cell::Text(value)) => builder.append_value(value),
            (State::Date(builder), Cell::Date(value)) => builder.append_value(value),
            (State::Timestamp(builder), Cell::Timestamp(value)) => builder.append_value(value),
            (state, _) => {
                let kind = state.kind().map_or("missing", kind_name);
                return Err(Misfit { kind, declared: Declared::No });
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Gives the column; one without any value is of text.
    pub fn finish(self) -> ArrayRef {
        match self.state {
            State::Declared(column) => column.finish(),
            State::Open => Arc::new(LargeStringArray::new_null(self.rows)),
            State::Boolean(mut builder) => Arc::new(builder.finish()),
            State::Integer(mut builder) => Arc::new(builder.finish()),
            State::Float(mut builder) => Arc::new(builder.finish()),
            State::Date(mut builder) => Arc::new(builder.finish()),
            State::Timestamp(mut builder) => Arc::new(builder.finish()),
            State::Text(mut builder) => {
                let texts: ArrayRef = Arc::new(builder.finish());
                if self.finds_dates { dated(&texts) } else { texts }
            }
        }
    }
}

/// Makes days or moments of texts that all are such.
fn dated(texts: &ArrayRef) -> ArrayRef {
    let values = || texts.as_string::<i64>().iter();
    if texts.null_count() == texts.len() {
        return Arc::clone(texts);
    }
    if values().flatten().all(|text| date(text).is_some()) {
        return Arc::new(values().map(|text| text.and_then(date)).collect::<Date32Array>());
    }
    if values().flatten().all(|text| timestamp(text).is_some()) {
        return Arc::new(values().map(|text| text.and_then(timestamp)).collect::<TimestampMicrosecondArray>());
    }
    Arc::clone(texts)
}
