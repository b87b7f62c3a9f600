//! Databases as streams: the rows, types and refusals of the table in memory, in batches.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use rusqlite::Connection;
use trainyard_data::ReadOptions;
use trainyard_files::DiskIo;
use trainyard_judges::{PASSWORD, Postgres, peak_memory, postgres};
use trainyard_sources::{Error, Runtime, Sink, content, spool, stream};

use crate::given::{data, read_from, said, set, told};
use crate::proxy::Proxy;

/// What a stream gave, since it began last.
#[derive(Default, Debug)]
struct Gathered {
    begins: usize,
    schema: Option<SchemaRef>,
    batches: Vec<RecordBatch>,
    /// Stops when so many batches came.
    most: Option<usize>,
}

impl Sink for Gathered {
    fn begin(&mut self, schema: &SchemaRef) -> Result<(), Error> {
        let begins = self.begins + 1;
        *self = Gathered { begins, schema: Some(schema.clone()), batches: Vec::new(), most: self.most };
        Ok(())
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), Error> {
        assert_eq!(Some(&batch.schema()), self.schema.as_ref());
        assert!((1..=65_536).contains(&batch.num_rows()), "{} rows at once", batch.num_rows());
        self.batches.push(batch);
        if self.most == Some(self.batches.len()) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl Gathered {
    fn table(&self) -> RecordBatch {
        concat_batches(self.schema.as_ref().unwrap(), &self.batches).unwrap()
    }
}

/// Streams what a `data` section names, below `root`, to a sink.
fn streamed_to(root: &Path, section: &str, sink: &mut dyn Sink) -> Result<(), Error> {
    let data = data(section).unwrap_or_else(|problems| panic!("{problems:?}"));
    stream(&DiskIo, root, &Runtime::default(), &data.source, &ReadOptions::of(&data), sink)
}

fn streamed(root: &Path, section: &str) -> Result<Gathered, Error> {
    let mut gathered = Gathered::default();
    streamed_to(root, section, &mut gathered).map(|()| gathered)
}

/// Compares a stream with the table in memory, which stands in the database's order where the section names no key.
fn same(root: &Path, section: &str) -> Gathered {
    let told = |error: Error| format!("{section}: {}", said(&error));
    let stream = streamed(root, section).map_err(told).unwrap();
    let table = read_from(root, section).map_err(told).unwrap();
    assert_eq!(stream.table().schema(), table.schema(), "{section}");
    assert_eq!(content(&stream.table()), content(&table), "{section}");
    assert_eq!(stream.begins, 1);
    stream
}

/// Columns whose types show only behind the rows of the first batch.
fn late(connection: &Connection) {
    connection
        .execute_batch(
            "CREATE TABLE late AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
             SELECT i AS id,
                CASE WHEN i = 149999 THEN 0.5 ELSE i END AS fraction,
                CASE WHEN i > 140000 THEN date('2020-01-01', '+' || (i % 999) || ' days') END AS day,
                date('2020-01-01', '+' || (i % 999) || ' days') AS seen,
                CASE WHEN i = 150000 THEN 'never' ELSE date('2020-01-01', '+' || (i % 999) || ' days') END AS note,
                CASE WHEN i % 3 = 0 THEN 'NA' ELSE '2024-02-29 12:30:00.25' END AS moment,
                NULL AS vacant,
                CASE WHEN i % 2 THEN 'NA' ELSE i END AS some
             FROM n",
        )
        .unwrap();
}

#[test]
fn a_stream_of_sqlite_has_the_types_that_all_values_tell() {
    let folder = tempfile::tempdir().unwrap();
    late(&Connection::open(folder.path().join("late.db")).unwrap());
    let section = |rest: &str| format!("  source: sqlite:///late.db?table=late\n  missing: [NA]\n{rest}  target: id");
    let found = same(folder.path(), &section(""));
    let schema = found.schema.as_ref().unwrap();
    let kinds: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    let (day, moment) = ("Date32", "Timestamp(µs)");
    assert_eq!(kinds, ["Int64", "Float64", day, day, "LargeUtf8", moment, "LargeUtf8", "Int64"]);
    assert_eq!(found.batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [65_536, 65_536, 18_928]);
    same(folder.path(), &section("  types: {id: text, seen: text, fraction: float}\n"));
    let dropped = same(folder.path(), &section("  drop: [vacant, seen]\n"));
    assert_eq!(dropped.schema.unwrap().fields().len(), 6);
    let query =
        "{url: 'sqlite:///late.db', query: 'SELECT * FROM late WHERE id > :n ORDER BY id DESC', parameters: {n: 9}}";
    same(folder.path(), &format!("  source: {query}\n  missing: [NA]\n  target: id"));
}

#[test]
fn long_texts_make_short_batches() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("long.db")).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
                SELECT i AS id, hex(zeroblob(500000)) AS text FROM n";
    connection.execute_batch(&format!("CREATE TABLE long AS {rows}")).unwrap();
    let found = same(folder.path(), "  source: sqlite:///long.db?table=long\n  target: id");
    assert_eq!(found.batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [17, 17, 17, 9]);
}

#[test]
fn a_stream_refuses_what_a_table_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("late.db")).unwrap();
    late(&connection);
    connection
        .execute_batch(
            "CREATE TABLE mixed AS SELECT id, CASE WHEN id = 131073 THEN 'five' ELSE id END AS value FROM late;
             CREATE TABLE vacant (id INTEGER);",
        )
        .unwrap();
    let cases = [
        ("mixed", "", "data/type-change", "row 131073: column value is integer but holds \"five\""),
        ("late", "  types: {note: date}\n", "data/type-change", "row 150000: column note is declared date"),
        ("late", "  types: {noted: date}\n", "data/unknown-typed-column", "noted"),
        ("late", "  drop: [noted]\n", "data/unknown-column", "note"),
        ("lat", "", "source/unknown-table", "did you mean `late`?"),
        ("vacant", "", "data/no-rows", "no row"),
    ];
    for (table, rest, code, words) in cases {
        let section = format!("  source: sqlite:///late.db?table={table}\n  missing: [NA]\n{rest}  target: id");
        let (found, said) = told(streamed(folder.path(), &section));
        assert_eq!(found, code, "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(said, told(read_from(folder.path(), &section)).1);
    }
    let file = told(streamed(folder.path(), "  source: late.csv\n  target: id"));
    assert_eq!(file.0, "source/no-database");
}

#[test]
fn a_query_that_gives_other_rows_each_time_is_one_reading_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    late(&Connection::open(folder.path().join("late.db")).unwrap());
    let section = |columns: &str| {
        let query = format!("SELECT id, {columns} FROM late WHERE id <= 600");
        format!("  source: {{url: 'sqlite:///late.db', query: '{query}'}}\n  target: id")
    };
    // The types are found in one reading and the values in another: here of the same type.
    let drawn = streamed(folder.path(), &section("random() AS draw, abs(random() % 2) AS coin")).unwrap().table();
    let column = |at: usize| drawn.column(at).as_primitive::<Int64Type>().values().iter().collect::<BTreeSet<_>>();
    assert_eq!((drawn.num_rows(), column(1).len(), column(2)), (600, 600, BTreeSet::from([&0, &1])));
    // Here each reading draws once whether its values are whole: what the first one says may not hold in the second.
    let section = section("CASE (SELECT random() & 1) WHEN 0 THEN 1 ELSE 0.5 END AS value");
    let (mut given, mut refused) = (0, 0);
    // That it is only ever one of both has a chance of 0.75^100.
    for _ in 0..100 {
        match streamed(folder.path(), &section) {
            Ok(found) => {
                assert_eq!(found.table().num_rows(), 600);
                given += 1;
            }
            Err(error) => {
                let said = said(&error);
                assert!(
                    said.contains("its rows are others each time it is asked") && said.contains("random()"),
                    "{said}"
                );
                refused += 1;
            }
        }
        if given > 0 && refused > 0 {
            return;
        }
    }
    panic!("{given} given, {refused} refused");
}

#[test]
fn who_takes_the_rows_may_stop() {
    let folder = tempfile::tempdir().unwrap();
    late(&Connection::open(folder.path().join("late.db")).unwrap());
    let mut gathered = Gathered { most: Some(2), ..Gathered::default() };
    let section = "  source: sqlite:///late.db?table=late\n  missing: [NA]\n  target: id";
    assert_eq!(streamed_to(folder.path(), section, &mut gathered), Err(Error::Interrupted));
    assert_eq!((gathered.begins, gathered.batches.len()), (1, 2));
}

fn rows(server: &Postgres) {
    server.sql(
        "CREATE TABLE rows AS SELECT n AS id, n / 8.0 AS amount, repeat('x', n % 90) AS note, n % 3 = 0 AS third,
            date '2020-01-01' + n % 999 AS day, timestamp '2020-01-01 12:00' + n * interval '1 second' AS moment,
            CASE WHEN n > 149000 THEN n END AS late, (n % 77)::numeric(9, 2) AS price
         FROM generate_series(1, 150000) n",
    );
}

#[test]
fn a_stream_of_postgresql_is_the_table() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    set(&[("PGPASSWORD", PASSWORD)]);
    rows(&server);
    let url = server.url("");
    for asked in [
        "query: 'SELECT * FROM rows ORDER BY id'".to_owned(),
        "query: 'SELECT * FROM rows WHERE id > :n ORDER BY id DESC', parameters: {n: 5}".to_owned(),
    ] {
        let found = same(folder.path(), &format!("  source: {{url: '{url}', {asked}}}\n  target: id"));
        assert_eq!(found.batches.len(), 3);
        same(folder.path(), &format!("  source: {{url: '{url}', {asked}}}\n  types: {{price: text}}\n  target: id"));
    }
    // What fails behind the first batches is no table, and what was taken of it counts for nothing.
    let section =
        format!("  source: {{url: '{url}', query: 'SELECT id, 1 / (140000 - id) AS x FROM rows'}}\n  target: id");
    let mut gathered = Gathered::default();
    let error = streamed_to(folder.path(), &section, &mut gathered).unwrap_err();
    assert!(said(&error).contains("division by zero"), "{}", said(&error));
    assert_eq!(gathered.begins, 1);
}

#[test]
fn a_stream_that_is_cut_off_begins_anew() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    set(&[("PGPASSWORD", PASSWORD)]);
    rows(&server);
    let section = |port: u16| {
        let url = server.url("?sslmode=disable").replace(&server.port().to_string(), &port.to_string());
        format!("  source: {{url: '{url}', query: 'SELECT * FROM rows ORDER BY id'}}\n  target: id")
    };
    let whole = streamed(folder.path(), &section(server.port())).unwrap().table();
    // Behind some batches, and before the first.
    for (cut, begins) in [(14_000_000, 3), (300_000, 3), (100, 1)] {
        let proxy = Proxy::new(server.port(), 2, cut);
        let found = streamed(folder.path(), &section(proxy.port)).unwrap_or_else(|error| panic!("{}", said(&error)));
        assert_eq!((found.begins, proxy.connections()), (begins, 3), "cut at {cut}");
        assert_eq!(content(&found.table()), content(&whole), "cut at {cut}");
        // The file of what was taken first is written anew.
        let proxy = Proxy::new(server.port(), 2, cut);
        let (file, data) = (folder.path().join(format!("{cut}.arrow")), data(&section(proxy.port)).unwrap());
        let options = ReadOptions::of(&data);
        spool(&DiskIo, folder.path(), &Runtime::default(), &data.source, &options, &file).unwrap();
        let read = trainyard_data::read(&DiskIo, &file, "rows", &ReadOptions::default()).unwrap();
        assert_eq!(content(&read), content(&whole), "cut at {cut}");
    }
    let never = Proxy::new(server.port(), usize::MAX, 14_000_000);
    let mut gathered = Gathered::default();
    let error = streamed_to(folder.path(), &section(never.port), &mut gathered).unwrap_err();
    assert_eq!((error.diagnostic().code.as_str(), gathered.begins), ("source/cut-off", 4));
    // Who stops is not asked again.
    let mut gathered = Gathered { most: Some(1), ..Gathered::default() };
    assert_eq!(streamed_to(folder.path(), &section(server.port()), &mut gathered), Err(Error::Interrupted));
    assert_eq!((gathered.begins, gathered.batches.len()), (1, 1));
}

/// Drops what it is given.
#[derive(Default)]
struct Counted(usize);

impl Sink for Counted {
    fn begin(&mut self, _: &SchemaRef) -> Result<(), Error> {
        self.0 = 0;
        Ok(())
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.0 += batch.num_rows();
        Ok(())
    }
}

/// As a table they hold more than 100 MiB.
const MANY: usize = 2_000_000;

const MOST: u64 = 48 << 20;

#[test]
fn a_stream_of_sqlite_holds_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let query = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
         SELECT i, i * 0.5 AS half, printf('%036d', i) AS name FROM n"
    );
    Connection::open(folder.path().join("many.db")).unwrap().execute_batch("CREATE TABLE t (i)").unwrap();
    let section = format!("  source: {{url: 'sqlite:///many.db', query: \"{query}\"}}\n  target: i");
    let peak = peak_memory("stream::a_stream_of_sqlite_holds_no_table", "streamed", || {
        let mut counted = Counted::default();
        streamed_to(folder.path(), &section, &mut counted).unwrap();
        assert_eq!(counted.0, MANY);
    });
    assert!(peak < MOST, "{} MiB at the peak", peak >> 20);
}

#[test]
fn a_stream_of_postgresql_holds_no_table() {
    const URL: &str = "TRAINYARD_MEMORY_URL";
    // The process that is measured asks the server of the one that measures.
    let given = std::env::var(URL).ok();
    let server = if given.is_none() { postgres() } else { None };
    let own = server.as_ref().map(|server| server.url("?sslmode=disable"));
    let Some(url) = given.or(own) else { return };
    set(&[("PGPASSWORD", PASSWORD), (URL, &url)]);
    let query = format!("SELECT n, n * 0.5 AS half, lpad(n::text, 36) AS name FROM generate_series(1, {MANY}) n");
    let section = format!("  source: {{url: '{url}', query: \"{query}\"}}\n  target: n");
    let folder = tempfile::tempdir().unwrap();
    let peak = peak_memory("stream::a_stream_of_postgresql_holds_no_table", "streamed", || {
        let mut counted = Counted::default();
        streamed_to(folder.path(), &section, &mut counted).unwrap();
        assert_eq!(counted.0, MANY);
    });
    assert!(peak < MOST, "{} MiB at the peak", peak >> 20);
}
