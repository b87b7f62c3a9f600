//! Removing objects that nothing names any more.

use std::collections::BTreeSet;

use trainyard_files::Kind as FileKind;

use crate::md5::ObjectId;
use crate::repository::Repository;
use crate::{Error, Errors, Failure};

/// Tells what was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects that something names.
    pub kept: usize,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Objects that nothing names, in their order.
    pub removed: Vec<ObjectId>,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Lists of folders that are named and not in the cache: what they name is not known here.
    pub unknown_lists: Vec<ObjectId>,
}

/// Removes every object of the cache that no file of the workspace names, nor one of any commit that a reference of
/// Git's
/// reaches, nor of its index; with `dry_run` only says which.
///
/// A cache outside of the project is left alone unless `force` says that nobody else uses it.
pub fn gc(repository: &Repository, dry_run: bool, force: bool) -> Result<Collected, Failure> {
    if repository.shares_cache() && !force {
        return Err(Error::SharedCache { folder: repository.cache.folder().display().to_string() }.into());
    }
    let described = repository.described();
    if !described.errors.is_empty() {
        return Err(described.errors.into());
    }
    if dry_run {
        return Ok(collect(repository)?);
    }
    let _lock = repository.lock()?;
    repository.cache.sweep().map_err(Failure::midway)?;
    let collected = collect(repository)?;
    for id in &collected.removed {
        repository.cache.remove(id).map_err(Failure::midway)?;
    }
    Ok(collected)
}

fn collect(repository: &Repository) -> Result<Collected, Errors> {
    let described = repository.described();
    if !described.errors.is_empty() {
        return Err(described.errors);
    }
    let mut used: BTreeSet<ObjectId> = described.outputs.iter().filter_map(|output| output.id).collect();
    if let Some(git) = &repository.git {
        for (_, text) in git.described_ever()? {
            used.extend(named(&text));
        }
    }
    // What stages of pipelines made once, and DVC would take from here rather than make again.
    runs(repository, "runs", &mut used)?;
    let mut collected = Collected::default();
    let lists: Vec<ObjectId> = used.iter().filter(|id| id.is_folder).copied().collect();
    for id in lists {
        match repository.cache.tree(&id)? {
            Some(tree) => used.extend(tree.iter().map(|(_, md5)| ObjectId::file(md5))),
            None => collected.unknown_lists.push(id),
        }
    }
    for (id, size) in repository.cache.list()? {
        if used.contains(&id) {
            collected.kept += 1;
            collected.kept_bytes += size;
        } else {
            collected.removed.push(id);
            collected.removed_bytes += size;
        }
    }
    // Lists go first: none is left that names what is gone.
    collected.removed.sort_unstable_by_key(|id| (!id.is_folder, *id));
    Ok(collected)
}

/// Finds everything in a text that may be an object's name, whatever else the text is.
fn named(text: &[u8]) -> Vec<ObjectId> {
    let text = String::from_utf8_lossy(text);
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == 'r' || c == 'i';
    text.split(|c: char| !is_part(c)).filter_map(ObjectId::parse).collect()
}

fn runs(repository: &Repository, below: &str, used: &mut BTreeSet<ObjectId>) -> Result<(), Error> {
    let folder = repository.cache.folder().join(below);
    let Ok(entries) = repository.io.entries(&folder) else { return Ok(()) };
    for (name, kind) in entries {
        let Some(name) = name.to_str() else { continue };
        let below = format!("{below}/{name}");
        match kind {
            FileKind::Folder => runs(repository, &below, used)?,
            _ => used.extend(named(&trainyard_files::read(&*repository.io, &repository.cache.folder().join(&below))?)),
        }
    }
    Ok(())
}
