"""Does with the usual Python stack what `trainyard run` does with examples/churn.

    python churn.py --data customers.csv --out out             # the whole run, in one process
    python churn.py --data customers.csv --out out --step split  # one step, from the files that earlier ones left

Each step leaves its results as files in `--out`; in a whole run later steps take them from memory. The last line on
stdout is JSON: the seconds of every step and the metrics. Nothing is imported before a step needs it.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

# Nothing may wait for a network.
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", GIT_PYTHON_REFRESH="quiet")
warnings.filterwarnings("ignore")

KEY, TARGET, POSITIVE = "customerID", "Churn", "Yes"
NUMBERS = ["tenure", "MonthlyCharges", "TotalCharges", "total_amount", "average_charges"]
FLAGS = ["SeniorCitizen", "is_high_risk"]
FOLDS, RESAMPLES, TIMED_ROWS = 5, 1000, 300
BOOSTING = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 20, "verbosity": -1}
AT_LEAST = {"accuracy": 0.75, "roc_auc": 0.75}
AT_MOST = {"latency_p95_ms": 10}
MAY_LOSE = {"f1": 0.05}


class Results:
    """Keeps what steps give: in memory, and each under its own file name."""

    def __init__(self, folder):
        self.folder, self.memory = Path(folder), {}
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name, value):
        path, new = self.folder / name, self.folder / f"{name}.new"
        self.memory[name] = value
        if path.suffix == ".parquet":
            value.to_parquet(new, index=False)
        elif path.suffix == ".json":
            new.write_text(json.dumps(value, indent=1))
        else:
            import cloudpickle

            new.write_bytes(cloudpickle.dumps(value))
        new.replace(path)

    def get(self, name):
        if name not in self.memory:
            path = self.folder / name
            if path.suffix == ".parquet":
                import pandas

                self.memory[name] = pandas.read_parquet(path)
            elif path.suffix == ".json":
                self.memory[name] = json.loads(path.read_text())
            else:
                import pickle

                self.memory[name] = pickle.loads(path.read_bytes())
        return self.memory[name]


def labels(table):
    return (table[TARGET] == POSITIVE).to_numpy().astype("int8")


def ingest(results, arguments):
    import pandas

    table = pandas.read_csv(arguments.data)
    table["TotalCharges"] = pandas.to_numeric(table["TotalCharges"], errors="coerce")
    problems = []
    if table[KEY].isna().any() or not table[KEY].is_unique:
        problems.append(f"{KEY} does not identify a row")
    if table[TARGET].isna().any() or table[TARGET].nunique() != 2:
        problems.append(f"{TARGET} has not two classes")
    if problems:
        raise SystemExit("; ".join(problems))
    results.put("table.parquet", table)


def split(results, arguments):
    from sklearn.model_selection import train_test_split

    table = results.get("table.parquet")
    rest, reference = train_test_split(table, test_size=0.2, stratify=table[TARGET], random_state=42)
    train, validation = train_test_split(rest, test_size=0.25, stratify=rest[TARGET], random_state=42)
    results.put("train.parquet", train)
    results.put("validation.parquet", validation)
    results.put("reference.parquet", reference)
    results.put("new_customers.parquet", reference[reference["tenure"] < 6])


def preparation():
    """Gives the features of examples/churn/versions/features/v1.yaml, not yet fitted."""
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    class Derived(BaseEstimator, TransformerMixin):
        def fit(self, table, target=None):
            self.median_ = float(table["MonthlyCharges"].median())
            return self

        def transform(self, table):
            charges, tenure = table["MonthlyCharges"], table["tenure"]
            return table.drop(columns=[KEY, TARGET], errors="ignore").assign(
                total_amount=tenure * charges,
                average_charges=charges / (tenure + 1),
                is_high_risk=((table["Contract"] == "Month-to-month") & (charges > self.median_)).astype("int8"),
            )

    encoder = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
    return make_pipeline(
        Derived(),
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("passthrough", FLAGS),
            (encoder, make_column_selector(dtype_exclude="number")),
        ),
    )


def features(results, arguments):
    train = results.get("train.parquet")
    results.put("features.pkl", preparation().fit(train))


def baseline(results, arguments):
    from sklearn.linear_model import LogisticRegression

    train = results.get("train.parquet")
    matrix = results.get("features.pkl").transform(train)
    results.put("baseline.pkl", LogisticRegression().fit(matrix, labels(train)))


def booster(arguments, seed):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**BOOSTING, n_jobs=arguments.threads, random_state=seed)


def train(results, arguments):
    import numpy
    from sklearn.model_selection import StratifiedKFold

    rows, held = results.get("train.parquet"), results.get("validation.parquet")
    target, prepared = labels(rows), results.get("features.pkl")
    folds, fitting = [], 0.0
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, target):
        prepare = preparation().fit(rows.iloc[inside])
        matrix = prepare.transform(rows.iloc[inside])
        started = time.perf_counter()
        model = booster(arguments, 0).fit(matrix, target[inside])
        fitting += time.perf_counter() - started
        predicted = model.predict_proba(prepare.transform(rows.iloc[outside]))[:, 1]
        folds.append(scores(target[outside], predicted))
    matrix = prepared.transform(rows)
    started = time.perf_counter()
    model = booster(arguments, 0).fit(matrix, target)
    fitting += time.perf_counter() - started
    spread = {name: [fold[name] for fold in folds] for name in folds[0]}
    report = {
        "cross_validation": {name: [numpy.mean(of), numpy.std(of)] for name, of in spread.items()},
        "train": scores(target, model.predict_proba(matrix)[:, 1]),
        "validation": scores(labels(held), model.predict_proba(prepared.transform(held))[:, 1]),
        "fitting_seconds": fitting,
    }
    results.put("model.pkl", model)
    results.put("report.json", report)


def scores(target, predicted):
    from sklearn import metrics

    decided = predicted >= 0.5
    return {
        "accuracy": metrics.accuracy_score(target, decided),
        "average_precision": metrics.average_precision_score(target, predicted),
        "brier": metrics.brier_score_loss(target, predicted),
        "f1": metrics.f1_score(target, decided, zero_division=0),
        "log_loss": metrics.log_loss(target, predicted),
        "precision": metrics.precision_score(target, decided, zero_division=0),
        "recall": metrics.recall_score(target, decided, zero_division=0),
        "roc_auc": metrics.roc_auc_score(target, predicted),
    }


def intervals(target, predicted):
    """Gives 95 % percentile intervals of all metrics: rows sorted once, many resamples in a few array operations."""
    import numpy

    order = numpy.argsort(predicted, kind="stable")
    target, predicted = target[order].astype(float), predicted[order]
    draw, rows = numpy.random.default_rng(42), len(target)
    starts = numpy.flatnonzero(numpy.r_[True, predicted[1:] != predicted[:-1]])
    log_losses = -numpy.log(numpy.where(target > 0, predicted, 1 - predicted))
    decided, values = predicted >= 0.5, {}
    # As many at once as keep the arrays small.
    at_once = max(1, 2_000_000 // rows)
    for done in range(0, RESAMPLES, at_once):
        drawn = draw.multinomial(rows, numpy.full(rows, 1 / rows), min(at_once, RESAMPLES - done)).astype(float)
        positive = numpy.add.reduceat(drawn * target, starts, axis=1)
        negative = numpy.add.reduceat(drawn * (1 - target), starts, axis=1)
        positives, negatives = positive.sum(1), negative.sum(1)
        below = numpy.cumsum(negative, 1) - negative / 2
        true = numpy.cumsum(positive[:, ::-1], 1)
        called = true + numpy.cumsum(negative[:, ::-1], 1)
        hits, alarms = drawn @ (target * decided), drawn @ ((1 - target) * decided)
        with numpy.errstate(divide="ignore", invalid="ignore"):
            found = {
                "accuracy": (hits + negatives - alarms) / rows,
                "average_precision": numpy.nansum(true / called * positive[:, ::-1], 1) / positives,
                "brier": drawn @ (target - predicted) ** 2 / rows,
                "f1": 2 * hits / (hits + alarms + positives),
                "log_loss": drawn @ log_losses / rows,
                "precision": hits / (hits + alarms),
                "recall": hits / positives,
                "roc_auc": (positive * below).sum(1) / (positives * negatives),
            }
        for name, block in found.items():
            values.setdefault(name, []).append(block)
    return {name: numpy.nanquantile(numpy.concatenate(of), [0.025, 0.975]).tolist() for name, of in values.items()}


def evaluate(results, arguments):
    import numpy

    model, before, prepared = (results.get(f"{name}.pkl") for name in ("model", "baseline", "features"))
    judged = {}
    for name in ("reference", "new_customers"):
        table = results.get(f"{name}.parquet")
        matrix, target = prepared.transform(table), labels(table)
        predicted = model.predict_proba(matrix)[:, 1]
        judged[name] = {
            "metrics": scores(target, predicted),
            "baseline": scores(target, before.predict_proba(matrix)[:, 1]),
            "intervals": intervals(target, predicted),
        }
        if name == "reference":
            times = []
            for row in matrix[:TIMED_ROWS]:
                started = time.perf_counter()
                model.booster_.predict(row[None])
                times.append(1e3 * (time.perf_counter() - started))
            judged["latency_p95_ms"] = float(numpy.quantile(times, 0.95))
    results.put("metrics.json", judged)


def gate(results, arguments):
    judged = results.get("metrics.json")
    values = {**judged["reference"]["metrics"], "latency_p95_ms": judged["latency_p95_ms"]}
    passed = {f"{name} >= {limit}": values[name] >= limit for name, limit in AT_LEAST.items()}
    passed |= {f"{name} <= {limit}": values[name] <= limit for name, limit in AT_MOST.items()}
    results.put("gates.json", passed)


def promote(results, arguments):
    import logging

    import mlflow.sklearn
    from mlflow.exceptions import MlflowException
    from mlflow.models import infer_signature
    from sklearn.pipeline import make_pipeline

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    store = (results.folder / "mlflow").resolve()
    store.mkdir(exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{store / 'tracking.db'}")
    if mlflow.get_experiment_by_name("churn") is None:
        mlflow.create_experiment("churn", artifact_location=(store / "artifacts").as_uri())
    mlflow.set_experiment("churn")
    client = mlflow.MlflowClient()
    judged, gates = results.get("metrics.json"), results.get("gates.json")
    metrics = judged["reference"]["metrics"]
    with mlflow.start_run():
        mlflow.log_params(BOOSTING | {"split_version": 1, "feature_version": 1, "model_version": 1})
        mlflow.set_tags({"team": "growth", "estimator": "lightgbm"})
        logged = {f"reference_{name}": value for name, value in metrics.items()}
        logged |= {f"new_customers_{name}": value for name, value in judged["new_customers"]["metrics"].items()}
        logged |= {f"baseline_reference_{name}": value for name, value in judged["reference"]["baseline"].items()}
        for part in ("train", "validation"):
            logged |= {f"{part}_{name}": value for name, value in results.get("report.json")[part].items()}
        mlflow.log_metrics(logged)
        for name in ("metrics.json", "gates.json", "report.json"):
            mlflow.log_artifact(results.folder / name)
        example = results.get("reference.parquet").drop(columns=[KEY, TARGET])[:5]
        whole = make_pipeline(results.get("features.pkl"), results.get("model.pkl"))
        # Stated, since finding them out would load the model in another process.
        uri = mlflow.sklearn.log_model(
            whole,
            name="model",
            signature=infer_signature(example, whole.predict_proba(example)[:, 1]),
            pip_requirements=["scikit-learn", "lightgbm", "pandas"],
            serialization_format="cloudpickle",
        ).model_uri
        try:
            incumbent = client.get_model_version_by_alias("churn-predictor", "challenger")
            before = client.get_run(incumbent.run_id).data.metrics
            better = metrics["roc_auc"] > before["reference_roc_auc"]
            better &= all(before[f"reference_{name}"] - metrics[name] <= most for name, most in MAY_LOSE.items())
        except MlflowException:
            better = True
        promoted = better and all(gates.values())
        if promoted:
            version = mlflow.register_model(uri, "churn-predictor").version
            client.set_registered_model_alias("churn-predictor", "challenger", version)
            client.set_model_version_tag("churn-predictor", version, "stage", "Staging")
        mlflow.set_tag("decision", "promoted" if promoted else "kept")
    results.put("decision.json", {"promoted": bool(promoted)})


STEPS = [ingest, split, features, baseline, train, evaluate, gate, promote]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the customers, as CSV")
    parser.add_argument("--out", required=True, help="the folder of the results")
    parser.add_argument("--step", choices=[step.__name__ for step in STEPS], help="this step alone")
    parser.add_argument("--threads", type=int, default=1, help="more wait for one another longer than they compute")
    arguments = parser.parse_args()
    # OpenMP and BLAS read these when they are loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    results, seconds = Results(arguments.out), {}
    for step in STEPS:
        if arguments.step in (None, step.__name__):
            started = time.perf_counter()
            step(results, arguments)
            seconds[step.__name__] = time.perf_counter() - started
    print(json.dumps({"seconds": seconds} | results.memory.get("report.json", {})))


if __name__ == "__main__":
    main()
