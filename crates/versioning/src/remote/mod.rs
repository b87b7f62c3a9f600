//! Remotes: where versioned data is shared, laid out as DVC lays it out: `URL/files/md5/ab/cdef…`.
//!
//! A folder is another cache. A store of objects is asked through `object_store`, eight objects at a time, with what
//! DVC's settings and the environment say of it.

mod copy;
mod exchange;
mod problem;
mod pull;
mod push;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use trainyard_diagnostics::conceal;
use trainyard_stores::Runtime;

use crate::cache::Cache;
use crate::dvc_file::{Kind, Output};
use crate::md5::ObjectId;
use crate::repository::Repository;
use crate::{Error, Errors, Failure};
use store::Store;

pub(crate) use exchange::{Ends, Tally};
pub use exchange::{Moved, Progress, Watch};
pub use problem::Problem;
pub use pull::{fetch, pull};
pub use push::push;

/// The most files that a message names.
const TOLD: usize = 8;

/// Is a remote that DVC's settings name.
#[derive(Debug)]
pub struct Remote {
    name: String,
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(Cache),
    Store(Store),
}

impl Remote {
    /// Finds the remote of a name, or the one that `core.remote` names.
    pub fn find(repository: &Repository, name: Option<&str>) -> Result<Self, Error> {
        let config = &repository.config;
        let known = || config.remotes.keys().cloned().collect::<Vec<_>>();
        let Some(name) = name.map(str::to_lowercase).or_else(|| config.remote.clone()) else {
            return Err(Problem::None { known: known() }.into());
        };
        let Some(settings) = config.remotes.get(&name) else {
            return Err(Problem::Unknown { name, known: known() }.into());
        };
        let url = settings.get("url").cloned().unwrap_or_default();
        let below = Path::new(&url).strip_prefix(&repository.root).ok().and_then(Path::to_str);
        let shown = below.map_or_else(|| conceal(&url).into_owned(), str::to_owned);
        let unfit = |why: String| Problem::Url { remote: name.clone(), url: shown.clone(), why };
        if url.is_empty() {
            return Err(unfit("it has no `url`".to_owned()).into());
        }
        for key in ["version_aware", "worktree"] {
            if settings.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
                return Err(unfit(format!("with `{key}` data lies there under its own names")).into());
            }
        }
        let path = url.strip_prefix("file://").unwrap_or(&url);
        let place = if path.contains("://") {
            let folder = repository.root.join(".dvc");
            Place::Store(Store::new(&name, &url, &shown, settings, &folder).map_err(unfit)?)
        } else {
            Place::Folder(Cache::new(repository.io.clone(), Path::new(path).to_path_buf(), false))
        };
        Ok(Self { name, url: shown, place })
    }

    /// Returns its name, in small letters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address, without what lets somebody in.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Says which objects it holds, each with its length.
    fn held(&self, runtime: &Runtime, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, u64>, Error> {
        match &self.place {
            Place::Folder(folder) => Ok(copy::held(folder, ids)),
            Place::Store(store) => store.held(runtime, ids),
        }
    }

    /// Takes objects of a cache.
    fn take(&self, runtime: &Runtime, from: &Cache, ids: &[ObjectId], tally: &Tally<'_>) -> Result<Ends, Errors> {
        match &self.place {
            Place::Folder(folder) => copy::copy(from, folder, ids, false, tally),
            Place::Store(store) => store.take(runtime, from, ids, tally),
        }
    }

    /// Gives objects to a cache.
    pub(crate) fn give(
        &self,
        runtime: &Runtime,
        to: &Cache,
        ids: &[ObjectId],
        tally: &Tally<'_>,
    ) -> Result<Ends, Errors> {
        match &self.place {
            Place::Folder(folder) => {
                if !folder.is_there() {
                    return Err(Error::from(self.absent()).into());
                }
                copy::copy(folder, to, ids, true, tally)
            }
            Place::Store(store) => store.give(runtime, to, ids, tally),
        }
    }

    fn absent(&self) -> Problem {
        Problem::Absent { remote: self.name.clone(), url: self.url.clone() }
    }
}

/// Does something with each remote and its outputs, also after one that failed; tells all problems at the end.
fn each(
    groups: &[(Remote, Vec<Output>)],
    mut one: impl FnMut(&Remote, &[Output]) -> Result<(Moved, Errors), Errors>,
) -> Result<Vec<Moved>, Failure> {
    let (mut moved, mut errors) = (Vec::new(), Errors::new());
    for (remote, outputs) in groups {
        match one(remote, outputs) {
            Ok((done, problems)) => {
                moved.push(done);
                errors.extend(problems);
            }
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() { Ok(moved) } else { Err(Failure::midway(errors)) }
}

/// Sorts outputs by the remote that each belongs to: the one that is named, else its own, else the usual one.
pub(crate) fn by_remote(
    repository: &Repository,
    outputs: Vec<Output>,
    named: Option<&str>,
) -> Result<Vec<(Remote, Vec<Output>)>, Errors> {
    let mut groups: BTreeMap<Option<String>, Vec<Output>> = BTreeMap::new();
    let mut errors = Errors::new();
    for output in outputs {
        match &output.kind {
            Kind::Elsewhere(_) => {}
            Kind::Dvc2(place) => {
                errors.push(Error::Dvc2 { place: place.clone(), path: output.path.clone() });
            }
            Kind::Data | Kind::Made(_) => {
                let remote = named.map(str::to_owned).or_else(|| output.remote.clone());
                groups.entry(remote).or_default().push(output);
            }
        }
    }
    if groups.is_empty() && errors.is_empty() {
        // What is asked for is wrong all the same.
        groups.insert(named.map(str::to_owned), Vec::new());
    }
    let mut found: Vec<(Remote, Vec<Output>)> = Vec::new();
    for (name, outputs) in groups {
        match Remote::find(repository, name.as_deref()) {
            // One may be named and be the usual one, too.
            Ok(remote) => match found.iter_mut().find(|(other, _)| other.name == remote.name) {
                Some((_, group)) => group.extend(outputs),
                None => found.push((remote, outputs)),
            },
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Names the files that objects are of; the first few, and of how many.
pub(crate) fn files_of(repository: &Repository, outputs: &[Output], ids: &[ObjectId]) -> Vec<String> {
    let ids: BTreeSet<&ObjectId> = ids.iter().collect();
    let mut found = Vec::new();
    for output in outputs {
        let Some(id) = &output.id else { continue };
        if ids.contains(id) {
            found.push(format!("{}: object {id}", output.path));
        }
        let tree = if id.is_folder { repository.cache.tree(id).ok().flatten() } else { None };
        for (name, md5) in tree.iter().flat_map(|tree| tree.iter()) {
            if found.len() < TOLD && ids.contains(&ObjectId::file(md5)) {
                found.push(format!("{}/{name}: object {md5}", output.path));
            }
        }
    }
    found.truncate(TOLD);
    found
}
