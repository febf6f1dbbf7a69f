-- What another policy would have done, held to what act() does with the same events.
BEGIN;
\ir support/put.psql
SELECT plan(19);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-12-01') > 0 AND NULL \g /dev/null
SELECT pg_temp.put('{"n":1,"key":"hard@x","at":"2026-02-01T00:00:00Z"}',
    '{"n":2,"key":"unsure@x","confidence":"medium","at":"2026-02-01T00:00:00Z"}',
    '{"n":4,"key":"once@x","confidence":"medium","at":"2026-02-01T00:00:00Z"}',
    '{"n":5,"key":"off@x","category":"mailbox_disabled","at":"2026-02-01T00:00:00Z"}',
    '{"n":6,"key":"loud@x","kind":"complaint","stream":"news","at":"2026-02-05T00:00:00Z"}',
    '{"n":7,"key":"forged@x","verification":"forged","at":"2026-02-01T00:00:00Z"}',
    '{"n":8,"key":"twice@x","token":"same","confidence":"medium","at":"2026-02-01T00:00:00Z"}', '{"n":9,"key":"twice@x","token":"same","confidence":"medium","at":"2026-02-05T00:00:00Z"}',
    '{"n":10,"key":"block@x","class":"block","category":"policy","at":"2026-02-01T00:00:00Z"}') IS NULL AND NULL \g /dev/null
SELECT pg_temp.put('{"n":3,"key":"unsure@x","confidence":"medium","at":"2026-02-03T00:00:00Z"}') IS NULL AND NULL \g /dev/null
-- A full mailbox, each fourth day: the fifth is on the 17th, 16 days after the first.
SELECT pg_temp.put(format('{"n":%s,"key":"full@x","class":"soft","category":"mailbox_full","at":"%s"}',
        100 + n, timestamptz '2026-02-01 00:00:00Z' + n * interval '4 days')::jsonb) IS NULL AND NULL FROM generate_series(0, 4) n \g /dev/null

SELECT results_eq($$SELECT address_key, tenant, scope::text, stream, event_id, holds_until FROM bouncemx.policy_run(ARRAY(SELECT p FROM bouncemx.policy p), '2026-01-01', '2026-12-01') ORDER BY 1$$,
    $$SELECT address_key COLLATE "default", tenant, scope::text, stream, event_id, coalesce(expires_at, 'infinity') FROM bouncemx.suppression ORDER BY 1$$, 'the policy that stands, run again, comes to the list that stands');
SELECT is((SELECT count(*) FROM bouncemx.suppression), 5::bigint, 'which is no empty one');
SELECT is_empty($$SELECT * FROM bouncemx.policy_preview(bouncemx.policy_with('{}'), '2026-01-01', '2026-12-01')$$, 'no change, no difference');
SELECT results_eq($$SELECT outcome, address_key, now_policy, then_policy, then_at FROM bouncemx.policy_preview(bouncemx.policy_with('{"hard": {"strikes_unsure": null}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('spared', 'unsure@x', 'hard', NULL, NULL::timestamptz)$$, 'who would be spared');
SELECT results_eq($$SELECT outcome, address_key, then_policy, then_at FROM bouncemx.policy_preview(bouncemx.policy_with('{"all": {"kind": "bounce", "category": "policy", "strikes": 1, "strikes_unsure": 2}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('added', 'block@x', 'all', '2026-02-01 00:00:00Z'::timestamptz)$$, 'a row that does not stand yet');
SELECT results_eq($$SELECT outcome, address_key, now_at, then_at FROM bouncemx.policy_preview(bouncemx.policy_with('{"soft.mailbox_full": {"threshold": 3, "span": "7 days"}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('earlier', 'full@x', '2026-02-17 00:00:00Z'::timestamptz, '2026-02-09 00:00:00Z'::timestamptz)$$, 'a lower threshold');
SELECT is_empty($$SELECT * FROM bouncemx.policy_preview(bouncemx.policy_with('{"soft.mailbox_full": {"decay": "5 days"}}'), '2026-01-01', '2026-12-01')$$, 'days that are near enough still count together');
SELECT results_eq($$SELECT outcome, address_key FROM bouncemx.policy_preview(bouncemx.policy_with('{"soft.mailbox_full": {"decay": "4 days"}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('spared', 'full@x')$$, 'or not');
SELECT results_eq($$SELECT outcome, address_key, now_until, then_until FROM bouncemx.policy_preview(bouncemx.policy_with('{"hard.mailbox_disabled": {"expires": ["10 days"]}, "soft.mailbox_full": {"expires": []}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('longer', 'full@x', '2026-05-18 00:00:00Z'::timestamptz, 'infinity'::timestamptz), ('shorter', 'off@x', '2026-07-31 00:00:00Z', '2026-02-11 00:00:00Z')$$, 'how long');
SELECT results_eq($$SELECT outcome, address_key, scope::text, stream FROM bouncemx.policy_preview(bouncemx.policy_with('{"complaint": {"scope": "tenant"}}'), '2026-01-01', '2026-12-01') ORDER BY 1$$,
    $$VALUES ('added', 'loud@x', 'tenant', ''), ('spared', 'loud@x', 'stream', 'news')$$, 'how wide');
SELECT results_eq($$SELECT outcome, address_key FROM bouncemx.policy_preview(bouncemx.policy_with('{"unsubscribe": null, "complaint": null}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('spared', 'loud@x')$$, 'a row left out');
SELECT results_eq($$SELECT outcome, address_key, then_at FROM bouncemx.policy_preview(bouncemx.policy_with('{"hard": {"strikes": 2, "strikes_unsure": 3}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('spared', 'hard@x', NULL::timestamptz), ('spared', 'unsure@x', NULL)$$, 'more strikes');
SELECT results_eq($$SELECT outcome, address_key FROM bouncemx.policy_preview(bouncemx.policy_with('{"of_t1": {"kind": "bounce", "class": "hard", "tenant": "t1"}}'), '2026-01-01', '2026-12-01')$$,
    $$VALUES ('spared', 'hard@x'), ('spared', 'off@x'), ('spared', 'unsure@x')$$, 'a tenant''s row comes before one of a category');
SELECT results_eq($$SELECT address_key FROM bouncemx.policy_run(bouncemx.policy_with('{}'), '2026-02-02', '2026-02-06')$$, $$VALUES ('loud@x')$$, 'of a time alone');
SELECT bouncemx.allow('hard@x', NULL, 'ours', '2026-06-01') IS NULL AND NULL \g /dev/null
SELECT is_empty($$SELECT 1 FROM bouncemx.policy_run(bouncemx.policy_with('{}'), '2026-01-01', '2026-12-01') WHERE address_key = 'hard@x'$$, 'the allow-list wins here too');
SELECT is((SELECT count(*) FROM bouncemx.policy), 12::bigint, 'nothing was written');
SELECT throws_ok($$SELECT bouncemx.policy_with('{"soft": {"treshold": 4}}')$$, '22023', 'soft.treshold: expected a column of bouncemx.policy', 'a word that is none');
SELECT throws_ok($$SELECT bouncemx.policy_with('[]')$$, '22023', NULL, 'no object');
SELECT throws_ok($$SELECT bouncemx.policy_with('{"soft": {"span": "soon"}}')$$, '22007', NULL, 'no interval');
SELECT * FROM finish();
ROLLBACK;
