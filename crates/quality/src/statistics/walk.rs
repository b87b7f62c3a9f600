//! One walk through two sorted samples.

/// Counts the different values of a sorted sample.
pub fn distinct(sorted: &[f64]) -> usize {
    let changes: usize = sorted.windows(2).map(|pair| usize::from(pair[0] != pair[1])).sum();
    changes + usize::from(!sorted.is_empty())
}

/// What one walk through two sorted samples gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// The sizes of the samples: reference, current.
    pub sizes: [usize; 2],
    /// How many values differ in the reference.
    pub distinct_reference: usize,
    /// How many values differ in both together.
    pub distinct: usize,
    /// The largest distance of the two distribution functions, times both sizes: a whole number.
    pub largest: u128,
    /// The area between the two distribution functions: the first Wasserstein distance, in the values' unit.
    pub area: f64,
}

/// Where a walk is.
struct Position {
    /// The value that was reached, of which there may be more.
    here: f64,
    /// The distance of the distribution functions up to here, times both sizes.
    apart: i64,
    /// What a distance is multiplied with before it becomes a part of the area.
    unit: f64,
    distinct: usize,
    largest: u64,
    area: f64,
    /// What the additions to the area rounded off.
    lost: f64,
}

impl Position {
    /// Goes to the next value, which may be the same one, without a branch: which sample it comes from can't be foreseen.
    #[inline(always)]
    fn go(&mut self, next: f64) {
        let is_new = next != self.here;
        let apart = if is_new { self.apart } else { 0 };
        self.distinct += usize::from(is_new);
        self.largest = self.largest.max(apart.unsigned_abs());
        // Nothing times a gap beyond the doubles is nothing.
        let gap = if apart == 0 { 0.0 } else { next - self.here };
        let term = (apart as f64 * self.unit).abs() * gap;
        // Knuth: "The Art of Computer Programming", volume 2, section 4.2.2, theorem B.
        let sum = self.area + term;
        let added = sum - self.area;
        self.lost += (self.area - (sum - added)) + (term - added);
        self.area = sum;
        self.here = next;
    }
}

impl Walk {
    /// Walks through two sorted samples, of at most 2^31 values each; `None` when one is empty.
    ///
    /// The area is Σ |F(x) − G(x)| Δx over the values of both (Ramdas, García Trillos and Cuturi: "On Wasserstein Two
    /// Sample Testing", 2017, eq. 3), summed with the rounding of each addition beside it.
    pub fn of(reference: &[f64], current: &[f64]) -> Option<Walk> {
        let here = reference.first()?.min(*current.first()?);
        let pairs = reference.len() as f64 * current.len() as f64;
        let mut position = Walk::walk(reference, current, here, 1.0);
        let mut area = (position.area + position.lost) / pairs;
        if !position.area.is_finite() {
            position = Walk::walk(reference, current, here, 1.0 / pairs);
            // Beyond the range of doubles what was rounded off is no number.
            area = if position.area.is_finite() { position.area + position.lost } else { position.area };
        }
        Some(Walk {
            sizes: [reference.len(), current.len()],
            distinct_reference: distinct(reference),
            distinct: position.distinct,
            largest: u128::from(position.largest),
            area,
        })
    }

    fn walk(reference: &[f64], current: &[f64], here: f64, unit: f64) -> Position {
        let (up, down) = (current.len() as i64, reference.len() as i64);
        let mut position = Position { here, apart: 0, unit, distinct: 1, largest: 0, area: 0.0, lost: 0.0 };
        let (mut i, mut j) = (0, 0);
        while let (Some(then), Some(now)) = (reference.get(i), current.get(j)) {
            position.go(if then < now { *then } else { *now });
            let (of_then, of_now) = (then <= now, now <= then);
            position.apart += if of_then { up } else { 0 } - if of_now { down } else { 0 };
            i += usize::from(of_then);
            j += usize::from(of_now);
        }
        for (rest, step) in [(&reference[i..], up), (&current[j..], -down)] {
            for next in rest {
                position.go(*next);
                position.apart += step;
            }
        }
        position
    }

    /// Gives the largest distance of the two distribution functions, from 0 to 1.
    pub fn distance(&self) -> f64 {
        self.largest as f64 / (self.sizes[0] as f64 * self.sizes[1] as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_counts_and_measures() {
        let walk = Walk::of(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]).unwrap();
        assert_eq!((walk.distinct_reference, walk.distinct, walk.distance(), walk.area), (3, 6, 1.0, 5.0));
        let walk = Walk::of(&[1.0, 1.0, 2.0], &[1.0]).unwrap();
        assert_eq!((walk.distinct_reference, walk.distinct, walk.distance()), (2, 2, 1.0 / 3.0));
        assert_eq!(Walk::of(&[7.0; 5], &[7.0; 3]).map(|walk| (walk.largest, walk.area)), Some((0, 0.0)));
        assert_eq!(Walk::of(&[f64::MIN], &[f64::MAX]).map(|walk| walk.area), Some(f64::INFINITY));
        assert_eq!(Walk::of(&[], &[1.0]), None);
    }
}
