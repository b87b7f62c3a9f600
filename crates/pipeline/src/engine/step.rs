//! What a step is, what it declares, and what it leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Digester};

use super::Scope;

/// Names an artifact of an earlier step that a step reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// The step that makes it.
    pub step: &'static str,
    /// Its name among that step's artifacts.
    pub artifact: String,
}

impl Read {
    /// Names `artifact` of `step`.
    pub fn new(step: &'static str, artifact: impl Into<String>) -> Read {
        Read { step, artifact: artifact.into() }
    }
}

/// Holds the digest of one declared input, with words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What the input is, such as `spec.split` or `data/raw/customers.csv`.
    pub name: String,
    /// The digest of its content.
    pub digest: Digest,
}

impl Input {
    /// Declares an input.
    pub fn new(name: impl Into<String>, digest: Digest) -> Input {
        Input { name: name.into(), digest }
    }

    /// Declares an artifact of another step.
    pub(super) fn of_read(read: &Read, digest: Digest) -> Input {
        Input::new(format!("{}.{}", read.step, read.artifact), digest)
    }
}

/// What a finished step asks to be logged to the tracking run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Parameters by name.
    pub params: BTreeMap<String, String>,
    /// Metrics: name, step, value; a value that is no number is left out by the writer.
    #[serde(with = "triples")]
    pub metrics: Vec<(String, i64, f64)>,
    /// Tags by name.
    pub tags: BTreeMap<String, String>,
    /// Files of the run: path → digest of the stored object.
    pub files: BTreeMap<String, Digest>,
    /// Data sets that the run read: name, digest, source, rows.
    pub inputs: Vec<(String, Digest, String, u64)>,
}

/// What a step leaves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Named objects of the store; these are what other steps read and what `verify` compares.
    pub artifacts: BTreeMap<String, Digest>,
    /// Small deterministic results that the report shows.
    pub facts: Value,
    /// Measured values such as latency; never part of a key or of an artifact.
    #[serde(with = "named")]
    pub measurements: BTreeMap<String, f64>,
    /// What goes to tracking.
    pub logged: Logged,
    /// The two texts of the step's line: what it worked on, what came out.
    pub headline: (String, String),
}

/// A number as JSON holds it: an undefined metric or an infinite one as a word, since JSON has no number for it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Word(String),
}

impl Written {
    fn of(value: f64) -> Written {
        if value.is_finite() { Written::Number(value) } else { Written::Word(value.to_string()) }
    }

    fn read<E: serde::de::Error>(self) -> Result<f64, E> {
        match self {
            Written::Number(value) => Ok(value),
            Written::Word(word) => word.parse().map_err(E::custom),
        }
    }
}

mod triples {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Written;

    pub(super) fn serialize<S: Serializer>(values: &[(String, i64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|(name, step, value)| (name, step, Written::of(*value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(String, i64, f64)>, D::Error> {
        let written: Vec<(String, i64, Written)> = Vec::deserialize(source)?;
        written.into_iter().map(|(name, step, value)| Ok((name, step, value.read()?))).collect()
    }
}

mod named {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Written;

    pub(super) fn serialize<S: Serializer>(values: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(name, value)| (name, Written::of(*value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let written: BTreeMap<String, Written> = BTreeMap::deserialize(source)?;
        written.into_iter().map(|(name, value)| Ok((name, value.read()?))).collect()
    }
}

/// A finished step: what it read and what it left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The step's name.
    pub step: String,
    /// The cache key.
    pub key: Digest,
    /// The digest of the code.
    pub code: Digest,
    /// All inputs, those from other steps included.
    pub inputs: Vec<Input>,
    /// What it left.
    pub output: Output,
    /// The run that made it.
    pub run: String,
}

/// Computes the cache key of a step.
pub fn key(step: &str, code: &Digest, inputs: &[Input]) -> Digest {
    let mut digester = Digester::new("trainyard step 1").text(step).digest(code).number(inputs.len() as u64);
    for input in inputs {
        digester = digester.text(&input.name).digest(&input.digest);
    }
    digester.finish()
}

/// Why a step did not finish.
#[derive(Debug, Clone)]
pub enum Failure {
    /// Problems, each told to the user.
    Problems(Vec<Diagnostic>),
    /// The user asked to stop.
    Interrupted,
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure::Problems(vec![diagnostic])
    }
}

/// One step of a pipeline.
pub trait Step: Send + Sync {
    /// Gives its name, unique in the graph.
    fn name(&self) -> &'static str;
    /// Names the artifacts of other steps that it reads; the engine refuses any other.
    fn reads(&self) -> Vec<Read>;
    /// Names steps that must be done first although nothing of theirs is read.
    fn after(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// Gives the digest of the code it depends on.
    fn code(&self) -> Digest;
    /// Names measured values of other steps that it judges: they are inputs, although no artifact holds them.
    fn measured(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Puts today's names (of versions, of the source) into a stored result, before it is logged and shown.
    fn refresh(&self, _output: &mut Output) {}
    /// Names the steps that must be done anew before this one is tried again after a failure.
    fn redone_with(&self) -> &'static [&'static str] {
        &[]
    }
    /// Declares all that it reads besides other steps' artifacts.
    fn inputs(&self) -> Result<Vec<Input>, Failure>;
    /// Says whether a stored result may stand for running it; a step with effects outside the project says no.
    fn cacheable(&self) -> bool {
        true
    }
    /// Says why no stored result may stand for running it.
    fn why_not_cacheable(&self) -> &'static str {
        "it acts outside the project's files, so it always runs"
    }
    /// Says whether the steps before it must be logged before it runs. One that says no asks for that itself before it
    /// makes anything ([`Scope::log`]).
    fn logs_first(&self) -> bool {
        true
    }
    /// Says whether a server tells its inputs: one that does not answer now may do when the step runs, and a plan goes on.
    fn asks_a_server(&self) -> bool {
        false
    }
    /// Says whether its work is for many threads; one that only looks and decides starts none.
    fn computes(&self) -> bool {
        true
    }
    /// Says whether running it changes its own inputs, so that its result is stored under the new key as well.
    fn settles_its_inputs(&self) -> bool {
        false
    }
    /// Says whether what it left ends the run: the steps that need it are left out, and that is no failure.
    fn ends_run(&self, _output: &Output) -> bool {
        false
    }
    /// Says whether what it leaves may end the run, where that is not known yet.
    fn may_end_run(&self) -> bool {
        false
    }
    /// Tells what of its result deserves attention, whether it ran or a stored result stands for it.
    fn warnings(&self, _output: &Output) -> Vec<Diagnostic> {
        Vec::new()
    }
    /// Does the work.
    fn run(&self, scope: &Scope) -> Result<Output, Failure>;
    /// Brings the workspace in line with the result, ran or cached; doing it twice changes nothing.
    fn publish(&self, _scope: &Scope, _record: &Record) -> Result<(), Failure> {
        Ok(())
    }
}
