-- The feed: numbers, cursors, epochs. Rows must commit to be numbered, so this file is no transaction;
-- its database is its own.
SELECT plan(53);

CREATE FUNCTION pg_temp.add(the_key text, the_reason text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind,
                                      events, last_event_at, origin, reason, actor)
    VALUES (the_key, 't1', 'tenant', '', the_key, '', '2026-03-04', 'bounce', 0, '2026-03-04', 'manual', the_reason, 'ann')
$$;
CREATE FUNCTION pg_temp.keys(the_cursor text, how_many bigint DEFAULT 1000) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(cursor || ' ' || change || ' ' || coalesce(address, '-'), ', ')
      FROM bouncemx.feed_after(the_cursor, how_many)
$$;

SELECT is(bouncemx.feed_cursor(), '1.0', 'it begins at 1.0');
SELECT is(bouncemx.feed_due(), NULL, 'nothing is due');
SELECT is_empty($$SELECT * FROM bouncemx.feed_after('1.0', 10)$$, 'nothing to read');
SELECT pg_temp.add('a@x.test', 'asked') \g /dev/null
SELECT pg_temp.add('b@x.test') \g /dev/null
SELECT is(bouncemx.feed_due(), 'changes', 'committed changes are due');
SELECT is(bouncemx.feed_cursor(), '1.0', 'they have no numbers yet');
SELECT is((SELECT (unnumbered, due)::text FROM bouncemx.feed_position(clock_timestamp() + interval '1 min')), '(2,changes)',
          'status counts them');
SELECT cmp_ok((SELECT lag_ms FROM bouncemx.feed_position(clock_timestamp() + interval '1 min')), '>=', 60000::bigint,
              'and says how old they are');

SELECT throws_ok('SELECT bouncemx.feed_number(10)', '25000', NULL, 'not in read committed');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok('SELECT bouncemx.feed_number(0)', '22023', NULL, 'not none');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 2::bigint, 'two get numbers');
COMMIT;
SELECT is(bouncemx.feed_due(), NULL, 'nothing is due then');
SELECT is(pg_temp.keys('1.0'), '1.1 add a@x.test, 1.2 add b@x.test', 'in the order in which they were made');
SELECT is(pg_temp.keys('1.0', 1), '1.1 add a@x.test', 'a part');
SELECT is(pg_temp.keys('1.1'), '1.2 add b@x.test', 'and the rest');
SELECT is(pg_temp.keys('beginning'), '1.1 add a@x.test, 1.2 add b@x.test', 'from the beginning');
SELECT is((SELECT (op, suppressed, state, origin, reason, actor, tenant, scope, length(address_hash))::text
             FROM bouncemx.feed_after('1.0', 1)), '(upsert,t,active,manual,asked,ann,t1,tenant,64)', 'what an entry says');

BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 0::bigint, 'nothing to number');
COMMIT;
SELECT is(bouncemx.feed_cursor(), '1.2', 'and no number is used up');

-- What the own transaction made has not committed.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.add('c@x.test') \g /dev/null
SELECT is(bouncemx.feed_number(10), 0::bigint, 'own changes wait');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 1::bigint, 'for the next round');
COMMIT;

-- The operations.
UPDATE bouncemx.suppression SET state = 'pending', held_key = 'google', held_hour = '2026-03-04' WHERE address_key = 'a@x.test';
UPDATE bouncemx.suppression SET state = 'active', held_key = NULL, held_hour = NULL WHERE address_key = 'a@x.test';
UPDATE bouncemx.suppression SET expires_at = '2026-09-01' WHERE address_key = 'a@x.test';
DELETE FROM bouncemx.suppression WHERE address_key = 'a@x.test';
BEGIN;
SET LOCAL bouncemx.op = 'expire';
DELETE FROM bouncemx.suppression WHERE address_key = 'b@x.test';
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bouncemx.feed_number(10) \g /dev/null
COMMIT;
SELECT results_eq($$SELECT op, change::text, suppressed FROM bouncemx.feed_after('1.3', 10)$$,
    $$VALUES ('upsert', 'hold', false), ('upsert', 'release', true), ('upsert', 'change', true),
             ('delete', 'remove', false), ('expire', 'expire', false)$$, 'each change is an operation, with its outcome');

-- An erased person: as erase() leaves the rows.
UPDATE bouncemx.suppression_change SET address_key = NULL, address = NULL, evidence_text = NULL, reason = NULL
 WHERE address_key = 'a@x.test';
INSERT INTO bouncemx.suppression_change (address_hash, op, tenant, scope, stream, actor)
SELECT bouncemx.address_hash('a@x.test'), 'redact', 't1', 'tenant', '', 'ann';
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 1::bigint, 'rewriting a change is none');
COMMIT;
SELECT is((SELECT count(*) FROM bouncemx.feed_after('beginning', 100)
            WHERE op = 'redact' AND suppressed AND address IS NULL AND reason IS NULL
              AND address_hash = encode(bouncemx.address_hash('a@x.test'), 'hex')), 6::bigint,
          'all entries of an erased person are redacted');

-- In parts.
INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind, events,
                                  last_event_at, origin)
SELECT format('%s@many.test', to_char(n, 'FM000')), 't1', 'tenant', '', n || '@many.test', '', '2026-03-04', 'bounce', 0,
       '2026-03-04', 'import'
  FROM generate_series(1, 25) n;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 10::bigint, 'a part');
COMMIT;
SELECT pg_temp.add('late@x.test') \g /dev/null
SELECT is(bouncemx.feed_due(), 'changes', 'more is due');
SELECT is((SELECT unnumbered FROM bouncemx.feed_position(clock_timestamp())), 16::bigint, 'the rest of them and a new one');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 10::bigint, 'another');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 5::bigint, 'the last part');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(bouncemx.feed_number(10), 1::bigint, 'then what came meanwhile');
COMMIT;
SELECT is((SELECT string_agg(address, ' ') FROM bouncemx.feed_after('1.9', 100)),
          (SELECT string_agg(n || '@many.test', ' ') FROM generate_series(1, 25) n) || ' late@x.test', 'in one order');
SELECT is((SELECT (count(*), min(number), max(number))::text FROM bouncemx.feed), '(35,1,35)', 'without gaps');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change c WHERE NOT EXISTS (SELECT FROM bouncemx.feed f WHERE f.change_id = c.id)),
          0::bigint, 'without one left out');

-- What a cursor may be.
SELECT throws_ok($$SELECT bouncemx.feed_after('35', 1)$$, '22023', NULL, 'no cursor');
SELECT throws_ok($$SELECT bouncemx.feed_after(NULL, 1)$$, '22023', NULL, 'none');
SELECT throws_ok($$SELECT bouncemx.feed_after('1.99999999999999999999', 1)$$, '22023', NULL, 'too long');
SELECT throws_ok($$SELECT bouncemx.feed_after('1.36', 1)$$, 'ZF002', NULL, 'beyond the end');
SELECT throws_ok($$SELECT bouncemx.feed_after('2.1', 1)$$, 'ZF001', NULL, 'of another epoch');
DELETE FROM bouncemx.feed WHERE number <= 5;
SELECT throws_ok($$SELECT bouncemx.feed_after('1.4', 1)$$, 'ZF003', NULL, 'no longer kept');
SELECT is(pg_temp.keys('1.5', 1), pg_temp.keys('beginning', 1), 'the oldest one');
SELECT is((SELECT kept_from FROM bouncemx.feed_position(now())), 6::bigint, 'status says it');

-- A promotion: another timeline. Readers are refused before the sequencer has seen it.
SELECT pg_temp.add('before@x.test') \g /dev/null
UPDATE bouncemx.feed_state SET timeline = timeline + 1;
SELECT is(bouncemx.feed_due(), 'epoch', 'the next epoch is due');
SELECT throws_ok($$SELECT bouncemx.feed_after('1.35', 1)$$, 'ZF001', NULL, 'the old cursor is refused at once');
SELECT throws_ok('SELECT bouncemx.feed_cursor()', 'ZF004', NULL, 'no cursor is given');
SELECT throws_ok($$SELECT bouncemx.feed_after('beginning', 1)$$, 'ZF004', NULL, 'nor the beginning');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok('SELECT bouncemx.feed_number(10)', 'ZF004', NULL, 'nothing is numbered in the old one');
ROLLBACK;
SELECT is(bouncemx.feed_new_epoch(), 2, 'it begins');
SELECT is(bouncemx.feed_new_epoch(), 2, 'once');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bouncemx.feed_number(10) \g /dev/null
COMMIT;
SELECT is(pg_temp.keys('2.35'), '2.36 add before@x.test', 'what had no number gets one');

-- A dump that was restored: other xids, so what stands counts as numbered.
SELECT pg_temp.add('stood@x.test') \g /dev/null
UPDATE bouncemx.suppression_change
   SET xid = (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 8)::text::xid8 WHERE address_key = 'stood@x.test';
UPDATE bouncemx.feed_state SET relation = 1;
SELECT bouncemx.feed_new_epoch() \g /dev/null
-- Xids pass that of the restored row.
DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$;
SELECT pg_temp.add('new@x.test') \g /dev/null
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bouncemx.feed_number(10) \g /dev/null
COMMIT;
SELECT is(pg_temp.keys('3.36'), '3.37 add new@x.test', 'only what is new gets one');

BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok($$SELECT bouncemx.feed_new_epoch('by hand')$$, '25000', NULL, 'an epoch needs read committed');
ROLLBACK;
SELECT is(bouncemx.feed_new_epoch('a disk of yesterday was put back'), 4, 'a person begins one');
SELECT results_eq($$SELECT object, detail->>'reason' FROM bouncemx.audit WHERE action = 'feed.epoch' ORDER BY at$$,
    $$VALUES ('epoch 2', 'promoted or recovered'), ('epoch 3', 'restored or moved'),
             ('epoch 4', 'a disk of yesterday was put back')$$, 'each is noted');

SELECT bouncemx.feed_publish('feed_test') \g /dev/null
SELECT is((SELECT string_agg(a, ' ' ORDER BY a) FROM pg_publication_tables t, unnest(t.attnames) a
            WHERE t.pubname = 'feed_test' AND a IN ('address_key', 'tenant', 'scope', 'stream', 'diagnostic', 'evidence_text',
                                                    'reason', 'actor', 'events')),
          'address_key scope stream tenant', 'a publication has the key, and no words');
DROP PUBLICATION feed_test;
SELECT * FROM finish();
