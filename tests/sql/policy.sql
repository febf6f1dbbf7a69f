-- Policy: its rows, which of them decides, and what strikes do.
BEGIN;
\ir support/put.psql
\ir support/orders.psql
SELECT plan(50);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null

-- ---- the rows that come with it
SELECT results_eq(
    $$SELECT name, strikes, strikes_unsure, score::text, threshold::text, span::text, decay::text, expires::text, scope::text FROM bouncemx.policy
       ORDER BY name COLLATE "C"$$,
    $$VALUES ('complaint', 1, NULL, NULL, '5.00', '14 days', '90 days', '{}', 'stream'),
             ('hard', 1, 2, NULL, '5.00', '14 days', '90 days', '{}', 'tenant'),
             ('hard.mailbox_disabled', 1, 2, NULL, '5.00', '14 days', '90 days', '{"180 days"}', 'tenant'),
             ('soft', NULL, NULL, '0.50', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.expired', NULL, NULL, '0.50', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.mailbox_full', NULL, NULL, '1.00', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.mailbox_full_inactive', NULL, NULL, '2.00', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.mailbox_suspended', NULL, NULL, '1.00', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.recipient_refused', NULL, NULL, '1.00', '2.00', '1 day', '90 days', '{"90 days","180 days","365 days"}', 'stream'),
             ('soft.recipient_restricted', NULL, NULL, '2.00', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('soft.soft_other', NULL, NULL, '0.50', '5.00', '14 days', '90 days', '{"90 days","180 days","365 days"}', 'tenant'),
             ('unsubscribe', 1, NULL, NULL, '5.00', '14 days', '90 days', '{}', 'stream')$$, 'the rows that come with it');
SELECT is((SELECT count(*) FROM bouncemx.policy WHERE strikes_apart = '24 hours' AND strikes_within = '60 days'), 12::bigint,
          'strikes are a day to 60 apart');
CREATE FUNCTION pg_temp.named(class text, category text) RETURNS text LANGUAGE sql AS
    $$SELECT name FROM bouncemx.policy_of('bounce', class::bouncemx.bounce_class, category::bouncemx.bounce_category, 't', 's')$$;
SELECT results_eq($$SELECT c, pg_temp.named('hard', c) FROM unnest(ARRAY['bad_mailbox', 'bad_domain', 'host_no_mail', 'mailbox_moved', 'mailbox_disabled', 'bad_address_syntax']) c$$,
    $$VALUES ('bad_mailbox', 'hard'), ('bad_domain', 'hard'), ('host_no_mail', 'hard'), ('mailbox_moved', 'hard'),
             ('mailbox_disabled', 'hard.mailbox_disabled'), ('bad_address_syntax', 'hard')$$, 'hard ones');
SELECT is(ARRAY(SELECT pg_temp.named('soft', c) FROM unnest(ARRAY['mailbox_full', 'mailbox_full_inactive', 'mailbox_suspended', 'recipient_restricted', 'recipient_refused', 'expired', 'soft_other']) c),
    '{soft.mailbox_full,soft.mailbox_full_inactive,soft.mailbox_suspended,soft.recipient_restricted,soft.recipient_refused,soft.expired,soft.soft_other}', 'soft ones, each its own');
SELECT is((SELECT count(*) FROM unnest(enum_range(NULL::bouncemx.bounce_class)) c, unnest(enum_range(NULL::bouncemx.bounce_category)) g
            WHERE c NOT IN ('hard', 'soft') AND pg_temp.named(c::text, g::text) IS NOT NULL), 0::bigint, 'no other class has one, whatever the category');
SELECT is(ARRAY(SELECT k::text FROM unnest(enum_range(NULL::bouncemx.event_kind)) k WHERE EXISTS (SELECT FROM bouncemx.policy_of(k, NULL, NULL, 't', 's'))),
    '{complaint,unsubscribe}', 'nor another kind');

-- ---- which one decides
SAVEPOINT rows;
INSERT INTO bouncemx.policy (name, kind, class, category, tenant, stream) VALUES
    ('k', 'bounce', NULL, NULL, NULL, NULL), ('g', 'bounce', NULL, 'bad_mailbox', NULL, NULL), ('cg', 'bounce', 'hard', 'bad_mailbox', NULL, NULL),
    ('s', 'bounce', NULL, NULL, NULL, 's1'), ('s-c', 'bounce', 'hard', NULL, NULL, 's1'), ('t', 'bounce', NULL, NULL, 't1', NULL), ('ts', 'bounce', NULL, NULL, 't1', 's1');
CREATE FUNCTION pg_temp.which(class text, category text, tenant text, stream text) RETURNS text LANGUAGE sql AS
    $$SELECT name FROM bouncemx.policy_of('bounce', class::bouncemx.bounce_class, category::bouncemx.bounce_category, tenant, stream)$$;
SELECT is(pg_temp.which('block', 'virus', 'x', 'x'), 'k', 'one of the kind');
SELECT is(pg_temp.which('hard', 'bad_domain', 'x', 'x'), 'hard', 'a class before it');
SELECT is(pg_temp.which('soft', 'bad_mailbox', 'x', 'x'), 'g', 'a category before a class');
SELECT is(pg_temp.which('hard', 'bad_mailbox', 'x', 'x'), 'cg', 'both before one');
SELECT is(pg_temp.which('soft', 'mailbox_full', 'x', 's1'), 's', 'the stream before a category');
SELECT is(pg_temp.which('hard', 'bad_mailbox', 'x', 's1'), 's-c', 'and within the stream the class');
SELECT is(pg_temp.which('hard', 'bad_mailbox', 't1', 'x'), 't', 'the tenant before a category');
SELECT is(pg_temp.which('hard', 'bad_mailbox', 't1', 's1'), 'ts', 'tenant and stream before all');
DELETE FROM bouncemx.policy WHERE name = 'ts';
SELECT is(pg_temp.which('hard', 'bad_mailbox', 't1', 's1'), 't', 'tenant before stream');
SELECT is((SELECT name FROM bouncemx.policy_of('complaint', NULL, NULL, 't1', 's1')), 'complaint', 'complaints have their own');
SELECT throws_ok($$INSERT INTO bouncemx.policy (name, kind) VALUES ('k2', 'bounce')$$, '23505', NULL, 'two for the same events are refused');
SELECT throws_ok($$INSERT INTO bouncemx.policy (name, kind, strikes, score) VALUES ('x', 'complaint', 1, 1)$$, '23514', NULL, 'strikes and score too');
SELECT throws_ok($$INSERT INTO bouncemx.policy (name, kind, stream, strikes, expires) VALUES ('x', 'complaint', 'a', 1, '{1 day,2 days}')$$, '23514', NULL, 'and a ladder for strikes');
SELECT throws_ok($$INSERT INTO bouncemx.policy (name, kind) VALUES ('x', 'delayed')$$, '23514', NULL, 'and kinds that can not suppress');
ROLLBACK TO rows;

-- ---- who changed them
SET LOCAL bouncemx.actor = 'ann@example.com';
UPDATE bouncemx.policy SET strikes_unsure = 3 WHERE name = 'hard';
SELECT is((SELECT updated_by FROM bouncemx.policy WHERE name = 'hard'), 'ann@example.com', 'a row says who changed it');
SELECT results_eq($$SELECT actor, action, object, detail #>> '{before,strikes_unsure}', detail #>> '{after,strikes_unsure}' FROM bouncemx.audit ORDER BY at DESC LIMIT 1$$,
    $$VALUES ('ann@example.com', 'policy.update', 'hard', '2', '3')$$, 'the audit what');
RESET bouncemx.actor;

-- ---- strikes in any number
SELECT pg_temp.put('{"n":1,"key":"a@x","confidence":"medium","at":"2026-03-01T00:00:00Z"}', '{"n":2,"key":"a@x","confidence":"medium","at":"2026-03-02T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(1), pg_temp.effect(2)], '{strike,strike}', 'three are needed now: two are not enough');
SELECT pg_temp.put('{"n":3,"key":"a@x","confidence":"medium","at":"2026-03-02T12:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(3), 'strike', 'nor a third that is too near');
SELECT pg_temp.put('{"n":4,"key":"a@x","confidence":"medium","at":"2026-04-30T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(4), 'suppressed', 'one in time is, on the 60th day');
SELECT pg_temp.put('{"n":5,"key":"b@x","confidence":"medium","at":"2026-03-01T00:00:00Z"}', '{"n":6,"key":"b@x","confidence":"medium","at":"2026-04-29T00:00:00Z"}',
    '{"n":7,"key":"b@x","confidence":"medium","at":"2026-05-01T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT pg_temp.effect(n) FROM generate_series(5, 7) n), '{strike,strike,strike}', 'the first and the third may not be further apart');
SELECT pg_temp.put('{"n":8,"key":"b@x","confidence":"medium","at":"2026-04-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(8), 'suppressed', 'one between them counts with either');
SELECT is(bouncemx.strikes_meet(ARRAY(SELECT timestamptz '2026-03-01' + h * interval '1 hour' FROM unnest('{0,10,20,30,40,50}'::integer[]) h), 3, 2, '24 hours', '60 days'), true, 'two: 24 hours away is another');
SELECT is(bouncemx.strikes_meet(ARRAY(SELECT timestamptz '2026-03-01' + h * interval '1 hour' FROM unnest('{0,10,20,30,40}'::integer[]) h), 3, 3, '24 hours', '60 days'), false, 'of the middle one no two others are far enough');
SELECT is(bouncemx.strikes_meet(ARRAY(SELECT timestamptz '2026-03-01' + h * interval '1 hour' FROM unnest('{0,10,24,30,48}'::integer[]) h), 3, 3, '24 hours', '60 days'), true, 'here they are');
SELECT is(bouncemx.strikes_meet(ARRAY(SELECT timestamptz '2026-03-01' + h * interval '1 hour' FROM unnest('{0,10,24,30,48}'::integer[]) h), 3, 3, '24 hours', '47 hours'), false, 'but not near enough');
SELECT is(bouncemx.strikes_meet(ARRAY(SELECT timestamptz '2026-03-01' FROM generate_series(1, 3)), 2, 3, '0', '60 days'), true, 'no distance asked for: at once');
UPDATE bouncemx.policy SET strikes = 2, strikes_unsure = 3 WHERE name = 'hard';
SELECT pg_temp.put('{"n":10,"key":"c@x","at":"2026-03-01T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(10), 'strike', 'sure, but two are asked for');
SELECT pg_temp.put('{"n":11,"key":"c@x","capped":true,"at":"2026-03-03T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(11), 'strike', 'one sure and one not are not two sure ones');
SELECT pg_temp.put('{"n":12,"key":"c@x","at":"2026-03-05T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(12), 'suppressed', 'two sure ones are');
UPDATE bouncemx.policy SET strikes = 1, strikes_unsure = NULL WHERE name = 'hard';
SELECT pg_temp.put('{"n":13,"key":"d@x","confidence":"low"}', '{"n":14,"key":"d@x"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(13), pg_temp.effect(14)], '{none,suppressed}', 'without strikes_unsure only sure ones act');
UPDATE bouncemx.policy SET strikes_unsure = 2 WHERE name = 'hard';
UPDATE bouncemx.policy SET strikes = 2, strikes_unsure = 2 WHERE name = 'complaint';
SELECT pg_temp.put('{"n":15,"key":"e@x","kind":"complaint","stream":"news","at":"2026-03-01T00:00:00Z"}', '{"n":16,"key":"e@x","kind":"complaint","stream":"offers","at":"2026-03-03T00:00:00Z"}',
    '{"n":17,"key":"e@x","confidence":"medium","at":"2026-03-05T00:00:00Z"}', '{"n":18,"key":"e@x","kind":"complaint","stream":"news","at":"2026-03-07T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT pg_temp.effect(n) FROM generate_series(15, 18) n), '{suppressed,strike,strike,counted}', 'complaints of a stream count together, with nothing else');
SELECT is((SELECT count(*) FROM bouncemx.token_seen WHERE complaint IS NOT NULL AND strike IS NULL AND token IN ('token 15', 'token 16', 'token 18')), 3::bigint, 'and use their tokens up as complaints');
SELECT is((SELECT pg_temp.put(VARIADIC array_agg(format('{"n":%s,"key":"many@x","content":"\\x%s","at":"2026-03-01T00:00:00Z"}', n, lpad(n::text, 6, '0'))::jsonb)) FROM generate_series(1000, 1299) n), 300::bigint, 'a flood of strikes');
SELECT is((SELECT count(*) FROM bouncemx.strike WHERE address_key = 'many@x'), 100::bigint, 'a hundred are kept');
SELECT pg_temp.put('{"n":19,"key":"many@x","content":"\\xff","at":"2026-03-03T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(19), 'suppressed', 'one more meets them');

-- ---- rows of the user's own
INSERT INTO bouncemx.policy (name, kind, class, category, score, threshold, span, expires) VALUES ('loops', 'bounce', 'local', 'routing_loop', 1, 3, '14 days', '{30 days}');
SELECT pg_temp.put('{"n":20,"key":"l@x","class":"local","category":"routing_loop","at":"2026-03-01T00:00:00Z"}', '{"n":21,"key":"l@x","class":"local","category":"routing_loop","at":"2026-03-08T00:00:00Z"}',
    '{"n":22,"key":"l@x","class":"local","category":"routing_loop","at":"2026-03-15T06:00:00Z"}', '{"n":23,"key":"l2@x","class":"local","category":"relay_denied"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT pg_temp.effect(n) FROM generate_series(20, 23) n), '{suppressed,counted,counted,none}', 'any class can count');
SELECT is((SELECT expires_at FROM bouncemx.suppression WHERE address_key = 'l@x'), timestamptz '2026-04-14 06:00:00', 'for its own time');
UPDATE bouncemx.policy SET scope = 'tenant', strikes = 1 WHERE name = 'complaint';
UPDATE bouncemx.policy SET scope = 'global' WHERE name = 'unsubscribe';
SELECT pg_temp.put('{"n":24,"key":"w@x","kind":"complaint","stream":"news"}', '{"n":25,"key":"g@x","kind":"unsubscribe","stream":"news"}', '{"n":26,"key":"g@x","kind":"unsubscribe","tenant":"t2"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT x FROM unnest(pg_temp.list()) x WHERE x ~ '^[wg]@'), '{"g@x  global","w@x t1 tenant"}', 'a complaint tenant-wide, an unsubscribe for everybody');
INSERT INTO bouncemx.policy (name, kind, class, tenant) VALUES ('t3.never', 'bounce', 'hard', 't3');
SELECT pg_temp.put('{"n":27,"key":"t3@x","tenant":"t3"}', '{"n":28,"key":"t3@x"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY[pg_temp.effect(27), pg_temp.effect(28)], '{none,suppressed}', 'a row without strikes and score: never, for its tenant');
DELETE FROM bouncemx.policy WHERE kind = 'unsubscribe';
SELECT pg_temp.put('{"n":29,"key":"u@x","kind":"unsubscribe"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(29), 'none', 'no row: never');

-- ---- one stream leaves another
UPDATE bouncemx.policy SET scope = 'stream' WHERE name = 'complaint';
SELECT pg_temp.put('{"n":30,"key":"s@x","kind":"complaint","stream":"news"}') IS NULL AND NULL \g /dev/null
SELECT is(ARRAY(SELECT s.suppressed FROM unnest('{news,offers}'::text[]) o CROSS JOIN LATERAL bouncemx.suppressed('s@x', 't1', o, '2026-06-01') s ORDER BY o), '{t,f}', 'a complaint in one stream leaves another');

-- ---- any order
DELETE FROM bouncemx.suppression;
DELETE FROM bouncemx.address_score;
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":40,"key":"p@x","confidence":"medium","at":"2026-03-01T00:00:00Z"}',
    '{"n":41,"key":"p@x","confidence":"medium","category":"mailbox_disabled","at":"2026-03-03T00:00:00Z"}',
    '{"n":42,"key":"p@x","confidence":"low","category":"mailbox_disabled","at":"2026-03-03T12:00:00Z"}',
    '{"n":43,"key":"q@x","category":"mailbox_disabled","at":"2026-03-03T12:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until ever\nq@x t1 tenant: active 1 until 2026-08-30 12:00:00+00')$$,
    'strikes in any order: the one that holds for good decides');
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":50,"key":"p@x","confidence":"medium","category":"mailbox_disabled","at":"2026-03-01T00:00:00Z"}',
    '{"n":51,"key":"p@x","confidence":"medium","at":"2026-03-01T06:00:00Z"}',
    '{"n":52,"key":"p@x","confidence":"medium","category":"mailbox_disabled","at":"2026-03-02T03:00:00Z"}',
    '{"n":53,"key":"p@x","kind":"complaint","at":"2026-03-02T03:00:00Z"}')$$,
    $$VALUES (E'p@x t1 tenant: active 1 until 2026-08-29 03:00:00+00\np@x t1 stream:s1 active 1 until ever')$$,
    'but one that is too near to any does not');
UPDATE bouncemx.policy SET strikes_unsure = 3 WHERE name LIKE 'hard%';
SELECT results_eq($$SELECT * FROM pg_temp.states(
    '{"n":60,"key":"p@x","confidence":"medium","at":"2026-03-01T00:00:00Z"}',
    '{"n":61,"key":"p@x","confidence":"medium","at":"2026-03-01T12:00:00Z"}',
    '{"n":62,"key":"p@x","confidence":"medium","at":"2026-03-02T12:00:00Z"}',
    '{"n":63,"key":"p@x","confidence":"medium","at":"2026-03-03T18:00:00Z"}')$$,
    $$VALUES ('p@x t1 tenant: active 1 until ever')$$, 'three of four are enough');
SELECT * FROM finish();
ROLLBACK;
