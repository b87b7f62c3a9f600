//! XGBoost's `c_api.h`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use libloading::Library;
use serde_json::{Value, json};

use super::{Made, Watch, checked, function, tell, text};
use crate::protocol::{Ask, Frame, Rows, Weights};

type Handle = *mut c_void;
type LastError = unsafe extern "C" fn() -> *const c_char;
type Version = unsafe extern "C" fn(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
type Hear = unsafe extern "C" fn(words: *const c_char);
type RegisterLogCallback = unsafe extern "C" fn(hear: Hear) -> c_int;
type DMatrixCreateFromDense =
    unsafe extern "C" fn(data: *const c_char, config: *const c_char, out: *mut Handle) -> c_int;
type DMatrixSetInfoFromInterface =
    unsafe extern "C" fn(data: Handle, field: *const c_char, interface: *const c_char) -> c_int;
type Free = unsafe extern "C" fn(handle: Handle) -> c_int;
type BoosterCreate = unsafe extern "C" fn(data: *const Handle, length: u64, out: *mut Handle) -> c_int;
type BoosterSetParam = unsafe extern "C" fn(booster: Handle, name: *const c_char, value: *const c_char) -> c_int;
type BoosterUpdateOneIter = unsafe extern "C" fn(booster: Handle, iteration: c_int, data: Handle) -> c_int;
type BoosterEvalOneIter = unsafe extern "C" fn(
    booster: Handle,
    iteration: c_int,
    data: *const Handle,
    names: *const *const c_char,
    length: u64,
    out: *mut *const c_char,
) -> c_int;
type BoosterPredictFromDMatrix = unsafe extern "C" fn(
    booster: Handle,
    data: Handle,
    config: *const c_char,
    shape: *mut *const u64,
    dimensions: *mut u64,
    out: *mut *const f32,
) -> c_int;
type BoosterSlice =
    unsafe extern "C" fn(booster: Handle, begin: c_int, end: c_int, step: c_int, out: *mut Handle) -> c_int;
type BoosterSaveJsonConfig = unsafe extern "C" fn(booster: Handle, length: *mut u64, out: *mut *const c_char) -> c_int;
type BoosterSaveModelToBuffer =
    unsafe extern "C" fn(booster: Handle, config: *const c_char, length: *mut u64, out: *mut *const c_char) -> c_int;

/// The parameters that only a booster reads. The bins that a matrix keeps depend on the others, and on the weights.
const FREE: &[&str] = &[
    "max_depth",
    "max_leaves",
    "learning_rate",
    "subsample",
    "colsample_bytree",
    "colsample_bylevel",
    "colsample_bynode",
    "min_child_weight",
    "gamma",
    "reg_alpha",
    "reg_lambda",
    "max_delta_step",
    "grow_policy",
    "monotone_constraints",
];

#[derive(Clone, Copy)]
struct Functions {
    last_error: LastError,
    version: Version,
    listen: RegisterLogCallback,
    create: DMatrixCreateFromDense,
    set_info: DMatrixSetInfoFromInterface,
    free_data: Free,
    new_booster: BoosterCreate,
    set: BoosterSetParam,
    update: BoosterUpdateOneIter,
    evaluate: BoosterEvalOneIter,
    predict: BoosterPredictFromDMatrix,
    slice: BoosterSlice,
    config: BoosterSaveJsonConfig,
    save: BoosterSaveModelToBuffer,
    free_booster: Free,
}

/// The rows as XGBoost keeps them.
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

/// The last that the library said to its log.
static SAID: Mutex<String> = Mutex::new(String::new());

unsafe extern "C" fn hear(words: *const c_char) {
    // SAFETY: the library gives a text that ends in a zero.
    let words = unsafe { CStr::from_ptr(words) }.to_string_lossy().trim().to_owned();
    *SAID.lock().unwrap_or_else(PoisonError::into_inner) = words;
}

impl Session {
    pub(super) fn new(library: Library) -> Result<Session, String> {
        // SAFETY: the types are those of the header.
        let functions = unsafe {
            Functions {
                last_error: function::<LastError>(&library, "XGBGetLastError")?,
                version: function::<Version>(&library, "XGBoostVersion")?,
                listen: function::<RegisterLogCallback>(&library, "XGBRegisterLogCallback")?,
                create: function::<DMatrixCreateFromDense>(&library, "XGDMatrixCreateFromDense")?,
                set_info: function::<DMatrixSetInfoFromInterface>(&library, "XGDMatrixSetInfoFromInterface")?,
                free_data: function::<Free>(&library, "XGDMatrixFree")?,
                new_booster: function::<BoosterCreate>(&library, "XGBoosterCreate")?,
                set: function::<BoosterSetParam>(&library, "XGBoosterSetParam")?,
                update: function::<BoosterUpdateOneIter>(&library, "XGBoosterUpdateOneIter")?,
                evaluate: function::<BoosterEvalOneIter>(&library, "XGBoosterEvalOneIter")?,
                predict: function::<BoosterPredictFromDMatrix>(&library, "XGBoosterPredictFromDMatrix")?,
                slice: function::<BoosterSlice>(&library, "XGBoosterSlice")?,
                config: function::<BoosterSaveJsonConfig>(&library, "XGBoosterSaveJsonConfig")?,
                save: function::<BoosterSaveModelToBuffer>(&library, "XGBoosterSaveModelToBuffer")?,
                free_booster: function::<Free>(&library, "XGBoosterFree")?,
            }
        };
        Ok(Session { functions, data: None, _library: library })
    }

    pub(super) fn version(&self) -> String {
        let (mut major, mut minor, mut patch) = (0, 0, 0);
        // SAFETY: each is room for an int.
        unsafe { (self.functions.version)(&mut major, &mut minor, &mut patch) };
        format!("{major}.{minor}.{patch}")
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
        let parameter = |of: &str| ask.parameters.iter().find(|(name, _)| name == of).map(|(_, value)| value.as_str());
        let threads = parameter("nthread").unwrap_or("1");
        // `approx` bins anew by what a fit draws and weighs.
        let bins_anew = ask.parameters.iter().any(|(name, value)| name == "tree_method" && value == "approx");
        let is_watched = ask.patience.is_some() || !ask.told.is_empty();
        let made = Made::by(ask, weights, if bins_anew { &[] } else { FREE }, is_watched);
        if let Some(old) = self.data.take_if(|data| data.made != made) {
            for handle in [Some(old.train), old.held].into_iter().flatten() {
                // SAFETY: the handle was made by the library and is used no more; its boosters are gone.
                failed(unsafe { (functions.free_data)(handle) })?;
            }
        }
        let data = match &self.data {
            Some(data) => data,
            None => {
                let of_train = functions.matrix(train, made.weights.train.as_deref(), threads)?;
                let watched = made.is_watched.then(|| functions.matrix(held, made.weights.held.as_deref(), threads));
                self.data.insert(Data { made, train: of_train, held: watched.transpose()? })
            }
        };
        let device = parameter("device").filter(|device| *device != "cpu");
        if device.is_some() {
            // SAFETY: `hear` has the type of the header and lives as long as the process.
            failed(unsafe { (functions.listen)(hear) })?;
        }
        let mut booster: Handle = ptr::null_mut();
        // SAFETY: the matrix is freed after the booster.
        failed(unsafe { (functions.new_booster)(&raw const data.train, 1, &mut booster) })?;
        for (name, value) in &ask.parameters {
            functions.set(booster, name, value)?;
        }
        if device.is_some() {
            // Only a warning tells that there is no such device.
            functions.set(booster, "verbosity", "1")?;
        }
        let mut watch = ask.patience.map(Watch::new);
        for iteration in 0..ask.iterations {
            let number = c_int::try_from(iteration).map_err(|_| "there are too many iterations".to_owned())?;
            // SAFETY: both handles were made above.
            failed(unsafe { (functions.update)(booster, number, data.train) })?;
            if iteration == 0 && device.is_some() {
                functions.refuse_other_device(booster)?;
            }
            if !tell(say, ask, iteration + 1, || functions.margins(booster, data.held))? {
                // SAFETY: `booster` was made above and is used no more.
                failed(unsafe { (functions.free_booster)(booster) })?;
                return Ok(None);
            }
            if let (Some(watch), Some(held)) = (&mut watch, data.held)
                && watch.stops(iteration + 1, functions.loss(booster, number, held)?)
            {
                break;
            }
        }
        if let Some(best) = watch.and_then(|watch| watch.best()) {
            let best = c_int::try_from(best).map_err(|_| "there are too many iterations".to_owned())?;
            let whole = booster;
            // SAFETY: `whole` was made above; `booster` is room for one handle.
            failed(unsafe { (functions.slice)(whole, 0, best, 1, &mut booster) })?;
            // SAFETY: `whole` is used no more.
            failed(unsafe { (functions.free_booster)(whole) })?;
        }
        let model = functions.saved(booster)?;
        // SAFETY: `booster` was made above and is used no more.
        failed(unsafe { (functions.free_booster)(booster) })?;
        Ok(Some(model))
    }
}

impl Functions {
    fn matrix(&self, rows: &Rows, weights: Option<&[f32]>, threads: &str) -> Result<Handle, String> {
        // NumPy's array interface, whose strides say that columns lie one after another.
        let cells = json!({
            "data": [rows.cells.as_ptr() as usize, true],
            "shape": [rows.count, rows.cells.len() / rows.count.max(1)],
            "strides": [8, 8 * rows.count],
            "typestr": "<f8",
            "version": 3,
        });
        let config = format!("{{\"missing\": NaN, \"nthread\": {threads}}}");
        let (cells, config) = (text(&cells.to_string())?, text(&config)?);
        let mut data: Handle = ptr::null_mut();
        // SAFETY: the interface tells where the cells lie, how many they are and that they are read only; they outlive
        // the call, which copies them. `data` is room for one handle.
        checked(unsafe { (self.create)(cells.as_ptr(), config.as_ptr(), &mut data) }, self.last_error)?;
        let fields = [(c"label", Some(rows.targets.as_slice())), (c"weight", weights)];
        for (name, field) in fields.into_iter().filter_map(|(name, field)| Some((name, field?))) {
            let interface = json!({
                "data": [field.as_ptr() as usize, true],
                "shape": [rows.count],
                "typestr": "<f4",
                "version": 3,
            });
            let interface = text(&interface.to_string())?;
            // SAFETY: the interface tells of as many singles as there are rows, which the call copies; `data` was made
            // above.
            checked(unsafe { (self.set_info)(data, name.as_ptr(), interface.as_ptr()) }, self.last_error)?;
        }
        Ok(data)
    }

    fn set(&self, booster: Handle, name: &str, value: &str) -> Result<(), String> {
        let (name, value) = (text(name)?, text(value)?);
        // SAFETY: the booster was made by the library; both texts end in a zero and are copied.
        checked(unsafe { (self.set)(booster, name.as_ptr(), value.as_ptr()) }, self.last_error)
    }

    /// Gives the margins that the trees so far predict of the held rows, row after row.
    fn margins(&self, booster: Handle, held: Option<Handle>) -> Result<Vec<f64>, String> {
        let held = held.ok_or_else(|| "no rows are held out".to_owned())?;
        // Type 1 is the margins; a strict shape has two dimensions. The iterations up to 0 are all.
        let config =
            c"{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, \"strict_shape\": true}";
        let (mut shape, mut dimensions, mut margins) = (ptr::null(), 0, ptr::null());
        // SAFETY: both handles were made by the library, the text ends in a zero; the call leaves a buffer of the
        // booster's own with its shape.
        let status =
            unsafe { (self.predict)(booster, held, config.as_ptr(), &mut shape, &mut dimensions, &mut margins) };
        checked(status, self.last_error)?;
        if shape.is_null() || margins.is_null() || dimensions != 2 {
            return Err("the library predicted nothing".to_owned());
        }
        // SAFETY: the library gave a shape of two numbers, and as many margins as their product; both are valid until the
        // next call of the booster.
        let margins = unsafe {
            let [rows, outputs] = [0, 1].map(|at| *shape.add(at));
            let length = rows.checked_mul(outputs).and_then(|length| usize::try_from(length).ok());
            std::slice::from_raw_parts(margins, length.ok_or("the library predicted more than there can be")?)
        };
        Ok(margins.iter().copied().map(f64::from).collect())
    }

    /// Gives the metric of the objective on the held rows, which is a loss: the library writes `[3]\theld-logloss:0.5`.
    fn loss(&self, booster: Handle, iteration: c_int, held: Handle) -> Result<f64, String> {
        let (names, mut line) = ([c"held".as_ptr()], ptr::null());
        // SAFETY: there is one matrix with one name; the call leaves a text of the booster's own that ends in a zero.
        let line = unsafe {
            let status = (self.evaluate)(booster, iteration, &raw const held, names.as_ptr(), 1, &mut line);
            checked(status, self.last_error)?;
            if line.is_null() { String::new() } else { CStr::from_ptr(line).to_string_lossy().into_owned() }
        };
        let loss = line.rsplit_once(':').and_then(|(_, loss)| loss.trim().parse().ok());
        loss.ok_or_else(|| format!("the library measured no loss: {line}"))
    }

    /// Refuses a booster that went on without the device that was asked for.
    fn refuse_other_device(&self, booster: Handle) -> Result<(), String> {
        let (mut length, mut config) = (0, ptr::null());
        // SAFETY: the call leaves a text of the booster's own that ends in a zero.
        let config = unsafe {
            checked((self.config)(booster, &mut length, &mut config), self.last_error)?;
            if config.is_null() { String::new() } else { CStr::from_ptr(config).to_string_lossy().into_owned() }
        };
        let config: Value = serde_json::from_str(&config).unwrap_or_default();
        if config["learner"]["generic_param"]["device"] != "cpu" {
            return Ok(());
        }
        let said = SAID.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(if said.is_empty() { "it would fit on the CPU: it finds no such device".to_owned() } else { said })
    }

    fn saved(&self, booster: Handle) -> Result<Vec<u8>, String> {
        let (mut length, mut model) = (0, ptr::null());
        let form = c"{\"format\": \"json\"}".as_ptr();
        // SAFETY: the call leaves a buffer of the booster's own and its length.
        checked(unsafe { (self.save)(booster, form, &mut length, &mut model) }, self.last_error)?;
        let length = usize::try_from(length).map_err(|_| "the model is too long".to_owned())?;
        if model.is_null() {
            return Err("the library gave no model".to_owned());
        }
        // SAFETY: the buffer has `length` bytes and is valid until the next call of the booster.
        Ok(unsafe { std::slice::from_raw_parts(model.cast::<u8>(), length) }.to_vec())
    }
}
