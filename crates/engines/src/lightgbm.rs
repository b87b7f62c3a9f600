//! LightGBM's text format, read into trees.
//!
//! A value goes left where it is `<=` the threshold, in doubles, or a code of the split's set of categories; then a
//! missing one goes right. Otherwise a missing value is what the split's missing type says
//! (`include/LightGBM/tree.h`, `NumericalDecision`): 0 where the column had none in training, else on the default side.

use std::collections::BTreeMap;
use std::str::FromStr;

use trainyard_learn::{CategorySet, Tree, TreeEnsemble};

use crate::arrange::{Foreign, GoesLeft, arranged};

/// The bits of a decision type: what the split tells of, and where a missing value goes.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
const MISSING_NONE: u8 = 0;
const MISSING_NAN: u8 = 2;

/// Reads a model of `features` columns and `outputs` margins a row.
pub(crate) fn read(text: &[u8], features: usize, outputs: usize) -> Result<Vec<TreeEnsemble>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is no UTF-8".to_owned())?;
    let mut blocks = text.split("\nTree=");
    let head = blocks.next().unwrap_or_default();
    if !head.starts_with("tree\n") {
        return Err("it does not begin with `tree`".to_owned());
    }
    let per_iteration: usize = fields(head).number("num_tree_per_iteration")?;
    if per_iteration != outputs {
        return Err(format!("it has {per_iteration} trees an iteration for {outputs} margins"));
    }
    let mut trees: Vec<Vec<Tree>> = vec![Vec::new(); outputs];
    for (index, block) in blocks.enumerate() {
        let block = block.split("\nend of trees").next().unwrap_or_default();
        let read = tree(&fields(block)).map_err(|what| format!("tree {index}: {what}"))?;
        trees[index % outputs].push(read);
    }
    let ensemble = |trees| TreeEnsemble::new(features, 0.0, trees).map_err(|error| error.to_string());
    trees.into_iter().map(ensemble).collect()
}

fn tree(fields: &Fields<'_>) -> Result<Tree, String> {
    let leaves: usize = fields.number("num_leaves")?;
    if fields.number::<u32>("is_linear").unwrap_or(0) != 0 {
        return Err("it has linear leaves".to_owned());
    }
    let sets = sets(fields)?;
    let splits = leaves.checked_sub(1).ok_or("it has no leaves")?;
    let values: Vec<f64> = fields.list("leaf_value", leaves)?;
    // A tree of one leaf does not count its rows.
    let leaf_rows: Vec<u64> = if splits == 0 { vec![0] } else { fields.list("leaf_count", leaves)? };
    let features: Vec<u32> = fields.list("split_feature", splits)?;
    let thresholds: Vec<f64> = fields.list("threshold", splits)?;
    let gains: Vec<f64> = fields.list("split_gain", splits)?;
    let decisions: Vec<u8> = fields.list("decision_type", splits)?;
    let lefts: Vec<i64> = fields.list("left_child", splits)?;
    let rights: Vec<i64> = fields.list("right_child", splits)?;
    let rows: Vec<u64> = fields.list("internal_count", splits)?;
    // A leaf is the complement of its number.
    let root = if splits == 0 { -1 } else { 0 };
    arranged(root, leaves + splits, |node| {
        if node < 0 {
            let leaf = usize::try_from(!node).ok().filter(|leaf| *leaf < leaves).ok_or("a leaf does not exist")?;
            return Ok(Foreign::Leaf { value: values[leaf], rows: leaf_rows[leaf] });
        }
        let split = usize::try_from(node).ok().filter(|split| *split < splits).ok_or("a split does not exist")?;
        let (decision, threshold) = (decisions[split], thresholds[split]);
        let (goes_left, missing_left) = match (decision & CATEGORICAL, (decision >> 2) & 3) {
            (0, MISSING_NONE) => (GoesLeft::UpTo(threshold), 0.0 <= threshold),
            (0, MISSING_NAN) => (GoesLeft::UpTo(threshold), decision & DEFAULT_LEFT != 0),
            // The threshold is the number of a set.
            (CATEGORICAL, _) => {
                let set = sets.get(threshold as usize).ok_or("a set of categories does not exist")?;
                (GoesLeft::Categories(*set), false)
            }
            _ => return Err(format!("the decision type {decision} is not known")),
        };
        Ok(Foreign::Split {
            feature: features[split],
            goes_left,
            missing_left,
            gain: gains[split],
            rows: rows[split],
            children: [lefts[split], rights[split]],
        })
    })
}

/// Reads the sets of categories: each some words of 32 bits, the first bit for code 0.
fn sets(fields: &Fields<'_>) -> Result<Vec<CategorySet>, String> {
    let count: usize = fields.number("num_cat")?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let ends: Vec<usize> = fields.list("cat_boundaries", count + 1)?;
    let words: Vec<u32> = fields.list("cat_threshold", ends[count])?;
    let set = |ends: &[usize]| {
        let words = words.get(ends[0]..ends[1]).ok_or("the sets of categories are not in order")?;
        let bits = words
            .iter()
            .enumerate()
            .flat_map(|(place, word)| (0..32).map(move |bit| (place * 32 + bit, word >> bit & 1)));
        let codes =
            bits.filter(|(_, bit)| *bit == 1).map(|(code, _)| u8::try_from(code).ok().filter(|code| *code < u8::MAX));
        codes.collect::<Option<CategorySet>>().ok_or_else(|| "a category has a code above 254".to_owned())
    };
    ends.windows(2).map(set).collect()
}

/// Lines of the form `name=value`.
struct Fields<'t>(BTreeMap<&'t str, &'t str>);

fn fields(block: &str) -> Fields<'_> {
    Fields(block.lines().filter_map(|line| line.split_once('=')).collect())
}

impl Fields<'_> {
    fn number<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self.0.get(name).ok_or_else(|| format!("`{name}` is absent"))?;
        text.trim().parse().map_err(|_| format!("`{name}` is no number: {text}"))
    }

    fn list<T: FromStr>(&self, name: &str, length: usize) -> Result<Vec<T>, String> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let text = self.0.get(name).ok_or_else(|| format!("`{name}` is absent"))?;
        let numbers: Result<Vec<T>, T::Err> = text.split_ascii_whitespace().map(str::parse).collect();
        let numbers = numbers.map_err(|_| format!("`{name}` has something that is no number"))?;
        if numbers.len() == length {
            Ok(numbers)
        } else {
            Err(format!("`{name}` has {} numbers, not {length}", numbers.len()))
        }
    }
}
