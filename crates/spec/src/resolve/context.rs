//! What only the whole project tells.

use trainyard_diagnostics::Diagnostic;

use crate::declare::Spot;
use crate::error::Error;
use crate::metric::{self, default_metric};
use crate::resolve::version::next_version;
use crate::tree::{Content, Node};
use crate::{
    Address, Bound, CalibrationRows, DataSpec, EstimatorSpec, FeatureSpec, LightgbmSpec, Located, Lock, Loss,
    ModelSpec, Monotonic, Origin, Part, Project, Refit, SliceSpec, SpecFiles, SplitSpec, TargetSpec, Task,
};

/// Fills the metric of promotion, and refuses metrics of the other task.
pub(crate) fn check_project(project: &mut Project, errors: &mut Vec<Error>) {
    let target = &project.data.target;
    for gate in &project.gates {
        let section = if gate.of_worst_slice { "gates.worst_slice" } else { "gates" };
        let path = format!("{section}.{}.{}", gate.bound.name(), gate.metric.value);
        other_task(&gate.metric, path, target, !gate.of_worst_slice, errors);
    }
    if let Some(promote) = &mut project.promote {
        decide(&mut promote.metric, target);
        other_task(&promote.metric, "promote.metric".to_owned(), target, false, errors);
        for (metric, _) in &promote.may_lose {
            other_task(metric, format!("promote.may_lose.{}", metric.value), target, false, errors);
        }
    }
    let by_default = project.promote.as_ref().map(|promote| promote.metric.value.clone());
    let data = &project.data;
    if let Some(evaluate) = &mut project.evaluate {
        for metric in &evaluate.metrics {
            other_task(metric, "evaluate.metrics".to_owned(), target, false, errors);
        }
        if let Some(slices) = &mut evaluate.slices {
            match by_default {
                Some(metric) if slices.metric.is_empty() => slices.metric.value = metric,
                _ => decide(&mut slices.metric, target),
            }
            other_task(&slices.metric, "evaluate.slices.metric".to_owned(), target, false, errors);
            check_slices(slices, data, errors);
        }
    }
    check_versioning(project, errors);
    let slices = project.evaluate.as_ref().and_then(|evaluate| evaluate.slices.as_ref());
    if let (None, Some(gate)) = (slices, project.gates.iter().find(|gate| gate.of_worst_slice)) {
        errors.push(Error::WorstSliceWithoutSlices { metric: gate.metric.clone() });
    }
}

/// Refuses to version master data that is no single file.
fn check_versioning(project: &Project, errors: &mut Vec<Error>) {
    let Some(master) = project.versioning.as_ref().map(|versioning| &versioning.master) else { return };
    let source = &project.data.source;
    let is_file = matches!(source.address(), Ok(Address::File(path)) if !path.contains(['*', '?']));
    // What is wrong with an address has been told.
    if master.value && !is_file && source.address().is_ok() {
        errors.push(Error::MasterIsNoFile { master: master.origin.clone(), source: source.origin.clone() });
    }
}

/// Refuses to cut the tests by the target, the key or what is left out.
fn check_slices(slices: &SliceSpec, data: &DataSpec, errors: &mut Vec<Error>) {
    let taken = [Some((&data.target.column, "the target")), data.key.as_ref().map(|key| (key, "the key"))];
    for name in &slices.columns {
        let dropped = data.drop.iter().find(|dropped| dropped.value == name.value).map(|first| (first, "dropped"));
        let first = taken.into_iter().flatten().find(|(first, _)| first.value == name.value).or(dropped);
        if let Some((first, first_role)) = first {
            let (name, first) = (name.clone(), first.clone());
            errors.push(Error::ColumnConflict { name, first, second_role: "cut into slices", first_role });
        }
    }
}

/// Fills the metric that chooses a candidate, and refuses metrics and estimators of the other task.
pub(super) fn check_model(project: &Project, model: &mut ModelSpec, errors: &mut Vec<Error>) {
    let target = &project.data.target;
    decide(&mut model.metric, target);
    other_task(&model.metric, "metric".to_owned(), target, false, errors);
    if let Some(task) = target.known_task() {
        errors.extend(model.misfits(task, &target.task_origin()));
    }
    let baseline = &model.baseline;
    let name = Located::new(baseline.name().to_owned(), baseline.origin.clone());
    wrong_estimator(&name, &baseline.value, format!("baseline.{}", name.value), target, errors);
    for (name, spec) in &model.candidates {
        wrong_estimator(name, spec, format!("candidates.{}", name.value), target, errors);
    }
}

fn decide(metric: &mut Located<String>, target: &TargetSpec) {
    if metric.is_empty() {
        metric.value = default_metric(target.known_task()).to_owned();
    }
}

fn other_task(name: &Located<String>, path: String, target: &TargetSpec, measured: bool, errors: &mut Vec<Error>) {
    let Some(task) = target.known_task() else { return };
    errors.extend(metric::of_other_task(name, path, task, &target.task_origin(), measured));
}

fn wrong_estimator(
    name: &Located<String>,
    spec: &EstimatorSpec,
    path: String,
    target: &TargetSpec,
    errors: &mut Vec<Error>,
) {
    let Some(task) = target.known_task() else { return };
    wrong_parameters(spec, &path, task, target, errors);
    if EstimatorSpec::is_for(spec.name(), task.has_classes()) {
        return;
    }
    let of = if task.has_classes() { "regression" } else { "classification" };
    let fits = |name: &&&str| EstimatorSpec::is_for(name, task.has_classes());
    let known = EstimatorSpec::NAMES.iter().filter(fits).map(|name| (*name).to_owned()).collect();
    let spot = Spot { path, origin: name.origin.clone() };
    let (name, because) = (spec.name().to_owned(), target.task_origin());
    errors.push(Error::OtherTask { spot, name, what: "estimator", of, task, because, known });
}

/// Refuses losses and weights of the other task.
fn wrong_parameters(spec: &EstimatorSpec, path: &str, task: Task, target: &TargetSpec, errors: &mut Vec<Error>) {
    let (loss, weight) = match spec {
        EstimatorSpec::GradientBoosting(spec) => (spec.loss.as_ref(), spec.class_weight.as_ref()),
        EstimatorSpec::RandomForest(spec) | EstimatorSpec::ExtraTrees(spec) => (None, spec.class_weight.as_ref()),
        // Of a logistic regression for numbers enough is said.
        EstimatorSpec::LogisticRegression(_)
        | EstimatorSpec::Ridge { .. }
        | EstimatorSpec::Lasso(_)
        | EstimatorSpec::ElasticNet(_)
        | EstimatorSpec::Dummy {} => return,
        EstimatorSpec::Xgboost(_) | EstimatorSpec::Lightgbm(_) => return,
    };
    let of = if task.has_classes() { "regression" } else { "classification" };
    let mut refuse = |key: &str, origin: &Origin, name: &str, what, known: &[&str]| {
        let spot = Spot { path: format!("{path}.{key}"), origin: origin.clone() };
        let (name, because) = (name.to_owned(), target.task_origin());
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        errors.push(Error::OtherTask { spot, name, what, of, task, because, known });
    };
    if let Some(loss) = loss.filter(|loss| (loss.value == Loss::LogLoss) != task.has_classes()) {
        let of_values = ["squared_error", "absolute_error", "quantile", "poisson"];
        let known: &[&str] = if task.has_classes() { &["log_loss"] } else { &of_values };
        refuse("loss", &loss.origin, loss.value.name(), "loss", known);
    }
    if let Some(weight) = weight.filter(|_| !task.has_classes()) {
        refuse("class_weight", &weight.origin, "class_weight", "parameter", &["data.weight for single rows"]);
    }
}

/// Refuses a calibration by rows that the split does not hold out.
pub(super) fn check_calibration(model: &ModelSpec, split: &SplitSpec, errors: &mut Vec<Error>) {
    let rows = model.calibrate.as_ref().map(|calibrate| &calibrate.value.folds);
    if let Some(rows) = rows.filter(|rows| rows.value == CalibrationRows::Validation && !split.has_validation()) {
        errors.push(Error::CalibrationWithoutValidation { rows: rows.origin.clone() });
    }
}

/// Refuses to repeat folds that lie where time put them.
pub(super) fn check_repeats(model: &ModelSpec, split: &SplitSpec, errors: &mut Vec<Error>) {
    let repeats = model.cross_validation.repeats.as_ref().filter(|repeats| repeats.value > 1);
    if let (Some(repeats), Some(time)) = (repeats, &split.by_time) {
        errors.push(Error::RepeatsByTime { repeats: repeats.clone(), by_time: time.column.clone() });
    }
}

/// Refuses a search of features that they do not have.
pub(super) fn check_search(features: &FeatureSpec, model: &ModelSpec, errors: &mut Vec<Error>) {
    if let Some(tune) = &model.tune {
        crate::tune::check_features(tune, features, tune.spaces(&model.candidates).len(), errors);
        for (name, range) in &tune.features {
            for value in range.range.value.ends() {
                // What cannot be set at all is told already.
                let changed = crate::tune::changed(features, &[(&name.value, &value, &range.range.origin)]);
                let Some(changed) = changed.filter(|changed| changed.native_columns().next().is_some()) else {
                    continue;
                };
                if features.native_columns().next().is_none() {
                    check_categories(&changed, model, errors);
                }
            }
        }
    }
}

/// Refuses estimators that cannot split the categories which the features leave to them, and directions of such
/// columns.
pub(super) fn check_categories(features: &FeatureSpec, model: &ModelSpec, errors: &mut Vec<Error>) {
    let Some((column, encode)) = features.native_columns().next() else { return };
    let baseline = Located::new(model.baseline.name().to_owned(), model.baseline.origin.clone());
    let candidates = model.candidates.iter().map(|(name, spec)| (name, spec));
    for (name, spec) in std::iter::once((&baseline, &model.baseline.value)).chain(candidates) {
        if !spec.takes_categories() {
            let (estimator, column, encode) = (spec.name().to_owned(), column.value.clone(), encode.clone());
            errors.push(Error::NativeCategories { name: name.clone(), estimator, column, encode });
        }
        let directions = match spec {
            EstimatorSpec::GradientBoosting(spec) => &spec.monotonic_cst,
            EstimatorSpec::Lightgbm(spec) => &spec.monotone_constraints,
            _ => continue,
        };
        let Some(directions) = directions else { continue };
        for (column, encode) in features.native_columns() {
            let way = directions.get(&column.value).filter(|way| way.value != Monotonic::Free);
            errors.extend(way.map(|way| {
                let (way, column, encode) = (way.origin.clone(), column.value.clone(), encode.clone());
                Error::DirectionOfCategories { way, column, encode }
            }));
        }
    }
}

/// Refuses to split by the target, or by groups of one row each.
pub(super) fn check_split(project: &Project, split: &SplitSpec, errors: &mut Vec<Error>) {
    let data = &project.data;
    let by_time = split.by_time.as_ref().map(|time| (&time.column, "the order of time"));
    let by_group = split.by_group.as_ref().map(|column| (column, "the group"));
    let taken = [Some((&data.target.column, "the target")), data.key.as_ref().map(|key| (key, "the key"))];
    for (name, second_role) in by_group.into_iter().chain(by_time) {
        // A key may well be a moment; a group of one row is none.
        let taken = taken.iter().flatten().take(if second_role == "the group" { 2 } else { 1 });
        for (first, first_role) in taken.filter(|(first, _)| first.value == name.value) {
            let (name, first) = (name.clone(), (*first).clone());
            errors.push(Error::ColumnConflict { name, first, second_role, first_role });
        }
        if let Some(first) = data.drop.iter().find(|dropped| dropped.value == name.value) {
            let (name, first) = (name.clone(), first.clone());
            errors.push(Error::ColumnConflict { name, first, second_role, first_role: "dropped" });
        }
    }
}

/// Refuses another key or target under a split that a run has used: its reference was frozen with the old ones.
pub(super) fn check_split_lock(
    project: &Project,
    tree: &Node,
    version: u32,
    files: &SpecFiles,
    lock: &Lock,
    errors: &mut Vec<Error>,
) {
    let Some(used) = lock.splits.get(&version) else { return };
    let data = match &tree.content {
        Content::Mapping(entries) => entries.iter().find(|(key, _)| key.value == "data").map(|(key, _)| key),
        Content::Scalar(_) | Content::Sequence(_) => None,
    };
    let target = &project.data.target.column;
    let key = project.data.key.as_ref();
    let key_origin = key.map(|key| &key.origin).or(data.map(|data| &data.origin)).unwrap_or(&target.origin);
    let positive = project.data.target.positive.as_ref();
    let positive_origin = positive.map_or(&target.origin, |label| &label.origin);
    let now = [
        ("data.key", used.key.clone(), key.map(|key| key.value.clone()), key_origin),
        ("data.target.column", Some(used.target.clone()), Some(target.value.clone()), &target.origin),
        ("data.target.positive", used.positive.clone(), positive.map(|label| label.value.clone()), positive_origin),
    ];
    for (what, was, is, origin) in now {
        if was != is {
            errors.push(Error::SplitUnder {
                spot: Spot { path: what.to_owned(), origin: origin.clone() },
                what,
                was,
                is,
                version,
                run: used.first_run.clone(),
                next: next_version(Part::Split, &files.splits, lock),
            });
        }
    }
}

/// Finds gates that hold back the better models, a refit on validation rows that there are none of, and parameters that the
/// library does not heed.
pub(super) fn warnings(project: &Project, split: Option<&SplitSpec>, model: Option<&ModelSpec>) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    if let (Some(split), Some(model)) = (split, model)
        && model.refit == Refit::TrainAndValidation
        && !split.has_validation()
    {
        let warning = Diagnostic::warning("spec/refit", "`refit: train_and_validation` has no validation rows to add");
        warnings.push(warning.help("give the split a validation share, or leave `refit` out"));
    }
    if let Some(model) = model {
        let specs = model.candidates.iter().map(|(_, spec)| spec).chain([&model.baseline.value]);
        for spec in specs {
            let EstimatorSpec::Lightgbm(LightgbmSpec { subsample, subsample_freq, .. }) = spec else { continue };
            if subsample.value < 1.0 && subsample_freq.value == 0 {
                let title = "LightGBM draws no rows: `subsample` does nothing without `subsample_freq`";
                let warning = Diagnostic::warning("spec/no-bagging", title);
                let warning = subsample.origin.point(warning, "every tree sees every row");
                warnings.push(warning.help("add `subsample_freq: 1`, or leave `subsample` out"));
            }
        }
    }
    for gate in &project.gates {
        let higher = crate::metric_higher_is_better(&gate.metric).unwrap_or(true);
        let (wrong, right) = match (gate.bound, higher) {
            (Bound::AtLeast, false) => ("less", Bound::AtMost),
            (Bound::AtMost, true) => ("more", Bound::AtLeast),
            _ => continue,
        };
        let metric = &gate.metric.value;
        let title = format!("a gate holds back models whose `{metric}` is better");
        let warning = Diagnostic::warning("spec/gate-direction", title);
        let warning = gate.metric.origin.point(warning, format!("{wrong} `{metric}` is better"));
        warnings.push(warning.help(format!("write it under `{}` if that is what you mean", right.name())));
    }
    warnings
}
