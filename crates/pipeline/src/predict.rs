//! Predicting a file with a registered model.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, LargeStringArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use trainyard_data::{ReadOptions, column_type};
use trainyard_diagnostics::{Diagnostic, nearest};
use trainyard_features::{Error as FeatureError, MissingColumn};
use trainyard_model::{Model, Oddity, TrainingData};
use trainyard_spec::{ColumnType, Pixels};
use trainyard_tracking::ModelReference;

use crate::project::{self, Request};

/// What a model says of a table.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// The registered name.
    pub model: String,
    /// The version.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// Rows predicted.
    pub rows: usize,
    /// What the rows hold that the training rows did not; nothing is known of that for models of earlier versions.
    pub oddities: Vec<Oddity>,
    /// The key where the data has it; then `prediction`, and in classification the `probability` of the positive class, or
    /// of several classes `probability_CLASS` of each.
    pub table: RecordBatch,
}

/// Predicts the rows of `input` with the model that `model` names: `name`, `name@alias` or `name/version`.
pub fn predict(request: &Request, model: &str, input: &Path) -> Result<Predictions, Vec<Diagnostic>> {
    let tracking = crate::look::registry(request)?;
    let reference = model.parse::<ModelReference>().map_err(|error| vec![error.diagnostic()])?;
    let version = tracking.version_by(&reference).map_err(|error| vec![error.diagnostic()])?;
    let folder = tracking.version_files(&version).map_err(|error| vec![error.diagnostic()])?;
    let loaded = Model::from_folder(&folder).map_err(|error| vec![error.diagnostic()])?;
    let training = TrainingData::in_folder(&folder).map_err(|error| vec![error.diagnostic()])?;
    // The file is read with the types that the model wants, so that a column of blanks or whole numbers fits.
    let data = project::load(&*request.io, request).ok().map(|resolved| resolved.project.data);
    let mut options = data.as_ref().map(ReadOptions::of).unwrap_or_default();
    // New rows may lack columns that training left out; others do not matter, nor does what they were so far.
    options.drop.clear();
    let shown = input.display().to_string();
    let first = trainyard_data::read(
        &*request.io,
        input,
        &shown,
        &ReadOptions { types: Default::default(), ..options.clone() },
    );
    let present = first.as_ref().map(|table| table.schema()).ok();
    options.types = loaded
        .inputs()
        .into_iter()
        .filter(|(name, _)| present.as_ref().is_none_or(|schema| schema.column_with_name(name).is_some()))
        .map(|(name, kind)| (name, column_type(kind)))
        .collect();
    // The names of its inputs say of which images the model wants the pixels, where the file does not hold them.
    let inputs = loaded.inputs();
    let mut images = Pixels::among(inputs.iter().map(|(name, _)| name.as_str()));
    if let Some(schema) = &present {
        let has = |name: &str| schema.column_with_name(name).is_some();
        images.retain(|pixels| !pixels.names().iter().any(|name| has(name)));
        let paths = images.iter().map(|pixels| pixels.column.clone()).filter(|column| has(column));
        options.types.extend(paths.map(|column| (column, ColumnType::Text)));
    }
    let table =
        trainyard_data::read(&*request.io, input, &shown, &options).map_err(|error| vec![about_input(&error)])?;
    let table = with_pixels(request, input, &shown, table, &images)?;
    let values = loaded.predict(&table).map_err(|error| {
        let told = error.diagnostic();
        let help = told.help.is_empty().then(|| format!("give {shown} the columns that the model was trained on"));
        vec![help.into_iter().fold(told.note(format!("in {shown}")), Diagnostic::help)]
    })?;
    let mut oddities = training.map(|training| training.oddities(&table)).unwrap_or_default();
    // The pixels of a row without an image are missing together: the first of them tells it.
    let others: BTreeSet<String> = images.iter().flat_map(|pixels| pixels.names().into_iter().skip(1)).collect();
    oddities.retain(|oddity| !matches!(oddity, Oddity::NewlyMissing { column, .. } if others.contains(column)));
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    if let Some(key) = data.as_ref().and_then(|data| data.key.as_ref())
        && let Some((at, field)) = table.schema().column_with_name(&key.value)
    {
        fields.push(field.clone());
        columns.push(Arc::clone(table.column(at)));
    }
    let outputs = loaded.task().outputs();
    let names: Vec<String> = match (loaded.target.positive(), &loaded.target.classes) {
        (Some(_), _) => vec!["probability".to_owned()],
        (None, Some(classes)) => classes.iter().map(|class| format!("probability_{class}")).collect(),
        (None, None) => vec!["prediction".to_owned()],
    };
    if loaded.target.classes.is_some() {
        let labels = LargeStringArray::from_iter(values.chunks_exact(outputs).map(|row| loaded.class(row)));
        fields.push(Field::new("prediction", DataType::LargeUtf8, true));
        columns.push(Arc::new(labels));
    }
    for (output, name) in names.into_iter().enumerate() {
        fields.push(Field::new(name, DataType::Float64, false));
        columns.push(Arc::new(values.iter().skip(output).step_by(outputs).copied().collect::<Float64Array>()));
    }
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| {
        vec![
            Diagnostic::error("predict/internal", error.to_string()).with_fault(trainyard_diagnostics::Fault::Internal),
        ]
    })?;
    let (model, number) = (version.model, version.version);
    Ok(Predictions { model, version: number, run: version.run, rows: table.num_rows(), oddities, table })
}

/// Reads the images that a file of rows names, whose paths start from its folder.
fn with_pixels(
    request: &Request,
    input: &Path,
    shown: &str,
    table: RecordBatch,
    images: &[Pixels],
) -> Result<RecordBatch, Vec<Diagnostic>> {
    if images.is_empty() {
        return Ok(table);
    }
    let schema = table.schema();
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let absent = images.iter().map(|pixels| &pixels.column).filter(|column| !names().any(|name| name == *column));
    let missing: Vec<MissingColumn> = absent
        .map(|column| MissingColumn { name: column.clone(), nearest: nearest(column, names()).map(str::to_owned) })
        .collect();
    if !missing.is_empty() {
        let told = FeatureError::MissingColumns { missing }.diagnostic();
        return Err(vec![told.note(format!("in {shown}")).note("it names the images, whose pixels the model reads")]);
    }
    let folder = input.parent().unwrap_or(Path::new(""));
    let read = trainyard_data::images::with_pixels(&*request.io, folder, &table, shown, images, &|_, _| true);
    let read = read.map_err(|error| vec![error.diagnostic()])?;
    // Nobody stops it.
    Ok(read.map_or(table, |read| read.table))
}

/// Tells what is wrong with the file to predict: it is named on the command line, not in the project.
fn about_input(error: &trainyard_data::Error) -> Diagnostic {
    let told = error.diagnostic();
    match error {
        trainyard_data::Error::Missing { near: None, .. } => {
            Diagnostic { help: vec!["name the file to predict with --input FILE".to_owned()], ..told }
        }
        _ => told,
    }
}
