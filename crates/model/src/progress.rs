//! What training tells its listener.

use std::fmt;

/// Which rows a fit is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All folds but one, counted from 0.
    Fold {
        /// The fold that is left out.
        fold: usize,
        /// The number of folds.
        of: usize,
    },
    /// The training rows.
    Train,
    /// The training and the validation rows.
    Refit,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Fold { fold, of } => write!(formatter, "fold {} of {of}", fold + 1),
            Part::Train => formatter.write_str("train"),
            Part::Refit => formatter.write_str("train and validation"),
        }
    }
}

/// Something that happened in training; folds and candidates run side by side, so the order is not fixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// A tree was grown.
    Iteration {
        /// The candidate.
        candidate: &'a str,
        /// The rows.
        part: Part,
        /// The trees so far.
        done: usize,
        /// The most trees there may be.
        of: usize,
        /// The mean loss on the rows of the fit; absent where trees are averaged.
        loss: Option<f64>,
    },
    /// A fit without iterations has ended.
    Fitted {
        /// The candidate.
        candidate: &'a str,
        /// The rows.
        part: Part,
    },
    /// An external engine is at work and has said nothing for a while; there is nothing to show, and it may be stopped.
    Waiting,
}

/// Hears of progress; gives false to stop.
pub type Report<'a> = dyn Fn(&Progress<'_>) -> bool + Sync + 'a;
