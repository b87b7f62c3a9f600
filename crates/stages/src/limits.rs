//! What a stage cannot do without, and how quickly this machine does that and nothing else.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use serde_json::json;
use trainyard_learn::{Node, TreeEnsemble};

use crate::{THREADS, Told};

/// The cells that each thread adds to: the histograms of eight columns.
const CELLS: usize = 8 * 256;

/// The additions that each thread makes.
const ADDITIONS: usize = 1 << 28;

/// The bytes that each thread reads, far more than any cache holds.
const BYTES: usize = 1 << 29;

/// Tells how many additions to cells of a small histogram, and how many bytes of memory, both threads manage in a second.
pub(crate) fn machine() -> Told {
    // Where an addition goes depends on data, as it does in a histogram.
    let places: Vec<u8> = (0..1u32 << 16).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let started = Instant::now();
    (0..THREADS).into_par_iter().for_each(|_| {
        let mut cells = vec![[[0i64; 2]; 256]; CELLS / 256];
        for _ in 0..ADDITIONS / places.len() {
            for places in places.chunks_exact(CELLS / 256) {
                for (cells, place) in cells.iter_mut().zip(places) {
                    let cell = &mut cells[usize::from(*place)];
                    *cell = [cell[0].wrapping_add(3), cell[1].wrapping_add(5)];
                }
            }
        }
        black_box(&cells);
    });
    let additions = (THREADS * ADDITIONS) as f64 / started.elapsed().as_secs_f64();
    let memory: Vec<Vec<u64>> = (0..THREADS).into_par_iter().map(|_| vec![1; BYTES / size_of::<u64>()]).collect();
    let started = Instant::now();
    let sum: u64 = memory.par_iter().map(|part| part.iter().copied().fold(0, u64::wrapping_add)).sum();
    let bytes = (THREADS * BYTES) as f64 / started.elapsed().as_secs_f64();
    black_box(sum);
    Ok(json!({"additions_per_second": additions, "bytes_per_second": bytes}))
}

/// Counts the additions to histograms of `columns` columns without which these trees could not be: all rows at the root, then
/// those of the smaller child of each split below which another came.
pub(crate) fn boosting_additions(ensemble: &TreeEnsemble, columns: usize) -> u64 {
    let of_tree = |nodes: &[Node]| {
        let root = nodes.first().filter(|root| !root.is_leaf()).map_or(0, |root| root.rows);
        let smaller = |node: &Node| {
            let children = [&nodes[node.left as usize], &nodes[node.right as usize]];
            let is_counted = children.iter().any(|child| !child.is_leaf());
            if is_counted { children[0].rows.min(children[1].rows) } else { 0 }
        };
        root + nodes.iter().filter(|node| !node.is_leaf()).map(smaller).sum::<u64>()
    };
    ensemble.trees().iter().map(|tree| of_tree(tree.nodes())).sum::<u64>() * columns as u64
}

/// Counts the cells of `tried` columns that the rows of every split of these trees have.
pub(crate) fn forest_additions(ensemble: &TreeEnsemble, tried: usize) -> u64 {
    let nodes = ensemble.trees().iter().flat_map(|tree| tree.nodes());
    nodes.filter(|node| !node.is_leaf()).map(|node| node.rows).sum::<u64>() * tried as u64
}

/// Counts what the leaves of all trees give to the columns on the way to them, for one row.
pub(crate) fn contributions_of_a_row(ensemble: &TreeEnsemble) -> u64 {
    fn below(nodes: &[Node], at: usize, depth: u64) -> u64 {
        match &nodes[at] {
            node if node.is_leaf() => depth,
            node => below(nodes, node.left as usize, depth + 1) + below(nodes, node.right as usize, depth + 1),
        }
    }
    ensemble.trees().iter().map(|tree| below(tree.nodes(), 0, 0)).sum()
}
