//! A run in one file: all that `verify` needs to repeat it, with a digest of each part.
//!
//! A bundle is a tar archive packed by Zstandard. Its first member is `manifest.json`, the others follow sorted by name;
//! no member has an owner or a time, so that the same run gives the same bytes. Never: holds a password, or a library
//! of an engine.

mod manifest;
mod read;
mod write;

pub(crate) use read::opened;
pub use write::{ExportReport, export};

/// What the names of bundles end with.
pub const BUNDLE: &str = ".tar.zst";
