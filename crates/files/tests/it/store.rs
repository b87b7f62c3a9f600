//! Objects are whole, read-only and verified.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::{TempDir, tempdir};
use trainyard_files::{Digest, DiskIo, Error, ObjectStore};

use crate::disk::{RecordingIo, Then};

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
    for then in [Then::Stops, Then::Fails(ErrorKind::StorageFull), Then::Fails(ErrorKind::PermissionDenied)] {
        for n in 0.. {
            let dir = tempdir().unwrap();
            let root = dir.path().join("objects");
            let failing = RecordingIo::failing(dir.path(), n, then);
            let done = ObjectStore::open(Arc::new(failing), root.clone()).put(bytes).is_ok();
            let store = ObjectStore::open(Arc::new(DiskIo), root);
            if store.contains(&digest) {
                assert_eq!(store.get(&digest).unwrap(), bytes, "{then:?} at {n}");
            }
            if then != Then::Stops {
                assert_eq!(files(&store).len(), usize::from(store.contains(&digest)), "{then:?} at {n}");
            }
            assert_eq!(store.put(bytes).unwrap(), digest);
            assert_eq!(store.get(&digest).unwrap(), bytes);
            if done {
                assert!(n > 8, "fewer operations than there must be");
                break;
            }
        }
    }
}
