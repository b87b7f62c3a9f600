//! What the cache holds, to remotes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use trainyard_stores::Runtime;

use super::store::MOST_WHOLE;
use super::{Ends, Moved, Problem, Remote, Tally, Watch, by_remote, each, files_of};
use crate::dvc_file::Output;
use crate::md5::ObjectId;
use crate::repository::Repository;
use crate::status::chosen;
use crate::tree::Tree;
use crate::{Errors, Failure};

/// Sends the objects of versioned data that its remote does not hold: those of all data, or of some paths.
///
/// A folder's list goes when all its files are there, so that what a remote lists, it has. An object that is not what
/// its name says is not sent. On failure what was sent stays, and is not sent again.
pub fn push(
    repository: &Repository,
    runtime: &Runtime,
    paths: &[String],
    remote: Option<&str>,
    watch: Watch<'_>,
) -> Result<Vec<Moved>, Failure> {
    let mut outputs = chosen(repository, paths)?;
    outputs.retain(|output| output.pushes);
    let groups = by_remote(repository, outputs, remote)?;
    let _lock = repository.lock()?;
    each(&groups, |remote, outputs| send(repository, runtime, remote, outputs, watch))
}

fn send(
    repository: &Repository,
    runtime: &Runtime,
    remote: &Remote,
    outputs: &[Output],
    watch: Watch<'_>,
) -> Result<(Moved, Errors), Errors> {
    let cache = &repository.cache;
    let mut lists: BTreeMap<ObjectId, Option<Tree>> = BTreeMap::new();
    let mut files = BTreeSet::new();
    for id in outputs.iter().filter_map(|output| output.id) {
        if !id.is_folder {
            files.insert(id);
        } else if let Entry::Vacant(list) = lists.entry(id) {
            let tree = list.insert(cache.tree(&id)?);
            files.extend(tree.iter().flat_map(Tree::iter).map(|(_, md5)| ObjectId::file(md5)));
        }
    }
    let all: Vec<ObjectId> = files.iter().chain(lists.keys()).copied().collect();
    let held = remote.held(runtime, &all)?;
    let sizes = super::copy::held(cache, &all);
    // What has another length there is damaged there, or here: then it will not be sent.
    let is_wanted = |id: &&ObjectId| sizes.get(*id).is_some_and(|size| held.get(*id) != Some(size));
    let is_nowhere = |id: &&ObjectId| !sizes.contains_key(*id) && !held.contains_key(*id);
    let wanted: Vec<ObjectId> = files.iter().filter(is_wanted).copied().collect();
    let wanted_lists = lists.keys().filter(is_wanted).count();
    let tally = Tally::new(wanted.len() + wanted_lists, watch);
    let nowhere: Vec<ObjectId> = all.iter().filter(is_nowhere).copied().collect();
    let present = all.len() - wanted.len() - wanted_lists - nowhere.len();
    let mut ends = Ends { absent: nowhere, ..Ends::default() };
    ends.add(remote.take(runtime, cache, &wanted, &tally)?);
    let kept: BTreeSet<ObjectId> = ends.absent.iter().chain(&ends.wrong).chain(&ends.long).copied().collect();
    let is_complete =
        |tree: &Option<Tree>| tree.iter().flat_map(Tree::iter).all(|(_, md5)| !kept.contains(&ObjectId::file(md5)));
    let complete: Vec<ObjectId> =
        lists.iter().filter(|(id, tree)| is_wanted(id) && is_complete(tree)).map(|(id, _)| *id).collect();
    ends.add(remote.take(runtime, cache, &complete, &tally)?);
    let mut errors = Errors::new();
    if !ends.absent.is_empty() {
        let (count, files) = (ends.absent.len(), files_of(repository, outputs, &ends.absent));
        errors.push(Problem::Nowhere { remote: remote.name().to_owned(), files, count }.into());
    }
    if !ends.wrong.is_empty() {
        let (count, files) = (ends.wrong.len(), files_of(repository, outputs, &ends.wrong));
        errors.push(Problem::Damaged { files, count }.into());
    }
    if !ends.long.is_empty() {
        let (count, files) = (ends.long.len(), files_of(repository, outputs, &ends.long));
        errors.push(Problem::Long { remote: remote.name().to_owned(), files, count, most: MOST_WHOLE }.into());
    }
    let moved = Moved {
        remote: remote.name().to_owned(),
        url: remote.url().to_owned(),
        objects: ends.objects,
        bytes: ends.bytes,
        present,
    };
    Ok((moved, errors))
}
