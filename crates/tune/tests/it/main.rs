//! Tests through the crate's public face.

mod densities;
mod problems;
mod reference;
mod samplers;
mod space;
