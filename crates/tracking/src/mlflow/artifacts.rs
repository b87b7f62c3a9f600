//! Where a server's artifacts lie, and how they get there: through the server, or straight to their store.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::{ObjectStoreExt, PutPayload, path};
use reqwest::Method;
use serde_json::Value;
use trainyard_files::{Digest, DiskIo, Error, Io, ObjectStore, Operation, hash_file, write_atomic, write_atomic_by};
use trainyard_spec::{ObjectAddress, Store};
use trainyard_stores::{Connection, Unusable};

use super::client::{Body, Client, Question, Unanswered};
use super::error::ServerError;
use crate::check_artifact_path;

/// How far above a run's folder of artifacts the root of all is: the run, the experiment.
const ROOT: usize = 3;
/// How many files go at the same time.
const TOGETHER: usize = 16;
/// How many are read at the same time where each is kept at once: they are held whole.
const READ_TOGETHER: usize = 4;
/// The length above which a file is not held in memory but sent from the disk, a piece at a time.
const LONG: u64 = 4 << 20;
const PIECE: usize = 256 << 10;
/// The parts of a long object in a store: how long each is, how many there are at most, and how many go together.
const PART: u64 = 8 << 20;
const PARTS: u64 = 9_000;
const PARTS_TOGETHER: usize = 4;

/// Is what a file holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// All of it.
    Bytes(Bytes),
    /// A long one, which lies on the disk.
    Stored(Stored),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Content {
    /// Takes an object, which is read whole before anything of it is sent: a damaged one is an error.
    pub(crate) fn of(objects: &ObjectStore, digest: &Digest) -> Result<Self, Error> {
        let path = objects.path(digest);
        if DiskIo.metadata(&path).is_ok_and(|found| found.len > LONG) {
            let (found, length) = hash_file(&DiskIo, &path)?;
            if found != *digest {
                return Err(Error::Damaged { digest: *digest, path });
            }
            return Ok(Self::Stored(Stored { path, length }));
        }
        Ok(objects.get(digest)?.into())
    }
}

/// Is a long file on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    pub(crate) length: u64,
}

impl Stored {
    fn open(&self) -> Result<impl Read + Send + use<>, Error> {
        DiskIo.open(&self.path).map_err(|error| Error::io(Operation::Read, &self.path, error))
    }

    /// Gives its bytes, piece by piece.
    pub(crate) fn pieces(&self) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Error> {
        Ok(stream::unfold(self.open()?, |mut file| async move {
            match piece(&mut file, PIECE as u64) {
                Ok(bytes) if bytes.is_empty() => None,
                read => Some((read, file)),
            }
        }))
    }
}

fn piece(file: &mut impl Read, length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Is where files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Through the server, below this path.
    Server(String),
    /// To a store of objects.
    Store(ObjectAddress),
    /// Into a folder of this machine.
    Folder(PathBuf),
}

impl Place {
    /// Reads the address that the server gives for a run's or a model's artifacts.
    pub(crate) fn of(address: &str) -> Result<Self, String> {
        if let Some(rest) = address.strip_prefix("mlflow-artifacts:") {
            // The server's own name may stand before the path.
            let path = match rest.strip_prefix("//") {
                Some(named) => named.split_once('/').map_or("", |(_, path)| path),
                None => rest,
            };
            return Ok(Self::Server(path.trim_matches('/').to_owned()));
        }
        let folder = address.strip_prefix("file://").unwrap_or(address);
        if !folder.contains("://") {
            let path = Path::new(folder.strip_prefix("file:").unwrap_or(folder));
            return match path.is_absolute() {
                true => Ok(Self::Folder(path.to_owned())),
                false => Err("it is a folder of the server".to_owned()),
            };
        }
        let (scheme, rest) = address.split_once("://").unwrap_or_default();
        let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (store, bucket, account) = match (scheme, bucket.split_once('@')) {
            ("s3", _) => (Store::S3, bucket, None),
            ("gs", _) => (Store::Google, bucket, None),
            ("wasb" | "wasbs" | "abfs" | "abfss", Some((container, host))) => {
                (Store::Azure, container, host.split('.').next().map(str::to_owned))
            }
            _ => return Err(format!("there is no way to what begins with {scheme}://")),
        };
        Ok(Self::Store(ObjectAddress { store, bucket: bucket.to_owned(), account, name: name.to_owned() }))
    }

    fn below(parent: &str, name: &str) -> String {
        if parent.is_empty() { name.to_owned() } else { format!("{}/{name}", parent.trim_end_matches('/')) }
    }

    /// Puts files there, several at the same time. `read` gives what each holds.
    pub(crate) async fn put<'f>(
        &self,
        client: &Client,
        files: &'f [String],
        read: impl Fn(&str) -> Result<Content, ServerError>,
    ) -> Result<(), ServerError> {
        let server = client.server();
        let lost = |cause: String| ServerError::NoArtifacts { server: server.to_owned(), place: self.shown(), cause };
        match self {
            Self::Server(parent) => {
                let read = &read;
                let one = |name: &'f String| async move {
                    let path = Self::below(parent, name);
                    let mut question = artifacts(Method::PUT, &path);
                    question.body = Some(Body::Content(read(name)?));
                    let sent = client.fetch_again(&question).await;
                    sent.map(drop).map_err(|error| error.told(server, &format!("take the artifact {name}")))
                };
                stream::iter(files).map(one).buffer_unordered(TOGETHER).try_collect::<()>().await
            }
            Self::Store(address) => {
                let connection = connect(address).await.map_err(lost)?;
                let (connection, read) = (&connection, &read);
                let failed = |error: object_store::Error| match trainyard_stores::fault(&error) {
                    (trainyard_stores::Fault::Passing, cause) => {
                        ServerError::Unreachable { server: self.shown(), cause }
                    }
                    (_, cause) => lost(cause),
                };
                let failed = &failed;
                let long = Mutex::new(Vec::new());
                let later = &long;
                let one = |name: &'f String| async move {
                    let location = path::Path::from(Self::below(connection.location.as_ref(), name));
                    match read(name)? {
                        Content::Bytes(bytes) => {
                            connection.store.put(&location, PutPayload::from(bytes)).await.map(drop).map_err(failed)
                        }
                        Content::Stored(stored) => {
                            later.lock().unwrap_or_else(PoisonError::into_inner).push((location, stored));
                            Ok(())
                        }
                    }
                };
                stream::iter(files).map(one).buffer_unordered(TOGETHER).try_collect::<()>().await?;
                // One after the other: their parts go together.
                for (location, stored) in long.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    put_parts(connection, &location, &stored, failed, &lost).await?;
                }
                Ok(())
            }
            Self::Folder(folder) => {
                if !self.is_here(client) {
                    return Err(lost("it is a folder of the server's machine".to_owned()));
                }
                for name in files {
                    let path = folder.join(name);
                    let written = match read(name)? {
                        Content::Bytes(bytes) => write_atomic(&DiskIo, &path, &bytes),
                        Content::Stored(stored) => write_atomic_by(&DiskIo, &path, |file| copy(&stored, &path, file)),
                    };
                    written.map_err(|error| lost(error.to_string()))?;
                }
                Ok(())
            }
        }
    }

    /// Reads the files below the place, with their paths.
    pub(crate) async fn get(&self, client: &Client) -> Result<Vec<(String, Vec<u8>)>, ServerError> {
        let names = self.list(client).await?;
        let one = |name: String| async move { Ok((name.clone(), self.read(client, &name).await?)) };
        stream::iter(names).map(one).buffered(TOGETHER).try_collect().await
    }

    /// Reads the files below the place, a few at a time, and hands each to `keep` with its path.
    pub(crate) fn each(
        &self,
        client: &Client,
        keep: &mut dyn FnMut(String, Vec<u8>) -> Result<(), crate::Error>,
    ) -> Result<(), crate::Error> {
        let mut kept = Ok(());
        client.wait(async {
            let names = self.list(client).await?;
            let one =
                |name: String| async move { Ok::<_, ServerError>((name.clone(), self.read(client, &name).await?)) };
            let mut files = stream::iter(names).map(one).buffered(READ_TOGETHER);
            while let Some((name, bytes)) = files.try_next().await? {
                kept = keep(name, bytes);
                if kept.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        kept
    }

    /// Lists the files below the place, sorted; an absent place has none.
    async fn list(&self, client: &Client) -> Result<Vec<String>, ServerError> {
        let lost = |cause: String| self.lost(client, cause);
        let mut files = Vec::new();
        match self {
            Self::Server(parent) => {
                let mut folders = vec![String::new()];
                while let Some(folder) = folders.pop() {
                    let path = Self::below(parent, &folder);
                    let mut question = artifacts(Method::GET, "");
                    question.query = vec![("path", path.trim_end_matches('/'))];
                    let told = |error: Unanswered| error.told(client.server(), "list artifacts");
                    let listed = client.ask_patiently(&question).await.map_err(told)?;
                    for file in listed["files"].as_array().into_iter().flatten() {
                        let name = file["path"].as_str().unwrap_or_default();
                        // Versions of the server differ in whether names begin at the path asked for.
                        let name = Self::below(&folder, name.strip_prefix(&format!("{path}/")).unwrap_or(name));
                        match file["is_dir"] == Value::Bool(true) {
                            true => folders.push(named(name).map_err(lost)?),
                            false => files.push(named(name).map_err(lost)?),
                        }
                    }
                }
            }
            Self::Store(address) => {
                let connection = connect(address).await.map_err(lost)?;
                let failed = |error: object_store::Error| lost(trainyard_stores::fault(&error).1);
                let listed: Vec<_> =
                    connection.store.list(Some(&connection.location)).try_collect().await.map_err(failed)?;
                for object in listed {
                    let name = object.location.as_ref();
                    let name = name.strip_prefix(connection.location.as_ref()).unwrap_or(name);
                    files.push(named(name.trim_start_matches('/').to_owned()).map_err(lost)?);
                }
            }
            Self::Folder(folder) => {
                let mut folders = vec![folder.clone()];
                while let Some(inside) = folders.pop() {
                    let found = match DiskIo.list(&inside) {
                        // The server makes a run's folder with its first file.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.is_here(client) => {
                            Vec::new()
                        }
                        found => found.map_err(|error| lost(error.to_string()))?,
                    };
                    for path in found {
                        if DiskIo.metadata(&path).map_err(|error| lost(error.to_string()))?.is_dir {
                            folders.push(path);
                            continue;
                        }
                        files.push(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned());
                    }
                }
            }
        }
        files.sort();
        Ok(files)
    }

    async fn read(&self, client: &Client, name: &str) -> Result<Vec<u8>, ServerError> {
        let lost = |cause: String| self.lost(client, cause);
        match self {
            Self::Server(parent) => {
                let told = |error: Unanswered| error.told(client.server(), &format!("give the artifact {name}"));
                client.fetch_again(&artifacts(Method::GET, &Self::below(parent, name))).await.map_err(told)
            }
            Self::Store(address) => {
                let connection = connect(address).await.map_err(lost)?;
                let failed = |error: object_store::Error| lost(trainyard_stores::fault(&error).1);
                // The name is as the store listed it.
                let location = path::Path::parse(Self::below(connection.location.as_ref(), name));
                let location = location.map_err(|error| lost(error.to_string()))?;
                let object = connection.store.get(&location).await.map_err(failed)?;
                Ok(object.bytes().await.map_err(failed)?.to_vec())
            }
            Self::Folder(folder) => DiskIo.read(&folder.join(name)).map_err(|error| lost(error.to_string())),
        }
    }

    /// Says whether a folder is one of this machine. A server of another machine names a folder that is not here: its root,
    /// above the experiment and the run, would be made anew, and nobody would look there.
    fn is_here(&self, client: &Client) -> bool {
        match self {
            Self::Folder(folder) => {
                client.is_here() || folder.ancestors().nth(ROOT).is_some_and(|root| DiskIo.exists(root))
            }
            _ => false,
        }
    }

    fn lost(&self, client: &Client, cause: String) -> ServerError {
        ServerError::NoArtifacts { server: client.server().to_owned(), place: self.shown(), cause }
    }

    fn shown(&self) -> String {
        match self {
            Self::Server(path) => format!("mlflow-artifacts:/{path}"),
            Self::Store(address) => format!("{}/{}", address.bucket, address.name),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }
}

fn copy(stored: &Stored, path: &Path, to: &mut dyn Write) -> Result<(), Error> {
    let mut from = stored.open()?;
    loop {
        let piece = piece(&mut from, PIECE as u64).map_err(|error| Error::io(Operation::Read, &stored.path, error))?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(&piece).map_err(|error| Error::io(Operation::Write, path, error))?;
    }
}

/// Puts a long object into a store, in parts: it is there when the last has arrived.
async fn put_parts(
    connection: &Connection,
    location: &path::Path,
    stored: &Stored,
    failed: impl Fn(object_store::Error) -> ServerError,
    lost: impl Fn(String) -> ServerError,
) -> Result<(), ServerError> {
    let mut file = stored.open().map_err(|error| lost(error.to_string()))?;
    let mut upload = connection.store.put_multipart(location).await.map_err(&failed)?;
    let length = PART.max(stored.length / PARTS + 1);
    let sent = async {
        let mut parts = FuturesUnordered::new();
        loop {
            let piece = piece(&mut file, length).map_err(|error| lost(error.to_string()))?;
            if piece.is_empty() {
                break;
            }
            parts.push(upload.put_part(piece.into()));
            if parts.len() == PARTS_TOGETHER
                && let Some(part) = parts.next().await
            {
                part.map_err(&failed)?;
            }
        }
        while let Some(part) = parts.next().await {
            part.map_err(&failed)?;
        }
        Ok(())
    };
    let sent: Result<(), ServerError> = sent.await;
    if sent.is_err() {
        // What the store keeps of it is invisible, and goes by its own rules where this fails.
        let _ = upload.abort().await;
        return sent;
    }
    upload.complete().await.map(drop).map_err(&failed)
}

/// Refuses a name that would lead out of the folder that it is meant for.
fn named(name: String) -> Result<String, String> {
    check_artifact_path(&name).map(|()| name).map_err(|error| error.to_string())
}

async fn connect(address: &ObjectAddress) -> Result<Connection, String> {
    trainyard_stores::connect(address, &[]).await.map_err(|unusable| match unusable {
        Unusable::Settings { cause } | Unusable::Nobody { cause } => cause,
    })
}

/// Asks for a path of the server's own artifacts.
fn artifacts(method: Method, path: &str) -> Question<'_> {
    let mut route = vec!["mlflow-artifacts", "artifacts"];
    route.extend(path.split('/').filter(|part| !part.is_empty()));
    Question { method, route, query: Vec::new(), body: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_where_artifacts_go() {
        let server = |path: &str| Ok(Place::Server(path.to_owned()));
        assert_eq!(Place::of("mlflow-artifacts:/1/ab/artifacts"), server("1/ab/artifacts"));
        assert_eq!(Place::of("mlflow-artifacts://host:5000/1/ab/artifacts"), server("1/ab/artifacts"));
        assert_eq!(Place::of("file:///art/1"), Ok(Place::Folder("/art/1".into())));
        assert_eq!(Place::of("/art/1"), Ok(Place::Folder("/art/1".into())));
        assert!(Place::of("./mlruns/1").is_err());
        assert!(Place::of("dbfs://x/y").is_err());
        assert!(matches!(Place::of("s3://bucket/1/ab"), Ok(Place::Store(address)) if address.bucket == "bucket"));
    }
}
