-- Erasure: a person leaves every table, and only the keyed hash of the address stays.

ALTER TABLE bouncemx.erased ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
COMMENT ON COLUMN bouncemx.erased.xid IS 'The transaction that recorded it: what older ones still write about the person comes after it.';

CREATE FUNCTION bouncemx.without_address(t text, the_key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN t IS NULL OR strpos(lower(t), the_key) = 0 AND strpos(lower(t), replace(the_key, '@', '=')) = 0 THEN t
                ELSE regexp_replace(regexp_replace(t, '***=' || the_key, '(erased)', 'gi'),
                                    '***=' || replace(the_key, '@', '='), '(erased)', 'gi') END;
COMMENT ON FUNCTION bouncemx.without_address(text, text) IS 'A text with (erased) wherever it holds the address of this key, also as it stands in return paths (user=domain).';

CREATE FUNCTION bouncemx.names_address(t text, the_key text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN strpos(lower(t), the_key) > 0 OR strpos(lower(t), replace(the_key, '@', '=')) > 0;
COMMENT ON FUNCTION bouncemx.names_address(text, text) IS 'Does a text hold the address of this key, as it is or as user=domain?';

CREATE FUNCTION bouncemx.erased_name(the_hash bytea) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'erased-' || encode(substr(the_hash, 1, 16), 'hex') || '@erased.invalid';
COMMENT ON FUNCTION bouncemx.erased_name(bytea) IS 'What stands in sent in place of an erased recipient. It counts as erased itself, so that reports by the opaque tokens of its mail are dropped too.';

CREATE FUNCTION bouncemx.erase_messages(the_key text, events uuid[])
    RETURNS TABLE (place text, rows bigint)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    messages uuid[];
    n        bigint;
    others   bigint;
BEGIN
    SELECT array_agg(DISTINCT bouncemx.message_of(i)) INTO messages FROM unnest(events) i;
    -- Uses that a report without a token had: their hash is over the address.
    WITH used AS (
        SELECT e.id, (e.received_at AT TIME ZONE 'UTC')::date AS day
          FROM bouncemx.event e WHERE e.id = ANY (events) AND e.token IS NULL)
    DELETE FROM bouncemx.content_seen c USING used u WHERE c.day = u.day AND c.event_id = u.id;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'content_seen', n;
    DELETE FROM bouncemx.event_waiting w WHERE w.event_id = ANY (events);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'event_waiting', n;
    DELETE FROM bouncemx.evidence v WHERE v.id = ANY (messages);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'evidence', n;

    UPDATE bouncemx.event e
       SET address = NULL, address_key = NULL, final_recipient = NULL, diagnostic = NULL,
           evidence_text = NULL, token = NULL, token_id = NULL, token_day = NULL, remote_mta = NULL,
           reporting_mta = NULL, original_message_id = NULL, final_log_id = NULL, lookup_url = NULL
     WHERE e.id = ANY (events);
    GET DIAGNOSTICS n = ROW_COUNT;
    -- The same report may speak of others: they keep what does not name the person.
    UPDATE bouncemx.event e
       SET final_recipient = bouncemx.without_address(e.final_recipient, the_key),
           diagnostic = bouncemx.without_address(e.diagnostic, the_key),
           evidence_text = bouncemx.without_address(e.evidence_text, the_key),
           lookup_url = bouncemx.without_address(e.lookup_url, the_key),
           final_log_id = bouncemx.without_address(e.final_log_id, the_key),
           original_message_id = bouncemx.without_address(e.original_message_id, the_key)
      FROM unnest(messages) m (id)
     WHERE e.id > m.id AND e.id <= bouncemx.last_of(m.id) AND NOT e.id = ANY (events)
       AND bouncemx.names_address(concat_ws(' ', e.final_recipient, e.diagnostic, e.evidence_text, e.lookup_url,
                                            e.final_log_id, e.original_message_id), the_key);
    GET DIAGNOSTICS others = ROW_COUNT;
    RETURN QUERY SELECT 'event', n + others;

    UPDATE bouncemx.message m
       SET mail_from = CASE m.mail_from WHEN '' THEN '' END, helo = NULL, subject = NULL, header_from = NULL,
           reporting_mta = NULL,
           rcpt_to = ARRAY(SELECT '@' || split_part(r, '@', -1) FROM unnest(m.rcpt_to) WITH ORDINALITY u (r, k) ORDER BY k),
           original_message_id = NULL, content_hash = NULL, envelope_id = NULL, original_from = NULL,
           original_to = NULL, original_return_path = NULL, feedback_id = NULL, list_id = NULL,
           list_unsubscribe = NULL, cfbl_address = NULL, cfbl_feedback_id = NULL
     WHERE m.id = ANY (messages);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'message', n;
END $$;
COMMENT ON FUNCTION bouncemx.erase_messages(text, uuid[]) IS 'For erase: takes the person out of these events and of the messages that they came from. The raw mail goes as a whole, and every field of the message that a sender wrote.';

CREATE FUNCTION bouncemx.erase_list(the_key text, the_reason text, hashes bytea[])
    RETURNS TABLE (place text, rows bigint)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    had boolean := EXISTS (SELECT FROM bouncemx.suppression s WHERE s.address_key = the_key);
    n   bigint;
    escaped text := substr(to_jsonb(the_key)::text, 2, length(to_jsonb(the_key)::text) - 2);
BEGIN
    DELETE FROM bouncemx.address_score s WHERE s.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'address_score', n;
    DELETE FROM bouncemx.struck s WHERE s.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'struck', n;
    DELETE FROM bouncemx.strike s WHERE s.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'strike', n;

    -- Readers of the feed forget the address, and go on not to write to it.
    PERFORM set_config('bouncemx.op', 'redact', true);
    DELETE FROM bouncemx.suppression s WHERE s.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM set_config('bouncemx.op', '', true);
    RETURN QUERY SELECT 'suppression', n;
    IF NOT had THEN
        INSERT INTO bouncemx.suppression_change (address_hash, op, tenant, scope, stream, actor)
        SELECT c.address_hash, 'redact', c.tenant, c.scope, c.stream, bouncemx.actor()
          FROM (SELECT DISTINCT c.address_hash, c.tenant, c.scope, c.stream FROM bouncemx.suppression_change c
                 WHERE c.address_hash = ANY (hashes) AND c.address_key IS NOT NULL) c
         ORDER BY c.tenant, c.scope, c.stream;
    END IF;
    UPDATE bouncemx.suppression_change c
       SET address_key = NULL, address = NULL, evidence_text = NULL, reason = NULL
     WHERE c.address_hash = ANY (hashes) AND (c.address_key IS NOT NULL OR c.address IS NOT NULL);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'suppression_change', n;

    DELETE FROM bouncemx.allowed a WHERE a.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'allowed', n;
    UPDATE bouncemx.audit a
       SET object = bouncemx.without_address(a.object, the_key),
           detail = bouncemx.without_address(bouncemx.without_address(a.detail::text, escaped), the_key)::jsonb
     WHERE bouncemx.names_address(a.object, the_key) OR bouncemx.names_address(a.detail::text, the_key)
        OR bouncemx.names_address(a.detail::text, escaped);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'audit', n;
    -- Not processed yet: it would be dropped unread.
    DELETE FROM bouncemx.set_aside s
     WHERE bouncemx.names_address(concat_ws(' ', s.mail_from, array_to_string(s.rcpt_to, ' '), s.reason, s.helo), the_key)
        OR bouncemx.names_address(encode(s.raw, 'escape'), the_key);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'set_aside', n;
END $$;
COMMENT ON FUNCTION bouncemx.erase_list(text, text, bytea[]) IS 'For erase: takes the person off the list, its changes (by the keyed hashes), scores, strikes, allow-list, audit and what was set aside.';

CREATE FUNCTION bouncemx.erase(the_address text, the_reason text, the_time timestamptz DEFAULT now(),
                               how_many integer DEFAULT 1000)
    RETURNS TABLE (place text, rows bigint, complete boolean)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    the_key text := bouncemx.key_for_people(the_address);
    now_by  integer := (SELECT max(p.id) FROM bouncemx_private.pepper p);
    hash    bytea := bouncemx.address_hash(the_key);
    hashes  bytea[] := ARRAY(SELECT bouncemx.address_hash(the_key, p.id) FROM bouncemx_private.pepper p);
    known   bouncemx.erased;
    events  uuid[];
    tokens  text[];
    days    date[];
    n       bigint;
    did     boolean := false;
BEGIN
    IF coalesce(the_reason, '') = '' THEN
        RAISE EXCEPTION 'an erasure needs a reason';
    ELSIF how_many NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'how_many %: expected 1 to 100000', how_many;
    END IF;
    -- First of all, so that from its commit on nothing of the person is written any more.
    INSERT INTO bouncemx.erased (address_hash, pepper_id, kind, erased_at)
    SELECT hash, now_by, (SELECT min(s.kind) FROM bouncemx.suppression s WHERE s.address_key = the_key), the_time
     WHERE NOT EXISTS (SELECT FROM bouncemx.erased e WHERE e.address_hash = ANY (hashes))
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO bouncemx.erased (address_hash, pepper_id, kind, erased_at)
        VALUES (bouncemx.address_hash(bouncemx.erased_name(hash)), now_by, NULL, the_time)
        ON CONFLICT DO NOTHING;
        INSERT INTO bouncemx.audit (action, object, detail)
        VALUES ('erase', encode(hash, 'hex'), jsonb_build_object('reason', bouncemx.without_address(the_reason, the_key)));
        did := true;
    END IF;
    SELECT * INTO known FROM bouncemx.erased e WHERE e.address_hash = ANY (hashes);

    SELECT array_agg(e.id), array_agg(e.token) FILTER (WHERE e.token IS NOT NULL),
           array_agg(e.token_day) FILTER (WHERE e.token IS NOT NULL)
      INTO events, tokens, days
      FROM (SELECT v.id, v.token, v.token_day FROM bouncemx.event v
             WHERE v.address_key = the_key LIMIT how_many) e;
    -- Later ones by them are dropped before they could count.
    DELETE FROM bouncemx.token_seen t USING unnest(tokens, days) u (token, day)
     WHERE t.token = u.token AND t.day = u.day;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'token_seen', n, false WHERE n > 0;
    DELETE FROM bouncemx.token_flood t USING unnest(tokens, days) u (token, day)
     WHERE t.token = u.token AND t.day = u.day;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'token_flood', n, false WHERE n > 0;
    FOR place, rows IN SELECT * FROM bouncemx.erase_list(the_key, the_reason, hashes) LOOP
        did := did OR rows > 0;
        complete := false;
        IF rows > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    IF events IS NOT NULL THEN
        did := true;
        FOR place, rows IN SELECT * FROM bouncemx.erase_messages(the_key, events) LOOP
            complete := false;
            IF rows > 0 THEN
                RETURN NEXT;
            END IF;
        END LOOP;
    END IF;
    RETURN QUERY SELECT 'erased', (NOT did OR known.xid = pg_current_xact_id())::integer::bigint,
                        NOT did AND known.xid < pg_snapshot_xmin(pg_current_snapshot());
END $$;
COMMENT ON FUNCTION bouncemx.erase(text, text, timestamptz, integer) IS 'Erases a person: of how_many events a call, and of everything else that knows the address by its key; the keyed hash stays, so that the address is suppressed for good and reports about it are dropped. Returns how many rows of which table it changed or deleted. Call it, each time in a transaction of its own, until the last row (place erased) is complete: nothing was left, and no transaction from before the hash still runs. erase_mentioned looks where no index leads.';

CREATE FUNCTION bouncemx.erase_mentioned(the_address text, since timestamptz, until timestamptz)
    RETURNS TABLE (place text, rows bigint)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    the_key text := bouncemx.key_for_people(the_address);
    name    text := bouncemx.erased_name(bouncemx.address_hash(the_key));
    since_day date := (since AT TIME ZONE 'UTC')::date;
    until_day date := (until AT TIME ZONE 'UTC')::date;
    events  uuid[];
    n       bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM bouncemx.erasures_of(ARRAY[the_key])) THEN
        RAISE EXCEPTION '%: was not erased yet', the_address;
    END IF;
    UPDATE bouncemx.sent s SET recipient = name, message_id = NULL
     WHERE s.day >= since_day AND s.day < until_day AND s.address_key = the_key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'sent', n WHERE n > 0;
    DELETE FROM bouncemx.token_seen t
     WHERE t.day >= since_day AND t.day < until_day AND bouncemx.names_address(t.token, the_key);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'token_seen', n WHERE n > 0;
    DELETE FROM bouncemx.token_flood t
     WHERE t.day >= since_day AND t.day < until_day AND bouncemx.names_address(t.token, the_key);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'token_flood', n WHERE n > 0;
    -- A page about a listing may be for one recipient: such a row of the roll-up is nobody else's.
    DELETE FROM bouncemx.block_daily b
     WHERE b.day >= since_day AND b.day <= until_day AND bouncemx.names_address(b.lookup_url, the_key);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT 'block_daily', n WHERE n > 0;
    -- Reports of others that name the person, and the person's own mail: the message as a whole. An id
    -- of ordinal 0 is no event, but leads to its message.
    SELECT array_agg(f.id) INTO events FROM (
        SELECT e.id FROM bouncemx.event e
         WHERE e.received_at >= since AND e.received_at < until
           AND bouncemx.names_address(concat_ws(' ', e.address, e.final_recipient, e.diagnostic, e.evidence_text,
                   e.token, e.lookup_url, e.final_log_id, e.original_message_id), the_key)
        UNION ALL
        SELECT m.id FROM bouncemx.message m
         WHERE m.received_at >= since AND m.received_at < until
           AND bouncemx.names_address(concat_ws(' ', m.mail_from, array_to_string(m.rcpt_to, ' '), m.subject, m.header_from,
                   m.original_to, m.original_from, m.original_return_path, m.original_message_id, m.envelope_id,
                   m.feedback_id, m.list_unsubscribe, m.cfbl_address, m.cfbl_feedback_id, m.helo), the_key)) f;
    IF events IS NOT NULL THEN
        -- Whose event it is decides what of it goes: another person's stays that person's.
        RETURN QUERY
        SELECT d.place, d.rows FROM bouncemx.erase_messages(the_key, ARRAY(
            SELECT CASE WHEN e.address_key IS NULL OR e.address_key = the_key THEN i ELSE bouncemx.message_of(i) END
              FROM unnest(events) i LEFT JOIN bouncemx.event e ON e.id = i)) d
         WHERE d.rows > 0;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.erase_mentioned(text, timestamptz, timestamptz) IS 'After erase: reads all that was sent (sent, tokens) or received (events, messages) between the two times for other places that name the person: mail sent to it, its own mail, reports about others. No index helps: give it a week at a time. Returns how many rows of which table it changed or deleted.';

CREATE FUNCTION bouncemx.weeks_kept() RETURNS TABLE (week bigint, since timestamptz, until timestamptz)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH edge AS (
        SELECT '-infinity'::timestamptz AS at
        UNION
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC'
          FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent IN ('bouncemx.message'::regclass, 'bouncemx.event'::regclass,
                               'bouncemx.sent'::regclass, 'bouncemx.token_seen'::regclass)
           AND c.relname ~ '_[0-9]{8}$')
    SELECT row_number() OVER (ORDER BY b.at), b.at, lead(b.at, 1, 'infinity') OVER (ORDER BY b.at)
      FROM edge b ORDER BY b.at;
END;
COMMENT ON FUNCTION bouncemx.weeks_kept() IS 'All of time, cut at the weeks of which there are partitions: what erase_mentioned is called with, one after the other.';
