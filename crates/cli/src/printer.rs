//! The only place that writes to stdout and stderr.
//!
//! stdout holds the result and nothing else; progress and problems go to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Effects};
use serde_json::{Value, json};
use trainyard_diagnostics::{Diagnostic, Fault, Severity, Style, render, render_all};
use trainyard_explanations::explanation;

use crate::arguments::{Color, Global};
use crate::stop::{Stop, WayOut};

/// What a part of a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// Look here.
    Strong,
    /// Beside the point.
    Faint,
}

/// A text with or without colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Colours nothing, as in a file.
    pub(crate) const NONE: Paint = Paint(false);

    /// Colours a text.
    pub(crate) fn ink(self, ink: Ink, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let style = match ink {
            Ink::Good => AnsiColor::Green.on_default(),
            Ink::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Ink::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Ink::Faint => anstyle::Style::new().effects(Effects::DIMMED),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Knows how stdout and stderr are to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    /// One document on stdout, events on stderr.
    pub(crate) json: bool,
    /// No progress.
    pub(crate) quiet: bool,
    /// More of what happens.
    pub(crate) verbose: bool,
    /// Whether lines on stderr may move.
    pub(crate) live: bool,
    /// The columns of the terminal, 0 where there is none.
    pub(crate) width: usize,
    color_out: bool,
    color_error: bool,
}

impl Printer {
    /// Looks at the arguments, the terminal and the variables that speak of colours.
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = io::stderr().is_terminal();
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && !set("NO_COLOR"),
        };
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(100, |(width, _)| usize::from(width.0));
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            live: terminal && !dumb && !global.json && !global.quiet,
            width: if terminal { width } else { 0 },
            color_out: color(io::stdout().is_terminal()) && !global.json,
            color_error: color(terminal) && !global.json,
        }
    }

    /// Gives the colours of stdout.
    pub(crate) const fn out(self) -> Paint {
        Paint(self.color_out)
    }

    /// Gives the colours of stderr.
    pub(crate) const fn error(self) -> Paint {
        Paint(self.color_error)
    }

    /// Writes a command's result to stdout, as one document or as text.
    pub(crate) fn result(
        self,
        document: impl FnOnce() -> Value,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Stop> {
        if !self.json {
            return self.text(&text(self.out()));
        }
        let document = document();
        if DOCUMENT.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.write_out(format!("{document}\n").as_bytes())
    }

    /// Writes a text to stdout and sees that it ends with a newline.
    pub(crate) fn text(self, text: &str) -> Result<(), Stop> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.write_out(format!("{text}{end}").as_bytes())
    }

    /// Writes bytes to stdout. A reader that has gone is no problem of ours.
    pub(crate) fn write_out(self, bytes: &[u8]) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Diagnostic::error("output/stdout", format!("the result cannot be written: {error}")).into())
            }
            _ => Ok(()),
        }
    }

    /// Writes one line to stderr; there is nobody to tell when that fails.
    pub(crate) fn line(self, line: &str) {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{line}");
    }

    /// Draws warnings on stderr.
    pub(crate) fn warnings(self, warnings: &[Diagnostic]) {
        for warning in warnings {
            if self.json {
                self.line(&json!({"event": "warning", "diagnostic": warning.to_json()}).to_string());
            } else {
                self.line(&render(warning, &self.style()));
            }
        }
    }

    /// Gives how diagnostics are drawn.
    pub(crate) const fn style(self) -> Style {
        Style { color: self.color_error, width: self.width }
    }

    /// Says why a command stopped and gives the exit code.
    pub(crate) fn stop(self, stop: Stop) -> u8 {
        match stop {
            Stop::Problems { diagnostics, state } => {
                self.tell(&diagnostics, &state);
                if let Some(command) = explaining(&diagnostics).filter(|_| !self.json) {
                    self.line(&self.error().ink(Ink::Faint, &format!("For more: {command}")));
                }
                exit_code(&diagnostics)
            }
            Stop::Interrupted { way } => {
                self.interrupted(way);
                Fault::Interrupted.exit_code()
            }
        }
    }

    /// Draws problems and the state that things are in now, for stderr; with `--json` their document, for stdout.
    pub(crate) fn drawn(self, diagnostics: &[Diagnostic], state: &str) -> String {
        if self.json {
            return error_document(diagnostics, state, exit_code(diagnostics));
        }
        format!("{}\n", render_all(diagnostics, &self.style(), state).trim_end())
    }

    fn tell(self, diagnostics: &[Diagnostic], state: &str) {
        let drawn = self.drawn(diagnostics, state);
        if self.json {
            write_document(&drawn);
        } else {
            self.line(drawn.trim_end());
        }
    }

    /// Says that the user stopped the work, and how it goes on.
    pub(crate) fn interrupted(self, way: Option<WayOut>) {
        let (what, help) = match way {
            Some(way) => (format!("Interrupted. {}", way.kept), format!("{}: {}", way.verb, way.command)),
            None => ("Interrupted. Nothing was run.".to_owned(), String::new()),
        };
        if self.json {
            let diagnostic = Diagnostic::error("run/interrupted", what).with_fault(Fault::Interrupted);
            let diagnostic = if help.is_empty() { diagnostic } else { diagnostic.help(help) };
            self.tell(&[diagnostic], "");
        } else {
            self.line(format!("{what}\n{help}").trim_end());
        }
    }
}

/// Whether the one document of this process was begun.
static DOCUMENT: AtomicBool = AtomicBool::new(false);

/// Gives the document of an error, with the state that things are in now.
fn error_document(diagnostics: &[Diagnostic], state: &str, code: u8) -> String {
    let list: Vec<Value> = diagnostics.iter().map(Diagnostic::to_json).collect();
    let mut document = json!({"error": list, "exit": code});
    if !state.is_empty() {
        document["state"] = json!(state);
    }
    format!("{document}\n")
}

/// Writes the document of an error to stdout; to stderr where stdout has one.
fn write_document(document: &str) {
    // A reader that has gone is no problem of ours.
    let _ = if DOCUMENT.swap(true, Ordering::Relaxed) {
        io::stderr().lock().write_all(document.as_bytes())
    } else {
        io::stdout().lock().write_all(document.as_bytes())
    };
}

/// Writes the document of a wrong command line, whose other arguments are unknown.
pub(crate) fn wrong_command_line(message: &str) {
    let mut lines = message.lines().map(str::trim);
    let mut title = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if title.ends_with(':') {
        // What the title speaks of stands below it, up to a blank line.
        let listed: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        title = format!("{title} {}", listed.join(", "));
    }
    let mut diagnostic = Diagnostic::error("command-line/wrong", title).with_fault(Fault::CommandLine);
    for line in lines.filter(|line| !line.is_empty()) {
        let helps = ["tip: ", "Usage: ", "For more information"].iter().any(|start| line.starts_with(start));
        diagnostic = if helps { diagnostic.help(line) } else { diagnostic.note(line) };
    }
    write_document(&error_document(&[diagnostic], "", Fault::CommandLine.exit_code()));
}

/// The most codes that one command to explain them names.
const EXPLAINED: usize = 3;

/// Gives the command that explains errors, where an example can say more than the messages did.
fn explaining(diagnostics: &[Diagnostic]) -> Option<String> {
    let mut codes: Vec<&str> = Vec::new();
    for code in diagnostics.iter().filter(|one| one.fault == Fault::User).map(|one| one.code.as_str()) {
        if !codes.contains(&code) && explanation(code).is_some_and(|told| told.has_example()) {
            codes.push(code);
        }
    }
    codes.truncate(EXPLAINED);
    if codes.is_empty() { None } else { Some(format!("trainyard explain {}", codes.join(" "))) }
}

/// Gives the gravest exit code among errors: a defect of ours, then what a gate said, then what the user can fix.
fn exit_code(diagnostics: &[Diagnostic]) -> u8 {
    let has = |fault| diagnostics.iter().any(|one| one.severity == Severity::Error && one.fault == fault);
    let order = [Fault::Internal, Fault::Interrupted, Fault::CommandLine, Fault::User, Fault::Refused];
    order.into_iter().find(|fault| has(*fault)).unwrap_or(Fault::User).exit_code()
}
