//! From YAML's events to nodes, with bounds on everything that a text could blow up.

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use trainyard_diagnostics::{Place, Source};

use crate::error::Error;
use crate::tree::{Content, Node, Scalar};
use crate::{Located, Origin};

/// The longest text, and the most that anchors and aliases repeat of it, in bytes.
const LONGEST: usize = 4 << 20;
/// The most nodes of a text, those that anchors and aliases repeat included.
const MOST_NODES: usize = 100_000;
/// The deepest nesting.
const DEEPEST: usize = 64;

/// A collection whose end has not come yet.
struct Open {
    content: Content,
    /// The key that waits for its value.
    key: Option<Located<String>>,
    /// Every key so far, with the place of its entry.
    known: BTreeMap<String, usize>,
    start: usize,
    anchor: usize,
}

/// Reads one YAML document; an empty one is an empty mapping, and of two equal keys the first one counts.
///
/// Tells `errors` what is no YAML, about more than one document and duplicate keys, and of texts beyond the bounds; gives
/// nothing where reading stopped.
pub(crate) fn parse(source: &Arc<Source>, errors: &mut Vec<Error>) -> Option<Node> {
    if source.text.len() > LONGEST {
        errors.push(Error::TooLarge { place: Place::new(source.clone(), 0..0), limit: "4 MiB" });
        return None;
    }
    let mut reader = Reader {
        source,
        offsets: Offsets::new(&source.text),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        total: Extent::default(),
        documents: 0,
        root: None,
        errors: Vec::new(),
    };
    let mut stopped = false;
    for event in Parser::new_from_str(&source.text) {
        let outcome = match event {
            Ok((event, span)) => reader.event(event, span),
            Err(error) => Err(reader.syntax(error.marker().index(), error.info().to_owned())),
        };
        if let Err(error) = outcome {
            reader.errors.push(*error);
            stopped = true;
            break;
        }
    }
    errors.append(&mut reader.errors);
    if stopped {
        return None;
    }
    let empty = || Node::empty(Origin::File(Place::new(source.clone(), 0..0)));
    Some(reader.root.filter(|node| !node.is_null()).unwrap_or_else(empty))
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    offsets: Offsets<'a>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, Extent)>,
    /// All nodes so far, and the bytes that anchors and aliases repeat.
    total: Extent,
    documents: usize,
    root: Option<Node>,
    errors: Vec<Error>,
}

impl Reader<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        Place::new(self.source.clone(), start..end)
    }

    fn syntax(&self, character: usize, info: String) -> Box<Error> {
        let at = self.offsets.byte(character);
        let conflict = self.source.text.lines().any(|line| line.starts_with("<<<<<<< "));
        let bracket =
            |open: &&Open| self.source.text.get(open.start..).is_some_and(|text| text.starts_with(['{', '[']));
        let open = self.open.iter().rev().find(bracket).map(|open| self.place(open.start, open.start + 1));
        Box::new(Error::Syntax { place: self.place(at, at), info, conflict, open })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Error>> {
        let (start, end) = (self.offsets.byte(span.start.index()), self.offsets.byte(span.end.index()));
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                match self.documents {
                    1 => Ok(()),
                    _ => Err(Error::ManyDocuments { place: self.place(start, end) }.into()),
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // The parser leaves the head of a block scalar out, without which its lines cannot be read again.
                let before = self.source.text.get(..start).filter(|_| block);
                let place = self.place(before.and_then(|before| before.rfind(['|', '>'])).unwrap_or(start), end);
                let plain = match tag.as_deref() {
                    None => style == ScalarStyle::Plain,
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => false,
                    Some(tag) => return Err(unknown_tag(tag, place).into()),
                };
                let content = Content::Scalar(Scalar { text: text.into_owned(), plain });
                self.finish(Node { content, origin: Origin::File(place) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Content::Sequence(Vec::new()), start, anchor, tag.as_deref())
            }
            Event::MappingStart(anchor, tag) => self.begin(Content::Mapping(Vec::new()), start, anchor, tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { content, start, anchor, .. }) => {
                    self.finish(Node { content, origin: Origin::File(self.place(start, end.max(start))) }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, extent)) => {
                    self.total.add(*extent);
                    self.total.check(|| self.place(start, end))?;
                    let node = node.clone();
                    self.finish(node, 0)
                }
                // An alias inside the collection that it names would never end.
                None => Err(self.syntax(span.start.index(), "this alias is part of what it repeats".to_owned())),
            },
        }
    }

    fn begin(&mut self, content: Content, start: usize, anchor: usize, tag: Option<&Tag>) -> Result<(), Box<Error>> {
        if let Some(tag) = tag {
            return Err(unknown_tag(tag, self.place(start, start)).into());
        }
        if let Some(Open { content: Content::Mapping(_), key: None, .. }) = self.open.last() {
            return Err(Error::KeyNotText { place: self.place(start, start + 1) }.into());
        }
        if self.open.len() >= DEEPEST {
            return Err(Error::TooLarge { place: self.place(start, start + 1), limit: "64 levels" }.into());
        }
        self.open.push(Open { content, key: None, known: BTreeMap::new(), start, anchor });
        Ok(())
    }

    /// Puts a whole node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Box<Error>> {
        let kept = (anchor != 0).then(|| Extent::of(&node));
        self.total.add(Extent { nodes: 1, bytes: 0 });
        self.total.add(kept.unwrap_or_default());
        self.total.check(|| node.origin.place().unwrap_or_else(|| self.place(0, 0)))?;
        if let Some(extent) = kept {
            self.anchors.insert(anchor, (node.clone(), extent));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping(entries) => match open.key.take() {
                Some(key) => match open.known.get(&key.value).and_then(|at| entries.get(*at)) {
                    Some((first, _)) => self.errors.push(Error::DuplicateKey { first: first.origin.clone(), key }),
                    None => {
                        open.known.insert(key.value.clone(), entries.len());
                        entries.push((key, node));
                    }
                },
                None => match node.content {
                    Content::Scalar(scalar) => open.key = Some(Located::new(scalar.text, node.origin)),
                    Content::Sequence(_) | Content::Mapping(_) => {
                        let place = node.origin.place().unwrap_or_else(|| Place::new(self.source.clone(), 0..0));
                        return Err(Error::KeyNotText { place }.into());
                    }
                },
            },
            Content::Scalar(_) => {}
        }
        Ok(())
    }
}

fn unknown_tag(tag: &Tag, place: Place) -> Error {
    Error::Tag { place, tag: tag.to_string() }
}

/// What a copy of a node takes.
#[derive(Clone, Copy, Default)]
struct Extent {
    nodes: usize,
    bytes: usize,
}

impl Extent {
    fn of(node: &Node) -> Extent {
        let mut extent = Extent { nodes: 1, bytes: 0 };
        match &node.content {
            Content::Scalar(scalar) => extent.bytes = scalar.text.len(),
            Content::Sequence(items) => items.iter().for_each(|item| extent.add(Extent::of(item))),
            Content::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                extent.add(Extent { nodes: 1, bytes: key.value.len() });
                extent.add(Extent::of(value));
            }),
        }
        extent
    }

    fn add(&mut self, other: Extent) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }

    /// Refuses what is beyond the bounds, which are reached at `place`.
    fn check(self, place: impl Fn() -> Place) -> Result<(), Box<Error>> {
        let limit = match self {
            Extent { nodes, .. } if nodes > MOST_NODES => "100,000 values",
            Extent { bytes, .. } if bytes > LONGEST => "4 MiB of repeated text",
            _ => return Ok(()),
        };
        Err(Error::TooLarge { place: place(), limit }.into())
    }
}

/// Turns the parser's offsets, which count characters, into bytes.
struct Offsets<'a> {
    text: &'a str,
    /// The byte of every 64th character; empty for ASCII, where characters are bytes.
    marks: Vec<usize>,
}

impl<'a> Offsets<'a> {
    const STEP: usize = 64;

    fn new(text: &'a str) -> Offsets<'a> {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(Offsets::STEP).map(|(byte, _)| byte).collect()
        };
        Offsets { text, marks }
    }

    fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(mark) = self.marks.get(character / Offsets::STEP) else { return self.text.len() };
        let rest = self.text.get(*mark..).unwrap_or_default();
        rest.char_indices().nth(character % Offsets::STEP).map_or(self.text.len(), |(byte, _)| mark + byte)
    }
}
