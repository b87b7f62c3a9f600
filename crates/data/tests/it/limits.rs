//! Files that would take all memory: read or refused within a bound.

use trainyard_data::{ReadOptions, read_csv_bytes};
use trainyard_diagnostics::{Style, render};
use trainyard_judges::peak_memory;

/// A field of 32 MiB.
fn field() -> String {
    "x".repeat(32 << 20)
}

/// A table of one field, made without a second copy of it.
fn two_gigabytes() -> String {
    let mut text = String::with_capacity((2 << 30) + 16);
    text.push_str("id,text\n1,");
    (0..64).for_each(|_| text.push_str(&field()));
    text
}

#[test]
fn nothing_takes_more_memory_than_its_bound() {
    type Text = fn() -> String;
    let columns: Text = || {
        let names: String = (0..100_000).map(|at| format!("column_{at},")).collect();
        format!("{names}last\n{}0\n{}0\n", "1,".repeat(100_000), ",".repeat(100_000))
    };
    // The file's text, the code of the problem (nothing where it is read), and the most MiB that it may take.
    let cases: [(&str, Text, Option<&str>, u64); 6] = [
        ("100,000 columns", columns, None, 640),
        ("one field", || format!("id,text\n1,{}\n", field()), None, 256),
        ("a row of 65 MiB", || format!("id,text\n1,{}\n", "x".repeat(65 << 20)), Some("data/long-row"), 320),
        // The text itself is 2 GiB of it.
        ("one field of 2 GiB", two_gigabytes, Some("data/long-row"), 2048 + 512),
        ("a name", || format!("id,{}\n1,2\n", field()), None, 512),
        (
            "an open quote",
            || format!("id,text\n1,\"{}\n", field().replace("xxxx", "x,\n ")),
            Some("data/unclosed-quote"),
            256,
        ),
    ];
    let long = std::env::var_os("TRAINYARD_LONG").is_some();
    for (name, text, code, most) in cases.into_iter().filter(|(name, ..)| long || *name != "one field of 2 GiB") {
        let peak = peak_memory("limits::nothing_takes_more_memory_than_its_bound", name, || {
            let read = read_csv_bytes(text().as_bytes(), "rows.csv", &ReadOptions::default());
            let problem = read.err().map(|error| error.diagnostic());
            assert_eq!(problem.as_ref().map(|problem| problem.code.as_str()), code);
            if let Some(problem) = problem {
                assert!(render(&problem, &Style::default()).len() < 1 << 20);
            }
        });
        assert!(peak <= most << 20, "{name}: {peak} bytes, and {most} MiB are allowed");
    }
}
