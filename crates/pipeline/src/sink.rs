//! Finished steps to the tracking run.

use std::sync::Arc;

use trainyard_tracking::{Batch, Input, Metric};

use crate::engine::{Failure, Record, Sink};
use crate::steps::Context;
use crate::stores::now_ms;

/// Logs finished steps to the tracking run, each whole or not at all.
pub(crate) struct TrackingSink {
    pub(crate) context: Arc<Context>,
}

impl Sink for TrackingSink {
    fn finished(&self, record: &Record, cached: bool, seconds: f64) -> Result<(), Failure> {
        let logged = &record.output.logged;
        let now = now_ms();
        let metric = |key: &str, value: f64, step: i64| Metric { key: key.to_owned(), value, step, timestamp_ms: now };
        let mut metrics: Vec<Metric> =
            logged.metrics.iter().map(|(key, step, value)| metric(key, *value, *step)).collect();
        metrics.extend(record.output.measurements.iter().map(|(key, value)| metric(key, *value, 0)));
        metrics.push(metric(&format!("step_{}_seconds", record.step), seconds, 0));
        let mut tags = logged.tags.clone();
        if cached && record.step == "train" {
            tags.insert("cached_from".to_owned(), record.run.clone());
        }
        let inputs = logged.inputs.iter().map(|(name, digest, source, rows)| Input {
            name: name.clone(),
            digest: *digest,
            source: source.clone(),
            rows: *rows,
        });
        let batch = Batch {
            params: logged.params.clone(),
            metrics,
            tags,
            inputs: inputs.collect(),
            artifacts: logged.files.clone(),
        };
        let tracked = self.context.tracking.log_batch(&self.context.run, &batch);
        tracked.map_err(|error| error.diagnostic().into())
    }
}
