//! Images as columns: the pixels of the files that a column names.
//!
//! From here on they are numbers like others: what splits, folds, stores, compares and predicts knows of no file.

mod area;
mod png;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, LargeStringArray, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use trainyard_files::{Digest, Digester, FileDigests, Io};
use trainyard_spec::Pixels;

use crate::Error;

/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 28;

/// The rows that a message names.
const NAMED: usize = 5;

/// Numbers that are decoded before they are put into their columns.
const BATCH: usize = 1 << 21;

/// A table with its images as columns of pixels.
#[derive(Debug, Clone)]
pub struct WithPixels {
    /// The table, the pixels behind its own columns.
    pub table: RecordBatch,
    /// What [`digest`] says of the files that were read.
    pub digest: Digest,
    /// How many rows have an image.
    pub images: usize,
}

/// Says why the image of a row can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadImage {
    /// The row, from 1.
    pub row: usize,
    /// The path that stands there.
    pub path: String,
    /// What is wrong with the file, such as `is cut off`.
    pub cause: String,
}

/// What a row has in a column of images.
enum Read {
    Nothing,
    Image(Digest, Vec<Vec<f64>>),
    Bad(String),
}

/// The columns of paths that are there, in their order, with the pixels that are wanted of each.
fn columns<'a>(table: &'a RecordBatch, wanted: &'a [Pixels]) -> Vec<(&'a LargeStringArray, Vec<&'a Pixels>)> {
    let mut names: Vec<&str> = wanted.iter().map(|pixels| pixels.column.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: &str| wanted.iter().filter(|pixels| pixels.column == name).collect();
    names.into_iter().filter_map(|name| Some((table.column_by_name(name)?.as_string_opt()?, of(name)))).collect()
}

/// Gives the path in a row; none where there is nothing but blanks.
fn path_in(column: &LargeStringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row)).filter(|path| !path.trim().is_empty())
}

/// Gives the place of a file in `folder`, unless it lies outside.
fn place(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut depth = 0_usize;
    for component in Path::new(path).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1)?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(folder.join(path))
}

/// Joins the digests of all files by their names: a file that can't be read has none.
fn joined<'a>(columns: impl Iterator<Item = (&'a str, BTreeMap<&'a str, Option<Digest>>)>) -> Digest {
    let mut all = Digester::new("images of a table");
    for (column, files) in columns {
        all = all.text(column).number(files.len() as u64);
        for (path, digest) in files {
            all = all.text(path);
            all = match digest {
                Some(digest) => all.digest(&digest),
                None => all.number(0),
            };
        }
    }
    all.finish()
}

/// Gives the digest of the images that a table names: of their paths and bytes, in no order of the rows. What can't be
/// read counts as nothing, which [`with_pixels`] then tells of.
pub fn digest(io: &dyn Io, folder: &Path, table: &RecordBatch, wanted: &[Pixels], known: &FileDigests) -> Digest {
    let of_column = |(column, wanted): (&'_ LargeStringArray, Vec<&'_ Pixels>)| {
        let mut paths: Vec<&str> = (0..column.len()).filter_map(|row| path_in(column, row)).collect();
        paths.sort_unstable();
        paths.dedup();
        let of = |path: &str| known.of(io, &place(folder, path)?).ok().map(|(digest, _)| digest);
        let digests: Vec<Option<Digest>> = paths.par_iter().map(|path| of(path)).collect();
        let files: BTreeMap<String, Option<Digest>> = paths.into_iter().map(str::to_owned).zip(digests).collect();
        (wanted.first().map_or("", |pixels| pixels.column.as_str()).to_owned(), files)
    };
    let all: Vec<(String, BTreeMap<String, Option<Digest>>)> =
        columns(table, wanted).into_iter().map(of_column).collect();
    let borrowed = all.iter().map(|(column, files)| {
        (column.as_str(), files.iter().map(|(path, digest)| (path.as_str(), *digest)).collect())
    });
    joined(borrowed)
}

/// Reads the images that a table names, whose paths start from `folder`, and puts their pixels behind its columns; `shown`
/// is what the table is called. A row without a path has no pixels. A column that is absent or holds no text is passed
/// over: that is for the features to tell.
///
/// `watch` is told, from any thread, how many rows were read of how many, and says whether to go on; nothing is given
/// where it says no.
///
/// # Errors
/// [`Error::Images`] for all rows whose image can't be used, [`Error::PixelColumn`] where the table has a column of a
/// pixel's name.
pub fn with_pixels(
    io: &dyn Io,
    folder: &Path,
    table: &RecordBatch,
    shown: &str,
    wanted: &[Pixels],
    watch: &(dyn Fn(u64, u64) -> bool + Sync),
) -> Result<Option<WithPixels>, Error> {
    let columns = columns(table, wanted);
    let (done, of) = (AtomicU64::new(0), (columns.len() * table.num_rows()) as u64);
    let goes_on = AtomicBool::new(true);
    let mut fields: Vec<Arc<Field>> = table.schema().fields().iter().cloned().collect();
    let mut arrays: Vec<ArrayRef> = table.columns().to_vec();
    let (mut files, mut images, mut count, mut bad) = (Vec::new(), 0, 0, Vec::new());
    for (column, wanted) in columns {
        let name = wanted.first().map_or("", |pixels| pixels.column.as_str());
        let widths: Vec<usize> = wanted.iter().map(|pixels| pixels.count()).collect();
        let width: usize = widths.iter().sum();
        let mut numbers: Vec<Vec<f64>> = vec![Vec::with_capacity(column.len()); width];
        let (mut is_there, mut digests) = (Vec::with_capacity(column.len()), BTreeMap::new());
        let rows: Vec<usize> = (0..column.len()).collect();
        for batch in rows.chunks((BATCH / width.max(1)).max(64)) {
            let one = |row: &usize| {
                if !goes_on.load(Ordering::Relaxed) {
                    return Read::Nothing;
                }
                let read = read(io, folder, path_in(column, *row), &wanted);
                if !watch(done.fetch_add(1, Ordering::Relaxed) + 1, of) {
                    goes_on.store(false, Ordering::Relaxed);
                }
                read
            };
            let read: Vec<Read> = batch.par_iter().map(one).collect();
            if !goes_on.load(Ordering::Relaxed) {
                return Ok(None);
            }
            for (row, read) in batch.iter().zip(read) {
                let path = path_in(column, *row).unwrap_or_default();
                is_there.push(matches!(read, Read::Image(..)));
                match read {
                    Read::Image(digest, values) => {
                        digests.insert(path, Some(digest));
                        numbers.iter_mut().zip(values.into_iter().flatten()).for_each(|(all, value)| all.push(value));
                        images += 1;
                        continue;
                    }
                    Read::Nothing => {}
                    Read::Bad(cause) => {
                        count += 1;
                        if bad.len() < NAMED {
                            bad.push(BadImage { row: row + 1, path: path.to_owned(), cause });
                        }
                    }
                }
                numbers.iter_mut().for_each(|all| all.push(0.0));
            }
        }
        files.push((name, digests));
        let nulls = NullBuffer::from(is_there);
        let names = wanted.iter().flat_map(|pixels| pixels.names());
        for (name, values) in names.zip(numbers) {
            if table.schema_ref().column_with_name(&name).is_some() {
                return Err(Error::PixelColumn { file: shown.to_owned(), name });
            }
            fields.push(Arc::new(Field::new(name, DataType::Float64, true)));
            arrays.push(Arc::new(Float64Array::new(values.into(), Some(nulls.clone()))));
        }
    }
    if count > 0 {
        return Err(Error::Images { file: shown.to_owned(), count, bad });
    }
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::Unreadable { file: shown.to_owned(), cause: error.to_string() })?;
    Ok(Some(WithPixels { table, digest: joined(files.into_iter()), images }))
}

/// Gives a table without its columns of pixels.
pub fn without_pixels<'a>(table: &'a RecordBatch, wanted: &[Pixels]) -> Cow<'a, RecordBatch> {
    if wanted.is_empty() {
        return Cow::Borrowed(table);
    }
    let names: std::collections::HashSet<String> = wanted.iter().flat_map(Pixels::names).collect();
    let fields = table.schema_ref().fields().iter().enumerate();
    let kept: Vec<usize> = fields.filter(|(_, field)| !names.contains(field.name())).map(|(at, _)| at).collect();
    table.project(&kept).map_or(Cow::Borrowed(table), Cow::Owned)
}

/// Reads the image of one row.
fn read(io: &dyn Io, folder: &Path, path: Option<&str>, wanted: &[&Pixels]) -> Read {
    let Some(path) = path else { return Read::Nothing };
    let Some(place) = place(folder, path) else { return Read::Bad("lies outside of the folder".to_owned()) };
    let bytes = match bytes(io, &place) {
        Ok(bytes) => bytes,
        Err(cause) => return Read::Bad(cause),
    };
    let pixels: Result<Vec<Vec<f64>>, png::Fault> = wanted.iter().map(|pixels| area::pixels(&bytes, pixels)).collect();
    match pixels {
        Ok(pixels) => Read::Image(Digest::of(&bytes), pixels),
        Err(fault) => Read::Bad(fault.to_string()),
    }
}

/// Reads a file, or says why not.
fn bytes(io: &dyn Io, place: &Path) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("can't be read: {error}"),
    };
    let metadata = io.metadata(place).map_err(told)?;
    if metadata.is_dir {
        return Err("is a folder".to_owned());
    }
    if !metadata.is_file {
        return Err("is a device or a pipe".to_owned());
    }
    if metadata.len > MOST_BYTES {
        return Err(format!("has more than {} MiB; make it smaller", MOST_BYTES >> 20));
    }
    io.read(place).map_err(told)
}
