-- Keys that keep a distribution column possible: docs/scaling.md.
BEGIN;
SELECT plan(4);

-- The large tables, and by what each could be spread over servers.
CREATE TEMP TABLE spread (relname name, by_column name);
INSERT INTO spread VALUES
    ('message', 'id'), ('event', 'id'), ('evidence', 'id'),
    ('suppression', 'address_key'), ('address_score', 'address_key'), ('struck', 'address_key'), ('strike', 'address_key'),
    ('suppression_change', 'address_hash'), ('erased', 'address_hash'),
    ('token_seen', 'token'), ('token_flood', 'token'), ('content_seen', 'content'),
    ('sent', 'id'), ('event_waiting', 'id');
-- Small ones: copied to every server, or on one.
CREATE TEMP TABLE small (relname name);
INSERT INTO small VALUES
    ('policy'), ('breaker_policy'), ('domain_operator'), ('allowed'), ('volume'), ('schema_migration'),
    ('lane_position'), ('set_aside'), ('feed'), ('feed_state'), ('breaker_hour'), ('breaker_state'), ('audit'),
    ('import_job'), ('log_told'), ('maintenance'),
    -- Roll-ups: a few rows an hour.
    ('event_hourly'), ('event_daily'), ('bounce_hourly'), ('message_hourly'), ('campaign_daily'), ('rule_daily'), ('diagnostic_daily'), ('block_daily'), ('attempt_daily'), ('complaint_daily'),
    ('latency_daily');

SELECT is_empty($$
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname NOT IN (SELECT relname FROM spread UNION ALL SELECT relname FROM small)$$,
    'of every table docs/scaling.md says by what it is spread, or that it is small');
SELECT is_empty($$
    SELECT s.relname, s.by_column FROM spread s
     WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('bouncemx.%I', s.relname)::regclass
                          AND a.attname = s.by_column AND a.attnotnull)$$, 'every row has the column');
SELECT is_empty($$
    SELECT s.relname, i.indexrelid::regclass FROM spread s
      JOIN pg_index i ON i.indrelid = format('bouncemx.%I', s.relname)::regclass AND i.indisunique
     WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = s.by_column
                          AND a.attnum = ANY (i.indkey))$$, 'every unique key holds it');
SELECT is_empty($$
    SELECT s.relname, c.conname FROM spread s
      JOIN pg_constraint c ON c.conrelid = format('bouncemx.%I', s.relname)::regclass AND c.contype IN ('f', 'x')$$,
    'and no constraint reaches over servers');
SELECT * FROM finish();
ROLLBACK;
