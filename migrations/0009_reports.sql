-- Asking, with what vouches for an event, scopes of streams, and rows that end. Times are passed in.

CREATE FUNCTION bouncemx.suppressions(the_tenant text, how_many bigint, after_key text, the_time timestamptz)
    RETURNS TABLE (address text, address_key text, tenant text, scope bouncemx.suppression_scope,
                   stream text, kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, confidence bouncemx.bounce_confidence,
                   rule text, operator text, event_stream text, source bouncemx.address_source,
                   status text, diagnostic text, evidence text, event_id uuid,
                   event_at timestamptz, expires_at timestamptz, created_at timestamptz,
                   events bigint, last_event_id uuid, last_event_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.stream, s.kind, s.class, s.category,
           s.confidence, s.rule, s.mx_operator, s.event_stream, s.source, s.status, s.diagnostic,
           s.evidence_text, s.event_id, s.event_at, s.expires_at, s.created_at, s.events,
           s.last_event_id, s.last_event_at
      FROM bouncemx.suppression s
     WHERE (the_tenant IS NULL OR s.tenant = the_tenant)
       AND (after_key IS NULL OR s.address_key > after_key)
       AND (s.expires_at IS NULL OR s.expires_at > the_time)
     ORDER BY s.address_key
     FETCH FIRST how_many ROWS WITH TIES;
END;
COMMENT ON FUNCTION bouncemx.suppressions(text, bigint, text, timestamptz) IS 'A page of the list in the order of its keys, as it holds at a time: of one tenant (NULL: all), how_many rows (and those of the last one''s address that would be cut off), with keys behind after_key (NULL: from the start).';

CREATE FUNCTION bouncemx.suppression_of(the_key text, the_time timestamptz)
    RETURNS TABLE (address text, address_key text, tenant text, scope bouncemx.suppression_scope,
                   stream text, kind bouncemx.event_kind, class bouncemx.bounce_class,
                   category bouncemx.bounce_category, confidence bouncemx.bounce_confidence,
                   rule text, operator text, event_stream text, source bouncemx.address_source,
                   status text, diagnostic text, evidence text, event_id uuid,
                   event_at timestamptz, expires_at timestamptz, created_at timestamptz,
                   events bigint, last_event_id uuid, last_event_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.address_key, s.tenant, s.scope, s.stream, s.kind, s.class, s.category,
           s.confidence, s.rule, s.mx_operator, s.event_stream, s.source, s.status, s.diagnostic,
           s.evidence_text, s.event_id, s.event_at, s.expires_at, s.created_at, s.events,
           s.last_event_id, s.last_event_at
      FROM bouncemx.suppression s
     WHERE s.address_key = the_key
       AND (s.expires_at IS NULL OR s.expires_at > the_time)
     ORDER BY s.tenant, s.scope, s.stream;
END;
COMMENT ON FUNCTION bouncemx.suppression_of(text, timestamptz) IS 'Every row that holds an address, given by its key, at a time.';

CREATE FUNCTION bouncemx.suppressed(the_key text, the_tenant text, the_stream text, the_time timestamptz)
    RETURNS TABLE (address_key text, suppressed boolean, tenant text,
                   scope bouncemx.suppression_scope, stream text, kind bouncemx.event_kind,
                   class bouncemx.bounce_class, category bouncemx.bounce_category, rule text,
                   event_id uuid, event_at timestamptz, expires_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT the_key, s.address_key IS NOT NULL, s.tenant, s.scope, s.stream, s.kind, s.class,
           s.category, s.rule, s.event_id, s.event_at, s.expires_at
      FROM (SELECT 1) one
      LEFT JOIN bouncemx.suppression s
        ON s.address_key = the_key
       AND (s.expires_at IS NULL OR s.expires_at > the_time)
       AND (s.scope = 'global' OR the_tenant IS NULL OR s.tenant = the_tenant)
       AND (s.scope <> 'stream' OR the_stream IS NULL OR s.stream = the_stream)
     ORDER BY s.scope, s.tenant, s.stream
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.suppressed(text, text, text, timestamptz) IS 'One row: is the address of this key suppressed for the tenant and the stream (NULL: for any) at a time, and by what; the widest scope wins.';

CREATE FUNCTION bouncemx.proof_of(v bouncemx.verification) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE v
        WHEN 'unsigned' THEN 'unsigned: anybody could have written it'
        WHEN 'token' THEN 'token: a valid token of ours names the recipient'
        WHEN 'sent' THEN 'sent: a valid token of ours, whose mail stands in table sent'
        WHEN 'dkim' THEN 'dkim: a listed feedback source signed the report'
        WHEN 'waiting' THEN 'waiting: a valid token of ours, but table sent does not say yet whose'
        WHEN 'forged' THEN 'forged: the code in the return path is not ours'
        WHEN 'expired' THEN 'expired: the token in the return path is too old'
        WHEN 'early' THEN 'early: the token is of a day that is still to come'
        WHEN 'unknown_key' THEN 'unknown_key: the token''s key is not known, or no longer'
        WHEN 'wrong_purpose' THEN 'wrong_purpose: the token is valid, but made for other mail'
        WHEN 'log' THEN 'log: the sender''s own log says so'
    END;
COMMENT ON FUNCTION bouncemx.proof_of(bouncemx.verification) IS 'What vouches for an event, in words.';

CREATE FUNCTION bouncemx.effect_in_words(effect bouncemx.event_effect, v bouncemx.verification) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE effect
        WHEN 'suppressed' THEN 'suppressed'
        WHEN 'counted' THEN 'counted: was suppressed already'
        WHEN 'strike' THEN 'strike: another one, a day or more apart, suppresses'
        WHEN 'soft' THEN 'soft: counted, does not suppress by itself'
        WHEN 'repeat' THEN 'none: its token or content has counted before'
        WHEN 'waiting' THEN 'waiting: its mail does not stand in table sent yet'
        WHEN 'none' THEN 'none'
        WHEN 'no_address' THEN 'none: no address'
        WHEN 'unverified' THEN CASE v WHEN 'unsigned' THEN 'none: not verified'
                                      ELSE 'none: ' || bouncemx.proof_of(v) END
        WHEN 'not_counting' THEN 'none: the mail reached somebody after all'
        WHEN 'flood' THEN 'none: too many by one token'
    END;
COMMENT ON FUNCTION bouncemx.effect_in_words(bouncemx.event_effect, bouncemx.verification) IS 'What an event did, in words.';

CREATE VIEW bouncemx.event_shown AS
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
COMMENT ON COLUMN bouncemx.event_shown.campaign IS 'Campaign of the mail that is reported on.';
COMMENT ON COLUMN bouncemx.event_shown.verification IS 'What vouches for the address.';
COMMENT ON COLUMN bouncemx.event_shown.proof IS 'The same in words.';
COMMENT ON COLUMN bouncemx.event_shown.token IS 'Identity of the token that named the address.';
COMMENT ON COLUMN bouncemx.event_shown.token_day IS 'The day that the token was made.';
COMMENT ON COLUMN bouncemx.event_shown.counts IS 'May make a strike or a soft count.';
COMMENT ON COLUMN bouncemx.event_shown.capped IS 'Of medium confidence at most.';
COMMENT ON COLUMN bouncemx.event_shown.node IS 'Host that received the message.';
COMMENT ON COLUMN bouncemx.event_shown.effect IS 'What it did to the list, in words; none, with the reason where one is needed.';
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

-- ---- reports: since (included) to until (not), of one stream (NULL: of all) ----------------------

CREATE FUNCTION bouncemx.domain_of(address text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(substring(address FROM '@([^@]*)$'));
COMMENT ON FUNCTION bouncemx.domain_of(text) IS 'The domain of an address, lower-case.';

CREATE FUNCTION bouncemx.report_forged(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, client_address text, domain text, kind bouncemx.event_kind, attempt text,
                   count bigint, first_at timestamptz, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (e.received_at AT TIME ZONE 'UTC')::date, m.client_address, bouncemx.domain_of(m.rcpt_to[1]),
           e.kind, e.verification::text, count(*), min(e.received_at), max(e.received_at),
           (array_agg(e.id ORDER BY e.id DESC))[1]
      FROM bouncemx.event e
      LEFT JOIN bouncemx.message m
        ON m.id = bouncemx.message_of(e.id) AND m.received_at = e.received_at
     WHERE e.received_at >= since AND e.received_at < until
       AND (the_stream IS NULL OR e.stream = the_stream)
       AND (e.verification IN ('forged', 'expired', 'early', 'unknown_key', 'wrong_purpose')
            OR e.effect = 'unverified')
     GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT (f.last_at AT TIME ZONE 'UTC')::date, NULL, bouncemx.domain_of(f.token), NULL, 'flood',
           f.events, f.first_at, f.last_at, NULL
      FROM bouncemx.token_flood f
     WHERE f.last_at >= since AND f.first_at < until AND the_stream IS NULL
     ORDER BY 1 DESC, 6 DESC, 3, 2;
END;
COMMENT ON FUNCTION bouncemx.report_forged(timestamptz, timestamptz, text) IS 'Attempts that achieved nothing, by day (UTC), client, domain of the first RCPT TO and kind. attempt: why the token does not count (forged, expired, early, unknown_key, wrong_purpose); unsigned: would have acted if it had one; flood: events by one valid token beyond the number that is kept, over the token''s life (not told apart by stream). event_id: the latest, for `bouncemx show`.';

CREATE FUNCTION bouncemx.report_unmatched(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, reporter text, user_agent text, complaints bigint, unmatched bigint,
                   percent integer, alarm boolean, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.day, c.reporter, c.user_agent, count(*), count(*) FILTER (WHERE c.unmatched),
           (100 * count(*) FILTER (WHERE c.unmatched) / count(*))::integer,
           count(*) FILTER (WHERE c.unmatched) >= 10
           AND 2 * count(*) FILTER (WHERE c.unmatched) > count(*),
           max(c.received_at) FILTER (WHERE c.unmatched),
           (array_agg(c.id ORDER BY c.id DESC) FILTER (WHERE c.unmatched))[1]
      FROM (SELECT e.id, e.received_at, (e.received_at AT TIME ZONE 'UTC')::date AS day,
                   coalesce(bouncemx.domain_of(m.header_from), e.reporting_mta, m.client_address) AS reporter,
                   m.user_agent,
                   e.address_key IS NULL OR NOT bouncemx.is_verified(e.verification) AS unmatched
              FROM bouncemx.event e
              LEFT JOIN bouncemx.message m
                ON m.id = bouncemx.message_of(e.id) AND m.received_at = e.received_at
             WHERE e.kind = 'complaint' AND e.received_at >= since AND e.received_at < until
               AND (the_stream IS NULL OR e.stream = the_stream)) c
     GROUP BY c.day, c.reporter, c.user_agent
    HAVING bool_or(c.unmatched)
     ORDER BY c.day DESC, 5 DESC, c.reporter, c.user_agent;
END;
COMMENT ON FUNCTION bouncemx.report_unmatched(timestamptz, timestamptz, text) IS 'Complaints that no identifier attributes and verifies, so that nobody is spared further mail, by day (UTC) and who reports: how many of its complaints, their share in percent, and alarm where that is over half and at least ten (as when a feedback loop begins to withhold what identified the recipient). event_id: the latest, for `bouncemx show`.';

CREATE FUNCTION bouncemx.unmatched(since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT count(*) FROM bouncemx.event e
     WHERE e.kind = 'complaint' AND e.received_at >= since AND e.received_at < until
       AND (e.address_key IS NULL OR NOT bouncemx.is_verified(e.verification));
END;
COMMENT ON FUNCTION bouncemx.unmatched(timestamptz, timestamptz) IS 'How many complaints of the time no identifier attributes and verifies.';

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
