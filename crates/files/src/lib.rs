//! Atomic files, locks, digests and the content-addressed store, through one Io trait
