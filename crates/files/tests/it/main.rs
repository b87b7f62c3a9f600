//! The crate against a real disk, a failing disk, a disk without power, and dying processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod atomic;
mod digest;
mod error;
mod lock;
mod power;
mod store;

use std::io::ErrorKind;
use std::path::Path;

use trainyard_faults::{RecordingIo, Then};

/// The process is as good as dead.
const STOPS: Then = Then::Stops(ErrorKind::Other);

/// A disk on which every write is half-done for a while.
fn recording(root: &Path) -> RecordingIo {
    RecordingIo::new(root).in_pieces()
}

fn failing(root: &Path, n: usize, then: Then) -> RecordingIo {
    RecordingIo::failing(root, n, then).in_pieces()
}
