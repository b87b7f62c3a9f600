//! The repository's own tasks: `cargo xtask test|bench|campaigns|crash|fuzz|judges|generate|layers`.

mod bench;
mod campaigns;
mod crash;
mod fuzz;
mod generated;
mod judges;
mod layers;
mod tests;

use std::process::{Command, ExitCode};

const HELP: &str = "\
The repository's own tasks.

  cargo xtask test [--all]      format, lints, tests, layers, schemas; --all adds the long campaigns
  cargo xtask bench [NAME…]     measure beside the peers and write docs/benchmarks.md
  cargo xtask campaigns         the long campaigns alone
  cargo xtask crash --times N   kill runs of the example at each line of their journal and N times at random,
                                resume them, compare
  cargo xtask fuzz --seconds N [TARGET]  look for inputs that break a reader, each target for so long
  cargo xtask judges            make the Python environments that judge the tests
  cargo xtask generate [--check]  write schemas/ and generated pages, or say whether they are current
  cargo xtask layers            hold the crates' dependencies against ARCHITECTURE.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => tests::test(false),
        ["test", "--all"] => tests::test(true),
        ["bench", names @ ..] => bench::run(names),
        ["campaigns"] => campaigns::run(),
        ["crash", "--times", times] => match times.parse() {
            Ok(times) => crash::run(times),
            Err(_) => Err(format!("{times} is no number of times")),
        },
        ["fuzz", "--seconds", seconds, only @ ..] if only.len() <= 1 => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds, only.first().copied()),
            Err(_) => Err(format!("{seconds} is no number of seconds")),
        },
        ["judges"] => judges::make(),
        ["generate"] => generated::write(),
        ["generate", "--check"] => generated::check(),
        ["layers"] => layers::check(),
        _ => {
            say(HELP);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("xtask: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// What a task gives: nothing, or what went wrong in words.
type Outcome = Result<(), String>;

#[expect(clippy::print_stderr, reason = "a task talks to the person who started it")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Gives the repository's root.
fn root() -> std::path::PathBuf {
    // At run time, since a folder of builds may serve several checkouts.
    let here = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    here.ancestors().nth(2).map_or_else(|| std::path::PathBuf::from("."), std::path::Path::to_owned)
}

/// Runs a command in the repository's root and says what it runs.
fn call(program: &str, arguments: &[&str], environment: &[(&str, &std::ffi::OsStr)]) -> Outcome {
    say(&format!("→ {program} {}", arguments.join(" ")));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).envs(environment.iter().copied());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}` ended with {status}", arguments.join(" "))),
        Err(error) => Err(format!("`{program}` can't be started: {error}")),
    }
}
