//! XGBoost's JSON format, read into trees.
//!
//! A value is made a single first and goes left where it is `<` the split's condition, a single too. [`last_below`] gives
//! the double that draws the same line with `<=`.

use rayon::prelude::*;
use serde::Deserialize;
use trainyard_learn::{Matrix, Node, Tree, TreeEnsemble};

use crate::arrange::{Foreign, GoesLeft, arranged};

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: LearnerParameters,
    objective: Objective,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct LearnerParameters {
    base_score: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Trees,
}

#[derive(Deserialize)]
struct Trees {
    trees: Vec<Stored>,
    tree_info: Vec<usize>,
}

/// A tree: one list a field, by the number of the node; a leaf has no left child and its value for a condition.
#[derive(Deserialize)]
struct Stored {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<u8>,
    loss_changes: Vec<f32>,
    categories_nodes: Vec<u32>,
}

/// Reads a model of `outputs` margins a row, and counts the rows of `matrix`, which it was fitted on, in each node.
pub(crate) fn read(json: &[u8], matrix: &Matrix<'_>, outputs: usize) -> Result<Vec<TreeEnsemble>, String> {
    let file: File = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let learner = file.learner;
    let booster = learner.gradient_booster;
    if booster.name != "gbtree" {
        return Err(format!("it is a {}", booster.name));
    }
    let Trees { trees: stored, tree_info } = booster.model;
    if stored.len() != tree_info.len() || tree_info.iter().any(|margin| *margin >= outputs) {
        return Err(format!("its trees are not for {outputs} margins"));
    }
    let features = matrix.columns().len();
    let read = |(index, stored): (usize, &Stored)| {
        tree(stored).and_then(|tree| counted(&tree, matrix)).map_err(|what| format!("tree {index}: {what}"))
    };
    let read: Vec<Result<Tree, String>> = stored.par_iter().enumerate().map(read).collect();
    let mut trees: Vec<Vec<Tree>> = vec![Vec::new(); outputs];
    for (tree, margin) in read.into_iter().zip(tree_info) {
        trees[margin].push(tree?);
    }
    let bases = bases(&learner.learner_model_param.base_score, &learner.objective.name, outputs)?;
    let ensemble = |(trees, base)| TreeEnsemble::new(features, base, trees).map_err(|error| error.to_string());
    trees.into_iter().zip(bases).map(ensemble).collect()
}

/// Gives the margin of each output before any tree: written as one score, or as a list of them.
fn bases(text: &str, objective: &str, outputs: usize) -> Result<Vec<f64>, String> {
    let numbers = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
    let scores: Result<Vec<f32>, _> = numbers.map(|number| number.trim().parse::<f32>()).collect();
    let scores = scores.map_err(|_| format!("`base_score` is no number: {text}"))?;
    let margin = |score: f32| match objective {
        // As XGBoost computes it, in singles but for the logarithm.
        "binary:logistic" => f64::from(-(libm::log(f64::from(1.0 / score - 1.0)) as f32)),
        _ => f64::from(score),
    };
    match scores.as_slice() {
        [score] => Ok(vec![margin(*score); outputs]),
        scores if scores.len() == outputs => Ok(scores.iter().copied().map(margin).collect()),
        scores => Err(format!("`base_score` has {} numbers for {outputs} margins", scores.len())),
    }
}

fn tree(stored: &Stored) -> Result<Tree, String> {
    let nodes = stored.left_children.len();
    let lengths = [
        stored.right_children.len(),
        stored.split_indices.len(),
        stored.split_conditions.len(),
        stored.default_left.len(),
        stored.loss_changes.len(),
    ];
    if lengths.iter().any(|length| *length != nodes) {
        return Err("its lists differ in length".to_owned());
    }
    if !stored.categories_nodes.is_empty() {
        return Err("it splits by categories".to_owned());
    }
    arranged(0, nodes, |node| {
        let node = usize::try_from(node).ok().filter(|node| *node < nodes).ok_or("a node does not exist")?;
        let condition = stored.split_conditions[node];
        if stored.left_children[node] < 0 {
            return Ok(Foreign::Leaf { value: f64::from(condition), rows: 0 });
        }
        let threshold = last_below(condition).ok_or("a condition is not finite")?;
        Ok(Foreign::Split {
            feature: stored.split_indices[node],
            goes_left: GoesLeft::UpTo(threshold),
            missing_left: stored.default_left[node] != 0,
            gain: f64::from(stored.loss_changes[node]),
            rows: 0,
            children: [stored.left_children[node], stored.right_children[node]],
        })
    })
}

/// Gives the greatest double that is below `condition` as a single; none where the condition is not finite.
///
/// A double becomes the nearest single, and of two equally near ones the one whose last bit is 0. So the line lies at the
/// middle between the condition and the single before it, which a double holds exactly; the middle itself becomes the
/// single before it where that is the even one.
pub(crate) fn last_below(condition: f32) -> Option<f64> {
    if !condition.is_finite() {
        return None;
    }
    let before = condition.next_down();
    // What is further below than the lowest single by half a step or more becomes minus infinity.
    let low =
        if before.is_finite() { f64::from(before) } else { -340_282_366_920_938_463_463_374_607_431_768_211_456.0 };
    let middle = low + (f64::from(condition) - low) / 2.0;
    let is_even = before.is_infinite() || before.to_bits() & 1 == 0;
    Some(if is_even { middle } else { middle.next_down() })
}

/// Counts in each node the rows that come there.
fn counted(tree: &Tree, matrix: &Matrix<'_>) -> Result<Tree, String> {
    let mut nodes = tree.nodes().to_vec();
    let columns = matrix.columns();
    if nodes.iter().any(|node| !node.is_leaf() && node.feature as usize >= columns.len()) {
        return Err("it looks at a column that is not there".to_owned());
    }
    (0..matrix.rows()).for_each(|row| count(&mut nodes, |column| columns[column][row]));
    Tree::new(nodes).map_err(|error| error.to_string())
}

/// Counts a row in each node that its cells lead to.
fn count(nodes: &mut [Node], cell: impl Fn(usize) -> f64) {
    let mut at = 0;
    loop {
        let node = &mut nodes[at];
        node.rows += 1;
        if node.is_leaf() {
            return;
        }
        let value = cell(node.feature as usize);
        let left = if value.is_nan() { node.missing_left } else { value <= node.threshold };
        at = if left { node.left } else { node.right } as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::last_below;

    /// The line between doubles is that between singles, for every neighbour of the line.
    #[test]
    fn a_double_is_at_most_the_threshold_where_its_single_is_below_the_condition() {
        let mut conditions = vec![
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            3.5,
            f32::MIN,
            f32::MAX,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            16_777_216.0,
        ];
        let mut bits: u32 = 1;
        for _ in 0..10_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            conditions.push(f32::from_bits(bits));
        }
        for condition in conditions.into_iter().filter(|condition| condition.is_finite()) {
            let threshold = last_below(condition).unwrap();
            let near = [threshold.next_down(), threshold, threshold.next_up(), f64::from(condition)];
            let others = [f64::from(condition.next_down()), f64::NEG_INFINITY, f64::INFINITY, 0.0];
            for value in near.into_iter().chain(others) {
                assert_eq!(value <= threshold, (value as f32) < condition, "{value:e} and {condition:e}");
            }
        }
        assert_eq!(last_below(f32::INFINITY), None);
    }
}
