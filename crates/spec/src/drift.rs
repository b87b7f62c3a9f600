//! Drift: whether the data still is what the model was trained on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Named, Shape, bare, choice, defaulted, list, named, number, optional, or_empty, rec, record,
    text, unless_given,
};
use crate::error::Error;
use crate::tree::Node;

named! {
    /// A test whether two samples of a column are of one distribution.
    pub enum DriftTest {
        /// Two-sample Kolmogorov–Smirnov, of numbers: drift at a p-value of at most 0.05.
        Ks = "ks",
        /// First Wasserstein distance by the reference's standard deviation, of numbers: drift from 0.1.
        Wasserstein = "wasserstein",
        /// Population stability index: drift from 0.1.
        Psi = "psi",
        /// Kullback–Leibler divergence: drift from 0.1.
        KlDiv = "kl_div",
        /// Jensen–Shannon distance: drift from 0.1.
        JensenShannon = "jensen_shannon",
        /// Hellinger distance: drift from 0.1.
        Hellinger = "hellinger",
        /// Pearson's chi-square, of categories: drift at a p-value below 0.05.
        ChiSquare = "chisquare",
        /// Difference of two proportions, of categories: drift at a p-value below 0.05.
        Z = "z",
    }
}

impl DriftTest {
    /// Finds a test by its name.
    pub fn by_name(name: &str) -> Option<DriftTest> {
        DriftTest::ALL.iter().find(|(known, ..)| *known == name).map(|(_, test, _)| *test)
    }

    /// Lists the names of all tests.
    pub fn names() -> Vec<&'static str> {
        DriftTest::ALL.iter().map(|(name, ..)| *name).collect()
    }

    /// Says whether columns of numbers may ask for it.
    pub fn takes_numbers(self) -> bool {
        !matches!(self, DriftTest::ChiSquare | DriftTest::Z)
    }

    /// Says whether columns of categories may ask for it.
    pub fn takes_categories(self) -> bool {
        !matches!(self, DriftTest::Ks | DriftTest::Wasserstein)
    }

    /// Says whether its value is a p-value, which is small where there is drift.
    pub fn is_p_value(self) -> bool {
        matches!(self, DriftTest::Ks | DriftTest::ChiSquare | DriftTest::Z)
    }

    /// Gives the value from which on there is drift, unless the spec says another.
    pub fn usual_threshold(self) -> f64 {
        if self.is_p_value() { 0.05 } else { 0.1 }
    }

    /// Says whether a value means drift: at the threshold too, but for `chisquare` and `z`.
    pub fn finds(self, value: f64, threshold: f64) -> bool {
        match self {
            DriftTest::Ks => value <= threshold,
            DriftTest::ChiSquare | DriftTest::Z => value < threshold,
            _ => value >= threshold,
        }
    }
}

named! {
    /// What drift does to a run.
    pub enum OnDrift {
        /// It is told, and the run goes on.
        Warn = "warn",
        /// It ends the run before anything is trained.
        Stop = "stop",
        /// The run goes on; without drift it ends before anything is trained.
        Retrain = "retrain",
    }
}

/// What the data is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against<'a> {
    /// The training rows of the model behind the promoted alias.
    LastPromoted,
    /// The data of the last run that finished.
    PreviousRun,
    /// A table.
    File(&'a str),
}

const LAST_PROMOTED: &str = "last_promoted";
const PREVIOUS_RUN: &str = "previous_run";

record! {
    /// Whether the data still is what the model was trained on. Without this section nobody looks.
    pub struct DriftSpec {
        /// What the data is compared with: last_promoted (the training rows of the model behind `promote.alias`),
        /// previous_run (the data of the last run that finished), or the path of a file.
        against: Located<String> = defaulted(AgainstShape, LAST_PROMOTED.to_owned()),
        /// Tests that are reported beside the one that decides.
        tests: DriftTests = unless_given(rec(), DriftTests { numeric: Vec::new(), categorical: Vec::new() }),
        /// The tests that decide. Default: by the kind of the column and the number of its values, as Evidently
        /// chooses.
        decide: DriftDecides = unless_given(rec(), DriftDecides { numeric: None, categorical: None }),
        /// The value of a test from which on a column has drifted. Default: 0.05 for p-values, 0.1 for distances.
        thresholds: DriftThresholds = unless_given(rec(), DriftThresholds::usual()),
        /// The share of drifted columns from which on the data has drifted.
        share: Located<f64> = defaulted(number().above(0.0).at_most(1.0), 0.5),
        /// Columns that are not compared, such as a running number.
        leave_out: Vec<Located<String>> = or_empty(list(text())),
        /// What drift does to the run.
        on_drift: OnDrift = unless_given(bare(choice()), OnDrift::Warn),
    }
}

record! {
    /// Tests by the kind of a column.
    pub struct DriftTests {
        /// Of numbers, and of the lengths of texts.
        numeric: Vec<Located<DriftTest>> = or_empty(list(TestOf(DriftTest::takes_numbers))),
        /// Of categories.
        categorical: Vec<Located<DriftTest>> = or_empty(list(TestOf(DriftTest::takes_categories))),
    }
}

record! {
    /// The test that decides, by the kind of a column.
    pub struct DriftDecides {
        /// Of numbers, and of the lengths of texts.
        numeric: Option<Located<DriftTest>> = optional(TestOf(DriftTest::takes_numbers)),
        /// Of categories.
        categorical: Option<Located<DriftTest>> = optional(TestOf(DriftTest::takes_categories)),
    }
}

record! {
    /// The value of a test from which on a column has drifted.
    pub struct DriftThresholds {
        /// The largest p-value of `ks` that is drift. Default: 0.05.
        ks: Option<Located<f64>> = optional(number().above(0.0).below(1.0)),
        /// The least distance of `wasserstein` that is drift, in standard deviations. Default: 0.1.
        wasserstein: Option<Located<f64>> = optional(number().above(0.0)),
        /// The least index of `psi` that is drift. Default: 0.1.
        psi: Option<Located<f64>> = optional(number().above(0.0)),
        /// The least divergence of `kl_div` that is drift, in nats. Default: 0.1.
        kl_div: Option<Located<f64>> = optional(number().above(0.0)),
        /// The least distance of `jensen_shannon` that is drift, at most √ln 2. Default: 0.1.
        jensen_shannon: Option<Located<f64>> = optional(number().above(0.0)),
        /// The least distance of `hellinger` that is drift, at most 1. Default: 0.1.
        hellinger: Option<Located<f64>> = optional(number().above(0.0).at_most(1.0)),
        /// The p-value of `chisquare` below which there is drift. Default: 0.05.
        chisquare: Option<Located<f64>> = optional(number().above(0.0).below(1.0)),
        /// The p-value of `z` below which there is drift. Default: 0.05.
        z: Option<Located<f64>> = optional(number().above(0.0).below(1.0)),
    }
}

impl DriftSpec {
    /// Says what the data is compared with.
    pub fn against(&self) -> Against<'_> {
        match self.against.value.as_str() {
            LAST_PROMOTED => Against::LastPromoted,
            PREVIOUS_RUN => Against::PreviousRun,
            path => Against::File(path),
        }
    }
}

impl DriftThresholds {
    fn usual() -> DriftThresholds {
        DriftThresholds {
            ks: None,
            wasserstein: None,
            psi: None,
            kl_div: None,
            jensen_shannon: None,
            hellinger: None,
            chisquare: None,
            z: None,
        }
    }

    /// Gives the threshold of every test.
    pub fn all(&self) -> BTreeMap<DriftTest, f64> {
        let given = |test| match test {
            DriftTest::Ks => &self.ks,
            DriftTest::Wasserstein => &self.wasserstein,
            DriftTest::Psi => &self.psi,
            DriftTest::KlDiv => &self.kl_div,
            DriftTest::JensenShannon => &self.jensen_shannon,
            DriftTest::Hellinger => &self.hellinger,
            DriftTest::ChiSquare => &self.chisquare,
            DriftTest::Z => &self.z,
        };
        let all = DriftTest::ALL.iter().map(|(_, test, _)| *test);
        all.map(|test| (test, given(test).as_ref().map_or(test.usual_threshold(), |given| given.value))).collect()
    }
}

/// What the data is compared with, as it is written.
struct AgainstShape;

impl Shape for AgainstShape {
    type Value = Located<String>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<String>> {
        let against = text().decode(node, decoder)?;
        // A table's file has an ending; a word without one is a slip of the two words.
        if [LAST_PROMOTED, PREVIOUS_RUN].contains(&against.value.as_str()) || against.value.contains('.') {
            return Some(against);
        }
        let known = [LAST_PROMOTED, PREVIOUS_RUN, "the path of a .csv or .parquet file"].map(str::to_owned).into();
        let spot = decoder.spot(node);
        decoder.errors.push(Error::NotOneOf { spot, value: against.value, known });
        None
    }

    fn encode(&self, value: &Located<String>) -> Value {
        text().encode(value)
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": format!("^({LAST_PROMOTED}|{PREVIOUS_RUN}|.*\\..*)$") })
    }
}

/// A test that columns of a kind take.
struct TestOf(fn(DriftTest) -> bool);

impl TestOf {
    fn names(&self) -> Vec<String> {
        let taken = DriftTest::ALL.iter().filter(|(_, test, _)| self.0(*test));
        taken.map(|(name, ..)| (*name).to_owned()).collect()
    }
}

impl Shape for TestOf {
    type Value = Located<DriftTest>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<DriftTest>> {
        let test = choice::<DriftTest>().decode(node, decoder)?;
        if self.0(test.value) {
            return Some(test);
        }
        let spot = decoder.spot(node);
        decoder.errors.push(Error::NotOneOf { spot, value: test.value.to_string(), known: self.names() });
        None
    }

    fn encode(&self, value: &Located<DriftTest>) -> Value {
        choice().encode(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut schema = choice::<DriftTest>().schema(definitions);
        schema["enum"] = self.names().into();
        schema
    }
}
