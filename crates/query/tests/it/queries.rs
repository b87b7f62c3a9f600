//! Joins, groups and windows beside DuckDB; refusals with their places; the same bytes each time.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_diagnostics::{Diagnostic, Source};
use trainyard_files::DiskIo;
use trainyard_query::{Error, read};
use trainyard_spec::{DataSpec, Located, SpecFiles, resolve};

/// A folder of files, over which queries are asked.
struct Shop {
    folder: TempDir,
}

/// Customers in another order than their keys', and their orders, of which some have none and some are nobody's.
fn shop() -> Shop {
    let (mut customers, mut orders) =
        ("customerID,region,since,vip\n".to_owned(), "order_id,customer,amount,day\n".to_owned());
    let mut lines = String::new();
    for at in 0..300_u32 {
        let id = at * 77 % 300;
        let vip = if id % 3 == 0 { "true" } else { "false" };
        let region = ["north", "south", ""][(id % 3) as usize];
        writeln!(customers, "c{id:03},{region},20{:02}-0{}-1{},{vip}", id % 20, id % 9 + 1, id % 10).unwrap();
        writeln!(lines, "{{\"customerID\": \"c{id:03}\", \"calls\": {}, \"zip\": \"0{:04}\"}}", id % 5, id * 31)
            .unwrap();
    }
    for at in 0..1000_u32 {
        let amount = f64::from(at * 37 % 10_000) / 8.0;
        writeln!(orders, "{at},c{:03},{amount},2024-0{}-2{}", at * 13 % 310, at % 9 + 1, at % 9).unwrap();
    }
    let shop = Shop { folder: tempfile::tempdir().unwrap() };
    shop.write("customers.csv", customers.as_bytes());
    shop.write("orders.csv", orders.as_bytes());
    shop.write("calls.jsonl", lines.as_bytes());
    shop
}

impl Shop {
    fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(file), bytes).unwrap();
    }

    /// Gives what a project says of its data; `more` follows the section of the source.
    fn data(&self, sql: &str, tables: &str, more: &str) -> DataSpec {
        let indented: String = sql.lines().map(|line| format!("      {line}\n")).collect();
        let project = format!(
            "name: shop\ndata:\n  source:\n    sql: |\n{indented}    tables: {tables}\n  target: {{column: vip, task: binary, \
             positive: \"true\"}}\n{more}active: {{split: 1, features: 1, model: 1}}\n"
        );
        let version = |file: &str, text: &str| [(1, Source::new(file, text))].into();
        let files = SpecFiles {
            project: Source::new("trainyard.yaml", project),
            environment: None,
            known_environments: Vec::new(),
            overrides: Vec::new(),
            splits: version("versions/splits/v1.yaml", "shares: {train: 0.8, reference_test: 0.2}\n"),
            features: version("versions/features/v1.yaml", "groups: [{numeric: [amount]}]\n"),
            models: version("versions/models/v1.yaml", "candidates: {dummy: }\n"),
            lock: None,
            choose: Default::default(),
        };
        resolve(&files).unwrap_or_else(|problems| panic!("{problems}")).project.data
    }

    fn ask(&self, data: &DataSpec) -> Result<RecordBatch, Error> {
        let place = |_: &Located<String>, file: &Located<String>| -> PathBuf { self.folder.path().join(&file.value) };
        read(&DiskIo, data, &place)
    }

    fn rows(&self, sql: &str) -> RecordBatch {
        self.ask(&self.data(sql, TABLES, "")).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn refusal(&self, sql: &str) -> Diagnostic {
        self.ask(&self.data(sql, TABLES, "")).expect_err(sql).diagnostic()
    }
}

const TABLES: &str = "{customers: customers.csv, orders: orders.csv, calls: calls.jsonl}";

/// Gives a table as rows of texts, as CSV has them.
fn cells(table: &RecordBatch) -> Vec<Vec<String>> {
    let text = String::from_utf8(trainyard_data::to_csv(table)).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// What DuckDB says to the same query over the same files: names, then rows.
const JUDGE: &str = "
import duckdb
connection = duckdb.connect()
folder = data['folder']
connection.execute(f\"CREATE VIEW customers AS SELECT * FROM read_csv('{folder}/customers.csv')\")
connection.execute(f\"CREATE VIEW orders AS SELECT * FROM read_csv('{folder}/orders.csv')\")
connection.execute(f\"CREATE VIEW calls AS SELECT * FROM read_json('{folder}/calls.jsonl', columns={{'customerID': 'VARCHAR', 'calls': 'BIGINT', 'zip': 'VARCHAR'}})\")
answer = []
for sql in data['queries']:
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    answer.append([names] + [[None if cell is None else cell if isinstance(cell, (int, float)) else str(cell) for cell in row] for row in found.fetchall()])
";

/// Each ends in a total order.
const QUERIES: [&str; 7] = [
    "SELECT o.order_id, o.amount, c.region, c.vip FROM orders AS o JOIN customers AS c ON c.customerID = o.customer
     ORDER BY o.order_id",
    "SELECT c.customerID, c.vip, count(o.amount) AS orders, sum(o.amount) AS paid, min(o.day) AS first_day, max(o.amount) AS most
     FROM customers AS c LEFT JOIN orders AS o ON o.customer = c.customerID
     GROUP BY c.customerID, c.vip ORDER BY c.customerID",
    "SELECT region, count(*) AS customers, sum(CASE WHEN vip THEN 1 ELSE 0 END) AS vips FROM customers
     GROUP BY region HAVING count(*) > 10 ORDER BY region NULLS FIRST",
    "WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY customer ORDER BY day DESC, order_id) AS place FROM orders)
     SELECT r.customer, r.order_id, r.amount, k.calls FROM ranked AS r JOIN calls AS k ON k.customerID = r.customer
     WHERE r.place = 1 ORDER BY r.customer",
    "SELECT customerID, zip FROM calls WHERE calls > (SELECT avg(calls) FROM calls) ORDER BY customerID",
    "SELECT customerID, upper(substring(region, 1, 2)) AS short, extract(year FROM since) AS year,
     regexp_replace(customerID, '^c0*', '') AS digits FROM customers WHERE region LIKE 'n%' ORDER BY customerID",
    "SELECT customer AS id FROM orders EXCEPT SELECT customerID FROM customers ORDER BY id",
];

#[test]
fn duckdb_gives_the_same_rows() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let shop = shop();
    let folder = shop.folder.path().to_str().unwrap();
    let answers = judge.run(JUDGE, &json!({ "folder": folder, "queries": QUERIES }));
    for (sql, answer) in QUERIES.iter().zip(answers.as_array().unwrap()) {
        let found = cells(&shop.rows(sql));
        let answer = answer.as_array().unwrap();
        assert_eq!(found.len(), answer.len(), "{sql}");
        assert!(found.len() > 2, "{sql}");
        for (ours, theirs) in found.iter().zip(answer) {
            let theirs = theirs.as_array().unwrap();
            assert_eq!(ours.len(), theirs.len(), "{sql}: {ours:?}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                let same = match theirs {
                    Value::Null => ours.is_empty(),
                    Value::Bool(truth) => *ours == truth.to_string(),
                    // Amounts are eighths, so that sums are exact in any order.
                    Value::Number(number) => ours.parse::<f64>().ok() == number.as_f64(),
                    other => other.as_str() == Some(ours),
                };
                assert!(same, "{sql}: {ours} and {theirs}");
            }
        }
    }
}

#[test]
fn the_same_query_gives_the_same_bytes_in_the_same_order() {
    let shop = shop();
    let queries = [
        "SELECT customer, avg(amount / 3) AS mean, stddev(amount) AS spread FROM orders GROUP BY customer",
        "SELECT c.*, o.amount FROM customers AS c JOIN orders AS o ON o.customer = c.customerID",
        "SELECT id, sum(weight) AS weight FROM (SELECT customer AS id, amount / 7 AS weight FROM orders
         UNION ALL SELECT customerID, calls / 3.0 FROM calls UNION ALL SELECT customer, 0.1 FROM orders) GROUP BY id",
    ];
    for sql in queries {
        let first = trainyard_data::to_parquet(&shop.rows(sql)).unwrap();
        for _ in 0..5 {
            assert!(trainyard_data::to_parquet(&shop.rows(sql)).unwrap() == first, "{sql}");
        }
    }
    // Parts of a UNION ALL come as they are written, rows of a table as they lie.
    let union = shop.rows("SELECT order_id AS number FROM orders UNION ALL SELECT calls FROM calls");
    let numbers: Vec<String> = cells(&union).into_iter().flatten().skip(1).collect();
    assert_eq!(numbers.len(), 1300);
    assert!(numbers.iter().take(1000).enumerate().all(|(at, number)| number.parse() == Ok(at)));
}

#[test]
fn results_have_the_types_of_tables_and_declared_ones_hold_on_both_sides() {
    let shop = shop();
    shop.write("codes.csv", b"zip,code\n00001,7\n00031,8\n");
    let tables = "{calls: calls.jsonl, codes: codes.csv, customers: customers.csv}";
    let sql = "SELECT k.customerID, k.calls, CAST(2.5 AS DECIMAL(10, 2)) AS price, c.code AS code, row_number() OVER () AS place,
               u.since, CAST(u.since AS TIMESTAMP) AS moment, u.vip
               FROM calls AS k JOIN codes AS c ON c.zip = k.zip JOIN customers AS u ON u.customerID = k.customerID";
    let data = shop.data(sql, tables, "  types: {zip: text, code: text, calls: float}\n  drop: [customerID]\n");
    let table = shop.ask(&data).unwrap_or_else(|error| panic!("{error}"));
    let schema = table.schema();
    let types =
        schema.fields().iter().map(|field| (field.name().as_str(), trainyard_data::type_name(field.data_type())));
    let expected = [
        ("calls", "float"),
        ("price", "float"),
        ("code", "text"),
        ("place", "integer"),
        ("since", "date"),
        ("moment", "timestamp"),
        ("vip", "boolean"),
    ];
    assert_eq!(types.collect::<Vec<_>>(), expected);
    assert_eq!(table.num_rows(), 1, "of the codes, which kept their zeros, one is a customer's");
    let unknown = shop.ask(&shop.data(sql, tables, "  types: {zipp: text}\n")).unwrap_err().diagnostic();
    assert_eq!(unknown.code, "data/unknown-typed-column");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let shop = shop();
    let mut wrong = Vec::new();
    for (sql, code, marked, said) in [
        ("SELECT * FORM customers", "query/syntax", "FORM", "mend the query"),
        ("SELECT *\nFROM custmers", "query/unknown-table", "custmers", "did you mean `customers`?"),
        ("SELECT * FROM other.customers", "query/unknown-table", "customers", "did you mean `customers`?"),
        ("SELECT c.regin FROM customers AS c", "query/unknown-column", "regin", "did you mean `region`?"),
        ("SELECT 'regin', regin FROM customers", "query/unknown-column", "regin", "did you mean `region`?"),
        ("SELECT customerid FROM customers", "query/unknown-column", "customerid", "did you mean `customerID`?"),
        (
            "SELECT customerID FROM customers JOIN calls ON true",
            "query/ambiguous-column",
            "customerID",
            "write the table's name before it",
        ),
        ("SELECT *, random() AS r FROM customers", "query/volatile", "random", "write the value itself"),
        ("SELECT * FROM customers WHERE since < now()", "query/volatile", "now", "write the value itself"),
        ("SELECT * FROM customers WHERE since < current_date", "query/volatile", "current_date", "write the value"),
        (
            "SELECT * FROM customers WHERE vip IN (SELECT uuid() = 'a')",
            "query/volatile",
            "uuid",
            "write the value itself",
        ),
        ("SELECT array_agg(day) AS days FROM orders", "query/result-type", "days", "CAST("),
        ("SELECT INTERVAL '1 day' AS span FROM customers", "query/result-type", "span", "cast it"),
        ("SELECT *, foo(vip) FROM customers", "query/failed", "", "mend the query"),
        ("SELECT region, count(*) FROM customers", "query/failed", "", "mend the query"),
        ("SELECT 1 / (calls - calls) AS none FROM calls", "query/failed", "", "mend the query"),
        ("SELECT * FROM customers WHERE region = 'west'", "query/no-rows", "", "look at its conditions"),
        (
            "SELECT customerID AS region, region FROM customers",
            "query/ambiguous-column",
            "region",
            "another name with AS",
        ),
    ] {
        let problem = match shop.ask(&shop.data(sql, TABLES, "")) {
            Ok(table) => {
                wrong.push(format!("{sql} gives {} rows", table.num_rows()));
                continue;
            }
            Err(error) => error.diagnostic(),
        };
        let place = problem.primary.as_ref().map(|label| &label.place);
        let text = place.map_or("", |place| &place.source.text[place.span.clone()]);
        let is_there = place.is_none_or(|place| place.source.name == "trainyard.yaml")
            && (!code.starts_with("query/") || if marked.is_empty() { !text.is_empty() } else { text == marked });
        if problem.code != code || !problem.help.iter().any(|help| help.contains(said)) || !is_there {
            wrong.push(format!("{sql}: {} {}, at {text:?}, {:?}", problem.code, problem.title, problem.help));
        }
        if sql.contains("'regin'") {
            let place = &problem.primary.as_ref().unwrap().place;
            assert!(place.source.text[..place.span.start].ends_with("'regin', "), "the text is not the column");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_but_one_select_is_run() {
    let shop = shop();
    let aside = shop.folder.path().join("aside");
    let copy = format!("COPY customers TO '{}' STORED AS CSV", aside.display());
    let external =
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}/orders.csv'", shop.folder.path().display());
    for sql in [
        copy.as_str(),
        external.as_str(),
        "CREATE TABLE t AS SELECT * FROM customers",
        "CREATE VIEW v AS SELECT * FROM customers",
        "INSERT INTO customers SELECT * FROM customers",
        "DELETE FROM customers",
        "DROP TABLE customers",
        "SET datafusion.execution.target_partitions = 4",
        "EXPLAIN SELECT * FROM customers",
        "SHOW TABLES",
        "BEGIN",
        "SELECT * FROM customers; SELECT * FROM orders",
        "SELECT * INTO t FROM customers",
    ] {
        let problem = shop.refusal(sql);
        assert!(
            ["query/not-a-select", "query/failed", "query/syntax"].contains(&problem.code.as_str()),
            "{sql}: {}",
            problem.code
        );
    }
    assert!(!aside.exists());
    let file = format!("SELECT * FROM '{}/orders.csv'", shop.folder.path().display());
    assert_eq!(shop.refusal(&file).code, "query/unknown-table");
}

#[test]
fn a_file_that_is_no_table_is_pointed_at() {
    let shop = shop();
    shop.write("ragged.csv", b"a,b\n1,2\n3\n");
    for (file, code, near) in
        [("custmers.csv", "data/missing-file", "customers.csv"), ("ragged.csv", "data/ragged-row", "")]
    {
        let data = shop.data("SELECT * FROM t", &format!("{{t: {file}}}"), "");
        let problem = shop.ask(&data).unwrap_err().diagnostic();
        assert_eq!(problem.code, code);
        assert!(problem.help.iter().any(|help| help.contains(near)), "{:?}", problem.help);
        let place = &problem.primary.as_ref().unwrap().place;
        let (source, marked) = (place.source.name.as_str(), &place.source.text[place.span.clone()]);
        assert!(source == "ragged.csv" || (source, marked) == ("trainyard.yaml", "custmers.csv"), "{source}: {marked}");
    }
}

#[test]
fn files_of_other_forms_and_patterns_are_tables() {
    let shop = shop();
    let parquet = trainyard_data::to_parquet(&shop.rows("SELECT customerID, calls FROM calls")).unwrap();
    shop.write("calls.parquet", &parquet);
    let text = fs::read_to_string(Path::new(shop.folder.path()).join("orders.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    for (part, rows) in rows.lines().collect::<Vec<_>>().chunks(400).enumerate() {
        shop.write(&format!("part-{part}.csv"), format!("{header}\n{}\n", rows.join("\n")).as_bytes());
    }
    let sql = "SELECT o.*, k.calls FROM orders AS o JOIN calls AS k ON k.customerID = o.customer";
    let whole = cells(&shop.rows(sql));
    let parts = shop.ask(&shop.data(sql, "{orders: part-*.csv, calls: calls.parquet}", "")).unwrap();
    assert!(cells(&parts) == whole && whole.len() > 900);
}

#[test]
fn a_deep_query_is_refused_or_runs() {
    let shop = shop();
    let deep = format!("SELECT {}calls{} AS calls FROM calls", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(shop.refusal(&deep).code, "query/syntax");
    let long = format!("SELECT * FROM calls WHERE {}", vec!["calls < 9"; 2000].join(" AND "));
    assert_eq!(shop.rows(&long).num_rows(), 300);
}
