-- Each report on small exact data: counts by operator, campaign, reason, rule, words; rates; latency.
BEGIN;
\ir support/put.psql
SELECT plan(39);
SELECT bouncemx.ensure_partitions('2026-03-01', '2026-03-31') > 0 AND NULL \g /dev/null
INSERT INTO bouncemx.sent (day, id, recipient, stream, sent_at)
SELECT '2026-03-04', 'sentid' || translate(lpad(n::text, 7, '0'), '0123456789', 'abcdefghij'), 'l' || n || '@x.example', 's1', '2026-03-04 00:00:00Z' FROM generate_series(1, 100) n;
SELECT pg_temp.put('{"n":1,"key":"a@x.example","operator":"google","campaign":"c1","rule":"r1","fingerprint":11,"words":"550 no such user","status":"5.1.1","at":"2026-03-04T10:00:00Z"}',
    '{"n":2,"key":"b@x.example","operator":"google","campaign":"c1","rule":"r1","fingerprint":11,"words":"550 no such user b","status":"5.1.1","at":"2026-03-04T10:59:59Z"}',
    '{"n":3,"key":"c@x.example","operator":"google","class":"soft","category":"mailbox_full","rule":"r2","fingerprint":12,"words":"452 full","status":"4.2.2","at":"2026-03-04T11:00:00Z"}',
    '{"n":4,"key":"d@x.example","operator":"yahoo","class":"block","category":"dnsbl","rule":"r3","fingerprint":-13,"words":"554 listed","at":"2026-03-05T00:00:00Z"}',
    '{"n":5,"key":"e@x.example","operator":"yahoo","class":"transient","category":"greylisted","rule":"r4","stream":"news","campaign":"c1","at":"2026-03-05T01:00:00Z"}',
    '{"n":6,"key":"f@x.example","class":"unknown","category":"undetermined","rule":"","fingerprint":14,"words":"what?","at":"2026-03-05T02:00:00Z","verification":"unsigned","trusted":false,"campaign":"made up"}',
    '{"n":7,"key":"g@x.example","kind":"complaint","campaign":"c1","at":"2026-03-05T03:00:00Z"}',
    '{"n":8,"key":"h@x.example","kind":"delayed","class":"soft","category":"mailbox_full","operator":"google","rule":"r2","fingerprint":12,"words":"452 later","status":"4.2.2","at":"2026-03-05T04:00:00Z"}') IS NULL AND NULL \g /dev/null

-- ---- operator
PREPARE operators AS SELECT mx_operator, bounces, hard, soft, transient, block, other, complaints, suppressed, sent, bounce_rate, level FROM bouncemx.report_operator('2026-03-04', '2026-03-06', NULL);
SELECT results_eq('operators', $$VALUES ('google', 3::bigint, 2::bigint, 1::bigint, 0::bigint, 0::bigint, 0::bigint, NULL::bigint, 2::bigint, NULL::bigint, NULL::numeric, NULL),
    ('yahoo', 2, 0, 0, 1, 1, 0, NULL, 0, NULL, NULL, NULL), (NULL, 1, 0, 0, 0, 0, 1, 1, 1, NULL, NULL, NULL)$$, 'operators, without volume no rate; what complains has none');
INSERT INTO bouncemx.volume (day, tenant, stream, mx_operator, sent) VALUES
    ('2026-03-04', 't1', 's1', 'google', 60), ('2026-03-05', 't1', 's1', 'yahoo', 50), ('2026-03-05', 't1', 's1', 'icloud', 1000),
    ('2026-03-05', 't1', 's1', '', 1000), ('2026-03-05', 't2', 's1', 'google', 40), ('2026-03-05', 't1', 'news', '', 0), ('2026-03-06', 't1', 's1', 'google', 1);
PREPARE rated AS SELECT mx_operator, bounces, sent, bounce_rate, level FROM bouncemx.report_operator('2026-03-04', '2026-03-06', NULL);
SELECT results_eq('rated', $$VALUES ('google', 3::bigint, 100::bigint, 3.000::numeric, 'warn'), ('yahoo', 2, 50, 2.000, 'warn'), (NULL, 1, NULL, NULL, NULL), ('icloud', 0, 1000, 0.000, 'ok')$$,
    'rates of the days and streams that volume knows, also of operators without a bounce');
SELECT results_eq($$SELECT mx_operator, bounces, sent, bounce_rate, level FROM bouncemx.report_operator('2026-03-04 10:30Z', '2026-03-04 10:45Z', NULL)$$,
    $$VALUES ('google', 2::bigint, 60::bigint, 5.000::numeric, 'red')$$, 'an hour counts when a part of it is asked for; a rate is that of the whole day');
SELECT results_eq($$SELECT mx_operator, bounces, sent FROM bouncemx.report_operator('2026-03-04', '2026-03-06', 'news')$$, $$VALUES ('yahoo', 1::bigint, NULL::bigint)$$, 'of one stream');
SELECT set_eq($$SELECT coalesce(mx_operator, ''), bounces, hard FROM bouncemx.v_bounce_by_operator WHERE bounces > 0$$,
    $$SELECT coalesce(mx_operator, ''), count(*) AS n, count(*) FILTER (WHERE class = 'hard') AS hard FROM bouncemx.event WHERE kind = 'bounce' GROUP BY 1$$, 'as counted directly');
SELECT is(bouncemx.bounce_level(rate), level, 'bounces: ' || coalesce(rate::text, 'NULL')) FROM (VALUES (1.999, 'ok'), (2, 'warn'), (4.999, 'warn'), (5, 'red'), (NULL, NULL)) v (rate, level);
SELECT is(bouncemx.complaint_level(rate), level, 'complaints: ' || rate) FROM (VALUES (0.099, 'ok'), (0.1, 'warn'), (0.299, 'warn'), (0.3, 'red')) v (rate, level);
SELECT is(bouncemx.percent(1, 0), NULL, 'of nothing there is no share');

-- ---- campaigns
PREPARE campaigns AS SELECT tenant, stream, campaign, bounces, hard, soft, transient, block, other, complaints, suppressed, first_at, last_at FROM bouncemx.report_campaign('2026-03-04', '2026-03-06', NULL);
SELECT results_eq('campaigns', $$VALUES ('t1', 's1', NULL, 3::bigint, 0::bigint, 1::bigint, 0::bigint, 1::bigint, 1::bigint, 0::bigint, 0::bigint, timestamptz '2026-03-04 11:00Z', timestamptz '2026-03-05 02:00Z'),
    ('t1', 's1', 'c1', 2, 2, 0, 0, 0, 0, 1, 3, '2026-03-04 10:00Z', '2026-03-05 03:00Z'), ('t1', 'news', 'c1', 1, 0, 0, 1, 0, 0, 0, 0, '2026-03-05 01:00Z', '2026-03-05 01:00Z')$$, 'campaigns; what nobody proves has none');
SELECT results_eq($$SELECT campaign, bounces FROM bouncemx.report_campaign('2026-03-04 23:59:59.999999Z', '2026-03-05 00:00:00.000001Z', 'news')$$, $$VALUES ('c1', 1::bigint)$$, 'a day counts when a part of it is asked for');
SELECT is_empty($$SELECT * FROM bouncemx.report_campaign('2026-03-04', '2026-03-05', 'news')$$, 'until is not included');
SELECT set_eq($$SELECT stream, coalesce(campaign, ''), bounces, complaints FROM bouncemx.v_bounce_by_stream_campaign$$,
    $$SELECT stream, CASE WHEN verified THEN coalesce(campaign, '') ELSE '' END, count(*) FILTER (WHERE kind = 'bounce') AS b, count(*) FILTER (WHERE kind = 'complaint') AS c FROM bouncemx.event WHERE kind <> 'delayed' GROUP BY 1, 2$$, 'as counted directly');

-- ---- reasons
SELECT results_eq($$SELECT day, kind::text, class, category, events, verified, suppressed FROM bouncemx.report_reasons('2026-03-04', '2026-03-06', 's1')$$,
    $$VALUES (date '2026-03-05', 'bounce', 'block', 'dnsbl', 1::bigint, 1::bigint, 0::bigint), ('2026-03-05', 'bounce', 'unknown', 'undetermined', 1, 0, 0),
             ('2026-03-05', 'complaint', NULL, NULL, 1, 1, 1), ('2026-03-05', 'delayed', 'soft', 'mailbox_full', 1, 1, 0),
             ('2026-03-04', 'bounce', 'hard', 'bad_mailbox', 2, 2, 2), ('2026-03-04', 'bounce', 'soft', 'mailbox_full', 1, 1, 0)$$, 'reasons by day');
SELECT set_eq($$SELECT day, kind, category, events, verified FROM bouncemx.v_reason_daily$$,
    $$SELECT received_at::date, kind, category::text, count(*) AS n, count(*) FILTER (WHERE verified) AS v FROM bouncemx.event GROUP BY 1, 2, 3$$, 'as counted directly');

-- Days and the hours beside them: no hour is lost or counted twice.
SELECT is_empty($$SELECT a, b FROM generate_series(timestamptz '2026-03-04 09:30Z', '2026-03-05 05:30Z', '90 minutes') a, generate_series(timestamptz '2026-03-04 00:00Z', '2026-03-06 00:00Z', '90 minutes') b
    WHERE a < b AND (SELECT coalesce(sum(events), 0) FROM bouncemx.report_reasons(a, b, NULL))
          <> (SELECT coalesce(sum(events), 0) FROM bouncemx.event_hourly WHERE hour < b AND hour + interval '1 hour' > a)$$, 'of any time the hours that have a part in it');

-- ---- words
PREPARE words AS SELECT fingerprint, events, share, verified, mx_operator, status, category, rule, first_at, last_at, sample, event_id FROM bouncemx.report_diagnostics('2026-03-04', '2026-03-06', NULL);
SELECT results_eq('words', $$VALUES (11::bigint, 2::bigint, 33.333::numeric, 2::bigint, 'google', '5.1.1', 'bad_mailbox', 'r1', timestamptz '2026-03-04 10:00Z', timestamptz '2026-03-04 10:59:59Z', '550 no such user b', pg_temp.id(2, 1)),
    (12, 2, 33.333, 2, 'google', '4.2.2', 'mailbox_full', 'r2', '2026-03-04 11:00Z', '2026-03-05 04:00Z', '452 later', pg_temp.id(8, 1)),
    (-13, 1, 16.667, 1, 'yahoo', NULL, 'dnsbl', 'r3', '2026-03-05 00:00Z', '2026-03-05 00:00Z', '554 listed', pg_temp.id(4, 1)),
    (14, 1, 16.667, 0, NULL, NULL, 'undetermined', NULL, '2026-03-05 02:00Z', '2026-03-05 02:00Z', 'what?', pg_temp.id(6, 1))$$, 'words with share and sample');
SELECT is((SELECT sum(share) FROM bouncemx.report_diagnostics('2026-03-04', '2026-03-05', NULL)), 100.000, 'shares are those of the time');
SELECT is_empty($$SELECT * FROM bouncemx.report_diagnostics('2026-03-04', '2026-03-06', 'news')$$, 'of one stream');
SELECT results_eq($$SELECT fingerprint, events, share, sample FROM bouncemx.report_unclassified('2026-03-04', '2026-03-06', NULL)$$, $$VALUES (14::bigint, 1::bigint, 16.667::numeric, 'what?')$$, 'words without a rule: the share is that of all');
SELECT set_eq('SELECT fingerprint, events FROM bouncemx.v_top_diagnostics', 'SELECT fingerprint, count(*) FROM bouncemx.event WHERE fingerprint IS NOT NULL GROUP BY fingerprint, category', 'as counted directly');
SELECT is((SELECT count(*) FROM bouncemx.v_unclassified_top), 1::bigint, 'as a view');
DELETE FROM bouncemx.event WHERE id = pg_temp.id(6, 1);
SELECT results_eq($$SELECT sample, event_id FROM bouncemx.v_unclassified_top$$, $$VALUES (NULL::text, pg_temp.id(6, 1))$$, 'counts outlive the event that showed the words');

-- ---- rules
SELECT results_eq($$SELECT rule, category, events, verified, suppressed, share, last_at FROM bouncemx.report_rules('2026-03-04', '2026-03-06', 's1')$$,
    $$VALUES ('r1', 'bad_mailbox', 2::bigint, 2::bigint, 2::bigint, 33.333::numeric, timestamptz '2026-03-04 10:59:59Z'), ('r2', 'mailbox_full', 2, 2, 0, 33.333, '2026-03-05 04:00Z'),
             (NULL, 'undetermined', 1, 0, 0, 16.667, '2026-03-05 02:00Z'), ('r3', 'dnsbl', 1, 1, 0, 16.667, '2026-03-05 00:00Z')$$, 'rules');
SELECT is((SELECT events FROM bouncemx.v_rule_hits WHERE rule = 'r4'), 1::bigint, 'as a view');

-- ---- rates
PREPARE rates AS SELECT day, tenant, stream, mx_operator, sent, bounces, bounce_rate, bounce_level, complaints, complaint_rate, complaint_level FROM bouncemx.report_rates('2026-03-05', '2026-03-06', NULL);
SELECT results_eq('rates', $$VALUES (date '2026-03-05', 't1', 'news', NULL, 0::bigint, 1::bigint, NULL::numeric, NULL, 0::bigint, NULL::numeric, NULL),
    ('2026-03-05', 't1', 's1', NULL, 1000, 2, 0.200, 'ok', 1, 0.100, 'warn'), ('2026-03-05', 't1', 's1', 'icloud', 1000, 0, 0.000, 'ok', NULL, NULL, NULL),
    ('2026-03-05', 't1', 's1', 'yahoo', 50, 1, 2.000, 'warn', NULL, NULL, NULL), ('2026-03-05', 't2', 's1', 'google', 40, 0, 0.000, 'ok', NULL, NULL, NULL)$$, 'rates where volume is known; all together counts every operator');
SELECT results_eq($$SELECT mx_operator, bounces, bounce_rate, bounce_level FROM bouncemx.report_rates('2026-03-04 23:00Z', '2026-03-04 23:30Z', 's1')$$, $$VALUES ('google', 3::bigint, 5.000::numeric, 'red')$$, 'the whole day, when a part of it is asked for');
SELECT is((SELECT count(*) FROM bouncemx.v_complaint_rate), 7::bigint, 'a row for each of volume, and no more');

-- ---- latency
SELECT is_empty('SELECT * FROM bouncemx.v_bounce_latency', 'without table sent nothing is measured');
SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":null,"verification":"waiting","token":"l%s","token_id":"sentid%s","day":"2026-03-04","operator":"%s","at":"2026-03-04T%s:00Z"}',
        1000 + n, n, translate(lpad(n::text, 7, '0'), '0123456789', 'abcdefghij'), CASE WHEN n = 100 THEN 'yahoo' ELSE 'google' END,
        CASE WHEN n <= 50 THEN '00:01' WHEN n <= 90 THEN '00:10' WHEN n <= 99 THEN '10:00' ELSE '20:00' END)::jsonb)) IS NULL AND NULL FROM generate_series(1, 100) n \g /dev/null
SELECT results_eq('SELECT mx_operator, events, p50, p90, p99 FROM bouncemx.v_bounce_latency', $$VALUES ('google', 99::bigint, 64::bigint, 1024::bigint, 65536::bigint), ('yahoo', 1, 131072, 131072, 131072)$$, 'latency: 60 s, 600 s, 10 h, 20 h');
SELECT results_eq($$SELECT mx_operator FROM bouncemx.report_latency('2026-03-04 12:00Z', '2026-03-04 13:00Z', 's1')$$, $$VALUES ('google'), ('yahoo')$$, 'by day and stream');
SELECT is_empty($$SELECT * FROM bouncemx.report_latency('2026-03-04', '2026-03-05', 'news')$$, 'of another stream');
SELECT is_empty($$SELECT * FROM bouncemx.report_latency('2026-03-05', '2026-03-06', NULL)$$, 'of another day');
SELECT * FROM finish();
ROLLBACK;
