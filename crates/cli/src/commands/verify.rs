//! `trainyard verify`.

use std::path::Path;

use serde_json::json;
use trainyard_diagnostics::Fault;
use trainyard_pipeline::{BUNDLE, Request, VerifyReport, verify, verify_bundle};

use super::{engaged_in, in_project};
use crate::printer::{Ink, Paint, Printer};
use crate::signal::{Current, Way};
use crate::stop::Stop;
use crate::table::{Side, clean, counted, table};

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
    let bundle = Path::new(run);
    // No run's id has a dot, nor is a run a file.
    let is_bundle = run.ends_with(BUNDLE) || bundle.is_file();
    let again = Way {
        kept: if is_bundle { "RUN is as it was; replays are not kept." } else { KEPT },
        verb: "Begin again with",
        before: "trainyard verify",
        after: format!("{threads_asked}{}", if is_bundle { String::new() } else { in_project(&request.root) }),
    };
    let current = Current::new(again);
    current.set(run);
    let report = engaged_in(printer, current, |reporter, cancel| match is_bundle {
        true => verify_bundle(request, bundle, &threads, reporter, cancel),
        false => verify(request, run, &threads, reporter, cancel),
    })?;
    printer.result(|| json!(report), |paint| text(&report, printer.verbose, paint))?;
    Ok(if report.identical { 0 } else { Fault::Refused.exit_code() })
}

/// What is left of a run whose replay was stopped.
const KEPT: &str = "Run RUN is as it was; replays are not kept.";

fn text(report: &VerifyReport, is_verbose: bool, paint: Paint) -> String {
    let mut rows = vec![["threads", "step", "artifact", "recorded", "replayed"].map(str::to_owned).to_vec()];
    let mut compared = 0;
    for replay in &report.replays {
        for artifact in &replay.artifacts {
            compared += 1;
            if !artifact.identical || is_verbose {
                let short = |digest: &str| digest.chars().take(12).collect::<String>();
                let damaged = if artifact.stored == "damaged" { ", stored bytes are others" } else { "" };
                let replayed = artifact.replayed.as_deref().map_or_else(|| "absent".to_owned(), short);
                rows.push(vec![
                    replay.threads.to_string(),
                    artifact.step.clone(),
                    artifact.artifact.clone(),
                    short(&artifact.recorded),
                    format!("{replayed}{damaged}"),
                ]);
            }
        }
    }
    let (ink, verdict) = if report.identical { (Ink::Good, "identical") } else { (Ink::Bad, "different") };
    let times = counted(report.replays.len(), "replay");
    let of = report.bundle.as_ref().map(|bundle| format!(" of {}", clean(bundle))).unwrap_or_default();
    let verdict = paint.ink(ink, verdict);
    let artifacts = counted(compared, "artifact");
    let head = format!("Run {}{of} is {verdict} in {times}: {artifacts} compared byte by byte", report.run);
    let mut text = format!("{head}\n");
    let first = report.replays.iter().find_map(|replay| Some((replay.threads, replay.first_difference.as_ref()?)));
    if let Some((threads, first)) = first {
        let at = counted(threads, "thread");
        text.push_str(&format!("\n  first difference   step {}, {}, at {at}\n", first.step, clean(&first.artifact)));
        text.push_str(&format!("  where              {}\n", clean(&first.place)));
        text.push_str(&format!("  recorded           {}\n", clean(&first.recorded)));
        text.push_str(&format!("  replayed           {}\n", clean(&first.replayed)));
    }
    if rows.len() > 1 {
        let sides = [Side::Right, Side::Left, Side::Left, Side::Left, Side::Left];
        text.push_str(&format!("\n{}", table(&sides, &rows)));
    }
    if !report.identical && !report.other_code.is_empty() {
        let steps = report.other_code.join(", ");
        text.push_str(&format!("\n  Another build of Trainyard made the run; this one has other code for {steps}.\n"));
    }
    if !report.identical && !report.other_engines.is_empty() {
        let engines = report.other_engines.join(", ");
        text.push_str(&format!(
            "\n  Another library of {engines} is here than the run loaded, whose bytes may be others.\n"
        ));
    }
    if report.source_changed {
        text.push_str(match report.bundle {
            None => "\n  The data source is no longer what the run read; the recorded data was replayed.\n",
            Some(_) => "\n  The bundle holds the ingested table in place of the data source; that was replayed.\n",
        });
    }
    text
}
