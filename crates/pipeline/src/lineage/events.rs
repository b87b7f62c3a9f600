//! Lineage as OpenLineage's events: a START and a COMPLETE, FAIL or ABORT of each run and of each step of it.
//!
//! The times are the journal's. It has the moments at which a process began and a run ended, and how long each step
//! took: a step begins when what stands before it in the journal is over, and ends as many seconds later.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use trainyard_diagnostics::conceal;
use trainyard_files::{Digest, Digester};

use super::Lineage;
use super::graph::{Kind, RunFacts, run_id};
use crate::engine::{Entry, Record};
use crate::stores::Stores;

/// Who says so.
const PRODUCER: &str = concat!("urn:trainyard:", env!("CARGO_PKG_VERSION"));
/// The namespace of jobs and of what is in the object store.
const NAMESPACE: &str = "trainyard";
const SPEC: &str = "https://openlineage.io/spec";
/// What the first bytes of a Parquet file are.
const PARQUET: &[u8] = b"PAR1";

/// Gives the events of the runs in a lineage, oldest run first, one a line.
pub(super) fn events(lineage: &Lineage, stores: &Stores) -> String {
    let graph = &lineage.graph;
    let places = lineage.places();
    // The runs that are part of it, and those whose steps are.
    let mut runs: Vec<&str> = Vec::new();
    for node in places.iter().filter_map(|place| graph.nodes.get(*place)) {
        match node.kind {
            Kind::Run => runs.push(&node.name),
            Kind::Step => runs.push(node.text("run")),
            _ => {}
        }
    }
    let mut text = String::new();
    let mut schemas = Schemas { stores, known: BTreeMap::new() };
    for run in graph.runs.iter().filter(|run| runs.contains(&run.run.as_str())) {
        let status = graph.place(&run_id(&run.run)).and_then(|place| graph.nodes.get(place)?.status.clone());
        for event in Telling::of(run, &mut schemas, &status.unwrap_or_default()) {
            text.push_str(&event.to_string());
            text.push('\n');
        }
    }
    text
}

/// The columns of stored tables, each read once.
struct Schemas<'a> {
    stores: &'a Stores,
    known: BTreeMap<Digest, Option<Value>>,
}

impl Schemas<'_> {
    /// Lists the columns of a stored table; nothing for anything else.
    fn of(&mut self, digest: &Digest) -> Option<Value> {
        if let Some(known) = self.known.get(digest) {
            return known.clone();
        }
        let fields = self.read(digest);
        self.known.insert(*digest, fields.clone());
        fields
    }

    fn read(&self, digest: &Digest) -> Option<Value> {
        let mut begin = [0; PARQUET.len()];
        let mut file = self.stores.io.open(&self.stores.objects.path(digest)).ok()?;
        std::io::Read::read_exact(&mut file, &mut begin).ok()?;
        if begin != PARQUET {
            return None;
        }
        let table = trainyard_data::from_parquet(&self.stores.objects.get(digest).ok()?, "a stored table").ok()?;
        let schema = table.schema();
        let kind = |field: &arrow_schema::FieldRef| trainyard_data::type_name(field.data_type());
        let field = |field: &arrow_schema::FieldRef| json!({ "name": field.name(), "type": kind(field) });
        Some(schema.fields().iter().map(field).collect())
    }
}

/// Makes the events of one run.
struct Telling<'a, 'b> {
    run: &'a RunFacts,
    project: String,
    schemas: &'a mut Schemas<'b>,
    events: Vec<Value>,
    /// The moment that the journal has reached, in milliseconds since 1970.
    now: i64,
    /// When each step that goes on began, and its attempt.
    begun: BTreeMap<String, (i64, u64)>,
    attempts: BTreeMap<String, u64>,
}

fn facet(of: &str, mut content: Value) -> Value {
    content["_producer"] = json!(PRODUCER);
    content["_schemaURL"] = json!(format!("{SPEC}/facets/{of}"));
    content
}

/// Gives a UUID of the eighth version, whose bits are its maker's own: those of a digest.
fn uuid(digest: &Digest) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| text.get(part).unwrap_or_default().to_owned());
    parts.join("-")
}

fn moment(milliseconds: i64) -> String {
    let moment = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl<'a, 'b> Telling<'a, 'b> {
    fn of(run: &'a RunFacts, schemas: &'a mut Schemas<'b>, status: &str) -> Vec<Value> {
        let project = run.configuration["project"]["name"].as_str().unwrap_or("project").to_owned();
        let (begun, attempts) = (BTreeMap::new(), BTreeMap::new());
        let mut telling = Telling { run, project, schemas, events: Vec::new(), now: 0, begun, attempts };
        telling.tell(status);
        telling.events
    }

    fn tell(&mut self, status: &str) {
        let run = self.run;
        let mut problem = String::new();
        for entry in &run.entries {
            match entry {
                Entry::Began { at, .. } => {
                    let is_first = self.events.is_empty();
                    self.now = self.now.max(*at);
                    if is_first {
                        self.whole("START", None);
                    }
                }
                Entry::StepBegan { step } => {
                    self.begin(step);
                }
                Entry::StepDone { record, cached, seconds } => {
                    let began = self.begin(&record.step);
                    let took = if seconds.is_finite() { (seconds * 1000.0) as i64 } else { 0 };
                    self.now = self.now.max(began.saturating_add(took));
                    let (inputs, outputs) = (self.inputs(record), self.outputs(record));
                    self.step("COMPLETE", &record.step, Some((record, *cached)), None, inputs, outputs);
                }
                Entry::StepFailed { step, problems } => {
                    self.begin(step);
                    problem = problems.join("; ");
                    let told = problem.clone();
                    self.step("FAIL", step, None, Some(&told), Vec::new(), Vec::new());
                }
                Entry::Interrupted { at } => {
                    self.now = self.now.max(*at);
                    self.abort();
                }
                Entry::Ended { at, .. } => self.now = self.now.max(*at),
            }
        }
        match status {
            "FAILED" => self.whole("FAIL", Some(&problem)),
            "FINISHED" | "REFUSED" => self.whole("COMPLETE", None),
            "interrupted" | "crashed" => {
                self.abort();
                self.whole("ABORT", None);
            }
            // It goes on.
            _ => {}
        }
    }

    /// Tells that a step begins, unless that was told; gives when it began.
    fn begin(&mut self, step: &str) -> i64 {
        if let Some((at, _)) = self.begun.get(step) {
            return *at;
        }
        let attempt = self.attempts.entry(step.to_owned()).or_default();
        *attempt += 1;
        self.begun.insert(step.to_owned(), (self.now, *attempt));
        let run = self.run_of(step, Map::new());
        self.event("START", run, Some(step), Vec::new(), Vec::new());
        self.now
    }

    /// Tells that the steps that were at work were broken off.
    fn abort(&mut self) {
        let open: Vec<String> = self.begun.keys().cloned().collect();
        for step in open {
            self.step("ABORT", &step, None, None, Vec::new(), Vec::new());
        }
    }

    fn step(
        &mut self,
        kind: &str,
        step: &str,
        record: Option<(&Record, bool)>,
        problem: Option<&str>,
        inputs: Vec<Value>,
        outputs: Vec<Value>,
    ) {
        let mut facets = Map::new();
        if let Some((record, cached)) = record {
            let parameter = |key: &str, value: String| json!({ "key": key, "name": key, "value": value });
            let mut parameters = vec![parameter("code", record.code.to_string())];
            if cached {
                parameters.push(parameter("cached_from", record.run.clone()));
            }
            let is_inner = |name: &str| self.is_artifact(name) || name == "source";
            let declared = record.inputs.iter().filter(|input| !is_inner(&input.name));
            parameters.extend(declared.map(|input| parameter(&input.name, input.digest.to_string())));
            let of = "1-0-0/ExecutionParametersRunFacet.json#/$defs/ExecutionParametersRunFacet";
            facets.insert("executionParameters".to_owned(), facet(of, json!({ "parameters": parameters })));
        }
        facets.extend(problem.map(error));
        let run = self.run_of(step, facets);
        self.event(kind, run, Some(step), inputs, outputs);
        self.begun.remove(step);
    }

    /// Says whether an input is what another step left.
    fn is_artifact(&self, name: &str) -> bool {
        let step = name.split_once('.').map(|(step, _)| step);
        step.is_some_and(|step| self.run.steps.iter().any(|(record, _)| record.step == step))
    }

    fn uuid(&self, step: &str, attempt: u64) -> String {
        uuid(&Digester::new("openlineage run").text(&self.run.run).text(step).number(attempt).finish())
    }

    fn run_of(&self, step: &str, mut facets: Map<String, Value>) -> Value {
        let attempt = self.begun.get(step).map_or(1, |(_, attempt)| *attempt);
        let job = json!({ "namespace": NAMESPACE, "name": self.project });
        let parent = json!({ "run": { "runId": self.uuid("", 0) }, "job": job });
        let of = "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet";
        facets.insert("parent".to_owned(), facet(of, parent));
        json!({ "runId": self.uuid(step, attempt), "facets": facets })
    }

    /// Tells of the run itself.
    fn whole(&mut self, kind: &str, problem: Option<&str>) {
        let facets: Map<String, Value> = problem.map(error).into_iter().collect();
        let run = json!({ "runId": self.uuid("", 0), "facets": facets });
        self.event(kind, run, None, Vec::new(), Vec::new());
    }

    fn event(&mut self, kind: &str, run: Value, step: Option<&str>, inputs: Vec<Value>, outputs: Vec<Value>) {
        let (name, job_type) = match step {
            Some(step) => (format!("{}.{step}", self.project), "STEP"),
            None => (self.project.clone(), "RUN"),
        };
        let job_type = json!({ "processingType": "BATCH", "integration": "TRAINYARD", "jobType": job_type });
        let job_type = facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", job_type);
        self.events.push(json!({
            "eventTime": moment(self.now),
            "producer": PRODUCER,
            "schemaURL": format!("{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"),
            "eventType": kind,
            "run": run,
            "job": { "namespace": NAMESPACE, "name": name, "facets": { "jobType": job_type } },
            "inputs": inputs,
            "outputs": outputs,
        }));
    }

    /// Describes a data set: its version is the digest of its content.
    fn data_set(&mut self, namespace: &str, name: &str, uri: &str, digest: &Digest, fields: Option<Value>) -> Value {
        let version = json!({ "datasetVersion": digest.to_string() });
        let version = facet("1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", version);
        let source = json!({ "name": name, "uri": uri });
        let source = facet("1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet", source);
        let mut facets = json!({ "version": version, "dataSource": source });
        if let Some(fields) = fields {
            let of = "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet";
            facets["schema"] = facet(of, json!({ "fields": fields }));
        }
        json!({ "namespace": namespace, "name": name, "facets": facets })
    }

    fn artifact(&mut self, name: &str, digest: &Digest) -> Value {
        let fields = self.schemas.of(digest);
        let name = format!("{}.{name}", self.project);
        self.data_set(NAMESPACE, &name, &format!("{NAMESPACE}:{digest}"), digest, fields)
    }

    fn inputs(&mut self, record: &Record) -> Vec<Value> {
        let mut found = Vec::new();
        for input in &record.inputs {
            if input.name == "source" {
                let master = record.output.logged.inputs.iter().find(|(name, ..)| name == "master");
                let shown = conceal(master.map_or("the source", |(_, _, source, _)| source)).into_owned();
                let fields = record.output.facts["schema"].is_array().then(|| record.output.facts["schema"].clone());
                let (namespace, uri) = match shown.split_once("://") {
                    Some((scheme, rest)) => {
                        let host = rest.split('/').next().unwrap_or_default();
                        (format!("{scheme}://{host}"), shown.clone())
                    }
                    None => ("file".to_owned(), format!("file:{shown}")),
                };
                found.push(self.data_set(&namespace, &shown, &uri, &input.digest, fields));
            } else if self.is_artifact(&input.name) {
                let is_stored = self.run.steps.iter().any(|(record, _)| {
                    let artifacts = record.output.artifacts.iter();
                    artifacts.clone().any(|(name, digest)| {
                        *digest == input.digest && input.name == format!("{}.{name}", record.step)
                    })
                });
                // A value that was measured is none.
                if is_stored {
                    found.push(self.artifact(&input.name, &input.digest));
                }
            }
        }
        found
    }

    fn outputs(&mut self, record: &Record) -> Vec<Value> {
        let mut found = Vec::new();
        for (name, digest) in &record.output.artifacts {
            let mut made = self.artifact(&format!("{}.{name}", record.step), digest);
            let rows = record.output.logged.inputs.iter().find(|(_, of, ..)| of == digest).map(|(.., rows)| *rows);
            if let Some(rows) = rows {
                let of = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet";
                made["outputFacets"] = json!({ "outputStatistics": facet(of, json!({ "rowCount": rows })) });
            }
            found.push(made);
        }
        found
    }
}

fn error(problem: &str) -> (String, Value) {
    let content = json!({ "message": problem, "programmingLanguage": "Rust" });
    let of = "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
    ("errorMessage".to_owned(), facet(of, content))
}
