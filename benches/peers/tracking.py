"""What MLflow's server takes for the deeds that `stages tracking batch|create|search` does in the embedded store.

    python tracking.py STAGES FOLDER

Starts the real server over SQLite with one worker in FOLDER, asks it over HTTP, and reads from /proc the processor time
of the server and its children, without the client's; runs STAGES for the same deeds and prints the table of both. The
10,000 runs that are searched are written into the server's tables by SQL: over HTTP they would take ten minutes.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

STAGES, FOLDER = sys.argv[1], Path(sys.argv[2])
METRICS, BATCHES, RUNS, SEARCHES, SEARCHED, WANTED = 1_000, 20, 100, 20, 10_000, 100
METRICS_EACH, PARAMS_EACH = 10, 5
GOALS = {"batch": 100, "create": 50, "search": 50}
WORDS = {
    "batch": "log-batch of 1,000 metrics",
    "create": "create a run",
    "search": "the first 100 of 10,000 runs, by filter and order",
}
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def family(pid):
    """Lists a process and all below it."""
    below = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            below.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found.extend(below.get(one, []))
    return found


def cpu(pid):
    """Gives the milliseconds of processor time of a process and all below it."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1e3 / TICKS


class Server:
    def __init__(self):
        self.port = free_port()
        environment = dict(os.environ, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        self.database = FOLDER / "peer.db"
        command = [str(Path(sys.executable).parent / "mlflow"), "server", "--workers", "1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.database}", "--artifacts-destination", str(FOLDER / "art")]
        log = open(FOLDER / "server.log", "w")
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5)
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit("the server does not start: " + (FOLDER / "server.log").read_text()[-2000:])

    def ask(self, route, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/2.0/mlflow/{route}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def measure(self, times, deed):
        # The first request of a kind pays for what is made once.
        deed(-1)
        before, started = cpu(self.process.pid), time.perf_counter()
        for at in range(times):
            deed(at)
        wall = (time.perf_counter() - started) * 1e3 / times
        return {"cpu_ms": (cpu(self.process.pid) - before) / times, "wall_ms": wall}

    def end(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def fill(server, experiment):
    """Writes the runs that our side writes, as the server's tables have them."""
    database = sqlite3.connect(server.database)
    runs, metrics, params, tags = [], [], [], []
    for number in range(SEARCHED):
        run = f"{number:032x}"
        runs.append((run, f"run {number}", "UNKNOWN", "ada", "FINISHED", 1_700_000_000_000 + number, 1_800_000_000_000,
                     "active", f"mlflow-artifacts:/{experiment}/{run}/artifacts", experiment))
        for at in range(METRICS_EACH):
            value = (number * 7919 + at * 104_729) % SEARCHED / SEARCHED
            metrics.append((run, f"m{at}", value, 1_700_000_000_000, 0, 0))
        params.extend((run, f"p{at}", f"v{number // 2 % 3 + at}") for at in range(PARAMS_EACH))
        tags.append((run, "team", "risk" if number % 2 else "growth"))
        tags.append((run, "mlflow.user", "ada"))
    with database:
        database.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage,"
            " artifact_uri, experiment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", runs)
        for table in ("metrics", "latest_metrics"):
            database.executemany(
                f"INSERT INTO {table} (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                metrics)
        database.executemany("INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", params)
        database.executemany("INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", tags)
    database.execute("ANALYZE")
    database.close()


def peers():
    server = Server()
    try:
        experiment = server.ask("experiments/create", {"name": "bench"})["experiment_id"]
        begin = {"experiment_id": experiment, "start_time": 1_700_000_000_000, "run_name": "run",
                 "tags": [{"key": "team", "value": "growth"}, {"key": "mlflow.user", "value": "ada"}]}
        run = server.ask("runs/create", begin)["run"]["info"]["run_id"]
        steps = METRICS // 10

        def batch(time):
            metrics = [{"key": f"m{at // steps}", "value": float(at), "step": (time + 1) * steps + at % steps,
                        "timestamp": 1_700_000_000_000} for at in range(METRICS)]
            server.ask("runs/log-batch", {"run_id": run, "metrics": metrics})

        measured = {
            "batch": server.measure(BATCHES, batch),
            "create": server.measure(RUNS, lambda _: server.ask("runs/create", begin)),
        }
        searched = server.ask("experiments/create", {"name": "searched"})["experiment_id"]
        fill(server, int(searched))
        question = {"experiment_ids": [searched], "max_results": WANTED, "order_by": ["metrics.m0 DESC"],
                    "filter": "metrics.m0 > 0.2 and params.p0 = 'v1' and tags.team = 'growth'"}
        found = []

        def search(_):
            found[:] = [run["info"]["run_id"] for run in server.ask("runs/search", question)["runs"]]

        measured["search"] = server.measure(SEARCHES, search)
        measured["search"]["found"] = [f"run-{int(run, 16):05}" for run in found]
        return measured
    finally:
        server.end()


def ours(deed):
    folder = FOLDER / f"ours-{deed}"
    shutil.rmtree(folder, ignore_errors=True)
    output = subprocess.run([STAGES, "tracking", deed, str(folder)], check=True, capture_output=True, text=True)
    return json.loads(output.stdout.strip().splitlines()[-1])


def main():
    peer = peers()
    print("| deed | trainyard cpu, ms | MLflow's cpu, ms | ratio | goal | trainyard wall, ms | MLflow's wall, ms |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for deed, words in WORDS.items():
        own, other = ours(deed), peer[deed]
        if deed == "search" and own["found"] != other["found"]:
            raise SystemExit(f"the two sides found other runs: {own['found'][:5]} and {other['found'][:5]}")
        ratio = other["cpu_ms"] / own["cpu_ms"]
        print(f"| {words} | {own['cpu_ms']:.3f} | {other['cpu_ms']:.1f} | {ratio:.0f} | {GOALS[deed]} "
              f"| {own['wall_ms']:.2f} | {other['wall_ms']:.1f} |")


main()
