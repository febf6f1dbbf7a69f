-- act() of 0007 made anew by policy: judge (which row decides), use_up (tokens and contents), strike_out,
-- score_up, suppress. What it took before goes in this step.

DROP FUNCTION bouncemx.use_up(bouncemx.candidate[]);
DROP FUNCTION bouncemx.strike_out(bouncemx.candidate[], bouncemx.event_effect[]);
DROP FUNCTION bouncemx.suppress(bouncemx.candidate[], bouncemx.event_effect[]);
DROP FUNCTION bouncemx.first_effect(
    bouncemx.event_kind, bouncemx.bounce_class, bouncemx.bounce_confidence, bouncemx.verification,
    boolean, boolean, boolean, text);
DROP FUNCTION bouncemx.limits();

CREATE FUNCTION bouncemx.limits(OUT content_days integer, OUT strike_days integer,
                                OUT token_days integer, OUT events_of_token bigint,
                                OUT strikes_kept bigint, OUT score_days integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 60, 60, 400, 20::bigint, 100::bigint, 400;
END;
COMMENT ON FUNCTION bouncemx.limits() IS 'How much is kept; what it does stands in table policy. A content counts once in content_days; strikes are kept strike_days, strikes_kept of an address; tokens and sent token_days; of one token events_of_token events; days of a score score_days before its last one.';

ALTER TABLE bouncemx.strike
    ADD COLUMN line        text        COLLATE "C" NOT NULL DEFAULT 'hard',
    ADD COLUMN sure        boolean     NOT NULL DEFAULT false,
    ADD COLUMN holds_until timestamptz NOT NULL DEFAULT 'infinity',
    DROP CONSTRAINT strike_pkey,
    ADD PRIMARY KEY (address_key, tenant, line, key);
ALTER TABLE bouncemx.strike ALTER COLUMN line DROP DEFAULT;
COMMENT ON TABLE bouncemx.strike IS 'Events that are not enough by themselves. Those of different keys and one line count together, as their row of policy says.';
COMMENT ON COLUMN bouncemx.strike.line IS 'Which ones count together: those of one class of bounces (or complaints, unsubscribes), and of one stream where the policy''s scope is stream.';
COMMENT ON COLUMN bouncemx.strike.sure IS 'policy.strikes of such suppress, else policy.strikes_unsure.';
COMMENT ON COLUMN bouncemx.strike.holds_until IS 'Until when it would suppress; infinity: for good. Of several that suppress together the longest holds.';

-- ---- the list ----------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.confirms(s bouncemx.suppression, the_event uuid, the_time timestamptz, token text, apart interval)
    RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.state = 'pending' AND the_time >= s.event_at + apart AND the_event <> s.event_id
           AND NOT EXISTS (SELECT FROM bouncemx.event e
                            WHERE e.id = s.event_id AND e.received_at = s.event_at
                              AND e.token = confirms.token COLLATE "C");
END;
COMMENT ON FUNCTION bouncemx.confirms(bouncemx.suppression, uuid, timestamptz, text, interval) IS 'Does this hard bounce say of a row that waits for the breaker that it is true: by another token, and long enough after the event that made it?';

CREATE FUNCTION bouncemx.strike_confirms(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                         INOUT rulings bouncemx.ruling[])
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT array_agg(CASE WHEN s.address_key IS NULL THEN ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling
                          ELSE ROW('suppressed', c.policy, NULL, NULL)::bouncemx.ruling END ORDER BY c.ordinality)
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
      LEFT JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
      LEFT JOIN bouncemx.suppression s
        ON s.address_key = c.address_key AND s.scope = p.scope AND s.state = 'pending'
       AND s.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
       AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
       AND c.effect = 'strike' AND c.kind = 'bounce' AND c.class = 'hard'
       AND bouncemx.confirms(s, c.event_id, c.received_at, c.token, p.strikes_apart);
END;
COMMENT ON FUNCTION bouncemx.strike_confirms(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'For act: a strike that confirms a row that waits for the breaker is enough together with it.';

CREATE FUNCTION bouncemx.suppression_taken(
    s_state bouncemx.suppression_state, s_expires_at timestamptz, state bouncemx.suppression_state,
    kind bouncemx.event_kind, class bouncemx.bounce_class, event_at timestamptz, expires_at timestamptz)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN s_expires_at <= event_at THEN true
        WHEN s_state = 'active' AND state = 'pending' THEN false
        WHEN s_state = 'pending' AND state = 'active' AND (kind <> 'bounce' OR class IS DISTINCT FROM 'hard') THEN true
        ELSE s_expires_at IS NOT NULL AND expires_at IS NULL
    END;
COMMENT ON FUNCTION bouncemx.suppression_taken(
    bouncemx.suppression_state, timestamptz, bouncemx.suppression_state, bouncemx.event_kind,
    bouncemx.bounce_class, timestamptz, timestamptz)
    IS 'Does a row of the list (s_) become that of a new event? When it had ended, when the new one holds for good and it does not, and when it waits for the breaker and the new one is no hard bounce; never when the new one has to wait and it holds.';

CREATE FUNCTION bouncemx.suppress(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                  rulings bouncemx.ruling[])
    RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    open_hours boolean := EXISTS (SELECT FROM bouncemx.breaker_hour
                                   WHERE opened_at IS NOT NULL AND released_at IS NULL);
    was        text := coalesce(current_setting('bouncemx.actor', true), '');
    result     bouncemx.event_effect[];
BEGIN
    PERFORM set_config('bouncemx.actor', 'policy', true);
    WITH c AS MATERIALIZED (
        SELECT c.*, p.scope, CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END AS for_tenant,
               CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END AS held,
               nullif(coalesce(c.holds_until, c.received_at + p.expires[1]), 'infinity') AS expires_at,
               CASE WHEN b.hour IS NULL THEN 'active' ELSE 'pending' END::bouncemx.suppression_state AS state,
               b.key AS held_key, b.hour AS held_hour
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
          LEFT JOIN bouncemx.breaker_hour b
            ON open_hours AND c.kind = 'bounce' AND c.class = 'hard'
           AND b.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
           AND b.key = bouncemx.breaker_key(c.mx_operator, c.address_key)
           AND b.hour = date_trunc('hour', c.received_at, 'UTC')
           AND b.opened_at IS NOT NULL AND b.released_at IS NULL
         WHERE c.effect = 'suppressed'),
    made AS (
        -- The event that holds longest, then the first, makes the row; the others are counted. In key
        -- order, so that writers who meet wait for each other instead of locking up.
        INSERT INTO bouncemx.suppression AS s (
            address_key, tenant, scope, stream, address, event_stream, event_id, event_at, kind, class,
            category, confidence, rule, mx_operator, source, status, diagnostic, evidence_text,
            expires_at, state, held_key, held_hour, times, events, last_event_id, last_event_at)
        SELECT DISTINCT ON (c.address_key, c.for_tenant, c.scope, c.held)
               c.address_key, c.for_tenant, c.scope, c.held, coalesce(c.address, c.address_key), c.stream,
               c.event_id, c.received_at, c.kind, c.class, c.category, c.confidence, c.rule,
               c.mx_operator, c.source, c.status, c.diagnostic, c.evidence_text, c.expires_at, c.state,
               c.held_key, c.held_hour, coalesce(c.times, 1),
               count(*) OVER same, last_value(c.event_id) OVER all_of_it,
               last_value(c.received_at) OVER all_of_it
          FROM c
        WINDOW same AS (PARTITION BY c.address_key, c.for_tenant, c.scope, c.held),
               all_of_it AS (same ORDER BY c.ordinality ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
         ORDER BY c.address_key, c.for_tenant, c.scope, c.held, c.state, c.expires_at DESC NULLS FIRST,
                  c.ordinality
        ON CONFLICT (address_key, tenant, scope, stream) DO UPDATE
           SET (address, event_stream, event_id, event_at, kind, class, category, confidence, rule,
                mx_operator, source, status, diagnostic, evidence_text, state, held_key, held_hour,
                origin, reason, actor) = (
                   SELECT excluded.address, excluded.event_stream, excluded.event_id,
                          excluded.event_at, excluded.kind, excluded.class, excluded.category,
                          excluded.confidence, excluded.rule, excluded.mx_operator, excluded.source,
                          excluded.status, excluded.diagnostic, excluded.evidence_text, excluded.state,
                          excluded.held_key, excluded.held_hour, excluded.origin, NULL, NULL
                    WHERE bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                     excluded.class, excluded.event_at, excluded.expires_at)
                   UNION ALL
                   SELECT s.address, s.event_stream, s.event_id, s.event_at, s.kind, s.class,
                          s.category, s.confidence, s.rule, s.mx_operator, s.source, s.status,
                          s.diagnostic, s.evidence_text, s.state, s.held_key, s.held_hour, s.origin,
                          s.reason, s.actor
                    WHERE bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                     excluded.class, excluded.event_at, excluded.expires_at)
                          IS NOT TRUE),
               (expires_at, times) = (
                   SELECT CASE
                       -- What holds is not lengthened by what waits.
                       WHEN s.state = 'active' AND excluded.state = 'pending'
                        AND (s.expires_at <= excluded.event_at) IS NOT TRUE THEN s.expires_at
                       -- The score has counted all of them.
                       WHEN s.class = 'soft' AND excluded.class = 'soft' OR s.state <> excluded.state
                        AND excluded.class IS DISTINCT FROM 'hard' THEN excluded.expires_at
                       WHEN s.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                       ELSE greatest(s.expires_at, excluded.expires_at) END,
                       CASE WHEN s.class = 'soft' AND excluded.class = 'soft'
                              OR bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                            excluded.class, excluded.event_at, excluded.expires_at)
                            THEN excluded.times ELSE s.times END),
               events = s.events + excluded.events,
               last_event_id = CASE WHEN excluded.last_event_at >= s.last_event_at
                                    THEN excluded.last_event_id ELSE s.last_event_id END,
               last_event_at = greatest(s.last_event_at, excluded.last_event_at)
        RETURNING s.event_id, s.state)
    SELECT array_agg(CASE WHEN c.effect IS DISTINCT FROM 'suppressed' THEN c.effect
                          WHEN m.event_id IS NULL THEN 'counted'
                          WHEN m.state = 'pending' THEN 'pending'
                          ELSE 'suppressed' END ORDER BY c.ordinality)
      INTO result
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
      LEFT JOIN made m ON m.event_id = c.event_id;

    -- What waits and is confirmed holds. These rows are locked already.
    IF EXISTS (SELECT FROM bouncemx.suppression WHERE state = 'pending') THEN
        UPDATE bouncemx.suppression s SET state = 'active', held_key = NULL, held_hour = NULL
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
         WHERE c.effect = 'suppressed' AND c.kind = 'bounce' AND c.class = 'hard'
           AND s.address_key = c.address_key AND s.scope = p.scope
           AND s.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
           AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
           AND bouncemx.confirms(s, c.event_id, c.received_at, c.token, p.strikes_apart)
           AND NOT EXISTS (SELECT FROM bouncemx.breaker_hour b
                            WHERE b.tenant = s.tenant
                              AND b.key = bouncemx.breaker_key(c.mx_operator, c.address_key)
                              AND b.hour = date_trunc('hour', c.received_at, 'UTC')
                              AND b.opened_at IS NOT NULL AND b.released_at IS NULL);
    END IF;
    PERFORM set_config('bouncemx.actor', was, true);
    RETURN result;
END $$;
COMMENT ON FUNCTION bouncemx.suppress(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Writes the list for the events of a batch that are suppressed, for act: the effect of each. Those that found their row there become counted, those of an hour for which the breaker is open pending.';

CREATE OR REPLACE FUNCTION bouncemx.act(candidates bouncemx.candidate[]) RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    policies bouncemx.policy[];
    places   integer[];
    effects  bouncemx.event_effect[];
    rulings  bouncemx.ruling[];
BEGIN
    IF candidates IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT j.policies, j.places, j.effects INTO policies, places, effects FROM bouncemx.judge(candidates) j;
    effects := bouncemx.use_up(candidates, effects);
    IF NOT effects && '{strike,soft,suppressed}' THEN
        RETURN effects;
    END IF;
    rulings := (SELECT array_agg(ROW(r.effect, r.place, NULL, NULL)::bouncemx.ruling ORDER BY r.n)
                  FROM unnest(effects, places) WITH ORDINALITY r (effect, place, n));
    IF 'soft' = ANY (effects) THEN
        rulings := bouncemx.score_up(candidates, policies, rulings);
    END IF;
    IF 'strike' = ANY (effects) THEN
        rulings := bouncemx.strike_out(candidates, policies, rulings);
        IF EXISTS (SELECT FROM bouncemx.suppression WHERE state = 'pending') THEN
            rulings := bouncemx.strike_confirms(candidates, policies, rulings);
        END IF;
    END IF;
    effects := (SELECT array_agg(r.effect ORDER BY r.ordinality) FROM unnest(rulings) WITH ORDINALITY r);
    IF 'suppressed' = ANY (effects) THEN
        effects := bouncemx.suppress(candidates, policies, rulings);
    END IF;
    RETURN effects;
END $$;
COMMENT ON FUNCTION bouncemx.act(bouncemx.candidate[]) IS 'Lets a batch of events act on the list, in their order, as table policy says; the effect of each (NULL for a NULL). Tables are written in the order token_seen, token_flood, content_seen, address_score, struck, strike, suppression, each by its key: call it once in a transaction.';
