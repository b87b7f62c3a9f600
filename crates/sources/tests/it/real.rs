//! Real tables, which the databases' own programs and Python load, are those of their files.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use serde_json::json;
use trainyard_data::ReadOptions;
use trainyard_files::DiskIo;
use trainyard_judges::{PASSWORD, postgres, python, shared};
use trainyard_spec::ColumnType;

use crate::given::{read_from, said, set, text};

/// A table of the shared data.
struct Real {
    file: &'static str,
    target: &'static str,
    /// What counts as missing.
    missing: &'static [&'static str],
    /// A column of numbers with blanks among them, which a database can only hold as text.
    blanks: Option<&'static str>,
}

const TABLES: [Real; 4] = [
    Real { file: "telco_churn/customers.csv", target: "Churn", missing: &[], blanks: Some("TotalCharges") },
    Real { file: "adult/adult.csv", target: "income", missing: &["?"], blanks: None },
    Real { file: "california_housing/housing.csv", target: "median_house_value", missing: &[], blanks: None },
    Real { file: "bike_sharing/day.csv", target: "cnt", missing: &[], blanks: None },
];

impl Real {
    /// Reads the file itself.
    fn expected(&self, path: &Path) -> RecordBatch {
        let options = ReadOptions {
            missing: self.missing.iter().map(|&text| text.to_owned()).collect(),
            types: self.blanks.iter().map(|&name| (name.to_owned(), ColumnType::Float)).collect(),
            ..ReadOptions::default()
        };
        trainyard_data::read(&DiskIo, path, self.file, &options).unwrap()
    }

    /// Gives the columns as a database is told of them: names and types, of which `names` has one for each of ours.
    fn columns(&self, table: &RecordBatch, names: &dyn Fn(&DataType) -> &'static str) -> Vec<String> {
        let schema = table.schema();
        let fields = schema.fields().iter();
        fields
            .map(|field| {
                let kind = if self.blanks == Some(field.name()) { &DataType::LargeUtf8 } else { field.data_type() };
                format!("\"{}\" {}", field.name(), names(kind))
            })
            .collect()
    }

    /// Compares what a query gives with the file.
    fn holds(&self, folder: &Path, source: &str, expected: &RecordBatch) {
        let types = self.blanks.map(|name| format!("  types: {{{name}: float}}\n")).unwrap_or_default();
        let section = format!("  source: {source}\n{types}  missing: {:?}\n  target: {}", self.missing, self.target);
        let table = read_from(folder, &section).unwrap_or_else(|error| panic!("{source}: {}", said(&error)));
        assert_eq!(table.schema(), expected.schema(), "{source}");
        assert_eq!(table.num_rows(), expected.num_rows(), "{source}");
        let (found, wanted) = (text(&table), text(expected));
        let other = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        assert_eq!(other, None, "{source}");
    }
}

#[test]
fn postgresql_gives_real_tables_as_their_files_do() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    set(&[("PGPASSWORD", PASSWORD)]);
    let names = |kind: &DataType| match kind {
        DataType::Int64 => "integer",
        DataType::Float64 => "double precision",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        _ => "text",
    };
    for (at, real) in TABLES.iter().enumerate() {
        let Some(path) = shared(&format!("data/{}", real.file)) else { return };
        let expected = real.expected(&path);
        let columns = real.columns(&expected, &names).join(", ");
        let schema = expected.schema();
        let quoted: Vec<String> = schema.fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
        let quoted = quoted.join(", ");
        // COPY does not fill pages in the order of the file; numbers it gives in that order.
        server.sql(&format!(
            "CREATE TABLE real{at} (line bigserial, {columns});\n\
             \\copy real{at} ({quoted}) FROM '{}' WITH (FORMAT csv, HEADER, NULL '')\n",
            path.display()
        ));
        let url = server.url("");
        let plain = format!("{{url: '{url}', query: 'SELECT {quoted} FROM real{at} ORDER BY line'}}");
        real.holds(folder.path(), &plain, &expected);
        let with_parameters = format!(
            "{{url: '{url}', query: 'SELECT {quoted} FROM real{at} WHERE line >= :first ORDER BY line', \
             parameters: {{first: 1}}}}"
        );
        real.holds(folder.path(), &with_parameters, &expected);
    }
}

#[test]
fn sqlite_gives_real_tables_as_their_files_do() {
    let Some(judge) = python("core") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Days are texts there, which are found to be days.
    let names = |kind: &DataType| match kind {
        DataType::Int64 => "INTEGER",
        DataType::Float64 => "REAL",
        _ => "TEXT",
    };
    for (at, real) in TABLES.iter().enumerate() {
        let Some(path) = shared(&format!("data/{}", real.file)) else { return };
        let expected = real.expected(&path);
        let script = r#"
import csv, sqlite3
with open(data["csv"], newline="") as file:
    rows = list(csv.reader(file))[1:]
connection = sqlite3.connect(data["database"])
connection.execute(f"CREATE TABLE {data['table']} ({', '.join(data['columns'])})")
marks = ", ".join("?" * len(data["columns"]))
rows = [[cell if cell else None for cell in row] for row in rows]
connection.executemany(f"INSERT INTO {data['table']} VALUES ({marks})", rows)
connection.commit()
answer = len(rows)
"#;
        let told = json!({
            "csv": path, "database": folder.path().join("real.db"), "table": format!("real{at}"),
            "columns": real.columns(&expected, &names),
        });
        assert_eq!(judge.run(script, &told), expected.num_rows());
        let source = format!("{{url: 'sqlite:///real.db', query: SELECT * FROM real{at} ORDER BY rowid}}");
        real.holds(folder.path(), &source, &expected);
    }
}
