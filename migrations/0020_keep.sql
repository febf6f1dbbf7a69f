-- Keeping: what is dropped when it is old, who does it, and when it was last done.

-- ---- what is old -------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.drop_partition(child text) RETURNS boolean
    LANGUAGE plpgsql
    -- Everybody who comes after us waits behind us: not for long, then.
    SET lock_timeout = '500ms' AS $$
BEGIN
    EXECUTE format('DROP TABLE bouncemx.%I', child);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION bouncemx.drop_partition(text) IS 'Drops a partition; false, and it stays, when somebody reads or writes its table for half a second.';

CREATE FUNCTION bouncemx.drop_before(parent text, days integer, first_kept date) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    child   text;
    dropped integer := 0;
BEGIN
    -- A name ends with the first of its days.
    FOR child IN
        SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = format('bouncemx.%I', parent)::regclass AND c.relname ~ '_[0-9]{8}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') + days <= first_kept
         ORDER BY c.relname LIMIT 20 LOOP
        EXIT WHEN NOT bouncemx.drop_partition(child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bouncemx.drop_before(text, integer, date) IS 'Drops the oldest partitions of so many days whose every day is before first_kept, at most 20; returns how many. Stops at one that is in use: the next call tries it again.';

CREATE OR REPLACE FUNCTION bouncemx.drop_days_before(parent text, first_kept date) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    dropped integer := bouncemx.drop_before(parent, 7, first_kept);
BEGIN
    EXECUTE format('DELETE FROM bouncemx.%I WHERE day < $1', parent || '_default') USING first_kept;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bouncemx.drop_days_before(text, date) IS 'Drops the weeks of sent, token_seen or content_seen whose every day is before first_kept, as drop_before does; returns how many.';

CREATE FUNCTION bouncemx.forget_feed(the_time timestamptz, keep interval, how_many bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    too_old timestamptz := the_time - keep;
    numbers bigint;
    changes bigint;
    audits  bigint;
BEGIN
    -- From the lowest number on, so that what is left has no gaps.
    DELETE FROM bouncemx.feed f
     WHERE f.number < (
           SELECT coalesce(min(o.number) FILTER (WHERE o.numbered_at >= too_old), max(o.number) + 1)
             FROM (SELECT * FROM bouncemx.feed ORDER BY number LIMIT how_many) o);
    GET DIAGNOSTICS numbers = ROW_COUNT;
    DELETE FROM bouncemx.suppression_change c
     USING (SELECT * FROM bouncemx.suppression_change ORDER BY id LIMIT how_many) o, bouncemx.feed_state s
     WHERE c.id = o.id AND c.address_hash = o.address_hash AND c.at < too_old
       AND (c.id <= s.floor_id OR pg_visible_in_snapshot(c.xid, s.snapshot))
       AND NOT EXISTS (SELECT FROM bouncemx.feed f WHERE f.change_id = c.id);
    GET DIAGNOSTICS changes = ROW_COUNT;
    DELETE FROM bouncemx.audit a
     USING (SELECT id FROM bouncemx.audit WHERE at < too_old ORDER BY at LIMIT how_many) o
     WHERE a.id = o.id;
    GET DIAGNOSTICS audits = ROW_COUNT;
    RETURN numbers + changes + audits;
END $$;
COMMENT ON FUNCTION bouncemx.forget_feed(timestamptz, interval, bigint) IS 'Deletes numbers, changes and audit older than keep, at most how_many of each; returns how many in all. Cursors before what is left are refused.';

CREATE FUNCTION bouncemx.forget_old(the_time timestamptz, evidence interval DEFAULT '30 days',
                                    events interval DEFAULT '400 days', feed interval DEFAULT '400 days')
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    parent  text;
    days    integer;
    keep    interval;
    removed bigint;
    rows    bigint;
BEGIN
    PERFORM bouncemx.check_time(the_time);
    IF the_time IS NULL OR least(evidence, events, feed) < interval '0' THEN
        RAISE EXCEPTION 'forget_old: %, %, %, %: expected a time, and intervals from 0 (NULL: for ever)', the_time, evidence, events, feed
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- One table a call: a transaction that holds the lock of one and waits for that of another could
    -- lock up with writers.
    FOR parent, days, keep IN VALUES ('message', 7, events), ('evidence', 1, evidence), ('event', 7, events) LOOP
        CONTINUE WHEN keep IS NULL;
        removed := bouncemx.drop_before(parent, days, ((the_time - keep) AT TIME ZONE 'UTC')::date);
        EXECUTE format('DELETE FROM bouncemx.%I WHERE received_at < $1', parent || '_default')
          USING the_time - keep;
        GET DIAGNOSTICS rows = ROW_COUNT;
        IF removed + rows > 0 THEN
            RETURN removed + rows;
        END IF;
    END LOOP;
    IF events IS NOT NULL THEN
        removed := bouncemx.forget_rolled_up(((the_time - events) AT TIME ZONE 'UTC')::date);
        IF removed > 0 THEN
            RETURN removed;
        END IF;
    END IF;
    RETURN CASE WHEN feed IS NULL THEN 0 ELSE bouncemx.forget_feed(the_time, feed, 10000) END;
END $$;
COMMENT ON FUNCTION bouncemx.forget_old(timestamptz, interval, interval, interval) IS 'Drops what is older at this time than it is to be kept (NULL: for ever): raw mail; messages and events, with the roll-ups that forget_rolled_up() names; changes of the list, their numbers and audit. A part of it a call: call it until it returns 0, each time in a transaction of its own. What is in use stays until the next time.';

-- ---- the keeper --------------------------------------------------------------------------------

CREATE TABLE bouncemx.maintenance (
    task    text        PRIMARY KEY,
    node    text        NOT NULL,
    done_at timestamptz NOT NULL,
    did     bigint      NOT NULL,
    failure text
);
COMMENT ON TABLE bouncemx.maintenance IS 'What the keeper did last, one row a task. keeper: when it became one.';
COMMENT ON COLUMN bouncemx.maintenance.task IS 'What: keeper, partitions, retention, used, waiting, expiry, ...';
COMMENT ON COLUMN bouncemx.maintenance.node IS 'Name of the host that did it.';
COMMENT ON COLUMN bouncemx.maintenance.done_at IS 'When.';
COMMENT ON COLUMN bouncemx.maintenance.did IS 'How much there was to do: partitions made or dropped, rows deleted, events resolved, ...';
COMMENT ON COLUMN bouncemx.maintenance.failure IS 'Why it failed; NULL: it did not.';

CREATE FUNCTION bouncemx.maintained(the_task text, the_node text, the_time timestamptz, the_did bigint,
                                    the_failure text DEFAULT NULL) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO bouncemx.maintenance (task, node, done_at, did, failure)
    VALUES (the_task, the_node, the_time, the_did, the_failure)
    ON CONFLICT (task) DO UPDATE
       SET node = excluded.node, done_at = excluded.done_at, did = excluded.did, failure = excluded.failure;
END;
COMMENT ON FUNCTION bouncemx.maintained(text, text, timestamptz, bigint, text) IS 'Notes in maintenance what was done.';

CREATE FUNCTION bouncemx.keeper_key() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 7021937415306622835;
COMMENT ON FUNCTION bouncemx.keeper_key() IS 'The advisory lock that makes a session the keeper of this database.';

CREATE FUNCTION bouncemx.become_keeper(the_node text, the_time timestamptz) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_lock(bouncemx.keeper_key()) THEN
        RETURN false;
    END IF;
    PERFORM bouncemx.maintained('keeper', the_node, the_time, 1);
    RETURN true;
END $$;
COMMENT ON FUNCTION bouncemx.become_keeper(text, timestamptz) IS 'Makes this session the keeper, of which there is one, until it ends; false: another one is.';

CREATE FUNCTION bouncemx.maintenance_shown()
    RETURNS TABLE (task text, node text, done_at timestamptz, did bigint, failure text, is_there boolean)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.task, m.node, m.done_at, m.did, m.failure,
           CASE m.task WHEN 'keeper' THEN EXISTS (
               SELECT FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                  AND l.classid = (bouncemx.keeper_key() >> 32)::oid
                  AND l.objid = (bouncemx.keeper_key() & 4294967295)::oid) END
      FROM bouncemx.maintenance m
     ORDER BY m.task <> 'keeper', m.task;
END;
COMMENT ON FUNCTION bouncemx.maintenance_shown() IS 'What the keeper did last, for `status`. is_there, of task keeper: whether there is one now.';

COMMENT ON FUNCTION bouncemx.resolve_waiting(timestamptz, bigint) IS 'Resolves at most how_many events that wait since from_time or later and whose rows stand in sent after all: those whose transaction and the sender''s ran at once and did not see each other, and rows that were put into a partition of sent directly. The keeper calls it each minute for the last hour. Returns how many.';
