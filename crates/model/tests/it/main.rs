//! Training, folders, comparison and decision, on synthetic and on real tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calibrate;
mod canary;
mod comparison;
mod corpus;
mod decision;
mod explain;
mod fold_scorer;
mod folder;
mod given;
mod held_out;
mod judged;
mod onnx;
mod onnx_data;
mod onnx_transforms;
mod open;
mod parameters;
mod real;
mod shuffled;
mod slices;
mod target_encoding;
mod training;
