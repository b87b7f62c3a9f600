//! Sums of numbers, of their powers and of their products, in an order that depends on the rows alone.

use rayon::prelude::*;
use trainyard_exact::{mean, power_of_two};

/// Adds doubles with Neumaier's correction ("Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
/// 1974).
#[derive(Debug, Clone, Copy, Default)]
struct Running {
    sum: f64,
    lost: f64,
}

impl Running {
    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    fn total(self) -> f64 {
        // Beyond the range of doubles the correction is no number.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

/// How many sums stand beside one another, whatever the processor.
const LANES: usize = 8;

/// Adds products pair by pair.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; LANES];
    for (left, right) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Where numbers are counted from, and in which unit, so that little is lost.
#[derive(Debug, Clone, Copy)]
struct Centre {
    /// The mean of the first block, in the unit.
    middle: f64,
    /// A power of two.
    exponent: i32,
}

impl Centre {
    fn of(values: &[f64]) -> Option<Centre> {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let middle = mean(&finite)?;
        let widest = finite.iter().map(|value| (value / 2.0 - middle / 2.0).abs()).fold(0.0, f64::max);
        let size = if widest > 0.0 { widest } else { middle.abs() / 2.0 };
        let exponent = if size > 0.0 { libm::ilogb(size) + 1 } else { 0 }.clamp(-1000, 1000);
        Some(Centre { middle: middle * power_of_two(-exponent), exponent })
    }

    fn scaled(self, value: f64) -> f64 {
        value * power_of_two(-self.exponent) - self.middle
    }
}

/// Sums of the powers of a column's numbers, block by block.
///
/// Numbers are counted from the mean of the first block. That mean is off from the mean of all by at most √(n / b)
/// standard deviations, for n numbers and a block of b, so at most a factor of n / b is lost of a variance's 16 digits.
#[derive(Debug)]
pub(super) struct Moments {
    /// The block's numbers; NaN where there is none.
    block: Vec<f64>,
    /// The same, from the centre; 0 where there is none.
    scaled: Vec<f64>,
    squares: Vec<f64>,
    /// 1 where there is a number, else 0.
    present: Vec<f64>,
    in_block: usize,
    block_sum: f64,
    block_squares: f64,
    centre: Option<Centre>,
    count: u64,
    sums: [Running; 4],
}

/// The shape of numbers, as pandas defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) mean: f64,
    /// By the number less one; nothing for one number.
    pub(super) deviation: Option<f64>,
    /// Adjusted for small samples (G1); nothing below three numbers, or where all are equal.
    pub(super) skewness: Option<f64>,
    /// Of the normal distribution 0, adjusted for small samples (G2); nothing below four, or where all are equal.
    pub(super) kurtosis: Option<f64>,
}

impl Moments {
    pub(super) fn new() -> Moments {
        Moments {
            block: Vec::new(),
            scaled: Vec::new(),
            squares: Vec::new(),
            present: Vec::new(),
            in_block: 0,
            block_sum: 0.0,
            block_squares: 0.0,
            centre: None,
            count: 0,
            sums: [Running::default(); 4],
        }
    }

    /// Takes the number of the next row, if it has a finite one.
    pub(super) fn push(&mut self, value: Option<f64>) {
        self.block.push(value.unwrap_or(f64::NAN));
    }

    /// Ends a block.
    pub(super) fn close(&mut self) {
        self.scaled.clear();
        self.squares.clear();
        self.present.clear();
        self.centre = self.centre.or_else(|| Centre::of(&self.block));
        for value in &self.block {
            let scaled = match self.centre {
                Some(centre) if value.is_finite() => Some(centre.scaled(*value)),
                _ => None,
            };
            let at = scaled.unwrap_or(0.0);
            self.scaled.push(at);
            self.squares.push(at * at);
            self.present.push(f64::from(u8::from(scaled.is_some())));
        }
        self.in_block = self.present.iter().filter(|present| **present > 0.0).count();
        self.block_sum = dot(&self.scaled, &self.present);
        self.block_squares = dot(&self.scaled, &self.scaled);
        self.count += self.in_block as u64;
        let powers =
            [self.block_sum, self.block_squares, dot(&self.squares, &self.scaled), dot(&self.squares, &self.squares)];
        self.sums.iter_mut().zip(powers).for_each(|(sum, power)| sum.add(power));
        self.block.clear();
    }

    fn is_whole(&self) -> bool {
        self.in_block == self.present.len()
    }

    /// Gives the shape; nothing without numbers. `is_constant` says that all are known to be equal.
    pub(super) fn shape(&self, is_constant: bool) -> Option<Shape> {
        let centre = self.centre.filter(|_| self.count > 0)?;
        let n = self.count as f64;
        let [s1, s2, s3, s4] = self.sums.map(Running::total);
        let a = s1 / n;
        // About the mean: the binomial theorem.
        let m2 = if is_constant { 0.0 } else { (s2 - n * a * a).max(0.0) };
        let m3 = s3 - 3.0 * a * s2 + 2.0 * n * a * a * a;
        let m4 = s4 - 4.0 * a * s3 + 6.0 * a * a * s2 - 3.0 * n * a * a * a * a;
        let unit = |value: f64| {
            // In two steps, either of which is inside the range of doubles.
            let half = centre.exponent / 2;
            value * power_of_two(half) * power_of_two(centre.exponent - half)
        };
        let varies = m2 > 0.0 && m2.is_finite();
        let adjusted = (n * n - 1.0) * n / ((n - 2.0) * (n - 3.0));
        Some(Shape {
            mean: unit(centre.middle + a),
            deviation: (self.count > 1).then(|| unit((m2 / (n - 1.0)).sqrt())),
            skewness: (varies && self.count > 2).then(|| n * (n - 1.0).sqrt() / (n - 2.0) * (m3 / (m2 * m2.sqrt()))),
            kurtosis: (varies && self.count > 3)
                .then(|| adjusted * (m4 / (m2 * m2)) - 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))),
        })
    }
}

/// Sums of the products of every two columns, over the rows where both have a number.
#[derive(Debug)]
pub(super) struct Pairs {
    /// The columns of each pair, by their places among the numeric ones, and their sums.
    pairs: Vec<(usize, usize, Sums)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: u64,
    x: Running,
    y: Running,
    xx: Running,
    yy: Running,
    xy: Running,
}

/// The share of a sum of squares below which what is left of it is rounding.
const ROUNDING: f64 = 1e-12;

impl Pairs {
    pub(super) fn new(columns: usize) -> Pairs {
        let of = |a| (a + 1..columns).map(move |b| (a, b, Sums::default()));
        Pairs { pairs: (0..columns).flat_map(of).collect() }
    }

    /// Takes the blocks of all columns, which were closed at the same row.
    pub(super) fn add(&mut self, columns: &[&Moments]) {
        self.pairs.par_iter_mut().for_each(|(a, b, sums)| {
            let (Some(x), Some(y)) = (columns.get(*a), columns.get(*b)) else { return };
            sums.xy.add(dot(&x.scaled, &y.scaled));
            // A column without a gap needs no sum of its own for each other column.
            let is_whole = (x.is_whole(), y.is_whole());
            sums.count += match is_whole {
                (true, _) => y.in_block as u64,
                (_, true) => x.in_block as u64,
                _ => dot(&x.present, &y.present) as u64,
            };
            let over = |sum: f64, one: &[f64], other: &Moments, is_whole: bool| {
                if is_whole { sum } else { dot(one, &other.present) }
            };
            sums.x.add(over(x.block_sum, &x.scaled, y, is_whole.1));
            sums.xx.add(over(x.block_squares, &x.squares, y, is_whole.1));
            sums.y.add(over(y.block_sum, &y.scaled, x, is_whole.0));
            sums.yy.add(over(y.block_squares, &y.squares, x, is_whole.0));
        });
    }

    /// Gives every pair with its rows and Pearson's correlation, from −1 to 1; nothing where a column is constant or
    /// there are fewer than two rows.
    pub(super) fn finish(&self) -> impl Iterator<Item = (usize, usize, u64, Option<f64>)> + '_ {
        self.pairs.iter().map(|(a, b, sums)| (*a, *b, sums.count, sums.correlation()))
    }
}

impl Sums {
    fn correlation(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let n = self.count as f64;
        let (x, y) = (self.x.total(), self.y.total());
        let spread = |squares: f64, sum: f64| Some(squares - sum * sum / n).filter(|left| *left > ROUNDING * squares);
        let (xx, yy) = (spread(self.xx.total(), x)?, spread(self.yy.total(), y)?);
        let r = (self.xy.total() - x * y / n) / (xx.sqrt() * yy.sqrt());
        r.is_finite().then(|| r.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64], block: usize) -> Moments {
        let mut moments = Moments::new();
        for part in values.chunks(block) {
            part.iter().for_each(|value| moments.push(value.is_finite().then_some(*value)));
            moments.close();
        }
        moments
    }

    #[test]
    fn shapes_survive_any_size() {
        let shape = |values: &[f64]| moments(values, 64).shape(false).unwrap();
        let small = shape(&[1.0, 2.0, 4.0, 9.0, f64::NAN]);
        for factor in [1e300, 1e-300, -1.0] {
            let other = shape(&[factor, 2.0 * factor, 4.0 * factor, 9.0 * factor]);
            let off = (other.deviation.unwrap() / small.deviation.unwrap() / factor.abs() - 1.0).abs();
            assert!(off < 1e-14, "{factor}: {off}");
            assert!((other.skewness.unwrap() * factor.signum() - small.skewness.unwrap()).abs() < 1e-13);
            assert!((other.kurtosis.unwrap() - small.kurtosis.unwrap()).abs() < 1e-12);
        }
        let far = shape(&[1e15, 1e15 + 1.0, 1e15 + 2.0]);
        assert_eq!((far.mean, far.deviation), (1e15 + 1.0, Some(1.0)));
        assert_eq!(shape(&[f64::MAX, -f64::MAX]).mean, 0.0);
        assert_eq!(moments(&[f64::NAN], 64).shape(true), None);
        let one = moments(&[0.1], 64).shape(true).unwrap();
        assert_eq!((one.mean, one.deviation, one.skewness, one.kurtosis), (0.1, None, None, None));
        let constant = moments(&[0.1; 1000], 64).shape(true).unwrap();
        assert_eq!((constant.deviation, constant.skewness, constant.kurtosis), (Some(0.0), None, None));
    }

    #[test]
    fn a_first_block_that_is_like_nothing_after_it_costs_few_digits() {
        let values: Vec<f64> = (0..200_000).map(|at| if at < 64 { 1e6 } else { f64::from(at % 7) }).collect();
        let found = moments(&values, 64).shape(false).unwrap();
        let exact = trainyard_exact::Spread::of(&values).unwrap();
        let deviation = exact.sample_variance().unwrap().sqrt();
        assert!((found.mean / exact.mean - 1.0).abs() < 1e-12, "{} {}", found.mean, exact.mean);
        assert!((found.deviation.unwrap() / deviation - 1.0).abs() < 1e-11);
    }

    #[test]
    fn correlations_are_of_the_rows_that_both_columns_have() {
        let x = [1.0, 2.0, f64::NAN, 4.0, 5.0, 100.0];
        let y = [2.0, 4.0, 7.0, 8.0, 10.0, f64::INFINITY];
        let (x, y, flat) = (moments(&x, 64), moments(&y, 64), moments(&[3.0; 6], 64));
        let mut pairs = Pairs::new(3);
        pairs.add(&[&x, &y, &flat]);
        let found: Vec<_> = pairs.finish().collect();
        assert!(found[0].2 == 4 && found[0].3.is_some_and(|r| (r - 1.0).abs() < 1e-14), "{found:?}");
        assert_eq!((found[1].2, found[1].3, found[2].2, found[2].3), (5, None, 5, None));
    }
}
