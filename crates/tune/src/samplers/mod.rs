//! What is tried next.
//!
//! A sampler's answer is a pure function of its seed, the trial's number and what the study's trials below that number
//! have said. What a sampler keeps between two calls only saves time: a fresh one says the same, bit for bit.

mod auto;
mod grid;
mod history;
mod normal;
mod parzen;
mod quasi_random;
mod random;
mod tpe;

pub use auto::Auto;
pub use grid::Grid;
pub use quasi_random::QuasiRandom;
pub use random::Random;
pub use tpe::Tpe;

use crate::{Study, Values};

/// Chooses the values of trials.
pub trait Sampler: Send {
    /// Gives the values of the trial `number` of `study`; none where nothing is left to try.
    ///
    /// Only trials below `number` are looked at: complete ones with a number for a value, pruned ones, and running
    /// ones, whose values are unknown and which are better not tried again. Failed and waiting ones, and complete ones
    /// whose value is NaN, say nothing.
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values>;
}
