//! CASE and CAST.

use std::sync::Arc;

use sqlparser::ast::{CaseWhen, CastKind, DataType, Expr};

use super::{Checker, Typed, block, literal};
use crate::kernel::compare::Comparison;
use crate::lifted;
use crate::parse::Run;
use crate::problem::ProblemKind;
use crate::program::{Block, Case, Step};
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Checks both forms of CASE. Conditions are evaluated in order, each branch only for the rows that reach it.
    pub(super) fn case(
        &mut self,
        run: Run,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Option<Typed> {
        let operand = operand.map(|operand| self.check(operand));
        let mut whens = Vec::new();
        let mut thens = Vec::new();
        for when in conditions {
            whens.push(match operand {
                Some(_) => self.check(&when.condition),
                None => self.condition(&when.condition, "CASE WHEN"),
            });
            thens.push(self.check(&when.result));
        }
        let absent = Typed { steps: vec![Step::Constant(Value::Null)], kind: None, run, literal: Some(Value::Null) };
        thens.push(match otherwise {
            Some(otherwise) => self.check(otherwise),
            None => Some(absent),
        });
        let mut whens: Vec<Typed> = whens.into_iter().collect::<Option<_>>()?;
        let thens: Vec<Typed> = thens.into_iter().collect::<Option<_>>()?;

        let mut steps = Vec::new();
        let mut compare = None;
        if let Some(operand) = operand {
            whens.insert(0, operand?);
            let kind = self.mix("CASE … WHEN", &whens)?.unwrap_or(Type::Integer);
            whens = self.coerce_all(whens, kind);
            steps = whens.remove(0).steps;
            compare = Some(lifted::comparison(kind, Comparison::Equal));
        }
        let kind = self.mix("CASE", &thens)?;
        let mut thens = match kind {
            Some(kind) => self.coerce_all(thens, kind),
            None => thens,
        };
        let otherwise = block(thens.pop()?);
        let arms: Vec<(Block, Block)> = whens.into_iter().map(block).zip(thens.into_iter().map(block)).collect();
        // A CASE of nothing but NULL has no type of its own; any will do for the column that holds it meanwhile.
        let result = kind.unwrap_or(Type::Integer);
        steps.push(Step::Case(Arc::new(Case { compare, arms, otherwise, kind: result })));
        if kind.is_none() {
            steps = vec![Step::Constant(Value::Null)];
        }
        Some(Typed { steps, kind, run, literal: None })
    }

    /// Checks CAST, TRY_CAST and `::`.
    pub(super) fn cast(&mut self, kind: &CastKind, inner: &Expr, data_type: &DataType, format: bool) -> Option<Typed> {
        let part = self.check(inner)?;
        let run = match kind {
            CastKind::DoubleColon => Run { first: part.run.first, last: part.run.last + 2 },
            _ => self.tokens.call_around(part.run.first),
        };
        let Some(to) = literal::type_of(data_type) else {
            return self.report(ProblemKind::UnknownType { name: data_type.to_string() }, run);
        };
        if format || matches!(kind, CastKind::SafeCast) {
            return self.report(ProblemKind::Unsupported { what: "this kind of cast".to_owned() }, run);
        }
        let lenient = matches!(kind, CastKind::TryCast);
        match part.kind {
            None => Some(Typed { steps: part.steps, kind: Some(to), run, literal: None }),
            Some(from) if from == to => Some(Typed { run, literal: None, ..part }),
            Some(from) => match lifted::cast(from, to, lenient) {
                Some(operation) => Some(self.apply(operation, vec![part], to, run)),
                None => self.report(ProblemKind::ImpossibleCast { from, to }, run),
            },
        }
    }
}
