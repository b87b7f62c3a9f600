//! External engines: the official shared objects of LightGBM and XGBoost, loaded at run time.
//!
//! [`Engines`] finds them ([`Places`]) and fits with them. A library runs in a child process of its own ([`work`]): its
//! OpenMP threads, its crashes and its `exit()` stay there. What it fitted comes back in the library's own format and is
//! read into [`trainyard_learn::TreeEnsemble`], from which everything else comes. [`add`] brings a library with the
//! machine's own `pip`.
//!
//! Boundary: the only crate that loads foreign code. Never: loads it into the process that called; prints; reads the
//! environment.

mod add;
mod arrange;
mod client;
mod error;
mod find;
mod lightgbm;
mod native;
mod protocol;
mod worker;
mod xgboost;

pub use add::{Pip, add, pip};
pub use client::{Engines, Fit, FitRequest, FitRows, Heard, Held, Kept, Worker};
pub use error::Error;
pub use find::{Library, Places};
pub use worker::work;

use serde::{Deserialize, Serialize};
use trainyard_learn::metrics::Task;

/// An external engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// LightGBM by Microsoft.
    LightGbm,
    /// XGBoost by DMLC.
    XgBoost,
}

impl Engine {
    /// All engines, in the order in which they are listed.
    pub const ALL: [Engine; 2] = [Engine::LightGbm, Engine::XgBoost];

    /// Gives the name that specs and commands spell.
    pub fn name(self) -> &'static str {
        match self {
            Engine::LightGbm => "lightgbm",
            Engine::XgBoost => "xgboost",
        }
    }

    /// Gives the name that its makers write.
    pub fn title(self) -> &'static str {
        match self {
            Engine::LightGbm => "LightGBM",
            Engine::XgBoost => "XGBoost",
        }
    }

    /// Finds an engine by its name in specs.
    pub fn by_name(name: &str) -> Option<Engine> {
        Engine::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// Names the environment variable that may hold the path of the shared object.
    pub fn variable(self) -> &'static str {
        match self {
            Engine::LightGbm => "TRAINYARD_LIGHTGBM",
            Engine::XgBoost => "TRAINYARD_XGBOOST",
        }
    }

    /// Gives what `pip` installs: the versions that are known to work.
    pub fn requirement(self) -> &'static str {
        match self {
            Engine::LightGbm => "lightgbm==4.7.*",
            Engine::XgBoost => "xgboost-cpu==3.2.*",
        }
    }

    /// Gives the versions that are known to work: from the first on, before the second.
    pub fn tested(self) -> [(u64, u64); 2] {
        match self {
            Engine::LightGbm => [(4, 0), (5, 0)],
            Engine::XgBoost => [(2, 1), (4, 0)],
        }
    }

    /// Gives the path that the native model has in a model's folder.
    pub fn native_file(self) -> &'static str {
        match self {
            Engine::LightGbm => "lightgbm/model.txt",
            Engine::XgBoost => "xgboost/model.json",
        }
    }

    /// Gives the shared object in a folder of Python packages.
    fn in_packages(self) -> [&'static str; 3] {
        match self {
            Engine::LightGbm => ["lightgbm", "lib", "lib_lightgbm.so"],
            Engine::XgBoost => ["xgboost", "lib", "libxgboost.so"],
        }
    }

    /// Gives the file beside `lib` that states the version.
    fn version_file(self) -> &'static str {
        match self {
            Engine::LightGbm => "VERSION.txt",
            Engine::XgBoost => "VERSION",
        }
    }

    /// Gives the parameters that a task, a seed and a number of threads ask for.
    fn given(self, task: Task, seed: u64, threads: u32) -> Vec<(String, String)> {
        // Both take whole numbers of 32 bits.
        let seed = (seed & 0x7fff_ffff).to_string();
        let threads = threads.to_string();
        let (objective, classes) = match (self, task) {
            (Engine::LightGbm, Task::Binary) => ("binary", None),
            (Engine::LightGbm, Task::Multiclass { classes }) => ("multiclass", Some(classes)),
            (Engine::LightGbm, Task::Regression) => ("regression", None),
            (Engine::XgBoost, Task::Binary) => ("binary:logistic", None),
            (Engine::XgBoost, Task::Multiclass { classes }) => ("multi:softprob", Some(classes)),
            (Engine::XgBoost, Task::Regression) => ("reg:squarederror", None),
        };
        let fixed: &[(&str, &str)] = match self {
            Engine::LightGbm => {
                &[("num_threads", &threads), ("deterministic", "true"), ("force_row_wise", "true"), ("verbosity", "-1")]
            }
            Engine::XgBoost => &[("nthread", &threads), ("device", "cpu"), ("verbosity", "0")],
        };
        let mut parameters = vec![("objective".to_owned(), objective.to_owned()), ("seed".to_owned(), seed)];
        parameters.extend(classes.map(|classes| ("num_class".to_owned(), classes.to_string())));
        parameters.extend(fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        parameters
    }
}
