-- Reports: since is included, until is not.
BEGIN;
\ir support/put.psql
SELECT plan(13);
SELECT pg_temp.put('{"n":1,"key":"a@x","verification":"forged","client":"192.0.2.1","at":"2026-03-04T00:00:00Z"}', '{"n":2,"key":"b@x","verification":"forged","client":"192.0.2.1","at":"2026-03-04T10:00:00Z"}',
    '{"n":3,"key":"b@x","verification":"expired","kind":"complaint","client":"192.0.2.1","rcpt":"x@RP2.example","at":"2026-03-04T11:00:00Z","stream":"news"}',
    '{"n":4,"key":"b@x","verification":"unsigned","trusted":false,"client":"192.0.2.2","at":"2026-03-05T00:00:00Z"}',
    '{"n":5,"key":"b@x","verification":"unsigned","trusted":true,"at":"2026-03-05T00:00:00Z"}',
    '{"n":6,"key":"b@x","verification":"unsigned","trusted":false,"class":"soft","at":"2026-03-06T00:00:00Z"}',
    '{"n":7,"key":"b@x","verification":"unsigned","trusted":false,"class":"block","at":"2026-03-05T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT day, client_address, domain, kind::text, attempt, count, event_id FROM bouncemx.report_forged('2026-03-04', '2026-03-06', NULL)$$,
    $$VALUES (date '2026-03-05', '192.0.2.2', 'rp.example', 'bounce', 'unsigned', 1::bigint, pg_temp.id(4, 1)),
             ('2026-03-04', '192.0.2.1', 'rp.example', 'bounce', 'forged', 2, pg_temp.id(2, 1)),
             ('2026-03-04', '192.0.2.1', 'rp2.example', 'complaint', 'expired', 1, pg_temp.id(3, 1))$$, 'attempts, by day and client');
SELECT is((SELECT sum(count) FROM bouncemx.report_forged('2026-03-04', '2026-03-06 00:00:01', NULL)), 5::numeric, 'until is not included');
SELECT results_eq($$SELECT attempt FROM bouncemx.report_forged('2026-03-04', '2026-03-06', 'news')$$, $$VALUES ('expired')$$, 'of one stream');
SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"f@x","token":"t@rp3.example","kind":"delayed","at":"2026-03-04T00:00:00Z"}', n)::jsonb)) IS NULL AND NULL FROM generate_series(100, 124) n \g /dev/null
SELECT results_eq($$SELECT domain, count FROM bouncemx.report_forged('2026-03-04', '2026-03-05', NULL) WHERE attempt = 'flood'$$, $$VALUES ('rp3.example', 5::bigint)$$, 'a token that floods');
SELECT is_empty($$SELECT 1 FROM bouncemx.report_forged('2026-03-04', '2026-03-05', 'news') WHERE attempt = 'flood'$$, 'which belongs to no stream');

SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"kind":"complaint","key":%s,"verification":"%s","from":"fbl@%s.example","agent":"UA","at":"2026-03-10T%s:00:00Z"}',
        n, CASE WHEN n % 4 = 0 THEN '"c@x"' ELSE 'null' END, CASE WHEN n % 4 = 0 THEN 'dkim' ELSE 'unsigned' END, CASE WHEN n < 220 THEN 'big' ELSE 'small' END, lpad((n % 10)::text, 2, '0'))::jsonb))
       IS NULL AND NULL FROM generate_series(200, 227) n \g /dev/null
SELECT results_eq($$SELECT day, reporter, user_agent, complaints, unmatched, percent, alarm FROM bouncemx.report_unmatched('2026-03-10', '2026-03-11', NULL)$$,
    $$VALUES (date '2026-03-10', 'big.example', 'UA', 20::bigint, 15::bigint, 75, true), ('2026-03-10', 'small.example', 'UA', 8, 6, 75, false)$$, 'complaints that nothing identifies, with the alarm');
SELECT is(bouncemx.unmatched('2026-03-10', '2026-03-11'), 21::bigint, 'their number, for status');
SELECT is(bouncemx.unmatched('2026-03-11', '2026-03-12'), 0::bigint, 'of that time only');
SELECT is_empty($$SELECT * FROM bouncemx.report_unmatched('2026-03-10', '2026-03-11', 'news')$$, 'of one stream');
SELECT pg_temp.put('{"n":300,"kind":"complaint","key":"c@x","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is_empty($$SELECT * FROM bouncemx.report_unmatched('2026-03-12', '2026-03-13', NULL)$$, 'one by a token is matched');

SELECT pg_temp.put('{"n":400,"key":"a@x","class":"block","category":"dnsbl","listed_address":"192.0.2.9","blocklist":"bl.example","lookup_url":"https://bl.example/192.0.2.9","operator":"google","at":"2026-03-20T00:00:00Z"}',
    '{"n":401,"key":"b@x","class":"block","category":"dnsbl","listed_address":"192.0.2.9","blocklist":"bl.example","lookup_url":"https://bl.example/192.0.2.9","operator":"google","verification":"unsigned","trusted":false,"at":"2026-03-20T10:00:00Z"}',
    '{"n":402,"key":"c@x","class":"block","category":"policy","stream":"news","at":"2026-03-20T11:00:00Z"}',
    '{"n":403,"key":"d@x","at":"2026-03-20T12:00:00Z"}',
    '{"n":404,"key":"e@x","class":"block","category":"policy","at":"2026-03-21T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT day, listed_address, blocklist, lookup_url, mx_operator, category::text, count, verified, first_at, last_at, event_id FROM bouncemx.report_blocks('2026-03-20', '2026-03-21', NULL)$$,
    $$VALUES (date '2026-03-20', '192.0.2.9', 'bl.example', 'https://bl.example/192.0.2.9', 'google', 'dnsbl', 2::bigint, 1::bigint, timestamptz '2026-03-20 00:00:00+00', timestamptz '2026-03-20 10:00:00+00', pg_temp.id(401, 1)),
             ('2026-03-20', NULL, NULL, NULL, NULL, 'policy', 1, 1, '2026-03-20 11:00:00+00', '2026-03-20 11:00:00+00', pg_temp.id(402, 1))$$, 'blocks, by what they name; until is not included');
SELECT results_eq($$SELECT category::text FROM bouncemx.report_blocks('2026-03-20', '2026-03-22', 'news')$$, $$VALUES ('policy')$$, 'of one stream');
SELECT results_eq($$SELECT day, count FROM bouncemx.v_block_events WHERE day >= '2026-03-20' ORDER BY day DESC, count DESC$$,
    $$VALUES (date '2026-03-21', 1::bigint), ('2026-03-20', 2), ('2026-03-20', 1)$$, 'of all time, as a view');
SELECT * FROM finish();
ROLLBACK;
