//! `trainyard runs sql`.

use std::io::{Read, stdin};
use std::path::Path;

use trainyard_diagnostics::Diagnostic;
use trainyard_files::{DiskIo, read};
use trainyard_pipeline::{Cancel, tracking};
use trainyard_tracking::QueryError;

use crate::arguments::Output;
use crate::cells;
use crate::printer::Printer;
use crate::signal::{Current, Way, watch};
use crate::stop::Stop;

pub(super) fn run(
    root: &Path,
    query: Option<&str>,
    file: Option<&Path>,
    output: &Output,
    printer: Printer,
) -> Result<(), Stop> {
    cells::check(output)?;
    let (name, text) = asked(query, file)?;
    let store = tracking(root)?;
    let cancel = Cancel::default();
    watch(&cancel, &Current::new(Way::resume(String::new())), printer)?;
    let answer = store.query(&name, &text, &|| cancel.is_cancelled()).map_err(|error| match *error {
        QueryError::Stopped => Stop::Interrupted { way: None },
        QueryError::Wrong(diagnostic) => Stop::from(vec![diagnostic]),
        QueryError::Store(error) => Stop::from(error),
    })?;
    if cells::written(&answer, output, printer)? {
        return Ok(());
    }
    printer.result(|| cells::document(&answer), |_| cells::drawn(&answer))
}

/// Reads the query from where it is, and says what to call it.
fn asked(query: Option<&str>, file: Option<&Path>) -> Result<(String, String), Stop> {
    let no_text = |name: &str| {
        let diagnostic = Diagnostic::error("sql/no-text", format!("{name} is no text in UTF-8"));
        Stop::from(vec![diagnostic.help("save it as UTF-8, and repeat the command")])
    };
    match (query, file) {
        (Some(query), None) if query != "-" => Ok(("query".to_owned(), query.to_owned())),
        (_, Some(file)) => {
            let name = file.display().to_string();
            let bytes = read(&DiskIo, file)?;
            String::from_utf8(bytes).map(|text| (name.clone(), text)).map_err(|_| no_text(&name))
        }
        _ => {
            let name = "the standard input";
            let mut bytes = Vec::new();
            stdin().lock().read_to_end(&mut bytes).map_err(|_| no_text(name))?;
            String::from_utf8(bytes).map(|text| (name.to_owned(), text)).map_err(|_| no_text(name))
        }
    }
}
