//! Holds the master data against its owner's expectations, before anything is built on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Fault, shell_word};
use trainyard_files::Digest;
use trainyard_quality::expectations::{Judgement, Options, Severity, Suite, Table, Validation, validate};
use trainyard_spec::{Located, Origin};

use super::context::{Context, Mode, internal, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

/// How many expectations a message names.
const MOST_TOLD: usize = 20;

pub(crate) struct Validate(pub(crate) Arc<Context>);

impl Validate {
    /// Reads the suite, if one is asked for, to say what is wrong with it before anything is written.
    pub(crate) fn check(context: &Context) -> Result<(), Failure> {
        match &context.resolved.project.validate {
            Some(validate) => read(context, &validate.suite, &text(context, &validate.suite)?).map(drop),
            None => Ok(()),
        }
    }

    fn suite(&self) -> Result<&Located<String>, Failure> {
        let validate = self.0.resolved.project.validate.as_ref();
        validate.map(|validate| &validate.suite).ok_or_else(|| internal("there is no suite to hold the data against"))
    }

    /// Gives the suite's text; in a replay the one that the run stored.
    fn text(&self) -> Result<String, Failure> {
        if let Mode::Replay { recorded, objects } = &self.0.mode
            && let Some(digest) = recorded.get("validate").and_then(|record| record.output.artifacts.get("suite"))
        {
            let bytes = objects.get(digest).map_err(|error| error.diagnostic())?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        text(&self.0, self.suite()?)
    }
}

fn text(context: &Context, suite: &Located<String>) -> Result<String, Failure> {
    let bytes = context.io.read(&context.root.join(&suite.value)).map_err(|error| {
        let source = &context.resolved.project.data.source.value;
        let title = match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no suite {}", suite.value),
            _ => format!("the suite {} can't be read: {error}", suite.value),
        };
        let command = format!("trainyard data validate init {} --out {}", shell_word(source), shell_word(&suite.value));
        let problem = Diagnostic::error("expectations/missing-suite", title);
        suite.origin.point(problem, "this is the suite").help(format!("write one from the data: `{command}`"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(context: &Context, suite: &Located<String>, text: &str) -> Result<Suite, Failure> {
    let read = Suite::read(text, &suite.value).map_err(|problems| Failure::Problems(problems.into_vec()))?;
    if read.reads_clock() {
        let source = &context.resolved.project.data.source.value;
        let title = format!("an expectation of {} asks for the time, which a run does not have", suite.value);
        let command = command(source, &suite.value);
        let problem = Diagnostic::error("expectations/clock", title)
            .note("a run that is repeated has to come to the same result")
            .help(format!("keep it in a suite of its own, for `{command}`"));
        return Err(suite.origin.point(problem, "this is the suite").into());
    }
    Ok(read)
}

fn command(source: &str, suite: &str) -> String {
    format!("trainyard data validate {} --suite {}", shell_word(source), shell_word(suite))
}

/// Tells of expectations that are not met, one line each.
fn told<'a>(diagnostic: Diagnostic, failed: impl Iterator<Item = &'a Judgement>) -> Diagnostic {
    let lines: Vec<String> = failed.map(Judgement::told).collect();
    let more = lines.len().saturating_sub(MOST_TOLD);
    let told = lines.into_iter().take(MOST_TOLD).fold(diagnostic, Diagnostic::note);
    if more == 0 { told } else { told.note(format!("and {more} more")) }
}

fn refused(validation: &Validation, source: &str, suite: &str, origin: &Origin) -> Diagnostic {
    let critical = validation.failed(Severity::Critical).count();
    let are = if critical == 1 { "expectation is" } else { "expectations are" };
    let title = format!("{critical} critical {are} not met by {source}: nothing is built on it");
    let problem = Diagnostic::error("expectations/not-met", title).with_fault(Fault::Refused);
    let problem = told(problem, validation.failed(Severity::Critical));
    origin
        .point(problem, "expected by this suite")
        .help(format!("mend the data, or, where the data is right, {suite}; `{}` shows all", command(source, suite)))
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
        Ok(vec![Input::new("suite", Digest::of(self.text()?.as_bytes()))])
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let (located, text) = (self.suite()?, self.text()?);
        let suite = read(&self.0, located, &text)?;
        let table = self.0.table(scope, "ingest", "table")?;
        scope.progress("judging", 0, 0);
        let validation = validate(&suite, &Table::of(&table), &Options::default());
        let source = &self.0.resolved.project.data.source.value;
        let (total, met) = (validation.judgements.len(), validation.met());
        let warnings = validation.failed(Severity::Warning).count();
        if warnings > 0 {
            let are = if warnings == 1 { "expectation is" } else { "expectations are" };
            let title = format!("{warnings} {are} not met by {source}");
            let warning =
                told(Diagnostic::warning("expectations/not-met", title), validation.failed(Severity::Warning));
            let command = command(source, &located.value);
            scope.warn(located.origin.point(warning, "expected by this suite").help(format!("`{command}` shows all")));
        }
        let result = scope.store(&to_json(&validation.to_json()))?;
        let noun = if total == 1 { "expectation" } else { "expectations" };
        let mut output = Output {
            artifacts: BTreeMap::from([
                ("validation".to_owned(), result),
                ("suite".to_owned(), scope.store(text.as_bytes())?),
            ]),
            facts: json!({ "expectations": total, "met": met }),
            headline: (file_name(&located.value), format!("{met} of {total} {noun} met")),
            ..Output::default()
        };
        output.logged.files.insert("validation.json".to_owned(), result);
        output.logged.metrics = vec![
            ("expectations_evaluated".to_owned(), 0, total as f64),
            ("expectations_met".to_owned(), 0, met as f64),
        ];
        if validation.failed(Severity::Critical).next().is_some() {
            if self.0.is_live() {
                self.0.log_of_failed(&output)?;
            }
            return Err(refused(&validation, source, &located.value, &located.origin).into());
        }
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        if let Ok(suite) = self.suite() {
            output.headline.0 = file_name(&suite.value);
        }
    }
}
