//! Where a server's artifacts lie, and how they get there: through the server, or straight to their store.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStoreExt, PutPayload, path};
use reqwest::Method;
use serde_json::Value;
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_spec::{ObjectAddress, Store};
use trainyard_stores::{Connection, Unusable};

use super::client::{Body, Client, Question, Unanswered};
use super::error::ServerError;
use crate::check_artifact_path;

/// How far above a run's folder of artifacts the root of all is: the run, the experiment.
const ROOT: usize = 3;
/// How many files go at the same time.
const TOGETHER: usize = 16;

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

    /// Puts files there, several at the same time. `read` gives the bytes of each.
    pub(crate) async fn put<'f>(
        &self,
        client: &Client,
        files: &'f [String],
        read: impl Fn(&str) -> Result<Vec<u8>, ServerError>,
    ) -> Result<(), ServerError> {
        let server = client.server();
        let lost = |cause: String| ServerError::NoArtifacts { server: server.to_owned(), place: self.shown(), cause };
        match self {
            Self::Server(parent) => {
                let read = &read;
                let one = |name: &'f String| async move {
                    let path = Self::below(parent, name);
                    let mut question = artifacts(Method::PUT, &path);
                    question.body = Some(Body::Bytes(read(name)?.into()));
                    let sent = client.fetch_again(&question).await;
                    sent.map(drop).map_err(|error| error.told(server, &format!("take the artifact {name}")))
                };
                stream::iter(files).map(one).buffer_unordered(TOGETHER).try_collect::<()>().await
            }
            Self::Store(address) => {
                let connection = connect(address).await.map_err(lost)?;
                let (connection, read) = (&connection, &read);
                let one = |name: &'f String| async move {
                    let location = path::Path::from(Self::below(connection.location.as_ref(), name));
                    let sent = connection.store.put(&location, PutPayload::from(read(name)?)).await;
                    sent.map(drop).map_err(|error| match trainyard_stores::fault(&error) {
                        (trainyard_stores::Fault::Passing, cause) => {
                            ServerError::Unreachable { server: self.shown(), cause }
                        }
                        (_, cause) => lost(cause),
                    })
                };
                stream::iter(files).map(one).buffer_unordered(TOGETHER).try_collect::<()>().await
            }
            Self::Folder(folder) => {
                // A server of another machine names a folder that is not here: its root, above the experiment and the run,
                // would be made anew, and nobody would look there.
                let is_here = folder.ancestors().nth(ROOT).is_some_and(|root| DiskIo.exists(root));
                if !is_here && !client.is_here() {
                    return Err(lost("it is a folder of the server's machine".to_owned()));
                }
                for name in files {
                    let bytes = read(name)?;
                    write_atomic(&DiskIo, &folder.join(name), &bytes).map_err(|error| lost(error.to_string()))?;
                }
                Ok(())
            }
        }
    }

    /// Reads the files below the place, with their paths.
    pub(crate) async fn get(&self, client: &Client) -> Result<Vec<(String, Vec<u8>)>, ServerError> {
        let server = client.server();
        let lost = |cause: String| ServerError::NoArtifacts { server: server.to_owned(), place: self.shown(), cause };
        match self {
            Self::Server(parent) => {
                let told = |error: Unanswered| error.told(server, "give artifacts");
                let (mut folders, mut files) = (vec![String::new()], Vec::new());
                while let Some(folder) = folders.pop() {
                    let path = Self::below(parent, &folder);
                    let mut question = artifacts(Method::GET, "");
                    question.query = vec![("path", path.trim_end_matches('/'))];
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
                files.sort();
                let one = |name: String| async move {
                    let path = Self::below(parent, &name);
                    let bytes = client.fetch_again(&artifacts(Method::GET, &path)).await.map_err(told)?;
                    Ok((name, bytes))
                };
                stream::iter(files).map(one).buffered(TOGETHER).try_collect().await
            }
            Self::Store(address) => {
                let connection = connect(address).await.map_err(lost)?;
                let failed = |error: object_store::Error| lost(trainyard_stores::fault(&error).1);
                let listed: Vec<_> =
                    connection.store.list(Some(&connection.location)).try_collect().await.map_err(failed)?;
                let mut files = Vec::new();
                for object in listed {
                    let bytes = connection.store.get(&object.location).await.map_err(failed)?;
                    let bytes = bytes.bytes().await.map_err(failed)?;
                    let name = object.location.as_ref();
                    let name = name.strip_prefix(connection.location.as_ref()).unwrap_or(name);
                    files.push((named(name.trim_start_matches('/').to_owned()).map_err(lost)?, bytes.to_vec()));
                }
                Ok(files)
            }
            Self::Folder(folder) => {
                let failed = |error: std::io::Error| lost(error.to_string());
                let (mut folders, mut files) = (vec![folder.clone()], Vec::new());
                while let Some(inside) = folders.pop() {
                    for path in DiskIo.list(&inside).map_err(failed)? {
                        if DiskIo.metadata(&path).map_err(failed)?.is_dir {
                            folders.push(path);
                            continue;
                        }
                        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                        files.push((name, DiskIo.read(&path).map_err(failed)?));
                    }
                }
                files.sort();
                Ok(files)
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Server(path) => format!("mlflow-artifacts:/{path}"),
            Self::Store(address) => format!("{}/{}", address.bucket, address.name),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }
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
