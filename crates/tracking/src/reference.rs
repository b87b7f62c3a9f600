//! How people point at a model: `name`, `name@alias`, `name/3`, `name/Staging`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use trainyard_spec::Stage;

use crate::Error;
use crate::limits::{Field, check};
use crate::registry::{parse_stage, stage_name};

/// Points at a version of a registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelReference {
    /// The registered model.
    pub model: String,
    /// Which of its versions.
    pub which: Which,
}

/// Says which version of a model is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// `name`: the holder of the alias `champion`, else of the stage Production, else the newest.
    Default,
    /// `name@latest`: the newest.
    Latest,
    /// `name@alias`.
    Alias(String),
    /// `name/3`.
    Version(u32),
    /// `name/Staging`: the holder of the stage; the newest where several are in it.
    Stage(#[serde(serialize_with = "stage_name")] Stage),
}

impl ModelReference {
    /// Points at the holder of an alias.
    pub fn alias(model: &str, alias: &str) -> Self {
        Self { model: model.to_owned(), which: Which::Alias(alias.to_owned()) }
    }

    /// Points at a version.
    pub fn version(model: &str, version: u32) -> Self {
        Self { model: model.to_owned(), which: Which::Version(version) }
    }
}

impl FromStr for ModelReference {
    type Err = Error;

    /// Reads a reference; `models:/` may stand before it, as MLflow writes it.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bare = text.strip_prefix("models:/").unwrap_or(text);
        let (model, which) = match bare.find(['@', '/']) {
            None => (bare, Which::Default),
            Some(place) => {
                let (model, rest) = bare.split_at(place);
                let by_alias = rest.starts_with('@');
                let rest = rest.get(1..).unwrap_or_default();
                let which = if rest == "latest" {
                    Which::Latest
                } else if by_alias {
                    check(Field::Alias, rest)?;
                    Which::Alias(rest.to_owned())
                } else if let Some(stage) = parse_stage(rest) {
                    Which::Stage(stage)
                } else {
                    match rest.strip_prefix('v').unwrap_or(rest).parse() {
                        Ok(version) => Which::Version(version),
                        Err(_) => return Err(Error::BadReference { text: text.to_owned(), part: rest.to_owned() }),
                    }
                };
                (model, which)
            }
        };
        check(Field::ModelName, model)?;
        Ok(Self { model: model.to_owned(), which })
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.model)?;
        match &self.which {
            Which::Default => Ok(()),
            Which::Latest => f.write_str("@latest"),
            Which::Alias(alias) => write!(f, "@{alias}"),
            Which::Version(version) => write!(f, "/{version}"),
            Which::Stage(stage) => write!(f, "/{stage}"),
        }
    }
}
