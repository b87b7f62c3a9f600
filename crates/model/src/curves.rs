//! Curves of a classifier as data, for pictures and for whoever draws their own.

use serde::{Deserialize, Serialize};
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
    /// `[share of rows, share of positives among them found, lift]`, rows by falling probability.
    pub lift: Vec<[Option<f64>; 3]>,
    /// `[mean probability, share of positives, rows]` of ten bins of equal width; empty ones are left out.
    pub calibration: Vec<[Option<f64>; 3]>,
}

impl Curves {
    /// Computes the curves of one class. `targets` says of each row whether it is of the class (1) or not (0);
    /// `probabilities` lie within 0 to 1.
    ///
    /// # Errors
    /// No rows, lengths that differ, other targets or probabilities.
    pub fn of(class: &str, targets: &[f64], probabilities: &[f64]) -> Result<Curves, Error> {
        let points = roc(targets, probabilities)?;
        let positives = targets.iter().filter(|target| **target == 1.0).count() as f64;
        let negatives = targets.len() as f64 - positives;
        let lift = points.iter().map(|point| {
            let found = if positives == 0.0 { f64::NAN } else { point.true_positive_rate };
            let predicted = [(point.false_positive_rate, negatives), (point.true_positive_rate, positives)];
            let predicted = predicted.iter().filter(|(_, of)| *of > 0.0).map(|(rate, of)| rate * of).sum::<f64>();
            let share = predicted / targets.len() as f64;
            [share, found, found / share]
        });
        let calibration = calibration_curve(targets, probabilities, BINS, CalibrationBins::Uniform)?;
        let recall = precision_recall(targets, probabilities)?;
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
        let curves = Curves::of("Yes", &[1.0, 1.0, 0.0, 0.0], &[0.9, 0.8, 0.2, 0.1]).unwrap();
        let half: Vec<_> = curves.lift.iter().filter(|point| point[0] == Some(0.5)).collect();
        assert_eq!(half, [&[Some(0.5), Some(1.0), Some(2.0)]]);
        assert_eq!(curves.lift[0], [Some(0.0), Some(0.0), None]);
        assert_eq!(curves.lift.last(), Some(&[Some(1.0), Some(1.0), Some(1.0)]));
        assert_eq!(curves.roc[0], [None, Some(0.0), Some(0.0)]);
        assert_eq!(curves.calibration.iter().filter_map(|bin| bin[2]).sum::<f64>(), 4.0);
    }

    #[test]
    fn a_long_curve_keeps_its_ends() {
        let rows: Vec<f64> = (0..10_000).map(|row| f64::from(row) / 10_000.0).collect();
        let targets: Vec<f64> = (0..10_000).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let curves = Curves::of("Yes", &targets, &rows).unwrap();
        assert_eq!((curves.roc.len(), curves.precision_recall.len()), (POINTS, POINTS));
        let ends = [curves.roc[0], curves.roc[POINTS - 1]].map(|point| (point[1], point[2]));
        assert_eq!(ends, [(Some(0.0), Some(0.0)), (Some(1.0), Some(1.0))]);
    }

    #[test]
    fn one_class_alone_has_no_rates_of_the_other() {
        let curves = Curves::of("Yes", &[1.0, 1.0], &[0.5, 0.7]).unwrap();
        assert!(curves.roc.iter().all(|point| point[1].is_none() && point[2].is_some()));
        let curves = Curves::of("Yes", &[0.0, 0.0], &[0.5, 0.7]).unwrap();
        assert!(curves.lift.iter().all(|point| point[1].is_none()));
        assert!(Curves::of("Yes", &[], &[]).is_err());
    }
}
