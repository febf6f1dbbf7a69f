-- The circuit breaker, and the deliveries that it and the scores are told of.

CREATE TABLE bouncemx.breaker_policy (
    name    text    PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    tenant  text,
    enabled boolean NOT NULL DEFAULT true,
    factor  numeric NOT NULL DEFAULT 5 CHECK (factor >= 1),
    floor   bigint  NOT NULL DEFAULT 500 CHECK (floor > 0),
    days    integer NOT NULL DEFAULT 28 CHECK (days BETWEEN 1 AND 365),
    hours   integer NOT NULL DEFAULT 24 CHECK (hours >= 0)
);
CREATE UNIQUE INDEX breaker_policy_tenant ON bouncemx.breaker_policy ((tenant IS NULL), coalesce(tenant, ''));
CREATE TRIGGER breaker_policy_audited AFTER INSERT OR UPDATE OR DELETE ON bouncemx.breaker_policy
    FOR EACH ROW EXECUTE FUNCTION bouncemx.row_audited('name');
INSERT INTO bouncemx.breaker_policy (name) VALUES ('default');
COMMENT ON TABLE bouncemx.breaker_policy IS 'When the circuit breaker opens: one row for all, and one for each tenant that wants another. No row: never.';
COMMENT ON COLUMN bouncemx.breaker_policy.name IS 'Its name, for people and the audit.';
COMMENT ON COLUMN bouncemx.breaker_policy.tenant IS 'Only for this tenant; NULL: for all that have no row of their own.';
COMMENT ON COLUMN bouncemx.breaker_policy.enabled IS 'False: never.';
COMMENT ON COLUMN bouncemx.breaker_policy.factor IS 'How many times the usual is too much.';
COMMENT ON COLUMN bouncemx.breaker_policy.floor IS 'With fewer addresses in an hour it never opens.';
COMMENT ON COLUMN bouncemx.breaker_policy.days IS 'The usual is the median of so many days before.';
COMMENT ON COLUMN bouncemx.breaker_policy.hours IS 'With fewer hours to compare with it does not open: nobody knows what is usual.';
COMMENT ON INDEX bouncemx.breaker_policy_tenant IS 'One for each tenant, one for all.';

CREATE TABLE bouncemx.breaker_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    snapshot pg_snapshot NOT NULL
);
INSERT INTO bouncemx.breaker_state (snapshot) VALUES (pg_current_snapshot());
COMMENT ON TABLE bouncemx.breaker_state IS 'Where breaker_judge stands, one row.';
COMMENT ON COLUMN bouncemx.breaker_state.only_row IS 'True: there is one row.';
COMMENT ON COLUMN bouncemx.breaker_state.snapshot IS 'Changes whose transactions this snapshot sees have been judged.';

CREATE TABLE bouncemx.domain_operator (
    domain      text COLLATE "C" PRIMARY KEY,
    mx_operator text NOT NULL,
    seen_at     timestamptz NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.domain_operator IS 'Who runs the mail hosts of a domain, as its latest hard bounce said: so that deliveries are counted beside the bounces of the same operator.';
COMMENT ON COLUMN bouncemx.domain_operator.domain IS 'Domain of addresses, as a lower-case A-label.';
COMMENT ON COLUMN bouncemx.domain_operator.mx_operator IS 'The operator.';
COMMENT ON COLUMN bouncemx.domain_operator.seen_at IS 'When that bounce''s message was accepted.';

ALTER TABLE bouncemx.breaker_hour
    ADD COLUMN delivered    bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_change bigint;
COMMENT ON COLUMN bouncemx.breaker_hour.events IS 'Of how many addresses'' mail the outcome is known: those that turned hard, and deliveries that were told to us.';
COMMENT ON COLUMN bouncemx.breaker_hour.delivered IS 'Deliveries that were told to us.';
COMMENT ON COLUMN bouncemx.breaker_hour.usual IS 'What it was compared with when it opened: the median of the hours before in which an address turned hard; a share where deliveries are told.';
COMMENT ON COLUMN bouncemx.breaker_hour.first_change IS 'The lowest suppression_change.id of those that turned; NULL: none did.';

CREATE FUNCTION bouncemx.breaker_opens(the_tenant text, the_key text, the_hour timestamptz, OUT opens boolean,
                                       OUT usual numeric)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    b      bouncemx.breaker_policy;
    h      bouncemx.breaker_hour;
    counts numeric;
    shares numeric;
    known  bigint;
BEGIN
    opens := false;
    SELECT * INTO b FROM bouncemx.breaker_policy p
     WHERE p.tenant = the_tenant OR p.tenant IS NULL
     ORDER BY p.tenant IS NULL LIMIT 1;
    SELECT * INTO h FROM bouncemx.breaker_hour o
     WHERE o.tenant = the_tenant AND o.key = the_key COLLATE "C" AND o.hour = the_hour;
    IF b.enabled IS NOT TRUE OR h.turned IS NULL OR h.turned < b.floor THEN
        RETURN;
    END IF;
    -- Hours that wait for a person's word are no measure.
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY o.turned),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY o.turned::float8 / nullif(o.events, 0))
               FILTER (WHERE o.delivered > 0),
           count(*)
      INTO counts, shares, known
      FROM bouncemx.breaker_hour o
     WHERE o.tenant = the_tenant AND o.key = the_key COLLATE "C" AND o.turned > 0
       AND o.hour >= the_hour - make_interval(days => b.days) AND o.hour < the_hour
       AND (o.opened_at IS NULL OR o.released_at IS NOT NULL);
    IF known < b.hours THEN
        RETURN;
    END IF;
    IF h.delivered > 0 AND shares IS NOT NULL THEN
        usual := shares;
        opens := h.turned::numeric / h.events > b.factor * shares;
    ELSE
        usual := coalesce(counts, 0);
        opens := h.turned > b.factor * usual;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.breaker_opens(text, text, timestamptz, OUT boolean, OUT numeric) IS 'Did so many addresses turn hard in an hour that the breaker opens? At least breaker_policy.floor, and more than factor times the usual: the median of the hours before in which any turned. Where deliveries of the hour, and of some before, are told, the share of addresses is compared; else their number.';

CREATE FUNCTION bouncemx.breaker_hold(tenants text[], keys text[], hours timestamptz[], from_changes bigint[])
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.address_key, s.tenant, s.scope, s.stream, b.key, b.hour
          FROM unnest(tenants, keys, hours, from_changes) b (tenant, key, hour, from_change)
          JOIN LATERAL (SELECT DISTINCT c.address_key FROM bouncemx.suppression_change c
                         WHERE c.id >= b.from_change AND c.tenant = b.tenant
                           AND c.event_at >= b.hour AND c.event_at < b.hour + interval '1 hour') c ON true
          JOIN bouncemx.suppression s ON s.address_key = c.address_key AND s.tenant = b.tenant
         WHERE s.state = 'active' AND s.origin = 'event' AND s.kind = 'bounce' AND s.class = 'hard'
           AND s.event_at >= b.hour AND s.event_at < b.hour + interval '1 hour'
           AND bouncemx.breaker_key(s.mx_operator, s.address_key) = b.key
         ORDER BY s.address_key, s.tenant, s.scope, s.stream
           FOR UPDATE OF s)
    UPDATE bouncemx.suppression s SET state = 'pending', held_key = f.key, held_hour = f.hour
      FROM found f
     WHERE s.address_key = f.address_key AND s.tenant = f.tenant AND s.scope = f.scope AND s.stream = f.stream;
    GET DIAGNOSTICS held = ROW_COUNT;
    RETURN held;
END $$;
COMMENT ON FUNCTION bouncemx.breaker_hold(text[], text[], timestamptz[], bigint[]) IS 'Lets the rows that hard bounces of these hours made wait (one element of each array an hour): those in changes from this id on. Returns how many.';

CREATE FUNCTION bouncemx.breaker_judge(the_time timestamptz, OUT changes bigint, OUT opened bigint,
                                       OUT held bigint, OUT released bigint, OUT removed bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    before    pg_snapshot;
    seen      pg_snapshot;
    ids       bigint[];
    was       text := coalesce(current_setting('bouncemx.reason', true), '');
    was_actor text := coalesce(current_setting('bouncemx.actor', true), '');
    h         record;
    found     record;
    to_hold   bouncemx.breaker_hour[] := '{}';
BEGIN
    changes := 0; opened := 0; held := 0; released := 0; removed := 0;
    -- Two at once: the second waits here, and takes what the first one left.
    SELECT s.snapshot INTO STRICT before FROM bouncemx.breaker_state s FOR UPDATE;
    seen := pg_current_snapshot();
    IF pg_snapshot_xmax(before) > pg_snapshot_xmax(seen) THEN
        -- The rows came from another cluster: what stands is old.
        UPDATE bouncemx.breaker_state SET snapshot = seen;
        RETURN;
    END IF;
    SELECT array_agg(c.id) INTO ids
      FROM bouncemx.suppression_change c
     WHERE c.xid >= pg_snapshot_xmin(before) AND c.xid < pg_snapshot_xmax(seen)
       AND pg_visible_in_snapshot(c.xid, seen) AND NOT pg_visible_in_snapshot(c.xid, before);
    IF ids IS NULL THEN
        RETURN;
    END IF;
    UPDATE bouncemx.breaker_state SET snapshot = seen;
    changes := cardinality(ids);
    PERFORM set_config('bouncemx.actor', 'policy', true);

    FOR h IN
        WITH turned AS MATERIALIZED (
            SELECT c.id, c.address_hash, c.address_key, c.tenant, c.mx_operator, c.event_at,
                   bouncemx.breaker_key(c.mx_operator, c.address_key) AS key,
                   date_trunc('hour', c.event_at, 'UTC') AS hour
              FROM bouncemx.suppression_change c
             WHERE c.id = ANY (ids) AND c.op IN ('add', 'change') AND c.origin = 'event'
               AND c.kind = 'bounce' AND c.class = 'hard' AND c.address_key IS NOT NULL
               -- A row that only lasts longer now has turned before.
               AND (c.op = 'add' OR NOT EXISTS (
                       SELECT FROM bouncemx.suppression_change o
                        WHERE o.address_hash = c.address_hash AND o.id < c.id AND o.event_id = c.event_id))),
        operators AS (
            INSERT INTO bouncemx.domain_operator AS d (domain, mx_operator, seen_at)
            SELECT DISTINCT ON (1) split_part(t.address_key, '@', -1), t.mx_operator, t.event_at
              FROM turned t
             WHERE t.mx_operator IS NOT NULL
             ORDER BY 1, t.event_at DESC, t.id DESC
            ON CONFLICT (domain) DO UPDATE SET mx_operator = excluded.mx_operator, seen_at = excluded.seen_at
             WHERE excluded.seen_at > d.seen_at + interval '1 day'
                OR excluded.seen_at > d.seen_at AND excluded.mx_operator <> d.mx_operator),
        by_hour AS MATERIALIZED (
            SELECT t.tenant, t.key, t.hour, count(DISTINCT t.address_hash) AS turned, min(t.id) AS first_change
              FROM turned t
             GROUP BY t.tenant, t.key, t.hour),
        counted AS (
            INSERT INTO bouncemx.breaker_hour AS b (tenant, key, hour, turned, events, first_change)
            SELECT t.tenant, t.key, t.hour, t.turned, t.turned, t.first_change
              FROM by_hour t
             ORDER BY t.tenant, t.key, t.hour
            ON CONFLICT (tenant, key, hour) DO UPDATE
               SET turned = b.turned + excluded.turned, events = b.events + excluded.events,
                   first_change = least(b.first_change, excluded.first_change)
            RETURNING b.*)
        SELECT ROW(c.*)::bouncemx.breaker_hour AS hour, t.first_change AS fresh_from
          FROM counted c JOIN by_hour t ON (t.tenant, t.key, t.hour) = (c.tenant, c.key, c.hour)
         WHERE c.released_at IS NULL
         ORDER BY c.tenant, c.key, c.hour
    LOOP
        IF (h.hour).opened_at IS NULL THEN
            SELECT * INTO found FROM bouncemx.breaker_opens((h.hour).tenant, (h.hour).key, (h.hour).hour);
            CONTINUE WHEN NOT found.opens;
            UPDATE bouncemx.breaker_hour b SET opened_at = the_time, usual = found.usual
             WHERE b.tenant = (h.hour).tenant AND b.key = (h.hour).key AND b.hour = (h.hour).hour;
            INSERT INTO bouncemx.audit (action, object, detail)
            VALUES ('breaker.open', (h.hour).key, jsonb_build_object(
                    'tenant', (h.hour).tenant, 'hour', (h.hour).hour, 'turned', (h.hour).turned,
                    'events', (h.hour).events, 'usual', found.usual));
            opened := opened + 1;
        ELSE
            -- Made by a batch that did not see yet that it is open.
            h.hour.first_change := h.fresh_from;
        END IF;
        to_hold := to_hold || h.hour;
    END LOOP;
    IF cardinality(to_hold) > 0 THEN
        held := (SELECT bouncemx.breaker_hold(array_agg(b.tenant), array_agg(b.key), array_agg(b.hour),
                                              array_agg(b.first_change))
                   FROM unnest(to_hold) b);
    END IF;

    -- Made to wait by a batch that did not see yet that a person released the hour.
    released := bouncemx.breaker_let_go(ARRAY(
        SELECT DISTINCT c.address_key FROM bouncemx.suppression_change c
         WHERE c.id = ANY (ids) AND c.state = 'pending' AND c.address_key IS NOT NULL));
    -- Made by a batch that did not see yet that the address is allowed.
    IF EXISTS (SELECT FROM bouncemx.allowed) THEN
        PERFORM set_config('bouncemx.reason', 'allow-list', true);
        WITH covered AS MATERIALIZED (
            SELECT s.address_key, s.tenant, s.scope, s.stream
              FROM bouncemx.suppression s
             WHERE s.address_key IN (SELECT c.address_key FROM bouncemx.suppression_change c
                                      WHERE c.id = ANY (ids) AND c.op = 'add' AND c.origin = 'event')
               AND s.origin = 'event' AND bouncemx.is_allowed(s.address_key, s.tenant)
             ORDER BY s.address_key, s.tenant, s.scope, s.stream
               FOR UPDATE)
        DELETE FROM bouncemx.suppression s USING covered c
         WHERE s.address_key = c.address_key AND s.tenant = c.tenant AND s.scope = c.scope AND s.stream = c.stream;
        GET DIAGNOSTICS removed = ROW_COUNT;
        PERFORM set_config('bouncemx.reason', was, true);
    END IF;
    PERFORM set_config('bouncemx.actor', was_actor, true);
END $$;
COMMENT ON FUNCTION bouncemx.breaker_judge(timestamptz, OUT bigint, OUT bigint, OUT bigint, OUT bigint, OUT bigint) IS 'Called each second or so, in a transaction of its own (read committed): counts the addresses that turned hard in the changes committed since the last call, each once, opens the breaker for hours where they are too many, and lets those rows wait. Also puts right what batches wrote that did not see yet that an hour was opened or released, or an address allowed. Returns how many changes it saw, hours it opened, rows that wait from now on, that hold again, and that the allow-list took off.';

CREATE FUNCTION bouncemx.breaker_let_go(keys text[]) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    released bigint;
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.address_key, s.tenant, s.scope, s.stream
          FROM bouncemx.suppression s
          JOIN bouncemx.breaker_hour b ON b.tenant = s.tenant AND b.key = s.held_key AND b.hour = s.held_hour
         WHERE s.state = 'pending' AND b.released_at IS NOT NULL
           AND (keys IS NULL OR s.address_key = ANY (keys COLLATE "C"))
         ORDER BY s.address_key, s.tenant, s.scope, s.stream
           FOR UPDATE OF s)
    UPDATE bouncemx.suppression s SET state = 'active', held_key = NULL, held_hour = NULL
      FROM found f
     WHERE s.address_key = f.address_key AND s.tenant = f.tenant AND s.scope = f.scope AND s.stream = f.stream;
    GET DIAGNOSTICS released = ROW_COUNT;
    RETURN released;
END $$;
COMMENT ON FUNCTION bouncemx.breaker_let_go(text[]) IS 'Lets rows hold again that wait for an hour that was released: of these addresses (NULL: all). Returns how many.';

CREATE FUNCTION bouncemx.breaker_release(the_tenant text, the_key text, the_hour timestamptz, the_time timestamptz)
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    hours    bigint;
    released bigint;
BEGIN
    UPDATE bouncemx.breaker_hour b SET released_at = the_time, released_by = bouncemx.actor()
     WHERE b.opened_at IS NOT NULL AND b.released_at IS NULL
       AND b.tenant = coalesce(the_tenant, '') AND b.key = the_key COLLATE "C"
       AND (the_hour IS NULL OR b.hour = date_trunc('hour', the_hour, 'UTC'));
    GET DIAGNOSTICS hours = ROW_COUNT;
    IF hours = 0 THEN
        RETURN 0;
    END IF;
    released := bouncemx.breaker_let_go(NULL);
    INSERT INTO bouncemx.audit (action, object, detail)
    VALUES ('breaker.release', the_key, jsonb_strip_nulls(jsonb_build_object(
            'tenant', coalesce(the_tenant, ''), 'hour', the_hour, 'hours', hours, 'rows', released)));
    RETURN released;
END $$;
COMMENT ON FUNCTION bouncemx.breaker_release(text, text, timestamptz, timestamptz) IS 'Releases what waits for a tenant (empty or NULL: none is set) and key of breaker_hour, of one hour (NULL: of all that are open): the rows hold, and those to come of these hours too. Returns how many rows.';

-- ---- deliveries --------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.score_delivered(s bouncemx.address_score, delivered_at timestamptz)
    RETURNS bouncemx.score_sum
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    p    bouncemx.policy;
    kept integer := 1 + (SELECT count(*) FROM unnest(s.days) d (day)
                          WHERE d.day <= (delivered_at AT TIME ZONE 'UTC')::date);
    it   bouncemx.score_sum := ROW(s.days[:kept - 1], s.points[:kept - 1], s.past, 0, 0, NULL, s.last_at);
BEGIN
    SELECT * INTO p FROM bouncemx.policy o WHERE o.name = s.policy;
    IF p.score IS NULL THEN
        -- Its row of policy is gone: nothing counts by it any more.
        RETURN ROW('{}', '{}', s.times, 0, s.times, NULL, s.last_at)::bouncemx.score_sum;
    END IF;
    it.past := (bouncemx.score_run(it, p.threshold, p.span, p.decay, p.expires)).times;
    it.days := s.days[kept:];
    it.points := s.points[kept:];
    RETURN bouncemx.score_run(it, p.threshold, p.span, p.decay, p.expires);
END $$;
COMMENT ON FUNCTION bouncemx.score_delivered(bouncemx.address_score, timestamptz) IS 'A score after a delivery: the days up to its own do not count any more; the place on the ladder stays.';

CREATE FUNCTION bouncemx.delivered(keys text[], tenants text[], streams text[], times timestamptz[])
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    reset bigint;
BEGIN
    WITH told AS (
        SELECT d.key COLLATE "C" AS key, coalesce(d.tenant, '') AS tenant, s.stream, max(d.at) AS at
          FROM unnest(keys, tenants, streams, times) d (key, tenant, stream, at)
         CROSS JOIN LATERAL (VALUES (''), (d.stream)) s (stream)
         WHERE d.key IS NOT NULL AND isfinite(d.at) AND s.stream IS NOT NULL
         GROUP BY 1, 2, 3),
    locked AS MATERIALIZED (
        SELECT s.*, t.at
          FROM bouncemx.address_score s
          JOIN told t ON s.address_key = t.key AND s.tenant = t.tenant AND s.stream = t.stream
         WHERE s.delivered_at IS NULL OR s.delivered_at < t.at
         ORDER BY s.address_key, s.tenant, s.stream
           FOR UPDATE OF s)
    UPDATE bouncemx.address_score s
       SET (delivered_at, days, points, past, score, times, holds_until) = (
               SELECT l.at, d.days, d.points, d.past, d.score, d.times, d.holds_until
                 FROM bouncemx.score_delivered(s, l.at) d)
      FROM locked l
     WHERE s.address_key = l.address_key AND s.tenant = l.tenant AND s.stream = l.stream;
    GET DIAGNOSTICS reset = ROW_COUNT;

    -- For the breaker, where addresses of the operator or the domain have turned hard before.
    INSERT INTO bouncemx.breaker_hour AS b (tenant, key, hour, events, delivered)
    SELECT t.tenant, t.key, t.hour, count(*), count(*)
      FROM (SELECT coalesce(d.tenant, '') AS tenant,
                   bouncemx.breaker_key(o.mx_operator, d.key) COLLATE "C" AS key,
                   date_trunc('hour', d.at, 'UTC') AS hour
              FROM unnest(keys, tenants, times) d (key, tenant, at)
              LEFT JOIN bouncemx.domain_operator o ON o.domain = split_part(d.key, '@', -1)
             WHERE d.key IS NOT NULL AND isfinite(d.at)) t
     WHERE EXISTS (SELECT FROM bouncemx.breaker_hour h
                    WHERE h.tenant = t.tenant AND h.key = t.key AND h.turned > 0)
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3
    ON CONFLICT (tenant, key, hour) DO UPDATE
       SET events = b.events + excluded.events, delivered = b.delivered + excluded.delivered;
    RETURN reset;
END $$;
COMMENT ON FUNCTION bouncemx.delivered(text[], text[], text[], timestamptz[]) IS 'Deliveries that are told to us, one element of each array one: key of the address, tenant and stream (NULL: none is set), and when. Soft bounces of that day (UTC) and before do not count any more, whichever is told first, for the tenant and for the stream. Returns how many scores began anew. The breaker counts deliveries: tell each once.';

-- ---- many rows at once -------------------------------------------------------------------------

-- The plan of a trigger is made once, often for a statement of one row: a nested loop over the rows
-- before and after would then go through thousands of them thousands of times.
ALTER FUNCTION bouncemx.suppression_updated() SET enable_nestloop = off;
