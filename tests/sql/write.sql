BEGIN;
SELECT plan(41);
\set journal '\'11111111-1111-4111-8111-111111111111\''

-- ---- lanes
SELECT results_eq($$SELECT * FROM bouncemx.lane_position_of('11111111-1111-4111-8111-111111111111', 0, 'mx1')$$,
                  $$VALUES (0::bigint, 0::bigint)$$, 'a new lane stands at its start');
SELECT ok(bouncemx.lane_move(:journal, 0, 'mx1', 0, 0, 1, 100), 'it moves on');
SELECT ok(NOT bouncemx.lane_move(:journal, 0, 'mx1', 0, 0, 1, 200), 'not from where it does not stand');
SELECT ok(NOT bouncemx.lane_move(:journal, 0, 'mx1', 1, 0, 1, 200), 'nor from another offset');
SELECT ok(NOT bouncemx.lane_move(:journal, 1, 'mx1', 0, 0, 1, 100), 'a lane nobody asked for does not move');
SELECT results_eq($$SELECT * FROM bouncemx.lane_position_of('11111111-1111-4111-8111-111111111111', 0, 'mx2')$$,
                  $$VALUES (1::bigint, 100::bigint)$$, 'asked again, it stands where it was moved to');
SELECT ok(bouncemx.lane_move(:journal, 0, 'mx2', 1, 100, 2, 0), 'a renamed node goes on');
SELECT results_eq('SELECT node, lane, segment, byte_offset FROM bouncemx.lanes()',
                  $$VALUES ('mx2', 0, 2::bigint, 0::bigint)$$, 'lanes() shows it under its new name');

-- ---- batches: one bounce a message
\ir support/put.psql
SELECT is(pg_temp.put('{"n":1,"key":"a@x","rcpt":"a@x\nb@x"}', '{"n":2,"key":"b@x","class":"soft","category":"mailbox_full"}'), 2::bigint, 'two are written');
SELECT is((SELECT count(*) FROM bouncemx.message), 2::bigint, 'two messages');
SELECT is((SELECT array_agg(rcpt_to) FROM bouncemx.message WHERE id = pg_temp.id(1, 0)), '{{a@x,b@x}}', 'recipients, one a line');
SELECT is((SELECT count(*) FROM bouncemx.evidence WHERE raw = '\x00ff'), 2::bigint, 'their bytes');
SELECT is((SELECT array_agg(is_hard ORDER BY id) FROM bouncemx.event), '{t,f}', 'their events');
SELECT results_eq('SELECT address_key COLLATE "default", tenant, scope::text, event_id, evidence_text, events FROM bouncemx.suppression',
                  $$VALUES ('a@x', 't1', 'tenant', pg_temp.id(1, 1), 'words 1', 1::bigint)$$, 'the hard one suppresses');
SELECT is(pg_temp.put('{"n":1,"key":"a@x"}', '{"n":2,"key":"b@x"}'), 0::bigint, 'again: nothing');
SELECT is((SELECT sum(events) FROM bouncemx.suppression), 1::numeric, 'and nothing is counted');
SELECT is(pg_temp.put('{"n":2,"key":"b@x"}', '{"n":3,"key":"a@x"}', '{"n":4,"key":"a@x"}'), 2::bigint, 'a part again: the rest is written');
SELECT results_eq('SELECT address_key COLLATE "default", event_id, evidence_text, events, last_event_id FROM bouncemx.suppression',
                  $$VALUES ('a@x', pg_temp.id(1, 1), 'words 1', 3::bigint, pg_temp.id(4, 1))$$, 'the first event stays, the others are counted');
SELECT is((SELECT count(*) FROM bouncemx.evidence), 4::bigint, 'no evidence twice');
SELECT is((SELECT sum(events) FROM bouncemx.token_seen), 4::numeric, 'no token twice');
SELECT is(pg_temp.put('{"n":9,"key":"c@x"}', '{"n":8,"key":"c@x"}'), 2::bigint, 'two of one address at once');
SELECT results_eq($$SELECT event_id, events, last_event_id FROM bouncemx.suppression WHERE address_key = 'c@x'$$,
                  $$VALUES (pg_temp.id(9, 1), 2::bigint, pg_temp.id(8, 1))$$, 'the first of the lane makes the row');
SELECT is(pg_temp.put('{"n":15,"key":"a@x","tenant":"t2"}'), 1::bigint, 'another tenant');
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE address_key = 'a@x'), 2::bigint, 'has a row of its own');
SELECT throws_ok($$SELECT pg_temp.put('{"n":16,"key":"g@x"}', '{"n":16,"key":"g@x"}')$$, '23505', NULL, 'the same message twice in a batch is refused');
SELECT throws_ok($$SELECT pg_temp.put('{"n":17,"key":"g@x","class":"nonsense"}')$$, '22P02', NULL, 'an unknown word is refused');
SELECT is(bouncemx.write_messages('mx1', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    0::bigint, 'an empty batch is nothing');

-- ---- what a report says beside the verdict
SELECT is(pg_temp.put(jsonb_object_agg(k, k) || '{"n":40,"key":"w@x","original_subject_hash":-5,"listed_address":"2001:db8::1","class":"block","category":"dnsbl"}'), 1::bigint, 'every fact is written')
  FROM unnest(ARRAY['envelope_id', 'arrival_date', 'source_ip', 'original_from', 'original_to', 'original_return_path', 'original_date',
                    'feedback_id', 'list_id', 'list_unsubscribe', 'cfbl_address', 'cfbl_feedback_id', 'dkim_domain',
                    'last_attempt', 'retry_until', 'final_log_id', 'blocklist', 'lookup_url']) k;
SELECT is_empty($$
    SELECT key, value FROM bouncemx.event_of(pg_temp.id(40, 1)) f, jsonb_each_text(to_jsonb(f))
     WHERE key IN ('envelope_id', 'arrival_date', 'source_ip', 'original_from', 'original_to', 'original_return_path', 'original_date',
                   'feedback_id', 'list_id', 'list_unsubscribe', 'cfbl_address', 'cfbl_feedback_id', 'dkim_domain',
                   'last_attempt', 'retry_until', 'final_log_id', 'blocklist', 'lookup_url')
       AND value IS DISTINCT FROM key$$, 'into its own column, and shown by its name');
SELECT results_eq($$SELECT original_subject_hash, listed_address FROM bouncemx.event_of(pg_temp.id(40, 1))$$, $$VALUES (-5::bigint, '2001:db8::1')$$, 'also what is no text');
SELECT results_eq($$SELECT lookup_url, final_log_id FROM bouncemx.events(1, pg_temp.id(41, 0))$$, $$VALUES ('lookup_url', 'final_log_id')$$, 'and those of the event in its list');
SELECT throws_ok($$SELECT pg_temp.put('{"n":41,"key":"w@x","listed_address":"no address"}')$$, '22P02', NULL, 'an address is one');

-- ---- set aside
CREATE FUNCTION pg_temp.aside(n integer) RETURNS boolean LANGUAGE sql AS $$
    SELECT bouncemx.set_aside_put(pg_temp.id(n, 0), '2026-03-04 00:00:00+00', 'mx1', NULL, NULL, NULL, NULL, '',
        'a@x', 10, false, '\x00ff', 'why', NULL, '11111111-1111-4111-8111-111111111111', 0, 1, n)$$;
SELECT ok(pg_temp.aside(30), 'one is set aside');
SELECT ok(NOT pg_temp.aside(30), 'only once');
SELECT is(bouncemx.set_aside_take(pg_temp.id(31, 0)), NULL, 'another is not there');
SELECT is(bouncemx.set_aside_take(pg_temp.id(30, 0)), 'mx1', 'it is taken');
SELECT is(bouncemx.set_aside_take(pg_temp.id(30, 0)), NULL, 'only once');

-- ---- what the list's rows may be
SELECT throws_ok($$UPDATE bouncemx.suppression SET scope = 'world'$$, '22P02', NULL, 'an unknown scope is refused');
SELECT lives_ok($$UPDATE bouncemx.suppression SET scope = 'stream', stream = 'news'$$, 'a stream is a scope');
SELECT throws_ok($$UPDATE bouncemx.suppression SET address_key = NULL$$, '23502', NULL, 'a row has an address');
SELECT throws_ok($$UPDATE bouncemx.lane_position SET lane = -1$$, '23514', NULL, 'lanes count from 0');
SELECT * FROM finish();
ROLLBACK;
