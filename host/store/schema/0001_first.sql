-- Typed by CHECK: STRICT tables cannot be opened by SQLite before 3.37. Columns that end in _json hold JSON text.
-- Order is kept in columns (recency, number, position), never read from a clock, because clocks go backwards.

-- One row a plan of a study. A changed plan, or a run on fewer images, is another row.
CREATE TABLE studies (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL CHECK (typeof(name) = 'text' AND name <> ''),
  plan_digest TEXT NOT NULL,
  images_limit INTEGER NOT NULL CHECK (typeof(images_limit) = 'integer' AND images_limit >= 0),  -- 0 = all images
  recency INTEGER NOT NULL UNIQUE CHECK (typeof(recency) = 'integer'),  -- rises each time the study is run
  file TEXT NOT NULL,
  resolved_toml TEXT NOT NULL,
  axes_json TEXT NOT NULL,
  report_json TEXT NOT NULL,
  exclusions_json TEXT NOT NULL,
  dataset_kind TEXT NOT NULL,
  recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (name, plan_digest, images_limit)
);

-- What was in the data set: one row a role and content ("images", "image_labels", "masks" ...).
CREATE TABLE datasets (
  study_id INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  content TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (study_id, role, content)
) WITHOUT ROWID;

-- One grid point with one random seed. The cells of a point differ in the random seed alone.
CREATE TABLE cells (
  id INTEGER PRIMARY KEY,
  study_id INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  point INTEGER NOT NULL CHECK (typeof(point) = 'integer' AND point >= 1),
  random_seed INTEGER NOT NULL CHECK (typeof(random_seed) = 'integer'),
  digest TEXT NOT NULL,
  levels TEXT NOT NULL,  -- "method=DRS, crf=true", for people; the table levels holds the parts
  resolved_json TEXT NOT NULL,
  UNIQUE (study_id, point, random_seed)
);

-- Where a cell stands in the grid. Further grid points with the same configuration (folded) have variant 1, 2 ...
CREATE TABLE levels (
  cell_id INTEGER NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
  variant INTEGER NOT NULL CHECK (typeof(variant) = 'integer' AND variant >= 0),
  position INTEGER NOT NULL CHECK (typeof(position) = 'integer'),
  axis TEXT NOT NULL,
  label TEXT NOT NULL,
  PRIMARY KEY (cell_id, variant, axis)
) WITHOUT ROWID;

-- One unit of work, shared by every cell and study that needs it. The key decides everything that can change its output.
CREATE TABLE stages (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE CHECK (key <> ''),
  type TEXT NOT NULL CHECK (type IN ('fit', 'map', 'choose', 'score')),
  operation TEXT NOT NULL,
  node TEXT NOT NULL,
  role TEXT NOT NULL,
  label TEXT NOT NULL,
  key_parts_json TEXT NOT NULL,
  random_seed INTEGER CHECK (typeof(random_seed) IN ('integer', 'null')),  -- NULL: the stage draws no numbers
  num_images INTEGER NOT NULL CHECK (typeof(num_images) = 'integer'),
  images_limit INTEGER NOT NULL CHECK (typeof(images_limit) = 'integer' AND images_limit >= 0),
  state TEXT NOT NULL DEFAULT 'planned'
    CHECK (state IN ('planned', 'running', 'done', 'failed', 'interrupted', 'skipped')),
  message TEXT NOT NULL DEFAULT '',
  -- The newest attempt that ended well: its numbers are the stage's numbers.
  result_attempt_id INTEGER REFERENCES attempts (id),
  -- What repeating the stage gave: other numbers in an equal environment, or in another one.
  repeatability TEXT NOT NULL DEFAULT 'untried'
    CHECK (repeatability IN ('untried', 'equal', 'differs_by_environment', 'nondeterministic'))
);

CREATE TABLE stage_inputs (
  stage_id INTEGER NOT NULL REFERENCES stages (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  input_id INTEGER NOT NULL REFERENCES stages (id),
  PRIMARY KEY (stage_id, name)
) WITHOUT ROWID;
CREATE INDEX stage_inputs_by_input ON stage_inputs (input_id);

-- Every stage that a stage rests on, itself included. It never changes, because a key holds the keys of its inputs.
CREATE TABLE lineage (
  stage_id INTEGER NOT NULL REFERENCES stages (id) ON DELETE CASCADE,
  ancestor_id INTEGER NOT NULL REFERENCES stages (id) ON DELETE CASCADE,
  PRIMARY KEY (stage_id, ancestor_id)
) WITHOUT ROWID;
CREATE INDEX lineage_by_ancestor ON lineage (ancestor_id);

-- Which stages answer for a cell, and as what, and all stages that those rest on ("fit:seeds@train"). The role stands here because roles with equal images share stages.
CREATE TABLE cell_stages (
  cell_id INTEGER NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
  stage_id INTEGER NOT NULL REFERENCES stages (id),
  purpose TEXT NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (cell_id, stage_id, purpose)
) WITHOUT ROWID;
CREATE INDEX cell_stages_by_stage ON cell_stages (stage_id);

CREATE TABLE plugins (
  digest TEXT PRIMARY KEY NOT NULL CHECK (digest <> ''),
  name TEXT NOT NULL DEFAULT '',
  version TEXT NOT NULL DEFAULT '',
  vendor TEXT NOT NULL DEFAULT '',
  source_revision TEXT NOT NULL DEFAULT '',
  facts_json TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;

-- The methods taking part in a stage. slot: "generator", "backbone", "generator.label_refiner" (one used by another).
CREATE TABLE stage_plugins (
  stage_id INTEGER NOT NULL REFERENCES stages (id) ON DELETE CASCADE,
  slot TEXT NOT NULL,
  kind TEXT NOT NULL,
  method TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (typeof(revision) = 'integer'),
  library_digest TEXT REFERENCES plugins (digest),  -- as last planned; attempt_plugins says what ran
  parameters_json TEXT NOT NULL,
  files_json TEXT NOT NULL,
  PRIMARY KEY (stage_id, slot)
) WITHOUT ROWID;

-- Where an attempt ran: all that can change a number and is not in the key.
CREATE TABLE environments (
  id INTEGER PRIMARY KEY,
  facts_json TEXT NOT NULL UNIQUE,
  device TEXT,
  cpu_capability TEXT,
  torch TEXT,
  compiler TEXT,
  threads INTEGER CHECK (typeof(threads) IN ('integer', 'null')),
  deterministic INTEGER CHECK (deterministic IN (0, 1))
);

-- Every try of a stage, good or bad; none is ever overwritten.
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stage_id INTEGER NOT NULL REFERENCES stages (id) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (typeof(number) = 'integer' AND number >= 1),  -- of this stage
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'skipped')),
  cause TEXT NOT NULL DEFAULT 'none'
    CHECK (cause IN ('none', 'user_error', 'contract_error', 'crash', 'out_of_memory', 'timeout', 'interrupted',
                     'device_lost', 'internal')),
  message TEXT NOT NULL DEFAULT '',
  hint TEXT NOT NULL DEFAULT '',
  exit_signal INTEGER NOT NULL DEFAULT 0 CHECK (typeof(exit_signal) = 'integer'),
  has_result INTEGER NOT NULL DEFAULT 0 CHECK (has_result IN (0, 1)),  -- a worker's own word, which is final
  worker_pid INTEGER NOT NULL CHECK (typeof(worker_pid) = 'integer'),
  log_file TEXT NOT NULL,
  environment_id INTEGER REFERENCES environments (id),
  labels_at_inference TEXT NOT NULL DEFAULT '',  -- "given", "predicted", "none"; "" where no method asked
  facts_json TEXT NOT NULL DEFAULT '{}',
  seconds REAL CHECK (typeof(seconds) IN ('real', 'null')),
  peak_memory_bytes INTEGER CHECK (typeof(peak_memory_bytes) IN ('integer', 'null')),
  started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  ended_at TEXT,
  UNIQUE (stage_id, number)
);
CREATE INDEX attempts_by_state ON attempts (state);

-- The plugin binaries that an attempt ran with.
CREATE TABLE attempt_plugins (
  attempt_id INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
  slot TEXT NOT NULL,
  library_digest TEXT NOT NULL REFERENCES plugins (digest),
  PRIMARY KEY (attempt_id, slot)
) WITHOUT ROWID;

CREATE TABLE metrics (
  attempt_id INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  class_name TEXT NOT NULL,  -- "" for totals
  rule TEXT NOT NULL CHECK (rule IN ('', 'fixed', 'chosen', 'oracle')),
  rule_value REAL CHECK (typeof(rule_value) IN ('real', 'null')),
  value REAL CHECK (typeof(value) IN ('real', 'null')),  -- NULL: not defined (0/0)
  unit TEXT NOT NULL,
  PRIMARY KEY (attempt_id, target, name, class_name, rule)
) WITHOUT ROWID;

CREATE TABLE curves (
  id INTEGER PRIMARY KEY,
  attempt_id INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  x_name TEXT NOT NULL,
  UNIQUE (attempt_id, target, name, x_name)
);

CREATE TABLE curve_points (
  curve_id INTEGER NOT NULL REFERENCES curves (id) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (typeof(position) = 'integer'),
  x REAL CHECK (typeof(x) IN ('real', 'null')),
  y REAL CHECK (typeof(y) IN ('real', 'null')),
  PRIMARY KEY (curve_id, position)
) WITHOUT ROWID;

-- Files below the artefact folder. A gone file keeps its row, so that making it again can be compared.
CREATE TABLE artefacts (
  attempt_id INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (typeof(bytes) = 'integer'),
  gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1)),
  PRIMARY KEY (attempt_id, path)
) WITHOUT ROWID;

-- What an attempt was shown, counted by the host's accessors.
CREATE TABLE ledger (
  attempt_id INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,     -- "images", "image_labels", "masks", "side:saliency", "weights:imagenet" ...
  role TEXT NOT NULL,
  purpose TEXT NOT NULL,  -- "train", "infer", "choose", "score"
  images INTEGER NOT NULL CHECK (typeof(images) = 'integer'),  -- distinct images opened
  opens INTEGER NOT NULL CHECK (typeof(opens) = 'integer'),
  PRIMARY KEY (attempt_id, kind, role, purpose)
) WITHOUT ROWID;
CREATE INDEX ledger_by_kind ON ledger (kind, purpose, attempt_id);

-- Views, for people and for the reports. They use no JSON and no mathematics functions, which some builds of SQLite lack.

CREATE VIEW v_studies AS
SELECT s.id AS study_id, s.name AS study, s.images_limit, s.plan_digest, s.file, s.dataset_kind, s.recorded_at,
       (SELECT count(*) FROM cells c WHERE c.study_id = s.id) AS num_cells,
       (SELECT count(DISTINCT point) FROM cells c WHERE c.study_id = s.id) AS num_points,
       s.recency = (SELECT max(recency) FROM studies) AS latest, s.recency
FROM studies s;

-- A cell's state: failed beats interrupted beats skipped beats running; done only where every stage is.
CREATE VIEW v_cells AS
SELECT st.name AS study, st.id AS study_id, c.id AS cell_id, c.point, c.random_seed, c.levels, st.images_limit,
       CASE WHEN n.failed > 0 THEN 'failed' WHEN n.interrupted > 0 THEN 'interrupted' WHEN n.skipped > 0 THEN 'skipped'
            WHEN n.running > 0 THEN 'running' WHEN n.done = n.stages THEN 'done' ELSE 'planned' END AS state,
       n.stages, n.done, n.seconds, c.digest
FROM cells c
JOIN studies st ON st.id = c.study_id
JOIN (SELECT cell_id, count(*) AS stages, sum(state = 'done') AS done, sum(state = 'failed') AS failed,
             sum(state = 'interrupted') AS interrupted, sum(state = 'skipped') AS skipped,
             sum(state = 'running') AS running, total(seconds) AS seconds
      FROM (SELECT DISTINCT cs.cell_id, s.id, s.state, a.seconds
            FROM cell_stages cs JOIN stages s ON s.id = cs.stage_id LEFT JOIN attempts a ON a.id = s.result_attempt_id)
      GROUP BY cell_id) n ON n.cell_id = c.id;

CREATE VIEW v_attempts AS
SELECT s.label AS stage, s.key AS stage_key, s.type, s.node, s.role, a.number AS attempt, a.state, a.cause, a.message,
       a.hint, a.exit_signal, a.seconds, a.peak_memory_bytes, a.log_file, a.started_at, a.ended_at, e.device, e.threads,
       e.cpu_capability, e.torch, e.compiler, e.deterministic, a.facts_json, a.id AS attempt_id
FROM attempts a JOIN stages s ON s.id = a.stage_id LEFT JOIN environments e ON e.id = a.environment_id;

-- Why a number is no fair one, per stage and role it is reported under; stages without a reason are not listed.
CREATE VIEW v_oracles AS
SELECT l.stage_id, cs.role, 'its value was chosen on the scored role' AS reason
FROM lineage l JOIN stages d ON d.id = l.ancestor_id AND d.type = 'choose'
JOIN cell_stages cs ON cs.stage_id = l.stage_id AND cs.role = d.role
UNION
SELECT l.stage_id, cs.role, 'masks reached training'
FROM ledger g JOIN stages d ON d.result_attempt_id = g.attempt_id JOIN lineage l ON l.ancestor_id = d.id
JOIN cell_stages cs ON cs.stage_id = l.stage_id
WHERE g.kind = 'masks' AND g.purpose = 'train';

-- One row a number of a cell. stage_key tells which cells share one stage; oracle is 1 where the number is no fair one.
CREATE VIEW v_metrics AS
SELECT st.name AS study, c.point, c.levels, c.random_seed, m.target, cs.role, m.name AS metric, m.class_name, m.value,
       m.unit, m.rule, m.rule_value, (m.rule = 'oracle' OR o.reason IS NOT NULL) AS oracle,
       CASE WHEN m.rule = 'oracle' THEN 'its value is the best on the scored masks'
            ELSE coalesce(o.reason, '') END AS oracle_reason,
       s.num_images, st.images_limit, cs.purpose, s.type AS stage_type, s.operation, s.node, s.key AS stage_key,
       s.random_seed AS stage_seed, s.repeatability, e.device, e.threads, e.cpu_capability, e.torch, e.compiler,
       e.deterministic, st.id AS study_id, c.id AS cell_id, s.id AS stage_id, a.id AS attempt_id
FROM studies st
JOIN cells c ON c.study_id = st.id
JOIN cell_stages cs ON cs.cell_id = c.id
JOIN stages s ON s.id = cs.stage_id
JOIN attempts a ON a.id = s.result_attempt_id
JOIN metrics m ON m.attempt_id = a.id
LEFT JOIN environments e ON e.id = a.environment_id
LEFT JOIN (SELECT stage_id, role, min(reason) AS reason FROM v_oracles GROUP BY stage_id, role) o
  ON o.stage_id = s.id AND o.role = cs.role;

-- Mean and spread (sample standard deviation) over distinct stages: cells that share a stage count once, so a method that
-- draws no numbers has n = 1 and no spread. The square root is Newton's, for builds without sqrt(). Windows instead of
-- groups, because SQLite then carries a WHERE on the columns that they are partitioned by down to the tables.
CREATE VIEW v_seed_means AS
WITH one_a_stage AS (
  SELECT DISTINCT study_id, study, point, levels, purpose, target, role, metric, class_name, rule, unit, images_limit,
         stage_type, stage_id, value, rule_value, oracle, oracle_reason, num_images,
         repeatability = 'nondeterministic' AS nondeterministic
  FROM v_metrics WHERE value IS NOT NULL),
centred AS (
  SELECT *, avg(value) OVER same AS mean FROM one_a_stage
  WINDOW same AS (PARTITION BY study_id, study, point, purpose, target, role, metric, class_name, rule, unit)),
grouped AS (
  SELECT DISTINCT study_id, study, point, levels, purpose, target, role, metric, class_name, rule, unit, images_limit,
         stage_type, mean, count(*) OVER same AS n,
         CASE WHEN count(*) OVER same > 1
              THEN sum((value - mean) * (value - mean)) OVER same / (count(*) OVER same - 1) END AS v,
         min(value) OVER same AS minimum, max(value) OVER same AS maximum, min(rule_value) OVER same AS rule_value_minimum,
         max(rule_value) OVER same AS rule_value_maximum, max(oracle) OVER same AS oracle,
         max(oracle_reason) OVER same AS oracle_reason, min(num_images) OVER same AS num_images,
         max(nondeterministic) OVER same AS nondeterministic
  FROM centred
  WINDOW same AS (PARTITION BY study_id, study, point, purpose, target, role, metric, class_name, rule, unit))
SELECT study, point, levels, target, role, metric, class_name, rule, mean,
       CASE WHEN v = 0 THEN 0.0 WHEN v > 0 THEN (
         -- From above, each step comes nearer until rounding ends it.
         WITH RECURSIVE newton (x) AS (
           SELECT (1.0 + v) / 2 UNION ALL SELECT (x + v / x) / 2 FROM newton WHERE (x + v / x) / 2 < x)
         SELECT min(x) FROM newton) END AS spread,
       n, minimum, maximum, unit, rule_value_minimum, rule_value_maximum, oracle, oracle_reason, num_images, images_limit,
       nondeterministic, purpose, stage_type, study_id
FROM grouped;

-- Two grid points of a study under one random seed. Pairs that share both stages over several seeds count once.
-- differs_in names the axes on which the two stand differently.
CREATE VIEW v_pairs AS
SELECT a.study, a.point AS point_a, a.levels AS levels_a, b.point AS point_b, b.levels AS levels_b,
       (SELECT group_concat(axis, ', ') FROM (
          SELECT axis FROM levels x WHERE x.cell_id = a.cell_id AND x.variant = 0 AND NOT EXISTS (
            SELECT 1 FROM levels y
            WHERE y.cell_id = b.cell_id AND y.variant = 0 AND y.axis = x.axis AND y.label = x.label)
          UNION
          SELECT axis FROM levels y WHERE y.cell_id = b.cell_id AND y.variant = 0 AND NOT EXISTS (
            SELECT 1 FROM levels x WHERE x.cell_id = a.cell_id AND x.variant = 0 AND x.axis = y.axis))) AS differs_in,
       min(a.random_seed) AS random_seed, a.target, a.role, a.metric, a.class_name, a.rule, a.value AS value_a,
       b.value AS value_b, a.value - b.value AS difference, a.unit, max(a.oracle, b.oracle) AS oracle, a.images_limit,
       a.study_id, a.cell_id AS cell_a, b.cell_id AS cell_b, a.stage_key AS stage_a, b.stage_key AS stage_b
FROM v_metrics a
JOIN v_metrics b
  ON b.study_id = a.study_id AND b.random_seed = a.random_seed AND b.point > a.point AND b.purpose = a.purpose
     AND b.target = a.target AND b.metric = a.metric AND b.class_name = a.class_name AND b.rule = a.rule
WHERE a.value IS NOT NULL AND b.value IS NOT NULL
GROUP BY a.study_id, a.point, b.point, a.purpose, a.target, a.metric, a.class_name, a.rule, a.stage_id, b.stage_id;

-- What a cell's stages, and all they rest on, were shown.
CREATE VIEW v_ledger AS
SELECT DISTINCT st.name AS study, c.point, c.levels, c.random_seed, s.label AS stage, g.kind, g.role, g.purpose,
       g.images, g.opens, s.type AS stage_type, s.node, a.labels_at_inference, st.images_limit, s.key AS stage_key,
       st.id AS study_id, c.id AS cell_id
FROM studies st
JOIN cells c ON c.study_id = st.id
JOIN cell_stages cs ON cs.cell_id = c.id
JOIN stages s ON s.id = cs.stage_id
JOIN attempts a ON a.id = s.result_attempt_id
JOIN ledger g ON g.attempt_id = a.id;

-- The methods behind a cell, and the binaries that made its numbers (NULL until the stage is done).
CREATE VIEW v_methods AS
SELECT DISTINCT st.name AS study, c.point, c.levels, c.random_seed, s.label AS stage, p.slot, p.kind, p.method,
       p.revision, p.parameters_json, b.name AS plugin, b.version, b.source_revision, ap.library_digest,
       st.images_limit, s.key AS stage_key, st.id AS study_id, c.id AS cell_id
FROM studies st
JOIN cells c ON c.study_id = st.id
JOIN cell_stages cs ON cs.cell_id = c.id
JOIN stages s ON s.id = cs.stage_id
JOIN stage_plugins p ON p.stage_id = s.id
LEFT JOIN attempt_plugins ap ON ap.attempt_id = s.result_attempt_id AND ap.slot = p.slot
LEFT JOIN plugins b ON b.digest = ap.library_digest;

CREATE VIEW v_curves AS
SELECT DISTINCT st.name AS study, c.point, c.levels, c.random_seed, u.target, cs.role, u.name AS curve, u.x_name, k.position,
       k.x, k.y, st.images_limit, cs.purpose, s.type AS stage_type, s.key AS stage_key, st.id AS study_id, c.id AS cell_id
FROM studies st
JOIN cells c ON c.study_id = st.id
JOIN cell_stages cs ON cs.cell_id = c.id
JOIN stages s ON s.id = cs.stage_id
JOIN curves u ON u.attempt_id = s.result_attempt_id
JOIN curve_points k ON k.curve_id = u.id;
