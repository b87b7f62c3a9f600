//! The text of a file as a stream.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering};

use trainyard_files::ReadSeek;

/// Opens a file at its beginning; more than once, since only an error needs its lines.
pub(crate) type Open<'a> = dyn Fn() -> io::Result<Box<dyn ReadSeek + 'a>> + 'a;

/// Passes bytes on for as long as they are UTF-8 without zeros, from behind the byte order mark.
pub(super) struct Text<'a> {
    file: Box<dyn ReadSeek + 'a>,
    /// The beginning of a letter whose end was not read yet.
    cut: Vec<u8>,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

impl<'a> Text<'a> {
    pub(super) fn open(open: &Open<'a>) -> io::Result<Text<'a>> {
        Text::open_at(open, 0)
    }

    /// Opens a file at a byte counted from behind the mark.
    pub(super) fn open_at(open: &Open<'a>, at: u64) -> io::Result<Text<'a>> {
        let mut file = open()?;
        let mut first = Vec::new();
        file.by_ref().take(MARK.len() as u64).read_to_end(&mut first)?;
        let mark = first.len() - without_mark(&first).len();
        file.seek(SeekFrom::Start(mark as u64 + at))?;
        Ok(Text { file, cut: Vec::new() })
    }

    /// Says whether the text so far can still be that of a table.
    fn goes_on(&mut self, mut read: &[u8]) -> bool {
        if read.is_empty() {
            return self.cut.is_empty();
        }
        while !self.cut.is_empty() {
            let Some((byte, rest)) = read.split_first() else { return true };
            self.cut.push(*byte);
            read = rest;
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(read) {
            Err(error) if error.error_len().is_some() => return false,
            Err(error) => self.cut.extend_from_slice(&read[error.valid_up_to()..]),
            Ok(_) => {}
        }
        !read.contains(&0)
    }
}

/// Knows how many more bytes may be read before the row ends. Blank lines before it count as well.
pub(super) struct Ration {
    whole: usize,
    left: AtomicUsize,
}

impl Ration {
    pub(super) fn new(whole: usize) -> Ration {
        Ration { whole, left: AtomicUsize::new(whole) }
    }

    /// Lets a row begin.
    pub(super) fn renew(&self) {
        self.left.store(self.whole, Ordering::Relaxed);
    }

    /// Reads `text` as long as there is something left; then fails with [`ErrorKind::FileTooLarge`].
    pub(super) fn limit<R: Read>(&self, text: R) -> impl Read + use<'_, R> {
        Limited { text, ration: self }
    }
}

struct Limited<'a, R> {
    text: R,
    ration: &'a Ration,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.ration.left.load(Ordering::Relaxed);
        let read = self.text.read(buffer)?;
        if left == 0 && read > 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.ration.left.store(left.saturating_sub(read), Ordering::Relaxed);
        Ok(read)
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        if !buffer.is_empty() && !self.goes_on(&buffer[..length]) {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(length)
    }
}
