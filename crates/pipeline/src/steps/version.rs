//! Versions the split and the reference test in DVC's files, and what else the project names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, sweep_temporaries};
use trainyard_versioning::{
    Added, Commit, Described, Output as Versioned, Progress, Repository, State, Status, add, can_add, commit_of, status,
};

use super::context::{Context, count, internal, to_json};
use super::ingest::{FILES, Ingest};
use super::versioned::{problems, reference_name, repository, split_folder};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::project::{LOCK, PROJECT, SCHEMA, source_path};

/// The file of a run that lists which versions of data it used.
pub(crate) const DATA_VERSIONS: &str = "data_versions.json";

/// Where a file that Git does not have means that no commit holds what was run.
const SPECIFICATION: [&str; 4] = [PROJECT, "versions", "environments", "expectations"];

/// After so many files the user is told again.
const TOLD: usize = 256;

/// What a run itself changes of the files that belong into Git.
const WRITTEN: [&str; 2] = [LOCK, SCHEMA];

pub(crate) struct Version(pub(crate) Arc<Context>);

/// One thing that is versioned.
struct Entry {
    /// What of it the project asks for: `split`, `reference`, `master`, or paths.
    holds: Vec<String>,
    path: String,
    file: String,
    md5: String,
    size: Option<u64>,
    files: Option<u64>,
    is_new: bool,
}

impl Version {
    /// Finds out whether what is named beside the split can be versioned, before anything is written.
    pub(crate) fn check(context: &Context) -> Result<(), Failure> {
        if context.resolved.project.versioning.is_none() {
            return Ok(());
        }
        let repository = repository(context)?;
        let described = sound(&repository)?;
        let mut new = placed(context, &repository, &described, beside(context))?;
        new.retain(|(_, path)| !described.outputs.iter().any(|output| output.path == *path));
        let mut found = Vec::new();
        for (what, path) in &new {
            let errors = can_add(&repository, std::slice::from_ref(path)).err().unwrap_or_default();
            found.extend(errors.iter().map(|error| pointed(context, what, error.diagnostic())));
        }
        if found.is_empty() { Ok(()) } else { Err(Failure::Problems(found)) }
    }

    /// Names everything that is versioned, with where it lies.
    fn named(&self) -> Vec<(String, PathBuf)> {
        let version = self.0.resolved.split.version;
        let own = [("split", split_folder(version)), ("reference", reference_name(version))];
        let own = own.map(|(what, name)| (what.to_owned(), self.0.root.join(name)));
        own.into_iter().chain(beside(&self.0)).collect()
    }

    /// Versions what is not versioned as it is.
    fn add(&self, scope: &Scope, repository: &Repository, paths: &[String]) -> Result<Vec<Added>, Failure> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        scope.log()?;
        // What a writer that died left in the split is no part of it.
        let split = self.0.root.join(split_folder(self.0.resolved.split.version));
        for folder in [split.join("optional_tests"), split] {
            sweep_temporaries(&*self.0.io, &folder).map_err(|error| error.diagnostic())?;
        }
        scope.check()?;
        let told = AtomicUsize::new(usize::MAX);
        let watch = |progress: Progress| {
            let part = progress.objects / TOLD;
            if told.swap(part, Ordering::Relaxed) == part {
                return scope.check().is_ok();
            }
            scope.progress("versioning files", progress.objects as u64, progress.of as u64)
        };
        let added = add(repository, paths, &watch);
        scope.check()?;
        added.map_err(|failure| problems(&failure.errors))
    }

    /// Refuses to version other master data, or other images, than the run has read.
    fn refuse_unread(
        &self,
        scope: &Scope,
        repository: &Repository,
        placed: &[(String, String)],
    ) -> Result<(), Failure> {
        let context = &self.0;
        let data = &context.resolved.project.data.source;
        let read = scope.output("ingest").map(|output| &output.facts[FILES]);
        let (Some(read), None) = (read.filter(|read| read.is_object()), &data.sql) else { return Ok(()) };
        // What lies outside of the project is in no version of it.
        let Ok(source) = repository.below(&source_path(&context.root, &context.resolved.overrides, &data.url.value))
        else {
            return Ok(());
        };
        let beside = || placed.iter().filter(|(what, _)| what != "split" && what != "reference").map(|(_, path)| path);
        let folder = source.rsplit_once('/').map_or("", |(folder, _)| folder);
        let holds_source = beside().any(|path| Path::new(&source).starts_with(path));
        let may_hold_images = beside().any(|path| *path != source && Path::new(path).starts_with(folder));
        let is_asked = [("source", holds_source), ("images", holds_source || may_hold_images)];
        if !is_asked.iter().any(|(what, is_asked)| *is_asked && read[*what].is_string()) {
            return Ok(());
        }
        let now = Ingest::new(context).files_now()?.unwrap_or_default();
        let other = is_asked.iter().find(|(what, is_asked)| *is_asked && read[*what] != now[*what]);
        let Some((what, _)) = other else { return Ok(()) };
        let named = if *what == "source" { source } else { "an image of the master data".to_owned() };
        let short = |value: &Value| value.as_str().map_or_else(String::new, |digest| digest.chars().take(12).collect());
        Err(Diagnostic::error("versioned/not-read", format!("{named} is no longer what this run has read"))
            .note(format!("ingest read {}, now it is {}", short(&read[*what]), short(&now[*what])))
            .note("the run would name a version that its model did not learn from")
            .help("start another run, which reads the data as it is now; or put back what was read, and resume")
            .into())
    }

    /// Refuses to describe another reference test than the one that was versioned when it was frozen.
    fn refuse_other_reference(&self, repository: &Repository, found: &[Status]) -> Result<(), Failure> {
        let name = reference_name(self.0.resolved.split.version);
        let path = repository.below(&self.0.root.join(&name)).map_err(|error| problems(&[error]))?;
        let other = found.iter().find(|status| status.output.path == path && status.state == State::Modified);
        let Some(status) = other else { return Ok(()) };
        let title = format!("{} describes another reference test than the one that is frozen", status.output.file);
        Err(Diagnostic::error("split/reference-version", title)
            .note(format!("{name} is what versions/lock.yaml knows"))
            .help(format!("restore {} from version control; or delete it, and it is written anew", status.output.file))
            .into())
    }
}

/// Names what is versioned beside the split and its reference test.
fn beside(context: &Context) -> Vec<(String, PathBuf)> {
    let Some(spec) = &context.resolved.project.versioning else { return Vec::new() };
    let source = &context.resolved.project.data.source.url.value;
    let master = || ("master".to_owned(), source_path(&context.root, &context.resolved.overrides, source));
    let paths = spec.paths.iter().map(|path| (path.value.clone(), context.root.join(&path.value)));
    spec.master.value.then(master).into_iter().chain(paths).collect()
}

/// Reads what is versioned, or tells what is wrong with it.
fn sound(repository: &Repository) -> Result<Described, Failure> {
    let described = repository.described();
    if described.errors.is_empty() { Ok(described) } else { Err(problems(&described.errors)) }
}

/// Shows where the project asks for something.
fn pointed(context: &Context, what: &str, problem: Diagnostic) -> Diagnostic {
    let spec = context.resolved.project.versioning.as_ref().filter(|_| problem.primary.is_none());
    let origin = spec.and_then(|spec| {
        let path = spec.paths.iter().find(|path| path.value == what).map(|path| &path.origin);
        if what == "master" { Some(&spec.master.origin) } else { path }
    });
    match origin {
        Some(origin) => origin.point(problem, "asks for it"),
        None => problem,
    }
}

/// Gives for each thing the path under which it is versioned: its own, or that of the folder that holds it.
fn placed(
    context: &Context,
    repository: &Repository,
    described: &Described,
    named: Vec<(String, PathBuf)>,
) -> Result<Vec<(String, String)>, Failure> {
    let (mut placed, mut errors) = (Vec::new(), Vec::new());
    for (what, place) in named {
        match repository.below(&place) {
            Ok(path) => placed.push((what, path)),
            Err(error) => errors.push(pointed(context, &what, error.diagnostic())),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Problems(errors));
    }
    let mut all: Vec<String> = placed.iter().map(|(_, path)| path.clone()).collect();
    all.extend(described.outputs.iter().map(|output| output.path.clone()));
    for (_, path) in &mut placed {
        let holders = all.iter().filter(|other| Path::new(&*path).starts_with(other));
        if let Some(holder) = holders.min_by_key(|holder| holder.len()) {
            path.clone_from(holder);
        }
    }
    Ok(placed)
}

fn of_added(added: &Added) -> Entry {
    Entry {
        holds: Vec::new(),
        path: added.path.clone(),
        file: added.file.clone(),
        md5: added.id.to_string(),
        size: Some(added.size),
        files: added.count,
        is_new: !added.is_unchanged,
    }
}

fn of_known(known: &Versioned) -> Option<Entry> {
    Some(Entry {
        holds: Vec::new(),
        path: known.path.clone(),
        file: known.file.clone(),
        md5: known.id?.to_string(),
        size: known.size,
        files: known.count,
        is_new: false,
    })
}

/// Tells which versions there are. Nothing of it depends on when or where.
fn versions(entries: &[Entry]) -> Value {
    let one = |entry: &Entry| {
        json!({
            "holds": entry.holds, "path": entry.path, "file": entry.file, "md5": entry.md5, "size": entry.size,
            "files": entry.files,
        })
    };
    entries.iter().map(one).collect()
}

fn output_of(split: u32, entries: &[Entry], commit: Option<&Commit>) -> Output {
    let new: Vec<&str> = entries.iter().filter(|entry| entry.is_new).map(|entry| entry.path.as_str()).collect();
    let files: u64 = entries.iter().map(|entry| entry.files.unwrap_or(1)).sum();
    let bytes: u64 = entries.iter().filter_map(|entry| entry.size).sum();
    let (files, bytes) = (trainyard_diagnostics::count(files), trainyard_diagnostics::count(bytes));
    let state = if new.is_empty() { "unchanged".to_owned() } else { format!("{} new", count(new.len())) };
    let further = entries.len().saturating_sub(2);
    let further = if further > 0 { format!(", {further} more") } else { String::new() };
    let mut output = Output {
        facts: json!({
            "versions": versions(entries), "new": new,
            "git_commit": commit.map(|commit| &commit.id), "git_dirty": commit.map(|commit| commit.is_dirty),
        }),
        headline: (format!("split v{split}, reference{further}"), format!("{files} files, {bytes} bytes, {state}")),
        ..Output::default()
    };
    let tags = &mut output.logged.tags;
    for what in ["split", "reference", "master"] {
        if let Some(entry) = entries.iter().find(|entry| entry.holds.iter().any(|held| held == what)) {
            tags.insert(format!("data_version_{what}"), entry.md5.clone());
        }
    }
    if let Some(commit) = commit {
        tags.insert("git_commit".to_owned(), commit.id.clone());
        tags.insert("git_dirty".to_owned(), commit.is_dirty.to_string());
    }
    output
}

impl Step for Version {
    fn name(&self) -> &'static str {
        "version"
    }

    fn reads(&self) -> Vec<Read> {
        vec![Read::new("split", "train"), Read::new("split", "reference")]
    }

    fn code(&self) -> Digest {
        code::digest("version", &["data", "sources", "versioning"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![self.0.section("versioning")])
    }

    fn cacheable(&self) -> bool {
        false
    }

    fn why_not_cacheable(&self) -> &'static str {
        "it looks each time whether the data is versioned as it is"
    }

    fn logs_first(&self) -> bool {
        false
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        // What is written here is not held against the commit.
        let commit = commit_of(&self.0.root, &SPECIFICATION, &WRITTEN);
        let repository = repository(&self.0)?;
        repository.without_git().into_iter().for_each(|warning| scope.warn(warning));
        let described = sound(&repository)?;
        let placed = placed(&self.0, &repository, &described, self.named())?;
        let paths: BTreeSet<&str> = placed.iter().map(|(_, path)| path.as_str()).collect();
        let known = described.outputs.iter().map(|output| output.path.clone());
        let known: Vec<String> = known.filter(|path| paths.contains(path.as_str())).collect();
        let found = if known.is_empty() { Ok(Vec::new()) } else { status(&repository, &known) };
        let found = found.map_err(|errors| problems(&errors))?;
        self.refuse_other_reference(&repository, &found)?;
        let (clean, open): (Vec<&str>, Vec<&str>) =
            paths.iter().partition(|path| found.iter().any(|status| status.output.path == **path && status.is_clean()));
        let open: Vec<String> = open.into_iter().map(str::to_owned).collect();
        self.refuse_unread(scope, &repository, &placed)?;
        let added = self.add(scope, &repository, &open)?;
        // Somebody may have been at work while it was versioned.
        self.refuse_unread(scope, &repository, &placed)?;
        let known = described.outputs.iter().filter(|output| clean.contains(&output.path.as_str()));
        let mut entries: Vec<Entry> = added.iter().map(of_added).chain(known.filter_map(of_known)).collect();
        for (what, path) in &placed {
            let entry = entries.iter_mut().find(|entry| entry.path == *path);
            let entry = entry.ok_or_else(|| internal("what was versioned is in no version"))?;
            entry.holds.push(what.clone());
        }
        let place = |entry: &Entry| placed.iter().position(|(_, path)| *path == entry.path);
        entries.sort_by_key(place);
        let mut output = output_of(self.0.resolved.split.version, &entries, commit.as_ref());
        let file = scope.store(&to_json(&versions(&entries)))?;
        output.logged.files.insert(DATA_VERSIONS.to_owned(), file);
        Ok(output)
    }
}
