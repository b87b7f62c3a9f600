//! Versioned data in the files of DVC 3: `.dvc` files, `.dir` lists and the cache, byte for byte as DVC writes them.
//!
//! Boundary: [`Repository`], and one function for each thing to do with it. Never: prints, or leaves an object half-
//! written
//! under its name. A project may be shared with people who use DVC: its settings hold, and its lock is DVC's own.

mod add;
mod cache;
mod checkout;
mod config;
mod diff;
mod dvc_file;
mod error;
mod fsck;
mod gc;
mod git;
mod ignore;
mod known;
mod md5;
mod passage;
mod remote;
mod repository;
mod snapshot;
mod status;
mod tree;
mod yaml;

pub use add::{Added, add, can_add};
pub use cache::{Cache, Incoming};
pub use checkout::{CheckedOut, checkout};
pub use config::{Config, Link};
pub use diff::{Difference, diff};
pub use dvc_file::{Kind, Output};
pub use error::{Error, Errors, Failure};
pub use fsck::{Checked, Damage, Finding, Use, fsck};
pub use gc::{Collected, gc};
pub use git::{Commit, Git, commit_of};
pub use md5::{Hasher, Md5, ObjectId};
pub use remote::{Moved, Problem, Progress, Remote, Watch, fetch, pull, push};
pub use repository::{Described, Repository, Settings};
pub use status::{State, Status, status};
pub use trainyard_stores::Runtime;
pub use tree::{BadTree, Changes, Tree};
