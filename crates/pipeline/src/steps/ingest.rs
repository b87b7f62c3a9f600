//! Brings the master data in: typed, checked, content-addressed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::{Array, RecordBatch};
use serde_json::{Value, json};
use trainyard_data::{Master, ReadOptions};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Digester, write_atomic};
use trainyard_sources::{Error as SourceError, Listing};
use trainyard_spec::{ColumnType, DataSpec, KeptSchema, Located};

use super::context::{Context, Mode, SourceAt, count, internal, to_json};
use super::pixels::{Images, declared};
use crate::code;
use crate::engine::{Cache, Failure, Input, Output, Read, Record, Scope, Step, key};
use crate::files_query;
use crate::project::{SCHEMA, about_source, fetch_master, read_master, read_schema, source_path};

/// Where the step's facts hold what the files that it read are known by.
pub(crate) const FILES: &str = "files";

/// After so many images it is told how far the reading is.
const TOLD: u64 = 512;

pub(crate) struct Ingest {
    context: Arc<Context>,
    /// What the project says of its data, with the types that are kept.
    data: DataSpec,
    /// What is kept of the schema now.
    kept: Mutex<KeptSchema>,
    /// What the source was when it was first asked for: what is read counts as that, or not at all.
    asked: OnceLock<Digest>,
    /// The images that it names.
    images: Images,
}

impl Ingest {
    pub(crate) fn new(context: &Arc<Context>) -> Ingest {
        let (context, resolved) = (Arc::clone(context), &context.resolved);
        let data = resolved.schema.under(&resolved.project.data);
        let (kept, images) = (Mutex::new(resolved.schema.clone()), Images::of(&context));
        Ingest { data, kept, asked: OnceLock::new(), images, context }
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    /// Gives the file that holds the source, where a replay has it apart from its project.
    fn file(&self) -> Option<&Path> {
        match &self.context.mode {
            Mode::Replay { source: SourceAt::File(file), .. } => Some(file),
            _ => None,
        }
    }

    fn path(&self) -> PathBuf {
        let named =
            || source_path(self.context.source_root(), &self.context.resolved.overrides, &self.data().source.value);
        self.file().map_or_else(named, Path::to_path_buf)
    }

    fn read(&self) -> Result<Master, Failure> {
        if let Some(file) = self.file() {
            return Ok(Master::read(&*self.context.io, file, self.data()).map_err(|error| error.diagnostic())?);
        }
        Ok(read_master(
            &*self.context.io,
            self.context.source_root(),
            &self.context.runtime,
            &self.context.resolved.overrides,
            self.data(),
        )?)
    }

    /// Reads the source ahead of the run, to check what is knowable before anything is written.
    ///
    /// Objects whose table is in the cache are not fetched for it.
    pub(crate) fn read_ahead(&self, cache: &Cache) -> Result<RecordBatch, Failure> {
        if trainyard_sources::is_database(self.data()) {
            return Ok(self.with_pixels(self.snapshot()?.1)?.table);
        }
        if trainyard_sources::is_object(self.data()) {
            return match self.stored(cache)? {
                Some(table) => Ok(table),
                None => Ok(self.with_pixels(self.fetched(&mut |_, _| true)?.1)?.table),
            };
        }
        let source = self.source_digest()?;
        let master = self.with_pixels(self.read()?)?;
        let digest = self.with_images(source)?;
        let table = master.table.clone();
        if let Ok(mut ahead) = self.context.read_ahead.lock() {
            *ahead = Some((digest, master));
        }
        Ok(table)
    }

    /// Gives what a database holds, with the digest of that. It is read once: all that a command does sees the same.
    fn snapshot(&self) -> Result<(Digest, Master), Failure> {
        let mut ahead = self.context.read_ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = &*ahead {
            return Ok(read.clone());
        }
        let master = self.read()?;
        let digest = Digester::new("rows of a database")
            .digest(&trainyard_sources::content(&master.table))
            .number(master.without_target as u64)
            .finish();
        *ahead = Some((digest, master.clone()));
        Ok((digest, master))
    }

    /// Gives the rows as the source has them, without pixels.
    fn rows(&self) -> Result<Master, Failure> {
        if trainyard_sources::is_database(self.data()) {
            return Ok(self.snapshot()?.1);
        }
        if trainyard_sources::is_object(self.data()) {
            return Ok(self.fetched(&mut |_, _| true)?.1);
        }
        self.read()
    }

    /// Gives what the images were known by when they were first asked for.
    fn images_digest(&self) -> Result<Digest, Failure> {
        self.images.digest(&self.context, self.data(), || Ok(self.rows()?.table))
    }

    /// Joins the digest of the source with that of its images.
    fn with_images(&self, source: Digest) -> Result<Digest, Failure> {
        if self.images.is_empty() {
            return Ok(source);
        }
        Ok(Digester::new("a source and its images").digest(&source).digest(&self.images_digest()?).finish())
    }

    fn with_pixels(&self, master: Master) -> Result<Master, Failure> {
        self.images.read(&self.context, self.data(), master, &|_, _| true)
    }

    /// Does so for a run, which may be stopped meanwhile and says how far it is.
    fn with_pixels_for(&self, scope: &Scope, master: Master) -> Result<Master, Failure> {
        self.images.read(&self.context, self.data(), master, &|done, of| match done % TOLD {
            0 => scope.progress("reading images", done, of),
            _ => scope.check().is_ok(),
        })
    }

    /// Names the source in a line: by the last part of what it is called.
    fn file_name(&self) -> String {
        let source = &self.data().source;
        let shown = match trainyard_sources::is_object(self.data()) {
            true => source.path().to_owned(),
            false => source.shown(),
        };
        Path::new(&shown).file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Keeps the types of columns that none is kept of yet.
    fn keep_types(&self, facts: &Value) -> Result<(), Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<_> = known_types(facts).filter(|(name, _)| !kept.columns.contains_key(*name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let add = |schema: &mut KeptSchema| new.iter().filter(|(name, kind)| schema.keep(name, *kind)).count();
        let mut grown = kept.clone();
        add(&mut grown);
        // A line that was written or taken away since the run began stays as it is.
        let (io, root) = (&*self.context.io, &self.context.root);
        let mut file = read_schema(io, root).map_err(Failure::Problems)?;
        if add(&mut file) > 0 {
            write_atomic(io, &root.join(SCHEMA), file.to_yaml().as_bytes()).map_err(|error| error.diagnostic())?;
        }
        if file == grown {
            // The next run begins with it, and finds what this one stored.
            *kept = grown;
        }
        Ok(())
    }

    /// Tells of columns whose type is not kept yet, though others' are.
    fn tell_new(&self, table: &RecordBatch, scope: &Scope) {
        let kept = &self.context.resolved.schema;
        let empty: Vec<&str> = without_values(table).collect();
        let names = table.schema_ref().fields().iter().map(|field| field.name().as_str());
        let new: Vec<&str> = names.filter(|name| !kept.columns.contains_key(*name) && !empty.contains(name)).collect();
        if kept.is_empty() || new.is_empty() {
            return;
        }
        let (title, note) = match new.as_slice() {
            [one] => (format!("{SCHEMA} has no column {one} yet"), "its type is kept from now on"),
            several => {
                let title = format!("{SCHEMA} does not have {} columns yet: {}", several.len(), several.join(", "));
                (title, "their types are kept from now on")
            }
        };
        scope.warn(
            Diagnostic::warning("data/new-columns", title)
                .note(note)
                .help(format!("commit {SCHEMA}; name under `data.drop` what is not wanted")),
        );
    }

    fn wrong(&self, error: &SourceError) -> Failure {
        if error.is_interruption() { Failure::Interrupted } else { about_source(error, self.data()).into() }
    }

    /// Gives what the servers say of the objects; they are asked once.
    fn listing(&self) -> Result<Listing, Failure> {
        let mut known = self.context.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = &*known {
            return Ok(listing.clone());
        }
        let listing =
            trainyard_sources::look(&self.context.runtime, self.data()).map_err(|error| self.wrong(&error))?;
        *known = Some(listing.clone());
        Ok(listing)
    }

    /// Gives what the objects hold, with the digest that they are known by; they are fetched once.
    fn fetched(&self, watch: &mut dyn FnMut(u64, u64) -> bool) -> Result<(Digest, Master), Failure> {
        let mut ahead = self.context.read_ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = &*ahead {
            return Ok(read.clone());
        }
        let context = &self.context;
        let fetched =
            fetch_master(&*context.io, context.source_root(), &context.runtime, self.data(), self.listing()?, watch);
        let (master, listing) = fetched.map_err(|error| self.wrong(&error))?;
        let digest = listing.digest().ok_or_else(|| internal("what was fetched has no digest"))?;
        *context.listing.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
        *ahead = Some((digest, master.clone()));
        Ok((digest, master))
    }

    /// Gives the table that is stored for the objects as they are now.
    fn stored(&self, cache: &Cache) -> Result<Option<RecordBatch>, Failure> {
        let key = key(self.name(), &self.code(), &self.inputs()?);
        let table = || {
            let record = cache.find(self.name(), &key)?;
            let bytes = self.context.objects.get(record.output.artifacts.get("table")?).ok()?;
            trainyard_data::from_parquet(&bytes, &self.data().source.shown()).ok()
        };
        Ok(table())
    }

    /// Fetches the objects for the run that asked for them under the digest that they had then.
    fn fetch_for(&self, scope: &Scope) -> Result<Master, Failure> {
        let before = self.listing()?.digest();
        let mut told = 0;
        let (digest, master) = self.fetched(&mut |bytes, of| {
            let (done, all) = (bytes >> 20, of >> 20);
            if done == told {
                return scope.check().is_ok();
            }
            told = done;
            scope.progress("fetching, MiB", done, all)
        })?;
        // What is stored lies under what the source was when the run asked.
        match before {
            Some(before) if before != digest => {
                Err(self.wrong(&SourceError::Changed { address: self.data().source.shown() }))
            }
            _ => Ok(master),
        }
    }

    /// Gives the digest of the source: of a file's bytes, of the names and bytes of several, of what a database holds, of
    /// what the servers say of objects, of a query over files and those files.
    fn source_digest(&self) -> Result<Digest, Failure> {
        match &self.context.mode {
            Mode::Replay { source: SourceAt::File(file), .. } => return self.files_digest(&self.data().source, file),
            Mode::Replay { source: SourceAt::Nowhere, .. } => {
                return Err(internal("a replay without its source asked for it"));
            }
            _ => {}
        }
        if trainyard_sources::is_database(self.data()) {
            return Ok(self.snapshot()?.0);
        }
        if trainyard_sources::is_object(self.data()) {
            return match self.listing()?.digest() {
                Some(digest) => Ok(digest),
                None => Ok(self.fetched(&mut |_, _| true)?.0),
            };
        }
        let source = &self.data().source;
        let Some(sql) = &source.sql else { return self.files_digest(source, &self.path()) };
        files_query::refuse_unbuilt(source)?;
        let mut tables: Vec<_> = source.tables().iter().collect();
        tables.sort_by(|one, other| one.0.value.cmp(&other.0.value));
        let mut all = Digester::new("query over files").text(&sql.value).number(tables.len() as u64);
        for (name, file) in tables {
            let path = files_query::path(self.context.source_root(), &self.context.resolved.overrides, name, file);
            all = all.text(&name.value).digest(&self.files_digest(file, &path)?);
        }
        Ok(all.finish())
    }

    /// Gives what the files of the source and its images are known by now, where they are files. What the step found is
    /// among its facts, as [`FILES`].
    pub(crate) fn files_now(&self) -> Result<Option<Value>, Failure> {
        let data = self.data();
        if trainyard_sources::is_database(data) || trainyard_sources::is_object(data) {
            return Ok(None);
        }
        let images = if self.images.is_empty() { None } else { Some(self.images_digest()?) };
        Ok(Some(json!({ "source": self.asked()?, "images": images })))
    }

    /// Gives what [`Ingest::source_digest`] gave when it was first asked.
    fn asked(&self) -> Result<Digest, Failure> {
        match self.asked.get() {
            Some(digest) => Ok(*digest),
            None => self.source_digest().map(|digest| *self.asked.get_or_init(|| digest)),
        }
    }

    /// Gives the digest of a file's bytes, or of the names and bytes of the files of a pattern.
    fn files_digest(&self, named: &Located<String>, path: &Path) -> Result<Digest, Failure> {
        let files = trainyard_data::matching(&*self.context.io, path);
        let is_there = match &files {
            Some(files) => !files.is_empty(),
            None => self.context.io.metadata(path).is_ok_and(|metadata| !metadata.is_dir),
        };
        if !is_there {
            let options = ReadOptions::of(self.data());
            if let Err(error) = trainyard_data::read(&*self.context.io, path, &named.value, &options) {
                let diagnostic = error.diagnostic();
                return Err(match diagnostic.primary {
                    Some(_) => diagnostic,
                    None => named.origin.point(diagnostic, "this is the source"),
                }
                .into());
            }
        }
        let digest = |path: &Path| {
            let found = self.context.objects.digests().of(&*self.context.io, path);
            found.map(|(digest, _)| digest).map_err(|error| Failure::from(error.diagnostic()))
        };
        let Some(files) = files else { return digest(path) };
        let mut all = Digester::new("files of a pattern").number(files.len() as u64);
        for file in &files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            all = all.text(&name).digest(&digest(file)?);
        }
        Ok(all.finish())
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
        match self.data().source.sql {
            Some(_) => code::digest("ingest", &["data", "sources", "query"]),
            None => code::digest("ingest", &["data", "sources"]),
        }
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        // A replay may do without its source: the stored table stands for it.
        let source = match self.asked() {
            Ok(digest) => digest,
            Err(_) if !self.context.is_live() => Digest::of(b""),
            Err(failure) => return Err(failure),
        };
        let mut inputs = vec![self.context.section("data"), Input::new("source", source)];
        if let Some(pixels) = declared(&self.context) {
            let images = match self.images_digest() {
                Ok(digest) => digest,
                Err(_) if !self.context.is_live() => Digest::of(b""),
                Err(failure) => return Err(failure),
            };
            inputs.extend([pixels, Input::new("images", images)]);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_empty() {
            inputs.push(Input::new(SCHEMA, Digest::of(kept.to_json().to_string().as_bytes())));
        }
        Ok(inputs)
    }

    fn settles_its_inputs(&self) -> bool {
        true
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let data = self.data();
        let shown = data.source.shown();
        scope.progress("reading", 0, 0);
        let (is_database, is_object) = (trainyard_sources::is_database(data), trainyard_sources::is_object(data));
        let read = || {
            let master = match (is_database, is_object) {
                (true, _) => self.snapshot()?.1,
                (_, true) => self.fetch_for(scope)?,
                (false, false) => self.read()?,
            };
            scope.check()?;
            self.with_pixels_for(scope, master)
        };
        let Master { table, without_target } = match &self.context.mode {
            Mode::Replay { recorded, objects, .. } => {
                // A source that changed since is stood for by the table that the run stored.
                let before = recorded.get("ingest").and_then(|record| record.output.artifacts.get("table").copied());
                let unchanged = recorded.get("ingest").is_some_and(|record| {
                    let holds = |name: &str, digest: Option<Digest>| {
                        record.inputs.iter().any(|input| input.name == name && Some(input.digest) == digest)
                    };
                    holds("source", self.source_digest().ok())
                        && (self.images.is_empty() || holds("images", self.images_digest().ok()))
                });
                match before {
                    Some(digest) if !unchanged => {
                        let bytes = objects.get(&digest).map_err(|error| error.diagnostic())?;
                        let table = trainyard_data::from_parquet(&bytes, &shown).map_err(|error| error.diagnostic())?;
                        Master { table, without_target: 0 }
                    }
                    _ => read()?,
                }
            }
            Mode::Live if is_database || is_object => read()?,
            Mode::Live => {
                let ahead = self.context.read_ahead.lock().ok().and_then(|mut ahead| ahead.take());
                let before = self.asked()?;
                let with_images = self.with_images(before)?;
                match ahead {
                    Some((digest, master)) if digest == with_images => master,
                    _ => {
                        let master = read()?;
                        // What is stored lies under what the source was when it was asked for.
                        if self.source_digest()? != before {
                            let cause = "it changed while it was read".to_owned();
                            return Err(trainyard_data::Error::Unreadable { file: shown, cause }.diagnostic().into());
                        }
                        master
                    }
                }
            }
        };
        let checked = trainyard_data::check(&table, data)
            .map_err(|errors| Failure::Problems(errors.iter().map(|error| error.diagnostic()).collect()))?;
        checked.warnings.into_iter().for_each(|warning| scope.warn(warning));
        // Of the pixels nothing is kept that a later table is held to: the features say what they are.
        let own = self.images.without(&table);
        self.tell_new(&own, scope);
        let (rows, columns) = (own.num_rows(), own.num_columns());
        let schema = schema_of(&own);
        let empty: Vec<&str> = without_values(&own).collect();
        let empty = json!(empty);
        let (images, told_images) = self.images.told(&table);
        drop(own);
        let table = self.context.store_table(scope, table)?;
        let mut output = Output {
            artifacts: BTreeMap::from([
                ("table".to_owned(), table),
                ("target".to_owned(), scope.store(&to_json(&checked.target))?),
            ]),
            facts: json!({
                "rows": rows, "columns": columns, "without_target": without_target, "schema": schema,
                "without_values": empty,
            }),
            headline: (self.file_name(), size(rows, columns, without_target) + &images),
            ..Output::default()
        };
        if !self.images.is_empty() {
            output.facts["images"] = told_images;
        }
        if self.context.is_live()
            && let Some(files) = self.files_now()?
        {
            output.facts[FILES] = files;
        }
        if is_object && let Some(listing) = &*self.context.listing.lock().unwrap_or_else(PoisonError::into_inner) {
            output.facts["objects"] = listing.objects.iter().map(told).collect();
        }
        output.logged.inputs = vec![("master".to_owned(), table, shown, rows as u64)];
        output.logged.files.insert("data/schema.json".to_owned(), scope.store(&to_json(&schema))?);
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        let shown = self.data().source.shown();
        output.headline.0 = self.file_name();
        for (_, _, source, _) in &mut output.logged.inputs {
            shown.clone_into(source);
        }
    }

    fn publish(&self, _: &Scope, record: &Record) -> Result<(), Failure> {
        // What was read of a database or a store is stored now.
        self.context.read_ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.context.is_live() { self.keep_types(&record.output.facts) } else { Ok(()) }
    }
}

/// Names the columns in which nothing stands: of which type they are nobody knows yet.
fn without_values(table: &RecordBatch) -> impl Iterator<Item = &str> {
    let fields = table.schema_ref().fields().iter().zip(table.columns());
    fields.filter(|(_, column)| column.null_count() == column.len()).map(|(field, _)| field.name().as_str())
}

/// Gives the columns of which the type is known, with it, of what [`schema_of`] and [`without_values`] said.
fn known_types(facts: &Value) -> impl Iterator<Item = (&str, ColumnType)> {
    let empty = facts["without_values"].as_array();
    let is_empty = move |name: &str| empty.is_some_and(|empty| empty.iter().any(|one| one == name));
    let columns = facts["schema"].as_array().into_iter().flatten();
    columns.filter_map(move |column| {
        let (name, kind) = (column["name"].as_str()?, ColumnType::of_name(column["type"].as_str()?)?);
        (!is_empty(name)).then_some((name, kind))
    })
}

/// Lists the columns with their types.
fn schema_of(table: &RecordBatch) -> Value {
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": trainyard_data::type_name(field.data_type()) }));
    columns.collect()
}

fn size(rows: usize, columns: usize, without_target: usize) -> String {
    let left_out = match without_target {
        0 => String::new(),
        rows => format!(", {} without a target left out", count(rows)),
    };
    format!("{} rows × {columns} columns{left_out}", count(rows))
}

/// Says what an object was when it was read, for the record.
fn told(object: &trainyard_sources::Object) -> Value {
    json!({
        "address": object.shown, "bytes": object.size, "e_tag": object.e_tag, "version": object.version,
        "digest": object.content.map(|digest| digest.to_string()),
    })
}
