//! The report of drift as one page of HTML, which needs nothing beside itself.

use std::fmt::Write;

use trainyard_diagnostics::markup_text;

use super::{ColumnDrift, Distribution, Judged, LeftOut, Outcome, Report};

pub(crate) const STYLE: &str = "\
:root{--paper:#fff;--ink:#1f2937;--faint:#6b7280;--grid:#e5e7eb;\
--then:#9ca3af;--now:#2563b2;--bad:#c43348;--good:#2e8b57}
@media (prefers-color-scheme:dark){:root{--paper:#111827;--ink:#e5e7eb;--faint:#9ca3af;--grid:#2b3545;--then:#6b7280;\
--now:#609ce8;--bad:#f47280;--good:#5ec98e}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;\
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin:2rem 0 .2rem}p{margin:.2rem 0}
table{border-collapse:collapse;width:100%;margin-top:1rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--grid)}
th{color:var(--faint);font-weight:500}
td.n,th.n{text-align:right}a{color:inherit}.faint{color:var(--faint)}.bad{color:var(--bad)}.good{color:var(--good)}
svg{display:block;margin-top:.4rem;width:100%;max-width:44rem;height:auto}
svg .self{fill:none;stroke:var(--faint);stroke-opacity:.3}
svg text{font:12px system-ui,sans-serif;fill:var(--faint)}
.then{fill:var(--then)}.now{fill:var(--now)}.axis{stroke:var(--grid)}";

/// Draws the report. `names` are what the reference and the current table are called.
pub fn page(report: &Report, names: [&str; 2]) -> String {
    let verdict = if report.drift { ("bad", "The data has drifted") } else { ("good", "The data has not drifted") };
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Drift</title>\n<style>\n{STYLE}\n</style>\n\
         </head>\n<body>\n<h1 class=\"{}\">{}</h1>\n",
        verdict.0, verdict.1
    );
    let count = |number: usize| trainyard_diagnostics::count(number as u64);
    let _ = writeln!(
        text,
        "<p>{} of {} columns drifted; the data has from a share of {}.</p>\n\
         <p class=\"faint\">Reference: {}, {} rows. Now: {}, {} rows.</p>",
        report.drifted,
        report.compared,
        report.limit,
        markup_text(names[0]),
        count(report.reference.rows),
        markup_text(names[1]),
        count(report.current.rows)
    );
    table(&mut text, report);
    for (at, column) in report.columns.iter().enumerate() {
        section(&mut text, at, column);
    }
    // What is broken has drifted, and stands in the table.
    let left_out: Vec<&LeftOut> = report.left_out.iter().filter(|left| !left.is_broken).collect();
    if !left_out.is_empty() {
        text.push_str("<h2>Not compared</h2>\n");
        for left in left_out {
            let _ = writeln!(
                text,
                "<p>{} <span class=\"faint\">{}</span></p>",
                markup_text(&left.column),
                markup_text(&left.why)
            );
        }
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn table(text: &mut String, report: &Report) {
    text.push_str("<table>\n<tr><th>column<th>kind<th>test<th class=\"n\">value<th class=\"n\">drift<th>\n");
    for judged in report.judged() {
        let (at, column) = match judged {
            Judged::Compared(at, column) => (at, column),
            Judged::Broken(broken) => {
                let _ = writeln!(
                    text,
                    "<tr><td>{}{}<td>{}<td class=\"bad\" colspan=\"3\">{}<td class=\"bad\">drifted",
                    markup_text(&broken.column),
                    target(broken.is_target),
                    broken.kind.name(),
                    markup_text(&broken.why)
                );
                continue;
            }
        };
        let Some(test) = column.deciding() else { continue };
        let (class, word) = if column.drifted { ("bad", "drifted") } else { ("faint", "–") };
        let _ = writeln!(
            text,
            "<tr><td><a href=\"#c{at}\">{}</a>{}<td>{}<td>{}\
             <td class=\"n\">{}<td class=\"n\">{}<td class=\"{class}\">{word}",
            markup_text(&column.column),
            target(column.is_target),
            column.kind.name(),
            test.test,
            figure(test.value),
            bound(test)
        );
    }
    text.push_str("</table>\n");
}

/// Says that a column is the one to predict.
fn target(is_target: bool) -> &'static str {
    if is_target { " <span class=\"faint\">target</span>" } else { "" }
}

/// Writes from which value on there is drift.
fn bound(test: &Outcome) -> String {
    markup_text(&test.bound())
}

fn section(text: &mut String, at: usize, column: &ColumnDrift) {
    let _ = writeln!(text, "<h2 id=\"c{at}\">{}</h2>", markup_text(&column.column));
    let said: Vec<String> = column
        .tests
        .iter()
        .map(|test| {
            let class = if test.drifted { "bad" } else { "faint" };
            format!("<span class=\"{class}\">{} {} ({})</span>", test.test, figure(test.value), bound(test))
        })
        .collect();
    let _ = writeln!(text, "<p>{}</p>", said.join(" · "));
    for (side, name) in [(&column.reference, "reference"), (&column.current, "now")] {
        let size = side.summary.as_ref().map_or_else(String::new, |summary| {
            let quartiles: Vec<String> = summary.quartiles.iter().map(|value| figure(Some(*value))).collect();
            let (mean, deviation) = (figure(Some(summary.mean)), figure(Some(summary.deviation)));
            format!(", mean {mean}, deviation {deviation}, quartiles {}", quartiles.join(" "))
        });
        let _ = writeln!(
            text,
            "<p class=\"faint\">{name}: {} values, {} missing, {} different{size}</p>",
            trainyard_diagnostics::count(side.values as u64),
            trainyard_diagnostics::count(side.missing as u64),
            trainyard_diagnostics::count(side.distinct as u64)
        );
    }
    picture(text, column);
}

/// The size of a picture, and where its bars stand.
const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 210.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 170.0;

/// Draws both distributions beside one another.
fn picture(text: &mut String, column: &ColumnDrift) {
    let Distribution { edges, categories, reference, current } = &column.distribution;
    let most = reference.iter().chain(current).copied().fold(0.0, f64::max);
    let places = reference.len();
    if places == 0 || most <= 0.0 {
        return;
    }
    let name = markup_text(&column.column);
    let _ = writeln!(
        text,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Distribution of {name}\">\n\
         <rect class=\"then\" x=\"0\" y=\"4\" width=\"10\" height=\"10\"/><text x=\"15\" y=\"13\">reference</text>\n\
         <rect class=\"now\" x=\"90\" y=\"4\" width=\"10\" height=\"10\"/><text x=\"105\" y=\"13\">now</text>\n\
         <text x=\"{WIDTH}\" y=\"13\" text-anchor=\"end\">highest bar: {} %</text>",
        figure(Some(most * 100.0))
    );
    let pitch = WIDTH / places as f64;
    let bar = pitch * 0.42;
    for (at, (then, now)) in reference.iter().zip(current).enumerate() {
        for (class, share, shift) in [("then", then, 0.06), ("now", now, 0.52)] {
            let height = share / most * (BOTTOM - TOP);
            let _ = writeln!(
                text,
                "<rect class=\"{class}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{bar:.2}\" height=\"{height:.2}\"/>",
                (at as f64 + shift) * pitch,
                BOTTOM - height
            );
        }
    }
    let _ = writeln!(text, "<line class=\"axis\" x1=\"0\" y1=\"{BOTTOM}\" x2=\"{WIDTH}\" y2=\"{BOTTOM}\"/>");
    let below = BOTTOM + 18.0;
    if let (Some(first), Some(last)) = (edges.first(), edges.last()) {
        let middle = first / 2.0 + last / 2.0;
        for (x, anchor, value) in [(0.0, "start", *first), (WIDTH / 2.0, "middle", middle), (WIDTH, "end", *last)] {
            let value = figure(Some(value));
            let _ = writeln!(text, "<text x=\"{x}\" y=\"{below}\" text-anchor=\"{anchor}\">{value}</text>");
        }
    }
    // Names of neighbours must not run into one another.
    let fits = (pitch / 7.0) as usize;
    let is_narrow = categories.iter().any(|name| name.chars().count() > fits);
    for (at, name) in categories.iter().enumerate() {
        let (x, y) = ((at as f64 + 0.5) * pitch, if is_narrow && at % 2 == 1 { below + 16.0 } else { below });
        let shown = cut(name, (2 * fits).saturating_sub(1).max(3));
        let anchor = match at {
            0 if is_narrow && places > 1 => "start",
            at if is_narrow && at + 1 == places && places > 1 => "end",
            _ => "middle",
        };
        let x = match anchor {
            "start" => 0.0,
            "end" => WIDTH,
            _ => x,
        };
        let _ = writeln!(
            text,
            "<text x=\"{x:.2}\" y=\"{y}\" text-anchor=\"{anchor}\">{}<title>{}</title></text>",
            markup_text(&shown),
            markup_text(name)
        );
    }
    text.push_str("</svg>\n");
}

pub(crate) fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// Writes a number with about four digits.
pub(crate) fn figure(value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size.is_nan() => "–".to_owned(),
        size if size.is_infinite() => if value > 0.0 { "∞" } else { "−∞" }.to_owned(),
        size if !(1e-4..1e7).contains(&size) => format!("{value:.2e}"),
        size if size < 100.0 => trimmed(format!("{value:.4}")),
        _ => trimmed(format!("{value:.1}")),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_without_a_number_are_told_apart() {
        let shown = [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), None, Some(-0.0)].map(figure);
        assert_eq!(shown, ["–", "∞", "−∞", "–", "0"]);
    }
}
