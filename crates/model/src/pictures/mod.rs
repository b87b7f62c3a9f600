//! Pictures of a model, as PNG with a font inside: the same bytes on any machine.

mod canvas;
mod curves;
mod font;

use self::canvas::{Align, Canvas, Color};
pub use self::curves::curves;
use self::font::Font;
use crate::Explanation;
use crate::report::significant;

/// The most features that a picture shows.
const TOP: usize = 20;

/// The most classes that a picture shows.
const MOST_CLASSES: usize = 30;

/// The least width of a confusion matrix, so that its title fits.
const LEAST_WIDTH: usize = 420;

const PAPER: Color = [255, 255, 255];
const INK: Color = [31, 41, 55];
const FAINT: Color = [107, 114, 128];
const GRID: Color = [229, 231, 235];
const AXIS: Color = [156, 163, 175];
const BAR: Color = [37, 99, 178];

const MARGIN: usize = 32;

/// The colours of a feature's lowest and highest value.
const LOW: Color = [37, 99, 178];
const HIGH: Color = [196, 51, 72];
/// The width of a dot.
const DOT: usize = 4;
/// The most rows that are drawn as dots.
const MOST_DOTS: usize = 1000;

/// Draws the features of most importance as bars, the largest on top.
///
/// A bar shows a feature's share of the sum of all importances; numbers that are not finite or not above 0 count as 0.
/// At most 20 features are shown, ties in the order of their names; long names are cut.
pub fn feature_importance(importance: &[(String, f64)]) -> Vec<u8> {
    let counted = |value: f64| if value.is_finite() && value > 0.0 { value } else { 0.0 };
    let total: f64 = importance.iter().map(|(_, value)| counted(*value)).sum();
    let share = |value: f64| if total > 0.0 { counted(value) / total } else { 0.0 };
    let mut bars: Vec<(&str, f64)> = importance.iter().map(|(name, value)| (name.as_str(), share(*value))).collect();
    bars.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    bars.truncate(TOP);

    let (title, small, label) = (Font::new(26.0), Font::new(16.0), Font::new(18.0));
    let pitch = 34;
    let names = bars.iter().map(|(name, _)| label.width(name)).fold(60.0, f32::max).min(360.0);
    let left = MARGIN + names.ceil() as usize + 14;
    let right = left + 620;
    let top = 116;
    let bottom = top + pitch * bars.len().max(1);
    let mut canvas = Canvas::new(right + 92, bottom + 86, PAPER);
    canvas.text(&title, "Feature importance", MARGIN as f32, 40.0, Align::Left, INK);
    let subtitle = if bars.len() < importance.len() {
        format!("the {} of {} features with the largest share", bars.len(), importance.len())
    } else {
        format!("{} features", bars.len())
    };
    canvas.text(&small, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);

    let largest = bars.first().map_or(0.0, |bar| bar.1);
    let step = tick(largest);
    let ticks = (largest / step).ceil().max(1.0) as usize;
    let scale = (right - left) as f64 / (ticks as f64 * step);
    let column = |value: f64| left + (value * scale).round() as usize;
    for number in 0..=ticks {
        let value = number as f64 * step;
        let x = column(value);
        canvas.fill(x, top - 6, x + 1, bottom + 6, if number == 0 { AXIS } else { GRID });
        canvas.text(&small, &percent(value, step < 0.01), x as f32, (bottom + 24) as f32, Align::Middle, FAINT);
    }
    let middle = (left + right) as f32 / 2.0;
    canvas.text(&small, "share of the total importance", middle, (bottom + 58) as f32, Align::Middle, FAINT);
    for (row, (name, value)) in bars.iter().enumerate() {
        let y = top + row * pitch;
        let end = column(*value);
        let center = (y + pitch / 2) as f32;
        canvas.fill(left, y + 5, end.max(left + 1), y + pitch - 5, BAR);
        canvas.text(&label, &label.cut(name, names), (left - 12) as f32, center, Align::Right, INK);
        canvas.text(&small, &percent(*value, true), (end + 8) as f32, center, Align::Left, INK);
    }
    canvas.to_png()
}

/// Draws what each feature added to each explained row, the features with the largest contributions on top.
///
/// A dot is a row: right of the middle its feature raised the margin, left of it the feature lowered it; blue dots have
/// low values of the feature, red ones high values, grey ones none. Of several margins the last is drawn. At most 20
/// features and 1,000 rows are shown.
pub fn contributions(explanation: &Explanation) -> Vec<u8> {
    let (title, small, label) = (Font::new(26.0), Font::new(16.0), Font::new(18.0));
    let Some(margin) = explanation.contributions.last() else { return Canvas::new(1, 1, PAPER).to_png() };
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
    let mut canvas = Canvas::new(right + MARGIN, bottom + 86, PAPER);
    canvas.text(&title, "Contributions to single predictions", MARGIN as f32, 40.0, Align::Left, INK);
    let output = explanation.outputs.last().map_or("", String::as_str);
    let subtitle = format!(
        "to {}, in {} rows; {} of {} features; blue dots: low values, red dots: high values",
        small.cut(output, 200.0),
        trainyard_diagnostics::count(rows as u64),
        order.len(),
        explanation.features.len()
    );
    canvas.text(&small, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);
    let middle = (left + right) / 2;
    let half = (right - left) as f64 / 2.0 - 8.0;
    let column = |value: f64| {
        let share = if reach > 0.0 && value.is_finite() { value / reach } else { 0.0 };
        (middle as f64 + share * half).round() as usize
    };
    for share in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let x = column(share * reach);
        canvas.fill(x, top - 6, x + 1, bottom + 6, if share == 0.0 { AXIS } else { GRID });
        let text = if reach > 0.0 { significant(share * reach, 3) } else { String::new() };
        canvas.text(&small, &text, x as f32, (bottom + 24) as f32, Align::Middle, FAINT);
    }
    let words = "what the feature adds to the margin";
    canvas.text(&small, words, middle as f32, (bottom + 58) as f32, Align::Middle, FAINT);
    for (place, (feature, _)) in order.iter().enumerate() {
        let center = top + place * pitch + pitch / 2;
        let name = label.cut(&explanation.features[*feature], names);
        canvas.text(&label, &name, (left - 16) as f32, center as f32, Align::Right, INK);
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
            canvas.fill(x.saturating_sub(DOT / 2), y - DOT / 2, x + DOT / 2 + 1, y + DOT / 2 + 1, color);
        }
    }
    canvas.to_png()
}

/// Gives each value its colour, by its place among the values: ranks, so that one large value does not hide the others.
fn dot_colors(values: &[f64]) -> Vec<Color> {
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
        let mut color = LOW;
        for ((part, low), high) in color.iter_mut().zip(LOW).zip(HIGH) {
            *part = (f64::from(low) + (f64::from(high) - f64::from(low)) * share).round() as u8;
        }
        color
    };
    values.iter().map(color).collect()
}

/// Draws how many rows of each class were predicted as each, with their share of the actual class.
///
/// `counts[actual][predicted]` in the order of `classes`, which is that of [`trainyard_learn::metrics::class_confusion`].
/// Beyond 30 classes only the first are shown, and the subtitle says so.
pub fn confusion_matrix(counts: &[Vec<u64>], classes: &[String]) -> Vec<u8> {
    let (title, small, label, large) = (Font::new(26.0), Font::new(16.0), Font::new(18.0), Font::new(34.0));
    let shown = classes.len().min(MOST_CLASSES);
    // The picture grows with the classes, and their cells shrink.
    let cell = match shown {
        0..=2 => 210,
        3..=5 => 150,
        6..=12 => 84,
        _ => 48,
    };
    let names = classes.iter().map(|name| label.width(name)).fold(40.0, f32::max).min(180.0);
    let left = MARGIN + 40 + names.ceil() as usize + 14;
    let top = 150;
    let (right, bottom) = (left + shown * cell, top + shown * cell);
    let mut canvas = Canvas::new(right.max(left + LEAST_WIDTH) + MARGIN, bottom + MARGIN, PAPER);
    let rows: u64 = counts.iter().flatten().sum();
    let correct: u64 = counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
    canvas.text(&title, "Confusion matrix", MARGIN as f32, 40.0, Align::Left, INK);
    let mut subtitle = format!(
        "{} of {} rows predicted correctly",
        trainyard_diagnostics::count(correct),
        trainyard_diagnostics::count(rows)
    );
    if shown < classes.len() {
        subtitle.push_str(&format!("; the first {shown} of {} classes", classes.len()));
    }
    canvas.text(&small, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);
    let half = shown * cell / 2;
    canvas.text(&small, "predicted", (left + half) as f32, (top - 46) as f32, Align::Middle, FAINT);
    canvas.text_upwards(&small, "actual", (MARGIN + 8) as f32, (top + half) as f32, FAINT);
    for (index, name) in classes.iter().take(shown).enumerate() {
        let middle = (index * cell + cell / 2) as f32;
        let above = label.cut(name, cell as f32 - 10.0);
        canvas.text(&label, &above, left as f32 + middle, (top - 16) as f32, Align::Middle, INK);
        canvas.text(&label, &label.cut(name, names), (left - 12) as f32, top as f32 + middle, Align::Right, INK);
    }
    for (actual, row) in counts.iter().take(shown).enumerate() {
        let of_class: u64 = row.iter().sum();
        for (predicted, &count) in row.iter().take(shown).enumerate() {
            let share = if of_class > 0 { count as f64 / of_class as f64 } else { 0.0 };
            let (x, y) = (left + predicted * cell, top + actual * cell);
            canvas.fill(x + 1, y + 1, x + cell - 1, y + cell - 1, shade(share));
            let (strong, soft) = match share {
                share if share > 0.55 => (PAPER, PAPER),
                share if share > 0.25 => (INK, INK),
                _ => (INK, FAINT),
            };
            let (center, middle) = ((x + cell / 2) as f32, (y + cell / 2) as f32);
            let number = trainyard_diagnostics::count(count);
            let fits = |font: &Font| font.width(&number) < cell as f32 - 24.0;
            let font = if cell > 100 && fits(&large) {
                &large
            } else if fits(&label) {
                &label
            } else {
                &small
            };
            if cell < 100 {
                canvas.text(font, &number, center, middle, Align::Middle, strong);
                continue;
            }
            canvas.text(font, &number, center, middle - 14.0, Align::Middle, strong);
            let name = small.cut(&classes[actual], cell as f32 - 100.0);
            let share = if of_class > 0 { format!("{} of {name}", percent(share, true)) } else { "–".into() };
            canvas.text(&small, &share, center, middle + 26.0, Align::Middle, soft);
        }
    }
    canvas.to_png()
}

/// Gives a round distance between at most six marks up to `largest`.
fn tick(largest: f64) -> f64 {
    let mut step = 0.0001;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if largest <= step * 6.0 || step >= 1.0 {
            break;
        }
        step *= factor;
    }
    step
}

fn percent(share: f64, with_tenths: bool) -> String {
    if with_tenths { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

/// Mixes paper and bar colour by a share.
fn shade(share: f64) -> Color {
    let mut color = PAPER;
    for ((part, paper), bar) in color.iter_mut().zip([240.0, 244.0, 250.0]).zip(BAR) {
        *part = (paper + (f64::from(bar) - paper) * share).round() as u8;
    }
    color
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_the_same_each_time_and_differ_where_numbers_do() {
        let classes = ["No".to_owned(), "Yes".to_owned()];
        let of = |last: u64| confusion_matrix(&[vec![900, 100], vec![50, last]], &classes);
        let picture = of(50);
        assert_eq!(of(50), picture);
        assert_ne!(of(51), picture);
        // Frozen: another value is another set of bytes for every model that is trained.
        assert_eq!(crc(&picture), 1_991_524_332);
    }

    #[test]
    fn curves_are_drawn_for_any_number_of_classes() {
        let of = |class: usize| {
            let targets: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 3 == class % 3))).collect();
            let probabilities: Vec<f64> =
                (0..200).map(|row| f64::from(row * (class as i32 + 3) % 101) / 101.0).collect();
            crate::Curves::of(&format!("class {class}"), &targets, &probabilities).unwrap()
        };
        for classes in [0, 1, 3, 12] {
            let all: Vec<_> = (0..classes).map(of).collect();
            let picture = curves(&all);
            assert!(picture.ends_with(b"IEND\xaeB`\x82"));
            assert_eq!(picture, curves(&all));
        }
    }

    #[test]
    fn odd_importances_are_drawn_too() {
        for importance in
            [vec![], vec![("a\n\u{0}客".repeat(90), f64::NAN)], vec![("x".into(), -1.0), ("y".into(), f64::INFINITY)]]
        {
            assert!(feature_importance(&importance).ends_with(b"IEND\xaeB`\x82"));
        }
        for classes in [0, 1, 2, 3, 8, 20, 31, 200] {
            let counts = vec![vec![7; classes]; classes];
            let names: Vec<String> = (0..classes).map(|class| "x".repeat(class * 9)).collect();
            assert!(confusion_matrix(&counts, &names).ends_with(b"IEND\xaeB`\x82"), "{classes}");
        }
    }

    #[test]
    fn numbers_are_grouped_and_marks_are_round() {
        assert_eq!([0, 999, 1000, 1_234_567].map(trainyard_diagnostics::count), ["0", "999", "1,000", "1,234,567"]);
        for largest in [0.0003, 0.02, 0.26, 0.5, 1.0] {
            let step = tick(largest);
            assert!(largest / step <= 6.0 && step <= 1.0, "{largest} gives {step}");
        }
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut check = flate2::Crc::new();
        check.update(bytes);
        check.sum()
    }
}
