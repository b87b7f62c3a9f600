//! The proleptic Gregorian calendar, and the parts of dates and timestamps.
//!
//! Days and civil dates convert by Howard Hinnant's algorithms (*chrono-Compatible Low-Level Date Algorithms*).

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;
/// The first and the last day of DuckDB's calendar; the two values beyond are its infinities.
const DAYS: std::ops::RangeInclusive<i64> = -(i32::MAX as i64 - 1)..=(i32::MAX as i64 - 1);
/// DuckDB's first timestamp, 290309-12-22 (BC) 00:00:00, and its last one.
const MICROSECONDS: std::ops::RangeInclusive<i64> = -9_223_372_022_400_000_000..=i64::MAX - 1;

/// A date by year (0 is 1 BC), month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is 1 BC.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
}

/// Gives the date of a day, which is counted from 1970-01-01.
pub fn civil(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// Gives the days since 1970-01-01 of a date that exists.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// Tells whether a year has a 29 February.
pub(crate) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Gives the number of days of a month, which is counted from 1.
pub fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Gives the days since 1970-01-01, or `None` where the date does not exist or is outside the calendar's range.
pub fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let exists = (-10_000_000..=10_000_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day);
    if exists { checked_days(days_of(year, month, day)) } else { None }
}

/// Gives a day if it is inside the calendar's range.
pub(crate) fn checked_days(days: i64) -> Option<i32> {
    if DAYS.contains(&days) { i32::try_from(days).ok() } else { None }
}

/// Gives a timestamp if it is inside the calendar's range.
pub(crate) fn checked_timestamp(microseconds: i128) -> Option<i64> {
    i64::try_from(microseconds).ok().filter(|microseconds| MICROSECONDS.contains(microseconds))
}

/// Gives the timestamp of a day's microsecond, if it is inside the calendar's range.
pub(crate) fn timestamp(days: i64, microseconds: i64) -> Option<i64> {
    checked_timestamp(i128::from(days) * i128::from(DAY) + i128::from(microseconds))
}

/// Splits a timestamp into its day and the microseconds since midnight.
pub(crate) fn split(timestamp: i64) -> (i64, i64) {
    (timestamp.div_euclid(DAY), timestamp.rem_euclid(DAY))
}

/// Gives the weekday: 1 is Monday, 7 is Sunday.
pub(crate) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Gives the day of the year, from 1.
pub(crate) fn day_of_year(days: i64) -> i64 {
    days - days_of(civil(days).year, 1, 1) + 1
}

/// Gives the ISO year and the ISO week of a day.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_weekday(days) + 4;
    (civil(thursday).year, (day_of_year(thursday) - 1) / 7 + 1)
}

/// A part of a date or timestamp, as `extract`, `date_trunc` and `date_diff` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Era,
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    YearWeek,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Julian,
    Epoch,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

/// Every spelling of a part; the first of each is the one that messages suggest.
const PARTS: &[(Part, &[&str])] = &[
    (Part::Era, &["era"]),
    (Part::Millennium, &["millennium", "millenniums", "millennia", "millenium", "mil", "mils"]),
    (Part::Century, &["century", "centuries", "cent", "c"]),
    (Part::Decade, &["decade", "decades", "dec", "decs"]),
    (Part::Year, &["year", "years", "yr", "yrs", "y"]),
    (Part::IsoYear, &["isoyear"]),
    (Part::Quarter, &["quarter", "quarters"]),
    (Part::Month, &["month", "months", "mon", "mons"]),
    (Part::Week, &["week", "weeks", "w", "weekofyear"]),
    (Part::YearWeek, &["yearweek"]),
    (Part::Day, &["day", "days", "d", "dayofmonth"]),
    (Part::DayOfWeek, &["dow", "dayofweek", "weekday"]),
    (Part::IsoDayOfWeek, &["isodow"]),
    (Part::DayOfYear, &["doy", "dayofyear"]),
    (Part::Julian, &["julian"]),
    (Part::Epoch, &["epoch"]),
    (Part::Hour, &["hour", "hours", "hr", "hrs", "h"]),
    (Part::Minute, &["minute", "minutes", "min", "mins", "m"]),
    (Part::Second, &["second", "seconds", "sec", "secs", "s"]),
    (Part::Millisecond, &["millisecond", "milliseconds", "msec", "msecs", "ms"]),
    (Part::Microsecond, &["microsecond", "microseconds", "usec", "usecs", "us"]),
];

impl Part {
    /// Finds a part by any of its spellings, in any case.
    pub(crate) fn named(name: &str) -> Option<Part> {
        let same = |spellings: &[&str]| spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(name));
        PARTS.iter().find(|(_, spellings)| same(spellings)).map(|(part, _)| *part)
    }

    /// Gives the first spelling of every part.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        PARTS.iter().filter_map(|(_, spellings)| spellings.first().copied())
    }

    /// Tells whether the part is a float (`epoch`, `julian`) rather than an integer.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Part::Epoch | Part::Julian)
    }

    /// Extracts an integer part from a day and the microseconds since its midnight.
    pub(crate) fn integer(self, days: i64, time: i64) -> i64 {
        let date = || civil(days);
        match self {
            Part::Era => i64::from(date().year > 0),
            Part::Millennium => of_years(date().year, 1000),
            Part::Century => of_years(date().year, 100),
            Part::Decade => date().year / 10,
            Part::Year => date().year,
            Part::IsoYear => iso_week(days).0,
            Part::Quarter => (date().month - 1) / 3 + 1,
            Part::Month => date().month,
            Part::Week => iso_week(days).1,
            Part::YearWeek => {
                let (year, week) = iso_week(days);
                year * 100 + if year > 0 { week } else { -week }
            }
            Part::Day => date().day,
            Part::DayOfWeek => iso_weekday(days) % 7,
            Part::IsoDayOfWeek => iso_weekday(days),
            Part::DayOfYear => day_of_year(days),
            Part::Julian => days + 2_440_588,
            Part::Epoch => days * 86_400 + time / 1_000_000,
            Part::Hour => time / 3_600_000_000,
            Part::Minute => time / 60_000_000 % 60,
            Part::Second => time / 1_000_000 % 60,
            Part::Millisecond => time / 1000 % 60_000,
            Part::Microsecond => time % 60_000_000,
        }
    }

    /// Extracts a float part of a date.
    pub(crate) fn float_of_date(self, days: i64) -> f64 {
        self.integer(days, 0) as f64
    }

    /// Extracts a float part of a timestamp.
    pub(crate) fn float_of_timestamp(self, timestamp: i64) -> f64 {
        let (days, time) = split(timestamp);
        match self {
            Part::Julian => time as f64 / DAY as f64 + (days + 2_440_588) as f64,
            Part::Epoch => timestamp as f64 / 1_000_000.0,
            other => other.integer(days, time) as f64,
        }
    }

    /// Cuts a timestamp down to the part; `None` outside the calendar's range.
    pub(crate) fn truncate(self, days: i64, time: i64) -> Option<i64> {
        let Civil { year, month, .. } = civil(days);
        let unit = match self {
            Part::Era => return None,
            Part::Millennium => return timestamp(days_of(year / 1000 * 1000, 1, 1), 0),
            Part::Century => return timestamp(days_of(year / 100 * 100, 1, 1), 0),
            Part::Decade => return timestamp(days_of(year / 10 * 10, 1, 1), 0),
            Part::Year => return timestamp(days_of(year, 1, 1), 0),
            Part::IsoYear => {
                // 4 January is in the first ISO week of its year.
                let fourth = days_of(iso_week(days).0, 1, 4);
                return timestamp(fourth - iso_weekday(fourth) + 1, 0);
            }
            Part::Quarter => return timestamp(days_of(year, (month - 1) / 3 * 3 + 1, 1), 0),
            Part::Month => return timestamp(days_of(year, month, 1), 0),
            Part::Week | Part::YearWeek => return timestamp(days - iso_weekday(days) + 1, 0),
            Part::Day | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear | Part::Julian => DAY,
            Part::Hour => 3_600_000_000,
            Part::Minute => 60_000_000,
            Part::Second | Part::Epoch => 1_000_000,
            Part::Millisecond => 1000,
            Part::Microsecond => 1,
        };
        timestamp(days, time / unit * unit)
    }

    /// Tells whether `date_trunc` and `date_diff` take the part.
    pub(crate) fn is_unit(self) -> bool {
        self != Part::Era
    }

    /// Counts the part's boundaries between two timestamps, `None` on overflow.
    ///
    /// Weeks are counted as full seven days, not as Mondays passed: so does DuckDB 2.0.
    pub(crate) fn difference(self, from: i64, to: i64) -> Option<i64> {
        let (from_days, to_days) = (split(from).0, split(to).0);
        let floor = |unit: i64| Some(to.div_euclid(unit) - from.div_euclid(unit));
        match self {
            Part::Hour => floor(3_600_000_000),
            Part::Minute => floor(60_000_000),
            Part::Second | Part::Epoch => floor(1_000_000),
            Part::Millisecond => floor(1000),
            Part::Microsecond => to.checked_sub(from),
            part => part.days_difference(from_days, to_days),
        }
    }

    /// Counts the part's boundaries between two days, `None` on overflow.
    pub(crate) fn days_difference(self, from: i64, to: i64) -> Option<i64> {
        let (start, end) = (civil(from), civil(to));
        let years = |unit: i64| Some(end.year / unit - start.year / unit);
        let months = |date: Civil| date.year * 12 + date.month - 1;
        let times = |unit: i64| (to - from).checked_mul(unit);
        // The small units go through microseconds since 1970, which must not overflow for either date.
        let both = || from.checked_mul(DAY).and(to.checked_mul(DAY));
        match self {
            Part::Era => None,
            Part::Millennium => years(1000),
            Part::Century => years(100),
            Part::Decade => years(10),
            Part::Year => years(1),
            Part::IsoYear => Some(iso_week(to).0 - iso_week(from).0),
            Part::Quarter => Some(months(end) / 3 - months(start) / 3),
            Part::Month => Some(months(end) - months(start)),
            Part::Week | Part::YearWeek => Some((to - from) / 7),
            Part::Day | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear | Part::Julian => Some(to - from),
            Part::Hour => times(24),
            Part::Minute => times(1440),
            Part::Second | Part::Epoch => times(86_400),
            Part::Millisecond => both().and(times(86_400_000)),
            Part::Microsecond => both().and(times(DAY)),
        }
    }
}

fn of_years(year: i64, unit: i64) -> i64 {
    if year > 0 { (year - 1) / unit + 1 } else { year / unit - 1 }
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Gives the English name of a day's weekday.
pub(crate) fn weekday_name(days: i64) -> &'static str {
    WEEKDAYS.get(usize::try_from(iso_weekday(days) - 1).unwrap_or(0)).copied().unwrap_or_default()
}

/// Gives the English name of a month, counted from 1.
pub(crate) fn month_name(month: i64) -> &'static str {
    MONTHS.get(usize::try_from(month - 1).unwrap_or(0)).copied().unwrap_or_default()
}

/// Finds a full (`long`) or three-letter name at the start of a text; gives its place from 0 and its length.
pub(crate) fn starting_name(text: &str, month: bool, long: bool) -> Option<(i64, usize)> {
    let names: &[&str] = if month { &MONTHS } else { &WEEKDAYS };
    names.iter().zip(0..).find_map(|(name, place)| {
        let name = if long { name } else { name.get(..3)? };
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then_some((place, name.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse_over_twelve_centuries() {
        for day in (-300_000..150_000).step_by(7) {
            let Civil { year, month, day: of_month } = civil(day);
            assert_eq!(days(year, month, of_month).map(i64::from), Some(day));
        }
    }
}
