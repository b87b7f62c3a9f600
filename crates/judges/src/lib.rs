//! The judges of the tests: pinned Python environments, real data sets, visible skips
