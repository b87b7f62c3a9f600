//! `trainyard run`.

use trainyard_pipeline::{Request, run as run_project};

use super::{engaged, outcome};
use crate::printer::Printer;
use crate::stop::Stop;

pub(super) fn run(request: &Request, printer: Printer) -> Result<u8, Stop> {
    let result = engaged(printer, request, |reporter, cancel| run_project(request, reporter, cancel))?;
    outcome::print(&result, printer)
}
