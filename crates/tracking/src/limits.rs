//! What names may be: MLflow's limits, so that everything stored here can be sent there. Values are kept whole here,
//! and cut where they are sent.

use crate::Error;

/// The most characters of a parameter's value that MLflow keeps.
pub const PARAM_VALUE_LIMIT: usize = 6000;
/// The most characters of a tag's value that MLflow keeps.
pub const TAG_VALUE_LIMIT: usize = 8000;

/// Names a field that has limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The id of a run.
    Run,
    /// The name of an experiment.
    Experiment,
    /// The name of a parameter.
    ParamKey,
    /// The name of a metric.
    MetricKey,
    /// The name of a tag.
    TagKey,
    /// The path of an artifact inside its run.
    ArtifactPath,
    /// The name of a registered model.
    ModelName,
    /// The alias of a model version.
    Alias,
}

impl Field {
    /// Returns the field in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run id",
            Self::Experiment => "experiment name",
            Self::ParamKey => "parameter name",
            Self::MetricKey => "metric name",
            Self::TagKey => "tag name",
            Self::ArtifactPath => "artifact path",
            Self::ModelName => "model name",
            Self::Alias => "alias",
        }
    }

    /// Returns what a text in the field must be.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Run => "1 to 256 letters, digits, `_` or `-`, the first a letter or digit",
            Self::Experiment => "1 to 500 characters",
            Self::ParamKey | Self::MetricKey | Self::TagKey => {
                "1 to 250 letters, digits, blanks or `_ - . : /`, and no empty, `.` or `..` part between slashes"
            }
            Self::ArtifactPath => "a relative path of parts between single `/`, none of them `.` or `..`",
            Self::ModelName => "1 to 250 characters without `/`, `:`, `@`",
            Self::Alias => "1 to 255 letters, digits, `_` or `-`, and neither `latest`, a number, nor `v` and a number",
        }
    }

    fn allows(self, text: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = text.chars().count();
        let parts = || text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        match self {
            Self::Run => {
                (1..=256).contains(&length)
                    && text.chars().all(word)
                    && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            }
            Self::Experiment => (1..=500).contains(&length) && !text.trim().is_empty(),
            Self::ParamKey | Self::MetricKey | Self::TagKey => {
                // MLflow counts any letter of any script as alphanumeric.
                let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
                (1..=250).contains(&length) && text.chars().all(fits) && parts()
            }
            Self::ArtifactPath => (1..=1000).contains(&length) && parts() && !text.contains(['\\', '\0']),
            Self::ModelName => {
                (1..=250).contains(&length)
                    && text.trim() == text
                    && !text.contains(['/', ':', '@'])
                    && !text.contains(char::is_control)
            }
            Self::Alias => {
                let number = text.strip_prefix(['v', 'V']).unwrap_or(text);
                (1..=255).contains(&length)
                    && text.chars().all(word)
                    && !text.eq_ignore_ascii_case("latest")
                    && (number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()))
            }
        }
    }
}

/// Refuses a text that the field does not allow.
pub(crate) fn check(field: Field, text: &str) -> Result<(), Error> {
    if field.allows(text) { Ok(()) } else { Err(Error::Invalid { field, value: text.to_owned() }) }
}

/// Refuses an artifact's path that would leave the run's folder.
pub fn check_artifact_path(path: &str) -> Result<(), Error> {
    check(Field::ArtifactPath, path)
}

/// Says whether a value was cut by [`cut`].
pub(crate) fn is_cut(value: &str) -> bool {
    let mark = value.rsplit_once("… [cut: ").and_then(|(_, mark)| mark.strip_suffix(" characters]"));
    mark.is_some_and(|length| !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Cuts a value to a number of characters and says so in it; gives the whole length of one that was cut.
pub(crate) fn cut(value: &str, limit: usize) -> (String, Option<usize>) {
    let length = value.chars().count();
    if length <= limit {
        return (value.to_owned(), None);
    }
    let mark = format!("… [cut: {length} characters]");
    let kept: String = value.chars().take(limit.saturating_sub(mark.chars().count())).collect();
    (kept + &mark, Some(length))
}
