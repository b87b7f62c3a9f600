//! What differs between two commits, or between a commit and the workspace.

use std::collections::BTreeMap;

use crate::dvc_file::{Kind, Output};
use crate::md5::{Md5, ObjectId};
use crate::remote::Tally;
use crate::repository::{Repository, joined, read_any};
use crate::status::{present, version};
use crate::tree::Tree;
use crate::{Error, Errors};

/// Names the files that differ, below the root and in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only the new side has them.
    pub added: Vec<String>,
    /// Both sides have them, with other bytes.
    pub modified: Vec<String>,
    /// Only the old side has them.
    pub deleted: Vec<String>,
    /// The same bytes under another name: the old name and the new one.
    pub renamed: Vec<(String, String)>,
}

/// Holds what a side has at each versioned path.
type Side = BTreeMap<String, Version>;

enum Version {
    Kept(ObjectId),
    Present(ObjectId, Tree),
}

impl Version {
    fn id(&self) -> ObjectId {
        match self {
            Self::Kept(id) | Self::Present(id, _) => *id,
        }
    }
}

/// Compares a revision of Git's with another, or with the workspace.
pub fn diff(repository: &Repository, from: &str, to: Option<&str>) -> Result<Difference, Errors> {
    let git = repository.git.as_ref().ok_or_else(|| Error::Git {
        command: format!("rev-parse {from}"),
        said: "the project is in no Git repository, or core.no_scm says that Git is not to be asked".to_owned(),
    })?;
    let at = |revision: &str| -> Result<Side, Errors> {
        let mut side = Side::new();
        let mut errors = Vec::new();
        for (path, text) in git.described_at(revision)? {
            match read_any(&path, &String::from_utf8_lossy(&text)) {
                Ok((outputs, _)) => side.extend(outputs.into_iter().filter_map(kept)),
                Err(problems) => errors.extend(problems),
            }
        }
        if errors.is_empty() { Ok(side) } else { Err(errors) }
    };
    let old = at(from)?;
    let new = match to {
        Some(revision) => at(revision)?,
        None => workspace(repository)?,
    };
    let (mut gone, mut come) = (BTreeMap::new(), BTreeMap::new());
    let mut errors = Vec::new();
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        if before.map(Version::id) == after.map(Version::id) {
            continue;
        }
        for (version, files) in [(before, &mut gone), (after, &mut come)] {
            if let Some(version) = version
                && let Err(error) = expand(repository, path, version, files)
            {
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(compare(gone, come)) } else { Err(errors) }
}

fn kept(output: Output) -> Option<(String, Version)> {
    let is_kept = matches!(output.kind, Kind::Data | Kind::Made(_));
    output.id.filter(|_| is_kept).map(|id| (output.path, Version::Kept(id)))
}

fn workspace(repository: &Repository) -> Result<Side, Errors> {
    let described = repository.described();
    let mut errors = described.errors;
    let mut side = Side::new();
    for output in described.outputs.into_iter().filter(|output| matches!(output.kind, Kind::Data | Kind::Made(_))) {
        match present(repository, &output, &Tally::new(0, &|_| true)) {
            Ok(Some(snapshot)) => {
                side.insert(output.path, Version::Present(snapshot.id(), snapshot.tree));
            }
            Ok(None) => {}
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() { Ok(side) } else { Err(errors) }
}

fn expand(repository: &Repository, path: &str, of: &Version, files: &mut BTreeMap<String, Md5>) -> Result<(), Error> {
    let loaded;
    let tree = match of {
        Version::Present(_, tree) => tree,
        Version::Kept(id) => {
            let absent = || Error::Missing { path: path.to_owned(), id: *id, count: 1 };
            loaded = version(repository, id)?.ok_or_else(absent)?;
            &loaded
        }
    };
    let place = |name: &str| if name.is_empty() { path.to_owned() } else { joined(path, name) };
    files.extend(tree.iter().map(|(name, md5)| (place(name), md5)));
    Ok(())
}

fn compare(mut gone: BTreeMap<String, Md5>, mut come: BTreeMap<String, Md5>) -> Difference {
    let mut difference = Difference::default();
    let both: Vec<String> = gone.keys().filter(|path| come.contains_key(*path)).cloned().collect();
    for path in both {
        if gone.remove(&path) != come.remove(&path) {
            difference.modified.push(path);
        }
    }
    let mut by_digest: BTreeMap<Md5, Vec<String>> = BTreeMap::new();
    for (path, md5) in gone.into_iter().rev() {
        by_digest.entry(md5).or_default().push(path);
    }
    for (path, md5) in come {
        match by_digest.get_mut(&md5).and_then(Vec::pop) {
            Some(before) => difference.renamed.push((before, path)),
            None => difference.added.push(path),
        }
    }
    difference.deleted = by_digest.into_values().flatten().collect();
    difference.deleted.sort_unstable();
    difference.renamed.sort_unstable();
    difference
}
