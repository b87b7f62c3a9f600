//! A column of categories in two tables.

use std::collections::{BTreeMap, HashMap};

use trainyard_spec::DriftTest;

use super::Rules;
use super::report::{Distribution, Outcome};
use super::tests::{Measured, choice, outcomes};
use crate::statistics;

/// The most categories that a picture shows.
const SHOWN: usize = 12;

/// Categories with their counts in the reference and in the current table, in their order.
#[derive(Debug, Default)]
pub(super) struct Categories {
    pub(super) names: Vec<String>,
    pub(super) reference: Vec<u64>,
    pub(super) current: Vec<u64>,
}

impl Categories {
    fn push(&mut self, name: String, counts: [u64; 2]) {
        self.names.push(name);
        self.reference.push(counts[0]);
        self.current.push(counts[1]);
    }

    /// Counts the different values of two sorted samples.
    pub(super) fn of_numbers(reference: &[f64], current: &[f64], truth: bool) -> Categories {
        let mut all = Categories::default();
        let (mut then, mut now) = (reference, current);
        while let Some(here) = [then.first(), now.first()].into_iter().flatten().copied().reduce(f64::min) {
            let counts = [&mut then, &mut now].map(|side| {
                let (same, rest) = side.split_at(side.partition_point(|value| *value <= here));
                *side = rest;
                same.len() as u64
            });
            let name = if truth { (here != 0.0).to_string() } else { here.to_string() };
            all.push(name, counts);
        }
        all
    }

    /// Counts the different texts, in the order of their letters.
    pub(super) fn of_texts(reference: &HashMap<&str, u64>, current: &HashMap<&str, u64>) -> Categories {
        let mut both: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        for (side, counts) in [reference, current].into_iter().enumerate() {
            for (text, count) in counts {
                both.entry(text).or_default()[side] += count;
            }
        }
        let mut all = Categories::default();
        both.into_iter().for_each(|(text, counts)| all.push(text.to_owned(), counts));
        all
    }

    /// Gives what the deciding test says, and then those that were asked for.
    pub(super) fn tested(&self, rules: &Rules) -> Vec<Outcome> {
        let values: u64 = self.reference.iter().sum();
        let decides = rules.decides_categorical.unwrap_or_else(|| choice(false, values, self.names.len()));
        outcomes(decides, &rules.categorical, rules, |test| self.measured(test))
    }

    /// Gives the value of a test of categories; numbers of few values take the same ones.
    pub(super) fn measured(&self, test: DriftTest) -> Measured {
        let (then, now) = (statistics::shares(&self.reference), statistics::shares(&self.current));
        let (Some(then), Some(now)) = (then, now) else { return Measured::default() };
        let distance = |value: f64| Measured { value: Some(value), statistic: None };
        let p_value = |found: Option<(f64, f64)>| Measured {
            value: found.map(|(_, p)| p),
            statistic: found.map(|(statistic, _)| statistic),
        };
        match test {
            DriftTest::Psi => distance(statistics::psi(&then, &now)),
            DriftTest::KlDiv => distance(statistics::kl_divergence(&then, &now)),
            DriftTest::JensenShannon => distance(statistics::jensen_shannon(&then, &now)),
            DriftTest::Hellinger => distance(statistics::hellinger(&then, &now)),
            DriftTest::ChiSquare => p_value(statistics::chi_square(&self.reference, &self.current)),
            DriftTest::Z if self.names.len() == 1 => p_value(Some((0.0, 1.0))),
            DriftTest::Z => {
                // The first category against all others.
                let proportion = |counts: &[u64]| {
                    let all: u64 = counts.iter().sum();
                    (all - counts.first().copied().unwrap_or_default(), all)
                };
                p_value(statistics::proportions(proportion(&self.reference), proportion(&self.current)))
            }
            DriftTest::Ks | DriftTest::Wasserstein => Measured::default(),
        }
    }

    /// Gives the shares to show: of categories with an order in that order where they are few, else the most frequent
    /// ones and one for all others.
    pub(super) fn distribution(&self, has_order: bool) -> Distribution {
        let share = |counts: &[u64]| statistics::shares(counts).unwrap_or_default();
        let (then, now) = (share(&self.reference), share(&self.current));
        let mut places: Vec<usize> = (0..self.names.len()).collect();
        let few = places.len() <= SHOWN + 1;
        if !(few && has_order) {
            places.sort_by(|a, b| (then[*b] + now[*b]).total_cmp(&(then[*a] + now[*a])).then(a.cmp(b)));
        }
        let rest = if few { Vec::new() } else { places.split_off(SHOWN) };
        let mut shown = Distribution {
            edges: Vec::new(),
            categories: places.iter().map(|at| self.names[*at].clone()).collect(),
            reference: places.iter().map(|at| then[*at]).collect(),
            current: places.iter().map(|at| now[*at]).collect(),
        };
        if !rest.is_empty() {
            shown.categories.push(format!("{} others", rest.len()));
            shown.reference.push(rest.iter().map(|at| then[*at]).sum());
            shown.current.push(rest.iter().map(|at| now[*at]).sum());
        }
        shown
    }
}
