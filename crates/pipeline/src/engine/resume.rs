//! What of an earlier attempt still holds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cache, Entry, Graph, Input, Journal, Record};

/// Gives the steps that a run has behind it, by name, with whether they were cached and their seconds.
///
/// A step no longer counts as done when an object of it is absent or damaged, when its code changed, when a step that
/// it needs no longer counts, or when what it read is not what that step left last: results of two attempts never mix.
/// Its declared inputs are not looked at again, since a run keeps the world that it began with; but a step whose failure
/// asks for it takes those before it along.
pub fn still_done(graph: &Graph, cache: &Cache, entries: &[Entry]) -> BTreeMap<String, (Record, bool, f64)> {
    let mut behind = Journal::done(entries);
    let redone = to_redo(graph, entries);
    let mut done: BTreeMap<String, (Record, bool, f64)> = BTreeMap::new();
    for step in graph.steps() {
        let Some((record, cached, seconds)) = behind.remove(step.name()) else { continue };
        let read_the_same = step.reads().iter().all(|read| {
            let left = done.get(read.step).and_then(|(record, ..)| record.output.artifacts.get(&read.artifact));
            left.is_none_or(|digest| record.inputs.contains(&Input::of_read(read, *digest)))
        });
        let failed_after = redone.contains(step.name());
        let needs_hold = graph.needs(step.name()).iter().all(|need| done.contains_key(*need));
        if !failed_after
            && needs_hold
            && read_the_same
            && record.code == step.code()
            && cache.damaged(&record).is_none()
        {
            done.insert(step.name().to_owned(), (record, cached, seconds));
        }
    }
    done
}

/// Names the steps that a later failure wants done anew.
fn to_redo(graph: &Graph, entries: &[Entry]) -> BTreeSet<&'static str> {
    let mut redo = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::StepFailed { step, .. } => {
                redo.extend(graph.find(step).map(|step| step.redone_with()).unwrap_or_default());
            }
            Entry::StepDone { record, .. } => {
                redo.remove(record.step.as_str());
            }
            _ => {}
        }
    }
    redo
}
