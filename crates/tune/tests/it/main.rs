//! Tests through the crate's public face.

mod space;
