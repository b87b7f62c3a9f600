//! What was made of what, in all runs of a project: from their journals and the registry.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Digest;
use trainyard_tracking::{Tracking, VersionRecord};

use crate::engine::{Entry, Input, Record};
use crate::look::{RunState, states_of};
use crate::project::SCHEMA;
use crate::steps::ENGINE;
use crate::stores::Stores;

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The rows that a run read from outside.
    Source,
    /// A version file of the split, the features or the model.
    Version,
    /// A section of the configuration, or another value that was declared.
    Setting,
    /// A file that a step read, such as a suite of expectations.
    File,
    /// The library of an external engine.
    Engine,
    /// The state of the registry that a comparison saw.
    Registry,
    /// A step, as one run did it.
    Step,
    /// What a step left.
    Artifact,
    /// A run.
    Run,
    /// A version of a registered model.
    Model,
    /// A change of the registry, such as a promotion.
    Change,
}

/// How one thing went into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// A step read it.
    Read,
    /// A step left it.
    Made,
    /// The run did the step.
    Ran,
    /// A stored result of another run stood for the step.
    Cached,
    /// The run registered the model.
    Registered,
    /// The model was in service, and a candidate was compared with it.
    Compared,
    /// The registry changed.
    Changed,
}

/// One thing that was used or made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Node {
    /// Its id, the same in every command.
    pub(super) id: String,
    /// What it is.
    pub(super) kind: Kind,
    /// What people call it.
    pub(super) name: String,
    /// The digest of its content.
    pub(super) digest: Option<String>,
    /// How it stands: of a run its status, of a model its stage.
    pub(super) status: Option<String>,
    /// More of it, by name; no time.
    pub(super) details: Map<String, Value>,
}

impl Node {
    fn new(id: String, kind: Kind, name: impl Into<String>) -> Node {
        Node { id, kind, name: name.into(), digest: None, status: None, details: Map::new() }
    }

    fn with_digest(mut self, digest: impl ToString) -> Node {
        self.digest = Some(digest.to_string());
        self
    }

    fn with(mut self, key: &str, value: Value) -> Node {
        self.details.insert(key.to_owned(), value);
        self
    }

    /// Gives a detail that is a text; nothing for any other.
    pub(super) fn text(&self, key: &str) -> &str {
        self.details.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A place in [`Graph::nodes`].
pub(super) type Place = usize;

/// One way from a thing to what was made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) role: Role,
}

/// One run, as its journal has it.
pub(super) struct RunFacts {
    pub(super) run: String,
    pub(super) entries: Vec<Entry>,
    pub(super) configuration: Value,
    pub(super) steps: Vec<(Record, bool)>,
}

/// All that the project's journals and its registry tell.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    ways: Vec<Way>,
    /// The ways by where they begin, and by where they end.
    out_of: BTreeMap<Place, Vec<Way>>,
    into: BTreeMap<Place, Vec<Way>>,
    /// The runs whose journals can be read, oldest first.
    pub(super) runs: Vec<RunFacts>,
    /// All runs, oldest first.
    pub(super) states: Vec<RunState>,
    /// The runs whose journals can't be read.
    pub(super) unreadable: Vec<String>,
    places: BTreeMap<String, Place>,
    /// The steps whose inputs are known; a stored result stands for a step in many runs.
    read: BTreeSet<Place>,
}

pub(super) fn run_id(run: &str) -> String {
    format!("run:{run}")
}

pub(super) fn model_id(model: &str, version: u32) -> String {
    format!("model:{model}/{version}")
}

/// Names a step by the run that did it. The key tells two results of one run apart.
fn step_id(record: &Record) -> String {
    format!("step:{}/{}@{}", record.run, record.step, record.key.short())
}

fn artifact_id(record: &Record, artifact: &str) -> String {
    format!("artifact:{}/{}@{}/{artifact}", record.run, record.step, record.key.short())
}

/// Gives the last result of each step, in the order in which they were done.
fn results(entries: &[Entry]) -> Vec<(Record, bool)> {
    let mut steps: Vec<(Record, bool)> = Vec::new();
    for entry in entries {
        if let Entry::StepDone { record, cached, .. } = entry {
            steps.retain(|(other, _)| other.step != record.step);
            steps.push(((**record).clone(), *cached));
        }
    }
    steps
}

impl Graph {
    /// Reads all journals and the registry; writes nothing and takes no lock.
    pub(super) fn of(stores: &Stores) -> Result<Graph, Vec<Diagnostic>> {
        let mut graph = Graph { states: states_of(stores), ..Graph::default() };
        for state in &graph.states {
            let configuration = stores.io.read(&stores.configuration_path(&state.run)).ok();
            let configuration = configuration.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let entries = stores.entries(&state.run);
            let (Ok(entries), Some(configuration)) = (entries, configuration) else {
                graph.unreadable.push(state.run.clone());
                continue;
            };
            let steps = results(&entries);
            graph.runs.push(RunFacts { run: state.run.clone(), entries, configuration, steps });
        }
        let runs = std::mem::take(&mut graph.runs);
        for run in &runs {
            graph.add_results(run);
        }
        let versions = graph.add_models(stores).map_err(|error| vec![error.diagnostic()])?;
        for run in &runs {
            graph.add_inputs(run);
        }
        graph.add_registrations(stores, &versions).map_err(|error| vec![error.diagnostic()])?;
        graph.runs = runs;
        graph.ways.sort_unstable();
        graph.ways.dedup();
        for way in std::mem::take(&mut graph.ways) {
            graph.out_of.entry(way.from).or_default().push(way);
            graph.into.entry(way.to).or_default().push(way);
        }
        Ok(graph)
    }

    /// Lists the ways that begin at a place.
    pub(super) fn out_of(&self, place: Place) -> &[Way] {
        self.out_of.get(&place).map(Vec::as_slice).unwrap_or_default()
    }

    /// Lists the ways that end at a place.
    pub(super) fn into(&self, place: Place) -> &[Way] {
        self.into.get(&place).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn place(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    fn add(&mut self, node: Node) -> Place {
        if let Some(place) = self.place(&node.id) {
            return place;
        }
        let place = self.nodes.len();
        self.places.insert(node.id.clone(), place);
        self.nodes.push(node);
        place
    }

    fn join(&mut self, from: Place, to: Place, role: Role) {
        self.ways.push(Way { from, to, role });
    }

    /// Adds a run, its steps and what they left.
    fn add_results(&mut self, run: &RunFacts) {
        let mut node = Node::new(run_id(&run.run), Kind::Run, run.run.clone());
        node.status = self.states.iter().find(|state| state.run == run.run).map(|state| how(state, &run.entries));
        node.details.insert("project".to_owned(), run.configuration["project"]["name"].clone());
        let versions = ["split", "features", "model"];
        let versions = versions.map(|part| (part.to_owned(), run.configuration[part]["version"].clone()));
        node.details.insert("versions".to_owned(), Value::Object(Map::from_iter(versions)));
        let of_run = self.add(node);
        for (record, cached) in &run.steps {
            let (subject, result) = &record.output.headline;
            let node = Node::new(step_id(record), Kind::Step, record.step.clone())
                .with("run", json!(record.run))
                .with("code", json!(record.code.to_string()))
                .with("key", json!(record.key.to_string()))
                .with("subject", json!(subject))
                .with("result", json!(result));
            let of_step = self.add(node);
            self.join(of_step, of_run, if *cached { Role::Cached } else { Role::Ran });
            let rows = |digest: &Digest| {
                let found = record.output.logged.inputs.iter().find(|(_, of, ..)| of == digest);
                found.map(|(.., rows)| *rows)
            };
            let logged = record.output.logged.files.iter();
            let logged = logged.filter(|(_, digest)| !record.output.artifacts.values().any(|known| known == *digest));
            for (artifact, digest) in record.output.artifacts.iter().chain(logged) {
                let name = format!("{}.{artifact}", record.step);
                let mut node = Node::new(artifact_id(record, artifact), Kind::Artifact, name).with_digest(digest);
                if let Some(rows) = rows(digest) {
                    node = node.with("rows", json!(rows));
                }
                let of_artifact = self.add(node);
                self.join(of_step, of_artifact, Role::Made);
            }
        }
    }

    /// Adds what the steps of a run read.
    fn add_inputs(&mut self, run: &RunFacts) {
        for (record, _) in &run.steps {
            let Some(step) = self.place(&step_id(record)).filter(|step| self.read.insert(*step)) else { continue };
            for input in &record.inputs {
                let (from, role) = match self.input(run, record, input) {
                    Some(found) => found,
                    None => continue,
                };
                if from != step {
                    self.join(from, step, role);
                }
            }
        }
    }

    /// Finds or adds the node that an input stands for; nothing where the step found nothing to read.
    fn input(&mut self, run: &RunFacts, record: &Record, input: &Input) -> Option<(Place, Role)> {
        let (configuration, digest) = (&run.configuration, input.digest);
        if let Some((step, artifact)) = input.name.split_once('.')
            && let Some((maker, _)) = run.steps.iter().find(|(other, _)| other.step == step)
            && maker.output.artifacts.get(artifact) == Some(&digest)
        {
            return Some((self.place(&artifact_id(maker, artifact))?, Role::Read));
        }
        if input.name == "reference" || input.name.starts_with("earlier.") {
            return self.of_another(configuration, record, input).map(|place| (place, Role::Read));
        }
        if input.name == "incumbent" {
            let version = record.output.facts["incumbent"]["version"].as_u64()?;
            let model = configuration["project"]["model"].as_str()?;
            return Some((self.place(&model_id(model, u32::try_from(version).ok()?))?, Role::Compared));
        }
        let node = match (input.name.as_str(), input.name.strip_prefix("spec.")) {
            (_, Some(part)) if configuration[part]["file"].is_string() => {
                let version = &configuration[part];
                let (file, of_file) = (version["file"].as_str()?, version["digest"].as_str()?);
                Node::new(format!("version:{file}@{of_file}"), Kind::Version, file)
                    .with_digest(of_file)
                    .with("version", version["version"].clone())
            }
            (_, Some(part)) => {
                Node::new(format!("setting:{part}@{digest}"), Kind::Setting, format!("spec.{part}")).with_digest(digest)
            }
            ("source", _) => {
                let master = record.output.logged.inputs.iter().find(|(name, ..)| name == "master");
                let shown = master.map_or("the source", |(_, _, source, _)| source.as_str());
                let facts = &record.output.facts;
                let mut node = Node::new(format!("source:{shown}@{digest}"), Kind::Source, shown).with_digest(digest);
                for key in ["rows", "columns", "objects"] {
                    if !facts[key].is_null() {
                        node = node.with(key, facts[key].clone());
                    }
                }
                node
            }
            ("suite", _) => {
                let file = configuration["project"]["validate"]["suite"].as_str().unwrap_or("the suite");
                Node::new(format!("file:{file}@{digest}"), Kind::File, file).with_digest(digest)
            }
            (SCHEMA, _) => Node::new(format!("file:{SCHEMA}@{digest}"), Kind::File, SCHEMA).with_digest(digest),
            ("registry", _) => {
                Node::new(format!("registry:{digest}"), Kind::Registry, "the registry").with_digest(digest)
            }
            (name, _) if name.starts_with(ENGINE) => {
                let engine = name.trim_start_matches(ENGINE);
                Node::new(format!("engine:{engine}@{digest}"), Kind::Engine, engine).with_digest(digest)
            }
            (name, _) => Node::new(format!("setting:{name}@{digest}"), Kind::Setting, name).with_digest(digest),
        };
        Some((self.add(node), Role::Read))
    }

    /// Finds what another run left under the digest of an input: a frozen reference test, the rows that drift is
    /// measured from, an earlier search. A file that no run left stands for itself.
    fn of_another(&mut self, configuration: &Value, record: &Record, input: &Input) -> Option<Place> {
        let version = configuration["split"]["version"].as_u64().unwrap_or_default();
        if record.step == "split" && configuration["lock"]["references"][version.to_string()].is_null() {
            // The run froze it: the input is what its next run will find.
            return None;
        }
        let wanted = input.digest.to_string();
        let is_own = format!("artifact:{}/{}@", record.run, record.step);
        let is_it = |node: &Node| {
            node.kind == Kind::Artifact && node.digest.as_deref() == Some(&wanted) && !node.id.starts_with(&is_own)
        };
        // Nodes stand in the order of the runs: what comes after the step was made later.
        let before = self.place(&step_id(record)).unwrap_or_default();
        if let Some(place) = self.nodes.iter().take(before).position(is_it) {
            return Some(place);
        }
        // A step that found no reference says so by a digest of its own.
        let has_one = record.output.artifacts.values().any(|artifact| *artifact == input.digest)
            || record.output.artifacts.contains_key("reference") && record.step == "drift";
        let name = match (record.step.as_str(), configuration["project"]["drift"]["against"].as_str()) {
            ("split", _) => format!("data/reference/tests/v{version}/test_reference.parquet"),
            ("drift", Some(against)) => against.to_owned(),
            (step, _) => format!("{step}.{}", input.name),
        };
        has_one.then(|| {
            self.add(Node::new(format!("file:{name}@{wanted}"), Kind::File, name.clone()).with_digest(input.digest))
        })
    }

    fn add_models(&mut self, stores: &Stores) -> Result<Vec<VersionRecord>, trainyard_tracking::Error> {
        let mut all = Vec::new();
        for model in stores.tracking.models()? {
            let mut versions = stores.tracking.versions(&model.name)?;
            versions.reverse();
            for version in versions {
                let id = model_id(&version.model, version.version);
                let mut node = Node::new(id, Kind::Model, format!("{}/{}", version.model, version.version))
                    .with_digest(version.digest)
                    .with("aliases", json!(version.aliases))
                    .with("rows", json!(version.rows))
                    .with("run", json!(version.run));
                node.status = Some(version.stage.name().to_owned());
                self.add(node);
                all.push(version);
            }
        }
        Ok(all)
    }

    /// Joins models with the runs that made them and with what became of them.
    fn add_registrations(
        &mut self,
        stores: &Stores,
        versions: &[VersionRecord],
    ) -> Result<(), trainyard_tracking::Error> {
        for version in versions {
            let Some(model) = self.place(&model_id(&version.model, version.version)) else { continue };
            let run = match self.place(&run_id(&version.run)) {
                Some(run) => run,
                // Its folder is gone; that there was such a run is known.
                None => self.add(Node::new(run_id(&version.run), Kind::Run, version.run.clone())),
            };
            self.join(run, model, Role::Registered);
            let promoted = self.ways.iter().find(|way| {
                way.to == run && way.role == Role::Ran && self.nodes.get(way.from).is_some_and(|n| n.name == "promote")
            });
            if let Some(step) = promoted.map(|way| way.from) {
                self.join(step, model, Role::Registered);
            }
        }
        let mut models: Vec<&str> = versions.iter().map(|version| version.model.as_str()).collect();
        models.dedup();
        for name in models {
            for entry in stores.tracking.history(name)? {
                let Some(version) = entry.version else { continue };
                let Some(model) = self.place(&model_id(&entry.model, version)) else { continue };
                let effects: Vec<String> = entry.effects.iter().map(ToString::to_string).collect();
                let node = Node::new(format!("change:{}", entry.sequence), Kind::Change, effects.join(", "))
                    .with_digest(entry.hash)
                    .with("action", json!(entry.action))
                    .with("effects", json!(entry.effects))
                    .with("reason", json!(entry.reason))
                    .with("run", json!(entry.run));
                let change = self.add(node);
                self.join(model, change, Role::Changed);
            }
        }
        Ok(())
    }
}

/// Says how a run stands: by the status that it ended with, else by what its lock and journal tell.
fn how(state: &RunState, entries: &[Entry]) -> String {
    match entries.last() {
        Some(Entry::Ended { status, .. }) if state.state != "running" => status.clone(),
        _ => state.state.clone(),
    }
}
