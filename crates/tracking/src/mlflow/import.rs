//! Runs of a server brought into the project, with all that the server has of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use trainyard_diagnostics::nearest;
use trainyard_files::{Digest, Digester};

use super::MlflowStore;
use super::artifacts::Place;
use super::client::{Client, Unanswered, get};
use super::delivery::{DELIVERED_TAG, REASON_TAG, RUN_TAG, STATUS_TAG, undescribed};
use super::error::ServerError;
use super::records::{Records, RemoteExperiment, ended, info, metric_keys, models, pairs, tag, time};
use crate::embedded::RemoteRun;
use crate::limits::{Field, check, is_cut};
use crate::{Batch, End, Error, Input, Metric, NewRun, Reason, Status, Tracking};

/// The tag of a run that another tracking server had: its page there.
pub const IMPORTED_TAG: &str = "trainyard.imported";

/// Says which runs of a server are asked for.
#[derive(Clone, Debug, Default)]
pub struct Fetching {
    /// The names of experiments; all where there is none.
    pub experiments: Vec<String>,
    /// The server's ids of runs; all where there is none.
    pub runs: Vec<String>,
    /// A filter in MLflow's language; empty for none.
    pub filter: String,
}

/// Is a run that was brought into the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FetchedRun {
    /// What it is called here.
    pub run: String,
    /// What the server calls it.
    pub remote: String,
    /// The experiment.
    pub experiment: String,
    /// How many values its metrics have.
    pub metrics: usize,
    /// How many artifacts it has.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Is what came of bringing runs into the project; what is called by an id here is called so by the server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fetched {
    /// The runs, in the order in which they were begun.
    pub runs: Vec<FetchedRun>,
    /// The runs that were here already.
    pub there: Vec<String>,
    /// The runs that have not ended, and were left out.
    pub running: Vec<String>,
    /// The runs that can't be kept as they are, each with why.
    pub left: BTreeMap<String, String>,
    /// Values of one metric at one step: the last of them is kept.
    pub merged: u64,
    /// Values of params and tags that the server has only the beginning of.
    pub cut: u64,
    /// Whether somebody stopped it.
    pub is_stopped: bool,
}

/// Is what one run has, read from the server.
struct Read {
    batch: Batch,
    bytes: u64,
    merged: u64,
    cut: u64,
}

impl MlflowStore {
    /// Brings ended runs of the server into the project, each in one transaction: params, tags, data sets, the whole
    /// history of metrics, artifacts and models. A run that this project made keeps its id, any other is called as on the
    /// server; what is here already is not read again. `watch` hears how many runs and bytes are done, and says whether to
    /// go on.
    pub fn import_runs(&self, asked: &Fetching, watch: &dyn Fn(usize, u64) -> bool) -> Result<Fetched, Error> {
        let client = self.client()?;
        let records = Records { client };
        let mut fetched = Fetched::default();
        let experiments = client.wait(records.experiments())?;
        let wanted = self.wanted(&experiments, &asked.experiments)?;
        let names: BTreeMap<&str, &str> = experiments.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect();
        if !asked.runs.is_empty() {
            for id in &asked.runs {
                let found = client.wait(records.run(id)).map_err(|error| self.no_run(id, error))?;
                if !watch(fetched.runs.len(), fetched.bytes()) {
                    fetched.is_stopped = true;
                    return Ok(fetched);
                }
                self.take(&found, &names, &mut fetched)?;
            }
            return Ok(fetched);
        }
        if wanted.is_empty() {
            return Ok(fetched);
        }
        let mut token = None;
        loop {
            let page = client.wait(records.page(&wanted, &asked.filter, false, token.as_deref()));
            let (page, next) = page.map_err(|error| match error {
                ServerError::Refused { server, message, .. } if !asked.filter.is_empty() => {
                    ServerError::WrongFilter { server, message }
                }
                error => error,
            })?;
            for found in page {
                if !watch(fetched.runs.len(), fetched.bytes()) {
                    fetched.is_stopped = true;
                    return Ok(fetched);
                }
                self.take(&found, &names, &mut fetched)?;
            }
            match next {
                Some(_) => token = next,
                None => return Ok(fetched),
            }
        }
    }

    /// Gives the ids of the experiments that are asked for.
    fn wanted(&self, all: &[RemoteExperiment], names: &[String]) -> Result<Vec<String>, Error> {
        if names.is_empty() {
            return Ok(all.iter().map(|one| one.id.clone()).collect());
        }
        let id = |name: &String| {
            let found = all.iter().find(|one| one.name == *name).map(|one| one.id.clone());
            found.ok_or_else(|| ServerError::NotThere {
                server: self.server().unwrap_or_default().to_owned(),
                what: format!("experiment {name}"),
                nearest: nearest(name, all.iter().map(|one| one.name.as_str())).map(str::to_owned),
            })
        };
        Ok(names.iter().map(id).collect::<Result<_, _>>()?)
    }

    fn no_run(&self, id: &str, error: ServerError) -> Error {
        match error {
            ServerError::Refused { server, code, .. } if code == "RESOURCE_DOES_NOT_EXIST" => {
                ServerError::NotThere { server, what: format!("run {id}"), nearest: None }.into()
            }
            // An id that is none at all.
            ServerError::Refused { server, code, .. } if code == "INVALID_PARAMETER_VALUE" => {
                ServerError::NotThere { server, what: format!("run {id}"), nearest: None }.into()
            }
            error => error.into(),
        }
    }

    /// Takes one run, unless it is here.
    fn take(&self, found: &Value, names: &BTreeMap<&str, &str>, fetched: &mut Fetched) -> Result<(), Error> {
        let server = self.server()?;
        let remote = info(found, "run_id").unwrap_or_default().to_owned();
        if self.local().run_called(server, &remote)?.is_some() {
            fetched.there.push(remote);
            return Ok(());
        }
        if ended(found).is_none() {
            fetched.running.push(remote);
            return Ok(());
        }
        let started_ms = time(found, "start_time").unwrap_or_default();
        let experiment_id = info(found, "experiment_id").unwrap_or_default();
        let Some(experiment) = names.get(experiment_id) else {
            fetched.left.insert(remote, "its experiment was deleted".to_owned());
            return Ok(());
        };
        let mut known = RemoteRun {
            remote: Some(remote.clone()),
            experiment: Some(experiment_id.to_owned()),
            artifacts: info(found, "artifact_uri").map(str::to_owned),
            ..RemoteRun::default()
        };
        // One that this project, or a copy of it, made keeps its name, unless another has it here.
        let mut run = remote.clone();
        if let Some(own) = tag(found, RUN_TAG).filter(|own| check(Field::Run, own).is_ok()) {
            match self.local().run(own)? {
                None => own.clone_into(&mut run),
                Some(here) if here.started_ms == started_ms => {
                    fetched.there.push(remote);
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        if self.local().run(&run)?.is_some() {
            self.local().set_remote_run(server, &run, &known)?;
            fetched.there.push(remote);
            return Ok(());
        }
        let client = self.client()?;
        let start = NewRun {
            run: run.clone(),
            experiment: (*experiment).to_owned(),
            name: info(found, "run_name").unwrap_or_default().to_owned(),
            tags: BTreeMap::new(),
            started_ms,
        };
        let page = format!("{server}/#/experiments/{experiment_id}/runs/{remote}");
        let taken = self.read(client, &remote, start, &page, &mut known).and_then(|read| {
            self.local().log_batch(&run, &read.batch)?;
            Ok(read)
        });
        let read = match taken {
            Ok(read) => read,
            Err(error) => {
                let why = of_one(&error).ok_or(error)?;
                fetched.left.insert(remote, why);
                return Ok(());
            }
        };
        self.local().set_remote_run(server, &run, &known)?;
        fetched.merged += read.merged;
        fetched.cut += read.cut;
        fetched.runs.push(FetchedRun {
            run,
            remote,
            experiment: (*experiment).to_owned(),
            metrics: read.batch.metrics.len(),
            artifacts: read.batch.artifacts.len(),
            bytes: read.bytes,
        });
        Ok(())
    }

    /// Reads all that the server has of a run; the bytes of artifacts are put among the objects.
    fn read(
        &self,
        client: &Client,
        id: &str,
        mut start: NewRun,
        page: &str,
        known: &mut RemoteRun,
    ) -> Result<Read, Error> {
        let records = Records { client };
        let (run, histories) = client.wait(async {
            // A page of runs does not tell what they made.
            let run = records.run(id).await?;
            let histories = records.histories(id, &metric_keys(&run)).await?;
            Ok((run, histories))
        })?;
        let is_ours = tag(&run, RUN_TAG).is_some();
        let is_told = |key: &str| {
            [RUN_TAG, DELIVERED_TAG, STATUS_TAG, REASON_TAG, "mlflow.runName"].contains(&key)
                || (is_ours && ["mlflow.source.type", "mlflow.source.name"].contains(&key))
        };
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let params: BTreeMap<String, String> = pairs(&run, "params").map(pair).collect();
        let mut tags: BTreeMap<String, String> =
            pairs(&run, "tags").filter(|(key, _)| !is_told(key)).map(pair).collect();
        let cut = params.values().chain(tags.values()).filter(|value| is_cut(value)).count() as u64;
        tags.insert(IMPORTED_TAG.to_owned(), page.to_owned());
        start.tags = tags;
        let (metrics, merged) = merged(histories.into_iter().flatten());
        let (mut artifacts, mut bytes) = (BTreeMap::new(), 0);
        let mut keep = |path: String, content: Vec<u8>| -> Result<(), Error> {
            check(Field::ArtifactPath, &path)?;
            bytes += content.len() as u64;
            artifacts.insert(path, self.local().objects().put(&content)?);
            Ok(())
        };
        self.place(client, info(&run, "artifact_uri"))?.each(client, &mut keep)?;
        let mut folders = BTreeSet::new();
        for model in models(&run) {
            let route = format!("logged-models/{model}");
            let found = client.wait(async {
                let told = |error: Unanswered| error.told(client.server(), &format!("give the model {model}"));
                client.ask_patiently(&get(&route, &[])).await.map_err(told)
            })?;
            let text = |name: &str| found["model"]["info"][name].as_str().filter(|text| !text.is_empty());
            let named = text("name").filter(|name| check(Field::ArtifactPath, name).is_ok()).unwrap_or(&model);
            let folder = if folders.insert(named.to_owned()) { named.to_owned() } else { model.clone() };
            let place = text("artifact_uri");
            if is_ours && known.model.is_none() {
                known.model = Some(model.clone());
                known.model_artifacts = place.map(str::to_owned);
            }
            self.place(client, place)?.each(client, &mut |path, content| {
                let content = if path == "MLmodel" { undescribed(content, id, &model) } else { content };
                keep(format!("{folder}/{path}"), content)
            })?;
        }
        let stands = tag(&run, STATUS_TAG).and_then(Status::parse).filter(|stands| *stands != Status::Running);
        let end = End {
            status: stands.or_else(|| ended(&run)).unwrap_or(Status::Finished),
            ended_ms: time(&run, "end_time").unwrap_or(start.started_ms),
            reason: tag(&run, REASON_TAG).and_then(reason),
        };
        let inputs = inputs(&run);
        let batch =
            Batch { start: Some(start), params, metrics, inputs, artifacts, end: Some(end), ..Batch::default() };
        Ok(Read { batch, bytes, merged, cut })
    }

    fn place(&self, client: &Client, address: Option<&str>) -> Result<Place, Error> {
        let address = address.unwrap_or_default();
        let lost =
            |cause| ServerError::NoArtifacts { server: client.server().to_owned(), place: address.to_owned(), cause };
        Ok(Place::of(address).map_err(lost)?)
    }
}

impl Fetched {
    fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }
}

/// Says why one run can't be kept, where the others can.
fn of_one(error: &Error) -> Option<String> {
    match error {
        Error::Server(error) => match &**error {
            ServerError::NoArtifacts { place, cause, .. } => Some(format!("{place}: {cause}")),
            ServerError::Refused { deed, message, .. } => Some(format!("the server refused to {deed}: {message}")),
            _ => None,
        },
        Error::Invalid { .. } => Some(error.to_string()),
        _ => None,
    }
}

/// Keeps one value for each metric and step, the last measured; says how many were left out.
fn merged(all: impl Iterator<Item = Metric>) -> (Vec<Metric>, u64) {
    let (mut kept, mut count) = (BTreeMap::new(), 0);
    for metric in all {
        count += 1;
        let place = (metric.key.clone(), metric.step);
        let stands: Option<&Metric> = kept.get(&place);
        if stands.is_none_or(|stands| stands.timestamp_ms <= metric.timestamp_ms) {
            kept.insert(place, metric);
        }
    }
    let left_out = count - kept.len() as u64;
    (kept.into_values().collect(), left_out)
}

/// Reads why a run ended as it did, as delivery writes it.
fn reason(text: &str) -> Option<Reason> {
    let (code, message) = text.split_once(": ")?;
    Some(Reason { code: code.to_owned(), message: message.to_owned() })
}

/// Reads the data sets of a run. One that another program logged has a digest of its own making: what stands for it here is
/// a digest of that and its name.
fn inputs(run: &Value) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for input in run["inputs"]["dataset_inputs"].as_array().into_iter().flatten() {
        let dataset = &input["dataset"];
        let text = |name: &str| dataset[name].as_str().unwrap_or_default();
        let source: Value = serde_json::from_str(text("source")).unwrap_or_default();
        let profile: Value = serde_json::from_str(text("profile")).unwrap_or_default();
        let own = source["blake3"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
        let foreign = || Digester::new("mlflow data set").text(text("name")).text(text("digest")).finish();
        let uri = ["uri", "url", "path"].iter().find_map(|name| source[*name].as_str());
        let context = input["tags"].as_array().into_iter().flatten().find(|tag| tag["key"] == "mlflow.data.context");
        let context = context.and_then(|tag| tag["value"].as_str()).unwrap_or_default();
        let mut name = text("name").to_owned();
        for form in [format!("{name} ({context})"), format!("{name} {}", text("digest"))] {
            if inputs.iter().any(|known| known.name == name) {
                name = form;
            }
        }
        inputs.push(Input {
            name,
            digest: own.unwrap_or_else(foreign),
            source: uri.unwrap_or(text("source")).to_owned(),
            rows: profile["num_rows"].as_u64().unwrap_or_default(),
        });
    }
    inputs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metric(key: &str, step: i64, value: f64, timestamp_ms: i64) -> Metric {
        Metric { key: key.to_owned(), value, step, timestamp_ms }
    }

    #[test]
    fn the_value_measured_last_is_kept() {
        let all = [metric("a", 0, 1.0, 20), metric("a", 0, 2.0, 10), metric("a", 1, 3.0, 5), metric("b", 0, 4.0, 5)];
        let (kept, left_out) = merged(all.into_iter());
        let values: Vec<f64> = kept.iter().map(|metric| metric.value).collect();
        assert_eq!((values, left_out), (vec![1.0, 3.0, 4.0], 1));
    }

    #[test]
    fn data_sets_of_others_get_names_that_differ() {
        let of = |context: &str, digest: &str| {
            json!({
                "dataset": { "name": "dataset", "digest": digest, "source": "{\"url\": \"http://a/b.csv\"}",
                             "profile": "{\"num_rows\": 3}" },
                "tags": [{ "key": "mlflow.data.context", "value": context }],
            })
        };
        let run = json!({ "inputs": { "dataset_inputs": [of("train", "1"), of("eval", "2"), of("eval", "3")] } });
        let found = inputs(&run);
        let names: Vec<&str> = found.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["dataset", "dataset (eval)", "dataset 3"]);
        assert!(found.iter().all(|input| input.rows == 3 && input.source == "http://a/b.csv"));
        assert_ne!(found[0].digest, found[1].digest);
    }
}
