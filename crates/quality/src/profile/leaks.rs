//! Columns that alone predict the target too well.

use std::collections::HashMap;
use std::hash::Hash;

use trainyard_exact::sum;

use super::hash::{Mixing, mix};
use super::levels::MOST_LEVELS;
use super::ordered::Meaning;
use super::report::{Predictor, Predictors};

/// From these values on a column is a suspect.
const AUC: f64 = 0.95;
const LAMBDA: f64 = 0.9;
const R_SQUARED: f64 = 0.9;

/// How many parts a sample is cut into, each of which is predicted by the others.
const FOLDS: u64 = 5;

/// Bins of numbers, of equally many rows.
const BINS: usize = 50;

/// Rows below which nothing is said.
const FEWEST: usize = 20;

/// Which rows are looked at: all of a small table, of a large one those whose number has a hash that begins with zeros.
#[derive(Debug)]
pub(super) struct Sample {
    keep: usize,
    zeros: u32,
    rows: Vec<u64>,
}

impl Sample {
    pub(super) fn new(keep: usize) -> Sample {
        Sample { keep, zeros: 0, rows: Vec::new() }
    }

    /// Gives the rows of a piece that are looked at, as places in it.
    pub(super) fn pick(&mut self, before: u64, rows: usize) -> Vec<usize> {
        let zeros = self.zeros;
        let picked: Vec<usize> = (0..rows).filter(|at| mix(before + *at as u64).leading_zeros() >= zeros).collect();
        self.rows.extend(picked.iter().map(|at| before + *at as u64));
        picked
    }

    /// Makes the sample smaller where it is too large: which of its rows are kept.
    pub(super) fn thin(&mut self) -> Option<Vec<bool>> {
        if self.rows.len() <= self.keep {
            return None;
        }
        let all = self.rows.clone();
        while self.rows.len() > self.keep {
            self.zeros += 1;
            let zeros = self.zeros;
            self.rows.retain(|row| mix(*row).leading_zeros() >= zeros);
        }
        Some(all.iter().map(|row| mix(*row).leading_zeros() >= self.zeros).collect())
    }

    pub(super) fn is_all(&self) -> bool {
        self.zeros == 0
    }
}

/// The sampled cells of a column.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Keys of numbers, days and points in time; hashes of anything else. Nothing stands for a missing cell.
    pub(super) cells: Vec<Option<u64>>,
}

impl Cells {
    pub(super) fn thin(&mut self, kept: &[bool]) {
        let mut kept = kept.iter();
        self.cells.retain(|_| kept.next().copied().unwrap_or(false));
    }
}

/// What a column is to a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predicting<'a> {
    pub(super) name: &'a str,
    /// What its keys mean; nothing for categories.
    pub(super) meaning: Option<Meaning>,
    pub(super) cells: &'a Cells,
}

/// Says how well each column predicts the target, which has classes unless `number` says what its keys mean.
///
/// A row is predicted by rows of other folds alone, so that a key, which is different in each row, predicts nothing.
///
/// # Errors
/// Why nothing can be said, in words.
pub(super) fn predictors(
    sample: &Sample,
    target: &Cells,
    number: Option<Meaning>,
    columns: &[Predicting<'_>],
) -> Result<Predictors, String> {
    // Beside an infinite target every other is the same.
    let counts = |key: u64| number.is_none_or(|meaning| meaning.number(key).is_finite());
    let known: Vec<usize> = (0..target.cells.len()).filter(|at| target.cells[*at].is_some_and(counts)).collect();
    match known.len() {
        0 => return Err("no row has a value of it".to_owned()),
        few if few < FEWEST => return Err(format!("fewer than {FEWEST} rows have a value of it")),
        _ => {}
    }
    let keys: Vec<u64> = known.iter().filter_map(|at| target.cells[*at]).collect();
    let folds: Vec<u64> = known.iter().map(|at| mix(!sample.rows[*at]) % FOLDS).collect();
    let truth = match number {
        Some(meaning) => Truth::number(keys.iter().map(|key| meaning.number(*key)).collect()),
        None => Truth::classes(&keys),
    }?;
    let (measure, threshold) = truth.measure();
    let mut found: Vec<Predictor> = columns
        .iter()
        .map(|column| {
            let cells: Vec<Option<u64>> = known.iter().map(|at| column.cells.cells[*at]).collect();
            let value = truth.predicted_by(column.meaning, &cells, &folds);
            Predictor { column: column.name.to_owned(), value, suspect: value >= threshold }
        })
        .collect();
    found.sort_by(|a, b| b.value.total_cmp(&a.value));
    Ok(Predictors { measure, threshold, rows: known.len() as u64, sampled: !sample.is_all(), columns: found })
}

/// The target of each row.
#[derive(Debug)]
enum Truth {
    /// Whether a row is of the second one of two classes.
    Two(Vec<bool>),
    /// The class of each row, and how many rows have each.
    Many(Vec<usize>, Vec<u64>),
    Number(Vec<f64>),
}

impl Truth {
    fn classes(keys: &[u64]) -> Result<Truth, String> {
        let mut places: HashMap<u64, usize, Mixing> = HashMap::default();
        let mut counts = Vec::new();
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let place = *places.entry(*key).or_insert(counts.len());
            if place == counts.len() {
                counts.push(0);
            }
            counts[place] += 1;
            rows.push(place);
        }
        match counts.len() {
            0 | 1 => Err("it has one class".to_owned()),
            2 => Ok(Truth::Two(rows.iter().map(|place| *place == 1).collect())),
            many if many > MOST_LEVELS => Err(format!("it has more than {MOST_LEVELS} classes")),
            _ => Ok(Truth::Many(rows, counts)),
        }
    }

    fn number(numbers: Vec<f64>) -> Result<Truth, String> {
        let first = numbers.first().copied();
        if numbers.iter().all(|number| Some(*number) == first) {
            return Err("it is the same in every row".to_owned());
        }
        Ok(Truth::Number(numbers))
    }

    fn measure(&self) -> (&'static str, f64) {
        match self {
            Truth::Two(_) => ("roc_auc", AUC),
            Truth::Many(..) => ("lambda", LAMBDA),
            Truth::Number(_) => ("r_squared", R_SQUARED),
        }
    }

    /// Gives the value of the measure for a column: of the groups that its values or bins make, or of its order.
    fn predicted_by(&self, meaning: Option<Meaning>, cells: &[Option<u64>], folds: &[u64]) -> f64 {
        let groups = match meaning {
            Some(_) => binned(cells),
            None => cells.to_vec(),
        };
        match self {
            Truth::Two(classes) => {
                let rates = rates(&groups, folds, |row| f64::from(u8::from(classes[row])));
                let keys: Vec<(u64, bool)> =
                    rates.iter().zip(classes).map(|(rate, class)| (Meaning::of_float(*rate), *class)).collect();
                let by_rate = auc(keys).unwrap_or(0.5);
                let ordered = || {
                    let pairs = cells.iter().zip(classes);
                    let auc = auc(pairs.filter_map(|(cell, class)| Some(((*cell)?, *class))).collect())?;
                    Some(auc.max(1.0 - auc))
                };
                // The order of a few rows that have a value says little.
                let there = cells.iter().flatten().count();
                let is_enough = meaning.is_some() && there >= FEWEST && 2 * there >= cells.len();
                if is_enough { ordered().unwrap_or(0.5).max(by_rate) } else { by_rate }
            }
            Truth::Many(classes, counts) => {
                let usual = most(counts.iter().copied().enumerate());
                let hits = majorities(&groups, folds, classes, usual);
                let base = counts.iter().copied().max().unwrap_or(0);
                (hits as f64 - base as f64) / (classes.len() as f64 - base as f64)
            }
            Truth::Number(numbers) => {
                let told = rates(&groups, folds, |row| numbers[row]);
                let mean = sum(numbers.iter().copied()) / numbers.len() as f64;
                let left = sum(numbers.iter().zip(&told).map(|(number, told)| (number - told) * (number - told)));
                let all = sum(numbers.iter().map(|number| (number - mean) * (number - mean)));
                let by_bin = 1.0 - left / all;
                let line = meaning.map_or(0.0, |meaning| on_a_line(cells, meaning, numbers));
                let best = if by_bin.is_finite() { by_bin.max(line) } else { line };
                best.max(0.0)
            }
        }
    }
}

/// Gives the class that most rows have, of equally many the first.
fn most(counts: impl Iterator<Item = (usize, u64)>) -> usize {
    counts.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(class, _)| class)
}

/// Puts keys into bins of equally many rows; equal keys are in one bin.
fn binned(cells: &[Option<u64>]) -> Vec<Option<u64>> {
    let mut sorted: Vec<u64> = cells.iter().flatten().copied().collect();
    sorted.sort_unstable();
    let bin = |key: u64| (sorted.partition_point(|other| *other < key) * BINS / sorted.len().max(1)) as u64;
    cells.iter().map(|cell| cell.map(bin)).collect()
}

/// Sums and numbers of a group, in each fold.
type ByFold<T> = [T; FOLDS as usize];

fn grouped<T: Copy + Default>(
    groups: &[Option<u64>],
    folds: &[u64],
    mut add: impl FnMut(&mut T, usize),
) -> HashMap<Group, ByFold<T>, Mixing> {
    let mut all: HashMap<Group, ByFold<T>, Mixing> = HashMap::default();
    for (row, (group, fold)) in groups.iter().zip(folds).enumerate() {
        let of_group = all.entry(Group(*group)).or_insert([T::default(); FOLDS as usize]);
        add(&mut of_group[*fold as usize], row);
    }
    all
}

/// A value of a column; a missing one is a group as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group(Option<u64>);

impl Hash for Group {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.unwrap_or(super::hash::MISSING));
    }
}

/// Gives each row the mean of its group in the other folds, drawn to the mean of all as if by one row of that.
fn rates(groups: &[Option<u64>], folds: &[u64], value: impl Fn(usize) -> f64) -> Vec<f64> {
    let overall = sum((0..groups.len()).map(&value)) / groups.len() as f64;
    let sums = grouped(groups, folds, |(total, count): &mut (f64, f64), row| {
        *total += value(row);
        *count += 1.0;
    });
    let told = |(group, fold): (&Option<u64>, &u64)| {
        let others = sums.get(&Group(*group)).into_iter().flat_map(|of_group| {
            of_group.iter().enumerate().filter(|(other, _)| *other as u64 != *fold).map(|(_, sums)| *sums)
        });
        let (total, count) = others.fold((0.0, 0.0), |(total, count), (sum, rows)| (total + sum, count + rows));
        // A group that the other folds do not have is told exactly the mean of all, whatever its fold.
        if count == 0.0 { overall } else { (total + overall) / (count + 1.0) }
    };
    groups.iter().zip(folds).map(told).collect()
}

/// Counts the rows whose class is that of most rows of their group in the other folds; `usual` is told where there is
/// none.
fn majorities(groups: &[Option<u64>], folds: &[u64], classes: &[usize], usual: usize) -> u64 {
    let counts = {
        let mut all: HashMap<Group, Vec<ByFold<u64>>, Mixing> = HashMap::default();
        for (row, (group, fold)) in groups.iter().zip(folds).enumerate() {
            let of_group = all.entry(Group(*group)).or_default();
            if of_group.len() <= classes[row] {
                of_group.resize(classes[row] + 1, [0; FOLDS as usize]);
            }
            of_group[classes[row]][*fold as usize] += 1;
        }
        all
    };
    let told = |group: &Option<u64>, fold: u64| {
        let of_group = counts.get(&Group(*group)).map(Vec::as_slice).unwrap_or_default();
        let others = of_group.iter().map(|by_fold| by_fold.iter().sum::<u64>() - by_fold[fold as usize]);
        let others: Vec<(usize, u64)> = others.enumerate().filter(|(_, count)| *count > 0).collect();
        if others.is_empty() { usual } else { most(others.into_iter()) }
    };
    let hits = groups.iter().zip(folds).zip(classes).filter(|((group, fold), class)| told(group, **fold) == **class);
    hits.count() as u64
}

/// Gives the area under the ROC curve of keys, ties counted half; nothing where there is one class.
fn auc(mut keys: Vec<(u64, bool)>) -> Option<f64> {
    keys.sort_unstable();
    let (mut below, mut twice) = (0_u128, 0_u128);
    for ties in keys.chunk_by(|a, b| a.0 == b.0) {
        let positive = ties.iter().filter(|(_, class)| *class).count() as u128;
        let negative = ties.len() as u128 - positive;
        twice += positive * (2 * below + negative);
        below += negative;
    }
    let positive = keys.len() as u128 - below;
    (positive > 0 && below > 0).then(|| twice as f64 / 2.0 / (positive as f64 * below as f64))
}

/// Gives the squared correlation of a column's numbers with the target's, over the rows that have one.
fn on_a_line(cells: &[Option<u64>], meaning: Meaning, numbers: &[f64]) -> f64 {
    let pair = |(cell, number): (&Option<u64>, &f64)| Some((meaning.number((*cell)?), *number));
    let pairs: Vec<(f64, f64)> =
        cells.iter().zip(numbers).filter_map(pair).filter(|(value, _)| value.is_finite()).collect();
    // A line through few rows says little of all.
    if pairs.len() < FEWEST || 2 * pairs.len() < cells.len() {
        return 0.0;
    }
    let n = pairs.len() as f64;
    let (x, y) = (sum(pairs.iter().map(|pair| pair.0)) / n, sum(pairs.iter().map(|pair| pair.1)) / n);
    let product = sum(pairs.iter().map(|pair| (pair.0 - x) * (pair.1 - y)));
    let xx = sum(pairs.iter().map(|pair| (pair.0 - x) * (pair.0 - x)));
    let yy = sum(pairs.iter().map(|pair| (pair.1 - y) * (pair.1 - y)));
    let r = product / xx.sqrt() / yy.sqrt();
    if r.is_finite() { (r * r).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        rows: u64,
        target: impl Fn(u64) -> u64,
        meaning: Option<Meaning>,
        cell: impl Fn(u64) -> Option<u64>,
    ) -> f64 {
        let mut sample = Sample::new(usize::MAX);
        sample.pick(0, rows as usize);
        let target = Cells { cells: (0..rows).map(|row| Some(target(row))).collect() };
        let cells = Cells { cells: (0..rows).map(cell).collect() };
        let column = Predicting { name: "x", meaning, cells: &cells };
        predictors(&sample, &target, None, &[column]).unwrap().columns[0].value
    }

    #[test]
    fn areas_count_ties_half() {
        assert_eq!(auc(vec![(1, false), (2, true)]), Some(1.0));
        assert_eq!(auc(vec![(1, false), (1, true), (3, false), (4, true)]), Some(0.625));
        assert_eq!(auc(vec![(7, true), (9, true)]), None);
    }

    #[test]
    fn a_key_predicts_nothing_and_what_knows_the_target_everything() {
        let target = |row: u64| mix(row) % 2;
        // A text that is different in each row, and one that copies the target.
        assert_eq!(told(2000, target, None, |row| Some(mix(row + 7))), 0.5);
        assert_eq!(told(2000, target, None, |row| Some(target(row) + 5)), 1.0);
        // A number in an order that has nothing to do with the target; one that has; one that is missing by it.
        let noise = told(2000, target, Some(Meaning::Integer), |row| Some(mix(row + 7)));
        assert!((0.4..0.6).contains(&noise), "{noise}");
        assert!(told(2000, target, Some(Meaning::Integer), |row| Some(target(row) * 1000 + row % 7)) > 0.999);
        assert_eq!(told(2000, target, Some(Meaning::Integer), |row| (target(row) == 1).then_some(3)), 1.0);
        // One whose ends are of one class and whose middle is of the other: no order shows that, bins do.
        let bent = told(2000, |row| u64::from((500..1500).contains(&row)), Some(Meaning::Integer), Some);
        assert!(bent > 0.95, "{bent}");
    }

    #[test]
    fn an_infinite_value_hides_nothing() {
        let float = |value: f64| Meaning::of_float(value);
        let number = |row: u64| if row == 7 { f64::INFINITY } else { (mix(row) % 1000) as f64 };
        let target = |row: u64| if row == 3 { f64::NEG_INFINITY } else { 2.0 * number(row + 1) };
        let mut sample = Sample::new(usize::MAX);
        sample.pick(0, 500);
        let of = |value: &dyn Fn(u64) -> f64| Cells { cells: (0..500).map(|row| Some(float(value(row)))).collect() };
        let (target, cells) = (of(&target), of(&|row| number(row + 1)));
        let column = Predicting { name: "x", meaning: Some(Meaning::Float), cells: &cells };
        let found = predictors(&sample, &target, Some(Meaning::Float), &[column]).unwrap();
        assert!(found.columns[0].suspect && found.columns[0].value > 0.999, "{found:?}");
        assert_eq!(found.rows, 498);
    }

    #[test]
    fn of_several_classes_the_share_of_errors_that_go_away_is_told() {
        let target = |row: u64| mix(row) % 5;
        assert_eq!(told(2000, target, None, |row| Some(target(row))), 1.0);
        assert!(told(2000, target, None, |row| Some(mix(row + 7))) <= 0.0);
        // Two of five classes are told from each other and from the rest.
        let some = told(2000, target, None, |row| Some(target(row).min(2)));
        assert!((0.4..0.6).contains(&some), "{some}");
    }

    #[test]
    fn a_sample_is_the_same_whatever_the_pieces_and_has_no_more_rows_than_it_may() {
        let drawn = |piece: usize| {
            let mut sample = Sample::new(500);
            for before in (0..20_000_usize).step_by(piece) {
                sample.pick(before as u64, piece.min(20_000 - before));
                sample.thin();
            }
            sample.rows
        };
        let one = drawn(1000);
        assert!((200..=500).contains(&one.len()), "{}", one.len());
        assert_eq!(drawn(64), one);
    }
}
