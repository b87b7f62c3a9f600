//! Tests through the crate's public face.

<<<<<<< HEAD
mod densities;
mod problems;
mod reference;
mod samplers;
=======
mod fixtures;
mod pruners;
mod run;
mod significance;
>>>>>>> e1e6d0b (tune: studies run by transcripts, pruners as optuna's, stop rules, paired test)
mod space;
mod stopping;
mod warm;
