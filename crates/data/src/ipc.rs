//! Arrow's own form to a table: files (.arrow, .feather of version 2, .ipc) and streams.

use std::io::{BufReader, Read, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use trainyard_files::ReadSeek;

use crate::Error;
use crate::canonical::canonical_table;

/// What a file of this form begins with; a stream does not.
const MAGIC: &[u8] = b"ARROW1";

/// What Feather began with before it became Arrow's form.
const OLD_FEATHER: &[u8] = b"FEA1";

/// Reads a file or a stream into one table of the canonical types.
pub(crate) fn from_arrow(source: Box<dyn ReadSeek + '_>, file: &str) -> Result<RecordBatch, Error> {
    let damaged = |cause: String| Error::Arrow { file: file.to_owned(), cause };
    // As the Parquet reader, this one panics on some damaged files.
    match catch_unwind(AssertUnwindSafe(|| decoded(source))) {
        Ok(table) => canonical_table(&table.map_err(|error| damaged(error.to_string()))?, file, damaged),
        Err(_) => Err(damaged("its parts contradict its own description".to_owned())),
    }
}

fn decoded(mut source: Box<dyn ReadSeek + '_>) -> Result<RecordBatch, ArrowError> {
    let mut first = Vec::new();
    source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first)?;
    source.seek(SeekFrom::Start(0))?;
    if first.starts_with(OLD_FEATHER) {
        return Err(ArrowError::ParseError("it is of Feather's version 1; write it as version 2".to_owned()));
    }
    let source = BufReader::new(source);
    let (schema, batches) = if first == MAGIC {
        let reader = FileReader::try_new(source, None)?;
        (reader.schema(), reader.collect::<Result<Vec<RecordBatch>, ArrowError>>()?)
    } else {
        let reader = StreamReader::try_new(source, None)?;
        (reader.schema(), reader.collect::<Result<Vec<RecordBatch>, ArrowError>>()?)
    };
    concat_batches(&schema, &batches)
}
