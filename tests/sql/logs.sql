-- Deliveries of logs: each once, however often the log is read.
BEGIN;
SELECT plan(10);
CREATE FUNCTION pg_temp.tell(log integer, before bigint, n integer, at timestamptz DEFAULT '2026-01-10 10:00') RETURNS boolean
    LANGUAGE sql AS $$
    SELECT bouncemx.log_delivered(sha256(log::text::bytea), before, at, array_agg('a' || i || '@x.example'),
                                  array_fill('t1'::text, ARRAY[n]), array_fill('s1'::text, ARRAY[n]), array_fill(at, ARRAY[n]))
      FROM generate_series(1, n) i $$;
CREATE FUNCTION pg_temp.told(log integer) RETURNS bigint LANGUAGE sql AS
    $$SELECT bouncemx.log_told_of(sha256(log::text::bytea))$$;
INSERT INTO bouncemx.breaker_hour (tenant, key, hour, turned, events) VALUES ('t1', bouncemx.breaker_key(NULL, 'a@x.example'), '2026-01-09 10:00', 1, 1);
CREATE FUNCTION pg_temp.counted() RETURNS bigint LANGUAGE sql AS
    $$SELECT coalesce(sum(delivered), 0)::bigint FROM bouncemx.breaker_hour$$;

SELECT is(pg_temp.told(1), 0::bigint, 'of a log that is not known none was told');
SELECT ok(pg_temp.tell(1, 0, 3), 'the first are told');
SELECT is(pg_temp.told(1), 3::bigint, 'and stand there');
SELECT ok(NOT pg_temp.tell(1, 0, 3), 'the same once more are not');
SELECT ok(NOT pg_temp.tell(1, 2, 3), 'nor some that begin among them');
SELECT ok(pg_temp.tell(1, 3, 2), 'those behind them are');
SELECT ok(NOT pg_temp.tell(2, 3, 2), 'a log that is not known begins with its first');
SELECT results_eq('SELECT pg_temp.told(1), pg_temp.told(2), pg_temp.counted()', 'VALUES (5::bigint, 0::bigint, 5::bigint)', 'each was told once');
SELECT ok(pg_temp.tell(3, 0, 1, '2027-02-14 10:00:01'), 'another log, 400 days later');
SELECT results_eq('SELECT pg_temp.told(1), pg_temp.told(3)', 'VALUES (0::bigint, 1::bigint)', 'lets go the one that stood still');
SELECT * FROM finish();
ROLLBACK;
