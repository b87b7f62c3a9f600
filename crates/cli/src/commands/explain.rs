//! `trainyard explain`.

use serde_json::{Value, json};
use trainyard_diagnostics::{Diagnostic, Fault, nearest};
use trainyard_explanations::{Area, Explanation, areas, explanation};

use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, pad};

pub(super) fn run(codes: &[String], printer: Printer) -> Result<u8, Stop> {
    let areas = areas();
    let mut told = Vec::new();
    let mut listed = Vec::new();
    for code in codes {
        match (explanation(code), areas.iter().find(|area| area.name == code.as_str())) {
            (Some(explanation), _) => told.push(explanation),
            (None, Some(area)) => listed.push(area),
            (None, None) => return Err(unknown(code, &areas)),
        }
    }
    if codes.is_empty() {
        listed.extend(&areas);
    }
    let all = || told.iter().chain(listed.iter().flat_map(|area| &area.explanations));
    printer.result(
        || json!({"explanations": all().map(document).collect::<Vec<_>>()}),
        |paint| {
            let texts = told.iter().map(|explanation| whole(explanation, paint));
            texts.chain(listed.iter().map(|area| list(area, paint))).collect::<Vec<_>>().join("\n")
        },
    )?;
    Ok(0)
}

fn unknown(code: &str, areas: &[Area]) -> Stop {
    let codes = areas.iter().flat_map(|area| &area.explanations).map(|explanation| explanation.code);
    let problem = Diagnostic::error("explain/unknown-code", format!("no message has the code {code}"))
        .with_fault(Fault::CommandLine);
    match nearest(code, codes.chain(areas.iter().map(|area| area.name))) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("`trainyard explain` lists all codes"),
    }
    .into()
}

fn document(explanation: &Explanation) -> Value {
    json!({"code": explanation.code, "meaning": explanation.meaning, "text": explanation.text.trim_end()})
}

fn whole(explanation: &Explanation, paint: Paint) -> String {
    let head = paint.ink(Ink::Strong, explanation.code);
    let text = explanation.text.trim_end();
    let gap = if text.is_empty() { "" } else { "\n" };
    format!("{head}\n{}\n{gap}{text}{gap}", explanation.meaning)
}

/// Lists the codes of an area, each with its meaning in a line.
fn list(area: &Area, paint: Paint) -> String {
    let wide = area.explanations.iter().map(|explanation| explanation.code.len()).max().unwrap_or(0);
    let lines = area
        .explanations
        .iter()
        .map(|explanation| format!("  {}  {}\n", pad(explanation.code, wide, Side::Left), explanation.meaning));
    format!("{}\n{}", paint.ink(Ink::Strong, area.about), lines.collect::<String>())
}
