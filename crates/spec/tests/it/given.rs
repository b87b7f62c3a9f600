//! A project to test with, and cases that change it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use trainyard_diagnostics::Source;
use trainyard_spec::{Choice, SpecFiles};

/// The files of a small project that resolves.
const FILES: &[(&str, &str)] = &[
    ("trainyard.yaml", include_str!("../cases/default/trainyard.yaml")),
    ("versions/splits/v1.yaml", include_str!("../cases/default/versions/splits/v1.yaml")),
    ("versions/features/v1.yaml", include_str!("../cases/default/versions/features/v1.yaml")),
    ("versions/models/v1.yaml", include_str!("../cases/default/versions/models/v1.yaml")),
];

/// The texts of a project by path, with the flags of a command.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) flags: Vec<String>,
}

impl Given {
    pub(crate) fn default_project() -> Given {
        let texts = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Given { texts, flags: Vec::new() }
    }

    /// Reads a case: `### path` begins a file that stands in place of the default project's, `### without path` takes
    /// one away, `### flags …` gives flags, one per blank, `%20` standing for a blank inside one.
    pub(crate) fn case(text: &str) -> Given {
        let mut given = Given::default_project();
        let mut path: Option<String> = None;
        for line in text.split_inclusive('\n') {
            if let Some(head) = line.strip_prefix("### ") {
                let head = head.trim_end();
                if let Some(flags) = head.strip_prefix("flags ") {
                    given.flags = flags.split(' ').map(|flag| flag.replace("%20", " ")).collect();
                    path = None;
                } else if let Some(gone) = head.strip_prefix("without ") {
                    given.texts.remove(gone);
                    path = None;
                } else {
                    given.texts.insert(head.to_owned(), String::new());
                    path = Some(head.to_owned());
                }
            } else if let Some(path) = &path {
                given.texts.get_mut(path).unwrap().push_str(line);
            }
        }
        given
    }

    pub(crate) fn with(mut self, path: &str, text: &str) -> Given {
        self.texts.insert(path.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn with_flags(mut self, flags: &[&str]) -> Given {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    pub(crate) fn files(&self) -> SpecFiles {
        let source = |path: &str, text: &str| Source::new(path, text);
        let versions = |folder: &str| -> BTreeMap<u32, Arc<Source>> {
            let prefix = format!("versions/{folder}/v");
            let number = |path: &str| path.strip_prefix(&prefix)?.strip_suffix(".yaml")?.parse().ok();
            self.texts.iter().filter_map(|(path, text)| Some((number(path)?, source(path, text)))).collect()
        };
        let environments: BTreeMap<String, Arc<Source>> = self
            .texts
            .iter()
            .filter_map(|(path, text)| {
                let name = path.strip_prefix("environments/")?.strip_suffix(".yaml")?;
                Some((name.to_owned(), source(path, text)))
            })
            .collect();
        let mut files = SpecFiles {
            project: source("trainyard.yaml", &self.texts["trainyard.yaml"]),
            environment: None,
            known_environments: environments.keys().cloned().collect(),
            overrides: Vec::new(),
            splits: versions("splits"),
            features: versions("features"),
            models: versions("models"),
            lock: self.texts.get("versions/lock.yaml").map(|text| source("versions/lock.yaml", text)),
            choose: Choice::default(),
        };
        let mut flags = self.flags.iter();
        while let (Some(flag), Some(value)) = (flags.next(), flags.next()) {
            match flag.as_str() {
                "--env" => {
                    let text = environments.get(value).cloned().unwrap_or_else(|| source("", ""));
                    files.environment = Some((value.clone(), text));
                }
                "--set" => {
                    let (key, value) = value.split_once('=').unwrap();
                    files.overrides.push((key.to_owned(), value.to_owned()));
                }
                "--split" => files.choose.split = Some(value.parse().unwrap()),
                "--features" => files.choose.features = Some(value.parse().unwrap()),
                "--model" => files.choose.model = Some(value.parse().unwrap()),
                other => panic!("no such flag: {other}"),
            }
        }
        files
    }
}

/// The folder of cases.
pub(crate) fn folder(kind: &str) -> PathBuf {
    trainyard_judges::crate_folder().join("tests/cases").join(kind)
}

/// Every case of a kind: its name and text, in the order of the names.
pub(crate) fn cases(kind: &str) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder(kind)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            cases.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    cases.sort();
    assert!(!cases.is_empty(), "no cases of kind {kind}");
    cases
}
