//! Tables: sources, splits, synthetic data
