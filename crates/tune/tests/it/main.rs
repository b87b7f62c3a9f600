//! Tests through the crate's public face.

mod densities;
mod problems;
mod reference;
mod samplers;
mod fixtures;
mod importance;
mod journal;
mod pruners;
mod run;
mod significance;
mod space;
mod stopping;
mod warm;
