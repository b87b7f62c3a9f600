//! A column that grows cell by cell.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, LargeStringBuilder, TimestampMicrosecondBuilder,
};
use trainyard_spec::ColumnType;

use super::values::{boolean, date, float, infer, integer, timestamp};

/// A type is inferred from this many values; a later value that breaks it is an error, not another guess.
pub(super) const INFERRED_FROM: usize = 1000;

/// A column of a file whose rows are not all read yet.
pub(crate) struct Column {
    /// Whether the type was given, so that nothing else will do.
    pub(crate) declared: bool,
    state: State,
}

enum State {
    /// As texts, `values` of them there, until there are enough to tell a type from.
    Undecided { texts: LargeStringBuilder, values: usize },
    /// As values; `kind` is what the first ones, or the user, said.
    Decided { kind: ColumnType, values: Values },
}

impl Column {
    pub(crate) fn new(declared: Option<ColumnType>) -> Column {
        let state = match declared {
            Some(kind) => State::Decided { kind, values: Values::new(kind) },
            None => State::Undecided { texts: LargeStringBuilder::with_capacity(0, 0), values: 0 },
        };
        Column { declared: declared.is_some(), state }
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
                if values.append(cell) {
                    return Ok(());
                }
                // A whole-number column may turn out to hold fractions; anything else is an error.
                match (values, cell) {
                    (values @ Values::Integer { .. }, Some(text)) if !self.declared && float(text).is_some() => {
                        values.widen();
                        values.append(cell);
                        Ok(())
                    }
                    _ => Err(*kind),
                }
            }
        }
    }

    /// Gives the column the type that all its values so far are of.
    fn decide(&mut self) {
        if let State::Undecided { texts, .. } = &mut self.state {
            let texts = texts.finish();
            let kind = infer(texts.iter().flatten());
            let mut values = Values::new(kind);
            texts.iter().for_each(|text| {
                values.append(text);
            });
            self.state = State::Decided { kind, values };
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

/// Makes a column of texts; the row of the first one that is not of the type otherwise.
pub(crate) fn column<'a>(
    kind: ColumnType,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Result<ArrayRef, (usize, &'a str)> {
    let mut values = Values::new(kind);
    for (row, text) in texts.enumerate() {
        if !values.append(text) {
            return Err((row, text.unwrap_or_default()));
        }
    }
    Ok(values.finish())
}

/// The values of a column, in its type.
enum Values {
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

    /// Takes the next cell; says whether it is of the type.
    fn append(&mut self, cell: Option<&str>) -> bool {
        macro_rules! append {
            ($builder:expr, $parse:expr) => {
                match cell {
                    None => $builder.append_null(),
                    Some(text) => match $parse(text) {
                        Some(value) => $builder.append_value(value),
                        None => return false,
                    },
                }
            };
        }
        match self {
            Values::Boolean(builder) => append!(builder, boolean),
            Values::Integer { values, negative_zeros } => {
                append!(values, integer);
                if cell.is_some_and(|text| text.trim() == "-0") {
                    negative_zeros.push(values.values_slice().len() - 1);
                }
            }
            Values::Float(builder) => append!(builder, float),
            Values::Text(builder) => append!(builder, Some),
            Values::Date(builder) => append!(builder, date),
            Values::Timestamp(builder) => append!(builder, timestamp),
        }
        true
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
