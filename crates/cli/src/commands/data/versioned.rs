//! `trainyard data add`, `status`, `checkout`, `diff` and `gc`.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_files::DiskIo;
use trainyard_versioning::{
    Added, CheckedOut, Collected, Difference, Errors, Kind, Repository, Settings, State, Status, add, checkout, diff,
    gc, status,
};

use super::attended::{Attended, States};
use crate::arguments::Versioned;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::{NOTHING, Stop};
use crate::table::{Side, clean, count, counted, table};

/// The most files of one kind that a text names; the document has all.
const TOLD: usize = 10;

pub(super) fn run(action: &Versioned, root: &Path, printer: Printer) -> Result<u8, Stop> {
    let repository = open(action, root)?;
    let below = |paths: &[PathBuf]| below(&repository, paths);
    match action {
        Versioned::Add { paths } => {
            let is_new = repository.is_new();
            printer.warnings(repository.without_git().as_slice());
            let paths = below(paths)?;
            let some = "No .dvc file was half-written; what was copied in vain, `trainyard data gc` removes.";
            let attended = Attended::new("add", States { some, none: NOTHING }, printer)?;
            let added = attended.end(add(&repository, &paths, &|progress| attended.watch(progress)))?;
            printer.result(|| added_json(&added, is_new), |paint| added_text(&repository, &added, is_new, paint))?;
        }
        Versioned::Status { paths } => {
            let found = status(&repository, &below(paths)?).map_err(|errors| stopped(errors, ""))?;
            printer.result(|| status_json(&found), |paint| status_text(&found, paint))?;
        }
        Versioned::Checkout { paths, force } => {
            let paths = below(paths)?;
            let (some, none) = ("`trainyard data status` says what was put back before.", "No data was changed.");
            let attended = Attended::new("checkout", States { some, none }, printer)?;
            let done = attended.end(checkout(&repository, &paths, *force, &|progress| attended.watch(progress)))?;
            printer.result(|| checkout_json(&done), |_| checkout_text(&done))?;
        }
        Versioned::Diff { from, to } => {
            let found = diff(&repository, from, to.as_deref()).map_err(|errors| stopped(errors, ""))?;
            printer.result(|| diff_json(&found), |_| diff_text(&found))?;
        }
        Versioned::Gc { dry_run, force } => {
            let done = gc(&repository, *dry_run, *force).map_err(|failure| {
                let (some, none) = ("Nothing was removed that anything names.", "Nothing was removed.");
                stopped(failure.errors, if failure.has_written { some } else { none })
            })?;
            printer.result(|| gc_json(&done, *dry_run), |_| gc_text(&done, *dry_run))?;
        }
    }
    Ok(0)
}

fn open(action: &Versioned, root: &Path) -> Result<Repository, Stop> {
    let open = match action {
        Versioned::Add { .. } => Repository::open_or_new,
        _ => Repository::open,
    };
    open(Arc::new(DiskIo), root, &settings()).map_err(|error| stopped(vec![error], NOTHING))
}

/// Gives paths as the project's files name them.
pub(super) fn below(repository: &Repository, paths: &[PathBuf]) -> Result<Vec<String>, Stop> {
    let (found, wrong): (Vec<_>, Vec<_>) = paths.iter().map(|path| repository.below(path)).partition(Result::is_ok);
    let wrong: Errors = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(stopped(wrong, NOTHING)) }
}

/// Says where DVC looks for settings beside the project's own.
pub(crate) fn settings() -> Settings {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = path("HOME");
    let system = path("DVC_SYSTEM_CONFIG_DIR").unwrap_or_else(|| PathBuf::from("/etc/xdg/dvc"));
    let user = path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
    let user = path("DVC_GLOBAL_CONFIG_DIR").or_else(|| user.map(|user| user.join("dvc")));
    Settings { files: [Some(system), user].into_iter().flatten().map(|folder| folder.join("config")).collect(), home }
}

pub(super) fn stopped(errors: Errors, state: &str) -> Stop {
    Stop::Problems { diagnostics: errors.iter().map(|error| error.diagnostic()).collect(), state: state.to_owned() }
}

/// Says a number of bytes as people do.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return counted(usize::try_from(bytes).unwrap_or(usize::MAX), "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

fn added_json(added: &[Added], is_new: bool) -> Value {
    let one = |one: &Added| {
        json!({ "path": one.path, "file": one.file, "md5": one.id.to_string(), "size": one.size, "files": one.count,
                "unchanged": one.is_unchanged, "links_left_out": one.left_out })
    };
    json!({ "began": is_new, "added": added.iter().map(one).collect::<Vec<_>>() })
}

fn added_text(repository: &Repository, added: &[Added], is_new: bool, paint: Paint) -> String {
    let mut text = String::new();
    if is_new {
        let kind = if repository.is_in_git() { "dvc init" } else { "dvc init --no-scm" };
        text.push_str(&format!(
            "Began      {}, as `{kind}` does\n",
            clean(&repository.root().join(".dvc").display().to_string())
        ));
    }
    for one in added {
        let files =
            one.count.map(|files| format!("{}, ", counted(usize::try_from(files).unwrap_or(usize::MAX), "file")));
        let verb = if one.is_unchanged { "Unchanged" } else { "Versioned" };
        let what = format!("{}{}", files.unwrap_or_default(), bytes(one.size));
        let path = paint.ink(Ink::Strong, &clean(&one.path));
        text.push_str(&format!("{verb}  {path}: {what}; {}\n", clean(&one.file)));
        if !one.left_out.is_empty() {
            let links = counted(one.left_out.len(), "link");
            let verb = if one.left_out.len() == 1 { "leads to a folder and was" } else { "lead to folders and were" };
            let first = one.left_out.first().map_or("", String::as_str);
            text.push_str(&format!("           {links} {verb} left out, as DVC does: {}\n", clean(first)));
        }
    }
    if repository.is_in_git() && added.iter().any(|one| !one.is_unchanged) {
        text.push_str("Now commit the .dvc files and .gitignore\n");
    }
    text
}

const fn state(state: State) -> &'static str {
    match state {
        State::Unchanged => "unchanged",
        State::Modified => "modified",
        State::Deleted => "deleted",
        State::New => "new",
        State::NotServed => "not_served",
    }
}

fn status_json(found: &[Status]) -> Value {
    let one = |one: &Status| {
        json!({ "path": one.output.path, "file": one.output.file, "state": state(one.state),
                "added": one.changes.added, "modified": one.changes.modified, "deleted": one.changes.deleted,
                "not_in_cache": one.missing, "links_left_out": one.left_out })
    };
    let is_clean = found.iter().all(|one| one.is_clean() || one.state == State::NotServed);
    json!({ "clean": is_clean, "data": found.iter().map(one).collect::<Vec<_>>() })
}

fn status_text(found: &[Status], paint: Paint) -> String {
    if found.is_empty() {
        return "No data is versioned yet: `trainyard data add PATH`\n".to_owned();
    }
    let unclean: Vec<&Status> = found.iter().filter(|one| !one.is_clean()).collect();
    let unchanged = found.len() - unclean.len();
    let mut rows = Vec::new();
    for one in unclean {
        let why = match &one.output.kind {
            Kind::Elsewhere(why) => format!("left to DVC: {why}"),
            _ if one.missing > 0 => format!("{} not in the cache", counted(one.missing, "object")),
            _ => String::new(),
        };
        let word = if one.state == State::NotServed { "–" } else { state(one.state) };
        rows.push(vec![word.to_owned(), one.output.path.clone(), why]);
        let changes = [("+", &one.changes.added), ("~", &one.changes.modified), ("-", &one.changes.deleted)];
        for (sign, files) in changes {
            rows.extend(
                files.iter().take(TOLD).map(|file| vec![String::new(), format!("  {sign} {file}"), String::new()]),
            );
            if files.len() > TOLD {
                let more = format!("  {sign} {} more", count((files.len() - TOLD) as u64));
                rows.push(vec![String::new(), more, String::new()]);
            }
        }
    }
    let mut text = table(&[Side::Left; 3], &rows);
    if !rows.is_empty() {
        text.push('\n');
    }
    let verdict = format!("{} of {} as versioned", count(unchanged as u64), counted(found.len(), "path"));
    text.push_str(&format!("{}\n", paint.ink(Ink::Strong, &verdict)));
    text
}

pub(super) fn checkout_json(done: &[CheckedOut]) -> Value {
    let one = |one: &CheckedOut| {
        let (added, modified, deleted) = (one.added, one.modified, one.deleted);
        json!({ "path": one.path, "added": added, "modified": modified, "deleted": deleted })
    };
    json!({ "data": done.iter().map(one).collect::<Vec<_>>() })
}

pub(super) fn checkout_text(done: &[CheckedOut]) -> String {
    let mut text = String::new();
    let is_changed = |one: &&CheckedOut| one.added + one.modified + one.deleted > 0;
    for one in done.iter().filter(is_changed) {
        let parts = [(one.added, "added"), (one.modified, "modified"), (one.deleted, "deleted")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(files, _)| *files > 0)
            .map(|(files, verb)| format!("{} {verb}", count(*files as u64)))
            .collect();
        text.push_str(&format!("Put back   {}: {}\n", clean(&one.path), parts.join(", ")));
    }
    let unchanged = done.iter().filter(|one| !is_changed(one)).count();
    if unchanged > 0 {
        text.push_str(&format!("Unchanged  {}\n", counted(unchanged, "path")));
    }
    text
}

fn diff_json(found: &Difference) -> Value {
    let renamed: Vec<Value> = found.renamed.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
    json!({ "added": found.added, "modified": found.modified, "deleted": found.deleted, "renamed": renamed })
}

fn diff_text(found: &Difference) -> String {
    let renamed: Vec<String> = found.renamed.iter().map(|(from, to)| format!("{from} → {to}")).collect();
    let kinds =
        [("added", &found.added), ("modified", &found.modified), ("deleted", &found.deleted), ("renamed", &renamed)];
    let mut rows = Vec::new();
    for (kind, files) in kinds {
        rows.extend(files.iter().map(|file| vec![kind.to_owned(), file.clone()]));
    }
    if rows.is_empty() { "No versioned file differs\n".to_owned() } else { table(&[Side::Left; 2], &rows) }
}

fn gc_json(done: &Collected, dry_run: bool) -> Value {
    let names = |ids: &[trainyard_versioning::ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "dry_run": dry_run, "kept": done.kept, "kept_bytes": done.kept_bytes, "removed": names(&done.removed),
            "removed_bytes": done.removed_bytes, "unknown_lists": names(&done.unknown_lists) })
}

fn gc_text(done: &Collected, dry_run: bool) -> String {
    let (verb, left) = if dry_run { ("Would remove", "would keep") } else { ("Removed", "kept") };
    let mut text = format!(
        "{verb} {} ({}), {left} {} ({})\n",
        counted(done.removed.len(), "object"),
        bytes(done.removed_bytes),
        counted(done.kept, "object"),
        bytes(done.kept_bytes)
    );
    if !done.unknown_lists.is_empty() {
        let lists = counted(done.unknown_lists.len(), "folder");
        text.push_str(&format!(
            "The list of {lists} that a commit names is not in the cache: its files, if any are, go\n"
        ));
    }
    text
}
