//! What an earlier study is worth to a new one.

use crate::problem::StudyError;
use crate::record::trials;
use crate::{Direction, Space, State, Study, Trial};

/// The trials of an earlier study that a sampler may learn from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Warm {
    /// The trials, with values by position in the new space; numbered from 0.
    pub trials: Vec<Trial>,
    /// How many lack a parameter of the new space.
    pub lacking: u64,
    /// How many have a value that the new space does not contain.
    pub outside: u64,
    /// How many have a parameter that the new space lacks.
    pub beyond: u64,
}

impl Warm {
    /// Gives those trials of `from` that are complete or pruned, and whose choices are exactly choices of `space`. A
    /// trial under other choices would say something about a search that this one is not.
    ///
    /// # Errors
    /// The earlier study looks for the other end of its values.
    pub fn from(from: &Study, direction: Direction, space: &Space) -> Result<Warm, StudyError> {
        if from.direction != direction {
            return Err(StudyError::OtherDirection { study: from.name.clone() });
        }
        let mut warm = Warm::default();
        for trial in from.trials.iter().filter(|trial| matches!(trial.state, State::Complete | State::Pruned)) {
            let mut values = vec![None; space.parameters().len()];
            let (mut beyond, mut outside) = (false, false);
            for (parameter, value) in from.space.parameters().iter().zip(&trial.values) {
                let Some(value) = value else { continue };
                let Some(at) = space.position(&parameter.name) else {
                    beyond = true;
                    continue;
                };
                values[at] = space.parameters()[at].distribution.internal(&parameter.distribution.external(*value));
                outside |= values[at].is_none();
            }
            match (beyond, outside, space.contains(&values)) {
                (true, ..) => warm.beyond += 1,
                (_, true, _) => warm.outside += 1,
                (_, _, false) => warm.lacking += 1,
                _ => warm.trials.push(Trial { number: warm.trials.len() as u64, values, ..trial.clone() }),
            }
        }
        Ok(warm)
    }

    /// Says how many trials are used, and why the others are not; one line each.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![format!("{} of an earlier study are known", trials(self.trials.len() as u64))];
        for (number, why) in [
            (self.lacking, "without a parameter of this space"),
            (self.outside, "with a value outside of this space"),
            (self.beyond, "with a parameter that this space lacks"),
        ] {
            if number > 0 {
                words.push(format!("{} left out: {why}", trials(number)));
            }
        }
        words
    }
}
