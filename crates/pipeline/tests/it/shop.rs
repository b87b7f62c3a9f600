//! A small real project.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use trainyard_engines::Engines;
use trainyard_files::DiskIo;
use trainyard_pipeline::{Init, Request, init};
use trainyard_spec::Choice;
use trainyard_versioning::Settings;

/// Makes the project `shop` in a folder of its own.
pub(crate) fn project() -> TempDir {
    let mut table = String::from("id,size,bought\n");
    for row in 0..600 {
        let size = row * 37 % 101;
        let bought = if size + row * 13 % 29 > 60 { "yes" } else { "no" };
        table.push_str(&format!("{row},{size},{bought}\n"));
    }
    project_of(&table)
}

/// Makes the project `shop` of a table with the key `id` and the target `bought`.
pub(crate) fn project_of(table: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("table.csv");
    fs::write(&from, table).unwrap();
    let made = init(&Init {
        folder: folder.path().join("shop"),
        from,
        target: "bought".to_owned(),
        key: Some("id".to_owned()),
        positive: Some("yes".to_owned()),
        name: Some("shop".to_owned()),
        missing: Vec::new(),
        task: None,
        drop_missing_target: false,
    });
    made.unwrap();
    folder
}

/// Asks for the project in `root` as it is, on one thread.
pub(crate) fn request(root: &Path) -> Request {
    Request {
        root: root.to_owned(),
        environment: None,
        overrides: Vec::new(),
        choose: Choice::default(),
        as_of: None,
        threads: 1,
        io: Arc::new(DiskIo),
        engines: Arc::new(Engines::none()),
        runtime: Arc::default(),
        data_settings: Settings::default(),
    }
}

/// Copies a folder with all in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
