//! What a name on the command line means: a run, a model, a file or a digest.

use std::path::Path;

use trainyard_diagnostics::{Diagnostic, nearest, one_of};
use trainyard_files::hash_file;
use trainyard_tracking::{ModelReference, Tracking};

use super::graph::{Graph, Kind, Place, model_id, run_id};
use crate::look::{find_run, or_imported};
use crate::project::Request;
use crate::stores::Stores;

/// The least digits of a digest that count as one.
const LEAST_DIGITS: usize = 6;

/// Finds the nodes that `wanted` stands for: one, or several of the same content.
pub(super) fn find(
    graph: &Graph,
    stores: &Stores,
    request: &Request,
    wanted: &str,
) -> Result<Vec<Place>, Vec<Diagnostic>> {
    if wanted == "latest" {
        let latest = graph.runs.last().map(|run| run.run.as_str());
        return match latest.and_then(|run| graph.place(&run_id(run))) {
            Some(place) => Ok(vec![place]),
            None => Err(vec![
                Diagnostic::error("lineage/no-run", "there is no run yet").help("`trainyard run` makes the first"),
            ]),
        };
    }
    if let Some(place) = graph.place(&run_id(wanted)) {
        return Ok(vec![place]);
    }
    if wanted.contains('@') || wanted.starts_with("models:/") {
        return model(graph, stores, wanted);
    }
    let file = request.root.join(wanted);
    for path in [file.as_path(), Path::new(wanted)] {
        if request.io.metadata(path).is_ok_and(|found| !found.is_dir) {
            return of_file(graph, request, path, wanted);
        }
    }
    let models = stores.tracking.models().map_err(|error| vec![error.diagnostic()])?;
    let named = wanted.split('/').next().unwrap_or_default();
    if models.iter().any(|model| model.name == named) {
        return model(graph, stores, wanted);
    }
    let is_hexadecimal = wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if wanted.len() >= LEAST_DIGITS && is_hexadecimal {
        let found = of_digest(graph, &wanted.to_ascii_lowercase());
        let contents = contents(graph, &found);
        let runs = graph.states.iter().filter(|state| state.run.starts_with(wanted)).count();
        match (contents.len(), runs) {
            (1, 0) => return Ok(found),
            (0, _) => {}
            _ => {
                let names: Vec<String> = contents
                    .iter()
                    .map(|digest| digest.get(..16).unwrap_or(digest).to_owned())
                    .chain(graph.states.iter().filter(|state| state.run.starts_with(wanted)).map(|s| s.run.clone()))
                    .collect();
                let title = format!("{} things begin with {wanted}", names.len());
                let problem = Diagnostic::error("lineage/ambiguous", title);
                return Err(vec![problem.help(format!("write more of it: {}", one_of(&names, 5)))]);
            }
        }
    }
    match find_run(&graph.states, wanted) {
        Ok(state) if graph.unreadable.contains(&state.run) => {
            // What is wrong with it is what its own reader says.
            stores.entries(&state.run)?;
            stores.recorded(&state.run)?;
            Err(vec![unknown(graph, &models_of(stores), wanted)])
        }
        Ok(state) => Ok(graph.place(&run_id(&state.run)).into_iter().collect()),
        Err(problem) if problem.code == "run/ambiguous" => Err(vec![problem]),
        Err(problem) => Err(vec![match or_imported(problem, &stores.tracking, wanted) {
            imported if imported.code == "run/imported" => imported,
            _ => unknown(graph, &models_of(stores), wanted),
        }]),
    }
}

fn models_of(stores: &Stores) -> Vec<String> {
    stores.tracking.models().map(|models| models.into_iter().map(|model| model.name).collect()).unwrap_or_default()
}

fn unknown(graph: &Graph, models: &[String], wanted: &str) -> Diagnostic {
    let title = format!("`{wanted}` is no run, no model, no file of the project and no digest that a run knows");
    let files = graph.nodes.iter().filter(|node| matches!(node.kind, Kind::Version | Kind::Source | Kind::File));
    let known = graph.states.iter().map(|state| state.run.as_str());
    let known = known.chain(models.iter().map(String::as_str)).chain(files.map(|node| node.name.as_str()));
    let problem = Diagnostic::error("lineage/unknown", title);
    match nearest(wanted, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("`trainyard runs list` and `trainyard models list` show what there is"),
    }
}

fn model(graph: &Graph, stores: &Stores, wanted: &str) -> Result<Vec<Place>, Vec<Diagnostic>> {
    let told = |error: trainyard_tracking::Error| vec![error.diagnostic()];
    let reference: ModelReference = wanted.parse().map_err(told)?;
    let version = stores.tracking.version_by(&reference).map_err(told)?;
    Ok(graph.place(&model_id(&version.model, version.version)).into_iter().collect())
}

/// Finds what has a digest that begins so.
fn of_digest(graph: &Graph, prefix: &str) -> Vec<Place> {
    let begins = |digest: &Option<String>| digest.as_deref().is_some_and(|digest| digest.starts_with(prefix));
    let all = graph.nodes.iter().enumerate();
    // The state of the registry and a section are no content that somebody asks for when something else has it.
    all.filter(|(_, node)| begins(&node.digest)).map(|(place, _)| place).collect()
}

/// Lists the digests of nodes, each once.
fn contents(graph: &Graph, places: &[Place]) -> Vec<String> {
    let mut found: Vec<String> = places.iter().filter_map(|place| graph.nodes.get(*place)?.digest.clone()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn of_file(graph: &Graph, request: &Request, path: &Path, wanted: &str) -> Result<Vec<Place>, Vec<Diagnostic>> {
    let (digest, _) = hash_file(&*request.io, path).map_err(|error| vec![error.diagnostic()])?;
    let found = of_digest(graph, &digest.to_string());
    if !found.is_empty() {
        return Ok(found);
    }
    let within = path.strip_prefix(&request.root).unwrap_or(path).to_string_lossy().into_owned();
    let named: Vec<Place> = (0..graph.nodes.len())
        .filter(|place| graph.nodes.get(*place).is_some_and(|node| node.name == within || node.name == wanted))
        .collect();
    // A version file is known by what it means: by its name, whatever its blanks and comments.
    let is_version = |place: &Place| graph.nodes.get(*place).is_some_and(|node| node.kind == Kind::Version);
    if !named.is_empty() && named.iter().all(is_version) {
        return Ok(named);
    }
    let title = format!("no run read or made {wanted} as it is now");
    let problem = Diagnostic::error("lineage/unknown-file", title).note(format!("its digest is {}…", digest.short()));
    Err(vec![match named.last().and_then(|place| graph.nodes.get(*place)?.digest.as_deref()) {
        Some(then) => {
            let short = then.get(..12).unwrap_or(then);
            let problem = problem.note(format!("a file of this name was read when its digest was {short}…"));
            problem.help(format!("`trainyard lineage {short}` is about that one"))
        }
        None => problem.help("name a file that a run read or published, a run or a model"),
    }])
}
