//! Digests of source code: of each workspace crate with all below it, and of each step's file with those it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A name with the digest of its code.
pub(crate) type Digests = BTreeMap<String, [u8; 32]>;

/// Folders of a crate that never become part of what is built.
const NOT_BUILT: [&str; 4] = ["tests", "benches", "examples", "target"];

/// Digests every crate in the folder `crates`: its files other than tests and examples (so a font that is compiled in
/// counts, and so do comments and white space), the workspace crates it uses and the locked versions, by the text of
/// Cargo.lock, of everything below them. What only its tests use does not count.
pub(crate) fn of_crates(crates: &Path, lock: &str) -> Digests {
    let lock = Lock::parse(lock);
    let (mut own, mut uses) = (BTreeMap::new(), BTreeMap::new());
    for folder in sorted(crates) {
        let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let Some(name) = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')) else {
            continue;
        };
        let mut hasher = blake3::Hasher::new();
        for path in built(&folder) {
            digest_tree(&folder, &path, &mut hasher);
        }
        uses.insert(name.to_owned(), used(&manifest));
        own.insert(name.to_owned(), *hasher.finalize().as_bytes());
    }
    let with_all_below = |name: &String| {
        let mut hasher = blake3::Hasher::new();
        for package in lock.closure(name, &uses) {
            part(&mut hasher, package.as_bytes());
            if let Some(digest) = own.get(package.split(' ').next().unwrap_or_default()) {
                part(&mut hasher, digest);
            }
        }
        *hasher.finalize().as_bytes()
    };
    own.keys().map(|name| (name.clone(), with_all_below(name))).collect()
}

/// Lists what of a crate's folder can become part of what is built.
pub(crate) fn built(folder: &Path) -> Vec<PathBuf> {
    let counts = |path: &PathBuf| !NOT_BUILT.iter().any(|name| path.ends_with(name));
    if folder.is_dir() { sorted(folder).into_iter().filter(counts).collect() } else { Vec::new() }
}

/// Digests every file in the folder `steps` together with the files beside it that it names as `super::…`, and those
/// that they name.
pub(crate) fn of_steps(steps: &Path) -> Digests {
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: PathBuf| (name(&path), fs::read_to_string(&path).expect("a step's source can be read"));
    let files: BTreeMap<String, String> = sorted(steps).into_iter().map(read).collect();
    let closure = |start: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start.as_str()]);
        while let Some(file) = open.pop() {
            if let Some(text) = files.get(file)
                && seen.insert(file)
            {
                open.extend(text.split("super::").skip(1).flat_map(first_words));
            }
        }
        let mut hasher = blake3::Hasher::new();
        for file in seen {
            part(&mut hasher, file.as_bytes());
            part(&mut hasher, files[file].as_bytes());
        }
        *hasher.finalize().as_bytes()
    };
    files.keys().map(|file| (file.clone(), closure(file))).collect()
}

/// Gives the word that a text begins with, or the words of a list in braces.
fn first_words(text: &str) -> Vec<&str> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    match text.strip_prefix('{').and_then(|list| list.split_once('}')) {
        Some((list, _)) => list.split(',').map(str::trim).map(|item| &item[..word(item)]).collect(),
        None => vec![&text[..word(text)]],
    }
}

/// The packages of Cargo.lock: name → "name version checksum", and what each depends on.
struct Lock {
    packages: BTreeMap<String, Package>,
}

struct Package {
    name: String,
    identity: String,
    dependencies: Vec<String>,
}

impl Lock {
    fn parse(text: &str) -> Lock {
        let mut packages = BTreeMap::new();
        for block in text.split("[[package]]").skip(1) {
            let field = |key: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("{key} = \""))?.strip_suffix('"'))
                    .unwrap_or_default()
            };
            let dependencies = block
                .split_once("dependencies = [")
                .and_then(|(_, rest)| rest.split_once(']'))
                .map(|(list, _)| list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
                .unwrap_or_default();
            let (name, version) = (field("name"), field("version"));
            packages.insert(
                format!("{name} {version}"),
                Package {
                    name: name.to_owned(),
                    identity: format!("{name} {version} {}", field("checksum")),
                    dependencies,
                },
            );
        }
        Lock { packages }
    }

    /// The identities of `name` and of all that it depends on, sorted; of a crate in `uses` only what stands there.
    fn closure(&self, name: &str, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = self.find(name);
        while let Some(key) = open.pop() {
            let Some(package) = self.packages.get(&key) else { continue };
            if seen.insert(package.identity.clone()) {
                let used = uses.get(&package.name);
                let counts = |dependency: &&String| {
                    let name = dependency.split(' ').next().unwrap_or_default();
                    used.is_none_or(|used| used.contains(name))
                };
                open.extend(package.dependencies.iter().filter(counts).flat_map(|dependency| self.find(dependency)));
            }
        }
        seen
    }

    /// A dependency is written as a name, or as name and version where several versions are locked.
    fn find(&self, written: &str) -> Vec<String> {
        if self.packages.contains_key(written) {
            return vec![written.to_owned()];
        }
        self.packages.iter().filter(|(_, package)| package.name == written).map(|(key, _)| key.clone()).collect()
    }
}

/// The packages that a manifest names outside its `dev-dependencies`.
fn used(manifest: &str) -> BTreeSet<String> {
    let (mut found, mut counts) = (BTreeSet::new(), false);
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            counts = section.ends_with("dependencies]") && !section.contains("dev-dependencies");
        } else if counts {
            let renamed = line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            let written = line.split(['.', ' ', '=']).next().unwrap_or_default();
            found.insert(renamed.unwrap_or(written).to_owned());
        }
    }
    found
}

fn digest_tree(root: &Path, path: &Path, hasher: &mut blake3::Hasher) {
    if path.is_dir() {
        for path in sorted(path) {
            digest_tree(root, &path, hasher);
        }
    } else {
        part(hasher, path.strip_prefix(root).unwrap_or(path).to_string_lossy().as_bytes());
        part(hasher, &fs::read(path).expect("a source file can be read"));
    }
}

fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Lists a folder in order.
pub(crate) fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()))
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}
