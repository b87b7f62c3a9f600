//! Tests of the specs from outside: what users write, and what they read.

mod cases;
mod given;
mod lock;
mod mangled;
mod origins;
mod record;
mod schema;
