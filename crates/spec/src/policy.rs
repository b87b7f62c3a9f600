//! Gates and rules of promotion apart from their project: what decisions of the past are judged by again.

use std::sync::Arc;

use trainyard_diagnostics::{Problems, Source};

use crate::declare::{Decoder, Record, Shape, rec};
use crate::error::Error;
use crate::gates::{Gates, GatesShape};
use crate::project::{Project, take_losses};
use crate::resolve::{check_policy, override_with};
use crate::{PromoteSpec, Resolved, tree};

/// The sections `gates` and `promote` of a file; one that is left out is as it was in the run that is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What a model must reach; an empty section asks for nothing.
    pub gates: Option<Gates>,
    /// When a model is promoted.
    pub promote: Option<PromoteSpec>,
}

impl Policy {
    /// Reads a policy, with `--set key=value` laid over it. Of a whole trainyard.yaml, or an environment, only the two
    /// sections are read.
    ///
    /// # Errors
    /// All problems of the two sections in one pass, keys that no trainyard.yaml has, and a file with neither of them.
    pub fn parse(source: &Arc<Source>, overrides: &[(String, String)]) -> Result<Policy, Problems> {
        let mut errors = Vec::new();
        let parsed = tree::parse(source, &mut errors);
        let policy = parsed.and_then(|mut tree| {
            override_with(&mut tree, overrides, &mut errors);
            let mut decoder = Decoder::new("a policy");
            let policy = decode(&tree, &mut decoder);
            errors.append(&mut decoder.errors);
            policy
        });
        match policy {
            Some(policy) if errors.is_empty() => Ok(policy),
            _ => Err(errors.iter().map(Error::diagnostic).collect()),
        }
    }

    /// Puts the policy into the place of the one that a run was configured with.
    ///
    /// # Errors
    /// What does not fit the run: metrics of another task, a limit on the worst slice where nothing is cut.
    pub fn over(&self, run: &Resolved) -> Result<Resolved, Problems> {
        let mut resolved = run.clone();
        let project = &mut resolved.project;
        if let Some(gates) = &self.gates {
            project.gates.clone_from(gates);
        }
        if let Some(promote) = &self.promote {
            project.promote = Some(promote.clone());
        }
        let mut errors = Vec::new();
        check_policy(project, &mut errors);
        if errors.is_empty() { Ok(resolved) } else { Err(errors.iter().map(Error::diagnostic).collect()) }
    }
}

fn decode(tree: &tree::Node, decoder: &mut Decoder) -> Option<Policy> {
    let section = decoder.section(tree, Project::KEYS)?;
    let mut given = |name: &str| section.entry(name, &[], decoder).filter(|(_, node)| !node.is_null());
    let (gates, promote) = (given("gates"), given("promote"));
    if gates.is_none() && promote.is_none() && !section.misspells("gates") && !section.misspells("promote") {
        let spot = decoder.here(tree);
        decoder.errors.push(Error::NoPolicy { spot });
    }
    // Both are read, whatever is wrong with the first.
    let gates = gates.map(|(key, node)| decoder.under(key, |decoder| GatesShape.decode(node, decoder)));
    let promote = promote.map(|(key, node)| decoder.under(key, |decoder| rec::<PromoteSpec>().decode(node, decoder)));
    // A section that is there and wrong makes no policy.
    let gates = gates.map_or(Some(None), |read| read.map(Some))?;
    let mut promote = promote.map_or(Some(None), |read| read.map(Some))?;
    take_losses(promote.as_mut(), decoder);
    Some(Policy { gates, promote })
}
