//! Calibrations as nodes: from scores to probabilities.

use trainyard_features::{Graph, Value};
use trainyard_learn::{Calibrator, IsotonicCalibrator};

use super::estimators::logistic;
use super::graph::{Attribute, Builder, Tensor};
use crate::Calibration;

/// Adds what maps scores of shape `[rows, outputs]` to probabilities in the same places.
pub(super) fn calibrated(calibration: &Calibration, scores: &str, builder: &mut Builder) -> String {
    match calibration {
        Calibration::Binary(calibrator) => mapped(calibrator, scores, builder),
        Calibration::Multiclass(calibrator) => {
            let columns: Vec<String> = calibrator
                .calibrators()
                .iter()
                .enumerate()
                .map(|(class, calibrator)| {
                    let class = builder.tensor(Tensor::Int64(vec![class as i64]), &[1]);
                    let score = builder.add("Gather", &[scores, &class], &[("axis", Attribute::Int(1))]);
                    mapped(calibrator, &score, builder)
                })
                .collect();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let all = builder.add("Concat", &columns, &[("axis", Attribute::Int(1))]);
            shares(&all, calibrator.classes(), builder)
        }
    }
}

/// Divides by the sum of the row; where that is 0, classes are equally likely.
fn shares(values: &str, classes: usize, builder: &mut Builder) -> String {
    let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
    let total = builder.add("ReduceSum", &[values, &axis], &[("keepdims", Attribute::Int(1))]);
    let zero = builder.constant(&Value::Float(0.0));
    let even = builder.constant(&Value::Float(1.0 / classes as f64));
    let is_zero = builder.add("Equal", &[&total, &zero], &[]);
    let divided = builder.add("Div", &[values, &total], &[]);
    builder.add("Where", &[&is_zero, &even, &divided], &[])
}

fn mapped(calibrator: &Calibrator, score: &str, builder: &mut Builder) -> String {
    match calibrator {
        Calibrator::Sigmoid(calibrator) => {
            let slope = builder.constant(&Value::Float(calibrator.slope()));
            let intercept = builder.constant(&Value::Float(calibrator.intercept()));
            let scaled = builder.add("Mul", &[score, &slope], &[]);
            let margin = builder.add("Add", &[&scaled, &intercept], &[]);
            logistic(&margin, builder)
        }
        Calibrator::Isotonic(calibrator) => between_knots(calibrator, score, builder),
    }
}

/// Adds the line between the two knots around a score: `[rows, 1]` is compared with all knots at once.
fn between_knots(calibrator: &IsotonicCalibrator, score: &str, builder: &mut Builder) -> String {
    let (scores, probabilities) = calibrator.knots();
    let last = scores.len() - 1;
    let row = builder.row(scores.to_vec());
    let is_below = builder.add("Less", &[&row, score], &[]);
    let is_below = builder.add("Cast", &[&is_below], &[("to", Attribute::Int(INT64))]);
    let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
    let count = builder.add("ReduceSum", &[&is_below, &axis], &[("keepdims", Attribute::Int(1))]);
    let (zero, one) = (builder.constant(&Value::Integer(0)), builder.constant(&Value::Integer(1)));
    let last = builder.constant(&Value::Integer(last as i64));
    let above = builder.add("Min", &[&count, &last], &[]);
    let before = builder.add("Sub", &[&above, &one], &[]);
    let below = builder.add("Max", &[&before, &zero], &[]);
    let knots = builder.tensor(Tensor::Double(scores.to_vec()), &[scores.len()]);
    let levels = builder.tensor(Tensor::Double(probabilities.to_vec()), &[scores.len()]);
    let [right, left] = [&above, &below].map(|place| builder.add("Gather", &[&knots, place], &[]));
    let [high, low] = [&above, &below].map(|place| builder.add("Gather", &[&levels, place], &[]));
    let half = builder.constant(&Value::Float(0.5));
    let [score_half, left_half, right_half] =
        [score, &left, &right].map(|value| builder.add("Mul", &[value, &half], &[]));
    let run = builder.add("Sub", &[&score_half, &left_half], &[]);
    let width = builder.add("Sub", &[&right_half, &left_half], &[]);
    let share = builder.add("Div", &[&run, &width], &[]);
    let rise = builder.add("Sub", &[&high, &low], &[]);
    let part = builder.add("Mul", &[&rise, &share], &[]);
    let line = builder.add("Add", &[&low, &part], &[]);
    let line = builder.add("Min", &[&line, &high], &[]);
    // At the first knot, at a knot and beyond the last the knot itself stands.
    let is_first = builder.add("Equal", &[&above, &zero], &[]);
    let is_beyond = builder.add("GreaterOrEqual", &[score, &right], &[]);
    let is_knot = builder.add("Or", &[&is_first, &is_beyond], &[]);
    let value = builder.add("Where", &[&is_knot, &high, &line], &[]);
    let is_nan = builder.add("IsNaN", &[score], &[]);
    builder.add("Where", &[&is_nan, score, &value], &[])
}

/// The number of the type int64 in ONNX.
const INT64: i64 = 7;
