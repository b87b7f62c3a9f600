//! A folder with data that is hard to name, and what DVC and this crate do there.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use trainyard_files::{DiskIo, Io};
use trainyard_judges::Judge;
use trainyard_versioning::{Repository, Settings};

/// The outputs of [`Place::fill`].
pub(crate) const OUTPUTS: &[&str] = &[
    "data/raw",
    "data/empty folder",
    "data/a b.csv",
    "data/it's: \"so\" #1.csv",
    "data/[x]!*?.csv",
    "data/12345",
    "data/1e5",
    "data/true",
    "data/2020-01-01",
    "data/.hidden",
    "data/ü𝄞 文.csv",
    "data/- dash",
    "data/run.sh",
    "data/link.csv",
    "data/empty",
    "data/a long name that goes on, until the line of its file is longer than DVC's writer likes a line to be.csv",
    "top.bin",
];

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn in_git() -> Self {
        let place = Self::new();
        place.git(&["init", "-q", "-b", "main"]);
        place
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A link from the cache is not written through.
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(arguments);
        let output = command.current_dir(self.root()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub(crate) fn repository(&self) -> Repository {
        self.repository_on(Arc::new(DiskIo))
    }

    pub(crate) fn repository_on(&self, io: Arc<dyn Io>) -> Repository {
        Repository::open_or_new(io, &self.root(), &Settings::default()).unwrap()
    }

    /// Runs DVC here, with settings of its own, and gives what it prints.
    pub(crate) fn dvc(&self, judge: &Judge, arguments: &[&str]) -> String {
        let (told, said) = self.dvc_says(judge, arguments);
        assert!(told, "dvc {arguments:?}: {said}");
        said
    }

    /// Runs DVC here; says whether it went well, and what it printed.
    pub(crate) fn dvc_says(&self, judge: &Judge, arguments: &[&str]) -> (bool, String) {
        let elsewhere = tempfile::tempdir().unwrap();
        let mut command = Command::new(judge.interpreter());
        command.args(["-m", "dvc"]).args(arguments).current_dir(self.root());
        for variable in ["DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"] {
            command.env(variable, elsewhere.path().join(variable));
        }
        let output = command.env("DVC_NO_ANALYTICS", "1").env("NO_COLOR", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    }

    /// Makes data with every kind of name and file that DVC keeps.
    pub(crate) fn fill(&self) {
        for (number, name) in [
            "sub-1/x",
            "sub/x",
            "sub.x",
            "sub0",
            ".hidden/.x",
            "a \"quoted\" name",
            "back\\slash",
            "new\nline",
            "ü/文/𝄞.csv",
            "\u{7f}del",
            "deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/end",
            "empty",
        ]
        .iter()
        .enumerate()
        {
            self.write(
                &format!("data/raw/{name}"),
                if *name == "empty" { String::new() } else { format!("{number}\r\n") },
            );
        }
        fs::create_dir_all(self.path("data/raw/nothing/in it")).unwrap();
        fs::create_dir_all(self.path("data/empty folder")).unwrap();
        for (number, output) in OUTPUTS.iter().enumerate().skip(2).filter(|(_, output)| !output.ends_with("link.csv")) {
            self.write(output, if *output == "data/empty" { String::new() } else { format!("output {number}\n") });
        }
        for executable in ["data/run.sh", "data/raw/sub/x"] {
            fs::set_permissions(self.path(executable), Permissions::from_mode(0o755)).unwrap();
        }
        self.write("elsewhere/target.csv", "a target");
        symlink("../elsewhere/target.csv", self.path("data/link.csv")).unwrap();
        symlink("../../elsewhere/target.csv", self.path("data/raw/link.csv")).unwrap();
        symlink("../../elsewhere", self.path("data/raw/folder link")).unwrap();
    }

    /// Returns every file but those that are nobody's business, with its bytes; links are followed.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.root(), &self.root(), &mut files);
        files
    }

    /// Returns the objects of the cache, each with its permissions.
    pub(crate) fn objects(&self) -> BTreeMap<String, u32> {
        let objects = self.files().into_keys().filter(|path| path.starts_with(".dvc/cache/files/md5/"));
        let mode = |path: &String| fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o777;
        objects.map(|path| (path.clone(), mode(&path))).collect()
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let below = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        if [".git", ".dvc/tmp", ".trainyard", "data/raw/folder link"].contains(&below.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            // A link that leads nowhere has no bytes.
            files.insert(below, fs::read(&path).unwrap_or_default());
        }
    }
}

/// Returns names as the library takes them.
pub(crate) fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}
