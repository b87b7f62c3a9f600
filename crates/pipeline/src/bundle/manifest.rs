//! What a bundle says of itself, before all else in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trainyard_files::Digest;

/// The format that this program writes, and the latest that it reads.
pub(super) const FORMAT: u64 = 1;
/// The name of the first member.
pub(super) const MANIFEST: &str = "manifest.json";
/// The members that every bundle has.
pub(super) const CONFIGURATION: &str = "run/configuration.json";
/// The journal of the run.
pub(super) const JOURNAL: &str = "run/journal.jsonl";
/// Where objects lie, each under its digest.
pub(super) const OBJECTS: &str = "objects/";
/// Where the source lies, under its own name.
pub(super) const SOURCE: &str = "source/";
/// Where the version files lie, for people; the configuration has them too.
pub(super) const VERSIONS: &str = "versions/";

/// Says what a bundle holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format.
    pub(super) format: u64,
    /// The program that wrote it.
    pub(super) made_by: String,
    /// The run.
    pub(super) run: String,
    /// How the run stood.
    pub(super) status: String,
    /// The project's name.
    pub(super) project: String,
    /// What stands for the data that the run read.
    pub(super) data: Data,
    /// The engines' libraries that the run loaded, which are not in the bundle: name and digest.
    pub(super) engines: BTreeMap<String, Digest>,
    /// The code of each step.
    pub(super) code: BTreeMap<String, Digest>,
    /// The model that the candidate was compared with.
    pub(super) incumbent: Option<IncumbentFiles>,
    /// What the run made.
    pub(super) artifacts: Vec<Artifact>,
    /// The other members, in order.
    pub(super) members: Vec<Member>,
}

/// Says what stands for the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub(super) enum Data {
    /// The source's own file.
    SourceFile {
        /// What the configuration calls it.
        source: String,
        /// Where it lies in the bundle.
        member: String,
    },
    /// The table that was ingested.
    IngestedTable {
        /// What the configuration calls the source.
        source: String,
        /// Why not the source itself.
        because: String,
    },
}

/// Names the files of the incumbent among the objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct IncumbentFiles {
    /// The registered model.
    pub(super) model: String,
    /// Its version.
    pub(super) version: u32,
    /// The run that made it.
    pub(super) run: String,
    /// The digest of its folder.
    pub(super) digest: Digest,
    /// Its stage at that time.
    pub(super) stage: String,
    /// The files of its native form.
    pub(super) files: BTreeMap<String, Digest>,
}

/// Names what a step made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Artifact {
    /// The step.
    pub(super) step: String,
    /// The artifact.
    pub(super) name: String,
    /// Its digest.
    pub(super) digest: Digest,
    /// Whether its bytes are in the bundle.
    pub(super) is_kept: bool,
}

/// Names a file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    /// Its name.
    pub(super) path: String,
    /// The digest of its bytes.
    pub(super) digest: Digest,
    /// How many bytes it has.
    pub(super) bytes: u64,
}
