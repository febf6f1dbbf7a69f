-- Retention, and who keeps. Its own database; some of it has to commit.
SELECT plan(32);

SELECT bouncemx.ensure_partitions('2026-01-01', '2026-03-01') \g /dev/null
CREATE FUNCTION pg_temp.parts(parent text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(right(relname, 8), ' ' ORDER BY relname) FROM pg_class
     WHERE relname ~ ('^' || parent || '_[0-9]{8}$') AND relnamespace = 'bouncemx'::regnamespace
$$;
CREATE FUNCTION pg_temp.mail(n integer, the_time timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id uuid := ('01890000-0000-7000-8000-' || lpad(n::text, 8, '0') || '0000')::uuid;
BEGIN
    INSERT INTO bouncemx.message (id, received_at, node, size, truncated, kind) VALUES (id, the_time, 'mx1', 1, false, 'other');
    INSERT INTO bouncemx.evidence (id, received_at, raw) VALUES (id, the_time, 'x');
    INSERT INTO bouncemx.event (id, received_at, kind, tenant, stream, node, source, verified, forwarded, trusted)
    VALUES (id, the_time, 'other', 't1', '', 'mx1', 'none', false, false, false);
END $$;
CREATE FUNCTION pg_temp.forget(the_time timestamptz, evidence interval, events interval, feed interval) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    n   bigint;
    sum bigint := 0;
BEGIN
    LOOP
        n := bouncemx.forget_old(the_time, evidence, events, feed);
        EXIT WHEN n = 0;
        sum := sum + n;
    END LOOP;
    RETURN sum;
END $$;

SELECT pg_temp.mail(1, '2026-01-01'), pg_temp.mail(2, '2026-02-20'), pg_temp.mail(3, '2025-06-01'), pg_temp.mail(4, '2026-07-01') \g /dev/null
SELECT is(left(pg_temp.parts('evidence'), 17), '20260101 20260102', 'days of evidence');
SELECT is(left(pg_temp.parts('event'), 17), '20251229 20260105', 'weeks of events');

-- 2026-03-01 less 30 days is 2026-01-30.
SELECT is(bouncemx.forget_old('2026-03-01', '30 days', '400 days', '400 days'), 21::bigint, 'one table a call, 20 at most, and a stray row');
SELECT cmp_ok(pg_temp.forget('2026-03-01', '30 days', '400 days', '400 days'), '>', 0::bigint, 'until nothing is left');
SELECT is(left(pg_temp.parts('evidence'), 8), '20260130', 'the day that is 30 days old stays');
SELECT is(left(pg_temp.parts('event'), 8), '20251229', 'events stay');
SELECT is((SELECT string_agg(received_at::date::text, ' ' ORDER BY received_at) FROM bouncemx.evidence), '2026-02-20 2026-07-01',
          'old mail is gone, also that of no partition');
SELECT is((SELECT count(*) FROM bouncemx.event), 4::bigint, 'its events are there');
SELECT is(pg_temp.forget('2026-03-01', '30 days', '400 days', '400 days'), 0::bigint, 'nothing more to do');
SELECT cmp_ok(pg_temp.forget('2026-03-01', NULL, '30 days', NULL), '>', 0::bigint, 'events in turn');
SELECT is(left(pg_temp.parts('event'), 8), '20260126', 'a week stays as long as one of its days');
SELECT is((SELECT string_agg(received_at::date::text, ' ' ORDER BY received_at) FROM bouncemx.event), '2026-02-20 2026-07-01', 'old events are gone');
SELECT is((SELECT count(*) FROM bouncemx.message), 2::bigint, 'and their messages');
INSERT INTO bouncemx.complaint_daily (day, tenant, stream, reporter, user_agent, complaints, unmatched)
SELECT day, '', '', 'r.example', '', 1, 0 FROM unnest('{2026-01-29,2026-01-30}'::date[]) day;
INSERT INTO bouncemx.rule_daily VALUES ('2026-01-29', '', '', 'r', 'bad_mailbox', 1, 1, 0, '2026-01-29');
SELECT is(pg_temp.forget('2026-03-01', NULL, NULL, NULL), 0::bigint, 'roll-ups stay as long as events');
SELECT is(pg_temp.forget('2026-03-01', NULL, '30 days', NULL), 1::bigint, 'those that strangers can fill go with them');
SELECT is((SELECT string_agg(day::text, ' ') FROM bouncemx.complaint_daily), '2026-01-30', 'up to that day');
SELECT is((SELECT count(*) FROM bouncemx.rule_daily), 1::bigint, 'the others stay');
SELECT throws_ok($$SELECT bouncemx.forget_old('2026-03-01', '-1 day')$$, '22023', NULL, 'no time to come');
SELECT is(bouncemx.drop_partition('event_20260126'), true, 'a partition goes');

-- The feed and what stands behind it.
INSERT INTO bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind, events,
                                  last_event_at, origin)
SELECT n || '@x.test', 't1', 'tenant', '', n || '@x.test', '', '2026-03-04', 'bounce', 0, '2026-03-04', 'import'
  FROM generate_series(1, 6) n;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bouncemx.feed_number(100) \g /dev/null
COMMIT;
UPDATE bouncemx.feed SET numbered_at = ('2026-01-0' || number)::timestamptz WHERE number <= 4;
UPDATE bouncemx.suppression_change SET at = '2026-01-01' WHERE id <= 5;
INSERT INTO bouncemx.audit (at, action, object) VALUES ('2026-01-01', 'test', 'old'), ('2026-02-01', 'test', 'young');
DELETE FROM bouncemx.suppression WHERE address_key = '6@x.test';
UPDATE bouncemx.suppression_change SET at = '2026-01-01' WHERE op = 'remove';
SELECT is(bouncemx.forget_feed('2026-01-13', '10 days', 1), 3::bigint, 'a part');
SELECT is(bouncemx.forget_feed('2026-01-13', '10 days', 100), 2::bigint, 'and the rest');
SELECT is((SELECT string_agg(number::text, ' ' ORDER BY number) FROM bouncemx.feed), '3 4 5 6', 'old numbers went');
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM bouncemx.suppression_change), '3 4 5 6 7',
          'their changes too, but none that has a number or is to get one');
SELECT is((SELECT string_agg(object, ' ') FROM bouncemx.audit WHERE action = 'test'), 'young', 'and old audit');
SELECT throws_ok($$SELECT bouncemx.feed_after('1.1', 1)$$, 'ZF003', NULL, 'a cursor before them is refused');
SELECT lives_ok($$SELECT bouncemx.feed_after('1.2', 1)$$, 'the next one is good');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bouncemx.feed_number(100) \g /dev/null
COMMIT;
SELECT bouncemx.forget_feed(clock_timestamp() + interval '1 min', '0', 100) \g /dev/null
SELECT is((SELECT (kept_from, number)::text FROM bouncemx.feed_position(now())), '(8,7)', 'all of it may go');
SELECT lives_ok($$SELECT bouncemx.feed_after(bouncemx.feed_cursor(), 1)$$, 'a reader who has all stands well');
SELECT is((SELECT count(*) FROM bouncemx.suppression_change), 0::bigint, 'no change is left');

-- Who keeps.
SELECT ok(bouncemx.become_keeper('mx1', '2026-03-01'), 'this session becomes the keeper');
SELECT results_eq('SELECT task, node, done_at, is_there FROM bouncemx.maintenance_shown()',
                  $$VALUES ('keeper', 'mx1', '2026-03-01'::timestamptz, true)$$, 'it is told');
SELECT pg_advisory_unlock_all() \g /dev/null
SELECT bouncemx.maintained('expiry', 'mx1', '2026-03-02', 1), bouncemx.maintained('expiry', 'mx2', '2026-03-03', 5, 'no') \g /dev/null
SELECT results_eq('SELECT task, node, did, failure, is_there FROM bouncemx.maintenance_shown()',
                  $$VALUES ('keeper', 'mx1', 1::bigint, NULL, false), ('expiry', 'mx2', 5, 'no', NULL)$$, 'the last time counts');
SELECT * FROM finish();
