//! A split version: which rows train, validate and test.

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Section, Shape, boolean, defaulted, integer, map, number, optional, or_empty, rec, record,
    required, text,
};
use crate::error::Error;
use crate::tree::{Content, Node};

/// How far the sum of shares may be from 1.
const TOLERANCE: f64 = 1e-9;

record! {
    /// Which rows train, validate and test. The first run freezes the reference test; every other row keeps its side as
    /// the data grows.
    pub struct SplitSpec {
        /// The seed of every random choice in the split.
        seed: Located<u64> = defaulted(integer(0, u64::MAX), 0),
        /// Whether the reference test keeps the shares of the classes, in regression of ten ranges of the target. Not
        /// with `by_group` or `by_time`, where whole groups and the order of time decide.
        stratify: Located<bool> = defaulted(boolean(), true),
        /// The column whose equal values no split and no fold cuts: `by_group: household`. Groups are drawn by their
        /// values, so that a group keeps its side; later rows of a group of the reference test are left out, and counted.
        by_group: Option<Located<String>> = optional(text()),
        /// The column of days, moments or whole numbers in whose order the parts follow one another, `by_time: day`, or
        /// a section with `column` and borders: train is the past, the reference test the latest. Rows of one moment
        /// stay together, folds train on what came before them alone, and the borders are frozen with the reference
        /// test: rows that arrive later than its beginning are left out, and counted.
        by_time: Option<TimeSpec> = optional(Time),
        /// The shares of the parts; their sum is 1. Left out where `by_time` names borders.
        shares: Option<Shares> = optional(rec()),
        /// Named parts of the held-out rows, each chosen by an SQL predicate: `new_customers: "tenure < 6"`.
        optional_tests: Vec<(Located<String>, Located<String>)> = or_empty(map(text()).unless(objection)),
    }
    check check_split
}

impl SplitSpec {
    /// Says whether rows are held out for validation.
    pub fn has_validation(&self) -> bool {
        let borders = self.by_time.as_ref().is_some_and(|time| time.validation_from.is_some());
        borders || self.shares.as_ref().is_some_and(|shares| shares.validation.is_some())
    }
}

record! {
    /// The order of time, and where its parts begin.
    pub struct TimeSpec {
        /// The column: days, moments, or whole numbers that grow with time.
        column: Located<String> = required(text(), "day"),
        /// Where validation begins: its first day, moment or number, as the data writes it. Instead of shares.
        validation_from: Option<Located<String>> = optional(text()),
        /// Where the reference test begins. Instead of shares.
        reference_test_from: Option<Located<String>> = optional(text()),
    }
    check check_time
}

/// The order of time: a section, or the name of the column alone.
pub(crate) struct Time;

impl Shape for Time {
    type Value = TimeSpec;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<TimeSpec> {
        match &node.content {
            Content::Scalar(_) => {
                let column = text().decode(node, decoder)?;
                Some(TimeSpec { column, validation_from: None, reference_test_from: None })
            }
            Content::Mapping(_) => rec::<TimeSpec>().decode(node, decoder),
            Content::Sequence(_) => {
                decoder.wrong_type(node, "the name of a column, or a section with `column`");
                None
            }
        }
    }

    fn encode(&self, value: &TimeSpec) -> Value {
        rec().encode(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [rec::<TimeSpec>().schema(definitions), text().schema(definitions)] })
    }
}

/// Refuses settings that exclude each other, and shares that nobody gave.
fn check_split(split: &mut SplitSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let written = |name: &str| {
        let entry = section.entries.iter().find(|(key, value)| key.value == name && !value.is_null());
        entry.map(|(key, _)| key.clone())
    };
    let (by_group, by_time) = (written("by_group"), written("by_time"));
    let mut conflict = |first: &Option<Located<String>>, second: Option<Located<String>>, why, help| {
        if let (Some(first), Some(second)) = (first, second) {
            decoder.errors.push(Error::SplitConflict { first: first.clone(), second, why, help });
        }
    };
    conflict(&by_group, by_time.clone(), "a row has one side: its group's, or its moment's", "keep one of them");
    if split.by_group.is_some() || split.by_time.is_some() {
        let stratify = written("stratify").filter(|_| split.stratify.value);
        let by = if by_group.is_some() { &by_group } else { &by_time };
        conflict(by, stratify, "whole groups or the order of time decide, not the classes", "leave `stratify` out");
        split.stratify.value = false;
    }
    let borders =
        split.by_time.as_ref().is_some_and(|time| time.validation_from.is_some() || time.reference_test_from.is_some());
    if borders {
        let why = "the borders of `by_time` say where the parts begin";
        conflict(&by_time, written("shares"), why, "keep the shares or the borders");
    } else if split.shares.is_none() {
        missing(section, decoder, "shares", "{train: 0.6, validation: 0.2, reference_test: 0.2}");
    }
}

/// Refuses a validation that ends nowhere.
fn check_time(time: &mut TimeSpec, section: &Section<'_>, decoder: &mut Decoder) {
    if time.validation_from.is_some() && time.reference_test_from.is_none() {
        missing(section, decoder, "reference_test_from", "2012-11-01");
    }
}

fn missing(section: &Section<'_>, decoder: &mut Decoder, key: &str, example: &'static str) {
    // What is misspelt is not missing: it was named before.
    if !section.misspells(key) {
        let (section, file) = (decoder.here(section.node), decoder.file);
        decoder.errors.push(Error::MissingKey { section, file, key: key.to_owned(), example });
    }
}

record! {
    /// The shares of the parts; their sum is 1.
    pub struct Shares {
        /// The share that models learn from.
        train: Located<f64> = required(share(), "0.6"),
        /// The share that chooses among candidates; may be left out.
        validation: Option<Located<f64>> = optional(share()),
        /// The share that is frozen, and judges every model.
        reference_test or ["reference"]: Located<f64> = required(share(), "0.2"),
    }
    check check_shares
}

fn share() -> crate::declare::Number {
    number().above(0.0).below(1.0)
}

fn check_shares(shares: &mut Shares, section: &Section<'_>, decoder: &mut Decoder) {
    let mut named = vec![("train", shares.train.value)];
    named.extend(shares.validation.as_ref().map(|share| ("validation", share.value)));
    named.push(("reference_test", shares.reference_test.value));
    let sum: f64 = named.iter().map(|(_, share)| share).sum();
    let spot = decoder.spot(section.node);
    if sum > 1.0 + TOLERANCE {
        decoder.errors.push(Error::SharesAboveOne { spot, sum, shares: named });
    } else if sum < 1.0 - TOLERANCE {
        decoder.errors.push(Error::SharesBelowOne { spot, sum, shares: named });
    }
}

/// Says why a text cannot name an optional test: names begin those of metrics and name a file.
fn objection(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let taken =
        ["train", "validation", "reference", "cv", "baseline", "intervals", "latency", "training", "step", "trees"];
    if taken.contains(&name) || name.starts_with("baseline_") {
        Some(format!("`{name}_` begins the names of other metrics"))
    } else if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("such a name is made of a to z, 0 to 9 and `_`, and begins with a letter".to_owned())
    } else {
        None
    }
}
