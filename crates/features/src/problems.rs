//! The words for what is wrong with a feature version.

use std::ops::Range;

use trainyard_diagnostics::{Diagnostic, Place};
use trainyard_expression::{Problem, ProblemKind, Type};
use trainyard_spec::{DataSpec, FeatureSpec, Located};

/// What messages say about the data and the version file.
pub(crate) struct Context<'a> {
    /// The last part of the data's source, such as `customers.csv`.
    source: &'a str,
    columns: usize,
    file: Option<Place>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(spec: &FeatureSpec, data: &'a DataSpec, columns: usize) -> Context<'a> {
        let source = data.source.path();
        let source = source.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(source);
        let file = spec.columns.iter().map(|(name, _)| name).find_map(Located::place);
        Context { source, columns, file }
    }
}

/// Points at a value, or says where it comes from.
fn at<T>(diagnostic: Diagnostic, located: &Located<T>, text: impl Into<String>) -> Diagnostic {
    located.origin.point(diagnostic, text)
}

pub(crate) fn unknown_column(name: &Located<String>, nearest: Option<&str>, context: &Context<'_>) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("features/unknown-column", "the features want a column that the data does not have");
    let text = format!("not among the {} columns of {}", context.columns, context.source);
    let diagnostic = at(diagnostic, name, text);
    match nearest {
        Some(nearest) => diagnostic.help(format!("did you mean `{nearest}`?")),
        None => diagnostic.help(format!("remove `{}`, or derive it under `columns`", name.value)),
    }
}

pub(crate) fn target_used(name: &Located<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/target-used", "the features read the target");
    at(diagnostic, name, "this is what the model is to predict").help(format!("remove `{}` from the group", name.value))
}

pub(crate) fn key_used(name: &Located<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/key-used", "the features read the key");
    at(diagnostic, name, "this identifies a row and says nothing about a new one")
        .help(format!("remove `{}` from the group", name.value))
}

pub(crate) fn weight_used(name: &Located<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/weight-used", "the features read the weight");
    at(diagnostic, name, "this says how much a row counts, which nobody knows of a new one")
        .help(format!("remove `{}` from the group", name.value))
}

pub(crate) fn dropped(name: &Located<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/dropped-column", "the features want a column that is dropped");
    at(diagnostic, name, "`data.drop` names it")
        .help(format!("take `{}` out of `data.drop` or out of the group", name.value))
}

pub(crate) fn not_numeric(name: &Located<String>, kind: Type) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("features/not-numeric", format!("a {kind} column stands among the numeric ones"));
    let column = &name.value;
    at(diagnostic, name, format!("holds {kind}")).help(match kind {
        Type::Text => {
            format!("put `{column}` under `categorical`, or set `data.types: {{{column}: float}}` if it holds numbers")
        }
        Type::Date | Type::Timestamp => {
            format!("derive a number from `{column}` under `columns`, such as year({column})")
        }
        Type::Boolean | Type::Integer | Type::Float => format!("put `{column}` under `categorical`"),
    })
}

pub(crate) fn not_categorical(name: &Located<String>, kind: Type) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("features/not-categorical", format!("a {kind} column stands among the categorical ones"));
    let column = &name.value;
    at(diagnostic, name, format!("holds {kind}")).help(match kind {
        Type::Float => format!("put `{column}` under `numeric`, or derive CAST({column} AS VARCHAR) under `columns`"),
        _ => format!("derive a part of `{column}` under `columns`, such as month({column})"),
    })
}

pub(crate) fn not_text(name: &Located<String>, kind: Type) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("features/not-text", format!("a column that holds {kind} is to be read as text"));
    let column = &name.value;
    at(diagnostic, name, format!("holds {kind}")).help(match kind {
        Type::Boolean | Type::Integer => format!("put `{column}` under `categorical`"),
        Type::Float => format!("put `{column}` under `numeric`"),
        _ => format!("derive a part of `{column}` under `columns`, such as month({column})"),
    })
}

pub(crate) fn not_paths(name: &Located<String>, kind: Type) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("features/not-paths", format!("a column that holds {kind} is to name the files of images"));
    let column = &name.value;
    at(diagnostic, name, format!("holds {kind}")).help(match kind {
        Type::Integer => format!("if these are names of files, say so with `data.types: {{{column}: text}}`"),
        _ => "name the column with the paths of PNG files".to_owned(),
    })
}

pub(crate) fn derived_paths(name: &Located<String>) -> Diagnostic {
    let title = "a derived column is to name the files of images";
    at(Diagnostic::error("features/not-paths", title), name, "images are read before columns are derived")
        .help("write the paths into a column of the data")
}

pub(crate) fn twice(name: &Located<String>, first: &Located<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/duplicate-column", format!("`{}` is named twice", name.value));
    let diagnostic = at(diagnostic, name, "would become the same feature again");
    let diagnostic =
        if name.value == first.value { diagnostic } else { diagnostic.note("SQL does not tell upper from lower case") };
    match first.place() {
        Some(place) => diagnostic.also(place, "first named here"),
        None => diagnostic,
    }
    .help("remove one of them")
}

pub(crate) fn shadows(name: &Located<String>, column: &str, context: &Context<'_>) -> Diagnostic {
    let title = "a derived column has the name of a column of the data";
    let diagnostic = Diagnostic::error("features/shadows-column", title);
    let text = if name.value == column {
        format!("{} has this column", context.source)
    } else {
        format!("{} has `{column}`, and SQL does not tell upper from lower case", context.source)
    };
    at(diagnostic, name, text).help("choose another name")
}

pub(crate) fn in_sql(
    name: &Located<String>,
    sql: &Located<String>,
    problem: &Problem,
    near_derived: Option<&str>,
    context: &Context<'_>,
) -> Diagnostic {
    let subject = format!("the derived column `{}`", name.value);
    if let ProblemKind::UnknownColumn { nearest, .. } = &problem.kind {
        // The same words as for a group, and derived columns count among the near names.
        let diagnostic =
            Diagnostic::error("features/unknown-column", "the features want a column that the data does not have");
        let text = format!("not among the {} columns of {}", context.columns, context.source);
        let diagnostic = match sql.place_of(problem.span.clone()) {
            Some(place) => diagnostic.at(place, text),
            None => diagnostic.note(text),
        };
        return match nearest.as_deref().or(near_derived) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("text stands in single quotes: 'Two year'"),
        };
    }
    problem.diagnostic(|part| sql.place_of(part), &subject)
}

pub(crate) fn cycle(
    name: &Located<String>,
    sql: &Located<String>,
    path: &[&str],
    span: &Range<usize>,
    context: &Context<'_>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/cycle", "derived columns need one another");
    let round: Vec<String> = path.iter().chain(path.first()).map(|name| format!("`{name}`")).collect();
    let text = if path.len() == 1 { format!("`{}` reads itself", name.value) } else { round.join(" reads ") };
    let place = sql.place_of(span.clone()).or_else(|| context.file.clone());
    let diagnostic = match place {
        Some(place) => diagnostic.at(place, text),
        None => diagnostic.note(text),
    };
    diagnostic.help("let one of them read columns of the data only")
}

pub(crate) fn no_features(spec: &FeatureSpec, context: &Context<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::error("features/empty", "the features come to nothing");
    let diagnostic = match &context.file {
        Some(place) if !spec.columns.is_empty() => diagnostic.at(place.clone(), "no group uses what is derived"),
        _ => diagnostic.note("there is no group with a column"),
    };
    diagnostic.help("add a group, such as `groups: [{numeric: [tenure], impute: median}]`")
}

pub(crate) fn unused(name: &Located<String>, kind: Type) -> Diagnostic {
    let diagnostic =
        Diagnostic::warning("features/unused-column", format!("nothing uses the derived column `{}`", name.value));
    at(diagnostic, name, format!("is {kind}, so that it is no feature by itself"))
        .help("name it in a group, or remove it")
}
