//! The files of a new project.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::DataType;
use trainyard_spec::Task;

use super::guess::{Column, Missing};

/// A text column with more distinct values than this is left out of the first features.
const MOST_CATEGORIES: usize = 50;

/// Writes the first features, and says which columns they leave out.
pub(super) fn feature_file(columns: &[Column], target: &str, key: Option<&str>) -> (String, BTreeMap<String, String>) {
    let (mut numeric, mut categorical, mut left_out) = (Vec::new(), Vec::new(), BTreeMap::new());
    for column in columns.iter().filter(|column| column.name != target && Some(column.name.as_str()) != key) {
        let reason = match (&column.kind, column.distinct.len()) {
            (_, 0) => "it is empty",
            (_, 1) if column.missing == 0 => "it never changes",
            _ if column.is_unique() && (column.is_named_as_key() || column.counts_rows()) => {
                "it tells rows apart, as a key does"
            }
            (DataType::Int64 | DataType::Float64, _) => {
                numeric.push(yaml(&column.name));
                continue;
            }
            (DataType::Boolean, _) => {
                categorical.push(yaml(&column.name));
                continue;
            }
            (DataType::LargeUtf8, distinct) if distinct <= MOST_CATEGORIES => {
                categorical.push(yaml(&column.name));
                continue;
            }
            (DataType::LargeUtf8, _) => "it has too many distinct values for one feature each",
            _ => "derive features from it under `columns`, such as date_part('month', it)",
        };
        left_out.insert(column.name.clone(), reason.to_owned());
    }
    let mut text = String::from(
        "# Features, version 1. Once a run has used this file, write v2.yaml instead of changing it.\n\
         # columns: new columns in SQL over a row's own values, for instance\n\
         #   total: \"quantity * price\"\n\
         #   is_dear: \"price > fitted_median(price)\"      # fitted on training rows only\n\
         groups:\n",
    );
    if !numeric.is_empty() {
        text.push_str(&format!("  - {{numeric: [{}], impute: median, scale: standard}}\n", numeric.join(", ")));
    }
    if !categorical.is_empty() {
        text.push_str(&format!(
            "  - {{categorical: [{}], encode: one_hot, min_frequency: 10}}\n",
            categorical.join(", ")
        ));
    }
    for (name, reason) in &left_out {
        text.push_str(&format!("# left out: {} ({reason})\n", yaml(name)));
    }
    (text, left_out)
}

/// What a new project predicts.
pub(super) struct Predicted<'a> {
    pub(super) column: &'a str,
    pub(super) task: Task,
    pub(super) positive: Option<&'a str>,
    pub(super) drop_missing: bool,
}

/// Writes `trainyard.yaml`.
pub(super) fn project_file(
    name: &str,
    file: &str,
    key: Option<&str>,
    predicted: &Predicted<'_>,
    missing: &[Missing],
) -> String {
    let key = match key {
        Some(key) => format!(
            "  key: {}                     # identifies a row: it keeps its side of the split as the data grows\n",
            yaml(key)
        ),
        None => "  # key: id                   # a column that identifies a row; without one, the whole row does\n"
            .to_owned(),
    };
    let missing = if missing.is_empty() {
        "  # missing: [NA, \"?\"]        # cells that count as missing; blank ones always do\n".to_owned()
    } else {
        let why =
            |word: &Missing| format!("  # {} counts as missing in every column: {}\n", text(&word.cell), word.why());
        let words: Vec<String> = missing.iter().map(|word| text(&word.cell)).collect();
        format!("{}  missing: [{}]\n", missing.iter().map(why).collect::<String>(), words.join(", "))
    };
    let what = match predicted.positive {
        Some(positive) => format!("positive: {}", text(positive)),
        None => format!("task: {}", predicted.task.name()),
    };
    let drop = if predicted.drop_missing { ", missing: drop" } else { "" };
    let target = format!("{{column: {}, {what}{drop}}}", yaml(predicted.column));
    let (metric, gates) = match predicted.task {
        Task::Binary => ("roc_auc", "{roc_auc: 0.5}"),
        Task::Multiclass => ("log_loss", "{roc_auc: 0.5}"),
        Task::Regression => ("rmse", "{r2: 0.0}"),
    };
    format!(
        "# A Trainyard project. `trainyard check` reads everything, `trainyard run` does everything.\n\
         name: {}\n\
         model: {}                    # the name in the registry\n\
         data:\n\
         \x20 source: {}\n\
         {key}\
         \x20 target: {target}\n\
         \x20 # types: {{zip: text}}        # where the inferred type is not the one you mean\n\
         {missing}\
         active: {{split: 1, features: 1, model: 1}}\n\
         gates:                        # what a model must reach on the reference test to be promoted\n\
         \x20 at_least: {gates}\n\
         promote: {{to: Staging, alias: champion, metric: {metric}, when: better}}\n\
         tracking: {{experiment: {}}}\n",
        yaml(name),
        yaml(&format!("{name}-model")),
        yaml(&format!("data/raw/{file}")),
        yaml(name),
    )
}

pub(super) fn split_file(has_classes: bool) -> String {
    format!(
        "# Split, version 1. The first run freezes the reference test; later runs never remake it.\n\
         seed: 42\n\
         stratify: true                # the reference test has the {} of the data\n\
         shares: {{train: 0.6, validation: 0.2, reference_test: 0.2}}\n\
         # optional_tests: {{recent: \"year >= 2024\"}}    # parts of the reference test that are judged on their own\n",
        if has_classes { "classes' shares" } else { "target's spread" }
    )
}

pub(super) fn model_file(has_classes: bool) -> String {
    let linear = if has_classes { "logistic_regression" } else { "ridge" };
    format!(
        "# Models, version 1. The candidate that is best on the validation rows goes on.\n\
         seed: 0\n\
         baseline: {{{linear}: {{}}}}\n\
         candidates:\n\
         \x20 {linear}: {{}}\n\
         \x20 gradient_boosting: {{n_estimators: 100, learning_rate: 0.1, max_leaf_nodes: 31}}\n\
         cross_validation: {{folds: 5}}\n"
    )
}

pub(super) const ENVIRONMENT: &str = "\
# What differs from trainyard.yaml when `--env production` or TRAINYARD_ENV=production is given.
promote: {to: Production}
";

/// Writes a word for YAML, quoted only where it must be.
fn yaml(word: &str) -> String {
    let reserved: BTreeSet<&str> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"].into();
    let plain = !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c))
        && word.chars().next().is_some_and(char::is_alphabetic)
        && !reserved.contains(word.to_lowercase().as_str());
    if plain { word.to_owned() } else { text(word) }
}

fn text(word: &str) -> String {
    let quoted = serde_json::Value::from(word).to_string();
    // JSON lets stand what YAML takes for the end of a line or refuses.
    let escaped = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04x}", u32::from(c))
        }
        c => c.to_string(),
    };
    quoted.chars().map(escaped).collect()
}

pub(super) fn plain_name(name: &str) -> String {
    let cleaned: String = name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let cleaned = cleaned.trim_matches('-').to_owned();
    if cleaned.is_empty() { "project".to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::{plain_name, text, yaml};

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        for word in ["2024", "no", "On", "_x", "", "-", "~", "null", "a: b", "a #b", "it's", " a", "1e5", "a\"b"] {
            assert!(yaml(word).starts_with('"'), "{word}");
        }
        assert_eq!(yaml("customerID"), "customerID");
        assert_eq!(yaml("Größe"), "Größe");
        assert_eq!(text("a\u{2028}\u{85}"), "\"a\\u2028\\u0085\"");
        assert_eq!((plain_name("-a b"), plain_name("?")), ("a-b".to_owned(), "project".to_owned()));
    }
}
