//! Values with an order: numbers, days, points in time, lengths.

use trainyard_exact::quantile;

use super::counted::Counted;
use super::distinct::Distinct;
use super::frequent::Frequent;
use super::hash::mix;
use super::limits::Limits;
use super::quantiles::Quantiles;
use super::report::{self, Histogram, Scalar};
use crate::drift::page::figure;
use crate::expectations::{write_date, write_moment};
use crate::statistics::{key, sturges, value};

/// The shares whose values are told.
pub(super) const SHARES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

/// What a key stands for. Keys are in the order of what they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Integer,
    Float,
    Day,
    Moment,
}

impl Meaning {
    pub(super) fn of_integer(value: i64) -> u64 {
        value as u64 ^ 1 << 63
    }

    /// Gives the key of a finite number; the two zeros are one.
    pub(super) fn of_float(value: f64) -> u64 {
        key(value + 0.0)
    }

    fn integer(key: u64) -> i64 {
        (key ^ 1 << 63) as i64
    }

    pub(super) fn number(self, key: u64) -> f64 {
        match self {
            Meaning::Float => value(key),
            _ => Meaning::integer(key) as f64,
        }
    }

    pub(super) fn scalar(self, key: u64) -> Scalar {
        match self {
            Meaning::Integer => Scalar::Integer(Meaning::integer(key)),
            Meaning::Float => Scalar::Float(value(key)),
            Meaning::Day => Scalar::Text(write_date(Meaning::integer(key))),
            Meaning::Moment => Scalar::Text(write_moment(Meaning::integer(key))),
        }
    }
}

/// Takes values one by one: counts them as long as they are few, then sketches them.
#[derive(Debug)]
pub(super) struct Ordered {
    meaning: Meaning,
    limits: Limits,
    ends: Option<(u64, u64)>,
    values: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Exact(Counted),
    Sketched(Box<Sketch>),
}

#[derive(Debug)]
struct Sketch {
    quantiles: Quantiles,
    distinct: Distinct,
    frequent: Frequent<u64, ()>,
}

impl Sketch {
    fn add(&mut self, key: u64, count: u64) {
        self.quantiles.add(key, count);
        self.distinct.add(mix(key));
        self.frequent.add(key, count, || ());
    }
}

impl Ordered {
    pub(super) fn new(meaning: Meaning, limits: Limits) -> Ordered {
        Ordered { meaning, limits, ends: None, values: 0, state: State::Exact(Counted::new(limits.numbers)) }
    }

    pub(super) fn add(&mut self, key: u64) {
        let (least, most) = self.ends.unwrap_or((key, key));
        self.ends = Some((least.min(key), most.max(key)));
        self.values += 1;
        match &mut self.state {
            State::Sketched(sketch) => sketch.add(key, 1),
            State::Exact(counted) => {
                if counted.add(key) && counted.is_over() {
                    self.sketch();
                }
            }
        }
    }

    fn sketch(&mut self) {
        if let State::Exact(counted) = &mut self.state {
            let counted = std::mem::replace(counted, Counted::new(0)).finish();
            let mut sketch = Sketch {
                quantiles: Quantiles::new(self.limits.level),
                distinct: Distinct::new(self.limits.bits),
                frequent: Frequent::new(self.limits.counters),
            };
            counted.iter().for_each(|(key, count)| sketch.add(*key, *count));
            self.state = State::Sketched(Box::new(sketch));
        }
    }

    /// Says whether all values are equal.
    pub(super) fn is_constant(&self) -> bool {
        self.ends.is_some_and(|(least, most)| least == most)
    }

    pub(super) fn finish(mut self) -> Order {
        // What came last may have been one value too many.
        if let State::Exact(counted) = &mut self.state
            && counted.is_over()
        {
            self.sketch();
        }
        let (meaning, ends, values) = (self.meaning, self.ends, self.values);
        match self.state {
            State::Exact(counted) => {
                let weighted = counted.finish();
                let mut top = weighted.clone();
                top.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
                let distinct = report::Distinct { count: weighted.len() as u64, exact: true, standard_error: None };
                Order { meaning, ends, values, weighted, rank_error: None, distinct, top, top_error: 0 }
            }
            State::Sketched(sketch) => {
                let Sketch { quantiles, distinct, frequent } = *sketch;
                let distinct = report::Distinct {
                    // More than the values there can't be, and fewer than were counted neither.
                    count: distinct.estimate().clamp(self.limits.numbers as u64, values),
                    exact: false,
                    standard_error: Some(distinct.standard_error()),
                };
                Order {
                    meaning,
                    ends,
                    values,
                    weighted: quantiles.weighted(),
                    rank_error: Some(quantiles.error() as f64 / values as f64),
                    distinct,
                    top_error: frequent.error(),
                    top: frequent.finish().into_iter().map(|(key, count, ())| (key, count)).collect(),
                }
            }
        }
    }
}

/// Values in their order: all of them, or a sketch.
#[derive(Debug)]
pub(super) struct Order {
    meaning: Meaning,
    ends: Option<(u64, u64)>,
    pub(super) values: u64,
    /// Keys with weights whose sum is the number of values.
    weighted: Vec<(u64, u64)>,
    /// The share by which a rank may be off; nothing where all values are there.
    rank_error: Option<f64>,
    pub(super) distinct: report::Distinct,
    /// The most frequent ones first, with their counts.
    pub(super) top: Vec<(u64, u64)>,
    pub(super) top_error: u64,
}

impl Order {
    pub(super) fn ends(&self) -> Option<(Scalar, Scalar)> {
        self.ends.map(|(least, most)| (self.meaning.scalar(least), self.meaning.scalar(most)))
    }

    pub(super) fn end_numbers(&self) -> Option<(f64, f64)> {
        self.ends.map(|(least, most)| (self.meaning.number(least), self.meaning.number(most)))
    }

    /// Gives the keys at some ranks, which are sorted, from 0.
    fn at(&self, ranks: &[u64]) -> Vec<u64> {
        let mut keys = Vec::with_capacity(ranks.len());
        let (mut below, mut weighted) = (0, self.weighted.iter());
        let mut here = None;
        for rank in ranks {
            while below <= *rank {
                let Some((key, weight)) = weighted.next() else { break };
                below += weight;
                here = Some(*key);
            }
            keys.extend(here);
        }
        keys
    }

    pub(super) fn quantiles(&self) -> Option<report::Quantiles> {
        let last = self.values.checked_sub(1)?;
        let (least, most) = self.ends?;
        let of = |share: f64| {
            let place = share * last as f64;
            let below = place.floor() as u64;
            let value = match self.rank_error {
                _ if share == 0.0 => self.between(least, least, 0.0)?,
                _ if share == 1.0 => self.between(most, most, 0.0)?,
                Some(_) => {
                    let key = *self.at(&[place.round() as u64]).first()?;
                    self.between(key, key, 0.0)?
                }
                None => {
                    let [low, high]: [u64; 2] = self.at(&[below, (below + 1).min(last)]).try_into().ok()?;
                    self.between(low, high, place - place.floor())?
                }
            };
            Some(report::Quantile { share, value })
        };
        let values = SHARES.iter().filter_map(|share| of(*share)).collect();
        Some(report::Quantiles { rank_error: self.rank_error.unwrap_or(0.0), values })
    }

    /// Gives the value between two keys, as NumPy does; of days and points in time it is the earlier one.
    fn between(&self, low: u64, high: u64, weight: f64) -> Option<Scalar> {
        match self.meaning {
            Meaning::Day | Meaning::Moment => Some(self.meaning.scalar(low)),
            Meaning::Integer | Meaning::Float => {
                quantile(&[self.meaning.number(low), self.meaning.number(high)], weight).map(Scalar::Float)
            }
        }
    }

    pub(super) fn median(&self) -> Option<f64> {
        let last = self.values.checked_sub(1)?;
        let keys = self.at(&[last / 2, last.div_ceil(2)]);
        let numbers: Vec<f64> = keys.iter().map(|key| self.meaning.number(*key)).collect();
        quantile(&numbers, 0.5)
    }

    /// Gives counts in bins by Sturges' rule, as NumPy has it.
    pub(super) fn histogram(&self, of: &'static str) -> Option<Histogram> {
        let (least, most) = self.ends?;
        let (first, last) = self.end_numbers()?;
        let whole = self.meaning != Meaning::Float;
        let edges = sturges(first, last, usize::try_from(self.values).ok()?, whole);
        let mut counts = vec![0; edges.len().saturating_sub(1)];
        let mut at = 0;
        for (key, weight) in &self.weighted {
            let number = self.meaning.number(*key);
            while at + 1 < counts.len() && edges.get(at + 1).is_some_and(|edge| number >= *edge) {
                at += 1;
            }
            if let Some(count) = counts.get_mut(at) {
                *count += weight;
            }
        }
        let told = |key: u64, edge: Option<&f64>| match self.meaning {
            Meaning::Day | Meaning::Moment => match self.meaning.scalar(key) {
                Scalar::Text(text) => text,
                _ => String::new(),
            },
            _ => edge.map_or_else(String::new, |edge| figure(Some(*edge))),
        };
        let ends = [told(least, edges.first()), told(most, edges.last())];
        Some(Histogram { of, edges, ends, counts })
    }
}
