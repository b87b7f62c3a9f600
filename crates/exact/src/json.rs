//! Doubles in JSON, bit for bit: JSON has no infinities and no NaN, so those become text.
//!
//! For `#[serde(with = "trainyard_exact::json")]` on a double, and the modules below on what holds doubles. The reader
//! of JSON has to round correctly (`serde_json` with `float_roundtrip`). Every NaN reads back as the usual one.

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

/// Writes a double.
///
/// # Errors
/// As the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Stored::of(*value).serialize(serializer)
}

/// Reads a double.
///
/// # Errors
/// Neither a number nor `inf`, `-inf` or `nan`; as the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Stored::deserialize(deserializer).map(Stored::value)
}

/// The same for a double that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Stored};

    /// Writes a double or `null`.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Stored::of).serialize(serializer)
    }

    /// Reads a double or `null`.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Stored>::deserialize(deserializer)?.map(Stored::value))
    }
}

/// The same for a list of doubles.
pub mod list {
    use super::{Deserialize, Deserializer, Serializer, Stored};

    /// Writes doubles.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().copied().map(Stored::of))
    }

    /// Reads doubles.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Stored>::deserialize(deserializer)?.into_iter().map(Stored::value).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Record {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super::option")]
        perhaps: Option<f64>,
        #[serde(with = "super::list")]
        many: Vec<f64>,
    }

    const MANY: [f64; 9] =
        [0.1, -0.0, 5e-324, f64::MAX, 1e23, -2.2250738585072014e-308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

    #[test]
    fn every_bit_comes_back() {
        for (one, perhaps) in MANY.iter().zip([None].into_iter().chain(MANY.map(Some))) {
            let text = serde_json::to_string(&Record { one: *one, perhaps, many: MANY.to_vec() }).expect("JSON");
            let read: Record = serde_json::from_str(&text).expect("JSON");
            assert_eq!(read.one.to_bits(), one.to_bits());
            assert_eq!(read.perhaps.map(f64::to_bits), perhaps.map(f64::to_bits));
            assert_eq!(read.many.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), MANY.map(f64::to_bits));
        }
    }

    #[test]
    fn the_form_is_frozen() {
        let record = Record { one: f64::NAN, perhaps: None, many: vec![1.0, f64::INFINITY, f64::NEG_INFINITY] };
        let text = serde_json::to_string(&record).expect("JSON");
        assert_eq!(text, r#"{"one":"nan","perhaps":null,"many":[1.0,"inf","-inf"]}"#);
        for wrong in ["true", "\"Infinity\"", "\"1\"", "[]"] {
            let text = format!(r#"{{"one":{wrong},"perhaps":null,"many":[]}}"#);
            assert!(serde_json::from_str::<Record>(&text).is_err(), "{wrong}");
        }
    }
}
