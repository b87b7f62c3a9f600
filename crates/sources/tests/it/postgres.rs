//! PostgreSQL: a server of our own, with real tables.

use std::path::Path;

use trainyard_data::{ReadOptions, type_name};
use trainyard_judges::{PASSWORD, Postgres, postgres, shared};
use trainyard_sources::{Error, content};
use trainyard_spec::ColumnType;

use crate::given::{csv, data, read_from, said, text};
use crate::proxy::Proxy;

/// Reads from the server, with the password where its own programs look for one.
fn read(server: &Postgres, folder: &Path, section: &str) -> Result<arrow_array::RecordBatch, Error> {
    let file = folder.join("pgpass");
    if !file.exists() {
        let escaped = PASSWORD.replace(':', "\\:");
        std::fs::write(&file, format!("# ours\nother:*:*:*:wrong\n*:*:shop:ada:{escaped}\n")).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, private).unwrap();
    }
    set("PGPASSFILE", file.to_str());
    let section = section.replace("URL", &server.url(""));
    read_from(folder, &section)
}

#[expect(unsafe_code, reason = "nextest runs each test in a process of its own")]
fn set(name: &str, value: Option<&str>) {
    // SAFETY: the test has started no thread that reads the environment.
    unsafe {
        match value {
            Some(value) => std::env::set_var(name, value),
            None => std::env::remove_var(name),
        }
    }
}

fn told(result: Result<arrow_array::RecordBatch, Error>) -> (String, String) {
    let error = result.expect_err("it is refused");
    (error.diagnostic().code, said(&error))
}

#[test]
fn every_type_comes_as_what_it_means() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    server.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE TABLE kinds (
            id bigint, ok boolean, small smallint, whole integer, single real, wide double precision, price numeric(12, 3),
            vast numeric, note text, code varchar(9), fixed char(4), day date, moment timestamp, zoned timestamptz,
            key uuid, document jsonb, list integer[], mood mood, address inet);
         INSERT INTO kinds VALUES
            (2, true, -7, 2147483647, 0.5, 1e300, 123456.789, 123456789012345678901234567890.5, 'é, \"x\"', '007', 'ab',
             '1999-12-31', '2024-02-29 12:30:00.25', '2024-02-29 12:30:00+02',
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', '{1,2}', 'glad', '10.0.0.1'),
            (1, false, NULL, NULL, 'NaN', '-Infinity', -0.001, 'NaN', '', '8', NULL, '0044-03-15', NULL, NULL, NULL, NULL,
             NULL, NULL, NULL);",
    );
    let section = |rest: &str| format!("  source: {{url: 'URL', {rest}}}\n  key: id\n  target: ok");
    let table =
        read(&server, folder.path(), &section("table: kinds")).unwrap_or_else(|error| panic!("{}", said(&error)));
    let options = ReadOptions {
        types: [("code", ColumnType::Text), ("moment", ColumnType::Timestamp), ("zoned", ColumnType::Timestamp)]
            .map(|(name, kind)| (name.to_owned(), kind))
            .into(),
        ..ReadOptions::default()
    };
    let expected = csv(
        "id,ok,small,whole,single,wide,price,vast,note,code,fixed,day,moment,zoned,key,document,list,mood,address\n\
         1,false,,,NaN,-inf,-0.001,NaN,,8,,0044-03-15,,,,,,,\n\
         2,true,-7,2147483647,0.5,1e300,123456.789,1.2345678901234568e29,\"é, \"\"x\"\"\",007,ab  ,1999-12-31,\
         2024-02-29 12:30:00.25,2024-02-29 10:30:00,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,\"{\"\"a\"\": 1}\",\"{1,2}\",glad,\
         10.0.0.1/32\n"
            .as_bytes(),
        &options,
    );
    assert_eq!(text(&table), text(&expected));
    assert_eq!(table.schema(), expected.schema());
    // The way with parameters takes the same bytes by another road.
    let query = "query: \"SELECT * FROM kinds WHERE id > :least AND day >= :day AND ok IN (:yes, :no)\", \
                 parameters: {least: 0, day: 0001-01-01, yes: true, no: \"f\"}";
    let again = read(&server, folder.path(), &section(query)).unwrap_or_else(|error| panic!("{}", said(&error)));
    assert_eq!(content(&again), content(&table));
    // Held to the types that it was found to have, the table is the same.
    let schema = table.schema();
    let types = schema.fields().iter().map(|field| format!("{}: {}", field.name(), type_name(field.data_type())));
    let held = format!("{}\n  types: {{{}}}", section("table: kinds"), types.collect::<Vec<_>>().join(", "));
    let held = read(&server, folder.path(), &held).unwrap_or_else(|error| panic!("{}", said(&error)));
    assert_eq!(content(&held), content(&table));
    // A decimal number that is declared text keeps its digits.
    let digits = format!("{}\n  types: {{vast: text, price: text}}", section("table: kinds"));
    let digits = text(&read(&server, folder.path(), &digits).unwrap());
    assert!(digits.contains("123456789012345678901234567890.5") && digits.contains("-0.001"), "{digits}");
    let whole = format!("{}\n  types: {{price: integer}}", section("table: kinds"));
    let (code, words) = told(read(&server, folder.path(), &whole));
    assert_eq!(code, "data/type-change");
    assert!(words.contains("row 1: column price is declared integer but holds \"123456.789\""), "{words}");
    server.sql("INSERT INTO kinds (id, day) VALUES (3, 'infinity')");
    let (code, words) = told(read(&server, folder.path(), &section("table: kinds")));
    assert_eq!(code, "data/type-change");
    assert!(words.contains("column day is date but holds \"infinity\""), "{words}");
    // What the message advises helps, and so does what means missing.
    assert!(words.contains("`data: {types: {day: text}}`"), "{words}");
    server.sql("UPDATE kinds SET moment = '-infinity', zoned = 'infinity' WHERE id = 3");
    let rows = "query: 'SELECT id, ok, day, moment, zoned FROM kinds ORDER BY id'";
    let as_text = format!("{}\n  types: {{day: text, moment: text, zoned: text}}", section(rows));
    let as_text = text(&read(&server, folder.path(), &as_text).unwrap_or_else(|error| panic!("{}", said(&error))));
    assert_eq!(
        as_text,
        "id,ok,day,moment,zoned\n1,false,0044-03-15,,\n2,true,1999-12-31,2024-02-29 12:30:00.250,2024-02-29 10:30:00\n\
         3,,infinity,-infinity,infinity\n"
    );
    let missing = format!("{}\n  missing: [infinity, -infinity]", section(rows));
    let missing = read(&server, folder.path(), &missing).unwrap_or_else(|error| panic!("{}", said(&error)));
    assert_eq!(missing.column(2).data_type(), table.schema().field_with_name("day").unwrap().data_type());
    assert_eq!(text(&missing).lines().last(), Some("3,,,,"));
}

#[test]
fn real_tables_are_those_of_their_files() {
    let Some(telco) = shared("data/telco_churn/customers.csv") else { return };
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(&telco).unwrap();
    let plain = csv(&bytes, &ReadOptions::default());
    let schema = plain.schema();
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let kind = match field.data_type().to_string().as_str() {
                "Int64" => "integer",
                "Float64" => "numeric",
                "Boolean" => "boolean",
                _ => "text",
            };
            format!("\"{}\" {}", field.name(), if field.name() == "TotalCharges" { "text" } else { kind })
        })
        .collect();
    server.load("customers", &columns.join(", "), &telco);
    let section = "  source: {url: 'URL', table: public.customers}\n  key: customerID\n  target: Churn\n  types: {TotalCharges: float}";
    let table = read(&server, folder.path(), section).unwrap_or_else(|error| panic!("{}", said(&error)));
    let mut lines: Vec<String> = text(&plain).lines().map(str::to_owned).collect();
    lines[1..].sort_by_key(|line| line.split(',').next().unwrap().to_owned());
    assert_eq!(text(&table).lines().map(str::to_owned).collect::<Vec<_>>(), lines);
    // Rows that moved in the server are the same table.
    server.sql("UPDATE customers SET tenure = tenure + 1; UPDATE customers SET tenure = tenure - 1;");
    assert_eq!(content(&read(&server, folder.path(), section).unwrap()), content(&table));
    server.sql("UPDATE customers SET tenure = tenure + 1 WHERE \"customerID\" = '7590-VHVEG'");
    assert_ne!(content(&read(&server, folder.path(), section).unwrap()), content(&table));
}

#[test]
fn what_the_server_refuses_is_explained() {
    let Some(mut server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    server.sql(
        "CREATE TABLE customers (id integer, tenure integer); INSERT INTO customers VALUES (1, 2), (2, 3);
                CREATE SCHEMA sales; CREATE TABLE sales.orders (id integer, amount integer);
                CREATE ROLE eve LOGIN PASSWORD 'other';",
    );
    let of = |rest: &str| format!("  source: {{url: 'URL', {rest}}}\n  target: tenure");
    let cases = [
        (of("table: custmers"), "source/unknown-table", "did you mean `customers`?"),
        (of("table: sales.order"), "source/unknown-table", "did you mean `sales.orders`?"),
        (of("table: 'customers\"; DROP TABLE customers; --\"'"), "source/unknown-table", "has no table"),
        (of("query: \"SELECT tenur FROM customers\""), "source/unknown-column", "did you mean `tenure`?"),
        (of("query: \"SELECT 1 FROM customer\""), "source/unknown-table", "did you mean `customers`?"),
        (of("query: \"SELECT 1; SELECT 2\""), "source/query", "multiple commands"),
        (of("query: \"DROP TABLE customers\""), "source/query", "gives no rows"),
        (of("query: \"SELECT 1) TO STDOUT; DROP TABLE customers; --\""), "source/query", "syntax error"),
        (of("query: \"INSERT INTO customers VALUES (3, 4) RETURNING id\""), "source/query", ""),
        (
            of("query: \"SELECT id FROM customers WHERE id > :least\", parameters: {least: many}"),
            "source/query",
            "many",
        ),
        (of("query: \"SELECT id FROM customers WHERE id > :least\""), "source/parameter", "least"),
        (of("query: \"SELECT id FROM customers WHERE id > 5\""), "data/no-rows", "mend a query that leaves out all"),
        (of("query: \"SELECT id, tenure AS id FROM customers\""), "data/duplicate-column", "`… AS other_id`"),
        (of("query: \"SELECT id AS \\\" \\\" FROM customers\""), "data/empty-name", "name it in a `query`"),
    ];
    for (section, code, words) in &cases {
        let found = told(read(&server, folder.path(), section));
        assert_eq!(found.0, *code, "{section}: {}", found.1);
        assert!(found.1.contains(words), "{section}: {}", found.1);
        assert!(!found.1.contains(PASSWORD), "{}", found.1);
        assert!(!found.1.contains("file"), "it is no file: {}", found.1);
    }
    let url = server.url("");
    let other = |from: &str, to: &str| format!("  source: {}?table=customers\n  target: tenure", url.replace(from, to));
    let same = other("ada@", "ada@");
    set("PGPASSWORD", Some("wr0ng"));
    let (code, words) = told(read(&server, folder.path(), &same));
    assert!(code == "source/login" && !words.contains("wr0ng") && words.contains("PGPASSWORD"), "{words}");
    set("PGPASSWORD", None);
    let (code, words) = told(read(&server, folder.path(), &other("ada@", "eve@")));
    assert!(code == "source/login" && words.contains("password"), "{words}");
    set("PGPASSWORD", Some("other"));
    let (code, words) = told(read(&server, folder.path(), &other("ada@", "eve@")));
    assert!(code == "source/query" && words.contains("permission denied"), "{words}");
    assert!(words.contains("for the right to read it"), "{words}");
    set("PGPASSWORD", Some(PASSWORD));
    let (code, words) = told(read(&server, folder.path(), &other("/shop", "/shp")));
    assert!(code == "source/unknown-database" && words.contains("/shp"), "{words}");
    server.stop();
    let (code, words) = told(read(&server, folder.path(), &same));
    assert!(code == "source/unreachable" && !words.contains(PASSWORD), "{words}");
}

#[test]
fn a_query_that_fails_and_a_server_that_takes_nobody_say_what_to_do() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    server.sql(
        "CREATE TABLE customers (id integer, tenure integer); INSERT INTO customers SELECT n, 3000 - n FROM generate_series(1, 5000) n;
         CREATE VIEW shares AS SELECT id, 1 / tenure AS tenure FROM customers;
         CREATE ROLE eve LOGIN PASSWORD 'other'; ALTER ROLE eve SET statement_timeout = '1s';
         CREATE DATABASE closed ALLOW_CONNECTIONS false;
         CREATE DATABASE narrow CONNECTION LIMIT 0;",
    );
    let of = |rest: &str| format!("  source: {{url: 'URL', {rest}}}\n  target: tenure");
    // The first rows came before: nothing of them is a table.
    let cases = [
        (of("query: 'SELECT id, 1 / tenure AS tenure FROM customers'"), "mend the query"),
        (of("query: 'SELECT id, :one / tenure AS tenure FROM customers', parameters: {one: 1}"), "mend the query"),
        (of("table: shares"), "mend the view"),
    ];
    for (section, words) in &cases {
        let found = told(read(&server, folder.path(), section));
        assert_eq!(found.0, "source/query", "{section}: {}", found.1);
        assert!(found.1.contains("division by zero") && found.1.contains(words), "{section}: {}", found.1);
    }
    set("PGPASSWORD", Some("other"));
    let url = server.url("").replace("ada@", "eve@");
    let late = format!("  source: {{url: '{url}', query: 'SELECT pg_sleep(600)::text AS tenure'}}\n  target: tenure");
    let (code, words) = told(read(&server, folder.path(), &late));
    assert!(code == "source/query" && words.contains("statement timeout") && words.contains("more time"), "{words}");
    let narrow = format!("  source: {}?table=customers\n  target: tenure", url.replace("/shop", "/narrow"));
    let (code, words) = told(read(&server, folder.path(), &narrow));
    assert!(code == "source/server" && words.contains("too many connections"), "{code}: {words}");
    set("PGPASSWORD", Some(PASSWORD));
    let closed = format!("  source: {}?table=customers\n  target: tenure", server.url("").replace("/shop", "/closed"));
    let (code, words) = told(read(&server, folder.path(), &closed));
    assert!(code == "source/server" && words.contains("not currently accepting connections"), "{code}: {words}");
}

#[test]
fn a_connection_that_breaks_is_tried_again_and_no_half_of_it_is_used() {
    let Some(mut server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    server.sql("CREATE TABLE rows AS SELECT n AS id, n * 2 AS amount, repeat('x', 50) AS note FROM generate_series(1, 20000) n");
    let section = "  source: {url: 'URL?sslmode=disable', table: rows}\n  key: id\n  target: amount";
    let whole = read(&server, folder.path(), section).unwrap();
    assert_eq!(whole.num_rows(), 20_000);
    let through = |proxy: &Proxy, section: &str| {
        let url = server.url("").replace(&server.port().to_string(), &proxy.port.to_string());
        read_from(folder.path(), &section.replace("URL", &url))
    };
    for cut in [0, 10, 500, 5000, 300_000, 1_000_000] {
        let proxy = Proxy::new(server.port(), 2, cut);
        let table = through(&proxy, section).unwrap_or_else(|error| panic!("cut at {cut}: {}", said(&error)));
        assert_eq!(content(&table), content(&whole), "cut at {cut}");
        assert_eq!(proxy.connections(), 3, "cut at {cut}");
    }
    let query = "  source:\n    url: URL?sslmode=disable\n    query: SELECT * FROM rows WHERE id > :n\n    parameters: {n: 0}\n  key: id\n  target: amount";
    assert_eq!(content(&through(&Proxy::new(server.port(), 1, 300_000), query).unwrap()), content(&whole));
    let never = Proxy::new(server.port(), usize::MAX, 300_000);
    let (code, words) = told(through(&never, section));
    assert!(code == "source/cut-off" && words.contains("nothing of what was read so far is used"), "{words}");
    assert_eq!(never.connections(), 4);
    server.stop();
    server.start();
    assert_eq!(content(&read(&server, folder.path(), section).unwrap()), content(&whole), "it is there again");
}

#[test]
fn connections_are_encrypted_as_they_are_asked_to_be() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let section = |host: &str, options: &str| {
        let url = server.url("").replace("127.0.0.1", host);
        format!(
            "  source: {{url: '{url}?{options}', query: 'SELECT ssl AS encrypted, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'}}\n  target: encrypted"
        )
    };
    let encrypted = |host: &str, options: &str| {
        let table =
            read(&server, folder.path(), &section(host, options)).unwrap_or_else(|error| panic!("{}", said(&error)));
        text(&table).lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(encrypted("127.0.0.1", "sslmode=disable"), "false,");
    assert_eq!(encrypted("127.0.0.1", "sslmode=prefer"), "true,TLSv1.3");
    assert_eq!(encrypted("127.0.0.1", "sslmode=require"), "true,TLSv1.3");
    let roots = format!("sslmode=verify-full&sslrootcert={}", server.certificate().display());
    assert_eq!(encrypted("localhost", &roots), "true,TLSv1.3");
    // The certificate is of another host; and of nobody that the system knows.
    for (host, options) in [("127.0.0.1", roots.as_str()), ("localhost", "sslmode=verify-full")] {
        let (code, words) = told(read(&server, folder.path(), &section(host, options)));
        assert!(["source/tls", "source/certificates"].contains(&code.as_str()), "{words}");
    }
    let absent = "sslmode=verify-full&sslrootcert=/nowhere.pem";
    assert_eq!(told(read(&server, folder.path(), &section("localhost", absent))).0, "source/certificates");
}

#[test]
fn a_reader_sees_one_moment_while_others_write() {
    let Some(server) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    server.sql("CREATE TABLE pairs AS SELECT n AS id, 0 AS side FROM generate_series(1, 50000) n");
    let section = "  source: {url: 'URL', table: pairs}\n  key: id\n  target: side";
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=8).for_each(|side| server.sql(&format!("UPDATE pairs SET side = {side}"))));
        for _ in 0..8 {
            let table = read(&server, folder.path(), section).unwrap();
            let sides: std::collections::BTreeSet<String> =
                text(&table).lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect();
            assert_eq!((table.num_rows(), sides.len()), (50_000, 1));
        }
        writer.join().unwrap();
    });
}

#[test]
fn an_address_with_a_password_is_refused_and_not_shown() {
    for source in [
        "postgresql://ada:s3cr3t@host/shop?table=t",
        "postgresql://host/shop?table=t&password=s3cr3t",
        "{url: 'postgresql://ada:s3cr3t@host/shop', table: t}",
    ] {
        let problems = data(&format!("  source: {source}\n  target: t")).expect_err("it holds a password");
        assert_eq!(problems[0].code, "spec/password");
        let style = trainyard_diagnostics::Style { color: true, width: 80 };
        let said = trainyard_diagnostics::render_all(&problems, &style, "");
        assert!(!said.contains("s3cr3t") && said.contains("trainyard.yaml, line 3"), "{said}");
    }
}
