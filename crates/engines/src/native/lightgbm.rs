//! LightGBM's `c_api.h`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use libloading::Library;

use super::{checked, function, text};
use crate::protocol::{Header, Table};

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
type BoosterCreate = unsafe extern "C" fn(data: Handle, parameters: *const c_char, out: *mut Handle) -> c_int;
type BoosterUpdateOneIter = unsafe extern "C" fn(booster: Handle, is_finished: *mut c_int) -> c_int;
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

pub(super) fn fit(
    library: &Library,
    header: &Header,
    table: &Table,
    done: &mut dyn FnMut(usize),
) -> Result<Vec<u8>, String> {
    let count = |number: usize| i32::try_from(number).map_err(|_| format!("{number} rows or columns are too many"));
    let (rows, columns) = (count(header.rows)?, count(header.columns)?);
    let parameters: Vec<String> = header.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let parameters = text(&parameters.join(" "))?;
    // SAFETY: the types are those of the header.
    let (last_error, create, set_field, new_booster, update, save) = unsafe {
        (
            function::<LastError>(library, "LGBM_GetLastError")?,
            function::<DatasetCreateFromMat>(library, "LGBM_DatasetCreateFromMat")?,
            function::<DatasetSetField>(library, "LGBM_DatasetSetField")?,
            function::<BoosterCreate>(library, "LGBM_BoosterCreate")?,
            function::<BoosterUpdateOneIter>(library, "LGBM_BoosterUpdateOneIter")?,
            function::<BoosterSaveModelToString>(library, "LGBM_BoosterSaveModelToString")?,
        )
    };
    let mut data: Handle = ptr::null_mut();
    // SAFETY: `cells` has `rows` × `columns` doubles, column after column, and outlives the call, which copies them; the
    // text ends in a zero; `data` is room for one handle. Handles are freed with the process.
    let status = unsafe {
        create(table.cells.as_ptr().cast(), FLOAT64, rows, columns, 0, parameters.as_ptr(), ptr::null_mut(), &mut data)
    };
    checked(status, last_error)?;
    let fields = [(c"label", Some(&table.targets)), (c"weight", table.weights.as_ref())];
    for (name, field) in fields.into_iter().filter_map(|(name, field)| Some((name, field?))) {
        // SAFETY: the field has `rows` singles, which the call copies; `data` was made above.
        checked(unsafe { set_field(data, name.as_ptr(), field.as_ptr().cast(), rows, FLOAT32) }, last_error)?;
    }
    let mut booster: Handle = ptr::null_mut();
    // SAFETY: `data` was made above and is never freed before the booster.
    checked(unsafe { new_booster(data, parameters.as_ptr(), &mut booster) }, last_error)?;
    for iteration in 0..header.iterations {
        // An iteration that finds no split says so; a later one may find some, and the Python package goes on, too.
        let mut is_finished = 0;
        // SAFETY: `booster` was made above, `is_finished` is room for an int.
        checked(unsafe { update(booster, &mut is_finished) }, last_error)?;
        done(iteration + 1);
    }
    let mut length = 0;
    // SAFETY: without room nothing is written but the length that is needed.
    checked(unsafe { save(booster, 0, -1, 0, 0, &mut length, ptr::null_mut()) }, last_error)?;
    let mut model = vec![0u8; usize::try_from(length).map_err(|_| "the model has a negative length".to_owned())?];
    // SAFETY: `model` has room for `length` bytes, the zero at the end included.
    checked(unsafe { save(booster, 0, -1, 0, length, &mut length, model.as_mut_ptr().cast()) }, last_error)?;
    model.truncate(model.iter().position(|byte| *byte == 0).unwrap_or(model.len()));
    Ok(model)
}
