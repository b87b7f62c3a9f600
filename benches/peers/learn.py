"""Single stages of training and explaining with the usual Python libraries, each in a process of its own.

    python learn.py make NAME DIR [CSV]       # data for the stages, the same for both sides; prints its path
    python learn.py STAGE DATA [--engine E]   # boosting, folds, forest, shap, logistic
    python learn.py row CSV                   # one raw row at a time, 10,000 times

The last line on stdout is JSON: the seconds of the work alone, without imports and reading, and how good the result is.
Data is a file of little-endian 32-bit floats, column after column, the label last; its name ends in -COLUMNS.f32.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

THREADS = 2
for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = str(THREADS)
warnings.filterwarnings("ignore")

import numpy as np

FITS, FOLDS, CALLS = 100, 5, 10_000
DEEP = {"n_estimators": 100, "max_depth": 6, "learning_rate": 0.1}
SMALL = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 20, "verbosity": -1}


def particles(rows):
    """28 columns of which a quarter are mixtures of the others, and a label that depends on them in curves."""
    draw = np.random.default_rng(1)
    drawn = draw.standard_normal((21, rows), dtype=np.float32)
    drawn[9:15] = np.exp(drawn[9:15] / 2)
    mixed = np.stack([
        drawn[0] * drawn[1], np.hypot(drawn[2], drawn[3]), drawn[9] / (1 + drawn[10]), np.abs(drawn[4] - drawn[5]),
        np.sin(2 * drawn[6]), np.maximum(drawn[7], drawn[8]), drawn[11] * drawn[16],
    ])
    margin = mixed.T @ np.array([0.9, -0.8, 0.6, 0.5, 0.8, 0.4, 0.3], dtype=np.float32) + 0.5 * drawn[17] + 0.3
    label = draw.random(rows) < 1 / (1 + np.exp(-margin))
    return np.vstack([drawn, mixed, label[None]])


def wide(rows):
    """500 columns that know nothing of one another, each with a little to say."""
    draw = np.random.default_rng(2)
    columns = draw.standard_normal((500, rows), dtype=np.float32)
    margin = columns.T @ draw.normal(0, 0.1, 500)
    return np.vstack([columns, draw.random(rows) < 1 / (1 + np.exp(-margin))])


def customers(csv):
    """The training share of the customers with every category a column of its own."""
    import pandas

    table = pandas.read_csv(csv).sample(frac=0.6, random_state=42)
    table["TotalCharges"] = pandas.to_numeric(table["TotalCharges"], errors="coerce").fillna(0.0)
    label = table.pop("Churn") == "Yes"
    return np.vstack([pandas.get_dummies(table.drop(columns="customerID")).to_numpy("float32").T, label.to_numpy()[None]])


def make(name, folder, csv):
    made = {
        "particles": lambda: particles(1_250_000), "fewer": lambda: particles(100_000),
        "narrow": lambda: particles(200_000)[[*range(20), 28]], "wide": lambda: wide(100_000),
        "customers": lambda: customers(csv),
    }[name]().astype("<f4")
    path = folder / f"{name}-{len(made)}.f32"
    made.tofile(path)
    return path


def read(path):
    columns = int(path.stem.rsplit("-", 1)[1])
    numbers = np.fromfile(path, dtype="<f4").reshape(columns, -1)
    return numbers[:-1].T, numbers[-1].astype(np.int32)


def timed(work):
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def deep(engine):
    if engine == "xgboost":
        import xgboost

        return xgboost.XGBClassifier(**DEEP, tree_method="hist", n_jobs=THREADS)
    import lightgbm

    return lightgbm.LGBMClassifier(**DEEP, num_leaves=63, n_jobs=THREADS, verbosity=-1)


def auc(model, rows, labels):
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, model.predict_proba(rows)[:, 1]))


def boosting(rows, labels, engine):
    cut, model = len(rows) * 4 // 5, deep(engine)
    _, seconds = timed(lambda: model.fit(rows[:cut], labels[:cut]))
    return seconds, auc(model, rows[cut:], labels[cut:])


def folds(rows, labels, engine):
    """A fit to a thread: on so few rows that is faster than several threads for each."""
    from concurrent.futures import ThreadPoolExecutor

    import lightgbm

    def fit(number):
        held = np.arange(len(rows)) % FOLDS == number % FOLDS
        model = lightgbm.LGBMClassifier(**SMALL, n_jobs=1).fit(rows[~held], labels[~held])
        return auc(model, rows[held], labels[held])

    fit(0)
    with ThreadPoolExecutor(THREADS) as threads:
        scores, seconds = timed(lambda: list(threads.map(fit, range(FITS))))
    return seconds, float(np.mean(scores))


def forest(rows, labels, engine):
    from sklearn import ensemble

    kind = {"random_forest": ensemble.RandomForestClassifier, "extra_trees": ensemble.ExtraTreesClassifier}[engine]
    cut, model = len(rows) // 2, kind(n_estimators=100, max_depth=10, n_jobs=THREADS, random_state=0)
    _, seconds = timed(lambda: model.fit(rows[:cut], labels[:cut]))
    return seconds, auc(model, rows[cut:], labels[cut:])


def shap(rows, labels, engine):
    model = deep("lightgbm").fit(rows, labels)
    values, seconds = timed(lambda: model.predict(rows, pred_contrib=True))
    return seconds, float(np.abs(values.sum(axis=1) - model.predict(rows, raw_score=True)).max())


def logistic(rows, labels, engine):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    # Doubles, column after column, as the other side has them; the solver is at home in rows.
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    model = LogisticRegression(max_iter=1000)
    _, seconds = timed(lambda: model.fit(rows, labels))
    loss = log_loss(labels, model.predict_proba(rows)[:, 1])
    return seconds, float(loss + (model.coef_ ** 2).sum() / 2 / len(rows))


def row(csv):
    """Imputing, scaling, one-hot columns and trees from a raw row, by one pipeline."""
    import lightgbm
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pandas.read_csv(csv)
    table["TotalCharges"] = pandas.to_numeric(table["TotalCharges"], errors="coerce")
    labels = table.pop("Churn") == "Yes"
    numbers = ["tenure", "MonthlyCharges", "TotalCharges"]
    texts = [name for name in table.select_dtypes(exclude="number") if name != "customerID"]
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("texts", OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False), texts),
        ("flags", "passthrough", ["SeniorCitizen"]),
    ])
    model = make_pipeline(columns, lightgbm.LGBMClassifier(**SMALL, n_jobs=1)).fit(table, labels)
    singles = [table.iloc[[at]] for at in range(1000)]
    seconds, total = [], 0.0
    for call in range(CALLS):
        predicted, took = timed(lambda: model.predict_proba(singles[call % len(singles)]))
        seconds.append(took)
        total += predicted[0, 1]
    return sorted(seconds)[CALLS * 95 // 100 - 1], float(total / CALLS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+")
    parser.add_argument("--engine", default="lightgbm")
    arguments = parser.parse_args()
    stage, *rest = arguments.words
    if stage == "make":
        print(make(rest[0], Path(rest[1]), rest[2] if len(rest) > 2 else None))
        return
    if stage == "row":
        seconds, quality = row(rest[0])
    else:
        work = {"boosting": boosting, "folds": folds, "forest": forest, "shap": shap, "logistic": logistic}[stage]
        seconds, quality = work(*read(Path(rest[0])), arguments.engine)
    print(json.dumps({"seconds": seconds, "quality": quality}))


if __name__ == "__main__":
    main()
