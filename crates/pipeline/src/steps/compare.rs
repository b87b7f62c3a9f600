//! Puts the candidate beside the model in service, on reference rows that neither has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_files::{Digest, Digester};
use trainyard_model::{CompareRequest, Comparison, Incumbent, Model, compare};
use trainyard_spec::Resolved;
use trainyard_tracking::{ModelReference, VersionRecord};

use super::context::{Context, Mode, RESAMPLES, StoredIncumbent, model_reads, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};

pub(crate) struct Compare(pub(crate) Arc<Context>);

impl Compare {
    /// Finds the version behind the promoted alias, in a replay the one that stood there then.
    fn incumbent(&self) -> Result<Option<VersionRecord>, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = &project.promote else { return Ok(None) };
        if let Some(record) = self.0.recorded("compare") {
            let found = &record.output.facts["incumbent"];
            let number = found["version"].as_u64().and_then(|version| u32::try_from(version).ok());
            let digest = found["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
            let (Some(number), Some(digest)) = (number, digest) else { return Ok(None) };
            if let Some(stored) = self.stored() {
                return Ok(Some(stored.version.clone()));
            }
            let model = &project.model.value;
            let made = self.0.tracking.version_made(model, number, &digest).map_err(|error| error.diagnostic())?;
            // One that is nowhere to be found is told as such.
            let known = || self.0.tracking.version_by(&ModelReference::version(model, number));
            return made.map_or_else(known, Ok).map(Some).map_err(|error| error.diagnostic().into());
        }
        let reference = format!("{}@{}", project.model.value, promote.alias.value);
        let reference = reference.parse::<ModelReference>().map_err(|error| error.diagnostic())?;
        self.0.tracking.find_version(&reference).map_err(|error| error.diagnostic().into())
    }
}

impl Compare {
    /// Gives the incumbent that a replay brings along.
    fn stored(&self) -> Option<&StoredIncumbent> {
        match &self.0.mode {
            Mode::Replay { incumbent, .. } => incumbent.as_deref(),
            Mode::Live => None,
        }
    }

    /// Reads the files of the incumbent.
    fn folder(&self, version: &VersionRecord) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let Some(stored) = self.stored() else {
            let folder = self.0.tracking.version_files(version);
            return folder.map_err(|error| error.to_string());
        };
        let read = |(file, digest): (&String, &Digest)| Ok((file.clone(), self.0.recorded_object(digest)?));
        stored.files.iter().map(read).collect()
    }
}

/// Puts a candidate beside an incumbent as a run of this configuration does.
pub(crate) fn compared(
    resolved: &Resolved,
    metric: &str,
    (candidate, candidate_digest): (&Model, Digest),
    incumbent: Option<Incumbent<'_>>,
    reference: &RecordBatch,
) -> Result<Comparison, trainyard_model::Error> {
    compare(&CompareRequest {
        candidate,
        candidate_digest,
        incumbent,
        reference,
        data: &resolved.project.data,
        more: &resolved.further_metrics(),
        metric,
        resamples: RESAMPLES,
        seed: resolved.split.spec.seed.value,
    })
}

impl Step for Compare {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = model_reads(self.0.last_fit());
        reads.push(Read::new("split", "reference"));
        reads
    }

    fn after(&self) -> Vec<&'static str> {
        self.0.before_promotion()
    }

    fn code(&self) -> Digest {
        code::digest("compare", &["model", "tracking"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let model = &self.0.resolved.project.model.value;
        let head = self.0.tracking.head(model).map_err(|error| error.diagnostic())?;
        // A file of the incumbent that can't be read today may be read tomorrow.
        let files = match self.incumbent()? {
            Some(version) => match self.0.tracking.version_digests(&version) {
                Ok(files) => {
                    let add = |all: Digester, (path, digest): (&String, &Digest)| all.text(path).digest(digest);
                    files.iter().fold(Digester::new("incumbent"), add).finish()
                }
                Err(_) => Digest::of(b"unreadable"),
            },
            None => Digest::of(b""),
        };
        let (registry, incumbent) = (Input::new("registry", head), Input::new("incumbent", files));
        Ok(vec![self.0.section("promote"), self.0.section("data"), self.0.further_metrics(), registry, incumbent])
    }

    fn asks_a_server(&self) -> bool {
        self.0.asks_a_registry()
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = &project.promote else { return Ok(Output::default()) };
        let (candidate, digest) = self.0.model(scope, self.0.last_fit())?;
        let reference = self.0.table(scope, "split", "reference")?;
        // Read before the incumbent: promote writes only while this is still the registry's head.
        let head = self.0.tracking.head(&project.model.value).map_err(|error| error.diagnostic())?;
        let incumbent = self.incumbent()?;
        let loaded = incumbent.as_ref().map(|version| {
            let folder = self.folder(version)?;
            Model::from_folder(&folder).map_err(|error| error.to_string())
        });
        let beside = incumbent.as_ref().zip(loaded.as_ref()).map(|(version, loaded)| Incumbent {
            digest: version.digest,
            model: loaded.as_ref().map_err(Clone::clone),
        });
        let comparison = compared(&self.0.resolved, &promote.metric.value, (&candidate, digest), beside, &reference)
            .map_err(|error| error.diagnostic())?;
        let subject = match &incumbent {
            Some(version) => format!("against v{}", version.version),
            None => format!("no {} yet", promote.alias.value),
        };
        let result = match &comparison {
            Comparison::NoIncumbent => "nothing to beat".to_owned(),
            Comparison::SameModel => "the same model".to_owned(),
            Comparison::TooFewRows { rows, .. } => format!("only {rows} unseen rows"),
            Comparison::SeenUnknown { .. } => "what it has seen is unknown".to_owned(),
            Comparison::OtherTarget { incumbent, .. } => format!("it predicts {incumbent}"),
            Comparison::IncumbentFails { .. } => "it cannot run".to_owned(),
            Comparison::Measured(found) => {
                format!("{} {:+.3} [{:+.3}, {:+.3}]", found.metric, found.difference, found.low, found.high)
            }
        };
        let stored = scope.store(&to_json(&comparison))?;
        let mut output = Output {
            facts: json!({
                "comparison": comparison,
                "digest": digest.to_string(),
                "head": head.to_string(),
                "incumbent": incumbent.map(|version| json!({
                    "version": version.version, "stage": version.stage.name(), "digest": version.digest.to_string(),
                })),
            }),
            headline: (subject, result),
            ..Output::default()
        };
        output.artifacts.insert("comparison".to_owned(), stored);
        output.logged.files.insert("comparison.json".to_owned(), stored);
        Ok(output)
    }

    fn publish(&self, scope: &Scope, _record: &Record) -> Result<(), Failure> {
        self.0.count_use(&scope.digest("split", "reference")?);
        Ok(())
    }
}
