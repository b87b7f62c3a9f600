//! The project file.

use std::collections::BTreeMap;

use crate::declare::{
    Decoder, Section, decided, defaulted, integer, optional, or_empty, rec, record, required, sorted_map, text,
    unless_given,
};
use crate::drift::DriftSpec;
use crate::error::Error;
use crate::evaluate::EvaluateSpec;
use crate::gates::{Gates, GatesShape};
use crate::name::Name;
use crate::{DataSpec, Located, PromoteSpec, ValidateSpec, VersioningSpec};
use trainyard_diagnostics::conceal;

record! {
    /// A Trainyard project: what to learn from, which versions to use, what a model must reach, where it goes.
    pub struct Project {
        /// The name of the project.
        name: Located<String> = required(Name::Project, "churn"),
        /// The name under which models are registered. Default: the project's name.
        model: Located<String> = decided(Name::Model),
        /// The table to learn from.
        data: DataSpec = required(rec(), "{source: data/raw/customers.csv, target: {column: Churn, positive: \"Yes\"}}"),
        /// The versions that a run uses.
        active: Active = required(rec(), "{split: 1, features: 1, model: 1}"),
        /// What is expected of the data before anything is built on it. Without this section the data is taken as it is.
        validate: Option<ValidateSpec> = optional(rec()),
        /// Whether the data still is what the model was trained on. Without this section nobody looks.
        drift: Option<DriftSpec> = optional(rec()),
        /// Which data is versioned in DVC's files: `{}` for the split and its reference test. Without this section none is.
        versioning: Option<VersioningSpec> = optional(rec()),
        /// What is measured of a model beside what every report tells: further metrics, and slices of the test sets.
        evaluate: Option<EvaluateSpec> = optional(rec()),
        /// What a model must reach on the reference test.
        gates: Gates = or_empty(GatesShape),
        /// When and where to a model is promoted. Without this section models are not compared and not promoted.
        promote: Option<PromoteSpec> = optional(rec()),
        /// Where runs and models are recorded.
        tracking: TrackingSpec = unless_given(rec(), TrackingSpec::embedded()),
    }
    check check_project
}

record! {
    /// The versions that a run uses; the flags --split, --features and --model choose others.
    pub struct Active {
        /// The version under versions/splits.
        split: Located<u32> = required(version(), "1"),
        /// The version under versions/features.
        features: Located<u32> = required(version(), "1"),
        /// The version under versions/models.
        model: Located<u32> = required(version(), "1"),
    }
}

fn version() -> crate::declare::Integer<u32> {
    integer(1, u64::from(u32::MAX))
}

record! {
    /// Where runs and models are recorded.
    pub struct TrackingSpec {
        /// Empty for the store inside the project, or the http(s) address of an MLflow server.
        uri: Located<String> = defaulted(text().or_empty(), String::new()),
        /// The experiment of the runs. Default: the project's name.
        experiment: Located<String> = decided(text()),
        /// Tags of every run.
        tags: BTreeMap<String, Located<String>> = or_empty(sorted_map(text().or_empty())),
    }
    check check_tracking
}

impl TrackingSpec {
    fn embedded() -> TrackingSpec {
        TrackingSpec {
            uri: Located::of_default(String::new()),
            experiment: Located::of_default(String::new()),
            tags: BTreeMap::new(),
        }
    }
}

fn check_project(project: &mut Project, _: &Section<'_>, decoder: &mut Decoder) {
    let name = &project.name.value;
    for follower in [&mut project.model, &mut project.tracking.experiment] {
        if follower.is_empty() {
            follower.value.clone_from(name);
        }
    }
    take_losses(project.promote.as_mut(), decoder);
}

/// Gives the promotion the limits on losses that were written as gates.
pub(crate) fn take_losses(mut promote: Option<&mut PromoteSpec>, decoder: &mut Decoder) {
    let losses = std::mem::take(&mut decoder.may_lose);
    for (metric, limit) in losses {
        match &mut promote {
            Some(promote) => match promote.may_lose.iter().find(|(other, _)| *other == metric) {
                Some((first, _)) => {
                    let (first, metric_name) = (first.clone(), metric.value.clone());
                    decoder.errors.push(Error::SameThing {
                        key: metric,
                        first,
                        name: format!("may_lose.{metric_name}"),
                    });
                }
                None => promote.may_lose.push((metric, limit)),
            },
            None => {
                let metric_name = metric.value.clone();
                decoder.errors.push(Error::LossWithoutPromotion { key: metric, metric: metric_name });
            }
        }
    }
}

fn check_tracking(tracking: &mut TrackingSpec, _: &Section<'_>, decoder: &mut Decoder) {
    let uri = &tracking.uri.value;
    if !uri.is_empty() && !uri.starts_with("http://") && !uri.starts_with("https://") {
        let spot = crate::Spot { path: "tracking.uri".into(), origin: tracking.uri.origin.clone() };
        let range = "empty for the store inside the project, or an address with http:// or https://".to_owned();
        decoder.errors.push(Error::OutOfRange { spot, value: conceal(uri).into_owned(), range, whose: None });
        return;
    }
    let host = uri.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    if host.contains('@') {
        let spot = crate::Spot { path: "tracking.uri".into(), origin: tracking.uri.origin.clone() };
        let range = "an address that lets nobody in: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or \
                     MLFLOW_TRACKING_TOKEN, say who asks"
            .to_owned();
        // What stands before the host is never shown.
        let shown = uri.rsplit_once('@').map_or(String::new(), |(_, host)| format!("…@{host}"));
        decoder.errors.push(Error::OutOfRange { spot, value: shown, range, whose: None });
    }
}
