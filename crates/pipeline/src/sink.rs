//! Finished steps to the tracking run, its begin and its end with them.

use std::sync::{Arc, Mutex, PoisonError};

use trainyard_diagnostics::Diagnostic;
use trainyard_tracking::{Batch, End, Input, Metric, NewRun, Reason, Status};

use crate::engine::{Done, Entry, Failure, Finished, Sink};
use crate::report::verdict_of;
use crate::steps::Context;
use crate::stores::now_ms;

/// Logs finished steps to the tracking run, all that are given or none.
pub(crate) struct TrackingSink {
    pub(crate) context: Arc<Context>,
    /// The run's begin, logged with the first steps: before anything is made, and in the same transaction.
    start: Mutex<Option<NewRun>>,
    /// How the run ended, where tracking has it with all its steps and its end, and only the journal's last lines are
    /// missing. Nothing is logged then.
    ended_as: Option<Status>,
}

impl TrackingSink {
    /// Makes the sink of a run that begins or goes on. Nothing is written yet.
    pub(crate) fn new(context: &Arc<Context>) -> Result<TrackingSink, Diagnostic> {
        let record = context.tracking.run(&context.run).map_err(|error| error.diagnostic())?;
        let project = &context.resolved.project;
        let tags = project.tracking.tags.iter().map(|(key, value)| (key.clone(), value.value.clone()));
        let start = NewRun {
            run: context.run.clone(),
            experiment: project.tracking.experiment.value.clone(),
            name: format!("{} {}", project.name.value, context.run),
            tags: tags.collect(),
            started_ms: now_ms(),
        };
        Ok(TrackingSink {
            context: Arc::clone(context),
            start: Mutex::new(Some(start)),
            ended_as: record.map(|record| record.status).filter(|status| !status.can_resume()),
        })
    }

    /// Gives how tracking says that the run ended; none while it goes on.
    pub(crate) fn ended_as(&self) -> Option<&'static str> {
        self.ended_as.map(Status::name)
    }

    /// Ends a run that could not be completed.
    pub(crate) fn close(&self, status: Status, reason: Option<Reason>) -> Result<(), Diagnostic> {
        self.log(Batch { end: Some(End { status, ended_ms: now_ms(), reason }), ..Batch::default() })
    }

    fn log(&self, mut batch: Batch) -> Result<(), Diagnostic> {
        if self.ended_as.is_some() {
            return Ok(());
        }
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        batch.start.clone_from(&start);
        let tracked = self.context.tracking.log_batch(&self.context.run, &batch);
        tracked.map_err(|error| error.diagnostic())?;
        *start = None;
        Ok(())
    }

    fn batch(&self, steps: &[Done]) -> Batch {
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
        batch
    }
}

impl Sink for TrackingSink {
    fn finished(&self, steps: &[Done]) -> Result<(), Failure> {
        Ok(self.log(self.batch(steps))?)
    }

    fn ended(&self, last: &[Done], all: &[Finished]) -> Result<Option<Entry>, Failure> {
        let verdict = verdict_of(all);
        let (status, reason) = match verdict.status() {
            "REFUSED" => {
                (Status::Refused, Some(Reason { code: "refused".to_owned(), message: verdict.reason.clone() }))
            }
            _ => (Status::Finished, None),
        };
        let end = End { status, ended_ms: now_ms(), reason };
        self.log(Batch { end: Some(end), ..self.batch(last) })?;
        Ok(Some(Entry::Ended { at: now_ms(), status: verdict.status().to_owned() }))
    }
}
