//! From the texts of a project's files to one configuration.

mod context;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Problems, Source};

use crate::declare::{Decoder, Record, named, optional, record, text};
use crate::error::Error;
use crate::tree::{self, Node};
use crate::{DataSpec, FeatureSpec, KeptSchema, Located, Lock, ModelSpec, Origin, Project, SplitSpec};

pub(crate) use context::check_project as check_policy;
use version::Chosen;

/// The texts that a configuration is made of.
#[derive(Debug, Clone)]
pub struct SpecFiles {
    /// trainyard.yaml.
    pub project: Arc<Source>,
    /// The chosen environment: its name and environments/NAME.yaml; for a name that is not known any text.
    pub environment: Option<(String, Arc<Source>)>,
    /// The names of the environments that there are.
    pub known_environments: Vec<String>,
    /// `--set key=value`, in the order given.
    pub overrides: Vec<(String, String)>,
    /// versions/splits/v*.yaml.
    pub splits: BTreeMap<u32, Arc<Source>>,
    /// versions/features/v*.yaml.
    pub features: BTreeMap<u32, Arc<Source>>,
    /// versions/models/v*.yaml.
    pub models: BTreeMap<u32, Arc<Source>>,
    /// versions/lock.yaml, if there is one.
    pub lock: Option<Arc<Source>>,
    /// The versions that flags choose.
    pub choose: Choice,
}

/// The versions that the flags `--split`, `--features` and `--model` choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--split`.
    pub split: Option<u32>,
    /// `--features`.
    pub features: Option<u32>,
    /// `--model`.
    pub model: Option<u32>,
}

/// A part of a project that has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// versions/splits.
    Split,
    /// versions/features.
    Features,
    /// versions/models.
    Model,
}

impl Part {
    /// All parts.
    pub const ALL: [Part; 3] = [Part::Split, Part::Features, Part::Model];

    /// Gives the key under `active`, which is the name of the flag, too.
    pub fn key(self) -> &'static str {
        match self {
            Part::Split => "split",
            Part::Features => "features",
            Part::Model => "model",
        }
    }

    /// Gives the folder under `versions`, which is the key in the lock, too.
    pub fn folder(self) -> &'static str {
        match self {
            Part::Split => "splits",
            Part::Features => "features",
            Part::Model => "models",
        }
    }

    /// Gives the path of a version file.
    pub fn path(self, version: u32) -> String {
        format!("versions/{}/v{version}.yaml", self.folder())
    }

    fn file(self) -> &'static str {
        match self {
            Part::Split => "a split version",
            Part::Features => "a feature version",
            Part::Model => "a model version",
        }
    }
}

named! {
    /// Whether a version may be used.
    pub enum Status {
        /// It may.
        Active = "active",
        /// It may not any more.
        Retired = "retired",
    }
}

record! {
    /// What every version file may say about itself; not part of its digest.
    pub(crate) struct Header {
        /// Whether the version may be used; a retired one is refused.
        status: Option<Located<Status>> = optional(crate::declare::choice()),
        /// What the version is for, in words.
        description: Option<Located<String>> = optional(text()),
    }
}

/// A version of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// The number.
    pub version: u32,
    /// What it says.
    pub spec: T,
    /// The file.
    pub source: Arc<Source>,
    /// BLAKE3 in hexadecimal of what the file says: comments, layout, `status` and `description` do not count.
    pub digest: String,
}

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The project file, with the environment and the overrides laid over it.
    pub project: Project,
    /// The split version.
    pub split: Versioned<SplitSpec>,
    /// The feature version.
    pub features: Versioned<FeatureSpec>,
    /// The model version.
    pub model: Versioned<ModelSpec>,
    /// What runs have used so far.
    pub lock: Lock,
    /// The types that columns were found to have; empty where no run has read the data yet. [`resolve`] leaves it empty.
    pub schema: KeptSchema,
    /// The chosen environment.
    pub environment: Option<String>,
    /// `--set key=value`, in the order given.
    pub overrides: Vec<(String, String)>,
    /// What deserves attention but keeps nothing from running.
    pub warnings: Vec<Diagnostic>,
}

impl Resolved {
    /// Gives the metrics that the configuration names and that not every report has: in the order of the list of metrics.
    pub fn further_metrics(&self) -> Vec<&'static str> {
        let project = &self.project;
        let evaluate = project.evaluate.iter().flat_map(|evaluate| {
            let of_slices = evaluate.slices.iter().map(|slices| &slices.metric);
            evaluate.metrics.iter().chain(of_slices)
        });
        let gates = project.gates.iter().map(|gate| &gate.metric);
        let promote = project.promote.iter();
        let promote = promote.flat_map(|of| of.may_lose.iter().map(|(metric, _)| metric).chain([&of.metric]));
        let named: Vec<&str> =
            evaluate.chain(gates).chain(promote).chain([&self.model.spec.metric]).map(|name| name.as_str()).collect();
        let further = crate::metric::METRICS.iter().filter(|metric| metric.is_further);
        further.map(|metric| metric.name).filter(|name| named.contains(name)).collect()
    }
}

/// Gives the text of a part's version file as a run used it.
pub type UsedText<'a> = dyn Fn(Part, &str) -> Option<String> + 'a;

/// The most problems that are told; each is drawn from its whole text, and nobody reads more.
const MOST_PROBLEMS: usize = 100;

/// Makes one configuration of the files of a project: the project file, over it the environment, over it the overrides,
/// and the versions that flags choose, else the environment, else `active`.
///
/// # Errors
/// All problems in one pass: what is no YAML, what no key or value can be, then what needs the whole to be seen.
pub fn resolve(files: &SpecFiles) -> Result<Resolved, Problems> {
    resolve_beside(files, &|_, _| None)
}

/// Does what [`resolve`] does; of a version file that was edited after it was used, the problem tells what was changed, if
/// `used` knows the file's text as the run of that name used it.
///
/// # Errors
/// Those of [`resolve`].
pub fn resolve_beside(files: &SpecFiles, used: &UsedText<'_>) -> Result<Resolved, Problems> {
    let mut errors = Vec::new();
    let tree = layered(files, &mut errors);
    let project = tree.as_ref().and_then(|tree| {
        let mut decoder = Decoder::new("trainyard.yaml");
        let project = Project::decode(tree, &mut decoder);
        errors.append(&mut decoder.errors);
        project
    });
    let lock = match &files.lock {
        Some(source) => Lock::read(source).map_err(|found| errors.extend(found)).ok(),
        None => Some(Lock::default()),
    };
    let known_lock = lock.clone().unwrap_or_default();
    let chosen = |part| chosen(files, tree.as_ref(), part);
    let known = version::Known { lock: &known_lock, text: used };
    let split = version::load(Part::Split, chosen(Part::Split), &files.splits, known, &mut errors);
    let features = version::load(Part::Features, chosen(Part::Features), &files.features, known, &mut errors);
    let model = version::load(Part::Model, chosen(Part::Model), &files.models, known, &mut errors);
    if let (Some(project), Some(tree), Some(chosen)) = (&project, &tree, chosen(Part::Split)) {
        context::check_split_lock(project, tree, chosen.version, files, &known_lock, &mut errors);
    }
    let mut model = model;
    let mut project = project;
    if let Some(project) = &mut project {
        context::check_project(project, &mut errors);
        if let Some(split) = &split {
            context::check_split(project, &split.spec, &mut errors);
        }
        if let Some(model) = &mut model {
            context::check_model(project, &mut model.spec, &mut errors);
        }
    }
    if let (Some(model), Some(split)) = (&model, &split) {
        context::check_calibration(&model.spec, &split.spec, &mut errors);
        context::check_repeats(&model.spec, &split.spec, &mut errors);
    }
    if let (Some(model), Some(features)) = (&model, &features) {
        context::check_categories(&features.spec, &model.spec, &mut errors);
        context::check_search(&features.spec, &model.spec, &mut errors);
    }
    let shown = errors.iter().take(MOST_PROBLEMS).map(Error::diagnostic).collect();
    let mut problems: Problems = in_order(shown).into_iter().collect();
    if let Some(more) = errors.len().checked_sub(MOST_PROBLEMS).filter(|more| *more > 0) {
        problems.push(Error::ManyMore { more }.diagnostic());
    }
    let (split_spec, model_spec) = (split.as_ref().map(|split| &split.spec), model.as_ref().map(|model| &model.spec));
    let warnings =
        project.as_ref().map(|project| context::warnings(project, split_spec, model_spec)).unwrap_or_default();
    match (project, split, features, model, lock) {
        (Some(project), Some(split), Some(features), Some(model), Some(lock)) if problems.errors() == 0 => {
            Ok(Resolved {
                project,
                split,
                features,
                model,
                lock,
                schema: KeptSchema::default(),
                environment: files.environment.as_ref().map(|(name, _)| name.clone()),
                overrides: files.overrides.clone(),
                warnings,
            })
        }
        _ => {
            problems.extend(warnings);
            Err(problems)
        }
    }
}

/// Gives the data section and the chosen feature version of a configuration that is wrong elsewhere, so that they can be
/// held against the table in the same pass; nothing where one of these two is wrong itself.
pub fn sound_parts(files: &SpecFiles) -> Option<(DataSpec, FeatureSpec)> {
    let mut errors = Vec::new();
    let tree = layered(files, &mut errors)?;
    errors.clear();
    let mut decoder = Decoder::new("trainyard.yaml");
    let data = DataSpec::decode(tree.get("data")?, &mut decoder)?;
    let chosen = chosen(files, Some(&tree), Part::Features);
    let known = version::Known { lock: &Lock::default(), text: &|_, _| None };
    let features = version::load(Part::Features, chosen, &files.features, known, &mut errors)?;
    (decoder.errors.is_empty() && errors.is_empty()).then_some((data, features.spec))
}

/// Sorts diagnostics as their places follow one another in each file; files keep the order in which they came up.
pub(crate) fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |diagnostic: &Diagnostic| diagnostic.primary.as_ref().map(|label| label.place.clone());
    let mut names: Vec<String> = Vec::new();
    for place in diagnostics.iter().filter_map(place) {
        if !names.contains(&place.source.name) {
            names.push(place.source.name.clone());
        }
    }
    let rank = |name: &String| names.iter().position(|known| known == name);
    diagnostics.sort_by_key(|diagnostic| place(diagnostic).map(|place| (rank(&place.source.name), place.span.start)));
    diagnostics
}

/// Lays the environment, the overrides and the flags over the project file.
fn layered(files: &SpecFiles, errors: &mut Vec<Error>) -> Option<Node> {
    let base = tree::parse(&files.project, errors);
    let above = match &files.environment {
        Some((name, source)) if files.known_environments.contains(name) => tree::parse(source, errors),
        _ => None,
    };
    if let Some((name, _)) = &files.environment
        && !files.known_environments.contains(name)
    {
        errors.push(Error::UnknownEnvironment { name: name.clone(), known: files.known_environments.clone() });
    }
    let mut tree = base?;
    if let Some(above) = above {
        let mut decoder = Decoder::new("an environment");
        if decoder.entries(&above, "a section of keys of trainyard.yaml").is_some() {
            tree::merge(&mut tree, above);
        }
        errors.append(&mut decoder.errors);
    }
    override_with(&mut tree, &files.overrides, errors);
    for part in Part::ALL {
        if let Some(version) = files.choose.of(part) {
            let flag = Origin::Flag(format!("--{} {version}", part.key()));
            let node = Node::plain(version.to_string(), flag.clone());
            errors
                .extend(tree::set(&mut tree, &format!("active.{}", part.key()), node, &flag).err().map(|error| *error));
        }
    }
    Some(tree)
}

/// Lays `--set key=value` over a file, in the order given.
pub(crate) fn override_with(tree: &mut Node, overrides: &[(String, String)], errors: &mut Vec<Error>) {
    for (key, value) in overrides {
        let flag = Origin::Flag(format!("--set {key}={value}"));
        let mut found = Vec::new();
        // In YAML these begin a block of text, which no flag holds: here they stand for themselves.
        if value == "|" || value == ">" {
            let node = Node::plain(value.clone(), flag.clone());
            errors.extend(tree::set(tree, key, node, &flag).err().map(|error| *error));
            continue;
        }
        match tree::parse(&Source::new("command line", value.clone()), &mut found) {
            Some(node) if found.is_empty() => {
                let node = if value.trim().is_empty() { Node::plain("", flag.clone()) } else { node.moved_to(&flag) };
                errors.extend(tree::set(tree, key, node, &flag).err().map(|error| *error));
            }
            _ => errors.push(Error::SetValue { flag }),
        }
    }
}

impl Choice {
    fn of(&self, part: Part) -> Option<u32> {
        match part {
            Part::Split => self.split,
            Part::Features => self.features,
            Part::Model => self.model,
        }
    }
}

/// Finds the chosen version, also where the rest of the project file is wrong.
fn chosen(files: &SpecFiles, tree: Option<&Node>, part: Part) -> Option<Chosen> {
    let node = tree.and_then(|tree| tree.get("active")).and_then(|active| active.get(part.key()));
    match (node, files.choose.of(part)) {
        (_, Some(version)) => Some(Chosen { version, origin: Origin::Flag(format!("--{} {version}", part.key())) }),
        (Some(node), None) => match &node.content {
            tree::Content::Scalar(scalar) => {
                let version = scalar.text.parse().ok().filter(|version| *version > 0)?;
                Some(Chosen { version, origin: node.origin.clone() })
            }
            tree::Content::Sequence(_) | tree::Content::Mapping(_) => None,
        },
        (None, None) => None,
    }
}
