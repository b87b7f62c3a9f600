//! DataFusion, told to give the same rows in the same order each time.

use std::sync::Arc;
use std::thread;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::Dialect;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, SchemaError, TableReference};
use datafusion::datasource::MemTable;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::collect_partitioned;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use datafusion::sql::sqlparser::parser::ParserError;
use trainyard_spec::Located;

use crate::border::{self, BATCH, Table};
use crate::{Error, place};

/// What a long chain of conditions may take: the engine goes down one call for each.
const STACK: usize = 256 << 20;

/// What a query gives, as the bytes of Arrow's stream.
pub(crate) struct Rows {
    pub(crate) bytes: Vec<u8>,
    /// The names of its columns.
    pub(crate) columns: Vec<String>,
}

/// Runs a query over tables.
pub(crate) fn run(sql: &Located<String>, tables: Vec<(String, Table)>) -> Result<Rows, Error> {
    let engine = |cause: String| Error::Engine { cause };
    thread::scope(|scope| {
        let work = move || {
            // One thread: where parts of a plan run side by side, they take turns in the same order each time.
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.map_err(|error| engine(error.to_string()))?.block_on(rows(sql, tables))
        };
        let thread = thread::Builder::new().name("query".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        let ended = thread.map_err(|error| Error::Engine { cause: error.to_string() })?.join();
        ended.unwrap_or_else(|_| Err(Error::Engine { cause: "it stopped in the middle".to_owned() }))
    })
}

async fn rows(sql: &Located<String>, tables: Vec<(String, Table)>) -> Result<Rows, Error> {
    let names: Vec<String> = tables.iter().map(|(name, _)| name.clone()).collect();
    let failed = |error: DataFusionError| told(sql, &error);
    let context = context(tables).map_err(failed)?;
    let state = context.state();
    let statement = state.sql_to_statement(&sql.value, &Dialect::Generic).map_err(failed)?;
    if !matches!(&statement, Statement::Statement(statement) if matches!(**statement, Sql::Query(_))) {
        return Err(Error::NotSelect { place: sql.place() });
    }
    for table in state.resolve_table_references(&statement).map_err(failed)? {
        known(sql, &table, &names)?;
    }
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    let only_select = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_select.verify_plan(&plan).map_err(|_| Error::NotSelect { place: sql.place() })?;
    refuse_volatile(sql, &plan)?;
    computed(sql, &state, &plan).await
}

async fn computed(sql: &Located<String>, state: &SessionState, plan: &LogicalPlan) -> Result<Rows, Error> {
    let failed = |error: DataFusionError| told(sql, &error);
    let plan = state.create_physical_plan(plan).await.map_err(failed)?;
    let schema: SchemaRef = plan.schema();
    if let Some(field) = schema.fields().iter().find(|field| !is_taken(field.data_type())) {
        let (column, kind) = (field.name().clone(), field.data_type().to_string());
        let place = place::of_name(sql, None, &column);
        return Err(Error::Type { column, kind, place });
    }
    // The parts of a UNION ALL one after the other, as they are written.
    let parts = collect_partitioned(plan, state.task_ctx()).await.map_err(failed)?;
    let batches: Vec<_> = parts.into_iter().flatten().collect();
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Err(Error::NoRows { place: sql.place() });
    }
    let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
    Ok(Rows { bytes: border::from_engine(&schema, &batches)?, columns })
}

/// Makes a session whose answers depend on nothing but the tables.
fn context(tables: Vec<(String, Table)>) -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
    let options = config.options_mut();
    options.execution.planning_concurrency = 1;
    // The other form of a union begins with one of its parts at random; the other form of a group with a limit hashes
    // with a seed of the process.
    options.optimizer.prefer_existing_union = true;
    options.optimizer.enable_topk_aggregation = false;
    // Columns are called as their files call them.
    options.sql_parser.enable_ident_normalization = false;
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc()?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    for (name, table) in tables {
        let table = MemTable::try_new(table.schema, vec![table.batches])?;
        context.register_table(TableReference::bare(name), Arc::new(table))?;
    }
    Ok(context)
}

/// Refuses a table that the specification does not list.
fn known(sql: &Located<String>, table: &TableReference, names: &[String]) -> Result<(), Error> {
    let is_known = table.schema().is_none() && names.iter().any(|name| name == table.table());
    if is_known {
        return Ok(());
    }
    let place = place::of_name(sql, table.schema(), table.table());
    Err(Error::UnknownTable { table: table.to_string(), known: names.to_vec(), place })
}

/// Refuses functions that give another answer at another time.
fn refuse_volatile(sql: &Located<String>, plan: &LogicalPlan) -> Result<(), Error> {
    let mut found = None;
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| match part {
                Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                    found = Some((call.func.name().to_owned(), call.func.aliases().to_vec()));
                    Ok(TreeNodeRecursion::Stop)
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    });
    looked.map_err(|error| told(sql, &error))?;
    let Some((name, aliases)) = found else { return Ok(()) };
    let names = [vec![name.clone()], aliases].concat();
    let written = |name: &String| place::of_name(sql, None, name).filter(|place| Some(place) != sql.place().as_ref());
    let place = names.iter().find_map(written).or_else(|| sql.place());
    Err(Error::Volatile { function: name, place })
}

/// Says whether our tables have a type for what a column holds.
fn is_taken(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_taken(values),
        kind => {
            kind.is_integer()
                || matches!(
                    kind,
                    DataType::Null
                        | DataType::Boolean
                        | DataType::Float32
                        | DataType::Float64
                        | DataType::Decimal128(..)
                        | DataType::Utf8
                        | DataType::LargeUtf8
                        | DataType::Utf8View
                        | DataType::Date32
                        | DataType::Timestamp(..)
                )
        }
    }
}

/// Says what an error of the engine means.
fn told(sql: &Located<String>, error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::SQL(parser, _) => {
            let message = match parser.as_ref() {
                ParserError::ParserError(message) | ParserError::TokenizerError(message) => message.as_str(),
                ParserError::RecursionLimitExceeded => "it is nested too deeply",
            };
            let (cause, place) = place::of_message(sql, message);
            Error::Syntax { cause, place }
        }
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let qualifier = field.relation.as_ref().map(|table| table.table().to_owned());
                let known = valid_fields.iter().filter(|known| {
                    // Of a table that is named, its own columns are nearer than those of others.
                    qualifier.is_none() || known.relation.as_ref().map(TableReference::table) == qualifier.as_deref()
                });
                let mut known: Vec<String> = known.map(|known| known.name.clone()).collect();
                known.dedup();
                let place = place::of_name(sql, qualifier.as_deref(), &field.name);
                Error::UnknownColumn { column: field.flat_name(), known, place }
            }
            SchemaError::AmbiguousReference { field } => {
                let place = place::of_name(sql, None, &field.name);
                Error::Ambiguous { column: field.name.clone(), place }
            }
            other => Error::Failed { cause: other.to_string(), place: sql.place() },
        },
        other => {
            let message = other.message();
            let cause = message.lines().next().unwrap_or_default().trim().to_owned();
            Error::Failed { cause, place: sql.place() }
        }
    }
}
