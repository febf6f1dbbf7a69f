-- Import: outcomes, what is never weakened, dry run, jobs; export; volume.
BEGIN;
SELECT plan(36);

CREATE FUNCTION pg_temp.job(n integer) RETURNS bytea LANGUAGE sql AS $$SELECT sha256(n::text::bytea)$$;
-- Rows as JSON; what is not given is that of a bounce of tenant t1. job 0: a dry run.
CREATE FUNCTION pg_temp.put(job integer, from_record bigint, VARIADIC rows jsonb[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(outcome || coalesce('@' || place, '') || '=' || count, ' ' ORDER BY outcome, place)
      FROM (SELECT array_agg(r->>'key' ORDER BY n) AS keys, array_agg(coalesce(r->>'tenant', 't1') ORDER BY n) AS tenants,
                   array_agg(coalesce(r->>'scope', 'tenant') ORDER BY n) AS scopes,
                   array_agg(coalesce(r->>'stream', '') ORDER BY n) AS streams,
                   array_agg(coalesce(r->>'kind', 'bounce') ORDER BY n) AS kinds,
                   array_agg(r->>'class' ORDER BY n) AS classes, array_agg(NULL::text) AS nulls,
                   array_agg(coalesce((r->>'at')::timestamptz, '2026-01-01') ORDER BY n) AS ats,
                   array_agg((r->>'ends')::timestamptz ORDER BY n) AS ends,
                   array_agg(coalesce(r->>'reason', 'file') ORDER BY n) AS reasons
              FROM unnest(rows) WITH ORDINALITY u (r, n)) a,
           LATERAL bouncemx.import_put(CASE WHEN job > 0 THEN pg_temp.job(job) END, from_record,
               from_record + cardinality(rows), 0, 'ann', '2026-03-01', keys, keys, tenants, scopes, streams, kinds,
               classes, nulls, nulls, nulls, nulls, nulls, nulls, ats, ends, reasons)$$;
CREATE FUNCTION pg_temp.list() RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(concat_ws(' ', address_key, tenant, scope, nullif(stream, ''), kind, state, expires_at::date)
                     ORDER BY address_key, tenant, scope, stream) FROM bouncemx.suppression$$;

-- ---- a job
SELECT results_eq($$SELECT records, ended_at FROM bouncemx.import_begin(pg_temp.job(1), 'a.csv', 'own', 'ann', false, '2026-03-01')$$,
    'VALUES (0::bigint, NULL::timestamptz)', 'a new import is at its begin');
SELECT is(pg_temp.put(0, 0, '{"key":"a@x"}', '{"key":"a@x"}', '{"key":"b@x"}'), 'new=2 standing=1', 'a dry run says what would be done');
SELECT is(pg_temp.put(0, 3, '{"key":"b@x"}', '{"key":"c@x"}'), 'new=1 standing=1', 'and remembers what it was shown');
SELECT is(pg_temp.list(), NULL, 'and changes nothing');
SELECT is(pg_temp.put(1, 0, '{"key":"a@x"}', '{"key":"a@x"}', '{"key":"b@x"}'), 'new=2 standing=1', 'the import does the same');
SELECT is(pg_temp.put(1, 3, '{"key":"b@x"}', '{"key":"c@x"}'), 'new=1 standing=1', 'further on');
SELECT is(pg_temp.list(), '{a@x t1 tenant bounce active,b@x t1 tenant bounce active,c@x t1 tenant bounce active}', 'the list has them');
SELECT results_eq('SELECT origin, actor, reason, event_id, event_at, events, created_at FROM bouncemx.suppression WHERE address_key = ''a@x''',
    $$VALUES ('import'::bouncemx.suppression_origin, 'ann', 'file', NULL::uuid, timestamptz '2026-01-01', 0::bigint, timestamptz '2026-03-01')$$,
    'with who, why and since when');
SELECT is((SELECT array_agg(concat_ws(' ', op, address_key, actor) ORDER BY id) FROM bouncemx.suppression_change),
    '{"add a@x ann","add b@x ann","add c@x ann"}', 'each is one change');
SELECT throws_ok($$SELECT pg_temp.put(1, 3, '{"key":"d@x"}')$$, 'P0001', NULL, 'a part that was done is not done again');
SELECT results_eq($$SELECT records, outcomes::jsonb FROM bouncemx.import_begin(pg_temp.job(1), 'a.csv', 'own', 'ann', true, '2026-03-02')$$,
    $$VALUES (5::bigint, '{"new": 3, "standing": 2}'::jsonb)$$, 'one that has not ended goes on');
SELECT is(bouncemx.import_end(pg_temp.job(1), '2026-03-02'), true, 'it ends');
SELECT is(bouncemx.import_end(pg_temp.job(1), '2026-03-02'), false, 'once');
SELECT throws_ok($$SELECT pg_temp.put(1, 5, '{"key":"d@x"}')$$, 'P0001', NULL, 'and takes no more');
SELECT results_eq($$SELECT actor, action, object, detail->>'records', detail->'outcomes' FROM bouncemx.audit WHERE action LIKE 'suppression.%'$$,
    $$VALUES ('ann', 'suppression.import', 'a.csv', '5', '{"new": 3, "standing": 2}'::jsonb)$$, 'audit has one row of it');
SELECT is((SELECT records FROM bouncemx.import_begin(pg_temp.job(1), 'a.csv', 'own', 'ann', true, '2026-03-03')), 0::bigint,
    'when asked so, one that has ended begins again');

-- ---- nothing is weakened
DELETE FROM bouncemx.suppression;
SELECT count(*) FROM bouncemx.import_begin(pg_temp.job(2), 'b.csv', 'own', 'ann', false, '2026-03-01') \g /dev/null
SELECT is(pg_temp.put(2, 0, '{"key":"a@x","kind":"complaint","reason":"first"}', '{"key":"b@x","ends":"2026-06-01"}', '{"key":"c@x","ends":"2026-02-01"}',
    '{"key":"d@x","scope":"stream","stream":"s"}', '{"key":"e@x","kind":"complaint","ends":"2026-05-01"}', '{"key":"e@x"}'),
    'new=5 standing=1', 'rows stand');
SELECT is(pg_temp.put(2, 6, '{"key":"a@x","kind":"bounce","reason":"second"}', '{"key":"b@x","ends":"2026-05-01"}'), 'standing=2', 'weaker and shorter: they stay');
SELECT is((SELECT reason FROM bouncemx.suppression WHERE address_key = 'a@x'), 'first', 'as they are');
SELECT is(pg_temp.put(2, 8, '{"key":"b@x","ends":"2026-07-01","reason":"second"}'), 'longer=1', 'a later end');
SELECT results_eq($$SELECT expires_at, reason FROM bouncemx.suppression WHERE address_key = 'b@x'$$,
    $$VALUES (timestamptz '2026-07-01', 'file')$$, 'is taken, the reason stays');
SELECT is(pg_temp.put(2, 9, '{"key":"b@x","kind":"unsubscribe","ends":"2026-06-15","reason":"third"}'), 'stronger=1', 'a stronger reason');
SELECT results_eq($$SELECT kind::text, expires_at, reason FROM bouncemx.suppression WHERE address_key = 'b@x'$$,
    $$VALUES ('unsubscribe', timestamptz '2026-07-01', 'third')$$, 'is taken, the end stays');
SELECT is(pg_temp.put(2, 10, '{"key":"c@x","reason":"anew"}', '{"key":"d@x"}'), 'new=1 wider=1', 'one whose time was over is new; beside a stream it is wider');
SELECT is((SELECT array_agg(reason || coalesce(expires_at::text, ' for ever') ORDER BY address_key) FROM bouncemx.suppression WHERE address_key IN ('c@x', 'e@x')),
    '{"anew for ever","file for ever"}', 'of two in a file the strongest with the latest end');
UPDATE bouncemx.suppression SET state = 'pending', held_key = 'k', held_hour = '2026-03-01' WHERE address_key = 'c@x';
SELECT is(pg_temp.put(2, 12, '{"key":"c@x"}'), 'released=1', 'one that waits is released');
SELECT results_eq($$SELECT state::text, held_key FROM bouncemx.suppression WHERE address_key = 'c@x'$$, $$VALUES ('active', NULL::text)$$, 'and holds');

-- ---- who is never imported
INSERT INTO bouncemx.allowed (address_key, tenant) VALUES ('seed@x', ''), ('@own.x', 't1');
INSERT INTO bouncemx.erased SELECT bouncemx.address_hash('gone@x'), 1, NULL, '2026-01-01';
SELECT is(pg_temp.put(2, 13, '{"key":"ok@x"}', '{"key":"seed@x"}', '{"key":"me@own.x"}', '{"key":"me@own.x","tenant":"t2"}', '{"key":"gone@x"}'),
    'new=2 allowed@2=1 allowed@3=1 erased@5=1', 'the allow-list and the erased are respected, and their places told');

-- ---- export
SELECT is((SELECT array_agg(address ORDER BY address) FROM bouncemx.exported('t1', 's', false, '2026-06-30')),
    '{a@x,b@x,c@x,d@x,d@x,e@x,ok@x}', 'what bears on a stream');
SELECT is((SELECT array_agg(address || scope ORDER BY address, scope) FROM bouncemx.exported('t1', 'other', false, '2026-08-01') WHERE address IN ('b@x', 'd@x')),
    '{d@xtenant}', 'without what is over, or of another stream');

-- ---- volume
CREATE FUNCTION pg_temp.told(dry boolean, sents bigint[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(outcome || '=' || count, ' ') FROM bouncemx.volume_put(dry, '2026-03-01', '{2026-02-01,2026-02-01,2026-02-02}',
        '{t,t,t}', '{s,s,s}', '{"","",google}', sents, '{NULL,NULL,7}')$$;
SELECT is(pg_temp.told(true, '{1,2,9}'), 'new=2 repeated=1', 'volumes: a dry run');
SELECT is(pg_temp.told(false, '{1,2,9}'), 'new=2 repeated=1', 'did nothing');
SELECT is(pg_temp.told(false, '{1,3,9}'), 'changed=1 repeated=1 standing=1', 'told anew');
SELECT results_eq('SELECT day, sent, delivered FROM bouncemx.volume ORDER BY day', $$VALUES (date '2026-02-01', 3::bigint, NULL::bigint), ('2026-02-02', 9, 7)$$, 'the last counts');
SELECT results_eq($$SELECT day, operator, sent FROM bouncemx.volumes('t', NULL, 1)$$, $$VALUES (date '2026-02-02', 'google', 9::bigint)$$, 'the latest day first');
SELECT is((SELECT count(*) FROM bouncemx.import_job), 2::bigint, 'a job an import');
SELECT * FROM finish();
ROLLBACK;
