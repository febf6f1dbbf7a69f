-- What people do to the list: add, remove, undo; who did it, and what stays as it was.
BEGIN;
\ir support/put.psql
SELECT plan(64);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null
SET LOCAL bouncemx.actor = 'ops';
CREATE FUNCTION pg_temp.add(address text, scope text, tenant text DEFAULT 't1', stream text DEFAULT NULL, reason text DEFAULT 'asked',
                            kind text DEFAULT 'other', until timestamptz DEFAULT NULL, at timestamptz DEFAULT '2026-04-01')
    RETURNS text LANGUAGE sql AS $$SELECT bouncemx.suppression_add(address, tenant, scope::bouncemx.suppression_scope, stream, reason,
                                                              kind::bouncemx.event_kind, until, at)$$;
CREATE FUNCTION pg_temp.remove(address text, force boolean DEFAULT false, tenant text DEFAULT NULL, scope text DEFAULT NULL, stream text DEFAULT NULL)
    RETURNS text[] LANGUAGE sql AS $$SELECT array_agg(concat_ws(' ', tenant, scope, stream, kind))
      FROM bouncemx.suppression_remove(address, tenant, scope::bouncemx.suppression_scope, stream, 'mistake', force, '2026-04-02')$$;
CREATE FUNCTION pg_temp.last_change() RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', op, address_key, scope, origin, reason, actor) FROM bouncemx.suppression_change ORDER BY id DESC LIMIT 1$$;

-- ---- add
SELECT is(pg_temp.add('Ann@X.example', 'tenant'), 'added', 'added');
SELECT results_eq($$SELECT address_key COLLATE "default", address, origin::text, state::text, kind::text, reason, actor, event_id, events, expires_at FROM bouncemx.suppression$$,
    $$VALUES ('ann@x.example', 'Ann@X.example', 'manual', 'active', 'other', 'asked', 'ops', NULL::uuid, 0::bigint, NULL::timestamptz)$$, 'as it was said');
SELECT is(pg_temp.last_change(), 'add ann@x.example tenant manual asked ops', 'and noted');
SELECT is(pg_temp.add('ann@x.example', 'tenant'), 'unchanged', 'again: nothing');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change), 1::bigint, 'is noted either');
SELECT is(pg_temp.add('ann@x.example', 'tenant', reason => 'called', until => '2026-05-01'), 'changed', 'what a person said is said anew');
SELECT results_eq('SELECT reason, expires_at FROM bouncemx.suppression', $$VALUES ('called', timestamptz '2026-05-01')$$, 'also shorter');
SELECT is(pg_temp.last_change(), 'change ann@x.example tenant manual called ops', 'which is noted');
SELECT is(current_setting('bouncemx.reason'), '', 'the reason is no later change''s');
SELECT is(pg_temp.add('ann@x.example', 'tenant', reason => 'again', at => '2026-05-01'), 'added', 'a row that ended is added anew');
SELECT is((SELECT array_agg(op::text ORDER BY id) FROM bouncemx.suppression_change), '{add,change,expire,add}', 'after its end');
SELECT is(pg_temp.add('ann@x.example', 'stream', stream => 'news', kind => 'complaint'), 'added', 'a complaint told by phone');
SELECT is(pg_temp.add('ann@x.example', 'stream', stream => 'news', kind => 'other', until => '2026-05-01'), 'unchanged', 'is not weakened');
SELECT is(pg_temp.add('ann@x.example', 'global', ''), 'added', 'for everybody');
SELECT throws_ok($$SELECT pg_temp.add('ann@x.example', 'global', 't1')$$, 'P0001', 'scope global holds for every tenant: it takes no tenant', 'global has no tenant');
SELECT throws_ok($$SELECT pg_temp.add('ann@x.example', 'tenant', stream => 's')$$, 'P0001', 'scope tenant holds for every stream: it takes no stream', 'nor tenant a stream');
SELECT throws_ok($$SELECT pg_temp.add('ann', 'tenant')$$, 'P0001', 'ann: expected an address such as user@example.com, its domain as an A-label', 'no address');
SELECT throws_ok($$SELECT pg_temp.add('a@x', 'tenant', kind => 'receipt')$$, 'P0001', 'kind receipt: expected bounce, complaint, unsubscribe or other', 'no such kind');
SELECT throws_ok($$SELECT pg_temp.add('a@x', 'tenant', until => '2026-04-01')$$, 'P0001', 'its end, 2026-04-01T00:00:00Z, is over', 'an end that is over');
INSERT INTO bouncemx.allowed (address_key, tenant) VALUES ('@seed.example', 't1');
SELECT throws_like($$SELECT pg_temp.add('me@seed.example', 'tenant')$$, 'me@seed.example: the allow-list holds it%', 'the allow-list wins');
SELECT is(pg_temp.add('me@seed.example', 'tenant', 't2'), 'added', 'of its tenant');

-- ---- what an event made
SELECT pg_temp.put('{"n":1,"key":"b@x"}', '{"n":2,"key":"d@x","category":"mailbox_disabled"}', '{"n":3,"key":"c@x","kind":"complaint","stream":"news"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.add('b@x', 'tenant'), 'unchanged', 'a row that holds for good stays');
SELECT is(pg_temp.add('d@x', 'tenant', until => '2026-05-01'), 'unchanged', 'one that holds longer too');
SELECT is(pg_temp.add('d@x', 'tenant', reason => 'gone for good'), 'changed', 'one that ends is lengthened');
SELECT results_eq($$SELECT expires_at, event_id, origin::text, category::text, reason, actor FROM bouncemx.suppression WHERE address_key = 'd@x'$$,
    $$VALUES (NULL::timestamptz, pg_temp.id(2, 1), 'event', 'mailbox_disabled', 'gone for good', 'ops')$$, 'and keeps its event and words');
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, opened_at) VALUES ('t1', '@x', '2026-02-04', '2026-02-04');
UPDATE bouncemx.suppression SET state = 'pending', held_key = '@x', held_hour = '2026-02-04' WHERE address_key = 'b@x';
SELECT is(pg_temp.add('b@x', 'tenant'), 'changed', 'one that waits is made to hold');
SELECT is(pg_temp.last_change(), 'release b@x tenant event asked ops', 'which is a release');

-- ---- remove
SELECT is(pg_temp.remove('B@x'), '{"t1 tenant  bounce"}', 'a bounce is removed');
SELECT is(pg_temp.last_change(), 'remove b@x tenant event mistake ops', 'who and why is noted');
SELECT is(current_setting('bouncemx.reason') || current_setting('bouncemx.op'), '', 'and forgotten');
SELECT is(pg_temp.remove('b@x'), NULL, 'again: nothing');
SELECT pg_temp.put('{"n":4,"key":"b@x","token":"token 1"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(4), 'repeat', 'a replay of its token');
SELECT is_empty($$SELECT FROM bouncemx.suppression WHERE address_key = 'b@x'$$, 'does not bring it back');
SELECT pg_temp.put('{"n":5,"key":"b@x"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(5), 'suppressed', 'another token does');
SELECT throws_ok($$SELECT pg_temp.remove('c@x')$$, 'P0001', 'c@x: complaint for stream news of tenant t1 is removed only with force; nothing was removed', 'a complaint needs force');
SELECT is(pg_temp.add('c@x', 'tenant'), 'added', 'beside it another row');
SELECT throws_like($$SELECT pg_temp.remove('c@x')$$, '%only with force%', 'all or nothing');
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE address_key = 'c@x'), 2::bigint, 'nothing');
SELECT is(pg_temp.remove('c@x', tenant => 't1', scope => 'tenant'), '{"t1 tenant  other"}', 'one scope');
SELECT is(pg_temp.remove('c@x', tenant => 't2', force => true), NULL, 'not of another tenant');
SELECT throws_ok($$SELECT * FROM bouncemx.suppression_remove('c@x', NULL, NULL, NULL, '', true, '2026-04-02')$$, 'P0001', 'with force a reason is needed', 'force says why');
SELECT is(pg_temp.remove('c@x', true), '{"t1 stream news complaint"}', 'with force');
SELECT is(pg_temp.last_change(), 'remove c@x stream event mistake ops', 'noted');
SELECT pg_temp.put('{"n":10,"key":"m@x","confidence":"medium","at":"2026-03-10T00:00:00Z"}', '{"n":11,"key":"m@x","confidence":"medium","at":"2026-03-12T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is('m@x t1 tenant' = ANY (pg_temp.list()), true, 'two strikes');
SELECT is(pg_temp.remove('m@x'), '{"t1 tenant  bounce"}', 'are removed');
SELECT pg_temp.put('{"n":12,"key":"m@x","confidence":"medium","at":"2026-03-14T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(12), 'strike', 'and the next one is the first again');

-- ---- undo
SELECT throws_like($$SELECT * FROM bouncemx.undo_event('01890000-0000-7000-8000-0000000f0001', 'x')$$, '%: no such event', 'undo: what is not there');
SELECT results_eq($$SELECT place, did, tenant, scope::text, stream FROM bouncemx.undo_event(pg_temp.id(5, 1), 'wrong rule', false, '2026-04-02')$$,
    $$VALUES ('suppression', 'removed', 't1', 'tenant', '')$$, 'the row that an event made goes');
SELECT is(pg_temp.effect(5), 'undone', 'the event says so');
SELECT is(pg_temp.last_change(), 'remove b@x tenant event wrong rule ops', 'the change too');
SELECT throws_like($$SELECT * FROM bouncemx.undo_event(pg_temp.id(5, 1), 'x')$$, '%: was undone already', 'once');
SELECT results_eq($$SELECT action, object, actor, detail->>'reason' FROM bouncemx.audit WHERE action = 'event.undo'$$,
    $$VALUES ('event.undo', pg_temp.id(5, 1)::text, 'ops', 'wrong rule')$$, 'audited');
SELECT throws_like($$SELECT * FROM bouncemx.undo_event(pg_temp.id(4, 1), 'x')$$, '%: did nothing to the list (repeat)', 'what did nothing');
SELECT pg_temp.put('{"n":20,"key":"e@x"}', '{"n":21,"key":"e@x"}', '{"n":22,"key":"f@x","kind":"complaint"}', '{"n":23,"key":"s@x","class":"soft","category":"mailbox_full"}',
    '{"n":24,"key":"s@x","class":"soft","category":"mailbox_full","at":"2026-03-20T00:00:00Z"}', '{"n":25,"key":"s@x","class":"soft","category":"mailbox_full","at":"2026-03-20T10:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is((SELECT did FROM bouncemx.undo_event(pg_temp.id(20, 1), 'x')), 'kept by ' || pg_temp.id(21, 1), 'another event that spoke for the row keeps it');
SELECT results_eq($$SELECT event_id, events FROM bouncemx.suppression WHERE address_key = 'e@x'$$, $$VALUES (pg_temp.id(21, 1), 1::bigint)$$, 'as its own');
SELECT is((SELECT did FROM bouncemx.undo_event(pg_temp.id(21, 1), 'x')), 'removed', 'until it is undone too');
SELECT throws_like($$SELECT * FROM bouncemx.undo_event(pg_temp.id(22, 1), 'x')$$, '%: a complaint is undone only with force', 'a complaint');
SELECT is((SELECT did FROM bouncemx.undo_event(pg_temp.id(22, 1), 'x', true)), 'removed', 'with force');
SELECT is_empty($$SELECT * FROM bouncemx.undo_event(pg_temp.id(24, 1), 'x')$$, 'of two soft bounces of a day one');
SELECT is((SELECT days FROM bouncemx.address_score WHERE address_key = 's@x'), '{2026-03-04,2026-03-20}', 'leaves the day');
SELECT is((SELECT place || ' ' || did FROM bouncemx.undo_event(pg_temp.id(25, 1), 'x')), 'score removed', 'the other');
SELECT results_eq($$SELECT days, cardinality(points), score FROM bouncemx.address_score WHERE address_key = 's@x'$$, $$VALUES ('{2026-03-04}'::date[], 1, 1.00)$$, 'takes it');
SELECT is((SELECT place || ' ' || did FROM bouncemx.undo_event(pg_temp.id(12, 1), 'x')), 'strike removed', 'a strike');
SELECT is_empty($$SELECT FROM bouncemx.strike WHERE address_key = 'm@x'$$, 'is gone');
SELECT * FROM finish();
ROLLBACK;
