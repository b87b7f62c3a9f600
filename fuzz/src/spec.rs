//! The files of a project.
//!
//! An input is `trainyard.yaml` up to the first line that begins with `### `. Such a line names the file that follows it;
//! `### without PATH` takes a file away, and `### flags …` gives flags, one per blank, `%20` for a blank inside one. Files
//! that an input does not name are those of a small project that resolves.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_diagnostics::Source;
use trainyard_expression::{Settings, compile};
use trainyard_spec::{Choice, KeptSchema, Lock, Resolved, SpecFiles, resolve, sound_parts};

use crate::{places, record};

/// The small project.
const DEFAULT: [(&str, &str); 4] = [
    ("trainyard.yaml", include_str!("../../crates/spec/tests/cases/default/trainyard.yaml")),
    ("versions/splits/v1.yaml", include_str!("../../crates/spec/tests/cases/default/versions/splits/v1.yaml")),
    ("versions/features/v1.yaml", include_str!("../../crates/spec/tests/cases/default/versions/features/v1.yaml")),
    ("versions/models/v1.yaml", include_str!("../../crates/spec/tests/cases/default/versions/models/v1.yaml")),
];

/// Checks one project.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (files, schema) = files(text);
    if let Some(schema) = &schema {
        schema_comes_back(schema);
    }
    match resolve(&files) {
        Ok(resolved) => {
            places::check_all(&resolved.warnings);
            check_expressions(&resolved);
            record::comes_back(&resolved);
            lock_comes_back(&resolved.lock);
            assert!(sound_parts(&files).is_some(), "a sound project has sound parts");
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a word");
            places::check_all(&problems);
            // Nothing to say of these: they are looked at where the rest is wrong.
            let _ = sound_parts(&files);
        }
    }
}

/// Checks that what is wrong inside an expression is found inside the scalar that holds it.
fn check_expressions(resolved: &Resolved) {
    let settings = Settings { columns: &[], forbidden: &[], fitted: true };
    for (_, sql) in &resolved.features.spec.columns {
        for problem in compile(&sql.value, &settings).err().into_iter().flatten() {
            let (place, whole) = (sql.place_of(problem.span.clone()), sql.place());
            assert_eq!(place.is_some(), whole.is_some());
            if let (Some(place), Some(whole)) = (&place, &whole) {
                assert!(whole.span.start <= place.span.start && place.span.end <= whole.span.end, "{place:?}");
            }
            places::check_all([&problem.diagnostic(|range| sql.place_of(range), "")]);
        }
    }
}

fn lock_comes_back(lock: &Lock) {
    let text = lock.to_yaml();
    let read = Lock::parse(&Source::new("versions/lock.yaml", text.clone()));
    assert_eq!(read.as_ref(), Ok(lock), "{text}");
}

/// Checks that a kept schema that is sound is read back as it was written.
fn schema_comes_back(source: &Arc<Source>) {
    match KeptSchema::parse(source) {
        Ok(schema) => {
            let text = schema.to_yaml();
            let read = KeptSchema::parse(&Source::new("versions/schema.yaml", text.clone()));
            assert_eq!(read, Ok(schema), "{text}");
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a word");
            places::check_all(&problems);
        }
    }
}

/// Gives the files of a project, and its kept schema where it has one.
fn files(text: &str) -> (SpecFiles, Option<Arc<Source>>) {
    let mut texts: BTreeMap<String, String> =
        DEFAULT.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let mut flags: Vec<String> = Vec::new();
    let mut path = (!text.is_empty() && !text.starts_with("### ")).then(|| "trainyard.yaml".to_owned());
    if let Some(path) = &path {
        texts.insert(path.clone(), String::new());
    }
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("### ").map(str::trim_end) {
            Some(head) => {
                path = None;
                if let Some(words) = head.strip_prefix("flags ") {
                    flags = words.split(' ').map(|flag| flag.replace("%20", " ")).collect();
                } else if let Some(gone) = head.strip_prefix("without ") {
                    texts.remove(gone);
                } else {
                    texts.insert(head.to_owned(), String::new());
                    path = Some(head.to_owned());
                }
            }
            None => {
                if let Some(text) = path.as_ref().and_then(|path| texts.get_mut(path)) {
                    text.push_str(line);
                }
            }
        }
    }
    let mut files = spec_files(&texts);
    choose(&mut files, &texts, &flags);
    let schema = texts.get("versions/schema.yaml").map(|text| Source::new("versions/schema.yaml", text));
    (files, schema)
}

fn spec_files(texts: &BTreeMap<String, String>) -> SpecFiles {
    let versions = |folder: &str| -> BTreeMap<u32, Arc<Source>> {
        let prefix = format!("versions/{folder}/v");
        let number = |path: &str| path.strip_prefix(&prefix)?.strip_suffix(".yaml")?.parse().ok();
        texts.iter().filter_map(|(path, text)| Some((number(path)?, Source::new(path, text)))).collect()
    };
    let environment = |path: &String| Some(path.strip_prefix("environments/")?.strip_suffix(".yaml")?.to_owned());
    SpecFiles {
        project: Source::new("trainyard.yaml", texts.get("trainyard.yaml").map(String::as_str).unwrap_or_default()),
        environment: None,
        known_environments: texts.keys().filter_map(environment).collect(),
        overrides: Vec::new(),
        splits: versions("splits"),
        features: versions("features"),
        models: versions("models"),
        lock: texts.get("versions/lock.yaml").map(|text| Source::new("versions/lock.yaml", text)),
        choose: Choice::default(),
    }
}

/// Sets what flags choose; words that are no flag are passed over.
fn choose(files: &mut SpecFiles, texts: &BTreeMap<String, String>, flags: &[String]) {
    for pair in flags.chunks_exact(2) {
        let (flag, value) = (pair[0].as_str(), &pair[1]);
        match flag {
            "--env" => {
                let path = format!("environments/{value}.yaml");
                let text = texts.get(&path).map(String::as_str).unwrap_or_default();
                files.environment = Some((value.clone(), Source::new(path, text)));
            }
            "--set" => {
                let set = value.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
                files.overrides.extend(set);
            }
            "--split" => files.choose.split = value.parse().ok(),
            "--features" => files.choose.features = value.parse().ok(),
            "--model" => files.choose.model = value.parse().ok(),
            _ => {}
        }
    }
}
