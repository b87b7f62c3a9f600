//! The profile as one page of HTML, which needs nothing beside itself.

use std::fmt::Write;

use trainyard_diagnostics::markup_text;

use super::report::{ColumnProfile, Histogram, Profile, Scalar, TargetProfile, Top};
use super::{Correlation, Note};
use crate::drift::page::{STYLE, cut, figure};

/// What this page has beside the style of all pages.
const MORE: &str = "\
.warn{color:var(--bad)}.cols{display:flex;flex-wrap:wrap;gap:0 2rem}.cols>*{flex:1 1 22rem}\
ul{margin:.2rem 0;padding-left:1.2rem}.bar{fill:var(--now)}";

/// The most frequent values that a picture shows.
const BARS: usize = 10;

/// The most columns that the picture of correlations shows.
const SHOWN: usize = 30;

/// Draws the profile of a table that is called `name`.
pub fn page(profile: &Profile, name: &str) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Profile of {name}</title>\n\
         <style>\n{STYLE}\n{MORE}\n</style>\n</head>\n<body>\n<h1>{name}</h1>\n<p>{} rows, {} columns. {}</p>\n",
        count(profile.rows),
        count(profile.columns.len() as u64),
        markup_text(&profile.duplicates.told()),
        name = markup_text(name),
    );
    target(&mut text, profile);
    overview(&mut text, profile);
    correlations(&mut text, profile);
    for (at, column) in profile.columns.iter().enumerate() {
        section(&mut text, at, column);
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn count(number: u64) -> String {
    trainyard_diagnostics::count(number)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Writes a value so that people read it.
fn told(value: Option<&Scalar>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Scalar::Boolean(value)) => value.to_string(),
        Some(Scalar::Integer(value)) => value.to_string(),
        Some(Scalar::Float(value)) => figure(Some(*value)),
        Some(Scalar::Text(text)) => markup_text(text),
    }
}

fn target(text: &mut String, profile: &Profile) {
    let Some(target) = &profile.target else { return };
    let _ = writeln!(text, "<h2>To predict: {}</h2>", markup_text(&target.column));
    if let Some(classes) = &target.classes {
        bars(text, classes, &format!("Classes of {}", target.column));
    }
    suspects(text, target);
}

fn suspects(text: &mut String, target: &TargetProfile) {
    if let Some(why) = &target.why {
        let _ = writeln!(text, "<p class=\"faint\">No column was held against it: {}.</p>", markup_text(why));
    }
    let Some(predictors) = &target.predictors else { return };
    let of = if predictors.sampled { "a sample of " } else { "" };
    let _ = writeln!(
        text,
        "<p class=\"faint\">How well each column alone predicts it: {} on {of}{} rows. A suspect, from {} on, may know \
         the answer.</p>\n<table>\n<tr><th>column<th class=\"n\">{}<th>",
        predictors.measure,
        count(predictors.rows),
        predictors.threshold,
        predictors.measure
    );
    let suspects = predictors.columns.iter().filter(|one| one.suspect).count();
    for one in predictors.columns.iter().take(suspects.max(10)) {
        let (class, word) = if one.suspect { ("bad", "suspect") } else { ("faint", "") };
        let _ = writeln!(
            text,
            "<tr><td>{}<td class=\"n\">{}<td class=\"{class}\">{word}",
            markup_text(&one.column),
            figure(Some(one.value))
        );
    }
    text.push_str("</table>\n");
}

fn overview(text: &mut String, profile: &Profile) {
    text.push_str(
        "<h2>Columns</h2>\n<table>\n<tr><th>column<th>type<th class=\"n\">missing<th class=\"n\">distinct\
         <th class=\"n\">least<th class=\"n\">median<th class=\"n\">most<th>look at\n",
    );
    for (at, column) in profile.columns.iter().enumerate() {
        let rows = column.values + column.missing;
        let missing = match column.missing {
            0 => "–".to_owned(),
            some => percent(some as f64 / rows as f64),
        };
        let median = column.quantiles.as_ref().and_then(|quantiles| quantiles.at(0.5));
        let about: Vec<&str> = column.notes.iter().map(|note| note.about).collect();
        let _ = writeln!(
            text,
            "<tr><td><a href=\"#c{at}\">{}</a><td>{}<td class=\"n\">{missing}<td class=\"n\">{}<td class=\"n\">{}\
             <td class=\"n\">{}<td class=\"n\">{}<td class=\"warn\">{}",
            markup_text(&column.column),
            column.kind.name(),
            distinct(column),
            told(column.least.as_ref()),
            told(median),
            told(column.most.as_ref()),
            about.join(", ")
        );
    }
    text.push_str("</table>\n");
}

fn distinct(column: &ColumnProfile) -> String {
    let sign = if column.distinct.exact { "" } else { "≈ " };
    format!("{sign}{}", count(column.distinct.count))
}

fn correlations(text: &mut String, profile: &Profile) {
    let close = profile.closest();
    if profile.correlations.is_empty() {
        return;
    }
    text.push_str("<h2>Correlations</h2>\n");
    if profile.uncorrelated > 0 {
        let _ = writeln!(text, "<p class=\"faint\">{} columns were left out.</p>", count(profile.uncorrelated as u64));
    }
    if close.is_empty() {
        let _ = writeln!(text, "<p class=\"faint\">No two columns are closer than {}.</p>", super::report::CLOSE);
    } else {
        text.push_str("<table>\n<tr><th>column<th>column<th>measure<th class=\"n\">value\n");
        for one in close.iter().take(20) {
            let _ = writeln!(
                text,
                "<tr><td>{}<td>{}<td>{}<td class=\"n\">{}",
                markup_text(&one.a),
                markup_text(&one.b),
                measure(one),
                figure(one.value)
            );
        }
        text.push_str("</table>\n");
    }
    let kinds = [
        ("pearson", "Numbers, by Pearson: the stronger the darker; grey is below 0"),
        ("cramers_v", "Categories, by Cramér's V: the stronger the darker"),
    ];
    for (kind, title) in kinds {
        matrix(text, profile, kind, title);
    }
}

fn measure(one: &Correlation) -> &'static str {
    if one.measure == "pearson" { "Pearson" } else { "Cramér's V" }
}

/// The width of the picture of correlations, and the largest side of a tile.
const LARGEST: f64 = 700.0;
const TILE: f64 = 48.0;

/// Draws the correlations of a measure as a square of tiles.
fn matrix(text: &mut String, profile: &Profile, kind: &str, title: &str) {
    let of_kind: Vec<&Correlation> = profile.correlations.iter().filter(|one| one.measure == kind).collect();
    let mut names: Vec<&str> = Vec::new();
    for one in &of_kind {
        for name in [&one.a, &one.b] {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names.truncate(SHOWN);
    if names.len() < 3 {
        return;
    }
    let (left, top, tile) = (150.0, 110.0, (LARGEST - 240.0).min(TILE * names.len() as f64) / names.len() as f64);
    let _ = writeln!(
        text,
        "<p class=\"faint\">{}.</p>\n\
         <svg viewBox=\"0 0 {LARGEST} {:.1}\" role=\"img\" aria-label=\"Correlations of {}\">",
        markup_text(title),
        top + tile * names.len() as f64 + 4.0,
        markup_text(title)
    );
    for (row, name) in names.iter().enumerate() {
        let middle = (row as f64 + 0.5) * tile;
        let (shown, whole) = (markup_text(&cut(name, 20)), markup_text(name));
        let above = left + middle + 4.0;
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{shown}<title>{whole}</title></text>\n\
             <text x=\"{above:.1}\" y=\"{}\" transform=\"rotate(-50 {above:.1} {})\">{}<title>{whole}</title></text>\n\
             <rect class=\"self\" x=\"{:.1}\" y=\"{:.1}\" width=\"{tile:.1}\" height=\"{tile:.1}\"/>",
            left - 6.0,
            top + middle + 4.0,
            top - 6.0,
            top - 6.0,
            markup_text(&cut(name, 16)),
            left + middle - tile / 2.0,
            top + middle - tile / 2.0
        );
    }
    for one in of_kind {
        let place = |name: &str| names.iter().position(|known| *known == name);
        let (Some(a), Some(b), Some(value)) = (place(&one.a), place(&one.b), one.value) else { continue };
        let class = if value < 0.0 { "then" } else { "now" };
        for (row, column) in [(a, b), (b, a)] {
            let _ = writeln!(
                text,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                 fill-opacity=\"{:.2}\"><title>{} and {}: {}</title></rect>",
                left + column as f64 * tile,
                top + row as f64 * tile,
                tile - 1.0,
                tile - 1.0,
                value.abs(),
                markup_text(&one.a),
                markup_text(&one.b),
                figure(one.value)
            );
        }
    }
    text.push_str("</svg>\n");
}

fn section(text: &mut String, at: usize, column: &ColumnProfile) {
    let target = if column.is_target { " <span class=\"faint\">to predict</span>" } else { "" };
    let _ = writeln!(text, "<h2 id=\"c{at}\">{}{target}</h2>", markup_text(&column.column));
    let _ = writeln!(
        text,
        "<p class=\"faint\">{}: {} values, {} missing, {} different{}</p>",
        column.kind.name(),
        count(column.values),
        count(column.missing),
        distinct(column),
        column
            .distinct
            .standard_error
            .map_or_else(String::new, |error| format!(", with a standard error of {}", percent(error)))
    );
    if !column.notes.is_empty() {
        let item = |note: &Note| format!("<li>{}</li>", markup_text(&note.text));
        let items: String = column.notes.iter().map(item).collect();
        let _ = writeln!(text, "<ul class=\"warn\">{items}</ul>");
    }
    if let Some(numbers) = &column.numbers {
        let _ = writeln!(
            text,
            "<p class=\"faint\">mean {}, deviation {}, skewness {}, kurtosis {}; {} zero, {} negative, {} infinite, {} \
             NaN</p>",
            figure(numbers.mean),
            figure(numbers.deviation),
            figure(numbers.skewness),
            figure(numbers.kurtosis),
            count(numbers.zeros),
            count(numbers.negative),
            count(numbers.infinite),
            count(numbers.not_a_number)
        );
    }
    if let Some(length) = &column.length {
        let _ = writeln!(
            text,
            "<p class=\"faint\">lengths from {} to {} characters, mean {}, median {}</p>",
            count(length.least),
            count(length.most),
            figure(Some(length.mean)),
            figure(Some(length.median))
        );
    }
    if let Some(quantiles) = &column.quantiles {
        let head: String =
            quantiles.values.iter().map(|one| format!("<th class=\"n\">{} %", one.share * 100.0)).collect();
        let row: String =
            quantiles.values.iter().map(|one| format!("<td class=\"n\">{}", told(Some(&one.value)))).collect();
        let _ = writeln!(text, "<table>\n<tr>{head}\n<tr>{row}\n</table>");
        if quantiles.rank_error > 0.0 {
            let error = percent(quantiles.rank_error);
            let _ = writeln!(text, "<p class=\"faint\">sketched: each share is right within {error}</p>");
        }
    }
    text.push_str("<div class=\"cols\">\n");
    if let Some(histogram) = &column.histogram {
        picture(text, column, histogram);
    }
    if column.top.iter().any(|top| top.count > 1) {
        bars(text, &column.top[..column.top.len().min(BARS)], &format!("Most frequent values of {}", column.column));
    }
    text.push_str("</div>\n");
}

/// Draws counts of bins.
fn picture(text: &mut String, column: &ColumnProfile, histogram: &Histogram) {
    let (width, height, bottom) = (420.0, 160.0, 136.0);
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let what = if histogram.of == "lengths" { "Lengths" } else { "Distribution" };
    let _ = writeln!(
        text,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{what} of {}\">\n\
         <text x=\"0\" y=\"12\">{}, highest bar: {} rows</text>",
        markup_text(&column.column),
        what.to_lowercase(),
        count(most)
    );
    let pitch = width / histogram.counts.len() as f64;
    for (at, rows) in histogram.counts.iter().enumerate() {
        let high = *rows as f64 / most as f64 * (bottom - 24.0);
        let _ = writeln!(
            text,
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{high:.2}\"/>",
            at as f64 * pitch,
            bottom - high,
            (pitch - 1.0).max(pitch * 0.8)
        );
    }
    let _ = writeln!(
        text,
        "<line class=\"axis\" x1=\"0\" y1=\"{bottom}\" x2=\"{width}\" y2=\"{bottom}\"/>\n\
         <text x=\"0\" y=\"{y}\">{}</text>\n<text x=\"{width}\" y=\"{y}\" text-anchor=\"end\">{}</text>\n</svg>",
        markup_text(&histogram.ends[0]),
        markup_text(&histogram.ends[1]),
        y = bottom + 18.0
    );
}

/// Draws values with their shares.
fn bars(text: &mut String, top: &[Top], title: &str) {
    let most = top.iter().map(|top| top.count).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let (width, left, line) = (420.0, 170.0, 18.0);
    let _ = writeln!(
        text,
        "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{}\">",
        top.len() as f64 * line + 4.0,
        markup_text(title)
    );
    for (at, one) in top.iter().enumerate() {
        let y = at as f64 * line;
        let name = match &one.value {
            Scalar::Text(text) => text.clone(),
            other => told(Some(other)),
        };
        let long = one.count as f64 / most as f64 * (width - left - 60.0);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}<title>{}</title></text>\
             <rect class=\"bar\" x=\"{left}\" y=\"{:.1}\" width=\"{long:.2}\" height=\"12\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 6.0,
            y + 13.0,
            markup_text(&cut(&name, 24)),
            markup_text(&name),
            y + 3.0,
            left + long + 5.0,
            y + 13.0,
            percent(one.share)
        );
    }
    text.push_str("</svg>\n");
}
