//! A file is there whole, or not at all, whatever fails and wherever the process stops.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::tempdir;
use trainyard_faults::{Op, Then};
use trainyard_files::{Cause, DiskIo, Error, Operation, create_folder, sweep_temporaries, write_atomic};

use crate::{STOPS, failing, recording};

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
    let io = recording(dir.path());
    write_atomic(&io, &dir.path().join("a/b/file"), b"bytes").unwrap();
    let ops = io.ops();
    let [Op::SyncDir(outside), Op::Folder(a), Op::SyncDir(root), Op::Folder(b), Op::SyncDir(above), rest @ ..] =
        ops.as_slice()
    else {
        panic!("{ops:?}")
    };
    // The folder that was there may have been made by somebody who died before it was on the disk.
    assert_eq!(Some(outside.as_path()), dir.path().parent());
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
            let io = failing(dir.path(), n, Then::Fails(kind));
            let outcome = write_atomic(&io, &path, NEW);
            let renamed = io.ops().iter().any(|op| matches!(op, Op::Rename(..)));
            assert_eq!(fs::read(&path).unwrap(), if renamed { NEW } else { OLD }, "operation {n}");
            assert_eq!(names(dir.path()), ["file"], "operation {n}");
            match outcome {
                Ok(()) if io.reached() => {
                    // What lies above the folder need not be ours to force to the disk.
                    assert!(n == 0 && expected != Cause::DiskFull, "operation {n} failed unnoticed");
                }
                Ok(()) => {
                    assert!(n > 6, "fewer operations than there must be");
                    break;
                }
                Err(Error::Io { cause, path, .. }) => {
                    assert_eq!(cause, expected);
                    assert!(path.starts_with(dir.path().parent().unwrap()));
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
        let done = write_atomic(&failing(dir.path(), n, STOPS), &path, NEW).is_ok();
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
fn leftovers_of_dead_writers_are_swept_and_others_stay() {
    let dir = tempdir().unwrap();
    // Learn the form of a name from a write that stops before the rename.
    let stopped = failing(dir.path(), 4, STOPS);
    write_atomic(&stopped, &dir.path().join("file"), b"x").unwrap_err();
    let mine = names(dir.path());
    let [mine] = mine.as_slice() else { panic!("{mine:?}") };
    let pid = std::process::id();
    // A pid above the kernel's largest belongs to nobody.
    let dead = mine.replacen(&format!("-{pid}-"), "-4194305-", 1);
    assert_ne!(&dead, mine);
    let mark = &mine[".trainyard-".len()..][..8];
    let elsewhere = |name: &str| name.replacen(mark, if mark == "00000000" { "11111111" } else { "00000000" }, 1);
    let strange = [".trainyard-notes.tmp", "data.tmp", ".trainyard-00000000-x-1.tmp", ".trainyard-0-4194305-1.tmp"];
    let (old, future) =
        (SystemTime::now() - Duration::from_secs(25 * 3600), SystemTime::now() + Duration::from_secs(1));
    let place = |name: &str, modified: SystemTime| {
        File::create(dir.path().join(name)).unwrap().set_modified(modified).unwrap();
    };
    let recent = SystemTime::now() - Duration::from_secs(23 * 3600);
    // Of this place the process decides, whatever the age.
    place(mine, old);
    place(&dead, future);
    // Of another host, container or boot only the age is known: its pid may live there.
    let (gone, unknown) = (elsewhere(mine), elsewhere(&dead));
    place(&gone, old);
    place(&unknown, recent);
    place(&unknown.replacen("-4194305-", "-4194306-", 1), future);
    strange.iter().for_each(|name| place(name, old));
    assert_eq!(sweep_temporaries(&DiskIo, dir.path()).unwrap(), 2);
    assert!(!dir.path().join(&dead).exists() && !dir.path().join(&gone).exists());
    assert_eq!(names(dir.path()).len(), 3 + strange.len());
    assert_eq!(sweep_temporaries(&DiskIo, &dir.path().join("absent")).unwrap(), 0);
}

#[test]
fn a_link_stays_and_the_file_behind_it_is_written_in_its_own_folder() {
    let dir = tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&there).unwrap();
    symlink("../there/second", here.join("file")).unwrap();
    symlink(there.join("target"), there.join("second")).unwrap();
    // The first write finds nothing behind the links, the second finds the old bytes.
    for bytes in [OLD, NEW] {
        let io = recording(dir.path());
        write_atomic(&io, &here.join("file"), bytes).unwrap();
        assert_eq!(fs::read(there.join("target")).unwrap(), bytes);
        let ops = io.ops();
        let [.., Op::Rename(from, _), Op::SyncDir(synced)] = ops.as_slice() else { panic!("{ops:?}") };
        assert_eq!(from.parent().unwrap().canonicalize().ok(), synced.canonicalize().ok());
        assert!(from.parent() == Some(synced) && synced.ends_with("there"), "{ops:?}");
    }
    assert_eq!(fs::read_link(here.join("file")).unwrap(), Path::new("../there/second"));
    assert_eq!(fs::read_link(there.join("second")).unwrap(), there.join("target"));
    assert_eq!((names(&here).len(), names(&there).len()), (1, 2));
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_and_stays() {
    let dir = tempdir().unwrap();
    let (circle, absent) = (dir.path().join("circle"), dir.path().join("absent"));
    symlink("circle", &circle).unwrap();
    symlink("no/such/folder", &absent).unwrap();
    let error = write_atomic(&DiskIo, &circle, NEW).unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Write, cause: Cause::Other, .. }), "{error:?}");
    let error = write_atomic(&DiskIo, &absent, NEW).unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Create, cause: Cause::NotFound, .. }), "{error:?}");
    assert_eq!(names(dir.path()), ["absent", "circle"]);
}

#[test]
fn a_file_keeps_its_permission_bits_before_its_first_byte() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    symlink("file", dir.path().join("link")).unwrap();
    for mode in [0o600, 0o640, 0o755, 0o444] {
        for name in ["file", "link"] {
            let _ = fs::remove_file(&path);
            fs::write(&path, OLD).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let io = recording(dir.path());
            write_atomic(&io, &dir.path().join(name), NEW).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            assert_eq!(fs::read(&path).unwrap(), NEW);
            let ops = io.ops();
            let place = |wanted: fn(&Op) -> bool| ops.iter().position(wanted);
            let (changed, first) = (place(|op| matches!(op, Op::Mode(..))), place(|op| matches!(op, Op::Write(..))));
            assert!(changed.is_some() && changed < first, "{ops:?}");
        }
    }
}

#[test]
fn a_pipe_is_not_replaced() {
    let dir = tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = write_atomic(&DiskIo, &pipe, NEW).unwrap_err();
    assert!(error.to_string().contains("a device or a pipe"), "{error}");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(names(dir.path()), ["pipe"]);
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
