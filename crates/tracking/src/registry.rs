//! Registered models and their versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Digester};
use trainyard_spec::Stage;

/// The alias that keeps the former holder of whatever alias moved last.
pub const PREVIOUS: &str = "previous";

const STAGES: [Stage; 4] = [Stage::None, Stage::Staging, Stage::Production, Stage::Archived];

/// Finds a stage by its name, whatever its case.
pub fn parse_stage(name: &str) -> Option<Stage> {
    STAGES.into_iter().find(|stage| stage.name().eq_ignore_ascii_case(name))
}

/// Says whether a stage has one holder, so that a newcomer archives it.
pub(crate) fn has_one_holder(stage: Stage) -> bool {
    matches!(stage, Stage::Staging | Stage::Production)
}

pub(crate) fn stage_name<S: Serializer>(stage: &Stage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stage.name())
}

/// Describes a version to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVersion {
    /// The run that made it; a run makes at most one version of a model.
    pub run: String,
    /// The digest of the model folder.
    pub digest: Digest,
    /// The folder among the run's artifacts that holds the model.
    pub artifact_path: String,
    /// How many rows it was made from, by name: `train`, `validation`, `reference`…
    pub rows: BTreeMap<String, u64>,
    /// Who makes it, as `user@host`.
    pub who: String,
    /// When it is made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Is a registered version as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionRecord {
    /// The registered model.
    pub model: String,
    /// The number, from 1.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// The digest of the model folder.
    pub digest: Digest,
    /// The folder among the run's artifacts that holds the model.
    pub artifact_path: String,
    /// The stage.
    #[serde(serialize_with = "stage_name")]
    pub stage: Stage,
    /// The aliases that point at it, sorted.
    pub aliases: Vec<String>,
    /// How many rows it was made from.
    pub rows: BTreeMap<String, u64>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Is a registered model as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelRecord {
    /// The name.
    pub name: String,
    /// When its first version was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// The newest version.
    pub latest: u32,
    /// Where the aliases point.
    pub aliases: BTreeMap<String, u32>,
}

/// Says when, why and by which run a version's stage or alias changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who does it, as `user@host`.
    pub who: String,
    /// The run that does it; none when a person does.
    pub run: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// The decision behind it, such as the comparison's result; null for none.
    pub decision: Value,
}

/// Describes a promotion: a version, its stage and its alias at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Promotion {
    /// The registered model.
    pub model: String,
    /// The version to make.
    pub version: NewVersion,
    /// The stage that it gets.
    pub stage: Stage,
    /// The alias that will point at it.
    pub alias: String,
    /// Why, in words.
    pub reason: String,
    /// The decision behind it, such as the comparison's result; null for none.
    pub decision: Value,
    /// The registry's head that the decision rests on. Another head refuses the promotion; none does not ask.
    pub expected_head: Option<Digest>,
}

/// Is the outcome of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promoted {
    /// The version as it stands now.
    pub version: VersionRecord,
    /// Whether this call did it; a repeated one finds it done.
    pub newly: bool,
}

/// Is what another changed of a model while this project changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanwhile {
    /// The model.
    pub model: String,
    /// What the other changed, in words.
    pub changes: Vec<String>,
}

impl Meanwhile {
    /// Tells a user of it.
    pub fn diagnostic(&self) -> Diagnostic {
        let title = format!("another changed {} at the same moment", self.model);
        let warning = Diagnostic::warning("tracking/changed-meanwhile", title);
        let told = self.changes.iter().fold(warning, |warning, change| warning.note(change.clone()));
        told.note("what this command did stands, and was decided without knowing of it").help(format!(
            "`trainyard models history {}` tells both; promote again what should be in charge",
            self.model
        ))
    }
}

impl NewVersion {
    /// Describes the change that making it is.
    pub(crate) fn change(&self, reason: &str, decision: Value) -> Change {
        Change {
            at_ms: self.created_ms,
            who: self.who.clone(),
            run: Some(self.run.clone()),
            reason: reason.to_owned(),
            decision,
        }
    }
}

/// Digests a model's versions, the newest first, with their stages and aliases.
pub(crate) fn head_of(model: &str, versions: &[VersionRecord]) -> Digest {
    let mut digester = Digester::new("trainyard registry head").text(model);
    for version in versions {
        digester = digester.number(u64::from(version.version)).digest(&version.digest).text(version.stage.name());
        digester = digester.number(version.aliases.len() as u64);
        for alias in &version.aliases {
            digester = digester.text(alias);
        }
    }
    digester.finish()
}
