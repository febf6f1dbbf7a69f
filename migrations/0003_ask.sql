-- Asking: what the command line shows, and a person with psql gets alike.

CREATE FUNCTION bouncemx.suppressions(the_tenant text, how_many bigint, after_key text)
    RETURNS TABLE (address text, address_key text, tenant text, scope text, kind bouncemx.event_kind,
                   class bouncemx.bounce_class, category bouncemx.bounce_category,
                   confidence bouncemx.bounce_confidence, rule text, operator text, stream text,
                   source bouncemx.address_source, status text, diagnostic text, evidence text,
                   event_id uuid, event_at timestamptz, created_at timestamptz, events bigint,
                   last_event_id uuid, last_event_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.kind, s.class, s.category, s.confidence,
           s.rule, s.mx_operator, s.stream, s.source, s.status, s.diagnostic, s.evidence_text,
           s.event_id, s.event_at, s.created_at, s.events, s.last_event_id, s.last_event_at
      FROM bouncemx.suppression s
     WHERE (the_tenant IS NULL OR s.tenant = the_tenant)
       AND (after_key IS NULL OR s.address_key > after_key)
     ORDER BY s.address_key
     FETCH FIRST how_many ROWS WITH TIES;
END;
COMMENT ON FUNCTION bouncemx.suppressions(text, bigint, text) IS 'A page of the list in the order of its keys: of one tenant (NULL: all), how_many rows (and those of the last one''s address that would be cut off), with keys behind after_key (NULL: from the start).';

CREATE FUNCTION bouncemx.suppression_of(the_key text)
    RETURNS TABLE (address text, address_key text, tenant text, scope text, kind bouncemx.event_kind,
                   class bouncemx.bounce_class, category bouncemx.bounce_category,
                   confidence bouncemx.bounce_confidence, rule text, operator text, stream text,
                   source bouncemx.address_source, status text, diagnostic text, evidence text,
                   event_id uuid, event_at timestamptz, created_at timestamptz, events bigint,
                   last_event_id uuid, last_event_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.kind, s.class, s.category, s.confidence,
           s.rule, s.mx_operator, s.stream, s.source, s.status, s.diagnostic, s.evidence_text,
           s.event_id, s.event_at, s.created_at, s.events, s.last_event_id, s.last_event_at
      FROM bouncemx.suppression s
     WHERE s.address_key = the_key
     ORDER BY s.tenant, s.scope;
END;
COMMENT ON FUNCTION bouncemx.suppression_of(text) IS 'Every row that holds an address, given by its key.';

CREATE FUNCTION bouncemx.suppressed(the_key text, the_tenant text)
    RETURNS TABLE (address_key text, suppressed boolean, tenant text, scope text,
                   kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, rule text, event_id uuid,
                   event_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT the_key, s.address_key IS NOT NULL, s.tenant, s.scope, s.kind, s.class, s.category,
           s.rule, s.event_id, s.event_at
      FROM (SELECT 1) one
      LEFT JOIN bouncemx.suppression s
        ON s.address_key = the_key
       AND (the_tenant IS NULL OR s.tenant = the_tenant OR s.scope = 'global')
     ORDER BY CASE s.scope WHEN 'global' THEN 0 WHEN 'tenant' THEN 1 ELSE 2 END, s.tenant, s.scope
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.suppressed(text, text) IS 'One row: is the address of this key suppressed for the tenant (NULL: for any), and by what; the widest scope wins.';

CREATE VIEW bouncemx.event_shown AS
    SELECT e.id AS event_id, bouncemx.message_of(e.id) AS message_id, e.received_at, e.kind,
           e.address, e.address_key, e.final_recipient, e.source, e.verified, e.forwarded,
           e.trusted, e.class, e.category, e.fault, e.is_hard AS hard, e.confidence, e.rule,
           e.mx_operator AS operator, e.action, e.status, e.reply_code, e.diagnostic,
           e.evidence_text AS evidence, e.fingerprint, e.reporting_mta, e.remote_mta,
           e.original_message_id, e.feedback_type, e.tenant, e.stream, e.node,
           CASE
               WHEN s.event_id IS NOT NULL THEN 'suppressed'
               WHEN e.kind <> 'bounce' OR NOT e.is_hard THEN 'none'
               WHEN e.address_key IS NULL THEN 'none: no address'
               WHEN NOT e.trusted THEN 'none: not verified'
               ELSE 'counted: was suppressed already'
           END AS effect
      FROM bouncemx.event e
      LEFT JOIN bouncemx.suppression s
        ON s.event_id = e.id AND s.address_key = e.address_key AND s.tenant = e.tenant;
COMMENT ON VIEW bouncemx.event_shown IS 'Events under the names of the JSON output, and what each did.';
COMMENT ON COLUMN bouncemx.event_shown.event_id IS 'The event.';
COMMENT ON COLUMN bouncemx.event_shown.message_id IS 'The message that it came from.';
COMMENT ON COLUMN bouncemx.event_shown.received_at IS 'When the message was accepted.';
COMMENT ON COLUMN bouncemx.event_shown.kind IS 'What is reported.';
COMMENT ON COLUMN bouncemx.event_shown.address IS 'Address that the event is about.';
COMMENT ON COLUMN bouncemx.event_shown.address_key IS 'The address as a key.';
COMMENT ON COLUMN bouncemx.event_shown.final_recipient IS 'Address that the report names as the final recipient.';
COMMENT ON COLUMN bouncemx.event_shown.source IS 'Where the address was found.';
COMMENT ON COLUMN bouncemx.event_shown.verified IS 'Proven by a signature.';
COMMENT ON COLUMN bouncemx.event_shown.forwarded IS 'The report names another address than the envelope, or several.';
COMMENT ON COLUMN bouncemx.event_shown.trusted IS 'May act on the suppression list.';
COMMENT ON COLUMN bouncemx.event_shown.class IS 'What it means for the address.';
COMMENT ON COLUMN bouncemx.event_shown.category IS 'Why.';
COMMENT ON COLUMN bouncemx.event_shown.fault IS 'Whose condition it is.';
COMMENT ON COLUMN bouncemx.event_shown.hard IS 'class is hard.';
COMMENT ON COLUMN bouncemx.event_shown.confidence IS 'How sure class and category are.';
COMMENT ON COLUMN bouncemx.event_shown.rule IS 'Id of the rule that decided.';
COMMENT ON COLUMN bouncemx.event_shown.operator IS 'Who runs the mail host that spoke.';
COMMENT ON COLUMN bouncemx.event_shown.action IS 'Action field of the report.';
COMMENT ON COLUMN bouncemx.event_shown.status IS 'Enhanced status code.';
COMMENT ON COLUMN bouncemx.event_shown.reply_code IS 'SMTP reply code.';
COMMENT ON COLUMN bouncemx.event_shown.diagnostic IS 'The remote host''s words.';
COMMENT ON COLUMN bouncemx.event_shown.evidence IS 'The words that decided.';
COMMENT ON COLUMN bouncemx.event_shown.fingerprint IS 'Hash of the normalised diagnostic.';
COMMENT ON COLUMN bouncemx.event_shown.reporting_mta IS 'Host that made the report.';
COMMENT ON COLUMN bouncemx.event_shown.remote_mta IS 'Host that refused.';
COMMENT ON COLUMN bouncemx.event_shown.original_message_id IS 'Message-ID of the message that is reported on.';
COMMENT ON COLUMN bouncemx.event_shown.feedback_type IS 'Feedback-Type of a feedback report.';
COMMENT ON COLUMN bouncemx.event_shown.tenant IS 'Tenant of the domain that the message came to.';
COMMENT ON COLUMN bouncemx.event_shown.stream IS 'Stream of mail that is reported on.';
COMMENT ON COLUMN bouncemx.event_shown.node IS 'Host that received the message.';
COMMENT ON COLUMN bouncemx.event_shown.effect IS 'suppressed: made a row of the list; counted: the row was there; none, with the reason where one is needed.';

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
                   trusted boolean, class bouncemx.bounce_class, category bouncemx.bounce_category,
                   fault bouncemx.bounce_fault, hard boolean, confidence bouncemx.bounce_confidence,
                   rule text, operator text, action bouncemx.event_action, status text,
                   reply_code smallint, diagnostic text, evidence text, fingerprint bigint,
                   reporting_mta text, remote_mta text, original_message_id text,
                   feedback_type text, tenant text, stream text, node text, effect text,
                   client_address text, helo text, protocol text, tls text, mail_from text,
                   rcpt_to text, size bigint, truncated boolean, reader text, subject text,
                   header_from text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.event_id, m.id, m.received_at, coalesce(v.kind, m.kind), v.address, v.address_key,
           v.final_recipient, v.source, v.verified, v.forwarded, v.trusted, v.class, v.category,
           v.fault, v.hard, v.confidence, v.rule, v.operator, v.action, v.status, v.reply_code,
           v.diagnostic, v.evidence, v.fingerprint, m.reporting_mta, v.remote_mta,
           m.original_message_id, m.feedback_type, v.tenant, v.stream, m.node, v.effect,
           m.client_address, m.helo, m.protocol, m.tls, m.mail_from,
           array_to_string(m.rcpt_to, E'\n'), m.size, m.truncated, m.reader, m.subject,
           m.header_from
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

CREATE FUNCTION bouncemx.evidence_of(the_id uuid)
    RETURNS TABLE (message_id uuid, received_at timestamptz, raw bytea)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.id, v.received_at, v.raw FROM bouncemx.evidence v
     WHERE v.id = bouncemx.message_of(the_id);
END;
COMMENT ON FUNCTION bouncemx.evidence_of(uuid) IS 'The raw message behind a message or event id.';

CREATE FUNCTION bouncemx.set_aside_list(how_many bigint)
    RETURNS TABLE (id uuid, received_at timestamptz, set_aside_at timestamptz, node text,
                   client_address text, mail_from text, rcpt_to text, size bigint, reason text,
                   sqlstate text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.id, a.received_at, a.set_aside_at, a.node, a.client_address, a.mail_from,
           array_to_string(a.rcpt_to, E'\n'), a.size, a.reason, a.sqlstate
      FROM bouncemx.set_aside a
     ORDER BY a.set_aside_at DESC, a.id DESC
     LIMIT how_many;
END;
COMMENT ON FUNCTION bouncemx.set_aside_list(bigint) IS 'Messages set aside, the newest first; rcpt_to has a line for each recipient.';

CREATE FUNCTION bouncemx.set_aside_one(the_id uuid)
    RETURNS TABLE (id uuid, received_at timestamptz, set_aside_at timestamptz, node text,
                   client_address text, helo text, protocol text, tls text, mail_from text,
                   rcpt_to text, size bigint, truncated boolean, reason text, sqlstate text,
                   journal uuid, lane integer, segment bigint, byte_offset bigint, raw bytea)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.id, a.received_at, a.set_aside_at, a.node, a.client_address, a.helo, a.protocol, a.tls,
           a.mail_from, array_to_string(a.rcpt_to, E'\n'), a.size, a.truncated, a.reason,
           a.sqlstate, a.journal, a.lane, a.segment, a.byte_offset, a.raw
      FROM bouncemx.set_aside a
     WHERE a.id = the_id;
END;
COMMENT ON FUNCTION bouncemx.set_aside_one(uuid) IS 'All that is known of one message set aside; rcpt_to has a line for each recipient.';

CREATE FUNCTION bouncemx.lanes()
    RETURNS TABLE (node text, journal uuid, lane integer, segment bigint, byte_offset bigint,
                   moved_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT l.node, l.journal, l.lane, l.segment, l.byte_offset, l.moved_at
      FROM bouncemx.lane_position l
     ORDER BY l.node, l.journal, l.lane;
END;
COMMENT ON FUNCTION bouncemx.lanes() IS 'Where every lane of every journal stands.';

CREATE FUNCTION bouncemx.counts()
    RETURNS TABLE (name text, count bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'messages', (SELECT count(*) FROM bouncemx.message)
    UNION ALL SELECT 'events', (SELECT count(*) FROM bouncemx.event)
    UNION ALL SELECT 'suppressions', (SELECT count(*) FROM bouncemx.suppression)
    UNION ALL SELECT 'set_aside', (SELECT count(*) FROM bouncemx.set_aside);
END;
COMMENT ON FUNCTION bouncemx.counts() IS 'How many rows stand in the main tables.';
