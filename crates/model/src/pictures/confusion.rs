//! The confusion matrix.

use super::font::Font;
use super::picture::{Align, Picture};
use super::tone::{FAINT, INK, ON_STRONG, PALE, STRONG};
use super::{LABEL, LARGE, MARGIN, SMALL, TITLE, amount, percent};

/// The most classes that a picture shows.
const MOST_CLASSES: usize = 30;
/// The least width, so that the title fits.
const LEAST_WIDTH: usize = 420;

/// Draws how many rows of each class were predicted as each, with their share of the actual class.
///
/// `counts[actual][predicted]` in the order of `classes`, as [`trainyard_learn::metrics::Scored::confusion`] gives
/// them: numbers of rows, or their weight, whose column the subtitle names then. Beyond 30 classes only the first are
/// shown, and the subtitle says so.
pub fn confusion_matrix(counts: &[Vec<f64>], classes: &[String], weight: Option<&str>) -> Picture {
    let (small, label) = (Font::new(SMALL), Font::new(LABEL));
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
    let mut picture = Picture::new(right.max(left + LEAST_WIDTH) + MARGIN, bottom + MARGIN, "Confusion matrix");
    let rows: f64 = counts.iter().flatten().sum();
    let correct: f64 = counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
    picture.text(TITLE, "Confusion matrix", MARGIN as f32, 40.0, Align::Left, INK);
    let unit = weight.map_or("rows".to_owned(), |column| format!("(by {})", small.cut(column, 120.0)));
    let mut subtitle = format!("{} of {} {unit} predicted correctly", amount(correct), amount(rows));
    if shown < classes.len() {
        subtitle.push_str(&format!("; the first {shown} of {} classes", classes.len()));
    }
    picture.text(SMALL, &subtitle, MARGIN as f32, 74.0, Align::Left, FAINT);
    let half = shown * cell / 2;
    picture.text(SMALL, "predicted", (left + half) as f32, (top - 46) as f32, Align::Middle, FAINT);
    picture.text_upwards(SMALL, "actual", (MARGIN + 8) as f32, (top + half) as f32, FAINT);
    for (index, name) in classes.iter().take(shown).enumerate() {
        let middle = (index * cell + cell / 2) as f32;
        let above = label.cut(name, cell as f32 - 10.0);
        picture.text(LABEL, &above, left as f32 + middle, (top - 16) as f32, Align::Middle, INK);
        picture.text(LABEL, &label.cut(name, names), (left - 12) as f32, top as f32 + middle, Align::Right, INK);
    }
    for (actual, row) in counts.iter().take(shown).enumerate() {
        let of_class: f64 = row.iter().sum();
        for (predicted, &count) in row.iter().take(shown).enumerate() {
            let share = if of_class > 0.0 { count / of_class } else { 0.0 };
            let (x, y) = (left + predicted * cell, top + actual * cell);
            picture.fill(x + 1, y + 1, x + cell - 1, y + cell - 1, PALE.towards(STRONG, share));
            let (strong, soft) = match share {
                share if share > 0.55 => (ON_STRONG, ON_STRONG),
                share if share > 0.25 => (INK, INK),
                _ => (INK, FAINT),
            };
            let (center, middle) = ((x + cell / 2) as f32, (y + cell / 2) as f32);
            let number = amount(count);
            let fits = |size: f32| Font::new(size).width(&number) < cell as f32 - 24.0;
            let size = if cell > 100 && fits(LARGE) {
                LARGE
            } else if fits(LABEL) {
                LABEL
            } else {
                SMALL
            };
            if cell < 100 {
                picture.text(size, &number, center, middle, Align::Middle, strong);
                continue;
            }
            picture.text(size, &number, center, middle - 14.0, Align::Middle, strong);
            let name = small.cut(&classes[actual], cell as f32 - 100.0);
            let share = if of_class > 0.0 { format!("{} of {name}", percent(share, true)) } else { "–".into() };
            picture.text(SMALL, &share, center, middle + 26.0, Align::Middle, soft);
        }
    }
    picture
}
