//! The operations behind the operators, for whichever type their operands have.

use std::sync::Arc;

use crate::kernel::calendar;
use crate::kernel::cast;
use crate::kernel::compare::{self, Comparison, Ordered};
use crate::meaning::Meaning;
use crate::operation::{
    B, D, F, I, Nullable, Operation, Outcome, Output, S, T, many, many_text, one, one_text, three, two, two_text,
};
use crate::runtime::Fault;
use crate::value::Type;

/// Runs an expression with `$marker` standing for the kernel type of a kind.
macro_rules! by_type {
    ($kind:expr, $marker:ident => $body:expr) => {
        match $kind {
            Type::Boolean => {
                type $marker = B;
                $body
            }
            Type::Integer => {
                type $marker = I;
                $body
            }
            Type::Float => {
                type $marker = F;
                $body
            }
            Type::Text => {
                type $marker = S;
                $body
            }
            Type::Date => {
                type $marker = D;
                $body
            }
            Type::Timestamp => {
                type $marker = T;
                $body
            }
        }
    };
}

/// Compares two values of one type.
pub(crate) fn comparison(kind: Type, comparison: Comparison) -> Arc<dyn Operation> {
    let operation = by_type!(kind, M => two::<M, M, B>(move |a, b| Ok(Some(comparison.holds(M::order(a, b))))));
    Meaning::Compare(kind, comparison).of(operation)
}

/// `IS DISTINCT FROM`, or its negation: NULL is a value like any other.
pub(crate) fn distinct(kind: Type, negated: bool) -> Arc<dyn Operation> {
    let operation = by_type!(kind, M => two::<Nullable<M>, Nullable<M>, B>(move |a, b| {
        let same = match (a, b) {
            (Some(a), Some(b)) => M::order(a, b).is_eq(),
            (None, None) => true,
            _ => false,
        };
        Ok(Some(same == negated))
    }));
    Meaning::Distinct { kind, negated }.of(operation)
}

/// `BETWEEN`, or its negation.
pub(crate) fn between(kind: Type, negated: bool) -> Arc<dyn Operation> {
    let operation = by_type!(kind, M => three::<Nullable<M>, Nullable<M>, Nullable<M>, B>(move |value, low, high| {
        Ok(compare::between::<M>(value, low, high).map(|inside| inside != negated))
    }));
    Meaning::Between { kind, negated }.of(operation)
}

/// `IN` over a list of one type, or its negation; the value comes first.
pub(crate) fn among(kind: Type, negated: bool) -> Arc<dyn Operation> {
    let operation = by_type!(kind, M => many::<M, B>(move |items| {
        Ok(compare::among::<M>(items)?.map(|inside| inside != negated))
    }));
    Meaning::Among { kind, negated }.of(operation)
}

/// `IS NULL`, or its negation.
pub(crate) fn is_null(kind: Type, negated: bool) -> Arc<dyn Operation> {
    let operation = by_type!(kind, M => one::<Nullable<M>, B>(move |a| Ok(Some(a.is_none() != negated))));
    Meaning::IsNull { kind, negated }.of(operation)
}

/// `IS TRUE` or `IS FALSE`, or their negations.
pub(crate) fn is_boolean(wanted: bool, negated: bool) -> Arc<dyn Operation> {
    let operation = one::<Nullable<B>, B>(move |a| Ok(Some((a == Some(wanted)) != negated)));
    Meaning::IsBoolean { wanted, negated }.of(operation)
}

/// `NULLIF` over values compared as they are.
pub(crate) fn null_if(kind: Type) -> Arc<dyn Operation> {
    let operation = match kind {
        Type::Text => two_text::<S, Nullable<S>>(|a, b, out| {
            if b == Some(a) {
                return Ok(None);
            }
            out.push_str(a);
            Ok(Some(()))
        }),
        Type::Boolean => null_if_of::<B>(),
        Type::Integer => null_if_of::<I>(),
        Type::Float => null_if_of::<F>(),
        Type::Date => null_if_of::<D>(),
        Type::Timestamp => null_if_of::<T>(),
    };
    Meaning::NullIf(kind).of(operation)
}

fn null_if_of<M>() -> Arc<dyn Operation>
where
    M: Ordered + Output + for<'a> crate::operation::Input<Item<'a> = <M as Output>::Item>,
    <M as Output>::Item: Copy,
{
    two::<M, Nullable<M>, M>(|a, b| Ok(if b.is_some_and(|b| M::order(a, b).is_eq()) { None } else { Some(a) }))
}

/// Greatest or least of values of one type, NULLs left out; the first of equal ones wins.
pub(crate) fn extreme(kind: Type, greatest: bool) -> Arc<dyn Operation> {
    let operation = match kind {
        Type::Text => many_text(move |items, out| {
            let found = pick::<S>(items, greatest);
            Ok(found.map(|text| out.push_str(text)))
        }),
        Type::Boolean => many::<B, B>(move |items| Ok(pick::<B>(items, greatest))),
        Type::Integer => many::<I, I>(move |items| Ok(pick::<I>(items, greatest))),
        Type::Float => many::<F, F>(move |items| Ok(pick::<F>(items, greatest))),
        Type::Date => many::<D, D>(move |items| Ok(pick::<D>(items, greatest))),
        Type::Timestamp => many::<T, T>(move |items| Ok(pick::<T>(items, greatest))),
    };
    Meaning::Extreme { kind, greatest }.of(operation)
}

fn pick<'a, M: Ordered>(items: &[Option<M::Item<'a>>], greatest: bool) -> Option<M::Item<'a>> {
    let mut best: Option<M::Item<'a>> = None;
    for item in items.iter().flatten() {
        let better = match best {
            None => true,
            Some(best) if greatest => M::order(*item, best).is_gt(),
            Some(best) => M::order(*item, best).is_lt(),
        };
        if better {
            best = Some(*item);
        }
    }
    best
}

/// Joins texts, leaving NULL out.
pub(crate) fn concat() -> Arc<dyn Operation> {
    Meaning::Concat.of(many_text(|items, out| {
        out.extend(items.iter().flatten().copied());
        Ok(Some(()))
    }))
}

/// Joins texts with the first one between the others, leaving NULL out.
pub(crate) fn concat_separated() -> Arc<dyn Operation> {
    many_text(|items, out| {
        let Some((Some(separator), items)) = items.split_first() else { return Ok(None) };
        for (place, item) in items.iter().flatten().enumerate() {
            if place > 0 {
                out.push_str(separator);
            }
            out.push_str(item);
        }
        Ok(Some(()))
    })
}

/// Joins two texts; NULL makes NULL.
pub(crate) fn join() -> Arc<dyn Operation> {
    Meaning::Join.of(two_text::<S, S>(|a, b, out| {
        out.push_str(a);
        out.push_str(b);
        Ok(Some(()))
    }))
}

/// Gives the cast from one type to another, `None` where there is none. A lenient one gives NULL for what it cannot cast.
pub(crate) fn cast(from: Type, to: Type, lenient: bool) -> Option<Arc<dyn Operation>> {
    let operation = match (from, to) {
        (Type::Boolean, Type::Integer) => one::<B, I>(|a| Ok(Some(i64::from(a)))),
        (Type::Boolean, Type::Float) => one::<B, F>(|a| Ok(Some(f64::from(u8::from(a))))),
        (Type::Integer, Type::Boolean) => one::<I, B>(|a| Ok(Some(a != 0))),
        (Type::Integer, Type::Float) => one::<I, F>(|a| Ok(Some(a as f64))),
        (Type::Float, Type::Boolean) => one::<F, B>(|a| Ok(Some(a != 0.0))),
        (Type::Float, Type::Integer) => one::<F, I>(move |a| {
            let shown = || {
                let mut shown = String::new();
                cast::write_float(a, &mut shown);
                shown
            };
            settle(cast::float_to_integer(a), lenient, shown, Type::Integer)
        }),
        (Type::Date, Type::Timestamp) => one::<D, T>(move |a| {
            settle(calendar::timestamp(i64::from(a), 0), lenient, || shown_date(i64::from(a)), Type::Timestamp)
        }),
        (Type::Timestamp, Type::Date) => one::<T, D>(move |a| {
            let day = calendar::split(a).0;
            settle(i32::try_from(day).ok(), lenient, || shown_date(day), Type::Date)
        }),
        (Type::Text, Type::Boolean) => read::<B>(cast::parse_boolean, lenient),
        (Type::Text, Type::Integer) => read::<I>(cast::parse_integer, lenient),
        (Type::Text, Type::Float) => read::<F>(cast::parse_float, lenient),
        (Type::Text, Type::Date) => read::<D>(cast::parse_date, lenient),
        (Type::Text, Type::Timestamp) => read::<T>(cast::parse_timestamp, lenient),
        (Type::Boolean, Type::Text) => one_text::<B>(|a, out| {
            out.push_str(if a { "true" } else { "false" });
            Ok(Some(()))
        }),
        (Type::Integer, Type::Text) => one_text::<I>(|a, out| {
            cast::write_integer(a, out);
            Ok(Some(()))
        }),
        (Type::Float, Type::Text) => one_text::<F>(|a, out| {
            cast::write_float(a, out);
            Ok(Some(()))
        }),
        (Type::Date, Type::Text) => one_text::<D>(|a, out| {
            cast::write_date(i64::from(a), out);
            Ok(Some(()))
        }),
        (Type::Timestamp, Type::Text) => one_text::<T>(|a, out| {
            cast::write_timestamp(a, out);
            Ok(Some(()))
        }),
        _ => return None,
    };
    // What becomes text must be written alike everywhere: whole numbers are, floats are not.
    let exact = matches!(
        (from, to),
        (Type::Boolean, Type::Integer | Type::Float | Type::Text)
            | (Type::Integer, Type::Boolean | Type::Float | Type::Text)
            | (Type::Float, Type::Boolean | Type::Integer)
    );
    Some(if exact { Meaning::Cast(from, to).of(operation) } else { operation })
}

fn shown_date(days: i64) -> String {
    let mut shown = String::new();
    cast::write_date(days, &mut shown);
    shown
}

fn read<R: Output>(parse: fn(&str) -> Option<R::Item>, lenient: bool) -> Arc<dyn Operation>
where
    R::Item: 'static,
{
    one::<S, R>(move |text| settle(parse(text), lenient, || shorten(text), R::KIND))
}

fn settle<V>(value: Option<V>, lenient: bool, shown: impl FnOnce() -> String, to: Type) -> Outcome<V> {
    match value {
        None if !lenient => Err(Box::new(Fault::Cast { value: shown(), to })),
        value => Ok(value),
    }
}

/// Shortens a text for a message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((byte, _)) => format!("{}…", text.get(..byte).unwrap_or_default()),
        None => text.to_owned(),
    }
}
