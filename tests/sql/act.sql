-- What counts: verification, tokens that are used up, strikes, scopes, floods.
BEGIN;
\ir support/put.psql
SELECT plan(69);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null

-- ---- at once
SELECT is(pg_temp.put('{"n":1,"key":"a@x"}'), 1::bigint, 'a signed hard bounce is written');
SELECT is(pg_temp.effect(1), 'suppressed', 'and suppresses at once');
SELECT is(pg_temp.list(), '{a@x t1 tenant}', 'for the tenant');
SELECT is((SELECT expires_at FROM bouncemx.suppression), NULL, 'for good');
SELECT pg_temp.put('{"n":2,"key":"a@x"}', '{"n":3,"key":"a@x"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(2), 'counted', 'another token speaks for the row');
SELECT results_eq('SELECT events, event_id, last_event_id FROM bouncemx.suppression',
    'SELECT 3::bigint, pg_temp.id(1, 1), pg_temp.id(3, 1)', 'which counts them');
SELECT pg_temp.put('{"n":4,"key":"a@x","token":"token 1"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(4), 'repeat', 'the same token again does nothing');
SELECT is((SELECT events FROM bouncemx.suppression), 3::bigint, 'and is not counted');
DELETE FROM bouncemx.suppression;
SELECT pg_temp.put('{"n":5,"key":"a@x","token":"token 1"}', '{"n":6,"key":"b@x","token":"new"}', '{"n":7,"key":"b@x","token":"new"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.list(), '{b@x t1 tenant}', 'nor does it bring back what was removed');
SELECT is(pg_temp.effect(7), 'repeat', 'twice in one batch: once');
SELECT pg_temp.put('{"n":8,"key":"a@x","token":"token 1","capped":true}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(8), 'repeat', 'nor is it a strike when it comes back weaker');
SELECT results_eq($$SELECT events, hard, soft FROM bouncemx.token_seen WHERE token = 'token 1'$$,
    'SELECT 4::bigint, pg_temp.id(1, 1), NULL::uuid', 'token_seen says who used it up');

-- ---- what never acts
SELECT pg_temp.put('{"n":10,"key":"n1@x","verification":"forged"}', '{"n":11,"key":"n2@x","verification":"expired"}',
    '{"n":12,"key":"n3@x","verification":"unsigned","trusted":false}', '{"n":13,"key":"n4@x","counts":false}',
    '{"n":14,"key":"n5@x","class":"block"}', '{"n":15,"key":"n6@x","kind":"delayed"}', '{"n":16,"key":"n7@x","kind":"not_spam"}',
    '{"n":17,"key":null}', '{"n":18,"key":"n8@x","class":"soft","category":"mailbox_full"}',
    '{"n":19,"key":"n9@x","verification":"unsigned","kind":"complaint"}', '{"n":20,"key":"n10@x","verification":"unsigned","kind":"unsubscribe"}',
    '{"n":21,"key":"n11@x","kind":"auto_reply"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT pg_temp.effect(n) FROM generate_series(10, 21) n),
    '{unverified,unverified,unverified,not_counting,none,none,none,no_address,soft,unverified,unverified,none}', 'each says why it did nothing');
SELECT is(pg_temp.list(), '{b@x t1 tenant}', 'none of them is on the list');
SELECT is((SELECT count(*) FROM bouncemx.strike), 0::bigint, 'or a strike');
SELECT is((SELECT count(*) FROM bouncemx.token_seen WHERE token IS NULL OR token IN ('token 10', 'token 11')), 0::bigint, 'a forged token uses nothing up');
SELECT pg_temp.put('{"n":24,"key":"z@x","verification":"forged","token":"tz"}', '{"n":25,"key":"z@x","token":"tz"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(25), 'suppressed', 'not even when it is named');
DELETE FROM bouncemx.suppression WHERE address_key = 'z@x';
SELECT pg_temp.put('{"n":22,"key":"n8@x","token":"token 18","class":"soft"}', '{"n":23,"key":"n8@x","token":"token 18"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(22), 'repeat', 'a soft bounce uses its token up for soft ones');
SELECT is(pg_temp.effect(23), 'suppressed', 'but not for a hard one');

-- ---- strikes: of medium confidence, capped, and unsigned where the domain trusts
SELECT pg_temp.put('{"n":30,"key":"m@x","confidence":"medium","at":"2026-03-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(30), 'strike', 'medium confidence is a strike');
SELECT pg_temp.put('{"n":31,"key":"m@x","confidence":"low","at":"2026-03-10T23:59:59Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(31), 'strike', 'another in less than a day is one more');
SELECT pg_temp.put('{"n":32,"key":"m@x","confidence":"medium","token":"token 30","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(32), 'repeat', 'the same token later is none');
SELECT is(pg_temp.list(), '{b@x t1 tenant,n8@x t1 tenant}', 'not on the list yet');
SELECT pg_temp.put('{"n":33,"key":"m@x","tenant":"t2","confidence":"medium","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(33), 'strike', 'of another tenant: by itself');
SELECT pg_temp.put('{"n":34,"key":"m@x","capped":true,"at":"2026-03-11T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(34), 'suppressed', 'two a day apart suppress');
SELECT results_eq($$SELECT strikes, first_at, last_at FROM bouncemx.struck WHERE address_key = 'm@x' AND tenant = 't1'$$,
    $$VALUES (3::bigint, timestamptz '2026-03-10', timestamptz '2026-03-11')$$, 'struck counts them');
SELECT pg_temp.put('{"n":35,"key":"o@x","capped":true,"at":"2026-03-11T00:00:00Z"}', '{"n":36,"key":"o@x","capped":true,"at":"2026-05-11T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(36), 'strike', '61 days apart do not');
SELECT pg_temp.put('{"n":37,"key":"o@x","capped":true,"at":"2026-04-20T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(37), 'suppressed', 'one that comes late finds both');
SELECT pg_temp.put('{"n":40,"key":"u@x","content":"\\x01","at":"2026-03-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(40), 'strike', 'unsigned and trusted: a strike, however sure');
SELECT pg_temp.put('{"n":41,"key":"u@x","content":"\\x01","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(41), 'repeat', 'the same content is none');
SELECT pg_temp.put('{"n":42,"key":"u@x","content":"\\x02","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(42), 'suppressed', 'another one suppresses');
SELECT is((SELECT scope::text FROM bouncemx.suppression WHERE address_key = 'u@x'), 'tenant', 'for the tenant');
SELECT pg_temp.put('{"n":43,"key":"w@x","content":"\\x03","at":"2026-03-10T00:00:00Z"}', '{"n":44,"key":"w@x","content":"\\x03","at":"2026-05-09T00:00:00Z"}',
    '{"n":45,"key":"w@x","content":"\\x03","at":"2026-05-20T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(43), pg_temp.effect(44)], '{strike,repeat}', 'a content is known for 60 days');
SELECT pg_temp.put('{"n":46,"key":"w@x","content":"\\x03","at":"2026-05-21T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(46), 'strike', 'then it counts anew');
SELECT is((SELECT array_agg(at) FROM bouncemx.strike WHERE address_key = 'w@x'), ARRAY[timestamptz '2026-05-21'], 'in place of the old one');
SELECT pg_temp.put('{"n":47,"key":"v@x","verification":"unsigned","at":"2026-03-10T00:00:00Z"}', '{"n":48,"key":"v@x","verification":"unsigned","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(47), pg_temp.effect(48)], '{suppressed,counted}', 'without token and content each is one of its own');

-- ---- scopes
SELECT pg_temp.put('{"n":50,"key":"c@x","kind":"complaint","stream":"news"}', '{"n":51,"key":"c@x","kind":"unsubscribe","stream":"offers"}',
    '{"n":52,"key":"c@x","kind":"complaint","verification":"dkim","stream":""}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT x FROM unnest(pg_temp.list()) x WHERE x LIKE 'c@%'), '{c@x t1 stream:,c@x t1 stream:news,c@x t1 stream:offers}', 'complaint and unsubscribe hold for their stream');
SELECT results_eq($$SELECT suppressed, scope::text, stream FROM bouncemx.suppressed('c@x', 't1', 'news', '2026-06-01')$$, $$VALUES (true, 'stream', 'news')$$, 'asked for it');
SELECT results_eq($$SELECT suppressed, stream FROM bouncemx.suppressed('c@x', 't1', 'other', '2026-06-01')$$, $$VALUES (false, NULL)$$, 'not for another stream');
SELECT results_eq($$SELECT suppressed FROM bouncemx.suppressed('c@x', 't2', 'news', '2026-06-01')$$, $$VALUES (false)$$, 'nor for another tenant');
SELECT results_eq($$SELECT suppressed FROM bouncemx.suppressed('c@x', 't1', NULL, '2026-06-01')$$, $$VALUES (true)$$, 'asked for any');
SELECT throws_ok($$UPDATE bouncemx.suppression SET stream = 'x' WHERE scope = 'tenant'$$, '23514', NULL, 'only a stream''s row names one');

-- ---- rows that end
SELECT pg_temp.put('{"n":60,"key":"d@x","category":"mailbox_disabled","at":"2026-03-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'd@x'), timestamptz '2026-03-10' + interval '180 days', 'a disabled mailbox for 180 days');
SELECT is((SELECT suppressed FROM bouncemx.suppressed('d@x', 't1', NULL, '2026-09-05 23:59:59')), true, 'until its last instant');
SELECT is((SELECT suppressed FROM bouncemx.suppressed('d@x', 't1', NULL, '2026-09-06')), false, 'then no more');
SELECT is_empty($$SELECT * FROM bouncemx.suppression_of('d@x', '2026-09-06')$$, 'not shown either');
SELECT is(ARRAY(SELECT address_key COLLATE "default" FROM bouncemx.suppressions('t1', 100, 'c@x', '2026-09-06') WHERE address_key = 'd@x'), '{}', 'nor listed');
SELECT pg_temp.put('{"n":61,"key":"d@x","category":"mailbox_disabled","at":"2026-04-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(61), 'counted', 'a later one');
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'd@x'), timestamptz '2026-04-10' + interval '180 days', 'lengthens it');
SELECT pg_temp.put('{"n":62,"key":"d@x","at":"2026-04-01T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT expires_at, event_id, category::text, events FROM bouncemx.suppression WHERE address_key = 'd@x'$$,
    $$VALUES (NULL::timestamptz, pg_temp.id(62, 1), 'bad_mailbox', 3::bigint)$$, 'one that holds for good makes the row its own');
SELECT pg_temp.put('{"n":63,"key":"d@x","category":"mailbox_disabled","at":"2026-05-01T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'd@x'), NULL, 'and nothing shortens it');
SELECT pg_temp.put('{"n":64,"key":"f@x","category":"mailbox_disabled","at":"2025-03-10T00:00:00Z"}', '{"n":65,"key":"g@x","category":"mailbox_disabled"}', '{"n":66,"key":"g@x"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":67,"key":"f@x","category":"mailbox_disabled","at":"2026-03-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(67), 'suppressed', 'a row that had ended is made anew');
SELECT results_eq($$SELECT event_id, evidence_text FROM bouncemx.suppression WHERE address_key = 'f@x'$$, $$VALUES (pg_temp.id(67, 1), 'words 67')$$, 'with its words');
SELECT is(ARRAY[pg_temp.effect(65), pg_temp.effect(66)], '{counted,suppressed}', 'of two at once the one that holds longest makes it');

-- ---- floods
SELECT is((SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"fl@x","token":"flood@rp.example","kind":"delayed"}', n)::jsonb)) FROM generate_series(100, 117) n), 18::bigint, '18 by one token');
SELECT is((SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"fl@x","token":"flood@rp.example","kind":"%s"}', n, CASE n WHEN 125 THEN 'bounce' ELSE 'delayed' END)::jsonb)) FROM generate_series(118, 126) n), 9::bigint, 'nine more: every message is written');
SELECT is((SELECT count(*) FROM bouncemx.event WHERE token = 'flood@rp.example'), 21::bigint, 'of the events 20 are kept, and the one that acts');
SELECT is(pg_temp.effect(125), 'suppressed', 'which it does');
SELECT results_eq('SELECT token COLLATE "default", events, last_event_id FROM bouncemx.token_flood', $$VALUES ('flood@rp.example', 6::bigint, pg_temp.id(126, 1))$$, 'the others are counted');
SELECT is((SELECT events FROM bouncemx.token_seen WHERE token = 'flood@rp.example'), 27::bigint, 'none is forgotten');
SELECT is((SELECT count(*) FROM bouncemx.evidence WHERE id BETWEEN pg_temp.id(100, 0) AND pg_temp.id(126, 0)), 21::bigint, 'bytes only of those kept');
SELECT is((SELECT count(*) FROM bouncemx.message WHERE id BETWEEN pg_temp.id(100, 0) AND pg_temp.id(126, 0)), 27::bigint, 'a row for each message');
SELECT is((SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"fl@x","token":"flood@rp.example"}', n)::jsonb)) FROM generate_series(100, 126) n), 0::bigint, 'again: nothing');
SELECT is((SELECT events FROM bouncemx.token_flood), 6::bigint, 'is counted');

-- ---- forgetting
SELECT is(bouncemx.forget_used('2026-07-01') > 0, true, 'old weeks of contents go');
SELECT is((SELECT count(*) FROM bouncemx.content_seen WHERE day < '2026-04-27'), 0::bigint, 'those of more than 60 days');
SELECT is((SELECT count(*) FROM bouncemx.strike WHERE at < '2026-05-02'), 0::bigint, 'strikes too');
SELECT is((SELECT count(*) FROM bouncemx.token_seen) > 20, true, 'tokens stay');
SELECT bouncemx.forget_used('2027-06-01') IS NULL AND NULL \g /dev/null
SELECT is((SELECT count(*) FROM bouncemx.token_seen), 0::bigint, 'for 400 days');
SELECT * FROM finish();
ROLLBACK;
