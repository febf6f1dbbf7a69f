-- The life of an address: soft bounces, a score, the ladder, deliveries, the allow-list, time.
BEGIN;
\ir support/put.psql
\ir support/orders.psql
SELECT plan(78);
SELECT bouncemx.ensure_partitions('2025-12-01', '2027-12-01') > 0 AND NULL \g /dev/null
CREATE FUNCTION pg_temp.score(key text) RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', score, times) FROM bouncemx.address_score WHERE address_key = key COLLATE "C"$$;
-- A soft bounce of a mailbox that is full.
CREATE FUNCTION pg_temp.soft(n integer, key text, at text, category text DEFAULT 'mailbox_full', stream text DEFAULT 's1') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.put(jsonb_build_object('n', n, 'key', key, 'at', at, 'class', 'soft', 'category', category, 'stream', stream));
    SELECT pg_temp.effect(n) $$;

-- ---- the whole life
SELECT is(pg_temp.soft(1, 'a@x', '2026-01-01 09:00'), 'soft', 'a soft bounce is counted');
SELECT is(pg_temp.score('a@x'), '1.00 0', 'one point');
SELECT is(pg_temp.soft(2, 'a@x', '2026-01-01 20:00'), 'soft', 'another on that day');
SELECT is(pg_temp.score('a@x'), '1.00 0', 'adds nothing');
SELECT is(pg_temp.soft(3, 'a@x', '2026-01-05 09:00', 'mailbox_full_inactive'), 'soft', 'a worse one');
SELECT is(pg_temp.score('a@x'), '3.00 0', 'counts for two');
SELECT is(pg_temp.soft(4, 'a@x', '2026-01-08 09:00'), 'soft', 'another day');
SELECT is(pg_temp.soft(5, 'a@x', '2026-01-12 09:00'), 'soft', 'five points, but within 14 days');
SELECT is(pg_temp.score('a@x'), '5.00 0', 'are not enough');
SELECT is(pg_temp.list(), NULL, 'nobody is on the list');
SELECT is(pg_temp.soft(6, 'a@x', '2026-01-15 09:00'), 'suppressed', 'on the 14th day they are');
SELECT results_eq('SELECT scope::text, class::text, expires_at, times, state::text FROM bouncemx.suppression',
    $$VALUES ('tenant', 'soft', timestamptz '2026-04-15 09:00', 1, 'active')$$, 'for 90 days, tenant-wide');
SELECT is(pg_temp.soft(7, 'a@x', '2026-01-20 12:00'), 'counted', 'one that was on its way');
SELECT results_eq('SELECT expires_at, times FROM bouncemx.suppression', $$VALUES (timestamptz '2026-04-20 12:00', 1)$$, '90 days begin with the last bounce');
SELECT is(bouncemx.expire_suppressions('2026-04-20 11:59:59', 100), 0::bigint, 'before its end nothing expires');
SELECT is(bouncemx.expire_suppressions('2026-04-20 12:00', 100), 1::bigint, 'at its end it does');
SELECT results_eq($$SELECT op::text, actor, expires_at FROM bouncemx.suppression_change WHERE address_key = 'a@x' ORDER BY id$$,
    $$VALUES ('add', 'policy', timestamptz '2026-04-15 09:00'), ('change', 'policy', '2026-04-20 12:00'), ('expire', 'policy', '2026-04-20 12:00')$$, 'as the changes say');
SELECT is(current_setting('bouncemx.op', true), '', 'what is removed now is removed');
SELECT is(pg_temp.soft(8, 'a@x', '2026-04-21 09:00'), 'soft', 'then the score begins anew');
SELECT is(pg_temp.score('a@x'), '1.00 1', 'at one point');
SELECT pg_temp.soft(8 + d, 'a@x', (timestamp '2026-04-21 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(1, 3) d \g /dev/null
SELECT is(pg_temp.score('a@x'), '4.00 1', 'counts up again');
SELECT is(pg_temp.soft(12, 'a@x', '2026-05-07 09:00'), 'suppressed', 'and suppresses');
SELECT results_eq('SELECT expires_at, times FROM bouncemx.suppression', $$VALUES (timestamptz '2026-05-07 09:00' + interval '180 days', 2)$$, 'for 180 days');
-- Not deleted when its time is over: it holds nothing, and is made anew.
SELECT is((SELECT suppressed FROM bouncemx.suppressed('a@x', 't1', NULL, '2026-11-04')), false, 'it ends');
SELECT pg_temp.soft(20 + d, 'a@x', (timestamp '2026-11-10 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(0, 4) d \g /dev/null
SELECT results_eq('SELECT expires_at, times, event_id, origin::text FROM bouncemx.suppression',
    $$VALUES (timestamptz '2026-11-26 09:00' + interval '365 days', 3, pg_temp.id(24, 1), 'event')$$, 'the third time for 365 days, in place of the ended row');
SELECT pg_temp.put('{"n":25,"key":"a@x","at":"2027-11-27","category":"mailbox_disabled"}') IS NULL AND NULL \g /dev/null
SELECT results_eq('SELECT class::text, times FROM bouncemx.suppression', $$VALUES ('hard', 1)$$, 'a hard bounce after it begins another row');
SELECT is(pg_temp.soft(30, 'b@x', '2026-01-01 09:00', 'expired'), 'soft', 'half a point');
SELECT is(pg_temp.soft(31, 'b@x', '2026-01-01 10:00', 'mailbox_full'), 'soft', 'and one on the same day');
SELECT is(pg_temp.score('b@x'), '1.00 0', 'the higher counts');
SELECT is(pg_temp.soft(32, 'b@x', '2026-03-31 09:00'), 'soft', '89 days later');
SELECT is(pg_temp.score('b@x'), '2.00 0', 'the points stand');
SELECT is(pg_temp.soft(33, 'b@x', '2026-06-29 09:00'), 'soft', '90 days without a bounce');
SELECT is(pg_temp.score('b@x'), '1.00 0', 'and they begin anew');

-- ---- the person's own filter
SELECT is(pg_temp.soft(40, 'r@x', '2026-01-01 09:00', 'recipient_refused', 'news'), 'soft', 'a refusal');
SELECT is(pg_temp.soft(41, 'r@x', '2026-01-03 09:00', 'recipient_refused', 'offers'), 'soft', 'of another stream is another thing');
SELECT is(pg_temp.soft(42, 'r@x', '2026-01-03 09:00', 'mailbox_full', 'news'), 'soft', 'as is a full mailbox');
SELECT is(pg_temp.soft(43, 'r@x', '2026-01-04 09:00', 'recipient_refused', 'news'), 'suppressed', 'the second one');
SELECT is(ARRAY(SELECT x FROM unnest(pg_temp.list('2026-02-01')) x WHERE x LIKE 'r@%'), '{r@x t1 stream:news}', 'ends the stream');

-- ---- any order
DELETE FROM bouncemx.suppression;
DELETE FROM bouncemx.address_score;
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":50,"key":"p@x","class":"soft","category":"mailbox_full_inactive","at":"2026-01-01T09:00:00Z"}',
    '{"n":51,"key":"p@x","class":"soft","category":"mailbox_full","at":"2026-01-01T21:00:00Z"}',
    '{"n":52,"key":"p@x","class":"soft","category":"mailbox_full_inactive","at":"2026-01-10T09:00:00Z"}',
    '{"n":53,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-16T18:00:00Z"}',
    '{"n":54,"key":"p@x","class":"soft","category":"soft_other","at":"2026-02-01T09:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until 2026-05-02 09:00:00+00\np@x t1: {2026-01-01,2026-01-10,2026-01-16,2026-02-01} {2.00,2.00,2.00,0.50} 6.50 1 0 2026-05-02 09:00:00+00 2026-02-01 09:00:00+00')$$,
    'a score, in any order');
-- One that comes late may close a gap: two suppressions become one.
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":60,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-01T09:00:00Z"}',
    '{"n":61,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-20T09:00:00Z"}',
    '{"n":62,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-21T09:00:00Z"}',
    '{"n":63,"key":"p@x","class":"soft","category":"soft_other","at":"2026-04-01T09:00:00Z"}',
    '{"n":64,"key":"p@x","class":"soft","category":"soft_other","at":"2026-06-20T09:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until 2026-09-18 09:00:00+00\np@x t1: {2026-01-01,2026-01-20,2026-01-21,2026-04-01,2026-06-20} {2.00,2.00,2.00,0.50,0.50} 7.00 1 0 2026-09-18 09:00:00+00 2026-06-20 09:00:00+00')$$,
    'late ones that close a gap, too');
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":70,"key":"p@x","class":"soft","category":"mailbox_full","at":"2026-01-01T09:00:00Z"}',
    '{"n":71,"key":"p@x","category":"mailbox_disabled","at":"2026-01-20T09:00:00Z"}',
    '{"n":72,"key":"p@x","kind":"complaint","stream":"news","at":"2026-01-21T09:00:00Z"}',
    '{"n":73,"key":"p@x","at":"2026-04-01T09:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until ever\np@x t1 stream:news active 1 until ever\np@x t1: {2026-01-01} {1.00} 1.00 0 0 2026-01-01 09:00:00+00')$$,
    'soft, hard and a complaint, too');
UPDATE bouncemx.policy SET threshold = 2, span = '0', expires = '{10 days,20 days}' WHERE name LIKE 'soft%';
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":80,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-01T09:00:00Z"}',
    '{"n":81,"key":"p@x","class":"soft","category":"mailbox_full","at":"2026-01-15T09:00:00Z"}',
    '{"n":82,"key":"p@x","class":"soft","category":"mailbox_full","at":"2026-02-01T09:00:00Z"}',
    '{"n":83,"key":"p@x","class":"soft","category":"mailbox_full","at":"2026-02-03T09:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 2 until 2026-02-23 09:00:00+00\np@x t1: {2026-01-01,2026-01-15,2026-02-01,2026-02-03} {2.00,1.00,1.00,1.00} 5.00 2 0 2026-02-23 09:00:00+00 2026-02-03 09:00:00+00')$$,
    'and a ladder that is shorter than the decay');
UPDATE bouncemx.policy SET expires = '{90 days,180 days}' WHERE name LIKE 'soft%';
-- One that comes late may make one suppression of two, which ends earlier.
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":85,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-01-20T09:00:00Z"}',
    '{"n":86,"key":"p@x","class":"soft","category":"soft_other","at":"2026-04-15T09:00:00Z"}',
    '{"n":87,"key":"p@x","class":"soft","category":"recipient_restricted","at":"2026-04-25T09:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until 2026-07-24 09:00:00+00\np@x t1: {2026-01-20,2026-04-15,2026-04-25} {2.00,0.50,2.00} 4.50 1 0 2026-07-24 09:00:00+00 2026-04-25 09:00:00+00')$$,
    'and a suppression too many');
SELECT pg_temp.soft(90, 'one@x', '2026-01-01', 'recipient_restricted') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(90), 'suppressed', 'one can be enough');
UPDATE bouncemx.policy SET threshold = 5, span = '14 days', expires = '{}' WHERE name LIKE 'soft%';
SELECT pg_temp.put(VARIADIC array_agg(jsonb_build_object('n', 90 + d, 'key', 'e@x', 'class', 'soft', 'category', 'mailbox_full', 'at', timestamp '2026-01-01' + d * interval '4 days'))) IS NULL AND NULL FROM generate_series(1, 5) d \g /dev/null
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'e@x'), NULL, 'no ladder: for good');
UPDATE bouncemx.policy SET expires = '{90 days,180 days,365 days}' WHERE name LIKE 'soft%';

-- ---- deliveries
SELECT pg_temp.soft(100 + d, 'd@x', (timestamp '2026-01-01 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(1, 3) d \g /dev/null
SELECT is(bouncemx.delivered('{d@x,nobody@x,NULL}', '{t1,t1,t1}', '{s1,s1,s1}', '{2026-01-13 08:00,2026-01-13 08:00,2026-01-13 08:00}'), 1::bigint, 'a delivery resets the score that there is');
SELECT is(pg_temp.score('d@x'), '0.00 0', 'to 0');
SELECT is(pg_temp.soft(104, 'd@x', '2026-01-12 09:00'), 'soft', 'an older bounce that comes later');
SELECT is(pg_temp.score('d@x'), '0.00 0', 'does not count again');
SELECT is(pg_temp.soft(105, 'd@x', '2026-01-14 09:00'), 'soft', 'a newer one');
SELECT is(pg_temp.score('d@x'), '1.00 0', 'does');
SELECT is(bouncemx.delivered('{d@x}', '{t1}', '{s1}', '{2026-01-10 08:00}'), 0::bigint, 'an older delivery changes nothing');
SELECT is(bouncemx.delivered('{d@x}', '{t2}', '{s1}', '{2026-02-10 08:00}'), 0::bigint, 'nor one of another tenant');
SELECT is(pg_temp.soft(106, 'd@x', '2026-01-20 09:00', 'recipient_refused', 'news'), 'soft', 'a stream''s own score');
SELECT is(bouncemx.delivered('{d@x}', '{t1}', '{offers}', '{2026-01-21 08:00}'), 1::bigint, 'a delivery of another stream leaves it');
SELECT results_eq($$SELECT stream, score::text FROM bouncemx.address_score WHERE address_key = 'd@x' ORDER BY 1$$, $$VALUES ('', '0.00'), ('news', '1.00')$$, 'as it is');
SELECT is(bouncemx.delivered('{d@x,d@x}', '{t1,t1}', '{news,news}', '{2026-01-20 08:00,2026-01-22 08:00}'), 2::bigint, 'one of its own does not');
SELECT pg_temp.soft(110 + d, 'f@x', (timestamp '2026-01-01 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(1, 5) d \g /dev/null
SELECT is(bouncemx.delivered('{f@x}', '{t1}', NULL, '{2026-06-01}'), 1::bigint, 'after a suppression');
SELECT is(pg_temp.score('f@x'), '0.00 1', 'the place on the ladder stays');
SELECT pg_temp.soft(120 + d, 'f@x', (timestamp '2026-06-01 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(1, 5) d \g /dev/null
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'f@x'), timestamptz '2026-06-21 09:00' + interval '180 days', 'so that the next is longer');
SELECT is(bouncemx.delivered('{f@x}', '{t1}', NULL, '{2026-03-01}'), 0::bigint, 'told late, about the time between, it changes nothing');

-- ---- by hand
SELECT pg_temp.soft(150 + d, 'h@x', (timestamp '2026-01-01 09:00' + d * interval '4 days')::text) IS NULL AND NULL FROM generate_series(1, 5) d \g /dev/null
SELECT pg_temp.put('{"n":156,"key":"h@x","confidence":"low","at":"2026-01-21 08:00"}', '{"n":157,"key":"h2@x","confidence":"low","at":"2026-01-21 08:00"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.soft(158, 'h@x', '2026-01-21', 'recipient_refused', 'news') IS NULL AND NULL \g /dev/null
DELETE FROM bouncemx.suppression WHERE address_key = 'h@x';
SELECT is(pg_temp.soft(160, 'h@x', '2026-01-22 09:00'), 'soft', 'of an address that a person took off the points are gone');
SELECT results_eq($$SELECT stream, score::text, times FROM bouncemx.address_score WHERE address_key = 'h@x' ORDER BY 1$$, $$VALUES ('', '1.00', 1), ('news', '1.00', 0)$$, 'not those of a stream, or the place on the ladder');
SELECT pg_temp.put('{"n":161,"key":"h@x","confidence":"low","at":"2026-01-24"}', '{"n":162,"key":"h2@x","confidence":"low","at":"2026-01-24"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(161), pg_temp.effect(162)], '{strike,suppressed}', 'its strikes too, and nobody else''s');
INSERT INTO bouncemx.suppression (address_key, tenant, scope, address, event_stream, event_at, kind, events, last_event_at, origin, reason, actor, expires_at)
VALUES ('m1@x', 't1', 'tenant', 'm1@x', '', '2026-01-01', 'bounce', 0, '2026-01-01', 'manual', 'asked by phone', 'ann', NULL), ('m2@x', 't1', 'tenant', 'm2@x', '', '2026-01-01', 'bounce', 0, '2026-01-01', 'import', 'old list', 'ann', '2026-02-01');
SELECT pg_temp.put('{"n":163,"key":"m1@x"}', '{"n":164,"key":"m2@x"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(163), pg_temp.effect(164)], '{counted,suppressed}', 'a bounce of one that a person put there is counted; one that had ended is made anew');
SELECT results_eq($$SELECT origin::text, reason, actor, event_id, events FROM bouncemx.suppression WHERE address_key LIKE 'm_@x' ORDER BY address_key$$,
    $$VALUES ('manual', 'asked by phone', 'ann', NULL::uuid, 1::bigint), ('event', NULL, NULL, pg_temp.id(164, 1), 1::bigint)$$, 'as the event''s own');
DELETE FROM bouncemx.address_score WHERE address_key = 'h@x';
SELECT throws_ok($$UPDATE bouncemx.policy SET expires = '{-1 day}' WHERE name = 'soft'$$, '23514', NULL, 'no suppression lasts less than nothing');

-- ---- the allow-list
SELECT pg_temp.put('{"n":130,"key":"w1@own.example"}', '{"n":131,"key":"w2@own.example","kind":"complaint"}', '{"n":132,"key":"w1@own.example","tenant":"t2"}', '{"n":133,"key":"w3@notown.example"}') IS NULL AND NULL \g /dev/null
SELECT is(bouncemx.allow('W1@OWN.example', 't1', 'our seed', '2026-03-04'), 1::bigint, 'allowing takes an address off the list, for its tenant');
SELECT results_eq($$SELECT op::text, tenant, reason FROM bouncemx.suppression_change WHERE op = 'remove' ORDER BY id DESC LIMIT 1$$, $$VALUES ('remove', 't1', 'our seed')$$, 'and says why');
SELECT is(bouncemx.allow('@OWN.example', NULL, NULL, '2026-03-04'), 2::bigint, 'a domain: everybody of it, for all tenants');
SELECT is(ARRAY(SELECT x FROM unnest(pg_temp.list()) x WHERE x LIKE 'w%'), '{w3@notown.example t1 tenant}', 'but no other');
SELECT pg_temp.put('{"n":134,"key":"w1@own.example","token":"again"}', '{"n":135,"key":"w4@own.example","kind":"unsubscribe","tenant":"t3"}', '{"n":136,"key":"w5@own.example","class":"soft"}',
    '{"n":137,"key":"w6@own.example","confidence":"low"}', '{"n":138,"key":"w6@own.example","class":"block"}', '{"n":139,"key":"w6@own.example","verification":"forged"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT pg_temp.effect(n) FROM generate_series(134, 139) n), '{allowed,allowed,allowed,allowed,none,unverified}', 'nothing acts on them');
SELECT is((SELECT hard FROM bouncemx.token_seen WHERE token = 'again'), NULL, 'or uses a token up');
SELECT is(ARRAY[bouncemx.disallow('@own.example', '', 'a mistake'), bouncemx.disallow('@own.example', 't9', NULL)], '{t,f}', 'taken back');
SELECT pg_temp.put('{"n":140,"key":"w9@own.example","token":"again"}', '{"n":141,"key":"w1@own.example"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(140), pg_temp.effect(141)], '{suppressed,allowed}', 'it acts again, but for the address that stands there by itself');
SELECT throws_ok($$SELECT bouncemx.allow('@', '', '', '2026-01-01')$$, '22023', NULL, 'what is no address and no domain is refused');
SELECT is((SELECT count(*) FROM bouncemx.audit WHERE action LIKE 'allowed.%'), 4::bigint, 'the audit has it all');

-- ---- forgetting
SELECT bouncemx.forget_used('2027-07-20') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT address_key::text FROM bouncemx.address_score ORDER BY 1), '{e@x,f@x}', 'scores go after 400 days, not with a place on the ladder that still counts');
SELECT * FROM finish();
ROLLBACK;
