-- What came in, counted: by hour, by words, by what blocks us, so that reports need not read the events.
-- A roll-up counts arrivals: what becomes of an event later (its token resolved, undone, replayed, erased)
-- changes no count. None holds an address of a person.

CREATE TABLE bouncemx.event_hourly (
    hour        timestamptz NOT NULL,
    tenant      text NOT NULL,
    stream      text NOT NULL,
    mx_operator text NOT NULL,
    kind        bouncemx.event_kind NOT NULL,
    class       text NOT NULL,
    category    text NOT NULL,
    events      bigint NOT NULL,
    verified    bigint NOT NULL,
    suppressed  bigint NOT NULL,
    PRIMARY KEY (hour, tenant, stream, mx_operator, kind, class, category)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.event_hourly IS 'Events by hour.';
COMMENT ON COLUMN bouncemx.event_hourly.hour IS 'The hour of receipt, by its begin.';
COMMENT ON COLUMN bouncemx.event_hourly.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.event_hourly.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.event_hourly.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.event_hourly.kind IS 'What is reported.';
COMMENT ON COLUMN bouncemx.event_hourly.class IS 'Class of a bounce; empty: it is none.';
COMMENT ON COLUMN bouncemx.event_hourly.category IS 'Its category; empty: it is none.';
COMMENT ON COLUMN bouncemx.event_hourly.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.event_hourly.verified IS 'How many of them are proven.';
COMMENT ON COLUMN bouncemx.event_hourly.suppressed IS 'How many of them made a row of the list, one that waits included.';

CREATE TABLE bouncemx.event_daily (
    day         date NOT NULL,
    tenant      text NOT NULL,
    stream      text NOT NULL,
    mx_operator text NOT NULL,
    kind        bouncemx.event_kind NOT NULL,
    class       text NOT NULL,
    category    text NOT NULL,
    events      bigint NOT NULL,
    verified    bigint NOT NULL,
    suppressed  bigint NOT NULL,
    PRIMARY KEY (day, tenant, stream, mx_operator, kind, class, category)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.event_daily IS 'Events by day: what event_hourly says of the hours of each, for whole days in a twentieth of the rows.';
COMMENT ON COLUMN bouncemx.event_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.event_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.event_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.event_daily.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.event_daily.kind IS 'What is reported.';
COMMENT ON COLUMN bouncemx.event_daily.class IS 'Class of a bounce; empty: it is none.';
COMMENT ON COLUMN bouncemx.event_daily.category IS 'Its category; empty: it is none.';
COMMENT ON COLUMN bouncemx.event_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.event_daily.verified IS 'How many of them are proven.';
COMMENT ON COLUMN bouncemx.event_daily.suppressed IS 'How many of them made a row of the list, one that waits included.';

CREATE TABLE bouncemx.bounce_hourly (
    hour        timestamptz NOT NULL,
    mx_operator text NOT NULL,
    category    text NOT NULL,
    events      bigint NOT NULL,
    PRIMARY KEY (hour, mx_operator, category)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.bounce_hourly IS 'Bounces by hour, of all tenants and streams together: what spikes are looked for in.';
COMMENT ON COLUMN bouncemx.bounce_hourly.hour IS 'The hour of receipt, by its begin.';
COMMENT ON COLUMN bouncemx.bounce_hourly.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.bounce_hourly.category IS 'Why.';
COMMENT ON COLUMN bouncemx.bounce_hourly.events IS 'How many events.';

-- Campaigns and rules by day and apart from each other: together with the hour they would make nearly a
-- row an event.
CREATE TABLE bouncemx.campaign_daily (
    day        date NOT NULL,
    tenant     text NOT NULL,
    stream     text NOT NULL,
    campaign   text NOT NULL,
    kind       bouncemx.event_kind NOT NULL,
    class      text NOT NULL,
    events     bigint NOT NULL,
    suppressed bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (day, tenant, stream, campaign, kind, class)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.campaign_daily IS 'Bounces and complaints by campaign, a day.';
COMMENT ON COLUMN bouncemx.campaign_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.campaign_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.campaign_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.campaign_daily.campaign IS 'Campaign; empty: none is proven.';
COMMENT ON COLUMN bouncemx.campaign_daily.kind IS 'What is reported.';
COMMENT ON COLUMN bouncemx.campaign_daily.class IS 'Class of a bounce; empty: it is none.';
COMMENT ON COLUMN bouncemx.campaign_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.campaign_daily.suppressed IS 'How many of them made a row of the list, one that waits included.';
COMMENT ON COLUMN bouncemx.campaign_daily.first_at IS 'When the first was accepted.';
COMMENT ON COLUMN bouncemx.campaign_daily.last_at IS 'When the last was.';

CREATE TABLE bouncemx.rule_daily (
    day        date NOT NULL,
    tenant     text NOT NULL,
    stream     text NOT NULL,
    rule       text NOT NULL,
    category   text NOT NULL,
    events     bigint NOT NULL,
    verified   bigint NOT NULL,
    suppressed bigint NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (day, tenant, stream, rule, category)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.rule_daily IS 'Bounces and delays by the rule that decided, a day.';
COMMENT ON COLUMN bouncemx.rule_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.rule_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.rule_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.rule_daily.rule IS 'The rule that decided; empty: none.';
COMMENT ON COLUMN bouncemx.rule_daily.category IS 'Its category; empty: none.';
COMMENT ON COLUMN bouncemx.rule_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.rule_daily.verified IS 'How many of them are proven.';
COMMENT ON COLUMN bouncemx.rule_daily.suppressed IS 'How many of them made a row of the list, one that waits included.';
COMMENT ON COLUMN bouncemx.rule_daily.last_at IS 'When the last was accepted.';

CREATE TABLE bouncemx.diagnostic_daily (
    day             date NOT NULL,
    tenant          text NOT NULL,
    stream          text NOT NULL,
    fingerprint     bigint NOT NULL,
    mx_operator     text NOT NULL,
    category        text NOT NULL,
    rule            text NOT NULL,
    status          text NOT NULL,
    events          bigint NOT NULL,
    verified        bigint NOT NULL,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    sample_event_id uuid NOT NULL,
    PRIMARY KEY (day, tenant, stream, fingerprint, mx_operator, category, rule, status)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.diagnostic_daily IS 'Bounces and delays by the words of the remote host, a day.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.fingerprint IS 'Hash of the normalised words.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.category IS 'Category.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.rule IS 'The rule that decided; empty: none.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.status IS 'Enhanced status code; empty: none.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.verified IS 'How many of them are proven.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.first_at IS 'When the first was accepted.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.last_at IS 'When the last was.';
COMMENT ON COLUMN bouncemx.diagnostic_daily.sample_event_id IS 'One of them, the latest when it was counted: its words can be looked up while it is kept.';

CREATE TABLE bouncemx.block_daily (
    day             date NOT NULL,
    tenant          text NOT NULL,
    stream          text NOT NULL,
    mx_operator     text NOT NULL,
    category        text NOT NULL,
    listed_address  text NOT NULL,
    blocklist       text NOT NULL,
    lookup_url      text NOT NULL,
    events          bigint NOT NULL,
    verified        bigint NOT NULL,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    sample_event_id uuid NOT NULL,
    PRIMARY KEY (day, tenant, stream, mx_operator, category, listed_address, blocklist)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.block_daily IS 'Refusals of ourselves (class block), a day.';
COMMENT ON COLUMN bouncemx.block_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.block_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.block_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.block_daily.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.block_daily.category IS 'Why.';
COMMENT ON COLUMN bouncemx.block_daily.listed_address IS 'The address of ours that the words name; empty: none.';
COMMENT ON COLUMN bouncemx.block_daily.blocklist IS 'The list that it stands on; empty: none is named.';
COMMENT ON COLUMN bouncemx.block_daily.lookup_url IS 'The page to look at, the last that was named; empty: none is, or it names an address.';
COMMENT ON COLUMN bouncemx.block_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.block_daily.verified IS 'How many of them are proven.';
COMMENT ON COLUMN bouncemx.block_daily.first_at IS 'When the first was accepted.';
COMMENT ON COLUMN bouncemx.block_daily.last_at IS 'When the last was.';
COMMENT ON COLUMN bouncemx.block_daily.sample_event_id IS 'The latest when it was counted.';

CREATE TABLE bouncemx.attempt_daily (
    day             date NOT NULL,
    tenant          text NOT NULL,
    stream          text NOT NULL,
    client_address  text NOT NULL,
    domain          text NOT NULL,
    kind            bouncemx.event_kind NOT NULL,
    attempt         text NOT NULL,
    events          bigint NOT NULL,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    sample_event_id uuid NOT NULL,
    PRIMARY KEY (day, tenant, stream, client_address, domain, kind, attempt)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.attempt_daily IS 'Reports that may not act, a day: forged, or without the token that they would need.';
COMMENT ON COLUMN bouncemx.attempt_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.attempt_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.attempt_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.attempt_daily.client_address IS 'IP address of the SMTP client; empty: not known.';
COMMENT ON COLUMN bouncemx.attempt_daily.domain IS 'Domain of the first RCPT TO; empty: not known.';
COMMENT ON COLUMN bouncemx.attempt_daily.kind IS 'What was reported.';
COMMENT ON COLUMN bouncemx.attempt_daily.attempt IS 'Why it does not count: forged, expired, early, unknown_key, wrong_purpose, unsigned.';
COMMENT ON COLUMN bouncemx.attempt_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.attempt_daily.first_at IS 'When the first was accepted.';
COMMENT ON COLUMN bouncemx.attempt_daily.last_at IS 'When the last was.';
COMMENT ON COLUMN bouncemx.attempt_daily.sample_event_id IS 'The latest when it was counted.';

CREATE TABLE bouncemx.complaint_daily (
    day                date NOT NULL,
    tenant             text NOT NULL,
    stream             text NOT NULL,
    reporter           text NOT NULL,
    user_agent         text NOT NULL,
    complaints         bigint NOT NULL,
    unmatched          bigint NOT NULL,
    unmatched_at       timestamptz,
    unmatched_event_id uuid,
    PRIMARY KEY (day, tenant, stream, reporter, user_agent)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.complaint_daily IS 'Complaints by who reports them, a day.';
COMMENT ON COLUMN bouncemx.complaint_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.complaint_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.complaint_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.complaint_daily.reporter IS 'Domain of the From of the report, else its Reporting-MTA, else the client.';
COMMENT ON COLUMN bouncemx.complaint_daily.user_agent IS 'Its User-Agent; empty: none.';
COMMENT ON COLUMN bouncemx.complaint_daily.complaints IS 'How many.';
COMMENT ON COLUMN bouncemx.complaint_daily.unmatched IS 'How many of them no identifier attributes and verifies.';
COMMENT ON COLUMN bouncemx.complaint_daily.unmatched_at IS 'When the last of those was accepted; NULL: none.';
COMMENT ON COLUMN bouncemx.complaint_daily.unmatched_event_id IS 'The last of those when it was counted.';

CREATE TABLE bouncemx.latency_daily (
    day         date NOT NULL,
    tenant      text NOT NULL,
    stream      text NOT NULL,
    mx_operator text NOT NULL,
    bucket      integer NOT NULL,
    events      bigint NOT NULL,
    PRIMARY KEY (day, tenant, stream, mx_operator, bucket)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.latency_daily IS 'How long after sending bounces came, a day: where table sent knows when the mail was sent.';
COMMENT ON COLUMN bouncemx.latency_daily.day IS 'The day of receipt, UTC.';
COMMENT ON COLUMN bouncemx.latency_daily.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.latency_daily.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.latency_daily.mx_operator IS 'Who runs the mail host that spoke; empty: not known.';
COMMENT ON COLUMN bouncemx.latency_daily.bucket IS 'From 2^bucket seconds up to twice that; 0 also holds what took less.';
COMMENT ON COLUMN bouncemx.latency_daily.events IS 'How many bounces.';

CREATE TABLE bouncemx.message_hourly (
    hour     timestamptz NOT NULL,
    node     text NOT NULL,
    kind     bouncemx.event_kind NOT NULL,
    messages bigint NOT NULL,
    bytes    numeric NOT NULL,
    PRIMARY KEY (hour, node, kind)
) WITH (fillfactor = 80);
COMMENT ON TABLE bouncemx.message_hourly IS 'Messages by hour and host.';
COMMENT ON COLUMN bouncemx.message_hourly.hour IS 'The hour of receipt, by its begin.';
COMMENT ON COLUMN bouncemx.message_hourly.node IS 'Host that received them.';
COMMENT ON COLUMN bouncemx.message_hourly.kind IS 'What the message as a whole reports.';
COMMENT ON COLUMN bouncemx.message_hourly.messages IS 'How many messages.';
COMMENT ON COLUMN bouncemx.message_hourly.bytes IS 'Bytes that their clients sent.';

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

-- ---- writing, with roll-ups ----------------------------------------------------------------------

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
