//! Other processes: this test binary once more, told by the environment what to be.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "TRAINYARD_TEST_CHILD";

/// Returns the arguments of a child, in a child: those that [`Process::start`] was given.
pub fn arguments() -> Option<Vec<String>> {
    let role = std::env::var(ROLE).ok()?;
    Some(role.split('\t').map(str::to_owned).collect())
}

/// Says something to the parent.
pub fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "child: {line}").and_then(|()| out.flush()).unwrap();
}

/// Waits to be killed; ends by itself when the parent is gone.
pub fn wait_for_death() {
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

/// Is a running child; it is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    /// Runs the test `name` of this test binary, which finds `arguments` and behaves as a child.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads", "1"])
            .env(ROLE, arguments.join("\t"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Returns the child's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next thing that the child says; none when it has ended.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness writes before and after.
            if let Some((_, said)) = line.trim_end().split_once("child: ") {
                return Some(said.to_owned());
            }
        }
    }

    /// Lets the child end by itself, and says whether it went well.
    pub fn ends(mut self) -> bool {
        drop(self.child.stdin.take());
        while self.hear().is_some() {}
        self.child.wait().unwrap().success()
    }

    /// Kills the child as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a path as an argument.
///
/// # Panics
/// Panics where the path is no text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
