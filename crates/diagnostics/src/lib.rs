//! Problems a user can act on, drawn for a terminal or as JSON.
//!
//! A [`Diagnostic`] says what is wrong, where, what else makes it wrong, and one thing to do. Everything here is plain
//! data: nothing is printed, and no file is read.

mod conceal;
mod diagnostic;
mod json;
mod nearest;
mod problems;
mod render;
mod source;
mod width;
mod words;

pub use conceal::{conceal, is_password, password};
pub use diagnostic::{Diagnostic, Fault, Label, Severity};
pub use nearest::{nearest, one_of, there_are};
pub use problems::Problems;
pub use render::{Style, render, render_all};
pub use source::{Place, Position, Source};
pub use words::{count, markup_text, shell_word};
