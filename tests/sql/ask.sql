BEGIN;
SELECT plan(28);
CREATE FUNCTION pg_temp.id(n integer, ordinal integer) RETURNS uuid LANGUAGE sql AS
    $$SELECT ('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || lpad(ordinal::text, 4, '0'))::uuid$$;

INSERT INTO bouncemx.message (id, received_at, node, rcpt_to, size, truncated, kind)
SELECT pg_temp.id(n, 0), timestamptz '2026-03-04 00:00:00+00' + n * interval '1 min', 'mx1', '{a@x,b@x}', 1, false, 'bounce'
  FROM generate_series(1, 4) n;
INSERT INTO bouncemx.event (id, received_at, kind, tenant, stream, node, address, address_key, source, verified, forwarded, trusted, class, effect, verification)
SELECT pg_temp.id(n, k), timestamptz '2026-03-04 00:00:00+00' + n * interval '1 min', 'bounce', 't1', 's', 'mx1',
       'P' || n || '@x', nullif('p' || n || '@x', 'p3@x'), 'final_recipient', false, false, n <> 2,
       CASE WHEN k = 1 THEN 'hard' ELSE 'soft' END::bouncemx.bounce_class,
       (CASE WHEN n = 1 AND k = 1 THEN 'suppressed' WHEN k = 2 THEN 'none' WHEN n = 2 THEN 'unverified' ELSE 'no_address' END)::bouncemx.event_effect,
       (CASE n WHEN 1 THEN 'token' WHEN 2 THEN 'unsigned' ELSE 'forged' END)::bouncemx.verification
  FROM generate_series(1, 3) n, generate_series(1, 2) k;
INSERT INTO bouncemx.evidence (id, received_at, raw)
VALUES (pg_temp.id(1, 0), '2026-03-04 00:01:00+00', 'raw');
INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_id, event_at, kind, class, category, rule, events, last_event_id, last_event_at)
SELECT key, tenant, scope::bouncemx.suppression_scope, stream, key, 's', event, '2026-03-04', 'bounce', 'hard', 'bad_mailbox', 'r', 1, event, '2026-03-04'
  FROM (VALUES ('p1@x', 't1', 'tenant', '', pg_temp.id(1, 1)), ('p1@x', 't1', 'stream', 's', pg_temp.id(1, 3)),
               ('q@x', 't2', 'tenant', '', pg_temp.id(7, 1)), ('r@x', '', 'global', '', pg_temp.id(8, 1))) v (key, tenant, scope, stream, event);

SELECT results_eq('SELECT address_key, scope::text, stream FROM bouncemx.suppressions(NULL, 100, NULL, ''2026-06-01'') ORDER BY 1, 2',
    $$VALUES ('p1@x', 'stream', 's'), ('p1@x', 'tenant', ''), ('q@x', 'tenant', ''), ('r@x', 'global', '')$$, 'the whole list');
SELECT is((SELECT count(*) FROM bouncemx.suppressions(NULL, 1, NULL, '2026-06-01')), 2::bigint, 'a page never cuts an address in two');
SELECT is((SELECT array_agg(address_key) FROM bouncemx.suppressions(NULL, 1, 'p1@x', '2026-06-01')), '{q@x}', 'the next page');
SELECT is((SELECT array_agg(address_key) FROM bouncemx.suppressions('t2', 9, NULL, '2026-06-01')), '{q@x}', 'of one tenant');
SELECT is((SELECT array_agg(scope::text) FROM bouncemx.suppression_of('p1@x', '2026-06-01')), '{tenant,stream}', 'all rows of an address');
SELECT is_empty($$SELECT * FROM bouncemx.suppression_of('nobody@x', '2026-06-01')$$, 'none of another');

SELECT results_eq($$SELECT address_key, suppressed, scope::text FROM bouncemx.suppressed('p1@x', 't1', NULL, '2026-06-01')$$,
    $$VALUES ('p1@x', true, 'tenant')$$, 'the widest scope wins');
SELECT results_eq($$SELECT address_key, suppressed, scope::text FROM bouncemx.suppressed('p1@x', 't2', NULL, '2026-06-01')$$,
    $$VALUES ('p1@x', false, NULL)$$, 'another tenant is free to send');
SELECT results_eq($$SELECT suppressed, scope::text FROM bouncemx.suppressed('r@x', 't1', 'any', '2026-06-01')$$,
    $$VALUES (true, 'global')$$, 'a global row holds for every tenant');
SELECT results_eq($$SELECT suppressed FROM bouncemx.suppressed('q@x', NULL, NULL, '2026-06-01')$$, $$VALUES (true)$$, 'asked for any tenant');

SELECT is((SELECT array_agg(event_id) FROM bouncemx.events(2, NULL)), ARRAY[pg_temp.id(3, 2), pg_temp.id(3, 1)], 'the newest first');
SELECT is((SELECT array_agg(event_id) FROM bouncemx.events(9, pg_temp.id(1, 2))), ARRAY[pg_temp.id(1, 1)], 'those before one');
SELECT is((SELECT effect FROM bouncemx.event_shown WHERE event_id = pg_temp.id(1, 1)), 'suppressed', 'it made a row');
SELECT is((SELECT effect FROM bouncemx.event_shown WHERE event_id = pg_temp.id(1, 2)), 'none', 'a soft one does nothing');
SELECT is((SELECT effect FROM bouncemx.event_shown WHERE event_id = pg_temp.id(2, 1)), 'none: not verified', 'untrusted');
SELECT is((SELECT effect FROM bouncemx.event_shown WHERE event_id = pg_temp.id(3, 1)), 'none: no address', 'of nobody');
SELECT is((SELECT proof FROM bouncemx.event_shown WHERE event_id = pg_temp.id(3, 1)), 'forged: the code in the return path is not ours', 'what vouches for it, in words');
SELECT is_empty($$SELECT v FROM unnest(enum_range(NULL::bouncemx.verification)) v WHERE bouncemx.proof_of(v) IS NULL$$, 'for every verification');
SELECT is_empty($$SELECT e FROM unnest(enum_range(NULL::bouncemx.event_effect)) e WHERE bouncemx.effect_in_words(e, 'expired') IS NULL$$, 'and every effect');

SELECT is((SELECT array_agg(event_id) FROM bouncemx.event_of(pg_temp.id(1, 2))), ARRAY[pg_temp.id(1, 2)], 'one event');
SELECT is((SELECT array_agg(event_id) FROM bouncemx.event_of(pg_temp.id(1, 0))), ARRAY[pg_temp.id(1, 1), pg_temp.id(1, 2)], 'all of a message');
SELECT results_eq($$SELECT event_id, kind, rcpt_to FROM bouncemx.event_of(pg_temp.id(4, 0))$$,
    $$VALUES (NULL::uuid, 'bounce'::bouncemx.event_kind, E'a@x\nb@x')$$, 'a message without events');
SELECT is_empty($$SELECT * FROM bouncemx.event_of(pg_temp.id(4, 1))$$, 'an event that is not there');
SELECT is((SELECT raw FROM bouncemx.evidence_of(pg_temp.id(1, 2))), 'raw'::bytea, 'the raw mail behind an event');

SELECT bouncemx.set_aside_put(pg_temp.id(n, 0), '2026-03-04 00:00:00+00', 'mx1', NULL, NULL, NULL, NULL, '',
    E'a@x\nb@x', 10, false, '\x00ff', 'why', '23514', '11111111-1111-4111-8111-111111111111', 0, 1, n) IS NULL AND NULL
  FROM generate_series(20, 22) n \g /dev/null
SELECT is((SELECT array_agg(id) FROM bouncemx.set_aside_list(2)), ARRAY[pg_temp.id(22, 0), pg_temp.id(21, 0)], 'set aside, the newest first');
SELECT results_eq($$SELECT rcpt_to, sqlstate, byte_offset, raw FROM bouncemx.set_aside_one(pg_temp.id(21, 0))$$,
    $$VALUES (E'a@x\nb@x', '23514', 21::bigint, '\x00ff'::bytea)$$, 'all of one');
SELECT is_empty('SELECT * FROM bouncemx.lanes()', 'no lane yet');
SELECT bouncemx.roll_up_stored('2025-01-01', '2027-01-01') IS NULL AND NULL \g /dev/null
SELECT results_eq('SELECT * FROM bouncemx.counts()',
    $$VALUES ('messages', 4::bigint), ('events', 6::bigint), ('suppressions', 4::bigint), ('set_aside', 3::bigint)$$, 'counts');
SELECT * FROM finish();
ROLLBACK;
