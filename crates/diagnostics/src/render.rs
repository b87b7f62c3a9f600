//! Diagnostics for a terminal.

mod line;
mod snippet;

use anstyle::{AnsiColor, Effects};

use crate::conceal::conceal;
use crate::width::visible;
use crate::{Diagnostic, Severity};

/// Says how to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour; meaning survives without.
    pub color: bool,
    /// The columns of the terminal, by which long lines of a source are cut; 0 for no limit.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Style {
        Style { color: false, width: 120 }
    }
}

/// Names what a part of the drawing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Title,
    Error,
    Warning,
    Frame,
    Also,
}

impl Ink {
    fn of(severity: Severity) -> Ink {
        match severity {
            Severity::Error => Ink::Error,
            Severity::Warning => Ink::Warning,
        }
    }

    fn style(self) -> anstyle::Style {
        let plain = anstyle::Style::new();
        match self {
            Ink::Plain => plain,
            Ink::Title => plain.effects(Effects::BOLD),
            Ink::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Ink::Warning => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Ink::Frame => AnsiColor::Blue.on_default().effects(Effects::BOLD),
            Ink::Also => AnsiColor::Cyan.on_default().effects(Effects::BOLD),
        }
    }
}

/// Gathers the drawing, with or without colour, and leaves no blanks at the end of a line.
#[derive(Debug)]
pub(crate) struct Canvas {
    text: String,
    color: bool,
}

impl Canvas {
    /// Draws one line of differently inked parts.
    pub(crate) fn line(&mut self, parts: &[(Ink, &str)]) {
        let last = parts.iter().rposition(|(_, text)| !text.trim_end().is_empty());
        for (index, (ink, text)) in parts.iter().enumerate() {
            match last {
                Some(last) if index < last => self.part(*ink, text),
                Some(last) if index == last => self.part(*ink, text.trim_end()),
                _ => {}
            }
        }
        self.text.push('\n');
    }

    fn part(&mut self, ink: Ink, text: &str) {
        let text = conceal(text);
        if self.color && ink != Ink::Plain && !text.is_empty() {
            let style = ink.style();
            self.text.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.text.push_str(&text);
        }
    }
}

/// Draws a diagnostic; the last line ends with a newline.
pub fn render(diagnostic: &Diagnostic, style: &Style) -> String {
    let mut canvas = Canvas { text: String::new(), color: style.color };
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let head = format!("{severity}[{}]", one_line(&diagnostic.code));
    let title = one_line(&diagnostic.title);
    canvas.line(&[(Ink::of(diagnostic.severity), &head), (Ink::Title, ": "), (Ink::Title, &title)]);
    let gutter = snippet::draw(diagnostic, style.width, &mut canvas);
    let gutter = " ".repeat(gutter + 2);
    for (kind, texts) in [("note", &diagnostic.notes), ("help", &diagnostic.help)] {
        for text in texts {
            let head = format!("{kind}: ");
            let mut lines = text.lines();
            let first = one_line(lines.next().unwrap_or_default());
            canvas.line(&[(Ink::Plain, &gutter), (Ink::Frame, "= "), (Ink::Title, &head), (Ink::Plain, &first)]);
            let indent = " ".repeat(gutter.len() + 2 + head.len());
            for more in lines {
                canvas.line(&[(Ink::Plain, &indent), (Ink::Plain, &one_line(more))]);
            }
        }
    }
    canvas.text
}

/// Draws all diagnostics, then counts them and says `state`, what things are in now; nothing for no diagnostics.
pub fn render_all(diagnostics: &[Diagnostic], style: &Style, state: &str) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&render(diagnostic, style));
        text.push('\n');
    }
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let mut counts = Vec::new();
    for (number, name) in [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")] {
        match number {
            0 => {}
            1 => counts.push(format!("1 {name}")),
            _ => counts.push(format!("{number} {name}s")),
        }
    }
    text.push_str(&counts.join(", "));
    text.push('.');
    if !state.is_empty() {
        text.push(' ');
        text.push_str(state);
    }
    text.push('\n');
    text
}

/// Makes a text safe to stand in one line of a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(visible).collect()
}
