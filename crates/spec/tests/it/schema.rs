//! The schemas say what the decoder takes, no more and no less.

use serde_json::{Map, Value, json};
use trainyard_diagnostics::{Diagnostic, Problems, Source};
use trainyard_spec::{KeptSchema, Lock, resolve, schema};

use crate::given::{Given, cases};

/// The file that a schema is for.
fn path(schema: &str) -> &'static str {
    match schema {
        "trainyard.schema.json" => "trainyard.yaml",
        "split.schema.json" => "versions/splits/v1.yaml",
        "features.schema.json" => "versions/features/v1.yaml",
        "model.schema.json" => "versions/models/v1.yaml",
        "kept_schema.schema.json" => "versions/schema.yaml",
        _ => "versions/lock.yaml",
    }
}

/// The fewest keys that a schema has: a kept schema is one map of names.
fn fewest(schema: &str) -> usize {
    if schema == "kept_schema.schema.json" { 1 } else { 4 }
}

fn problems(given: &Given) -> Problems {
    resolve(&given.files()).err().unwrap_or_default()
}

/// Follows references.
fn followed<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => followed(root.pointer(reference.trim_start_matches('#')).unwrap(), root),
        None => schema,
    }
}

/// Walks over every section that a schema knows: the keys that lead there (`[]` into a list, `=kind` for a group of a kind), and the keys that it has.
fn sections(schema: &Value, root: &Value, path: &[String], visit: &mut impl FnMut(&[String], &Map<String, Value>)) {
    let schema = followed(schema, root);
    let mut below = |key: &str, schema: &Value| {
        let mut path = path.to_vec();
        path.push(key.to_owned());
        sections(schema, root, &path, visit);
    };
    if let Some(items) = schema.get("items") {
        below("[]", items);
    }
    for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        below(key, schema);
    }
    for (pattern, schema) in schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
        assert_eq!(pattern, "^[1-9][0-9]*$");
        below("1", schema);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        visit(path, properties);
    }
    for alternative in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        let mut path = path.to_vec();
        let required = followed(alternative, root).get("required").and_then(Value::as_array);
        for kind in ["numeric", "categorical", "text", "image"] {
            if required.is_some_and(|required| required.contains(&json!(kind))) {
                path.push(format!("={kind}"));
            }
        }
        sections(alternative, root, &path, visit);
    }
}

/// Decodes a file that holds nothing but one key under others.
fn alone(file: &str, path: &[String], key: &str) -> Problems {
    let mut value = json!({ key: null });
    for key in path.iter().rev() {
        value = match (key.as_str(), key.strip_prefix('=')) {
            ("[]", _) => json!([value]),
            // Which of its kinds a group is, the key of its columns says.
            (_, Some(kind)) => {
                let section = value.as_object_mut().unwrap();
                section.entry(kind).or_insert(json!(["column"]));
                value
            }
            (key, None) => json!({ key: value }),
        };
    }
    let text = value.to_string();
    let source = |text: String| Source::new(file, text);
    match file {
        "versions/lock.yaml" => return Lock::parse(&source(text)).err().unwrap_or_default(),
        "versions/schema.yaml" => return KeptSchema::parse(&source(text)).err().unwrap_or_default(),
        _ => {}
    }
    problems(&Given::default_project().with(file, &text))
}

/// Finds what says that a key is unknown.
fn rejected<'a>(problems: &'a Problems, key: &str) -> Option<&'a Diagnostic> {
    let names = [
        format!("has no key `{key}`"),
        format!("there is no metric `{key}`"),
        format!("there is no estimator `{key}`"),
    ];
    problems.iter().find(|problem| names.iter().any(|name| problem.title.ends_with(name)))
}

#[test]
fn every_key_of_a_schema_is_known_to_the_decoder_and_no_other() {
    for (name, schema) in schema::all() {
        let mut count = 0;
        sections(&schema, &schema, &[], &mut |section, properties| {
            for key in properties.keys() {
                let found = alone(path(name), section, key);
                assert!(rejected(&found, key).is_none(), "{name}: the decoder does not know {section:?} {key}");
                count += 1;
            }
            let found = alone(path(name), section, "zzzzzzzz");
            assert!(rejected(&found, "zzzzzzzz").is_some(), "{name}: the decoder takes all of {section:?}");
        });
        assert!(count >= fewest(name), "{name}");
    }
}

#[test]
fn every_key_that_a_message_lists_is_in_the_schema() {
    // Nobody writes a lock by hand, so that its messages list no keys.
    for (name, schema) in schema::all().into_iter().filter(|(name, _)| *name != "lock.schema.json") {
        let mut count = 0;
        sections(&schema, &schema, &[], &mut |section, properties| {
            let found = alone(path(name), section, "zzzzzzzz");
            let Some(message) = rejected(&found, "zzzzzzzz") else { panic!("{name} {section:?}: {found}") };
            let help = &message.help[0];
            let listed = help.strip_prefix("known here: ").or(help.strip_prefix("choose ")).unwrap_or("");
            let listed = listed.split(';').next().unwrap();
            for key in listed.replace(" or ", ", ").split(", ").filter(|key| !key.is_empty() && !key.ends_with("more"))
            {
                assert!(properties.contains_key(key), "{name}: {section:?} lists {key}, which the schema lacks");
                count += 1;
            }
        });
        assert!(count >= fewest(name), "{name}");
    }
}

#[test]
fn every_property_says_what_it_is() {
    fn walk(schema: &Value, path: &str, wrong: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let metrics = path.ends_with("at_least") || path.ends_with("at_most");
            for (key, below) in properties {
                let described = below.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                let estimator = path.ends_with("baseline") || path.ends_with("candidates");
                if !described && !metrics && !estimator {
                    wrong.push(format!("{path}.{key}"));
                }
                walk(below, &format!("{path}.{key}"), wrong);
            }
            assert_eq!(schema.get("additionalProperties").map(|more| more == &json!(true)), Some(false), "{path}");
        }
    }
    for (name, schema) in schema::all() {
        let mut wrong = Vec::new();
        walk(&schema, name, &mut wrong);
        for (definition, schema) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            walk(schema, &format!("{name}.{definition}"), &mut wrong);
        }
        assert!(wrong.is_empty(), "{name} does not say what these are: {wrong:?}");
    }
}

/// What Python's jsonschema says of each file: whether it fits its schema.
const JUDGE: &str = "
import re, yaml
from jsonschema import Draft202012Validator

def numbered(value):
    # YAML reads version numbers as numbers, JSON has no such keys.
    if isinstance(value, dict):
        return {str(key): numbered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item) for item in value]
    return value

validators = {}
for name, schema in data['schemas'].items():
    Draft202012Validator.check_schema(schema)
    validators[name] = Draft202012Validator(schema)
class Core(yaml.SafeLoader):
    pass
# YAML 1.2: only true and false are truth values, and 1e-3 is a number.
Core.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ('tag:yaml.org,2002:bool', '^(?:true|True|TRUE|false|False|FALSE)$', 'tTfF'),
    ('tag:yaml.org,2002:null', '^(?:~|null|Null|NULL|)$', ['~', 'n', 'N', '']),
    ('tag:yaml.org,2002:int', '^[-+]?[0-9]+$', '-+0123456789'),
    ('tag:yaml.org,2002:float', '^[-+]?(?:[.][0-9]+|[0-9]+(?:[.][0-9]*)?)(?:[eE][-+]?[0-9]+)?$', '-+.0123456789'),
]:
    Core.add_implicit_resolver(tag, re.compile(pattern), list(first))
results = []
for schema, text in data['files']:
    value = numbered(yaml.load(text, Core))
    results.append([error.message[:200] for error in validators[schema].iter_errors(value if value is not None else {})])
answer = results
";

/// Faults that a schema can see, since they lie in one file's form.
const STRUCTURE: &[&str] = &[
    "spec/unknown-key",
    "spec/missing-key",
    "spec/wrong-type",
    "spec/out-of-range",
    "spec/unknown-value",
    "spec/unknown-estimator",
    "spec/unknown-metric",
    "spec/group-kind",
];

#[test]
fn python_agrees_on_valid_and_invalid_files() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let schemas = schema::all();
    let of_path = |file: &str| {
        schemas.iter().map(|(name, _)| *name).find(|name| {
            let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let own = path(name);
            own == file
                || (file != "versions/lock.yaml"
                    && folder(own).is_some_and(|own| own != "versions" && Some(own) == folder(file)))
        })
    };
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (name, case) in cases("valid") {
        for (file, text) in Given::case(&case).texts {
            if let Some(schema) = of_path(&file) {
                files.push(json!([schema, text]));
                expected.push((format!("valid/{name}: {file}"), true));
            }
        }
    }
    for (name, case) in cases("invalid") {
        let given = Given::case(&case);
        if !given.flags.is_empty() {
            continue;
        }
        let found = problems(&given);
        let unreadable = |code: &str| {
            [
                "spec/syntax",
                "spec/duplicate-key",
                "spec/tag",
                "spec/many-documents",
                "spec/key-not-text",
                "spec/too-large",
            ]
            .contains(&code)
        };
        if found.iter().any(|problem| unreadable(&problem.code)) {
            continue;
        }
        for (file, text) in &given.texts {
            let here =
                |problem: &&Diagnostic| problem.primary.as_ref().is_some_and(|label| label.place.source.name == *file);
            // Candidates and their parameters are named elsewhere in the file, which no schema looks up.
            let of_names = |problem: &Diagnostic| {
                ["`tune.space", "`tune.enqueue", "`tune.features"].iter().any(|at| problem.title.contains(at))
            };
            let is_structure = |problem: &Diagnostic| STRUCTURE.contains(&problem.code.as_str()) && !of_names(problem);
            if let Some(schema) = of_path(file)
                && found.iter().filter(here).any(is_structure)
            {
                files.push(json!([schema, text]));
                expected.push((format!("invalid/{name}: {file}"), false));
            }
        }
    }
    let schemas: Map<String, Value> = schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let results = judge.run(JUDGE, &json!({ "schemas": schemas, "files": files }));
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), expected.len());
    let mut wrong = Vec::new();
    for ((name, fits), errors) in expected.iter().zip(results) {
        if errors.as_array().unwrap().is_empty() != *fits {
            wrong.push(format!("{name}: {errors}"));
        }
    }
    assert!(wrong.is_empty(), "the schema and the decoder differ:\n{}", wrong.join("\n"));
    assert!(expected.iter().filter(|(_, fits)| !fits).count() > 20);
}
