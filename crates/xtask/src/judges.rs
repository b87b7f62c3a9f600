//! The Python environments that judge the tests, one for each list in `judges/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, call, root, say};

/// What npm brings to stand for Azure's storage.
const AZURITE: &str = "azurite@3.37.0";

/// Gives the folder of the environments: beside what cargo builds, so that a cache keeps both.
pub(crate) fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("TRAINYARD_JUDGES") {
        return PathBuf::from(folder);
    }
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from).join("judges")
}

/// Makes every environment whose list changed since it was made.
pub(crate) fn make() -> Outcome {
    let lists = fs::read_dir(root().join("judges")).map_err(|error| format!("judges/ can't be listed: {error}"))?;
    let mut lists: Vec<PathBuf> = lists.filter_map(|entry| Some(entry.ok()?.path())).collect();
    lists.sort();
    for list in lists {
        let name = list.file_stem().unwrap_or_default();
        install(&list, &folder().join(name))?;
    }
    if let Err(reason) = install_azurite() {
        say(&format!("Azurite could not be installed; its tests will be skipped: {reason}"));
    }
    install_postgres()
}

/// Brings the server that stands for Azure's storage, where npm is there to bring it; tests do without it, also where npm fails.
fn install_azurite() -> Outcome {
    let folder = folder().join("azurite");
    let has_npm = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    if folder.join("node_modules/.bin/azurite-blob").exists() || !has_npm {
        return Ok(());
    }
    let path = folder.display().to_string();
    say(&format!("Installing {AZURITE} into {path}"));
    fs::create_dir_all(&folder).map_err(|error| format!("{path}: {error}"))?;
    call("npm", &["install", "--prefix", &path, "--silent", "--no-audit", "--no-fund", AZURITE], &[])
}

/// Brings the PostgreSQL server that tests and benchmarks start for themselves, on a bare Debian or Ubuntu.
pub(crate) fn install_postgres() -> Outcome {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let is_there = versions.into_iter().any(|version| version.path().join("bin/initdb").is_file());
    let has_openssl = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if is_there && has_openssl {
        return Ok(());
    }
    say("Installing postgresql and openssl with apt-get");
    call("apt-get", &["update", "-qq"], &[])?;
    call("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "postgresql", "openssl"], &[])
}

/// Makes the environment of a list of pinned packages, unless it was made from this list.
pub(crate) fn install(list: &Path, environment: &Path) -> Outcome {
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let made_from = environment.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == text) {
        return Ok(());
    }
    let (list, path) = (list.display().to_string(), environment.display().to_string());
    say(&format!("Installing the pinned Python packages of {list} into {path}"));
    install_python()?;
    // `venv` makes no folder where a link is, not even one that leads nowhere.
    if fs::symlink_metadata(environment).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(environment).map_err(|error| format!("{path}: {error}"))?;
    }
    call("python3", &["-m", "venv", "--clear", &path], &[])?;
    let python = environment.join("bin/python").display().to_string();
    call(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &list], &[])?;
    fs::write(&made_from, text).map_err(|error| format!("{}: {error}", made_from.display()))
}

/// Brings `python3 -m venv` and the OpenMP runtime on a bare Debian or Ubuntu.
fn install_python() -> Outcome {
    let has = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let python = has("python3", &["-c", "import ensurepip, venv"]);
    let openmp = has("sh", &["-c", "ldconfig -p | grep -q libgomp.so.1"]);
    if python && openmp {
        return Ok(());
    }
    say("Installing python3, python3-venv and libgomp1 with apt-get");
    call("apt-get", &["update", "-qq"], &[])?;
    call("apt-get", &["install", "-y", "-qq", "python3", "python3-venv", "libgomp1"], &[])
}
