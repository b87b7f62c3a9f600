//! What waits for servers.

use std::sync::OnceLock;

/// Says that the system gives no room to wait for servers.
#[derive(Debug)]
pub struct NoRuntime {
    /// Why.
    pub cause: String,
}

/// The one place where connections are waited for: a thread that asks is the one that waits.
///
/// It is made when the first connection is, so that a command without one pays nothing. Who asks stores owns one and
/// lends it; nothing asynchronous is seen outside of the crates that ask.
#[derive(Debug, Default)]
pub struct Runtime(OnceLock<tokio::runtime::Runtime>);

impl Runtime {
    /// Does what waits for a server, on the thread that calls.
    ///
    /// # Errors
    /// [`NoRuntime`] where the system gives no room for it.
    pub fn block_on<F: Future>(&self, work: F) -> Result<F::Output, NoRuntime> {
        let runtime = match self.0.get() {
            Some(runtime) => runtime,
            None => {
                let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let made = made.map_err(|error| NoRuntime { cause: error.to_string() })?;
                self.0.get_or_init(|| made)
            }
        };
        Ok(runtime.block_on(work))
    }
}
