//! A search as SQL with bound values.

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::fault::{Fault, stored};
use super::runs;
use crate::{Attribute, Condition, Dataset, Order, OrderBy, RunRecord, Search, Subject, Test};

/// Collects the parts of a statement, and what is bound to its parameters.
#[derive(Default)]
struct Statement {
    joins: String,
    conditions: Vec<String>,
    order: Vec<String>,
    bound: Vec<Value>,
}

impl Statement {
    /// Binds a value and gives the parameter that stands for it.
    fn bind(&mut self, value: Value) -> String {
        self.bound.push(value);
        format!("?{}", self.bound.len())
    }

    fn text(&mut self, text: &str) -> String {
        self.bind(Value::Text(text.to_owned()))
    }

    /// Adds what a run has to meet. The value of the metric `by` is at hand in the column `first.value`.
    fn condition(&mut self, condition: &Condition, by: Option<&str>) {
        let part = match (&condition.subject, by) {
            (Subject::Metric(key), Some(by)) if key == by => match self.test(&condition.test, "first.value") {
                Some(test) => test,
                // The metric is there.
                None => String::from(if condition.test == Test::Null { "0" } else { "1" }),
            },
            (Subject::Metric(key), _) => self.exists("latest_metrics", key, &condition.test),
            (Subject::Param(key), _) => self.exists("params", key, &condition.test),
            (Subject::Tag(key), _) => self.exists("tags", key, &condition.test),
            (Subject::Attribute(attribute), _) => {
                let column = format!("runs.{}", column(*attribute));
                match self.test(&condition.test, &column) {
                    Some(test) => test,
                    None if condition.test == Test::Null => format!("{column} IS NULL"),
                    None => format!("{column} IS NOT NULL"),
                }
            }
            (Subject::Dataset(dataset), _) => {
                let column = match dataset {
                    Dataset::Name => "inputs.name",
                    Dataset::Digest => "inputs.digest",
                };
                let test = self.test(&condition.test, column).map_or_else(String::new, |test| format!(" AND {test}"));
                let not = if condition.test == Test::Null { "NOT " } else { "" };
                format!("{not}EXISTS (SELECT 1 FROM inputs WHERE inputs.run = runs.run{test})")
            }
        };
        self.conditions.push(part);
    }

    /// Looks for a row of a table of names and values.
    fn exists(&mut self, table: &str, key: &str, test: &Test) -> String {
        let key = self.text(key);
        let value = self.test(test, &format!("{table}.value")).map_or_else(String::new, |test| format!(" AND {test}"));
        let not = if *test == Test::Null { "NOT " } else { "" };
        format!("{not}EXISTS (SELECT 1 FROM {table} WHERE {table}.run = runs.run AND {table}.key = {key}{value})")
    }

    /// Gives what a column has to be; nothing where it only has to be there, or not.
    fn test(&mut self, test: &Test, column: &str) -> Option<String> {
        Some(match test {
            // NaN is stored as NULL, and is no number's equal.
            Test::Number(Order::NotEqual, number) => format!("{column} IS NOT {}", self.bind(Value::Real(*number))),
            Test::Number(order, number) => format!("{column} {} {}", sign(*order), self.bind(Value::Real(*number))),
            Test::Text(true, text) => format!("{column} = {}", self.text(text)),
            Test::Text(false, text) => format!("{column} <> {}", self.text(text)),
            // LIKE of SQLite takes `a` for `A`, GLOB does not.
            Test::Like(pattern, true) => format!("{column} GLOB {}", self.text(&glob(pattern))),
            Test::Like(pattern, false) => format!("{column} LIKE {}", self.text(pattern)),
            Test::In(texts, is_in) => {
                let bound: Vec<String> = texts.iter().map(|text| self.text(text)).collect();
                format!("{column} {}IN ({})", if *is_in { "" } else { "NOT " }, bound.join(", "))
            }
            Test::Null | Test::NotNull => return None,
        })
    }

    /// Adds something to order by; what a run does not have comes last, and NaN before that.
    fn order(&mut self, number: usize, by: &OrderBy) {
        let way = if by.descending { "DESC" } else { "ASC" };
        let (table, key) = match &by.subject {
            Subject::Metric(key) => ("latest_metrics", key),
            Subject::Param(key) => ("params", key),
            Subject::Tag(key) => ("tags", key),
            Subject::Attribute(Attribute::Started) => {
                return self.order.push(format!("runs.started_ms {way}"));
            }
            Subject::Attribute(attribute) => {
                return self.order.push(format!("runs.{} {way} NULLS LAST", column(*attribute)));
            }
            // No order is read as one of data sets.
            Subject::Dataset(_) => return,
        };
        let (name, key) = (format!("by{number}"), self.text(key));
        self.joins.push_str(&format!(" LEFT JOIN {table} AS {name} ON {name}.run = runs.run AND {name}.key = {key}"));
        self.order.push(format!("{name}.run IS NULL"));
        self.order.push(format!("{name}.value {way} NULLS LAST"));
    }

    fn run(mut self, tx: &Transaction<'_>, from: &str, limit: usize) -> Result<Vec<String>, Fault> {
        self.order.push("runs.sequence DESC".to_owned());
        let limit = self.bind(Value::Integer(stored(limit as u64)));
        let conditions = match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        };
        let sql = format!(
            "SELECT runs.run FROM {from}{}{conditions} ORDER BY {} LIMIT {limit}",
            self.joins,
            self.order.join(", ")
        );
        let mut statement = tx.prepare_cached(&sql)?;
        let found = statement.query_map(params_from_iter(self.bound), |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn runs(tx: &Transaction<'_>, search: &Search) -> Result<Vec<RunRecord>, Fault> {
    let found = match search.order.as_slice() {
        [OrderBy { subject: Subject::Metric(key), descending }] => by_metric(tx, search, key, *descending)?,
        order => {
            let mut statement = Statement::default();
            order.iter().enumerate().for_each(|(number, by)| statement.order(number, by));
            search.conditions.iter().for_each(|condition| statement.condition(condition, None));
            statement.run(tx, "runs", search.limit)?
        }
    };
    runs::records(tx, &found)
}

/// Finds runs in the order of one metric: down the index of its values, as far as the limit wants. Only where it wants
/// more are those looked for that the metric is NaN or absent for.
fn by_metric(tx: &Transaction<'_>, search: &Search, key: &str, descending: bool) -> Result<Vec<String>, Fault> {
    let mut first = Statement::default();
    let bound = first.text(key);
    first.conditions = vec![format!("first.key = {bound}"), "first.value IS NOT NULL".to_owned()];
    first.order.push(format!("first.value {}", if descending { "DESC" } else { "ASC" }));
    search.conditions.iter().for_each(|condition| first.condition(condition, Some(key)));
    // SQLite takes the tables of a CROSS JOIN in the order in which they are written.
    let from = "latest_metrics AS first CROSS JOIN runs ON runs.run = first.run";
    let mut found = first.run(tx, from, search.limit)?;
    let needs_a_number = search.conditions.iter().any(|condition| {
        condition.subject == Subject::Metric(key.to_owned())
            && matches!(condition.test, Test::Number(order, _) if order != Order::NotEqual)
    });
    if found.len() < search.limit && !needs_a_number {
        let mut rest = Statement::default();
        let bound = rest.text(key);
        rest.joins = format!(" LEFT JOIN latest_metrics AS held ON held.run = runs.run AND held.key = {bound}");
        rest.conditions.push("held.value IS NULL".to_owned());
        rest.order.push("held.run IS NULL".to_owned());
        search.conditions.iter().for_each(|condition| rest.condition(condition, None));
        found.extend(rest.run(tx, "runs", search.limit - found.len())?);
    }
    Ok(found)
}

const fn column(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Run => "run",
        Attribute::Name => "name",
        Attribute::Experiment => "experiment",
        Attribute::Status => "status",
        Attribute::Started => "started_ms",
        Attribute::Ended => "ended_ms",
    }
}

const fn sign(order: Order) -> &'static str {
    match order {
        Order::Equal => "=",
        Order::NotEqual => "<>",
        Order::Less => "<",
        Order::LessOrEqual => "<=",
        Order::Greater => ">",
        Order::GreaterOrEqual => ">=",
    }
}

/// Writes a pattern of `%` and `_` as one of `*` and `?`.
fn glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '*' | '?' | '[' => glob.extend(['[', c, ']']),
            other => glob.push(other),
        }
    }
    glob
}
