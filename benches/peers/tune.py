"""What searches cost: a sampler beside the objective, and whole searches of boosted trees' parameters.

    python tune.py optuna|rustuna              # beside `stages tune tpe` and `stages tune auto`: 1,000 trials of ten numbers
    python tune.py durable FOLDER              # Optuna with SQLite, 200 such trials, beside `stages tune tpe FOLDER`
    python tune.py churn xgboost|lightgbm PEERS TRAIN SEED      # the search of PEERS/churn.py on these training rows
    python tune.py spam xgboost PEERS TRAIN SEED                # the search of PEERS/spam.py on these training rows
    python tune.py messages PEERS EMAILS OUT   # what PEERS/spam.py reads of the e-mails, duplicates dropped, as Parquet
    python tune.py rows DATABASE OUT           # the rows of the example's table as CSV, the last column the target as 0 or 1

The last line on stdout is JSON. A sampler tells milliseconds of cpu of a trial, of all trials and of the last 200, and the
best loss; a search tells seconds and cpu seconds of the search alone, without imports, rows and features, and its best value.
The packages are those of `tune.txt`. PEERS is the folder of the scripts whose searches these are; TRAIN is a Parquet file.
"""

import importlib
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

TRIALS, PARAMETERS, LAST, DURABLE = 1_000, 10, 200, 200
THREADS = 2


def objective(trial):
    return sum((trial.suggest_float(f"x{at}", -5.0, 5.0) - 1.3) ** 2 for at in range(PARAMETERS))


def sampler(name):
    library = importlib.import_module(name)
    if name == "optuna":
        library.logging.set_verbosity(library.logging.ERROR)
    study = library.create_study(sampler=library.samplers.TPESampler(seed=1), direction="minimize")
    started = time.process_time()
    study.optimize(objective, n_trials=TRIALS - LAST)
    before_last = time.process_time()
    study.optimize(objective, n_trials=LAST)
    ended = time.process_time()
    return {
        "cpu_ms_per_trial": (ended - started) * 1e3 / TRIALS,
        "cpu_ms_per_last_trial": (ended - before_last) * 1e3 / LAST,
        "quality": study.best_trial.values[0] if name == "rustuna" else study.best_value,
    }


def durable(folder):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = f"sqlite:///{Path(folder).resolve() / 'study.db'}"
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.TPESampler(seed=1), direction="minimize")
    began, started = time.perf_counter(), time.process_time()
    study.optimize(objective, n_trials=DURABLE)
    ended, over = time.process_time(), time.perf_counter()
    return {
        "cpu_ms_per_trial": (ended - started) * 1e3 / DURABLE,
        "wall_ms_per_trial": (over - began) * 1e3 / DURABLE,
        "quality": study.best_value,
    }


def peers(folder):
    """Gives the module that the peers' scripts share, threads set before anything heavy is imported."""
    sys.path.insert(0, folder)
    common = importlib.import_module("common")
    common.set_threads(THREADS)
    return common


def search(data, kind, folder, train, seed):
    common = peers(folder)
    # Of folds, sampler and engine.
    common.SEED = int(seed)
    script, features = importlib.import_module(data), importlib.import_module("features")
    importlib.import_module("optuna")
    importlib.import_module(kind)
    import sklearn.model_selection  # noqa: F401

    if data == "churn":
        import pandas

        with tempfile.TemporaryDirectory() as scratch:
            rows = Path(scratch) / "train.csv"
            pandas.read_parquet(train).to_csv(rows, index=False)
            table = script.read(rows)
        prepared = features.ChurnFeatures(script.NUMERIC, drop=[script.ID, script.TARGET]).fit(table)
        matrix, target, folds = prepared.transform(table), table[script.TARGET].to_numpy().astype("int32"), 5
    else:
        table, _ = script.read(train)
        target, folds = table["label"].to_numpy(), 1
        matrix = features.SpamFeatures().fit_transform(table, target)
    began, started = time.perf_counter(), time.process_time()
    found = common.tune(kind, matrix, target, 20, THREADS, folds)
    ended, over = time.process_time(), time.perf_counter()
    # The search has the best round of each fold as its value; this is its setting with the same number of trees in each.
    steady, _, _ = common.FoldCache(kind, matrix, target, folds, THREADS).score(found["best_params"], early_stop=0)
    return {
        "seconds": over - began,
        "cpu_seconds": ended - started,
        "quality": found["cv_auc"],
        "steady": steady,
        "rows": matrix.shape[0],
        "columns": matrix.shape[1],
    }


def messages(folder, emails, out):
    peers(folder)
    table, dropped = importlib.import_module("spam").read(emails)
    table.insert(0, "id", range(len(table)))
    table.to_parquet(out, index=False)
    return {"rows": len(table), "dropped": dropped}


def rows(database, out):
    import sqlite3

    import pandas

    with sqlite3.connect(database) as connection:
        table = pandas.read_sql("SELECT * FROM data ORDER BY id", connection).drop(columns="id")
    table["target"] = (table["target"] == "yes").astype(int)
    assert table.columns[-1] == "target"
    table.to_csv(out, index=False)
    return {"rows": len(table)}


def main(mode, *words):
    if mode in ("optuna", "rustuna"):
        return sampler(mode)
    if mode in ("churn", "spam"):
        return search(mode, *words)
    return {"durable": durable, "messages": messages, "rows": rows}[mode](*words)


print(json.dumps(main(*sys.argv[1:])))
