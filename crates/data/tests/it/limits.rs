//! Files that would take all memory: read or refused within a bound.

use trainyard_data::{ReadOptions, read_csv_bytes};
use trainyard_diagnostics::{Style, render};
use trainyard_judges::peak_memory;

/// A field of 32 MiB.
fn field() -> String {
    "x".repeat(32 << 20)
}

#[test]
fn nothing_takes_more_memory_than_its_bound() {
    type Text = fn() -> String;
    let columns: Text = || {
        let names: String = (0..100_000).map(|at| format!("column_{at},")).collect();
        format!("{names}last\n{}0\n{}0\n", "1,".repeat(100_000), ",".repeat(100_000))
    };
    // The file's text, the code of the problem (nothing where it is read), and the most MiB that it may take.
    let cases: [(&str, Text, Option<&str>, u64); 4] = [
        ("100,000 columns", columns, None, 640),
        ("one field", || format!("id,text\n1,{}\n", field()), None, 256),
        ("a name", || format!("id,{}\n1,2\n", field()), None, 512),
        (
            "an open quote",
            || format!("id,text\n1,\"{}\n", field().replace("xxxx", "x,\n ")),
            Some("data/unclosed-quote"),
            256,
        ),
    ];
    for (name, text, code, most) in cases {
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
