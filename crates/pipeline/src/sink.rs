//! Finished steps to the tracking run.

use std::sync::Arc;

use trainyard_files::ObjectStore;
use trainyard_tracking::{Input, Metric};

use crate::engine::{Failure, Record, Sink};
use crate::steps::Context;
use crate::stores::now_ms;

/// Logs finished steps to the tracking run.
pub(crate) struct TrackingSink {
    pub(crate) context: Arc<Context>,
    pub(crate) objects: Arc<ObjectStore>,
}

impl Sink for TrackingSink {
    fn finished(&self, record: &Record, cached: bool, seconds: f64) -> Result<(), Failure> {
        let (tracking, run, logged) = (&self.context.tracking, self.context.run.as_str(), &record.output.logged);
        let failed = |error: trainyard_tracking::Error| Failure::from(error.diagnostic());
        let now = now_ms();
        tracking.log_params(run, &logged.params).map_err(failed)?;
        let metric = |key: &str, value: f64, step: i64| Metric { key: key.to_owned(), value, step, timestamp_ms: now };
        let mut metrics: Vec<Metric> =
            logged.metrics.iter().map(|(key, step, value)| metric(key, *value, *step)).collect();
        metrics.extend(record.output.measurements.iter().map(|(key, value)| metric(key, *value, 0)));
        metrics.push(metric(&format!("step_{}_seconds", record.step), seconds, 0));
        tracking.log_metrics(run, &metrics).map_err(failed)?;
        let mut tags = logged.tags.clone();
        if cached && record.step == "train" {
            tags.insert("cached_from".to_owned(), record.run.clone());
        }
        tracking.set_tags(run, &tags).map_err(failed)?;
        for (name, digest, source, rows) in &logged.inputs {
            let input = Input { name: name.clone(), digest: *digest, source: source.clone(), rows: *rows };
            tracking.log_input(run, &input).map_err(failed)?;
        }
        for (path, digest) in &logged.files {
            let bytes = self.objects.get(digest).map_err(|error| error.diagnostic())?;
            tracking.log_artifact(run, path, &bytes).map_err(failed)?;
        }
        Ok(())
    }
}
