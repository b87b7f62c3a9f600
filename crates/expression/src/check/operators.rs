//! Operators.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value as Literal};

use super::{Checker, Typed, literal};
use crate::kernel::calendar;
use crate::kernel::compare::{self, Comparison};
use crate::kernel::like::{self, Pattern};
use crate::kernel::{interval, numeric};
use crate::lifted;
use crate::meaning::Meaning;
use crate::operation::{B, D, F, I, Nullable, S, T, one, two};
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::runtime::Fault;
use crate::value::{Type, Value};

/// Gives the comparison that an operator stands for.
fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

impl Checker<'_> {
    /// Checks a chain of binary operators along its left side, without recursion: a sum of a thousand columns is a tree
    /// a thousand deep.
    pub(super) fn chain(&mut self, expr: &Expr) -> Option<Typed> {
        let mut links = Vec::new();
        let mut first = expr;
        while let Expr::BinaryOp { left, op, right } = first {
            links.push((op, right.as_ref()));
            first = left;
        }
        let mut whole = self.operand(first);
        let mut compared = false;
        for (op, right) in links.into_iter().rev() {
            let right = self.operand(right);
            let (Some(left), Some(right)) = (whole, right) else {
                whole = None;
                continue;
            };
            let chained = compared && comparison(op).is_some();
            compared = comparison(op).is_some();
            whole = if chained {
                let run = operand_run(&left).to(operand_run(&right));
                self.report(ProblemKind::ChainedComparison, run)
            } else {
                self.binary(op, left, right)
            };
        }
        match whole? {
            Operand::Value(typed) => Some(typed),
            Operand::Interval { run, .. } => self.lone_interval(run),
        }
    }

    fn operand(&mut self, expr: &Expr) -> Option<Operand> {
        match expr {
            Expr::Interval(interval) => self.interval(interval),
            other => self.check(other).map(Operand::Value),
        }
    }

    fn binary(&mut self, op: &BinaryOperator, left: Operand, right: Operand) -> Option<Operand> {
        let run = operand_run(&left).to(operand_run(&right));
        let (left, right) = match (left, right) {
            (Operand::Value(left), Operand::Value(right)) => (left, right),
            (Operand::Value(date), Operand::Interval { count, run: interval })
            | (Operand::Interval { count, run: interval }, Operand::Value(date))
                if matches!(op, BinaryOperator::Plus)
                    || (matches!(op, BinaryOperator::Minus) && date.run.first < interval.first) =>
            {
                let minus = matches!(op, BinaryOperator::Minus);
                return self.shift(date, count, minus, run).map(Operand::Value);
            }
            _ => {
                let what = "this operator on an interval".to_owned();
                return self.report(ProblemKind::Unsupported { what }, run);
            }
        };
        let typed = match op {
            BinaryOperator::And | BinaryOperator::Or => self.logic(op, left, right, run),
            BinaryOperator::StringConcat => self.join(left, right, run),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::DuckIntegerDivide
            | BinaryOperator::Modulo
            | BinaryOperator::BitwiseXor => self.arithmetic(op, left, right, run),
            op => match comparison(op) {
                Some(comparison) => self.compare(comparison, &op.to_string(), left, right, run),
                None => self.report(ProblemKind::Unsupported { what: format!("the operator `{op}`") }, run),
            },
        };
        typed.map(Operand::Value)
    }

    fn logic(&mut self, op: &BinaryOperator, left: Typed, right: Typed, run: Run) -> Option<Typed> {
        let construct = op.to_string();
        let left = self.boolean(left, &construct);
        let right = self.boolean(right, &construct);
        let is_and = matches!(op, BinaryOperator::And);
        let kernel = if is_and { compare::and } else { compare::or };
        let operation = two::<Nullable<B>, Nullable<B>, B>(move |a, b| Ok(kernel(a, b)));
        let operation = if is_and { Meaning::And } else { Meaning::Or }.of(operation);
        Some(self.apply(operation, vec![left?, right?], Type::Boolean, run))
    }

    /// `||`, which writes other types as text.
    fn join(&mut self, left: Typed, right: Typed, run: Run) -> Option<Typed> {
        let parts = vec![self.as_text(left), self.as_text(right)];
        Some(self.apply(lifted::join(), parts, Type::Text, run))
    }

    /// Casts a part to text, as `||` and `concat` do by themselves.
    pub(super) fn as_text(&mut self, part: Typed) -> Typed {
        let run = part.run;
        match part.kind.and_then(|kind| lifted::cast(kind, Type::Text, false)) {
            Some(operation) => self.apply(operation, vec![part], Type::Text, run),
            None => part,
        }
    }

    /// Compares two parts once they have one type.
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        symbol: &str,
        left: Typed,
        right: Typed,
        run: Run,
    ) -> Option<Typed> {
        let (left, right, kind) = self.alike(symbol, left, right, run)?;
        Some(self.apply(lifted::comparison(kind, comparison), vec![left, right], Type::Boolean, run))
    }

    /// Gives two parts one type, or reports that there is none.
    fn alike(&mut self, symbol: &str, left: Typed, right: Typed, run: Run) -> Option<(Typed, Typed, Type)> {
        let parts = vec![left, right];
        let Ok(common) = self.common(&parts) else {
            let got = parts.iter().map(|part| part.kind).collect();
            return self.report(ProblemKind::OperandTypes { operator: symbol.to_owned(), got }, run);
        };
        // Two NULLs compare like any other: as integers.
        let kind = common.unwrap_or(Type::Integer);
        let mut parts = self.coerce_all(parts, kind).into_iter();
        Some((parts.next()?, parts.next()?, kind))
    }

    fn arithmetic(&mut self, op: &BinaryOperator, left: Typed, right: Typed, run: Run) -> Option<Typed> {
        let symbol = if matches!(op, BinaryOperator::BitwiseXor) { "^".to_owned() } else { op.to_string() };
        if let Some(typed) = self.days(op, &left, &right) {
            let (operation, kind, swap) = typed;
            let (left, right) = if swap { (right, left) } else { (left, right) };
            return Some(self.apply(operation, vec![left, right], kind, run));
        }
        let both = |kind: Type| [left.kind, right.kind].into_iter().flatten().any(|got| got == kind);
        let float = both(Type::Float) || matches!(op, BinaryOperator::Divide | BinaryOperator::BitwiseXor);
        let kind = if float { Type::Float } else { Type::Integer };
        let got = vec![left.kind, right.kind];
        // A text literal is read as a number only beside a number.
        let known = [&left, &right].iter().any(|part| matches!(part.kind, Some(Type::Integer | Type::Float) | None));
        let (left, right) = match known.then(|| (self.coerce(left, kind), self.coerce(right, kind))) {
            Some((Ok(left), Ok(right))) => (left, right),
            _ => return self.report(ProblemKind::OperandTypes { operator: symbol, got }, run),
        };
        let operation = match (op, kind) {
            (BinaryOperator::Plus, Type::Integer) => two::<I, I, I>(numeric::add),
            (BinaryOperator::Minus, Type::Integer) => two::<I, I, I>(numeric::subtract),
            (BinaryOperator::Multiply, Type::Integer) => two::<I, I, I>(numeric::multiply),
            (BinaryOperator::DuckIntegerDivide, Type::Integer) => two::<I, I, I>(numeric::divide),
            (BinaryOperator::Modulo, Type::Integer) => two::<I, I, I>(numeric::remainder),
            (BinaryOperator::Plus, _) => two::<F, F, F>(|a, b| Ok(Some(a + b))),
            (BinaryOperator::Minus, _) => two::<F, F, F>(|a, b| Ok(Some(a - b))),
            (BinaryOperator::Multiply, _) => two::<F, F, F>(|a, b| Ok(Some(a * b))),
            (BinaryOperator::Divide, _) => two::<F, F, F>(|a, b| Ok(Some(a / b))),
            (BinaryOperator::DuckIntegerDivide, _) => two::<F, F, F>(numeric::divide_floats),
            (BinaryOperator::Modulo, _) => two::<F, F, F>(|a, b| Ok(Some(a % b))),
            _ => two::<F, F, F>(|a, b| Ok(Some(libm::pow(a, b)))),
        };
        let meaning = match op {
            BinaryOperator::Plus => Meaning::Add(kind),
            BinaryOperator::Minus => Meaning::Subtract(kind),
            BinaryOperator::Multiply => Meaning::Multiply(kind),
            BinaryOperator::Divide => Meaning::Divide,
            BinaryOperator::DuckIntegerDivide => Meaning::Quotient(kind),
            BinaryOperator::Modulo => Meaning::Remainder(kind),
            _ => Meaning::Power,
        };
        Some(self.apply(meaning.of(operation), vec![left, right], kind, run))
    }

    /// Finds the arithmetic of dates: days added and taken away, and the days between two dates. The flag says that the
    /// operands change places.
    fn days(
        &self,
        op: &BinaryOperator,
        left: &Typed,
        right: &Typed,
    ) -> Option<(std::sync::Arc<dyn crate::operation::Operation>, Type, bool)> {
        let add = |sign: i64| {
            two::<D, I, D>(move |date, days| {
                let sum = days.checked_mul(sign).and_then(|days| days.checked_add(i64::from(date)));
                match sum.and_then(calendar::checked_days) {
                    Some(date) => Ok(Some(date)),
                    None => Err(Box::new(Fault::DateRange)),
                }
            })
        };
        match (op, left.kind, right.kind) {
            (BinaryOperator::Plus, Some(Type::Date), Some(Type::Integer)) => Some((add(1), Type::Date, false)),
            (BinaryOperator::Plus, Some(Type::Integer), Some(Type::Date)) => Some((add(1), Type::Date, true)),
            (BinaryOperator::Minus, Some(Type::Date), Some(Type::Integer)) => Some((add(-1), Type::Date, false)),
            (BinaryOperator::Minus, Some(Type::Date), Some(Type::Date)) => {
                let operation = two::<D, D, I>(|a, b| Ok(Some(i64::from(a) - i64::from(b))));
                Some((operation, Type::Integer, false))
            }
            _ => None,
        }
    }

    /// Checks a sign or NOT.
    pub(super) fn unary(&mut self, op: UnaryOperator, inner: &Expr) -> Option<Typed> {
        let negative = matches!(op, UnaryOperator::Minus);
        if let (true, Expr::Value(value)) = (negative, inner)
            && let Literal::Number(text, _) = &value.value
        {
            let run = self.tokens.run_of(value.span).unwrap_or(self.tokens.all());
            let run = Run { first: run.first.saturating_sub(1), ..run };
            return match literal::number(text, true) {
                Some(value) => Some(self.constant(value, run)),
                None => self.report(ProblemKind::BadLiteral { text: format!("-{text}"), kind: Type::Integer }, run),
            };
        }
        let part = self.check(inner)?;
        let run = Run { first: part.run.first.saturating_sub(1), ..part.run };
        match (op, part.kind) {
            (UnaryOperator::Not, _) => {
                let part = self.boolean(part, "NOT")?;
                Some(self.apply(Meaning::Not.of(one::<B, B>(|a| Ok(Some(!a)))), vec![part], Type::Boolean, run))
            }
            (UnaryOperator::Plus, Some(Type::Integer | Type::Float) | None) => Some(Typed { run, ..part }),
            (UnaryOperator::Minus, Some(Type::Integer) | None) => {
                let operation = Meaning::Negate(Type::Integer).of(one::<I, I>(numeric::negate));
                Some(self.apply(operation, vec![part], Type::Integer, run))
            }
            (UnaryOperator::Minus, Some(Type::Float)) => {
                let operation = Meaning::Negate(Type::Float).of(one::<F, F>(|a| Ok(Some(-a))));
                Some(self.apply(operation, vec![part], Type::Float, run))
            }
            (UnaryOperator::Plus | UnaryOperator::Minus, got) => {
                self.report(ProblemKind::OperandTypes { operator: op.to_string(), got: vec![got] }, run)
            }
            (op, _) => self.report(ProblemKind::Unsupported { what: format!("the operator `{op}`") }, run),
        }
    }

    /// Gives the run of a part and the words of a test after it, such as `IS NOT NULL`.
    fn tested(&self, part: &Typed) -> Run {
        let mut last = part.run.last + 1;
        if self.tokens.is_word(last, "is") {
            last += 1;
            if self.tokens.is_word(last, "not") {
                last += 1;
            }
        } else if self.tokens.is_word(last, "not") {
            last += 1;
        }
        Run { first: part.run.first, last }
    }

    pub(super) fn is_null(&mut self, inner: &Expr, negated: bool) -> Option<Typed> {
        let part = self.check(inner)?;
        let run = self.tested(&part);
        let kind = part.kind.unwrap_or(Type::Integer);
        Some(self.apply(lifted::is_null(kind, negated), vec![part], Type::Boolean, run))
    }

    pub(super) fn is_boolean(&mut self, inner: &Expr, wanted: bool, negated: bool) -> Option<Typed> {
        let part = self.condition(inner, if wanted { "IS TRUE" } else { "IS FALSE" })?;
        let run = self.tested(&part);
        Some(self.apply(lifted::is_boolean(wanted, negated), vec![part], Type::Boolean, run))
    }

    pub(super) fn distinct(&mut self, left: &Expr, right: &Expr, negated: bool) -> Option<Typed> {
        let (left, right) = (self.check(left), self.check(right));
        let (left, right) = (left?, right?);
        let run = left.run.to(right.run);
        let (left, right, kind) = self.alike("IS DISTINCT FROM", left, right, run)?;
        Some(self.apply(lifted::distinct(kind, negated), vec![left, right], Type::Boolean, run))
    }

    pub(super) fn between(&mut self, value: &Expr, low: &Expr, high: &Expr, negated: bool) -> Option<Typed> {
        let parts = [value, low, high].map(|part| self.check(part));
        let parts: Vec<Typed> = parts.into_iter().collect::<Option<_>>()?;
        let run = parts.iter().fold(parts.first()?.run, |run, part| run.to(part.run));
        let kind = self.mix("BETWEEN", &parts)?.unwrap_or(Type::Integer);
        let parts = self.coerce_all(parts, kind);
        Some(self.apply(lifted::between(kind, negated), parts, Type::Boolean, run))
    }

    pub(super) fn in_list(&mut self, value: &Expr, list: &[Expr], negated: bool) -> Option<Typed> {
        let parts: Vec<Option<Typed>> = std::iter::once(value).chain(list).map(|part| self.check(part)).collect();
        let parts: Vec<Typed> = parts.into_iter().collect::<Option<_>>()?;
        let last = parts.last()?.run.last + 1;
        let run = Run { first: parts.first()?.run.first, last };
        let kind = self.mix("IN", &parts)?.unwrap_or(Type::Integer);
        let parts = self.coerce_all(parts, kind);
        Some(self.apply(lifted::among(kind, negated), parts, Type::Boolean, run))
    }

    pub(super) fn like(
        &mut self,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
        fold: bool,
    ) -> Option<Typed> {
        let operator = if fold { "ILIKE" } else { "LIKE" };
        let (value, pattern) = (self.check(value), self.check(pattern));
        let escape = match escape {
            None => None,
            Some(escape) => {
                let part = self.check(escape)?;
                let Some(Value::Text(text)) = &part.literal else {
                    let kind = ProblemKind::NotLiteral { function: operator.to_owned(), argument: "escape".to_owned() };
                    return self.report(kind, part.run);
                };
                let mut characters = text.chars();
                let first = characters.next();
                if characters.next().is_some() {
                    let kind = ProblemKind::BadEscape { escape: text.clone(), at_end: false };
                    return self.report(kind, part.run);
                }
                first
            }
        };
        let (value, pattern) = (value?, pattern?);
        let run = value.run.to(pattern.run);
        if [value.kind, pattern.kind].iter().flatten().any(|kind| *kind != Type::Text) {
            let got = vec![value.kind, pattern.kind];
            return self.report(ProblemKind::OperandTypes { operator: operator.to_owned(), got }, run);
        }
        if let Some(Value::Text(text)) = &pattern.literal {
            if like::ends_with_escape(text, escape) {
                let escape = escape.map(String::from).unwrap_or_default();
                return self.report(ProblemKind::BadEscape { escape, at_end: true }, pattern.run);
            }
            let prepared = Pattern::new(text, escape, fold);
            let operation = one::<S, B>(move |text| Ok(Some(prepared.matches(text) != negated)));
            return Some(self.apply(operation, vec![value], Type::Boolean, run));
        }
        let operation = two::<S, S, B>(move |text, pattern| {
            if like::ends_with_escape(pattern, escape) {
                let reason = "the pattern ends with the escape character";
                return Err(Box::new(Fault::Domain { function: "LIKE", reason }));
            }
            Ok(Some(like::matches(text, pattern, escape, fold) != negated))
        });
        Some(self.apply(operation, vec![value, pattern], Type::Boolean, run))
    }

    /// Checks an interval: `INTERVAL 3 DAY`, `INTERVAL (n) DAY`, `INTERVAL '1 month 3 days'`.
    pub(super) fn interval(&mut self, interval: &sqlparser::ast::Interval) -> Option<Operand> {
        let part = self.check(&interval.value)?;
        let mut run = Run { first: part.run.first.saturating_sub(1), ..part.run };
        let unit = match &interval.leading_field {
            None => None,
            Some(field) => {
                run.last += 1;
                let name = field.to_string();
                match calendar::Part::named(&name).filter(|part| interval::Interval::is_unit(*part)) {
                    Some(part) => Some(part),
                    None => return self.report(ProblemKind::BadInterval { text: name }, run),
                }
            }
        };
        if interval.last_field.is_some() || interval.leading_precision.is_some() {
            return self.report(ProblemKind::BadInterval { text: interval.to_string() }, run);
        }
        let count = match (&part.literal, part.kind, unit) {
            (Some(Value::Text(text)), _, unit) => match interval::Interval::parse(text, unit) {
                Some(interval) => Count::Fixed(interval),
                None => return self.report(ProblemKind::BadInterval { text: text.clone() }, part.run),
            },
            (Some(Value::Integer(count)), _, Some(unit)) => match interval::Interval::of(*count, unit) {
                Some(interval) => Count::Fixed(interval),
                None => return self.report(ProblemKind::BadInterval { text: count.to_string() }, part.run),
            },
            (_, Some(Type::Integer) | None, Some(unit)) => Count::Computed(part, unit),
            _ => {
                let text = self.tokens.bytes(part.run);
                let text = self.tokens.slice(text).to_owned();
                return self.report(ProblemKind::BadInterval { text }, part.run);
            }
        };
        Some(Operand::Interval { count, run })
    }

    /// Adds an interval to a date or timestamp, or takes it away.
    pub(super) fn shift(&mut self, date: Typed, count: Count, minus: bool, run: Run) -> Option<Typed> {
        let got = date.kind;
        let date = match (got, self.coerce(date, Type::Timestamp)) {
            (Some(Type::Date | Type::Timestamp) | None, Ok(date)) => date,
            _ => {
                let operator = if minus { "- INTERVAL" } else { "+ INTERVAL" }.to_owned();
                return self.report(ProblemKind::OperandTypes { operator, got: vec![got] }, run);
            }
        };
        let turn = move |interval: interval::Interval| if minus { interval.negated() } else { Some(interval) };
        Some(match count {
            Count::Fixed(fixed) => {
                let fixed = turn(fixed);
                let operation = one::<T, T>(move |moment| interval::add(moment, fixed));
                self.apply(operation, vec![date], Type::Timestamp, run)
            }
            Count::Computed(count, unit) => {
                let operation = two::<T, I, T>(move |moment, count| {
                    interval::add(moment, interval::Interval::of(count, unit).and_then(turn))
                });
                self.apply(operation, vec![date, count], Type::Timestamp, run)
            }
        })
    }
}

/// An operand of a binary operator.
pub(super) enum Operand {
    Value(Typed),
    Interval { count: Count, run: Run },
}

/// How long an interval is.
pub(super) enum Count {
    Fixed(interval::Interval),
    Computed(Typed, calendar::Part),
}

fn operand_run(operand: &Operand) -> Run {
    match operand {
        Operand::Value(typed) => typed.run,
        Operand::Interval { run, .. } => *run,
    }
}
