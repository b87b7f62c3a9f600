//! Judgements of tables, beside the tools that the field judges them with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
mod drift;
mod passing;
mod profile;
mod python;
mod real;
mod statistics;
mod suites;
