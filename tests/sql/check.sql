-- What people and programs ask the list.
BEGIN;
\ir support/put.psql
SELECT plan(34);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null
SELECT pg_temp.put('{"n":1,"key":"hard@x"}', '{"n":2,"key":"ends@x","category":"mailbox_disabled"}', '{"n":3,"key":"both@x"}',
    '{"n":4,"key":"both@x","kind":"complaint","stream":"news"}', '{"n":5,"key":"waits@x"}', '{"n":6,"key":"other@x","tenant":"t2"}',
    '{"n":7,"key":"seed@x"}') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.suppression SET state = 'pending', held_key = '@x', held_hour = '2026-03-04' WHERE address_key = 'waits@x';
SELECT bouncemx.suppression_add('all@x', NULL, 'global', NULL, 'nobody', the_time => '2026-04-01') IS NULL AND NULL \g /dev/null
INSERT INTO bouncemx.allowed (address_key, tenant) VALUES ('seed@x', 't1');

-- ---- is_suppressed
CREATE FUNCTION pg_temp.yes(address text, stream text DEFAULT NULL, tenant text DEFAULT NULL, at timestamptz DEFAULT '2026-05-01')
    RETURNS boolean LANGUAGE sql AS 'SELECT bouncemx.is_suppressed(address, stream, tenant, at)';
SELECT is(pg_temp.yes('hard@x'), true, 'suppressed');
SELECT is(pg_temp.yes('HARD@X'), true, 'in any case');
SELECT is(pg_temp.yes('"hard"@x.'), true, 'and any form');
SELECT is(pg_temp.yes('nobody@x'), false, 'not suppressed');
SELECT is(pg_temp.yes('no address'), false, 'what is no address');
SELECT is(pg_temp.yes(NULL), false, 'or nothing at all');
SELECT is(pg_temp.yes('hard@x', 'any', 't1'), true, 'a tenant''s row is for all its streams');
SELECT is(pg_temp.yes('hard@x', NULL, 't2'), false, 'not for another tenant');
SELECT is(ARRAY[pg_temp.yes('ends@x'), pg_temp.yes('ends@x', at => '2026-12-01')], '{t,f}', 'a row holds until its end');
SELECT is(pg_temp.yes('waits@x'), false, 'one that waits does not');
SELECT is(pg_temp.yes('all@x', 'any', 't9'), true, 'a global one holds for everybody');
SELECT is(ARRAY[pg_temp.yes('both@x', 'news', 't1'), pg_temp.yes('other@x', 's', 't1'), pg_temp.yes('other@x', 's', 't2')], '{t,f,t}', 'by stream and tenant');
DELETE FROM bouncemx.suppression WHERE address_key = 'both@x' AND scope = 'tenant';
SELECT is(ARRAY[pg_temp.yes('both@x', 'news'), pg_temp.yes('both@x', 'offers'), pg_temp.yes('both@x')], '{t,f,t}', 'a stream''s row is for the stream');
SELECT is(pg_temp.yes('seed@x', NULL, 't1'), false, 'the allow-list wins');
SELECT is((SELECT provolatile::text || proparallel::text FROM pg_proc WHERE proname = 'is_suppressed'), 'ss', 'may be run by parallel workers');

-- ---- check_addresses
CREATE FUNCTION pg_temp.asked(addresses text[], stream text DEFAULT NULL, tenant text DEFAULT NULL, at timestamptz DEFAULT '2026-05-01')
    RETURNS SETOF text LANGUAGE sql AS $$SELECT concat_ws(' ', place, address, suppressed, state, scope, tenant, stream, kind, erased, allowed)
      FROM bouncemx.check_addresses(addresses, stream, tenant, at)$$;
SELECT results_eq($$SELECT pg_temp.asked('{waits@x,HARD@x,no,nobody@x,hard@x,seed@x}')$$, $$VALUES
    ('1 waits@x f pending tenant t1  bounce f f'), ('2 HARD@x t active tenant t1  bounce f f'), ('3 no f f'), ('4 nobody@x f f f'),
    ('5 hard@x t active tenant t1  bounce f f'), ('6 seed@x f active tenant t1  bounce f t')$$, 'each in its place; what is no address has no answer');
SELECT bouncemx.suppression_add('both@x', 't1', 'tenant', NULL, 'twice', the_time => '2026-04-01') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT pg_temp.asked('{both@x}')$$, $$VALUES ('1 both@x t active tenant t1  other f f'), ('1 both@x t active stream t1 news complaint f f')$$, 'every hit, the widest first');
SELECT results_eq($$SELECT pg_temp.asked('{both@x}', 'offers')$$, $$VALUES ('1 both@x t active tenant t1  other f f')$$, 'of the stream');
SELECT results_eq($$SELECT pg_temp.asked('{both@x}', NULL, 't2')$$, $$VALUES ('1 both@x f f f')$$, 'of the tenant');
SELECT results_eq($$SELECT pg_temp.asked('{ends@x}', at => '2026-12-01')$$, $$VALUES ('1 ends@x f f f')$$, 'what has ended is not shown');
SELECT results_eq($$SELECT reason, category::text, event_id, address_key COLLATE "default" FROM bouncemx.check_addresses('{hard@x,all@x}', the_time => '2026-05-01')$$,
    $$VALUES (NULL, 'bad_mailbox', pg_temp.id(1, 1), 'hard@x'), ('nobody', NULL, NULL, 'all@x')$$, 'with what made it');
SELECT is((SELECT count(*) FROM bouncemx.check_addresses(ARRAY(SELECT 'u' || n || '@x' FROM generate_series(1, 20000) n), the_time => '2026-05-01')), 20000::bigint, 'many at once');
SELECT is_empty('SELECT * FROM bouncemx.check_addresses(''{}'')', 'or none');

-- ---- suppressed, suppression_of, suppressions
SELECT results_eq($$SELECT suppressed, scope::text, erased FROM bouncemx.suppressed('both@x', 't1', 'news', '2026-05-01')$$, $$VALUES (true, 'tenant', false)$$, 'one row: the widest');
SELECT results_eq($$SELECT suppressed, state::text FROM bouncemx.suppressed('waits@x', NULL, NULL, '2026-05-01')$$, $$VALUES (false, 'pending')$$, 'or what waits');
SELECT results_eq($$SELECT scope::text, origin::text, state::text, reason FROM bouncemx.suppression_of('both@x', '2026-05-01')$$,
    $$VALUES ('tenant', 'manual', 'active', 'twice'), ('stream', 'event', 'active', NULL)$$, 'all rows of one');
SELECT is((SELECT array_agg(address_key COLLATE "default") FROM bouncemx.suppressions(NULL, 99, NULL, '2026-05-01', the_state => 'pending')), '{waits@x}', 'listed by state');
SELECT is((SELECT array_agg(address_key COLLATE "default") FROM bouncemx.suppressions(NULL, 99, NULL, '2026-05-01', the_kind => 'complaint')), '{both@x}', 'by kind');
SELECT is((SELECT array_agg(address_key COLLATE "default") FROM bouncemx.suppressions(NULL, 99, NULL, '2026-05-01', 'global')), '{all@x}', 'by scope');
SELECT is((SELECT array_agg(address_key COLLATE "default") FROM bouncemx.suppressions(NULL, 99, NULL, '2026-05-01', NULL, 'news')), '{both@x}', 'by stream');

SELECT results_eq($$SELECT address COLLATE "default", tenant FROM bouncemx.allowed_list('t1')$$, $$VALUES ('seed@x', 't1')$$, 'the allow-list');

-- ---- erased people
INSERT INTO bouncemx.erased (address_hash, pepper_id, kind, erased_at) VALUES (bouncemx.address_hash('gone@x'), 1, 'complaint', '2026-04-01');
SELECT is(ARRAY[pg_temp.yes('Gone@x'), pg_temp.yes('nobody@x'), pg_temp.yes('no address')], '{t,f,f}', 'an erased person is suppressed');
SELECT results_eq($$SELECT pg_temp.asked('{Gone@x}', 's', 't1')$$, $$VALUES ('1 Gone@x t active global   complaint t f')$$, 'for everybody');
SELECT results_eq($$SELECT address, kind::text, created_at, erased FROM bouncemx.suppression_of('gone@x', '2026-05-01')$$, $$VALUES (NULL, 'complaint', timestamptz '2026-04-01', true)$$, 'without the address');
SELECT * FROM finish();
ROLLBACK;
