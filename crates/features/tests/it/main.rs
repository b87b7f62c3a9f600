//! Features against scikit-learn, against leakage, and in the words of their problems.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod given;
mod input;
mod problems;
mod properties;
mod scikit_learn;
mod targets;
mod words;
