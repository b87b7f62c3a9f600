//! A column of numbers in two tables.

use trainyard_spec::DriftTest;

use super::Rules;
use super::categories::Categories;
use super::report::{Distribution, Outcome, Summary};
use super::tests::{Measured, choice, outcomes};
use crate::statistics::{self, Walk};

/// A reference of up to this many different values is compared value by value, not by bins.
const VALUES: usize = 20;
/// The least standard deviation that a distance is divided by.
const LEAST_DEVIATION: f64 = 0.001;

/// Two sorted samples with what several tests need of them.
pub(super) struct Numbers<'a> {
    reference: &'a [f64],
    current: &'a [f64],
    /// Whether all are whole numbers by their type.
    whole: bool,
    walk: Walk,
    /// The categories that stand for few different values.
    categories: Option<Categories>,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(reference: &'a [f64], current: &'a [f64], whole: bool) -> Option<Numbers<'a>> {
        let walk = Walk::of(reference, current)?;
        let few = walk.distinct_reference <= VALUES;
        let categories = few.then(|| Categories::of_numbers(reference, current, false));
        Some(Numbers { reference, current, whole, walk, categories })
    }

    /// Gives what the deciding test says, and then those that were asked for.
    pub(super) fn tested(&self, summary: Option<&Summary>, rules: &Rules) -> Vec<Outcome> {
        let usual = || choice(true, self.reference.len() as u64, self.walk.distinct);
        let decides = rules.decides_numeric.unwrap_or_else(usual);
        let deviation = summary.map_or(0.0, |summary| summary.deviation);
        outcomes(decides, &rules.numeric, rules, |test| self.measured(test, deviation))
    }

    fn measured(&self, test: DriftTest, deviation: f64) -> Measured {
        match (test, &self.categories) {
            (DriftTest::Ks, _) => {
                let (statistic, p) = statistics::kolmogorov_smirnov(&self.walk);
                Measured { value: Some(p), statistic: Some(statistic) }
            }
            (DriftTest::Wasserstein, _) => {
                Measured { value: Some(self.walk.area / deviation.max(LEAST_DEVIATION)), statistic: None }
            }
            (DriftTest::Hellinger, _) => {
                // Its bins are of the different values, not of all values.
                let edges = self.edges(self.walk.distinct);
                let [then, now] = [self.reference, self.current].map(|side| statistics::counts(side, &edges));
                Measured { value: statistics::hellinger_of_densities(&then, &now, &edges), statistic: None }
            }
            (_, Some(categories)) => categories.measured(test),
            (_, None) => self.binned().measured(test),
        }
    }

    fn edges(&self, count: usize) -> Vec<f64> {
        let of = |sample: &[f64]| Some((*sample.first()?, *sample.last()?));
        let (Some(then), Some(now)) = (of(self.reference), of(self.current)) else { return Vec::new() };
        statistics::sturges(then.0.min(now.0), then.1.max(now.1), count, self.whole)
    }

    /// Gives the bins over both samples as categories.
    fn binned(&self) -> Categories {
        let edges = self.edges(self.reference.len() + self.current.len());
        let [reference, current] = [self.reference, self.current].map(|side| statistics::counts(side, &edges));
        Categories { names: vec![String::new(); reference.len()], reference, current }
    }

    /// Gives the shares to show.
    pub(super) fn distribution(&self) -> Distribution {
        if let Some(categories) = self.categories.as_ref().filter(|_| self.walk.distinct <= VALUES) {
            return categories.distribution(true);
        }
        let binned = self.binned();
        let share = |counts: &[u64]| statistics::shares(counts).unwrap_or_default();
        Distribution {
            edges: self.edges(self.reference.len() + self.current.len()),
            categories: Vec::new(),
            reference: share(&binned.reference),
            current: share(&binned.current),
        }
    }
}
