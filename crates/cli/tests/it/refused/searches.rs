//! What is wrong with a search, or with a question about one.

use super::{Case, MODEL};
use crate::project::Project;

/// Writes a model version with a search.
fn searched(project: &Project, tune: &str) {
    let candidates = "{gradient_boosting: {max_iter: 10}, random_forest: {n_estimators: 5}}";
    let folds = "cross_validation: {folds: 2}";
    project.write(MODEL, format!("candidates: {candidates}\n{folds}\ntune: {tune}\n"));
}

const LEAVES: &str = "{gradient_boosting: {max_leaf_nodes: [4, 8]}, random_forest: {max_depth: [2, 3]}}";

pub(super) const CASES: &[Case] = &[
    (
        "search of an unknown parameter",
        |project| searched(project, "{space: {gradient_boosting: {max_leaves: [4, 8]}}}"),
        &["run"],
    ),
    ("search of an unknown candidate", |project| searched(project, "{space: {gradient_bosting: default}}"), &["check"]),
    (
        "search in an empty range",
        |project| searched(project, "{space: {gradient_boosting: {learning_rate: {float: [0.3, 0.01]}}}}"),
        &["run"],
    ),
    (
        "search by the logarithm of zero",
        |project| searched(project, "{space: {gradient_boosting: {learning_rate: {float: [0, 0.3], log: true}}}}"),
        &["run"],
    ),
    ("search of no trials", |project| searched(project, "{trials: 0}"), &["run"]),
    (
        "search by a grid of every number",
        |project| {
            searched(project, "{sampler: grid, space: {gradient_boosting: {learning_rate: {float: [0.1, 0.3]}}}}")
        },
        &["run"],
    ),
    (
        "search under an unknown value",
        |project| {
            let depth = "max_depth: {int: [2, 9], when: {grow_policy: depthwize}}";
            searched(
                project,
                &format!("{{space: {{gradient_boosting: {{grow_policy: [lossguide, depthwise], {depth}}}}}}}"),
            );
        },
        &["check"],
    ),
    (
        "search by a grid of the usual ranges",
        |project| searched(project, "{sampler: grid, space: {gradient_boosting: default}}"),
        &["check"],
    ),
    (
        "search among features that an estimator cannot split",
        |project| searched(project, "{together: true, features: {categorical.encode: [one_hot, native]}}"),
        &["check"],
    ),
    ("search that learns from itself", |project| searched(project, "{warm_start: 1}"), &["run"]),
    (
        "search that begins outside of its space",
        |project| {
            let enqueue = "enqueue: {gradient_boosting: [{max_leaf_nodes: 16}]}";
            searched(project, &format!("{{{enqueue}, space: {LEAVES}}}"));
        },
        &["check"],
    ),
    ("search that nothing comes before", |project| searched(project, "{warm_start: 7}"), &["run"]),
    ("no search", |_| {}, &["tune", "show"]),
    (
        "search of another name",
        |project| {
            searched(project, &format!("{{trials: 2, space: {LEAVES}}}"));
            project.call(&["run"]);
        },
        &["tune", "best", "--search", "random_forrest"],
    ),
    (
        "export of several searches",
        |project| {
            searched(project, &format!("{{trials: 2, space: {LEAVES}}}"));
            project.call(&["run"]);
        },
        &["tune", "export", "--out", "study.journal"],
    ),
    (
        "export onto a file that is there",
        |project| {
            searched(project, &format!("{{trials: 2, space: {LEAVES}}}"));
            project.call(&["run"]);
            project.write("study.journal", "");
        },
        &["tune", "export", "--search", "random_forest", "--out", "study.journal"],
    ),
    ("journal that is none", |_| {}, &["tune", "show", "--file", "trainyard.yaml"]),
    (
        "journal of another study",
        |project| project.write("s.journal", "{\"op_code\":0,\"study_name\":\"churn\",\"directions\":[2]}\n"),
        &["tune", "show", "--file", "s.journal", "--search", "chrun"],
    ),
    (
        "search whose trials all fail",
        |project| searched(project, "{trials: 3, space: {gradient_boosting: {quantile: [0.1, 0.5, 0.9]}}}"),
        &["run"],
    ),
];
