//! Axes of any numbers: where marks stand and what is written beside them.

use super::SMALL;
use super::picture::{Align, Picture};
use super::tone::{FAINT, GRID};
use crate::report::significant;

/// Holds the marks of an axis, and the span that it shows.
pub(super) struct Scale {
    pub(super) least: f64,
    pub(super) most: f64,
    /// Round numbers inside the span, from three to about eight.
    pub(super) marks: Vec<f64>,
}

impl Scale {
    /// Spans the finite values; 0 to 1 where there are none.
    pub(super) fn over(values: impl Iterator<Item = f64>) -> Scale {
        let finite = values.filter(|value| value.is_finite());
        let (least, most) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
        // Beyond that a span is no double.
        let (least, most) = if least <= most { (least.max(-1e300), most.min(1e300)) } else { (0.0, 1.0) };
        let around = if least < most { 0.0 } else { least.abs().max(1.0) / 2.0 };
        let (least, most) = (least - around, most + around);
        let step = round_step((most - least) / 5.0);
        let first = (least / step).ceil();
        let marks = (0..16).map(|number| (first + f64::from(number)) * step).take_while(|mark| *mark <= most);
        Scale { least, most, marks: marks.collect() }
    }

    /// Gives the place of a value: 0 at the least, 1 at the most.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }

    /// Writes a mark.
    pub(super) fn written(&self, mark: f64) -> String {
        // A mark that is zero but for rounding is zero.
        let mark = if mark.abs() < (self.most - self.least) * 1e-9 { 0.0 } else { mark };
        significant(mark, 4)
    }
}

/// Where two axes span a picture, in pixels.
pub(super) struct Frame {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Frame {
    /// Gives where a value lies on the axis across.
    pub(super) fn x(&self, scale: &Scale, value: f64) -> f64 {
        self.left as f64 + scale.place(value) * (self.right - self.left) as f64
    }

    /// Gives where a value lies on the axis upwards.
    pub(super) fn y(&self, scale: &Scale, value: f64) -> f64 {
        self.bottom as f64 - scale.place(value) * (self.bottom - self.top) as f64
    }

    /// Draws a grid of the marks of both axes, and writes the marks beside it.
    pub(super) fn draw_marks(&self, picture: &mut Picture, across: &Scale, upwards: &Scale) {
        for mark in &across.marks {
            let at = self.x(across, *mark).round() as usize;
            picture.fill(at, self.top, at + 1, self.bottom, GRID);
            picture.text(SMALL, &across.written(*mark), at as f32, (self.bottom + 22) as f32, Align::Middle, FAINT);
        }
        for mark in &upwards.marks {
            let at = self.y(upwards, *mark).round() as usize;
            picture.fill(self.left, at, self.right, at + 1, GRID);
            picture.text(SMALL, &upwards.written(*mark), (self.left - 10) as f32, at as f32, Align::Right, FAINT);
        }
    }
}

/// Gives the least of 1, 2 and 5 times a power of ten that is not below `wanted`, above 0.
fn round_step(wanted: f64) -> f64 {
    let wanted = if wanted.is_finite() { wanted.max(f64::MIN_POSITIVE) } else { f64::MAX / 10.0 };
    // From the digits of the number: logarithms differ between machines.
    let written = format!("{wanted:e}");
    let power = written.split('e').nth(1).and_then(|power| power.parse::<i32>().ok()).unwrap_or(0);
    let candidates = [(1, 0), (2, 0), (5, 0), (1, 1)];
    let value = |(digit, more): (i32, i32)| format!("{digit}e{}", power + more).parse::<f64>().unwrap_or(wanted);
    candidates.into_iter().map(value).find(|step| *step >= wanted).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_inside() {
        let marks = |values: &[f64]| {
            let scale = Scale::over(values.iter().copied());
            scale.marks.iter().map(|mark| scale.written(*mark)).collect::<Vec<String>>()
        };
        assert_eq!(marks(&[0.0, 1.0]), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(marks(&[-3.0, 12.0]), ["0", "5", "10"]);
        assert_eq!(marks(&[1000.0, 1040.0]), ["1000", "1010", "1020", "1030", "1040"]);
        assert_eq!(marks(&[]), marks(&[0.0, 1.0]));
        for odd in [vec![3.0], vec![0.0, -0.0], vec![f64::NAN, 2.0], vec![f64::MAX, f64::MIN], vec![5e-324, 1e-323]] {
            let scale = Scale::over(odd.iter().copied());
            assert!(scale.least < scale.most && scale.marks.len() < 17, "{odd:?}");
            assert!(odd.iter().all(|value| value.is_nan() || (0.0..=1.0).contains(&scale.place(*value))), "{odd:?}");
        }
    }
}
