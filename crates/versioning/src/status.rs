//! What of the versioned data is as it was versioned.

use crate::cache::{MANY, absent};
use crate::dvc_file::{Kind, Output};
use crate::md5::{Md5, ObjectId};
use crate::remote::Tally;
use crate::repository::Repository;
use crate::snapshot::{Snapshot, digest, look};
use crate::tree::{Changes, Tree};
use crate::{Error, Errors};

/// Tells how data in the workspace stands to its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is the version.
    Unchanged,
    /// It is something else.
    Modified,
    /// It is not there.
    Deleted,
    /// Its file names no version yet.
    New,
    /// It is not described in a way that is served here.
    NotServed,
}

/// Tells how one output stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What is described.
    pub output: Output,
    /// How the workspace stands to it.
    pub state: State,
    /// What differs in a folder, as far as the list of its version is in the cache.
    pub changes: Changes,
    /// How many objects of the version are not in the cache.
    pub missing: usize,
    /// Links to folders, which are no part of any version.
    pub left_out: Vec<String>,
}

impl Status {
    /// Says whether there is nothing to do.
    pub fn is_clean(&self) -> bool {
        matches!(self.state, State::Unchanged) && self.missing == 0
    }
}

/// Compares the workspace with what its files describe: all of it, or the outputs of some paths.
///
/// Files are read only where they may have changed since they were last digested.
pub fn status(repository: &Repository, paths: &[String]) -> Result<Vec<Status>, Errors> {
    let outputs = chosen(repository, paths)?;
    let mut errors = Vec::new();
    let mut found = Vec::new();
    let mut listed = None;
    for output in outputs {
        match of(repository, output, &mut listed) {
            Ok(status) => found.push(status),
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Finds the outputs that paths mean: by their own path, by that of their file, or as what lies in a folder.
pub(crate) fn chosen(repository: &Repository, paths: &[String]) -> Result<Vec<Output>, Errors> {
    let described = repository.described();
    let mut errors = described.errors;
    let means = |path: &str, output: &Output| {
        path.is_empty() || output.path == path || output.file == path || output.path.starts_with(&format!("{path}/"))
    };
    for path in paths.iter().filter(|path| !described.outputs.iter().any(|output| means(path, output))) {
        let known = described.outputs.iter().map(|output| output.path.clone()).collect();
        errors.push(Error::NotVersioned { path: path.clone(), known });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let is_meant = |output: &Output| paths.is_empty() || paths.iter().any(|path| means(path, output));
    Ok(described.outputs.into_iter().filter(is_meant).collect())
}

/// Returns the list of files that a version is; a file is itself under an empty name. None where the list is lost.
pub(crate) fn version(repository: &Repository, id: &ObjectId) -> Result<Option<Tree>, Error> {
    if id.is_folder {
        return repository.cache.tree(id);
    }
    let mut tree = Tree::default();
    tree.push_known("", id.md5);
    Ok(Some(tree))
}

fn of(repository: &Repository, output: Output, listed: &mut Option<Vec<Md5>>) -> Result<Status, Errors> {
    let mut status =
        Status { state: State::NotServed, changes: Changes::default(), missing: 0, left_out: Vec::new(), output };
    match &status.output.kind {
        Kind::Dvc2(place) => {
            return Err(Error::Dvc2 { place: place.clone(), path: status.output.path.clone() }.into());
        }
        Kind::Elsewhere(_) => return Ok(status),
        Kind::Data | Kind::Made(_) => {}
    }
    let path = status.output.path.clone();
    // To list the cache as a whole is worth it for many files only, and once.
    let is_folder = status.output.id.is_some_and(|id| id.is_folder);
    let lists = listed.is_none() && is_folder && status.output.count.is_none_or(|count| count > MANY as u64);
    let list = || lists.then(|| repository.cache.files()).transpose();
    let (snapshot, found) = rayon::join(|| look(repository, &path), list);
    let mut snapshot = snapshot?;
    if let Some(found) = found? {
        *listed = Some(found);
    }
    if let Some(snapshot) = &mut snapshot {
        digest(repository, &path, snapshot, &Tally::new(0, &|_| true))?;
        status.left_out = std::mem::take(&mut snapshot.left_out);
    }
    let Some(id) = status.output.id else {
        status.state = State::New;
        return Ok(status);
    };
    let is_same = snapshot.as_ref().is_some_and(|snapshot| snapshot.id() == id);
    status.state = match &snapshot {
        None => State::Deleted,
        Some(_) if is_same => State::Unchanged,
        Some(_) => State::Modified,
    };
    if id.is_folder && !repository.cache.contains(&id) {
        status.missing = 1;
    }
    let kept = if status.missing > 0 || is_same && id.is_folder { None } else { version(repository, &id)? };
    // A folder that is the version has its list, whatever the cache holds.
    let tree = match (&snapshot, &kept) {
        (Some(snapshot), _) if is_same => &snapshot.tree,
        (_, Some(tree)) => tree,
        _ => return Ok(status),
    };
    status.missing += absent(&repository.cache, listed.as_deref(), tree).map_or(0, |(_, count)| count);
    if let (Some(snapshot), false) = (&snapshot, is_same)
        && snapshot.is_folder
        && id.is_folder
    {
        status.changes = Changes::between(tree, &snapshot.tree);
    }
    Ok(status)
}

/// Returns what lies in the workspace at an output, with all digests.
pub(crate) fn present(repository: &Repository, output: &Output, tally: &Tally<'_>) -> Result<Option<Snapshot>, Errors> {
    let mut snapshot = look(repository, &output.path)?;
    if let Some(snapshot) = &mut snapshot {
        digest(repository, &output.path, snapshot, tally)?;
    }
    Ok(snapshot)
}
