//! A split version: which rows train, validate and test.

use crate::Located;
use crate::declare::{
    Decoder, Section, boolean, defaulted, integer, map, number, optional, or_empty, rec, record, required, text,
};
use crate::error::Error;

/// How far the sum of shares may be from 1.
const TOLERANCE: f64 = 1e-9;

record! {
    /// Which rows train, validate and test.
    pub struct SplitSpec {
        /// The seed of every random choice in the split.
        seed: Located<u64> = defaulted(integer(0, u64::MAX), 0),
        /// Whether the reference test keeps the shares of the classes, in regression of ten ranges of the target.
        stratify: Located<bool> = defaulted(boolean(), true),
        /// The shares of the parts; their sum is 1.
        shares: Shares = required(rec(), "{train: 0.6, validation: 0.2, reference_test: 0.2}"),
        /// Named parts of the held-out rows, each chosen by an SQL predicate: `new_customers: "tenure < 6"`.
        optional_tests: Vec<(Located<String>, Located<String>)> = or_empty(map(text()).unless(objection)),
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
