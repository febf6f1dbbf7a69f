-- The other reports, as in 0029: rates, time, the list, rules, attempts.

DROP FUNCTION bouncemx.report_forged(timestamptz, timestamptz, text);
DROP FUNCTION bouncemx.report_unmatched(timestamptz, timestamptz, text);

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
