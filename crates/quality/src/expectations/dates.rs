//! Days and moments of the proleptic Gregorian calendar, read from ISO 8601 and written so.

use super::value::MICROSECONDS_A_DAY;

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
        let is_day = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day);
        let is_time = self.hour < 24 && self.minute < 60 && self.second < 60 && self.microsecond < 1_000_000;
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let day = days_from_civil(self.year, self.month, self.day);
        (is_day && is_time).then_some(day * MICROSECONDS_A_DAY + seconds * 1_000_000 + i64::from(self.microsecond))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counts days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Gives year, month and day (the inverse of [`days_from_civil`]).
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * of_year + 2) / 153;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, (of_year - (153 * part + 2) / 5 + 1) as u32)
}

/// Writes a day as ISO 8601.
pub(crate) fn write_date(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Writes a moment as ISO 8601, with microseconds where there are any.
pub(crate) fn write_moment(moment: i64) -> String {
    let date = write_date(moment.div_euclid(MICROSECONDS_A_DAY));
    let time = moment.rem_euclid(MICROSECONDS_A_DAY);
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
    fn days_and_dates_are_inverse_over_twelve_centuries() {
        for days in (-300_000..150_000).step_by(7) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(write_moment(1_000_000), "1970-01-01T00:00:01");
        assert_eq!(write_moment(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(Civil { year: 2023, month: 2, day: 29, ..Civil::default() }.moment(), None);
    }
}
