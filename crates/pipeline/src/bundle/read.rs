//! A bundle into an empty folder, each part held against the manifest. What came from elsewhere is not trusted.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Error as FileError, Io, Operation, create_folder, hash_file};
use trainyard_tracking::{VersionRecord, parse_stage};

use super::manifest::{
    CONFIGURATION, Data, FORMAT, IncumbentFiles, JOURNAL, MANIFEST, Manifest, Member, OBJECTS, SOURCE, VERSIONS,
};
use crate::project::{Request, STATE};
use crate::session::Failure;
use crate::steps::{SourceAt, StoredIncumbent};
use crate::stores::Stores;
use crate::verify::Recorded;

/// The most bytes of a manifest.
const LONGEST_MANIFEST: u64 = 64 << 20;
/// The most bytes that all members have together: more than any run's data in one file.
const MOST_BYTES: u64 = 1 << 40;
/// The largest window of Zstandard that is taken, as a power of two; its own program asks before it takes a larger one.
const WINDOW: u32 = 27;
/// The longest id of a run that tracking takes.
const LONGEST_ID: usize = 256;

/// Unpacks a bundle into `folder`, which is empty, and gives the run in it; nothing where `stop` asks to end.
///
/// # Errors
/// What is no bundle, one of a later format, an altered or a cut one.
pub(crate) fn opened(
    request: &Request,
    bundle: &Path,
    folder: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Recorded>, Failure> {
    let unpacking = Unpacking { io: &*request.io, bundle, folder };
    let Some(manifest) = unpacking.unpack(stop)? else { return Ok(None) };
    let stores = Stores::look(&request.io, folder)?;
    let entries = stores.entries(&manifest.run)?;
    let source = match &manifest.data {
        Data::SourceFile { member, .. } => SourceAt::File(folder.join(member)),
        Data::IngestedTable { .. } => SourceAt::Nowhere,
    };
    let incumbent = manifest.incumbent.map(|found| Box::new(stored(found)));
    Ok(Some(Recorded { stores, run: manifest.run, entries, source, incumbent, scratch: folder.to_owned() }))
}

fn stored(found: IncumbentFiles) -> StoredIncumbent {
    let version = VersionRecord {
        model: found.model,
        version: found.version,
        run: found.run,
        digest: found.digest,
        artifact_path: "model".to_owned(),
        stage: parse_stage(&found.stage).unwrap_or(trainyard_spec::Stage::None),
        aliases: Vec::new(),
        rows: BTreeMap::new(),
        created_ms: 0,
    };
    StoredIncumbent { version, files: found.files }
}

/// The most characters of what a bundle says that are shown.
const SHOWN: usize = 160;

/// Gives a text out of a bundle as it may be shown: of any length, it could move the cursor.
fn clean(text: &str) -> String {
    text.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect()
}

struct Unpacking<'a> {
    io: &'a dyn Io,
    bundle: &'a Path,
    folder: &'a Path,
}

impl Unpacking<'_> {
    fn problem(&self, code: &str, title: String) -> Diagnostic {
        Diagnostic::error(code, title)
            .help("export the run again, or fetch the bundle again: `trainyard export RUN FILE`")
    }

    fn name(&self) -> String {
        self.bundle.display().to_string()
    }

    fn altered(&self, what: &str) -> Diagnostic {
        let problem =
            Diagnostic::error("bundle/altered", format!("{} is not as it was written: {}", self.name(), clean(what)));
        problem.note("nothing of it was run").help("fetch the bundle again from who exported it")
    }

    /// Says that the archive can't be read on: it is cut, or no archive at all.
    fn unreadable(&self, begun: bool, error: &io::Error) -> Diagnostic {
        let (code, title) = match begun {
            true => ("bundle/cut", format!("{} can't be read to its end", self.name())),
            false => ("bundle/none", format!("{} is no bundle of a run", self.name())),
        };
        self.problem(code, title).note(clean(&error.to_string()))
    }

    fn unpack(&self, stop: &dyn Fn() -> bool) -> Result<Option<Manifest>, Diagnostic> {
        let file = self.io.open(self.bundle).map_err(|error| FileError::io(Operation::Open, self.bundle, error))?;
        let mut packed =
            zstd::stream::read::Decoder::new(BufReader::new(file)).map_err(|error| self.unreadable(false, &error))?;
        packed.window_log_max(WINDOW).map_err(|error| self.unreadable(false, &error))?;
        let mut archive = tar::Archive::new(packed);
        let entries = archive.entries().map_err(|error| self.unreadable(false, &error))?;
        // Members that only say something of the next one would let a name or a size come from elsewhere.
        let mut entries = entries.raw(true);
        let manifest = match entries.next() {
            Some(Ok(mut first)) => self.manifest(&mut first)?,
            Some(Err(error)) => return Err(self.unreadable(false, &error)),
            None => return Err(self.unreadable(false, &io::Error::from(io::ErrorKind::UnexpectedEof))),
        };
        for member in &manifest.members {
            if stop() {
                return Ok(None);
            }
            match entries.next() {
                Some(Ok(mut entry)) => self.member(&manifest, member, &mut entry)?,
                Some(Err(error)) => return Err(self.unreadable(true, &error)),
                None => {
                    return Err(
                        self.problem("bundle/cut", format!("{} ends before {}", self.name(), clean(&member.path)))
                    );
                }
            }
        }
        match entries.next() {
            Some(Ok(entry)) => {
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                return Err(self.unsafe_member(&name, "its manifest does not know it"));
            }
            Some(Err(error)) => return Err(self.unreadable(true, &error)),
            None => {}
        }
        // The checksum of the whole comes last.
        let mut rest = archive.into_inner();
        io::copy(&mut Read::by_ref(&mut rest).take(LONGEST_MANIFEST), &mut io::sink())
            .map_err(|error| self.unreadable(true, &error))?;
        for wanted in [CONFIGURATION, JOURNAL] {
            if !manifest.members.iter().any(|member| member.path == wanted) {
                return Err(self.altered(&format!("it has no {wanted}")));
            }
        }
        Ok(Some(manifest))
    }

    fn manifest(&self, entry: &mut tar::Entry<'_, impl Read>) -> Result<Manifest, Diagnostic> {
        let size = entry.header().entry_size().unwrap_or(u64::MAX);
        if &*entry.path_bytes() != MANIFEST.as_bytes() || !is_plain(entry) {
            let error = io::Error::other(format!("its first member is not {MANIFEST}"));
            return Err(self.unreadable(false, &error));
        }
        if size > LONGEST_MANIFEST {
            return Err(self.too_large(MANIFEST));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| self.unreadable(true, &error))?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| self.altered(&format!("{MANIFEST}: {error}")))?;
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(later) if later > FORMAT => {
                let title = format!("{} was written by a later version of Trainyard", self.name());
                let note = format!("it has format {later}; this version reads up to {FORMAT}");
                let made = value["made_by"].as_str().unwrap_or_default();
                let problem = Diagnostic::error("bundle/later", title).note(note);
                let problem = if made.is_empty() { problem } else { problem.note(format!("made by {}", clean(made))) };
                return Err(problem.help("verify it with that version"));
            }
            _ => return Err(self.altered(&format!("{MANIFEST} has no format"))),
        }
        let manifest: Manifest =
            serde_json::from_value(value).map_err(|error| self.altered(&format!("{MANIFEST}: {error}")))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if manifest.run.is_empty() || manifest.run.len() > LONGEST_ID || !manifest.run.chars().all(plain) {
            return Err(self.altered("its run has no id"));
        }
        let mut all: u64 = 0;
        let mut before = "";
        for member in &manifest.members {
            self.refuse_unsafe(member)?;
            if member.path.as_str() <= before {
                return Err(self.altered("its members are not in order"));
            }
            before = &member.path;
            all = all.saturating_add(member.bytes);
            if all > MOST_BYTES {
                return Err(self.too_large(&member.path));
            }
        }
        if let Data::SourceFile { member, .. } = &manifest.data
            && !(member.starts_with(SOURCE) && manifest.members.iter().any(|known| known.path == *member))
        {
            return Err(self.altered("its source is not in it"));
        }
        Ok(manifest)
    }

    fn too_large(&self, member: &str) -> Diagnostic {
        let title = format!("{} holds more than any bundle: {} is too large", self.name(), clean(member));
        Diagnostic::error("bundle/too-large", title)
            .note("nothing of it was run")
            .help("fetch the bundle again from who exported it")
    }

    fn unsafe_member(&self, name: &str, why: &str) -> Diagnostic {
        let title = format!("{} holds what no bundle holds: {}", self.name(), clean(name));
        Diagnostic::error("bundle/unsafe", title)
            .note(why)
            .note("nothing of it was run")
            .help("take bundles only from whom you trust")
    }

    /// Refuses names that lead out of the folder, or that no bundle has.
    fn refuse_unsafe(&self, member: &Member) -> Result<(), Diagnostic> {
        let path = member.path.as_str();
        let refuse = |why: &str| Err(self.unsafe_member(path, why));
        if path.starts_with('/') {
            return refuse("its name is an absolute path");
        }
        if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return refuse("its name leads out of the folder that it is unpacked into");
        }
        if path.contains(['\\', '\0']) {
            return refuse("its name is none that every system takes alike");
        }
        let within = |folder: &str| path.strip_prefix(folder).filter(|rest| !rest.contains('/'));
        let is_known = [CONFIGURATION, JOURNAL].contains(&path)
            || within(OBJECTS).is_some_and(|name| name == member.digest.to_string())
            || within(SOURCE).is_some()
            || within(VERSIONS).is_some();
        if is_known { Ok(()) } else { refuse("no bundle has a file of this name") }
    }

    /// Unpacks one member to where a replay looks for it.
    fn member(
        &self,
        manifest: &Manifest,
        member: &Member,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<(), Diagnostic> {
        let name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&name).into_owned();
        if !is_plain(entry) {
            return Err(
                self.unsafe_member(&shown, "it is a link, a folder or a device, where bundles have plain files")
            );
        }
        if name != member.path.as_bytes() {
            if !manifest.members.iter().any(|known| known.path == shown) {
                return Err(self.unsafe_member(&shown, "its manifest does not know it"));
            }
            return Err(self.altered(&format!("{shown} stands where {} should", member.path)));
        }
        if entry.header().entry_size().ok() != Some(member.bytes) {
            return Err(self.altered(&format!("{shown} has another size than its manifest says")));
        }
        let path = self.place(manifest, member);
        if let Some(parent) = path.parent() {
            create_folder(self.io, parent)?;
        }
        let failed = |operation, error| FileError::io(operation, &path, error);
        let mut file = self.io.create(&path).map_err(|error| failed(Operation::Create, error))?;
        let mut buffer = vec![0; 1 << 16];
        let mut length = 0_u64;
        loop {
            let count = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(true, &error)),
            };
            length += count as u64;
            let bytes = buffer.get(..count).unwrap_or_default();
            file.write_all(bytes).map_err(|error| failed(Operation::Write, error))?;
        }
        file.flush().map_err(|error| failed(Operation::Write, error))?;
        drop(file);
        let (digest, _): (Digest, u64) = hash_file(self.io, &path)?;
        if digest != member.digest || length != member.bytes {
            return Err(self.altered(&format!("the bytes of {shown} have another digest")));
        }
        Ok(())
    }

    fn place(&self, manifest: &Manifest, member: &Member) -> PathBuf {
        let state = self.folder.join(STATE);
        let run = state.join("runs").join(&manifest.run);
        match member.path.as_str() {
            CONFIGURATION => run.join("configuration.json"),
            JOURNAL => run.join("journal.jsonl"),
            path => match path.strip_prefix(OBJECTS).and_then(|name| name.split_at_checked(2)) {
                Some((folder, name)) => state.join("objects").join(folder).join(name),
                None => self.folder.join(path),
            },
        }
    }
}

/// Says whether a member is a file and nothing else.
fn is_plain(entry: &tar::Entry<'_, impl Read>) -> bool {
    entry.header().entry_type() == tar::EntryType::Regular && entry.link_name_bytes().is_none()
}
