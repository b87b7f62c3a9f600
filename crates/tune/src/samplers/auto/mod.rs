//! Where a loss below the best is to be expected.

mod cube;
mod losses;
mod process;
mod scales;
mod search;
mod triangle;

use trainyard_random::Key;

use self::cube::Cube;
use self::process::{Column, Process};
use self::scales::Scales;
use self::search::{Goal, Search};
use super::history::{History, Rank};
use super::{QuasiRandom, Sampler, Tpe};
use crate::{Study, Trial, Values};

/// Finished trials that the process sees at most: half of them the best, and half the latest others.
const SEEN: usize = 96;
/// From so many finished trials on each third trial is that of `tpe`.
const SHARED: usize = 10;

/// Takes turns between three ways to choose, after a few points that fill the space evenly: where a Gaussian process
/// expects most below the best, where it expects the least loss, and what [`Tpe`] chooses.
///
/// The first finds smooth optima in few trials, the second keeps it from looking elsewhere while the best is not
/// reached, and the third helps where a loss is rough, noisy or full of cliffs, which such a process takes for smooth.
///
/// Expected improvement: D. Jones, M. Schonlau, W. Welch: "Efficient global optimization of expensive black-box
/// functions", 1998.
#[derive(Debug, Clone)]
pub struct Auto {
    key: Key,
    even: QuasiRandom,
    tpe: Tpe,
    fitted: Option<Fitted>,
}

/// The scales that were fitted last, and to what.
#[derive(Debug, Clone)]
struct Fitted {
    columns: Vec<Column>,
    losses: Vec<f64>,
    scales: Scales,
}

impl Auto {
    /// Makes the sampler of a `seed`.
    pub fn new(seed: u64) -> Auto {
        let (even, tpe) = (QuasiRandom::new(seed), Tpe::new(seed));
        Auto { key: Key::new(seed, "tune/auto"), even, tpe, fitted: None }
    }

    /// Fits scales, unless these columns and losses were the last.
    fn scales(&mut self, columns: Vec<Column>, losses: Vec<f64>) -> &Scales {
        let is_known = |fitted: &Fitted| fitted.columns == columns && fitted.losses == losses;
        let fitted = match self.fitted.take().filter(is_known) {
            Some(fitted) => fitted,
            None => Fitted { scales: Scales::fit(&columns, &losses), columns, losses },
        };
        &self.fitted.insert(fitted).scales
    }

    /// Chooses by the process; none where its numbers come to an end.
    fn search(&mut self, study: &Study, number: u64, history: &History<'_>, cube: &Cube<'_>) -> Option<Values> {
        let earlier = seen(&history.finished[..fitted_to(history.finished.len())]);
        let scales = self.scales(columns(cube, trials(&earlier)), losses::standard(&earlier)).clone();
        let seen = seen(&history.finished);
        let all = trials(&seen).chain(history.running.iter().copied());
        let process = Process::new(columns(cube, all), &losses::standard(&seen), &scales)?;
        // Where there are choices, to stay with the wrong one costs most.
        let has_choices = (0..cube.dimensions()).any(|at| cube.is_choice(at));
        let turns = if has_choices { 6 } else { 3 };
        let goal = if number % turns == 1 { Goal::Least } else { Goal::Improvement };
        let points = trials(&seen).map(|trial| cube.point(&trial.values)).collect();
        let mut search = Search::new(&process, cube, points, goal, self.key.derive(number));
        let is_new = |values: &Values| {
            let mut tried = history.finished.iter().map(|(trial, _)| *trial).chain(history.running.iter().copied());
            tried.all(|trial| trial.values != *values)
        };
        let candidates = search.run();
        let mut values = candidates.iter().map(|point| cube.values(point));
        // Where all candidates were tried, `tpe` may say what is tried twice.
        values.find(is_new).or_else(|| self.tpe.suggest(study, number))
    }
}

impl Sampler for Auto {
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values> {
        let history = History::of(study, number);
        let cube = Cube::new(&study.space);
        let finished = history.finished.len();
        let startup = (cube.dimensions() + 2).clamp(4, 10);
        if finished < startup || cube.dimensions() == 0 {
            return self.even.suggest(study, number);
        }
        if number % 3 == 2 && finished >= SHARED {
            return self.tpe.suggest(study, number);
        }
        self.search(study, number, &history, &cube).or_else(|| self.tpe.suggest(study, number))
    }
}

/// Gives to how many of the finished trials scales are fitted: they change little once there are many.
fn fitted_to(finished: usize) -> usize {
    let every = match finished {
        0..20 => 1,
        20..40 => 2,
        40..100 => 5,
        _ => 20,
    };
    finished / every * every
}

/// Gives the finished trials that the process sees, by number.
fn seen<'a>(finished: &[(&'a Trial, Rank)]) -> Vec<(&'a Trial, Rank)> {
    if finished.len() <= SEEN {
        return finished.to_vec();
    }
    let mut order: Vec<usize> = (0..finished.len()).collect();
    order.sort_unstable_by(|&one, &other| finished[one].1.order(&finished[other].1));
    order[SEEN / 2..].sort_unstable_by(|one, other| other.cmp(one));
    order.truncate(SEEN);
    order.sort_unstable();
    order.into_iter().map(|at| finished[at]).collect()
}

fn trials<'a>(seen: &[(&'a Trial, Rank)]) -> impl Iterator<Item = &'a Trial> {
    seen.iter().map(|(trial, _)| *trial)
}

fn columns<'a>(cube: &Cube<'_>, trials: impl Iterator<Item = &'a Trial>) -> Vec<Column> {
    let column = |at| Column { places: Vec::new(), is_choice: cube.is_choice(at) };
    let mut columns: Vec<Column> = (0..cube.dimensions()).map(column).collect();
    for trial in trials {
        for (column, place) in columns.iter_mut().zip(cube.point(&trial.values)) {
            column.places.push(place);
        }
    }
    columns
}
