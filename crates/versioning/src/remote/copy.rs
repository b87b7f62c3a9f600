//! Objects from one folder to another; each is digested on its way.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use trainyard_files::{Io, Operation, WriteSync};

use super::exchange::{End, Ends, Tally};
use crate::cache::{Cache, Incoming};
use crate::md5::{Hasher, Md5, ObjectId};
use crate::{Error, Errors};

/// How much is read at once.
const PIECE: usize = 1 << 20;
/// So many objects, or bytes, become visible together: what a death of the process makes undone.
const BATCH: usize = 2048;
const BATCH_BYTES: u64 = 256 << 20;

/// Says which objects a folder holds, each with its length.
pub(super) fn held(folder: &Cache, ids: &[ObjectId]) -> BTreeMap<ObjectId, u64> {
    let one = |id: &ObjectId| Some((*id, folder.size(id)?));
    let found: Vec<(ObjectId, u64)> = ids.par_iter().with_min_len(256).filter_map(one).collect();
    found.into_iter().collect()
}

/// Copies objects. What arrived before a failure is kept.
pub(super) fn copy(from: &Cache, to: &Cache, ids: &[ObjectId], tally: &Tally<'_>) -> Result<Ends, Errors> {
    let mut all = Ends::default();
    if ids.is_empty() {
        return Ok(all);
    }
    to.sweep()?;
    let copier = Copier { io: from.io(), from, clones: AtomicBool::new(true) };
    let mut rest = ids;
    while !rest.is_empty() {
        let incoming = to.incoming()?;
        let (mut count, mut bytes) = (0, 0);
        for id in rest.iter().take(BATCH) {
            bytes += from.size(id).unwrap_or(0);
            count += 1;
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        let (batch, later) = rest.split_at(count);
        rest = later;
        let failed = AtomicBool::new(false);
        let one = |piece: &mut Vec<u8>, id: &ObjectId| {
            if failed.load(Ordering::Relaxed) {
                return None;
            }
            let end = copier.one(&incoming, *id, piece, tally).and_then(|end| tally.object().map(|()| end));
            failed.fetch_or(end.is_err(), Ordering::Relaxed);
            Some((*id, end))
        };
        let ends: Vec<_> = batch.par_iter().with_max_len(64).map_init(|| vec![0; PIECE], one).collect();
        incoming.finish()?;
        let mut errors = Errors::new();
        for (id, end) in ends.into_iter().flatten() {
            match end {
                Ok(end) => all.note(id, end),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            errors.truncate(1);
            return Err(errors);
        }
    }
    Ok(all)
}

struct Copier<'a> {
    io: &'a dyn Io,
    from: &'a Cache,
    /// Whether the file system may share blocks, as far as was found out.
    clones: AtomicBool,
}

impl Copier<'_> {
    fn one(&self, incoming: &Incoming, id: ObjectId, piece: &mut [u8], tally: &Tally<'_>) -> Result<End, Error> {
        let source = self.from.path(&id);
        if self.clones.load(Ordering::Relaxed) {
            let path = incoming.path();
            match self.io.clone_file(&source, &path) {
                Ok(()) => {
                    let read = self.read(&path, piece, tally, None);
                    return self.end(incoming, &path, id, read, None);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(End::Absent),
                Err(_) => self.clones.store(false, Ordering::Relaxed),
            }
        }
        if !self.from.contains(&id) {
            return Ok(End::Absent);
        }
        let (path, mut file) = incoming.create()?;
        let read = self.read(&source, piece, tally, Some((&path, &mut *file)));
        self.end(incoming, &path, id, read, Some(file))
    }

    fn end(
        &self,
        incoming: &Incoming,
        path: &Path,
        id: ObjectId,
        read: Result<(Md5, u64), Error>,
        file: Option<Box<dyn WriteSync>>,
    ) -> Result<End, Error> {
        match read {
            Ok((md5, length)) if md5 == id.md5 => {
                incoming.accept(path.to_path_buf(), id, file)?;
                Ok(End::Whole(length))
            }
            other => {
                incoming.discard(path);
                other.map(|_| End::Wrong)
            }
        }
    }

    /// Digests a file, and writes what is read elsewhere where that is asked for.
    fn read(
        &self,
        source: &Path,
        piece: &mut [u8],
        tally: &Tally<'_>,
        mut to: Option<(&Path, &mut dyn WriteSync)>,
    ) -> Result<(Md5, u64), Error> {
        let failed = trainyard_files::Error::io;
        let mut file = self.io.open(source).map_err(|error| failed(Operation::Open, source, error))?;
        let (mut hasher, mut length) = (Hasher::default(), 0);
        loop {
            let read = match file.read(piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(Operation::Read, source, error).into()),
            };
            let bytes = piece.get(..read).unwrap_or_default();
            if let Some((path, to)) = &mut to {
                to.write_all(bytes).map_err(|error| failed(Operation::Write, path, error))?;
            }
            hasher.update(bytes);
            length += read as u64;
            tally.bytes(read)?;
        }
        if let Some((path, to)) = &mut to {
            to.flush().map_err(|error| failed(Operation::Write, path, error))?;
        }
        Ok((hasher.finish(), length))
    }
}
