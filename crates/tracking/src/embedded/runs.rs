//! Runs: what they were given, measured, read and made.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use trainyard_diagnostics::nearest;
use trainyard_files::Digest;

use super::fault::{Fault, count, digest, named, stored};
use crate::mlflow::IMPORTED_TAG;
use crate::{ArtifactRecord, Error, Input, Metric, NewRun, Reason, RunRecord, Status};

/// How many ids an error may show, and how many it looks at for a near one.
const SHOWN: usize = 5;
const SEARCHED: i64 = 1000;
/// How many metrics one statement inserts.
const AT_ONCE: usize = 100;

pub(super) fn start(tx: &Transaction<'_>, run: &NewRun) -> Result<(), Fault> {
    match status(tx, &run.run)? {
        None => {
            tx.prepare_cached(
                "INSERT INTO runs (run, experiment, name, status, started_ms) VALUES (?1, ?2, ?3, 'RUNNING', ?4)",
            )?
            .execute(params![run.run, run.experiment, run.name, run.started_ms])?;
        }
        Some(status) if status.can_resume() => {
            tx.prepare_cached(
                "UPDATE runs SET status = 'RUNNING', ended_ms = NULL, reason_code = NULL, reason_message = NULL WHERE run = ?1",
            )?
            .execute([&run.run])?;
        }
        Some(status) => return Err(Error::RunEnded { run: run.run.clone(), status }.into()),
    }
    set_tags(tx, &run.run, &run.tags)
}

pub(super) fn log_params(tx: &Transaction<'_>, run: &str, params: &BTreeMap<String, String>) -> Result<(), Fault> {
    expect_running(tx, run)?;
    let mut find = tx.prepare_cached("SELECT value FROM params WHERE run = ?1 AND key = ?2")?;
    let mut insert = tx.prepare_cached("INSERT INTO params (run, key, value) VALUES (?1, ?2, ?3)")?;
    for (key, offered) in params {
        match find.query_row([run, key], |row| row.get::<_, String>(0)).optional()? {
            None => {
                insert.execute([run, key, offered])?;
            }
            Some(stored) if stored == *offered => {}
            Some(stored) => {
                let (run, key, offered) = (run.to_owned(), key.clone(), offered.clone());
                return Err(Error::ParamChanged { run, key, stored, offered }.into());
            }
        }
    }
    Ok(())
}

/// Gives what is stored of a metric's value: nothing for NaN.
fn value(metric: &Metric) -> Option<f64> {
    (!metric.value.is_nan()).then_some(metric.value)
}

/// Puts metrics into their places, many with one statement; REPLACE needs no look for what is there before.
fn insert_metrics(tx: &Transaction<'_>, run: &str, metrics: &[Metric]) -> Result<(), Fault> {
    const INTO: &str = "INSERT OR REPLACE INTO metrics (run, key, step, value, timestamp_ms) VALUES ";
    static MANY: LazyLock<String> = LazyLock::new(|| {
        let row = |at: usize| format!("(?1, ?{}, ?{}, ?{}, ?{})", 4 * at + 2, 4 * at + 3, 4 * at + 4, 4 * at + 5);
        format!("{INTO}{}", (0..AT_ONCE).map(row).collect::<Vec<_>>().join(", "))
    });
    let (whole, rest) = metrics.as_chunks::<AT_ONCE>();
    if !whole.is_empty() {
        let mut insert = tx.prepare_cached(&MANY)?;
        insert.raw_bind_parameter(1, run)?;
        for many in whole {
            for (metric, first) in many.iter().zip((2..).step_by(4)) {
                insert.raw_bind_parameter(first, metric.key.as_str())?;
                insert.raw_bind_parameter(first + 1, metric.step)?;
                insert.raw_bind_parameter(first + 2, value(metric))?;
                insert.raw_bind_parameter(first + 3, metric.timestamp_ms)?;
            }
            insert.raw_execute()?;
        }
    }
    let mut insert = tx.prepare_cached(&format!("{INTO}(?1, ?2, ?3, ?4, ?5)"))?;
    for metric in rest {
        insert.execute(params![run, metric.key, metric.step, value(metric), metric.timestamp_ms])?;
    }
    Ok(())
}

pub(super) fn log_metrics(tx: &Transaction<'_>, run: &str, metrics: &[Metric]) -> Result<(), Fault> {
    expect_running(tx, run)?;
    insert_metrics(tx, run, metrics)?;
    let mut latest: BTreeMap<&str, &Metric> = BTreeMap::new();
    for metric in metrics {
        let last = latest.entry(&metric.key).or_insert(metric);
        if metric.step >= last.step {
            *last = metric;
        }
    }
    let mut follow = tx.prepare_cached(
        "INSERT INTO latest_metrics (run, key, step, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run, key) DO UPDATE SET step = excluded.step, value = excluded.value
         WHERE excluded.step >= step",
    )?;
    for metric in latest.values() {
        follow.execute(params![run, metric.key, metric.step, value(metric)])?;
    }
    Ok(())
}

pub(super) fn set_tags(tx: &Transaction<'_>, run: &str, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    expect(tx, run)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO tags (run, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
    )?;
    for (key, value) in tags {
        insert.execute([run, key, value])?;
    }
    Ok(())
}

pub(super) fn log_inputs(tx: &Transaction<'_>, run: &str, inputs: &[Input]) -> Result<(), Fault> {
    expect_running(tx, run)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO inputs (run, name, digest, source, rows) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (run, name) DO UPDATE SET digest = excluded.digest, source = excluded.source, rows = excluded.rows",
    )?;
    for input in inputs {
        insert.execute(params![run, input.name, input.digest.to_string(), input.source, stored(input.rows)])?;
    }
    Ok(())
}

pub(super) fn log_artifacts(tx: &Transaction<'_>, run: &str, artifacts: &[ArtifactRecord]) -> Result<(), Fault> {
    expect_running(tx, run)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO artifacts (run, path, digest, size) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run, path) DO UPDATE SET digest = excluded.digest, size = excluded.size",
    )?;
    for ArtifactRecord { path, digest, size } in artifacts {
        insert.execute(params![run, path, digest.to_string(), stored(*size)])?;
    }
    Ok(())
}

pub(super) fn artifact(tx: &Transaction<'_>, run: &str, path: &str) -> Result<Digest, Fault> {
    let found = tx
        .prepare_cached("SELECT digest FROM artifacts WHERE run = ?1 AND path = ?2")?
        .query_row([run, path], |row| digest(row, 0))
        .optional()?;
    match found {
        Some(digest) => Ok(digest),
        None => {
            let known = artifacts(tx, run)?.into_iter().map(|artifact| artifact.path).collect();
            Err(Error::UnknownArtifact { run: run.to_owned(), path: path.to_owned(), known }.into())
        }
    }
}

pub(super) fn artifacts(tx: &Transaction<'_>, run: &str) -> Result<Vec<ArtifactRecord>, Fault> {
    expect(tx, run)?;
    rows(tx, "SELECT path, digest, size FROM artifacts WHERE run = ?1 ORDER BY path", run, |row| {
        Ok(ArtifactRecord { path: row.get(0)?, digest: digest(row, 1)?, size: count(row, 2)? })
    })
}

pub(super) fn artifacts_at(tx: &Transaction<'_>, path: &str) -> Result<Vec<(String, Digest)>, Fault> {
    let sql = "SELECT runs.run, artifacts.digest FROM artifacts JOIN runs ON runs.run = artifacts.run
               WHERE artifacts.path = ?1 ORDER BY runs.sequence DESC";
    rows(tx, sql, path, |row| Ok((row.get(0)?, digest(row, 1)?)))
}

pub(super) fn end(
    tx: &Transaction<'_>,
    run: &str,
    status: Status,
    ended_ms: i64,
    reason: Option<&Reason>,
) -> Result<(), Fault> {
    let stands = expect(tx, run)?;
    if stands == status {
        return Ok(());
    }
    if stands != Status::Running {
        return Err(Error::RunEnded { run: run.to_owned(), status: stands }.into());
    }
    tx.prepare_cached(
        "UPDATE runs SET status = ?2, ended_ms = ?3, reason_code = ?4, reason_message = ?5 WHERE run = ?1",
    )?
    .execute(params![
        run,
        status.name(),
        ended_ms,
        reason.map(|reason| &reason.code),
        reason.map(|reason| &reason.message)
    ])?;
    Ok(())
}

const RECORD: &str =
    "SELECT runs.run, experiment, name, status, reason_code, reason_message, started_ms, ended_ms FROM runs";

pub(super) fn get(tx: &Transaction<'_>, id: &str) -> Result<Option<RunRecord>, Fault> {
    let found = tx.prepare_cached(&format!("{RECORD} WHERE run = ?1"))?.query_row([id], record).optional()?;
    let mut found: Vec<RunRecord> = found.into_iter().collect();
    complete(tx, &mut found)?;
    Ok(found.pop())
}

pub(super) fn find(tx: &Transaction<'_>, id: &str) -> Result<RunRecord, Fault> {
    if let Some(run) = get(tx, id)? {
        return Ok(run);
    }
    let beginning: Vec<String> = if id.is_empty() {
        Vec::new()
    } else {
        // `~` sorts behind whatever an id may hold.
        let sql = "SELECT run FROM runs WHERE run >= ?1 AND run < ?1 || '~' AND substr(run, 1, length(?1)) = ?1
                   ORDER BY sequence DESC";
        rows(tx, sql, id, |row| row.get(0))?
    };
    match beginning.as_slice() {
        [only] => match get(tx, only)? {
            Some(run) => Ok(run),
            None => Err(unknown(tx, id)?),
        },
        [] => Err(unknown(tx, id)?),
        _ => Err(Error::AmbiguousRun { asked: id.to_owned(), candidates: beginning }.into()),
    }
}

pub(super) fn list(tx: &Transaction<'_>, limit: usize, status: Option<Status>) -> Result<Vec<RunRecord>, Fault> {
    // Newest by the order of their start calls: a clock may go backwards.
    let mut statement =
        tx.prepare_cached(&format!("{RECORD} WHERE ?1 IS NULL OR status = ?1 ORDER BY sequence DESC LIMIT ?2"))?;
    let mut found = statement
        .query_map(params![status.map(Status::name), stored(limit as u64)], record)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    complete(tx, &mut found)?;
    Ok(found)
}

pub(super) fn input_before(
    tx: &Transaction<'_>,
    run: &str,
    experiment: &str,
    input: &str,
) -> Result<Option<(String, Digest)>, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT runs.run, inputs.digest FROM runs JOIN inputs ON inputs.run = runs.run AND inputs.name = ?3
             WHERE runs.experiment = ?2 AND runs.run <> ?1 AND runs.status IN ('FINISHED', 'REFUSED')
               AND runs.sequence < coalesce((SELECT sequence FROM runs WHERE run = ?1), 9223372036854775807)
               AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.run = runs.run AND tags.key = ?4)
             ORDER BY runs.sequence DESC LIMIT 1",
        )?
        .query_row([run, experiment, input, IMPORTED_TAG], |row| Ok((row.get(0)?, digest(row, 1)?)))
        .optional()?;
    Ok(found)
}

pub(super) fn metric_history(tx: &Transaction<'_>, run: &str, key: &str) -> Result<Vec<Metric>, Fault> {
    expect(tx, run)?;
    let mut statement = tx.prepare_cached(
        "SELECT key, value, step, timestamp_ms FROM metrics WHERE run = ?1 AND key = ?2 ORDER BY step",
    )?;
    let found = statement.query_map([run, key], |row| {
        Ok(Metric {
            key: row.get(0)?,
            value: row.get::<_, Option<f64>>(1)?.unwrap_or(f64::NAN),
            step: row.get(2)?,
            timestamp_ms: row.get(3)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn count_reference_use(
    tx: &Transaction<'_>,
    split_version: u32,
    reference: &Digest,
    run: &str,
) -> Result<(), Fault> {
    expect(tx, run)?;
    tx.prepare_cached(
        "INSERT INTO reference_uses (split_version, reference_digest, run) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![split_version, reference.to_string(), run])?;
    Ok(())
}

pub(super) fn reference_uses(tx: &Transaction<'_>, split_version: u32, reference: &Digest) -> Result<u64, Fault> {
    let uses = tx
        .prepare_cached("SELECT count(*) FROM reference_uses WHERE split_version = ?1 AND reference_digest = ?2")?
        .query_row(params![split_version, reference.to_string()], |row| count(row, 0))?;
    Ok(uses)
}

pub(super) fn status(tx: &Transaction<'_>, run: &str) -> Result<Option<Status>, Fault> {
    let found = tx
        .prepare_cached("SELECT status FROM runs WHERE run = ?1")?
        .query_row([run], |row| named(row, 0, Status::parse))
        .optional()?;
    Ok(found)
}

/// Returns how a run stands, or says that there is none.
pub(super) fn expect(tx: &Transaction<'_>, run: &str) -> Result<Status, Fault> {
    match status(tx, run)? {
        Some(status) => Ok(status),
        None => Err(unknown(tx, run)?),
    }
}

/// Refuses a run that has ended.
pub(super) fn expect_running(tx: &Transaction<'_>, run: &str) -> Result<(), Fault> {
    match expect(tx, run)? {
        Status::Running => Ok(()),
        status => Err(Error::RunEnded { run: run.to_owned(), status }.into()),
    }
}

fn unknown(tx: &Transaction<'_>, asked: &str) -> Result<Fault, Fault> {
    let mut statement = tx.prepare_cached("SELECT run FROM runs ORDER BY sequence DESC LIMIT ?1")?;
    let mut recent: Vec<String> =
        statement.query_map([SEARCHED], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let near = nearest(asked, recent.iter().map(String::as_str)).map(str::to_owned);
    recent.truncate(SHOWN);
    Ok(Error::UnknownRun { asked: asked.to_owned(), nearest: near, recent }.into())
}

fn record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let code: Option<String> = row.get(4)?;
    let message: Option<String> = row.get(5)?;
    Ok(RunRecord {
        run: row.get(0)?,
        experiment: row.get(1)?,
        name: row.get(2)?,
        status: named(row, 3, Status::parse)?,
        reason: code.map(|code| Reason { code, message: message.unwrap_or_default() }),
        started_ms: row.get(6)?,
        ended_ms: row.get(7)?,
        params: BTreeMap::new(),
        metrics: BTreeMap::new(),
        tags: BTreeMap::new(),
        inputs: Vec::new(),
    })
}

/// Finds runs by their ids, in the order of those.
pub(super) fn records(tx: &Transaction<'_>, ids: &[String]) -> Result<Vec<RunRecord>, Fault> {
    let sql = format!("{RECORD} JOIN json_each(?1) AS asked ON asked.value = runs.run ORDER BY asked.key");
    let mut statement = tx.prepare_cached(&sql)?;
    let mut found = statement.query_map([listed(ids.iter())], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
    complete(tx, &mut found)?;
    Ok(found)
}

/// Writes ids as SQLite reads a list of them.
fn listed<'i>(ids: impl Iterator<Item = &'i String>) -> String {
    serde_json::Value::from(ids.cloned().collect::<Vec<_>>()).to_string()
}

/// Adds what the other tables hold of runs, with one statement for each table.
fn complete(tx: &Transaction<'_>, runs: &mut [RunRecord]) -> Result<(), Fault> {
    let ids = listed(runs.iter().map(|run| &run.run));
    let each = |columns: &str, table: &str| {
        format!(
            "SELECT asked.key, {columns} FROM json_each(?1) AS asked
             CROSS JOIN {table} AS held ON held.run = asked.value"
        )
    };
    let mut with = |sql: &str, add: &dyn Fn(&mut RunRecord, &Row<'_>) -> rusqlite::Result<()>| -> Result<(), Fault> {
        let mut statement = tx.prepare_cached(sql)?;
        let mut rows = statement.query([&ids])?;
        while let Some(row) = rows.next()? {
            let at = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
            if let Some(run) = runs.get_mut(at) {
                add(run, row)?;
            }
        }
        Ok(())
    };
    with(&each("held.key, held.value", "params"), &|run, row| {
        run.params.insert(row.get(1)?, row.get(2)?);
        Ok(())
    })?;
    with(&each("held.key, held.value", "tags"), &|run, row| {
        run.tags.insert(row.get(1)?, row.get(2)?);
        Ok(())
    })?;
    with(&each("held.key, held.value", "latest_metrics"), &|run, row| {
        run.metrics.insert(row.get(1)?, row.get::<_, Option<f64>>(2)?.unwrap_or(f64::NAN));
        Ok(())
    })?;
    // Their key orders them by name.
    with(&each("held.name, held.digest, held.source, held.rows", "inputs"), &|run, row| {
        run.inputs.push(Input {
            name: row.get(1)?,
            digest: digest(row, 2)?,
            source: row.get(3)?,
            rows: count(row, 4)?,
        });
        Ok(())
    })
}

fn rows<T>(
    tx: &Transaction<'_>,
    sql: &str,
    parameter: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    let mut statement = tx.prepare_cached(sql)?;
    let found = statement.query_map([parameter], read)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
