"""LightGBM's scores on held-out folds of real tables, for `cargo xtask bench quality`.

    python quality.py NAME SHARED             # prints the table, its folds and LightGBM's score of each, as JSON

`SHARED` is the folder of shared data. Columns of categories are codes in the order of their texts, missing cells NaN.
"""

import json
import pathlib
import sys

import lightgbm
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

FOLDS = 5
# What both sides are told; everything else is either side's default.
PARAMETERS = dict(
    num_leaves=31, learning_rate=0.1, min_child_samples=20, min_child_weight=1e-3, reg_lambda=0.0, max_bin=255
)
TREES = 100


def churn(shared):
    table = pd.read_csv(shared / "telco_churn/customers.csv").drop(columns="customerID")
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce")
    return table, "Churn", "binary"


def adult(shared):
    table = pd.read_csv(shared / "adult/adult.csv", skipinitialspace=True, na_values="?")
    return table, "income", "binary"


def german_credit(shared):
    return pd.read_csv(shared / "german_credit/german_credit.csv"), "class", "binary"


def breast_cancer(shared):
    return pd.read_csv(shared / "sklearn_tables/breast_cancer.csv"), "target", "binary"


def wine(shared):
    return pd.read_csv(shared / "sklearn_tables/wine.csv"), "target", "multiclass"


def digits(_):
    pixels, target = load_digits(return_X_y=True)
    return pd.DataFrame(pixels).assign(target=target).rename(columns=str), "target", "multiclass"


def california_housing(shared):
    return pd.read_csv(shared / "california_housing/housing.csv"), "median_house_value", "regression"


def bike_sharing(shared):
    table = pd.read_csv(shared / "bike_sharing/hour.csv")
    return table.drop(columns=["instant", "dteday", "casual", "registered"]), "cnt", "regression"


def matrix(table, target):
    columns, categorical = [], []
    for name in table.columns.drop(target):
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column):
            categorical.append(len(columns))
            codes = pd.Categorical(column).codes.astype(float)
            column = pd.Series(np.where(codes < 0, np.nan, codes))
        columns.append(column.to_numpy(float))
    return np.column_stack(columns), categorical


def measured(name, shared):
    """Gives the table `name`, its folds of several seeds, and LightGBM's score on each held-out fold."""
    table, target, task = globals()[name](pathlib.Path(shared))
    rows, categorical = matrix(table, target)
    y = table[target].to_numpy(float) if task == "regression" else pd.Categorical(table[target]).codes.astype(float)
    classes = 0 if task == "regression" else int(y.max()) + 1
    # Small tables are noisy: they are cut more often.
    seeds = 1 if len(y) > 5_000 else 3 if len(y) > 1_500 else 10
    folds, scores = [], []
    for seed in range(seeds):
        cut = (KFold if task == "regression" else StratifiedKFold)(FOLDS, shuffle=True, random_state=seed)
        fold_of = np.zeros(len(y), dtype=int)
        for fold, (_, held) in enumerate(cut.split(rows, y)):
            fold_of[held] = fold
        folds.append(fold_of.tolist())
        scores.append([score(rows, y, categorical, classes, fold_of == fold) for fold in range(FOLDS)])
    return dict(
        columns=rows.T.tolist(), targets=y.tolist(), categorical=categorical, classes=classes,
        folds=folds, scores=scores, trees=TREES, parameters=PARAMETERS,
    )


def score(rows, y, categorical, classes, held):
    task = {0: dict(objective="regression"), 2: dict(objective="binary")}.get(
        classes, dict(objective="multiclass", num_class=classes)
    )
    told = dict(PARAMETERS, **task, verbose=-1, num_threads=1, deterministic=True, force_row_wise=True)
    data = lightgbm.Dataset(rows[~held], y[~held], categorical_feature=categorical)
    predictions = lightgbm.train(told, data, TREES).predict(rows[held])
    if classes == 0:
        return root_mean_squared_error(y[held], predictions)
    if classes == 2:
        return roc_auc_score(y[held], predictions)
    return log_loss(y[held], predictions, labels=range(classes))


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:])))
