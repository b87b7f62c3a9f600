//! Where things come from and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, REFERENCE, run_of};
use crate::text;

const MODEL: &str = "churn-predictor";

/// The nodes of a lineage by their ids; every edge leads from one of them to another.
fn nodes(lineage: &Value) -> BTreeMap<&str, &Value> {
    let all = lineage["nodes"].as_array().unwrap().iter();
    let nodes: BTreeMap<&str, &Value> = all.map(|node| (node["id"].as_str().unwrap(), node)).collect();
    for edge in lineage["edges"].as_array().unwrap() {
        for end in ["from", "to"] {
            assert!(nodes.contains_key(edge[end].as_str().unwrap()), "{edge}");
        }
    }
    assert!(lineage["of"].as_array().unwrap().iter().all(|of| nodes.contains_key(of.as_str().unwrap())));
    nodes
}

/// The names of the nodes of a kind, each once.
fn names<'a>(lineage: &'a Value, kind: &str) -> BTreeSet<&'a str> {
    let of_kind = nodes(lineage).into_values().filter(|node| node["kind"] == kind);
    of_kind.map(|node| node["name"].as_str().unwrap()).collect()
}

/// The roles of the edges that lead to a node, with where they come from.
fn into<'a>(lineage: &'a Value, id: &str) -> Vec<(&'a str, &'a str)> {
    let edges = lineage["edges"].as_array().unwrap().iter().filter(|edge| edge["to"] == id);
    edges.map(|edge| (edge["role"].as_str().unwrap(), edge["from"].as_str().unwrap())).collect()
}

#[test]
fn a_model_leads_up_to_the_data_and_the_data_down_to_models_and_later_runs() {
    let project = Project::new();
    let (first, second) = (project.run(), project.run());
    let (first, second) = (run_of(&first), run_of(&second));
    let before = project.files();
    let up = project.json(&["lineage", "churn-predictor@challenger", "--up"]);
    let down = project.json(&["lineage", CUSTOMERS, "--down"]);
    assert_eq!(up, project.json(&["lineage", "churn-predictor/1", "--up"]), "the same in other words");
    assert_eq!(without_tracking(&project, project.files()), without_tracking(&project, before));

    assert_eq!(up["of"], json!(["model:churn-predictor/1"]));
    assert_eq!(into(&up, "model:churn-predictor/1"), [("registered", format!("run:{first}").as_str())]);
    let all = nodes(&up);
    let one = |kind: &str| all.values().find(|node| node["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {up}"));
    let source = one("source");
    assert_eq!((&source["name"], &source["details"]["rows"]), (&json!(CUSTOMERS), &json!(1500)));
    let versions = ["versions/features/v1.yaml", "versions/models/v1.yaml", "versions/splits/v1.yaml"];
    assert_eq!(names(&up, "version"), BTreeSet::from(versions));
    let lock = project.read("versions/lock.yaml");
    for node in all.values().filter(|node| node["kind"] == "version") {
        assert!(lock.contains(node["digest"].as_str().unwrap()), "{node}");
    }
    let steps =
        ["resolve", "ingest", "split", "features", "baseline", "train", "evaluate", "gate", "compare", "promote"];
    assert_eq!(names(&up, "step"), BTreeSet::from(steps));
    assert!(all.values().filter(|node| node["kind"] == "step").all(|node| node["details"]["code"].is_string()));
    assert_eq!(names(&up, "run"), BTreeSet::from([first]));

    assert_eq!(names(&down, "model"), BTreeSet::from(["churn-predictor/1"]));
    assert_eq!(names(&down, "run"), BTreeSet::from([first, second]));
    let cached = into(&down, &format!("run:{second}")).into_iter().filter(|(role, _)| *role == "cached").count();
    assert_eq!(cached, 7, "all but resolve, which read no data: {down}");
    assert_eq!(names(&down, "change").len(), 1);
    assert!(names(&down, "artifact").contains("train.model/model.onnx"));
    assert!(!down.to_string().contains("_ms\""), "no time");

    let compared = project.json(&["lineage", MODEL, "--down"]);
    let role = compared["edges"].as_array().unwrap().iter().find(|edge| edge["role"] == "compared").unwrap();
    assert!(role["to"].as_str().unwrap().starts_with(&format!("step:{second}/compare@")), "{role}");
    assert_eq!(names(&compared, "step"), BTreeSet::from(["compare"]), "what is only compared is not made of it");
}

/// SQLite tidies up its log when somebody looks into it.
fn without_tracking(
    project: &Project,
    files: Vec<(std::path::PathBuf, Vec<u8>)>,
) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let state = project.path(".trainyard/tracking");
    files.into_iter().filter(|(path, _)| !path.starts_with(&state)).collect()
}

#[test]
fn any_file_that_a_run_published_or_read_and_any_digest_is_a_point_to_begin_at() {
    let project = Project::new();
    let first = project.run();
    let of = |wanted: &str| project.json(&["lineage", wanted])["of"].clone();
    let train = of("data/splits/v1/train.parquet");
    assert!(train[0].as_str().unwrap().ends_with("/train"), "{train}");
    let digest = project.json(&["lineage", "data/splits/v1/train.parquet"])["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["id"] == train[0])
        .unwrap()["digest"]
        .clone();
    assert_eq!(of(&digest.as_str().unwrap()[..10]), train);
    assert_eq!(
        of(project.path(REFERENCE).to_str().unwrap())[0].as_str().unwrap().rsplit('/').next(),
        Some("reference")
    );
    assert!(of("versions/models/v1.yaml")[0].as_str().unwrap().starts_with("version:versions/models/v1.yaml@"));
    let run = run_of(&first);
    for wanted in ["latest", run, &run[..5]] {
        assert_eq!(of(wanted), json!([format!("run:{run}")]), "{wanted}");
    }

    // A grown master: the second run finds the reference test that the first one froze.
    project.customers(150, 8, "more.csv");
    project.grow("more.csv");
    assert_eq!(project.call(&["lineage", CUSTOMERS]).status.code(), Some(1), "no run knows it as it is now");
    project.call(&["run"]);
    let reference = project.json(&["lineage", REFERENCE, "--down"]);
    let makers = names(&reference, "artifact");
    assert!(makers.contains("split.train"), "the second split read it: {makers:?}");
    let latest = project.json(&["lineage", "latest", "--up"]);
    let sources = nodes(&latest).into_values().filter(|node| node["kind"] == "source");
    let rows: BTreeSet<u64> = sources.map(|node| node["details"]["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, BTreeSet::from([1500, 1650]), "its own rows, and those that the reference test was frozen from");
}

#[test]
fn the_tree_names_each_step_once_and_says_how_it_came_to_its_result() {
    let project = Project::new();
    let first = project.run();
    project.run();
    let tree = text(&project.call(&["lineage", "latest", "--up"]).stdout);
    let lines: Vec<&str> = tree.lines().collect();
    assert!(lines[0].starts_with("run ") && lines[0].contains("FINISHED"), "{tree}");
    let train: Vec<&&str> = lines.iter().filter(|line| line.contains("─ train ")).collect();
    assert!(train[0].contains(&format!("cached from {}", run_of(&first))), "{tree}");
    assert!(train[1..].iter().all(|line| line.ends_with("(shown above)")), "{tree}");
    assert!(lines.iter().any(|line| line.contains(CUSTOMERS) && line.contains("1,500 rows")), "{tree}");
    let both = text(&project.call(&["lineage", MODEL]).stdout);
    assert!(both.starts_with("Made from\n") && both.contains("\nMade of it\n"), "{both}");
    assert!(both.contains("challenger → v1"), "{both}");
    let whole = text(&project.call(&["lineage", "latest", "--up", "-v"]).stdout);
    assert!(whole.contains("train.model/seen_rows.bin"), "each artifact has a line: {whole}");
}

#[test]
fn a_flowchart_declares_what_it_joins_and_lets_no_name_out_of_its_quotes() {
    let project = Project::with_rows(400);
    let odd = r#"data/raw/odd "name";[x]{y}|é<b>(end).csv"#;
    fs::rename(project.path(CUSTOMERS), project.path(odd)).unwrap();
    project.call(&["run", "--set", &format!("data.source='{odd}'")]);
    let chart = project.path("lineage.mmd");
    let told = project.json(&["lineage", "latest", "--format", "mermaid", "--output", chart.to_str().unwrap()]);
    assert_eq!(told["format"], "mermaid");
    let chart = fs::read_to_string(chart).unwrap();
    let mut lines = chart.lines();
    assert_eq!(lines.next(), Some("flowchart LR"));
    let (mut declared, mut joined) = (BTreeSet::new(), BTreeSet::new());
    for line in lines.map(str::trim).filter(|line| *line != "end") {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        let outside: String = line.split('"').step_by(2).collect();
        if let Some(rest) = outside.strip_prefix("subgraph ") {
            assert!(rest.ends_with(" []"), "{line}");
        } else if let Some((from, to)) = outside.split_once(" -->") {
            joined.extend([from.to_owned(), to.trim_start_matches("||").trim().to_owned()]);
        } else {
            let id: String = outside.chars().take_while(char::is_ascii_alphanumeric).collect();
            let shape = outside.trim_start_matches(&id);
            assert!(["[]", "[()]", "([])", "{{}}", "[//]"].contains(&shape), "{line}");
            declared.insert(id);
        }
    }
    assert!(joined.len() > 10 && joined.is_subset(&declared), "{:?}", joined.difference(&declared));
    assert!(chart.contains("odd #34;name#34;#59;#91;x#93;#123;y#125;#124;é#60;b#62;(end).csv"), "{chart}");
}

/// Builds every event out of the classes of OpenLineage's own package, which check what they are given.
const EVENTS: &str = r#"
import importlib, inspect, pkgutil
from datetime import datetime
from openlineage.client import generated
from openlineage.client.generated import base
from openlineage.client.serde import Serde
facets = {}
for module in pkgutil.iter_modules(generated.__path__):
    found = importlib.import_module(generated.__name__ + "." + module.name)
    for name, one in inspect.getmembers(found, inspect.isclass):
        if issubclass(one, base.BaseFacet):
            facets[one._get_schema()] = one
def facet(content):
    content = dict(content)
    one = facets[content.pop("_schemaURL")]
    return one(producer=content.pop("_producer"), **content)
def with_facets(kind, content, *names):
    content = dict(content)
    for name in names:
        content[name] = {key: facet(value) for key, value in content.get(name, {}).items()}
    return kind(**content)
answer = []
for line in data["lines"]:
    event = json.loads(line)
    assert event["schemaURL"] == base.RunEvent._get_schema(), event["schemaURL"]
    moment = datetime.fromisoformat(event["eventTime"])
    assert moment.tzinfo is not None
    built = base.RunEvent(
        eventTime=event["eventTime"], producer=event["producer"], eventType=base.EventType(event["eventType"]),
        run=with_facets(base.Run, event["run"], "facets"), job=with_facets(base.Job, event["job"], "facets"),
        inputs=[with_facets(base.InputDataset, one, "facets", "inputFacets") for one in event["inputs"]],
        outputs=[with_facets(base.OutputDataset, one, "facets", "outputFacets") for one in event["outputs"]])
    again = json.loads(Serde.to_json(built))
    for key in ["eventTime", "eventType", "producer", "schemaURL"]:
        assert again[key] == event[key], (key, again[key])
    assert again["run"]["runId"] == event["run"]["runId"] and again["job"]["name"] == event["job"]["name"]
    assert [one["name"] for one in again["outputs"]] == [one["name"] for one in event["outputs"]]
    answer.append([moment.timestamp(), event["run"]["runId"], event["job"]["name"], event["eventType"]])
"#;

fn events(project: &Project, wanted: &str) -> Vec<Value> {
    let output = project.call(&["lineage", wanted, "--format", "openlineage", "--up"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn openlineage_reads_every_event_and_each_start_has_its_end() {
    let Some(judge) = trainyard_judges::python("lineage") else { return };
    let project = Project::new();
    project.run();
    // A run that fails: its source is gone when it is read.
    project.json(&["step", "resolve", "--run", "nightly"]);
    fs::remove_file(project.path(CUSTOMERS)).unwrap();
    assert_eq!(project.call(&["step", "ingest", "--run", "nightly"]).status.code(), Some(1));

    let (of_model, of_failed) = (events(&project, MODEL), events(&project, "nightly"));
    let kinds = |events: &[Value], job: &str| -> Vec<String> {
        let of_job = events.iter().filter(|event| event["job"]["name"] == job);
        of_job.map(|event| event["eventType"].as_str().unwrap().to_owned()).collect()
    };
    for job in ["churn", "churn.ingest", "churn.train", "churn.promote"] {
        assert_eq!(kinds(&of_model, job), ["START", "COMPLETE"], "{job}");
    }
    // The first run is part of it: its `resolve` stood for that of the second.
    assert_eq!(kinds(&of_failed, "churn.ingest"), ["START", "COMPLETE", "START", "FAIL"]);
    assert_eq!(kinds(&of_failed, "churn"), ["START", "COMPLETE", "START", "FAIL"]);
    let failed = of_failed.iter().find(|event| event["eventType"] == "FAIL").unwrap();
    let said = failed["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(said.contains("customers.csv"), "{said}");

    let ingest =
        of_model.iter().find(|event| event["job"]["name"] == "churn.ingest" && event["eventType"] == "COMPLETE");
    let read = &ingest.unwrap()["inputs"][0];
    assert_eq!((&read["namespace"], &read["name"]), (&json!("file"), &json!(CUSTOMERS)));
    assert_eq!(read["facets"]["schema"]["fields"].as_array().unwrap().len(), 21);
    assert_eq!(read["facets"]["version"]["datasetVersion"].as_str().unwrap().len(), 64);
    let split = of_model.iter().find(|event| event["job"]["name"] == "churn.split" && event["eventType"] == "COMPLETE");
    let train = split.unwrap()["outputs"].as_array().unwrap().iter().find(|made| made["name"] == "churn.split.train");
    let train = train.unwrap();
    assert!(train["facets"]["schema"]["fields"].as_array().unwrap().len() >= 20, "{train}");
    assert!(train["outputFacets"]["outputStatistics"]["rowCount"].as_u64().unwrap() > 800, "{train}");
    // What one step made, another reads under the same name and version.
    let trained =
        of_model.iter().find(|event| event["job"]["name"] == "churn.train" && event["eventType"] == "COMPLETE");
    let mut inputs = trained.unwrap()["inputs"].as_array().unwrap().iter();
    assert!(
        inputs.any(|read| read["name"] == train["name"] && read["facets"]["version"] == train["facets"]["version"])
    );

    for events in [of_model, of_failed] {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        let answer = judge.run(EVENTS, &json!({ "lines": lines }));
        let seen = answer.as_array().unwrap();
        assert_eq!(seen.len(), lines.len());
        let times: Vec<f64> = seen.iter().map(|one| one[0].as_f64().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        let of_kind = |kind: &str| -> BTreeSet<String> {
            let of_kind = seen.iter().filter(|one| (one[3] == "START") == (kind == "START"));
            of_kind.map(|one| one[1].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(of_kind("START"), of_kind("END"), "each run and step begins and ends");
    }
}
