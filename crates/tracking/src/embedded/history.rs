//! The chain of entries: written at its end, read, and verified.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use trainyard_files::Digest;
use trainyard_spec::Stage;

use super::fault::{Fault, digest};
use super::registry::{models, versions};
use crate::history::Link;
use crate::{Action, Change, Effect, Error, HistoryEntry, HistoryFault};

/// Is an entry to write.
pub(super) struct Entry<'a> {
    pub(super) model: &'a str,
    pub(super) version: u32,
    pub(super) action: Action,
    pub(super) effects: &'a [Effect],
    pub(super) change: &'a Change,
}

/// Adds an entry at the end of the chain.
pub(super) fn append(tx: &Transaction<'_>, entry: &Entry<'_>) -> Result<(), Fault> {
    let last = tx
        .prepare_cached("SELECT sequence, hash FROM history ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, digest(row, 1)?)))
        .optional()?;
    let (sequence, previous) = last.unwrap_or((0, Link::ORIGIN));
    let text = |text: serde_json::Result<String>| text.map_err(|error| Fault::Content(error.to_string()));
    let link = Link {
        sequence: sequence + 1,
        model: entry.model.to_owned(),
        version: i64::from(entry.version),
        action: entry.action.name().to_owned(),
        effects: text(serde_json::to_string(entry.effects))?,
        run: entry.change.run.clone(),
        reason: entry.change.reason.clone(),
        decision: text(serde_json::to_string(&entry.change.decision))?,
        at_ms: entry.change.at_ms,
        previous,
    };
    tx.prepare_cached(
        "INSERT INTO history (sequence, model, version, action, effects, run, reason, decision, at_ms, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        link.sequence,
        link.model,
        link.version,
        link.action,
        link.effects,
        link.run,
        link.reason,
        link.decision,
        link.at_ms,
        link.previous.to_string(),
        link.hash().to_string(),
    ])?;
    Ok(())
}

const STORED: &str =
    "SELECT sequence, model, version, action, effects, run, reason, decision, at_ms, previous, hash FROM history";

fn link(row: &Row<'_>) -> rusqlite::Result<(Link, Digest)> {
    let link = Link {
        sequence: row.get(0)?,
        model: row.get(1)?,
        version: row.get(2)?,
        action: row.get(3)?,
        effects: row.get(4)?,
        run: row.get(5)?,
        reason: row.get(6)?,
        decision: row.get(7)?,
        at_ms: row.get(8)?,
        previous: digest(row, 9)?,
    };
    Ok((link, digest(row, 10)?))
}

fn broken(link: &Link, fault: HistoryFault) -> Fault {
    Error::HistoryBroken { sequence: link.sequence.cast_unsigned(), fault }.into()
}

fn entry(link: Link, hash: Digest) -> Result<HistoryEntry, Fault> {
    let read = || {
        Some(HistoryEntry {
            sequence: u64::try_from(link.sequence).ok()?,
            model: link.model.clone(),
            version: u32::try_from(link.version).ok()?,
            action: Action::parse(&link.action)?,
            effects: serde_json::from_str(&link.effects).ok()?,
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

pub(super) fn entries(tx: &Transaction<'_>, model: &str) -> Result<Vec<HistoryEntry>, Fault> {
    let mut statement = tx.prepare_cached(&format!("{STORED} WHERE model = ?1 ORDER BY sequence"))?;
    let found = statement.query_map([model], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.into_iter().map(|(link, hash)| entry(link, hash)).collect()
}

/// Is what the registry holds of a model, as far as the history tells it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    versions: BTreeMap<u32, (Digest, Stage)>,
    aliases: BTreeMap<String, u32>,
}

impl Told {
    /// Replays a change; false where it does not fit what was told before.
    fn replay(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Created { version, digest } => self.versions.insert(version, (digest, Stage::None)).is_none(),
            Effect::Staged { version, from, to } => match self.versions.get_mut(&version) {
                Some((_, stage)) if *stage == from => {
                    *stage = to;
                    true
                }
                _ => false,
            },
            Effect::Aliased { alias, from, to } => {
                self.versions.contains_key(&to) && self.aliases.insert(alias, to) == from
            }
        }
    }
}

pub(super) fn verify(tx: &Transaction<'_>) -> Result<(), Fault> {
    let mut statement = tx.prepare_cached(&format!("{STORED} ORDER BY sequence"))?;
    let chain = statement.query_map([], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
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
        let model = told.entry(entry.model).or_default();
        for effect in entry.effects {
            if !model.replay(effect) {
                return Err(broken(&link, HistoryFault::Disagrees));
            }
        }
    }
    let mut registered: BTreeMap<String, Told> = BTreeMap::new();
    for model in models(tx)? {
        let versions = versions(tx, &model.name)?.into_iter();
        let versions = versions.map(|version| (version.version, (version.digest, version.stage))).collect();
        registered.insert(model.name, Told { versions, aliases: model.aliases });
    }
    if told != registered {
        return Err(Error::HistoryBroken { sequence: last.cast_unsigned(), fault: HistoryFault::Disagrees }.into());
    }
    Ok(())
}
