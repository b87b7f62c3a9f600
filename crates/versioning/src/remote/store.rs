//! Objects of a store: S3, Google Cloud Storage, Azure, the web.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path as FilePath;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt, iter};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectStoreExt, PutPayload};
use tokio::time::{sleep, timeout};
use trainyard_files::{Io, Operation, WriteSync};
use trainyard_spec::{ObjectAddress, Store as Kind};
use trainyard_stores::{Connection, Fault, Runtime, SILENCE, Unusable, WAITS, connect, fault, is_absent, status};

use super::Problem;
use super::exchange::{End, Ends, Tally};
use crate::cache::{Cache, Incoming};
use crate::md5::{Hasher, Md5, ObjectId};
use crate::{Error, Errors};

/// The store's own word for the file of who asks Google.
const SERVICE_ACCOUNT: &str = "google_service_account";
/// So many objects are on their way at once.
const AT_ONCE: usize = 8;
/// Up to so many objects are asked for one by one; for more the store lists what it has.
const ASKED: usize = 256;
/// The least length of the parts in which a long object is sent; stores take no more than 10,000 of them.
const PART: u64 = 8 << 20;
const PARTS: u64 = 9_000;
/// The most bytes that are sent in one piece, as a web server takes an object: they are held in memory meanwhile.
pub(super) const MOST_WHOLE: u64 = 1 << 30;
/// So many parts of an object are on their way at once.
const PARTS_AT_ONCE: usize = 3;
/// How long a part may take.
const LONGEST: Duration = Duration::from_secs(600);
/// So many objects, or bytes, become visible together: what a death of the process makes undone.
const BATCH: usize = 512;
const BATCH_BYTES: u64 = 256 << 20;

/// Is a store, and where in it the objects lie.
#[derive(Debug)]
pub(super) struct Store {
    remote: String,
    shown: String,
    address: ObjectAddress,
    /// What DVC's settings say of it, in the store's own words; keys among them are never shown.
    given: Vec<(&'static str, String)>,
}

/// Why a try did not come to its end.
enum Stop {
    /// Another try may go well.
    Lost(String),
    /// Another try would end in the same way.
    Told(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Told(error.into())
    }
}

impl Store {
    /// Reads an address and the settings of a remote; `folder` is where paths in those start.
    pub(super) fn new(
        remote: &str,
        url: &str,
        shown: &str,
        settings: &BTreeMap<String, String>,
        folder: &FilePath,
    ) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/').to_owned();
        let store = match scheme {
            "s3" => Kind::S3,
            "gs" => Kind::Google,
            "azure" | "az" | "abfs" | "abfss" => Kind::Azure,
            "http" | "https" => Kind::Web,
            other => {
                let known = "a folder, s3://, gs://, azure://, http:// and https://";
                return Err(format!("{other}:// is not served here; {known} are"));
            }
        };
        let (bucket, account) = match (store, host.split_once('@')) {
            (Kind::Web, _) => (format!("{scheme}://{host}"), None),
            (Kind::Azure, Some((container, host))) => {
                (container.to_owned(), Some(host.split('.').next().unwrap_or(host).to_owned()))
            }
            _ => (host.to_owned(), None),
        };
        if host.is_empty() {
            return Err(format!("write {scheme}://{}/FOLDER", if store == Kind::Web { "HOST" } else { "BUCKET" }));
        }
        let keys: &[(&str, &'static str)] = match store {
            Kind::S3 => &[
                ("endpointurl", "aws_endpoint"),
                ("region", "aws_region"),
                ("access_key_id", "aws_access_key_id"),
                ("secret_access_key", "aws_secret_access_key"),
                ("session_token", "aws_session_token"),
            ],
            Kind::Google => &[("credentialpath", SERVICE_ACCOUNT)],
            Kind::Azure => &[
                ("account_name", "azure_storage_account_name"),
                ("account_key", "azure_storage_account_key"),
                ("sas_token", "azure_storage_sas_key"),
            ],
            Kind::Web => &[],
        };
        let value = |key: &str, value: &String| match key {
            "credentialpath" => folder.join(value).display().to_string(),
            _ => value.clone(),
        };
        let given = keys.iter().filter_map(|(key, ours)| Some((*ours, value(key, settings.get(*key)?)))).collect();
        let address = ObjectAddress { store, bucket, account, name: path };
        Ok(Self { remote: remote.to_owned(), shown: shown.to_owned(), address, given })
    }

    fn wait<T>(&self, runtime: &Runtime, work: impl AsyncFnOnce(Connection) -> Result<T, Error>) -> Result<T, Error> {
        let remote = || self.remote.clone();
        // The store would say that something is not there, and not what.
        let key_file = self.given.iter().find(|(key, _)| *key == SERVICE_ACCOUNT).map(|(_, path)| FilePath::new(path));
        if let Some(absent) = key_file.filter(|path| !path.is_file()) {
            let name = absent.file_name().unwrap_or_default().to_string_lossy();
            let cause = format!("its credentialpath is no file: there is no {name}");
            return Err(Problem::Settings { remote: remote(), cause }.into());
        }
        let waited = runtime.block_on(async {
            let connection = connect(&self.address, &self.given).await.map_err(|why| match why {
                Unusable::Settings { cause } => Problem::Settings { remote: remote(), cause },
                Unusable::Nobody { cause } => Problem::Nobody { remote: remote(), store: self.address.store, cause },
            })?;
            work(connection).await
        });
        waited.map_err(|none| Problem::Runtime { cause: none.cause })?
    }

    fn location(&self, connection: &Connection, below: &str) -> Result<Path, Error> {
        let path = format!("{}/{below}", connection.location);
        let wrong = |error: object_store::path::Error| Problem::Settings {
            remote: self.remote.clone(),
            cause: error.to_string(),
        };
        Ok(Path::parse(path.trim_start_matches('/')).map_err(wrong)?)
    }

    fn object(&self, connection: &Connection, id: &ObjectId) -> Result<Path, Error> {
        let name = id.to_string();
        let (folder, name) = name.split_at(2);
        self.location(connection, &format!("files/md5/{folder}/{name}"))
    }

    /// Says what a failure means that is none of the object that was asked for.
    fn stop(&self, error: &StoreError) -> Stop {
        let (fault, cause) = fault(error);
        let (remote, url) = (self.remote.clone(), self.shown.clone());
        let problem = match fault {
            Fault::Passing => return Stop::Lost(cause),
            Fault::Absent => Problem::Absent { remote, url },
            Fault::Denied => Problem::Denied { remote, url, cause },
            Fault::OtherRegion => {
                Problem::Refused { remote, url, cause: "the bucket is in another region; name it as `region`".into() }
            }
            Fault::NoLength => {
                Problem::Refused { remote, url, cause: "the server does not say how long an object is".into() }
            }
            Fault::Refused => Problem::Refused { remote, url, cause },
        };
        problem.into()
    }

    /// Tries until it goes well, or another try would not.
    async fn tried<T>(&self, mut one: impl AsyncFnMut() -> Result<T, Stop>) -> Result<T, Error> {
        let mut waits = WAITS.iter();
        loop {
            match (one().await, waits.next()) {
                (Ok(found), _) => return Ok(found),
                (Err(Stop::Told(error)), _) => return Err(error),
                (Err(Stop::Lost(_)), Some(wait)) => sleep(*wait).await,
                (Err(Stop::Lost(cause)), None) => return Err(self.lost(cause)),
            }
        }
    }

    fn lost(&self, cause: String) -> Error {
        let (remote, url) = (self.remote.clone(), self.shown.clone());
        Problem::Lost { remote, url, cause, arrived: 0, of: 0 }.into()
    }

    /// Says which objects are there, with their lengths.
    pub(super) fn held(&self, runtime: &Runtime, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, u64>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.wait(runtime, async |connection| {
            if self.address.store != Kind::Web && ids.len() > ASKED {
                return self.tried(async || self.list(&connection, ids).await).await;
            }
            let connection = &connection;
            let one = |id: &ObjectId| {
                let id = *id;
                async move { Ok::<_, Error>((id, self.tried(async || self.ask(connection, &id).await).await?)) }
            };
            let mut asked = iter(ids).map(one).buffer_unordered(AT_ONCE);
            let mut found = BTreeMap::new();
            while let Some(one) = asked.next().await {
                let (id, size) = one?;
                found.extend(size.map(|size| (id, size)));
            }
            Ok(found)
        })
    }

    async fn ask(&self, connection: &Connection, id: &ObjectId) -> Result<Option<u64>, Stop> {
        let path = self.object(connection, id)?;
        match timeout(SILENCE, connection.store.head(&path)).await.map_err(|_| silent())? {
            Ok(found) => Ok(Some(found.size)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.stop(&error)),
        }
    }

    async fn list(&self, connection: &Connection, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, u64>, Stop> {
        let folder = self.location(connection, "files/md5")?;
        let wanted: std::collections::BTreeSet<&ObjectId> = ids.iter().collect();
        let mut found = BTreeMap::new();
        let mut listed = connection.store.list(Some(&folder));
        while let Some(meta) = timeout(SILENCE, listed.next()).await.map_err(|_| silent())? {
            let meta = meta.map_err(|error| self.stop(&error))?;
            let mut parts = meta.location.as_ref().rsplit('/');
            let (Some(name), Some(folder)) = (parts.next(), parts.next()) else { continue };
            let id = ObjectId::parse(&format!("{folder}{name}")).filter(|id| wanted.contains(id));
            found.extend(id.map(|id| (id, meta.size)));
        }
        Ok(found)
    }

    /// Takes objects of a cache.
    pub(super) fn take(
        &self,
        runtime: &Runtime,
        from: &Cache,
        ids: &[ObjectId],
        tally: &Tally<'_>,
    ) -> Result<Ends, Errors> {
        if ids.is_empty() {
            return Ok(Ends::default());
        }
        let taken = self.wait(runtime, async |connection| {
            let mut ends = Ends::default();
            let connection = &connection;
            let one = |id: &ObjectId| {
                let id = *id;
                async move { Ok::<_, Error>((id, self.put(connection, from, &id, tally).await?)) }
            };
            // Of those that are held in memory as a whole, long ones go one by one.
            let is_heavy = |id: &&ObjectId| self.address.store == Kind::Web && from.size(id) > Some(PART);
            let (heavy, light): (Vec<&ObjectId>, Vec<&ObjectId>) = ids.iter().partition(is_heavy);
            for (ids_now, at_once) in [(light, AT_ONCE), (heavy, 1)] {
                let mut sent = iter(ids_now).map(one).buffer_unordered(at_once);
                while let Some(one) = sent.next().await {
                    match one.and_then(|one| tally.object().map(|()| one)) {
                        Ok((id, end)) => ends.note(id, end),
                        Err(error) => return Err(arrived(error, ends.objects, ids.len())),
                    }
                }
            }
            Ok(ends)
        });
        Ok(taken?)
    }

    async fn put(&self, connection: &Connection, from: &Cache, id: &ObjectId, tally: &Tally<'_>) -> Result<End, Error> {
        let (place, path) = (from.path(id), self.object(connection, id)?);
        let Some(size) = from.size(id) else { return Ok(End::Absent) };
        // A web server takes an object in one piece.
        if size > PART && self.address.store != Kind::Web {
            return self
                .tried(async || self.put_parts(connection, from.io(), &place, size, (id, &path), tally).await)
                .await;
        }
        if size > MOST_WHOLE {
            return Ok(End::Long);
        }
        let bytes = trainyard_files::read(from.io(), &place)?;
        if Md5::of(&bytes) != id.md5 {
            return Ok(End::Wrong);
        }
        let payload = PutPayload::from(bytes);
        let put = async || match timeout(LONGEST, connection.store.put(&path, payload.clone())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.stop(&error)),
            Err(_) => Err(silent()),
        };
        self.tried(put).await?;
        tally.bytes(payload.content_length())?;
        Ok(End::Whole(size))
    }

    /// Sends a long object in parts; it is there when the last has arrived and its bytes are those of its name.
    async fn put_parts(
        &self,
        connection: &Connection,
        io: &dyn Io,
        place: &FilePath,
        size: u64,
        (id, path): (&ObjectId, &Path),
        tally: &Tally<'_>,
    ) -> Result<End, Stop> {
        let reading = |error| Error::from(trainyard_files::Error::io(Operation::Read, place, error));
        let mut file = io.open(place).map_err(reading)?;
        let begun = timeout(LONGEST, connection.store.put_multipart(path)).await.map_err(|_| silent())?;
        let mut upload = begun.map_err(|error| self.stop(&error))?;
        let sent = async {
            let length = PART.max(size / PARTS + 1);
            let (mut hasher, mut total) = (Hasher::default(), 0);
            let mut parts = FuturesUnordered::new();
            loop {
                let mut piece = Vec::new();
                (&mut file).take(length).read_to_end(&mut piece).map_err(reading)?;
                if piece.is_empty() {
                    break;
                }
                hasher.update(&piece);
                total += piece.len() as u64;
                tally.bytes(piece.len())?;
                parts.push(upload.put_part(piece.into()));
                if parts.len() == PARTS_AT_ONCE {
                    self.part(&mut parts).await?;
                }
            }
            while !parts.is_empty() {
                self.part(&mut parts).await?;
            }
            Ok::<_, Stop>((hasher.finish(), total))
        }
        .await;
        match sent {
            Ok((md5, total)) if md5 == id.md5 => {
                let done = timeout(LONGEST, upload.complete()).await.map_err(|_| silent())?;
                done.map_err(|error| self.stop(&error))?;
                Ok(End::Whole(total))
            }
            other => {
                // What the store keeps of it is invisible, and goes by its own rules where this fails.
                let _ = timeout(SILENCE, upload.abort()).await;
                other.map(|_| End::Wrong)
            }
        }
    }

    async fn part(&self, parts: &mut FuturesUnordered<object_store::UploadPart>) -> Result<(), Stop> {
        match timeout(LONGEST, parts.next()).await.map_err(|_| silent())? {
            Some(Err(error)) => Err(self.stop(&error)),
            _ => Ok(()),
        }
    }

    /// Gives objects to a cache. What arrived before a failure is kept.
    pub(super) fn give(
        &self,
        runtime: &Runtime,
        to: &Cache,
        ids: &[ObjectId],
        tally: &Tally<'_>,
    ) -> Result<Ends, Errors> {
        if ids.is_empty() {
            return Ok(Ends::default());
        }
        to.sweep()?;
        let given = self.wait(runtime, async |connection| {
            let mut ends = Ends::default();
            let mut rest = ids;
            while !rest.is_empty() {
                let incoming = to.incoming()?;
                let (count, failed) = self.batch(&connection, &incoming, rest, &mut ends, tally).await;
                incoming.finish()?;
                if let Some(error) = failed {
                    return Err(arrived(error, ends.objects, ids.len()));
                }
                rest = rest.get(count..).unwrap_or_default();
            }
            Ok(ends)
        });
        Ok(given?)
    }

    /// Brings the first objects; says how many were asked for, and what ended it.
    async fn batch(
        &self,
        connection: &Connection,
        incoming: &Incoming,
        ids: &[ObjectId],
        ends: &mut Ends,
        tally: &Tally<'_>,
    ) -> (usize, Option<Error>) {
        let one = |id: ObjectId| async move { (id, self.get(connection, &id, incoming, tally).await) };
        let (mut asked, mut bytes) = (0, 0);
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_ONCE && asked < BATCH && bytes < BATCH_BYTES {
                let Some(id) = ids.get(asked) else { break };
                under_way.push(one(*id));
                asked += 1;
            }
            let Some((id, end)) = under_way.next().await else { return (asked, None) };
            match end.and_then(|end| tally.object().map(|()| end)) {
                Ok(end) => {
                    if let End::Whole(length) = end {
                        bytes += length;
                    }
                    ends.note(id, end);
                }
                Err(error) => return (asked, Some(error)),
            }
        }
    }

    async fn get(
        &self,
        connection: &Connection,
        id: &ObjectId,
        incoming: &Incoming,
        tally: &Tally<'_>,
    ) -> Result<End, Error> {
        let location = self.object(connection, id)?;
        let mut part = Part::create(incoming)?;
        let mut waits = WAITS.iter();
        loop {
            let resumed = part.length > 0;
            let stop = match self.attempt(connection, &location, &mut part, tally).await {
                Ok(true) if part.md5() == id.md5 => {
                    let length = part.length;
                    part.accept(*id)?;
                    return Ok(End::Whole(length));
                }
                // Two answers may have been of two contents.
                Ok(true) if resumed => {
                    part.begin_anew()?;
                    Stop::Lost("other bytes than before came".to_owned())
                }
                Ok(true) => return Ok(End::Wrong),
                Ok(false) => return Ok(End::Absent),
                Err(stop) => stop,
            };
            match (stop, waits.next()) {
                (Stop::Told(error), _) => return Err(error),
                (Stop::Lost(_), Some(wait)) => sleep(*wait).await,
                (Stop::Lost(cause), None) => return Err(self.lost(cause)),
            }
        }
    }

    /// Brings an object, or the rest of it; says whether it is there at all.
    async fn attempt(
        &self,
        connection: &Connection,
        location: &Path,
        part: &mut Part<'_>,
        tally: &Tally<'_>,
    ) -> Result<bool, Stop> {
        let resumed = part.length > 0;
        let range = resumed.then_some(GetRange::Offset(part.length));
        let options = GetOptions { range, ..GetOptions::default() };
        let asked = timeout(SILENCE, connection.store.get_opts(location, options)).await;
        let found = match asked.map_err(|_| silent())? {
            Ok(found) => found,
            Err(error) => {
                let (_, cause) = fault(&error);
                // No parts are given, or there is no more of it than what came.
                if resumed && (matches!(error, StoreError::NotSupported { .. }) || status(&cause) == Some(416)) {
                    part.begin_anew()?;
                    return Err(Stop::Lost("the server gives no parts of an object".to_owned()));
                }
                if is_absent(&error) && !cause.contains("NoSuchBucket") && !cause.contains("ContainerNotFound") {
                    return Ok(false);
                }
                return Err(self.stop(&error));
            }
        };
        let size = found.meta.size;
        let mut bytes = found.into_stream();
        while let Some(next) = timeout(SILENCE, bytes.next()).await.map_err(|_| silent())? {
            let next = next.map_err(|error| self.stop(&error))?;
            part.write(&next)?;
            tally.bytes(next.len())?;
            if part.length > size {
                part.begin_anew()?;
                return Err(Stop::Lost(format!("an object is longer than the {size} bytes that were told")));
            }
        }
        if part.length < size {
            return Err(Stop::Lost(format!("an object ended after {} of {size} bytes", part.length)));
        }
        Ok(true)
    }
}

/// Says how many objects came through before a failure.
fn arrived(mut error: Error, objects: usize, wanted: usize) -> Error {
    if let Error::Remote(problem) = &mut error
        && let Problem::Lost { arrived, of, .. } = &mut **problem
    {
        (*arrived, *of) = (objects, wanted);
    }
    error
}

fn silent() -> Stop {
    Stop::Lost("the server does not answer".to_owned())
}

/// Is an object of which not all has arrived yet; it goes with this.
struct Part<'a> {
    incoming: &'a Incoming,
    path: std::path::PathBuf,
    file: Option<Box<dyn WriteSync>>,
    hasher: Hasher,
    length: u64,
}

impl<'a> Part<'a> {
    fn create(incoming: &'a Incoming) -> Result<Self, Error> {
        let (path, file) = incoming.create()?;
        Ok(Self { incoming, path, file: Some(file), hasher: Hasher::default(), length: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(file) = &mut self.file {
            let written = file.write_all(bytes);
            written.map_err(|error| trainyard_files::Error::io(Operation::Write, &self.path, error))?;
        }
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn md5(&self) -> Md5 {
        self.hasher.clone().finish()
    }

    fn begin_anew(&mut self) -> Result<(), Error> {
        *self = Self::create(self.incoming)?;
        Ok(())
    }

    fn accept(mut self, id: ObjectId) -> Result<(), Error> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        if let Err(error) = file.flush() {
            self.incoming.discard(&self.path);
            return Err(trainyard_files::Error::io(Operation::Write, &self.path, error).into());
        }
        self.incoming.accept(self.path.clone(), id, Some(file))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What can't be removed now goes with the temporary files of dead processes.
            self.incoming.discard(&self.path);
        }
    }
}
