BEGIN;
SELECT plan(19);

CREATE FUNCTION pg_temp.put(n integer, at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO bouncemx.message (id, received_at, node, size, truncated, kind)
    VALUES (('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || '0000')::uuid, at, 'mx1', 1, false, 'other');
    INSERT INTO bouncemx.event (id, received_at, kind, tenant, stream, node, source, verified, forwarded, trusted, class)
    VALUES (('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || '0001')::uuid, at, 'bounce', '', '', 'mx1', 'none', false, false, false, 'hard');
    INSERT INTO bouncemx.evidence (id, received_at, raw)
    VALUES (('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || '0000')::uuid, at, 'raw');
$$;

-- Before there is any partition, nothing is refused.
SELECT lives_ok($$SELECT pg_temp.put(1, '2026-03-04 05:06:07.5+00')$$, 'a row finds a place');
SELECT lives_ok($$SELECT pg_temp.put(2, '0001-01-01 00:00:00+00')$$, 'a very old row too');
SELECT lives_ok($$SELECT pg_temp.put(3, '9999-12-31 23:59:59+00')$$, 'one of the far future too');
SELECT is((SELECT count(*) FROM bouncemx.event_default), 3::bigint, 'the default partition has them');

-- 2026-03-04 is a Wednesday: its week begins on the 2nd. Whatever the session's zone.
SET LOCAL timezone = 'Pacific/Auckland';
SELECT is(bouncemx.ensure_partitions('2026-03-04 12:00:00+00', '2026-03-05 12:00:00+00'), 7,
          'one week of messages, events, sent, tokens and contents, two days of evidence');
SET LOCAL timezone = 'UTC';
SELECT is(bouncemx.ensure_partitions('2026-03-04 12:00:00+00', '2026-03-05 12:00:00+00'), 0,
          'nothing is made twice');
SELECT has_table('bouncemx', 'event_20260302', 'named after its first day');
SELECT is((SELECT count(*) FROM bouncemx.event_default), 2::bigint, 'rows of that time moved over');
SELECT is((SELECT array_agg(is_hard) FROM bouncemx.event_20260302), '{t}', 'with all their columns');
SELECT is((SELECT raw FROM bouncemx.evidence_20260304), 'raw'::bytea, 'and their evidence');
SELECT is((SELECT count(*) FROM bouncemx.message), 3::bigint, 'none was lost');

SELECT lives_ok($$SELECT pg_temp.put(4, '2026-03-08 23:59:59.999999+00')$$, 'the last instant of the week');
SELECT is((SELECT count(*) FROM bouncemx.message_20260302), 2::bigint, 'belongs to it');

-- Those by day.
INSERT INTO bouncemx.sent (day, id, recipient) VALUES ('2026-03-08', 'aaaaaaaaaaaaa', 'A@X.example'), ('2026-03-16', 'aaaaaaaaaaaaa', 'b@x');
SELECT is((SELECT address_key COLLATE "default" FROM bouncemx.sent_20260302), 'a@x.example', 'mail of the last day of the week');
SELECT bouncemx.ensure_partitions('2026-03-16 00:00:00+00', '2026-03-16 00:00:00+00') IS NULL AND NULL \g /dev/null
SELECT is((SELECT count(*) FROM bouncemx.sent_20260316), 1::bigint, 'moved over too');
SELECT throws_ok($$INSERT INTO bouncemx.sent_20260316 (day, id, recipient) VALUES ('2026-03-17', 'No base32', 'x')$$, '23514', NULL, 'with its checks');
SELECT is(bouncemx.drop_days_before('sent', '2026-03-09'), 1, 'a week whose every day is too old goes');
SELECT is(bouncemx.drop_days_before('sent', '2026-03-22'), 0, 'another stays');

SELECT throws_ok($$SELECT bouncemx.ensure_partitions('2026-01-01', '9999-01-01')$$, '22023', NULL,
                 'not without bound');
SELECT * FROM finish();
ROLLBACK;
