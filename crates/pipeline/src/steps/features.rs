//! Fits the features on the training rows: the fitted form is shown and stored; each fold fits its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use trainyard_features::Targets;
use trainyard_files::Digest;

use super::context::Context;
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

pub(crate) struct Features(pub(crate) Arc<Context>);

impl Step for Features {
    fn name(&self) -> &'static str {
        "features"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = vec![Read::new("split", "train")];
        if self.0.resolved.features.spec.reads_target() {
            reads.push(Read::new("ingest", "target"));
        }
        reads
    }

    fn code(&self) -> Digest {
        code::digest("features", &["data", "features"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![self.0.section("features"), self.0.section("data")])
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let resolved = &self.0.resolved;
        let train = self.0.table(scope, "split", "train")?;
        let plan = trainyard_features::plan(&resolved.features.spec, &train.schema(), &resolved.project.data)
            .map_err(|problems| Failure::Problems(problems.into_vec()))?;
        plan.warnings().iter().for_each(|warning| scope.warn(warning.clone()));
        let fitted = match resolved.features.spec.reads_target() {
            true => {
                let target = self.0.target(scope)?;
                let values = trainyard_data::targets(&train, &target).map_err(|error| error.diagnostic())?;
                let classes = target.classes.as_deref().unwrap_or_default();
                plan.fit_to(&train, &Targets { values: &values, classes })
            }
            false => plan.fit(&train),
        };
        let fitted = fitted.map_err(|error| self.0.explain(&error.into(), "train"))?;
        let text = fitted.to_json();
        let file = scope.store(text.as_bytes())?;
        let mut output = Output {
            artifacts: BTreeMap::from([("fitted".to_owned(), file)]),
            facts: json!({ "names": fitted.names() }),
            headline: (String::new(), format!("{} → {} features", train.num_columns(), fitted.names().len())),
            ..Output::default()
        };
        output.logged.files = BTreeMap::from([("features.json".to_owned(), file)]);
        self.refresh(&mut output);
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        output.headline.0 = format!("v{}, fitted on train", self.0.resolved.features.version);
    }
}
