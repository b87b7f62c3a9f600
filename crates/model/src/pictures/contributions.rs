//! The contributions of features to single rows as dots.

use super::font::Font;
use super::picture::{Align, Picture};
use super::tone::{AXIS, FAINT, GRID, HIGH, INK, LOW, Tone};
use super::{LABEL, MARGIN, SMALL, TITLE, TOP};
use crate::Explanation;
use crate::report::significant;

/// The width of a dot.
const DOT: usize = 4;
/// The most rows that are drawn as dots.
const MOST_DOTS: usize = 1000;

/// Draws what each feature added to each explained row, the features with the largest contributions on top.
///
/// A dot is a row: right of the middle its feature raised the margin, left of it the feature lowered it; blue dots have
/// low values of the feature, red ones high values, grey ones none. Of several margins the last is drawn. At most 20
/// features and 1,000 rows are shown.
pub fn contributions(explanation: &Explanation) -> Picture {
    let (small, label) = (Font::new(SMALL), Font::new(LABEL));
    let Some(margin) = explanation.contributions.last() else {
        return Picture::new(1, 1, "");
    };
    let rows = margin.rows().min(MOST_DOTS);
    let mut order: Vec<(usize, f64)> = margin.mean_absolute().into_iter().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.truncate(TOP);
    let of = |feature: usize, row: usize| margin.row(row)[feature];
    let reach = order.iter().flat_map(|(feature, _)| (0..rows).map(|row| of(*feature, row).abs()));
    let reach = reach.filter(|size| size.is_finite()).fold(0.0, f64::max);
    let names = order.iter().map(|(feature, _)| label.width(&explanation.features[*feature])).fold(60.0, f32::max);
    let names = names.min(360.0);
    let left = MARGIN + names.ceil() as usize + 24;
    let (right, top, pitch) = (left + 700, 116, 38);
    let bottom = top + pitch * order.len().max(1);
    let mut picture = Picture::new(right + MARGIN, bottom + 86, "Contributions to single predictions");
    picture.text(TITLE, "Contributions to single predictions", MARGIN as f32, 40.0, Align::Left, INK);
    let output = explanation.outputs.last().map_or("", String::as_str);
    let subtitle = format!(
        "to {}, in {} rows; {} of {} features; blue dots: low values, red dots: high values",
        small.cut(output, 200.0),
        trainyard_diagnostics::count(rows as u64),
        order.len(),
        explanation.features.len()
    );
    picture.text(SMALL, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);
    let middle = (left + right) / 2;
    let half = (right - left) as f64 / 2.0 - 8.0;
    let column = |value: f64| {
        let share = if reach > 0.0 && value.is_finite() { value / reach } else { 0.0 };
        (middle as f64 + share * half).round() as usize
    };
    for share in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let x = column(share * reach);
        picture.fill(x, top - 6, x + 1, bottom + 6, if share == 0.0 { AXIS } else { GRID });
        let text = if reach > 0.0 { significant(share * reach, 3) } else { String::new() };
        picture.text(SMALL, &text, x as f32, (bottom + 24) as f32, Align::Middle, FAINT);
    }
    let words = "what the feature adds to the margin";
    picture.text(SMALL, words, middle as f32, (bottom + 58) as f32, Align::Middle, FAINT);
    for (place, (feature, _)) in order.iter().enumerate() {
        let center = top + place * pitch + pitch / 2;
        let name = label.cut(&explanation.features[*feature], names);
        picture.text(LABEL, &name, (left - 16) as f32, center as f32, Align::Right, INK);
        let colors = dot_colors(explanation.values.get(*feature).map_or(&[], Vec::as_slice));
        // Dots of one column stand above and below one another, in the order of the rows.
        let mut stacked = std::collections::BTreeMap::new();
        for row in 0..rows {
            let x = column(of(*feature, row));
            let level = stacked.entry(x / DOT).or_insert(0_usize);
            let offset = level.div_ceil(2).min((pitch / 2 - DOT) / 2) * 2;
            let y = if *level % 2 == 0 { center + offset } else { center - offset };
            *level += 1;
            let color = colors.get(row).copied().unwrap_or(AXIS);
            picture.fill(x.saturating_sub(DOT / 2), y - DOT / 2, x + DOT / 2 + 1, y + DOT / 2 + 1, color);
        }
    }
    picture
}

/// Gives each value its colour, by its place among the values: ranks, so that one large value does not hide the others.
fn dot_colors(values: &[f64]) -> Vec<Tone> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let span = sorted.len().saturating_sub(1).max(1) as f64;
    let color = |value: &f64| {
        if value.is_nan() {
            return AXIS;
        }
        let below = sorted.partition_point(|other| other < value) as f64;
        let through = sorted.partition_point(|other| other <= value) as f64 - 1.0;
        let share = (below + through) / 2.0 / span;
        LOW.towards(HIGH, share)
    };
    values.iter().map(color).collect()
}
