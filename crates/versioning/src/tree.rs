//! The files of a folder: in memory, and as the `.dir` object that DVC keeps of them.

use std::cmp::Ordering;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::md5::{Hasher, Md5, ObjectId};

/// Holds names and digests of a folder's files, in the order of their names; one text holds all names, so that a
/// million
/// files take little memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    names: String,
    files: Vec<File>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
    start: usize,
    length: u32,
    md5: Md5,
}

/// Counts from 0 until a file's digest is known.
const UNKNOWN: Md5 = Md5::from_bytes([0; 16]);

impl Tree {
    /// Returns how many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the path of a file below the folder, with `/` between its parts.
    pub fn name(&self, at: usize) -> &str {
        let file = &self.files[at];
        &self.names[file.start..file.start + file.length as usize]
    }

    /// Returns a file's digest.
    pub fn md5(&self, at: usize) -> Md5 {
        self.files[at].md5
    }

    /// Returns all files in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Md5)> {
        (0..self.len()).map(|at| (self.name(at), self.md5(at)))
    }

    /// Returns the place of a file.
    pub fn find(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Adds a file behind all others, whose digest comes later.
    pub(crate) fn push(&mut self, name: &str) {
        self.push_known(name, UNKNOWN);
    }

    pub(crate) fn push_known(&mut self, name: &str, md5: Md5) {
        let start = self.names.len();
        self.names.push_str(name);
        // A path of the file system has 4,096 bytes at most.
        self.files.push(File { start, length: u32::try_from(name.len()).unwrap_or(u32::MAX), md5 });
    }

    pub(crate) fn set_md5(&mut self, at: usize, md5: Md5) {
        self.files[at].md5 = md5;
    }

    /// Puts the files into the order of their names; returns a name that occurs twice.
    fn sort(&mut self) -> Option<String> {
        let Self { names, files } = self;
        let name = |file: &File| &names[file.start..file.start + file.length as usize];
        files.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        files.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])).map(|pair| name(&pair[0]).to_owned())
    }

    /// Returns the name of the `.dir` object.
    pub fn id(&self) -> ObjectId {
        let mut hasher = Hasher::default();
        self.write(|bytes| hasher.update(bytes));
        ObjectId { md5: hasher.finish(), is_folder: true }
    }

    /// Gives the bytes of the `.dir` object, piece by piece.
    pub fn write(&self, mut take: impl FnMut(&[u8])) {
        const PIECE: usize = 64 << 10;
        let mut piece = Vec::with_capacity(PIECE + (8 << 10));
        piece.push(b'[');
        for (at, (name, md5)) in self.iter().enumerate() {
            piece.extend_from_slice(if at == 0 { b"{\"md5\": \"" } else { b", {\"md5\": \"" });
            piece.extend_from_slice(&md5.digits());
            piece.extend_from_slice(b"\", \"relpath\": \"");
            escape(name, &mut piece);
            piece.extend_from_slice(b"\"}");
            if piece.len() > PIECE {
                take(&piece);
                piece.clear();
            }
        }
        piece.push(b']');
        take(&piece);
    }

    /// Reads a `.dir` object. Every name is one below the folder, none twice, and no file lies where a folder does.
    pub fn read(bytes: impl Read) -> Result<Self, BadTree> {
        let mut tree = Self::default();
        let mut parser = serde_json::Deserializer::from_reader(bytes);
        let read = Fill(&mut tree).deserialize(&mut parser).and_then(|()| parser.end());
        read.map_err(|error| BadTree::Syntax(error.to_string()))?;
        if let Some((name, _)) = tree.iter().find(|(name, _)| !is_below(name)) {
            return Err(BadTree::Name(name.to_owned()));
        }
        if let Some(name) = tree.sort() {
            return Err(BadTree::Twice(name));
        }
        if let Some(name) = tree.file_as_folder() {
            return Err(BadTree::Twice(name));
        }
        Ok(tree)
    }

    /// Finds a file below which there are others.
    fn file_as_folder(&self) -> Option<String> {
        // Names that go on with a sign before `/` stand between a folder's name and what is in it.
        let mut above = self.iter().flat_map(|(name, _)| name.match_indices('/').map(|(end, _)| &name[..end]));
        above.find(|above| self.find(above).is_some()).map(str::to_owned)
    }
}

/// Says why a `.dir` object can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTree {
    /// It is not the JSON that it should be.
    Syntax(String),
    /// A name leads out of the folder, or is none.
    Name(String),
    /// A name occurs twice, or as a file and as a folder.
    Twice(String),
}

impl fmt::Display for BadTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "it is no list of files: {error}"),
            Self::Name(name) => write!(f, "it names {name:?}, which does not lie in the folder"),
            Self::Twice(name) => write!(f, "it names {name:?} twice, or as a file and as a folder"),
        }
    }
}

/// Says whether a name is a path that can only lie below the folder that it is joined to.
pub(crate) fn is_below(name: &str) -> bool {
    !name.contains('\0') && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Writes a text as Python's `json.dumps` does, without the quotes.
fn escape(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            ' '..='~' => out.push(c as u8),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
}

/// Fills a tree while its list is read, so that the text is never held as a whole.
struct Fill<'a>(&'a mut Tree);

#[derive(Deserialize)]
struct Entry {
    md5: String,
    relpath: String,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files with md5 and relpath")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Entry>()? {
            let md5 = Md5::parse(&entry.md5).ok_or_else(|| serde::de::Error::custom("an md5 is not 32 digits"))?;
            self.0.push_known(&entry.relpath, md5);
        }
        Ok(())
    }
}

/// Names what differs between two folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that only the new one has.
    pub added: Vec<String>,
    /// Files of other bytes.
    pub modified: Vec<String>,
    /// Files that only the old one has.
    pub deleted: Vec<String>,
}

impl Changes {
    /// Compares two folders file by file.
    pub fn between(old: &Tree, new: &Tree) -> Self {
        let mut changes = Self::default();
        let (mut left, mut right) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            let gone = if order.is_le() { left.next() } else { None };
            let come = if order.is_ge() { right.next() } else { None };
            match (gone, come) {
                (Some((name, before)), Some((_, after))) if before != after => changes.modified.push(name.to_owned()),
                (Some((name, _)), None) => changes.deleted.push(name.to_owned()),
                (None, Some((name, _))) => changes.added.push(name.to_owned()),
                _ => {}
            }
        }
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{BadTree, Changes, Md5, Tree};

    fn text(tree: &Tree) -> String {
        let mut text = Vec::new();
        tree.write(|piece| text.extend_from_slice(piece));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_tree_is_written_as_python_writes_it() {
        let mut tree = Tree::default();
        assert_eq!((text(&tree), tree.id().to_string()), ("[]".into(), "d751713988987e9331980363e24189ce.dir".into()));
        for name in ["a\"\\\n\u{1}\u{7f}", "ü𝄞"] {
            tree.push_known(name, Md5::of(b""));
        }
        let digest = "d41d8cd98f00b204e9800998ecf8427e";
        let names = ["a\\\"\\\\\\n\\u0001\\u007f", "\\u00fc\\ud834\\udd1e"];
        let entries = names.map(|name| format!("{{\"md5\": \"{digest}\", \"relpath\": \"{name}\"}}"));
        assert_eq!(text(&tree), format!("[{}]", entries.join(", ")));
        assert_eq!(Tree::read(text(&tree).as_bytes()).unwrap(), tree);
    }

    #[test]
    fn a_list_that_leads_out_of_the_folder_is_refused() {
        let list = |names: &[&str]| {
            let digest = Md5::of(b"");
            let entry = |name: &&str| serde_json::json!({ "md5": digest.to_string(), "relpath": name });
            Tree::read(serde_json::Value::from_iter(names.iter().map(entry)).to_string().as_bytes())
        };
        for name in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", ".", "a/", "a\0b"] {
            assert_eq!(list(&[name]), Err(BadTree::Name(name.into())), "{name}");
        }
        assert_eq!(list(&["b", "a", "b"]), Err(BadTree::Twice("b".into())));
        assert_eq!(list(&["a", "a-b", "a/c"]), Err(BadTree::Twice("a".into())));
        assert_eq!(list(&["..a", "a b/..c"]).unwrap().len(), 2);
        for text in ["", "{}", "[1]", r#"[{"md5": "x", "relpath": "a"}]"#, "[] []"] {
            assert!(matches!(Tree::read(text.as_bytes()), Err(BadTree::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn changes_are_found_in_one_pass() {
        let tree = |files: &[(&str, &str)]| {
            let mut tree = Tree::default();
            files.iter().for_each(|(name, bytes)| tree.push_known(name, Md5::of(bytes.as_bytes())));
            tree
        };
        let old = tree(&[("a", "1"), ("b", "1"), ("d", "1")]);
        let new = tree(&[("b", "2"), ("c", "1"), ("d", "1")]);
        let changes = Changes::between(&old, &new);
        assert_eq!((changes.added, changes.modified), (vec!["c".to_owned()], vec!["b".to_owned()]));
        assert_eq!(changes.deleted, ["a"]);
        assert!(Changes::between(&new, &new).is_empty());
        assert_eq!((old.find("b"), old.find("bb"), old.find("")), (Some(1), None, None));
    }
}
