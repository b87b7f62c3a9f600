//! Promotion: what becomes of a model that passed its gates.

use crate::Located;
use crate::declare::{
    Decoder, Section, bare, choice, decided, named, number, optional, or_empty, record, required, unless_given,
};
use crate::error::Error;
use crate::metric::{Losses, Metric};
use crate::name::Name;

named! {
    /// The stage of a model version, as MLflow names them.
    pub enum Stage {
        /// No stage.
        None = "None",
        /// Under trial.
        Staging = "Staging",
        /// In use.
        Production = "Production",
        /// Out of use.
        Archived = "Archived",
    }
}

named! {
    /// What it takes to be promoted over the model that is there.
    pub enum When {
        /// Strictly better by the metric.
        Better = "better",
        /// No loss above what `may_lose` allows.
        NotWorse = "not_worse",
    }
}

record! {
    /// When and where to a model is promoted. Without this section models are not compared and not promoted.
    pub struct PromoteSpec {
        /// The stage that a promoted version gets.
        to: Stage = unless_given(bare(choice()), Stage::None),
        /// The alias that a promoted version gets, and under which the model to beat is found.
        alias: Located<String> = required(Name::Alias, "champion"),
        /// The metric of the reference test that decides. Default: roc_auc, in regression rmse.
        metric: Located<String> = decided(Metric),
        /// What it takes.
        when: When = unless_given(bare(choice()), When::Better),
        /// What each metric may lose at most, as an absolute difference.
        may_lose: Vec<(Located<String>, Located<f64>)> = or_empty(Losses),
        /// The p-value that the difference must stay below.
        significant: Option<Located<f64>> = optional(number().above(0.0).below(1.0)),
        /// What the metric must gain at least, as an absolute difference to the better side; with `when: better` alone.
        minimum_gain: Option<Located<f64>> = optional(number().at_least(0.0)),
    }
    check check_promote
}

fn check_promote(promote: &mut PromoteSpec, section: &Section<'_>, decoder: &mut Decoder) {
    if promote.when != When::NotWorse || promote.minimum_gain.is_none() {
        return;
    }
    let [when, gain] = ["when", "minimum_gain"].map(|name| section.entry(name, &[], decoder).map(|(key, _)| key));
    if let (Some(when), Some(gain)) = (when, gain) {
        decoder.errors.push(Error::GainWithoutBetter { gain: gain.origin.clone(), when: when.origin.clone() });
    }
}
