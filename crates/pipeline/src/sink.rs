//! Finished steps to the tracking run.

use std::sync::{Arc, PoisonError};

use trainyard_tracking::{Batch, Input, Metric};

use crate::engine::{Done, Failure, Sink};
use crate::steps::Context;
use crate::stores::now_ms;

/// Logs finished steps to the tracking run, all that are given or none.
pub(crate) struct TrackingSink {
    pub(crate) context: Arc<Context>,
}

impl Sink for TrackingSink {
    fn finished(&self, steps: &[Done]) -> Result<(), Failure> {
        let now = now_ms();
        let metric = |key: &str, value: f64, step: i64| Metric { key: key.to_owned(), value, step, timestamp_ms: now };
        let mut batch = Batch::default();
        for Done { record, cached, seconds } in steps {
            let logged = &record.output.logged;
            batch.params.extend(logged.params.clone());
            batch.metrics.extend(logged.metrics.iter().map(|(key, step, value)| metric(key, *value, *step)));
            batch.metrics.extend(record.output.measurements.iter().map(|(key, value)| metric(key, *value, 0)));
            batch.metrics.push(metric(&format!("step_{}_seconds", record.step), *seconds, 0));
            batch.tags.extend(logged.tags.clone());
            if *cached && record.step == "train" {
                batch.tags.insert("cached_from".to_owned(), record.run.clone());
            }
            batch.inputs.extend(logged.inputs.iter().map(|(name, digest, source, rows)| Input {
                name: name.clone(),
                digest: *digest,
                source: source.clone(),
                rows: *rows,
            }));
            batch.artifacts.extend(logged.files.clone());
        }
        let mut uses = self.context.reference_uses.lock().unwrap_or_else(PoisonError::into_inner);
        batch.reference_uses = std::mem::take(&mut *uses);
        drop(uses);
        let tracked = self.context.tracking.log_batch(&self.context.run, &batch);
        tracked.map_err(|error| error.diagnostic().into())
    }
}
