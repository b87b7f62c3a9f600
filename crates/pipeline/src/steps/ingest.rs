//! Brings the master data in: typed, checked, content-addressed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_data::{Master, ReadOptions};
use trainyard_files::Digest;

use super::context::{Context, Mode, count, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::project::source_path;

pub(crate) struct Ingest(pub(crate) Arc<Context>);

impl Ingest {
    fn path(&self) -> PathBuf {
        let resolved = &self.0.resolved;
        source_path(&self.0.root, &resolved.overrides, &resolved.project.data.source.value)
    }

    /// Reads the source ahead of the run, to check what is knowable before anything is written.
    pub(crate) fn read_ahead(&self) -> Result<RecordBatch, Failure> {
        let data = &self.0.resolved.project.data;
        let digest = self.source_digest()?;
        let master = Master::read(&*self.0.io, &self.path(), data).map_err(|error| error.diagnostic())?;
        let table = master.table.clone();
        if let Ok(mut ahead) = self.0.read_ahead.lock() {
            *ahead = Some((digest, master));
        }
        Ok(table)
    }

    /// Gives the digest of the source.
    fn source_digest(&self) -> Result<Digest, Failure> {
        let source = &self.0.resolved.project.data.source;
        let metadata = self.0.io.metadata(&self.path());
        if !metadata.is_ok_and(|metadata| !metadata.is_dir) {
            let options = ReadOptions::of(&self.0.resolved.project.data);
            if let Err(error) = trainyard_data::read(&*self.0.io, &self.path(), &source.value, &options) {
                let diagnostic = error.diagnostic();
                return Err(match diagnostic.primary {
                    Some(_) => diagnostic,
                    None => source.origin.point(diagnostic, "this is the source"),
                }
                .into());
            }
        }
        let found = self.0.objects.digests().of(&*self.0.io, &self.path());
        let (digest, _) = found.map_err(|error| error.diagnostic())?;
        Ok(digest)
    }
}

impl Step for Ingest {
    fn name(&self) -> &'static str {
        "ingest"
    }

    fn reads(&self) -> Vec<Read> {
        Vec::new()
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["resolve"]
    }

    fn code(&self) -> Digest {
        code::digest("ingest", &["data"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        // A replay may do without its source: the stored table stands for it.
        let source = match self.source_digest() {
            Ok(digest) => digest,
            Err(_) if !self.0.is_live() => Digest::of(b""),
            Err(failure) => return Err(failure),
        };
        Ok(vec![self.0.section("data"), Input::new("source", source)])
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let data = &self.0.resolved.project.data;
        let shown = data.source.value.as_str();
        scope.progress("reading", 0, 0);
        let read = || Master::read(&*self.0.io, &self.path(), data);
        let Master { table, without_target } = match &self.0.mode {
            Mode::Replay { recorded, objects } => {
                // A source that changed since is stood for by the table that the run stored.
                let before = recorded.get("ingest").and_then(|record| record.output.artifacts.get("table").copied());
                let unchanged = recorded.get("ingest").is_some_and(|record| {
                    let digest = self.source_digest().ok();
                    record.inputs.iter().any(|input| input.name == "source" && Some(input.digest) == digest)
                });
                match before {
                    Some(digest) if !unchanged => {
                        let bytes = objects.get(&digest).map_err(|error| error.diagnostic())?;
                        let table = trainyard_data::from_parquet(&bytes, shown);
                        table.map(|table| Master { table, without_target: 0 })
                    }
                    _ => read(),
                }
            }
            Mode::Live => {
                let ahead = self.0.read_ahead.lock().ok().and_then(|mut ahead| ahead.take());
                match ahead {
                    Some((digest, master)) if digest == self.source_digest()? => Ok(master),
                    _ => read(),
                }
            }
        }
        .map_err(|error| error.diagnostic())?;
        let checked = trainyard_data::check(&table, data)
            .map_err(|errors| Failure::Problems(errors.iter().map(|error| error.diagnostic()).collect()))?;
        checked.warnings.into_iter().for_each(|warning| scope.warn(warning));
        let (rows, columns) = (table.num_rows(), table.num_columns());
        let table = self.0.store_table(scope, table)?;
        let mut output = Output {
            artifacts: BTreeMap::from([
                ("table".to_owned(), table),
                ("target".to_owned(), scope.store(&to_json(&checked.target))?),
            ]),
            facts: json!({ "rows": rows, "columns": columns, "without_target": without_target }),
            headline: (file_name(shown), size(rows, columns, without_target)),
            ..Output::default()
        };
        output.logged.inputs = vec![("master".to_owned(), table, shown.to_owned(), rows as u64)];
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        let shown = &self.0.resolved.project.data.source.value;
        output.headline.0 = file_name(shown);
        for (_, _, source, _) in &mut output.logged.inputs {
            shown.clone_into(source);
        }
    }
}

fn size(rows: usize, columns: usize, without_target: usize) -> String {
    let left_out = match without_target {
        0 => String::new(),
        rows => format!(", {} without a target left out", count(rows)),
    };
    format!("{} rows × {columns} columns{left_out}", count(rows))
}

fn file_name(shown: &str) -> String {
    Path::new(shown).file_name().map_or_else(|| shown.to_owned(), |name| name.to_string_lossy().into_owned())
}
