BEGIN;
SELECT plan(37);
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
CREATE FUNCTION pg_temp.id(n integer, ordinal integer) RETURNS uuid LANGUAGE sql AS
    $$SELECT ('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || lpad(ordinal::text, 4, '0'))::uuid$$;
CREATE FUNCTION pg_temp.put(n integer[], key text[], class text[], trusted boolean[], tenant text[],
                            kind text[] DEFAULT '{bounce,bounce,bounce,bounce}')
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    k     integer := cardinality(n);
    at    timestamptz[] := (SELECT array_agg(timestamptz '2026-03-04 00:00:00+00' + x * interval '1 s' ORDER BY o) FROM unnest(n) WITH ORDINALITY u(x, o));
    mid   uuid[] := (SELECT array_agg(pg_temp.id(x, 0) ORDER BY o) FROM unnest(n) WITH ORDINALITY u(x, o));
    eid   uuid[] := (SELECT array_agg(pg_temp.id(x, 1) ORDER BY o) FROM unnest(n) WITH ORDINALITY u(x, o));
    nul   text[] := array_fill(NULL::text, ARRAY[k]);
    empty text[] := array_fill(''::text, ARRAY[k]);
    no    boolean[] := array_fill(false, ARRAY[k]);
    numbered text[] := (SELECT array_agg('words ' || x ORDER BY o) FROM unnest(n) WITH ORDINALITY u(x, o));
BEGIN
    RETURN bouncemx.write_messages('mx1',
        mid, at, nul, nul, nul, nul, empty, array_fill(E'a@x\nb@x'::text, ARRAY[k]),
        array_fill(10::bigint, ARRAY[k]), no, kind[1:k], nul, nul, nul, nul, nul, nul,
        array_fill('\x00ff'::bytea, ARRAY[k]),
        eid, at, kind[1:k], tenant, empty, key, key, nul, array_fill('final_recipient'::text, ARRAY[k]),
        no, no, trusted, class,
        (SELECT array_agg(CASE c WHEN 'hard' THEN 'bad_mailbox' WHEN 'soft' THEN 'mailbox_full' END) FROM unnest(class) c),
        nul, nul, nul, nul, nul, nul, array_fill(NULL::smallint, ARRAY[k]), numbered, numbered,
        array_fill(NULL::bigint, ARRAY[k]), nul, nul, nul, nul);
END $$;

SELECT is(pg_temp.put('{1,2}', '{a@x,b@x}', '{hard,soft}', '{t,t}', '{t1,t1}'), 2::bigint, 'two are written');
SELECT is((SELECT count(*) FROM bouncemx.message), 2::bigint, 'two messages');
SELECT is((SELECT array_agg(rcpt_to) FROM bouncemx.message WHERE id = pg_temp.id(1, 0)), '{{a@x,b@x}}', 'recipients, one a line');
SELECT is((SELECT count(*) FROM bouncemx.evidence WHERE raw = '\x00ff'), 2::bigint, 'their bytes');
SELECT is((SELECT array_agg(is_hard ORDER BY id) FROM bouncemx.event), '{t,f}', 'their events');
SELECT results_eq('SELECT address_key COLLATE "default", tenant, scope, event_id, evidence_text, events FROM bouncemx.suppression',
                  $$VALUES ('a@x', 't1', 'tenant', pg_temp.id(1, 1), 'words 1', 1::bigint)$$, 'the hard one suppresses');
SELECT is(pg_temp.put('{1,2}', '{a@x,b@x}', '{hard,hard}', '{t,t}', '{t1,t1}'), 0::bigint, 'again: nothing');
SELECT is((SELECT sum(events) FROM bouncemx.suppression), 1::numeric, 'and nothing is counted');
SELECT is(pg_temp.put('{2,3,4}', '{b@x,a@x,a@x}', '{hard,hard,hard}', '{t,t,t}', '{t1,t1,t1}'), 2::bigint, 'a part again: the rest is written');
SELECT results_eq('SELECT address_key COLLATE "default", event_id, evidence_text, events, last_event_id FROM bouncemx.suppression',
                  $$VALUES ('a@x', pg_temp.id(1, 1), 'words 1', 3::bigint, pg_temp.id(4, 1))$$, 'the first event stays, the others are counted');
SELECT is((SELECT count(*) FROM bouncemx.evidence), 4::bigint, 'no evidence twice');
SELECT is(pg_temp.put('{9,8}', '{c@x,c@x}', '{hard,hard}', '{t,t}', '{t1,t1}'), 2::bigint, 'two of one address at once');
SELECT results_eq($$SELECT event_id, events, last_event_id FROM bouncemx.suppression WHERE address_key = 'c@x'$$,
                  $$VALUES (pg_temp.id(9, 1), 2::bigint, pg_temp.id(8, 1))$$, 'the first of the lane makes the row');
SELECT is(pg_temp.put('{11,12,13,14}', '{d@x,NULL,e@x,f@x}', '{hard,hard,hard,NULL}', '{f,t,t,t}', '{t1,t1,t1,t1}', '{bounce,bounce,delayed,complaint}'),
          4::bigint, 'untrusted, nobody''s, no bounce');
SELECT is((SELECT count(*) FROM bouncemx.suppression), 2::bigint, 'suppress nobody');
SELECT is(pg_temp.put('{15}', '{a@x}', '{hard}', '{t}', '{t2}'), 1::bigint, 'another tenant');
SELECT is((SELECT count(*) FROM bouncemx.suppression WHERE address_key = 'a@x'), 2::bigint, 'has a row of its own');
SELECT is(pg_temp.put('{16,16}', '{g@x,g@x}', '{hard,hard}', '{t,t}', '{t1,t1}'), NULL, 'never reached')
 WHERE false;
SELECT throws_ok($$SELECT pg_temp.put('{16,16}', '{g@x,g@x}', '{hard,hard}', '{t,t}', '{t1,t1}')$$, '23505', NULL, 'the same message twice in a batch is refused');
SELECT throws_ok($$SELECT pg_temp.put('{17}', '{g@x}', '{nonsense}', '{t}', '{t1}')$$, '22P02', NULL, 'an unknown word is refused');
SELECT is(bouncemx.write_messages('mx1', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    0::bigint, 'an empty batch is nothing');

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
SELECT throws_ok($$UPDATE bouncemx.suppression SET scope = 'world'$$, '23514', NULL, 'an unknown scope is refused');
SELECT lives_ok($$UPDATE bouncemx.suppression SET scope = 'stream:news'$$, 'a stream is a scope');
SELECT throws_ok($$UPDATE bouncemx.suppression SET address_key = NULL$$, '23502', NULL, 'a row has an address');
SELECT throws_ok($$UPDATE bouncemx.lane_position SET lane = -1$$, '23514', NULL, 'lanes count from 0');
SELECT * FROM finish();
ROLLBACK;
