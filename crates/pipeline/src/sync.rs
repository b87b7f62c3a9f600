//! Telling the tracking server what it could not be told before.

use std::time::Duration;

use trainyard_diagnostics::Diagnostic;
use trainyard_tracking::Undelivered;

use crate::project::{self, Request};
use crate::stores::Stores;

/// What came of telling the server.
#[derive(Debug)]
pub struct Synced {
    /// The server's address; none where the configuration names no server.
    pub server: Option<String>,
    /// The runs that waited, in the order in which they began to.
    pub waiting: Vec<String>,
    /// What still waits.
    pub undelivered: Option<Undelivered>,
    /// Other servers for which something waits: those that the configuration named before.
    pub elsewhere: Vec<String>,
}

/// Tells the tracking server what waits in the project, also of runs that it refused before. Waits as long as the server
/// gets on, and `patience` where it does not.
pub fn sync(request: &Request, patience: Duration) -> Result<Synced, Vec<Diagnostic>> {
    let resolved = project::load(&*request.io, request)?;
    let told = |error: trainyard_tracking::Error| vec![error.diagnostic()];
    if resolved.project.tracking.uri.value.is_empty() {
        return Ok(Synced { server: None, waiting: Vec::new(), undelivered: None, elsewhere: Vec::new() });
    }
    let stores = Stores::open(&request.io, &request.root)?;
    let tracking = stores.tracking_of(&resolved, &request.runtime);
    // What waits is known without a question to the server.
    let before = tracking.waiting().map_err(told)?;
    let undelivered = tracking.sync(patience).map_err(told)?;
    let elsewhere = tracking.waiting_elsewhere().map_err(told)?;
    let server = before.as_ref().map(|before| before.server.clone());
    let waiting = before.map(|before| before.runs.into_iter().map(|one| one.run).collect()).unwrap_or_default();
    Ok(Synced { server, waiting, undelivered, elsewhere })
}
