-- What `runs sql` asks: names and columns that stay, whatever the tables below become.
CREATE TEMP VIEW runs AS
    SELECT run AS run_id, experiment AS experiment_name, name, status,
           strftime('%Y-%m-%d %H:%M:%f', started_ms / 1000.0, 'unixepoch') AS start_time,
           strftime('%Y-%m-%d %H:%M:%f', ended_ms / 1000.0, 'unixepoch') AS end_time,
           (ended_ms - started_ms) / 1000.0 AS seconds, reason_code, reason_message,
           started_ms AS start_ms, ended_ms AS end_ms
    FROM main.runs;
CREATE TEMP VIEW params AS SELECT run AS run_id, key, value FROM main.params;
CREATE TEMP VIEW tags AS SELECT run AS run_id, key, value FROM main.tags;
CREATE TEMP VIEW metrics AS
    SELECT run AS run_id, key, step, value, value IS NULL AS is_nan,
           strftime('%Y-%m-%d %H:%M:%f', timestamp_ms / 1000.0, 'unixepoch') AS timestamp, timestamp_ms
    FROM main.metrics;
CREATE TEMP VIEW latest_metrics AS
    SELECT run AS run_id, key, step, value, value IS NULL AS is_nan FROM main.latest_metrics;
CREATE TEMP VIEW inputs AS SELECT run AS run_id, name, digest, source, rows FROM main.inputs;
CREATE TEMP VIEW artifacts AS SELECT run AS run_id, path, digest, size FROM main.artifacts;
CREATE TEMP VIEW models AS
    SELECT name, strftime('%Y-%m-%d %H:%M:%f', created_ms / 1000.0, 'unixepoch') AS created, created_ms
    FROM main.models;
CREATE TEMP VIEW versions AS
    SELECT model, version, run AS run_id, digest, artifact_path, stage, rows,
           strftime('%Y-%m-%d %H:%M:%f', created_ms / 1000.0, 'unixepoch') AS created, created_ms
    FROM main.versions;
CREATE TEMP VIEW aliases AS SELECT model, alias, version FROM main.aliases;
CREATE TEMP VIEW history AS
    SELECT sequence, registry, model, version, action, who, run AS run_id, reason, effects, decision,
           strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch') AS at, at_ms, hash
    FROM main.history;
CREATE TEMP VIEW mlflow_metrics AS
    SELECT runs.experiment AS experiment_name, runs.run AS run_id, metrics.key AS metric_name,
           metrics.value AS metric_value,
           strftime('%Y-%m-%d %H:%M:%f', metrics.timestamp_ms / 1000.0, 'unixepoch') AS timestamp,
           metrics.step AS step
    FROM main.metrics AS metrics JOIN main.runs AS runs ON runs.run = metrics.run;
