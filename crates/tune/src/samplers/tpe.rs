//! Where good trials are dense and others are not.

use trainyard_random::Key;

use super::history::History;
use super::parzen::Parzen;
use super::{Random, Sampler};
use crate::{Space, Study, Values};

/// Finished trials that are drawn by chance before the first that is not.
const STARTUP: usize = 10;
/// Points that are drawn, of which the best is taken.
const CANDIDATES: usize = 24;
/// The good trials are a tenth, and at most so many.
const GOOD: usize = 25;

/// The tree-structured Parzen estimator with the definitions of Optuna 5: the parameters that exist together are chosen
/// together, running trials count as poor ones, and pruned ones stand behind all complete ones.
///
/// J. Bergstra et al.: "Algorithms for hyper-parameter optimization", NeurIPS 2011.
#[derive(Debug, Clone)]
pub struct Tpe {
    key: Key,
    random: Random,
    space: Option<Space>,
    groups: Vec<Densities>,
}

/// The densities of one group's parameters.
#[derive(Debug, Clone)]
struct Densities {
    /// Those that have more than one value, by position in the space.
    parameters: Vec<usize>,
    good: Parzen,
    other: Parzen,
}

impl Tpe {
    /// Makes the sampler of a `seed`.
    pub fn new(seed: u64) -> Tpe {
        let random = Random::new(seed);
        Tpe { key: Key::new(seed, "tune/tpe"), random, space: None, groups: Vec::new() }
    }

    /// Gives the logarithms of the densities of good and of other trials, as the trial `number` sees them, at points of
    /// a group of the space; each point has the values of the group's parameters that have more than one, in order.
    pub fn log_densities(&mut self, study: &Study, number: u64, group: usize, points: &[Vec<f64>]) -> Vec<(f64, f64)> {
        self.update(&study.space, &History::of(study, number));
        let densities = &mut self.groups[group];
        let (good, other) = (densities.good.log_densities(points), densities.other.log_densities(points));
        good.into_iter().zip(other).collect()
    }

    /// Makes the densities those of a history.
    fn update(&mut self, space: &Space, history: &History<'_>) {
        if self.space.as_ref() != Some(space) {
            self.groups = space.groups().iter().map(|group| Densities::new(space, &group.parameters)).collect();
            self.space = Some(space.clone());
        }
        let good = history.finished.len().div_ceil(10).min(GOOD);
        let (good, other) = history.split(good);
        for densities in &mut self.groups {
            densities.good.update(&good, &densities.parameters);
            densities.other.update(&other, &densities.parameters);
        }
    }
}

impl Densities {
    fn new(space: &Space, parameters: &[usize]) -> Densities {
        let distribution = |&at: &usize| &space.parameters()[at].distribution;
        let parameters: Vec<usize> = parameters.iter().filter(|at| !distribution(at).is_single()).copied().collect();
        let empty = Parzen::new(parameters.iter().map(distribution));
        Densities { good: empty.clone(), other: empty, parameters }
    }

    /// Gives the point where good trials are densest beside other ones, of some that good ones draw.
    fn best(&mut self, key: Key) -> Vec<f64> {
        let mut stream = key.stream();
        let mut points: Vec<Vec<f64>> = (0..CANDIDATES).map(|_| self.good.draw(&mut stream)).collect();
        let (good, other) = (self.good.log_densities(&points), self.other.log_densities(&points));
        let gains = good.iter().zip(&other).map(|(good, other)| good - other).enumerate();
        let best = gains.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |best| best.0);
        points.swap_remove(best)
    }
}

impl Sampler for Tpe {
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values> {
        let space = &study.space;
        let history = History::of(study, number);
        if history.finished.len() < STARTUP {
            return Some(self.random.draw(space, number));
        }
        self.update(space, &history);
        let key = self.key.derive(number);
        let mut values: Values = vec![None; space.parameters().len()];
        for (at, group) in space.groups().iter().enumerate() {
            if !space.exists(group.when.as_ref(), &values) {
                continue;
            }
            for &parameter in &group.parameters {
                values[parameter] = Some(space.parameters()[parameter].distribution.nth(0));
            }
            let densities = &mut self.groups[at];
            if densities.parameters.is_empty() {
                continue;
            }
            let best = densities.best(key.derive(at as u64));
            for (&parameter, value) in densities.parameters.iter().zip(best) {
                values[parameter] = Some(value);
            }
        }
        Some(values)
    }
}
