//! Up to which size a profile is exact, and how large its sketches are.

/// Bounds what a profile keeps. A table of many columns gets less for each, so that all of it stays below some hundred
/// megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Different numbers or days of a column that are counted one by one.
    pub numbers: usize,
    /// Different texts of a column that are counted one by one.
    pub texts: usize,
    /// Different rows that are counted one by one.
    pub rows: usize,
    /// Values of a level of a sketch of quantiles; even.
    pub level: usize,
    /// Bits of a sketch of distinct values: its standard error is 1.04 / √2^bits.
    pub bits: u32,
    /// Counters of a sketch of frequent values: none that is more frequent than one in so many is lost.
    pub counters: usize,
    /// Rows whose sums are made in one piece.
    pub block: usize,
    /// Rows by which a column is held against the target.
    pub sample: usize,
}

impl Limits {
    /// Gives the limits for a number of columns.
    pub fn of(columns: usize) -> Limits {
        let share = |all: usize, least: usize, most: usize| (all / columns.max(1)).clamp(least, most);
        Limits {
            numbers: share(1 << 24, 256, 1 << 17),
            texts: share(1 << 21, 256, 1 << 17),
            rows: 1 << 21,
            level: share(1 << 21, 256, 1 << 14) & !1,
            bits: share(1 << 26, 1 << 9, 1 << 14).ilog2(),
            counters: share(1 << 17, 64, 1 << 10),
            block: share(1 << 22, 64, 1 << 12),
            sample: share(1 << 22, 1000, 50_000),
        }
    }
}
