-- Opaque tokens: the row in sent says whose they are, before or after the event.
BEGIN;
\ir support/put.psql
SELECT plan(35);
SELECT bouncemx.ensure_partitions('2026-02-20', '2026-03-20') > 0 AND NULL \g /dev/null
CREATE FUNCTION pg_temp.waits(n integer, token_id text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.put(jsonb_build_object('n', n, 'verification', 'waiting', 'token', 'o ' || token_id, 'token_id', token_id,
                                          'trusted', false, 'key', NULL) || more)$$;

-- ---- the row stands already
INSERT INTO bouncemx.sent (day, id, recipient, tenant, stream, campaign, message_id) VALUES
    ('2026-03-01', 'aaaaaaaaaaaaa', 'First@X.example', NULL, 'offers', 'spring', 'm1@x'),
    ('2026-03-01', 'bbbbbbbbbbbbb', 'b@x', 't1', NULL, NULL, NULL),
    ('2026-03-01', 'ccccccccccccc', 'c@x', 'other', NULL, NULL, NULL),
    ('2026-03-01', 'ddddddddddddd', 'd@bücher.example', NULL, NULL, NULL, NULL),
    ('2026-03-02', 'eeeeeeeeeeeee', 'e@x', NULL, NULL, NULL, NULL);
SELECT pg_temp.waits(1, 'aaaaaaaaaaaaa') IS NULL AND NULL \g /dev/null
SELECT results_eq($$SELECT verification::text, verified, address, address_key COLLATE "default", stream, campaign, original_message_id, effect::text FROM bouncemx.event$$,
    $$VALUES ('sent', true, 'First@X.example', 'first@x.example', 'offers', 'spring', 'm1@x', 'suppressed')$$, 'an event by a row that stands');
SELECT is(pg_temp.list(), '{first@x.example t1 tenant}', 'acts');
SELECT pg_temp.waits(2, 'bbbbbbbbbbbbb', '{"final":"b@x"}') IS NULL AND NULL \g /dev/null
SELECT is((SELECT stream || capped FROM bouncemx.event WHERE id = pg_temp.id(2, 1)), 's1false', 'without a stream of its own: the domain''s');
SELECT pg_temp.waits(3, 'ccccccccccccc') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(3), 'waiting', 'a row of another tenant than the domain''s does not answer');
SELECT pg_temp.waits(4, 'ddddddddddddd') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(4), 'no_address', 'one whose domain is no A-label gives no address');
SELECT pg_temp.waits(5, 'eeeeeeeeeeeee') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(5), 'waiting', 'nor does one of another day');
SELECT pg_temp.waits(6, 'aaaaaaaaaaaaa', '{"token":"o other","final":"else@x"}') IS NULL AND NULL \g /dev/null
SELECT results_eq('SELECT forwarded, capped, effect::text FROM bouncemx.event WHERE id = pg_temp.id(6, 1)', $$VALUES (true, true, 'strike')$$, 'a report that names another address is capped');
SELECT is((SELECT count(*) FROM bouncemx.event_waiting), 2::bigint, 'two wait');
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE address_key = 'c@x'), 0::bigint, 'what waits does nothing');

-- ---- the event comes first
SELECT pg_temp.waits(10, 'fffffffffffff') IS NULL AND NULL \g /dev/null
SELECT pg_temp.waits(11, 'fffffffffffff', '{"kind":"complaint","token":"o f complaint"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.waits(12, 'ggggggggggggg', '{"kind":"delayed"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(10), 'waiting', 'a bounce waits');
SELECT is((SELECT effect FROM bouncemx.event_shown WHERE event_id = pg_temp.id(10, 1)), 'waiting: its mail does not stand in table sent yet', 'and says so');
INSERT INTO bouncemx.sent (day, id, recipient, stream, campaign) VALUES ('2026-03-01', 'fffffffffffff', 'f@x', 'news', 'c1'), ('2026-03-01', 'ggggggggggggg', 'g@x', NULL, NULL);
SELECT results_eq($$SELECT verification::text, verified, trusted, address, address_key COLLATE "default", stream, campaign, effect::text FROM bouncemx.event WHERE id IN (pg_temp.id(10, 1), pg_temp.id(11, 1)) ORDER BY id$$,
    $$VALUES ('sent', true, true, 'f@x', 'f@x', 'news', 'c1', 'suppressed'), ('sent', true, true, 'f@x', 'f@x', 'news', 'c1', 'suppressed')$$, 'when the rows come, what waited acts');
SELECT results_eq($$SELECT scope::text, stream, evidence_text FROM bouncemx.suppression WHERE address_key = 'f@x' ORDER BY 1 DESC$$, $$VALUES ('tenant', '', 'words 10'), ('stream', 'news', 'words 11')$$, 'with its words');
SELECT is((SELECT verification || ' ' || effect FROM bouncemx.event WHERE id = pg_temp.id(12, 1)), 'sent none', 'a delay has its address too');
SELECT is((SELECT count(*) FROM bouncemx.event_waiting), 2::bigint, 'nothing of it waits');
SELECT is((SELECT events FROM bouncemx.token_seen WHERE token = 'o fffffffffffff'), 1::bigint, 'what waited is counted once');
SELECT pg_temp.waits(13, 'fffffffffffff') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(13), 'repeat', 'the token is used up');
SELECT pg_temp.waits(14, 'hhhhhhhhhhhhh') IS NULL AND NULL \g /dev/null
SELECT pg_temp.waits(15, 'hhhhhhhhhhhhh') IS NULL AND NULL \g /dev/null

\copy bouncemx.sent (day, id, recipient) FROM STDIN
2026-03-01	hhhhhhhhhhhhh	h@x
2026-03-01	iiiiiiiiiiiii	i@x
\.
SELECT is(ARRAY[pg_temp.effect(14), pg_temp.effect(15)], '{suppressed,repeat}', 'COPY through the table wakes them too, one token once');

-- ---- rows that went past the trigger
SELECT pg_temp.waits(16, 'jjjjjjjjjjjjj') IS NULL AND NULL \g /dev/null
SELECT pg_temp.waits(17, 'kkkkkkkkkkkkk') IS NULL AND NULL \g /dev/null
INSERT INTO bouncemx.sent_20260223 (day, id, recipient) VALUES ('2026-03-01', 'jjjjjjjjjjjjj', 'j@x'), ('2026-03-01', 'kkkkkkkkkkkkk', 'k@x');
SELECT is(pg_temp.effect(16), 'waiting', 'straight into a partition: nobody is told');
SELECT is(bouncemx.resolve_waiting(now() + interval '1 s', 10), 0::bigint, 'the sweep looks at those since a time');
SELECT is(bouncemx.resolve_waiting(now(), 1), 1::bigint, 'so many at once');
SELECT is(bouncemx.resolve_waiting(now(), 10), 1::bigint, 'then the rest');
SELECT is(ARRAY[pg_temp.effect(16), pg_temp.effect(17)], '{suppressed,suppressed}', 'which act');
SELECT is(bouncemx.resolve_waiting('-infinity', 10), 0::bigint, 'a row of another tenant is no answer here either');

-- ---- sent_put, and what is refused
SELECT is(bouncemx.sent_put('{2026-03-01,2026-03-01}', '{lllllllllllll,aaaaaaaaaaaaa}', '{l@x,z@x}'), 1::bigint, 'sent_put passes over what stands');
SELECT is((SELECT recipient FROM bouncemx.sent WHERE id = 'aaaaaaaaaaaaa'), 'First@X.example', 'which stays as it is');
SELECT is(bouncemx.sent_put('{2026-03-01}', '{mmmmmmmmmmmmm}', '{m@x}', '{t1}', '{s}', '{c}', '{i@x}', '{2026-03-01 10:00+00}'), 1::bigint, 'with all it can say');
SELECT throws_ok($$INSERT INTO bouncemx.sent (day, id, recipient) VALUES ('2026-03-01', 'lllllllllllll', 'x@x')$$, '23505', NULL, 'a second row is refused');
SELECT throws_ok($$INSERT INTO bouncemx.sent (day, id, recipient) VALUES ('2026-03-01', 'short', 'x@x')$$, '23514', NULL, 'an id is base32 of 13 to 26');

-- ---- a flood that waits
SELECT pg_temp.waits(n, 'nnnnnnnnnnnnn') FROM generate_series(200, 224) n \g /dev/null
SELECT is((SELECT count(*) FROM bouncemx.event_waiting WHERE id = 'nnnnnnnnnnnnn'), 20::bigint, 'waits within the limit');
SELECT is((SELECT events FROM bouncemx.token_flood), 5::bigint, 'the rest is counted');

-- ---- keys
SELECT results_eq($$SELECT a, bouncemx.address_key(a) FROM unnest(ARRAY['User@Example.COM', '"a.b"@x.', '"a b"@x', 'a@b@x', 'Ä@x', 'x@bücher.example', 'no', '@x', 'a b@x', 'a@-x', 'a@x..y']) a$$,
    $$VALUES ('User@Example.COM', 'user@example.com'), ('"a.b"@x.', 'a.b@x'), ('"a b"@x', '"a b"@x'), ('a@b@x', 'a@b@x'), ('Ä@x', 'Ä@x'), ('x@bücher.example', NULL), ('no', NULL), ('@x', NULL), ('a b@x', NULL), ('a@-x', NULL), ('a@x..y', NULL)$$, 'keys of addresses');

-- ---- the sender's role
SET LOCAL client_min_messages = warning;
SELECT ok(has_function_privilege('public', 'bouncemx.address_key(text)', 'EXECUTE'), 'a sender may make keys');
SELECT ok((SELECT prosecdef FROM pg_proc WHERE proname = 'sent_arrived'), 'and needs no right on events');
SELECT is((SELECT count(*) FROM bouncemx.sent_default), 0::bigint, 'all rows have their partition');
SELECT * FROM finish();
ROLLBACK;
