//! Derived columns compiled, each after those that it reads, and what keeps some from compiling.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use trainyard_diagnostics::{Problems, nearest};
use trainyard_expression::{Column, Expression, Problem, ProblemKind, Settings, compile};
use trainyard_spec::{DataSpec, FeatureSpec, Located};

use crate::problems::{self, Context};

/// For each column that does not compile, those of them that it reads, and where in its SQL.
type Reads<'a> = BTreeMap<&'a str, Vec<(&'a Located<String>, Range<usize>)>>;

/// Compiles the derived columns, each after those that it reads.
pub(crate) fn compile_derived(
    spec: &FeatureSpec,
    raw: &[Column],
    data: &DataSpec,
    context: &Context<'_>,
    found: &mut Problems,
) -> Vec<(String, Expression)> {
    let mut pending: Vec<(&Located<String>, &Located<String>)> = Vec::new();
    let mut seen: BTreeMap<String, &Located<String>> = BTreeMap::new();
    let names = raw.iter().map(|column| column.name.as_str());
    let reserved =
        std::iter::once(&data.target.column).chain(&data.key).chain(&data.weight).map(|name| name.value.as_str());
    let taken: Vec<&str> = names.chain(reserved).collect();
    for (name, sql) in &spec.columns {
        // SQL reads names without regard to case, so that a difference in case alone would change what others mean.
        let lower = name.value.to_lowercase();
        if let Some(column) = taken.iter().find(|column| column.to_lowercase() == lower) {
            found.push(problems::shadows(name, column, context));
        } else if let Some(first) = seen.insert(lower, name) {
            found.push(problems::twice(name, first));
        } else {
            pending.push((name, sql));
        }
    }
    let forbidden: Vec<(&str, &str)> = std::iter::once((data.target.column.value.as_str(), "it is the target"))
        .chain(data.key.iter().map(|key| (key.value.as_str(), "it is the key, which says nothing about a new row")))
        .chain(
            data.weight.iter().map(|weight| (weight.value.as_str(), "it is the weight, which a new row does not have")),
        )
        .chain(data.drop.iter().map(|column| (column.value.as_str(), "`data.drop` names it")))
        .collect();
    let mut known = raw.to_vec();
    let mut compiled = Vec::new();
    loop {
        let before = pending.len();
        let mut failed = Vec::new();
        let mut waiting = Vec::new();
        for (name, sql) in pending {
            let settings = Settings { columns: &known, forbidden: &forbidden, fitted: true };
            match compile(&sql.value, &settings) {
                Ok(expression) => {
                    known.push(Column { name: name.value.clone(), kind: expression.kind() });
                    compiled.push((name.value.clone(), expression));
                }
                Err(problems) => {
                    waiting.push((name, sql));
                    failed.push(problems);
                }
            }
        }
        if waiting.is_empty() || waiting.len() == before {
            report(&waiting, failed, spec, context, found);
            return compiled;
        }
        pending = waiting;
    }
}

/// Reports the problems of expressions that no order of compiling helps.
fn report(
    waiting: &[(&Located<String>, &Located<String>)],
    failed: Vec<Vec<Problem>>,
    spec: &FeatureSpec,
    context: &Context<'_>,
    found: &mut Problems,
) {
    let pending = |name: &str| {
        waiting.iter().find(|(column, _)| column.value.to_lowercase() == name.to_lowercase()).map(|(column, _)| *column)
    };
    let reads_pending = |problem: &Problem| match &problem.kind {
        ProblemKind::UnknownColumn { name, .. } => pending(name),
        _ => None,
    };
    let mut reads: Reads<'_> = BTreeMap::new();
    for ((name, sql), problems) in waiting.iter().zip(&failed) {
        for problem in problems {
            match reads_pending(problem) {
                Some(other) => reads.entry(&name.value).or_default().push((other, problem.span.clone())),
                None => {
                    let near_derived = match &problem.kind {
                        ProblemKind::UnknownColumn { name: wanted, .. } => {
                            nearest(wanted, spec.columns.iter().map(|(column, _)| column.value.as_str()))
                        }
                        _ => None,
                    };
                    found.push(problems::in_sql(name, sql, problem, near_derived, context));
                }
            }
        }
    }
    // Who waits for a column that has problems of its own is not to blame; who waits for itself is.
    for (name, sql) in waiting {
        if let Some(path) = cycle(&name.value, &reads) {
            let is_first = path.iter().min() == Some(&name.value.as_str());
            let span = reads
                .get(name.value.as_str())
                .and_then(|reads| reads.iter().find(|(other, _)| path.contains(&other.value.as_str())));
            if let (true, Some((_, span))) = (is_first, span) {
                found.push(problems::cycle(name, sql, &path, span, context));
            }
        }
    }
}

/// Finds a way from a column back to itself: the names along it.
fn cycle<'a>(from: &'a str, reads: &Reads<'a>) -> Option<Vec<&'a str>> {
    let mut paths = vec![vec![from]];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        let last = path.last().copied().unwrap_or(from);
        for (next, _) in reads.get(last).into_iter().flatten() {
            if next.value == from {
                return Some(path);
            }
            if seen.insert(next.value.as_str()) {
                let mut longer = path.clone();
                longer.push(&next.value);
                paths.push(longer);
            }
        }
    }
    None
}
