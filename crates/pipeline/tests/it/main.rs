//! The engine with steps of the tests' own making, and what the cache knows of code.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bundle;
mod cache;
mod canaries;
mod code;
mod crash;
mod drift;
mod ends;
mod faults;
mod given;
mod graph;
mod journal;
mod locks;
mod numbers;
mod power;
mod resume;
mod shop;
mod whole;
