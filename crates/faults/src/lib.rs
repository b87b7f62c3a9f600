//! Faults for the tests: a disk that fails, stops, kills or loses its power, and processes to kill.
//!
//! Only tests depend on this crate.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod child;
mod disk;
mod platter;

pub use child::{Process, arguments, say, text, wait_for_death};
pub use disk::{Looked, Op, RecordingIo, Then};
pub use platter::{Cut, Names, Platter, keyed};
