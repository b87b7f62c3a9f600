//! How the space of a study differs from another.

use std::fmt;

use crate::{Distribution, Parameter, Space, Study};

/// One thing in which a space differs from the one that a study began with.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// The study has a parameter that the space lacks.
    Gone(String),
    /// The space has a parameter that the study lacks.
    New(String),
    /// A parameter has other values.
    Values {
        /// The parameter.
        name: String,
        /// Its values in the study.
        was: Distribution,
        /// Its values in the space.
        is: Distribution,
    },
    /// A parameter exists under another condition.
    Condition {
        /// The parameter.
        name: String,
        /// When it existed in the study.
        was: String,
        /// When it exists in the space.
        is: String,
    },
    /// The parameters stand in another order, which changes what is drawn for them.
    Order,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = |f: &mut fmt::Formatter<'_>, log: bool| f.write_str(if log { " (logarithmic)" } else { "" });
        match self {
            Distribution::Float { low, high, log, step } => {
                write!(f, "numbers from {low} to {high}")?;
                step.map_or(Ok(()), |step| write!(f, " by {step}"))?;
                suffix(f, *log)
            }
            Distribution::Int { low, high, log, step } => {
                write!(f, "whole numbers from {low} to {high}")?;
                if *step == 1 { Ok(()) } else { write!(f, " by {step}") }?;
                suffix(f, *log)
            }
            Distribution::Categorical { choices } => {
                let names: Vec<String> = choices.iter().map(ToString::to_string).collect();
                write!(f, "one of {}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Gone(name) => write!(f, "`{name}` is gone"),
            Difference::New(name) => write!(f, "`{name}` is new"),
            Difference::Values { name, was, is } => write!(f, "`{name}` was {was}, and is {is}"),
            Difference::Condition { name, was, is } => write!(f, "`{name}` existed {was}, and exists {is}"),
            Difference::Order => f.write_str("the parameters stand in another order"),
        }
    }
}

impl Study {
    /// Says how `space` differs from that of the study; nothing where they are equal.
    pub fn differs(&self, space: &Space) -> Vec<Difference> {
        let was = self.space.parameters();
        let mut differences = Vec::new();
        for parameter in was {
            let Some(at) = space.position(&parameter.name) else {
                differences.push(Difference::Gone(parameter.name.clone()));
                continue;
            };
            let other = &space.parameters()[at];
            let name = || parameter.name.clone();
            if parameter.distribution != other.distribution {
                let (was, is) = (parameter.distribution.clone(), other.distribution.clone());
                differences.push(Difference::Values { name: name(), was, is });
            }
            let (was, is) = (condition(&self.space, parameter), condition(space, other));
            if was != is {
                differences.push(Difference::Condition { name: name(), was, is });
            }
        }
        let new = space.parameters().iter().filter(|parameter| self.space.position(&parameter.name).is_none());
        differences.extend(new.map(|parameter| Difference::New(parameter.name.clone())));
        if differences.is_empty() && self.space != *space {
            differences.push(Difference::Order);
        }
        differences
    }
}

/// Says when a parameter exists.
fn condition(space: &Space, parameter: &Parameter) -> String {
    let Some(when) = &parameter.when else { return "always".to_owned() };
    let parent = &space.parameters()[when.parent];
    let choices: Vec<String> =
        when.choices.iter().map(|&choice| parent.distribution.external(choice as f64).to_string()).collect();
    format!("where `{}` is {}", parent.name, choices.join(" or "))
}
