//! Dates as people write them, and formats of dates.
//!
//! The first line of an input is a format of `strptime`, the rest is a date.

use arrow_array::LargeStringArray;
use serde_json::json;
use trainyard_quality::expectations::{Column, Options, Suite, Table, read_moment, validate};

/// Checks one date, by itself and against a format.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (format, date) = text.split_once('\n').unwrap_or(("%Y-%m-%d", text));
    let suite = json!({"name": "d", "expectations": [
        {"type": "expect_column_values_to_be_dateutil_parseable", "kwargs": {"column": "date"}},
        {"type": "expect_column_values_to_match_strftime_format",
            "kwargs": {"column": "date", "strftime_format": format}},
    ]});
    let is_date = match Suite::read(&suite.to_string(), "suite.json") {
        Ok(suite) => {
            let column = Column::Text(LargeStringArray::from(vec![Some(date)]));
            let table = Table::new(vec![("date".to_owned(), column)], 1).expect("one row");
            let validation = validate(&suite, &table, &Options::default());
            assert!(validation.judgements.iter().all(|judgement| judgement.exception.is_none()), "{validation:?}");
            validation.judgements[0].success
        }
        Err(problems) => return crate::places::check_all(&problems),
    };
    if let Some(moment) = read_moment(date) {
        assert!(is_date, "{date:?} has a moment and is no date");
        // The years 1 to 9999, and a day for the zone.
        let (first, last) = (-62_135_596_800_000_000, 253_402_300_800_000_000);
        let zone = 100 * 3_600_000_000;
        assert!((first - zone..last + zone).contains(&moment), "{date:?}: {moment}");
    }
}
