//! A file is there whole, or not at all, whatever fails and wherever the process stops.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use tempfile::tempdir;
use trainyard_files::{Cause, DiskIo, Error, Operation, create_folder, sweep_temporaries, write_atomic};

use crate::disk::{Op, RecordingIo, Then};

const OLD: &[u8] = b"the old bytes";
const NEW: &[u8] = b"the new bytes, which take more than one write";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn writes_then_syncs_then_renames_then_syncs_the_folder() {
    let dir = tempdir().unwrap();
    let io = RecordingIo::new(dir.path());
    write_atomic(&io, &dir.path().join("a/b/file"), b"bytes").unwrap();
    let ops = io.ops();
    let [Op::Folder(a), Op::SyncDir(root), Op::Folder(b), Op::SyncDir(above), rest @ ..] = ops.as_slice() else {
        panic!("{ops:?}")
    };
    assert_eq!((a.to_str(), root.to_str(), b.to_str(), above.to_str()), (Some("a"), Some(""), Some("a/b"), Some("a")));
    let [Op::Create(created), Op::Write(written, bytes), Op::Sync(synced), Op::Rename(from, to), Op::SyncDir(folder)] =
        rest
    else {
        panic!("{rest:?}")
    };
    assert!(created == written && written == synced && synced == from, "{rest:?}");
    assert_eq!((bytes.as_slice(), to.to_str(), folder.to_str()), (&b"bytes"[..], Some("a/b/file"), Some("a/b")));
    assert_eq!(created.parent(), to.parent());
}

#[test]
fn a_failure_anywhere_leaves_the_old_file_and_nothing_else() {
    let kinds = [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    let causes = [Cause::DiskFull, Cause::PermissionDenied, Cause::ReadOnly];
    for (kind, expected) in kinds.into_iter().zip(causes) {
        for n in 0.. {
            let dir = tempdir().unwrap();
            let path = dir.path().join("file");
            fs::write(&path, OLD).unwrap();
            let io = RecordingIo::failing(dir.path(), n, Then::Fails(kind));
            let outcome = write_atomic(&io, &path, NEW);
            let renamed = io.ops().iter().any(|op| matches!(op, Op::Rename(..)));
            assert_eq!(fs::read(&path).unwrap(), if renamed { NEW } else { OLD }, "operation {n}");
            assert_eq!(names(dir.path()), ["file"], "operation {n}");
            match outcome {
                Ok(()) => {
                    assert!(n > 5, "fewer operations than there must be");
                    break;
                }
                Err(Error::Io { cause, path, .. }) => {
                    assert_eq!(cause, expected);
                    assert!(path.starts_with(dir.path()));
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_process_that_stops_anywhere_leaves_the_old_file_or_the_new() {
    for n in 0.. {
        let dir = tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, OLD).unwrap();
        let done = write_atomic(&RecordingIo::failing(dir.path(), n, Then::Stops), &path, NEW).is_ok();
        let found = fs::read(&path).unwrap();
        assert!(found == OLD || found == NEW, "operation {n}: {found:?}");
        // The next process writes over what is left.
        write_atomic(&DiskIo, &path, NEW).unwrap();
        assert_eq!(fs::read(&path).unwrap(), NEW);
        if done {
            break;
        }
    }
}

#[test]
fn leftovers_of_dead_processes_are_swept_and_others_stay() {
    let dir = tempdir().unwrap();
    // Learn the form of a name from a write that stops before the rename.
    let stopped = RecordingIo::failing(dir.path(), 3, Then::Stops);
    write_atomic(&stopped, &dir.path().join("file"), b"x").unwrap_err();
    let mine = names(dir.path());
    let [mine] = mine.as_slice() else { panic!("{mine:?}") };
    let (pid, other_host) = (std::process::id().to_string(), mine.replacen(".trainyard-", ".trainyard-0", 1));
    // A pid above the kernel's largest belongs to nobody.
    let dead = mine.replacen(&format!("-{pid}-"), "-4194305-", 1);
    assert_ne!(&dead, mine);
    for name in
        [&dead, &other_host.replacen(&pid, "4194305", 1), &".trainyard-notes.tmp".to_owned(), &"data.tmp".to_owned()]
    {
        fs::write(dir.path().join(name), b"x").unwrap();
    }
    assert_eq!(sweep_temporaries(&DiskIo, dir.path()).unwrap(), 1);
    assert!(!dir.path().join(&dead).exists());
    assert_eq!(names(dir.path()).len(), 4);
    assert_eq!(sweep_temporaries(&DiskIo, &dir.path().join("absent")).unwrap(), 0);
}

#[test]
fn a_file_where_a_folder_must_be_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    let error = write_atomic(&DiskIo, &file.join("below/it"), b"x").unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Create, cause: Cause::WrongKind, .. }), "{error:?}");
    assert!(error.to_string().contains(file.to_str().unwrap()));
    let error = write_atomic(&DiskIo, dir.path(), b"x").unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Rename, .. }), "{error:?}");
    create_folder(&DiskIo, dir.path()).unwrap();
}

#[test]
fn many_writers_of_one_file_leave_one_of_their_texts() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..20 {
                    write_atomic(&DiskIo, path, &[writer; 5000]).unwrap();
                    let found = fs::read(path).unwrap();
                    assert!(found.len() == 5000 && found.iter().all(|byte| *byte == found[0]));
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["file"]);
}
