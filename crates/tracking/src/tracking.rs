//! The trait behind which runs and models are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use trainyard_files::Digest;
use trainyard_spec::Stage;

use crate::{
    Action, Answered, ArtifactRecord, Batch, Change, Error, HistoryEntry, Input, Meanwhile, Metric, ModelRecord,
    ModelReference, NewRun, NewVersion, Promoted, Promotion, Reason, RunRecord, Standing, Status, Undelivered,
    VersionRecord,
};

/// Keeps runs and registered models.
///
/// Every method that writes is one transaction, on the disk when it returns, and may be repeated after a crash:
/// the same call again changes nothing.
pub trait Tracking: Send + Sync {
    /// Begins a run. One that is running, failed or was killed goes on; its status is RUNNING again.
    /// [`Error::RunEnded`] for one that finished or was refused.
    fn start_run(&self, run: &NewRun) -> Result<(), Error>;
    /// Adds parameters. They never change: [`Error::ParamChanged`].
    fn log_params(&self, run: &str, params: &BTreeMap<String, String>) -> Result<(), Error>;
    /// Adds metrics; one value for each key and step, the last one logged.
    fn log_metrics(&self, run: &str, metrics: &[Metric]) -> Result<(), Error>;
    /// Sets tags, of an ended run too.
    fn set_tags(&self, run: &str, tags: &BTreeMap<String, String>) -> Result<(), Error>;
    /// Adds a data set that the run read.
    fn log_input(&self, run: &str, input: &Input) -> Result<(), Error>;
    /// Stores an artifact; one of the same path is replaced.
    fn log_artifact(&self, run: &str, path: &str, bytes: &[u8]) -> Result<Digest, Error>;
    /// Adds all of a batch in one transaction. An artifact whose object is absent or damaged is an error.
    fn log_batch(&self, run: &str, batch: &Batch) -> Result<(), Error>;
    /// Reads an artifact, verified.
    fn read_artifact(&self, run: &str, path: &str) -> Result<Vec<u8>, Error>;
    /// Gives the digests of the artifacts below a folder, under their paths inside it. One whose bytes are absent or
    /// others is an error, as when it is read.
    fn folder_digests(&self, run: &str, folder: &str) -> Result<BTreeMap<String, Digest>, Error>;
    /// Lists a run's artifacts, sorted by path.
    fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRecord>, Error>;
    /// Lists the runs that have an artifact of this path, the newest first, with its digest.
    fn artifacts_at(&self, path: &str) -> Result<Vec<(String, Digest)>, Error>;
    /// Ends a run. [`Error::RunEnded`] for one that ended otherwise before.
    fn end_run(&self, run: &str, status: Status, ended_ms: i64, reason: Option<&Reason>) -> Result<(), Error>;
    /// Finds a run by its whole id.
    fn run(&self, id: &str) -> Result<Option<RunRecord>, Error>;
    /// Finds a run by its id or a beginning of it that no other shares.
    /// [`Error::UnknownRun`] names near and recent ones, [`Error::AmbiguousRun`] the candidates.
    fn find_run(&self, id: &str) -> Result<RunRecord, Error>;
    /// Lists the newest runs first, at most `limit`, only those of a status where one is given.
    fn runs(&self, limit: usize, status: Option<Status>) -> Result<Vec<RunRecord>, Error>;
    /// Finds the data set called `input` of the newest run of an experiment that finished or was refused, among those that
    /// began before `run`; among all where `run` has not begun. One that was imported has no data here. Gives that run and the
    /// digest.
    fn input_before(&self, run: &str, experiment: &str, input: &str) -> Result<Option<(String, Digest)>, Error>;
    /// Lists all values of a metric in the order of their steps.
    fn metric_history(&self, run: &str, key: &str) -> Result<Vec<Metric>, Error>;

    /// Registers a version in stage None. The same run again gets the version that it made;
    /// [`Error::IncompleteModel`] until every file of it is stored and whole.
    fn create_version(&self, model: &str, version: &NewVersion) -> Result<VersionRecord, Error>;
    /// Changes a version's stage. Who held Staging or Production is archived.
    fn transition(&self, model: &str, version: u32, stage: Stage, change: &Change) -> Result<VersionRecord, Error>;
    /// Points an alias at a version, and [`PREVIOUS`](crate::PREVIOUS) at its former holder.
    fn set_alias(&self, model: &str, alias: &str, version: u32, change: &Change) -> Result<VersionRecord, Error>;
    /// Makes a version and gives it its stage and alias, with one entry in the history: all or nothing.
    /// A promotion that the same run has done before is found done, whatever happened since.
    fn promote(&self, promotion: &Promotion) -> Result<Promoted, Error>;
    /// Records that a run's candidate was kept back or refused: [`Action::Kept`] or [`Action::Refused`], of no version.
    /// The same of the same run again adds nothing.
    fn record_decision(&self, model: &str, action: Action, change: &Change) -> Result<(), Error>;
    /// Gives a version its stage, and its alias where one is named, with one entry in the history. Who held them is
    /// archived, and called [`PREVIOUS`](crate::PREVIOUS). What is so already is no change.
    fn promote_version(
        &self,
        model: &str,
        version: u32,
        stage: Stage,
        alias: Option<&str>,
        change: &Change,
    ) -> Result<VersionRecord, Error>;
    /// Gives an alias back to its holder before, and the stage of its holder with it; that one is archived. One entry in
    /// the history. [`Error::NothingBefore`] where the history knows none.
    fn rollback(&self, model: &str, alias: &str, change: &Change) -> Result<VersionRecord, Error>;
    /// Archives a version and takes its aliases away, with one entry in the history. What is so already is no change.
    fn archive(&self, model: &str, version: u32, change: &Change) -> Result<VersionRecord, Error>;
    /// Finds the version that a reference points at, if there is one.
    fn find_version(&self, reference: &ModelReference) -> Result<Option<VersionRecord>, Error>;
    /// Lists a model's versions, the newest first; none for an unknown model.
    fn versions(&self, model: &str) -> Result<Vec<VersionRecord>, Error>;
    /// Lists the registered models by name.
    fn models(&self) -> Result<Vec<ModelRecord>, Error>;
    /// Lists what happened to a model, the oldest first.
    fn history(&self, model: &str) -> Result<Vec<HistoryEntry>, Error>;
    /// Tells what stood at a moment, in milliseconds since 1970: by the entries before the first that is dated later.
    fn standing_at(&self, model: &str, at_ms: i64) -> Result<Standing, Error> {
        Ok(Standing::told_until(&self.history(model)?, at_ms))
    }
    /// Checks that no entry of the history was altered, removed or put in, and that the registry is what it says:
    /// [`Error::HistoryBroken`].
    fn verify_history(&self) -> Result<(), Error>;
    /// Digests a model's versions, stages and aliases, for cache keys; no times and no run ids.
    fn head(&self, model: &str) -> Result<Digest, Error>;

    /// Returns how many runs have used a reference test.
    fn reference_uses(&self, split_version: u32, reference: &Digest) -> Result<u64, Error>;

    /// Finds a version by its number and digest without asking anybody: one of the project's own registry, or one that a
    /// run of the project has made in another.
    fn version_made(&self, model: &str, version: u32, digest: &Digest) -> Result<Option<VersionRecord>, Error> {
        let found = self.find_version(&ModelReference::version(model, version))?;
        Ok(found.filter(|found| found.digest == *digest))
    }

    /// Reads the files of a version, under their paths inside its folder.
    fn version_files(&self, version: &VersionRecord) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        self.read_folder(&version.run, &version.artifact_path)
    }

    /// Gives what the files of a version are known by, for cache keys.
    fn version_digests(&self, version: &VersionRecord) -> Result<BTreeMap<String, Digest>, Error> {
        self.folder_digests(&version.run, &version.artifact_path)
    }

    /// Asks where runs are tracked whether those of an experiment would be taken.
    fn reach(&self, _experiment: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Lists other servers that were not told all: those that the configuration named before.
    fn waiting_elsewhere(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Gives what a server was not told so far, none where there is no server. Nothing is asked.
    fn waiting(&self) -> Result<Option<Undelivered>, Error> {
        Ok(None)
    }

    /// Asks the server whether it is there and takes who asks, once and not longer than `limit`; none where there is no
    /// server.
    fn call(&self, _experiment: &str, _limit: Duration) -> Result<Option<Answered>, Error> {
        Ok(None)
    }

    /// Waits until a server has been told all, as long as it gets on; gives what it was not told.
    fn settle(&self, _patience: Duration) -> Result<Option<Undelivered>, Error> {
        Ok(None)
    }

    /// Does so also for the runs that the server has refused before.
    fn sync(&self, patience: Duration) -> Result<Option<Undelivered>, Error> {
        self.settle(patience)
    }

    /// Says whether a change by hand broke off on its way to a server; the next change completes it.
    fn broke_off(&self) -> bool {
        false
    }

    /// Takes what another was found to have changed while this changed the registry, so that it is told once.
    fn take_meanwhile(&self) -> Option<Meanwhile> {
        None
    }

    /// Finds the version that a reference points at; [`Error::UnknownModel`] or [`Error::UnknownVersion`] otherwise.
    fn version_by(&self, reference: &ModelReference) -> Result<VersionRecord, Error> {
        if let Some(version) = self.find_version(reference)? {
            return Ok(version);
        }
        let models = self.models()?;
        match models.iter().find(|model| model.name == reference.model) {
            None => Err(Error::unknown_model(&reference.model, models.iter().map(|model| model.name.as_str()))),
            Some(model) => Err(Error::UnknownVersion {
                reference: reference.clone(),
                versions: self.versions(&reference.model)?.iter().map(|version| version.version).collect(),
                aliases: model.aliases.keys().cloned().collect(),
            }),
        }
    }

    /// Reads the artifacts below a folder, under their paths inside it.
    fn read_folder(&self, run: &str, folder: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut files = BTreeMap::new();
        for artifact in self.artifacts(run)? {
            if let Some(inside) = inside(&artifact.path, folder) {
                files.insert(inside.to_owned(), self.read_artifact(run, &artifact.path)?);
            }
        }
        Ok(files)
    }
}

/// Gives the rest of an artifact's path below a folder.
pub(crate) fn inside<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
}
