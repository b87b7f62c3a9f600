"""What a sampler costs beside the objective: 1,000 trials of ten numbers, in memory.

    python tune.py optuna|rustuna             # beside `stages tune tpe` and `stages tune auto`

The last line on stdout is JSON: milliseconds of cpu of a trial, of all trials and of the last 200, and the best loss. The
packages are optuna 5.0.0 and rustuna 0.2.0.
"""

import importlib
import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")

TRIALS, PARAMETERS, LAST = 1_000, 10, 200


def objective(trial):
    return sum((trial.suggest_float(f"x{at}", -5.0, 5.0) - 1.3) ** 2 for at in range(PARAMETERS))


def main(name):
    library = importlib.import_module(name)
    if name == "optuna":
        library.logging.set_verbosity(library.logging.ERROR)
    study = library.create_study(sampler=library.samplers.TPESampler(seed=1), direction="minimize")
    started = time.process_time()
    study.optimize(objective, n_trials=TRIALS - LAST)
    before_last = time.process_time()
    study.optimize(objective, n_trials=LAST)
    ended = time.process_time()
    print(json.dumps({
        "cpu_ms_per_trial": (ended - started) * 1e3 / TRIALS,
        "cpu_ms_per_last_trial": (ended - before_last) * 1e3 / LAST,
        "quality": study.best_trial.values[0] if name == "rustuna" else study.best_value,
    }))


main(sys.argv[1])
