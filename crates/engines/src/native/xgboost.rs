//! XGBoost's `c_api.h`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use libloading::Library;
use serde_json::json;

use super::{checked, function, text};
use crate::protocol::{Header, Table};

type Handle = *mut c_void;
type LastError = unsafe extern "C" fn() -> *const c_char;
type DMatrixCreateFromDense =
    unsafe extern "C" fn(data: *const c_char, config: *const c_char, out: *mut Handle) -> c_int;
type DMatrixSetInfoFromInterface =
    unsafe extern "C" fn(data: Handle, field: *const c_char, interface: *const c_char) -> c_int;
type BoosterCreate = unsafe extern "C" fn(data: *const Handle, length: u64, out: *mut Handle) -> c_int;
type BoosterSetParam = unsafe extern "C" fn(booster: Handle, name: *const c_char, value: *const c_char) -> c_int;
type BoosterUpdateOneIter = unsafe extern "C" fn(booster: Handle, iteration: c_int, data: Handle) -> c_int;
type BoosterSaveModelToBuffer =
    unsafe extern "C" fn(booster: Handle, config: *const c_char, length: *mut u64, out: *mut *const c_char) -> c_int;

pub(super) fn fit(
    library: &Library,
    header: &Header,
    table: &Table,
    done: &mut dyn FnMut(usize),
) -> Result<Vec<u8>, String> {
    // SAFETY: the types are those of the header.
    let (last_error, create, set_info, new_booster, set, update, save) = unsafe {
        (
            function::<LastError>(library, "XGBGetLastError")?,
            function::<DMatrixCreateFromDense>(library, "XGDMatrixCreateFromDense")?,
            function::<DMatrixSetInfoFromInterface>(library, "XGDMatrixSetInfoFromInterface")?,
            function::<BoosterCreate>(library, "XGBoosterCreate")?,
            function::<BoosterSetParam>(library, "XGBoosterSetParam")?,
            function::<BoosterUpdateOneIter>(library, "XGBoosterUpdateOneIter")?,
            function::<BoosterSaveModelToBuffer>(library, "XGBoosterSaveModelToBuffer")?,
        )
    };
    // NumPy's array interface, whose strides say that columns lie one after another.
    let cells = json!({
        "data": [table.cells.as_ptr() as usize, true],
        "shape": [header.rows, header.columns],
        "strides": [8, 8 * header.rows],
        "typestr": "<f8",
        "version": 3,
    });
    let threads = header.parameters.iter().find(|(name, _)| name == "nthread").map_or("1", |(_, value)| value);
    let config = format!("{{\"missing\": NaN, \"nthread\": {threads}}}");
    let (cells, config) = (text(&cells.to_string())?, text(&config)?);
    let mut data: Handle = ptr::null_mut();
    // SAFETY: the interface tells where the cells lie, how many they are and that they are read only; they outlive the
    // call, which copies them. `data` is room for one handle. Handles are freed with the process.
    checked(unsafe { create(cells.as_ptr(), config.as_ptr(), &mut data) }, last_error)?;
    let fields = [(c"label", Some(&table.targets)), (c"weight", table.weights.as_ref())];
    for (name, field) in fields.into_iter().filter_map(|(name, field)| Some((name, field?))) {
        let interface = json!({
            "data": [field.as_ptr() as usize, true],
            "shape": [header.rows],
            "typestr": "<f4",
            "version": 3,
        });
        let interface = text(&interface.to_string())?;
        // SAFETY: the interface tells of `rows` singles, which the call copies; `data` was made above.
        checked(unsafe { set_info(data, name.as_ptr(), interface.as_ptr()) }, last_error)?;
    }
    let mut booster: Handle = ptr::null_mut();
    // SAFETY: `data` is one handle, made above and never freed before the booster.
    checked(unsafe { new_booster(&raw const data, 1, &mut booster) }, last_error)?;
    for (name, value) in &header.parameters {
        let (name, value) = (text(name)?, text(value)?);
        // SAFETY: `booster` was made above; both texts end in a zero and are copied.
        checked(unsafe { set(booster, name.as_ptr(), value.as_ptr()) }, last_error)?;
    }
    for iteration in 0..header.iterations {
        let number = c_int::try_from(iteration).map_err(|_| "there are too many iterations".to_owned())?;
        // SAFETY: both handles were made above.
        checked(unsafe { update(booster, number, data) }, last_error)?;
        done(iteration + 1);
    }
    let (mut length, mut model) = (0, ptr::null());
    // SAFETY: the call leaves a buffer of the booster's own and its length.
    checked(unsafe { save(booster, c"{\"format\": \"json\"}".as_ptr(), &mut length, &mut model) }, last_error)?;
    let length = usize::try_from(length).map_err(|_| "the model is too long".to_owned())?;
    if model.is_null() {
        return Err("the library gave no model".to_owned());
    }
    // SAFETY: the buffer has `length` bytes and is valid until the next call of the booster.
    Ok(unsafe { std::slice::from_raw_parts(model.cast::<u8>(), length) }.to_vec())
}
