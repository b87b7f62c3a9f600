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
    fn small_inputs_are_fine() {
        assert_eq!(stratified_folds(&[], &[], 5, 0), [0u32; 0]);
        assert_eq!(stratified_folds(&[0, 1], &[1, 2], 0, 0), [0, 0]);
        let mut folds = stratified_folds(&[0; 3], &[1, 2, 3], 3, 0);
        folds.sort_unstable();
        assert_eq!(folds, [0, 1, 2]);
    }
}
