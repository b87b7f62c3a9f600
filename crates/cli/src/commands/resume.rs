//! `trainyard resume`.

use trainyard_pipeline::{Request, resume};

use super::{engaged, outcome};
use crate::printer::Printer;
use crate::stop::Stop;

pub(super) fn run(request: &Request, run: Option<&str>, printer: Printer) -> Result<u8, Stop> {
    let result = engaged(printer, request, |reporter, cancel| resume(request, run, reporter, cancel))?;
    outcome::print(&result, printer)
}
