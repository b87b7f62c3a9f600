//! `trainyard runs sync`.

use std::time::Duration;

use serde_json::json;
use trainyard_pipeline::{Request, sync};

use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, counted};

pub(super) fn run(request: &Request, patience: u32, printer: Printer) -> Result<u8, Stop> {
    let synced = sync(request, Duration::from_secs(u64::from(patience)))?;
    if let Some(undelivered) = &synced.undelivered {
        return Err(undelivered.diagnostic().into());
    }
    printer.result(
        || json!({ "server": synced.server, "delivered": synced.waiting }),
        |_| match (&synced.server, synced.waiting.as_slice()) {
            (None, _) => "Runs are kept in the project alone: `tracking.uri` names no server.\n".to_owned(),
            (Some(server), []) => format!("{} knows all runs.\n", clean(server)),
            (Some(server), runs) => {
                let what = counted(runs.len(), "run");
                format!("{} was told of {what}: {}\n", clean(server), runs.join(", "))
            }
        },
    )?;
    Ok(0)
}
