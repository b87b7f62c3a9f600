//! What is recorded of one execution.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trainyard_files::Digest;

/// Describes a run that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRun {
    /// The id: letters, digits, `_` and `-`, at most 256.
    pub run: String,
    /// The experiment that it belongs to.
    pub experiment: String,
    /// The name that people see.
    pub name: String,
    /// The tags that are known from the start.
    pub tags: BTreeMap<String, String>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
}

/// Is one measurement. A run holds one value per key and step; logged again, the later one stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The name, such as `reference_roc_auc`.
    pub key: String,
    /// The value; NaN and the infinities are kept, in JSON as texts.
    #[serde(serialize_with = "number", deserialize_with = "read_number")]
    pub value: f64,
    /// The iteration; 0 for a value that has none.
    pub step: i64,
    /// When it was measured, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// Names a data set that a run has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it is to the run, such as `master` or `reference`; one each.
    pub name: String,
    /// The digest of its content.
    pub digest: Digest,
    /// Where it came from, as the spec says.
    pub source: String,
    /// How many rows it has.
    pub rows: u64,
}

/// Names a stored artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArtifactRecord {
    /// The path inside the run, with `/`.
    pub path: String,
    /// The digest of the bytes, under which the object store holds them.
    pub digest: Digest,
    /// The length in bytes.
    pub size: u64,
}

/// Says how a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How it stands from now on.
    pub status: Status,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// Why, where it did not end as it should.
    pub reason: Option<Reason>,
}

/// Is what a run logs at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Batch {
    /// The run's begin, before all the rest, as for [`Tracking::start_run`](crate::Tracking::start_run).
    pub start: Option<NewRun>,
    /// Parameters, as for [`Tracking::log_params`](crate::Tracking::log_params).
    pub params: BTreeMap<String, String>,
    /// Metrics.
    pub metrics: Vec<Metric>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Data sets that were read.
    pub inputs: Vec<Input>,
    /// Artifacts by path, already among the objects.
    pub artifacts: BTreeMap<String, Digest>,
    /// Reference tests that judged the run, each counted once a run: the split version and the digest.
    pub reference_uses: Vec<(u32, Digest)>,
    /// The run's end, after all the rest, as for [`Tracking::end_run`](crate::Tracking::end_run).
    pub end: Option<End>,
}

/// Says how a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It has begun and not ended.
    Running,
    /// It ended as it should.
    Finished,
    /// A step could not be done.
    Failed,
    /// It was stopped from outside.
    Killed,
    /// A gate, or a loss that may not be, said no.
    Refused,
}

impl Status {
    /// Lists every status.
    pub const ALL: [Self; 5] = [Self::Running, Self::Finished, Self::Failed, Self::Killed, Self::Refused];

    /// Returns the name as it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
            Self::Refused => "REFUSED",
        }
    }

    /// Finds a status by its name, whatever its case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// Says whether a run that ended so may go on: `resume` reopens what failed or was killed.
    pub const fn can_resume(self) -> bool {
        matches!(self, Self::Running | Self::Failed | Self::Killed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Says why a run ended as it did: a code to act on, and words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code of a diagnostic, such as `gate/missed`.
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// Is everything known of a run but its artifacts' bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// The id.
    pub run: String,
    /// The experiment.
    pub experiment: String,
    /// The name that people see.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Why it ended so.
    pub reason: Option<Reason>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// The parameters.
    pub params: BTreeMap<String, String>,
    /// The metrics, each at its last step.
    pub metrics: BTreeMap<String, f64>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The data sets that it read, by name.
    pub inputs: Vec<Input>,
}

/// Writes a number; what JSON has none for as MLflow's texts.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match not_finite(*value) {
        Some(text) => serializer.serialize_str(text),
        None => serializer.serialize_f64(*value),
    }
}

/// Gives the text that MLflow writes for NaN and the infinities.
pub(crate) fn not_finite(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

fn read_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
