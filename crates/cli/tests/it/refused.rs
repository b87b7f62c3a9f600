//! Bad input: what is said, with which exit code, and that nothing is written. Each message is recorded in `tests/refused`,
//! from where `docs/guide/errors.md` takes it; `TRAINYARD_BLESS=1` writes them anew.

use std::fs;
use std::path::PathBuf;

use trainyard_diagnostics::shell_word;

use crate::project::{CUSTOMERS, Project, REFERENCE};
use crate::text;

const PROJECT: &str = "trainyard.yaml";
const SPLIT: &str = "versions/splits/v1.yaml";
const FEATURES: &str = "versions/features/v1.yaml";
const MODEL: &str = "versions/models/v1.yaml";
const TRACKING: &str = ".trainyard/tracking/tracking.db";
const HEADER: &str = "customerID,tenure,MonthlyCharges,Churn\n";

/// A name, what is done to a project, and the command that is refused then.
type Case = (&'static str, fn(&Project), &'static [&'static str]);

/// What is wrong with the table.
const TABLES: &[Case] = &[
    ("missing file", |project| project.edit(PROJECT, "raw/customers.csv", "raw/custmers.csv"), &["run"]),
    ("missing folder", |project| project.edit(PROJECT, "data/raw/customers.csv", "data/rwa/customers.csv"), &["run"]),
    ("empty file", |project| project.write(CUSTOMERS, ""), &["run"]),
    ("header only", |project| project.write(CUSTOMERS, HEADER), &["run"]),
    ("ragged row", |project| project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\nb,3,Yes\n")), &["run"]),
    ("duplicate column", |project| project.edit(CUSTOMERS, "gender,SeniorCitizen", "gender,gender"), &["run"]),
    (
        "wrong encoding",
        |project| {
            let mut bytes = format!("{HEADER}a,1,2.5,No\nMuel").into_bytes();
            bytes.extend(b"\xfcller,1,2.5,Yes\n");
            project.write(CUSTOMERS, bytes);
        },
        &["run"],
    ),
    (
        "type that changes half-way",
        |project| {
            let rows: String = (0..1200).map(|row| format!("c{row},{},2.5,No\n", row % 60)).collect();
            project.write(CUSTOMERS, format!("{HEADER}{rows}c1200,new,2.5,Yes\n"));
        },
        &["run"],
    ),
    ("target absent", |project| project.edit(PROJECT, "column: Churn,", "column: Chrun,"), &["run"]),
    (
        "target constant",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(",Yes\n", ",No\n")),
        &["run"],
    ),
    (
        "third class",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",Maybe\n", 3)),
        &["run"],
    ),
    (
        "positive label that never occurs",
        |project| project.edit(PROJECT, "positive: \"Yes\"", "positive: \"yes\""),
        &["run"],
    ),
    (
        "missing target",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",\n", 2)),
        &["run"],
    ),
    (
        "duplicate keys",
        |project| {
            let table = project.read(CUSTOMERS);
            let again: String = table.lines().skip(1).take(2).map(|line| format!("{line}\n")).collect();
            project.write(CUSTOMERS, table + &again);
        },
        &["run"],
    ),
    ("folder for a table", |project| project.edit(PROJECT, "data/raw/customers.csv", "data/raw"), &["run"]),
    (
        "unknown ending",
        |project| {
            project.edit(PROJECT, "customers.csv", "customers.xlsx");
            project.write("data/raw/customers.xlsx", "a workbook");
        },
        &["run"],
    ),
    ("unclosed quote", |project| project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\n\"b,3,2.5,Yes\n")), &["run"]),
    ("column without a name", |project| project.edit(CUSTOMERS, "customerID,gender", "customerID,"), &["run"]),
    ("semicolons", |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(',', ";")), &["run"]),
    (
        "type of an unknown column",
        |project| project.edit(PROJECT, "  key:", "  types: {tenur: integer}\n  key:"),
        &["run"],
    ),
    (
        "damaged Parquet",
        |project| {
            project.edit(PROJECT, "customers.csv", "customers.parquet");
            project.write("data/raw/customers.parquet", project.read(CUSTOMERS));
        },
        &["run"],
    ),
    ("positive class not said", |project| project.edit(PROJECT, ", positive: \"Yes\"", ""), &["run"]),
    ("two numbers for a target", |project| regression(project, "{column: SeniorCitizen}"), &["check"]),
    ("text for a number", |project| regression(project, "{column: Contract, task: regression}"), &["run"]),
    ("as many classes as customers", |project| regression(project, "{column: customerID, task: multiclass}"), &["run"]),
    (
        "negative weight",
        |project| {
            project.edit(PROJECT, "  key:", "  weight: tenure\n  key:");
            project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\nb,-3,2.5,Yes\n"));
        },
        &["run"],
    ),
    (
        "no weight at all",
        |project| {
            project.edit(PROJECT, "  key:", "  weight: tenure\n  key:");
            project.write(CUSTOMERS, format!("{HEADER}a,0,2.5,No\nb,0,2.5,Yes\n"));
        },
        &["run"],
    ),
    (
        "missing keys",
        |project| {
            let table = project.read(CUSTOMERS);
            let first = table.lines().nth(1).and_then(|row| row.split(',').next()).unwrap();
            project.edit(CUSTOMERS, first, "");
        },
        &["run"],
    ),
    (
        "two rows",
        |project| {
            let table = project.read(CUSTOMERS);
            let rows = ["No", "Yes"].map(|label| table.lines().find(|row| row.ends_with(label)).unwrap());
            project.write(CUSTOMERS, format!("{}\n{}\n", table.lines().next().unwrap(), rows.join("\n")));
        },
        &["run"],
    ),
    ("key absent", |project| project.edit(PROJECT, "key: customerID", "key: customerId2"), &["run"]),
];

/// What is wrong with a specification.
const SPECS: &[Case] = &[
    ("unknown key", |project| project.edit(PROJECT, "active:", "activ:"), &["run"]),
    ("unknown key in a version", |project| project.edit(SPLIT, "stratify:", "stratifed:"), &["run"]),
    ("no yaml", |project| project.edit(MODEL, "candidates:", "candidates: ["), &["run"]),
    ("no project", |project| fs::remove_file(project.path(PROJECT)).unwrap(), &["run"]),
    ("shares above 1", |project| project.edit(SPLIT, "train: 0.6", "train: 0.7"), &["run"]),
    (
        "split settings that exclude each other",
        |project| project.edit(SPLIT, "stratify: true", "stratify: true\nby_group: Contract\nby_time: tenure"),
        &["run"],
    ),
    ("split by the target", |project| project.edit(SPLIT, "stratify: true", "by_group: Churn"), &["run"]),
    ("split by groups of one row", |project| project.edit(SPLIT, "stratify: true", "by_group: customerID"), &["run"]),
    ("split by an unknown column", |project| project.edit(SPLIT, "stratify: true", "by_group: Contrakt"), &["run"]),
    ("split by what has no time", |project| project.edit(SPLIT, "stratify: true", "by_time: Contract"), &["run"]),
    (
        "split by missing values",
        |project| {
            project.edit(CUSTOMERS, ",Month-to-month,", ",,");
            project.edit(SPLIT, "stratify: true", "by_group: Contract");
        },
        &["run"],
    ),
    ("second document", |project| project.write(PROJECT, project.read(PROJECT) + "---\nname: other\n"), &["run"]),
    (
        "deep nesting",
        |project| {
            let nested: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
            project.write(PROJECT, nested);
        },
        &["run"],
    ),
    ("tag", |project| project.edit(SPLIT, "seed: 42", "seed: !!int 42"), &["run"]),
    ("list for a key", |project| project.edit(PROJECT, "name: churn", "[name]: churn"), &["run"]),
    ("key written twice", |project| project.edit(PROJECT, "name: churn", "name: churn\nname: other"), &["run"]),
    (
        "two names of one setting",
        |project| project.edit(MODEL, "n_estimators: 100", "n_estimators: 100, max_iter: 200"),
        &["run"],
    ),
    ("missing key", |project| project.edit(PROJECT, "  source: data/raw/customers.csv\n", ""), &["run"]),
    ("yes for true", |project| project.edit(SPLIT, "stratify: true", "stratify: yes"), &["run"]),
    ("learning rate of 0", |project| project.edit(MODEL, "learning_rate: 0.05", "learning_rate: 0"), &["run"]),
    ("group without columns", |project| project.edit(FEATURES, "[SeniorCitizen]", "[]"), &["run"]),
    ("slash in a name", |project| project.edit(PROJECT, "churn-predictor", "churn/predictor"), &["run"]),
    ("empty part of a path", |_| {}, &["run", "--set", "data..key=id"]),
    ("path through a value", |_| {}, &["run", "--set", "name.first=churn"]),
    ("value that is no YAML", |_| {}, &["run", "--set", "name=[churn"]),
    ("unknown metric", |project| project.edit(PROJECT, "metric: roc_auc", "metric: roc_acu"), &["run"]),
    ("metric of another task", |project| project.edit(PROJECT, "metric: roc_auc", "metric: rmse"), &["run"]),
    ("measured metric", |project| project.edit(PROJECT, "metric: roc_auc", "metric: latency_p95_ms"), &["run"]),
    (
        "two gates on one side",
        |project| project.edit(PROJECT, "  at_most:", "  min_accuracy: 0.8\n  at_most:"),
        &["run"],
    ),
    (
        "gate against better models",
        |project| project.edit(PROJECT, "{latency_p95_ms: 10}", "{latency_p95_ms: 10, roc_auc: 0.9}"),
        &["check"],
    ),
    (
        "loss against nothing",
        |project| {
            project.edit(PROJECT, "  at_most:", "  max_f1_regression: 0.05\n  at_most:");
            without_promotion(project);
        },
        &["run"],
    ),
    (
        "borders in the wrong order",
        |project| {
            project.write(SPLIT, "by_time: {column: tenure, validation_from: 60, reference_test_from: 48}\n");
        },
        &["run"],
    ),
    (
        "refit without validation rows",
        |project| {
            project.write(MODEL, project.read(MODEL) + "refit: train_and_validation\n");
            project.edit(SPLIT, "train: 0.6, validation: 0.2", "train: 0.8");
        },
        &["check"],
    ),
    (
        "positive class of a number",
        |project| project.edit(PROJECT, "positive: \"Yes\"", "positive: \"Yes\", task: regression"),
        &["run"],
    ),
    ("key that is the target", |project| project.edit(PROJECT, "key: customerID", "key: Churn"), &["run"]),
    (
        "threshold for a number",
        |project| {
            regression(project, "{column: TotalCharges, task: regression}");
            project.write(MODEL, project.read(MODEL) + "threshold: 0.3\n");
        },
        &["run"],
    ),
    (
        "calibration of a number",
        |project| {
            regression(project, "{column: TotalCharges, task: regression}");
            project.write(MODEL, project.read(MODEL) + "calibrate: {}\n");
        },
        &["run"],
    ),
    (
        "calibration without validation",
        |project| {
            project.edit(SPLIT, "train: 0.6, validation: 0.2", "train: 0.8");
            project.write(MODEL, project.read(MODEL) + "calibrate: {folds: prefit}\n");
        },
        &["run"],
    ),
    (
        "bound of a rule without one",
        |project| project.write(MODEL, project.read(MODEL) + "threshold: {rule: max_f1, value: 0.5}\n"),
        &["run"],
    ),
    (
        "precision out of reach",
        |project| project.write(MODEL, project.read(MODEL) + "threshold: {rule: precision_at_least, value: 1.0}\n"),
        &["run"],
    ),
    (
        "borders and shares",
        |project| project.edit(SPLIT, "stratify: true", "by_time: {column: tenure, reference_test_from: 48}"),
        &["run"],
    ),
    (
        "weight in a group",
        |project| {
            project.edit(PROJECT, "  key:", "  weight: tenure\n  key:");
            group(project, "", "numeric: [tenure]");
        },
        &["run"],
    ),
    ("shares below 1", |project| project.edit(SPLIT, "train: 0.6", "train: 0.5"), &["run"]),
    ("unknown estimator", |project| project.edit(MODEL, "  gradient_boosting", "  gradient_bosting"), &["run"]),
    ("group of no kind", |project| project.edit(FEATURES, "{numeric: [Senior", "{columns: [Senior"), &["run"]),
    (
        "scale of bins",
        |project| project.edit(FEATURES, "{numeric: [Senior", "{bins: {n_bins: 4}, scale: robust, numeric: [Senior"),
        &["run"],
    ),
    (
        "rare categories joined and weighed",
        |project| {
            project.edit(
                FEATURES,
                "{numeric: [SeniorCitizen]}",
                "{categorical: [Contract], encode: target, min_frequency: 5}",
            )
        },
        &["run"],
    ),
    (
        "number read as text",
        |project| project.edit(FEATURES, "{numeric: [SeniorCitizen]}", "{text: tenure, tfidf: {max_features: 20}}"),
        &["run"],
    ),
    (
        "no word left",
        |project| project.edit(FEATURES, "{numeric: [SeniorCitizen]}", "{text: gender, tfidf: {max_df: 1}}"),
        &["run"],
    ),
    ("spec in another encoding", |project| project.write(PROJECT, b"name: M\xfcller\n"), &["run"]),
    (
        "folder for a spec",
        |project| {
            fs::remove_file(project.path(PROJECT)).unwrap();
            fs::create_dir(project.path(PROJECT)).unwrap();
        },
        &["run"],
    ),
    ("key in a group", |project| group(project, "", "numeric: [customerID]"), &["run"]),
    (
        "dropped column in a group",
        |project| project.edit(PROJECT, "  key:", "  drop: [SeniorCitizen]\n  key:"),
        &["run"],
    ),
    ("text in a numeric group", |project| group(project, "", "numeric: [gender]"), &["run"]),
    ("fractions in a categorical group", |project| group(project, "", "categorical: [MonthlyCharges]"), &["run"]),
    ("column in a group twice", |project| group(project, "", "numeric: [tenure, tenure]"), &["run"]),
    ("name of a column derived", |project| group(project, "tenure: \"2\"", "numeric: [tenure]"), &["run"]),
    ("circle of columns", |project| group(project, "a: \"b + 1\", b: \"a - 1\"", "numeric: [a]"), &["run"]),
    ("unused column", |project| group(project, "a: \"upper(gender)\"", "numeric: [tenure]"), &["check"]),
    ("infinite feature", |project| group(project, "a: \"1 / (tenure - tenure)\"", "numeric: [a]"), &["run"]),
    (
        "more folds than rows of a class",
        |project| {
            project.edit(MODEL, "folds: 5", "folds: 100");
            project.customers(150, 7, CUSTOMERS);
        },
        &["run", "--threads", "1"],
    ),
    (
        "early stopping without folds",
        |project| {
            project.edit(MODEL, "folds: 5", "folds: 0");
            project.edit(MODEL, "n_estimators: 100", "early_stopping: true");
        },
        &["run", "--threads", "1"],
    ),
    (
        "penalty that says two things",
        |project| {
            project.edit(
                MODEL,
                "  gradient_boosting",
                "  sparse: {estimator: logistic_regression, penalty: l1, l1_ratio: 0.5}\n  gradient_boosting",
            );
        },
        &["run"],
    ),
    (
        "penalty of two kinds without their shares",
        |project| {
            project.edit(
                MODEL,
                "  gradient_boosting",
                "  mixed: {estimator: logistic_regression, penalty: elasticnet}\n  gradient_boosting",
            );
        },
        &["run"],
    ),
    (
        "lasso of classes",
        |project| project.edit(MODEL, "  gradient_boosting", "  lasso: {}\n  gradient_boosting"),
        &["run"],
    ),
    ("quantile without its loss", |project| project.edit(MODEL, "n_estimators: 100", "quantile: 0.9"), &["run"]),
    (
        "direction of medians",
        |project| project.edit(MODEL, "n_estimators: 100", "loss: absolute_error, monotonic_cst: {tenure: 1}"),
        &["run"],
    ),
    (
        "weight of no class",
        |project| project.edit(MODEL, "n_estimators: 100", "class_weight: {yes: 3}"),
        &["run", "--threads", "1"],
    ),
    (
        "direction of no feature",
        |project| project.edit(MODEL, "n_estimators: 100", "monotonic_cst: {tenur: 1}"),
        &["run", "--threads", "1"],
    ),
    (
        "candidates and nothing to choose by",
        |project| {
            project.write(MODEL, "candidates: {logistic_regression: {}, dummy: {}}\ncross_validation: {folds: 0}\n");
            project.edit(SPLIT, "train: 0.6, validation: 0.2", "train: 0.8");
        },
        &["run", "--threads", "1"],
    ),
    ("test that is no condition", |project| project.edit(SPLIT, "tenure < 6", "tenure"), &["run"]),
    ("fitted value in a test", |project| project.edit(SPLIT, "tenure < 6", "tenure < fitted_median(tenure)"), &["run"]),
    ("misspelt column in a group", |project| project.edit(FEATURES, "[SeniorCitizen]", "[SeniorCitizn]"), &["run"]),
    (
        "misspelt column in SQL",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "tenure * MonthlyCharge"),
        &["run"],
    ),
    ("SQL that does not parse", |project| project.edit(FEATURES, "tenure * Month", "tenure * * Month"), &["run"]),
    (
        "SQL that fails on a row",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "CAST(Contract AS INTEGER)"),
        &["run"],
    ),
    (
        "SQL that reads the target",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "CASE WHEN Churn = 'Yes' THEN 1 ELSE 0 END"),
        &["run"],
    ),
    ("window function", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "AVG(tenure) OVER ()"), &["run"]),
    ("clock", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "year(now())"), &["run"]),
    ("chance", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "tenure * random()"), &["run"]),
    ("aggregate", |project| project.edit(FEATURES, "fitted_median(Monthly", "AVG(Monthly"), &["run"]),
    (
        "many at once",
        |project| {
            project.edit(PROJECT, "when: better", "when: beter");
            project.edit(SPLIT, "train: 0.6", "train: 0.7");
            project.edit(FEATURES, "[SeniorCitizen]", "[SeniorCitizn]");
            project.edit(MODEL, "max_leaf_nodes", "max_leafs");
        },
        &["check"],
    ),
];

/// What is wrong with an expression.
const EXPRESSIONS: &[Case] = &[
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

/// What is wrong with a version that was used or is asked for.
const VERSIONS: &[Case] = &[
    ("unknown version", |_| {}, &["run", "--features", "7"]),
    ("unknown active version", |project| project.edit(PROJECT, "model: 1}", "model: 3}"), &["run"]),
    ("retired version", |project| project.write(MODEL, format!("status: retired\n{}", project.read(MODEL))), &["run"]),
    (
        "edited version",
        |project| {
            used(project);
            project.edit(FEATURES, "min_frequency: 10", "min_frequency: 11");
        },
        &["run"],
    ),
    (
        "edited split",
        |project| {
            used(project);
            project.edit(SPLIT, "seed: 42", "seed: 43");
        },
        &["run"],
    ),
    (
        "other target under a used split",
        |project| {
            used(project);
            project.edit(PROJECT, "column: Churn,", "column: PaperlessBilling,");
        },
        &["run"],
    ),
    (
        "other positive class under a used split",
        |project| {
            used(project);
            project.edit(PROJECT, "positive: \"Yes\"", "positive: \"No\"");
        },
        &["run"],
    ),
    (
        "altered reference",
        |project| {
            used(project);
            project.flip(REFERENCE);
        },
        &["run"],
    ),
    (
        "absent reference",
        |project| {
            used(project);
            fs::remove_file(project.path(REFERENCE)).unwrap();
        },
        &["run"],
    ),
    (
        "another data set under the same split",
        |project| {
            used(project);
            project.customers(1500, 99, CUSTOMERS);
        },
        &["run"],
    ),
    (
        "new column under a used split",
        |project| {
            used(project);
            let table = project.read(CUSTOMERS);
            let (header, rows) = table.split_once('\n').unwrap();
            project.write(CUSTOMERS, format!("{header},region\n{}", rows.replace('\n', ",north\n")));
        },
        &["run"],
    ),
    (
        "reference that nobody knows",
        |project| {
            used(project);
            fs::remove_file(project.path("versions/lock.yaml")).unwrap();
            project.customers(1500, 99, CUSTOMERS);
        },
        &["run"],
    ),
    ("unknown environment", |_| {}, &["run", "--env", "strickt"]),
    ("unknown step", |_| {}, &["why", "trian"]),
    ("unknown run", |_| {}, &["verify", "7f3a"]),
    ("unknown model", |_| {}, &["predict", "--model", "churn", "--input", CUSTOMERS]),
    ("nothing to resume", |_| {}, &["resume"]),
];

/// What is wrong with a command about runs, models or tables.
const COMMANDS: &[Case] = &[
    (
        "two runs meant",
        |project| ["nightly-1", "nightly-2"].iter().for_each(|run| begun(project, run)),
        &["verify", "nightly"],
    ),
    (
        "other flags for a run",
        |project| begun(project, "nightly"),
        &["step", "ingest", "--run", "nightly", "--features", "2"],
    ),
    (
        "run without a configuration",
        |project| {
            begun(project, "nightly");
            project.write(".trainyard/runs/nightly/configuration.json", "{");
        },
        &["resume", "nightly"],
    ),
    (
        "damaged journal",
        |project| {
            begun(project, "nightly");
            let journal = ".trainyard/runs/nightly/journal.jsonl";
            project.write(journal, format!("lost\n{}", project.read(journal)));
        },
        &["resume", "nightly"],
    ),
    ("no step of this name", |_| {}, &["step", "trian", "--run", "nightly"]),
    ("run named with a blank", |_| {}, &["step", "resolve", "--run", "nightly 3"]),
    ("step of a run that was never begun", |_| {}, &["step", "ingest", "--run", "nightly"]),
    (
        "step that is left out",
        |project| {
            without_promotion(project);
            begun(project, "nightly");
        },
        &["step", "promote", "--run", "nightly"],
    ),
    ("step before its time", |project| begun(project, "nightly"), &["step", "split", "--run", "nightly"]),
    ("run without a model", |project| begun(project, "nightly"), &["verify", "nightly"]),
    (
        "damaged object",
        |project| {
            project.run();
            objects(project).iter().for_each(|path| project.write(path, "lost"));
        },
        &["predict", "--model", "churn-predictor", "--input", CUSTOMERS],
    ),
    (
        "lost object",
        |project| {
            project.run();
            objects(project).iter().for_each(|path| fs::remove_file(project.path(path)).unwrap());
        },
        &["predict", "--model", "churn-predictor", "--input", CUSTOMERS],
    ),
    ("file in the place of a folder", |project| project.write(".trainyard", ""), &["run"]),
    ("tracking store of another program", |project| project.customers(10, 1, TRACKING), &["runs", "list"]),
    (
        "damaged tracking store",
        |project| {
            project.write(TRACKING, "lost".repeat(1000));
        },
        &["runs", "list"],
    ),
    (
        "stage that is none",
        |project| begun(project, "nightly"),
        &["predict", "--model", "churn/Stagin", "--input", CUSTOMERS],
    ),
    (
        "colon in the name of a model",
        |project| begun(project, "nightly"),
        &["predict", "--model", "a:b", "--input", CUSTOMERS],
    ),
    ("version that is not registered", |project| drop(project.run()), &["models", "show", "churn-predictor/9"]),
    (
        "folder for a model that is not empty",
        |project| drop(project.run()),
        &["models", "export", "churn-predictor", "--output", "data"],
    ),
    (
        "absent folder for predictions",
        |_| {},
        &["predict", "--model", "churn", "--input", CUSTOMERS, "--output", "out/new.csv"],
    ),
    (
        "workbook for predictions",
        |_| {},
        &["predict", "--model", "churn", "--input", CUSTOMERS, "--output", "new.xlsx"],
    ),
    (
        "more columns than features",
        |_| {},
        &["synth", "classification", "--features", "5", "--informative", "4", "--redundant", "2", "--output", "t.csv"],
    ),
    ("unknown code", |_| {}, &["explain", "data/raged-row"]),
    ("project over files", |_| {}, &["init", "data", "--from", CUSTOMERS, "--target", "Churn"]),
    ("project for a misspelt target", |_| {}, &["init", "new", "--from", CUSTOMERS, "--target", "churn"]),
    (
        "project for a target with holes",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",\n", 2)),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
    (
        "project for a constant target",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(",Yes\n", ",No\n")),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
    (
        "project for an absent class",
        |_| {},
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn", "--positive", "yes"],
    ),
    (
        "project for three classes",
        |_| {},
        &["init", "new", "--from", CUSTOMERS, "--target", "Contract", "--task", "binary"],
    ),
    (
        "project without features",
        |project| project.write(CUSTOMERS, "id,Churn\na,No\nb,Yes\nc,No\nd,Yes\n"),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
];

/// Begins a run of a fixed name.
fn begun(project: &Project, run: &str) {
    project.json(&["step", "resolve", "--run", run]);
}

/// The files of all stored objects, as paths below the project.
fn objects(project: &Project) -> Vec<String> {
    let below = |path: PathBuf| path.strip_prefix(project.path("")).unwrap().to_str().unwrap().to_owned();
    let all = project.files().into_iter().map(|(path, _)| below(path));
    all.filter(|path| path.starts_with(".trainyard/objects/")).collect()
}

/// Every file of the project but those of the tracking store: SQLite tidies up its log when somebody looks into it.
fn files(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let all = project.files().into_iter();
    all.filter(|(path, _)| !path.starts_with(project.path(".trainyard/tracking"))).collect()
}

/// Takes the promotion out of the project.
fn without_promotion(project: &Project) {
    let text = project.read(PROJECT);
    let lines = text.lines().filter(|line| !line.starts_with("promote:"));
    project.write(PROJECT, lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// Makes one expression of the features another one.
fn sql(project: &Project, expression: &str) {
    project.edit(FEATURES, "tenure * MonthlyCharges", expression);
}

/// Writes features of one group, after the columns derived for it.
fn group(project: &Project, columns: &str, group: &str) {
    project.write(FEATURES, format!("columns: {{{columns}}}\ngroups:\n  - {{{group}}}\n"));
}

/// Makes a project that predicts a number.
fn regression(project: &Project, target: &str) {
    let head = "name: churn\ndata:\n  source: data/raw/customers.csv\n  key: customerID";
    project.write(PROJECT, format!("{head}\n  target: {target}\nactive: {{split: 1, features: 1, model: 1}}\n"));
    project.edit(SPLIT, "stratify: true\n", "");
    project.write(MODEL, "candidates: {ridge: {}}\n");
    group(project, "", "numeric: [tenure, MonthlyCharges]");
}

/// Uses the versions in a run of a fixed name, as far as the split.
fn used(project: &Project) {
    for step in ["resolve", "ingest", "split", "features", "baseline", "train"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    fs::remove_dir_all(project.path(".trainyard")).unwrap();
}

/// Puts fixed words in the places of the run's own name and of the seconds that steps took.
fn without_the_run(said: &str) -> String {
    let Some(run) = said.lines().find_map(|line| line.strip_prefix("Running   ")) else { return said.to_owned() };
    let timeless = |line: &str| match line.rsplit_once(' ') {
        Some((start, end))
            if line.starts_with("  ") && end.ends_with('s') && end.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            format!("{start} TIME\n")
        }
        _ => format!("{line}\n"),
    };
    said.replace(run, "RUN").lines().map(timeless).collect()
}

fn compare(cases: &[Case]) {
    let folder = trainyard_judges::crate_folder().join("tests/refused");
    let mut wrong = Vec::new();
    for (name, spoil, command) in cases {
        let project = Project::new();
        spoil(&project);
        let before = files(&project);
        let output = project.call(command);
        let errors = without_the_run(&text(&output.stderr));
        let code = output.status.code().unwrap();
        let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
        let said = format!("$ trainyard {}\n{}{errors}(exit code {code})\n", words.join(" "), text(&output.stdout));
        let (says, is_true) = (errors.contains("nothing was written"), files(&project) == before);
        // Nobody asks whether a command that only looks, or that makes something else than a run, wrote into the project.
        let may_write =
            !matches!(command[0], "runs" | "models" | "predict" | "synth" | "init" | "explain") && code != 0;
        if says && !is_true || may_write && !says && is_true {
            wrong.push(format!("{name}: what it says of what was written is not true:\n{said}"));
        }
        let path = folder.join(format!("{}.txt", name.replace(' ', "_")));
        if std::env::var_os("TRAINYARD_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nTRAINYARD_BLESS=1 takes what was found", wrong.join("\n"));
}

#[test]
fn a_wrong_table_is_explained() {
    compare(TABLES);
}

#[test]
fn a_wrong_specification_is_explained() {
    compare(SPECS);
}

#[test]
fn a_wrong_expression_is_explained() {
    compare(EXPRESSIONS);
}

#[test]
fn a_wrong_command_is_explained() {
    compare(COMMANDS);
}

#[test]
fn a_wrong_version_is_explained() {
    compare(VERSIONS);
}
