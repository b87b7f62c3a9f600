//! The chain of entries: written at its end, read, and verified.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use trainyard_files::Digest;
use trainyard_spec::Stage;

use super::fault::{Fault, digest};
use super::registry::{models, standing};
use crate::history::Link;
use crate::{Action, Change, Effect, Error, HistoryEntry, HistoryFault, Standing, VersionRecord};

/// Is an entry to write.
pub(super) struct Entry<'a> {
    /// Where the registry is: empty for this file.
    pub(super) registry: &'a str,
    pub(super) model: &'a str,
    pub(super) version: Option<u32>,
    pub(super) action: Action,
    pub(super) effects: &'a [Effect],
    pub(super) change: &'a Change,
}

/// Adds an entry at the end of the chain; gives its hash.
pub(super) fn append(tx: &Transaction<'_>, entry: &Entry<'_>) -> Result<Digest, Fault> {
    let last = tx
        .prepare_cached("SELECT sequence, hash FROM history ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, digest(row, 1)?)))
        .optional()?;
    let (sequence, previous) = last.unwrap_or((0, Link::ORIGIN));
    let text = |text: serde_json::Result<String>| text.map_err(|error| Fault::Content(error.to_string()));
    let link = Link {
        sequence: sequence + 1,
        registry: entry.registry.to_owned(),
        model: entry.model.to_owned(),
        version: entry.version.map(i64::from),
        action: entry.action.name().to_owned(),
        effects: text(serde_json::to_string(entry.effects))?,
        who: Some(entry.change.who.clone()),
        run: entry.change.run.clone(),
        reason: entry.change.reason.clone(),
        decision: text(serde_json::to_string(&entry.change.decision))?,
        at_ms: entry.change.at_ms,
        previous,
    };
    let hash = link.hash();
    tx.prepare_cached(
        "INSERT INTO history
             (sequence, registry, model, version, action, effects, who, run, reason, decision, at_ms, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        link.sequence,
        link.registry,
        link.model,
        link.version,
        link.action,
        link.effects,
        link.who,
        link.run,
        link.reason,
        link.decision,
        link.at_ms,
        link.previous.to_string(),
        hash.to_string(),
    ])?;
    Ok(hash)
}

const STORED: &str =
    "SELECT sequence, registry, model, version, action, effects, who, run, reason, decision, at_ms, previous, hash
     FROM history";

fn link(row: &Row<'_>) -> rusqlite::Result<(Link, Digest)> {
    let link = Link {
        sequence: row.get(0)?,
        registry: row.get(1)?,
        model: row.get(2)?,
        version: row.get(3)?,
        action: row.get(4)?,
        effects: row.get(5)?,
        who: row.get(6)?,
        run: row.get(7)?,
        reason: row.get(8)?,
        decision: row.get(9)?,
        at_ms: row.get(10)?,
        previous: digest(row, 11)?,
    };
    Ok((link, digest(row, 12)?))
}

fn broken(link: &Link, fault: HistoryFault) -> Fault {
    Error::HistoryBroken { sequence: link.sequence.cast_unsigned(), fault }.into()
}

fn entry(link: Link, hash: Digest) -> Result<HistoryEntry, Fault> {
    let read = || {
        Some(HistoryEntry {
            sequence: u64::try_from(link.sequence).ok()?,
            registry: link.registry.clone(),
            model: link.model.clone(),
            version: link.version.map(u32::try_from).transpose().ok()?,
            action: Action::parse(&link.action)?,
            effects: serde_json::from_str(&link.effects).ok()?,
            who: link.who.clone(),
            run: link.run.clone(),
            reason: link.reason.clone(),
            decision: serde_json::from_str(&link.decision).ok()?,
            at_ms: link.at_ms,
            previous: link.previous,
            hash,
        })
    };
    read().ok_or_else(|| broken(&link, HistoryFault::Unreadable))
}

pub(super) fn entries(tx: &Transaction<'_>, registry: &str, model: &str) -> Result<Vec<HistoryEntry>, Fault> {
    let mut statement = tx.prepare_cached(&format!("{STORED} WHERE registry = ?1 AND model = ?2 ORDER BY sequence"))?;
    let found = statement.query_map([registry, model], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.into_iter().map(|(link, hash)| entry(link, hash)).collect()
}

/// Finds the version that a run has made in any registry, as it was then.
pub(super) fn made(
    tx: &Transaction<'_>,
    model: &str,
    version: u32,
    digest: &Digest,
) -> Result<Option<VersionRecord>, Fault> {
    let mut statement = tx
        .prepare_cached(&format!("{STORED} WHERE model = ?1 AND version = ?2 AND run IS NOT NULL ORDER BY sequence"))?;
    let found = statement.query_map(params![model, version], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for (link, hash) in found {
        let entry = entry(link, hash)?;
        let created = Effect::Created { version, digest: *digest };
        if !entry.effects.contains(&created) {
            continue;
        }
        let mut staged = entry.effects.iter().filter_map(|effect| match effect {
            Effect::Staged { version: staged, to, .. } if *staged == version => Some(*to),
            _ => None,
        });
        return Ok(entry.run.clone().map(|run| VersionRecord {
            model: model.to_owned(),
            version,
            run,
            digest: *digest,
            artifact_path: "model".to_owned(),
            stage: staged.next_back().unwrap_or(Stage::None),
            aliases: Vec::new(),
            rows: BTreeMap::new(),
            created_ms: entry.at_ms,
        }));
    }
    Ok(None)
}

/// Adds an entry about a run's decision, unless that is there.
pub(super) fn append_once(tx: &Transaction<'_>, entry: &Entry<'_>) -> Result<(), Fault> {
    let is_there = tx
        .prepare_cached("SELECT 1 FROM history WHERE registry = ?1 AND model = ?2 AND run IS ?3 AND action = ?4")?
        .exists(params![entry.registry, entry.model, entry.change.run, entry.action.name()])?;
    if is_there { Ok(()) } else { append(tx, entry).map(drop) }
}

/// Lists the whole chain.
pub(super) fn chain(tx: &Transaction<'_>) -> Result<Vec<HistoryEntry>, Fault> {
    let mut statement = tx.prepare_cached(&format!("{STORED} ORDER BY sequence"))?;
    let found = statement.query_map([], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.into_iter().map(|(link, hash)| entry(link, hash)).collect()
}

pub(super) fn verify(tx: &Transaction<'_>) -> Result<(), Fault> {
    let mut statement = tx.prepare_cached(&format!("{STORED} ORDER BY sequence"))?;
    let chain = statement.query_map([], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut told: BTreeMap<(String, String), Standing> = BTreeMap::new();
    let (mut last, mut previous) = (0, Link::ORIGIN);
    for (link, hash) in chain {
        if link.hash() != hash {
            return Err(broken(&link, HistoryFault::Altered));
        }
        if link.previous != previous || link.sequence != last + 1 {
            return Err(broken(&link, HistoryFault::Unlinked));
        }
        (last, previous) = (link.sequence, hash);
        let entry = entry(link.clone(), hash)?;
        let model = told.entry((entry.registry, entry.model)).or_default();
        if !model.replay(&entry.effects) {
            return Err(broken(&link, HistoryFault::Disagrees));
        }
    }
    let mut registered: BTreeMap<String, Standing> = BTreeMap::new();
    for model in models(tx)? {
        registered.insert(model.name.clone(), standing(tx, &model.name)?);
    }
    // What a server holds is the server's to say. A model that was only refused is registered nowhere.
    told.retain(|(registry, _), model| registry.is_empty() && *model != Standing::default());
    let told: BTreeMap<String, Standing> = told.into_iter().map(|((_, model), told)| (model, told)).collect();
    if told != registered {
        return Err(Error::HistoryBroken { sequence: last.cast_unsigned(), fault: HistoryFault::Disagrees }.into());
    }
    Ok(())
}
