//! What Git knows, asked of the program `git`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Asks about the repository that holds a project.
#[derive(Clone, Debug)]
pub struct Git {
    root: PathBuf,
    /// Where the project lies in the repository; empty, or a path that ends with `/`.
    prefix: String,
    /// Whether there is a program to ask.
    can_answer: bool,
}

impl Git {
    /// Finds the repository that holds a folder, an absolute path; no program is asked.
    pub(crate) fn find(root: &Path) -> Option<Self> {
        let top = root.ancestors().find(|folder| folder.join(".git").exists())?;
        let below = root.strip_prefix(top).ok()?.to_str()?;
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        Some(Self { root: root.to_path_buf(), prefix, can_answer: has_program() })
    }

    /// Says whether there is a program `git` to ask.
    ///
    /// Without it a path counts as one that Git neither has nor ignores, so a line of `.gitignore` keeps Git from it,
    /// and nothing is staged: whoever has the program sees what to commit. What needs commits is refused.
    pub(crate) fn can_answer(&self) -> bool {
        self.can_answer
    }

    fn ask(&self, arguments: &[&str], input: Vec<u8>) -> Result<(bool, Vec<u8>), Error> {
        let failed = |said: String| Error::Git { command: arguments.join(" "), said };
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root).args(["-c", "core.quotePath=false", "-c", "log.showRoot=true"]);
        command.args(arguments).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let writer = child.stdin.take().map(|mut stdin| std::thread::spawn(move || stdin.write_all(&input)));
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        // A program that ended early has said why.
        let _ = writer.map(std::thread::JoinHandle::join);
        match output.status.code() {
            Some(0) => Ok((true, output.stdout)),
            Some(1) => Ok((false, output.stdout)),
            _ => Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())),
        }
    }

    /// Says which paths the patterns of `.gitignore` leave out.
    pub(crate) fn ignored(&self, paths: &[&str]) -> Result<Vec<bool>, Error> {
        if !self.can_answer {
            return Ok(vec![false; paths.len()]);
        }
        let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let (_, found) = self.ask(&["check-ignore", "--no-index", "-z", "--stdin"], input.into_bytes())?;
        let found: Vec<&[u8]> = found.split(|byte| *byte == 0).collect();
        Ok(paths.iter().map(|path| found.contains(&path.as_bytes())).collect())
    }

    /// Says whether Git has a path, or anything below it.
    pub(crate) fn has(&self, path: &str) -> Result<bool, Error> {
        if !self.can_answer {
            return Ok(false);
        }
        let literal = format!(":(literal){path}");
        Ok(!self.ask(&["ls-files", "-z", "--", &literal], Vec::new())?.1.is_empty())
    }

    /// Puts files into the index.
    pub(crate) fn stage(&self, paths: &[String]) -> Result<(), Error> {
        if !self.can_answer {
            return Ok(());
        }
        let literal: Vec<String> = paths.iter().map(|path| format!(":(literal){path}")).collect();
        let mut arguments = vec!["add", "--"];
        arguments.extend(literal.iter().map(String::as_str));
        self.ask(&arguments, Vec::new()).map(drop)
    }

    /// Returns the files of a revision that describe versioned data, with their texts; paths are below the project's
    /// root.
    pub(crate) fn described_at(&self, revision: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let unknown = || Error::Revision { revision: revision.to_owned() };
        let commit = format!("{revision}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let (is_known, commit) = self.ask(&arguments, Vec::new()).map_err(|error| match error {
            Error::Git { said, .. } if !said.contains("not a git repository") && !said.contains("No such file") => {
                unknown()
            }
            error => error,
        })?;
        if !is_known {
            return Err(unknown());
        }
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let (_, listed) = self.ask(&["ls-tree", "-r", "-z", "--full-tree", &commit], Vec::new())?;
        let mut found = Vec::new();
        for line in listed.split(|byte| *byte == 0) {
            let Some(line) = std::str::from_utf8(line).ok() else { continue };
            let Some((about, path)) = line.split_once('\t') else { continue };
            let (Some(blob), Some(path)) = (about.split(' ').nth(2), path.strip_prefix(&self.prefix)) else { continue };
            if describes(path) {
                found.push((path.to_owned(), blob.to_owned()));
            }
        }
        let blobs: Vec<String> = found.iter().map(|(_, blob)| blob.clone()).collect();
        let texts = self.blobs(&blobs)?;
        Ok(found.into_iter().filter_map(|(path, blob)| Some((path, texts.get(&blob)?.clone()))).collect())
    }

    /// Returns every text that a file which describes versioned data has, or had, in any commit that a reference
    /// reaches,
    /// and in the index; with the path of one such file.
    pub(crate) fn described_ever(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let mut note = |about: &str, path: &str, field: usize| {
            let blob = about.split(' ').nth(field).filter(|_| describes(path));
            if let Some(blob) = blob.filter(|blob| !blob.bytes().all(|byte| byte == b'0')) {
                found.insert(blob.to_owned(), path.to_owned());
            }
        };
        let arguments = [
            "log",
            "--all",
            "--full-history",
            "-m",
            "--raw",
            "-z",
            "--no-abbrev",
            "--no-renames",
            "--format=",
            "--",
            ":(top,glob)**/*.dvc",
            ":(top,glob)**/dvc.lock",
        ];
        let (_, log) = self.ask(&arguments, Vec::new())?;
        let mut fields = log.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        while let Some(about) = fields.next() {
            let about = about.trim_start_matches('\n');
            if about.starts_with(':') {
                note(about, &fields.next().unwrap_or_default(), 3);
            }
        }
        let (_, index) = self.ask(&["ls-files", "--stage", "-z", "--full-name", ":(top)"], Vec::new())?;
        for line in index.split(|byte| *byte == 0).map(String::from_utf8_lossy) {
            if let Some((about, path)) = line.split_once('\t') {
                note(about, path, 1);
            }
        }
        let blobs: Vec<String> = found.keys().cloned().collect();
        let mut texts = self.blobs(&blobs)?;
        Ok(found.into_iter().filter_map(|(blob, path)| Some((path, texts.remove(&blob)?))).collect())
    }

    fn blobs(&self, blobs: &[String]) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut texts = BTreeMap::new();
        if blobs.is_empty() {
            return Ok(texts);
        }
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let (_, output) = self.ask(&["cat-file", "--batch"], input.into_bytes())?;
        let mut rest = output.as_slice();
        for blob in blobs {
            let lost =
                || Error::Git { command: format!("cat-file --batch < {blob}"), said: "the object is not there".into() };
            let line = rest.iter().position(|byte| *byte == b'\n').ok_or_else(lost)?;
            let head = String::from_utf8_lossy(&rest[..line]).into_owned();
            let size: usize = head.split(' ').nth(2).and_then(|size| size.parse().ok()).ok_or_else(lost)?;
            let text = rest.get(line + 1..line + 1 + size).ok_or_else(lost)?;
            texts.insert(blob.clone(), text.to_vec());
            rest = rest.get(line + size + 2..).unwrap_or_default();
        }
        Ok(texts)
    }
}

/// Says whether the system would find a program `git`.
fn has_program() -> bool {
    let is_program = |path: PathBuf| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    // Where nothing is said, the system looks here.
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    env::split_paths(&path).any(|folder| is_program(folder.join("git")))
}

/// Is where a folder stands in the history of its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The commit's name, in full.
    pub id: String,
    /// Whether the folder holds something else than the commit.
    pub is_dirty: bool,
}

/// Tells at which commit a folder stands. It is dirty when a file in it that Git has was changed, or when one of the files
/// and folders `whole` holds a file that Git does not have; `besides` some. Paths are those below the folder.
///
/// None where there is no repository, no commit yet, or no program `git` that answers.
pub fn commit_of(folder: &Path, whole: &[&str], besides: &[&str]) -> Option<Commit> {
    let git = Git::find(&folder.canonicalize().ok()?)?;
    let ask = |arguments: &[&str]| git.ask(arguments, Vec::new()).ok();
    let (is_known, id) = ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let besides: Vec<String> = besides.iter().map(|path| format!(":(exclude,literal){path}")).collect();
    let with = |arguments: &[&'static str], paths: &[&str]| -> Option<(bool, Vec<u8>)> {
        let besides = besides.iter().map(String::as_str);
        ask(&arguments.iter().copied().chain(paths.iter().copied()).chain(besides).collect::<Vec<_>>())
    };
    let (is_same, _) = with(&["diff", "--quiet", "--no-ext-diff", "HEAD", "--"], &["."])?;
    let (_, new) = with(&["ls-files", "--others", "--exclude-standard", "-z", "--"], whole)?;
    let id = String::from_utf8(id).ok().filter(|_| is_known)?.trim().to_owned();
    Some(Commit { id, is_dirty: !is_same || !new.is_empty() })
}

/// Says whether a file of this name describes versioned data.
pub(crate) fn describes(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "dvc.lock" || name.len() > ".dvc".len() && name.ends_with(".dvc")
}
