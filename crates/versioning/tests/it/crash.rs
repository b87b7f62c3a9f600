//! The process dies, the disk is full or the power is cut at any change of the disk: the store stays whole, and the
//! same
//! command once more ends as if nothing had happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_faults::{Platter, Process, RecordingIo, Then, arguments, text};
use trainyard_versioning::{
    Failure, Md5, Repository, Runtime, Settings, State, Tree, add, checkout, gc, pull, push, status,
};

use crate::place::{Place, paths};

/// A remote in the project's own folder, which a fault reaches, too.
const REMOTE: &str = "[core]\n    no_scm = True\n    remote = store\n['remote \"store\"']\n    url = ../store\n";

type Files = BTreeMap<String, Vec<u8>>;

/// What is done to a project, and how many files its folder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Add(usize),
    Checkout(usize),
    Collect,
    /// To a remote that holds the first objects already.
    Push(usize),
    Pull(usize),
}

impl Deed {
    const ALL: [Self; 9] = [
        Self::Add(3),
        Self::Add(20),
        Self::Checkout(3),
        Self::Checkout(20),
        Self::Collect,
        Self::Push(3),
        Self::Push(20),
        Self::Pull(3),
        Self::Pull(20),
    ];

    /// Makes the project as it is before.
    fn before(self) -> Place {
        let place = Place::new();
        let files = match self {
            Self::Add(files) | Self::Checkout(files) | Self::Push(files) | Self::Pull(files) => files,
            Self::Collect => 3,
        };
        let write = |version: &str| {
            (0..files).for_each(|file| place.write(&format!("d/{}/{file}", file % 2), format!("{version}{file}")))
        };
        write("old");
        add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
        if let Self::Push(_) | Self::Pull(_) = self {
            place.write(".dvc/config", REMOTE);
            self.sent_or_lost(&place);
            return place;
        }
        write("new");
        match self {
            Self::Add(_) | Self::Push(_) | Self::Pull(_) => {}
            Self::Checkout(_) => {
                let old = place.read("d.dvc");
                place.write("d/0/more", "more");
                add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
                place.write("d.dvc", old);
                fs::remove_file(place.path("d/1/1")).unwrap();
            }
            Self::Collect => {
                add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
            }
        }
        place
    }

    /// Sends one file ahead; or sends all, and loses it here.
    fn sent_or_lost(self, place: &Place) {
        if let Self::Pull(_) = self {
            push(&place.repository(), &Runtime::default(), &[], None, &|_| true).unwrap();
            fs::remove_dir_all(place.path(".dvc/cache")).unwrap();
            fs::remove_dir_all(place.path("d")).unwrap();
        } else {
            place.write("ahead", "old0");
            add(&place.repository(), &paths(&["ahead"]), &|_| true).unwrap();
            push(&place.repository(), &Runtime::default(), &paths(&["ahead"]), None, &|_| true).unwrap();
        }
    }

    fn on(self, root: &Path, io: RecordingIo) -> Result<(), Failure> {
        let repository = Repository::open(Arc::new(io), root, &Settings::default())?;
        match self {
            Self::Add(_) => add(&repository, &paths(&["d"]), &|_| true).map(drop),
            Self::Checkout(_) => checkout(&repository, &[], false, &|_| true).map(drop),
            Self::Collect => gc(&repository, false, false).map(drop),
            Self::Push(_) => push(&repository, &Runtime::default(), &[], None, &|_| true).map(drop),
            Self::Pull(_) => pull(&repository, &Runtime::default(), &[], None, false, &|_| true).map(drop),
        }
    }

    /// Counts the changes of the disk, and gives the files that are there at the end.
    fn whole(self) -> (usize, Files) {
        let place = self.before();
        let io = RecordingIo::new(&place.root());
        self.on(&place.root(), io.clone()).unwrap();
        (io.ops().len(), place.files())
    }
}

/// Wants every object to be what its name says.
fn is_whole(place: &Place, when: &str) {
    for (path, bytes) in place.files() {
        let object = [".dvc/cache/files/md5/", "store/files/md5/"].iter().find_map(|folder| path.strip_prefix(folder));
        if let Some(name) = object {
            let name = name.replace('/', "");
            assert_eq!(Md5::of(&bytes).to_string(), name.trim_end_matches(".dir"), "{when}: {path}");
        }
    }
}

/// Wants a remote to have every file of a list that it has.
fn lists_are_complete(place: &Place, when: &str) {
    let files = place.files();
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("store/files") && path.ends_with(".dir")) {
        let tree = Tree::read(bytes.as_slice()).unwrap();
        for (name, md5) in tree.iter() {
            let digits = md5.to_string();
            let object = format!("store/files/md5/{}/{}", &digits[..2], &digits[2..]);
            assert!(files.contains_key(&object), "{when}: {path} names {name}, which is not there");
        }
    }
}

/// Wants the deed to end, once more, as it does without a fault; what a dead process left is gone then.
fn recovers(deed: Deed, expected: &Files, place: &Place, is_dead: bool, when: &str) {
    is_whole(place, when);
    // Whatever came of it, what is described is in the cache, or at the remote.
    let found = status(&place.repository(), &[]).unwrap();
    assert!(found.iter().all(|one| one.missing == 0) || matches!(deed, Deed::Pull(_)), "{when}");
    lists_are_complete(place, when);
    deed.on(&place.root(), RecordingIo::new(&place.root())).unwrap_or_else(|failure| panic!("{when}: {failure:?}"));
    is_whole(place, when);
    let mut found = place.files();
    // What a living process leaves is its own.
    found.retain(|path, _| is_dead || !path.contains(".trainyard-"));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{when}");
    assert_eq!(&found, expected, "{when}");
    assert!(status(&place.repository(), &[]).unwrap().iter().all(|one| one.is_clean()), "{when}");
}

#[test]
fn a_death_at_any_change_leaves_a_whole_store() {
    if let Some(told) = arguments() {
        let [root, deed, at] = told.as_slice() else { panic!("{told:?}") };
        let io = RecordingIo::failing(Path::new(root), at.parse().unwrap(), Then::Dies);
        Deed::ALL[deed.parse::<usize>().unwrap()].on(Path::new(root), io).unwrap();
        return;
    }
    for (number, deed) in Deed::ALL.into_iter().enumerate() {
        let (changes, expected) = deed.whole();
        let step = if std::env::var_os("TRAINYARD_LONG").is_some() { 1 } else { changes / 12 + 1 };
        for at in (0..changes).step_by(step) {
            let place = deed.before();
            let name = "crash::a_death_at_any_change_leaves_a_whole_store";
            Process::start(name, &[text(&place.root()), &number.to_string(), &at.to_string()]).ends();
            recovers(deed, &expected, &place, true, &format!("{deed:?}, change {at}"));
        }
    }
}

#[test]
fn a_disk_that_fails_or_is_full_is_named_and_the_store_is_whole() {
    for deed in Deed::ALL {
        let (changes, expected) = deed.whole();
        for then in [Then::Full, Then::Stops(ErrorKind::PermissionDenied), Then::Fails(ErrorKind::Other)] {
            for at in (0..changes).step_by(changes / 6 + 1) {
                let place = deed.before();
                let io = RecordingIo::failing(&place.root(), at, then);
                if let Err(failure) = deed.on(&place.root(), io) {
                    let code = failure.errors[0].diagnostic().code;
                    let expected = ["files/disk-full", "files/permission-denied", "files/io", "versioned/no-link"];
                    assert!(expected.contains(&code.as_str()), "{deed:?} {then:?} {at}: {code}");
                }
                recovers(deed, &expected, &place, false, &format!("{deed:?}, {then:?} at {at}"));
            }
        }
    }
}

#[test]
fn no_power_cut_shows_an_object_in_part_or_a_version_without_its_objects() {
    for files in [3, 20] {
        let deed = Deed::Add(files);
        let place = deed.before();
        let mut platter = Platter::holding(&place.root());
        let objects_before = objects(&place.root());
        let io = RecordingIo::new(&place.root());
        deed.on(&place.root(), io.clone()).unwrap();
        let new: Vec<PathBuf> = objects(&place.root()).difference(&objects_before).cloned().collect();
        assert_eq!(new.len(), files + 1);
        let file = Path::new("d.dvc");
        let text_after = fs::read(place.path("d.dvc")).unwrap();
        let list = place.repository().cache().path(&status(&place.repository(), &[]).unwrap()[0].output.id.unwrap());
        let list = list.strip_prefix(place.root()).unwrap().to_path_buf();
        for (number, op) in io.ops().iter().enumerate() {
            platter.replay(op);
            for names in platter.disks() {
                let whole = |path: &PathBuf| {
                    let bytes = fs::read(place.root().join(path)).unwrap();
                    platter.contents(&names, path) == BTreeSet::from([Some(bytes)])
                };
                for object in &new {
                    let absent = platter.contents(&names, object) == BTreeSet::from([None]);
                    assert!(absent || whole(object), "after operation {number}, {op:?}: {object:?}");
                }
                let described = platter.contents(&names, file).contains(&Some(text_after.clone()));
                let listed = names.contains_key(&list);
                assert!(!described || whole(&list), "after operation {number}, {op:?}");
                assert!(!(listed || described) || new.iter().all(whole), "after operation {number}, {op:?}");
            }
        }
    }
}

fn objects(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for folder in fs::read_dir(root.join(".dvc/cache/files/md5")).unwrap() {
        for object in fs::read_dir(folder.unwrap().path()).unwrap() {
            found.insert(object.unwrap().path().strip_prefix(root).unwrap().to_path_buf());
        }
    }
    found
}

/// While one batch of files is forced to the disk, the next is made: a failure in either leaves a whole store.
#[test]
fn a_failure_between_batches_leaves_a_whole_store() {
    const FILES: usize = 8192 + 40;
    let filled = || {
        let place = Place::new();
        (0..FILES).for_each(|file| place.write(&format!("d/{}/{file}", file % 7), file.to_string()));
        place
    };
    let on = |place: &Place, io: RecordingIo| add(&place.repository_on(Arc::new(io)), &paths(&["d"]), &|_| true);
    // A file is created, protected and written; then the first batch is named while the second is made.
    for at in [3 * FILES - 60, 3 * FILES + 4000] {
        let place = filled();
        let io = RecordingIo::failing(&place.root(), at, Then::Fails(ErrorKind::Other));
        assert!(on(&place, io.clone()).is_err() && io.reached(), "at {at}");
        is_whole(&place, &format!("at {at}"));
        assert!(!place.path("d.dvc").exists(), "at {at}");
        assert!(on(&place, RecordingIo::new(&place.root())).is_ok(), "after {at}");
    }
    let place = filled();
    // Somebody stops it.
    let stopped = add(&place.repository(), &paths(&["d"]), &|progress| progress.objects < FILES - 20);
    assert!(stopped.is_err() && !place.path("d.dvc").exists());
    let added = on(&place, RecordingIo::new(&place.root())).unwrap();
    assert_eq!((added[0].count, added[0].left_out.len()), (Some(FILES as u64), 0));
    is_whole(&place, "at the end");
    fs::remove_dir_all(place.path("d")).unwrap();
    let stopped = checkout(&place.repository(), &[], false, &|progress| progress.objects < 5000);
    assert!(stopped.is_err());
    checkout(&place.repository(), &[], false, &|_| true).unwrap();
    assert!(status(&place.repository(), &[]).unwrap().iter().all(|status| status.state == State::Unchanged));
    assert_eq!(place.read(&format!("d/{}/{}", (FILES - 1) % 7, FILES - 1)), (FILES - 1).to_string());
    assert!(place.files().keys().all(|path| !path.contains(".tmp")), "nothing half-written is left");
}
