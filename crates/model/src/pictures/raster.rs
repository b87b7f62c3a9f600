//! Shapes as pixels, written as PNG.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use trainyard_data::png::{self, Samples};

use super::font::Font;
use super::picture::{Align, Shape};
use super::tone::{Color, Theme};

/// Holds the pixels of a picture.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, background: Color) -> Canvas {
        Canvas { width, height, pixels: vec![background; width * height] }
    }

    pub(super) fn draw(&mut self, shape: &Shape, theme: Theme) {
        match shape {
            Shape::Rectangle { left, top, right, bottom, tone } => {
                self.fill(*left, *top, *right, *bottom, tone.of(theme));
            }
            Shape::Line { from, to, width, tone } => self.line(*from, *to, *width, tone.of(theme)),
            Shape::Text { text, size, x, y, align, tone } => {
                self.write(&Font::new(*size), text, *x, *y, *align, tone.of(theme), false);
            }
            Shape::TextUpwards { text, size, x, y, tone } => {
                self.write(&Font::new(*size), text, *x, *y, Align::Middle, tone.of(theme), true);
            }
        }
    }

    fn fill(&mut self, left: usize, top: usize, right: usize, bottom: usize, color: Color) {
        let (left, right) = (left.min(self.width), right.min(self.width));
        let rows = self.pixels.chunks_mut(self.width.max(1)).take(bottom).skip(top);
        for row in rows {
            if let Some(part) = row.get_mut(left..right) {
                part.fill(color);
            }
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: Color) {
        let reach = width / 2.0 + 1.0;
        let ends = |a: f64, b: f64| ((a.min(b) - reach).floor().max(0.0) as usize, (a.max(b) + reach).ceil() as usize);
        let ((left, right), (top, bottom)) = (ends(from.0, to.0), ends(from.1, to.1));
        let along = (to.0 - from.0, to.1 - from.1);
        let square = along.0 * along.0 + along.1 * along.1;
        for row in top..bottom.min(self.height) {
            for column in left..right.min(self.width) {
                let (x, y) = (column as f64 + 0.5 - from.0, row as f64 + 0.5 - from.1);
                let share = if square > 0.0 { ((x * along.0 + y * along.1) / square).clamp(0.0, 1.0) } else { 0.0 };
                let (x, y) = (x - share * along.0, y - share * along.1);
                let coverage = (width / 2.0 + 0.5 - (x * x + y * y).sqrt()).clamp(0.0, 1.0);
                self.blend(column as f32, row as f32, color, coverage as f32);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a text, where and how; a struct would be built at each call")]
    fn write(&mut self, font: &Font, text: &str, x: f32, y: f32, align: Align, color: Color, upwards: bool) {
        let drawn = font.draw(text);
        let length = drawn.width as f32;
        let before = match align {
            Align::Left => 1.0,
            Align::Middle => length / 2.0,
            Align::Right => length - 1.0,
        };
        let above = drawn.base as f32 - font.x_height() / 2.0;
        for (at, &coverage) in drawn.cells.iter().enumerate() {
            if coverage <= 0.0 {
                continue;
            }
            let (along, across) = ((at % drawn.width) as f32 - before, (at / drawn.width) as f32 - above);
            let (column, row) = if upwards { (x + across, y - along) } else { (x + along, y + across) };
            self.blend(column.round(), row.round(), color, coverage);
        }
    }

    fn blend(&mut self, column: f32, row: f32, color: Color, coverage: f32) {
        if column < 0.0 || row < 0.0 || column as usize >= self.width || row as usize >= self.height {
            return;
        }
        if let Some(pixel) = self.pixels.get_mut(row as usize * self.width + column as usize) {
            for (old, new) in pixel.iter_mut().zip(color) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * coverage).round() as u8;
            }
        }
    }

    /// Writes the picture as PNG: eight bits a colour, nothing that depends on time or machine.
    pub(super) fn to_png(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity((self.width * 3 + 1) * self.height);
        for row in self.pixels.chunks(self.width.max(1)) {
            raw.push(0);
            raw.extend(row.iter().flatten());
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        // Writing into memory does not fail.
        let written = encoder.write_all(&raw).and_then(|()| encoder.finish());
        png::file(self.width as u32, self.height as u32, Samples::Rgb, &written.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::Crc;

    use super::*;

    #[test]
    fn a_png_holds_its_pixels() {
        let mut canvas = Canvas::new(3, 2, [1, 2, 3]);
        canvas.fill(1, 0, 9, 1, [7, 8, 9]);
        let png = canvas.to_png();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let mut rest = &png[8..];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            let mut check = Crc::new();
            check.update(&rest[4..8 + length]);
            assert_eq!(check.sum().to_be_bytes(), rest[8 + length..12 + length]);
            chunks.push((rest[4..8].to_vec(), rest[8..8 + length].to_vec()));
            rest = &rest[12 + length..];
        }
        let kinds: Vec<&[u8]> = chunks.iter().map(|(kind, _)| kind.as_slice()).collect();
        assert_eq!(kinds, [b"IHDR".as_slice(), b"IDAT", b"IEND"]);
        assert_eq!(chunks[0].1, [0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
        let mut raw = Vec::new();
        flate2::read::ZlibDecoder::new(chunks[1].1.as_slice()).read_to_end(&mut raw).unwrap();
        assert_eq!(raw, [0, 1, 2, 3, 7, 8, 9, 7, 8, 9, 0, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn text_is_cut_at_the_edges_of_the_canvas() {
        let mut canvas = Canvas::new(20, 10, [255; 3]);
        canvas.write(&Font::new(30.0), "Wide text", -5.0, 5.0, Align::Left, [0; 3], false);
        canvas.write(&Font::new(30.0), "Wide text", 15.0, 5.0, Align::Middle, [0; 3], true);
        assert!(canvas.pixels.iter().any(|pixel| *pixel != [255; 3]));
    }
}
