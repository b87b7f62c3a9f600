//! What remotes hold, to the cache and to the workspace.

use std::collections::BTreeSet;

use trainyard_stores::Runtime;

use super::{Ends, Moved, Problem, Remote, Tally, Watch, by_remote, each, files_of};
use crate::checkout::{CheckedOut, checkout};
use crate::dvc_file::Output;
use crate::md5::ObjectId;
use crate::repository::Repository;
use crate::status::chosen;
use crate::tree::Tree;
use crate::{Errors, Failure};

/// Brings the objects of versioned data that the cache does not hold: those of all data, or of some paths.
///
/// What arrives is digested, and gets its name only when it is what the name says. On failure what arrived stays, and
/// is not brought again.
pub fn fetch(
    repository: &Repository,
    runtime: &Runtime,
    paths: &[String],
    remote: Option<&str>,
    watch: Watch<'_>,
) -> Result<Vec<Moved>, Failure> {
    let groups = by_remote(repository, chosen(repository, paths)?, remote)?;
    let _lock = repository.lock()?;
    each(&groups, |remote, outputs| bring(repository, runtime, remote, outputs, watch))
}

/// Does so, and then puts the data into the workspace as [`checkout`] does.
pub fn pull(
    repository: &Repository,
    runtime: &Runtime,
    paths: &[String],
    remote: Option<&str>,
    force: bool,
    watch: Watch<'_>,
) -> Result<(Vec<Moved>, Vec<CheckedOut>), Failure> {
    let moved = fetch(repository, runtime, paths, remote, watch)?;
    let done = checkout(repository, paths, force, watch).map_err(|failure| Failure::midway(failure.errors))?;
    Ok((moved, done))
}

fn bring(
    repository: &Repository,
    runtime: &Runtime,
    remote: &Remote,
    outputs: &[Output],
    watch: Watch<'_>,
) -> Result<(Moved, Errors), Errors> {
    let cache = &repository.cache;
    let ids: BTreeSet<ObjectId> = outputs.iter().filter_map(|output| output.id).collect();
    let (lists, mut files): (Vec<ObjectId>, BTreeSet<ObjectId>) = {
        let (lists, files): (Vec<ObjectId>, Vec<ObjectId>) = ids.into_iter().partition(|id| id.is_folder);
        (lists, files.into_iter().collect())
    };
    let wanted: Vec<ObjectId> = lists.iter().filter(|id| !cache.contains(id)).copied().collect();
    let mut ends = Ends::default();
    if !wanted.is_empty() {
        ends.add(remote.give(runtime, cache, &wanted, &Tally::new(wanted.len(), watch))?);
    }
    for id in &lists {
        let tree = cache.tree(id)?;
        files.extend(tree.iter().flat_map(Tree::iter).map(|(_, md5)| ObjectId::file(md5)));
    }
    let all = lists.len() + files.len();
    let files: Vec<ObjectId> = files.into_iter().collect();
    let held = super::copy::held(cache, &files);
    let missing: Vec<ObjectId> = files.into_iter().filter(|id| !held.contains_key(id)).collect();
    if !missing.is_empty() {
        let tally = Tally::new(missing.len(), watch);
        ends.add(remote.give(runtime, cache, &missing, &tally)?);
    }
    let mut errors = Errors::new();
    if !ends.absent.is_empty() {
        let (count, files) = (ends.absent.len(), files_of(repository, outputs, &ends.absent));
        errors.push(Problem::Lacks { remote: remote.name().to_owned(), files, count }.into());
    }
    if !ends.wrong.is_empty() {
        let (count, files) = (ends.wrong.len(), files_of(repository, outputs, &ends.wrong));
        errors.push(Problem::Bytes { remote: remote.name().to_owned(), files, count }.into());
    }
    let moved = Moved {
        remote: remote.name().to_owned(),
        url: remote.url().to_owned(),
        objects: ends.objects,
        bytes: ends.bytes,
        present: all - wanted.len() - missing.len(),
    };
    Ok((moved, errors))
}
