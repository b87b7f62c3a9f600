//! An object as a stream into a file.

use std::io::Write;
use std::path::Path as FilePath;

use blake3::Hasher;
use futures_util::StreamExt;
use object_store::{Error as Failure, GetOptions, GetRange, ObjectMeta};
use trainyard_files::{Digest, Error as FileError, Io, Operation, WriteSync};
use trainyard_spec::ObjectAddress;
use trainyard_stores::{Connection, SILENCE};

use super::{Object, failure};
use crate::Error;
use crate::attempt::{Stop, TRIES, WAITS};

/// A file that an object is written into, and what of it is there.
struct Part<'a> {
    io: &'a dyn Io,
    path: &'a FilePath,
    file: Box<dyn WriteSync>,
    hasher: Hasher,
    len: u64,
}

impl<'a> Part<'a> {
    fn create(io: &'a dyn Io, path: &'a FilePath) -> Result<Part<'a>, Error> {
        let file = io.create(path).map_err(|error| failed(Operation::Create, path, error))?;
        Ok(Part { io, path, file, hasher: Hasher::new(), len: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| failed(Operation::Write, self.path, error))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what is there.
    fn begin_anew(&mut self) -> Result<(), Error> {
        if self.len > 0 {
            self.io.remove_file(self.path).map_err(|error| failed(Operation::Remove, self.path, error))?;
            *self = Part::create(self.io, self.path)?;
        }
        Ok(())
    }
}

fn failed(operation: Operation, path: &FilePath, error: std::io::Error) -> Error {
    Error::File(Box::new(FileError::io(operation, path, error).diagnostic()))
}

/// Writes an object into a new file at `path`; `object` then says what was read, by its content too.
///
/// A connection that breaks goes on where it broke, guarded by the ETag; where the object changed meanwhile, it begins anew.
/// `watch` is told how many bytes are there, and says whether to go on.
pub(super) async fn fetch(
    connection: &Connection,
    address: &ObjectAddress,
    object: &mut Object,
    io: &dyn Io,
    path: &FilePath,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Error> {
    let mut part = Part::create(io, path)?;
    let (mut waits, mut changed) = (WAITS.iter(), false);
    loop {
        let cause = match attempt(connection, address, object, &mut part, watch).await {
            Ok(()) => {
                part.file.flush().map_err(|error| failed(Operation::Write, path, error))?;
                object.content = Some(Digest::from_bytes(*part.hasher.finalize().as_bytes()));
                return Ok(());
            }
            Err(Broken::Stop(Stop::Told(error))) => return Err(error),
            Err(Broken::Stop(Stop::Lost(cause))) => Some(cause),
            Err(Broken::Changed) => {
                part.begin_anew()?;
                None
            }
        };
        changed |= cause.is_none();
        match waits.next() {
            Some(wait) => tokio::time::sleep(*wait).await,
            None if changed => return Err(Error::Changed { address: object.shown.clone() }),
            None => {
                let (address, cause) = (object.shown.clone(), cause.unwrap_or_default());
                return Err(Error::Broken { address, cause, tries: TRIES });
            }
        }
    }
}

/// Why a try did not bring the whole.
enum Broken {
    Stop(Stop),
    /// It is another object by now; `object` says which.
    Changed,
}

impl<T: Into<Stop>> From<T> for Broken {
    fn from(stop: T) -> Broken {
        Broken::Stop(stop.into())
    }
}

async fn attempt(
    connection: &Connection,
    address: &ObjectAddress,
    object: &mut Object,
    part: &mut Part<'_>,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Broken> {
    // Only where the server tells its bytes apart may what is there be gone on with.
    if object.guard().is_none() {
        part.begin_anew()?;
    }
    if part.len >= object.size && part.len > 0 {
        return Ok(());
    }
    let options = GetOptions {
        if_match: object.guard(),
        range: (part.len > 0).then_some(GetRange::Offset(part.len)),
        ..GetOptions::default()
    };
    let location = &object.location;
    let asked = tokio::time::timeout(SILENCE, connection.store.get_opts(location, options)).await;
    let silent = || Stop::Lost(format!("nothing was heard for {} seconds", SILENCE.as_secs()));
    let found = match asked.map_err(|_| silent())? {
        Ok(found) => found,
        Err(Failure::Precondition { .. }) => {
            object.take(&super::head(connection, address, location, &object.shown).await?);
            return Err(Broken::Changed);
        }
        // Parts are none of this server's business.
        Err(Failure::NotSupported { .. }) if part.len > 0 => {
            part.begin_anew()?;
            return Err(Stop::Lost("the server gives no parts of a file".to_owned()).into());
        }
        Err(error) => return Err(failure::stop(address, &object.shown, &error).into()),
    };
    if !object.is(&found.meta) {
        object.take(&found.meta);
        return Err(Broken::Changed);
    }
    let mut bytes = found.into_stream();
    loop {
        let next = tokio::time::timeout(SILENCE, bytes.next()).await.map_err(|_| silent())?;
        match next {
            None if part.len == object.size => return Ok(()),
            None => {
                let cause = format!("it ended after {} of {} bytes", part.len, object.size);
                return Err(Stop::Lost(cause).into());
            }
            Some(Ok(bytes)) => part.write(&bytes)?,
            Some(Err(error)) => return Err(failure::stop(address, &object.shown, &error).into()),
        }
        if part.len > object.size {
            part.begin_anew()?;
            return Err(Stop::Lost(format!("it is longer than the {} bytes that were told", object.size)).into());
        }
        if !watch(part.len) {
            return Err(Error::Interrupted.into());
        }
    }
}

impl Object {
    /// Gives the ETag that tells the bytes of this object from all others; a weak one does not.
    fn guard(&self) -> Option<String> {
        self.e_tag.clone().filter(|tag| !tag.starts_with("W/"))
    }

    /// Says whether a server speaks of the same object.
    fn is(&self, found: &ObjectMeta) -> bool {
        let mut other = self.clone();
        other.take(found);
        self.known_by() == other.known_by() && self.size == other.size
    }
}
