//! The process dies at any change that it makes to the disk: what is told next is true, and the resumed run ends with the
//! same bytes. With `TRAINYARD_LONG=1` at every change, otherwise at a sample of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, abort};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use trainyard_files::{DiskIo, Io, Metadata, ReadSeek, WriteSync};
use trainyard_pipeline::{Cancel, Failure, Request, RunResult, Silent, resume, run, run_states, tracking};
use trainyard_tracking::Tracking;

use crate::shop;

/// The disk, until a number of changes has been made to it; then the process dies, in the middle of a write.
#[derive(Debug, Clone)]
struct DyingIo {
    changes: Arc<AtomicUsize>,
    dies_at: usize,
}

impl DyingIo {
    fn new(dies_at: usize) -> DyingIo {
        DyingIo { changes: Arc::default(), dies_at }
    }

    fn is_last(&self) -> bool {
        self.changes.fetch_add(1, Ordering::SeqCst) + 1 == self.dies_at
    }

    fn change<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.is_last() {
            abort();
        }
        change()
    }
}

struct DyingFile {
    file: Box<dyn WriteSync>,
    io: DyingIo,
}

impl Write for DyingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.io.is_last() {
            let _ = self.file.write_all(&bytes[..bytes.len() / 2]);
            abort();
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteSync for DyingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.io.clone().change(|| self.file.sync())
    }
}

impl Io for DyingIo {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        DiskIo.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        DiskIo.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        let file = self.change(|| DiskIo.create(path))?;
        Ok(Box::new(DyingFile { file, io: self.clone() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        let file = self.change(|| DiskIo.append(path))?;
        Ok(Box::new(DyingFile { file, io: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| DiskIo.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|| DiskIo.remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(|| DiskIo.remove_dir_all(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(|| DiskIo.create_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|| DiskIo.sync_dir(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        DiskIo.list(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        DiskIo.metadata(path)
    }

    fn set_readonly(&self, path: &Path) -> io::Result<()> {
        self.change(|| DiskIo.set_readonly(path))
    }

    fn exists(&self, path: &Path) -> bool {
        DiskIo.exists(path)
    }
}

const ROOT: &str = "TRAINYARD_CRASH_ROOT";
const AT: &str = "TRAINYARD_CRASH_AT";

fn request(root: &Path, io: Arc<dyn Io>) -> Request {
    Request { io, threads: 1, ..shop::request(root) }
}

fn runs(root: &Path, io: Arc<dyn Io>) -> RunResult {
    match run(&request(root, io), Arc::new(Silent), &Cancel::default()) {
        Ok(result) => result,
        Err(failure) => panic!("{failure:?}"),
    }
}

fn resumes(root: &Path) -> Result<RunResult, Failure> {
    resume(&request(root, Arc::new(DiskIo)), None, Arc::new(Silent), &Cancel::default())
}

/// The process that dies, when it is started as such; nothing otherwise.
#[test]
fn child() {
    if let (Some(root), Ok(at)) = (std::env::var_os(ROOT), std::env::var(AT)) {
        runs(Path::new(&root), Arc::new(DyingIo::new(at.parse().unwrap())));
    }
}

/// Every file of the project that is not Trainyard's own, by its path.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in DiskIo.list(&folder).unwrap() {
            if !path.is_dir() {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            } else if path.file_name().unwrap() != ".trainyard" {
                folders.push(path);
            }
        }
    }
    found
}

fn without_run_names(files: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, String> {
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().filter(|line| !line.trim_start().starts_with("run:")).collect::<Vec<_>>().join("\n")
    };
    files.into_iter().map(|(path, bytes)| (path, text(bytes))).collect()
}

#[test]
fn a_death_at_any_change_of_the_disk_loses_nothing() {
    let template = shop::project();
    let fresh = || {
        let folder = TempDir::new().unwrap();
        shop::copy(&template.path().join("shop"), folder.path());
        folder
    };
    let whole = fresh();
    let counting = DyingIo::new(usize::MAX);
    let expected = runs(whole.path(), Arc::new(counting.clone()));
    let expected_files = without_run_names(files(whole.path()));
    let changes = counting.changes.load(Ordering::SeqCst);
    assert!(changes > 300, "{changes}");
    let step = if std::env::var_os("TRAINYARD_LONG").is_some() { 1 } else { 41 };
    for at in (1..=changes).step_by(step) {
        let project = fresh();
        let root = project.path();
        let died = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture"])
            .env(ROOT, root)
            .env(AT, at.to_string())
            .output()
            .unwrap();
        // Clean-up after the end may have fewer changes.
        let ended = died.status.success();
        let states = run_states(root).unwrap();
        assert!(states.len() <= 1);
        if let Some(state) = states.first() {
            assert!(["crashed", "ended"].contains(&state.state.as_str()), "change {at}: {}", state.state);
        }
        let open = states.first().is_some_and(|state| state.state == "crashed");
        let result = if open { resumes(root).unwrap() } else { runs(root, Arc::new(DiskIo)) };
        assert_eq!(result.candidate["digest"], expected.candidate["digest"], "change {at}");
        assert_eq!(without_run_names(files(root)), expected_files, "change {at} (ended: {ended})");
        let store = tracking(root).unwrap();
        store.check().unwrap();
        assert_eq!(store.versions("shop-model").unwrap().len(), 1, "change {at}");
        let states = run_states(root).unwrap();
        assert!(states.iter().all(|state| state.state == "ended"), "change {at}: {states:?}");
    }
}
