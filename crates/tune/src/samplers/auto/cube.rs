//! A space as a cube of coordinates from 0 to 1.

use libm::{exp, log, rint};
use trainyard_random::Stream;

use crate::{Distribution, Parameter, Space, Values};

/// The place of a choice that does not exist; one of a range that does not is in the middle.
const ABSENT: f64 = -1.0;

/// A space whose parameters with more than one value are coordinates: a choice is its position, a range goes from 0 to
/// 1, by orders of magnitude where it has logarithms.
#[derive(Debug)]
pub(super) struct Cube<'a> {
    space: &'a Space,
    /// The positions of the parameters that have more than one value.
    parameters: Vec<usize>,
}

impl<'a> Cube<'a> {
    /// Reads a space.
    pub(super) fn new(space: &'a Space) -> Cube<'a> {
        let is_open = |&at: &usize| !space.parameters()[at].distribution.is_single();
        Cube { space, parameters: (0..space.parameters().len()).filter(is_open).collect() }
    }

    /// Gives the number of coordinates.
    pub(super) fn dimensions(&self) -> usize {
        self.parameters.len()
    }

    fn parameter(&self, at: usize) -> &'a Parameter {
        &self.space.parameters()[self.parameters[at]]
    }

    /// Says whether a coordinate is a choice.
    pub(super) fn is_choice(&self, at: usize) -> bool {
        matches!(self.parameter(at).distribution, Distribution::Categorical { .. })
    }

    /// Gives the point of values.
    pub(super) fn point(&self, values: &Values) -> Vec<f64> {
        let place = |at: usize| match (&self.parameter(at).distribution, values[self.parameters[at]]) {
            (Distribution::Categorical { .. }, value) => value.unwrap_or(ABSENT),
            (_, None) => 0.5,
            (distribution, Some(value)) => place(distribution, value),
        };
        (0..self.parameters.len()).map(place).collect()
    }

    /// Gives the values of a point: of a range the nearest one.
    pub(super) fn values(&self, point: &[f64]) -> Values {
        let mut coordinates = self.parameters.iter().zip(point).peekable();
        self.space.fill(|at, parameter| {
            while coordinates.next_if(|(position, _)| **position < at).is_some() {}
            match coordinates.next_if(|(position, _)| **position == at) {
                Some((_, place)) => value(&parameter.distribution, *place),
                None => parameter.distribution.nth(0),
            }
        })
    }

    /// Gives the nearest point that has values.
    pub(super) fn settle(&self, point: &[f64]) -> Vec<f64> {
        self.point(&self.values(point))
    }

    /// Draws a place of a coordinate.
    pub(super) fn random(&self, at: usize, stream: &mut Stream) -> f64 {
        match &self.parameter(at).distribution {
            Distribution::Categorical { choices } => stream.below(choices.len() as u64) as f64,
            _ => stream.uniform(),
        }
    }

    /// Moves one coordinate a little: a range by about `width`, but at least by a step; a choice to any other.
    pub(super) fn perturb(&self, at: usize, point: &mut [f64], width: f64, stream: &mut Stream) {
        let distribution = &self.parameter(at).distribution;
        if let Distribution::Categorical { choices } = distribution {
            point[at] = stream.below(choices.len() as u64) as f64;
            return;
        }
        // Three uniform numbers are normal enough.
        let normal = 2.0 * (stream.uniform() + stream.uniform() + stream.uniform()) - 3.0;
        let step = distribution.count().map_or(0.0, |count| 1.0 / count as f64);
        let moved = normal * width;
        let moved = if moved.abs() < step { step.copysign(moved) } else { moved };
        // What leaves the cube comes in again at the border.
        let place = point[at] + moved;
        point[at] = place.clamp(0.0, 1.0);
    }

    /// Says whether a coordinate is a range that exists under the choices of a point.
    pub(super) fn is_free(&self, at: usize, point: &[f64]) -> bool {
        let parameter = self.parameter(at);
        let exists = |when: &crate::When| {
            let coordinate = self.parameters.iter().position(|&position| position == when.parent);
            let choice = coordinate.map_or(0.0, |coordinate| point[coordinate]);
            choice >= 0.0 && when.choices.binary_search(&(choice as usize)).is_ok()
        };
        !self.is_choice(at) && parameter.when.as_ref().is_none_or(exists)
    }
}

/// Gives the bounds of a range and its length in places: whole numbers and steps have the room of half a step on each
/// side.
fn bounds(distribution: &Distribution) -> (f64, f64, bool) {
    match *distribution {
        Distribution::Float { low, high, log: is_log, step } => {
            let half = step.unwrap_or(0.0) / 2.0;
            if is_log { (log(low), log(high), true) } else { (low - half, high + half, false) }
        }
        Distribution::Int { low, high, log: is_log, step } => {
            let half = step as f64 / 2.0;
            let (low, high) = (low as f64 - half, high as f64 + half);
            if is_log { (log(low), log(high), true) } else { (low, high, false) }
        }
        Distribution::Categorical { .. } => (0.0, 1.0, false),
    }
}

fn place(distribution: &Distribution, value: f64) -> f64 {
    let (low, high, is_log) = bounds(distribution);
    let value = if is_log { log(value) } else { value };
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

fn value(distribution: &Distribution, place: f64) -> f64 {
    let (low, high, is_log) = bounds(distribution);
    let value = low + (high - low) * place;
    let value = if is_log { exp(value) } else { value };
    match *distribution {
        Distribution::Float { low, high, step: None, .. } => value.clamp(low, high),
        Distribution::Float { low, step: Some(step), .. } => nearest(distribution, (value - low) / step),
        Distribution::Int { low, step, .. } => nearest(distribution, (value - low as f64) / step as f64),
        Distribution::Categorical { ref choices } => place.clamp(0.0, choices.len() as f64 - 1.0),
    }
}

fn nearest(distribution: &Distribution, steps: f64) -> f64 {
    let last = distribution.count().map_or(0, |count| count - 1);
    distribution.nth((rint(steps).max(0.0) as u64).min(last))
}
