//! Tests of the specs from outside: what users write, and what they read.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod given;
mod kept_schema;
mod limits;
mod lock;
mod mangled;
mod origins;
mod record;
mod schema;
mod tune;
