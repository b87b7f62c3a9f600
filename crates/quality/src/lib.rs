//! Judges tables: what they hold, whether that is what their owner expects, and whether they moved.
//!
//! Each judgement reads a table that `data` has read, and gives a value whose bytes depend on the table alone.
//!
//! Never: reads a clock; draws a random number; changes a table; a floating sum whose order depends on threads.

pub mod drift;
pub mod expectations;
pub mod profile;
pub mod statistics;
