//! What waits for servers.

use std::sync::OnceLock;

use crate::Error;

/// The one place where connections are waited for: a thread that asks is the one that waits.
///
/// It is made when the first connection is, so that a command without one pays nothing. Who reads sources owns one and lends
/// it; nothing asynchronous is seen from outside.
#[derive(Debug, Default)]
pub struct Runtime(OnceLock<tokio::runtime::Runtime>);

impl Runtime {
    /// Does what waits for a server, on the thread that calls.
    ///
    /// # Errors
    /// [`Error::Runtime`] where the system gives no room for it.
    pub(crate) fn block_on<F: Future>(&self, work: F) -> Result<F::Output, Error> {
        let runtime = match self.0.get() {
            Some(runtime) => runtime,
            None => {
                let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let made = made.map_err(|error| Error::Runtime { cause: error.to_string() })?;
                self.0.get_or_init(|| made)
            }
        };
        Ok(runtime.block_on(work))
    }
}
