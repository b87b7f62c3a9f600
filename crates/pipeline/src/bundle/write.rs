//! A run into a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Error as FileError, Io, Operation, hash_file, write_atomic_by};
use trainyard_tracking::{ModelReference, Tracking};

use super::manifest::{
    Artifact, CONFIGURATION, Data, FORMAT, IncumbentFiles, JOURNAL, MANIFEST, Manifest, Member, OBJECTS, SOURCE,
    VERSIONS,
};
use crate::engine::{Entry, Record};
use crate::look::{find_run, or_imported, states_of};
use crate::project::{Request, source_path};
use crate::session::Failure;
use crate::steps::{ENGINE, MODEL_FILES};
use crate::stores::Stores;
use crate::verify::provable;

/// The most bytes of an artifact that is kept only so that a difference can be named.
const LARGE: u64 = 64 << 20;
/// How hard the bytes are packed; the default of Zstandard's own program.
const LEVEL: i32 = 3;
/// The longest name that a member has.
const LONGEST: usize = 100;

/// What an export wrote.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The run.
    pub run: String,
    /// How the run stands.
    pub status: String,
    /// The bundle.
    pub bundle: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub digest: String,
    /// How many files it holds.
    pub members: usize,
    /// `source_file` or `ingested_table`.
    pub data: &'static str,
    /// Why the source itself is not in it.
    pub because: Option<String>,
    /// The libraries that a replay needs besides, by engine, with their digests.
    pub engines: BTreeMap<String, String>,
}

/// What a member is filled from.
enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Writes all that is needed to repeat a run into one file; the same run gives the same bytes.
///
/// With `is_whole` every artifact is in it; else those that are no table and not large, so that a difference can be
/// named.
///
/// # Errors
/// No such run, one that goes on or trained nothing, or bytes that are no longer stored.
pub fn export(request: &Request, run: &str, bundle: &Path, is_whole: bool) -> Result<ExportReport, Failure> {
    let stores = Stores::look(&request.io, &request.root)?;
    let states = states_of(&stores);
    let state = find_run(&states, run).map_err(|problem| or_imported(problem, &stores.tracking, run))?;
    let run = state.run.clone();
    stores.recorded(&run)?;
    let entries = stores.entries(&run)?;
    if state.state == "running" {
        let title = format!("run {run} goes on: what it makes is not known yet");
        return Err(Diagnostic::error("export/running", title).help("repeat the command when it has ended").into());
    }
    let recorded = provable(&run, &entries)?;
    let status = match entries.last() {
        Some(Entry::Ended { status, .. }) => status.clone(),
        _ => state.state.clone(),
    };
    let mut packing = Packing { request, stores: &stores, members: BTreeMap::new() };
    let (manifest, members) = packing.pack(&run, status, &recorded, is_whole)?;
    write(&*request.io, bundle, &manifest, &members)?;
    let (digest, bytes) = hash_file(&*request.io, bundle).map_err(|error| error.diagnostic())?;
    let (data, because) = match manifest.data {
        Data::SourceFile { .. } => ("source_file", None),
        Data::IngestedTable { because, .. } => ("ingested_table", Some(because)),
    };
    Ok(ExportReport {
        run,
        status: manifest.status,
        bundle: bundle.display().to_string(),
        bytes,
        digest: digest.to_string(),
        members: members.len() + 1,
        data,
        because,
        engines: manifest.engines.into_iter().map(|(name, digest)| (name, digest.to_string())).collect(),
    })
}

/// Gathers what goes into a bundle.
struct Packing<'a> {
    request: &'a Request,
    stores: &'a Stores,
    members: BTreeMap<String, (Member, Content)>,
}

impl Packing<'_> {
    fn pack(
        &mut self,
        run: &str,
        status: String,
        recorded: &BTreeMap<String, Record>,
        is_whole: bool,
    ) -> Result<(Manifest, Vec<(Member, Content)>), Failure> {
        let configuration = self.file(&self.stores.configuration_path(run))?;
        let document: Value = serde_json::from_slice(&configuration).unwrap_or_default();
        for part in ["split", "features", "model"] {
            let text = document[part]["text"].as_str().unwrap_or_default();
            self.add(format!("{VERSIONS}{part}.yaml"), text.as_bytes().to_vec());
        }
        self.add(CONFIGURATION.to_owned(), configuration);
        let journal = self.file(&self.stores.journal_path(run))?;
        self.add(JOURNAL.to_owned(), journal);
        let data = self.data(&document, recorded)?;
        let incumbent = self.incumbent(&document, recorded)?;
        for digest in needed(recorded) {
            self.object(&digest)?;
        }
        self.others(recorded, is_whole)?;
        let is_kept = |digest: &Digest| self.members.contains_key(&format!("{OBJECTS}{digest}"));
        let artifacts = recorded.values().flat_map(|record| {
            record.output.artifacts.iter().map(|(name, digest)| Artifact {
                step: record.step.clone(),
                name: name.clone(),
                digest: *digest,
                is_kept: is_kept(digest),
            })
        });
        let engines = recorded.values().flat_map(|record| &record.inputs);
        let engines = engines.filter_map(|input| Some((input.name.strip_prefix(ENGINE)?.to_owned(), input.digest)));
        let manifest = Manifest {
            format: FORMAT,
            made_by: concat!("trainyard ", env!("CARGO_PKG_VERSION")).to_owned(),
            run: run.to_owned(),
            status,
            project: document["project"]["name"].as_str().unwrap_or_default().to_owned(),
            data,
            engines: engines.collect(),
            code: recorded.values().map(|record| (record.step.clone(), record.code)).collect(),
            incumbent,
            artifacts: artifacts.collect(),
            members: self.members.values().map(|(member, _)| member.clone()).collect(),
        };
        Ok((manifest, std::mem::take(&mut self.members).into_values().collect()))
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, Diagnostic> {
        Ok(trainyard_files::read(&*self.request.io, path)?)
    }

    fn add(&mut self, path: String, bytes: Vec<u8>) {
        let member = Member { path: path.clone(), digest: Digest::of(&bytes), bytes: bytes.len() as u64 };
        self.members.insert(path, (member, Content::Bytes(bytes)));
    }

    /// Adds an object, which must be there and whole.
    fn object(&mut self, digest: &Digest) -> Result<(), Diagnostic> {
        let path = format!("{OBJECTS}{digest}");
        if !self.members.contains_key(&path) {
            let bytes = self.stores.objects.size(digest)?;
            let file = self.stores.objects.path(digest);
            self.members.insert(path.clone(), (Member { path, digest: *digest, bytes }, Content::File(file)));
        }
        Ok(())
    }

    /// Adds the source where it is one file and still what the run read, else the table that was ingested.
    fn data(&mut self, document: &Value, recorded: &BTreeMap<String, Record>) -> Result<Data, Failure> {
        let ingest = recorded.get("ingest");
        let resolved = trainyard_spec::Resolved::from_json(document).map_err(|problems| problems.into_vec())?;
        let spec = &resolved.project.data;
        let source = spec.source.shown();
        let then = ingest.and_then(|record| record.inputs.iter().find(|input| input.name == "source"));
        let path = source_path(&self.request.root, &resolved.overrides, &spec.source.value);
        let because = if spec.source.sql.is_some() {
            "it is a query over files"
        } else if trainyard_sources::is_database(spec) {
            "it is a database"
        } else if trainyard_sources::is_object(spec) {
            "it is in an object store"
        } else if trainyard_data::matching(&*self.request.io, &path).is_some() {
            "it is several files"
        } else if ingest.is_some_and(|record| record.inputs.iter().any(|input| input.name == "images")) {
            "images lie beside it"
        } else {
            match (hash_file(&*self.request.io, &path), then) {
                (Ok((digest, bytes)), Some(then)) if digest == then.digest => {
                    let member = member_of_source(&path);
                    let about = Member { path: member.clone(), digest, bytes };
                    self.members.insert(member.clone(), (about, Content::File(path)));
                    return Ok(Data::SourceFile { source, member });
                }
                (Ok(_), _) => "it is no longer what the run read",
                (Err(_), _) => "it can no longer be read",
            }
        };
        if let Some(table) = ingest.and_then(|record| record.output.artifacts.get("table")) {
            self.object(table)?;
        }
        Ok(Data::IngestedTable { source, because: because.to_owned() })
    }

    /// Adds the model that the candidate was compared with.
    fn incumbent(
        &mut self,
        document: &Value,
        recorded: &BTreeMap<String, Record>,
    ) -> Result<Option<IncumbentFiles>, Failure> {
        let found = recorded.get("compare").map(|record| &record.output.facts["incumbent"]);
        let (Some(found), Some(model)) =
            (found.filter(|found| !found.is_null()), document["project"]["model"].as_str())
        else {
            return Ok(None);
        };
        let number = found["version"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
        let told = |error: trainyard_tracking::Error| error.diagnostic();
        let tracking = &self.stores.tracking;
        let digest = found["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
        let made = digest.map(|digest| tracking.version_made(model, number, &digest)).transpose().map_err(told)?;
        let known = || tracking.version_by(&ModelReference::version(model, number));
        let version = made.flatten().map_or_else(known, Ok).map_err(told)?;
        let all = self.stores.tracking.folder_digests(&version.run, &version.artifact_path).map_err(told)?;
        let files: BTreeMap<String, Digest> =
            all.into_iter().filter(|(file, _)| MODEL_FILES.contains(&file.as_str())).collect();
        for digest in files.values() {
            self.object(digest)?;
        }
        let stage = found["stage"].as_str().unwrap_or_default().to_owned();
        let (model, run, digest) = (version.model, version.run, version.digest);
        Ok(Some(IncumbentFiles { model, version: number, run, digest, stage, files }))
    }

    /// Adds artifacts that no replay needs, so that what differs can be told; one that is gone is left out.
    fn others(&mut self, recorded: &BTreeMap<String, Record>, is_whole: bool) -> Result<(), Diagnostic> {
        for digest in recorded.values().flat_map(|record| record.output.artifacts.values()) {
            let Ok(bytes) = self.stores.objects.size(digest) else { continue };
            if is_whole || bytes <= LARGE && !self.is_table(digest)? {
                self.object(digest)?;
            }
        }
        Ok(())
    }

    fn is_table(&self, digest: &Digest) -> Result<bool, Diagnostic> {
        let path = self.stores.objects.path(digest);
        let failed = |error| FileError::io(Operation::Read, &path, error);
        let mut begin = Vec::new();
        self.request.io.open(&path).map_err(failed)?.take(4).read_to_end(&mut begin).map_err(failed)?;
        Ok(begin == b"PAR1")
    }
}

/// Lists the objects without which the run can't be repeated: what it read that no step makes again.
fn needed(recorded: &BTreeMap<String, Record>) -> BTreeSet<Digest> {
    let artifact = |step: &str, name: &str| recorded.get(step)?.output.artifacts.get(name).copied();
    let mut needed: BTreeSet<Digest> =
        [artifact("validate", "suite"), artifact("drift", "reference")].into_iter().flatten().collect();
    let frozen = artifact("split", "reference").filter(|digest| {
        let inputs = recorded.get("split").map(|record| record.inputs.as_slice()).unwrap_or_default();
        inputs.iter().any(|input| input.name == "reference" && input.digest == *digest)
    });
    needed.extend(frozen);
    let earlier = recorded.get("tune").and_then(|record| record.output.facts["earlier"].as_object());
    let earlier = earlier.into_iter().flatten().filter_map(|(_, digest)| digest.as_str()?.parse::<Digest>().ok());
    needed.extend(earlier);
    needed
}

/// Names the source in the archive: by its own name, where every system can have it.
fn member_of_source(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    let fits = SOURCE.len() + name.len() <= LONGEST && name.chars().all(is_plain) && !name.starts_with('.');
    match (fits, name.split_once('.')) {
        (true, _) => format!("{SOURCE}{name}"),
        // What it is packed and written as is read from its ending.
        (false, Some((_, ending))) if ending.len() < 20 && ending.chars().all(is_plain) => {
            format!("{SOURCE}source.{ending}")
        }
        _ => format!("{SOURCE}source"),
    }
}

/// Writes the archive, the manifest first.
fn write(io: &dyn Io, bundle: &Path, manifest: &Manifest, members: &[(Member, Content)]) -> Result<(), Diagnostic> {
    let failed = |error: io::Error| Diagnostic::from(FileError::io(Operation::Write, bundle, error));
    write_atomic_by(io, bundle, |file| {
        let mut packed = zstd::stream::write::Encoder::new(file, LEVEL).map_err(failed)?;
        packed.include_checksum(true).map_err(failed)?;
        let mut archive = tar::Builder::new(packed);
        let mut bytes = serde_json::to_vec_pretty(manifest).unwrap_or_default();
        bytes.push(b'\n');
        append(&mut archive, MANIFEST, bytes.len() as u64, &mut bytes.as_slice()).map_err(failed)?;
        for (member, content) in members {
            match content {
                Content::Bytes(bytes) => {
                    append(&mut archive, &member.path, member.bytes, &mut bytes.as_slice()).map_err(failed)?;
                }
                Content::File(path) => {
                    let file = io.open(path).map_err(|error| FileError::io(Operation::Open, path, error))?;
                    append(&mut archive, &member.path, member.bytes, &mut file.take(member.bytes)).map_err(failed)?;
                    // What was digested is what was written, or the reader will say that it was not.
                    let (digest, length) = hash_file(io, path)?;
                    if (digest, length) != (member.digest, member.bytes) {
                        let title = format!("{} changed while it was exported", path.display());
                        return Err(Diagnostic::error("export/changed", title).help("repeat the command"));
                    }
                }
            }
        }
        archive.into_inner().and_then(zstd::stream::write::Encoder::finish).map_err(failed)?;
        Ok(())
    })
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, path, content)
}
