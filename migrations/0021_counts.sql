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
