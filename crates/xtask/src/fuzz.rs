//! Fuzzing: every test run replays the corpus, and libFuzzer looks for what is not in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::campaigns::target;
use crate::{Outcome, call, root, say};

const MANIFEST: &str = "--manifest-path=fuzz/Cargo.toml";

/// Checks the format and the lints of `fuzz/`, builds its targets, and replays the corpus.
pub(crate) fn replay() -> Outcome {
    call("cargo", &["fmt", MANIFEST, "--check"], &[])?;
    let mut build = vec!["--release", "--locked", "--quiet", MANIFEST];
    if !has_cpp() {
        say("there is no C++ compiler: libFuzzer's targets are not built; the corpus is replayed without them");
        build.push("--no-default-features");
    }
    call("cargo", &[&["clippy", "--all-targets"], build.as_slice(), &["--", "-D", "warnings"]].concat(), &[])?;
    call("cargo", &[&["test"], build.as_slice()].concat(), &[])
}

/// Says whether libFuzzer, which is written in C++, can be compiled.
fn has_cpp() -> bool {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Fuzzes one target, or each, for a number of seconds; what it learns is kept beside the builds for the next time.
pub(crate) fn run(seconds: u64, only: Option<&str>) -> Outcome {
    let mut targets = targets()?;
    if let Some(only) = only {
        if !targets.iter().any(|target| target == only) {
            return Err(format!("there is no target {only}, only {}", targets.join(", ")));
        }
        targets = vec![only.to_owned()];
    }
    if !has_cpp() {
        say("skipped: libFuzzer needs a C++ compiler, and there is none, so nothing was fuzzed");
        return Ok(());
    }
    let (folder, triple) = (target().join("fuzz"), host()?);
    build(&folder, &triple)?;
    for target in targets {
        say(&format!("→ fuzz/{target} for {seconds} s"));
        let binary = folder.join(&triple).join("release").join(&target);
        let output = Command::new(&binary).args(arguments(&target, seconds, &folder)?).current_dir(root()).output();
        let output = output.map_err(|error| format!("{}: {error}", binary.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            say(&said);
            let advice = "mend it and keep the input in the corpus";
            return Err(format!("{target} failed on an input, which is in {}/found; {advice}", folder.display()));
        }
        let number = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let (inputs, memory) = (number("stat::number_of_executed_units:"), number("stat::peak_rss_mb:"));
        say(&format!("  {inputs} inputs held, in at most {memory} MB"));
    }
    Ok(())
}

/// Gives libFuzzer's arguments; it writes what it learns into the first of the folders.
fn arguments(target: &str, seconds: u64, folder: &Path) -> Result<Vec<String>, String> {
    let (learned, found) = (folder.join("corpus").join(target), folder.join("found"));
    for folder in [&learned, &found] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut arguments = vec![
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={}/{target}-", found.display()),
        // The Parquet library reserves what a damaged file says of itself.
        format!("-rss_limit_mb={}", if target == "parquet" { 12_288 } else { 4096 }),
        "-timeout=60".to_owned(),
        "-verbosity=0".to_owned(),
        "-print_funcs=0".to_owned(),
        "-print_final_stats=1".to_owned(),
    ];
    if let Some(words) = dictionary(target)? {
        let path = folder.join(format!("{target}.dict"));
        fs::write(&path, words).map_err(|error| format!("{}: {error}", path.display()))?;
        arguments.push(format!("-dict={}", path.display()));
    }
    arguments.push(learned.display().to_string());
    arguments.push(format!("fuzz/corpus/{target}"));
    if target == "spec" {
        arguments.extend(["valid", "invalid"].map(|kind| format!("crates/spec/tests/cases/{kind}")));
    }
    Ok(arguments)
}

/// Names the targets.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut targets: Vec<String> =
        paths.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    targets.sort();
    Ok(targets)
}

/// Gives the words that inputs of a target are made of, in libFuzzer's form; none where bytes do as well.
fn dictionary(target: &str) -> Result<Option<String>, String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    match target {
        "expression" => {
            words.extend(trainyard_expression::functions().iter().map(|function| format!("{}(", function.name)));
            words.extend(SQL.lines().map(|word| format!(" {word} ")));
        }
        "spec" | "record" => {
            let schemas = root().join("schemas");
            for entry in fs::read_dir(&schemas).map_err(|error| format!("{}: {error}", schemas.display()))? {
                let path = entry.map_err(|error| error.to_string())?.path();
                let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let schema: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                schema_words(&schema, &mut words);
            }
            words.extend(YAML.lines().map(|word| format!("{word}\n")));
        }
        "model" => {
            let corpus = root().join("fuzz/corpus/model");
            for entry in fs::read_dir(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))? {
                let path = entry.map_err(|error| error.to_string())?.path();
                let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                // What is no JSON is there because it is none.
                if let Ok(model) = serde_json::from_slice::<Value>(&bytes) {
                    keys(&model, &mut words);
                }
            }
        }
        _ => return Ok(None),
    }
    let quoted = |word: &String| -> String {
        let escaped: String = word
            .bytes()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            })
            .collect();
        format!("\"{escaped}\"\n")
    };
    Ok(Some(words.iter().map(quoted).collect()))
}

/// What stands between the calls of an expression, one a line.
const SQL: &str = "\
AND
OR
NOT
IS NULL
IS DISTINCT FROM
IN (
BETWEEN
LIKE
ESCAPE
CASE WHEN
THEN
ELSE
END
CAST(
AS DOUBLE)
::VARCHAR
INTERVAL 1 MONTH
EXTRACT(year FROM
TIMESTAMP '2024-02-29 12:00:00'";

/// What stands between the words of a project's files, and between the files (see `fuzz/src/spec.rs`), one a line.
const YAML: &str = "\
### trainyard.yaml
### environments/staging.yaml
### versions/splits/v1.yaml
### versions/features/v1.yaml
### versions/models/v1.yaml
### versions/lock.yaml
### versions/schema.yaml
### without
### flags --env staging --set
&a
*a
|-
>
\\u2028
''
!!str";

/// Gathers the keys and the named values of a schema.
fn schema_words(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => words.extend(properties.keys().cloned()),
                    ("enum", Value::Array(names)) => {
                        words.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => {}
                }
                schema_words(value, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| schema_words(item, words)),
        _ => {}
    }
}

/// Gathers the keys of a value, quoted as JSON has them.
fn keys(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            words.extend(entries.keys().map(|key| format!("\"{key}\":")));
            entries.values().for_each(|value| keys(value, words));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, words)),
        _ => {}
    }
}

/// Names the machine as cargo does.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

/// Builds the targets so that libFuzzer sees which branches an input takes; these are flags of the stable compiler.
fn build(folder: &Path, triple: &str) -> Outcome {
    let flags = [
        "--cfg fuzzing",
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
    ]
    .join(" ");
    // With a target named, build scripts and macros are compiled without the flags. Strip would take the names out of a
    // backtrace.
    let arguments = ["build", "--release", "--locked", "--bins", MANIFEST, "--target", triple, "--target-dir"];
    let folder = folder.display().to_string();
    let on = OsStr::new("true");
    let environment = [
        ("RUSTFLAGS", OsStr::new(&flags)),
        ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", on),
        ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", on),
        ("CARGO_PROFILE_RELEASE_STRIP", OsStr::new("false")),
    ];
    call("cargo", &[arguments.as_slice(), &[&folder]].concat(), &environment)
}
