//! The scalar kernels: plain functions over plain values, each with DuckDB's meaning.

pub(crate) mod calendar;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod format;
pub(crate) mod interval;
pub(crate) mod like;
pub(crate) mod numeric;
pub(crate) mod pattern;
pub(crate) mod text;
