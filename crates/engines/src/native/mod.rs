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
use crate::protocol::{Ask, Frame, Rows, Weights};

/// A library that is loaded, with the rows as it keeps them.
pub(crate) enum Loaded {
    LightGbm(lightgbm::Session),
    XgBoost(xgboost::Session),
}

impl Loaded {
    /// Loads the library and finds its functions.
    ///
    /// # Errors
    /// The loader's own words.
    pub(crate) fn open(engine: Engine, path: &Path) -> Result<Loaded, String> {
        // SAFETY: loading runs the library's initialisers. The file is one that the user installed as, or named to be,
        // this library; the process has been started for nothing but to run it.
        let library = unsafe { Library::new(path) }.map_err(|error| words(&error))?;
        Ok(match engine {
            Engine::LightGbm => Loaded::LightGbm(lightgbm::Session::new(library)?),
            Engine::XgBoost => Loaded::XgBoost(xgboost::Session::new(library)?),
        })
    }

    /// Gives the version that the library tells; LightGBM tells none.
    pub(crate) fn version(&self) -> String {
        match self {
            Loaded::LightGbm(_) => String::new(),
            Loaded::XgBoost(session) => session.version(),
        }
    }

    /// Fits; `say` hears of every iteration, and what is predicted of the held rows after those that were asked for, and
    /// ends the fit without a model by giving false.
    ///
    /// The library's own form of the rows is kept and serves the next fit, where that would have made the same.
    ///
    /// # Errors
    /// The library's own words.
    pub(crate) fn fit(
        &mut self,
        train: &Rows,
        held: &Rows,
        ask: &Ask,
        weights: Weights,
        say: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<Option<Vec<u8>>, String> {
        match self {
            Loaded::LightGbm(session) => session.fit(train, held, ask, weights, say),
            Loaded::XgBoost(session) => session.fit(train, held, ask, weights, say),
        }
    }
}

/// What the library's form of the rows was made with: another one needs another form.
#[derive(PartialEq)]
struct Made {
    parameters: Vec<(String, String)>,
    weights: Weights,
    is_watched: bool,
}

impl Made {
    /// Takes all parameters but those in `free`, which no form depends on; `is_watched` says whether the held rows are
    /// among it.
    fn by(ask: &Ask, weights: Weights, free: &[&str], is_watched: bool) -> Made {
        let parameters = ask.parameters.iter().filter(|(name, _)| !free.contains(&name.as_str())).cloned().collect();
        Made { parameters, weights, is_watched }
    }
}

/// Tells that so many iterations are done and, where that was asked for, the margins of the held rows; gives whether the
/// fit goes on.
fn tell(
    say: &mut dyn FnMut(Frame) -> bool,
    ask: &Ask,
    done: usize,
    margins: impl FnOnce() -> Result<Vec<f64>, String>,
) -> Result<bool, String> {
    if !say(Frame::Done(done as u64)) {
        return Ok(false);
    }
    if !ask.told.contains(&done) {
        return Ok(true);
    }
    Ok(say(Frame::Predicted { iterations: done as u64, margins: margins()? }))
}

/// Knows when the loss on held rows has not fallen for too long.
struct Watch {
    patience: usize,
    best: Option<(f64, usize)>,
}

impl Watch {
    fn new(patience: usize) -> Watch {
        Watch { patience, best: None }
    }

    /// Hears the loss after so many iterations and says whether to stop.
    fn stops(&mut self, done: usize, loss: f64) -> bool {
        if self.best.is_none_or(|(best, _)| loss < best) && !loss.is_nan() {
            self.best = Some((loss, done));
        }
        done - self.best.map_or(0, |(_, at)| at) >= self.patience
    }

    /// Gives the iterations up to the lowest loss; none where there was no number among the losses.
    fn best(&self) -> Option<usize> {
        self.best.map(|(_, at)| at)
    }
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
    // SAFETY: what the caller promises. Sessions keep the library beside its functions.
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

#[cfg(test)]
mod tests {
    use super::Watch;

    #[test]
    fn a_fit_stops_when_the_loss_has_not_fallen_for_so_long() {
        let stopped = |losses: &[f64]| {
            let mut watch = Watch::new(2);
            let at = losses.iter().zip(1..).find(|(loss, done)| watch.stops(*done, **loss)).map(|(_, done)| done);
            (at, watch.best())
        };
        assert_eq!(stopped(&[3.0, 2.0, 2.0, 2.5, 1.0]), (Some(4), Some(2)), "the first of equal ones is the best");
        assert_eq!(stopped(&[3.0, 3.5, 2.0, 2.5]), (None, Some(3)));
        assert_eq!(stopped(&[f64::NAN, f64::NAN, 1.0]), (Some(2), None));
    }
}
