//! Doubles in JSON, bit for bit: JSON has no infinities and no NaN, so those become text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Number(f64),
    Text(Text),
}

#[derive(Serialize, Deserialize)]
enum Text {
    #[serde(rename = "inf")]
    Infinity,
    #[serde(rename = "-inf")]
    NegativeInfinity,
    #[serde(rename = "nan")]
    NaN,
}

impl Stored {
    fn of(value: f64) -> Stored {
        if value.is_finite() {
            Stored::Number(value)
        } else if value.is_nan() {
            Stored::Text(Text::NaN)
        } else if value > 0.0 {
            Stored::Text(Text::Infinity)
        } else {
            Stored::Text(Text::NegativeInfinity)
        }
    }

    fn value(self) -> f64 {
        match self {
            Stored::Number(value) => value,
            Stored::Text(Text::Infinity) => f64::INFINITY,
            Stored::Text(Text::NegativeInfinity) => f64::NEG_INFINITY,
            Stored::Text(Text::NaN) => f64::NAN,
        }
    }
}

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Stored::of(*value).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Stored::deserialize(deserializer).map(Stored::value)
}

/// The same for a number that may be absent.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Stored};

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Stored::of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Stored>::deserialize(deserializer)?.map(Stored::value))
    }
}
