//! The most memory that a piece of work holds.

use std::io::Write;
use std::process::Command;

const CASE: &str = "TRAINYARD_MEMORY_CASE";

/// Gives the most memory, in bytes, that a process of its own holds at any time while it does `work`.
///
/// The process is the test that calls this, run again; `test` is its path, such as `limits::nothing_explodes`, and `case`
/// tells several calls of one test apart.
///
/// # Panics
/// Panics when the work does.
pub fn peak_memory(test: &str, case: &str, work: impl FnOnce()) -> u64 {
    if let Some(wanted) = std::env::var_os(CASE) {
        if wanted == case {
            work();
            let told = writeln!(std::io::stdout(), "\n{CASE}={}", high_water_mark());
            std::process::exit(i32::from(told.is_err()));
        }
        return 0;
    }
    let binary = std::env::current_exe().expect("a test knows its binary");
    let output = Command::new(binary).args(["--exact", test, "--nocapture"]).env(CASE, case).output();
    let output = output.expect("a test's binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let peak = said.lines().find_map(|line| line.split_once(&format!("{CASE}="))?.1.parse().ok());
    peak.unwrap_or_else(|| {
        panic!("{test}, {case}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr))
    })
}

/// Gives the most memory, in bytes, that this process has held so far.
fn high_water_mark() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its high-water mark among it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") * 1024
}
