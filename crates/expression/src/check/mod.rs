//! From syntax tree to typed program, with every problem found in one pass.

mod calls;
mod dates;
mod fitted;
mod literal;
mod operators;
mod refused;
mod regular;
mod shapes;

use std::ops::Range;
use std::sync::Arc;

use sqlparser::ast::{Expr, Ident};
use trainyard_diagnostics::nearest;

use crate::aggregate::Aggregate;
use crate::check::operators::Operand;
use crate::expression::Settings;
use crate::lifted;
use crate::operation::Operation;
use crate::parse::{DEEPEST, Run, Tokens};
use crate::problem::{Problem, ProblemKind};
use crate::program::{Block, Step};
use crate::value::{Column, Type, Value};

/// A part of the expression whose type is known.
pub(crate) struct Typed {
    pub(crate) steps: Vec<Step>,
    /// The type; `None` for NULL, which takes whichever type is needed.
    pub(crate) kind: Option<Type>,
    pub(crate) run: Run,
    /// The value, where the part is a literal.
    pub(crate) literal: Option<Value>,
}

/// Walks the tree. A method that gives `None` has reported why.
pub(crate) struct Checker<'a> {
    pub(crate) tokens: &'a Tokens<'a>,
    settings: &'a Settings<'a>,
    /// The columns read so far; a step names a column by its place here.
    pub(crate) columns: Vec<Column>,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) problems: Vec<Problem>,
    depth: usize,
    /// The fitted aggregate that encloses this part, if any.
    inside: Option<String>,
    /// Where the text of this program begins in the whole text; steps count from there.
    offset: usize,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(tokens: &'a Tokens<'a>, settings: &'a Settings<'a>) -> Checker<'a> {
        Checker {
            tokens,
            settings,
            columns: Vec::new(),
            aggregates: Vec::new(),
            problems: Vec::new(),
            depth: 0,
            inside: None,
            offset: 0,
        }
    }

    /// Starts on the argument of a fitted aggregate, which becomes a program of its own.
    fn nested(&self, function: &str, offset: usize) -> Checker<'a> {
        let mut nested = Checker::new(self.tokens, self.settings);
        nested.depth = self.depth;
        nested.inside = Some(function.to_owned());
        nested.offset = offset;
        nested
    }

    /// Reports a problem.
    fn report<V>(&mut self, kind: ProblemKind, run: Run) -> Option<V> {
        self.problems.push(Problem { kind, span: self.tokens.bytes(run) });
        None
    }

    /// Gives the bytes of a run as a step records them.
    fn span(&self, run: Run) -> Range<usize> {
        let bytes = self.tokens.bytes(run);
        bytes.start.saturating_sub(self.offset)..bytes.end.saturating_sub(self.offset)
    }

    /// Checks one node of the tree.
    pub(crate) fn check(&mut self, expr: &Expr) -> Option<Typed> {
        if self.depth >= 16 * DEEPEST {
            let run = self.tokens.run(expr).unwrap_or(self.tokens.all());
            return self.report(ProblemKind::TooDeep { limit: DEEPEST }, run);
        }
        self.depth += 1;
        let typed = self.node(expr);
        self.depth -= 1;
        typed
    }

    fn node(&mut self, expr: &Expr) -> Option<Typed> {
        match expr {
            Expr::Identifier(name) => self.column(name),
            Expr::CompoundIdentifier(parts) => {
                let run = self.tokens.run(expr).unwrap_or(self.tokens.all());
                let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
                let last = parts.last().map(|part| part.value.clone()).unwrap_or_default();
                self.report(ProblemKind::QualifiedName { name, last }, run)
            }
            Expr::Nested(inner) => {
                let mut typed = self.check(inner)?;
                typed.run = Run { first: typed.run.first.saturating_sub(1), last: typed.run.last + 1 };
                Some(typed)
            }
            Expr::Value(value) => self.value(value),
            Expr::TypedString(text) => self.typed_string(text),
            Expr::Interval(interval) => match self.interval(interval)? {
                Operand::Value(typed) => Some(typed),
                Operand::Interval { run, .. } => self.lone_interval(run),
            },
            Expr::BinaryOp { .. } => self.chain(expr),
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner),
            Expr::IsNull(inner) => self.is_null(inner, false),
            Expr::IsNotNull(inner) => self.is_null(inner, true),
            Expr::IsTrue(inner) => self.is_boolean(inner, true, false),
            Expr::IsNotTrue(inner) => self.is_boolean(inner, true, true),
            Expr::IsFalse(inner) => self.is_boolean(inner, false, false),
            Expr::IsNotFalse(inner) => self.is_boolean(inner, false, true),
            Expr::IsUnknown(inner) => self.is_null(inner, false),
            Expr::IsNotUnknown(inner) => self.is_null(inner, true),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, right, false),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(left, right, true),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), *negated, false)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), *negated, true)
            }
            Expr::Case { case_token, end_token, operand, conditions, else_result } => {
                let run = self.tokens.run_of(case_token.0.span).unwrap_or(self.tokens.all());
                let run = run.to(self.tokens.run_of(end_token.0.span).unwrap_or(run));
                self.case(run, operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Cast { kind, expr, data_type, format } => self.cast(kind, expr, data_type, format.is_some()),
            Expr::Function(function) => self.function(function),
            Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Extract { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. } => self.special_call(expr),
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                let run = self.tokens.run(expr).unwrap_or(self.tokens.all());
                self.report(ProblemKind::Subquery, run)
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => self.unsupported(expr, "`*`, all columns,"),
            Expr::Tuple(_) => {
                let inside = self.tokens.run(expr).unwrap_or(self.tokens.all());
                let run = Run { first: inside.first.saturating_sub(1), last: inside.last + 1 };
                self.report(ProblemKind::Unsupported { what: "a list of values in parentheses".to_owned() }, run)
            }
            Expr::AtTimeZone { .. } => self.unsupported(expr, "AT TIME ZONE"),
            Expr::Collate { .. } => self.unsupported(expr, "COLLATE"),
            Expr::SimilarTo { .. } => self.unsupported(expr, "SIMILAR TO"),
            Expr::Overlay { .. } => self.unsupported(expr, "OVERLAY"),
            Expr::Convert { .. } => self.unsupported(expr, "CONVERT"),
            other => self.unsupported(other, "this syntax"),
        }
    }

    fn lone_interval<V>(&mut self, run: Run) -> Option<V> {
        let what = "an interval outside `date + INTERVAL …`".to_owned();
        self.report(ProblemKind::Unsupported { what }, run)
    }

    fn unsupported(&mut self, expr: &Expr, what: &str) -> Option<Typed> {
        let run = self.tokens.run(expr).unwrap_or(self.tokens.all());
        self.report(ProblemKind::Unsupported { what: what.to_owned() }, run)
    }

    /// Resolves the name of a column: exactly as written first, then in any case where that is unambiguous.
    fn column(&mut self, name: &Ident) -> Option<Typed> {
        let run = self.tokens.run_of(name.span).unwrap_or(self.tokens.all());
        let written = name.value.as_str();
        // Words that are functions without parentheses in DuckDB.
        if name.quote_style.is_none() && refused::is_volatile(written) && !self.is_column(written) {
            return self.report(ProblemKind::Volatile { name: written.to_owned() }, run);
        }
        let exact = self.settings.columns.iter().find(|column| column.name == written);
        let column = match exact {
            Some(column) => column,
            None => {
                let lower = written.to_lowercase();
                let same: Vec<&Column> =
                    self.settings.columns.iter().filter(|column| column.name.to_lowercase() == lower).collect();
                match same.as_slice() {
                    [column] => *column,
                    [] => return self.unknown_column(written, run),
                    several => {
                        let candidates = several.iter().map(|column| column.name.clone()).collect();
                        return self.report(ProblemKind::AmbiguousColumn { name: written.to_owned(), candidates }, run);
                    }
                }
            }
        };
        if let Some((name, why)) = self.settings.forbidden.iter().find(|(name, _)| *name == column.name) {
            let kind = ProblemKind::ForbiddenColumn { name: (*name).to_owned(), why: (*why).to_owned() };
            return self.report(kind, run);
        }
        let place = match self.columns.iter().position(|known| known.name == column.name) {
            Some(place) => place,
            None => {
                self.columns.push(column.clone());
                self.columns.len() - 1
            }
        };
        Some(Typed { steps: vec![Step::Column(place)], kind: Some(column.kind), run, literal: None })
    }

    fn is_column(&self, name: &str) -> bool {
        self.settings.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
    }

    fn unknown_column(&mut self, name: &str, run: Run) -> Option<Typed> {
        let forbidden = self.settings.forbidden.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((known, why)) = forbidden {
            let kind = ProblemKind::ForbiddenColumn { name: (*known).to_owned(), why: (*why).to_owned() };
            return self.report(kind, run);
        }
        let known: Vec<String> = self
            .settings
            .columns
            .iter()
            .filter(|column| !self.settings.forbidden.iter().any(|(name, _)| *name == column.name))
            .map(|column| column.name.clone())
            .collect();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        self.report(ProblemKind::UnknownColumn { name: name.to_owned(), nearest, known }, run)
    }

    /// Applies an operation to parts that already have the types it takes.
    fn apply(&self, operation: Arc<dyn Operation>, arguments: Vec<Typed>, kind: Type, run: Run) -> Typed {
        let arity = arguments.len();
        let mut parts = arguments.into_iter();
        let mut steps = parts.next().map(|part| part.steps).unwrap_or_default();
        parts.for_each(|part| steps.extend(part.steps));
        steps.push(Step::Apply { operation, arity, span: self.span(run) });
        Typed { steps, kind: Some(kind), run, literal: None }
    }

    fn constant(&self, value: Value, run: Run) -> Typed {
        Typed { steps: vec![Step::Constant(value.clone())], kind: value.kind(), run, literal: Some(value) }
    }

    /// Converts a part without being asked: NULL to anything, integers to floats, dates to timestamps, a text literal to
    /// what it can be read as. `Err` gives the part back where there is no such conversion.
    fn coerce(&mut self, part: Typed, to: Type) -> Result<Typed, Typed> {
        match (part.kind, to) {
            (None, _) => Ok(part),
            (Some(kind), to) if kind == to => Ok(part),
            (Some(from @ (Type::Integer | Type::Date)), Type::Float | Type::Timestamp)
                if (from == Type::Integer) == (to == Type::Float) =>
            {
                if let (Some(Value::Integer(number)), Type::Float) = (&part.literal, to) {
                    let value = Value::Float(*number as f64);
                    return Ok(self.constant(value, part.run));
                }
                match lifted::cast(from, to, false) {
                    Some(operation) => {
                        let run = part.run;
                        Ok(self.apply(operation, vec![part], to, run))
                    }
                    None => Err(part),
                }
            }
            (Some(Type::Text), to) => match &part.literal {
                Some(Value::Text(text)) => match literal::read(text, to) {
                    Some(value) => Ok(self.constant(value, part.run)),
                    None => {
                        let kind = ProblemKind::BadLiteral { text: text.clone(), kind: to };
                        self.report::<()>(kind, part.run);
                        // The problem is reported; NULL keeps the check going without a second one.
                        Ok(self.constant(Value::Null, part.run))
                    }
                },
                _ => Err(part),
            },
            _ => Err(part),
        }
    }

    /// Finds the one type that several parts convert to; `Ok(None)` means that all of them are NULL.
    fn common(&self, parts: &[Typed]) -> Result<Option<Type>, Mixed> {
        let mut common: Option<Type> = None;
        let text_literal = |part: &Typed| matches!(part.literal, Some(Value::Text(_)));
        // A text literal takes the type of the others, so they come first.
        let others = parts.iter().filter(|part| !text_literal(part));
        for part in others.chain(parts.iter().filter(|part| text_literal(part))) {
            let Some(kind) = part.kind else { continue };
            common = Some(match (common, kind) {
                (None, kind) => kind,
                (Some(first), kind) if first == kind => kind,
                (Some(Type::Integer), Type::Float) | (Some(Type::Float), Type::Integer) => Type::Float,
                (Some(Type::Date), Type::Timestamp) | (Some(Type::Timestamp), Type::Date) => Type::Timestamp,
                (Some(first), Type::Text) if text_literal(part) => first,
                (Some(first), second) => return Err(Mixed { first, second, run: part.run }),
            });
        }
        Ok(common)
    }

    /// Like [`Checker::common`], and reports types that do not mix.
    fn mix(&mut self, construct: &str, parts: &[Typed]) -> Option<Option<Type>> {
        match self.common(parts) {
            Ok(common) => Some(common),
            Err(Mixed { first, second, run }) => {
                let construct = construct.to_owned();
                self.report(ProblemKind::MixedTypes { construct, first, second }, run)
            }
        }
    }

    /// Converts parts to the type that [`Checker::common`] found.
    fn coerce_all(&mut self, parts: Vec<Typed>, to: Type) -> Vec<Typed> {
        parts.into_iter().map(|part| self.coerce(part, to).unwrap_or_else(|part| part)).collect()
    }

    /// Checks a part that must be a condition.
    fn condition(&mut self, expr: &Expr, construct: &str) -> Option<Typed> {
        let part = self.check(expr)?;
        self.boolean(part, construct)
    }

    fn boolean(&mut self, part: Typed, construct: &str) -> Option<Typed> {
        match part.kind {
            None | Some(Type::Boolean) => Some(part),
            Some(got) => self.report(ProblemKind::NotBoolean { construct: construct.to_owned(), got }, part.run),
        }
    }
}

/// Two types that do not mix, and the part with the second.
struct Mixed {
    first: Type,
    second: Type,
    run: Run,
}

/// Makes a block of a part.
fn block(part: Typed) -> Block {
    Block { steps: part.steps }
}
