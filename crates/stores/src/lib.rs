//! Connections to stores of objects (S3, Google Cloud Storage, Azure, the web), and what waits for them.
//!
//! Who reads tables from a store and who keeps versioned data in one ask it in the same way, with what the environment
//! says of it. Never: decides what is asked, tries again, or says a password.

mod connect;
mod failure;
mod runtime;

use std::time::Duration;

pub use connect::{Connection, Unusable, connect};
pub use failure::{Fault, fault, innermost, is_absent, status};
pub use runtime::{NoRuntime, Runtime};

/// What is waited before each further try of what may pass.
pub const WAITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_millis(1500)];

/// How long a server may be silent.
pub const SILENCE: Duration = Duration::from_secs(60);
