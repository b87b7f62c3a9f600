//! Trains the baseline that every number stands beside.

use std::sync::Arc;

use trainyard_files::Digest;
use trainyard_model::train_baseline;

use super::context::Context;
use super::training::{baseline_inputs, fit, stored, training_reads};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

pub(crate) struct Baseline(pub(crate) Arc<Context>);

impl Step for Baseline {
    fn name(&self) -> &'static str {
        "baseline"
    }

    fn reads(&self) -> Vec<Read> {
        training_reads(&self.0)
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["features"]
    }

    fn code(&self) -> Digest {
        code::digest("baseline", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(baseline_inputs(&self.0, &["calibrate", "explain", "tune"]))
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let resolved = &self.0.resolved;
        let (trained, folder) = fit(&self.0, scope, &resolved.model.spec, &resolved.features.spec, train_baseline)?;
        let mut output = stored(scope, &trained, &folder)?;
        let what = trained.model.estimator_name.replace('_', " ");
        output.headline = (what, format!("{} features", trained.model.features.names().len()));
        Ok(output)
    }
}
