//! Tables read, judged and compared.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_data::{Passing, ReadOptions};
use trainyard_files::{DiskIo, Io};
use trainyard_quality::drift::{Request, Rules, drift};
use trainyard_quality::expectations::{Columns, Options, Suite, Table, validate, validate_passing};
use trainyard_spec::DriftTest;

use crate::{Told, words_of};

fn table(path: &Path) -> Result<RecordBatch, String> {
    trainyard_data::read(&DiskIo, path, &path.display().to_string(), &ReadOptions::default()).map_err(words_of)
}

/// Reads a file into one table.
pub(crate) fn read(path: &Path) -> Told {
    let started = Instant::now();
    let table = table(path)?;
    Ok(json!({"seconds": started.elapsed().as_secs_f64(), "quality": table.num_rows()}))
}

/// Holds a table against a suite; its reading counts where it `is_read` for that.
pub(crate) fn judge(path: &Path, suite: &Path, is_read: bool) -> Told {
    let text = DiskIo.read(suite).map_err(words_of)?;
    let suite = Suite::read(&String::from_utf8_lossy(&text), "suite").map_err(|_| "the suite can't be read")?;
    let shown = path.display().to_string();
    let read = |columns: Option<BTreeSet<String>>| {
        let options = ReadOptions { columns, ..ReadOptions::default() };
        trainyard_data::read_part(&DiskIo, path, &shown, &options)
    };
    let mut started = Instant::now();
    let validation = if is_read {
        let io: Arc<dyn Io> = Arc::new(DiskIo);
        let file = Passing::open(&io, path, &ReadOptions::default()).ok_or("no single Parquet file")?;
        let columns = Columns {
            names: file.names(),
            rows: file.rows(),
            kind: &|column| file.kind(column),
            pass: &|column, take| file.pass(column, take),
        };
        validate_passing(&suite, &columns, &read, &Options::default()).map_err(words_of)?
    } else {
        let (table, names) = read(suite.columns()).map_err(words_of)?;
        started = Instant::now();
        validate(&suite, &Table::of(&table).among(names), &Options::default())
    };
    Ok(json!({"seconds": started.elapsed().as_secs_f64(), "quality": validation.met()}))
}

/// Compares the columns of doubles of two tables by four statistics.
pub(crate) fn compare(then: &Path, now: &Path) -> Told {
    let (then, now) = (table(then)?, table(now)?);
    let schema = now.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let columns: Vec<String> = names.filter(|name| name.starts_with('f')).collect();
    let numeric = vec![DriftTest::Ks, DriftTest::Psi, DriftTest::Wasserstein, DriftTest::JensenShannon];
    let rules = Rules { numeric, ..Rules::default() };
    let started = Instant::now();
    let report = drift(&Request {
        reference: &then,
        current: &now,
        columns: Some(&columns),
        without: &[],
        target: None,
        target_is_label: false,
        rules: &rules,
    });
    let seconds = started.elapsed().as_secs_f64();
    let outcomes = report.columns.iter().flat_map(|column| &column.tests);
    let distances =
        outcomes.filter(|outcome| outcome.test == DriftTest::Wasserstein).filter_map(|outcome| outcome.value);
    Ok(json!({"seconds": seconds, "quality": distances.fold(0.0, f64::max)}))
}
