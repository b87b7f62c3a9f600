//! The loss of a fit, iteration by iteration.

use trainyard_diagnostics::count;

use super::font::Font;
use super::picture::{Align, Picture};
use super::scale::{Frame, Scale};
use super::tone::{AXIS, FAINT, INK, SERIES};
use super::{MARGIN, SMALL, TITLE};

const WIDTH: usize = 720;
const HEIGHT: usize = 400;

/// Draws the loss on the training rows, and on the validation rows where there are any, after each iteration of the
/// candidate `name`. Losses that are not finite are left out.
pub fn learning_curve(name: &str, train_loss: &[f64], validation_loss: &[f64]) -> Picture {
    let small = Font::new(SMALL);
    let (left, top) = (MARGIN + 90, 126);
    let (right, bottom) = (left + WIDTH, top + HEIGHT);
    let mut picture = Picture::new(right + MARGIN + 24, bottom + 110, "Learning curve");
    picture.text(TITLE, "Learning curve", MARGIN as f32, 40.0, Align::Left, INK);
    let iterations = train_loss.len().max(validation_loss.len());
    let words = format!("{}, {} iterations", small.cut(name, 420.0), count(iterations as u64));
    picture.text(SMALL, &words, MARGIN as f32, 74.0, Align::Left, FAINT);
    let losses = Scale::over(train_loss.iter().chain(validation_loss).copied());
    let mut steps = Scale::over([1.0, iterations.max(2) as f64].into_iter());
    // Half an iteration is none.
    steps.marks.retain(|mark| mark.fract() == 0.0);
    let frame = Frame { left, top, right, bottom };
    frame.draw_marks(&mut picture, &steps, &losses);
    picture.fill(left, top, left + 1, bottom + 1, AXIS);
    picture.fill(left, bottom, right, bottom + 1, AXIS);
    picture.text(SMALL, "iteration", (left + WIDTH / 2) as f32, (bottom + 52) as f32, Align::Middle, FAINT);
    picture.text_upwards(SMALL, "mean loss", (MARGIN + 8) as f32, (top + HEIGHT / 2) as f32, FAINT);
    let lines = [("training rows", train_loss), ("validation rows", validation_loss)];
    let mut legend = left;
    for ((words, values), tone) in lines.into_iter().zip(SERIES).filter(|((_, values), _)| !values.is_empty()) {
        let point = |(step, loss): (usize, &f64)| {
            loss.is_finite().then(|| (frame.x(&steps, (step + 1) as f64), frame.y(&losses, *loss)))
        };
        let points: Vec<Option<(f64, f64)>> = values.iter().enumerate().map(point).collect();
        for ends in points.windows(2) {
            if let [Some(from), Some(to)] = ends {
                picture.line(*from, *to, 2.0, tone);
            }
        }
        if let [Some(only)] = points.as_slice() {
            picture.line(*only, *only, 7.0, tone);
        }
        picture.fill(legend, bottom + 82, legend + 24, bottom + 86, tone);
        picture.text(SMALL, words, (legend + 34) as f32, (bottom + 84) as f32, Align::Left, INK);
        legend += 220;
    }
    picture
}
