//! The long campaigns that `cargo xtask test --all` adds.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, call, crash, fuzz, judges, root, say};

/// Runs every campaign.
pub(crate) fn run() -> Outcome {
    licenses()?;
    queries()?;
    crash::run(1000)?;
    fuzz::run(60, None)?;
    edited_source()
}

/// Checks and tests queries over files with their engine, in the dev profile: optimised it compiles for half an hour.
fn queries() -> Outcome {
    let features = "trainyard-query/datafusion,trainyard-cli/datafusion";
    let with = ["-p", "trainyard-query", "-p", "trainyard-cli", "--features", features, "--locked", "--quiet"];
    let folder = judges::folder();
    let environment = [
        ("TRAINYARD_JUDGES", folder.as_os_str()),
        ("TRAINYARD_REQUIRE_JUDGES", OsStr::new("1")),
        // Nobody debugs the engine, and its debug information is most of what a build writes.
        ("CARGO_PROFILE_DEV_DEBUG", OsStr::new("0")),
    ];
    let lints = [["clippy", "--all-targets"].as_slice(), &with, &["--", "-D", "warnings"]].concat();
    call("cargo", &lints, &environment)?;
    // In the tests of the binary, those of one module: all others have run without the engine.
    call("cargo", &[["test"].as_slice(), &with, &["--test", "it", "queries::"]].concat(), &environment)
}

/// Holds the dependencies' licences and sources against `deny.toml`.
fn licenses() -> Outcome {
    let deny = Command::new("cargo").args(["deny", "--version"]).output();
    if deny.is_ok_and(|output| output.status.success()) {
        call(
            "cargo",
            &["deny", "--all-features", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
            &[],
        )
    } else {
        say("skipped: cargo-deny is not installed (`cargo install cargo-deny`), so licences were not checked");
        Ok(())
    }
}

/// Edits one line of one step's source, builds, and looks at which steps run again.
fn edited_source() -> Outcome {
    let folder = target().join("campaigns/edited-source");
    say(&format!("→ one line of a step's source edited, in {}", folder.display()));
    let source = folder.join("source");
    copy_repository(&source)?;
    let project = folder.join("project");
    let _ = fs::remove_dir_all(&project);
    copy_folder(&source.join("examples/churn"), &project)?;
    let binary = folder.join("target/release/trainyard");
    let steps = || -> Result<Vec<String>, String> {
        build(&source, &folder.join("target"))?;
        steps_that_ran(&binary, &project)
    };
    let first = steps()?;
    if first.len() != 10 {
        return Err(format!("a first run ran {}", first.join(", ")));
    }
    // The first comparison with an incumbent runs once.
    steps()?;
    for (step, expected) in [("gate", ["gate", "promote"]), ("baseline", ["baseline", "promote"])] {
        let file = source.join(format!("crates/pipeline/src/steps/{step}.rs"));
        let before = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        write(&file, &format!("{before}// An edited line.\n"))?;
        let ran = steps();
        write(&file, &before)?;
        let ran = ran?;
        if ran != expected {
            return Err(format!("with {step}.rs edited, these ran: {}", ran.join(", ")));
        }
        say(&format!("  {step}.rs edited: {} ran, all others came from the cache", ran.join(" and ")));
    }
    Ok(())
}

fn build(source: &Path, target: &Path) -> Outcome {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--quiet", "--bin", "trainyard", "--target-dir"]).arg(target);
    match command.current_dir(source).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the copy's build ended with {status}")),
        Err(error) => Err(format!("cargo can't be started: {error}")),
    }
}

/// Runs the project and gives the steps that did not come from the cache.
fn steps_that_ran(binary: &Path, project: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(binary)
        .args(["run", "--json", "--quiet"])
        .arg(project)
        .output()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let result: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("the run failed: {}", String::from_utf8_lossy(&output.stderr)))?;
    let steps = result["steps"].as_array().into_iter().flatten();
    let ran = steps.filter(|step| step["status"] == "ran").filter_map(|step| step["name"].as_str());
    Ok(ran.map(str::to_owned).collect())
}

/// Gives the folder of builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Copies what version control knows or would take; a file that is the same keeps its time, so that builds are short.
fn copy_repository(to: &Path) -> Outcome {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    for name in String::from_utf8_lossy(&list.stdout).split('\0').filter(|name| !name.is_empty()) {
        copy(&root().join(name), &to.join(name))?;
    }
    Ok(())
}

/// Copies a folder with all in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Outcome {
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy_folder(&path, &target)? } else { copy(&path, &target)? }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    // A file that was deleted and not yet committed is still listed.
    let Ok(bytes) = fs::read(from) else { return Ok(()) };
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(to, bytes).map_err(|error| format!("{}: {error}", to.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
