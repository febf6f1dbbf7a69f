-- The circuit breaker. Outside a transaction: breaker_judge counts what is committed.
\ir support/put.psql
SELECT plan(68);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null
UPDATE bouncemx.breaker_policy SET floor = 4;

-- So many hard bounces of an operator's, all of one hour.
CREATE FUNCTION pg_temp.hard(first integer, last integer, at text, operator text DEFAULT 'google', confidence text DEFAULT 'high') RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_temp.put(VARIADIC array_agg(jsonb_build_object('n', n, 'key', 'u' || n || '@x.example', 'at', at, 'operator', operator, 'confidence', confidence)))
      FROM generate_series(first, last) n $$;
CREATE FUNCTION pg_temp.judged() RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', changes, opened, held, released, removed) FROM bouncemx.breaker_judge('2026-03-05') $$;
CREATE FUNCTION pg_temp.states(first integer, last integer) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(s.state::text, '-'), ' ' ORDER BY n)
      FROM generate_series(first, last) n LEFT JOIN bouncemx.suppression s ON s.address_key = 'u' || n || '@x.example' $$;

-- ---- counting
SELECT is(pg_temp.judged(), '0 0 0 0 0', 'nothing has happened');
SELECT pg_temp.hard(1, 3, '2026-03-04 10:30') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '3 0 0 0 0', 'three turned hard');
SELECT is(pg_temp.judged(), '0 0 0 0 0', 'each change is judged once');
SELECT results_eq('SELECT tenant, key COLLATE "default", hour, turned, events, opened_at FROM bouncemx.breaker_hour', $$VALUES ('t1', 'google', timestamptz '2026-03-04 10:00', 3::bigint, 3::bigint, NULL::timestamptz)$$, 'counted by operator and hour of receipt');
SELECT pg_temp.put('{"n":4,"key":"u1@x.example","operator":"google","at":"2026-03-04 10:40"}', '{"n":5,"key":"u9@x.example","operator":"google","class":"soft","at":"2026-03-04 10:40"}',
    '{"n":6,"key":"u9@x.example","operator":"google","kind":"complaint","at":"2026-03-04 10:40"}', '{"n":7,"key":"u9@x.example","operator":"google","confidence":"low","at":"2026-03-04 10:40"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '1 0 0 0 0', 'only the complaint changed the list');
SELECT is((SELECT turned FROM bouncemx.breaker_hour), 3::bigint, 'and it did not turn hard');
SELECT pg_temp.put('{"n":8,"key":"u8@other.example","at":"2026-03-04 10:40"}', '{"n":9,"key":"u10@x.example","operator":"google","tenant":"t2","at":"2026-03-04 10:40"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '2 0 0 0 0', 'others');
SELECT is(ARRAY(SELECT concat_ws(' ', tenant, key, turned) FROM bouncemx.breaker_hour ORDER BY 1), '{t1 @other.example 1,t1 google 3,t2 google 1}', 'by domain where no operator is known, by tenant');
SELECT pg_temp.put('{"n":70,"key":"u70@x.example","operator":"aol","category":"mailbox_disabled","at":"2026-03-04 10:20"}', '{"n":71,"key":"u71@x.example","operator":"aol","category":"mailbox_disabled","at":"2025-03-04 10:20"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":72,"key":"u70@x.example","operator":"aol","category":"mailbox_disabled","at":"2026-03-04 10:40"}', '{"n":73,"key":"u71@x.example","operator":"aol","at":"2026-03-04 10:40"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '4 0 0 0 0', 'rows that change');
SELECT is((SELECT array_agg(turned ORDER BY hour) FROM bouncemx.breaker_hour WHERE key = 'aol'), '{1,2}', 'one that only lasts longer has turned before, one that is made anew has not');
-- As if the first of two had been in progress when last judged.
SELECT pg_temp.put('{"n":74,"key":"u74@x.example","operator":"aol","at":"2026-03-01"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":75,"key":"u75@x.example","operator":"aol","at":"2026-03-01"}') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.breaker_state SET snapshot = (SELECT format('%s:%s:%s', min(xid::text::bigint), max(xid::text::bigint) + 1, min(xid::text::bigint))::pg_snapshot
    FROM bouncemx.suppression_change WHERE address_key IN ('u74@x.example', 'u75@x.example'));
SELECT is(pg_temp.judged(), '1 0 0 0 0', 'what was seen before is not judged again');
BEGIN;
SELECT pg_temp.hard(11, 12, '2026-03-04 10:50') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '0 0 0 0 0', 'what is not committed is not seen');
COMMIT;

-- ---- it opens
SELECT is(pg_temp.judged(), '2 1 5 0 0', 'the fourth and fifth open it: all five wait');
SELECT is(pg_temp.states(1, 3) || ' ' || pg_temp.states(11, 12), 'pending pending pending pending pending', 'those made already too');
SELECT results_eq($$SELECT DISTINCT held_key COLLATE "default", held_hour FROM bouncemx.suppression WHERE state = 'pending'$$, $$VALUES ('google', timestamptz '2026-03-04 10:00')$$, 'for the operator and hour');
SELECT is((SELECT state::text FROM bouncemx.suppression WHERE tenant = 't2'), 'active', 'not another tenant''s');
SELECT is(ARRAY(SELECT DISTINCT concat_ws(' ', op, state, actor) FROM bouncemx.suppression_change WHERE op = 'hold'), '{hold pending policy}', 'each as a change');
SELECT results_eq('SELECT opened_at, usual FROM bouncemx.breaker_hour WHERE opened_at IS NOT NULL', $$VALUES (timestamptz '2026-03-05', 0::numeric)$$, 'beyond what was usual');
SELECT results_eq($$SELECT action, object, detail->>'turned' FROM bouncemx.audit WHERE action = 'breaker.open'$$, $$VALUES ('breaker.open', 'google', '5')$$, 'the audit says so');
SELECT is(pg_temp.judged(), '5 0 0 0 0', 'its own changes are no news');
SELECT pg_temp.hard(13, 14, '2026-03-04 10:59:59') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(13, 14), 'pending pending', 'what comes now waits at once');
SELECT is(ARRAY[pg_temp.effect(13), pg_temp.effect(1)], '{pending,suppressed}', 'and says so');
SELECT pg_temp.put('{"n":15,"key":"u15@x.example","operator":"google","kind":"complaint","at":"2026-03-04 10:59"}', '{"n":16,"key":"u16@x.example","operator":"yahoo","at":"2026-03-04 10:59"}',
    '{"n":17,"key":"u17@x.example","operator":"google","at":"2026-03-04 11:00"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(15, 17), 'active active active', 'not complaints, other operators, other hours');
SELECT is(pg_temp.judged(), '5 0 0 0 0', 'are counted');
SELECT is((SELECT turned FROM bouncemx.breaker_hour WHERE opened_at IS NOT NULL), 7::bigint, 'with those that wait');
SELECT pg_temp.put('{"n":76,"key":"u76@x.example","operator":"google","category":"mailbox_disabled","at":"2026-03-03"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":77,"key":"u76@x.example","operator":"google","at":"2026-03-04 10:40"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT state::text, expires_at, event_id FROM bouncemx.suppression WHERE address_key = 'u76@x.example'$$, $$VALUES ('active', timestamptz '2026-03-03' + interval '180 days', pg_temp.id(76, 1))$$, 'what holds is not lifted by what has to wait');
SELECT is(pg_temp.effect(77), 'counted', 'that is counted');
SELECT pg_temp.judged() IS NULL AND NULL \g /dev/null
-- A batch that does not see yet that it is open.
BEGIN;
SELECT pg_temp.hard(18, 18, '2026-03-04 10:55') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.suppression SET state = 'active', held_key = NULL, held_hour = NULL WHERE address_key = 'u18@x.example';
COMMIT;
SELECT is(pg_temp.judged(), '2 0 1 0 0', 'what a batch wrote as if it were not open waits too');

-- ---- another token's bounce
SELECT pg_temp.put('{"n":20,"key":"u1@x.example","operator":"google","at":"2026-03-05 10:29:59"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(1, 1) || ' ' || pg_temp.effect(20), 'pending counted', 'another bounce within 24 hours does not release it');
SELECT pg_temp.put('{"n":21,"key":"u1@x.example","operator":"google","token":"token 1","at":"2026-03-05 10:30"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(1, 1) || ' ' || pg_temp.effect(21), 'pending repeat', 'nor the same token');
SELECT pg_temp.put('{"n":22,"key":"u1@x.example","operator":"google","at":"2026-03-05 10:30"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(1, 3) || ' ' || pg_temp.effect(22), 'active pending pending counted', 'another token''s after 24 hours does, for its address');
SELECT results_eq($$SELECT op::text, actor FROM bouncemx.suppression_change WHERE address_key = 'u1@x.example' ORDER BY id DESC LIMIT 1$$, $$VALUES ('release', 'policy')$$, 'as a change');
SELECT pg_temp.put('{"n":23,"key":"u2@x.example","operator":"google","confidence":"low","at":"2026-03-05 10:29:59"}', '{"n":24,"key":"u2@x.example","verification":"forged","at":"2026-03-06"}', '{"n":25,"key":"u2@x.example","class":"soft","at":"2026-03-06"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(2, 2) || ' ' || pg_temp.effect(23), 'pending strike', 'an unsure one too early, a forged or soft one do not');
SELECT pg_temp.put('{"n":26,"key":"u3@x.example","operator":"google","confidence":"low","at":"2026-03-05 10:30"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(3, 3) || ' ' || pg_temp.effect(26), 'active counted', 'an unsure one is enough together with what waits');
SELECT is((SELECT event_id FROM bouncemx.suppression WHERE address_key = 'u3@x.example'), pg_temp.id(3, 1), 'which stays the event that made it');
SELECT pg_temp.put('{"n":80,"key":"u80@x.example","operator":"google","confidence":"low","at":"2026-03-02"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":81,"key":"u80@x.example","operator":"google","confidence":"low","at":"2026-03-04 10:30"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(80, 80) || ' ' || pg_temp.effect(81), 'pending pending', 'two strikes may have to wait');
SELECT pg_temp.put('{"n":82,"key":"u80@x.example","operator":"google","token":"token 81","at":"2026-03-06"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(80, 80) || ' ' || pg_temp.effect(82), 'pending counted', 'the token of one of them, now sure, is no other');
UPDATE bouncemx.policy SET scope = 'tenant' WHERE name = 'complaint';
SELECT pg_temp.put('{"n":27,"key":"u2@x.example","operator":"google","kind":"complaint","at":"2026-03-04 12:00"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT state::text, kind::text, event_id FROM bouncemx.suppression WHERE address_key = 'u2@x.example'$$, $$VALUES ('active', 'complaint', pg_temp.id(27, 1))$$, 'a complaint that holds as wide does not wait: the row is its own');
SELECT pg_temp.hard(28, 28, '2026-03-04 12:00', NULL, 'high') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.policy SET scope = 'stream' WHERE name = 'complaint';

-- ---- by hand
SELECT is(bouncemx.breaker_release('t1', 'yahoo', NULL, '2026-03-06'), 0::bigint, 'nothing of theirs waits');
SELECT is(bouncemx.breaker_release('t1', 'google', '2026-03-04 11:00', '2026-03-06'), 0::bigint, 'nor of that hour');
SET bouncemx.actor = 'ann@example.com';
SELECT is(bouncemx.breaker_release('t1', 'google', '2026-03-04 10:59', '2026-03-06'), 6::bigint, 'released: six rows');
RESET bouncemx.actor;
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE state = 'pending'), 0::bigint, 'none waits');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change WHERE op = 'release' AND actor = 'ann@example.com'), 6::bigint, 'the changes say who did it');
SELECT results_eq($$SELECT actor, object, detail->>'rows' FROM bouncemx.audit WHERE action = 'breaker.release'$$, $$VALUES ('ann@example.com', 'google', '6')$$, 'and the audit');
SELECT results_eq('SELECT released_at, released_by FROM bouncemx.breaker_hour WHERE opened_at IS NOT NULL', $$VALUES (timestamptz '2026-03-06', 'ann@example.com')$$, 'and the hour');
SELECT pg_temp.hard(29, 34, '2026-03-04 10:10') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.states(29, 30), 'active active', 'what comes for that hour holds');
SELECT is(split_part(pg_temp.judged(), ' ', 2), '0', 'it does not open again');
-- A batch that does not see yet that it was released.
BEGIN;
SELECT pg_temp.hard(35, 35, '2026-03-04 10:55') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.suppression SET state = 'pending', held_key = 'google', held_hour = '2026-03-04 10:00' WHERE address_key = 'u35@x.example';
COMMIT;
SELECT is(pg_temp.judged(), '2 0 0 1 0', 'what a batch wrote as if it were open holds too');
SELECT is(pg_temp.states(35, 35), 'active', 'it does');

-- ---- the allow-list and a batch that did not see it
INSERT INTO bouncemx.allowed (address_key) VALUES ('@seed.example');
INSERT INTO bouncemx.suppression (address_key, tenant, scope, address, event_stream, event_id, event_at, kind, events, last_event_id, last_event_at)
SELECT 'a@seed.example', 't1', 'tenant', 'a@seed.example', '', gen_random_uuid(), '2026-03-04', 'bounce', 1, gen_random_uuid(), '2026-03-04';
SELECT is(split_part(pg_temp.judged(), ' ', 5), '1', 'the judge takes its row off');
SELECT results_eq($$SELECT op::text, reason FROM bouncemx.suppression_change WHERE address_key = 'a@seed.example' ORDER BY id DESC LIMIT 1$$, $$VALUES ('remove', 'allow-list')$$, 'and says why');

-- ---- what is usual
SELECT bouncemx.breaker_release('t1', 'google', NULL, '2026-03-06') IS NULL AND NULL \g /dev/null
DELETE FROM bouncemx.breaker_hour;
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events) SELECT 't1', 'yahoo', timestamptz '2026-04-01' - h * interval '1 hour', 1 + h % 3, 1 + h % 3 FROM generate_series(1, 30) h;
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events) VALUES ('t1', 'yahoo', '2026-03-03 23:00', 1000, 1000), ('t1', 'yahoo', '2026-03-30 00:00', 0, 500), ('t2', 'yahoo', '2026-03-31 00:00', 500, 500);
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events, opened_at) VALUES ('t1', 'yahoo', '2026-03-29 00:00', 900, 900, '2026-03-29');
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events) VALUES ('t1', 'yahoo', '2026-04-01', 10, 10), ('t1', 'yahoo', '2026-04-01 01:00', 11, 11);
SELECT is(ARRAY(SELECT concat_ws(' ', o.opens, o.usual) FROM unnest('{2026-04-01 00:00,2026-04-01 01:00}'::timestamptz[]) h, bouncemx.breaker_opens('t1', 'yahoo', h) o ORDER BY h),
    '{f 2,t 2}', 'the median of 28 days is 2: ten is five times that, eleven is more');
INSERT INTO bouncemx.breaker_policy (name, tenant, factor) VALUES ('t1', 't1', 10);
SELECT is((SELECT opens FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 01:00')), false, 'a tenant may bear more');
UPDATE bouncemx.breaker_policy SET factor = 1, floor = 12 WHERE tenant = 't1';
SELECT is((SELECT opens FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 01:00')), false, 'fewer than the floor never open it');
UPDATE bouncemx.breaker_policy SET floor = 1, enabled = false WHERE tenant = 't1';
SELECT is((SELECT opens FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 01:00')), false, 'nor where it is turned off');
UPDATE bouncemx.breaker_policy SET enabled = true, factor = 5, floor = 2 WHERE tenant = 't1';
SELECT is((SELECT count(*) FROM bouncemx.audit WHERE action LIKE 'breaker_policy.%'), 6::bigint, 'the audit has each change of it');
SELECT is((SELECT opens FROM bouncemx.breaker_opens('t1', 'nobody', '2026-04-01 01:00')), false, 'an hour without a bounce is none');

-- ---- shares, where deliveries are told
SELECT bouncemx.breaker_judge('2026-03-05') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":50,"key":"d50@y.example","operator":"yahoo","at":"2026-04-01 02:00"}', '{"n":51,"key":"d51@z.example","at":"2026-04-01 02:00"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '2 0 0 0 0', 'y.example is yahoo''s');
SELECT results_eq($$SELECT domain COLLATE "default", mx_operator, seen_at FROM bouncemx.domain_operator WHERE domain <> 'x.example'$$, $$VALUES ('y.example', 'yahoo', timestamptz '2026-04-01 02:00')$$, 'which is kept');
SELECT bouncemx.delivered(array_agg('ok' || n || '@' || (ARRAY['y.example', 'z.example', 'never.example'])[1 + n % 3]), array_agg('t1'::text), NULL, array_agg(timestamptz '2026-04-01 02:30')) IS NULL AND NULL FROM generate_series(1, 297) n \g /dev/null
SELECT is(ARRAY(SELECT concat_ws(' ', key, turned, events, delivered) FROM bouncemx.breaker_hour WHERE hour = '2026-04-01 02:00' ORDER BY 1), '{@z.example 1 100 99,yahoo 1 100 99}', 'deliveries count beside the bounces of their operator, else domain, where there were any');
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events, delivered) VALUES ('t1', 'yahoo', '2026-04-01 03:00', 400, 10000, 9600), ('t1', 'yahoo', '2026-04-01 04:00', 600, 10000, 9400), ('t1', 'yahoo', '2026-04-01 05:00', 40, 50, 10), ('t1', 'yahoo', '2026-04-01 06:00', 40, 40, 0);
SELECT is((SELECT concat_ws(' ', opens, usual) FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 03:00')), 'f 0.01', 'many, but of a large mailing');
SELECT is((SELECT concat_ws(' ', opens, usual) FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 04:00')), 'f 0.025', 'shares are compared with shares');
SELECT is((SELECT concat_ws(' ', opens, usual) FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 05:00')), 't 0.04', 'four of five is too many');
SELECT is((SELECT concat_ws(' ', opens, usual) FROM bouncemx.breaker_opens('t1', 'yahoo', '2026-04-01 06:00')), 't 2', 'no delivery of the hour told: the numbers are');

-- ---- another cluster, and forgetting
UPDATE bouncemx.breaker_state SET snapshot = '900000000:900000000:';
SELECT is(pg_temp.judged(), '0 0 0 0 0', 'rows that were brought from another cluster are not judged');
SELECT pg_temp.hard(60, 60, '2026-04-03 10:00') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.judged(), '1 0 0 0 0', 'what comes then is');
SELECT bouncemx.forget_used('2026-06-05') IS NULL AND NULL \g /dev/null
SELECT is((SELECT count(*) FILTER (WHERE turned = 0) || ' ' || (count(*) > 30) FROM bouncemx.breaker_hour), '0 true', 'hours without a bounce are forgotten first');
SELECT bouncemx.forget_used('2027-05-10') IS NULL AND NULL \g /dev/null
SELECT is((SELECT count(*) FROM bouncemx.breaker_hour) + (SELECT count(*) FROM bouncemx.domain_operator), 0::bigint, 'then all');
SELECT * FROM finish();
