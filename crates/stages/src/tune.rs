//! What a sampler costs beside the objective: 1,000 trials of ten numbers, in memory.

use std::fs;

use serde_json::json;
use trainyard_tune::{Auto, Direction, Distribution, Parameter, Random, Sampler, Space, State, Study, Tpe, Trial};

use crate::{Told, words_of};

const TRIALS: u64 = 1_000;
const PARAMETERS: usize = 10;
const LAST: u64 = 200;

/// Tells the cpu time of a trial with the sampler of this name, of all trials and of the last 200.
pub(crate) fn measure(sampler: &str) -> Told {
    let mut sampler: Box<dyn Sampler> = match sampler {
        "tpe" => Box::new(Tpe::new(1)),
        "auto" => Box::new(Auto::new(1)),
        "random" => Box::new(Random::new(1)),
        _ => return Err("samplers are tpe, auto and random".to_owned()),
    };
    let distribution = Distribution::float(-5.0, 5.0, false, None).map_err(words_of)?;
    let parameter = |at| Parameter { name: format!("x{at}"), distribution: distribution.clone(), when: None };
    let space = Space::new((0..PARAMETERS).map(parameter).collect()).map_err(words_of)?;
    let mut study = Study { name: "tune".to_owned(), direction: Direction::Minimize, space, trials: Vec::new() };
    let started = cpu_seconds()?;
    let mut before_last = started;
    for number in 0..TRIALS {
        if number == TRIALS - LAST {
            before_last = cpu_seconds()?;
        }
        let values = sampler.suggest(&study, number).ok_or("nothing is left to try")?;
        let loss = values.iter().flatten().map(|x| (x - 1.3) * (x - 1.3)).sum();
        let mut trial = Trial::begun(number, values);
        (trial.state, trial.value) = (State::Complete, Some(loss));
        study.trials.push(trial);
    }
    let ended = cpu_seconds()?;
    Ok(json!({
        "cpu_ms_per_trial": (ended - started) * 1e3 / TRIALS as f64,
        "cpu_ms_per_last_trial": (ended - before_last) * 1e3 / LAST as f64,
        "quality": study.best().and_then(|best| best.value),
    }))
}

/// Reads the cpu time of this thread.
fn cpu_seconds() -> Result<f64, String> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").map_err(words_of)?;
    let nanoseconds = told.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.map(|nanoseconds| nanoseconds * 1e-9).ok_or_else(|| "no cpu time is told here".to_owned())
}
