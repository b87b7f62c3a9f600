//! How good samplers are beside Optuna's, by `tpe_reference.json`: ten problems, 30 seeds, 100 trials.

use serde_json::Value as Json;
use trainyard_tune::{Auto, Sampler, Tpe};

use crate::problems;

const TRIALS: u64 = 100;
const SEEDS: u64 = 30;
/// How unlikely chance must be before one is called better than the other.
const LEVEL: f64 = 0.01;

/// The chance, if both are drawn alike, that `less` lies so far below `more` (Mann and Whitney, normal, with ties).
fn chance_that_less(less: &[f64], more: &[f64]) -> f64 {
    let (n, m) = (less.len() as f64, more.len() as f64);
    let mut all: Vec<f64> = less.iter().chain(more).copied().collect();
    all.sort_by(f64::total_cmp);
    let ties: f64 = all.chunk_by(|one, other| one == other).map(|tie| tie.len() as f64).map(|t| t * t * t - t).sum();
    let wins = |&one: &f64| {
        more.iter()
            .map(|&other| {
                if one < other {
                    1.0
                } else if one == other {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    let won: f64 = less.iter().map(wins).sum();
    let variance = n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0)));
    if variance <= 1e-9 {
        // All are equal.
        return 1.0;
    }
    let z = (won - n * m / 2.0 - 0.5) / libm::sqrt(variance);
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// Says which of the chances remain below the level when all are judged together (Holm).
fn judged(chances: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|&one, &other| chances[one].total_cmp(&chances[other]));
    let mut is_certain = vec![false; chances.len()];
    for (rank, &at) in order.iter().enumerate() {
        if chances[at] * (chances.len() - rank) as f64 >= LEVEL {
            break;
        }
        is_certain[at] = true;
    }
    is_certain
}

/// The names of the problems on which a sampler is better than Optuna's TPE, and of those on which it is worse.
fn compare(make: impl Fn(u64) -> Box<dyn Sampler>, seeds: u64) -> Option<(Vec<&'static str>, Vec<&'static str>)> {
    let path = trainyard_judges::shared("conformance/tpe_reference.json")?;
    let reference: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut names, mut better, mut worse) = (Vec::new(), Vec::new(), Vec::new());
    for problem in problems::reference() {
        let theirs = &reference["problems"][problem.name]["samplers"]["tpe_default"]["best_per_seed"];
        let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(|best| best.as_f64().unwrap()).collect();
        let best = |seed| *problems::run(&problem, make(seed).as_mut(), seed, TRIALS).last().unwrap();
        let ours: Vec<f64> = (0..seeds).map(best).collect();
        names.push(problem.name);
        better.push(chance_that_less(&ours, &theirs));
        worse.push(chance_that_less(&theirs, &ours));
    }
    Some((named(&names, &better), named(&names, &worse)))
}

/// The names whose chances remain below the level.
fn named(names: &[&'static str], chances: &[f64]) -> Vec<&'static str> {
    names.iter().zip(judged(chances)).filter(|(_, is_certain)| *is_certain).map(|(name, _)| *name).collect()
}

#[test]
fn tpe_is_nowhere_worse_than_that_of_optuna() {
    let Some((better, worse)) = compare(|seed| Box::new(Tpe::new(seed)), SEEDS) else { return };
    assert!(worse.is_empty(), "worse on {worse:?}, better on {better:?}");
}

#[test]
fn auto_is_better_on_half_and_nowhere_worse() {
    let seeds = if std::env::var_os("TRAINYARD_LONG").is_some() { SEEDS } else { 8 };
    let Some((better, worse)) = compare(|seed| Box::new(Auto::new(seed)), seeds) else { return };
    assert!(worse.is_empty(), "worse on {worse:?}, better on {better:?}");
    assert!(better.len() >= 5, "better on {better:?} alone");
}

#[test]
fn auto_is_nowhere_worse_than_tpe_on_other_problems() {
    let (seeds, trials) = if std::env::var_os("TRAINYARD_LONG").is_some() { (SEEDS, TRIALS) } else { (8, 50) };
    let (mut names, mut better, mut worse) = (Vec::new(), Vec::new(), Vec::new());
    for problem in problems::further() {
        let best = |sampler: &mut dyn Sampler, seed| *problems::run(&problem, sampler, seed, trials).last().unwrap();
        let auto: Vec<f64> = (0..seeds).map(|seed| best(&mut Auto::new(seed), seed)).collect();
        let tpe: Vec<f64> = (0..seeds).map(|seed| best(&mut Tpe::new(seed), seed)).collect();
        names.push(problem.name);
        better.push(chance_that_less(&auto, &tpe));
        worse.push(chance_that_less(&tpe, &auto));
    }
    let (better, worse) = (named(&names, &better), named(&names, &worse));
    assert!(worse.is_empty(), "worse on {worse:?}, better on {better:?}");
    assert!(better.len() >= 3, "better on {better:?} alone");
}

#[test]
fn the_test_of_ranks_is_that_of_scipy() {
    // scipy.stats.mannwhitneyu([1, 2, 2, 5, 8], [2, 6, 7, 9, 9, 12], alternative="less", method="asymptotic")
    let chance = chance_that_less(&[1.0, 2.0, 2.0, 5.0, 8.0], &[2.0, 6.0, 7.0, 9.0, 9.0, 12.0]);
    assert!((chance - 0.039_671_841_598_857_51).abs() < 1e-12, "{chance}");
    assert_eq!(judged(&[0.004, 0.5, 0.001, 0.02]), [false, false, true, false]);
}
