//! `trainyard verify`.

use serde_json::json;
use trainyard_diagnostics::Fault;
use trainyard_pipeline::{Request, verify};

use super::{engaged_in, in_project};
use crate::printer::{Ink, Printer};
use crate::signal::{Current, Way};
use crate::stop::Stop;
use crate::table::{Side, counted, table};

/// The numbers of threads that are replayed at unless others are asked for.
const DEFAULT_AT: [u16; 3] = [1, 2, 8];

pub(super) fn run(request: &Request, run: &str, at: &[u16], printer: Printer) -> Result<u8, Stop> {
    let threads: Vec<usize> = at.iter().map(|threads| usize::from(*threads)).collect();
    let threads_asked = if at == DEFAULT_AT {
        String::new()
    } else {
        let list: Vec<String> = at.iter().map(u16::to_string).collect();
        format!(" --at {}", list.join(","))
    };
    let again = Way {
        kept: "Run RUN is as it was; replays are not kept.",
        verb: "Begin again with",
        before: "trainyard verify",
        after: format!("{threads_asked}{}", in_project(&request.root)),
    };
    let current = Current::new(again);
    current.set(run);
    let report = engaged_in(printer, current, |reporter, cancel| verify(request, run, &threads, reporter, cancel))?;
    let verdict = if report.identical { "identical" } else { "different" };
    printer.result(
        || json!(report),
        |paint| {
            let mut rows = vec![["threads", "step", "artifact", "recorded", "replayed"].map(str::to_owned).to_vec()];
            let mut compared = 0;
            for replay in &report.replays {
                for artifact in &replay.artifacts {
                    compared += 1;
                    if !artifact.identical || printer.verbose {
                        let short = |digest: &str| digest.chars().take(12).collect::<String>();
                        rows.push(vec![
                            replay.threads.to_string(),
                            artifact.step.to_string(),
                            artifact.artifact.to_string(),
                            short(&artifact.recorded),
                            artifact.replayed.as_deref().map_or_else(|| "absent".to_owned(), short),
                        ]);
                    }
                }
            }
            let ink = if report.identical { Ink::Good } else { Ink::Bad };
            let times = counted(report.replays.len(), "replay");
            let head = format!(
                "Run {} is {} in {times}: {}",
                report.run,
                paint.ink(ink, verdict),
                counted(compared, "artifact")
            );
            let sides = [Side::Right, Side::Left, Side::Left, Side::Left, Side::Left];
            let details = if rows.len() > 1 { format!("\n{}", table(&sides, &rows)) } else { String::new() };
            let source = if report.source_changed {
                "\n  The data source is no longer what the run read; the recorded data was replayed.\n"
            } else {
                ""
            };
            format!("{head} compared byte by byte\n{details}{source}")
        },
    )?;
    Ok(if report.identical { 0 } else { Fault::Refused.exit_code() })
}
