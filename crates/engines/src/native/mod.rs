//! The C interfaces of the libraries: the only unsafe code of this crate.
//!
//! Every function comes from the shared object by its name; its type is that of the library's header (`c_api.h`), of
//! LightGBM 4 and XGBoost 3. That the file is such a library is what the user says by installing it or naming it; one that
//! is not crashes the child process and nothing else.
#![allow(unsafe_code, reason = "a C interface cannot be called otherwise; it runs in a process of its own")]

mod lightgbm;
mod xgboost;

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;

use libloading::Library;

use crate::Engine;
use crate::protocol::{Header, Table};

/// Loads the library and fits; `done` hears of every iteration.
///
/// # Errors
/// The library's own words, or the loader's.
pub(crate) fn fit(header: &Header, table: &Table, done: &mut dyn FnMut(usize)) -> Result<Vec<u8>, String> {
    let library = open(&header.library)?;
    match header.engine {
        Engine::LightGbm => lightgbm::fit(&library, header, table, done),
        Engine::XgBoost => xgboost::fit(&library, header, table, done),
    }
}

fn open(path: &Path) -> Result<Library, String> {
    // SAFETY: loading runs the library's initialisers. The file is one that the user installed as, or named to be, this
    // library; the process has been started for nothing but to run it.
    unsafe { Library::new(path) }.map_err(|error| words(&error))
}

/// Gives the words of the system's loader, which lie below those of the crate.
fn words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Gives a function of the library.
///
/// # Safety
/// `F` is the type that the library's header gives the function of this name.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: what the caller promises. The function is called only while the library is borrowed from `fit`.
    unsafe { library.get::<F>(name.as_bytes()) }.map(|symbol| *symbol).map_err(|error| words(&error))
}

/// Turns a status into the library's last words where it is a failure.
fn checked(status: c_int, last_error: unsafe extern "C" fn() -> *const c_char) -> Result<(), String> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: both libraries give a text of their own that ends in a zero, valid until the next call on this thread.
    let words = unsafe {
        let words = last_error();
        if words.is_null() { String::new() } else { CStr::from_ptr(words).to_string_lossy().into_owned() }
    };
    Err(words)
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "a parameter holds a zero byte".to_owned())
}
