//! What a forest may be told.

use crate::Error;

/// Names what the splits of a forest make small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// The Gini impurity of targets in {0, …, classes − 1}.
    Gini {
        /// The number of classes; at least 2.
        classes: usize,
    },
    /// The variance of targets that are values.
    SquaredError,
}

impl Criterion {
    /// Gives the number of predictions of a row: one a class from three classes on, otherwise one.
    pub fn outputs(self) -> usize {
        match self {
            Criterion::Gini { classes } if classes > 2 => classes,
            Criterion::Gini { .. } | Criterion::SquaredError => 1,
        }
    }

    pub(crate) fn classes(self) -> Option<usize> {
        match self {
            Criterion::Gini { classes } => Some(classes),
            Criterion::SquaredError => None,
        }
    }
}

/// Names how a node finds the threshold of a column that it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Splitter {
    /// The best of all thresholds: a random forest.
    Best,
    /// The edge that a value falls to which is drawn evenly between the node's least and greatest value: extremely
    /// randomised trees. Where cells are missing, all values to one side and missing ones to the other is looked at too.
    Random,
}

/// Says how many columns each node draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The whole part of the square root of their number.
    Sqrt,
    /// The whole part of the binary logarithm of their number.
    Log2,
    /// The whole part of this share of their number; above 0, at most 1.
    Share(f64),
    /// This many, or all where there are fewer; at least 1.
    Count(usize),
    /// All of them.
    All,
}

impl MaxFeatures {
    /// Gives the number for `columns`: at least 1, at most all.
    pub(crate) fn of(self, columns: usize) -> usize {
        let wanted = match self {
            MaxFeatures::Sqrt => columns.isqrt(),
            MaxFeatures::Log2 => columns.max(1).ilog2() as usize,
            MaxFeatures::Share(share) => (share * columns as f64) as usize,
            MaxFeatures::Count(count) => count,
            MaxFeatures::All => columns,
        };
        wanted.clamp(1, columns.max(1))
    }
}

/// Says how to grow a forest; the names and defaults are those of scikit-learn's `RandomForest*` and `ExtraTrees*`.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParameters {
    /// The number of trees; at least 1.
    pub n_estimators: usize,
    /// What splits make small.
    pub criterion: Criterion,
    /// How thresholds are found.
    pub splitter: Splitter,
    /// The most splits above a leaf; at least 1, `None` for no limit.
    pub max_depth: Option<usize>,
    /// The fewest rows of a node that is split, each counted once however often it was drawn; at least 2.
    pub min_samples_split: usize,
    /// The fewest rows of a leaf, each counted once however often it was drawn; at least 1.
    pub min_samples_leaf: usize,
    /// The number of columns that each node looks at; more where all of those hold one value.
    pub max_features: MaxFeatures,
    /// Whether each tree sees rows drawn with replacement; otherwise all of them.
    pub bootstrap: bool,
    /// The number of draws as a share of the rows, above 0 and at most 1; `None` for 1. Needs `bootstrap`.
    pub max_samples: Option<f64>,
    /// Whether to predict each row by the trees that did not see it. Needs `bootstrap`.
    pub oob_score: bool,
    /// The seed of everything that is drawn.
    pub seed: u64,
}

impl ForestParameters {
    /// Gives the defaults of a random forest (Breiman: "Random forests", 2001).
    pub fn random_forest(criterion: Criterion) -> ForestParameters {
        ForestParameters {
            n_estimators: 100,
            criterion,
            splitter: Splitter::Best,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: match criterion {
                Criterion::Gini { .. } => MaxFeatures::Sqrt,
                Criterion::SquaredError => MaxFeatures::All,
            },
            bootstrap: true,
            max_samples: None,
            oob_score: false,
            seed: 0,
        }
    }

    /// Gives the defaults of extremely randomised trees (Geurts, Ernst and Wehenkel, 2006).
    pub fn extra_trees(criterion: Criterion) -> ForestParameters {
        ForestParameters { splitter: Splitter::Random, bootstrap: false, ..ForestParameters::random_forest(criterion) }
    }

    /// Says whether all that a split asks of rows without weights is how many of each of two classes there are.
    pub(crate) fn counts_rows(&self) -> bool {
        self.splitter == Splitter::Random && !self.bootstrap && self.criterion == Criterion::Gini { classes: 2 }
    }

    /// Refuses values outside their range, and what needs a bootstrap without one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let classes = self.criterion.classes().unwrap_or(2);
        let (features, features_allowed) = match self.max_features {
            MaxFeatures::Share(value) => (value, share(value)),
            MaxFeatures::Count(count) => (count as f64, count >= 1),
            MaxFeatures::Sqrt | MaxFeatures::Log2 | MaxFeatures::All => (1.0, true),
        };
        let samples = self.max_samples.unwrap_or(1.0);
        let only_drawn = "none without `bootstrap`";
        let rules = [
            ("n_estimators", self.n_estimators as f64, self.n_estimators >= 1, "at least 1"),
            ("classes", classes as f64, classes >= 2, "at least 2"),
            ("max_depth", self.max_depth.unwrap_or(1) as f64, self.max_depth != Some(0), "at least 1, or none"),
            ("min_samples_split", self.min_samples_split as f64, self.min_samples_split >= 2, "at least 2"),
            ("min_samples_leaf", self.min_samples_leaf as f64, self.min_samples_leaf >= 1, "at least 1"),
            ("max_features", features, features_allowed, "a share above 0 and at most 1, or a count of at least 1"),
            ("max_samples", samples, share(samples), "above 0 and at most 1"),
            ("max_samples", samples, self.bootstrap || self.max_samples.is_none(), only_drawn),
            (
                "oob_score",
                f64::from(self.oob_score),
                self.bootstrap || !self.oob_score,
                "0 (false) without `bootstrap`",
            ),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, allowed)) => Err(Error::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}
