//! A random forest whose leaves are boxes of the unit cube.

use trainyard_random::Key;

/// Rows of columns in the unit cube with a value each.
pub(crate) struct Rows<'a> {
    /// The columns; all of one length.
    pub(crate) columns: &'a [Vec<f64>],
    /// The values.
    pub(crate) values: &'a [f64],
}

/// A leaf: a value and the box in which it is predicted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) value: f64,
    /// By column, from where to where.
    pub(crate) sides: Vec<(f64, f64)>,
}

impl Leaf {
    /// Gives the volume over those columns that are `counted`.
    pub(crate) fn volume(&self, counted: impl Fn(usize) -> bool) -> f64 {
        let sides = self.sides.iter().enumerate().filter(|(column, _)| counted(*column));
        sides.map(|(_, (low, high))| high - low).product()
    }
}

/// A node that is not yet split.
struct Open {
    rows: Vec<usize>,
    sides: Vec<(f64, f64)>,
    depth: u32,
}

/// Grows a tree on rows drawn with replacement: each node is split where the squared error falls most, among all
/// columns, until every leaf has one value or the `depth` is reached (Breiman, "Random Forests", Machine Learning 45,
/// 2001).
pub(crate) fn tree(rows: &Rows<'_>, depth: u32, key: Key) -> Vec<Leaf> {
    let count = rows.values.len();
    let mut stream = key.stream();
    let mut weights = vec![0.0; count];
    for _ in 0..count {
        weights[stream.below(count as u64) as usize] += 1.0;
    }
    let drawn = (0..count).filter(|&row| weights[row] > 0.0).collect();
    let mut open = vec![Open { rows: drawn, sides: vec![(0.0, 1.0); rows.columns.len()], depth: 0 }];
    let mut leaves = Vec::new();
    let mut order: Vec<usize> = (0..rows.columns.len()).collect();
    while let Some(node) = open.pop() {
        // Of splits that are equally good, chance takes one.
        stream.shuffle(&mut order);
        let split = if node.depth < depth { best(rows, &weights, &node.rows, &order) } else { None };
        match split {
            Some((column, at)) => {
                let (low, high): (Vec<usize>, Vec<usize>) =
                    node.rows.iter().partition(|&&row| rows.columns[column][row] <= at);
                let (mut below, mut above) = (node.sides.clone(), node.sides);
                (below[column].1, above[column].0) = (at, at);
                open.push(Open { rows: high, sides: above, depth: node.depth + 1 });
                open.push(Open { rows: low, sides: below, depth: node.depth + 1 });
            }
            None => {
                let weight: f64 = node.rows.iter().map(|&row| weights[row]).sum();
                let total: f64 = node.rows.iter().map(|&row| weights[row] * rows.values[row]).sum();
                leaves.push(Leaf { value: total / weight, sides: node.sides });
            }
        }
    }
    leaves
}

/// Finds the column and the place that split the rows best; none where the rows have one value, or one place.
fn best(rows: &Rows<'_>, weights: &[f64], node: &[usize], order: &[usize]) -> Option<(usize, f64)> {
    let first = rows.values[*node.first()?];
    if node.iter().all(|&row| rows.values[row] == first) {
        return None;
    }
    let weight: f64 = node.iter().map(|&row| weights[row]).sum();
    // Around their mean, so that large values lose no digits.
    let mean = node.iter().map(|&row| weights[row] * rows.values[row]).sum::<f64>() / weight;
    let mut found: Option<(f64, usize, f64)> = None;
    let mut sorted: Vec<(f64, usize)> = Vec::with_capacity(node.len());
    for &column in order {
        let places = &rows.columns[column];
        sorted.clear();
        sorted.extend(node.iter().map(|&row| (places[row], row)));
        sorted.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let (mut left, mut sum) = (0.0, 0.0);
        for pair in sorted.windows(2) {
            let ((place, row), (next, _)) = (pair[0], pair[1]);
            left += weights[row];
            sum += weights[row] * (rows.values[row] - mean);
            if place == next {
                continue;
            }
            let gain = sum * sum / left + sum * sum / (weight - left);
            if found.is_none_or(|(best, ..)| gain > best) {
                let middle = 0.5 * place + 0.5 * next;
                found = Some((gain, column, if middle < next { middle } else { place }));
            }
        }
    }
    found.map(|(_, column, at)| (column, at))
}
