-- What deliverability people ask. Each report is a function of a time and a stream, and a view over all time.
-- They read roll-ups: an hour or a day counts when it begins before until and does not end before since. Rates
-- are shown where table volume says how much was sent, and nowhere else.

DROP FUNCTION bouncemx.report_forged(timestamptz, timestamptz, text);
DROP FUNCTION bouncemx.report_unmatched(timestamptz, timestamptz, text);
DROP VIEW bouncemx.v_block_events;
DROP FUNCTION bouncemx.report_blocks(timestamptz, timestamptz, text);

CREATE FUNCTION bouncemx.day_of(at timestamptz) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (at AT TIME ZONE 'UTC')::date;
COMMENT ON FUNCTION bouncemx.day_of(timestamptz) IS 'The day of a time, UTC.';

CREATE FUNCTION bouncemx.days_until(at timestamptz) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN isfinite(at) THEN bouncemx.day_of(at + interval '1 day' - interval '1 microsecond') ELSE at::date END;
COMMENT ON FUNCTION bouncemx.days_until(timestamptz) IS 'The first day that begins at a time or behind it.';

CREATE FUNCTION bouncemx.begin_of(day date) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN day::timestamp AT TIME ZONE 'UTC';
COMMENT ON FUNCTION bouncemx.begin_of(date) IS 'When a day begins, UTC.';

CREATE FUNCTION bouncemx.percent(part bigint, whole bigint) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN whole > 0 THEN round(100.0 * part / whole, 3) END;
COMMENT ON FUNCTION bouncemx.percent(bigint, bigint) IS 'A share in percent; NULL of nothing.';

CREATE FUNCTION bouncemx.level_of(rate numeric, warn numeric, red numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN rate >= red THEN 'red' WHEN rate >= warn THEN 'warn' WHEN rate IS NOT NULL THEN 'ok' END;
COMMENT ON FUNCTION bouncemx.level_of(numeric, numeric, numeric) IS 'ok, warn or red; NULL of an unknown rate.';

-- The shares at which people should look: bounces 2 and 5 percent, complaints 0.1 and 0.3.
CREATE FUNCTION bouncemx.bounce_level(rate numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN bouncemx.level_of(rate, 2, 5);
COMMENT ON FUNCTION bouncemx.bounce_level(numeric) IS 'warn from 2 percent on, red from 5.';

CREATE FUNCTION bouncemx.complaint_level(rate numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN bouncemx.level_of(rate, 0.1, 0.3);
COMMENT ON FUNCTION bouncemx.complaint_level(numeric) IS 'warn from 0.1 percent on, red from 0.3 (what Gmail asks for).';

CREATE FUNCTION bouncemx.events_counted(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, mx_operator text, kind bouncemx.event_kind, class text, category text, events bigint,
                   verified bigint, suppressed bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT d.day, d.mx_operator, d.kind, d.class, d.category, d.events, d.verified, d.suppressed
      FROM bouncemx.event_daily d
     WHERE d.day >= bouncemx.days_until(date_trunc('hour', since, 'UTC')) AND d.day < bouncemx.day_of(until)
       AND (the_stream IS NULL OR d.stream = the_stream)
     UNION ALL
    SELECT bouncemx.day_of(h.hour), h.mx_operator, h.kind, h.class, h.category, h.events, h.verified, h.suppressed
      FROM bouncemx.event_hourly h
     WHERE h.hour >= date_trunc('hour', since, 'UTC')
       AND h.hour < least(until, bouncemx.begin_of(bouncemx.days_until(date_trunc('hour', since, 'UTC'))))
       AND (the_stream IS NULL OR h.stream = the_stream)
     UNION ALL
    SELECT bouncemx.day_of(h.hour), h.mx_operator, h.kind, h.class, h.category, h.events, h.verified, h.suppressed
      FROM bouncemx.event_hourly h
     WHERE h.hour >= greatest(bouncemx.begin_of(bouncemx.day_of(until)),
                              bouncemx.begin_of(bouncemx.days_until(date_trunc('hour', since, 'UTC'))))
       AND h.hour < until AND (the_stream IS NULL OR h.stream = the_stream);
END;
COMMENT ON FUNCTION bouncemx.events_counted(timestamptz, timestamptz, text) IS 'What came in the hours of a time: whole days from event_daily, the hours before and behind them from event_hourly.';

CREATE FUNCTION bouncemx.report_operator(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (mx_operator text, bounces bigint, hard bigint, soft bigint, transient bigint, block
                   bigint, other bigint, complaints bigint, suppressed bigint, sent bigint, bounce_rate numeric, level
                   text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT nullif(coalesce(e.mx_operator, v.mx_operator), ''), coalesce(e.bounces, 0), coalesce(e.hard, 0),
           coalesce(e.soft, 0), coalesce(e.transient, 0), coalesce(e.block, 0), coalesce(e.other, 0),
           CASE WHEN e.mx_operator = '' OR e.complaints > 0 THEN e.complaints END, coalesce(e.suppressed, 0), v.sent,
           bouncemx.percent(v.bounces, v.sent), bouncemx.bounce_level(bouncemx.percent(v.bounces, v.sent))
      FROM (SELECT h.mx_operator, coalesce(sum(h.events) FILTER (WHERE h.kind = 'bounce'), 0)::bigint AS bounces,
               coalesce(sum(h.events) FILTER (WHERE h.class = 'hard'), 0)::bigint AS hard,
               coalesce(sum(h.events) FILTER (WHERE h.class = 'soft'), 0)::bigint AS soft,
               coalesce(sum(h.events) FILTER (WHERE h.class = 'transient'), 0)::bigint AS transient,
               coalesce(sum(h.events) FILTER (WHERE h.class = 'block'), 0)::bigint AS block,
               coalesce(sum(h.events) FILTER (WHERE h.class IN ('message', 'local', 'unknown')), 0)::bigint AS other,
               coalesce(sum(h.events) FILTER (WHERE h.kind = 'complaint'), 0)::bigint AS complaints,
               coalesce(sum(h.suppressed), 0)::bigint AS suppressed
              FROM bouncemx.events_counted(since, until, the_stream) h
             WHERE h.kind IN ('bounce', 'complaint')
             GROUP BY h.mx_operator) e
      -- Volume is told by day, so what is held against it are the bounces of whole days.
      FULL JOIN (
           SELECT v.mx_operator, sum(v.sent)::bigint AS sent, coalesce(sum(b.bounces), 0)::bigint AS bounces
             FROM bouncemx.volume v
             LEFT JOIN (SELECT d.day, d.tenant, d.stream, d.mx_operator, sum(d.events) AS bounces
                          FROM bouncemx.event_daily d
                         WHERE d.day >= bouncemx.day_of(since) AND d.day < bouncemx.days_until(until) AND d.kind = 'bounce'
                         GROUP BY 1, 2, 3, 4) b USING (day, tenant, stream, mx_operator)
            WHERE v.mx_operator <> '' AND v.day >= bouncemx.day_of(since) AND v.day < bouncemx.days_until(until)
              AND (the_stream IS NULL OR v.stream = the_stream)
            GROUP BY v.mx_operator) v ON v.mx_operator = e.mx_operator
     ORDER BY 2 DESC, 1;
END;
COMMENT ON FUNCTION bouncemx.report_operator(timestamptz, timestamptz, text) IS 'Bounces and complaints by who runs the mail host that spoke, those with none included when volume knows them.';
CREATE VIEW bouncemx.v_bounce_by_operator AS
    SELECT * FROM bouncemx.report_operator('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_bounce_by_operator IS 'Bounces and complaints by who runs the mail host that spoke, of all time; report_operator() reads only the time that is asked for.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.bounces IS 'Bounces of all classes.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.hard IS 'Of class hard.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.soft IS 'Of class soft.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.transient IS 'Of class transient.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.block IS 'Of class block.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.other IS 'Of the classes message, local and unknown.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.complaints IS 'Complaints; NULL: who complains is not told by operator.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.suppressed IS 'How many of all made a row of the list.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.sent IS 'Messages that were sent, as table volume says; NULL: it does not.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.bounce_rate IS 'Bounces, of the whole days and the streams for which volume knows the operator, in percent of what was sent then; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_bounce_by_operator.level IS 'ok, warn (2 percent and more) or red (5); NULL: not known.';

CREATE FUNCTION bouncemx.report_campaign(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (tenant text, stream text, campaign text, bounces bigint, hard bigint, soft bigint,
                   transient bigint, block bigint, other bigint, complaints bigint, suppressed bigint, first_at
                   timestamptz, last_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.tenant, c.stream, nullif(c.campaign, ''),
           coalesce(sum(c.events) FILTER (WHERE c.kind = 'bounce'), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.class = 'hard'), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.class = 'soft'), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.class = 'transient'), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.class = 'block'), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.class IN ('message', 'local', 'unknown')), 0)::bigint,
           coalesce(sum(c.events) FILTER (WHERE c.kind = 'complaint'), 0)::bigint,
           sum(c.suppressed)::bigint, min(c.first_at), max(c.last_at)
      FROM bouncemx.campaign_daily c
     WHERE c.day >= bouncemx.day_of(since) AND c.day < bouncemx.days_until(until) AND (the_stream IS NULL OR c.stream = the_stream)
     GROUP BY c.tenant, c.stream, c.campaign
     ORDER BY 4 DESC, 10 DESC, c.tenant, c.stream, c.campaign;
END;
COMMENT ON FUNCTION bouncemx.report_campaign(timestamptz, timestamptz, text) IS 'Bounces and complaints by stream and campaign. Campaigns are those that a token or table sent proves.';
CREATE VIEW bouncemx.v_bounce_by_stream_campaign AS
    SELECT * FROM bouncemx.report_campaign('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_bounce_by_stream_campaign IS 'Bounces and complaints by stream and campaign, of all time.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.campaign IS 'Campaign; NULL: none is proven.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.bounces IS 'Bounces of all classes.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.hard IS 'Of class hard.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.soft IS 'Of class soft.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.transient IS 'Of class transient.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.block IS 'Of class block.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.other IS 'Of the classes message, local and unknown.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.complaints IS 'Complaints.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.suppressed IS 'How many of all made a row of the list.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.first_at IS 'When the first was received.';
COMMENT ON COLUMN bouncemx.v_bounce_by_stream_campaign.last_at IS 'When the last was received.';

CREATE FUNCTION bouncemx.report_reasons(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, kind bouncemx.event_kind, class text, category text, events bigint,
                   verified bigint, suppressed bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT h.day, h.kind, nullif(h.class, ''), nullif(h.category, ''), sum(h.events)::bigint,
           sum(h.verified)::bigint, sum(h.suppressed)::bigint
      FROM bouncemx.events_counted(since, until, the_stream) h
     GROUP BY h.day, h.kind, h.class, h.category
     ORDER BY 1 DESC, 5 DESC, h.kind, h.category;
END;
COMMENT ON FUNCTION bouncemx.report_reasons(timestamptz, timestamptz, text) IS 'What came in, by day (UTC), kind and category.';
CREATE VIEW bouncemx.v_reason_daily AS
    SELECT * FROM bouncemx.report_reasons('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_reason_daily IS 'What came in, by day, kind and category, of all time.';
COMMENT ON COLUMN bouncemx.v_reason_daily.day IS 'Day, UTC.';
COMMENT ON COLUMN bouncemx.v_reason_daily.kind IS 'What is reported.';
COMMENT ON COLUMN bouncemx.v_reason_daily.class IS 'Class of a bounce; NULL: it is none.';
COMMENT ON COLUMN bouncemx.v_reason_daily.category IS 'Why; NULL: not a bounce.';
COMMENT ON COLUMN bouncemx.v_reason_daily.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_reason_daily.verified IS 'How many of them are proven; the others may be forged.';
COMMENT ON COLUMN bouncemx.v_reason_daily.suppressed IS 'How many of them made a row of the list.';

CREATE FUNCTION bouncemx.report_spikes(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (hour timestamptz, mx_operator text, category text, events bigint, usual numeric, days
                   integer, z numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH counted AS MATERIALIZED (
        SELECT b.hour, extract(hour FROM b.hour AT TIME ZONE 'UTC') AS clock, b.mx_operator, b.category, b.events
          FROM bouncemx.bounce_hourly b
         WHERE the_stream IS NULL AND b.hour >= date_trunc('hour', since, 'UTC') - interval '672 hours' AND b.hour < until
         UNION ALL
        SELECT h.hour, extract(hour FROM h.hour AT TIME ZONE 'UTC'), h.mx_operator, h.category, sum(h.events)::bigint
          FROM bouncemx.event_hourly h
         WHERE h.stream = the_stream AND h.hour >= date_trunc('hour', since, 'UTC') - interval '672 hours' AND h.hour < until
           AND h.kind = 'bounce'
         GROUP BY h.hour, h.mx_operator, h.category),
    -- An hour of which nothing is counted had none, once there was anything at all.
    summed AS (
        SELECT c.*, least(28, floor(extract(epoch FROM c.hour - b.hour) / 86400))::integer AS days,
               sum(c.events) OVER before_it AS sum, sum(c.events * c.events) OVER before_it AS squares
          FROM counted c
         CROSS JOIN (SELECT min(h.hour) AS hour FROM bouncemx.event_hourly h) b
         WHERE (c.mx_operator, c.category) IN (SELECT t.mx_operator, t.category FROM counted t WHERE t.events >= 10)
        WINDOW before_it AS (PARTITION BY c.mx_operator, c.category, c.clock ORDER BY c.hour
                             RANGE BETWEEN interval '672 hours' PRECEDING AND interval '24 hours' PRECEDING)),
    -- A median is never further from the mean than the standard deviation: few hours are left to sort for.
    high AS (
        SELECT s.hour, s.clock, s.mx_operator, s.category, s.events, s.days
          FROM summed s
         WHERE s.hour >= date_trunc('hour', since, 'UTC') AND s.events >= 10
           AND (s.days < 7 OR s.sum IS NULL
                OR s.events >= 2 * (s.sum / s.days - sqrt(greatest(s.squares / s.days - (s.sum / s.days) ^ 2, 0))) - 0.001)),
    compared AS (
        SELECT h.hour, h.mx_operator, h.category, h.events, h.days,
               array_fill(0::bigint, ARRAY[h.days - count(c.hour)::integer]) || array_agg(c.events ORDER BY c.events)
                   FILTER (WHERE c.hour IS NOT NULL) AS before_it
          FROM high h
          LEFT JOIN counted c ON c.mx_operator = h.mx_operator AND c.category = h.category AND c.clock = h.clock
                             AND c.hour < h.hour AND c.hour >= h.hour - h.days * interval '24 hours'
         GROUP BY h.hour, h.mx_operator, h.category, h.events, h.days),
    usual AS (
        SELECT c.*, (c.before_it[(c.days + 1) / 2] + c.before_it[c.days / 2 + 1]) / 2.0 AS usual
          FROM compared c)
    SELECT u.hour, nullif(u.mx_operator, ''), u.category, u.events, u.usual, u.days, d.z
      FROM usual u
     CROSS JOIN LATERAL (
           SELECT CASE WHEN u.days >= 7 THEN round(0.6745 * (u.events - u.usual) / greatest(
                      percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(n - u.usual))::numeric, 1), 1) END AS z
             FROM unnest(u.before_it) n) d
     WHERE u.days < 7 OR d.z >= 3.5 AND u.events >= 2 * u.usual
     ORDER BY u.hour DESC, u.events DESC, u.mx_operator, u.category;
END;
COMMENT ON FUNCTION bouncemx.report_spikes(timestamptz, timestamptz, text) IS 'Hours in which an operator''s bounces of a category, ten at least, were far more than usual at that hour of the day (twice as many, and 3.5 robust standard deviations), or that nothing can be compared with yet.';
CREATE VIEW bouncemx.v_hourly_spikes AS
    SELECT * FROM bouncemx.report_spikes('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_hourly_spikes IS 'Hours with far more bounces than usual, of all time.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.hour IS 'The hour, by its begin.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.category IS 'Why.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.usual IS 'The median of the same hour of the days before, 28 at most.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.days IS 'How many days that is.';
COMMENT ON COLUMN bouncemx.v_hourly_spikes.z IS 'How far from usual, in robust standard deviations (0.6745 of the distance, by the median absolute deviation, which counts as 1 at least); NULL: there are not 7 days to compare with.';

CREATE FUNCTION bouncemx.report_blocks(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, listed_address text, blocklist text, lookup_url text, mx_operator text,
                   category bouncemx.bounce_category, count bigint, verified bigint, first_at timestamptz, last_at
                   timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT b.day, nullif(b.listed_address, ''), nullif(b.blocklist, ''), (array_agg(nullif(b.lookup_url, '') ORDER BY b.lookup_url = '', b.last_at DESC))[1], nullif(b.mx_operator, ''),
           b.category::bouncemx.bounce_category, sum(b.events)::bigint, sum(b.verified)::bigint, min(b.first_at),
           max(b.last_at), (array_agg(b.sample_event_id ORDER BY b.last_at DESC))[1]
      FROM bouncemx.block_daily b
     WHERE b.day >= bouncemx.day_of(since) AND b.day < bouncemx.days_until(until) AND (the_stream IS NULL OR b.stream = the_stream)
     GROUP BY b.day, b.listed_address, b.blocklist, b.mx_operator, b.category
     ORDER BY b.day DESC, 7 DESC, b.listed_address, b.blocklist, b.mx_operator, b.category;
END;
COMMENT ON FUNCTION bouncemx.report_blocks(timestamptz, timestamptz, text) IS 'Refusals of ourselves (class block) by day (UTC): the address of ours that they name, whose list it stands on, the page to look at, who runs the refusing host, and why. verified: how many of them are proven; the others may be forged. event_id: the latest, for `bouncemx show`.';
CREATE VIEW bouncemx.v_block_events AS
    SELECT * FROM bouncemx.report_blocks('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_block_events IS 'Refusals of ourselves, of all time; report_blocks() reads only the time that is asked for.';
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

CREATE FUNCTION bouncemx.report_diagnostics(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (fingerprint bigint, events bigint, share numeric, verified bigint, mx_operator text,
                   status text, category text, rule text, first_at timestamptz, last_at timestamptz, sample text,
                   event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH d AS (
        SELECT d.fingerprint, d.mx_operator, d.status, d.category, d.rule, sum(d.events)::bigint AS events,
               sum(d.verified)::bigint AS verified, min(d.first_at) AS first_at, max(d.last_at) AS last_at,
               sum(sum(d.events)) OVER ()::bigint AS of_all
          FROM bouncemx.diagnostic_daily d
         WHERE d.day >= bouncemx.day_of(since) AND d.day < bouncemx.days_until(until) AND (the_stream IS NULL OR d.stream = the_stream)
         GROUP BY d.fingerprint, d.mx_operator, d.status, d.category, d.rule),
    top AS (
        SELECT * FROM d ORDER BY d.events DESC, d.fingerprint, d.mx_operator, d.status LIMIT 100),
    -- One for each of the few, afterwards: to keep it for all words would sort them all.
    shown AS (
        SELECT DISTINCT ON (t.fingerprint, t.mx_operator, t.status, t.category, t.rule) t.*, d.sample_event_id AS event_id
          FROM top t
          JOIN bouncemx.diagnostic_daily d USING (fingerprint, mx_operator, status, category, rule, last_at)
         WHERE d.day >= bouncemx.day_of(since) AND d.day < bouncemx.days_until(until) AND (the_stream IS NULL OR d.stream = the_stream)
         ORDER BY t.fingerprint, t.mx_operator, t.status, t.category, t.rule, d.sample_event_id DESC)
    SELECT t.fingerprint, t.events, bouncemx.percent(t.events, t.of_all), t.verified, nullif(t.mx_operator, ''),
           nullif(t.status, ''), nullif(t.category, ''), nullif(t.rule, ''), t.first_at, t.last_at, e.diagnostic, t.event_id
      FROM shown t
      LEFT JOIN LATERAL (SELECT e.diagnostic FROM bouncemx.event e
                          WHERE e.id = t.event_id AND e.received_at >= t.first_at AND e.received_at <= t.last_at
                          LIMIT 1) e ON true
     ORDER BY t.events DESC, t.fingerprint, t.mx_operator, t.status;
END;
COMMENT ON FUNCTION bouncemx.report_diagnostics(timestamptz, timestamptz, text) IS 'The hundred words of remote hosts that came most often, alike but for addresses and numbers.';
CREATE VIEW bouncemx.v_top_diagnostics AS
    SELECT * FROM bouncemx.report_diagnostics('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_top_diagnostics IS 'The words that came most often, of all time.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.fingerprint IS 'Hash of the normalised words.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.share IS 'In percent of all bounces and delays with words.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.verified IS 'How many of them are proven; the others may be forged.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.status IS 'Enhanced status code; NULL: none.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.category IS 'Why.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.rule IS 'The rule that decided; NULL: none.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.first_at IS 'When the first was received.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.last_at IS 'When the last was received.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.sample IS 'The words of one of them, as they were; NULL: its event is not kept any more.';
COMMENT ON COLUMN bouncemx.v_top_diagnostics.event_id IS 'One of them, for `bouncemx show`.';

CREATE FUNCTION bouncemx.report_unclassified(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (fingerprint bigint, events bigint, share numeric, verified bigint, mx_operator text,
                   status text, category text, rule text, first_at timestamptz, last_at timestamptz, sample text,
                   event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH d AS (
        SELECT d.fingerprint, d.mx_operator, d.status, d.category, d.rule, sum(d.events)::bigint AS events,
               sum(d.verified)::bigint AS verified, min(d.first_at) AS first_at, max(d.last_at) AS last_at,
               sum(sum(d.events)) OVER ()::bigint AS of_all
          FROM bouncemx.diagnostic_daily d
         WHERE d.day >= bouncemx.day_of(since) AND d.day < bouncemx.days_until(until) AND (the_stream IS NULL OR d.stream = the_stream)
         GROUP BY d.fingerprint, d.mx_operator, d.status, d.category, d.rule),
    top AS (
        SELECT * FROM d WHERE d.category IN ('undetermined', '') ORDER BY d.events DESC, d.fingerprint, d.mx_operator, d.status LIMIT 100),
    -- One for each of the few, afterwards: to keep it for all words would sort them all.
    shown AS (
        SELECT DISTINCT ON (t.fingerprint, t.mx_operator, t.status, t.category, t.rule) t.*, d.sample_event_id AS event_id
          FROM top t
          JOIN bouncemx.diagnostic_daily d USING (fingerprint, mx_operator, status, category, rule, last_at)
         WHERE d.day >= bouncemx.day_of(since) AND d.day < bouncemx.days_until(until) AND (the_stream IS NULL OR d.stream = the_stream)
         ORDER BY t.fingerprint, t.mx_operator, t.status, t.category, t.rule, d.sample_event_id DESC)
    SELECT t.fingerprint, t.events, bouncemx.percent(t.events, t.of_all), t.verified, nullif(t.mx_operator, ''),
           nullif(t.status, ''), nullif(t.category, ''), nullif(t.rule, ''), t.first_at, t.last_at, e.diagnostic, t.event_id
      FROM shown t
      LEFT JOIN LATERAL (SELECT e.diagnostic FROM bouncemx.event e
                          WHERE e.id = t.event_id AND e.received_at >= t.first_at AND e.received_at <= t.last_at
                          LIMIT 1) e ON true
     ORDER BY t.events DESC, t.fingerprint, t.mx_operator, t.status;
END;
COMMENT ON FUNCTION bouncemx.report_unclassified(timestamptz, timestamptz, text) IS 'The hundred words that no rule understands and that came most often: the queue for writing rules.';
CREATE VIEW bouncemx.v_unclassified_top AS
    SELECT * FROM bouncemx.report_unclassified('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_unclassified_top IS 'The words that no rule understands, of all time.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.fingerprint IS 'Hash of the normalised words.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.share IS 'In percent of all bounces and delays with words.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.verified IS 'How many of them are proven; the others may be forged.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.status IS 'Enhanced status code; NULL: none.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.category IS 'Why.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.rule IS 'The rule that decided; NULL: none.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.first_at IS 'When the first was received.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.last_at IS 'When the last was received.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.sample IS 'The words of one of them, as they were; NULL: its event is not kept any more.';
COMMENT ON COLUMN bouncemx.v_unclassified_top.event_id IS 'One of them, for `bouncemx show`.';

CREATE FUNCTION bouncemx.report_latency(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (mx_operator text, events bigint, p50 bigint, p90 bigint, p99 bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT nullif(l.mx_operator, ''), max(l.so_far)::bigint, min(l.up_to) FILTER (WHERE l.so_far >= 0.5 * l.of_all),
           min(l.up_to) FILTER (WHERE l.so_far >= 0.9 * l.of_all), min(l.up_to) FILTER (WHERE l.so_far >= 0.99 * l.of_all)
      FROM (SELECT b.mx_operator, (2::numeric ^ (b.bucket + 1))::bigint AS up_to,
                   sum(b.events) OVER (PARTITION BY b.mx_operator ORDER BY b.bucket) AS so_far,
                   sum(b.events) OVER (PARTITION BY b.mx_operator) AS of_all
              FROM (SELECT l.mx_operator, l.bucket, sum(l.events) AS events
                      FROM bouncemx.latency_daily l
                     WHERE l.day >= bouncemx.day_of(since) AND l.day < bouncemx.days_until(until) AND (the_stream IS NULL OR l.stream = the_stream)
                     GROUP BY l.mx_operator, l.bucket) b) l
     GROUP BY l.mx_operator
     ORDER BY 2 DESC, l.mx_operator;
END;
COMMENT ON FUNCTION bouncemx.report_latency(timestamptz, timestamptz, text) IS 'How long after the mail was sent its bounces came, by operator. Only mail that table sent knows, with its time, can be measured.';
CREATE VIEW bouncemx.v_bounce_latency AS
    SELECT * FROM bouncemx.report_latency('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_bounce_latency IS 'How long bounces take, of all time.';
COMMENT ON COLUMN bouncemx.v_bounce_latency.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_bounce_latency.events IS 'Bounces of which table sent knows when their mail was sent.';
COMMENT ON COLUMN bouncemx.v_bounce_latency.p50 IS 'Seconds within which half of them came, rounded up to a power of two.';
COMMENT ON COLUMN bouncemx.v_bounce_latency.p90 IS 'Nine in ten.';
COMMENT ON COLUMN bouncemx.v_bounce_latency.p99 IS 'Ninety-nine in a hundred.';

CREATE FUNCTION bouncemx.report_rates(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, tenant text, stream text, mx_operator text, sent bigint, bounces bigint,
                   bounce_rate numeric, bounce_level text, complaints bigint, complaint_rate numeric, complaint_level
                   text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.day, v.tenant, v.stream, nullif(v.mx_operator, ''), v.sent, c.bounces, bouncemx.percent(c.bounces, v.sent),
           bouncemx.bounce_level(bouncemx.percent(c.bounces, v.sent)), c.complaints,
           bouncemx.percent(c.complaints, v.sent), bouncemx.complaint_level(bouncemx.percent(c.complaints, v.sent))
      FROM bouncemx.volume v
      LEFT JOIN (
           SELECT h.day, h.tenant, h.stream, h.mx_operator, grouping(h.mx_operator) AS of_all,
                  coalesce(sum(h.events) FILTER (WHERE h.kind = 'bounce'), 0)::bigint AS bounces,
                  coalesce(sum(h.events) FILTER (WHERE h.kind = 'complaint'), 0)::bigint AS complaints
             FROM bouncemx.event_daily h
            WHERE h.day >= bouncemx.day_of(since) AND h.day < bouncemx.days_until(until)
              AND (the_stream IS NULL OR h.stream = the_stream) AND h.kind IN ('bounce', 'complaint')
            GROUP BY GROUPING SETS ((h.day, h.tenant, h.stream, h.mx_operator), (h.day, h.tenant, h.stream))) e
        ON e.day = v.day AND e.tenant = v.tenant AND e.stream = v.stream
       AND coalesce(e.mx_operator, '') = v.mx_operator AND e.of_all = (v.mx_operator = '')::integer
     CROSS JOIN LATERAL (
           SELECT coalesce(e.bounces, 0) AS bounces,
                  CASE WHEN v.mx_operator = '' OR e.complaints > 0 THEN coalesce(e.complaints, 0) END AS complaints) c
     WHERE v.day >= bouncemx.day_of(since) AND v.day < bouncemx.days_until(until) AND (the_stream IS NULL OR v.stream = the_stream)
     ORDER BY v.day DESC, v.tenant, v.stream, v.mx_operator;
END;
COMMENT ON FUNCTION bouncemx.report_rates(timestamptz, timestamptz, text) IS 'Bounces and complaints in percent of what was sent: a row for each day, stream and operator of table volume, and none for others. Events are counted on the day of their receipt, mail on that of its sending.';
CREATE VIEW bouncemx.v_complaint_rate AS
    SELECT * FROM bouncemx.report_rates('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_complaint_rate IS 'Bounces and complaints in percent of what was sent, of all time.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.day IS 'Day, UTC.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.mx_operator IS 'Who runs the recipients'' mail hosts; NULL: all together.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.sent IS 'Messages that were sent, as table volume says.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.bounces IS 'Bounces of that day.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.bounce_rate IS 'Bounces in percent of what was sent; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.bounce_level IS 'ok, warn (2 percent and more) or red (5).';
COMMENT ON COLUMN bouncemx.v_complaint_rate.complaints IS 'Complaints of that day; NULL: who complains is not told by operator.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.complaint_rate IS 'Complaints in percent of what was sent; NULL: not known.';
COMMENT ON COLUMN bouncemx.v_complaint_rate.complaint_level IS 'ok, warn (0.1 percent and more) or red (0.3); NULL: not known.';

CREATE FUNCTION bouncemx.report_flow(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, op bouncemx.change_op, kind bouncemx.event_kind, category
                   bouncemx.bounce_category, origin bouncemx.suppression_origin, count bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT bouncemx.day_of(c.at) AS day, c.op, c.kind, c.category, c.origin, count(*)
      FROM bouncemx.suppression_change c
     WHERE c.at >= bouncemx.begin_of(bouncemx.day_of(since))
       AND c.at < bouncemx.begin_of(bouncemx.days_until(until))
       AND (the_stream IS NULL OR c.scope = 'stream' AND c.stream = the_stream)
     GROUP BY 1, c.op, c.kind, c.category, c.origin
     ORDER BY 1 DESC, 6 DESC, c.op, c.kind, c.category, c.origin;
END;
COMMENT ON FUNCTION bouncemx.report_flow(timestamptz, timestamptz, text) IS 'What came on the list and went off it, by day (UTC) and reason. Of a stream: rows that hold for it alone.';
CREATE VIEW bouncemx.v_suppression_flow AS
    SELECT * FROM bouncemx.report_flow('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_suppression_flow IS 'What came on the list and went off it, as long as changes are kept.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.day IS 'Day, UTC.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.op IS 'What happened to rows of the list.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.kind IS 'What they were made for.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.category IS 'Why; NULL: not by a bounce.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.origin IS 'Who made the rows.';
COMMENT ON COLUMN bouncemx.v_suppression_flow.count IS 'How many changes.';

CREATE FUNCTION bouncemx.report_soft(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (address_key text, tenant text, stream text, score numeric, threshold numeric, policy
                   text, days integer, first_day date, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address_key, s.tenant, s.stream, s.score, p.threshold, p.name, cardinality(s.days), s.days[1], s.last_at,
           s.last_event_id
      FROM bouncemx.address_score s
      JOIN bouncemx.policy p ON p.name = s.policy
     WHERE s.last_at >= since AND s.last_at < until AND 2 * s.score >= p.threshold AND s.holds_until IS NULL
       AND (the_stream IS NULL OR s.stream = the_stream)
     ORDER BY s.score / p.threshold DESC, s.last_at DESC, s.address_key
     LIMIT 1000;
END;
COMMENT ON FUNCTION bouncemx.report_soft(timestamptz, timestamptz, text) IS 'Addresses whose soft bounces have at least half of the points that suppress, and do not suppress yet; the latest bounce was in that time. A thousand at most.';
CREATE VIEW bouncemx.v_soft_at_risk AS
    SELECT * FROM bouncemx.report_soft('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_soft_at_risk IS 'Addresses that are near to be suppressed for soft bounces.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.address_key IS 'The address.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.stream IS 'Stream for which it is counted, where the policy is of one; else empty.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.score IS 'Its points.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.threshold IS 'The points that suppress.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.policy IS 'The row of policy.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.days IS 'On how many days it bounced.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.first_day IS 'The first of them.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.last_at IS 'When the latest soft bounce was accepted.';
COMMENT ON COLUMN bouncemx.v_soft_at_risk.event_id IS 'The latest one.';

CREATE FUNCTION bouncemx.report_forged(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, client_address text, domain text, kind bouncemx.event_kind, attempt text,
                   count bigint, first_at timestamptz, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.day, nullif(a.client_address, ''), nullif(a.domain, ''), a.kind, a.attempt, sum(a.events)::bigint,
           min(a.first_at), max(a.last_at), (array_agg(a.sample_event_id ORDER BY a.last_at DESC))[1]
      FROM bouncemx.attempt_daily a
     WHERE a.day >= bouncemx.day_of(since) AND a.day < bouncemx.days_until(until) AND (the_stream IS NULL OR a.stream = the_stream)
     GROUP BY a.day, a.client_address, a.domain, a.kind, a.attempt
    UNION ALL
    SELECT bouncemx.day_of(f.last_at), NULL, bouncemx.domain_of(f.token), NULL, 'flood', f.events, f.first_at,
           f.last_at, NULL
      FROM bouncemx.token_flood f
     WHERE f.last_at >= since AND f.first_at < until AND the_stream IS NULL
     ORDER BY 1 DESC, 6 DESC, 3, 2, 5;
END;
COMMENT ON FUNCTION bouncemx.report_forged(timestamptz, timestamptz, text) IS 'Attempts that achieved nothing, by day (UTC), client, domain of the first RCPT TO and kind. flood: events by one valid token beyond the number that is kept, over the token''s life, not told apart by stream. event_id: the latest, for `bouncemx show`.';
CREATE VIEW bouncemx.v_forged_attempts AS
    SELECT * FROM bouncemx.report_forged('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_forged_attempts IS 'Attempts that achieved nothing, as long as they are kept.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.day IS 'Day, UTC.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.client_address IS 'IP address of the SMTP client; NULL: not known, or several.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.domain IS 'Domain of the return path.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.kind IS 'What was reported; NULL: several.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.attempt IS 'Why it does not count: forged, expired, early, unknown_key, wrong_purpose; unsigned: would have acted with a token; flood: too many by one valid token.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.count IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.first_at IS 'When the first was received.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.last_at IS 'When the last was received.';
COMMENT ON COLUMN bouncemx.v_forged_attempts.event_id IS 'The latest; NULL: they are not kept.';

CREATE FUNCTION bouncemx.report_rules(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (rule text, category text, events bigint, verified bigint, suppressed bigint, share
                   numeric, last_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT nullif(r.rule, ''), nullif(r.category, ''), sum(r.events)::bigint, sum(r.verified)::bigint,
           sum(r.suppressed)::bigint, bouncemx.percent(sum(r.events)::bigint, sum(sum(r.events)) OVER ()::bigint), max(r.last_at)
      FROM bouncemx.rule_daily r
     WHERE r.day >= bouncemx.day_of(since) AND r.day < bouncemx.days_until(until) AND (the_stream IS NULL OR r.stream = the_stream)
     GROUP BY r.rule, r.category
     ORDER BY 3 DESC, r.rule, r.category;
END;
COMMENT ON FUNCTION bouncemx.report_rules(timestamptz, timestamptz, text) IS 'How often each rule decided.';
CREATE VIEW bouncemx.v_rule_hits AS
    SELECT * FROM bouncemx.report_rules('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_rule_hits IS 'How often each rule decided, of all time.';
COMMENT ON COLUMN bouncemx.v_rule_hits.rule IS 'The rule that decided; NULL: none.';
COMMENT ON COLUMN bouncemx.v_rule_hits.category IS 'Why.';
COMMENT ON COLUMN bouncemx.v_rule_hits.events IS 'How many events.';
COMMENT ON COLUMN bouncemx.v_rule_hits.verified IS 'How many of them are proven; the others may be forged.';
COMMENT ON COLUMN bouncemx.v_rule_hits.suppressed IS 'How many of them made a row of the list.';
COMMENT ON COLUMN bouncemx.v_rule_hits.share IS 'In percent of all bounces and delays.';
COMMENT ON COLUMN bouncemx.v_rule_hits.last_at IS 'When the last was received.';

CREATE FUNCTION bouncemx.report_unmatched(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (day date, reporter text, user_agent text, complaints bigint, unmatched bigint,
                   percent integer, alarm boolean, last_at timestamptz, event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.day, c.reporter, nullif(c.user_agent, ''), sum(c.complaints)::bigint, sum(c.unmatched)::bigint,
           (100 * sum(c.unmatched) / sum(c.complaints))::integer,
           sum(c.unmatched) >= 10 AND 2 * sum(c.unmatched) > sum(c.complaints), max(c.unmatched_at),
           (array_agg(c.unmatched_event_id ORDER BY c.unmatched_at DESC NULLS LAST))[1]
      FROM bouncemx.complaint_daily c
     WHERE c.day >= bouncemx.day_of(since) AND c.day < bouncemx.days_until(until) AND (the_stream IS NULL OR c.stream = the_stream)
     GROUP BY c.day, c.reporter, c.user_agent
    HAVING sum(c.unmatched) > 0
     ORDER BY c.day DESC, 5 DESC, c.reporter, c.user_agent;
END;
COMMENT ON FUNCTION bouncemx.report_unmatched(timestamptz, timestamptz, text) IS 'Complaints that no identifier attributes and verifies, so that nobody is spared further mail, by day (UTC) and who reports: how many of its complaints, their share in percent, and alarm where that is over half and at least ten (as when a feedback loop begins to withhold what identified the recipient). event_id: the latest, for `bouncemx show`.';
CREATE VIEW bouncemx.v_fbl_unmatched AS
    SELECT * FROM bouncemx.report_unmatched('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_fbl_unmatched IS 'Complaints that nothing identifies, as long as they are kept.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.day IS 'Day, UTC.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.reporter IS 'Who reports: domain of the From, else Reporting-MTA, else the client.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.user_agent IS 'Its User-Agent; NULL: none.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.complaints IS 'How many complaints.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.unmatched IS 'How many of them no identifier attributes and verifies.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.percent IS 'Their share.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.alarm IS 'Over half, and at least ten.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.last_at IS 'When the last of those was received.';
COMMENT ON COLUMN bouncemx.v_fbl_unmatched.event_id IS 'The last of those.';

CREATE FUNCTION bouncemx.report_held(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (tenant text, key text, hour timestamptz, turned bigint, usual numeric, waiting
                   bigint, opened_at timestamptz, released_at timestamptz, released_by text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT b.tenant, b.key, b.hour, b.turned, b.usual,
           (SELECT count(*) FROM bouncemx.suppression s
             WHERE s.state = 'pending' AND s.held_key = b.key AND s.held_hour = b.hour AND s.tenant = b.tenant),
           b.opened_at, b.released_at, b.released_by
      FROM bouncemx.breaker_hour b
     WHERE b.opened_at IS NOT NULL AND b.hour >= date_trunc('hour', since, 'UTC') AND b.hour < until
     ORDER BY b.hour DESC, b.tenant, b.key;
END;
COMMENT ON FUNCTION bouncemx.report_held(timestamptz, timestamptz, text) IS 'Hours for which the circuit breaker opened, and how many rows of the list wait for them. The breaker knows no streams: the_stream changes nothing.';
CREATE VIEW bouncemx.v_held AS
    SELECT * FROM bouncemx.report_held('-infinity', 'infinity', NULL);
COMMENT ON VIEW bouncemx.v_held IS 'What the circuit breaker holds or held.';
COMMENT ON COLUMN bouncemx.v_held.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.v_held.key IS 'The operator; @ and a domain where none is known.';
COMMENT ON COLUMN bouncemx.v_held.hour IS 'The hour of receipt, by its begin.';
COMMENT ON COLUMN bouncemx.v_held.turned IS 'How many addresses turned hard in it.';
COMMENT ON COLUMN bouncemx.v_held.usual IS 'What it was compared with.';
COMMENT ON COLUMN bouncemx.v_held.waiting IS 'How many rows of the list wait.';
COMMENT ON COLUMN bouncemx.v_held.opened_at IS 'When the breaker opened.';
COMMENT ON COLUMN bouncemx.v_held.released_at IS 'When it was released; NULL: not yet.';
COMMENT ON COLUMN bouncemx.v_held.released_by IS 'By whom.';

-- ---- counts, for status --------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION bouncemx.counts()
    RETURNS TABLE (name text, count bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'messages', (SELECT coalesce(sum(h.messages), 0)::bigint FROM bouncemx.message_hourly h)
    UNION ALL SELECT 'events', (SELECT coalesce(sum(d.events), 0)::bigint FROM bouncemx.event_daily d)
    UNION ALL SELECT 'suppressions', (SELECT count(*) FROM bouncemx.suppression)
    UNION ALL SELECT 'set_aside', (SELECT count(*) FROM bouncemx.set_aside);
END;
COMMENT ON FUNCTION bouncemx.counts() IS 'How many messages and events ever came in (by the roll-ups, so also those that are not kept any more), and how many rows stand in the list and are set aside.';
