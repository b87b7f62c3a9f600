//! Trying again.

use std::time::Duration;

use crate::Error;

/// What is waited before each further try.
pub(crate) const WAITS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_millis(1500)];

/// How often something is tried at most.
pub(crate) const TRIES: usize = WAITS.len() + 1;

/// Why a try did not come to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection broke, or there is none yet: another try may go well.
    Lost(String),
    /// Another try would end in the same way.
    Told(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Told(error)
    }
}
