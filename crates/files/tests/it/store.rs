//! Objects are whole, read-only and verified.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::{TempDir, tempdir};
use trainyard_faults::{Looked, Op, Then};
use trainyard_files::{Digest, DiskIo, Error, ObjectStore};

use crate::{STOPS, failing, recording};

fn store() -> (TempDir, ObjectStore) {
    let dir = tempdir().unwrap();
    let store = ObjectStore::open(Arc::new(DiskIo), dir.path().join("objects"));
    (dir, store)
}

/// Overwrites a read-only object behind the store's back.
fn damage(store: &ObjectStore, digest: &Digest, bytes: &[u8]) {
    let path = store.path(digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
}

fn files(store: &ObjectStore) -> Vec<PathBuf> {
    let folders = fs::read_dir(store.root()).into_iter().flatten().map(|folder| folder.unwrap().path());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path())).collect()
}

#[test]
fn what_is_put_is_got_and_may_not_be_written() {
    let (_dir, store) = store();
    for bytes in [&b""[..], b"some bytes", &[7; 300_000]] {
        let digest = store.put(bytes).unwrap();
        assert_eq!(digest, Digest::of(bytes));
        assert_eq!(store.put(bytes).unwrap(), digest);
        assert_eq!(store.get(&digest).unwrap(), bytes);
        assert!(store.contains(&digest) && store.verify(&digest).unwrap());
        assert_eq!(fs::metadata(store.path(&digest)).unwrap().permissions().mode() & 0o777, 0o444);
    }
    let digest = Digest::of(b"some bytes");
    let text = digest.to_string();
    assert_eq!(store.path(&digest), store.root().join(&text[..2]).join(&text[2..]));
    assert_eq!(files(&store).len(), 3);
}

#[test]
fn an_absent_object_is_named_and_a_discarded_one_is_absent() {
    let (_dir, store) = store();
    let digest = Digest::of(b"never put");
    assert!(matches!(store.get(&digest), Err(Error::Absent { digest: named, .. }) if named == digest));
    assert!(!store.contains(&digest) && !store.verify(&digest).unwrap());
    store.discard(&digest).unwrap();
    store.put(b"never put").unwrap();
    store.discard(&digest).unwrap();
    assert!(!store.contains(&digest));
}

#[test]
fn damage_is_seen_and_repaired_by_the_right_bytes() {
    let (_dir, store) = store();
    let bytes = b"some bytes of an object";
    let digest = store.put(bytes).unwrap();
    for wrong in [&b""[..], b"some bytes of an", b"some bytes of an objecT", b"some bytes of an object and more"] {
        damage(&store, &digest, wrong);
        assert!(matches!(store.get(&digest), Err(Error::Damaged { digest: named, .. }) if named == digest));
        assert!(!store.verify(&digest).unwrap());
        assert_eq!(store.put(bytes).unwrap(), digest);
        assert_eq!(store.get(&digest).unwrap(), bytes);
    }
    fs::remove_file(store.path(&digest)).unwrap();
    symlink("/nowhere/at/all", store.path(&digest)).unwrap();
    store.put(bytes).unwrap();
    assert_eq!(store.get(&digest).unwrap(), bytes);
}

#[test]
fn many_writers_and_readers_at_once() {
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..25_u64 {
                    let bytes = (number + thread % 2).to_le_bytes().repeat(500);
                    let digest = store.put(&bytes).unwrap();
                    assert_eq!(store.get(&digest).unwrap(), bytes);
                }
            });
        }
    });
    assert_eq!(files(&store).len(), 26);
}

#[test]
fn an_object_is_never_half_visible_whatever_fails() {
    let bytes = b"an object of several writes, each of seven bytes";
    let digest = Digest::of(bytes);
    for then in [STOPS, Then::Fails(ErrorKind::StorageFull), Then::Fails(ErrorKind::PermissionDenied)] {
        for n in 0.. {
            let dir = tempdir().unwrap();
            let root = dir.path().join("objects");
            let disk = failing(dir.path(), n, then);
            let done = ObjectStore::open(Arc::new(disk.clone()), root.clone()).put(bytes).is_ok();
            let store = ObjectStore::open(Arc::new(DiskIo), root);
            if store.contains(&digest) {
                assert_eq!(store.get(&digest).unwrap(), bytes, "{then:?} at {n}");
            }
            if then != STOPS {
                assert_eq!(files(&store).len(), usize::from(store.contains(&digest)), "{then:?} at {n}");
            }
            assert_eq!(store.put(bytes).unwrap(), digest);
            assert_eq!(store.get(&digest).unwrap(), bytes);
            // What lies above the root need not be ours to force to the disk.
            let overlooked = n == 0 && then == Then::Fails(ErrorKind::PermissionDenied);
            assert_eq!(done, !disk.reached() || overlooked, "{then:?} at {n}");
            if !disk.reached() {
                assert!(n > 9, "fewer operations than there must be");
                break;
            }
        }
    }
}

#[test]
fn the_names_of_folders_are_forced_once_and_again_where_one_was_made_anew() {
    let dir = tempdir().unwrap();
    let root = dir.path().join("objects");
    let io = recording(dir.path());
    let store = ObjectStore::open(Arc::new(io.clone()), root.clone());
    let forced = || io.ops().iter().filter(|op| **op == Op::SyncDir("objects".into())).count();
    let bytes = b"some bytes";
    let digest = store.put(bytes).unwrap();
    assert_eq!(forced(), 1);
    store.put(bytes).unwrap();
    store.clone().put(bytes).unwrap();
    assert_eq!(forced(), 1);
    fs::remove_dir_all(&root).unwrap();
    store.put(bytes).unwrap();
    assert_eq!(forced(), 2);
    // Another process has not seen it done.
    ObjectStore::open(Arc::new(io.clone()), root).put(bytes).unwrap();
    assert_eq!(forced(), 3);
    assert_eq!(store.get(&digest).unwrap(), bytes);
}

#[test]
fn a_sweep_lists_folders_looks_at_no_object_and_beside_writers_takes_nothing_of_theirs() {
    let dir = tempdir().unwrap();
    let io = recording(dir.path());
    let root = dir.path().join("objects");
    let store = ObjectStore::open(Arc::new(io.clone()), root.clone());
    let writers = ObjectStore::open(Arc::new(DiskIo), root);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let writers = &writers;
            scope.spawn(move || {
                for number in 0..100_u64 {
                    writers.put(&(number * 4 + thread).to_le_bytes().repeat(5000)).unwrap();
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(store.sweep().unwrap(), 0);
        }
    });
    let (before, folders) = (io.looked(), fs::read_dir(store.root()).unwrap().count());
    assert_eq!(store.sweep().unwrap(), 0);
    let after = io.looked();
    let looked = Looked { bytes: 0, lists: folders + 1, metadata: folders };
    let seen = Looked {
        bytes: after.bytes - before.bytes,
        lists: after.lists - before.lists,
        metadata: after.metadata - before.metadata,
    };
    assert_eq!(seen, looked);
    assert!(io.ops().is_empty());
    assert_eq!(files(&writers).len(), 400);
}
