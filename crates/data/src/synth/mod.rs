//! Synthetic tables of our own making, the same at any thread count: row i depends on the seed and on i alone.
//!
//! So a longer table begins with the shorter one, except under drift, which is spread over all rows.

mod bike;
mod churn;
mod digits;
mod png;
mod tables;
mod write;

pub use bike::bike;
pub use churn::churn;
pub use digits::{DIGITS_SIDE, digit_images, digits, digits_of};
pub use tables::{Classification, Regression, classification, regression};
pub use write::{Format, write};

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use trainyard_random::Key;

/// The draws of one row.
struct Draws {
    key: Key,
    next: u64,
}

impl Draws {
    fn of(family: &Key, row: u64) -> Draws {
        Draws { key: family.derive(row), next: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.next += 1;
        self.key.uniform(self.next)
    }

    /// A standard normal deviate (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Picks by weights that add up to 1.
    fn pick<'a>(&mut self, choices: &[(&'a str, f64)]) -> &'a str {
        let mut left = self.uniform();
        for (choice, weight) in choices {
            left -= weight;
            if left < 0.0 {
                return choice;
            }
        }
        choices.last().map_or("", |(choice, _)| choice)
    }
}

/// Makes a table of columns of equal length.
fn table(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap_or_else(|_| RecordBatch::new_empty(schema))
}
