//! The project's versioned data, for the steps that make or need some of it.

use std::io::ErrorKind;
use std::sync::Arc;

use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Error as FileError, Operation};
use trainyard_spec::DataLink;
use trainyard_versioning::{Error, Link, Repository};

use super::context::Context;
use crate::engine::Failure;

/// Names the folder of a split.
pub(super) fn split_folder(version: u32) -> String {
    format!("data/splits/v{version}")
}

/// Names the file of a reference test.
pub(super) fn reference_name(version: u32) -> String {
    format!("data/reference/tests/v{version}/test_reference.parquet")
}

/// Opens the project's versioned data; where there is none yet nothing is made.
pub(super) fn repository(context: &Context) -> Result<Repository, Failure> {
    let found = Repository::open_or_new(Arc::clone(&context.io), &context.root, &context.data_settings);
    let found = found.map_err(|error| problems(&[error]))?;
    let link = context.resolved.project.versioning.as_ref().and_then(|versioning| versioning.link);
    Ok(match link {
        None => found,
        Some(DataLink::Reflink) => found.with_link(Link::Reflink),
        Some(DataLink::Hardlink) => found.with_link(Link::Hardlink),
        Some(DataLink::Symlink) => found.with_link(Link::Symlink),
        Some(DataLink::Copy) => found.with_link(Link::Copy),
    })
}

/// Tells what is wrong with versioned data.
pub(super) fn problems(errors: &[Error]) -> Failure {
    Failure::Problems(errors.iter().map(Error::diagnostic).collect())
}

/// What versioned data has of a file that is not in its place.
pub(super) enum Kept {
    /// No `.dvc` file describes it.
    Nothing,
    /// Its `.dvc` file is here; the cache does not hold what is wanted.
    Described,
    /// Its bytes.
    Bytes(Vec<u8>),
}

/// Looks for the bytes of a digest where the file `name` of the project was versioned; writes nothing.
pub(super) fn kept(context: &Context, name: &str, digest: &str) -> Result<Kept, Failure> {
    let repository = repository(context)?;
    let path = repository.below(&context.root.join(name)).map_err(|error| problems(&[error]))?;
    // What is wrong with other files of versioned data keeps nobody from this one.
    let described = repository.described();
    let Some(output) = described.outputs.iter().find(|output| output.path == path) else { return Ok(Kept::Nothing) };
    let Some(id) = output.id.filter(|id| !id.is_folder) else { return Ok(Kept::Described) };
    let place = repository.cache().path(&id);
    match context.io.read(&place) {
        Ok(bytes) if Digest::of(&bytes).to_string() == digest => Ok(Kept::Bytes(bytes)),
        Ok(_) => Ok(Kept::Described),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Kept::Described),
        Err(error) => {
            let problem: Diagnostic = FileError::io(Operation::Read, &place, error).diagnostic();
            Err(problem.into())
        }
    }
}
