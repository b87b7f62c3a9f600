//! What is wrong with an expression.

use super::{Case, FEATURES, sql};
use crate::project::CUSTOMERS;

pub(super) const CASES: &[Case] = &[
    ("expression of blanks", |project| sql(project, " "), &["run"]),
    ("expression that goes on", |project| sql(project, "tenure MonthlyCharges"), &["run"]),
    ("statement", |project| sql(project, "tenure;"), &["run"]),
    ("chained comparison", |project| sql(project, "1 < tenure < 6"), &["run"]),
    ("table before a column", |project| sql(project, "customers.tenure"), &["run"]),
    ("subquery", |project| sql(project, "(SELECT 1)"), &["run"]),
    ("fitted inside fitted", |project| sql(project, "fitted_mean(tenure - fitted_mean(tenure))"), &["run"]),
    ("unsupported operator", |project| sql(project, "tenure & 1"), &["run"]),
    ("unknown function", |project| sql(project, "squareroot(tenure)"), &["run"]),
    ("wrong number of arguments", |project| sql(project, "round()"), &["run"]),
    ("wrong type of an argument", |project| sql(project, "upper(tenure)"), &["run"]),
    ("number and text added", |project| sql(project, "tenure + Contract"), &["run"]),
    ("two types of a case", |project| sql(project, "CASE WHEN tenure > 6 THEN 1 ELSE Contract END"), &["run"]),
    ("condition that is a number", |project| sql(project, "CASE WHEN tenure THEN 1 ELSE 0 END"), &["run"]),
    ("impossible cast", |project| sql(project, "CAST(DATE '2024-02-29' AS INTEGER)"), &["run"]),
    ("unknown type", |project| sql(project, "CAST(tenure AS DECIMAL(10, 2))"), &["run"]),
    ("date that is none", |project| sql(project, "year(DATE '29.02.2024')"), &["run"]),
    ("interval in words", |project| sql(project, "DATE '2024-02-29' + INTERVAL 'three days'"), &["run"]),
    ("part of a date that depends", |project| sql(project, "date_part(Contract, DATE '2024-02-29')"), &["run"]),
    ("bad pattern", |project| sql(project, "regexp_matches(Contract, '(')"), &["run"]),
    ("unknown part of a date", |project| sql(project, "date_part('mnth', DATE '2024-02-29')"), &["run"]),
    ("bad format", |project| sql(project, "strptime(Contract, '%J')"), &["run"]),
    ("pattern that ends with its escape", |project| sql(project, "Contract LIKE 'M!' ESCAPE '!'"), &["run"]),
    ("nothing but NULL", |project| sql(project, "NULL"), &["run"]),
    ("overflow", |project| sql(project, "tenure * 9223372036854775807"), &["run"]),
    ("division by zero", |project| sql(project, "tenure // (tenure - tenure)"), &["run"]),
    ("letter of no number", |project| sql(project, "chr(tenure - 1000)"), &["run"]),
    (
        "date beyond the calendar",
        |project| sql(project, "year(DATE '2024-02-29' + INTERVAL (tenure * 100000000) DAY)"),
        &["run"],
    ),
    ("text that is no date", |project| sql(project, "year(strptime(Contract, '%Y'))"), &["run"]),
    (
        "letters of another case",
        |project| {
            project.edit(CUSTOMERS, "gender,SeniorCitizen", "Tenure,SeniorCitizen");
            project.edit(FEATURES, "[gender, ", "[");
            sql(project, "TENURE * 2");
        },
        &["run"],
    ),
];
