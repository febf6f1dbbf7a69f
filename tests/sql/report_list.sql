-- Each report on small exact data: what came on the list, what is near to it, attempts, the breaker; what each view shows.
BEGIN;
\ir support/put.psql
SELECT plan(22);
SELECT bouncemx.ensure_partitions('2026-03-01', '2026-03-31') > 0 AND NULL \g /dev/null

-- ---- flow
SELECT pg_temp.put('{"n":1,"key":"a@x.example","at":"2026-03-04T10:00:00Z"}', '{"n":2,"key":"b@x.example","at":"2026-03-04T11:00:00Z"}',
    '{"n":3,"key":"c@x.example","kind":"complaint","stream":"news","at":"2026-03-05T00:00:00Z"}') IS NULL AND NULL \g /dev/null
INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind, events, last_event_at, origin)
VALUES ('d@x.example', 't1', 'tenant', '', 'd@x.example', '', '2026-03-06', 'other', 0, '2026-03-06', 'manual');
UPDATE bouncemx.suppression_change SET at = CASE address_key WHEN 'c@x.example' THEN timestamptz '2026-03-05 00:00Z' WHEN 'd@x.example' THEN '2026-03-06 00:00Z' ELSE '2026-03-04 10:00Z' END;
SELECT results_eq($$SELECT day, op::text, kind::text, category::text, origin::text, count FROM bouncemx.report_flow('2026-03-04', '2026-03-06', NULL)$$,
    $$VALUES (date '2026-03-05', 'add', 'complaint', NULL, 'event', 1::bigint), ('2026-03-04', 'add', 'bounce', 'bad_mailbox', 'event', 2)$$, 'what came on the list');
SELECT results_eq($$SELECT day FROM bouncemx.report_flow('2026-03-04', '2026-03-07', 'news')$$, $$VALUES (date '2026-03-05')$$, 'of one stream');
SELECT results_eq($$SELECT day FROM bouncemx.report_flow('2026-03-05 13:00Z', '2026-03-05 14:00Z', NULL)$$, $$VALUES (date '2026-03-05')$$, 'a day counts when a part of it is asked for');
DELETE FROM bouncemx.suppression WHERE address_key = 'a@x.example';
SELECT results_eq($$SELECT op::text, sum(count) FROM bouncemx.v_suppression_flow GROUP BY 1 ORDER BY 1$$, $$SELECT op::text, count(*)::numeric FROM bouncemx.suppression_change GROUP BY 1 ORDER BY 1$$, 'as counted directly');
SELECT is((SELECT count FROM bouncemx.v_suppression_flow WHERE op = 'remove'), 1::bigint, 'and what went off it');

-- ---- soft: three points suppress, one for each day
SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"%s@x.example","class":"soft","category":"mailbox_full","at":"2026-03-%sT00:00:00Z"}', 100 + n, k, d)::jsonb))
       IS NULL AND NULL FROM (VALUES (1, 'one', '10'), (2, 'near', '10'), (3, 'near', '12'), (4, 'near', '14'), (5, 'near', '16')) v (n, k, d) \g /dev/null
SELECT results_eq($$SELECT address_key::text, tenant, stream, score = threshold * 0.8, policy, days, first_day, last_at, event_id FROM bouncemx.report_soft('2026-03-01', '2026-03-17', NULL)$$,
    $$SELECT 'near@x.example', 't1', '', true, policy, 4, date '2026-03-10', timestamptz '2026-03-16 00:00Z', pg_temp.id(105, 1) FROM bouncemx.address_score WHERE address_key = 'near@x.example'$$, 'half of the points and more');
SELECT is_empty($$SELECT * FROM bouncemx.report_soft('2026-03-01', '2026-03-16', NULL)$$, 'by the latest bounce; until is not included');
SELECT is_empty($$SELECT * FROM bouncemx.report_soft('2026-03-01', '2026-03-17', 'news')$$, 'of one stream');
UPDATE bouncemx.address_score SET holds_until = '2026-06-01' WHERE address_key = 'near@x.example';
SELECT is_empty($$SELECT * FROM bouncemx.v_soft_at_risk$$, 'not what is suppressed already');

-- ---- forged, also many
SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"v@x.example","verification":"forged","client":"192.0.2.%s","rcpt":"x%s@rp.example","at":"2026-03-20T00:00:00Z"}', 200 + n, n % 2, n)::jsonb)) IS NULL AND NULL
  FROM generate_series(1, 60) n \g /dev/null
SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"f@x","token":"t@rp3.example","kind":"delayed","at":"2026-03-20T00:00:00Z"}', n)::jsonb)) IS NULL AND NULL FROM generate_series(300, 324) n \g /dev/null
SELECT results_eq($$SELECT day, client_address, domain, kind::text, attempt, count, first_at, event_id IS NULL FROM bouncemx.v_forged_attempts$$,
    $$VALUES (date '2026-03-20', '192.0.2.0', 'rp.example', 'bounce', 'forged', 30::bigint, timestamptz '2026-03-20 00:00Z', false), ('2026-03-20', '192.0.2.1', 'rp.example', 'bounce', 'forged', 30, '2026-03-20 00:00Z', false),
             ('2026-03-20', NULL, 'rp3.example', NULL, 'flood', 5, '2026-03-20 00:00Z', true)$$, 'attempts by client and domain, not by recipient; floods');
SELECT is((SELECT sum(events) FROM bouncemx.event_hourly WHERE hour = '2026-03-20'), (SELECT count(*)::numeric FROM bouncemx.event WHERE received_at = '2026-03-20'), 'what floods is counted nowhere else');
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE address_key = 'v@x.example'), 0::bigint, 'nothing forged did anything');

-- ---- complaints that nothing identifies; blocks
SELECT pg_temp.put('{"n":400,"kind":"complaint","key":null,"verification":"unsigned","from":"f@big.example","agent":"UA","at":"2026-03-21T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT day, reporter, user_agent, complaints, unmatched, percent, alarm, last_at, event_id FROM bouncemx.v_fbl_unmatched$$,
    $$VALUES (date '2026-03-21', 'big.example', 'UA', 1::bigint, 1::bigint, 100, false, timestamptz '2026-03-21 00:00Z', pg_temp.id(400, 1))$$, 'one alone is no alarm');
SELECT is_empty('SELECT * FROM bouncemx.v_block_events', 'nobody refuses us');

-- ---- held
SELECT is_empty('SELECT * FROM bouncemx.v_held', 'the breaker holds nothing');
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, usual, opened_at) VALUES
    ('t1', 'google', '2026-03-22 10:00Z', 500, 12, '2026-03-22 10:07Z'), ('t1', 'yahoo', '2026-03-22 10:00Z', 5, NULL, NULL);
UPDATE bouncemx.suppression SET state = 'pending', held_key = 'google', held_hour = '2026-03-22 10:00Z' WHERE address_key IN ('b@x.example', 'c@x.example');
SELECT results_eq($$SELECT tenant, key, hour, turned::integer, usual::integer, waiting::integer, opened_at, released_at FROM bouncemx.report_held('2026-03-22 10:30Z', '2026-03-22 10:31Z', NULL)$$,
    $$VALUES ('t1', 'google', timestamptz '2026-03-22 10:00Z', 500, 12, 2, timestamptz '2026-03-22 10:07Z', NULL::timestamptz)$$, 'an hour that waits, when a part of it is asked for');
SELECT is_empty($$SELECT * FROM bouncemx.report_held('2026-03-22 11:00Z', '2026-03-23', NULL)$$, 'and no other');
SELECT is((SELECT waiting FROM bouncemx.v_held), 2::bigint, 'as a view');

-- ---- what there is to read
SELECT is_empty($$SELECT v FROM unnest('{v_bounce_by_operator,v_bounce_by_stream_campaign,v_reason_daily,v_hourly_spikes,v_block_events,v_top_diagnostics,
    v_unclassified_top,v_bounce_latency,v_complaint_rate,v_suppression_flow,v_forged_attempts,v_rule_hits,v_soft_at_risk,v_fbl_unmatched,v_held}'::text[]) v
    WHERE to_regclass('bouncemx.' || v) IS NULL$$, 'every view');
SELECT has_function('bouncemx', 'policy_preview', 'what another policy had done is a function');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'bouncemx'::regnamespace AND proname ~ '^report_'), 15::bigint, 'a report for each');
SELECT is((SELECT count(*) FROM bouncemx.report_reasons('-infinity', 'infinity', NULL)), (SELECT count(*) FROM bouncemx.v_reason_daily), 'of all time');
SELECT * FROM finish();
ROLLBACK;
