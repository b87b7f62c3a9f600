//! What a sampler costs beside the objective: 1,000 trials of ten numbers, in memory or each forced to the disk.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use trainyard_tune::journal::Log;
use trainyard_tune::pruners::Never;
use trainyard_tune::{
    Auto, Direction, Distribution, Ended, Event, Objective, Parameter, Plan, Random, Record, Rule, Sampler, Space,
    State, Study, Tpe, Trial, Watch, run,
};

use crate::{Told, words_of};

const TRIALS: u64 = 1_000;
const PARAMETERS: usize = 10;
const LAST: u64 = 200;

/// Tells the cpu time of a trial with the sampler of this name, of all trials and of the last 200.
pub(crate) fn measure(sampler: &str) -> Told {
    let mut sampler = sampler_of(sampler)?;
    let mut study =
        Study { name: "tune".to_owned(), direction: Direction::Minimize, space: space()?, trials: Vec::new() };
    let started = cpu_seconds()?;
    let mut before_last = started;
    for number in 0..TRIALS {
        if number == TRIALS - LAST {
            before_last = cpu_seconds()?;
        }
        let values = sampler.suggest(&study, number).ok_or("nothing is left to try")?;
        let loss = loss(&values);
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

/// Tells what a trial takes that is in a journal in `folder`, and on the disk, before the next one is chosen.
pub(crate) fn durable(sampler: &str, folder: &Path) -> Told {
    let mut sampler = sampler_of(sampler)?;
    let path = folder.join("study.journal");
    let mut record = Record::new("tune", Direction::Minimize, space()?);
    let (log, text) = Log::begin(&record);
    fs::write(&path, text).map_err(words_of)?;
    let kept = Mutex::new((log, Ok(())));
    let space = record.study.space.clone();
    let hear = |event: Event<'_>| {
        let Event::Ended { trial, rungs } = event else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        kept.0.ended(&space, trial, rungs, &mut text);
        // Opened anew for each trial, as a run does.
        let written = OpenOptions::new().append(true).open(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        if let Err(problem) = written {
            kept.1 = Err(words_of(problem));
        }
    };
    let begun = Instant::now();
    let plan = Plan {
        parallel: 1,
        threads: 1,
        pruner: &Never,
        rules: &[Rule::Trials(TRIALS)],
        elapsed: &|| Duration::ZERO,
        replay: None,
        warm: &[],
        interrupted: &|| false,
        hear: &hear,
    };
    let started = cpu_seconds()?;
    run(&mut record, &mut |study, number| sampler.suggest(study, number), &Bowl, &plan)
        .map_err(|error| error.diagnostic().title)?;
    let (ended, wall) = (cpu_seconds()?, begun.elapsed().as_secs_f64());
    kept.into_inner().unwrap_or_else(PoisonError::into_inner).1?;
    Ok(json!({
        "cpu_ms_per_trial": (ended - started) * 1e3 / TRIALS as f64,
        "wall_ms_per_trial": wall * 1e3 / TRIALS as f64,
        "quality": record.study.best().and_then(|best| best.value),
    }))
}

/// What is minimized, as an objective of one part.
struct Bowl;

impl Objective for Bowl {
    fn parts(&self) -> usize {
        1
    }

    fn evaluate(&self, trial: &Trial, _: usize, _: &Watch<'_>) -> Result<f64, Ended> {
        Ok(loss(&trial.values))
    }
}

fn loss(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().map(|x| (x - 1.3) * (x - 1.3)).sum()
}

fn sampler_of(name: &str) -> Result<Box<dyn Sampler>, String> {
    match name {
        "tpe" => Ok(Box::new(Tpe::new(1))),
        "auto" => Ok(Box::new(Auto::new(1))),
        "random" => Ok(Box::new(Random::new(1))),
        _ => Err("samplers are tpe, auto and random".to_owned()),
    }
}

fn space() -> Result<Space, String> {
    let distribution = Distribution::float(-5.0, 5.0, false, None).map_err(words_of)?;
    let parameter = |at| Parameter { name: format!("x{at}"), distribution: distribution.clone(), when: None };
    Space::new((0..PARAMETERS).map(parameter).collect()).map_err(words_of)
}

/// Reads the cpu time of this thread.
pub(crate) fn cpu_seconds() -> Result<f64, String> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").map_err(words_of)?;
    let nanoseconds = told.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.map(|nanoseconds| nanoseconds * 1e-9).ok_or_else(|| "no cpu time is told here".to_owned())
}
