//! Long deeds on versioned data: they show how far they are, and somebody may stop them.

use std::env;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use trainyard_diagnostics::{conceal, shell_word};
use trainyard_pipeline::Cancel;
use trainyard_versioning::{Error, Failure, Problem, Progress};

use super::versioned::{bytes, stopped};
use crate::printer::{Ink, Printer};
use crate::signal::{self, Current, Way};
use crate::stop::{Stop, WayOut};
use crate::table::count;

/// Gives what else the command was called with, as it is typed.
fn others(verb: &str) -> String {
    let words: Vec<String> = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let at = words.windows(2).position(|pair| pair[0] == "data" && pair[1] == verb).unwrap_or(words.len());
    let is_other = |(place, _): &(usize, &String)| *place != at && *place != at + 1;
    let others = words.iter().enumerate().filter(is_other);
    others.map(|(_, word)| format!(" {}", shell_word(&conceal(word)))).collect()
}

/// What is told of a deed that does not come to its end.
#[derive(Clone, Copy)]
pub(super) struct States {
    /// Something was written.
    pub(super) some: &'static str,
    /// Nothing was.
    pub(super) none: &'static str,
}

/// Is a deed under way.
pub(super) struct Attended {
    cancel: Cancel,
    current: Current,
    bar: ProgressBar,
    verb: &'static str,
    mark: String,
    states: States,
}

impl Attended {
    pub(super) fn new(verb: &'static str, states: States, printer: Printer) -> Result<Self, Stop> {
        let cancel = Cancel::default();
        let way = Way { kept: states.some, verb: "Go on with", before: "trainyard data", after: others(verb) };
        let current = Current::new(way);
        current.set(verb);
        signal::watch(&cancel, &current, printer)?;
        let target = if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Ok(Self { cancel, current, bar, verb, mark: printer.error().ink(Ink::Strong, "▸"), states })
    }

    /// Shows how far it is; says whether to go on.
    pub(super) fn watch(&self, progress: Progress) -> bool {
        if !self.bar.is_hidden() {
            let of = if progress.of > 0 { format!(" of {}", count(progress.of as u64)) } else { String::new() };
            let (objects, bytes) = (count(progress.objects as u64), bytes(progress.bytes));
            self.bar.set_message(format!("  {} {}  {objects}{of} objects  {bytes}", self.mark, self.verb));
        }
        !self.cancel.is_cancelled()
    }

    /// Takes the progress away; gives what came of it, or says why it did not come to its end.
    pub(super) fn end<T>(&self, ended: Result<T, Failure>) -> Result<T, Stop> {
        self.bar.finish_and_clear();
        let is_stop =
            |error: &Error| matches!(error, Error::Remote(problem) if matches!(**problem, Problem::Interrupted));
        ended.map_err(|failure| match failure.errors.iter().any(is_stop) {
            true => {
                let none = self.states.none.to_owned();
                let way = self.current.way();
                Stop::Interrupted {
                    way: way.map(|way| if failure.has_written { way } else { WayOut { kept: none, ..way } }),
                }
            }
            false => stopped(failure.errors, if failure.has_written { self.states.some } else { self.states.none }),
        })
    }
}
