//! Which parameters matter, and how values follow them.

use std::collections::BTreeMap;

use trainyard_random::Key;

use crate::forest::{Leaf, Rows, tree};
use crate::{Distribution, Group, State, Study, Trial, Value};

/// The number of trees, and their depth: those of Optuna's `FanovaImportanceEvaluator`.
const TREES: u64 = 64;
const DEPTH: u32 = 64;

/// How much a parameter matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The parameter.
    pub name: String,
    /// The share of the variance of the values that the parameter alone explains, from 0 to 1: the mean over the trees.
    pub share: f64,
    /// The standard deviation of that share over the trees.
    pub spread: f64,
    /// The number of trials that it follows from: the complete ones that have the parameter.
    pub trials: u64,
    /// Whether the parameter exists under a condition; then the share is of the variance of the trials that meet it,
    /// and does not compare with others.
    pub is_conditional: bool,
}

/// Says how much each parameter matters, the greatest share first, those of conditional parameters last.
///
/// Functional ANOVA over a random forest (Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing
/// Hyperparameter Importance", ICML 2014), as Optuna takes it: 64 trees of depth 64 over the values as they are,
/// without logarithms, and a column for each choice. A parameter that is always there is judged over all complete
/// trials, with the others that always are; one under a condition over the trials that have it, with the parameters
/// that all of those have. Values that are not finite do not count. A parameter of one value has the share 0; so has
/// every parameter where there are fewer than two trials, or all have the same value.
pub fn importance(study: &Study, seed: u64) -> Vec<Importance> {
    let mut all = Vec::new();
    for group in study.space.groups() {
        all.extend(of_group(study, group, seed));
    }
    all.sort_by(|one, other| one.is_conditional.cmp(&other.is_conditional).then(other.share.total_cmp(&one.share)));
    all
}

/// Gives the complete trials of finite values that meet a condition.
fn met<'a>(study: &'a Study, group: &Group) -> Vec<(&'a Trial, f64)> {
    let finite = |trial: &'a Trial| Some((trial, trial.value.filter(|value| value.is_finite())?));
    let complete = study.trials.iter().filter(|trial| trial.state == State::Complete).filter_map(finite);
    let has_all = |trial: &Trial| group.parameters.iter().all(|&at| trial.values.get(at).is_some_and(Option::is_some));
    complete.filter(|(trial, _)| has_all(trial)).collect()
}

fn of_group(study: &Study, group: &Group, seed: u64) -> Vec<Importance> {
    let trials = met(study, group);
    let values: Vec<f64> = trials.iter().map(|(_, value)| *value).collect();
    let parameters = study.space.parameters();
    // By parameter, its columns; none for one that is not judged.
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut places: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let begin = columns.len();
        let is_judged = group.when.is_some() || parameter.when.is_none();
        let chosen: Option<Vec<f64>> = trials.iter().map(|(trial, _)| trial.values[at]).collect();
        if let Some(chosen) = chosen.filter(|_| is_judged && !parameter.distribution.is_single()) {
            columns.extend(encoded(&parameter.distribution, &chosen));
        }
        places.push(begin..columns.len());
    }
    let mut shares: Vec<Vec<f64>> = vec![Vec::new(); parameters.len()];
    if trials.len() > 1 {
        let key = Key::new(seed, "tune/importance").derive(group.parameters.first().copied().unwrap_or(0) as u64);
        for number in 0..TREES {
            let leaves = tree(&Rows { columns: &columns, values: &values }, DEPTH, key.derive(number));
            let variance = variance(leaves.iter().map(|leaf| (leaf.value, leaf.volume(|_| true))));
            for &at in group.parameters.iter().filter(|_| variance > 0.0) {
                shares[at].push(marginal(&leaves, &places[at]) / variance);
            }
        }
    }
    let judged = group.parameters.iter().map(|&at| {
        let count = shares[at].len().max(1) as f64;
        let share = shares[at].iter().sum::<f64>() / count;
        let squares = shares[at].iter().map(|one| (one - share) * (one - share)).sum::<f64>();
        let (name, is_conditional) = (parameters[at].name.clone(), group.when.is_some());
        Importance { name, share, spread: libm::sqrt(squares / count), trials: trials.len() as u64, is_conditional }
    });
    judged.collect()
}

/// Gives the columns of a parameter, each from 0 to 1: one for a number, one for each choice.
fn encoded(distribution: &Distribution, chosen: &[f64]) -> Vec<Vec<f64>> {
    let (low, high) = match distribution {
        Distribution::Float { low, high, .. } => (*low, *high),
        Distribution::Int { low, high, .. } => (*low as f64, *high as f64),
        Distribution::Categorical { choices } => {
            let column = |choice: usize| chosen.iter().map(move |value| f64::from(u8::from(*value as usize == choice)));
            return (0..choices.len()).map(|choice| column(choice).collect()).collect();
        }
    };
    vec![chosen.iter().map(|value| (value - low) / (high - low)).collect()]
}

/// Gives the variance of values with weights.
fn variance(values: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let weight: f64 = values.clone().map(|(_, weight)| weight).sum();
    let mean = values.clone().map(|(value, weight)| value * weight).sum::<f64>() / weight;
    values.map(|(value, weight)| (value - mean) * (value - mean) * weight).sum::<f64>() / weight
}

/// Gives the variance over the columns of one parameter of the prediction's mean over all others.
fn marginal(leaves: &[Leaf], columns: &std::ops::Range<usize>) -> f64 {
    let share = |leaf: &Leaf| leaf.value * leaf.volume(|column| !columns.contains(&column));
    if columns.len() == 1 {
        return along_a_line(leaves, columns.start, share);
    }
    // Leaves with the same sides along these columns are one.
    let mut sides: BTreeMap<Vec<[u64; 2]>, (f64, &Leaf)> = BTreeMap::new();
    for leaf in leaves {
        let key = leaf.sides[columns.clone()].iter().map(|(low, high)| [low.to_bits(), high.to_bits()]).collect();
        sides.entry(key).or_insert((0.0, leaf)).0 += share(leaf);
    }
    let sides: Vec<(f64, &[(f64, f64)])> =
        sides.values().map(|(share, leaf)| (*share, &leaf.sides[columns.clone()])).collect();
    let volume = |sides: &[(f64, f64)]| sides.iter().map(|(low, high)| high - low).product::<f64>();
    let mean: f64 = sides.iter().map(|(share, sides)| share * volume(sides)).sum();
    let mut square = 0.0;
    for (share, one) in &sides {
        for (other_share, other) in &sides {
            let overlap = one.iter().zip(*other).map(|(one, other)| (one.1.min(other.1) - one.0.max(other.0)).max(0.0));
            square += share * other_share * overlap.product::<f64>();
        }
    }
    (square - mean * mean).max(0.0)
}

/// The same along one column, by going from side to side.
fn along_a_line(leaves: &[Leaf], column: usize, share: impl Fn(&Leaf) -> f64) -> f64 {
    let mut sides: Vec<f64> = leaves.iter().flat_map(|leaf| [leaf.sides[column].0, leaf.sides[column].1]).collect();
    sides.sort_by(f64::total_cmp);
    sides.dedup();
    let place = |side: f64| sides.partition_point(|other| *other < side);
    let mut means = vec![0.0; sides.len().saturating_sub(1)];
    for leaf in leaves {
        let (low, high) = leaf.sides[column];
        let share = share(leaf);
        means[place(low)..place(high)].iter_mut().for_each(|mean| *mean += share);
    }
    variance(means.iter().copied().zip(sides.windows(2).map(|pair| pair[1] - pair[0])))
}

/// The values of complete trials along one parameter, for a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The parameter.
    pub name: String,
    /// Whether the axis is logarithmic.
    pub log: bool,
    /// Whether the parameter exists under a condition; then the points are the trials that meet it.
    pub is_conditional: bool,
    /// The points by trial.
    pub points: Vec<Point>,
}

/// One trial along a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The trial's number.
    pub trial: u64,
    /// What was chosen.
    pub chosen: Value,
    /// The same as a number: itself, or the position of a choice.
    pub place: f64,
    /// The trial's value.
    pub value: f64,
}

/// Gives a slice for each parameter, in the order of the space.
pub fn slices(study: &Study) -> Vec<Slice> {
    let slice = |(at, parameter): (usize, &crate::Parameter)| {
        let complete = study.trials.iter().filter(|trial| trial.state == State::Complete);
        let points = complete.filter_map(|trial| {
            let (place, value) = (trial.values.get(at).copied().flatten()?, trial.value?);
            Some(Point { trial: trial.number, chosen: parameter.distribution.external(place), place, value })
        });
        let log = matches!(
            parameter.distribution,
            Distribution::Float { log: true, .. } | Distribution::Int { log: true, .. }
        );
        let is_conditional = parameter.when.is_some();
        Slice { name: parameter.name.clone(), log, is_conditional, points: points.collect() }
    };
    study.space.parameters().iter().enumerate().map(slice).collect()
}
