-- Replay: what stands as events is read again from the raw mail by `bouncemx replay`; here the events, the
-- list, scores and strikes become what today's verdicts make of them. Whose an event is does not change.
-- Roll-ups are not rewritten: they count what arrived as it was understood then.

-- ---- what is read again ------------------------------------------------------------------------

CREATE FUNCTION bouncemx.replay_messages(since timestamptz, until timestamptz, the_stream text, after_id uuid,
                                         how_many bigint)
    RETURNS TABLE (id uuid, received_at timestamptz, client_address text, helo text, protocol text, tls text,
                   mail_from text, rcpt_to text, size bigint, truncated boolean, reader text, raw bytea)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    -- In the order of ids, which begin with their time: that order has an index.
    SELECT p.id, p.received_at, p.client_address, p.helo, p.protocol, p.tls, p.mail_from,
           array_to_string(p.rcpt_to, E'\n'), p.size, p.truncated, p.reader, w.raw
      FROM (SELECT o.*, sum(o.size) OVER (ORDER BY o.id) - o.size AS bytes_before
              FROM (SELECT m.*
                      FROM (SELECT v.id, v.received_at FROM bouncemx.evidence v
                             WHERE v.received_at >= since AND v.received_at < until
                               AND v.id > coalesce(after_id, '00000000-0000-0000-0000-000000000000')
                             ORDER BY v.id) v
                     -- One by one in that order, so that a page costs what it holds and not what is behind it.
                     CROSS JOIN LATERAL (
                           SELECT * FROM bouncemx.message x
                            WHERE x.id = v.id AND x.received_at = v.received_at OFFSET 0) m
                     CROSS JOIN LATERAL (
                           SELECT the_stream IS NULL OR EXISTS (
                                  SELECT FROM bouncemx.event e
                                   WHERE e.id > v.id AND e.id <= bouncemx.last_of(v.id)
                                     AND e.received_at = v.received_at AND e.stream = the_stream) AS fits
                           OFFSET 0) f
                     -- Of people who were erased nothing is read.
                     WHERE m.rcpt_to IS NOT NULL AND f.fits
                     ORDER BY v.id
                     LIMIT how_many) o) p
      JOIN bouncemx.evidence w ON w.id = p.id AND w.received_at = p.received_at
     WHERE p.bytes_before < 33554432
     ORDER BY p.id;
END;
COMMENT ON FUNCTION bouncemx.replay_messages(timestamptz, timestamptz, text, uuid, bigint) IS 'A page of messages with their raw mail: received since, and before until, with an event of the stream (NULL: any), by id and behind after_id (NULL: from the first), at most how_many and about 32 MiB. An empty page is the last.';

CREATE FUNCTION bouncemx.replay_count(since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*) FROM bouncemx.evidence v WHERE v.received_at >= since AND v.received_at < until;
END;
COMMENT ON FUNCTION bouncemx.replay_count(timestamptz, timestamptz) IS 'How many messages of a time have raw mail.';

CREATE FUNCTION bouncemx.replay_events(since timestamptz, until timestamptz, first_id uuid, last_id uuid)
    RETURNS TABLE (id uuid, received_at timestamptz, tenant text, stream text, address text, address_key text,
                   final_recipient text, token text, capped boolean, effect bouncemx.event_effect,
                   kind bouncemx.event_kind, class bouncemx.bounce_class, category bouncemx.bounce_category,
                   fault bouncemx.bounce_fault, confidence bouncemx.bounce_confidence, rule text, mx_operator text,
                   status text, reply_code smallint, diagnostic text, evidence_text text, fingerprint bigint)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.id, e.received_at, e.tenant, e.stream, e.address, e.address_key, e.final_recipient, e.token, e.capped,
           e.effect, e.kind, e.class, e.category, e.fault, e.confidence, e.rule, e.mx_operator, e.status,
           e.reply_code, e.diagnostic, e.evidence_text, e.fingerprint
      FROM bouncemx.event e
     WHERE e.received_at >= since AND e.received_at < until
       AND e.id > first_id AND e.id <= bouncemx.last_of(last_id)
     ORDER BY e.id;
END;
COMMENT ON FUNCTION bouncemx.replay_events(timestamptz, timestamptz, uuid, uuid) IS 'The events of the messages from first_id to last_id, a page of replay_messages, by id.';

-- ---- what a verdict would do -------------------------------------------------------------------

CREATE FUNCTION bouncemx.replay_judged(before bouncemx.event[], after bouncemx.event[])
    RETURNS TABLE (n bigint, was_first bouncemx.event_effect, was_use bouncemx.use_kind, was_stream text,
                   was_expires interval, is_first bouncemx.event_effect, is_use bouncemx.use_kind,
                   is_expires interval, acts_anew boolean, stays boolean)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT j.n, j.was_first, j.was_use, CASE j.was_scope WHEN 'stream' THEN j.stream ELSE '' END, j.was_expires,
           j.is_first, j.is_use, j.is_expires, j.differs,
           -- What was a strike and now is enough alone speaks for the same row.
           NOT j.differs OR (j.was_use = 'strike' AND j.is_use = 'hard' AND j.same)
      FROM (SELECT u.*, u.was_use IS DISTINCT FROM u.is_use OR NOT u.same
                        OR (u.is_use = 'soft' AND u.was_policy IS DISTINCT FROM u.is_policy) AS differs
              FROM (SELECT f.*, bouncemx.use_of(f.was_first, f.was_kind) AS was_use,
                           bouncemx.use_of(f.is_first, f.is_kind) AS is_use,
                           (f.was_kind, f.was_class, f.was_scope) IS NOT DISTINCT FROM (f.is_kind, f.is_class, f.is_scope) AS same
                      FROM (SELECT o.ordinality AS n, o.stream, o.kind AS was_kind, o.class AS was_class, i.kind AS is_kind,
                                   i.class AS is_class, a.name AS was_policy, a.scope AS was_scope,
                                   a.expires[1] AS was_expires, b.name AS is_policy, b.scope AS is_scope,
                                   b.expires[1] AS is_expires,
                                   bouncemx.first_effect(o.kind, o.confidence, o.verification, o.trusted, o.counts, o.capped,
                                       o.address_key, a.strikes, a.strikes_unsure, a.score) AS was_first,
                                   bouncemx.first_effect(i.kind, i.confidence, i.verification, i.trusted, i.counts, i.capped,
                                       i.address_key, b.strikes, b.strikes_unsure, b.score) AS is_first
                              FROM unnest(before) WITH ORDINALITY o
                              JOIN unnest(after) WITH ORDINALITY i ON i.ordinality = o.ordinality
                              LEFT JOIN LATERAL bouncemx.policy_of(o.kind, coalesce(o.class, 'unknown'),
                                        coalesce(o.category, 'undetermined'), o.tenant, o.stream) a
                                ON o.kind IN ('bounce', 'complaint', 'unsubscribe')
                              LEFT JOIN LATERAL bouncemx.policy_of(i.kind, coalesce(i.class, 'unknown'),
                                        coalesce(i.category, 'undetermined'), i.tenant, i.stream) b
                                ON i.kind IN ('bounce', 'complaint', 'unsubscribe')) f) u) j;
END;
COMMENT ON FUNCTION bouncemx.replay_judged(bouncemx.event[], bouncemx.event[]) IS 'What events, as they were and as they are, would do by today''s policy if each were the only one. was_stream: where its score was counted. acts_anew: it is not what it was to policy. stays: a row of the list that it made stays.';

CREATE FUNCTION bouncemx.score_without(s bouncemx.address_score, gone date[]) RETURNS bouncemx.score_sum
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    p  bouncemx.policy;
    it bouncemx.score_sum := ROW('{}', '{}', s.past, 0, s.past, NULL, s.last_at);
BEGIN
    SELECT coalesce(array_agg(d.day ORDER BY d.day), '{}'), coalesce(array_agg(d.points ORDER BY d.day), '{}')
      INTO it.days, it.points
      FROM unnest(s.days, s.points) d (day, points) WHERE d.day <> ALL (gone);
    -- Of a day that was not the last the instant is not known: its end.
    it.last_at := least(it.last_at, (it.days[cardinality(it.days)] + 1)::timestamp AT TIME ZONE 'UTC');
    SELECT * INTO p FROM bouncemx.policy o WHERE o.name = s.policy;
    IF p.score IS NULL THEN
        RETURN it;
    END IF;
    RETURN bouncemx.score_run(it, p.threshold, p.span, p.decay, p.expires);
END $$;
COMMENT ON FUNCTION bouncemx.score_without(bouncemx.address_score, date[]) IS 'A score without some of its days, counted anew.';

-- ---- taking back, and acting anew --------------------------------------------------------------

CREATE FUNCTION bouncemx.replay_lock(touched bouncemx.event[]) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    -- In the order of act, so that writers wait for us, and we for them, instead of locking up.
    PERFORM FROM bouncemx.token_seen s
      WHERE (s.token, s.day) IN (SELECT e.token, e.token_day FROM unnest(touched) e)
      ORDER BY s.token, s.day FOR UPDATE;
    PERFORM FROM bouncemx.address_score s
      WHERE s.address_key IN (SELECT e.address_key FROM unnest(touched) e)
      ORDER BY s.address_key, s.tenant, s.stream FOR UPDATE;
    PERFORM FROM bouncemx.struck s
      WHERE (s.address_key, s.tenant) IN (SELECT e.address_key, e.tenant FROM unnest(touched) e)
      ORDER BY s.address_key, s.tenant FOR UPDATE;
    PERFORM FROM bouncemx.suppression s
      WHERE s.address_key IN (SELECT e.address_key FROM unnest(touched) e)
      ORDER BY s.address_key, s.tenant, s.scope, s.stream FOR UPDATE;
END $$;
COMMENT ON FUNCTION bouncemx.replay_lock(bouncemx.event[]) IS 'Locks what a replay of these events may change.';

CREATE FUNCTION bouncemx.replay_take_back(before bouncemx.event[], after bouncemx.event[])
    RETURNS bouncemx.suppression[]
    LANGUAGE plpgsql AS $$
DECLARE
    ids       uuid[] := (SELECT array_agg(e.id) FROM unnest(before) e);
    unscored  bouncemx.suppression[];
    unstruck  bouncemx.suppression[];
    made      bouncemx.suppression[];
    gone      bouncemx.suppression[];
BEGIN
    WITH gone AS (
        SELECT o.address_key, o.tenant, j.was_stream AS stream, array_agg(d.day) AS days
          FROM unnest(before) WITH ORDINALITY o
          JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
         CROSS JOIN LATERAL (SELECT (o.received_at AT TIME ZONE 'UTC')::date AS day) d
         WHERE j.acts_anew AND j.was_use = 'soft' AND o.effect IN ('soft', 'suppressed', 'pending', 'counted')
           AND NOT EXISTS (
               SELECT FROM bouncemx.event x
                WHERE x.address_key = o.address_key AND x.tenant = o.tenant
                  AND j.was_stream IN ('', x.stream)
                  AND x.received_at >= d.day::timestamp AT TIME ZONE 'UTC'
                  AND x.received_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
                  AND x.id <> ALL (ids) AND x.kind = 'bounce' AND x.class = 'soft'
                  AND x.effect IN ('soft', 'suppressed', 'pending', 'counted'))
         GROUP BY 1, 2, 3),
    counted AS (
        UPDATE bouncemx.address_score s
           SET (days, points, past, score, times, holds_until, last_at) = (
                   SELECT w.days, w.points, w.past, w.score, w.times, w.holds_until, w.last_at
                     FROM bouncemx.score_without(s, g.days) w)
          FROM gone g
         WHERE s.address_key = g.address_key AND s.tenant = g.tenant AND s.stream = g.stream AND s.days && g.days
        RETURNING s.*)
    SELECT array_agg(ROW(s.*)::bouncemx.suppression) INTO unscored
      FROM counted c
      JOIN bouncemx.suppression s
        ON s.address_key = c.address_key AND s.stream = c.stream AND s.origin = 'event' AND s.class = 'soft'
       AND s.tenant = CASE s.scope WHEN 'global' THEN '' ELSE c.tenant END
     WHERE c.holds_until IS NULL;

    -- A row that several strikes made goes when those that are left do not hold any more.
    WITH gone AS (
        DELETE FROM bouncemx.strike s
         USING unnest(before) WITH ORDINALITY o
          JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
         WHERE j.acts_anew AND s.address_key = o.address_key AND s.tenant = o.tenant AND s.event_id = o.id
        RETURNING s.address_key, s.tenant, s.line, s.event_id),
    fewer AS (
        UPDATE bouncemx.struck t SET strikes = greatest(t.strikes - g.n, 0)
          FROM (SELECT d.address_key, d.tenant, count(*) AS n FROM gone d GROUP BY 1, 2) g
         WHERE t.address_key = g.address_key AND t.tenant = g.tenant)
    SELECT array_agg(ROW(s.*)::bouncemx.suppression) INTO unstruck
      FROM (SELECT DISTINCT g.address_key, g.tenant, g.line FROM gone g) g
      JOIN bouncemx.suppression s
        ON s.address_key = g.address_key AND s.origin = 'event' AND s.event_id <> ALL (ids)
       AND s.tenant = CASE s.scope WHEN 'global' THEN '' ELSE g.tenant END
      JOIN bouncemx.event x ON x.id = s.event_id AND x.received_at = s.event_at
     CROSS JOIN LATERAL bouncemx.policy_of(x.kind, coalesce(x.class, 'unknown'), coalesce(x.category, 'undetermined'),
                                           x.tenant, x.stream) p
     CROSS JOIN LATERAL (
           SELECT array_agg(k.at ORDER BY k.at, k.key) AS times, array_agg(k.sure ORDER BY k.at, k.key) AS sure,
                  array_agg(k.holds_until ORDER BY k.at, k.key) AS untils, array_agg(k.event_id ORDER BY k.at, k.key) AS events
             FROM bouncemx.strike k
            WHERE k.address_key = g.address_key AND k.tenant = g.tenant AND k.line = g.line
              AND NOT EXISTS (SELECT FROM gone d WHERE d.event_id = k.event_id)) k
     WHERE bouncemx.strike_line(x.kind, x.class, p.scope, x.stream) = g.line
       AND bouncemx.first_effect(x.kind, x.confidence, x.verification, x.trusted, x.counts, x.capped, x.address_key,
                                 p.strikes, p.strikes_unsure, p.score) = 'strike'
       AND x.id = ANY (k.events)
       AND bouncemx.strikes_hold(k.times, k.sure, k.untils, array_position(k.events, x.id), p) IS NULL;

    SELECT array_agg(ROW(s.*)::bouncemx.suppression) INTO made
      FROM unnest(before) WITH ORDINALITY o
      JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
      JOIN bouncemx.suppression s ON s.address_key = o.address_key AND s.event_id = o.id AND s.origin = 'event'
     WHERE NOT j.stays;

    WITH deleted AS (
        DELETE FROM bouncemx.suppression s
         USING (SELECT DISTINCT u.address_key, u.tenant, u.scope, u.stream FROM unnest(unscored || unstruck || made) u) g
         WHERE s.address_key = g.address_key AND s.tenant = g.tenant AND s.scope = g.scope AND s.stream = g.stream
        RETURNING s.*)
    SELECT array_agg(ROW(d.*)::bouncemx.suppression) INTO gone FROM deleted d;
    RETURN gone;
END $$;
COMMENT ON FUNCTION bouncemx.replay_take_back(bouncemx.event[], bouncemx.event[]) IS 'Takes back what events did that are something else to policy now: strikes, soft days (a day on which another soft bounce counted stays), and rows of the list that nothing else makes; returns those rows.';

CREATE FUNCTION bouncemx.replay_pardoned(the_key text, the_tenant text, since timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM bouncemx.suppression_change c
                    WHERE c.address_hash = bouncemx.address_hash(the_key) AND c.op = 'remove' AND c.at > since
                      AND (c.scope = 'global' OR c.tenant = the_tenant)
                      AND c.reason LIKE 'replay: %' IS NOT TRUE);
END;
COMMENT ON FUNCTION bouncemx.replay_pardoned(text, text, timestamptz) IS 'Has a person taken the address off the list since then? What came before it does not act anew.';

CREATE FUNCTION bouncemx.replay_act(before bouncemx.event[], after bouncemx.event[], ids uuid[], contents bytea[])
    RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    gone       bouncemx.suppression[] := bouncemx.replay_take_back(before, after);
    candidates bouncemx.candidate[];
    effects    bouncemx.event_effect[];
    others     bouncemx.event[];
    anew       uuid[] := (SELECT coalesce(array_agg(o.id), '{}')
                            FROM unnest(before) WITH ORDINALITY o
                            JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
                           WHERE j.acts_anew);
BEGIN
    -- What else spoke for a row that is gone may make it now, or is a strike or soft as before. These
    -- have used up what they had.
    SELECT array_agg(ROW(x.*)::bouncemx.event) INTO others
      FROM bouncemx.event x
     WHERE x.id <> ALL (anew) AND x.effect IN ('suppressed', 'pending', 'counted')
       AND EXISTS (SELECT FROM unnest(gone) g
                    WHERE g.address_key = x.address_key AND g.kind = x.kind AND g.class IS NOT DISTINCT FROM x.class
                      AND g.tenant = CASE g.scope WHEN 'global' THEN '' ELSE x.tenant END
                      AND g.stream = CASE g.scope WHEN 'stream' THEN x.stream ELSE '' END)
       AND x.address_key IN (SELECT g.address_key FROM unnest(gone) g);
    WITH struck_anew AS (
        DELETE FROM bouncemx.strike s USING unnest(others) x
         WHERE s.address_key = x.address_key AND s.tenant = x.tenant AND s.event_id = x.id
        RETURNING s.address_key, s.tenant)
    UPDATE bouncemx.struck t SET strikes = greatest(t.strikes - g.n, 0)
      FROM (SELECT d.address_key, d.tenant, count(*) AS n FROM struck_anew d GROUP BY 1, 2) g
     WHERE t.address_key = g.address_key AND t.tenant = g.tenant;
    WITH acting AS (
        SELECT i.*, CASE WHEN NOT EXISTS (
                              -- It was the one that used it up.
                              SELECT FROM bouncemx.content_seen s
                               WHERE s.content = c.content AND s.use = j.is_use AND s.event_id = i.id)
                         THEN c.content END AS content
          FROM unnest(before) WITH ORDINALITY o
          JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
          JOIN unnest(after) WITH ORDINALITY i ON i.ordinality = o.ordinality
          JOIN unnest(ids, contents) c (id, content) ON c.id = i.id
         WHERE j.acts_anew AND j.is_use IS NOT NULL AND o.effect <> 'undone'
           AND NOT bouncemx.replay_pardoned(i.address_key, i.tenant, i.received_at)
         UNION ALL
        SELECT x.*, 0::bigint, NULL::bytea FROM unnest(others) x)
    SELECT array_agg(ROW(
               a.id, a.received_at, a.kind, a.tenant, a.stream, a.address, a.address_key, a.verification, a.trusted,
               a.counts, a.capped, CASE WHEN a.verification IN ('token', 'sent', 'waiting') THEN a.token END,
               a.token_day, a.content, false, a.class, a.category, a.confidence, a.rule, a.mx_operator, a.source,
               a.status, CASE WHEN a.class <> 'hard' THEN NULL ELSE a.diagnostic END,
               CASE WHEN a.class <> 'hard' THEN NULL ELSE a.evidence_text END)::bouncemx.candidate
               ORDER BY a.received_at, a.id)
      INTO candidates
      FROM acting a;

    -- A row that its event still makes says what the event says now.
    UPDATE bouncemx.suppression s
       SET (category, confidence, rule, mx_operator, status, diagnostic, evidence_text) = (
               i.category, i.confidence, i.rule, i.mx_operator, i.status,
               CASE WHEN i.class <> 'hard' THEN NULL ELSE i.diagnostic END,
               CASE WHEN i.class <> 'hard' THEN NULL ELSE i.evidence_text END),
           expires_at = CASE WHEN i.class = 'hard' AND s.expires_at IS NOT DISTINCT FROM s.event_at + j.was_expires
                             THEN s.event_at + j.is_expires ELSE s.expires_at END
      FROM unnest(before) WITH ORDINALITY o
      JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
      JOIN unnest(after) WITH ORDINALITY i ON i.ordinality = o.ordinality
     WHERE s.address_key = o.address_key AND s.event_id = o.id AND s.origin = 'event';

    effects := bouncemx.act(candidates);
    UPDATE bouncemx.event e SET effect = d.effect
      FROM (SELECT c.event_id AS id, c.received_at, c.unnest AS effect
              FROM ROWS FROM (unnest(candidates), unnest(effects)) c
             UNION ALL
            SELECT o.id, o.received_at, j.is_first
              FROM unnest(before) WITH ORDINALITY o
              JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
             WHERE j.is_use IS NULL AND j.is_first IS DISTINCT FROM j.was_first AND o.effect <> 'undone'
             UNION ALL
            SELECT o.id, o.received_at, 'undone'
              FROM unnest(before) WITH ORDINALITY o
              JOIN bouncemx.replay_judged(before, after) j ON j.n = o.ordinality
             WHERE j.acts_anew AND j.is_use IS NOT NULL
               AND bouncemx.replay_pardoned(o.address_key, o.tenant, o.received_at)) d
     WHERE e.id = d.id AND e.received_at = d.received_at;
END $$;
COMMENT ON FUNCTION bouncemx.replay_act(bouncemx.event[], bouncemx.event[], uuid[], bytea[]) IS 'Lets events act as what they are now, after what they did as what they were was taken back. contents: what those without a token are known by, of the events ids.';

CREATE FUNCTION bouncemx.replay_apply(
    the_job uuid, the_object text, the_reason text, the_actor text, the_time timestamptz, dry boolean,
    e_id uuid[], e_received_at timestamptz[], e_content bytea[], e_kind text[], e_class text[], e_category text[],
    e_fault text[], e_confidence text[], e_rule text[], e_mx_operator text[], e_status text[], e_reply_code text[],
    e_diagnostic text[], e_evidence_text text[], e_fingerprint text[], e_listed_address text[], e_blocklist text[],
    e_lookup_url text[],
    OUT changed bigint, OUT came bigint, OUT gone bigint, OUT altered bigint, OUT effects text)
    LANGUAGE plpgsql AS $$
DECLARE
    before      bouncemx.event[];
    after       bouncemx.event[];
    last_change bigint;
    was_actor   text := coalesce(current_setting('bouncemx.actor', true), '');
    was_reason  text := coalesce(current_setting('bouncemx.reason', true), '');
BEGIN
    IF the_job IS NULL OR the_reason IS NULL OR the_actor IS NULL OR dry IS NULL THEN
        RAISE EXCEPTION 'replay_apply: expected a job, a reason, an actor, and whether it is dry'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- One batch at a time: two replays would undo each other's work.
    PERFORM pg_advisory_xact_lock(hashtextextended('bouncemx.replay', 0));
    PERFORM set_config('bouncemx.actor', the_actor, true), set_config('bouncemx.replay', the_actor, true),
            set_config('bouncemx.reason', 'replay: ' || the_reason, true);
    BEGIN
        last_change := coalesce((SELECT max(c.id) FROM bouncemx.suppression_change c), 0);
        SELECT array_agg(o.whole ORDER BY (o.whole).received_at, (o.whole).id) INTO before
          FROM (SELECT e AS whole FROM bouncemx.event e
                  JOIN unnest(e_id, e_received_at) r (id, received_at) ON e.id = r.id AND e.received_at = r.received_at
                 ORDER BY e.received_at, e.id
                   FOR UPDATE OF e) o;
        PERFORM bouncemx.replay_lock(before);
        WITH updated AS (
            UPDATE bouncemx.event e
               SET kind = r.kind::bouncemx.event_kind, class = r.class::bouncemx.bounce_class,
                   category = r.category::bouncemx.bounce_category, fault = r.fault::bouncemx.bounce_fault,
                   confidence = r.confidence::bouncemx.bounce_confidence, rule = r.rule, mx_operator = r.mx_operator,
                   status = r.status, reply_code = r.reply_code::smallint, diagnostic = r.diagnostic,
                   evidence_text = r.evidence_text, fingerprint = r.fingerprint::bigint,
                   listed_address = r.listed_address::inet, blocklist = r.blocklist, lookup_url = r.lookup_url
              FROM unnest(e_id, e_received_at, e_kind, e_class, e_category, e_fault, e_confidence, e_rule, e_mx_operator,
                          e_status, e_reply_code, e_diagnostic, e_evidence_text, e_fingerprint, e_listed_address,
                          e_blocklist, e_lookup_url)
                   r (id, received_at, kind, class, category, fault, confidence, rule, mx_operator, status, reply_code,
                      diagnostic, evidence_text, fingerprint, listed_address, blocklist, lookup_url)
             WHERE e.id = r.id AND e.received_at = r.received_at
            RETURNING e.*)
        SELECT array_agg(ROW(u.*)::bouncemx.event ORDER BY u.received_at, u.id) INTO after FROM updated u;
        IF after IS NOT NULL THEN
            PERFORM bouncemx.replay_act(before, after, e_id, e_content);
        END IF;

        changed := coalesce(cardinality(after), 0);
        SELECT count(*) FILTER (WHERE r.net > 0), count(*) FILTER (WHERE r.net < 0), count(*) FILTER (WHERE r.net = 0)
          INTO came, gone, altered
          FROM (SELECT count(*) FILTER (WHERE c.op = 'add') - count(*) FILTER (WHERE c.op = 'remove') AS net
                  FROM bouncemx.suppression_change c
                 WHERE c.xid = pg_current_xact_id() AND c.id > last_change
                 GROUP BY c.address_key, c.tenant, c.scope, c.stream) r;
        SELECT string_agg(coalesce(e.effect::text, '-'), ' ' ORDER BY r.n) INTO effects
          FROM unnest(e_id, e_received_at) WITH ORDINALITY r (id, received_at, n)
          LEFT JOIN bouncemx.event e ON e.id = r.id AND e.received_at = r.received_at;
        IF dry THEN
            RAISE EXCEPTION 'replay_apply: taken back' USING ERRCODE = 'BX001';
        END IF;
        IF changed > 0 THEN
            INSERT INTO bouncemx.audit AS a (id, at, actor, action, object, detail)
            VALUES (the_job, the_time, the_actor, 'replay', the_object,
                    jsonb_build_object('reason', the_reason, 'changed', changed, 'came', came, 'gone', gone,
                                       'altered', altered))
            ON CONFLICT (id) DO UPDATE
               SET detail = jsonb_build_object(
                       'reason', the_reason, 'changed', (a.detail ->> 'changed')::bigint + changed,
                       'came', (a.detail ->> 'came')::bigint + came, 'gone', (a.detail ->> 'gone')::bigint + gone,
                       'altered', (a.detail ->> 'altered')::bigint + altered);
        END IF;
    EXCEPTION WHEN SQLSTATE 'BX001' THEN
        NULL; -- dry: all of it is as it was
    END;
    PERFORM set_config('bouncemx.actor', was_actor, true), set_config('bouncemx.replay', '', true),
            set_config('bouncemx.reason', was_reason, true);
END $$;
COMMENT ON FUNCTION bouncemx.replay_apply(
    uuid, text, text, text, timestamptz, boolean, uuid[], timestamptz[], bytea[], text[], text[], text[], text[],
    text[], text[], text[], text[], text[], text[], text[], text[], text[], text[], text[])
    IS 'Gives events new verdicts and lets the list follow, by today''s policy; arrays e_* have one element an event. e_content: what one without a token is known by. Events that a person undid stay undone. dry: all of it is taken back again, only the answer stays. The calls of one the_job are one row of audit, with id the_job, about the_object. Returns how many events were there, how many rows of the list came, are gone, and say something else, and the effects of the events, in their order, with a space between.';
