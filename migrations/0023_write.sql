-- write_messages of 0008 made anew: what it keeps is counted, and of erased people it keeps nothing.

CREATE OR REPLACE FUNCTION bouncemx.write_messages(
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
    kept    uuid[];
    written bigint;
    whole   boolean;
    effects bouncemx.event_effect[];
    sent_at timestamptz[];
    gone    boolean[];
    erased  uuid[];
BEGIN
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
               array_agg(e.capped OR bouncemx.is_other(e.final_recipient, s.address_key) ORDER BY e.n),
               array_agg(s.sent_at ORDER BY e.n)
          INTO e_verification, e_verified, e_trusted, e_address, e_address_key, e_stream, e_campaign,
               e_original_message_id, e_forwarded, e_capped, sent_at
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

    -- Of people who were erased nothing is kept but that a message came.
    IF EXISTS (SELECT FROM bouncemx.erased) THEN
        SELECT bouncemx.erased_of(e_address_key || array_agg(bouncemx.address_key(f.recipient) ORDER BY f.n)) INTO gone
          FROM unnest(e_final_recipient) WITH ORDINALITY f (recipient, n);
        SELECT array_agg(DISTINCT bouncemx.message_of(e.id)) INTO erased
          FROM unnest(e_id || e_id, gone) e (id, gone) WHERE e.gone;
    END IF;

    -- A message that stands here already (its lane went back) changes nothing, nor do its events.
    WITH inserted AS (
        INSERT INTO bouncemx.message (
            id, received_at, node, client_address, helo, protocol, tls, mail_from, rcpt_to, size,
            truncated, kind, reader, subject, header_from, reporting_mta, original_message_id,
            feedback_type, user_agent, content_hash,
            envelope_id, arrival_date, source_ip, original_from, original_to, original_return_path,
            original_date, original_subject_hash, feedback_id, list_id, list_unsubscribe,
            cfbl_address, cfbl_feedback_id, dkim_domain)
        SELECT m.id, m.received_at, the_node, x.client_address, x.helo, m.protocol, m.tls,
               x.mail_from, string_to_array(x.rcpt_to, E'\n'), m.size, m.truncated,
               m.kind::bouncemx.event_kind, m.reader, x.subject, x.header_from, x.reporting_mta,
               x.original_message_id, m.feedback_type, x.user_agent, x.content_hash,
               x.envelope_id, x.arrival_date, x.source_ip, x.original_from, x.original_to,
               x.original_return_path, x.original_date, x.original_subject_hash, x.feedback_id,
               x.list_id, x.list_unsubscribe, x.cfbl_address, x.cfbl_feedback_id, x.dkim_domain
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
          LEFT JOIN LATERAL (SELECT m.*) x ON erased IS NULL OR m.id <> ALL (erased)
        ON CONFLICT (id, received_at) DO NOTHING
        RETURNING id)
    SELECT array_agg(id), count(*) INTO fresh, written FROM inserted;
    IF written = 0 THEN
        RETURN 0;
    END IF;
    whole := written = cardinality(m_id);
    kept := fresh;

    -- Words are needed only of what may come to stand on the list.
    SELECT bouncemx.act(array_agg(CASE WHEN (whole OR bouncemx.message_of(e.id) = ANY (fresh))
                                      AND (erased IS NULL OR NOT gone[e.n] AND gone[cardinality(e_id) + e.n] IS NOT TRUE) THEN ROW(
               e.id, e.received_at, e.kind, e.tenant, e.stream, e.address, e.address_key,
               e.verification, e.trusted, e.counts, e.capped,
               -- One that is not valid must not use up the genuine one.
               CASE WHEN e.verification IN ('token', 'sent', 'waiting') THEN e.token END, e.token_day,
               e.content, true,
               e.class, e.category, e.confidence, e.rule, e.mx_operator, e.source, e.status,
               CASE WHEN e.class IN ('hard', 'soft') THEN e.diagnostic END,
               CASE WHEN e.class IN ('hard', 'soft') THEN e.evidence_text END)::bouncemx.candidate END))
      INTO effects
      FROM (SELECT generate_series(1, cardinality(e_id)) AS n, unnest(e_id) AS id,
                   unnest(e_received_at) AS received_at,
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
        SELECT array_agg(m.id) INTO kept
          FROM unnest(fresh) m (id)
         WHERE m.id NOT IN (SELECT bouncemx.message_of(e.id)
                              FROM unnest(e_id, effects) e (id, effect)
                             GROUP BY 1 HAVING bool_and(e.effect = 'flood'));
    END IF;
    INSERT INTO bouncemx.evidence (id, received_at, raw)
    SELECT m.id, m.received_at, m.raw
      FROM (SELECT unnest(m_id) AS id, unnest(m_received_at) AS received_at,
                   unnest(m_raw) AS raw) m
     WHERE (cardinality(kept) = cardinality(m_id) OR m.id = ANY (kept)) AND (erased IS NULL OR m.id <> ALL (erased));

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

    -- Last, since many writers count in the same rows.
    INSERT INTO bouncemx.message_hourly AS h (hour, node, kind, messages, bytes)
    SELECT date_trunc('hour', m.received_at, 'UTC'), the_node, m.kind::bouncemx.event_kind, count(*), sum(m.size)
      FROM unnest(m_id, m_received_at, m_kind, m_size) m (id, received_at, kind, size)
     WHERE whole OR m.id = ANY (fresh)
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3
    ON CONFLICT (hour, node, kind) DO UPDATE
       SET messages = h.messages + excluded.messages, bytes = h.bytes + excluded.bytes;
    PERFORM bouncemx.roll_up(
        e_id, e_received_at, e_kind, e_tenant, e_stream, e_campaign, e_mx_operator, e_class, e_category,
        e_rule, e_status, e_fingerprint, e_verification, e_address_key, e_listed_address, e_blocklist,
        e_lookup_url, sent_at, effects, m_id, m_client_address, m_rcpt_to, m_header_from,
        m_reporting_mta, m_user_agent);
    RETURN written;
END $$;

-- ---- what stood before there were roll-ups -------------------------------------------------------

CREATE FUNCTION bouncemx.roll_up_stored(since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    low   timestamptz := since;
    high  timestamptz;
    e     record;
    m     record;
    total bigint := 0;
BEGIN
    WHILE low < until LOOP
        high := least(low + interval '1 hour', until);
        SELECT count(*) AS n, array_agg(v.id) AS id, array_agg(v.received_at) AS received_at,
               array_agg(v.kind::text) AS kind, array_agg(v.tenant) AS tenant, array_agg(v.stream) AS stream,
               array_agg(v.campaign) AS campaign, array_agg(v.mx_operator) AS mx_operator,
               array_agg(v.class::text) AS class, array_agg(v.category::text) AS category,
               array_agg(v.rule) AS rule, array_agg(v.status) AS status,
               array_agg(v.fingerprint) AS fingerprint, array_agg(v.verification::text) AS verification,
               array_agg(v.address_key::text) AS address_key, array_agg(v.listed_address::text) AS listed_address,
               array_agg(v.blocklist) AS blocklist, array_agg(v.lookup_url) AS lookup_url,
               array_agg(s.sent_at) AS sent_at, array_agg(v.effect) AS effect
          INTO e
          FROM bouncemx.event v
          LEFT JOIN bouncemx.sent s ON s.day = v.token_day AND s.id = v.token_id
         WHERE v.received_at >= low AND v.received_at < high;
        SELECT array_agg(v.id) AS id, array_agg(v.client_address) AS client_address,
               array_agg(v.rcpt_to[1]) AS rcpt_to, array_agg(v.header_from) AS header_from,
               array_agg(v.reporting_mta) AS reporting_mta, array_agg(v.user_agent) AS user_agent
          INTO m
          FROM bouncemx.message v
         WHERE v.received_at >= low AND v.received_at < high;
        IF e.n > 0 THEN
            PERFORM bouncemx.roll_up(
                e.id, e.received_at, e.kind, e.tenant, e.stream, e.campaign, e.mx_operator, e.class,
                e.category, e.rule, e.status, e.fingerprint, e.verification, e.address_key,
                e.listed_address, e.blocklist, e.lookup_url, e.sent_at, e.effect, m.id,
                m.client_address, m.rcpt_to, m.header_from, m.reporting_mta, m.user_agent);
        END IF;
        total := total + e.n;
        low := high;
    END LOOP;
    INSERT INTO bouncemx.message_hourly AS h (hour, node, kind, messages, bytes)
    SELECT date_trunc('hour', v.received_at, 'UTC'), v.node, v.kind, count(*), sum(v.size)
      FROM bouncemx.message v
     WHERE v.received_at >= since AND v.received_at < until
     GROUP BY 1, 2, 3
    ON CONFLICT (hour, node, kind) DO UPDATE
       SET messages = h.messages + excluded.messages, bytes = h.bytes + excluded.bytes;
    RETURN total;
END $$;
COMMENT ON FUNCTION bouncemx.roll_up_stored(timestamptz, timestamptz) IS 'Counts the events that stand of a time (until is not included) in the roll-ups, an hour at a time: for those from before there were any, and those that were put in by hand. Called twice it counts twice. Returns how many.';

SELECT bouncemx.roll_up_stored(date_trunc('hour', min(received_at), 'UTC'), max(received_at) + interval '1 second')
  FROM bouncemx.message
HAVING count(*) > 0;
