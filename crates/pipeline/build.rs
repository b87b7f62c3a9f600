//! Digests the code that each step depends on, so that the cache knows when a step's code changed.

#[path = "build/digests.rs"]
mod digests;

use std::fs;
use std::path::PathBuf;

fn main() {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets the manifest folder"));
    let crates = here.join("..");
    let lock = here.join("../../Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    println!("cargo:rerun-if-changed={}", here.join("build").display());
    for folder in digests::sorted(&crates) {
        for part in digests::built(&folder) {
            println!("cargo:rerun-if-changed={}", part.display());
        }
    }
    let lock = fs::read_to_string(&lock).expect("Cargo.lock can be read");
    let tables = [
        ("CRATES", "Crate name, digest of its code and of everything below it.", digests::of_crates(&crates, &lock)),
        (
            "STEP_FILES",
            "File below `src/steps`, digest of it and of those it uses.",
            digests::of_steps(&here.join("src/steps")),
        ),
    ];
    let mut source = String::new();
    for (name, about, digests) in tables {
        source.push_str(&format!("/// {about}\npub(crate) const {name}: &[(&str, [u8; 32])] = &[\n"));
        for (of, digest) in digests {
            source.push_str(&format!("    ({of:?}, {digest:?}),\n"));
        }
        source.push_str("];\n");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets the output folder"));
    fs::write(out.join("code_digests.rs"), source).expect("the digests can be written");
}
