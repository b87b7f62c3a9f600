//! The power is cut after any operation: what was forced to the disk is there, anything else may or may not be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::tempdir;
use trainyard_files::{Digest, ObjectStore, write_atomic};

use crate::disk::{Op, RecordingIo};

/// A file's bytes, as far as they were written and as far as they were forced to the disk.
#[derive(Clone, Debug, Default)]
struct Node {
    written: Vec<u8>,
    forced: Vec<u8>,
}

/// Replays operations on a model of a disk with a cache: names and bytes reach the platter separately.
#[derive(Debug, Default)]
struct Platter {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as they are on the platter.
    forced: BTreeMap<PathBuf, usize>,
}

impl Platter {
    fn node(&mut self, path: &Path) -> &mut Node {
        let node = self.names[path];
        &mut self.nodes[node]
    }

    fn replay(&mut self, op: &Op) {
        match op {
            // A folder is a name like any other: what lies in it is lost with it.
            Op::Create(path) | Op::Folder(path) => {
                self.nodes.push(Node::default());
                self.names.insert(path.clone(), self.nodes.len() - 1);
            }
            Op::Write(path, bytes) => self.node(path).written.extend(bytes),
            Op::Sync(path) => {
                let node = self.node(path);
                node.forced = node.written.clone();
            }
            Op::Rename(from, to) => {
                let node = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), node);
            }
            Op::Remove(path) => {
                self.names.remove(path);
            }
            Op::SyncDir(folder) => {
                let inside = |path: &PathBuf| path.parent() == Some(folder);
                self.forced.retain(|path, _| !inside(path));
                self.forced.extend(
                    self.names.iter().filter(|(path, _)| inside(path)).map(|(path, node)| (path.clone(), *node)),
                );
            }
            Op::Readonly(_) => {}
        }
    }

    /// Returns every content that a path may have after the power is cut now: none, or bytes.
    fn possible(&self, path: &Path) -> Vec<Option<Vec<u8>>> {
        let mut outcomes = Vec::new();
        for names in [&self.names, &self.forced] {
            let reached = path.ancestors().skip(1).all(|above| above == Path::new("") || names.contains_key(above));
            match names.get(path) {
                None => outcomes.push(None),
                Some(_) if !reached => outcomes.push(None),
                Some(node) => {
                    let node = &self.nodes[*node];
                    outcomes.push(Some(node.forced.clone()));
                    outcomes.push(Some(node.written.clone()));
                }
            }
        }
        outcomes
    }
}

/// Checks every content that `path` may have after each prefix of `ops`, and after all of them.
fn check(ops: &[Op], path: &Path, legal: &[Option<&[u8]>], last: &[u8]) {
    let mut platter = Platter::default();
    let mut published = false;
    for (number, op) in ops.iter().enumerate() {
        platter.replay(op);
        published |= matches!(op, Op::Rename(_, to) if to == path);
        for outcome in platter.possible(path) {
            assert!(legal.contains(&outcome.as_deref()), "after operation {number} {op:?}: {outcome:?}");
        }
    }
    assert!(published);
    assert!(
        platter.possible(path).iter().all(|outcome| outcome.as_deref() == Some(last)),
        "it was not on the disk at the end"
    );
}

#[test]
fn an_atomic_write_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    let (one, two) = (b"the first text of the file".as_slice(), b"the second".as_slice());
    write_atomic(&io, &dir.path().join("folder/file"), one).unwrap();
    write_atomic(&io, &dir.path().join("folder/file"), two).unwrap();
    check(&io.ops(), Path::new("folder/file"), &[None, Some(one), Some(two)], two);
}

#[test]
fn an_object_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    let store = ObjectStore::open(Arc::new(io.clone()), dir.path().to_path_buf());
    let bytes = b"an object of more than one write".as_slice();
    store.put(bytes).unwrap();
    let path = store.path(&Digest::of(bytes)).strip_prefix(dir.path()).unwrap().to_path_buf();
    check(&io.ops(), &path, &[None, Some(bytes)], bytes);
}

#[test]
fn the_model_of_a_power_cut_sees_a_missing_sync() {
    let (temporary, path) = (PathBuf::from("f/t"), PathBuf::from("f/file"));
    let unsynced = [
        Op::Folder("f".into()),
        Op::SyncDir("".into()),
        Op::Create(temporary.clone()),
        Op::Write(temporary.clone(), b"bytes".to_vec()),
        Op::Rename(temporary, path.clone()),
        Op::SyncDir("f".into()),
    ];
    let mut platter = Platter::default();
    unsynced.iter().for_each(|op| platter.replay(op));
    assert!(platter.possible(&path).contains(&Some(Vec::new())));
}
