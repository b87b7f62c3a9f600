//! A graph that grows node by node, and its bytes. Field numbers are those of `onnx.proto3`.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_features::{Graph, Value};

use super::protobuf::Message;

/// `IR_VERSION_2024_3_25`, which belongs to the operator sets below.
const IR_VERSION: i64 = 10;
/// The version of the standard operators.
const OPSET: i64 = 21;
/// The domain and version of the operators of classical machine learning.
const ML: (&str, i64) = ("ai.onnx.ml", 5);

/// The element types of tensors (`TensorProto.DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    UInt8 = 2,
    Int64 = 7,
    Text = 8,
    Bool = 9,
    Double = 11,
}

/// What is known when the graph is made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tensor {
    UInt8(Vec<u8>),
    Int64(Vec<i64>),
    Text(Vec<String>),
    Bool(Vec<bool>),
    Double(Vec<f64>),
}

impl Tensor {
    fn message(&self, shape: &[usize]) -> Message {
        let dims: Vec<i64> = shape.iter().map(|dim| *dim as i64).collect();
        let start = |element: Element| Message::default().integers(1, &dims).integer(2, element as i64);
        match self {
            Tensor::UInt8(values) => start(Element::UInt8).bytes(9, values),
            Tensor::Int64(values) => {
                let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                start(Element::Int64).bytes(9, &raw)
            }
            Tensor::Text(values) => start(Element::Text).texts(6, values.iter().map(String::as_str)),
            Tensor::Bool(values) => {
                let raw: Vec<u8> = values.iter().map(|value| u8::from(*value)).collect();
                start(Element::Bool).bytes(9, &raw)
            }
            Tensor::Double(values) => {
                let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                start(Element::Double).bytes(9, &raw)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Tensor::UInt8(values) => values.len(),
            Tensor::Int64(values) => values.len(),
            Tensor::Text(values) => values.len(),
            Tensor::Bool(values) => values.len(),
            Tensor::Double(values) => values.len(),
        }
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Text(&'static str),
    Texts(Vec<String>),
    Tensor(Tensor),
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let start = Message::default().text(1, name);
        match self {
            Attribute::Int(value) => start.integer(3, *value).integer(20, 2),
            Attribute::Ints(values) => start.integers(8, values).integer(20, 7),
            Attribute::Text(value) => start.text(4, value).integer(20, 3),
            Attribute::Texts(values) => start.texts(9, values.iter().map(String::as_str)).integer(20, 8),
            Attribute::Tensor(tensor) => start.message(5, &tensor.message(&[tensor.len()])).integer(20, 4),
        }
    }
}

/// A graph that is being built. A node or constant that is already there is used again.
#[derive(Debug, Default)]
pub(super) struct Builder {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    known: BTreeMap<Vec<u8>, String>,
    taken: BTreeSet<String>,
}

impl Builder {
    /// Starts a graph in which no intermediate result has one of `names`.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Builder {
        Builder { taken: names.into_iter().collect(), ..Builder::default() }
    }

    /// Declares an input of shape `[rows, 1]`.
    pub(super) fn input(&mut self, name: &str, element: Element) {
        self.inputs.push(value_info(name, element, &[1]));
    }

    /// Adds a node of the standard operators.
    pub(super) fn add(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.add_of("", operator, inputs, attributes)
    }

    /// Adds a node of the operators of classical machine learning.
    pub(super) fn add_ml(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.add_of(ML.0, operator, inputs, attributes)
    }

    fn add_of(&mut self, domain: &str, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let attributes: Vec<Message> = attributes.iter().map(|(name, value)| value.message(name)).collect();
        let node = |output: &str| {
            let node = Message::default().texts(1, inputs.iter().copied()).text(2, output).text(4, operator);
            let node = node.messages(5, &attributes);
            if domain.is_empty() { node } else { node.text(7, domain) }
        };
        let key = node("").into_bytes();
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let name = self.free(operator);
        self.nodes.push(node(&name));
        self.known.insert(key, name.clone());
        name
    }

    /// Adds the node that cuts texts of shape `[rows, 1]` at blanks and gives the pieces, empty behind a text's last
    /// one, of shape `[rows, 1, most]`.
    pub(super) fn split(&mut self, texts: &str) -> String {
        let [pieces, counts] = ["pieces", "counts"].map(|output| self.free(output));
        let node = Message::default().text(1, texts).text(2, &pieces).text(2, &counts).text(4, "StringSplit");
        self.nodes.push(node);
        pieces
    }

    /// Adds a node whose output is an output of the graph, of shape `[rows]` or `[rows, width]`.
    pub(super) fn output(&mut self, name: &str, element: Element, width: Option<usize>, of: &str) {
        self.nodes.push(Message::default().text(1, of).text(2, name).text(4, "Identity"));
        self.outputs.push(value_info(name, element, width.as_slice()));
    }

    /// Adds a constant.
    pub(super) fn tensor(&mut self, tensor: Tensor, shape: &[usize]) -> String {
        let message = tensor.message(shape);
        let key = message.clone().into_bytes();
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let name = self.free("Constant");
        self.initializers.push(message.text(8, &name));
        self.known.insert(key, name.clone());
        name
    }

    /// Adds a row of doubles, of shape `[1, width]`.
    pub(super) fn row(&mut self, values: Vec<f64>) -> String {
        let width = values.len();
        self.tensor(Tensor::Double(values), &[1, width])
    }

    /// Gives a name that nothing else has.
    fn free(&mut self, stem: &str) -> String {
        let mut number = self.nodes.len() + self.initializers.len();
        loop {
            let name = format!("{stem}_{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }

    /// Gives the bytes of the model.
    pub(super) fn into_model(self, name: &str) -> Vec<u8> {
        let graph = Message::default()
            .messages(1, &self.nodes)
            .text(2, name)
            .messages(5, &self.initializers)
            .messages(11, &self.inputs)
            .messages(12, &self.outputs);
        let opset = |domain: &str, version: i64| Message::default().text(1, domain).integer(2, version);
        Message::default()
            .integer(1, IR_VERSION)
            .text(2, "trainyard")
            .message(7, &graph)
            .messages(8, &[opset("", OPSET), opset(ML.0, ML.1)])
            .into_bytes()
    }
}

impl Graph for Builder {
    fn node(&mut self, operator: &'static str, inputs: &[&str], attribute: Option<(&'static str, i64)>) -> String {
        let attribute = attribute.map(|(name, value)| (name, Attribute::Int(value)));
        self.add(operator, inputs, attribute.as_slice())
    }

    fn constant(&mut self, value: &Value) -> String {
        let tensor = match value {
            Value::Boolean(value) => Tensor::Bool(vec![*value]),
            Value::Integer(value) => Tensor::Int64(vec![*value]),
            Value::Text(value) => Tensor::Text(vec![value.clone()]),
            Value::Float(value) => Tensor::Double(vec![*value]),
            Value::Null | Value::Date(_) | Value::Timestamp(_) => Tensor::Double(vec![f64::NAN]),
        };
        self.tensor(tensor, &[1])
    }
}

/// Describes a tensor whose first dimension is the number of rows.
fn value_info(name: &str, element: Element, width: &[usize]) -> Message {
    let rows = Message::default().text(2, "rows");
    let fixed = width.iter().map(|width| Message::default().integer(1, *width as i64));
    let dims: Vec<Message> = std::iter::once(rows).chain(fixed).collect();
    let tensor = Message::default().integer(1, element as i64).message(2, &Message::default().messages(1, &dims));
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
