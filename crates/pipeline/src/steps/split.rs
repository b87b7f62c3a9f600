//! Splits the master data; the first split of a version freezes the reference test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use trainyard_data::split::{Request, split};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, write_atomic};
use trainyard_spec::{ReferenceLock, Resolved, SplitLock};

use super::context::{Context, Mode, count};
use super::versioned::{Kept, kept, reference_name, split_folder};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::project::change_lock;

pub(crate) struct Split(pub(crate) Arc<Context>);

/// What is known of the reference test before a split.
enum Reference {
    /// The lock knows it and the file holds just that.
    Frozen(Vec<u8>),
    /// Neither lock nor file: this split freezes it.
    Open,
    /// A file that the lock does not know, as a crash between file and lock leaves it.
    Unknown(Vec<u8>),
}

impl Split {
    fn version(&self) -> u32 {
        self.0.resolved.split.version
    }

    fn reference_name(&self) -> String {
        reference_name(self.version())
    }

    fn reference_path(&self) -> PathBuf {
        self.0.root.join(self.reference_name())
    }

    fn reference(&self) -> Result<Reference, Failure> {
        if let Mode::Replay { recorded, objects, .. } = &self.0.mode {
            // What the run found then: its own reference test, or none where it froze it.
            let record = recorded.get("split").filter(|record| {
                let before = record.inputs.iter().find(|input| input.name == "reference");
                before.is_some_and(|before| Some(&before.digest) == record.output.artifacts.get("reference"))
            });
            let frozen = record.and_then(|record| record.output.artifacts.get("reference"));
            return match frozen {
                Some(digest) => Ok(Reference::Frozen(objects.get(digest).map_err(|error| error.diagnostic())?)),
                None => Ok(Reference::Open),
            };
        }
        let lock = crate::project::read_lock(&*self.0.io, &self.0.root).map_err(Failure::Problems)?;
        let (name, version) = (self.reference_name(), self.version());
        let bytes = match self.0.io.read(&self.reference_path()) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let title = format!("the reference test {name} can't be read: {error}");
                return Err(Diagnostic::error("split/reference-unreadable", title)
                    .help("give this user the right to read it")
                    .into());
            }
        };
        match (lock.references.get(&version), bytes) {
            (Some(known), Some(bytes)) if Digest::of(&bytes).to_string() == known.digest => {
                Ok(Reference::Frozen(bytes))
            }
            (Some(known), Some(_)) => Err(Diagnostic::error(
                "split/reference-altered",
                format!("{name} is not the reference test that was frozen"),
            )
            .note(format!("versions/lock.yaml knows {} rows with digest {}…", known.rows, short(&known.digest)))
            .note("it is never remade: every model of this split version was judged on those rows")
            .help(format!(
                "restore the file, or write versions/splits/v{}.yaml and use --split {}",
                version + 1,
                version + 1
            ))
            .into()),
            // Where it was versioned, it is put back when the split is published.
            (Some(known), None) => match kept(&self.0, &name, &known.digest)? {
                Kept::Bytes(bytes) => Ok(Reference::Frozen(bytes)),
                Kept::Described => {
                    let note = format!("{name}.dvc describes it, but the cache of versioned data does not hold it");
                    Err(self.absent(known).note(note).into())
                }
                Kept::Nothing => Err(self.absent(known).into()),
            },
            (None, Some(bytes)) => Ok(Reference::Unknown(bytes)),
            (None, None) => Ok(Reference::Open),
        }
    }

    /// Tells that a frozen reference test is not to be found.
    fn absent(&self, known: &ReferenceLock) -> Diagnostic {
        let (name, next) = (self.reference_name(), self.version() + 1);
        let title = format!("the reference test {name} is not here, but it was frozen before");
        Diagnostic::error("split/reference-absent", title)
            .note(format!(
                "versions/lock.yaml knows it: {} rows of {}, digest {}…",
                known.rows,
                known.source,
                short(&known.digest)
            ))
            .note("it is never remade: every model of this split version was judged on those rows")
            .help(format!(
                "fetch that file into its place, or write versions/splits/v{next}.yaml and use --split {next}"
            ))
    }

    /// Says that a frozen reference test that was absent is back in its place.
    fn tell_restored(&self, scope: &Scope) {
        let title = format!("the reference test {} was not here: it is put back", self.reference_name());
        scope.warn(
            Diagnostic::warning("split/reference-restored", title)
                .note("its .dvc file names it, the cache of versioned data held it, and versions/lock.yaml knows it")
                .help("nothing is to be done, unless it was deleted on purpose"),
        );
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

impl Step for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn reads(&self) -> Vec<Read> {
        vec![Read::new("ingest", "table")]
    }

    fn after(&self) -> Vec<&'static str> {
        self.0.before_split()
    }

    fn code(&self) -> Digest {
        code::digest("split", &["data"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let reference = match self.reference()? {
            Reference::Frozen(bytes) | Reference::Unknown(bytes) => Digest::of(&bytes),
            Reference::Open => Digest::of(b""),
        };
        let data = Resolved::section_of(self.0.document(), "data");
        let columns = json!([data["key"], data["target"]]).to_string();
        Ok(vec![
            self.0.section("split"),
            Input::new("spec.data", Digest::of(columns.as_bytes())),
            Input::new("reference", reference),
        ])
    }

    fn settles_its_inputs(&self) -> bool {
        true
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let resolved = &self.0.resolved;
        let table = self.0.table(scope, "ingest", "table")?;
        let state = self.reference()?;
        let frozen = match &state {
            Reference::Frozen(bytes) => {
                let table = trainyard_data::from_parquet(bytes, &self.reference_name());
                Some(table.map_err(|error| error.diagnostic())?)
            }
            Reference::Open | Reference::Unknown(_) => None,
        };
        let from = resolved.lock.references.get(&self.version()).map(|known| known.source.as_str());
        let outcome = split(&Request {
            table: &table,
            data: &resolved.project.data,
            version: self.version(),
            spec: &resolved.split.spec,
            reference: frozen.as_ref(),
            frozen_from: from,
        })
        .map_err(|error| error.diagnostic())?;
        // The parts hold copies of its rows.
        drop(table);
        self.0.forget(&scope.digest("ingest", "table")?);
        let counts = &outcome.counts;
        if let Some(wanted) = counts.reference_wanted.filter(|wanted| counts.reference * 10 < wanted * 9) {
            let got = count(counts.reference);
            scope.warn(
                Diagnostic::warning(
                    "split/large-groups",
                    format!("the reference test has {got} rows where its share is {}", count(wanted)),
                )
                .note("equal rows, groups and moments stay together, and what is larger than the share stays out of it")
                .help("leave repeated rows out of the data, or give rows the columns that tell them apart"),
            );
        }
        if counts.excluded_later > 0 {
            let rows = count(counts.excluded_later);
            let title = format!("{rows} rows are left out: they came after the reference test was frozen");
            let next = self.version() + 1;
            scope.warn(
                Diagnostic::warning("split/later-rows", title)
                    .note("a model that learned from them would know what the reference test asks")
                    .help(format!(
                        "write versions/splits/v{next}.yaml, with later borders where it names them, and use --split {next}"
                    )),
            );
        }
        let rows = [
            outcome.train.num_rows(),
            outcome.validation.as_ref().map_or(0, |table| table.num_rows()),
            outcome.reference.num_rows(),
        ];
        let mut artifacts = BTreeMap::new();
        let reference = match &state {
            Reference::Frozen(bytes) => {
                let digest = scope.store(bytes)?;
                self.0.remember(digest, Arc::new(outcome.reference));
                digest
            }
            Reference::Open => self.0.store_table(scope, outcome.reference)?,
            Reference::Unknown(bytes) => {
                let digest = self.0.store_table(scope, outcome.reference)?;
                if digest != Digest::of(bytes) {
                    return Err(Diagnostic::error(
                        "split/reference-unknown",
                        format!("{} is there, but versions/lock.yaml does not know it", self.reference_name()),
                    )
                    .note("nor is it what this split would freeze from the data")
                    .help("restore versions/lock.yaml from version control; or, if no model was ever judged on that file, delete it")
                    .into());
                }
                digest
            }
        };
        artifacts.insert("reference".to_owned(), reference);
        artifacts.insert("train".to_owned(), self.0.store_table(scope, outcome.train)?);
        if let Some(validation) = outcome.validation {
            artifacts.insert("validation".to_owned(), self.0.store_table(scope, validation)?);
        }
        for (name, table) in outcome.optional_tests {
            if table.num_rows() == 0 {
                let title = format!("the optional test {name} has no row");
                scope.warn(Diagnostic::warning("split/empty-optional-test", title).help("widen its predicate"));
            }
            artifacts.insert(format!("optional_tests/{name}"), self.0.store_table(scope, table)?);
        }
        let shown = rows.map(count).join(" / ");
        let kin = counts.excluded_duplicates + counts.excluded_group_members;
        let left_out = match kin {
            0 => String::new(),
            kin => format!(", {} akin to the reference left out", count(kin)),
        };
        let mut output = Output {
            artifacts,
            facts: json!({
                "train": rows[0], "validation": rows[1], "reference": rows[2], "counts": outcome.counts,
            }),
            headline: (String::new(), format!("{shown} rows{left_out}")),
            ..Output::default()
        };
        let sets = [("train", rows[0]), ("validation", rows[1]), ("reference", rows[2])];
        for (name, rows) in sets {
            if let Some(digest) = output.artifacts.get(name) {
                output.logged.inputs.push((name.to_owned(), *digest, String::new(), rows as u64));
            }
        }
        self.refresh(&mut output);
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        let spec = &self.0.resolved.split.spec;
        let how = match (&spec.by_group, &spec.by_time) {
            (Some(column), _) => format!(" by {}", column.value),
            (None, Some(time)) => format!(" by {}", time.column.value),
            (None, None) if spec.stratify.value => " stratified".to_owned(),
            (None, None) => String::new(),
        };
        output.headline.0 = format!("v{}{how}", self.version());
        for (_, _, source, _) in &mut output.logged.inputs {
            *source = format!("split v{}", self.version());
        }
    }

    fn publish(&self, scope: &Scope, record: &Record) -> Result<(), Failure> {
        if !self.0.is_live() {
            return Ok(());
        }
        let folder = self.0.root.join(split_folder(self.version()));
        let is_frozen = self.0.resolved.lock.references.contains_key(&self.version());
        for (artifact, digest) in &record.output.artifacts {
            let path = match artifact.as_str() {
                "reference" => self.reference_path(),
                name => folder.join(format!("{name}.parquet")),
            };
            let found = self.0.objects.digests().of(&*self.0.io, &path);
            let there = found.is_ok_and(|(found, _)| found == *digest);
            if !there {
                let was_lost = artifact == "reference" && is_frozen && !self.0.io.exists(&path);
                let bytes = scope.objects().get(digest).map_err(|error| error.diagnostic())?;
                write_atomic(&*self.0.io, &path, &bytes).map_err(|error| error.diagnostic())?;
                if was_lost {
                    self.tell_restored(scope);
                }
            }
        }
        // The file comes before the lock: a crash between the two leaves a file that the next run recognises.
        let resolved = &self.0.resolved;
        let data = &resolved.project.data;
        let (digest, facts) = (record.output.artifacts.get("reference"), &record.output.facts);
        change_lock(&*self.0.io, &self.0.root, |lock| {
            lock.splits.entry(self.version()).or_insert_with(|| SplitLock {
                digest: resolved.split.digest.clone(),
                key: data.key.as_ref().map(|key| key.value.clone()),
                target: data.target.column.value.clone(),
                positive: data.target.positive.as_ref().map(|label| label.value.clone()),
                first_run: Some(self.0.run.clone()),
            });
            if let Some(digest) = digest {
                lock.references.entry(self.version()).or_insert_with(|| ReferenceLock {
                    digest: digest.to_string(),
                    rows: facts["reference"].as_u64().unwrap_or_default(),
                    source: data.source.shown(),
                });
            }
        })
    }
}
