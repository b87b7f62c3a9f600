//! Errors say what, where, and one thing to do.

use std::io;
use std::path::Path;

use trainyard_files::{Cause, Digest, DiskIo, Error, Holder, Operation, read};

fn shown(error: &Error) -> String {
    let diagnostic = error.diagnostic();
    let mut text = format!("{}: {}\n", diagnostic.code, diagnostic.title);
    diagnostic.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
    diagnostic.help.iter().for_each(|help| text.push_str(&format!("help: {help}\n")));
    text
}

#[test]
fn operating_system_errors_are_sorted() {
    let cases = [
        (2, Cause::NotFound, "files/not-found"),
        (13, Cause::PermissionDenied, "files/permission-denied"),
        (28, Cause::DiskFull, "files/disk-full"),
        (122, Cause::DiskFull, "files/disk-full"),
        (30, Cause::ReadOnly, "files/read-only"),
        (21, Cause::WrongKind, "files/wrong-kind"),
        (20, Cause::WrongKind, "files/wrong-kind"),
        (5, Cause::Other, "files/io"),
    ];
    for (number, expected, code) in cases {
        let error = Error::io(Operation::Write, Path::new("data/x"), io::Error::from_raw_os_error(number));
        assert!(matches!(error, Error::Io { cause, .. } if cause == expected), "{error:?}");
        let diagnostic = error.diagnostic();
        assert_eq!(diagnostic.code, code);
        assert!(diagnostic.title.starts_with("cannot write data/x: "), "{}", diagnostic.title);
        assert_eq!(diagnostic.help.len(), 1);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent.yaml");
    let error = read(&DiskIo, &path).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}: there is nothing there", path.display()));
    assert!(matches!(read(&DiskIo, dir.path()), Err(Error::Io { cause: Cause::WrongKind, .. })));
    std::fs::write(&path, b"text").unwrap();
    assert_eq!(read(&DiskIo, &path).unwrap(), b"text");
}

#[test]
fn messages() {
    let full = Error::io(Operation::Sync, Path::new("data/x"), io::ErrorKind::StorageFull.into());
    assert_eq!(
        shown(&full),
        "files/disk-full: cannot sync data/x: the disk is full\n\
         note: while trying to sync it: no storage space\n\
         help: free some space and repeat the command\n"
    );
    let holder = |pid| Holder {
        pid,
        host: "forge".to_owned(),
        command: "trainyard run".to_owned(),
        run: "7f3a".to_owned(),
        since_unix: 0,
    };
    assert_eq!(
        shown(&Error::Held(holder(412))),
        "files/project-locked: another run is working on this project\n\
         note: held by process 412 on forge, run 7f3a: trainyard run\n\
         help: wait until it ends, or stop it, and repeat the command\n"
    );
    assert!(shown(&Error::Held(holder(0))).contains("has not said who it is"));
    let digest = Digest::of(b"");
    let damaged = shown(&Error::Damaged { digest, path: "objects/af/13".into() });
    assert!(damaged.starts_with("files/damaged-object: the stored object af1349b9f5f9 is damaged\n"), "{damaged}");
    assert!(damaged.contains("objects/af/13"), "{damaged}");
    let absent = shown(&Error::Absent { digest, path: "objects/af/13".into() });
    assert!(absent.starts_with("files/absent-object: "), "{absent}");
}
