//! What fits into one question to a server, and into one of its values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::limits::cut;
use crate::run::not_finite;
use crate::{Metric, PARAM_VALUE_LIMIT, TAG_VALUE_LIMIT};

/// MLflow's limits of one batch: metrics, params, tags, and all of them.
const METRICS: usize = 1000;
const PARAMS: usize = 100;
const TAGS: usize = 100;
const ALL: usize = 1000;
/// The most bytes of one batch; MLflow's limit is 1e6.
const BYTES: usize = 900_000;

/// Divides what is logged into batches that MLflow takes; `last` is a tag of the last one.
pub(crate) fn batches(
    params: &BTreeMap<String, String>,
    metrics: &[Metric],
    tags: &BTreeMap<String, String>,
    last: &(String, String),
) -> Vec<Value> {
    let pair = |key: &str, value: String| json!({ "key": key, "value": value });
    let params: Vec<Value> = params.iter().map(|(key, value)| pair(key, cut(value, PARAM_VALUE_LIMIT).0)).collect();
    let mut tags: Vec<Value> = tags.iter().map(|(key, value)| pair(key, cut(value, TAG_VALUE_LIMIT).0)).collect();
    tags.push(json!({ "key": last.0, "value": last.1 }));
    let metrics = metrics.iter().map(|metric| {
        let value = not_finite(metric.value).map_or_else(|| json!(metric.value), |text| json!(text));
        json!({ "key": metric.key, "value": value, "timestamp": metric.timestamp_ms, "step": metric.step })
    });
    // Tags come last, so that the very last one follows all the rest.
    let all = params.into_iter().map(|param| (Kind::Param, param));
    let all = all.chain(metrics.map(|metric| (Kind::Metric, metric)));
    let all = all.chain(tags.into_iter().map(|tag| (Kind::Tag, tag)));
    let mut batches = vec![Filling::default()];
    for (kind, entry) in all {
        let bytes = entry.to_string().len() + 1;
        if batches.last().is_none_or(|batch| !batch.has_room(kind, bytes)) {
            batches.push(Filling::default());
        }
        if let Some(batch) = batches.last_mut() {
            batch.bytes += bytes;
            batch.of(kind).push(entry);
        }
    }
    batches
        .into_iter()
        .map(|batch| json!({ "params": batch.params, "metrics": batch.metrics, "tags": batch.tags }))
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Param,
    Metric,
    Tag,
}

/// Is a batch that is being filled.
#[derive(Default)]
struct Filling {
    params: Vec<Value>,
    metrics: Vec<Value>,
    tags: Vec<Value>,
    bytes: usize,
}

impl Filling {
    fn of(&mut self, kind: Kind) -> &mut Vec<Value> {
        match kind {
            Kind::Param => &mut self.params,
            Kind::Metric => &mut self.metrics,
            Kind::Tag => &mut self.tags,
        }
    }

    fn has_room(&self, kind: Kind, bytes: usize) -> bool {
        let (length, limit) = match kind {
            Kind::Param => (self.params.len(), PARAMS),
            Kind::Metric => (self.metrics.len(), METRICS),
            Kind::Tag => (self.tags.len(), TAGS),
        };
        let all = self.params.len() + self.metrics.len() + self.tags.len();
        length < limit && all < ALL && self.bytes + bytes <= BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(step: i64, value: f64) -> Metric {
        Metric { key: "loss".to_owned(), value, step, timestamp_ms: 1 }
    }

    #[test]
    fn no_batch_is_over_a_limit_and_nothing_is_left_out() {
        let params: BTreeMap<_, _> = (0..250).map(|at| (format!("p{at}"), "ü".repeat(5999))).collect();
        let tags: BTreeMap<_, _> = (0..205).map(|at| (format!("t{at}"), "x".repeat(7000))).collect();
        let metrics: Vec<_> = (0..3500).map(|step| metric(step, 0.5)).collect();
        let made = batches(&params, &metrics, &tags, &("last".to_owned(), "7".to_owned()));
        let count = |name: &str| made.iter().map(|batch| batch[name].as_array().unwrap().len()).sum::<usize>();
        assert_eq!((count("params"), count("metrics"), count("tags")), (250, 3500, 206));
        for batch in &made {
            let length = |name: &str| batch[name].as_array().unwrap().len();
            assert!(length("params") <= 100 && length("metrics") <= 1000 && length("tags") <= 100);
            assert!(length("params") + length("metrics") + length("tags") <= 1000);
            assert!(batch.to_string().len() < 1_000_000);
        }
        assert_eq!(made.last().unwrap()["tags"].as_array().unwrap().last().unwrap()["key"], "last");
    }

    #[test]
    fn a_long_value_is_cut_openly() {
        let params = BTreeMap::from([("long".to_owned(), "é".repeat(7000)), ("fits".to_owned(), "é".repeat(6000))]);
        let made = batches(&params, &[], &BTreeMap::new(), &("last".to_owned(), String::new()));
        let [fits, long] = made[0]["params"].as_array().unwrap().as_slice() else { panic!("{made:?}") };
        assert_eq!(fits["value"].as_str().unwrap().chars().count(), 6000);
        let long = long["value"].as_str().unwrap();
        assert!(long.ends_with("é… [cut: 7000 characters]"), "{long}");
        assert_eq!(long.chars().count(), 6000);
    }

    #[test]
    fn what_json_has_no_number_for_travels_as_text() {
        let metrics = [metric(0, f64::NAN), metric(1, f64::INFINITY), metric(2, f64::NEG_INFINITY), metric(3, 0.1)];
        let made = batches(&BTreeMap::new(), &metrics, &BTreeMap::new(), &("last".to_owned(), String::new()));
        let values: Vec<&Value> = made[0]["metrics"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
        assert_eq!(values, [&json!("NaN"), &json!("Infinity"), &json!("-Infinity"), &json!(0.1)]);
    }
}
