-- Who decided, which registry it was, and decisions that made no version.
CREATE TABLE history_2 (
    sequence INTEGER PRIMARY KEY,
    -- Where the registry is: empty for this file, else the address of a server.
    registry TEXT NOT NULL,
    model TEXT NOT NULL,
    -- NULL where no version was made.
    version INTEGER,
    action TEXT NOT NULL,
    effects TEXT NOT NULL,
    -- NULL in entries of the first schema, whose hashes don't cover it.
    who TEXT,
    run TEXT,
    reason TEXT NOT NULL,
    decision TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO history_2
    SELECT sequence, '', model, version, action, effects, NULL, run, reason, decision, at_ms, previous, hash FROM history;
DROP TRIGGER history_stays;
DROP TABLE history;
ALTER TABLE history_2 RENAME TO history;
CREATE INDEX history_of_model ON history (registry, model, sequence);
CREATE TRIGGER history_stands BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'the history never changes'); END;
CREATE TRIGGER history_stays BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the history is never deleted'); END;
-- Without this, INSERT OR REPLACE would pass the two above.
CREATE TRIGGER history_grows BEFORE INSERT ON history
    WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM history)
    BEGIN SELECT RAISE(ABORT, 'the history only grows at its end'); END;

-- What a server has still to be told, in the order in which it was logged.
CREATE TABLE deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (run),
    batch TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_of_server ON deliveries (server, run, sequence);

-- What a server calls the runs that it was told of.
CREATE TABLE remote_runs (
    server TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (run),
    -- NULL from before the server is asked to make it until its answer is known.
    remote TEXT,
    experiment TEXT,
    artifacts TEXT,
    -- The logged model that holds the run's model, where it is there, and where its files go.
    model TEXT,
    model_artifacts TEXT,
    -- Why the server takes no more of the run; NULL while it does.
    refused TEXT,
    PRIMARY KEY (server, run)
) STRICT, WITHOUT ROWID;

-- Without a reference to the runs, a metric is put into its place without a look for one that is there: half the time of a
-- batch. Who logs has looked for the run, and runs are never deleted. A NULL value is NaN, which SQLite cannot hold.
CREATE TABLE metrics_2 (
    run TEXT NOT NULL,
    key TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    timestamp_ms INTEGER NOT NULL,
    PRIMARY KEY (run, key, step)
) STRICT, WITHOUT ROWID;
INSERT INTO metrics_2 SELECT run, key, step, value, timestamp_ms FROM metrics;
DROP TABLE metrics;
ALTER TABLE metrics_2 RENAME TO metrics;

-- Each metric at its last step: what runs are found and ordered by.
CREATE TABLE latest_metrics (
    run TEXT NOT NULL,
    key TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
-- SQLite takes the other columns of a max() from the row that has it.
INSERT INTO latest_metrics SELECT run, key, max(step), value FROM metrics GROUP BY run, key;
CREATE INDEX latest_metrics_by_value ON latest_metrics (key, value);
