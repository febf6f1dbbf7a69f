-- replay_apply: events with new verdicts, and the list, scores and strikes that follow; dry, audited, again.
BEGIN;
\ir support/put.psql
SELECT plan(50);
SELECT bouncemx.ensure_partitions('2026-03-01', '2026-04-30') > 0 AND NULL \g /dev/null

-- Gives events new verdicts: {"n":1,"class":"soft","category":"mailbox_full"}; what is not given is as put() gives it.
CREATE FUNCTION pg_temp.replay(dry boolean, VARIADIC batch jsonb[]) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.changed, r.came, r.gone, r.altered, '|', r.effects) FROM (
        SELECT array_agg(pg_temp.id((b->>'n')::integer, 1) ORDER BY o) AS id, array_agg(e.received_at ORDER BY o) AS at,
               array_agg((b->>'content')::bytea ORDER BY o) AS content, array_agg(coalesce(b->>'kind', 'bounce') ORDER BY o) AS kind,
               array_agg(CASE WHEN b ? 'class' THEN b->>'class' ELSE 'hard' END ORDER BY o) AS class,
               array_agg(CASE WHEN b ? 'category' THEN b->>'category' ELSE 'bad_mailbox' END ORDER BY o) AS category,
               array_agg(coalesce(b->>'confidence', 'high') ORDER BY o) AS confidence, array_agg('new'::text) AS rule,
               array_agg('words again ' || (b->>'n') ORDER BY o) AS words, array_agg(NULL::text) AS nothing
          FROM unnest(batch) WITH ORDINALITY u (b, o) JOIN bouncemx.event e ON e.id = pg_temp.id((b->>'n')::integer, 1)) a
     CROSS JOIN LATERAL bouncemx.replay_apply(
           '01890000-0000-4000-8000-00000000000a', 'all', 'better rules', 'ann', '2026-04-01', dry, a.id, a.at, a.content, a.kind,
           a.class, a.category, a.nothing, a.confidence, a.rule, a.nothing, a.nothing, a.nothing, a.words, a.words, a.nothing,
           a.nothing, a.nothing, a.nothing) r $$;
CREATE FUNCTION pg_temp.words(key text) RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', category, rule, evidence_text, expires_at) FROM bouncemx.suppression WHERE address_key = key$$;

SELECT pg_temp.put('{"n":1,"key":"a@x.example"}', '{"n":2,"key":"b@x.example","class":"soft","category":"mailbox_full"}',
    '{"n":3,"key":"c@x.example"}', '{"n":4,"key":"d@x.example"}', '{"n":5,"key":"d@x.example"}',
    '{"n":6,"key":"e@x.example","confidence":"low"}', '{"n":7,"key":"e@x.example","confidence":"low","at":"2026-03-06T00:00:00Z"}',
    '{"n":8,"key":"f@x.example","content":"f","class":"block","category":"policy"}',
    '{"n":9,"key":"g@x.example","class":"transient","category":"greylisted"}',
    '{"n":10,"key":"h@x.example","verification":"forged","class":"soft","category":"mailbox_full"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.list(), '{a@x.example t1 tenant,c@x.example t1 tenant,d@x.example t1 tenant,e@x.example t1 tenant}', 'what stands');
CREATE TEMP TABLE was AS SELECT id, class, category, rule, effect FROM bouncemx.event;

-- ---- dry: said, not done
SELECT is(pg_temp.replay(true, '{"n":1,"class":"soft","category":"mailbox_full"}', '{"n":2}'), '2 1 1 0 | soft suppressed', 'what would come and go');
SELECT set_eq('SELECT id, class, category, rule, effect FROM bouncemx.event', 'SELECT * FROM was', 'no event changed');
SELECT is((SELECT array_agg(address_key ORDER BY 1) FROM bouncemx.suppression), '{a@x.example,c@x.example,d@x.example,e@x.example}', 'nor the list');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change WHERE op <> 'add'), 0::bigint, 'nor its changes');
SELECT is_empty($$SELECT FROM bouncemx.audit WHERE action = 'replay'$$, 'nor the audit');
SELECT is(coalesce(current_setting('bouncemx.reason', true), '') || coalesce(current_setting('bouncemx.replay', true), ''), '', 'no setting stays');

-- ---- hard to soft, soft to hard
SELECT is(pg_temp.replay(false, '{"n":1,"class":"soft","category":"mailbox_full"}', '{"n":2}'), '2 1 1 0 | soft suppressed', 'as was said');
SELECT is(pg_temp.list(), '{b@x.example t1 tenant,c@x.example t1 tenant,d@x.example t1 tenant,e@x.example t1 tenant}', 'a row went, a row came');
SELECT is((SELECT array_agg(concat_ws(', ', op, address_key, reason, actor)) FROM (SELECT * FROM bouncemx.suppression_change ORDER BY id DESC LIMIT 2) c),
    '{"add, b@x.example, replay: better rules, ann","remove, a@x.example, replay: better rules, ann"}', 'who and why');
SELECT is((SELECT days FROM bouncemx.address_score WHERE address_key = 'a@x.example'), '{2026-03-04}', 'it counts as soft');
SELECT is((SELECT days FROM bouncemx.address_score WHERE address_key = 'b@x.example'), '{}', 'the other one no more');
SELECT results_eq($$SELECT class::text, category::text, rule, diagnostic FROM bouncemx.event WHERE id = pg_temp.id(1, 1)$$,
    $$VALUES ('soft', 'mailbox_full', 'new', 'words again 1')$$, 'the event says what was read');
SELECT results_eq($$SELECT id::text, actor, action, object, detail->>'changed', detail->>'came', detail->>'gone', at FROM bouncemx.audit WHERE action = 'replay'$$,
    $$VALUES ('01890000-0000-4000-8000-00000000000a', 'ann', 'replay', 'all', '2', '1', '1', timestamptz '2026-04-01')$$, 'audited');
SELECT is(pg_temp.replay(false, '{"n":1,"class":"soft","category":"mailbox_full"}', '{"n":2}'), '2 0 0 0 | soft suppressed', 'the same again does nothing to the list');
SELECT is((SELECT score FROM bouncemx.address_score WHERE address_key = 'a@x.example'), 1::numeric, 'and counts nothing twice');
SELECT is((SELECT count(*) || ' ' || max(detail->>'changed') FROM bouncemx.audit WHERE action = 'replay'), '1 4', 'one row of a job');
SELECT is(pg_temp.replay(false, '{"n":1}', '{"n":2,"class":"soft","category":"mailbox_full"}'), '2 1 1 0 | suppressed soft', 'and back');
SELECT is((SELECT string_agg(address_key || ' ' || days::text, ' ' ORDER BY 1) FROM bouncemx.address_score), 'a@x.example {} b@x.example {2026-03-04}', 'scores too');

-- ---- the same class: the row says what its event says
SELECT is(pg_temp.replay(false, '{"n":3,"category":"mailbox_disabled"}'), '1 0 0 1 | suppressed', 'another category');
SELECT is(pg_temp.words('c@x.example'), 'mailbox_disabled new words again 3 2026-08-31 00:00:03+00', 'with its own end');
SELECT is((SELECT op || ' ' || reason || ' ' || actor FROM bouncemx.suppression_change ORDER BY id DESC LIMIT 1), 'change replay: better rules ann', 'noted');

-- ---- a row that another event makes too
SELECT is(pg_temp.effect(5), 'counted', 'd has two');
SELECT is(pg_temp.replay(false, '{"n":4,"class":"block","category":"policy"}'), '1 0 0 1 | none', 'one of them goes');
SELECT is((SELECT event_id FROM bouncemx.suppression WHERE address_key = 'd@x.example'), pg_temp.id(5, 1), 'the other one makes the row now');
SELECT is(pg_temp.effect(5), 'suppressed', 'as its effect says');
SELECT is(pg_temp.replay(false, '{"n":5,"class":"block","category":"policy"}'), '1 0 1 0 | none', 'then it goes');
SELECT pg_temp.put('{"n":15,"key":"j@x.example"}', '{"n":16,"key":"j@x.example"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.replay(false, '{"n":15,"class":"block","category":"policy"}', '{"n":16}'), '2 0 0 1 | none suppressed', 'also when both are read anew');

-- ---- strikes
SELECT is(pg_temp.effect(6) || ' ' || pg_temp.effect(7), 'suppressed counted', 'two strikes made a row');
SELECT is(pg_temp.replay(false, '{"n":6,"class":"block","category":"policy"}'), '1 0 1 0 | none', 'one strike less: the row goes');
SELECT is(pg_temp.effect(7), 'strike', 'the other one is a strike again');
SELECT is(pg_temp.replay(false, '{"n":6,"confidence":"low"}'), '1 1 0 0 | suppressed', 'and one more: it comes');
SELECT is(pg_temp.replay(false, '{"n":6}') || (SELECT event_id FROM bouncemx.suppression WHERE address_key = 'e@x.example'),
    '1 0 0 0 | suppressed' || pg_temp.id(6, 1), 'enough alone: the row stays');
SELECT is(pg_temp.replay(false, '{"n":6,"class":"block","category":"policy"}') || pg_temp.effect(7), '1 0 1 0 | nonestrike', 'and goes with it');
SELECT pg_temp.put('{"n":11,"key":"i@x.example","confidence":"low"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":12,"key":"i@x.example","confidence":"low","at":"2026-03-06T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(11) || ' ' || pg_temp.effect(12), 'strike suppressed', 'a row made by the later of two');
SELECT is(pg_temp.replay(false, '{"n":11,"class":"block","category":"policy"}') || pg_temp.effect(12), '1 0 1 0 | nonestrike', 'goes with the earlier one');
SELECT pg_temp.put('{"n":13,"key":"i@x.example","confidence":"low","at":"2026-03-08T00:00:00Z"}', '{"n":14,"key":"i@x.example","confidence":"low","at":"2026-03-10T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.replay(false, '{"n":12,"class":"block","category":"policy"}'), '1 0 0 0 | none', 'but stays where two are left');

-- ---- without a token
SELECT is(pg_temp.replay(false, '{"n":8,"content":"f"}'), '1 0 0 0 | strike', 'unsigned: a strike');
SELECT is(pg_temp.replay(false, '{"n":8,"content":"f","class":"soft","category":"mailbox_full"}'), '1 0 0 0 | soft', 'now soft');
SELECT is((SELECT count(*) FROM bouncemx.strike WHERE address_key = 'f@x.example'), 0::bigint, 'its strike is gone');
SELECT is(pg_temp.replay(false, '{"n":8,"content":"f"}'), '1 0 0 0 | strike', 'its content is its own');

-- ---- what may not act
SELECT is(pg_temp.replay(false, '{"n":10}'), '1 0 0 0 | unverified', 'forged stays forged');
UPDATE bouncemx.event SET effect = 'undone' WHERE id = pg_temp.id(9, 1);
SELECT is(pg_temp.replay(false, '{"n":9}'), '1 0 0 0 | undone', 'undone stays undone');
SELECT is(pg_temp.effect(9) || ' ' || (SELECT class FROM bouncemx.event WHERE id = pg_temp.id(9, 1)), 'undone hard', 'though its verdict is the new one');

-- ---- what a person took off
SELECT pg_temp.put('{"n":17,"key":"k@x.example"}', '{"n":18,"key":"k@x.example","class":"block","category":"policy"}') IS NULL AND NULL \g /dev/null
DELETE FROM bouncemx.suppression WHERE address_key = 'k@x.example';
SELECT is(pg_temp.replay(false, '{"n":18}'), '1 0 0 0 | undone', 'is not put on again by what came before');
SELECT is((SELECT strikes FROM bouncemx.struck WHERE address_key = 'i@x.example'), 2::bigint, 'strikes are counted down with those that go');

-- ---- a score that others made
SELECT pg_temp.put('{"n":20,"key":"s@x.example","class":"soft","category":"mailbox_full_inactive","at":"2026-03-05T01:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":21,"key":"s@x.example","class":"soft","category":"mailbox_full_inactive","at":"2026-03-12T01:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":22,"key":"s@x.example","class":"soft","category":"mailbox_full_inactive","at":"2026-03-20T01:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT is(pg_temp.effect(22), 'suppressed', 'three soft bounces made a row');
SELECT is(pg_temp.replay(false, '{"n":21,"class":"transient","category":"greylisted"}'), '1 0 1 0 | none', 'one of them less: the row goes');
SELECT is((SELECT days::text || ' ' || score FROM bouncemx.address_score WHERE address_key = 's@x.example') || pg_temp.effect(22), '{2026-03-05,2026-03-20} 4.00soft', 'and the score');

SELECT throws_ok($$SELECT bouncemx.replay_apply(NULL, 'x', 'x', 'x', now(), true, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')$$, '22004', NULL, 'a job is needed');
SELECT * FROM finish();
ROLLBACK;
