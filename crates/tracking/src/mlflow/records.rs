//! What a server has of runs: found page by page, with the whole history of their metrics.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::client::{Client, Unanswered, get, post};
use super::error::ServerError;
use crate::{Metric, Status};

/// How many runs one page has: each comes with all its params and tags.
const PAGE: usize = 200;
/// How many experiments one page has.
const EXPERIMENTS: &str = "1000";
/// How many values of a metric one page has; MLflow's limit is 25,000.
const VALUES: &str = "25000";
/// How many histories are asked for at the same time.
const TOGETHER: usize = 8;

/// Is an experiment of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteExperiment {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Asks a server about runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) client: &'a Client,
}

impl Records<'_> {
    /// Lists the experiments that were not deleted.
    pub(crate) async fn experiments(self) -> Result<Vec<RemoteExperiment>, ServerError> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = vec![("max_results", EXPERIMENTS)];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let told = |error: Unanswered| error.told(self.client.server(), "list the experiments");
            let found = self.client.ask_patiently(&get("experiments/search", &query)).await.map_err(told)?;
            for experiment in found["experiments"].as_array().into_iter().flatten() {
                let text = |name: &str| experiment[name].as_str().unwrap_or_default().to_owned();
                all.push(RemoteExperiment { id: text("experiment_id"), name: text("name") });
            }
            match next(&found) {
                Some(next) => token = next,
                None => return Ok(all),
            }
        }
    }

    /// Reads one page of the runs of experiments, the first begun first, as the server writes them; gives the token of
    /// the next one. `filter` is in MLflow's language, and `with_deleted` asks for those that were deleted, too.
    pub(crate) async fn page(
        self,
        experiments: &[String],
        filter: &str,
        with_deleted: bool,
        token: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), ServerError> {
        let mut body = json!({
            "experiment_ids": experiments, "filter": filter, "max_results": PAGE,
            "run_view_type": if with_deleted { "ALL" } else { "ACTIVE_ONLY" },
            "order_by": ["attributes.start_time ASC"],
        });
        if let Some(token) = token {
            body["page_token"] = json!(token);
        }
        let mut found = self
            .client
            .ask_patiently(&post("runs/search", body))
            .await
            .map_err(|error| error.told(self.client.server(), "list runs"))?;
        let after = next(&found);
        let runs = match found["runs"].take() {
            Value::Array(runs) => runs,
            _ => Vec::new(),
        };
        Ok((runs, after))
    }

    /// Reads all values of some of a run's metrics, in the order of the keys.
    pub(crate) async fn histories(self, id: &str, keys: &[String]) -> Result<Vec<Vec<Metric>>, ServerError> {
        let one = |key: &String| {
            let key = key.clone();
            async move { self.history(id, &key).await }
        };
        stream::iter(keys).map(one).buffered(TOGETHER).try_collect().await
    }

    async fn history(self, id: &str, key: &str) -> Result<Vec<Metric>, ServerError> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = vec![("run_id", id), ("metric_key", key), ("max_results", VALUES)];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let told = |error: Unanswered| error.told(self.client.server(), "give the history of a metric");
            let found = self.client.ask_patiently(&get("metrics/get-history", &query)).await.map_err(told)?;
            all.extend(found["metrics"].as_array().into_iter().flatten().filter_map(metric));
            match next(&found) {
                Some(next) => token = next,
                None => return Ok(all),
            }
        }
    }

    /// Reads one run as the server writes it, with what it made.
    pub(crate) async fn run(self, id: &str) -> Result<Value, ServerError> {
        let found = self.client.ask_patiently(&get("runs/get", &[("run_id", id)])).await;
        let mut found = found.map_err(|error| error.told(self.client.server(), &format!("give the run {id}")))?;
        Ok(found["run"].take())
    }
}

fn next(found: &Value) -> Option<String> {
    found["next_page_token"].as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

/// Reads a metric; the server writes what JSON has no number for as text.
fn metric(found: &Value) -> Option<Metric> {
    let value = match &found["value"] {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let whole = |name: &str| match &found[name] {
        Value::String(text) => text.parse().unwrap_or_default(),
        other => other.as_i64().unwrap_or_default(),
    };
    Some(Metric {
        key: found["key"].as_str()?.to_owned(),
        value,
        step: whole("step"),
        timestamp_ms: whole("timestamp"),
    })
}

/// Lists what a run has under a name in its data: `params` or `tags`.
pub(crate) fn pairs<'v>(run: &'v Value, name: &str) -> impl Iterator<Item = (&'v str, &'v str)> {
    let pairs = run["data"][name].as_array().into_iter().flatten();
    pairs.filter_map(|pair| Some((pair["key"].as_str()?, pair["value"].as_str().unwrap_or_default())))
}

/// Gives a tag of a run.
pub(crate) fn tag<'v>(run: &'v Value, key: &str) -> Option<&'v str> {
    pairs(run, "tags").find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Lists the metrics that a run has.
pub(crate) fn metric_keys(run: &Value) -> Vec<String> {
    let metrics = run["data"]["metrics"].as_array().into_iter().flatten();
    metrics.filter_map(|metric| Some(metric["key"].as_str()?.to_owned())).collect()
}

/// Gives a text of a run's own description.
pub(crate) fn info<'v>(run: &'v Value, name: &str) -> Option<&'v str> {
    run["info"][name].as_str().filter(|text| !text.is_empty())
}

/// Gives a time of a run's own description, in milliseconds since 1970.
pub(crate) fn time(run: &Value, name: &str) -> Option<i64> {
    match &run["info"][name] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

/// Lists the ids of the models that a run made.
pub(crate) fn models(run: &Value) -> Vec<String> {
    let outputs = run["outputs"]["model_outputs"].as_array().into_iter().flatten();
    outputs.filter_map(|output| Some(output["model_id"].as_str()?.to_owned())).collect()
}

/// Reads how a run stands by MLflow's word; none for one that has not ended.
pub(crate) fn ended(run: &Value) -> Option<Status> {
    match info(run, "status")? {
        "FINISHED" => Some(Status::Finished),
        "FAILED" => Some(Status::Failed),
        "KILLED" => Some(Status::Killed),
        _ => None,
    }
}
