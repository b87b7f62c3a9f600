//! Tests through the crate's public face.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod densities;
mod fixtures;
mod importance;
mod journal;
mod problems;
mod pruners;
mod reference;
mod run;
mod samplers;
mod significance;
mod space;
mod stopping;
mod warm;
