-- What deliverability people ask. Each report is a function of a time and a stream, and a view over all time.
-- They read roll-ups: an hour or a day counts when it begins before until and does not end before since. Rates
-- are shown where table volume says how much was sent, and nowhere else.

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

CREATE FUNCTION bouncemx.words_counted(since timestamptz, until timestamptz, the_stream text, not_understood boolean)
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
        SELECT * FROM d
         WHERE NOT not_understood OR d.category IN ('undetermined', '')
         ORDER BY d.events DESC, d.fingerprint, d.mx_operator, d.status LIMIT 100),
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
COMMENT ON FUNCTION bouncemx.words_counted(timestamptz, timestamptz, text, boolean) IS 'The hundred words of remote hosts that came most often, alike but for addresses and numbers; not_understood: of those alone that no rule knows. share is of all words in either case.';

CREATE FUNCTION bouncemx.report_diagnostics(since timestamptz, until timestamptz, the_stream text)
    RETURNS TABLE (fingerprint bigint, events bigint, share numeric, verified bigint, mx_operator text,
                   status text, category text, rule text, first_at timestamptz, last_at timestamptz, sample text,
                   event_id uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT * FROM bouncemx.words_counted(since, until, the_stream, false);
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
    SELECT * FROM bouncemx.words_counted(since, until, the_stream, true);
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
