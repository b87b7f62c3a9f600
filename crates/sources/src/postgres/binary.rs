//! PostgreSQL's binary form of values and rows to columns.
//!
//! The form: PostgreSQL's documentation, COPY, "Binary Format"; values as `src/backend/utils/adt` sends them.

use tokio_postgres::types::Type;
use trainyard_data::cells::Cell;

use super::Stop;
use crate::table::Growing;

/// Days from 1970-01-01 to 2000-01-01, where the server's time begins.
const EPOCH_DAYS: i32 = 10_957;

const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// What the rows begin with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The signature, flags and the length of an extension.
const HEADER: usize = 19;

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// How the values of a column come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Date,
    /// With or without a time zone: the moment is that of UTC.
    Timestamp,
    /// Any other type; the server makes text of it.
    Cast,
}

impl Kind {
    pub(super) fn of(kind: &Type) -> Kind {
        match *kind {
            Type::BOOL => Kind::Boolean,
            Type::INT2 => Kind::Int2,
            Type::INT4 => Kind::Int4,
            Type::INT8 => Kind::Int8,
            Type::FLOAT4 => Kind::Float4,
            Type::FLOAT8 => Kind::Float8,
            Type::NUMERIC => Kind::Numeric,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => Kind::Text,
            Type::DATE => Kind::Date,
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Kind::Timestamp,
            _ => Kind::Cast,
        }
    }
}

/// Takes rows from the bytes of a COPY, which may be cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// What came of a row whose end did not come yet.
    begun: Vec<u8>,
    has_header: bool,
    is_done: bool,
}

impl Decoder {
    /// Says whether the end of the rows came.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Appends the rows that are whole with these bytes.
    pub(super) fn take(&mut self, bytes: &[u8], kinds: &[Kind], table: &mut Growing<'_>) -> Result<(), Stop> {
        if self.begun.is_empty() {
            let used = self.rows(bytes, kinds, table)?;
            self.begun.extend_from_slice(&bytes[used..]);
        } else {
            let mut begun = std::mem::take(&mut self.begun);
            begun.extend_from_slice(bytes);
            let used = self.rows(&begun, kinds, table)?;
            begun.drain(..used);
            self.begun = begun;
        }
        Ok(())
    }

    /// Takes whole rows; gives how many bytes they had.
    fn rows(&mut self, bytes: &[u8], kinds: &[Kind], table: &mut Growing<'_>) -> Result<usize, Stop> {
        let mut used = 0;
        if !self.has_header {
            let Some(header) = bytes.get(..HEADER) else { return Ok(0) };
            if !header.starts_with(SIGNATURE) {
                return Err(malformed());
            }
            let extension = usize::try_from(number::<4>(header, 15).map_or(-1, i32::from_be_bytes));
            used = HEADER + extension.map_err(|_| malformed())?;
            if bytes.len() < used {
                return Ok(0);
            }
            self.has_header = true;
        }
        while !self.is_done {
            let Some(row) = self.row(&bytes[used..], kinds, table)? else { break };
            used += row;
        }
        Ok(used)
    }

    /// Takes one row, if all of it is there; gives its length.
    fn row(&mut self, bytes: &[u8], kinds: &[Kind], table: &mut Growing<'_>) -> Result<Option<usize>, Stop> {
        let Some(fields) = number::<2>(bytes, 0).map(i16::from_be_bytes) else { return Ok(None) };
        if fields == -1 {
            self.is_done = true;
            return Ok(Some(2));
        }
        if usize::try_from(fields) != Ok(kinds.len()) {
            return Err(malformed());
        }
        // First all lengths, so that no half row is taken.
        let mut at = 2;
        for _ in kinds {
            let Some(length) = number::<4>(bytes, at).map(i32::from_be_bytes) else { return Ok(None) };
            at += 4 + if length == -1 { 0 } else { usize::try_from(length).map_err(|_| malformed())? };
        }
        if bytes.len() < at {
            return Ok(None);
        }
        let mut at = 2;
        for (column, kind) in kinds.iter().enumerate() {
            let length = number::<4>(bytes, at).map_or(-1, i32::from_be_bytes);
            at += 4;
            let field = usize::try_from(length).ok().map(|length| &bytes[at..at + length]);
            at += field.map_or(0, <[u8]>::len);
            append(table, column, *kind, field)?;
        }
        table.end_row()?;
        Ok(Some(at))
    }
}

fn malformed() -> Stop {
    Stop::Lost("the server's answer can't be understood".to_owned())
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Appends one value in its binary form.
pub(super) fn append(table: &mut Growing<'_>, column: usize, kind: Kind, field: Option<&[u8]>) -> Result<(), Stop> {
    let Some(field) = field else { return Ok(table.append(column, Cell::Missing)?) };
    macro_rules! value {
        ($number:ty, $size:literal) => {
            field.try_into().map(<$number>::from_be_bytes as fn([u8; $size]) -> $number).map_err(|_| malformed())?
        };
    }
    let text;
    let cell = match kind {
        Kind::Boolean => Cell::Boolean(field != [0]),
        Kind::Int2 => Cell::Integer(value!(i16, 2).into()),
        Kind::Int4 => Cell::Integer(value!(i32, 4).into()),
        Kind::Int8 => Cell::Integer(value!(i64, 8)),
        Kind::Float4 => Cell::Float(value!(f32, 4).into()),
        Kind::Float8 => Cell::Float(value!(f64, 8)),
        Kind::Numeric => {
            let numeric = Numeric::of(field).ok_or_else(malformed)?;
            if table.is_float(column) {
                Cell::Float(numeric.float())
            } else {
                text = numeric.to_string();
                Cell::Text(&text)
            }
        }
        Kind::Text | Kind::Cast => match std::str::from_utf8(field) {
            Ok(text) => Cell::Text(text),
            Err(_) => return Err(table.refuse_text(column, field).into()),
        },
        Kind::Date => match value!(i32, 4) {
            days @ (i32::MAX | i32::MIN) => infinite(days < 0),
            days => Cell::Date(days.saturating_add(EPOCH_DAYS)),
        },
        Kind::Timestamp => match value!(i64, 8) {
            micros @ (i64::MAX | i64::MIN) => infinite(micros < 0),
            micros => Cell::Timestamp(micros.saturating_add(EPOCH_MICROS)),
        },
    };
    Ok(table.append(column, cell)?)
}

/// Gives a day or moment after or before all others, which only text holds, or what `data.missing` lists.
fn infinite(negative: bool) -> Cell<'static> {
    Cell::Text(if negative { "-infinity" } else { "infinity" })
}

/// A decimal number: digits of base 10,000, the first of which counts 10,000 to the power of `weight`.
struct Numeric<'a> {
    digits: &'a [u8],
    weight: i32,
    sign: u16,
    /// Digits behind the point.
    scale: usize,
}

const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xc000;
const INFINITE: u16 = 0xd000;
const NEGATIVE_INFINITE: u16 = 0xf000;

impl Numeric<'_> {
    fn of(field: &[u8]) -> Option<Numeric<'_>> {
        let count = usize::from(u16::from_be_bytes(number(field, 0)?));
        let digits = field.get(8..8 + 2 * count)?;
        let weight = i32::from(i16::from_be_bytes(number(field, 2)?));
        let sign = u16::from_be_bytes(number(field, 4)?);
        let scale = usize::from(u16::from_be_bytes(number(field, 6)?));
        Some(Numeric { digits, weight, sign, scale })
    }

    fn digit(&self, at: i32) -> u16 {
        let at = usize::try_from(at).ok().and_then(|at| number(self.digits, 2 * at));
        at.map_or(0, u16::from_be_bytes)
    }

    fn count(&self) -> i32 {
        i32::try_from(self.digits.len() / 2).unwrap_or(i32::MAX)
    }

    /// Gives the nearest double.
    fn float(&self) -> f64 {
        match self.sign {
            NOT_A_NUMBER => return f64::NAN,
            INFINITE => return f64::INFINITY,
            NEGATIVE_INFINITE => return f64::NEG_INFINITY,
            _ => {}
        }
        // Where both fit, the quotient of two exact doubles is rounded once, as the text would be.
        let places = 4 * (self.count() - 1 - self.weight);
        if self.count() <= 4 && (0..=22).contains(&places) {
            let whole = (0..self.count()).fold(0_u64, |whole, at| whole * 10_000 + u64::from(self.digit(at)));
            if whole < 1 << 53 {
                let value = whole as f64 / TENS[places.unsigned_abs() as usize];
                return if self.sign == NEGATIVE { -value } else { value };
            }
        }
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl std::fmt::Display for Numeric<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sign {
            NOT_A_NUMBER => return formatter.write_str("NaN"),
            INFINITE => return formatter.write_str("inf"),
            NEGATIVE_INFINITE => return formatter.write_str("-inf"),
            NEGATIVE => formatter.write_str("-")?,
            _ => {}
        }
        if self.weight < 0 {
            formatter.write_str("0")?;
        }
        for at in 0..=self.weight {
            if at == 0 {
                write!(formatter, "{}", self.digit(at))?;
            } else {
                write!(formatter, "{:04}", self.digit(at))?;
            }
        }
        if self.scale == 0 {
            return Ok(());
        }
        let groups = i32::try_from(self.scale.div_ceil(4)).unwrap_or(i32::MAX);
        let mut behind = String::with_capacity(self.scale + 4);
        for group in 1..=groups {
            behind.push_str(&format!("{:04}", self.digit(self.weight + group)));
        }
        behind.truncate(self.scale);
        write!(formatter, ".{behind}")
    }
}

#[cfg(test)]
mod tests {
    use super::Numeric;

    /// A number in the server's form.
    fn numeric(digits: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(scale.to_be_bytes());
        digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
        bytes
    }

    #[test]
    fn decimal_numbers_have_their_digits_and_their_nearest_double() {
        let cases = [
            (numeric(&[], 0, 0, 0), "0", 0.0),
            (numeric(&[1], 0, 0, 0), "1", 1.0),
            (numeric(&[12, 3456, 7800], 1, 0x4000, 2), "-123456.78", -123_456.78),
            (numeric(&[1000], -1, 0, 1), "0.1", 0.1),
            (numeric(&[10], -2, 0, 7), "0.0000001", 0.000_000_1),
            (numeric(&[1], 2, 0, 3), "100000000.000", 1e8),
            (numeric(&[9007, 1992, 5474, 993], 3, 0, 0), "9007199254740993", 9_007_199_254_740_993.0),
            (numeric(&[1, 2, 3, 4, 5, 6], 2, 0, 12), "100020003.000400050006", 100_020_003.000_400_05),
            (numeric(&[], 0, 0xd000, 0), "inf", f64::INFINITY),
        ];
        for (bytes, text, value) in cases {
            let numeric = Numeric::of(&bytes).expect("it is whole");
            assert_eq!((numeric.to_string().as_str(), numeric.float()), (text, value));
        }
        assert!(Numeric::of(&numeric(&[], 0, 0xc000, 0)).is_some_and(|numeric| numeric.float().is_nan()));
        assert!(Numeric::of(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1]).is_none(), "a digit is missing");
    }
}
