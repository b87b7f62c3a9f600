//! Values, distributions and spaces as JSON.

use serde_json::{Map, Value as Json, json};

use super::json::{number, parse};
use crate::{Distribution, Parameter, Space, Value, When};

/// Gives a choice as JSON.
pub(super) fn from_value(value: &Value) -> Json {
    value.clone().into()
}

/// Gives the choice that JSON means; none where it is a list, an object or a number that is none.
pub(super) fn to_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => match value.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(value.as_f64()?),
        },
        Json::String(text) if text.starts_with('\0') => return None,
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

/// Gives the attributes of a distribution as Optuna names them.
fn attributes(distribution: &Distribution, high: impl Fn(f64, f64) -> f64) -> (&'static str, Json) {
    match distribution {
        Distribution::Float { low, high: last, log, step } => {
            let high = if step.is_some() { high(*low, *last) } else { *last };
            ("FloatDistribution", json!({"step": step, "low": low, "high": high, "log": log}))
        }
        Distribution::Int { low, high, log, step } => {
            ("IntDistribution", json!({"log": log, "step": step, "low": low, "high": high}))
        }
        Distribution::Categorical { choices } => {
            let choices: Vec<Json> = choices.iter().map(from_value).collect();
            ("CategoricalDistribution", json!({ "choices": choices }))
        }
    }
}

/// Gives a distribution as Optuna keeps it, which is JSON in a string.
pub(super) fn from_distribution(distribution: &Distribution) -> String {
    // Optuna counts steps in decimals and warns where 0.1 + 2 × 0.1 is no 0.3.
    let decimal = |low: f64, high: f64| match format!("{high:.14e}").parse::<f64>() {
        Ok(decimal) if low <= decimal && decimal.is_finite() => decimal,
        _ => high,
    };
    let (name, attributes) = attributes(distribution, decimal);
    json!({"name": name, "attributes": attributes}).to_string()
}

/// Gives the distribution that Optuna means, of this version or an older one.
pub(super) fn to_distribution(text: &str) -> Option<Distribution> {
    let json = parse(text)?;
    let attributes = json.get("attributes").unwrap_or(&json);
    let kind = json.get("name").or_else(|| json.get("type"))?.as_str()?;
    distribution(kind, attributes)
}

fn distribution(kind: &str, attributes: &Json) -> Option<Distribution> {
    let is_log = || attributes.get("log").and_then(Json::as_bool).unwrap_or(false);
    let get = |name: &str| attributes.get(name).filter(|value| !value.is_null());
    let float = |log: bool, step: Option<&Json>| {
        let step = match step {
            Some(step) => Some(number(step)?),
            None => None,
        };
        let made = Distribution::float(number(get("low")?)?, number(get("high")?)?, log, step).ok()?;
        // So small a step that it can't be counted how many there are.
        matches!(made, Distribution::Float { high, .. } if high.is_finite()).then_some(made)
    };
    let int = |log: bool| {
        let whole = |value: &Json| {
            let double = value.as_f64().filter(|value| libm::rint(*value) == *value && value.abs() < 1e15);
            value.as_i64().or(double.map(|value| value as i64))
        };
        let step = if log { 1 } else { get("step").map_or(Some(1), whole)? };
        Distribution::int(whole(get("low")?)?, whole(get("high")?)?, log, step).ok()
    };
    match kind {
        "FloatDistribution" | "float" => float(is_log(), get("step")),
        "UniformDistribution" => float(false, None),
        "LogUniformDistribution" => float(true, None),
        "DiscreteUniformDistribution" => float(false, get("q")),
        "IntDistribution" | "int" => int(is_log()),
        "IntUniformDistribution" => int(false),
        "IntLogUniformDistribution" => int(true),
        "CategoricalDistribution" | "categorical" => {
            let choices: Option<Vec<Value>> = get("choices")?.as_array()?.iter().map(to_value).collect();
            Distribution::categorical(choices?).ok()
        }
        _ => None,
    }
}

/// Gives a space as JSON, from which it comes back whole.
pub(super) fn from_space(space: &Space) -> Json {
    let parameters = space.parameters().iter().map(|parameter| {
        let (kind, attributes) = attributes(&parameter.distribution, |_, high| high);
        let mut fields = Map::new();
        fields.insert("name".to_owned(), Json::from(parameter.name.as_str()));
        fields.insert(kind.to_owned(), attributes);
        if let Some(when) = &parameter.when {
            fields.insert("when".to_owned(), json!({"parent": when.parent, "choices": when.choices}));
        }
        Json::Object(fields)
    });
    Json::Array(parameters.collect())
}

/// Gives the space that JSON means.
pub(super) fn to_space(json: &Json) -> Option<Space> {
    let parameters = json.as_array()?.iter().map(|fields| {
        let name = fields.get("name")?.as_str()?.to_owned();
        let kinds = ["FloatDistribution", "IntDistribution", "CategoricalDistribution"];
        let distribution = kinds.into_iter().find_map(|kind| distribution(kind, fields.get(kind)?))?;
        let position = |value: &Json| value.as_u64().and_then(|value| usize::try_from(value).ok());
        let when = match fields.get("when") {
            None => None,
            Some(when) => {
                let choices: Option<Vec<usize>> = when.get("choices")?.as_array()?.iter().map(position).collect();
                Some(When { parent: position(when.get("parent")?)?, choices: choices? })
            }
        };
        Some(Parameter { name, distribution, when })
    });
    Space::new(parameters.collect::<Option<Vec<Parameter>>>()?).ok()
}
