-- Erasure. No transaction around it: it is over only when older transactions are.
\ir support/put.psql
SELECT plan(28);
SELECT bouncemx.ensure_partitions('2026-01-01', '2026-07-01') > 0 AND NULL \g /dev/null
SET bouncemx.actor = 'dpo';

-- The person stands in every table that can name one.
SELECT pg_temp.put('{"n":1,"key":"zaphod.q@who.example","token":"b1baujmzaphod.q=who.example@rp.example","rcpt":"b1baujmZaphod.Q=who.example-abcd@rp.example","original_to":"zaphod.q@who.example","original_return_path":"x+zaphod.q=who.example@rp.example","envelope_id":"zaphod.q","list_unsubscribe":"<mailto:zaphod.q@who.example>","final":"Zaphod.Q@who.example"}',
    '{"n":2,"key":"zaphod.q@who.example","kind":"complaint","stream":"news","from":"zaphod.q@who.example","cfbl_feedback_id":"zaphod.q","feedback_id":"zaphod.q"}',
    '{"n":3,"key":"zaphod.q@who.example","content":"\\x01","at":"2026-03-10T00:00:00Z","lookup_url":"https://x/?zaphod.q@who.example"}',
    '{"n":8,"key":"zaphod.q@who.example","class":"block","category":"dnsbl","lookup_url":"https://x/?zaphod.q@who.example"}',
    '{"n":4,"key":"zaphod.q@who.example","class":"soft","category":"mailbox_full"}',
    '{"n":5,"key":"bystander@who.example","final":"zaphod.q@who.example","token":"b1baujmbystander=who.example@rp.example"}',
    '{"n":6,"key":"zaphod.q@who.example","confidence":"medium","at":"2026-05-20T00:00:00Z"}',
    '{"n":7,"key":null,"verification":"waiting","kind":"complaint","token":"token 7","token_id":"aaaaaaaaaaaaa"}') IS NULL AND NULL \g /dev/null
UPDATE bouncemx.event SET diagnostic = '550 <zaphod.q@who.example> unknown', evidence_text = 'Zaphod.Q@who.example' WHERE address_key = 'zaphod.q@who.example';
UPDATE bouncemx.event SET diagnostic = 'said <Zaphod.Q@who.example> no' WHERE address_key = 'bystander@who.example';
UPDATE bouncemx.evidence SET raw = 'To: Zaphod.Q@who.example' WHERE id IN (pg_temp.id(1, 0), pg_temp.id(5, 0));
INSERT INTO bouncemx.sent (day, id, recipient, message_id) VALUES ('2026-03-01', 'aaaaaaaaaaaaa', 'Zaphod.Q@who.example', 'zaphod.q@m'), ('2026-04-01', 'bbbbbbbbbbbbb', 'zaphod.q@who.example', NULL);
INSERT INTO bouncemx.token_flood (token, day, events, first_at, last_at, last_event_id) VALUES ('b1baujmzaphod.q=who.example@rp.example', '2026-03-01', 1, '2026-03-01', '2026-03-01', pg_temp.id(1, 1));
INSERT INTO bouncemx.allowed (address_key, reason) VALUES ('zaphod.q@who.example', 'knows zaphod.q@who.example');
DELETE FROM bouncemx.allowed;
INSERT INTO bouncemx.allowed (address_key) VALUES ('zaphod.q@who.example');
SET bouncemx.reason = 'zaphod.q@who.example asked';
UPDATE bouncemx.suppression SET reason = 'for zaphod.q@who.example' WHERE scope = 'stream' AND address_key LIKE 'zaphod%';
RESET bouncemx.reason;
INSERT INTO bouncemx.set_aside (id, received_at, node, rcpt_to, size, truncated, raw, reason, journal, lane, segment, byte_offset)
VALUES (pg_temp.id(90, 0), '2026-03-04', 'mx1', '{news@rp.example}', 9, false, 'Final-Recipient: Zaphod.Q@who.example', 'x', pg_temp.id(90, 0), 0, 1, 1),
       (pg_temp.id(91, 0), '2026-03-04', 'mx1', '{news@rp.example}', 9, false, 'somebody else', 'x', pg_temp.id(90, 0), 0, 1, 1);

-- Every row of every table of the schema, as text, that names the person: in clear or as bytes.
CREATE FUNCTION pg_temp.found() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
    n bigint;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace IN ('bouncemx'::regnamespace, 'bouncemx_private'::regnamespace) AND c.relkind = 'r' LOOP
        EXECUTE format('SELECT count(*) FROM %s x WHERE x::text ILIKE ''%%zaphod%%'' OR x::text ILIKE ''%%'' || encode(''zaphod'', ''hex'') || ''%%'' '
                       'OR x::text ILIKE ''%%'' || encode(''Zaphod'', ''hex'') || ''%%''', t) INTO n;
        IF n > 0 THEN
            RETURN NEXT regexp_replace(t::text, '^bouncemx\.|_[0-9]{8}$', '', 'g');
        END IF;
    END LOOP;
END $$;
SELECT set_has($$SELECT pg_temp.found()$$, $$VALUES ('event'), ('message'), ('evidence'), ('suppression'), ('suppression_change'), ('strike'), ('struck'),
    ('address_score'), ('token_seen'), ('token_flood'), ('sent'), ('allowed'), ('audit'), ('set_aside')$$, 'the person stands everywhere');
SELECT is((SELECT count(*) FROM bouncemx.content_seen), 1::bigint, 'in hashes too');

SELECT throws_ok($$SELECT * FROM bouncemx.erase('zaphod.q@who.example', '')$$, 'P0001', 'an erasure needs a reason', 'why');
SELECT throws_like($$SELECT * FROM bouncemx.erase_mentioned('zaphod.q@who.example', '2026-01-01', '2026-07-01')$$, '%: was not erased yet', 'in this order');
CREATE TEMP TABLE did (call integer, place text, rows bigint, complete boolean);
INSERT INTO did SELECT 1, * FROM bouncemx.erase('Zaphod.Q@Who.example', 'letter of zaphod.q@who.example', '2026-06-01', 2);
SELECT is((SELECT rows FROM did WHERE place = 'event'), 2::bigint, 'so many events a call');
SELECT is((SELECT bool_or(complete) FROM did), false, 'not over yet');
SELECT is(bouncemx.is_suppressed('zaphod.q@who.example', 'any', 'any', '2026-06-01'), true, 'suppressed from the first call on');
INSERT INTO did SELECT 2, * FROM bouncemx.erase('zaphod.q@who.example', 'again', '2026-06-01', 2);
INSERT INTO did SELECT 3, * FROM bouncemx.erase('zaphod.q@who.example', 'again', '2026-06-01', 2);
INSERT INTO did SELECT 4, * FROM bouncemx.erase('zaphod.q@who.example', 'again', '2026-06-01', 2);
INSERT INTO did SELECT 5, * FROM bouncemx.erase('zaphod.q@who.example', 'again', '2026-06-01', 2);
SELECT is((SELECT array_agg(place || ' ' || rows) FROM did WHERE call = 5), '{"erased 1"}', 'called until nothing is left');
SELECT is((SELECT complete FROM did WHERE call = 5), true, 'which is said');
SELECT is((SELECT sum(rows) FROM did WHERE place = 'event'), 7::numeric, 'every event');
SELECT is((SELECT array_agg(place || ' ' || rows ORDER BY place) FROM bouncemx.erase_mentioned('zaphod.q@who.example', '2026-01-01', '2026-07-01')), '{"event 1","evidence 1","message 1","sent 2"}', 'and where no index leads');
SELECT is_empty($$SELECT pg_temp.found()$$, 'nothing names the person any more');
SELECT is((SELECT count(*) FROM bouncemx.content_seen), 0::bigint, 'nor a hash of the address and what was said');
SELECT is_empty($$SELECT * FROM bouncemx.erase_mentioned('zaphod.q@who.example', '2026-01-01', '2026-07-01')$$, 'again: nothing');

SELECT results_eq($$SELECT min(since), max(until), bool_and(week = 1 OR since = until_before) FROM (SELECT *, lag(until) OVER (ORDER BY week) AS until_before FROM bouncemx.weeks_kept()) w$$,
    $$VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz, true)$$, 'weeks without a gap');

-- What stays.
SELECT results_eq($$SELECT address_key COLLATE "default", final_recipient, diagnostic, effect::text FROM bouncemx.event WHERE address_key IS NOT NULL$$,
    $$VALUES ('bystander@who.example', '(erased)', 'said <(erased)> no', 'suppressed')$$, 'others keep their events, without the name');
SELECT is((SELECT count(*) FROM bouncemx.event WHERE address IS NULL AND class IS NOT NULL AND effect <> 'none'), 4::bigint, 'the events stay as numbers');
SELECT is((SELECT array_agg(DISTINCT rcpt_to[1]) FROM bouncemx.message), '{@rp.example}', 'the domain of the return path too');
SELECT is((SELECT array_agg(op::text || ' ' || scope || ' ' || actor ORDER BY id) FROM bouncemx.suppression_change WHERE address_key IS NULL AND op = 'redact'), '{"redact tenant dpo","redact stream dpo","redact stream dpo"}', 'the feed says that it is to be forgotten');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change WHERE op IN ('remove', 'expire')), 0::bigint, 'not that it may be written to');
SELECT results_eq($$SELECT kind::text, erased_at FROM bouncemx.erased WHERE address_hash = bouncemx.address_hash('zaphod.q@who.example')$$, $$VALUES ('bounce', timestamptz '2026-06-01')$$, 'the keyed hash stays');
SELECT is((SELECT bouncemx.erased_of(array_agg(DISTINCT address_key)) FROM bouncemx.sent), '{t}', 'opaque tokens of its mail lead to an erased one');
SELECT results_eq($$SELECT actor, object, detail->>'reason' FROM bouncemx.audit WHERE action = 'erase'$$, $$VALUES ('dpo', encode(bouncemx.address_hash('zaphod.q@who.example'), 'hex'), 'letter of (erased)')$$, 'audited without the name');
SELECT is((SELECT count(*) FROM bouncemx.set_aside), 1::bigint, 'what others have set aside stays');

-- By hand afterwards.
SELECT is(bouncemx.suppression_add('zaphod.q@who.example', 't1', 'tenant', NULL, 'x', the_time => '2026-06-02'), 'erased', 'adding does not bring the name back');
SELECT throws_like($$SELECT * FROM bouncemx.suppression_remove('zaphod.q@who.example', NULL, NULL, NULL, 'x', false, '2026-06-02')$$, '%: was erased: only force lets it get mail again', 'taking off needs force');
SELECT is((SELECT erased FROM bouncemx.suppression_remove('zaphod.q@who.example', NULL, NULL, NULL, 'signed up again', true, '2026-06-02')), true, 'which works');
SELECT is((SELECT array_agg(complete) FROM bouncemx.erase('nobody@who.example', 'x', '2026-06-02')), '{f}', 'somebody who stands nowhere is recorded all the same');
SELECT * FROM finish();
