-- Was written by the program of the first schema; of a run's rows one each is enough here.
INSERT INTO runs (sequence, run, experiment, name, status, reason_code, reason_message, started_ms, ended_ms) VALUES
    (1, 'e8415e3a', 'churn', 'churn e8415e3a', 'FINISHED', NULL, NULL, 1795396201548, 1795396202085);
INSERT INTO params (run, key, value) VALUES
    ('e8415e3a', 'colsample_bytree', '1.0');
INSERT INTO metrics (run, key, step, value, timestamp_ms) VALUES
    ('e8415e3a', 'baseline_new_customers_accuracy', 0, 0.6474358974358975, 1795396202069);
INSERT INTO tags (run, key, value) VALUES
    ('e8415e3a', 'decision', 'promoted');
INSERT INTO inputs (run, name, digest, source, rows) VALUES
    ('e8415e3a', 'master', 'f72e509c810b212afd6baa83be3ab03e642db611774284066e531c4f0234b368', 'data/raw/customers.csv', 7043);
INSERT INTO models (name, created_ms) VALUES
    ('churn-predictor', 1795396202083);
INSERT INTO versions (model, version, run, digest, artifact_path, stage, rows, created_ms) VALUES
    ('churn-predictor', 1, 'e8415e3a', '7df3744ba78183520a03f2676859a88927942179d6609c539628caa79c2a6076', 'model', 'Staging', '{"reference":1409,"train":4197,"validation":1437}', 1795396202083);
INSERT INTO aliases (model, alias, version) VALUES
    ('churn-predictor', 'challenger', 1);
INSERT INTO history (sequence, model, version, action, effects, run, reason, decision, at_ms, previous, hash) VALUES
    (1, 'churn-predictor', 1, 'promoted', '[{"kind":"created","version":1,"digest":"7df3744ba78183520a03f2676859a88927942179d6609c539628caa79c2a6076"},{"kind":"staged","version":1,"from":"None","to":"Staging"},{"kind":"aliased","alias":"challenger","from":null,"to":1}]', 'e8415e3a', 'there was no model in its place', '{"decision":"promoted","reason":{"kind":"no_incumbent"}}', 1795396202083, '0000000000000000000000000000000000000000000000000000000000000000', '2c6c35f57ce34dc72d4fe575ca8555c098bf061c02b1a108ee99f3b407e174e9');
PRAGMA application_id = 1414682948;
PRAGMA user_version = 1;
