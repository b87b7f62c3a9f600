//! The digests that DVC names data by.

use std::fmt::{self, Write};

use md5::{Digest, Md5 as Engine};

pub(crate) use lanes::digest_all;

mod lanes;

/// Is the md5 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5([u8; 16]);

impl Md5 {
    /// Digests bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Engine::digest(bytes).into())
    }

    /// Takes the sixteen bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the sixteen bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 hexadecimal digits; capitals are no digits of DVC's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Returns the 32 digits as ASCII.
    pub fn digits(&self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|digit| f.write_char(char::from(*digit)))
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Digests bytes that come in pieces.
#[derive(Clone, Default)]
pub struct Hasher(Engine);

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    pub fn finish(self) -> Md5 {
        Md5(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// Names an object of the cache: a file's bytes, or the list of a folder's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The digest of its bytes.
    pub md5: Md5,
    /// Whether it is a folder's list; its name ends with `.dir` then.
    pub is_folder: bool,
}

impl ObjectId {
    /// Names a file's bytes.
    pub const fn file(md5: Md5) -> Self {
        Self { md5, is_folder: false }
    }

    /// Reads a name as DVC's files have it.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, is_folder) = match text.strip_suffix(".dir") {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        Md5::parse(digits).map(|md5| Self { md5, is_folder })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.md5, if self.is_folder { ".dir" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Hasher, Md5, ObjectId};

    #[test]
    fn digests_are_those_of_rfc_1321() {
        for (text, digest) in
            [("", "d41d8cd98f00b204e9800998ecf8427e"), ("message digest", "f96b697d7cb7938d525a2f31aaf161d0")]
        {
            let md5 = Md5::of(text.as_bytes());
            assert_eq!(md5.to_string(), digest);
            assert_eq!(Md5::parse(digest), Some(md5));
            let mut hasher = Hasher::default();
            text.bytes().for_each(|byte| hasher.update(&[byte]));
            assert_eq!(hasher.finish(), md5);
            let folder = format!("{digest}.dir");
            assert_eq!(ObjectId::parse(&folder).unwrap().to_string(), folder);
        }
        for text in ["", "D41D8CD98F00B204E9800998ECF8427E", "d41d", "g41d8cd98f00b204e9800998ecf8427e"] {
            assert_eq!(Md5::parse(text), None);
        }
    }
}
