//! Putting versions back into the workspace.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use rayon::prelude::*;
use trainyard_files::{Operation, create_folder, create_temporary, sweep_temporaries, temporary_path};

use crate::cache::missing;
use crate::config::Link;
use crate::dvc_file::{Kind, Output};
use crate::known::{Known, Stamp, now};
use crate::md5::ObjectId;
use crate::remote::{Tally, Watch};
use crate::repository::Repository;
use crate::snapshot::Snapshot;
use crate::status::{chosen, present, version};
use crate::tree::{Changes, Tree};
use crate::{Error, Errors, Failure};

/// Up to so many files are each forced to the disk; more, all at once.
const SINGLY: usize = 16;
/// After so many files, those that are complete get their names.
const BATCH: usize = 4096;
/// The most files that a message names.
const TOLD: usize = 8;

/// Tells what became of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// The path, below the root.
    pub path: String,
    /// How many files are new.
    pub added: usize,
    /// How many took the place of others.
    pub modified: usize,
    /// How many were removed.
    pub deleted: usize,
}

/// Is what has to happen to one output.
struct Plan {
    output: Output,
    tree: Tree,
    snapshot: Option<Snapshot>,
    /// When the digests of the snapshot began to be taken.
    began: i64,
    changes: Changes,
}

/// Makes the workspace what its files describe: all of it, or the outputs of some paths.
///
/// What lies there and is in no version is not given up unless `force` says so. Everything is checked before anything
/// is changed, and every problem told. Who watches may stop it: what has its name by then stays.
pub fn checkout(
    repository: &Repository,
    paths: &[String],
    force: bool,
    watch: Watch<'_>,
) -> Result<Vec<CheckedOut>, Failure> {
    let mut outputs = chosen(repository, paths)?;
    let mut plans = plan_all(repository, &outputs, force, watch)?;
    let _lock = repository.lock()?;
    // Somebody may have been at work until now.
    let found = chosen(repository, paths)?;
    if found != outputs {
        outputs = found;
        plans = plan_all(repository, &outputs, force, watch)?;
    }
    let files = |plan: &Plan| plan.changes.added.len() + plan.changes.modified.len();
    let tally = Tally::new(plans.iter().map(files).sum(), watch);
    let linker = Linker::new(repository, &tally);
    let mut done = Vec::new();
    for plan in plans {
        linker.apply(&plan).map_err(Failure::midway)?;
        done.push(CheckedOut {
            path: plan.output.path,
            added: plan.changes.added.len(),
            modified: plan.changes.modified.len(),
            deleted: plan.changes.deleted.len(),
        });
    }
    Ok(done)
}

fn plan_all(repository: &Repository, outputs: &[Output], force: bool, watch: Watch<'_>) -> Result<Vec<Plan>, Errors> {
    let mut errors = Vec::new();
    let mut plans = Vec::new();
    for output in outputs {
        match plan(repository, output.clone(), force, watch) {
            Ok(plan) => plans.extend(plan),
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() { Ok(plans) } else { Err(errors) }
}

fn plan(repository: &Repository, output: Output, force: bool, watch: Watch<'_>) -> Result<Option<Plan>, Errors> {
    let path = output.path.clone();
    match &output.kind {
        Kind::Dvc2(place) => return Err(Error::Dvc2 { place: place.clone(), path }.into()),
        Kind::Elsewhere(_) => return Ok(None),
        Kind::Data | Kind::Made(_) => {}
    }
    let Some(id) = output.id else { return Ok(None) };
    if let Some(link) = link_above(repository, &path) {
        return Err(Error::LinkedFolder { path, link }.into());
    }
    let Some(tree) = version(repository, &id)? else {
        return Err(Error::Missing { path, id, count: 1 }.into());
    };
    let began = now();
    let snapshot = present(repository, &output, &Tally::new(0, watch))?;
    let empty = Tree::default();
    let found = snapshot.as_ref().map_or(&empty, |snapshot| &snapshot.tree);
    let changes = Changes::between(found, &tree);
    let mut errors = Vec::new();
    if !(changes.added.is_empty() && changes.modified.is_empty())
        && let Some((id, count)) = missing(&repository.cache, &tree)?
    {
        errors.push(Error::Missing { path: path.clone(), id, count });
    }
    let lost = |name: &&String| {
        let at = found.find(name);
        at.is_some_and(|at| !repository.cache.contains(&ObjectId::file(found.md5(at))))
    };
    let lost: Vec<&String> = changes.modified.iter().chain(&changes.deleted).filter(lost).collect();
    if !force && !lost.is_empty() {
        let shown = |name: &&String| if name.is_empty() { path.clone() } else { format!("{path}/{name}") };
        let files = lost.iter().take(TOLD).map(shown).collect();
        errors.push(Error::Unsaved { path: path.clone(), files, count: lost.len() });
    }
    let left_out = snapshot.iter().flat_map(|snapshot| &snapshot.left_out);
    for link in left_out {
        let below = link[path.len()..].trim_start_matches('/');
        let is_behind = |name: &String| crate::add::is_in(name, below);
        if changes.added.iter().chain(&changes.modified).any(is_behind) {
            errors.push(Error::LinkedFolder { path: path.clone(), link: link.clone() });
        }
    }
    if errors.is_empty() { Ok(Some(Plan { output, tree, snapshot, began, changes })) } else { Err(errors) }
}

/// Finds a link among the folders above a path.
fn link_above(repository: &Repository, path: &str) -> Option<String> {
    let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
    let is_link = |folder: &&str| repository.io.read_link(&repository.place(folder)).is_ok_and(|link| link.is_some());
    above.find(is_link).map(str::to_owned)
}

/// Puts links into the place of files that were added as copies.
pub(crate) fn relink(
    repository: &Repository,
    path: &str,
    snapshot: &Snapshot,
    began: i64,
    tally: &Tally<'_>,
) -> Result<(), Errors> {
    let modified = (0..snapshot.tree.len()).filter(|at| {
        let object = repository.cache.path(&ObjectId::file(snapshot.tree.md5(*at)));
        let place = repository.place(&snapshot.path(*at, path));
        match repository.config.links.first() {
            Some(Link::Symlink) => repository.io.read_link(&place).ok().flatten().is_none_or(|target| target != object),
            _ => repository.io.metadata(&object).map_or(true, |found| found.inode != snapshot.stamps[*at].inode),
        }
    });
    let modified: Vec<String> = modified.map(|at| snapshot.tree.name(at).to_owned()).collect();
    let tally = tally.anew(modified.len());
    let output = Output {
        path: path.to_owned(),
        file: String::new(),
        id: None,
        size: None,
        count: None,
        is_executable: snapshot.is_executable,
        kind: Kind::Data,
        remote: None,
        pushes: true,
    };
    let changes = Changes { modified, ..Changes::default() };
    let plan = Plan { output, tree: snapshot.tree.clone(), snapshot: Some(snapshot.clone()), began, changes };
    Linker::new(repository, &tally).apply(&plan)
}

/// Makes files out of objects.
struct Linker<'a> {
    repository: &'a Repository,
    tally: &'a Tally<'a>,
    /// The ways that are left to try, in their order: one that the file system refused is not tried again.
    links: Mutex<Vec<Link>>,
}

/// How much of an object is copied at once.
const PIECE: usize = 256 << 10;

/// Is how an object is copied.
struct Copying<'a> {
    /// Whether the copy is forced to the disk by itself.
    sync: bool,
    /// Where each part lies in between; one for many copies.
    piece: &'a mut Vec<u8>,
}

/// Is a file that waits for its name.
struct Made {
    temporary: PathBuf,
    place: PathBuf,
    at: usize,
    stamp: Stamp,
}

impl<'a> Linker<'a> {
    fn new(repository: &'a Repository, tally: &'a Tally<'a>) -> Self {
        Self { repository, tally, links: Mutex::new(repository.config.links.clone()) }
    }

    fn apply(&self, plan: &Plan) -> Result<(), Errors> {
        let Plan { output, tree, changes, snapshot, .. } = plan;
        let io = &*self.repository.io;
        let root = self.repository.place(&output.path);
        let is_folder = output.id.map_or_else(|| snapshot.as_ref().is_some_and(|s| s.is_folder), |id| id.is_folder);
        if changes.is_empty() && snapshot.is_some() {
            return Ok(());
        }
        let error = trainyard_files::Error::io;
        let mut emptied = BTreeSet::new();
        for name in &changes.deleted {
            let place = if name.is_empty() { root.clone() } else { root.join(name) };
            self.is_as_it_was(plan, name, &place)?;
            io.remove_file(&place).map_err(|source| error(Operation::Remove, &place, source)).map_err(Error::from)?;
            let above = place.ancestors().skip(1).take_while(|above| above.starts_with(&root));
            emptied.extend(above.map(Path::to_path_buf));
        }
        for folder in emptied.into_iter().rev() {
            if io.entries(&folder).is_ok_and(|entries| entries.is_empty()) {
                io.remove_dir_all(&folder)
                    .map_err(|source| error(Operation::Remove, &folder, source))
                    .map_err(Error::from)?;
            }
        }
        if is_folder {
            create_folder(io, &root).map_err(Error::from)?;
        }
        let mut wanted: Vec<usize> =
            changes.added.iter().chain(&changes.modified).filter_map(|name| tree.find(name)).collect();
        wanted.sort_unstable();
        let mut stamps = self.stamps(plan);
        let mut at = plan.began;
        let made = self.make_all(plan, &root, &wanted, (&mut stamps, &mut at));
        let done = Snapshot { tree: tree.clone(), stamps, is_folder, ..Snapshot::default() };
        let saved = Known::save(self.repository, &output.path, &done, at);
        made?;
        Ok(saved?)
    }

    /// Wants a file that is about to go to be the one that was looked at: somebody may have written it since.
    fn is_as_it_was(&self, plan: &Plan, name: &str, place: &Path) -> Result<(), Error> {
        let before = plan.snapshot.as_ref().and_then(|found| Some(found.stamps[found.tree.find(name)?]));
        let now = self.repository.io.metadata(place).ok().filter(|found| found.is_file);
        match (before, now) {
            (Some(before), Some(now)) if before != Stamp::of(&now) => {
                Err(Error::Changed { path: place.display().to_string() })
            }
            (None, Some(_)) => Err(Error::Changed { path: place.display().to_string() }),
            _ => Ok(()),
        }
    }

    /// Returns the stamps of the files that stay, in the order of the version; of others, one that no file has.
    fn stamps(&self, plan: &Plan) -> Vec<Stamp> {
        let Some(snapshot) = &plan.snapshot else { return vec![Stamp::NONE; plan.tree.len()] };
        let mut at = 0;
        let one = |(name, md5): (&str, _)| {
            while at < snapshot.tree.len() && snapshot.tree.name(at) < name {
                at += 1;
            }
            let is_same = at < snapshot.tree.len() && snapshot.tree.name(at) == name && snapshot.tree.md5(at) == md5;
            // One that may have changed again since its digest was taken is digested again.
            if is_same { snapshot.stamps[at].if_at_rest(plan.began).unwrap_or(Stamp::NONE) } else { Stamp::NONE }
        };
        plan.tree.iter().map(one).collect()
    }

    /// Makes files and gives them their names: while some are forced to the disk, the next are made. Tells the
    /// stamps of those that have their names, and a moment at which all of these were at rest.
    fn make_all(
        &self,
        plan: &Plan,
        root: &Path,
        wanted: &[usize],
        (stamps, at): (&mut [Stamp], &mut i64),
    ) -> Result<(), Errors> {
        let mut named = |finished: std::thread::Result<Result<(Vec<Made>, i64), Error>>| {
            let (made, moment) = finished.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            for one in made {
                // One that may have changed since it has its name is digested again.
                stamps[one.at] = one.stamp.if_at_rest(moment).unwrap_or(Stamp::NONE);
            }
            *at = moment;
            Ok::<_, Error>(())
        };
        std::thread::scope(|scope| {
            let mut before: Option<ScopedJoinHandle<'_, _>> = None;
            for batch in wanted.chunks(BATCH) {
                let made = self.batch(plan, root, batch);
                let ended = before.take().map_or(Ok(()), |thread| named(thread.join()));
                let made = made?;
                if let Err(error) = ended {
                    self.discard(&made);
                    return Err(Errors::from(error));
                }
                before = Some(scope.spawn(move || self.publish(plan, root, made)));
            }
            Ok(before.map_or(Ok(()), |thread| named(thread.join()))?)
        })
    }

    /// Makes some files; none has its name yet.
    fn batch(&self, plan: &Plan, root: &Path, batch: &[usize]) -> Result<Vec<Made>, Errors> {
        let io = &*self.repository.io;
        let place = |at: usize| match plan.tree.name(at) {
            "" => root.to_path_buf(),
            name => root.join(name),
        };
        let above = |at: usize| place(at).parent().map(Path::to_path_buf).unwrap_or_default();
        let folders: BTreeSet<PathBuf> = batch.iter().map(|at| above(*at)).collect();
        for folder in &folders {
            io.create_dir_all(folder)
                .map_err(|source| Error::from(trainyard_files::Error::io(Operation::Create, folder, source)))?;
            sweep_temporaries(io, folder).map_err(Error::from)?;
        }
        let singly = batch.len() <= SINGLY;
        let is_executable = plan.output.is_executable;
        let failed = AtomicBool::new(false);
        let one = |piece: &mut Vec<u8>, at: &usize| {
            let object = self.repository.cache.path(&ObjectId::file(plan.tree.md5(*at)));
            let place = place(*at);
            let (temporary, stamp) = self.make(&object, &place, is_executable, &mut Copying { sync: singly, piece })?;
            match self.tally.object() {
                Ok(()) => Ok(Made { temporary, place, at: *at, stamp }),
                Err(stopped) => {
                    let _ = io.remove_file(&temporary);
                    Err(stopped)
                }
            }
        };
        // What comes after a failure would be made in vain.
        let unless_failed = |piece: &mut Vec<u8>, at: &usize| {
            let made = (!failed.load(Ordering::Relaxed)).then(|| one(piece, at));
            failed.fetch_or(matches!(made, Some(Err(_))), Ordering::Relaxed);
            made
        };
        let made: Vec<_> = batch.par_iter().with_min_len(64).map_init(Vec::new, unless_failed).collect();
        let (made, errors): (Vec<_>, Vec<_>) = made.into_iter().flatten().partition(Result::is_ok);
        let made: Vec<Made> = made.into_iter().filter_map(Result::ok).collect();
        let errors: Errors = errors.into_iter().filter_map(Result::err).take(TOLD).collect();
        if errors.is_empty() {
            return Ok(made);
        }
        self.discard(&made);
        Err(errors)
    }

    /// Removes files that will not get their names.
    fn discard(&self, made: &[Made]) {
        // The failure that led here is what the caller hears about.
        made.iter().for_each(|one| drop(self.repository.io.remove_file(&one.temporary)));
    }

    /// Forces files to the disk and gives them their names; returns them with the moment before the first had its name.
    fn publish(&self, plan: &Plan, root: &Path, made: Vec<Made>) -> Result<(Vec<Made>, i64), Error> {
        let io = &*self.repository.io;
        let error = trainyard_files::Error::io;
        if made.len() > SINGLY
            && let Err(source) = io.sync_all(root)
        {
            self.discard(&made);
            return Err(error(Operation::Sync, root, source).into());
        }
        let at = now();
        for (number, one) in made.iter().enumerate() {
            let named = self.is_as_it_was(plan, plan.tree.name(one.at), &one.place).and_then(|()| {
                let moved = io.rename(&one.temporary, &one.place);
                Ok(moved.map_err(|source| error(Operation::Rename, &one.place, source))?)
            });
            if let Err(error) = named {
                self.discard(&made[number..]);
                return Err(error);
            }
        }
        Ok((made, at))
    }

    fn make(
        &self,
        object: &Path,
        place: &Path,
        is_executable: bool,
        copying: &mut Copying<'_>,
    ) -> Result<(PathBuf, Stamp), Error> {
        let folder = place.parent().unwrap_or_else(|| Path::new("."));
        let io = &*self.repository.io;
        loop {
            let links = self.links.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(link) = links.first().copied() else {
                let source = std::io::Error::from(ErrorKind::Unsupported);
                return Err(Error::NoLink { path: place.display().to_string(), source });
            };
            // A link's permissions are those of the object, which nobody may execute.
            let link = if is_executable && link != Link::Reflink { Link::Copy } else { link };
            match self.one(link, object, folder, copying) {
                Ok(temporary) => {
                    let finished = self.finish(&temporary, is_executable);
                    if finished.is_err() {
                        let _ = io.remove_file(&temporary);
                    }
                    return finished.map(|stamp| (temporary, stamp));
                }
                Err(Error::NoLink { source, .. }) if links.len() > 1 && is_refusal(&source) => {
                    self.links.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != link);
                }
                Err(Error::NoLink { source, .. }) => {
                    return Err(Error::NoLink { path: place.display().to_string(), source });
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn one(&self, link: Link, object: &Path, folder: &Path, copying: &mut Copying<'_>) -> Result<PathBuf, Error> {
        let io = &*self.repository.io;
        let refused = |source| Error::NoLink { path: String::new(), source };
        let temporary = temporary_path(folder);
        match link {
            Link::Reflink => io.clone_file(object, &temporary).map_err(refused)?,
            Link::Hardlink => io.hard_link(object, &temporary).map_err(refused)?,
            Link::Symlink => io.symbolic_link(object, &temporary).map_err(refused)?,
            Link::Copy => return self.copy(object, folder, copying),
        }
        Ok(temporary)
    }

    fn copy(&self, object: &Path, folder: &Path, copying: &mut Copying<'_>) -> Result<PathBuf, Error> {
        let Copying { sync, piece } = copying;
        piece.resize(PIECE, 0);
        let io = &*self.repository.io;
        let error = trainyard_files::Error::io;
        let mut source = io.open(object).map_err(|source| error(Operation::Open, object, source))?;
        let (path, mut file) = create_temporary(io, folder)?;
        let mut copy = || {
            loop {
                let read = source.read(piece).map_err(|source| error(Operation::Read, object, source))?;
                if read == 0 {
                    break;
                }
                file.write_all(&piece[..read]).map_err(|source| error(Operation::Write, &path, source))?;
                self.tally.bytes(read)?;
            }
            file.flush().map_err(|source| error(Operation::Write, &path, source))?;
            if *sync {
                file.sync().map_err(|source| error(Operation::Sync, &path, source))?;
            }
            Ok::<_, Error>(())
        };
        match copy() {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = io.remove_file(&path);
                Err(error)
            }
        }
    }

    fn finish(&self, temporary: &Path, is_executable: bool) -> Result<Stamp, Error> {
        let io = &*self.repository.io;
        let found =
            io.metadata(temporary).map_err(|source| trainyard_files::Error::io(Operation::Read, temporary, source))?;
        if is_executable {
            // As DVC does: for the owner.
            let mode = found.mode | 0o100;
            io.set_mode(temporary, mode)
                .map_err(|source| trainyard_files::Error::io(Operation::Protect, temporary, source))?;
        }
        Ok(Stamp::of(&found))
    }
}

/// Says whether an error tells that the file system can't do something, not that it failed.
fn is_refusal(error: &std::io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
