//! Writing past the memory in which the system keeps files.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};

use crate::WriteSync;

/// What memory, places and lengths are multiples of: a page. Few disks have larger blocks.
const BLOCK: usize = 4096;
/// How much is written at once.
const PIECE: usize = 4 << 20;

/// Writes a new file straight to the disk, piece by piece; the end of it when it is flushed, once.
pub(crate) struct Unbuffered {
    file: File,
    /// Holds the piece from `start` on, which is where a block of memory begins.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    /// The bytes of the whole pieces before.
    written: u64,
    /// Whether a piece could not be written: nobody knows what of it was, and nothing more is.
    is_broken: bool,
}

impl Unbuffered {
    /// Creates a file with these permission bits that did not exist; none where the file system can't do without
    /// memory.
    pub(crate) fn create(path: &Path, mode: u32) -> io::Result<Option<Self>> {
        let direct = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).custom_flags(direct).open(path);
        match opened {
            Ok(file) => {
                let memory = vec![0; PIECE + BLOCK];
                let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
                Ok(Some(Self { file, memory, start, filled: 0, written: 0, is_broken: false }))
            }
            // Some make the file before they say so.
            Err(error) if is_refusal(&error) => match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(None),
            },
            Err(error) => Err(error),
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes whole blocks from the beginning of the piece.
    fn put(&mut self, length: usize) -> io::Result<()> {
        self.is_broken = true;
        let (mut at, end) = (self.start, self.start + length);
        let mut through_memory = false;
        while at < end {
            match self.file.write(&self.memory[at..end]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => at += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A disk of larger blocks, or a piece that was broken off: then through the system's memory.
                Err(error) if is_refusal(&error) && !through_memory => {
                    fcntl_setfl(&self.file, OFlags::empty())?;
                    through_memory = true;
                }
                Err(error) => return Err(error),
            }
        }
        self.is_broken = false;
        Ok(())
    }

    /// Refuses to go on after a failure.
    fn is_whole(&self) -> io::Result<()> {
        if self.is_broken { Err(io::Error::other("what came before was not written")) } else { Ok(()) }
    }
}

/// Says whether an error tells that the file system, or the disk, can't do it in this way.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_whole()?;
        if self.memory.is_empty() {
            return Err(io::Error::other("nothing more is written to the file"));
        }
        let taken = bytes.len().min(PIECE - self.filled);
        let at = self.start + self.filled;
        self.memory[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == PIECE {
            self.put(PIECE)?;
            self.filled = 0;
            self.written += PIECE as u64;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.is_whole()?;
        if self.filled > 0 {
            // The last block is filled up, and what is too much taken away again.
            let whole = self.filled.next_multiple_of(BLOCK);
            self.memory[self.start + self.filled..self.start + whole].fill(0);
            self.put(whole)?;
            self.file.set_len(self.written + self.filled as u64)?;
            self.filled = 0;
        }
        // The file may stay open for long.
        self.memory = Vec::new();
        Ok(())
    }
}

impl WriteSync for Unbuffered {
    fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::{BLOCK, PIECE, Unbuffered};
    use crate::WriteSync;

    #[test]
    fn nothing_follows_a_piece_that_was_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let Some(mut file) = Unbuffered::create(&path, 0o644).unwrap() else { return };
        // A file that was opened to be read takes nothing.
        file.file = std::fs::File::open(&path).unwrap();
        assert!(file.write_all(&vec![1; PIECE]).is_err());
        assert!(file.write(b"more").is_err() && file.flush().is_err() && file.sync().is_err());
        assert_eq!(path.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_file_has_the_bytes_that_were_written_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..2 * PIECE + 12_345).map(|at| (at * 7 + at / 251) as u8).collect();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, bytes.len()] {
            let path = folder.path().join(length.to_string());
            let Some(mut file) = Unbuffered::create(&path, 0o444).unwrap() else {
                eprintln!("skipped: the file system of {} always goes through memory", path.display());
                return;
            };
            bytes[..length].chunks(70_001).for_each(|piece| file.write_all(piece).unwrap());
            file.flush().unwrap();
            file.sync().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes[..length], "{length}");
            assert!(file.write(b"more").is_err());
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777 & !0o444, 0);
        }
        let path = folder.path().join("0");
        assert_eq!(Unbuffered::create(&path, 0o444).map(drop).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    }
}
