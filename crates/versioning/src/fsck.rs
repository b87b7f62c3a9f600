//! Whether the cache holds what is versioned, byte by byte, and mending it from a remote.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;

use rayon::prelude::*;
use trainyard_files::{Operation, create_folder};
use trainyard_stores::Runtime;

use crate::dvc_file::Output;
use crate::md5::ObjectId;
use crate::passage::{PIECE, digest_of};
use crate::remote::{Remote, Tally, Watch};
use crate::repository::{Repository, read_any};
use crate::tree::Tree;
use crate::{Error, Errors, Failure};

/// Says where an object is versioned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The file that describes the data.
    pub file: String,
    /// What of the data the object is, below the root.
    pub path: String,
    /// The digest that the file names.
    pub root: ObjectId,
    /// Whether the workspace's file says so; else one of a commit does.
    pub is_current: bool,
}

/// Says what is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not in the cache.
    Missing,
    /// It was not what its name says; where its file lies now.
    Damaged(PathBuf),
}

/// Tells of one object that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The object.
    pub id: ObjectId,
    /// What is wrong with it.
    pub damage: Damage,
    /// Where it is versioned.
    pub uses: Vec<Use>,
    /// The digests that files of the workspace or of any commit name for data that holds it: a run that used the data
    /// has one of them in its lineage.
    pub roots: BTreeSet<ObjectId>,
    /// Whether it is whole again.
    pub is_repaired: bool,
}

/// Tells what was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many objects are versioned, as far as their lists are known.
    pub objects: usize,
    /// The bytes that were digested.
    pub bytes: u64,
    /// What is damaged or missing, in the order of the names.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Says whether every object is in the cache, and whole.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.is_repaired)
    }
}

/// Says how the cache is mended.
#[derive(Clone, Copy, Debug)]
struct Mending<'a> {
    runtime: &'a Runtime,
    remotes: &'a [Remote],
}

/// Digests every object that a file of the workspace names, or one of any commit that a reference of Git's reaches.
///
/// What is not what its name says is set aside, under another name; with `repair` that, and what is missing, is
/// brought from the remote of that name, or from the usual one and those that outputs name.
pub fn fsck(
    repository: &Repository,
    runtime: &Runtime,
    repair: bool,
    remote: Option<&str>,
    watch: Watch<'_>,
) -> Result<Checked, Failure> {
    let described = repository.described();
    if !described.errors.is_empty() {
        return Err(described.errors.into());
    }
    let remotes = if repair { remotes(repository, &described.outputs, remote)? } else { Vec::new() };
    let _lock = repository.lock()?;
    let described = repository.described();
    if !described.errors.is_empty() {
        return Err(described.errors.into());
    }
    let roots = roots(repository, &described.outputs)?;
    let mending = Mending { runtime, remotes: &remotes };
    let (lists, files): (Vec<ObjectId>, Vec<ObjectId>) = roots.keys().copied().partition(|id| id.is_folder);
    let tally = Tally::new(0, watch);
    let mut checked = Checked::default();
    // Lists come first: they say which files there are.
    look(repository, &lists, &mut checked, &tally, mending).map_err(Failure::midway)?;
    let mut trees: BTreeMap<ObjectId, Tree> = BTreeMap::new();
    for id in &lists {
        trees.extend(repository.cache.tree(id).map_err(Failure::midway)?.map(|tree| (*id, tree)));
    }
    let mut all: BTreeSet<ObjectId> = files.into_iter().collect();
    all.extend(trees.values().flat_map(Tree::iter).map(|(_, md5)| ObjectId::file(md5)));
    let all: Vec<ObjectId> = all.into_iter().collect();
    look(repository, &all, &mut checked, &tally, mending).map_err(Failure::midway)?;
    checked.objects = lists.len() + all.len();
    checked.findings.sort_unstable_by_key(|finding| finding.id);
    name(&mut checked.findings, &roots, &trees);
    Ok(checked)
}

/// Finds the remotes from which objects may come.
fn remotes(repository: &Repository, outputs: &[Output], named: Option<&str>) -> Result<Vec<Remote>, Errors> {
    if named.is_some() {
        return Ok(vec![Remote::find(repository, named)?]);
    }
    let own: BTreeSet<&str> = outputs.iter().filter_map(|output| output.remote.as_deref()).collect();
    let mut found = Vec::new();
    if own.is_empty() || repository.config.remote.is_some() {
        found.push(Remote::find(repository, None)?);
    }
    for name in own {
        found.push(Remote::find(repository, Some(name))?);
    }
    Ok(found)
}

/// Finds every digest that a file names, with all files that name it.
fn roots(repository: &Repository, current: &[Output]) -> Result<BTreeMap<ObjectId, BTreeSet<Use>>, Errors> {
    let mut roots: BTreeMap<ObjectId, BTreeSet<Use>> = BTreeMap::new();
    let mut note = |output: &Output, is_current| {
        if let Some(root) = output.id {
            let (file, path) = (output.file.clone(), output.path.clone());
            roots.entry(root).or_default().insert(Use { file, path, root, is_current });
        }
    };
    current.iter().for_each(|output| note(output, true));
    if let Some(git) = &repository.git {
        for (path, text) in git.described_ever()? {
            // What can't be read at a commit names nothing that could be put back.
            if let Ok((outputs, _)) = read_any(&path, &String::from_utf8_lossy(&text)) {
                outputs.iter().for_each(|output| note(output, false));
            }
        }
    }
    Ok(roots)
}

/// Looks at objects, sets aside what is damaged, and brings what is not there.
fn look(
    repository: &Repository,
    ids: &[ObjectId],
    checked: &mut Checked,
    tally: &Tally<'_>,
    mending: Mending<'_>,
) -> Result<(), Errors> {
    let one = |piece: &mut Vec<u8>, id: &ObjectId| (*id, digest(repository, id, piece, tally));
    let found: Vec<_> = ids.par_iter().with_max_len(64).map_init(|| vec![0; PIECE], one).collect();
    let mut wanted = Vec::new();
    for (id, found) in found {
        let damage = match found? {
            Some((is_whole, length)) => {
                checked.bytes += length;
                if is_whole {
                    continue;
                }
                Damage::Damaged(set_aside(repository, &id)?)
            }
            None => Damage::Missing,
        };
        wanted.push(id);
        checked.findings.push(Finding { id, damage, uses: Vec::new(), roots: BTreeSet::new(), is_repaired: false });
    }
    for remote in mending.remotes {
        if wanted.is_empty() {
            break;
        }
        remote.give(mending.runtime, &repository.cache, &wanted, tally)?;
        wanted.retain(|id| !repository.cache.contains(id));
    }
    for finding in &mut checked.findings {
        finding.is_repaired |= repository.cache.contains(&finding.id);
    }
    Ok(())
}

/// Digests an object: whether it is what its name says, and its length; nothing where it is not there.
fn digest(
    repository: &Repository,
    id: &ObjectId,
    piece: &mut [u8],
    tally: &Tally<'_>,
) -> Result<Option<(bool, u64)>, Error> {
    let path = repository.cache.path(id);
    let mut file = match repository.io.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            tally.object()?;
            return Ok(None);
        }
        Err(error) => return Err(trainyard_files::Error::io(Operation::Open, &path, error).into()),
    };
    let (md5, length) = digest_of(&mut *file, &path, piece, |read| tally.bytes(read))?;
    tally.object()?;
    Ok(Some((md5 == id.md5, length)))
}

/// Gives a damaged object a name under which nobody takes it for what it was.
fn set_aside(repository: &Repository, id: &ObjectId) -> Result<PathBuf, Error> {
    let io = &*repository.io;
    let folder = repository.cache.folder().join(".trainyard/damaged");
    create_folder(io, &folder)?;
    let free = (0..).map(|number| folder.join(format!("{id}-{number}"))).find(|path| !io.exists(path));
    let path = free.unwrap_or_else(|| folder.join(id.to_string()));
    let moved = io.rename(&repository.cache.path(id), &path);
    moved.map_err(|error| trainyard_files::Error::io(Operation::Rename, &path, error))?;
    Ok(path)
}

/// Says of findings where they are versioned.
fn name(findings: &mut [Finding], roots: &BTreeMap<ObjectId, BTreeSet<Use>>, trees: &BTreeMap<ObjectId, Tree>) {
    let places: BTreeMap<ObjectId, usize> = findings.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    if places.is_empty() {
        return;
    }
    for (root, uses) in roots {
        if let Some(finding) = places.get(root).and_then(|at| findings.get_mut(*at)) {
            finding.uses.extend(uses.iter().cloned());
        }
        for (below, md5) in trees.get(root).iter().flat_map(|tree| tree.iter()) {
            let at = places.get(&ObjectId::file(md5));
            if let Some(finding) = at.and_then(|at| findings.get_mut(*at)) {
                let inside = |one: &Use| Use { path: format!("{}/{below}", one.path), ..one.clone() };
                finding.uses.extend(uses.iter().map(inside));
            }
        }
    }
    for finding in findings {
        finding.uses.sort();
        finding.uses.dedup();
        finding.roots = finding.uses.iter().map(|one| one.root).collect();
        // What the workspace says, commits say, too.
        let current: Vec<Use> = finding.uses.iter().filter(|one| one.is_current).cloned().collect();
        let is_same = |one: &Use, other: &Use| one.file == other.file && one.path == other.path;
        finding.uses.retain(|one| one.is_current || !current.iter().any(|other| is_same(one, other)));
    }
}
