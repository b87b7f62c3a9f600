//! Optional tests: parts of the reference test, chosen by a predicate.

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use trainyard_diagnostics::Diagnostic;
use trainyard_expression::{Bound, Column, Settings, Type, compile};
use trainyard_spec::{DataSpec, Located, SplitSpec};

use super::{Error, Request};

/// Checks the predicates of all optional tests against the columns.
///
/// # Errors
/// All that is wrong with any of them.
pub fn check_optional_tests(spec: &SplitSpec, schema: &Schema, data: &DataSpec) -> Result<(), Vec<Error>> {
    let errors: Vec<Error> = spec
        .optional_tests
        .iter()
        .filter_map(|(name, sql)| predicate(name, sql, schema, data).err())
        .flatten()
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Selects the rows of every optional test.
pub(super) fn select(request: &Request<'_>, reference: &RecordBatch) -> Result<Vec<(String, RecordBatch)>, Error> {
    let mut tests = Vec::new();
    for (name, sql) in &request.spec.optional_tests {
        let schema = reference.schema();
        let bound = predicate(name, sql, &schema, request.data).map_err(|mut errors| errors.remove(0))?;
        let wrong = |cause: String| Error::Predicate {
            diagnostic: Box::new(sql.origin.point(
                Diagnostic::error("split/predicate", format!("optional test {}: {cause}", name.value)),
                "in this predicate",
            )),
        };
        let chosen = bound.evaluate(reference).map_err(|error| wrong(error.to_string()))?;
        let chosen =
            chosen.as_any().downcast_ref::<BooleanArray>().ok_or_else(|| wrong("it is no predicate".to_owned()))?;
        let rows = filter_record_batch(reference, chosen).map_err(|error| wrong(error.to_string()))?;
        tests.push((name.value.clone(), rows));
    }
    Ok(tests)
}

fn predicate(
    name: &Located<String>,
    sql: &Located<String>,
    schema: &Schema,
    data: &DataSpec,
) -> Result<Bound, Vec<Error>> {
    let columns: Vec<Column> = schema
        .fields()
        .iter()
        .filter_map(|field| Some(Column { name: field.name().clone(), kind: Type::of_arrow(field.data_type())? }))
        .collect();
    let target = data.target.column.value.as_str();
    let forbidden = [(target, "a test chosen by the target says nothing about the model")];
    let settings = Settings { columns: &columns, forbidden: &forbidden, fitted: false };
    let subject = format!("optional test {}", name.value);
    let expression = compile(&sql.value, &settings).map_err(|problems| {
        let told = problems.iter().map(|problem| problem.diagnostic(|range| sql.place_of(range), &subject));
        told.map(|diagnostic| Error::Predicate { diagnostic: Box::new(diagnostic) }).collect::<Vec<Error>>()
    })?;
    if expression.kind() != Type::Boolean {
        let problem = Diagnostic::error(
            "split/predicate",
            format!("{subject} is no predicate: its SQL gives {}", expression.kind().name()),
        );
        let diagnostic = sql
            .origin
            .point(problem, "this should be true or false")
            .help("compare it with something, as in `tenure < 6`");
        return Err(vec![Error::Predicate { diagnostic: Box::new(diagnostic) }]);
    }
    Ok(expression.bind(&[]))
}
