//! Functions that an expression knows only to refuse them with a reason.

/// Functions whose result changes from run to run or with the machine.
const VOLATILE: &[&str] = &[
    "random",
    "rand",
    "setseed",
    "now",
    "today",
    "get_current_time",
    "get_current_timestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "transaction_timestamp",
    "uuid",
    "uuidv4",
    "uuidv7",
    "gen_random_uuid",
    "nextval",
    "currval",
    "txid_current",
    "version",
    "current_user",
    "session_user",
    "current_setting",
    "getenv",
    "age",
];

/// Aggregates of DuckDB, each with the fitted one that does the same.
const AGGREGATES: &[(&str, Option<&str>)] = &[
    ("avg", Some("fitted_mean")),
    ("mean", Some("fitted_mean")),
    ("median", Some("fitted_median")),
    ("min", Some("fitted_min")),
    ("max", Some("fitted_max")),
    ("stddev", Some("fitted_stddev")),
    ("stddev_samp", Some("fitted_stddev")),
    ("quantile", Some("fitted_quantile")),
    ("quantile_cont", Some("fitted_quantile")),
    ("percentile_cont", Some("fitted_quantile")),
    ("count", Some("fitted_count")),
    ("sum", None),
    ("product", None),
    ("any_value", None),
    ("first", None),
    ("last", None),
    ("arg_max", None),
    ("arg_min", None),
    ("mode", None),
    ("var_samp", None),
    ("var_pop", None),
    ("variance", None),
    ("stddev_pop", None),
    ("corr", None),
    ("covar_pop", None),
    ("covar_samp", None),
    ("skewness", None),
    ("kurtosis", None),
    ("entropy", None),
    ("quantile_disc", None),
    ("percentile_disc", None),
    ("approx_count_distinct", None),
    ("approx_quantile", None),
    ("count_if", None),
    ("bool_and", None),
    ("bool_or", None),
    ("string_agg", None),
    ("group_concat", None),
    ("listagg", None),
    ("array_agg", None),
    ("list", None),
    ("histogram", None),
];

/// Functions that only a window gives a meaning.
const WINDOWS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// Tells whether a name is that of a volatile function.
pub(super) fn is_volatile(name: &str) -> bool {
    VOLATILE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Tells whether a name is that of a window function.
pub(super) fn is_window(name: &str) -> bool {
    WINDOWS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Finds an aggregate by its name; inside is the fitted aggregate that does the same, if there is one.
pub(super) fn aggregate(name: &str) -> Option<Option<&'static str>> {
    AGGREGATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, fitted)| *fitted)
}
