-- Soft bounces: one count a day, and the ladder; for the act of 0016.

ALTER TABLE bouncemx.address_score
    ADD COLUMN policy      text        NOT NULL,
    ADD COLUMN past        integer     NOT NULL DEFAULT 0,
    ADD COLUMN holds_until timestamptz;
COMMENT ON COLUMN bouncemx.address_score.delivered_at IS 'The latest delivery that was told to us, or the last bounce before a person took the address off the list: days up to its own do not count. NULL: none.';
COMMENT ON COLUMN bouncemx.address_score.score IS 'Sum of the points that count at the last of the days: of all days to it that lie no policy.decay apart.';
COMMENT ON COLUMN bouncemx.address_score.policy IS 'The row of policy by which it was last counted.';
COMMENT ON COLUMN bouncemx.address_score.past IS 'How many of times were for days that are kept no longer.';
COMMENT ON COLUMN bouncemx.address_score.holds_until IS 'Until when the latest of its suppressions lasts, infinity: for good; NULL: there was none for the days.';

CREATE TYPE bouncemx.score_sum AS (
    days        date[],
    points      numeric(6, 2)[],
    past        integer,
    score       numeric(8, 2),
    times       integer,
    holds_until timestamptz,
    last_at     timestamptz);
COMMENT ON TYPE bouncemx.score_sum IS 'What a row of address_score says, under the same names.';

CREATE FUNCTION bouncemx.score_run(INOUT it bouncemx.score_sum, threshold numeric, span interval,
                                   decay interval, expires interval[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    day    timestamptz;
    first  timestamptz;
    before timestamptz;
    step   interval;
BEGIN
    it.score := 0;
    it.times := it.past;
    it.holds_until := NULL;
    FOR i IN 1 .. cardinality(it.days) LOOP
        day := it.days[i]::timestamp AT TIME ZONE 'UTC';
        IF before + decay <= day IS NOT FALSE THEN
            it.score := 0;
            first := day;
        END IF;
        before := day;
        it.score := least(it.score + it.points[i], 999999);
        IF it.score >= threshold AND first + span <= day THEN
            IF it.holds_until <= day IS NOT FALSE THEN
                it.times := it.times + 1;
                step := expires[least(it.times, cardinality(expires))];
            END IF;
            -- Of the last day the instant is known.
            it.holds_until := coalesce(CASE WHEN i = cardinality(it.days) THEN it.last_at ELSE day END + step, 'infinity');
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bouncemx.score_run(bouncemx.score_sum, numeric, interval, interval, interval[]) IS 'Counts the days of a score from the first on, by the columns of policy: score at the end, how often it has suppressed (past before them), and until when.';

CREATE FUNCTION bouncemx.score_merged(it bouncemx.score_sum, delivered_at timestamptz, more_days date[],
                                      more_points numeric[], threshold numeric, span interval,
                                      decay interval, expires interval[])
    RETURNS bouncemx.score_sum
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    delivered date := (delivered_at AT TIME ZONE 'UTC')::date;
    oldest    date;
    old       bouncemx.score_sum;
    kept      integer;
BEGIN
    SELECT coalesce(array_agg(m.day ORDER BY m.day), '{}'), coalesce(array_agg(m.points ORDER BY m.day), '{}')
      INTO it.days, it.points
      FROM (SELECT u.day, max(u.points) AS points
              FROM unnest(it.days || more_days, it.points || more_points) u (day, points)
             WHERE u.day <= delivered IS NOT TRUE
             GROUP BY u.day) m;
    oldest := it.days[cardinality(it.days)] - (SELECT score_days FROM bouncemx.limits());
    IF it.days[1] < oldest THEN
        kept := (SELECT min(n) FROM unnest(it.days) WITH ORDINALITY d (day, n) WHERE d.day >= oldest);
        old := it;
        old.days := it.days[:kept - 1];
        it.past := (bouncemx.score_run(old, threshold, span, decay, expires)).times;
        it.days := it.days[kept:];
        it.points := it.points[kept:];
    END IF;
    RETURN bouncemx.score_run(it, threshold, span, decay, expires);
END $$;
COMMENT ON FUNCTION bouncemx.score_merged(bouncemx.score_sum, timestamptz, date[], numeric[], numeric, interval, interval, interval[]) IS 'A score with more days: those of a delivery and before it left out, one count a day, the highest. Whatever comes in which order, the same days give the same.';

CREATE FUNCTION bouncemx.score_spoke(days date[], points numeric[], the_day date, threshold numeric,
                                     span interval, decay interval)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    -- Neighbours no decay apart belong together.
    SELECT coalesce(sum(r.points) >= threshold AND min(r.day) + span <= max(r.day)
                    AND bool_or(r.day = the_day), false)
      FROM (SELECT b.day, b.points, sum(b.anew) OVER (ORDER BY b.day) AS run
              FROM (SELECT u.day, u.points,
                           CASE WHEN lag(u.day) OVER (ORDER BY u.day) + decay <= u.day THEN 1 ELSE 0 END AS anew
                      FROM unnest(days, points) u (day, points)) b) r
     GROUP BY r.run
     ORDER BY bool_or(r.day = the_day) DESC
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.score_spoke(date[], numeric[], date, numeric, interval, interval) IS 'Do the days that count together with this one suppress?';

CREATE FUNCTION bouncemx.score_up(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                  INOUT rulings bouncemx.ruling[])
    LANGUAGE plpgsql AS $$
DECLARE
    reached bouncemx.address_score[];
BEGIN
    WITH own AS (
        -- By the policy of an address's latest event. Nearly always there is one.
        SELECT c.address_key, c.tenant, CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END AS stream,
               array_agg((c.received_at AT TIME ZONE 'UTC')::date) AS days, array_agg(p.score) AS points,
               max(c.received_at) AS last_at,
               (array_agg(c.event_id ORDER BY c.received_at DESC, c.event_id DESC))[1] AS last_event_id,
               (array_agg(c.policy ORDER BY c.received_at DESC, c.event_id DESC))[1] AS place
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
         WHERE c.effect = 'soft'
         GROUP BY 1, 2, 3),
    counted AS (
        INSERT INTO bouncemx.address_score AS s (
            address_key, tenant, stream, days, points, score, times, holds_until, last_at, last_event_id,
            policy)
        SELECT o.address_key, o.tenant, o.stream, n.days, n.points, n.score, n.times, n.holds_until,
               o.last_at, o.last_event_id, p.name
          FROM own o
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = o.place
         CROSS JOIN LATERAL (
               SELECT o.days, o.points, o.points[1] AS score, 0 AS times, NULL::timestamptz AS holds_until
                WHERE cardinality(o.days) = 1 AND o.points[1] < p.threshold
               UNION ALL
               SELECT m.days, m.points, m.score, m.times, m.holds_until
                 FROM bouncemx.score_merged(ROW('{}', '{}', 0, 0, 0, NULL, o.last_at)::bouncemx.score_sum, NULL,
                                            o.days, o.points, p.threshold, p.span, p.decay, p.expires) m
                WHERE cardinality(o.days) > 1 OR o.points[1] >= p.threshold) n
         ORDER BY o.address_key, o.tenant, o.stream
        ON CONFLICT (address_key, tenant, stream) DO UPDATE
           SET (days, points, past, score, times, holds_until) = (
                   SELECT m.days, m.points, m.past, m.score, m.times, m.holds_until
                     FROM unnest(policies) p
                    CROSS JOIN LATERAL bouncemx.score_merged(
                          ROW(s.days, s.points, s.past, 0, 0, NULL, greatest(s.last_at, excluded.last_at))::bouncemx.score_sum,
                          s.delivered_at, excluded.days, excluded.points, p.threshold, p.span, p.decay,
                          p.expires) m
                    WHERE p.name = excluded.policy),
               policy = excluded.policy,
               last_event_id = CASE WHEN excluded.last_at >= s.last_at THEN excluded.last_event_id
                                    ELSE s.last_event_id END,
               last_at = greatest(s.last_at, excluded.last_at)
        RETURNING s.*)
    SELECT array_agg(ROW(c.*)::bouncemx.address_score) INTO reached
      FROM counted c
     WHERE c.holds_until IS NOT NULL;

    IF reached IS NOT NULL THEN
        SELECT array_agg(CASE WHEN s.times IS NULL THEN ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling
                              ELSE ROW('suppressed', c.policy, s.holds_until, s.times)::bouncemx.ruling END
                         ORDER BY c.ordinality)
          INTO rulings
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
          LEFT JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy AND c.effect = 'soft'
          LEFT JOIN unnest(reached) s
            ON s.address_key = c.address_key AND s.tenant = c.tenant
           AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
           AND p.score IS NOT NULL
           AND bouncemx.score_spoke(s.days, s.points, (c.received_at AT TIME ZONE 'UTC')::date,
                                    p.threshold, p.span, p.decay);
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.score_up(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Counts the soft bounces of a batch, for act: those whose days now reach the threshold become suppressed.';
