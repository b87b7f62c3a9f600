"""Judging and reading tables with the usual Python libraries, each stage in a process of its own.

    python data.py make DIR ROWS              # ROWS rows of 33 columns, as Parquet and CSV, and their halves
    python data.py suite FILE                 # the twelve checks, as a suite of Great Expectations
    python data.py checks FILE                # the same with polars, lazily, in one scan of the Parquet file
    python data.py drift THEN NOW             # four statistics of 28 columns, each sample sorted once
    python data.py read FILE                  # a CSV file with polars
    python data.py postgres URL               # the table `wide` with pandas, SQLAlchemy and psycopg

The last line on stdout is JSON: the seconds of the work alone, without imports, and what came out of it.
"""

import argparse
import json
import os
import time
from pathlib import Path

THREADS = 2
for name in ["POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
    os.environ[name] = str(THREADS)

NUMBERS = [f"f{index:02}" for index in range(28)]
LEVELS = {"cat_3": 3, "cat_12": 12, "cat_200": 200, "cat_10k": 10_000}
COLUMNS = [*NUMBERS, *LEVELS, "label"]


def make(folder, rows):
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    draw = np.random.default_rng(11)
    columns = {}
    for index, name in enumerate(NUMBERS):
        kind = index % 3
        values = draw.standard_normal(rows) if kind == 0 else draw.lognormal(0, 0.5, rows)
        values = draw.uniform(-1.75, 1.75, rows) if kind == 2 else values
        # The second half of every fourth column is a little larger.
        values[rows // 2:] += 0.1 if index % 4 == 3 else 0.0
        columns[name] = pa.array(values.astype("float32").astype("float64"))
    for name, levels in LEVELS.items():
        codes = (levels * draw.power(0.5, rows)).astype("int64")
        columns[name] = pa.array([f"{name}_{code:05}" for code in range(levels)]).take(pa.array(codes))
    columns["label"] = pa.array((draw.random(rows) < 0.4).astype("int64"))
    table = pa.table(columns)
    halves = {"then": table.slice(0, rows // 2), "now": table.slice(rows // 2), "all": table}
    for name, part in halves.items():
        pa.parquet.write_table(part, folder / f"{name}.parquet")
    pa.csv.write_csv(table, folder / "all.csv", pa.csv.WriteOptions(quoting_style="none"))


def expected():
    """The twelve checks: name and arguments of each expectation."""
    def column(name, of, **rest):
        return {"type": f"expect_column_{name}", "kwargs": {"column": of, **rest}}

    return [
        {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": COLUMNS}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
        column("values_to_not_be_null", "label"),
        column("values_to_be_in_set", "label", value_set=[0, 1]),
        column("mean_to_be_between", "label", min_value=0.2, max_value=0.8),
        column("values_to_be_between", "f00", min_value=-10, max_value=10),
        column("values_to_be_between", "f01", min_value=0, strict_min=True),
        column("values_to_be_between", "f05", min_value=-1.75, max_value=1.75),
        column("mean_to_be_between", "f00", min_value=-0.1, max_value=0.1),
        column("stdev_to_be_between", "f00", min_value=0.9, max_value=1.1),
        column("values_to_be_in_set", "cat_3", value_set=[f"cat_3_{code:05}" for code in range(3)]),
        column("values_to_match_regex", "cat_10k", regex=r"^cat_10k_\d{5}$"),
    ]


def timed(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def suite(path):
    import great_expectations as gx
    import pandas

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    table = pandas.read_parquet(path)
    definition = context.data_sources.add_pandas("here").add_dataframe_asset("table").add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch({"dataframe": table})
    expectations = gx.ExpectationSuite(name="twelve", expectations=expected())
    seconds, result = timed(lambda: batch.validate(expectations, result_format="SUMMARY"))
    return seconds, sum(one.success for one in result.results)


def checks(path):
    import polars as pl

    c, levels = pl.col, [f"cat_3_{code:05}" for code in range(3)]
    wanted = [
        (pl.len() > 0).alias("rows"), c("label").is_not_null().all().alias("no_nulls"),
        c("label").is_in([0, 1]).all().alias("label_set"), c("label").mean().is_between(0.2, 0.8).alias("label_mean"),
        c("f00").is_between(-10, 10).all().alias("f00_between"), (c("f01") > 0).all().alias("f01_positive"),
        c("f05").is_between(-1.75, 1.75).all().alias("f05_between"), c("f00").mean().is_between(-0.1, 0.1).alias("mean"),
        c("f00").std().is_between(0.9, 1.1).alias("stdev"), c("cat_3").is_in(levels).all().alias("cat_3_set"),
        c("cat_10k").str.contains(r"^cat_10k_\d{5}$").all().alias("pattern"),
    ]

    def work():
        table = pl.scan_parquet(path)
        in_order = table.collect_schema().names() == COLUMNS
        return sum([in_order, *table.select(wanted).collect().row(0)])

    return timed(work)


def drift(then, now):
    """Two-sample Kolmogorov-Smirnov, PSI, Wasserstein and Jensen-Shannon of every column, from one sort of each sample."""
    import numpy as np
    import pyarrow.parquet as parquet
    from concurrent.futures import ThreadPoolExecutor
    from scipy.special import rel_entr

    sides = [parquet.read_table(path, columns=NUMBERS) for path in (then, now)]
    pairs = [[side[name].to_numpy() for side in sides] for name in NUMBERS]

    def one(pair):
        u, v = np.sort(pair[0]), np.sort(pair[1])
        both = np.concatenate([u, v])
        both.sort(kind="stable")
        gap = np.abs(np.searchsorted(u, both, side="right") / len(u) - np.searchsorted(v, both, side="right") / len(v))
        inner = np.unique(np.quantile(u, np.linspace(0, 1, 11)[1:-1]))
        p, q = (np.diff([0, *np.searchsorted(s, inner, side="left"), len(s)]) / len(s) for s in (u, v))
        p, q = np.clip(p, 1e-6, None), np.clip(q, 1e-6, None)
        middle = (p + q) / 2
        shannon = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2 / np.log(2)
        # In standard deviations of the first sample, as Evidently tells the distance.
        distance = (gap[:-1] * np.diff(both)).sum() / max(u.std(), 0.001)
        return [gap.max(), ((p - q) * np.log(p / q)).sum(), distance, shannon]

    def work():
        with ThreadPoolExecutor(THREADS) as threads:
            return float(max(row[2] for row in threads.map(one, pairs)))

    return timed(work)


def read(path):
    import polars as pl

    return timed(lambda: pl.read_csv(path).height)


def postgres(url):
    import pandas
    import psycopg  # noqa: F401 (SQLAlchemy imports it by the name in the address)
    import sqlalchemy

    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    return timed(lambda: len(pandas.read_sql("SELECT * FROM wide", engine)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["make", "suite", "checks", "drift", "read", "postgres", "expected"])
    parser.add_argument("rest", nargs="*")
    arguments = parser.parse_args()
    if arguments.stage == "make":
        return make(Path(arguments.rest[0]), int(arguments.rest[1]))
    if arguments.stage == "expected":
        print(json.dumps({"name": "twelve", "expectations": expected(), "meta": {"great_expectations_version": "1.24.1"}}))
        return None
    stages = {"suite": suite, "checks": checks, "drift": drift, "read": read, "postgres": postgres}
    seconds, found = stages[arguments.stage](*arguments.rest)
    print(json.dumps({"seconds": seconds, "quality": found}))
    return None


main()
