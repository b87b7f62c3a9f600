//! Which tests are made of a column, and what they say.

use trainyard_spec::DriftTest;

use super::Rules;
use super::report::Outcome;

/// What a test measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    pub(super) value: Option<f64>,
    pub(super) statistic: Option<f64>,
}

/// A reference of up to this many values is small enough for p-values to mean something.
const SMALL: u64 = 1000;

/// Gives the test that decides where nobody says which, as Evidently chooses it: by the number of values of the
/// reference and of different values in both tables.
pub(super) fn choice(numeric: bool, reference: u64, distinct: usize) -> DriftTest {
    match (reference <= SMALL, numeric && distinct > 5) {
        (true, true) => DriftTest::Ks,
        (true, false) if distinct > 2 => DriftTest::ChiSquare,
        (true, false) => DriftTest::Z,
        (false, true) => DriftTest::Wasserstein,
        (false, false) => DriftTest::JensenShannon,
    }
}

/// Makes the deciding test and then the others that were asked for, each once. A test without a value finds no drift.
pub(super) fn outcomes(
    decides: DriftTest,
    asked: &[DriftTest],
    rules: &Rules,
    measure: impl Fn(DriftTest) -> Measured,
) -> Vec<Outcome> {
    let mut tests = vec![decides];
    for test in asked {
        if !tests.contains(test) {
            tests.push(*test);
        }
    }
    let outcome = |test: DriftTest| {
        let Measured { value, statistic } = measure(test);
        let threshold = rules.threshold(test);
        let drifted = value.is_some_and(|value| test.finds(value, threshold));
        Outcome { test, value, statistic, threshold, drifted }
    };
    tests.into_iter().map(outcome).collect()
}
