//! Tables: what is read, what is refused and how that is said.

mod bad_input;
mod given;
mod parquet;
mod read;
