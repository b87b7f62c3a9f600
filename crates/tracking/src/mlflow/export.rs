//! Runs and models of a project brought to a server that was not told of them when they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};
use trainyard_spec::Stage;

use super::MlflowStore;
use super::client::{get, post};
use super::delivery::{DELIVERED_TAG, REASON_TAG, RUN_TAG, STATUS_TAG, status};
use super::error::ServerError;
use super::import::IMPORTED_TAG;
use super::records::{Records, info, metric_keys, models, pairs, tag, time};
use super::registry::{Registered, Registry};
use crate::embedded::RemoteRun;
use crate::history::Action;
use crate::limits::cut;
use crate::registry::has_one_holder;
use crate::{
    Batch, Change, Effect, End, Error, Metric, NewRun, NewVersion, RunRecord, Standing, Status, TAG_VALUE_LIMIT,
    Tracking, Undelivered, VersionRecord,
};

/// How many runs wait for delivery at the same time: what waits is in the store twice.
const AT_ONCE: usize = 32;
/// How many metrics are put into one delivery.
const METRICS: usize = 1_000;

/// Is what came of bringing runs to a server, each list in the order of the runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Brought {
    /// The runs that were made there.
    pub made: Vec<String>,
    /// The runs of which something was missing there, or has changed since.
    pub completed: Vec<String>,
    /// The runs that were there as they are here.
    pub there: Vec<String>,
    /// The runs that have not ended, and were left out.
    pub running: Vec<String>,
    /// The runs that somebody deleted there, and that were left out.
    pub deleted: Vec<String>,
    /// What the server could not be told, or did not take, of these runs or of others.
    pub undelivered: Option<Undelivered>,
    /// Whether somebody stopped it.
    pub is_stopped: bool,
}

/// Is what came of bringing a model's versions to a server.
#[derive(Clone, Debug, Serialize)]
pub struct BroughtModel {
    /// The registered model.
    pub model: String,
    /// The version there of each version here.
    pub versions: BTreeMap<u32, u32>,
    /// How many of them were made there now.
    pub made: usize,
    /// How many stages and aliases were changed there.
    pub changes: usize,
    /// The versions here whose runs the server does not have.
    pub without_run: Vec<u32>,
    /// What was left there as it stands, in words.
    pub left: Vec<String>,
}

impl MlflowStore {
    /// Brings ended runs to the server: each with its params, tags, inputs, artifacts and the whole history of its
    /// metrics. What the server has of a run already is found by the run's id, and only the rest is brought. `watch` hears
    /// how many runs are done, and says whether to go on; a server that does not answer is waited for `patience` long.
    pub fn export_runs(
        &self,
        runs: &[RunRecord],
        patience: Duration,
        watch: &dyn Fn(usize) -> bool,
    ) -> Result<Brought, Error> {
        self.local().forgive(self.server()?)?;
        let mut brought = Brought::default();
        let (ended, running): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.status != Status::Running);
        brought.running = running.iter().map(|run| run.run.clone()).collect();
        // What came from there is there.
        let page = format!("{}/#/", self.server()?);
        let is_from_there = |run: &RunRecord| run.tags.get(IMPORTED_TAG).is_some_and(|from| from.starts_with(&page));
        let (back, ended): (Vec<_>, Vec<_>) = ended.into_iter().partition(|run| is_from_there(run));
        brought.there = back.iter().map(|run| run.run.clone()).collect();
        let known = self.known_there(&ended)?;
        let courier = self.courier()?;
        for (at, together) in ended.chunks(AT_ONCE).enumerate() {
            if !watch(at * AT_ONCE) {
                brought.is_stopped = true;
                return Ok(brought);
            }
            for run in together {
                let list = match known.get(&run.run) {
                    Some(found) if found.is_deleted => &mut brought.deleted,
                    Some(found) => match self.tell_rest(run, found)? {
                        true => &mut brought.completed,
                        false => &mut brought.there,
                    },
                    None => {
                        self.tell_anew(run)?;
                        &mut brought.made
                    }
                };
                list.push(run.run.clone());
            }
            let undelivered = courier.settle(patience, None)?;
            let is_stuck = undelivered.runs.iter().any(|waiting| waiting.refused.is_none());
            brought.undelivered = Some(undelivered).filter(|left| !left.runs.is_empty());
            if is_stuck {
                return Ok(brought);
            }
        }
        watch(ended.len());
        Ok(brought)
    }

    /// Finds what the server has of runs, under our ids.
    fn known_there(&self, runs: &[&RunRecord]) -> Result<BTreeMap<String, There>, Error> {
        let client = self.client()?;
        let records = Records { client };
        let asked: BTreeMap<&str, &RunRecord> = runs.iter().map(|run| (run.run.as_str(), *run)).collect();
        let names: BTreeSet<&str> = runs.iter().map(|run| run.experiment.as_str()).collect();
        let filter = format!("tags.`{RUN_TAG}` LIKE '%'");
        let found = client.wait(async {
            let mut known: BTreeMap<String, There> = BTreeMap::new();
            let all = records.experiments().await?;
            let ids: Vec<String> =
                all.into_iter().filter(|one| names.contains(one.name.as_str())).map(|one| one.id).collect();
            if ids.is_empty() {
                return Ok(known);
            }
            let mut token = None;
            loop {
                let (page, next) = records.page(&ids, &filter, true, token.as_deref()).await?;
                for found in page {
                    let run = tag(&found, RUN_TAG).and_then(|id| asked.get(id));
                    let Some(run) = run.filter(|run| time(&found, "start_time") == Some(run.started_ms)) else {
                        continue;
                    };
                    let there = There::of(run, &found);
                    // One that was deleted says less than one that was not.
                    if !there.is_deleted || !known.contains_key(&run.run) {
                        known.insert(run.run.clone(), there);
                    }
                }
                match next {
                    Some(_) => token = next,
                    None => return Ok(known),
                }
            }
        });
        Ok(found?)
    }

    /// Has the server told of a run that it does not have, or no longer has.
    fn tell_anew(&self, run: &RunRecord) -> Result<(), Error> {
        let server = self.server()?;
        if self.local().remote_run(server, &run.run)?.is_some_and(|remote| remote.remote.is_some()) {
            self.local().set_remote_run(server, &run.run, &RemoteRun::default())?;
        }
        // Whatever waits of it is part of the whole.
        self.local().tell(server, &run.run, &self.whole(run, &[])?, true)
    }

    /// Has the server told of what it lacks of a run; says whether it lacks something.
    fn tell_rest(&self, run: &RunRecord, found: &There) -> Result<bool, Error> {
        let server = self.server()?;
        let remote = self.local().remote_run(server, &run.run)?.filter(|remote| remote.remote.is_some());
        if remote.is_some() {
            let waits = self.local().waiting(server)?.iter().any(|(waiting, ..)| *waiting == run.run);
            if waits || found.is_whole {
                return Ok(waits);
            }
        } else {
            self.adopt(run, found)?;
        }
        let client = self.client()?;
        let histories = client.wait(Records { client }.histories(&found.id, &found.metrics))?;
        let there: Vec<Metric> = histories.into_iter().flatten().collect();
        let mut whole = self.whole(run, &there)?;
        // It has begun there, and may have ended otherwise.
        for batch in &mut whole {
            if let Some(start) = batch.start.take() {
                batch.tags.extend(start.tags);
                batch.tags.insert(REASON_TAG.to_owned(), String::new());
            }
        }
        self.local().tell(server, &run.run, &whole, false)?;
        Ok(true)
    }

    /// Takes a run of the server, made by another copy of this project, for the one that is here. How far that copy came is
    /// not in our order, and is forgotten.
    fn adopt(&self, run: &RunRecord, found: &There) -> Result<(), Error> {
        let client = self.client()?;
        let forget = post("runs/set-tag", json!({ "run_id": found.id, "key": DELIVERED_TAG, "value": "0" }));
        let model = client.wait(async {
            let told = |error: super::client::Unanswered| error.told(client.server(), &format!("take run {}", run.run));
            client.ask_patiently(&forget).await.map_err(told)?;
            let ask = async |model: &String| {
                let route = format!("logged-models/{model}");
                client.ask_patiently(&get(&route, &[])).await.map_err(told)
            };
            let found = try_join_all(found.models.iter().take(1).map(ask)).await?;
            Ok::<_, ServerError>(found.into_iter().next())
        })?;
        let text = |value: &Value, name: &str| value["model"]["info"][name].as_str().map(str::to_owned);
        let remote = RemoteRun {
            remote: Some(found.id.clone()),
            experiment: found.experiment.clone(),
            artifacts: found.artifacts.clone(),
            model: model.as_ref().and_then(|model| text(model, "model_id")),
            model_artifacts: model.as_ref().and_then(|model| text(model, "artifact_uri")),
            refused: None,
        };
        self.local().set_remote_run(self.server()?, &run.run, &remote)
    }

    /// Gives all that a run logged, but for metrics that are there: as one would have logged it in a few batches.
    fn whole(&self, run: &RunRecord, there: &[Metric]) -> Result<Vec<Batch>, Error> {
        let there: BTreeSet<(&str, i64, i64)> =
            there.iter().map(|metric| (metric.key.as_str(), metric.step, metric.timestamp_ms)).collect();
        let artifacts = self.local().artifacts(&run.run)?;
        let mut batches = vec![Batch {
            start: Some(NewRun {
                run: run.run.clone(),
                experiment: run.experiment.clone(),
                name: run.name.clone(),
                tags: run.tags.clone(),
                started_ms: run.started_ms,
            }),
            params: run.params.clone(),
            inputs: run.inputs.clone(),
            artifacts: artifacts.into_iter().map(|artifact| (artifact.path, artifact.digest)).collect(),
            ..Batch::default()
        }];
        let mut metrics = Vec::new();
        for key in run.metrics.keys() {
            metrics.extend(self.local().metric_history(&run.run, key)?);
        }
        metrics.retain(|metric| !there.contains(&(metric.key.as_str(), metric.step, metric.timestamp_ms)));
        batches.extend(metrics.chunks(METRICS).map(|some| Batch { metrics: some.to_vec(), ..Batch::default() }));
        if let (Some(last), Some(ended_ms)) = (batches.last_mut(), run.ended_ms) {
            last.end = Some(End { status: run.status, ended_ms, reason: run.reason.clone() });
        }
        Ok(batches)
    }

    /// Brings a model's versions, the first made first, to the server's registry, then stages and aliases as they are here.
    /// What another version holds there that is not of these stays as it is, and is told. `reasons` says why versions were
    /// made.
    pub fn export_model(
        &self,
        model: &str,
        versions: &[VersionRecord],
        aliases: &BTreeMap<String, u32>,
        reasons: &BTreeMap<u32, String>,
        change: &Change,
    ) -> Result<BroughtModel, Error> {
        let mut brought = BroughtModel {
            model: model.to_owned(),
            versions: BTreeMap::new(),
            made: 0,
            changes: 0,
            without_run: Vec::new(),
            left: Vec::new(),
        };
        let mut versions: Vec<&VersionRecord> = versions.iter().collect();
        versions.sort_by_key(|version| version.version);
        for version in &versions {
            let before = self.own(model)?;
            let made = before.versions.iter().find(|made| made.run == version.run && made.digest == version.digest);
            if let Some(made) = made {
                brought.versions.insert(version.version, made.version);
                continue;
            }
            let remote = self.local().remote_run(self.server()?, &version.run)?.unwrap_or_default();
            let (Some(run), Some(logged_model)) = (remote.remote, remote.model) else {
                brought.without_run.push(version.version);
                continue;
            };
            let new = NewVersion {
                run: version.run.clone(),
                digest: version.digest,
                artifact_path: version.artifact_path.clone(),
                rows: version.rows.clone(),
                who: change.who.clone(),
                created_ms: change.at_ms,
            };
            let reason = reasons.get(&version.version).map_or("", String::as_str);
            let ask = async |registry: Registry<'_>, before: &Registered| {
                self.make_version(registry, before, model, &new, &run, &logged_model, reason).await
            };
            let made = self.change((model, before), Action::Registered, change, ask, |_, _, _| Ok(()))?;
            brought.versions.insert(version.version, made.version);
            brought.made += 1;
        }
        let here = Standing::of(&versions.iter().map(|version| (*version).clone()).collect::<Vec<_>>(), aliases);
        let (effects, left) = placed(&here, &brought.versions, &self.own(model)?.standing());
        (brought.changes, brought.left) = (effects.len(), left);
        if let Some(newest) = brought.versions.values().max().copied().filter(|_| !effects.is_empty()) {
            let numbers = &brought.versions;
            self.change_by(model, Action::Transitioned, change, |now, _| Ok((newest, placed(&here, numbers, now).0)))?;
        }
        self.settle_marks();
        Ok(brought)
    }
}

/// Is what a server has of a run.
struct There {
    id: String,
    experiment: Option<String>,
    artifacts: Option<String>,
    metrics: Vec<String>,
    models: Vec<String>,
    is_deleted: bool,
    is_whole: bool,
}

impl There {
    fn of(run: &RunRecord, found: &Value) -> Self {
        Self {
            id: info(found, "run_id").unwrap_or_default().to_owned(),
            experiment: info(found, "experiment_id").map(str::to_owned),
            artifacts: info(found, "artifact_uri").map(str::to_owned),
            metrics: metric_keys(found),
            models: models(found),
            is_deleted: info(found, "lifecycle_stage") == Some("deleted"),
            is_whole: is_whole(run, found),
        }
    }
}

/// Says whether the server has a run as it is here. What was told only in part is still waiting.
fn is_whole(run: &RunRecord, found: &Value) -> bool {
    let tags: BTreeMap<&str, &str> = pairs(found, "tags").collect();
    let params: BTreeSet<&str> = pairs(found, "params").map(|(key, _)| key).collect();
    let metrics: BTreeSet<String> = metric_keys(found).into_iter().collect();
    info(found, "status") == Some(status(run.status))
        && tags.get(STATUS_TAG).is_none_or(|stands| *stands == run.status.name())
        && time(found, "end_time") == run.ended_ms
        && run.tags.iter().all(|(key, value)| tags.get(key.as_str()) == Some(&cut(value, TAG_VALUE_LIMIT).0.as_str()))
        && run.params.keys().all(|key| params.contains(key.as_str()))
        && run.metrics.keys().all(|key| metrics.contains(key))
}

/// Lists what gives versions the stages and aliases that they have here; `numbers` says what each is called there. What
/// others hold there is left to them, in words.
fn placed(here: &Standing, numbers: &BTreeMap<u32, u32>, there: &Standing) -> (Vec<Effect>, Vec<String>) {
    let ours: BTreeSet<u32> = numbers.values().copied().collect();
    let (mut effects, mut left) = (Vec::new(), Vec::new());
    for (version, number) in numbers {
        let (Some(held), Some(now)) = (here.versions.get(version), there.versions.get(number)) else { continue };
        if held.stage == now.stage {
            continue;
        }
        let holds = |(other, held_there): (&u32, &crate::Held)| {
            (held_there.stage == held.stage && !ours.contains(other)).then_some(*other)
        };
        let other = there.versions.iter().find_map(holds).filter(|_| has_one_holder(held.stage));
        match other {
            Some(other) => left.push(format!("v{other} keeps {}, which v{version} has here", held.stage)),
            None => effects.push(Effect::Staged { version: *number, from: now.stage, to: held.stage }),
        }
    }
    // Who is put away is put away first: a stage that has one holder is free then.
    effects.sort_by_key(|effect| !matches!(effect, Effect::Staged { to: Stage::Archived | Stage::None, .. }));
    for (alias, version) in &here.aliases {
        let Some(number) = numbers.get(version) else { continue };
        match there.aliases.get(alias).copied() {
            Some(other) if other == *number => {}
            Some(other) if !ours.contains(&other) => {
                left.push(format!("{alias} stays with v{other}; here it is v{version}"));
            }
            from => effects.push(Effect::Aliased { alias: alias.clone(), from, to: Some(*number) }),
        }
    }
    (effects, left)
}
