//! The digest of the code that a step depends on, taken when this program was built.

use trainyard_files::{Digest, Digester};

mod digests {
    include!(concat!(env!("OUT_DIR"), "/code_digests.rs"));
}

/// Joins the digest of `src/steps/<step>.rs` and the files beside it that it uses, and of the named workspace crates.
///
/// # Panics
/// Panics when a name is unknown, which a unit test over all steps rules out.
pub(crate) fn digest(step: &str, crates: &[&str]) -> Digest {
    let find = |table: &[(&str, [u8; 32])], name: &str| {
        let found = table.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no code named {name}")).1
    };
    let mut digester = Digester::new("trainyard code").bytes(&find(digests::STEP_FILES, step));
    for name in crates {
        digester = digester.bytes(&find(digests::CRATES, &format!("trainyard-{name}")));
    }
    digester.finish()
}

#[cfg(test)]
mod tests {
    use super::digests::STEP_FILES;
    use crate::steps::NAMES;

    #[test]
    fn every_step_has_a_file_of_its_name() {
        for name in NAMES {
            assert!(STEP_FILES.iter().any(|(file, _)| *file == name), "src/steps/{name}.rs is absent");
        }
    }
}
