//! One row from raw values to a probability, ten thousand times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use trainyard_data::{ReadOptions, column_type, read};
use trainyard_expression::{Row, row_of};
use trainyard_files::DiskIo;
use trainyard_model::Model;

use crate::{Told, words_of};

const CALLS: usize = 10_000;

/// Predicts rows of the table one after the other with the model in a folder; tells the 95th percentile in seconds, and the
/// mean of what was predicted.
pub(crate) fn measure(model: &Path, table: &Path) -> Told {
    let mut folder = BTreeMap::new();
    for entry in fs::read_dir(model).map_err(words_of)? {
        let path = entry.map_err(words_of)?.path();
        if !path.is_file() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        folder.insert(name, fs::read(&path).map_err(words_of)?);
    }
    let model = Model::from_folder(&folder).map_err(words_of)?;
    let types = model.inputs().into_iter().map(|(name, kind)| (name, column_type(kind))).collect();
    let options = ReadOptions { types, ..ReadOptions::default() };
    let table = read(&DiskIo, table, &table.display().to_string(), &options).map_err(words_of)?;
    let rows: Vec<Row> = (0..table.num_rows().min(CALLS)).map(|row| row_of(&table, row)).collect();
    if rows.is_empty() {
        return Err("the table has no rows".to_owned());
    }
    let mut seconds = Vec::with_capacity(CALLS);
    let mut sum = 0.0;
    for call in 0..CALLS {
        let row = &rows[call % rows.len()];
        let started = Instant::now();
        let predicted = model.predict_row(row).map_err(words_of)?;
        seconds.push(started.elapsed().as_secs_f64());
        sum += predicted[0];
    }
    seconds.sort_by(f64::total_cmp);
    Ok(json!({"seconds": seconds[CALLS * 95 / 100 - 1], "quality": sum / CALLS as f64}))
}
