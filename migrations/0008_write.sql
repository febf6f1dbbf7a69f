-- Writing, and resolving what waited.

DROP FUNCTION bouncemx.write_messages(
    text, uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], bigint[], boolean[],
    text[], text[], text[], text[], text[], text[], text[], bytea[],
    uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], text[], boolean[],
    boolean[], boolean[], text[], text[], text[], text[], text[], text[], text[], text[], smallint[],
    text[], text[], bigint[], text[], text[], text[], text[]);

CREATE FUNCTION bouncemx.write_messages(
    the_node text,
    -- one element a message
    m_id uuid[], m_received_at timestamptz[], m_client_address text[], m_helo text[],
    m_protocol text[], m_tls text[], m_mail_from text[], m_rcpt_to text[], m_size bigint[],
    m_truncated boolean[], m_kind text[], m_reader text[], m_subject text[], m_header_from text[],
    m_reporting_mta text[], m_original_message_id text[], m_feedback_type text[],
    m_user_agent text[], m_content_hash bytea[],
    m_envelope_id text[], m_arrival_date text[], m_source_ip text[], m_original_from text[],
    m_original_to text[], m_original_return_path text[], m_original_date text[],
    m_original_subject_hash bigint[], m_feedback_id text[], m_list_id text[],
    m_list_unsubscribe text[], m_cfbl_address text[], m_cfbl_feedback_id text[],
    m_dkim_domain text[],
    m_raw bytea[],
    -- one element an event
    e_id uuid[], e_received_at timestamptz[], e_kind text[], e_tenant text[], e_stream text[],
    e_address text[], e_address_key text[], e_final_recipient text[], e_source text[],
    e_verified boolean[], e_forwarded boolean[], e_trusted boolean[], e_class text[],
    e_category text[], e_fault text[], e_confidence text[], e_rule text[], e_mx_operator text[],
    e_action text[], e_status text[], e_reply_code smallint[], e_diagnostic text[],
    e_evidence_text text[], e_fingerprint bigint[], e_reporting_mta text[], e_remote_mta text[],
    e_original_message_id text[], e_feedback_type text[], e_verification text[], e_token text[],
    e_token_id text[], e_token_day date[], e_campaign text[], e_counts boolean[],
    e_capped boolean[], e_content bytea[],
    e_last_attempt text[], e_retry_until text[], e_final_log_id text[], e_listed_address text[],
    e_blocklist text[], e_lookup_url text[])
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    fresh   uuid[];
    written bigint;
    whole   boolean;
    effects bouncemx.event_effect[];
    kept    uuid[];
BEGIN
    -- A message that stands here already (its lane went back) changes nothing, nor do its events.
    WITH inserted AS (
        INSERT INTO bouncemx.message (
            id, received_at, node, client_address, helo, protocol, tls, mail_from, rcpt_to, size,
            truncated, kind, reader, subject, header_from, reporting_mta, original_message_id,
            feedback_type, user_agent, content_hash,
            envelope_id, arrival_date, source_ip, original_from, original_to, original_return_path,
            original_date, original_subject_hash, feedback_id, list_id, list_unsubscribe,
            cfbl_address, cfbl_feedback_id, dkim_domain)
        SELECT m.id, m.received_at, the_node, m.client_address, m.helo, m.protocol, m.tls,
               m.mail_from, string_to_array(m.rcpt_to, E'\n'), m.size, m.truncated,
               m.kind::bouncemx.event_kind, m.reader, m.subject, m.header_from, m.reporting_mta,
               m.original_message_id, m.feedback_type, m.user_agent, m.content_hash,
               m.envelope_id, m.arrival_date, m.source_ip, m.original_from, m.original_to,
               m.original_return_path, m.original_date, m.original_subject_hash, m.feedback_id,
               m.list_id, m.list_unsubscribe, m.cfbl_address, m.cfbl_feedback_id, m.dkim_domain
          FROM (SELECT unnest(m_id) AS id, unnest(m_received_at) AS received_at,
                       unnest(m_client_address) AS client_address, unnest(m_helo) AS helo,
                       unnest(m_protocol) AS protocol, unnest(m_tls) AS tls,
                       unnest(m_mail_from) AS mail_from, unnest(m_rcpt_to) AS rcpt_to,
                       unnest(m_size) AS size, unnest(m_truncated) AS truncated,
                       unnest(m_kind) AS kind, unnest(m_reader) AS reader,
                       unnest(m_subject) AS subject, unnest(m_header_from) AS header_from,
                       unnest(m_reporting_mta) AS reporting_mta,
                       unnest(m_original_message_id) AS original_message_id,
                       unnest(m_feedback_type) AS feedback_type,
                       unnest(m_user_agent) AS user_agent,
                       unnest(m_content_hash) AS content_hash,
                       unnest(m_envelope_id) AS envelope_id, unnest(m_arrival_date) AS arrival_date,
                       unnest(m_source_ip) AS source_ip, unnest(m_original_from) AS original_from,
                       unnest(m_original_to) AS original_to,
                       unnest(m_original_return_path) AS original_return_path,
                       unnest(m_original_date) AS original_date,
                       unnest(m_original_subject_hash) AS original_subject_hash,
                       unnest(m_feedback_id) AS feedback_id, unnest(m_list_id) AS list_id,
                       unnest(m_list_unsubscribe) AS list_unsubscribe,
                       unnest(m_cfbl_address) AS cfbl_address,
                       unnest(m_cfbl_feedback_id) AS cfbl_feedback_id,
                       unnest(m_dkim_domain) AS dkim_domain) m
        ON CONFLICT (id, received_at) DO NOTHING
        RETURNING id)
    SELECT array_agg(id), count(*) INTO fresh, written FROM inserted;
    IF written = 0 THEN
        RETURN 0;
    END IF;
    whole := written = cardinality(m_id);

    -- Opaque tokens whose rows stand in sent are resolved here and now.
    IF 'waiting' = ANY (e_verification) THEN
        SELECT array_agg(CASE WHEN s.id IS NULL THEN e.verification ELSE 'sent' END ORDER BY e.n),
               array_agg(e.verified OR s.id IS NOT NULL ORDER BY e.n),
               array_agg(e.trusted OR s.id IS NOT NULL ORDER BY e.n),
               array_agg(coalesce(s.recipient, e.address) ORDER BY e.n),
               array_agg(CASE WHEN s.id IS NULL THEN e.address_key ELSE s.address_key END ORDER BY e.n),
               array_agg(coalesce(s.stream, e.stream) ORDER BY e.n),
               array_agg(coalesce(s.campaign, e.campaign) ORDER BY e.n),
               array_agg(coalesce(e.original_message_id, s.message_id) ORDER BY e.n),
               array_agg(e.forwarded OR bouncemx.is_other(e.final_recipient, s.address_key) ORDER BY e.n),
               array_agg(e.capped OR bouncemx.is_other(e.final_recipient, s.address_key) ORDER BY e.n)
          INTO e_verification, e_verified, e_trusted, e_address, e_address_key, e_stream, e_campaign,
               e_original_message_id, e_forwarded, e_capped
          FROM unnest(e_verification, e_verified, e_trusted, e_address, e_address_key, e_stream,
                      e_campaign, e_original_message_id, e_forwarded, e_capped, e_final_recipient,
                      e_tenant, e_token_id, e_token_day) WITH ORDINALITY
               e (verification, verified, trusted, address, address_key, stream, campaign,
                  original_message_id, forwarded, capped, final_recipient, tenant, token_id, token_day, n)
          LEFT JOIN LATERAL (
               SELECT * FROM bouncemx.sent s
                WHERE s.day = e.token_day AND s.id = e.token_id COLLATE "C"
                  AND (s.tenant IS NULL OR s.tenant = e.tenant)
                LIMIT 1) s ON e.verification = 'waiting';
    END IF;

    -- Words are needed only of what may come to stand on the list.
    SELECT bouncemx.act(array_agg(CASE WHEN whole OR bouncemx.message_of(e.id) = ANY (fresh) THEN ROW(
               e.id, e.received_at, e.kind, e.tenant, e.stream, e.address, e.address_key,
               e.verification, e.trusted, e.counts, e.capped,
               -- One that is not valid must not use up the genuine one.
               CASE WHEN e.verification IN ('token', 'sent', 'waiting') THEN e.token END, e.token_day,
               e.content, true,
               e.class, e.category, e.confidence, e.rule, e.mx_operator, e.source, e.status,
               CASE WHEN e.class <> 'hard' THEN NULL ELSE e.diagnostic END,
               CASE WHEN e.class <> 'hard' THEN NULL ELSE e.evidence_text END)::bouncemx.candidate END))
      INTO effects
      FROM (SELECT unnest(e_id) AS id, unnest(e_received_at) AS received_at,
                   unnest(e_kind)::bouncemx.event_kind AS kind, unnest(e_tenant) AS tenant,
                   unnest(e_stream) AS stream, unnest(e_address) AS address,
                   unnest(e_address_key) AS address_key,
                   unnest(e_verification)::bouncemx.verification AS verification,
                   unnest(e_trusted) AS trusted, unnest(e_counts) AS counts,
                   unnest(e_capped) AS capped, unnest(e_token) AS token,
                   unnest(e_token_day) AS token_day, unnest(e_content) AS content,
                   unnest(e_class)::bouncemx.bounce_class AS class,
                   unnest(e_category)::bouncemx.bounce_category AS category,
                   unnest(e_confidence)::bouncemx.bounce_confidence AS confidence,
                   unnest(e_rule) AS rule, unnest(e_mx_operator) AS mx_operator,
                   unnest(e_source)::bouncemx.address_source AS source,
                   unnest(e_status) AS status, unnest(e_diagnostic) AS diagnostic,
                   unnest(e_evidence_text) AS evidence_text) e;

    -- What floods leaves no bytes, unless another event of its message stays.
    IF 'flood' = ANY (effects) THEN
        SELECT array_agg(m.id) INTO fresh
          FROM unnest(fresh) m (id)
         WHERE m.id NOT IN (SELECT bouncemx.message_of(e.id)
                              FROM unnest(e_id, effects) e (id, effect)
                             GROUP BY 1 HAVING bool_and(e.effect = 'flood'));
        whole := false;
    END IF;
    INSERT INTO bouncemx.evidence (id, received_at, raw)
    SELECT m.id, m.received_at, m.raw
      FROM (SELECT unnest(m_id) AS id, unnest(m_received_at) AS received_at,
                   unnest(m_raw) AS raw) m
     WHERE whole OR m.id = ANY (fresh);

    INSERT INTO bouncemx.event (
        id, received_at, kind, tenant, stream, node, address, address_key, final_recipient, source,
        verified, forwarded, trusted, class, category, fault, confidence, rule, mx_operator, action,
        status, reply_code, diagnostic, evidence_text, fingerprint, reporting_mta, remote_mta,
        original_message_id, feedback_type, verification, token, token_id, token_day, campaign,
        counts, capped, effect,
        last_attempt, retry_until, final_log_id, listed_address, blocklist, lookup_url)
    SELECT e.id, e.received_at, e.kind::bouncemx.event_kind, e.tenant, e.stream, the_node,
           e.address, e.address_key, e.final_recipient, e.source::bouncemx.address_source,
           e.verified, e.forwarded, e.trusted, e.class::bouncemx.bounce_class,
           e.category::bouncemx.bounce_category, e.fault::bouncemx.bounce_fault,
           e.confidence::bouncemx.bounce_confidence, e.rule, e.mx_operator,
           e.action::bouncemx.event_action, e.status, e.reply_code, e.diagnostic,
           e.evidence_text, e.fingerprint, e.reporting_mta, e.remote_mta, e.original_message_id,
           e.feedback_type, e.verification::bouncemx.verification, e.token, e.token_id, e.token_day,
           e.campaign, e.counts, e.capped, e.effect,
           e.last_attempt, e.retry_until, e.final_log_id, e.listed_address::inet, e.blocklist,
           e.lookup_url
      FROM (SELECT unnest(e_id) AS id, unnest(e_received_at) AS received_at,
                   unnest(e_kind) AS kind, unnest(e_tenant) AS tenant,
                   unnest(e_stream) AS stream, unnest(e_address) AS address,
                   unnest(e_address_key) AS address_key,
                   unnest(e_final_recipient) AS final_recipient, unnest(e_source) AS source,
                   unnest(e_verified) AS verified, unnest(e_forwarded) AS forwarded,
                   unnest(e_trusted) AS trusted, unnest(e_class) AS class,
                   unnest(e_category) AS category, unnest(e_fault) AS fault,
                   unnest(e_confidence) AS confidence, unnest(e_rule) AS rule,
                   unnest(e_mx_operator) AS mx_operator, unnest(e_action) AS action,
                   unnest(e_status) AS status, unnest(e_reply_code) AS reply_code,
                   unnest(e_diagnostic) AS diagnostic, unnest(e_evidence_text) AS evidence_text,
                   unnest(e_fingerprint) AS fingerprint, unnest(e_reporting_mta) AS reporting_mta,
                   unnest(e_remote_mta) AS remote_mta,
                   unnest(e_original_message_id) AS original_message_id,
                   unnest(e_feedback_type) AS feedback_type,
                   unnest(e_verification) AS verification, unnest(e_token) AS token,
                   unnest(e_token_id) AS token_id, unnest(e_token_day) AS token_day,
                   unnest(e_campaign) AS campaign, unnest(e_counts) AS counts,
                   unnest(e_capped) AS capped, unnest(effects) AS effect,
                   unnest(e_last_attempt) AS last_attempt, unnest(e_retry_until) AS retry_until,
                   unnest(e_final_log_id) AS final_log_id,
                   unnest(e_listed_address) AS listed_address, unnest(e_blocklist) AS blocklist,
                   unnest(e_lookup_url) AS lookup_url) e
     WHERE e.effect <> 'flood';

    IF 'waiting' = ANY (e_verification) THEN
        INSERT INTO bouncemx.event_waiting (day, id, event_id, received_at, tenant)
        SELECT e.token_day, e.token_id, e.id, e.received_at, e.tenant
          FROM unnest(e_verification, e_token_day, e_token_id, e_id, e_received_at, e_tenant, effects)
               e (verification, token_day, token_id, id, received_at, tenant, effect)
         WHERE e.verification = 'waiting' AND e.effect <> 'flood';
    END IF;
    RETURN written;
END $$;
COMMENT ON FUNCTION bouncemx.write_messages(
    text, uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], bigint[],
    boolean[], text[], text[], text[], text[], text[], text[], text[], text[], bytea[], text[],
    text[], text[], text[], text[], text[], text[], bigint[], text[], text[], text[], text[],
    text[], text[], bytea[], uuid[], timestamptz[], text[], text[], text[], text[], text[], text[],
    text[], boolean[], boolean[], boolean[], text[], text[], text[], text[], text[], text[], text[],
    text[], smallint[], text[], text[], bigint[], text[], text[], text[], text[], text[], text[],
    text[], date[], text[], boolean[], boolean[], bytea[], text[], text[], text[], text[], text[],
    text[])
    IS 'Writes a batch: messages, what their events do to the list, raw bytes, events. Arrays m_* have one element a message (m_rcpt_to: the recipients, a line each), e_* one an event. Returns how many messages were new; those that stand already change nothing.';

CREATE FUNCTION bouncemx.is_other(final_recipient text, the_key text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(bouncemx.address_key(final_recipient) <> the_key COLLATE "C", false);
COMMENT ON FUNCTION bouncemx.is_other(text, text) IS 'Does a report name another address as the final recipient than that of this key?';

-- ---- what waited -------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.resolve(event_ids uuid[], times timestamptz[]) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    candidates bouncemx.candidate[];
    effects    bouncemx.event_effect[];
BEGIN
    IF coalesce(cardinality(event_ids), 0) = 0 THEN
        RETURN 0;
    END IF;
    WITH resolved AS (
        UPDATE bouncemx.event e
           SET verification = 'sent', verified = true, trusted = true, address = s.recipient,
               address_key = s.address_key, stream = coalesce(s.stream, e.stream),
               campaign = coalesce(s.campaign, e.campaign),
               original_message_id = coalesce(e.original_message_id, s.message_id),
               forwarded = e.forwarded OR bouncemx.is_other(e.final_recipient, s.address_key),
               capped = e.capped OR bouncemx.is_other(e.final_recipient, s.address_key)
          FROM unnest(event_ids, times) w (id, received_at), bouncemx.sent s
         WHERE e.id = w.id AND e.received_at = w.received_at AND e.verification = 'waiting'
           AND s.day = e.token_day AND s.id = e.token_id
        RETURNING e.*)
    SELECT array_agg(ROW(
               e.id, e.received_at, e.kind, e.tenant, e.stream, e.address, e.address_key,
               e.verification, e.trusted, e.counts, e.capped, e.token, e.token_day, NULL, false,
               e.class, e.category, e.confidence, e.rule, e.mx_operator, e.source, e.status,
               e.diagnostic, e.evidence_text)::bouncemx.candidate ORDER BY e.id)
      INTO candidates
      FROM resolved e;
    effects := bouncemx.act(candidates);
    UPDATE bouncemx.event e
       SET effect = c.unnest
      FROM ROWS FROM (unnest(candidates), unnest(effects)) c
     WHERE e.id = c.event_id AND e.received_at = c.received_at;
    RETURN coalesce(cardinality(candidates), 0);
END $$;
COMMENT ON FUNCTION bouncemx.resolve(uuid[], timestamptz[]) IS 'Resolves waiting events (by id and time of receipt) whose rows stand in sent, and lets them act; the caller has taken them from event_waiting. Returns how many.';

CREATE FUNCTION bouncemx.sent_arrived() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids   uuid[];
    times timestamptz[];
BEGIN
    WITH taken AS (
        DELETE FROM bouncemx.event_waiting w USING fresh s
         WHERE w.day = s.day AND w.id = s.id AND (s.tenant IS NULL OR s.tenant = w.tenant)
        RETURNING w.event_id, w.received_at)
    SELECT array_agg(event_id), array_agg(received_at) INTO ids, times FROM taken;
    PERFORM bouncemx.resolve(ids, times);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.sent_arrived() IS 'Trigger of sent: events that waited for its new rows act, in the same transaction. With the owner''s rights, so that the sender''s role needs none on events.';
CREATE TRIGGER sent_arrived AFTER INSERT ON bouncemx.sent
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION bouncemx.sent_arrived();

CREATE FUNCTION bouncemx.resolve_waiting(from_time timestamptz, how_many bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    ids   uuid[];
    times timestamptz[];
BEGIN
    WITH found AS (
        SELECT w.day, w.id, w.event_id
          FROM bouncemx.event_waiting w
          JOIN bouncemx.sent s ON s.day = w.day AND s.id = w.id AND (s.tenant IS NULL OR s.tenant = w.tenant)
         WHERE w.waiting_since >= from_time
         ORDER BY w.waiting_since
         LIMIT how_many
           FOR UPDATE OF w SKIP LOCKED),
    taken AS (
        DELETE FROM bouncemx.event_waiting w USING found f
         WHERE w.day = f.day AND w.id = f.id AND w.event_id = f.event_id
        RETURNING w.event_id, w.received_at)
    SELECT array_agg(event_id), array_agg(received_at) INTO ids, times FROM taken;
    RETURN bouncemx.resolve(ids, times);
END $$;
COMMENT ON FUNCTION bouncemx.resolve_waiting(timestamptz, bigint) IS 'Resolves at most how_many events that wait since from_time or later and whose rows stand in sent after all: those whose transaction and the sender''s ran at once and did not see each other, and rows that were put into a partition of sent directly. The processor calls it each minute for the last hour. Returns how many.';

CREATE FUNCTION bouncemx.sent_put(
    days date[], ids text[], recipients text[], tenants text[] DEFAULT NULL,
    streams text[] DEFAULT NULL, campaigns text[] DEFAULT NULL, message_ids text[] DEFAULT NULL,
    times timestamptz[] DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    added bigint;
BEGIN
    INSERT INTO bouncemx.sent (day, id, recipient, tenant, stream, campaign, message_id, sent_at)
    SELECT s.day, s.id, s.recipient, s.tenant, s.stream, s.campaign, s.message_id, s.sent_at
      FROM unnest(days, ids, recipients, tenants, streams, campaigns, message_ids, times)
           s (day, id, recipient, tenant, stream, campaign, message_id, sent_at)
     ORDER BY s.day, s.id COLLATE "C"
    ON CONFLICT (day, id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION bouncemx.sent_put(date[], text[], text[], text[], text[], text[], text[], timestamptz[]) IS 'Puts rows into sent, one element of each array a row; those whose (day, id) stands there stay as they are. Returns how many were new. COPY is faster, but fails as a whole on one that stands.';

-- ---- what is old -------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.drop_days_before(parent text, first_kept date) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    child   text;
    dropped integer := 0;
BEGIN
    -- A name ends with the first of its seven days.
    FOR child IN
        SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = format('bouncemx.%I', parent)::regclass AND c.relname ~ '_[0-9]{8}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') + 7 <= first_kept
         ORDER BY c.relname LOOP
        EXECUTE format('DROP TABLE bouncemx.%I', child);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM bouncemx.%I WHERE day < $1', parent || '_default') USING first_kept;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bouncemx.drop_days_before(text, date) IS 'Drops the weeks of sent, token_seen or content_seen whose every day is before first_kept; returns how many.';

CREATE FUNCTION bouncemx.forget_used(the_time timestamptz) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    k       record := bouncemx.limits();
    today   date := (the_time AT TIME ZONE 'UTC')::date;
    dropped integer;
BEGIN
    dropped := bouncemx.drop_days_before('sent', today - k.token_days)
             + bouncemx.drop_days_before('token_seen', today - k.token_days)
             + bouncemx.drop_days_before('content_seen', today - k.content_days);
    DELETE FROM bouncemx.token_flood WHERE day < today - k.token_days;
    DELETE FROM bouncemx.strike WHERE at < the_time - make_interval(days => k.strike_days);
    DELETE FROM bouncemx.struck WHERE last_at < the_time - make_interval(days => k.strike_days);
    DELETE FROM bouncemx.event_waiting WHERE day < today - k.token_days;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bouncemx.forget_used(timestamptz) IS 'Drops what can''t count any more at this time: of sent and token_seen after 400 days, of contents and strikes after 60. Returns how many partitions went.';
