//! `trainyard runs sync`.

use std::time::Duration;

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Severity};
use trainyard_pipeline::{Request, Synced, sync};

use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, counted};

pub(super) fn run(request: &Request, patience: u32, printer: Printer) -> Result<u8, Stop> {
    let synced = sync(request, Duration::from_secs(u64::from(patience)))?;
    if let Some(undelivered) = &synced.undelivered {
        // What a run is only warned of is what was asked for here.
        return Err(Diagnostic { severity: Severity::Error, ..undelivered.diagnostic() }.into());
    }
    printer.result(
        || json!({ "server": synced.server, "delivered": synced.waiting, "waiting_for": synced.elsewhere }),
        |_| told(&synced),
    )?;
    Ok(0)
}

fn told(synced: &Synced) -> String {
    let said = match (&synced.server, synced.waiting.as_slice()) {
        (None, _) => "Runs are kept in the project alone: `tracking.uri` names no server.\n".to_owned(),
        (Some(server), []) => format!("{} knows all runs.\n", clean(server)),
        (Some(server), runs) => {
            let what = counted(runs.len(), "run");
            format!("{} was told of {what}: {}\n", clean(server), runs.join(", "))
        }
    };
    let others = synced.elsewhere.iter().map(|server| {
        let server = clean(server);
        format!(
            "More waits for {server}, as runs were configured then: trainyard runs sync --set tracking.uri={server}\n"
        )
    });
    said + &others.collect::<String>()
}
