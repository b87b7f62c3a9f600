//! Compares the data with what the model in service was trained on.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{Digest, Operation, write_atomic};
use trainyard_quality::drift::{Report, Request, Rules, drift, page};
use trainyard_spec::{Against, DriftSpec, DriftTest, OnDrift, Task};
use trainyard_tracking::{ModelReference, RunRecord};

use super::context::{Context, Mode, count, internal, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::given::pass_over_kept;
use crate::project::typed_path;

pub(crate) struct Drift {
    context: Arc<Context>,
    /// What was found when somebody first asked: what is compared with is what the key is of.
    found: OnceLock<Reference>,
}

/// Where the page is written in the project.
const PAGE: &str = ".trainyard/reports/drift.html";
/// The most columns that a message names.
const NAMED: usize = 5;

/// What the data is compared with.
#[derive(Clone)]
enum Reference {
    /// A table among the objects: whose it is, and its digest.
    Stored(String, Digest),
    /// A file that the spec names, as its bytes are.
    File(PathBuf, Digest),
    /// Nothing, and why.
    Absent(String),
}

impl Drift {
    pub(crate) fn new(context: &Arc<Context>) -> Drift {
        Drift { context: Arc::clone(context), found: OnceLock::new() }
    }

    fn spec(&self) -> Result<&DriftSpec, Failure> {
        self.context
            .resolved
            .project
            .drift
            .as_ref()
            .ok_or_else(|| internal("the step drift is here without its section"))
    }

    /// Finds the table to compare with; in a replay the one that the run found.
    fn reference(&self) -> Result<Reference, Failure> {
        if let Some(found) = self.found.get() {
            return Ok(found.clone());
        }
        let found = self.look()?;
        Ok(self.found.get_or_init(|| found).clone())
    }

    fn look(&self) -> Result<Reference, Failure> {
        if let Mode::Replay { recorded, .. } = &self.context.mode {
            let record = recorded.get("drift");
            let table = record.and_then(|record| record.output.artifacts.get("reference").copied());
            let why = record.and_then(|record| record.output.facts["skipped"].as_str()).unwrap_or_default();
            return Ok(match table {
                Some(digest) => Reference::Stored(String::new(), digest),
                None => Reference::Absent(why.to_owned()),
            });
        }
        let found = match self.spec()?.against() {
            Against::LastPromoted => self.last_promoted()?,
            Against::PreviousRun => self.previous_run()?,
            Against::File(path) => return self.file(path),
        };
        if let Reference::Stored(whose, digest) = &found
            && !self.context.objects.verify(digest).map_err(|error| error.diagnostic())?
        {
            return Ok(Reference::Absent(format!("the data of {whose} is no longer stored")));
        }
        Ok(found)
    }

    fn last_promoted(&self) -> Result<Reference, Failure> {
        let project = &self.context.resolved.project;
        let Some(promote) = &project.promote else {
            return Ok(Reference::Absent("trainyard.yaml has no `promote` section".to_owned()));
        };
        let alias = &promote.alias.value;
        let reference = format!("{}@{alias}", project.model.value).parse::<ModelReference>();
        let reference = reference.map_err(|error| error.diagnostic())?;
        let version = self.context.tracking.find_version(&reference).map_err(|error| error.diagnostic())?;
        let Some(version) = version else {
            return Ok(Reference::Absent(format!("there is no {alias} yet")));
        };
        let run = self.context.tracking.run(&version.run).map_err(|error| error.diagnostic())?;
        let whose = format!("v{}", version.version);
        Ok(match run.as_ref().and_then(|run| input(run, "train")) {
            Some(digest) => Reference::Stored(whose, digest),
            None => Reference::Absent(format!("the data of {whose} is not known")),
        })
    }

    fn previous_run(&self) -> Result<Reference, Failure> {
        let experiment = &self.context.resolved.project.tracking.experiment.value;
        let found = self.context.tracking.input_before(&self.context.run, experiment, "master");
        Ok(match found.map_err(|error| error.diagnostic())? {
            Some((run, digest)) => Reference::Stored(format!("run {run}"), digest),
            None => Reference::Absent("no run has finished before this one".to_owned()),
        })
    }

    fn file(&self, written: &str) -> Result<Reference, Failure> {
        let path = typed_path(&self.context.root, &self.context.resolved.overrides, "drift.against", written);
        match self.context.objects.digests().of(&*self.context.io, &path) {
            Ok((digest, _)) => Ok(Reference::File(path, digest)),
            // The reader of tables says best what is wrong with a file.
            Err(error) => Err(self.read(&path, written).err().unwrap_or_else(|| error.diagnostic().into())),
        }
    }

    fn read(&self, path: &std::path::Path, written: &str) -> Result<RecordBatch, Failure> {
        let resolved = &self.context.resolved;
        let mut options = ReadOptions::of(&resolved.schema.under(&resolved.project.data));
        let read = loop {
            // What the master data has, or is of, its reference need not: that is what drift is to say.
            match trainyard_data::read(&*self.context.io, path, written, &options) {
                Err(error) if pass_over_kept(&mut options, &error) => {}
                read => break read,
            }
        };
        read.map_err(|error| {
            let diagnostic = error.diagnostic();
            let origin = self.spec().ok().filter(|_| diagnostic.primary.is_none()).map(|spec| &spec.against.origin);
            match origin {
                Some(origin) => origin.point(diagnostic, "the data is compared with this file").into(),
                None => diagnostic.into(),
            }
        })
    }

    /// Says in words what the data is compared with, whichever model or run that is today.
    fn words(&self) -> Result<String, Failure> {
        Ok(match self.spec()?.against() {
            Against::LastPromoted => "the training rows of the promoted model".to_owned(),
            Against::PreviousRun => "the data of the run before".to_owned(),
            Against::File(path) => path.to_owned(),
        })
    }

    fn skipped(&self, scope: &Scope, why: &str, facts: Value) -> Result<Output, Failure> {
        let mut output = Output { facts, headline: ("not looked for".to_owned(), why.to_owned()), ..Output::default() };
        output.artifacts.insert("report".to_owned(), scope.store(&to_json(&json!({ "skipped": why })))?);
        Ok(output)
    }
}

/// Gives the digest of a data set that a run read.
fn input(run: &RunRecord, name: &str) -> Option<Digest> {
    run.inputs.iter().find(|input| input.name == name).map(|input| input.digest)
}

impl Step for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    fn reads(&self) -> Vec<Read> {
        vec![Read::new("ingest", "table"), Read::new("ingest", "target")]
    }

    fn code(&self) -> Digest {
        code::digest("drift", &["quality", "data", "tracking"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let reference = match self.reference()? {
            Reference::Stored(_, digest) | Reference::File(_, digest) => digest,
            Reference::Absent(why) => Digest::of(why.as_bytes()),
        };
        Ok(vec![self.context.section("drift"), self.context.section("data"), Input::new("reference", reference)])
    }

    fn redone_with(&self) -> &'static [&'static str] {
        // Mended data is read anew.
        &["ingest"]
    }

    fn ends_run(&self, output: &Output) -> bool {
        let retrains = self.spec().is_ok_and(|spec| spec.on_drift == OnDrift::Retrain);
        // A column that can no longer be compared is no proof that nothing moved.
        retrains && output.facts["drift"] == json!(false) && output.facts["broken"] == json!([])
    }

    fn asks_a_server(&self) -> bool {
        self.context.asks_a_registry()
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let spec = self.spec()?;
        let (digest, reference) = match self.reference()? {
            Reference::Absent(why) => return self.skipped(scope, &why, json!({ "skipped": why })),
            Reference::Stored(_, digest) => {
                let bytes = self.context.objects.get(&digest).map_err(|error| error.diagnostic())?;
                let table = trainyard_data::from_parquet(&bytes, "the reference");
                (scope.store(&bytes)?, table.map_err(|error| error.diagnostic())?)
            }
            Reference::File(path, digest) => {
                let table = self.read(&path, &spec.against.value)?;
                let now =
                    self.context.objects.digests().of(&*self.context.io, &path).map_err(|error| error.diagnostic())?;
                if now.0 != digest {
                    let file = spec.against.value.clone();
                    let cause = "it changed while it was read".to_owned();
                    return Err(trainyard_data::Error::Unreadable { file, cause }.diagnostic().into());
                }
                let bytes = trainyard_data::to_parquet(&table).map_err(|error| error.diagnostic())?;
                (scope.store(&bytes)?, table)
            }
        };
        let table = self.context.table(scope, "ingest", "table")?;
        let target = self.context.target(scope)?;
        let data = &self.context.resolved.project.data;
        let key = data.key.iter().map(|key| key.value.clone());
        let without: Vec<String> = key.chain(spec.leave_out.iter().map(|name| name.value.clone())).collect();
        let report = drift(&Request {
            reference: &reference,
            current: &table,
            columns: None,
            without: &without,
            target: Some(&target.column),
            target_is_label: target.task != Task::Regression,
            rules: &Rules::of(spec),
        });
        scope.check()?;
        if report.compared == 0 {
            let why = "no column can be compared";
            return self.skipped(scope, why, json!({ "skipped": why, "broken_why": broken(&report) }));
        }
        let page = page(&report, [&self.words()?, "the data of this run"]);
        let mut output =
            Output { facts: facts(&report), headline: (String::new(), headline(&report)), ..Output::default() };
        self.refresh(&mut output);
        output.artifacts.insert("reference".to_owned(), digest);
        output.artifacts.insert("report".to_owned(), scope.store(&to_json(&report))?);
        output.artifacts.insert("page".to_owned(), scope.store(page.as_bytes())?);
        for (file, artifact) in [("drift.json", "report"), ("drift.html", "page")] {
            output.logged.files.insert(file.to_owned(), output.artifacts[artifact]);
        }
        output.logged.metrics =
            vec![("drift_share".to_owned(), 0, report.share), ("drifted_columns".to_owned(), 0, report.drifted as f64)];
        output.logged.tags.insert("drift".to_owned(), report.drift.to_string());
        if report.drift && spec.on_drift == OnDrift::Stop && self.context.is_live() {
            self.context.log_of_failed(&output)?;
            self.publish_page(page.as_bytes())?;
            // A step that fails leaves nothing to warn of.
            let broken = self.warnings(&output).into_iter().filter(|warning| warning.code == "drift/broken-column");
            broken.for_each(|warning| scope.warn(warning));
            let problem = self.drifted(Diagnostic::error("drift/stopped", title(&output.facts)), &output.facts);
            let problem = problem.with_fault(Fault::Refused).help(
                "mend the data where it is wrong; where the world has moved, \
                 `trainyard run --set drift.on_drift=warn` trains on it",
            );
            return Err(spec.against.origin.point(problem, "the data is compared with this").into());
        }
        Ok(output)
    }

    fn may_end_run(&self) -> bool {
        self.spec().is_ok_and(|spec| spec.on_drift == OnDrift::Retrain)
    }

    fn warnings(&self, output: &Output) -> Vec<Diagnostic> {
        let Ok(spec) = self.spec() else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        let broken = words(&output.facts["broken_why"]);
        if !broken.is_empty() {
            let columns = if broken.len() == 1 { "column" } else { "columns" };
            let title = format!("{} {columns} can no longer be compared", broken.len());
            let warning = Diagnostic::warning("drift/broken-column", title);
            let warning = broken.into_iter().fold(warning, Diagnostic::note);
            let warning = warning.help("mend the source, or name what is gone for good in `drift.leave_out`");
            warnings.push(spec.against.origin.point(warning, "the data is compared with this"));
        }
        if output.facts["drift"] == json!(true) {
            let found = self.drifted(Diagnostic::warning("drift/found", title(&output.facts)), &output.facts);
            warnings.push(found.help("look whether the source is right; a model learns from what it is given"));
        }
        warnings
    }

    fn refresh(&self, output: &mut Output) {
        let whose = match self.reference() {
            Ok(Reference::Stored(whose, _)) => whose,
            Ok(Reference::File(path, _)) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            _ => return,
        };
        output.headline.0 = format!("against {whose}");
    }

    fn publish(&self, scope: &Scope, record: &Record) -> Result<(), Failure> {
        match record.output.artifacts.get("page").filter(|_| self.context.is_live()) {
            Some(digest) => {
                self.publish_page(&scope.objects().get(digest).map_err(|error| Failure::from(error.diagnostic()))?)
            }
            None if self.context.is_live() => remove_page(&self.context).map_err(Failure::from),
            None => Ok(()),
        }
    }
}

impl Drift {
    /// Adds what moved, and what it was compared with.
    fn drifted(&self, problem: Diagnostic, facts: &Value) -> Diagnostic {
        let against = self.words().unwrap_or_default();
        let problem = problem.note(format!("they moved most: {}", named(&facts["moved"])));
        problem.note(format!("it was compared with {against}; {PAGE} shows every column"))
    }

    fn publish_page(&self, page: &[u8]) -> Result<(), Failure> {
        let path = self.context.root.join(PAGE);
        let there = self
            .context
            .objects
            .digests()
            .of(&*self.context.io, &path)
            .is_ok_and(|(found, _)| found == Digest::of(page));
        if there {
            return Ok(());
        }
        write_atomic(&*self.context.io, &path, page).map_err(|error| error.diagnostic().into())
    }
}

/// Removes the page of an earlier run, which is of other data.
pub(crate) fn remove_page(context: &Context) -> Result<(), Diagnostic> {
    let path = context.root.join(PAGE);
    if !context.io.exists(&path) {
        return Ok(());
    }
    let failed = |error| trainyard_files::Error::io(Operation::Remove, &path, error).diagnostic();
    context.io.remove_file(&path).map_err(failed)
}

/// Says which columns can no longer be compared, and why.
fn broken(report: &Report) -> Vec<String> {
    let broken = report.left_out.iter().filter(|left| left.is_broken);
    broken.map(|left| format!("{}: {}", left.column, left.why)).collect()
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn title(facts: &Value) -> String {
    format!("the data has drifted: {} of {} columns", facts["drifted"], facts["compared"])
}

/// Gives what the report of a run shows.
fn facts(report: &Report) -> Value {
    let moved = report.columns.iter().filter(|column| column.drifted).filter_map(|column| {
        let test = column.deciding()?;
        let name = test.test.name();
        Some(json!({ "column": column.column, "test": name, "value": test.value, "threshold": test.threshold }))
    });
    json!({
        "drift": report.drift, "drifted": report.drifted, "compared": report.compared, "share": report.share,
        "limit": report.limit, "target_drift": report.target_drift, "moved": moved.collect::<Vec<_>>(),
        "broken_why": broken(report),
        "broken": report.left_out.iter().filter(|left| left.is_broken).map(|left| &left.column).collect::<Vec<_>>(),
    })
}

fn headline(report: &Report) -> String {
    let verdict = if report.drift { "drift" } else { "no drift" };
    format!("{verdict}: {} of {} columns", count(report.drifted), count(report.compared))
}

/// Names the columns that moved, those first whose test is furthest beyond its threshold.
fn named(facts: &Value) -> String {
    let mut moved: Vec<(f64, &str, String)> = Vec::new();
    for column in facts.as_array().into_iter().flatten() {
        let word = |key: &str| column[key].as_str();
        let number = |key: &str| column[key].as_f64();
        let (Some(name), Some(test)) = (word("column"), word("test").and_then(DriftTest::by_name)) else { continue };
        let (Some(value), Some(threshold)) = (number("value"), number("threshold")) else { continue };
        let beyond = if test.is_p_value() { threshold / value } else { value / threshold };
        moved.push((beyond, name, format!("{name} ({test} {})", crate::report::figure(value))));
    }
    moved.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let more = moved.len().saturating_sub(NAMED);
    let names: Vec<String> = moved.into_iter().take(NAMED).map(|(.., words)| words).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}
