//! LightGBM's `c_api.h`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use libloading::Library;

use super::{Made, Watch, checked, function, tell, text};
use crate::protocol::{Ask, Frame, Rows, Weights};

type Handle = *mut c_void;
type LastError = unsafe extern "C" fn() -> *const c_char;
type DatasetCreateFromMat = unsafe extern "C" fn(
    data: *const c_void,
    data_type: c_int,
    rows: i32,
    columns: i32,
    is_row_major: c_int,
    parameters: *const c_char,
    reference: Handle,
    out: *mut Handle,
) -> c_int;
type DatasetSetField =
    unsafe extern "C" fn(data: Handle, name: *const c_char, field: *const c_void, length: c_int, kind: c_int) -> c_int;
type Free = unsafe extern "C" fn(handle: Handle) -> c_int;
type BoosterCreate = unsafe extern "C" fn(data: Handle, parameters: *const c_char, out: *mut Handle) -> c_int;
type BoosterAddValidData = unsafe extern "C" fn(booster: Handle, data: Handle) -> c_int;
type BoosterUpdateOneIter = unsafe extern "C" fn(booster: Handle, is_finished: *mut c_int) -> c_int;
type BoosterGetEvalCounts = unsafe extern "C" fn(booster: Handle, length: *mut c_int) -> c_int;
type BoosterGetEval = unsafe extern "C" fn(booster: Handle, of: c_int, length: *mut c_int, results: *mut f64) -> c_int;
type BoosterCalcNumPredict = unsafe extern "C" fn(
    booster: Handle,
    rows: c_int,
    what: c_int,
    start: c_int,
    iterations: c_int,
    length: *mut i64,
) -> c_int;
type BoosterPredictForMat = unsafe extern "C" fn(
    booster: Handle,
    data: *const c_void,
    data_type: c_int,
    rows: i32,
    columns: i32,
    is_row_major: c_int,
    what: c_int,
    start: c_int,
    iterations: c_int,
    parameters: *const c_char,
    length: *mut i64,
    out: *mut f64,
) -> c_int;
type BoosterSaveModelToString = unsafe extern "C" fn(
    booster: Handle,
    start: c_int,
    iterations: c_int,
    importance: c_int,
    room: i64,
    length: *mut i64,
    out: *mut c_char,
) -> c_int;

const FLOAT32: c_int = 0;
const FLOAT64: c_int = 1;

/// Of what can be predicted: the margins.
const RAW_SCORE: c_int = 1;

/// The parameters that only a booster reads. A dataset reads the others: `min_child_samples` leaves columns out of it that
/// could not be split, directions are kept with the columns, and the seed draws the rows that bins are made from.
const FREE: &[&str] = &[
    "num_leaves",
    "max_depth",
    "learning_rate",
    "min_child_weight",
    "subsample",
    "subsample_freq",
    "colsample_bytree",
    "feature_fraction_bynode",
    "reg_alpha",
    "reg_lambda",
    "min_split_gain",
    "path_smooth",
    "extra_trees",
];

#[derive(Clone, Copy)]
struct Functions {
    last_error: LastError,
    create: DatasetCreateFromMat,
    set_field: DatasetSetField,
    free_data: Free,
    new_booster: BoosterCreate,
    add_held: BoosterAddValidData,
    update: BoosterUpdateOneIter,
    count_losses: BoosterGetEvalCounts,
    losses: BoosterGetEval,
    count_predictions: BoosterCalcNumPredict,
    predict: BoosterPredictForMat,
    save: BoosterSaveModelToString,
    free_booster: Free,
}

/// The rows as LightGBM keeps them.
struct Data {
    made: Made,
    train: Handle,
    held: Option<Handle>,
}

/// The loaded library.
pub(crate) struct Session {
    functions: Functions,
    data: Option<Data>,
    // Behind the functions, which are gone before it.
    _library: Library,
}

impl Session {
    pub(super) fn new(library: Library) -> Result<Session, String> {
        // SAFETY: the types are those of the header.
        let functions = unsafe {
            Functions {
                last_error: function::<LastError>(&library, "LGBM_GetLastError")?,
                create: function::<DatasetCreateFromMat>(&library, "LGBM_DatasetCreateFromMat")?,
                set_field: function::<DatasetSetField>(&library, "LGBM_DatasetSetField")?,
                free_data: function::<Free>(&library, "LGBM_DatasetFree")?,
                new_booster: function::<BoosterCreate>(&library, "LGBM_BoosterCreate")?,
                add_held: function::<BoosterAddValidData>(&library, "LGBM_BoosterAddValidData")?,
                update: function::<BoosterUpdateOneIter>(&library, "LGBM_BoosterUpdateOneIter")?,
                count_losses: function::<BoosterGetEvalCounts>(&library, "LGBM_BoosterGetEvalCounts")?,
                losses: function::<BoosterGetEval>(&library, "LGBM_BoosterGetEval")?,
                count_predictions: function::<BoosterCalcNumPredict>(&library, "LGBM_BoosterCalcNumPredict")?,
                predict: function::<BoosterPredictForMat>(&library, "LGBM_BoosterPredictForMat")?,
                save: function::<BoosterSaveModelToString>(&library, "LGBM_BoosterSaveModelToString")?,
                free_booster: function::<Free>(&library, "LGBM_BoosterFree")?,
            }
        };
        Ok(Session { functions, data: None, _library: library })
    }

    pub(super) fn fit(
        &mut self,
        train: &Rows,
        held: &Rows,
        ask: &Ask,
        weights: Weights,
        say: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<Option<Vec<u8>>, String> {
        let functions = self.functions;
        let failed = |status| checked(status, functions.last_error);
        let parameters: Vec<String> = ask.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let parameters = text(&parameters.join(" "))?;
        // What is predicted on the way is predicted of the cells themselves, with the bits of the model.
        let made = Made::by(ask, weights, FREE, ask.patience.is_some());
        if let Some(old) = self.data.take_if(|data| data.made != made) {
            for handle in [Some(old.train), old.held].into_iter().flatten() {
                // SAFETY: the handle was made by the library and is used no more; its boosters are gone.
                failed(unsafe { (functions.free_data)(handle) })?;
            }
        }
        let data = match &self.data {
            Some(data) => data,
            None => {
                let reference =
                    functions.dataset(train, made.weights.train.as_deref(), &parameters, ptr::null_mut())?;
                let watched = made
                    .is_watched
                    .then(|| functions.dataset(held, made.weights.held.as_deref(), &parameters, reference));
                self.data.insert(Data { made, train: reference, held: watched.transpose()? })
            }
        };
        let mut booster: Handle = ptr::null_mut();
        // SAFETY: the dataset is freed after the booster.
        failed(unsafe { (functions.new_booster)(data.train, parameters.as_ptr(), &mut booster) })?;
        let mut watch = ask.patience.map(Watch::new);
        if let Some(held) = data.held {
            // SAFETY: both handles were made above.
            failed(unsafe { (functions.add_held)(booster, held) })?;
        }
        for iteration in 1..=ask.iterations {
            // An iteration that finds no split says so; a later one may find some, and the Python package goes on, too.
            let mut is_finished = 0;
            // SAFETY: `booster` was made above, `is_finished` is room for an int.
            failed(unsafe { (functions.update)(booster, &mut is_finished) })?;
            if !tell(say, ask, iteration, || functions.margins(booster, held, &parameters))? {
                // SAFETY: `booster` was made above and is used no more.
                failed(unsafe { (functions.free_booster)(booster) })?;
                return Ok(None);
            }
            if let Some(watch) = &mut watch
                && watch.stops(iteration, functions.loss(booster)?)
            {
                break;
            }
        }
        let model = functions.saved(booster, watch.and_then(|watch| watch.best()))?;
        // SAFETY: `booster` was made above and is used no more.
        failed(unsafe { (functions.free_booster)(booster) })?;
        Ok(Some(model))
    }
}

impl Functions {
    /// Makes a dataset, binned as `reference` where there is one.
    fn dataset(
        &self,
        rows: &Rows,
        weights: Option<&[f32]>,
        parameters: &CStr,
        reference: Handle,
    ) -> Result<Handle, String> {
        let (count, columns) = shape(rows)?;
        let mut data: Handle = ptr::null_mut();
        let (cells, parameters) = (rows.cells.as_ptr(), parameters.as_ptr());
        // SAFETY: `cells` has `count` × `columns` doubles, column after column, and outlives the call, which copies them;
        // the text ends in a zero; `data` is room for one handle.
        let status =
            unsafe { (self.create)(cells.cast(), FLOAT64, count, columns, 0, parameters, reference, &mut data) };
        checked(status, self.last_error)?;
        let fields = [(c"label", Some(rows.targets.as_slice())), (c"weight", weights)];
        for (name, field) in fields.into_iter().filter_map(|(name, field)| Some((name, field?))) {
            // SAFETY: the field has `count` singles, which the call copies; `data` was made above.
            let status = unsafe { (self.set_field)(data, name.as_ptr(), field.as_ptr().cast(), count, FLOAT32) };
            checked(status, self.last_error)?;
        }
        Ok(data)
    }

    /// Gives the margins that the trees so far predict of rows, row after row.
    fn margins(&self, booster: Handle, rows: &Rows, parameters: &CStr) -> Result<Vec<f64>, String> {
        let (count, columns) = shape(rows)?;
        let mut length = 0;
        // SAFETY: `length` is room for a number. The trees of iterations from 0 to the last, which is -1.
        let status = unsafe { (self.count_predictions)(booster, count, RAW_SCORE, 0, -1, &mut length) };
        checked(status, self.last_error)?;
        let mut margins = vec![f64::NAN; usize::try_from(length).unwrap_or_default()];
        let (cells, parameters) = (rows.cells.as_ptr().cast(), parameters.as_ptr());
        // SAFETY: `cells` has `count` × `columns` doubles, column after column; the text ends in a zero; `margins` has
        // room for as many numbers as the library has just counted.
        let status = unsafe {
            let out = margins.as_mut_ptr();
            (self.predict)(booster, cells, FLOAT64, count, columns, 0, RAW_SCORE, 0, -1, parameters, &mut length, out)
        };
        checked(status, self.last_error)?;
        Ok(margins)
    }

    /// Gives the first metric of the held rows: that of the objective, which is a loss.
    fn loss(&self, booster: Handle) -> Result<f64, String> {
        let mut length = 0;
        // SAFETY: `length` is room for an int.
        checked(unsafe { (self.count_losses)(booster, &mut length) }, self.last_error)?;
        let mut losses = vec![f64::NAN; usize::try_from(length).unwrap_or_default()];
        // SAFETY: `losses` has room for as many numbers as the library has just counted. The held rows are data set 1.
        checked(unsafe { (self.losses)(booster, 1, &mut length, losses.as_mut_ptr()) }, self.last_error)?;
        losses.first().copied().ok_or_else(|| "the library measured no loss".to_owned())
    }

    /// Gives the model of the first `best` iterations, or of all.
    fn saved(&self, booster: Handle, best: Option<usize>) -> Result<Vec<u8>, String> {
        let iterations = best.and_then(|best| c_int::try_from(best).ok()).unwrap_or(-1);
        let mut length = 0;
        // SAFETY: without room nothing is written but the length that is needed.
        let status = unsafe { (self.save)(booster, 0, iterations, 0, 0, &mut length, ptr::null_mut()) };
        checked(status, self.last_error)?;
        let mut model = vec![0u8; usize::try_from(length).map_err(|_| "the model has a negative length".to_owned())?];
        // SAFETY: `model` has room for `length` bytes, the zero at the end included.
        let status = unsafe { (self.save)(booster, 0, iterations, 0, length, &mut length, model.as_mut_ptr().cast()) };
        checked(status, self.last_error)?;
        model.truncate(model.iter().position(|byte| *byte == 0).unwrap_or(model.len()));
        Ok(model)
    }
}

/// Gives the numbers of rows and columns as the library takes them.
fn shape(rows: &Rows) -> Result<(i32, i32), String> {
    let count = |number: usize| i32::try_from(number).map_err(|_| format!("{number} rows or columns are too many"));
    Ok((count(rows.count)?, count(rows.cells.len() / rows.count.max(1))?))
}
