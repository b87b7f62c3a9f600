//! The power is cut after any operation: what was forced to the disk is there, anything else may or may not be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::tempdir;
use trainyard_files::{Digest, ObjectStore, write_atomic};

use crate::disk::{Op, RecordingIo, Then};

/// Up to this many operations on folders that were not forced, every subset of them is tried; above, a sample.
const EXHAUSTIVE: usize = 10;
const SAMPLES: u64 = 1 << EXHAUSTIVE;

/// A file's bytes, as far as they were written and as far as they were forced to the disk.
#[derive(Clone, Debug, Default)]
struct Node {
    written: Vec<u8>,
    forced: Vec<u8>,
}

impl Node {
    /// Returns what may be found in the file: bytes that were not forced may be missing, or be zeros.
    fn contents(&self) -> BTreeSet<Vec<u8>> {
        let mut zeros = self.forced.clone();
        zeros.resize(self.written.len(), 0);
        let shorter = (self.forced.len()..self.written.len()).map(|length| self.written[..length].to_vec());
        [self.forced.clone(), self.written.clone(), zeros].into_iter().chain(shorter).collect()
    }
}

type Names = BTreeMap<PathBuf, usize>;

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

/// Replays operations on a model of a disk with a cache: names and bytes reach the platter separately.
#[derive(Debug, Default)]
struct Platter {
    nodes: Vec<Node>,
    names: Names,
    /// Names as they are on the platter for certain.
    forced: Names,
    /// Operations on folders that may be on the platter or not, each for itself.
    pending: Vec<Change>,
}

impl Platter {
    fn node(&mut self, path: &Path) -> &mut Node {
        let node = self.names[path];
        &mut self.nodes[node]
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn replay(&mut self, op: &Op) {
        match op {
            // To make a folder that is there already does nothing.
            Op::Folder(path) if self.names.contains_key(path) => {}
            // A folder is a name like any other: what lies in it is lost with it.
            Op::Create(path) | Op::Folder(path) => {
                self.nodes.push(Node::default());
                self.change(Change::Name(path.clone(), self.nodes.len() - 1));
            }
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
            Op::Readonly(_) | Op::Mode(..) => {}
        }
    }

    /// Returns the names on every disk that may be found after the power is cut now.
    fn disks(&self) -> Vec<Names> {
        let count = self.pending.len();
        let disk = |chosen: &dyn Fn(usize) -> bool| {
            let mut names = self.forced.clone();
            let landed = self.pending.iter().enumerate().filter(|(number, _)| chosen(*number));
            landed.for_each(|(_, change)| change.apply(&mut names));
            names
        };
        if count <= EXHAUSTIVE {
            return (0..1_usize << count).map(|subset| disk(&|number| subset >> number & 1 == 1)).collect();
        }
        let sampled = (0..SAMPLES).map(|sample| disk(&|number| keyed(sample, number as u64) % 2 == 1));
        sampled.chain([disk(&|_| true), disk(&|_| false)]).collect()
    }

    /// Returns every content that a path may have on one of the disks: none, or bytes.
    fn contents(&self, names: &Names, path: &Path) -> BTreeSet<Option<Vec<u8>>> {
        let reached = path.ancestors().skip(1).all(|above| above == Path::new("") || names.contains_key(above));
        match names.get(path) {
            Some(node) if reached => self.nodes[*node].contents().into_iter().map(Some).collect(),
            _ => BTreeSet::from([None]),
        }
    }

    fn possible(&self, path: &Path) -> BTreeSet<Option<Vec<u8>>> {
        self.disks().iter().flat_map(|names| self.contents(names, path)).collect()
    }
}

/// Returns a number that looks random and is the same in every run.
fn keyed(key: u64, number: u64) -> u64 {
    let digest = Digest::of(&[key.to_le_bytes(), number.to_le_bytes()].concat()).to_string();
    u64::from_str_radix(&digest[..16], 16).unwrap()
}

/// Checks every content that `path` may have after each prefix of `ops`, and after all of them.
fn check(ops: &[Op], path: &Path, legal: &[Option<&[u8]>], last: &[&[u8]]) {
    let mut platter = Platter::default();
    for (number, op) in ops.iter().enumerate() {
        platter.replay(op);
        for outcome in platter.possible(path) {
            assert!(legal.contains(&outcome.as_deref()), "after operation {number} of {ops:#?}: {outcome:?}");
        }
    }
    for outcome in platter.possible(path) {
        assert!(outcome.as_deref().is_some_and(|bytes| last.contains(&bytes)), "at the end of {ops:#?}: {outcome:?}");
    }
}

const ONE: &[u8] = b"the first text of the file";
const TWO: &[u8] = b"the second";

/// Returns the path of an object below the store's root, which is the root of the disk.
fn place(bytes: &[u8]) -> PathBuf {
    let store = ObjectStore::open(Arc::new(RecordingIo::new(Path::new(""))), PathBuf::new());
    store.path(&Digest::of(bytes))
}

#[test]
fn an_atomic_write_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    write_atomic(&io, &dir.path().join("folder/file"), ONE).unwrap();
    write_atomic(&io, &dir.path().join("folder/file"), TWO).unwrap();
    check(&io.ops(), Path::new("folder/file"), &[None, Some(ONE), Some(TWO)], &[TWO]);
}

#[test]
fn an_object_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    let store = ObjectStore::open(Arc::new(io.clone()), dir.path().to_path_buf());
    store.put(ONE).unwrap();
    check(&io.ops(), &place(ONE), &[None, Some(ONE)], &[ONE]);
}

#[test]
fn a_folder_that_another_made_and_did_not_force_is_forced() {
    let path = place(ONE);
    let folder = path.parent().unwrap().to_path_buf();
    for whole in [false, true] {
        let dir = tempdir().unwrap();
        fs::create_dir(dir.path().join(&folder)).unwrap();
        let io = RecordingIo::new(dir.path());
        let mut ops = vec![Op::Folder(folder.clone())];
        if whole {
            // Another process got as far as the object, but not as far as any folder.
            fs::write(dir.path().join(&path), ONE).unwrap();
            ops.extend([Op::Create(path.clone()), Op::Write(path.clone(), ONE.to_vec()), Op::Sync(path.clone())]);
        }
        ObjectStore::open(Arc::new(io.clone()), dir.path().to_path_buf()).put(ONE).unwrap();
        ops.extend(io.ops());
        let mut platter = Platter::default();
        ops.iter().for_each(|op| platter.replay(op));
        assert_eq!(platter.possible(&path), BTreeSet::from([Some(ONE.to_vec())]));
    }
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    let io = RecordingIo::new(dir.path());
    write_atomic(&io, &dir.path().join("folder/below/file"), ONE).unwrap();
    let ops: Vec<Op> = [Op::Folder("folder".into())].into_iter().chain(io.ops()).collect();
    check(&ops, Path::new("folder/below/file"), &[None, Some(ONE)], &[ONE]);
}

#[test]
fn what_a_writer_that_died_anywhere_left_does_not_weaken_the_next() {
    for n in 0.. {
        let (files, objects) = (tempdir().unwrap(), tempdir().unwrap());
        let mut done = true;
        let mut written = Vec::new();
        let mut stored = Vec::new();
        for (io, store_io, bytes) in [
            (
                RecordingIo::failing(files.path(), n, Then::Stops),
                RecordingIo::failing(objects.path(), n, Then::Stops),
                ONE,
            ),
            (RecordingIo::new(files.path()), RecordingIo::new(objects.path()), TWO),
        ] {
            done &= write_atomic(&io, &files.path().join("a/b/file"), bytes).is_ok();
            let store = ObjectStore::open(Arc::new(store_io.clone()), objects.path().join("objects"));
            // Both store the same bytes.
            done &= store.put(ONE).is_ok();
            written.extend(io.ops());
            stored.extend(store_io.ops());
        }
        check(&written, Path::new("a/b/file"), &[None, Some(ONE), Some(TWO)], &[TWO]);
        check(&stored, &Path::new("objects").join(place(ONE)), &[None, Some(ONE)], &[ONE]);
        if done {
            assert!(n > 9, "fewer operations than there must be");
            break;
        }
    }
}

#[test]
fn two_writers_at_once_leave_one_of_their_texts_in_any_order_of_their_operations() {
    let record = |bytes: &[u8]| {
        let dir = tempdir().unwrap();
        let io = RecordingIo::new(dir.path());
        write_atomic(&io, &dir.path().join("folder/file"), bytes).unwrap();
        io.ops()
    };
    let (one, two) = (record(ONE), record(TWO));
    for key in 0..200 {
        let (mut left, mut right) = (one.iter().peekable(), two.iter().peekable());
        let mut ops = Vec::new();
        for number in 0.. {
            let first = right.peek().is_none() || (left.peek().is_some() && keyed(key, number).is_multiple_of(2));
            match if first { left.next() } else { right.next() } {
                Some(op) => ops.push(op.clone()),
                None => break,
            }
        }
        assert_eq!(ops.len(), one.len() + two.len());
        check(&ops, Path::new("folder/file"), &[None, Some(ONE), Some(TWO)], &[ONE, TWO]);
    }
}

#[test]
fn a_record_is_never_there_without_the_object_that_it_names() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    let store = ObjectStore::open(Arc::new(io.clone()), dir.path().join("objects"));
    let (record, object) = (Path::new("cache/record"), Path::new("objects").join(place(ONE)));
    store.put(ONE).unwrap();
    write_atomic(&io, &dir.path().join(record), TWO).unwrap();
    let mut platter = Platter::default();
    for op in io.ops() {
        platter.replay(&op);
        for names in platter.disks() {
            let named = platter.contents(&names, record) != BTreeSet::from([None]);
            let whole = platter.contents(&names, &object) == BTreeSet::from([Some(ONE.to_vec())]);
            assert!(whole || !named, "after {op:?}: {names:?}");
        }
    }
}

/// Returns what may be found at `path` after `ops`.
fn after(ops: &[Op], path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let mut platter = Platter::default();
    ops.iter().for_each(|op| platter.replay(op));
    platter.possible(Path::new(path))
}

#[test]
fn the_model_of_a_power_cut_sees_a_missing_sync() {
    let (temporary, path) = (PathBuf::from("f/t"), PathBuf::from("f/file"));
    let whole = [
        Op::Folder("f".into()),
        Op::SyncDir("".into()),
        Op::Create(temporary.clone()),
        Op::Write(temporary.clone(), b"bytes".to_vec()),
        Op::Sync(temporary.clone()),
        Op::Rename(temporary, path),
        Op::SyncDir("f".into()),
    ];
    assert_eq!(after(&whole, "f/file"), BTreeSet::from([Some(b"bytes".to_vec())]));
    let without = |number: usize| {
        let mut ops = whole.to_vec();
        ops.remove(number);
        after(&ops, "f/file")
    };
    let unsynced = without(4);
    assert!([b"".as_slice(), b"byt", &[0; 5]].iter().all(|bytes| unsynced.contains(&Some(bytes.to_vec()))));
    assert!(without(1).contains(&None) && without(6).contains(&None));
}

#[test]
fn the_model_of_a_power_cut_knows_every_subset() {
    let names = |ops: &[Op], paths: [&str; 2]| -> BTreeSet<[bool; 2]> {
        let mut platter = Platter::default();
        ops.iter().for_each(|op| platter.replay(op));
        platter.disks().iter().map(|names| paths.map(|path| names.contains_key(Path::new(path)))).collect()
    };
    let all = BTreeSet::from([[false, false], [false, true], [true, false], [true, true]]);
    // Two renames of which either landed alone.
    let mut ops = vec![
        Op::Create("s".into()),
        Op::Create("t".into()),
        Op::SyncDir("".into()),
        Op::Rename("s".into(), "a".into()),
        Op::Rename("t".into(), "b".into()),
    ];
    assert_eq!(names(&ops, ["a", "b"]), all);
    // Too many for every subset: the sample still has each.
    ops.extend((0..40).map(|number| Op::Folder(format!("folder{number}").into())));
    assert_eq!(names(&ops, ["a", "b"]), all);
    assert_eq!(names(&ops, ["a", "folder39"]), all);
    // A rename in one folder that landed before another folder was made.
    let ops = [Op::Folder("f".into()), Op::SyncDir("".into()), Op::Create("f/t".into()), Op::Folder("g".into())];
    assert_eq!(names(&ops, ["f/t", "g"]), all);
    let forced: Vec<Op> = ops.into_iter().chain([Op::SyncDir("f".into())]).collect();
    assert_eq!(names(&forced, ["f/t", "g"]), BTreeSet::from([[true, false], [true, true]]));
}
