//! The importance of features as bars.

use super::font::Font;
use super::picture::{Align, Picture};
use super::tone::{AXIS, BAR, FAINT, GRID, INK};
use super::{LABEL, MARGIN, SMALL, TITLE, TOP, percent};

/// Draws the features of most importance as bars, the largest on top.
///
/// A bar shows a feature's share of the sum of all importances; numbers that are not finite or not above 0 count as 0.
/// At most 20 features are shown, ties in the order of their names; long names are cut.
pub fn feature_importance(importance: &[(String, f64)]) -> Picture {
    let counted = |value: f64| if value.is_finite() && value > 0.0 { value } else { 0.0 };
    let total: f64 = importance.iter().map(|(_, value)| counted(*value)).sum();
    let share = |value: f64| if total > 0.0 { counted(value) / total } else { 0.0 };
    let mut bars: Vec<(&str, f64)> = importance.iter().map(|(name, value)| (name.as_str(), share(*value))).collect();
    bars.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    bars.truncate(TOP);

    let label = Font::new(LABEL);
    let pitch = 34;
    let names = bars.iter().map(|(name, _)| label.width(name)).fold(60.0, f32::max).min(360.0);
    let left = MARGIN + names.ceil() as usize + 14;
    let right = left + 620;
    let top = 116;
    let bottom = top + pitch * bars.len().max(1);
    let mut picture = Picture::new(right + 92, bottom + 86, "Feature importance");
    picture.text(TITLE, "Feature importance", MARGIN as f32, 40.0, Align::Left, INK);
    let subtitle = if bars.len() < importance.len() {
        format!("the {} of {} features with the largest share", bars.len(), importance.len())
    } else {
        format!("{} features", bars.len())
    };
    picture.text(SMALL, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);

    let largest = bars.first().map_or(0.0, |bar| bar.1);
    let step = tick(largest);
    let ticks = (largest / step).ceil().max(1.0) as usize;
    let scale = (right - left) as f64 / (ticks as f64 * step);
    let column = |value: f64| left + (value * scale).round() as usize;
    for number in 0..=ticks {
        let value = number as f64 * step;
        let x = column(value);
        picture.fill(x, top - 6, x + 1, bottom + 6, if number == 0 { AXIS } else { GRID });
        picture.text(SMALL, &percent(value, step < 0.01), x as f32, (bottom + 24) as f32, Align::Middle, FAINT);
    }
    let middle = (left + right) as f32 / 2.0;
    picture.text(SMALL, "share of the total importance", middle, (bottom + 58) as f32, Align::Middle, FAINT);
    for (row, (name, value)) in bars.iter().enumerate() {
        let y = top + row * pitch;
        let end = column(*value);
        let center = (y + pitch / 2) as f32;
        picture.fill(left, y + 5, end.max(left + 1), y + pitch - 5, BAR);
        picture.text(LABEL, &label.cut(name, names), (left - 12) as f32, center, Align::Right, INK);
        picture.text(SMALL, &percent(*value, true), (end + 8) as f32, center, Align::Left, INK);
    }
    picture
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        for largest in [0.0003, 0.02, 0.26, 0.5, 1.0] {
            let step = tick(largest);
            assert!(largest / step <= 6.0 && step <= 1.0, "{largest} gives {step}");
        }
    }
}
