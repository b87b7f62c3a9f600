//! The registry's history: append-only, each entry holding the digest of the one before.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use trainyard_files::{Digest, Digester};
use trainyard_spec::Stage;

use crate::registry::{parse_stage, stage_name};

/// Names what was asked of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

impl Action {
    /// Returns the name as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Transitioned => "transitioned",
            Self::Aliased => "aliased",
            Self::Promoted => "promoted",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Registered, Self::Transitioned, Self::Aliased, Self::Promoted]
            .into_iter()
            .find(|action| action.name() == name)
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
        /// Its new holder.
        to: u32,
    },
}

/// Is one entry of the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// The place in the history of the whole registry, from 1 without gaps.
    pub sequence: u64,
    /// The registered model.
    pub model: String,
    /// The version that was acted on.
    pub version: u32,
    /// What was asked.
    pub action: Action,
    /// What changed.
    pub effects: Vec<Effect>,
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
    pub(crate) model: String,
    pub(crate) version: i64,
    pub(crate) action: String,
    pub(crate) effects: String,
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
        Digester::new("trainyard registry history 1")
            .digest(&self.previous)
            .number(self.sequence.cast_unsigned())
            .text(&self.model)
            .number(self.version.cast_unsigned())
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
