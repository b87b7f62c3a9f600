//! Queries over files: tables that the readers of `data` read, joined and grouped by DataFusion.
//!
//! The engine is behind the cargo feature `datafusion`, without which this crate is empty. It runs on one thread, over
//! one partition, without a disk: the same files and the same query give the same rows in the same order.
//!
//! Never: reads a file by itself; runs anything but one SELECT; runs a function whose answer depends on time or chance;
//! sees the project's threads.

#[cfg(feature = "datafusion")]
mod border;
#[cfg(feature = "datafusion")]
mod engine;
#[cfg(feature = "datafusion")]
mod error;
#[cfg(feature = "datafusion")]
mod place;
#[cfg(feature = "datafusion")]
mod tables;

#[cfg(feature = "datafusion")]
pub use error::Error;
#[cfg(feature = "datafusion")]
pub use tables::read;
