//! Folds beside scikit-learn's.

use serde_json::json;
use trainyard_learn::{forward_blocks, stratified_folds};
use trainyard_random::Key;

const SKLEARN: &str = r#"
import numpy
from sklearn.model_selection import GroupKFold, TimeSeriesSplit
answer = {"forward": [], "groups": []}
for rows, folds in data["cases"]:
    blocks = numpy.zeros(rows, int)
    for fold, (train, judged) in enumerate(TimeSeriesSplit(folds).split(numpy.zeros(rows))):
        assert (train < judged.min()).all()
        blocks[judged] = fold + 1
    answer["forward"].append(blocks.tolist())
    groups = data["groups"][:rows]
    folds = GroupKFold(folds).split(groups, groups=groups)
    answer["groups"].append(sorted(len(judged) for _, judged in folds))
"#;

#[test]
fn folds_are_those_of_scikit_learn() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let cases: [(usize, usize); 4] = [(60, 2), (101, 3), (500, 5), (997, 7)];
    let key = Key::new(1, "groups");
    let groups: Vec<u64> = (0..997).map(|row| key.at(row) % 40).collect();
    let theirs = judge.run(SKLEARN, &json!({ "cases": cases, "groups": groups }));
    for (case, (rows, folds)) in cases.into_iter().enumerate() {
        let moments: Vec<i64> = (0..rows as i64).collect();
        assert_eq!(json!(forward_blocks(&moments, folds)), theirs["forward"][case], "{rows} rows, {folds} folds");
        let ours = stratified_folds(&vec![0; rows], &groups[..rows], folds, 1);
        let count = |fold: usize| ours.iter().filter(|of| **of as usize == fold).count();
        let mut sizes: Vec<usize> = (0..folds).map(count).collect();
        sizes.sort_unstable();
        assert_eq!(json!(sizes), theirs["groups"][case], "{rows} rows, {folds} folds");
    }
}
