//! The binary `trainyard`: arguments in, exit code out.
//!
//! Boundary: the only crate that prints, reads the environment and ends the process. Never: decides anything about
//! data, models or steps.

mod arguments;
mod cells;
mod commands;
mod memory;
mod printer;
mod progress;
mod signal;
mod stop;
mod table;

use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use trainyard_diagnostics::{Diagnostic, Fault};

use crate::arguments::Arguments;
use crate::printer::{Printer, wrong_command_line};
use crate::stop::Stop;

/// What the last panic said; earlier ones were caught and told by whoever caught them.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wants_json = std::env::args_os().any(|argument| argument == "--json");
            if wants_json && error.use_stderr() {
                wrong_command_line(&error.to_string());
            } else {
                // A reader that has gone is no problem of ours.
                let _ = error.print();
            }
            return ExitCode::from(if error.use_stderr() { Fault::CommandLine.exit_code() } else { 0 });
        }
    };
    let printer = Printer::new(&arguments.global);
    memory::prepare(printer, &[], None);
    panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
    }));
    let place = || commands::in_project(&commands::place(&arguments));
    let code = match panic::catch_unwind(|| commands::run(&arguments, printer)) {
        Ok(Ok(code)) => code,
        Ok(Err(stop)) => printer.stop(stop.placed(&place())),
        Err(_) => printer.stop(defect().placed(&place())),
    };
    ExitCode::from(code)
}

/// Tells of a panic, which is a defect of Trainyard whatever the input was.
fn defect() -> Stop {
    let said = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut problem = Diagnostic::error("internal/panic", "Trainyard has a defect and had to stop")
        .with_fault(Fault::Internal)
        .note(format!("trainyard {}", env!("CARGO_PKG_VERSION")));
    for line in said.iter().flat_map(|said| said.lines()) {
        problem = problem.note(line.trim());
    }
    problem
        .help("please open an issue in Trainyard's repository with this message and the command line")
        .help("what a run has done so far is kept: `trainyard resume` goes on with it")
        .into()
}
