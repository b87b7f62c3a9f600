//! What a server has still to be told: written with what it tells of, taken out once the server has it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::fault::Fault;
use crate::Batch;

/// Is what a run logged at one time and a server does not know yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// The place in the order of all that was logged.
    pub(crate) sequence: i64,
    /// What it logged.
    pub(crate) batch: Batch,
}

/// Is what a server calls a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteRun {
    /// The server's id of the run; none while nobody knows whether the server made one.
    pub(crate) remote: Option<String>,
    /// The server's id of the experiment.
    pub(crate) experiment: Option<String>,
    /// Where the run's artifacts go.
    pub(crate) artifacts: Option<String>,
    /// The server's id of the run's model.
    pub(crate) model: Option<String>,
    /// Where the model's files go.
    pub(crate) model_artifacts: Option<String>,
    /// Why the server takes no more of the run.
    pub(crate) refused: Option<String>,
}

pub(super) fn add(tx: &Transaction<'_>, server: &str, run: &str, batch: &Batch) -> Result<(), Fault> {
    let batch = serde_json::to_string(batch).map_err(|error| Fault::Content(error.to_string()))?;
    tx.prepare_cached("INSERT INTO deliveries (server, run, batch) VALUES (?1, ?2, ?3)")?
        .execute([server, run, &batch])?;
    Ok(())
}

/// Lists the first `limit` of what waits of a run.
pub(super) fn pending(tx: &Transaction<'_>, server: &str, run: &str, limit: usize) -> Result<Vec<Pending>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT sequence, batch FROM deliveries WHERE server = ?1 AND run = ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![server, run, limit], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut pending = Vec::new();
    for row in found {
        let (sequence, batch) = row?;
        let batch = serde_json::from_str(&batch).map_err(|error| Fault::Content(error.to_string()))?;
        pending.push(Pending { sequence, batch });
    }
    Ok(pending)
}

/// Counts what waits of every run, the refused ones too, in the order of their first.
pub(super) fn waiting(tx: &Transaction<'_>, server: &str) -> Result<Vec<(String, u64, Option<String>)>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT deliveries.run, count(*), max(remote_runs.refused) FROM deliveries
         LEFT JOIN remote_runs ON remote_runs.server = deliveries.server AND remote_runs.run = deliveries.run
         WHERE deliveries.server = ?1 GROUP BY deliveries.run ORDER BY min(sequence)",
    )?;
    let found =
        statement.query_map([server], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get(2)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Lists the other servers for which something waits.
pub(super) fn elsewhere(tx: &Transaction<'_>, server: &str) -> Result<Vec<String>, Fault> {
    let mut statement =
        tx.prepare_cached("SELECT DISTINCT server FROM deliveries WHERE server <> ?1 ORDER BY server")?;
    let found = statement.query_map([server], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Leaves out of what a server is told the metrics that a run has logged before: told again with another time, they would
/// be there twice.
pub(super) fn without_known(tx: &Transaction<'_>, run: &str, batch: &Batch) -> Result<Batch, Fault> {
    let mut find = tx.prepare_cached("SELECT value FROM metrics WHERE run = ?1 AND key = ?2 AND step = ?3")?;
    let mut left = batch.clone();
    left.metrics.clear();
    for metric in &batch.metrics {
        let known =
            find.query_row(params![run, metric.key, metric.step], |row| row.get::<_, Option<f64>>(0)).optional()?;
        let is_known = known.is_some_and(|known| known.unwrap_or(f64::NAN).to_bits() == metric.value.to_bits());
        if !is_known {
            left.metrics.push(metric.clone());
        }
    }
    Ok(left)
}

/// Takes out what the server has of a run, up to a place in the order.
pub(super) fn delivered(tx: &Transaction<'_>, server: &str, run: &str, up_to: i64) -> Result<(), Fault> {
    tx.prepare_cached("DELETE FROM deliveries WHERE server = ?1 AND run = ?2 AND sequence <= ?3")?
        .execute(params![server, run, up_to])?;
    Ok(())
}

pub(super) fn remote(tx: &Transaction<'_>, server: &str, run: &str) -> Result<Option<RemoteRun>, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT remote, experiment, artifacts, model, model_artifacts, refused FROM remote_runs
             WHERE server = ?1 AND run = ?2",
        )?
        .query_row([server, run], |row| {
            Ok(RemoteRun {
                remote: row.get(0)?,
                experiment: row.get(1)?,
                artifacts: row.get(2)?,
                model: row.get(3)?,
                model_artifacts: row.get(4)?,
                refused: row.get(5)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Finds the run that a server calls so.
pub(super) fn run_called(tx: &Transaction<'_>, server: &str, remote: &str) -> Result<Option<String>, Fault> {
    let found = tx
        .prepare_cached("SELECT run FROM remote_runs WHERE server = ?1 AND remote = ?2")?
        .query_row([server, remote], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// Lists the servers that know a run, each with its page of it.
pub(super) fn pages(tx: &Transaction<'_>, run: &str) -> Result<Vec<String>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT server, experiment, remote FROM remote_runs
         WHERE run = ?1 AND experiment IS NOT NULL AND remote IS NOT NULL ORDER BY server",
    )?;
    let found = statement.query_map([run], |row| {
        let (server, experiment, remote): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{server}/#/experiments/{experiment}/runs/{remote}"))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn set_remote(tx: &Transaction<'_>, server: &str, run: &str, remote: &RemoteRun) -> Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO remote_runs (server, run, remote, experiment, artifacts, model, model_artifacts, refused)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (server, run) DO UPDATE SET remote = excluded.remote, experiment = excluded.experiment,
             artifacts = excluded.artifacts, model = excluded.model, model_artifacts = excluded.model_artifacts,
             refused = excluded.refused",
    )?
    .execute(params![
        server,
        run,
        remote.remote,
        remote.experiment,
        remote.artifacts,
        remote.model,
        remote.model_artifacts,
        remote.refused,
    ])?;
    Ok(())
}

/// Lets the server be asked again for the runs that it refused.
pub(super) fn forgive(tx: &Transaction<'_>, server: &str) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE remote_runs SET refused = NULL WHERE server = ?1")?.execute([server])?;
    Ok(())
}
