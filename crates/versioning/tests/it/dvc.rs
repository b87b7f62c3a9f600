//! DVC itself reads what is written here, and writes the same.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use trainyard_judges::python;
use trainyard_versioning::{Changes, Repository, State, add, checkout, diff, gc, status};

use crate::place::{OUTPUTS, Place, paths};

/// What both leave in a project, data and all.
fn same(ours: &Place, theirs: &Place) {
    let (ours, theirs) = (ours.files(), theirs.files());
    for (ones, others) in [(&ours, &theirs), (&theirs, &ours)] {
        let only: Vec<_> = ones.iter().filter(|(path, _)| !others.contains_key(*path)).collect();
        assert!(only.is_empty(), "only one of both has {only:?}");
    }
    for (path, bytes) in &ours {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(bytes), text(&theirs[path]), "{path}");
    }
}

fn is_clean(repository: &Repository) -> bool {
    let found = status(repository, &[]).unwrap();
    assert!(!found.is_empty());
    found.iter().all(|one| one.is_clean())
}

#[test]
fn every_file_is_the_one_that_dvc_writes() {
    let Some(judge) = python("versioned") else { return };
    for git in [true, false] {
        let place = || if git { Place::in_git() } else { Place::new() };
        let (ours, theirs) = (place(), place());
        ours.fill();
        theirs.fill();
        // The last line has no end, and one of the paths is ignored already.
        for place in [&ours, &theirs] {
            place.write(".gitignore", "/elsewhere\n/top.bin");
            place.write("data/.gitignore", "*.tmp\n/12345\n# note");
        }
        add(&ours.repository(), &paths(OUTPUTS), &|_| true).unwrap();
        theirs.dvc(&judge, if git { &["init", "-q"] } else { &["init", "-q", "--no-scm"] });
        theirs.dvc(&judge, &[&["add", "-q"], OUTPUTS].concat());
        same(&ours, &theirs);
        assert_eq!(ours.objects(), theirs.objects());
        assert!(ours.objects().values().all(|mode| *mode == 0o444));

        // Each reads what the other wrote, and puts it back.
        assert!(ours.dvc(&judge, &["status"]).contains("up to date"));
        assert!(!ours.dvc(&judge, &["data", "status", "--json"]).contains("uncommitted"));
        assert!(is_clean(&theirs.repository()) && is_clean(&ours.repository()));
        for place in [&ours, &theirs] {
            OUTPUTS.iter().for_each(|output| {
                let path = place.path(output);
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            });
        }
        checkout(&theirs.repository(), &[], false, &|_| true).unwrap();
        ours.dvc(&judge, &["checkout", "-q"]);
        same(&ours, &theirs);
        let mode = |place: &Place, path: &str| fs::metadata(place.path(path)).unwrap().permissions().mode() & 0o777;
        for path in ["data/run.sh", "data/raw/sub/x", "data/raw/link.csv", "top.bin"] {
            assert_eq!(mode(&ours, path), mode(&theirs, path), "{path}");
        }
        assert!(theirs.dvc(&judge, &["status"]).contains("up to date"));
        assert!(is_clean(&theirs.repository()) && is_clean(&ours.repository()));
    }
}

#[test]
fn a_new_version_keeps_what_people_wrote_beside_it() {
    let Some(judge) = python("versioned") else { return };
    let (ours, theirs) = (Place::in_git(), Place::in_git());
    let both = |change: &dyn Fn(&Place)| [&ours, &theirs].into_iter().for_each(change);
    both(&|place| {
        place.write("f.csv", "1");
        place.write("d/x", "1");
        place.write("d/y", "1");
    });
    let targets = ["f.csv", "d"];
    let add_both = || {
        add(&ours.repository(), &paths(&targets), &|_| true).unwrap();
        theirs.dvc(&judge, &[&["add", "-q"], targets.as_slice()].concat());
        same(&ours, &theirs);
    };
    theirs.dvc(&judge, &["init", "-q"]);
    add_both();
    both(&|place| {
        let text = place.read("f.csv.dvc").replace("  path: f.csv\n", "  path: f.csv\n  desc: ours  # mine\n");
        place.write("f.csv.dvc", format!("# note\n{text}meta:\n  owner: 'Ada: L.'\n"));
        place.write("f.csv", "22");
        fs::set_permissions(place.path("f.csv"), Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(place.path("d/y")).unwrap();
        place.write("d/z/z", "3");
    });
    let found = status(&ours.repository(), &[]).unwrap();
    let changes = Changes { added: paths(&["z/z"]), modified: vec![], deleted: paths(&["y"]) };
    assert_eq!(found.iter().map(|one| one.state).collect::<Vec<_>>(), [State::Modified; 2]);
    assert_eq!(found[0].changes, changes);
    add_both();
    assert!(ours.read("f.csv.dvc").contains("isexec: true"));
    both(&|place| fs::set_permissions(place.path("f.csv"), Permissions::from_mode(0o644)).unwrap());
    add_both();
    // A folder takes the place of the file, and a file that of the folder.
    both(&|place| {
        fs::remove_file(place.path("f.csv")).unwrap();
        place.write("f.csv/part", "1");
        fs::remove_dir_all(place.path("d")).unwrap();
        place.write("d", "1");
    });
    add_both();
    assert!(ours.dvc(&judge, &["status"]).contains("up to date"));
}

#[test]
fn what_dvcignore_leaves_out_is_in_no_version() {
    let Some(judge) = python("versioned") else { return };
    let (ours, theirs) = (Place::in_git(), Place::in_git());
    for place in [&ours, &theirs] {
        place.dvc(&judge, &["init", "-q"]);
        place.write(".dvcignore", "*.tmp\n!keep.tmp\n/data/raw/cache/\n**/skip\nb*/x?.csv\n# note\n[ab].log\n");
        place.write("data/.dvcignore", "/raw/only\n");
        for file in [
            "a.tmp",
            "keep.tmp",
            "cache/x",
            "sub/cache/x",
            "sub/skip",
            "skip/y",
            "b1/x1.csv",
            "a.log",
            "c.log",
            "only",
            "sub/only",
            ".git/config",
            "nested/.dvc/config",
            "nested/x",
            ".hg/y",
            "sub/.dvc",
            "z.csv",
        ] {
            place.write(&format!("data/raw/{file}"), file);
        }
    }
    add(&ours.repository(), &paths(&["data/raw"]), &|_| true).unwrap();
    theirs.dvc(&judge, &["add", "-q", "data/raw"]);
    same(&ours, &theirs);
    assert!(is_clean(&theirs.repository()));
}

#[test]
fn links_are_made_as_the_settings_say() {
    let Some(judge) = python("versioned") else { return };
    for kind in ["hardlink", "symlink", "hardlink,symlink", "copy"] {
        let place = Place::in_git();
        place.dvc(&judge, &["init", "-q"]);
        place.dvc(&judge, &["config", "cache.type", kind]);
        place.dvc(&judge, &["config", "cache.dir", "shared cache"]);
        place.write("d/a", "1");
        place.write("d/b/c", "2");
        place.write("run.sh", "3");
        fs::set_permissions(place.path("run.sh"), Permissions::from_mode(0o755)).unwrap();
        let files = ["d/a", "d/b/c", "run.sh"];
        let bytes = || files.map(|file| place.read(file));
        let check = || {
            assert_eq!(bytes(), ["1", "2", "3"], "{kind}");
            let metadata = fs::symlink_metadata(place.path("d/a")).unwrap();
            let is_link = std::os::unix::fs::MetadataExt::nlink(&metadata) > 1;
            assert_eq!((metadata.is_symlink(), is_link), (kind == "symlink", kind.starts_with("hardlink")), "{kind}");
            assert!(is_clean(&place.repository()), "{kind}");
            assert!(place.dvc(&judge, &["status"]).contains("up to date"), "{kind}");
        };
        add(&place.repository(), &paths(&["d", "run.sh"]), &|_| true).unwrap();
        assert!(place.path("shared cache/files/md5").is_dir());
        check();
        fs::remove_dir_all(place.path("d")).unwrap();
        fs::remove_file(place.path("run.sh")).unwrap();
        checkout(&place.repository(), &[], false, &|_| true).unwrap();
        check();
        assert_ne!(fs::metadata(place.path("run.sh")).unwrap().permissions().mode() & 0o100, 0);
    }
}

#[test]
fn commits_are_compared_and_what_they_name_is_kept() {
    let Some(judge) = python("versioned") else { return };
    let place = Place::in_git();
    place.write("data/d/same", "s");
    place.write("data/d/moved", "m");
    place.write("data/d/changed", "1");
    place.write("data/d/gone", "g");
    place.write("f.csv", "1");
    add(&place.repository(), &paths(&["data/d", "f.csv"]), &|_| true).unwrap();
    place.commit("one");
    fs::rename(place.path("data/d/moved"), place.path("data/d/there")).unwrap();
    fs::remove_file(place.path("data/d/gone")).unwrap();
    place.write("data/d/changed", "2");
    place.write("data/d/new", "n");
    add(&place.repository(), &paths(&["data/d"]), &|_| true).unwrap();
    place.commit("two");
    let expected = |found: &trainyard_versioning::Difference| {
        assert_eq!(found.added, ["data/d/new"]);
        assert_eq!(
            (found.modified.clone(), found.deleted.clone()),
            (paths(&["data/d/changed"]), paths(&["data/d/gone"]))
        );
        assert_eq!(found.renamed, [("data/d/moved".to_owned(), "data/d/there".to_owned())]);
    };
    expected(&diff(&place.repository(), "HEAD~1", Some("HEAD")).unwrap());
    expected(&diff(&place.repository(), "HEAD~1", None).unwrap());
    let theirs: serde_json::Value =
        serde_json::from_str(&place.dvc(&judge, &["diff", "--json", "HEAD~1", "HEAD"])).unwrap();
    let paths_of = |kind: &str| {
        let all = theirs[kind].as_array().unwrap().iter().map(|one| one["path"].clone());
        all.filter_map(|path| path.as_str().map(str::to_owned)).filter(|path| !path.ends_with('/')).collect::<Vec<_>>()
    };
    assert_eq!(paths_of("added"), ["data/d/new"]);
    assert_eq!(paths_of("deleted"), ["data/d/gone"]);

    // Only what was never committed goes.
    place.write("data/d/lost", "never committed");
    add(&place.repository(), &paths(&["data/d"]), &|_| true).unwrap();
    place.git(&["checkout", "-q", "data/d.dvc"]);
    checkout(&place.repository(), &[], false, &|_| true).unwrap();
    let before = place.objects();
    let planned = gc(&place.repository(), true, false).unwrap();
    assert_eq!((planned.removed.len(), place.objects()), (2, before));
    let done = gc(&place.repository(), false, false).unwrap();
    assert_eq!(done, planned);
    assert_eq!(place.objects().len(), done.kept);
    place.dvc(&judge, &["gc", "-f", "--all-commits", "-q"]);
    assert_eq!(place.objects().len(), done.kept);
    place.git(&["checkout", "-q", "HEAD~1"]);
    let done = checkout(&place.repository(), &[], false, &|_| true).unwrap();
    let folder = done.iter().find(|one| one.path == "data/d").unwrap();
    assert_eq!((folder.added, folder.modified, folder.deleted), (2, 1, 2));
    assert_eq!(place.read("data/d/changed"), "1");
    assert!(place.dvc(&judge, &["status"]).contains("up to date"));
}

#[test]
fn stages_of_a_pipeline_are_looked_at_and_kept() {
    let Some(judge) = python("versioned") else { return };
    let place = Place::in_git();
    place.dvc(&judge, &["init", "-q"]);
    place.dvc(&judge, &["stage", "add", "-q", "-n", "make", "-o", "made", "mkdir made && echo 1 > made/x"]);
    place.dvc(&judge, &["repro", "-q"]);
    let found = status(&place.repository(), &[]).unwrap();
    assert_eq!((found[0].output.path.as_str(), found[0].is_clean()), ("made", true));
    assert_eq!(gc(&place.repository(), true, false).unwrap().removed, []);
    fs::remove_dir_all(place.path("made")).unwrap();
    checkout(&place.repository(), &[], false, &|_| true).unwrap();
    assert!(place.dvc(&judge, &["status"]).contains("up to date"));
    let refused = add(&place.repository(), &paths(&["made"]), &|_| true).unwrap_err();
    assert_eq!(refused.errors[0].diagnostic().code, "versioned/not-ours");
}
