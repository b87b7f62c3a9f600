//! The border between our Arrow and the engine's, which is of another major version: tables cross it as the bytes of
//! Arrow's stream, whose form both know.

use arrow_array::RecordBatch as Ours;
use arrow_ipc::writer::StreamWriter;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter as TheirWriter;

use crate::Error;

/// How many rows the engine takes at a time, which must not depend on the machine.
pub(crate) const BATCH: usize = 8192;

/// A table on the engine's side.
pub(crate) struct Table {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Takes a table of ours to the engine.
pub(crate) fn into_engine(table: &Ours) -> Result<Table, Error> {
    let bytes = written(table)?;
    let failed = |error: datafusion::arrow::error::ArrowError| Error::Engine { cause: error.to_string() };
    let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(failed)?;
    let schema = reader.schema();
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.map_err(failed)?;
        let starts = (0..batch.num_rows()).step_by(BATCH);
        batches.extend(starts.map(|start| batch.slice(start, BATCH.min(batch.num_rows() - start))));
    }
    Ok(Table { schema, batches })
}

fn written(table: &Ours) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let written = StreamWriter::try_new(&mut bytes, &table.schema()).and_then(|mut writer| {
        writer.write(table)?;
        writer.finish()
    });
    written.map_err(|error| Error::Engine { cause: error.to_string() })?;
    Ok(bytes)
}

/// Writes what the engine gave for our reader.
pub(crate) fn from_engine(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let written = TheirWriter::try_new(&mut bytes, schema).and_then(|mut writer| {
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    });
    written.map_err(|error| Error::Engine { cause: error.to_string() })?;
    Ok(bytes)
}
