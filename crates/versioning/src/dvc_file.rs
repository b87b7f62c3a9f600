//! The files that describe versioned data: `NAME.dvc` beside the data, and the outputs in a `dvc.lock`.

use std::ops::Range;
use std::sync::Arc;

use trainyard_diagnostics::{Place, Source};

use crate::md5::ObjectId;
use crate::tree::is_below;
use crate::yaml::{self, Content, Entry, Node};
use crate::{Error, Errors};

/// The keys of a `.dvc` file in DVC 3.67.
const KEYS: &[&str] = &["md5", "wdir", "deps", "outs", "locked", "frozen", "meta", "always_changed", "desc"];
/// The keys of an output.
const OUTPUT_KEYS: &[&str] = &[
    "md5",
    "size",
    "nfiles",
    "isexec",
    "hash",
    "path",
    "cache",
    "persist",
    "metric",
    "plot",
    "desc",
    "type",
    "labels",
    "meta",
    "remote",
    "push",
    "cloud",
    "files",
    "fs_config",
    "etag",
    "checksum",
    "version_id",
    "isdir",
];

/// Describes one file or folder of versioned data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where the data lies, below the project's root.
    pub path: String,
    /// The file that describes it, below the project's root.
    pub file: String,
    /// The object that it is; absent where nothing was versioned yet.
    pub id: Option<ObjectId>,
    /// The sum of its bytes, where the file tells.
    pub size: Option<u64>,
    /// The number of files of a folder, where the file tells.
    pub count: Option<u64>,
    /// Whether a file may be executed.
    pub is_executable: bool,
    /// How far this crate serves it.
    pub kind: Kind,
    /// The name of the remote that it belongs to, where it is not the usual one.
    pub remote: Option<String>,
    /// Whether it goes to remotes.
    pub pushes: bool,
}

/// Says how far an output is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In full.
    Data,
    /// It is looked at and checked out, and made by somebody else: an import, or a stage of a pipeline.
    Made(&'static str),
    /// It was versioned by DVC 2.
    Dvc2(Place),
    /// It lies elsewhere than in the cache.
    Elsewhere(&'static str),
}

/// What is written about data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) id: ObjectId,
    pub(crate) size: u64,
    pub(crate) count: Option<u64>,
    pub(crate) is_executable: bool,
}

impl Described {
    /// Gives the keys and values, in DVC's order.
    fn entries(&self) -> Vec<(&'static str, String)> {
        let mut entries = vec![("md5", yaml::value(&self.id.to_string(), 6)), ("size", format!(" {}", self.size))];
        entries.extend(self.count.map(|count| ("nfiles", format!(" {count}"))));
        if self.is_executable {
            entries.push(("isexec", " true".to_owned()));
        }
        entries.push(("hash", " md5".to_owned()));
        entries
    }

    /// Writes a new `.dvc` file for what lies beside it under `name`.
    pub(crate) fn write(&self, name: &str) -> String {
        let mut text = "outs:\n".to_owned();
        for (at, (key, value)) in self.entries().into_iter().enumerate() {
            text.push_str(&format!("{} {key}:{value}\n", if at == 0 { "-" } else { " " }));
        }
        text.push_str(&format!("  path:{}\n", yaml::value(name, 7)));
        text
    }
}

/// Is a `.dvc` file as it was read.
#[derive(Debug)]
pub(crate) struct DvcFile {
    text: String,
    root: Node,
    pub(crate) outputs: Vec<Output>,
}

impl DvcFile {
    /// Reads the file that lies at `path` below the project's root.
    pub(crate) fn read(path: &str, text: &str) -> Result<Self, Errors> {
        let source = Source::new(path, text);
        let root = parsed(&source)?;
        let mut errors = Vec::new();
        unknown(&source, root.map().unwrap_or_default(), KEYS, &mut errors);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = match root.get("wdir").and_then(Node::text) {
            Some(wdir) => joined(folder, wdir).unwrap_or_default(),
            None => folder.to_owned(),
        };
        let is_import = root.get("deps").is_some_and(|deps| deps.list().is_some_and(|list| !list.is_empty()));
        let mut outputs = Vec::new();
        for node in list(&source, &root, "outs", &mut errors) {
            unknown(&source, node.map().unwrap_or_default(), OUTPUT_KEYS, &mut errors);
            match output(&source, node, &folder, path) {
                Ok(mut output) => {
                    if is_import && output.kind == Kind::Data {
                        output.kind = Kind::Made("an import");
                    }
                    outputs.push(output);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { text: text.to_owned(), root, outputs }) } else { Err(errors) }
    }

    /// Writes the file with another description of one output, and leaves all else as it stands.
    ///
    /// As DVC does: keys keep their places, new ones come last, and those that no longer hold go.
    pub(crate) fn with(&self, output: usize, described: &Described) -> String {
        let node = self.root.get("outs").and_then(Node::list).and_then(|list| list.get(output));
        let Some((entries, node)) = node.and_then(|node| node.map().zip(Some(node))) else { return self.text.clone() };
        let wanted = described.entries();
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            match wanted.iter().find(|(key, _)| *key == entry.key) {
                Some((_, value)) => {
                    let value = value.trim_start();
                    let same = entry.value.text() == Some(value.trim_matches('\''));
                    if !same {
                        edits.push((entry.value.span.clone(), value.to_owned()));
                    }
                }
                None if matches!(entry.key.as_str(), "size" | "nfiles" | "isexec" | "isdir") => {
                    edits.push((self.place_of(entries, at), String::new()));
                }
                None => {}
            }
        }
        let absent = wanted.iter().filter(|(key, _)| entries.iter().all(|entry| entry.key != *key));
        let is_flow = self.text[node.span.start..].starts_with('{');
        let end = entries.last().map_or(node.span.end, |entry| entry.value.span.end);
        let end = if is_flow { end } else { self.text[end..].find('\n').map_or(self.text.len(), |line| end + line) };
        let added: String = match is_flow {
            true => absent.map(|(key, value)| format!(", {key}:{value}")).collect(),
            false => {
                let indent = self.column(entries.first().map_or(node.span.start, |entry| entry.key_span.start));
                absent.map(|(key, value)| format!("\n{}{key}:{value}", " ".repeat(indent))).collect()
            }
        };
        // A block that ends the text of the last value has its line end already.
        let end = end - usize::from(!is_flow && end > 0 && self.text[..end].ends_with('\n'));
        edits.push((end..end, added));
        edits.sort_by_key(|(span, _)| span.start);
        let mut text = self.text.clone();
        for (span, new) in edits.into_iter().rev() {
            text.replace_range(span, &new);
        }
        text
    }

    /// Gives the bytes that go with an entry: up to the next one, or its line where it is the last.
    fn place_of(&self, entries: &[Entry], at: usize) -> Range<usize> {
        let start = entries[at].key_span.start;
        match entries.get(at + 1) {
            Some(next) => start..next.key_span.start,
            None => {
                let before = self.text[..start].rfind('\n').unwrap_or(start);
                before..entries[at].value.span.end
            }
        }
    }

    fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |line| line + 1)
    }
}

/// Reads the outputs of a `dvc.lock`.
pub(crate) fn read_lock(path: &str, text: &str) -> Result<Vec<Output>, Errors> {
    let source = Source::new(path, text);
    let root = parsed(&source)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stages = match root.get("schema") {
        Some(_) => root.get("stages").and_then(Node::map).unwrap_or_default(),
        // Before 2.0 the stages were the whole file.
        None => root.map().unwrap_or_default(),
    };
    let mut errors = Vec::new();
    let mut outputs = Vec::new();
    for stage in stages {
        for node in list(&source, &stage.value, "outs", &mut errors) {
            match output(&source, node, folder, path) {
                Ok(mut output) => {
                    if output.kind == Kind::Data {
                        output.kind = Kind::Made("made by a stage of a pipeline");
                    }
                    outputs.push(output);
                }
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(outputs) } else { Err(errors) }
}

fn parsed(source: &Arc<Source>) -> Result<Node, Errors> {
    let text = &source.text;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if ["<<<<<<< ", ">>>>>>> "].iter().any(|marker| line.starts_with(marker)) {
            let place = Place::new(source.clone(), start..start + line.trim_end().len());
            return Err(Error::Conflict { place }.into());
        }
        start += line.len();
    }
    let syntax = |at: usize, why: String| Error::Syntax { place: Place::new(source.clone(), at..at), why };
    let root = yaml::parse(text).map_err(|wrong| syntax(wrong.at, wrong.why))?;
    match root.content {
        Content::Map(_) => Ok(root),
        _ => Err(syntax(0, "expected keys such as `outs:`".to_owned()).into()),
    }
}

fn list<'a>(source: &Arc<Source>, node: &'a Node, key: &str, errors: &mut Errors) -> &'a [Node] {
    match node.get(key) {
        Some(node) if !node.is_null() => node.list().unwrap_or_else(|| {
            let place = Place::new(source.clone(), node.span.clone());
            errors.push(Error::Syntax { place, why: "expected a list".to_owned() });
            &[]
        }),
        _ => &[],
    }
}

fn unknown(source: &Arc<Source>, entries: &[Entry], known: &'static [&'static str], errors: &mut Errors) {
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let place = Place::new(source.clone(), entry.key_span.clone());
        errors.push(Error::UnknownKey { place, key: entry.key.clone(), known });
    }
}

fn output(source: &Arc<Source>, node: &Node, folder: &str, file: &str) -> Result<Output, Error> {
    let place = |node: &Node| Place::new(source.clone(), node.span.clone());
    let wrong = |node: &Node, why: &str| Error::Syntax { place: place(node), why: why.to_owned() };
    let text = |key: &str| node.get(key).and_then(Node::text);
    let number = |key: &str| match node.get(key) {
        None => Ok(None),
        Some(value) => match value.text().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(value, "expected a number")),
        },
    };
    let name = text("path").ok_or_else(|| wrong(node, "an output has a `path`"))?;
    let is_true = |key: &str, usual: bool| text(key).map_or(usual, |value| value.eq_ignore_ascii_case("true"));
    let path = joined(folder, name);
    let id = match node.get("md5") {
        None => None,
        Some(value) if value.is_null() => None,
        Some(value) => {
            let id = value.text().and_then(ObjectId::parse);
            Some(id.ok_or_else(|| wrong(value, "expected 32 hexadecimal digits, and `.dir` for a folder"))?)
        }
    };
    let kind = match () {
        () if path.is_none() => Kind::Elsewhere("data outside of the project"),
        () if !is_true("cache", true) => Kind::Elsewhere("kept in Git, not in the cache"),
        () if ["files", "cloud", "etag", "checksum", "version_id"].iter().any(|key| node.get(key).is_some()) => {
            Kind::Elsewhere("kept by a remote that versions it itself")
        }
        () if id.is_some() && text("hash").is_none() => Kind::Dvc2(place(node.get("md5").unwrap_or(node))),
        () if text("hash").is_some_and(|hash| hash != "md5") => Kind::Elsewhere("named by another digest than md5"),
        () => Kind::Data,
    };
    Ok(Output {
        path: path.unwrap_or_else(|| name.to_owned()),
        file: file.to_owned(),
        id,
        size: number("size")?,
        count: number("nfiles")?,
        is_executable: is_true("isexec", false),
        kind,
        remote: text("remote").map(str::to_owned),
        pushes: is_true("push", true),
    })
}

/// Joins a path to a folder below the root; none where it leads out of the root.
fn joined(folder: &str, name: &str) -> Option<String> {
    if name.starts_with('/') || name.contains("://") {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    (path.is_empty() || is_below(&path)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{Described, DvcFile, Kind, read_lock};
    use crate::md5::ObjectId;

    const ONE: &str = "0cc175b9c0f1b6a831c399e269772661";
    const TWO: &str = "92eb5ffee6ae2fec3ad71c777531578f";

    fn described(id: &str, count: Option<u64>, is_executable: bool) -> Described {
        Described { id: ObjectId::parse(id).unwrap(), size: 7, count, is_executable }
    }

    #[test]
    fn a_file_is_written_and_read() {
        let text = described(ONE, None, true).write("a b.csv");
        assert_eq!(text, format!("outs:\n- md5: {ONE}\n  size: 7\n  isexec: true\n  hash: md5\n  path: a b.csv\n"));
        let file = DvcFile::read("data/a b.csv.dvc", &text).unwrap();
        let [output] = file.outputs.as_slice() else { panic!("{file:?}") };
        assert_eq!((output.path.as_str(), &output.kind, output.is_executable), ("data/a b.csv", &Kind::Data, true));
        assert_eq!(file.with(0, &described(ONE, None, true)), text);
        let folder = described(&format!("{TWO}.dir"), Some(3), false);
        let expected = format!("outs:\n- md5: {TWO}.dir\n  size: 7\n  hash: md5\n  path: a b.csv\n  nfiles: 3\n");
        assert_eq!(file.with(0, &folder), expected);
        assert_eq!(
            described("00000000000000000000000000000001", None, false).write("x").lines().nth(1).unwrap(),
            "- md5: '00000000000000000000000000000001'"
        );
    }

    #[test]
    fn notes_stay_where_they_are() {
        let text = format!(
            "# mine\nouts:\n- md5: {ONE}  # old\n  size: 6\n  hash: md5\n  path: f\n  desc: what it is\nmeta:\n  a: 1\n"
        );
        let file = DvcFile::read("f.dvc", &text).unwrap();
        let expected = text.replace(ONE, TWO).replace("size: 6", "size: 7");
        assert_eq!(file.with(0, &described(TWO, None, false)), expected);
        let expected = expected.replace("what it is\n", "what it is\n  isexec: true\n");
        assert_eq!(file.with(0, &described(TWO, None, true)), expected);
        let flow = format!("outs: [{{md5: {ONE}, path: f}}]");
        let file = DvcFile::read("f.dvc", &flow).unwrap();
        assert!(matches!(file.outputs[0].kind, Kind::Dvc2(_)));
        let expected = format!("outs: [{{md5: {TWO}, path: f, size: 7, hash: md5}}]");
        assert_eq!(file.with(0, &described(TWO, None, false)), expected);
    }

    #[test]
    fn what_is_wrong_is_told_in_one_pass() {
        let codes = |text: &str| {
            let errors = DvcFile::read("f.dvc", text).unwrap_err();
            errors.iter().map(|error| error.diagnostic().code).collect::<Vec<_>>()
        };
        assert_eq!(codes("<<<<<<< HEAD\nouts:\n"), ["versioned/conflict"]);
        assert_eq!(codes("outs: [\n"), ["versioned/syntax"]);
        assert_eq!(codes("outs:\n- pth: f\n"), ["versioned/unknown-key", "versioned/syntax"]);
        assert_eq!(codes("outs:\n- md5: x\n  path: f\n- path: g\n  size: many\n"), ["versioned/syntax"; 2]);
        assert_eq!(codes("hello"), ["versioned/syntax"]);
    }

    #[test]
    fn paths_stay_in_the_project() {
        let kind = |path: &str| {
            let text = format!("outs:\n- md5: {ONE}\n  hash: md5\n  path: {path}\n");
            let file = DvcFile::read("a/b/f.dvc", &text).unwrap();
            (file.outputs[0].path.clone(), file.outputs[0].kind == Kind::Data)
        };
        assert_eq!(kind("../c"), ("a/c".to_owned(), true));
        assert_eq!(kind("../../../c"), ("../../../c".to_owned(), false));
        assert_eq!(kind("/etc/passwd"), ("/etc/passwd".to_owned(), false));
    }

    #[test]
    fn a_lock_names_outputs_of_stages() {
        let text = format!(
            "schema: '2.0'\nstages:\n  one:\n    cmd: x\n    outs:\n    - path: o\n      hash: md5\n      \
             md5: {ONE}\n      size: 1\n"
        );
        let outputs = read_lock("p/dvc.lock", &text).unwrap();
        assert_eq!((outputs[0].path.as_str(), outputs[0].size), ("p/o", Some(1)));
        assert!(matches!(outputs[0].kind, Kind::Made(_)));
    }
}
