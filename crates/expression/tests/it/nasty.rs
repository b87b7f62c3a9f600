//! A table of values that break things.

use arrow_array::RecordBatch;
use trainyard_expression::{Type, Value};
use trainyard_random::Key;

use crate::support::table;

/// How many rows the table has.
pub(crate) const ROWS: usize = 60;

const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    3,
    -7,
    10,
    12,
    31,
    100,
    255,
    2024,
    -2024,
    1_000_000,
    i32::MAX as i64,
    i32::MIN as i64,
    9_007_199_254_740_993,
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
    i64::MIN + 1,
];
const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.1,
    1e-5,
    123.456,
    -123.455,
    1e15,
    1e16,
    1e17,
    1e300,
    -1e300,
    5e-324,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    9.2e18,
    9.3e18,
    4503599627370497.5,
    0.49999999999999994,
];
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "abc",
    "ABC",
    "  padded  ",
    "a%b",
    "a_b",
    "50%",
    "-12",
    "12",
    "1.5",
    "2.5",
    "-2.5",
    "1e3",
    "-Infinit",
    "NaN",
    "true",
    "no",
    "2024-02-29",
    "2023-02-29",
    "2024-02-29 12:30:15.5",
    "héllo",
    "HÉLLO",
    "日本語",
    "🇩🇪🇫🇷x",
    "e\u{301}a",
    "a-b-c",
    "aXbXc",
    "\\",
    "a\\b",
    "'",
    "line\nbreak",
    "tab\tx",
    "\u{a0}nbsp\u{a0}",
    "ß",
    "ẞ",
    "İ",
    "ŉ",
    "Ω",
    "ω",
    "0x1F",
    "1_000",
    "9223372036854775807",
    "9223372036854775808",
    "xyz xyz",
    "long text that does not fit inline",
];
const DATES: &[i32] = &[
    0,
    -1,
    1,
    19_782,
    19_417,
    10_956,
    11_016,
    -719_162,
    -719_163,
    -719_528,
    -719_893,
    2_932_896,
    106_751_991,
    -106_751_991,
    i32::MAX - 1,
    -2_147_483_400,
    18_628,
    18_262,
    59,
    -25_567,
];
const TIMESTAMPS: &[i64] = &[
    0,
    -1,
    1,
    999_999,
    -999_999,
    1_709_209_815_500_000,
    1_709_164_800_000_000,
    -2_208_988_800_000_000,
    -62_135_596_800_000_000,
    -62_167_219_200_000_001,
    253_402_300_799_999_999,
    i64::MAX - 1,
    -9_223_372_022_400_000_000,
    86_399_999_999,
    -86_400_000_001,
    1_609_459_199_123_456,
];

/// Makes the table: two columns of each type, NULL in about every eighth place, the same on every machine.
pub(crate) fn nasty() -> RecordBatch {
    let key = Key::new(20_240_229, "expression: nasty values");
    let column = |place: u64, kind: Type, pool: Vec<Value>| {
        let mut stream = key.derive(place).stream();
        let values = (0..ROWS).map(|row| {
            if stream.below(8) == 0 {
                Value::Null
            } else if place.is_multiple_of(2) && row < pool.len() {
                // Every value of the pool stands in one column at least.
                pool[row].clone()
            } else {
                pool[stream.below(pool.len() as u64) as usize].clone()
            }
        });
        (kind, values.collect::<Vec<_>>())
    };
    let booleans = || vec![Value::Boolean(true), Value::Boolean(false)];
    let integers = || INTEGERS.iter().copied().map(Value::Integer).collect::<Vec<_>>();
    let floats = || FLOATS.iter().copied().map(Value::Float).collect::<Vec<_>>();
    let texts = || TEXTS.iter().map(|text| Value::Text((*text).to_owned())).collect::<Vec<_>>();
    let dates = || DATES.iter().copied().map(Value::Date).collect::<Vec<_>>();
    let timestamps = || TIMESTAMPS.iter().copied().map(Value::Timestamp).collect::<Vec<_>>();
    let small = || (-4..9).map(Value::Integer).collect::<Vec<_>>();
    let made = [
        ("b1", column(0, Type::Boolean, booleans())),
        ("b2", column(1, Type::Boolean, booleans())),
        ("i1", column(2, Type::Integer, integers())),
        ("i2", column(3, Type::Integer, integers())),
        ("n1", column(4, Type::Integer, small())),
        ("f1", column(6, Type::Float, floats())),
        ("f2", column(7, Type::Float, floats())),
        ("s1", column(8, Type::Text, texts())),
        ("s2", column(9, Type::Text, texts())),
        ("d1", column(10, Type::Date, dates())),
        ("d2", column(11, Type::Date, dates())),
        ("t1", column(12, Type::Timestamp, timestamps())),
        ("t2", column(13, Type::Timestamp, timestamps())),
    ];
    let columns: Vec<(&str, Type, Vec<Value>)> =
        made.into_iter().map(|(name, (kind, values))| (name, kind, values)).collect();
    table(&columns)
}
