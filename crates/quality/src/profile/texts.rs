//! Texts: counted one by one as long as they are few, then sketched.

use std::collections::HashMap;

use super::distinct::Distinct;
use super::frequent::Frequent;
use super::hash::Mixing;
use super::limits::Limits;
use super::report;

/// Of a text this many bytes are kept.
const KEPT: usize = 100;

/// Different texts, by hashes of 128 bits.
#[derive(Debug)]
pub(super) struct Texts {
    limits: Limits,
    values: u64,
    state: State,
    looks: Option<Looks>,
}

#[derive(Debug)]
enum State {
    Exact(HashMap<u128, (u64, Box<str>), Mixing>),
    Sketched(Box<(Distinct, Frequent<u128, Box<str>>)>),
}

/// What the texts of a column look like.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Looks {
    /// Texts that were looked at.
    pub(super) seen: u64,
    /// Numbers.
    pub(super) numbers: u64,
    /// Numbers whose thousands are set apart, with the first such text.
    pub(super) grouped: u64,
    pub(super) grouped_as: Option<String>,
    /// The most frequent text that is neither.
    pub(super) other: Option<String>,
    /// Texts that begin or end with a blank.
    pub(super) padded: u64,
    /// Texts of nothing but blanks.
    pub(super) blank: u64,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) distinct: report::Distinct,
    /// The most frequent ones first, with their hashes and counts.
    pub(super) top: Vec<(u128, u64, Box<str>)>,
    pub(super) top_error: u64,
    pub(super) looks: Looks,
}

impl Texts {
    pub(super) fn new(limits: Limits) -> Texts {
        Texts { limits, values: 0, state: State::Exact(HashMap::default()), looks: None }
    }

    pub(super) fn add(&mut self, hash: u128, text: &str) {
        self.values += 1;
        match &mut self.state {
            State::Exact(counts) => {
                counts.entry(hash).or_insert_with(|| (0, kept(text))).0 += 1;
                if counts.len() > self.limits.texts {
                    self.sketch();
                }
            }
            State::Sketched(sketch) => {
                sketch.0.add(hash as u64);
                sketch.1.add(hash, 1, || kept(text));
            }
        }
    }

    fn sketch(&mut self) {
        if let State::Exact(counts) = &mut self.state {
            let counts = in_order(std::mem::take(counts));
            self.looks = Some(Looks::of(&counts));
            let mut sketch = (Distinct::new(self.limits.bits), Frequent::new(self.limits.counters));
            for (hash, count, text) in counts {
                sketch.0.add(hash as u64);
                sketch.1.add(hash, count, || text);
            }
            self.state = State::Sketched(Box::new(sketch));
        }
    }

    pub(super) fn finish(self) -> Found {
        match self.state {
            State::Exact(counts) => {
                let top = in_order(counts);
                let distinct = report::Distinct { count: top.len() as u64, exact: true, standard_error: None };
                Found { distinct, looks: Looks::of(&top), top, top_error: 0 }
            }
            State::Sketched(sketch) => {
                let (distinct, frequent) = *sketch;
                Found {
                    distinct: report::Distinct {
                        count: distinct.estimate().clamp(self.limits.texts as u64, self.values),
                        exact: false,
                        standard_error: Some(distinct.standard_error()),
                    },
                    top_error: frequent.error(),
                    top: by_text(frequent.finish()),
                    looks: self.looks.unwrap_or_default(),
                }
            }
        }
    }
}

fn in_order(counts: HashMap<u128, (u64, Box<str>), Mixing>) -> Vec<(u128, u64, Box<str>)> {
    by_text(counts.into_iter().map(|(hash, (count, text))| (hash, count, text)).collect())
}

/// Sorts by counts, equal ones by their texts.
fn by_text(mut all: Vec<(u128, u64, Box<str>)>) -> Vec<(u128, u64, Box<str>)> {
    all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.2.cmp(&b.2)).then(a.0.cmp(&b.0)));
    all
}

fn kept(text: &str) -> Box<str> {
    if text.len() <= KEPT {
        return text.into();
    }
    let end = (0..=KEPT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}

impl Looks {
    fn of(counts: &[(u128, u64, Box<str>)]) -> Looks {
        let mut looks = Looks::default();
        for (_, count, text) in counts {
            looks.seen += count;
            let inner = text.trim();
            if inner.is_empty() {
                looks.blank += count;
                continue;
            }
            looks.padded += if inner.len() < text.len() { *count } else { 0 };
            if inner.parse::<f64>().is_ok() {
                looks.numbers += count;
            } else if is_grouped(inner) {
                looks.grouped += count;
                looks.grouped_as.get_or_insert_with(|| inner.to_owned());
            } else {
                looks.other.get_or_insert_with(|| text.to_string());
            }
        }
        looks
    }
}

/// Says whether a text is a number whose thousands are set apart, such as `1,234.5`, `1.234,5` or `1 234`.
fn is_grouped(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-', '$', '€', '£']);
    let Some(mark) = digits.chars().find(|c| !c.is_ascii_digit()) else { return false };
    let point = match mark {
        ',' => '.',
        '.' => ',',
        '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' => '.',
        _ => return false,
    };
    let (whole, fraction) = digits.split_once(point).unwrap_or((digits, ""));
    let mut groups = whole.split(mark);
    let first = groups.next().unwrap_or_default();
    let of_three: Vec<&str> = groups.collect();
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && !of_three.is_empty()
        && of_three.iter().all(|group| group.len() == 3 && all_digits(group))
        && all_digits(first)
        && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_thousands_set_apart_are_seen() {
        for text in ["1,234", "-12,345,678.90", "1.234,5", "1 234", "1'234.5", "$1,000", "12\u{202f}345"] {
            assert!(is_grouped(text), "{text}");
        }
        for text in
            ["1234", "1,23", "12,3456", "1,234.5.6", ",234", "1,,234", "a,bcd", "1234,567", "1,234,", "2024-01", ""]
        {
            assert!(!is_grouped(text), "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_letters_and_still_told_apart() {
        let (one, other) = ("ё".repeat(60) + "1", "ё".repeat(60) + "2");
        let mut texts = Texts::new(Limits::of(1));
        [&one, &other, &one].iter().for_each(|text| texts.add(super::super::hash::text(text), text));
        let found = texts.finish();
        assert_eq!((found.distinct.count, found.top[0].1), (2, 2));
        assert_eq!(found.top[0].2.chars().count(), 51);
    }
}
