//! The registry of a server: read as one state, changed, and read again, since the server compares nothing by itself.

use std::collections::BTreeMap;

use futures_util::future::{join, try_join_all};
use reqwest::Method;
use serde_json::{Value, json};
use trainyard_files::{Digest, Digester};
use trainyard_spec::Stage;

use super::client::{Client, Question, Unanswered, get, post, with};
use super::error::ServerError;
use crate::registry::{has_one_holder, parse_stage};
use crate::{Effect, ModelRecord, ModelReference, NewVersion, Standing, VersionRecord, Which};

/// The tag of a registered model that names its project.
const PROJECT_TAG: &str = "trainyard.project";
/// The tags of a version: the digest of the model, the run, its rows, the folder among the run's artifacts, and the hash of
/// the entry of the project's history that tells of it.
const DIGEST_TAG: &str = "trainyard.digest";
const ROWS_TAG: &str = "trainyard.rows";
const FOLDER_TAG: &str = "trainyard.artifact_path";
const HISTORY_TAG: &str = "trainyard.history";
use super::delivery::RUN_TAG;

/// How often a registry that others change meanwhile is read again.
const READINGS: usize = 5;
/// How many versions, or models, are asked for at once.
const PAGE: &str = "1000";

/// Is a registered model as a server has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registered {
    /// Whether the server knows the model.
    pub(crate) exists: bool,
    /// The project that registered it, where one did.
    pub(crate) project: Option<String>,
    /// The versions, the newest first.
    pub(crate) versions: Vec<VersionRecord>,
    /// Where the aliases point.
    pub(crate) aliases: BTreeMap<String, u32>,
}

impl Registered {
    /// Finds the version that a reference points at.
    pub(crate) fn find(&self, reference: &ModelReference) -> Option<&VersionRecord> {
        let newest = || self.versions.first().map(|version| version.version);
        let holder = |stage: Stage| self.versions.iter().find(|one| one.stage == stage).map(|one| one.version);
        let number = match &reference.which {
            Which::Version(version) => Some(*version),
            Which::Alias(alias) => self.aliases.get(alias).copied(),
            Which::Stage(stage) => holder(*stage),
            Which::Latest => newest(),
            Which::Default => {
                self.aliases.get("champion").copied().or_else(|| holder(Stage::Production)).or_else(newest)
            }
        }?;
        self.versions.iter().find(|version| version.version == number)
    }

    /// Gives what stands.
    pub(crate) fn standing(&self) -> Standing {
        Standing::of(&self.versions, &self.aliases)
    }
}

/// Asks a server about registered models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registry<'a> {
    pub(crate) client: &'a Client,
}

impl<'a> Registry<'a> {
    fn told<'d>(self, deed: &'d str) -> impl Fn(Unanswered) -> ServerError + use<'a, 'd> {
        move |error| error.told(self.client.server(), deed)
    }

    /// Reads a model with all its versions. The server gives aliases and versions one by one: what does not fit together was
    /// changed in between, and is read again.
    pub(crate) async fn read(self, model: &str) -> Result<Registered, ServerError> {
        let mut found = self.read_once(model).await?;
        for _ in 0..READINGS {
            let is_there = |version: &u32| found.versions.iter().any(|one| one.version == *version);
            if found.aliases.values().all(is_there) {
                break;
            }
            found = self.read_once(model).await?;
        }
        Ok(found)
    }

    async fn read_once(self, model: &str) -> Result<Registered, ServerError> {
        let told = self.told("give the registered model");
        let of_model = async {
            let query = [("name", model)];
            match self.client.ask_patiently(&get("registered-models/get", &query)).await {
                Ok(found) => Ok(found["registered_model"].clone()),
                Err(error) if error.is_absent() => Ok(Value::Null),
                Err(error) => Err(error),
            }
        };
        let (found, versions) = join(of_model, self.versions(model)).await;
        let found = found.map_err(&told)?;
        if found.is_null() {
            return Ok(Registered::default());
        }
        let mut aliases = BTreeMap::new();
        for alias in found["aliases"].as_array().into_iter().flatten() {
            if let (Some(name), Some(version)) = (alias["alias"].as_str(), number(&alias["version"])) {
                aliases.insert(name.to_owned(), version);
            }
        }
        let mut versions = versions.map_err(&told)?;
        for version in &mut versions {
            let held = aliases.iter().filter(|(_, holder)| **holder == version.version);
            version.aliases = held.map(|(alias, _)| alias.clone()).collect();
        }
        Ok(Registered { exists: true, project: tag(&found, PROJECT_TAG).map(str::to_owned), versions, aliases })
    }

    async fn versions(self, model: &str) -> Result<Vec<VersionRecord>, Unanswered> {
        // MLflow takes either quote around a text.
        let quote = if model.contains('\'') { '"' } else { '\'' };
        let filter = format!("name={quote}{model}{quote}");
        let found = self.pages("model-versions/search", "model_versions", &[("filter", &filter)]).await?;
        let mut versions: Vec<VersionRecord> =
            found.iter().filter(|one| one["name"] == model).filter_map(|one| version(model, one)).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        Ok(versions)
    }

    async fn pages(self, route: &str, name: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Unanswered> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut asked = query.to_vec();
            asked.push(("max_results", PAGE));
            if !token.is_empty() {
                asked.push(("page_token", &token));
            }
            let mut found = self.client.ask_patiently(&get(route, &asked)).await?;
            if let Some(Value::Array(page)) = found.get_mut(name).map(Value::take) {
                all.extend(page);
            }
            match found["next_page_token"].as_str() {
                Some(next) if !next.is_empty() => token = next.to_owned(),
                _ => return Ok(all),
            }
        }
    }

    /// Lists the registered models by name.
    pub(crate) async fn models(self) -> Result<Vec<ModelRecord>, ServerError> {
        let found = self.pages("registered-models/search", "registered_models", &[]).await;
        let mut models: Vec<ModelRecord> = Vec::new();
        for model in found.map_err(self.told("list the registered models"))? {
            let Some(name) = model["name"].as_str() else { continue };
            let latest = model["latest_versions"].as_array().into_iter().flatten();
            let aliases = model["aliases"].as_array().into_iter().flatten();
            models.push(ModelRecord {
                name: name.to_owned(),
                created_ms: model["creation_timestamp"].as_i64().unwrap_or_default(),
                latest: latest.filter_map(|version| number(&version["version"])).max().unwrap_or_default(),
                aliases: aliases
                    .filter_map(|alias| Some((alias["alias"].as_str()?.to_owned(), number(&alias["version"])?)))
                    .collect(),
            });
        }
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    /// Makes the registered model of a project. Where its name is taken, by whomever, that is an error.
    pub(crate) async fn register(self, model: &str, project: &str) -> Result<(), Unanswered> {
        let tags = [json!({ "key": PROJECT_TAG, "value": project })];
        let body = json!({ "name": model, "tags": tags });
        self.client.ask(&post("registered-models/create", body)).await.map(drop)
    }

    /// Makes a version; the registered model, too, where there is none.
    pub(crate) async fn create(
        self,
        model: &str,
        new: &NewVersion,
        made: &Made<'_>,
        registered: &Registered,
    ) -> Result<u32, ServerError> {
        if !registered.exists {
            match self.register(model, made.project).await {
                Err(error) if !error.exists() => return Err(self.told("register the model")(error)),
                _ => {}
            }
        }
        let tags = [
            (RUN_TAG, new.run.clone()),
            (DIGEST_TAG, new.digest.to_string()),
            (FOLDER_TAG, new.artifact_path.clone()),
            (ROWS_TAG, json!(new.rows).to_string()),
        ];
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let body = json!({
            "name": model, "source": format!("models:/{}", made.logged_model), "run_id": made.run,
            "model_id": made.logged_model, "tags": tags, "description": made.description,
        });
        let asked = self.client.ask(&post("model-versions/create", body)).await;
        let asked = asked.map_err(self.told("make a version of the model"))?;
        number(&asked["model_version"]["version"]).ok_or_else(|| ServerError::NotMlflow {
            server: self.client.server().to_owned(),
            cause: "it gave a version without a number".to_owned(),
        })
    }

    /// Gives a version its stage, and archives who held it where it has one holder.
    pub(crate) async fn stage(self, model: &str, version: u32, stage: Stage) -> Result<(), ServerError> {
        let body = json!({
            "name": model, "version": version.to_string(), "stage": stage.name(),
            "archive_existing_versions": has_one_holder(stage),
        });
        let asked = self.client.ask_patiently(&post("model-versions/transition-stage", body)).await;
        asked.map(drop).map_err(self.told("change the stage of a version"))
    }

    /// Points aliases at versions; takes away those that point nowhere.
    pub(crate) async fn alias(self, model: &str, aliases: &[(String, Option<u32>)]) -> Result<(), ServerError> {
        let one = |(alias, to): &(String, Option<u32>)| {
            let body = json!({ "name": model, "alias": alias, "version": to.map(|to| to.to_string()) });
            let question: Question<'static> = match to {
                Some(_) => post("registered-models/alias", body),
                None => with(Method::DELETE, "registered-models/alias", body),
            };
            async move { self.client.ask_patiently(&question).await }
        };
        let asked = try_join_all(aliases.iter().map(one)).await;
        asked.map(drop).map_err(self.told("move an alias"))
    }

    /// Does what changes were planned, an alias after `previous`: who dies between has not moved it.
    pub(crate) async fn apply(self, model: &str, effects: &[Effect]) -> Result<(), ServerError> {
        let mut freed = Vec::new();
        for effect in effects {
            if let Effect::Staged { to, .. } = effect
                && has_one_holder(*to)
            {
                freed.push(*to);
            }
        }
        for effect in effects {
            match effect {
                // The server archives the former holder itself.
                Effect::Staged { from, to: Stage::Archived, .. } if freed.contains(from) => {}
                Effect::Staged { version, to, .. } => self.stage(model, *version, *to).await?,
                _ => {}
            }
        }
        for effect in effects.iter().rev() {
            if let Effect::Aliased { alias, to, .. } = effect {
                self.alias(model, &[(alias.clone(), *to)]).await?;
            }
        }
        Ok(())
    }

    /// Writes on a version which entry of the project's history tells of it.
    pub(crate) async fn mark(self, model: &str, version: u32, hash: &Digest) -> Result<(), ServerError> {
        let body = json!({
            "name": model, "version": version.to_string(), "key": HISTORY_TAG, "value": hash.to_string(),
        });
        let asked = self.client.ask_patiently(&post("model-versions/set-tag", body)).await;
        asked.map(drop).map_err(self.told("tag a version"))
    }

    /// Says where the files of a version lie.
    pub(crate) async fn files(self, model: &str, version: u32) -> Result<String, ServerError> {
        let version = version.to_string();
        let query = [("name", model), ("version", version.as_str())];
        let asked = self.client.ask_patiently(&get("model-versions/get-download-uri", &query)).await;
        let asked = asked.map_err(self.told("say where a version lies"))?;
        Ok(asked["artifact_uri"].as_str().unwrap_or_default().to_owned())
    }
}

/// Is what a version is made of on the server.
pub(crate) struct Made<'a> {
    pub(crate) project: &'a str,
    /// The server's ids of the run and of its logged model.
    pub(crate) run: &'a str,
    pub(crate) logged_model: &'a str,
    /// Why it is made, in words.
    pub(crate) description: &'a str,
}

fn tag<'v>(entity: &'v Value, key: &str) -> Option<&'v str> {
    entity["tags"].as_array()?.iter().find(|tag| tag["key"] == key)?["value"].as_str()
}

/// Reads a version's number, which the server writes as text.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| number.try_into().ok()),
    }
}

fn version(model: &str, found: &Value) -> Option<VersionRecord> {
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    // What others registered has no digest: where it lies stands for it.
    let foreign = || Digester::new("trainyard foreign model version").text(text("source")).finish();
    Some(VersionRecord {
        model: model.to_owned(),
        version: number(&found["version"])?,
        run: tag(found, RUN_TAG).unwrap_or(text("run_id")).to_owned(),
        digest: tag(found, DIGEST_TAG).and_then(|digest| digest.parse().ok()).unwrap_or_else(foreign),
        artifact_path: tag(found, FOLDER_TAG).unwrap_or("model").to_owned(),
        stage: parse_stage(text("current_stage")).unwrap_or(Stage::None),
        aliases: Vec::new(),
        rows: tag(found, ROWS_TAG).and_then(|rows| serde_json::from_str(rows).ok()).unwrap_or_default(),
        created_ms: found["creation_timestamp"].as_i64().unwrap_or_default(),
    })
}
