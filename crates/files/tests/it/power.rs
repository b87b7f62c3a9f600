//! The power is cut after any operation: what was forced to the disk is there, anything else may or may not be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::tempdir;
use trainyard_faults::{Op, Platter, keyed};
use trainyard_files::{Digest, ObjectStore, write_atomic};

use crate::{STOPS, failing, recording};

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
    let store = ObjectStore::open(Arc::new(recording(Path::new(""))), PathBuf::new());
    store.path(&Digest::of(bytes))
}

#[test]
fn an_atomic_write_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = recording(dir.path());
    write_atomic(&io, &dir.path().join("folder/file"), ONE).unwrap();
    write_atomic(&io, &dir.path().join("folder/file"), TWO).unwrap();
    check(&io.ops(), Path::new("folder/file"), &[None, Some(ONE), Some(TWO)], &[TWO]);
}

#[test]
fn an_object_survives_every_power_cut() {
    let dir = tempdir().unwrap();
    let io = recording(dir.path());
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
        let io = recording(dir.path());
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
    let io = recording(dir.path());
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
            (failing(files.path(), n, STOPS), failing(objects.path(), n, STOPS), ONE),
            (recording(files.path()), recording(objects.path()), TWO),
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
        let io = recording(dir.path());
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
    let io = recording(dir.path());
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
