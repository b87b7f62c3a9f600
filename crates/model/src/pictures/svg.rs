//! A picture as SVG 1.1 with one style sheet: a class for each tone, dark where the reader's screen is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use trainyard_diagnostics::markup_text;

use super::font::Font;
use super::picture::{Align, Picture, Shape};
use super::tone::{Color, PAPER, Theme, Tone};

pub(super) fn write(picture: &Picture) -> Vec<u8> {
    let tones: BTreeSet<Tone> = picture.shapes.iter().map(tone_of).chain([PAPER]).collect();
    let classes: BTreeMap<Tone, usize> = tones.into_iter().enumerate().map(|(number, tone)| (tone, number)).collect();
    let (width, height) = (picture.width, picture.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>",
        markup_text(&picture.title)
    );
    style(&mut text, &classes, Theme::Light);
    text.push_str("@media (prefers-color-scheme:dark){");
    style(&mut text, &classes, Theme::Dark);
    text.push_str("}path,line{stroke-linecap:round}</style>\n");
    let mut glyphs = BTreeSet::new();
    let mut body = String::new();
    rectangle(&mut body, (0, 0, width, height), classes[&PAPER]);
    for shape in &picture.shapes {
        draw(&mut body, shape, classes[&tone_of(shape)], &mut glyphs);
    }
    outlines(&mut text, &glyphs);
    text.push_str(&body);
    text.push_str("</svg>\n");
    text.into_bytes()
}

fn tone_of(shape: &Shape) -> Tone {
    match shape {
        Shape::Rectangle { tone, .. }
        | Shape::Line { tone, .. }
        | Shape::Text { tone, .. }
        | Shape::TextUpwards { tone, .. } => *tone,
    }
}

fn style(text: &mut String, classes: &BTreeMap<Tone, usize>, theme: Theme) {
    for (tone, number) in classes {
        let color = hexadecimal(tone.of(theme));
        let _ = write!(text, ".f{number}{{fill:{color}}}.l{number}{{stroke:{color}}}");
    }
}

fn hexadecimal([red, green, blue]: Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn rectangle(text: &mut String, (left, top, right, bottom): (usize, usize, usize, usize), class: usize) {
    let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
    let _ = writeln!(text, "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" class=\"f{class}\"/>");
}

fn draw(text: &mut String, shape: &Shape, class: usize, glyphs: &mut BTreeSet<u16>) {
    match shape {
        Shape::Rectangle { left, top, right, bottom, .. } => rectangle(text, (*left, *top, *right, *bottom), class),
        Shape::Line { from, to, width, .. } if from == to => {
            let (x, y, radius) = (short(from.0), short(from.1), short(width / 2.0));
            let _ = writeln!(text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" class=\"f{class}\"/>");
        }
        Shape::Line { from, to, width, .. } => {
            let [x1, y1, x2, y2, width] = [from.0, from.1, to.0, to.1, *width].map(short);
            let _ = writeln!(
                text,
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke-width=\"{width}\" class=\"l{class}\"/>"
            );
        }
        Shape::Text { text: words, size, x, y, align, .. } => {
            let font = Font::new(*size);
            let before = match align {
                Align::Left => 0.0,
                Align::Middle => font.width(words) / 2.0,
                Align::Right => font.width(words),
            };
            let (x, y) = (short(f64::from(x - before)), short(f64::from(y + font.x_height() / 2.0)));
            letters(text, &font, words, &format!("translate({x} {y})"), class, glyphs);
        }
        Shape::TextUpwards { text: words, size, x, y, .. } => {
            let font = Font::new(*size);
            let (x, y) = (f64::from(x + font.x_height() / 2.0), f64::from(y + font.width(words) / 2.0));
            let place = format!("translate({} {}) rotate(-90)", short(x), short(y));
            letters(text, &font, words, &place, class, glyphs);
        }
    }
}

/// Writes a text as uses of outlines, in units of the font.
fn letters(text: &mut String, font: &Font, words: &str, place: &str, class: usize, glyphs: &mut BTreeSet<u16>) {
    let scale = font.scale();
    let _ = write!(
        text,
        "<g transform=\"{place} scale({scale:.6} -{scale:.6})\" class=\"f{class}\" aria-label=\"{}\">",
        markup_text(words)
    );
    for (glyph, x) in font.placed(words) {
        glyphs.insert(glyph);
        let _ = write!(text, "<use xlink:href=\"#g{glyph}\" x=\"{x}\"/>");
    }
    text.push_str("</g>\n");
}

fn outlines(text: &mut String, glyphs: &BTreeSet<u16>) {
    let font = Font::new(1.0);
    text.push_str("<defs>\n");
    for glyph in glyphs {
        let _ = writeln!(text, "<path id=\"g{glyph}\" d=\"{}\"/>", font.outline(*glyph));
    }
    text.push_str("</defs>\n");
}

/// Writes a number with at most two digits after the point.
fn short(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    // Zero has one form.
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::tone::{BAR, INK};
    use super::*;

    #[test]
    fn shapes_become_elements_and_letters_outlines() {
        let mut picture = Picture::new(40, 20, "A <title> & more\u{0}");
        picture.fill(1, 2, 11, 22, BAR);
        picture.line((0.0, 0.0), (3.333_33, -0.001), 2.0, INK);
        picture.line((5.0, 5.0), (5.0, 5.0), 7.0, INK);
        picture.text(10.0, "aba", 20.0, 10.0, Align::Middle, INK);
        picture.text_upwards(10.0, "b", 5.0, 10.0, INK);
        let svg = String::from_utf8(picture.to_svg()).unwrap();
        for part in [
            "<title>A &lt;title&gt; &amp; more\u{fffd}</title>",
            "<rect x=\"1\" y=\"2\" width=\"10\" height=\"20\"",
            "x2=\"3.33\" y2=\"0\"",
            "<circle cx=\"5\" cy=\"5\" r=\"3.5\"",
            "rotate(-90)",
            "prefers-color-scheme:dark",
        ] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert_eq!(svg.matches("<path id=").count(), 2, "one outline for each letter");
        assert_eq!(svg.matches("<use ").count(), 4);
    }
}
