//! A search: what each trial came to, and along which values.

use libm::log;
use trainyard_diagnostics::count;

use super::font::Font;
use super::picture::{Align, Picture};
use super::scale::{Frame, Scale};
use super::tone::{AXIS, BAR, FAINT, HIGH, INK, Tone};
use super::{MARGIN, SMALL, TITLE};

const WIDTH: usize = 900;
const HEIGHT: usize = 300;
/// How many slices lie side by side.
const COLUMNS: usize = 3;
const SLICE: usize = 170;
const BETWEEN: usize = 120;
/// The most slices that are drawn.
const MOST: usize = 30;

/// The trials of a search.
#[derive(Debug, Clone, Copy)]
pub struct SearchPicture<'a> {
    /// The search.
    pub name: &'a str,
    /// What the values are.
    pub metric: &'a str,
    /// Whether more is better.
    pub maximize: bool,
    /// The values of the trials by number; none of those that were stopped or failed.
    pub values: &'a [Option<f64>],
    /// The values along the parameters.
    pub slices: &'a [SearchSlice],
}

/// The values of trials along one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSlice {
    /// The parameter.
    pub name: String,
    /// The share of the spread that it explains, 0 to 1, where that is known.
    pub share: Option<f64>,
    /// Whether orders of magnitude count alike.
    pub log: bool,
    /// What is chosen at each place, by place, where these are no numbers.
    pub choices: Vec<(f64, String)>,
    /// The places and values of the trials.
    pub points: Vec<(f64, f64)>,
}

/// Draws the trials in their order with the best so far, and each parameter with the values that were chosen.
pub fn search(search: &SearchPicture<'_>) -> Picture {
    let small = Font::new(SMALL);
    let (left, top) = (MARGIN + 90, 126);
    let (right, bottom) = (left + WIDTH, top + HEIGHT);
    let drawn = search.slices.len().min(MOST);
    let rows = drawn.div_ceil(COLUMNS);
    let mut picture = Picture::new(right + MARGIN + 24, bottom + 100 + rows * (SLICE + BETWEEN), "Search");
    picture.text(TITLE, "Search", MARGIN as f32, 40.0, Align::Left, INK);
    let better = if search.maximize { "more" } else { "less" };
    let trials = count(search.values.len() as u64);
    let words = format!("{}, {trials} trials; {better} {} is better", small.cut(search.name, 300.0), search.metric);
    picture.text(SMALL, &words, MARGIN as f32, 74.0, Align::Left, FAINT);
    let values = Scale::over(search.values.iter().flatten().copied());
    let mut numbers = Scale::over([0.0, search.values.len().max(3) as f64 - 1.0].into_iter());
    numbers.marks.retain(|mark| mark.fract() == 0.0);
    let frame = Frame { left, top, right, bottom };
    frame.draw_marks(&mut picture, &numbers, &values);
    axes(&mut picture, &frame);
    picture.text(SMALL, "trial", (left + WIDTH / 2) as f32, (bottom + 52) as f32, Align::Middle, FAINT);
    picture.text_upwards(SMALL, search.metric, (MARGIN + 8) as f32, (top + HEIGHT / 2) as f32, FAINT);
    let mut best: Option<(f64, f64)> = None;
    for (number, value) in search.values.iter().enumerate() {
        let x = frame.x(&numbers, number as f64);
        let Some(value) = value.filter(|value| value.is_finite()) else { continue };
        let is_better = best.is_none_or(|(_, best)| if search.maximize { value > best } else { value < best });
        if let Some((from, held)) = best {
            let y = frame.y(&values, held);
            picture.line((from, y), (x, y), 2.0, HIGH);
            best = Some((x, held));
        }
        if is_better {
            if let Some((_, held)) = best {
                picture.line((x, frame.y(&values, held)), (x, frame.y(&values, value)), 2.0, HIGH);
            }
            best = Some((x, value));
        }
        dot(&mut picture, (x, frame.y(&values, value)), BAR);
    }
    let pitch = (WIDTH + BETWEEN) / COLUMNS;
    for (at, slice) in search.slices.iter().take(drawn).enumerate() {
        let left = left + at % COLUMNS * pitch;
        let top = bottom + 130 + at / COLUMNS * (SLICE + BETWEEN);
        let frame = Frame { left, top, right: left + pitch - BETWEEN, bottom: top + SLICE };
        draw_slice(&mut picture, &frame, &values, slice, &small);
    }
    picture
}

fn draw_slice(picture: &mut Picture, frame: &Frame, values: &Scale, slice: &SearchSlice, small: &Font) {
    let wide = (frame.right - frame.left) as f32;
    let share = slice.share.map(|share| format!("  {:.0} %", share * 100.0)).unwrap_or_default();
    let name = format!("{}{share}", small.cut(&slice.name, wide - 60.0));
    picture.text(SMALL, &name, frame.left as f32, (frame.top - 18) as f32, Align::Left, INK);
    axes(picture, frame);
    let place = |value: f64| if slice.log && value > 0.0 { log(value) } else { value };
    let named = slice.choices.iter().map(|(place, _)| *place);
    let across = Scale::over(slice.points.iter().map(|(at, _)| place(*at)).chain(named));
    let at = |value: f64| frame.x(&across, place(value)) as f32;
    let below = (frame.bottom + 22) as f32;
    if slice.choices.is_empty() {
        let ends = slice.points.iter().map(|(at, _)| *at).filter(|at| at.is_finite());
        let (least, most) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), at| (a.min(at), b.max(at)));
        if least <= most {
            let written = |value: f64| crate::report::significant(value, 3);
            picture.text(SMALL, &written(least), at(least), below, Align::Middle, FAINT);
            if least < most {
                picture.text(SMALL, &written(most), at(most), below, Align::Middle, FAINT);
            }
        }
    } else {
        let room = wide / slice.choices.len() as f32;
        for (place, choice) in &slice.choices {
            picture.text(SMALL, &small.cut(choice, room.max(24.0)), at(*place), below, Align::Middle, FAINT);
        }
    }
    for (chosen, value) in slice.points.iter().filter(|(_, value)| value.is_finite()) {
        dot(picture, (f64::from(at(*chosen)), frame.y(values, *value)), BAR);
    }
}

fn axes(picture: &mut Picture, frame: &Frame) {
    picture.fill(frame.left, frame.top, frame.left + 1, frame.bottom + 1, AXIS);
    picture.fill(frame.left, frame.bottom, frame.right, frame.bottom + 1, AXIS);
}

fn dot(picture: &mut Picture, at: (f64, f64), tone: Tone) {
    picture.line(at, at, 6.0, tone);
}
