//! Functions of numbers.

use super::{Function, Special, function};
use crate::kernel::numeric;
use crate::meaning::Meaning;
use crate::operation::{B, F, I, one, two};
use crate::value::Type::{self, Boolean, Float, Integer};

/// Declares a function of one float.
fn of_float(
    name: &'static str,
    signature: &'static str,
    summary: &'static str,
    example: &'static str,
    kernel: fn(f64) -> f64,
) -> Function {
    let operation = one::<F, F>(move |x| Ok(Some(kernel(x))));
    let operation = match name {
        "ceil" => Meaning::Function("Ceil", Float).of(operation),
        "floor" => Meaning::Function("Floor", Float).of(operation),
        "sqrt" => Meaning::Function("Sqrt", Float).of(operation),
        "exp" => Meaning::Function("Exp", Float).of(operation),
        "ln" => Meaning::Function("Log", Float).of(operation),
        _ => operation,
    };
    function(name, signature, summary, example).on(&[Float], Float, operation)
}

pub(super) fn all() -> Vec<Function> {
    let mut all = rounding();
    all.extend(transcendental());
    all.extend(tests());
    all
}

fn decimals(kind: Type, cut: bool) -> Meaning {
    Meaning::Decimals { kind, cut }
}

fn rounding() -> Vec<Function> {
    let rounded = |x, digits| Ok(Some(numeric::round_float(x, digits)));
    let cut = |x, digits| Ok(Some(numeric::truncate_float(x, digits)));
    let cut_integer = |x, digits| Ok(Some(numeric::truncate_integer(x, digits)));
    vec![
        function("abs", "abs(x)", "The number without its sign.", "abs(-2) → 2")
            .on(&[Integer], Integer, Meaning::Function("Abs", Integer).of(one::<I, I>(numeric::absolute)))
            .on(&[Float], Float, Meaning::Function("Abs", Float).of(one::<F, F>(|x| Ok(Some(x.abs()))))),
        of_float("ceil", "ceil(x)", "The next whole number upwards, as a float.", "ceil(1.2) → 2.0", f64::ceil)
            .alias(&["ceiling"]),
        of_float("floor", "floor(x)", "The next whole number downwards, as a float.", "floor(-1.2) → -2.0", f64::floor),
        function(
            "round",
            "round(x[, digits])",
            "Rounds to a number of decimals (0 without `digits`; negative ones round to tens, hundreds …), halves away from zero.",
            "round(2.345, 2) → 2.35",
        )
        .on(&[Integer], Integer, Meaning::Same(Integer).of(one::<I, I>(|x| Ok(Some(x)))))
        .on(&[Float], Float, Meaning::Round.of(one::<F, F>(|x| Ok(Some(x.round())))))
        .on(&[Integer, Integer], Integer, decimals(Integer, false).of(two::<I, I, I>(numeric::round_integer)))
        .on(&[Float, Integer], Float, decimals(Float, false).of(two::<F, I, F>(rounded))),
        function(
            "trunc",
            "trunc(x[, digits])",
            "Cuts off after a number of decimals (0 without `digits`).",
            "trunc(-2.7) → -2.0",
        )
        .on(&[Integer], Integer, Meaning::Same(Integer).of(one::<I, I>(|x| Ok(Some(x)))))
        .on(&[Float], Float, Meaning::Truncate.of(one::<F, F>(|x| Ok(Some(x.trunc())))))
        .on(&[Integer, Integer], Integer, decimals(Integer, true).of(two::<I, I, I>(cut_integer)))
        .on(&[Float, Integer], Float, decimals(Float, true).of(two::<F, I, F>(cut))),
        function("sign", "sign(x)", "-1, 0 or 1; 0 for NaN.", "sign(-0.5) → -1")
            .on(&[Integer], Integer, Meaning::Sign(Integer).of(one::<I, I>(|x| Ok(Some(x.signum())))))
            .on(&[Float], Integer, Meaning::Sign(Float).of(one::<F, I>(|x| Ok(Some(numeric::sign(x)))))),
        function(
            "mod",
            "mod(x, y)",
            "The remainder of a division, with the sign of `x`; also `x % y`. An integer modulo 0 is an error.",
            "mod(-7, 3) → -1",
        )
        .alias(&["fmod"])
        .on(&[Integer, Integer], Integer, Meaning::Remainder(Integer).of(two::<I, I, I>(numeric::remainder)))
        .on(&[Float, Float], Float, Meaning::Remainder(Float).of(two::<F, F, F>(|x, y| Ok(Some(x % y))))),
    ]
}

fn transcendental() -> Vec<Function> {
    vec![
        of_float("sqrt", "sqrt(x)", "The square root; NaN below 0.", "sqrt(2.25) → 1.5", f64::sqrt),
        of_float("cbrt", "cbrt(x)", "The cube root.", "cbrt(8) → 2.0", libm::cbrt),
        of_float("exp", "exp(x)", "e to the power of x.", "exp(0) → 1.0", libm::exp),
        of_float("ln", "ln(x)", "The natural logarithm; -inf at 0, NaN below.", "ln(1) → 0.0", libm::log),
        of_float("log10", "log10(x)", "The decimal logarithm.", "log10(1000) → 3.0", libm::log10),
        of_float("log2", "log2(x)", "The binary logarithm.", "log2(8) → 3.0", libm::log2),
        function("log", "log([base, ]x)", "The logarithm to a base; to the base 10 without one.", "log(100) → 2.0")
            .on(&[Float], Float, one::<F, F>(|x| Ok(Some(libm::log10(x)))))
            .on(&[Float, Float], Float, two::<F, F, F>(|base, x| Ok(Some(libm::log10(x) / libm::log10(base))))),
        function("pow", "pow(x, y)", "x to the power of y, as a float; also `x ^ y`.", "pow(2, 10) → 1024.0")
            .alias(&["power"])
            .on(&[Float, Float], Float, Meaning::Power.of(two::<F, F, F>(|x, y| Ok(Some(libm::pow(x, y)))))),
        of_float("sin", "sin(x)", "The sine of an angle in radians.", "sin(0) → 0.0", libm::sin),
        of_float("cos", "cos(x)", "The cosine of an angle in radians.", "cos(0) → 1.0", libm::cos),
        of_float("tan", "tan(x)", "The tangent of an angle in radians.", "tan(0) → 0.0", libm::tan),
        of_float("asin", "asin(x)", "The angle whose sine is x; NaN outside [-1, 1].", "asin(0) → 0.0", libm::asin),
        of_float("acos", "acos(x)", "The angle whose cosine is x; NaN outside [-1, 1].", "acos(1) → 0.0", libm::acos),
        of_float("atan", "atan(x)", "The angle whose tangent is x.", "atan(0) → 0.0", libm::atan),
        function("atan2", "atan2(y, x)", "The angle of the point (x, y).", "atan2(0, 1) → 0.0").on(
            &[Float, Float],
            Float,
            two::<F, F, F>(|y, x| Ok(Some(libm::atan2(y, x)))),
        ),
        of_float("sinh", "sinh(x)", "The hyperbolic sine.", "sinh(0) → 0.0", libm::sinh),
        of_float("cosh", "cosh(x)", "The hyperbolic cosine.", "cosh(0) → 1.0", libm::cosh),
        of_float("tanh", "tanh(x)", "The hyperbolic tangent.", "tanh(0) → 0.0", libm::tanh),
        of_float("degrees", "degrees(x)", "Radians to degrees.", "degrees(0) → 0.0", |x| {
            x * (180.0 / std::f64::consts::PI)
        }),
        of_float("radians", "radians(x)", "Degrees to radians.", "radians(180) = pi() → TRUE", |x| {
            x * (std::f64::consts::PI / 180.0)
        }),
        function("pi", "pi()", "The ratio of a circle's circumference to its diameter.", "round(pi(), 4) → 3.1416")
            .special(Special::Pi),
    ]
}

fn tests() -> Vec<Function> {
    let test = |name, signature, summary, example, meaning: Meaning, kernel: fn(f64) -> bool| {
        let operation = meaning.of(one::<F, B>(move |x| Ok(Some(kernel(x)))));
        function(name, signature, summary, example).on(&[Float], Boolean, operation)
    };
    vec![
        test(
            "isnan",
            "isnan(x)",
            "Whether the float is NaN.",
            "isnan(CAST('nan' AS DOUBLE)) → TRUE",
            Meaning::IsNan,
            f64::is_nan,
        ),
        test(
            "isinf",
            "isinf(x)",
            "Whether the float is infinite.",
            "isinf(1.0 / 0) → TRUE",
            Meaning::IsInfinite,
            f64::is_infinite,
        ),
        test(
            "isfinite",
            "isfinite(x)",
            "Whether the float is neither NaN nor infinite.",
            "isfinite(1.5) → TRUE",
            Meaning::IsFinite,
            f64::is_finite,
        ),
    ]
}
