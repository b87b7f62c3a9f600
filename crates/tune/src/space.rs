//! What can be chosen: parameters, their ranges, and which of them exist only under another's value.

use std::collections::HashSet;
use std::fmt;

use libm::{exp, log};

use crate::Error;
use crate::study::Values;

/// One value of a parameter, as an objective sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, where that is a choice, such as no limit.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A name.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
        }
    }
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => value.into(),
            Value::Int(value) => value.into(),
            Value::Float(value) => value.into(),
            Value::Text(value) => value.into(),
        }
    }
}

/// The values that a parameter can take. Inside, every value is one double: a number is itself, a choice its position.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Numbers from `low` to `high`, both included.
    Float {
        /// The least value.
        low: f64,
        /// The greatest value; with a step, one that the steps reach.
        high: f64,
        /// Whether orders of magnitude are drawn alike; without a step, from a `low` above 0.
        log: bool,
        /// The distance of two neighbours; all numbers where it is left out.
        step: Option<f64>,
    },
    /// Whole numbers from `low` to `high`, both included.
    Int {
        /// The least value.
        low: i64,
        /// The greatest value, one that the steps reach.
        high: i64,
        /// Whether orders of magnitude are drawn alike; with a step of 1, from a `low` of 1 or more.
        log: bool,
        /// The distance of two neighbours, at least 1.
        step: i64,
    },
    /// Some values without an order.
    Categorical {
        /// The values, at least one, each once.
        choices: Vec<Value>,
    },
}

/// The whole numbers that a double holds exactly end here.
const EXACT: i64 = 1 << 53;

impl Distribution {
    /// Makes a range of numbers; `high` is moved down to what the steps reach.
    ///
    /// # Errors
    /// A bound that is not finite, bounds in the wrong order, a step that is not above 0 or too small to be counted, logarithms with a step or of
    /// a number that is not above 0.
    pub fn float(low: f64, high: f64, log: bool, step: Option<f64>) -> Result<Distribution, Error> {
        if !low.is_finite() || !high.is_finite() || !(high - low).is_finite() {
            return Err(Error::Endless);
        }
        let high = match step {
            Some(_) if log => return Err(Error::LogWithStep),
            Some(step) if !(step > 0.0 && step.is_finite()) => return Err(Error::Step),
            // Rounding must not cost the last step: 0.5 to 1.0 by 0.1 ends at 1.0.
            Some(step) if low <= high && (high - low) / step > EXACT as f64 => return Err(Error::Step),
            // Rounding must not lead beyond the bound either.
            Some(step) => (low + libm::floor((high - low) / step + 1e-8) * step).min(high),
            None => high,
        };
        if low > high {
            return Err(Error::Inverted);
        }
        if log && low <= 0.0 {
            return Err(Error::LogOfZero);
        }
        Ok(Distribution::Float { low, high, log, step })
    }

    /// Makes a range of whole numbers; `high` is moved down to what the steps reach.
    ///
    /// # Errors
    /// Bounds in the wrong order or beyond 2^53, a step below 1, logarithms with another step than 1 or of a number
    /// below 1.
    pub fn int(low: i64, high: i64, log: bool, step: i64) -> Result<Distribution, Error> {
        if step < 1 {
            return Err(Error::Step);
        }
        if log && step != 1 {
            return Err(Error::LogWithStep);
        }
        if low > high {
            return Err(Error::Inverted);
        }
        if low < -EXACT || high > EXACT {
            return Err(Error::Endless);
        }
        if log && low < 1 {
            return Err(Error::LogOfZero);
        }
        Ok(Distribution::Int { low, high: low + (high - low) / step * step, log, step })
    }

    /// Makes a choice.
    ///
    /// # Errors
    /// Nothing to choose from, the same value twice, or a number that is not finite.
    pub fn categorical(choices: Vec<Value>) -> Result<Distribution, Error> {
        if choices.is_empty() {
            return Err(Error::NoChoices);
        }
        if choices.iter().any(|choice| matches!(choice, Value::Float(number) if !number.is_finite())) {
            return Err(Error::Endless);
        }
        if let Some(again) = (1..choices.len()).find(|&at| choices[..at].contains(&choices[at])) {
            return Err(Error::ChoiceTwice(choices[again].to_string()));
        }
        Ok(Distribution::Categorical { choices })
    }

    /// Says whether there is only one value.
    pub fn is_single(&self) -> bool {
        self.count() == Some(1)
    }

    /// Gives the number of values; none where every number of a range is one.
    pub fn count(&self) -> Option<u64> {
        match self {
            Distribution::Float { low, high, .. } if low == high => Some(1),
            Distribution::Float { step: None, .. } => None,
            Distribution::Float { low, high, step: Some(step), .. } => {
                Some(libm::round((high - low) / step) as u64 + 1)
            }
            Distribution::Int { low, high, step, .. } => Some(((high - low) / step) as u64 + 1),
            Distribution::Categorical { choices } => Some(choices.len() as u64),
        }
    }

    /// Gives the value at a place, from 0 to below [`Distribution::count`], in ascending order; of a range without
    /// steps, `low`.
    pub fn nth(&self, place: u64) -> f64 {
        match self {
            Distribution::Float { low, high, step, .. } => (low + step.unwrap_or(0.0) * place as f64).min(*high),
            Distribution::Int { low, step, .. } => (low + step * place as i64) as f64,
            Distribution::Categorical { .. } => place as f64,
        }
    }

    /// Says whether `value` is one of the values.
    pub fn contains(&self, value: f64) -> bool {
        match self {
            Distribution::Float { low, high, step, .. } => {
                let is_inside = *low <= value && value <= *high;
                let is_stepped = step.is_none_or(|step| {
                    let steps = (value - low) / step;
                    (steps - libm::round(steps)).abs() < 1e-8
                });
                is_inside && is_stepped
            }
            Distribution::Int { low, high, step, .. } => {
                let whole = libm::rint(value) == value;
                whole && *low as f64 <= value && value <= *high as f64 && (value as i64 - low) % step == 0
            }
            Distribution::Categorical { choices } => {
                libm::rint(value) == value && 0.0 <= value && value < choices.len() as f64
            }
        }
    }

    /// Gives what an objective sees of a value that this distribution contains.
    pub fn external(&self, value: f64) -> Value {
        match self {
            Distribution::Float { .. } => Value::Float(value),
            Distribution::Int { .. } => Value::Int(value as i64),
            Distribution::Categorical { choices } => choices[value as usize].clone(),
        }
    }

    /// Gives the double of a value; none where this distribution does not contain it.
    pub fn internal(&self, value: &Value) -> Option<f64> {
        let number = match (self, value) {
            (Distribution::Float { .. }, Value::Float(number)) => *number,
            (Distribution::Float { .. } | Distribution::Int { .. }, Value::Int(number)) => *number as f64,
            (Distribution::Categorical { choices }, value) => choices.iter().position(|choice| choice == value)? as f64,
            _ => return None,
        };
        self.contains(number).then_some(number)
    }

    /// Gives the value at `share` of the distribution, from 0 to below 1: a uniform share gives every value alike, and
    /// with logarithms every order of magnitude.
    pub fn at(&self, share: f64) -> f64 {
        match *self {
            Distribution::Float { low, high, log: true, .. } => exp(log_between(low, high, share)).clamp(low, high),
            Distribution::Float { low, high, step: None, .. } => (low + (high - low) * share).clamp(low, high),
            Distribution::Int { low, high, log: true, .. } => {
                // Each whole number has the room from half below to half above it.
                let number = exp(log_between(low as f64 - 0.5, high as f64 + 0.5, share));
                libm::rint(number).clamp(low as f64, high as f64)
            }
            Distribution::Float { .. } | Distribution::Int { .. } | Distribution::Categorical { .. } => {
                let count = self.count().unwrap_or(1);
                self.nth(((share * count as f64) as u64).min(count - 1))
            }
        }
    }
}

fn log_between(low: f64, high: f64, share: f64) -> f64 {
    log(low) + (log(high) - log(low)) * share
}

/// A parameter with its values, and when it exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, unique in its space.
    pub name: String,
    /// Its values.
    pub distribution: Distribution,
    /// When it exists; left out, always.
    pub when: Option<When>,
}

/// The values of another parameter under which one exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct When {
    /// The position of the other parameter, a choice, in the space.
    pub parent: usize,
    /// The positions of its choices, ascending.
    pub choices: Vec<usize>,
}

/// The parameters that exist together, whatever else is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// When they exist; none for those that always do.
    pub when: Option<When>,
    /// Their positions in the space, ascending.
    pub parameters: Vec<usize>,
}

/// What can be chosen, in one order: a parameter stands behind the one on which it depends.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
    groups: Vec<Group>,
}

impl Space {
    /// Makes a space.
    ///
    /// # Errors
    /// A name twice; a condition on a parameter that does not stand before, has no choices, or lacks the choice.
    pub fn new(parameters: Vec<Parameter>) -> Result<Space, Error> {
        let mut names = HashSet::new();
        let mut groups: Vec<Group> = Vec::new();
        for (at, parameter) in parameters.iter().enumerate() {
            if !names.insert(parameter.name.as_str()) {
                return Err(Error::NameTwice(parameter.name.clone()));
            }
            if let Some(when) = &parameter.when {
                let is_sound = match parameters[..at].get(when.parent).map(|parent| &parent.distribution) {
                    Some(Distribution::Categorical { choices }) => {
                        let is_ascending = when.choices.is_sorted_by(|one, next| one < next);
                        is_ascending && when.choices.last().is_some_and(|&last| last < choices.len())
                    }
                    _ => false,
                };
                if !is_sound {
                    return Err(Error::Condition(parameter.name.clone()));
                }
            }
            match groups.iter_mut().find(|group| group.when == parameter.when) {
                Some(group) => group.parameters.push(at),
                None => groups.push(Group { when: parameter.when.clone(), parameters: vec![at] }),
            }
        }
        Ok(Space { parameters, groups })
    }

    /// Gives the parameters in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Gives the position of the parameter of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == name)
    }

    /// Gives the parameters by groups: each parameter is in exactly one, and a group stands behind the one that decides
    /// whether it exists.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Says whether what exists `when` does under `values`.
    pub fn exists(&self, when: Option<&When>, values: &[Option<f64>]) -> bool {
        when.is_none_or(|when| {
            values[when.parent].is_some_and(|choice| when.choices.binary_search(&(choice as usize)).is_ok())
        })
    }

    /// Says whether `values` has a value that is contained for exactly those parameters that exist under it.
    pub fn contains(&self, values: &[Option<f64>]) -> bool {
        values.len() == self.parameters.len()
            && self.parameters.iter().zip(values).all(|(parameter, value)| {
                match (self.exists(parameter.when.as_ref(), values), value) {
                    (true, Some(value)) => parameter.distribution.contains(*value),
                    (exists, value) => !exists && value.is_none(),
                }
            })
    }

    /// Chooses a value for each parameter that exists, in order; `choose` gets the position of the parameter.
    pub fn fill(&self, mut choose: impl FnMut(usize, &Parameter) -> f64) -> Values {
        let mut values = vec![None; self.parameters.len()];
        for (at, parameter) in self.parameters.iter().enumerate() {
            if self.exists(parameter.when.as_ref(), &values) {
                values[at] = Some(choose(at, parameter));
            }
        }
        values
    }
}
