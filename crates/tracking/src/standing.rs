//! What a registered model is at one moment, and what each change of it does. Pure: the stores apply what is told here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use trainyard_files::Digest;
use trainyard_spec::Stage;

use crate::history::{Action, Effect, HistoryEntry};
use crate::registry::{PREVIOUS, has_one_holder, stage_name};
use crate::{Error, VersionRecord};

/// Is a version as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The digest of its model folder.
    pub digest: Digest,
    /// Its stage.
    #[serde(serialize_with = "stage_name")]
    pub stage: Stage,
}

/// Is what a registry holds of a model at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The versions by number.
    pub versions: BTreeMap<u32, Held>,
    /// Where the aliases point.
    pub aliases: BTreeMap<String, u32>,
}

/// Is one who held an alias.
#[derive(Clone, Copy)]
struct Holder {
    version: u32,
    /// The stage that it lost when it was put away, and the alias with it.
    lost: Option<Stage>,
}

impl Standing {
    /// Gives what stands in records.
    pub fn of(versions: &[VersionRecord], aliases: &BTreeMap<String, u32>) -> Self {
        let held = |one: &VersionRecord| (one.version, Held { digest: one.digest, stage: one.stage });
        Self { versions: versions.iter().map(held).collect(), aliases: aliases.clone() }
    }

    /// Gives what the entries of a history lead to, the oldest first.
    pub fn told<'e>(entries: impl IntoIterator<Item = &'e HistoryEntry>) -> Self {
        let mut standing = Self::default();
        for entry in entries {
            standing.replay(&entry.effects);
        }
        standing
    }

    /// Gives what a history led to at a moment: by the entries before the first that is dated later.
    pub fn told_until(entries: &[HistoryEntry], at_ms: i64) -> Self {
        Self::told(entries.iter().take_while(|entry| entry.at_ms <= at_ms))
    }

    /// Replays changes; false where one does not fit what stood before.
    pub fn replay<'e>(&mut self, effects: impl IntoIterator<Item = &'e Effect>) -> bool {
        let mut fits = true;
        for effect in effects {
            fits &= self.take(effect);
        }
        fits
    }

    fn take(&mut self, effect: &Effect) -> bool {
        match effect {
            Effect::Created { version, digest } => {
                let held = Held { digest: *digest, stage: Stage::None };
                self.versions.insert(*version, held).is_none()
            }
            Effect::Staged { version, from, to } => match self.versions.get_mut(version) {
                Some(held) => std::mem::replace(&mut held.stage, *to) == *from,
                None => false,
            },
            Effect::Aliased { alias, from, to: Some(to) } => {
                self.aliases.insert(alias.clone(), *to) == *from && self.versions.contains_key(to)
            }
            Effect::Aliased { alias, from, to: None } => self.aliases.remove(alias) == *from,
            Effect::Deleted { version, digest, stage } => {
                self.versions.remove(version) == Some(Held { digest: *digest, stage: *stage })
            }
        }
    }

    /// Lists what changes this standing into another.
    pub fn changes_to(&self, other: &Self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let deleted = |version: u32, held: &Held| Effect::Deleted { version, digest: held.digest, stage: held.stage };
        for (&version, held) in &other.versions {
            let mut before = self.versions.get(&version);
            // The number of one that was deleted with its model is given again.
            if let Some(former) = before.filter(|former| former.digest != held.digest) {
                effects.push(deleted(version, former));
                before = None;
            }
            let before = before.map(|held| held.stage);
            if before.is_none() {
                effects.push(Effect::Created { version, digest: held.digest });
            }
            let from = before.unwrap_or(Stage::None);
            if from != held.stage {
                effects.push(Effect::Staged { version, from, to: held.stage });
            }
        }
        let moved = other.aliases.iter().map(|(alias, to)| (alias, Some(*to)));
        let gone = self.aliases.keys().filter(|alias| !other.aliases.contains_key(*alias)).map(|alias| (alias, None));
        for (alias, to) in moved.chain(gone) {
            let from = self.aliases.get(alias).copied();
            if from != to {
                effects.push(Effect::Aliased { alias: alias.clone(), from, to });
            }
        }
        let gone = self.versions.iter().filter(|(version, _)| !other.versions.contains_key(version));
        effects.extend(gone.map(|(&version, held)| deleted(version, held)));
        effects
    }

    /// Lists what gives a version its stage: whoever held one that has one holder is archived first.
    pub fn stage(&self, version: u32, stage: Stage) -> Vec<Effect> {
        let Some(held) = self.versions.get(&version).filter(|held| held.stage != stage) else { return Vec::new() };
        let mut effects = Vec::new();
        if has_one_holder(stage) {
            let holders = self.versions.iter().rev().filter(|(_, held)| held.stage == stage);
            effects.extend(holders.map(|(&version, _)| Effect::Staged { version, from: stage, to: Stage::Archived }));
        }
        effects.push(Effect::Staged { version, from: held.stage, to: stage });
        effects
    }

    /// Lists what points an alias at a version, and `previous` at its former holder.
    pub fn alias(&self, alias: &str, version: u32) -> Vec<Effect> {
        let from = self.aliases.get(alias).copied();
        if from == Some(version) {
            return Vec::new();
        }
        let mut effects = vec![Effect::Aliased { alias: alias.to_owned(), from, to: Some(version) }];
        if let Some(former) = from.filter(|_| alias != PREVIOUS) {
            let before = self.aliases.get(PREVIOUS).copied();
            if before != Some(former) {
                effects.push(Effect::Aliased { alias: PREVIOUS.to_owned(), from: before, to: Some(former) });
            }
        }
        effects
    }

    /// Lists what promotes a version: its stage, and its alias where it gets one.
    pub fn promote(&self, version: u32, stage: Stage, alias: Option<&str>) -> Vec<Effect> {
        let mut effects = self.stage(version, stage);
        effects.extend(alias.iter().flat_map(|alias| self.alias(alias, version)));
        effects
    }

    /// Lists what puts a version away: it is archived, and its aliases are taken from it.
    pub fn archive(&self, version: u32) -> Vec<Effect> {
        let mut effects = self.stage(version, Stage::Archived);
        let held = self.aliases.iter().filter(|(_, holder)| **holder == version);
        effects.extend(held.map(|(alias, _)| Effect::Aliased { alias: alias.clone(), from: Some(version), to: None }));
        effects
    }

    /// Finds who held an alias before its holder, and lists what gives it back: the stage goes with it where one version
    /// has it at a time, the holder is archived, and `previous` points at that one.
    ///
    /// What was rolled back, or put away by hand, is not gone back to. [`Error::NothingBefore`] where nobody is left.
    pub fn rollback(&self, model: &str, alias: &str, history: &[HistoryEntry]) -> Result<(u32, Vec<Effect>), Error> {
        let holder = self.aliases.get(alias).copied();
        let mut held = holders(alias, history);
        let is_gone = |version: &u32| !self.versions.contains_key(version);
        let gone: BTreeSet<u32> = held.iter().map(|one| one.version).filter(is_gone).collect();
        let (model, alias_name) = (model.to_owned(), alias.to_owned());
        let none = || Error::NothingBefore { model, alias: alias_name, gone: gone.into_iter().collect() };
        // The registry is the truth: what the history tells beyond its holder is gone.
        let lost = match holder {
            Some(holder) => {
                while held.pop().is_some_and(|one| one.version != holder) {}
                self.versions.get(&holder).map(|held| held.stage)
            }
            None => match held.pop() {
                Some(last) => last.lost,
                None => return Err(none()),
            },
        };
        let put_away = put_away(history);
        let before = held.into_iter().rev().map(|one| one.version).find(|version| {
            Some(*version) != holder && self.versions.contains_key(version) && !put_away.contains(version)
        });
        let before = before.ok_or_else(none)?;
        let stage = lost.filter(|stage| has_one_holder(*stage));
        let mut effects = stage.map(|stage| self.stage(before, stage)).unwrap_or_default();
        let mut after = self.clone();
        after.replay(&effects);
        let archived = holder.map(|holder| after.stage(holder, Stage::Archived)).unwrap_or_default();
        effects.extend(archived);
        effects.extend(self.alias(alias, before));
        Ok((before, effects))
    }
}

/// Lists who held an alias, the last one last, without those that it was taken back from. The last one may have lost it.
fn holders(alias: &str, history: &[HistoryEntry]) -> Vec<Holder> {
    let mut held: Vec<Holder> = Vec::new();
    for entry in history {
        for effect in &entry.effects {
            let Effect::Aliased { alias: moved, from, to } = effect else { continue };
            if moved != alias {
                continue;
            }
            // Who lost the alias without another in its place may only be the last.
            if held.last().is_some_and(|one| one.lost.is_some()) {
                held.pop();
            }
            let Some(version) = *to else {
                let staged = entry.effects.iter().find_map(|effect| match effect {
                    Effect::Staged { version, from: stage, .. } | Effect::Deleted { version, stage, .. }
                        if Some(*version) == *from =>
                    {
                        Some(*stage)
                    }
                    _ => None,
                });
                if let Some(last) = held.last_mut() {
                    last.lost = Some(staged.unwrap_or(Stage::None));
                }
                continue;
            };
            // What a rollback that died half-way has done on a server is seen as another's doing.
            let goes_back = matches!(entry.action, Action::RolledBack | Action::Observed | Action::Lost);
            match held.iter().rposition(|one| one.version == version) {
                Some(at) if goes_back => held.truncate(at + 1),
                _ => held.push(Holder { version, lost: None }),
            }
        }
    }
    held
}

/// Lists the versions that were put away by hand and not taken out again.
fn put_away(history: &[HistoryEntry]) -> BTreeSet<u32> {
    let mut away = BTreeSet::new();
    for entry in history {
        match (entry.version, entry.action) {
            (Some(version), Action::Archived) => away.insert(version),
            (Some(version), Action::Promoted | Action::Transitioned | Action::RolledBack | Action::Aliased) => {
                away.remove(&version)
            }
            _ => false,
        };
    }
    away
}
