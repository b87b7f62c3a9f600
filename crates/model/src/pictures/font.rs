//! Text as coverage: outlines of the font inside, filled by exact signed areas.
//!
//! Only additions, multiplications and roundings of floats are used, so that the pixels are the same on any machine.

use std::fmt::Write;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// DejaVu Sans 2.37: Latin, Greek, Cyrillic, Arabic, symbols. Its licence lies beside it.
const BYTES: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Lines that replace one curve.
const STEPS: usize = 8;

/// Sets text in one size.
pub(super) struct Font {
    face: Option<Face<'static>>,
    scale: f32,
}

/// The pixels of a text: coverage from 0 to 1, row by row.
pub(super) struct Coverage {
    pub(super) width: usize,
    /// The row of the base line.
    pub(super) base: usize,
    pub(super) cells: Vec<f32>,
}

impl Font {
    /// Opens the font; `size` is the height of an em in pixels.
    pub(super) fn new(size: f32) -> Font {
        let face = Face::parse(BYTES, 0).ok();
        let units = face.as_ref().map_or(1.0, |face| f32::from(face.units_per_em()));
        Font { face, scale: size / units }
    }

    /// Gives the pixels of a unit of the font.
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// Gives the glyphs of a text, each with where it begins, in units of the font.
    pub(super) fn placed(&self, text: &str) -> Vec<(u16, u32)> {
        let mut x = 0;
        let place = |mark| {
            let glyph = self.glyph(mark);
            let at = x;
            x += u32::from(self.face.as_ref().and_then(|face| face.glyph_hor_advance(glyph)).unwrap_or(0));
            (glyph.0, at)
        };
        text.chars().map(place).collect()
    }

    /// Gives the outline of a glyph as the data of an SVG path, in units of the font, upwards.
    pub(super) fn outline(&self, glyph: u16) -> String {
        let mut path = Path(String::new());
        if let Some(face) = &self.face {
            face.outline_glyph(GlyphId(glyph), &mut path);
        }
        path.0
    }

    /// Gives the width of a text in pixels.
    pub(super) fn width(&self, text: &str) -> f32 {
        text.chars().map(|mark| self.advance(self.glyph(mark))).sum()
    }

    /// Gives the height of a small letter in pixels.
    pub(super) fn x_height(&self) -> f32 {
        let letter = self.face.as_ref().and_then(|face| face.glyph_bounding_box(self.glyph('x')));
        letter.map_or(0.0, |letter| f32::from(letter.y_max) * self.scale)
    }

    /// Cuts a text to `width` pixels; what is cut ends in `…`.
    pub(super) fn cut(&self, text: &str, width: f32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut kept = String::new();
        for mark in text.chars() {
            let longer = format!("{kept}{mark}…");
            if self.width(&longer) > width {
                break;
            }
            kept.push(mark);
        }
        format!("{}…", kept.trim_end())
    }

    /// Fills the outlines of a text.
    pub(super) fn draw(&self, text: &str) -> Coverage {
        let ascent = self.face.as_ref().map_or(0.0, |face| f32::from(face.ascender()) * self.scale);
        let descent = self.face.as_ref().map_or(0.0, |face| -f32::from(face.descender()) * self.scale);
        let base = ascent.ceil() as usize + 1;
        let mut pen = Pen::new(self.width(text).ceil() as usize + 2, base + descent.ceil() as usize + 1);
        let mut x = 1.0;
        for mark in text.chars() {
            let glyph = self.glyph(mark);
            pen.place(x, base as f32, self.scale);
            if let Some(face) = &self.face {
                face.outline_glyph(glyph, &mut pen);
            }
            x += self.advance(glyph);
        }
        Coverage { width: pen.width, base, cells: pen.coverage() }
    }

    /// Gives the glyph of a character; what the font lacks is drawn as its empty box.
    fn glyph(&self, mark: char) -> GlyphId {
        self.face.as_ref().and_then(|face| face.glyph_index(mark)).unwrap_or(GlyphId(0))
    }

    fn advance(&self, glyph: GlyphId) -> f32 {
        let advance = self.face.as_ref().and_then(|face| face.glyph_hor_advance(glyph));
        f32::from(advance.unwrap_or(0)) * self.scale
    }
}

/// Collects the data of an SVG path.
struct Path(String);

impl OutlineBuilder for Path {
    fn move_to(&mut self, x: f32, y: f32) {
        let _ = write!(self.0, "M{x} {y}");
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let _ = write!(self.0, "L{x} {y}");
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let _ = write!(self.0, "Q{x1} {y1} {x} {y}");
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let _ = write!(self.0, "C{x1} {y1} {x2} {y2} {x} {y}");
    }

    fn close(&mut self) {
        self.0.push('Z');
    }
}

/// Collects, for each pixel, how much a line to its left changes what is covered to the right.
struct Pen {
    width: usize,
    height: usize,
    changes: Vec<f32>,
    origin: (f32, f32),
    scale: f32,
    first: (f32, f32),
    at: (f32, f32),
}

impl Pen {
    fn new(width: usize, height: usize) -> Pen {
        let changes = vec![0.0; (width + 1) * height];
        Pen { width, height, changes, origin: (0.0, 0.0), scale: 1.0, first: (0.0, 0.0), at: (0.0, 0.0) }
    }

    fn place(&mut self, x: f32, y: f32, scale: f32) {
        self.origin = (x, y);
        self.scale = scale;
    }

    fn pixel(&self, x: f32, y: f32) -> (f32, f32) {
        (self.origin.0 + x * self.scale, self.origin.1 - y * self.scale)
    }

    /// Adds one line: in each row it crosses, its height and how far right of its pixels' left edges it runs.
    fn line(&mut self, from: (f32, f32), to: (f32, f32)) {
        self.at = to;
        if from.1 == to.1 {
            return;
        }
        let (direction, top, bottom) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        let slope = (bottom.0 - top.0) / (bottom.1 - top.1);
        let first = top.1.max(0.0) as usize;
        for row in first..self.height.min(bottom.1.max(0.0).ceil() as usize) {
            let upper = top.1.max(row as f32);
            let lower = bottom.1.min((row + 1) as f32);
            if lower <= upper {
                continue;
            }
            let height = direction * (lower - upper);
            let (a, b) = (top.0 + (upper - top.1) * slope, top.0 + (lower - top.1) * slope);
            self.span(row, height, a.min(b), a.max(b));
        }
    }

    /// Shares the height of a line inside one row among the pixels between `left` and `right`.
    fn span(&mut self, row: usize, height: f32, left: f32, right: f32) {
        let limit = self.width as f32;
        let (left, right) = (left.clamp(0.0, limit), right.clamp(0.0, limit));
        let (first, last) = (left as usize, right as usize);
        let length = right - left;
        for column in first..=last.min(self.width) {
            let (from, to) = (left.max(column as f32), right.min((column + 1) as f32));
            let part = if length > 0.0 { height * (to - from).max(0.0) / length } else { height };
            let middle = (from + to.max(from)) / 2.0 - column as f32;
            let cell = row * (self.width + 1) + column;
            if let Some(change) = self.changes.get_mut(cell) {
                *change += part * (1.0 - middle);
            }
            if let (true, Some(change)) = (column < self.width, self.changes.get_mut(cell + 1)) {
                *change += part * middle;
            }
            if length == 0.0 {
                break;
            }
        }
    }

    fn coverage(&self) -> Vec<f32> {
        let mut cells = Vec::with_capacity(self.width * self.height);
        for row in self.changes.chunks(self.width + 1) {
            let mut covered = 0.0_f32;
            for change in row.iter().take(self.width) {
                covered += change;
                cells.push(covered.abs().min(1.0));
            }
        }
        cells
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = self.pixel(x, y);
        self.first = self.at;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.line(self.at, self.pixel(x, y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (a, b, c) = (self.at, self.pixel(x1, y1), self.pixel(x, y));
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let mix = |a: f32, b: f32, c: f32| (1.0 - t) * (1.0 - t) * a + 2.0 * (1.0 - t) * t * b + t * t * c;
            self.line(self.at, (mix(a.0, b.0, c.0), mix(a.1, b.1, c.1)));
        }
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (a, b, c, d) = (self.at, self.pixel(x1, y1), self.pixel(x2, y2), self.pixel(x, y));
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let u = 1.0 - t;
            let mix = |a: f32, b: f32, c: f32, d: f32| {
                u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
            };
            self.line(self.at, (mix(a.0, b.0, c.0, d.0), mix(a.1, b.1, c.1, d.1)));
        }
    }

    fn close(&mut self) {
        self.line(self.at, self.first);
    }
}
