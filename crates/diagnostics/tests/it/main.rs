//! Diagnostics as a reader or a program sees them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod json;
mod render;
mod robust;
