//! Trying again.

pub(crate) use trainyard_stores::WAITS;

use crate::Error;

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
