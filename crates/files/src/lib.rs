//! Atomic files, locks, digests and the content-addressed store, through one [`Io`] trait.
//!
//! Everything that Trainyard leaves on a disk passes through here, so that a test can replace the disk by one
//! that fails, or that stops after any operation. The kernel's file locks are the only exception.

mod atomic;
mod digest;
mod error;
mod file_lock;
mod io;
mod known;
mod lock;
mod place;
mod store;
mod temporary;
mod unbuffered;

pub use atomic::{create_folder, write_atomic, write_atomic_by};
pub use digest::{Digest, Digester, ParseDigestError, hash_file};
pub use error::{Cause, Error, Operation};
pub use file_lock::FileLock;
pub use io::{DiskIo, Io, Kind, Metadata, ReadSeek, SyncAhead, WriteSync, read};
pub use known::FileDigests;
pub use lock::{Holder, ProjectLock, host_name};
pub use store::ObjectStore;
pub use temporary::{
    abandoned_temporaries, create_temporary, create_temporary_by, is_temporary, sweep_temporaries, temporary_path,
};
