//! Random typed expressions, the same on every machine. Both this language and DuckDB read the text.

use trainyard_expression::Type;
use trainyard_random::Stream;

/// Writes expressions.
pub(crate) struct Generator<'a> {
    pub(crate) stream: &'a mut Stream,
    /// Whether literals stand in for values. Without them no part is constant, except where it must be.
    pub(crate) literals: bool,
}

impl Generator<'_> {
    fn choose<'b, V>(&mut self, items: &'b [V]) -> &'b V {
        &items[self.stream.below(items.len() as u64) as usize]
    }

    /// Writes an expression of a type, at most `depth` levels deep.
    pub(crate) fn of(&mut self, kind: Type, depth: u32) -> String {
        if depth == 0 || self.stream.below(6) == 0 {
            return self.leaf(kind);
        }
        let below = depth - 1;
        if self.stream.below(5) == 0 {
            return self.any(kind, below);
        }
        match kind {
            Type::Boolean => self.boolean(below),
            Type::Integer => self.integer(below),
            Type::Float => self.float(below),
            Type::Text => self.text(below),
            Type::Date => self.date(below),
            Type::Timestamp => self.timestamp(below),
        }
    }

    fn leaf(&mut self, kind: Type) -> String {
        let columns: &[&str] = match kind {
            Type::Boolean => &["b1", "b2"],
            Type::Integer => &["i1", "i2", "n1", "n1"],
            Type::Float => &["f1", "f2"],
            Type::Text => &["s1", "s2"],
            Type::Date => &["d1", "d2"],
            Type::Timestamp => &["t1", "t2"],
        };
        match self.stream.below(10) {
            place if place < 6 || !self.literals => (*self.choose(columns)).to_owned(),
            _ => self.literal(kind),
        }
    }

    fn literal(&mut self, kind: Type) -> String {
        let literals: &[&str] = match kind {
            Type::Boolean => &["TRUE", "FALSE"],
            Type::Integer => &[
                "CAST(0 AS BIGINT)",
                "CAST(1 AS BIGINT)",
                "CAST(-3 AS BIGINT)",
                "CAST(7 AS BIGINT)",
                "CAST(9223372036854775807 AS BIGINT)",
                "CAST(-9223372036854775808 AS BIGINT)",
                "CAST(2024 AS BIGINT)",
            ],
            Type::Float => {
                &["0e0", "-0e0", "1.5e0", "-2.5e0", "1e300", "3e-3", "CAST('nan' AS DOUBLE)", "CAST('-inf' AS DOUBLE)"]
            }
            Type::Text => {
                &["''", "'a'", "'b'", "'%b%'", "'héllo'", "'12'", "'2024-02-29'", "'日本'", "'x_'", "'it''s'"]
            }
            Type::Date => &["DATE '2024-02-29'", "DATE '1969-12-31'", "DATE '2000-01-01'"],
            Type::Timestamp => &["TIMESTAMP '2024-02-29 12:30:15.123456'", "TIMESTAMP '1969-12-31 23:59:59.999999'"],
        };
        (*self.choose(literals)).to_owned()
    }

    /// What every type has.
    fn any(&mut self, kind: Type, depth: u32) -> String {
        let a = self.of(kind, depth);
        match self.stream.below(7) {
            0 => format!("CASE WHEN {} THEN {a} ELSE {} END", self.of(Type::Boolean, depth), self.of(kind, depth)),
            1 => {
                let operand = *self.choose(&Type::ALL);
                let (x, y) = (self.of(operand, depth), self.of(operand, depth));
                format!("CASE {x} WHEN {y} THEN {a} WHEN {} THEN {} END", self.of(operand, depth), self.of(kind, depth))
            }
            2 => format!("coalesce({a}, {})", self.of(kind, depth)),
            3 => format!("nullif({a}, {})", self.of(kind, depth)),
            4 => format!("greatest({a}, {})", self.of(kind, depth)),
            5 => format!("least({a}, {}, {})", self.of(kind, depth), self.of(kind, depth)),
            _ => format!("if({}, {a}, {})", self.of(Type::Boolean, depth), self.of(kind, depth)),
        }
    }

    fn boolean(&mut self, depth: u32) -> String {
        let kind = *self.choose(&Type::ALL);
        let b = |generator: &mut Self| generator.of(Type::Boolean, depth);
        let s = |generator: &mut Self| generator.of(Type::Text, depth);
        match self.stream.below(16) {
            0 => format!("({} AND {})", b(self), b(self)),
            1 => format!("({} OR {})", b(self), b(self)),
            2 => format!("(NOT {})", b(self)),
            3..=5 => {
                let operator = *self.choose(&["=", "<>", "<", "<=", ">", ">="]);
                // Mixed operands convert on their own.
                let other = match kind {
                    Type::Integer if self.stream.below(2) == 0 => Type::Float,
                    kind => kind,
                };
                format!("({} {operator} {})", self.of(kind, depth), self.of(other, depth))
            }
            6 => format!("({} IS {}NULL)", self.of(kind, depth), *self.choose(&["", "NOT "])),
            7 => format!("({} IS {})", b(self), *self.choose(&["TRUE", "NOT TRUE", "FALSE", "NOT FALSE"])),
            8 => {
                let not = *self.choose(&["", "NOT "]);
                format!("({} IS {not}DISTINCT FROM {})", self.of(kind, depth), self.of(kind, depth))
            }
            9 => {
                let not = *self.choose(&["", "NOT "]);
                format!("({} {not}IN ({}, {}))", self.of(kind, depth), self.of(kind, depth), self.leaf(kind))
            }
            10 => {
                let not = *self.choose(&["", "NOT "]);
                format!("({} {not}BETWEEN {} AND {})", self.of(kind, depth), self.of(kind, depth), self.of(kind, depth))
            }
            11 => {
                let operator = *self.choose(&["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]);
                let pattern = *self.choose(&[
                    "'a%'", "'%b%'", "'_'", "'%'", "''", "'%é%'", "'__本%'", "'A_C'", "'%-_'", "'%a%b%'", "'h%o'",
                    "'ẞ'", "s2",
                ]);
                format!("({} {operator} {pattern})", s(self))
            }
            12 => format!(
                "({} LIKE {} ESCAPE '!')",
                s(self),
                *self.choose(&["'a!%b'", "'%!%'", "'a!_b'", "'!!%'", "'%'"])
            ),
            13 => {
                let test = *self.choose(&["contains", "starts_with", "ends_with"]);
                format!("{test}({}, {})", s(self), s(self))
            }
            14 => format!("{}({})", *self.choose(&["isnan", "isinf", "isfinite"]), self.of(Type::Float, depth)),
            _ => {
                let call = *self.choose(&["regexp_matches", "regexp_full_match"]);
                let pattern = *self.choose(&[
                    "'a'",
                    "'^a'",
                    "'[0-9]+'",
                    "'a.b'",
                    "'b$'",
                    "'(?i)h.l'",
                    "'\\s'",
                    "'^$'",
                    "'\\w+'",
                    "'é|日'",
                ]);
                format!("{call}({}, {pattern})", s(self))
            }
        }
    }

    fn integer(&mut self, depth: u32) -> String {
        let i = |generator: &mut Self| generator.of(Type::Integer, depth);
        let s = |generator: &mut Self| generator.of(Type::Text, depth);
        match self.stream.below(15) {
            0..=4 => format!("({} {} {})", i(self), *self.choose(&["+", "-", "*", "//", "%"]), i(self)),
            5 => format!("(- {})", i(self)),
            6 => format!("{}({})", *self.choose(&["abs", "sign", "round", "trunc"]), i(self)),
            7 => format!(
                "{}({}, {})",
                *self.choose(&["round", "trunc"]),
                i(self),
                *self.choose(&["-1", "-3", "2", "0", "-18"])
            ),
            8 => {
                let from = *self.choose(&[Type::Boolean, Type::Float, Type::Text]);
                format!("{}({} AS BIGINT)", *self.choose(&["CAST", "TRY_CAST"]), self.of(from, depth))
            }
            9 => format!("{}({})", *self.choose(&["length", "strlen", "ascii"]), s(self)),
            10 => format!("strpos({}, {})", s(self), s(self)),
            11 | 12 => {
                let part = *self.choose(PARTS);
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                format!("CAST(date_part('{part}', {}) AS BIGINT)", self.of(kind, depth))
            }
            13 => {
                let part = *self.choose(UNITS);
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                format!("date_diff('{part}', {}, {})", self.of(kind, depth), self.of(kind, depth))
            }
            _ => format!("({} - {})", self.of(Type::Date, depth), self.of(Type::Date, depth)),
        }
    }

    fn float(&mut self, depth: u32) -> String {
        let f = |generator: &mut Self| generator.of(Type::Float, depth);
        match self.stream.below(11) {
            0..=3 => format!("({} {} {})", f(self), *self.choose(&["+", "-", "*", "/", "%", "//"]), f(self)),
            4 => format!("({} / {})", self.of(Type::Integer, depth), self.of(Type::Integer, depth)),
            5 => format!("({} {} {})", self.of(Type::Integer, depth), *self.choose(&["+", "-", "*"]), f(self)),
            6 => format!("{}({})", *self.choose(&["abs", "ceil", "floor", "round", "trunc", "sqrt"]), f(self)),
            7 => format!(
                "{}({}, {})",
                *self.choose(&["round", "trunc"]),
                f(self),
                *self.choose(&["1", "2", "-1", "0", "5", "-2"])
            ),
            8 => format!("(- {})", f(self)),
            9 => {
                let from = *self.choose(&[Type::Boolean, Type::Integer, Type::Text]);
                format!("{}({} AS DOUBLE)", *self.choose(&["CAST", "TRY_CAST"]), self.of(from, depth))
            }
            _ => {
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                format!("date_part('{}', {})", *self.choose(&["epoch", "julian"]), self.of(kind, depth))
            }
        }
    }

    fn text(&mut self, depth: u32) -> String {
        let s = |generator: &mut Self| generator.of(Type::Text, depth);
        let small = |generator: &mut Self| (*generator.choose(&["n1", "2", "-2", "0", "1", "3"])).to_owned();
        match self.stream.below(16) {
            0 => format!("({} || {})", s(self), s(self)),
            1 => {
                let kind = *self.choose(&Type::ALL);
                format!("CAST({} AS VARCHAR)", self.shown(kind, depth))
            }
            2 => {
                let kind = *self.choose(&Type::ALL);
                format!("concat({}, {})", s(self), self.shown(kind, depth))
            }
            3 => format!("{}({})", *self.choose(&["lower", "upper", "trim", "ltrim", "rtrim", "reverse"]), s(self)),
            4 => format!(
                "{}({}, {})",
                *self.choose(&["trim", "ltrim", "rtrim"]),
                s(self),
                *self.choose(&["'a'", "' x'", "''", "'é本'"])
            ),
            5 => format!("substring({}, {})", s(self), small(self)),
            6 => format!("substring({}, {}, {})", s(self), small(self), small(self)),
            7 => format!("{}({}, {})", *self.choose(&["left", "right"]), s(self), small(self)),
            8 => format!("replace({}, {}, {})", s(self), self.leaf(Type::Text), self.leaf(Type::Text)),
            9 => format!(
                "split_part({}, {}, {})",
                s(self),
                *self.choose(&["'-'", "'X'", "''", "' '", "s2"]),
                small(self)
            ),
            10 => format!("repeat({}, {})", self.leaf(Type::Text), small(self)),
            11 => format!(
                "{}({}, CAST({} AS INTEGER), {})",
                *self.choose(&["lpad", "rpad"]),
                s(self),
                small(self),
                *self.choose(&["'xy'", "'é'", "s2", "''"])
            ),
            12 => format!(
                "regexp_extract({}, {})",
                s(self),
                *self.choose(&["'[a-z]+'", "'a.', 0", "'(a)(b)?', 2", "'-(.)', 1", "'x', 3"])
            ),
            13 => {
                let rest = *self.choose(&[
                    "'a', 'b'",
                    "'[a-z]', '<\\0>', 'g'",
                    "'(.)(.)', '\\2\\1'",
                    "'', '-', 'g'",
                    "'x*', '.', 'g'",
                    "'B', '!', 'gi'",
                ]);
                format!("regexp_replace({}, {rest})", s(self))
            }
            14 => {
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                let format = *self.choose(&[
                    "%Y-%m-%d",
                    "%y %-m %-d %j",
                    "%H:%M:%S.%f %g",
                    "%a %A %b %B",
                    "%I %p %-I",
                    "%U %W %V %G %u %w",
                    "%c|%x|%X|%%|%-j",
                ]);
                format!("strftime({}, '{format}')", self.of(kind, depth))
            }
            _ => {
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                format!("{}({})", *self.choose(&["dayname", "monthname"]), self.of(kind, depth))
            }
        }
    }

    /// Writes what becomes text. A computed NaN may have a sign in DuckDB, which then writes `-nan`; here none has one.
    fn shown(&mut self, kind: Type, depth: u32) -> String {
        if kind == Type::Float { self.leaf(kind) } else { self.of(kind, depth) }
    }

    fn date(&mut self, depth: u32) -> String {
        match self.stream.below(6) {
            0 => {
                let operator = *self.choose(&["+", "-"]);
                format!("({} {operator} {})", self.of(Type::Date, depth), *self.choose(&["1", "30", "100000", "(-1)"]))
            }
            1 | 2 => {
                // A text made of a float may be `inf`, an infinite date in DuckDB, which has no place here.
                let from = match self.stream.below(2) {
                    0 => self.leaf(Type::Text),
                    _ => self.of(Type::Timestamp, depth),
                };
                format!("{}({from} AS DATE)", *self.choose(&["CAST", "TRY_CAST"]))
            }
            3 => {
                let kind = *self.choose(&[Type::Date, Type::Timestamp]);
                format!("last_day({})", self.of(kind, depth))
            }
            _ => format!(
                "make_date({}, {}, {})",
                *self.choose(&["CAST(2024 AS BIGINT)", "CAST(1900 AS BIGINT)", "n1"]),
                *self.choose(&["CAST(2 AS BIGINT)", "n1"]),
                *self.choose(&["CAST(29 AS BIGINT)", "CAST(1 AS BIGINT)"])
            ),
        }
    }

    fn timestamp(&mut self, depth: u32) -> String {
        let date = |generator: &mut Self| {
            let kind = *generator.choose(&[Type::Date, Type::Timestamp]);
            generator.of(kind, depth)
        };
        match self.stream.below(8) {
            0 | 1 => {
                let from = match self.stream.below(2) {
                    0 => self.leaf(Type::Text),
                    _ => self.of(Type::Date, depth),
                };
                format!("{}({from} AS TIMESTAMP)", *self.choose(&["CAST", "TRY_CAST"]))
            }
            2 | 3 => format!("date_trunc('{}', {})", *self.choose(UNITS), date(self)),
            4 | 5 => {
                let operator = *self.choose(&["+", "-"]);
                let unit = *self.choose(&[
                    "YEAR",
                    "MONTH",
                    "DAY",
                    "HOUR",
                    "MINUTE",
                    "SECOND",
                    "WEEK",
                    "QUARTER",
                    "DECADE",
                    "MILLISECOND",
                    "MICROSECOND",
                ]);
                let count = *self.choose(&["1", "13", "(n1)", "(-5)"]);
                format!("({} {operator} INTERVAL {count} {unit})", date(self))
            }
            6 => format!(
                "try_strptime({}, '{}')",
                self.of(Type::Text, depth),
                *self.choose(&["%Y-%m-%d", "%d %b %Y", "%Y-%m-%d %H:%M:%S.%f"])
            ),
            _ => format!("make_timestamp({})", *self.choose(&["n1", "n1 * 1000000007", "CAST(0 AS BIGINT)"])),
        }
    }
}

/// Parts that `date_part` gives as integers.
const PARTS: &[&str] = &[
    "era",
    "millennium",
    "century",
    "decade",
    "year",
    "isoyear",
    "quarter",
    "month",
    "week",
    "yearweek",
    "day",
    "dow",
    "isodow",
    "doy",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
];

/// Parts that `date_trunc` and `date_diff` take.
const UNITS: &[&str] = &[
    "millennium",
    "century",
    "decade",
    "year",
    "isoyear",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
];
