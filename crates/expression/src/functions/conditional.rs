//! Functions that choose among their arguments.

use super::{Function, Special, function};

pub(super) fn all() -> Vec<Function> {
    vec![
        function(
            "coalesce",
            "coalesce(value, …)",
            "The first value that is not NULL; later ones are not evaluated.",
            "coalesce(NULL, 2, 3) → 2",
        )
        .alias(&["ifnull"])
        .special(Special::Coalesce),
        function("nullif", "nullif(a, b)", "NULL where both are equal, else the first.", "nullif(2, 3) → 2")
            .special(Special::NullIf),
        function(
            "if",
            "if(condition, then, else)",
            "One of two values; the other is not evaluated. Short for CASE.",
            "if(1 < 2, 'a', 'b') → 'a'",
        )
        .special(Special::If),
        function(
            "greatest",
            "greatest(value, …)",
            "The greatest value; skips NULL, and NaN is greatest.",
            "greatest(1, NULL, 3) → 3",
        )
        .special(Special::Greatest),
        function("least", "least(value, …)", "The least value; skips NULL.", "least(1, NULL, 3) → 1")
            .special(Special::Least),
    ]
}
