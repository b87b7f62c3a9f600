//! What samplers are measured on: the ten problems of `tpe_reference.json`, and others that no sampler was fitted to.

use libm::{cos, exp, log, log2, log10, pow, sin, sqrt};
use std::f64::consts::{E, PI};
use trainyard_tune::{Direction, Distribution, Parameter, Sampler, Space, State, Study, Trial, Value, Values, When};

/// A space, and a function of its values and of noise.
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    pub(crate) space: Space,
    pub(crate) loss: fn(&[f64]) -> f64,
    /// The width of the noise that a trial's value has.
    pub(crate) noise: f64,
}

fn free(name: &str, distribution: Distribution) -> Parameter {
    Parameter { name: name.to_owned(), distribution, when: None }
}

fn under(name: &str, distribution: Distribution, choices: &[usize]) -> Parameter {
    Parameter { name: name.to_owned(), distribution, when: Some(When { parent: 0, choices: choices.to_vec() }) }
}

fn float(low: f64, high: f64) -> Distribution {
    Distribution::float(low, high, false, None).unwrap()
}

fn orders(low: f64, high: f64) -> Distribution {
    Distribution::float(low, high, true, None).unwrap()
}

fn choice(count: usize) -> Distribution {
    Distribution::categorical((0..count).map(|at| Value::Int(at as i64)).collect()).unwrap()
}

fn boxed(dimensions: usize, low: f64, high: f64) -> Space {
    Space::new((0..dimensions).map(|at| free(&format!("x{at}"), float(low, high))).collect()).unwrap()
}

fn problem(name: &'static str, space: Space, loss: fn(&[f64]) -> f64) -> Problem {
    Problem { name, space, loss, noise: 0.0 }
}

fn square(x: f64) -> f64 {
    x * x
}

fn sphere(p: &[f64]) -> f64 {
    p.iter().map(|x| x * x).sum()
}

fn rosenbrock(p: &[f64]) -> f64 {
    p.windows(2).map(|pair| 100.0 * square(pair[1] - pair[0] * pair[0]) + square(1.0 - pair[0])).sum()
}

fn rastrigin(p: &[f64]) -> f64 {
    10.0 * p.len() as f64 + p.iter().map(|x| x * x - 10.0 * cos(2.0 * PI * x)).sum::<f64>()
}

fn ackley(p: &[f64]) -> f64 {
    let count = p.len() as f64;
    let waves = p.iter().map(|x| cos(2.0 * PI * x)).sum::<f64>() / count;
    -20.0 * exp(-0.2 * sqrt(sphere(p) / count)) - exp(waves) + 20.0 + E
}

fn branin(p: &[f64]) -> f64 {
    let (b, c, t) = (5.1 / (4.0 * PI * PI), 5.0 / PI, 1.0 / (8.0 * PI));
    square(p[1] - b * p[0] * p[0] + c * p[0] - 6.0) + 10.0 * (1.0 - t) * cos(p[0]) + 10.0
}

fn hartmann(p: &[f64]) -> f64 {
    const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const SLOPES: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const PLACES: [[f64; 6]; 4] = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    let hill = |at: usize| {
        let distance: f64 = (0..6).map(|d| SLOPES[at][d] * square(p[d] - 1e-4 * PLACES[at][d])).sum();
        HEIGHTS[at] * exp(-distance)
    };
    -(0..4).map(hill).sum::<f64>()
}

fn mixed(p: &[f64]) -> f64 {
    let learner = p[0] as usize;
    let (rate, depth) = (log10(p[1]), p[3]);
    let best = [-1.3, -2.0, -3.0][learner];
    let deep = if learner == 0 { 0.3 } else { 0.05 };
    [0.0, 0.6, 0.3][learner]
        + square(rate - best) * 0.5
        + square(log10(p[2]) + 2.0) * 0.08
        + square((depth - 6.0) / 4.0) * deep
        + square(log2(p[4]) - 5.0) * 0.05
        + square(p[5] - 0.8) * 4.0
        + 0.1 * (rate - best).abs() * (depth - 6.0).abs() / 6.0
}

fn levy(p: &[f64]) -> f64 {
    let w: Vec<f64> = p.iter().map(|x| 1.0 + (x - 1.0) / 4.0).collect();
    let last = w[w.len() - 1];
    let inner: f64 = w[..w.len() - 1].iter().map(|w| square(w - 1.0) * (1.0 + 10.0 * square(sin(PI * w + 1.0)))).sum();
    square(sin(PI * w[0])) + inner + square(last - 1.0) * (1.0 + square(sin(2.0 * PI * last)))
}

fn griewank(p: &[f64]) -> f64 {
    let waves: f64 = p.iter().enumerate().map(|(at, x)| cos(x / sqrt(at as f64 + 1.0))).product();
    1.0 + sphere(p) / 4000.0 - waves
}

fn styblinski(p: &[f64]) -> f64 {
    0.5 * p.iter().map(|x| pow(*x, 4.0) - 16.0 * x * x + 5.0 * x).sum::<f64>()
}

/// The problems of `tpe_reference.json`, by its names.
pub(crate) fn reference() -> Vec<Problem> {
    let mixture = vec![
        free("learner", choice(3)),
        free("lr", orders(1e-4, 1.0)),
        free("reg", orders(1e-6, 10.0)),
        free("depth", Distribution::int(2, 12, false, 1).unwrap()),
        free("leaves", Distribution::int(4, 512, true, 1).unwrap()),
        free("sub", Distribution::float(0.5, 1.0, false, Some(0.1)).unwrap()),
    ];
    let plane = Space::new(vec![free("x0", float(-5.0, 10.0)), free("x1", float(0.0, 15.0))]).unwrap();
    vec![
        problem("sphere_5d", boxed(5, -5.12, 5.12), sphere),
        problem("rosenbrock_5d", boxed(5, -2.048, 2.048), rosenbrock),
        problem("rastrigin_5d", boxed(5, -5.12, 5.12), rastrigin),
        problem("branin", plane, branin),
        problem("hartmann6", boxed(6, 0.0, 1.0), hartmann),
        problem("ackley_10d", boxed(10, -32.768, 32.768), ackley),
        problem("mixed_catlog", Space::new(mixture).unwrap(), mixed),
        problem("levy_5d", boxed(5, -10.0, 10.0), levy),
        problem("griewank_5d", boxed(5, -600.0, 600.0), griewank),
        problem("styblinski_tang_5d", boxed(5, -5.0, 5.0), styblinski),
    ]
}

/// A plain bowl whose middle is nowhere in particular.
fn shifted(p: &[f64]) -> f64 {
    p.iter().enumerate().map(|(at, x)| square(x - [0.83, 0.12, 0.67, 0.31, 0.94, 0.22][at]) * (1.0 + at as f64)).sum()
}

/// Twenty parameters, of which three matter.
fn few(p: &[f64]) -> f64 {
    square(p[3] - 0.2) * 4.0 + square(p[11] - 0.9) * 2.0 + square(p[3] - p[17]) + 0.01 * p[0]
}

/// Only whole values differ, many points are equal, and one parameter is a cliff.
fn plateau(p: &[f64]) -> f64 {
    let steps = libm::floor(square(p[0] - 7.0) / 4.0) + libm::floor((p[1] - 33.0).abs() / 5.0);
    steps + [2.0, 0.0, 1.0, 4.0][p[2] as usize] + if p[3] > 0.55 { 20.0 } else { square(p[3] - 0.5) }
}

/// Three learners with parameters of their own.
fn conditional(p: &[f64]) -> f64 {
    let shared = square(p[6] - 0.3);
    shared
        + match p[0] as usize {
            0 => 0.3 + square(log10(p[1]) + 2.0) * 0.3 + square((p[2] - 8.0) / 6.0) * 0.2,
            1 => square(log10(p[1]) + 0.5) * 0.4 + square(log10(p[3]) + 3.0) * 0.2 + square(p[4] - 0.7),
            _ => 0.15 + square(log(p[5]) - 1.0) * 0.1,
        }
}

/// A narrow ridge across two parameters in orders of magnitude, as of a learning rate and a number of trees.
fn ridge(p: &[f64]) -> f64 {
    let (rate, trees) = (log10(p[0]), log10(p[1]));
    square(rate + trees - 0.7) * 2.0
        + square(trees - 2.6) * 0.15
        + square(p[2] - 6.0) * 0.01
        + square(log10(p[3])) * 0.02
}

/// As scores of boosting: a broad flat optimum, a cliff where the rate is too high, and noise of the folds.
fn score(p: &[f64]) -> f64 {
    let rate = log10(p[0]);
    let base = 0.15 + 0.01 * square(rate + 1.2) + 0.004 * square((p[1] - 5.0) / 3.0) + 0.003 * square(log10(p[2]));
    let base = base + 0.01 * square(p[3] - 0.8) + 0.002 * (p[4] - 0.6).abs();
    if rate > -0.3 { 0.5 } else { base }
}

/// Problems that `tpe_reference.json` does not have.
pub(crate) fn further() -> Vec<Problem> {
    let pick = vec![
        free("a", Distribution::int(0, 20, false, 1).unwrap()),
        free("b", Distribution::int(0, 100, false, 5).unwrap()),
        free("c", choice(4)),
        free("d", float(0.0, 1.0)),
    ];
    let tree = vec![
        free("learner", choice(3)),
        under("rate", orders(1e-4, 1.0), &[0, 1]),
        under("depth", Distribution::int(1, 16, false, 1).unwrap(), &[0]),
        under("penalty", orders(1e-6, 10.0), &[1]),
        under("share", float(0.1, 1.0), &[1]),
        under("neighbours", Distribution::int(1, 100, true, 1).unwrap(), &[2]),
        free("threshold", float(0.0, 1.0)),
    ];
    let ranges = vec![
        free("rate", orders(1e-4, 1.0)),
        free("trees", orders(10.0, 3000.0)),
        free("depth", Distribution::int(2, 12, false, 1).unwrap()),
        free("penalty", orders(1e-3, 1e3)),
    ];
    let boosting = vec![
        free("rate", orders(1e-3, 1.0)),
        free("depth", Distribution::int(2, 12, false, 1).unwrap()),
        free("penalty", orders(1e-3, 1e2)),
        free("rows", float(0.4, 1.0)),
        free("columns", float(0.3, 1.0)),
    ];
    let boosting = Space::new(boosting).unwrap();
    vec![
        problem("shifted_6d", boxed(6, 0.0, 1.0), shifted),
        Problem { noise: 0.05, ..problem("noisy_6d", boxed(6, 0.0, 1.0), shifted) },
        problem("few_of_20", boxed(20, 0.0, 1.0), few),
        problem("plateau", Space::new(pick).unwrap(), plateau),
        problem("conditional", Space::new(tree).unwrap(), conditional),
        problem("ridge", Space::new(ranges).unwrap(), ridge),
        problem("score", boosting.clone(), score),
        Problem { noise: 0.004, ..problem("noisy_score", boosting, score) },
        problem("levy_15d", boxed(15, -9.0, 11.0), levy),
        Problem { noise: 3.0, ..problem("noisy_rastrigin_3d", boxed(3, -4.0, 6.0), rastrigin) },
    ]
}

/// Makes an empty study of a problem, whose loss is minimised.
pub(crate) fn study(space: &Space) -> Study {
    let name = "problem".to_owned();
    Study { name, direction: Direction::Minimize, space: space.clone(), trials: Vec::new() }
}

/// Gives the numbers of a trial's values; NaN where there is none.
pub(crate) fn numbers(values: &Values) -> Vec<f64> {
    values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// Runs a study and gives, after each trial, the loss without noise of the trial that was best with it.
pub(crate) fn run(problem: &Problem, sampler: &mut dyn Sampler, seed: u64, trials: u64) -> Vec<f64> {
    let mut study = study(&problem.space);
    let mut noise = trainyard_random::Key::new(seed, "test/noise").stream();
    let (mut best, mut seen) = ((f64::INFINITY, f64::INFINITY), Vec::new());
    for number in 0..trials {
        let values = sampler.suggest(&study, number).expect("no sampler here comes to an end");
        assert!(problem.space.contains(&values), "{}: {values:?}", problem.name);
        let loss = (problem.loss)(&numbers(&values));
        // Twelve uniform numbers are nearly normal.
        let normal = (0..12).map(|_| noise.uniform()).sum::<f64>() - 6.0;
        let value = loss + problem.noise * normal;
        if value < best.0 {
            best = (value, loss);
        }
        seen.push(best.1);
        let mut trial = Trial::begun(number, values);
        trial.state = State::Complete;
        trial.value = Some(value);
        study.trials.push(trial);
    }
    seen
}
