//! Folds of the training rows.

use arrow_array::RecordBatch;
use trainyard_data::rows::RowDigest;
use trainyard_features::{Folds, Plan};
use trainyard_learn::{forward_blocks, stratified_folds};
use trainyard_random::Key;

use crate::Error;
use crate::train::TrainRequest;

/// The key that asks for the folds of encodings by the target.
const CROSS_FITS: &str = "encode: {target: {cv: …}}";
/// The strata of a numeric target.
const BINS: usize = 10;

/// Gives the seed of the folds of a repeat, counted from 0: the first time that of the spec, as without repeats.
pub(crate) fn seed(request: &TrainRequest<'_>, repeat: usize) -> u64 {
    let seed = request.spec.seed.value;
    if repeat == 0 { seed } else { Key::new(seed, "model/repeats").at(repeat as u64) }
}

/// Gives each row its fold; with `by_time` its block, of which there is one more than folds.
///
/// `key` is what asks for them. Rows that the split keeps together share a fold: those equal in all but the key, those of a group, those of a moment.
/// Folds are stratified by class, or by tenths of the target's order; groups are spread by their sizes alone.
///
/// # Errors
/// Fewer groups, or fewer groups with rows of a class, or fewer moments, than folds.
pub(crate) fn assign(
    request: &TrainRequest<'_>,
    targets: &[f64],
    digests: &[RowDigest],
    folds: usize,
    seed: u64,
    key: &'static str,
) -> Result<Vec<u32>, Error> {
    let (split, target) = (request.split, request.target);
    if let Some(time) = &split.by_time {
        let moments = trainyard_data::split::moments(request.train, &time.column.value).unwrap_or_default();
        let blocks = forward_blocks(&moments, folds);
        let found = distinct(blocks.iter().map(|block| u64::from(*block)));
        if found <= folds {
            return Err(Error::TooFewForFolds {
                key,
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
    let strata = strata(request, targets);
    let found = distinct(groups.iter().copied());
    if found < folds {
        let what = if by_group { "groups" } else { "rows that differ" };
        return Err(Error::TooFewForFolds { key, folds, what: what.into(), needed: folds, found });
    }
    for (class, name) in target.classes.iter().flatten().enumerate() {
        let of_class = groups.iter().zip(&strata).filter(|(_, stratum)| **stratum == class as u32);
        let found = distinct(of_class.map(|(group, _)| *group));
        if found < folds {
            let what = match by_group {
                true => format!("groups with rows of class `{name}`"),
                false => format!("rows of class `{name}` that differ"),
            };
            return Err(Error::TooFewForFolds { key, folds, what, needed: folds, found });
        }
    }
    let strata = if by_group { vec![0; strata.len()] } else { strata };
    Ok(stratified_folds(&strata, &groups, folds, seed))
}

/// Gives each row of a fit its fold for encodings by the target, by the number of folds: none where nothing wants any.
///
/// As [`assign`], rows that the split keeps together share a fold, and folds are stratified; with a split by time those
/// of a moment share one, and the others are spread by chance. Where rows differ less often than there are to be folds,
/// there are as many folds as rows that differ.
///
/// # Errors
/// All rows are to be kept together.
pub(crate) fn cross_fits(
    request: &TrainRequest<'_>,
    plan: &Plan,
    table: &RecordBatch,
    targets: &[f64],
    digests: &[RowDigest],
) -> Result<Folds, Error> {
    let wanted = plan.folds();
    let Some(most) = wanted.last().copied() else { return Ok(Folds::new()) };
    let groups = trainyard_data::split::groups(table, digests, request.split);
    let found = distinct(groups.iter().copied());
    if found < 2 {
        let what = if request.split.by_group.is_some() { "groups" } else { "rows that differ" };
        return Err(Error::TooFewForFolds {
            key: CROSS_FITS,
            folds: most as usize,
            what: what.into(),
            needed: 2,
            found,
        });
    }
    let is_spread = request.split.by_group.is_none() && request.split.by_time.is_none();
    let strata = if is_spread { strata(request, targets) } else { vec![0; targets.len()] };
    // Other folds than those of the cross-validation: these run inside of each of them.
    let seed = Key::new(request.spec.seed.value, "model/cross-fits").at(0);
    let folds = |of: u32| stratified_folds(&strata, &groups, found.min(of as usize), seed);
    Ok(wanted.into_iter().map(|of| (of, folds(of))).collect())
}

/// Gives the stratum of each row: its class, or the tenth of the targets' order.
fn strata(request: &TrainRequest<'_>, targets: &[f64]) -> Vec<u32> {
    match &request.target.classes {
        Some(_) => targets.iter().map(|target| *target as u32).collect(),
        None => tenths(targets),
    }
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
