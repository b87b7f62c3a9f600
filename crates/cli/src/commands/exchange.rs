//! `trainyard export --to http://…` and `trainyard import`.

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Severity, conceal, shell_word};
use trainyard_pipeline::{Cancel, Request, Sent, fetch, send};
use trainyard_tracking::{Brought, BroughtModel, Fetched, Fetching};

use super::in_project;
use crate::arguments::Import;
use crate::printer::{Ink, Paint, Printer};
use crate::signal::{Current, Way, watch};
use crate::stop::Stop;
use crate::table::{clean, count, counted};

/// How many runs of one kind a text names; the document has all.
const TOLD: usize = 5;
/// How long a server that does not get on is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says whether what runs are exported to is a server.
pub(super) fn is_server(to: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| to.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))
}

/// Is what goes on between the project and a server, seen from the terminal.
struct Traffic {
    cancel: Cancel,
    current: Current,
    bar: ProgressBar,
    mark: String,
}

impl Traffic {
    fn new(way: Way, address: &str, printer: Printer) -> Result<Self, Stop> {
        let cancel = Cancel::default();
        let current = Current::new(way);
        current.set(&conceal(address));
        watch(&cancel, &current, printer)?;
        let target = if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Ok(Self { cancel, current, bar, mark: printer.error().ink(Ink::Strong, "▸") })
    }

    /// Shows how far it is; says whether to go on.
    fn tell(&self, text: &str) -> bool {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("  {} {text}", self.mark));
        }
        !self.cancel.is_cancelled()
    }

    fn stopped(&self) -> Stop {
        Stop::Interrupted { way: self.current.way() }
    }
}

/// Brings runs and models to a server.
pub(super) fn export(
    request: &Request,
    to: &str,
    first: Option<&str>,
    more: &[PathBuf],
    printer: Printer,
) -> Result<u8, Stop> {
    let ids: Vec<String> =
        first.into_iter().map(str::to_owned).chain(more.iter().map(|id| id.display().to_string())).collect();
    let after: String = ids.iter().map(|id| format!(" {}", shell_word(id))).collect();
    let way = Way {
        kept: "What RUN was told stays there.",
        verb: "Bring the rest with",
        before: "trainyard export --to",
        after: after + &in_project(&request.root),
    };
    let traffic = Traffic::new(way, to, printer)?;
    let sent = send(request, to, &ids, PATIENCE, &|done, all| {
        traffic.tell(&format!("export  {} of {}", count(done as u64), counted(all, "run")))
    });
    traffic.bar.finish_and_clear();
    let sent = sent?;
    if sent.runs.is_stopped {
        return Err(traffic.stopped());
    }
    if let Some(undelivered) = &sent.runs.undelivered {
        let again = traffic.current.way().map(|way| way.command).unwrap_or_default();
        let help = vec![format!("`{again}` goes on with it")];
        let told = Diagnostic { severity: Severity::Error, help, ..undelivered.diagnostic() };
        if undelivered.runs.iter().any(|waiting| waiting.refused.is_none()) {
            return Err(told.into());
        }
        printer.warnings(&[told]);
    }
    let server = conceal(to);
    printer.result(
        || json!({ "server": server, "runs": sent.runs, "models": sent.models }),
        |paint| sent_text(&server, &sent, paint),
    )?;
    Ok(u8::from(sent.runs.undelivered.is_some()))
}

fn sent_text(server: &str, sent: &Sent, paint: Paint) -> String {
    let Brought { made, completed, there, running, deleted, .. } = &sent.runs;
    let has = made.len() + completed.len() + there.len();
    let head = format!("{} has {}", paint.ink(Ink::Strong, &clean(server)), counted(has, "run"));
    let mut text = format!("{head}\n\n");
    let mut line = |name: &str, what: String| text.push_str(&format!("  {name:<9} {what}\n"));
    line("new", named(made));
    if !completed.is_empty() {
        line("completed", named(completed));
    }
    if !there.is_empty() {
        line("as before", counted(there.len(), "run"));
    }
    if !running.is_empty() {
        line("left out", format!("{}, not ended yet", named(running)));
    }
    if !deleted.is_empty() {
        line("left out", format!("{}, deleted there", named(deleted)));
    }
    for model in &sent.models {
        line("registry", model_words(model));
        for left in &model.left {
            line("", left.clone());
        }
        if !model.without_run.is_empty() {
            let versions = model.without_run.iter().map(|version| format!("v{version}")).collect::<Vec<_>>();
            line("", format!("left out: {}, whose runs are not there", versions.join(", ")));
        }
    }
    text
}

fn model_words(model: &BroughtModel) -> String {
    let renamed = model.versions.iter().filter(|(here, there)| here != there);
    let renamed: Vec<String> = renamed.take(TOLD).map(|(here, there)| format!("v{here} is v{there} there")).collect();
    let made = match model.made {
        0 => "no new version".to_owned(),
        made => counted(made, "new version"),
    };
    let changes = match model.changes {
        0 => "stages and aliases as before".to_owned(),
        changes => format!("{} of stages and aliases", counted(changes, "change")),
    };
    let mut words = format!("{}: {made}, {changes}", clean(&model.model));
    if !renamed.is_empty() {
        words.push_str(&format!(" ({})", renamed.join(", ")));
    }
    words
}

/// Counts runs, and names the first of them.
fn named(runs: &[String]) -> String {
    if runs.is_empty() {
        return "no run".to_owned();
    }
    let more = if runs.len() > TOLD { ", …" } else { "" };
    let first: Vec<&str> = runs.iter().take(TOLD).map(String::as_str).collect();
    format!("{}: {}{more}", counted(runs.len(), "run"), first.join(", "))
}

/// Brings runs of a server into the project.
pub(super) fn import(request: &Request, asked: &Import, printer: Printer) -> Result<u8, Stop> {
    if !is_server(&asked.from) {
        let title = format!("{} is no address of a server", conceal(&asked.from));
        let diagnostic = Diagnostic::error("import/no-server", title);
        return Err(vec![diagnostic.help("name one as http://HOST:PORT or https://HOST")].into());
    }
    let filter = asked.filter.clone().unwrap_or_default();
    let option = |name: &str, value: &str| format!(" {name} {}", shell_word(value));
    let mut after: String = asked.experiments.iter().map(|name| option("--experiment", name)).collect();
    after.extend(asked.filter.iter().map(|filter| option("--where", filter)));
    after.extend(asked.runs.iter().map(|id| option("--run", id)));
    let way = Way {
        kept: "The runs that were brought from RUN are whole.",
        verb: "Bring the rest with",
        before: "trainyard import",
        after: after + &in_project(&request.root),
    };
    let traffic = Traffic::new(way, &asked.from, printer)?;
    let fetching = Fetching { experiments: asked.experiments.clone(), runs: asked.runs.clone(), filter };
    let fetched = fetch(request, &asked.from, &fetching, &|runs, bytes| {
        traffic.tell(&format!("import  {}  {} bytes", counted(runs, "run"), count(bytes)))
    });
    traffic.bar.finish_and_clear();
    let fetched = fetched?;
    if fetched.is_stopped {
        return Err(traffic.stopped());
    }
    for (run, why) in &fetched.left {
        let title = format!("run {run} was left on the server");
        let warning = Diagnostic::warning("import/left", title).note(why.clone());
        printer.warnings(&[warning.help("mend that, and repeat the command: it brings what is missing")]);
    }
    let server = conceal(&asked.from);
    printer.result(
        || {
            let mut document = json!(fetched);
            document["server"] = json!(server);
            document
        },
        |paint| fetched_text(&server, &fetched, paint),
    )?;
    Ok(u8::from(!fetched.left.is_empty()))
}

fn fetched_text(server: &str, fetched: &Fetched, paint: Paint) -> String {
    let shown = paint.ink(Ink::Strong, &clean(server));
    let runs = counted(fetched.runs.len(), "run");
    let mut text = format!("{runs} brought from {shown}\n\n");
    let mut line = |name: &str, what: String| text.push_str(&format!("  {name:<9} {what}\n"));
    let names: Vec<String> = fetched.runs.iter().map(|run| run.run.clone()).collect();
    line("runs", named(&names));
    let values: usize = fetched.runs.iter().map(|run| run.metrics).sum();
    line("metrics", format!("{} values", count(values as u64)));
    let artifacts: usize = fetched.runs.iter().map(|run| run.artifacts).sum();
    let bytes: u64 = fetched.runs.iter().map(|run| run.bytes).sum();
    line("artifacts", format!("{} in {} bytes", counted(artifacts, "file"), count(bytes)));
    if !fetched.there.is_empty() {
        line("as before", counted(fetched.there.len(), "run"));
    }
    if !fetched.running.is_empty() {
        line("left out", format!("{}, not ended yet", named(&fetched.running)));
    }
    if fetched.merged > 0 {
        let values = counted(usize::try_from(fetched.merged).unwrap_or(usize::MAX), "value");
        line("merged", format!("{values} of a metric at a step that has a later one"));
    }
    if fetched.cut > 0 {
        let values = counted(usize::try_from(fetched.cut).unwrap_or(usize::MAX), "value");
        line("cut", format!("{values}, of which the server has only the beginning"));
    }
    line("look", "trainyard runs list".to_owned());
    text
}
