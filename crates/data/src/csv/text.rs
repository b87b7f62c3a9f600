//! The text of a file, from behind the byte order mark.

use std::io::{self, Read, SeekFrom};

use trainyard_files::ReadSeek;

use super::BUFFER;

/// Opens a file at its beginning; more than once, since only an error needs its lines.
pub(crate) type Open<'a> = dyn Fn() -> io::Result<Box<dyn ReadSeek + 'a>> + 'a;

const MARK: &[u8] = b"\xef\xbb\xbf";

pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// Opens a file at a byte counted from behind the mark.
pub(super) fn open_at<'a>(open: &Open<'a>, at: u64) -> io::Result<Box<dyn ReadSeek + 'a>> {
    let mut file = open()?;
    let mut first = Vec::new();
    file.by_ref().take(MARK.len() as u64).read_to_end(&mut first)?;
    let mark = first.len() - without_mark(&first).len();
    file.seek(SeekFrom::Start(mark as u64 + at))?;
    Ok(file)
}

/// Counts the line ends before a byte that is counted from behind the mark.
pub(super) fn line_ends(open: &Open<'_>, before: u64) -> io::Result<usize> {
    let mut text = open_at(open, 0)?.take(before);
    let (mut buffer, mut ends) = (vec![0; BUFFER], 0);
    loop {
        match text.read(&mut buffer)? {
            0 => return Ok(ends),
            read => ends += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}
