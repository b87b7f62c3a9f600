//! The lines of the sources that a diagnostic points into.

use std::ops::Range;
use std::sync::Arc;

use crate::render::line::Line;
use crate::render::{Canvas, Ink, one_line};
use crate::{Diagnostic, Label, Source};

/// The most lines of one range that are drawn in full.
const WHOLE: usize = 4;
/// The fewest columns that are left to a source's line.
const NARROWEST: usize = 24;

/// One underlined stretch of one line.
#[derive(Debug)]
struct Mark {
    line: usize,
    span: Range<usize>,
    primary: bool,
    text: String,
}

/// Draws the sources and returns the width of the line numbers; with no place nothing is drawn.
pub(crate) fn draw(diagnostic: &Diagnostic, width: usize, canvas: &mut Canvas) -> usize {
    let severity = Ink::of(diagnostic.severity);
    let labels: Vec<(&Label, bool)> = diagnostic
        .primary
        .iter()
        .map(|label| (label, true))
        .chain(diagnostic.secondary.iter().map(|label| (label, false)))
        .collect();
    let mut sources: Vec<&Arc<Source>> = Vec::new();
    for (label, _) in &labels {
        if !sources.contains(&&label.place.source) {
            sources.push(&label.place.source);
        }
    }
    let mut blocks = Vec::new();
    for source in sources {
        let starts = line_starts(&source.text);
        let mut marks = Vec::new();
        for (label, primary) in labels.iter().filter(|(label, _)| label.place.source == *source) {
            add_marks(label, *primary, &starts, &source.text, &mut marks);
        }
        // On one line the leftmost comes first, so that the eye reads as in the source.
        marks.sort_by_key(|mark| (mark.line, mark.span.start));
        blocks.push((source, starts, marks));
    }
    let numbers = blocks.iter().flat_map(|(source, _, marks)| marks.iter().map(|mark| source.first_line + mark.line));
    let gutter = numbers.max().unwrap_or(1).to_string().len();
    let empty = " ".repeat(gutter + 2);
    for (source, starts, marks) in &blocks {
        let Some(first) = labels.iter().find(|(label, _)| label.place.source == **source) else { continue };
        let at = first.0.place.start();
        let name = format!(" {}:{}:{}", one_line(&source.name), at.line, at.column);
        canvas.line(&[(Ink::Plain, &empty), (Ink::Frame, "┌─"), (Ink::Plain, &name)]);
        canvas.line(&[(Ink::Plain, &empty), (Ink::Frame, "│")]);
        draw_marks(source, starts, marks, gutter, width, severity, canvas);
        canvas.line(&[(Ink::Plain, &empty), (Ink::Frame, "│")]);
    }
    gutter
}

fn draw_marks(
    source: &Source,
    starts: &[usize],
    marks: &[Mark],
    gutter: usize,
    width: usize,
    severity: Ink,
    canvas: &mut Canvas,
) {
    let empty = " ".repeat(gutter + 2);
    let mut previous: Option<usize> = None;
    let mut rest = marks;
    while let Some(mark) = rest.first() {
        let number = mark.line;
        let count = rest.iter().take_while(|mark| mark.line == number).count();
        let (here, later) = rest.split_at(count);
        rest = later;
        match previous {
            Some(last) if number == last + 2 => {
                draw_source(source, last + 1, &layout(source, starts, last + 1), gutter, width, &[], canvas);
            }
            Some(last) if number > last + 1 => canvas.line(&[(Ink::Plain, &empty), (Ink::Frame, "·")]),
            _ => {}
        }
        previous = Some(number);
        let line = layout(source, starts, number);
        let window = draw_source(source, number, &line, gutter, width, here, canvas);
        for mark in here {
            let columns = line.columns_of(&mark.span);
            let from = columns.start.clamp(window.start, window.end) - window.start;
            let to = columns.end.clamp(window.start, window.end.max(window.start + from + 1)) - window.start;
            let (sign, ink) = if mark.primary { ("^", severity) } else { ("-", Ink::Also) };
            let indent = format!(" {}", " ".repeat(from));
            let carets = sign.repeat(to.saturating_sub(from).max(1));
            let text = format!(" {}", one_line(&mark.text));
            canvas.line(&[
                (Ink::Plain, &empty),
                (Ink::Frame, "│"),
                (Ink::Plain, &indent),
                (ink, &carets),
                (ink, &text),
            ]);
        }
    }
}

/// Draws a numbered line, and returns the columns of it that are seen.
fn draw_source(
    source: &Source,
    number: usize,
    line: &Line<'_>,
    gutter: usize,
    width: usize,
    marks: &[Mark],
    canvas: &mut Canvas,
) -> Range<usize> {
    let window = window(line, gutter, width, marks);
    let head = format!(" {:>gutter$} ", source.first_line + number);
    let text = format!(" {}", line.draw(&window));
    canvas.line(&[(Ink::Frame, &head), (Ink::Frame, "│"), (Ink::Plain, &text)]);
    window
}

/// Chooses the columns of a line that are drawn: all that fit, else those around the primary mark.
fn window(line: &Line<'_>, gutter: usize, width: usize, marks: &[Mark]) -> Range<usize> {
    let room = width.saturating_sub(gutter + 4).max(NARROWEST);
    let all = line.width() + 1;
    if width == 0 || all <= room {
        return 0..all;
    }
    let mark = marks.iter().find(|mark| mark.primary).or(marks.first());
    let columns = mark.map_or(0..1, |mark| line.columns_of(&mark.span));
    // A third of the room stands before the mark, more if the mark is near the line's end; the label needs room behind it.
    let label = mark.map_or(0, |mark| mark.text.chars().count().min(room / 2));
    let behind = (columns.len() + 1 + label).min(room - room / 3);
    let lead = (room - behind).max(room / 3);
    if columns.start < lead {
        return 0..room;
    }
    let start = columns.start - lead;
    start..(start + room).min(all)
}

/// Adds the marks of one label; of a long range only the first and the last line are marked.
fn add_marks(label: &Label, primary: bool, starts: &[usize], text: &str, marks: &mut Vec<Mark>) {
    let span = label.place.shown();
    let first = line_of(starts, span.start);
    let last = line_of(starts, span.end.max(span.start));
    let lines: Vec<usize> = if last - first < WHOLE { (first..=last).collect() } else { vec![first, last] };
    for line in lines {
        let from = starts.get(line).copied().unwrap_or_default();
        let to = starts.get(line + 1).map_or(text.len(), |next| next - 1);
        let blank = text[from..to].trim().is_empty();
        if blank && line != first && line != last {
            continue;
        }
        let start = if line == first { span.start } else { from + to_indent(&text[from..to]) };
        let end = if line == last { span.end } else { from + text[from..to].trim_end().len() };
        let text = if line == last { label.text.clone() } else { String::new() };
        marks.push(Mark { line, span: start..end.max(start), primary, text });
    }
}

/// Gives the bytes of a line's leading blanks.
fn to_indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn layout<'a>(source: &'a Source, starts: &[usize], number: usize) -> Line<'a> {
    let from = starts.get(number).copied().unwrap_or(source.text.len());
    let to = starts.get(number + 1).map_or(source.text.len(), |next| next - 1);
    Line::new(from, &source.text[from..to])
}

/// Gives the byte at which each line begins.
fn line_starts(text: &str) -> Vec<usize> {
    let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(newlines).collect()
}

fn line_of(starts: &[usize], offset: usize) -> usize {
    starts.partition_point(|start| *start <= offset).saturating_sub(1)
}
