//! Gradients and hessians as integers, whose sums do not depend on their order.

use rayon::prelude::*;
use trainyard_exact::power_of_two;

use super::logistic::{LANES, Logistic, exponentials};
use crate::objective::{Objective, softmax};
use crate::widest::{Work, widest};

/// Rows whose loss is summed one after another; a constant, so that sums are the same at any thread count.
const CHUNK: usize = 4096;

/// Rows after which the product of a log loss is folded into its sum; each factor is at most 2, so 2^512 at most.
const FOLD: usize = 512;

/// Rows whose exponentials are computed before anything else is made of them.
const STAGED: usize = 8 * LANES;

/// The bits of a quantised gradient.
const GRADIENT_BITS: i32 = 30;

/// A sum over rows: the quantised gradient, and hessian and number of rows in one word.
pub(crate) type Sums = [i64; 2];

/// The quantised gradient and hessian of one row.
pub(crate) type Pair = [i32; 2];

/// Knows what the integers stand for.
///
/// The second word of [`Sums`] holds the number of rows in its highest `bits(rows)` bits and the sum of hessians below;
/// hessians get as many bits as then can never carry into the number: 30 up to 131,071 rows, 24 at a million, 16 at ten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    count_shift: u32,
    hessian_bits: i32,
    /// What one unit of a gradient sum is worth.
    pub(crate) gradient_unit: f64,
    /// What one unit of a hessian sum is worth.
    pub(crate) hessian_unit: f64,
}

impl Scale {
    fn new(rows: usize) -> Scale {
        let count_bits = (usize::BITS - rows.leading_zeros()).clamp(1, 32);
        let hessian_bits = (64 - 2 * count_bits as i32).clamp(0, 30);
        Scale { count_shift: 64 - count_bits, hessian_bits, gradient_unit: 1.0, hessian_unit: 1.0 }
    }

    /// Gives what a row of this pair adds.
    #[inline]
    pub(crate) fn of_row(&self, [gradient, hessian]: Pair) -> Sums {
        [i64::from(gradient), i64::from(hessian) | (1u64 << self.count_shift) as i64]
    }

    /// Gives the number of rows in a sum.
    #[inline]
    pub(crate) fn count(&self, sums: Sums) -> u64 {
        sums[1] as u64 >> self.count_shift
    }

    /// Gives the hessian of a sum.
    #[inline]
    pub(crate) fn hessian(&self, sums: Sums) -> f64 {
        (sums[1] as u64 & self.hessian_mask()) as f64 * self.hessian_unit
    }

    /// Gives the bits of a sum's second word that hold its hessian.
    #[inline]
    pub(crate) fn hessian_mask(&self) -> u64 {
        (1 << self.count_shift) - 1
    }
}

/// Holds the state of every training row: its margin and what the loss says about it.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) margins: Vec<f64>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) scale: Scale,
    exact: Vec<[f64; 2]>,
}

/// What a chunk of rows says: its loss, largest absolute gradient, largest hessian.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    loss: f64,
    gradient: f64,
    hessian: f64,
}

impl Gradients {
    /// Starts every row at `base`.
    pub(crate) fn new(rows: usize, base: f64) -> Gradients {
        Gradients {
            margins: vec![base; rows],
            pairs: vec![[0; 2]; rows],
            scale: Scale::new(rows),
            exact: vec![[0.0; 2]; rows],
        }
    }

    /// Computes gradients and hessians at the present margins; gives the sum of the losses there.
    fn derive(&mut self, loss: SingleLoss, targets: &[f64], weights: Option<&[f64]>) -> f64 {
        let of = |(chunk, (margins, exact)): (usize, (&[f64], &mut [[f64; 2]]))| {
            let rows = chunk * CHUNK..chunk * CHUNK + margins.len();
            let weights = weights.map(|weights| &weights[rows.clone()]);
            widest(Derive { loss, margins, targets: &targets[rows], weights, exact })
        };
        let chunks: Vec<Chunk> = if self.is_large() {
            self.margins.par_chunks(CHUNK).zip(self.exact.par_chunks_mut(CHUNK)).enumerate().map(of).collect()
        } else {
            self.margins.chunks(CHUNK).zip(self.exact.chunks_mut(CHUNK)).enumerate().map(of).collect()
        };
        self.quantise(&chunks)
    }

    /// Takes gradients and hessians from the probabilities of all classes, of which this one is `class`.
    fn derive_class(
        &mut self,
        class: usize,
        probabilities: &Probabilities,
        targets: &[f64],
        weights: Option<&[f64]>,
    ) -> f64 {
        let of = |(chunk, exact): (usize, &mut [[f64; 2]])| {
            let mut found = Chunk { loss: 0.0, gradient: 0.0, hessian: 0.0 };
            for (row, exact) in (chunk * CHUNK..).zip(exact) {
                let probability = probabilities.values[row * probabilities.classes + class];
                let truth = if targets[row] == class as f64 { 1.0 } else { 0.0 };
                let weight = weights.map_or(1.0, |weights| weights[row]);
                *exact = [(probability - truth) * weight, probability * (1.0 - probability) * weight];
                found.note(*exact);
            }
            found
        };
        let chunks: Vec<Chunk> = if self.is_large() {
            self.exact.par_chunks_mut(CHUNK).enumerate().map(of).collect()
        } else {
            self.exact.chunks_mut(CHUNK).enumerate().map(of).collect()
        };
        self.quantise(&chunks)
    }

    fn is_large(&self) -> bool {
        self.margins.len() > 4 * CHUNK
    }

    /// Rounds what the chunks of rows found to integers; gives the sum of their losses.
    fn quantise(&mut self, chunks: &[Chunk]) -> f64 {
        let gradient_scale = scale_for(chunks.iter().fold(0.0, |max, chunk| chunk.gradient.max(max)), GRADIENT_BITS);
        let hessian_bits = self.scale.hessian_bits;
        let hessian_scale = scale_for(chunks.iter().fold(0.0, |max, chunk| chunk.hessian.max(max)), hessian_bits);
        self.scale.gradient_unit = 1.0 / gradient_scale;
        self.scale.hessian_unit = 1.0 / hessian_scale;
        let scales = [gradient_scale, hessian_scale];
        let quantise = |(pairs, exact): (&mut [Pair], &[[f64; 2]])| widest(Quantise { pairs, exact, scales });
        if self.is_large() {
            self.pairs.par_chunks_mut(CHUNK).zip(self.exact.par_chunks(CHUNK)).for_each(quantise);
        } else {
            quantise((&mut self.pairs, &self.exact));
        }
        chunks.iter().map(|chunk| chunk.loss).sum()
    }
}

/// Computes gradients and hessians of every margin of the objective; gives the mean loss there.
pub(crate) fn update(outputs: &mut [Gradients], objective: Objective, targets: &[f64], weights: Option<&[f64]>) -> f64 {
    let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    let loss: f64 = match SingleLoss::of(objective) {
        Some(loss) => outputs.iter_mut().map(|output| output.derive(loss, targets, weights)).sum(),
        None => {
            let margins: Vec<&[f64]> = outputs.iter().map(|output| output.margins.as_slice()).collect();
            let (probabilities, loss) = Probabilities::at(&margins, targets, weights);
            for (class, output) in outputs.iter_mut().enumerate() {
                output.derive_class(class, &probabilities, targets, weights);
            }
            loss
        }
    };
    loss / total
}

/// A loss of rows with one margin each.
#[derive(Debug, Clone, Copy)]
enum SingleLoss {
    Log,
    Squared,
    /// So much for each unit that a margin is below its target, or above.
    Linear {
        below: f64,
        above: f64,
    },
    Poisson,
}

impl SingleLoss {
    /// Gives the loss of an objective; `None` where a row has several margins.
    fn of(objective: Objective) -> Option<SingleLoss> {
        match objective {
            Objective::BinaryLogLoss => Some(SingleLoss::Log),
            Objective::SquaredError => Some(SingleLoss::Squared),
            Objective::AbsoluteError => Some(SingleLoss::Linear { below: 1.0, above: 1.0 }),
            Objective::Quantile { quantile } => Some(SingleLoss::Linear { below: quantile, above: 1.0 - quantile }),
            Objective::Poisson => Some(SingleLoss::Poisson),
            Objective::MulticlassLogLoss { .. } => None,
        }
    }
}

/// The probability of every class, row after row.
struct Probabilities {
    classes: usize,
    values: Vec<f64>,
}

impl Probabilities {
    /// Gives the softmax of each row's margins, and the sum of the log losses.
    fn at(margins: &[&[f64]], targets: &[f64], weights: Option<&[f64]>) -> (Probabilities, f64) {
        let classes = margins.len();
        let mut values = vec![0.0; targets.len() * classes];
        let of = |(chunk, values): (usize, &mut [f64])| {
            let mut loss = 0.0;
            for (row, values) in (chunk * CHUNK..).zip(values.chunks_exact_mut(classes)) {
                values.iter_mut().zip(margins).for_each(|(value, margins)| *value = margins[row]);
                let of_truth = values[targets[row] as usize];
                let weight = weights.map_or(1.0, |weights| weights[row]);
                loss += (softmax(values) - of_truth) * weight;
            }
            loss
        };
        let size = CHUNK * classes;
        let losses: Vec<f64> = if targets.len() > 4 * CHUNK {
            values.par_chunks_mut(size).enumerate().map(of).collect()
        } else {
            values.chunks_mut(size).enumerate().map(of).collect()
        };
        (Probabilities { classes, values }, losses.iter().sum())
    }
}

/// Gives the mean loss of rows at `margins`, a list for each margin of the objective.
pub(crate) fn mean_loss(objective: Objective, margins: &[Vec<f64>], targets: &[f64], weights: Option<&[f64]>) -> f64 {
    let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    let margins: Vec<&[f64]> = margins.iter().map(Vec::as_slice).collect();
    let (Some(loss), [margins]) = (SingleLoss::of(objective), margins.as_slice()) else {
        return Probabilities::at(&margins, targets, weights).1 / total;
    };
    let mut exact = [[0.0; 2]; FOLD];
    let chunks = margins.chunks(FOLD).zip(targets.chunks(FOLD)).enumerate();
    let losses = chunks.map(|(chunk, (margins, targets))| {
        let weights = weights.map(|weights| &weights[chunk * FOLD..chunk * FOLD + margins.len()]);
        widest(Derive { loss, margins, targets, weights, exact: &mut exact }).loss
    });
    losses.sum::<f64>() / total
}

/// The rounding of a chunk's rows to integers.
struct Quantise<'a> {
    pairs: &'a mut [Pair],
    exact: &'a [[f64; 2]],
    /// Of gradients and of hessians.
    scales: [f64; 2],
}

impl Work for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (pair, exact) in self.pairs.iter_mut().zip(self.exact) {
            *pair = [nearest(exact[0] * self.scales[0]), nearest(exact[1] * self.scales[1])];
        }
    }
}

/// The derivatives of a chunk's rows, to be filled in.
struct Derive<'a> {
    loss: SingleLoss,
    margins: &'a [f64],
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    exact: &'a mut [[f64; 2]],
}

impl Work for Derive<'_> {
    type Output = Chunk;

    #[inline(always)]
    fn run(self) -> Chunk {
        derive(self.loss, self.margins, self.targets, self.weights, self.exact)
    }
}

/// Fills in the derivatives of a chunk's rows.
#[inline(always)]
fn derive(
    loss: SingleLoss,
    margins: &[f64],
    targets: &[f64],
    weights: Option<&[f64]>,
    exact: &mut [[f64; 2]],
) -> Chunk {
    let mut chunk = Chunk { loss: 0.0, gradient: 0.0, hessian: 0.0 };
    match (loss, weights) {
        (SingleLoss::Log, None) => {
            let mut sums = LogLoss::default();
            let rows = margins.chunks(STAGED).zip(targets.chunks(STAGED)).zip(exact.chunks_mut(STAGED));
            for ((margins, targets), exact) in rows {
                // A loop of its own: short enough that the processor works at several of its rounds at once.
                let mut tails = [0.0; STAGED];
                for (tails, margins) in tails.chunks_exact_mut(LANES).zip(margins.chunks(LANES)) {
                    tails.copy_from_slice(&exponentials(&padded(margins)));
                }
                let rows = margins.chunks(LANES).zip(targets.chunks(LANES)).zip(exact.chunks_mut(LANES));
                for (((margins, targets), exact), tails) in rows.zip(tails.chunks(LANES)) {
                    let rows = Logistic::of(&padded(margins), &padded(targets), &padded(tails));
                    for (lane, exact) in exact.iter_mut().enumerate() {
                        *exact = [rows.gradients[lane], rows.hessians[lane]];
                    }
                    if margins.len() == LANES {
                        sums.add(&rows);
                    } else {
                        sums.add_first(&rows, margins.len());
                    }
                }
            }
            chunk = sums.finish();
        }
        (SingleLoss::Log, Some(weights)) => {
            let rows = margins.chunks(LANES).zip(targets.chunks(LANES)).zip(exact.chunks_mut(LANES));
            for (((margins, targets), exact), weights) in rows.zip(weights.chunks(LANES)) {
                let rows = Logistic::at(&padded(margins), &padded(targets));
                for (lane, (exact, weight)) in exact.iter_mut().zip(weights).enumerate() {
                    *exact = [rows.gradients[lane] * weight, rows.hessians[lane] * weight];
                    chunk.note(*exact);
                    chunk.loss += (rows.linear[lane] + libm::log(rows.factors[lane])) * weight;
                }
            }
        }
        (SingleLoss::Squared, weights) => {
            for (row, ((&margin, &target), exact)) in margins.iter().zip(targets).zip(exact).enumerate() {
                let weight = weights.map_or(1.0, |weights| weights[row]);
                let residual = margin - target;
                *exact = [residual * weight, weight];
                chunk.note(*exact);
                chunk.loss += residual * residual * weight;
            }
        }
        (SingleLoss::Linear { below, above }, weights) => {
            for (row, ((&margin, &target), exact)) in margins.iter().zip(targets).zip(exact).enumerate() {
                let weight = weights.map_or(1.0, |weights| weights[row]);
                let slope = if margin > target { above } else { -below };
                // There is no curvature: 1 makes a step as long as the mean slope, which says where to split.
                *exact = [slope * weight, weight];
                chunk.note(*exact);
                chunk.loss += (margin - target) * slope * weight;
            }
        }
        (SingleLoss::Poisson, weights) => {
            for (row, ((&margin, &target), exact)) in margins.iter().zip(targets).zip(exact).enumerate() {
                let weight = weights.map_or(1.0, |weights| weights[row]);
                let value = libm::exp(margin);
                *exact = [(value - target) * weight, value * weight];
                chunk.note(*exact);
                chunk.loss += (value - target * margin) * weight;
            }
        }
    }
    chunk
}

impl Chunk {
    #[inline]
    fn note(&mut self, [gradient, hessian]: [f64; 2]) {
        let size = gradient.abs();
        self.gradient = if size > self.gradient { size } else { self.gradient };
        self.hessian = if hessian > self.hessian { hessian } else { self.hessian };
    }
}

/// Repeats the last of fewer than [`LANES`] values.
#[inline(always)]
fn padded(values: &[f64]) -> [f64; LANES] {
    match values.first_chunk() {
        Some(values) => *values,
        None => std::array::from_fn(|lane| values[lane.min(values.len() - 1)]),
    }
}

/// The log losses of a chunk's rows, lane by lane: what is added up in each does not wait for the others.
struct LogLoss {
    linear: [f64; LANES],
    /// The product of the factors whose logarithms are not yet in `folded`.
    product: [f64; LANES],
    factors: usize,
    folded: f64,
    gradient: [f64; LANES],
    hessian: [f64; LANES],
}

impl Default for LogLoss {
    fn default() -> LogLoss {
        let zeros = [0.0; LANES];
        LogLoss { linear: zeros, product: [1.0; LANES], factors: 0, folded: 0.0, gradient: zeros, hessian: zeros }
    }
}

impl LogLoss {
    #[inline(always)]
    fn add(&mut self, rows: &Logistic) {
        for lane in 0..LANES {
            self.linear[lane] += rows.linear[lane];
            self.product[lane] *= rows.factors[lane];
            let (size, hessian) = (rows.gradients[lane].abs(), rows.hessians[lane]);
            self.gradient[lane] = if size > self.gradient[lane] { size } else { self.gradient[lane] };
            self.hessian[lane] = if hessian > self.hessian[lane] { hessian } else { self.hessian[lane] };
        }
        self.factors += LANES;
        if self.factors == FOLD {
            self.fold();
        }
    }

    /// Adds the first `count` rows, the last of a chunk.
    fn add_first(&mut self, rows: &Logistic, count: usize) {
        let mut known = Logistic { linear: [0.0; LANES], factors: [1.0; LANES], ..*rows };
        known.linear[..count].copy_from_slice(&rows.linear[..count]);
        known.factors[..count].copy_from_slice(&rows.factors[..count]);
        // The others repeat the last row, so that the largest gradient is the same.
        self.add(&known);
    }

    fn fold(&mut self) {
        self.folded += libm::log(self.product.iter().product());
        (self.product, self.factors) = ([1.0; LANES], 0);
    }

    fn finish(mut self) -> Chunk {
        self.fold();
        let largest =
            |lanes: [f64; LANES]| lanes.into_iter().fold(0.0, |max: f64, value| if value > max { value } else { max });
        Chunk {
            loss: self.linear.iter().sum::<f64>() + self.folded,
            gradient: largest(self.gradient),
            hessian: largest(self.hessian),
        }
    }
}

/// Gives the power of two that brings `largest` just below 2^`bits`.
pub(crate) fn scale_for(largest: f64, bits: i32) -> f64 {
    let exponent = (largest.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    power_of_two((bits - exponent).clamp(-1000, 1000))
}

/// Rounds to the nearest integer, ties to even, for sizes up to 2^31; one addition on any machine.
#[inline]
pub(crate) fn nearest(value: f64) -> i32 {
    (value + 6_755_399_441_055_744.0).to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest() {
        for (value, integer) in
            [(0.0, 0), (0.49, 0), (0.5, 0), (1.5, 2), (-1.5, -2), (-0.51, -1), (1073741823.6, 1 << 30)]
        {
            assert_eq!(nearest(value), integer);
        }
    }

    #[test]
    fn a_scale_uses_the_bits_and_no_more() {
        for largest in [1e-280, 0.25, 0.3, 1.0, 7.0, 1e9, 1e300] {
            let scaled = largest * scale_for(largest, 30);
            assert!((536_870_912.0..1_073_741_824.0).contains(&scaled), "{largest}: {scaled}");
        }
    }

    #[test]
    fn counts_and_hessians_share_a_word_without_carry() {
        for rows in [1, 2, 4_225, 131_071, 131_072, 10_000_000, 1 << 30] {
            let mut scale = Scale::new(rows);
            scale.hessian_unit = 1.0;
            let largest = (1i64 << scale.hessian_bits) * rows as i64;
            let [_, one_row] = scale.of_row([0, 0]);
            let all = [0, (one_row as u64).wrapping_mul(rows as u64).wrapping_add(largest as u64) as i64];
            assert_eq!(scale.count(all), rows as u64);
            assert_eq!(scale.hessian(all), largest as f64);
        }
    }
}
