//! Holds the master data against its owner's expectations, before anything is built on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::Digest;
use trainyard_quality::expectations::{
    Judgement, Options, Severity, Stop, Suite, Table, Validation, missing_suite, validate, write_moment,
};
use trainyard_spec::{Located, Origin};

use super::context::{Context, Mode, internal, to_json};
use super::pixels::{Images, declared};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

/// How many expectations a message names.
const MOST_TOLD: usize = 20;

pub(crate) struct Validate {
    context: Arc<Context>,
    /// The bytes of the suite as they were when somebody first asked: what is judged is what the key is of.
    suite: OnceLock<Vec<u8>>,
}

impl Validate {
    pub(crate) fn new(context: &Arc<Context>) -> Validate {
        Validate { context: Arc::clone(context), suite: OnceLock::new() }
    }

    /// Reads the suite, if one is asked for, to say what is wrong with it before anything is written.
    pub(crate) fn check(context: &Context) -> Result<(), Failure> {
        match &context.resolved.project.validate {
            Some(validate) => read(&validate.suite, &bytes(context, &validate.suite)?).map(drop),
            None => Ok(()),
        }
    }

    fn suite(&self) -> Result<&Located<String>, Failure> {
        let validate = self.context.resolved.project.validate.as_ref();
        validate.map(|validate| &validate.suite).ok_or_else(|| internal("there is no suite to hold the data against"))
    }

    /// Gives the suite's bytes; in a replay those that the run stored.
    fn bytes(&self) -> Result<&[u8], Failure> {
        if let Some(bytes) = self.suite.get() {
            return Ok(bytes);
        }
        let stored = match &self.context.mode {
            Mode::Replay { recorded, objects, .. } => {
                let digest = recorded.get("validate").and_then(|record| record.output.artifacts.get("suite"));
                digest.map(|digest| objects.get(digest).map_err(|error| error.diagnostic())).transpose()?
            }
            Mode::Live => None,
        };
        let read = match stored {
            Some(bytes) => bytes,
            None => bytes(&self.context, self.suite()?)?,
        };
        Ok(self.suite.get_or_init(|| read))
    }

    /// Tells whether an expectation asks for the time; a suite that can't be read says so elsewhere.
    fn reads_clock(&self) -> bool {
        let read = || read(self.suite()?, self.bytes()?);
        read().is_ok_and(|suite| suite.reads_clock())
    }

    /// Says how to see what the suite says of the data, from where the run was asked for.
    fn command(&self, suite: &str) -> String {
        format!("trainyard data validate {} --suite {}", self.context.typed_source(), self.context.typed(suite))
    }
}

fn bytes(context: &Context, suite: &Located<String>) -> Result<Vec<u8>, Failure> {
    context.io.read(&context.root.join(&suite.value)).map_err(|error| {
        let (source, out) = (context.typed_source(), context.typed(&suite.value));
        let command = format!("trainyard data validate init {source} --out {out}");
        suite.origin.point(missing_suite(&suite.value, &error, &command), "this is the suite").into()
    })
}

fn read(suite: &Located<String>, bytes: &[u8]) -> Result<Suite, Failure> {
    Suite::from_bytes(bytes, &suite.value).map_err(|problems| {
        // What is wrong with the whole file has no place in it.
        let point = |problem: Diagnostic| match problem.primary {
            Some(_) => problem,
            None => suite.origin.point(problem, "this is the suite"),
        };
        Failure::Problems(problems.into_vec().into_iter().map(point).collect())
    })
}

/// Tells of expectations that are not met, one line each.
fn told<'a>(failed: impl Iterator<Item = &'a Judgement>) -> Vec<String> {
    let mut lines: Vec<String> = failed.map(Judgement::told).collect();
    let more = lines.len().saturating_sub(MOST_TOLD);
    lines.truncate(MOST_TOLD);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

fn refused(validation: &Validation, source: &str, suite: &str, command: &str, origin: &Origin) -> Diagnostic {
    let critical = validation.failed(Severity::Critical).count();
    let are = if critical == 1 { "expectation is" } else { "expectations are" };
    let title = format!("{critical} critical {are} not met by {source}: nothing is built on it");
    let problem = Diagnostic::error("expectations/not-met", title).with_fault(Fault::Refused);
    let problem = told(validation.failed(Severity::Critical)).into_iter().fold(problem, Diagnostic::note);
    origin
        .point(problem, "expected by this suite")
        .help(format!("mend the data, or, where the data is right, {suite}; `{command}` shows all"))
}

/// Gives the last part of a path, which fits into a line of progress.
fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Step for Validate {
    fn name(&self) -> &'static str {
        "validate"
    }

    fn reads(&self) -> Vec<Read> {
        vec![Read::new("ingest", "table")]
    }

    fn code(&self) -> Digest {
        code::digest("validate", &["quality"])
    }

    fn redone_with(&self) -> &'static [&'static str] {
        // Mended data is read anew.
        &["ingest"]
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let mut inputs = vec![Input::new("suite", Digest::of(self.bytes()?))];
        inputs.extend(declared(&self.context));
        if let Some(as_of) = self.context.as_of.get().filter(|_| self.reads_clock()) {
            inputs.push(Input::new("as_of", Digest::of(&as_of.to_le_bytes())));
        }
        Ok(inputs)
    }

    fn cacheable(&self) -> bool {
        !self.reads_clock()
    }

    fn why_not_cacheable(&self) -> &'static str {
        "its expectations ask for the time, so it always runs"
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let (located, bytes) = (self.suite()?, self.bytes()?);
        let suite = read(located, bytes)?;
        let table = self.context.table(scope, "ingest", "table")?;
        scope.progress("judging", 0, 0);
        let now = self.context.as_of.get().copied().filter(|_| suite.reads_clock());
        let options = Options { now, stop: Stop::when(scope.stop_wish()), ..Options::default() };
        // A suite is of the data as its owner has it, without pixels.
        let images = Images::of(&self.context);
        let validation = validate(&suite, &Table::of(&images.without(&table)), &options);
        scope.check()?;
        let source = &self.context.resolved.project.data.source.shown();
        let (total, met) = (validation.judgements.len(), validation.met());
        let count = |severity| validation.failed(severity).count();
        let result = scope.store(&to_json(&validation.to_json()))?;
        let mut facts = json!({
            "expectations": total, "met": met, "warnings": count(Severity::Warning),
            "infos": count(Severity::Info), "told": told(validation.failed(Severity::Warning)),
        });
        if let Some(now) = now {
            facts["as_of"] = json!(write_moment(now));
        }
        let noun = if total == 1 { "expectation" } else { "expectations" };
        let mut output = Output {
            artifacts: BTreeMap::from([("validation".to_owned(), result), ("suite".to_owned(), scope.store(bytes)?)]),
            facts,
            headline: (file_name(&located.value), format!("{met} of {total} {noun} met")),
            ..Output::default()
        };
        output.logged.files.insert("validation.json".to_owned(), result);
        output.logged.metrics = vec![
            ("expectations_evaluated".to_owned(), 0, total as f64),
            ("expectations_met".to_owned(), 0, met as f64),
        ];
        if validation.failed(Severity::Critical).next().is_some() {
            if self.context.is_live() {
                self.context.log_of_failed(&output)?;
            }
            let command = self.command(&located.value);
            return Err(refused(&validation, source, &located.value, &command, &located.origin).into());
        }
        Ok(output)
    }

    fn warnings(&self, output: &Output) -> Vec<Diagnostic> {
        let warnings = output.facts["warnings"].as_u64().unwrap_or_default();
        let (Ok(suite), true) = (self.suite(), warnings > 0) else {
            return Vec::new();
        };
        let are = if warnings == 1 { "expectation is" } else { "expectations are" };
        let source = &self.context.resolved.project.data.source.shown();
        let warning = Diagnostic::warning("expectations/not-met", format!("{warnings} {are} not met by {source}"));
        let told = output.facts["told"].as_array().into_iter().flatten().filter_map(|line| line.as_str());
        let warning = told.fold(warning, Diagnostic::note);
        let help = format!("`{}` shows all", self.command(&suite.value));
        vec![suite.origin.point(warning, "expected by this suite").help(help)]
    }

    fn refresh(&self, output: &mut Output) {
        if let Ok(suite) = self.suite() {
            output.headline.0 = file_name(&suite.value);
        }
    }
}
