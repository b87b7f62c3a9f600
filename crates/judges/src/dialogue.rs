//! A server in a process of the pinned Python, and what is said to it: a line of JSON each way.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Judge;

/// A running program that answers each line; it ends with its input, which ends with the process that started it.
#[derive(Debug)]
pub(crate) struct Dialogue {
    program: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Dialogue {
    /// Starts a program with its arguments.
    ///
    /// # Panics
    /// Panics when it does not start.
    pub(crate) fn start(judge: &Judge, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(judge.interpreter());
        command.args(["-W", "ignore", "-c", program]).args(arguments);
        // A test that fails shows what it said.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // A proxy is no way to this machine.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        let mut program = command.spawn().expect("the judge's interpreter starts");
        let asked = program.stdin.take();
        let answers = BufReader::new(program.stdout.take().expect("it is a pipe"));
        Self { program, asked, answers }
    }

    /// Gives its next line.
    ///
    /// # Panics
    /// Panics when it says nothing, or no JSON.
    pub(crate) fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server can be heard");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the server did not do it: {line} {error}"))
    }

    /// Says a line, and gives its answer.
    ///
    /// # Panics
    /// Panics when it does not listen, and as [`answer`](Self::answer) does.
    pub(crate) fn ask(&mut self, asked: &Value) -> Value {
        let input = self.asked.as_mut().expect("the server runs");
        writeln!(input, "{asked}").expect("the server listens");
        self.answer()
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.asked.take());
        let _ = self.program.wait();
    }
}
