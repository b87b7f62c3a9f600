//! Each value by chance, whatever was tried.

use trainyard_random::Key;

use super::Sampler;
use crate::{Space, Study, Values};

/// Draws every value alike, and with logarithms every order of magnitude.
#[derive(Debug, Clone)]
pub struct Random {
    key: Key,
}

impl Random {
    /// Makes the sampler of a `seed`.
    pub fn new(seed: u64) -> Random {
        Random { key: Key::new(seed, "tune/random") }
    }

    /// Draws the values of the trial `number`.
    pub(crate) fn draw(&self, space: &Space, number: u64) -> Values {
        let key = self.key.derive(number);
        // A parameter's draw is its own, whether those before it exist or not.
        space.fill(|at, parameter| parameter.distribution.at(key.uniform(at as u64)))
    }
}

impl Sampler for Random {
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values> {
        Some(self.draw(&study.space, number))
    }
}
