//! Calls of fitted aggregates.

use sqlparser::ast::Expr;

use super::calls::Call;
use super::{Checker, Typed, block};
use crate::aggregate::{Aggregate, AggregateFunction};
use crate::expression::Expression;
use crate::functions::Fitted;
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::program::Step;
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Checks a fitted aggregate, whose argument becomes an expression of its own.
    pub(super) fn fitted(&mut self, fitted: Fitted, call: &Call<'_>, arguments: &[&Expr]) -> Option<Typed> {
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
