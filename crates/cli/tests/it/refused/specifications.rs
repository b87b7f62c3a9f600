//! What is wrong with a specification.

use std::fs;

use super::{Case, FEATURES, MODEL, PROJECT, SPLIT, group, regression, without_promotion};
use crate::project::CUSTOMERS;

pub(super) const CASES: &[Case] = &[
    ("unknown key", |project| project.edit(PROJECT, "active:", "activ:"), &["run"]),
    (
        "minimum gain of what is only not worse",
        |project| project.edit(PROJECT, "when: better", "when: not_worse, minimum_gain: 0.005"),
        &["run"],
    ),
    ("unknown key in a version", |project| project.edit(SPLIT, "stratify:", "stratifed:"), &["run"]),
    (
        "comma between cells and in numbers",
        |project| project.edit(PROJECT, "data:\n", "data:\n  decimal: \",\"\n"),
        &["run"],
    ),
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
        "calibration of what turns out a number",
        |project| {
            regression(project, "{column: TotalCharges}");
            project.write(MODEL, project.read(MODEL) + "calibrate: {}\nthreshold: max_f1\n");
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
        "scoring without early stopping",
        |project| project.edit(MODEL, "n_estimators: 100", "n_estimators: 100, scoring: roc_auc"),
        &["check"],
    ),
    (
        "scoring by a metric of another task",
        |project| project.edit(MODEL, "n_estimators: 100", "early_stopping: true, scoring: rmse"),
        &["check"],
    ),
    (
        "direction of medians",
        |project| project.edit(MODEL, "n_estimators: 100", "loss: absolute_error, monotonic_cst: {tenure: 1}"),
        &["run"],
    ),
    ("categories left to a line", |project| project.edit(FEATURES, "encode: one_hot", "encode: native"), &["check"]),
    (
        "direction of categories",
        |project| {
            project.edit(FEATURES, "encode: one_hot", "encode: native");
            project.write(MODEL, "candidates: {gradient_boosting: {monotonic_cst: {tenure: 1, Contract: 1}}}\n");
        },
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
    (
        "repeats of blocks of time",
        |project| {
            project.write(SPLIT, "by_time: tenure\nshares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n");
            project.edit(MODEL, "{folds: 5}", "{folds: 5, repeats: 2}");
        },
        &["run"],
    ),
    ("repeats without folds", |project| project.edit(MODEL, "{folds: 5}", "{folds: 0, repeats: 2}"), &["run"]),
    (
        "worst slice without slices",
        |project| project.edit(PROJECT, "  at_most:", "  worst_slice: {at_least: {roc_auc: 0.7}}\n  at_most:"),
        &["run"],
    ),
    (
        "misspelt column of slices",
        |project| project.edit(PROJECT, "promote:", "evaluate: {slices: [Contrct, tenure]}\npromote:"),
        &["run"],
    ),
    (
        "slices by the target and the key",
        |project| project.edit(PROJECT, "promote:", "evaluate: {slices: [Churn, customerID]}\npromote:"),
        &["run"],
    ),
    (
        "slices of one row each",
        |project| {
            project.edit(PROJECT, "  key: customerID", "  #");
            project.edit(PROJECT, "promote:", "evaluate: {slices: [customerID]}\npromote:");
        },
        &["run"],
    ),
    (
        "measured metric of the worst slice",
        |project| {
            let evaluate = "evaluate: {slices: [Contract], metrics: [f2, f2]}\npromote:";
            project.edit(PROJECT, "promote:", evaluate);
            project.edit(PROJECT, "  at_most:", "  worst_slice: {at_most: {latency_p95_ms: 9}}\n  at_most:");
        },
        &["run"],
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
