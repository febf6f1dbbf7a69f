-- What people do to the list, and what they ask it. Times are passed in.
-- Mistakes that a person can make are raised as P0001, in words for that person.

-- ---- asking ------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.erasures_of(keys text[])
    RETURNS TABLE (address_key text, kind bouncemx.event_kind, erased_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM bouncemx.erased) THEN
        RETURN QUERY
        SELECT DISTINCT ON (k.key) k.key, e.kind, e.erased_at
          FROM unnest(keys) k (key)
         CROSS JOIN bouncemx_private.pepper p
          JOIN bouncemx.erased e
            ON e.address_hash = sha256(p.outer_block || sha256(p.inner_block || convert_to(k.key, 'UTF8')))
           AND e.pepper_id = p.id
         ORDER BY k.key, e.erased_at;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.erasures_of(text[]) IS 'Those of these address keys that are of erased people, with why they stood on the list (NULL: they did not) and when they were erased.';
REVOKE ALL ON FUNCTION bouncemx.erasures_of(text[]) FROM PUBLIC;

CREATE FUNCTION bouncemx.is_erased(the_key text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM bouncemx_private.pepper p, bouncemx.erased e
      WHERE e.address_hash = sha256(p.outer_block || sha256(p.inner_block || convert_to(the_key, 'UTF8')))
        AND e.pepper_id = p.id;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION bouncemx.is_erased(text) IS 'Is this the address key of an erased person?';
REVOKE ALL ON FUNCTION bouncemx.is_erased(text) FROM PUBLIC;

CREATE FUNCTION bouncemx.quick_key(address text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN strpos(address, '"') > 0 OR right(address, 1) = '.' THEN bouncemx.address_key(address)
                ELSE lower(address COLLATE "C") END;
COMMENT ON FUNCTION bouncemx.quick_key(text) IS 'As address_key, but without looking whether it is an address: what is none has a key that no row has. For look-ups.';

CREATE FUNCTION bouncemx.is_suppressed(address text, stream text DEFAULT NULL, tenant text DEFAULT NULL,
                                       the_time timestamptz DEFAULT now())
    RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    the_key    text := bouncemx.quick_key(is_suppressed.address);
    the_stream text := is_suppressed.stream;
    the_tenant text := is_suppressed.tenant;
BEGIN
    PERFORM FROM bouncemx.suppression s
      WHERE s.address_key = the_key AND s.state = 'active'
        AND (s.expires_at IS NULL OR s.expires_at > the_time)
        AND (the_tenant IS NULL OR s.tenant = the_tenant OR s.scope = 'global')
        AND (the_stream IS NULL OR s.stream = the_stream OR s.scope <> 'stream')
        AND NOT bouncemx.is_allowed(the_key, CASE s.scope WHEN 'global' THEN coalesce(the_tenant, '') ELSE s.tenant END);
    IF FOUND THEN
        RETURN true;
    END IF;
    -- For as long as nobody was erased this is one look at an empty table.
    IF EXISTS (SELECT FROM bouncemx.erased) THEN
        RETURN coalesce(bouncemx.is_erased(the_key), false);
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION bouncemx.is_suppressed(text, text, text, timestamptz) IS 'Must this address (its domain an A-label) get no mail of the stream and the tenant (NULL: of any)? For joins over many addresses. Rows that wait or have ended do not count, the allow-list wins, erased people are suppressed. What is no address is not suppressed.';

CREATE FUNCTION bouncemx.check_keys(addresses text[], keys text[], the_stream text, the_tenant text, the_time timestamptz)
    RETURNS TABLE (place bigint, address text, address_key text, suppressed boolean,
                   state bouncemx.suppression_state, scope bouncemx.suppression_scope, stream text,
                   tenant text, kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, reason text, rule text, event_id uuid,
                   expires_at timestamptz, erased boolean, allowed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH asked AS MATERIALIZED (
        SELECT a.place, a.address, a.key COLLATE "C" AS key
          FROM unnest(addresses, keys) WITH ORDINALITY a (address, key, place)),
    hit AS (
        SELECT a.place, s.state, s.scope, s.stream, s.tenant, s.kind, s.class, s.category, s.reason,
               s.rule, s.event_id, s.expires_at, false AS erased,
               bouncemx.is_allowed(a.key, CASE s.scope WHEN 'global' THEN coalesce(the_tenant, '') ELSE s.tenant END) AS allowed
          FROM asked a
          JOIN bouncemx.suppression s ON s.address_key = a.key
         WHERE (s.expires_at IS NULL OR s.expires_at > the_time)
           AND (the_tenant IS NULL OR s.tenant = the_tenant OR s.scope = 'global')
           AND (the_stream IS NULL OR s.stream = the_stream OR s.scope <> 'stream')
        UNION ALL
        SELECT a.place, 'active', 'global', '', '', e.kind, NULL, NULL, NULL, NULL, NULL, NULL, true, false
          FROM bouncemx.erasures_of(keys) e
          JOIN asked a ON a.key = e.address_key)
    SELECT a.place, a.address, a.key,
           CASE WHEN a.key IS NOT NULL
                THEN coalesce(bool_or(h.state = 'active' AND NOT h.allowed) OVER (PARTITION BY a.place), false) END,
           h.state, h.scope, h.stream, h.tenant, h.kind, h.class, h.category, h.reason, h.rule,
           h.event_id, h.expires_at, coalesce(h.erased, false),
           coalesce(h.allowed, a.key IS NOT NULL AND bouncemx.is_allowed(a.key, coalesce(the_tenant, '')))
      FROM asked a
      LEFT JOIN hit h ON h.place = a.place
     ORDER BY a.place, h.scope, h.tenant, h.stream;
END;
COMMENT ON FUNCTION bouncemx.check_keys(text[], text[], text, text, timestamptz) IS 'check_addresses for addresses whose keys were made elsewhere (NULL: it is no address).';

CREATE FUNCTION bouncemx.check_addresses(addresses text[], the_stream text DEFAULT NULL, the_tenant text DEFAULT NULL,
                                         the_time timestamptz DEFAULT now())
    RETURNS TABLE (place bigint, address text, address_key text, suppressed boolean,
                   state bouncemx.suppression_state, scope bouncemx.suppression_scope, stream text,
                   tenant text, kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, reason text, rule text, event_id uuid,
                   expires_at timestamptz, erased boolean, allowed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT * FROM bouncemx.check_keys(addresses, ARRAY(SELECT bouncemx.address_key(a.address)
                                                         FROM unnest(addresses) WITH ORDINALITY a (address, n)
                                                        ORDER BY a.n), the_stream, the_tenant, the_time);
END;
COMMENT ON FUNCTION bouncemx.check_addresses(text[], text, text, timestamptz) IS 'Many addresses at once, in their order (place, from 1): each row of the list that speaks for one, or one row without scope where none does. suppressed is the answer for the address (NULL: it is no address with an A-label domain): rows whose state is pending, and those that the allow-list overrules (allowed), do not count. erased: the person was erased and is never mailed.';

-- ---- pages of the list -------------------------------------------------------------------------

DROP FUNCTION bouncemx.suppressions(text, bigint, text, timestamptz);
CREATE FUNCTION bouncemx.suppressions(the_tenant text, how_many bigint, after_key text, the_time timestamptz,
                                      the_scope bouncemx.suppression_scope DEFAULT NULL, the_stream text DEFAULT NULL,
                                      the_kind bouncemx.event_kind DEFAULT NULL,
                                      the_state bouncemx.suppression_state DEFAULT NULL)
    RETURNS TABLE (address text, address_key text, tenant text, scope bouncemx.suppression_scope,
                   stream text, state bouncemx.suppression_state, origin bouncemx.suppression_origin,
                   kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, confidence bouncemx.bounce_confidence,
                   rule text, operator text, event_stream text, source bouncemx.address_source,
                   status text, diagnostic text, evidence text, event_id uuid,
                   event_at timestamptz, expires_at timestamptz, created_at timestamptz,
                   events bigint, last_event_id uuid, last_event_at timestamptz,
                   reason text, actor text, times integer)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.stream, s.state, s.origin, s.kind, s.class,
           s.category, s.confidence, s.rule, s.mx_operator, s.event_stream, s.source, s.status,
           s.diagnostic, s.evidence_text, s.event_id, s.event_at, s.expires_at, s.created_at,
           s.events, s.last_event_id, s.last_event_at, s.reason, s.actor, s.times
      FROM bouncemx.suppression s
     WHERE (the_tenant IS NULL OR s.tenant = the_tenant)
       AND (the_scope IS NULL OR s.scope = the_scope)
       AND (the_stream IS NULL OR s.scope = 'stream' AND s.stream = the_stream)
       AND (the_kind IS NULL OR s.kind = the_kind)
       AND (the_state IS NULL OR s.state = the_state)
       AND (after_key IS NULL OR s.address_key > after_key)
       AND (s.expires_at IS NULL OR s.expires_at > the_time)
     ORDER BY s.address_key
     FETCH FIRST how_many ROWS WITH TIES;
END;
COMMENT ON FUNCTION bouncemx.suppressions(text, bigint, text, timestamptz, bouncemx.suppression_scope, text, bouncemx.event_kind, bouncemx.suppression_state) IS 'A page of the list in the order of its keys, as it stands at a time: of one tenant, scope, stream, kind and state (NULL: all), how_many rows (and those of the last one''s address that would be cut off), with keys behind after_key (NULL: from the start). Rows whose state is pending wait: they do not suppress.';

DROP FUNCTION bouncemx.suppression_of(text, timestamptz);
CREATE FUNCTION bouncemx.suppression_of(the_key text, the_time timestamptz)
    RETURNS TABLE (address text, address_key text, tenant text, scope bouncemx.suppression_scope,
                   stream text, state bouncemx.suppression_state, origin bouncemx.suppression_origin,
                   kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, confidence bouncemx.bounce_confidence,
                   rule text, operator text, event_stream text, source bouncemx.address_source,
                   status text, diagnostic text, evidence text, event_id uuid,
                   event_at timestamptz, expires_at timestamptz, created_at timestamptz,
                   events bigint, last_event_id uuid, last_event_at timestamptz,
                   reason text, actor text, times integer, erased boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.stream, s.state, s.origin, s.kind, s.class,
           s.category, s.confidence, s.rule, s.mx_operator, s.event_stream, s.source, s.status,
           s.diagnostic, s.evidence_text, s.event_id, s.event_at, s.expires_at, s.created_at,
           s.events, s.last_event_id, s.last_event_at, s.reason, s.actor, s.times, false
      FROM bouncemx.suppression s
     WHERE s.address_key = the_key
       AND (s.expires_at IS NULL OR s.expires_at > the_time)
    UNION ALL
    SELECT NULL, e.address_key, '', 'global', '', 'active', NULL, e.kind, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, e.erased_at, NULL, NULL, NULL, NULL, NULL,
           NULL, true
      FROM bouncemx.erasures_of(ARRAY[the_key]) e
     ORDER BY 3, 4, 5;
END;
COMMENT ON FUNCTION bouncemx.suppression_of(text, timestamptz) IS 'Every row of an address, given by its key, at a time. Rows whose state is pending wait: they do not suppress. Of an erased person: one row, without its address.';

DROP FUNCTION bouncemx.suppressed(text, text, text, timestamptz);
CREATE FUNCTION bouncemx.suppressed(the_key text, the_tenant text, the_stream text, the_time timestamptz)
    RETURNS TABLE (address_key text, suppressed boolean, tenant text,
                   scope bouncemx.suppression_scope, stream text, state bouncemx.suppression_state,
                   kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, reason text, rule text, event_id uuid,
                   expires_at timestamptz, erased boolean, allowed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.address_key, c.suppressed, c.tenant, c.scope, c.stream, c.state, c.kind, c.class,
           c.category, c.reason, c.rule, c.event_id, c.expires_at, c.erased, c.allowed
      FROM bouncemx.check_keys(ARRAY[the_key], ARRAY[the_key], the_stream, the_tenant, the_time) c
     ORDER BY c.state, c.allowed, c.scope, c.tenant, c.stream
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.suppressed(text, text, text, timestamptz) IS 'One row: is the address of this key suppressed for the tenant and the stream (NULL: for any) at a time, and by what; of those that hold the widest scope wins. Where none holds, one that waits or that the allow-list overrules is shown.';

-- ---- adding ------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.key_for_people(the_address text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    the_key text := bouncemx.address_key(the_address);
BEGIN
    IF the_key IS NULL THEN
        RAISE EXCEPTION '%: expected an address such as user@example.com, its domain as an A-label',
            coalesce(left(the_address, 254), 'NULL');
    END IF;
    RETURN the_key;
END $$;
COMMENT ON FUNCTION bouncemx.key_for_people(text) IS 'As address_key, with an error for what is no address.';

CREATE FUNCTION bouncemx.expire_address(the_key text, the_time timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM bouncemx.suppression s WHERE s.address_key = the_key AND s.expires_at <= the_time) THEN
        PERFORM set_config('bouncemx.op', 'expire', true);
        DELETE FROM bouncemx.suppression s WHERE s.address_key = the_key AND s.expires_at <= the_time;
        PERFORM set_config('bouncemx.op', '', true);
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.expire_address(text, timestamptz) IS 'Takes rows of an address off whose time is over.';

CREATE FUNCTION bouncemx.suppression_add(
    the_address text, the_tenant text, the_scope bouncemx.suppression_scope, the_stream text,
    the_reason text, the_kind bouncemx.event_kind DEFAULT 'other', the_expires timestamptz DEFAULT NULL,
    the_time timestamptz DEFAULT now())
    RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    the_key text := bouncemx.key_for_people(the_address);
    tenant_ text := coalesce(the_tenant, '');
    stream_ text := coalesce(the_stream, '');
    old     bouncemx.suppression;
    guarded boolean;
BEGIN
    IF the_kind NOT IN ('bounce', 'complaint', 'unsubscribe', 'other') THEN
        RAISE EXCEPTION 'kind %: expected bounce, complaint, unsubscribe or other', the_kind;
    ELSIF the_scope = 'global' AND tenant_ <> '' THEN
        RAISE EXCEPTION 'scope global holds for every tenant: it takes no tenant';
    ELSIF the_scope <> 'stream' AND stream_ <> '' THEN
        RAISE EXCEPTION 'scope % holds for every stream: it takes no stream', the_scope;
    ELSIF the_expires <= the_time THEN
        RAISE EXCEPTION 'its end, %, is over', to_char(the_expires AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    ELSIF bouncemx.is_allowed(the_key, tenant_) THEN
        RAISE EXCEPTION '%: the allow-list holds it, which wins: take it off there first', the_address;
    ELSIF EXISTS (SELECT FROM bouncemx.erasures_of(ARRAY[the_key])) THEN
        RETURN 'erased';
    END IF;
    PERFORM bouncemx.expire_address(the_key, the_time);
    LOOP
        SELECT * INTO old FROM bouncemx.suppression s
         WHERE s.address_key = the_key AND s.tenant = tenant_ AND s.scope = the_scope AND s.stream = stream_
           FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO bouncemx.suppression (
            address_key, tenant, scope, stream, address, event_stream, event_at, kind, origin, reason,
            actor, expires_at, events, last_event_at, created_at)
        VALUES (the_key, tenant_, the_scope, stream_, the_address, stream_, the_time, the_kind, 'manual',
                the_reason, bouncemx.actor(), the_expires, 0, the_time, the_time)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 'added';
        END IF;
    END LOOP;
    -- Of an event, or what a person asked for: only lengthened, or made to hold. What a person or an
    -- import said: said anew.
    guarded := old.origin = 'event' OR old.kind IN ('complaint', 'unsubscribe');
    IF guarded THEN
        IF old.expires_at IS NULL OR the_expires < old.expires_at THEN
            the_expires := old.expires_at;
        END IF;
        IF old.origin = 'event' OR the_kind <> 'complaint' THEN
            the_kind := old.kind;
        END IF;
    END IF;
    IF old.state = 'active' AND old.expires_at IS NOT DISTINCT FROM the_expires AND old.kind = the_kind
       AND (guarded OR old.reason IS NOT DISTINCT FROM coalesce(the_reason, old.reason)) THEN
        RETURN 'unchanged';
    END IF;
    PERFORM set_config('bouncemx.reason', coalesce(the_reason, ''), true);
    UPDATE bouncemx.suppression s
       SET state = 'active', held_key = NULL, held_hour = NULL, expires_at = the_expires, kind = the_kind,
           reason = coalesce(the_reason, s.reason), actor = bouncemx.actor()
     WHERE s.address_key = the_key AND s.tenant = tenant_ AND s.scope = the_scope AND s.stream = stream_;
    PERFORM set_config('bouncemx.reason', '', true);
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION bouncemx.suppression_add(text, text, bouncemx.suppression_scope, text, text, bouncemx.event_kind, timestamptz, timestamptz) IS 'Puts an address on the list by hand; returns added, changed, unchanged, or erased (the person was erased, and is suppressed for good). A row that an event made, and any complaint or unsubscribe, is only lengthened, or made to hold when it waits; it keeps its words and its event. A row that a person or an import made takes the new reason, kind and end. What the allow-list holds is refused. Who: bouncemx.actor().';

-- ---- removing ----------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.forget_counts(the_key text, the_tenant text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bouncemx.address_score s SET days = '{}', points = '{}', score = 0, past = s.times, holds_until = NULL
     WHERE s.address_key = the_key AND (the_tenant IS NULL OR s.tenant = the_tenant) AND s.days <> '{}';
    DELETE FROM bouncemx.struck s WHERE s.address_key = the_key AND (the_tenant IS NULL OR s.tenant = the_tenant);
    DELETE FROM bouncemx.strike s WHERE s.address_key = the_key AND (the_tenant IS NULL OR s.tenant = the_tenant);
END $$;
COMMENT ON FUNCTION bouncemx.forget_counts(text, text) IS 'Strikes and soft bounces of an address (NULL: for every tenant) count no longer; how often it was suppressed for soft ones stays.';

CREATE FUNCTION bouncemx.suppression_remove(
    the_address text, the_tenant text, the_scope bouncemx.suppression_scope, the_stream text,
    the_reason text, force boolean, the_time timestamptz DEFAULT now())
    RETURNS TABLE (address_key text, tenant text, scope bouncemx.suppression_scope, stream text,
                   state bouncemx.suppression_state, origin bouncemx.suppression_origin,
                   kind bouncemx.event_kind, category bouncemx.bounce_category, event_id uuid, erased boolean)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    the_key text := bouncemx.key_for_people(the_address);
    gone    bouncemx.suppression[];
    kept    text;
    hashes  bytea[];
    was     bouncemx.event_kind;
BEGIN
    IF force AND coalesce(the_reason, '') = '' THEN
        RAISE EXCEPTION 'with force a reason is needed';
    END IF;
    IF the_tenant IS NULL AND the_scope IS NULL AND the_stream IS NULL THEN
        SELECT array_agg(bouncemx.address_hash(the_key, p)) INTO hashes
          FROM (SELECT DISTINCT e.pepper_id FROM bouncemx.erased e) e (p);
        IF EXISTS (SELECT FROM bouncemx.erased e WHERE e.address_hash = ANY (hashes)) THEN
            IF NOT coalesce(force, false) THEN
                RAISE EXCEPTION '%: was erased: only force lets it get mail again', the_address;
            END IF;
            DELETE FROM bouncemx.erased e WHERE e.address_hash = ANY (hashes) RETURNING e.kind INTO was;
            -- By its hash: the address itself does not come back here.
            INSERT INTO bouncemx.audit (action, object, detail)
            VALUES ('erased.delete', encode(hashes[1], 'hex'), jsonb_build_object('reason', the_reason));
            RETURN QUERY SELECT the_key, '', 'global'::bouncemx.suppression_scope, '', NULL::bouncemx.suppression_state,
                                NULL::bouncemx.suppression_origin, was, NULL::bouncemx.bounce_category, NULL::uuid, true;
        END IF;
    END IF;
    -- In the order in which writers take them, so that none waits in a circle.
    IF EXISTS (SELECT FROM bouncemx.suppression s
                WHERE s.address_key = the_key AND s.kind = 'bounce' AND (the_tenant IS NULL OR s.tenant = the_tenant)
                  AND (the_scope IS NULL OR s.scope = the_scope) AND (the_stream IS NULL OR s.stream = the_stream)) THEN
        PERFORM bouncemx.forget_counts(the_key, the_tenant);
    END IF;
    PERFORM bouncemx.expire_address(the_key, the_time);
    PERFORM set_config('bouncemx.reason', coalesce(the_reason, ''), true);
    WITH taken AS (
        DELETE FROM bouncemx.suppression s
         WHERE s.address_key = the_key AND (the_tenant IS NULL OR s.tenant = the_tenant)
           AND (the_scope IS NULL OR s.scope = the_scope) AND (the_stream IS NULL OR s.stream = the_stream)
        RETURNING s.*)
    SELECT array_agg(t::bouncemx.suppression) INTO gone FROM taken t;
    PERFORM set_config('bouncemx.reason', '', true);
    SELECT string_agg(concat_ws(' ', g.kind, 'for', CASE g.scope WHEN 'stream' THEN 'stream ' || quote_ident(g.stream) || ' of tenant ' || quote_ident(g.tenant)
                                                                WHEN 'tenant' THEN 'tenant ' || quote_ident(g.tenant) ELSE 'everybody' END),
                      ', ' ORDER BY g.tenant, g.scope, g.stream)
      INTO kept FROM unnest(gone) g WHERE g.kind IN ('complaint', 'unsubscribe');
    IF kept IS NOT NULL AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION '%: % is removed only with force; nothing was removed', the_address, kept;
    END IF;
    RETURN QUERY SELECT g.address_key, g.tenant, g.scope, g.stream, g.state, g.origin, g.kind, g.category, g.event_id, false
                   FROM unnest(gone) g ORDER BY g.tenant, g.scope, g.stream;
END $$;
COMMENT ON FUNCTION bouncemx.suppression_remove(text, text, bouncemx.suppression_scope, text, text, boolean, timestamptz) IS 'Takes an address off the list by hand, from the rows of a tenant, scope and stream (NULL: of all); returns what went. Complaints, unsubscribes and erased people only with force, which needs a reason: otherwise nothing is removed. With a bounce its strikes and soft bounces count no longer; tokens stay used up, so that no replay brings a row back. Who: bouncemx.actor().';

-- ---- taking back what an event did -------------------------------------------------------------

CREATE FUNCTION bouncemx.undo_event(the_event uuid, the_reason text, force boolean DEFAULT false,
                                    the_time timestamptz DEFAULT now())
    RETURNS TABLE (place text, did text, tenant text, scope bouncemx.suppression_scope, stream text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    e     bouncemx.event;
    r     bouncemx.suppression;
    n     bigint;
    day   date;
    heir  uuid;
BEGIN
    SELECT * INTO e FROM bouncemx.event v WHERE v.id = the_event FOR UPDATE;
    IF e.id IS NULL THEN
        RAISE EXCEPTION '%: no such event', the_event;
    ELSIF e.effect = 'undone' THEN
        RAISE EXCEPTION '%: was undone already', the_event;
    ELSIF e.effect NOT IN ('suppressed', 'pending', 'counted', 'strike', 'soft') THEN
        RAISE EXCEPTION '%: did nothing to the list (%)', the_event, e.effect;
    ELSIF e.kind IN ('complaint', 'unsubscribe') AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION '%: a % is undone only with force', the_event, e.kind;
    ELSIF e.address_key IS NULL THEN
        RAISE EXCEPTION '%: its person was erased', the_event;
    END IF;
    day := (e.received_at AT TIME ZONE 'UTC')::date;

    -- A day counts once: it stays when another soft bounce of it stands.
    IF e.class = 'soft' AND NOT EXISTS (
            SELECT FROM bouncemx.event o
             WHERE o.address_key = e.address_key AND o.tenant = e.tenant AND o.id <> the_event AND o.class = 'soft'
               AND o.effect IN ('soft', 'suppressed', 'pending', 'counted')
               AND o.received_at >= day::timestamp AT TIME ZONE 'UTC'
               AND o.received_at < (day + 1)::timestamp AT TIME ZONE 'UTC') THEN
        UPDATE bouncemx.address_score s
           SET score = greatest(s.score - s.points[array_position(s.days, day)], 0),
               points = (SELECT coalesce(array_agg(p ORDER BY d), '{}') FROM unnest(s.days, s.points) u (d, p) WHERE d <> day),
               days = array_remove(s.days, day)
         WHERE s.address_key = e.address_key AND s.tenant = e.tenant AND s.stream IN ('', e.stream)
           AND day = ANY (s.days);
        IF FOUND THEN
            RETURN QUERY SELECT 'score', 'removed', e.tenant, NULL::bouncemx.suppression_scope, NULL::text;
        END IF;
    END IF;

    DELETE FROM bouncemx.strike s
     WHERE s.address_key = e.address_key AND s.tenant = e.tenant AND s.event_id = the_event;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        UPDATE bouncemx.struck s SET strikes = greatest(s.strikes - 1, 0)
         WHERE s.address_key = e.address_key AND s.tenant = e.tenant;
        RETURN QUERY SELECT 'strike', 'removed', e.tenant, NULL::bouncemx.suppression_scope, NULL::text;
    END IF;

    PERFORM set_config('bouncemx.reason', coalesce(the_reason, 'undone'), true);
    FOR r IN SELECT * FROM bouncemx.suppression s WHERE s.event_id = the_event FOR UPDATE LOOP
        -- Another one that would have suppressed just as well keeps the row.
        SELECT o.id INTO heir FROM bouncemx.event o
         WHERE o.address_key = r.address_key AND o.tenant = e.tenant AND o.effect = 'counted' AND o.kind = r.kind
           AND o.id <> the_event AND (r.scope <> 'stream' OR o.stream = r.stream)
           AND o.received_at >= r.created_at - interval '400 days'
         ORDER BY o.received_at DESC LIMIT 1;
        IF heir IS NULL THEN
            DELETE FROM bouncemx.suppression s
             WHERE s.address_key = r.address_key AND s.tenant = r.tenant AND s.scope = r.scope AND s.stream = r.stream;
        ELSE
            UPDATE bouncemx.suppression s
               SET event_id = o.id, event_at = o.received_at, event_stream = o.stream, class = o.class,
                   category = o.category, confidence = o.confidence, rule = o.rule, mx_operator = o.mx_operator,
                   source = o.source, status = o.status, diagnostic = o.diagnostic,
                   evidence_text = o.evidence_text, events = greatest(s.events - 1, 1)
              FROM bouncemx.event o
             WHERE o.id = heir AND s.address_key = r.address_key AND s.tenant = r.tenant
               AND s.scope = r.scope AND s.stream = r.stream;
        END IF;
        IF e.class = 'soft' THEN
            UPDATE bouncemx.address_score s
               SET times = greatest(s.times - 1, 0), past = least(s.past, greatest(s.times - 1, 0)), holds_until = NULL
             WHERE s.address_key = e.address_key AND s.tenant = e.tenant AND s.stream IN ('', e.stream);
        END IF;
        RETURN QUERY SELECT 'suppression', CASE WHEN heir IS NULL THEN 'removed' ELSE 'kept by ' || heir END,
                            r.tenant, r.scope, r.stream;
    END LOOP;
    IF NOT FOUND AND e.effect = 'counted' THEN
        RETURN QUERY
        UPDATE bouncemx.suppression s SET events = greatest(s.events - 1, 1)
         WHERE s.address_key = e.address_key AND s.tenant = e.tenant AND s.kind = e.kind
           AND (s.scope <> 'stream' OR s.stream = e.stream)
        RETURNING 'suppression', 'counted down', s.tenant, s.scope, s.stream;
    END IF;
    PERFORM set_config('bouncemx.reason', '', true);

    UPDATE bouncemx.event v SET effect = 'undone' WHERE v.id = the_event AND v.received_at = e.received_at;
    INSERT INTO bouncemx.audit (action, object, detail)
    VALUES ('event.undo', the_event::text,
            jsonb_strip_nulls(jsonb_build_object('before', e.effect, 'reason', the_reason, 'time', the_time)));
END $$;
COMMENT ON FUNCTION bouncemx.undo_event(uuid, text, boolean, timestamptz) IS 'Takes back what one event did: its strike, its day of the soft score, and the row of the list that it made, unless another event of the kind spoke for that row too: then the row is that one''s. Returns what was done; the event''s effect becomes undone. A complaint or unsubscribe only with force. Its token stays used up.';

-- ---- the allow-list ----------------------------------------------------------------------------

CREATE FUNCTION bouncemx.allowed_list(the_tenant text DEFAULT NULL)
    RETURNS TABLE (address text, tenant text, reason text, actor text, created_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.address_key, a.tenant, a.reason, a.actor, a.created_at
      FROM bouncemx.allowed a
     WHERE the_tenant IS NULL OR a.tenant = the_tenant
     ORDER BY a.address_key, a.tenant;
END;
COMMENT ON FUNCTION bouncemx.allowed_list(text) IS 'The allow-list, of one tenant (empty: what is allowed for all; NULL: everything).';
