//! How much the rows of a class count in a fit.

use trainyard_spec::ClassWeight;

/// Knows what multiplies the weight of a row of each class; nothing where all classes count as their rows do.
#[derive(Debug)]
pub(crate) struct RowWeights {
    factors: Option<Vec<f64>>,
}

impl RowWeights {
    /// Takes the weight of each of `classes` from the spec; balanced ones from `targets`, the rows of the fit, each counted
    /// once whatever its own weight, as scikit-learn's `compute_class_weight` does.
    pub(crate) fn new(weight: Option<&ClassWeight>, classes: &[String], targets: &[f64]) -> RowWeights {
        let balanced = |class: usize| {
            let rows = targets.iter().filter(|target| **target == class as f64).count();
            targets.len() as f64 / (classes.len() as f64 * rows.max(1) as f64)
        };
        let factors = weight.map(|weight| match weight {
            ClassWeight::Balanced => (0..classes.len()).map(balanced).collect(),
            ClassWeight::Classes(weights) => {
                classes.iter().map(|class| weights.get(class).copied().unwrap_or(1.0)).collect()
            }
        });
        RowWeights { factors }
    }

    /// Gives the weights of rows, of which `weights` are those that they have by themselves.
    pub(crate) fn of(&self, targets: &[f64], weights: Option<&[f64]>) -> Option<Vec<f64>> {
        let Some(factors) = &self.factors else { return weights.map(<[f64]>::to_vec) };
        let factor = |target: &f64| factors.get(*target as usize).copied().unwrap_or(1.0);
        let own = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        Some(targets.iter().enumerate().map(|(row, target)| own(row) * factor(target)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_count_the_same() {
        let classes = ["a", "b", "c"].map(str::to_owned);
        let targets = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0];
        let weights = RowWeights::new(Some(&ClassWeight::Balanced), &classes, &targets);
        // What scikit-learn 1.9 gives: 6 / (3 · 3), 6 / (3 · 2), 6 / (3 · 1).
        assert_eq!(weights.factors, Some(vec![6.0 / 9.0, 1.0, 2.0]));
        assert_eq!(weights.of(&[2.0, 0.0], Some(&[0.5, 3.0])), Some(vec![1.0, 2.0]));
        let named = ClassWeight::Classes([("b".to_owned(), 4.0)].into());
        assert_eq!(RowWeights::new(Some(&named), &classes, &targets).of(&[0.0, 1.0], None), Some(vec![1.0, 4.0]));
        assert_eq!(RowWeights::new(None, &classes, &targets).of(&[0.0], None), None);
    }
}
