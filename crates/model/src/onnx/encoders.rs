//! Fitted transforms as nodes: columns become one matrix of doubles, a feature a column of it.

use trainyard_features::{Cell, Encoder, FittedColumn, Graph, Type, Value};

use super::columns::Columns;
use super::graph::{Attribute, Element, Tensor};

/// The features in the graph.
pub(super) struct Matrix {
    /// Doubles of shape `[rows, features]`, NaN where missing.
    pub(super) name: String,
    /// The rows with an infinite feature, bool of shape `[rows, 1]`; `None` where no feature is a number.
    pub(super) refused: Option<String>,
}

/// Numeric columns that stand side by side, transformed together.
#[derive(Default)]
struct Numbers {
    columns: Vec<String>,
    fill: Vec<f64>,
    center: Vec<f64>,
    scale: Vec<f64>,
}

/// Computes the features; `None` where there are none.
pub(super) fn matrix(fitted: &[FittedColumn<'_>], columns: &mut Columns<'_>) -> Option<Matrix> {
    let mut blocks: Vec<String> = Vec::new();
    let mut infinite: Vec<String> = Vec::new();
    let mut numbers = Numbers::default();
    let mut first = 0;
    for FittedColumn { column, features, encoder } in fitted {
        if let Encoder::Number { fill, center, scale } = encoder {
            numbers.columns.push(columns.numbers(column));
            numbers.fill.push(fill.unwrap_or(f64::NAN));
            numbers.center.push(*center);
            numbers.scale.push(*scale);
        } else {
            numbers.finish(columns, &mut blocks, &mut infinite);
            match encoder {
                Encoder::OneHot { width: 0, .. } | Encoder::Number { .. } => {}
                Encoder::OneHot { categories, missing, unseen, width } => {
                    blocks.push(one_hot(columns, column, categories, *missing, *unseen, *width));
                }
                Encoder::Ordinal { codes, missing, unseen } => {
                    blocks.push(ordinal(columns, column, codes, *missing, *unseen));
                }
                Encoder::Closed => blocks.extend(columns.ready_made_features(first, features, column)),
            }
        }
        first += features.len();
    }
    numbers.finish(columns, &mut blocks, &mut infinite);
    let name = concatenated(columns, &blocks)?;
    let mut refused: Option<String> = None;
    for block in infinite {
        refused = Some(match refused {
            Some(refused) => columns.builder.add("Or", &[&refused, &block], &[]),
            None => block,
        });
    }
    Some(Matrix { name, refused })
}

fn concatenated(columns: &mut Columns<'_>, blocks: &[String]) -> Option<String> {
    match blocks {
        [] => None,
        [block] => Some(block.clone()),
        blocks => {
            let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
            Some(columns.builder.add("Concat", &blocks, &[("axis", Attribute::Int(1))]))
        }
    }
}

impl Numbers {
    /// Adds the block of the columns so far, and the mask of its infinite rows.
    fn finish(&mut self, columns: &mut Columns<'_>, blocks: &mut Vec<String>, infinite: &mut Vec<String>) {
        let Numbers { columns: names, fill, center, scale } = std::mem::take(self);
        let Some(mut block) = concatenated(columns, &names) else { return };
        let builder = &mut columns.builder;
        if fill.iter().any(|fill| !fill.is_nan()) {
            block = filled(builder, &block, fill);
        }
        if center.iter().any(|center| *center != 0.0) {
            let center = builder.row(center);
            block = builder.add("Sub", &[&block, &center], &[]);
        }
        if scale.iter().any(|scale| *scale != 1.0) {
            let scale = builder.row(scale);
            block = builder.add("Div", &[&block, &scale], &[]);
        }
        let is_infinite = builder.add("IsInf", &[&block], &[]);
        let counted = builder.node("Cast", &[&is_infinite], Some(("to", Element::Int64 as i64)));
        let axes = builder.tensor(Tensor::Int64(vec![1]), &[1]);
        let count = builder.add("ReduceSum", &[&counted, &axes], &[]);
        let zero = builder.constant(&Value::Integer(0));
        infinite.push(builder.add("Greater", &[&count, &zero], &[]));
        blocks.push(block);
    }
}

/// Replaces NaN in the columns of a matrix.
pub(super) fn filled(builder: &mut super::graph::Builder, matrix: &str, fill: Vec<f64>) -> String {
    let missing = builder.add("IsNaN", &[matrix], &[]);
    let fill = builder.row(fill);
    builder.add("Where", &[&missing, &fill, matrix], &[])
}

/// Gives a category's column; an empty text that goes in is missing unless the training rows had it. What is computed
/// knows what is missing.
fn category<'c>(columns: &mut Columns<'_>, name: &str, mut known: impl Iterator<Item = &'c str>) -> Cell {
    let cell = columns.cell(name);
    let goes_in = columns.is_raw(name) && cell.kind == Type::Text;
    if goes_in && known.any(str::is_empty) { Cell { null: None, ..cell } } else { cell }
}

fn one_hot(
    columns: &mut Columns<'_>,
    name: &str,
    categories: &[String],
    missing: Option<usize>,
    unseen: Option<usize>,
    width: usize,
) -> String {
    let nowhere = |place: Option<usize>| place.map_or(-1, |place| place as i64);
    let cell = category(columns, name, categories.iter().map(String::as_str));
    let codes: Vec<(&str, i64)> =
        categories.iter().enumerate().map(|(at, category)| (category.as_str(), at as i64)).collect();
    let mut place = columns.encode(&cell, &codes, nowhere(unseen));
    if let Some(null) = &cell.null {
        let missing = columns.builder.constant(&Value::Integer(nowhere(missing)));
        place = columns.builder.add("Where", &[null, &missing, &place], &[]);
    }
    let places = columns.places(width);
    let is = columns.builder.add("Equal", &[&place, &places], &[]);
    columns.builder.node("Cast", &[&is], Some(("to", Element::Double as i64)))
}

fn ordinal(columns: &mut Columns<'_>, name: &str, codes: &[(&str, f64)], missing: f64, unseen: f64) -> String {
    let cell = category(columns, name, codes.iter().map(|(text, _)| *text));
    let places: Vec<(&str, i64)> = codes.iter().zip(0..).map(|((text, _), place)| (*text, place)).collect();
    let place = columns.encode(&cell, &places, codes.len() as i64);
    let values: Vec<f64> = codes.iter().map(|(_, code)| *code).chain([unseen]).collect();
    let values = columns.builder.tensor(Tensor::Double(values), &[codes.len() + 1]);
    let code = columns.builder.add("Gather", &[&values, &place], &[]);
    match &cell.null {
        Some(null) => {
            let missing = columns.builder.constant(&Value::Float(missing));
            columns.builder.add("Where", &[null, &missing, &code], &[])
        }
        None => code,
    }
}

#[cfg(test)]
mod tests {
    use trainyard_features::FittedFeatures;

    use super::*;
    use crate::onnx::{Input, Source};

    #[test]
    fn the_features_of_a_closed_transform_go_in_ready_made() {
        let text = r#"{"format": 1, "inputs": [{"name": "x", "kind": "float", "any_number": true}], "derived": [],
            "features": [{"number": {"column": "x", "fill": null, "center": 0.0, "scale": 1.0}}]}"#;
        let features = FittedFeatures::from_json(text).unwrap();
        let mut columns = Columns::new(&features, &[]);
        let open = features.columns();
        let names = ["x".to_owned(), "x=b".to_owned()];
        let closed = FittedColumn { column: "x", features: &names, encoder: Encoder::Closed };
        matrix(&[open[0].clone(), closed], &mut columns).unwrap();
        let input = |name: &str, source| Input { name: name.into(), kind: Type::Float, source };
        let made = |feature: &str| Source::Feature { feature: feature.into(), column: "x".into() };
        assert_eq!(columns.finish().0, [input("x", Source::Raw), input("x#2", made("x")), input("x=b", made("x=b"))]);
    }
}
