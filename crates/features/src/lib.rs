//! Columns to a feature matrix: derived columns, fitted aggregates, transforms
