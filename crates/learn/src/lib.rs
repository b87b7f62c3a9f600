//! Learning over matrices: binned matrix, tree engine, linear models, metrics
