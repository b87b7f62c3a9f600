//! The judges of the tests: pinned Python environments, real data sets, visible skips.
//!
//! Only tests depend on this crate, and the benchmarks, which start its PostgreSQL. A judge is a Python environment that `cargo xtask test` makes from
//! `judges/<name>.txt`; where it is absent, a test says so on stderr and passes without having judged.

mod azure;
mod dialogue;
mod memory;
mod mlflow;
mod postgres;
mod proxy;
mod s3;
mod tls;
mod web;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub use azure::{Azure, azure};
pub use memory::peak_memory;
pub use mlflow::{Mlflow, mlflow};
pub use postgres::{DATABASE, PASSWORD, Postgres, USER, postgres};
pub use proxy::{Exchange, Proxy, Way};
pub use s3::{S3, s3};
pub use tls::{Tls, tls};
pub use web::{Asked, Reply, Web};

/// Runs Python scripts in one pinned environment.
#[derive(Debug, Clone)]
pub struct Judge {
    python: PathBuf,
}

/// Finds the environment `name`; prints why a test is skipped when it is absent.
///
/// # Panics
/// Panics when it is absent although `TRAINYARD_REQUIRE_JUDGES` is set, as `cargo xtask test` does.
pub fn python(name: &str) -> Option<Judge> {
    let python = environments().join(name).join("bin/python");
    if python.is_file() {
        return Some(Judge { python });
    }
    assert!(
        std::env::var_os("TRAINYARD_REQUIRE_JUDGES").is_none(),
        "the judge `{name}` is required but {} is absent",
        python.display()
    );
    skip(&format!("the Python judge `{name}` is absent; `cargo xtask judges` makes it"));
    None
}

/// Finds a file or folder of the shared development data, such as `data/telco_churn/customers.csv`.
///
/// It lies beside the checkout, in `../shared`, or where `TRAINYARD_SHARED` says. Prints a skip when absent.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("TRAINYARD_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => repository().parent()?.join("shared"),
    };
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("the shared data file {relative} is absent"));
    None
}

/// Gives the folder of the crate that is tested.
///
/// # Panics
/// Panics outside of `cargo test` and `cargo nextest`, which name it. It is asked for when a test runs, since a folder of
/// builds may serve several checkouts.
pub fn crate_folder() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the folder of the crate that it tests"))
}

/// Gives the root folder of the repository.
///
/// # Panics
/// As [`crate_folder`].
pub fn repository() -> PathBuf {
    crate_folder().join("../..").canonicalize().expect("the repository exists while it is tested")
}

/// Gives the folder that holds the judges' environments.
///
/// `TRAINYARD_JUDGES` names it; otherwise it is `judges` beside the target folder's `release`.
pub fn environments() -> PathBuf {
    if let Some(folder) = std::env::var_os("TRAINYARD_JUDGES") {
        return PathBuf::from(folder);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("judges")
}

impl Judge {
    /// Gives the interpreter's path.
    pub fn interpreter(&self) -> &Path {
        &self.python
    }

    /// Runs `script` with `data` (from stdin, as JSON) in scope and gives what it assigns to `answer`.
    ///
    /// NaN and infinities may be sent and received as the strings `NaN`, `Infinity` and `-Infinity`.
    ///
    /// # Panics
    /// Panics with the script's stderr when it fails.
    pub fn run(&self, script: &str, data: &Value) -> Value {
        let mut child = Command::new(&self.python)
            .args(["-W", "ignore", "-c", &format!("{PRELUDE}\n{script}\n{POSTLUDE}")])
            .env("OMP_NUM_THREADS", "1")
            .env("OPENBLAS_NUM_THREADS", "1")
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the judge's interpreter starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let text = data.to_string();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("the judge can be waited for");
        // A script that fails early closes the pipe; its own words below say more than the broken pipe.
        let _ = writer.join();
        assert!(output.status.success(), "the judge failed:\n{}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("the judge's answer is no JSON ({error}): {last}"))
    }
}

/// Reads a number as a judge writes it: plain, or one of the strings `NaN`, `Infinity`, `-Infinity`.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) if text == "NaN" => f64::NAN,
        Value::String(text) if text == "Infinity" => f64::INFINITY,
        Value::String(text) if text == "-Infinity" => f64::NEG_INFINITY,
        other => other.as_f64().unwrap_or_else(|| panic!("no number: {other}")),
    }
}

/// Writes a number so that a judge reads it back exactly, NaN and infinities included.
pub fn json_number(value: f64) -> Value {
    if value.is_nan() {
        Value::from("NaN")
    } else if value.is_infinite() {
        Value::from(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        Value::from(value)
    }
}

/// Says on stderr that a test, or a part of it, passes without having judged, and why.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

const PRELUDE: &str = r#"
import json, math, sys
def _read(v):
    if isinstance(v, str) and v in ("NaN", "Infinity", "-Infinity"):
        return float(v.replace("Infinity", "inf"))
    if isinstance(v, list):
        return [_read(x) for x in v]
    if isinstance(v, dict):
        return {k: _read(x) for k, x in v.items()}
    return v
def _plain(v):
    if hasattr(v, "tolist"):
        v = v.tolist()
    if isinstance(v, float) and not math.isfinite(v):
        return "NaN" if v != v else ("Infinity" if v > 0 else "-Infinity")
    if isinstance(v, (list, tuple)):
        return [_plain(x) for x in v]
    if isinstance(v, dict):
        return {str(k): _plain(x) for k, x in v.items()}
    return v
data = _read(json.load(sys.stdin))
answer = None
"#;

const POSTLUDE: &str = "print()\nprint(json.dumps(_plain(answer)))";
