//! Folds for cross-validation.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use trainyard_random::Key;

/// Gives each row a fold of `0..k`; rows of one group share it, and each stratum is spread evenly.
///
/// Within a stratum, groups go (large ones first, equal ones in the order of their keyed hash) to the fold with the
/// fewest rows of that stratum, then the fewest rows at all: the folds' shares of a stratum differ by at most the rows of
/// one group. A group belongs to the stratum of its first row. The folds do not depend on the order of the rows, except
/// where groups mix strata.
///
/// # Panics
/// Panics when `strata` and `groups` differ in length.
pub fn stratified_folds(strata: &[u32], groups: &[u64], k: usize, seed: u64) -> Vec<u32> {
    assert_eq!(strata.len(), groups.len(), "each row has a stratum and a group");
    let key = Key::new(seed, "learn/folds");
    let mut rows: Vec<usize> = (0..groups.len()).collect();
    rows.sort_unstable_by_key(|&row| (groups[row], row));
    let mut by_stratum: BTreeMap<u32, Vec<Group<'_>>> = BTreeMap::new();
    for rows in rows.chunk_by(|&a, &b| groups[a] == groups[b]) {
        let first = rows[0];
        by_stratum.entry(strata[first]).or_default().push(Group {
            hash: key.at(groups[first]),
            id: groups[first],
            rows,
        });
    }
    let k = k.max(1);
    let mut loads = vec![0; k];
    let mut folds = vec![0; groups.len()];
    for members in by_stratum.values_mut() {
        members.sort_unstable_by_key(|group| (Reverse(group.rows.len()), group.hash, group.id));
        let mut stratum_loads = vec![0; k];
        for group in members.iter() {
            let fold = (0..k).min_by_key(|&fold| (stratum_loads[fold], loads[fold], fold)).unwrap_or(0);
            stratum_loads[fold] += group.rows.len();
            loads[fold] += group.rows.len();
            group.rows.iter().for_each(|&row| folds[row] = fold as u32);
        }
    }
    folds
}

/// Gives each row a block of `0..=k` in the order of its moment: fold `f` is judged on block `f + 1` and trains on the
/// blocks before it, so that nothing learns from what came later.
///
/// The blocks after the first hold `rows / (k + 1)` rows each, as those of scikit-learn's `TimeSeriesSplit`, save that a
/// moment is never cut: all of its rows join the block of the first of them.
pub fn forward_blocks(moments: &[i64], k: usize) -> Vec<u32> {
    let mut order: Vec<usize> = (0..moments.len()).collect();
    order.sort_by_key(|&row| moments[row]);
    let size = moments.len() / (k + 1);
    let first = moments.len() - size * k;
    let mut blocks = vec![0; moments.len()];
    let mut place = 0;
    for rows in order.chunk_by(|&a, &b| moments[a] == moments[b]) {
        let block = if place < first { 0 } else { 1 + (place - first) / size.max(1) };
        rows.iter().for_each(|&row| blocks[row] = block as u32);
        place += rows.len();
    }
    blocks
}

/// The rows that share a group.
struct Group<'a> {
    hash: u64,
    id: u64,
    rows: &'a [usize],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_never_cut_and_strata_are_balanced() {
        let key = Key::new(9, "test");
        let groups: Vec<u64> = (0..2_000).map(|row| key.at(row) % 700).collect();
        let strata: Vec<u32> = groups.iter().map(|group| u32::from(group % 4 == 0)).collect();
        let folds = stratified_folds(&strata, &groups, 5, 1);
        let largest = |stratum: u32| {
            let mut sizes = BTreeMap::new();
            groups
                .iter()
                .filter(|group| u32::from(*group % 4 == 0) == stratum)
                .for_each(|group| *sizes.entry(group).or_insert(0) += 1);
            sizes.into_values().max().unwrap_or(0)
        };
        for stratum in [0, 1] {
            let mut loads = [0usize; 5];
            for (row, fold) in folds.iter().enumerate().filter(|(row, _)| strata[*row] == stratum) {
                loads[*fold as usize] += 1;
                assert_eq!(*fold, folds[groups.iter().position(|group| *group == groups[row]).unwrap_or(row)]);
            }
            let spread = loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0);
            assert!(spread <= largest(stratum), "{loads:?}");
        }
        assert_ne!(folds, stratified_folds(&strata, &groups, 5, 2));
        let reversed: (Vec<u32>, Vec<u64>) =
            (strata.iter().rev().copied().collect(), groups.iter().rev().copied().collect());
        let mut back = stratified_folds(&reversed.0, &reversed.1, 5, 1);
        back.reverse();
        assert_eq!(folds, back);
    }

    #[test]
    fn forward_blocks_follow_time_and_cut_no_moment() {
        // TimeSeriesSplit(n_splits=3) on 10 rows judges [4, 5], [6, 7], [8, 9].
        assert_eq!(forward_blocks(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 3), [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(forward_blocks(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 3), [3, 3, 2, 2, 1, 1, 0, 0, 0, 0]);
        assert_eq!(forward_blocks(&[0, 1, 2, 3, 4, 4, 4, 7, 8, 9], 3), [0, 0, 0, 0, 1, 1, 1, 2, 3, 3]);
        assert_eq!(forward_blocks(&[], 3), [0u32; 0]);
        assert_eq!(forward_blocks(&[5, 6], 3), [0, 0]);
        let key = Key::new(3, "test");
        let moments: Vec<i64> = (0..1000).map(|row| (key.at(row) % 300) as i64).collect();
        let blocks = forward_blocks(&moments, 5);
        for (a, b) in (0..1000).flat_map(|a| (0..1000).map(move |b| (a, b))).filter(|(a, b)| moments[*a] <= moments[*b])
        {
            assert!(blocks[a] <= blocks[b]);
        }
        for block in 0..=5 {
            assert!(blocks.iter().filter(|of| **of == block).count().abs_diff(166) <= 14);
        }
    }

    #[test]
    fn small_inputs_are_fine() {
        assert_eq!(stratified_folds(&[], &[], 5, 0), [0u32; 0]);
        assert_eq!(stratified_folds(&[0, 1], &[1, 2], 0, 0), [0, 0]);
        let mut folds = stratified_folds(&[0; 3], &[1, 2, 3], 3, 0);
        folds.sort_unstable();
        assert_eq!(folds, [0, 1, 2]);
    }
}
