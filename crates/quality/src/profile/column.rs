//! One column, cell by cell.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::hash::{self, MISSING, mix};
use super::leaks::{Cells, Predicting};
use super::levels::Levels;
use super::limits::Limits;
use super::moments::Moments;
use super::ordered::{Meaning, Order, Ordered};
use super::report::{self, ColumnProfile, Kind, Length, Note, Numbers, Scalar, Top};
use super::texts::{Found, Looks, Texts};

/// How many of the most frequent values are told.
const TOP: usize = 20;

/// Whole numbers of up to this many different values are classes when they are to be predicted.
const CLASSES: u64 = 20;

/// What is known of a column so far.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    rows: u64,
    missing: u64,
    /// Hashes of the cells of the last piece.
    pub(super) hashes: Vec<u64>,
    /// Of texts and truth values.
    pub(super) levels: Levels,
    /// Of numbers, and of the lengths of texts.
    pub(super) moments: Moments,
    cells: Cells,
    state: State,
}

#[derive(Debug)]
enum State {
    Boolean([u64; 2]),
    Number { ordered: Ordered, zeros: u64, negative: u64, infinite: [u64; 2], not_a_number: u64 },
    Moment(Ordered),
    Text { texts: Texts, lengths: Ordered },
}

/// A column when all rows were seen.
pub(super) struct Finished {
    pub(super) profile: ColumnProfile,
    /// All values that are told one by one, with their shares; nothing where there are too many.
    pub(super) classes: Option<Vec<Top>>,
    /// What the target's keys mean, where it is a number.
    pub(super) number: Option<Meaning>,
    cells: Cells,
    meaning: Option<Meaning>,
}

impl Finished {
    pub(super) fn predicting(&self) -> Predicting<'_> {
        Predicting { name: &self.profile.column, meaning: self.meaning, cells: &self.cells }
    }
}

fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int64 => Kind::Integer,
        DataType::Float64 => Kind::Float,
        DataType::LargeUtf8 => Kind::Text,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(TimeUnit::Microsecond, _) => Kind::Timestamp,
        _ => return None,
    })
}

impl Column {
    /// Makes a column of a canonical type; nothing for another one.
    pub(super) fn new(name: &str, data_type: &DataType, limits: Limits) -> Option<Column> {
        let kind = kind(data_type)?;
        let ordered = |meaning| Ordered::new(meaning, limits);
        let number = |meaning| State::Number {
            ordered: ordered(meaning),
            zeros: 0,
            negative: 0,
            infinite: [0; 2],
            not_a_number: 0,
        };
        let state = match kind {
            Kind::Boolean => State::Boolean([0; 2]),
            Kind::Integer => number(Meaning::Integer),
            Kind::Float => number(Meaning::Float),
            Kind::Date => State::Moment(ordered(Meaning::Day)),
            Kind::Timestamp => State::Moment(ordered(Meaning::Moment)),
            Kind::Text => State::Text { texts: Texts::new(limits), lengths: ordered(Meaning::Integer) },
        };
        Some(Column {
            name: name.to_owned(),
            kind,
            rows: 0,
            missing: 0,
            hashes: Vec::new(),
            levels: Levels::default(),
            moments: Moments::new(),
            cells: Cells::default(),
            state,
        })
    }

    /// Takes the next rows; `picked` are those of them that are sampled.
    pub(super) fn add(&mut self, array: &ArrayRef, picked: &[usize]) {
        self.rows += array.len() as u64;
        self.missing += array.null_count() as u64;
        self.hashes.clear();
        let Column { hashes, levels, moments, cells, state, .. } = self;
        match state {
            State::Boolean(counts) => {
                for value in array.as_boolean().iter() {
                    let cell = value.map(|value| mix(u64::from(value)));
                    if let Some(value) = value {
                        counts[usize::from(value)] += 1;
                    }
                    levels.push(cell);
                    hashes.push(cell.unwrap_or(MISSING));
                }
                let values = array.as_boolean();
                cells.cells.extend(picked.iter().map(|at| values.is_valid(*at).then(|| u64::from(values.value(*at)))));
            }
            State::Number { ordered, zeros, negative, infinite, not_a_number } => {
                let mut take = |key: Option<u64>, number: Option<f64>| {
                    let number = number.filter(|number| {
                        *zeros += u64::from(*number == 0.0);
                        *negative += u64::from(*number < 0.0);
                        *not_a_number += u64::from(number.is_nan());
                        infinite[usize::from(*number > 0.0)] += u64::from(number.is_infinite());
                        number.is_finite()
                    });
                    moments.push(number);
                    if let (Some(key), Some(_)) = (key, number) {
                        ordered.add(key);
                    }
                    hashes.push(key.map_or(MISSING, mix));
                };
                if let Some(values) = array.as_primitive_opt::<Int64Type>() {
                    values
                        .iter()
                        .for_each(|value| take(value.map(Meaning::of_integer), value.map(|value| value as f64)));
                    cells.cells.extend(
                        picked.iter().map(|at| values.is_valid(*at).then(|| Meaning::of_integer(values.value(*at)))),
                    );
                } else {
                    let values = array.as_primitive::<Float64Type>();
                    // Every NaN is one.
                    let key = |value: f64| Meaning::of_float(if value.is_nan() { f64::NAN } else { value });
                    values.iter().for_each(|value| take(value.map(key), value));
                    let cell = |at: &usize| {
                        let there = values.is_valid(*at) && !values.value(*at).is_nan();
                        there.then(|| key(values.value(*at)))
                    };
                    cells.cells.extend(picked.iter().map(cell));
                }
            }
            State::Moment(ordered) => {
                let keys: Vec<Option<u64>> = match array.as_primitive_opt::<Date32Type>() {
                    Some(days) => days.iter().map(|day| day.map(|day| Meaning::of_integer(i64::from(day)))).collect(),
                    None => {
                        let moments = array.as_primitive::<TimestampMicrosecondType>();
                        moments.iter().map(|moment| moment.map(Meaning::of_integer)).collect()
                    }
                };
                for key in &keys {
                    if let Some(key) = key {
                        ordered.add(*key);
                    }
                    hashes.push(key.map_or(MISSING, mix));
                }
                cells.cells.extend(picked.iter().map(|at| keys.get(*at).copied().flatten()));
            }
            State::Text { texts, lengths } => {
                let values = array.as_string::<i64>();
                for text in values.iter() {
                    let hash = text.map(hash::text);
                    if let (Some(text), Some(hash)) = (text, hash) {
                        texts.add(hash, text);
                        let length = text.chars().count() as u64;
                        lengths.add(Meaning::of_integer(length as i64));
                        moments.push(Some(length as f64));
                    } else {
                        moments.push(None);
                    }
                    let cell = hash.map(|hash| hash as u64);
                    levels.push(cell);
                    hashes.push(cell.unwrap_or(MISSING));
                }
                cells.cells.extend(picked.iter().map(|at| {
                    let there = values.is_valid(*at);
                    there.then(|| hashes.get(*at).copied()).flatten()
                }));
            }
        }
    }

    /// Keeps some rows of the sample.
    pub(super) fn thin(&mut self, kept: &[bool]) {
        self.cells.thin(kept);
    }

    /// Says whether it is held against other columns of categories.
    pub(super) fn is_category(&self) -> bool {
        matches!(self.kind, Kind::Boolean | Kind::Text)
    }

    pub(super) fn finish(self) -> Finished {
        let values = self.rows - self.missing;
        let kind = self.kind;
        let mut profile = ColumnProfile {
            column: self.name,
            kind,
            is_target: false,
            values,
            missing: self.missing,
            distinct: report::Distinct { count: 0, exact: true, standard_error: None },
            least: None,
            most: None,
            quantiles: None,
            numbers: None,
            length: None,
            top: Vec::new(),
            top_error: 0,
            histogram: None,
            notes: Vec::new(),
        };
        let share = |count: u64| if values == 0 { 0.0 } else { count as f64 / values as f64 };
        let tops = |all: Vec<(Scalar, u64)>| -> Vec<Top> {
            all.into_iter().map(|(value, count)| Top { value, count, share: share(count) }).collect()
        };
        let mut classes = None;
        let (mut number, mut own) = (None, None);
        let mut looks = Looks::default();
        match self.state {
            State::Boolean(counts) => {
                let mut all = vec![(Scalar::Boolean(false), counts[0]), (Scalar::Boolean(true), counts[1])];
                all.retain(|(_, count)| *count > 0);
                all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                profile.distinct.count = all.len() as u64;
                profile.top = tops(all);
                classes = Some(profile.top.clone());
            }
            State::Number { ordered, zeros, negative, infinite, not_a_number } => {
                let shape = self.moments.shape(ordered.is_constant());
                let meaning = if kind == Kind::Integer { Meaning::Integer } else { Meaning::Float };
                let order = ordered.finish();
                with_order(&mut profile, &order);
                profile.distinct.count += infinite.iter().filter(|count| **count > 0).count() as u64;
                profile.numbers = Some(Numbers {
                    mean: shape.map(|shape| shape.mean),
                    deviation: shape.and_then(|shape| shape.deviation),
                    skewness: shape.and_then(|shape| shape.skewness),
                    kurtosis: shape.and_then(|shape| shape.kurtosis),
                    zeros,
                    negative,
                    infinite: infinite.iter().sum(),
                    not_a_number,
                });
                let of = |(key, count): &(u64, u64)| (meaning.scalar(*key), *count);
                profile.top = tops(order.top.iter().take(TOP).map(of).collect());
                profile.top_error = order.top_error;
                own = Some(meaning);
                let few = if kind == Kind::Integer { CLASSES } else { 2 };
                if profile.distinct.exact && profile.distinct.count <= few {
                    classes = Some(tops(order.top.iter().map(of).collect()));
                } else {
                    number = Some(meaning);
                }
            }
            State::Moment(ordered) => {
                let meaning = if kind == Kind::Date { Meaning::Day } else { Meaning::Moment };
                let order = ordered.finish();
                with_order(&mut profile, &order);
                let of = |(key, count): &(u64, u64)| (meaning.scalar(*key), *count);
                profile.top = tops(order.top.iter().take(TOP).map(of).collect());
                profile.top_error = order.top_error;
                own = Some(meaning);
            }
            State::Text { texts, lengths } => {
                let Found { distinct, top, top_error, looks: found } = texts.finish();
                let shape = self.moments.shape(lengths.is_constant());
                let order = lengths.finish();
                let ends = order.end_numbers();
                profile.length = ends.zip(order.median()).zip(shape).map(|(((least, most), median), shape)| Length {
                    least: least as u64,
                    mean: shape.mean,
                    median,
                    most: most as u64,
                });
                profile.histogram = order.histogram("lengths");
                profile.distinct = distinct;
                let of = |(_, count, text): &(u128, u64, Box<str>)| (Scalar::Text(text.to_string()), *count);
                profile.top = tops(top.iter().take(TOP).map(of).collect());
                profile.top_error = top_error;
                classes = distinct.exact.then(|| tops(top.iter().map(of).collect()));
                looks = found;
            }
        }
        profile.notes = notes(&profile, self.rows, &looks);
        Finished { profile, classes, number, cells: self.cells, meaning: own }
    }
}

fn with_order(profile: &mut ColumnProfile, order: &Order) {
    profile.distinct = order.distinct;
    let (least, most) = order.ends().unzip();
    (profile.least, profile.most) = (least, most);
    profile.quantiles = order.quantiles();
    profile.histogram = order.histogram("values");
}

/// From this share of missing cells on somebody should look.
const MUCH_MISSING: f64 = 0.5;

/// From this share of numbers on among texts, somebody should look at the others.
const MANY_NUMBERS: f64 = 0.5;

/// Says what somebody should look at.
fn notes(profile: &ColumnProfile, rows: u64, looks: &Looks) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |about, text: String| notes.push(Note { about, text });
    let count = trainyard_diagnostics::count;
    let values = profile.values;
    if values == 0 && rows > 0 {
        note("empty", "no row has a value".to_owned());
        return notes;
    }
    if rows > 0 && profile.missing as f64 >= MUCH_MISSING * rows as f64 {
        note("missing", format!("{} of {} rows have no value", count(profile.missing), count(rows)));
    }
    let distinct = profile.distinct;
    if distinct.exact && distinct.count == 1 && values > 1 {
        note("constant", "every value is the same".to_owned());
    }
    if matches!(profile.kind, Kind::Integer | Kind::Text) && values > 1 && profile.missing == 0 {
        let near = distinct.standard_error.map_or(0.0, |error| 3.0 * error * values as f64);
        if distinct.count as f64 + near >= values as f64 && profile.top.iter().all(|top| top.count == 1) {
            let sure = if distinct.exact { "" } else { ", as far as a sketch can tell" };
            note("key", format!("a value of its own in every row{sure}"));
        }
    }
    if let Some(numbers) = &profile.numbers {
        if numbers.infinite > 0 {
            note("infinite", format!("{} infinite", count(numbers.infinite)));
        }
        if numbers.not_a_number > 0 {
            note("nan", format!("{} NaN, which is no missing cell", count(numbers.not_a_number)));
        }
    }
    let seen = looks.seen as f64;
    let (numbers, grouped) = (looks.numbers + looks.grouped, looks.grouped);
    if let Some(text) = looks.grouped_as.as_ref().filter(|_| numbers as f64 >= MANY_NUMBERS * seen) {
        note("thousands", format!("{} numbers with thousands set apart, such as {text:?}, are text", count(grouped)));
    }
    if numbers as f64 >= MANY_NUMBERS * seen && looks.seen > 0 {
        match &looks.other {
            Some(other) => {
                let others = looks.seen - numbers - looks.blank;
                note("numbers", format!("numbers but for {}, most often {other:?}", count(others)));
            }
            None if looks.grouped == 0 => note("numbers", "texts that are numbers, perhaps codes".to_owned()),
            None => {}
        }
    }
    if looks.blank > 0 {
        note("blank", format!("{} of nothing but blanks, which is no missing cell", count(looks.blank)));
    }
    if looks.padded > 0 {
        note("padded", format!("{} begin or end with a blank", count(looks.padded)));
    }
    notes
}
