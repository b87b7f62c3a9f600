//! Tables read, judged and compared, beside the tools that a team would use.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use trainyard_judges::{PASSWORD, Postgres, postgres};

use super::learning::{HEAD, Stage, TIMES, line};
use super::measure::{in_turn, take};
use super::places::{Places, finish};
use crate::{judges, root};

const ROWS: u32 = 1_000_000;

/// The rows of the table that a database holds: the first of all.
const ROWS_OF_DATABASE: u32 = 200_000;

const STAGES: [Stage; 5] = [
    Stage {
        words: "12 expectations, 1,000,000 rows in memory",
        data: None,
        ours: "suite",
        peer: &["suite"],
        library: "Great Expectations",
        goal: 30.0,
        quality: "expectations met",
        additions: "",
    },
    Stage {
        words: "the same from the Parquet file",
        data: None,
        ours: "checks",
        peer: &["checks"],
        library: "polars, lazily",
        goal: 1.5,
        quality: "expectations met",
        additions: "",
    },
    Stage {
        words: "drift of 28 columns by 4 statistics, 500,000 rows against 500,000",
        data: None,
        ours: "drift",
        peer: &["drift"],
        library: "NumPy and SciPy, each sample sorted once",
        goal: 4.0,
        quality: "greatest Wasserstein distance",
        additions: "",
    },
    Stage {
        words: "a CSV file of 1,000,000 × 33 read",
        data: None,
        ours: "read",
        peer: &["read"],
        library: "polars",
        goal: 0.7,
        quality: "rows",
        additions: "",
    },
    Stage {
        words: "a table of 200,000 × 33 read from PostgreSQL",
        data: None,
        ours: "postgres",
        peer: &["postgres"],
        library: "pandas' `read_sql` with SQLAlchemy and psycopg",
        goal: 3.0,
        quality: "rows",
        additions: "",
    },
];

/// Measures every stage and gives the table.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    // Of their own, since Great Expectations brings much that the other peers do not need.
    judges::install(&root().join("benches/peers/data.txt"), &places.environment("peers-data"))?;
    let folder = places.kept("data")?;
    if !folder.join("all.csv").is_file() {
        finish(places.data().arg("make").arg(&folder).arg(ROWS.to_string()))?;
    }
    let expected = take(places.data().arg("expected"))?;
    let suite = folder.join("suite.json");
    fs::write(&suite, expected.result.to_string()).map_err(|error| format!("{}: {error}", suite.display()))?;
    let mut table = HEAD.to_owned();
    for stage in &STAGES {
        // It stands only while it is read, and so takes nothing from the other stages.
        let server = (stage.ours == "postgres").then(|| database(&folder)).transpose()?;
        let arguments = |command: &mut Command, of_peer: bool| {
            let file = |name: &str| folder.join(name);
            match stage.ours {
                "drift" => command.arg(file("then.parquet")).arg(file("now.parquet")),
                "read" => command.arg(file("all.csv")),
                "postgres" => {
                    command.arg(server.as_ref().map(|server| server.url("")).unwrap_or_default());
                    command.env("PGPASSWORD", PASSWORD)
                }
                _ if of_peer => command.arg(file("all.parquet")),
                _ => command.arg(file("all.parquet")).arg(&suite),
            };
        };
        let side = |mut command: Command, name: &str, of_peer: bool| {
            command.arg(name);
            arguments(&mut command, of_peer);
            take(&mut command)
        };
        let (ours, theirs) =
            in_turn(TIMES, || side(places.stages(), stage.ours, false), || side(places.data(), stage.peer[0], true))?;
        line(&mut table, stage, &ours, &theirs);
    }
    Ok(table)
}

/// Starts a PostgreSQL whose table `wide` has the first rows of all.
fn database(folder: &Path) -> Result<Postgres, String> {
    judges::install_postgres()?;
    let server = postgres().ok_or("PostgreSQL is absent")?;
    let csv = folder.join("all.csv");
    let text = fs::File::open(&csv).and_then(|file| BufReader::new(file).lines().next().transpose());
    let head = text.map_err(|error| format!("{}: {error}", csv.display()))?.unwrap_or_default();
    let kind = |name: &str| match name {
        "label" => "bigint",
        name if name.starts_with("cat") => "text",
        _ => "double precision",
    };
    let columns: Vec<String> = head.split(',').map(|name| format!("{name} {}", kind(name.trim_matches('"')))).collect();
    server.sql(&format!(
        "CREATE TABLE wide ({});\n\\copy wide FROM PROGRAM 'head -n {} \"{}\"' WITH (FORMAT csv, HEADER)\n\
         VACUUM ANALYZE wide;\n",
        columns.join(", "),
        ROWS_OF_DATABASE + 1,
        csv.display(),
    ));
    Ok(server)
}
