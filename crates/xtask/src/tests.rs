//! The test command: what the README names and what continuous integration calls.

use std::ffi::OsStr;
use std::process::Command;

use crate::{Outcome, call, campaigns, fuzz, generated, judges, layers, say};

/// Runs every check; `all` adds the long campaigns.
pub(crate) fn test(all: bool) -> Outcome {
    call("cargo", &["fmt", "--all", "--check"], &[])?;
    layers::check()?;
    generated::check()?;
    let lints = ["clippy", "--release", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    call("cargo", &lints, &[])?;
    judges::make()?;
    let folder = judges::folder();
    let mut environment: Vec<(&str, &OsStr)> =
        vec![("TRAINYARD_JUDGES", folder.as_os_str()), ("TRAINYARD_REQUIRE_JUDGES", OsStr::new("1"))];
    if all {
        environment.push(("TRAINYARD_LONG", OsStr::new("1")));
    }
    let nextest = Command::new("cargo").args(["nextest", "--version"]).output();
    let runner: &[&str] = if nextest.is_ok_and(|output| output.status.success()) {
        &["nextest", "run", "--release", "--workspace", "--locked", "--no-fail-fast"]
    } else {
        say("cargo-nextest is not installed; the slower `cargo test` does the same");
        &["test", "--release", "--workspace", "--locked", "--no-fail-fast"]
    };
    call("cargo", runner, &environment)?;
    fuzz::replay()?;
    if all { campaigns::run() } else { Ok(()) }
}
