-- Roll-ups hold what a direct count of the events gives; of erased people nothing is written.
BEGIN;
\ir support/put.psql
SELECT plan(25);
SELECT bouncemx.ensure_partitions('2026-03-01', '2026-03-31') > 0 AND NULL \g /dev/null
INSERT INTO bouncemx.sent (day, id, recipient, sent_at) VALUES ('2026-03-01', 'abcdefghijklm', 's@x.example', '2026-03-01 00:00:00Z');
SELECT pg_temp.put('{"n":1,"key":"a@x.example","operator":"google","at":"2026-03-04T10:00:00Z"}', '{"n":2,"key":"b@x.example","operator":"google","at":"2026-03-04T10:59:59Z"}',
    '{"n":3,"key":"c@x.example","class":"soft","category":"mailbox_full","at":"2026-03-04T11:00:00Z"}',
    '{"n":4,"key":"d@x.example","class":"block","category":"dnsbl","listed_address":"192.0.2.7","blocklist":"list.example","at":"2026-03-04T11:00:00Z"}',
    '{"n":5,"key":"e@x.example","verification":"forged","client":"192.0.2.9","rcpt":"x@RP.example","at":"2026-03-04T12:00:00Z"}',
    '{"n":6,"key":"f@x.example","kind":"complaint","verification":"unsigned","trusted":false,"client":"192.0.2.9","agent":"UA/1","at":"2026-03-04T13:00:00Z"}',
    '{"n":7,"key":"g@x.example","kind":"complaint","agent":"UA/1","at":"2026-03-04T13:00:00Z"}',
    '{"n":8,"key":null,"verification":"waiting","token":"t8","token_id":"abcdefghijklm","day":"2026-03-01","at":"2026-03-01T00:16:40Z"}',
    '{"n":9,"key":"h@x.example","kind":"delayed","at":"2026-03-05T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":10,"key":"i@x.example","operator":"google","at":"2026-03-04T10:30:00Z"}', '{"n":1,"key":"a@x.example","operator":"google","at":"2026-03-04T10:00:00Z"}') IS NULL AND NULL \g /dev/null

CREATE FUNCTION pg_temp.direct() RETURNS TABLE (hour timestamptz, tenant text, stream text, mx_operator text, kind text, class text, category text, events bigint, verified bigint, suppressed bigint)
    LANGUAGE sql AS $$
    SELECT date_trunc('hour', received_at, 'UTC'), tenant, stream, coalesce(mx_operator, ''), kind::text, coalesce(class::text, ''), coalesce(category::text, ''),
           count(*), count(*) FILTER (WHERE verified), count(*) FILTER (WHERE effect IN ('suppressed', 'pending')) FROM bouncemx.event GROUP BY 1, 2, 3, 4, 5, 6, 7 $$;
SELECT set_eq($$SELECT hour, tenant, stream, mx_operator, kind::text, class, category, events, verified, suppressed FROM bouncemx.event_hourly$$, $$SELECT * FROM pg_temp.direct()$$, 'by hour, as counted directly');
SELECT set_eq($$SELECT * FROM bouncemx.event_daily$$, $$SELECT (hour AT TIME ZONE 'UTC')::date, tenant, stream, mx_operator, kind, class, category,
    sum(events)::bigint AS events, sum(verified)::bigint AS verified, sum(suppressed)::bigint AS suppressed FROM bouncemx.event_hourly GROUP BY 1, 2, 3, 4, 5, 6, 7$$, 'by day, as by hour');
SELECT set_eq($$SELECT * FROM bouncemx.bounce_hourly$$, $$SELECT hour, mx_operator, category, sum(events)::bigint AS events FROM bouncemx.event_hourly WHERE kind = 'bounce' GROUP BY 1, 2, 3$$, 'bounces of all streams');
SELECT is((SELECT events FROM bouncemx.event_hourly WHERE hour = '2026-03-04 10:00Z'), 3::bigint, 'two batches in one row, what came twice once');
SELECT is((SELECT sum(events) FROM bouncemx.event_hourly), 10::numeric, 'each event once');
SELECT results_eq($$SELECT day, mx_operator, category, listed_address, blocklist, lookup_url, events, verified, sample_event_id FROM bouncemx.block_daily$$,
    $$VALUES (date '2026-03-04', '', 'dnsbl', '192.0.2.7', 'list.example', '', 1::bigint, 1::bigint, pg_temp.id(4, 1))$$, 'who blocks us');
SELECT results_eq($$SELECT client_address, domain, kind::text, attempt, events FROM bouncemx.attempt_daily ORDER BY 4$$,
    $$VALUES ('192.0.2.9', 'rp.example', 'bounce', 'forged', 1::bigint), ('192.0.2.9', 'rp.example', 'complaint', 'unsigned', 1)$$, 'attempts');
SELECT results_eq($$SELECT reporter, user_agent, complaints, unmatched, unmatched_event_id FROM bouncemx.complaint_daily$$,
    $$VALUES ('reporter.example', 'UA/1', 2::bigint, 1::bigint, pg_temp.id(6, 1))$$, 'complaints');
SELECT results_eq($$SELECT day, bucket, events FROM bouncemx.latency_daily$$, $$VALUES (date '2026-03-01', 9, 1::bigint)$$, 'a thousand seconds: from 512 on');
SELECT is(bouncemx.latency_bucket('-5 s'), 0, 'clocks that differ');
SELECT is(bouncemx.latency_bucket('1 s'), 0, 'a second');
SELECT is(bouncemx.latency_bucket('2 s'), 1, 'two');
SELECT is_empty('SELECT * FROM bouncemx.diagnostic_daily', 'no words, no fingerprint');

-- Stored events give the same as those that came in.
CREATE TEMP TABLE before AS SELECT * FROM bouncemx.event_hourly;
CREATE TEMP TABLE before_complaint AS SELECT * FROM bouncemx.complaint_daily;
CREATE TEMP TABLE before_campaign AS SELECT * FROM bouncemx.campaign_daily;
CREATE TEMP TABLE before_rule AS SELECT * FROM bouncemx.rule_daily;
TRUNCATE bouncemx.event_hourly, bouncemx.event_daily, bouncemx.bounce_hourly, bouncemx.campaign_daily, bouncemx.rule_daily, bouncemx.block_daily, bouncemx.attempt_daily, bouncemx.complaint_daily, bouncemx.latency_daily;
SELECT is(bouncemx.roll_up_stored('2026-03-01', '2026-03-06'), 10::bigint, 'rolled up afterwards');
SELECT set_eq('SELECT * FROM bouncemx.event_hourly', 'SELECT * FROM before', 'to the same counts');
SELECT set_eq('SELECT * FROM bouncemx.complaint_daily', 'SELECT * FROM before_complaint', 'of complaints too');
SELECT set_eq('SELECT * FROM bouncemx.campaign_daily', 'SELECT * FROM before_campaign', 'of campaigns');
SELECT set_eq('SELECT * FROM bouncemx.rule_daily', 'SELECT * FROM before_rule', 'and of rules');

SELECT is(bouncemx.forget_rolled_up('2026-03-05'), 3::bigint, 'what strangers can make at will is not kept for ever');
SELECT is((SELECT count(*) FROM bouncemx.block_daily), 1::bigint, 'what blocks us is');

-- ---- erased people
INSERT INTO bouncemx.erased (address_hash, pepper_id, erased_at) VALUES (bouncemx.address_hash('gone@x.example'), 1, '2026-03-01');
SELECT is(pg_temp.put('{"n":20,"key":"gone@x.example","from":"gone@x.example","at":"2026-03-06T00:00:00Z"}', '{"n":21,"key":"here@x.example","at":"2026-03-06T00:00:00Z"}',
    '{"n":22,"key":"alias@x.example","final":"Gone@X.example","at":"2026-03-06T00:00:00Z"}'), 3::bigint, 'messages about erased people count as taken');
SELECT results_eq($$SELECT address FROM bouncemx.event WHERE received_at = '2026-03-06'$$, $$VALUES ('here@x.example')$$, 'but are dropped unread');
SELECT results_eq($$SELECT id FROM bouncemx.evidence WHERE received_at = '2026-03-06'$$, $$VALUES (pg_temp.id(21, 0))$$, 'with their bytes');
SELECT is_empty($$SELECT 1 FROM bouncemx.message m WHERE received_at = '2026-03-06' AND id <> pg_temp.id(21, 0) AND (m.*::text LIKE '%x.example%' OR rcpt_to IS NOT NULL OR mail_from IS NOT NULL)$$, 'and nothing of them stands in the row of their message');
SELECT is_empty($$SELECT 1 FROM bouncemx.suppression WHERE address_key IN ('gone@x.example', 'alias@x.example')$$, 'nor on the list');
SELECT * FROM finish();
ROLLBACK;
