//! Columns in the graph: raw ones are inputs, derived ones are computed, or inputs where they have no translation.

use std::collections::BTreeMap;

use trainyard_features::{Cell, DerivedColumn, FittedFeatures, Graph, Type, Value};

use super::graph::{Attribute, Builder, Element, Tensor};
use super::{Input, Source, unused};

/// The columns that were needed so far.
pub(super) struct Columns<'a> {
    pub(super) builder: Builder,
    /// Raw columns, in the order of the table.
    raw: Vec<(String, Type)>,
    derived: Vec<DerivedColumn<'a>>,
    /// The inputs of the graph by their place among raw columns, derived ones and features.
    inputs: BTreeMap<usize, Input>,
    computed: BTreeMap<String, Cell>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(features: &'a FittedFeatures, outputs: &[&str]) -> Columns<'a> {
        let raw = features.inputs();
        let derived: Vec<DerivedColumn<'a>> = features.derived().collect();
        let names = raw.iter().map(|(name, _)| name.clone());
        let names = names.chain(derived.iter().map(|column| column.name.to_owned())).chain(features.names().to_vec());
        let names = names.chain(outputs.iter().map(|name| (*name).to_owned()));
        Columns { builder: Builder::new(names), raw, derived, inputs: BTreeMap::new(), computed: BTreeMap::new() }
    }

    /// Gives the inputs of the graph in order, and the graph.
    pub(super) fn finish(mut self) -> (Vec<Input>, Builder) {
        for input in self.inputs.values() {
            let element = if input.kind == Type::Text { Element::Text } else { Element::Double };
            self.builder.input(&input.name, element);
        }
        (self.inputs.into_values().collect(), self.builder)
    }

    /// Gives a column as doubles of shape `[rows, 1]`, NaN where missing.
    pub(super) fn numbers(&mut self, name: &str) -> String {
        let Some(cell) = self.derived_cell(name) else { return self.input(name).to_owned() };
        let value = match cell.kind {
            Type::Float => cell.value,
            _ => self.builder.node("Cast", &[&cell.value], Some(("to", Element::Double as i64))),
        };
        match cell.null {
            Some(null) => {
                let nan = self.builder.constant(&Value::Float(f64::NAN));
                self.builder.node("Where", &[&null, &nan, &value], None)
            }
            None => value,
        }
    }

    /// Gives a column as typed values and the mask of what is missing.
    pub(super) fn cell(&mut self, name: &str) -> Cell {
        if let Some(cell) = self.derived_cell(name) {
            return cell;
        }
        let input = self.input(name).to_owned();
        let kind = self.kind(name);
        if kind == Type::Text {
            let empty = self.builder.constant(&Value::Text(String::new()));
            let null = self.builder.node("Equal", &[&input, &empty], None);
            return Cell { value: input, null: Some(null), kind };
        }
        let null = self.builder.node("IsNaN", &[&input], None);
        let value = match kind {
            Type::Float => input,
            _ => {
                let zero = self.builder.constant(&Value::Float(0.0));
                let filled = self.builder.node("Where", &[&null, &zero, &input], None);
                let element = if kind == Type::Boolean { Element::Bool } else { Element::Int64 };
                self.builder.node("Cast", &[&filled], Some(("to", element as i64)))
            }
        };
        Cell { value, null: Some(null), kind }
    }

    /// Makes the words of a column an input of the graph, since what finds them has no translation; `first` is the
    /// column's first feature.
    pub(super) fn words(&mut self, first: usize, column: &str, lowercase: bool) -> String {
        let place = self.raw.len() + self.derived.len() + first;
        let name = unused(&format!("words({column})"), |name| {
            self.raw.iter().any(|(column, _)| column == name)
                || self.derived.iter().any(|column| column.name == name)
                || self.inputs.values().any(|input| input.name == name)
        });
        let source = Source::Words { column: column.to_owned(), lowercase };
        self.inputs.insert(place, Input { name: name.clone(), kind: Type::Text, source });
        name
    }

    /// Maps whole numbers or texts to whole numbers.
    pub(super) fn encode(&mut self, cell: &Cell, codes: &[(&str, i64)], unseen: i64) -> String {
        let mut values: Vec<i64> = Vec::new();
        let (name, keys, value) = if cell.kind == Type::Text {
            let mut keys: Vec<String> = Vec::new();
            for (text, code) in codes {
                keys.push((*text).to_owned());
                values.push(*code);
            }
            // An encoder needs a key.
            if keys.is_empty() {
                keys.push(String::new());
                values.push(unseen);
            }
            ("keys_strings", Attribute::Texts(keys), cell.value.clone())
        } else {
            let mut keys: Vec<i64> = Vec::new();
            for (text, code) in codes {
                if let Some(key) = integer_of(text, cell.kind) {
                    keys.push(key);
                    values.push(*code);
                }
            }
            if keys.is_empty() {
                keys.push(0);
                values.push(unseen);
            }
            let value = match cell.kind {
                Type::Boolean => self.builder.node("Cast", &[&cell.value], Some(("to", Element::Int64 as i64))),
                _ => cell.value.clone(),
            };
            ("keys_int64s", Attribute::Ints(keys), value)
        };
        let attributes =
            [(name, keys), ("values_int64s", Attribute::Ints(values)), ("default_int64", Attribute::Int(unseen))];
        self.builder.add_ml("LabelEncoder", &[&value], &attributes)
    }

    /// Gives a row of whole numbers from 0, of shape `[1, width]`.
    pub(super) fn places(&mut self, width: usize) -> String {
        self.builder.tensor(Tensor::Int64((0..width as i64).collect()), &[1, width])
    }

    /// Says whether a column is read from the table and not computed in the graph.
    pub(super) fn is_raw(&self, name: &str) -> bool {
        self.inputs.values().any(|input| input.name == name)
    }

    fn kind(&self, name: &str) -> Type {
        let raw = self.raw.iter().find(|(column, _)| column == name).map(|(_, kind)| *kind);
        let derived = || self.derived.iter().find(|column| column.name == name).map(|column| column.kind);
        raw.or_else(derived).unwrap_or(Type::Float)
    }

    /// Makes a column an input of the graph.
    fn input<'n>(&mut self, name: &'n str) -> &'n str {
        let raw = self.raw.iter().position(|(column, _)| column == name);
        let derived = self.derived.iter().position(|column| column.name == name);
        let (place, source) = match (raw, derived) {
            (None, Some(at)) => {
                let part = self.derived[at].expression.is_translatable().err().map(|error| error.part);
                (self.raw.len() + at, Source::Derived { part: part.unwrap_or_else(|| name.to_owned()) })
            }
            (raw, _) => (raw.unwrap_or_default(), Source::Raw),
        };
        self.inputs.insert(place, Input { name: name.to_owned(), kind: self.kind(name), source });
        name
    }

    /// Computes a derived column; `None` where it is raw or has no translation.
    fn derived_cell(&mut self, name: &str) -> Option<Cell> {
        if let Some(cell) = self.computed.get(name) {
            return Some(cell.clone());
        }
        let column = *self.derived.iter().find(|column| column.name == name)?;
        column.expression.is_translatable().ok()?;
        let columns: Vec<Cell> = column.expression.reads().into_iter().map(|read| self.cell(read)).collect();
        let cell = column.expression.to_onnx(&mut self.builder, &columns).ok()?;
        self.computed.insert(name.to_owned(), cell.clone());
        Some(cell)
    }
}

/// Reads a category as the whole number that it was before it became text.
fn integer_of(text: &str, kind: Type) -> Option<i64> {
    match (kind, text) {
        (Type::Boolean, "false") => Some(0),
        (Type::Boolean, "true") => Some(1),
        (Type::Boolean, _) => None,
        _ => text.parse::<i64>().ok().filter(|integer| integer.to_string() == text),
    }
}
