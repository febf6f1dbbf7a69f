-- The feed: committed changes get their numbers here, and readers follow them by cursor.
--
-- Ids of suppression_change are given before commit: a reader who remembers the last id misses what
-- commits later with a lower one. So each row has the xid of its transaction, and feed_state the
-- snapshot up to which numbers were given. A round numbers exactly the rows that its own snapshot sees
-- and that one did not, in the order of their ids, and puts its snapshot in its place, in one
-- transaction. Of two changes of one row of the list the later has the higher id, and its transaction
-- could only begin to write once the earlier had committed: so their numbers have the same order.

ALTER TABLE bouncemx.feed_state
    ADD COLUMN relation  oid    NOT NULL,
    ADD COLUMN floor_id  bigint NOT NULL DEFAULT 0,
    ADD COLUMN target    pg_snapshot,
    ADD COLUMN target_id bigint,
    ADD CONSTRAINT feed_state_target CHECK ((target IS NULL) = (target_id IS NULL));
COMMENT ON COLUMN bouncemx.feed_state.relation IS 'Oid of this table: another one after a dump was restored, even into the same database.';
COMMENT ON COLUMN bouncemx.feed_state.floor_id IS 'Changes up to this id count as numbered: they stood when the database was moved, and their xids are those of another cluster.';
COMMENT ON COLUMN bouncemx.feed_state.target IS 'While a round is in parts: the snapshot whose changes are being numbered; NULL: none is.';
COMMENT ON COLUMN bouncemx.feed_state.target_id IS 'Of that round: changes up to this id have their numbers.';
COMMENT ON COLUMN bouncemx.suppression_change.xid IS 'The transaction, for the sequencer. Of rows that came with a dump it means nothing: feed_state.floor_id.';

-- ---- which life of the database this is --------------------------------------------------------

CREATE FUNCTION bouncemx.feed_home(OUT cluster bigint, OUT timeline bigint, OUT database oid, OUT relation oid)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT c.system_identifier INTO cluster FROM pg_catalog.pg_control_system() c;
    IF pg_catalog.pg_is_in_recovery() THEN
        -- A standby may have replayed what its control file does not say yet.
        SELECT greatest(c.timeline_id, r.min_recovery_end_timeline, s.timeline) INTO timeline
          FROM pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r,
               bouncemx.feed_state s;
    ELSE
        -- The control file names the old one until the first checkpoint after a promotion.
        timeline := ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::bigint;
    END IF;
    SELECT d.oid INTO database FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database();
    relation := 'bouncemx.feed_state'::regclass;
END $$;
COMMENT ON FUNCTION bouncemx.feed_home() IS 'Where the schema lives now: the cluster''s system identifier, the timeline of its write-ahead log, the database, and the oid of feed_state. Differs from feed_state after a promotion, a restore or a move.';

-- What stands before the first round is numbered by it.
INSERT INTO bouncemx.feed_state (epoch, number, snapshot, cluster, timeline, database, relation)
SELECT 1, 0, '3:3:', h.cluster, h.timeline, h.database, h.relation
  FROM bouncemx.feed_home() h;

CREATE FUNCTION bouncemx.feed_is_home() RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (s.cluster, s.timeline, s.database, s.relation) = (h.cluster, h.timeline, h.database, h.relation)
      FROM bouncemx.feed_state s, bouncemx.feed_home() h;
END;
COMMENT ON FUNCTION bouncemx.feed_is_home() IS 'Is this the database in which the epoch began? False from a promotion, restore or move until the keeper begins the next epoch.';

CREATE FUNCTION bouncemx.feed_new_epoch(the_reason text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    s     bouncemx.feed_state;
    h     record;
    moved boolean;
    why   text := the_reason;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'feed_new_epoch: the transaction is %, expected read committed', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    SELECT * INTO STRICT s FROM bouncemx.feed_state FOR UPDATE;
    SELECT * INTO h FROM bouncemx.feed_home();
    moved := (s.cluster, s.database, s.relation) IS DISTINCT FROM (h.cluster, h.database, h.relation);
    IF why IS NULL AND NOT moved AND s.timeline = h.timeline THEN
        RETURN s.epoch;
    END IF;
    why := coalesce(why, CASE WHEN moved THEN 'restored or moved' ELSE 'promoted or recovered' END);
    IF moved THEN
        -- The xids of the rows are another cluster's, so what stands counts as numbered. Behind the
        -- lock nobody has taken an id without its row being seen by the statement that follows.
        PERFORM set_config('lock_timeout', '10s', true);
        LOCK TABLE bouncemx.suppression_change IN SHARE MODE;
        SELECT pg_current_snapshot(), coalesce(max(c.id), 0), NULL, NULL
          INTO s.snapshot, s.floor_id, s.target, s.target_id
          FROM bouncemx.suppression_change c;
    END IF;
    UPDATE bouncemx.feed_state f
       SET epoch = s.epoch + 1, since = clock_timestamp(), cluster = h.cluster, timeline = h.timeline,
           database = h.database, relation = h.relation, snapshot = s.snapshot,
           floor_id = s.floor_id, target = s.target, target_id = s.target_id;
    INSERT INTO bouncemx.audit (action, object, detail)
    VALUES ('feed.epoch', 'epoch ' || s.epoch + 1,
            jsonb_build_object('reason', why, 'number', s.number,
                'before', jsonb_build_object('cluster', s.cluster, 'timeline', s.timeline, 'database', s.database::bigint),
                'after', jsonb_build_object('cluster', h.cluster, 'timeline', h.timeline, 'database', h.database::bigint)));
    PERFORM pg_notify('bouncemx_feed', format('%s.%s', s.epoch + 1, s.number));
    RETURN s.epoch + 1;
END $$;
COMMENT ON FUNCTION bouncemx.feed_new_epoch(text) IS 'Begins the next epoch, after which every cursor given before is told to export again, and returns its number. Without a reason: only when the database was promoted, restored or moved (the keeper asks so). With one: always, for a person who knows of what can''t be seen, such as a copy of the server''s files that was put back, or rows that were put back by a dump of data only. Noted in audit.';

-- ---- numbering ---------------------------------------------------------------------------------

-- Not by "xid >= xmin": one transaction that is open for an hour would make each round read the hour.
-- Ranges, also of one xid, and an id that no index knows: so the planner takes the index of xid however
-- few transactions the rows are of (an import is one).
CREATE FUNCTION bouncemx.feed_fresh(old_snapshot pg_snapshot, new_snapshot pg_snapshot, above_id bigint)
    RETURNS TABLE (id bigint, address_hash bytea, at timestamptz)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.address_hash, c.at
      FROM bouncemx.suppression_change c
     WHERE c.xid >= pg_snapshot_xmax(old_snapshot) AND c.xid < pg_snapshot_xmax(new_snapshot)
       AND pg_visible_in_snapshot(c.xid, new_snapshot) AND c.id + 0 > above_id
    UNION ALL
    SELECT o.id, o.address_hash, o.at
      FROM pg_snapshot_xip(old_snapshot) was_open
     CROSS JOIN LATERAL (
           SELECT c.id, c.address_hash, c.at
             FROM bouncemx.suppression_change c
            WHERE c.xid >= was_open AND c.xid <= was_open
              AND pg_visible_in_snapshot(c.xid, new_snapshot) AND c.id + 0 > above_id
           OFFSET 0) o;
END;
COMMENT ON FUNCTION bouncemx.feed_fresh(pg_snapshot, pg_snapshot, bigint) IS 'Changes with ids over above_id that committed between the two snapshots.';

CREATE FUNCTION bouncemx.feed_due() RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Materialized: else the planner, who needs one row only, reads the table from its start.
    WITH fresh AS MATERIALIZED (
        SELECT FROM bouncemx.feed_state s,
                    bouncemx.feed_fresh(s.snapshot, pg_current_snapshot(), s.floor_id))
    SELECT CASE WHEN NOT bouncemx.feed_is_home() THEN 'epoch'
                WHEN s.target IS NOT NULL OR EXISTS (SELECT FROM fresh) THEN 'changes' END
      FROM bouncemx.feed_state s;
END;
COMMENT ON FUNCTION bouncemx.feed_due() IS 'What the keeper has to do for the feed: epoch (feed_new_epoch), changes (feed_number), or NULL: nothing. Cheap, to be asked many times a second.';

CREATE FUNCTION bouncemx.feed_number(how_many bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    s          bouncemx.feed_state;
    up_to      pg_snapshot;
    numbered   bigint;
    highest_id bigint;
BEGIN
    IF how_many IS NULL OR how_many < 1 THEN
        RAISE EXCEPTION 'feed_number: %: expected a number from 1', how_many
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'feed_number: the transaction is %, expected repeatable read', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    -- Fails (40001) when somebody numbered since our snapshot, and makes whoever does now wait and fail.
    SELECT * INTO STRICT s FROM bouncemx.feed_state FOR UPDATE;
    IF NOT bouncemx.feed_is_home() THEN
        RAISE EXCEPTION 'the database was promoted, restored or moved: feed_new_epoch comes first'
            USING ERRCODE = 'ZF004';
    END IF;
    -- Too many for one round are numbered in parts: all of them had committed when the first part
    -- began, and what commits meanwhile waits for the next round. The first part has to look for the
    -- lowest id; the others go on from there by the primary key, so that each costs as much as it numbers.
    up_to := coalesce(s.target, pg_current_snapshot());
    WITH fresh AS MATERIALIZED (
        SELECT f.id, f.address_hash FROM bouncemx.feed_fresh(s.snapshot, up_to, s.floor_id) f),
    made AS (
        INSERT INTO bouncemx.feed (number, change_id, address_hash)
        SELECT s.number + row_number() OVER (ORDER BY f.id), f.id, f.address_hash
          FROM ((SELECT f.id, f.address_hash FROM fresh f WHERE s.target IS NULL ORDER BY f.id LIMIT how_many)
                UNION ALL
                (SELECT c.id, c.address_hash
                   FROM bouncemx.suppression_change c
                  WHERE s.target IS NOT NULL AND c.id > greatest(s.floor_id, s.target_id)
                    AND pg_visible_in_snapshot(c.xid, up_to)
                    AND NOT pg_visible_in_snapshot(c.xid, s.snapshot)
                  ORDER BY c.id LIMIT how_many)) f
         ORDER BY f.id
        RETURNING change_id)
    SELECT count(*), max(change_id) INTO numbered, highest_id FROM made;
    IF numbered = how_many THEN
        UPDATE bouncemx.feed_state
           SET number = s.number + numbered, target = up_to, target_id = highest_id;
    ELSIF numbered > 0 OR s.target IS NOT NULL THEN
        UPDATE bouncemx.feed_state
           SET number = s.number + numbered, snapshot = up_to, target = NULL, target_id = NULL;
    END IF;
    IF numbered > 0 THEN
        PERFORM pg_notify('bouncemx_feed', format('%s.%s', s.epoch, s.number + numbered));
    END IF;
    RETURN numbered;
END $$;
COMMENT ON FUNCTION bouncemx.feed_number(bigint) IS 'One round: numbers at most how_many committed changes, and returns how many; fewer than how_many: nothing is left. In a transaction of its own, REPEATABLE READ: of two at once one fails with 40001 and may try again. Rings bouncemx_feed (LISTEN) with the newest cursor.';

-- ---- reading -----------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.feed_cursor() RETURNS text
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT bouncemx.feed_is_home() THEN
        RAISE EXCEPTION 'the database was promoted, restored or moved, and its next epoch has not begun: the keeper (bouncemx serve, or bouncemx maintain) begins it'
            USING ERRCODE = 'ZF004';
    END IF;
    RETURN (SELECT format('%s.%s', s.epoch, s.number) FROM bouncemx.feed_state s);
END $$;
COMMENT ON FUNCTION bouncemx.feed_cursor() IS 'The cursor of the last number that this snapshot sees. Asked in the REPEATABLE READ transaction of an export it is where to follow on: what the export shows and has no number yet comes once more, as the same state. ZF004: the next epoch has to begin first.';

CREATE FUNCTION bouncemx.feed_place(the_cursor text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    s      bouncemx.feed_state;
    home   boolean := bouncemx.feed_is_home();
    kept   bigint;
    part   text[] := regexp_match(the_cursor, '^([0-9]{1,9})\.([0-9]{1,18})$');
    epoch  bigint := part[1];
    number bigint := part[2];
BEGIN
    SELECT * INTO STRICT s FROM bouncemx.feed_state;
    SELECT coalesce(min(f.number) - 1, s.number) INTO kept FROM bouncemx.feed f;
    IF the_cursor = 'beginning' THEN
        PERFORM bouncemx.feed_cursor();
        RETURN kept;
    ELSIF part IS NULL THEN
        RAISE EXCEPTION 'cursor %: expected EPOCH.NUMBER, as the feed and exports give it, or beginning', coalesce(quote_literal(left(the_cursor, 60)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT home OR epoch <> s.epoch THEN
        RAISE EXCEPTION 'cursor % is of another epoch: the database was promoted, restored or moved since; export again', the_cursor
            USING ERRCODE = 'ZF001';
    ELSIF number > s.number THEN
        RAISE EXCEPTION 'cursor % is behind the end of the feed, which is at %.%: it is not of this database; export again', the_cursor, s.epoch, s.number
            USING ERRCODE = 'ZF002';
    ELSIF number < kept THEN
        RAISE EXCEPTION 'cursor % is too old: the feed is kept from %.% on; export again', the_cursor, s.epoch, kept
            USING ERRCODE = 'ZF003';
    END IF;
    RETURN number;
END $$;
COMMENT ON FUNCTION bouncemx.feed_place(text) IS 'The number of a cursor; beginning: the last one before what is kept. Refused with SQLSTATE ZF001 (another epoch), ZF002 (beyond the end), ZF003 (no longer kept): the reader has to export again; ZF004: the next epoch has to begin first; 22023: it is no cursor.';

CREATE FUNCTION bouncemx.feed_op(the_op bouncemx.change_op, the_key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN the_key IS NULL OR the_op = 'redact' THEN 'redact'
                WHEN the_op = 'remove' THEN 'delete'
                WHEN the_op = 'expire' THEN 'expire'
                ELSE 'upsert' END;
COMMENT ON FUNCTION bouncemx.feed_op(bouncemx.change_op, text) IS 'What a reader does with a change: upsert (the row is now as told), delete, expire, or redact (forget the address).';

CREATE FUNCTION bouncemx.feed_after(the_cursor text, how_many bigint)
    RETURNS TABLE (cursor text, at timestamptz, op text, change bouncemx.change_op, address text,
                   address_key text, address_hash text, tenant text,
                   scope bouncemx.suppression_scope, stream text, state bouncemx.suppression_state,
                   suppressed boolean, origin bouncemx.suppression_origin, kind bouncemx.event_kind,
                   class bouncemx.bounce_class, category bouncemx.bounce_category,
                   confidence bouncemx.bounce_confidence, rule text, operator text, status text,
                   evidence text, event_id uuid, event_at timestamptz, expires_at timestamptz,
                   reason text, actor text)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    place bigint := bouncemx.feed_place(the_cursor);
BEGIN
    -- Numbers have no gaps, so their range bounds the rows; one look-up for each.
    RETURN QUERY
    SELECT s.epoch || '.' || f.number, c.at, bouncemx.feed_op(c.op, c.address_key), c.op, c.address,
           c.address_key, encode(c.address_hash, 'hex'), c.tenant, c.scope, c.stream, c.state,
           c.state IS NOT DISTINCT FROM 'active' OR c.address_key IS NULL, c.origin, c.kind, c.class,
           c.category, c.confidence, c.rule, c.mx_operator, c.status, c.evidence_text, c.event_id,
           c.event_at, c.expires_at, c.reason, c.actor
      FROM bouncemx.feed f
     CROSS JOIN LATERAL (
           SELECT * FROM bouncemx.suppression_change o
            WHERE o.id = f.change_id AND o.address_hash = f.address_hash OFFSET 0) c
     CROSS JOIN bouncemx.feed_state s
     WHERE f.number > place AND f.number <= place + how_many
     ORDER BY f.number;
END $$;
COMMENT ON FUNCTION bouncemx.feed_after(text, bigint) IS 'The next how_many changes after a cursor (beginning: from the oldest that is kept), none when it is at the end. Each is the whole state of one row of the list, that of (address_hash, tenant, scope, stream), afterwards. op: upsert, delete, expire or redact; change: what happened in detail; suppressed: whether the row keeps mail from being sent now (pending: no; an erased person''s: yes). Of an erased person only the hash is left. Refusals: feed_place.';

CREATE FUNCTION bouncemx.feed_position(the_time timestamptz)
    RETURNS TABLE (cursor text, epoch integer, since timestamptz, number bigint, kept_from bigint,
                   unnumbered bigint, lag_ms bigint, due text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.epoch || '.' || s.number, s.epoch, s.since, s.number,
           (SELECT coalesce(min(f.number), s.number + 1) FROM bouncemx.feed f), w.n,
           greatest(0, (extract(epoch FROM the_time - w.oldest) * 1000)::bigint), bouncemx.feed_due()
      FROM bouncemx.feed_state s
     CROSS JOIN LATERAL (
           SELECT count(*) AS n, min(f.at) AS oldest
             FROM (SELECT f.at
                     FROM bouncemx.feed_fresh(s.snapshot, pg_current_snapshot(),
                                              greatest(s.floor_id, s.target_id)) f
                    LIMIT 100000) f) w;
END;
COMMENT ON FUNCTION bouncemx.feed_position(timestamptz) IS 'Where the feed stands, one row: the newest cursor, since when its epoch runs, the oldest number kept, how many committed changes have no number yet (counted up to 100,000), how old the oldest of them is in milliseconds (0: there is none), and what the keeper has to do (feed_due).';

-- ---- logical replication -----------------------------------------------------------------------

CREATE FUNCTION bouncemx.feed_publish(the_name text DEFAULT 'bouncemx_feed') RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('server_version_num')::integer < 150000 THEN
        RAISE EXCEPTION 'feed_publish: the server is PostgreSQL %, a publication of some columns needs 15', current_setting('server_version')
            USING ERRCODE = 'feature_not_supported';
    END IF;
    -- Without what people and servers wrote (diagnostic, evidence_text, reason, actor), and without
    -- the counters, which change with each event.
    EXECUTE format('CREATE PUBLICATION %I FOR TABLE bouncemx.suppression (address_key, tenant, scope, '
                   'stream, address, state, origin, kind, class, category, confidence, rule, '
                   'mx_operator, status, event_id, event_at, created_at, expires_at, times)', the_name);
END $$;
COMMENT ON FUNCTION bouncemx.feed_publish(text) IS 'Creates a publication of the list for logical replication: its key and what decided, without words. Needs wal_level logical, CREATE on the database, and PostgreSQL 15. docs/feed.md has the subscriber''s side.';
