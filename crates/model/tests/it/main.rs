//! Training, folders, comparison and decision, on synthetic and on real tables.

mod canary;
mod comparison;
mod decision;
mod folder;
mod given;
mod real;
mod training;
