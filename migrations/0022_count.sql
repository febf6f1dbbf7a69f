-- Counting a batch into the roll-ups.

CREATE FUNCTION bouncemx.latency_bucket(latency interval) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN least(floor(log(2, greatest(extract(epoch FROM latency), 1)))::integer, 40);
COMMENT ON FUNCTION bouncemx.latency_bucket(interval) IS 'latency_daily.bucket of a time.';

CREATE TYPE bouncemx.rolled AS (
    hour        timestamptz,
    tenant      text,
    stream      text,
    campaign    text,
    mx_operator text,
    kind        bouncemx.event_kind,
    class       text,
    category    text,
    rule        text,
    events      bigint,
    verified    bigint,
    suppressed  bigint,
    first_at    timestamptz,
    last_at     timestamptz);
COMMENT ON TYPE bouncemx.rolled IS 'Events of a batch that differ in nothing that is counted by, for roll_up.';

CREATE FUNCTION bouncemx.roll_up(
    e_id uuid[], e_received_at timestamptz[], e_kind text[], e_tenant text[], e_stream text[],
    e_campaign text[], e_mx_operator text[], e_class text[], e_category text[], e_rule text[],
    e_status text[], e_fingerprint bigint[], e_verification text[], e_address_key text[],
    e_listed_address text[], e_blocklist text[], e_lookup_url text[], sent_at timestamptz[],
    effects bouncemx.event_effect[], m_id uuid[], m_client_address text[], m_rcpt_to text[],
    m_header_from text[], m_reporting_mta text[], m_user_agent text[])
    RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    groups bouncemx.rolled[];
BEGIN
    -- A batch has few sorts of events: counted once, then spread. A campaign that anybody may make up must
    -- not make rows.
    SELECT array_agg(ROW(g.hour, g.tenant, g.stream, g.campaign, g.mx_operator, g.kind, g.class, g.category, g.rule,
                         g.events, g.verified, g.suppressed, g.first_at, g.last_at)::bouncemx.rolled)
      INTO groups
      FROM (SELECT date_trunc('hour', e.received_at, 'UTC') AS hour, e.tenant, e.stream,
                   CASE WHEN bouncemx.is_verified(e.verification::bouncemx.verification)
                        THEN coalesce(e.campaign, '') ELSE '' END AS campaign,
                   coalesce(e.mx_operator, '') AS mx_operator, e.kind::bouncemx.event_kind AS kind,
                   coalesce(e.class, '') AS class, coalesce(e.category, '') AS category,
                   coalesce(e.rule, '') AS rule, count(*) AS events,
                   count(*) FILTER (WHERE bouncemx.is_verified(e.verification::bouncemx.verification)) AS verified,
                   count(*) FILTER (WHERE e.effect IN ('suppressed', 'pending')) AS suppressed,
                   min(e.received_at) AS first_at, max(e.received_at) AS last_at
              FROM unnest(e_received_at, e_tenant, e_stream, e_campaign, e_mx_operator, e_kind, e_class, e_category,
                          e_rule, e_verification, effects)
                   e (received_at, tenant, stream, campaign, mx_operator, kind, class, category, rule, verification,
                      effect)
             WHERE e.effect <> 'flood'
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) g;
    IF groups IS NULL THEN
        RETURN;
    END IF;

    -- Each in the order of its key, so that writers wait for each other instead of locking up.
    INSERT INTO bouncemx.event_hourly AS h (
        hour, tenant, stream, mx_operator, kind, class, category, events, verified, suppressed)
    SELECT g.hour, g.tenant, g.stream, g.mx_operator, g.kind, g.class, g.category, sum(g.events), sum(g.verified),
           sum(g.suppressed)
      FROM unnest(groups) g
     GROUP BY 1, 2, 3, 4, 5, 6, 7
     ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (hour, tenant, stream, mx_operator, kind, class, category) DO UPDATE
       SET events = h.events + excluded.events, verified = h.verified + excluded.verified,
           suppressed = h.suppressed + excluded.suppressed;

    INSERT INTO bouncemx.event_daily AS d (
        day, tenant, stream, mx_operator, kind, class, category, events, verified, suppressed)
    SELECT (g.hour AT TIME ZONE 'UTC')::date, g.tenant, g.stream, g.mx_operator, g.kind, g.class, g.category,
           sum(g.events), sum(g.verified), sum(g.suppressed)
      FROM unnest(groups) g
     GROUP BY 1, 2, 3, 4, 5, 6, 7
     ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (day, tenant, stream, mx_operator, kind, class, category) DO UPDATE
       SET events = d.events + excluded.events, verified = d.verified + excluded.verified,
           suppressed = d.suppressed + excluded.suppressed;

    INSERT INTO bouncemx.bounce_hourly AS b (hour, mx_operator, category, events)
    SELECT g.hour, g.mx_operator, g.category, sum(g.events)
      FROM unnest(groups) g
     WHERE g.kind = 'bounce'
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3
    ON CONFLICT (hour, mx_operator, category) DO UPDATE
       SET events = b.events + excluded.events;

    INSERT INTO bouncemx.campaign_daily AS c (
        day, tenant, stream, campaign, kind, class, events, suppressed, first_at, last_at)
    SELECT (g.hour AT TIME ZONE 'UTC')::date, g.tenant, g.stream, g.campaign, g.kind, g.class, sum(g.events),
           sum(g.suppressed), min(g.first_at), max(g.last_at)
      FROM unnest(groups) g
     WHERE g.kind IN ('bounce', 'complaint')
     GROUP BY 1, 2, 3, 4, 5, 6
     ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (day, tenant, stream, campaign, kind, class) DO UPDATE
       SET events = c.events + excluded.events, suppressed = c.suppressed + excluded.suppressed,
           first_at = least(c.first_at, excluded.first_at), last_at = greatest(c.last_at, excluded.last_at);

    INSERT INTO bouncemx.rule_daily AS r (day, tenant, stream, rule, category, events, verified, suppressed, last_at)
    SELECT (g.hour AT TIME ZONE 'UTC')::date, g.tenant, g.stream, g.rule, g.category, sum(g.events), sum(g.verified),
           sum(g.suppressed), max(g.last_at)
      FROM unnest(groups) g
     WHERE g.kind IN ('bounce', 'delayed')
     GROUP BY 1, 2, 3, 4, 5
     ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (day, tenant, stream, rule, category) DO UPDATE
       SET events = r.events + excluded.events, verified = r.verified + excluded.verified,
           suppressed = r.suppressed + excluded.suppressed, last_at = greatest(r.last_at, excluded.last_at);

    INSERT INTO bouncemx.diagnostic_daily AS d (
        day, tenant, stream, fingerprint, mx_operator, category, rule, status, events, verified, first_at,
        last_at, sample_event_id)
    SELECT (e.received_at AT TIME ZONE 'UTC')::date, e.tenant, e.stream, e.fingerprint,
           coalesce(e.mx_operator, ''), coalesce(e.category, ''), coalesce(e.rule, ''), coalesce(e.status, ''),
           count(*), count(*) FILTER (WHERE bouncemx.is_verified(e.verification::bouncemx.verification)),
           min(e.received_at), max(e.received_at), (array_agg(e.id ORDER BY e.received_at DESC, e.id DESC))[1]
      FROM unnest(e_id, e_received_at, e_tenant, e_stream, e_fingerprint, e_mx_operator, e_category, e_rule,
                  e_status, e_verification, effects)
           e (id, received_at, tenant, stream, fingerprint, mx_operator, category, rule, status, verification, effect)
     WHERE e.fingerprint IS NOT NULL AND e.effect <> 'flood'
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
     ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (day, tenant, stream, fingerprint, mx_operator, category, rule, status) DO UPDATE
       SET events = d.events + excluded.events, verified = d.verified + excluded.verified,
           first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at),
           sample_event_id = excluded.sample_event_id;

    IF 'block' = ANY (e_class) THEN
        INSERT INTO bouncemx.block_daily AS b (
            day, tenant, stream, mx_operator, category, listed_address, blocklist, lookup_url, events,
            verified, first_at, last_at, sample_event_id)
        SELECT (e.received_at AT TIME ZONE 'UTC')::date, e.tenant, e.stream, coalesce(e.mx_operator, ''),
               e.category, coalesce(host(e.listed_address::inet), ''), coalesce(e.blocklist, ''),
               -- Some pages have the recipient in their address.
               coalesce((array_agg(e.lookup_url ORDER BY e.received_at DESC, e.id DESC)
                         FILTER (WHERE e.lookup_url !~ '@|%40'))[1], ''),
               count(*), count(*) FILTER (WHERE bouncemx.is_verified(e.verification::bouncemx.verification)),
               min(e.received_at), max(e.received_at), (array_agg(e.id ORDER BY e.received_at DESC, e.id DESC))[1]
          FROM unnest(e_id, e_received_at, e_tenant, e_stream, e_mx_operator, e_class, e_category,
                      e_listed_address, e_blocklist, e_lookup_url, e_verification, effects)
               e (id, received_at, tenant, stream, mx_operator, class, category, listed_address, blocklist,
                  lookup_url, verification, effect)
         WHERE e.class = 'block' AND e.effect <> 'flood'
         GROUP BY 1, 2, 3, 4, 5, 6, 7
         ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (day, tenant, stream, mx_operator, category, listed_address, blocklist) DO UPDATE
           SET lookup_url = coalesce(nullif(excluded.lookup_url, ''), b.lookup_url), events = b.events + excluded.events, verified = b.verified + excluded.verified,
               first_at = least(b.first_at, excluded.first_at), last_at = greatest(b.last_at, excluded.last_at),
               sample_event_id = excluded.sample_event_id;
    END IF;

    IF e_verification && '{forged,expired,early,unknown_key,wrong_purpose}' OR 'unverified' = ANY (effects) THEN
        INSERT INTO bouncemx.attempt_daily AS a (
            day, tenant, stream, client_address, domain, kind, attempt, events, first_at, last_at, sample_event_id)
        SELECT (e.received_at AT TIME ZONE 'UTC')::date, e.tenant, e.stream, coalesce(m.client_address, ''),
               coalesce(bouncemx.domain_of(split_part(m.rcpt_to, E'\n', 1)), ''), e.kind::bouncemx.event_kind,
               e.verification, count(*), min(e.received_at), max(e.received_at),
               (array_agg(e.id ORDER BY e.received_at DESC, e.id DESC))[1]
          FROM unnest(e_id, e_received_at, e_tenant, e_stream, e_kind, e_verification, effects)
               e (id, received_at, tenant, stream, kind, verification, effect)
          JOIN unnest(m_id, m_client_address, m_rcpt_to) m (id, client_address, rcpt_to)
            ON m.id = bouncemx.message_of(e.id)
         WHERE e.effect <> 'flood'
           AND (e.verification IN ('forged', 'expired', 'early', 'unknown_key', 'wrong_purpose')
                OR e.effect = 'unverified')
         GROUP BY 1, 2, 3, 4, 5, 6, 7
         ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (day, tenant, stream, client_address, domain, kind, attempt) DO UPDATE
           SET events = a.events + excluded.events, first_at = least(a.first_at, excluded.first_at),
               last_at = greatest(a.last_at, excluded.last_at), sample_event_id = excluded.sample_event_id;
    END IF;

    IF 'complaint' = ANY (e_kind) THEN
        INSERT INTO bouncemx.complaint_daily AS c (
            day, tenant, stream, reporter, user_agent, complaints, unmatched, unmatched_at, unmatched_event_id)
        SELECT e.day, e.tenant, e.stream, e.reporter, e.user_agent, count(*), count(*) FILTER (WHERE e.unmatched),
               max(e.received_at) FILTER (WHERE e.unmatched),
               (array_agg(e.id ORDER BY e.received_at DESC, e.id DESC) FILTER (WHERE e.unmatched))[1]
          FROM (SELECT e.id, e.received_at, (e.received_at AT TIME ZONE 'UTC')::date AS day, e.tenant, e.stream,
                       coalesce(bouncemx.domain_of(m.header_from), m.reporting_mta, m.client_address, '') AS reporter,
                       coalesce(m.user_agent, '') AS user_agent,
                       e.address_key IS NULL OR NOT bouncemx.is_verified(e.verification::bouncemx.verification) AS unmatched
                  FROM unnest(e_id, e_received_at, e_tenant, e_stream, e_kind, e_verification, e_address_key, effects)
                       e (id, received_at, tenant, stream, kind, verification, address_key, effect)
                  JOIN unnest(m_id, m_client_address, m_header_from, m_reporting_mta, m_user_agent)
                       m (id, client_address, header_from, reporting_mta, user_agent)
                    ON m.id = bouncemx.message_of(e.id)
                 WHERE e.kind = 'complaint' AND e.effect <> 'flood') e
         GROUP BY 1, 2, 3, 4, 5
         ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (day, tenant, stream, reporter, user_agent) DO UPDATE
           SET complaints = c.complaints + excluded.complaints, unmatched = c.unmatched + excluded.unmatched,
               unmatched_at = greatest(c.unmatched_at, excluded.unmatched_at),
               unmatched_event_id = coalesce(excluded.unmatched_event_id, c.unmatched_event_id);
    END IF;

    IF sent_at IS NOT NULL THEN
        INSERT INTO bouncemx.latency_daily AS l (day, tenant, stream, mx_operator, bucket, events)
        SELECT (e.received_at AT TIME ZONE 'UTC')::date, e.tenant, e.stream, coalesce(e.mx_operator, ''),
               bouncemx.latency_bucket(e.received_at - e.sent_at), count(*)
          FROM unnest(e_received_at, e_tenant, e_stream, e_mx_operator, e_kind, sent_at, effects)
               e (received_at, tenant, stream, mx_operator, kind, sent_at, effect)
         WHERE e.kind = 'bounce' AND e.sent_at IS NOT NULL AND e.effect <> 'flood'
         GROUP BY 1, 2, 3, 4, 5
         ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (day, tenant, stream, mx_operator, bucket) DO UPDATE
           SET events = l.events + excluded.events;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.roll_up(
    uuid[], timestamptz[], text[], text[], text[], text[], text[], text[], text[], text[], text[], bigint[],
    text[], text[], text[], text[], text[], timestamptz[], bouncemx.event_effect[], uuid[], text[], text[],
    text[], text[], text[])
    IS 'Counts the events of a batch that were kept (effects: NULL of one that was not) in event_hourly, event_daily, bounce_hourly, campaign_daily, rule_daily, diagnostic_daily, block_daily, attempt_daily, complaint_daily and latency_daily, for write_messages. Arrays e_*, sent_at and effects have one element an event, m_* one a message.';

CREATE FUNCTION bouncemx.forget_rolled_up(before_day date) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    gone  bigint;
    total bigint := 0;
    rolled text;
BEGIN
    FOREACH rolled IN ARRAY ARRAY['diagnostic_daily', 'attempt_daily', 'complaint_daily'] LOOP
        EXECUTE format('DELETE FROM bouncemx.%I WHERE day < $1', rolled) USING before_day;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION bouncemx.forget_rolled_up(date) IS 'Drops the days before this one of the roll-ups whose rows strangers can make at will (words, attempts, reporters): as long as events are kept is enough. The others stay for ever. Returns how many rows.';
