//! The model card: what a reader has to know of a model before using it.

mod judged;

use std::fmt::Write as _;

use trainyard_diagnostics::count;

pub use self::judged::{Judged, card_with};
use crate::report::significant;
use crate::{CalibrationReport, CandidateReport, ChosenBy, Model, NoGraph, OnnxModel, OpenRequest, Trained};

/// Writes the card in Markdown.
pub(crate) fn card(trained: &Trained, request: &OpenRequest<'_>, graph: Result<&OnnxModel, NoGraph>) -> String {
    let model = &trained.model;
    let mut text = format!("# A model of {}\n\nPredicts {}.\n", code(&model.target.column), predicts(trained));
    let validation = request.validation_rows.map(|rows| format!(", {} validation rows", count(rows as u64)));
    _ = write!(
        text,
        "\n## Data\n\n{} training rows{}. Which versions of split, features and models they are of is told by the run that \
         made it.\n\nIt reads {} columns and makes {} features of them.\n\n| Column | Type |\n|---|---|\n",
        count(request.train.num_rows() as u64),
        validation.unwrap_or_default(),
        count(model.inputs().len() as u64),
        count(model.features.names().len() as u64),
    );
    for (name, kind) in model.inputs() {
        _ = writeln!(text, "| {} | {kind} |", code(&name));
    }
    _ = write!(
        text,
        "\n## Estimator\n\n`{}`, with these parameters:\n\n| Parameter | Value |\n|---|---|\n",
        model.estimator_name
    );
    for (name, value) in &model.parameters {
        _ = writeln!(text, "| {} | {} |", code(name), code(value));
    }
    if let Some(report) = request.calibration {
        text.push_str(&calibration(model, report));
    }
    text.push_str(&metrics(trained, request));
    text.push_str(&limits(trained, graph));
    text
}

fn predicts(trained: &Trained) -> String {
    let target = &trained.model.target;
    match (target.positive(), &target.classes) {
        (Some(positive), Some(classes)) => format!(
            "whether {} is {} or {}: the probability of {}, which is the prediction from {} on",
            code(&target.column),
            code(classes.first().map_or("", String::as_str)),
            code(positive),
            code(positive),
            trained.model.threshold
        ),
        (_, Some(classes)) => {
            let classes: Vec<String> = classes.iter().map(|class| code(class)).collect();
            format!(
                "which class {} is, by the greatest of their probabilities: {}",
                code(&target.column),
                classes.join(", ")
            )
        }
        (_, None) => format!("the number {}", code(&target.column)),
    }
}

/// Tells what maps scores to probabilities, and where the threshold is from.
fn calibration(model: &Model, report: &CalibrationReport) -> String {
    let mut text = "\n## Calibration and threshold\n\n".to_owned();
    let on = |rows: &Option<String>| match rows.as_deref() {
        Some("validation") => "the validation rows",
        _ => "training rows outside of their folds",
    };
    match &model.calibration {
        Some(calibration) => {
            _ = write!(
                text,
                "Scores are mapped to probabilities {}, fitted to {} ({}).",
                calibration.words(),
                on(&report.rows),
                count(report.count as u64)
            );
        }
        None => text.push_str("Probabilities are the estimator's own."),
    }
    if let Some((before, after)) = report.before.zip(report.after) {
        _ = write!(
            text,
            " On these rows the Brier score went from {} to {} and the log loss from {} to {}, which flatters.",
            number(before.brier),
            number(after.brier),
            number(before.log_loss),
            number(after.log_loss)
        );
    }
    if let (Some(rule), Some([precision, recall, f1])) = (&report.rule, report.at_threshold) {
        _ = write!(
            text,
            " The threshold follows the rule `{rule}` on {}: precision {}, recall {}, F1 {} there.",
            on(&report.threshold_rows),
            number(precision),
            number(recall),
            number(f1)
        );
    }
    text.push_str(
        "\n\nThe metrics below are those of the candidates as they were trained: before the calibration, at the ",
    );
    text.push_str("threshold of the spec, 0.5 where it is a rule.\n");
    text
}

/// Tells how the candidates did where they were chosen.
fn metrics(trained: &Trained, request: &OpenRequest<'_>) -> String {
    let report = &trained.report;
    let how = match report.chosen_by {
        ChosenBy::OnlyCandidate => "It was the only candidate".to_owned(),
        ChosenBy::Validation => format!("It was chosen by `{}` on the validation rows", report.metric),
        ChosenBy::OutOfFold => {
            format!("It was chosen by `{}` on out-of-fold predictions of the training rows", report.metric)
        }
    };
    let mut text = format!("\n## Metrics\n\n{how}. The baseline is `{}`.\n", request.baseline);
    if let Some(weight) = request.weight {
        _ = write!(text, "\nRows count by their {}, in metrics too.\n", code(weight));
    }
    if let Some(repeats) = report.candidates.iter().find_map(|candidate| candidate.repeats) {
        _ = write!(
            text,
            "\nFolds were made {} times: means and deviations are over {} fits of each candidate, and out-of-fold metrics \
             are the mean of those of each time.\n",
            repeats.repeats, repeats.fits
        );
    }
    for candidate in &report.candidates {
        let chosen = if candidate.name == report.chosen { ", the chosen one" } else { "" };
        _ = write!(text, "\n{} (`{}`){chosen}:\n\n", code(&candidate.name), candidate.estimator);
        text.push_str(&table(candidate));
    }
    text
}

fn table(candidate: &CandidateReport) -> String {
    let mut names: Vec<&String> = candidate.cross_validation.keys().collect();
    names.extend(candidate.out_of_fold.keys().chain(candidate.validation.keys()));
    names.sort();
    names.dedup();
    if names.is_empty() {
        return "Nothing was measured: there are neither folds nor validation rows.\n".to_owned();
    }
    let mut text = "| Metric | Folds, mean ± deviation | Out of fold | Validation |\n|---|---|---|---|\n".to_owned();
    let figure = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |value| number(*value));
    for name in names {
        let folds = candidate.cross_validation.get(name);
        let folds =
            folds.map_or_else(|| "–".to_owned(), |folds| format!("{} ± {}", number(folds.mean), number(folds.std)));
        let (out_of_fold, validation) = (candidate.out_of_fold.get(name), candidate.validation.get(name));
        _ = writeln!(text, "| `{name}` | {folds} | {} | {} |", figure(out_of_fold), figure(validation));
    }
    text
}

fn limits(trained: &Trained, graph: Result<&OnnxModel, NoGraph>) -> String {
    let mut text = "\n## Limits\n\n".to_owned();
    let unseen = "- A category that the training rows did not have counts as rare where some were, else as none.\n\
                  - A row with an infinite feature is refused.\n";
    text.push_str(unseen);
    if !trained.report.candidates.iter().all(|candidate| candidate.converged) {
        text.push_str("- A candidate did not converge within its iterations.\n");
    }
    let graph = match graph {
        Ok(graph) => graph,
        Err(reason) => {
            _ = writeln!(text, "- There is no `model.onnx`: {reason}.");
            return text;
        }
    };
    text.push_str(
        "- `model.onnx` takes text as strings, empty where missing, and all else as doubles, NaN where missing. It has no \
         errors: a refused row gets NaN and an empty label, integers that overflow wrap around, and `//` and `%` by zero \
         give a missing value.\n",
    );
    let ready_made = || graph.inputs.iter().filter_map(|input| Some((&input.name, input.ready_made()?)));
    if ready_made().next().is_none() {
        text.push_str("- `model.onnx` takes the raw columns and nothing else.\n");
    }
    for (name, why) in ready_made() {
        _ = writeln!(
            text,
            "- `model.onnx` takes {} ready-made: {why} has no translation. `trainyard predict` computes it.",
            code(name)
        );
    }
    text
}

/// Writes a number with six significant digits.
fn number(value: f64) -> String {
    significant(value, 6)
}

/// Writes a name as code in a table: nothing in it is taken for Markdown.
fn code(text: &str) -> String {
    let plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let plain = plain.replace('|', "\\|");
    if plain.contains('`') { format!("`` {plain} ``") } else { format!("`{plain}`") }
}
