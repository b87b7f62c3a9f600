//! `trainyard runs compare`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use trainyard_pipeline::{step_codes, tracking};
use trainyard_tracking::{Answer, Cell, EmbeddedStore, RunRecord, Tracking};

use super::part;
use crate::arguments::Output;
use crate::cells;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{Side, count, cut, difference, number, table};

/// The widest that a value stands beside another.
const WIDEST: usize = 40;

/// One thing of every run, in their order.
struct Line<T> {
    name: String,
    values: Vec<Option<T>>,
}

impl<T: PartialEq> Line<T> {
    /// Says whether two of the runs differ in it.
    fn differs(&self) -> bool {
        self.values.windows(2).any(|pair| pair[0] != pair[1])
    }
}

/// What is put side by side.
struct Compared {
    runs: Vec<RunRecord>,
    metrics: Vec<Line<f64>>,
    /// The intervals of the metrics, 95 % each, where the evaluation drew any.
    intervals: Vec<BTreeMap<String, [f64; 2]>>,
    params: Vec<Line<String>>,
    inputs: Vec<Line<String>>,
    code: Vec<Line<String>>,
}

pub(super) fn run(root: &Path, ids: &[String], output: &Output, printer: Printer) -> Result<(), Stop> {
    cells::check(output)?;
    let compared = compared(root, ids)?;
    if cells::written(&compared.answer(), output, printer)? {
        return Ok(());
    }
    printer.result(
        || compared.document(),
        |paint| {
            let width = compared.runs.len();
            let sides =
                |side: Side| std::iter::once(Side::Left).chain(std::iter::repeat_n(side, width)).collect::<Vec<_>>();
            let words = |lines: &[&Line<String>]| -> Vec<Vec<String>> {
                let shown =
                    |value: &Option<String>| value.as_ref().map_or_else(|| "–".to_owned(), |text| cut(text, WIDEST));
                lines
                    .iter()
                    .map(|line| [vec![line.name.clone()], line.values.iter().map(shown).collect()].concat())
                    .collect()
            };
            let differing = |lines: &'_ [Line<String>]| -> Vec<Vec<String>> {
                words(&lines.iter().filter(|line| line.differs()).collect::<Vec<_>>())
            };
            let alike = |lines: &[Line<String>]| lines.iter().filter(|line| !line.differs()).count();
            let mut text = compared.drawn_metrics();
            let mut same = Vec::new();
            for (title, name, lines) in [
                ("Parameters that differ", "parameters", &compared.params),
                ("Inputs that differ", "inputs", &compared.inputs),
                ("Code that differs", "code", &compared.code),
            ] {
                text.push_str(&part(paint, title, &sides(Side::Left), &differing(lines)));
                same.extend((alike(lines) > 0).then(|| format!("{} of {name}", alike(lines))));
            }
            if !same.is_empty() {
                text.push_str(&format!("\nThe same in all: {}.\n", same.join(", ")));
            }
            text
        },
    )
}

fn compared(root: &Path, ids: &[String]) -> Result<Compared, Stop> {
    let store = tracking(root)?;
    let runs = ids.iter().map(|id| store.find_run(id)).collect::<Result<Vec<_>, _>>()?;
    let intervals = runs.iter().map(|run| intervals(&store, run)).collect();
    let inputs: Vec<BTreeMap<String, String>> = runs
        .iter()
        .map(|run| {
            let told = |input: &trainyard_tracking::Input| {
                format!("{} rows, {} of {}", count(input.rows), input.digest.short(), input.source)
            };
            run.inputs.iter().map(|input| (input.name.clone(), told(input))).collect()
        })
        .collect();
    let mut code = Vec::with_capacity(runs.len());
    for run in &runs {
        let mut of: BTreeMap<String, String> = step_codes(root, &run.run)?
            .into_iter()
            .map(|(step, digest)| (format!("step {step}"), digest.short()))
            .collect();
        // What Git knew of the project when it was run.
        for tag in ["git_commit", "git_dirty"] {
            of.extend(run.tags.get(tag).map(|value| (tag.to_owned(), value.clone())));
        }
        code.push(of);
    }
    let params: Vec<BTreeMap<String, String>> = runs.iter().map(|run| run.params.clone()).collect();
    let metrics: Vec<BTreeMap<String, f64>> = runs.iter().map(|run| run.metrics.clone()).collect();
    Ok(Compared {
        metrics: lines(&metrics),
        params: lines(&params),
        inputs: lines(&inputs),
        code: lines(&code),
        intervals,
        runs,
    })
}

/// Says whether a metric is how long a step took: no two runs take the same time, so that it tells little.
fn is_time_of_step(name: &str) -> bool {
    name.starts_with("step_") && name.ends_with("_seconds")
}

/// Puts the values of each name side by side: those that differ first, the times of steps last.
fn lines<T: PartialEq + Clone>(all: &[BTreeMap<String, T>]) -> Vec<Line<T>> {
    let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let line =
        |name: &String| Line { name: name.clone(), values: all.iter().map(|of| of.get(name).cloned()).collect() };
    let mut lines: Vec<Line<T>> = names.into_iter().map(line).collect();
    lines.sort_by_key(|line| (is_time_of_step(&line.name), !line.differs()));
    lines
}

/// Reads the intervals out of a run's evaluation; a run that has none, or whose file is gone, has none.
fn intervals(store: &EmbeddedStore, run: &RunRecord) -> BTreeMap<String, [f64; 2]> {
    let read = store.read_artifact(&run.run, "evaluation.json").ok();
    let document: Value = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut found = BTreeMap::new();
    for (set, of) in document.as_object().into_iter().flatten() {
        for (metric, ends) in of["intervals"].as_object().into_iter().flatten() {
            if let (Some(low), Some(high)) = (ends[0].as_f64(), ends[1].as_f64()) {
                found.insert(format!("{set}_{metric}"), [low, high]);
            }
        }
    }
    found
}

impl Compared {
    fn interval(&self, run: usize, name: &str) -> Option<[f64; 2]> {
        self.intervals.get(run).and_then(|of| of.get(name)).copied()
    }

    /// Gives by how much the second of two runs is more than the first.
    fn difference(&self, line: &Line<f64>) -> Option<f64> {
        match line.values.as_slice() {
            [Some(one), Some(other)] => Some(other - one),
            _ => None,
        }
    }

    fn drawn_metrics(&self) -> String {
        let two = self.runs.len() == 2;
        let mut head = vec![String::new()];
        head.extend(self.runs.iter().map(|run| run.run.clone()));
        head.extend(two.then(|| "difference".to_owned()));
        let mut rows = vec![head];
        for line in &self.metrics {
            let mut row = vec![line.name.clone()];
            for (run, value) in line.values.iter().enumerate() {
                let shown = number(*value);
                row.push(match self.interval(run, &line.name).filter(|_| value.is_some()) {
                    Some([low, high]) => {
                        format!("{shown} ({} to {})", number(Some(low)), number(Some(high)))
                    }
                    None => shown,
                });
            }
            row.extend(two.then(|| self.difference(line).map_or_else(|| "–".to_owned(), difference)));
            rows.push(row);
        }
        let sides: Vec<Side> =
            (0..=self.runs.len() + 1).map(|at| if at == 0 { Side::Left } else { Side::Right }).collect();
        table(&sides[..rows[0].len()], &rows)
    }

    fn document(&self) -> Value {
        let words = |lines: &[Line<String>]| -> Vec<Value> {
            let line =
                |line: &Line<String>| json!({"name": line.name, "values": line.values, "differs": line.differs()});
            lines.iter().map(line).collect()
        };
        let inputs = self.inputs.iter().map(|line| {
            let of = |run: &'_ RunRecord| run.inputs.iter().find(|input| input.name == line.name).cloned();
            let values: Vec<_> = self.runs.iter().map(of).collect();
            json!({"name": line.name, "values": values, "differs": line.differs()})
        });
        let metrics = self.metrics.iter().map(|line| {
            let intervals: Vec<_> = (0..self.runs.len()).map(|run| self.interval(run, &line.name)).collect();
            json!({
                "name": line.name, "values": line.values, "intervals": intervals, "differs": line.differs(),
                "difference": self.difference(line),
            })
        });
        json!({
            "runs": self.runs.iter().map(|run| &run.run).collect::<Vec<_>>(),
            "metrics": metrics.collect::<Vec<_>>(),
            "params": words(&self.params),
            "inputs": inputs.collect::<Vec<_>>(),
            "code": words(&self.code),
        })
    }

    /// Gives one row for each name: what it is, whether it differs, and what each run has.
    fn answer(&self) -> Answer {
        let mut columns = ["kind", "name", "differs"].map(str::to_owned).to_vec();
        columns.extend(self.runs.iter().map(|run| run.run.clone()));
        columns.extend(self.runs.iter().flat_map(|run| ["low", "high"].map(|end| format!("{}_{end}", run.run))));
        let head = |kind: &str, name: &str, differs: bool| {
            vec![Cell::Text(kind.to_owned()), Cell::Text(name.to_owned()), Cell::Integer(i64::from(differs))]
        };
        let mut rows = Vec::new();
        for line in &self.metrics {
            let mut row = head("metric", &line.name, line.differs());
            row.extend(line.values.iter().map(|value| value.map_or(Cell::Null, Cell::Real)));
            for run in 0..self.runs.len() {
                let ends = self.interval(run, &line.name).map_or([Cell::Null, Cell::Null], |ends| ends.map(Cell::Real));
                row.extend(ends);
            }
            rows.push(row);
        }
        for (kind, lines) in [("param", &self.params), ("input", &self.inputs), ("code", &self.code)] {
            for line in lines {
                let mut row = head(kind, &line.name, line.differs());
                row.extend(line.values.iter().map(|value| value.clone().map_or(Cell::Null, Cell::Text)));
                row.resize(columns.len(), Cell::Null);
                rows.push(row);
            }
        }
        Answer { columns, rows }
    }
}
