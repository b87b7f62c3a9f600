//! Calls of functions.

use std::sync::Arc;

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField,
};
use trainyard_diagnostics::nearest;

use super::operators::{Count, Operand};
use super::{Checker, Typed, block};
use crate::aggregate::{Aggregate, AggregateFunction};
use crate::expression::Expression;
use crate::functions::{self, Fitted, FunctionDoc, Overload, Rule, Special};
use crate::kernel::calendar::{Part, split};
use crate::kernel::format::Format;
use crate::kernel::pattern::{Options, Replacement};
use crate::lifted;
use crate::operation::{B, D, F, I, Operation, S, T, one, one_text, two};
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::program::{Block, Case, Coalesce, Step};
use crate::runtime::Fault;
use crate::value::{Type, Value};

/// Functions whose result changes from run to run or with the machine.
const VOLATILE: &[&str] = &[
    "random",
    "rand",
    "setseed",
    "now",
    "today",
    "get_current_time",
    "get_current_timestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "transaction_timestamp",
    "uuid",
    "uuidv4",
    "uuidv7",
    "gen_random_uuid",
    "nextval",
    "currval",
    "txid_current",
    "version",
    "current_user",
    "session_user",
    "current_setting",
    "getenv",
    "age",
];

/// Aggregates of DuckDB, each with the fitted one that does the same.
const AGGREGATES: &[(&str, Option<&str>)] = &[
    ("avg", Some("fitted_mean")),
    ("mean", Some("fitted_mean")),
    ("median", Some("fitted_median")),
    ("min", Some("fitted_min")),
    ("max", Some("fitted_max")),
    ("stddev", Some("fitted_stddev")),
    ("stddev_samp", Some("fitted_stddev")),
    ("quantile", Some("fitted_quantile")),
    ("quantile_cont", Some("fitted_quantile")),
    ("percentile_cont", Some("fitted_quantile")),
    ("count", Some("fitted_count")),
    ("sum", None),
    ("product", None),
    ("any_value", None),
    ("first", None),
    ("last", None),
    ("arg_max", None),
    ("arg_min", None),
    ("mode", None),
    ("var_samp", None),
    ("var_pop", None),
    ("variance", None),
    ("stddev_pop", None),
    ("corr", None),
    ("covar_pop", None),
    ("covar_samp", None),
    ("skewness", None),
    ("kurtosis", None),
    ("entropy", None),
    ("quantile_disc", None),
    ("percentile_disc", None),
    ("approx_count_distinct", None),
    ("approx_quantile", None),
    ("count_if", None),
    ("bool_and", None),
    ("bool_or", None),
    ("string_agg", None),
    ("group_concat", None),
    ("listagg", None),
    ("array_agg", None),
    ("list", None),
    ("histogram", None),
];

/// Functions that only a window gives a meaning.
const WINDOWS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// Tells whether a name is that of a volatile function.
pub(super) fn is_volatile(name: &str) -> bool {
    VOLATILE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A call whose function is known: the name as written and the page.
struct Call<'a> {
    name: &'a str,
    doc: &'a FunctionDoc,
    run: Run,
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
        if function.over.is_some() || WINDOWS.iter().any(|window| window.eq_ignore_ascii_case(&name)) {
            if function.over.is_some() && self.tokens.is_word(run.last + 1, "over") {
                let open = run.last + 2;
                run.last = self.tokens.closing(open).max(run.last);
            }
            return self.report(ProblemKind::Window { name }, run);
        }
        if let Some((_, fitted)) = AGGREGATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            let fitted = fitted.map(str::to_owned);
            return self.report(ProblemKind::Aggregate { name, fitted }, run);
        }
        if is_volatile(&name) {
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

    fn extract(&mut self, field: &DateTimeField, expr: &Expr) -> Option<Typed> {
        let date = self.check(expr)?;
        let run = self.tokens.call_around(date.run.first);
        let name = field.to_string();
        let part = self.part(name.trim_matches('\''), Run { first: run.first + 2, last: run.first + 2 })?;
        let call = Call { name: "extract", doc: &functions::find("date_part")?.doc, run };
        self.part_of(&call, part, date)
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

    fn wrong_count<V>(&mut self, call: &Call<'_>, got: usize) -> Option<V> {
        let kind = ProblemKind::ArgumentCount {
            function: call.name.to_owned(),
            signature: call.doc.signature.to_owned(),
            got,
        };
        self.report(kind, call.run)
    }

    fn wrong_types<V>(&mut self, call: &Call<'_>, arguments: &[Typed]) -> Option<V> {
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
            (Type::Integer, Type::Float) => two::<I, crate::operation::Nullable<F>, I>(|a, b| {
                Ok(if b.is_some_and(|b| crate::kernel::compare::float(a as f64, b).is_eq()) { None } else { Some(a) })
            }),
            (Type::Date, Type::Timestamp) => two::<D, crate::operation::Nullable<T>, D>(|a, b| {
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
    fn literal_text(&mut self, call: &Call<'_>, arguments: &[Typed], place: usize, name: &str) -> Option<String> {
        let argument = arguments.get(place)?;
        match &argument.literal {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => {
                let kind = ProblemKind::NotLiteral { function: call.name.to_owned(), argument: name.to_owned() };
                self.report(kind, argument.run)
            }
        }
    }

    fn regular(&mut self, special: Special, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let first_kind = arguments.first()?.kind;
        if first_kind.is_some_and(|kind| kind != Type::Text) {
            return self.wrong_types(call, &arguments);
        }
        let pattern = self.literal_text(call, &arguments, 1, "pattern")?;
        let options_at = match special {
            Special::RegexpMatches | Special::RegexpFullMatch => 2,
            _ => 3,
        };
        let every = special == Special::RegexpReplace;
        let options = match arguments.get(options_at) {
            None => Options::default(),
            Some(argument) => {
                let run = argument.run;
                let letters = self.literal_text(call, &arguments, options_at, "options")?;
                match Options::parse(&letters, every) {
                    Ok(options) => options,
                    Err(letter) => {
                        let expected = if every {
                            "the letters `c`, `g`, `i`, `l`, `s`"
                        } else {
                            "the letters `c`, `i`, `l`, `s`"
                        };
                        let kind = ProblemKind::BadArgument {
                            function: call.name.to_owned(),
                            argument: letter.to_string(),
                            expected: expected.to_owned(),
                        };
                        return self.report(kind, run);
                    }
                }
            }
        };
        let pattern_run = arguments.get(1)?.run;
        let regex = match options.compile(&pattern, special == Special::RegexpFullMatch) {
            Ok(regex) => regex,
            Err(message) => return self.report(ProblemKind::BadPattern { message }, pattern_run),
        };
        let (operation, kind): (Arc<dyn Operation>, Type) = match special {
            Special::RegexpExtract => {
                let group = match arguments.get(2).map(|argument| (&argument.literal, argument.run)) {
                    None => 0,
                    Some((Some(Value::Integer(group @ 0..=9)), _)) => *group as usize,
                    Some((_, run)) => {
                        let kind = ProblemKind::BadArgument {
                            function: call.name.to_owned(),
                            argument: "the group".to_owned(),
                            expected: "a whole number from 0 to 9".to_owned(),
                        };
                        return self.report(kind, run);
                    }
                };
                let operation = one_text::<S>(move |text, out| {
                    if group == 0 {
                        out.push_str(regex.find(text).map_or("", |found| found.as_str()));
                    } else if let Some(captures) = regex.captures(text) {
                        out.push_str(captures.get(group).map_or("", |found| found.as_str()));
                    }
                    Ok(Some(()))
                });
                (operation, Type::Text)
            }
            Special::RegexpReplace => {
                let replacement = self.literal_text(call, &arguments, 2, "replacement")?;
                let Some(replacement) = Replacement::parse(&replacement, regex.captures_len() - 1) else {
                    let run = arguments.get(2)?.run;
                    let kind = ProblemKind::BadArgument {
                        function: call.name.to_owned(),
                        argument: replacement,
                        expected: format!(
                            "text in which `\\0` to `\\{}` are groups of the pattern and `\\\\` is a backslash",
                            regex.captures_len() - 1
                        ),
                    };
                    return self.report(kind, run);
                };
                let operation = one_text::<S>(move |text, out| {
                    replacement.replace(&regex, text, options.every, out);
                    Ok(Some(()))
                });
                (operation, Type::Text)
            }
            _ => (one::<S, B>(move |text| Ok(Some(regex.is_match(text)))), Type::Boolean),
        };
        let text = arguments.into_iter().next()?;
        Some(self.apply(operation, vec![text], kind, call.run))
    }

    /// Finds a part of a date by its name.
    fn part(&mut self, name: &str, run: Run) -> Option<Part> {
        match Part::named(name) {
            Some(part) => Some(part),
            None => {
                let nearest = nearest(name, Part::names()).map(str::to_owned);
                self.report(ProblemKind::UnknownPart { name: name.to_owned(), nearest }, run)
            }
        }
    }

    fn part_of(&mut self, call: &Call<'_>, part: Part, date: Typed) -> Option<Typed> {
        let operation: Arc<dyn Operation> = match (date.kind, part.is_float()) {
            (Some(Type::Date) | None, false) => one::<D, I>(move |day| Ok(Some(part.integer(i64::from(day), 0)))),
            (Some(Type::Date) | None, true) => one::<D, F>(move |day| Ok(Some(part.float_of_date(i64::from(day))))),
            (Some(Type::Timestamp), false) => one::<T, I>(move |moment| {
                let (day, time) = split(moment);
                Ok(Some(part.integer(day, time)))
            }),
            (Some(Type::Timestamp), true) => one::<T, F>(move |moment| Ok(Some(part.float_of_timestamp(moment)))),
            _ => return self.wrong_types(call, &[date]),
        };
        let kind = if part.is_float() { Type::Float } else { Type::Integer };
        Some(self.apply(operation, vec![date], kind, call.run))
    }

    fn truncate(&mut self, call: &Call<'_>, part: Part, date: Typed) -> Option<Typed> {
        if !part.is_unit() {
            let kind = ProblemKind::BadArgument {
                function: call.name.to_owned(),
                argument: "era".to_owned(),
                expected: "a unit of time".to_owned(),
            };
            return self.report(kind, call.run);
        }
        let settle = |moment: Option<i64>| match moment {
            Some(moment) => Ok(Some(moment)),
            None => Err(Box::new(Fault::DateRange)),
        };
        let operation: Arc<dyn Operation> = match date.kind {
            Some(Type::Date) | None => one::<D, T>(move |day| settle(part.truncate(i64::from(day), 0))),
            Some(Type::Timestamp) => one::<T, T>(move |moment| {
                let (day, time) = split(moment);
                settle(part.truncate(day, time))
            }),
            _ => return self.wrong_types(call, &[date]),
        };
        Some(self.apply(operation, vec![date], Type::Timestamp, call.run))
    }

    fn difference(&mut self, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let name = self.literal_text(call, &arguments, 0, "part")?;
        let part = self.part(&name, arguments.first()?.run)?;
        if !part.is_unit() {
            let kind = ProblemKind::BadArgument {
                function: call.name.to_owned(),
                argument: name,
                expected: "a unit of time".to_owned(),
            };
            return self.report(kind, arguments.first()?.run);
        }
        let dates: Vec<Typed> = arguments.into_iter().skip(1).collect();
        let kind = self.mix(call.name, &dates)?.unwrap_or(Type::Date);
        let settle = |difference: Option<i64>| match difference {
            Some(difference) => Ok(Some(difference)),
            None => Err(Box::new(Fault::DateRange)),
        };
        let operation: Arc<dyn Operation> = match kind {
            Type::Date => two::<D, D, I>(move |a, b| settle(part.days_difference(i64::from(a), i64::from(b)))),
            Type::Timestamp => two::<T, T, I>(move |a, b| settle(part.difference(a, b))),
            _ => return self.wrong_types(call, &dates),
        };
        let dates = self.coerce_all(dates, kind);
        Some(self.apply(operation, dates, Type::Integer, call.run))
    }

    fn add_interval(&mut self, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
        let date = self.check(arguments.first()?);
        match arguments.get(1)? {
            Expr::Interval(interval) => match self.interval(interval) {
                Some(Operand::Interval { count, .. }) => self.shift(date?, count, false, call.run),
                _ => None,
            },
            other => {
                let other = self.check(other)?;
                let date = date?;
                // A whole number beside a date counts days, as with `+`; here the result is a timestamp all the same.
                match other.kind {
                    Some(Type::Integer) => self.shift(date, Count::Computed(other, Part::Day), false, call.run),
                    _ => self.wrong_types(call, &[date, other]),
                }
            }
        }
    }

    fn format(&mut self, call: &Call<'_>, arguments: &[Typed], reading: bool) -> Option<Format> {
        let text = self.literal_text(call, arguments, 1, "format")?;
        match Format::parse(&text, reading) {
            Ok(format) => Some(format),
            Err(specifier) => {
                let run = arguments.get(1)?.run;
                self.report(ProblemKind::BadFormat { specifier }, run)
            }
        }
    }

    fn strftime(&mut self, call: &Call<'_>, mut arguments: Vec<Typed>) -> Option<Typed> {
        // DuckDB takes the two arguments in either order.
        if matches!(arguments.first()?.literal, Some(Value::Text(_))) {
            arguments.swap(0, 1);
        }
        let format = self.format(call, &arguments, false)?;
        let operation = match arguments.first()?.kind {
            Some(Type::Date) | None => one_text::<D>(move |day, out| {
                format.write(i64::from(day), 0, out);
                Ok(Some(()))
            }),
            Some(Type::Timestamp) => one_text::<T>(move |moment, out| {
                let (day, time) = split(moment);
                format.write(day, time, out);
                Ok(Some(()))
            }),
            _ => return self.wrong_types(call, &arguments),
        };
        let date = arguments.into_iter().next()?;
        Some(self.apply(operation, vec![date], Type::Text, call.run))
    }

    fn strptime(&mut self, call: &Call<'_>, arguments: Vec<Typed>, lenient: bool) -> Option<Typed> {
        if arguments.first()?.kind.is_some_and(|kind| kind != Type::Text) {
            return self.wrong_types(call, &arguments);
        }
        let format = self.format(call, &arguments, true)?;
        let operation = one::<S, T>(move |text| match format.read(text) {
            None if !lenient => {
                Err(Box::new(Fault::Format { value: lifted::shorten(text), format: format.text().to_owned() }))
            }
            moment => Ok(moment),
        });
        let text = arguments.into_iter().next()?;
        Some(self.apply(operation, vec![text], Type::Timestamp, call.run))
    }

    /// Checks a fitted aggregate, whose argument becomes an expression of its own.
    fn fitted(&mut self, fitted: Fitted, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
        let name = call.name.to_owned();
        if self.inside.is_some() {
            return self.report(ProblemKind::FittedNested { name }, call.run);
        }
        if !self.settings.fitted {
            return self.report(ProblemKind::FittedNotAllowed { name }, call.run);
        }
        let expr = arguments.first()?;
        // The argument's text begins after the opening parenthesis.
        let first = call.run.first + 2;
        let mut checker = self.nested(call.name, self.tokens.bytes(Run { first, last: first }).start);
        let checked = checker.check(expr);
        self.problems.append(&mut checker.problems);
        let (columns, part) = (checker.columns, checked?);
        let Some(kind) = part.kind else { return self.report(ProblemKind::NullType, part.run) };
        let numeric = matches!(kind, Type::Integer | Type::Float);
        let any = matches!(fitted, Fitted::Minimum | Fitted::Maximum | Fitted::Count);
        if !numeric && !any {
            return self.wrong_types(call, &[part]);
        }
        let (function, result) = match fitted {
            Fitted::Mean => (AggregateFunction::Mean, Type::Float),
            Fitted::Median => (AggregateFunction::Median, Type::Float),
            Fitted::Minimum => (AggregateFunction::Minimum, kind),
            Fitted::Maximum => (AggregateFunction::Maximum, kind),
            Fitted::StandardDeviation => (AggregateFunction::StandardDeviation, Type::Float),
            Fitted::Count => (AggregateFunction::Count, Type::Integer),
            Fitted::Quantile => {
                let share = self.check(arguments.get(1)?)?;
                let q = match share.literal {
                    Some(Value::Float(q)) => q,
                    Some(Value::Integer(q)) => q as f64,
                    _ => f64::NAN,
                };
                if !(0.0..=1.0).contains(&q) {
                    let kind = ProblemKind::BadArgument {
                        function: name,
                        argument: self.tokens.slice(self.tokens.bytes(share.run)).to_owned(),
                        expected: "a literal from 0 to 1".to_owned(),
                    };
                    return self.report(kind, share.run);
                }
                (AggregateFunction::Quantile(q), Type::Float)
            }
        };
        let text = self.tokens.slice(self.tokens.bytes(Run { first, last: part.run.last })).to_owned();
        let argument = Expression::new(text, block(part), columns, kind, Vec::new());
        let aggregate = Aggregate { function, argument };
        let place = match self.aggregates.iter().position(|known| known.same(&aggregate)) {
            Some(place) => place,
            None => {
                self.aggregates.push(aggregate);
                self.aggregates.len() - 1
            }
        };
        Some(Typed { steps: vec![Step::Fitted(place)], kind: Some(result), run: call.run, literal: None })
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
