//! The registry: versions, stages and aliases, each change with its entry in the history.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use trainyard_files::Digest;
use trainyard_spec::Stage;

use super::fault::{Fault, digest, named};
use super::history::{Entry, append, entries};
use super::runs::expect;
use crate::registry::{head_of, parse_stage};
use crate::{
    Action, Change, Effect, Error, ModelRecord, ModelReference, NewVersion, Promoted, Promotion, Standing,
    VersionRecord, Which,
};

/// Where the registry is of which the history tells: in the same file.
const HERE: &str = "";

pub(super) fn create_version(tx: &Transaction<'_>, model: &str, new: &NewVersion) -> Result<VersionRecord, Fault> {
    if let Some(version) = made_by(tx, model, new)? {
        return Ok(version);
    }
    let (version, effect) = insert(tx, model, new)?;
    let change = new.change("", serde_json::Value::Null);
    note(tx, model, version, Action::Registered, &[effect], &change)?;
    get(tx, model, version)
}

/// Changes a version as `effects` says, with one entry; what is so already is no change.
pub(super) fn change(
    tx: &Transaction<'_>,
    model: &str,
    version: u32,
    action: Action,
    change: &Change,
    effects: impl FnOnce(&Standing) -> Vec<Effect>,
) -> Result<VersionRecord, Fault> {
    get(tx, model, version)?;
    let effects = effects(&standing(tx, model)?);
    if !effects.is_empty() {
        apply(tx, model, &effects)?;
        note(tx, model, version, action, &effects, change)?;
    }
    get(tx, model, version)
}

/// Gives an alias back to its holder before.
pub(super) fn rollback(
    tx: &Transaction<'_>,
    model: &str,
    alias: &str,
    change: &Change,
) -> Result<VersionRecord, Fault> {
    expect_model(tx, model)?;
    let (version, effects) = standing(tx, model)?.rollback(model, alias, &entries(tx, HERE, model)?)?;
    apply(tx, model, &effects)?;
    note(tx, model, version, Action::RolledBack, &effects, change)?;
    get(tx, model, version)
}

fn note(
    tx: &Transaction<'_>,
    model: &str,
    version: u32,
    action: Action,
    effects: &[Effect],
    change: &Change,
) -> Result<(), Fault> {
    append(tx, &Entry { registry: HERE, model, version: Some(version), action, effects, change }).map(drop)
}

pub(super) fn promote(tx: &Transaction<'_>, promotion: &Promotion) -> Result<Promoted, Fault> {
    let (model, new) = (promotion.model.as_str(), &promotion.version);
    let made = made_by(tx, model, new)?;
    if let Some(version) = &made {
        let done = tx
            .prepare_cached("SELECT 1 FROM history WHERE model = ?1 AND version = ?2 AND run = ?3 AND action = ?4")?
            .exists(params![model, version.version, new.run, Action::Promoted.name()])?;
        if done {
            return Ok(Promoted { version: version.clone(), newly: false });
        }
    }
    if let Some(expected) = promotion.expected_head
        && head(tx, model)? != expected
    {
        return Err(Error::HeadMoved { model: model.to_owned() }.into());
    }
    let mut effects = Vec::new();
    let version = match made {
        Some(version) => version.version,
        None => {
            let (version, effect) = insert(tx, model, new)?;
            effects.push(effect);
            version
        }
    };
    let changes = standing(tx, model)?.promote(version, promotion.stage, Some(&promotion.alias));
    apply(tx, model, &changes)?;
    effects.extend(changes);
    let change = new.change(&promotion.reason, promotion.decision.clone());
    note(tx, model, version, Action::Promoted, &effects, &change)?;
    Ok(Promoted { version: get(tx, model, version)?, newly: true })
}

/// Finds the version that the run has made before; another model by the same run is refused.
fn made_by(tx: &Transaction<'_>, model: &str, new: &NewVersion) -> Result<Option<VersionRecord>, Fault> {
    expect(tx, &new.run)?;
    let found = tx
        .prepare_cached("SELECT version FROM versions WHERE model = ?1 AND run = ?2")?
        .query_row([model, &new.run], |row| row.get(0))
        .optional()?;
    let Some(number) = found else { return Ok(None) };
    let version = get(tx, model, number)?;
    if version.digest != new.digest {
        let (stored, offered) = (version.digest, new.digest);
        return Err(Error::VersionConflict { version: number, run: new.run.clone(), stored, offered }.into());
    }
    Ok(Some(version))
}

fn insert(tx: &Transaction<'_>, model: &str, new: &NewVersion) -> Result<(u32, Effect), Fault> {
    tx.prepare_cached("INSERT INTO models (name, created_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![model, new.created_ms])?;
    let version: u32 = tx
        .prepare_cached("SELECT coalesce(max(version), 0) + 1 FROM versions WHERE model = ?1")?
        .query_row([model], |row| row.get(0))?;
    let rows = serde_json::to_string(&new.rows).map_err(|error| Fault::Content(error.to_string()))?;
    tx.prepare_cached(
        "INSERT INTO versions (model, version, run, digest, artifact_path, stage, rows, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 'None', ?6, ?7)",
    )?
    .execute(params![model, version, new.run, new.digest.to_string(), new.artifact_path, rows, new.created_ms])?;
    Ok((version, Effect::Created { version, digest: new.digest }))
}

/// Gives what stands of a model.
pub(super) fn standing(tx: &Transaction<'_>, model: &str) -> Result<Standing, Fault> {
    Ok(Standing::of(&versions(tx, model)?, &aliases(tx, model)?))
}

/// Changes stages and aliases, in the order given: a stage of one holder is free when the next gets it.
fn apply(tx: &Transaction<'_>, model: &str, effects: &[Effect]) -> Result<(), Fault> {
    let mut stage = tx.prepare_cached("UPDATE versions SET stage = ?3 WHERE model = ?1 AND version = ?2")?;
    let mut point = tx.prepare_cached(
        "INSERT INTO aliases (model, alias, version) VALUES (?1, ?2, ?3)
         ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version",
    )?;
    let mut take_away = tx.prepare_cached("DELETE FROM aliases WHERE model = ?1 AND alias = ?2")?;
    for effect in effects {
        match effect {
            // None is deleted here.
            Effect::Created { .. } | Effect::Deleted { .. } => 0,
            Effect::Staged { version, to, .. } => stage.execute(params![model, version, to.name()])?,
            Effect::Aliased { alias, to: Some(to), .. } => point.execute(params![model, alias, to])?,
            Effect::Aliased { alias, to: None, .. } => take_away.execute(params![model, alias])?,
        };
    }
    Ok(())
}

fn at_stage(tx: &Transaction<'_>, model: &str, stage: Stage) -> Result<Vec<u32>, Fault> {
    let mut statement =
        tx.prepare_cached("SELECT version FROM versions WHERE model = ?1 AND stage = ?2 ORDER BY version DESC")?;
    let found = statement.query_map([model, stage.name()], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn aliased(tx: &Transaction<'_>, model: &str, alias: &str) -> Result<Option<u32>, Fault> {
    let found = tx
        .prepare_cached("SELECT version FROM aliases WHERE model = ?1 AND alias = ?2")?
        .query_row([model, alias], |row| row.get(0))
        .optional()?;
    Ok(found)
}

pub(super) fn find(tx: &Transaction<'_>, reference: &ModelReference) -> Result<Option<VersionRecord>, Fault> {
    let model = reference.model.as_str();
    let latest = || -> Result<Option<u32>, Fault> { Ok(versions(tx, model)?.first().map(|version| version.version)) };
    let holder = |stage| -> Result<Option<u32>, Fault> { Ok(at_stage(tx, model, stage)?.first().copied()) };
    let number = match &reference.which {
        Which::Version(version) => Some(*version),
        Which::Alias(alias) => aliased(tx, model, alias)?,
        Which::Stage(stage) => holder(*stage)?,
        Which::Latest => latest()?,
        Which::Default => match (aliased(tx, model, "champion")?, holder(Stage::Production)?) {
            (Some(version), _) | (None, Some(version)) => Some(version),
            (None, None) => latest()?,
        },
    };
    let Some(number) = number else { return Ok(None) };
    Ok(versions(tx, model)?.into_iter().find(|version| version.version == number))
}

fn get(tx: &Transaction<'_>, model: &str, version: u32) -> Result<VersionRecord, Fault> {
    let known = versions(tx, model)?;
    if let Some(found) = known.iter().find(|known| known.version == version) {
        return Ok(found.clone());
    }
    Err(Error::UnknownVersion {
        aliases: expect_model(tx, model)?.aliases.into_keys().collect(),
        reference: ModelReference::version(model, version),
        versions: known.iter().map(|version| version.version).collect(),
    }
    .into())
}

fn expect_model(tx: &Transaction<'_>, model: &str) -> Result<ModelRecord, Fault> {
    let models = models(tx)?;
    let known = models.iter().map(|record| record.name.as_str());
    let unknown = Error::unknown_model(model, known);
    models.into_iter().find(|record| record.name == model).ok_or_else(|| unknown.into())
}

/// Lists a model's versions, the newest first.
pub(super) fn versions(tx: &Transaction<'_>, model: &str) -> Result<Vec<VersionRecord>, Fault> {
    let aliases = aliases(tx, model)?;
    let mut statement = tx.prepare_cached(
        "SELECT version, run, digest, artifact_path, stage, rows, created_ms FROM versions WHERE model = ?1 ORDER BY version DESC",
    )?;
    let found = statement.query_map([model], |row| {
        let version = row.get(0)?;
        let held = aliases.iter().filter(|(_, holder)| **holder == version);
        Ok(VersionRecord {
            model: model.to_owned(),
            version,
            run: row.get(1)?,
            digest: digest(row, 2)?,
            artifact_path: row.get(3)?,
            stage: named(row, 4, parse_stage)?,
            aliases: held.map(|(alias, _)| alias.clone()).collect(),
            rows: named(row, 5, |text| serde_json::from_str(text).ok())?,
            created_ms: row.get(6)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Maps a model's aliases to the versions that hold them.
pub(super) fn aliases(tx: &Transaction<'_>, model: &str) -> Result<BTreeMap<String, u32>, Fault> {
    let mut statement = tx.prepare_cached("SELECT alias, version FROM aliases WHERE model = ?1 ORDER BY alias")?;
    let found = statement.query_map([model], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn models(tx: &Transaction<'_>) -> Result<Vec<ModelRecord>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT name, created_ms, (SELECT coalesce(max(version), 0) FROM versions WHERE model = name) FROM models ORDER BY name",
    )?;
    let read = |row: &Row<'_>| {
        Ok(ModelRecord { name: row.get(0)?, created_ms: row.get(1)?, latest: row.get(2)?, aliases: BTreeMap::new() })
    };
    let mut found = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for model in &mut found {
        model.aliases = aliases(tx, &model.name)?;
    }
    Ok(found)
}

pub(super) fn head(tx: &Transaction<'_>, model: &str) -> Result<Digest, Fault> {
    Ok(head_of(model, &versions(tx, model)?))
}
