//! A model as one ONNX graph: from raw columns to predictions, in double.
//!
//! Written by a small Protocol Buffers writer of our own. Operators are those of `ai.onnx` 21 and `ai.onnx.ml` 5.

mod calibration;
mod columns;
mod encoders;
mod estimators;
mod graph;
mod protobuf;

use trainyard_features::{Graph, Type, Value};

use self::columns::Columns;
use self::graph::{Attribute, Builder, Element, Tensor};
use crate::Model;

/// A model as an ONNX graph.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxModel {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// What goes in.
    pub inputs: Vec<Input>,
    /// What comes out.
    pub outputs: Vec<Output>,
}

/// An input of the graph, of shape `[rows, 1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name: that of the column, or of the feature.
    pub name: String,
    /// The column's type. Text is a string tensor, empty where missing; all others are doubles, NaN where missing.
    pub kind: Type,
    /// What it holds.
    pub source: Source,
}

/// What an input holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A raw column.
    Raw,
    /// A derived column, ready-made, since a part of its SQL has no translation.
    Derived {
        /// That part.
        part: String,
    },
    /// The words of a text column with one blank between two, as [`trainyard_features::words`] gives them.
    Words {
        /// The column.
        column: String,
        /// Whether the text is lowered before.
        lowercase: bool,
    },
}

impl Input {
    /// Says what would have computed the input but has no translation; `None` for a raw column.
    pub fn ready_made(&self) -> Option<String> {
        match &self.source {
            Source::Raw => None,
            Source::Derived { part } => Some(format!("`{part}` in `{}`", self.name)),
            Source::Words { column, lowercase: true } => Some(format!("lowering `{column}` and cutting it into words")),
            Source::Words { column, lowercase: false } => Some(format!("cutting `{column}` into words")),
        }
    }
}

/// An output of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its type: text or float (double).
    pub kind: Type,
    /// The columns of shape `[rows, width]`; `None` for shape `[rows]`.
    pub width: Option<usize>,
}

/// Says why a model has no graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoGraph {
    /// There is no feature, and so nothing that has rows.
    NoFeature,
    /// A column has an empty name, which in ONNX means an absent one.
    EmptyName,
}

impl std::fmt::Display for NoGraph {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            NoGraph::NoFeature => "there is no feature",
            NoGraph::EmptyName => "a column has an empty name, which ONNX does not know",
        })
    }
}

impl Model {
    /// Writes the model as an ONNX graph: features, estimator and calibration in one.
    ///
    /// Inputs are the raw columns, in the order of the table, each of shape `[rows, 1]`: text as strings, empty where
    /// missing, all others as doubles, NaN where missing. A derived column whose SQL has no translation, and the words
    /// of a column that becomes terms, are inputs after these. Outputs are `label` (strings, `[rows]`) and
    /// `probabilities` (doubles, `[rows, classes]`) or `prediction` (doubles, `[rows]`). A row that [`Model::predict`]
    /// refuses for an infinite feature gets NaN and an empty label. Equal models give equal bytes.
    ///
    /// # Errors
    /// A model without features, and one that reads a column without a name.
    pub fn to_onnx(&self) -> Result<OnnxModel, NoGraph> {
        if self.inputs().iter().any(|(name, _)| name.is_empty()) {
            return Err(NoGraph::EmptyName);
        }
        let mut columns = Columns::new(&self.features, &["label", "probabilities", "prediction"]);
        let matrix = encoders::matrix(&self.features.columns(), &mut columns).ok_or(NoGraph::NoFeature)?;
        let features = self.features.names().len();
        let mut values = match &self.calibration {
            None => estimators::predictions(&self.estimator, features, &matrix.name, &mut columns.builder),
            Some(calibration) => {
                let scores = estimators::scores(&self.estimator, features, &matrix.name, &mut columns.builder);
                calibration::calibrated(calibration, &scores, &mut columns.builder)
            }
        };
        if let Some(refused) = &matrix.refused {
            let nan = columns.builder.constant(&Value::Float(f64::NAN));
            values = columns.builder.add("Where", &[refused, &nan, &values], &[]);
        }
        let (inputs, mut builder) = columns.finish();
        let name = |wanted: &str| free_name(wanted, &inputs);
        let outputs = match &self.target.classes {
            Some(classes) => {
                let (index, probabilities) = self.chosen(&values, &mut builder);
                let label = label(classes, &index, matrix.refused.as_deref(), &mut builder);
                let outputs = vec![
                    Output { name: name("label"), kind: Type::Text, width: None },
                    Output { name: name("probabilities"), kind: Type::Float, width: Some(classes.len()) },
                ];
                builder.output(&outputs[0].name, Element::Text, None, &label);
                builder.output(&outputs[1].name, Element::Double, Some(classes.len()), &probabilities);
                outputs
            }
            None => {
                let value = flat(&values, &mut builder);
                let output = Output { name: name("prediction"), kind: Type::Float, width: None };
                builder.output(&output.name, Element::Double, None, &value);
                vec![output]
            }
        };
        Ok(OnnxModel { bytes: builder.into_model("trainyard"), inputs, outputs })
    }

    /// Gives the place of the chosen class (int64, `[rows]`) and the probability of every class.
    fn chosen(&self, values: &str, builder: &mut Builder) -> (String, String) {
        if self.target.positive().is_none() || self.estimator.outputs() > 1 {
            let last = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
            return (builder.add("ArgMax", &[values], &last), values.to_owned());
        }
        let threshold = builder.constant(&Value::Float(self.threshold));
        let is_positive = builder.add("GreaterOrEqual", &[values, &threshold], &[]);
        let index = builder.node("Cast", &[&is_positive], Some(("to", Element::Int64 as i64)));
        let one = builder.constant(&Value::Float(1.0));
        let other = builder.add("Sub", &[&one, values], &[]);
        let both = builder.add("Concat", &[&other, values], &[("axis", Attribute::Int(1))]);
        (flat(&index, builder), both)
    }
}

/// Gives the class of every row as text, empty where it is refused.
fn label(classes: &[String], index: &str, refused: Option<&str>, builder: &mut Builder) -> String {
    let names = builder.tensor(Tensor::Text(classes.to_vec()), &[classes.len()]);
    let label = builder.add("Gather", &[&names, index], &[]);
    let Some(refused) = refused else { return label };
    let refused = flat(refused, builder);
    let empty = builder.constant(&Value::Text(String::new()));
    builder.add("Where", &[&refused, &empty, &label], &[])
}

/// Brings `[rows, 1]` to `[rows]`.
fn flat(name: &str, builder: &mut Builder) -> String {
    let shape = builder.tensor(Tensor::Int64(vec![-1]), &[1]);
    builder.add("Reshape", &[name, &shape], &[])
}

/// Gives an output a name that no input has.
fn free_name(wanted: &str, inputs: &[Input]) -> String {
    unused(wanted, |name| inputs.iter().any(|input| input.name == name))
}

/// Makes a name differ from those that are taken: the second `label` becomes `label#2`.
fn unused(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let others = (2..).map(|number| format!("{wanted}#{number}"));
    std::iter::once(wanted.to_owned()).chain(others).find(|name| !taken(name)).unwrap_or_default()
}
