-- Writing: what the processor calls, a batch at a time.

CREATE FUNCTION bouncemx.lane_position_of(the_journal uuid, the_lane integer, the_node text,
                                          OUT segment bigint, OUT byte_offset bigint)
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bouncemx.lane_position AS l (journal, lane, node, segment, byte_offset)
    VALUES (the_journal, the_lane, the_node, 0, 0)
    ON CONFLICT (journal, lane) DO NOTHING;
    SELECT l.segment, l.byte_offset INTO STRICT lane_position_of.segment, lane_position_of.byte_offset
      FROM bouncemx.lane_position l
     WHERE l.journal = the_journal AND l.lane = the_lane;
END $$;
COMMENT ON FUNCTION bouncemx.lane_position_of(uuid, integer, text) IS 'Where a lane stands; a lane never seen before gets a row at 0, 0.';

CREATE FUNCTION bouncemx.lane_move(the_journal uuid, the_lane integer, the_node text,
                                   from_segment bigint, from_offset bigint,
                                   to_segment bigint, to_offset bigint)
    RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bouncemx.lane_position
       SET segment = to_segment, byte_offset = to_offset, node = the_node, moved_at = now()
     WHERE journal = the_journal AND lane = the_lane
       AND segment = from_segment AND byte_offset = from_offset;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION bouncemx.lane_move(uuid, integer, text, bigint, bigint, bigint, bigint) IS 'Moves a lane on; false, and nothing moved, when it does not stand where the caller thinks.';

CREATE FUNCTION bouncemx.write_messages(
    the_node text,
    -- one element a message
    m_id uuid[], m_received_at timestamptz[], m_client_address text[], m_helo text[],
    m_protocol text[], m_tls text[], m_mail_from text[], m_rcpt_to text[], m_size bigint[],
    m_truncated boolean[], m_kind text[], m_reader text[], m_subject text[], m_header_from text[],
    m_reporting_mta text[], m_original_message_id text[], m_feedback_type text[], m_raw bytea[],
    -- one element an event
    e_id uuid[], e_received_at timestamptz[], e_kind text[], e_tenant text[], e_stream text[],
    e_address text[], e_address_key text[], e_final_recipient text[], e_source text[],
    e_verified boolean[], e_forwarded boolean[], e_trusted boolean[], e_class text[],
    e_category text[], e_fault text[], e_confidence text[], e_rule text[], e_mx_operator text[],
    e_action text[], e_status text[], e_reply_code smallint[], e_diagnostic text[],
    e_evidence_text text[], e_fingerprint bigint[], e_reporting_mta text[], e_remote_mta text[],
    e_original_message_id text[], e_feedback_type text[])
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    fresh   uuid[];
    written bigint;
    whole   boolean;
BEGIN
    -- A message that stands here already (its lane went back) changes nothing, nor do its events.
    WITH inserted AS (
        INSERT INTO bouncemx.message (
            id, received_at, node, client_address, helo, protocol, tls, mail_from, rcpt_to, size,
            truncated, kind, reader, subject, header_from, reporting_mta, original_message_id,
            feedback_type)
        SELECT m.id, m.received_at, the_node, m.client_address, m.helo, m.protocol, m.tls,
               m.mail_from, string_to_array(m.rcpt_to, E'\n'), m.size, m.truncated,
               m.kind::bouncemx.event_kind, m.reader, m.subject, m.header_from, m.reporting_mta,
               m.original_message_id, m.feedback_type
          FROM (SELECT unnest(m_id) AS id, unnest(m_received_at) AS received_at,
                       unnest(m_client_address) AS client_address, unnest(m_helo) AS helo,
                       unnest(m_protocol) AS protocol, unnest(m_tls) AS tls,
                       unnest(m_mail_from) AS mail_from, unnest(m_rcpt_to) AS rcpt_to,
                       unnest(m_size) AS size, unnest(m_truncated) AS truncated,
                       unnest(m_kind) AS kind, unnest(m_reader) AS reader,
                       unnest(m_subject) AS subject, unnest(m_header_from) AS header_from,
                       unnest(m_reporting_mta) AS reporting_mta,
                       unnest(m_original_message_id) AS original_message_id,
                       unnest(m_feedback_type) AS feedback_type) m
        ON CONFLICT (id, received_at) DO NOTHING
        RETURNING id)
    SELECT array_agg(id), count(*) INTO fresh, written FROM inserted;
    IF written = 0 THEN
        RETURN 0;
    END IF;
    whole := written = cardinality(m_id);

    INSERT INTO bouncemx.evidence (id, received_at, raw)
    SELECT m.id, m.received_at, m.raw
      FROM (SELECT unnest(m_id) AS id, unnest(m_received_at) AS received_at,
                   unnest(m_raw) AS raw) m
     WHERE whole OR m.id = ANY (fresh);

    INSERT INTO bouncemx.event (
        id, received_at, kind, tenant, stream, node, address, address_key, final_recipient, source,
        verified, forwarded, trusted, class, category, fault, confidence, rule, mx_operator, action,
        status, reply_code, diagnostic, evidence_text, fingerprint, reporting_mta, remote_mta,
        original_message_id, feedback_type)
    SELECT e.id, e.received_at, e.kind::bouncemx.event_kind, e.tenant, e.stream, the_node,
           e.address, e.address_key, e.final_recipient, e.source::bouncemx.address_source,
           e.verified, e.forwarded, e.trusted, e.class::bouncemx.bounce_class,
           e.category::bouncemx.bounce_category, e.fault::bouncemx.bounce_fault,
           e.confidence::bouncemx.bounce_confidence, e.rule, e.mx_operator,
           e.action::bouncemx.event_action, e.status, e.reply_code, e.diagnostic,
           e.evidence_text, e.fingerprint, e.reporting_mta, e.remote_mta, e.original_message_id,
           e.feedback_type
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
                   unnest(e_feedback_type) AS feedback_type) e
     WHERE whole OR bouncemx.message_of(e.id) = ANY (fresh);

    -- The policy of today: a hard bounce that may be trusted suppresses its address for the tenant.
    -- The first event makes the row, later ones are counted. In key order, so that writers who meet
    -- on the same addresses wait for each other instead of locking up.
    INSERT INTO bouncemx.suppression AS s (
        address_key, tenant, scope, address, stream, event_id, event_at, kind, class, category,
        confidence, rule, mx_operator, source, status, diagnostic, evidence_text, events,
        last_event_id, last_event_at)
    SELECT DISTINCT ON (e.address_key, e.tenant)
           e.address_key, e.tenant, 'tenant', coalesce(e.address, e.address_key), e.stream, e.id,
           e.received_at, 'bounce', 'hard', e.category::bouncemx.bounce_category,
           e.confidence::bouncemx.bounce_confidence, e.rule, e.mx_operator,
           e.source::bouncemx.address_source, e.status, e.diagnostic, e.evidence_text,
           count(*) OVER (PARTITION BY e.address_key, e.tenant),
           last_value(e.id) OVER all_of_it, last_value(e.received_at) OVER all_of_it
      FROM (SELECT generate_series(1, cardinality(e_id)) AS n, unnest(e_id) AS id,
                   unnest(e_received_at) AS received_at,
                   unnest(e_kind) AS kind, unnest(e_tenant) AS tenant,
                   unnest(e_stream) AS stream, unnest(e_address) AS address,
                   unnest(e_address_key) COLLATE "C" AS address_key, unnest(e_source) AS source,
                   unnest(e_trusted) AS trusted, unnest(e_class) AS class,
                   unnest(e_category) AS category, unnest(e_confidence) AS confidence,
                   unnest(e_rule) AS rule, unnest(e_mx_operator) AS mx_operator,
                   unnest(e_status) AS status, unnest(e_diagnostic) AS diagnostic,
                   unnest(e_evidence_text) AS evidence_text) e
     WHERE e.kind = 'bounce' AND e.class = 'hard' AND e.trusted AND e.address_key IS NOT NULL
       AND (whole OR bouncemx.message_of(e.id) = ANY (fresh))
    WINDOW all_of_it AS (PARTITION BY e.address_key, e.tenant ORDER BY e.n
                         ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
     ORDER BY e.address_key, e.tenant, e.n
    ON CONFLICT (address_key, tenant, scope) DO UPDATE
       SET events = s.events + excluded.events,
           last_event_id = CASE WHEN excluded.last_event_at >= s.last_event_at
                                THEN excluded.last_event_id ELSE s.last_event_id END,
           last_event_at = greatest(s.last_event_at, excluded.last_event_at);

    RETURN written;
END $$;
COMMENT ON FUNCTION bouncemx.write_messages(
    text, uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], bigint[], boolean[],
    text[], text[], text[], text[], text[], text[], text[], bytea[],
    uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], text[], boolean[],
    boolean[], boolean[], text[], text[], text[], text[], text[], text[], text[], text[], smallint[],
    text[], text[], bigint[], text[], text[], text[], text[])
    IS 'Writes a batch: messages, raw bytes, events, suppressions. Arrays m_* have one element a message (m_rcpt_to: the recipients, a line each), e_* one an event. Returns how many messages were new; those that stand already change nothing.';

CREATE FUNCTION bouncemx.set_aside_put(
    the_id uuid, the_received_at timestamptz, the_node text, the_client_address text, the_helo text,
    the_protocol text, the_tls text, the_mail_from text, the_rcpt_to text, the_size bigint,
    the_truncated boolean, the_raw bytea, the_reason text, the_sqlstate text,
    the_journal uuid, the_lane integer, the_segment bigint, the_byte_offset bigint)
    RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bouncemx.set_aside (
        id, received_at, node, client_address, helo, protocol, tls, mail_from, rcpt_to, size,
        truncated, raw, reason, sqlstate, journal, lane, segment, byte_offset)
    VALUES (the_id, the_received_at, the_node, the_client_address, the_helo, the_protocol, the_tls,
            the_mail_from, string_to_array(the_rcpt_to, E'\n'), the_size, the_truncated, the_raw,
            the_reason, the_sqlstate, the_journal, the_lane, the_segment, the_byte_offset)
    ON CONFLICT (id) DO NOTHING;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION bouncemx.set_aside_put(
    uuid, timestamptz, text, text, text, text, text, text, text, bigint, boolean, bytea, text, text,
    uuid, integer, bigint, bigint)
    IS 'Sets one message aside (the_rcpt_to: a line each); false when it is there already.';

CREATE FUNCTION bouncemx.set_aside_take(the_id uuid) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    the_node text;
BEGIN
    DELETE FROM bouncemx.set_aside WHERE id = the_id RETURNING node INTO the_node;
    RETURN the_node;
END $$;
COMMENT ON FUNCTION bouncemx.set_aside_take(uuid) IS 'Takes a message from set_aside, for good unless the transaction fails; returns the node that received it, NULL when it is not there.';
