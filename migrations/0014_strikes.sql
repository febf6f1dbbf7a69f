-- What is used up, and strikes in any number, whatever order they arrive in; for the act of 0016.

CREATE FUNCTION bouncemx.use_up(candidates bouncemx.candidate[], INOUT effects bouncemx.event_effect[])
    LANGUAGE plpgsql AS $$
DECLARE
    k        record := bouncemx.limits();
    ids      uuid[];
    tokens   boolean;
    contents boolean;
    flooded  boolean;
BEGIN
    SELECT array_agg(c.event_id ORDER BY c.ordinality), bool_or(c.token IS NOT NULL),
           bool_or(c.token IS NULL AND c.content IS NOT NULL AND c.unnest IN ('suppressed', 'strike', 'soft'))
      INTO ids, tokens, contents
      FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c;

    IF tokens THEN
        WITH c AS MATERIALIZED (
            SELECT c.ordinality::integer AS n, c.event_id, c.token, c.token_day, c.arrives,
                   bouncemx.use_of(c.unnest, c.kind) AS use, c.unnest AS effect
              FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c),
        -- What a hard bounce used up makes no strike after it: replayed once the address was taken off
        -- the list, it would count a second time.
        seen AS (
            INSERT INTO bouncemx.token_seen AS s (
                token, day, events, hard, strike, soft, complaint, unsubscribe)
            SELECT c.token, c.token_day, count(*) FILTER (WHERE c.arrives),
                   ids[min(c.n) FILTER (WHERE c.use = 'hard')],
                   CASE WHEN least(min(c.n) FILTER (WHERE c.use = 'hard'),
                                   min(c.n) FILTER (WHERE c.use = 'strike'))
                             = min(c.n) FILTER (WHERE c.use = 'strike')
                        THEN ids[min(c.n) FILTER (WHERE c.use = 'strike')] END,
                   ids[min(c.n) FILTER (WHERE c.use = 'soft')],
                   ids[min(c.n) FILTER (WHERE c.use = 'complaint')],
                   ids[min(c.n) FILTER (WHERE c.use = 'unsubscribe')]
              FROM c
             WHERE c.token IS NOT NULL
             GROUP BY c.token, c.token_day
             ORDER BY c.token, c.token_day
            ON CONFLICT (token, day) DO UPDATE
               SET events = s.events + excluded.events,
                   hard = coalesce(s.hard, excluded.hard),
                   strike = coalesce(s.strike, CASE WHEN s.hard IS NULL THEN excluded.strike END),
                   soft = coalesce(s.soft, excluded.soft),
                   complaint = coalesce(s.complaint, excluded.complaint),
                   unsubscribe = coalesce(s.unsubscribe, excluded.unsubscribe)
            RETURNING s.token, s.day, s.events, s.hard, s.strike, s.soft, s.complaint, s.unsubscribe)
        SELECT array_agg(CASE WHEN c.token IS NULL OR c.use IS NULL
                                OR c.event_id IN (s.hard, s.strike, s.soft, s.complaint, s.unsubscribe)
                              THEN c.effect ELSE 'repeat' END ORDER BY c.n),
               bool_or(s.events > k.events_of_token)
          INTO effects, flooded
          FROM c LEFT JOIN seen s ON s.token = c.token AND s.day = c.token_day;
    END IF;

    IF flooded THEN
        -- What is the first to use its token up for something is kept in any case.
        SELECT array_agg(CASE WHEN c.place > k.events_of_token AND c.arrives
                               AND c.effect NOT IN ('suppressed', 'strike', 'soft')
                              THEN 'flood' ELSE c.effect END ORDER BY c.n)
          INTO effects
          FROM (SELECT c.ordinality AS n, c.unnest AS effect, c.arrives,
                       s.events - count(*) FILTER (WHERE c.arrives) OVER same
                       + count(*) FILTER (WHERE c.arrives) OVER (same ORDER BY c.ordinality) AS place
                  FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
                  LEFT JOIN bouncemx.token_seen s ON s.token = c.token AND s.day = c.token_day
                WINDOW same AS (PARTITION BY c.token, c.token_day)) c;
        INSERT INTO bouncemx.token_flood AS f (token, day, events, first_at, last_at, last_event_id)
        SELECT c.token, c.token_day, count(*), min(c.received_at), max(c.received_at),
               ids[max(c.ordinality)::integer]
          FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
         WHERE c.unnest = 'flood'
         GROUP BY c.token, c.token_day
         ORDER BY c.token, c.token_day
        ON CONFLICT (token, day) DO UPDATE
           SET events = f.events + excluded.events,
               first_at = least(f.first_at, excluded.first_at),
               last_at = greatest(f.last_at, excluded.last_at),
               last_event_id = excluded.last_event_id;
    END IF;

    IF contents THEN
        WITH c AS MATERIALIZED (
            SELECT c.ordinality AS n, c.event_id, c.content,
                   CASE WHEN c.token IS NULL AND c.content IS NOT NULL
                        THEN bouncemx.use_of(c.unnest, c.kind) END AS use,
                   (c.received_at AT TIME ZONE 'UTC')::date AS day, c.unnest AS effect
              FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c),
        seen AS (
            INSERT INTO bouncemx.content_seen AS s (content, day, use, event_id)
            SELECT DISTINCT ON (c.content, c.use) c.content, c.day, c.use, c.event_id
              FROM c
             WHERE c.use IS NOT NULL
               AND NOT EXISTS (SELECT FROM bouncemx.content_seen o
                                WHERE o.content = c.content AND o.use = c.use
                                  AND o.day BETWEEN c.day - k.content_days AND c.day + k.content_days)
             ORDER BY c.content, c.use, c.n
            ON CONFLICT (content, day, use) DO NOTHING
            RETURNING s.event_id)
        SELECT array_agg(CASE WHEN c.use IS NULL OR s.event_id IS NOT NULL
                              THEN c.effect ELSE 'repeat' END ORDER BY c.n)
          INTO effects
          FROM c LEFT JOIN seen s ON s.event_id = c.event_id;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.use_up(bouncemx.candidate[], bouncemx.event_effect[]) IS 'Uses up the tokens and contents of a batch, for act: of the effects that the events would have, those that they may have.';

-- ---- strikes -----------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.strike_line(kind bouncemx.event_kind, class bouncemx.bounce_class,
                                     scope bouncemx.suppression_scope, stream text)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE kind WHEN 'bounce' THEN class::text ELSE kind::text END
           || CASE scope WHEN 'stream' THEN ' ' || stream ELSE '' END;
COMMENT ON FUNCTION bouncemx.strike_line(bouncemx.event_kind, bouncemx.bounce_class, bouncemx.suppression_scope, text) IS 'strike.line of an event.';

CREATE FUNCTION bouncemx.strikes_meet(times timestamptz[], place integer, how_many integer,
                                      apart interval, reach interval)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- The nearest that count before and after it: no others let more of them fit.
    back timestamptz[] := ARRAY[times[place]];
    ahead timestamptz[] := ARRAY[times[place]];
BEGIN
    FOR i IN REVERSE place - 1 .. 1 LOOP
        EXIT WHEN cardinality(back) = how_many OR times[i] < times[place] - reach;
        IF times[i] <= back[cardinality(back)] - apart THEN
            back := back || times[i];
        END IF;
    END LOOP;
    FOR i IN place + 1 .. cardinality(times) LOOP
        EXIT WHEN cardinality(ahead) = how_many OR times[i] > times[place] + reach;
        IF times[i] >= ahead[cardinality(ahead)] + apart THEN
            ahead := ahead || times[i];
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(back) LOOP
        IF ahead[how_many + 1 - i] <= back[i] + reach THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
COMMENT ON FUNCTION bouncemx.strikes_meet(timestamptz[], integer, integer, interval, interval) IS 'Is the strike at this place of times (ascending) one of how_many that lie apart and within as policy says?';

CREATE FUNCTION bouncemx.strikes_hold(times timestamptz[], sure boolean[], untils timestamptz[],
                                      place integer, p bouncemx.policy)
    RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    sure_times timestamptz[];
    result     timestamptz;
    i          integer;
BEGIN
    IF true = ANY (sure) THEN
        SELECT array_agg(t.at ORDER BY t.n) INTO sure_times
          FROM unnest(times, sure) WITH ORDINALITY t (at, sure, n) WHERE t.sure;
    END IF;
    -- Its own turn first: most do not meet any.
    FOR turn IN 0 .. cardinality(times) LOOP
        i := CASE turn WHEN 0 THEN place ELSE turn END;
        IF coalesce(bouncemx.strikes_meet(times, i, p.strikes_unsure, p.strikes_apart, p.strikes_within), false)
           OR sure[i] AND bouncemx.strikes_meet(sure_times, array_position(sure_times, times[i]), p.strikes,
                                                p.strikes_apart, p.strikes_within) THEN
            result := greatest(result, untils[i]);
        END IF;
        EXIT WHEN result IS NULL;
    END LOOP;
    RETURN result;
END $$;
COMMENT ON FUNCTION bouncemx.strikes_hold(timestamptz[], boolean[], timestamptz[], integer, bouncemx.policy) IS 'Until when the strikes of a line (by time, ascending) suppress now that the one at this place came: the longest of all that suppress together; NULL: it is not one of enough. So their order of arrival does not matter.';

CREATE FUNCTION bouncemx.strike_out(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                    INOUT rulings bouncemx.ruling[])
    LANGUAGE plpgsql AS $$
DECLARE
    k record := bouncemx.limits();
BEGIN
    INSERT INTO bouncemx.struck AS s (address_key, tenant, strikes, first_at, last_at)
    SELECT c.address_key, c.tenant, count(*), min(c.received_at), max(c.received_at)
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
     WHERE c.effect = 'strike'
     GROUP BY c.address_key, c.tenant
     ORDER BY c.address_key, c.tenant
    ON CONFLICT (address_key, tenant) DO UPDATE
       SET strikes = s.strikes + excluded.strikes,
           first_at = least(s.first_at, excluded.first_at),
           last_at = greatest(s.last_at, excluded.last_at);

    -- From here on nobody else strikes these addresses, and what others wrote is seen. A key that is
    -- here already was forgotten as content and counts anew.
    INSERT INTO bouncemx.strike AS s (address_key, tenant, line, key, at, event_id, sure, holds_until)
    SELECT e.address_key, e.tenant, e.line, e.key, e.received_at, e.event_id, e.sure, e.holds_until
      FROM (SELECT c.address_key, c.tenant, bouncemx.strike_line(c.kind, c.class, p.scope, c.stream) AS line,
                   bouncemx.strike_key(c.token, c.content, c.event_id) AS key, c.received_at, c.event_id,
                   bouncemx.is_sure(c.kind, c.confidence, c.verification, c.capped) AS sure,
                   coalesce(c.received_at + p.expires[1], 'infinity') AS holds_until,
                   row_number() OVER (same ORDER BY c.ordinality) - count(*) OVER same AS before_last
              FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
              JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
             WHERE c.effect = 'strike'
            WINDOW same AS (PARTITION BY c.address_key, c.tenant)) e
      JOIN bouncemx.struck t ON t.address_key = e.address_key AND t.tenant = e.tenant
     WHERE t.strikes + e.before_last <= k.strikes_kept
    ON CONFLICT (address_key, tenant, line, key) DO UPDATE
       SET at = excluded.at, event_id = excluded.event_id, sure = excluded.sure,
           holds_until = excluded.holds_until;

    SELECT array_agg(CASE WHEN m.holds_until IS NULL THEN c.ruling
                          ELSE ROW('suppressed', (c.ruling).policy, m.holds_until, 1)::bouncemx.ruling END
                     ORDER BY c.n)
      INTO rulings
      FROM (SELECT c.ordinality AS n, c.address_key, c.tenant, c.kind, c.class, c.stream,
                   bouncemx.strike_key(c.token, c.content, c.event_id) AS key, c.received_at,
                   bouncemx.is_sure(c.kind, c.confidence, c.verification, c.capped) AS sure,
                   ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling AS ruling
              FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c) c
      LEFT JOIN LATERAL (
           SELECT CASE WHEN o.n >= least(p.strikes, p.strikes_unsure)
                       THEN bouncemx.strikes_hold(o.times, o.sure, o.untils, array_position(o.its_own, true),
                                                  w.whole) END AS holds_until
             FROM (SELECT policies[(c.ruling).policy] AS whole
                    WHERE (c.ruling).effect = 'strike'
                      -- Most have no other.
                      AND EXISTS (SELECT FROM bouncemx.struck t
                                   WHERE t.address_key = c.address_key AND t.tenant = c.tenant
                                     AND t.strikes > 1)) w
            CROSS JOIN LATERAL (SELECT (w.whole).*) p
            CROSS JOIN LATERAL (
                 SELECT count(*) AS n, array_agg(s.at ORDER BY s.at, s.its_own) AS times,
                        array_agg(s.sure ORDER BY s.at, s.its_own) AS sure,
                        array_agg(s.holds_until ORDER BY s.at, s.its_own) AS untils,
                        array_agg(s.its_own ORDER BY s.at, s.its_own) AS its_own
                   FROM (SELECT c.received_at AS at, true AS its_own, c.sure,
                                coalesce(c.received_at + p.expires[1], 'infinity') AS holds_until
                         UNION ALL
                         (SELECT s.at, false, s.sure, s.holds_until
                            FROM bouncemx.strike s
                           WHERE s.address_key = c.address_key AND s.tenant = c.tenant
                             AND s.line = bouncemx.strike_line(c.kind, c.class, p.scope, c.stream)
                             AND s.key <> c.key
                             AND s.at BETWEEN c.received_at - p.strikes_within
                                          AND c.received_at + p.strikes_within
                           LIMIT k.strikes_kept)) s) o
      ) m ON true;
END $$;
COMMENT ON FUNCTION bouncemx.strike_out(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Notes the strikes of a batch, for act: those that are enough together with others become suppressed, whichever of them comes last.';
