//! What one process takes from its start to its end.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use wait4::Wait4;

/// What one process took.
pub(super) struct Taken {
    /// Wall seconds from before its start until it was waited for.
    pub(super) wall: f64,
    /// Seconds of user and system time, with the children that it waited for.
    pub(super) cpu: f64,
    /// Bytes of resident memory at the peak; the kernel counts in what this process had when it started the other.
    pub(super) peak: u64,
    /// What it printed last, where that is JSON.
    pub(super) result: Value,
}

/// Runs a command to its end. What earlier ones have not yet written to the disk is written first.
pub(super) fn take(command: &mut Command) -> Result<Taken, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let line = format!("{command:?}");
    let problem = |error: &dyn std::fmt::Display| format!("{line}: {error}");
    let mut stdout = String::new();
    Command::new("sync").status().map_err(|error| format!("sync: {error}"))?;
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| problem(&error))?;
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut stdout).map_err(|error| problem(&error))?;
    }
    let used = child.wait4().map_err(|error| problem(&error))?;
    let wall = started.elapsed().as_secs_f64();
    if !used.status.success() {
        return Err(problem(&used.status));
    }
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    let last = stdout.lines().last().unwrap_or_default();
    let result = serde_json::from_str(&stdout).or_else(|_| serde_json::from_str(last)).unwrap_or_default();
    Ok(Taken { wall, cpu, peak: used.rusage.maxrss, result })
}

/// Runs two commands in turn, so that a machine whose speed drifts drifts for both; the first of each is not counted.
pub(super) fn in_turn(
    times: usize,
    ours: impl Fn() -> Result<Taken, String>,
    peer: impl Fn() -> Result<Taken, String>,
) -> Result<(Vec<Taken>, Vec<Taken>), String> {
    let (mut of_ours, mut of_peer) = (Vec::with_capacity(times), Vec::with_capacity(times));
    for time in 0..=times {
        let (a, b) = (ours()?, peer()?);
        if time > 0 {
            of_ours.push(a);
            of_peer.push(b);
        }
    }
    Ok((of_ours, of_peer))
}
