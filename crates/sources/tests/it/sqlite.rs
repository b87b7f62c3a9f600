//! SQLite: tables and queries of files that Python's own module could have written.

use std::path::Path;

use rusqlite::Connection;
use trainyard_data::ReadOptions;
use trainyard_sources::content;

use crate::given::{csv, read_from, said, text};

fn shop(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("shop.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE customers (id TEXT, tenure INTEGER, charge REAL, since TEXT, note, \"odd \"\"name\" INTEGER);
             INSERT INTO customers VALUES
                ('b', 3, 2.5, '2024-01-02', NULL, 1), ('a', 1, 2, '2024-01-01', ' ', 2), ('c', NULL, NULL, NULL, 'x', 3);
             CREATE TABLE \"select\" (id INTEGER, churn TEXT);
             INSERT INTO \"select\" VALUES (10, 'no'), (9, 'yes');
             CREATE TABLE mixed (id INTEGER, value);
             INSERT INTO mixed VALUES (1, 5), (2, 'five');
             CREATE TABLE pictures (id INTEGER, value BLOB);
             INSERT INTO pictures VALUES (1, x'00ff');
             CREATE TABLE latin (id INTEGER, value TEXT);
             INSERT INTO latin VALUES (1, CAST(x'e9e8' AS TEXT));
             CREATE TABLE vacant (id INTEGER);",
        )
        .unwrap();
    connection
}

const CUSTOMERS: &str = "id,tenure,charge,since,note,\"odd \"\"name\"\n\
                         a,1,2.0,2024-01-01,,2\nb,3,2.5,2024-01-02,,1\nc,,,,x,3\n";

#[test]
fn a_table_is_read_sorted_by_its_key_and_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let connection = shop(folder.path());
    let read = |section: &str| read_from(folder.path(), section).unwrap_or_else(|error| panic!("{}", said(&error)));
    let section = "  source: sqlite:///shop.db?table=customers\n  key: id\n  target: tenure";
    let table = read(section);
    assert_eq!(text(&table), text(&csv(CUSTOMERS.as_bytes(), &ReadOptions::default())));
    assert_eq!(content(&table), content(&read(section)));
    let by_section = read("  source: {url: 'sqlite:///shop.db', table: main.customers}\n  key: id\n  target: tenure");
    assert_eq!(content(&by_section), content(&table), "how it is asked for does not matter");
    let absolute = format!(
        "  source: sqlite:///{}?table=customers\n  key: id\n  target: tenure",
        folder.path().join("shop.db").display()
    );
    assert_eq!(content(&read(&absolute)), content(&table));
    let unsorted = read("  source: sqlite:///shop.db?table=customers\n  target: tenure");
    assert_ne!(content(&unsorted), content(&table), "without a key rows stay as they came");
    assert_eq!(
        text(&read("  source: sqlite:///shop.db?table=select\n  key: id\n  target: churn")),
        "id,churn\n9,yes\n10,no\n"
    );
    connection.execute("UPDATE customers SET tenure = 2 WHERE id = 'a'", []).unwrap();
    assert_ne!(content(&read(section)), content(&table));
    // The same rows in another place of the file are the same table.
    connection.execute_batch("UPDATE customers SET tenure = 1 WHERE id = 'a'; CREATE TABLE moved AS SELECT * FROM customers ORDER BY id DESC").unwrap();
    assert_eq!(content(&read("  source: sqlite:///shop.db?table=moved\n  key: id\n  target: tenure")), content(&table));
}

#[test]
fn a_query_is_given_its_parameters_and_nothing_is_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let _connection = shop(folder.path());
    let read = |query: &str, rest: &str| {
        let section = format!("  source:\n    url: sqlite:///shop.db\n    query: \"{query}\"\n{rest}  target: tenure");
        read_from(folder.path(), &section)
    };
    let found =
        read("SELECT id, tenure FROM customers WHERE tenure > :least ORDER BY id", "    parameters: {least: 1}\n");
    assert_eq!(text(&found.unwrap()), "id,tenure\nb,3\n");
    let nasty = "x' OR 1=1; DROP TABLE customers; --";
    let found = read(
        "SELECT id, tenure FROM customers WHERE note = :note OR id = 'a'",
        &format!("    parameters: {{note: \"{nasty}\"}}\n"),
    );
    assert_eq!(text(&found.unwrap()), "id,tenure\na,1\n");
    let cases = [
        (
            "SELECT id, tenure FROM customers WHERE tenure > :least",
            "    parameters: {}\n",
            "source/parameter",
            ":least",
        ),
        (
            "SELECT id, tenure FROM customers WHERE tenure > :least",
            "    parameters: {least: 1, most: 2}\n",
            "source/parameter",
            "most",
        ),
        ("SELECT id, tenur FROM customers", "", "source/unknown-column", "did you mean `tenure`?"),
        ("SELECT id FROM custmers", "", "source/unknown-table", "did you mean `customers`?"),
        ("SELECT id FROM customers WERE tenure", "", "source/query", "syntax error"),
        ("DELETE FROM customers", "", "source/query", "gives no rows"),
        ("SELECT id AS a, tenure AS a FROM customers", "", "data/duplicate-column", "`… AS other_a`"),
        ("SELECT id, tenure FROM customers WHERE 1 = 0", "", "data/no-rows", "mend a query that leaves out all"),
    ];
    for (query, rest, code, words) in cases {
        let error = read(query, rest).unwrap_err();
        assert_eq!(error.diagnostic().code, code, "{query}");
        assert!(said(&error).contains(words), "{query}: {}", said(&error));
    }
    let written = said(&read("SELECT id, tenur FROM customers", "").unwrap_err());
    let caret = written.lines().find(|line| line.contains('^')).unwrap();
    let line = written.lines().find(|line| line.contains("SELECT")).unwrap();
    assert_eq!(line.find("tenur"), caret.find('^'), "{written}");
    assert_eq!(
        text(&read("SELECT count(*) AS tenure FROM customers", "").unwrap()),
        "tenure\n3\n",
        "all are still there"
    );
}

#[test]
fn values_of_two_types_and_files_that_are_no_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _connection = shop(folder.path());
    std::fs::write(folder.path().join("text.db"), "id,churn\n1,no\n".repeat(100)).unwrap();
    let cases = [
        ("sqlite:///shop.db?table=mixed", "", "data/type-change", "row 2: column value is integer but holds \"five\""),
        ("sqlite:///shop.db?table=pictures", "", "data/type-change", "2 bytes"),
        ("sqlite:///shop.db?table=pictures", "  types: {value: text}\n", "data/type-change", "`hex(…)`"),
        (
            "sqlite:///shop.db?table=latin",
            "  types: {value: text}\n",
            "data/type-change",
            "mend the text in the database",
        ),
        ("sqlite:///shop.db?table=vacant", "", "data/no-rows", "no row"),
        ("sqlite:///shop.db?table=mixed", "  types: {other: text}\n", "data/unknown-typed-column", "other"),
        ("sqlite:///text.db?table=mixed", "", "source/damaged-database", "not a database"),
        ("sqlite:///shp.db?table=mixed", "", "data/missing-file", "did you mean `shop.db`?"),
    ];
    for (source, rest, code, words) in cases {
        let error = read_from(folder.path(), &format!("  source: {source}\n{rest}  target: value")).unwrap_err();
        assert_eq!(error.diagnostic().code, code, "{source}: {}", said(&error));
        assert!(said(&error).contains(words), "{source}: {}", said(&error));
    }
    let declared = "  source: sqlite:///shop.db?table=mixed\n  types: {value: text}\n  target: value";
    assert_eq!(text(&read_from(folder.path(), declared).unwrap()), "id,value\n1,5\n2,five\n");
}

#[test]
fn a_file_that_another_process_keeps_to_itself_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let connection = shop(folder.path());
    let section = "  source: sqlite:///shop.db?table=customers\n  key: id\n  target: tenure";
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = read_from(folder.path(), section).unwrap_err();
    assert_eq!(error.diagnostic().code, "source/busy", "{}", said(&error));
    assert!(said(&error).contains("shop.db is locked"), "{}", said(&error));
    // Who ends within the patience is waited for.
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_from(folder.path(), section));
        std::thread::sleep(std::time::Duration::from_millis(300));
        connection.execute_batch("UPDATE customers SET tenure = 7 WHERE id = 'a'; COMMIT").unwrap();
        assert!(text(&reader.join().unwrap().unwrap()).contains("a,7,"));
    });
}

#[test]
fn a_source_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for source in ["customers.csv", "s3://shop/customers.csv"] {
        let error = read_from(folder.path(), &format!("  source: {source}\n  target: tenure")).unwrap_err();
        assert_eq!(error.diagnostic().code, "source/no-database");
        assert!(said(&error).contains(&format!("{source} is no database")), "{}", said(&error));
    }
}

#[test]
fn a_file_that_another_process_writes_is_read_as_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let connection = shop(folder.path());
    connection.execute_batch("PRAGMA journal_mode=WAL; BEGIN; UPDATE customers SET tenure = 99").unwrap();
    let section = "  source: sqlite:///shop.db?table=customers\n  key: id\n  target: tenure";
    assert_eq!(
        text(&read_from(folder.path(), section).unwrap()),
        text(&csv(CUSTOMERS.as_bytes(), &ReadOptions::default()))
    );
}
