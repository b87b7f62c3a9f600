//! One scalar function, lifted to batches and to single rows.
//!
//! Every operator and function of the language is written once, as a closure over plain values. The `lift` macros wrap it
//! into an [`Operation`] that runs it down whole columns or over one row; both run the same closure, which is why a row
//! and a batch give the same bits.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, NullBufferBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, Date32Array, Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::meaning::Meaning;
use crate::runtime::Fault;
use crate::value::{Type, Value};

/// What a kernel gives for values that are not NULL: a value, NULL, or a fault. The fault is boxed since it is rare.
pub(crate) type Outcome<T> = Result<Option<T>, Box<Fault>>;

/// A column of intermediate results.
#[derive(Debug, Clone)]
pub(crate) enum Vector {
    /// One value a row.
    Array(ArrayRef),
    /// The same value in every row.
    Constant(Value),
}

/// An operator or function with its argument types settled.
pub(crate) trait Operation: Send + Sync {
    /// Runs over `rows` rows; a fault comes with its row.
    fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)>;
    /// Runs over one row.
    fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>>;
    /// Says what it computes, where another engine can compute the same.
    fn meaning(&self) -> Option<Meaning> {
        None
    }
}

/// A type of argument that a kernel takes.
pub(crate) trait Input: Send + Sync + 'static {
    /// The argument as the kernel sees it.
    type Item<'a>: Copy;
    /// A column of them.
    type Reader<'a>: Read<Item = Self::Item<'a>>;
    /// Whether NULL in this argument makes the result NULL without running the kernel.
    const STRICT: bool;
    /// Opens a column. A strict reader is only opened when the column is not NULL throughout.
    fn reader(vector: &Vector) -> Self::Reader<'_>;
    /// Reads a single value; `None` means that the result is NULL.
    fn of_value(value: &Value) -> Option<Self::Item<'_>>;
}

/// A column being read.
pub(crate) trait Read {
    /// What a row holds.
    type Item;
    /// Reads one row.
    fn read(&self, row: usize) -> Self::Item;
}

/// A type of result that a kernel gives by value.
pub(crate) trait Output: Send + Sync + 'static {
    /// The result as the kernel gives it.
    type Item;
    /// Collects a column of them.
    type Builder;
    /// The type of the column.
    const KIND: Type;
    /// Starts a column.
    fn builder(rows: usize) -> Self::Builder;
    /// Appends a row.
    fn push(builder: &mut Self::Builder, item: Option<Self::Item>);
    /// Ends a column.
    fn finish(builder: Self::Builder) -> ArrayRef;
    /// Wraps a single value.
    fn value(item: Self::Item) -> Value;
}

/// Booleans.
pub(crate) struct B;
/// Integers.
pub(crate) struct I;
/// Floats.
pub(crate) struct F;
/// Text.
pub(crate) struct S;
/// Dates, as days since 1970-01-01.
pub(crate) struct D;
/// Timestamps, as microseconds since 1970-01-01.
pub(crate) struct T;
/// An argument that may be NULL.
pub(crate) struct Nullable<A>(PhantomData<fn(A)>);

pub(crate) enum Source<'a, N> {
    Slice(&'a [N]),
    Constant(N),
}

impl<N: Copy> Read for Source<'_, N> {
    type Item = N;

    #[inline]
    fn read(&self, row: usize) -> N {
        match self {
            Source::Slice(values) => values[row],
            Source::Constant(value) => *value,
        }
    }
}

pub(crate) struct Collected<N> {
    values: Vec<N>,
    nulls: NullBufferBuilder,
}

macro_rules! primitive {
    ($marker:ident, $native:ty, $arrow:ty, $array:ty, $variant:ident, $plain:expr) => {
        impl Input for $marker {
            type Item<'a> = $native;
            type Reader<'a> = Source<'a, $native>;
            const STRICT: bool = true;

            fn reader(vector: &Vector) -> Source<'_, $native> {
                match vector {
                    Vector::Array(array) => Source::Slice(array.as_primitive::<$arrow>().values()),
                    Vector::Constant(value) => Source::Constant(Self::of_value(value).unwrap_or_default()),
                }
            }

            #[inline]
            fn of_value(value: &Value) -> Option<$native> {
                match value {
                    Value::$variant(native) => Some(*native),
                    _ => None,
                }
            }
        }

        impl Output for $marker {
            type Item = $native;
            type Builder = Collected<$native>;
            const KIND: Type = Type::$variant;

            fn builder(rows: usize) -> Collected<$native> {
                Collected { values: Vec::with_capacity(rows), nulls: NullBufferBuilder::new(rows) }
            }

            #[inline]
            fn push(builder: &mut Collected<$native>, item: Option<$native>) {
                match item {
                    Some(item) => {
                        builder.values.push($plain(item));
                        builder.nulls.append_non_null();
                    }
                    None => {
                        builder.values.push(<$native>::default());
                        builder.nulls.append_null();
                    }
                }
            }

            fn finish(mut builder: Collected<$native>) -> ArrayRef {
                Arc::new(<$array>::new(ScalarBuffer::from(builder.values), builder.nulls.finish()))
            }

            fn value(item: $native) -> Value {
                Value::$variant($plain(item))
            }
        }
    };
}

primitive!(I, i64, Int64Type, Int64Array, Integer, std::convert::identity);
primitive!(F, f64, Float64Type, Float64Array, Float, one_nan);
primitive!(D, i32, Date32Type, Date32Array, Date, std::convert::identity);
primitive!(T, i64, TimestampMicrosecondType, TimestampMicrosecondArray, Timestamp, std::convert::identity);

/// Processors differ in the sign and payload of the NaN that an operation makes; a result has only one.
#[inline]
fn one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

pub(crate) enum Bits<'a> {
    Array(&'a arrow_buffer::BooleanBuffer),
    Constant(bool),
}

impl Read for Bits<'_> {
    type Item = bool;

    #[inline]
    fn read(&self, row: usize) -> bool {
        match self {
            Bits::Array(values) => values.value(row),
            Bits::Constant(value) => *value,
        }
    }
}

impl Input for B {
    type Item<'a> = bool;
    type Reader<'a> = Bits<'a>;
    const STRICT: bool = true;

    fn reader(vector: &Vector) -> Bits<'_> {
        match vector {
            Vector::Array(array) => Bits::Array(array.as_boolean().values()),
            Vector::Constant(value) => Bits::Constant(Self::of_value(value).unwrap_or_default()),
        }
    }

    #[inline]
    fn of_value(value: &Value) -> Option<bool> {
        match value {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }
}

impl Output for B {
    type Item = bool;
    type Builder = BooleanBuilder;
    const KIND: Type = Type::Boolean;

    fn builder(rows: usize) -> BooleanBuilder {
        BooleanBuilder::with_capacity(rows)
    }

    #[inline]
    fn push(builder: &mut BooleanBuilder, item: Option<bool>) {
        builder.append_option(item);
    }

    fn finish(mut builder: BooleanBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }

    fn value(item: bool) -> Value {
        Value::Boolean(item)
    }
}

pub(crate) enum Texts<'a> {
    Array(&'a LargeStringArray),
    Constant(&'a str),
}

impl<'a> Read for Texts<'a> {
    type Item = &'a str;

    #[inline]
    fn read(&self, row: usize) -> &'a str {
        match self {
            Texts::Array(array) => array.value(row),
            Texts::Constant(text) => text,
        }
    }
}

impl Input for S {
    type Item<'a> = &'a str;
    type Reader<'a> = Texts<'a>;
    const STRICT: bool = true;

    fn reader(vector: &Vector) -> Texts<'_> {
        match vector {
            Vector::Array(array) => Texts::Array(array.as_string::<i64>()),
            Vector::Constant(value) => Texts::Constant(Self::of_value(value).unwrap_or_default()),
        }
    }

    #[inline]
    fn of_value(value: &Value) -> Option<&str> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

pub(crate) enum Sparse<'a, R> {
    /// NULL throughout.
    NoRow,
    Some(R, Option<&'a NullBuffer>),
}

impl<R: Read> Read for Sparse<'_, R> {
    type Item = Option<R::Item>;

    #[inline]
    fn read(&self, row: usize) -> Option<R::Item> {
        match self {
            Sparse::Some(reader, nulls) if nulls.is_none_or(|nulls| nulls.is_valid(row)) => Some(reader.read(row)),
            _ => None,
        }
    }
}

impl<A: Input> Input for Nullable<A> {
    type Item<'a> = Option<A::Item<'a>>;
    type Reader<'a> = Sparse<'a, A::Reader<'a>>;
    const STRICT: bool = false;

    fn reader(vector: &Vector) -> Self::Reader<'_> {
        match vector {
            Vector::Array(array) => Sparse::Some(A::reader(vector), array.nulls()),
            Vector::Constant(Value::Null) => Sparse::NoRow,
            Vector::Constant(_) => Sparse::Some(A::reader(vector), None),
        }
    }

    #[inline]
    fn of_value(value: &Value) -> Option<Self::Item<'_>> {
        Some(A::of_value(value))
    }
}

/// Collects a column of text without a string a row.
struct TextBuilder {
    text: String,
    offsets: Vec<i64>,
    nulls: NullBufferBuilder,
}

impl TextBuilder {
    fn new(rows: usize) -> TextBuilder {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        TextBuilder { text: String::new(), offsets, nulls: NullBufferBuilder::new(rows) }
    }

    #[inline]
    fn push(&mut self, write: impl FnOnce(&mut String) -> Outcome<()>) -> Result<(), Box<Fault>> {
        let start = self.text.len();
        match write(&mut self.text)? {
            Some(()) => self.nulls.append_non_null(),
            None => {
                self.text.truncate(start);
                self.nulls.append_null();
            }
        }
        self.offsets.push(self.text.len() as i64);
        Ok(())
    }

    fn finish(mut self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(LargeStringArray::new(offsets, Buffer::from_vec(self.text.into_bytes()), self.nulls.finish()))
    }
}

/// Which rows have a value in every strict argument.
enum Validity {
    Every,
    NoRow,
    Some(NullBuffer),
}

fn validity(arguments: &[Vector], strict: &[bool]) -> Validity {
    let mut nulls: Option<NullBuffer> = None;
    for (argument, strict) in arguments.iter().zip(strict) {
        if !strict {
            continue;
        }
        match argument {
            Vector::Constant(Value::Null) => return Validity::NoRow,
            Vector::Constant(_) => {}
            Vector::Array(array) => nulls = NullBuffer::union(nulls.as_ref(), array.nulls()),
        }
    }
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => Validity::Some(nulls),
        _ => Validity::Every,
    }
}

macro_rules! lift {
    ($by_value:ident, $make:ident, $by_text:ident, $make_text:ident, $($A:ident $a:ident $index:tt),+) => {
        struct $by_value<$($A,)+ R, K> {
            kernel: K,
            types: PhantomData<fn($($A,)+ R)>,
        }

        impl<$($A: Input,)+ R: Output, K> Operation for $by_value<$($A,)+ R, K>
        where
            K: for<'a> Fn($($A::Item<'a>),+) -> Outcome<R::Item> + Send + Sync,
        {
            fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)> {
                let validity = validity(arguments, &[$($A::STRICT),+]);
                if matches!(validity, Validity::NoRow) {
                    return Ok(new_null_array(&R::KIND.arrow(), rows));
                }
                $(let $a = $A::reader(&arguments[$index]);)+
                let mut builder = R::builder(rows);
                if let Validity::Some(nulls) = &validity {
                    for row in 0..rows {
                        let item = if nulls.is_valid(row) {
                            (self.kernel)($($a.read(row)),+).map_err(|fault| (row, fault))?
                        } else {
                            None
                        };
                        R::push(&mut builder, item);
                    }
                } else {
                    for row in 0..rows {
                        let item = (self.kernel)($($a.read(row)),+).map_err(|fault| (row, fault))?;
                        R::push(&mut builder, item);
                    }
                }
                Ok(R::finish(builder))
            }

            fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>> {
                $(let Some($a) = $A::of_value(&arguments[$index]) else { return Ok(Value::Null) };)+
                Ok((self.kernel)($($a),+)?.map_or(Value::Null, R::value))
            }
        }

        /// Lifts a kernel that gives its result by value.
        pub(crate) fn $make<$($A: Input,)+ R: Output>(
            kernel: impl for<'a> Fn($($A::Item<'a>),+) -> Outcome<R::Item> + Send + Sync + 'static,
        ) -> Arc<dyn Operation> {
            Arc::new($by_value::<$($A,)+ R, _> { kernel, types: PhantomData })
        }

        struct $by_text<$($A,)+ K> {
            kernel: K,
            types: PhantomData<fn($($A),+)>,
        }

        impl<$($A: Input,)+ K> Operation for $by_text<$($A,)+ K>
        where
            K: for<'a> Fn($($A::Item<'a>,)+ &mut String) -> Outcome<()> + Send + Sync,
        {
            fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)> {
                let validity = validity(arguments, &[$($A::STRICT),+]);
                if matches!(validity, Validity::NoRow) {
                    return Ok(new_null_array(&Type::Text.arrow(), rows));
                }
                $(let $a = $A::reader(&arguments[$index]);)+
                let mut builder = TextBuilder::new(rows);
                for row in 0..rows {
                    let valid = if let Validity::Some(nulls) = &validity { nulls.is_valid(row) } else { true };
                    let pushed = builder.push(|text| {
                        if valid { (self.kernel)($($a.read(row),)+ text) } else { Ok(None) }
                    });
                    pushed.map_err(|fault| (row, fault))?;
                }
                Ok(builder.finish())
            }

            fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>> {
                $(let Some($a) = $A::of_value(&arguments[$index]) else { return Ok(Value::Null) };)+
                let mut text = String::new();
                Ok((self.kernel)($($a,)+ &mut text)?.map_or(Value::Null, |()| Value::Text(text)))
            }
        }

        /// Lifts a kernel that appends its result to a text.
        pub(crate) fn $make_text<$($A: Input),+>(
            kernel: impl for<'a> Fn($($A::Item<'a>,)+ &mut String) -> Outcome<()> + Send + Sync + 'static,
        ) -> Arc<dyn Operation> {
            Arc::new($by_text::<$($A,)+ _> { kernel, types: PhantomData })
        }
    };
}

lift!(One, one, OneText, one_text, A0 a 0);
lift!(Two, two, TwoText, two_text, A0 a 0, A1 b 1);
lift!(Three, three, ThreeText, three_text, A0 a 0, A1 b 1, A2 c 2);

/// Any number of arguments of one type, NULLs included.
struct Many<A, R, K> {
    kernel: K,
    types: PhantomData<fn(A, R)>,
}

impl<A: Input, R: Output, K> Operation for Many<A, R, K>
where
    K: for<'a> Fn(&[Option<A::Item<'a>>]) -> Outcome<R::Item> + Send + Sync,
{
    fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)> {
        let readers: Vec<_> = arguments.iter().map(Nullable::<A>::reader).collect();
        let mut items = Vec::with_capacity(readers.len());
        let mut builder = R::builder(rows);
        for row in 0..rows {
            items.clear();
            items.extend(readers.iter().map(|reader| reader.read(row)));
            R::push(&mut builder, (self.kernel)(&items).map_err(|fault| (row, fault))?);
        }
        Ok(R::finish(builder))
    }

    fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>> {
        let items: Vec<_> = arguments.iter().map(A::of_value).collect();
        Ok((self.kernel)(&items)?.map_or(Value::Null, R::value))
    }
}

/// Lifts a kernel over any number of arguments of one type, any of which may be NULL.
pub(crate) fn many<A: Input, R: Output>(
    kernel: impl for<'a> Fn(&[Option<A::Item<'a>>]) -> Outcome<R::Item> + Send + Sync + 'static,
) -> Arc<dyn Operation> {
    Arc::new(Many::<A, R, _> { kernel, types: PhantomData })
}

/// Any number of texts, NULLs included, to one text.
struct ManyText<K> {
    kernel: K,
}

impl<K> Operation for ManyText<K>
where
    K: Fn(&[Option<&str>], &mut String) -> Outcome<()> + Send + Sync,
{
    fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)> {
        let readers: Vec<_> = arguments.iter().map(Nullable::<S>::reader).collect();
        let mut items = Vec::with_capacity(readers.len());
        let mut builder = TextBuilder::new(rows);
        for row in 0..rows {
            items.clear();
            items.extend(readers.iter().map(|reader| reader.read(row)));
            builder.push(|text| (self.kernel)(&items, text)).map_err(|fault| (row, fault))?;
        }
        Ok(builder.finish())
    }

    fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>> {
        let items: Vec<_> = arguments.iter().map(S::of_value).collect();
        let mut text = String::new();
        Ok((self.kernel)(&items, &mut text)?.map_or(Value::Null, |()| Value::Text(text)))
    }
}

/// Lifts a kernel over any number of texts, any of which may be NULL, that appends its result to a text.
pub(crate) fn many_text(
    kernel: impl Fn(&[Option<&str>], &mut String) -> Outcome<()> + Send + Sync + 'static,
) -> Arc<dyn Operation> {
    Arc::new(ManyText { kernel })
}
