//! Estimators as nodes: from the matrix of features to predictions.

use trainyard_features::{Graph, Value};
use trainyard_learn::{LinearModel, TreeEnsemble};

use super::encoders::filled;
use super::graph::{Attribute, Builder, Tensor};
use crate::{Estimator, Link};

/// Adds what maps the features to predictions: doubles of shape `[rows, outputs]`.
pub(super) fn predictions(estimator: &Estimator, features: usize, matrix: &str, builder: &mut Builder) -> String {
    let margins = margins(estimator, features, matrix, builder);
    linked(estimator.link(), &margins, builder)
}

/// Adds what maps the features to what a calibration maps.
pub(super) fn scores(estimator: &Estimator, features: usize, matrix: &str, builder: &mut Builder) -> String {
    match estimator.link().is_odds() {
        true => margins(estimator, features, matrix, builder),
        false => predictions(estimator, features, matrix, builder),
    }
}

fn margins(estimator: &Estimator, features: usize, matrix: &str, builder: &mut Builder) -> String {
    match estimator {
        Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
            trees(ensembles, matrix, builder)
        }
        Estimator::Linear { models, fill, .. } => {
            let matrix = filled(builder, matrix, fill.clone());
            linear(models, features, &matrix, builder)
        }
        Estimator::Constant { values } => repeated(values, matrix, builder),
    }
}

fn linear(models: &[LinearModel], features: usize, matrix: &str, builder: &mut Builder) -> String {
    let weights: Vec<f64> =
        (0..features).flat_map(|at| models.iter().map(move |model| model.coefficients[at])).collect();
    let weights = builder.tensor(Tensor::Double(weights), &[features, models.len()]);
    let intercepts = builder.row(models.iter().map(|model| model.intercept).collect());
    let product = builder.add("MatMul", &[matrix, &weights], &[]);
    builder.add("Add", &[&product, &intercepts], &[])
}

/// Gives the same values for every row.
fn repeated(values: &[f64], matrix: &str, builder: &mut Builder) -> String {
    let rows = [("start", Attribute::Int(0)), ("end", Attribute::Int(1))];
    let rows = builder.add("Shape", &[matrix], &rows);
    let width = builder.constant(&Value::Integer(values.len() as i64));
    let shape = builder.add("Concat", &[&rows, &width], &[("axis", Attribute::Int(0))]);
    let values = builder.row(values.to_vec());
    builder.add("Expand", &[&values, &shape], &[])
}

/// The fields of a `TreeEnsemble` (`ai.onnx.ml` 5): splits and leaves have lists of their own.
#[derive(Default)]
struct Forest {
    roots: Vec<i64>,
    features: Vec<i64>,
    splits: Vec<f64>,
    modes: Vec<u8>,
    /// The codes of each set, in the order of the nodes that have one, and NaN behind each.
    members: Vec<f64>,
    missing_true: Vec<i64>,
    true_nodes: Vec<i64>,
    true_is_leaf: Vec<i64>,
    false_nodes: Vec<i64>,
    false_is_leaf: Vec<i64>,
    targets: Vec<i64>,
    weights: Vec<f64>,
}

const BRANCH_LEQ: u8 = 0;
const BRANCH_MEMBER: u8 = 6;

/// Adds the trees of all margins as one node in double; `x <= threshold`, or a member of the set, is the true branch.
fn trees(ensembles: &[TreeEnsemble], matrix: &str, builder: &mut Builder) -> String {
    let mut forest = Forest::default();
    let mut bases = Vec::with_capacity(ensembles.len());
    for (target, ensemble) in ensembles.iter().enumerate() {
        let mut base = ensemble.base();
        for tree in ensemble.trees() {
            let nodes = tree.nodes();
            if nodes[0].is_leaf() {
                base += nodes[0].value;
                continue;
            }
            // Where each node goes among the splits or among the leaves.
            let (mut next_split, mut next_leaf) = (forest.splits.len() as i64, forest.weights.len() as i64);
            forest.roots.push(next_split);
            let mut places = Vec::with_capacity(nodes.len());
            for node in nodes {
                let next = if node.is_leaf() { &mut next_leaf } else { &mut next_split };
                places.push(*next);
                *next += 1;
            }
            for node in nodes {
                if node.is_leaf() {
                    forest.targets.push(target as i64);
                    forest.weights.push(node.value);
                    continue;
                }
                let (left, right) = (node.left as usize, node.right as usize);
                forest.features.push(i64::from(node.feature));
                forest.splits.push(node.threshold);
                forest.modes.push(if node.set.is_some() { BRANCH_MEMBER } else { BRANCH_LEQ });
                if let Some(set) = tree.set(node) {
                    forest.members.extend(set.codes().map(f64::from).chain([f64::NAN]));
                }
                forest.missing_true.push(i64::from(node.missing_left));
                forest.true_nodes.push(places[left]);
                forest.true_is_leaf.push(i64::from(nodes[left].is_leaf()));
                forest.false_nodes.push(places[right]);
                forest.false_is_leaf.push(i64::from(nodes[right].is_leaf()));
            }
        }
        bases.push(base);
    }
    if forest.roots.is_empty() {
        return repeated(&bases, matrix, builder);
    }
    let mut attributes = vec![
        ("leaf_targetids", Attribute::Ints(forest.targets)),
        ("leaf_weights", Attribute::Tensor(Tensor::Double(forest.weights))),
        ("n_targets", Attribute::Int(ensembles.len() as i64)),
        ("nodes_falseleafs", Attribute::Ints(forest.false_is_leaf)),
        ("nodes_falsenodeids", Attribute::Ints(forest.false_nodes)),
        ("nodes_featureids", Attribute::Ints(forest.features)),
        ("nodes_missing_value_tracks_true", Attribute::Ints(forest.missing_true)),
        ("nodes_modes", Attribute::Tensor(Tensor::UInt8(forest.modes))),
        ("nodes_splits", Attribute::Tensor(Tensor::Double(forest.splits))),
        ("nodes_trueleafs", Attribute::Ints(forest.true_is_leaf)),
        ("nodes_truenodeids", Attribute::Ints(forest.true_nodes)),
        ("tree_roots", Attribute::Ints(forest.roots)),
    ];
    if !forest.members.is_empty() {
        // Attributes stand in the order of their names.
        attributes.insert(2, ("membership_values", Attribute::Tensor(Tensor::Double(forest.members))));
    }
    let sums = builder.add_ml("TreeEnsemble", &[matrix], &attributes);
    let bases = builder.row(bases);
    builder.add("Add", &[&sums, &bases], &[])
}

/// Maps margins to predictions.
fn linked(link: Link, margins: &str, builder: &mut Builder) -> String {
    match link {
        Link::Logit => logistic(margins, builder),
        Link::Softmax => builder.add("Softmax", &[margins], &[("axis", Attribute::Int(1))]),
        Link::Share => {
            let one = builder.constant(&Value::Float(1.0));
            builder.add("Min", &[margins, &one], &[])
        }
        Link::Exp => builder.add("Exp", &[margins], &[]),
        Link::Identity => margins.to_owned(),
    }
}

/// Maps log-odds to probabilities.
pub(super) fn logistic(margins: &str, builder: &mut Builder) -> String {
    let negative = builder.add("Neg", &[margins], &[]);
    let tail = builder.add("Exp", &[&negative], &[]);
    let one = builder.constant(&Value::Float(1.0));
    let total = builder.add("Add", &[&one, &tail], &[]);
    builder.add("Div", &[&one, &total], &[])
}
