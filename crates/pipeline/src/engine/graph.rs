//! The order in which steps may run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Step;

/// Steps in an order in which each comes after all that it needs.
#[derive(Clone)]
pub struct Graph {
    steps: Vec<Arc<dyn Step>>,
    needs: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

/// Why steps form no graph: a mistake of the program, not of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphError {
    /// Two steps share a name.
    Twice(&'static str),
    /// A step needs one that is not there.
    Unknown(&'static str, &'static str),
    /// These steps need each other.
    Cycle(Vec<&'static str>),
}

impl fmt::Display for GraphError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::Twice(name) => write!(formatter, "two steps are named {name}"),
            GraphError::Unknown(step, needs) => write!(formatter, "step {step} needs the unknown step {needs}"),
            GraphError::Cycle(names) => write!(formatter, "the steps {} need each other", names.join(", ")),
        }
    }
}

impl std::error::Error for GraphError {}

impl Graph {
    /// Orders `steps`: each as early as its needs allow, otherwise as given.
    pub fn new(steps: Vec<Arc<dyn Step>>) -> Result<Graph, GraphError> {
        let mut needs = BTreeMap::new();
        for step in &steps {
            let mut wanted: BTreeSet<&'static str> = step.reads().iter().map(|read| read.step).collect();
            wanted.extend(step.after());
            if needs.insert(step.name(), wanted).is_some() {
                return Err(GraphError::Twice(step.name()));
            }
        }
        for (step, wanted) in &needs {
            if let Some(unknown) = wanted.iter().find(|name| !needs.contains_key(*name)) {
                return Err(GraphError::Unknown(step, unknown));
            }
        }
        let mut ordered: Vec<Arc<dyn Step>> = Vec::with_capacity(steps.len());
        let mut placed = BTreeSet::new();
        let mut open = steps;
        while !open.is_empty() {
            let Some(next) = open.iter().position(|step| needs[step.name()].is_subset(&placed)) else {
                return Err(GraphError::Cycle(open.iter().map(|step| step.name()).collect()));
            };
            let step = open.remove(next);
            placed.insert(step.name());
            ordered.push(step);
        }
        Ok(Graph { steps: ordered, needs })
    }

    /// Gives the steps in order.
    pub fn steps(&self) -> &[Arc<dyn Step>] {
        &self.steps
    }

    /// Gives the names of what `step` needs.
    pub fn needs(&self, step: &str) -> BTreeSet<&'static str> {
        self.needs.get(step).cloned().unwrap_or_default()
    }

    /// Gives the names of all that need `step`, and of all that need those.
    pub fn needing(&self, step: &str) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for later in &self.steps {
            let needs = &self.needs[later.name()];
            if needs.iter().any(|need| *need == step || found.contains(need)) {
                found.insert(later.name());
            }
        }
        found
    }

    /// Finds a step by name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Step>> {
        self.steps.iter().find(|step| step.name() == name)
    }
}
