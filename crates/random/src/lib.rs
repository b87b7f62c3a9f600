//! Counter-based randomness, keyed by seed, purpose and index
