//! Damage is found, told of, set aside and mended.

use std::fs;
use std::path::PathBuf;

use trainyard_versioning::{Checked, Damage, Md5, Runtime, add, fsck, push, status};

use crate::place::{Place, paths};

fn object(place: &Place, bytes: &[u8]) -> PathBuf {
    let digits = Md5::of(bytes).to_string();
    place.path(".dvc/cache/files/md5").join(&digits[..2]).join(&digits[2..])
}

fn damage(place: &Place, bytes: &[u8], to: &[u8]) {
    fs::remove_file(object(place, bytes)).unwrap();
    fs::write(object(place, bytes), to).unwrap();
}

fn checked(place: &Place, repair: bool) -> Checked {
    fsck(&place.repository(), &Runtime::default(), repair, None, &|_| true).unwrap()
}

#[test]
fn every_damaged_or_missing_object_is_found_and_mended() {
    let place = Place::in_git();
    let store = tempfile::tempdir().unwrap();
    (0..30).for_each(|file| place.write(&format!("d/{file}"), format!("old {file}")));
    place.write("one.csv", "one");
    add(&place.repository(), &paths(&["d", "one.csv"]), &|_| true).unwrap();
    place.commit("old");
    (0..5).for_each(|file| place.write(&format!("d/{file}"), format!("new {file}")));
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    place.commit("new");
    let url = store.path().display();
    place.write(".dvc/config", format!("[core]\n    remote = loc\n['remote \"loc\"']\n    url = {url}\n"));
    push(&place.repository(), &Runtime::default(), &[], None, &|_| true).unwrap();
    let sound = checked(&place, false);
    assert!(sound.is_sound() && sound.findings.is_empty());
    assert_eq!(sound.objects, 30 + 5 + 1 + 2);

    damage(&place, b"new 1", b"nEw 1");
    damage(&place, b"one", b"on");
    fs::remove_file(object(&place, b"old 7")).unwrap();
    // Only the first commit has this one, and the remote was never sent it.
    damage(&place, b"old 2", b"");
    let found = checked(&place, false);
    assert!(!found.is_sound());
    let mut told: Vec<(String, bool, bool)> = found
        .findings
        .iter()
        .flat_map(|one| {
            let is_missing = one.damage == Damage::Missing;
            one.uses.iter().map(move |used| (used.path.clone(), is_missing, used.is_current))
        })
        .collect();
    told.sort();
    let expected = [("d/1", false, true), ("d/2", false, false), ("d/7", true, true), ("one.csv", false, true)];
    let expected: Vec<_> = expected.map(|(path, missing, current)| (path.to_owned(), missing, current)).to_vec();
    told.dedup();
    assert_eq!(told, expected);
    assert!(found.findings.iter().all(|one| one.uses.iter().all(|used| used.file.ends_with(".dvc"))));
    // What is damaged is set aside, with its bytes, and nobody takes it for the object.
    let asides = found.findings.iter().filter_map(|one| match &one.damage {
        Damage::Damaged(aside) => Some(fs::read(aside).unwrap()),
        Damage::Missing => None,
    });
    let mut asides: Vec<Vec<u8>> = asides.collect();
    asides.sort();
    assert_eq!(asides, [b"".to_vec(), b"nEw 1".to_vec(), b"on".to_vec()]);
    assert!(!object(&place, b"new 1").exists());

    let mended = checked(&place, true);
    let left: Vec<&str> = mended
        .findings
        .iter()
        .filter(|one| !one.is_repaired)
        .flat_map(|one| one.uses.iter().map(|used| used.path.as_str()))
        .collect();
    assert_eq!((left, mended.findings.len()), (vec!["d/2"], 4));
    assert_eq!(fs::read(object(&place, b"new 1")).unwrap(), b"new 1");
    assert!(status(&place.repository(), &[]).unwrap().iter().all(|one| one.missing == 0));
}

#[test]
fn a_damaged_list_is_mended_with_what_it_names() {
    let place = Place::in_git();
    let store = tempfile::tempdir().unwrap();
    (0..3).for_each(|file| place.write(&format!("d/{file}"), format!("{file}")));
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    let url = store.path().display();
    place.write(".dvc/config", format!("[core]\n    remote = loc\n['remote \"loc\"']\n    url = {url}\n"));
    push(&place.repository(), &Runtime::default(), &[], None, &|_| true).unwrap();
    let list = status(&place.repository(), &[]).unwrap()[0].output.id.unwrap();
    let list = place.repository().cache().path(&list);
    fs::remove_file(&list).unwrap();
    fs::write(&list, "[]").unwrap();
    fs::remove_file(object(&place, b"2")).unwrap();
    let found = checked(&place, true);
    assert!(found.is_sound());
    let paths: Vec<&str> = found.findings.iter().map(|one| one.uses[0].path.as_str()).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths.contains(&"d") && paths.contains(&"d/2"));
    assert_eq!(found.objects, 4);
    assert!(checked(&place, false).findings.is_empty());
}
