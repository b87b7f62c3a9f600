//! `trainyard data push`, `pull` and `fsck`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::DiskIo;
use trainyard_pipeline::{UsedBy, is_project, runs_by_data};
use trainyard_versioning::{
    Checked, Damage, Finding, Moved, ObjectId, Progress, Repository, Runtime, Use, fsck, pull, push,
};

use super::attended::{Attended, States};
use super::versioned::{below, bytes, checkout_json, checkout_text, settings, stopped};
use crate::arguments::Shared;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::{NOTHING, Stop};
use crate::table::{clean, count, counted};

/// The most objects, and the most places and runs of one, that a text names; the document has all.
const TOLD: usize = 20;
const PLACES: usize = 3;
const RUNS: usize = 5;

/// The runs that used data, by the digest of it.
type Runs = BTreeMap<String, Vec<UsedBy>>;

const KEPT: &str = "What went or came before stays, whole; the same command goes on from there.";

pub(super) fn run(action: &Shared, root: &Path, printer: Printer) -> Result<u8, Stop> {
    let open = Repository::open(Arc::new(DiskIo), root, &settings());
    let repository = open.map_err(|error| stopped(vec![error], NOTHING))?;
    let runtime = Runtime::default();
    let verb = match action {
        Shared::Push { .. } => "push",
        Shared::Pull { .. } => "pull",
        Shared::Fsck { .. } => "fsck",
    };
    let attended = Attended::new(verb, States { some: KEPT, none: NOTHING }, printer)?;
    let watch = |progress: Progress| attended.watch(progress);
    match action {
        Shared::Push { paths, remote } => {
            let paths = below(&repository, paths)?;
            let sent = attended.end(push(&repository, &runtime, &paths, remote.as_deref(), &watch))?;
            printer
                .result(|| json!({ "pushed": moved_json(&sent) }), |paint| moved_text(&sent, "Sent", "to", paint))?;
        }
        Shared::Pull { paths, remote, force } => {
            let paths = below(&repository, paths)?;
            let (brought, done) =
                attended.end(pull(&repository, &runtime, &paths, remote.as_deref(), *force, &watch))?;
            let document = || json!({ "pulled": moved_json(&brought), "data": checkout_json(&done)["data"] });
            printer.result(document, |paint| moved_text(&brought, "Brought", "from", paint) + &checkout_text(&done))?;
        }
        Shared::Fsck { repair, remote } => {
            let checked = attended.end(fsck(&repository, &runtime, *repair, remote.as_deref(), &watch))?;
            // In a folder below, what is versioned belongs to the project above.
            let project = if is_project(root) { root } else { repository.root() };
            let runs = touched(&checked, project, printer);
            let runs = runs.as_ref();
            printer.result(|| checked_json(&checked, runs), |paint| checked_text(&checked, runs, *repair, paint))?;
            return Ok(u8::from(!checked.is_sound()));
        }
    }
    Ok(0)
}

fn moved_json(moved: &[Moved]) -> Value {
    let one = |one: &Moved| {
        json!({ "remote": one.remote, "url": one.url, "objects": one.objects, "bytes": one.bytes,
                "present": one.present })
    };
    Value::Array(moved.iter().map(one).collect())
}

fn moved_text(moved: &[Moved], verb: &str, way: &str, paint: Paint) -> String {
    let mut text = String::new();
    for one in moved {
        let remote = paint.ink(Ink::Strong, &clean(&one.remote));
        let what = match one.objects {
            0 => "nothing".to_owned(),
            objects => format!("{} ({})", counted(objects, "object"), bytes(one.bytes)),
        };
        let present = match one.present {
            0 => String::new(),
            present => format!("; {} there already", count(present as u64)),
        };
        text.push_str(&format!("{verb:<10} {what} {way} {remote}, {}{present}\n", clean(&one.url)));
    }
    text
}

/// Finds the runs that used what is not as it should be. Where they can't be told, the findings still are.
fn touched(checked: &Checked, root: &Path, printer: Printer) -> Option<Runs> {
    if checked.findings.is_empty() {
        return Some(Runs::new());
    }
    if !is_project(root) {
        return None;
    }
    let told = |diagnostics: Vec<Diagnostic>| {
        let why = diagnostics.first().map_or_else(String::new, |diagnostic| diagnostic.title.clone());
        let warning = Diagnostic::warning("versioned/unknown-runs", "which runs used the data can't be told").note(why);
        printer.warnings(&[warning.help("`trainyard doctor` says what is wrong with the records of runs")]);
    };
    runs_by_data(root).map_err(told).ok()
}

/// Gives the runs that used data of one of these digests, the newest first, with what of them it held.
fn runs_of<'a>(roots: &BTreeSet<ObjectId>, runs: &'a Runs) -> Vec<(&'a UsedBy, BTreeSet<&'a str>)> {
    let mut found: BTreeMap<&str, (&UsedBy, BTreeSet<&str>)> = BTreeMap::new();
    for used in roots.iter().filter_map(|root| runs.get(&root.to_string())).flatten() {
        let (_, holds) = found.entry(&used.run).or_insert((used, BTreeSet::new()));
        holds.extend(used.holds.iter().map(String::as_str));
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(used, _)| Reverse(used.started_ms));
    found
}

fn ids(roots: &BTreeSet<ObjectId>, runs: &Runs) -> Vec<String> {
    runs_of(roots, runs).into_iter().map(|(used, _)| used.run.clone()).collect()
}

fn checked_json(checked: &Checked, runs: Option<&Runs>) -> Value {
    // Many objects are of the same data.
    let mut known: BTreeMap<&BTreeSet<ObjectId>, Vec<String>> = BTreeMap::new();
    let mut roots = BTreeSet::new();
    for one in &checked.findings {
        if let (Some(runs), false) = (runs, known.contains_key(&one.roots)) {
            known.insert(&one.roots, ids(&one.roots, runs));
            roots.extend(one.roots.iter().copied());
        }
    }
    let used = |(used, holds): (&UsedBy, BTreeSet<&str>)| {
        let UsedBy { run, status, started_ms, .. } = used;
        json!({ "run": run, "status": status, "started_ms": started_ms, "holds": holds })
    };
    let place = |one: &Use| {
        let md5 = one.root.to_string();
        json!({ "file": one.file, "path": one.path, "md5": md5, "current": one.is_current })
    };
    let one = |one: &Finding| {
        let aside = match &one.damage {
            Damage::Missing => None,
            Damage::Damaged(aside) => Some(aside.display().to_string()),
        };
        let what = if aside.is_some() { "damaged" } else { "missing" };
        json!({ "object": one.id.to_string(), "problem": what, "set_aside": aside, "repaired": one.is_repaired,
                "versioned": one.uses.iter().map(place).collect::<Vec<_>>(),
                "runs": known.get(&one.roots) })
    };
    json!({ "sound": checked.is_sound(), "objects": checked.objects, "bytes": checked.bytes,
            "findings": checked.findings.iter().map(one).collect::<Vec<_>>(),
            "runs": runs.map(|runs| runs_of(&roots, runs).into_iter().map(used).collect::<Vec<_>>()) })
}

fn checked_text(checked: &Checked, runs: Option<&Runs>, repair: bool, paint: Paint) -> String {
    let mut text = String::new();
    for one in checked.findings.iter().take(TOLD) {
        let (what, aside) = match &one.damage {
            Damage::Missing => ("missing", None),
            Damage::Damaged(aside) => ("damaged", Some(aside)),
        };
        let end = if one.is_repaired { ", mended" } else { "" };
        let ink = if one.is_repaired { Ink::Good } else { Ink::Bad };
        text.push_str(&format!("{}  {}\n", paint.ink(ink, &format!("{what}{end}")), one.id));
        for used in one.uses.iter().take(PLACES) {
            let when = if used.is_current { "" } else { ", of a commit" };
            text.push_str(&format!("  {} ({}{when})\n", clean(&used.path), clean(&used.file)));
        }
        if one.uses.len() > PLACES {
            text.push_str(&format!("  and {} more\n", count((one.uses.len() - PLACES) as u64)));
        }
        let used = runs.map(|runs| ids(&one.roots, runs)).unwrap_or_default();
        if !used.is_empty() {
            let named: Vec<&str> = used.iter().take(RUNS).map(String::as_str).collect();
            let more = used.len() - named.len();
            let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
            let what = if used.len() == 1 { "run" } else { "runs" };
            text.push_str(&format!("  used by {what} {}{more}\n", named.join(", ")));
        }
        if let Some(aside) = aside {
            text.push_str(&format!("  set aside as {}\n", clean(&aside.display().to_string())));
        }
    }
    if checked.findings.len() > TOLD {
        text.push_str(&format!("and {}\n", counted(checked.findings.len() - TOLD, "more object")));
    }
    let objects = counted(checked.objects, "object");
    let looked = format!("{objects} versioned, {} digested", bytes(checked.bytes));
    let broken = checked.findings.iter().filter(|one| !one.is_repaired).count();
    let verdict = match (checked.findings.len(), broken) {
        (0, _) => "every object is there, and whole".to_owned(),
        (_, 0) => format!("all {} mended", count(checked.findings.len() as u64)),
        _ => format!("{} damaged or missing", count(broken as u64)),
    };
    text.push_str(&format!("{}: {looked}\n", paint.ink(Ink::Strong, &verdict)));
    if broken > 0 {
        text.push_str(if repair {
            "No remote has what is left: add the data again where it still is, or push it from where it is whole\n"
        } else {
            "`trainyard data fsck --repair` brings them from the remote\n"
        });
    }
    text
}
