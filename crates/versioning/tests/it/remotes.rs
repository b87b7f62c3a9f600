//! Remotes that are folders, shared with DVC, and those that are S3, looked at by the client of S3's makers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trainyard_judges::{python, s3};
use trainyard_versioning::{Errors, Failure, Md5, Moved, ObjectId, Runtime, add, fetch, pull, push, status};

use crate::place::{OUTPUTS, Place, paths};

fn pushed(place: &Place) -> Result<Vec<Moved>, Failure> {
    push(&place.repository(), &Runtime::default(), &[], None, &|_| true)
}

fn pulled(place: &Place) -> Result<Vec<Moved>, Failure> {
    pull(&place.repository(), &Runtime::default(), &[], None, false, &|_| true).map(|(moved, _)| moved)
}

fn codes(errors: &Errors) -> Vec<String> {
    errors.iter().map(|error| error.diagnostic().code).collect()
}

/// Names a remote of a project.
fn named(place: &Place, url: &str, more: &str) {
    let text = format!("[core]\n    remote = loc\n['remote \"loc\"']\n    url = {url}\n{more}");
    place.write(".dvc/config", text);
}

/// Makes another project of the same versions, without any data.
fn clone_of(place: &Place) -> Place {
    place.commit("all");
    let other = Place::new();
    other.git(&["clone", "-q", &place.root().display().to_string(), "."]);
    other
}

fn same_data(one: &Place, other: &Place) {
    let data = |place: &Place| {
        let mut files = place.files();
        files.retain(|path, _| OUTPUTS.iter().any(|output| path.starts_with(output)));
        files
    };
    let (one, other) = (data(one), data(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    assert!(one == other);
}

#[test]
fn dvc_pulls_what_is_pushed_here_and_the_other_way_round() {
    let Some(judge) = python("versioned") else { return };
    let store = tempfile::tempdir().unwrap();
    let url = store.path().join("deep/store").display().to_string();
    let ours = Place::in_git();
    ours.fill();
    add(&ours.repository(), &paths(OUTPUTS), &|_| true).unwrap();
    named(&ours, &url, "");
    let moved = pushed(&ours).unwrap();
    assert_eq!((moved[0].objects, moved[0].present), (ours.objects().len(), 0));
    // Again there is nothing to do, and DVC thinks so, too.
    let again = pushed(&ours).unwrap();
    assert_eq!((again[0].objects, again[0].present), (0, ours.objects().len()));
    assert!(ours.dvc(&judge, &["push"]).contains("Everything is up to date"));
    let theirs = clone_of(&ours);
    theirs.dvc(&judge, &["pull", "-q"]);
    same_data(&ours, &theirs);

    // What DVC pushes is pulled here; its remote is laid out as ours, to the permissions.
    let other_store = tempfile::tempdir().unwrap();
    let other_url = other_store.path().join("deep/store").display().to_string();
    named(&theirs, &other_url, "");
    theirs.dvc(&judge, &["push", "-q"]);
    let listed = |folder: &str| {
        let mut found = Vec::new();
        for prefix in fs::read_dir(Path::new(folder).join("files/md5")).unwrap() {
            for object in fs::read_dir(prefix.unwrap().path()).unwrap() {
                let path = object.unwrap().path();
                let metadata = fs::metadata(&path).unwrap();
                found.push((path.strip_prefix(folder).unwrap().to_path_buf(), metadata.len(), metadata.permissions()));
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    };
    assert_eq!(listed(&url), listed(&other_url));
    let again = clone_of(&theirs);
    named(&again, &other_url, "");
    let moved = pulled(&again).unwrap();
    assert_eq!(moved[0].objects, ours.objects().len());
    same_data(&ours, &again);
    assert!(again.dvc(&judge, &["status", "-c"]).contains("in sync"));
    assert_eq!(pulled(&again).unwrap()[0].objects, 0);
}

#[test]
fn only_what_is_missing_moves_and_wrong_bytes_are_never_stored() {
    let place = Place::in_git();
    let store = tempfile::tempdir().unwrap();
    let url = store.path().display().to_string();
    (0..40).for_each(|file| place.write(&format!("d/{file}"), format!("{file}")));
    place.write("one", "one");
    add(&place.repository(), &paths(&["d", "one"]), &|_| true).unwrap();
    named(&place, &url, "");
    let some = push(&place.repository(), &Runtime::default(), &paths(&["one"]), Some("LOC"), &|_| true).unwrap();
    assert_eq!((some[0].objects, some[0].bytes), (1, 3));
    assert_eq!(pushed(&place).unwrap()[0].objects, 41);
    // One object at the remote was cut: it is sent again.
    let digits = Md5::of(b"7").to_string();
    let object = |root: &Path| root.join("files/md5").join(&digits[..2]).join(&digits[2..]);
    let at_remote = object(store.path());
    fs::remove_file(&at_remote).unwrap();
    fs::write(&at_remote, "").unwrap();
    assert_eq!(pushed(&place).unwrap()[0].objects, 1);
    assert_eq!(fs::read(&at_remote).unwrap(), b"7");
    // One has other bytes of that length: it is named and not stored; the others stay, and the workspace is left alone.
    fs::remove_file(&at_remote).unwrap();
    fs::write(&at_remote, "x").unwrap();
    let other = clone_of(&place);
    let failure = pulled(&other).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/remote-bytes"]);
    assert!(failure.errors[0].diagnostic().notes[0].starts_with("d/7: object "), "{failure:?}");
    assert!(!object(&other.path(".dvc/cache")).exists() && !other.path("d").exists());
    // One is gone.
    fs::remove_file(&at_remote).unwrap();
    let failure = pulled(&other).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/remote-lacks"]);
    assert_eq!(pushed(&place).unwrap()[0].objects, 1);
    let moved = fetch(&other.repository(), &Runtime::default(), &[], None, &|_| true).unwrap();
    assert_eq!((moved[0].objects, moved[0].present), (1, 41));
    pulled(&other).unwrap();
    assert!(status(&other.repository(), &[]).unwrap().iter().all(|one| one.is_clean()));
    // What is damaged here is not sent, and no list that names it.
    fs::remove_file(&at_remote).unwrap();
    let list = other.repository().cache().list().unwrap().into_iter().find(|(id, _)| id.is_folder).unwrap().0;
    let list = store.path().join("files/md5").join(&list.to_string()[..2]).join(&list.to_string()[2..]);
    fs::remove_file(&list).unwrap();
    let here = object(&other.path(".dvc/cache"));
    fs::remove_file(&here).unwrap();
    fs::write(&here, "y").unwrap();
    assert_eq!(codes(&pushed(&other).unwrap_err().errors), ["versioned/damaged-object"]);
    assert!(!at_remote.exists() && !list.exists());
    fs::remove_file(&here).unwrap();
    assert_eq!(codes(&pushed(&other).unwrap_err().errors), ["versioned/objects-lost"]);
    pushed(&place).unwrap();
    assert!(at_remote.exists() && list.exists());
}

#[test]
fn somebody_may_stop_it_and_what_came_stays() {
    let place = Place::in_git();
    let store = tempfile::tempdir().unwrap();
    (0..40).for_each(|file| place.write(&format!("d/{file}"), format!("{file}")));
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    named(&place, &store.path().display().to_string(), "");
    let stop = |progress: trainyard_versioning::Progress| progress.objects < 10;
    let failure = push(&place.repository(), &Runtime::default(), &[], None, &stop).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/interrupted"]);
    let moved = pushed(&place).unwrap();
    assert!((1..=32).contains(&moved[0].objects), "{moved:?}");
    assert_eq!(moved[0].objects + moved[0].present, 41);
}

#[test]
fn s3_holds_what_is_pushed_byte_for_byte() {
    let Some(mut server) = s3() else { return };
    server.bucket("shop");
    let place = Place::in_git();
    place.write("long.bin", (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    // So many that the store lists what it has.
    (0..300).for_each(|file| place.write(&format!("d/{file}"), format!("{file}")));
    place.write("d/empty", "");
    add(&place.repository(), &paths(&["d", "long.bin"]), &|_| true).unwrap();
    let settings = format!("    endpointurl = {}\n    region = us-east-1\n", server.url());
    named(&place, "s3://shop/some/where", &settings);
    let keys = "['remote \"loc\"']\n    access_key_id = ours\n    secret_access_key = s3cr3t\n";
    place.write(".dvc/config.local", keys);
    let moved = pushed(&place).unwrap();
    assert_eq!((moved[0].objects, moved[0].present), (303, 0));
    let listed = server.list("shop");
    assert_eq!(listed.len(), 303);
    let folder = tempfile::tempdir().unwrap();
    for (key, size) in &listed {
        let name = key.strip_prefix("some/where/files/md5/").unwrap().replace('/', "");
        if *size > 1_000 || name.ends_with(".dir") || name.ends_with('7') {
            let file = folder.path().join(&name);
            server.get("shop", key, &file);
            assert_eq!(Md5::of(&fs::read(&file).unwrap()).to_string(), name.trim_end_matches(".dir"));
        }
    }
    assert_eq!(pushed(&place).unwrap()[0].present, 303);
    let other = clone_of(&place);
    other.write(".dvc/config.local", keys);
    let moved = pulled(&other).unwrap();
    assert_eq!((moved[0].objects, moved[0].present), (303, 0));
    for file in ["d/299", "d/empty", "long.bin"] {
        assert!(fs::read(place.path(file)).unwrap() == fs::read(other.path(file)).unwrap(), "{file}");
    }
    // One object is another: it is named.
    let key = listed.keys().find(|key| key.ends_with(&Md5::of(b"8").to_string()[2..])).unwrap().clone();
    let file = folder.path().join("x");
    fs::write(&file, "x").unwrap();
    server.put("shop", &key, &file);
    fs::remove_dir_all(other.path(".dvc/cache")).unwrap();
    let failure = pulled(&other).unwrap_err();
    assert_eq!(codes(&failure.errors), ["versioned/remote-bytes"]);
    // A bucket that is not there.
    named(&other, "s3://ship/some/where", &settings);
    assert_eq!(codes(&pulled(&other).unwrap_err().errors), ["versioned/remote-absent"]);
}

#[test]
fn long_files_are_versioned_sent_and_come_back() {
    let place = Place::new();
    named(&place, "../store", "");
    // Lengths about those at which files are cut, sent ahead to the disk, and ended.
    let lengths = [(4 << 20) - 1, 4 << 20, (4 << 20) + 1, (32 << 20) + 4097, (71 << 20) + 5];
    let bytes: Vec<u8> = (0..lengths[4]).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    for (file, length) in lengths.iter().enumerate() {
        place.write(&format!("d/{file}"), &bytes[..*length as usize]);
    }
    let added = add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    assert_eq!((added[0].count, added[0].size), (Some(5), lengths.iter().map(|length| u64::from(*length)).sum()));
    pushed(&place).unwrap();
    fs::remove_dir_all(place.path("d")).unwrap();
    fs::remove_dir_all(place.path(".dvc/cache")).unwrap();
    pulled(&place).unwrap();
    for (file, length) in lengths.iter().enumerate() {
        assert!(fs::read(place.path(&format!("d/{file}"))).unwrap() == bytes[..*length as usize], "{length}");
        let object = ObjectId::file(Md5::of(&bytes[..*length as usize]));
        let mode = fs::metadata(place.repository().cache().path(&object)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{length}");
    }
}
