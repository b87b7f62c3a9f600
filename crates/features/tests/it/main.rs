//! Features against scikit-learn, against leakage, and in the words of their problems.

mod given;
mod input;
mod problems;
mod properties;
mod scikit_learn;
