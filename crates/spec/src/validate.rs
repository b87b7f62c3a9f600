//! What is expected of the data before anything is built on it.

use crate::Located;
use crate::declare::{record, required, text};

record! {
    /// What is expected of the data before anything is built on it.
    pub struct ValidateSpec {
        /// A suite of expectations in the JSON of Great Expectations, from the project's folder.
        suite: Located<String> = required(text(), "expectations/customers.json"),
    }
}
