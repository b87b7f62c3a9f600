//! What predictions miss, row by row and as a distribution.

use trainyard_diagnostics::count;

use super::font::Font;
use super::picture::{Align, Picture};
use super::scale::{Frame, Scale};
use super::tone::{AXIS, BAR, FAINT, HIGH, INK};
use super::{MARGIN, SMALL, TITLE};

/// The most rows that are drawn as dots.
const MOST_DOTS: usize = 2000;
/// The bars of the distribution.
const BARS: usize = 40;
const WIDTH: usize = 620;
const HEIGHT: usize = 400;
/// The length of the longest bar.
const LONGEST: usize = 170;

/// Draws targets less predictions over predictions, and beside it how many rows miss by how much.
///
/// Of more than 2,000 rows every so many-th is a dot; all are counted in the bars. Rows whose numbers are not finite are
/// left out, and the subtitle counts them.
pub fn residuals(targets: &[f64], predictions: &[f64]) -> Picture {
    let rows: Vec<(f64, f64)> = targets.iter().zip(predictions).map(|(target, made)| (*made, target - made)).collect();
    let finite: Vec<(f64, f64)> = rows.iter().copied().filter(|(made, miss)| (made + miss).is_finite()).collect();
    let made = Scale::over(finite.iter().map(|row| row.0));
    let misses = Scale::over(finite.iter().map(|row| row.1).chain([0.0]));
    let marks = misses.marks.iter().map(|mark| Font::new(SMALL).width(&misses.written(*mark))).fold(40.0, f32::max);
    let (left, top) = (MARGIN + 44 + marks.ceil() as usize, 126);
    let (right, bottom) = (left + WIDTH, top + HEIGHT);
    let bars = right + 40;
    let mut picture = Picture::new(bars + LONGEST + MARGIN, bottom + 80, "Residuals");
    picture.text(TITLE, "Residuals", MARGIN as f32, 40.0, Align::Left, INK);
    let step = finite.len().div_ceil(MOST_DOTS).max(1);
    let mut words = format!("targets less predictions in {} rows", count(finite.len() as u64));
    if step > 1 {
        words.push_str(&format!(", one of {step} as a dot"));
    }
    if finite.len() < rows.len() {
        words.push_str(&format!("; {} without a finite number", count((rows.len() - finite.len()) as u64)));
    }
    picture.text(SMALL, &words, MARGIN as f32, 74.0, Align::Left, FAINT);
    let frame = Frame { left, top, right, bottom };
    frame.draw_marks(&mut picture, &made, &misses);
    for (value, miss) in finite.iter().step_by(step) {
        let at = (frame.x(&made, *value), frame.y(&misses, *miss));
        picture.line(at, at, 4.0, BAR);
    }
    let zero = frame.y(&misses, 0.0).round() as usize;
    picture.fill(left, zero, right, zero + 2, HIGH);
    let mut counts = [0_usize; BARS];
    for (_, miss) in &finite {
        let bar = ((misses.place(*miss) * BARS as f64) as usize).min(BARS - 1);
        counts[bar] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    for (bar, count) in counts.iter().enumerate() {
        let edge = |bar: usize| bottom - bar * HEIGHT / BARS;
        let length = (count * LONGEST).div_ceil(most);
        picture.fill(bars, edge(bar + 1) + 1, bars + length, edge(bar), BAR);
    }
    picture.fill(bars, top, bars + 1, bottom, AXIS);
    picture.text(SMALL, "prediction", (left + WIDTH / 2) as f32, (bottom + 52) as f32, Align::Middle, FAINT);
    picture.text(SMALL, "rows", (bars + LONGEST / 2) as f32, (bottom + 52) as f32, Align::Middle, FAINT);
    picture.text_upwards(SMALL, "target less prediction", (MARGIN + 4) as f32, (top + HEIGHT / 2) as f32, FAINT);
    picture
}
