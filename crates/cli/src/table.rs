//! Aligned columns, numbers and times as people read them.

use chrono::DateTime;
pub(crate) use trainyard_diagnostics::count;
use trainyard_pipeline::figure;

/// Which way a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays out rows under a heading, each line indented by two blanks. The last cell of a shorter row runs on over the columns
/// that it does not have.
pub(crate) fn table(sides: &[Side], rows: &[Vec<String>]) -> String {
    let cells = |row: &Vec<String>| row.iter().map(|cell| clean(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let widths: Vec<usize> = (0..sides.len())
        .map(|column| {
            let aligned = rows.iter().filter(|row| row.len() == sides.len() || column + 1 < row.len());
            aligned.filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::from("  ");
        for ((cell, side), wide) in row.iter().zip(sides).zip(&widths) {
            line.push_str(&pad(cell, *wide, *side));
            line.push_str("   ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Fills a text with blanks up to a number of columns of the terminal.
pub(crate) fn pad(text: &str, columns: usize, side: Side) -> String {
    let blanks = " ".repeat(columns.saturating_sub(width(text)));
    match side {
        Side::Left => format!("{text}{blanks}"),
        Side::Right => format!("{blanks}{text}"),
    }
}

/// Replaces control characters, which could move the cursor.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Gives the columns of the terminal that a text takes: East Asian letters and pictures take two, marks none.
pub(crate) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
            0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

/// Cuts a text to a number of columns; 0 for no limit.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if columns == 0 || width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short) + width(c.encode_utf8(&mut [0; 4])) >= columns {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// Writes a number with three decimals; a dash for what has no value.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), figure)
}

/// Writes a difference like any number, with its sign.
pub(crate) fn difference(value: f64) -> String {
    // Adding nothing takes the sign from a negative zero.
    let plus = if value.is_finite() && value >= 0.0 { "+" } else { "" };
    format!("{plus}{}", figure(value + 0.0))
}

/// Writes a number with its noun, in the plural where that is due.
pub(crate) fn counted(value: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(value as u64), if value == 1 { "" } else { "s" })
}

/// Writes a moment to the second, in UTC.
pub(crate) fn moment(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds)
        .map_or_else(|| "–".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Writes a duration.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 99.95 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round() as u64;
    match whole / 3600 {
        0 => format!("{}m {:02}s", whole / 60, whole % 60),
        hours => format!("{hours}h {:02}m", whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{Side, count, cut, difference, seconds, table};

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows = [vec!["name".to_owned(), "rows".to_owned()], vec!["日本".to_owned(), "7".to_owned()]];
        assert_eq!(table(&[Side::Left, Side::Right], &rows), "  name   rows\n  日本      7\n");
    }

    #[test]
    fn a_short_row_runs_on() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["a", "1", "2"]), row(&["b", "has none"])];
        assert_eq!(table(&[Side::Left; 3], &rows), "  a   1   2\n  b   has none\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(table(&[Side::Left], &[vec!["a\u{1b}[2J".to_owned()]]), "  a\u{fffd}[2J\n");
    }

    #[test]
    fn differences_have_the_digits_of_numbers_and_a_sign() {
        let told = [0.0, -0.0, 0.0042, -0.5, 0.00012, -0.00012, 2139.761, -47953.69, f64::NAN].map(difference);
        let expected = ["+0.000", "+0.000", "+0.004", "-0.500", "+1.2e-4", "-1.2e-4", "+2139.8", "-47954", "–"];
        assert_eq!(told, expected);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 1000, 7_043_000].map(count), ["0", "999", "1,000", "7,043,000"]);
        assert_eq!([0.04, 99.94, 99.96, 3599.6].map(seconds), ["0.0s", "99.9s", "1m 40s", "1h 00m"]);
        assert_eq!((cut("abcdef", 4), cut("日本語", 4), cut("abc", 0)), ("abc…".into(), "日…".into(), "abc".into()));
    }
}
