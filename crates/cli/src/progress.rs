//! What happens while steps run: moving lines on a terminal, a line per finished step elsewhere, JSON lines on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use trainyard_diagnostics::render;
use trainyard_pipeline::{Event, Reporter, StepStatus};

use crate::memory;
use crate::printer::{Ink, Printer};
use crate::signal::Current;
use crate::table::{Side, clean, cut, pad, seconds};

/// The columns of a step's name, of what it works on, and of what came out.
const NAME: usize = 11;
const SUBJECT: usize = 22;
const RESULT: usize = 31;

/// The width of a bar.
const BAR: usize = 16;

/// Shows events.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    current: Current,
    screen: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    at_work: Mutex<Vec<String>>,
}

impl Progress {
    /// Starts with nothing to show.
    pub(crate) fn new(printer: Printer, current: Current) -> Self {
        let target = if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let screen = MultiProgress::with_draw_target(target);
        Self { printer, current, screen, running: Mutex::default(), at_work: Mutex::default() }
    }

    fn line(&self, text: &str) {
        if self.printer.live {
            self.screen.suspend(|| self.printer.line(text));
        } else {
            self.printer.line(text);
        }
    }

    fn started(&self, step: &str) {
        if !self.printer.live {
            return;
        }
        let bar = self.screen.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        bar.set_message(self.moving(step, ""));
        bar.tick();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(step.to_owned(), bar);
    }

    /// Keeps what is said of exhausted memory up to date.
    fn note_at_work(&self, event: &Event) {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { .. } => {}
            Event::StepStarted { step } => at_work.push(step.clone()),
            Event::StepFinished { step, .. } => at_work.retain(|other| other != step),
            _ => return,
        }
        memory::prepare(self.printer, &at_work, self.current.way());
    }

    fn progress(&self, step: &str, text: &str, done: u64, total: u64) {
        if self.printer.live {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bar) = running.get(step) {
                let what = format!("{} {}", pad(&clean(text), SUBJECT, Side::Left), drawn(done, total));
                bar.set_message(self.moving(step, &what));
            }
        } else if self.printer.verbose {
            let of = if total > 0 { format!(" ({done} of {total})") } else { String::new() };
            self.printer.line(&format!("  · {} {}{of}", pad(step, NAME, Side::Left), clean(text)));
        }
    }

    fn moving(&self, step: &str, what: &str) -> String {
        let columns = self.printer.width.saturating_sub(5).max(20);
        let text = cut(format!("{} {what}", pad(step, NAME, Side::Left)).trim_end(), columns);
        format!("  {} {text}", self.printer.error().ink(Ink::Strong, "▸"))
    }

    fn finished(&self, step: &str, status: StepStatus, took: f64, subject: &str, result: &str) {
        let bar = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(step);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        let paint = self.printer.error();
        let (mark, end) = match status {
            StepStatus::Ran => (paint.ink(Ink::Good, "✓"), seconds(took)),
            StepStatus::Cached => (paint.ink(Ink::Good, "✓"), paint.ink(Ink::Faint, "cached")),
            StepStatus::Skipped => (paint.ink(Ink::Faint, "·"), paint.ink(Ink::Faint, "skipped")),
            StepStatus::Failed => (paint.ink(Ink::Bad, "✗"), seconds(took)),
        };
        let name = pad(step, NAME, Side::Left);
        let subject = pad(&clean(subject), SUBJECT, Side::Left);
        let result = pad(&clean(result), RESULT, Side::Left);
        self.line(&format!("  {mark} {name} {subject} {result} {end}"));
    }
}

/// Draws a bar; nothing where the whole is unknown.
fn drawn(done: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let share = done.min(total) as f64 / total as f64;
    let full = (share * BAR as f64).floor() as usize;
    format!("{}{}  {done} of {total}", "━".repeat(full), "─".repeat(BAR.saturating_sub(full)))
}

impl Reporter for Progress {
    fn report(&self, event: &Event) {
        if let Event::Started { run } = event {
            self.current.set(run);
        }
        self.note_at_work(event);
        if self.printer.json {
            if let Ok(line) = serde_json::to_string(event) {
                self.printer.line(&line);
            }
            return;
        }
        if let Event::Warning { diagnostic } = event {
            self.line(render(diagnostic, &self.printer.style()).trim_end());
            return;
        }
        if self.printer.quiet {
            return;
        }
        let paint = self.printer.error();
        match event {
            Event::Checked { project, steps, ready } => {
                let head = paint.ink(Ink::Strong, "Checked");
                self.line(&format!("{head}   {}: {steps} steps, {ready} already done", clean(project)));
            }
            Event::Started { run } => {
                self.line(&format!("{}   {}", paint.ink(Ink::Strong, "Running"), clean(run)));
            }
            Event::StepStarted { step } => self.started(step),
            Event::Progress { step, text, done, total } => self.progress(step, text, *done, *total),
            Event::StepFinished { step, status, seconds, subject, result } => {
                self.finished(step, *status, *seconds, subject, result);
            }
            Event::Warning { .. } => {}
        }
    }
}
