//! The crate against a real disk, a failing disk, a disk without power, and dying processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod atomic;
mod child;
mod digest;
mod disk;
mod error;
mod lock;
mod power;
mod store;
