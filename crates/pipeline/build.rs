//! Digests the code that each step depends on, so that the cache knows when a step's code changed.

#[path = "build/digests.rs"]
mod digests;

use std::fs;
use std::path::PathBuf;

fn main() {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets the manifest folder"));
    let crates = here.join("..");
    let lock = here.join("../../Cargo.lock");
    // Relative to this crate, since a folder of builds may serve several checkouts.
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    println!("cargo:rerun-if-changed=build");
    for part in digests::sorted(&crates).iter().flat_map(|folder| digests::built(folder)) {
        let part = part.strip_prefix(&crates).expect("it lies in one of the crates");
        println!("cargo:rerun-if-changed=../{}", part.display());
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
