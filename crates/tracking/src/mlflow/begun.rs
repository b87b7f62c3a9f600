//! A change by hand on its way to a server: kept in a file until all of it is done and told, so that one that breaks off
//! is completed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainyard_files::{DiskIo, Io, write_atomic};

use crate::history::Action;
use crate::{Change, Effect, Error};

/// The file, beside the lock of who delivers.
const FILE: &str = "registry-change.json";

/// Is a change that a server is being told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The server's address.
    pub(crate) server: String,
    pub(crate) model: String,
    /// The version that is acted on.
    pub(crate) version: u32,
    pub(crate) action: Action,
    /// All that it changes of what stood before.
    pub(crate) effects: Vec<Effect>,
    pub(crate) change: Change,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl Begun {
    /// Says whether there is one.
    pub(crate) fn exists(folder: &Path) -> bool {
        DiskIo.exists(&path(folder))
    }

    /// Reads it; one that nobody can read is none.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        if !Self::exists(folder) {
            return None;
        }
        serde_json::from_slice(&DiskIo.read(&path(folder)).ok()?).ok()
    }

    /// Writes it, before the server hears of it.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Ok(write_atomic(&DiskIo, &path(folder), &text)?)
    }

    /// Removes it. One that stays is found in the history, and done no second time.
    pub(crate) fn remove(folder: &Path) {
        let _ = DiskIo.remove_file(&path(folder));
    }
}
