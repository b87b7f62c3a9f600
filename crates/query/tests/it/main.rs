//! Queries over files: what they give, beside DuckDB, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod queries;
