//! Diagnostics as a reader or a program sees them.

mod json;
mod render;
mod robust;
