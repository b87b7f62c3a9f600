//! Which data a run puts under versions.

use crate::Located;
use crate::declare::{bare, boolean, choice, defaulted, list, named, optional, or_empty, record, text};

named! {
    /// How files come out of the cache of versioned data.
    pub enum DataLink {
        /// They share their blocks with the cache until one is written.
        Reflink = "reflink",
        /// They are the cached files, under a second name, and read-only.
        Hardlink = "hardlink",
        /// They are links to the cached files.
        Symlink = "symlink",
        /// They are copies.
        Copy = "copy",
    }
}

record! {
    /// What is versioned in DVC's files beside the split and its reference test. Without this section nothing is versioned.
    pub struct VersioningSpec {
        /// How files come out of the cache; a copy where the file system refuses. Default: what DVC's settings say, and that
        /// is reflink.
        link: Option<DataLink> = optional(bare(choice())),
        /// Whether the master data is versioned too, where it is a file of the project.
        master: Located<bool> = defaulted(boolean(), false),
        /// Further files and folders that are versioned, relative to the project: `[data/images]`.
        paths: Vec<Located<String>> = or_empty(list(text())),
    }
}
