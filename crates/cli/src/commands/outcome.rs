//! How a run ended, drawn the same way for `run`, `resume` and the last `step`.

use serde_json::{Map, Value, json};
use trainyard_pipeline::{GateLine, RunResult, StepStatus, figure};

use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, count, counted, difference, number, pad, seconds};

/// The columns of a label before its text.
const LABEL: usize = 12;

/// The columns of a metric's name, of a number and of an interval.
const METRIC: usize = 34;
const NUMBER: usize = 12;
const INTERVAL: usize = 17;

/// Prints the result and gives the exit code.
pub(super) fn print(result: &RunResult, printer: Printer) -> Result<u8, Stop> {
    printer.result(|| json!(result), |paint| text(result, paint))?;
    Ok(result.exit_code())
}

/// Draws the result.
pub(super) fn text(result: &RunResult, paint: Paint) -> String {
    let steps = |wanted: StepStatus| result.steps.iter().filter(|step| step.status == wanted).count();
    let verb = if result.status == "FAILED" { "failed" } else { "finished" };
    let mut text = format!(
        "Run {} {verb} in {}: {} ran, {} cached\n\n",
        paint.ink(Ink::Strong, &result.run),
        seconds(result.seconds),
        counted(steps(StepStatus::Ran), "step"),
        steps(StepStatus::Cached),
    );
    text.push_str(&drift(&result.drift, paint));
    text.push_str(&metrics(result, paint));
    text.push_str(&worst_slice(&result.slices));
    text.push_str(&gates(&result.gates, paint));
    if result.reference_uses > 1 {
        text.push_str(&line("reference", &format!("has judged {} runs", count(result.reference_uses))));
    }
    text.push_str(&decision(result, paint));
    text.push_str(&line("again", &result.again));
    text
}

fn line(label: &str, text: &str) -> String {
    format!("  {}{}\n", pad(label, LABEL, Side::Left), clean(text))
}

/// The most columns that the block of drift names.
const MOVED: usize = 8;

/// Draws whether the data is what the model in service was trained on.
fn drift(found: &Value, paint: Paint) -> String {
    if let Some(why) = found.get("skipped").and_then(Value::as_str) {
        return format!("{}\n", line("drift", &format!("not looked for: {why}")));
    }
    let whole = |name: &str| found.get(name).and_then(Value::as_u64);
    let (Some(drifted), Some(compared)) = (whole("drifted"), whole("compared")) else { return String::new() };
    let has = found.get("drift") == Some(&json!(true));
    let verdict = if has { paint.ink(Ink::Bad, "yes") } else { paint.ink(Ink::Good, "no") };
    let mut text = format!(
        "  {}{verdict}, {} of {} moved\n",
        pad("drift", LABEL, Side::Left),
        count(drifted),
        counted(compared as usize, "column")
    );
    let moved = found.get("moved").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for column in moved.iter().take(MOVED) {
        let word = |name: &str| clean(column.get(name).and_then(Value::as_str).unwrap_or_default());
        let figure = |name: &str| number(column.get(name).and_then(Value::as_f64));
        let (name, test) = (pad(&word("column"), METRIC - LABEL, Side::Left), word("test"));
        text.push_str(&format!(
            "  {}{name} {test} {}, limit {}\n",
            " ".repeat(LABEL),
            figure("value"),
            figure("threshold")
        ));
    }
    if moved.len() > MOVED {
        text.push_str(&format!("  {}and {} more\n", " ".repeat(LABEL), count((moved.len() - MOVED) as u64)));
    }
    text.push('\n');
    text
}

/// Draws the candidate on the whole reference test, beside the incumbent where that has seen none of its rows, else beside
/// the baseline; then both on the rows that are new to the incumbent.
fn metrics(result: &RunResult, paint: Paint) -> String {
    let Some(reference) = result.metrics.get("reference").and_then(Value::as_object).filter(|all| !all.is_empty())
    else {
        return String::new();
    };
    let measured = |incumbent: &&Value| incumbent.get("metrics").is_some_and(Value::is_object);
    let incumbent = result.incumbent.as_ref().filter(measured);
    let excluded = result.comparison.get("excluded").and_then(Value::as_u64).unwrap_or_default();
    let named = |incumbent: &Value| {
        let version = incumbent.get("version").and_then(Value::as_u64).unwrap_or_default();
        let stage = incumbent.get("stage").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        format!("{} v{version}", if stage == "none" { "" } else { &stage }).trim().to_owned()
    };
    let weighed = result.weighted_by.as_ref().map(|weight| format!(" by {}", clean(weight))).unwrap_or_default();
    let head = format!("reference test · {} rows{weighed}", count(result.reference_rows));
    let mut text = match incumbent.filter(|_| excluded == 0) {
        Some(incumbent) => {
            let beside = (named(incumbent), incumbent.get("metrics"));
            block(&head, reference, result.metrics.get("intervals"), beside, paint)
        }
        None => {
            let beside = ("baseline".to_owned(), result.metrics.get("baseline"));
            block(&head, reference, result.metrics.get("intervals"), beside, paint)
        }
    };
    if let (Some(incumbent), Some(candidate)) =
        (incumbent.filter(|_| excluded > 0), result.comparison.get("candidate").and_then(Value::as_object))
    {
        let rows = result.comparison.get("rows").and_then(Value::as_u64).unwrap_or_default();
        let head = format!("{} rows new to {}{weighed}", count(rows), named(incumbent));
        text.push_str(&block(&head, candidate, None, (named(incumbent), incumbent.get("metrics")), paint));
        text.push_str(&deciding(&result.comparison));
    }
    text
}

/// Names the slice of the reference test on which the model does worst.
fn worst_slice(slices: &Value) -> String {
    let worst = slices.pointer("/sets/reference/worst");
    let metric = slices.get("metric").and_then(Value::as_str);
    let (Some(worst), Some(metric)) = (worst, metric) else { return String::new() };
    let name = worst.get("slice").and_then(Value::as_str);
    let (Some(name), Some(value)) = (name, worst.get("value").and_then(Value::as_f64)) else {
        return line("worst slice", &format!("none has enough rows and a {metric}"));
    };
    let rows = worst.get("rows").and_then(Value::as_u64).unwrap_or_default();
    let sure = worst.get("interval").and_then(interval).map(|sure| format!(", 95% interval {sure}"));
    let told = format!("{name}: {metric} {} on {} rows{}", figure(value), count(rows), sure.unwrap_or_default());
    line("worst slice", &told)
}

/// Says by how much the metric that decides differs on rows that both were measured on, and how sure that is.
fn deciding(comparison: &Value) -> String {
    let bound = |name: &str| comparison.get(name).and_then(Value::as_f64);
    let metric = comparison.get("metric").and_then(Value::as_str);
    let (Some(metric), Some(by), Some((low, high))) = (metric, bound("difference"), bound("low").zip(bound("high")))
    else {
        return String::new();
    };
    let (by, low, high) = (difference(by), difference(low), difference(high));
    format!("  {} {by} on these rows, paired 95% interval {low} to {high}\n\n", clean(metric))
}

/// Draws metrics under a heading: name, value, interval, and the value of what stands beside.
fn block(
    head: &str,
    values: &Map<String, Value>,
    intervals: Option<&Value>,
    (beside, others): (String, Option<&Value>),
    paint: Paint,
) -> String {
    let row = |name: &str, value: &str, interval: &str, beside: &str| {
        let cells = [
            pad(name, METRIC, Side::Left),
            pad(value, NUMBER, Side::Right),
            format!("   {}", pad(interval, INTERVAL, Side::Left)),
            pad(beside, NUMBER, Side::Right),
        ];
        format!("  {}\n", cells.concat().trim_end())
    };
    let title = if intervals.is_some() { "95% interval" } else { "" };
    let mut text = paint.ink(Ink::Faint, row(head, "candidate", title, &beside).trim_end_matches('\n'));
    text.push('\n');
    for (name, value) in values {
        let interval = intervals.and_then(|all| all.get(name)).and_then(interval);
        let other = others.and_then(|all| all.get(name)).and_then(Value::as_f64);
        text.push_str(&row(&clean(name), &number(value.as_f64()), &interval.unwrap_or_default(), &number(other)));
    }
    text.push('\n');
    text
}

fn interval(value: &Value) -> Option<String> {
    let low = value.get("low").or_else(|| value.get(0)).and_then(Value::as_f64)?;
    let high = value.get("high").or_else(|| value.get(1)).and_then(Value::as_f64)?;
    Some(format!("{} to {}", figure(low), figure(high)))
}

fn gates(gates: &[GateLine], paint: Paint) -> String {
    if gates.is_empty() {
        return String::new();
    }
    let failed: Vec<&GateLine> = gates.iter().filter(|gate| !gate.passed).collect();
    let summary = format!("{} of {} passed", gates.len() - failed.len(), gates.len());
    let ink = if failed.is_empty() { Ink::Good } else { Ink::Bad };
    let mut text = format!("  {}{}\n", pad("gates", LABEL, Side::Left), paint.ink(ink, &summary));
    for gate in failed {
        text.push_str(&line("", &missed(gate)));
    }
    text
}

/// Says which value met which limit, with as many decimals as it takes to tell them apart.
fn missed(gate: &GateLine) -> String {
    let limit = gate.limit;
    let name = match &gate.slice {
        Some(slice) => format!("{} ({})", gate.name, clean(slice)),
        None => gate.name.clone(),
    };
    let value = gate.value;
    if !value.is_finite() {
        return format!("{name} has no value; the limit is {limit:.3}");
    }
    let at_least = gate.bound == "≥";
    let (is, must) = if at_least { ("below", "at least") } else { ("above", "at most") };
    let decimals = (3..=9).find(|decimals| format!("{value:.decimals$}") != format!("{limit:.decimals$}")).unwrap_or(9);
    format!("{name} {value:.decimals$} is {is} the limit: {must} {limit:.decimals$}")
}

fn decision(result: &RunResult, paint: Paint) -> String {
    let Some(decision) = &result.decision else {
        return String::new();
    };
    let bound = |name: &str| result.comparison.get(name).and_then(Value::as_f64);
    let interval = bound("low").zip(bound("high"));
    let told = |(low, high)| format!(", 95% interval {} to {}", difference(low), difference(high));
    let interval = interval.map(told).unwrap_or_default();
    let because =
        if result.reason.is_empty() { String::new() } else { format!(" ({}{interval})", clean(&result.reason)) };
    let label = |ink| paint.ink(ink, &pad(decision, LABEL, Side::Left));
    let text_of = |value: Option<&Value>, key: &str| {
        clean(value.and_then(|value| value.get(key)).and_then(Value::as_str).unwrap_or_default())
    };
    let version_of = |value: Option<&Value>| value.and_then(|value| value.get("version")).and_then(Value::as_u64);
    match (decision.as_str(), &result.model) {
        ("promoted", Some(model)) => {
            let (name, stage) = (text_of(Some(model), "name"), text_of(Some(model), "stage"));
            let version = version_of(Some(model)).unwrap_or_default();
            format!("  {}{name} v{version} → {stage}{because}\n", label(Ink::Good))
        }
        ("kept", _) => {
            let kept = version_of(result.incumbent.as_ref())
                .map_or_else(|| "nothing changed".to_owned(), |version| format!("v{version} stays"));
            format!("  {}{kept}{because}\n", label(Ink::Strong))
        }
        ("refused", _) => format!("  {}{}\n", label(Ink::Bad), clean(&result.reason)),
        _ => format!("  {}{}\n", label(Ink::Strong), clean(&result.reason)),
    }
}
