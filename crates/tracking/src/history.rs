//! The registry's history: append-only, each entry holding the digest of the one before.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use trainyard_files::{Digest, Digester};
use trainyard_spec::Stage;

use crate::registry::{parse_stage, stage_name};

/// Names what was asked of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A version was made.
    Registered,
    /// A version's stage was changed.
    Transitioned,
    /// An alias was moved.
    Aliased,
    /// A version was made and got its stage and alias.
    Promoted,
    /// A candidate was measured and not promoted; the decision says why.
    Kept,
    /// A gate, or a loss that may not be, said no to a candidate.
    Refused,
    /// A version gave its alias back to the one before.
    RolledBack,
    /// A version was put away.
    Archived,
    /// A promotion was undone by another at the same time.
    Lost,
    /// The registry was changed past this project.
    Observed,
}

impl Action {
    const ALL: [Self; 10] = [
        Self::Registered,
        Self::Transitioned,
        Self::Aliased,
        Self::Promoted,
        Self::Kept,
        Self::Refused,
        Self::RolledBack,
        Self::Archived,
        Self::Lost,
        Self::Observed,
    ];

    /// Returns the name as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Transitioned => "transitioned",
            Self::Aliased => "aliased",
            Self::Promoted => "promoted",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
            Self::Archived => "archived",
            Self::Lost => "lost",
            Self::Observed => "observed",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

fn named_stage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stage, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse_stage(&name).ok_or_else(|| serde::de::Error::custom("no such stage"))
}

/// Is one change that an action made. Replayed in order, all of them give the registry as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// A version came to be, in stage None.
    Created {
        /// The version.
        version: u32,
        /// The digest of its model folder.
        digest: Digest,
    },
    /// A version went from one stage to another.
    Staged {
        /// The version.
        version: u32,
        /// The former stage.
        #[serde(serialize_with = "stage_name", deserialize_with = "named_stage")]
        from: Stage,
        /// The new stage.
        #[serde(serialize_with = "stage_name", deserialize_with = "named_stage")]
        to: Stage,
    },
    /// An alias went from one version to another.
    Aliased {
        /// The alias.
        alias: String,
        /// Its former holder.
        from: Option<u32>,
        /// Its new holder; none where the alias was taken away.
        to: Option<u32>,
    },
    /// A version was deleted on a server, past every project.
    Deleted {
        /// The version.
        version: u32,
        /// The digest of its model folder.
        digest: Digest,
        /// The stage that it had.
        #[serde(serialize_with = "stage_name", deserialize_with = "named_stage")]
        stage: Stage,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { version, .. } => write!(f, "v{version} made"),
            Self::Staged { version, from, to } => write!(f, "v{version} {from} → {to}"),
            Self::Aliased { alias, from: Some(from), to: Some(to) } => write!(f, "{alias} v{from} → v{to}"),
            Self::Aliased { alias, from: None, to: Some(to) } => write!(f, "{alias} → v{to}"),
            Self::Aliased { alias, to: None, .. } => write!(f, "{alias} taken away"),
            Self::Deleted { version, .. } => write!(f, "v{version} deleted"),
        }
    }
}

/// Is one entry of the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// The place in the history of the whole registry, from 1 without gaps.
    pub sequence: u64,
    /// Where the registry is: empty for the project's own, else the address of a server.
    pub registry: String,
    /// The registered model.
    pub model: String,
    /// The version that was acted on; none where none was made.
    pub version: Option<u32>,
    /// What was asked.
    pub action: Action,
    /// What changed.
    pub effects: Vec<Effect>,
    /// Who did it, as `user@host`; unknown of what the first schema recorded.
    pub who: Option<String>,
    /// The run that did it.
    pub run: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// The decision behind it; null for none.
    pub decision: Value,
    /// When, in milliseconds since 1970, by the clock of whoever did it.
    pub at_ms: i64,
    /// The hash of the entry before; zeros for the first.
    pub previous: Digest,
    /// The hash of this entry, which covers all of the above.
    pub hash: Digest,
}

/// Is an entry's content as it is stored, which is what the hash covers.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) sequence: i64,
    pub(crate) registry: String,
    pub(crate) model: String,
    pub(crate) version: Option<i64>,
    pub(crate) action: String,
    pub(crate) effects: String,
    /// None in entries of the first schema.
    pub(crate) who: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) reason: String,
    pub(crate) decision: String,
    pub(crate) at_ms: i64,
    pub(crate) previous: Digest,
}

impl Link {
    /// What the first entry holds as the hash of the one before.
    pub(crate) const ORIGIN: Digest = Digest::from_bytes([0; 32]);

    pub(crate) fn hash(&self) -> Digest {
        let begun = match &self.who {
            None => Digester::new("trainyard registry history 1")
                .digest(&self.previous)
                .number(self.sequence.cast_unsigned())
                .text(&self.model)
                .number(self.version.unwrap_or_default().cast_unsigned()),
            Some(who) => Digester::new("trainyard registry history 2")
                .digest(&self.previous)
                .number(self.sequence.cast_unsigned())
                .text(&self.registry)
                .text(&self.model)
                .number(u64::from(self.version.is_some()))
                .number(self.version.unwrap_or_default().cast_unsigned())
                .text(who),
        };
        begun
            .text(&self.action)
            .text(&self.effects)
            .number(u64::from(self.run.is_some()))
            .text(self.run.as_deref().unwrap_or_default())
            .text(&self.reason)
            .text(&self.decision)
            .number(self.at_ms.cast_unsigned())
            .finish()
    }
}
