//! The JSON Schemas of the spec files, generated from the declarations that decode them.

use std::fs;

use crate::{Outcome, root, say};

fn files() -> Vec<(String, String)> {
    let schemas = trainyard_spec::schema::all().into_iter();
    schemas.map(|(name, schema)| (format!("schemas/{name}"), format!("{schema:#}\n"))).collect()
}

/// Writes all schemas.
pub(crate) fn write() -> Outcome {
    for (name, text) in files() {
        let path = root().join(&name);
        let folder = path.parent().unwrap_or(&path).to_owned();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(&path, text).map_err(|error| format!("{name}: {error}"))?;
        say(&format!("wrote {name}"));
    }
    Ok(())
}

/// Says whether the schemas in the repository are the generated ones.
pub(crate) fn check() -> Outcome {
    let stale: Vec<String> = files()
        .into_iter()
        .filter(|(name, text)| fs::read_to_string(root().join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    if stale.is_empty() { Ok(()) } else { Err(format!("{} not current; run `cargo xtask schemas`", stale.join(", "))) }
}
