//! Tables: what is read, what is refused and how that is said.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod batches;
mod blocks;
mod columns;
mod dialects;
mod files;
mod given;
mod images;
mod json_lines;
mod kept;
mod limits;
mod parquet;
mod passing;
mod read;
mod rows;
mod split;
mod split_by;
mod synth;
