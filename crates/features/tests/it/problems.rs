//! The words and places of every problem of a feature version.

use trainyard_features::plan;

use crate::given::{customers, drawn, planned, resolved};

/// Draws the problems of a feature version for the customers' columns.
fn problems(features: &str) -> String {
    let resolved = resolved(features);
    match plan(&resolved.features.spec, &customers(10, 1).schema(), &resolved.project.data) {
        Ok(_) => panic!("there are no problems with\n{features}"),
        Err(problems) => drawn(problems),
    }
}

/// Compares what is drawn with what is expected, line by line, without trailing spaces.
fn check(features: &str, expected: &str) {
    let found = problems(features);
    let lines = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(lines(found.trim()), lines(expected.trim()), "\nfound:\n{found}");
}

#[test]
fn a_misspelt_column_in_a_group() {
    check(
        "groups:\n  - {categorical: [Contract, senoir], encode: one_hot}\n",
        "
error[features/unknown-column]: the features want a column that the data does not have
   ┌─ versions/features/v1.yaml:2:30
   │
 2 │   - {categorical: [Contract, senoir], encode: one_hot}
   │                              ^^^^^^ not among the 8 columns of customers.csv
   │
   = help: did you mean `senior`?
",
    );
}

#[test]
fn a_misspelt_column_in_sql() {
    check(
        "columns:\n  spend: 'tenure * MonthlyCharge'\ngroups:\n  - {numeric: [spend]}\n",
        "
error[features/unknown-column]: the features want a column that the data does not have
   ┌─ versions/features/v1.yaml:2:20
   │
 2 │   spend: 'tenure * MonthlyCharge'
   │                    ^^^^^^^^^^^^^ not among the 8 columns of customers.csv
   │
   = help: did you mean `MonthlyCharges`?
",
    );
}

#[test]
fn target_key_and_dropped_columns_in_groups() {
    check(
        "groups:\n  - {categorical: [Churn, id, zone], encode: ordinal}\n  - {numeric: [internal]}\n",
        "
error[features/target-used]: the features read the target
   ┌─ versions/features/v1.yaml:2:20
   │
 2 │   - {categorical: [Churn, id, zone], encode: ordinal}
   │                    ^^^^^ this is what the model is to predict
   │
   = help: remove `Churn` from the group

error[features/key-used]: the features read the key
   ┌─ versions/features/v1.yaml:2:27
   │
 2 │   - {categorical: [Churn, id, zone], encode: ordinal}
   │                           ^^ this identifies a row and says nothing about a new one
   │
   = help: remove `id` from the group

error[features/dropped-column]: the features want a column that is dropped
   ┌─ versions/features/v1.yaml:3:16
   │
 3 │   - {numeric: [internal]}
   │                ^^^^^^^^ `data.drop` names it
   │
   = help: take `internal` out of `data.drop` or out of the group
",
    );
}

#[test]
fn columns_of_the_wrong_type() {
    let found =
        problems("groups:\n  - {numeric: [Contract, tenure]}\n  - {categorical: [MonthlyCharges], encode: ordinal}\n");
    assert!(found.contains("error[features/not-numeric]: a text column stands among the numeric ones"), "{found}");
    assert!(found.contains("put `Contract` under `categorical`"), "{found}");
    assert!(
        found.contains("error[features/not-categorical]: a float column stands among the categorical ones"),
        "{found}"
    );
}

#[test]
fn a_column_named_twice() {
    let found = problems("groups:\n  - {numeric: [tenure]}\n  - {categorical: [tenure], encode: ordinal}\n");
    assert!(found.contains("error[features/duplicate-column]: `tenure` is named twice"), "{found}");
    assert!(found.contains("first named here"), "{found}");
}

#[test]
fn a_derived_column_that_shadows() {
    let found = problems("columns:\n  Tenure: tenure * 2\n  zone: tenure\ngroups:\n  - {numeric: [tenure]}\n");
    assert!(found.contains("customers.csv has `tenure`, and SQL does not tell upper from lower case"), "{found}");
    assert!(found.contains("customers.csv has this column"), "{found}");
    assert_eq!(found.matches("error[features/shadows-column]").count(), 2);
}

#[test]
fn derived_columns_that_differ_only_in_case() {
    let found = problems(
        "columns:\n  Foo: tenure * 2\n  foo: tenure + 1\n  ÖL: tenure\n  öl: tenure\ngroups:\n  - {numeric: [foo]}\n",
    );
    assert_eq!(found.matches("error[features/duplicate-column]").count(), 2, "{found}");
    assert!(found.contains("SQL does not tell upper from lower case"), "{found}");
}

#[test]
fn derived_columns_in_a_circle() {
    check(
        "columns:\n  a: b + 1\n  b: c + 1\n  c: a + 1\n  d: a + 1\ngroups: [{numeric: [tenure]}]\n",
        "
error[features/cycle]: derived columns need one another
   ┌─ versions/features/v1.yaml:2:6
   │
 2 │   a: b + 1
   │      ^ `a` reads `b` reads `c` reads `a`
   │
   = help: let one of them read columns of the data only
",
    );
    let found = problems("columns:\n  a: a + 1\ngroups: [{numeric: [a]}]\n");
    assert!(found.contains("`a` reads itself"), "{found}");
    assert_eq!(found.matches("error[").count(), 1, "{found}");
}

#[test]
fn nothing_at_all() {
    let mut resolved = resolved("columns: {band: \"'a'\"}\ngroups: [{numeric: [tenure]}]\n");
    resolved.features.spec.groups.clear();
    let found = plan(&resolved.features.spec, &customers(10, 1).schema(), &resolved.project.data).unwrap_err();
    let found = drawn(found);
    assert!(found.contains("error[features/empty]: the features come to nothing"), "{found}");
    assert!(found.contains("no group uses what is derived"), "{found}");
}

#[test]
fn a_derived_text_that_nothing_uses_is_a_warning() {
    let plan = planned("columns: {band: \"'a'\"}\ngroups: [{numeric: [tenure]}]\n", &customers(10, 1));
    let [warning] = plan.warnings() else { panic!("{:?}", plan.warnings()) };
    assert_eq!(warning.title, "nothing uses the derived column `band`");
}

#[test]
fn forbidden_sql_points_into_the_scalar() {
    for (sql, part) in [
        ("AVG(tenure) OVER ()", "AVG"),
        ("tenure + now()", "now()"),
        ("random()", "random()"),
        ("length(Churn)", "Churn"),
        ("length(id)", "id"),
        ("internal + 1", "internal"),
        ("tenure +", ""),
    ] {
        let found = problems(&format!("columns:\n  bad: \"{sql}\"\ngroups:\n  - {{numeric: [bad, tenure]}}\n"));
        assert!(found.contains("versions/features/v1.yaml:2:"), "{sql}:\n{found}");
        let caret = found.lines().find(|line| line.contains('^')).unwrap_or_else(|| panic!("no caret:\n{found}"));
        let source = found.lines().find(|line| line.starts_with(" 2 │")).unwrap();
        let at = caret.chars().position(|mark| mark == '^').unwrap();
        let length = caret.chars().filter(|mark| *mark == '^').count();
        let marked: String = source.chars().skip(at).take(length).collect();
        assert!(marked.contains(part), "{sql}: the caret is at `{marked}`\n{found}");
        // Who uses a column that does not compile is not blamed for it.
        assert_eq!(found.matches("error[").count(), 1, "{found}");
    }
}

#[test]
fn all_problems_come_in_one_pass() {
    let found = problems(
        "columns:\n  a: tenur\n  b: tenure ||| 1\n  c: a + 1\ngroups:\n  - {numeric: [a, b, c, Churn, zoone]}\n",
    );
    assert_eq!(found.matches("error[").count(), 4, "{found}");
}

#[test]
fn columns_that_hold_no_text() {
    check(
        "groups:\n  - {text: tenure, tfidf: {}}\n  - {text: Contract, tfidf: {}}\n  - {text: Contract, tfidf: {norm: l1}}\n  - {text: Contrct, tfidf: {}}\n",
        "
error[features/not-text]: a column that holds integer is to be read as text
   ┌─ versions/features/v1.yaml:2:12
   │
 2 │   - {text: tenure, tfidf: {}}
   │            ^^^^^^ holds integer
   │
   = help: put `tenure` under `categorical`

error[features/duplicate-column]: `Contract` is named twice
   ┌─ versions/features/v1.yaml:4:12
   │
 3 │   - {text: Contract, tfidf: {}}
   │            -------- first named here
 4 │   - {text: Contract, tfidf: {norm: l1}}
   │            ^^^^^^^^ would become the same feature again
   │
   = help: remove one of them

error[features/unknown-column]: the features want a column that the data does not have
   ┌─ versions/features/v1.yaml:5:12
   │
 5 │   - {text: Contrct, tfidf: {}}
   │            ^^^^^^^ not among the 8 columns of customers.csv
   │
   = help: did you mean `Contract`?
",
    );
}
