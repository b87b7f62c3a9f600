//! Finds hyper-parameters: spaces, samplers, pruners, studies.
//!
//! A [`Space`] says what can be chosen. A [`Study`] holds what was tried, in order; a sampler chooses the next
//! [`Trial`] from it, and a pruner says which trial cannot win. Both see only what earlier batches and lower-numbered
//! trials have said, so that neither the number of threads nor their speed can change a result.
//!
//! Never: an estimator, a table, a clock, a file system.

mod batch;
mod differences;
mod error;
mod forest;
mod importance;
mod objective;
mod problem;
mod record;
mod run;
mod samplers;
mod significance;
mod space;
mod stopping;
mod student;
mod study;
mod warm;

pub mod journal;
pub mod pruners;

pub use differences::Difference;
pub use error::Error;
pub use importance::{Importance, Point, Slice, importance, slices};
pub use objective::{Ended, Objective};
pub use problem::{Damage, StudyError};
pub use record::{Record, Stopped};
pub use run::{Event, Outcome, Plan, Suggest, Watch, run};
pub use samplers::{Auto, Grid, QuasiRandom, Random, Sampler, Tpe};
pub use significance::{Paired, paired};
pub use space::{Distribution, Group, Parameter, Space, Value, When};
pub use stopping::Rule;
pub use study::{Direction, Report, State, Study, Trial, Values};
pub use warm::Warm;
