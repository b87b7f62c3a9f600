//! Calls of functions.

use std::sync::Arc;

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField,
};
use trainyard_diagnostics::nearest;

use super::{Checker, Typed, block, refused};
use crate::functions::{self, Fitted, FunctionDoc, Overload, Rule, Special};
use crate::lifted;
use crate::operation::{D, F, I, Nullable, T, two};
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::program::{Block, Case, Coalesce, Step};
use crate::value::{Type, Value};

/// A call whose function is known: the name as written and the page.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) doc: &'a FunctionDoc,
    pub(super) run: Run,
}

impl Checker<'_> {
    /// Checks a call in the usual form.
    pub(super) fn function(&mut self, function: &Function) -> Option<Typed> {
        let name_run = self.tokens.run(&function.name).unwrap_or(self.tokens.all());
        let mut run = self.tokens.call_of(name_run);
        let [part] = function.name.0.as_slice() else {
            let name = function.name.to_string();
            return self.report(ProblemKind::UnknownFunction { name, nearest: None }, name_run);
        };
        let name = part.as_ident().map_or_else(|| function.name.to_string(), |ident| ident.value.clone());
        if function.over.is_some() || refused::is_window(&name) {
            if function.over.is_some() && self.tokens.is_word(run.last + 1, "over") {
                let open = run.last + 2;
                run.last = self.tokens.closing(open).max(run.last);
            }
            return self.report(ProblemKind::Window { name }, run);
        }
        if let Some(fitted) = refused::aggregate(&name) {
            let fitted = fitted.map(str::to_owned);
            return self.report(ProblemKind::Aggregate { name, fitted }, run);
        }
        if refused::is_volatile(&name) {
            return self.report(ProblemKind::Volatile { name }, run);
        }
        let Some(found) = functions::find(&name) else {
            let known: Vec<&str> = functions::names().collect();
            let nearest = nearest(&name, known).map(str::to_owned);
            return self.report(ProblemKind::UnknownFunction { name, nearest }, name_run);
        };
        let odd = function.filter.is_some()
            || function.null_treatment.is_some()
            || !function.within_group.is_empty()
            || !matches!(function.parameters, FunctionArguments::None);
        if odd {
            let what = "a clause that only aggregates have".to_owned();
            return self.report(ProblemKind::Unsupported { what }, run);
        }
        let call = Call { name: &name, doc: &found.doc, run };
        let arguments = match &function.args {
            FunctionArguments::None => Vec::new(),
            FunctionArguments::Subquery(_) => return self.report(ProblemKind::Subquery, run),
            FunctionArguments::List(list) => {
                if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                    let what = "a clause that only aggregates have".to_owned();
                    return self.report(ProblemKind::Unsupported { what }, run);
                }
                let mut arguments = Vec::new();
                for argument in &list.args {
                    match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                        FunctionArg::Unnamed(_) => {
                            let what = "`*`, all columns,".to_owned();
                            return self.report(ProblemKind::Unsupported { what }, run);
                        }
                        _ => {
                            let what = "an argument by name".to_owned();
                            return self.report(ProblemKind::Unsupported { what }, run);
                        }
                    }
                }
                arguments
            }
        };
        self.call(&found.rule, &call, &arguments)
    }

    /// Checks the calls that have a syntax of their own.
    pub(super) fn special_call(&mut self, expr: &Expr) -> Option<Typed> {
        let one = Expr::value(sqlparser::ast::Value::Number("1".to_owned(), false));
        let (name, arguments): (&str, Vec<&Expr>) = match expr {
            Expr::Extract { field, expr, .. } => return self.extract(field, expr),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => ("ceil", vec![expr]),
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                ("floor", vec![expr])
            }
            Expr::Ceil { .. } | Expr::Floor { .. } => {
                return self.unsupported(expr, "CEIL and FLOOR with a second argument");
            }
            Expr::Position { expr, r#in } => ("strpos", vec![r#in, expr]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.as_deref();
                let mut arguments: Vec<&Expr> = vec![expr];
                match (from, substring_for.as_deref()) {
                    (Some(from), length) => {
                        arguments.push(from);
                        arguments.extend(length);
                    }
                    (None, Some(length)) => arguments.extend([&one, length]),
                    (None, None) => {}
                }
                ("substring", arguments)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let mut arguments: Vec<&Expr> = vec![expr];
                arguments.extend(trim_what.as_deref());
                arguments.extend(trim_characters.iter().flatten());
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                (name, arguments)
            }
            other => return self.unsupported(other, "this syntax"),
        };
        let parts = self.check_all(&arguments)?;
        let found = functions::find(name)?;
        // The tree does not place the call itself, but it places what stands inside its parentheses.
        let call = Call { name, doc: &found.doc, run: self.tokens.call_around(parts.first()?.run.first) };
        match &found.rule {
            Rule::Overloads(overloads) => self.overload(&call, overloads, parts),
            Rule::Special(_) => None,
        }
    }

    fn call(&mut self, rule: &Rule, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
        match rule {
            Rule::Overloads(overloads) => {
                let arguments = self.check_all(arguments)?;
                self.overload(call, overloads, arguments)
            }
            Rule::Special(special) => self.special(*special, call, arguments),
        }
    }

    fn check_all(&mut self, arguments: &[&Expr]) -> Option<Vec<Typed>> {
        let parts: Vec<Option<Typed>> = arguments.iter().map(|argument| self.check(argument)).collect();
        parts.into_iter().collect()
    }

    /// Chooses the overload that needs the fewest conversions.
    fn overload(&mut self, call: &Call<'_>, overloads: &[Overload], arguments: Vec<Typed>) -> Option<Typed> {
        if !overloads.iter().any(|overload| overload.arguments.len() == arguments.len()) {
            return self.wrong_count(call, arguments.len());
        }
        let cost = |overload: &&Overload| {
            if overload.arguments.len() != arguments.len() {
                return None;
            }
            let pairs = overload.arguments.iter().zip(&arguments);
            pairs.map(|(wanted, part)| conversion_cost(part.kind, *wanted)).sum::<Option<u32>>()
        };
        let chosen =
            overloads.iter().filter_map(|overload| Some((cost(&overload)?, overload))).min_by_key(|(cost, _)| *cost);
        let Some((_, overload)) = chosen else { return self.wrong_types(call, &arguments) };
        let pairs = arguments.into_iter().zip(&overload.arguments);
        let arguments: Vec<Typed> =
            pairs.map(|(part, wanted)| self.coerce(part, *wanted).unwrap_or_else(|part| part)).collect();
        Some(self.apply(Arc::clone(&overload.operation), arguments, overload.result, call.run))
    }

    pub(super) fn wrong_count<V>(&mut self, call: &Call<'_>, got: usize) -> Option<V> {
        let kind = ProblemKind::ArgumentCount {
            function: call.name.to_owned(),
            signature: call.doc.signature.to_owned(),
            got,
        };
        self.report(kind, call.run)
    }

    pub(super) fn wrong_types<V>(&mut self, call: &Call<'_>, arguments: &[Typed]) -> Option<V> {
        let kind = ProblemKind::ArgumentTypes {
            function: call.name.to_owned(),
            signature: call.doc.signature.to_owned(),
            got: arguments.iter().map(|part| part.kind).collect(),
        };
        self.report(kind, call.run)
    }

    fn special(&mut self, special: Special, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
        let (least, most) = match special {
            Special::Pi => (0, 0),
            Special::Coalesce | Special::Greatest | Special::Least | Special::Concat => (1, usize::MAX),
            Special::ConcatSeparated => (2, usize::MAX),
            Special::If | Special::Difference => (3, 3),
            Special::RegexpMatches | Special::RegexpFullMatch => (2, 3),
            Special::RegexpExtract => (2, 4),
            Special::RegexpReplace => (3, 4),
            Special::PartNamed(_) => (1, 1),
            Special::Fitted(Fitted::Quantile) => (2, 2),
            Special::Fitted(_) => (1, 1),
            _ => (2, 2),
        };
        if !(least..=most).contains(&arguments.len()) {
            return self.wrong_count(call, arguments.len());
        }
        match special {
            Special::Fitted(fitted) => return self.fitted(fitted, call, arguments),
            Special::AddInterval => return self.add_interval(call, arguments),
            _ => {}
        }
        let arguments = self.check_all(arguments)?;
        match special {
            Special::Pi => Some(self.constant(Value::Float(std::f64::consts::PI), call.run)),
            Special::Coalesce => self.coalesce(call, arguments),
            Special::If => self.if_function(call, arguments),
            Special::NullIf => self.null_if(call, arguments),
            Special::Greatest | Special::Least => {
                let kind = self.mix(call.name, &arguments)?;
                let arguments = self.coerce_all(arguments, kind.unwrap_or(Type::Integer));
                let operation = lifted::extreme(kind.unwrap_or(Type::Integer), special == Special::Greatest);
                let typed = self.apply(operation, arguments, kind.unwrap_or(Type::Integer), call.run);
                Some(Typed { kind, ..typed })
            }
            Special::Concat | Special::ConcatSeparated => {
                let parts: Vec<Typed> = arguments.into_iter().map(|part| self.as_text(part)).collect();
                let separated = special == Special::ConcatSeparated;
                let operation = if separated { lifted::concat_separated() } else { lifted::concat() };
                Some(self.apply(operation, parts, Type::Text, call.run))
            }
            Special::RegexpMatches | Special::RegexpFullMatch | Special::RegexpExtract | Special::RegexpReplace => {
                self.regular(special, call, arguments)
            }
            Special::Part | Special::Truncate => {
                let name = self.literal_text(call, &arguments, 0, "part")?;
                let part = self.part(&name, arguments.first()?.run)?;
                let date = arguments.into_iter().nth(1)?;
                if special == Special::Part { self.part_of(call, part, date) } else { self.truncate(call, part, date) }
            }
            Special::PartNamed(part) => self.part_of(call, part, arguments.into_iter().next()?),
            Special::Difference => self.difference(call, arguments),
            Special::Strftime => self.strftime(call, arguments),
            Special::Strptime { lenient } => self.strptime(call, arguments, lenient),
            Special::AddInterval | Special::Fitted(_) => None,
        }
    }

    fn coalesce(&mut self, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let kind = self.mix(call.name, &arguments)?;
        let Some(result) = kind else {
            return Some(Typed { run: call.run, ..self.constant(Value::Null, call.run) });
        };
        let blocks: Vec<Block> = self.coerce_all(arguments, result).into_iter().map(block).collect();
        let steps = vec![Step::Coalesce(Arc::new(Coalesce { blocks, kind: result }))];
        Some(Typed { steps, kind, run: call.run, literal: None })
    }

    fn if_function(&mut self, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let mut arguments = arguments.into_iter();
        let condition = arguments.next()?;
        let condition = self.boolean(condition, "if")?;
        let branches: Vec<Typed> = arguments.collect();
        let kind = self.mix(call.name, &branches)?;
        let Some(result) = kind else {
            return Some(self.constant(Value::Null, call.run));
        };
        let mut branches = self.coerce_all(branches, result).into_iter().map(block);
        let arms = vec![(block(condition), branches.next()?)];
        let case = Case { compare: None, arms, otherwise: branches.next()?, kind: result };
        Some(Typed { steps: vec![Step::Case(Arc::new(case))], kind, run: call.run, literal: None })
    }

    /// `nullif(a, b)` keeps the type of `a` although it may compare in a wider one.
    fn null_if(&mut self, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let Some(common) = self.mix(call.name, &arguments)? else {
            return Some(self.constant(Value::Null, call.run));
        };
        let kind = arguments.first()?.kind.unwrap_or(common);
        if kind == common || matches!(arguments.first()?.literal, Some(Value::Text(_))) {
            let arguments = self.coerce_all(arguments, common);
            return Some(self.apply(lifted::null_if(common), arguments, common, call.run));
        }
        let operation = match (kind, common) {
            (Type::Integer, Type::Float) => two::<I, Nullable<F>, I>(|a, b| {
                Ok(if b.is_some_and(|b| crate::kernel::compare::float(a as f64, b).is_eq()) { None } else { Some(a) })
            }),
            (Type::Date, Type::Timestamp) => two::<D, Nullable<T>, D>(|a, b| {
                let a_moment = crate::kernel::calendar::timestamp(i64::from(a), 0);
                Ok(if b.is_some() && b == a_moment { None } else { Some(a) })
            }),
            _ => return self.wrong_types(call, &arguments),
        };
        let mut arguments = arguments.into_iter();
        let (first, second) = (arguments.next()?, arguments.next()?);
        let second = self.coerce(second, common).unwrap_or_else(|part| part);
        Some(self.apply(operation, vec![first, second], kind, call.run))
    }

    /// Gives an argument that must be a text literal.
    pub(super) fn literal_text(
        &mut self,
        call: &Call<'_>,
        arguments: &[Typed],
        place: usize,
        name: &str,
    ) -> Option<String> {
        let argument = arguments.get(place)?;
        match &argument.literal {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => {
                let kind = ProblemKind::NotLiteral { function: call.name.to_owned(), argument: name.to_owned() };
                self.report(kind, argument.run)
            }
        }
    }
}

/// Counts what a conversion costs; `None` where there is none.
fn conversion_cost(from: Option<Type>, to: Type) -> Option<u32> {
    match (from, to) {
        (None, _) => Some(0),
        (Some(from), to) if from == to => Some(0),
        (Some(Type::Integer), Type::Float) | (Some(Type::Date), Type::Timestamp) => Some(1),
        _ => None,
    }
}
