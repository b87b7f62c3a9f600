//! A picture as shapes, one above the other, before it becomes pixels or paths.

use super::raster::Canvas;
use super::svg;
use super::tone::{PAPER, Theme, Tone};

/// Where a text lies beside its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// What is drawn, in pixels from the upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A rectangle, its left and upper edges inside, its right and lower ones outside.
    Rectangle { left: usize, top: usize, right: usize, bottom: usize, tone: Tone },
    /// A line with round ends; from a point to itself, a dot.
    Line { from: (f64, f64), to: (f64, f64), width: f64, tone: Tone },
    /// A line of text, `y` its middle between base line and the height of an `x`.
    Text { text: String, size: f32, x: f32, y: f32, align: Align, tone: Tone },
    /// A line of text that reads from below, centred on the point.
    TextUpwards { text: String, size: f32, x: f32, y: f32, tone: Tone },
}

/// Holds a picture, which can be written as PNG and as SVG. Equal pictures give equal bytes on any machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    /// What it shows, for those who don't see it.
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
}

impl Picture {
    pub(super) fn new(width: usize, height: usize, title: &str) -> Picture {
        Picture { width, height, title: title.to_owned(), shapes: Vec::new() }
    }

    pub(super) fn fill(&mut self, left: usize, top: usize, right: usize, bottom: usize, tone: Tone) {
        self.shapes.push(Shape::Rectangle { left, top, right, bottom, tone });
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, tone: Tone) {
        self.shapes.push(Shape::Line { from, to, width, tone });
    }

    pub(super) fn text(&mut self, size: f32, text: &str, x: f32, y: f32, align: Align, tone: Tone) {
        self.shapes.push(Shape::Text { text: text.to_owned(), size, x, y, align, tone });
    }

    pub(super) fn text_upwards(&mut self, size: f32, text: &str, x: f32, y: f32, tone: Tone) {
        self.shapes.push(Shape::TextUpwards { text: text.to_owned(), size, x, y, tone });
    }

    /// Writes the picture as PNG, eight bits a colour, on paper of the theme.
    pub fn to_png(&self, theme: Theme) -> Vec<u8> {
        let mut canvas = Canvas::new(self.width, self.height, PAPER.of(theme));
        self.shapes.iter().for_each(|shape| canvas.draw(shape, theme));
        canvas.to_png()
    }

    /// Writes the picture as SVG: it takes the theme of whoever shows it, and holds the outlines of its letters.
    pub fn to_svg(&self) -> Vec<u8> {
        svg::write(self)
    }
}
