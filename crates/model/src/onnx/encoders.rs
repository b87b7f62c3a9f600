//! Fitted transforms as nodes: columns become one matrix of doubles, a feature a column of it.

use trainyard_features::{Cell, Divisor, Encoder, FittedColumn, Graph, Type, Value};

use super::columns::Columns;
use super::graph::{Attribute, Builder, Element, Tensor};

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
                Encoder::Codes { values, codes, missing, unseen } => {
                    blocks.push(coded(columns, column, values, codes, missing, unseen));
                }
                Encoder::Bins { fill, edges, one_hot } => {
                    let value = columns.numbers(column);
                    infinite.push(columns.builder.add("IsInf", &[&value], &[]));
                    blocks.push(bins(columns, &value, *fill, edges, *one_hot));
                }
                Encoder::Text { lowercase, terms, weights, sublinear, divisor } => {
                    let words = columns.words(first, column, *lowercase);
                    let counts = counted(&mut columns.builder, &words, terms);
                    blocks.push(weighed(&mut columns.builder, &counts, weights, *sublinear, *divisor));
                }
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
pub(super) fn filled(builder: &mut Builder, matrix: &str, fill: Vec<f64>) -> String {
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

fn coded(
    columns: &mut Columns<'_>,
    name: &str,
    values: &[&str],
    codes: &[Vec<f64>],
    missing: &[f64],
    unseen: &[f64],
) -> String {
    let cell = category(columns, name, values.iter().copied());
    let places: Vec<(&str, i64)> = values.iter().copied().zip(0..).collect();
    let place = columns.encode(&cell, &places, values.len() as i64);
    let builder = &mut columns.builder;
    let table: Vec<f64> = codes.iter().flatten().chain(unseen).copied().collect();
    let code = if unseen.len() == 1 {
        let table = builder.tensor(Tensor::Double(table), &[values.len() + 1]);
        builder.add("Gather", &[&table, &place], &[])
    } else {
        let table = builder.tensor(Tensor::Double(table), &[values.len() + 1, unseen.len()]);
        let code = builder.add("Gather", &[&table, &place], &[]);
        let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
        builder.add("Squeeze", &[&code, &axis], &[])
    };
    match &cell.null {
        Some(null) => {
            let missing = match missing {
                [missing] => builder.constant(&Value::Float(*missing)),
                missing => builder.row(missing.to_vec()),
            };
            builder.add("Where", &[null, &missing, &code], &[])
        }
        None => code,
    }
}

/// Counts the edges that are not above a value: its bin.
fn bins(columns: &mut Columns<'_>, value: &str, fill: Option<f64>, edges: &[f64], one_hot: Option<usize>) -> String {
    let builder = &mut columns.builder;
    let value = fill.map_or_else(|| value.to_owned(), |fill| filled(builder, value, vec![fill]));
    // No value that is not refused reaches infinity.
    let row = builder.row(if edges.is_empty() { vec![f64::INFINITY] } else { edges.to_vec() });
    let reaches = builder.add("GreaterOrEqual", &[&value, &row], &[]);
    let reaches = builder.node("Cast", &[&reaches], Some(("to", Element::Int64 as i64)));
    let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
    let bin = builder.add("ReduceSum", &[&reaches, &axis], &[("keepdims", Attribute::Int(1))]);
    let missing = builder.add("IsNaN", &[&value], &[]);
    let Some(width) = one_hot else {
        let bin = builder.node("Cast", &[&bin], Some(("to", Element::Double as i64)));
        let nan = builder.constant(&Value::Float(f64::NAN));
        return builder.add("Where", &[&missing, &nan, &bin], &[]);
    };
    let behind = builder.constant(&Value::Integer(edges.len() as i64 + 1));
    let place = builder.add("Where", &[&missing, &behind, &bin], &[]);
    let places = columns.places(width);
    let is = columns.builder.add("Equal", &[&place, &places], &[]);
    columns.builder.node("Cast", &[&is], Some(("to", Element::Double as i64)))
}

/// Counts the terms in texts of words with one blank between two: doubles of shape `[rows, terms]`.
fn counted(builder: &mut Builder, words: &str, terms: &[String]) -> String {
    let pieces = builder.split(words);
    let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
    let pieces = builder.add("Squeeze", &[&pieces, &axis], &[]);
    // The pool holds the words of the terms, those of one word first; what follows from its order is the term's place.
    let mut by_length: Vec<(usize, i64)> = terms.iter().map(|term| term.split(' ').count()).zip(0..).collect();
    by_length.sort_unstable();
    let (least, most) = (by_length[0].0, by_length[by_length.len() - 1].0);
    let starts = (1..=most).map(|length| {
        by_length.iter().take_while(|(words, _)| *words < length).map(|(words, _)| *words as i64).sum::<i64>()
    });
    let pool = by_length.iter().flat_map(|(_, term)| terms[*term as usize].split(' ')).map(str::to_owned);
    let attributes = [
        ("max_gram_length", Attribute::Int(most as i64)),
        ("max_skip_count", Attribute::Int(0)),
        ("min_gram_length", Attribute::Int(least as i64)),
        ("mode", Attribute::Text("TF")),
        ("ngram_counts", Attribute::Ints(starts.collect())),
        ("ngram_indexes", Attribute::Ints(by_length.iter().map(|(_, term)| *term).collect())),
        ("pool_strings", Attribute::Texts(pool.collect())),
    ];
    let counts = builder.add("TfIdfVectorizer", &[&pieces], &attributes);
    builder.node("Cast", &[&counts], Some(("to", Element::Double as i64)))
}

/// Weighs counts of terms, and divides those of a text by their norm where that is not 0.
fn weighed(builder: &mut Builder, counts: &str, weights: &[f64], sublinear: bool, divisor: Divisor) -> String {
    let zero = builder.constant(&Value::Float(0.0));
    let one = builder.constant(&Value::Float(1.0));
    let mut weighed = counts.to_owned();
    if sublinear {
        let logarithm = builder.add("Log", &[counts], &[]);
        let more = builder.add("Add", &[&logarithm, &one], &[]);
        let is_there = builder.add("Greater", &[counts, &zero], &[]);
        weighed = builder.add("Where", &[&is_there, &more, &zero], &[]);
    }
    if weights.iter().any(|weight| *weight != 1.0) {
        let weights = builder.row(weights.to_vec());
        weighed = builder.add("Mul", &[&weighed, &weights], &[]);
    }
    let sizes = match divisor {
        Divisor::None => return weighed,
        Divisor::L1 => builder.add("Abs", &[&weighed], &[]),
        Divisor::L2 => builder.add("Mul", &[&weighed, &weighed], &[]),
    };
    let axis = builder.tensor(Tensor::Int64(vec![1]), &[1]);
    let mut norm = builder.add("ReduceSum", &[&sizes, &axis], &[("keepdims", Attribute::Int(1))]);
    if divisor == Divisor::L2 {
        norm = builder.add("Sqrt", &[&norm], &[]);
    }
    let is_zero = builder.add("Equal", &[&norm, &zero], &[]);
    let norm = builder.add("Where", &[&is_zero, &one, &norm], &[]);
    builder.add("Div", &[&weighed, &norm], &[])
}
