//! The rows of one fit: features, targets and bins, made once and shared by all candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use trainyard_engines::{Engine, Kept};
use trainyard_features::{FeatureTable, FittedFeatures, Folds, Plan, Targets};
use trainyard_learn::{BinnedMatrix, Binning, Matrix};
use trainyard_spec::EstimatorSpec;

use crate::Error;
use crate::fit::{max_bins, reads_values};

/// Rows with their targets, and how much each counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'t, 'a> {
    pub(crate) table: &'t RecordBatch,
    pub(crate) targets: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
}

/// What features that learn from the target need besides the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrossFits<'f> {
    /// The classes; none where the target is a number.
    pub(crate) classes: &'f [String],
    /// The folds of the training rows.
    pub(crate) folds: &'f Folds,
}

/// How many numbers of bins stay in memory.
const MOST_BINNED: usize = 8;

/// What the candidates read of the training rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wanted {
    /// The `max_bins` that any of them wants.
    pub(crate) bins: BTreeSet<usize>,
    /// Whether any of them reads the features' values.
    pub(crate) values: bool,
    /// The external engine of each candidate that has one.
    pub(crate) engines: Vec<Engine>,
    /// Whether nobody knows how many fits there will be.
    pub(crate) lasting: bool,
}

impl Wanted {
    pub(crate) fn by<'s>(candidates: impl IntoIterator<Item = &'s EstimatorSpec>) -> Wanted {
        let mut wanted = Wanted::default();
        for spec in candidates {
            wanted.bins.extend(max_bins(spec));
            wanted.values |= reads_values(spec);
            wanted.engines.extend(Engine::by_name(spec.name()));
        }
        wanted
    }
}

/// Everything that fits need and that depends on no candidate; fitted on the training rows only.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) features: FittedFeatures,
    /// Without its values where no candidate reads them: at eight bytes a cell they outweigh all else.
    pub(crate) train: Part<'a>,
    /// The rows that watch the fit: the rest of a fold, or the validation share.
    pub(crate) held: Option<Part<'a>>,
    /// What external engines hold of these rows.
    pub(crate) kept: Kept,
    /// By `max_bins`; those that nobody announced are made once somebody asks.
    binned: Mutex<BTreeMap<usize, Arc<Binned>>>,
}

/// Features and targets of some rows.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    table: FeatureTable,
    pub(crate) targets: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
}

/// The bins of one `max_bins`.
#[derive(Debug)]
pub(crate) struct Binned {
    pub(crate) binning: Binning,
    pub(crate) train: BinnedMatrix,
    pub(crate) held: Option<BinnedMatrix>,
}

impl Binned {
    fn new(max_bins: usize, train: &Part<'_>, held: Option<&Part<'_>>, categories: &[Option<usize>]) -> Binned {
        let binning = Binning::fit_mixed(&train.matrix(), max_bins, |column| categories[column].is_some());
        Binned { train: binning.apply(&train.matrix()), held: held.map(|held| binning.apply(&held.matrix())), binning }
    }
}

impl Part<'_> {
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::of(&self.table.columns, self.table.rows)
    }
}

impl<'a> Prepared<'a> {
    /// Fits features and bins on `train`, and applies them to both parts; the tables are needed no longer.
    ///
    /// What the features learn from the target encodes each training row by rows of other folds.
    pub(crate) fn new(
        plan: &Plan,
        train: Rows<'_, 'a>,
        held: Option<Rows<'_, 'a>>,
        wanted: &Wanted,
        cross_fits: CrossFits<'_>,
    ) -> Result<Prepared<'a>, Error> {
        let learned = Targets { values: train.targets, classes: cross_fits.classes };
        let (features, table) = plan.fit_transform(train.table, &learned, cross_fits.folds)?;
        let mut train = Part { table, targets: train.targets, weights: train.weights };
        let part = |rows: Rows<'_, 'a>| -> Result<Part<'a>, Error> {
            Ok(Part { table: features.transform(rows.table)?, targets: rows.targets, weights: rows.weights })
        };
        let held = held.map(part).transpose()?;
        let categories = features.categories();
        let bin = |max_bins: &usize| (*max_bins, Arc::new(Binned::new(*max_bins, &train, held.as_ref(), &categories)));
        let binned = Mutex::new(wanted.bins.iter().map(bin).collect());
        if !wanted.values {
            train.table.columns = Vec::new();
        }
        let kept = match wanted.lasting {
            true => Kept::lasting(),
            false => Kept::expecting(wanted.engines.iter().copied()),
        };
        Ok(Prepared { features, train, held, kept, binned })
    }

    /// Gives the bins of `max_bins`; none that were not announced where the values are not kept.
    pub(crate) fn binned(&self, max_bins: usize) -> Option<Arc<Binned>> {
        let known = |max_bins| self.binned.lock().unwrap_or_else(PoisonError::into_inner).get(&max_bins).cloned();
        if let Some(binned) = known(max_bins) {
            return Some(binned);
        }
        if self.train.table.columns.is_empty() {
            return None;
        }
        // Not under the lock: a thread of the pool that waits for its part of the work may take up another fit.
        let made = Arc::new(Binned::new(max_bins, &self.train, self.held.as_ref(), &self.features.categories()));
        let mut binned = self.binned.lock().unwrap_or_else(PoisonError::into_inner);
        // Of many that are asked for few stay: they can be made again.
        while binned.len() >= MOST_BINNED {
            binned.pop_first();
        }
        Some(Arc::clone(binned.entry(max_bins).or_insert(made)))
    }
}
