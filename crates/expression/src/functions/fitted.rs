//! The fitted aggregates: one value learned from the training rows, the same for every row afterwards.

use super::{Fitted, Function, Special, function};

pub(super) fn all() -> Vec<Function> {
    let fitted = |name, signature, summary, example, which| {
        function(name, signature, summary, example).special(Special::Fitted(which))
    };
    vec![
        fitted(
            "fitted_mean",
            "fitted_mean(x)",
            "The mean over the training rows, from an exact sum. NULL and NaN are skipped; NULL without any value.",
            "x - fitted_mean(x)",
            Fitted::Mean,
        ),
        fitted(
            "fitted_median",
            "fitted_median(x)",
            "The median over the training rows; the mean of the two middle values of an even number.",
            "coalesce(x, fitted_median(x))",
            Fitted::Median,
        ),
        fitted(
            "fitted_min",
            "fitted_min(x)",
            "The least value of the training rows, of any type.",
            "x - fitted_min(x)",
            Fitted::Minimum,
        ),
        fitted(
            "fitted_max",
            "fitted_max(x)",
            "The greatest value of the training rows, of any type.",
            "x / fitted_max(x)",
            Fitted::Maximum,
        ),
        fitted(
            "fitted_stddev",
            "fitted_stddev(x)",
            "The standard deviation of the training rows as a sample (by n − 1); NULL with fewer than two values.",
            "(x - fitted_mean(x)) / fitted_stddev(x)",
            Fitted::StandardDeviation,
        ),
        fitted(
            "fitted_quantile",
            "fitted_quantile(x, q)",
            "The q-th quantile of the training rows, with linear interpolation as NumPy's; q is a literal from 0 to 1.",
            "least(x, fitted_quantile(x, 0.99))",
            Fitted::Quantile,
        ),
        fitted(
            "fitted_count",
            "fitted_count(x)",
            "The number of training rows with a value, neither NULL nor NaN.",
            "fitted_count(x) > 100",
            Fitted::Count,
        ),
    ]
}
