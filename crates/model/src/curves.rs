//! Curves of a classifier as data, for pictures and for whoever draws their own.

use serde::{Deserialize, Serialize};
use trainyard_exact::sum;
use trainyard_learn::Error;
use trainyard_learn::metrics::{CalibrationBins, calibration_curve, precision_recall, roc};

/// The most points of a curve; of more, that many are kept, spread evenly with both ends.
const POINTS: usize = 500;
/// The bins of the calibration curve.
const BINS: usize = 10;

/// The curves of one class against all others. Numbers that do not exist, and infinite ones, are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The class.
    pub class: String,
    /// `[threshold, false positive rate, true positive rate]`, from the highest threshold down.
    pub roc: Vec<[Option<f64>; 3]>,
    /// `[threshold, precision, recall]`, from the lowest threshold up.
    pub precision_recall: Vec<[Option<f64>; 3]>,
    /// `[share of rows, share of positives among them found, lift]`, rows by falling probability and counting by
    /// weight.
    pub lift: Vec<[Option<f64>; 3]>,
    /// `[mean probability, share of positives, rows]` of ten bins of equal width; empty ones are left out. Both means
    /// count rows by weight; `rows` is their number.
    pub calibration: Vec<[Option<f64>; 3]>,
}

impl Curves {
    /// Computes the curves of one class. `targets` says of each row whether it is of the class (1) or not (0);
    /// `probabilities` lie within 0 to 1. With `weights` rows count by them.
    ///
    /// # Errors
    /// No rows, lengths that differ, other targets or probabilities, weights that are negative or all zero.
    pub fn of(class: &str, targets: &[f64], probabilities: &[f64], weights: Option<&[f64]>) -> Result<Curves, Error> {
        let points = roc(targets, probabilities, weights)?;
        let weight_of = |class: f64| {
            let rows = (0..targets.len()).filter(|row| targets[*row] == class);
            sum(rows.map(|row| weights.map_or(1.0, |weights| weights[row])))
        };
        let (negatives, positives) = (weight_of(0.0), weight_of(1.0));
        let lift = points.iter().map(|point| {
            let found = if positives == 0.0 { f64::NAN } else { point.true_positive_rate };
            let predicted = [(point.false_positive_rate, negatives), (point.true_positive_rate, positives)];
            let predicted = predicted.iter().filter(|(_, of)| *of > 0.0).map(|(rate, of)| rate * of).sum::<f64>();
            let share = predicted / (negatives + positives);
            [share, found, found / share]
        });
        let calibration = calibration_curve(targets, probabilities, weights, BINS, CalibrationBins::Uniform)?;
        let recall = precision_recall(targets, probabilities, weights)?;
        Ok(Curves {
            class: class.to_owned(),
            lift: thinned(lift.collect()),
            roc: thinned(
                points.iter().map(|at| [at.threshold, at.false_positive_rate, at.true_positive_rate]).collect(),
            ),
            precision_recall: thinned(recall.iter().map(|at| [at.threshold, at.precision, at.recall]).collect()),
            calibration: thinned(
                calibration.iter().map(|bin| [bin.mean_prediction, bin.positive_share, bin.rows as f64]).collect(),
            ),
        })
    }
}

fn thinned(points: Vec<[f64; 3]>) -> Vec<[Option<f64>; 3]> {
    let kept = points.len().min(POINTS);
    // The last of more than one is the last point.
    let place = |at: usize| if kept < 2 { 0 } else { at * (points.len() - 1) / (kept - 1) };
    (0..kept).map(|at| points[place(at)].map(|value| Some(value).filter(|value| value.is_finite()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lift_is_how_much_more_often_positives_are_found() {
        let curves = Curves::of("Yes", &[1.0, 1.0, 0.0, 0.0], &[0.9, 0.8, 0.2, 0.1], None).unwrap();
        let half: Vec<_> = curves.lift.iter().filter(|point| point[0] == Some(0.5)).collect();
        assert_eq!(half, [&[Some(0.5), Some(1.0), Some(2.0)]]);
        assert_eq!(curves.lift[0], [Some(0.0), Some(0.0), None]);
        assert_eq!(curves.lift.last(), Some(&[Some(1.0), Some(1.0), Some(1.0)]));
        assert_eq!(curves.roc[0], [None, Some(0.0), Some(0.0)]);
        assert_eq!(curves.calibration.iter().filter_map(|bin| bin[2]).sum::<f64>(), 4.0);
    }

    #[test]
    fn weights_are_shares_of_rows() {
        let of =
            |weights: &[f64]| Curves::of("Yes", &[1.0, 0.0, 1.0, 0.0], &[0.9, 0.8, 0.2, 0.15], Some(weights)).unwrap();
        let curves = of(&[3.0, 1.0, 1.0, 0.0]);
        // Three fifths of the weight have three quarters of the positives.
        assert_eq!(curves.lift[1], [Some(0.6), Some(0.75), Some(0.75 / 0.6)]);
        assert_eq!(curves.lift.last(), Some(&[Some(1.0), Some(1.0), Some(1.0)]));
        // The row of weight 0 is in no bin.
        assert_eq!(curves.calibration.iter().filter_map(|bin| bin[2]).sum::<f64>(), 3.0);
        assert_eq!(of(&[0.1; 4]).roc, of(&[1.0; 4]).roc);
        let huge = of(&[3e307, 1e307, 1e307, 0.0]);
        assert_eq!(huge.roc, curves.roc);
        assert!(huge.lift.iter().flatten().flatten().all(|value| value.is_finite()));
    }

    #[test]
    fn a_long_curve_keeps_its_ends() {
        let rows: Vec<f64> = (0..10_000).map(|row| f64::from(row) / 10_000.0).collect();
        let targets: Vec<f64> = (0..10_000).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let curves = Curves::of("Yes", &targets, &rows, None).unwrap();
        assert_eq!((curves.roc.len(), curves.precision_recall.len()), (POINTS, POINTS));
        let ends = [curves.roc[0], curves.roc[POINTS - 1]].map(|point| (point[1], point[2]));
        assert_eq!(ends, [(Some(0.0), Some(0.0)), (Some(1.0), Some(1.0))]);
    }

    #[test]
    fn one_class_alone_has_no_rates_of_the_other() {
        let curves = Curves::of("Yes", &[1.0, 1.0], &[0.5, 0.7], None).unwrap();
        assert!(curves.roc.iter().all(|point| point[1].is_none() && point[2].is_some()));
        let curves = Curves::of("Yes", &[0.0, 0.0], &[0.5, 0.7], None).unwrap();
        assert!(curves.lift.iter().all(|point| point[1].is_none()));
        assert!(Curves::of("Yes", &[], &[], None).is_err());
    }
}
