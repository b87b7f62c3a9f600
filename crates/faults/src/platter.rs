//! The power is cut: what was forced to the disk is there, anything else may or may not be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use trainyard_files::Digest;

use crate::Op;

/// Up to this many operations on folders that were not forced, every subset of them is tried; above, a sample.
const EXHAUSTIVE: usize = 10;
const SAMPLES: u64 = 1 << EXHAUSTIVE;

/// A file's bytes, as far as they were written and as far as they were forced to the disk; or a folder.
#[derive(Clone, Debug, Default)]
struct Node {
    folder: bool,
    written: Vec<u8>,
    forced: Vec<u8>,
}

impl Node {
    /// Returns what may be found in the file: bytes that were not forced may be missing, or be zeros.
    fn contents(&self) -> BTreeSet<Vec<u8>> {
        let shorter = (self.forced.len()..self.written.len()).map(|length| self.written[..length].to_vec());
        [self.forced.clone(), self.written.clone(), self.zeros()].into_iter().chain(shorter).collect()
    }

    fn zeros(&self) -> Vec<u8> {
        let mut zeros = self.forced.clone();
        zeros.resize(self.written.len(), 0);
        zeros
    }

    /// Picks one of the contents.
    fn content(&self, choice: u64) -> Vec<u8> {
        let unforced = self.written.len().saturating_sub(self.forced.len()) as u64;
        match choice % 4 {
            0 => self.forced.clone(),
            1 => self.written.clone(),
            2 => self.zeros(),
            _ => self.written[..self.forced.len() + (choice / 4 % (unforced + 1)) as usize].to_vec(),
        }
    }
}

/// The files and folders that a disk names, each by the number of its bytes.
pub type Names = BTreeMap<PathBuf, usize>;

/// One operation on folders, which reaches the platter as a whole or not at all.
#[derive(Clone, Debug)]
enum Change {
    Name(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Name(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Move(from, to, node) => {
                // Another file may have the old name, where the naming of this one has not reached the platter.
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
            // What lies in a folder goes with it.
            Self::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        }
    }

    fn touches(&self, folder: &Path) -> bool {
        let inside = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Name(path, _) | Self::Remove(path) => inside(path),
            Self::Move(from, to, _) => inside(from) || inside(to),
        }
    }
}

/// What of all that was not forced is on the platter when the power is cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Everything, in order.
    Everything,
    /// Nothing.
    Forced,
    /// Some of it, chosen by a key: each operation on a folder and the bytes of each file for themselves.
    Part(u64),
}

/// Replays operations on a model of a disk with a cache: names and bytes reach the platter separately.
///
/// Permissions are not modelled.
#[derive(Debug, Default)]
pub struct Platter {
    nodes: Vec<Node>,
    names: Names,
    /// Names as they are on the platter for certain.
    forced: Names,
    /// Operations on folders that may be on the platter or not, each for itself.
    pending: Vec<Change>,
    /// What was last seen of the files that others write; a database forces what it commits before it goes on.
    beside: Vec<usize>,
}

impl Platter {
    /// Starts with everything that lies below `root`, all of it forced.
    ///
    /// # Panics
    /// Panics where that can't be read.
    pub fn holding(root: &Path) -> Self {
        let mut platter = Self::default();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let bytes = if path.is_dir() { None } else { Some(fs::read(&path).unwrap()) };
                platter.keep(path.strip_prefix(root).unwrap(), bytes);
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        platter
    }

    /// Puts a file, or a folder where there are no bytes, onto the platter for certain.
    fn keep(&mut self, path: &Path, bytes: Option<Vec<u8>>) -> usize {
        let folder = bytes.is_none();
        let written = bytes.unwrap_or_default();
        self.nodes.push(Node { folder, forced: written.clone(), written });
        let node = self.nodes.len() - 1;
        self.names.insert(path.to_path_buf(), node);
        self.forced.insert(path.to_path_buf(), node);
        node
    }

    fn node(&mut self, path: &Path) -> &mut Node {
        let node = self.names[path];
        &mut self.nodes[node]
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn name(&mut self, path: &Path, folder: bool) {
        self.nodes.push(Node { folder, ..Node::default() });
        self.change(Change::Name(path.to_path_buf(), self.nodes.len() - 1));
    }

    /// Does one operation.
    ///
    /// # Panics
    /// Panics where it is about a file that is not there.
    pub fn replay(&mut self, op: &Op) {
        for node in std::mem::take(&mut self.beside) {
            let node = &mut self.nodes[node];
            node.forced = node.written.clone();
        }
        match op {
            // To make a folder that is there already does nothing.
            Op::Folder(path) if self.names.contains_key(path) => {}
            // A folder is a name like any other: what lies in it is lost with it.
            Op::Folder(path) => self.name(path, true),
            Op::Create(path) => self.name(path, false),
            Op::Write(path, bytes) => self.node(path).written.extend(bytes),
            Op::Sync(path) => {
                let node = self.node(path);
                node.forced = node.written.clone();
            }
            Op::Rename(from, to) => {
                let node = self.names[from];
                self.change(Change::Move(from.clone(), to.clone(), node));
            }
            Op::Remove(path) => self.change(Change::Remove(path.clone())),
            Op::SyncDir(folder) => {
                let pending = std::mem::take(&mut self.pending);
                let (now, later) = pending.into_iter().partition(|change| change.touches(folder));
                let now: Vec<Change> = now;
                now.iter().for_each(|change| change.apply(&mut self.forced));
                self.pending = later;
            }
            Op::Link(from, to) => {
                let node = self.names[from];
                self.change(Change::Name(to.clone(), node));
            }
            Op::Symlink(_, at) => self.name(at, false),
            Op::Clone(from, to) => {
                let written = self.node(from).written.clone();
                self.name(to, false);
                self.node(to).written = written;
            }
            Op::SyncAll => {
                self.nodes.iter_mut().for_each(|node| node.forced = node.written.clone());
                let pending = std::mem::take(&mut self.pending);
                pending.iter().for_each(|change| change.apply(&mut self.forced));
            }
            Op::Readonly(_) | Op::Mode(..) => {}
            Op::Beside(found) => found.iter().for_each(|(path, bytes)| self.find(path, bytes.as_deref())),
        }
    }

    /// Takes what a database left at `path`: what it added may be there in part until it goes on.
    fn find(&mut self, path: &Path, bytes: Option<&[u8]>) {
        let known = self.forced.get(path).map(|node| self.nodes[*node].written.clone());
        self.names.remove(path);
        self.forced.remove(path);
        let Some(bytes) = bytes else { return };
        let above: Vec<&Path> = path.ancestors().skip(1).filter(|above| *above != Path::new("")).collect();
        for folder in above.into_iter().rev() {
            if !self.forced.contains_key(folder) {
                self.keep(folder, None);
            }
        }
        let node = self.keep(path, Some(bytes.to_vec()));
        if let Some(known) = known.filter(|known| bytes.starts_with(known)) {
            self.nodes[node].forced = known;
            self.beside.push(node);
        }
    }

    fn disk(&self, chosen: impl Fn(usize) -> bool) -> Names {
        let mut names = self.forced.clone();
        let landed = self.pending.iter().enumerate().filter(|(number, _)| chosen(*number));
        landed.for_each(|(_, change)| change.apply(&mut names));
        names
    }

    /// Returns the names on every disk that may be found after the power is cut now.
    pub fn disks(&self) -> Vec<Names> {
        let count = self.pending.len();
        if count <= EXHAUSTIVE {
            return (0..1_usize << count).map(|subset| self.disk(|number| subset >> number & 1 == 1)).collect();
        }
        let sampled = (0..SAMPLES).map(|sample| self.disk(|number| keyed(sample, number as u64) % 2 == 1));
        sampled.chain([self.disk(|_| true), self.disk(|_| false)]).collect()
    }

    /// Returns every content that a path may have on one of the disks: none, or bytes.
    pub fn contents(&self, names: &Names, path: &Path) -> BTreeSet<Option<Vec<u8>>> {
        match names.get(path) {
            Some(node) if reached(names, path) => self.nodes[*node].contents().into_iter().map(Some).collect(),
            _ => BTreeSet::from([None]),
        }
    }

    /// Returns every content that a path may have after the power is cut now.
    pub fn possible(&self, path: &Path) -> BTreeSet<Option<Vec<u8>>> {
        self.disks().iter().flat_map(|names| self.contents(names, path)).collect()
    }

    /// Lays what is found after the power is cut now into the folder `root`.
    ///
    /// # Panics
    /// Panics where it can't be written.
    pub fn lay(&self, cut: Cut, root: &Path) {
        let (names, content): (_, &dyn Fn(usize) -> Vec<u8>) = match cut {
            Cut::Everything => (self.disk(|_| true), &|node| self.nodes[node].written.clone()),
            Cut::Forced => (self.disk(|_| false), &|node| self.nodes[node].forced.clone()),
            Cut::Part(key) => (self.disk(|number| keyed(key, number as u64) % 2 == 1), &move |node| {
                self.nodes[node].content(keyed(key ^ u64::MAX, node as u64))
            }),
        };
        // A folder comes before what lies in it.
        for (path, node) in names.iter().filter(|(path, _)| reached(&names, path)) {
            if self.nodes[*node].folder {
                fs::create_dir_all(root.join(path)).unwrap();
            } else {
                fs::write(root.join(path), content(*node)).unwrap();
            }
        }
    }
}

/// Says whether every folder above a path is there.
fn reached(names: &Names, path: &Path) -> bool {
    path.ancestors().skip(1).all(|above| above == Path::new("") || names.contains_key(above))
}

/// Returns a number that looks random and is the same in every run.
pub fn keyed(key: u64, number: u64) -> u64 {
    let digest = Digest::of(&[key.to_le_bytes(), number.to_le_bytes()].concat()).to_string();
    u64::from_str_radix(&digest[..16], 16).unwrap()
}
