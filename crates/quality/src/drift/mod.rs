//! Drift: whether the columns of two tables are of one distribution, as Evidently 0.7.23 tells it.
//!
//! A column is numeric, categorical or text, by what the current table holds; texts are compared by their lengths. One
//! test decides, the others are reported. Missing and infinite values are left out. The report depends on the tables
//! alone, whatever the number of threads.

mod categories;
mod column;
mod numbers;
pub(crate) mod page;
mod report;
mod sample;
mod tests;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use rayon::prelude::*;
use trainyard_spec::{DriftSpec, DriftTest, Located};

pub use page::page;
pub use report::{Broken, ColumnDrift, Distribution, Judged, LeftOut, Outcome, Report, Side, Summary, Table};
pub use sample::Kind;

/// What decides and what is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Tests that are reported for numbers.
    pub numeric: Vec<DriftTest>,
    /// Tests that are reported for categories.
    pub categorical: Vec<DriftTest>,
    /// The test that decides for numbers; Evidently's choice where there is none.
    pub decides_numeric: Option<DriftTest>,
    /// The test that decides for categories; Evidently's choice where there is none.
    pub decides_categorical: Option<DriftTest>,
    /// The threshold of each test; the usual one where there is none.
    pub thresholds: BTreeMap<DriftTest, f64>,
    /// The share of drifted columns from which on the table has drifted, above 0.
    pub share: f64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            numeric: Vec::new(),
            categorical: Vec::new(),
            decides_numeric: None,
            decides_categorical: None,
            thresholds: BTreeMap::new(),
            share: 0.5,
        }
    }
}

impl Rules {
    /// Takes what a project says.
    pub fn of(spec: &DriftSpec) -> Rules {
        let values = |tests: &[Located<DriftTest>]| tests.iter().map(|test| test.value).collect();
        Rules {
            numeric: values(&spec.tests.numeric),
            categorical: values(&spec.tests.categorical),
            decides_numeric: spec.decide.numeric.as_ref().map(|test| test.value),
            decides_categorical: spec.decide.categorical.as_ref().map(|test| test.value),
            thresholds: spec.thresholds.all(),
            share: spec.share.value,
        }
    }

    fn threshold(&self, test: DriftTest) -> f64 {
        self.thresholds.get(&test).copied().unwrap_or_else(|| test.usual_threshold())
    }
}

/// The tables to compare.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What was.
    pub reference: &'a RecordBatch,
    /// What is.
    pub current: &'a RecordBatch,
    /// Only these columns; all that both tables have where it is `None`.
    pub columns: Option<&'a [String]>,
    /// Columns that are not compared, such as the key.
    pub without: &'a [String],
    /// The column to predict, told apart in the report.
    pub target: Option<&'a str>,
    /// Whether the target holds labels, whatever its type.
    pub target_is_label: bool,
    /// What decides.
    pub rules: &'a Rules,
}

/// Compares two tables, a column on each thread.
///
/// The columns stand in the current table's order, then those that only the reference has.
pub fn drift(request: &Request<'_>) -> Report {
    let (then, now) = (request.reference.schema(), request.current.schema());
    let mut names: Vec<&str> = now.fields().iter().map(|field| field.name().as_str()).collect();
    let gone = then.fields().iter().map(|field| field.name().as_str()).filter(|name| now.index_of(name).is_err());
    names.extend(gone);
    let wanted = |name: &&str| {
        let asked = request.columns.is_none_or(|columns| columns.iter().any(|column| column == name));
        asked && !request.without.iter().any(|column| column == name)
    };
    names.retain(wanted);
    let columns = names.par_iter().map_init(Default::default, |rooms, name| column::compare(request, name, rooms));
    Report::of(request, columns.collect())
}
