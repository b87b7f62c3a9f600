//! Links the program at a fixed address.
//!
//! Fifty thousand addresses inside the program need no change at its start then: a fifth of the time of `trainyard --version`
//! (`docs/design/0010-a-fixed-address.md`). Stack, heap and libraries keep their random places.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-no-pie");
}
