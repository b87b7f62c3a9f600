//! Texts that would take all memory: refused in words, within a bound.

use trainyard_diagnostics::{Style, render_all};
use trainyard_judges::peak_memory;
use trainyard_spec::resolve;

use crate::given::Given;
use crate::mangled::check_all;

/// A project, what its first problem is (nothing where it is sound), and the most MiB that it may take, words included.
struct Case {
    name: &'static str,
    given: fn() -> Given,
    code: Option<&'static str>,
    most: u64,
}

fn project(text: impl AsRef<str>) -> Given {
    Given::default_project().with("trainyard.yaml", text.as_ref())
}

fn columns(count: usize, name: impl Fn(usize) -> String) -> Given {
    let names: String = (0..count).map(|at| format!("{}, ", name(at))).collect();
    Given::default_project().with("versions/features/v1.yaml", &format!("groups: [{{numeric: [{names}]}}]"))
}

/// Ten lists, each of ten of the one before.
fn laughs() -> Given {
    let lists = (1..12).map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10)));
    project(format!("a0: &a0 [{}]\n{}", "x, ".repeat(10), lists.collect::<String>()))
}

/// Lists in lists, each with a name of its own, around many values.
fn nested_anchors() -> Given {
    let open: String = (0..60).map(|at| format!("&a{at} [")).collect();
    project(format!("{open}{}{}", "x, ".repeat(90_000), "]".repeat(60)))
}

const CASES: &[Case] = &[
    Case {
        name: "ten megabytes",
        given: || project("name: a name of twenty b\n".repeat(420_000)),
        code: Some("spec/too-large"),
        most: 64,
    },
    Case {
        name: "ten megabytes in a line",
        given: || project(format!("name: {}", "x".repeat(10 << 20))),
        code: Some("spec/too-large"),
        most: 512,
    },
    Case { name: "laughs", given: laughs, code: Some("spec/too-large"), most: 64 },
    Case {
        name: "a long text repeated",
        given: || project(format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(90_000))),
        code: Some("spec/too-large"),
        most: 128,
    },
    Case { name: "nested anchors", given: nested_anchors, code: Some("spec/too-large"), most: 128 },
    Case { name: "brackets", given: || project("[".repeat(100_000)), code: Some("spec/syntax"), most: 64 },
    Case { name: "braces", given: || project("{a: ".repeat(100_000)), code: Some("spec/syntax"), most: 64 },
    Case { name: "dashes", given: || project("- ".repeat(100_000)), code: Some("spec/too-large"), most: 64 },
    Case { name: "questions", given: || project("? ".repeat(30_000)), code: Some("spec/key-not-text"), most: 64 },
    Case {
        name: "a key of three megabytes",
        given: || project(format!("{}: 1", "k".repeat(3 << 20))),
        code: Some("spec/syntax"),
        most: 192,
    },
    Case {
        name: "100,000 columns",
        given: || columns(100_000, |at| format!("column_{at}")),
        code: Some("spec/too-large"),
        most: 128,
    },
    Case { name: "99,000 columns", given: || columns(99_000, |at| format!("column_{at}")), code: None, most: 128 },
    Case {
        name: "49,000 columns without a name",
        given: || columns(49_000, |_| "{}".to_owned()),
        code: Some("spec/wrong-type"),
        most: 64,
    },
    Case {
        name: "49,000 unknown keys",
        given: || project((0..49_000).map(|at| format!("k{at}: 1\n")).collect::<String>()),
        code: Some("spec/unknown-key"),
        most: 128,
    },
];

#[test]
fn nothing_takes_more_memory_than_its_bound() {
    for Case { name, given, code, most } in CASES {
        let peak = peak_memory("limits::nothing_takes_more_memory_than_its_bound", name, || {
            let problems = resolve(&given().files()).err().unwrap_or_default();
            assert_eq!(problems.iter().next().map(|problem| problem.code.as_str()), *code);
            check_all(&problems);
            assert!(render_all(problems.as_slice(), &Style::default(), "").len() < 1 << 20);
        });
        assert!(peak <= most << 20, "{name}: {peak} bytes, and {most} MiB are allowed");
    }
}

#[test]
fn beyond_a_hundred_problems_the_rest_is_counted() {
    let strangers: String = (0..150).map(|at| format!("k{at}: 1\n")).collect();
    let text = format!("{strangers}{}", Given::default_project().texts["trainyard.yaml"]);
    let problems = resolve(&project(text).files()).unwrap_err().into_vec();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].title, "50 more problems are not shown");
    assert!(problems[..100].iter().all(|problem| problem.code == "spec/unknown-key"));
}
