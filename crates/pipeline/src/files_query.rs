//! The rows of a query over files: by the crate `query` where it is built in, refused where it is not.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Io;
use trainyard_spec::{DataSpec, Located, SourceSpec};

use crate::project::typed_path;

/// Gives where a table of the query lies: relative to the project, or, when `--set` named it, to where that was typed.
pub(crate) fn path(
    root: &Path,
    overrides: &[(String, String)],
    name: &Located<String>,
    file: &Located<String>,
) -> PathBuf {
    typed_path(root, overrides, &format!("data.source.tables.{}", name.value), &file.value)
}

/// Reads the rows of the query over files that `data.source` is.
#[cfg(feature = "datafusion")]
pub(crate) fn read(
    io: &dyn Io,
    root: &Path,
    overrides: &[(String, String)],
    data: &DataSpec,
) -> Result<RecordBatch, Diagnostic> {
    let place = |name: &Located<String>, file: &Located<String>| path(root, overrides, name, file);
    trainyard_query::read(io, data, &place).map_err(|error| error.diagnostic())
}

/// Refuses to read the rows of a query: its engine is not built in.
#[cfg(not(feature = "datafusion"))]
pub(crate) fn read(_: &dyn Io, _: &Path, _: &[(String, String)], data: &DataSpec) -> Result<RecordBatch, Diagnostic> {
    Err(unbuilt(&data.source))
}

/// Refuses a query where its engine is not built in, before one of its files is looked at.
///
/// # Errors
/// `source/no-engine`.
pub(crate) fn refuse_unbuilt(source: &SourceSpec) -> Result<(), Diagnostic> {
    if cfg!(feature = "datafusion") { Ok(()) } else { Err(unbuilt(source)) }
}

fn unbuilt(source: &SourceSpec) -> Diagnostic {
    let title = "a query over files needs an engine, which this build of trainyard does not have";
    let problem = source.origin.point(Diagnostic::error("source/no-engine", title), "asked for here");
    problem.help("build one that has it: `cargo build --release --features datafusion`")
}
