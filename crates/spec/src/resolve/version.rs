//! Version files: chosen by number, never retired, never edited after use.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_diagnostics::{Place, Source};

use crate::declare::{Decoder, Record};
use crate::error::Error;
use crate::resolve::{Header, Part, Status, UsedText, Versioned};
use crate::tree::{self, Node};
use crate::{Lock, Origin};

/// The keys that do not count when a version file is compared with what a run has used.
const ABOUT: &[&str] = Header::KEYS;

/// A version number with the place that chose it.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) version: u32,
    pub(super) origin: Origin,
}

/// What is known of versions that runs have used.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) lock: &'a Lock,
    pub(super) text: &'a UsedText<'a>,
}

/// Gives the chosen version of a part.
pub(super) fn load<T: Record>(
    part: Part,
    chosen: Option<Chosen>,
    files: &BTreeMap<u32, Arc<Source>>,
    known: Known<'_>,
    errors: &mut Vec<Error>,
) -> Option<Versioned<T>> {
    let Chosen { version, origin } = chosen?;
    let used = used(part, version, known.lock);
    let Some(source) = files.get(&version) else {
        let known = files.keys().copied().collect();
        errors.push(Error::UnknownVersion { chosen: origin, part, version, known, used: used.is_some() });
        return None;
    };
    let node = tree::parse(source, errors)?;
    let mut decoder = Decoder::new(part.file());
    decoder.about = ABOUT;
    let header = Header::decode(&node.only(ABOUT), &mut decoder);
    let spec = T::decode(&node, &mut decoder);
    errors.append(&mut decoder.errors);
    if let Some(status) = header.and_then(|header| header.status).filter(|status| status.value == Status::Retired) {
        let usable = files.iter().filter(|(other, source)| **other != version && !is_retired(source));
        let usable = usable.map(|(version, _)| *version).collect();
        errors.push(Error::Retired { status: status.origin, chosen: origin, part, version, usable });
    }
    let digest = digest(&node);
    if let Some(used) = used.filter(|used| used.digest != digest) {
        let was = used.run.and_then(|run| (known.text)(part, run)).and_then(|text| {
            let node = tree::parse(&Source::new(part.path(version), text), &mut Vec::new())?;
            // A run of another clone may have had the same name.
            (self::digest(&node) == used.digest).then_some(node)
        });
        let differences = was.map(|was| tree::differences(&was, &node, ABOUT)).unwrap_or_default();
        let place = Place::new(source.clone(), 0..0);
        let (run, next) = (used.run.map(str::to_owned), next_version(part, files, known.lock));
        errors.push(Error::Edited { place, part, version, run, next, differences });
    }
    Some(Versioned { version, spec: spec?, source: source.clone(), digest })
}

/// What the lock knows of a version.
struct Used<'a> {
    digest: &'a str,
    run: Option<&'a str>,
}

fn used(part: Part, version: u32, lock: &Lock) -> Option<Used<'_>> {
    let versions = match part {
        Part::Split => {
            let split = lock.splits.get(&version)?;
            return Some(Used { digest: &split.digest, run: split.first_run.as_deref() });
        }
        Part::Features => &lock.features,
        Part::Model => &lock.models,
    };
    let used = versions.get(&version)?;
    Some(Used { digest: &used.digest, run: used.first_run.as_deref() })
}

/// Gives the first number above every version that there is or was.
pub(super) fn next_version(part: Part, files: &BTreeMap<u32, Arc<Source>>, lock: &Lock) -> u32 {
    let locked = match part {
        Part::Split => lock.splits.keys().next_back(),
        Part::Features => lock.features.keys().next_back(),
        Part::Model => lock.models.keys().next_back(),
    };
    files.keys().next_back().max(locked).copied().unwrap_or_default().saturating_add(1)
}

/// Digests what a version file says, but for what it says about itself.
fn digest(node: &Node) -> String {
    let text = tree::canonical(node, ABOUT).to_string();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn is_retired(source: &Arc<Source>) -> bool {
    let Some(node) = tree::parse(source, &mut Vec::new()) else { return false };
    let header = Header::decode(&node.only(ABOUT), &mut Decoder::new(""));
    header.and_then(|header| header.status).is_some_and(|status| status.value == Status::Retired)
}
