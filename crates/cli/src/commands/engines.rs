//! `trainyard engines`, and the child process that an engine runs in.

use std::env;
use std::path::PathBuf;

use serde_json::json;
use trainyard_engines::{Engine, Engines as Found, Error, Library, Places, Worker, add};

use crate::arguments::Engines;
use crate::printer::{Ink, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, table};

/// The hidden command of the child.
const WORKER: &str = "engine-worker";

pub(super) fn run(action: Engines, printer: Printer) -> Result<u8, Stop> {
    match action {
        Engines::List => list(printer),
        Engines::Add { name } => bring(name, printer),
    }?;
    Ok(0)
}

/// Is the child: serves its parent and gives the exit code.
pub(super) fn work() -> u8 {
    trainyard_engines::work()
}

/// Gives the engines of this machine; none is looked for before it is needed.
pub(super) fn found() -> Found {
    let program = env::current_exe().unwrap_or_default();
    Found::new(places(), Worker { program, arguments: vec![WORKER.to_owned()] })
}

fn places() -> Places {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = path("XDG_DATA_HOME").or_else(|| path("HOME").map(|home| home.join(".local/share")));
    Places {
        named: Engine::ALL.into_iter().filter_map(|engine| Some((engine, path(engine.variable())?))).collect(),
        added: data.map(|data| data.join("trainyard/engines")),
        environments: ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(path).collect(),
    }
}

fn list(printer: Printer) -> Result<(), Stop> {
    let here = found();
    let engines: Vec<(Engine, Result<Library, Error>)> =
        Engine::ALL.into_iter().map(|engine| (engine, here.library(engine).cloned())).collect();
    let document = || {
        let entry = |(engine, found): &(Engine, Result<Library, Error>)| match found {
            Ok(library) => json!({"name": engine.name(), "found": true, "version": library.version,
                                  "path": library.path, "digest": library.digest}),
            Err(error) => json!({"name": engine.name(), "found": false, "problem": error.diagnostic().to_json()}),
        };
        json!({"engines": engines.iter().map(entry).collect::<Vec<_>>()})
    };
    printer.result(document, |_| {
        let mut rows = vec![["engine", "version", "digest", "where"].map(str::to_owned).to_vec()];
        for (engine, found) in &engines {
            rows.push(match found {
                Ok(library) => vec![
                    engine.name().to_owned(),
                    library.version.clone().unwrap_or_else(|| "unknown".to_owned()),
                    library.digest.short(),
                    clean(&library.path.display().to_string()).to_string(),
                ],
                Err(Error::Absent { .. }) => {
                    let how = format!("absent: trainyard engines add {}", engine.name());
                    vec![engine.name().to_owned(), "-".to_owned(), "-".to_owned(), how]
                }
                Err(error) => vec![
                    engine.name().to_owned(),
                    "-".to_owned(),
                    "-".to_owned(),
                    clean(&error.to_string()).to_string(),
                ],
            });
        }
        table(&[Side::Left; 4], &rows)
    })
}

fn bring(engine: Engine, printer: Printer) -> Result<(), Stop> {
    printer.line(&format!("Bringing {} with pip: {}", engine.title(), engine.requirement()));
    let library = add(engine, &places()).map_err(|error| error.diagnostic())?;
    printer.result(
        || json!({"added": library}),
        |paint| {
            format!(
                "{}   {} {}, digest {}, in {}\n",
                paint.ink(Ink::Good, "Added"),
                engine.title(),
                library.version.as_deref().unwrap_or_default(),
                library.digest.short(),
                clean(&library.path.display().to_string()),
            )
        },
    )
}
