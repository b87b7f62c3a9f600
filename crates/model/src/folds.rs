//! Folds of the training rows.

use trainyard_data::rows::RowDigest;
use trainyard_learn::{forward_blocks, stratified_folds};

use crate::Error;
use crate::train::TrainRequest;

/// The strata of a numeric target.
const BINS: usize = 10;

/// Gives each row its fold; with `by_time` its block, of which there is one more than folds.
///
/// Rows that the split keeps together share a fold: those equal in all but the key, those of a group, those of a moment.
/// Folds are stratified by class, or by tenths of the target's order; groups are spread by their sizes alone.
///
/// # Errors
/// Fewer groups, or fewer groups with rows of a class, or fewer moments, than folds.
pub(crate) fn assign(
    request: &TrainRequest<'_>,
    targets: &[f64],
    digests: &[RowDigest],
    folds: usize,
) -> Result<Vec<u32>, Error> {
    let (split, target) = (request.split, request.target);
    if let Some(time) = &split.by_time {
        let moments = trainyard_data::split::moments(request.train, &time.column.value).unwrap_or_default();
        let blocks = forward_blocks(&moments, folds);
        let found = distinct(blocks.iter().map(|block| u64::from(*block)));
        if found <= folds {
            return Err(Error::TooFewForFolds {
                folds,
                what: "moments far enough apart".into(),
                needed: folds + 1,
                found,
            });
        }
        return Ok(blocks);
    }
    let groups = trainyard_data::split::groups(request.train, digests, split);
    let by_group = split.by_group.is_some();
    let strata: Vec<u32> = match &target.classes {
        Some(_) => targets.iter().map(|target| *target as u32).collect(),
        None => tenths(targets),
    };
    let found = distinct(groups.iter().copied());
    if found < folds {
        let what = if by_group { "groups" } else { "rows that differ" };
        return Err(Error::TooFewForFolds { folds, what: what.into(), needed: folds, found });
    }
    for (class, name) in target.classes.iter().flatten().enumerate() {
        let of_class = groups.iter().zip(&strata).filter(|(_, stratum)| **stratum == class as u32);
        let found = distinct(of_class.map(|(group, _)| *group));
        if found < folds {
            let what = match by_group {
                true => format!("groups with rows of class `{name}`"),
                false => format!("rows of class `{name}` that differ"),
            };
            return Err(Error::TooFewForFolds { folds, what, needed: folds, found });
        }
    }
    let strata = if by_group { vec![0; strata.len()] } else { strata };
    Ok(stratified_folds(&strata, &groups, folds, request.spec.seed.value))
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
