//! The nodes of a foreign tree in our order: children after their parent.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use trainyard_learn::{CategorySet, Node, Tree};

/// A node as a library numbers it.
pub(crate) enum Foreign {
    Leaf { value: f64, rows: u64 },
    Split { feature: u32, goes_left: GoesLeft, missing_left: bool, gain: f64, rows: u64, children: [i64; 2] },
}

/// What goes left at a split, besides missing values.
pub(crate) enum GoesLeft {
    /// Values up to this one.
    UpTo(f64),
    /// These categories.
    Categories(CategorySet),
}

/// Makes a tree of the node `root` and everything below it, breadth first; there are at most `nodes`.
pub(crate) fn arranged(root: i64, nodes: usize, at: impl Fn(i64) -> Result<Foreign, String>) -> Result<Tree, String> {
    let mut waiting = VecDeque::from([root]);
    let (mut made, mut sets, mut known) = (Vec::new(), Vec::new(), 1);
    while let Some(foreign) = waiting.pop_front() {
        made.push(match at(foreign)? {
            Foreign::Leaf { value, rows } => Node::leaf(value, rows),
            Foreign::Split { feature, goes_left, missing_left, gain, rows, children } => {
                let left = known as u32;
                known += 2;
                if known > nodes {
                    return Err("a node is the child of two".to_owned());
                }
                waiting.extend(children);
                let (threshold, set) = match goes_left {
                    GoesLeft::UpTo(threshold) => (threshold, None),
                    GoesLeft::Categories(categories) => {
                        sets.push(categories);
                        let number = u16::try_from(sets.len()).map_err(|_| "it has too many splits by categories")?;
                        (0.0, NonZeroU16::new(number))
                    }
                };
                Node { threshold, value: 0.0, gain, rows, feature, left, right: left + 1, missing_left, set }
            }
        });
    }
    Tree::with_sets(made, &sets).map_err(|error| error.to_string())
}
