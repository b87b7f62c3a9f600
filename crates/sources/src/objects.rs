//! Objects of a store: S3, Google Cloud Storage, Azure Blob Storage, the web.
//!
//! An object is known by what its server says of it, so that nothing is fetched to see that it is the same. What is fetched
//! goes as a stream into a file, and is read as a file is.

mod failure;
mod fetch;

use std::path::{Path as FilePath, PathBuf};

use arrow_array::RecordBatch;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta};
use trainyard_data::{Error as DataError, ReadOptions};
use trainyard_diagnostics::conceal;
use trainyard_files::{Digest, Digester, Io};
use trainyard_spec::{Address, DataSpec, Located, ObjectAddress, Origin, SourceSpec, Store};
use trainyard_stores::{Connection, SILENCE, connect, is_absent};

use crate::attempt::{Stop, WAITS};
use crate::{Error, Runtime};

/// An object as its server describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its address, without what lets somebody in.
    pub shown: String,
    /// Its length in bytes.
    pub size: u64,
    /// The server's name for these bytes.
    pub e_tag: Option<String>,
    /// The server's name for this version.
    pub version: Option<String>,
    /// When it changed last, in microseconds since 1970 UTC, where the server says it.
    pub modified: Option<i64>,
    /// The digest of its bytes, once they were read.
    pub content: Option<Digest>,
    location: Path,
    /// The address that it is known by.
    name: String,
}

impl Object {
    fn of(address: &ObjectAddress, location: Path, meta: &ObjectMeta) -> Object {
        let url = match address.store {
            Store::Web => format!("{}/{}", address.bucket, address.name),
            Store::S3 => format!("s3://{}/{location}", address.bucket),
            Store::Google => format!("gs://{}/{location}", address.bucket),
            Store::Azure => match &address.account {
                Some(account) => format!("az://{}@{account}/{location}", address.bucket),
                None => format!("az://{}/{location}", address.bucket),
            },
        };
        let shown = conceal(&url).into_owned();
        // Who signs an address anew means the same object.
        let name = match shown == url {
            true => url,
            false => shown.split('?').next().unwrap_or(&shown).to_owned(),
        };
        let (e_tag, version, modified, content) = (None, None, None, None);
        let mut object = Object { shown, size: 0, e_tag, version, modified, content, location, name };
        object.take(meta);
        object
    }

    /// Takes what the server says now.
    fn take(&mut self, meta: &ObjectMeta) {
        self.size = meta.size;
        self.e_tag = meta.e_tag.clone().filter(|tag| !tag.is_empty());
        self.version.clone_from(&meta.version);
        // A server that says no time is read as saying this one.
        self.modified = Some(meta.last_modified.timestamp_micros()).filter(|micros| *micros != 0);
        self.content = None;
    }

    /// Gives what tells the object from what it was or will be: the ETag and the version, else when it changed last. A weak
    /// ETag stands for several contents, and so needs the time too.
    fn known_by(&self) -> Option<String> {
        let is_weak = self.e_tag.as_ref().is_some_and(|tag| tag.starts_with("W/"));
        let time = self.modified.filter(|_| is_weak || self.e_tag.is_none() && self.version.is_none());
        let parts = [self.e_tag.clone(), self.version.clone(), time.map(|time| time.to_string())];
        parts.iter().any(Option::is_some).then(|| parts.map(Option::unwrap_or_default).join(" "))
    }
}

/// What an address names, as its servers describe it, in the order of the names.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The objects; at least one.
    pub objects: Vec<Object>,
    address: ObjectAddress,
}

impl Listing {
    /// Gives what the objects are known by, as one digest: address, size, and ETag or version, else the time of the last
    /// change, else the content. Nothing where a server tells none of them and the content was not read.
    pub fn digest(&self) -> Option<Digest> {
        let mut all = Digester::new("objects of a store").number(self.objects.len() as u64);
        for object in &self.objects {
            all = all.text(&object.name).number(object.size);
            all = match object.known_by() {
                Some(known) => all.text(&known),
                None => all.digest(&object.content?),
            };
        }
        Some(all.finish())
    }
}

fn address_of(source: &SourceSpec) -> Result<ObjectAddress, Error> {
    match source.address().map_err(Error::Address)? {
        Address::Object(address) => Ok(address),
        _ => Err(Error::NoStore { source: source.shown() }),
    }
}

/// Asks what the address in `data.source` names, without reading any of it.
///
/// # Errors
/// [`Error`], each with what the user can do: nothing of that name, not allowed, no answer in four tries.
pub fn look(runtime: &Runtime, data: &DataSpec) -> Result<Listing, Error> {
    ask(runtime, &data.source)
}

fn ask(runtime: &Runtime, source: &SourceSpec) -> Result<Listing, Error> {
    let address = address_of(source)?;
    let shown = source.shown();
    if !trainyard_data::is_table(source.path()) {
        return Err(Error::Data(DataError::UnknownFormat { file: shown }));
    }
    if is_hidden(&address) {
        return Err(Error::Hidden { address: shown });
    }
    runtime.block_on(async {
        let connection = connect(&address, &[]).await.map_err(|why| failure::unusable(&address, why))?;
        let mut waits = WAITS.iter();
        loop {
            let stop = match list(&connection, &address, &shown).await {
                Ok(objects) => return Ok(Listing { objects, address }),
                Err(stop) => stop,
            };
            match (stop, waits.next()) {
                (Stop::Told(error), _) => return Err(error),
                (Stop::Lost(_), Some(wait)) => tokio::time::sleep(*wait).await,
                (Stop::Lost(cause), None) => return Err(Error::NoAnswer { address: shown, cause }),
            }
        }
    })?
}

/// Says whether the address is that of a record, which holds no signature.
fn is_hidden(address: &ObjectAddress) -> bool {
    let (_, query) = address.name.split_once('?').unwrap_or_default();
    let stars = |value: &str| !value.is_empty() && value.chars().all(|letter| letter == '*');
    address.store == Store::Web
        && query.split('&').any(|part| part.split_once('=').is_some_and(|(_, value)| stars(value)))
}

async fn list(connection: &Connection, address: &ObjectAddress, shown: &str) -> Result<Vec<Object>, Stop> {
    let Some((folder, pattern)) = address.pattern() else {
        let location = connection.location.clone();
        let meta = match head(connection, address, &location, shown).await {
            Err(Stop::Told(Error::NoObject { .. })) if address.store != Store::Web => {
                let near = neighbours(connection, address, shown).await?;
                return Err(
                    Error::NoObject { address: shown.to_owned(), store: address.store, pattern: false, near }.into()
                );
            }
            meta => meta?,
        };
        return Ok(vec![Object::of(address, location, &meta)]);
    };
    let found = in_folder(connection, address, folder, shown).await?;
    let is_of =
        |meta: &&ObjectMeta| meta.location.filename().is_some_and(|name| trainyard_data::is_match(pattern, name));
    let mut objects: Vec<Object> =
        found.iter().filter(is_of).map(|meta| Object::of(address, meta.location.clone(), meta)).collect();
    objects.sort_by(|one, other| one.location.cmp(&other.location));
    if objects.is_empty() {
        let near = names(&found);
        return Err(Error::NoObject { address: shown.to_owned(), store: address.store, pattern: true, near }.into());
    }
    Ok(objects)
}

/// Gives the last parts of the names of the objects beside the one that is asked for.
async fn neighbours(connection: &Connection, address: &ObjectAddress, shown: &str) -> Result<Vec<String>, Stop> {
    let folder = address.name.rsplit_once('/').map_or("", |(folder, _)| folder);
    match in_folder(connection, address, folder, shown).await {
        Ok(found) => Ok(names(&found)),
        Err(Stop::Told(error @ Error::NoBucket { .. })) => Err(error.into()),
        // Who may read an object need not be allowed to list others.
        Err(_) => Ok(Vec::new()),
    }
}

fn names(found: &[ObjectMeta]) -> Vec<String> {
    found.iter().filter_map(|meta| Some(meta.location.filename()?.to_owned())).collect()
}

async fn in_folder(
    connection: &Connection,
    address: &ObjectAddress,
    folder: &str,
    shown: &str,
) -> Result<Vec<ObjectMeta>, Stop> {
    let wrong = |error: object_store::path::Error| Error::Settings { store: address.store, cause: error.to_string() };
    let prefix = Path::parse(folder).map_err(wrong)?;
    let prefix = (!folder.is_empty()).then_some(&prefix);
    let asked = tokio::time::timeout(SILENCE, connection.store.list_with_delimiter(prefix)).await;
    match asked.map_err(|_| Stop::Lost("it does not answer".to_owned()))? {
        Ok(found) => Ok(found.objects),
        Err(error) if is_absent(&error) => {
            let bucket = address.bucket.clone();
            Err(Error::NoBucket { bucket, store: address.store }.into())
        }
        Err(error) => Err(failure::stop(address, shown, &error)),
    }
}

/// Asks what a server says of one object.
async fn head(
    connection: &Connection,
    address: &ObjectAddress,
    location: &Path,
    shown: &str,
) -> Result<ObjectMeta, Stop> {
    let ask = async |head| {
        let options = GetOptions { head, ..GetOptions::default() };
        let asked = tokio::time::timeout(SILENCE, connection.store.get_opts(location, options)).await;
        match asked.map_err(|_| Stop::Lost("it does not answer".to_owned()))? {
            Ok(found) => Ok(found.meta),
            Err(error) => Err(failure::stop(address, shown, &error)),
        }
    };
    match ask(true).await {
        // Some servers, and signatures, are for reading alone: what reading would say is the answer. Nothing is read.
        Err(Stop::Told(_)) if address.store == Store::Web => ask(false).await,
        answer => answer,
    }
}

/// The files that were fetched; they go when this does.
struct Fetched<'a> {
    io: &'a dyn Io,
    files: Vec<(PathBuf, String)>,
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        for (file, _) in &self.files {
            // One that stays behind costs space only: its folder is removed with it.
            let _ = self.io.remove_file(file);
        }
    }
}

/// Fetches what `listing` names into the folder `scratch`, and reads it as one table; the files are removed again.
///
/// The listing that comes back says what was read: objects that changed since are read as they are now. `watch` is told how
/// many bytes of all are there, and says whether to go on.
///
/// # Errors
/// [`Error`]; of what broke off nothing is used.
pub fn fetch(
    runtime: &Runtime,
    io: &dyn Io,
    scratch: &FilePath,
    data: &DataSpec,
    mut listing: Listing,
    watch: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(RecordBatch, Listing), Error> {
    let options = ReadOptions::of(data);
    let shown = data.source.shown();
    let mut fetched = Fetched { io, files: Vec::new() };
    bring(runtime, scratch, &mut fetched, &mut listing, watch)?;
    let table = match fetched.files.as_slice() {
        [(file, shown)] if listing.address.pattern().is_none() => trainyard_data::read(io, file, shown, &options),
        files => trainyard_data::read_files(io, files, &shown, &options),
    };
    Ok((table.map_err(Error::Data)?, listing))
}

/// Fetches the one object that an address names into the folder `scratch`, where it stays; gives the file with what it is
/// called in messages. Nothing for what is no address of an object.
///
/// # Errors
/// [`Error`], a pattern among them.
pub fn download(
    runtime: &Runtime,
    io: &dyn Io,
    scratch: &FilePath,
    address: &str,
) -> Result<Option<(PathBuf, String)>, Error> {
    let source = SourceSpec::of(Located::new(address.to_owned(), Origin::Default));
    match source.address() {
        Ok(Address::Object(named)) if named.pattern().is_none() => {}
        Ok(Address::Object(_)) => {
            let (cause, help) = ("a pattern may name several objects".to_owned(), "name one".to_owned());
            return Err(Error::Refused { address: source.shown(), cause, help });
        }
        Ok(_) => return Ok(None),
        Err(error) => return Err(Error::Address(error)),
    }
    let mut listing = ask(runtime, &source)?;
    let mut fetched = Fetched { io, files: Vec::new() };
    bring(runtime, scratch, &mut fetched, &mut listing, &mut |_, _| true)?;
    Ok(std::mem::take(&mut fetched.files).pop())
}

/// Fetches all objects of a listing.
fn bring(
    runtime: &Runtime,
    scratch: &FilePath,
    fetched: &mut Fetched<'_>,
    listing: &mut Listing,
    watch: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), Error> {
    let (io, address) = (fetched.io, &listing.address);
    let objects = &mut listing.objects;
    runtime.block_on(async {
        let connection = connect(address, &[]).await.map_err(|why| failure::unusable(address, why))?;
        let mut before = 0;
        for at in 0..objects.len() {
            let all: u64 = objects.iter().map(|object| object.size).sum();
            let Some(object) = objects.get_mut(at) else { break };
            let file = scratch.join(format!("{at}.{}", ending(address.store, &object.shown)));
            fetched.files.push((file.clone(), object.shown.clone()));
            let watch = &mut |bytes| watch(before + bytes, all);
            fetch::fetch(&connection, address, object, io, &file, watch).await?;
            before += object.size;
        }
        Ok(())
    })?
}

/// Gives the last two parts of a file's name, which say how it is read.
fn ending(store: Store, shown: &str) -> String {
    let path = if store == Store::Web { shown.split('?').next().unwrap_or(shown) } else { shown };
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut parts: Vec<&str> = name.rsplit('.').take(2).collect();
    // What is in front of one ending is the name.
    if name.split('.').count() < 3 {
        parts.truncate(1);
    }
    parts.reverse();
    parts.join(".")
}
