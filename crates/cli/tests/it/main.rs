//! The binary as a user meets it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bundles;
mod command_line;
mod data;
mod databases;
mod doctor;
mod engines;
mod evaluation;
mod examples;
mod exchange;
mod expectations;
mod explain;
mod faults;
mod guide;
mod help;
mod images;
mod init;
mod interrupted;
mod kept_schema;
mod life;
mod lineage;
mod messages;
mod mlflow;
mod other_data;
mod policy;
mod project;
#[cfg(feature = "datafusion")]
mod queries;
mod refused;
mod registry;
mod replay;
mod runs;
mod served;
mod several_runs;
mod shared;
mod sources;
mod splits;
mod tasks;
mod telco_quality;
mod tune;
mod versioned;
mod versioned_split;

use std::process::{Command, Output};

/// Runs the binary in a clean environment.
fn trainyard(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainyard"));
    command.args(arguments).env_remove("TRAINYARD_ENV").env("NO_COLOR", "1").env("COLUMNS", "100");
    command.output().expect("the binary was built beside this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
