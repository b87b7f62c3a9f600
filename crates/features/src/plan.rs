//! A feature version checked against the columns of a table, and its fit.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use rayon::prelude::*;
use trainyard_diagnostics::{Diagnostic, Problems, nearest};
use trainyard_expression::{Column, Expression, Type};
use trainyard_spec::{
    BinsSpec, CategoricalEncode, CategoricalImpute, ColorMode, DataSpec, Encode, FeatureSpec, Group, Impute, Located,
    Pixels, Scale, TargetEncoding, TfidfSpec,
};

use crate::bins::Bins;
use crate::categories::{Category, Encoding};
use crate::columns::{self, Input, is_number};
use crate::derived::{Columns, Derived};
use crate::fitted::Feature;
use crate::numbers::Number;
use crate::order::compile_derived;
use crate::problems::{self, Context};
use crate::targets::{Encoder, Folds, Targets};
use crate::words::Terms;
use crate::{Error, FeatureTable, FittedFeatures};

/// Says how raw columns become features; made by [`plan`], fitted by [`Plan::fit`].
#[derive(Debug, Clone)]
pub struct Plan {
    inputs: Vec<Input>,
    derived: Vec<(String, Expression)>,
    recipes: Vec<Recipe>,
    warnings: Vec<Diagnostic>,
}

/// What is to be learned about one column.
#[derive(Debug, Clone)]
enum Recipe {
    Number { column: String, impute: Impute, scale: Scale },
    Bins { column: String, impute: Impute, bins: BinsSpec },
    Category { column: String, encode: Encoding, min_frequency: Option<u32>, impute: CategoricalImpute },
    Target { column: String, encode: TargetEncoding, impute: CategoricalImpute },
    Text { column: String, tfidf: TfidfSpec },
}

impl Recipe {
    fn column(&self) -> &str {
        match self {
            Recipe::Number { column, .. } | Recipe::Bins { column, .. } => column,
            Recipe::Category { column, .. } | Recipe::Target { column, .. } | Recipe::Text { column, .. } => column,
        }
    }

    /// Says whether it reads numbers, so that an integer, a float or a boolean will do.
    fn reads_numbers(&self) -> bool {
        matches!(self, Recipe::Number { .. } | Recipe::Bins { .. })
    }
}

/// What a group makes of a column; the same once more would be the same feature again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// One feature with the column's name.
    Value,
    /// A feature for each category.
    OneHot,
    /// A feature for each bin.
    Bins,
    /// Means of the target.
    Target,
    /// A feature for each term.
    Text,
    /// A feature for each pixel of this size.
    Image([u32; 2], ColorMode),
}

impl Form {
    fn of(group: &Group) -> Form {
        match group {
            Group::Numeric { bins: Some(bins), .. } if bins.encode == Encode::OneHot => Form::Bins,
            Group::Numeric { .. } => Form::Value,
            Group::Categorical { encode: CategoricalEncode::Plain(Encode::OneHot), .. } => Form::OneHot,
            Group::Categorical { encode: CategoricalEncode::Plain(Encode::Ordinal), .. } => Form::Value,
            Group::Categorical { encode: CategoricalEncode::Native(_), .. } => Form::Value,
            Group::Categorical { encode: CategoricalEncode::Target(_), .. } => Form::Target,
            Group::Text { .. } => Form::Text,
            Group::Image { image, .. } => Form::Image(image.size, image.mode),
        }
    }
}

/// Checks a feature version against the columns of a table.
///
/// Derived columns may use one another in any order. One that no group and no other derived column uses becomes a
/// feature as it is, if it is a number or a boolean.
///
/// # Errors
/// All problems at once: unknown, forbidden and repeated columns, types that do not fit, and what is wrong in SQL.
pub fn plan(spec: &FeatureSpec, schema: &Schema, data: &DataSpec) -> Result<Plan, Problems> {
    let mut found = Problems::default();
    let raw = raw_columns(spec, schema, data);
    let pixels: BTreeSet<String> = spec.pixels().iter().flat_map(Pixels::names).collect();
    let own = schema.fields().iter().filter(|field| !pixels.contains(field.name())).count();
    let context = Context::new(spec, data, own);
    let derived = compile_derived(spec, &raw, data, &context, &mut found);
    let mut known = raw.clone();
    known.extend(derived.iter().map(|(name, expression)| Column { name: name.clone(), kind: expression.kind() }));

    let is_derived = |name: &str| spec.columns.iter().any(|(column, _)| column.value == name);
    let mut recipes = Vec::new();
    let mut seen: BTreeMap<(Form, &str), &Located<String>> = BTreeMap::new();
    for group in &spec.groups {
        for name in group.columns() {
            if let Some(first) = seen.insert((Form::of(group), &name.value), name) {
                found.push(problems::twice(name, first));
                continue;
            }
            let kind = match group {
                // The key may be the path: it is not what is learned from.
                Group::Image { .. } if is_key(&name.value, data) => kind_of(schema, &name.value),
                Group::Image { .. }
                    if raw.iter().all(|column| column.name != name.value) && is_derived(&name.value) =>
                {
                    found.push(problems::derived_paths(name));
                    continue;
                }
                _ => None,
            };
            let kind = kind.or_else(|| column_kind(name, &known, spec, data, &context, &mut found));
            let Some(kind) = kind else { continue };
            match group {
                Group::Numeric { impute, scale, bins, .. } if is_number(kind) => {
                    let (column, impute) = (name.value.clone(), impute.clone());
                    recipes.push(match bins {
                        Some(bins) => Recipe::Bins { column, impute, bins: bins.clone() },
                        None => Recipe::Number { column, impute, scale: *scale },
                    });
                }
                Group::Numeric { .. } => found.push(problems::not_numeric(name, kind)),
                Group::Categorical { encode, min_frequency, impute, .. } if is_category(kind) => {
                    let (column, impute) = (name.value.clone(), impute.clone());
                    let min_frequency = min_frequency.as_ref().map(|least| least.value);
                    recipes.push(match encode {
                        CategoricalEncode::Plain(encode) => {
                            Recipe::Category { column, encode: Encoding::of(*encode), min_frequency, impute }
                        }
                        CategoricalEncode::Native(_) => {
                            Recipe::Category { column, encode: Encoding::Native, min_frequency, impute }
                        }
                        CategoricalEncode::Target(encode) => Recipe::Target { column, encode: encode.clone(), impute },
                    });
                }
                Group::Categorical { .. } => found.push(problems::not_categorical(name, kind)),
                Group::Text { tfidf, .. } if kind == Type::Text => {
                    recipes.push(Recipe::Text { column: name.value.clone(), tfidf: tfidf.clone() });
                }
                Group::Text { .. } => found.push(problems::not_text(name, kind)),
                Group::Image { image, impute, scale } if kind == Type::Text => {
                    let pixel = |column| Recipe::Number { column, impute: impute.clone(), scale: *scale };
                    recipes.extend(image.pixels().names().into_iter().map(pixel));
                }
                Group::Image { .. } => found.push(problems::not_paths(name, kind)),
            }
        }
    }
    let mut warnings = Vec::new();
    add_unused(spec, &derived, &mut recipes, &mut warnings);
    if recipes.is_empty() && found.errors() == 0 {
        found.push(problems::no_features(spec, &context));
    }
    found.into_result(Plan::new(raw, derived, recipes, warnings))
}

impl Plan {
    /// Keeps of the raw and derived columns those that the recipes need.
    fn new(
        raw: Vec<Column>,
        derived: Vec<(String, Expression)>,
        recipes: Vec<Recipe>,
        warnings: Vec<Diagnostic>,
    ) -> Plan {
        let mut needed: BTreeSet<String> = recipes.iter().map(|recipe| recipe.column().to_owned()).collect();
        let mut exact: BTreeSet<String> =
            recipes.iter().filter(|recipe| !recipe.reads_numbers()).map(|recipe| recipe.column().to_owned()).collect();
        let mut kept = Vec::new();
        // A derived column stands behind those that it reads, so that one walk from the end finds all that is needed.
        for (name, expression) in derived.into_iter().rev() {
            if needed.contains(&name) {
                let reads = expression.columns();
                exact.extend(reads.iter().cloned());
                needed.extend(reads);
                kept.push((name, expression));
            }
        }
        kept.reverse();
        let input = |column: Column| Input {
            any_number: is_number(column.kind) && !exact.contains(&column.name),
            name: column.name,
            kind: column.kind,
        };
        let inputs = raw.into_iter().filter(|column| needed.contains(&column.name)).map(input).collect();
        Plan { inputs, derived: kept, recipes, warnings }
    }

    /// Gives the raw columns that the features read, with their types, in the order of the table.
    pub fn inputs(&self) -> Vec<(String, Type)> {
        self.inputs.iter().map(|input| (input.name.clone(), input.kind)).collect()
    }

    /// Gives what deserves attention but keeps nothing from running.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Gives the numbers of folds for which [`Plan::fit_transform`] needs the fold of each row; none without a feature
    /// that learns from the target.
    pub fn folds(&self) -> BTreeSet<u32> {
        let folds = self.recipes.iter().filter_map(|recipe| match recipe {
            Recipe::Target { encode, .. } => Some(encode.cv.value),
            Recipe::Number { .. } | Recipe::Bins { .. } | Recipe::Category { .. } | Recipe::Text { .. } => None,
        });
        folds.collect()
    }

    /// Learns everything that is learned from data from the rows of `train`, and from no other; nothing of the target.
    ///
    /// # Errors
    /// No rows, columns that are absent or of another type, infinite numbers, columns that cannot be scaled or have too
    /// many categories, texts without terms or with too many, expressions that fail for a row, and features that learn from the target.
    pub fn fit(&self, train: &RecordBatch) -> Result<FittedFeatures, Error> {
        Ok(self.learn(train, None)?.0)
    }

    /// Learns everything that is learned from data from the rows of `train` and their targets.
    ///
    /// # Errors
    /// As [`Plan::fit`]; and targets that are not as many as rows, where a feature learns from them.
    pub fn fit_to(&self, train: &RecordBatch, targets: &Targets<'_>) -> Result<FittedFeatures, Error> {
        Ok(self.learn(train, Some(targets))?.0)
    }

    /// Learns as [`Plan::fit_to`], and computes the features that an estimator may be fitted on.
    ///
    /// They are those of [`FittedFeatures::transform`], except that what is learned from targets encodes each row by the
    /// rows of the other folds, so that no row meets its own target among its features.
    ///
    /// # Errors
    /// As [`Plan::fit_to`] and [`FittedFeatures::transform`]; and [`Error::NoFolds`] where `folds` lacks one of
    /// [`Plan::folds`] or leaves nothing to learn from.
    pub fn fit_transform(
        &self,
        train: &RecordBatch,
        targets: &Targets<'_>,
        folds: &Folds,
    ) -> Result<(FittedFeatures, FeatureTable), Error> {
        let (fitted, columns) = self.learn(train, Some(targets))?;
        let mut table = fitted.features_of(&columns)?;
        let mut first = 0;
        for (recipe, feature) in self.recipes.iter().zip(fitted.features()) {
            let places = first..first + feature.width();
            first = places.end;
            if let (Recipe::Target { column, encode, .. }, Feature::Target(encoder)) = (recipe, feature) {
                let folds = folds.get(&encode.cv.value);
                let encoded = encoder.cross_fit(columns.get(column)?, encode.smooth, targets, folds)?;
                table.columns.splice(places, encoded);
            }
        }
        Ok((fitted, table))
    }

    fn learn(&self, train: &RecordBatch, targets: Option<&Targets<'_>>) -> Result<(FittedFeatures, Columns), Error> {
        if train.num_rows() == 0 {
            return Err(Error::NoRows);
        }
        let arrays = columns::of_table(&self.inputs, train)?;
        let names = self.inputs.iter().map(|input| input.name.clone());
        let mut columns = Columns::new(names, arrays, train.num_rows());
        let mut derived = Vec::with_capacity(self.derived.len());
        for (name, expression) in &self.derived {
            let column = Derived::fit(name, expression, &columns)?;
            let array = column.evaluate(&columns)?;
            columns.insert(name, array);
            derived.push(column);
        }
        let fit = |recipe: &Recipe| -> Result<Feature, Error> {
            let array = columns.get(recipe.column())?;
            match recipe {
                Recipe::Number { column, impute, scale } => {
                    let values = columns::numbers(column, array)?;
                    Number::fit(column, &values, impute, scale).map(Feature::Number)
                }
                Recipe::Bins { column, impute, bins } => {
                    let values = columns::numbers(column, array)?;
                    Bins::fit(column, &values, impute, bins).map(Feature::Bins)
                }
                Recipe::Category { column, encode, min_frequency, impute } => {
                    Category::fit(column, array, *encode, *min_frequency, impute).map(Feature::Category)
                }
                Recipe::Target { column, encode, impute } => {
                    Encoder::fit(column, array, encode.smooth, impute, targets).map(Feature::Target)
                }
                Recipe::Text { column, tfidf } => Terms::fit(column, array, tfidf).map(Feature::Text),
            }
        };
        let features: Vec<Result<Feature, Error>> = self.recipes.par_iter().map(fit).collect();
        // In the order of the columns, so that of several failures the first is named.
        let features = features.into_iter().collect::<Result<Vec<Feature>, Error>>()?;
        Ok((FittedFeatures::new(self.inputs.clone(), derived, features), columns))
    }
}

/// Gives the columns of the table that features may read, by name and type; the pixels of its images are among them before
/// they are read.
fn raw_columns(spec: &FeatureSpec, schema: &Schema, data: &DataSpec) -> Vec<Column> {
    let fields = schema.fields().iter().filter(|field| {
        !is_reserved(field.name(), data) && !data.drop.iter().any(|dropped| dropped.value == *field.name())
    });
    let mut columns: Vec<Column> = fields
        .filter_map(|field| Some(Column { name: field.name().clone(), kind: Type::of_arrow(field.data_type())? }))
        .collect();
    let known: BTreeSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let pixels = spec.pixels().into_iter().flat_map(|pixels| pixels.names());
    columns.extend(pixels.filter(|name| !known.contains(name.as_str())).map(|name| Column { name, kind: Type::Float }));
    columns
}

fn is_key(name: &str, data: &DataSpec) -> bool {
    data.key.as_ref().is_some_and(|key| key.value == name)
}

fn kind_of(schema: &Schema, name: &str) -> Option<Type> {
    Type::of_arrow(schema.field_with_name(name).ok()?.data_type())
}

fn is_reserved(name: &str, data: &DataSpec) -> bool {
    std::iter::once(&data.target.column).chain(&data.key).chain(&data.weight).any(|reserved| reserved.value == name)
}

pub(crate) fn is_category(kind: Type) -> bool {
    matches!(kind, Type::Boolean | Type::Integer | Type::Text)
}

/// Gives the type of a column that a group names, or says why it cannot be used.
fn column_kind(
    name: &Located<String>,
    known: &[Column],
    spec: &FeatureSpec,
    data: &DataSpec,
    context: &Context<'_>,
    found: &mut Problems,
) -> Option<Type> {
    if let Some(column) = known.iter().find(|column| column.name == name.value) {
        return Some(column.kind);
    }
    if data.target.column.value == name.value {
        found.push(problems::target_used(name));
    } else if data.key.as_ref().is_some_and(|key| key.value == name.value) {
        found.push(problems::key_used(name));
    } else if data.weight.as_ref().is_some_and(|weight| weight.value == name.value) {
        found.push(problems::weight_used(name));
    } else if data.drop.iter().any(|dropped| dropped.value == name.value) {
        found.push(problems::dropped(name));
    } else if !spec.columns.iter().any(|(column, _)| column.value == name.value) {
        // A derived column that does not compile has been reported where it stands.
        let names = known.iter().map(|column| column.name.as_str());
        let names = names.chain(spec.columns.iter().map(|(column, _)| column.value.as_str()));
        found.push(problems::unknown_column(name, nearest(&name.value, names), context));
    }
    None
}

/// Makes features of the derived columns that nothing uses, where they are numbers.
fn add_unused(
    spec: &FeatureSpec,
    derived: &[(String, Expression)],
    recipes: &mut Vec<Recipe>,
    warnings: &mut Vec<Diagnostic>,
) {
    let mut used: BTreeSet<String> = recipes.iter().map(|recipe| recipe.column().to_owned()).collect();
    used.extend(derived.iter().flat_map(|(_, expression)| expression.columns()));
    for (name, _) in &spec.columns {
        let Some((_, expression)) = derived.iter().find(|(column, _)| *column == name.value) else { continue };
        if used.contains(&name.value) {
            continue;
        }
        if is_number(expression.kind()) {
            recipes.push(Recipe::Number { column: name.value.clone(), impute: Impute::None, scale: Scale::None });
        } else {
            warnings.push(problems::unused(name, expression.kind()));
        }
    }
}
