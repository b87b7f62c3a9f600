//! Compares the data with what the model in service was trained on.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{Digest, write_atomic};
use trainyard_quality::drift::{Report, Request, Rules, drift, page};
use trainyard_spec::{Against, DriftSpec, OnDrift, Task};
use trainyard_tracking::{ModelReference, RunRecord, Status};

use super::context::{Context, Mode, count, internal, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::project::source_path;

pub(crate) struct Drift(pub(crate) Arc<Context>);

/// Where the page is written in the project.
const PAGE: &str = ".trainyard/reports/drift.html";
/// How many of the latest runs are looked through for one that finished.
const RUNS: usize = 200;
/// The most columns that a message names.
const NAMED: usize = 5;

/// What the data is compared with.
enum Reference {
    /// A table among the objects: whose it is, and its digest.
    Stored(String, Digest),
    /// A file that the spec names, as its bytes are.
    File(PathBuf, Digest),
    /// Nothing, and why.
    Absent(String),
}

impl Drift {
    fn spec(&self) -> Result<&DriftSpec, Failure> {
        self.0.resolved.project.drift.as_ref().ok_or_else(|| internal("the step drift is here without its section"))
    }

    /// Finds the table to compare with; in a replay the one that the run found.
    fn reference(&self) -> Result<Reference, Failure> {
        if let Mode::Replay { recorded, .. } = &self.0.mode {
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
        Ok(match found {
            Reference::Stored(whose, digest) if !self.0.objects.verify(&digest).unwrap_or(false) => {
                Reference::Absent(format!("the data of {whose} is no longer stored"))
            }
            found => found,
        })
    }

    fn last_promoted(&self) -> Result<Reference, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = &project.promote else {
            return Ok(Reference::Absent("trainyard.yaml has no `promote` section".to_owned()));
        };
        let alias = &promote.alias.value;
        let reference = format!("{}@{alias}", project.model.value).parse::<ModelReference>();
        let reference = reference.map_err(|error| error.diagnostic())?;
        let version = self.0.tracking.find_version(&reference).map_err(|error| error.diagnostic())?;
        let Some(version) = version else {
            return Ok(Reference::Absent(format!("there is no {alias} yet")));
        };
        let run = self.0.tracking.run(&version.run).map_err(|error| error.diagnostic())?;
        let whose = format!("v{}", version.version);
        Ok(match run.as_ref().and_then(|run| input(run, "train")) {
            Some(digest) => Reference::Stored(whose, digest),
            None => Reference::Absent(format!("the data of {whose} is not known")),
        })
    }

    fn previous_run(&self) -> Result<Reference, Failure> {
        let tracking = &self.0.tracking;
        let runs = tracking.runs(RUNS, None).map_err(|error| error.diagnostic())?;
        let experiment = &self.0.resolved.project.tracking.experiment.value;
        let ended = |run: &&RunRecord| {
            let good = matches!(run.status, Status::Finished | Status::Refused);
            good && run.run != self.0.run && run.experiment == *experiment
        };
        let found = runs.iter().filter(ended).find_map(|run| Some((run, input(run, "master")?)));
        Ok(match found {
            Some((run, digest)) => Reference::Stored(format!("run {}", run.run), digest),
            None => Reference::Absent("no run has finished before this one".to_owned()),
        })
    }

    fn file(&self, written: &str) -> Result<Reference, Failure> {
        let path = source_path(&self.0.root, &[], written);
        match self.0.objects.digests().of(&*self.0.io, &path) {
            Ok((digest, _)) => Ok(Reference::File(path, digest)),
            // The reader of tables says best what is wrong with a file.
            Err(error) => Err(self.read(&path, written).err().unwrap_or_else(|| error.diagnostic().into())),
        }
    }

    fn read(&self, path: &std::path::Path, written: &str) -> Result<RecordBatch, Failure> {
        let options = ReadOptions::of(&self.0.resolved.project.data);
        trainyard_data::read(&*self.0.io, path, written, &options).map_err(|error| {
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

    fn skipped(&self, scope: &Scope, why: &str) -> Result<Output, Failure> {
        let mut output = Output {
            facts: json!({ "skipped": why }),
            headline: ("not looked for".to_owned(), why.to_owned()),
            ..Output::default()
        };
        output.artifacts.insert("report".to_owned(), scope.store(&to_json(&output.facts))?);
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
        Ok(vec![self.0.section("drift"), self.0.section("data"), Input::new("reference", reference)])
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

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let spec = self.spec()?;
        let (digest, reference) = match self.reference()? {
            Reference::Absent(why) => return self.skipped(scope, &why),
            Reference::Stored(_, digest) => {
                let bytes = self.0.objects.get(&digest).map_err(|error| error.diagnostic())?;
                let table = trainyard_data::from_parquet(&bytes, "the reference");
                (scope.store(&bytes)?, table.map_err(|error| error.diagnostic())?)
            }
            Reference::File(path, _) => {
                let table = self.read(&path, &spec.against.value)?;
                let bytes = trainyard_data::to_parquet(&table).map_err(|error| error.diagnostic())?;
                (scope.store(&bytes)?, table)
            }
        };
        let table = self.0.table(scope, "ingest", "table")?;
        let target = self.0.target(scope)?;
        let data = &self.0.resolved.project.data;
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
        let broken: Vec<String> = report
            .left_out
            .iter()
            .filter(|left| left.is_broken)
            .map(|left| format!("{}: {}", left.column, left.why))
            .collect();
        if !broken.is_empty() {
            let columns = if broken.len() == 1 { "column" } else { "columns" };
            let title = format!("{} {columns} can no longer be compared", broken.len());
            let warning = broken.into_iter().fold(Diagnostic::warning("drift/broken-column", title), Diagnostic::note);
            let warning = warning.help("mend the source, or name what is gone for good in `drift.leave_out`");
            scope.warn(spec.against.origin.point(warning, "the data is compared with this"));
        }
        if report.compared == 0 {
            return self.skipped(scope, "no column can be compared");
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
        if !report.drift {
            return Ok(output);
        }
        let found = |problem: Diagnostic| {
            let problem = problem.note(format!("they moved most: {}", named(&report)));
            problem
                .note(format!("it was compared with {}; {PAGE} shows every column", self.words().unwrap_or_default()))
        };
        let title = format!("the data has drifted: {} of {} columns", report.drifted, report.compared);
        match spec.on_drift {
            OnDrift::Stop if self.0.is_live() => {
                self.0.log_of_failed(&output)?;
                self.publish_page(page.as_bytes())?;
                let problem = found(Diagnostic::error("drift/stopped", title)).with_fault(Fault::Refused);
                let problem = problem.help(
                    "mend the data where it is wrong; where the world has moved, \
                     `trainyard run --set drift.on_drift=warn` trains on it",
                );
                Err(spec.against.origin.point(problem, "the data is compared with this").into())
            }
            _ => {
                let problem = found(Diagnostic::warning("drift/found", title));
                scope.warn(problem.help("look whether the source is right; a model learns from what it is given"));
                Ok(output)
            }
        }
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
        match record.output.artifacts.get("page").filter(|_| self.0.is_live()) {
            Some(digest) => {
                self.publish_page(&scope.objects().get(digest).map_err(|error| Failure::from(error.diagnostic()))?)
            }
            None => Ok(()),
        }
    }
}

impl Drift {
    fn publish_page(&self, page: &[u8]) -> Result<(), Failure> {
        let path = self.0.root.join(PAGE);
        let there = self.0.objects.digests().of(&*self.0.io, &path).is_ok_and(|(found, _)| found == Digest::of(page));
        if there {
            return Ok(());
        }
        write_atomic(&*self.0.io, &path, page).map_err(|error| error.diagnostic().into())
    }
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
        "broken": report.left_out.iter().filter(|left| left.is_broken).map(|left| &left.column).collect::<Vec<_>>(),
    })
}

fn headline(report: &Report) -> String {
    let verdict = if report.drift { "drift" } else { "no drift" };
    format!("{verdict}: {} of {} columns", count(report.drifted), count(report.compared))
}

/// Names the columns that moved, those first whose test is furthest beyond its threshold.
fn named(report: &Report) -> String {
    let mut moved: Vec<(f64, &str, String)> = Vec::new();
    for column in report.columns.iter().filter(|column| column.drifted) {
        let Some((test, value)) = column.deciding().and_then(|test| Some((test, test.value?))) else { continue };
        let beyond = if test.test.is_p_value() { test.threshold / value } else { value / test.threshold };
        moved.push((
            beyond,
            &column.column,
            format!("{} ({} {})", column.column, test.test, crate::report::figure(value)),
        ));
    }
    moved.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let more = moved.len().saturating_sub(NAMED);
    let names: Vec<String> = moved.into_iter().take(NAMED).map(|(.., words)| words).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}
