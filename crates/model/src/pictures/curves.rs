//! ROC, precision-recall and calibration curves side by side.

use super::font::Font;
use super::picture::{Align, Picture};
use super::tone::{AXIS, FAINT, GRID, INK, SERIES};
use super::{LABEL, MARGIN, SMALL, TITLE};
use crate::Curves;

/// The side of a panel.
const SIDE: usize = 340;
/// What lies between panels: the marks and the name of the next one's axis.
const GAP: usize = 96;
/// The most classes whose curves are drawn.
const MOST_CLASSES: usize = SERIES.len();
/// Draws the ROC, precision-recall and calibration curves of each class.
///
/// The broken lines show what chance and a perfect calibration would do. Of more than ten classes the first ten are drawn,
/// and the subtitle says so.
pub fn curves(curves: &[Curves]) -> Picture {
    let small = Font::new(SMALL);
    let shown = &curves[..curves.len().min(MOST_CLASSES)];
    let legend = if shown.len() > 1 { shown.len().div_ceil(5) * 26 + 10 } else { 0 };
    let top = 150;
    let bottom = top + SIDE;
    let left = |panel: usize| MARGIN + 64 + panel * (SIDE + GAP);
    let mut picture = Picture::new(left(2) + SIDE + MARGIN + 16, bottom + 92 + legend, "Curves");
    picture.text(TITLE, "Curves", MARGIN as f32, 40.0, Align::Left, INK);
    let subtitle = match (shown, curves.len()) {
        ([only], _) => format!("the class {} against all others", small.cut(&only.class, 300.0)),
        (_, all) if all > MOST_CLASSES => format!("the first {MOST_CLASSES} of {all} classes, each against all others"),
        (_, all) => format!("{all} classes, each against all others"),
    };
    picture.text(SMALL, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);
    let panels: [(&str, &str, &str, Points); 3] = [
        ("ROC", "false positive rate", "true positive rate", |curves| pairs(&curves.roc, 1, 2)),
        ("Precision and recall", "recall", "precision", |curves| pairs(&curves.precision_recall, 2, 1)),
        ("Calibration", "mean probability", "share of positives", |curves| pairs(&curves.calibration, 0, 1)),
    ];
    for (panel, (name, across, upwards, points)) in panels.into_iter().enumerate() {
        let left = left(panel);
        picture.text(LABEL, name, left as f32, (top - 28) as f32, Align::Left, INK);
        for mark in 0..=4 {
            let offset = mark * SIDE / 4;
            let color = if mark == 0 { AXIS } else { GRID };
            picture.fill(left + offset, top, left + offset + 1, bottom + 1, color);
            picture.fill(left, bottom - offset, left + SIDE + 1, bottom - offset + 1, color);
            let text = format!("{:.2}", mark as f64 / 4.0);
            picture.text(SMALL, &text, (left + offset) as f32, (bottom + 20) as f32, Align::Middle, FAINT);
            picture.text(SMALL, &text, (left - 8) as f32, (bottom - offset) as f32, Align::Right, FAINT);
        }
        picture.text(SMALL, across, (left + SIDE / 2) as f32, (bottom + 50) as f32, Align::Middle, FAINT);
        picture.text_upwards(SMALL, upwards, (left - 58) as f32, (top + SIDE / 2) as f32, FAINT);
        let place = |(x, y): (f64, f64)| (left as f64 + x * SIDE as f64, bottom as f64 - y * SIDE as f64);
        if name != "Precision and recall" {
            // Dashes along the diagonal.
            for dash in (0..34).step_by(2) {
                let at = |step: usize| place((step as f64 / 34.0, step as f64 / 34.0));
                picture.line(at(dash), at(dash + 1), 1.0, AXIS);
            }
        }
        for (curves, color) in shown.iter().zip(SERIES) {
            let points: Vec<(f64, f64)> = points(curves).into_iter().map(place).collect();
            for ends in points.windows(2) {
                picture.line(ends[0], ends[1], 2.0, color);
            }
            if name == "Calibration" {
                points.iter().for_each(|point| picture.line(*point, *point, 7.0, color));
            }
        }
    }
    for (at, (curves, color)) in shown.iter().zip(SERIES).enumerate().filter(|_| legend > 0) {
        let (x, y) = (MARGIN + at % 5 * 240, bottom + 92 + at / 5 * 26);
        picture.fill(x, y - 2, x + 24, y + 2, color);
        picture.text(SMALL, &small.cut(&curves.class, 190.0), (x + 34) as f32, y as f32, Align::Left, INK);
    }
    picture
}

type Points = fn(&Curves) -> Vec<(f64, f64)>;

/// Gives two of the numbers of each point, those that exist.
fn pairs(points: &[[Option<f64>; 3]], x: usize, y: usize) -> Vec<(f64, f64)> {
    points.iter().filter_map(|point| point[x].zip(point[y])).collect()
}
