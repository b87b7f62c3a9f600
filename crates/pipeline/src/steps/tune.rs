//! Searches the parameters of candidates, trial by trial, on folds of train.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Digester};
use trainyard_model::pictures::{self, Picture, SearchPicture, SearchSlice};
use trainyard_model::{FoldScorer, SearchFolds, TrainRequest, with_folds};
use trainyard_spec::{EstimatorSpec, Origin, SearchPruner, SearchSampler, TuneSpec, ValidationStrategy, WarmStart};
use trainyard_spec::{metric_higher_is_better, metric_reference};
use trainyard_tracking::Status;
use trainyard_tune::journal;
use trainyard_tune::pruners::{Hyperband, Never, Percentile, Pruner, Race, SuccessiveHalving};
use trainyard_tune::{
    Auto, Direction, Distribution, Event, Grid, Outcome, Paired, Plan, QuasiRandom, Random, Record, Rule, Sampler,
    State, Stopped, StudyError, Tpe, Trial, Warm, importance, paired, run, slices,
};

use super::context::{Context, Mode, count, internal, log_picture, to_json};
use super::kept_search::Kept;
use super::search::{Features, OnFolds, Search, changes_bins, of_json};
use super::telling::Telling;
use super::training::{training_reads, tuning_inputs, with_training};
use super::tuned::{AllFound, Found};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::project::STATE;
use crate::report::figure;

/// The folder of searches, each kept for a month behind its last trial.
pub(crate) const STUDIES: &str = "studies";

/// The file of a run that says what its searches came to.
pub(crate) const REPORT: &str = "tune/report.json";

pub(crate) struct Tune {
    context: Arc<Context>,
    /// The studies that this one learns from, by search, once somebody asked.
    earlier: OnceLock<BTreeMap<String, Earlier>>,
}

/// A study that a search learns from.
#[derive(Clone)]
struct Earlier {
    digest: Digest,
    /// Its text, where it is not in the store.
    text: Option<Arc<[u8]>>,
}

impl Earlier {
    fn stored(digest: Digest) -> Earlier {
        Earlier { digest, text: None }
    }
}

/// Names the file of the run that holds a search.
fn file_of(search: &str) -> String {
    format!("tune/{search}.journal")
}

/// Names the search that a file of the folder `tune` of a run holds, if it holds one.
pub(crate) fn search_of(file: &str) -> Option<&str> {
    file.strip_prefix("tune/").unwrap_or(file).strip_suffix(".journal")
}

impl Tune {
    pub(crate) fn new(context: &Arc<Context>) -> Tune {
        Tune { context: Arc::clone(context), earlier: OnceLock::new() }
    }

    /// Says what can be known to be wrong with the search before anything is written.
    pub(crate) fn check(context: &Arc<Context>) -> Result<(), Failure> {
        let Some(spec) = &context.resolved.model.spec.tune else { return Ok(()) };
        let tune = Tune::new(context);
        let earlier = tune.earlier()?;
        for search in tune.searches()? {
            tune.record(&search)?;
            if let (Some(earlier), Some(warm)) = (earlier.get(&search.name), &spec.warm_start) {
                let point = |problem| warm.origin.point(problem, "this search would learn from it");
                tune.warm(&search, earlier).map_err(|failure| match failure {
                    Failure::Problems(problems) => Failure::Problems(problems.into_iter().map(point).collect()),
                    Failure::Interrupted => Failure::Interrupted,
                })?;
            }
        }
        Ok(())
    }

    fn spec(&self) -> Result<&TuneSpec, Failure> {
        let spec = self.context.resolved.model.spec.tune.as_ref();
        spec.ok_or_else(|| internal("there is nothing to search"))
    }

    fn metric(&self) -> Result<&str, Failure> {
        let metric = self.spec()?.metric.as_ref().unwrap_or(&self.context.resolved.model.spec.metric);
        Ok(metric.value.as_str())
    }

    fn folds(&self) -> Result<usize, Failure> {
        let usual = self.context.resolved.model.spec.cross_validation.folds.max(2);
        Ok(self.spec()?.folds.as_ref().map_or(usual, |folds| folds.value) as usize)
    }

    /// Gives the searches of the spec.
    fn searches(&self) -> Result<Vec<Search<'_>>, Failure> {
        let (spec, model) = (self.spec()?, &self.context.resolved.model.spec);
        let searched = spec.spaces(&model.candidates);
        let features = Features { spec: &self.context.resolved.features.spec, ranges: &spec.features };
        let made = match spec.together {
            true if !searched.is_empty() => vec![Search::together(searched, features)],
            _ => searched.into_iter().map(|searched| Search::of_one(searched, features)).collect(),
        };
        made.into_iter().map(|search| search.map_err(|error| internal(&error.to_string()))).collect()
    }

    /// Finds the studies of the version from which this one starts warm; in a replay those that the run found.
    fn earlier(&self) -> Result<&BTreeMap<String, Earlier>, Failure> {
        if let Some(found) = self.earlier.get() {
            return Ok(found);
        }
        let found = self.look()?;
        Ok(self.earlier.get_or_init(|| found))
    }

    fn look(&self) -> Result<BTreeMap<String, Earlier>, Failure> {
        let Some(warm) = &self.spec()?.warm_start else { return Ok(BTreeMap::new()) };
        if let Some(record) = self.context.recorded("tune") {
            let stored = record.output.facts["earlier"].as_object().into_iter().flatten();
            let earlier = stored
                .filter_map(|(name, digest)| Some((name.clone(), Earlier::stored(digest.as_str()?.parse().ok()?))));
            return Ok(earlier.collect());
        }
        match &warm.value {
            WarmStart::Version(version) => self.version(*version, &warm.origin),
            WarmStart::File(path) => self.file(path, &warm.origin),
        }
    }

    /// Reads an Optuna journal: each search learns from the study of its name, or from the only one.
    fn file(&self, written: &str, origin: &Origin) -> Result<BTreeMap<String, Earlier>, Failure> {
        let path = self.context.root.join(written);
        let point = |problem: Diagnostic| Failure::from(origin.point(problem, "this search would learn from it"));
        let bytes = trainyard_files::read(&*self.context.io, &path).map_err(|error| point(error.diagnostic()))?;
        let text = String::from_utf8_lossy(&bytes);
        let earlier = Earlier { digest: Digest::of(&bytes), text: Some(bytes.as_slice().into()) };
        let mut all = BTreeMap::new();
        for search in self.searches()? {
            study_for(&text, &search.name).map_err(|error| {
                let mut problem = error.diagnostic();
                problem.title.insert_str(0, &format!("{written}: "));
                point(problem)
            })?;
            all.insert(search.name, earlier.clone());
        }
        Ok(all)
    }

    /// Finds the searches of the latest finished run of a model version.
    fn version(&self, version: u32, origin: &Origin) -> Result<BTreeMap<String, Earlier>, Failure> {
        let point = |problem: Diagnostic| Failure::from(origin.point(problem, "this search would learn from it"));
        if version == self.context.resolved.model.version {
            let title = format!("a search of model version {version} cannot learn from itself");
            let help = "name an earlier version, or leave `warm_start` out";
            return Err(point(Diagnostic::error("tune/nothing-earlier", title).help(help)));
        }
        let tracking = &self.context.tracking;
        let experiment = &self.context.resolved.project.tracking.experiment.value;
        let runs = tracking.runs(usize::MAX, None).map_err(|error| error.diagnostic())?;
        let wanted = version.to_string();
        for run in runs {
            let is_over = matches!(run.status, Status::Finished | Status::Refused);
            let is_of = run.params.get("model_version") == Some(&wanted) && run.experiment == *experiment;
            if !is_over || !is_of || run.run == self.context.run {
                continue;
            }
            let files = tracking.folder_digests(&run.run, "tune").map_err(|error| error.diagnostic())?;
            let studies: BTreeMap<String, Earlier> = files
                .into_iter()
                .filter_map(|(file, digest)| Some((search_of(&file)?.to_owned(), Earlier::stored(digest))))
                .collect();
            if studies.is_empty() {
                continue;
            }
            let report = tracking.read_artifact(&run.run, REPORT).map_err(|error| error.diagnostic())?;
            let report: Value = super::context::json(&report)?;
            let (theirs, own) = (report["metric"].as_str().unwrap_or_default(), self.metric()?);
            if theirs != own {
                let title = format!("the search of model version {version} was by {theirs}, and this one is by {own}");
                let help = "search by the same metric, or leave `warm_start` out";
                return Err(point(Diagnostic::error("tune/other-metric", title).help(help)));
            }
            return Ok(studies);
        }
        let title = format!("no finished run of model version {version} has a search");
        let diagnostic = Diagnostic::error("tune/nothing-earlier", title);
        let help = format!("run `trainyard run --model {version}` before, or leave `warm_start` out");
        Err(point(diagnostic.help(help)))
    }

    fn sampler(&self, search: &Search<'_>) -> Result<Box<dyn Sampler>, Failure> {
        // Each search of a version draws other chances.
        let seed = trainyard_random::Key::new(self.context.resolved.model.spec.seed.value, "pipeline/tune");
        let seed = seed.bytes(search.name.as_bytes());
        Ok(match self.spec()?.sampler.value {
            SearchSampler::Auto => Box::new(Auto::new(seed)),
            SearchSampler::Tpe => Box::new(Tpe::new(seed)),
            SearchSampler::Random => Box::new(Random::new(seed)),
            SearchSampler::QuasiRandom => Box::new(QuasiRandom::new(seed)),
            SearchSampler::Grid => Box::new(Grid::new(&search.space).map_err(|error| internal(&error.to_string()))?),
        })
    }

    fn pruner(&self) -> Result<Box<dyn Pruner>, Failure> {
        let metric = self.metric()?;
        let range = metric_reference().iter().find(|known| known.name() == metric).map(|known| known.range());
        let (least, most) = range.unwrap_or_default();
        Ok(match self.spec()?.pruner.value {
            SearchPruner::None => Box::new(Never),
            SearchPruner::Median => Box::new(Percentile::median()),
            SearchPruner::SuccessiveHalving => Box::new(SuccessiveHalving::default()),
            SearchPruner::Hyperband => Box::new(Hyperband::default()),
            SearchPruner::Race => Box::new(Race {
                bound: if direction(metric) == Direction::Maximize { most } else { least },
                ..Race::default()
            }),
        })
    }

    fn rules(&self) -> Result<Vec<Rule>, Failure> {
        let spec = self.spec()?;
        let mut rules = vec![Rule::Trials(u64::from(spec.trials.value))];
        if let Some(seconds) = &spec.max_seconds {
            rules.push(Rule::Time(std::time::Duration::from_secs_f64(seconds.value.min(1e9))));
        }
        if let Some(stop) = &spec.stop {
            let by = stop.by.as_ref().map_or(0.0, |by| by.value);
            let stalled = |trials: &trainyard_spec::Located<u32>| Rule::Stalled { by, within: u64::from(trials.value) };
            rules.extend(stop.no_better_in.as_ref().map(stalled));
            rules.extend(stop.reaches.as_ref().map(|value| Rule::Reached(value.value)));
            let failing = |share: &trainyard_spec::Located<f64>| Rule::Failing { share: share.value, after: 10 };
            rules.extend(stop.failed_share.as_ref().map(failing));
            let regret = stop.no_progress.filter(|asked| *asked).map(|_| Rule::NoProgress { after: 20 });
            rules.extend(regret);
        }
        Ok(rules)
    }

    /// Gives the key under which a search is kept until it has ended.
    fn key(&self, scope: &Scope, search: &Search<'_>) -> Result<String, Failure> {
        let mut digester = Digester::new("trainyard search 1").digest(&self.code()).text(&search.name);
        for input in self.inputs()? {
            digester = digester.text(&input.name).digest(&input.digest);
        }
        for read in self.reads() {
            digester = digester.digest(&scope.digest(read.step, &read.artifact)?);
        }
        Ok(digester.finish().to_string())
    }

    /// Makes a search without trials but those that come first.
    fn record(&self, search: &Search<'_>) -> Result<Record, Failure> {
        let mut record = Record::new(search.name.clone(), direction(self.metric()?), search.space.clone());
        for (candidate, all) in &self.spec()?.enqueue {
            if !search.candidates.iter().any(|one| one.name == candidate.value) {
                continue;
            }
            for values in all {
                let mut chosen: Vec<(String, trainyard_tune::Value)> = values
                    .iter()
                    .map(|(name, value)| (search.parameter(&candidate.value, &name.value), of_json(&value.value)))
                    .collect();
                if search.is_joint {
                    let candidate = trainyard_tune::Value::Text(candidate.value.clone());
                    chosen.push((super::search::CANDIDATE.to_owned(), candidate));
                }
                record
                    .enqueue(&chosen)
                    .map_err(|error| candidate.origin.point(error.diagnostic(), "is tried first"))?;
            }
        }
        Ok(record)
    }

    /// Begins a search, or goes on with what an earlier run left of it.
    fn begin(&self, scope: &Scope, search: &Search<'_>) -> Result<(Record, Option<Kept>), Failure> {
        let record = self.record(search)?;
        if !self.context.is_live() {
            return Ok((record, None));
        }
        let folder = self.context.root.join(STATE).join(STUDIES);
        let path = folder.join(format!("{}.journal", self.key(scope, search)?));
        let (record, kept, warning) = Kept::open(Arc::clone(&self.context.io), &folder, &path, record)?;
        if let Some(warning) = warning {
            scope.warn(warning);
        }
        Ok((record, Some(kept)))
    }

    /// Reads what a search learns from; tells how its space was another.
    fn warm(&self, search: &Search<'_>, earlier: &Earlier) -> Result<(Warm, Vec<String>), Failure> {
        let objects = match &self.context.mode {
            Mode::Replay { objects, .. } => objects,
            Mode::Live => &self.context.objects,
        };
        let bytes = match &earlier.text {
            Some(text) => text.to_vec(),
            None => objects.get(&earlier.digest).map_err(|error| error.diagnostic())?,
        };
        let read = study_for(&String::from_utf8_lossy(&bytes), &search.name).map_err(|error| error.diagnostic())?;
        let known = Warm::from(&read.record.study, direction(self.metric()?), &search.space);
        let differences = read.record.study.differs(&search.space);
        let differences = differences.iter().map(|one| format!("since the earlier search, {one}")).collect();
        Ok((known.map_err(|error| error.diagnostic())?, differences))
    }

    /// Runs one search to its end.
    fn search(
        &self,
        scope: &Scope,
        search: &Search<'_>,
        folds: &FoldScorer<'_>,
        earlier: Option<&Earlier>,
    ) -> Result<(Record, Vec<String>), Failure> {
        let (mut record, kept) = self.begin(scope, search)?;
        let (mut notes, mut warm) = (Vec::new(), Vec::new());
        if let Some(earlier) = earlier {
            if let Some(text) = &earlier.text {
                // A replay will want it.
                scope.store(text)?;
            }
            let (known, differences) = self.warm(search, earlier)?;
            notes.extend(known.words());
            notes.extend(differences);
            warm = known.trials;
        } else if self.spec()?.warm_start.is_some() {
            notes.push(format!("no earlier search is called {}: nothing is learned from one", search.name));
        }
        let (begun, pool) = (Instant::now(), scope.pool()?);
        let (mut sampler, pruner, rules) = (self.sampler(search)?, self.pruner()?, self.rules()?);
        let replay = self.context.recorded("tune").and_then(|record| {
            let stopped = &record.output.facts["searches"][&search.name]["stopped"];
            Some(Stopped { after: stopped["after"].as_u64()?, why: stopped["why"].as_str()?.to_owned() })
        });
        // A search that had stopped when its run died stays as it is.
        let replay = replay.or(record.stopped.clone());
        let most = u64::from(self.spec()?.trials.value);
        let most = search.combinations().filter(|_| self.is_grid()).map_or(most, |count| count.min(most));
        let telling = Telling::new(scope, search, most, &record);
        let before = kept.as_ref().map(Kept::spent).unwrap_or_default();
        let is_timed = self.spec()?.max_seconds.is_some();
        let hear = |event: Event<'_>| {
            if let (Event::Ended { trial, rungs }, Some(kept)) = (&event, &kept) {
                kept.append(&search.space, trial, rungs);
                if is_timed {
                    kept.keep_spent(before + begun.elapsed());
                }
            }
            telling.hear(&event);
        };
        let stop = scope.stop_wish();
        let is_broken = || kept.as_ref().is_some_and(|kept| kept.problem().is_some());
        let plan = Plan {
            parallel: u64::from(self.spec()?.parallel),
            threads: pool.current_num_threads(),
            pruner: &*pruner,
            rules: &rules,
            elapsed: &|| before + begun.elapsed(),
            replay,
            warm: &warm,
            interrupted: &|| stop() || is_broken(),
            hear: &hear,
        };
        let objective =
            OnFolds { search, folds, pool: &pool, is_heard: self.spec()?.pruner.value != SearchPruner::None };
        let outcome = run(&mut record, &mut |study, number| sampler.suggest(study, number), &objective, &plan);
        if let Some(problem) = kept.as_ref().and_then(Kept::problem) {
            return Err(problem.clone().into());
        }
        match outcome.map_err(|error| error.diagnostic())? {
            Outcome::Interrupted => Err(Failure::Interrupted),
            Outcome::Stopped(_) => {
                match &kept {
                    // What failed throughout may have failed for a passing reason: it is tried again.
                    Some(kept) if record.study.best().is_none() => kept.remove(),
                    Some(kept) => kept.end(&record)?,
                    None => {}
                }
                Ok((record, notes))
            }
        }
    }

    fn is_grid(&self) -> bool {
        self.spec().is_ok_and(|spec| spec.sampler.value == SearchSampler::Grid)
    }

    /// Searches on prepared folds and gives what came of it.
    fn searched(&self, scope: &Scope, request: &TrainRequest<'_>) -> Result<Searches, Failure> {
        let model = &self.context.resolved.model.spec;
        let searches = self.searches()?;
        let mut all: Vec<(&str, &EstimatorSpec, bool)> = Vec::new();
        for searched in searches.iter().flat_map(|search| &search.candidates) {
            all.push((searched.name, searched.spec, changes_bins(searched)));
        }
        all.push(("baseline", &model.baseline.value, false));
        let spec = self.spec()?;
        let holdout = spec.validation_strategy == ValidationStrategy::Holdout;
        let (folds, metric, pool) = (self.folds()?, self.metric()?, scope.pool()?);
        let search = SearchFolds { folds, holdout, metric, threads: &pool, candidates: &all };
        let earlier = self.earlier()?;
        scope.progress("preparing the folds", 0, 0);
        let mut failure = None;
        let done = with_folds(request, &search, |folds| {
            let of =
                |fold| folds.score("baseline", &model.baseline.value, None, fold, None, &|_| scope.check().is_ok());
            let baseline = pool.install(|| (0..folds.folds()).map(of).collect::<Result<Vec<f64>, _>>())?;
            let mut records = Vec::new();
            for search in &searches {
                match self.search(scope, search, folds, earlier.get(&search.name)) {
                    Ok((record, notes)) => records.push((search.name.clone(), record, notes)),
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
            Ok((baseline, records))
        });
        scope.check()?;
        let (baseline, records) = done.map_err(|error| self.context.explain(&error, "train"))?;
        match failure {
            Some(failure) => Err(failure),
            None => Ok(Searches { baseline, records }),
        }
    }

    fn output(&self, scope: &Scope, searches: &Searches) -> Result<Output, Failure> {
        let (spec, metric) = (self.spec()?, self.metric()?);
        let mut output = Output::default();
        let mut found = AllFound::default();
        let mut facts = serde_json::Map::new();
        for (made, (name, record, notes)) in self.searches()?.iter().zip(&searches.records) {
            record.best().map_err(|error| error.diagnostic())?;
            // A model version has one set of features: that of the best trial.
            let features = record.study.best().map(|best| made.setting(&best.values).features).unwrap_or_default();
            for searched in &made.candidates {
                if let Some(trial) = best_of(made, record, searched.name, &features) {
                    let found_here = Found {
                        values: made.setting(&trial.values).values.into_iter().collect(),
                        trial: trial.number,
                        value: trial.value.unwrap_or(f64::NAN),
                        folds: trial.parts.clone(),
                    };
                    found.candidates.insert(searched.name.to_owned(), found_here);
                }
            }
            found.features.extend(features);
            let journal = scope.store(journal::write(record).as_bytes())?;
            output.artifacts.insert(format!("study/{name}"), journal);
            output.logged.files.insert(file_of(name), journal);
            log_picture(scope, &mut output, &format!("tune/{name}"), &picture(name, metric, record))?;
            let test = self.against_baseline(record, &searches.baseline)?;
            facts.insert(name.clone(), told(made, record, notes, test.as_ref(), spec.significant));
            if let Some(value) = record.study.best().and_then(|trial| trial.value) {
                output.logged.metrics.push((format!("tune_{name}_{metric}"), 0, value));
            }
            let trials = ended(record) as f64;
            output.logged.metrics.push((format!("tune_{name}_trials"), 0, trials));
        }
        output.artifacts.insert("found".to_owned(), scope.store(&to_json(&found))?);
        let baseline = searches.baseline.iter().sum::<f64>() / searches.baseline.len() as f64;
        output.facts = json!({ "metric": metric, "baseline": baseline, "searches": facts });
        for (name, earlier) in self.earlier()? {
            output.facts["earlier"][name] = earlier.digest.to_string().into();
            output.artifacts.insert(format!("earlier/{name}"), earlier.digest);
        }
        output.logged.files.insert(REPORT.to_owned(), scope.store(&to_json(&output.facts))?);
        let judged = if spec.validation_strategy == ValidationStrategy::Holdout { "holdout" } else { "cv" };
        output.headline = headline(searches, metric, judged);
        Ok(output)
    }

    fn against_baseline(&self, record: &Record, baseline: &[f64]) -> Result<Option<Paired>, Failure> {
        let folds = self.folds()? as f64;
        let best = record.study.best();
        Ok(best.and_then(|best| paired(record.study.direction, &best.parts, baseline, 1.0 / (folds - 1.0))))
    }
}

/// Reads the study of this name, or the only one.
fn study_for(text: &str, name: &str) -> Result<journal::Read, StudyError> {
    journal::read(text, Some(name)).or_else(|error| match error {
        StudyError::UnknownStudy { .. } => journal::read(text, None),
        other => Err(other),
    })
}

/// Draws the trials of a search.
fn picture(name: &str, metric: &str, record: &Record) -> Picture {
    let study = &record.study;
    let important = importance(study, 0);
    let slices: Vec<SearchSlice> = slices(study)
        .into_iter()
        .zip(study.space.parameters())
        .map(|(slice, parameter)| SearchSlice {
            share: important.iter().find(|one| one.name == slice.name).map(|one| one.share),
            log: slice.log,
            choices: match &parameter.distribution {
                Distribution::Categorical { choices } => {
                    choices.iter().enumerate().map(|(place, choice)| (place as f64, choice.to_string())).collect()
                }
                Distribution::Float { .. } | Distribution::Int { .. } => Vec::new(),
            },
            points: slice.points.iter().map(|point| (point.place, point.value)).collect(),
            name: slice.name,
        })
        .collect();
    let finished = study.trials.iter().filter(|trial| trial.state.is_finished());
    let values: Vec<Option<f64>> = finished.map(|trial| trial.value).collect();
    let maximize = study.direction == Direction::Maximize;
    pictures::search(&SearchPicture { name, metric, maximize, values: &values, slices: &slices })
}

/// Gives the best complete trial of a candidate on these features.
fn best_of<'r>(
    search: &Search<'_>,
    record: &'r Record,
    candidate: &str,
    features: &[(String, Value)],
) -> Option<&'r Trial> {
    let study = &record.study;
    let of = |trial: &&Trial| {
        let setting = search.setting(&trial.values);
        trial.state == State::Complete && setting.searched.name == candidate && setting.features == features
    };
    study.trials.iter().filter(of).reduce(|best, trial| {
        let value = |trial: &Trial| trial.value.unwrap_or(f64::NAN);
        if study.direction.is_better(value(trial), value(best)) { trial } else { best }
    })
}

/// Warns of a search whose best trial the folds cannot tell from the baseline.
fn no_better(name: &str, metric: &str, told: &Value) -> Option<Diagnostic> {
    let test = &told["against_baseline"];
    if test["beats"].as_bool()? {
        return None;
    }
    let (gain, p) = (figure(test["gain"].as_f64()?), test["p"].as_f64()?);
    let what = name.replace('_', " ");
    let title = format!("the best trial of {what} is not better than the baseline: {metric} by {gain}, p {p:.3}");
    let help = "widen its ranges or try more; if it stays so, the simpler model is as good";
    Some(Diagnostic::warning("tune/no-better-than-baseline", title).help(help))
}

/// What a search came to, for the report.
fn told(search: &Search<'_>, record: &Record, notes: &[String], test: Option<&Paired>, significant: f64) -> Value {
    let of = |state: State| record.study.trials.iter().filter(|trial| trial.state == state).count();
    let best = record.study.best().map(|trial| {
        let setting = search.setting(&trial.values);
        let (searched, features) = (setting.searched, setting.features);
        let values: serde_json::Map<String, Value> = setting.values.into_iter().collect();
        let features: serde_json::Map<String, Value> = features.into_iter().collect();
        json!({
            "features": features, "trial": trial.number, "value": trial.value, "folds": trial.parts,
            "candidate": searched.name, "values": values,
        })
    });
    let failures: Vec<Value> =
        record.failures().into_iter().map(|(why, count)| json!({ "why": why, "trials": count })).collect();
    let stopped = record.stopped.as_ref().map(|stopped| json!({ "after": stopped.after, "why": stopped.why }));
    let beats = test.map(|test| {
        json!({ "gain": test.gain, "p": test.p, "lower": test.lower, "beats": test.gain > 0.0 && test.p <= significant })
    });
    json!({
        "trials": ended(record), "complete": of(State::Complete), "pruned": of(State::Pruned),
        "failed": of(State::Failed), "failures": failures, "best": best, "stopped": stopped, "against_baseline": beats,
        "notes": notes,
    })
}

/// Gives the number of trials that ended.
fn ended(record: &Record) -> usize {
    record.study.trials.iter().filter(|trial| trial.state.is_finished()).count()
}

fn headline(searches: &Searches, metric: &str, judged: &str) -> (String, String) {
    let trials: usize = searches.records.iter().map(|(_, record, _)| ended(record)).sum();
    let words = |count_of: usize| format!("{} {}", count(count_of), if count_of == 1 { "trial" } else { "trials" });
    let pruned = |record: &Record| record.study.trials.iter().filter(|trial| trial.state == State::Pruned).count();
    let pruned: usize = searches.records.iter().map(|(_, record, _)| pruned(record)).sum();
    let subject = match pruned {
        0 => words(trials),
        _ => format!("{}, {} pruned", words(trials), count(pruned)),
    };
    let best = searches.records.iter().filter_map(|(name, record, _)| {
        let trial = record.study.best()?;
        Some((name, record.study.direction, trial.value?))
    });
    let best = best.reduce(|best, next| if next.1.is_better(next.2, best.2) { next } else { best });
    let result = best.map(|(name, _, value)| match searches.records.len() {
        1 => format!("{judged} {metric} {}", figure(value)),
        _ => format!("{judged} {metric} {} by {}", figure(value), name.replace('_', " ")),
    });
    (subject, result.unwrap_or_default())
}

fn direction(metric: &str) -> Direction {
    match metric_higher_is_better(metric) {
        Some(false) => Direction::Minimize,
        Some(true) | None => Direction::Maximize,
    }
}

/// What all searches of a run gave.
struct Searches {
    /// The metric of the baseline by fold.
    baseline: Vec<f64>,
    /// The searches in order, with what is to be said of them.
    records: Vec<(String, Record, Vec<String>)>,
}

impl Step for Tune {
    fn name(&self) -> &'static str {
        "tune"
    }

    fn reads(&self) -> Vec<Read> {
        training_reads(&self.context)
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["baseline"]
    }

    fn code(&self) -> Digest {
        code::digest("tune", &["model", "tune", "tracking"])
    }

    fn computes(&self) -> bool {
        // Trials have threads of their own, which wait for those that compute.
        false
    }

    fn warnings(&self, output: &Output) -> Vec<Diagnostic> {
        let metric = output.facts["metric"].as_str().unwrap_or_default();
        let searches = output.facts["searches"].as_object().into_iter().flatten();
        searches.filter_map(|(name, told)| no_better(name, metric, told)).collect()
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let mut inputs = tuning_inputs(&self.context, &["calibrate", "explain", "refit"]);
        inputs.extend(
            self.earlier()?.iter().map(|(name, earlier)| Input::new(format!("earlier.{name}"), earlier.digest)),
        );
        Ok(inputs)
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let mut searched = None;
        // What a search says of itself is no error of training.
        let resolved = &self.context.resolved;
        with_training(&self.context, scope, &resolved.model.spec, &resolved.features.spec, |request| {
            searched = Some(self.searched(scope, request));
            Ok(())
        })?;
        let searched = searched.unwrap_or_else(|| Err(internal("the search did not begin")))?;
        self.output(scope, &searched)
    }
}
