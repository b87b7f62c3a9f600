//! Digests the code that each step depends on, so that the cache knows when a step's code changed.
//!
//! The digest of a workspace crate covers its sources, its manifest, the workspace crates it uses and the locked
//! versions of everything below them. The digest of a step's file covers that file alone; `code.rs` joins the two.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets the manifest folder"));
    let crates = here.join("..");
    let lock_path = here.join("../../Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock_path.display());
    let lock = Lock::parse(&fs::read_to_string(&lock_path).expect("Cargo.lock can be read"));

    let mut own = BTreeMap::new();
    for folder in sorted(&crates) {
        let manifest = folder.join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        let Some(name) = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')) else {
            continue;
        };
        println!("cargo:rerun-if-changed={}", folder.join("src").display());
        println!("cargo:rerun-if-changed={}", manifest.display());
        let mut hasher = blake3::Hasher::new();
        part(&mut hasher, text.as_bytes());
        digest_tree(&folder.join("src"), &folder.join("src"), &mut hasher);
        own.insert(name.to_owned(), *hasher.finalize().as_bytes());
    }

    let mut source = String::from(
        "/// Crate name, digest of its code and of everything below it.\npub(crate) const CRATES: &[(&str, [u8; 32])] = &[\n",
    );
    for name in own.keys() {
        let mut hasher = blake3::Hasher::new();
        for package in lock.closure(name) {
            part(&mut hasher, package.as_bytes());
            if let Some(digest) = own.get(package.split(' ').next().unwrap_or_default()) {
                part(&mut hasher, digest);
            }
        }
        source.push_str(&format!("    ({name:?}, {:?}),\n", hasher.finalize().as_bytes()));
    }
    source.push_str(
        "];\n/// File below `src/steps`, digest of its bytes.\npub(crate) const STEP_FILES: &[(&str, [u8; 32])] = &[\n",
    );
    for file in sorted(&here.join("src/steps")) {
        let bytes = fs::read(&file).expect("a step's source can be read");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        source.push_str(&format!("    ({name:?}, {:?}),\n", blake3::hash(&bytes).as_bytes()));
    }
    source.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets the output folder"));
    fs::write(out.join("code_digests.rs"), source).expect("the digests can be written");
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

    /// The identities of `name` and of all that it depends on, sorted.
    fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = self.find(name);
        while let Some(key) = open.pop() {
            let Some(package) = self.packages.get(&key) else { continue };
            if seen.insert(package.identity.clone()) {
                open.extend(package.dependencies.iter().flat_map(|dependency| self.find(dependency)));
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

fn digest_tree(root: &Path, folder: &Path, hasher: &mut blake3::Hasher) {
    for path in sorted(folder) {
        if path.is_dir() {
            digest_tree(root, &path, hasher);
        } else {
            part(hasher, path.strip_prefix(root).unwrap_or(&path).to_string_lossy().as_bytes());
            part(hasher, &fs::read(&path).expect("a source file can be read"));
        }
    }
}

fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()))
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}
