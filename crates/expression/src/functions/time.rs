//! Functions of dates and timestamps.

use super::{Function, Special, function};
use crate::kernel::calendar::{self, Civil, Part, civil, split};
use crate::operation::{D, I, Outcome, T, one, one_text, three};
use crate::runtime::Fault;
use crate::value::Type::{Date, Integer, Text, Timestamp};

pub(super) fn all() -> Vec<Function> {
    let mut all = parts();
    all.extend(moving());
    all.extend(making());
    all
}

fn parts() -> Vec<Function> {
    let part = |name, signature, summary, example, part| {
        function(name, signature, summary, example).special(Special::PartNamed(part))
    };
    let name = |name, signature, summary, example, kernel: fn(i64) -> &'static str| {
        let write = move |day: i64, out: &mut String| {
            out.push_str(kernel(day));
            Ok(Some(()))
        };
        function(name, signature, summary, example)
            .on(&[Date], Text, one_text::<D>(move |day, out| write(i64::from(day), out)))
            .on(&[Timestamp], Text, one_text::<T>(move |moment, out| write(split(moment).0, out)))
    };
    vec![
        function(
            "date_part",
            "date_part('part', date)",
            "A part of a date or timestamp; also `extract(part FROM date)`. Parts: era, millennium, century, decade, year, isoyear, quarter, month, week (ISO), yearweek, day, dow (0 is Sunday), isodow (1 is Monday), doy, hour, minute, second, millisecond and microsecond (both of the minute), and the floats epoch and julian.",
            "date_part('month', DATE '2024-02-29') → 2",
        )
        .alias(&["datepart"])
        .special(Special::Part),
        part("year", "year(date)", "The year; 0 is 1 BC.", "year(DATE '2024-02-29') → 2024", Part::Year),
        part("quarter", "quarter(date)", "The quarter, from 1.", "quarter(DATE '2024-05-01') → 2", Part::Quarter),
        part("month", "month(date)", "The month, from 1.", "month(DATE '2024-02-29') → 2", Part::Month),
        part("week", "week(date)", "The ISO week, from 1.", "week(DATE '2021-01-01') → 53", Part::Week)
            .alias(&["weekofyear"]),
        part("isoyear", "isoyear(date)", "The year of the ISO week.", "isoyear(DATE '2021-01-01') → 2020", Part::IsoYear),
        part("day", "day(date)", "The day of the month, from 1.", "day(DATE '2024-02-29') → 29", Part::Day)
            .alias(&["dayofmonth"]),
        part(
            "dayofweek",
            "dayofweek(date)",
            "The weekday: 0 is Sunday, 6 is Saturday.",
            "dayofweek(DATE '2024-02-29') → 4",
            Part::DayOfWeek,
        )
        .alias(&["weekday"]),
        part(
            "isodow",
            "isodow(date)",
            "The weekday: 1 is Monday, 7 is Sunday.",
            "isodow(DATE '2024-03-03') → 7",
            Part::IsoDayOfWeek,
        ),
        part("dayofyear", "dayofyear(date)", "The day of the year, from 1.", "dayofyear(DATE '2024-03-01') → 61", Part::DayOfYear),
        part("hour", "hour(date)", "The hour, from 0.", "hour(TIMESTAMP '2024-02-29 13:05:00') → 13", Part::Hour),
        part("minute", "minute(date)", "The minute, from 0.", "minute(TIMESTAMP '2024-02-29 13:05:00') → 5", Part::Minute),
        part("second", "second(date)", "The second, from 0.", "second(TIMESTAMP '2024-02-29 13:05:07') → 7", Part::Second),
        part(
            "epoch",
            "epoch(date)",
            "The seconds since 1970-01-01, as a float.",
            "epoch(TIMESTAMP '1970-01-02 00:00:00.5') → 86400.5",
            Part::Epoch,
        ),
        name("dayname", "dayname(date)", "The English name of the weekday.", "dayname(DATE '2024-02-29') → 'Thursday'", calendar::weekday_name),
        name("monthname", "monthname(date)", "The English name of the month.", "monthname(DATE '2024-02-29') → 'February'", |day| {
            calendar::month_name(civil(day).month)
        }),
    ]
}

fn moving() -> Vec<Function> {
    vec![
        function(
            "date_trunc",
            "date_trunc('part', date)",
            "Cuts a date or timestamp down to a part; the result is a timestamp.",
            "date_trunc('month', DATE '2024-02-29') → TIMESTAMP '2024-02-01 00:00:00'",
        )
        .alias(&["datetrunc"])
        .special(Special::Truncate),
        function(
            "date_diff",
            "date_diff('part', start, end)",
            "The number of boundaries of a part between two dates or timestamps; weeks are full seven days.",
            "date_diff('month', DATE '2024-01-31', DATE '2024-02-01') → 1",
        )
        .alias(&["datediff"])
        .special(Special::Difference),
        function(
            "date_add",
            "date_add(date, interval)",
            "Adds an interval: years and months first, then days, then the time. The result is a timestamp. Also `date + INTERVAL 3 DAY`; `date + 3` adds days and stays a date.",
            "date_add(DATE '2024-01-31', INTERVAL 1 MONTH) → TIMESTAMP '2024-02-29 00:00:00'",
        )
        .special(Special::AddInterval),
        function("last_day", "last_day(date)", "The last day of the month.", "last_day(DATE '2024-02-01') → DATE '2024-02-29'")
            .on(&[Date], Date, one::<D, D>(|day| last_day(i64::from(day))))
            .on(&[Timestamp], Date, one::<T, D>(|moment| last_day(split(moment).0))),
    ]
}

fn making() -> Vec<Function> {
    vec![
        function("make_date", "make_date(year, month, day)", "A date from its numbers.", "make_date(2024, 2, 29) → DATE '2024-02-29'")
            .on(&[Integer, Integer, Integer], Date, three::<I, I, I, D>(|year, month, day| {
                in_range(calendar::days(year, month, day))
            })),
        function(
            "make_timestamp",
            "make_timestamp(microseconds)",
            "A timestamp from the microseconds since 1970-01-01.",
            "make_timestamp(86400000000) → TIMESTAMP '1970-01-02 00:00:00'",
        )
        .on(&[Integer], Timestamp, one::<I, T>(|moment| in_range(calendar::checked_timestamp(i128::from(moment))))),
        function(
            "strftime",
            "strftime(date, 'format')",
            "Writes a date or timestamp. Specifiers: %Y %y %m %d %H %I %M %S (with `-` without leading zeros), %f microseconds, %g milliseconds, %p, %a %A %b %B %h names, %j day of the year, %u %w weekday, %U %W %V week, %G ISO year, %c %x %X, %%.",
            "strftime(DATE '2024-02-29', '%d.%m.%Y') → '29.02.2024'",
        )
        .special(Special::Strftime),
        function(
            "strptime",
            "strptime(text, 'format')",
            "Reads a timestamp; a text that does not match is an error. Specifiers: %Y %y %m %d %H %I %M %S %f %g %p %a %A %b %B %h %j %c %x %X %%. What the format lacks is taken from 1900-01-01.",
            "strptime('29.02.2024', '%d.%m.%Y') → TIMESTAMP '2024-02-29 00:00:00'",
        )
        .special(Special::Strptime { lenient: false }),
        function(
            "try_strptime",
            "try_strptime(text, 'format')",
            "Like `strptime`; a text that does not match gives NULL.",
            "try_strptime('x', '%Y') IS NULL → TRUE",
        )
        .special(Special::Strptime { lenient: true }),
    ]
}

/// Turns a date or timestamp outside the calendar's range into a fault.
fn in_range<V>(value: Option<V>) -> Outcome<V> {
    match value {
        Some(value) => Ok(Some(value)),
        None => Err(Box::new(Fault::DateRange)),
    }
}

fn last_day(day: i64) -> Outcome<i32> {
    let Civil { year, month, .. } = civil(day);
    // The next month must be inside the range too: so it is in DuckDB.
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    in_range(calendar::days(next_year, next_month, 1).map(|first| first - 1))
}
