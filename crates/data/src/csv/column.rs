//! A column that grows cell by cell.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, LargeStringBuilder,
    TimestampMicrosecondBuilder,
};
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use super::rows::Rows;
use super::values::{Decimal, boolean, date, float, float_with_point, infer, integer, timestamp};
use crate::ReadOptions;

/// A type is inferred from this many values; a later value that breaks it is an error, not another guess.
pub(super) const INFERRED_FROM: usize = 1000;

/// A column of a file whose rows are not all read yet.
pub(crate) struct Column {
    /// Whether the type was given, so that nothing else will do.
    pub(crate) declared: bool,
    decimal: Decimal,
    state: State,
}

/// Columns whose cells one thread reads together, block by block.
const NEAR: usize = 16;

/// Some rows of a column.
pub(super) enum Part {
    /// As texts, of a column whose type was not known.
    Texts(LargeStringBuilder),
    Values(Values),
}

impl Part {
    /// Makes an array of the only rows of a column.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Part::Texts(mut texts) => Arc::new(texts.finish()),
            Part::Values(values) => values.finish(),
        }
    }
}

enum State {
    /// As texts, `values` of them there, until there are enough to tell a type from.
    Undecided { texts: LargeStringBuilder, values: usize },
    /// As values; `kind` is what the first ones, or the user, said.
    Decided { kind: ColumnType, values: Values },
}

impl Column {
    pub(crate) fn new(declared: Option<ColumnType>, decimal: Decimal) -> Column {
        let state = match declared {
            Some(kind) => State::Decided { kind, values: Values::new(kind) },
            None => State::Undecided { texts: LargeStringBuilder::with_capacity(0, 0), values: 0 },
        };
        Column { declared: declared.is_some(), decimal, state }
    }

    /// Takes the next cell; its column's type where the cell is not of it.
    pub(crate) fn append(&mut self, cell: Option<&str>) -> Result<(), ColumnType> {
        match &mut self.state {
            State::Undecided { texts, values } => {
                texts.append_option(cell);
                *values += usize::from(cell.is_some());
                if *values == INFERRED_FROM {
                    self.decide();
                }
                Ok(())
            }
            State::Decided { kind, values } => {
                let taken = append_all(values, std::iter::once(cell), self.declared, self.decimal);
                if taken { Ok(()) } else { Err(*kind) }
            }
        }
    }

    /// Takes a truth value as it is where the column is of such; says whether it did.
    pub(crate) fn takes_boolean(&mut self, value: bool) -> bool {
        match &mut self.state {
            State::Decided { values: Values::Boolean(values), .. } => values.append_value(value),
            _ => return false,
        }
        true
    }

    /// Takes a whole number as it is where the column is of numbers; says whether it did.
    pub(crate) fn takes_integer(&mut self, value: i64) -> bool {
        match &mut self.state {
            State::Decided { values: Values::Integer { values, .. }, .. } => values.append_value(value),
            State::Decided { values: Values::Float(values), .. } => values.append_value(value as f64),
            _ => return false,
        }
        true
    }

    /// Takes a number as it is where the column is of floats; says whether it did.
    pub(crate) fn takes_float(&mut self, value: f64) -> bool {
        match &mut self.state {
            State::Decided { values: Values::Float(values), .. } => values.append_value(value),
            _ => return false,
        }
        true
    }

    /// Takes days since 1970-01-01 where the column is of days; says whether it did.
    pub(crate) fn takes_date(&mut self, days: i32) -> bool {
        match &mut self.state {
            State::Decided { values: Values::Date(values), .. } => values.append_value(days),
            _ => return false,
        }
        true
    }

    /// Takes microseconds since 1970-01-01 where the column is of moments; says whether it did.
    pub(crate) fn takes_timestamp(&mut self, micros: i64) -> bool {
        match &mut self.state {
            State::Decided { values: Values::Timestamp(values), .. } => values.append_value(micros),
            _ => return false,
        }
        true
    }

    /// Gives the column the type that all its values so far are of.
    fn decide(&mut self) {
        if let State::Undecided { texts, .. } = &mut self.state {
            let texts = texts.finish();
            let kind = infer(texts.iter().flatten(), self.decimal);
            let mut values = Values::new(kind);
            values.append(&mut texts.iter(), self.decimal);
            self.state = State::Decided { kind, values };
        }
    }

    /// Gives the type, once it is known.
    pub(crate) fn kind(&self) -> Option<ColumnType> {
        match &self.state {
            State::Decided { kind, .. } => Some(*kind),
            State::Undecided { .. } => None,
        }
    }

    /// Gives the rows so far, and goes on without them.
    pub(crate) fn start_again(&mut self) -> ArrayRef {
        let next = match &self.state {
            State::Decided { kind, values } => State::Decided { kind: *kind, values: values.like(0) },
            State::Undecided { .. } => State::Undecided { texts: LargeStringBuilder::with_capacity(0, 0), values: 0 },
        };
        let state = std::mem::replace(&mut self.state, next);
        Column { declared: self.declared, decimal: self.decimal, state }.finish()
    }

    /// Starts the next rows of the column without those before.
    fn part(&self, rows: usize) -> Part {
        match &self.state {
            State::Undecided { .. } => Part::Texts(LargeStringBuilder::with_capacity(rows, 0)),
            State::Decided { values, .. } => Part::Values(values.like(rows)),
        }
    }

    /// Adds cells to a part up to the first one that is not of the column's type; its row in the part, and that type.
    fn fill<'a>(
        &self,
        part: &mut Part,
        cells: impl Iterator<Item = Option<&'a str>>,
    ) -> Result<(), (usize, ColumnType)> {
        match (part, &self.state) {
            (Part::Texts(texts), _) => cells.for_each(|cell| texts.append_option(cell)),
            (Part::Values(values), State::Decided { kind, .. }) => {
                if !append_all(values, cells, self.declared, self.decimal) {
                    return Err((values.len(), *kind));
                }
            }
            // A column stays decided.
            (Part::Values(_), State::Undecided { .. }) => {}
        }
        Ok(())
    }

    /// Takes the next rows; the first cell of them that is not of its type, and that type, otherwise.
    pub(super) fn extend(&mut self, part: Part) -> Result<(), (usize, ColumnType)> {
        match (part, &mut self.state) {
            (Part::Values(part), State::Decided { values, .. }) => {
                values.extend(part);
                Ok(())
            }
            (Part::Texts(mut texts), _) => texts
                .finish()
                .iter()
                .enumerate()
                .try_for_each(|(row, text)| self.append(text).map_err(|kind| (row, kind))),
            // A column stays decided.
            (Part::Values(_), State::Undecided { .. }) => Ok(()),
        }
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        self.decide();
        match self.state {
            State::Undecided { mut texts, .. } => Arc::new(texts.finish()),
            State::Decided { values, .. } => values.finish(),
        }
    }
}

/// Makes the next rows of columns, each with its place, without those before, up to the first cell that is not of its
/// column's type: its row, and that type.
pub(super) fn parts(
    columns: &[(usize, Column)],
    rows: &Rows<'_>,
    options: &ReadOptions,
) -> Vec<(Part, Option<(usize, ColumnType)>)> {
    let of_some = |columns: &[(usize, Column)]| {
        let mut parts: Vec<_> = columns.iter().map(|(_, column)| (column.part(rows.len()), None)).collect();
        for block in rows.blocks() {
            for ((at, column), (part, wrong)) in columns.iter().zip(&mut parts) {
                if wrong.is_none() {
                    *wrong = column.fill(part, rows.column(block.clone(), *at, options)).err();
                }
            }
        }
        parts
    };
    columns.par_chunks(NEAR).flat_map_iter(of_some).collect()
}

/// Adds cells to the values of a column up to the first one that is not of its type; says whether there is none.
fn append_all<'a>(
    values: &mut Values,
    mut cells: impl Iterator<Item = Option<&'a str>>,
    declared: bool,
    decimal: Decimal,
) -> bool {
    while let Some(wrong) = values.append(&mut cells, decimal) {
        // A whole-number column may turn out to hold fractions; anything else is an error.
        if declared || !matches!(values, Values::Integer { .. }) || float(wrong, decimal).is_none() {
            return false;
        }
        values.widen();
        values.append(&mut std::iter::once(Some(wrong)), decimal);
    }
    true
}

/// Makes a column of texts; the row of the first one that is not of the type otherwise.
pub(crate) fn column<'a>(
    kind: ColumnType,
    mut texts: impl Iterator<Item = Option<&'a str>>,
) -> Result<ArrayRef, (usize, &'a str)> {
    let mut values = Values::new(kind);
    match values.append(&mut texts, Decimal::Point) {
        Some(wrong) => Err((values.len(), wrong)),
        None => Ok(values.finish()),
    }
}

/// The values of a column, in its type.
pub(super) enum Values {
    Boolean(BooleanBuilder),
    /// `negative_zeros` are the rows whose sign only a float keeps.
    Integer {
        values: Int64Builder,
        negative_zeros: Vec<usize>,
    },
    Float(Float64Builder),
    Text(LargeStringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Values {
    /// Starts with no capacity: a file may have more columns than rows.
    fn new(kind: ColumnType) -> Values {
        match kind {
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::with_capacity(0)),
            ColumnType::Integer => {
                Values::Integer { values: Int64Builder::with_capacity(0), negative_zeros: Vec::new() }
            }
            ColumnType::Float => Values::Float(Float64Builder::with_capacity(0)),
            ColumnType::Text => Values::Text(LargeStringBuilder::with_capacity(0, 0)),
            ColumnType::Date => Values::Date(Date32Builder::with_capacity(0)),
            ColumnType::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(0)),
        }
    }

    /// Starts the values of some other rows of the column.
    fn like(&self, rows: usize) -> Values {
        match self {
            Values::Boolean(_) => Values::Boolean(BooleanBuilder::with_capacity(rows)),
            Values::Integer { .. } => {
                Values::Integer { values: Int64Builder::with_capacity(rows), negative_zeros: Vec::new() }
            }
            Values::Float(_) => Values::Float(Float64Builder::with_capacity(rows)),
            Values::Text(_) => Values::Text(LargeStringBuilder::with_capacity(rows, 0)),
            Values::Date(_) => Values::Date(Date32Builder::with_capacity(rows)),
            Values::Timestamp(_) => Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows)),
        }
    }

    /// Takes the values of the next rows. Where one side has found fractions, the other has floats from now on, too.
    fn extend(&mut self, mut part: Values) {
        match (&*self, &part) {
            (Values::Integer { .. }, Values::Float(_)) => self.widen(),
            (Values::Float(_), Values::Integer { .. }) => part.widen(),
            _ => {}
        }
        match (self, part) {
            (Values::Boolean(values), Values::Boolean(mut part)) => values.append_array(&part.finish()),
            (
                Values::Integer { values, negative_zeros },
                Values::Integer { values: mut part, negative_zeros: more },
            ) => {
                let before = values.len();
                negative_zeros.extend(more.into_iter().map(|row| before + row));
                values.append_array(&part.finish());
            }
            (Values::Float(values), Values::Float(mut part)) => values.append_array(&part.finish()),
            (Values::Text(values), Values::Text(mut part)) => {
                // Only a column of 2^63 bytes of text has no offsets for more.
                let _ = values.append_array(&part.finish());
            }
            (Values::Date(values), Values::Date(mut part)) => values.append_array(&part.finish()),
            (Values::Timestamp(values), Values::Timestamp(mut part)) => values.append_array(&part.finish()),
            // Both are of the type of the column.
            _ => {}
        }
    }

    /// Takes cells up to the first one that is not of the type, and gives that.
    fn append<'a>(&mut self, cells: &mut impl Iterator<Item = Option<&'a str>>, decimal: Decimal) -> Option<&'a str> {
        macro_rules! append {
            ($builder:expr, $parse:expr) => {
                for cell in cells {
                    match cell {
                        None => $builder.append_null(),
                        Some(text) => match $parse(text) {
                            Some(value) => $builder.append_value(value),
                            None => return Some(text),
                        },
                    }
                }
            };
        }
        match self {
            Values::Boolean(builder) => append!(builder, boolean),
            Values::Integer { values, negative_zeros } => {
                append!(values, |text: &str| {
                    let value = integer(text)?;
                    if value == 0 && text.trim() == "-0" {
                        negative_zeros.push(values.len());
                    }
                    Some(value)
                });
            }
            Values::Float(builder) if decimal == Decimal::Point => append!(builder, float_with_point),
            Values::Float(builder) => append!(builder, |text| float(text, decimal)),
            Values::Text(builder) => append!(builder, Some),
            Values::Date(builder) => append!(builder, date),
            Values::Timestamp(builder) => append!(builder, timestamp),
        }
        None
    }

    /// Gives the number of rows.
    fn len(&self) -> usize {
        match self {
            Values::Boolean(builder) => builder.len(),
            Values::Integer { values, .. } => values.len(),
            Values::Float(builder) => builder.len(),
            Values::Text(builder) => builder.len(),
            Values::Date(builder) => builder.len(),
            Values::Timestamp(builder) => builder.len(),
        }
    }

    /// Makes floats of integers, each the float that its text would have given.
    fn widen(&mut self) {
        if let Values::Integer { values, negative_zeros } = self {
            let mut floats = Float64Builder::with_capacity(values.values_slice().len());
            let mut negative_zeros = negative_zeros.iter().peekable();
            for (row, value) in values.finish().iter().enumerate() {
                let negative_zero = negative_zeros.next_if_eq(&&row).is_some();
                floats.append_option(value.map(|value| if negative_zero { -0.0 } else { value as f64 }));
            }
            *self = Values::Float(floats);
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Values::Boolean(mut builder) => Arc::new(builder.finish()),
            Values::Integer { mut values, .. } => Arc::new(values.finish()),
            Values::Float(mut builder) => Arc::new(builder.finish()),
            Values::Text(mut builder) => Arc::new(builder.finish()),
            Values::Date(mut builder) => Arc::new(builder.finish()),
            Values::Timestamp(mut builder) => Arc::new(builder.finish()),
        }
    }
}
