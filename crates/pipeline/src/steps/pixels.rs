//! The images of the master data: what they are known by, and their pixels as columns.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow_array::{Array, RecordBatch};
use serde_json::{Value, json};
use trainyard_data::{Error, Master, images};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Digester};
use trainyard_spec::{DataSpec, Group, Pixels};

use super::context::{Context, count};
use crate::engine::{Failure, Input};
use crate::project::source_path;

/// The images that the features of a run read, if any.
pub(crate) struct Images {
    wanted: Vec<Pixels>,
    /// What they were when they were first asked for: what is read counts as that, or not at all.
    asked: OnceLock<Digest>,
}

/// Declares which pixels the features read, where they read any.
pub(crate) fn declared(context: &Context) -> Option<Input> {
    let wanted = context.resolved.features.spec.pixels();
    let each = |all: Digester, pixels: &Pixels| {
        let Pixels { column, height, width, mode } = pixels;
        all.text(column).number(u64::from(*height)).number(u64::from(*width)).text(mode.name())
    };
    let all = wanted.iter().fold(Digester::new("pixels of images"), each);
    (!wanted.is_empty()).then(|| Input::new("spec.images", all.finish()))
}

/// Gives the folder that paths of images start from: that of the data file; of what is no file, the project's.
fn folder(context: &Context, data: &DataSpec) -> PathBuf {
    let is_file =
        data.source.sql.is_none() && !trainyard_sources::is_database(data) && !trainyard_sources::is_object(data);
    let file = is_file.then(|| source_path(context.source_root(), &context.resolved.overrides, &data.source.value));
    file.as_deref().and_then(Path::parent).map_or_else(|| context.source_root().to_path_buf(), Path::to_path_buf)
}

impl Images {
    pub(crate) fn of(context: &Context) -> Images {
        Images { wanted: context.resolved.features.spec.pixels(), asked: OnceLock::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Gives what the images of a table were known by when this was first asked.
    pub(crate) fn digest(
        &self,
        context: &Context,
        data: &DataSpec,
        table: impl FnOnce() -> Result<RecordBatch, Failure>,
    ) -> Result<Digest, Failure> {
        if let Some(digest) = self.asked.get() {
            return Ok(*digest);
        }
        let (folder, known) = (folder(context, data), context.objects.digests());
        let found = images::digest(&*context.io, &folder, &table()?, &self.wanted, known);
        Ok(*self.asked.get_or_init(|| found))
    }

    /// Puts the pixels behind the columns of a table; `watch` is told how far it is, and says whether to go on.
    pub(crate) fn read(
        &self,
        context: &Context,
        data: &DataSpec,
        master: Master,
        watch: &(dyn Fn(u64, u64) -> bool + Sync),
    ) -> Result<Master, Failure> {
        if self.wanted.is_empty() {
            return Ok(master);
        }
        let asked = self.digest(context, data, || Ok(master.table.clone()))?;
        let (folder, shown) = (folder(context, data), data.source.shown());
        let read = images::with_pixels(&*context.io, &folder, &master.table, &shown, &self.wanted, watch);
        let read = read.map_err(|error| about(context, &error))?.ok_or(Failure::Interrupted)?;
        if read.digest != asked {
            let cause = "an image changed while it was read".to_owned();
            return Err(Error::Unreadable { file: shown, cause }.diagnostic().into());
        }
        Ok(Master { table: read.table, ..master })
    }

    /// Gives a table without the pixels.
    pub(crate) fn without<'a>(&self, table: &'a RecordBatch) -> std::borrow::Cow<'a, RecordBatch> {
        images::without_pixels(table, &self.wanted)
    }

    /// Counts the images of each column, for people and for the record.
    pub(crate) fn told(&self, table: &RecordBatch) -> (String, Value) {
        let mut line = String::new();
        let mut facts = Vec::new();
        for (at, pixels) in self.wanted.iter().enumerate() {
            let first = pixels.names().first().and_then(|name| table.column_by_name(name));
            let there = first.map_or(0, |column| column.len() - column.null_count());
            let Pixels { column, height, width, mode } = pixels;
            // Of a column that is brought to several sizes the images count once.
            if !self.wanted[..at].iter().any(|other| other.column == *column) {
                line.push_str(&format!(", {} images", count(there)));
            }
            facts.push(json!({
                "column": column, "images": there, "height": height, "width": width, "mode": mode.name(),
            }));
        }
        (line, facts.into())
    }
}

/// Points at the group that reads the images.
fn about(context: &Context, error: &Error) -> Diagnostic {
    let column = context.resolved.features.spec.groups.iter().find_map(|group| match group {
        Group::Image { image, .. } => Some(&image.column),
        Group::Numeric { .. } | Group::Categorical { .. } | Group::Text { .. } => None,
    });
    let problem = error.diagnostic();
    column.map_or(problem.clone(), |column| column.origin.point(problem, "reads the images"))
}
