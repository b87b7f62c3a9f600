//! Arithmetic and rounding.
//!
//! Only operations that IEEE 754 defines to the last bit come from the standard library; everything else is `libm`.

use std::sync::LazyLock;

use crate::operation::Outcome;
use crate::runtime::Fault;

fn overflow<T>(operation: &'static str, operands: &[i64]) -> Outcome<T> {
    Err(Box::new(Fault::Overflow { operation, operands: operands.to_vec() }))
}

macro_rules! checked {
    ($(#[$doc:meta] $name:ident, $method:ident, $operation:literal;)+) => {
        $(#[$doc]
        #[inline]
        pub(crate) fn $name(left: i64, right: i64) -> Outcome<i64> {
            match left.$method(right) {
                Some(result) => Ok(Some(result)),
                None => overflow($operation, &[left, right]),
            }
        })+
    };
}

checked! {
    /// Adds integers.
    add, checked_add, "addition";
    /// Subtracts integers.
    subtract, checked_sub, "subtraction";
    /// Multiplies integers.
    multiply, checked_mul, "multiplication";
}

/// Negates an integer.
#[inline]
pub(crate) fn negate(value: i64) -> Outcome<i64> {
    match value.checked_neg() {
        Some(result) => Ok(Some(result)),
        None => overflow("negation", &[value]),
    }
}

/// Gives an integer without its sign.
#[inline]
pub(crate) fn absolute(value: i64) -> Outcome<i64> {
    match value.checked_abs() {
        Some(result) => Ok(Some(result)),
        None => overflow("abs", &[value]),
    }
}

/// Divides integers towards zero.
#[inline]
pub(crate) fn divide(left: i64, right: i64) -> Outcome<i64> {
    if right == 0 {
        return Err(Box::new(Fault::DivisionByZero));
    }
    match left.checked_div(right) {
        Some(result) => Ok(Some(result)),
        None => overflow("division", &[left, right]),
    }
}

/// Gives the remainder of [`divide`], with the sign of the dividend.
#[inline]
pub(crate) fn remainder(left: i64, right: i64) -> Outcome<i64> {
    if right == 0 {
        return Err(Box::new(Fault::DivisionByZero));
    }
    match left.checked_rem(right) {
        Some(result) => Ok(Some(result)),
        None => overflow("division", &[left, right]),
    }
}

/// `//` over floats: a plain division, except that zero is refused.
#[inline]
pub(crate) fn divide_floats(left: f64, right: f64) -> Outcome<f64> {
    if right == 0.0 { Err(Box::new(Fault::DivisionByZero)) } else { Ok(Some(left / right)) }
}

/// Gives -1, 0 or 1; NaN has no sign.
#[inline]
pub(crate) fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}

static POWERS_OF_TEN: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..=308).map(|power| format!("1e{power}").parse().unwrap_or(f64::INFINITY)).collect());

/// Gives 10 to a power, infinite beyond the range of doubles.
pub(crate) fn power_of_ten(power: u64) -> f64 {
    usize::try_from(power).ok().and_then(|power| POWERS_OF_TEN.get(power)).copied().unwrap_or(f64::INFINITY)
}

/// Rounds to `digits` decimals, halves away from zero.
#[inline]
pub(crate) fn round_float(value: f64, digits: i64) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let power = power_of_ten(digits.unsigned_abs());
    if digits < 0 {
        let rounded = (value / power).round() * power;
        if rounded.is_finite() { rounded } else { 0.0 }
    } else {
        let rounded = (value * power).round() / power;
        if rounded.is_finite() { rounded } else { value }
    }
}

/// Cuts off after `digits` decimals.
#[inline]
pub(crate) fn truncate_float(value: f64, digits: i64) -> f64 {
    let power = power_of_ten(digits.unsigned_abs());
    let cut = if digits < 0 { (value / power).trunc() * power } else { (value * power).trunc() / power };
    if cut.is_finite() { cut } else { value }
}

/// Rounds an integer to tens, hundreds … when `digits` is negative, halves away from zero.
#[inline]
pub(crate) fn round_integer(value: i64, digits: i64) -> Outcome<i64> {
    if digits >= 0 {
        return Ok(Some(value));
    }
    // Beyond 10^19 even half a unit is more than any 64-bit integer.
    if digits < -19 {
        return Ok(Some(0));
    }
    let power = 10_i128.pow(digits.unsigned_abs() as u32);
    let half = if value < 0 { -power / 2 } else { power / 2 };
    let rounded = (i128::from(value) + half) / power * power;
    match i64::try_from(rounded) {
        Ok(rounded) => Ok(Some(rounded)),
        Err(_) => overflow("round", &[value, digits]),
    }
}

/// Cuts an integer to tens, hundreds … when `digits` is negative.
#[inline]
pub(crate) fn truncate_integer(value: i64, digits: i64) -> i64 {
    match digits {
        0.. => value,
        -18..=-1 => {
            let power = 10_i64.pow(digits.unsigned_abs() as u32);
            value / power * power
        }
        _ => 0,
    }
}
