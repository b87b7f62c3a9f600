//! Folds of the training rows.

use trainyard_data::Target;
use trainyard_data::rows::RowDigest;
use trainyard_learn::stratified_folds;

use crate::Error;

/// The strata of a numeric target.
const BINS: usize = 10;

/// Gives each row its fold.
///
/// Rows equal in all but the key share a fold. Folds are stratified by class, or by tenths of the target's order.
///
/// # Errors
/// Fewer distinct rows, or fewer distinct rows of a class, than folds.
pub(crate) fn assign(
    targets: &[f64],
    digests: &[RowDigest],
    target: &Target,
    folds: usize,
    seed: u64,
) -> Result<Vec<u32>, Error> {
    let groups: Vec<u64> = digests.iter().map(|row| row.content).collect();
    let strata = match &target.classes {
        Some(_) => targets.iter().map(|target| *target as u32).collect(),
        None => tenths(targets),
    };
    let found = distinct(groups.iter().copied());
    if found < folds {
        return Err(Error::TooFewForFolds { folds, what: "rows that differ".into(), found });
    }
    for (class, name) in target.classes.iter().flatten().enumerate() {
        let of_class = groups.iter().zip(&strata).filter(|(_, stratum)| **stratum == class as u32);
        let found = distinct(of_class.map(|(group, _)| *group));
        if found < folds {
            return Err(Error::TooFewForFolds { folds, what: format!("rows of class `{name}` that differ"), found });
        }
    }
    Ok(stratified_folds(&strata, &groups, folds, seed))
}

fn distinct(groups: impl Iterator<Item = u64>) -> usize {
    let mut groups: Vec<u64> = groups.collect();
    groups.sort_unstable();
    groups.dedup();
    groups.len()
}

/// Gives each target its tenth of the order; equal targets share one.
fn tenths(targets: &[f64]) -> Vec<u32> {
    let mut sorted = targets.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let edges: Vec<f64> = (1..BINS).filter_map(|bin| sorted.get(bin * sorted.len() / BINS).copied()).collect();
    targets.iter().map(|target| edges.partition_point(|edge| edge <= target) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::tenths;

    #[test]
    fn tenths_are_equally_full() {
        let targets: Vec<f64> = (0..1000).map(|row| f64::from((row * 7919) % 1000)).collect();
        let tenths = tenths(&targets);
        assert!((0..10).all(|bin| tenths.iter().filter(|tenth| **tenth == bin).count() == 100));
        assert_eq!(super::tenths(&[5.0; 4]), vec![9; 4]);
    }
}
