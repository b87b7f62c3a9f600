//! Objects from one folder to another; each is digested on its way.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use trainyard_files::WriteSync;

use super::exchange::{End, Ends, Tally};
use crate::cache::{Cache, Incoming, batches, take_in_batches};
use crate::md5::{Md5, ObjectId, digest_all};
use crate::passage::{PIECE, SHORT, digest_and_write, digest_of, groups, open, read_whole};
use crate::{Error, Errors};

/// Says which objects a folder holds, each with its length.
pub(super) fn held(folder: &Cache, ids: &[ObjectId]) -> BTreeMap<ObjectId, u64> {
    let one = |id: &ObjectId| Some((*id, folder.size(id)?));
    let found: Vec<(ObjectId, u64)> = ids.par_iter().with_min_len(256).filter_map(one).collect();
    found.into_iter().collect()
}

/// Copies objects. What arrived before a failure is kept.
pub(super) fn copy(
    from: &Cache,
    to: &Cache,
    ids: &[ObjectId],
    is_read_soon: bool,
    tally: &Tally<'_>,
) -> Result<Ends, Errors> {
    let mut all = Ends::default();
    if ids.is_empty() {
        return Ok(all);
    }
    to.sweep()?;
    let copier = Copier { from, tally, is_read_soon, clones: AtomicBool::new(true), failed: AtomicBool::new(false) };
    let sized: Vec<(ObjectId, Option<u64>)> = ids.par_iter().with_min_len(256).map(|id| (*id, from.size(id))).collect();
    let mut failure = None;
    let parts = batches(&sized, |(_, size)| size.unwrap_or(0));
    take_in_batches(to, parts, |batch, incoming| {
        let groups = groups(batch.iter().map(|(_, size)| size.unwrap_or(0)));
        let one = |buffer: &mut Vec<u8>, group: &Range<usize>| copier.group(incoming, &batch[group.clone()], buffer);
        let ends: Vec<_> = groups.par_iter().with_max_len(4).map_init(Vec::new, one).collect();
        for (id, end) in ends.into_iter().flatten() {
            match end {
                Ok(end) => all.note(id, end),
                Err(error) => failure = failure.take().or(Some(error)),
            }
        }
        Ok(if failure.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    failure.map_or(Ok(all), |error| Err(error.into()))
}

struct Copier<'a> {
    from: &'a Cache,
    tally: &'a Tally<'a>,
    /// Whether somebody is about to read what is copied.
    is_read_soon: bool,
    /// Whether the file system may share blocks, as far as was found out.
    clones: AtomicBool,
    failed: AtomicBool,
}

type Ended = (ObjectId, Result<End, Error>);

impl Copier<'_> {
    /// Copies some objects: short ones together.
    fn group(&self, incoming: &Incoming, sized: &[(ObjectId, Option<u64>)], buffer: &mut Vec<u8>) -> Vec<Ended> {
        let mut ends = Vec::with_capacity(sized.len());
        let mut end = |id, found: Result<End, Error>| {
            let found = found.and_then(|end| self.tally.object().map(|()| end));
            self.failed.fetch_or(found.is_err(), Ordering::Relaxed);
            ends.push((id, found));
        };
        let mut read: Vec<(ObjectId, Range<usize>)> = Vec::with_capacity(sized.len());
        for (id, size) in sized {
            if self.failed.load(Ordering::Relaxed) {
                break;
            }
            let Some(size) = *size else {
                end(*id, Ok(End::Absent));
                continue;
            };
            if size > SHORT || self.clones.load(Ordering::Relaxed) {
                match self.alone(incoming, *id, size) {
                    Ok(None) => {}
                    Ok(Some(found)) => {
                        end(*id, Ok(found));
                        continue;
                    }
                    Err(error) => {
                        end(*id, Err(error));
                        continue;
                    }
                }
            }
            let start = read.last().map_or(0, |(_, bytes)| bytes.end);
            match read_whole(self.from.io(), &self.from.path(id), size, (buffer, start)) {
                Ok(Some(end)) => read.push((*id, start..end)),
                // Somebody is writing it.
                Ok(None) => end(*id, Ok(End::Wrong)),
                Err(error) => end(*id, Err(error)),
            }
        }
        let texts: Vec<&[u8]> = read.iter().map(|(_, bytes)| &buffer[bytes.clone()]).collect();
        for (((id, _), bytes), md5) in read.iter().zip(&texts).zip(digest_all(&texts)) {
            let written = match md5 == id.md5 {
                true => incoming.write(*id, |to| to.write_all(bytes)).map(|()| End::Whole(bytes.len() as u64)),
                false => Ok(End::Wrong),
            };
            end(*id, written.and_then(|end| self.tally.bytes(bytes.len()).map(|()| end)));
        }
        ends
    }

    /// Copies one object by sharing its blocks, or piece by piece when it is long; none where it is short, and no blocks
    /// are shared.
    fn alone(&self, incoming: &Incoming, id: ObjectId, size: u64) -> Result<Option<End>, Error> {
        let io = self.from.io();
        let source = self.from.path(&id);
        let told = |read| self.tally.bytes(read);
        if self.clones.load(Ordering::Relaxed) {
            let path = incoming.path();
            match io.clone_file(&source, &path) {
                Ok(()) => {
                    let found =
                        open(io, &path).and_then(|mut file| digest_of(&mut *file, &path, &mut vec![0; PIECE], told));
                    return Self::end(incoming, id, path, found, None).map(Some);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(End::Absent)),
                Err(_) => self.clones.store(false, Ordering::Relaxed),
            }
        }
        if size <= SHORT {
            return Ok(None);
        }
        let mut from = open(io, &source)?;
        let (path, mut file) = if self.is_read_soon { incoming.create()? } else { incoming.create_long()? };
        let found = digest_and_write(&mut *from, &source, (&mut *file, &path), told);
        Self::end(incoming, id, path, found, Some(file)).map(Some)
    }

    fn end(
        incoming: &Incoming,
        id: ObjectId,
        path: PathBuf,
        found: Result<(Md5, u64), Error>,
        file: Option<Box<dyn WriteSync>>,
    ) -> Result<End, Error> {
        match found {
            Ok((md5, length)) if md5 == id.md5 => {
                incoming.accept(path, id, file)?;
                Ok(End::Whole(length))
            }
            other => {
                incoming.discard(&path);
                other.map(|_| End::Wrong)
            }
        }
    }
}
