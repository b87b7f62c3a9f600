//! What of an earlier attempt still holds.

use std::collections::BTreeMap;

use super::{Cache, Entry, Graph, Input, Journal, Record};

/// Gives the steps that a run has behind it, by name, with whether they were cached and their seconds.
///
/// A step no longer counts as done when an object of it is absent or damaged, when its code changed, when a step that
/// it needs no longer counts, or when what it read is not what that step left last: results of two attempts never mix.
/// Its declared inputs are not looked at again, since a run keeps the world that it began with.
pub fn still_done(graph: &Graph, cache: &Cache, entries: &[Entry]) -> BTreeMap<String, (Record, bool, f64)> {
    let mut behind = Journal::done(entries);
    let mut done: BTreeMap<String, (Record, bool, f64)> = BTreeMap::new();
    for step in graph.steps() {
        let Some((record, cached, seconds)) = behind.remove(step.name()) else { continue };
        let read_the_same = step.reads().iter().all(|read| {
            let left = done.get(read.step).and_then(|(record, ..)| record.output.artifacts.get(&read.artifact));
            left.is_none_or(|digest| record.inputs.contains(&Input::of_read(read, *digest)))
        });
        let needs_hold = graph.needs(step.name()).iter().all(|need| done.contains_key(*need));
        if needs_hold && read_the_same && record.code == step.code() && cache.damaged(&record).is_none() {
            done.insert(step.name().to_owned(), (record, cached, seconds));
        }
    }
    done
}
