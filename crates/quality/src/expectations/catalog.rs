//! The expectations that there are, with their arguments: those of Great Expectations 1.24 that hold a table against
//! itself.

/// Says what an expectation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Table,
    Column,
    Pair,
    Columns,
}

/// Says what an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The name of a column.
    Name,
    /// Names of columns, at least two.
    Names,
    /// Names of columns or nothing.
    NamesOrNull,
    Text,
    Number,
    NumberOrNull,
    Integer,
    IntegerOrNull,
    Bool,
    /// A number, a text or a parameter, or nothing.
    Bound,
    /// A number or a parameter, or nothing.
    NumberBound,
    /// An integer or a parameter, or nothing.
    IntegerBound,
    /// A list of scalars.
    Values,
    /// A list of scalars that is not empty.
    SomeValues,
    /// A list of texts or nothing.
    TextsOrNull,
    /// A share from 0 to 1.
    Share,
    /// A list of pairs of scalars.
    Pairs,
    /// `{quantiles: […], value_ranges: [[…, …], …]}`.
    Quantiles,
    /// A partition: weights with bins or values.
    Partition,
    /// A JSON schema.
    Schema,
    /// Regular expressions, as one text.
    Regex,
    /// A list of regular expressions that is not empty.
    Regexes,
    /// A format of `strptime`.
    Format,
    /// `any` or `all`.
    MatchOn,
    /// Which rows of a pair are left out.
    IgnorePair,
    /// Which rows of several columns are left out.
    IgnoreColumns,
    /// `false` or how a quantile lies between two values.
    Interpolation,
    Condition,
    Parser,
    ResultFormat,
    /// Whatever it is, it changes nothing here.
    Anything,
}

/// Says what one expectation is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The name behind `expect_`.
    pub(crate) name: &'static str,
    pub(crate) domain: Domain,
    /// Whether it judges each row, so that `mostly` may say how many have to be as expected.
    pub(crate) is_map: bool,
    /// Its own arguments: name, kind, whether it is needed.
    pub(crate) arguments: &'static [(&'static str, Kind, bool)],
    /// Whether it may be held against some rows only.
    pub(crate) takes_condition: bool,
}

impl Definition {
    /// Gives all arguments, with those that every expectation of its domain takes.
    pub(crate) fn all_arguments(&self) -> Vec<(&'static str, Kind, bool)> {
        let domain: &[(&str, Kind, bool)] = match self.domain {
            Domain::Table => &[],
            Domain::Column => &[("column", Kind::Name, true)],
            Domain::Pair => &[
                ("column_A", Kind::Name, true),
                ("column_B", Kind::Name, true),
                ("ignore_row_if", Kind::IgnorePair, false),
            ],
            Domain::Columns => &[("column_list", Kind::Names, true), ("ignore_row_if", Kind::IgnoreColumns, false)],
        };
        let conditions: &[(&str, Kind, bool)] = match self.takes_condition {
            true => &[("row_condition", Kind::Condition, false), ("condition_parser", Kind::Parser, false)],
            false => &[],
        };
        let mostly: &[(&str, Kind, bool)] = if self.is_map { &[("mostly", Kind::Share, false)] } else { &[] };
        let run: &[(&str, Kind, bool)] = &[
            ("result_format", Kind::ResultFormat, false),
            ("catch_exceptions", Kind::Anything, false),
            ("batch_id", Kind::Anything, false),
        ];
        [domain, self.arguments, mostly, conditions, run].concat()
    }

    /// Gives the full name.
    pub(crate) fn full_name(&self) -> String {
        format!("expect_{}", self.name)
    }
}

/// Finds an expectation by its full name.
pub(crate) fn find(name: &str) -> Option<&'static Definition> {
    let name = name.strip_prefix("expect_")?;
    CATALOG.iter().find(|definition| definition.name == name)
}

type Arguments = &'static [(&'static str, Kind, bool)];

const BETWEEN: Arguments = &[
    ("min_value", Kind::Bound, false),
    ("max_value", Kind::Bound, false),
    ("strict_min", Kind::Bool, false),
    ("strict_max", Kind::Bool, false),
];
const NUMBER_BETWEEN: Arguments = &[
    ("min_value", Kind::NumberBound, false),
    ("max_value", Kind::NumberBound, false),
    ("strict_min", Kind::Bool, false),
    ("strict_max", Kind::Bool, false),
];
const COUNT_BETWEEN: Arguments = &[
    ("min_value", Kind::IntegerBound, false),
    ("max_value", Kind::IntegerBound, false),
    ("strict_min", Kind::Bool, false),
    ("strict_max", Kind::Bool, false),
];
const NONE: Arguments = &[];
const IN_ORDER: Arguments = &[("strictly", Kind::Bool, false)];

const fn column(name: &'static str, arguments: Arguments) -> Definition {
    Definition { name, domain: Domain::Column, is_map: false, arguments, takes_condition: true }
}

const fn each(name: &'static str, arguments: Arguments) -> Definition {
    Definition { name, domain: Domain::Column, is_map: true, arguments, takes_condition: true }
}

const fn pair(name: &'static str, arguments: Arguments) -> Definition {
    Definition { name, domain: Domain::Pair, is_map: true, arguments, takes_condition: true }
}

const fn columns(name: &'static str, arguments: Arguments) -> Definition {
    Definition { name, domain: Domain::Columns, is_map: true, arguments, takes_condition: true }
}

const fn table(name: &'static str, arguments: Arguments, takes_condition: bool) -> Definition {
    Definition { name, domain: Domain::Table, is_map: false, arguments, takes_condition }
}

/// All of them.
pub(crate) static CATALOG: [Definition; 48] = [
    column("column_distinct_values_to_be_in_set", &[("value_set", Kind::SomeValues, true)]),
    column("column_distinct_values_to_contain_set", &[("value_set", Kind::Values, true)]),
    column("column_distinct_values_to_equal_set", &[("value_set", Kind::Values, true)]),
    column(
        "column_kl_divergence_to_be_less_than",
        &[
            ("partition_object", Kind::Partition, false),
            ("threshold", Kind::NumberOrNull, false),
            ("internal_weight_holdout", Kind::Share, false),
            ("tail_weight_holdout", Kind::Share, false),
            ("bucketize_data", Kind::Bool, false),
            ("min_value", Kind::Bound, false),
            ("max_value", Kind::Bound, false),
        ],
    ),
    column("column_max_to_be_between", BETWEEN),
    column("column_mean_to_be_between", BETWEEN),
    column("column_median_to_be_between", BETWEEN),
    column("column_min_to_be_between", BETWEEN),
    column(
        "column_most_common_value_to_be_in_set",
        &[("value_set", Kind::Values, true), ("ties_okay", Kind::Bool, false)],
    ),
    column("column_proportion_of_unique_values_to_be_between", NUMBER_BETWEEN),
    column(
        "column_quantile_values_to_be_between",
        &[("quantile_ranges", Kind::Quantiles, true), ("allow_relative_error", Kind::Interpolation, false)],
    ),
    column("column_stdev_to_be_between", NUMBER_BETWEEN),
    column("column_sum_to_be_between", BETWEEN),
    Definition {
        name: "column_to_exist",
        domain: Domain::Column,
        is_map: false,
        arguments: &[("column_index", Kind::IntegerOrNull, false)],
        takes_condition: false,
    },
    column("column_unique_value_count_to_be_between", COUNT_BETWEEN),
    each("column_value_lengths_to_be_between", COUNT_BETWEEN),
    each("column_value_lengths_to_equal", &[("value", Kind::Number, true)]),
    each(
        "column_value_z_scores_to_be_less_than",
        &[("threshold", Kind::Number, true), ("double_sided", Kind::Bool, true)],
    ),
    each("column_values_to_be_between", BETWEEN),
    each("column_values_to_be_dateutil_parseable", NONE),
    each("column_values_to_be_decreasing", IN_ORDER),
    each("column_values_to_be_in_set", &[("value_set", Kind::Values, true)]),
    each("column_values_to_be_in_type_list", &[("type_list", Kind::TextsOrNull, false)]),
    each("column_values_to_be_increasing", IN_ORDER),
    each("column_values_to_be_json_parseable", NONE),
    each("column_values_to_be_null", NONE),
    each("column_values_to_be_of_type", &[("type_", Kind::Text, true)]),
    each("column_values_to_be_unique", NONE),
    each("column_values_to_match_json_schema", &[("json_schema", Kind::Schema, true)]),
    each("column_values_to_match_regex", &[("regex", Kind::Regex, false)]),
    each(
        "column_values_to_match_regex_list",
        &[("regex_list", Kind::Regexes, true), ("match_on", Kind::MatchOn, false)],
    ),
    each("column_values_to_match_strftime_format", &[("strftime_format", Kind::Format, true)]),
    each("column_values_to_not_be_in_set", &[("value_set", Kind::Values, true)]),
    each("column_values_to_not_be_null", NONE),
    each("column_values_to_not_match_regex", &[("regex", Kind::Regex, true)]),
    each("column_values_to_not_match_regex_list", &[("regex_list", Kind::Regexes, true)]),
    pair("column_pair_values_a_to_be_greater_than_b", &[("or_equal", Kind::Bool, false)]),
    pair("column_pair_values_to_be_equal", NONE),
    pair("column_pair_values_to_be_in_set", &[("value_pairs_set", Kind::Pairs, true)]),
    columns("compound_columns_to_be_unique", NONE),
    columns("multicolumn_sum_to_equal", &[("sum_total", Kind::Number, true)]),
    columns("select_column_values_to_be_unique_within_record", NONE),
    table(
        "table_column_count_to_be_between",
        &[("min_value", Kind::Bound, false), ("max_value", Kind::Bound, false)],
        false,
    ),
    table("table_column_count_to_equal", &[("value", Kind::Integer, true)], false),
    table("table_columns_to_match_ordered_list", &[("column_list", Kind::NamesOrNull, false)], false),
    table(
        "table_columns_to_match_set",
        &[("column_set", Kind::NamesOrNull, false), ("exact_match", Kind::Bool, false)],
        false,
    ),
    table("table_row_count_to_be_between", COUNT_BETWEEN, true),
    table("table_row_count_to_equal", &[("value", Kind::Integer, true)], true),
];
