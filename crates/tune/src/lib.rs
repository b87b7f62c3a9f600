//! Finds hyper-parameters: spaces, samplers, pruners, studies.
//!
//! A [`Space`] says what can be chosen. A [`Study`] holds what was tried, in order; a sampler chooses the next
//! [`Trial`] from it, and a pruner says which trial cannot win. Both see only what earlier batches and lower-numbered
//! trials have said, so that neither the number of threads nor their speed can change a result.
//!
//! Never: an estimator, a table, a clock, a file system.

mod error;
mod samplers;
mod space;
mod study;

pub use error::Error;
pub use samplers::{Grid, QuasiRandom, Random, Sampler, Tpe};
pub use space::{Distribution, Group, Parameter, Space, Value, When};
pub use study::{Direction, Report, State, Study, Trial, Values};
