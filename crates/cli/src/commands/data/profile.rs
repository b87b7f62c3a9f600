//! `trainyard data profile`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use trainyard_data::{Batches, Stray};
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_pipeline::{Given, Request, figure};
use trainyard_quality::profile::{ColumnProfile, Histogram, Note, Profile, Profiler, Scalar, TargetProfile, Top, page};
use trainyard_spec::ColumnType;

use crate::arguments::Profile as Arguments;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, count, counted, cut, number, table};

pub(super) fn run(arguments: &Arguments, request: &Request, printer: Printer) -> Result<u8, Stop> {
    let file = super::only(request, &arguments.file, &arguments.rows)?;
    let shown = &file.shown;
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let wrong = |error: trainyard_data::Error| Stop::from(error.diagnostic());
    let batches = super::as_project(&file, |options| Batches::open(&io, &file.path, shown, options))?;
    let schema = batches.schema();
    let asked: Vec<String> = arguments.target.iter().cloned().collect();
    super::known("data/unknown-column", &asked, &[&RecordBatch::new_empty(schema.clone())])?;
    let mut profiler = Profiler::new(&schema, arguments.target.as_deref());
    batches.scan(&mut |batch| profiler.add(batch)).map_err(wrong)?;
    let mut profile = profiler.finish();
    for stray in batches.strays() {
        profile.note(&stray.column, mixed(stray));
    }
    if let Some(path) = &arguments.html {
        write_atomic(&DiskIo, path, page(&profile, shown).as_bytes())?;
    }
    printer.result(|| document(&profile, shown), |paint| text(&profile, shown, paint))?;
    Ok(0)
}

/// Says what breaks the type of a column: a run would refuse it.
fn mixed(stray: &Stray) -> Note {
    let text = format!(
        "the first values are {}, but {} {} not, first {:?} in row {}: a run refuses that until `data.types` or \
         `data.missing` says what is meant",
        noun(stray.first),
        count(stray.count),
        if stray.count == 1 { "is" } else { "are" },
        cut(&clean(&stray.value), 40),
        count(stray.row as u64)
    );
    Note { about: "mixed", text }
}

fn noun(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Boolean => "true or false",
        ColumnType::Integer => "whole numbers",
        ColumnType::Float => "numbers",
        ColumnType::Text => "text",
        ColumnType::Date => "days",
        ColumnType::Timestamp => "points in time",
    }
}

/// Profiles a table that is read by its first values, as runs of the project read it.
pub(super) fn of(file: &Given) -> Result<Profile, Stop> {
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let wrong = |error: trainyard_data::Error| Stop::from(error.diagnostic());
    let batches = super::as_project(file, |options| Batches::open(&io, &file.path, &file.shown, options))?;
    if !batches.strays().is_empty() {
        // Nothing that is said of such a table would hold when it is read for a run; this says why.
        super::read_as_project(file)?;
    }
    let mut profiler = Profiler::new(&batches.schema(), None);
    batches.scan(&mut |batch| profiler.add(batch)).map_err(wrong)?;
    Ok(profiler.finish())
}

fn document(profile: &Profile, file: &str) -> Value {
    let mut document = json!({ "file": file });
    if let (Value::Object(whole), Value::Object(parts)) = (&mut document, json!(profile)) {
        whole.extend(parts);
    }
    document
}

fn text(profile: &Profile, file: &str, paint: Paint) -> String {
    let mut text = format!(
        "{}   {}: {} × {}\n\n",
        paint.ink(Ink::Strong, "Profile"),
        clean(file),
        counted(usize::try_from(profile.rows).unwrap_or(usize::MAX), "row"),
        counted(profile.columns.len(), "column")
    );
    let head = ["column", "type", "missing", "distinct", "least", "median", "most", "mean", "shape", "most frequent"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(profile.columns.iter().map(column));
    let (left, right) = (Side::Left, Side::Right);
    text.push_str(&table(&[left, left, right, right, right, right, right, right, left, left], &lines));
    let notes = profile.columns.iter().flat_map(|column| column.notes.iter().map(move |note| (column, note)));
    let notes: Vec<String> =
        notes.map(|(column, note)| format!("  · {}: {}\n", clean(&column.column), clean(&note.text))).collect();
    if !notes.is_empty() {
        text.push_str(&format!("\n{}\n{}", paint.ink(Ink::Strong, "Look at"), notes.concat()));
    }
    let mut rows = vec![vec!["duplicates".to_owned(), profile.duplicates.told()]];
    rows.extend(correlated(profile));
    if let Some(target) = &profile.target {
        rows.extend(predicted(target));
    }
    text.push('\n');
    text.push_str(&table(&[left, left], &rows));
    text
}

/// A value whose share is below this would be told to have none.
const RARE: f64 = 0.0005;

/// Gives the line of a column.
fn column(column: &ColumnProfile) -> Vec<String> {
    let rows = column.values + column.missing;
    let missing = match column.missing {
        0 => "–".to_owned(),
        some => percent(some as f64 / rows as f64),
    };
    let sign = if column.distinct.exact { "" } else { "≈" };
    let value = |value: Option<&Scalar>| value.map_or_else(String::new, told);
    let median = column.quantiles.as_ref().and_then(|quantiles| quantiles.at(0.5));
    let frequent = |top: &Top| format!("{} {}", told(&top.value), percent(top.share));
    vec![
        cut(&column.column, 32),
        format!("{}{}", column.kind.name(), if column.is_target { ", target" } else { "" }),
        missing,
        format!("{sign}{}", count(column.distinct.count)),
        value(column.least.as_ref()),
        value(median),
        value(column.most.as_ref()),
        column.numbers.as_ref().map_or_else(String::new, |numbers| number(numbers.mean)),
        column.histogram.as_ref().filter(|histogram| histogram.of == "values").map_or_else(String::new, shape),
        column.top.first().filter(|top| top.share >= RARE && top.count > 1).map_or_else(String::new, frequent),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn told(value: &Scalar) -> String {
    match value {
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        // A median of whole numbers is one in most cases.
        Scalar::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => value.to_string(),
        Scalar::Float(value) => figure(*value),
        Scalar::Text(text) => cut(text, 24),
    }
}

/// The bars of a histogram in one line.
const WIDTH: usize = 12;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn shape(histogram: &Histogram) -> String {
    let bins = histogram.counts.len();
    let width = bins.min(WIDTH);
    // A bar may stand for more bins than another: its height is their mean.
    let mut bars = vec![(0_u64, 0_u64); width];
    for (at, count) in histogram.counts.iter().enumerate() {
        if let Some((sum, of)) = bars.get_mut(at * width / bins) {
            *sum += count;
            *of += 1;
        }
    }
    let heights: Vec<f64> = bars.iter().map(|(sum, of)| *sum as f64 / *of as f64).collect();
    let most = heights.iter().copied().fold(0.0, f64::max);
    let bar = |height: &f64| {
        let eighths = (height / most * BARS.len() as f64).ceil() as usize;
        eighths.checked_sub(1).and_then(|at| BARS.get(at)).copied().unwrap_or(' ')
    };
    heights.iter().map(bar).collect()
}

/// The most pairs of columns that are told.
const PAIRS: usize = 5;

fn correlated(profile: &Profile) -> Vec<Vec<String>> {
    let close = profile.closest();
    let told = close.iter().take(PAIRS).enumerate().map(|(at, one)| {
        let first = if at == 0 { "correlated" } else { "" };
        let measure = if one.measure == "pearson" { "Pearson" } else { "Cramér's V" };
        vec![first.to_owned(), format!("{} and {}: {measure} {}", one.a, one.b, number(one.value))]
    });
    let mut rows: Vec<Vec<String>> = told.collect();
    if close.len() > PAIRS {
        rows.push(vec![String::new(), format!("and {} more", counted(close.len() - PAIRS, "pair"))]);
    }
    rows
}

/// The most classes and suspects that are told.
const TOLD: usize = 8;

fn predicted(target: &TargetProfile) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Some(classes) = target.classes.as_ref().filter(|classes| !classes.is_empty()) {
        let mut shown: Vec<String> = classes
            .iter()
            .take(TOLD)
            .map(|class| format!("{} {} ({})", told(&class.value), count(class.count), percent(class.share)))
            .collect();
        if classes.len() > TOLD {
            shown.push(format!("{} more", classes.len() - TOLD));
        }
        rows.push(vec!["classes".to_owned(), shown.join(" · ")]);
    }
    if let Some(why) = &target.why {
        rows.push(vec!["suspects".to_owned(), format!("no column was held against {}: {why}", target.column)]);
    }
    if let Some(predictors) = &target.predictors {
        let (measure, threshold) = (predictors.measure, predictors.threshold);
        let suspects: Vec<_> = predictors.columns.iter().filter(|one| one.suspect).collect();
        for (at, one) in suspects.iter().take(TOLD).enumerate() {
            let first = if at == 0 { "suspects" } else { "" };
            let text = format!(
                "{} alone predicts {}: {measure} {} (from {threshold} on)",
                one.column,
                target.column,
                figure(one.value)
            );
            rows.push(vec![first.to_owned(), text]);
        }
        if suspects.len() > TOLD {
            rows.push(vec![String::new(), format!("and {} more", counted(suspects.len() - TOLD, "column"))]);
        }
        if suspects.is_empty() {
            let best = predictors.columns.first();
            let best = best.map_or_else(String::new, |one| format!("; {} has {}", one.column, figure(one.value)));
            let text = format!("none: no column alone has a {measure} of {threshold}{best}");
            rows.push(vec!["suspects".to_owned(), text]);
        }
        let sample = if predictors.sampled { "a sample of " } else { "" };
        let of = count(predictors.rows);
        rows.push(vec![String::new(), format!("by {sample}{of} rows, each predicted by the others")]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::{Histogram, shape};

    #[test]
    fn shapes_are_drawn_in_one_line() {
        let of = |counts: &[u64]| {
            shape(&Histogram { of: "values", edges: Vec::new(), ends: Default::default(), counts: counts.to_vec() })
        };
        assert_eq!(of(&[1, 0, 4, 8]), "▁ ▄█");
        assert_eq!(of(&[5]), "█");
        assert_eq!(of(&[1; 25]), "████████████");
        assert_eq!(of(&[0, 0]), "  ");
        assert_eq!(of(&[]), "");
    }
}
