//! Digits as somebody writes them, in eight by eight pixels or more.
//!
//! The truth: a digit is drawn with the strokes of [`STROKES`], each point of them moved a little, the whole turned, slanted,
//! stretched and shifted; a pixel holds the more ink the nearer it lies to a stroke, with a little noise.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, LargeStringArray, RecordBatch};
use rayon::prelude::*;
use trainyard_files::{Io, write_atomic};
use trainyard_random::Key;

use super::{Draws, png, table};
use crate::Error;
use crate::csv::to_csv;

/// Pixels along a side, where nothing else is said.
pub const DIGITS_SIDE: u16 = 8;

/// The most ink of a pixel in a table.
const DARKEST: f64 = 16.0;

/// The standard deviation of the noise, as a share of the most ink.
const NOISE: f64 = 0.6 / 16.0;

/// A point of the unit square, x to the right and y down.
type Point = (f64, f64);

/// The line that a pen draws for each digit.
const STROKES: [&[Point]; 10] = [
    &[(0.5, 0.08), (0.25, 0.25), (0.22, 0.7), (0.45, 0.92), (0.72, 0.75), (0.76, 0.3), (0.5, 0.08)],
    &[(0.35, 0.28), (0.55, 0.08), (0.55, 0.92)],
    &[(0.22, 0.28), (0.4, 0.08), (0.68, 0.12), (0.74, 0.35), (0.22, 0.9), (0.78, 0.9)],
    &[(0.22, 0.12), (0.74, 0.12), (0.46, 0.44), (0.74, 0.62), (0.62, 0.88), (0.22, 0.86)],
    &[(0.62, 0.92), (0.62, 0.08), (0.2, 0.62), (0.84, 0.62)],
    &[(0.76, 0.1), (0.28, 0.1), (0.26, 0.46), (0.64, 0.46), (0.76, 0.66), (0.6, 0.9), (0.22, 0.86)],
    &[(0.66, 0.08), (0.34, 0.42), (0.26, 0.74), (0.5, 0.92), (0.74, 0.72), (0.52, 0.52), (0.3, 0.64)],
    &[(0.2, 0.1), (0.78, 0.1), (0.42, 0.92)],
    &[
        (0.5, 0.48),
        (0.28, 0.28),
        (0.5, 0.08),
        (0.72, 0.28),
        (0.5, 0.48),
        (0.24, 0.72),
        (0.5, 0.92),
        (0.76, 0.72),
        (0.5, 0.48),
    ],
    &[(0.72, 0.34), (0.5, 0.5), (0.28, 0.32), (0.48, 0.08), (0.74, 0.24), (0.7, 0.58), (0.56, 0.92)],
];

/// Makes a table of digits, as [`digits_of`], of 8 × 8 pixels.
pub fn digits(rows: u64, seed: u64) -> RecordBatch {
    digits_of(rows, seed, DIGITS_SIDE)
}

/// Makes a table `id, pixel_0_0 … pixel_7_7, digit` of `side` × `side` pixels: rows from the top, columns from the left, each
/// pixel from 0 to 16.
pub fn digits_of(rows: u64, seed: u64, side: u16) -> RecordBatch {
    let (family, side) = (Key::new(seed, "synth/digits"), usize::from(side));
    let made: Vec<(usize, Vec<u8>)> = (0..rows).into_par_iter().map(|row| draw(&family, row, side, DARKEST)).collect();
    let ids: Int64Array = (0..rows as i64).map(Some).collect();
    let mut columns: Vec<(String, ArrayRef)> = vec![("id".to_owned(), Arc::new(ids))];
    for pixel in 0..side * side {
        let values: Int64Array = made.iter().map(|(_, pixels)| Some(i64::from(pixels[pixel]))).collect();
        columns.push((format!("pixel_{}_{}", pixel / side, pixel % side), Arc::new(values)));
    }
    let labels: Int64Array = made.iter().map(|(digit, _)| Some(*digit as i64)).collect();
    columns.push(("digit".to_owned(), Arc::new(labels)));
    table(columns)
}

/// Draws the same digits as PNG files of `side` × `side` gray pixels, light ink on black, into `folder/images`, and writes
/// their table `id, path, digit` to `folder/labels.csv`, which it gives.
///
/// # Errors
/// What the disk says.
pub fn digit_images(io: &dyn Io, folder: &Path, rows: u64, seed: u64, side: u16) -> Result<RecordBatch, Error> {
    let (family, pixels) = (Key::new(seed, "synth/digits"), usize::from(side));
    let failed = |path: &Path, cause: String| Error::Write { file: path.to_owned(), cause };
    // The name says nothing of the digit, and nothing of how many there are.
    let path = |row: u64| format!("images/{row:06}.png");
    let drawn = |row: u64| -> Result<i64, Error> {
        let ((digit, levels), file) = (draw(&family, row, pixels, 255.0), folder.join(path(row)));
        write_atomic(io, &file, &png::gray(side, side, &levels)).map_err(|error| failed(&file, error.to_string()))?;
        Ok(digit as i64)
    };
    let digits = (0..rows).into_par_iter().map(drawn).collect::<Result<Vec<i64>, Error>>()?;
    let made = table(vec![
        ("id".to_owned(), Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("path".to_owned(), Arc::new(LargeStringArray::from_iter_values((0..rows).map(path)))),
        ("digit".to_owned(), Arc::new(Int64Array::from(digits))),
    ]);
    let file = folder.join("labels.csv");
    write_atomic(io, &file, &to_csv(&made)).map_err(|error| failed(&file, error.to_string()))?;
    Ok(made)
}

/// Draws one digit and its pixels, which hold ink from 0 to `darkest`.
fn draw(family: &Key, row: u64, side: usize, darkest: f64) -> (usize, Vec<u8>) {
    let mut draws = Draws::of(family, row);
    let digit = ((draws.uniform() * 10.0) as usize).min(9);
    let angle = 0.16 * draws.normal();
    let (sine, cosine) = (libm::sin(angle), libm::cos(angle));
    let slant = 0.14 * draws.normal();
    let (wide, high) = (0.9 + 0.2 * (draws.uniform() - 0.5), 0.9 + 0.2 * (draws.uniform() - 0.5));
    let (right, down) = (0.05 * draws.normal(), 0.05 * draws.normal());
    let width = 0.05 + 0.05 * draws.uniform();
    let line: Vec<Point> = STROKES[digit]
        .iter()
        .map(|(x, y)| {
            let (x, y) = (x - 0.5 + 0.03 * draws.normal(), y - 0.5 + 0.03 * draws.normal());
            let x = (x - slant * y) * wide;
            let y = y * high;
            (0.5 + x * cosine - y * sine + right, 0.5 + x * sine + y * cosine + down)
        })
        .collect();
    let pixel = |index: usize| {
        let centre = |place: usize| (place as f64 + 0.5) / side as f64;
        let (x, y) = (centre(index % side), centre(index / side));
        let nearest = line.windows(2).map(|ends| distance((x, y), ends[0], ends[1])).fold(f64::INFINITY, f64::min);
        // Full ink on the stroke, none from one pixel beyond its edge.
        let ink = (1.0 - (nearest - width).max(0.0) * side as f64).max(0.0);
        (darkest * ink + darkest * NOISE * draws.normal()).round().clamp(0.0, darkest) as u8
    };
    (digit, (0..side * side).map(pixel).collect())
}

/// Gives the distance of a point from a line between two others.
fn distance(point: Point, from: Point, to: Point) -> f64 {
    let (across, along) = ((point.0 - from.0, point.1 - from.1), (to.0 - from.0, to.1 - from.1));
    let length = along.0 * along.0 + along.1 * along.1;
    let share = if length > 0.0 { ((across.0 * along.0 + across.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (across.0 - share * along.0, across.1 - share * along.1);
    (x * x + y * y).sqrt()
}
