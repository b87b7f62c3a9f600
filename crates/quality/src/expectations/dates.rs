//! Days and moments of the proleptic Gregorian calendar, read from ISO 8601 and written so.

use trainyard_expression::calendar::{DAY, civil, days, month_days};

/// Holds a day and a time of day, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) microsecond: u32,
}

impl Civil {
    /// Gives microseconds from 1970-01-01; `None` where there is no such day or time.
    pub(crate) fn moment(&self) -> Option<i64> {
        let is_year = (1..=9999).contains(&self.year);
        let is_time = self.hour < 24 && self.minute < 60 && self.second < 60 && self.microsecond < 1_000_000;
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let day = days(self.year, i64::from(self.month), i64::from(self.day)).filter(|_| is_year && is_time)?;
        Some(i64::from(day) * DAY + seconds * 1_000_000 + i64::from(self.microsecond))
    }
}

/// Gives the number of days of a month, which is counted from 1.
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    month_days(year, i64::from(month)) as u32
}

/// Writes a day as ISO 8601.
pub(crate) fn write_date(day: i64) -> String {
    let date = civil(day);
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// Writes a moment, in microseconds from 1970-01-01, as ISO 8601, with microseconds where there are any.
pub fn write_moment(moment: i64) -> String {
    let date = write_date(moment.div_euclid(DAY));
    let time = moment.rem_euclid(DAY);
    let (seconds, microseconds) = (time / 1_000_000, time % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match microseconds {
        0 => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
        microseconds => format!("{date}T{hour:02}:{minute:02}:{second:02}.{microseconds:06}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_days_that_are_not_are_refused() {
        assert_eq!(write_moment(1_000_000), "1970-01-01T00:00:01");
        assert_eq!(write_moment(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(Civil { year: 2023, month: 2, day: 29, ..Civil::default() }.moment(), None);
        assert_eq!(Civil { year: 2024, month: 2, day: 29, ..Civil::default() }.moment(), Some(19_782 * DAY));
    }
}
