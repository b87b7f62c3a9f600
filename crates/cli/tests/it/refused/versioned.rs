//! What is wrong with data that is versioned, or is to be.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::{Case, PROJECT};
use crate::project::{CUSTOMERS, Project, REFERENCE};

const FILE: &str = "data/raw/customers.csv.dvc";
const DIGEST: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn added(project: &Project, path: &str) {
    project.json(&["data", "add", path]);
}

fn git(project: &Project, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(arguments);
    assert!(command.current_dir(project.path("")).status().unwrap().success());
}

/// Describes the customers in other words.
fn described(project: &Project, text: &str) {
    added(project, CUSTOMERS);
    project.write(FILE, text);
}

/// Versions the customers, with a remote at an address; `backup` is the usual one.
fn shared(project: &Project, url: &str) {
    added(project, CUSTOMERS);
    let text = format!("[core]\n    no_scm = True\n    remote = backup\n['remote \"backup\"']\n    url = {url}\n");
    project.write(".dvc/config", &text);
}

/// Returns where an object of the customers lies below a folder of objects.
fn object(project: &Project, below: &str) -> PathBuf {
    let text = project.read(FILE);
    let digest = text.split("md5: ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    project.path(below).join("files/md5").join(&digest[..2]).join(&digest[2..])
}

/// Asks for the split to be versioned.
fn asks(project: &Project, spec: &str) {
    project.write(PROJECT, format!("{}versioning: {spec}\n", project.read(PROJECT)));
}

fn steps(project: &Project, run: &str, steps: &[&str]) {
    for step in steps {
        project.json(&["step", step, "--run", run]);
    }
}

/// Has a run version the split, and leaves what a clone has.
fn cloned(project: &Project) {
    asks(project, "{}");
    steps(project, "nightly", &["resolve", "ingest", "split", "version"]);
    fs::remove_dir_all(project.path(".trainyard")).unwrap();
}

pub(super) const CASES: &[Case] = &[
    (
        "master data that is a database",
        |project| {
            asks(project, "{master: true}");
            project.edit(PROJECT, "source: data/raw/customers.csv", "source: sqlite:///shop.db?table=customers");
        },
        &["run"],
    ),
    ("misspelt link of versioned data", |project| asks(project, "{link: hardlnk}"), &["run"]),
    ("versioned folder that is not there", |project| asks(project, "{paths: [data/imagse]}"), &["run"]),
    ("versioned path outside of the project", |project| asks(project, "{paths: [../images]}"), &["check"]),
    (
        "master data that git has",
        |project| {
            asks(project, "{master: true}");
            git(project, &["init", "-q"]);
            git(project, &["add", CUSTOMERS]);
        },
        &["run"],
    ),
    (
        "absent reference that the cache lacks",
        |project| {
            cloned(project);
            fs::remove_file(project.path(REFERENCE)).unwrap();
            fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
        },
        &["run"],
    ),
    (
        "version of another reference",
        |project| {
            cloned(project);
            steps(project, "again", &["resolve", "ingest", "split"]);
            let file = format!("{REFERENCE}.dvc");
            let text = project.read(&file);
            let digest = text.lines().find_map(|line| line.strip_prefix("- md5: ")).unwrap();
            project.write(&file, text.replace(digest, DIGEST));
        },
        &["step", "version", "--run", "again"],
    ),
    (
        "master data that changed after it was read",
        |project| {
            asks(project, "{master: true}");
            steps(project, "nightly", &["resolve", "ingest", "split"]);
            project.customers(1500, 8, CUSTOMERS);
        },
        &["step", "version", "--run", "nightly"],
    ),
    ("no data versioned", |_| {}, &["data", "status"]),
    ("data that is not there", |_| {}, &["data", "add", "data/rew", CUSTOMERS]),
    ("data outside of the project", |_| {}, &["data", "add", "/etc/hostname"]),
    ("project as data", |_| {}, &["data", "add", "."]),
    ("data behind a link", |project| symlink("raw", project.path("data/link")).unwrap(), &["data", "add", "data/link"]),
    (
        "link to nothing among the data",
        |project| symlink("gone.csv", project.path("data/raw/more.csv")).unwrap(),
        &["data", "add", "data/raw"],
    ),
    (
        "pipe among the data",
        |project| {
            let made = Command::new("mkfifo").arg(project.path("data/raw/pipe")).status();
            assert!(made.unwrap().success());
        },
        &["data", "add", "data/raw"],
    ),
    ("data in versioned data", |project| added(project, "data/raw"), &["data", "add", CUSTOMERS]),
    (
        "data that Git has",
        |project| {
            git(project, &["init", "-q"]);
            git(project, &["add", "-f", "data"]);
        },
        &["data", "add", CUSTOMERS],
    ),
    ("data that is ignored", |project| project.write(".dvcignore", "*.csv"), &["data", "add", CUSTOMERS]),
    ("patterns among the data", |project| project.write("data/raw/.dvcignore", "*.tmp"), &["data", "add", "data/raw"]),
    (
        "name that is no text",
        |project| fs::write(project.path("data/raw").join(OsStr::from_bytes(b"caf\xe9.csv")), "1").unwrap(),
        &["data", "add", "data/raw"],
    ),
    (
        "versioned data in conflict",
        |project| described(project, "outs:\n<<<<<<< HEAD\n- md5: 1\n=======\n- md5: 2\n>>>>>>> other\n"),
        &["data", "checkout"],
    ),
    (
        "versioned data of DVC 2",
        |project| described(project, &format!("outs:\n- md5: {DIGEST}\n  size: 0\n  path: customers.csv\n")),
        &["data", "checkout"],
    ),
    (
        "misspelt key of versioned data",
        |project| {
            let text = format!("outs:\n- md5: {DIGEST}\n  hash: md5\n  path: customers.csv\n  sise: 1\n");
            described(project, &text);
        },
        &["data", "checkout"],
    ),
    ("versioned data in no YAML", |project| described(project, "outs: [\n"), &["data", "checkout"]),
    (
        "data that a stage makes",
        |project| {
            let outs = format!("    outs:\n    - path: data/raw\n      hash: md5\n      md5: {DIGEST}.dir\n");
            project.write("dvc.lock", format!("schema: '2.0'\nstages:\n  load:\n    cmd: load\n{outs}"));
        },
        &["data", "add", "data/raw"],
    ),
    (
        "link of no kind",
        |project| project.write(".dvc/config", "[core]\n    no_scm = True\n[cache]\n    type = hardlnk\n"),
        &["data", "add", CUSTOMERS],
    ),
    (
        "list of files that leads out of its folder",
        |project| {
            let list = format!("[{{\"md5\": \"{DIGEST}\", \"relpath\": \"../../trainyard.yaml\"}}]");
            described(project, &format!("outs:\n- md5: {DIGEST}.dir\n  hash: md5\n  path: images\n"));
            project.write(&format!(".dvc/cache/files/md5/d4/{}.dir", &DIGEST[2..]), list);
        },
        &["data", "checkout", "--force"],
    ),
    (
        "versioned data that is not in the cache",
        |project| {
            described(project, &format!("outs:\n- md5: {DIGEST}\n  hash: md5\n  path: customers.csv\n"));
        },
        &["data", "checkout"],
    ),
    (
        "work that is in no version",
        |project| {
            added(project, "data/raw");
            project.write(CUSTOMERS, "work");
            project.write("data/raw/more.csv", "more work");
        },
        &["data", "checkout"],
    ),
    ("misspelt versioned data", |project| added(project, CUSTOMERS), &["data", "status", "data/raw/custmers.csv"]),
    (
        "commit that Git does not know",
        |project| {
            git(project, &["init", "-q"]);
            added(project, CUSTOMERS);
        },
        &["data", "diff", "nightly"],
    ),
    ("commits without Git", |project| added(project, CUSTOMERS), &["data", "diff", "HEAD"]),
    (
        "cache that others may use",
        |project| project.write(".dvc/config", "[core]\n    no_scm = True\n[cache]\n    dir = /srv/dvc\n"),
        &["data", "gc"],
    ),
    ("no remote for versioned data", |project| added(project, CUSTOMERS), &["data", "push"]),
    ("misspelt remote", |project| shared(project, "../store"), &["data", "push", "--remote", "bakcup"]),
    ("remote of another kind", |project| shared(project, "ssh://host/data"), &["data", "push"]),
    (
        "remote whose settings lead nowhere",
        |project| {
            shared(project, "gs://customers/data");
            project.write(".dvc/config.local", "['remote \"backup\"']\n    credentialpath = nobody.json\n");
        },
        &["data", "push"],
    ),
    (
        "remote that is not there",
        |project| {
            shared(project, "../no/such/store");
            fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
        },
        &["data", "pull"],
    ),
    ("remote that nobody serves", |project| shared(project, "http://127.0.0.1:1/data"), &["data", "push"]),
    (
        "remote without what is versioned",
        |project| {
            shared(project, "../store");
            fs::create_dir_all(project.path("store")).unwrap();
            fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
        },
        &["data", "pull"],
    ),
    (
        "remote of other bytes",
        |project| {
            shared(project, "../store");
            project.json(&["data", "push"]);
            let object = object(project, "store");
            fs::remove_file(&object).unwrap();
            fs::write(&object, "another").unwrap();
            fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
        },
        &["data", "pull"],
    ),
    (
        "damaged object to push",
        |project| {
            shared(project, "../store");
            let object = object(project, ".dvc/cache");
            fs::remove_file(&object).unwrap();
            fs::write(&object, "another").unwrap();
        },
        &["data", "push"],
    ),
    (
        "object that is nowhere",
        |project| {
            shared(project, "../store");
            fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
        },
        &["data", "push"],
    ),
];
