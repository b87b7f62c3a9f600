//! Calls about dates and timestamps.

use std::sync::Arc;

use sqlparser::ast::{DateTimeField, Expr};
use trainyard_diagnostics::nearest;

use super::calls::Call;
use super::operators::{Count, Operand};
use super::{Checker, Typed};
use crate::functions;
use crate::kernel::calendar::{Part, split};
use crate::kernel::format::Format;
use crate::lifted;
use crate::operation::{D, F, I, Operation, S, T, one, one_text, two};
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::runtime::Fault;
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Checks `EXTRACT(part FROM date)`.
    pub(super) fn extract(&mut self, field: &DateTimeField, expr: &Expr) -> Option<Typed> {
        let date = self.check(expr)?;
        let run = self.tokens.call_around(date.run.first);
        let name = field.to_string();
        let part = self.part(name.trim_matches('\''), Run { first: run.first + 2, last: run.first + 2 })?;
        let call = Call { name: "extract", doc: &functions::find("date_part")?.doc, run };
        self.part_of(&call, part, date)
    }

    /// Finds a part of a date by its name.
    pub(super) fn part(&mut self, name: &str, run: Run) -> Option<Part> {
        match Part::named(name) {
            Some(part) => Some(part),
            None => {
                let nearest = nearest(name, Part::names()).map(str::to_owned);
                self.report(ProblemKind::UnknownPart { name: name.to_owned(), nearest }, run)
            }
        }
    }

    pub(super) fn part_of(&mut self, call: &Call<'_>, part: Part, date: Typed) -> Option<Typed> {
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

    pub(super) fn truncate(&mut self, call: &Call<'_>, part: Part, date: Typed) -> Option<Typed> {
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

    pub(super) fn difference(&mut self, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
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

    pub(super) fn add_interval(&mut self, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
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

    pub(super) fn strftime(&mut self, call: &Call<'_>, mut arguments: Vec<Typed>) -> Option<Typed> {
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

    pub(super) fn strptime(&mut self, call: &Call<'_>, arguments: Vec<Typed>, lenient: bool) -> Option<Typed> {
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
}
