//! What happens to objects on their way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Problem;
use crate::Error;
use crate::md5::ObjectId;

/// Tells how far things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Objects that are through.
    pub objects: usize,
    /// Of how many.
    pub of: usize,
    /// The bytes that were moved or looked at.
    pub bytes: u64,
}

/// Is told how far things are, and says whether to go on.
pub type Watch<'a> = &'a (dyn Fn(Progress) -> bool + Sync);

/// Tells what went to a remote, or came from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The remote's name.
    pub remote: String,
    /// Its address, without what lets somebody in.
    pub url: String,
    /// How many objects were moved.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many were there already.
    pub present: usize,
}

/// Counts what is through, from any thread.
pub(crate) struct Tally<'a> {
    of: usize,
    objects: AtomicUsize,
    bytes: AtomicU64,
    watch: Watch<'a>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(of: usize, watch: Watch<'a>) -> Self {
        Self { of, objects: AtomicUsize::new(0), bytes: AtomicU64::new(0), watch }
    }

    /// Begins to count anew, for whoever watches this.
    pub(crate) fn anew(&self, of: usize) -> Self {
        Self::new(of, self.watch)
    }

    /// Notes bytes.
    pub(crate) fn bytes(&self, bytes: usize) -> Result<(), Error> {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell()
    }

    /// Notes an object, whatever became of it.
    pub(crate) fn object(&self) -> Result<(), Error> {
        self.objects(1)
    }

    /// Notes some.
    pub(crate) fn objects(&self, count: usize) -> Result<(), Error> {
        self.objects.fetch_add(count, Ordering::Relaxed);
        self.tell()
    }

    fn tell(&self) -> Result<(), Error> {
        let (objects, bytes) = (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let goes_on = (self.watch)(Progress { objects, of: self.of, bytes });
        if goes_on { Ok(()) } else { Err(Problem::Interrupted.into()) }
    }
}

/// Tells what became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is there, with so many bytes.
    Whole(u64),
    /// It is not where it should come from.
    Absent,
    /// Its bytes are not those that its name says.
    Wrong,
    /// It is longer than the remote takes.
    Long,
}

/// Tells what became of objects.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
    pub(crate) absent: Vec<ObjectId>,
    pub(crate) wrong: Vec<ObjectId>,
    pub(crate) long: Vec<ObjectId>,
}

impl Ends {
    pub(crate) fn note(&mut self, id: ObjectId, end: End) {
        match end {
            End::Whole(bytes) => {
                self.objects += 1;
                self.bytes += bytes;
            }
            End::Absent => self.absent.push(id),
            End::Wrong => self.wrong.push(id),
            End::Long => self.long.push(id),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.absent.extend(other.absent);
        self.wrong.extend(other.wrong);
        self.long.extend(other.long);
    }
}
