//! Taking data under versions.

use std::collections::BTreeSet;
use std::path::Path;

use trainyard_files::{Operation, create_folder, sweep_temporaries, write_atomic};

use crate::checkout::relink;
use crate::config::Link;
use crate::dvc_file::{Described as Values, DvcFile, Kind};
use crate::known::{Known, now};
use crate::md5::ObjectId;
use crate::remote::{Tally, Watch};
use crate::repository::{Described, Repository, joined};
use crate::snapshot::{Snapshot, look, take_in};
use crate::{Error, Errors, Failure};

/// Tells what became of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The path, below the root.
    pub path: String,
    /// The file that describes it.
    pub file: String,
    /// The object that it is.
    pub id: ObjectId,
    /// The sum of its bytes.
    pub size: u64,
    /// The number of its files, where it is a folder.
    pub count: Option<u64>,
    /// Whether it was versioned already, as it is.
    pub is_unchanged: bool,
    /// Links to folders in it, which DVC does not version.
    pub left_out: Vec<String>,
}

/// Is a path that may be added.
struct Target {
    path: String,
    snapshot: Snapshot,
    file: String,
    /// The number of the output in its file, where it is described already.
    output: Option<usize>,
}

/// Versions files and folders, each in a `.dvc` file beside it, and takes their bytes into the cache.
///
/// Paths are those of [`Repository::below`]. Everything that can be seen without reading a file is checked before
/// anything is written, and every problem told; a `.dvc` file is written last, when all that it names is on the disk. Who
/// watches may stop it: what was added before stays.
pub fn add(repository: &Repository, paths: &[String], watch: Watch<'_>) -> Result<Vec<Added>, Failure> {
    let (mut targets, mut described) = check(repository, paths)?;
    repository.begin().map_err(Failure::midway)?;
    let _lock = repository.lock()?;
    // Somebody may have been at work until now.
    if repository.described().outputs != described.outputs {
        (targets, described) = check(repository, paths)?;
    }
    sweep(repository, &targets).map_err(Failure::midway)?;
    let tally = Tally::new(targets.iter().map(|target| target.snapshot.tree.len()).sum(), watch);
    let added = targets.into_iter().map(|target| one(repository, target, &described, &tally).map_err(Failure::midway));
    let added: Vec<Added> = added.collect::<Result<_, _>>()?;
    if let Some(git) = repository.git.as_ref().filter(|_| repository.config.autostage) {
        let gitignore = |path: &str| joined(path.rsplit_once('/').map_or("", |(folder, _)| folder), ".gitignore");
        let files = added.iter().flat_map(|one| [one.file.clone(), gitignore(&one.path)]);
        let files: BTreeSet<String> = files.filter(|file| repository.io.exists(&repository.place(file))).collect();
        git.stage(&files.into_iter().collect::<Vec<_>>()).map_err(Failure::midway)?;
    }
    Ok(added)
}

/// Says whether paths may be added, without reading a file or writing one.
pub fn can_add(repository: &Repository, paths: &[String]) -> Result<(), Errors> {
    check(repository, paths).map(drop)
}

/// Removes what processes that died left half-written, in the cache and where files are about to be written.
fn sweep(repository: &Repository, targets: &[Target]) -> Result<(), Error> {
    repository.cache.sweep()?;
    let folders: BTreeSet<&str> =
        targets.iter().map(|target| target.file.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    for folder in folders.into_iter().chain(["", ".dvc"]) {
        sweep_temporaries(&*repository.io, &repository.place(folder))?;
    }
    Ok(())
}

/// Finds everything that is to be added, or all that is wrong with it; nothing is written.
fn check(repository: &Repository, paths: &[String]) -> Result<(Vec<Target>, Described), Errors> {
    let mut described = repository.described();
    let mut errors = std::mem::take(&mut described.errors);
    let mut targets: Vec<Target> = Vec::new();
    for path in paths.iter().collect::<BTreeSet<_>>() {
        if let Some(with) = paths.iter().find(|other| is_in(path, other) && *other != path) {
            let file = format!("{with}.dvc");
            errors.push(Error::Overlap { path: path.clone(), with: with.clone(), file });
            continue;
        }
        match target(repository, &described, path) {
            Ok(target) => targets.push(target),
            Err(found) => errors.extend(found),
        }
    }
    // The lines of a `.gitignore` come in the order in which the paths were named.
    targets.sort_by_key(|target| paths.iter().position(|path| *path == target.path));
    if errors.is_empty() { Ok((targets, described)) } else { Err(errors) }
}

fn one(repository: &Repository, mut target: Target, described: &Described, tally: &Tally<'_>) -> Result<Added, Errors> {
    let began = now();
    let file = described.files.get(&target.file);
    take_in(repository, &target.path, &mut target.snapshot, tally)?;
    let added = keep(repository, &target, file)?;
    let is_ignored = match &repository.git {
        Some(git) => git.ignored(&[&target.path])? == [true],
        None => true,
    };
    if !is_ignored {
        hide(repository, &target.path)?;
    }
    match repository.config.links.first() {
        Some(Link::Hardlink | Link::Symlink) => relink(repository, &target.path, &target.snapshot, began, tally)?,
        _ => Known::save(repository, &target.path, &target.snapshot, began)?,
    }
    write(repository, &target, &added, file)?;
    Ok(added)
}

/// Says whether a path is another one, or lies below it.
pub(crate) fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn target(repository: &Repository, described: &Described, path: &str) -> Result<Target, Errors> {
    let owned = || path.to_owned();
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_inner = [".dvc", ".git", ".trainyard"].iter().any(|inner| is_in(path, inner));
    let is_file_of_dvc =
        name.ends_with(".dvc") || matches!(name, "dvc.yaml" | "dvc.lock" | ".dvcignore" | ".gitignore");
    if path.is_empty() || is_inner || is_file_of_dvc {
        return Err(Error::NotData { path: if path.is_empty() { ".".to_owned() } else { owned() } }.into());
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return Err(Error::Name { path: path.escape_debug().to_string() }.into());
    }
    let known = described.outputs.iter().find(|output| output.path == path);
    if let Some((output, why)) = known.and_then(|output| match output.kind {
        Kind::Made(why) | Kind::Elsewhere(why) => Some((output, why)),
        Kind::Data | Kind::Dvc2(_) => None,
    }) {
        return Err(Error::NotOurs { path: owned(), file: output.file.clone(), why }.into());
    }
    let overlap =
        |output: &&crate::Output| output.path != path && (is_in(path, &output.path) || is_in(&output.path, path));
    if let Some(output) = described.outputs.iter().find(overlap) {
        return Err(Error::Overlap { path: owned(), with: output.path.clone(), file: output.file.clone() }.into());
    }
    let snapshot = look(repository, path)?.ok_or_else(|| Error::NotFound { path: owned() })?;
    if repository.ignore(path).leaves_out_whole(path, snapshot.is_folder) {
        return Err(Error::Ignored { path: owned(), by: ".dvcignore" }.into());
    }
    let file = known.map_or_else(|| format!("{path}.dvc"), |output| output.file.clone());
    if let Some(git) = &repository.git {
        if git.has(path)? {
            return Err(Error::InGit { path: owned() }.into());
        }
        if git.ignored(&[&file])? == [true] {
            return Err(Error::Ignored { path: file, by: ".gitignore" }.into());
        }
    }
    let output = known.and_then(|_| described.files.get(&file)?.outputs.iter().position(|output| output.path == path));
    Ok(Target { path: owned(), snapshot, file, output })
}

/// Keeps the list of a folder's files, and tells what is described.
fn keep(repository: &Repository, target: &Target, file: Option<&DvcFile>) -> Result<Added, Errors> {
    let snapshot = &target.snapshot;
    let id = snapshot.id();
    if snapshot.is_folder && !repository.cache.contains(&id) {
        let incoming = repository.cache.incoming()?;
        incoming.write(id, |to| {
            let mut written = Ok(());
            snapshot.tree.write(|piece| {
                if written.is_ok() {
                    written = to.write_all(piece);
                }
            });
            written
        })?;
        incoming.finish()?;
    }
    let before = target.output.and_then(|at| file?.outputs.get(at));
    let same = |before: &crate::Output| {
        let is_executable = snapshot.is_executable && !snapshot.is_folder;
        before.id == Some(id) && before.is_executable == is_executable && before.kind == Kind::Data
    };
    Ok(Added {
        path: target.path.clone(),
        file: target.file.clone(),
        id,
        size: snapshot.size(),
        count: snapshot.is_folder.then_some(snapshot.tree.len() as u64),
        is_unchanged: before.is_some_and(same),
        left_out: snapshot.left_out.clone(),
    })
}

/// Writes the file that describes data.
fn write(repository: &Repository, target: &Target, added: &Added, file: Option<&DvcFile>) -> Result<(), Error> {
    let values = Values {
        id: added.id,
        size: added.size,
        count: added.count,
        is_executable: target.snapshot.is_executable && !target.snapshot.is_folder,
    };
    let text = match (file, target.output) {
        (Some(file), Some(output)) => file.with(output, &values),
        _ => values.write(target.path.rsplit('/').next().unwrap_or(&target.path)),
    };
    let place = repository.place(&target.file);
    // What says the same already keeps its time.
    if repository.io.read(&place).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    Ok(write_atomic(&*repository.io, &place, text.as_bytes())?)
}

/// Adds data to the `.gitignore` beside it.
fn hide(repository: &Repository, path: &str) -> Result<(), Error> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let place = repository.place(folder).join(".gitignore");
    let mut text = match repository.io.read(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(trainyard_files::Error::io(Operation::Read, &place, error).into()),
    };
    let mut line = String::from("/");
    for c in name.chars() {
        if "\\[]!*#?".contains(c) {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('\n');
    if text.split_inclusive(|byte| *byte == b'\n').any(|found| found == line.as_bytes()) {
        return Ok(());
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    create_folder(&*repository.io, place.parent().unwrap_or_else(|| Path::new(".")))?;
    Ok(write_atomic(&*repository.io, &place, &text)?)
}
