//! Comparison: one total order a type, with NaN last and equal to itself.

use std::cmp::Ordering;

use crate::operation::{Input, Outcome};

/// A type whose values have an order.
pub(crate) trait Ordered: Input {
    /// Compares two values.
    fn order(left: Self::Item<'_>, right: Self::Item<'_>) -> Ordering;
}

macro_rules! natural {
    ($($marker:ident),+) => {
        $(impl Ordered for crate::operation::$marker {
            #[inline]
            fn order(left: Self::Item<'_>, right: Self::Item<'_>) -> Ordering {
                Ord::cmp(&left, &right)
            }
        })+
    };
}

natural!(B, I, D, T);

impl Ordered for crate::operation::S {
    #[inline]
    fn order(left: &str, right: &str) -> Ordering {
        left.cmp(right)
    }
}

impl Ordered for crate::operation::F {
    #[inline]
    fn order(left: f64, right: f64) -> Ordering {
        float(left, right)
    }
}

/// Orders floats: the zeros are equal, NaN is equal to itself and greater than everything else.
#[inline]
pub(crate) fn float(left: f64, right: f64) -> Ordering {
    match left.partial_cmp(&right) {
        Some(ordering) => ordering,
        None => left.is_nan().cmp(&right.is_nan()),
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Tells whether the comparison holds for an order of its operands.
    #[inline]
    pub(crate) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// AND of three-valued logic.
#[inline]
pub(crate) fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// OR of three-valued logic.
#[inline]
pub(crate) fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// `value BETWEEN low AND high`, which is `value >= low AND value <= high`.
#[inline]
pub(crate) fn between<A: Ordered>(
    value: Option<A::Item<'_>>,
    low: Option<A::Item<'_>>,
    high: Option<A::Item<'_>>,
) -> Option<bool> {
    let value = value?;
    let above = low.map(|low| A::order(value, low).is_ge());
    let below = high.map(|high| A::order(value, high).is_le());
    and(above, below)
}

/// `items[0] IN (items[1..])`: NULL where nothing equals and something is NULL.
#[inline]
pub(crate) fn among<A: Ordered>(items: &[Option<A::Item<'_>>]) -> Outcome<bool> {
    let Some((Some(value), list)) = items.split_first() else { return Ok(None) };
    let mut null = false;
    for item in list {
        match item {
            Some(item) if A::order(*value, *item).is_eq() => return Ok(Some(true)),
            Some(_) => {}
            None => null = true,
        }
    }
    Ok(if null { None } else { Some(false) })
}
