//! Densities of good and of other trials: a kernel for each trial, and one for what was known before.
//!
//! The definitions are those of Optuna 5 (Watanabe: "Tree-structured Parzen estimator", 2023). A kernel is a product
//! over the parameters: a truncated normal distribution, in logarithms where the parameter has them, its mass over a
//! step where it has steps, or a choice that is likelier than the others.
//!
//! From one call to the next few trials come and go. So the order of the observations is kept per parameter, and of a
//! kernel only what a new neighbour changes is computed anew; what comes out never depends on what was kept.

use libm::{exp, log, rint};
use trainyard_random::Stream;

use super::normal;
use crate::{Distribution, Trial};

/// Kernels whose share is below this many powers of e of the greatest cannot change a double.
const NEGLIGIBLE: f64 = 46.0;
/// So many kernels are compared with all points at once.
const BLOCK: usize = 128;
/// With more changes than this all is computed anew.
const CHANGES: usize = 24;
/// The latest observations have full weight.
const FULL: usize = 25;

/// The values of one parameter as a kernel sees them.
#[derive(Debug, Clone, PartialEq)]
enum Axis {
    /// The values from `first` to `last`, by `step` where there are steps: then the bounds lie half a step outside.
    Range { low: f64, high: f64, is_log: bool, first: f64, last: f64, step: Option<f64> },
    /// Values without an order.
    Choice { count: usize },
}

impl Axis {
    fn new(distribution: &Distribution) -> Axis {
        let (first, last, is_log, step) = match *distribution {
            Distribution::Float { low, high, log, step } => (low, high, log, step),
            Distribution::Int { low, high, log, step } => (low as f64, high as f64, log, Some(step as f64)),
            Distribution::Categorical { ref choices } => return Axis::Choice { count: choices.len() },
        };
        let half = step.unwrap_or(0.0) / 2.0;
        let bound = |bound| if is_log { log(bound) } else { bound };
        Axis::Range { low: bound(first - half), high: bound(last + half), is_log, first, last, step }
    }

    /// Gives the place of a value on the axis.
    fn place(&self, value: f64) -> f64 {
        if matches!(self, Axis::Range { is_log: true, .. }) { log(value) } else { value }
    }
}

/// One parameter of all kernels.
#[derive(Debug, Clone)]
struct Dimension {
    axis: Axis,
    /// The observations as the trials have them.
    values: Vec<f64>,
    /// Of each kernel its middle, or its choice; that of what was known before is the last.
    middles: Vec<f64>,
    /// Of each kernel its width.
    widths: Vec<f64>,
    /// One by the width.
    inverses: Vec<f64>,
    /// The logarithm of what a kernel's density is divided by.
    masses: Vec<f64>,
    /// The observations by middle, then by trial.
    order: Vec<u32>,
}

/// The density of some trials over the parameters of a group.
#[derive(Debug, Clone)]
pub(crate) struct Parzen {
    numbers: Vec<u64>,
    dimensions: Vec<Dimension>,
    /// The share of each kernel.
    weights: Vec<f64>,
    /// The logarithm of each kernel's share and of all that does not depend on the point.
    constants: Vec<f64>,
    scratch: Vec<f64>,
}

impl Parzen {
    /// Makes the density of no trials.
    pub(crate) fn new<'a>(distributions: impl Iterator<Item = &'a Distribution>) -> Parzen {
        let dimension = |distribution| Dimension {
            axis: Axis::new(distribution),
            values: Vec::new(),
            middles: Vec::new(),
            widths: Vec::new(),
            inverses: Vec::new(),
            masses: Vec::new(),
            order: Vec::new(),
        };
        let dimensions = distributions.map(dimension).collect();
        Parzen { numbers: Vec::new(), dimensions, weights: Vec::new(), constants: Vec::new(), scratch: Vec::new() }
    }

    /// Makes it the density of these trials, by number; those without one of the `parameters` say nothing.
    pub(crate) fn update(&mut self, trials: &[&Trial], parameters: &[usize]) {
        let has_all = |trial: &&&Trial| parameters.iter().all(|&at| trial.values[at].is_some());
        let trials: Vec<&Trial> = trials.iter().filter(has_all).copied().collect();
        let value = |trial: &Trial, at: usize| trial.values[parameters[at]].unwrap_or(0.0);
        if self.changes(&trials) > CHANGES {
            self.numbers.clear();
            for dimension in &mut self.dimensions {
                dimension.clear();
            }
            for (position, trial) in trials.iter().enumerate() {
                self.numbers.push(trial.number);
                for (at, dimension) in self.dimensions.iter_mut().enumerate() {
                    dimension.insert(position, value(trial, at));
                }
            }
            self.dimensions.iter_mut().for_each(Dimension::sort);
        } else {
            self.walk(&trials, value);
        }
        self.dimensions.iter_mut().for_each(Dimension::refresh);
        self.weigh();
    }

    /// Says whether the kernel at `position` is that of `trial`.
    fn is_of(&self, position: usize, trial: &Trial, value: impl Fn(&Trial, usize) -> f64) -> bool {
        let mut dimensions = self.dimensions.iter().enumerate();
        self.numbers[position] == trial.number
            && dimensions.all(|(at, dimension)| dimension.values[position] == value(trial, at))
    }

    /// Counts the trials that come and go.
    fn changes(&self, trials: &[&Trial]) -> usize {
        let (mut position, mut kept) = (0, 0);
        for trial in trials {
            while self.numbers.get(position).is_some_and(|&number| number < trial.number) {
                position += 1;
            }
            kept += usize::from(self.numbers.get(position) == Some(&trial.number));
        }
        self.numbers.len() + trials.len() - 2 * kept
    }

    /// Lets trials come and go, one by one.
    fn walk(&mut self, trials: &[&Trial], value: impl Fn(&Trial, usize) -> f64) {
        let mut position = 0;
        for trial in trials {
            while position < self.numbers.len()
                && self.numbers[position] <= trial.number
                && !self.is_of(position, trial, &value)
            {
                self.remove(position);
            }
            if self.numbers.get(position) != Some(&trial.number) {
                self.numbers.insert(position, trial.number);
                for (at, dimension) in self.dimensions.iter_mut().enumerate() {
                    dimension.insert(position, value(trial, at));
                    dimension.place_in_order(position);
                }
            }
            position += 1;
        }
        while self.numbers.len() > position {
            self.remove(position);
        }
    }

    fn remove(&mut self, position: usize) {
        self.numbers.remove(position);
        for dimension in &mut self.dimensions {
            dimension.remove(position);
        }
    }

    /// Gives each kernel its share: the latest ones are full, older ones fade, and what was known before counts as one.
    fn weigh(&mut self) {
        let count = self.numbers.len();
        self.weights.clear();
        let fading = count.saturating_sub(FULL);
        let least = 1.0 / count.max(1) as f64;
        let rise = if fading > 1 { (1.0 - least) / (fading - 1) as f64 } else { 0.0 };
        self.weights.extend((0..fading).map(|at| least + rise * at as f64));
        if fading > 1 {
            self.weights[fading - 1] = 1.0;
        }
        self.weights.resize(count + 1, 1.0);
        let total: f64 = self.weights.iter().sum();
        self.constants.clear();
        for weight in &mut self.weights {
            *weight /= total;
            self.constants.push(log(*weight));
        }
        for dimension in self.dimensions.iter().filter(|dimension| matches!(dimension.axis, Axis::Range { .. })) {
            for (constant, mass) in self.constants.iter_mut().zip(&dimension.masses) {
                *constant -= mass;
            }
        }
    }

    /// Draws a point: a kernel, then its parameters in order.
    pub(crate) fn draw(&self, stream: &mut Stream) -> Vec<f64> {
        let mut left = stream.uniform();
        let mut kernel = self.weights.len() - 1;
        for (at, weight) in self.weights.iter().enumerate() {
            if left < *weight {
                kernel = at;
                break;
            }
            left -= weight;
        }
        self.dimensions.iter().map(|dimension| dimension.draw(kernel, stream.uniform())).collect()
    }

    /// Gives the logarithms of the density at some points.
    pub(crate) fn log_densities(&mut self, points: &[Vec<f64>]) -> Vec<f64> {
        let count = self.constants.len();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(points.len() * count, 0.0);
        let places: Vec<Vec<f64>> = points.iter().map(|point| self.places(point)).collect();
        // A few kernels of all parameters stay in the nearest cache while all points go by.
        for from in (0..count).step_by(BLOCK) {
            let block = from..count.min(from + BLOCK);
            for (places, logs) in places.iter().zip(scratch.chunks_exact_mut(count)) {
                let logs = &mut logs[block.clone()];
                for (dimension, place) in self.dimensions.iter().zip(places) {
                    dimension.add_squares(*place, from, logs);
                }
                for (log, constant) in logs.iter_mut().zip(&self.constants[block.clone()]) {
                    *log = constant - 0.5 * *log;
                }
            }
        }
        let densities = points.iter().zip(scratch.chunks_exact_mut(count)).map(|(point, logs)| {
            for (dimension, value) in self.dimensions.iter().zip(point) {
                dimension.add_logs(*value, logs);
            }
            let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let close = logs.iter().map(|log| log - greatest).filter(|log| *log > -NEGLIGIBLE);
            greatest + log(close.map(exp).sum())
        });
        let densities = densities.collect();
        self.scratch = scratch;
        densities
    }

    fn places(&self, point: &[f64]) -> Vec<f64> {
        self.dimensions.iter().zip(point).map(|(dimension, value)| dimension.axis.place(*value)).collect()
    }
}

impl Dimension {
    fn clear(&mut self) {
        for numbers in [&mut self.values, &mut self.middles, &mut self.widths, &mut self.inverses, &mut self.masses] {
            numbers.clear();
        }
        self.order.clear();
    }

    /// Makes room for a kernel, of which only its middle is known.
    fn insert(&mut self, position: usize, value: f64) {
        self.values.insert(position, value);
        self.middles.insert(position, self.axis.place(value));
        for unknown in [&mut self.widths, &mut self.inverses, &mut self.masses] {
            unknown.insert(position, f64::NAN);
        }
    }

    fn sort(&mut self) {
        self.order = (0..self.values.len() as u32).collect();
        let middles = &self.middles;
        self.order.sort_by(|&one, &other| middles[one as usize].total_cmp(&middles[other as usize]));
    }

    /// Puts the kernel at `position`, which was just inserted, into the order.
    fn place_in_order(&mut self, position: usize) {
        for at in &mut self.order {
            *at += u32::from(*at as usize >= position);
        }
        let middle = self.middles[position];
        let place = self.order.partition_point(|&at| {
            let other = self.middles[at as usize];
            other.total_cmp(&middle).then((at as usize).cmp(&position)).is_lt()
        });
        self.order.insert(place, position as u32);
    }

    fn remove(&mut self, position: usize) {
        for numbers in [&mut self.values, &mut self.middles, &mut self.widths, &mut self.inverses, &mut self.masses] {
            numbers.remove(position);
        }
        self.order.retain(|&at| at as usize != position);
        for at in &mut self.order {
            *at -= u32::from(*at as usize > position);
        }
    }

    /// Computes the widths, and of the kernels whose width changed all that follows from it.
    fn refresh(&mut self) {
        let count = self.values.len();
        for numbers in [&mut self.middles, &mut self.widths, &mut self.inverses, &mut self.masses] {
            numbers.resize(count + 1, f64::NAN);
        }
        let &Axis::Range { low, high, .. } = &self.axis else { return };
        let range = high - low;
        // Many trials make narrow kernels, but no kernel is narrower than a hundredth.
        let least = range / (count as f64 + 2.0).min(100.0);
        for place in 0..count {
            let at = self.order[place] as usize;
            let middle = self.middles[at];
            let before = place.checked_sub(1).map(|place| middle - self.middles[self.order[place] as usize]);
            let behind = self.order.get(place + 1).map(|&next| self.middles[next as usize] - middle);
            let width = match (before, behind) {
                (Some(before), Some(behind)) => before.max(behind),
                (Some(gap), None) | (None, Some(gap)) => gap,
                (None, None) => (middle - low).max(high - middle),
            };
            self.shape(at, width.max(least).min(range), low, high);
        }
        if self.middles[count] != 0.5 * (low + high) {
            self.middles[count] = 0.5 * (low + high);
        }
        self.shape(count, range, low, high);
    }

    fn shape(&mut self, at: usize, width: f64, low: f64, high: f64) {
        if self.widths[at] == width {
            return;
        }
        let middle = self.middles[at];
        let inverse = 1.0 / width;
        let (least, most) = ((low - middle) * inverse, (high - middle) * inverse);
        let inside = log(normal::around(least.min(0.0), most.max(0.0)));
        let is_stepped = matches!(self.axis, Axis::Range { step: Some(_), .. });
        self.widths[at] = width;
        self.inverses[at] = inverse;
        self.masses[at] = if is_stepped { inside } else { inside + log(width) + normal::LOG_ROOT_TAU };
    }

    fn draw(&self, kernel: usize, share: f64) -> f64 {
        match self.axis {
            Axis::Choice { count } => {
                let is_before = kernel == self.values.len();
                let (others, observed) = if is_before { (1.0 / count as f64, 0.0) } else { self.choice(count) };
                let mut left = share;
                for choice in 0..count {
                    left -= if !is_before && self.values[kernel] == choice as f64 { observed } else { others };
                    if left < 0.0 {
                        return choice as f64;
                    }
                }
                (count - 1) as f64
            }
            Axis::Range { low, high, is_log, first, last, step } => {
                let (middle, width) = (self.middles[kernel], self.widths[kernel]);
                let least = normal::below((low - middle) / width);
                let most = normal::below((high - middle) / width);
                let share = least + share * (most - least);
                let place = match share {
                    share if share <= 0.0 => low,
                    share if share >= 1.0 => high,
                    share => (middle + width * normal::quantile(share)).clamp(low, high),
                };
                let value = if is_log { exp(place) } else { place };
                let value = match step {
                    Some(step) => first + rint((value - first) / step) * step,
                    None => value,
                };
                // The logarithm of a bound may lie a last digit beside it.
                value.clamp(first, last)
            }
        }
    }

    /// Gives the shares that an observation's kernel gives to each other choice, and to its own.
    fn choice(&self, count: usize) -> (f64, f64) {
        let before = 1.0 / (self.values.len() + 1) as f64;
        let total = before * count as f64 + 1.0;
        (before / total, (before + 1.0) / total)
    }

    /// Adds the squared distances, in widths, of the kernels from `from` on of a parameter without steps.
    fn add_squares(&self, place: f64, from: usize, squares: &mut [f64]) {
        if !matches!(self.axis, Axis::Range { step: None, .. }) {
            return;
        }
        let kernels = self.middles[from..].iter().zip(&self.inverses[from..]);
        for (square, (middle, inverse)) in squares.iter_mut().zip(kernels) {
            let distance = (place - middle) * inverse;
            *square += distance * distance;
        }
    }

    /// Adds the logarithms of the shares of one choice, or of one step.
    fn add_logs(&self, value: f64, logs: &mut [f64]) {
        match self.axis {
            Axis::Choice { count } => {
                let (other, own) = self.choice(count);
                let (other, own) = (log(other), log(own));
                for (sum, observed) in logs.iter_mut().zip(&self.values) {
                    *sum += if *observed == value { own } else { other };
                }
                logs[self.values.len()] -= log(count as f64);
            }
            Axis::Range { is_log, step: Some(step), .. } => {
                let bound = |bound: f64| if is_log { log(bound) } else { bound };
                let (low, high) = (bound(value - 0.5 * step), bound(value + 0.5 * step));
                let share = |at: usize| {
                    let (middle, inverse) = (self.middles[at], self.inverses[at]);
                    normal::log_between((low - middle) * inverse, (high - middle) * inverse)
                };
                // Equal kernels are neighbours in the order.
                let mut last = (f64::NAN, f64::NAN, 0.0);
                for &at in &self.order {
                    let at = at as usize;
                    if (self.middles[at], self.widths[at]) != (last.0, last.1) {
                        last = (self.middles[at], self.widths[at], share(at));
                    }
                    logs[at] += last.2;
                }
                logs[self.values.len()] += share(self.values.len());
            }
            Axis::Range { step: None, .. } => {}
        }
    }
}
