//! Brings a server what runs logged: in its order, joined into few questions, each fit to be asked twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::{join4, try_join};
use reqwest::Method;
use serde_json::{Value, json};
use trainyard_files::Digest;

use super::artifacts::{Content, Place};
use super::client::{Client, Unanswered, get, post, with};
use super::error::ServerError;
use super::limits::batches;
use crate::embedded::{Pending, RemoteRun};
use crate::limits::cut;
use crate::{Batch, EmbeddedStore, End, Error, Input, NewRun, Status, TAG_VALUE_LIMIT, Tracking};

/// How many of a run's batches are joined into one at most.
const TOGETHER: usize = 100;

/// The tag that holds our id of a run.
pub(crate) const RUN_TAG: &str = "trainyard.run";
/// The tag that holds how far the run's log has come.
pub(crate) const DELIVERED_TAG: &str = "trainyard.delivered";
/// The tag that holds how a run stands, where MLflow has no word for it.
pub(crate) const STATUS_TAG: &str = "trainyard.status";
/// The tag that holds why a run ended as it did.
pub(crate) const REASON_TAG: &str = "trainyard.reason";
/// The folder among a run's artifacts that holds its model.
const MODEL: &str = "model";

/// Says why delivery stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The server can't be told now.
    Waiting(ServerError),
    /// The store of this project fails.
    Ours(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Holds the ids of experiments that are known; none for one that was looked for and not there.
pub(crate) type Experiments = Mutex<BTreeMap<String, Option<String>>>;

/// Brings one server what it has still to be told.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a EmbeddedStore,
    pub(crate) experiments: &'a Experiments,
    /// The runs that this process has told the server of without doubt.
    pub(crate) certain: &'a Mutex<BTreeSet<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Delivery<'_> {
    fn server(&self) -> &str {
        self.client.server()
    }

    /// Delivers all that waits, run by run in the order of what they logged first. A run that the server refuses is left
    /// where it is, and so is one that it fails at; the others go on. `told` hears of each run that got on.
    pub(crate) async fn deliver(&self, mut told: impl FnMut()) -> Result<(), Stopped> {
        let mut failed = None;
        for (run, _, refused) in self.store.waiting(self.server())? {
            if refused.is_some() {
                continue;
            }
            loop {
                let rows = self.store.pending(self.server(), &run, TOGETHER)?;
                if rows.is_empty() {
                    break;
                }
                let answers = self.client.answers();
                let sent = self.send(&run, rows).await;
                if sent.is_err() {
                    locked(self.certain).remove(&run);
                }
                match sent {
                    Ok(up_to) => self.store.delivered(self.server(), &run, up_to)?,
                    Err(Failure::Ours(error)) => return Err(Stopped::Ours(error)),
                    Err(Failure::Server(error)) if error.may_pass() => {
                        // One that answers others, or would not answer this, may answer the next run.
                        if self.client.answers() == answers {
                            return Err(Stopped::Waiting(error));
                        }
                        failed = Some(error);
                        break;
                    }
                    // Where it never answered as it should, nothing is wrong with this run.
                    Err(Failure::Server(error)) if !error.is_of_one() && self.client.answers() == 0 => {
                        return Err(Stopped::Waiting(error));
                    }
                    Err(Failure::Server(error)) => {
                        let mut remote = self.store.remote_run(self.server(), &run)?.unwrap_or_default();
                        remote.refused = Some(words(&error));
                        self.store.set_remote_run(self.server(), &run, &remote)?;
                        told();
                        break;
                    }
                }
                told();
            }
        }
        failed.map_or(Ok(()), |error| Err(Stopped::Waiting(error)))
    }

    /// Asks for an experiment, and makes none.
    pub(crate) async fn reach(&self, name: &str) -> Result<(), ServerError> {
        let found = self.client.ask_again(&get("experiments/get-by-name", &[("experiment_name", name)])).await;
        match found {
            Err(error) if error.is_absent() => {
                locked(self.experiments).insert(name.to_owned(), None);
                Ok(())
            }
            Err(error) => Err(error.told(self.server(), &format!("find the experiment {name}"))),
            Ok(found) => self.keep_experiment(name, &found).map(drop),
        }
    }

    /// Finds an experiment's id, and makes it where there is none.
    pub(crate) async fn experiment(&self, name: &str) -> Result<String, ServerError> {
        let known = locked(self.experiments).get(name).cloned();
        if let Some(Some(id)) = known {
            return Ok(id);
        }
        let told = |error: Unanswered| error.told(self.server(), &format!("find the experiment {name}"));
        let ask = async || {
            let query = [("experiment_name", name)];
            self.client.ask_again(&get("experiments/get-by-name", &query)).await
        };
        let make = async || {
            let made = self.client.ask(&post("experiments/create", json!({ "name": name }))).await;
            match made {
                Ok(made) => Ok(json!({ "experiment": made })),
                Err(error) if error.exists() => ask().await,
                Err(error) => Err(error),
            }
        };
        let found = match known {
            // It was looked for before the run; if another has made it since, the server says so.
            Some(_) => make().await,
            None => match ask().await {
                Err(error) if error.is_absent() => make().await,
                other => other,
            },
        };
        self.keep_experiment(name, &found.map_err(told)?)
    }

    fn keep_experiment(&self, name: &str, found: &Value) -> Result<String, ServerError> {
        let experiment = &found["experiment"];
        if experiment["lifecycle_stage"] == "deleted" {
            let (server, experiment) = (self.server().to_owned(), name.to_owned());
            return Err(ServerError::ExperimentDeleted { server, experiment });
        }
        let Some(id) = experiment["experiment_id"].as_str() else {
            return Err(self.strange("an experiment without an id"));
        };
        locked(self.experiments).insert(name.to_owned(), Some(id.to_owned()));
        Ok(id.to_owned())
    }

    fn strange(&self, what: &str) -> ServerError {
        ServerError::NotMlflow { server: self.server().to_owned(), cause: format!("it gave {what}") }
    }

    /// Tells the server what a run logged; gives the place in our order up to which it knows.
    async fn send(&self, run: &str, rows: Vec<Pending>) -> Result<i64, Failure> {
        let is_certain = locked(self.certain).contains(run);
        let known = self.store.remote_run(self.server(), run)?;
        let start = rows.iter().find_map(|row| row.batch.start.as_ref());
        let (remote, is_new) = self.remote(run, start, known).await?;
        let mut rows = rows;
        if is_new {
            // What was logged while the server made the run goes with it.
            rows = self.store.pending(self.server(), run, TOGETHER)?;
        }
        let up_to = rows.last().map_or(0, |row| row.sequence);
        let batch = &joined(rows.into_iter().map(|row| row.batch));
        let id = remote.remote.clone().unwrap_or_default();
        let deed = |what: &str| format!("{what} of run {run}");
        let mut has_log = false;
        if !is_new && !is_certain {
            // An earlier try, or another process, may have come further than anybody here knows.
            let found = self.client.ask_again(&get("runs/get", &[("run_id", &id)])).await;
            let found = found.map_err(|error| error.told(self.server(), &deed("give the state")))?;
            has_log = tag(&found["run"], DELIVERED_TAG).and_then(|place| place.parse().ok()) >= Some(up_to);
        }
        let reopens = batch.start.is_some() && !is_new && batch.end.is_none();
        if reopens {
            let body = json!({ "run_id": id, "status": "RUNNING", "end_time": null });
            let sent = self.client.ask_again(&post("runs/update", body)).await;
            sent.map_err(|error| error.told(self.server(), &deed("go on")))?;
        }
        let log = async { if has_log { Ok(()) } else { self.log(run, &id, batch, is_new, up_to).await } };
        let end = async {
            let Some(end) = &batch.end else { return Ok(()) };
            let body = json!({ "run_id": id, "status": status(end.status), "end_time": end.ended_ms });
            let sent = self.client.ask_again(&post("runs/update", body)).await;
            sent.map(drop).map_err(|error| error.told(self.server(), &deed("take the end")))
        };
        let looks = !is_new && !is_certain;
        let artifacts = self.artifacts(run, remote, batch, looks);
        let (logged, read, stored, ended) = join4(log, self.inputs(run, &id, &batch.inputs), artifacts, end).await;
        logged?;
        read?;
        stored?;
        ended?;
        locked(self.certain).insert(run.to_owned());
        Ok(up_to)
    }

    /// Gives what the server calls a run, and says whether it was made by this call.
    async fn remote(
        &self,
        run: &str,
        start: Option<&NewRun>,
        known: Option<RemoteRun>,
    ) -> Result<(RemoteRun, bool), Failure> {
        if let Some(remote) = known.as_ref().filter(|remote| remote.remote.is_some()) {
            return Ok((remote.clone(), false));
        }
        let record;
        let start = match start {
            Some(start) => start,
            None => {
                let found = self.store.find_run(run)?;
                record = NewRun {
                    run: run.to_owned(),
                    experiment: found.experiment,
                    name: found.name,
                    tags: found.tags,
                    started_ms: found.started_ms,
                };
                &record
            }
        };
        let experiment = self.experiment(&start.experiment).await?;
        if known.is_none() {
            self.store.set_remote_run(self.server(), run, &RemoteRun::default())?;
        }
        let filter = format!("tags.`{RUN_TAG}` = '{run}' AND attributes.start_time = {}", start.started_ms);
        let find = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        let mut tags = vec![
            json!({ "key": RUN_TAG, "value": run }),
            json!({ "key": "mlflow.source.type", "value": "LOCAL" }),
            json!({ "key": "mlflow.source.name", "value": "trainyard" }),
        ];
        tags.extend(
            start.tags.iter().map(|(key, value)| json!({ "key": key, "value": cut(value, TAG_VALUE_LIMIT).0 })),
        );
        let body = json!({
            "experiment_id": experiment, "run_name": start.name, "start_time": start.started_ms, "tags": tags,
        });
        let (create, find) = (post("runs/create", body), post("runs/search", find));
        let made = self.client.make((&create, "run"), (&find, "runs"), known.is_some()).await;
        let (made, is_new) = made.map_err(|error| error.told(self.server(), &format!("make run {run}")))?;
        Ok((self.keep(run, &experiment, &made)?, is_new))
    }

    fn keep(&self, run: &str, experiment: &str, made: &Value) -> Result<RemoteRun, Failure> {
        let text = |name: &str| made["info"][name].as_str().map(str::to_owned);
        let Some(id) = text("run_id") else { return Err(self.strange("a run without an id").into()) };
        let remote = RemoteRun {
            remote: Some(id),
            experiment: Some(experiment.to_owned()),
            artifacts: text("artifact_uri"),
            ..RemoteRun::default()
        };
        self.store.set_remote_run(self.server(), run, &remote)?;
        Ok(remote)
    }

    /// Logs params, metrics and tags. The tag that says how far it came goes last: where it is, all the rest is.
    async fn log(&self, run: &str, id: &str, batch: &Batch, is_new: bool, up_to: i64) -> Result<(), Failure> {
        let mut tags = batch.tags.clone();
        if let Some(start) = batch.start.as_ref().filter(|_| !is_new) {
            tags.extend(start.tags.clone());
            // What it ended with before is so no more.
            tags.insert(STATUS_TAG.to_owned(), Status::Running.name().to_owned());
            tags.insert(REASON_TAG.to_owned(), String::new());
        }
        if let Some(End { status, reason, .. }) = &batch.end {
            tags.insert(STATUS_TAG.to_owned(), status.name().to_owned());
            tags.extend(
                reason.iter().map(|reason| (REASON_TAG.to_owned(), format!("{}: {}", reason.code, reason.message))),
            );
        }
        let last = (DELIVERED_TAG.to_owned(), up_to.to_string());
        for mut body in batches(&batch.params, &batch.metrics, &tags, &last) {
            body["run_id"] = json!(id);
            let sent = self.client.ask_again(&post("runs/log-batch", body)).await;
            sent.map_err(|error| error.told(self.server(), &format!("log a batch of run {run}")))?;
        }
        Ok(())
    }

    async fn inputs(&self, run: &str, id: &str, inputs: &[Input]) -> Result<(), Failure> {
        if inputs.is_empty() {
            return Ok(());
        }
        let datasets: Vec<Value> = inputs.iter().map(dataset).collect();
        let body = json!({ "run_id": id, "datasets": datasets });
        let sent = self.client.ask_again(&post("runs/log-inputs", body)).await;
        sent.map_err(|error| error.told(self.server(), &format!("log the inputs of run {run}")))?;
        Ok(())
    }

    async fn artifacts(&self, run: &str, remote: RemoteRun, batch: &Batch, looks: bool) -> Result<(), Failure> {
        let (model, others): (Vec<_>, Vec<_>) =
            batch.artifacts.keys().cloned().partition(|path| path.starts_with("model/"));
        let read = |path: &str| {
            let digest: Option<&Digest> = batch.artifacts.get(path);
            let content = digest.map(|digest| Content::of(self.store.objects(), digest));
            content.unwrap_or_else(|| Ok(Vec::new().into())).map_err(|error| ServerError::NoArtifacts {
                server: self.server().to_owned(),
                place: path.to_owned(),
                cause: error.to_string(),
            })
        };
        let to_run = async {
            if others.is_empty() {
                return Ok(());
            }
            self.place(remote.artifacts.as_deref())?.put(self.client, &others, read).await.map_err(Failure::from)
        };
        if model.is_empty() {
            return to_run.await;
        }
        let id = remote.remote.clone().unwrap_or_default();
        let made = remote.clone();
        let to_model = async {
            let mut remote = made;
            // It is kept once all of it is there: until then it is looked for, or made.
            let is_made = remote.model.is_some();
            if !is_made {
                self.make_model(run, &mut remote, &id, looks).await?;
            }
            let files: Vec<String> =
                model.iter().map(|path| path.strip_prefix("model/").unwrap_or(path).to_owned()).collect();
            let own = remote.model.clone().unwrap_or_default();
            let read_model = |name: &str| {
                Ok(match read(&format!("{MODEL}/{name}"))? {
                    Content::Bytes(bytes) if name == "MLmodel" => described(bytes.to_vec(), &id, &own).into(),
                    content => content,
                })
            };
            self.place(remote.model_artifacts.as_deref())?.put(self.client, &files, read_model).await?;
            if !is_made {
                let told = |error: Unanswered| error.told(self.server(), &format!("take the model of run {run}"));
                let route = format!("logged-models/{own}");
                let ready = with(Method::PATCH, &route, json!({ "model_id": own, "status": "LOGGED_MODEL_READY" }));
                let asked = try_join(self.client.ask_again(&ready), self.put_out(&id, &own)).await;
                asked.map_err(told)?;
                self.store.set_remote_run(self.server(), run, &remote)?;
            }
            Ok::<_, Failure>(())
        };
        try_join(to_run, to_model).await?;
        Ok(())
    }

    /// Says that a run made a model. The server takes that once: what it refuses may be done already.
    async fn put_out(&self, id: &str, model: &str) -> Result<(), Unanswered> {
        let body = json!({ "run_id": id, "models": [{ "model_id": model, "step": 0 }] });
        let Err(refusal) = self.client.ask_again(&post("runs/outputs", body)).await else { return Ok(()) };
        if matches!(refusal, Unanswered::Passing { .. }) {
            return Err(refusal);
        }
        let found = self.client.ask_again(&get("runs/get", &[("run_id", id)])).await?;
        let outputs = found["run"]["outputs"]["model_outputs"].as_array().into_iter().flatten();
        if outputs.into_iter().any(|output| output["model_id"] == model) { Ok(()) } else { Err(refusal) }
    }

    fn place(&self, address: Option<&str>) -> Result<Place, ServerError> {
        let address = address.unwrap_or_default();
        Place::of(address).map_err(|cause| ServerError::NoArtifacts {
            server: self.server().to_owned(),
            place: address.to_owned(),
            cause,
        })
    }

    /// Makes the logged model of a run, or finds that of an earlier try where one is thought of.
    async fn make_model(&self, run: &str, remote: &mut RemoteRun, id: &str, looks: bool) -> Result<(), Failure> {
        let body = json!({
            "experiment_id": remote.experiment, "name": MODEL, "source_run_id": id,
            "tags": [{ "key": RUN_TAG, "value": run }],
        });
        let filter = format!("source_run_id = '{id}'");
        let find = json!({ "experiment_ids": [remote.experiment], "filter": filter, "max_results": 1 });
        let (create, find) = (post("logged-models", body), post("logged-models/search", find));
        let made = self.client.make((&create, "model"), (&find, "models"), looks).await;
        let (made, _) = made.map_err(|error| error.told(self.server(), &format!("make the model of run {run}")))?;
        if !take_model(remote, &made) {
            return Err(self.strange("a model without an id").into());
        }
        Ok(())
    }
}

/// Says why delivery of one run failed.
enum Failure {
    Server(ServerError),
    Ours(Error),
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Says an error in one line, with what the server said.
fn words(error: &ServerError) -> String {
    match error {
        ServerError::Refused { code, message, .. } => format!("{error}: {code}: {message}"),
        ServerError::NoArtifacts { cause, .. } => format!("{error}: {cause}"),
        error => error.to_string(),
    }
}

fn take_model(remote: &mut RemoteRun, model: &Value) -> bool {
    let text = |name: &str| model["info"][name].as_str().map(str::to_owned);
    remote.model = text("model_id");
    remote.model_artifacts = text("artifact_uri");
    remote.model.is_some()
}

fn tag<'v>(run: &'v Value, key: &str) -> Option<&'v str> {
    let tags = run["data"]["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == key)?["value"].as_str()
}

/// Gives the word that MLflow has for how a run stands. A refused run did all that it should.
pub(crate) const fn status(status: Status) -> &'static str {
    match status {
        Status::Running => "RUNNING",
        Status::Finished | Status::Refused => "FINISHED",
        Status::Failed => "FAILED",
        Status::Killed => "KILLED",
    }
}

/// Describes a data set as MLflow has it. Its digests have at most 36 letters.
fn dataset(input: &Input) -> Value {
    let digest = input.digest.to_string();
    json!({
        "dataset": {
            "name": input.name,
            "digest": digest.get(..32).unwrap_or(&digest),
            "source_type": "local",
            "source": json!({ "uri": input.source, "blake3": digest }).to_string(),
            "profile": json!({ "num_rows": input.rows }).to_string(),
        },
        "tags": [{ "key": "mlflow.data.context", "value": input.name }],
    })
}

/// Adds to the description of a model what only its delivery gives it.
fn described(mut bytes: Vec<u8>, run: &str, model: &str) -> Vec<u8> {
    bytes.extend_from_slice(description(run, model).as_bytes());
    bytes
}

/// Takes away from the description of a model what its delivery gave it.
pub(crate) fn undescribed(mut bytes: Vec<u8>, run: &str, model: &str) -> Vec<u8> {
    if let Some(rest) = bytes.strip_suffix(description(run, model).as_bytes()) {
        bytes.truncate(rest.len());
    }
    bytes
}

fn description(run: &str, model: &str) -> String {
    format!("run_id: {run}\nmodel_id: {model}\nartifact_path: models:/{model}\n")
}

/// Joins what a run logged at several times into what it would have logged at one.
fn joined(batches: impl Iterator<Item = Batch>) -> Batch {
    let mut all = Batch::default();
    for batch in batches {
        if let Some(start) = batch.start {
            // A run that goes on has not ended.
            all.end = None;
            all.start.get_or_insert(start);
        }
        all.params.extend(batch.params);
        all.metrics.extend(batch.metrics);
        all.tags.extend(batch.tags);
        for input in batch.inputs {
            all.inputs.retain(|known| known.name != input.name);
            all.inputs.push(input);
        }
        all.artifacts.extend(batch.artifacts);
        all.end = batch.end.or(all.end);
    }
    all
}
