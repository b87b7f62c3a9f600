//! Runs and the model registry: the embedded store behind one trait
