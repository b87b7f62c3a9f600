//! Every combination once.

use std::collections::BTreeSet;

use super::Sampler;
use crate::{Error, Space, Study, Values};

/// Goes through all combinations of values, the last parameter fastest; one that exists only under another's value
/// varies only there, so that no combination comes twice.
///
/// The next combination is the first that no trial of the study has, so trials that were chosen beforehand count too.
#[derive(Debug, Clone)]
pub struct Grid {
    counts: Vec<u64>,
}

impl Grid {
    /// Makes the grid of a space.
    ///
    /// # Errors
    /// A parameter whose range has no steps.
    pub fn new(space: &Space) -> Result<Grid, Error> {
        let count = |parameter: &crate::Parameter| {
            parameter.distribution.count().ok_or_else(|| Error::WithoutSteps(parameter.name.clone()))
        };
        Ok(Grid { counts: space.parameters().iter().map(count).collect::<Result<_, _>>()? })
    }

    /// Gives the first combination, or the one after the `places` of another; none after the last.
    fn next(&self, space: &Space, places: Option<&[u64]>) -> Option<(Vec<u64>, Values)> {
        // The last parameter that exists and has a value left moves on, and all behind it begin anew.
        let moving = match places {
            None => None,
            Some(places) => {
                let values = self.values(space, places);
                let is_left = |&at: &usize| values[at].is_some() && places[at] + 1 < self.counts[at];
                Some((0..places.len()).rev().find(is_left)?)
            }
        };
        let mut next = vec![0; self.counts.len()];
        if let (Some(moving), Some(places)) = (moving, places) {
            next[..moving].copy_from_slice(&places[..moving]);
            next[moving] = places[moving] + 1;
        }
        let values = self.values(space, &next);
        Some((next, values))
    }

    fn values(&self, space: &Space, places: &[u64]) -> Values {
        space.fill(|at, parameter| parameter.distribution.nth(places[at]))
    }
}

impl Sampler for Grid {
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values> {
        let space = &study.space;
        let mut tried = study.trials.iter().take_while(|trial| trial.number < number).map(|trial| &trial.values);
        let mut next = self.next(space, None);
        // Mostly the trials are the grid, in order.
        let mut other = BTreeSet::new();
        for values in tried.by_ref() {
            match &next {
                Some((places, combination)) if combination == values => next = self.next(space, Some(places)),
                _ => {
                    other.insert(bits(values));
                }
            }
        }
        while let Some((places, combination)) = next {
            if !other.contains(&bits(&combination)) {
                return Some(combination);
            }
            next = self.next(space, Some(&places));
        }
        None
    }
}

fn bits(values: &Values) -> Vec<Option<u64>> {
    values.iter().map(|value| value.map(|value| (value + 0.0).to_bits())).collect()
}
