CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL UNIQUE,
    experiment TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('RUNNING', 'FINISHED', 'FAILED', 'KILLED', 'REFUSED')),
    reason_code TEXT,
    reason_message TEXT,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER
) STRICT;
CREATE TRIGGER runs_stay BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;

CREATE TABLE params (
    run TEXT NOT NULL REFERENCES runs (run),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER params_stand BEFORE UPDATE ON params BEGIN SELECT RAISE(ABORT, 'parameters never change'); END;

-- A NULL value is NaN, which SQLite cannot hold.
CREATE TABLE metrics (
    run TEXT NOT NULL REFERENCES runs (run),
    key TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    timestamp_ms INTEGER NOT NULL,
    PRIMARY KEY (run, key, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    run TEXT NOT NULL REFERENCES runs (run),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE inputs (
    run TEXT NOT NULL REFERENCES runs (run),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- The bytes lie in the object store under the digest.
CREATE TABLE artifacts (
    run TEXT NOT NULL REFERENCES runs (run),
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    name TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
    model TEXT NOT NULL REFERENCES models (name),
    version INTEGER NOT NULL CHECK (version > 0),
    run TEXT NOT NULL REFERENCES runs (run),
    digest TEXT NOT NULL,
    artifact_path TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('None', 'Staging', 'Production', 'Archived')),
    rows TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (model, version),
    UNIQUE (model, run)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_holder ON versions (model, stage) WHERE stage IN ('Staging', 'Production');
CREATE TRIGGER versions_stay BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
CREATE TRIGGER versions_stand BEFORE UPDATE OF model, version, run, digest, artifact_path, rows, created_ms ON versions
    BEGIN SELECT RAISE(ABORT, 'a version changes its stage, nothing else'); END;

CREATE TABLE aliases (
    model TEXT NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;

-- Each entry's hash covers its content and the hash of the one before.
CREATE TABLE history (
    sequence INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    action TEXT NOT NULL,
    effects TEXT NOT NULL,
    run TEXT,
    reason TEXT NOT NULL,
    decision TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT;
CREATE INDEX history_of_model ON history (model, sequence);
CREATE TRIGGER history_stands BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'the history never changes'); END;
CREATE TRIGGER history_stays BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the history is never deleted'); END;
-- Without this, INSERT OR REPLACE would pass the two above.
CREATE TRIGGER history_grows BEFORE INSERT ON history
    WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM history)
    BEGIN SELECT RAISE(ABORT, 'the history only grows at its end'); END;

CREATE TABLE reference_uses (
    split_version INTEGER NOT NULL,
    reference_digest TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (run),
    PRIMARY KEY (split_version, reference_digest, run)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER reference_uses_stay BEFORE DELETE ON reference_uses
    BEGIN SELECT RAISE(ABORT, 'uses of a reference test are never forgotten'); END;
