-- What a report says beside its verdict: of the message that came back, of the attempt, and of a block
-- whose list. A row that has none of it is no longer than before: its NULLs fit into its header.

ALTER TABLE bouncemx.message
    ADD COLUMN envelope_id text,
    ADD COLUMN arrival_date text,
    ADD COLUMN source_ip text,
    ADD COLUMN original_from text,
    ADD COLUMN original_to text,
    ADD COLUMN original_return_path text,
    ADD COLUMN original_date text,
    ADD COLUMN original_subject_hash bigint,
    ADD COLUMN feedback_id text,
    ADD COLUMN list_id text,
    ADD COLUMN list_unsubscribe text,
    ADD COLUMN cfbl_address text,
    ADD COLUMN cfbl_feedback_id text,
    ADD COLUMN dkim_domain text;
COMMENT ON COLUMN bouncemx.message.envelope_id IS 'Original-Envelope-Id of a delivery report (RFC 3464 section 2.2.1), xtext decoded: the ENVID that the sender gave.';
COMMENT ON COLUMN bouncemx.message.arrival_date IS 'Arrival-Date of the report (RFC 3464 section 2.2.5, RFC 5965 section 3.2), as it stands: when the reporting host got the message.';
COMMENT ON COLUMN bouncemx.message.source_ip IS 'Source-IP of a feedback report (RFC 5965 section 3.2), as it stands.';
COMMENT ON COLUMN bouncemx.message.original_from IS 'Address in From of the message that is reported on.';
COMMENT ON COLUMN bouncemx.message.original_to IS 'Address in the first To of the message that is reported on: never proof of whom the report is about.';
COMMENT ON COLUMN bouncemx.message.original_return_path IS 'Envelope sender of the message that is reported on: its Return-Path, else Original-Mail-From of a feedback report.';
COMMENT ON COLUMN bouncemx.message.original_date IS 'Date of the message that is reported on, as it stands.';
COMMENT ON COLUMN bouncemx.message.original_subject_hash IS 'FNV-1a of the Subject of the message that is reported on, in UTF-8: equal for equal subjects; the words are not kept. NULL: it has none.';
COMMENT ON COLUMN bouncemx.message.feedback_id IS 'Feedback-ID of the message that is reported on.';
COMMENT ON COLUMN bouncemx.message.list_id IS 'List-Id of the message that is reported on (RFC 2919).';
COMMENT ON COLUMN bouncemx.message.list_unsubscribe IS 'List-Unsubscribe of the message that is reported on (RFC 2369).';
COMMENT ON COLUMN bouncemx.message.cfbl_address IS 'CFBL-Address of the message that is reported on (RFC 9477), the address alone.';
COMMENT ON COLUMN bouncemx.message.cfbl_feedback_id IS 'CFBL-Feedback-ID of the message that is reported on (RFC 9477).';
COMMENT ON COLUMN bouncemx.message.dkim_domain IS 'd= of the first DKIM-Signature of the message that is reported on (RFC 6376), lower-case; not verified.';

ALTER TABLE bouncemx.event
    ADD COLUMN last_attempt text,
    ADD COLUMN retry_until text,
    ADD COLUMN final_log_id text,
    ADD COLUMN listed_address inet,
    ADD COLUMN blocklist text,
    ADD COLUMN lookup_url text;
COMMENT ON COLUMN bouncemx.event.last_attempt IS 'Last-Attempt-Date of the report (RFC 3464 section 2.3.7), as it stands.';
COMMENT ON COLUMN bouncemx.event.retry_until IS 'Will-Retry-Until of the report (RFC 3464 section 2.3.9), as it stands.';
COMMENT ON COLUMN bouncemx.event.final_log_id IS 'Final-Log-ID of the report (RFC 3464 section 2.3.8): the refusing host''s name for it.';
COMMENT ON COLUMN bouncemx.event.listed_address IS 'Of a block: the sending host''s address that the words name.';
COMMENT ON COLUMN bouncemx.event.blocklist IS 'Of a block: the list that it stands on, by its name in DNS.';
COMMENT ON COLUMN bouncemx.event.lookup_url IS 'Of a block: the page that explains the listing or takes it back, as the refusing host gave it.';

DROP FUNCTION bouncemx.write_messages(
    text, uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], bigint[],
    boolean[], text[], text[], text[], text[], text[], text[], text[], text[], bytea[], bytea[],
    uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], text[], boolean[],
    boolean[], boolean[], text[], text[], text[], text[], text[], text[], text[], text[],
    smallint[], text[], text[], bigint[], text[], text[], text[], text[], text[], text[], text[],
    date[], text[], boolean[], boolean[], bytea[]);

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

-- ---- showing -----------------------------------------------------------------------------------

DROP FUNCTION bouncemx.events(bigint, uuid);
DROP FUNCTION bouncemx.event_of(uuid);
CREATE OR REPLACE VIEW bouncemx.event_shown AS
    SELECT e.id AS event_id, bouncemx.message_of(e.id) AS message_id, e.received_at, e.kind,
           e.address, e.address_key, e.final_recipient, e.source, e.verified, e.forwarded,
           e.trusted, e.class, e.category, e.fault, e.is_hard AS hard, e.confidence, e.rule,
           e.mx_operator AS operator, e.action, e.status, e.reply_code, e.diagnostic,
           e.evidence_text AS evidence, e.fingerprint, e.reporting_mta, e.remote_mta,
           e.original_message_id, e.feedback_type, e.tenant, e.stream, e.campaign, e.node,
           e.verification, bouncemx.proof_of(e.verification) AS proof, e.token, e.token_day,
           e.counts, e.capped, bouncemx.effect_in_words(e.effect, e.verification) AS effect,
           e.last_attempt, e.retry_until, e.final_log_id, host(e.listed_address) AS listed_address,
           e.blocklist, e.lookup_url
      FROM bouncemx.event e;
COMMENT ON COLUMN bouncemx.event_shown.last_attempt IS 'Last-Attempt-Date of the report (RFC 3464 section 2.3.7), as it stands.';
COMMENT ON COLUMN bouncemx.event_shown.retry_until IS 'Will-Retry-Until of the report (RFC 3464 section 2.3.9), as it stands.';
COMMENT ON COLUMN bouncemx.event_shown.final_log_id IS 'Final-Log-ID of the report (RFC 3464 section 2.3.8): the refusing host''s name for it.';
COMMENT ON COLUMN bouncemx.event_shown.listed_address IS 'Of a block: the sending host''s address that the words name, as text.';
COMMENT ON COLUMN bouncemx.event_shown.blocklist IS 'Of a block: the list that it stands on, by its name in DNS.';
COMMENT ON COLUMN bouncemx.event_shown.lookup_url IS 'Of a block: the page that explains the listing or takes it back, as the refusing host gave it.';

CREATE FUNCTION bouncemx.events(how_many bigint, before_id uuid)
    RETURNS SETOF bouncemx.event_shown
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT * FROM bouncemx.event_shown v
     WHERE before_id IS NULL OR v.event_id < before_id
     ORDER BY v.event_id DESC
     LIMIT how_many;
END;
COMMENT ON FUNCTION bouncemx.events(bigint, uuid) IS 'The newest events first (ids begin with their time), those before before_id (NULL: from the newest).';

CREATE FUNCTION bouncemx.event_of(the_id uuid)
    RETURNS TABLE (event_id uuid, message_id uuid, received_at timestamptz,
                   kind bouncemx.event_kind, address text, address_key text, final_recipient text,
                   source bouncemx.address_source, verified boolean, forwarded boolean,
                   trusted boolean, verification bouncemx.verification, proof text, token text,
                   token_day date, counts boolean, capped boolean, class bouncemx.bounce_class, category bouncemx.bounce_category,
                   fault bouncemx.bounce_fault, hard boolean, confidence bouncemx.bounce_confidence,
                   rule text, operator text, action bouncemx.event_action, status text,
                   reply_code smallint, diagnostic text, evidence text, fingerprint bigint,
                   reporting_mta text, remote_mta text, original_message_id text,
                   feedback_type text, user_agent text, tenant text, stream text, campaign text,
                   node text, effect text,
                   client_address text, helo text, protocol text, tls text, mail_from text,
                   rcpt_to text, size bigint, truncated boolean, reader text, subject text,
                   header_from text,
                   last_attempt text, retry_until text, final_log_id text, listed_address text,
                   blocklist text, lookup_url text, envelope_id text, arrival_date text,
                   source_ip text, original_from text, original_to text, original_return_path text,
                   original_date text, original_subject_hash bigint, feedback_id text, list_id text,
                   list_unsubscribe text, cfbl_address text, cfbl_feedback_id text, dkim_domain text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.event_id, m.id, m.received_at, coalesce(v.kind, m.kind), v.address, v.address_key,
           v.final_recipient, v.source, v.verified, v.forwarded, v.trusted, v.verification,
           v.proof, v.token, v.token_day, v.counts, v.capped, v.class, v.category, v.fault,
           v.hard, v.confidence, v.rule, v.operator, v.action, v.status, v.reply_code,
           v.diagnostic, v.evidence, v.fingerprint, m.reporting_mta, v.remote_mta,
           coalesce(v.original_message_id, m.original_message_id), m.feedback_type, m.user_agent,
           v.tenant, v.stream, v.campaign, m.node, v.effect,
           m.client_address, m.helo, m.protocol, m.tls, m.mail_from,
           array_to_string(m.rcpt_to, E'\n'), m.size, m.truncated, m.reader, m.subject,
           m.header_from,
           v.last_attempt, v.retry_until, v.final_log_id, v.listed_address, v.blocklist,
           v.lookup_url, m.envelope_id, m.arrival_date, m.source_ip, m.original_from, m.original_to,
           m.original_return_path, m.original_date, m.original_subject_hash, m.feedback_id,
           m.list_id, m.list_unsubscribe, m.cfbl_address, m.cfbl_feedback_id, m.dkim_domain
      FROM bouncemx.message m
      LEFT JOIN bouncemx.event_shown v
        ON v.received_at = m.received_at
       AND CASE WHEN the_id = bouncemx.message_of(the_id)
                THEN v.event_id > the_id AND v.event_id <= bouncemx.last_of(the_id)
                ELSE v.event_id = the_id END
     WHERE m.id = bouncemx.message_of(the_id)
       AND (v.event_id IS NOT NULL OR the_id = bouncemx.message_of(the_id))
     ORDER BY v.event_id;
END;
COMMENT ON FUNCTION bouncemx.event_of(uuid) IS 'One event, or all of a message (one row with NULLs when it gave none), with the envelope of its message; rcpt_to has a line for each recipient.';

-- ---- blocks: since (included) to until (not), of one stream (NULL: of all) -----------------------

CREATE FUNCTION bouncemx.report_blocks(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, listed_address text, blocklist text, lookup_url text, mx_operator text,
                   category bouncemx.bounce_category, count bigint, verified bigint,
                   first_at timestamptz, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (e.received_at AT TIME ZONE 'UTC')::date, host(e.listed_address), e.blocklist,
           e.lookup_url, e.mx_operator, e.category, count(*), count(*) FILTER (WHERE e.verified),
           min(e.received_at), max(e.received_at), (array_agg(e.id ORDER BY e.id DESC))[1]
      FROM bouncemx.event e
     WHERE e.class = 'block' AND e.received_at >= since AND e.received_at < until
       AND (the_stream IS NULL OR e.stream = the_stream)
     GROUP BY 1, e.listed_address, e.blocklist, e.lookup_url, e.mx_operator, e.category
     ORDER BY 1 DESC, 7 DESC, e.listed_address, e.blocklist, e.lookup_url, e.mx_operator, e.category;
END;
COMMENT ON FUNCTION bouncemx.report_blocks(timestamptz, timestamptz, text) IS 'Refusals of ourselves (class block) by day (UTC): the address of ours that they name, whose list it stands on, the page to look at, who runs the refusing host, and why. verified: how many of them are proven; the others may be forged. event_id: the latest, for `bouncemx show`.';

CREATE VIEW bouncemx.v_block_events AS
    SELECT * FROM bouncemx.report_blocks('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_block_events IS 'Refusals of ourselves of all the time that events are kept; report_blocks() reads only the time that is asked for.';
COMMENT ON COLUMN bouncemx.v_block_events.day IS 'Day of the refusal, UTC.';
COMMENT ON COLUMN bouncemx.v_block_events.listed_address IS 'The sending host''s address that the words name; NULL: they name none.';
COMMENT ON COLUMN bouncemx.v_block_events.blocklist IS 'The list that it stands on, by its name in DNS.';
COMMENT ON COLUMN bouncemx.v_block_events.lookup_url IS 'The page that explains the listing or takes it back. Anybody can write a report: look where it leads.';
COMMENT ON COLUMN bouncemx.v_block_events.mx_operator IS 'Who runs the mail host that refused; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_block_events.category IS 'Why.';
COMMENT ON COLUMN bouncemx.v_block_events.count IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_block_events.verified IS 'How many of them are proven; the others may be forged.';
COMMENT ON COLUMN bouncemx.v_block_events.first_at IS 'When the first was received.';
COMMENT ON COLUMN bouncemx.v_block_events.last_at IS 'When the last was received.';
COMMENT ON COLUMN bouncemx.v_block_events.event_id IS 'The last one.';
