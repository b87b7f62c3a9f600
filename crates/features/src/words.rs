//! Text columns: the terms that are learned from one, and how a text becomes features.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use rayon::prelude::*;
use regex::Regex;
use serde::{Deserialize, Serialize};
use trainyard_exact as exact;
use trainyard_expression::Value;
use trainyard_spec::{Norm, TextFrequency, TfidfSpec};

use crate::{Divisor, Encoder, Error};

/// The most terms that one column may become; every text has a number for each of them.
const MOST_TERMS: usize = 10_000;

/// Texts that one thread counts at a time.
const CHUNK: usize = 1 << 10;

/// A word: two letters, numbers or underscores, or more of them.
///
/// What Python's `\b\w\w+\b` finds, whose `\w` takes no mark, unlike that of Unicode's annex 18.
#[expect(clippy::unwrap_used, reason = "the pattern is fixed")]
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]{2,}").unwrap());

/// Gives the words of a text in their order, with one blank between two, of the lowered text where that is wanted.
pub fn words(text: &str, lowercase: bool) -> String {
    let lower = if lowercase { Some(text.to_lowercase()) } else { None };
    let text = lower.as_deref().unwrap_or(text);
    WORD.find_iter(text).map(|word| word.as_str()).collect::<Vec<_>>().join(" ")
}

/// Maps one text column to the weights of the terms that stand in it.
///
/// As scikit-learn's `TfidfVectorizer` with its own pattern of words: the count of a term times its weight, divided by the
/// norm of all of the text's. A missing text has no term, as an empty one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    /// The column, raw or derived.
    pub(crate) column: String,
    lowercase: bool,
    /// The least and the most words of a term.
    ngram_range: [u32; 2],
    /// Whether a count n becomes 1 + ln n.
    sublinear_tf: bool,
    norm: Divisor,
    /// The terms, sorted by their bytes: words with one blank between two.
    terms: Vec<String>,
    /// What a count of each term is multiplied with.
    #[serde(with = "exact::json::list")]
    weights: Vec<f64>,
}

/// How often a term stands in the training rows.
#[derive(Debug, Clone, Copy)]
struct Count {
    /// In how many texts.
    texts: u64,
    /// How often in all of them.
    times: u64,
    /// The last text in which it was counted.
    last: usize,
}

impl Terms {
    /// Learns terms and weights from the training rows.
    ///
    /// A term weighs ln(n / d) + 1, where d of n texts have it; smoothed, both count one text more. Of terms that stand
    /// equally often the first in order are kept, where scikit-learn keeps those that its sort happens to put first.
    ///
    /// # Errors
    /// [`Error::NoTerms`] and [`Error::TooManyTerms`].
    pub(crate) fn fit(column: &str, array: &ArrayRef, spec: &TfidfSpec) -> Result<Terms, Error> {
        let mut fitted = Terms {
            column: column.to_owned(),
            lowercase: spec.lowercase.value,
            ngram_range: spec.ngram_range,
            sublinear_tf: spec.sublinear_tf.value,
            norm: match spec.norm {
                Norm::None => Divisor::None,
                Norm::L1 => Divisor::L1,
                Norm::L2 => Divisor::L2,
            },
            terms: Vec::new(),
            weights: Vec::new(),
        };
        let rows = array.len() as f64;
        let bound = |frequency| match frequency {
            TextFrequency::Count(count) => f64::from(count),
            TextFrequency::Share(share) => share * rows,
        };
        let (least, most) = (bound(spec.min_df), bound(spec.max_df));
        let mut counts: Vec<(String, Count)> = fitted.count(array).into_iter().collect();
        counts.retain(|(_, count)| (least..=most).contains(&(count.texts as f64)));
        counts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(limit) = spec.max_features.as_ref().map(|limit| limit.value as usize) {
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(count.times));
            counts.truncate(limit);
            counts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        if counts.is_empty() {
            return Err(Error::NoTerms { column: column.to_owned() });
        }
        if counts.len() > MOST_TERMS {
            return Err(Error::TooManyTerms { column: column.to_owned(), found: counts.len(), limit: MOST_TERMS });
        }
        let more = if spec.smooth_idf.value { 1.0 } else { 0.0 };
        let weight = |count: &Count| match spec.use_idf.value {
            true => libm::log((rows + more) / (count.texts as f64 + more)) + 1.0,
            false => 1.0,
        };
        fitted.weights = counts.iter().map(|(_, count)| weight(count)).collect();
        fitted.terms = counts.into_iter().map(|(term, _)| term).collect();
        Ok(fitted)
    }

    /// Gives the names of the features.
    pub(crate) fn names(&self) -> Vec<String> {
        self.terms.iter().map(|term| format!("tfidf({})={term}", self.column)).collect()
    }

    /// Gives the number of features.
    pub(crate) fn width(&self) -> usize {
        self.terms.len()
    }

    /// Gives the features of every row, one vector a feature.
    pub(crate) fn apply(&self, array: &ArrayRef) -> Vec<Vec<f64>> {
        let mut features = vec![vec![0.0; array.len()]; self.terms.len()];
        // Only a column without any value may have another type.
        let Some(texts) = array.as_string_opt::<i64>() else { return features };
        let places: HashMap<&str, usize> =
            self.terms.iter().enumerate().map(|(place, term)| (term.as_str(), place)).collect();
        let weigh = |row: usize| match texts.is_null(row) {
            true => Vec::new(),
            false => self.weigh(texts.value(row), |term| places.get(term).copied()),
        };
        let weighed: Vec<Vec<(usize, f64)>> = (0..array.len()).into_par_iter().map(weigh).collect();
        for (row, weights) in weighed.into_iter().enumerate() {
            weights.into_iter().for_each(|(place, weight)| features[place][row] = weight);
        }
        features
    }

    /// Appends the features of one value, with the bits of [`Terms::apply`].
    pub(crate) fn apply_one(&self, value: &Value, features: &mut Vec<f64>) {
        let first = features.len();
        features.resize(first + self.terms.len(), 0.0);
        if let Value::Text(text) = value {
            let find = |term: &str| self.terms.binary_search_by(|known| known.as_str().cmp(term)).ok();
            self.weigh(text, find).into_iter().for_each(|(place, weight)| features[first + place] = weight);
        }
    }

    /// Says what becomes of each text, for a translation.
    pub(crate) fn encoder(&self) -> Encoder<'_> {
        Encoder::Text {
            lowercase: self.lowercase,
            terms: &self.terms,
            weights: &self.weights,
            sublinear: self.sublinear_tf,
            divisor: self.norm,
        }
    }

    /// Says whether what is stored can have come from a fit.
    pub(crate) fn is_sound(&self) -> bool {
        let [least, most] = self.ngram_range;
        let is_term = |term: &String| {
            let count = term.split(' ').count();
            words(term, false) == *term && (least as usize..=most as usize).contains(&count)
        };
        !self.terms.is_empty()
            && self.terms.iter().all(is_term)
            && self.terms.windows(2).all(|pair| pair[0] < pair[1])
            && self.terms.len() == self.weights.len()
            && self.weights.iter().all(|weight| weight.is_finite())
            && (1..=most).contains(&least)
    }

    /// Gives the features of a text that are not 0, with their places in order.
    fn weigh(&self, text: &str, find: impl Fn(&str) -> Option<usize>) -> Vec<(usize, f64)> {
        let mut places = Vec::new();
        self.each_term(text, |term| places.extend(find(term)));
        places.sort_unstable();
        let mut weighed: Vec<(usize, f64)> = Vec::new();
        for equal in places.chunk_by(|a, b| a == b) {
            let count = equal.len() as f64;
            let count = if self.sublinear_tf { libm::log(count) + 1.0 } else { count };
            weighed.push((equal[0], count * self.weights[equal[0]]));
        }
        let sizes = weighed.iter().map(|(_, weight)| *weight);
        let divisor = match self.norm {
            Divisor::None => 1.0,
            Divisor::L1 => sizes.map(f64::abs).sum(),
            Divisor::L2 => sizes.map(|weight| weight * weight).sum::<f64>().sqrt(),
        };
        if divisor != 0.0 {
            weighed.iter_mut().for_each(|(_, weight)| *weight /= divisor);
        }
        weighed
    }

    /// Counts the terms of all texts.
    fn count(&self, array: &ArrayRef) -> HashMap<String, Count> {
        let Some(texts) = array.as_string_opt::<i64>() else { return HashMap::new() };
        let of_chunk = |chunk: usize| {
            let mut counts: HashMap<String, Count> = HashMap::new();
            let rows = chunk * CHUNK..array.len().min((chunk + 1) * CHUNK);
            for row in rows.filter(|row| !texts.is_null(*row)) {
                self.each_term(texts.value(row), |term| match counts.get_mut(term) {
                    Some(count) => {
                        count.texts += u64::from(count.last != row);
                        count.times += 1;
                        count.last = row;
                    }
                    None => {
                        counts.insert(term.to_owned(), Count { texts: 1, times: 1, last: row });
                    }
                });
            }
            counts
        };
        let join = |mut all: HashMap<String, Count>, more: HashMap<String, Count>| {
            for (term, count) in more {
                let known = all.entry(term).or_insert(Count { texts: 0, times: 0, last: count.last });
                known.texts += count.texts;
                known.times += count.times;
            }
            all
        };
        (0..array.len().div_ceil(CHUNK)).into_par_iter().map(of_chunk).reduce(HashMap::new, join)
    }

    /// Calls `with` for each term of a text: its words, and those of each stretch of words in the range.
    fn each_term(&self, text: &str, mut with: impl FnMut(&str)) {
        let lower = if self.lowercase { Some(text.to_lowercase()) } else { None };
        let text = lower.as_deref().unwrap_or(text);
        let words: Vec<&str> = WORD.find_iter(text).map(|word| word.as_str()).collect();
        let [least, most] = self.ngram_range.map(|words| words as usize);
        for length in least..=most.min(words.len()) {
            for stretch in words.windows(length) {
                match stretch {
                    [word] => with(word),
                    words => with(&words.join(" ")),
                }
            }
        }
    }
}
