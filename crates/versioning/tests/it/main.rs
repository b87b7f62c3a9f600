//! Versioned data against DVC itself, and against disks that fail.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bad;
mod crash;
mod dvc;
mod fsck;
mod place;
mod remotes;
mod served;
