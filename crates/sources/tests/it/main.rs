//! Databases and stores of objects: real ones, which are read, refused, and cut off in the middle.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod given;
mod limits;
mod objects;
mod postgres;
mod proxy;
mod real;
mod sqlite;
mod stores;
mod stream;
