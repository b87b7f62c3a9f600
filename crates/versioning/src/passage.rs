//! Bytes on their way: read in groups or in pieces, digested, and written elsewhere where that is asked for.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{TrySendError, sync_channel};

use trainyard_files::{Io, Operation, WriteSync};

use crate::Error;
use crate::md5::{Hasher, Md5};

/// Files up to this length are read as a whole, and digested beside each other.
pub(crate) const SHORT: u64 = 4 << 20;
/// The most files, or bytes, of one group of them.
const TOGETHER: usize = 16;
const GROUP: u64 = 4 << 20;
/// How much of a longer one is read at once.
pub(crate) const PIECE: usize = 1 << 20;
/// How many pieces wait to be written.
const WAITING: usize = 8;
/// After so many pieces what was written is forced to the disk, while more is written.
const AHEAD: usize = 32;

/// Divides files that stand in a row, by their lengths: groups of short ones, and long ones each by itself.
pub(crate) fn groups(lengths: impl Iterator<Item = u64>) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0_u64;
    for (at, length) in lengths.enumerate() {
        bytes = bytes.saturating_add(length);
        match groups.last_mut() {
            Some(group) if bytes <= GROUP && group.len() < TOGETHER => group.end = at + 1,
            _ => {
                groups.push(at..at + 1);
                bytes = length;
            }
        }
    }
    groups
}

/// Reads a file into a buffer, from byte `start` of it on; the buffer grows where that is needed. Returns the end; none
/// where the file is shorter than it should be. What a longer one has more is not looked at.
///
/// # Errors
/// What the disk says when the file is opened, or read.
pub(crate) fn read_whole(
    io: &dyn Io,
    place: &Path,
    length: u64,
    (buffer, start): (&mut Vec<u8>, usize),
) -> Result<Option<usize>, Error> {
    let mut file = open(io, place)?;
    let Some(end) = usize::try_from(length).ok().and_then(|length| start.checked_add(length)) else { return Ok(None) };
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    match file.read_exact(&mut buffer[start..end]) {
        Ok(()) => Ok(Some(end)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(failed(Operation::Read, place, error)),
    }
}

/// Opens a file.
pub(crate) fn open(io: &dyn Io, place: &Path) -> Result<Box<dyn trainyard_files::ReadSeek>, Error> {
    io.open(place).map_err(|error| failed(Operation::Open, place, error))
}

/// Digests what a file gives, piece by piece; gives its length, too. Each piece's length is told.
pub(crate) fn digest_of(
    file: &mut dyn Read,
    place: &Path,
    piece: &mut [u8],
    mut told: impl FnMut(usize) -> Result<(), Error>,
) -> Result<(Md5, u64), Error> {
    let (mut hasher, mut length) = (Hasher::default(), 0);
    loop {
        match file.read(piece) {
            Ok(0) => return Ok((hasher.finish(), length)),
            Ok(read) => {
                hasher.update(&piece[..read]);
                length += read as u64;
                told(read)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(Operation::Read, place, error)),
        }
    }
}

/// Writes what a file gives to another while a second thread digests it, and a third forces it to the disk.
///
/// # Errors
/// What the disk says of either; what was written so far is left to the caller.
pub(crate) fn digest_and_write(
    file: &mut dyn Read,
    place: &Path,
    (to, path): (&mut dyn WriteSync, &Path),
    mut told: impl FnMut(usize) -> Result<(), Error>,
) -> Result<(Md5, u64), Error> {
    std::thread::scope(|scope| {
        let (full, pieces) = sync_channel::<(Vec<u8>, usize)>(WAITING);
        let (back, empty) = sync_channel::<Vec<u8>>(WAITING + 2);
        let hasher = scope.spawn(move || {
            let mut hasher = Hasher::default();
            for (piece, length) in pieces {
                hasher.update(&piece[..length]);
                // The reader may have ended.
                let _ = back.try_send(piece);
            }
            hasher.finish()
        });
        let ahead = to.sync_ahead().map(|mut sync| {
            let (written, more) = sync_channel::<()>(1);
            (written, scope.spawn(move || more.iter().try_for_each(|()| sync())))
        });
        let (mut length, mut number) = (0, 0);
        let mut pass = || loop {
            let mut piece = empty.try_recv().unwrap_or_else(|_| vec![0; PIECE]);
            let read = match file.read(&mut piece) {
                Ok(0) => return to.flush().map_err(|error| failed(Operation::Write, path, error)),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(Operation::Read, place, error)),
            };
            to.write_all(&piece[..read]).map_err(|error| failed(Operation::Write, path, error))?;
            // It takes all until the end.
            let _ = full.send((piece, read));
            length += read as u64;
            number += 1;
            if let Some((written, _)) = ahead.as_ref().filter(|_| number % AHEAD == 0) {
                // What waits already will take this with it; who has ended says why below.
                if let Err(TrySendError::Disconnected(())) = written.try_send(()) {
                    return Ok(());
                }
            }
            told(read)?;
        };
        let passed = pass();
        drop(full);
        let synced = ahead.map_or(Ok(Ok(())), |(written, thread)| {
            drop(written);
            thread.join()
        });
        let digested = hasher.join();
        passed?;
        let ended = |_| failed(Operation::Sync, path, io::Error::other("a thread ended"));
        synced.map_err(ended)?.map_err(|error| failed(Operation::Sync, path, error))?;
        Ok((digested.map_err(ended)?, length))
    })
}

fn failed(operation: Operation, place: &Path, error: io::Error) -> Error {
    trainyard_files::Error::io(operation, place, error).into()
}

#[cfg(test)]
mod tests {
    use super::{GROUP, groups};

    #[test]
    fn groups_hold_every_file_once_and_no_long_one_beside_others() {
        let lengths = [1, GROUP + 1, 2, 3, GROUP - 5, 1, 0].into_iter().chain([7; 40]);
        assert_eq!(groups(lengths), [0..1, 1..2, 2..5, 5..21, 21..37, 37..47]);
        assert_eq!(groups(std::iter::empty()), []);
    }
}
