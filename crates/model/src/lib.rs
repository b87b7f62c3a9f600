//! What is promoted: fitted features, estimator, calibration and threshold as one value, and its folder.
//!
//! [`train`] cross-validates, fits and chooses; [`calibrate`] maps the chosen one's scores to probabilities and finds its
//! threshold; [`explain`] tells what features do; [`Model`] predicts tables and rows with the same bits, and is written
//! to and read from a folder of files; [`compare`] puts a candidate beside the incumbent on rows that neither has seen,
//! and [`decide`] says what becomes of it. [`pictures`] draws what a reviewer looks at.
//!
//! Never: a file system, a clock, an id or a path inside a model; a row that was held out in anything fitted.

mod calibrate;
mod card;
mod class_weight;
mod compare;
mod cross_validation;
mod curves;
mod decision;
mod error;
mod estimator;
mod explain;
mod external;
mod fit;
mod fold_scorer;
mod folder;
mod folds;
mod mlmodel;
mod model;
mod nan;
mod onnx;
mod open;
pub mod pictures;
mod prepared;
mod progress;
mod report;
mod seen;
mod slices;
mod train;
mod training_data;

pub use calibrate::{Calibrated, Calibration, CalibrationReport, Measures, calibrate};
pub use card::{Judged, card_with};
pub use compare::{CompareRequest, Comparison, Incumbent, Measured, compare};
pub use cross_validation::{FoldFit, FoldFits, fit_fold};
pub use curves::Curves;
pub use decision::{Decision, Loss, Reason, Rules, Verdict, decide};
pub use error::Error;
pub use estimator::{Estimator, Link};
pub use explain::{ExplainRequest, Explanation, FeatureImportance, Importance, explain};
pub use external::Native;
pub use fold_scorer::{FoldScorer, OtherFeatures, SearchFolds, with_folds};
pub use model::{Model, of_task};
pub use onnx::{Input, NoGraph, OnnxModel, Output, Source};
pub use open::OpenRequest;
pub use progress::{Part, Progress, Report};
pub use report::{CandidateReport, ChosenBy, Repeats, Spread, TrainReport};
pub use seen::SeenRows;
pub use slices::{Slice, SliceKind, SliceRequest, slice_table, slices, worst};
pub use train::{TrainRequest, Trained, train, train_baseline};
pub use training_data::{Oddity, TrainingData, Unseen};
pub use trainyard_data::Target;
