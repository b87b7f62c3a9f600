//! What is refused, in one pass, and that nothing is written then.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_files::{DiskIo, Io, Kind, Metadata, ReadSeek, WriteSync};
use trainyard_versioning::{Errors, ObjectId, add, checkout, diff, gc, status};

use crate::place::{Place, paths};

fn codes(errors: &Errors) -> Vec<String> {
    errors.iter().map(|error| error.diagnostic().code).collect()
}

/// Adds paths that must be refused, and gives the codes.
fn refused(place: &Place, targets: &[&str]) -> Vec<String> {
    let before = place.files();
    let failure = add(&place.repository(), &paths(targets), &|_| true).unwrap_err();
    assert!(!failure.has_written);
    assert_eq!(place.files(), before);
    codes(&failure.errors)
}

#[test]
fn all_that_can_be_seen_is_told_at_once_and_nothing_is_written() {
    let place = Place::in_git();
    place.write("in/git.csv", "1");
    place.commit("one");
    place.write("good.csv", "1");
    place.write("old/f.csv", "1");
    add(&place.repository(), &paths(&["old"]), &|_| true).unwrap();
    place.write(".gitignore", "*.log.dvc\n");
    place.write(".dvcignore", "*.tmp\n");
    place.write("x.tmp", "1");
    place.write("y.log", "1");
    place.write("a/.dvcignore", "x");
    place.write("new\nline", "1");
    fs::write(place.path("a").join(OsStr::from_bytes(b"caf\xe9")), "1").unwrap();
    symlink("nowhere", place.path("a/broken")).unwrap();
    symlink("loop", place.path("loop")).unwrap();
    symlink("a", place.path("to folder")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(place.path("a/socket")).unwrap();
    let targets = [
        "good.csv",
        "absent",
        "in",
        "old/f.csv",
        "x.tmp",
        "y.log",
        "a",
        "new\nline",
        "loop",
        "to folder",
        "good.csv.dvc",
        "",
    ];
    let mut found = refused(&place, &targets);
    found.sort();
    let expected = [
        "broken-link",
        "broken-link",
        "ignore-inside",
        "ignored",
        "ignored",
        "in-git",
        "linked-folder",
        "name",
        "name",
        "not-data",
        "not-data",
        "not-found",
        "overlap",
        "special-file",
    ];
    let found: Vec<&str> = found.iter().filter_map(|code| code.strip_prefix("versioned/")).collect();
    assert_eq!(found, expected);
    drop(socket);
}

#[test]
fn a_name_that_is_no_text_is_shown_escaped() {
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    fs::write(place.path("d").join(OsStr::from_bytes(b"caf\xe9")), "1").unwrap();
    let failure = add(&place.repository(), &paths(&["d"]), &|_| true).unwrap_err();
    assert_eq!(failure.errors[0].to_string(), "\"d/caf\\xE9\" has a name that DVC's files can't hold");
}

#[test]
fn a_path_outside_is_refused() {
    let place = Place::new();
    let repository = place.repository();
    for path in ["/etc/passwd", "/", ".."] {
        assert_eq!(repository.below(Path::new(path)).unwrap_err().diagnostic().code, "versioned/outside");
    }
    symlink("/etc", place.path("link")).unwrap();
    let through = repository.below(&place.path("link/passwd")).unwrap_err();
    assert_eq!(through.diagnostic().code, "versioned/outside");
    assert_eq!(repository.below(&place.path("a/./b/../c")).unwrap(), "a/c");
    assert_eq!(repository.below(&place.root()).unwrap(), "");
}

#[test]
fn files_of_dvc_that_are_wrong_are_refused() {
    const DIGEST: &str = "d41d8cd98f00b204e9800998ecf8427e";
    for (text, expected) in [
        ("<<<<<<< ours\nouts:\n=======\n>>>>>>> theirs\n".to_owned(), "versioned/conflict"),
        (format!("outs:\n- md5: {DIGEST}\n  path: f\n"), "versioned/old-dvc"),
        (format!("outs:\n- md5: {DIGEST}\n  hash: md5\n  path: f\n  sise: 1\n"), "versioned/unknown-key"),
        ("outs: [\n".to_owned(), "versioned/syntax"),
    ] {
        let place = Place::new();
        place.write("f", "1");
        add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
        place.write("f.dvc", &text);
        let before = place.files();
        assert_eq!(codes(&status(&place.repository(), &[]).unwrap_err()), [expected]);
        assert_eq!(codes(&checkout(&place.repository(), &[], true, &|_| true).unwrap_err().errors), [expected]);
        if expected == "versioned/old-dvc" {
            add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
            assert!(place.read("f.dvc").ends_with("  path: f\n  size: 1\n  hash: md5\n"));
        } else {
            assert_eq!(refused(&place, &["f"]), [expected]);
            assert_eq!(codes(&gc(&place.repository(), false, false).unwrap_err().errors), [expected]);
            assert_eq!(place.files(), before);
        }
    }
}

#[test]
fn a_list_that_leads_out_of_the_folder_is_not_followed() {
    for name in ["../out", "/tmp/trainyard-out"] {
        let place = Place::new();
        place.write("d/x", "1");
        add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
        let list = format!("[{{\"md5\": \"c4ca4238a0b923820dcc509a6f75849b\", \"relpath\": \"{name}\"}}]");
        let id = ObjectId { md5: trainyard_versioning::Md5::of(list.as_bytes()), is_folder: true };
        let object = place.repository().cache().path(&id);
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::write(&object, list).unwrap();
        place.write("d.dvc", format!("outs:\n- md5: {id}\n  hash: md5\n  path: d\n"));
        let before = place.files();
        for force in [false, true] {
            let failure = checkout(&place.repository(), &[], force, &|_| true).unwrap_err();
            assert_eq!(codes(&failure.errors), ["versioned/damaged-list"]);
        }
        assert_eq!(place.files(), before);
        assert!(!Path::new("/tmp/trainyard-out").exists());
    }
}

#[test]
fn what_is_in_no_version_is_not_given_up() {
    let place = Place::new();
    for (file, text) in [("d/a", "1"), ("d/b", "2"), ("f", "3")] {
        place.write(file, text);
    }
    add(&place.repository(), &paths(&["d", "f"]), &|_| true).unwrap();
    place.write("d/a", "work");
    place.write("d/c", "more work");
    fs::remove_file(place.path("d/b")).unwrap();
    place.write("f", "other work");
    let failure = checkout(&place.repository(), &[], false, &|_| true).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/unsaved"; 2]);
    assert!(!failure.has_written && !place.path("d/b").exists());
    assert_eq!(failure.errors[0].diagnostic().notes, ["d/a", "d/c"]);
    checkout(&place.repository(), &paths(&["d"]), true, &|_| true).unwrap();
    assert_eq!((place.read("d/a"), place.read("d/b"), place.path("d/c").exists()), ("1".into(), "2".into(), false));
    // What the cache holds may go.
    place.write("f", "1");
    checkout(&place.repository(), &[], false, &|_| true).unwrap();
    assert_eq!(place.read("f"), "3");
}

#[test]
fn objects_and_paths_that_are_not_there_are_named() {
    let place = Place::in_git();
    for file in ["d/a", "d/b", "f"] {
        place.write(file, file);
    }
    add(&place.repository(), &paths(&["d", "f"]), &|_| true).unwrap();
    fs::remove_dir_all(place.path(".dvc/cache/files")).unwrap();
    let found = status(&place.repository(), &[]).unwrap();
    assert_eq!(found.iter().map(|one| one.missing).collect::<Vec<_>>(), [3, 1]);
    fs::remove_dir_all(place.path("d")).unwrap();
    let failure = checkout(&place.repository(), &[], false, &|_| true).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/missing"]);
    let failure = checkout(&place.repository(), &paths(&["e"]), false, &|_| true).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/not-versioned"]);
    // Only what still lies there can be taken in again.
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    assert_eq!(status(&place.repository(), &paths(&["f.dvc"])).unwrap()[0].missing, 0);
    assert_eq!(codes(&diff(&place.repository(), "nothing", None).unwrap_err()), ["versioned/revision"]);
    let place = Place::new();
    place.write("f", "1");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    assert_eq!(codes(&diff(&place.repository(), "HEAD", None).unwrap_err()), ["versioned/git"]);
}

#[test]
fn a_cache_that_others_may_use_is_left_alone() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    place.write(
        ".dvc/config",
        format!("[core]\n    no_scm = True\n[cache]\n    dir = {}\n", elsewhere.path().display()),
    );
    place.write("f", "1");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    place.write("f", "2");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    for dry_run in [true, false] {
        let failure = gc(&place.repository(), dry_run, false).unwrap_err();
        assert_eq!(codes(&failure.errors), ["versioned/shared-cache"]);
    }
    assert_eq!(gc(&place.repository(), false, true).unwrap().removed.len(), 1);
}

#[test]
fn while_dvc_works_nothing_is_changed() {
    let place = Place::new();
    place.write("f", "1");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    let held = place.repository().lock().unwrap();
    place.write("f", "2");
    let failure = add(&place.repository(), &paths(&["f"]), &|_| true).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/locked"]);
    assert_eq!(failure.errors[0].diagnostic().notes, [format!("process {}", std::process::id())]);
    drop(held);
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
}

#[test]
fn a_file_that_changes_while_it_is_read_is_in_no_version() {
    for size in [1 << 10, 9 << 20] {
        let place = Place::new();
        place.write("d/a", vec![1; size]);
        place.write("d/b", "still");
        let path = place.path("d/a");
        let io = Hooked {
            opened: Box::new(move |opened| {
                if opened == path {
                    // The length stays: only the time tells.
                    let file = File::options().write(true).open(&path).unwrap();
                    let later = file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
                    file.set_modified(later).unwrap();
                }
            }),
            denied: None,
        };
        let failure = add(&place.repository_on(Arc::new(io)), &paths(&["d"]), &|_| true).unwrap_err();
        assert_eq!(codes(&failure.errors), ["versioned/changed"]);
        assert_eq!(place.objects(), BTreeMap::new());
        assert!(!place.path("d.dvc").exists());
        add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    }
}

#[test]
fn what_is_written_while_a_version_is_put_back_is_not_lost() {
    let place = Place::new();
    place.write("f", "old");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    let old = place.read("f.dvc");
    place.write("f", "new");
    add(&place.repository(), &paths(&["f"]), &|_| true).unwrap();
    place.write("f.dvc", old);
    let (path, object) = (place.path("f"), place.path(".dvc/cache/files/md5"));
    // Somebody writes while the object is copied.
    let io = Hooked {
        opened: Box::new(move |opened| {
            if opened.starts_with(&object) {
                fs::write(&path, "work").unwrap();
            }
        }),
        denied: None,
    };
    let repository = place.repository_on(Arc::new(io));
    let failure = checkout(&repository, &[], false, &|_| true).unwrap_err();
    assert_eq!((codes(&failure.errors), failure.has_written), (vec!["versioned/changed".to_owned()], true));
    assert_eq!(place.read("f"), "work");
    assert!(place.files().keys().all(|path| !path.contains(".trainyard-")));
}

#[test]
fn a_folder_without_permission_is_named() {
    let place = Place::new();
    place.write("d/a", "1");
    place.write("d/closed/b", "1");
    let closed = place.path("d/closed");
    let io = Hooked { opened: Box::new(|_| ()), denied: Some(closed.clone()) };
    let failure = add(&place.repository_on(Arc::new(io)), &paths(&["d"]), &|_| true).unwrap_err();
    assert_eq!(codes(&failure.errors), ["files/permission-denied"]);
    assert!(failure.errors[0].to_string().contains(closed.to_str().unwrap()));
    assert!(!failure.has_written && !place.path(".dvc").exists());
}

#[test]
fn a_change_within_one_tick_of_the_clock_is_seen() {
    let place = Place::new();
    place.write("d/a", "1");
    place.write("d/b", "1");
    let set = |time: std::time::SystemTime| {
        let file = File::options().write(true).open(place.path("d/a")).unwrap();
        file.set_modified(time).unwrap();
        file.metadata().unwrap().modified().unwrap()
    };
    let (now, minute) = (std::time::SystemTime::now(), std::time::Duration::from_secs(60));
    // However slow the machine is, the file is not at rest when it is recorded.
    let modified = set(now + minute);
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    // The same inode, length and time; only the bytes differ.
    let again = |modified| {
        let file = File::options().write(true).open(place.path("d/a")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"2", 0).unwrap();
        file.set_modified(modified).unwrap();
        status(&place.repository(), &[]).unwrap()[0].changes.modified.clone()
    };
    assert_eq!(again(modified), ["a"]);
    // One that was at rest is taken as it was: nothing else says that it changed.
    place.write("d/a", "1");
    let modified = set(now - minute);
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    assert_eq!(again(modified), Vec::<String>::new());
}

/// Is the disk, but something happens when a file is opened, or a folder is closed to this user.
struct Hooked {
    opened: Box<dyn Fn(&Path) + Send + Sync>,
    denied: Option<PathBuf>,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

impl Io for Hooked {
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        let opened = DiskIo.open(path);
        (self.opened)(path);
        opened
    }
    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        if self.denied.as_deref() == Some(path) {
            Err(ErrorKind::PermissionDenied.into())
        } else {
            DiskIo.entries(path)
        }
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        DiskIo.read(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        DiskIo.create(path)
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        DiskIo.append(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskIo.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        DiskIo.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        DiskIo.remove_dir_all(path)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        DiskIo.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        DiskIo.sync_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        DiskIo.list(path)
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        DiskIo.metadata(path)
    }
    fn set_readonly(&self, path: &Path) -> io::Result<()> {
        DiskIo.set_readonly(path)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        DiskIo.set_mode(path, mode)
    }
    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        DiskIo.read_link(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskIo.hard_link(from, to)
    }
    fn symbolic_link(&self, target: &Path, at: &Path) -> io::Result<()> {
        DiskIo.symbolic_link(target, at)
    }
    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskIo.clone_file(from, to)
    }
    fn sync_all(&self, path: &Path) -> io::Result<()> {
        DiskIo.sync_all(path)
    }
    fn exists(&self, path: &Path) -> bool {
        DiskIo.exists(path)
    }
}
