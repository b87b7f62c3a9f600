//! Tables read from a database.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use trainyard_diagnostics::Source;
use trainyard_files::DiskIo;
use trainyard_sources::Runtime;
use trainyard_spec::{Choice, DataSpec, SpecFiles, resolve};

use crate::Told;

/// Reads the table `wide` of the database at `url`.
pub(crate) fn read(url: &str) -> Told {
    let data = section(url)?;
    let started = Instant::now();
    let table = trainyard_sources::read(&DiskIo, Path::new(""), &Runtime::default(), &data)
        .map_err(|error| error.diagnostic().title)?;
    Ok(json!({"seconds": started.elapsed().as_secs_f64(), "quality": table.num_rows()}))
}

/// Gives the `data` section of a project whose source this is, with versions that nothing here looks at.
fn section(url: &str) -> Result<DataSpec, String> {
    let version = |name: &str, text: &str| BTreeMap::from([(1, Source::new(name, text))]);
    let project = format!(
        "name: wide\ndata: {{source: {{url: '{url}', table: wide}}, target: label}}\n\
         active: {{split: 1, features: 1, model: 1}}\n"
    );
    let files = SpecFiles {
        project: Source::new("trainyard.yaml", project),
        environment: None,
        known_environments: Vec::new(),
        overrides: Vec::new(),
        splits: version("versions/splits/v1.yaml", "seed: 1\nshares: {train: 0.8, reference_test: 0.2}\n"),
        features: version("versions/features/v1.yaml", "groups: [{numeric: [f00]}]\n"),
        models: version("versions/models/v1.yaml", "seed: 1\nbaseline: {dummy: {}}\ncandidates: {dummy: {}}\n"),
        lock: None,
        choose: Choice::default(),
    };
    let resolved = resolve(&files).map_err(|problems| problems.into_vec().swap_remove(0).title)?;
    Ok(resolved.project.data)
}
