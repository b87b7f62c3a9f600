//! Many doubles at once, each cut into two parts whose sums round nothing.

use super::power_of_two;

/// The most terms of a block.
pub(super) const BLOCK: usize = 256;

/// How many terms are cut side by side; the processor's vectors hold two or four.
const LANES: usize = 4;

/// The bits of a part: with those that [`BLOCK`] terms may carry to the left they fit into a double.
const BITS: i32 = 53 - BLOCK.ilog2() as i32 - 1;

/// Blocks whose largest term has another exponent are not cut: its parts could leave the range of doubles.
const EXPONENTS: std::ops::Range<i32> = -900..900;

/// The sums of the upper and the lower parts of a block's terms, both exact.
///
/// A term below 2^(e + 1) is rounded to a multiple of 2^(e + 1 − BITS), and what is left to one of 2^(e + 1 − 2 BITS): so
/// many of the same grid add without rounding (Rump, Ogita and Oishi: "Accurate Floating-Point Summation", 2008,
/// section 3). Terms far smaller than the largest may leave a rest.
pub(super) struct Halves {
    pub(super) high: f64,
    pub(super) low: f64,
    /// Whether a term has bits below both grids.
    pub(super) is_rest_left: bool,
    grids: [f64; 2],
}

/// Cuts a term: its parts on both grids, and the rest. Adding and taking away 1.5 × 2^52 times the grid rounds to it.
fn cut(term: f64, grids: [f64; 2]) -> (f64, f64, f64) {
    let high = (term + grids[0]) - grids[0];
    let below = term - high;
    let low = (below + grids[1]) - grids[1];
    (high, low, below - low)
}

impl Halves {
    /// Cuts the terms of a block; `None` where one is NaN or infinite, or the largest is too large or too small.
    pub(super) fn of(block: &[f64]) -> Option<Halves> {
        let (lanes, others) = block.as_chunks::<LANES>();
        let mut largest = [0.0; LANES];
        let mut last = [0.0; LANES];
        last[..others.len()].copy_from_slice(others);
        let groups = || lanes.iter().chain([&last]);
        for terms in groups() {
            for (largest, term) in largest.iter_mut().zip(terms) {
                let size = term.abs();
                *largest = if size > *largest { size } else { *largest };
            }
        }
        let largest = largest.into_iter().fold(0.0, f64::max);
        let exponent = (largest.to_bits() >> 52) as i32 - 1023;
        if !EXPONENTS.contains(&exponent) {
            return None;
        }
        let grid = |parts: i32| 1.5 * power_of_two(exponent + 1 - parts * BITS + 52);
        let grids = [grid(1), grid(2)];
        let (mut high, mut low, mut left) = ([0.0; LANES], [0.0; LANES], [0_u64; LANES]);
        for terms in groups() {
            for (lane, term) in terms.iter().enumerate() {
                let (upper, lower, rest) = cut(*term, grids);
                high[lane] += upper;
                low[lane] += lower;
                left[lane] |= rest.to_bits();
            }
        }
        let [high, low] = [high, low].map(|lanes| lanes.into_iter().sum::<f64>());
        // The first bit is the sign, which a rest of nothing may have.
        let is_rest_left = left.into_iter().fold(0, |all, left| all | left) << 1 != 0;
        (!high.is_nan()).then_some(Halves { high, low, is_rest_left, grids })
    }

    /// Gives what the cutting left of the terms, where it left something.
    pub(super) fn rests<'a>(&self, block: &'a [f64]) -> impl Iterator<Item = f64> + use<'a> {
        let grids = self.grids;
        block.iter().map(move |term| cut(*term, grids).2).filter(|rest| *rest != 0.0)
    }
}
