//! Tests of the expression language: known answers, problems as they are shown, and DuckDB as the judge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aggregates;
mod differential;
mod generator;
mod known;
mod letters;
mod limits;
mod million;
mod nasty;
mod problems;
mod support;
